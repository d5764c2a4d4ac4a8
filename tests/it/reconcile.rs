//! Reconcile: what comes of holding the gateway's payments against ours, where it is interrupted, partial or in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use vitrine::edge::perform::mail::{Mailer, Script};
use vitrine::edge::perform::{orphans, reconcile, rounds, subscribers};
use vitrine::gateway::scripted::{Call, Listing, Refunds, Said, Scripted};
use vitrine::gateway::{Gateway, Outcome};

use crate::faulty::faults::Fault;
use crate::orders_cli::orders;
use crate::restore::{Drill, opens_for, state};
use crate::subscribers::{hooks, terms};
use crate::support::counter::{Counter, GOOD, Shopper};
use crate::support::edge::Caller;
use crate::support::receiver::{Receiver, Reply};
use crate::support::rig;
use crate::support::stripe::stripe;

/// Longer than anything here takes, and shorter than whoever waits for a hanging server would wait.
const NEVER: Duration = Duration::from_secs(60);

/// The drill's gateway with a hand in between: what it gives is answered instead.
fn handled(
    drill: &Drill,
    call: impl Fn(&Call) -> Option<Said> + Send + Sync + 'static,
    list: impl Fn(Option<&str>) -> Option<Listing> + Send + Sync + 'static,
) -> Gateway {
    let (calls, lists) = (stripe(&drill.faulty.base), stripe(&drill.faulty.base));
    let script = move |asked: Call| -> Said {
        let gateway = calls.clone();
        call(&asked).unwrap_or_else(|| Box::pin(async move { rig::answer(&gateway, asked).await }))
    };
    let list = move |since, after: Option<String>| -> Listing {
        let gateway = lists.clone();
        list(after.as_deref()).unwrap_or_else(|| Box::pin(async move { gateway.payments(since, after.as_deref()).await }))
    };
    let refunded = stripe(&drill.faulty.base);
    let refunds = move |reference: String| -> Refunds {
        let gateway = refunded.clone();
        Box::pin(async move { gateway.refunds(&reference).await })
    };
    let capabilities = stripe(&drill.faulty.base).capabilities();
    Gateway::Scripted(Scripted::new(capabilities, script, list, refunds))
}

fn paid_by(drill: Drill, gateway: Gateway) -> Drill {
    drill.with(|counter| counter.restarted_paid_by(gateway))
}

/// The shop's file, by another program.
fn file(drill: &Drill) -> Connection {
    Connection::open(drill.counter.folder.path().join("shop.db")).expect("the file")
}

fn differences(drill: &Drill) -> u32 {
    file(drill).query_row("SELECT count(*) FROM differences", [], |row| row.get(0)).expect("a count")
}

/// Compares; gives (compared, orphans, different).
fn compared(drill: &Drill) -> Option<(u32, u32, u32)> {
    let done = drill.counter.run(reconcile::reconcile(&drill.counter.app, &drill.counter.till())).expect("a store");
    done.map(|done| (done.compared, done.orphans, done.different))
}

/// A plain copy of the file, which does not know that it is one.
fn copy(drill: &Drill) {
    let backup = drill.backup.to_str().expect("UTF-8");
    file(drill).execute("VACUUM INTO ?1", [backup]).expect("a copy");
}

