//! Order: one order with all that happened to it, and what can be done about it.
//!
//! Always  what moves money is shown before it is done, on a page of its own that says what will happen; what came between is found by the
//!         step that does it, and told beside the form.

use http::StatusCode;
use serde_json::{Value, json};

use super::orders::{money, told_state};
use super::shop::stuck_row;
use super::told::{LATE_SECONDS, Standing, name_of};
use super::{AGAIN, ActError, At, Faults, Trouble, address, below, instant, line, page};
use crate::commerce::fulfillment::{Fulfillment, FulfillmentState, Parcel};
use crate::commerce::order::{Order, OrderState};
use crate::commerce::payment::{Attempt, AttemptState};
use crate::commerce::withdrawal::Withdrawal;
use crate::edge::http::Reply;
use crate::edge::perform::new_id;
use crate::store::Refusal;
use crate::store::desk::{Act, MAX_NOTE_BYTES};
use crate::store::fulfillments::{AskFulfillment, Telling};
use crate::store::refunds::{AskRefund, Refund, RefundProblem, Refundable};

/// A reason is a sentence; it stands in the customer's mail.
const REASON_BYTES: usize = 500;
/// Entries of the log on an order's page.
const LOG_ROWS: u32 = 100;

/// An order by its id, or by the number that people read aloud.
async fn found(at: &At<'_>, name: &str) -> Result<Order, Trouble> {
    let found = match at.store.order(&name.into()).await? {
        Some(order) => Some(order),
        None => at.store.order_by_number(name).await?,
    };
    found.ok_or(Trouble::NotFound)
}

pub(super) async fn show(at: &At<'_>, name: &str) -> Result<Reply, Trouble> {
    let order = found(at, name).await?;
    let told = match at.asked.query.get("done") {
        "refund" => Some("The refund is promised. The edge sends it now."),
        "cancel" => Some("The held money is let go; the order is canceled once it is."),
        "mail" => Some("The confirmation is sent once more."),
        "fulfil" => Some("It is written that this left the house. The edge tells the customer, where that was asked for."),
        "unfulfil" => Some("That was taken back; its units can be sent again."),
        "note" => Some("The note is kept."),
        "erase" => Some("Nobody is named by this order any more."),
        "resolve" => Some("It is off the list of what is stuck."),
        "again" => Some(AGAIN),
        _ => None,
    };
    shown(at, &order, StatusCode::OK, told, &Faults::new()).await
}

async fn shown(at: &At<'_>, order: &Order, status: StatusCode, told: Option<&str>, faults: &Faults) -> Result<Reply, Trouble> {
    let store = at.store;
    let history = store.history(&order.id).await?;
    let refunds = store.refunds(&order.id).await?;
    let refundable = store.refundable(&order.id).await?;
    let checkout = store.checkout(&order.checkout).await?;
    let attempt = checkout.and_then(|checkout| checkout.attempt);
    let sent = store.fulfillments(&order.id).await?;
    let fulfillment = FulfillmentState::of(order, &sent);
    let disputes = store.disputes(&order.id).await?;
    let sendable = store
        .sendable(&order.id)
        .await?
        .filter(|_| order.paid_at.is_some() && order.state == OrderState::Placed && order.erased_at.is_none());
    let left = sendable.filter(|sendable| !sendable.is_restocked).map(|sendable| sendable.left).unwrap_or_default();
    let withdrawals = store.withdrawals(&order.id).await?;
    let standing = Standing { order, attempt: attempt.as_ref(), refunds: &refunds, disputes: &disputes, fulfillment };
    let notes = store.notes(&order.id).await?;
    let log = store.audit(None, Some(&order.id), LOG_ROWS).await?;
    let name = name_of(order);
    let stuck = store.stuck_of(name, at.now().plus_seconds(-LATE_SECONDS)).await?;
    let refunded = refundable.as_ref().map_or(0, |sums| sums.refunded.minor);
    let quote = &order.quote;
    let waits =
        |attempt: &Attempt| attempt.state == AttemptState::Review || order.state == OrderState::Placed && attempt.state.is_live();
    let is_voidable = order.paid_at.is_none()
        && order.state != OrderState::Canceled
        && attempt.as_ref().is_some_and(|attempt| waits(attempt) && attempt.void_asked_at.is_none());
    let shown = json!({
        "told": told,
        "faults": faults,
        "given": given(at),
        "order": head(order, refunded),
        "lines": lines(order),
        "to_send": to_send(order, &left),
        "sent": sent.iter().map(parcel).collect::<Vec<_>>(),
        "withdrawals": withdrawals.iter().map(|one| json!({
            "at": instant(one.created_at), "reason": one.reason, "is_late": one.is_late, "id": one.id, "note": one.note,
            "what": if one.is_whole() { "the whole order".to_owned() } else { some_lines(one) },
        })).collect::<Vec<_>>(),
        "totals": totals(order),
        "payment": attempt.as_ref().map(|attempt| json!({
            "gateway": attempt.gateway, "reference": attempt.reference, "card": attempt.card, "state": attempt.state.name(),
            "number": attempt.number, "reason": attempt.reason,
        })),
        "quote_hash": quote.hash,
        "next": standing.next(),
        "refundable": refundable.as_ref().map(sums),
        "refunds": refunds.iter().map(refund).collect::<Vec<_>>(),
        "is_voidable": is_voidable,
        "is_paid": order.paid_at.is_some() && order.erased_at.is_none(),
        "stuck": stuck.iter().map(stuck_row).collect::<Vec<_>>(),
        "notes": notes.iter().map(|note| json!({"at": instant(note.at), "operator": note.operator, "text": note.text})).collect::<Vec<_>>(),
        "history": history.iter().map(|one| json!({"at": instant(one.at), "what": one.what, "detail": one.detail})).collect::<Vec<_>>(),
        "log": log.iter().map(super::shop::entry).collect::<Vec<_>>(),
    });
    page(at.app, at.asked, status, "desk/order.html", &format!("Order {name}"), shown)
}

