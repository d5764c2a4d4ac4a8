//! Subscribers: the merchant's own systems behind real sockets, which refuse, hang, break off and come back. Each is told everything,
//! in order, at least once, with the same id and bytes at each try.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use vitrine::commerce::ids::Timestamp;
use vitrine::edge::perform::rounds;
use vitrine::edge::perform::subscribers;
use vitrine::store::fact::{FactKind, Present, SubscriberState};
use vitrine::theme::bundle::SubscriberTerms;

use crate::openapi;
use crate::support::counter::{Counter, DECLINED, Hooks, Shopper, redirect_url};
use crate::support::edge::NOW;
use crate::support::receiver::{Received, Receiver, Reply};

const ERP: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const CRM: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Long enough for loopback, and a test with a receiver that hangs is over soon.
const PATIENCE: Duration = Duration::from_millis(2000);
const HOURS: i64 = 3600;

pub(crate) fn terms(name: &str, url: &str, events: &[&str]) -> SubscriberTerms {
    let all = FactKind::ALL.map(FactKind::name);
    let events = if events.is_empty() { &all[..] } else { events };
    SubscriberTerms {
        name: name.to_owned(),
        url: url.to_owned(),
        events: events.iter().map(|event| (*event).to_owned()).collect(),
    }
}

pub(crate) fn hooks(terms: Vec<SubscriberTerms>) -> Hooks {
    let secrets = [("erp", ERP), ("crm", CRM)].map(|(name, secret)| (name.to_owned(), secret.to_owned()));
    Hooks { terms, secrets: secrets.to_vec(), patience: PATIENCE }
}

/// A shop that tells one system everything.
pub(crate) fn shop() -> (Counter, Receiver) {
    let receiver = Receiver::open();
    (Counter::telling(hooks(vec![terms("erp", &receiver.url(), &[])])), receiver)
}

pub(crate) fn buy(counter: &Counter) {
    Shopper::with(counter, "LAMP-S", 1).buy(counter).expect(200);
}

/// Tells what is due; gives how many events were accepted.
pub(crate) fn deliver(counter: &Counter) -> usize {
    counter.run(subscribers::deliver(&counter.app, &counter.till())).expect("the store is well")
}

fn state(counter: &Counter, name: &str) -> SubscriberState {
    let states = counter.run(counter.till().store.subscribers(Present::All)).expect("a look");
    states.into_iter().find(|state| state.name == name).expect("it is known")
}

fn events(kinds: &[&str], first: u64) -> Vec<(u64, String)> {
    (first..).zip(kinds.iter().map(|kind| (*kind).to_owned())).collect()
}

/// Every id has one body, every body one number, and a number comes first only after all before it.
fn assert_in_order(received: &[Received]) {
    let mut bodies = BTreeMap::new();
    let mut highest = 0;
    for one in received {
        let (sequence, _) = one.told();
        assert!(sequence <= highest + 1, "{sequence} came before {}", highest + 1);
        highest = highest.max(sequence);
        openapi::check_event(&one.json());
        let known = bodies.entry(one.id().to_owned()).or_insert_with(|| one.body.clone());
        assert_eq!(*known, one.body);
    }
    assert_eq!(bodies.len() as u64, highest);
}

