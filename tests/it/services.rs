//! Services: prices from a system of the merchant's own, over a real socket; what of them is believed, and what holds without them.
//!
//! Source  CHECKOUT.md 5.6 and 5.7; the contract is src/edge/services.json.

use serde_json::{Value, json};
use vitrine::commerce::outside::PriceFault;
use vitrine::edge::limits::breaker::REST_MS;
use vitrine::site::problem::Problems;
use vitrine::theme::bundle::Bundle;
use vitrine::theme::bundle::services::{Oversell, PriceClass, WhenSilent, WhenUnknown};

use crate::limits::Buyer;
use crate::openapi;
use crate::support::counter::details;
use crate::support::edge::{BASE_URL, Caller, bundle};
use crate::support::rig::Rig;
use crate::support::service::{Mishap, Service};
use crate::support::shop::{folder, run, site};

/// A shop whose prices a service tells.
fn shop(service: &Service, when_unknown: WhenUnknown) -> Rig {
    Rig::asking(Bundle { pricing: Some(service.terms(when_unknown)), ..bundle(BASE_URL, 1990) }, service.services())
}

fn add(caller: &mut Caller, sku: &str, seen: i64) -> Value {
    let wish = json!({"sku": sku, "quantity": 1, "seen_price_minor": seen});
    caller.json("POST", "/api/v1/cart/lines", wish).expect(200).json()
}

fn unit(cart: &Value, line: usize) -> i64 {
    cart["lines"][line]["unit_price"]["amount"].as_i64().unwrap_or_else(|| panic!("no line {line} in {cart}"))
}

fn codes(told: &Value) -> Vec<&str> {
    told["messages"].as_array().into_iter().flatten().filter_map(|message| message["code"].as_str()).collect()
}

/// What `/metrics` says of a shop that asks a service which is not always right.
pub(crate) fn metrics_of_a_shop_with_services() -> String {
    let service = Service::open();
    let pricing = Some(service.terms(WhenUnknown::Catalogue));
    let inventory = Some(service.stock_terms(Oversell::Never, WhenSilent::OwnLedger));
    let rig = Rig::asking(Bundle { pricing, inventory, ..bundle(BASE_URL, 1990) }, service.services());
    service.has("LAMP-S", 1);
    let mut buyer = Buyer::at(&rig);
    Buyer::gives_card(&rig, &buyer.pay().expect(200).json());
    buyer.look();
    rig.tell();
    rig.operator("/metrics").1
}

const PRICES: &str = "vitrine_outside_prices_total";

#[test]
fn what_is_told_is_what_is_shown_agreed_and_charged() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    let rig = shop(&service, WhenUnknown::Catalogue);
    let mut caller = Caller::new(&rig.app);
    let cart = add(&mut caller, "LAMP-S", 1990);
    assert_eq!((unit(&cart, 0), cart["lines"][0]["compare_at"].clone()), (1500, Value::Null));
    assert_eq!(codes(&cart)[0], "price_changed", "the page said another price");
    let shown = caller.json("GET", "/api/v1/availability/lamp", Value::Null).expect(200).json();
    assert_eq!(shown["variants"][0]["price"], json!({"amount": 1500, "currency": "EUR"}), "{shown}");
    let mut buyer = Buyer::at(&rig);
    let total = buyer.ready["quote"]["total"]["amount"].as_i64().expect("a total");
    assert_eq!(total, 1500 + 490);
    // Whatever is told from now on, and whoever fails: what was agreed holds.
    service.tells("LAMP-S", "EUR", 2900);
    rig.pass(60);
    service.always(Some(Mishap::Down));
    let asked = service.asked().len();
    let paying = buyer.pay().expect(200).json();
    Buyer::gives_card(&rig, &paying);
    assert_eq!(buyer.look()["state"], "completed");
    let taken = rig.run(rig.sandbox.all_payments()).expect("the ledger is readable");
    assert_eq!(taken.iter().map(|payment| payment.amount.minor).collect::<Vec<_>>(), [total]);
    assert_eq!(service.asked().len(), asked, "a frozen price is not asked about");
}

