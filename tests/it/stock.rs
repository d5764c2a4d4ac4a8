//! Stock: units that a system of the merchant's own holds before a payment begins, over a real socket, and what it is told afterwards.
//!
//! Source  CHECKOUT.md 5.6 and 5.7; the contract is src/edge/services.json.

use serde_json::{Value, json};
use vitrine::commerce::catalog::{Catalog, StockPolicy};
use vitrine::store::Settlement;
use vitrine::theme::bundle::Bundle;
use vitrine::theme::bundle::services::{InventoryClass, Oversell, WhenSilent};

use crate::edge_cli::{Running, edge};
use crate::limits::Buyer;
use crate::openapi;
use crate::support::client;
use crate::support::counter::details;
use crate::support::edge::{BASE_URL, Caller, bundle, signing_key};
use crate::support::rig::Rig;
use crate::support::service::{Mishap, Service, TOKEN};

const UNCONFIRMED: &str = "Stock can't be confirmed right now. You have not been charged. Your cart is saved.";

fn shop(service: &Service, oversell: Oversell, when_silent: WhenSilent) -> Rig {
    let inventory = Some(service.stock_terms(oversell, when_silent));
    Rig::asking(Bundle { inventory, ..bundle(BASE_URL, 1990) }, service.services())
}

fn strict(service: &Service) -> Rig {
    shop(service, Oversell::Never, WhenSilent::Refuse)
}

/// Pays at the gateway and comes back.
fn paid(rig: &Rig, buyer: &mut Buyer) -> Value {
    let paying = buyer.pay().expect(200).json();
    Buyer::gives_card(rig, &paying);
    let looked = buyer.look();
    assert_eq!(looked["state"], "completed", "{looked}");
    looked
}

/// Pays under another key than before.
fn pay_again(buyer: &Buyer) -> Value {
    let body = json!({"quote_hash": buyer.ready["quote"]["hash"], "method": "sandbox"});
    let mut caller = buyer.caller.clone().with("idempotency-key", "another");
    caller.json("POST", &format!("{}/payment", buyer.path), body).expect(200).json()
}

#[test]
fn units_are_held_before_the_payment_and_sold_with_the_order() {
    let service = Service::open();
    service.has("LAMP-S", 5);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    assert!(service.asked().is_empty(), "nothing is held before somebody pays");
    buyer.pay().expect(200);
    assert_eq!((service.units("LAMP-S"), rig.held()), ((4, 1, 0), 1));
    let looked = paid(&rig, &mut buyer);
    assert_eq!(rig.tell(), 1);
    assert_eq!(service.units("LAMP-S"), (4, 0, 1));
    let asked = service.asked();
    let told: Vec<String> = asked.iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect();
    let (hold, sale) = (&asked[0], &asked[asked.len() - 1]);
    assert_eq!(told.iter().filter(|told| told.starts_with("PUT")).count(), 1, "{told:?}");
    assert_eq!(format!("POST {}/sale", hold.path), told[told.len() - 1]);
    openapi::check_service("Hold", &hold.body);
    openapi::check_service("Sale", &sale.body);
    assert_eq!(sale.body["number"], looked["order"]["number"]);
    // 15 minutes of the gateway's page, and as many more for whoever pays in the last one.
    let until = jiff::Timestamp::from_second(crate::support::edge::NOW.0 + 1_800).expect("an instant").to_string();
    assert!(hold.body["expires_at"] == json!(until) || hold.body["expires_at"].as_str() > Some(&until), "{}", hold.body);
    assert_eq!(rig.tell(), 0, "it is told once");
}

#[test]
fn what_it_has_too_few_of_is_sold_out_and_nothing_is_written() {
    let service = Service::open();
    service.has("LAMP-S", 0);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    let got = buyer.pay();
    let message = got.json()["messages"][0].clone();
    assert_eq!((got.clone().code(409), message["path"].as_str()), ("sold_out".to_owned(), Some("/cart/lines/0")), "{got:?}");
    assert_eq!((rig.held(), rig.orders().len(), rig.called("create")), (0, 0, 0));
    assert_eq!(rig.metric("vitrine_stock_holds_total{result=\"short\"}"), 1.0);
    service.has("LAMP-S", 1);
    assert_eq!(pay_again(&buyer)["payment"]["state"], "redirect", "the same quote can be paid once it is there");
}

