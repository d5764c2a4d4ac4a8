//! Cells: each capability with each outcome of a call.

use std::sync::atomic::Ordering;

use vitrine::commerce::ids::Timestamp;
use vitrine::edge::perform::inbox;
use vitrine::gateway::capabilities::{Idempotency, Modification, Webhook};
use vitrine::gateway::event::About;
use vitrine::gateway::{Listed, Outcome, RemoteState, Span};

use super::subject::{Subject, Verdict, captured, done, euros, fetched, held, money, open, opened, run, shop, wish};
use super::{Check, faults, refunds};
use crate::faulty::faults::Fault;
use crate::support::counter::Shopper;

use Verdict::{Held, NotShown};

const NO_FAULTS: &str = "it is embedded: no line lies between";
const SYNC: &str = "its changes are answered with the result";
const ASYNC: &str = "its changes are taken on, not answered with the result";
const AT_ONCE: &str = "it takes money at once";
const STATIC: &str = "it is a figure, not a call";
const ALWAYS_ANSWERS: &str = "a look-up finds or does not find";

pub const ALL: &[Check] = &[
    ("idempotency × done", same_key_same_payment),
    ("idempotency × accepted", same_key_taken_on_once),
    ("idempotency × rejected", same_key_other_bytes_do_nothing),
    ("idempotency × unknown", same_key_after_a_lost_answer),
    ("webhook × done", an_event_names_its_payment),
    ("webhook × accepted", what_was_taken_on_is_told),
    ("webhook × rejected", a_forged_event_is_not_heard),
    ("webhook × unknown", an_event_waits_until_its_payment_can_be_looked_at),
    ("modification × done", a_refund_is_done),
    ("modification × accepted", a_refund_is_taken_on),
    ("modification × rejected", no_more_is_refunded_than_was_taken),
    ("modification × unknown", a_refund_whose_answer_is_lost_is_made_once),
    ("refunds × done", refunds::is_done),
    ("refunds × accepted", refunds::is_taken_on),
    ("refunds × rejected", refunds::is_refused),
    ("refunds × unknown", refunds::is_not_answered),
    ("auth_window × done", money_is_held_or_taken_as_told),
    ("auth_window × accepted", a_capture_is_taken_on),
    ("auth_window × rejected", what_is_not_held_is_not_taken),
    ("auth_window × unknown", a_capture_whose_answer_is_lost_is_made_once),
    ("can_cancel_open × done", what_is_called_off_cannot_be_paid),
    ("can_cancel_open × accepted", calling_off_is_taken_on),
    ("can_cancel_open × rejected", what_is_paid_is_not_called_off),
    ("can_cancel_open × unknown", calling_off_twice_is_calling_off),
    ("lookup_by_reference × done", a_payment_is_found_by_its_key),
    ("lookup_by_reference × accepted", |_| NotShown(ALWAYS_ANSWERS)),
    ("lookup_by_reference × rejected", |_| NotShown(ALWAYS_ANSWERS)),
    ("lookup_by_reference × unknown", who_cannot_look_does_not_say_none),
    ("lists_payments × done", every_payment_is_listed_once),
    ("lists_payments × accepted", |_| NotShown(ALWAYS_ANSWERS)),
    ("lists_payments × rejected", who_has_no_list_says_so),
    ("lists_payments × unknown", who_cannot_list_does_not_say_none),
    ("page_seconds × done", a_page_is_open_for_as_long_as_units_are_held),
    ("page_seconds × accepted", |_| NotShown(STATIC)),
    ("page_seconds × rejected", a_page_shorter_than_the_shortest_is_refused),
    ("page_seconds × unknown", |_| NotShown(STATIC)),
    ("exponent × done", amounts_come_back_as_they_were_sent),
    ("exponent × accepted", |_| NotShown(STATIC)),
    ("exponent × rejected", a_currency_it_does_not_take_is_refused),
    ("exponent × unknown", |_| NotShown(STATIC)),
    ("min_amount × done", the_least_amount_is_taken),
    ("min_amount × accepted", |_| NotShown(STATIC)),
    ("min_amount × rejected", less_than_the_least_is_refused),
    ("min_amount × unknown", |_| NotShown(STATIC)),
    ("step × done", amounts_of_whole_steps_are_taken),
    ("step × accepted", |_| NotShown(STATIC)),
    ("step × rejected", digits_that_are_not_charged_are_refused),
    ("step × unknown", |_| NotShown(STATIC)),
    ("late × done", |_| NotShown(STATIC)),
    ("late × accepted", |_| NotShown(STATIC)),
    ("late × rejected", |_| NotShown(STATIC)),
    ("late × unknown", faults::what_did_not_arrive_is_unpaid_once_it_cannot_arrive),
    ("live × done", payments_are_of_the_mode_that_was_told),
    ("live × accepted", |_| NotShown(STATIC)),
    ("live × rejected", faults::money_of_the_other_mode_is_not_ours),
    ("live × unknown", |_| NotShown(STATIC)),
];

