//! Turn: the steps of whoever acts on a checkout.
//!
//! Always  a turn begins by one step that takes the lease and gives the checkout; every step that follows a foreign call shows the lease,
//!         counts for nothing without it, and gives the checkout as it left it. The last one gives the lease back as well, so that
//!         neither costs a step of its own.
//! Source  CHECKOUT.md 5.3; T2 to T4 are its names.

use super::orphans::Orphan;
use super::steps::{checkouts, disowned, payments};
use super::tx::Tx;
use super::{BeginPayment, Lane, Refusal, Store, StoreError};
use crate::commerce::checkout::Checkout;
use crate::commerce::ids::{AttemptId, CheckoutId, Timestamp};

/// The right to act on a checkout: good until it is over or taken by another. Every step that follows a foreign call shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which checkout.
    pub checkout: CheckoutId,
    /// Rises with each taking.
    pub fence: i64,
    /// Events in the inbox because of which it was taken: the first step under it crosses them off.
    pub events: Vec<i64>,
    /// Whether the step that shows it is the last one of its turn, and gives it back.
    pub is_last: bool,
}

/// A checkout at the beginning of a turn.
#[derive(Clone, Debug)]
pub struct Taken {
    /// As it is.
    pub checkout: Checkout,
    /// The right to act on it; `None`: someone else has it.
    pub lease: Option<Lease>,
}

/// T2: what the gateway answered to the opening call.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The gateway's name for it.
    pub reference: String,
    /// The gateway's page.
    pub redirect_url: Option<String>,
}

/// By what an order is placed and paid.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which attempt it settles.
    pub attempt: AttemptId,
    /// The gateway's name for the payment.
    pub reference: String,
    /// Brand and last four digits, once known.
    pub card: Option<String>,
    /// Before the order's number, where it gets one now.
    pub order_prefix: String,
    /// Now.
    pub now: Timestamp,
}

impl Store {
    /// T1, one transaction: units and coupon uses are held, the order shell and the attempt are written, and the turn that sends it is
    /// begun, where nobody else is at it. Nothing was sent yet.
    pub async fn begin_payment(&self, begin: BeginPayment, owner: &str, until: Timestamp) -> Result<Taken, StoreError> {
        let owner = owner.to_owned();
        step!(self, Fresh, move |tx| {
            let shell = payments::begin(tx, &begin)?;
            let taken = taken(tx, &begin.attempt.checkout, &owner, begin.now, until)?.ok_or(Refusal::NotFound)?;
            payments::hold(tx, &begin, shell)?;
            Ok(taken)
        })
    }