#[test]
fn a_payment_without_an_order_keeps_its_money_while_another_of_its_cart_may_be_paid() {
    // The number of an attempt that is there, and a number of its own, by which it could be adopted.
    for (number, is_paid) in [("1", true), ("1", false), ("2", true), ("2", false)] {
        let drill = Drill::open();
        let mut shopper = Shopper::with(&drill.counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let session = drill.pays(&mut shopper, &ready);
        let shop = drill.counter.app.live.load().bundle.shop_id.clone();
        let (id, hash) = (ready["id"].as_str().expect("an id"), ready["quote"]["hash"].as_str().expect("a hash"));
        drill.counter.pass(1);
        // Its first key is used up.
        drill.faulty.forget_keys();
        let orphan = opens_for(&drill, &shop, id, number, hash);
        drill.faulty.give_card(&orphan, GOOD);
        drill.counter.run(reconcile::reconcile(&drill.counter.app, &drill.counter.till())).expect("a store");
        drill.rounds(15);
        let held = ("requires_capture".to_owned(), 0, 0);
        assert_eq!((drill.standing(&orphan), state(&drill.orphans(), &orphan).as_str()), (held, "found"), "{number}");
        assert_eq!(drill.ready()["orphans"]["under_way"], 1, "{number}");
        drill.rounds(6);
        assert_eq!(drill.told(), [(orphan.clone(), "found".to_owned())], "a person hears that it takes long");
        if is_paid {
            drill.buys(&mut shopper, &session);
        } else {
            shopper.caller.json("DELETE", &format!("{}/payment", shopper.checkout), Value::Null).expect(200);
        }
        drill.rounds(2);
        let is_adopted = !is_paid && number == "2";
        assert_eq!(drill.standing(&orphan).0, if is_adopted { "succeeded" } else { "canceled" }, "{number} {is_paid}");
        let is_order = is_paid || is_adopted;
        assert_eq!(
            (drill.kept(), drill.orders().len()),
            (if is_order { 2480 } else { 0 }, usize::from(is_order)),
            "{number} {is_paid}"
        );
    }
}

#[test]
fn one_comparison_is_made_at_a_time_and_what_was_asked_for_is_made_in_the_end() {
    let drill = Drill::open();
    drill.bought();
    let (lists, leave) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, waited) = (lists.clone(), leave.clone());
    let inner = stripe(&drill.faulty.base);
    let list = move |after: Option<&str>| -> Option<Listing> {
        // Its first page alone waits.
        if after.is_some() {
            return None;
        }
        counted.fetch_add(1, Ordering::Relaxed);
        let (waited, inner) = (waited.clone(), inner.clone());
        Some(Box::pin(async move {
            waited.acquire().await.expect("it stays open").forget();
            inner.payments(vitrine::commerce::ids::Timestamp(0), None).await
        }))
    };
    let gateway = handled(&drill, |_| None, list);
    // The edge before was ended without a word, so that a comparison is asked for.
    let drill = paid_by(drill, gateway);
    let (app, till) = (drill.counter.app.clone(), drill.counter.till());
    drill.counter.run(async {
        let (one_app, one_till) = (app.clone(), till.clone());
        let first = tokio::spawn(async move { reconcile::reconcile(&one_app, &one_till).await });
        while lists.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        till.doubt();
        let others = async {
            reconcile::settle_doubt(&app, &till).await.expect("a store");
            reconcile::reconcile(&app, &till).await.expect("a store")
        };
        assert_eq!(tokio::time::timeout(NEVER, others).await.expect("nobody waits"), None);
        assert_eq!(lists.load(Ordering::Relaxed), 1, "the others leave it to the one at work");
        leave.add_permits(10);
        let done = first.await.expect("it ends").expect("a store");
        assert_eq!(done.map(|done| done.compared), Some(1));
        reconcile::settle_doubt(&app, &till).await.expect("a store");
        assert!(!till.is_in_doubt());
        let before = lists.load(Ordering::Relaxed);
        for _ in 0..2 {
            reconcile::when_due(&app, &till).await.expect("a store");
        }
        assert_eq!(lists.load(Ordering::Relaxed), before + 1, "what was asked for is made once");
    });
}

#[test]
fn a_comparison_that_is_asked_for_while_the_gateway_is_down_is_made_once_it_is_back() {
    let drill = Drill::open();
    drill.bought();
    compared(&drill).expect("it is compared");
    drill.counter.pass(60);
    let drill = drill.with(Counter::restarted);
    let lists = |drill: &Drill| {
        let calls = drill.faulty.calls();
        calls.iter().filter(|call| call.line == "GET /v1/checkout/sessions" && call.query.contains("expand")).count()
    };
    let when_due = || drill.counter.run(reconcile::when_due(&drill.counter.app, &drill.counter.till())).expect("a store");
    drill.faulty.script("payments", Fault::Unavailable);
    let before = lists(&drill);
    when_due();
    when_due();
    assert_eq!(lists(&drill) - before, 2, "once in vain, and once more");
    when_due();
    assert_eq!(lists(&drill) - before, 2, "then it is done");
}

