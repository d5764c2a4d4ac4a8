//! Fulfillments: rows of what left the house, and how many units of each line did.
//!
//! Always  what is left is counted by `fulfilled_lines`, whose constraint no more units pass than were ordered.

use std::collections::BTreeMap;

use super::locks::{Lock, lock};
use super::{facts, letters, orders, refunds};
use crate::commerce::fulfillment::{FulfilledLine, Fulfillment, Parcel};
use crate::commerce::ids::{OrderId, Sku, Timestamp};
use crate::commerce::order::{Order, OrderState};
use crate::store::fact::FactKind;
use crate::store::fulfillments::{AskFulfillment, Sendable, Telling};
use crate::store::letters::LetterKind;
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

pub(in crate::store) fn fulfil(tx: &Tx<'_>, ask: &AskFulfillment) -> Result<Fulfillment, StoreError> {
    lock(tx, Lock::Order(ask.order.as_str()))?;
    let wanted: BTreeMap<u32, u32> =
        ask.lines.iter().filter(|(_, units)| *units > 0).fold(BTreeMap::new(), |mut all, (line, units)| {
            let sum: &mut u32 = all.entry(*line).or_default();
            *sum = sum.saturating_add(*units);
            all
        });
    let known = tx.query_opt("SELECT id FROM fulfillments WHERE key = ?1", params![ask.key], |row| row.get::<_, String>(0))?;
    if let Some(known) = known {
        let known = by_id(tx, &known)?.ok_or(Refusal::NotFound)?;
        let is_same = known.order == ask.order
            && known.undone_at.is_none()
            && known.parcel == ask.parcel
            && (ask.lines.is_empty() || wanted == known.lines.iter().map(|line| (line.line, line.quantity)).collect());
        return if is_same { Ok(known) } else { Err(Refusal::KeyTaken.into()) };
    }
    let order = orders::by_id(tx, ask.order.as_str())?.ok_or(Refusal::NotFound)?;
    if order.state != OrderState::Placed || order.paid_at.is_none() {
        return Err(Refusal::WrongState.into());
    }
    if order.erased_at.is_some() {
        return Err(Refusal::Erased.into());
    }
    if is_restocked(tx, &order.id)? {
        return Err(Refusal::AlreadyRestocked.into());
    }
    let refundable = refunds::refundable(tx, &order.id)?;
    if !ask.is_present && refundable.is_some_and(|sums| sums.captured.minor > 0 && sums.left().minor == 0) {
        return Err(Refusal::AllRefunded.into());
    }
    count_lines(tx, &order)?;
    let left = left(tx, &order)?;
    let wanted = match ask.lines.is_empty() {
        true => (0..).zip(&left).filter(|(_, units)| **units > 0).map(|(line, units)| (line, *units)).collect(),
        false => wanted,
    };
    if wanted.is_empty() {
        return Err(Refusal::NothingLeft.into());
    }
    let completes = (0..).zip(&left).all(|(line, units)| wanted.get(&line).copied().unwrap_or(0) >= *units);
    let Parcel { carrier, tracking, url } = &ask.parcel;
    tx.execute(
        "INSERT INTO fulfillments (id, order_id, key, carrier, tracking, url, completes, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![ask.id, order.id.as_str(), ask.key, carrier, tracking, url, i64::from(completes), ask.now.0],
    )?;
    for (line, units) in wanted {
        send(tx, ask, &order, line, units)?;
    }
    let sent = by_id(tx, &ask.id)?.ok_or_else(|| StoreError::Corrupt("a fulfillment that was written just now".to_owned()))?;
    facts::write_fulfillment(tx, FactKind::OrderFulfilled, &sent, ask.now)?;
    if ask.telling == Telling::Letter {
        letters::promise(tx, LetterKind::Sent, &ask.id, &order.id, ask.now)?;
    }
    Ok(sent)
}

fn send(tx: &Tx<'_>, ask: &AskFulfillment, order: &Order, line: u32, units: u32) -> Result<(), StoreError> {
    let Some(ordered) = order.quote.priced.lines.get(line as usize) else { return Err(Refusal::NotFound.into()) };
    let update = "UPDATE fulfilled_lines SET sent = sent + ?3 WHERE order_id = ?1 AND line = ?2 AND sent + ?3 <= ordered";
    if tx.execute(update, params![order.id.as_str(), line, units])? == 0 {
        let left = left(tx, order)?[line as usize];
        return Err(Refusal::MoreUnitsThanLeft { sku: ordered.sku.clone(), left }.into());
    }
    tx.execute(
        "INSERT INTO fulfillment_units (fulfillment, line, sku, quantity) VALUES (?1, ?2, ?3, ?4)",
        params![ask.id, line, ordered.sku.as_str(), units],
    )?;
    Ok(())
}

