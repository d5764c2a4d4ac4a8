//! Webhooks: what Stripe says by itself, proven, kept, and taken as a hint.

use serde_json::{Value, json};
use vitrine::edge::perform::inbox;

use crate::faulty::WEBHOOK_SECRET;
use crate::faulty::faults::Fault;
use crate::faulty::hooks::{HookFault, signature};
use crate::openapi;
use crate::stripe::{at_the_page, is_paid_once};
use crate::support::client;
use crate::support::counter::{DECLINED, GOOD, POOR};
use crate::support::edge::Caller;
use crate::support::stripe::{StripeShop, session_of};

#[test]
fn a_shopper_who_never_comes_back_has_an_order_by_the_webhook() {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.give_card(session_of(&url), GOOD);
    let answered = shop.deliver();
    assert_eq!(answered, [204, 204], "kept before anything is done");
    assert_eq!(shop.faulty.captured(), [0; 0]);
    assert_eq!(shop.work_inbox(), 2);
    assert_eq!(shop.work_inbox(), 0, "nothing is looked at twice");
    assert_eq!(shop.inbox().iter().filter(|(_, result)| result.as_deref() == Some("applied")).count(), 2);
    is_paid_once(&shop, 2480);
    assert_eq!(shopper.look()["state"], "completed");
}

#[test]
fn events_that_were_missed_are_asked_for() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.hooks_go(HookFault::Lost);
    shop.faulty.give_card(session_of(&url), GOOD);
    assert_eq!(shop.deliver(), [0; 0]);
    shop.catch_up();
    let count = shop.inbox().len();
    assert_eq!((count, shop.faulty.captured()), (2, vec![2480]));
    // What came by webhook is not kept a second time.
    shop.faulty.hooks_go(HookFault::Fine);
    shop.catch_up();
    let events = shop.faulty.objects("event").len();
    assert_eq!(shop.inbox().len(), events);
    shop.deliver();
    assert_eq!(shop.inbox().len(), events);
    is_paid_once(&shop, 2480);
}

#[test]
fn a_catch_up_goes_on_over_pages() {
    let shop = StripeShop::open();
    let pages: Vec<String> = (0..60).map(|_| at_the_page(&shop, "LAMP-S").1).collect();
    for url in &pages {
        shop.faulty.give_card(session_of(url), DECLINED);
        shop.faulty.give_card(session_of(url), POOR);
    }
    assert_eq!(shop.counter.run(inbox::catch_up(&shop.counter.app, &shop.counter.till())).expect("kept"), 120);
    assert_eq!(shop.inbox().len(), 120);
}

#[test]
fn a_catch_up_that_is_interrupted_leaves_no_gap_behind_what_comes_by_webhook() {
    let shop = StripeShop::open();
    let pages: Vec<String> = (0..60).map(|_| at_the_page(&shop, "LAMP-S").1).collect();
    shop.faulty.hooks_go(HookFault::Lost);
    for url in &pages {
        shop.faulty.give_card(session_of(url), DECLINED);
        shop.faulty.give_card(session_of(url), POOR);
    }
    shop.deliver();
    let catch_up = || shop.counter.run(inbox::catch_up(&shop.counter.app, &shop.counter.till())).expect("kept");
    // The first of two pages is told, the second is not.
    shop.faulty.script("events", Fault::Stale);
    shop.faulty.script("events", Fault::Unavailable);
    assert_eq!((catch_up(), shop.inbox().len()), (100, 100));
    // What happens hours later, as pages close, comes by its webhook, and is newer than all that was missed.
    shop.counter.pass(3 * 3600);
    shop.faulty.hooks_go(HookFault::Fine);
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.give_card(session_of(&url), DECLINED);
    assert!(shop.deliver().iter().all(|status| *status == 204));
    let events = shop.faulty.objects("event").len();
    assert_eq!((catch_up(), shop.inbox().len()), (20, events), "it is read on, to the end");
    assert_eq!(catch_up(), 0, "and the next one finds nothing new");
}