#[test]
fn the_last_unit_that_it_has_is_sold_once_whatever_the_own_ledger_says() {
    let service = Service::open();
    service.has("LAMP-S", 1);
    let rig = strict(&service);
    let mut buyers = [Buyer::at(&rig), Buyer::at(&rig)];
    assert_eq!(buyers[0].pay().status, 200);
    assert_eq!(buyers[1].pay().code(409), "sold_out");
    // Whoever pays a second time has the same hold.
    assert_eq!(buyers[0].pay().status, 200);
    paid(&rig, &mut buyers[0]);
    rig.tell();
    assert_eq!(service.units("LAMP-S"), (0, 0, 1));
}

#[test]
fn a_cart_that_another_checkout_has_paid_for_hears_of_its_order_and_not_that_nothing_was_charged() {
    let service = Service::open();
    service.has("LAMP-S", 1);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    // A second tab with the same cart.
    let mut caller = buyer.caller.clone();
    let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    let ready = caller.json("PATCH", &path, details()).expect(200).json();
    let mut other = Buyer { caller, path, ready };
    paid(&rig, &mut buyer);
    let got = other.pay();
    assert!(!got.body.contains("not been charged"), "{}", got.body);
    assert_eq!(got.code(409), "cart_spent");
}

#[test]
fn the_own_ledger_decides_all_the_same() {
    let service = Service::open();
    service.has("LAMP-S", 50);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    rig.run(rig.till().store.set_stock(&"LAMP-S".into(), 0, "", rig.app.clock.now())).expect("counted");
    assert_eq!(buyer.pay().code(409), "sold_out");
    assert_eq!(rig.called("create"), 0);
}

#[test]
fn another_quote_of_the_checkout_takes_the_place_of_the_hold_before() {
    let service = Service::open();
    service.has("LAMP-S", 2);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    buyer.pay().expect(200);
    buyer.caller.json("DELETE", &format!("{}/payment", buyer.path), Value::Null).expect(200);
    let line = buyer.ready["cart"]["lines"][0]["id"].as_str().expect("a line").to_owned();
    buyer.caller.json("PATCH", &format!("/api/v1/cart/lines/{line}"), json!({"quantity": 2})).expect(200);
    buyer.ready = buyer.caller.json("PATCH", &buyer.path, details()).expect(200).json();
    assert_eq!(pay_again(&buyer)["payment"]["state"], "redirect");
    assert_eq!(service.units("LAMP-S"), (0, 2, 0), "the shopper's own earlier hold does not stand in the way");
}

#[test]
fn while_it_is_silent_the_terms_decide_before_anything_is_written() {
    for mishap in [Mishap::Down, Mishap::Slow, Mishap::Status(500), Mishap::Status(404), Mishap::Body("x".to_owned())] {
        // A body is not read where units are held.
        let is_held = matches!(mishap, Mishap::Body(_));
        let service = Service::open();
        service.always(Some(mishap.clone()));
        let rig = strict(&service);
        let got = Buyer::at(&rig).pay();
        if is_held {
            assert_eq!(got.status, 200);
            continue;
        }
        assert_eq!((got.header("retry-after"), got.json()["detail"].as_str()), ("10", Some(UNCONFIRMED)), "{mishap:?}");
        assert_eq!(got.code(503), "stock_unconfirmed");
        assert_eq!((rig.held(), rig.orders().len(), rig.called("create")), (0, 0, 0), "{mishap:?}");
        let service = Service::open();
        service.always(Some(mishap.clone()));
        let rig = shop(&service, Oversell::Never, WhenSilent::OwnLedger);
        let mut buyer = Buyer::at(&rig);
        paid(&rig, &mut buyer);
        assert_eq!(rig.metric("vitrine_stock_holds_total{result=\"own_ledger\"}"), 1.0);
        // It is told once it speaks again.
        service.always(None);
        service.has("LAMP-S", 3);
        (0..8).for_each(|_| {
            rig.pass(900);
            rig.tell();
        });
        assert_eq!(service.units("LAMP-S"), (2, 0, 1), "{mishap:?}");
    }
}

#[test]
fn a_refusal_that_names_nothing_that_was_asked_for_is_no_answer() {
    for body in ["", "{}", "{\"short\": []}", "{\"short\": [{\"sku\": \"MUG\"}]}", "{\"short\": \"LAMP-S\"}"] {
        let service = Service::open();
        service.always(Some(Mishap::Refusal(body.to_owned())));
        let rig = strict(&service);
        assert_eq!(Buyer::at(&rig).pay().code(503), "stock_unconfirmed", "{body}");
        assert_eq!((rig.held(), rig.orders().len()), (0, 0), "{body}");
    }
}

