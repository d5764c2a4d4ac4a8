//! Stripe's form on the shop's own page: whole purchases with what was typed into it, the faulty gateway's own ledger as the witness.

use serde_json::{Value, json};
use vitrine::config;
use vitrine::gateway::stripe::{Secret, Settings, Stripe, StripeError};
use vitrine::site::problem::Problems;

use crate::faulty::SECRET_KEY;
use crate::faulty::faults::Fault;
use crate::stripe::is_paid_once;
use crate::support::client;
use crate::support::counter::{DECLINED, GOOD, POOR, SECURE, Shopper, confirmation, redirect_url};
use crate::support::edge::{BASE_URL, Caller, Got};
use crate::support::shop::site;
use crate::support::stripe::{StripeShop, session_of};

/// A shopper with one lamp, ready to pay.
fn ready(shop: &StripeShop) -> (Shopper, Value) {
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    (shopper, ready)
}

/// Pays what a checkout shows with a card that was typed into the form.
fn pay_with(shopper: &Shopper, checkout: &Value, number: &str, key: &str) -> Got {
    let body = json!({
        "quote_hash": checkout["quote"]["hash"], "method": "stripe", "confirmation_token": confirmation(number, key),
    });
    shopper.caller.clone().with("idempotency-key", key).json("POST", &format!("{}/payment", shopper.checkout), body)
}

fn statuses(shop: &StripeShop) -> Vec<String> {
    let intents = shop.faulty.objects("payment_intent");
    intents.iter().map(|intent| intent["status"].as_str().expect("a status").to_owned()).collect()
}

#[test]
fn a_card_is_confirmed_by_the_shop_in_one_call_that_was_stored_before() {
    let shop = StripeShop::with_element();
    let (shopper, ready) = ready(&shop);
    let element = json!({
        "script": "https://js.stripe.com/endive/stripe.js", "key": "pk_test_faulty", "amount": 2480, "currency": "eur",
        "capture_method": "manual", "methods": ["card"],
    });
    assert_eq!(ready["payment"]["element"], element);
    let paid = pay_with(&shopper, &ready, GOOD, "one").expect(200).json();
    assert_eq!((paid["state"].as_str(), paid["payment"]["element"].is_null()), (Some("completed"), true), "{paid}");
    is_paid_once(&shop, 2480);

    let calls = shop.faulty.calls();
    let posts: Vec<_> = calls.iter().filter(|call| call.line.starts_with("POST ")).collect();
    assert_eq!(posts.len(), 2, "confirmed, then captured: {posts:?}");
    assert_eq!(posts[0].line, "POST /v1/payment_intents");
    assert!(posts[0].key.starts_with("tiny:") && posts[0].key.ends_with(":create:1"), "{}", posts[0].key);
    let stored = rusqlite::Connection::open(shop.counter.folder.path().join("shop.db")).expect("the file");
    let body: Vec<u8> = stored.query_row("SELECT body FROM attempts", [], |row| row.get(0)).expect("an attempt");
    assert_eq!(String::from_utf8(body).expect("text"), posts[0].body, "what was sent is what was stored");
    let return_url = format!("return_url={BASE_URL}/checkout/{}/return?token=", ready["id"].as_str().expect("an id"));
    let sent = percent_encoding::percent_decode_str(&posts[0].body).decode_utf8().expect("UTF-8");
    assert!(sent.contains(&return_url), "{sent}");
}

#[test]
fn a_second_step_is_a_page_that_is_led_to_and_back_from() {
    let shop = StripeShop::with_element();
    let (mut shopper, ready) = ready(&shop);
    let paying = pay_with(&shopper, &ready, SECURE, "one").expect(200).json();
    let url = redirect_url(&paying).to_owned();
    assert_eq!(statuses(&shop), ["requires_action"]);
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    assert!(back.contains("payment_intent_client_secret="), "as Stripe does it: {back}");
    let led = shopper.come_back(&back).expect(303);
    shopper.caller.page(led.header("location")).expect(200);
    is_paid_once(&shop, 2480);
    // The secret that came along is kept nowhere.
    assert!(shop.deliver().len() > 1, "events carry it, too");
    let file = std::fs::read(shop.counter.folder.path().join("shop.db")).expect("the file");
    let log = std::fs::read(shop.counter.folder.path().join("shop.db-wal")).unwrap_or_default();
    for bytes in [file, log] {
        assert!(!bytes.windows(14).any(|part| part == b"_secret_faulty"), "a client secret lies in the database");
    }
}

