//! Writer: the one thread that writes, many steps to a commit.
//!
//! Owns    the transaction that steps of the queue share.
//! Always  each step has a SAVEPOINT of its own, so a refused or panicking one undoes only itself; nobody is answered before COMMIT
//!         has returned, and a failed COMMIT fails them all; answers and recovery go before new payments, and alone where the disk is
//!         full.
//!         What comes while a commit is flushed shares the next one; nobody waits for company.
//! Limits  `BATCH_MAX` steps to a commit.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use rusqlite::Connection;

use super::room::Room;
use crate::store::StoreError;
use crate::store::queue::{Job, Lane, Queue, Serves, job};
use crate::store::tx::Tx;
use crate::store::watch::Queued;

/// Beyond that a commit is not cheaper per step, only later.
const BATCH_MAX: usize = 128;

/// The thread's handle; dropping it waits for what is queued.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    room: Arc<Room>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on its connection. `room`: what is given up where the disk is full.
    pub(super) fn start(connection: Connection, room: Arc<Room>) -> Self {
        let queue = Arc::new(Queue::default());
        let (served, kept) = (Arc::clone(&queue), Arc::clone(&room));
        let thread = std::thread::Builder::new().name("store writer".to_owned()).spawn(move || {
            while let Some(batch) = served.next_batch(BATCH_MAX, Serves::All) {
                let begun_at = Instant::now();
                commit(&connection, batch, Some(&kept));
                served.worked(begun_at);
            }
        });
        Self { queue, room, thread: Some(thread.expect("a thread can be started while the process starts")) }
    }

    /// Steps that wait, and those that were done.
    pub(super) fn queued(&self) -> Queued {
        self.queue.queued()
    }

    /// Queues a step and waits for its commit.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if lane == Lane::Fresh && self.room.is_short() {
            return Err(StoreError::DiskFull);
        }
        let (job, told) = job(lane, step);
        self.queue.push(job)?;
        told.await.map_err(|_| StoreError::Engine("the writer stopped".to_owned()))?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // Steps' panics are caught; one of the loop itself was told when it happened.
            let _ = thread.join();
        }
    }
}

/// One transaction for a batch. Where the disk is full, what is kept for that is given up, and what may not wait is written into it.
pub(super) fn commit(connection: &Connection, mut batch: Vec<Job>, room: Option<&Room>) {
    let is_short = room.is_some_and(Room::is_short);
    let mut committed = transact(connection, &mut batch, is_short);
    let lacked_room = matches!(committed, Err(StoreError::DiskFull)) || batch.iter().any(|job| job.step.lacked_room());
    if lacked_room && room.is_some_and(Room::give_up) {
        committed = transact(connection, &mut batch, true);
    }
    for job in batch {
        job.step.answer(committed.as_ref().copied().map_err(copy));
    }
}

/// `is_short`: nothing new is begun.
fn transact(connection: &Connection, batch: &mut [Job], is_short: bool) -> Result<(), StoreError> {
    for job in &mut *batch {
        job.step.fail(StoreError::Engine("there was no transaction".to_owned()));
    }
    let begun = say(connection, if planted!("deferred_begin") { "BEGIN" } else { "BEGIN IMMEDIATE" });
    let ran = begun.and_then(|()| {
        for job in &mut *batch {
            match (job.lane, is_short) {
                (Lane::Fresh, true) => job.step.fail(StoreError::DiskFull),
                (Lane::Fresh, false) | (Lane::Urgent, _) => run(connection, job)?,
            }
        }
        failpoint!("K39", batch.len() > 1);
        say(connection, "COMMIT")
    });
    if ran.is_err() && !connection.is_autocommit() {
        // What ROLLBACK says adds nothing: the transaction is over either way.
        let _ = say(connection, "ROLLBACK");
    }
    if let Err(error) = &ran {
        for job in batch {
            job.step.fail(copy(error));
        }
    }
    ran
}

