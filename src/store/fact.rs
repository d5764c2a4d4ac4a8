//! Fact: what happened to an order, and the systems of the merchant that are told of it.
//!
//! Owns    the kinds of facts, what is known of a subscriber, and the store's steps about both.
//! Always  a fact is written in the transaction that made it true. Each subscriber counts what it hears from 1 without gaps, and its
//!         place moves on only by what it accepted.

use serde::Serialize;

use super::queue::Lane;
use super::steps::{facts, subscribers};
use super::upkeep::REAP_ROWS;
use super::{Store, StoreError, look, step};
use crate::commerce::ids::Timestamp;

/// Kinds of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactKind {
    /// An order became a promise.
    OrderPlaced,
    /// Its money was taken.
    OrderPaid,
    /// It will never be a promise, or is none any more.
    OrderCanceled,
    /// Money of it went back.
    OrderRefunded,
    /// Units of it left the house.
    OrderFulfilled,
    /// They had not left after all.
    OrderUnfulfilled,
    /// Its customer withdrew from it, or from a part.
    OrderWithdrawn,
    /// A person has to look at a payment.
    PaymentReview,
    /// A customer disputes a payment at the bank.
    PaymentDisputed,
}

impl FactKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OrderPlaced,
        Self::OrderPaid,
        Self::OrderCanceled,
        Self::OrderRefunded,
        Self::OrderFulfilled,
        Self::OrderUnfulfilled,
        Self::OrderWithdrawn,
        Self::PaymentReview,
        Self::PaymentDisputed,
    ];

    /// Its name in the store, in site.toml and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrderPlaced => "order.placed",
            Self::OrderPaid => "order.paid",
            Self::OrderCanceled => "order.canceled",
            Self::OrderRefunded => "order.refunded",
            Self::OrderFulfilled => "order.fulfilled",
            Self::OrderUnfulfilled => "order.unfulfilled",
            Self::OrderWithdrawn => "order.withdrawn",
            Self::PaymentReview => "payment.review",
            Self::PaymentDisputed => "payment.disputed",
        }
    }
}

/// A subscriber as the shop names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its name; its place is kept under it.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// Kinds it hears.
    pub events: Vec<String>,
}

/// Where a subscriber stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriberState {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// Kinds it hears.
    pub events: Vec<String>,
    /// Since when it is known.
    pub first_seen_at: Timestamp,
    /// Since when the shop does not name it.
    pub removed_at: Option<Timestamp>,
    /// The number of the next event it is sent.
    pub next_sequence: u64,
    /// The highest number given so far.
    pub last_sequence: u64,
    /// The lowest number that is still kept; `None`: nothing is.
    pub first_kept: Option<u64>,
    /// Events that wait.
    pub waiting: u64,
    /// When the oldest of them happened.
    pub waiting_since: Option<Timestamp>,
    /// How often the next one was tried in vain.
    pub tries: u32,
    /// When it is tried again; `None`: nothing waits for a next try.
    pub next_try_at: Option<Timestamp>,
    /// When something was accepted last.
    pub accepted_at: Option<Timestamp>,
    /// Failed tries since it is known.
    pub failures: u64,
    /// Why the last try failed; `None` once something was accepted.
    pub last_error: Option<String>,
    /// Since when nothing was accepted though it was tried.
    pub failing_since: Option<Timestamp>,
}

/// An event with its number for a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The subscriber's own number for it.
    pub sequence: u64,
    /// The same at each try and for each subscriber.
    pub key: String,
    /// What happened.
    pub kind: String,
    /// JSON of an object with at least one member.
    pub document: String,
    /// When it happened.
    pub at: Timestamp,
    /// The number of the order it is about, where it has one.
    pub order_number: Option<String>,
}

/// Which subscribers are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Those that the shop names.
    Named,
    /// Every one there ever was.
    All,
}