/// The whole list since an instant, page by page.
fn listed(subject: &dyn Subject, since: i64) -> Vec<Listed> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let (mut page, next) = done(run(subject.gateway().payments(Timestamp(since), after.as_deref())));
        all.append(&mut page);
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

fn every_payment_is_listed_once(subject: &dyn Subject) -> Verdict {
    if !subject.gateway().capabilities().lists_payments {
        return NotShown("it lists no payments");
    }
    let now = || subject.clock().load(Ordering::Relaxed);
    assert_eq!(listed(subject, 0), []);
    // More than a page of any of them.
    let mut opened: Vec<String> = (0..55).map(|number| opened(subject, &format!("k{number}")).reference).collect();
    subject.pay(&opened[0]);
    subject.clock().fetch_add(100, Ordering::Relaxed);
    opened.push(self::opened(subject, "last").reference);
    let all = listed(subject, 0);
    let names: Vec<&str> = all.iter().map(|listed| listed.payment.reference.as_str()).collect();
    opened.reverse();
    assert_eq!(names, opened);
    // Each as it stands now, with what was written on it, and of when it is.
    for listed in [&all[0], &all[55]] {
        assert_eq!(listed.payment, fetched(subject, &listed.payment.reference));
        assert_eq!(listed.payment.metadata["checkout"], "c1");
    }
    assert_ne!((all[55].payment.state, all[54].payment.state), (RemoteState::Open, RemoteState::Authorized));
    assert_eq!((all[0].made_at.0, all[1].made_at.0), (now(), now() - 100));
    let late = listed(subject, now());
    assert_eq!(late.iter().map(|listed| &listed.payment.reference).collect::<Vec<_>>(), [&opened[0]]);
    Held
}

fn who_has_no_list_says_so(subject: &dyn Subject) -> Verdict {
    if subject.gateway().capabilities().lists_payments {
        return NotShown("it lists them");
    }
    opened(subject, "k1");
    assert!(matches!(run(subject.gateway().payments(Timestamp(0), None)), Outcome::Rejected(_)));
    Held
}

fn who_cannot_list_does_not_say_none(subject: &dyn Subject) -> Verdict {
    if !subject.gateway().capabilities().lists_payments {
        return NotShown("it lists no payments");
    }
    opened(subject, "k1");
    for fault in [Fault::Refuse, Fault::Fail, Fault::Truncated, Fault::Unauthorized] {
        if !subject.script("payments", fault) {
            return NotShown(NO_FAULTS);
        }
        assert!(matches!(run(subject.gateway().payments(Timestamp(0), None)), Outcome::Unknown(_)), "{fault:?}");
    }
    Held
}

fn is_async(subject: &dyn Subject) -> bool {
    subject.gateway().capabilities().modification == Modification::Async
}

fn holds(subject: &dyn Subject) -> bool {
    subject.gateway().capabilities().manual_capture("card")
}

