//! Postgres: the engine for several edges on one database.
//!
//! Owns    the connections, each with a thread of its own that does one step after the other, and what is done when one fails.
//! Always  a step is one transaction, READ COMMITTED; what has to stay as it was read is locked first (`steps::locks` says what, and
//!         why that makes each step one); a look is one consistent state.
//!         A step that met another one, or whose connection broke before COMMIT was sent, runs again from its beginning. A COMMIT whose
//!         answer was lost is not repeated: whoever asked is told that nobody knows, and finds out by looking, as after a crash.
//! Limits  `TRIES_MAX` tries of a step; a quarter of the connections is for the urgent alone, so that no queue for a hot SKU keeps an
//!         answer of the gateway waiting.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::StoreError;
use super::queue::{Job, Lane, Queue, Serves, job};
use super::tx::Tx;
use super::watch::Queued;
pub use address::{Address, AddressError};
use session::{Commit, Mode};
use trouble::Trouble;

mod address;
pub(super) mod migrate;
#[cfg(test)]
pub(super) mod place;
pub(super) mod session;
#[cfg(test)]
mod tests;
mod trouble;

/// How often a step is tried. By then a primary has restarted, or it takes longer than a shopper waits.
const TRIES_MAX: u32 = 6;
/// Before a step that met another one is tried again; doubled each time. The other one is over by then.
const CONFLICT_PAUSE: Duration = Duration::from_millis(2);
/// Before a new connection; doubled each time: 1.5 s in all, the time that a primary takes to restart.
const LOST_PAUSE: Duration = Duration::from_millis(50);
/// For so long nobody tries to connect after somebody has tried in vain for all of `TRIES_MAX`.
const DOWN: Duration = Duration::from_secs(1);
/// Connections of an edge, unless site.toml says otherwise: beyond two for each core of a small database they only wait for each other.
pub const CONNECTIONS: usize = 8;
/// More than that of one edge are a queue in the wrong place.
pub const CONNECTIONS_MAX: usize = 64;

/// An open database. Clones share it; the last one waits for what is queued and closes it.
#[derive(Clone, Debug)]
pub struct Postgres {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads share.
#[derive(Debug)]
struct Reach {
    address: Address,
    down_until: Mutex<Option<Instant>>,
}

impl Postgres {
    /// Connects, and makes or migrates the tables as needed.
    pub(super) fn open(address: &Address, connections: NonZeroUsize) -> Result<Self, StoreError> {
        let first = address.clone();
        // On a thread of its own, since whoever opens a store may be asynchronous.
        let opened = std::thread::spawn(move || {
            let session = connect(&first)?;
            migrate::migrate(&session, migrate::MIGRATIONS)
        });
        opened.join().map_err(|_| StoreError::Panicked)??;
        let queue = Arc::new(Queue::default());
        let reach = Arc::new(Reach { address: address.clone(), down_until: Mutex::new(None) });
        let urgent_only = connections.get().div_ceil(4);
        let threads = (0..connections.get().max(2)).map(|number| {
            let (reach, queue) = (Arc::clone(&reach), Arc::clone(&queue));
            let serves = if number < urgent_only { Serves::Urgent } else { Serves::All };
            let thread = std::thread::Builder::new().name(format!("store {number}"));
            thread.spawn(move || serve(&reach, &queue, serves)).expect("a thread can be started while the process starts")
        });
        let threads = threads.collect();
        Ok(Self { shared: Arc::new(Shared { queue, threads }) })
    }

    /// Does a step in a transaction of its own.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        lane: Lane,
        step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(lane, false, step).await
    }

    /// Looks at one consistent state.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Lane::Urgent, true, look).await
    }

    /// Steps and looks that wait.
    pub(super) fn queued(&self) -> Queued {
        self.shared.queue.queued()
    }

    async fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        is_look: bool,
        step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (mut job, told) = job(lane, step);
        job.is_look = is_look;
        self.shared.queue.push(job)?;
        told.await.map_err(|_| StoreError::Engine("the store stopped".to_owned()))?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // Steps' panics are caught; one of the loop itself was told when it happened.
            let _ = thread.join();
        }
    }
}

fn connect(address: &Address) -> Result<session::Session, StoreError> {
    session::Session::open(&address.config, &address.tls).map_err(|error| match error {
        StoreError::Engine(reason) => {
            let hint = hint(&reason);
            StoreError::Engine(format!("the database ({address}) cannot be reached: {reason}{hint}"))
        }
        other => other,
    })
}

// What to look at where the server itself said nothing.
fn hint(reason: &str) -> &'static str {
    match reason {
        _ if reason.contains("certificate") || reason.contains("TLS") => "; check `sslmode` and `sslrootcert` in its address",
        _ if reason.starts_with("the connection") || reason.starts_with("no answer") => {
            "; see that it runs, that it listens there, and that this machine may reach it"
        }
        _ => "",
    }
}

fn serve(reach: &Reach, queue: &Queue, serves: Serves) {
    let mut session = None;
    while let Some(batch) = queue.next_batch(1, serves) {
        for mut job in batch {
            let begun_at = Instant::now();
            let told = run(reach, &mut session, &mut job);
            queue.worked(begun_at);
            job.step.answer(told);
        }
    }
}

/// What came of one try.
enum Tried {
    Over(Result<(), StoreError>),
    Again(Trouble),
}

/// Runs a job until it is over. Gives what is told instead of its result where that is none.
fn run(reach: &Reach, session: &mut Option<session::Session>, job: &mut Job) -> Result<(), StoreError> {
    for tries in 0..TRIES_MAX {
        let (trouble, pause) = match once(reach, session, job) {
            Tried::Over(told) => return told,
            Tried::Again(Trouble::Conflict) => (Trouble::Conflict, CONFLICT_PAUSE),
            Tried::Again(trouble) => (trouble, LOST_PAUSE),
        };
        if tries + 1 == TRIES_MAX {
            if trouble == Trouble::Lost && session.is_none() {
                *reach.down_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + DOWN);
            }
            break;
        }
        if is_down(reach) && session.is_none() {
            break;
        }
        std::thread::sleep(pause * 2_u32.pow(tries));
    }
    Ok(())
}

fn is_down(reach: &Reach) -> bool {
    reach.down_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
}

/// One try. Its own failure is kept in the job.
fn once(reach: &Reach, kept: &mut Option<session::Session>, job: &mut Job) -> Tried {
    if kept.as_ref().is_some_and(session::Session::is_over) {
        *kept = None;
    }
    let session = match kept {
        Some(session) => session,
        None => match connect(&reach.address) {
            Ok(session) => kept.insert(session),
            Err(error) => {
                job.step.fail(error);
                return Tried::Again(Trouble::Lost);
            }
        },
    };
    session.begin(if job.is_look { Mode::Look } else { Mode::Step });
    if job.step.run(&Tx::Postgres(session)) {
        match session.commit() {
            Commit::Done => return Tried::Over(Ok(())),
            Commit::Undone(error) => job.step.fail(error),
            Commit::Unknown(error) => {
                *kept = None;
                let unknown =
                    format!("the connection broke while the step was kept, so that nobody knows whether it was: {error}");
                return Tried::Over(Err(StoreError::Engine(unknown)));
            }
        }
    }
    let trouble = session.trouble();
    session.roll_back();
    match trouble {
        Some(again @ (Trouble::Conflict | Trouble::Lost)) => Tried::Again(again),
        _ => Tried::Over(Ok(())),
    }
}
