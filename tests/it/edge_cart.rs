//! The cart, as programs and as people without script use it.

use std::sync::Arc;

use serde_json::{Value, json};
use vitrine::commerce::cart::Cart;
use vitrine::commerce::ids::{CartId, Sku};
use vitrine::edge::app::{Settings, StockSnapshot};
use vitrine::edge::cart_token::{self, LIFE_SECONDS};
use vitrine::edge::key_ring::KeyRing;

use crate::support::edge::{BASE_URL, Caller, Got, NOW, app, app_of, bundle, key_ring};

fn caller() -> Caller {
    Caller::new(&app(Settings::default()))
}

fn add(caller: &mut Caller, sku: &str, quantity: u32) -> Got {
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": sku, "quantity": quantity}))
}

fn total(cart: &Value, kind: &str) -> i64 {
    let parts = cart["totals"].as_array().expect("totals").iter().filter(|part| part["kind"] == kind);
    parts.map(|part| part["amount"]["amount"].as_i64().expect("minor units")).sum()
}

fn codes(cart: &Value) -> Vec<&str> {
    cart["messages"].as_array().expect("messages").iter().map(|message| message["code"].as_str().expect("a code")).collect()
}

#[test]
fn a_cart_grows_changes_and_empties() {
    let mut caller = caller();
    let cart = add(&mut caller, "LAMP-S", 2).expect(200).json();
    assert_eq!((cart["units"].as_u64(), total(&cart, "total")), (Some(2), 3980));
    assert_eq!(cart["lines"][0]["url"], "/products/lamp");
    assert_eq!(cart["lines"][0]["variant_title"], "Small");
    let cart = add(&mut caller, "LAMP-S", 1).expect(200).json();
    assert_eq!((cart["lines"].as_array().map(Vec::len), cart["units"].as_u64()), (Some(1), Some(3)));
    let line = format!("/api/v1/cart/lines/{}", cart["lines"][0]["id"].as_str().expect("an id"));
    let cart = caller.json("PATCH", &line, json!({"quantity": 1})).expect(200).json();
    assert_eq!((cart["units"].as_u64(), cart["revision"].as_u64()), (Some(1), Some(3)));
    let cart = caller.json("DELETE", &line, Value::Null).expect(200).json();
    assert_eq!((cart["lines"].as_array().map(Vec::len), cart["can_checkout"].as_bool()), (Some(0), Some(false)));
    caller.json("DELETE", &line, Value::Null).expect(404);
}

#[test]
fn a_browser_gets_cookies_and_a_program_the_header_it_came_with() {
    let mut browser = caller().with("sec-fetch-site", "same-origin");
    let got = add(&mut browser, "LAMP-S", 1).expect(200);
    let cookies = got.cookies();
    assert!(cookies[0].starts_with("cart=") && cookies[0].ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"));
    assert_eq!(cookies[1], "cart-count=1; Path=/; Max-Age=2592000; SameSite=Lax");
    assert_eq!(got.header("cart-token"), "", "scripts do not see the token");

    let mut unknown = caller();
    let token = add(&mut unknown, "LAMP-S", 1).expect(200).header("cart-token").to_owned();
    let mut program = caller().with("cart-token", &token);
    let got = add(&mut program, "LAMP-S", 1).expect(200);
    assert_eq!(got.json()["units"], 2);
    assert!(got.cookies().is_empty() && !got.header("cart-token").is_empty());
}

#[test]
fn on_https_the_cookie_is_bound_to_the_host() {
    let app = app_of(&bundle("https://tiny.example", 1990), Settings::default());
    let mut caller = Caller::new(&app);
    let got = add(&mut caller, "LAMP-S", 1).expect(200);
    assert!(got.cookies()[0].starts_with("__Host-cart="));
    assert!(got.cookies().iter().all(|cookie| cookie.ends_with("; Secure")));
    assert_eq!(got.header("strict-transport-security"), "max-age=31536000");
}

#[test]
fn reading_a_cart_sets_no_cookie() {
    let mut caller = caller();
    add(&mut caller, "LAMP-S", 1).expect(200);
    assert!(caller.json("GET", "/api/v1/cart", Value::Null).expect(200).cookies().is_empty());
    assert!(caller.page("/cart").expect(200).cookies().is_empty());
}

#[test]
fn quantities_that_are_none_are_refused_by_name() {
    let mut caller = caller();
    for quantity in [json!(-1), json!(1.5), json!(0), json!(10_000), json!(4_294_967_296_u64), json!(1e300)] {
        let got = caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": quantity}));
        assert_eq!(got.code(422), "quantity", "{quantity}");
    }
    for quantity in [json!("1"), json!(null), json!([1]), json!(true)] {
        let got = caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": quantity}));
        assert_eq!(got.code(400), "invalid_field", "{quantity}");
    }
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1.0})).expect(200);
}