#[test]
fn a_refused_card_is_called_off_before_the_next_one_is_tried() {
    let shop = StripeShop::with_element();
    let (mut shopper, ready) = ready(&shop);
    let refused = pay_with(&shopper, &ready, POOR, "one").expect(200).json();
    assert_eq!(refused["payment"]["state"], "declined", "{refused}");
    assert!(refused["payment"]["detail"].as_str().is_some_and(|text| text.contains("not been charged")), "{refused}");
    assert_eq!(statuses(&shop), ["canceled"], "nobody can pay by it any more");
    assert_eq!(shop.counter.stock("LAMP-S"), (100, 1, 0), "the lamp is kept for the next card");

    let paying = pay_with(&shopper, &refused, SECURE, "two").expect(200).json();
    shop.faulty.give_card(session_of(redirect_url(&paying)), DECLINED);
    let refused = shopper.look();
    assert_eq!((refused["payment"]["state"].as_str(), statuses(&shop)), (Some("declined"), vec!["canceled".to_owned(); 2]));

    pay_with(&shopper, &refused, GOOD, "three").expect(200);
    is_paid_once(&shop, 2480);
    let keys: std::collections::BTreeSet<String> = shop.faulty.calls().into_iter().map(|call| call.key).collect();
    assert!(["create:1", "create:2", "create:3"].iter().all(|end| keys.iter().any(|key| key.ends_with(end))), "{keys:?}");
}

#[test]
fn a_refusal_whose_calling_off_is_lost_is_said_once_it_is_certain() {
    for fault in [Fault::Refuse, Fault::ActThenCut, Fault::FailActed, Fault::Late] {
        let shop = StripeShop::with_element();
        let (mut shopper, ready) = ready(&shop);
        shop.faulty.script("cancel", fault);
        let told = pay_with(&shopper, &ready, DECLINED, "one").expect(200).json();
        assert_eq!(told["payment"]["state"], "checking", "{fault:?}: nothing is said of money yet: {told}");
        shop.faulty.act_late();
        shop.counter.pass(31);
        shop.sweep();
        let told = shopper.look();
        assert_ne!(told["payment"]["state"], "checking", "{fault:?}: {told}");
        assert_eq!((statuses(&shop), shop.faulty.captured()), (vec!["canceled".to_owned()], vec![]), "{fault:?}");
    }
}

#[test]
fn money_does_not_move_once_the_agreed_time_is_over() {
    let shop = StripeShop::with_element();
    let (mut shopper, ready) = ready(&shop);
    // Nothing of it arrives, and the shop is ended before it can send it again.
    (0..3).for_each(|_| shop.faulty.script("create", Fault::Refuse));
    pay_with(&shopper, &ready, GOOD, "one").expect(200);
    shop.counter.pass(36 * 60);
    shop.sweep();
    assert_eq!((statuses(&shop), shop.faulty.captured()), (vec![], vec![]), "it is looked for, and not sent");
    assert_eq!(shopper.look()["payment"]["state"], "checking", "the last send may still be on its way");
    shop.counter.pass(2 * 60);
    shop.sweep();
    assert_eq!((statuses(&shop), shop.faulty.captured()), (vec![], vec![]));
    assert_eq!(shopper.look()["payment"]["state"], "declined");
}

#[test]
fn what_changed_since_the_form_was_shown_is_told_before_money_moves() {
    let shop = StripeShop::with_element();
    let (mut shopper, ready) = ready(&shop);
    shopper.caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
    assert_eq!(pay_with(&shopper, &ready, GOOD, "one").expect(409).json()["code"], "cart_changed");
    let dearer = shopper.look();
    shop.counter.pass(16 * 60);
    shop.counter.reprice(2990);
    assert_eq!(pay_with(&shopper, &dearer, GOOD, "two").expect(409).json()["code"], "quote_changed");
    assert_eq!(shop.faulty.calls(), []);
}

