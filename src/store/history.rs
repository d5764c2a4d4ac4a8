//! History: what happened to an order, and what waits for a person.

use serde::Serialize;

use super::steps::history;
use super::{Lane, Store, StoreError};
use crate::commerce::ids::{OrderId, Timestamp};

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// What, such as `payment 1`, `ledger`, `refund`, `mail`, `event`.
    pub what: String,
    /// In words.
    pub detail: String,
}

/// Something that does not move on by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// `payment`, `orphan`, `refund`, `withdrawal`, `difference`, `dispute`, `unanswered`, `work`.
    pub kind: String,
    /// Its name: of an attempt, a payment or a dispute at the gateway, a refund, a withdrawal, promised work.
    pub subject: String,
    /// The number of its order, or the order's id; none where it has none.
    pub order: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is stuck.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllStuck {
    /// The oldest of it.
    pub rows: Vec<Stuck>,
    /// How much there is in all.
    pub count: u64,
}

impl Store {
    /// What happened to an order, the oldest first.
    pub async fn history(&self, order: &OrderId) -> Result<Vec<Happened>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| history::of(tx, &order))
    }

    /// What does not move on by itself, the oldest first: payments, orphans, refunds and withdrawals for a person that nobody resolved, and what is not
    /// answered or done since before `late_since`. At most `limit` of it.
    pub async fn stuck(&self, late_since: Timestamp, limit: u32) -> Result<AllStuck, StoreError> {
        look!(self, move |tx| history::stuck(tx, late_since, limit))
    }

    /// The same of one order, by its number or, where it has none, its id.
    pub async fn stuck_of(&self, order: &str, late_since: Timestamp) -> Result<Vec<Stuck>, StoreError> {
        let order = order.to_owned();
        look!(self, move |tx| history::stuck_of(tx, &order, late_since))
    }

    /// Takes a payment, an orphan, a refund, a difference or a withdrawal that waits for a person off the list, with a note. What changes afterwards is listed again.
    ///
    /// Errors: `NotFound` where nothing of that name waits for a person.
    pub async fn resolve(&self, subject: &str, note: &str, now: Timestamp) -> Result<(), StoreError> {
        let (subject, note) = (subject.to_owned(), note.to_owned());
        step!(self, Fresh, move |tx| history::resolve(tx, &subject, &note, now))
    }

    /// Has the confirmation of a paid order written once more, with the same `Message-ID`.
    ///
    /// Errors: `WrongState` where there is none yet.
    pub async fn confirm_again(&self, order: &OrderId, now: Timestamp) -> Result<(), StoreError> {
        let order = order.clone();
        step!(self, Fresh, move |tx| history::confirm_again(tx, &order, now))
    }
}