#[test]
fn a_rule_of_quantities_is_told() {
    let got = add(&mut caller(), "MUG", 3).expect(422);
    assert_eq!(got.json()["detail"], "Choose between 2 and 10, in steps of 2.");
    assert_eq!(got.json()["messages"][0]["path"], "/quantity");
}

#[test]
fn what_is_not_sold_cannot_be_added() {
    let mut caller = caller();
    assert_eq!(add(&mut caller, "NOTHING", 1).code(422), "unknown_sku");
    assert_eq!(add(&mut caller, "DRAFT", 1).code(422), "unknown_sku");
    assert_eq!(add(&mut caller, "VASE", 1).code(422), "sold_out");
    let got = caller.json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2, "market": "us"}));
    assert_eq!(got.code(422), "not_for_sale");
    assert!(caller.token.is_empty(), "a refused wish makes no cart");
}

#[test]
fn unknown_fields_markets_and_languages_are_refused_by_name() {
    let mut caller = caller();
    let got = caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1, "price": 1})).expect(400);
    assert_eq!(got.json()["code"], "unknown_field");
    assert!(got.json()["detail"].as_str().is_some_and(|detail| detail.contains("`price`")));
    let got = caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1, "market": "moon"}));
    assert_eq!(got.code(422), "unknown_market");
    let got = caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1, "language": "tlh"}));
    assert_eq!(got.code(422), "unknown_language");
    assert_eq!(caller.json("GET", "/api/v1/cart?cart=1", Value::Null).code(400), "unknown_parameter");
}

#[test]
fn properties_are_held_to_what_the_product_declares() {
    let mut caller = caller();
    let mut engraved =
        |text: Value| caller.json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2, "properties": text}));
    let cart = engraved(json!({"engraving": "for Ada"})).expect(200).json();
    assert_eq!(cart["lines"][0]["properties"][0], json!({"key": "engraving", "label": "Engraving", "value": "for Ada"}));
    let cart = engraved(json!({"engraving": "for Bob"})).expect(200).json();
    assert_eq!(cart["lines"].as_array().map(Vec::len), Some(2), "another text is another line");
    assert_eq!(engraved(json!({"engraving": "x".repeat(21)})).code(422), "property_too_long");
    assert_eq!(engraved(json!({"colour": "red"})).code(422), "unknown_property");
}

#[test]
fn a_price_that_has_changed_since_the_page_is_told_and_never_charged() {
    let mut caller = caller();
    let body = json!({"sku": "LAMP-S", "quantity": 1, "seen_price_minor": 1490});
    let cart = caller.json("POST", "/api/v1/cart/lines", body).expect(200).json();
    assert_eq!(codes(&cart), ["price_changed"]);
    assert_eq!(cart["changed"][0]["seen"]["amount"], 1490);
    assert_eq!((cart["changed"][0]["now"]["amount"].as_i64(), total(&cart, "total")), (Some(1990), 1990));
    assert_eq!(cart["can_checkout"], true);
}

