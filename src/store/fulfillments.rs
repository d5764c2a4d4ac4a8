//! Fulfillments: the steps of what leaves the house.
//!
//! Always  a unit of a paid order leaves once, counted in the transaction that sends it; what was put back into stock is not sent; the
//!         same key is the same fulfillment.

use super::steps::fulfillments;
use super::{Lane, Store, StoreError};
use crate::commerce::fulfillment::{Fulfillment, Parcel};
use crate::commerce::ids::{OrderId, Timestamp};

/// Whether the customer is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// A letter says what is on its way.
    Letter,
    /// Nothing is said.
    Nothing,
}

/// Units to send.
#[derive(Clone, Debug)]
pub struct AskFulfillment {
    /// A fresh name.
    pub id: String,
    /// The same where the wish may come twice.
    pub key: String,
    /// Of which order.
    pub order: OrderId,
    /// Places of lines from 0, each with units; none: all that is left.
    pub lines: Vec<(u32, u32)>,
    /// By whom, and how it is followed; checked before.
    pub parcel: Parcel,
    /// Whether it is sent though all its money went back, as a present.
    pub is_present: bool,
    /// Whether the customer hears of it.
    pub telling: Telling,
    /// Now.
    pub now: Timestamp,
}

/// What of an order can still be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sendable {
    /// Units that are left of each line, in the order of the order's lines.
    pub left: Vec<u32>,
    /// Whether its units were put back into stock: nothing of it is sent any more.
    pub is_restocked: bool,
}

impl Store {
    /// Writes that units leave the house. The edge tells the customer, where that is asked for.
    ///
    /// Errors: refused where the order is not paid (`WrongState`), where more than is left is asked for, where its units were put back
    /// into stock, or where the key was used for another wish.
    pub async fn fulfil(&self, ask: AskFulfillment) -> Result<Fulfillment, StoreError> {
        step!(self, Fresh, move |tx| fulfillments::fulfil(tx, &ask))
    }

    /// Takes a fulfillment back: its units can be sent again. Doing it twice is doing it once.
    ///
    /// Errors: `NotFound`; `CustomerTold` where the letter went, or is about to, unless `even_if_told`.
    pub async fn unfulfil(&self, id: &str, even_if_told: bool, now: Timestamp) -> Result<Fulfillment, StoreError> {
        let id = id.to_owned();
        step!(self, Fresh, move |tx| fulfillments::unfulfil(tx, &id, even_if_told, now))
    }

    /// What of an order can still be sent; `None`: there is no such order.
    pub async fn sendable(&self, order: &OrderId) -> Result<Option<Sendable>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| fulfillments::sendable(tx, &order))
    }

    /// Everything that was sent of an order, the oldest first, what was taken back among it.
    pub async fn fulfillments(&self, order: &OrderId) -> Result<Vec<Fulfillment>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| fulfillments::of_order(tx, &order))
    }

    /// The same for many orders, in their order.
    pub async fn fulfillments_of(&self, orders: Vec<OrderId>) -> Result<Vec<Vec<Fulfillment>>, StoreError> {
        look!(self, move |tx| orders.iter().map(|order| fulfillments::of_order(tx, order)).collect())
    }

    /// A fulfillment.
    pub async fn fulfillment(&self, id: &str) -> Result<Option<Fulfillment>, StoreError> {
        let id = id.to_owned();
        look!(self, move |tx| fulfillments::by_id(tx, &id))
    }
}
