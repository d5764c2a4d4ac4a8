//! Order: the promise, frozen at purchase.
//!
//! Owns    the states of an order and the form of its number.
//! Always  an order is written before the first call to a gateway, and gets its number when it is placed.

use serde::{Deserialize, Serialize};

use super::ids::{CheckoutId, OrderId, Timestamp};
use super::quote::Quote;

/// Where an order stands. What was shipped or refunded follows from quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Written before its payment.
    PendingPayment,
    /// A promise.
    Placed,
    /// Never became one.
    Canceled,
}

impl OrderState {
    /// Its name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::PendingPayment => "pending_payment",
            Self::Placed => "placed",
            Self::Canceled => "canceled",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::PendingPayment, Self::Placed, Self::Canceled].into_iter().find(|state| state.name() == name)
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its name.
    pub id: OrderId,
    /// The checkout it came of.
    pub checkout: CheckoutId,
    /// What people read aloud; `None` until it is placed.
    pub number: Option<String>,
    /// Where it stands.
    pub state: OrderState,
    /// What was agreed: lines, address, totals.
    pub quote: Quote,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it became a promise.
    pub placed_at: Option<Timestamp>,
    /// When the money was captured.
    pub paid_at: Option<Timestamp>,
    /// When all that names whoever bought was taken out of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

/// What people read aloud: the shop's prefix and six digits at least, counted from 100001, so that the first order does not look like
/// one.
pub fn order_number(prefix: &str, sequence: i64) -> String {
    format!("{prefix}{}", 100_000 + sequence)
}
