//! Inbox: what gateways say, kept before it is acted on, claimed for a while and crossed off.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::outbox::{self, RETRY_MAX_SECONDS, TOLD_AFTER_SECONDS};
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::store::StoreError;
use crate::store::event::{EventResult, InboxRow, NewEvent};

pub(in crate::store) fn keep(tx: &Connection, events: &[NewEvent], now: Timestamp) -> Result<usize, StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO inbox (gateway, event, kind, checkout, attempt, reference, body, created_at, received_at, next_at, done_at, result)
         VALUES (:gateway, :event, :kind, :checkout, :attempt, :reference, :body, :created, :now, :now,
                 CASE WHEN :result IS NULL THEN NULL ELSE :now END, :result)
         ON CONFLICT (gateway, event) DO NOTHING",
    )?;
    let mut count = 0;
    for event in events {
        count += insert.execute(named_params! {
            ":gateway": event.gateway,
            ":event": event.event,
            ":kind": event.kind,
            ":checkout": event.checkout.as_ref().map(|checkout| checkout.as_str()),
            ":attempt": event.attempt,
            ":reference": event.reference,
            ":body": event.body,
            ":created": event.created_at.0,
            ":now": now.0,
            ":result": event.result.map(EventResult::name),
        })?;
    }
    Ok(count)
}

pub(in crate::store) fn claim(
    tx: &Connection,
    limit: u32,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<InboxRow>, StoreError> {
    let mut update = tx.prepare_cached(
        // Later than anything is put off, longer than anything is claimed: the clock was set back meanwhile.
        "UPDATE inbox SET claimed_until = ?3, tries = tries + 1
         WHERE id IN (SELECT id FROM inbox WHERE done_at IS NULL AND (next_at <= ?2 OR next_at > ?2 + ?4)
                          AND (claimed_until <= ?2 OR claimed_until > ?3) ORDER BY next_at, id LIMIT ?1)
         RETURNING id, event, checkout, attempt, reference, tries - 1",
    )?;
    let mut rows = update.query_map(params![limit, now.0, until.0, RETRY_MAX_SECONDS], read)?.collect::<Result<Vec<_>, _>>()?;
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

fn read(row: &Row<'_>) -> rusqlite::Result<InboxRow> {
    Ok(InboxRow {
        id: row.get(0)?,
        event: row.get(1)?,
        checkout: row.get::<_, Option<String>>(2)?.map(CheckoutId),
        attempt: row.get(3)?,
        reference: row.get(4)?,
        tries: row.get(5)?,
    })
}

/// Lets every claim go, since whoever held it is dead; when a row is due stays as it was.
pub(super) fn release_all(tx: &Connection) -> Result<(), StoreError> {
    tx.execute("UPDATE inbox SET claimed_until = 0 WHERE done_at IS NULL AND claimed_until > 0", [])?;
    Ok(())
}

pub(in crate::store) fn finish(tx: &Connection, id: i64, result: EventResult, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE inbox SET done_at = ?2, result = ?3 WHERE id = ?1 AND done_at IS NULL")?.execute(params![
        id,
        now.0,
        result.name()
    ])?;
    Ok(())
}

pub(in crate::store) fn retry(tx: &Connection, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE inbox SET claimed_until = 0, last_error = ?2, next_at = ?3 + min(?4, 1 << min(max(tries - 1, 0), 20)) WHERE id = ?1 AND done_at IS NULL",
    )?
    .execute(params![id, error, now.0, RETRY_MAX_SECONDS])?;
    let mut select = tx.prepare_cached(
        "SELECT event, inbox.id, checkouts.id FROM inbox JOIN checkouts ON checkouts.id = checkout
         WHERE inbox.id = ?1 AND done_at IS NULL AND received_at <= ?2",
    )?;
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, CheckoutId(row.get(2)?)));
    if let Some((event, row, checkout)) = select.query_row(params![id, now.0 - TOLD_AFTER_SECONDS], read).optional()? {
        let reason = format!("an event is not dealt with after 72 hours ({event}); it is looked at every 15 minutes: {error}");
        outbox::alarm_once(tx, &format!("late-event-{row}"), &checkout, &reason, now)?;
    }
    Ok(())
}

pub(in crate::store) fn newest(tx: &Connection, gateway: &str) -> Result<Option<Timestamp>, StoreError> {
    let mut select = tx.prepare_cached("SELECT max(created_at) FROM inbox WHERE gateway = ?1")?;
    let newest: Option<Option<i64>> = select.query_row([gateway], |row| row.get(0)).optional()?;
    Ok(newest.flatten().map(Timestamp))
}

pub(in crate::store) fn depth(tx: &Connection) -> Result<u64, StoreError> {
    let rows: i64 = tx.prepare_cached("SELECT count(*) FROM inbox WHERE done_at IS NULL")?.query_row([], |row| row.get(0))?;
    Ok(rows.unsigned_abs())
}

/// Events that wait, and orphans, are never forgotten.
pub(in crate::store) fn reap(tx: &Connection, older_than: Timestamp, limit: u32) -> Result<usize, StoreError> {
    let sql = "DELETE FROM inbox WHERE id IN
                   (SELECT id FROM inbox WHERE received_at <= ?1 AND done_at IS NOT NULL AND result <> 'orphan' LIMIT ?2)";
    Ok(tx.prepare_cached(sql)?.execute(params![older_than.0, limit])?)
}