/// What was written into a form that is shown once more.
fn given(at: &At<'_>) -> Value {
    let form = &at.asked.form;
    json!({"carrier": form.get("carrier"), "tracking": form.get("tracking"), "url": form.get("url"), "amount": form.get("amount"), "reason": form.get("reason"), "note": form.get("note"), "text": form.get("text"),
           "restock": !form.get("restock").is_empty()})
}

fn head(order: &Order, refunded_minor: i64) -> Value {
    let quote = &order.quote;
    let to = &quote.address;
    let parts = [&to.name, &to.line1, &to.line2, &to.postal_code, &to.city, &to.region, &to.country];
    json!({
        "address": below("/desk/orders", order.id.as_str()),
        "name": name_of(order),
        "id": order.id.as_str(),
        "state": told_state(order.state),
        "money": money(order.state, order.paid_at.is_some(), refunded_minor, quote.total().minor),
        "created_at": instant(order.created_at),
        "placed_at": order.placed_at.map(instant),
        "paid_at": order.paid_at.map(instant),
        "erased_at": order.erased_at.map(instant),
        "email": quote.contact.email,
        "phone": quote.contact.phone,
        "to": parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>(),
        "market": quote.market.as_str(),
        "language": quote.language,
    })
}

fn lines(order: &Order) -> Vec<Value> {
    let lines = order.quote.priced.lines.iter().map(|line| {
        json!({
            "sku": line.sku.as_str(), "stock": below("/desk/stock", line.sku.as_str()), "title": line.title,
            "variant": line.variant_title, "quantity": line.quantity, "unit_price": line.unit_price.to_string(),
            "discount": (line.discount.minor != 0).then(|| line.discount.to_string()), "total": line.total.to_string(),
            "properties": line.properties.iter().map(|(key, value)| json!({"key": key, "value": value})).collect::<Vec<_>>(),
        })
    });
    lines.collect()
}

fn to_send(order: &Order, left: &[u32]) -> Vec<Value> {
    let lines = order.quote.priced.lines.iter().zip(left).enumerate().filter(|(_, (_, left))| **left > 0);
    lines
        .map(|(place, (line, left))| json!({"place": place, "sku": line.sku.as_str(), "title": line.title, "left": left}))
        .collect()
}

fn parcel(one: &Fulfillment) -> Value {
    let lines: Vec<String> = one.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku)).collect();
    json!({
        "id": one.id, "at": instant(one.created_at), "lines": lines.join(", "), "carrier": one.parcel.carrier,
        "tracking": one.parcel.tracking, "url": one.parcel.url, "is_undone": one.undone_at.is_some(),
    })
}

fn some_lines(one: &Withdrawal) -> String {
    let lines: Vec<String> = one.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku)).collect();
    if lines.is_empty() { one.wanted.clone() } else { lines.join(", ") }
}

