//! Subscribers: who is told of facts, how far each has come, and what it is sent next.

use super::locks::{Lock, lock};
use super::outbox::{RETRY_MAX_SECONDS, pause_seconds};
use crate::commerce::ids::Timestamp;
use crate::store::fact::{Delivery, Failed, Next, Outage, Present, Subscriber, SubscriberState};
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

/// Facts that get their numbers at once, so that the writer is never held for long.
const NUMBER_ROWS: usize = 500;
/// Longest error that is kept.
const ERROR_BYTES: usize = 500;

pub(in crate::store) fn name(tx: &Tx<'_>, named: &[Subscriber], now: Timestamp) -> Result<(), StoreError> {
    let known: Vec<String> = tx.query("SELECT name FROM subscribers WHERE removed_at IS NULL", params![], |row| row.get(0))?;
    for gone in known.iter().filter(|known| named.iter().all(|subscriber| subscriber.name != **known)) {
        tx.execute("UPDATE subscribers SET removed_at = ?2 WHERE name = ?1", params![gone, now.0])?;
    }
    let insert = "INSERT INTO subscribers (name, url, events, first_seen_at, starts_after)
         VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(id), 0) FROM facts))
         ON CONFLICT (name) DO UPDATE SET url = ?2, events = ?3, removed_at = NULL, next_at = 0, tries = 0
         WHERE subscribers.url <> ?2 OR subscribers.events <> ?3 OR subscribers.removed_at IS NOT NULL";
    for subscriber in named {
        let events = serde_json::to_string(&subscriber.events)?;
        tx.execute(insert, params![subscriber.name, subscriber.url, events, now.0])?;
    }
    Ok(())
}

pub(in crate::store) fn due(tx: &Tx<'_>, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let select = "SELECT name FROM subscribers WHERE removed_at IS NULL AND next_at <= ?1
            AND (next_sequence <= last_sequence OR EXISTS (SELECT 1 FROM facts WHERE id > numbered))
         ORDER BY name";
    tx.query(select, params![now.0], |row| row.get(0))
}

/// How far a subscriber has come.
struct Place {
    numbered: i64,
    last: i64,
    next: i64,
    starts_after: i64,
    events: String,
}

pub(in crate::store) fn number(tx: &Tx<'_>, name: &str) -> Result<bool, StoreError> {
    lock(tx, Lock::Subscriber(name))?;
    let select = "SELECT numbered, last_sequence, next_sequence, starts_after, events FROM subscribers WHERE name = ?1";
    let read = |row: &Row<'_>| {
        Ok(Place { numbered: row.get(0)?, last: row.get(1)?, next: row.get(2)?, starts_after: row.get(3)?, events: row.get(4)? })
    };
    let mut place = tx.query_opt(select, params![name], read)?.ok_or(Refusal::NotFound)?;
    if tx.is_shared() && tx.exists("SELECT 1 FROM facts WHERE id > ?1 LIMIT 1", params![place.numbered])? {
        lock(tx, Lock::Facts)?;
    }
    let heard: Vec<String> = serde_json::from_str(&place.events)?;
    let select = "SELECT id, kind FROM facts WHERE id > ?1 ORDER BY id LIMIT ?2";
    let facts = tx.query(select, params![place.numbered, NUMBER_ROWS as i64], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    })?;
    let insert = "INSERT INTO deliveries (subscriber, sequence, fact) VALUES (?1, ?2, ?3)";
    for (fact, kind) in &facts {
        place.numbered = *fact;
        if !heard.contains(kind) {
            continue;
        }
        place.last += 1;
        tx.execute(insert, params![name, place.last, fact])?;
        if *fact <= place.starts_after && place.next == place.last {
            place.next += 1;
        }
    }
    if !facts.is_empty() {
        tx.execute(
            "UPDATE subscribers SET numbered = ?2, last_sequence = ?3, next_sequence = ?4 WHERE name = ?1",
            params![name, place.numbered, place.last, place.next],
        )?;
    }
    Ok(facts.len() == NUMBER_ROWS)
}

pub(in crate::store) fn next(tx: &Tx<'_>, name: &str, now: Timestamp) -> Result<Next, StoreError> {
    let is_numbering = number(tx, name)?;
    let select = "SELECT deliveries.sequence, key, kind, document, at, number FROM subscribers
         JOIN deliveries ON subscriber = name AND deliveries.sequence = next_sequence
         JOIN facts ON facts.id = fact JOIN orders ON orders.id = order_id
         WHERE name = ?1 AND next_at <= ?2 AND removed_at IS NULL";
    let found = tx.query_opt(select, params![name, now.0], delivery)?;
    Ok(match found {
        Some(delivery) => Next::Send(Box::new(delivery)),
        None if is_numbering => Next::Numbering,
        None => Next::Nothing,
    })
}

fn delivery(row: &Row<'_>) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        key: row.get(1)?,
        kind: row.get(2)?,
        document: row.get(3)?,
        at: Timestamp(row.get(4)?),
        order_number: row.get(5)?,
    })
}

pub(in crate::store) fn from(tx: &Tx<'_>, name: &str, sequence: u64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let select = "SELECT deliveries.sequence, key, kind, document, at, number FROM deliveries
         JOIN facts ON facts.id = fact JOIN orders ON orders.id = order_id
         WHERE subscriber = ?1 AND deliveries.sequence >= ?2 ORDER BY deliveries.sequence LIMIT ?3";
    tx.query(select, params![name, signed(sequence), limit], delivery)
}

