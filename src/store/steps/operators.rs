//! Operators: rows of those who run the shop, of their sessions and tries, and the log of what they did.

use crate::commerce::ids::{OrderId, Timestamp};
use crate::store::operators::{
    Audited, IDLE_SECONDS, KNOWN_SECONDS, NAME_TRIES, NETWORK_TRIES, NewSession, Operator, SESSION_SECONDS, SESSIONS_MAX,
    STRANGER, TRIES_SECONDS, Try, WAIT_MAX_SECONDS,
};
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

/// Seconds after which it is written again that a session is used: not with each request.
const TOUCH_SECONDS: i64 = 60;

/// What is written into the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) action: &'a str,
    pub(super) subject: &'a str,
    pub(super) order: Option<&'a str>,
    pub(super) detail: &'a str,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

/// Who did it, and by which form.
#[derive(Clone, Copy, Debug)]
pub(super) struct By<'a> {
    pub(super) operator: &'a str,
    pub(super) key: Option<&'a str>,
}

impl<'a> From<&'a str> for By<'a> {
    fn from(operator: &'a str) -> Self {
        Self { operator, key: None }
    }
}

/// Adds to the log.
pub(super) fn write_down<'a>(tx: &Tx<'_>, by: impl Into<By<'a>>, entry: &Entry<'_>, now: Timestamp) -> Result<(), StoreError> {
    let By { operator, key } = by.into();
    let Entry { action, subject, order, detail, before, after } = *entry;
    tx.execute(
        "INSERT INTO audit (at, operator, action, subject, order_id, detail, before, after, key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![now.0, operator, action, subject, order, detail, before, after, key],
    )?;
    Ok(())
}

pub(in crate::store) fn add(tx: &Tx<'_>, name: &str, hash: &str, by: &str, now: Timestamp) -> Result<(), StoreError> {
    let insert =
        "INSERT INTO operators (name, hash, created_at, changed_at) VALUES (?1, ?2, ?3, ?3) ON CONFLICT (name) DO NOTHING";
    if tx.execute(insert, params![name, hash, now.0])? == 0 {
        return Err(Refusal::WrongState.into());
    }
    write_down(tx, by, &Entry { action: "operator added", subject: name, ..Entry::default() }, now)
}

pub(in crate::store) fn set_password(tx: &Tx<'_>, name: &str, hash: &str, by: &str, now: Timestamp) -> Result<(), StoreError> {
    let update = "UPDATE operators SET hash = ?2, changed_at = ?3, disabled_at = NULL WHERE name = ?1";
    if tx.execute(update, params![name, hash, now.0])? == 0 {
        return Err(Refusal::NotFound.into());
    }
    tx.execute("DELETE FROM operator_sessions WHERE operator = ?1", params![name])?;
    tx.execute("DELETE FROM sign_in_tries WHERE subject = ?1", params![of_name(name)])?;
    write_down(tx, by, &Entry { action: "password changed", subject: name, ..Entry::default() }, now)
}

pub(in crate::store) fn disable(tx: &Tx<'_>, name: &str, by: &str, now: Timestamp) -> Result<(), StoreError> {
    let update = "UPDATE operators SET disabled_at = coalesce(disabled_at, ?2) WHERE name = ?1";
    if tx.execute(update, params![name, now.0])? == 0 {
        return Err(Refusal::NotFound.into());
    }
    tx.execute("DELETE FROM operator_sessions WHERE operator = ?1", params![name])?;
    write_down(tx, by, &Entry { action: "operator disabled", subject: name, ..Entry::default() }, now)
}

pub(in crate::store) fn list(tx: &Tx<'_>) -> Result<Vec<Operator>, StoreError> {
    let select = "SELECT name, created_at, changed_at, disabled_at,
            (SELECT max(seen_at) FROM operator_sessions WHERE operator = name) FROM operators ORDER BY name";
    tx.query(select, params![], |row| {
        Ok(Operator {
            name: row.get(0)?,
            created_at: Timestamp(row.get(1)?),
            changed_at: Timestamp(row.get(2)?),
            disabled_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
            seen_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        })
    })
}

pub(in crate::store) fn are_any(tx: &Tx<'_>) -> Result<bool, StoreError> {
    tx.exists("SELECT 1 FROM operators WHERE disabled_at IS NULL LIMIT 1", params![])
}

fn of_name(name: &str) -> String {
    format!("name {name}")
}