#[test]
fn it_is_asked_once_in_a_while_for_all_that_is_in_a_cart() {
    let service = Service::open();
    for (sku, minor) in [("LAMP-S", 1500), ("MUG", 1300)] {
        service.tells(sku, "EUR", minor);
    }
    let rig = shop(&service, WhenUnknown::Catalogue);
    let mut caller = Caller::new(&rig.app);
    add(&mut caller, "LAMP-S", 1990);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2})).expect(200);
    caller.json("GET", "/api/v1/cart", Value::Null).expect(200);
    let skus = |index: usize| service.asked()[index].body["skus"].clone();
    assert_eq!((service.asked().len(), skus(0), skus(1)), (2, json!(["LAMP-S"]), json!(["MUG"])));
    rig.pass(29);
    caller.json("GET", "/api/v1/cart", Value::Null).expect(200);
    assert_eq!(service.asked().len(), 2);
    rig.pass(1);
    let cart = caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!((service.asked().len(), skus(2).as_array().map(Vec::len)), (3, Some(2)), "both by one call");
    assert_eq!((unit(&cart, 0), unit(&cart, 1)), (1500, 1300));
    for asked in service.asked() {
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/prices"));
        openapi::check_service("PriceQuestion", &asked.body);
    }
}

#[test]
fn a_price_in_one_market_says_nothing_of_another() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    service.tells("LAMP-S", "USD", 2000);
    let rig = shop(&service, WhenUnknown::Catalogue);
    let mut caller = Caller::new(&rig.app);
    add(&mut caller, "LAMP-S", 1500);
    let wish = json!({"sku": "LAMP-S", "quantity": 1, "seen_price_minor": 2000, "market": "us"});
    let cart = caller.json("POST", "/api/v1/cart/lines", wish).expect(200).json();
    assert_eq!((unit(&cart, 0), cart["currency"].as_str()), (2000, Some("USD")));
    assert!(!codes(&cart).contains(&"price_changed"), "{cart}");
}

#[test]
fn what_is_absurd_negative_or_foreign_is_refused_for_that_sku_alone_and_counted() {
    let euros = |amount: Value| json!({"amount": amount, "currency": "EUR"});
    for (price, fault) in [
        (euros(json!(0)), PriceFault::NotPositive),
        (euros(json!(-1500)), PriceFault::NotPositive),
        (euros(json!(199_000)), PriceFault::Absurd),
        (euros(json!(1)), PriceFault::Absurd),
        (euros(json!(15.5)), PriceFault::Absurd),
        (euros(json!("1500")), PriceFault::Absurd),
        (euros(json!(1e30)), PriceFault::Absurd),
        (json!({"amount": 1500, "currency": "USD"}), PriceFault::ForeignCurrency),
        (json!({"amount": 1500, "currency": "???"}), PriceFault::ForeignCurrency),
    ] {
        let service = Service::open();
        service.tells("LAMP-L", "EUR", 2500);
        service.tells_foreign("LAMP-S", "EUR", price.clone());
        let rig = shop(&service, WhenUnknown::Catalogue);
        let mut caller = Caller::new(&rig.app);
        add(&mut caller, "LAMP-S", 1990);
        let cart = add(&mut caller, "LAMP-L", 2500);
        assert_eq!((unit(&cart, 0), unit(&cart, 1)), (1990, 2500), "{price}");
        let counted = format!("vitrine_outside_prices_refused_total{{reason=\"{}\"}}", fault.name());
        assert_eq!(rig.metric(&counted), 1.0, "{price}: it is not asked for again at once");
        let strict = shop(&service, WhenUnknown::Refuse);
        let mut caller = Caller::new(&strict.app);
        add(&mut caller, "LAMP-L", 2500);
        let cart = add(&mut caller, "LAMP-S", 1990);
        assert!(codes(&cart).contains(&"price_unconfirmed") && cart["can_checkout"] == false, "{price}: {cart}");
    }
}