/// An order of which nothing was sent so far has no rows yet.
fn count_lines(tx: &Tx<'_>, order: &Order) -> Result<(), StoreError> {
    for (line, ordered) in (0_u32..).zip(&order.quote.priced.lines) {
        tx.execute(
            "INSERT INTO fulfilled_lines (order_id, line, ordered) VALUES (?1, ?2, ?3) ON CONFLICT (order_id, line) DO NOTHING",
            params![order.id.as_str(), line, ordered.quantity],
        )?;
    }
    Ok(())
}

pub(in crate::store) fn unfulfil(tx: &Tx<'_>, id: &str, even_if_told: bool, now: Timestamp) -> Result<Fulfillment, StoreError> {
    let found = by_id(tx, id)?.ok_or(Refusal::NotFound)?;
    lock(tx, Lock::Order(found.order.as_str()))?;
    // What it is once nobody else changes it.
    let found = by_id(tx, id)?.ok_or(Refusal::NotFound)?;
    if found.undone_at.is_some() {
        return Ok(found);
    }
    if !letters::take_back(tx, LetterKind::Sent, id, now)? && !even_if_told {
        return Err(Refusal::CustomerTold.into());
    }
    for line in &found.lines {
        tx.execute(
            "UPDATE fulfilled_lines SET sent = sent - ?3 WHERE order_id = ?1 AND line = ?2",
            params![found.order.as_str(), line.line, line.quantity],
        )?;
    }
    tx.execute("UPDATE fulfillments SET undone_at = ?2 WHERE id = ?1", params![id, now.0])?;
    let undone = Fulfillment { undone_at: Some(now), ..found };
    facts::write_fulfillment(tx, FactKind::OrderUnfulfilled, &undone, now)?;
    Ok(undone)
}

pub(in crate::store) fn sendable(tx: &Tx<'_>, order: &OrderId) -> Result<Option<Sendable>, StoreError> {
    let Some(order) = orders::by_id(tx, order.as_str())? else { return Ok(None) };
    Ok(Some(Sendable { left: left(tx, &order)?, is_restocked: is_restocked(tx, &order.id)? }))
}

fn is_restocked(tx: &Tx<'_>, order: &OrderId) -> Result<bool, StoreError> {
    tx.exists("SELECT 1 FROM refunds WHERE order_id = ?1 AND restocked = 1", params![order.as_str()])
}

fn left(tx: &Tx<'_>, order: &Order) -> Result<Vec<u32>, StoreError> {
    let select = "SELECT line, sent FROM fulfilled_lines WHERE order_id = ?1";
    let sent = tx.query(select, params![order.id.as_str()], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?)))?;
    let sent: BTreeMap<u32, u32> = sent.into_iter().collect();
    let of = |(line, ordered): (u32, u32)| ordered.saturating_sub(sent.get(&line).copied().unwrap_or(0));
    Ok((0..).zip(order.quote.priced.lines.iter().map(|line| line.quantity)).map(of).collect())
}

pub(in crate::store) fn of_order(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Fulfillment>, StoreError> {
    let select = "SELECT * FROM fulfillments WHERE order_id = ?1 ORDER BY created_at, id";
    let mut found = tx.query(select, params![order.as_str()], read)?;
    found.iter_mut().try_for_each(|one| with_lines(tx, one))?;
    Ok(found)
}

pub(in crate::store) fn by_id(tx: &Tx<'_>, id: &str) -> Result<Option<Fulfillment>, StoreError> {
    let mut found = tx.query_opt("SELECT * FROM fulfillments WHERE id = ?1", params![id], read)?;
    found.iter_mut().try_for_each(|one| with_lines(tx, one))?;
    Ok(found)
}

fn with_lines(tx: &Tx<'_>, one: &mut Fulfillment) -> Result<(), StoreError> {
    let select = "SELECT line, sku, quantity FROM fulfillment_units WHERE fulfillment = ?1 ORDER BY line";
    let read =
        |row: &Row<'_>| Ok(FulfilledLine { line: row.get(0)?, sku: Sku::from(row.get::<_, String>(1)?), quantity: row.get(2)? });
    one.lines = tx.query(select, params![one.id], read)?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Fulfillment, StoreError> {
    Ok(Fulfillment {
        id: row.get("id")?,
        order: OrderId(row.get("order_id")?),
        parcel: Parcel { carrier: row.get("carrier")?, tracking: row.get("tracking")?, url: row.get("url")? },
        lines: Vec::new(),
        completes: row.get("completes")?,
        created_at: Timestamp(row.get("created_at")?),
        undone_at: row.get::<_, Option<i64>>("undone_at")?.map(Timestamp),
    })
}