#[test]
fn what_happens_to_an_order_is_told_signed_and_in_order() {
    let (counter, receiver) = shop();
    buy(&counter);
    assert_eq!(deliver(&counter), 2);
    let received = receiver.received();
    assert_eq!(receiver.told(), events(&["order.placed", "order.paid"], 1));
    let orders = counter.run(counter.till().store.orders(vitrine::store::OrderFilter::default())).expect("orders");
    let paid = received[1].json();
    assert_eq!(paid["data"]["order"], json!(orders[0]));
    assert_eq!(paid["timestamp"], "2026-09-21T14:13:20Z");
    assert_eq!(paid.as_object().expect("an object").keys().collect::<Vec<_>>(), ["type", "timestamp", "data"]);
    // As it was then: placed, and not paid yet.
    let placed = received[0].json();
    assert_eq!((&placed["data"]["order"]["number"], &placed["data"]["order"]["paid_at"]), (&json!("T-100001"), &Value::Null));
    for one in &received {
        openapi::check_event(&one.json());
        assert!(one.is_signed_with(ERP) && !one.is_signed_with(CRM));
        assert_eq!(one.headers["webhook-timestamp"], NOW.0.to_string());
        assert_eq!(one.headers["content-type"], "application/json");
        assert!(!one.id().contains('.'), "{}", one.id());
    }
    assert_eq!(deliver(&counter), 0);
    assert_eq!(receiver.received().len(), 2);
}

#[test]
fn a_subscriber_hears_the_kinds_it_names_and_counts_them_without_gaps() {
    let (erp, crm) = (Receiver::open(), Receiver::open());
    let all = vec![terms("erp", &erp.url(), &["order.paid", "order.canceled"]), terms("crm", &crm.url(), &["order.canceled"])];
    let counter = Counter::telling(hooks(all));
    buy(&counter);
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shopper.pay(&ready).expect(200);
    shopper.caller.json("DELETE", &format!("{}/payment", shopper.checkout), Value::Null).expect(200);
    buy(&counter);
    assert_eq!(deliver(&counter), 4);
    assert_eq!(erp.told(), events(&["order.paid", "order.canceled", "order.paid"], 1));
    assert_eq!(crm.told(), events(&["order.canceled"], 1));
    let canceled = crm.received()[0].json();
    openapi::check_event(&canceled);
    assert_eq!((&canceled["data"]["order"]["state"], &canceled["data"]["order"]["number"]), (&json!("canceled"), &Value::Null));
    // One fact has one name, whoever hears it.
    assert_eq!(erp.received()[1].id(), crm.received()[0].id());
}

#[test]
fn a_shell_whose_time_is_over_is_told_to_be_canceled() {
    let (counter, receiver) = shop();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    counter.give_card(redirect_url(&paying), DECLINED);
    counter.pass(2 * HOURS);
    counter.run(rounds::sweep(&counter.app, &counter.till(), counter.app.clock.now()));
    counter.round();
    counter.round();
    assert_eq!(deliver(&counter), 1);
    assert_eq!(receiver.told(), events(&["order.canceled"], 1));
}

#[test]
fn whatever_goes_wrong_the_same_event_is_sent_again_later_and_later() {
    let (counter, receiver) = shop();
    buy(&counter);
    let refusals = [
        (Reply::Status(500), "it answered 500 Internal Server Error: no [2Jway"),
        (Reply::Status(404), "it answered 404"),
        (Reply::Redirect("http://127.0.0.1:9/".to_owned()), "redirects are not followed"),
        (Reply::Hang, "no answer in time"),
        (Reply::Close, "connection"),
        (Reply::Endless(503), "it answered 503"),
        (Reply::CutShort(400), "it answered 400 Bad Request: half"),
    ];
    for (tries, (reply, expected)) in refusals.iter().enumerate() {
        receiver.next(std::slice::from_ref(reply));
        assert_eq!(deliver(&counter), 0, "{reply:?}");
        let stands = state(&counter, "erp");
        let told = stands.last_error.expect("an error");
        assert!(told.contains(expected), "{reply:?}: {told}");
        assert_eq!((stands.next_sequence, stands.waiting, stands.tries as usize), (1, 2, tries + 1));
        let wait = stands.next_try_at.expect("a try").0 - counter.app.clock.now().0;
        assert_eq!(wait, 1 << tries);
        // Not a second too early.
        counter.pass(wait - 1);
        assert_eq!(deliver(&counter), 0);
        counter.pass(1);
    }
    assert_eq!(receiver.received().len(), refusals.len());
    assert_eq!(deliver(&counter), 2);
    let stands = state(&counter, "erp");
    assert_eq!((stands.waiting, stands.failures, stands.last_error, stands.failing_since), (0, 7, None, None));
    let received = receiver.received();
    assert_in_order(&received);
    let signed_at: Vec<&str> = received[..8].iter().map(|one| one.headers["webhook-timestamp"].as_str()).collect();
    assert_eq!(signed_at.iter().collect::<std::collections::BTreeSet<_>>().len(), 8, "each try is signed anew: {signed_at:?}");
    assert!(received.iter().all(|one| one.is_signed_with(ERP)));
}

