//! Event: what a gateway says by itself, by webhook or in its list of events.
//!
//! Always  a hint, never a fact: it names what to look at, and the state is fetched.

use crate::commerce::ids::Timestamp;

/// Something happened at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The gateway's name for it: the same event has the same name however often it is sent.
    pub id: String,
    /// What happened, in the gateway's words.
    pub kind: String,
    /// What it is about.
    pub about: About,
    /// Where it was asked for, whether it is a payment of this gateway's account and mode.
    pub is_ours: bool,
    /// When it happened.
    pub created_at: Timestamp,
    /// As it was sent, for whoever has to look.
    pub body: Vec<u8>,
}

/// The payment an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// It carries what we wrote on it.
    Attempt {
        /// The shop it names.
        shop: String,
        /// The checkout it names.
        checkout: String,
        /// The attempt's number.
        number: u32,
    },
    /// Only the gateway's name for it is known.
    Reference(String),
    /// Nothing of ours.
    Nothing,
}

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// This gateway has no webhooks.
    #[error("this gateway sends no webhooks")]
    NoWebhooks,
    /// There is no secret to prove it by.
    #[error("no webhook secret is set")]
    NoSecret,
    /// There is no signature, or it cannot be read.
    #[error("there is no signature that can be read")]
    NoSignature,
    /// Signed too long ago, or in the future.
    #[error("the signature is not of now")]
    NotNow,
    /// Signed by somebody else, or changed on its way.
    #[error("the signature does not fit")]
    WrongSignature,
    /// Signed by the gateway, but not understood.
    #[error("it is no event")]
    NotAnEvent,
}
