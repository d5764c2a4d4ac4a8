//! Restore, where the gateway's list is longer than is read at once: the newest come first, and what a backup lacks is at its end.

use serde_json::json;
use vitrine::commerce::ids::Timestamp;
use vitrine::commerce::money::{Currency, Money};
use vitrine::edge::perform::reconcile;
use vitrine::gateway::CreatePayment;
use vitrine::store::upkeep;

use crate::faulty::faults::Fault;
use crate::restore::{Drill, opens, state};
use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};

/// So many newer payments of another program on the same account, a second each: the list begins with them.
fn fills(drill: &Drill, count: usize) {
    for _ in 0..count {
        drill.counter.pass(1);
        let made_at = drill.counter.app.clock.now().0;
        let session = json!({
            "id": format!("cs_other_{made_at}"), "object": "checkout.session", "created": made_at, "status": "expired", "livemode": false,
            "amount_total": 1, "currency": "eur", "metadata": {}, "payment_intent": null, "payment_status": "unpaid",
        });
        drill.faulty.put(&session);
    }
}

/// Places that pages of the list of payments went on after, as they were asked for.
fn places(drill: &Drill) -> Vec<String> {
    let calls = drill.faulty.calls();
    let lists = calls.iter().filter(|call| call.line.starts_with("GET ") && call.query.contains("expand%5B0%5D=data."));
    let after = |query: &str| query.split('&').find_map(|pair| pair.strip_prefix("starting_after=")).unwrap_or("").to_owned();
    lists.map(|call| format!("{}{}", call.line, after(&call.query))).collect()
}

fn settles(drill: &Drill) {
    drill.counter.run(reconcile::settle_doubt(&drill.counter.app, &drill.counter.till())).expect("a store");
}

