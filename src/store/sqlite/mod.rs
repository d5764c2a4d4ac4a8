//! Sqlite: the embedded engine.
//!
//! Owns    the file's settings, its migrations, the writer's thread, the readers' connections and the checkpoints.
//! Always  `synchronous=FULL` and WAL; one writer; a reader never waits for it.
//! Limits  `READERS` idle connections are kept; the write-ahead log is folded in every `CHECKPOINT_EVERY`.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::StoreError;
use super::queue::Lane;
use super::tx::Tx;
use super::watch::Queued;
use room::Room;
use writer::Writer;

pub(super) mod copy;
#[cfg(feature = "faults")]
pub(super) mod inline;
mod room;
pub(super) mod verify;
mod writer;

/// The schema, oldest first; a file that was published is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_start.sql"),
    include_str!("../migrations/0002_sweep.sql"),
    include_str!("../migrations/0003_inbox.sql"),
    include_str!("../migrations/0004_cancel.sql"),
    include_str!("../migrations/0005_switches.sql"),
    include_str!("../migrations/0006_subscribers.sql"),
    include_str!("../migrations/0007_orphans.sql"),
    include_str!("../migrations/0008_refunds.sql"),
    include_str!("../migrations/0009_indices.sql"),
    include_str!("../migrations/0010_lookups.sql"),
    include_str!("../migrations/0011_disputes.sql"),
    include_str!("../migrations/0012_customers.sql"),
    include_str!("../migrations/0013_fulfillments.sql"),
    include_str!("../migrations/0014_withdrawals.sql"),
    include_str!("../migrations/0015_operators.sql"),
    include_str!("../migrations/0016_aggregates.sql"),
    include_str!("../migrations/0017_erasures.sql"),
    include_str!("../migrations/0018_lists.sql"),
];
/// The schema of the file of aggregates.
const METRICS_MIGRATIONS: &[&str] = &[include_str!("../migrations/metrics/0001_start.sql")];
/// Idle connections that are kept; more are opened when many read at once.
const READERS: usize = 8;
/// How long a lock of another process is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The log stays small, and no shopper's commit pays for folding it in.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// An open file. Clones share it; the last one waits for what is queued and closes it.
#[derive(Clone, Debug)]
pub struct Sqlite {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    writer: Writer,
    room: Arc<Room>,
    readers: Mutex<Vec<Connection>>,
    checkpoints: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Sqlite {
    /// Opens the file, making or migrating it as needed.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::Engine(error.to_string()))?;
        }
        let mut connection = connect(path)?;
        migrate(&mut connection, MIGRATIONS)?;
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let room = Arc::new(Room::beside(path));
        let shared = Shared {
            path: path.to_owned(),
            writer: Writer::start(connection, Arc::clone(&room)),
            room: Arc::clone(&room),
            readers: Mutex::new(Vec::new()),
            checkpoints: Some(start_checkpoints(connect(path)?, room)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Keeps so many bytes of the disk for payments under way.
    pub(super) fn keep_room(&self, bytes: u64) {
        self.shared.room.keep(bytes);
    }

    /// Whether the disk is full, so that nothing new is begun.
    pub(super) fn is_short_of_room(&self) -> bool {
        self.shared.room.is_short()
    }

    /// Does a step in the writer's next transaction.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        lane: Lane,
        step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.writer.submit(lane, step).await
    }

    /// Folds the log into the file and empties it, so that what was overwritten stands in neither. Gives whether it could: whoever reads at
    /// an older state of the file keeps it, for as long as a lock is waited for.
    pub(super) async fn empty_log(&self) -> Result<bool, StoreError> {
        let path = self.shared.path.clone();
        let emptied = tokio::task::spawn_blocking(move || {
            let is_held = connect(&path)?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
            Ok(!is_held)
        });
        emptied.await.map_err(|_| StoreError::Panicked)?
    }

    /// Steps that wait for the writer.
    pub(super) fn queued(&self) -> Queued {
        self.shared.writer.queued()
    }

    /// Looks at one consistent state, beside the writer.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        mut look: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let looked = tokio::task::spawn_blocking(move || {
            let idle = shared.readers.lock().expect("no reader panics while it holds the list").pop();
            let mut connection = idle.map_or_else(|| connect(&shared.path), Ok)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            let seen = look(&Tx::Sqlite(&transaction));
            drop(transaction);
            let mut readers = shared.readers.lock().expect("no reader panics while it holds the list");
            if readers.len() < READERS {
                readers.push(connection);
            }
            seen
        });
        looked.await.map_err(|_| StoreError::Panicked)?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.checkpoints.take() {
            drop(stop);
            // A panic of that thread was told when it happened, and nothing of it is needed here.
            let _ = thread.join();
        }
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let flushes = if planted!("synchronous_normal") { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", flushes)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is deleted is overwritten, as it may name people.
    connection.pragma_update(None, "secure_delete", true)?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// Opens the file of aggregates, making or migrating it as needed. What a power cut costs of it is missed by nobody.
pub(super) fn open_metrics(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = connect(path)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    migrate(&mut connection, METRICS_MIGRATIONS)?;
    Ok(connection)
}

/// A statement is planned once, not again for each value that is bound to it: partial indices would have it so.
fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Brings the schema up to date, each migration in a transaction with its version.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let known = migrations.len() as i64;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")?;
    let found: i64 = transaction.query_row("SELECT coalesce(max(version), 0) FROM schema_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (index, migration) in migrations.iter().enumerate().skip(found as usize) {
        transaction.execute_batch(migration)?;
        failpoint!("K38");
        transaction.execute("INSERT INTO schema_version (version) VALUES (?1)", [index as i64 + 1])?;
    }
    Ok(transaction.commit()?)
}

