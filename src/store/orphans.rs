//! Orphans: payments at the gateway that name this shop and that no attempt is of, and what else the gateway and this file do not agree on.
//!
//! Owns    the steps of an orphan: found, then adopted by the checkout it names, or returned; differences of payments that both sides know;
//!         when the two were last held against each other.
//! Always  a payment that an attempt is of is no orphan, whoever says so; none is returned while another payment of its cart is under way;
//!         one that is being returned is never adopted; a person is told of each.

use super::steps::{differences, orphans};
use super::{BeginPayment, Lane, Opened, Store, StoreError};
use crate::commerce::ids::{AttemptId, CheckoutId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::quote::Quote;

/// Where an orphan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanState {
    /// Nothing was done about it yet.
    Found,
    /// It is an attempt of the checkout it names.
    Adopted,
    /// It is being called off, or given back.
    Returning,
    /// No money of it is held or kept.
    Returned,
    /// A person has to look.
    Review,
}

impl OrphanState {
    const ALL: [Self; 5] = [Self::Found, Self::Adopted, Self::Returning, Self::Returned, Self::Review];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Adopted => "adopted",
            Self::Returning => "returning",
            Self::Returned => "returned",
            Self::Review => "review",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A payment that nobody here knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The gateway's name.
    pub gateway: String,
    /// The gateway's name for the payment.
    pub reference: String,
    /// The shop it names: this one.
    pub shop: String,
    /// The checkout it names; there may be none.
    pub checkout: CheckoutId,
    /// The number of the attempt it names.
    pub number: u32,
    /// The hash of the quote it was opened for.
    pub quote_hash: String,
    /// How much.
    pub amount: Money,
    /// Where the payment stood at the gateway when that was last asked.
    pub standing: String,
    /// What of it was given back by then, in minor units.
    pub refunded_minor: i64,
    /// Where it stands here.
    pub state: OrphanState,
    /// Why a person has to look, or why it was not adopted.
    pub reason: String,
    /// When it was opened, by the gateway's clock.
    pub made_at: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// How often something was done about it.
    pub tries: u32,
}

/// What the gateway says of an orphan, and what that makes of it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Where the payment stands at the gateway.
    pub standing: String,
    /// What of it was given back, in minor units.
    pub refunded_minor: i64,
    /// Where it stands here.
    pub state: OrphanState,
    /// Why.
    pub reason: String,
}

/// What is not the same on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Taken by our ledger, and not by the gateway.
    Missing,
    /// Another amount.
    Amount,
    /// Other refunds.
    Refunded,
}

impl DifferenceKind {
    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Amount => "amount",
            Self::Refunded => "refunded",
        }
    }
}

/// What came of holding the gateway's list against this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// Since when.
    pub since: Timestamp,
    /// When.
    pub at: Timestamp,
    /// How many payments.
    pub compared: u32,
    /// How many of them nobody knew here.
    pub orphans: u32,
    /// How many both know and are not the same.
    pub different: u32,
}

/// Orphans that are not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOrphans {
    /// Being adopted or returned.
    pub under_way: u64,
    /// That a person has to look at.
    pub in_review: u64,
}

impl Store {
    /// Keeps payments that no attempt is of; those that one is of are passed over, and one that was returned and holds money again is put
    /// before a person. Gives how many are new.
    pub async fn find_orphans(&self, found: Vec<Orphan>) -> Result<usize, StoreError> {
        step!(self, Urgent, move |tx| orphans::find(tx, &found))
    }