fn of_network(network: &str) -> String {
    format!("network {network}")
}

/// What a try is counted for, with the tries in vain that each has. The network first: whoever is kept out by it cannot make a name wait.
fn subjects(tx: &Tx<'_>, name: &str, network: &str, now: Timestamp) -> Result<Vec<(String, u32)>, StoreError> {
    let mut subjects = vec![(of_network(network), NETWORK_TRIES)];
    // Where operators are at home nobody elsewhere can make their names wait. Whose home it is makes no difference: else it would be told
    // there which names exist.
    let select = "SELECT 1 FROM audit WHERE action = 'signed in' AND subject = ?1 AND at > ?2 LIMIT 1";
    if !tx.exists(select, params![network, now.0 - KNOWN_SECONDS])? {
        subjects.push((of_name(name), NAME_TRIES));
    }
    Ok(subjects)
}

/// Until when nothing is looked at; `None`: it may be.
pub(in crate::store) fn has_to_wait(
    tx: &Tx<'_>,
    name: &str,
    network: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    for (subject, _) in subjects(tx, name, network, now)? {
        let select =
            "SELECT locked_until FROM sign_in_tries WHERE subject = ?1 AND locked_until > ?2 AND locked_until <= ?2 + ?3";
        let until = tx.query_opt(select, params![subject, now.0, WAIT_MAX_SECONDS], |row| row.get(0))?;
        if let Some(until) = until {
            return Ok(Some(Timestamp(until)));
        }
    }
    Ok(None)
}

pub(in crate::store) fn begin(tx: &Tx<'_>, name: &str, network: &str, now: Timestamp) -> Result<Try, StoreError> {
    tx.execute("DELETE FROM sign_in_tries WHERE last_at < ?1", params![now.0 - TRIES_SECONDS])?;
    for (subject, free) in subjects(tx, name, network, now)? {
        if let Some(until) = count(tx, &subject, free, now)? {
            return Ok(Try::Wait { until });
        }
    }
    let select = "SELECT hash FROM operators WHERE name = ?1 AND disabled_at IS NULL";
    Ok(Try::Look { hash: tx.query_opt(select, params![name], |row| row.get(0))? })
}

/// Counts a try, unless its subject has to wait: until when, then. One statement, so that of many at once each is counted.
fn count(tx: &Tx<'_>, subject: &str, free: u32, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    // Locked for longer than anything is: the clock was set back meanwhile.
    let count = "INSERT INTO sign_in_tries (subject, failures, last_at, locked_until) VALUES (?1, 1, ?2, 0)
         ON CONFLICT (subject) DO UPDATE SET failures = sign_in_tries.failures + 1, last_at = ?2
             WHERE sign_in_tries.locked_until <= ?2 OR sign_in_tries.locked_until > ?2 + ?3
         RETURNING failures";
    let Some(failures) = tx.query_opt(count, params![subject, now.0, WAIT_MAX_SECONDS], |row| row.get::<_, i64>(0))? else {
        let select = "SELECT locked_until FROM sign_in_tries WHERE subject = ?1";
        return Ok(Some(Timestamp(tx.query_one(select, params![subject], |row| row.get(0))?)));
    };
    let over = failures - i64::from(free);
    if over >= 0 {
        // The try that is counted here may go on; the next one waits for 1 s, then 2 s, 4 s …
        let wait = WAIT_MAX_SECONDS.min(1_i64 << over.min(20));
        tx.execute("UPDATE sign_in_tries SET locked_until = ?2 WHERE subject = ?1", params![subject, now.0 + wait])?;
    }
    if over == 0 && is_ours(tx, subject)? {
        // Once, and not for each longer wait: the log is never shortened.
        let detail = format!("{failures} tries in vain");
        write_down(tx, STRANGER, &Entry { action: "made to wait", subject, detail: &detail, ..Entry::default() }, now)?;
    }
    Ok(None)
}

/// Whether that something waits is written down: a name that is nobody's is whatever strangers type.
fn is_ours(tx: &Tx<'_>, subject: &str) -> Result<bool, StoreError> {
    match subject.strip_prefix("name ") {
        None => Ok(true),
        Some(name) => tx.exists("SELECT 1 FROM operators WHERE name = ?1", params![name]),
    }
}

