//! Letters: rows of what customers are written, claimed for a while and crossed off.

use super::locks::claiming;
use super::outbox::{CLOCKS_APART_SECONDS, RETRY_MAX_SECONDS, TOLD_AFTER_SECONDS, alarm_once, pause_seconds};
use crate::commerce::ids::{CheckoutId, OrderId, Timestamp};
use crate::store::letters::{Letter, LetterKind};
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

/// Promises a letter, once per kind and subject.
pub(super) fn promise(tx: &Tx<'_>, kind: LetterKind, subject: &str, order: &OrderId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO letters (kind, subject, order_id, created_at, next_at) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (kind, subject) DO NOTHING",
        params![kind.name(), subject, order.as_str(), now.0],
    )?;
    Ok(())
}

/// Takes a promise back. Gives whether nothing was sent and nothing will be; one that is being sent now counts as sent.
pub(super) fn take_back(tx: &Tx<'_>, kind: LetterKind, subject: &str, now: Timestamp) -> Result<bool, StoreError> {
    let delete = "DELETE FROM letters WHERE kind = ?1 AND subject = ?2 AND done_at IS NULL AND claimed_until <= ?3";
    tx.execute(delete, params![kind.name(), subject, now.0])?;
    let is_there = tx.exists("SELECT 1 FROM letters WHERE kind = ?1 AND subject = ?2", params![kind.name(), subject])?;
    Ok(!is_there)
}

pub(in crate::store) fn claim(
    tx: &Tx<'_>,
    owner: &str,
    limit: u32,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Letter>, StoreError> {
    // Later than anything is put off, longer than anything is claimed: the clock was set back meanwhile. A kind of a later release waits.
    let update = claiming!(
        tx,
        "UPDATE letters SET claimed_by = ?1, claimed_until = ?4, tries = tries + 1 WHERE id IN",
        "SELECT id FROM letters WHERE done_at IS NULL AND (next_at <= ?3 OR next_at > ?3 + ?5)
             AND (claimed_until <= ?3 OR claimed_until > ?4 + ?6) AND kind IN ('sent', 'withdrawal') ORDER BY next_at, id LIMIT ?2",
        "SELECT id FROM due",
        "RETURNING id, kind, subject, order_id, tries - 1"
    );
    let mut rows = tx.query(update, params![owner, limit, now.0, until.0, RETRY_MAX_SECONDS, CLOCKS_APART_SECONDS], read)?;
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

pub(in crate::store) fn finish(tx: &Tx<'_>, id: i64, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE letters SET done_at = ?2, last_error = NULL WHERE id = ?1 AND done_at IS NULL", params![id, now.0])?;
    Ok(())
}

pub(in crate::store) fn retry(tx: &Tx<'_>, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
    let select = "SELECT kind, subject, tries, checkout, letters.created_at FROM letters JOIN orders ON orders.id = order_id
         WHERE letters.id = ?1 AND done_at IS NULL";
    let read = |row: &Row<'_>| {
        let work: (String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((work, CheckoutId(row.get(3)?), Timestamp(row.get(4)?)))
    };
    let Some(((kind, subject, tries), checkout, created_at)) = tx.query_opt(select, params![id], read)? else { return Ok(()) };
    tx.execute(
        "UPDATE letters SET claimed_until = 0, last_error = ?2, next_at = ?3 WHERE id = ?1",
        params![id, error, now.0 + pause_seconds(tries, RETRY_MAX_SECONDS)],
    )?;
    if created_at.0 <= now.0 - TOLD_AFTER_SECONDS {
        let reason = format!("a letter is not sent after 72 hours ({kind}); it is tried on every 15 minutes: {error}");
        alarm_once(tx, &format!("late-letter-{kind}-{subject}"), &checkout, &reason, now)?;
    }
    Ok(())
}

/// Lets every claim go, since whoever held it is dead.
pub(super) fn release_all(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE letters SET claimed_by = NULL, claimed_until = 0 WHERE done_at IS NULL AND claimed_until > 0", params![])?;
    Ok(())
}

pub(in crate::store) fn sent_at(tx: &Tx<'_>, kind: LetterKind, subject: &str) -> Result<Option<Timestamp>, StoreError> {
    let select = "SELECT done_at FROM letters WHERE kind = ?1 AND subject = ?2";
    let found = tx.query_opt(select, params![kind.name(), subject], |row| row.get::<_, Option<i64>>(0))?;
    Ok(found.flatten().map(Timestamp))
}

pub(in crate::store) fn again(tx: &Tx<'_>, kind: LetterKind, subject: &str, now: Timestamp) -> Result<(), StoreError> {
    let update = "UPDATE letters SET done_at = NULL, next_at = ?3, tries = 0, claimed_until = 0, last_error = NULL
         WHERE kind = ?1 AND subject = ?2";
    match tx.execute(update, params![kind.name(), subject, now.0])? {
        0 => Err(Refusal::WrongState.into()),
        _ => Ok(()),
    }
}

fn read(row: &Row<'_>) -> Result<Letter, StoreError> {
    let kind: String = row.get(1)?;
    Ok(Letter {
        id: row.get(0)?,
        kind: LetterKind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| StoreError::Corrupt(format!("letter of the kind `{kind}`")))?,
        subject: row.get(2)?,
        order: OrderId(row.get(3)?),
        tries: row.get(4)?,
    })
}
