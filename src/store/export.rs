//! Export: orders for other programs, page by page.

use super::refunds::Refund;
use super::steps::orders;
use super::{OrderFilter, Store, StoreError};
use crate::commerce::fulfillment::Fulfillment;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::order::Order;

/// An order with what is known of its payment.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its place among all; the next page begins after it.
    pub place: i64,
    /// The order.
    pub order: Order,
    /// The gateway of its newest payment.
    pub gateway: Option<String>,
    /// The gateway's name for that payment.
    pub reference: Option<String>,
    /// Brand and last four digits.
    pub card: Option<String>,
    /// What was given back.
    pub refunded: Money,
    /// What was given back, or asked to be, the oldest first.
    pub refunds: Vec<Refund>,
    /// What the ledger says went back, and, below 0, what came back to the house after all: when, and how much. The oldest first.
    pub booked: Vec<(Timestamp, Money)>,
    /// What was sent, the oldest first.
    pub fulfillments: Vec<Fulfillment>,
}

impl Store {
    /// At most `filter.limit` orders (0: 100), those written first before others, after the place of the last one.
    pub async fn export_page(&self, filter: OrderFilter, after: i64) -> Result<Vec<Exported>, StoreError> {
        look!(self, move |tx| orders::export_page(tx, filter, after))
    }
}
