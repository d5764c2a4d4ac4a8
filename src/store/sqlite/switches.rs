//! Switches: what is switched off, and how much waits.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::watch::{Pause, Waiting, Watch};

pub(in crate::store) fn pause(tx: &Connection, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
    let was = paused(tx)?.is_some();
    tx.prepare_cached(
        "INSERT INTO switches (name, reason, since) VALUES ('payments', ?1, ?2) ON CONFLICT (name) DO UPDATE SET reason = ?1",
    )?
    .execute(params![reason, now.0])?;
    Ok(!was)
}

pub(in crate::store) fn resume(tx: &Connection) -> Result<bool, StoreError> {
    Ok(tx.prepare_cached("DELETE FROM switches WHERE name = 'payments'")?.execute([])? > 0)
}

pub(super) fn paused(tx: &Connection) -> Result<Option<Pause>, StoreError> {
    let mut select = tx.prepare_cached("SELECT reason, since FROM switches WHERE name = 'payments'")?;
    let read = |row: &Row<'_>| Ok(Pause { reason: row.get(0)?, since: Timestamp(row.get(1)?) });
    Ok(select.query_row([], read).optional()?)
}

pub(in crate::store) fn watch(tx: &Connection) -> Result<Watch, StoreError> {
    let waiting = |row: &Row<'_>, from: usize| -> rusqlite::Result<Waiting> {
        let count: i64 = row.get(from)?;
        Ok(Waiting { count: count.unsigned_abs(), oldest: row.get::<_, Option<i64>>(from + 1)?.map(Timestamp) })
    };
    let inbox = tx
        .prepare_cached("SELECT count(*), min(received_at) FROM inbox WHERE done_at IS NULL")?
        .query_row([], |row| waiting(row, 0))?;
    // By its value, not by the index of kinds: that one holds all that was ever promised.
    let mut select = tx.prepare_cached(
        "SELECT kind, count(*), min(created_at) FROM outbox WHERE done_at IS NULL GROUP BY +kind ORDER BY +kind",
    )?;
    let outbox = select.query_map([], |row| Ok((row.get(0)?, waiting(row, 1)?)))?.collect::<Result<_, _>>()?;
    Ok(Watch { pause: paused(tx)?, inbox, outbox })
}
