//! Second thoughts: payments that are given up before anybody knows how they stand, failures that a gateway keeps, carts that another
//! checkout has paid for, and payments that only a person can let go. The faulty gateway's own ledger is the witness.

use serde_json::{Value, json};

use crate::faulty::faults::Fault;
use crate::orders_cli::orders;
use crate::stripe::{at_the_page, is_paid_once};
use crate::support::counter::{DECLINED, GOOD, Shopper, confirmation, redirect_url};
use crate::support::edge::Got;
use crate::support::stripe::{StripeShop, session_of};

/// Pays what a checkout shows with a card that was typed into the form.
fn pay_with(shopper: &Shopper, checkout: &Value, number: &str, key: &str) -> Got {
    let token = confirmation(number, key);
    let body = json!({"quote_hash": checkout["quote"]["hash"], "method": "stripe", "confirmation_token": token});
    shopper.caller.clone().with("idempotency-key", key).json("POST", &format!("{}/payment", shopper.checkout), body)
}

fn give_up(shopper: &mut Shopper) -> Value {
    let path = format!("{}/payment", shopper.checkout);
    shopper.caller.json("DELETE", &path, Value::Null).expect(200).json()
}

fn statuses(shop: &StripeShop, kind: &str) -> Vec<String> {
    shop.faulty.objects(kind).iter().map(|one| one["status"].as_str().expect("a status").to_owned()).collect()
}

/// What the attempt's row holds there.
fn written(shop: &StripeShop, column: &str) -> Option<String> {
    let file = rusqlite::Connection::open(shop.counter.folder.path().join("shop.db")).expect("the file");
    file.query_row(&format!("SELECT CAST({column} AS TEXT) FROM attempts"), [], |row| row.get(0)).expect("an attempt")
}

#[test]
fn who_gives_up_a_typed_card_is_not_charged_by_a_call_that_is_sent_afterwards() {
    for arrives in [false, true] {
        let shop = StripeShop::with_element();
        let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        if arrives {
            shop.faulty.script("create", Fault::Late);
        }
        (0..3).for_each(|_| shop.faulty.script("create", Fault::Refuse));
        let told = pay_with(&shopper, &ready, GOOD, "one").expect(200).json();
        assert_eq!(told["payment"]["state"], "checking", "{told}");
        assert_eq!(give_up(&mut shopper)["payment"]["state"], "checking", "the last send may still be on its way");
        // The gateway is well again: nobody who comes later sends the card once more.
        let sent = || shop.faulty.calls().iter().filter(|call| call.line == "POST /v1/payment_intents").count();
        let before = sent();
        if arrives {
            assert_eq!(shop.faulty.act_late(), 1);
            assert_eq!(shop.faulty.held(), 1, "the first call has arrived after all");
        }
        shop.counter.pass(31);
        shop.sweep();
        if !arrives {
            assert_eq!(shopper.look()["payment"]["state"], "checking");
            shop.counter.pass(2 * 60);
            shop.sweep();
        }
        assert_eq!((sent(), shop.faulty.captured(), shop.faulty.held()), (before, vec![], 0));
        let expected = if arrives { ("none", vec!["canceled".to_owned()]) } else { ("declined", vec![]) };
        assert_eq!((shopper.look()["payment"]["state"].as_str().unwrap_or(""), statuses(&shop, "payment_intent")), expected);
    }
}

#[test]
fn a_page_that_was_given_up_before_it_was_open_is_closed() {
    let shop = StripeShop::open();
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    (0..3).for_each(|_| shop.faulty.script("create", Fault::Refuse));
    assert_eq!(shopper.pay(&ready).expect(200).json()["payment"]["state"], "checking");
    assert_eq!(give_up(&mut shopper)["payment"]["state"], "none");
    assert_eq!((statuses(&shop, "checkout.session"), shop.counter.stock("LAMP-S")), (vec!["expired".to_owned()], (100, 0, 0)));
    // I23: its address may carry what a payment is confirmed with.
    assert_eq!(written(&shop, "redirect_url"), None);
}

