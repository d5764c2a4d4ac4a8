//! Aggregates: rows of what was counted by the hour.

use crate::store::StoreError;
use crate::store::aggregates::{Aggregate, Counted};
use crate::store::tx::{Row, Tx, params};

pub(in crate::store) fn put(tx: &Tx<'_>, writer: &str, rows: &[Aggregate]) -> Result<(), StoreError> {
    for Aggregate { hour, kind, cell, body } in rows {
        tx.execute(
            "INSERT INTO aggregates (hour, kind, cell, writer, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (hour, kind, cell, writer) DO UPDATE SET body = ?5",
            params![*hour, kind, cell, writer, body],
        )?;
    }
    Ok(())
}

pub(in crate::store) fn between(tx: &Tx<'_>, from: i64, until: i64) -> Result<Vec<Aggregate>, StoreError> {
    let select = "SELECT hour, kind, cell, body FROM aggregates WHERE hour >= ?1 AND hour < ?2 ORDER BY hour, kind, cell, writer";
    let read = |row: &Row<'_>| Ok(Aggregate { hour: row.get(0)?, kind: row.get(1)?, cell: row.get(2)?, body: row.get(3)? });
    tx.query(select, params![from, until], read)
}

pub(in crate::store) fn counted(tx: &Tx<'_>) -> Result<Option<Counted>, StoreError> {
    let read = |row: &Row<'_>| -> Result<_, StoreError> {
        let (first, last): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(first.zip(last).map(|(first, last)| Counted { first, last }))
    };
    tx.query_one("SELECT min(hour), max(hour) FROM aggregates", params![], read)
}

pub(in crate::store) fn forget(tx: &Tx<'_>, before: i64) -> Result<usize, StoreError> {
    tx.execute("DELETE FROM aggregates WHERE hour < ?1", params![before])
}