#[test]
fn an_acceptance_counts_whatever_follows_its_head() {
    let (counter, receiver) = shop();
    buy(&counter);
    buy(&counter);
    receiver.next(&[Reply::Endless(200), Reply::CutShort(202), Reply::Status(299), Reply::Status(200)]);
    assert_eq!(deliver(&counter), 4);
    assert_in_order(&receiver.received());
    assert_eq!(receiver.received().len(), 4);
}

#[test]
fn the_longest_wait_is_a_quarter_of_an_hour_and_nobody_is_switched_off() {
    let (counter, receiver) = shop();
    buy(&counter);
    receiver.usually(Reply::Status(500));
    let mut waits = Vec::new();
    for _ in 0..14 {
        assert_eq!(deliver(&counter), 0);
        let wait = state(&counter, "erp").next_try_at.expect("a try").0 - counter.app.clock.now().0;
        waits.push(wait);
        counter.pass(wait);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]);
    counter.pass(400 * 24 * HOURS);
    counter.run(rounds::reap(&counter.app, &counter.till()));
    receiver.usually(Reply::Status(200));
    assert_eq!(deliver(&counter), 2, "what somebody waits for is never forgotten");
}

/// Mails about outages, once they are due to be written.
fn outages(counter: &Counter) -> Vec<String> {
    counter.run(rounds::tell(&counter.app, &counter.till()));
    counter.mails().into_iter().filter(|mail| mail.contains("Message-ID: <outage-")).collect()
}

#[test]
fn an_outage_of_three_days_is_told_once() {
    let (counter, receiver) = shop();
    buy(&counter);
    receiver.usually(Reply::Status(503));
    deliver(&counter);
    counter.pass(72 * HOURS - 1);
    deliver(&counter);
    assert_eq!(outages(&counter), [""; 0]);
    counter.pass(1);
    deliver(&counter);
    let told = outages(&counter);
    assert_eq!(told.len(), 1);
    for part in ["To: hello@tiny.example", "erp", "503", "2026-09-21T14:13:20Z", &receiver.url()] {
        assert!(told[0].replace("=\r\n", "").replace("=3D", "=").contains(part), "no {part} in {}", told[0]);
    }
    // The same mail would lie in the same file again.
    std::fs::remove_dir_all(counter.folder.path().join("mail")).expect("read above");
    counter.pass(400 * HOURS);
    deliver(&counter);
    let counter = counter.restarted();
    deliver(&counter);
    assert_eq!(outages(&counter), [""; 0], "once for each outage");
    receiver.usually(Reply::Status(200));
    counter.pass(HOURS);
    assert_eq!(deliver(&counter), 2);
    receiver.usually(Reply::Status(503));
    buy(&counter);
    deliver(&counter);
    counter.pass(72 * HOURS);
    deliver(&counter);
    assert_eq!(outages(&counter).len(), 1, "the next outage is another one");
}

#[test]
fn gone_is_told_at_once_and_switches_nobody_off() {
    let (counter, receiver) = shop();
    buy(&counter);
    receiver.next(&[Reply::Status(410)]);
    assert_eq!(deliver(&counter), 0);
    assert_eq!(outages(&counter).len(), 1);
    counter.pass(1);
    assert_eq!(deliver(&counter), 2);
    assert_eq!(outages(&counter).len(), 1);
}

