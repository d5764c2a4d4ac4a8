//! Event: what a gateway said, as the inbox keeps it.

use crate::commerce::ids::{CheckoutId, Timestamp};

/// An event to be kept before it is acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The gateway that told it.
    pub gateway: String,
    /// The gateway's name for it.
    pub event: String,
    /// What happened, in the gateway's words.
    pub kind: String,
    /// The checkout it is about, where it names one.
    pub checkout: Option<CheckoutId>,
    /// The number of the attempt it is about, where it names one.
    pub attempt: Option<u32>,
    /// The gateway's name for the payment, where it names one.
    pub reference: Option<String>,
    /// As it was sent.
    pub body: Vec<u8>,
    /// When it happened.
    pub created_at: Timestamp,
    /// Why nothing has to be done about it; `None`: something may have to be.
    pub result: Option<EventResult>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventResult {
    /// The payment it is about was looked at.
    Applied,
    /// It is of another shop, account or mode.
    Foreign,
    /// It is about nothing that is acted on.
    Ignored,
    /// It names this shop, but no checkout that is known here: money may have moved that nobody knows of.
    Orphan,
}

impl EventResult {
    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Foreign => "foreign",
            Self::Ignored => "ignored",
            Self::Orphan => "orphan",
        }
    }
}

/// An event of the inbox that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// Its place.
    pub id: i64,
    /// The gateway's name for it.
    pub event: String,
    /// What happened, in the gateway's words.
    pub kind: String,
    /// The checkout it is about, where it names one.
    pub checkout: Option<CheckoutId>,
    /// The number of the attempt it is about, where it names one.
    pub attempt: Option<u32>,
    /// The gateway's name for the payment, where it names one.
    pub reference: Option<String>,
    /// How often it was tried before.
    pub tries: u32,
}