#[test]
fn a_difference_stays_while_nobody_can_look_at_it() {
    let drill = Drill::open();
    let session = drill.bought();
    file(&drill).execute("UPDATE attempts SET reference = 'cs_gone' WHERE reference = ?1", [&session]).expect("SQL");
    // What the list has instead is nobody's, and goes back.
    assert_eq!(compared(&drill), Some((2, 1, 1)));
    assert_eq!(differences(&drill), 1);
    // The gateway does not say.
    drill.counter.pass(3600);
    drill.faulty.script("fetch", Fault::Unavailable);
    assert_eq!((compared(&drill), differences(&drill)), (Some((2, 0, 1)), 1));
    // Its list does not end, so that nobody knows what is missing in it: that is no comparison.
    let endless =
        |_: Option<&str>| -> Option<Listing> { Some(Box::pin(async { Outcome::Done((Vec::new(), Some("again".to_owned()))) })) };
    let gateway = handled(&drill, |_| None, endless);
    drill.counter.pass(60);
    let drill = paid_by(drill, gateway);
    assert_eq!((compared(&drill), differences(&drill)), (None, 1));
    // It is as it should be again.
    let gateway = stripe(&drill.faulty.base);
    let drill = paid_by(drill, gateway);
    file(&drill).execute("DELETE FROM orphans", []).expect("SQL");
    file(&drill).execute("UPDATE attempts SET reference = ?1", [&session]).expect("SQL");
    drill.counter.pass(1);
    // What went back is taken into our ledger by that.
    assert_eq!((compared(&drill), differences(&drill)), (Some((1, 0, 0)), 0));
}

#[test]
fn a_difference_that_a_person_has_dealt_with_is_off_the_list_until_another_is_found() {
    let drill = Drill::open();
    let session = drill.bought();
    let differ = |minor: i64| {
        drill.counter.pass(60);
        file(&drill).execute("UPDATE attempts SET amount_minor = ?1 WHERE reference = ?2", (minor, &session)).expect("SQL");
        assert_eq!(compared(&drill), Some((1, 0, 1)));
        let (code, out, told) = orders(&drill.counter, &["stuck", "--json"]);
        let listed: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {told}"));
        (code, listed.as_array().expect("a list").iter().map(|one| one["name"].clone()).collect::<Vec<_>>())
    };
    let (code, listed) = differ(2481);
    assert_eq!((code, listed.len()), (1, 1));
    let name = listed[0].as_str().expect("a name");
    let (till, now) = (drill.counter.till(), drill.counter.app.clock.now());
    drill.counter.run(till.store.resolve(name, "the bank's fee", now)).expect("it waits");
    assert_eq!(differ(2481), (0, vec![]), "it is the same one");
    assert_eq!(differ(2482), (1, listed), "and this is another");
}

#[test]
fn what_a_list_says_and_nobody_confirms_is_told_to_nobody() {
    let drill = Drill::open();
    let session = drill.bought();
    drill.counter.round();
    let mails = drill.counter.mails().len();
    file(&drill).execute("UPDATE attempts SET amount_minor = 2481 WHERE reference = ?1", [&session]).expect("SQL");
    drill.faulty.script("fetch", Fault::Unavailable);
    compared(&drill).expect("it is compared");
    drill.counter.round();
    assert_eq!((differences(&drill), drill.counter.mails().len()), (0, mails));
    assert_eq!(compared(&drill), Some((1, 0, 1)));
    assert_eq!(differences(&drill), 1);
}

