//! Gateway: who moves money.
//!
//! Owns    the closed set of gateways and the one shape they all have: create a payment and send the shopper to the gateway's own page,
//!         fetch its state, capture, cancel, refund.
//! Knows   nothing of carts, orders or the store; never retries by itself (the outbox does, with the same key and the same bytes).
//! Always  every mutating call carries an idempotency key and exact bytes; an answer that is not certain is `Outcome::Unknown`.
//! Source  CHECKOUT.md 2.2: the shape is not that of one provider.

pub mod sandbox;
#[cfg(feature = "faults")]
pub mod scripted;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::commerce::money::Money;

/// What became of a call. `Unknown` is not a failure: the money may have moved, and only a look-up can tell.
#[must_use = "an unknown outcome must be looked up, never dropped"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It happened, and this is the state now.
    Done(T),
    /// It was taken on; the state comes later.
    Accepted,
    /// It did not happen and will not: a definitive no, safe to try anew with another key.
    Rejected(String),
    /// Nobody knows: a time-out, a reset, a 5xx. Look it up by its key; never send other bytes.
    Unknown(String),
}

/// What a gateway can do, so that the checkout asks no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Name on the wire and in the ledger.
    pub name: &'static str,
    /// What the shopper reads.
    pub label: &'static str,
    /// How long a key is remembered, in seconds.
    pub key_seconds: i64,
    /// Whether money is held first and taken later.
    pub manual_capture: bool,
    /// Whether an open payment can be called off.
    pub can_cancel_open: bool,
    /// Whether it moves real money.
    pub live: bool,
}

/// A payment to be made: written to the store as bytes before the call, and sent as these bytes ever after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatePayment {
    /// What is to be paid.
    pub amount: Money,
    /// Where the shopper comes back to; carries its own signed token.
    pub return_url: String,
    /// What the gateway's page calls the purchase.
    pub description: String,
    /// Shop, checkout, attempt and quote hash: how a payment is recognised without our database.
    pub metadata: BTreeMap<String, String>,
}

impl CreatePayment {
    /// The bytes to store and to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and integers always serialise")
    }
}

/// A payment as the gateway knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePayment {
    /// The gateway's own name for it.
    pub reference: String,
    /// Where it stands.
    pub state: RemoteState,
    /// What was asked for.
    pub amount: Money,
    /// What was given back so far.
    pub refunded_minor: i64,
    /// Whether it is real money.
    pub live: bool,
    /// As sent when it was made.
    pub metadata: BTreeMap<String, String>,
    /// The page the shopper pays on, while it is open.
    pub redirect_url: Option<String>,
    /// Why the last card was refused, in the gateway's words for programs, such as `card_declined`.
    pub decline_code: Option<String>,
    /// Brand and last four digits of the card, once there is one.
    pub card: Option<String>,
}

/// Where a payment stands at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteState {
    /// The shopper has not paid yet.
    Open,
    /// The bank said no; this payment will not be paid.
    Declined,
    /// The money is held for us.
    Authorized,
    /// The money is ours.
    Captured,
    /// It was called off; a hold was let go.
    Canceled,
}

/// The gateways there are.
#[derive(Clone, Debug)]
pub enum Gateway {
    /// Play money with a ledger of its own.
    Sandbox(sandbox::Sandbox),
    /// Whatever a test makes of it.
    #[cfg(feature = "faults")]
    Scripted(scripted::Scripted),
}

impl Gateway {
    /// What it can do.
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Self::Sandbox(_) => sandbox::CAPABILITIES,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.capabilities,
        }
    }

    /// Opens a payment. The same key with the same bytes gives the same payment; with other bytes it is rejected.
    pub async fn create(&self, key: &str, body: &[u8]) -> Outcome<RemotePayment> {
        match self {
            Self::Sandbox(sandbox) => sandbox.create(key, body).await,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.create(key, body).await,
        }
    }

    /// The payment's state now. `Rejected` where the gateway has no such payment.
    pub async fn fetch(&self, reference: &str) -> Outcome<RemotePayment> {
        match self {
            Self::Sandbox(sandbox) => sandbox.fetch(reference).await,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.fetch(reference).await,
        }
    }

    /// Finds a payment by the key it was opened with: the way out of `Unknown`. `Done(None)`: provably never opened.
    pub async fn lookup(&self, key: &str) -> Outcome<Option<RemotePayment>> {
        match self {
            Self::Sandbox(sandbox) => sandbox.lookup(key).await,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.lookup(key).await,
        }
    }

    /// Takes the held money.
    pub async fn capture(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        match self {
            Self::Sandbox(sandbox) => sandbox.capture(key, reference).await,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.capture(key, reference).await,
        }
    }

    /// Calls an open or held payment off. A payment that is already captured is rejected: it counts as paid.
    pub async fn cancel(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        match self {
            Self::Sandbox(sandbox) => sandbox.cancel(key, reference).await,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.cancel(key, reference).await,
        }
    }

    /// Gives captured money back, at most what is left of it.
    pub async fn refund(&self, key: &str, reference: &str, amount: Money) -> Outcome<RemotePayment> {
        match self {
            Self::Sandbox(sandbox) => sandbox.refund(key, reference, amount).await,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.refund(key, reference, amount).await,
        }
    }
}