#[test]
fn what_is_not_told_or_told_twice_is_no_price() {
    let service = Service::open();
    let rig = shop(&service, WhenUnknown::Catalogue);
    assert_eq!(unit(&add(&mut Caller::new(&rig.app), "LAMP-S", 1990), 0), 1990);
    assert_eq!(rig.metric("vitrine_outside_prices_refused_total{reason=\"missing\"}"), 1.0);
    rig.pass(30);
    let one = json!({"sku": "LAMP-S", "unit": {"amount": 1500, "currency": "EUR"}});
    service.next(&[Mishap::Body(json!({"prices": [one, one]}).to_string())]);
    assert_eq!(unit(&add(&mut Caller::new(&rig.app), "LAMP-S", 1990), 0), 1990);
    assert_eq!(rig.metric("vitrine_outside_prices_refused_total{reason=\"doubled\"}"), 1.0);
}

#[test]
fn what_was_believed_before_holds_while_something_else_is_told_until_it_is_too_old() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    let rig = shop(&service, WhenUnknown::Catalogue);
    let mut caller = Caller::new(&rig.app);
    add(&mut caller, "LAMP-S", 1500);
    service.tells("LAMP-S", "EUR", -1);
    for (later, expected) in [(60, 1500), (3_540, 1500), (1, 1990)] {
        rig.pass(later);
        assert_eq!(unit(&caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json(), 0), expected, "{later}");
    }
}

#[test]
fn while_it_is_down_the_last_known_price_holds_until_it_is_too_old_and_then_the_terms() {
    for (when_unknown, then) in [(WhenUnknown::Catalogue, Some(1990)), (WhenUnknown::Refuse, None)] {
        let service = Service::open();
        service.tells("LAMP-S", "EUR", 1500);
        let rig = shop(&service, when_unknown);
        let mut buyer = Buyer::at(&rig);
        assert_eq!(unit(&buyer.ready["cart"], 0), 1500);
        service.always(Some(Mishap::Down));
        rig.pass(3_600);
        let kept = buyer.caller.json("PATCH", &buyer.path, details()).expect(200).json();
        assert_eq!((unit(&kept["cart"], 0), kept["state"].as_str()), (1500, Some("ready_for_complete")));
        rig.pass(1);
        let told = buyer.caller.json("PATCH", &buyer.path, details()).expect(200).json();
        match then {
            Some(minor) => assert_eq!((unit(&told["cart"], 0), told["state"].as_str()), (minor, Some("ready_for_complete"))),
            None => {
                assert_eq!((told["state"].as_str(), told["quote"].clone()), (Some("incomplete"), Value::Null));
                let message = &told["messages"][0];
                let text =
                    "Prices can't be confirmed right now: lamp (Small) cannot be bought for the moment. Your cart is saved.";
                assert_eq!((message["code"].as_str(), message["text"].as_str()), (Some("price_unconfirmed"), Some(text)));
                assert_eq!(told["cart"]["can_checkout"], false);
                let page = buyer.caller.page("/cart").expect(200);
                assert!(page.body.contains("be confirmed right now"), "{}", page.body);
                let shown = buyer.caller.json("GET", "/api/v1/availability/lamp", Value::Null).expect(200).json();
                assert_eq!(shown["variants"][0]["price"], Value::Null, "a price that nobody would charge is not told");
            }
        }
        service.always(None);
        rig.pass(60);
        let again = buyer.caller.json("PATCH", &buyer.path, details()).expect(200).json();
        assert_eq!((unit(&again["cart"], 0), again["state"].as_str()), (1500, Some("ready_for_complete")));
    }
}

