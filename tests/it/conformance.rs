//! Conformance: one suite of named checks, run on every gateway, and on two of other shapes than any that is built in.
//!
//! Owns    `cells`: a check for each capability and each outcome; `faults`: a purchase under each fault of CHECKOUT.md 5.10 that a
//!         gateway can show. What a gateway cannot show is told with the reason: the whole list is printed.

mod cells;
#[cfg(feature = "faults")]
mod fake;
mod faults;
mod refunds;
mod subject;

use self::subject::{Subject, Verdict};

/// A name for the list, and what is checked.
type Check = (&'static str, fn(&dyn Subject) -> Verdict);

/// Runs every check on a fresh gateway and prints what came of it; gives how many were held.
fn conforms<S: Subject>(open: impl Fn() -> S) -> usize {
    let mut held = 0;
    for (name, check) in cells::ALL.iter().chain(faults::ALL) {
        let subject = open();
        let verdict = check(&subject);
        match verdict {
            Verdict::Held => {
                held += 1;
                println!("{}: {name}: held", subject.name());
            }
            Verdict::NotShown(reason) => println!("{}: {name}: not shown, {reason}", subject.name()),
        }
    }
    held
}

#[test]
fn the_list_has_every_capability_with_every_outcome_and_every_fault() {
    let fields = [
        "idempotency",
        "webhook",
        "modification",
        "refunds",
        "auth_window",
        "can_cancel_open",
        "lookup_by_reference",
        "lists_payments",
        "page_seconds",
        "exponent",
        "min_amount",
        "step",
        "late",
        "live",
    ];
    let outcomes = ["done", "accepted", "rejected", "unknown"];
    let expected: Vec<String> =
        fields.iter().flat_map(|field| outcomes.iter().map(move |outcome| format!("{field} × {outcome}"))).collect();
    assert_eq!(cells::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected);
    for number in 1..=24 {
        let of = |name: &str| name.split(' ').next() == Some(&format!("F{number}"));
        assert!(faults::ALL.iter().any(|(name, _)| of(name)), "F{number}");
    }
}

#[test]
fn the_sandbox_conforms() {
    assert_eq!(conforms(subject::SandboxSubject::open), 21);
}

#[test]
fn stripe_conforms() {
    assert_eq!(conforms(subject::StripeSubject::open), 74);
}

#[test]
fn stripe_conforms_with_its_form_on_the_shops_page() {
    assert_eq!(conforms(subject::StripeSubject::with_form), 73);
}

#[cfg(feature = "faults")]
#[test]
fn a_gateway_with_pings_short_keys_and_no_calling_off_conforms() {
    assert_eq!(conforms(|| fake::Fake::open(fake::Shape::Ping)), 54);
}

#[cfg(feature = "faults")]
#[test]
fn a_gateway_that_answers_later_and_in_batches_conforms() {
    assert_eq!(conforms(|| fake::Fake::open(fake::Shape::Batch)), 72);
}
