//! Migrate: the tables, brought up to date by the first edge that comes.
//!
//! Always  each migration is in one transaction with its version; edges that start at once wait for each other; a schema of a later
//!         program is left alone.

use std::time::Duration;

use super::session::{Commit, Mode, Session};
use crate::store::StoreError;
use crate::store::tx::{Param, Row, Tx, params};

/// The schema, oldest first, by the version it has in every engine; a file that was published is never changed.
pub(super) const MIGRATIONS: &[(i64, &str)] = &[
    (10, include_str!("../migrations/postgres/0010_start.sql")),
    (11, include_str!("../migrations/postgres/0011_disputes.sql")),
    (12, include_str!("../migrations/postgres/0012_customers.sql")),
    (13, include_str!("../migrations/postgres/0013_fulfillments.sql")),
    (14, include_str!("../migrations/postgres/0014_withdrawals.sql")),
    (15, include_str!("../migrations/postgres/0015_operators.sql")),
    (16, include_str!("../migrations/postgres/0016_aggregates.sql")),
    (17, include_str!("../migrations/postgres/0017_erasures.sql")),
    (18, include_str!("../migrations/postgres/0018_lists.sql")),
];

/// A migration of a large shop takes its time, and so does the wait for another edge's.
const PATIENCE: Duration = Duration::from_secs(600);
/// Any number, as long as nobody else locks by it.
const LOCK: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(5293071844)";

/// Brings the schema up to date.
pub(super) fn migrate(session: &Session, migrations: &[(i64, &'static str)]) -> Result<(), StoreError> {
    session.begin(Mode::Step);
    session.be_patient(PATIENCE);
    let made = all(session, migrations);
    if made.is_err() {
        session.roll_back();
        return made;
    }
    match session.commit() {
        Commit::Done => Ok(()),
        Commit::Undone(error) | Commit::Unknown(error) => Err(error),
    }
}

fn all(session: &Session, migrations: &[(i64, &'static str)]) -> Result<(), StoreError> {
    let tx = Tx::Postgres(session);
    session.words(LOCK)?;
    session.words("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")?;
    let found = version(&tx)?;
    let known = migrations.last().map_or(0, |(version, _)| *version);
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (version, migration) in migrations.iter().filter(|(version, _)| *version > found) {
        session.words(migration)?;
        tx.execute("INSERT INTO schema_version (version) VALUES (?1)", params![*version])?;
    }
    Ok(())
}

/// The version that the database has; 0: none.
pub(in crate::store) fn version(tx: &Tx<'_>) -> Result<i64, StoreError> {
    let nothing: &[Param<'_>] = params![];
    tx.query_one("SELECT coalesce(max(version), 0) FROM schema_version", nothing, |row: &Row<'_>| row.get(0))
}
