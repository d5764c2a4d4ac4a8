//! Withdrawal: a customer declares that a contract, or a part of it, shall not hold.
//!
//! Owns    until when that can be done, as far as can be told, and how much may be written.
//! Limits  `MAX_TEXT_BYTES` for each text; of an order at most `MAX_UNPROVEN` open declarations by people who may be strangers, and
//!         `MAX_PER_ORDER` in all.
//! Source  Directive 2011/83/EU, Articles 9 to 11a (the latter by Directive (EU) 2023/2673): 14 days from the goods' arrival, a function
//!         in two steps, an acknowledgement with content, date and time.

use serde::Serialize;

use super::fulfillment::{FulfilledLine, Fulfillment, FulfillmentState};
use super::ids::{OrderId, Timestamp};
use super::order::Order;

/// Days that the law gives at least.
pub const MIN_DAYS: u16 = 14;
/// Reasons and descriptions are a few sentences.
pub const MAX_TEXT_BYTES: usize = 500;
/// Open declarations about an order by people who know its number and address, and may be strangers: nobody's mailbox is filled.
pub const MAX_UNPROVEN: usize = 10;
/// Declarations about an order in all: whoever holds its link and writes more is asked to write a mail.
pub const MAX_PER_ORDER: usize = 100;

/// How somebody shows whose order it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By the order's own link.
    Link,
    /// By its number and the address of its customer, which others may know.
    Name,
}
/// Days within which a parcel arrives: nobody tells us when it did, and the period begins there.
const TRANSIT_DAYS: i64 = 14;
const DAY_SECONDS: i64 = 24 * 3600;

/// What a customer declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withdrawal {
    /// Its name.
    pub id: String,
    /// From which order.
    #[serde(skip)]
    pub order: OrderId,
    /// From which lines; none: see `wanted`, and where that is empty, too, from the whole order.
    pub lines: Vec<FulfilledLine>,
    /// Which part, in the customer's words, where the lines could not be shown.
    pub wanted: String,
    /// Why; may be empty.
    pub reason: String,
    /// Whether the period is over, as far as can be told.
    pub is_late: bool,
    /// When it was received.
    pub created_at: Timestamp,
    /// When the house had dealt with it.
    pub handled_at: Option<Timestamp>,
    /// How.
    pub note: Option<String>,
}

impl Withdrawal {
    /// Whether it is from the whole order.
    pub fn is_whole(&self) -> bool {
        self.lines.is_empty() && self.wanted.is_empty()
    }
}

/// Whether the period is certainly over: all was sent so long ago that it has arrived, and `days` have passed since.
pub fn is_late(order: &Order, sent: &[Fulfillment], days: u16, now: Timestamp) -> bool {
    let last = sent.iter().filter(|one| one.undone_at.is_none()).map(|one| one.created_at.0).max();
    let is_all = FulfillmentState::of(order, sent) == FulfillmentState::Fulfilled;
    last.is_some_and(|last| is_all && now.0 > last + (i64::from(days.max(MIN_DAYS)) + TRANSIT_DAYS) * DAY_SECONDS)
}