#[test]
fn a_quote_that_holds_is_shown_and_paid_while_no_price_can_be_confirmed() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    let mut terms = service.terms(WhenUnknown::Refuse);
    terms.usual.max_age_seconds = 0;
    let rig = Rig::asking(Bundle { pricing: Some(terms), ..bundle(BASE_URL, 1990) }, service.services());
    let mut buyer = Buyer::at(&rig);
    service.always(Some(Mishap::Down));
    rig.pass(600);
    let looked = buyer.look();
    assert_eq!((looked["state"].as_str(), codes(&looked)), (Some("ready_for_complete"), Vec::new()));
    assert_eq!(buyer.pay().expect(200).json()["payment"]["state"], "redirect");
    // It ran out: it is not made anew, and nothing is charged.
    service.always(None);
    rig.pass(60);
    let mut late = Buyer::at(&rig);
    service.always(Some(Mishap::Down));
    rig.pass(901);
    let held = rig.held();
    assert_eq!((late.pay().code(409), rig.held()), ("quote_changed".to_owned(), held));
}

#[test]
fn a_class_of_products_has_terms_of_its_own() {
    let service = Service::open();
    let mut terms = service.terms(WhenUnknown::Catalogue);
    terms.classes = vec![
        PriceClass { categories: vec!["light".into()], when_unknown: WhenUnknown::Refuse, ..terms.usual.clone() },
        PriceClass { categories: vec!["home".into()], when_unknown: WhenUnknown::Catalogue, ..terms.usual.clone() },
    ];
    let mut shop = bundle(BASE_URL, 1990);
    let mut products = shop.catalog.products().to_vec();
    for product in products.iter_mut().filter(|product| product.slug.as_str() == "lamp") {
        product.categories = vec!["home".into(), "light/desk".into()];
    }
    shop.catalog = vitrine::commerce::catalog::Catalog::new(products, Vec::new()).expect("names differ");
    shop.pricing = Some(terms);
    let rig = Rig::asking(shop, service.services());
    let mut caller = Caller::new(&rig.app);
    add(&mut caller, "PATTERN", 500);
    let cart = add(&mut caller, "LAMP-S", 1990);
    let about: Vec<&Value> = cart["messages"].as_array().expect("messages").iter().collect();
    assert_eq!((about[0]["code"].as_str(), about[0]["path"].as_str()), (Some("price_unconfirmed"), Some("/lines/1")));
    assert_eq!(codes(&cart).iter().filter(|code| **code == "price_unconfirmed").count(), 1);
}

#[test]
fn it_is_asked_a_second_time_at_once_and_left_alone_after_three_failures() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    let rig = shop(&service, WhenUnknown::Catalogue);
    service.next(&[Mishap::Status(503)]);
    assert_eq!(unit(&add(&mut Caller::new(&rig.app), "LAMP-S", 1990), 0), 1500, "the second answer counts");
    assert_eq!(rig.metric("vitrine_service_resends_total{dependency=\"pricing\"}"), 1.0);
    service.always(Some(Mishap::Down));
    rig.pass(30);
    // Good answers of before are half of those that count.
    let look = || Caller::new(&rig.app).json("GET", "/api/v1/availability/lamp", Value::Null).expect(200);
    let failed = "vitrine_service_calls_total{dependency=\"pricing\",outcome=\"failed\"}";
    for failures in 1..=3 {
        look();
        assert_eq!(rig.metric(failed), f64::from(failures));
    }
    let asked = service.asked().len();
    look();
    assert_eq!(service.asked().len(), asked, "it is left alone");
    assert_eq!(rig.metric("vitrine_service_breaker{dependency=\"pricing\",state=\"open\"}"), 1.0);
    assert_eq!(rig.metric("vitrine_service_calls_total{dependency=\"pricing\",outcome=\"not_sent\"}"), 1.0);
    let (status, told) = rig.operator("/readyz");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let state = &told["dependencies"]["pricing"];
    assert_eq!((status, state["state"].as_str(), state["breaker"].as_str()), (200, Some("failing"), Some("open")), "{told}");
    service.always(None);
    let rest = i64::try_from(REST_MS / 1_000).expect("seconds");
    rig.pass(rest);
    look();
    assert_eq!(
        rig.metric("vitrine_service_breaker{dependency=\"pricing\",state=\"half_open\"}"),
        1.0,
        "one answer is not enough"
    );
    rig.pass(30);
    look();
    assert_eq!(rig.metric("vitrine_service_breaker{dependency=\"pricing\",state=\"closed\"}"), 1.0);
    let (_, told) = rig.operator("/readyz");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["dependencies"]["pricing"]["state"], "ok");
}