#[test]
fn a_failure_that_the_gateway_keeps_holds_a_cart_no_longer_than_its_page_would() {
    let shop = StripeShop::open();
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shop.faulty.script("create", Fault::FailKept);
    assert_eq!(shopper.pay(&ready).expect(200).json()["payment"]["state"], "checking");
    shop.counter.pass(36 * 60);
    shop.sweep();
    assert_eq!(shopper.look()["payment"]["state"], "checking", "the last send may still be on its way");
    shop.counter.pass(2 * 60);
    shop.sweep();
    assert_eq!(shopper.look()["payment"]["state"], "declined");
    // And the same cart can be paid.
    let ready = shopper.tell(json!({"shipping": "express"}));
    let paying = shopper.pay(&ready).expect(200).json();
    shop.faulty.give_card(session_of(redirect_url(&paying)), GOOD);
    assert_eq!(shopper.look()["state"], "completed");
    is_paid_once(&shop, 2980);
}

#[test]
fn a_payment_that_the_bank_takes_its_time_with_is_not_called_off_at_the_end_of_its_time() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.pay_slowly(session_of(&url));
    for _ in 0..3 {
        shop.counter.pass(36 * 60);
        shop.sweep();
        shop.counter.round();
    }
    assert_eq!(written(&shop, "cancel_sent_at"), None, "nobody has called it off");
    shop.faulty.end_slow(session_of(&url), true);
    shop.counter.pass(16 * 60);
    shop.sweep();
    is_paid_once(&shop, 2480);
}

#[test]
fn a_checkout_of_a_cart_that_another_one_has_paid_for_leads_to_that_order() {
    let shop = StripeShop::with_element();
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let (one, first) = (shopper.check_out(), shopper.checkout.clone());
    let (other, second) = (shopper.check_out(), shopper.checkout.clone());
    assert_ne!(first, second, "two tabs");
    shopper.checkout.clone_from(&first);
    assert_eq!(pay_with(&shopper, &one, DECLINED, "one").expect(200).json()["payment"]["state"], "declined");
    shopper.checkout = second;
    assert_eq!(pay_with(&shopper, &other, GOOD, "two").expect(200).json()["state"], "completed");
    shopper.checkout = first;
    let told = shopper.look();
    assert_eq!((&told["state"], &told["payment"]["state"]), (&json!("completed"), &json!("paid")), "{told}");
    assert_eq!(told["order"]["number"], "T-100001");
    assert!(!told.to_string().contains("not been charged"), "{told}");
    is_paid_once(&shop, 2480);
}

#[test]
fn units_of_a_payment_that_nobody_knows_any_more_are_let_go_by_the_house() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    // The shop's key is another account's from now on.
    shop.faulty.forget(session_of(&url));
    shop.counter.pass(36 * 60);
    shop.sweep();
    shop.counter.round();
    assert_eq!(shop.counter.stock("LAMP-S"), (100, 1, 0), "held until a person has looked");
    let (code, out, _) = orders(&shop.counter, &["list", "--json"]);
    assert_eq!(code, 0);
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    let id = listed[0]["id"].as_str().expect("an id").to_owned();
    let (code, told, _) = orders(&shop.counter, &["stuck"]);
    assert!(code == 1 && told.contains("orders cancel"), "{told}");
    let (code, _, told) = orders(&shop.counter, &["cancel", &id]);
    assert_eq!(code, 0, "{told}");
    shop.counter.round();
    assert_eq!(shop.counter.stock("LAMP-S"), (100, 0, 0));
    assert_eq!((shop.counter.orders(), orders(&shop.counter, &["stuck"]).0), (vec![("canceled".to_owned(), false)], 0));
}

#[test]
fn two_alarms_about_one_payment_are_two_mails() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.give_card(session_of(&url), GOOD);
    shop.sweep();
    shop.counter.pass(31);
    shop.sweep();
    let till = shop.counter.till();
    let attempt =
        shop.counter.run(till.store.attempt_by_reference("stripe", session_of(&url))).expect("the store").expect("known");
    for reason in ["the first thing", "the second thing", "the second thing"] {
        let now = shop.counter.app.clock.now();
        shop.counter.run(till.store.promise_alarm(&attempt.id, reason, now)).expect("promised");
        shop.counter.pass(1);
    }
    shop.counter.round();
    // One that comes after the others were sent is another mail, too.
    shop.counter.run(till.store.promise_alarm(&attempt.id, "the third thing", shop.counter.app.clock.now())).expect("promised");
    shop.counter.round();
    let mails = shop.counter.mails();
    let told = ["the first thing", "the second thing", "the third thing"]
        .map(|words| mails.iter().filter(|mail| mail.contains(words)).count());
    assert_eq!(told, [1, 1, 1], "{mails:?}");
}
