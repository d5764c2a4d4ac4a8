//! Refund: money that goes back to whoever paid it.
//!
//! Owns    the states of a refund, and what the gateway's word of one makes of it.
//! Always  a state only moves on; what the bank sent back to us is put before a person, who finds another way.
//! Source  CHECKOUT.md 5.1, I21 of 5.9, F21 of 5.10.

use super::ids::Timestamp;
use super::money::Money;

/// Where a refund stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Committed; the gateway may or may not have heard of it.
    Pending,
    /// The gateway has taken it on.
    Accepted,
    /// It is on its way to the customer.
    Done,
    /// It was not made; nothing went back by it.
    Failed,
    /// It was taken on and came back to us: a person finds another way.
    Review,
}

/// Where a refund stands at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStanding {
    /// Taken on; how it ends comes later.
    UnderWay,
    /// Made.
    Done,
    /// Not made, or sent back by the bank.
    Failed,
}

/// A refund as the gateway knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundReport {
    /// The gateway's name for it.
    pub reference: String,
    /// The key it was asked for under; `None`: it was made at the gateway's own pages.
    pub key: Option<String>,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub standing: RefundStanding,
    /// Why it failed, in the gateway's words for programs.
    pub failure: Option<String>,
    /// When it was made, by the gateway's clock.
    pub made_at: Timestamp,
}

impl RefundState {
    const ALL: [Self; 5] = [Self::Pending, Self::Accepted, Self::Done, Self::Failed, Self::Review];

    /// Its name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Review => "review",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether its amount is in the ledger as given back.
    pub fn is_in_ledger(self) -> bool {
        matches!(self, Self::Accepted | Self::Done)
    }

    /// Where it stands after the gateway's word. What was given up here and is made there all the same counts: the money is gone.
    #[must_use]
    pub fn after(self, standing: RefundStanding) -> Self {
        match (self, standing) {
            (Self::Review, _) => Self::Review,
            (_, RefundStanding::Done) | (Self::Done, RefundStanding::UnderWay) => Self::Done,
            (_, RefundStanding::UnderWay) => Self::Accepted,
            (Self::Accepted | Self::Done, RefundStanding::Failed) => Self::Review,
            (Self::Pending | Self::Failed, RefundStanding::Failed) => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_only_moves_on() {
        use RefundStanding::{Done, Failed, UnderWay};
        let check = |from: &str, said: &[RefundStanding], expected: &str| {
            let state = RefundState::from_name(from).expect("a state");
            let after = said.iter().fold(state, |state, standing| state.after(*standing));
            assert_eq!(after.name(), expected, "{from} {said:?}");
        };
        check("pending", &[UnderWay], "accepted");
        check("pending", &[UnderWay, Done, UnderWay], "done");
        check("pending", &[Failed], "failed");
        // F21.
        check("pending", &[UnderWay, Failed], "review");
        check("pending", &[Done, Failed, Done], "review");
        // A call that arrived after it was given up.
        check("failed", &[Done], "done");
        check("failed", &[UnderWay, Failed], "review");
    }
}
