//! Disputes: what Stripe shows of one.
//!
//! Source  Stripe's "The Dispute object": an inquiry, whose states begin with `warning`, is a dispute whose money was not taken back yet.

use serde_json::Value;

use super::{amounts, events};
use crate::commerce::dispute::{Dispute, DisputeState};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Currency;
use crate::gateway::event::Event;

/// What events about disputes are called.
pub(super) const KIND: &str = "charge.dispute.";

/// `None` where it is not understood.
pub(super) fn read(dispute: &Value) -> Option<Dispute> {
    let currency = Currency::from_code(&dispute["currency"].as_str()?.to_uppercase())?;
    let state = match dispute["status"].as_str()? {
        "needs_response" | "warning_needs_response" => DisputeState::NeedsResponse,
        "under_review" | "warning_under_review" => DisputeState::UnderReview,
        "won" | "warning_closed" | "prevented" => DisputeState::Won,
        "lost" => DisputeState::Lost,
        _ => return None,
    };
    Some(Dispute {
        reference: dispute["id"].as_str()?.to_owned(),
        amount: amounts::from_wire(dispute["amount"].as_i64()?, currency)?,
        reason: dispute["reason"].as_str()?.to_owned(),
        state,
        respond_by: dispute["evidence_details"]["due_by"].as_i64().map(Timestamp),
        made_at: Timestamp(dispute["created"].as_i64()?),
    })
}

/// One of the list of disputes as the event that tells of where it stands: each of its states is told once.
pub(super) fn told(dispute: &Value, live: bool) -> Option<Event> {
    let (id, status) = (dispute["id"].as_str().filter(|id| !id.is_empty())?, dispute["status"].as_str()?);
    Some(Event {
        id: format!("{id}:{status}"),
        kind: format!("{KIND}listed"),
        about: events::about(dispute),
        is_ours: dispute["livemode"].as_bool() == Some(live),
        created_at: Timestamp(dispute["created"].as_i64()?),
        body: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read as read_dispute;

    #[test]
    fn every_state_of_a_dispute_is_one_of_ours_and_another_is_not_guessed() {
        let read = |status: &str| {
            let shown = json!({
                "id": "du_1", "amount": 1990, "currency": "eur", "reason": "fraudulent", "status": status, "created": 7,
                "evidence_details": {"due_by": null},
            });
            read_dispute(&shown).map(|dispute| (dispute.state.name(), dispute.amount.to_string(), dispute.respond_by))
        };
        for (status, expected) in [
            ("needs_response", "needs_response"),
            ("warning_needs_response", "needs_response"),
            ("under_review", "under_review"),
            ("warning_under_review", "under_review"),
            ("won", "won"),
            ("warning_closed", "won"),
            ("prevented", "won"),
            ("lost", "lost"),
        ] {
            assert_eq!(read(status), Some((expected, "19.90 EUR".to_owned(), None)), "{status}");
        }
        assert_eq!(read("paused"), None);
    }
}