/// Errors: the transaction is gone, and with it what ran before.
fn run(connection: &Connection, job: &mut Job) -> Result<(), StoreError> {
    say(connection, "SAVEPOINT step")?;
    let keeps = job.step.run(&Tx::Sqlite(connection));
    if connection.is_autocommit() {
        // SQLite undoes the whole transaction by itself where the disk is full in the middle of it.
        let lacked_room = job.step.lacked_room();
        return Err(if lacked_room { StoreError::DiskFull } else { StoreError::Engine("the transaction was undone".to_owned()) });
    }
    if keeps {
        return say(connection, "RELEASE step");
    }
    say(connection, "ROLLBACK TO step")?;
    say(connection, "RELEASE step")
}

/// A word about the transaction itself, parsed once.
fn say(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Busy => StoreError::Busy,
        StoreError::DiskFull => StoreError::DiskFull,
        other => StoreError::Engine(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::tx::params;

    /// Two connections to one file; no one waits for the other.
    fn pair() -> (tempfile::TempDir, Connection, Connection) {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let connection = Connection::open(folder.path().join("x.db")).expect("a file");
            connection.pragma_update(None, "journal_mode", "WAL").expect("a log");
            connection.busy_timeout(Duration::ZERO).expect("a time-out");
            connection
        };
        let (one, other) = (open(), open());
        one.execute_batch("CREATE TABLE stock (free INTEGER NOT NULL); INSERT INTO stock VALUES (1)").expect("a table");
        (folder, one, other)
    }

    /// Takes the last unit while another process tries the same between its look and its change; gives what each was told.
    fn race() -> (Result<(), StoreError>, rusqlite::Result<usize>) {
        let (_folder, one, other) = pair();
        let (tell, told) = std::sync::mpsc::channel();
        let step = move |tx: &Tx<'_>| {
            let free: i64 = tx.query_one("SELECT free FROM stock", params![], |row| row.get(0))?;
            assert_eq!(free, 1);
            tell.send(other.execute("UPDATE stock SET free = 0", [])).expect("somebody listens");
            tx.execute("UPDATE stock SET free = 0", params![])?;
            Ok(())
        };
        let (job, mut answer) = job(Lane::Fresh, step);
        commit(&one, vec![job], None);
        (answer.try_recv().expect("an answer"), told.recv().expect("a try"))
    }

    #[test]
    fn whoever_has_looked_may_write() {
        let (mine, other) = race();
        assert!(mine.is_ok() && other.is_err(), "{mine:?} {other:?}");
    }

    /// The proof that it would be seen: case 81 of CHECKOUT.md, where no time-out helps.
    #[cfg(feature = "faults")]
    #[test]
    fn a_deferred_begin_is_caught() {
        crate::faults::plant(Some("deferred_begin"));
        let (mine, other) = race();
        crate::faults::plant(None);
        assert!(matches!(mine, Err(StoreError::Busy)) && other.is_ok(), "{mine:?} {other:?}");
    }

    /// A disk that is full is one whose database may have no more pages.
    #[test]
    fn a_full_disk_refuses_what_is_new_and_writes_what_is_under_way_into_the_room() {
        let (folder, one, _other) = pair();
        let room = Arc::new(Room::beside(&folder.path().join("x.db")));
        room.keep(10_000);
        one.execute_batch("CREATE TABLE big (x BLOB); PRAGMA max_page_count = 8").expect("a limit");
        // What the room's end makes free is, here, pages.
        let freed = Arc::clone(&room);
        let insert = move |tx: &Tx<'_>| {
            if freed.is_short() {
                tx.exists("PRAGMA max_page_count = 100", params![])?;
            }
            tx.execute("INSERT INTO big VALUES (zeroblob(60000))", params![])?;
            Ok(())
        };
        let ((urgent, mut paid), (fresh, mut begun)) = (job(Lane::Urgent, insert.clone()), job(Lane::Fresh, insert));
        commit(&one, vec![fresh, urgent], Some(&room));
        assert!(matches!(begun.try_recv(), Ok(Err(StoreError::DiskFull))));
        assert!(matches!(paid.try_recv(), Ok(Ok(()))));
        let rows: i64 = one.query_row("SELECT count(*) FROM big", [], |row| row.get(0)).expect("a count");
        assert_eq!((rows, room.is_short()), (1, true));
    }
}