/// A payment whose money is ours.
fn taken(subject: &dyn Subject, key: &str) -> String {
    let reference = opened(subject, key).reference;
    subject.pay(&reference);
    if holds(subject) {
        match run(subject.gateway().capture(&format!("{key} capture"), &reference)) {
            Outcome::Done(_) => {}
            Outcome::Accepted => subject.settle(),
            other => panic!("a held payment is captured: {other:?}"),
        }
    }
    assert_eq!(fetched(subject, &reference).state, RemoteState::Captured);
    reference
}

fn same_key_same_payment(subject: &dyn Subject) -> Verdict {
    assert!(subject.gateway().capabilities().lookup_by_reference, "a gateway without look-up is not taken");
    let first = opened(subject, "k1");
    assert_eq!(first.reference, opened(subject, "k1").reference);
    assert_ne!(first.reference, opened(subject, "k2").reference);
    assert_eq!(subject.payments().len(), 2);
    Held
}

fn same_key_taken_on_once(subject: &dyn Subject) -> Verdict {
    if !is_async(subject) {
        return NotShown(SYNC);
    }
    let reference = opened(subject, "k1").reference;
    subject.pay(&reference);
    for _ in 0..3 {
        assert_eq!(run(subject.gateway().capture("c1", &reference)), Outcome::Accepted);
    }
    subject.settle();
    assert_eq!(captured(subject), [1990]);
    Held
}

fn same_key_other_bytes_do_nothing(subject: &dyn Subject) -> Verdict {
    let gateway = subject.gateway();
    opened(subject, "k1");
    let other = gateway.body(&wish(subject, "k1", euros(1991)));
    match run(gateway.create("k1", &other)) {
        Outcome::Rejected(_) | Outcome::Unknown(_) => {}
        other => panic!("other bytes were taken: {other:?}"),
    }
    assert_eq!(subject.payments().iter().map(|payment| payment.amount.minor).collect::<Vec<_>>(), [1990]);
    Held
}

fn same_key_after_a_lost_answer(subject: &dyn Subject) -> Verdict {
    if !subject.script("create", Fault::ActThenCut) {
        return NotShown(NO_FAULTS);
    }
    assert!(matches!(open(subject, "k1"), Outcome::Unknown(_)));
    let after = opened(subject, "k1");
    assert_eq!(subject.payments().len(), 1);
    // A failure that is kept under the key leaves the look-up.
    if let Idempotency::Keyed { saves_errors: true, .. } = subject.gateway().capabilities().idempotency {
        assert!(subject.script("create", Fault::FailActed));
        for _ in 0..2 {
            assert!(matches!(open(subject, "k2"), Outcome::Unknown(_)), "it is said again");
        }
        let found = done(run(subject.gateway().lookup("k2", Span::from(Timestamp(0))))).expect("it was opened");
        assert_ne!(found.reference, after.reference);
    }
    Held
}

/// What waits, heard.
fn heard(subject: &dyn Subject) -> Vec<vitrine::gateway::event::Event> {
    let now = Timestamp(subject.clock().load(Ordering::Relaxed));
    let hooks = subject.hooks().expect("it has webhooks");
    hooks.iter().flat_map(|(headers, body)| subject.gateway().hear(headers, body, now).expect("its own webhook")).collect()
}

fn has_none(subject: &dyn Subject) -> bool {
    let none = subject.gateway().capabilities().webhook == Webhook::None;
    assert_eq!(none, subject.hooks().is_none());
    none
}

fn an_event_names_its_payment(subject: &dyn Subject) -> Verdict {
    if has_none(subject) {
        return NotShown("it has no webhooks");
    }
    let references = ["k1", "k2"].map(|key| opened(subject, key).reference);
    references.iter().for_each(|reference| subject.pay(reference));
    let events = heard(subject);
    assert!(events.len() >= 2, "{events:?}");
    for event in events {
        assert!(event.is_ours);
        match event.about {
            About::Attempt { shop, checkout, number } => {
                assert_eq!((shop.as_str(), checkout.as_str(), number), ("tiny", "c1", 1))
            }
            About::Reference(reference) => assert!(references.contains(&reference)),
            About::Nothing => panic!("{} is about nothing", event.kind),
        }
    }
    Held
}