#[test]
fn one_that_is_down_keeps_no_other_waiting() {
    let (erp, crm) = (Receiver::open(), Receiver::open());
    let counter = Counter::telling(hooks(vec![terms("crm", &crm.url(), &[]), terms("erp", &erp.url(), &[])]));
    crm.usually(Reply::Hang);
    buy(&counter);
    // In one round: the one that answers has both, the other is still at its first.
    let task = {
        let (app, till) = (counter.app.clone(), counter.till());
        async move {
            let all = tokio::spawn(async move { subscribers::deliver(&app, &till).await });
            let started = std::time::Instant::now();
            while erp.received().len() < 2 {
                assert!(started.elapsed() < Duration::from_secs(30), "the other one waits");
                tokio::task::yield_now().await;
            }
            let hung = crm.received().len();
            (hung, all.await.expect("a task").expect("the store is well"), erp, crm)
        }
    };
    let (hung, accepted, erp, crm) = counter.run(task);
    assert!(hung <= 1);
    assert_eq!((accepted, erp.received().len(), crm.received().len()), (2, 2, 1));
    assert_eq!((state(&counter, "erp").waiting, state(&counter, "crm").waiting), (0, 2));
    crm.usually(Reply::Status(200));
    counter.pass(1);
    assert_eq!(deliver(&counter), 2);
    assert_in_order(&crm.received());
}

#[test]
fn a_restart_loses_nothing() {
    let (counter, receiver) = shop();
    buy(&counter);
    receiver.next(&[Reply::Status(200), Reply::Status(500)]);
    assert_eq!(deliver(&counter), 1);
    let counter = counter.restarted();
    counter.pass(1);
    buy(&counter);
    assert_eq!(deliver(&counter), 3);
    let told = receiver.told();
    assert_eq!(
        told,
        [events(&["order.placed", "order.paid"], 1), events(&["order.paid", "order.placed", "order.paid"], 2)].concat()
    );
    assert_in_order(&receiver.received());
}

#[test]
fn every_secret_signs_so_that_one_can_be_rolled() {
    let receiver = Receiver::open();
    let named = vec![terms("erp", &receiver.url(), &[])];
    let rolled = Hooks { secrets: vec![("erp".to_owned(), format!("{CRM},{ERP}"))], ..hooks(named.clone()) };
    let counter = Counter::telling(rolled);
    buy(&counter);
    receiver.next(&[Reply::Status(200), Reply::Status(500)]);
    deliver(&counter);
    let after = Hooks { secrets: vec![("erp".to_owned(), CRM.to_owned())], ..hooks(named) };
    let counter = counter.restarted_telling(after);
    counter.pass(1);
    assert_eq!(deliver(&counter), 1);
    let signed: Vec<(bool, bool)> =
        receiver.received().iter().map(|one| (one.is_signed_with(ERP), one.is_signed_with(CRM))).collect();
    assert_eq!(signed, [(true, true), (true, true), (false, true)]);
    let received = receiver.received();
    assert_eq!(received[1].body, received[2].body, "the bytes stay as they were under the old secret");
}

#[test]
fn a_subscriber_without_a_secret_waits_for_it() {
    let receiver = Receiver::open();
    let named = vec![terms("new-shop", &receiver.url(), &[])];
    let counter = Counter::telling(hooks(named.clone()));
    buy(&counter);
    assert_eq!(deliver(&counter), 0);
    let told = state(&counter, "new-shop").last_error.expect("an error");
    assert_eq!(told, "VITRINE_WEBHOOK_SECRET_NEW_SHOP is not set");
    let counter = counter.restarted_telling(Hooks { secrets: vec![("new-shop".to_owned(), ERP.to_owned())], ..hooks(named) });
    counter.pass(1);
    assert_eq!(deliver(&counter), 2);
}

