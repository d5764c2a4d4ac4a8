//! Desk: acts with their entries in the audit log, and looks at stock and at a day.
//!
//! Always  an act is the step that commands take as well; what stood before is read in the transaction that changes it. What an act decides by
//!         is locked before it is asked whether its form was done: of two that come at once the second finds what the first has written.

use super::locks::{Lock, lock};
use super::operators::{By, Entry, write_down};
use super::{erasures, fulfillments, history, orders, refunds, stock, subscribers, switches};
use crate::commerce::ids::{OrderId, Sku, Timestamp};
use crate::commerce::inventory::StockLevel;
use crate::store::desk::{Act, Done, Movement, Note, Sold, StockWanted};
use crate::store::fulfillments::AskFulfillment;
use crate::store::refunds::AskRefund;
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

pub(in crate::store) fn act(
    tx: &Tx<'_>,
    (operator, key): (&str, Option<&str>),
    act: &Act,
    now: Timestamp,
) -> Result<Done, StoreError> {
    lock_for(tx, act)?;
    if is_done(tx, key)? {
        return Ok(Done::default());
    }
    let by = By { operator, key };
    match act {
        Act::Refund(ask) => refund(tx, by, ask, now),
        Act::Void(order) => {
            let before = state_of(tx, order)?;
            refunds::ask_void(tx, order, now)?;
            let after = "the held money is let go";
            write_down(tx, by, &Entry { before, after, ..Entry::on("cancel", order) }, now)?;
            Ok(changed())
        }
        Act::Confirm(order) => {
            history::confirm_again(tx, order, now)?;
            write_down(tx, by, &Entry { detail: "the confirmation", ..Entry::on("mail again", order) }, now)?;
            Ok(changed())
        }
        Act::Fulfil(ask) => fulfil(tx, by, ask, now),
        Act::Unfulfil { order, id, even_if_told } => unfulfil(tx, by, (order, id), *even_if_told, now),
        Act::Note { order, text } => {
            state_of(tx, order)?;
            let insert = "INSERT INTO order_notes (order_id, operator, text, at) VALUES (?1, ?2, ?3, ?4)";
            tx.execute(insert, params![order.as_str(), by.operator, text, now.0])?;
            write_down(tx, by, &Entry { detail: text, ..Entry::on("note", order) }, now)?;
            Ok(changed())
        }
        Act::Erase { checkout } => {
            let erased = erasures::erase(tx, checkout, now)?;
            for (place, order) in erased.orders.iter().enumerate() {
                // A form has one key, and is one entry's.
                let by = if place == 0 { by } else { By { key: None, ..by } };
                write_down(tx, by, &Entry::on("erased", order), now)?;
            }
            if erased.orders.is_empty() && erased.is_changed {
                write_down(tx, by, &Entry { action: "erased", subject: checkout.as_str(), ..Entry::default() }, now)?;
            }
            Ok(Done { is_changed: erased.is_changed, ..Done::default() })
        }
        Act::Resolve { order, subject, note } => {
            let about = history::order_of(tx, subject)?;
            if order.is_some() && *order != about {
                return Err(Refusal::NotFound.into());
            }
            history::resolve(tx, subject, note, now)?;
            let order = about.as_ref().map(OrderId::as_str);
            write_down(tx, by, &Entry { action: "resolve", subject, order, detail: note, ..Entry::default() }, now)?;
            Ok(changed())
        }
        Act::SetStock { sku, on_hand, reason } => {
            counted(tx, by, "stock set", (sku, reason), now, |tx| stock::set(tx, sku, *on_hand, reason, now))
        }
        Act::AdjustStock { sku, change, reason } => {
            counted(tx, by, "stock adjusted", (sku, reason), now, |tx| stock::adjust(tx, sku, *change, reason, now))
        }
        Act::Pause { reason } => {
            let is_changed = switches::pause(tx, reason, now)?;
            let before = if is_changed { "open" } else { "paused" };
            let entry = Entry { action: "payments paused", detail: reason, before, after: "paused", ..Entry::default() };
            write_down(tx, by, &entry, now)?;
            Ok(Done { is_changed, ..Done::default() })
        }
        Act::Resume => {
            let is_changed = switches::resume(tx)?;
            if is_changed {
                let entry = Entry { action: "payments resumed", before: "paused", after: "open", ..Entry::default() };
                write_down(tx, by, &entry, now)?;
            }
            Ok(Done { is_changed, ..Done::default() })
        }
        Act::Replay { subscriber, from } => {
            let select = "SELECT next_sequence FROM subscribers WHERE name = ?1";
            let next: i64 = tx.query_opt(select, params![subscriber], |row| row.get(0))?.ok_or(Refusal::NotFound)?;
            subscribers::replay(tx, subscriber, *from)?;
            let (before, after) = (format!("event {next} is next"), format!("event {from} is next"));
            let entry = Entry { action: "events again", subject: subscriber, before: &before, after: &after, ..Entry::default() };
            write_down(tx, by, &entry, now)?;
            Ok(changed())
        }
        Act::Tested { subscriber, answer } => {
            let entry = Entry { action: "test event", subject: subscriber, detail: answer, ..Entry::default() };
            write_down(tx, by, &entry, now)?;
            Ok(changed())
        }
    }
}

