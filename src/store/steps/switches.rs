//! Switches: what is switched off, and how much waits.

use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::tx::{Row, Tx, params};
use crate::store::watch::{Pause, Waiting, Watch};

pub(in crate::store) fn pause(tx: &Tx<'_>, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
    let was = paused(tx)?.is_some();
    tx.execute(
        "INSERT INTO switches (name, reason, since) VALUES ('payments', ?1, ?2) ON CONFLICT (name) DO UPDATE SET reason = ?1",
        params![reason, now.0],
    )?;
    Ok(!was)
}

pub(in crate::store) fn resume(tx: &Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM switches WHERE name = 'payments'", params![])? > 0)
}

pub(super) fn paused(tx: &Tx<'_>) -> Result<Option<Pause>, StoreError> {
    let select = "SELECT reason, since FROM switches WHERE name = 'payments'";
    let read = |row: &Row<'_>| Ok(Pause { reason: row.get(0)?, since: Timestamp(row.get(1)?) });
    tx.query_opt(select, params![], read)
}

pub(in crate::store) fn watch(tx: &Tx<'_>) -> Result<Watch, StoreError> {
    let waiting = |row: &Row<'_>, from: usize| -> Result<Waiting, StoreError> {
        let count: i64 = row.get(from)?;
        Ok(Waiting { count: count.unsigned_abs(), oldest: row.get::<_, Option<i64>>(from + 1)?.map(Timestamp) })
    };
    let inbox =
        tx.query_one("SELECT count(*), min(received_at) FROM inbox WHERE done_at IS NULL", params![], |row| waiting(row, 0))?;
    // By its value, not by the index of kinds: that one holds all that was ever promised.
    let select = tx.in_words(
        "SELECT kind, count(*), min(created_at) FROM outbox WHERE done_at IS NULL GROUP BY +kind ORDER BY +kind",
        "SELECT kind, count(*), min(created_at) FROM outbox WHERE done_at IS NULL GROUP BY kind ORDER BY kind",
    );
    let outbox = tx.query(select, params![], |row| Ok((row.get(0)?, waiting(row, 1)?)))?;
    Ok(Watch { pause: paused(tx)?, inbox, outbox })
}
