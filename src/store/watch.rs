//! Watch: what an operator has switched off, what waits to be done, and who is told when it waits too long.
//!
//! Always  one look gives one consistent state; a switch that is thrown twice is thrown once.

use std::time::Duration;

use super::queue::Lane;
use super::steps::{outbox, payments, switches};
use super::tx::Tx;
use super::{Store, StoreError, look};
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::commerce::payment::Attempt;

/// New payments are paused.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Pause {
    /// Why, in the operator's words; may be empty.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Whether new payments are paused.
    pub pause: Option<Pause>,
    /// Events that are not dealt with.
    pub inbox: Waiting,
    /// Promised work that is not done, per kind, sorted.
    pub outbox: Vec<(String, Waiting)>,
}

/// How much waits, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Rows.
    pub count: u64,
    /// The oldest of them; `None`: none waits.
    pub oldest: Option<Timestamp>,
}

/// Which of the payments that wait are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that are due: after as long again as they have been quiet, at least 15 s and at most 15 min, and at their deadline.
    Due,
    /// Those, and the one that was not looked at for longest.
    DueAndOldest,
    /// All that were not looked at at this very instant.
    All,
}

/// A payment whose opening call nobody answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The key it is opened with.
    pub key: String,
    /// Before which it was not sent.
    pub created_at: Timestamp,
    /// After which it is not sent any more.
    pub deadline_at: Timestamp,
}

/// Steps that wait for the writer, and those that were done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// Answers of the gateway and recovery.
    pub urgent: usize,
    /// All else.
    pub fresh: usize,
    /// How many of each may wait.
    pub most: usize,
    /// Transactions since the start.
    pub commits: u64,
    /// Steps that shared them.
    pub steps: u64,
    /// Time that connections have spent on them, waiting for the disk and for others included.
    pub busy: Duration,
}

impl Queued {
    /// How full the queue of new requests is, in percent.
    pub fn percent(self) -> usize {
        self.fresh * 100 / self.most.max(1)
    }
}

impl Store {
    /// Pauses new payments; the reason of an earlier pause is replaced, its beginning stays. Gives whether they were not paused before.
    pub async fn pause_payments(&self, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
        let reason = reason.to_owned();
        self.urgently(move |tx| switches::pause(tx, &reason, now)).await
    }

    /// Lets new payments begin again. Gives whether they were paused.
    pub async fn resume_payments(&self) -> Result<bool, StoreError> {
        self.urgently(switches::resume).await
    }

    /// Live attempts that did not change since `older_than` and that no person has to look at, at most 100, those first that were not
    /// looked at for longest: for the sweeper. They count as looked at from now on. A person is told, once, of what is undecided after
    /// 72 h.
    pub async fn sweep_attempts(&self, older_than: Timestamp, now: Timestamp, reach: Reach) -> Result<Vec<Attempt>, StoreError> {
        self.urgently(move |tx| payments::sweep(tx, older_than, now, reach)).await
    }

    /// All payments of a gateway whose opening call nobody answered.
    pub async fn unanswered(&self, gateway: &str) -> Result<Vec<Unanswered>, StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| payments::unanswered(tx, &gateway))
    }

    /// Tells a person, once for each subject.
    pub async fn promise_alarm_once(
        &self,
        subject: &str,
        checkout: &CheckoutId,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (subject, checkout, reason) = (subject.to_owned(), checkout.clone(), reason.to_owned());
        self.urgently(move |tx| outbox::alarm_once(tx, &subject, &checkout, &reason, now)).await
    }

    /// The pause, the inbox and the outbox.
    pub async fn watch(&self) -> Result<Watch, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.read(switches::watch).await,
            Self::Postgres(engine) => engine.read(switches::watch).await,
            #[cfg(feature = "faults")]
            Self::Inline(engine) => engine.read(switches::watch).await,
        }
    }

    /// Steps that wait for the writer now.
    pub fn queued(&self) -> Queued {
        match self {
            Self::Sqlite(engine) => engine.queued(),
            Self::Postgres(engine) => engine.queued(),
            #[cfg(feature = "faults")]
            Self::Inline(_) => Queued::default(),
        }
    }

    async fn urgently<T: Send + 'static>(
        &self,
        step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.write(Lane::Urgent, step).await,
            Self::Postgres(engine) => engine.write(Lane::Urgent, step).await,
            #[cfg(feature = "faults")]
            Self::Inline(engine) => engine.write(step).await,
        }
    }
}