fn what_was_taken_on_is_told(subject: &dyn Subject) -> Verdict {
    if !is_async(subject) {
        return NotShown(SYNC);
    }
    let reference = taken(subject, "k1");
    let told = heard(subject);
    assert!(told.iter().filter(|event| event.about == About::Reference(reference.clone())).count() >= 2, "{told:?}");
    Held
}

fn a_forged_event_is_not_heard(subject: &dyn Subject) -> Verdict {
    if has_none(subject) {
        return NotShown("it has no webhooks");
    }
    let reference = opened(subject, "k1").reference;
    subject.pay(&reference);
    let now = Timestamp(subject.clock().load(Ordering::Relaxed));
    let Some((headers, body)) = subject.forged() else {
        assert_ne!(subject.gateway().capabilities().webhook, Webhook::SignedState);
        return NotShown("nothing of it is signed: it is only a hint, and the state is fetched");
    };
    assert!(subject.gateway().hear(&headers, &body, now).is_err());
    Held
}

fn an_event_waits_until_its_payment_can_be_looked_at(subject: &dyn Subject) -> Verdict {
    if has_none(subject) {
        return NotShown("it has no webhooks");
    }
    let counter = shop(subject);
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shopper.pay(&ready).expect(200);
    subject.pay(&subject.payments()[0].reference);
    let name = subject.gateway().capabilities().name;
    for (headers, body) in subject.hooks().expect("it has some") {
        counter.run(counter.till().hear(&counter.app, name, &headers, &body)).expect("kept");
    }
    subject.script("fetch", Fault::Refuse);
    let depth = || counter.run(counter.till().store.inbox_depth()).expect("a count");
    let waiting = depth();
    counter.run(inbox::work(&counter.app, &counter.till())).expect("worked");
    assert_eq!((waiting > 0, depth()), (true, waiting), "nobody could look");
    counter.pass(2);
    counter.run(inbox::work(&counter.app, &counter.till())).expect("worked");
    assert_eq!((depth(), counter.orders()[0].0.as_str()), (0, "placed"));
    Held
}

fn a_refund_is_done(subject: &dyn Subject) -> Verdict {
    if is_async(subject) {
        return NotShown(ASYNC);
    }
    let reference = taken(subject, "k1");
    for _ in 0..2 {
        assert_eq!(done(run(subject.gateway().refund("r1", &reference, euros(990)))).refunded_minor, 990);
    }
    assert_eq!(fetched(subject, &reference).refunded_minor, 990);
    Held
}

fn a_refund_is_taken_on(subject: &dyn Subject) -> Verdict {
    if !is_async(subject) {
        return NotShown(SYNC);
    }
    let reference = taken(subject, "k1");
    for _ in 0..2 {
        assert_eq!(run(subject.gateway().refund("r1", &reference, euros(990))), Outcome::Accepted);
    }
    assert_eq!(fetched(subject, &reference).refunded_minor, 0, "not yet");
    subject.settle();
    assert_eq!(fetched(subject, &reference).refunded_minor, 990);
    Held
}

fn no_more_is_refunded_than_was_taken(subject: &dyn Subject) -> Verdict {
    let reference = taken(subject, "k1");
    for amount in [euros(1991), money(990, "SEK"), euros(0)] {
        // Another currency is refused by whoever converts nothing.
        let outcome = run(subject.gateway().refund(&format!("r {amount}"), &reference, amount));
        let is_other = amount.currency.code() == "SEK" && subject.name().ends_with("-shaped");
        assert!(is_other || matches!(outcome, Outcome::Rejected(_)), "{amount}: {outcome:?}");
    }
    let open = opened(subject, "k2").reference;
    assert!(matches!(run(subject.gateway().refund("r open", &open, euros(1))), Outcome::Rejected(_)), "nothing was taken");
    Held
}

