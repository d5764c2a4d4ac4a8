//! Payment: one numbered try to pay a quote, and what a gateway says of it.
//!
//! Owns    the states of an attempt, the keys of its calls, and the comparison of money with what was agreed.
//! Always  a key is made of stored names alone, so a crash finds the same one again; a captured attempt is never anything else again.
//! Source  CHECKOUT.md 5.1 and 5.2.

use serde::{Deserialize, Serialize};

use super::ids::{AttemptId, CheckoutId, QuoteId, Timestamp};
use super::money::Money;

/// Where an attempt stands. Live: up to and with `Capturing`, and `Review`, which may hold money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Committed; the gateway may or may not have heard of it.
    IntentPending,
    /// The gateway waits for the shopper.
    AwaitingShopper,
    /// The money is held, but the order could not be placed yet.
    Authorized,
    /// The order is placed and the money is being taken.
    Capturing,
    /// The money is ours. Never left.
    Paid,
    /// A definitive no; another attempt may follow.
    Declined,
    /// Called off, as told by the gateway.
    Canceled,
    /// What happened does not fit; a person has to look.
    Review,
}

impl AttemptState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::IntentPending,
        Self::AwaitingShopper,
        Self::Authorized,
        Self::Capturing,
        Self::Paid,
        Self::Declined,
        Self::Canceled,
        Self::Review,
    ];

    /// Its name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::IntentPending => "intent_pending",
            Self::AwaitingShopper => "awaiting_shopper",
            Self::Authorized => "authorized",
            Self::Capturing => "capturing",
            Self::Paid => "paid",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
            Self::Review => "review",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether money may still move by it: a checkout has at most one such attempt, and its reservation stays.
    pub fn is_live(self) -> bool {
        !matches!(self, Self::Paid | Self::Declined | Self::Canceled)
    }
}

/// Why an attempt is canceled whose money was taken and can be no order's: it is given back, whoever it was.
pub const DISOWNED: &str = "disowned";

/// A numbered try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its name.
    pub id: AttemptId,
    /// Whose it is.
    pub checkout: CheckoutId,
    /// 1, 2, 3 …
    pub number: u32,
    /// What is paid.
    pub quote: QuoteId,
    /// The quote's hash.
    pub quote_hash: String,
    /// How much.
    pub amount: Money,
    /// The gateway's name.
    pub gateway: String,
    /// Key of the opening call.
    pub key: String,
    /// The exact bytes of the opening call, for ever.
    pub body: Vec<u8>,
    /// Where it stands.
    pub state: AttemptState,
    /// The gateway's name for it, once known.
    pub reference: Option<String>,
    /// The gateway's page, once known.
    pub redirect_url: Option<String>,
    /// Why the last card was refused, or why a person has to look.
    pub reason: Option<String>,
    /// Brand and last four digits, once known.
    pub card: Option<String>,
    /// When it was committed.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub changed_at: Timestamp,
    /// Until when the shopper may pay; then it is called off.
    pub deadline_at: Timestamp,
    /// Since when a cancel is on its way that may still arrive; then nothing else is done with it until the cancel's fate is known.
    pub cancel_sent_at: Option<Timestamp>,
    /// Since when an operator wants the held money of a placed order let go.
    pub void_asked_at: Option<Timestamp>,
}

/// Calls that change something at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Open a payment.
    Create,
    /// Take held money.
    Capture,
    /// Call it off.
    Cancel,
}

impl Operation {
    /// Its name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
        }
    }
}

/// The key of a call: the same for ever, as nothing but stored names goes into it.
pub fn idempotency_key(shop: &str, checkout: &CheckoutId, operation: Operation, attempt_number: u32) -> String {
    format!("{shop}:{checkout}:{}:{attempt_number}", operation.name())
}

/// The key by which a payment that nobody knows of is called off or given back.
pub fn orphan_key(shop: &str, reference: &str, operation: &str) -> String {
    format!("{shop}:orphan:{reference}:{operation}")
}

/// The key of a refund.
pub fn refund_key(shop: &str, refund: &str) -> String {
    format!("{shop}:refund:{refund}")
}

/// What a gateway says of a payment, as far as the rules care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The gateway's name for it.
    pub reference: String,
    /// Where it stands there.
    pub state: ReportedState,
    /// What was asked for.
    pub amount: Money,
    /// Whether it is real money.
    pub live: bool,
    /// The quote's hash as sent when it was opened.
    pub quote_hash: String,
    /// Why the card was refused, where it was.
    pub decline_code: Option<String>,
}

/// Where a payment stands at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedState {
    /// Not paid yet.
    Open,
    /// A definitive no.
    Declined,
    /// Held for us.
    Authorized,
    /// Ours.
    Captured,
    /// Called off.
    Canceled,
}

/// Why money is not the money that was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another currency.
    #[error("the payment is in another currency than the quote")]
    Currency,
    /// Another amount.
    #[error("the payment is of another amount than the quote")]
    Amount,
    /// It belongs to another quote.
    #[error("the payment was opened for another quote")]
    Quote,
}

impl Report {
    /// Compares the payment with what was agreed; nothing is placed without.
    pub fn matches(&self, agreed: Money, quote_hash: &str) -> Result<(), Mismatch> {
        if self.amount.currency != agreed.currency {
            return Err(Mismatch::Currency);
        }
        if self.amount.minor != agreed.minor {
            return Err(Mismatch::Amount);
        }
        if self.quote_hash != quote_hash {
            return Err(Mismatch::Quote);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_of_stored_names_alone() {
        let checkout = CheckoutId::from("c1");
        assert_eq!(idempotency_key("shop", &checkout, Operation::Capture, 2), "shop:c1:capture:2");
        assert_eq!(refund_key("shop", "r1"), "shop:refund:r1");
    }

    #[test]
    fn a_state_is_found_again_by_its_name() {
        for state in AttemptState::ALL {
            assert_eq!(AttemptState::from_name(state.name()), Some(state));
        }
        assert_eq!(AttemptState::from_name("Paid"), None);
    }
}
