//! Subscribers: who is told of facts, how far each has come, and what it is sent next.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::outbox::RETRY_MAX_SECONDS;
use crate::commerce::ids::Timestamp;
use crate::store::fact::{Delivery, Failed, Next, Outage, Present, Subscriber, SubscriberState};
use crate::store::{Refusal, StoreError};

/// Facts that get their numbers at once, so that the writer is never held for long.
const NUMBER_ROWS: usize = 500;
/// Longest error that is kept.
const ERROR_BYTES: usize = 500;

pub(in crate::store) fn name(tx: &Connection, named: &[Subscriber], now: Timestamp) -> Result<(), StoreError> {
    let names: Vec<&str> = named.iter().map(|subscriber| subscriber.name.as_str()).collect();
    tx.prepare_cached(
        "UPDATE subscribers SET removed_at = ?1 WHERE removed_at IS NULL AND name NOT IN (SELECT value FROM json_each(?2))",
    )?
    .execute(params![now.0, serde_json::to_string(&names)?])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO subscribers (name, url, events, first_seen_at, starts_after)
         VALUES (?1, ?2, ?3, ?4, (SELECT coalesce(max(id), 0) FROM facts))
         ON CONFLICT (name) DO UPDATE SET url = ?2, events = ?3, removed_at = NULL, next_at = 0, tries = 0
         WHERE url <> ?2 OR events <> ?3 OR removed_at IS NOT NULL",
    )?;
    for subscriber in named {
        let events = serde_json::to_string(&subscriber.events)?;
        insert.execute(params![subscriber.name, subscriber.url, events, now.0])?;
    }
    Ok(())
}

pub(in crate::store) fn due(tx: &Connection, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT name FROM subscribers WHERE removed_at IS NULL AND next_at <= ?1
            AND (next_sequence <= last_sequence OR EXISTS (SELECT 1 FROM facts WHERE id > numbered))
         ORDER BY name",
    )?;
    let names = select.query_map([now.0], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// How far a subscriber has come.
struct Place {
    numbered: i64,
    last: i64,
    next: i64,
    starts_after: i64,
    events: String,
}

pub(in crate::store) fn number(tx: &Connection, name: &str) -> Result<bool, StoreError> {
    let mut select = tx
        .prepare_cached("SELECT numbered, last_sequence, next_sequence, starts_after, events FROM subscribers WHERE name = ?1")?;
    let read = |row: &Row<'_>| {
        Ok(Place { numbered: row.get(0)?, last: row.get(1)?, next: row.get(2)?, starts_after: row.get(3)?, events: row.get(4)? })
    };
    let mut place = select.query_row([name], read).optional()?.ok_or(Refusal::NotFound)?;
    let mut select =
        tx.prepare_cached("SELECT id, kind IN (SELECT value FROM json_each(?2)) FROM facts WHERE id > ?1 ORDER BY id LIMIT ?3")?;
    let rows = select.query_map(params![place.numbered, place.events, NUMBER_ROWS as i64], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
    })?;
    let facts = rows.collect::<Result<Vec<_>, _>>()?;
    let mut insert = tx.prepare_cached("INSERT INTO deliveries (subscriber, sequence, fact) VALUES (?1, ?2, ?3)")?;
    for (fact, is_heard) in &facts {
        place.numbered = *fact;
        if !is_heard {
            continue;
        }
        place.last += 1;
        insert.execute(params![name, place.last, fact])?;
        if *fact <= place.starts_after && place.next == place.last {
            place.next += 1;
        }
    }
    if !facts.is_empty() {
        tx.prepare_cached("UPDATE subscribers SET numbered = ?2, last_sequence = ?3, next_sequence = ?4 WHERE name = ?1")?
            .execute(params![name, place.numbered, place.last, place.next])?;
    }
    Ok(facts.len() == NUMBER_ROWS)
}

pub(in crate::store) fn next(tx: &Connection, name: &str, now: Timestamp) -> Result<Next, StoreError> {
    let is_numbering = number(tx, name)?;
    let mut select = tx.prepare_cached(
        "SELECT deliveries.sequence, key, kind, document, at, number FROM subscribers
         JOIN deliveries ON subscriber = name AND deliveries.sequence = next_sequence
         JOIN facts ON facts.id = fact JOIN orders ON orders.id = order_id
         WHERE name = ?1 AND next_at <= ?2 AND removed_at IS NULL",
    )?;
    let found = select.query_row(params![name, now.0], delivery).optional()?;
    Ok(match found {
        Some(delivery) => Next::Send(Box::new(delivery)),
        None if is_numbering => Next::Numbering,
        None => Next::Nothing,
    })
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        sequence: row.get::<_, i64>(0)?.unsigned_abs(),
        key: row.get(1)?,
        kind: row.get(2)?,
        document: row.get(3)?,
        at: Timestamp(row.get(4)?),
        order_number: row.get(5)?,
    })
}

