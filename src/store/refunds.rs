//! Refunds: the steps of money that goes back, and of a placed order whose held money is let go.
//!
//! Always  no more is promised back than was taken, summed in the transaction that promises it; a call is sent after the commit that holds
//!         its bytes alone, by whoever holds the refund's lease; what the gateway tells only moves a refund on.

use super::steps::{payments, refunds};
use super::{Lane, Store, StoreError};
use crate::commerce::ids::{AttemptId, OrderId, Timestamp};
use crate::commerce::money::{Money, MoneyError};
use crate::commerce::payment::Attempt;
use crate::commerce::refund::{RefundReport, RefundState};

/// A refund as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Its name.
    pub id: String,
    /// Of which order.
    pub order: OrderId,
    /// Of which payment.
    pub attempt: AttemptId,
    /// How much.
    pub amount: Money,
    /// Why, for the customer; may be empty.
    pub reason: String,
    /// For the house; may be empty.
    pub note: String,
    /// Whether the order's units were put back into stock with it.
    pub restocked: bool,
    /// Where it stands.
    pub state: RefundState,
    /// The key of its call; `None`: it was made at the gateway's own pages.
    pub key: Option<String>,
    /// Exact bytes of its call, once it was sent.
    pub body: Option<Vec<u8>>,
    /// How often it was sent.
    pub sent: u32,
    /// When it was sent first.
    pub first_sent_at: Option<Timestamp>,
    /// The gateway's name for it, once known.
    pub reference: Option<String>,
    /// Why it failed, or why it was not answered.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// When something is done about it next.
    pub next_at: Timestamp,
    /// Of the lease by which it was claimed.
    pub fence: i64,
}

/// A refund to be promised.
#[derive(Clone, Debug)]
pub struct AskRefund {
    /// A fresh name.
    pub id: String,
    /// Of which order.
    pub order: OrderId,
    /// How much; `None`: all that is left.
    pub amount_minor: Option<i64>,
    /// For the customer.
    pub reason: String,
    /// For the house.
    pub note: String,
    /// Whether the order's units are back in the house.
    pub restocks: bool,
    /// Now.
    pub now: Timestamp,
}

/// What of an order's money can go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refundable {
    /// The payment.
    pub attempt: AttemptId,
    /// The gateway it was paid by.
    pub gateway: String,
    /// What was taken.
    pub captured: Money,
    /// What went back, or is promised to.
    pub refunded: Money,
    /// Whether its units were put back before.
    pub is_restocked: bool,
}

impl Refundable {
    /// What is left.
    pub fn left(&self) -> Money {
        Money::new((self.captured.minor - self.refunded.minor).max(0), self.captured.currency)
    }
}

/// Why a refund cannot be as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundProblem {
    /// The amount is none.
    #[error("{error}; write an amount in {}, such as {}", left.currency.code(), left.to_decimal_string())]
    NotAnAmount {
        /// What is wrong with it.
        error: MoneyError,
        /// What could go back.
        left: Money,
    },
    /// More than is left of it, or nothing.
    #[error("at most {left} can still go back")]
    MoreThanLeft {
        /// What is left.
        left: Money,
    },
    /// Its units were put back before.
    #[error("its units were put back into stock before")]
    AlreadyRestocked,
}

impl Refundable {
    /// What would go back: the amount as it is written, or all that is left.
    ///
    /// Errors: what is wrong with it. The step that promises it asks again.
    pub fn plan(&self, amount: Option<&str>, restocks: bool) -> Result<Money, RefundProblem> {
        let left = self.left();
        let amount = amount.map_or(Ok(left), |text| Money::parse(text, left.currency));
        let amount = amount.map_err(|error| RefundProblem::NotAnAmount { error, left })?;
        if amount.minor <= 0 || amount.minor > left.minor {
            return Err(RefundProblem::MoreThanLeft { left });
        }
        if restocks && self.is_restocked {
            return Err(RefundProblem::AlreadyRestocked);
        }
        Ok(amount)
    }
}

/// Sums of an attempt's refunds, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefundSums {
    /// By our ledger.
    pub in_ledger_minor: i64,
    /// Of those, taken on by the gateway and not known to be made.
    pub under_way_minor: i64,
    /// Sent, and never answered.
    pub sent_minor: i64,
}

impl RefundSums {
    /// Whether the gateway's own sum fits: refunds under way may be counted there or not.
    pub fn fits(&self, gateway_minor: i64) -> bool {
        (self.in_ledger_minor - self.under_way_minor..=self.in_ledger_minor + self.sent_minor).contains(&gateway_minor)
    }
}

