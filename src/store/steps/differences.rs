//! Differences: what the gateway and this file do not agree on, and when they were last held against each other.

use super::payments;
use crate::commerce::ids::{AttemptId, Timestamp};
use crate::store::StoreError;
use crate::store::orphans::{DifferenceKind, Reconciliation};
use crate::store::tx::{Row, Tx, params};

pub(in crate::store) fn keep(
    tx: &Tx<'_>,
    attempt: &AttemptId,
    kind: DifferenceKind,
    detail: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let seen = tx.execute(
        "UPDATE differences SET seen_at = ?3 WHERE attempt = ?1 AND kind = ?2 AND detail = ?4",
        params![attempt.as_str(), kind.name(), now.0, detail],
    )?;
    if seen > 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO differences (attempt, kind, detail, found_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (attempt, kind) DO UPDATE SET detail = ?3, found_at = ?4, seen_at = ?4",
        params![attempt.as_str(), kind.name(), detail, now.0],
    )?;
    payments::promise_alarm(tx, attempt, detail, now)?;
    Ok(true)
}

/// What an attempt and the gateway did not agree on is over.
pub(in crate::store) fn forget(tx: &Tx<'_>, attempt: &AttemptId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM differences WHERE attempt = ?1", params![attempt.as_str()])?;
    Ok(())
}

/// Whether one is kept.
pub(in crate::store) fn has(tx: &Tx<'_>, attempt: &AttemptId) -> Result<bool, StoreError> {
    tx.exists("SELECT 1 FROM differences WHERE attempt = ?1", params![attempt.as_str()])
}

pub(in crate::store) fn last(tx: &Tx<'_>, gateway: &str) -> Result<Option<Reconciliation>, StoreError> {
    let select =
        "SELECT since, at, compared, orphans, different FROM reconciliations WHERE gateway = ?1 ORDER BY id DESC LIMIT 1";
    let read = |row: &Row<'_>| {
        Ok(Reconciliation {
            since: Timestamp(row.get(0)?),
            at: Timestamp(row.get(1)?),
            compared: row.get(2)?,
            orphans: row.get(3)?,
            different: row.get(4)?,
        })
    };
    tx.query_opt(select, params![gateway], read)
}
