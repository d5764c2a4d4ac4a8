//! Checkout after a crash: what the dead edge held is held no more.

use serde_json::json;
use vitrine::store::Share;

use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};

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