#[test]
fn a_new_subscriber_hears_what_happens_from_then_on_and_the_rest_where_it_asks() {
    let (counter, erp) = shop();
    buy(&counter);
    assert_eq!(deliver(&counter), 2);
    let crm = Receiver::open();
    let both = vec![terms("erp", &erp.url(), &[]), terms("crm", &crm.url(), &["order.paid"])];
    let counter = counter.restarted_telling(hooks(both));
    assert_eq!((deliver(&counter), crm.received().len()), (0, 0));
    buy(&counter);
    assert_eq!(deliver(&counter), 3);
    assert_eq!(crm.told(), events(&["order.paid"], 2));
    let store = counter.till();
    counter.run(store.store.replay_deliveries("crm", 1)).expect("it is kept");
    assert_eq!(deliver(&counter), 2);
    assert_eq!(crm.told(), [events(&["order.paid"], 2), events(&["order.paid", "order.paid"], 1)].concat());
    let received = crm.received();
    assert_eq!((received[0].id(), &received[0].body), (received[2].id(), &received[2].body));
    assert_eq!(received[1].id(), erp.received()[1].id());
}

#[test]
fn one_that_is_taken_out_keeps_its_place() {
    let (counter, erp) = shop();
    buy(&counter);
    erp.next(&[Reply::Status(200), Reply::Status(500)]);
    assert_eq!(deliver(&counter), 1);
    let counter = counter.restarted_telling(hooks(Vec::new()));
    buy(&counter);
    counter.pass(100 * HOURS);
    assert_eq!(deliver(&counter), 0);
    let away = state(&counter, "erp");
    assert_eq!((away.removed_at.is_some(), away.next_sequence, away.waiting), (true, 2, 3));
    let named = counter.run(counter.till().store.subscribers(Present::Named)).expect("a look");
    assert_eq!(named, [], "each second it is not looked at what it waits for");
    assert_eq!(outages(&counter), [""; 0], "nobody waits for it");
    let counter = counter.restarted_telling(hooks(vec![terms("erp", &erp.url(), &[])]));
    assert_eq!(deliver(&counter), 3);
    assert_in_order(&erp.received());
    assert_eq!(state(&counter, "erp").removed_at, None);
}

#[test]
fn a_bundle_that_goes_live_names_other_subscribers() {
    let (counter, erp) = shop();
    let moved = Receiver::open();
    let mut shop = crate::support::edge::bundle(crate::support::edge::BASE_URL, 1990);
    shop.webhooks = vec![terms("erp", &moved.url(), &["order.paid"])];
    counter.go_live(&shop);
    deliver(&counter);
    buy(&counter);
    assert_eq!(deliver(&counter), 1);
    assert_eq!((erp.received().len(), moved.told()), (0, events(&["order.paid"], 1)));
}

#[test]
fn what_is_replayed_has_the_same_names_and_bytes() {
    let (counter, receiver) = shop();
    buy(&counter);
    buy(&counter);
    assert_eq!(deliver(&counter), 4);
    let first = receiver.received();
    let store = counter.till();
    assert!(counter.run(store.store.replay_deliveries("erp", 6)).is_err(), "it lies ahead");
    assert!(counter.run(store.store.replay_deliveries("erp", 0)).is_err());
    assert!(counter.run(store.store.replay_deliveries("nobody", 1)).is_err());
    counter.run(store.store.replay_deliveries("erp", 2)).expect("it is kept");
    assert_eq!(deliver(&counter), 3);
    let all = receiver.received();
    let bare = |all: &[Received]| all.iter().map(|one| (one.id().to_owned(), one.body.clone())).collect::<Vec<_>>();
    assert_eq!(bare(&all[4..]), bare(&first[1..]));
}

#[test]
fn a_place_that_is_set_back_while_an_event_is_under_way_stays_so() {
    let (counter, receiver) = shop();
    buy(&counter);
    assert_eq!(deliver(&counter), 2);
    let till = counter.till();
    buy(&counter);
    counter.run(till.store.number_facts("erp")).expect("numbers");
    counter.run(till.store.replay_deliveries("erp", 1)).expect("it is kept");
    // The answer to what was sent before the replay comes after it.
    counter.run(till.store.accept_delivery("erp", 3, NOW)).expect("a step");
    assert_eq!(state(&counter, "erp").next_sequence, 1);
    assert_eq!(deliver(&counter), 4);
    assert_eq!(receiver.told()[2..], events(&["order.placed", "order.paid", "order.placed", "order.paid"], 1));
}