#[test]
fn webhooks_that_prove_nothing_change_nothing() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.give_card(session_of(&url), GOOD);
    for fault in [HookFault::Old, HookFault::Future, HookFault::OtherSecret, HookFault::Tampered] {
        shop.faulty.hooks_go(fault);
        assert_eq!(shop.deliver(), [400, 400], "{fault:?}");
    }
    assert_eq!((shop.inbox().len(), shop.faulty.captured().len()), (0, 0));
    // Signed well, but not of this account and mode: kept, and that is all.
    for (fault, so_far) in [(HookFault::OtherMode, 2), (HookFault::OtherAccount, 4)] {
        let shop = StripeShop::open();
        let (_, url) = at_the_page(&shop, "LAMP-S");
        shop.faulty.give_card(session_of(&url), GOOD);
        shop.faulty.hooks_go(fault);
        assert_eq!(shop.deliver(), [204, 204], "{so_far}");
        assert_eq!(shop.work_inbox(), 0);
        assert!(shop.inbox().iter().all(|(_, result)| result.as_deref() == Some("foreign")), "{:?}", shop.inbox());
        assert_eq!(shop.faulty.captured().len(), 0);
    }
    // Refused events wait at the gateway, and come again once all is well.
    shop.faulty.hooks_go(HookFault::Fine);
    assert_eq!(shop.deliver(), [204, 204]);
    shop.work_inbox();
    is_paid_once(&shop, 2480);
}

/// A webhook of our own making.
fn hook(shop: &StripeShop, body: &str) -> client::Answer {
    let signed = signature(body, WEBHOOK_SECRET, shop.counter.app.clock.now().0);
    client::request(shop.port, "POST", "/api/v1/webhooks/stripe", &[("stripe-signature", &signed)], body)
}

fn event(id: &str, kind: &str, metadata: &Value) -> String {
    let object = json!({"id": "pi_1", "object": "payment_intent", "metadata": metadata});
    json!({"id": id, "object": "event", "type": kind, "created": 1_790_000_000, "livemode": false, "data": {"object": object}})
        .to_string()
}

#[test]
fn what_an_event_names_decides_what_becomes_of_it() {
    let shop = StripeShop::open();
    for (id, kind, metadata, expected) in [
        ("evt_1", "payment_intent.succeeded", json!({"shop": "other", "checkout": "c", "attempt": "1"}), "foreign"),
        ("evt_2", "payment_intent.succeeded", json!({"shop": "tiny", "checkout": "c", "attempt": "1"}), "orphan"),
        ("evt_3", "payment_intent.succeeded", json!({}), "ignored"),
        ("evt_4", "customer.created", json!({"shop": "tiny", "checkout": "c", "attempt": "1"}), "ignored"),
        ("evt_5", "payment_intent.succeeded", json!({"shop": "tiny", "checkout": "c", "attempt": "first"}), "ignored"),
    ] {
        hook(&shop, &event(id, kind, &metadata)).expect(204);
        shop.work_inbox();
        assert_eq!(shop.inbox().last().and_then(|(_, result)| result.clone()).as_deref(), Some(expected), "{id}");
    }
    // The same bytes but for white space and a key that comes twice: what was signed is what counts.
    let odd = " {\"id\": \"evt_6\",\n\"id\":\"evt_7\", \"object\":\"event\",\"type\":\"x\",\"created\":1,\"livemode\":false } ";
    hook(&shop, odd).expect(204);
    for nothing in ["{}", "[]", "", "null", "{\"object\":\"event\"}"] {
        assert_eq!(hook(&shop, nothing).expect(400).json()["code"], "bad_signature", "{nothing}");
    }
    assert_eq!(shop.inbox().len(), 6);
}

#[test]
fn a_webhook_is_of_256_kib_at_most_and_of_this_shops_gateway() {
    let shop = StripeShop::open();
    let padded = |bytes: usize| {
        let empty = event("evt_1", "x", &json!({"pad": ""}));
        event("evt_1", "x", &json!({"pad": "p".repeat(bytes - empty.len())}))
    };
    hook(&shop, &padded(256 * 1024)).expect(204);
    hook(&shop, &padded(256 * 1024 + 1)).expect(413);
    let mut caller = Caller::new(&shop.counter.app);
    for (path, status) in [("stripe", 400), ("sandbox", 404), ("mollie", 404)] {
        let got = caller.send("POST", &format!("/api/v1/webhooks/{path}"), None, b"{}".to_vec(), "application/json");
        openapi::check("POST", "/api/v1/webhooks/{gateway}", &got);
        assert_eq!(got.status, status, "{path}");
    }
    assert_eq!(shop.inbox().len(), 1);
}

/// Every order of a list.
fn orders_of(events: &[Value]) -> Vec<Vec<Value>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..events.len() {
        let mut rest = events.to_vec();
        let first = rest.remove(at);
        all.extend(orders_of(&rest).into_iter().map(|mut tail| {
            tail.insert(0, first.clone());
            tail
        }));
    }
    all
}