#[test]
fn coupons_are_added_judged_and_removed() {
    let mut caller = caller();
    add(&mut caller, "LAMP-S", 1).expect(200);
    let cart = caller.json("PUT", "/api/v1/cart/coupons/spring", Value::Null).expect(200).json();
    assert_eq!(cart["coupons"][0]["reason"], "coupon_below_minimum");
    let cart = add(&mut caller, "LAMP-S", 1).expect(200).json();
    assert_eq!((cart["coupons"][0]["applied"].as_bool(), total(&cart, "discount")), (Some(true), -398));
    assert_eq!(total(&cart, "total"), 3582);
    let cart = caller.json("DELETE", "/api/v1/cart/coupons/SPRING", Value::Null).expect(200).json();
    assert_eq!(cart["coupons"], json!([]));
    assert_eq!(caller.json("PUT", "/api/v1/cart/coupons/WINTER", Value::Null).code(422), "coupon_unknown");
    assert_eq!(caller.json("PUT", "/api/v1/cart/coupons/SPRING", json!({"a": 1})).code(400), "unexpected_body");
}

#[test]
fn the_destination_brings_shipping_and_its_price() {
    let mut caller = caller();
    add(&mut caller, "LAMP-S", 1).expect(200);
    let options = caller.json("GET", "/api/v1/cart/shipping-options", Value::Null).expect(200).json();
    assert_eq!(options["shipping_options"], json!([]));
    let cart = caller.json("PUT", "/api/v1/cart/destination", json!({"country": "de"})).expect(200).json();
    assert_eq!((total(&cart, "shipping"), total(&cart, "total")), (490, 2480));
    assert_eq!(cart["shipping_options"].as_array().map(Vec::len), Some(2));
    assert_eq!(cart["shipping_options"][0]["selected"], true);
    let cart = caller.json("PUT", "/api/v1/cart/destination", json!({"country": "AT"})).expect(200).json();
    assert_eq!((codes(&cart), cart["can_checkout"].as_bool()), (vec!["destination_unserved"], Some(false)));
    let got = caller.json("PUT", "/api/v1/cart/destination", json!({"country": "US"}));
    assert_eq!(got.code(422), "country_unserved");
    assert_eq!(caller.json("PUT", "/api/v1/cart/destination", json!({"country": "Narnia"})).code(422), "not_a_place");
}

#[test]
fn a_cart_moves_to_another_market_with_its_lines() {
    let mut caller = caller();
    add(&mut caller, "LAMP-S", 1).expect(200);
    add(&mut caller, "MUG", 2).expect(200);
    let body = json!({"sku": "LAMP-L", "quantity": 1, "market": "us"});
    let cart = caller.json("POST", "/api/v1/cart/lines", body).expect(200).json();
    assert_eq!((cart["market"].as_str(), cart["currency"].as_str()), (Some("us"), Some("USD")));
    assert_eq!(total(&cart, "subtotal"), 5500);
    let told = codes(&cart);
    assert_eq!(told, ["line_unavailable", "tax_not_known"], "the mug has no price in dollars, and no price is called changed");
    let page = caller.page("/cart").expect(200).body;
    assert!(
        page.contains("<a href=\"/us\" hreflang=\"en\" aria-current=\"true\">")
            && page.contains("<a href=\"/\" hreflang=\"en\">"),
        "{page}"
    );
}

#[test]
fn a_cart_of_a_market_that_is_closed_goes_on_in_the_first_one() {
    let mut caller = caller();
    let body = json!({"sku": "LAMP-S", "quantity": 1, "market": "us"});
    let cart = caller.json("POST", "/api/v1/cart/lines", body).expect(200).json();
    assert_eq!((cart["currency"].as_str(), total(&cart, "total")), (Some("USD"), 2200));
    let mut europe_alone = bundle(BASE_URL, 1990);
    europe_alone.rules.markets.truncate(1);
    europe_alone.sites_json.truncate(1);
    caller.app = app_of(&europe_alone, Settings::default());
    let cart = caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!((cart["currency"].as_str(), total(&cart, "total")), (Some("EUR"), 1990));
    assert_eq!(codes(&cart), Vec::<&str>::new(), "dollars then and euros now are no changed price");
}

