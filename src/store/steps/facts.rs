//! Facts: what happened to orders, written with what made it so.

use serde::Serialize;

use super::orders;
use crate::commerce::fulfillment::Fulfillment;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::order::Order;
use crate::commerce::withdrawal::Withdrawal;
use crate::store::fact::FactKind;
use crate::store::refunds::Refund;
use crate::store::tx::{Tx, params};
use crate::store::{Refusal, StoreError};

/// What an event says beside its number.
#[derive(Serialize)]
struct Document<'a> {
    order: &'a Order,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    more: More<'a>,
}

/// What some kinds of facts tell beside the order.
#[derive(Default, Serialize)]
struct More<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<Refunded<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fulfillment: Option<&'a Fulfillment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawal: Option<&'a Withdrawal>,
}

/// What went back.
#[derive(Serialize)]
struct Refunded<'a> {
    id: &'a str,
    amount: Money,
}

/// Writes a fact with the order as it is in this transaction. The same fact again changes nothing.
///
/// `about`: with the kind, the name of the fact: the order's id where it can happen once, else one of its own.
pub(super) fn write(
    tx: &Tx<'_>,
    kind: FactKind,
    about: &str,
    order: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    keep(tx, kind, about, order, (reason, More::default()), now)
}

/// Money went back: one fact for each refund.
pub(super) fn write_refunded(tx: &Tx<'_>, refund: &Refund, now: Timestamp) -> Result<(), StoreError> {
    let reason = Some(refund.reason.as_str()).filter(|reason| !reason.is_empty());
    let refunded = Refunded { id: &refund.id, amount: refund.amount };
    keep(
        tx,
        FactKind::OrderRefunded,
        &refund.id,
        refund.order.as_str(),
        (reason, More { refund: Some(refunded), ..More::default() }),
        now,
    )
}

/// Units left the house, or had not after all.
pub(super) fn write_fulfillment(tx: &Tx<'_>, kind: FactKind, sent: &Fulfillment, now: Timestamp) -> Result<(), StoreError> {
    keep(tx, kind, &sent.id, sent.order.as_str(), (None, More { fulfillment: Some(sent), ..More::default() }), now)
}

/// A customer withdrew from an order, or from a part of it.
pub(super) fn write_withdrawal(tx: &Tx<'_>, declared: &Withdrawal, now: Timestamp) -> Result<(), StoreError> {
    let more = More { withdrawal: Some(declared), ..More::default() };
    keep(tx, FactKind::OrderWithdrawn, &declared.id, declared.order.as_str(), (None, more), now)
}

fn keep(
    tx: &Tx<'_>,
    kind: FactKind,
    about: &str,
    order: &str,
    (reason, more): (Option<&str>, More<'_>),
    now: Timestamp,
) -> Result<(), StoreError> {
    if planted!("fact_forgotten") {
        return Ok(());
    }
    let written = orders::by_id(tx, order)?.ok_or(Refusal::NotFound)?;
    let document = serde_json::to_string(&Document { order: &written, reason, more })?;
    // No point in it: the signature has one between its parts.
    let key = format!("{}-{about}", kind.name().replace('.', "-"));
    tx.execute(
        "INSERT INTO facts (key, kind, order_id, document, at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING",
        params![key, kind.name(), order, document, now.0],
    )?;
    Ok(())
}

/// What a subscriber of the shop waits for is never forgotten; one that is named no more is set to what is left.
pub(in crate::store) fn reap(tx: &Tx<'_>, older_than: Timestamp, limit: u32) -> Result<usize, StoreError> {
    let sql = "DELETE FROM facts WHERE id IN
                   (SELECT id FROM facts WHERE at <= ?1 AND NOT EXISTS
                        (SELECT 1 FROM subscribers WHERE removed_at IS NULL AND (numbered < facts.id OR EXISTS
                             (SELECT 1 FROM deliveries WHERE fact = facts.id AND subscriber = name AND sequence >= next_sequence)))
                    ORDER BY id LIMIT ?2)";
    let count = tx.execute(sql, params![older_than.0, limit])?;
    if count > 0 {
        tx.execute(
            "UPDATE subscribers SET next_sequence = coalesce((SELECT min(sequence) FROM deliveries WHERE subscriber = name), last_sequence + 1)
             WHERE next_sequence < coalesce((SELECT min(sequence) FROM deliveries WHERE subscriber = name), last_sequence + 1)",
            params![],
        )?;
    }
    Ok(count)
}