pub(in crate::store) fn from(tx: &Connection, name: &str, sequence: u64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT deliveries.sequence, key, kind, document, at, number FROM deliveries
         JOIN facts ON facts.id = fact JOIN orders ON orders.id = order_id
         WHERE subscriber = ?1 AND deliveries.sequence >= ?2 ORDER BY deliveries.sequence LIMIT ?3",
    )?;
    let rows = select.query_map(params![name, signed(sequence), limit], delivery)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(in crate::store) fn accept(tx: &Connection, name: &str, sequence: u64, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE subscribers SET next_sequence = next_sequence + 1, tries = 0, next_at = 0, accepted_at = ?3, last_error = NULL,
                failing_since = NULL, is_gone = 0, told_at = NULL
         WHERE name = ?1 AND next_sequence = ?2",
    )?
    .execute(params![name, signed(sequence), now.0])?;
    Ok(())
}

pub(in crate::store) fn fail(
    tx: &Connection,
    name: &str,
    sequence: u64,
    failed: &Failed,
    now: Timestamp,
) -> Result<(), StoreError> {
    let error: String = failed.error.chars().take(ERROR_BYTES).collect();
    tx.prepare_cached(
        "UPDATE subscribers SET next_at = :now + min(:longest, 1 << min(tries, 20)), tries = tries + 1, failures = failures + 1,
                last_error = :error, failing_since = coalesce(failing_since, :now), is_gone = :gone
         WHERE name = :name AND next_sequence = :sequence",
    )?
    .execute(named_params! {
        ":name": name,
        ":sequence": signed(sequence),
        ":now": now.0,
        ":longest": RETRY_MAX_SECONDS,
        ":error": error,
        ":gone": failed.is_gone,
    })?;
    Ok(())
}

pub(in crate::store) fn untold(tx: &Connection, since: Timestamp) -> Result<Vec<Outage>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT name, url, failing_since, coalesce(last_error, '') FROM subscribers
         WHERE removed_at IS NULL AND told_at IS NULL AND failing_since IS NOT NULL AND (is_gone OR failing_since <= ?1)
         ORDER BY name",
    )?;
    let read = |row: &Row<'_>| {
        Ok(Outage { subscriber: row.get(0)?, url: row.get(1)?, since: Timestamp(row.get(2)?), error: row.get(3)? })
    };
    Ok(select.query_map([since.0], read)?.collect::<Result<_, _>>()?)
}

/// An outage that ended meanwhile is over, and the next one is told anew.
pub(in crate::store) fn mark_told(tx: &Connection, outage: &Outage, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE subscribers SET told_at = ?3 WHERE name = ?1 AND failing_since = ?2")?.execute(params![
        outage.subscriber,
        outage.since.0,
        now.0
    ])?;
    Ok(())
}

pub(in crate::store) fn replay(tx: &Connection, name: &str, from: u64) -> Result<(), StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM deliveries WHERE subscriber = name AND sequence = ?2) AND ?2 <= next_sequence
         FROM subscribers WHERE name = ?1",
    )?;
    let found = select.query_row(params![name, signed(from)], |row| row.get::<_, bool>(0)).optional()?;
    if !found.ok_or(Refusal::NotFound)? {
        return Err(Refusal::WrongState.into());
    }
    tx.prepare_cached("UPDATE subscribers SET next_sequence = ?2, tries = 0, next_at = 0 WHERE name = ?1")?
        .execute(params![name, signed(from)])?;
    Ok(())
}

/// What waits is counted for those that are asked for alone: for one that was taken out nothing gets its number, so that more and more
/// would be counted each time.
pub(in crate::store) fn states(tx: &Connection, present: Present) -> Result<Vec<SubscriberState>, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT *, (SELECT min(sequence) FROM deliveries WHERE subscriber = name) AS first_kept,
                (SELECT count(*) FROM facts WHERE id > max(numbered, starts_after) AND kind IN (SELECT value FROM json_each(events)))
                    AS unnumbered,
                coalesce((SELECT at FROM deliveries JOIN facts ON id = fact WHERE subscriber = name AND sequence = next_sequence),
                         (SELECT min(at) FROM facts
                          WHERE id > max(numbered, starts_after) AND kind IN (SELECT value FROM json_each(events)))) AS waiting_since
         FROM subscribers WHERE ?1 OR removed_at IS NULL ORDER BY name",
    )?;
    let states = select.query_map([present == Present::All], |row| Ok(state(row)))?;
    states.map(|state| state?).collect()
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
