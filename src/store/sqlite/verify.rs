//! Verify: what can be told of a file from the file alone.
//!
//! Owns    what is wrong with the file itself; what it says is held against `steps::promises`.
//! Always  read-only, one consistent state, beside a running edge or on a backup.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::{BUSY_TIMEOUT, MIGRATIONS};
use crate::store::StoreError;
use crate::store::steps::promises::{self, Finding, NAMED_MAX, RESTORE, Report};
use crate::store::tx::Tx;

/// Holds a file against its promises.
pub(in crate::store) fn file(path: &Path) -> Result<Report, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    report(&tx)
}

fn report(tx: &Connection) -> Result<Report, StoreError> {
    let opened = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    if opened.as_ref().err().and_then(rusqlite::Error::sqlite_error_code) == Some(ErrorCode::NotADatabase) {
        return Err(StoreError::Corrupt("it is no database".to_owned()));
    }
    let findings = damage(tx)?;
    // What a damaged file says of anything else is worth nothing.
    if !findings.is_empty() {
        return Ok(Report::of(0, findings));
    }
    let (schema, known) = (version(tx)?, MIGRATIONS.len() as i64);
    if schema > known {
        return Err(StoreError::NewerSchema { found: schema, known });
    }
    promises::look(&Tx::Sqlite(tx), schema, schema < known)
}

/// What is wrong with the file itself.
fn damage(tx: &Connection) -> Result<Vec<Finding>, StoreError> {
    const LOOSE: &str = "SELECT \"table\" || ' ' || coalesce(rowid, '') || ' → ' || parent FROM pragma_foreign_key_check";
    let mut findings = Vec::new();
    for (name, query, well) in
        [("the file is whole", "PRAGMA integrity_check(20)", "ok"), ("every row's parents are there", LOOSE, "")]
    {
        let said = match texts(tx, query) {
            Err(StoreError::Engine(reason)) => vec![reason],
            said => said?,
        };
        let about: Vec<String> = said.into_iter().filter(|text| text != well).collect();
        if !about.is_empty() {
            let count = about.len();
            let about = about.into_iter().take(NAMED_MAX).collect();
            findings.push(Finding { name, about, count, advice: RESTORE, is_damage: true });
        }
    }
    Ok(findings)
}

fn version(tx: &Connection) -> Result<i64, StoreError> {
    let found = tx.query_row("SELECT max(version) FROM schema_version", [], |row| row.get::<_, Option<i64>>(0));
    match found {
        Ok(Some(version)) => Ok(version),
        Ok(None) | Err(_) => Err(StoreError::Corrupt("it has no schema of Vitrine's".to_owned())),
    }
}

fn texts(tx: &Connection, query: &str) -> Result<Vec<String>, StoreError> {
    let mut select = tx.prepare(query)?;
    let rows = select.query_map([], |row| row.get::<_, Option<String>>(0))?;
    rows.map(|row| Ok(row?.unwrap_or_default())).collect()
}