#[test]
fn facts_are_kept_for_thirteen_months() {
    let (counter, receiver) = shop();
    buy(&counter);
    assert_eq!(deliver(&counter), 2);
    counter.pass(399 * 24 * HOURS);
    buy(&counter);
    assert_eq!(deliver(&counter), 2);
    let counter = counter.restarted_telling(hooks(Vec::new()));
    counter.pass(2 * 24 * HOURS);
    counter.run(rounds::reap(&counter.app, &counter.till()));
    let stands = state(&counter, "erp");
    assert_eq!((stands.first_kept, stands.last_sequence, stands.next_sequence), (Some(3), 4, 5));
    // One that was away for longer than that goes on with what is left.
    counter.run(counter.till().store.replay_deliveries("erp", 3)).expect("it is kept");
    counter.pass(400 * 24 * HOURS);
    counter.run(rounds::reap(&counter.app, &counter.till()));
    assert_eq!((state(&counter, "erp").waiting, state(&counter, "erp").first_kept), (0, None));
    let counter = counter.restarted_telling(hooks(vec![terms("erp", &receiver.url(), &[])]));
    buy(&counter);
    assert_eq!(deliver(&counter), 2);
    assert_eq!(receiver.told()[4..], events(&["order.placed", "order.paid"], 5));
}

#[test]
fn metrics_tell_how_far_a_subscriber_is_behind() {
    let (counter, receiver) = shop();
    receiver.usually(Reply::Status(500));
    buy(&counter);
    deliver(&counter);
    counter.pass(90);
    deliver(&counter);
    let text = counter.operator("/metrics");
    for line in [
        "vitrine_webhook_events_waiting{subscriber=\"erp\"} 2",
        "vitrine_webhook_lag_seconds{subscriber=\"erp\"} 90",
        "vitrine_webhook_failures_total{subscriber=\"erp\"} 2",
    ] {
        assert!(text.lines().any(|told| told == line), "no {line} in {text}");
    }
    receiver.usually(Reply::Status(200));
    counter.pass(90);
    deliver(&counter);
    assert!(counter.operator("/metrics").contains("vitrine_webhook_lag_seconds{subscriber=\"erp\"} 0\n"));
    let mut shop = crate::support::edge::bundle(crate::support::edge::BASE_URL, 1990);
    shop.webhooks = Vec::new();
    counter.go_live(&shop);
    deliver(&counter);
    assert!(!counter.operator("/metrics").contains("erp"));
}

#[test]
fn a_payment_for_a_person_is_told_with_its_reason() {
    let (counter, receiver) = shop();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shopper.pay(&ready).expect(200);
    let id = shopper.checkout.rsplit('/').next().expect("an id").into();
    let till = counter.till();
    let checkout = counter.run(till.store.checkout(&id)).expect("a look").expect("it is there");
    let attempt = checkout.attempt.expect("it is being paid").id;
    let now = counter.app.clock.now();
    let taken = counter.run(till.store.take_lease(&id, "test", now, Timestamp(now.0 + 9))).expect("a step");
    let lease = taken.and_then(|taken| taken.lease).expect("it is free");
    for _ in 0..2 {
        counter.run(till.store.review(&lease, &attempt, "the amount is another one", false, now)).expect("a step");
    }
    assert_eq!(deliver(&counter), 1);
    let told = receiver.received()[0].json();
    openapi::check_event(&told);
    assert_eq!((&told["type"], &told["data"]["reason"]), (&json!("payment.review"), &json!("the amount is another one")));
    assert_eq!(told["data"]["order"]["state"], "pending_payment");
}
