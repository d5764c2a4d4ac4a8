//! Disputes: what customers dispute at their banks, as the gateway tells it.

use super::steps::disputes;
use super::{Lane, Store, StoreError};
use crate::commerce::dispute::Dispute;
use crate::commerce::ids::{AttemptId, OrderId, Timestamp};

/// What alarms about disputes begin with.
pub const DISPUTE_ALARM: &str = "dispute-";

impl Store {
    /// Takes over what the gateway tells of a payment's disputes. The shop is told, once each, of what has to be answered and of what was
    /// lost; merchants' systems hear of each that begins.
    pub async fn hear_disputes(&self, attempt: &AttemptId, told: Vec<Dispute>, now: Timestamp) -> Result<(), StoreError> {
        let attempt = attempt.clone();
        step!(self, Urgent, move |tx| disputes::hear(tx, &attempt, &told, now))
    }

    /// Disputes of an order's payments, in the order they began.
    pub async fn disputes(&self, order: &OrderId) -> Result<Vec<Dispute>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| disputes::of_order(tx, &order))
    }
}