fn totals(order: &Order) -> Vec<Value> {
    let priced = &order.quote.priced;
    let totals = &priced.totals;
    let rate = priced.shipping.as_ref().map_or("Shipping", |option| option.name.as_str());
    let mut rows = vec![("Subtotal".to_owned(), totals.subtotal)];
    if totals.discount.minor != 0 {
        rows.push(("Discount".to_owned(), totals.discount));
    }
    rows.push((rate.to_owned(), totals.shipping));
    if totals.shipping_discount.minor != 0 {
        rows.push(("Discount on shipping".to_owned(), totals.shipping_discount));
    }
    rows.push(("Tax".to_owned(), totals.tax));
    rows.push(("Total".to_owned(), totals.total));
    rows.into_iter().map(|(name, amount)| json!({"name": name, "amount": amount.to_string()})).collect()
}

fn sums(refundable: &Refundable) -> Value {
    let left = refundable.left();
    json!({
        "captured": refundable.captured.to_string(), "refunded": refundable.refunded.to_string(), "left": left.to_string(),
        "left_plain": left.to_decimal_string(), "currency": left.currency.code(), "has_left": left.minor > 0,
        "can_restock": !refundable.is_restocked, "gateway": refundable.gateway,
    })
}

fn refund(one: &Refund) -> Value {
    json!({
        "amount": one.amount.to_string(), "state": one.state.name(), "reason": one.reason, "note": one.note, "restocked": one.restocked,
        "at": instant(one.created_at), "reference": one.reference, "failure": one.failure, "id": one.id,
    })
}

/// Does what a form asks for, or shows first what it would do.
pub(super) async fn act(at: &At<'_>, name: &str, act: &str) -> Result<Reply, Trouble> {
    let order = found(at, name).await?;
    match act {
        "refund" => give_back(at, &order).await,
        "cancel" if at.asked.form.get("step") != "do" => {
            let happens = vec![
                "The held money is let go at the gateway; nothing was taken.".to_owned(),
                "The order is canceled once it is, and its units are free again.".to_owned(),
                "Should the money be taken meanwhile, the order is paid and stays.".to_owned(),
            ];
            let question = "Cancel this order?".to_owned();
            confirm(
                at,
                &order,
                Wish { act: "cancel", question, happens, button: "Let the money go".to_owned(), fields: Vec::new() },
            )
        }
        "cancel" => done(at, &order, "cancel", Act::Void(order.id.clone())).await,
        "erase" if at.asked.form.get("step") != "do" => {
            let happens = vec![
                "Name, addresses, what was written on lines, parcels' numbers, notes and letters' traces are erased for ever."
                    .to_owned(),
                "Lines, amounts, taxes, country, region and the gateway's names of the payment stay, as accounts ask for them."
                    .to_owned(),
                "Nothing can be sent or written to anybody then; money can still go back.".to_owned(),
            ];
            let question = "Erase whoever bought?".to_owned();
            confirm(at, &order, Wish { act: "erase", question, happens, button: "Erase it".to_owned(), fields: Vec::new() })
        }
        "erase" => {
            let erased = done(at, &order, "erase", Act::Erase { checkout: order.checkout.clone() }).await?;
            // Where somebody reads at an older state of the file the next erasure does it.
            if let Err(error) = at.store.empty_log().await {
                tracing::warn!(%error, "the log beside the file still holds what was erased; the next erasure empties it");
            }
            Ok(erased)
        }
        "mail" => done(at, &order, "mail", Act::Confirm(order.id.clone())).await,
        "fulfil" => send(at, &order).await,
        "unfulfil" => {
            let id = at.asked.form.get("subject").to_owned();
            done(at, &order, "unfulfil", Act::Unfulfil { order: order.id.clone(), id, even_if_told: false }).await
        }
        "note" => {
            let text = at.asked.form.get("text").trim();
            let is_text = |letter: char| !letter.is_control() || letter == '\n' || letter == '\r';
            if text.is_empty() || text.len() > MAX_NOTE_BYTES || !text.chars().all(is_text) {
                let told = format!("A note is a text of at most {MAX_NOTE_BYTES} bytes.");
                return shown(at, &order, StatusCode::UNPROCESSABLE_ENTITY, None, &Faults::from([("text", told)])).await;
            }
            done(at, &order, "note", Act::Note { order: order.id.clone(), text: text.to_owned() }).await
        }
        "resolve" => {
            let (subject, note) = (at.asked.form.get("subject").to_owned(), line(at.asked.form.get("note"), REASON_BYTES));
            let Some(note) = note.filter(|note| !note.is_empty()) else {
                let told = format!("Say what was done, in one line of at most {REASON_BYTES} bytes.");
                return shown(at, &order, StatusCode::UNPROCESSABLE_ENTITY, None, &Faults::from([("resolve", told)])).await;
            };
            done(at, &order, "resolve", Act::Resolve { order: Some(order.id.clone()), subject, note }).await
        }
        _ => Err(Trouble::NotFound),
    }
}

