//! Refunds: money that was promised back is given back, and what the gateway tells of it is taken over.
//!
//! Always  a call is sent after the commit that holds its bytes, the same bytes under the same key each time, one for a payment at a time;
//!         a key that the gateway may have forgotten is looked up instead; a refused call is looked up before it is believed.
//! Limits  CLAIM_ROWS at a time, each for CLAIM_SECONDS.
//! Source  CHECKOUT.md 5.1, 5.2; I21; F21.
#![deny(clippy::wildcard_enum_match_arm, clippy::let_underscore_must_use)]

use std::sync::Arc;

use super::{Till, mail};
use crate::commerce::ids::Timestamp;
use crate::commerce::payment::Attempt;
use crate::commerce::refund::{RefundReport, RefundState};
use crate::edge::app::App;
use crate::gateway::Outcome;
use crate::gateway::capabilities::Idempotency;
use crate::store::event::EventResult;
use crate::store::refunds::{Refund, RefundAnswer};
use crate::store::{Refusal, StoreError};

/// Rows taken at once.
const CLAIM_ROWS: u32 = 16;
/// Seconds after which a refund whose worker died is due again; longer than its calls take.
const CLAIM_SECONDS: i64 = 120;

/// Takes refunds that are due and moves them on; gives how many were taken.
///
/// Errors: the store cannot be read.
pub(super) async fn work(app: &Arc<App>, till: &Arc<Till>) -> Result<usize, StoreError> {
    if till.watch.holds_still() {
        return Ok(0);
    }
    let now = app.clock.now();
    let refunds = till.store.claim_refunds(&till.owner, CLAIM_ROWS, now, now.plus_seconds(CLAIM_SECONDS)).await?;
    let count = refunds.len();
    let mut work = tokio::task::JoinSet::new();
    for refund in refunds {
        let place = till.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (app, till) = (app.clone(), till.clone());
        work.spawn(async move {
            match one(&app, &till, &refund).await {
                Ok(()) | Err(StoreError::Refused(Refusal::LeaseLost)) => {}
                Err(error) => tracing::error!(%error, refund = refund.id, "a refund was not moved on; it is due again later"),
            }
            drop(place);
        });
    }
    while let Some(ended) = work.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a refund broke its worker; it is due again later");
        }
    }
    Ok(count)
}

async fn one(app: &App, till: &Till, refund: &Refund) -> Result<(), StoreError> {
    let answer = match till.store.attempt_by_id(&refund.attempt).await? {
        Some(attempt) => moved_on(app, till, refund, &attempt).await?,
        None => return Err(StoreError::Corrupt(format!("payment of the refund {}", refund.id))),
    };
    match &answer {
        RefundAnswer::Told(_) | RefundAnswer::Accepted => {}
        RefundAnswer::Failed(reason) => tracing::error!(refund = refund.id, reason, "a refund was not made"),
        RefundAnswer::Later(reason) => tracing::warn!(refund = refund.id, reason, "a refund is put off"),
    }
    till.store.settle_refund(refund, answer, app.clock.now()).await
}

async fn moved_on(app: &App, till: &Till, refund: &Refund, attempt: &Attempt) -> Result<RefundAnswer, StoreError> {
    let known = till.gateway.capabilities();
    let (Some(payment), true) = (&attempt.reference, attempt.gateway == known.name) else {
        return Ok(RefundAnswer::Later(format!("it was paid by {}, which the shop does not use now", attempt.gateway)));
    };
    let Some(key) = refund.key.as_ref().filter(|_| refund.state == RefundState::Pending) else {
        return Ok(looked_up(till, refund, payment, None).await);
    };
    let is_keyed = known.idempotency != Idempotency::None;
    if let Some(first) = refund.first_sent_at
        && app.clock.now().0 - first.0 > known.usable_key_seconds()
    {
        let answer = looked_up(till, refund, payment, Some("the gateway never made it")).await;
        // Without keys every call is a new one: it is made where the last one provably did nothing.
        if is_keyed || !matches!(answer, RefundAnswer::Failed(_)) {
            return Ok(answer);
        }
    }
    let body = match &refund.body {
        Some(body) => body.clone(),
        None => match till.gateway.refund_body(key, payment, refund.amount).await {
            Outcome::Done(body) => body,
            Outcome::Rejected(reason) => return Ok(RefundAnswer::Failed(reason)),
            Outcome::Accepted => return Ok(RefundAnswer::Later("the payment cannot be looked at".to_owned())),
            Outcome::Unknown(reason) => return Ok(RefundAnswer::Later(reason)),
        },
    };
    let body = till.store.begin_refund(refund, body, app.clock.now()).await?;
    failpoint!("K30");
    let key_sent = if planted!("refund_key_with_counter") { format!("{key}:{}", refund.sent) } else { key.clone() };
    Ok(match till.gateway.send_refund(&key_sent, &body).await {
        Outcome::Done(report) => RefundAnswer::Told(report),
        Outcome::Accepted => RefundAnswer::Accepted,
        Outcome::Rejected(reason) => looked_up(till, refund, payment, Some(&reason)).await,
        // The gateway may have kept a failure under the key, and done the work all the same.
        Outcome::Unknown(reason) => match looked_up(till, refund, payment, None).await {
            RefundAnswer::Later(_) => RefundAnswer::Later(reason),
            told @ (RefundAnswer::Told(_) | RefundAnswer::Accepted | RefundAnswer::Failed(_)) => told,
        },
    })
}

