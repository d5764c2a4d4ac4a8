//! Outbox: work that commits have promised, claimed for a while and crossed off.

use super::locks::claiming;
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::store::tx::{Row, Tx, params};
use crate::store::{OutboxKind, OutboxRow, Share, StoreError};

/// The longest wait between two tries.
pub(super) const RETRY_MAX_SECONDS: i64 = 900;
/// Clocks of edges on one database differ by no more. What is claimed until later than that was claimed before a clock was set back.
pub(super) const CLOCKS_APART_SECONDS: i64 = 300;
/// What is not done after so long is told to a person, and tried on.
pub(super) const TOLD_AFTER_SECONDS: i64 = 72 * 3600;

/// Seconds until the next try: 1 s, doubled with each try that was made, and at most so many.
pub(super) fn pause_seconds(tries: u32, most: i64) -> i64 {
    most.min(1 << tries.saturating_sub(1).min(20))
}

/// Promises work, once per kind and subject. Work that was done before is due again.
pub(super) fn promise(
    tx: &Tx<'_>,
    kind: OutboxKind,
    subject: &str,
    checkout: &CheckoutId,
    detail: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let is_repeatable = matches!(kind, OutboxKind::CancelPayment | OutboxKind::Alarm);
    tx.execute(
        "INSERT INTO outbox (kind, subject, checkout, detail, created_at, next_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (kind, subject) DO UPDATE SET done_at = NULL, next_at = ?5, tries = 0, claimed_until = 0, detail = ?4
         WHERE ?6 AND outbox.done_at IS NOT NULL",
        params![kind.name(), subject, checkout.as_str(), detail, now.0, is_repeatable],
    )?;
    // Another alarm about it that was not sent yet says something else: both are sent.
    let waits = "SELECT 1 FROM outbox WHERE kind = ?1 AND subject = ?2 AND done_at IS NULL AND detail <> ?3";
    if kind == OutboxKind::Alarm && tx.exists(waits, params![kind.name(), subject, detail])? {
        let what = blake3::hash(detail.as_bytes()).to_hex();
        alarm_once(tx, &format!("{subject}.{}", &what[..8]), checkout, detail, now)?;
    }
    Ok(())
}

/// Tells a person, once for each subject, however often it happens.
pub(in crate::store) fn alarm_once(
    tx: &Tx<'_>,
    subject: &str,
    checkout: &CheckoutId,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO outbox (kind, subject, checkout, detail, created_at, next_at) VALUES ('alarm', ?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (kind, subject) DO NOTHING",
        params![subject, checkout.as_str(), reason, now.0],
    )?;
    Ok(())
}

pub(in crate::store) fn claim(
    tx: &Tx<'_>,
    owner: &str,
    share: Share,
    limit: u32,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<OutboxRow>, StoreError> {
    // Later than anything is put off, longer than anything is claimed: the clock was set back meanwhile.
    let update = claiming!(
        tx,
        "UPDATE outbox SET claimed_by = ?1, claimed_until = ?4, tries = tries + 1 WHERE id IN",
        "SELECT id FROM outbox WHERE done_at IS NULL AND (next_at <= ?3 OR next_at > ?3 + ?5)
             AND (claimed_until <= ?3 OR claimed_until > ?4 + ?7) AND (kind IN ('confirmation', 'alarm')) = ?6 ORDER BY next_at, id LIMIT ?2",
        "SELECT id FROM due",
        "RETURNING id, kind, subject, checkout, detail, tries - 1, created_at"
    );
    let is_mails = share == Share::Mails;
    let mut rows =
        tx.query(update, params![owner, limit, now.0, until.0, RETRY_MAX_SECONDS, is_mails, CLOCKS_APART_SECONDS], read)?;
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

/// Lets every claim go, since whoever held it is dead; when a row is due stays as it was.
pub(super) fn release_all(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE outbox SET claimed_by = NULL, claimed_until = 0 WHERE done_at IS NULL AND claimed_until > 0", params![])?;
    Ok(())
}

pub(in crate::store) fn finish(tx: &Tx<'_>, id: i64, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE outbox SET done_at = ?2 WHERE id = ?1 AND done_at IS NULL", params![id, now.0])?;
    Ok(())
}

/// Crosses off by what it is about.
pub(super) fn finish_subject(tx: &Tx<'_>, kind: OutboxKind, subject: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE outbox SET done_at = ?3 WHERE kind = ?1 AND subject = ?2 AND done_at IS NULL",
        params![kind.name(), subject, now.0],
    )?;
    Ok(())
}

pub(in crate::store) fn retry(tx: &Tx<'_>, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
    let select = "SELECT kind, subject, tries, checkout, created_at FROM outbox WHERE id = ?1 AND done_at IS NULL";
    let read = |row: &Row<'_>| {
        let work: (String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((work, CheckoutId(row.get(3)?), Timestamp(row.get(4)?)))
    };
    let Some(((kind, subject, tries), checkout, created_at)) = tx.query_opt(select, params![id], read)? else { return Ok(()) };
    tx.execute(
        "UPDATE outbox SET claimed_until = 0, last_error = ?2, next_at = ?3 WHERE id = ?1",
        params![id, error, now.0 + pause_seconds(tries, RETRY_MAX_SECONDS)],
    )?;
    // An alarm that cannot be sent is told in the log, and by no other alarm.
    if kind != OutboxKind::Alarm.name() && created_at.0 <= now.0 - TOLD_AFTER_SECONDS {
        let reason = format!("promised work is not done after 72 hours ({kind}); it is tried on every 15 minutes: {error}");
        alarm_once(tx, &format!("late-{kind}-{subject}"), &checkout, &reason, now)?;
    }
    Ok(())
}

pub(in crate::store) fn depth(tx: &Tx<'_>) -> Result<u64, StoreError> {
    let rows: i64 = tx.query_one("SELECT count(*) FROM outbox WHERE done_at IS NULL", params![], |row| row.get(0))?;
    Ok(rows.unsigned_abs())
}

fn read(row: &Row<'_>) -> Result<OutboxRow, StoreError> {
    let kind: String = row.get(1)?;
    let kinds = [OutboxKind::Capture, OutboxKind::CancelPayment, OutboxKind::Confirmation, OutboxKind::Alarm];
    Ok(OutboxRow {
        id: row.get(0)?,
        kind: kinds
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| StoreError::Corrupt(format!("outbox kind `{kind}`")))?,
        subject: row.get(2)?,
        checkout: CheckoutId(row.get(3)?),
        detail: row.get(4)?,
        tries: row.get(5)?,
        created_at: Timestamp(row.get(6)?),
    })
}
