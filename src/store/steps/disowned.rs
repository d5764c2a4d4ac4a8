//! Disowned: an attempt whose money was taken after it was over lets go of it, and it is looked after as an orphan.
//!
//! Always  a paid attempt is never let go of; what is heard of again changes nothing.

use super::locks::{Lock, lock};
use super::payments::{Known, attempt_row, leased, let_go, set_state};
use super::{orphans, outbox};
use crate::commerce::ids::{AttemptId, Timestamp};
use crate::commerce::payment::{AttemptState, DISOWNED};
use crate::store::orphans::Orphan;
use crate::store::tx::{Tx, params};
use crate::store::{Lease, OutboxKind, Refusal, StoreError};

/// The money of the newest attempt was taken and can be no order's of it: from now on it is looked after as an orphan.
pub(in crate::store) fn disown(
    tx: &Tx<'_>,
    lease: &Lease,
    orphan: &Orphan,
    attempt: &AttemptId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = leased(tx, lease, attempt, now)?;
    hand_over(tx, &row, orphan, attempt, now)
}

/// The same of an attempt that another one took the place of.
pub(in crate::store) fn disown_older(
    tx: &Tx<'_>,
    orphan: &Orphan,
    attempt: &AttemptId,
    now: Timestamp,
) -> Result<(), StoreError> {
    lock(tx, Lock::OrderOf(attempt))?;
    let row = attempt_row(tx, attempt)?;
    if row.state.is_live() {
        return Err(Refusal::WrongState.into());
    }
    hand_over(tx, &row, orphan, attempt, now)
}

fn hand_over(tx: &Tx<'_>, row: &Known, orphan: &Orphan, attempt: &AttemptId, now: Timestamp) -> Result<(), StoreError> {
    if row.state == AttemptState::Paid {
        return Err(Refusal::WrongState.into());
    }
    if row.state.is_live() {
        outbox::finish_subject(tx, OutboxKind::Capture, attempt.as_str(), now)?;
        outbox::finish_subject(tx, OutboxKind::CancelPayment, attempt.as_str(), now)?;
        let_go(tx, &row.order, now)?;
    }
    if planted!("late_money_is_kept") || !orphans::take_on(tx, orphan)? {
        return Ok(());
    }
    set_state(tx, attempt, AttemptState::Canceled, Some(DISOWNED), now)?;
    tx.execute("UPDATE attempts SET reference = ?2 WHERE id = ?1", params![attempt.as_str(), orphan.reference])?;
    Ok(())
}