#[test]
fn a_page_says_that_stock_cannot_be_confirmed_and_can_be_paid_from_later() {
    let service = Service::open();
    service.always(Some(Mishap::Down));
    let rig = strict(&service);
    let buyer = Buyer::at(&rig);
    let page = buyer.path.replace("/api/v1/checkouts/", "/checkout/");
    let mut browser = buyer.caller.clone().with("sec-fetch-site", "same-origin");
    let form = format!("quote_hash={}&method=sandbox&key=one", buyer.ready["quote"]["hash"].as_str().expect("a hash"));
    let got = browser.form(&format!("{page}/payment"), &form).expect(503);
    assert!(got.body.contains("be confirmed right now") && got.body.contains("/payment\""), "{}", got.body);
    service.always(None);
    service.has("LAMP-S", 1);
    rig.pass(20);
    assert!(browser.form(&format!("{page}/payment"), &form).expect(303).header("location").contains("/checkout/sandbox/"));
}

#[test]
fn a_service_that_forgets_a_hold_takes_nothing_from_a_paid_order_and_the_merchant_is_told_once() {
    let service = Service::open();
    service.has("LAMP-S", 1);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    let paying = buyer.pay().expect(200).json();
    service.forgets();
    Buyer::gives_card(&rig, &paying);
    let looked = buyer.look();
    assert_eq!((looked["state"].as_str(), rig.captured()), (Some("completed"), 1));
    for _ in 0..3 {
        rig.tell();
        rig.pass(900);
        rig.round();
    }
    assert_eq!(rig.orders(), ["placed"]);
    assert_eq!(service.units("LAMP-S"), (0, 0, 0));
    assert_eq!(rig.metric("vitrine_stock_sales_total{result=\"refused\"}"), 1.0);
    let mails = rig.mails.lock().expect("unharmed").clone();
    let alarms: Vec<&String> = mails.iter().filter(|name| name.starts_with("alarm-inventory-")).collect();
    assert_eq!(alarms.len(), 1, "{mails:?}");
    assert_eq!(mails.iter().filter(|name| name.starts_with("order-")).count(), 1, "the shopper has the confirmation");
}

#[test]
fn what_may_be_oversold_is_not_asked_for_and_told_when_it_is_sold() {
    let service = Service::open();
    let rig = shop(&service, Oversell::Allow, WhenSilent::Refuse);
    let mut buyer = Buyer::at(&rig);
    service.always(Some(Mishap::Down));
    paid(&rig, &mut buyer);
    assert!(service.asked().is_empty());
    service.always(None);
    service.has("LAMP-S", 1);
    rig.tell();
    assert_eq!(service.units("LAMP-S"), (0, 0, 1));
}

#[test]
fn a_class_of_products_has_terms_of_its_own() {
    let service = Service::open();
    let mut shop = bundle(BASE_URL, 1990);
    let mut products = shop.catalog.products().to_vec();
    for product in &mut products {
        match product.slug.as_str() {
            "lamp" => product.categories = vec!["lamps".into()],
            "mug" => product.variants[0].stock_policy = StockPolicy::Backorder,
            _ => {}
        }
    }
    shop.catalog = Catalog::new(products, Vec::new()).expect("names differ");
    let mut terms = service.stock_terms(Oversell::Never, WhenSilent::Refuse);
    terms.classes =
        vec![InventoryClass { categories: vec!["lamps".into()], oversell: Oversell::Allow, when_silent: WhenSilent::OwnLedger }];
    shop.inventory = Some(terms);
    let rig = Rig::asking(shop, service.services());
    let mut caller = Caller::new(&rig.app);
    for (sku, quantity) in [("LAMP-S", 1), ("MUG", 2), ("PATTERN", 1)] {
        caller.json("POST", "/api/v1/cart/lines", json!({"sku": sku, "quantity": quantity})).expect(200);
    }
    let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    let ready = caller.json("PATCH", &path, details()).expect(200).json();
    let mut buyer = Buyer { caller, path, ready };
    paid(&rig, &mut buyer);
    assert!(service.asked().is_empty(), "a back order and what may be oversold are not asked for");
    rig.tell();
    let sale = &service.asked()[0].body;
    assert_eq!(
        sale["lines"],
        json!([{"sku": "LAMP-S", "quantity": 1}, {"sku": "MUG", "quantity": 2}]),
        "a pattern is not counted"
    );
}

