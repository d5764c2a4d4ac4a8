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

/// A file from before there was this row was born with its first checkout.
pub(in crate::store) fn beat(tx: &Connection, is_stopped: bool, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO life (id, born_at, seen_at, is_stopped)
         VALUES (1, min(?1, coalesce((SELECT min(created_at) FROM checkouts), ?1)), ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET seen_at = ?1, is_stopped = ?2",
    )?
    .execute(params![now.0, is_stopped])?;
    Ok(())
}

pub(in crate::store) fn settle(tx: &Connection, gap: i64) -> Result<(), StoreError> {
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
