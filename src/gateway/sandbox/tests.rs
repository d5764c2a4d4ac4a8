//! Sandbox: what a hosted gateway promises, asked of the sandbox and its ledger.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Currency;
use crate::gateway::{CreatePayment, Gateway, RemoteState};

fn wish(minor: i64) -> Vec<u8> {
    let currency = Currency::from_code("EUR").expect("the euro is a currency");
    let metadata = BTreeMap::from([("quote_hash".to_owned(), "ab".to_owned())]);
    let return_url = "http://127.0.0.1:8080/checkout/1/return?token=t".to_owned();
    CreatePayment {
        amount: Money::new(minor, currency),
        return_url,
        leave_url: "http://127.0.0.1:8080/checkout/1".to_owned(),
        description: "Lamp <small>".to_owned(),
        email: "ada@example.com".to_owned(),
        confirmation: None,
        key: "k1".to_owned(),
        expires_at: Timestamp(1_790_000_000),
        metadata,
    }
    .to_bytes()
}

fn sandbox() -> Sandbox {
    Sandbox::open(Path::new(":memory:"), "http://127.0.0.1:8080", false).expect("a ledger in memory")
}

fn done<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(value) => value,
        other => panic!("expected Done, got {other:?}"),
    }
}

fn is_rejected<T>(outcome: Outcome<T>) -> bool {
    matches!(outcome, Outcome::Rejected(_))
}

async fn post(sandbox: &Sandbox, reference: &str, field: &str, value: &str) -> PageReply {
    let form = [(field.to_owned(), value.to_owned())];
    let path = format!("{PAGES}{reference}");
    sandbox.respond(PageRequest { path: &path, post: true, form: &form }).await.expect("the ledger works")
}

async fn opened(sandbox: &Sandbox) -> RemotePayment {
    done(sandbox.create("k1", &wish(1990)).await)
}

#[tokio::test]
async fn same_key_and_bytes_give_the_same_payment_and_other_bytes_are_rejected() {
    let sandbox = sandbox();
    let first = opened(&sandbox).await;
    assert_eq!(first, done(sandbox.create("k1", &wish(1990)).await));
    assert!(is_rejected(sandbox.create("k1", &wish(1991)).await));
    assert!(is_rejected(sandbox.capture("k1", &first.reference).await), "a key belongs to one operation");
    assert_eq!(sandbox.all_payments().await.expect("readable").len(), 1);
    assert_eq!(done(sandbox.lookup("k1").await).map(|payment| payment.reference), Some(first.reference));
    assert_eq!(done(sandbox.lookup("never").await), None);
}

#[tokio::test]
async fn a_good_card_holds_the_money_and_capture_takes_it_once() {
    let sandbox = &sandbox();
    let gateway = Gateway::Sandbox(sandbox.clone());
    let payment = opened(sandbox).await;
    assert!(payment.redirect_url.as_deref().is_some_and(|url| url.ends_with(&payment.reference)));
    assert!(is_rejected(gateway.capture("c0", &payment.reference).await), "nothing is held yet");
    let _ = post(sandbox, &payment.reference, "number", "4242 4242 4242 4242").await;
    let held = done(gateway.fetch(&payment.reference).await);
    assert_eq!((held.state, held.card.as_deref(), held.redirect_url), (RemoteState::Authorized, Some("Visa 4242"), None));
    assert_eq!(done(gateway.capture("c1", &payment.reference).await).state, RemoteState::Captured);
    assert_eq!(done(gateway.capture("c1", &payment.reference).await).state, RemoteState::Captured);
    assert!(is_rejected(gateway.cancel("x1", &payment.reference).await), "captured money is refunded, not canceled");
    let part = Money::new(1000, payment.amount.currency);
    assert_eq!(done(gateway.refund("r1", &payment.reference, part).await).refunded_minor, 1000);
    assert_eq!(done(gateway.refund("r1", &payment.reference, part).await).refunded_minor, 1000);
    assert!(is_rejected(gateway.refund("r2", &payment.reference, part).await), "more than is left");
}

#[tokio::test]
async fn a_declined_card_ends_the_payment_for_ever() {
    let sandbox = sandbox();
    let payment = opened(&sandbox).await;
    let _ = post(&sandbox, &payment.reference, "number", "4000000000000002").await;
    let _ = post(&sandbox, &payment.reference, "number", "4242424242424242").await;
    let after = done(sandbox.fetch(&payment.reference).await);
    assert_eq!((after.state, after.decline_code.as_deref()), (RemoteState::Declined, Some("card_declined")));
}

#[tokio::test]
async fn the_second_step_decides() {
    let sandbox = sandbox();
    for (key, number, step, expected) in [
        ("a", "4000002760003184", "authenticate", RemoteState::Authorized),
        ("b", "4000002760003184", "refuse", RemoteState::Declined),
        ("c", "4000008260003178", "authenticate", RemoteState::Declined),
        ("d", "4000002760003184", "leave", RemoteState::Canceled),
    ] {
        let payment = done(sandbox.create(key, &wish(500)).await);
        let _ = post(&sandbox, &payment.reference, "number", number).await;
        assert_eq!(done(sandbox.fetch(&payment.reference).await).state, RemoteState::Open);
        let _ = post(&sandbox, &payment.reference, "step", step).await;
        assert_eq!(done(sandbox.fetch(&payment.reference).await).state, expected, "{number} {step}");
    }
}

#[tokio::test]
async fn a_second_step_that_nobody_opened_pays_nothing() {
    let sandbox = sandbox();
    let payment = opened(&sandbox).await;
    let _ = post(&sandbox, &payment.reference, "step", "authenticate").await;
    assert_eq!(done(sandbox.fetch(&payment.reference).await).state, RemoteState::Open);
}

#[tokio::test]
async fn the_page_escapes_what_the_shop_calls_the_purchase_and_explains_a_wrong_number() {
    let sandbox = sandbox();
    let payment = opened(&sandbox).await;
    let path = format!("{PAGES}{}", payment.reference);
    let page = sandbox.respond(PageRequest { path: &path, post: false, form: &[] }).await.expect("the ledger works");
    let PageReply::Html { status: 200, body } = page else { panic!("a page") };
    assert!(body.contains("Lamp &lt;small&gt;") && body.contains("19.90 EUR"));
    let PageReply::Html { status: 422, body } = post(&sandbox, &payment.reference, "number", "1234").await else {
        panic!("a refusal")
    };
    assert!(body.contains("4242 4242 4242 4242 always works"));
    let missing = sandbox.respond(PageRequest { path: "/checkout/sandbox/sb_x", post: false, form: &[] }).await;
    assert!(matches!(missing, Ok(PageReply::Html { status: 404, .. })));
}

#[test]
fn play_money_is_refused_where_strangers_can_pay() {
    for (base_url, allowed) in [
        ("http://127.0.0.1:8080", true),
        ("http://localhost:8080", true),
        ("http://[::1]:8080", true),
        ("https://shop.example", false),
        ("https://127.0.0.1.example", false),
        ("nonsense", false),
    ] {
        assert_eq!(Sandbox::open(Path::new(":memory:"), base_url, false).is_ok(), allowed, "{base_url}");
        assert!(Sandbox::open(Path::new(":memory:"), base_url, true).is_ok());
    }
}
