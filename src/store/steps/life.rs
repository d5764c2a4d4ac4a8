//! Life: the one row that tells an older copy of the file from the file itself, and where order numbers go on.

use super::locks::{Lock, lock};
use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::tx::{Row, Tx, params};
use crate::store::upkeep::Life;

pub(in crate::store) fn read(tx: &Tx<'_>) -> Result<Option<Life>, StoreError> {
    let select = "SELECT born_at, seen_at, is_stopped, copied_at FROM life";
    let read = |row: &Row<'_>| {
        Ok(Life {
            born_at: Timestamp(row.get(0)?),
            seen_at: Timestamp(row.get(1)?),
            is_stopped: row.get(2)?,
            copied_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
        })
    };
    tx.query_opt(select, params![], read)
}

pub(in crate::store) fn beat(tx: &Tx<'_>, is_stopped: bool, now: Timestamp) -> Result<(), StoreError> {
    let born = born(tx, now)?;
    tx.execute(
        "INSERT INTO life (id, born_at, seen_at, is_stopped) VALUES (1, ?3, ?1, ?2)
         ON CONFLICT (id) DO UPDATE SET born_at = ?3, seen_at = ?1, is_stopped = ?2",
        params![now.0, i64::from(is_stopped), born.0],
    )?;
    Ok(())
}

/// Since when this shop keeps this file. Where it does not say, or says what cannot be: since its first checkout.
pub(in crate::store) fn born(tx: &Tx<'_>, now: Timestamp) -> Result<Timestamp, StoreError> {
    let select = "SELECT coalesce((SELECT born_at FROM life WHERE born_at <= ?1), (SELECT min(created_at) FROM checkouts WHERE created_at <= ?1), ?1)";
    Ok(Timestamp(tx.query_one(select, params![now.0], |row| row.get(0))?))
}

/// When the newest payment was begun.
pub(in crate::store) fn newest_attempt(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let select = "SELECT max(created_at) FROM attempts";
    Ok(tx.query_one(select, params![], |row| row.get::<_, Option<i64>>(0))?.map(Timestamp))
}

/// Where no edge ever lived on it, its birth counts as its last sign of life: whoever is interrupted after this doubts an old file again.
pub(in crate::store) fn settle(tx: &Tx<'_>, gap: i64, now: Timestamp) -> Result<(), StoreError> {
    let born = born(tx, now)?;
    tx.execute("INSERT INTO life (id, born_at, seen_at) VALUES (1, ?1, ?1) ON CONFLICT (id) DO NOTHING", params![born.0])?;
    if gap > 0 {
        tx.execute("UPDATE life SET order_floor = ?1", params![last_sequence(tx)? + gap])?;
    }
    tx.execute("UPDATE life SET copied_at = NULL", params![])?;
    Ok(())
}

/// The next order's place among all: after the last one that is known, and after those that may be lost.
pub(super) fn next_sequence(tx: &Tx<'_>) -> Result<i64, StoreError> {
    lock(tx, Lock::Numbers)?;
    Ok(last_sequence(tx)? + 1)
}

fn last_sequence(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let select =
        "SELECT coalesce((SELECT max(sequence) FROM orders), 0), coalesce((SELECT order_floor FROM life WHERE id = 1), 0)";
    let read = |row: &Row<'_>| Ok(row.get::<_, i64>(0)?.max(row.get(1)?));
    tx.query_one(select, params![], read)
}