fn a_refund_whose_answer_is_lost_is_made_once(subject: &dyn Subject) -> Verdict {
    let reference = taken(subject, "k1");
    if !subject.script("refund", Fault::ActThenCut) {
        return NotShown(NO_FAULTS);
    }
    let gateway = subject.gateway();
    assert!(matches!(run(gateway.refund("r1", &reference, euros(990))), Outcome::Unknown(_)));
    assert!(matches!(run(gateway.refund("r1", &reference, euros(990))), Outcome::Done(_) | Outcome::Accepted));
    subject.settle();
    assert_eq!(fetched(subject, &reference).refunded_minor, 990);
    Held
}

fn money_is_held_or_taken_as_told(subject: &dyn Subject) -> Verdict {
    let reference = opened(subject, "k1").reference;
    subject.pay(&reference);
    let expected = if holds(subject) { RemoteState::Authorized } else { RemoteState::Captured };
    assert_eq!(fetched(subject, &reference).state, expected);
    if holds(subject) && !is_async(subject) {
        assert_eq!(done(run(subject.gateway().capture("c1", &reference))).state, RemoteState::Captured);
    }
    Held
}

fn a_capture_is_taken_on(subject: &dyn Subject) -> Verdict {
    if !is_async(subject) {
        return NotShown(SYNC);
    }
    let reference = opened(subject, "k1").reference;
    subject.pay(&reference);
    assert_eq!(run(subject.gateway().capture("c1", &reference)), Outcome::Accepted);
    assert_eq!(fetched(subject, &reference).state, RemoteState::Authorized, "not yet");
    subject.settle();
    assert_eq!(fetched(subject, &reference).state, RemoteState::Captured);
    Held
}

fn what_is_not_held_is_not_taken(subject: &dyn Subject) -> Verdict {
    let gateway = subject.gateway();
    let reference = opened(subject, "k1").reference;
    let early = run(gateway.capture("c1", &reference));
    assert!(matches!(early, Outcome::Rejected(_) | Outcome::Unknown(_)), "{early:?}");
    assert_eq!(captured(subject), [0; 0]);
    if holds(subject) {
        subject.pay(&reference);
        match run(gateway.cancel("x1", &reference)) {
            Outcome::Done(_) => {}
            Outcome::Accepted => subject.settle(),
            other => panic!("a hold is let go: {other:?}"),
        }
        assert!(matches!(run(gateway.capture("c2", &reference)), Outcome::Rejected(_)), "the hold is gone");
        assert_eq!((captured(subject).len(), held(subject)), (0, 0));
    }
    Held
}

fn a_capture_whose_answer_is_lost_is_made_once(subject: &dyn Subject) -> Verdict {
    if !holds(subject) {
        return NotShown(AT_ONCE);
    }
    let reference = opened(subject, "k1").reference;
    subject.pay(&reference);
    if !subject.script("capture", Fault::ActThenCut) {
        return NotShown(NO_FAULTS);
    }
    assert!(matches!(run(subject.gateway().capture("c1", &reference)), Outcome::Unknown(_)));
    assert!(matches!(run(subject.gateway().capture("c1", &reference)), Outcome::Done(_) | Outcome::Accepted));
    subject.settle();
    assert_eq!(captured(subject), [1990]);
    Held
}

fn what_is_called_off_cannot_be_paid(subject: &dyn Subject) -> Verdict {
    if !subject.gateway().capabilities().can_cancel_open {
        return NotShown("it calls nothing off that is open");
    }
    if is_async(subject) {
        return NotShown(ASYNC);
    }
    let reference = opened(subject, "k1").reference;
    assert_eq!(done(run(subject.gateway().cancel("x1", &reference))).state, RemoteState::Canceled);
    subject.pay(&reference);
    assert_eq!(fetched(subject, &reference).state, RemoteState::Canceled);
    // What is closed already is closed, under whatever key.
    assert_eq!(done(run(subject.gateway().cancel("x2", &reference))).state, RemoteState::Canceled);
    Held
}