/// What became of a call.
#[derive(Clone, Debug)]
pub enum RefundAnswer {
    /// The gateway tells of the refund.
    Told(RefundReport),
    /// It was taken on; the gateway has no name for it yet.
    Accepted,
    /// It was not made and will not be.
    Failed(String),
    /// Nobody knows: it is due again later.
    Later(String),
}

impl Store {
    /// What of an order's money can go back; `None`: nothing was taken for it.
    pub async fn refundable(&self, order: &OrderId) -> Result<Option<Refundable>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| refunds::refundable(tx, &order))
    }

    /// Promises a refund. The edge sends it.
    ///
    /// Errors: refused where nothing was taken, more than is left is asked for, or units come back a second time.
    pub async fn ask_refund(&self, ask: AskRefund) -> Result<Refund, StoreError> {
        step!(self, Fresh, move |tx| refunds::ask(tx, &ask))
    }

    /// Takes refunds that are due for a while, one of each payment.
    pub async fn claim_refunds(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Refund>, StoreError> {
        let owner = owner.to_owned();
        step!(self, Urgent, move |tx| refunds::claim(tx, &owner, limit, now, until))
    }

    /// The last word before a call is sent: it is counted, and its bytes are kept where there are none yet. Gives the bytes to send.
    pub async fn begin_refund(&self, refund: &Refund, body: Vec<u8>, now: Timestamp) -> Result<Vec<u8>, StoreError> {
        let refund = refund.clone();
        step!(self, Urgent, move |tx| refunds::begin(tx, &refund, &body, now))
    }

    /// What became of a refund's call, and of others that the gateway told of on the way; the lease is given back.
    pub async fn settle_refund(&self, refund: &Refund, answer: RefundAnswer, now: Timestamp) -> Result<(), StoreError> {
        let refund = refund.clone();
        step!(self, Urgent, move |tx| refunds::settle(tx, &refund, &answer, now))
    }

    /// Takes over what the gateway tells of a payment's refunds. One that nobody knows here is written down with it. `events` of the inbox
    /// are crossed off.
    pub async fn hear_refunds(
        &self,
        attempt: &AttemptId,
        told: Vec<RefundReport>,
        events: Vec<i64>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let attempt = attempt.clone();
        step!(self, Urgent, move |tx| refunds::hear(tx, &attempt, &told, &events, now))
    }

    /// The payment a refund is of.
    pub async fn attempt_by_id(&self, attempt: &AttemptId) -> Result<Option<Attempt>, StoreError> {
        let attempt = attempt.clone();
        look!(self, move |tx| payments::by_id(tx, &attempt))
    }

    /// Refunds of an order, in the order they were asked for.
    pub async fn refunds(&self, order: &OrderId) -> Result<Vec<Refund>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| refunds::of_order(tx, &order))
    }

    /// Sums of an attempt's refunds.
    pub async fn refund_sums(&self, attempt: &AttemptId) -> Result<RefundSums, StoreError> {
        let attempt = attempt.clone();
        look!(self, move |tx| refunds::sums(tx, &attempt))
    }

    /// Whether refunds of an attempt were sent and never answered.
    pub async fn awaits_refund(&self, attempt: &AttemptId) -> Result<bool, StoreError> {
        let attempt = attempt.clone();
        look!(self, move |tx| refunds::awaits(tx, &attempt))
    }

    /// Refunds that were made and of which the customer was not told.
    pub async fn refunds_to_tell(&self, limit: u32) -> Result<Vec<Refund>, StoreError> {
        look!(self, move |tx| refunds::to_tell(tx, limit))
    }

    /// The customer was told of a refund.
    pub async fn refund_told(&self, refund: &str, now: Timestamp) -> Result<(), StoreError> {
        let refund = refund.to_owned();
        step!(self, Urgent, move |tx| refunds::told(tx, &refund, now))
    }

    /// Asks for the held money of a placed order to be let go, or of one whose payment waits for a person. The edge does it, and the order
    /// is canceled then, once the gateway holds nothing of it; where the money was taken meanwhile, the order is paid and stays.
    ///
    /// Errors: refused where the order neither is placed nor waits for a person, or is paid.
    pub async fn ask_void(&self, order: &OrderId, now: Timestamp) -> Result<(), StoreError> {
        let order = order.clone();
        step!(self, Fresh, move |tx| refunds::ask_void(tx, &order, now))
    }
}
