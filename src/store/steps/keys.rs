//! Keys: what became of requests that came with an `Idempotency-Key`.

use crate::commerce::ids::Timestamp;
use crate::store::tx::{Row, Tx, params};
use crate::store::{KEY_SECONDS, KeyUse, StoreError};

/// Seconds after which a request that was never finished is taken to have died with its edge. A request has 10 s in all.
const IN_FLIGHT_SECONDS: i64 = 60;
/// Old rows are swept along with each new one; more than come in, so they never pile up.
const SWEEP_ROWS: i64 = 10;

pub(in crate::store) fn begin(
    tx: &Tx<'_>,
    scope: &str,
    key: &str,
    request_hash: &str,
    now: Timestamp,
) -> Result<KeyUse, StoreError> {
    let delete = tx.in_words(
        "DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys WHERE created_at <= ?1 LIMIT ?2)
             OR (scope = ?3 AND key = ?4 AND status IS NULL AND created_at <= ?5)",
        "WITH due AS MATERIALIZED (SELECT scope, key FROM idempotency_keys WHERE created_at <= ?1 LIMIT ?2 FOR UPDATE SKIP LOCKED)
         DELETE FROM idempotency_keys WHERE (scope, key) IN (SELECT scope, key FROM due)
             OR (scope = ?3 AND key = ?4 AND status IS NULL AND created_at <= ?5)",
    );
    tx.execute(delete, params![now.0 - KEY_SECONDS, SWEEP_ROWS, scope, key, now.0 - IN_FLIGHT_SECONDS])?;
    let insert =
        "INSERT INTO idempotency_keys (scope, key, request_hash, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    if tx.execute(insert, params![scope, key, request_hash, now.0])? == 1 {
        return Ok(KeyUse::Fresh);
    }
    let select = "SELECT request_hash, status, response FROM idempotency_keys WHERE scope = ?1 AND key = ?2";
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<u16>>(1)?, row.get::<_, Option<Vec<u8>>>(2)?));
    Ok(match tx.query_opt(select, params![scope, key], read)? {
        Some((used_for, ..)) if used_for != request_hash => KeyUse::OtherRequest,
        Some((_, Some(status), response)) => KeyUse::Done { status, response: response.unwrap_or_default() },
        _ => KeyUse::InFlight,
    })
}

pub(in crate::store) fn finish(tx: &Tx<'_>, scope: &str, key: &str, status: u16, response: &[u8]) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE idempotency_keys SET status = ?3, response = ?4 WHERE scope = ?1 AND key = ?2 AND status IS NULL",
        params![scope, key, status, response],
    )?;
    Ok(())
}

/// Forgets requests that were never finished, since whoever worked on them is dead: sent again, they find their own traces.
pub(super) fn forget_unfinished(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("DELETE FROM idempotency_keys WHERE status IS NULL", params![])?;
    Ok(())
}

pub(in crate::store) fn forget(tx: &Tx<'_>, scope: &str, key: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM idempotency_keys WHERE scope = ?1 AND key = ?2 AND status IS NULL", params![scope, key])?;
    Ok(())
}