fn calling_off_is_taken_on(subject: &dyn Subject) -> Verdict {
    if !is_async(subject) {
        return NotShown(SYNC);
    }
    let reference = opened(subject, "k1").reference;
    assert_eq!(run(subject.gateway().cancel("x1", &reference)), Outcome::Accepted);
    subject.settle();
    subject.pay(&reference);
    assert_eq!(fetched(subject, &reference).state, RemoteState::Canceled);
    Held
}

fn what_is_paid_is_not_called_off(subject: &dyn Subject) -> Verdict {
    let gateway = subject.gateway();
    let paid = taken(subject, "k1");
    assert!(matches!(run(gateway.cancel("x1", &paid)), Outcome::Rejected(_)));
    assert_eq!(fetched(subject, &paid).state, RemoteState::Captured);
    if !gateway.capabilities().can_cancel_open {
        let reference = opened(subject, "k2").reference;
        assert!(matches!(run(gateway.cancel("x2", &reference)), Outcome::Rejected(_)));
        assert_eq!(fetched(subject, &reference).state, RemoteState::Open);
    }
    Held
}

fn calling_off_twice_is_calling_off(subject: &dyn Subject) -> Verdict {
    if !subject.gateway().capabilities().can_cancel_open {
        return NotShown("it calls nothing off that is open");
    }
    let reference = opened(subject, "k1").reference;
    // Where the call is done later, it is lost here; where it is done at once, its answer is.
    if !subject.script("cancel", Fault::ActThenCut) || !is_async(subject) && !subject.script("expire", Fault::ActThenCut) {
        return NotShown(NO_FAULTS);
    }
    assert!(matches!(run(subject.gateway().cancel("x1", &reference)), Outcome::Unknown(_)));
    assert!(matches!(run(subject.gateway().cancel("x1", &reference)), Outcome::Done(_) | Outcome::Accepted));
    subject.settle();
    assert_eq!(fetched(subject, &reference).state, RemoteState::Canceled);
    Held
}

fn a_payment_is_found_by_its_key(subject: &dyn Subject) -> Verdict {
    let references: Vec<String> = (0..3).map(|number| opened(subject, &format!("k{number}")).reference).collect();
    let find = |key: &str| done(run(subject.gateway().lookup(key, Span::from(Timestamp(0))))).map(|payment| payment.reference);
    for (number, reference) in references.iter().enumerate() {
        assert_eq!(find(&format!("k{number}")).as_ref(), Some(reference));
    }
    assert_eq!(find("never"), None);
    assert!(matches!(run(subject.gateway().fetch("cs_never")), Outcome::Rejected(_)));
    assert!(matches!(run(subject.gateway().fetch("../v1/balance")), Outcome::Rejected(_)));
    Held
}

fn who_cannot_look_does_not_say_none(subject: &dyn Subject) -> Verdict {
    opened(subject, "k1");
    for fault in [Fault::Refuse, Fault::Fail, Fault::Unauthorized] {
        if !subject.script("list", fault) {
            return NotShown(NO_FAULTS);
        }
        assert!(matches!(run(subject.gateway().lookup("k1", Span::from(Timestamp(0)))), Outcome::Unknown(_)), "{fault:?}");
    }
    Held
}

fn a_page_is_open_for_as_long_as_units_are_held(subject: &dyn Subject) -> Verdict {
    let (shortest, longest) = subject.gateway().capabilities().page_seconds;
    let counter = shop(subject);
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shopper.pay(&ready).expect(200);
    let id = ready["id"].as_str().expect("an id").into();
    let stored = counter.run(counter.till().store.checkout(&id)).expect("a look").expect("it is there");
    let attempt = stored.attempt.expect("it is being paid");
    assert_eq!(attempt.deadline_at.0 - attempt.created_at.0, 900.clamp(shortest, longest));
    Held
}

