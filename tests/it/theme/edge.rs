//! The edge's pages and mails, printed from the edge's own answers.

use serde::Serialize;
use serde_json::{Value, json};
use vitrine::edge::reply::{CartReply, CheckoutReply, OrderReply};
use vitrine::theme::countries::country;
use vitrine::theme::engine::Values;

use super::{engine, holds, site};

fn print(template: &str, name: &'static str, value: &impl Serialize, key: Option<&str>) -> String {
    let mut values = Values::new().with("site", &site()).with(name, value).with("query", &"");
    if let Some(key) = key {
        values = values.with("key", &key).with("held_minutes", &14);
    }
    engine().render(template, values.context()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn euro(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

fn lines() -> Value {
    json!([{
        "id": "00000000000000a1", "sku": "BOARD", "product": "bread-board", "url": "/products/bread-board",
        "title": "Bread & board", "variant_title": "Oak",
        "properties": [{ "key": "engraving", "label": "Name", "value": "<Mia>" }],
        "image": { "url": "/a/board.svg", "alt": "", "width": 800, "height": 1000 },
        "quantity": 2, "quantity_rule": { "min": 1, "max": 9, "step": 1 },
        "unit_price": euro(5200), "compare_at": null, "subtotal": euro(10400), "discount": euro(1040), "total": euro(9360),
        "availability": "in_stock",
    }])
}

fn totals() -> Value {
    json!([
        { "kind": "subtotal", "label": "Subtotal", "amount": euro(10400), "included": false },
        { "kind": "discount", "label": "Hello", "amount": euro(-1040), "included": false },
        { "kind": "shipping", "label": "Shipping", "amount": euro(0), "included": false },
        { "kind": "total", "label": "Total", "amount": euro(9360), "included": false },
    ])
}

fn cart() -> Value {
    json!({
        "id": "c", "revision": 2, "market": "eu", "currency": "EUR", "language": "en", "tax_included": true, "units": 2,
        "lines": lines(), "totals": totals(),
        "coupons": [{ "code": "LATE", "title": null, "applied": false, "amount": null, "reason": "coupon_expired", "detail": "It is over." }],
        "destination": { "country": "DE", "region": null, "postal_code": null }, "needs_shipping": true,
        "shipping_options": [{ "id": "dhl", "name": "Parcel", "delivery": "2 days", "price": euro(0), "selected": true }],
        "messages": [{ "code": "price_changed", "severity": "warning", "path": "/lines/0", "text": "The price went up." }],
        "changed": [], "can_checkout": true, "continue_url": "/checkout", "links": [],
    })
}

fn checkout(quote: Value) -> CheckoutReply {
    let value = json!({
        "id": "0190", "state": "incomplete", "cart": cart(), "contact": { "email": "ada@example.org", "phone": "" },
        "address": { "name": "Ada", "line1": "Weg 1", "line2": "", "city": "Leipzig", "region": "", "postal_code": "0410", "country": "DE" },
        "quote": quote,
        "payment": { "methods": [{ "id": "card", "name": "Card" }], "state": "declined", "detail": "Declined; nothing was charged.", "redirect_url": null },
        "messages": [{ "code": "postal_code", "severity": "error", "path": "/address/postal_code", "text": "Five digits." }],
        "order": null, "continue_url": "/checkout/0190", "links": [{ "rel": "terms", "href": "/terms", "title": "Terms" }],
    });
    serde_json::from_value(value).expect("the shape of the edge's answer")
}

fn order(state: &str) -> OrderReply {
    let value = json!({
        "id": "0191", "number": "LL-7", "state": state, "placed_at": "2026-11-23T10:00:00Z", "payment_state": "paid",
        "email": "ada@example.org", "language": "en", "lines": lines(), "totals": totals(),
        "address": { "name": "Ada <A>", "line1": "Weg 1", "city": "Leipzig", "postal_code": "04109", "country": "DE" },
        "shipping_name": "Parcel", "messages": [],
        "fulfillment": "partly_fulfilled",
        "fulfillments": [{
            "sent_at": "2026-11-24T10:00:00Z", "carrier": "<Post>", "tracking": "J1", "url": "https://post.example/?a&b",
            "lines": [{ "sku": "L", "title": "Lamp", "variant_title": "", "quantity": 1 }],
        }],
        "links": [{ "rel": "self", "href": "/orders/0191?token=x" }, { "rel": "mail", "href": "/mail" }],
    });
    serde_json::from_value(value).expect("the shape of the edge's answer")
}

#[test]
fn a_cart_can_be_changed_and_left_without_script() {
    let cart: CartReply = serde_json::from_value(cart()).expect("the shape of the edge's answer");
    let page = print("edge/cart.html", "cart", &cart, Some("k-1"));
    holds(&page, "action=\"/cart/lines/00000000000000a1\"");
    holds(&page, "name=\"action\" value=\"remove\"");
    holds(&page, "action=\"/cart/coupons/LATE/remove\"");
    holds(&page, "It is over.");
    holds(&page, "<option value=\"DE\" selected>Germany</option>");
    holds(&page, "name=\"key\" value=\"k-1\"");
    holds(&page, "Name: &lt;Mia&gt;");
    holds(&page, "<p class=\"note warning\">The price went up.</p>");
}

#[test]
fn an_empty_cart_shows_the_way_back() {
    let mut value = cart();
    value["lines"] = json!([]);
    let cart: CartReply = serde_json::from_value(value).expect("the shape of the edge's answer");
    let page = print("edge/cart.html", "cart", &cart, None);
    holds(&page, "Nothing in here yet.");
    assert!(!page.contains("action=\"/checkout\""), "nothing to check out");
}

#[test]
fn a_field_with_a_problem_names_it_beside_itself() {
    let page = print("edge/checkout.html", "checkout", &checkout(Value::Null), Some("k-2"));
    holds(&page, "aria-invalid=\"true\" aria-describedby=\"postal_code-note\"");
    holds(&page, "<span class=\"wrong\" id=\"postal_code-note\">Five digits.</span>");
    holds(&page, "autocomplete=\"address-line1\"");
    holds(&page, "name=\"shipping\" value=\"dhl\" required checked");
    holds(&page, "Declined; nothing was charged.");
    assert!(!page.contains("Buy now"), "nothing to pay before there is a quote");
}

/// The fields of the address on a checkout's page, each with whether it is asked of everybody.
fn asked(checkout: &CheckoutReply, countries: &[&str]) -> Vec<(&'static str, bool)> {
    let mut site = site();
    site.countries = countries.iter().map(|code| country(code)).collect();
    let values = Values::new().with("site", &site).with("checkout", checkout).with("query", &"");
    let page = engine().render("edge/checkout.html", values.context()).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(page.contains("data-postal-code data-required"), checkout.cart.needs_shipping);
    let field = |name: &'static str| {
        let start = page.find(&format!("<input id=\"{name}\"")).unwrap_or_else(|| panic!("there is no {name}: {page}"));
        let end = start + page[start..].find('>').expect("it ends");
        (name, page[start..end].contains(" required"))
    };
    ["name", "line1", "postal_code", "city"].map(field).to_vec()
}

#[test]
fn a_postal_code_is_asked_of_everybody_where_every_country_has_one() {
    let checkout = checkout(Value::Null);
    let all = |postal_code: bool| vec![("name", true), ("line1", true), ("postal_code", postal_code), ("city", true)];
    assert_eq!(asked(&checkout, &["DE", "FR"]), all(true));
    assert_eq!(asked(&checkout, &["DE", "IE"]), all(false), "without script nobody knows which country is chosen");
}

#[test]
fn a_download_is_not_asked_where_it_goes() {
    let mut checkout = checkout(Value::Null);
    checkout.cart.needs_shipping = false;
    assert_eq!(asked(&checkout, &["DE"]), [("name", true), ("line1", false), ("postal_code", false), ("city", false)]);
}

#[test]
fn the_pay_form_carries_quote_key_and_method() {
    let quote = json!({ "hash": "ab12", "total": euro(9360), "expires_at": "2026-11-23T10:15:00Z", "cart_revision": 2 });
    let page = print("edge/checkout.html", "checkout", &checkout(quote), Some("k-3"));
    holds(&page, "action=\"/checkout/0190/payment\"");
    holds(&page, "name=\"quote_hash\" value=\"ab12\"");
    holds(&page, "name=\"key\" value=\"k-3\"");
    holds(&page, "name=\"method\" value=\"card\"");
    holds(&page, ">Buy now</button>");
    holds(&page, "This price is held for you for 14 minutes.");
    holds(&page, "<a href=\"/terms\">Terms</a>");
}

#[test]
fn an_orders_page_tells_its_state() {
    let page = print("edge/order.html", "order", &order("placed"), None);
    holds(&page, "Thank you. It is yours.");
    holds(&page, "Order LL-7");
    holds(&page, "<a href=\"/mail\">Read the confirmation mail</a>");
    holds(&print("edge/order.html", "order", &order("canceled"), None), "This order was canceled");
    holds(&print("edge/order.html", "order", &order("pending_payment"), None), "waiting for its payment");
}

#[test]
fn a_mail_names_lines_totals_and_the_order() {
    let text = print("mail/order.txt", "order", &order("placed"), None);
    holds(&text, "2 × Bread & board (Oak), €93.60\n    Name: <Mia>\n");
    holds(&text, "Total: €93.60\n");
    holds(&text, "See the order: https://shop.example/orders/0191?token=x\n");
    let html = print("mail/order.html", "order", &order("placed"), None);
    holds(&html, "2 × Bread &amp; board");
    holds(&html, "Ada &lt;A&gt;");
    holds(&html, "href=\"https://shop.example/orders/0191?token=x\"");
}

#[test]
fn a_mail_calls_what_costs_nothing_free_and_a_country_by_its_name() {
    let told = order("placed");
    holds(&print("mail/order.txt", "order", &told, None), "Shipping: free\n");
    holds(&print("mail/order.txt", "order", &told, None), "Weg 1\n04109 Leipzig\nGermany\n");
    let html = print("mail/order.html", "order", &told, None);
    assert!(
        html.contains(">free</td>") && html.contains("04109 Leipzig<br>Germany<br>Parcel") && !html.contains("€0.00"),
        "{html}"
    );
    // Where the shop sends nothing by now, the code has to do.
    let mut elsewhere = serde_json::to_value(order("placed")).expect("JSON");
    (elsewhere["address"]["country"], elsewhere["address"]["region"]) = ("XX".into(), "Zulia".into());
    let elsewhere: OrderReply = serde_json::from_value(elsewhere).expect("the shape of the edge's answer");
    holds(&print("mail/order.txt", "order", &elsewhere, None), "04109 Leipzig, Zulia\nXX\n");
    holds(&print("mail/order.html", "order", &elsewhere, None), "04109 Leipzig, Zulia<br>XX<br>");
    holds(&print("edge/order.html", "order", &elsewhere, None), "XX\n</address>");
    holds(&print("edge/order.html", "order", &told, None), "Germany\n</address>");
}

#[test]
fn a_payment_that_is_checked_looks_again_by_itself() {
    let page = print("edge/checking.html", "checkout", &checkout(Value::Null), None);
    holds(&page, "<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>");
    holds(&page, "Please do not pay a second time.");
}