/// Finds a refund by its key or its name among those of its payment. `else_failed`: why it failed where it is provably not there.
async fn looked_up(till: &Till, refund: &Refund, payment: &str, else_failed: Option<&str>) -> RefundAnswer {
    let is_it =
        |one: &RefundReport| one.key.is_some() && one.key == refund.key || Some(&one.reference) == refund.reference.as_ref();
    match till.gateway.refunds(payment).await {
        Outcome::Done(told) => match (told.into_iter().find(is_it), else_failed) {
            (Some(report), _) => RefundAnswer::Told(report),
            (None, Some(reason)) => RefundAnswer::Failed(reason.to_owned()),
            (None, None) => RefundAnswer::Later("the gateway does not list it yet".to_owned()),
        },
        Outcome::Accepted => RefundAnswer::Later("nobody could tell".to_owned()),
        Outcome::Rejected(reason) | Outcome::Unknown(reason) => RefundAnswer::Later(reason),
    }
}

/// Something happened to a payment that is paid: what was given back of it is taken over.
pub(super) async fn heard(
    app: &App,
    till: &Till,
    attempt: &Attempt,
    events: Vec<i64>,
) -> Result<Result<EventResult, &'static str>, StoreError> {
    let Some(reference) = attempt.reference.as_ref().filter(|_| attempt.gateway == till.gateway.capabilities().name) else {
        return Ok(Ok(EventResult::Applied));
    };
    match till.gateway.refunds(reference).await {
        Outcome::Done(told) => {
            failpoint!("K32", till.store.awaits_refund(&attempt.id).await?);
            till.store.hear_refunds(&attempt.id, told, events, app.clock.now()).await?;
            Ok(Ok(EventResult::Applied))
        }
        Outcome::Rejected(_) => Ok(Ok(EventResult::Applied)),
        Outcome::Accepted | Outcome::Unknown(_) => Ok(Err("nobody could tell what was given back")),
    }
}

/// Takes over what was given back where sums do not fit; gives our sums as they are then, in minor units.
pub(super) async fn compare(
    till: &Till,
    attempt: &Attempt,
    reference: &str,
    gateway_minor: i64,
    now: Timestamp,
) -> Result<(i64, bool), StoreError> {
    let mut sums = till.store.refund_sums(&attempt.id).await?;
    if !sums.fits(gateway_minor)
        && let Outcome::Done(told) = till.gateway.refunds(reference).await
    {
        till.store.hear_refunds(&attempt.id, told, Vec::new(), now).await?;
        sums = till.store.refund_sums(&attempt.id).await?;
    }
    Ok((sums.in_ledger_minor, sums.fits(gateway_minor)))
}

/// Writes to customers whose money is on its way. What cannot be sent now is sent in a later round.
///
/// Errors: the store cannot be used.
pub async fn tell(app: &App, till: &Till) -> Result<(), StoreError> {
    let refunds = till.store.refunds_to_tell(CLAIM_ROWS).await?;
    // Beside each other: an address that takes no mail keeps nobody else waiting.
    let told = refunds.iter().map(|refund| async move {
        let Some(order) = till.store.order(&refund.order).await? else { return Ok::<(), StoreError>(()) };
        let sent = match mail::refund(&app.live.load_full(), &app.keys, &order, refund) {
            Ok(letter) => till.send(&letter).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => till.store.refund_told(&refund.id, app.clock.now()).await,
            Err(error) => {
                tracing::warn!(%error, refund = refund.id, "a mail about a refund could not be sent; the next round tries again");
                Ok(())
            }
        }
    });
    futures_util::future::try_join_all(told).await?;
    Ok(())
}