#[test]
fn a_shopper_without_script_pays_on_stripes_own_page() {
    let shop = StripeShop::with_element();
    let mut caller = Caller::new(&shop.counter.app).with("sec-fetch-site", "same-origin");
    caller.form("/cart/lines", "sku=LAMP-S&quantity=1&market=eu").expect(303);
    let cart = caller.page("/cart").expect(200);
    let path = caller.form("/checkout", "").expect(303).header("location").to_owned();
    let before = caller.page(&path).expect(200);
    let fields = "email=ada%40example.com&name=Ada&line1=Lindenweg+4&city=Berlin&postal_code=10115&country=DE&shipping=express";
    caller.form(&path, fields).expect(303);
    let page = caller.page(&path).expect(200);
    assert!(page.body.contains("https://js.stripe.com/endive/stripe.js") && page.body.contains("/a/pay.js"), "{}", page.body);
    assert!(page.body.contains("needs script"), "it says so: {}", page.body);
    let policy = page.header("content-security-policy");
    for part in [
        "script-src 'self' https://js.stripe.com https://*.js.stripe.com;",
        "connect-src 'self' https://api.stripe.com;",
        "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com;",
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    for other in [cart, before] {
        assert!(!other.body.contains("stripe.com") && !other.header("content-security-policy").contains("stripe.com"));
    }
    let field = |name: &str| {
        let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
        rest.split_once('"').expect("a value").0.to_owned()
    };
    let form = |token: &str| format!("quote_hash={}&method=stripe&key={}{token}", field("quote_hash"), field("key"));
    let told = caller.form(&format!("{path}/payment"), &form("&confirmation_token=ctoken_%3Cb%3E")).expect(400);
    assert!(told.body.contains("confirmation_token"), "{}", told.body);
    let paying = caller.form(&format!("{path}/payment"), &form("&confirmation_token=")).expect(303);
    let gateway = paying.header("location").strip_prefix(&shop.faulty.base).expect("to the gateway's page").to_owned();
    let port: u16 = shop.faulty.base.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let paid = client::form(port, &gateway, &[], &[("number", GOOD)]).expect(303);
    let back = paid.header("location").and_then(|url| url.strip_prefix(BASE_URL)).expect("back to the shop").to_owned();
    caller.page(&back).expect(303);
    is_paid_once(&shop, 2980);
}

#[test]
fn a_shop_without_the_form_takes_no_confirmation() {
    let shop = StripeShop::open();
    let (shopper, ready) = ready(&shop);
    assert!(ready["payment"]["element"].is_null(), "{ready}");
    let refused = pay_with(&shopper, &ready, GOOD, "one").expect(422).json();
    assert_eq!((refused["code"].as_str(), shop.faulty.calls()), (Some("unknown_method"), vec![]));
}

#[test]
fn what_stripes_form_cannot_do_is_told_where_it_is_written() {
    let site = site("EUR") + "[payment]\ngateway = \"sandbox\"\n";
    let told = |written: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(site.contains("gateway = \"sandbox\""));
        std::fs::write(folder.path().join("site.toml"), site.replace("gateway = \"sandbox\"", written)).expect("written");
        let mut problems = Problems::new();
        let element = config::read(folder.path(), &mut problems).map(|config| config.payment.element);
        (element, problems.render(false))
    };
    let (element, said) = told("gateway = \"stripe\"\nstripe.page = \"element\"\nmethods = [\"card\", \"link\"]");
    assert_eq!((element, said.as_str()), (Some(true), ""));
    let (element, said) = told("gateway = \"stripe\"\nstripe.page = \"hosted\"\nmethods = [\"card\", \"ideal\"]");
    assert_eq!((element, said.as_str()), (Some(false), ""));
    for (written, expected) in [
        ("gateway = \"sandbox\"\nstripe.page = \"element\"", "belongs to `gateway = \"stripe\"`"),
        (
            "gateway = \"stripe\"\nstripe.page = \"element\"\nmethods = [\"card\", \"ideal\"]",
            "`ideal` takes money at once, and `card` holds",
        ),
        ("gateway = \"stripe\"\nstripe.page = \"element\"\nmethods = [\"blik\"]", "`blik` cannot be paid by Stripe's form"),
        ("gateway = \"stripe\"\nstripe.page = \"drawer\"", "drawer"),
    ] {
        let (_, said) = told(written);
        assert!(said.contains(expected), "{written}: {said}");
    }
}

#[test]
fn both_keys_are_of_one_mode() {
    let with = |secret: &str, publishable: &str| {
        let settings = Settings {
            secret_key: Secret::new(secret.to_owned()),
            webhook_secrets: Vec::new(),
            api_base: "https://api.stripe.com".to_owned(),
            methods: vec!["card".to_owned()],
            account: None,
            publishable_key: Some(publishable.to_owned()),
        };
        Stripe::new(&settings).map(drop)
    };
    assert_eq!(with(SECRET_KEY, "pk_test_1"), Ok(()));
    assert_eq!(with("rk_live_1", "pk_live_1"), Ok(()));
    assert_eq!(with(SECRET_KEY, "pk_live_1"), Err(StripeError::OtherMode));
    assert_eq!(with("sk_live_1", "pk_test_1"), Err(StripeError::OtherMode));
    assert_eq!(with(SECRET_KEY, SECRET_KEY), Err(StripeError::NotAPublishableKey));
}