fn lock_for(tx: &Tx<'_>, act: &Act) -> Result<(), StoreError> {
    match act {
        Act::Refund(AskRefund { order, .. })
        | Act::Fulfil(AskFulfillment { order, .. })
        | Act::Void(order)
        | Act::Confirm(order)
        | Act::Unfulfil { order, .. }
        | Act::Note { order, .. }
        | Act::Resolve { order: Some(order), .. } => lock(tx, Lock::Order(order.as_str())),
        Act::SetStock { sku, .. } | Act::AdjustStock { sku, .. } => lock(tx, Lock::Stock(sku)),
        Act::Replay { subscriber, .. } => lock(tx, Lock::Subscriber(subscriber)),
        Act::Erase { checkout } => lock(tx, Lock::Checkout(checkout)),
        // Doing these twice at once is doing them once.
        Act::Resolve { order: None, .. } | Act::Pause { .. } | Act::Resume | Act::Tested { .. } => Ok(()),
    }
}

pub(in crate::store) fn is_done(tx: &Tx<'_>, key: Option<&str>) -> Result<bool, StoreError> {
    tx.exists("SELECT 1 FROM audit WHERE key = ?1", params![key])
}

fn changed() -> Done {
    Done { is_changed: true, ..Done::default() }
}

impl<'a> Entry<'a> {
    fn on(action: &'a str, order: &'a OrderId) -> Self {
        Self { action, order: Some(order.as_str()), ..Self::default() }
    }
}

fn state_of(tx: &Tx<'_>, order: &OrderId) -> Result<&'static str, StoreError> {
    Ok(orders::by_id(tx, order.as_str())?.ok_or(Refusal::NotFound)?.state.name())
}

fn fulfil(tx: &Tx<'_>, by: By<'_>, ask: &AskFulfillment, now: Timestamp) -> Result<Done, StoreError> {
    let sent = fulfillments::fulfil(tx, ask)?;
    // Else its key named one that was sent before.
    let is_changed = sent.id == ask.id;
    if is_changed {
        let mut words: Vec<String> = sent.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku)).collect();
        words.extend([&sent.parcel.carrier, &sent.parcel.tracking].into_iter().filter(|text| !text.is_empty()).cloned());
        let detail = words.join(", ");
        write_down(tx, by, &Entry { subject: &sent.id, detail: &detail, ..Entry::on("sent", &ask.order) }, now)?;
    }
    Ok(Done { fulfillment: Some(sent), is_changed, ..Done::default() })
}

fn unfulfil(
    tx: &Tx<'_>,
    by: By<'_>,
    (order, id): (&OrderId, &str),
    even_if_told: bool,
    now: Timestamp,
) -> Result<Done, StoreError> {
    let found = fulfillments::by_id(tx, id)?.filter(|found| found.order == *order).ok_or(Refusal::NotFound)?;
    let undone = fulfillments::unfulfil(tx, id, even_if_told, now)?;
    let is_changed = found.undone_at.is_none();
    if is_changed {
        write_down(tx, by, &Entry { subject: id, ..Entry::on("not sent after all", order) }, now)?;
    }
    Ok(Done { fulfillment: Some(undone), is_changed, ..Done::default() })
}

