//! Told: what happens to an order next and what to do about what is stuck, in the same words on a page and by a command.

use crate::commerce::dispute::{Dispute, DisputeState};
use crate::commerce::fulfillment::FulfillmentState;
use crate::commerce::order::{Order, OrderState};
use crate::commerce::payment::{Attempt, AttemptState};
use crate::commerce::refund::RefundState;
use crate::edge::perform::subscribers::message::instant;
use crate::store::refunds::Refund;

/// Seconds after which what is not answered or done is listed as stuck.
pub const LATE_SECONDS: i64 = 15 * 60;

/// What people call an order.
pub fn name_of(order: &Order) -> &str {
    order.number.as_deref().unwrap_or(order.id.as_str())
}

/// All that what happens next depends on.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// The order.
    pub order: &'a Order,
    /// Its newest payment.
    pub attempt: Option<&'a Attempt>,
    /// What went back of it.
    pub refunds: &'a [Refund],
    /// What its customer disputes at the bank.
    pub disputes: &'a [Dispute],
    /// How much of it left the house.
    pub fulfillment: FulfillmentState,
}

impl Standing<'_> {
    /// What happens by itself, or what a person has to do.
    pub fn next(&self) -> String {
        let Self { order, attempt, refunds, disputes, fulfillment } = *self;
        let name = name_of(order);
        if let Some(dispute) = disputes.iter().find(|dispute| dispute.state == DisputeState::NeedsResponse) {
            let by = dispute.respond_by.map_or(String::new(), |by| format!(" by {}", instant(by)));
            return format!("the payment is disputed; answer {} at the gateway{by}", dispute.reference);
        }
        let back: i64 = refunds.iter().filter(|one| one.state.is_in_ledger()).map(|one| one.amount.minor).sum();
        let is_back = order.paid_at.is_some() && back > 0 && back >= order.quote.total().minor;
        if refunds.iter().any(|one| matches!(one.state, RefundState::Failed | RefundState::Review)) {
            return "a refund failed; `vitrine orders stuck` says what to do".to_owned();
        }
        if refunds.iter().any(|one| matches!(one.state, RefundState::Pending | RefundState::Accepted)) {
            return "a refund is on its way; the edge looks after it".to_owned();
        }
        match (order.state, order.paid_at, attempt.map(|attempt| (attempt.state, attempt.void_asked_at))) {
            (OrderState::Canceled, ..) => "nothing: it is canceled".to_owned(),
            (OrderState::Placed, Some(_), _) if fulfillment == FulfillmentState::Fulfilled => {
                "nothing: it is paid and sent".to_owned()
            }
            (OrderState::Placed, Some(_), _) if order.erased_at.is_some() => "nothing: whoever bought was erased".to_owned(),
            (OrderState::Placed, Some(_), _) if refunds.iter().any(|one| one.restocked) => {
                "nothing: it is paid, and its units were put back into stock".to_owned()
            }
            (OrderState::Placed, Some(_), _) if is_back => "nothing: all its money went back".to_owned(),
            (OrderState::Placed, Some(_), _) if disputes.iter().any(|dispute| dispute.state == DisputeState::Lost) => {
                "nothing: its money is the customer's again, as a dispute was lost".to_owned()
            }
            (OrderState::Placed, Some(_), _) => format!("it is paid; send it, and write `vitrine orders fulfil {name}`"),
            (_, _, Some((AttemptState::Review, None))) => {
                "a person has to look; `vitrine orders stuck` says what to do".to_owned()
            }
            (OrderState::Placed, None, Some((_, Some(_)))) => {
                "the edge lets the held money go, and the order is canceled".to_owned()
            }
            (OrderState::Placed, None, _) => {
                format!("the edge takes the held money; `vitrine orders cancel {name}` lets it go instead")
            }
            (OrderState::PendingPayment, ..) => "the shopper pays, or its time runs out".to_owned(),
        }
    }
}

/// Whether something that is stuck, by its kind, stays so until a person says what was done about it.
pub fn is_for_a_person(kind: &str) -> bool {
    matches!(kind, "payment" | "orphan" | "refund" | "withdrawal" | "difference")
}

/// What to do about something that is stuck, by its kind.
pub fn advice(kind: &str) -> &'static str {
    match kind {
        "payment" => {
            "look the payment up at the gateway; void or give back there what is no order's; `vitrine orders cancel ORDER` lets its units go \
             once nothing is held, `vitrine orders resolve NAME --note …` takes it off this list"
        }
        "orphan" => {
            "look the payment up at the gateway and give it back there if it is nobody's, then `vitrine orders resolve NAME --note …`"
        }
        "refund" => {
            "ask for it again with `vitrine orders refund`, or pay the customer another way, then `vitrine orders resolve NAME --note …`"
        }
        "withdrawal" => {
            "take the goods back and give the money back with `vitrine orders refund` within 14 days, then `vitrine orders resolve NAME --note …`"
        }
        "difference" => {
            "compare the payment at the gateway with `vitrine orders show`, and mend it there; what agrees by the next comparison is off this \
             list, or `vitrine orders resolve NAME --note …` takes it off"
        }
        "dispute" => {
            "answer it at the gateway's pages, with what proves the delivery, before its time is over; it leaves this list once that is done"
        }
        "unanswered" => "the edge asks on by itself; look whether it runs, and whether the gateway answers (/readyz)",
        _ => "the edge tries on by itself; the reason says what is in its way",
    }
}