#[test]
fn whoever_has_too_much_to_do_is_not_asked_again_at_once() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    let rig = shop(&service, WhenUnknown::Catalogue);
    service.next(&[Mishap::Status(429)]);
    assert_eq!(unit(&add(&mut Caller::new(&rig.app), "LAMP-S", 1990), 0), 1990);
    assert_eq!(service.asked().len(), 1);
    assert_eq!(rig.metric("vitrine_service_calls_total{dependency=\"pricing\",outcome=\"failed\"}"), 1.0);
}

#[test]
fn an_answer_that_is_not_of_the_contract_is_none_and_the_cart_is_served() {
    let elsewhere = Service::open();
    let mishaps = [
        Mishap::Slow,
        Mishap::Endless,
        Mishap::Status(500),
        Mishap::Status(404),
        Mishap::Status(204),
        Mishap::Redirect(format!("{}/prices", elsewhere.url())),
        Mishap::Body("<h1>hello</h1>".to_owned()),
        Mishap::Body("{}".to_owned()),
        Mishap::Body("{\"prices\": [{\"sku\": \"LAMP-S\"}]}".to_owned()),
        Mishap::Body(format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))),
    ];
    for mishap in mishaps {
        let service = Service::open();
        service.tells("LAMP-S", "EUR", 1500);
        service.always(Some(mishap.clone()));
        let rig = shop(&service, WhenUnknown::Catalogue);
        assert_eq!(unit(&add(&mut Caller::new(&rig.app), "LAMP-S", 1990), 0), 1990, "{mishap:?}");
        let failed = rig.metric("vitrine_service_calls_total{dependency=\"pricing\",outcome=\"failed\"}");
        assert_eq!(failed, 1.0, "{mishap:?}");
    }
    assert!(elsewhere.asked().is_empty(), "nobody is followed elsewhere");
}

#[test]
fn a_token_that_is_not_taken_stops_the_asking_at_once_and_is_never_shown() {
    let service = Service::open();
    let way = vitrine::edge::perform::services::Way { token: Some("another-token-hush".to_owned()), ..service.way() };
    let services = vitrine::edge::perform::services::Services::default().with_pricing(way).expect("it could be one");
    assert!(!format!("{services:?}").contains("hush"));
    let rig = Rig::asking(Bundle { pricing: Some(service.terms(WhenUnknown::Catalogue)), ..bundle(BASE_URL, 1990) }, services);
    for _ in 0..3 {
        assert_eq!(unit(&add(&mut Caller::new(&rig.app), "LAMP-S", 1990), 0), 1990);
    }
    assert_eq!(service.asked().len(), 1);
    let (_, told) = rig.operator("/readyz");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["dependencies"]["pricing"]["state"], "key_refused");
    for token in ["", "two words", "line\nbreak", "ümlaut"] {
        let way = vitrine::edge::perform::services::Way { token: Some(token.to_owned()), ..service.way() };
        let error = vitrine::edge::perform::services::Services::default().with_pricing(way).expect_err(token);
        assert!(token.is_empty() || !error.contains(token), "{error}");
    }
}

#[test]
fn what_was_told_is_held_against_the_catalogue_that_is_in_service() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    let rig = shop(&service, WhenUnknown::Catalogue);
    let mut caller = Caller::new(&rig.app);
    assert_eq!(unit(&add(&mut caller, "LAMP-S", 1990), 0), 1500);
    // The lamp's price is mended: ten times as much.
    rig.go_live(&Bundle { pricing: Some(service.terms(WhenUnknown::Catalogue)), ..bundle(BASE_URL, 19_900) });
    assert_eq!(unit(&caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json(), 0), 19_900);
    // And nobody is asked any more.
    rig.go_live(&bundle(BASE_URL, 1990));
    rig.pass(60);
    let asked = service.asked().len();
    assert_eq!(unit(&caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json(), 0), 1990);
    assert_eq!(service.asked().len(), asked);
    let (_, page) = rig.operator("/metrics");
    assert!(!page.contains("vitrine_service") && !page.contains(PRICES), "series of what the shop does not name are not told");
}