    /// How many were found since, whatever became of them.
    pub async fn orphans_since(&self, gateway: &str, since: Timestamp) -> Result<u32, StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| orphans::count_since(tx, &gateway, since))
    }

    /// Takes orphans that something was due for at an instant, those found first before others, for a while.
    pub async fn claim_orphans(&self, limit: u32, due_at: Timestamp, until: Timestamp) -> Result<Vec<Orphan>, StoreError> {
        step!(self, Urgent, move |tx| orphans::claim(tx, limit, due_at, until))
    }

    /// Makes an orphan an attempt that waits for the gateway's word, with an order shell and the units it needs. `opened`: the payment's
    /// name, and its page while it can be paid there.
    ///
    /// Errors: refused where the checkout, its cart or its stock does not allow it; nothing was changed then.
    pub async fn adopt_orphan(&self, opened: Opened, begin: BeginPayment) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| orphans::adopt(tx, &opened, &begin))
    }

    /// Notes that an orphan is about to be called off or given back; what is sent is sent after this commit alone. `false`: an attempt is
    /// of it, and it is left alone.
    ///
    /// Errors: refused while another payment of its cart is under way, unless it was noted before.
    pub async fn begin_return(
        &self,
        orphan: &Orphan,
        standing: &str,
        refunded_minor: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (orphan, standing) = (orphan.clone(), standing.to_owned());
        step!(self, Urgent, move |tx| orphans::begin_return(tx, &orphan, &standing, refunded_minor, now))
    }

    /// How an orphan stands now. A person is told of whatever it ends with.
    pub async fn settle_orphan(&self, orphan: &Orphan, standing: Standing, now: Timestamp) -> Result<(), StoreError> {
        let orphan = orphan.clone();
        step!(self, Urgent, move |tx| orphans::settle(tx, &orphan, &standing, now))
    }

    /// Puts an orphan off: 1 s doubled up to a minute.
    pub async fn retry_orphan(&self, orphan: &Orphan, error: &str, now: Timestamp) -> Result<(), StoreError> {
        let (orphan, error) = (orphan.clone(), error.to_owned());
        step!(self, Urgent, move |tx| orphans::retry(tx, &orphan, &error, now))
    }

    /// Orphans that are over, or that a person has to look at, and that nobody was told of; and those for which it takes since before
    /// `late_since`.
    pub async fn orphans_to_tell(&self, limit: u32, late_since: Timestamp) -> Result<Vec<Orphan>, StoreError> {
        look!(self, move |tx| orphans::to_tell(tx, limit, late_since))
    }

    /// Notes that a person was told of an orphan in that state.
    pub async fn orphan_told(&self, orphan: &Orphan, now: Timestamp) -> Result<(), StoreError> {
        let orphan = orphan.clone();
        step!(self, Urgent, move |tx| orphans::told(tx, &orphan, now))
    }

    /// The last reconciliation, and how many orphans are not over.
    pub async fn agreement(&self, gateway: &str) -> Result<(Option<Reconciliation>, OpenOrphans), StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| Ok((differences::last(tx, &gateway)?, orphans::open(tx)?)))
    }

    /// The quote of a checkout that has this hash.
    pub async fn quote_by_hash(&self, checkout: &CheckoutId, hash: &str) -> Result<Option<Quote>, StoreError> {
        let (checkout, hash) = (checkout.clone(), hash.to_owned());
        look!(self, move |tx| orphans::quote_by_hash(tx, &checkout, &hash))
    }

    /// Keeps a difference, and promises that a person is told of it where it is new. Gives whether it is.
    pub async fn keep_difference(
        &self,
        attempt: &AttemptId,
        kind: DifferenceKind,
        detail: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (attempt, detail) = (attempt.clone(), detail.to_owned());
        step!(self, Urgent, move |tx| differences::keep(tx, &attempt, kind, &detail, now))
    }

    /// What an attempt and the gateway did not agree on is over.
    pub async fn forget_differences(&self, attempt: &AttemptId) -> Result<(), StoreError> {
        let attempt = attempt.clone();
        step!(self, Urgent, move |tx| differences::forget(tx, &attempt))
    }

    /// Whether a difference of an attempt is kept.
    pub async fn has_difference(&self, attempt: &AttemptId) -> Result<bool, StoreError> {
        let attempt = attempt.clone();
        look!(self, move |tx| differences::has(tx, &attempt))
    }

    /// The last one.
    pub async fn last_reconciliation(&self, gateway: &str) -> Result<Option<Reconciliation>, StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| differences::last(tx, &gateway))
    }
}