#[test]
fn stock_of_the_snapshot_stops_what_is_gone() {
    let mut caller = caller();
    add(&mut caller, "LAMP-L", 3).expect(200);
    let left = |units| StockSnapshot { available: [(Sku::from("LAMP-L").hash(), units)].into(), used_up: Vec::new() };
    caller.app.stock.store(Arc::new(left(2)));
    let cart = caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!((codes(&cart), cart["can_checkout"].as_bool()), (vec!["not_enough_stock"], Some(false)));
    caller.app.stock.store(Arc::new(left(0)));
    let cart = caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!(codes(&cart), ["sold_out"]);
    assert_eq!(cart["lines"][0]["availability"], "sold_out");
}

#[test]
fn availability_is_read_from_the_address_alone_and_kept_by_a_cdn() {
    let mut caller = caller();
    add(&mut caller, "LAMP-S", 1).expect(200);
    let got = caller.json("GET", "/api/v1/availability/lamp?market=us", Value::Null).expect(200);
    assert_eq!(got.header("cache-control"), "public, max-age=0, s-maxage=5");
    assert!(got.cookies().is_empty());
    let variant = &got.json()["variants"][0];
    assert_eq!((variant["sku"].as_str(), variant["price"]["amount"].as_i64()), (Some("LAMP-S"), Some(2200)));
    assert_eq!(variant["availability"], "in_stock");
    let got = caller.json("GET", "/api/v1/availability/mug?market=us", Value::Null).expect(200);
    assert_eq!(got.json()["variants"][0]["availability"], "not_for_sale");
    assert_eq!(got.json()["variants"][0]["price"], Value::Null);
    assert_eq!(caller.json("GET", "/api/v1/availability/vase", Value::Null).json()["variants"][0]["availability"], "sold_out");
    for (path, status) in [("nothing", 404), ("draft", 404), ("lamp?market=moon", 404), ("lamp?x=1", 400), ("%ff", 404)] {
        let got = caller.json("GET", &format!("/api/v1/availability/{path}"), Value::Null).expect(status);
        assert_eq!(got.header("cache-control"), "no-store", "{path}");
    }
}

#[test]
fn a_token_that_is_not_ours_is_no_cart_and_a_message() {
    let mut foreign = caller();
    let stranger = KeyRing::new(&[(1, [9; 32])]).expect("a ring");
    let cart = Cart::new(CartId([1; 16]), "eu".into(), "en".to_owned(), NOW);
    let ours = cart_token::encode(&cart, &key_ring()).expect("it fits");
    let forged = cart_token::encode(&cart, &stranger).expect("it fits");
    for token in [forged.as_str(), &ours[..ours.len() - 3], "x", &"A".repeat(5000)] {
        foreign.token = token.to_owned();
        let cart = foreign.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
        assert_eq!((cart["id"].as_str(), codes(&cart)), (Some(""), vec!["cart_unreadable"]), "{token}");
        assert!(foreign.page("/cart").expect(200).body.contains("could not be read"));
        foreign.json("DELETE", "/api/v1/cart/lines/0123456789abcdef", Value::Null).expect(404);
    }
    let cart = add(&mut foreign, "LAMP-S", 1).expect(200).json();
    assert_eq!((cart["units"].as_u64(), codes(&cart)), (Some(1), vec!["cart_unreadable"]));
    let cart = foreign.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert!(codes(&cart).is_empty(), "the new token is whole");
}

#[test]
fn a_cart_older_than_its_life_is_begun_anew() {
    let mut old = caller();
    let cart = Cart::new(CartId([1; 16]), "eu".into(), "en".to_owned(), NOW.plus_seconds(-LIFE_SECONDS - 1));
    old.token = cart_token::encode(&cart, &key_ring()).expect("it fits");
    let cart = old.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!(codes(&cart), ["cart_expired"]);
}