#[test]
fn a_round_does_what_is_due_when_it_begins_and_no_more() {
    let drill = Drill::open();
    let shop = drill.counter.app.live.load().bundle.shop_id.clone();
    drill.counter.pass(1);
    for checkout in ["c1", "c2"] {
        opens_for(&drill, &shop, checkout, "1", "ab");
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let (now, fetched) = (drill.now.clone(), asked.clone());
    // Each look takes longer than whatever is put off waits for.
    let hand = move |call: &Call| -> Option<Said> {
        if !matches!(call, Call::Fetch { .. }) {
            return None;
        }
        assert!(fetched.fetch_add(1, Ordering::Relaxed) < 50, "it goes round and round");
        now.fetch_add(15, Ordering::Relaxed);
        Some(Box::pin(async { Outcome::Unknown("no answer".to_owned()) }))
    };
    let gateway = handled(&drill, hand, |_| None);
    let drill = paid_by(drill, gateway);
    compared(&drill).expect("it is compared");
    assert_eq!(asked.swap(0, Ordering::Relaxed), 2);
    drill.counter.pass(120);
    let taken = drill.counter.run(orphans::work(&drill.counter.app, &drill.counter.till())).expect("a store");
    assert_eq!((taken, asked.load(Ordering::Relaxed)), (2, 2));
}

#[test]
fn a_payment_that_is_adopted_keeps_its_page_and_its_units() {
    let drill = Drill::open();
    let now = drill.counter.app.clock.now();
    drill.counter.run(drill.counter.till().store.set_stock(&"LAMP-S".into(), 1, "", now)).expect("counted");
    let mut shopper = Shopper::with(&drill.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    drill.back_up();
    drill.counter.pass(600);
    let session = drill.pays(&mut shopper, &ready);
    let Shopper { caller, checkout, .. } = shopper;
    let token = caller.token.clone();
    drop(caller);
    let drill = drill.restore();
    drill.rounds(1);
    assert_eq!(state(&drill.orphans(), &session), "adopted");
    assert_eq!(drill.counter.stock("LAMP-S"), (1, 1, 0), "the last one is hers");
    let lamp = json!({"sku": "LAMP-S", "quantity": 1});
    assert_eq!(Caller::new(&drill.counter.app).json("POST", "/api/v1/cart/lines", lamp).code(422), "sold_out");
    let mut shopper = Shopper::with(&drill.counter, "MUG", 2);
    shopper.caller.token = token;
    shopper.checkout = checkout;
    let seen = shopper.look();
    assert_eq!(seen["payment"]["state"], "redirect", "{seen}");
    assert!(seen["payment"]["redirect_url"].as_str().is_some_and(|url| url.ends_with(&session)), "{seen}");
    assert_eq!(seen["continue_url"], seen["payment"]["redirect_url"]);
    drill.buys(&mut shopper, &session);
    drill.rounds(1);
    assert_eq!((drill.kept(), drill.counter.stock("LAMP-S")), (2480, (0, 0, 1)));
}

#[test]
fn a_file_without_a_sign_of_life_or_with_one_that_cannot_be_is_compared_before_anybody_pays() {
    for mark in [
        "DELETE FROM life WHERE seen_at < ?1",
        "UPDATE life SET seen_at = ?1",
        "UPDATE life SET born_at = ?1, seen_at = ?1 - 2000",
        "UPDATE life SET born_at = ?1, seen_at = ?1",
    ] {
        let drill = Drill::open();
        drill.bought();
        copy(&drill);
        drill.counter.pass(60);
        let session = drill.bought();
        // Longer ago than what is compared each day.
        drill.counter.pass(5 * 24 * 3600);
        let future = drill.counter.app.clock.now().0 + 1000;
        Connection::open(&drill.backup).expect("a file").execute(mark, [future]).expect("SQL");
        drill.faulty.script("payments", Fault::Unavailable);
        let drill = drill.restore();
        assert_eq!(drill.ready()["payments"], "in_doubt", "{mark}");
        drill.rounds(2);
        assert_eq!((drill.ready()["payments"].clone(), drill.standing(&session).2), (json!("open"), 2480), "{mark}");
        drill.bought();
        assert!(drill.orders()[1].0.as_str() > "T-101000", "{mark} {:?}", drill.orders());
    }
}

#[test]
fn numbers_that_were_told_to_somebody_are_left_out_however_often_the_comparison_is_interrupted() {
    let drill = Drill::open();
    copy(&drill);
    drill.counter.pass(600);
    let session = drill.bought();
    let drill = drill.restore();
    // As if it had ended after the lost payment was found, and before anything was done about it.
    file(&drill).execute("UPDATE life SET seen_at = seen_at - 600, order_floor = 0", []).expect("SQL");
    drill.counter.pass(1);
    let drill = drill.with(Counter::restarted);
    drill.rounds(1);
    assert_eq!((drill.standing(&session).2, state(&drill.orphans(), &session).as_str()), (2480, "returned"));
    drill.bought();
    assert!(drill.orders()[0].0.as_str() > "T-101000", "{:?}", drill.orders());
}

#[test]
fn nothing_moves_on_while_nobody_knows_which_numbers_are_given() {
    let drill = Drill::open();
    let (mut at_page, session) = drill.at_the_page();
    drill.back_up();
    drill.counter.pass(600);
    let lost = drill.bought();
    assert_eq!(drill.orders()[0].0, "T-100001");
    let token = at_page.caller.token.clone();
    let path = at_page.checkout.clone();
    drop(at_page);
    drill.faulty.script("payments", Fault::Unavailable);
    let drill = drill.restore();
    at_page = Shopper::with(&drill.counter, "MUG", 2);
    (at_page.caller.token, at_page.checkout) = (token, path);
    let back = drill.faulty.give_card(&session, GOOD);
    drop(at_page.come_back(&back));
    drill.counter.pass(31);
    drill.counter.run(rounds::sweep(&drill.counter.app, &drill.counter.till(), drill.counter.app.clock.now()));
    assert_eq!((drill.ready()["payments"].clone(), drill.orders().len()), (json!("in_doubt"), 0), "its number may be another's");
    drill.rounds(2);
    let orders = drill.orders();
    assert!(orders.len() == 1 && orders[0].1 && orders[0].0.as_str() > "T-101000", "{orders:?}");
    assert_eq!((drill.standing(&session).2, drill.standing(&lost).2), (0, 2480));
}

#[test]
fn what_goes_back_has_one_key_over_every_restart() {
    let drill = Drill::open();
    drill.back_up();
    drill.counter.pass(600);
    let session = drill.bought();
    for _ in 0..3 {
        drill.faulty.script("refund", Fault::Refuse);
        drill.faulty.script("refund", Fault::Late);
    }
    let mut drill = drill.restore();
    for _ in 0..4 {
        drill.counter.pass(120);
        drill = drill.with(Counter::restarted);
        drill.rounds(1);
    }
    drill.faulty.act_late();
    drill.rounds(2);
    let calls = drill.faulty.calls();
    let sent: Vec<_> = calls.iter().filter(|call| call.line == "POST /v1/refunds").collect();
    assert!(sent.len() > 2 && sent.iter().all(|call| (&call.key, &call.body) == (&sent[0].key, &sent[0].body)), "{sent:?}");
    assert_eq!((drill.standing(&session).2, drill.faulty.objects("refund").len(), drill.told().len()), (2480, 1, 1));
}

#[test]
fn the_wrong_file_fills_nobodys_mailbox() {
    let drill = Drill::open();
    for _ in 0..12 {
        drill.bought();
    }
    drill.counter.pass(600);
    let drill = drill.anew();
    drill.rounds(3);
    let orphans = drill.orphans();
    assert!(orphans.len() == 12 && orphans.iter().all(|(_, state)| state == "review"), "{orphans:?}");
    assert_eq!((drill.told().len(), drill.ready()["orphans"]["in_review"].clone()), (10, json!(12)));
}

/// A mail server that takes the connection and says nothing.
fn hanging() -> Mailer {
    Mailer::Scripted(Script(Arc::new(|_, _| Box::pin(std::future::pending()))))
}

#[test]
fn a_mail_server_that_hangs_keeps_no_money_and_no_system_waiting() {
    let drill = Drill::open();
    drill.back_up();
    drill.counter.pass(600);
    let session = drill.bought();
    let drill = drill.restore_written_by(hanging());
    let (app, till) = (drill.counter.app.clone(), drill.counter.till());
    let work = async {
        reconcile::reconcile(&app, &till).await.expect("a store");
        orphans::work(&app, &till).await.expect("a store");
    };
    drill.counter.run(async { tokio::time::timeout(NEVER, work).await }).expect("nobody waits for it");
    assert_eq!((drill.standing(&session).2, drill.ready()["payments"].clone()), (2480, json!("open")));

    let receiver = Receiver::open();
    let hooks = hooks(vec![terms("erp", &receiver.url(), &["order.paid"])]);
    let counter = Counter::telling(hooks).restarted_writing_by(hanging());
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter);
    receiver.next(&[Reply::Status(410)]);
    let deliver = || {
        let (app, till) = (counter.app.clone(), counter.till());
        let told = counter.run(async { tokio::time::timeout(NEVER, subscribers::deliver(&app, &till)).await });
        told.expect("nobody waits for it").expect("a store")
    };
    assert_eq!(deliver(), 0, "it is gone, and that is to be told");
    counter.pass(1);
    assert_eq!(deliver(), 1);
}