#[test]
fn the_payments_nearest_the_backup_are_made_good_however_long_the_list_is() {
    let drill = Drill::open();
    let mut buyer = Shopper::with(&drill.counter, "LAMP-S", 1);
    let ready = buyer.check_out();
    drill.back_up();
    drill.counter.pass(10);
    let nearest = drill.pays(&mut buyer, &ready);
    drill.buys(&mut buyer, &nearest);
    let lost = drill.bought();
    drop(buyer);
    fills(&drill, 120);
    drill.counter.pass(3600);
    let before = places(&drill).len();

    // A page at once, of the three and one that there are.
    let drill = drill.with(|counter| counter.comparing(1)).restore();
    for _ in 0..2 {
        assert_eq!(drill.ready()["payments"], "in_doubt");
        let mut shopper = Shopper::with(&drill.counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        assert_eq!(shopper.pay(&ready).code(503), "checkout_closed");
        assert_eq!((drill.standing(&nearest).2, drill.standing(&lost).2, drill.orders().len()), (0, 0, 0));
        settles(&drill);
    }
    // A failure and a restart lose nothing of what was read.
    drill.faulty.script("payments", Fault::Unavailable);
    settles(&drill);
    drill.counter.pass(20);
    let drill = drill.with(Counter::restarted);
    for _ in 0..2 {
        settles(&drill);
    }
    let mut asked = places(&drill).split_off(before);
    // The daily comparison, which begins once the doubt is over, is no part of it.
    asked.truncate(5);
    let is_again = asked.iter().enumerate().filter(|(at, place)| asked[..*at].contains(place)).count();
    assert_eq!((is_again, asked[0].as_str()), (1, "GET /v1/checkout/sessions"), "the one that failed: {asked:?}");
    drill.rounds(2);
    assert_eq!(drill.ready()["payments"], "open");
    assert_eq!(drill.standing(&nearest), ("succeeded".to_owned(), 2480, 0));
    assert_eq!(drill.standing(&lost), ("succeeded".to_owned(), 2480, 2480));
    assert_eq!((drill.kept(), drill.orders().len()), (2480, 1));
    assert!(drill.orders()[0].0.as_str() > "T-101000", "{:?}", drill.orders());
}

#[test]
fn a_copy_of_a_shop_in_doubt_goes_on_with_nothing_that_its_origin_read() {
    let drill = Drill::open();
    drill.back_up();
    drill.counter.pass(10);
    let first = drill.bought();
    fills(&drill, 60);
    drill.counter.pass(600);
    let drill = drill.with(|counter| counter.comparing(1)).restore();
    assert_eq!(drill.ready()["payments"], "in_doubt");
    // What it read so far is in the copy; what is paid once the doubt is over is not, and is newer than where it went on.
    drill.back_up();
    for _ in 0..3 {
        settles(&drill);
    }
    assert_eq!((drill.ready()["payments"].clone(), drill.standing(&first).2), (json!("open"), 2480));
    let second = drill.bought();
    drill.counter.pass(10);
    let drill = drill.restore();
    for _ in 0..3 {
        settles(&drill);
    }
    drill.rounds(1);
    assert_eq!((drill.standing(&second).2, state(&drill.orphans(), &second).as_str()), (2480, "returned"));
}

#[test]
fn the_daily_comparison_is_made_once_its_list_was_read_to_the_end() {
    let drill = Drill::open();
    let shop = drill.counter.app.live.load().bundle.shop_id.clone();
    drill.counter.pass(1);
    let orphan = opens(&drill, &shop, "c1", "1");
    drill.faulty.give_card(&orphan, GOOD);
    fills(&drill, 120);
    drill.counter.pass(24 * 3600);
    let (app, till) = (drill.counter.app.clone(), drill.counter.till());
    till.compare_at_once(1);
    let last =
        || drill.counter.run(till.store.last_reconciliation("stripe")).expect("a look").map(|last| (last.compared, last.orphans));
    for _ in 0..3 {
        let before = last();
        drill.counter.run(reconcile::when_due(&app, &till)).expect("a store");
        assert_eq!(last(), before, "it is not whole");
        drill.counter.pass(60);
    }
    drill.counter.run(reconcile::when_due(&app, &till)).expect("a store");
    assert_eq!((last(), drill.standing(&orphan).0.as_str()), (Some((1, 1)), "canceled"));
    let asked = places(&drill).len();
    drill.counter.run(reconcile::when_due(&app, &till)).expect("a store");
    assert_eq!(places(&drill).len(), asked, "and not again before the next day");
}

#[test]
fn a_gateway_that_finds_by_key_has_its_list_read_to_the_end_as_well() {
    let counter = Counter::open();
    counter.round();
    let mut buyer = Shopper::with(&counter, "LAMP-S", 1);
    let ready = buyer.check_out();
    let backup = counter.folder.path().join("backup.db");
    let copied = upkeep::back_up(&counter.folder.path().join("shop.db"), &backup, true, counter.app.clock.now());
    copied.expect("a backup");
    counter.pass(10);
    let url = redirect_url(&buyer.pay(&ready).expect(200).json()).to_owned();
    let back = counter.give_card(&url, GOOD);
    buyer.come_back(&back).expect(303);
    drop(buyer);
    assert_eq!(counter.captured(), [2480]);
    let euro = Currency::from_code("EUR").expect("a currency");
    let gateway = vitrine::gateway::Gateway::Sandbox(counter.sandbox.clone());
    for number in 0..120 {
        let create = CreatePayment {
            amount: Money::new(100, euro),
            return_url: "http://127.0.0.1/return".to_owned(),
            leave_url: "http://127.0.0.1/".to_owned(),
            description: "Another".to_owned(),
            email: String::new(),
            confirmation: None,
            key: format!("another:{number}"),
            expires_at: Timestamp(counter.app.clock.now().0 + 3600),
            metadata: [("shop".to_owned(), "another".to_owned())].into(),
        };
        let made = counter.run(gateway.create(&create.key, &gateway.body(&create)));
        assert!(matches!(made, vitrine::gateway::Outcome::Done(_)), "{made:?}");
    }
    drop(gateway);
    counter.pass(600);
    let counter = counter.comparing(1).restored(&backup);
    for _ in 0..2 {
        assert!(counter.till().is_in_doubt() && counter.orders().is_empty());
        counter.run(reconcile::settle_doubt(&counter.app, &counter.till())).expect("a store");
    }
    counter.round();
    assert_eq!((counter.till().is_in_doubt(), counter.orders()), (false, vec![("placed".to_owned(), true)]));
    assert_eq!(counter.captured(), [2480]);
}
