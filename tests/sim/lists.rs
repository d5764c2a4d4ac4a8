//! Lists: what the gateway tells of many things at once. A list may get lost or be a little old, as any answer.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use vitrine::commerce::ids::Timestamp;
use vitrine::commerce::refund::RefundReport;
use vitrine::gateway::{Listed, Outcome, Page};

use super::plan::Harm;
use super::world::World;

impl World {
    /// A page of what was opened since.
    pub async fn at_list(&self, since: Timestamp, after: Option<String>) -> Outcome<Page<Listed>> {
        if self.moment("call", self.plan.gateway, &[Harm::CallLost, Harm::AnswerLost]).await.is_some() {
            self.lists_lost.fetch_add(1, Ordering::Relaxed);
            return Outcome::Unknown("no answer".to_owned());
        }
        Outcome::Done(self.ledger.lock().unwrap_or_else(PoisonError::into_inner).list(since, after.as_deref(), self.now()))
    }

    /// The refunds of a payment.
    pub async fn at_refunds(&self, reference: String) -> Outcome<Vec<RefundReport>> {
        if self.moment("call", self.plan.gateway, &[Harm::CallLost]).await.is_some() {
            return Outcome::Unknown("no answer".to_owned());
        }
        let seen_at = if self.oddities().is_stale { self.now() - 2 } else { self.now() };
        match self.ledger.lock().unwrap_or_else(PoisonError::into_inner).refunds(&reference, seen_at) {
            Ok(told) => Outcome::Done(told),
            Err(reason) => Outcome::Rejected(reason),
        }
    }
}
