//! Promise: work that a commit has promised, as the outbox keeps it.

use crate::commerce::ids::{CheckoutId, Timestamp};

/// Work that a commit has promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its place.
    pub id: i64,
    /// What is to be done.
    pub kind: OutboxKind,
    /// The attempt or the order it is about.
    pub subject: String,
    /// The checkout it belongs to.
    pub checkout: CheckoutId,
    /// For people: why there is an alarm.
    pub detail: String,
    /// How often it was tried before.
    pub tries: u32,
    /// Since when it waits.
    pub created_at: Timestamp,
}

/// Kinds of promised work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxKind {
    /// Take the held money; subject: attempt.
    Capture,
    /// Call a payment off; subject: attempt.
    CancelPayment,
    /// Write to the shopper; subject: order.
    Confirmation,
    /// Tell the merchant; subject: attempt.
    Alarm,
}

/// Promised work that is taken together: what waits for a mail server keeps nothing else waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// What the gateway is asked for.
    Payments,
    /// What is written to people.
    Mails,
}

impl OutboxKind {
    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::CancelPayment => "cancel_payment",
            Self::Confirmation => "confirmation",
            Self::Alarm => "alarm",
        }
    }
}
