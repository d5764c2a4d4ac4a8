//! Checkout after a crash: what the dead edge held is held no more.

use serde_json::{Value, json};
use vitrine::edge::perform::rounds;
use vitrine::store::Share;

use crate::limits::Buyer;
use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};
use crate::support::edge::Caller;
use crate::support::rig::{Health, Rig};

#[test]
fn what_a_dead_edge_had_claimed_is_done_at_the_start_of_the_next() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    shopper.come_back(&back).expect(303);
    let now = counter.app.clock.now();
    let claimed = counter.run(counter.till().store.claim_outbox("the dead", Share::Mails, 16, now, now.plus_seconds(120)));
    assert_eq!(claimed.expect("a claim").len(), 1, "the confirmation");
    let counter = counter.restarted();
    assert_eq!(counter.mails().len(), 1, "nobody waits for the claim to run out");
}

#[test]
fn a_request_that_died_with_its_edge_may_be_sent_again_at_once() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let key = "begun";
    let body = json!({"quote_hash": ready["quote"]["hash"], "method": "sandbox"});
    let hash = vitrine::edge::idempotency::hash_of(body.to_string().as_bytes());
    let scope = format!("{} payment", ready["id"].as_str().expect("an id"));
    let now = counter.app.clock.now();
    counter.run(counter.till().store.begin_key(&scope, key, &hash, now)).expect("it begins");
    assert_eq!(shopper.pay_under(&ready, key).code(409), "in_flight");
    let counter = counter.restarted();
    shopper.caller.app = counter.app.clone();
    assert_eq!(shopper.pay_under(&ready, key).expect(200).json()["payment"]["state"], "redirect");
}

/// L4: at the start, payments that wait are asked about some at a time and beside the shoppers, however many they are.
#[test]
fn a_start_waits_for_no_gateway_however_many_are_at_its_page() {
    const OPEN: usize = 90;
    let rig = Rig::open();
    for _ in 0..OPEN {
        let paying = Buyer::at(&rig).pay().expect(200).json();
        Buyer::gives_card(&rig, &paying);
    }
    rig.gateway_is(Health::Slow);
    let before = rig.called("fetch");
    rig.run(rounds::recover(&rig.app, &rig.till())).expect("it is ready, though nobody answers");
    let asked = rig.called("fetch") - before;
    assert!((1..OPEN).contains(&asked), "{asked} were asked about at once");
    Caller::new(&rig.app).json("GET", "/api/v1/cart", Value::Null).expect(200);
    assert_eq!((rig.captured(), rig.orders().len()), (0, OPEN));
    rig.heals();
    assert_eq!((rig.captured(), rig.mails.lock().expect("unharmed").len()), (OPEN, OPEN));
}