pub(in crate::store) fn accept(tx: &Tx<'_>, name: &str, sequence: u64, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE subscribers SET next_sequence = next_sequence + 1, tries = 0, next_at = 0, accepted_at = ?3, last_error = NULL,
                failing_since = NULL, is_gone = 0, told_at = NULL
         WHERE name = ?1 AND next_sequence = ?2",
        params![name, signed(sequence), now.0],
    )?;
    Ok(())
}

pub(in crate::store) fn fail(tx: &Tx<'_>, name: &str, sequence: u64, failed: &Failed, now: Timestamp) -> Result<(), StoreError> {
    let error: String = failed.error.chars().take(ERROR_BYTES).collect();
    lock(tx, Lock::Subscriber(name))?;
    let select = "SELECT tries FROM subscribers WHERE name = ?1 AND next_sequence = ?2";
    let Some(tries) = tx.query_opt(select, params![name, signed(sequence)], |row| row.get::<_, u32>(0))? else { return Ok(()) };
    let next_at = now.0 + pause_seconds(tries + 1, RETRY_MAX_SECONDS);
    tx.execute(
        "UPDATE subscribers SET next_at = ?2, tries = tries + 1, failures = failures + 1, last_error = ?3,
                failing_since = coalesce(failing_since, ?4), is_gone = ?5
         WHERE name = ?1",
        params![name, next_at, error, now.0, i64::from(failed.is_gone)],
    )?;
    Ok(())
}

pub(in crate::store) fn untold(tx: &Tx<'_>, since: Timestamp) -> Result<Vec<Outage>, StoreError> {
    let select = "SELECT name, url, failing_since, coalesce(last_error, '') FROM subscribers
         WHERE removed_at IS NULL AND told_at IS NULL AND failing_since IS NOT NULL AND (is_gone = 1 OR failing_since <= ?1)
         ORDER BY name";
    let read = |row: &Row<'_>| {
        Ok(Outage { subscriber: row.get(0)?, url: row.get(1)?, since: Timestamp(row.get(2)?), error: row.get(3)? })
    };
    tx.query(select, params![since.0], read)
}

/// An outage that ended meanwhile is over, and the next one is told anew.
pub(in crate::store) fn mark_told(tx: &Tx<'_>, outage: &Outage, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE subscribers SET told_at = ?3 WHERE name = ?1 AND failing_since = ?2",
        params![outage.subscriber, outage.since.0, now.0],
    )?;
    Ok(())
}

pub(in crate::store) fn replay(tx: &Tx<'_>, name: &str, from: u64) -> Result<(), StoreError> {
    let select = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE subscriber = name AND sequence = ?2) AND ?2 <= next_sequence
         FROM subscribers WHERE name = ?1";
    let found = tx.query_opt(select, params![name, signed(from)], |row| row.get::<_, bool>(0))?;
    if !found.ok_or(Refusal::NotFound)? {
        return Err(Refusal::WrongState.into());
    }
    tx.execute("UPDATE subscribers SET next_sequence = ?2, tries = 0, next_at = 0 WHERE name = ?1", params![name, signed(from)])?;
    Ok(())
}

/// What waits is counted for those that are asked for alone: for one that was taken out nothing gets its number, so that more and more
/// would be counted each time.
pub(in crate::store) fn states(tx: &Tx<'_>, present: Present) -> Result<Vec<SubscriberState>, StoreError> {
    let select = "SELECT *, (SELECT min(sequence) FROM deliveries WHERE subscriber = name) AS first_kept,
                (SELECT count(*) FROM facts WHERE id > numbered AND id > starts_after AND events LIKE '%\"' || kind || '\"%')
                    AS unnumbered,
                coalesce((SELECT at FROM deliveries JOIN facts ON id = fact WHERE subscriber = name AND sequence = next_sequence),
                         (SELECT min(at) FROM facts
                          WHERE id > numbered AND id > starts_after AND events LIKE '%\"' || kind || '\"%')) AS waiting_since
         FROM subscribers WHERE ?1 OR removed_at IS NULL ORDER BY name";
    tx.query(select, params![present == Present::All], state)
}

fn state(row: &Row<'_>) -> Result<SubscriberState, StoreError> {
    let number = |column: &str| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let instant = |column: &str| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp));
    let (next_sequence, last_sequence) = (number("next_sequence")?, number("last_sequence")?);
    let tries: u32 = row.get("tries")?;
    Ok(SubscriberState {
        name: row.get("name")?,
        url: row.get("url")?,
        events: serde_json::from_str(&row.get::<_, String>("events")?)?,
        first_seen_at: Timestamp(row.get("first_seen_at")?),
        removed_at: instant("removed_at")?,
        next_sequence,
        last_sequence,
        first_kept: row.get::<_, Option<i64>>("first_kept")?.map(i64::unsigned_abs),
        waiting: last_sequence + 1 - next_sequence + number("unnumbered")?,
        waiting_since: instant("waiting_since")?,
        tries,
        next_try_at: instant("next_at")?.filter(|_| tries > 0),
        accepted_at: instant("accepted_at")?,
        failures: number("failures")?,
        last_error: row.get("last_error")?,
        failing_since: instant("failing_since")?,
    })
}

fn signed(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