pub(in crate::store) fn open_session(tx: &Tx<'_>, session: &NewSession, now: Timestamp) -> Result<(), StoreError> {
    let NewSession { operator: name, network, token_hash, former } = session;
    tx.lock("SELECT 1 FROM operators WHERE name = ?1 FOR UPDATE", params![name])?;
    if !tx.exists("SELECT 1 FROM operators WHERE name = ?1 AND disabled_at IS NULL", params![name])? {
        return Err(Refusal::NotFound.into());
    }
    // The network first, as where tries are counted.
    let uncount = "UPDATE sign_in_tries SET failures = CASE WHEN failures > 0 THEN failures - 1 ELSE 0 END, locked_until = 0 WHERE subject = ?1";
    tx.execute(uncount, params![of_network(network)])?;
    tx.execute("DELETE FROM sign_in_tries WHERE subject = ?1", params![of_name(name)])?;
    if let Some(former) = former {
        close(tx, former, now)?;
    }
    tx.execute(
        "DELETE FROM operator_sessions WHERE operator = ?1 AND (seen_at <= ?2 OR created_at <= ?3)",
        params![name, now.0 - IDLE_SECONDS, now.0 - SESSION_SECONDS],
    )?;
    tx.execute(
        "DELETE FROM operator_sessions WHERE token_hash IN (SELECT token_hash FROM operator_sessions WHERE operator = ?1
             ORDER BY created_at DESC, token_hash LIMIT 1000 OFFSET ?2)",
        params![name, SESSIONS_MAX - 1],
    )?;
    tx.execute(
        "INSERT INTO operator_sessions (token_hash, operator, created_at, seen_at) VALUES (?1, ?2, ?3, ?3)",
        params![token_hash, name, now.0],
    )?;
    write_down(tx, name.as_str(), &Entry { action: "signed in", subject: network, ..Entry::default() }, now)
}

/// Who has it, and whether it has to be written that it is used.
pub(in crate::store) fn session(tx: &Tx<'_>, token_hash: &str, now: Timestamp) -> Result<Option<(String, bool)>, StoreError> {
    let select = "SELECT operator, seen_at FROM operator_sessions JOIN operators ON name = operator
         WHERE token_hash = ?1 AND disabled_at IS NULL AND seen_at > ?2 AND operator_sessions.created_at > ?3";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? <= now.0 - TOUCH_SECONDS));
    tx.query_opt(select, params![token_hash, now.0 - IDLE_SECONDS, now.0 - SESSION_SECONDS], read)
}

pub(in crate::store) fn touch(tx: &Tx<'_>, token_hash: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE operator_sessions SET seen_at = ?2 WHERE token_hash = ?1 AND seen_at < ?2", params![token_hash, now.0])?;
    Ok(())
}

pub(in crate::store) fn close(tx: &Tx<'_>, token_hash: &str, now: Timestamp) -> Result<(), StoreError> {
    let delete = "DELETE FROM operator_sessions WHERE token_hash = ?1 RETURNING operator";
    let Some(operator) = tx.query_opt(delete, params![token_hash], |row| row.get::<_, String>(0))? else { return Ok(()) };
    write_down(tx, operator.as_str(), &Entry { action: "signed out", ..Entry::default() }, now)
}

pub(in crate::store) fn close_all(tx: &Tx<'_>, name: &str, now: Timestamp) -> Result<usize, StoreError> {
    let ended = tx.execute("DELETE FROM operator_sessions WHERE operator = ?1", params![name])?;
    write_down(tx, name, &Entry { action: "signed out everywhere", ..Entry::default() }, now)?;
    Ok(ended)
}

pub(in crate::store) fn audit(
    tx: &Tx<'_>,
    before: Option<i64>,
    order: Option<&str>,
    limit: u32,
) -> Result<Vec<Audited>, StoreError> {
    let before = before.unwrap_or(i64::MAX);
    let read = |row: &Row<'_>| {
        Ok(Audited {
            id: row.get("id")?,
            at: Timestamp(row.get("at")?),
            operator: row.get("operator")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            order: row.get::<_, Option<String>>("order_id")?.map(OrderId),
            detail: row.get("detail")?,
            before: row.get("before")?,
            after: row.get("after")?,
        })
    };
    match order {
        None => tx.query("SELECT * FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2", params![before, limit], read),
        Some(order) => tx.query(
            "SELECT * FROM audit WHERE order_id = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2",
            params![before, limit, order],
            read,
        ),
    }
}