#[test]
fn whoever_goes_away_while_it_is_asked_leaves_the_breaker_as_it_was() {
    let service = Service::open();
    service.tells("LAMP-S", "EUR", 1500);
    let rig = shop(&service, WhenUnknown::Catalogue);
    service.always(Some(Mishap::Down));
    let look = || Caller::new(&rig.app).json("GET", "/api/v1/availability/lamp", Value::Null).expect(200);
    (0..3).for_each(|_| drop(look()));
    rig.pass(i64::try_from(REST_MS / 1_000).expect("seconds"));
    service.always(Some(Mishap::Slow));
    // The probe is given up half-way.
    let live = rig.app.live.load_full();
    let skus = [vitrine::commerce::ids::Sku::from("LAMP-S").hash()].into();
    rig.run(async {
        let asking = rig.app.services.prices(&live, live.bundle.rules.root_market(), skus, &rig.app.clock);
        let mut asking = std::pin::pin!(asking);
        std::future::poll_fn(|context| {
            assert!(asking.as_mut().poll(context).is_pending(), "nobody has answered yet");
            std::task::Poll::Ready(())
        })
        .await;
    });
    service.always(None);
    rig.pass(1);
    let shown = look().json();
    assert_eq!(shown["variants"][0]["price"]["amount"], 1500, "the next one is the probe");
}

#[test]
fn the_contracts_examples_are_what_it_describes() {
    let document: Value = serde_json::from_str(vitrine::edge::openapi::SERVICES).expect("the document is JSON");
    let prices = &document["paths"]["/prices"]["post"];
    openapi::check_service("PriceQuestion", &prices["requestBody"]["content"]["application/json"]["example"]);
    openapi::check_service("PriceAnswer", &prices["responses"]["200"]["content"]["application/json"]["example"]);
    let hold = &document["paths"]["/reservations/{reservation}"]["put"];
    openapi::check_service("Hold", &hold["requestBody"]["content"]["application/json"]["example"]);
    openapi::check_service("Shortage", &hold["responses"]["409"]["content"]["application/json"]["example"]);
    let sale = &document["paths"]["/reservations/{reservation}/sale"]["post"];
    openapi::check_service("Sale", &sale["requestBody"]["content"]["application/json"]["example"]);
}

/// Problems of a shop's settings with this section: line, message and hint of each.
fn problems_of(section: &str) -> Vec<(usize, String, String)> {
    let settings = format!("{}\n{section}", site("EUR"));
    let shop = folder(&[("site.toml", &settings)]);
    let mut problems = Problems::new();
    let config = vitrine::config::read(shop.path(), &mut problems);
    assert!(problems.has_errors() || config.is_some());
    let first = settings.lines().count() - section.lines().count();
    problems
        .all()
        .iter()
        .map(|problem| (problem.line - first, problem.message.clone(), problem.hint.clone().unwrap_or_default()))
        .collect()
}