fn refund(tx: &Tx<'_>, by: By<'_>, ask: &AskRefund, now: Timestamp) -> Result<Done, StoreError> {
    let left = refunds::refundable(tx, &ask.order)?.ok_or(Refusal::NothingTaken)?.left();
    let refund = refunds::ask(tx, ask)?;
    let units = if ask.restocks { ", units put back" } else { "" };
    let (before, after) = (format!("{left} left"), format!("{} left", left - refund.amount));
    let told = [&ask.reason, &ask.note].into_iter().filter(|text| !text.is_empty()).map(|text| format!(", {text}"));
    let detail = format!("{}{units}{}", refund.amount, told.collect::<String>());
    let entry = Entry { subject: &refund.id, detail: &detail, before: &before, after: &after, ..Entry::on("refund", &ask.order) };
    write_down(tx, by, &entry, now)?;
    Ok(Done { refund: Some(refund), is_changed: true, ..Done::default() })
}

fn counted(
    tx: &Tx<'_>,
    by: By<'_>,
    action: &str,
    (sku, reason): (&Sku, &str),
    now: Timestamp,
    change: impl FnOnce(&Tx<'_>) -> Result<StockLevel, StoreError>,
) -> Result<Done, StoreError> {
    let select = "SELECT on_hand FROM stock WHERE sku = ?1";
    let before = tx.query_opt(select, params![sku.as_str()], |row| row.get::<_, i64>(0))?;
    let level = change(tx)?;
    let (before, after) = (before.map_or_else(|| "never counted".to_owned(), |was| was.to_string()), level.on_hand.to_string());
    let entry = Entry { action, subject: sku.as_str(), detail: reason, before: &before, after: &after, ..Entry::default() };
    write_down(tx, by, &entry, now)?;
    Ok(Done { level: Some(level), is_changed: true, ..Done::default() })
}

pub(in crate::store) fn notes(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Note>, StoreError> {
    let select = "SELECT at, operator, text FROM order_notes WHERE order_id = ?1 ORDER BY id";
    tx.query(select, params![order.as_str()], |row| {
        Ok(Note { at: Timestamp(row.get(0)?), operator: row.get(1)?, text: row.get(2)? })
    })
}

pub(in crate::store) fn stock_page(tx: &Tx<'_>, wanted: &StockWanted) -> Result<Vec<StockLevel>, StoreError> {
    let StockWanted { prefix, at_most, after, limit } = wanted;
    let select = "SELECT sku, on_hand, reserved, sold FROM stock WHERE sku > ?1 AND sku >= ?2 AND sku < ?3
             AND (?4 IS NULL OR on_hand - reserved <= ?4) ORDER BY sku LIMIT ?5";
    tx.query(select, params![after, prefix, super::search::end_of(prefix), at_most, *limit], stock::read)
}

pub(in crate::store) fn movements(tx: &Tx<'_>, sku: &Sku, before: Option<i64>, limit: u32) -> Result<Vec<Movement>, StoreError> {
    let select =
        "SELECT id, change, kind, reason, order_id, at FROM stock_movements WHERE sku = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    tx.query(select, params![sku.as_str(), before.unwrap_or(i64::MAX), limit], |row: &Row<'_>| {
        Ok(Movement {
            id: row.get(0)?,
            change: row.get(1)?,
            kind: row.get(2)?,
            reason: row.get(3)?,
            order: row.get::<_, Option<String>>(4)?.map(OrderId),
            at: Timestamp(row.get(5)?),
        })
    })
}

pub(in crate::store) fn sold_since(tx: &Tx<'_>, since: Timestamp) -> Result<Vec<Sold>, StoreError> {
    // The orders of a day first, as a `CROSS JOIN` tells SQLite, then their payments: not all payments there ever were.
    let select = "SELECT currency, count(*), CAST(sum(amount_minor) AS BIGINT) FROM orders CROSS JOIN attempts
         WHERE attempts.order_id = orders.id AND attempts.state = 'paid' AND orders.created_at >= ?1 GROUP BY currency ORDER BY currency";
    let rows = tx.query(select, params![since.0], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?;
    rows.into_iter().map(|(code, orders, minor)| Sold::of(&code, orders, minor)).collect()
}