    /// Takes the right to act on a checkout, where it is free, and gives the checkout either way; `None`: there is no such checkout.
    pub async fn take_lease(
        &self,
        checkout: &CheckoutId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Taken>, StoreError> {
        let (checkout, owner) = (checkout.clone(), owner.to_owned());
        step!(self, Urgent, move |tx| taken(tx, &checkout, &owner, now, until))
    }

    /// Gives the right back, so that nobody waits for its end, and gives the checkout. A lost lease is no error.
    pub async fn release_lease(&self, lease: &Lease) -> Result<Option<Checkout>, StoreError> {
        let lease = lease.clone();
        step!(self, Urgent, move |tx| {
            checkouts::release_lease(tx, &lease)?;
            checkouts::load(tx, &lease.checkout)
        })
    }

    /// T2: the gateway's name for the payment and its page.
    pub async fn record_opened(
        &self,
        lease: &Lease,
        attempt: &AttemptId,
        opened: Opened,
        now: Timestamp,
    ) -> Result<Checkout, StoreError> {
        let (lease, attempt) = (lease.clone(), attempt.clone());
        step!(self, Urgent, move |tx| {
            payments::record_opened(tx, &lease, &attempt, &opened, now)?;
            checkouts::left_by(tx, &lease)
        })
    }

    /// T3: the order gets its number, held units are sold, the capture is promised.
    pub async fn place(&self, lease: &Lease, settlement: Settlement) -> Result<Checkout, StoreError> {
        let lease = lease.clone();
        step!(self, Urgent, move |tx| {
            payments::place(tx, &lease, &settlement)?;
            checkouts::left_by(tx, &lease)
        })
    }

    /// T4: the money is in the ledger, the order paid, the confirmation promised. Places the order first where it is not yet.
    pub async fn mark_paid(&self, lease: &Lease, settlement: Settlement) -> Result<Checkout, StoreError> {
        let lease = lease.clone();
        step!(self, Urgent, move |tx| {
            payments::mark_paid(tx, &lease, &settlement)?;
            checkouts::left_by(tx, &lease)
        })
    }

    /// The attempt ended with a no. Units stay held until their time is over.
    pub async fn decline(
        &self,
        lease: &Lease,
        attempt: &AttemptId,
        reason: &str,
        now: Timestamp,
    ) -> Result<Checkout, StoreError> {
        let (lease, attempt, reason) = (lease.clone(), attempt.clone(), reason.to_owned());
        step!(self, Urgent, move |tx| {
            payments::decline(tx, &lease, &attempt, &reason, now)?;
            checkouts::left_by(tx, &lease)
        })
    }

    /// The attempt was called off: its order shell is canceled and its units are free.
    pub async fn cancel_attempt(&self, lease: &Lease, attempt: &AttemptId, now: Timestamp) -> Result<Checkout, StoreError> {
        let (lease, attempt) = (lease.clone(), attempt.clone());
        step!(self, Urgent, move |tx| {
            payments::cancel_attempt(tx, &lease, &attempt, now)?;
            checkouts::left_by(tx, &lease)
        })
    }

    /// The attempt's money was taken and can be no order's of it: it is an orphan from now on, and the attempt's shell and units are let go.
    pub async fn disown(
        &self,
        lease: &Lease,
        attempt: &AttemptId,
        orphan: Orphan,
        now: Timestamp,
    ) -> Result<Checkout, StoreError> {
        let (lease, attempt) = (lease.clone(), attempt.clone());
        step!(self, Urgent, move |tx| {
            disowned::disown(tx, &lease, &orphan, &attempt, now)?;
            checkouts::left_by(tx, &lease)
        })
    }

    /// The same of an attempt that another one took the place of; nobody has to hold its checkout.
    ///
    /// Errors: refused where it is paid, or under way.
    pub async fn disown_older(&self, attempt: &AttemptId, orphan: Orphan, now: Timestamp) -> Result<(), StoreError> {
        let attempt = attempt.clone();
        step!(self, Urgent, move |tx| disowned::disown_older(tx, &orphan, &attempt, now))
    }

    /// Puts the attempt before a person; units stay held. `calls_off`: the payment is promised to be called off in the same step.
    pub async fn review(
        &self,
        lease: &Lease,
        attempt: &AttemptId,
        reason: &str,
        calls_off: bool,
        now: Timestamp,
    ) -> Result<Checkout, StoreError> {
        let (lease, attempt, reason) = (lease.clone(), attempt.clone(), reason.to_owned());
        step!(self, Urgent, move |tx| {
            payments::review(tx, &lease, &attempt, &reason, calls_off, now)?;
            checkouts::left_by(tx, &lease)
        })
    }

    /// Notes that a cancel is about to be sent; it is sent after this commit alone.
    pub async fn note_cancel(&self, lease: &Lease, attempt: &AttemptId, now: Timestamp) -> Result<(), StoreError> {
        let (lease, attempt) = (lease.clone(), attempt.clone());
        step!(self, Urgent, move |tx| payments::note_cancel(tx, &lease, &attempt, now))
    }
}

fn taken(tx: &Tx<'_>, id: &CheckoutId, owner: &str, now: Timestamp, until: Timestamp) -> Result<Option<Taken>, StoreError> {
    let lease = checkouts::take_lease(tx, id, owner, now, until)?;
    Ok(checkouts::load(tx, id)?.map(|checkout| Taken { checkout, lease }))
}
