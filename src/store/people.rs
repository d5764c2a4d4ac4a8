//! People: what is kept of whoever bought, told to them, and taken out.
//!
//! Owns    by what somebody is found, what is told of them, and what keeps it from being taken out.
//! Always  a checkout and all that came of it is one: its orders, payments and letters name the same person. Addresses are compared without
//!         case. It is taken out by `desk::Act::Erase`, which is written into the audit log.
//! Limits  PAGE rows are looked at in one go, so that no look holds an old state of the file for long.
//! Source  Regulation (EU) 2016/679, Articles 15, 17 and 20.

use serde::Serialize;

use super::desk::Note;
use super::history::Happened;
use super::steps::{erasures, people};
use super::{Refusal, Store, StoreError};
use crate::commerce::address::{Address, Contact};
use crate::commerce::dispute::Dispute;
use crate::commerce::fulfillment::Fulfillment;
use crate::commerce::ids::{CheckoutId, MarketId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::order::Order;
use crate::commerce::withdrawal::Withdrawal;

/// Rows of a look: some milliseconds.
const PAGE: u32 = 1_000;

/// What keeps a person from being taken out for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Money may still move.
    #[error("a payment of it is under way; it ends by itself, or with `vitrine orders cancel`")]
    Payment,
    /// A person has to look at a payment.
    #[error("a payment of it waits for you; `vitrine orders stuck` says what to do")]
    Review,
    /// Money is on its way back.
    #[error("a refund of it is under way; the edge looks after it")]
    Refund,
    /// It did not arrive.
    #[error("a refund of it failed; `vitrine orders stuck` says what to do")]
    RefundFailed,
    /// The bank has not decided.
    #[error("its payment is disputed; that has to be over first")]
    Dispute,
    /// The house has not dealt with it.
    #[error("a withdrawal from it waits for you; deal with it, then `vitrine orders resolve`")]
    Withdrawal,
    /// A mail or other work is promised.
    #[error("a mail or other promised work of it is not done; the edge looks after it, `vitrine orders show` says what it is")]
    Letter,
    /// What the gateway told was not acted on.
    #[error("an event of the gateway about it waits; the edge looks after it")]
    Event,
}

/// All that is kept of a checkout and of what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// The checkout's name.
    pub checkout: CheckoutId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Where it was bought.
    pub market: MarketId,
    /// BCP 47.
    pub language: String,
    /// As told last.
    pub contact: Contact,
    /// As told last.
    pub address: Address,
    /// Every order, the oldest first.
    pub orders: Vec<KeptOrder>,
}

/// An order with all that names somebody or happened to them.
#[derive(Clone, Debug, Serialize)]
pub struct KeptOrder {
    /// With the quote: who, where to, lines and what was written on them, totals.
    #[serde(flatten)]
    pub order: Order,
    /// Every try to pay, without its secrets.
    pub payments: Vec<KeptPayment>,
    /// What went back.
    pub refunds: Vec<KeptRefund>,
    /// What was disputed at the bank.
    pub disputes: Vec<Dispute>,
    /// What was sent.
    pub fulfillments: Vec<Fulfillment>,
    /// What was declared.
    pub withdrawals: Vec<Withdrawal>,
    /// What the house wrote about it.
    pub notes: Vec<Note>,
    /// Letters that were sent.
    pub mails: Vec<Happened>,
    /// What the gateway told of it.
    pub events: Vec<Happened>,
}

/// A try to pay, as far as it says something of somebody.
#[derive(Clone, Debug, Serialize)]
pub struct KeptPayment {
    /// 1, 2, 3 …
    pub number: u32,
    /// By whom.
    pub gateway: String,
    /// The gateway's name for it.
    pub reference: Option<String>,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Brand and last four digits.
    pub card: Option<String>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
}

/// Money that went back.
#[derive(Clone, Debug, Serialize)]
pub struct KeptRefund {
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: String,
    /// Why, as the customer was told.
    pub reason: String,
    /// What the house wrote.
    pub note: String,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A look at a page of rows: those that name somebody, and where the next page begins.
pub(super) type Page = (Vec<CheckoutId>, Option<String>);

impl Store {
    /// Checkouts that name an e-mail address, be it in what was told last or in what an order was made of. Sorted: the oldest first, as
    /// their names are made.
    pub async fn checkouts_of(&self, email: &str) -> Result<Vec<CheckoutId>, StoreError> {
        let folded = email.trim().to_lowercase();
        let mut found = Vec::new();
        if folded.is_empty() {
            return Ok(found);
        }
        let mut after = Some(String::new());
        while let Some(place) = after.take() {
            let wanted = folded.clone();
            let (more, next) = look!(self, move |tx| people::checkouts(tx, &wanted, &place, PAGE))?;
            found.extend(more);
            after = next;
        }
        after = Some(String::new());
        while let Some(place) = after.take() {
            let wanted = folded.clone();
            let (more, next) = look!(self, move |tx| people::quotes(tx, &wanted, &place, PAGE))?;
            found.extend(more);
            after = next;
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// All that is kept of a checkout; `None`: there is none of that name.
    pub async fn kept(&self, checkout: &CheckoutId) -> Result<Option<Kept>, StoreError> {
        let checkout = checkout.clone();
        look!(self, move |tx| people::kept(tx, &checkout))
    }

    /// Whether a checkout can be erased now. The step that erases it asks again.
    ///
    /// Errors: refused with what is under way.
    pub async fn check_erasable(&self, checkout: &CheckoutId, now: Timestamp) -> Result<(), StoreError> {
        let checkout = checkout.clone();
        match look!(self, move |tx| erasures::obstacle(tx, &checkout, now))? {
            Some(obstacle) => Err(Refusal::UnderWay { obstacle }.into()),
            None => Ok(()),
        }
    }

    /// Sees to it that what was erased stands nowhere on this machine's disk. Gives whether it could; where not, somebody reads at an older
    /// state of the file, and it is done with the next erasure or when the edge stops. A database server does this by itself, in its time.
    pub async fn empty_log(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(engine) => engine.empty_log().await,
            Self::Postgres(_) => Ok(true),
            #[cfg(feature = "faults")]
            Self::Inline(_) => Ok(true),
        }
    }
}