#[test]
fn a_full_cart_says_so() {
    let mut caller = caller();
    let mut last = None;
    for number in 0..100 {
        let text = format!("{number:0>20}");
        let body = json!({"sku": "MUG", "quantity": 2, "properties": {"engraving": text}});
        let got = caller.json("POST", "/api/v1/cart/lines", body);
        if got.status != 200 {
            last = Some(got);
            break;
        }
        assert!(caller.token.len() <= cart_token::MAX_TOKEN_BYTES);
    }
    assert_eq!(last.expect("texts fill a token before 100 lines").code(422), "cart_full");
    caller.json("GET", "/api/v1/cart", Value::Null).expect(200);
}

#[test]
fn forms_end_at_the_cart_and_refusals_show_it_with_the_reason() {
    let mut caller = caller();
    let got = caller.form("/cart/lines", "sku=LAMP-S&quantity=2&seen_price_minor=1990&market=eu&language=en").expect(303);
    assert_eq!(got.header("location"), "/cart");
    assert!(caller.page("/cart").expect(200).body.contains("lamp"));
    for quantity in ["-1", "0", "1.5", "99999999999999999999", "", "many"] {
        let got = caller.form("/cart/lines", &format!("sku=LAMP-S&quantity={quantity}")).expect(422);
        assert!(got.body.contains("/products/lamp"), "the cart is still there: {got:?}");
    }
    let cart = caller.json("GET", "/api/v1/cart", Value::Null).json();
    assert_eq!(cart["units"], 2);
    let line = format!("/cart/lines/{}", cart["lines"][0]["id"].as_str().expect("an id"));
    caller.form(&line, "action=update&quantity=5").expect(303);
    assert_eq!(caller.json("GET", "/api/v1/cart", Value::Null).json()["units"], 5);
    caller.form("/cart/coupons", "code=+spring+").expect(303);
    caller.form("/cart/coupons/SPRING/remove", "").expect(303);
    caller.form("/cart/coupons", "code=winter").expect(422);
    caller.form("/cart/destination", "country=DE&region=&postal_code=").expect(303);
    caller.form("/cart/destination", "country=").expect(422);
    caller.form(&line, "action=remove").expect(303);
    caller.form(&line, "action=remove").expect(422);
    assert_eq!(caller.json("GET", "/api/v1/cart", Value::Null).json()["units"], 0);
}

#[test]
fn a_form_carries_what_the_shopper_wrote() {
    let mut caller = caller();
    caller.form("/cart/lines", "sku=MUG&quantity=2&property.engraving=f%C3%BCr+Ada").expect(303);
    let cart = caller.json("GET", "/api/v1/cart", Value::Null).json();
    assert_eq!(cart["lines"][0]["properties"][0]["value"], "für Ada");
    let got = caller.form("/cart/lines", "sku=MUG&quantity=2&property.engraving=1234567890123456789012").expect(422);
    assert!(got.body.contains("holds at most 20 bytes"));
}

#[test]
fn a_page_runs_no_script_of_its_own_and_only_the_styles_it_holds() {
    let got = caller().page("/cart").expect(200);
    assert!(got.body.contains("<style>") && got.body.contains("Nothing in here yet"), "{got:?}");
    let policy = got.header("content-security-policy");
    assert!(policy.contains("script-src 'self';") && policy.contains("style-src 'self' 'sha256-"), "{policy}");
}

#[test]
fn a_template_of_the_shop_that_fails_falls_back_to_the_built_in_one() {
    let mut bundle = bundle(BASE_URL, 1990);
    bundle.templates = vec![("edge/cart.html".to_owned(), "{{ cart.nothing.at_all }}".to_owned())];
    let got = Caller::new(&app_of(&bundle, Settings::default())).page("/cart").expect(200);
    assert!(got.body.contains("Nothing in here yet"), "{got:?}");
    bundle.templates = vec![("edge/cart.html".to_owned(), "own: {{ cart.units }}".to_owned())];
    assert_eq!(Caller::new(&app_of(&bundle, Settings::default())).page("/cart").expect(200).body, "own: 0");
}