fn a_page_shorter_than_the_shortest_is_refused(subject: &dyn Subject) -> Verdict {
    let gateway = subject.gateway();
    if gateway.capabilities().page_seconds.0 <= 60 {
        return NotShown("its page may be as short as one likes");
    }
    if subject.confirmation("k1").is_some() {
        return NotShown("its form stands on the shop's page, whose time is the shop's");
    }
    let now = subject.clock().load(Ordering::Relaxed);
    let mut short = wish(subject, "k1", euros(1990));
    short.expires_at = Timestamp(now + 60);
    assert!(matches!(run(gateway.create("k1", &gateway.body(&short))), Outcome::Rejected(_)));
    assert_eq!(subject.payments().len(), 0);
    Held
}

fn amounts_come_back_as_they_were_sent(subject: &dyn Subject) -> Verdict {
    let gateway = subject.gateway();
    for (number, amount) in [euros(1990), money(500, "JPY"), money(5120, "KWD"), money(1500, "ISK")].into_iter().enumerate() {
        assert!((gateway.capabilities().exponent)(amount.currency).is_some(), "{amount}");
        let key = format!("k{number}");
        let payment = done(run(gateway.create(&key, &gateway.body(&wish(subject, &key, amount)))));
        assert_eq!(payment.amount, amount);
        assert_eq!(fetched(subject, &payment.reference).amount, amount);
    }
    Held
}

fn a_currency_it_does_not_take_is_refused(subject: &dyn Subject) -> Verdict {
    let known = subject.gateway().capabilities();
    let dinar = money(5000, "IQD");
    if (known.exponent)(dinar.currency).is_some() {
        return NotShown("it takes every currency");
    }
    assert!(known.check_amount(dinar).is_err());
    assert!(matches!(
        run(subject.gateway().create("k1", &subject.gateway().body(&wish(subject, "k1", dinar)))),
        Outcome::Rejected(_)
    ));
    assert_eq!(subject.payments().len(), 0);
    Held
}

fn the_least_amount_is_taken(subject: &dyn Subject) -> Verdict {
    let gateway = subject.gateway();
    let least = euros((gateway.capabilities().min_amount_minor)(euros(0).currency));
    assert_eq!(gateway.capabilities().check_amount(least), Ok(()));
    assert_eq!(done(run(gateway.create("k1", &gateway.body(&wish(subject, "k1", least))))).amount, least);
    Held
}

fn less_than_the_least_is_refused(subject: &dyn Subject) -> Verdict {
    let gateway = subject.gateway();
    let less = euros((gateway.capabilities().min_amount_minor)(euros(0).currency) - 1);
    assert!(gateway.capabilities().check_amount(less).is_err(), "{less}");
    if subject.name().ends_with("-shaped") {
        return Held;
    }
    assert!(matches!(run(gateway.create("k1", &gateway.body(&wish(subject, "k1", less)))), Outcome::Rejected(_)));
    assert_eq!(subject.payments().len(), 0);
    Held
}

fn amounts_of_whole_steps_are_taken(subject: &dyn Subject) -> Verdict {
    let known = subject.gateway().capabilities();
    for amount in [euros(1999), money(5120, "KWD"), money(400_000, "MGA")] {
        assert_eq!(amount.minor % (known.step_minor)(amount.currency), 0);
        assert_eq!(known.check_amount(amount), Ok(()), "{amount}");
    }
    Held
}

fn digits_that_are_not_charged_are_refused(subject: &dyn Subject) -> Verdict {
    let known = subject.gateway().capabilities();
    let odd = money(5124, "KWD");
    if (known.step_minor)(odd.currency) == 1 {
        return NotShown("it charges every digit");
    }
    assert!(known.check_amount(odd).is_err());
    assert!(matches!(
        run(subject.gateway().create("k1", &subject.gateway().body(&wish(subject, "k1", odd)))),
        Outcome::Rejected(_)
    ));
    Held
}

fn payments_are_of_the_mode_that_was_told(subject: &dyn Subject) -> Verdict {
    assert_eq!(opened(subject, "k1").live, subject.gateway().capabilities().live);
    Held
}