/// What a subscriber is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This.
    Send(Box<Delivery>),
    /// Nothing yet: many facts are being numbered. Ask again at once.
    Numbering,
    /// Nothing now.
    Nothing,
}

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// In words.
    pub error: String,
    /// Whether the subscriber said that it is gone for good (410).
    pub is_gone: bool,
}

/// An outage that the operator has not heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Which subscriber.
    pub subscriber: String,
    /// Its address.
    pub url: String,
    /// Since when.
    pub since: Timestamp,
    /// Why the last try failed.
    pub error: String,
}

impl Store {
    /// Makes the subscribers known that the shop names. One that is new hears what happens from now on; one that is not named any more
    /// keeps its place.
    pub async fn name_subscribers(&self, named: Vec<Subscriber>, now: Timestamp) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| subscribers::name(tx, &named, now))
    }

    /// Subscribers by name.
    pub async fn subscribers(&self, present: Present) -> Result<Vec<SubscriberState>, StoreError> {
        look!(self, move |tx| subscribers::states(tx, present))
    }

    /// Names of subscribers that may have to be sent something now.
    pub async fn due_subscribers(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        look!(self, move |tx| subscribers::due(tx, now))
    }

    /// Gives new facts their numbers, at most 500 at once, and tells what the subscriber is to be sent now.
    pub async fn next_delivery(&self, subscriber: &str, now: Timestamp) -> Result<Next, StoreError> {
        let name = subscriber.to_owned();
        step!(self, Urgent, move |tx| subscribers::next(tx, &name, now))
    }

    /// The subscriber accepted an event: its place moves on, unless it was set back meanwhile. Ends an outage.
    pub async fn accept_delivery(&self, subscriber: &str, sequence: u64, now: Timestamp) -> Result<(), StoreError> {
        let name = subscriber.to_owned();
        step!(self, Urgent, move |tx| subscribers::accept(tx, &name, sequence, now))
    }

    /// A try failed: the same event is due again later and later, 1 s doubled up to 15 min, for ever.
    pub async fn retry_delivery(
        &self,
        subscriber: &str,
        sequence: u64,
        failed: Failed,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = subscriber.to_owned();
        step!(self, Urgent, move |tx| subscribers::fail(tx, &name, sequence, &failed, now))
    }

    /// Outages that began at `since` or before, or whose subscriber says that it is gone, and that nobody was told of.
    pub async fn untold_outages(&self, since: Timestamp) -> Result<Vec<Outage>, StoreError> {
        look!(self, move |tx| subscribers::untold(tx, since))
    }

    /// The operator was told of an outage.
    pub async fn mark_outage_told(&self, outage: &Outage, now: Timestamp) -> Result<(), StoreError> {
        let outage = outage.clone();
        step!(self, Urgent, move |tx| subscribers::mark_told(tx, &outage, now))
    }

    /// Numbers all there is, as far as 500 facts go; gives whether there may be more.
    pub async fn number_facts(&self, subscriber: &str) -> Result<bool, StoreError> {
        let name = subscriber.to_owned();
        step!(self, Fresh, move |tx| subscribers::number(tx, &name))
    }

    /// Events from a number on, as they are or would be sent, at most `limit`.
    pub async fn deliveries_from(&self, subscriber: &str, sequence: u64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let name = subscriber.to_owned();
        look!(self, move |tx| subscribers::from(tx, &name, sequence, limit))
    }

    /// Sets a subscriber's place back to a number; what follows is sent again, now.
    ///
    /// Errors: `NotFound` where there is no such subscriber, `WrongState` where the number was not given yet or lies ahead.
    pub async fn replay_deliveries(&self, subscriber: &str, from: u64) -> Result<(), StoreError> {
        let name = subscriber.to_owned();
        step!(self, Fresh, move |tx| subscribers::replay(tx, &name, from))
    }

    /// Forgets facts of before `older_than` that no subscriber of the shop waits for, at most 500. Gives how many.
    pub async fn reap_facts(&self, older_than: Timestamp) -> Result<usize, StoreError> {
        step!(self, Urgent, move |tx| facts::reap(tx, older_than, REAP_ROWS))
    }
}