fn led_back(order: &Order, done: &str) -> Reply {
    Reply::see_other(&address(&below("/desk/orders", order.id.as_str()), &[("done", done)]))
}

async fn done(at: &At<'_>, order: &Order, what: &'static str, act: Act) -> Result<Reply, Trouble> {
    match at.act(act).await {
        Ok(done) => Ok(led_back(order, if done.is_changed { what } else { "again" })),
        Err(ActError::Trouble(trouble)) => Err(trouble),
        Err(ActError::Refused(refusal)) => {
            let told = match (&refusal, what) {
                (Refusal::WrongState, "cancel") if order.paid_at.is_some() => {
                    "It is paid; give the money back instead.".to_owned()
                }
                (Refusal::WrongState, "cancel") => "It has no held money that could be let go.".to_owned(),
                (Refusal::WrongState, "mail") => "It is not paid, so there is no confirmation to send.".to_owned(),
                (Refusal::WrongState, "fulfil") => "It is not paid, so nothing of it is sent.".to_owned(),
                (Refusal::NothingLeft, "fulfil") => "All of it left the house already.".to_owned(),
                (Refusal::AllRefunded, "fulfil") => "All its money went back, so nothing of it is sent.".to_owned(),
                (Refusal::AlreadyRestocked, "fulfil") => "Its units were put back into stock, so none of them is sent.".to_owned(),
                (Refusal::MoreUnitsThanLeft { sku, left }, "fulfil") => format!("Of {sku} only {left} can still be sent."),
                (Refusal::CustomerTold, "unfulfil") => {
                    "The customer was told that it is on its way. `vitrine orders unfulfil --even-if-told` takes it back; write to them yourself."
                        .to_owned()
                }
                (Refusal::UnderWay { obstacle }, "erase") => format!("Not yet: {obstacle}."),
                (Refusal::NotFound, "resolve") => "Nothing of that name waits for a person any more.".to_owned(),
                _ => format!("That was not done: {refusal}."),
            };
            // As it is by now.
            let order = at.store.order(&order.id).await?.ok_or(Trouble::NotFound)?;
            shown(at, &order, StatusCode::CONFLICT, None, &Faults::from([(what, told)])).await
        }
    }
}

/// Units leave the house: those that are written beside each line.
async fn send(at: &At<'_>, order: &Order) -> Result<Reply, Trouble> {
    let form = &at.asked.form;
    let parcel = Parcel {
        carrier: form.get("carrier").trim().to_owned(),
        tracking: form.get("tracking").trim().to_owned(),
        url: form.get("url").trim().to_owned(),
    };
    let mut faults = Faults::new();
    if let Err(fault) = parcel.check() {
        faults.insert(fault.field(), format!("Write {fault}."));
    }
    let mut lines = Vec::new();
    for (place, _) in (0u32..).zip(&order.quote.priced.lines) {
        let text = form.get(&format!("units.{place}")).trim();
        match if text.is_empty() { Ok(0) } else { text.parse::<u32>() } {
            Ok(0) => {}
            Ok(units) => lines.push((place, units)),
            Err(_) => drop(faults.insert("fulfil", format!("`{text}` is no number of units."))),
        }
    }
    if faults.is_empty() && lines.is_empty() {
        faults.insert("fulfil", "Write how many of what leaves the house.".to_owned());
    }
    if !faults.is_empty() {
        return shown(at, order, StatusCode::UNPROCESSABLE_ENTITY, None, &faults).await;
    }
    let ask = AskFulfillment {
        id: new_id(),
        key: format!("desk-{}", at.key(("fulfil", ""))?),
        order: order.id.clone(),
        lines,
        parcel,
        is_present: false,
        telling: if form.get("quiet").is_empty() { Telling::Letter } else { Telling::Nothing },
        now: at.now(),
    };
    done(at, order, "fulfil", Act::Fulfil(ask)).await
}