#[test]
fn a_sale_is_told_again_until_it_is_answered_and_booked_once() {
    let service = Service::open();
    service.has("LAMP-S", 5);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    paid(&rig, &mut buyer);
    for mishap in [Mishap::Down, Mishap::Status(503), Mishap::Slow] {
        service.always(Some(mishap));
        rig.tell();
        rig.pass(900);
    }
    assert_eq!(service.units("LAMP-S"), (4, 1, 0));
    service.always(None);
    rig.tell();
    rig.tell();
    assert_eq!(service.units("LAMP-S"), (4, 0, 1));
    let mails = rig.mails.lock().expect("unharmed").clone();
    assert!(!mails.iter().any(|name| name.starts_with("alarm-")), "{mails:?}");
}

#[test]
fn units_of_an_order_that_is_none_any_more_are_taken_back() {
    let service = Service::open();
    service.has("LAMP-S", 5);
    let rig = strict(&service);
    let mut buyer = Buyer::at(&rig);
    let paying = buyer.pay().expect(200).json();
    Buyer::gives_card(&rig, &paying);
    // It is placed, and before its money is taken the house lets that go.
    let (store, now) = (&rig.till().store, rig.app.clock.now());
    let id = buyer.ready["id"].as_str().expect("an id").to_owned().as_str().into();
    rig.run(async {
        let taken = store.take_lease(&id, "a test", now, now.plus_seconds(60)).await.expect("a step").expect("a checkout");
        let attempt = taken.checkout.attempt.expect("it is paid for");
        let settlement = Settlement {
            attempt: attempt.id,
            now,
            reference: attempt.reference.expect("it was opened"),
            card: None,
            order_prefix: String::new(),
        };
        let placed = store.place(&taken.lease.expect("it is free"), settlement).await.expect("placed");
        store.ask_void(&placed.order.expect("an order").id, now).await.expect("it is not paid");
    });
    rig.tell();
    assert_eq!(service.units("LAMP-S"), (4, 0, 1));
    for _ in 0..3 {
        rig.pass(120);
        rig.round();
        rig.tell();
    }
    assert_eq!((rig.orders(), rig.captured()), (vec!["canceled".to_owned()], 0));
    assert_eq!(service.units("LAMP-S"), (5, 0, 0));
}

#[test]
fn an_edge_that_ends_between_the_hold_and_the_order_leaves_a_hold_that_ends_by_itself() {
    let service = Service::open();
    service.has("LAMP-S", 1);
    let inventory = Some(service.stock_terms(Oversell::Never, WhenSilent::Refuse));
    let shop = Bundle { inventory, ..bundle(BASE_URL, 1990) };
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.bundle"), shop.seal(&signing_key())).expect("a bundle");
    let start = |failpoint: Option<&str>| {
        let mut command = edge(folder.path(), &signing_key());
        command.env("VITRINE_INVENTORY_TOKEN", TOKEN).envs(failpoint.map(|point| ("VITRINE_FAILPOINT", point)));
        Running::start(command)
    };
    let mut first = start(Some("HELD"));
    let port = first.port("checkout on");
    let added = client::json(port, "POST", "/api/v1/cart/lines", &[], &json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
    let cookie = added.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cart").to_owned();
    let cart = ("cookie", cookie.as_str());
    let opened = client::json(port, "POST", "/api/v1/checkouts", &[cart], &json!({})).expect(201).json();
    let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    let ready = client::json(port, "PATCH", &path, &[cart], &details()).expect(200).json();
    let pay = |port: u16, key: &str| {
        let body = json!({"quote_hash": ready["quote"]["hash"], "method": "sandbox"});
        client::json(port, "POST", &format!("{path}/payment"), &[cart, ("idempotency-key", key)], &body)
    };
    // Nobody answers: the process is gone.
    std::panic::catch_unwind(|| pay(port, "one")).expect_err("it ends before it answers");
    first.ended();
    assert_eq!(service.units("LAMP-S"), (0, 1, 0));
    let second = start(None);
    let port = second.port("checkout on");
    let looked = client::json(port, "GET", &path, &[cart], &Value::Null).expect(200).json();
    assert_eq!((looked["state"].as_str(), looked["payment"]["state"].as_str()), (Some("ready_for_complete"), Some("none")));
    // The same quote is the same hold: the last unit is still this shopper's.
    assert_eq!(pay(port, "two").expect(200).json()["payment"]["state"], "redirect");
    assert_eq!(service.units("LAMP-S"), (0, 1, 0));
}
