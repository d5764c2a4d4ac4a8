//! Hooks: how the merchant's own systems are told, what waits for them, and sending it again.

use serde_json::{Value, json};

use super::{ActError, At, Trouble, address, below, instant};
use crate::edge::http::Reply;
use crate::edge::input::Whole;
use crate::store::Refusal;
use crate::store::desk::Act;
use crate::store::fact::{Delivery, Present, SubscriberState};

/// Events that are shown from where a system stands.
const SHOWN: u32 = 50;

fn state(one: &SubscriberState) -> Value {
    json!({
        "name": one.name, "address": below("/desk/webhooks", &one.name), "url": one.url, "events": one.events.join(", "),
        "next": one.next_sequence, "last": one.last_sequence, "waiting": one.waiting, "since": one.waiting_since.map(instant),
        "accepted": one.accepted_at.map(instant), "failing": one.failing_since.map(instant), "error": one.last_error, "tries": one.tries,
        "next_try": one.next_try_at.map(instant), "removed": one.removed_at.map(instant), "first_kept": one.first_kept,
        "failures": one.failures,
    })
}

pub(super) async fn list(at: &At<'_>) -> Result<Reply, Trouble> {
    let all = at.store.subscribers(Present::All).await?;
    at.page("desk/webhooks.html", "Webhooks", json!({"rows": all.iter().map(state).collect::<Vec<_>>()}))
}

async fn found(at: &At<'_>, name: &str) -> Result<SubscriberState, Trouble> {
    let all = at.store.subscribers(Present::All).await?;
    all.into_iter().find(|one| one.name == name).ok_or(Trouble::NotFound)
}

/// One system; `fault`: why the form that came was not done.
pub(super) async fn show(at: &At<'_>, name: &str, fault: Option<String>) -> Result<Reply, Trouble> {
    let one = found(at, name).await?;
    let from =
        at.asked.query.filled("from").and_then(Whole::parse).and_then(Whole::as_i64).and_then(|from| u64::try_from(from).ok());
    let from = from.unwrap_or_else(|| one.next_sequence.saturating_sub(u64::from(SHOWN / 2)).max(1));
    let events = at.store.deliveries_from(name, from, SHOWN).await?;
    // Numbers that are not kept any more: a gap that no replay closes.
    let gap = one.first_kept.filter(|first| *first > 1).map(|first| format!("1 to {}", first - 1));
    let row = |event: &Delivery| {
        json!({
            "sequence": event.sequence, "kind": event.kind, "at": instant(event.at), "order": event.order_number, "id": event.key,
            "address": event.order_number.as_ref().map(|order| below("/desk/orders", order)),
            "is_accepted": event.sequence < one.next_sequence,
        })
    };
    let here = below("/desk/webhooks", name);
    let next =
        events.last().filter(|last| last.sequence < one.last_sequence).map(|last| format!("{here}?from={}", last.sequence + 1));
    let is_refused = fault.is_some();
    let shown = json!({
        "one": state(&one), "events": events.iter().map(row).collect::<Vec<_>>(), "gap": gap, "next": next, "fault": fault,
        "first": format!("{here}?from=1"),
        "can_replay": one.next_sequence > 1 && one.first_kept.is_some_and(|first| first < one.next_sequence),
        "told": match at.asked.query.get("done") {
            "replay" => Some("They are sent again, now."),
            "test" => Some("The test was accepted."),
            "again" => Some("This form was sent before; the log says what was answered. Nothing was sent now."),
            _ => None,
        },
    });
    let title = format!("Webhook {name}");
    if is_refused { at.refused("desk/webhook.html", &title, shown) } else { at.page("desk/webhook.html", &title, shown) }
}

pub(super) async fn change(at: &At<'_>, name: &str) -> Result<Reply, Trouble> {
    let one = found(at, name).await?;
    let here = below("/desk/webhooks", name);
    let done = |done: &str| Ok(Reply::see_other(&address(&here, &[("done", done)])));
    match at.asked.form.get("step") {
        "replay" => {
            let from = Whole::parse(at.asked.form.get("from")).and_then(Whole::as_i64).and_then(|from| u64::try_from(from).ok());
            let first = one.first_kept.unwrap_or(1);
            let Some(from) = from.filter(|from| (first..one.next_sequence).contains(from)) else {
                let told = match one.next_sequence {
                    1 => "It was sent nothing yet, so nothing can be sent again.".to_owned(),
                    next => format!("Write the number of an event that was sent and is kept: {first} to {}.", next - 1),
                };
                return show(at, name, Some(told)).await;
            };
            match at.act(Act::Replay { subscriber: name.to_owned(), from }).await {
                Ok(_) => {
                    if let Some(subscribers) = &at.till.subscribers {
                        subscribers.wake();
                    }
                    done("replay")
                }
                Err(ActError::Trouble(trouble)) => Err(trouble),
                Err(ActError::Refused(Refusal::WrongState)) => {
                    show(at, name, Some("It was set to another event just now.".to_owned())).await
                }
                Err(ActError::Refused(refusal)) => show(at, name, Some(format!("That was not done: {refusal}."))).await,
            }
        }
        "test" => {
            let Some(subscribers) = &at.till.subscribers else {
                return show(at, name, Some("This edge tells nobody anything.".to_owned())).await;
            };
            // Their system hears of a form that is sent twice once, too.
            if at.is_done(("test", name)).await? {
                return done("again");
            }
            let sent = subscribers.test(name, &one.url, at.now()).await;
            let answer = match &sent {
                Ok(status) => format!("accepted with {status}"),
                Err(error) => format!("not accepted: {error}"),
            };
            match at.act(Act::Tested { subscriber: name.to_owned(), answer: answer.clone() }).await {
                Ok(_) if sent.is_ok() => done("test"),
                Ok(_) => show(at, name, Some(format!("The test was {answer}."))).await,
                Err(ActError::Trouble(trouble)) => Err(trouble),
                Err(ActError::Refused(refusal)) => show(at, name, Some(format!("That was not done: {refusal}."))).await,
            }
        }
        _ => Err(Trouble::Malformed("There is nothing of that name to do.")),
    }
}
