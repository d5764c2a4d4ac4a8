//! Disputes: what customers dispute at their banks is taken over from the gateway, and told to the shop.
//!
//! Source  CHECKOUT.md 6: recorded and shown, not automated.

use super::Till;
use crate::commerce::payment::Attempt;
use crate::edge::app::App;
use crate::gateway::Outcome;
use crate::store::StoreError;
use crate::store::disputes::DISPUTE_ALARM;

/// Disputes that are listed: a bank decides within two months, and few take longer.
const LISTED_SECONDS: i64 = 120 * 24 * 3600;
/// Pages of a hundred disputes that are read.
const MAX_PAGES: usize = 100;

/// A payment is disputed, or a dispute of it moved on; `Err`: nobody could tell how.
pub(super) async fn heard(app: &App, till: &Till, attempt: &Attempt) -> Result<Result<(), &'static str>, StoreError> {
    let Some(reference) = attempt.reference.as_ref().filter(|_| attempt.gateway == till.gateway.capabilities().name) else {
        return Ok(Ok(()));
    };
    let now = app.clock.now();
    match till.gateway.disputes(reference).await {
        Outcome::Done(told) => till.store.hear_disputes(&attempt.id, told, now).await?,
        // A key that may not read them: the shop hears of it all the same, since a dispute that nobody answers is lost.
        Outcome::Rejected(reason) => {
            let reason = format!("the gateway does not let the shop read how ({reason}); answer it there");
            let subject = format!("{DISPUTE_ALARM}unread-{}", attempt.id);
            till.store.promise_alarm_once(&subject, &attempt.checkout, &reason, now).await?;
        }
        Outcome::Accepted | Outcome::Unknown(_) => return Ok(Err("nobody could tell what is disputed")),
    }
    till.due.notify_one();
    Ok(Ok(()))
}

/// Takes over where disputes stand that the gateway lists, whether an event told of them or not.
///
/// Errors: the store cannot be used. A gateway that does not tell is asked again with the next comparison.
pub(super) async fn compare(app: &App, till: &Till) -> Result<(), StoreError> {
    let since = app.clock.now().plus_seconds(-LISTED_SECONDS);
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        match till.gateway.disputed(since, after.as_deref()).await {
            Outcome::Done((told, next)) => {
                till.keep(app, told).await?;
                after = next;
            }
            Outcome::Accepted => return Ok(()),
            Outcome::Rejected(reason) | Outcome::Unknown(reason) => {
                tracing::warn!(reason, "disputes could not be listed; the next comparison tries again");
                return Ok(());
            }
        }
        if after.is_none() {
            return Ok(());
        }
    }
    tracing::error!("more disputes are listed than are read; look at the gateway for the oldest");
    Ok(())
}
