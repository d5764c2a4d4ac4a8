//! Outbox: promised work is done, tried again later and later, and crossed off when it is done.

use std::sync::Arc;

use super::{Till, Wish, inbox, mail};
use crate::commerce::ids::AttemptId;
use crate::commerce::payment::{Attempt, AttemptState};
use crate::edge::app::App;
use crate::store::{OutboxKind, OutboxRow, Share, StoreError};

/// Rows taken at once.
const CLAIM_ROWS: u32 = 16;
/// Seconds after which a row whose worker died is due again; longer than one piece of work takes.
const CLAIM_SECONDS: i64 = 120;

/// How a piece of work ended.
enum Done {
    Yes,
    Later(String),
}

/// Takes what is due of a share and does it; gives how many rows were taken. Returns when they are all done or put back.
pub(super) async fn deliver(app: &Arc<App>, till: &Arc<Till>, share: Share) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let rows = till.store.claim_outbox(&till.owner, share, CLAIM_ROWS, now, now.plus_seconds(CLAIM_SECONDS)).await?;
    let count = rows.len();
    let mut work = tokio::task::JoinSet::new();
    for row in rows {
        // Mails have a lane of their own, and take no place of a payment or an event.
        let place = match share {
            Share::Payments => Some(till.places.clone().acquire_owned().await.expect("the semaphore is never closed")),
            Share::Mails => None,
        };
        let (app, till) = (app.clone(), till.clone());
        work.spawn(async move {
            one(&app, &till, row).await;
            drop(place);
        });
    }
    while let Some(ended) = work.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a piece of promised work panicked; it is due again later");
        }
    }
    Ok(count)
}

async fn one(app: &App, till: &Till, row: OutboxRow) {
    if planted!("mail_marked_first") {
        let _ = till.store.finish_outbox(row.id, app.clock.now()).await;
    }
    let done = match row.kind {
        OutboxKind::Capture => settle(app, till, &row, Wish::GoOn).await,
        OutboxKind::CancelPayment => settle(app, till, &row, Wish::CallOff).await,
        OutboxKind::Confirmation => confirm(app, till, &row).await,
        OutboxKind::Alarm => alarm(app, till, &row).await,
    };
    let now = app.clock.now();
    let crossed_off = match done {
        Ok(Done::Yes) => {
            let marked = till.store.finish_outbox(row.id, now).await;
            failpoint!("K26", row.kind == OutboxKind::Confirmation);
            marked
        }
        Ok(Done::Later(reason)) => {
            tracing::warn!(
                kind = row.kind.name(),
                subject = row.subject,
                tries = row.tries + 1,
                reason,
                "promised work is put off"
            );
            till.store.retry_outbox(row.id, &reason, now).await
        }
        Err(error) => till.store.retry_outbox(row.id, &error.to_string(), now).await,
    };
    if let Err(error) = crossed_off {
        tracing::error!(%error, kind = row.kind.name(), subject = row.subject, "the outbox was not written; the work is done again");
    }
}

/// Takes held money, or calls a payment off: done when the payment stands where that leads, at the gateway as well. What is over for us
/// may be open again there, so that this is promised anew: then our own word is no answer.
async fn settle(app: &App, till: &Till, row: &OutboxRow, wish: Wish) -> Result<Done, StoreError> {
    let Some(attempt) = till.store.attempt_by_id(&AttemptId::from(row.subject.as_str())).await? else { return Ok(Done::Yes) };
    if is_settled(&attempt, wish) {
        return Ok(Done::Yes);
    }
    let newest = till.store.checkout(&row.checkout).await?.and_then(|checkout| checkout.attempt);
    if newest.is_none_or(|newest| newest.id != attempt.id) {
        return Ok(match wish {
            Wish::CallOff => {
                inbox::stray(app, till, &attempt).await?.map_or_else(|reason| Done::Later(reason.to_owned()), |_| Done::Yes)
            }
            Wish::GoOn | Wish::Hear => Done::Yes,
        });
    }
    let Some(turned) = till.turn(app, &row.checkout, wish).await? else { return Ok(Done::Yes) };
    let Some(after) = turned.checkout.attempt.filter(|now| now.id == attempt.id) else {
        return Ok(Done::Later("another payment of its checkout began".to_owned()));
    };
    let is_over = matches!(after.state, AttemptState::Canceled | AttemptState::Declined);
    let is_done = is_settled(&after, wish) || wish == Wish::CallOff && is_over && turned.is_fresh && !turned.is_payable;
    Ok(if is_done { Done::Yes } else { Done::Later(format!("the payment is {}", after.state.name())) })
}

fn is_settled(attempt: &Attempt, wish: Wish) -> bool {
    let state = attempt.state;
    match wish {
        Wish::GoOn | Wish::Hear => matches!(state, AttemptState::Paid | AttemptState::Review),
        // A payment that was paid meanwhile is not called off any more.
        Wish::CallOff => state == AttemptState::Paid || state == AttemptState::Capturing && attempt.void_asked_at.is_none(),
    }
}

async fn confirm(app: &App, till: &Till, row: &OutboxRow) -> Result<Done, StoreError> {
    let order = till.store.order(&row.subject.as_str().into()).await?;
    // Nobody is left to write to where whoever bought was erased.
    let Some(order) = order.filter(|order| order.erased_at.is_none()) else { return Ok(Done::Yes) };
    let live = app.live.load_full();
    failpoint!("K24");
    let sent = match mail::confirmation(&live, &app.keys, &order) {
        Ok(message) => till.send(&message).await,
        Err(error) => Err(error),
    };
    failpoint!("K25");
    Ok(sent.map_or_else(|error| Done::Later(error.to_string()), |()| Done::Yes))
}

async fn alarm(app: &App, till: &Till, row: &OutboxRow) -> Result<Done, StoreError> {
    let live = app.live.load_full();
    let sent = match mail::alarm(&live, row) {
        Ok(message) => till.send(&message).await,
        Err(error) => Err(error),
    };
    Ok(sent.map_or_else(|error| Done::Later(error.to_string()), |()| Done::Yes))
}
