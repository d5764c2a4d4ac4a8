//! Queue: steps that wait for an engine, the urgent ones first.
//!
//! Always  a step that panics is a step that failed; whoever asked is told once, after the commit or instead of it.
//! Limits  `QUEUE_MAX` steps wait in each lane, then `StoreError::Busy`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::StoreError;
use super::tx::Tx;
use super::watch::Queued;

/// About a second of writing; who comes later is told at once instead of waiting in vain.
const QUEUE_MAX: usize = 4096;

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Answers of the gateway and recovery: money that already moves.
    Urgent,
    /// All else.
    Fresh,
}

/// Which lanes one that takes steps takes them from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    /// The urgent ones alone.
    Urgent,
    /// All, the urgent ones first.
    All,
}

/// A step that waits for its transaction.
pub(super) struct Job {
    pub(super) lane: Lane,
    /// Whether it changes nothing.
    pub(super) is_look: bool,
    pub(super) step: Box<dyn Step>,
}

/// What an engine knows of a step, whatever it gives. It runs again where the transaction that held it could not be written.
pub(super) trait Step: Send {
    /// Runs; whether its changes stay.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// It failed for a reason of the store's own.
    fn fail(&mut self, error: StoreError);
    fn lacked_room(&self) -> bool;
    /// Tells whoever asked.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Asked<T, F> {
    step: F,
    result: Result<T, StoreError>,
    tell: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnMut(&Tx<'_>) -> Result<T, StoreError> + Send> Step for Asked<T, F> {
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let step = &mut self.step;
        self.result = catch_unwind(AssertUnwindSafe(|| step(tx))).unwrap_or(Err(StoreError::Panicked));
        self.result.is_ok()
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Err(error);
    }

    fn lacked_room(&self) -> bool {
        matches!(self.result, Err(StoreError::DiskFull))
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        // Whoever asked may be gone by now; the commit stands all the same. A step's own error says more than the commit's.
        let told = match (self.result, committed) {
            (Ok(_), Err(error)) => Err(error),
            (result, _) => result,
        };
        drop(self.tell.send(told));
    }
}

/// Steps that wait, and how many were taken.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// The same for those that take urgent ones alone.
    urgent: Condvar,
    /// Transactions so far, and the steps they held.
    commits: AtomicU64,
    steps: AtomicU64,
    busy_ns: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    urgent: VecDeque<Job>,
    fresh: VecDeque<Job>,
    closed: bool,
}

/// A step as an engine runs it, and where its answer comes.
pub(super) fn job<T: Send + 'static>(
    lane: Lane,
    step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, StoreError>>) {
    let (tell, told) = oneshot::channel();
    let result = Err(StoreError::Engine("there was no transaction".to_owned()));
    (Job { lane, is_look: false, step: Box::new(Asked { step, result, tell }) }, told)
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds the queue")
    }

    /// Steps that wait, and those that were done.
    pub(super) fn queued(&self) -> Queued {
        let waiting = self.lock();
        Queued {
            urgent: waiting.urgent.len(),
            fresh: waiting.fresh.len(),
            most: QUEUE_MAX,
            commits: self.commits.load(Ordering::Relaxed),
            steps: self.steps.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.busy_ns.load(Ordering::Relaxed)),
        }
    }

    /// Counts the time that a batch took since it was begun.
    pub(super) fn worked(&self, begun_at: Instant) {
        let nanoseconds = u64::try_from(begun_at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.busy_ns.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Lets whoever takes steps end once there are none.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
        self.urgent.notify_all();
    }

    /// Adds a step.
    ///
    /// Errors: `Busy` where too many wait.
    pub(super) fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        let queue = match job.lane {
            Lane::Urgent => &mut waiting.urgent,
            Lane::Fresh => &mut waiting.fresh,
        };
        if queue.len() >= QUEUE_MAX {
            return Err(StoreError::Busy);
        }
        let lane = job.lane;
        queue.push_back(job);
        self.changed.notify_one();
        if lane == Lane::Urgent {
            self.urgent.notify_one();
        }
        Ok(())
    }

    /// Waits for a step, and takes those that are there by then, at most so many; `None` once closed and empty.
    pub(super) fn next_batch(&self, most: usize, serves: Serves) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.count(serves) == 0 {
            if waiting.closed {
                return None;
            }
            let changed = if serves == Serves::Urgent { &self.urgent } else { &self.changed };
            waiting = changed.wait(waiting).expect("nothing panics while it holds the queue");
        }
        let mut batch = Vec::new();
        while batch.len() < most {
            let Some(job) = waiting.take(serves) else { break };
            batch.push(job);
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.steps.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Some(batch)
    }
}

impl Waiting {
    fn count(&self, serves: Serves) -> usize {
        self.urgent.len() + if serves == Serves::All { self.fresh.len() } else { 0 }
    }

    fn take(&mut self, serves: Serves) -> Option<Job> {
        self.urgent.pop_front().or_else(|| if serves == Serves::All { self.fresh.pop_front() } else { None })
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}
