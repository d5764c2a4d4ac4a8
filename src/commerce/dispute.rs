//! Dispute: a customer tells the bank that a payment was not right, and the bank asks the merchant.
//!
//! Owns    where a dispute stands. How it is answered is the merchant's, at the gateway's own pages: it is recorded and shown, not automated.
//! Source  CHECKOUT.md 2.1, 6; I12 of 5.9: a payment that was taken stays one.

use super::ids::Timestamp;
use super::money::Money;

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeState {
    /// The merchant has to answer; who does not, loses.
    NeedsResponse,
    /// The bank decides.
    UnderReview,
    /// The money stays, or came back.
    Won,
    /// The money is the customer's.
    Lost,
}

impl DisputeState {
    const ALL: [Self; 4] = [Self::NeedsResponse, Self::UnderReview, Self::Won, Self::Lost];

    /// Its name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A dispute as the gateway tells it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Dispute {
    /// The gateway's name for it.
    pub reference: String,
    /// What of the payment is disputed.
    pub amount: Money,
    /// What the customer says, in the gateway's word for programs, such as `fraudulent`.
    pub reason: String,
    /// Where it stands.
    pub state: DisputeState,
    /// Until when it can be answered, where the gateway tells.
    pub respond_by: Option<Timestamp>,
    /// When it began, by the gateway's clock.
    pub made_at: Timestamp,
}