async fn give_back(at: &At<'_>, order: &Order) -> Result<Reply, Trouble> {
    let form = &at.asked.form;
    // Nothing is done but the amount that was shown: without one it is shown first.
    let is_shown = form.get("step") == "do" && form.filled("amount").is_some();
    // What is left by now says nothing about a form that was done.
    if is_shown && at.is_done(("refund", "")).await? {
        return Ok(led_back(order, "again"));
    }
    let restocks = !form.get("restock").is_empty();
    let mut faults = Faults::new();
    let [reason, note] = ["reason", "note"].map(|name| {
        let text = line(form.get(name), REASON_BYTES);
        if text.is_none() {
            faults.insert(name, format!("One line of at most {REASON_BYTES} bytes."));
        }
        text.unwrap_or_default()
    });
    let Some(refundable) = at.store.refundable(&order.id).await? else {
        let told = "Nothing was taken for this order, so nothing can go back.".to_owned();
        return shown(at, order, StatusCode::CONFLICT, None, &Faults::from([("refund", told)])).await;
    };
    let amount = match refundable.plan(form.filled("amount"), restocks) {
        Ok(amount) if faults.is_empty() => amount,
        planned => {
            if let Err(problem) = planned {
                let field = if problem == RefundProblem::AlreadyRestocked { "restock" } else { "amount" };
                faults.insert(field, told(&problem));
            }
            return shown(at, order, StatusCode::UNPROCESSABLE_ENTITY, None, &faults).await;
        }
    };
    if !is_shown {
        let left = refundable.left();
        let mut happens = vec![
            format!("{amount} goes back to whoever paid, by {}.", refundable.gateway),
            format!(
                "Of {} that was taken, {} went back so far; {} is left afterwards.",
                refundable.captured,
                refundable.refunded,
                left - amount
            ),
        ];
        happens.push(match restocks {
            true => "All units of the order are put back into stock now.".to_owned(),
            false => "Its units are not put back into stock.".to_owned(),
        });
        happens.push(match reason.is_empty() {
            _ if order.erased_at.is_some() => "Nobody is written to: whoever bought was erased.".to_owned(),
            true => format!("{} is written to that the money is on its way.", order.quote.contact.email),
            false => format!("{} is written to that the money is on its way: “{reason}”", order.quote.contact.email),
        });
        let fields = vec![
            ("amount", amount.to_decimal_string()),
            ("reason", reason),
            ("note", note),
            ("restock", if restocks { "1" } else { "" }.to_owned()),
        ];
        let (question, button) = (format!("Give back {amount}?"), format!("Give back {amount}"));
        return confirm(at, order, Wish { act: "refund", question, happens, button, fields });
    }
    let ask = AskRefund {
        id: new_id(),
        order: order.id.clone(),
        amount_minor: Some(amount.minor),
        reason,
        note,
        restocks,
        now: at.now(),
    };
    match at.act(Act::Refund(ask)).await {
        Ok(done) => Ok(led_back(order, if done.is_changed { "refund" } else { "again" })),
        Err(ActError::Trouble(trouble)) => Err(trouble),
        // Another operator was first.
        Err(ActError::Refused(refusal)) => {
            let told = match refusal {
                Refusal::MoreThanLeft { left } => told(&RefundProblem::MoreThanLeft { left }),
                other => format!("That was not done: {other}."),
            };
            shown(at, order, StatusCode::CONFLICT, None, &Faults::from([("amount", told)])).await
        }
    }
}

fn told(problem: &RefundProblem) -> String {
    match problem {
        RefundProblem::MoreThanLeft { left } if left.minor == 0 => "All of it went back already, or is on its way.".to_owned(),
        RefundProblem::MoreThanLeft { left } => format!("At most {left} can still go back."),
        RefundProblem::AlreadyRestocked => "The units of this order were put back into stock before.".to_owned(),
        RefundProblem::NotAnAmount { .. } => format!("{problem}."),
    }
}

/// What would be done.
struct Wish {
    act: &'static str,
    question: String,
    happens: Vec<String>,
    button: String,
    /// What the form that does it says, as it was understood; what is empty is left out.
    fields: Vec<(&'static str, String)>,
}

/// What would happen, with a button that does it.
fn confirm(at: &At<'_>, order: &Order, wish: Wish) -> Result<Reply, Trouble> {
    let Wish { act, question, happens, button, fields } = wish;
    let back = below("/desk/orders", order.id.as_str());
    let fields = fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| json!({"name": name, "value": value}));
    let shown = json!({
        "question": question, "happens": happens, "button": button, "back": back, "action": format!("{back}/{act}"),
        "fields": fields.collect::<Vec<_>>(), "about": format!("Order {}", name_of(order)),
    });
    at.page("desk/confirm.html", &question, shown)
}
