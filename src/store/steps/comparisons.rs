//! Comparisons: the rows that tell how far the gateway's lists were read, and what was come across.

use super::{inbox, orphans, payments};
use crate::commerce::ids::{AttemptId, Timestamp};
use crate::commerce::payment::Attempt;
use crate::store::StoreError;
use crate::store::comparisons::{CatchUp, Comparison, Leaf};
use crate::store::event::NewEvent;
use crate::store::orphans::Reconciliation;
use crate::store::tx::{Row, Tx, params};

pub(in crate::store) fn under_way(tx: &Tx<'_>, gateway: &str) -> Result<Option<Comparison>, StoreError> {
    let select =
        "SELECT since, begun_at, in_doubt, place, is_listed, seen_at, compared, orphans, different, ahead FROM comparisons
         WHERE gateway = ?1";
    let read = |row: &Row<'_>| {
        Ok(Comparison {
            since: Timestamp(row.get(0)?),
            begun_at: Timestamp(row.get(1)?),
            is_in_doubt: row.get(2)?,
            place: row.get(3)?,
            is_listed: row.get(4)?,
            seen_at: Timestamp(row.get(5)?),
            compared: row.get(6)?,
            orphans: row.get(7)?,
            different: row.get(8)?,
            ahead: row.get(9)?,
        })
    };
    tx.query_opt(select, params![gateway], read)
}

pub(in crate::store) fn begin(
    tx: &Tx<'_>,
    gateway: &str,
    since: Timestamp,
    is_in_doubt: bool,
    now: Timestamp,
) -> Result<Comparison, StoreError> {
    forget(tx, gateway)?;
    tx.execute(
        "INSERT INTO comparisons (gateway, since, begun_at, in_doubt, seen_at) VALUES (?1, ?2, ?3, ?4, ?3)",
        params![gateway, since.0, now.0, i64::from(is_in_doubt)],
    )?;
    Ok(Comparison {
        since,
        begun_at: now,
        is_in_doubt,
        place: String::new(),
        is_listed: false,
        seen_at: now,
        compared: 0,
        orphans: 0,
        different: 0,
        ahead: 0,
    })
}

pub(in crate::store) fn forget(tx: &Tx<'_>, gateway: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM comparisons WHERE gateway = ?1", params![gateway])?;
    tx.execute("DELETE FROM compared", params![])?;
    Ok(())
}

pub(in crate::store) fn keep(
    tx: &Tx<'_>,
    gateway: &str,
    from: &Comparison,
    leaf: &Leaf,
    now: Timestamp,
) -> Result<Option<Comparison>, StoreError> {
    let place = leaf.next.as_deref().unwrap_or(&from.place);
    let is_listed = from.is_listed || leaf.next.is_none();
    let update =
        "UPDATE comparisons SET place = ?5, is_listed = ?6, seen_at = ?7, compared = compared + ?8, different = different + ?9,
                ahead = ahead + ?10
         WHERE gateway = ?1 AND begun_at = ?2 AND place = ?3 AND is_listed = ?4";
    let (was_listed, is_listed) = (i64::from(from.is_listed), i64::from(is_listed));
    let values = params![
        gateway,
        from.begun_at.0,
        from.place,
        was_listed,
        place,
        is_listed,
        now.0,
        leaf.compared,
        leaf.different,
        leaf.ahead,
    ];
    let is_ours = tx.execute(update, values)? > 0;
    let orphans = orphans::find(tx, &leaf.found)?;
    // A difference that was looked for and not found is over; of what could not be looked at nothing is known.
    let delete = "DELETE FROM differences WHERE attempt = ?1 AND seen_at < ?2";
    leaf.looked_at.iter().try_for_each(|attempt| tx.execute(delete, params![attempt.as_str(), from.begun_at.0]).map(drop))?;
    if !is_ours {
        return Ok(None);
    }
    let insert = "INSERT INTO compared (attempt, is_moved) VALUES (?1, ?2)
         ON CONFLICT (attempt) DO UPDATE SET is_moved = CASE WHEN ?2 = 1 THEN 1 ELSE compared.is_moved END";
    for (attempt, is_moved) in &leaf.seen {
        tx.execute(insert, params![attempt.as_str(), i64::from(*is_moved)])?;
    }
    let found = i64::try_from(orphans).unwrap_or(i64::MAX);
    tx.execute("UPDATE comparisons SET orphans = orphans + ?2 WHERE gateway = ?1", params![gateway, found])?;
    under_way(tx, gateway)
}

pub(in crate::store) fn not_compared(
    tx: &Tx<'_>,
    gateway: &str,
    since: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Attempt>, StoreError> {
    payments::many(
        tx,
        "SELECT * FROM attempts WHERE gateway = ?1 AND created_at >= ?2 AND created_at <= ?3 AND state = 'paid' AND reference IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM compared WHERE compared.attempt = attempts.id) ORDER BY created_at, id LIMIT ?4",
        params![gateway, since.0, until.0, limit],
    )
}

pub(in crate::store) fn end(tx: &Tx<'_>, gateway: &str, done: &Reconciliation) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO reconciliations (gateway, since, at, compared, orphans, different) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![gateway, done.since.0, done.at.0, done.compared, done.orphans, done.different],
    )?;
    tx.execute("DELETE FROM comparisons WHERE gateway = ?1", params![gateway])?;
    tx.execute("DELETE FROM compared WHERE is_moved = 0", params![])?;
    Ok(())
}

pub(in crate::store) fn moved(tx: &Tx<'_>, limit: u32) -> Result<Vec<Attempt>, StoreError> {
    let select = "SELECT * FROM attempts WHERE id IN (SELECT attempt FROM compared WHERE is_moved = 1 ORDER BY attempt LIMIT ?1)
         ORDER BY created_at, id";
    payments::many(tx, select, params![limit])
}

pub(in crate::store) fn moved_on(tx: &Tx<'_>, attempts: &[AttemptId]) -> Result<(), StoreError> {
    let delete = "DELETE FROM compared WHERE attempt = ?1";
    attempts.iter().try_for_each(|attempt| tx.execute(delete, params![attempt.as_str()]).map(drop))
}

pub(in crate::store) fn caught_up(tx: &Tx<'_>, gateway: &str) -> Result<Option<CatchUp>, StoreError> {
    let read = |row: &Row<'_>| {
        Ok(CatchUp { since: Timestamp(row.get(0)?), begun_at: row.get::<_, Option<i64>>(1)?.map(Timestamp), place: row.get(2)? })
    };
    tx.query_opt("SELECT since, begun_at, place FROM catch_ups WHERE gateway = ?1", params![gateway], read)
}

pub(in crate::store) fn keep_missed(
    tx: &Tx<'_>,
    gateway: &str,
    events: &[NewEvent],
    from: &str,
    read: &CatchUp,
    now: Timestamp,
) -> Result<(usize, bool), StoreError> {
    let count = inbox::keep(tx, events, now)?;
    let upsert = "INSERT INTO catch_ups (gateway, since, begun_at, place) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (gateway) DO UPDATE SET since = ?2, begun_at = ?3, place = ?4 WHERE catch_ups.place = ?5";
    let begun_at = read.begun_at.map(|at| at.0);
    Ok((count, tx.execute(upsert, params![gateway, read.since.0, begun_at, read.place, from])? > 0))
}