#[test]
fn events_in_any_order_and_twice_end_in_the_same_order() {
    // One purchase gives what a shop hears of it: a refused card, then a good one, and the capture.
    let first = StripeShop::open();
    let (_, url) = at_the_page(&first, "LAMP-S");
    first.faulty.give_card(session_of(&url), DECLINED);
    first.faulty.give_card(session_of(&url), GOOD);
    let intent = first.faulty.objects("payment_intent")[0].clone();
    first.counter.pass(31);
    first.sweep();
    let events = first.faulty.objects("event");
    assert_eq!(events.iter().filter_map(|event| event["type"].as_str()).count(), 4, "{events:?}");
    // Every order of five events, the first of them twice, each the news of a purchase of its own that is told it one by one.
    let doubled: Vec<Value> = events.iter().cloned().chain([events[0].clone()]).collect();
    for orders in orders_of(&doubled).chunks(60) {
        let shop = StripeShop::open();
        for (round, order) in orders.iter().enumerate() {
            let (_, own_url) = at_the_page(&shop, "LAMP-S");
            shop.faulty.give_card(session_of(&own_url), GOOD);
            let own = shop.faulty.objects("payment_intent").last().expect("its own").clone();
            let of = |value: &Value| value.as_str().expect("a name").to_owned();
            for event in order {
                let mut told: Value = event.clone();
                told["data"]["object"]["metadata"] = own["metadata"].clone();
                let told =
                    told.to_string().replace(session_of(&url), session_of(&own_url)).replace(&of(&intent["id"]), &of(&own["id"]));
                let name = of(&event["id"]);
                hook(&shop, &told.replace(&name, &format!("{name}_{round}"))).expect(204);
                while shop.work_inbox() > 0 {}
            }
            let paid = shop.counter.orders().iter().filter(|(state, is_paid)| state == "placed" && *is_paid).count();
            assert_eq!((paid, shop.faulty.captured()), (round + 1, vec![2480; round + 1]), "{order:?}");
        }
        assert_eq!((shop.inbox().len(), shop.counter.orders().len()), (60 * 4, 60));
        while shop.counter.mails().len() < 60 {
            let before = shop.counter.mails().len();
            shop.counter.round();
            assert!(shop.counter.mails().len() > before, "{before} mails, and no more");
        }
        shop.counter.round();
        assert_eq!(shop.counter.mails().len(), 60);
    }
}

#[test]
fn webhooks_that_come_doubled_and_backwards_place_one_order() {
    for fault in [HookFault::Doubled, HookFault::Backwards] {
        let shop = StripeShop::open();
        let (_, url) = at_the_page(&shop, "LAMP-S");
        shop.faulty.give_card(session_of(&url), DECLINED);
        shop.faulty.give_card(session_of(&url), GOOD);
        shop.faulty.hooks_go(fault);
        assert!(shop.deliver().iter().all(|status| *status == 204));
        while shop.work_inbox() > 0 {}
        is_paid_once(&shop, 2480);
    }
}

#[test]
fn a_webhook_that_is_there_before_the_answer_is_no_second_order() {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    shop.faulty.script("capture", Fault::HookFirst);
    shopper.come_back(&back).expect(303);
    shop.work_inbox();
    is_paid_once(&shop, 2480);
}

#[test]
fn an_event_that_comes_while_another_works_is_looked_at_again() {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let id = shopper.checkout.rsplit('/').next().expect("an id").into();
    let now = shop.counter.app.clock.now();
    let lease = shop.counter.run(shop.counter.till().store.take_lease(&id, "another", now, now.plus_seconds(30)));
    let lease = lease.expect("a step").and_then(|taken| taken.lease).expect("it is free");
    shop.faulty.give_card(session_of(&url), GOOD);
    shop.deliver();
    assert_eq!(shop.work_inbox(), 2);
    assert!(shop.inbox().iter().all(|(_, result)| result.is_none()), "{:?}", shop.inbox());
    shop.counter.run(shop.counter.till().store.release_lease(&lease)).expect("given back");
    shop.counter.pass(2);
    assert_eq!(shop.work_inbox(), 2);
    assert_eq!(shopper.look()["state"], "completed");
    is_paid_once(&shop, 2480);
}

#[test]
fn a_crash_between_the_webhook_and_the_work_loses_nothing() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.give_card(session_of(&url), GOOD);
    assert_eq!(shop.deliver(), [204, 204]);
    let StripeShop { counter, faulty, .. } = shop;
    let counter = counter.restarted();
    assert_eq!((faulty.captured(), counter.orders()), (vec![2480], vec![("placed".to_owned(), true)]));
}
