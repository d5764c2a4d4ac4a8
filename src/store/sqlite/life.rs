//! Life: the one row that tells an older copy of the file from the file itself, and where order numbers go on.

use rusqlite::{Connection, OptionalExtension, params};

use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::upkeep::Life;

pub(in crate::store) fn read(tx: &Connection) -> Result<Option<Life>, StoreError> {
    let mut select = tx.prepare_cached("SELECT born_at, seen_at, is_stopped, copied_at FROM life")?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Life {
            born_at: Timestamp(row.get(0)?),
            seen_at: Timestamp(row.get(1)?),
            is_stopped: row.get(2)?,
            copied_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
        })
    };
    Ok(select.query_row([], read).optional()?)
}

pub(in crate::store) fn beat(tx: &Connection, is_stopped: bool, now: Timestamp) -> Result<(), StoreError> {
    let born = born(tx, now)?;
    tx.prepare_cached(
        "INSERT INTO life (id, born_at, seen_at, is_stopped) VALUES (1, ?3, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET born_at = ?3, seen_at = ?1, is_stopped = ?2",
    )?
    .execute(params![now.0, is_stopped, born.0])?;
    Ok(())
}

/// Since when this shop keeps this file. Where it does not say, or says what cannot be: since its first checkout.
pub(in crate::store) fn born(tx: &Connection, now: Timestamp) -> Result<Timestamp, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT coalesce((SELECT born_at FROM life WHERE born_at <= ?1), (SELECT min(created_at) FROM checkouts WHERE created_at <= ?1), ?1)",
    )?;
    Ok(Timestamp(select.query_row([now.0], |row| row.get(0))?))
}

/// When the newest payment was begun.
pub(in crate::store) fn newest_attempt(tx: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let mut select = tx.prepare_cached("SELECT max(created_at) FROM attempts")?;
    Ok(select.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(Timestamp))
}

/// Where no edge ever lived on it, its birth counts as its last sign of life: whoever is interrupted after this doubts an old file again.
pub(in crate::store) fn settle(tx: &Connection, gap: i64, now: Timestamp) -> Result<(), StoreError> {
    let born = born(tx, now)?;
    tx.prepare_cached("INSERT INTO life (id, born_at, seen_at) VALUES (1, ?1, ?1) ON CONFLICT (id) DO NOTHING")?
        .execute([born.0])?;
    tx.prepare_cached(
        "UPDATE life SET copied_at = NULL, order_floor = CASE WHEN ?1 > 0 THEN
             max(order_floor, (SELECT coalesce(max(sequence), 0) FROM orders)) + ?1 ELSE order_floor END",
    )?
    .execute([gap])?;
    Ok(())
}

/// The next order's place among all: after the last one that is known, and after those that may be lost.
pub(super) fn next_sequence(tx: &Connection) -> Result<i64, StoreError> {
    let mut select = tx.prepare_cached(
        "SELECT max((SELECT coalesce(max(sequence), 0) FROM orders), coalesce((SELECT order_floor FROM life), 0)) + 1",
    )?;
    Ok(select.query_row([], |row| row.get(0))?)
}
