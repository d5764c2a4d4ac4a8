//! Disputes: rows of what customers dispute at their banks.
//!
//! Always  a row follows the gateway's word, whatever that is: a bank may change its mind. Whoever has to act is told once for each state.

use super::locks::{Lock, lock};
use super::{facts, outbox};
use crate::commerce::dispute::{Dispute, DisputeState};
use crate::commerce::ids::{AttemptId, CheckoutId, OrderId, Timestamp};
use crate::commerce::money::{Currency, Money};
use crate::store::disputes::DISPUTE_ALARM;
use crate::store::fact::FactKind;
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

pub(in crate::store) fn hear(tx: &Tx<'_>, attempt: &AttemptId, told: &[Dispute], now: Timestamp) -> Result<(), StoreError> {
    lock(tx, Lock::OrderOf(attempt))?;
    let select = "SELECT checkout, order_id FROM attempts WHERE id = ?1";
    let read = |row: &Row<'_>| Ok((CheckoutId(row.get(0)?), row.get::<_, String>(1)?));
    let (checkout, order) = tx.query_opt(select, params![attempt.as_str()], read)?.ok_or(Refusal::NotFound)?;
    for dispute in told {
        let known = "SELECT state FROM disputes WHERE attempt = ?1 AND reference = ?2";
        let known: Option<String> = tx.query_opt(known, params![attempt.as_str(), dispute.reference], |row| row.get(0))?;
        let (state, name) = (dispute.state, &dispute.reference);
        let by = dispute.respond_by.map(|by| by.0);
        tx.execute(
            "INSERT INTO disputes (attempt, reference, amount_minor, currency, reason, state, respond_by, made_at, changed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (attempt, reference) DO UPDATE SET amount_minor = ?3, reason = ?5, respond_by = ?7,
                 changed_at = CASE WHEN disputes.state = ?6 THEN disputes.changed_at ELSE ?9 END, state = ?6",
            params![
                attempt.as_str(),
                name,
                dispute.amount.minor,
                dispute.amount.currency.code(),
                dispute.reason,
                state.name(),
                by,
                dispute.made_at.0,
                now.0,
            ],
        )?;
        if known.is_none() {
            let about = format!("{attempt}-{name}");
            facts::write(tx, FactKind::PaymentDisputed, &about, &order, Some(&dispute.reason), now)?;
        }
        if known.as_deref() == Some(state.name()) {
            continue;
        }
        let what = match state {
            DisputeState::NeedsResponse => "it has to be answered at the gateway, or it is lost",
            DisputeState::Lost => "a dispute was lost, and the money is the customer's",
            DisputeState::UnderReview | DisputeState::Won => continue,
        };
        let detail = format!("{what}: {} ({}), {name}", dispute.amount, dispute.reason);
        outbox::alarm_once(tx, &format!("{DISPUTE_ALARM}{name}-{}", state.name()), &checkout, &detail, now)?;
    }
    Ok(())
}

pub(in crate::store) fn of_order(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Dispute>, StoreError> {
    let select = "SELECT disputes.reference, disputes.amount_minor, disputes.currency, disputes.reason, disputes.state, respond_by, made_at
         FROM disputes JOIN attempts ON attempts.id = attempt WHERE order_id = ?1 ORDER BY made_at, disputes.reference";
    tx.query(select, params![order.as_str()], read)
}

fn read(row: &Row<'_>) -> Result<Dispute, StoreError> {
    let (code, state): (String, String) = (row.get(2)?, row.get(4)?);
    let currency = Currency::from_code(&code).ok_or_else(|| StoreError::Corrupt(format!("currency `{code}`")))?;
    Ok(Dispute {
        reference: row.get(0)?,
        amount: Money::new(row.get(1)?, currency),
        reason: row.get(3)?,
        state: DisputeState::from_name(&state).ok_or_else(|| StoreError::Corrupt(format!("dispute `{state}`")))?,
        respond_by: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        made_at: Timestamp(row.get(6)?),
    })
}
