//! Inbox: what gateways say, kept before it is acted on, claimed for a while and crossed off.

use super::locks::claiming;
use super::outbox::{self, CLOCKS_APART_SECONDS, RETRY_MAX_SECONDS, TOLD_AFTER_SECONDS, pause_seconds};
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::store::StoreError;
use crate::store::event::{EventResult, InboxRow, NewEvent};
use crate::store::tx::{Row, Tx, params};

/// The words of an event that is dealt with.
const NOTHING: &[u8] = &[];

pub(in crate::store) fn keep(tx: &Tx<'_>, events: &[NewEvent], now: Timestamp) -> Result<usize, StoreError> {
    let insert = "INSERT INTO inbox (gateway, event, kind, checkout, attempt, reference, body, created_at, received_at, next_at, done_at, result)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9,
                 CASE WHEN ?10 IS NULL THEN NULL ELSE ?9 END, ?10)
         ON CONFLICT (gateway, event) DO NOTHING";
    let mut count = 0;
    for event in events {
        count += tx.execute(
            insert,
            params![
                event.gateway,
                event.event,
                event.kind,
                event.checkout.as_ref().map(|checkout| checkout.as_str()),
                event.attempt,
                event.reference,
                if event.result.is_some() { NOTHING } else { &event.body },
                event.created_at.0,
                now.0,
                event.result.map(EventResult::name),
            ],
        )?;
    }
    Ok(count)
}

pub(in crate::store) fn claim(tx: &Tx<'_>, limit: u32, now: Timestamp, until: Timestamp) -> Result<Vec<InboxRow>, StoreError> {
    // Later than anything is put off, longer than anything is claimed: the clock was set back meanwhile.
    let update = claiming!(
        tx,
        "UPDATE inbox SET claimed_until = ?3, tries = tries + 1 WHERE id IN",
        "SELECT id FROM inbox WHERE done_at IS NULL AND (next_at <= ?2 OR next_at > ?2 + ?4)
             AND (claimed_until <= ?2 OR claimed_until > ?3 + ?5) ORDER BY next_at, id LIMIT ?1",
        "SELECT id FROM due",
        "RETURNING id, event, kind, checkout, attempt, reference, tries - 1"
    );
    let mut rows = tx.query(update, params![limit, now.0, until.0, RETRY_MAX_SECONDS, CLOCKS_APART_SECONDS], read)?;
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

fn read(row: &Row<'_>) -> Result<InboxRow, StoreError> {
    Ok(InboxRow {
        id: row.get(0)?,
        event: row.get(1)?,
        kind: row.get(2)?,
        checkout: row.get::<_, Option<String>>(3)?.map(CheckoutId),
        attempt: row.get(4)?,
        reference: row.get(5)?,
        tries: row.get(6)?,
    })
}

pub(in crate::store) fn name(tx: &Tx<'_>, id: i64, checkout: &CheckoutId, number: u32) -> Result<(), StoreError> {
    let update = "UPDATE inbox SET checkout = ?2, attempt = ?3 WHERE id = ?1 AND checkout IS NULL";
    tx.execute(update, params![id, checkout.as_str(), number])?;
    Ok(())
}

/// Lets every claim go, since whoever held it is dead; when a row is due stays as it was.
pub(super) fn release_all(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE inbox SET claimed_until = 0 WHERE done_at IS NULL AND claimed_until > 0", params![])?;
    Ok(())
}

pub(in crate::store) fn finish(tx: &Tx<'_>, id: i64, result: EventResult, now: Timestamp) -> Result<(), StoreError> {
    // What it was about is fetched from the gateway: nobody reads its words again, and they may name somebody.
    tx.execute(
        "UPDATE inbox SET done_at = ?2, result = ?3, body = ?4 WHERE id = ?1 AND done_at IS NULL",
        params![id, now.0, result.name(), NOTHING],
    )?;
    Ok(())
}

pub(in crate::store) fn retry(tx: &Tx<'_>, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
    let select = "SELECT event, tries, received_at, (SELECT id FROM checkouts WHERE id = inbox.checkout) FROM inbox
         WHERE id = ?1 AND done_at IS NULL";
    let read = |row: &Row<'_>| {
        let event: (String, u32) = (row.get(0)?, row.get(1)?);
        Ok((event, Timestamp(row.get(2)?), row.get::<_, Option<String>>(3)?.map(CheckoutId)))
    };
    let Some(((event, tries), received_at, checkout)) = tx.query_opt(select, params![id], read)? else { return Ok(()) };
    tx.execute(
        "UPDATE inbox SET claimed_until = 0, last_error = ?2, next_at = ?3 WHERE id = ?1",
        params![id, error, now.0 + pause_seconds(tries, RETRY_MAX_SECONDS)],
    )?;
    if let Some(checkout) = checkout.filter(|_| received_at.0 <= now.0 - TOLD_AFTER_SECONDS) {
        let reason = format!("an event is not dealt with after 72 hours ({event}); it is looked at every 15 minutes: {error}");
        outbox::alarm_once(tx, &format!("late-event-{id}"), &checkout, &reason, now)?;
    }
    Ok(())
}

pub(in crate::store) fn newest(tx: &Tx<'_>, gateway: &str) -> Result<Option<Timestamp>, StoreError> {
    let select = "SELECT max(created_at) FROM inbox WHERE gateway = ?1";
    Ok(tx.query_one(select, params![gateway], |row| row.get::<_, Option<i64>>(0))?.map(Timestamp))
}

pub(in crate::store) fn depth(tx: &Tx<'_>) -> Result<u64, StoreError> {
    let rows: i64 = tx.query_one("SELECT count(*) FROM inbox WHERE done_at IS NULL", params![], |row| row.get(0))?;
    Ok(rows.unsigned_abs())
}

/// Events that wait, and orphans, are never forgotten.
pub(in crate::store) fn reap(tx: &Tx<'_>, older_than: Timestamp, limit: u32) -> Result<usize, StoreError> {
    let sql = "DELETE FROM inbox WHERE id IN
                   (SELECT id FROM inbox WHERE received_at <= ?1 AND done_at IS NOT NULL AND result <> 'orphan' LIMIT ?2)";
    tx.execute(sql, params![older_than.0, limit])
}
