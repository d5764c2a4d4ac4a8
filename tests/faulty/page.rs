//! Page: what the shopper sees at the gateway and does there, in plain forms.

use super::wire::{self, Verdict};
use super::{Shared, intents};

/// What a page answers: status, location, body.
pub(super) type Shown = (u16, Option<String>, String);

pub(super) fn respond(shared: &Shared, session: &str, form: Option<&wire::Form>) -> Shown {
    let found = shared.ledger().transact(|tx| {
        wire::pass_time(tx, shared.now());
        tx.get(session)
    });
    let Some(found) = found else { return (404, None, "<h1>No such page</h1>".to_owned()) };
    if found["object"] == "payment_intent" {
        return intents::respond(shared, &found, form);
    }
    let text = |name: &str| found[name].as_str().unwrap_or("").to_owned();
    if found["status"] == "expired" {
        return (410, None, "<h1>This page has run out</h1>".to_owned());
    }
    if found["status"] == "complete" {
        return (303, Some(text("success_url")), String::new());
    }
    let Some(form) = form else {
        let page = "<h1>Pay</h1><form method=post><input name=number><button>Pay</button></form>";
        return (200, None, page.to_owned());
    };
    match (wire::field(form, "step"), wire::field(form, "number")) {
        (Some("leave"), _) => (303, Some(text("cancel_url")), String::new()),
        (Some(step @ ("authenticate" | "refuse")), _) => {
            let verdict = if step == "authenticate" { Verdict::Approved } else { Verdict::Declined("authentication_failed") };
            present(shared, session, verdict);
            after(shared, session)
        }
        (_, Some(number)) => {
            present(shared, session, judged(number));
            after(shared, session)
        }
        _ => (422, None, "<h1>Which card?</h1>".to_owned()),
    }
}

/// On to the shop where it was paid; else the page again.
fn after(shared: &Shared, session: &str) -> Shown {
    let found = shared.ledger().transact(|tx| tx.get(session)).expect("it was there");
    match found["status"].as_str() {
        Some("complete") => (303, found["success_url"].as_str().map(str::to_owned), String::new()),
        _ => (402, None, "<h1>Another card, or a second step</h1>".to_owned()),
    }
}

fn present(shared: &Shared, session: &str, verdict: Verdict) {
    shared.ledger().transact(|tx| wire::pay(tx, session, verdict, shared.now()));
}

/// The same test numbers as everywhere (CHECKOUT.md 2.1).
pub(super) fn judged(number: &str) -> Verdict {
    match number.replace([' ', '-'], "").as_str() {
        "4000000000000002" => Verdict::Declined("generic_decline"),
        "4000000000009995" => Verdict::Declined("insufficient_funds"),
        "4000000000000069" => Verdict::Declined("expired_card"),
        "4000002760003184" => Verdict::SecondStep,
        _ => Verdict::Approved,
    }
}

/// Gives where the shopper is sent, or the page's text.
pub(super) fn give_card(shared: &Shared, session: &str, number: &str) -> String {
    let form = vec![("number".to_owned(), number.to_owned())];
    let (_, location, body) = respond(shared, session, Some(&form));
    location.unwrap_or(body)
}