fn start_checkpoints(connection: Connection, room: Arc<Room>) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel();
    let work = move || {
        while stopped.recv_timeout(CHECKPOINT_EVERY) == Err(RecvTimeoutError::Timeout) {
            // A checkpoint that a reader holds up is tried again in a second.
            let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            failpoint!("K37");
            room.look();
        }
    };
    let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(work);
    (stop, thread.expect("a thread can be started while the process starts"))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let extended = error.sqlite_error().map(|error| error.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            // The index of the log could not grow: that is the same disk.
            _ if extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => Self::DiskFull,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Engine(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("shop.db");
        let mut connection = connect(&path).expect("the file is made");
        let later: Vec<&str> = MIGRATIONS.iter().copied().chain(["CREATE TABLE later (x)"]).collect();
        migrate(&mut connection, &later).expect("a later program's schema");
        drop(connection);
        match Sqlite::open(&path) {
            Err(StoreError::NewerSchema { found, known }) if found == known + 1 => {}
            other => panic!("a newer schema was taken: {other:?}"),
        }
    }

    /// Each is a table of its own for as long as the statement runs: pages taken from the system and given back to it.
    #[test]
    fn a_payment_changes_its_state_without_building_lists_for_its_indices() {
        let mut connection = Connection::open_in_memory().expect("memory");
        migrate(&mut connection, MIGRATIONS).expect("the schema");
        let program = "EXPLAIN UPDATE attempts SET state = ?2, reason = ?3, changed_at = ?4 WHERE id = ?1";
        let mut explain = connection.prepare(program).expect("a statement");
        let nothing = rusqlite::params!["", "", "", 0];
        let steps = explain.query_map(nothing, |row| row.get::<_, String>("opcode")).expect("its program");
        let lists = steps.filter(|step| step.as_deref() == Ok("OpenEphemeral")).count();
        assert_eq!(lists, 1, "the one of the states that there are");
    }

    #[test]
    fn migrations_go_on_from_where_the_file_is() {
        let mut connection = Connection::open_in_memory().expect("memory");
        migrate(&mut connection, &["CREATE TABLE a (x)"]).expect("the first");
        assert!(migrate(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x"]).is_err());
        migrate(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).expect("the second, after its slip");
        migrate(&mut connection, &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).expect("nothing to do");
        let version: i64 = connection.query_row("SELECT max(version) FROM schema_version", [], |row| row.get(0)).expect("a row");
        assert_eq!(version, 2);
    }
}