#[test]
fn settings_that_cannot_be_meant_are_told_where_they_stand() {
    let http = "[pricing]\nsource = \"http\"\nurl = \"https://prices.tiny.example/v1/\"\n";
    assert_eq!(problems_of(http), []);
    assert_eq!(problems_of("[pricing]\nsource = \"catalogue\"\n"), []);
    for (section, line, message, hint) in [
        ("[pricing]\nsource = \"http\"\n", 2, "nobody says where this service is", "url = "),
        ("[pricing]\nsource = \"ftp\"\n", 2, "unknown variant `ftp`", ""),
        ("[pricing]\nurl = \"https://x.example\"\n", 2, "this does nothing", "source = \"http\""),
        ("[[pricing.classes]]\ncategories = [\"a\"]\n", 2, "this does nothing", "source = \"http\""),
        ("[pricing]\nsource = \"http\"\nurl = \"http://prices.tiny.example\"\n", 3, "without TLS", "https://"),
        ("[pricing]\nsource = \"http\"\nurl = \"https://user:hush@x.example\"\n", 3, "no user and no password", "https://"),
        ("[pricing]\nsource = \"http\"\nurl = \"https://x.example/?a=b\"\n", 3, "question mark", "https://"),
    ] {
        let told = problems_of(section);
        assert!(
            told.len() == 1 && told[0].0 == line && told[0].1.contains(message) && told[0].2.contains(hint),
            "{section}: {told:?}"
        );
    }
    for (setting, message) in [
        ("timeout_ms = 20000", "write a number from 50 to 5000"),
        ("fresh_seconds = -1", "write a number from 0 to 3600"),
        ("max_age_minutes = 99999999999", "write a number from 0 to 43200"),
        ("max_factor = 1", "write a number from 2 to 100"),
        ("when_unknown = \"guess\"", "unknown variant `guess`"),
        ("token = \"hush\"", "unknown key `token`"),
        ("[[pricing.classes]]\ncategories = []", "a class of no category holds nothing"),
        ("[[pricing.classes]]\ncategories = [\"a\"]\nmax_factor = 0", "write a number from 2 to 100"),
    ] {
        let told = problems_of(&format!("{http}{setting}\n"));
        assert!(told.len() == 1 && told[0].0 >= 4 && told[0].1.contains(message), "{setting}: {told:?}");
        assert!(!setting.contains("hush") || told[0].2.contains("VITRINE_PRICING_TOKEN"), "{told:?}");
    }
}

#[test]
fn settings_of_units_that_cannot_be_meant_are_told_where_they_stand() {
    let http = "[inventory]\nsource = \"http\"\nurl = \"https://stock.tiny.example/v1/\"\n";
    assert_eq!(problems_of(http), []);
    assert_eq!(problems_of("[inventory]\nsource = \"ledger\"\n"), []);
    for (section, line, message) in [
        ("[inventory]\nsource = \"http\"\n".to_owned(), 2, "nobody says where this service is"),
        ("[inventory]\noversell = \"never\"\n".to_owned(), 2, "this does nothing"),
        ("[inventory]\nsource = \"ledger\"\nwhen_silent = \"refuse\"\n".to_owned(), 3, "this does nothing"),
        (format!("{http}oversell = \"maybe\"\n"), 4, "unknown variant `maybe`"),
        (format!("{http}timeout_ms = 1\n"), 4, "write a number from 50 to 5000"),
        (format!("{http}[[inventory.classes]]\ncategories = []\n"), 5, "a class of no category holds nothing"),
        (
            format!("{http}[[webhooks]]\nname = \"inventory\"\nurl = \"https://x.example\"\n"),
            2,
            "a webhook has the name `inventory`",
        ),
    ] {
        let told = problems_of(&section);
        assert!(told.len() == 1 && told[0].0 == line && told[0].1.contains(message), "{section}: {told:?}");
    }
}

#[test]
fn a_category_that_is_not_there_is_told_by_check() {
    let section = "[pricing]\nsource = \"http\"\nurl = \"https://prices.tiny.example\"\n\n[[pricing.classes]]\ncategories = [\"jewelery\"]\n";
    let settings = format!("{}\n{section}", site("EUR"));
    let product =
        "+++\ntitle = \"Ring\"\nprice = \"10\"\ntax_class = \"standard\"\ncategories = [\"jewellery\"]\n+++\n\nA ring.\n";
    let category = "+++\ntitle = \"Jewellery\"\n+++\n";
    let shop = folder(&[
        ("site.toml", &settings),
        ("content/products/ring.md", product),
        ("content/categories/jewellery/_index.md", category),
    ]);
    let (code, _, told) = run(shop.path(), &["check"]);
    let line = settings.lines().count();
    assert!(
        code == 1 && told.contains("there is no category `jewelery`") && told.contains(&format!("site.toml:{line}:")),
        "{told}"
    );
}
