//! Writer: the one thread that writes, many steps to a commit.
//!
//! Owns    the queue of steps and the transaction they share.
//! Always  each step has a SAVEPOINT of its own, so a refused or panicking one undoes only itself; nobody is answered before COMMIT
//!         has returned, and a failed COMMIT fails them all; answers and recovery go before new payments.
//! Limits  `BATCH_MAX` steps or `BATCH_WAIT` to a commit; `QUEUE_MAX` steps wait in each lane, then `StoreError::Busy`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::store::StoreError;

/// Beyond that a commit is not cheaper per step, only later.
const BATCH_MAX: usize = 128;
/// Less than a disk's own flush takes.
const BATCH_WAIT: Duration = Duration::from_millis(2);
/// About a second of writing; who comes later is told at once instead of waiting in vain.
const QUEUE_MAX: usize = 4096;

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Lane {
    /// Answers of the gateway and recovery: money that already moves.
    Urgent,
    /// All else.
    Fresh,
}

/// Runs in the transaction, or hears why there is none.
pub(super) type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Ran + Send>;

/// A step that ran: whether its changes stay, and how its asker is answered once the commit is known.
pub(super) struct Ran {
    keeps: bool,
    answer: Box<dyn FnOnce(Result<(), StoreError>)>,
}

/// The thread's handle; dropping it waits for what is queued.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    urgent: VecDeque<Job>,
    fresh: VecDeque<Job>,
    closed: bool,
}

impl Writer {
    /// Starts the thread on its connection.
    pub(super) fn start(connection: Connection) -> Self {
        let queue = Arc::new(Queue::default());
        let served = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("store writer".to_owned()).spawn(move || {
            while let Some(batch) = served.next_batch() {
                commit(&connection, batch);
            }
        });
        Self { queue, thread: Some(thread.expect("a thread can be started while the process starts")) }
    }

    /// Queues a step and waits for its commit.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        step: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, told) = job(step);
        self.queue.push(lane, job)?;
        told.await.map_err(|_| StoreError::Engine("the writer stopped".to_owned()))?
    }
}

/// A step as the writer runs it, and where its answer comes.
pub(super) fn job<T: Send + 'static>(
    step: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, StoreError>>) {
    let (tell, told) = oneshot::channel();
    let job = move |connection: Result<&Connection, StoreError>| {
        let guarded = |connection| catch_unwind(AssertUnwindSafe(|| step(connection))).unwrap_or(Err(StoreError::Panicked));
        let result = connection.and_then(guarded);
        // Whoever asked may be gone by now; the commit stands all the same.
        let keeps = result.is_ok();
        let answer = move |committed: Result<(), StoreError>| drop(tell.send(committed.and(result)));
        Ran { keeps, answer: Box::new(answer) }
    };
    (Box::new(job), told)
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Steps' panics are caught; one of the loop itself was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds the queue")
    }

    fn push(&self, lane: Lane, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        let queue = match lane {
            Lane::Urgent => &mut waiting.urgent,
            Lane::Fresh => &mut waiting.fresh,
        };
        if queue.len() >= QUEUE_MAX {
            return Err(StoreError::Busy);
        }
        queue.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a step, then a little for others to join it; `None` once closed and empty.
    fn next_batch(&self) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.len() == 0 {
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).expect("nothing panics while it holds the queue");
        }
        let until = Instant::now() + BATCH_WAIT;
        while waiting.len() < BATCH_MAX && !waiting.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.changed.wait_timeout(waiting, left).expect("nothing panics while it holds the queue").0;
        }
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX {
            let Some(job) = waiting.urgent.pop_front().or_else(|| waiting.fresh.pop_front()) else { break };
            batch.push(job);
        }
        Some(batch)
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.urgent.len() + self.fresh.len()
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}

/// One transaction for a batch.
pub(super) fn commit(connection: &Connection, batch: Vec<Job>) {
    if let Err(error) = say(connection, "BEGIN IMMEDIATE") {
        for job in batch {
            (job(Err(copy(&error))).answer)(Ok(()));
        }
        return;
    }
    let ran: Vec<Ran> = batch.into_iter().map(|job| run(connection, job)).collect();
    failpoint!("K39", ran.len() > 1);
    let committed = say(connection, "COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        // What ROLLBACK says adds nothing: the transaction is over either way.
        let _ = say(connection, "ROLLBACK");
    }
    for ran in ran {
        (ran.answer)(committed.as_ref().copied().map_err(copy));
    }
}

fn run(connection: &Connection, job: Job) -> Ran {
    let begun = say(connection, "SAVEPOINT step");
    let ran = job(Ok(connection));
    let ended = begun.and_then(|()| match ran.keeps {
        true => say(connection, "RELEASE step"),
        false => say(connection, "ROLLBACK TO step").and_then(|()| say(connection, "RELEASE step")),
    });
    match ended {
        Ok(()) => ran,
        Err(error) => Ran { keeps: false, answer: Box::new(move |_| (ran.answer)(Err(error))) },
    }
}

/// A word about the transaction itself, parsed once.
fn say(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Busy => StoreError::Busy,
        other => StoreError::Engine(other.to_string()),
    }
}
