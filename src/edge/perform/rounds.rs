//! Rounds: what is done without being asked, at the start and then for ever.
//!
//! Owns    recovery before the first request, the look at stock each second, the sweep over payments nobody came back for, and the
//!         outbox's worker.
//! Always  a round that fails is told and the next one tries again; nothing here decides, it only asks `advance` to.
//! Source  CHECKOUT.md 5.5.

use std::sync::Arc;
use std::time::Duration;

use super::{Till, outbox};
use crate::commerce::ids::Timestamp;
use crate::commerce::payment::AttemptState;
use crate::edge::app::App;
use crate::store::StoreError;

/// Between two looks at stock and outbox.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two sweeps, in looks.
const SWEEP_EVERY: u64 = 15;
/// An attempt that did not change for so long is asked about.
const QUIET_SECONDS: i64 = 30;

/// Finishes what a crash has left behind, before the first shopper is served: leases of the dead are let go, payments without an
/// answer are sent again with the same key and bytes, held money is taken, what was promised is delivered.
pub async fn recover(app: &Arc<App>, till: &Arc<Till>) -> Result<(), StoreError> {
    till.store.release_all_leases().await?;
    sweep(app, till, app.clock.now()).await?;
    outbox::deliver(app, till).await?;
    till.refresh_stock(app).await
}

/// Goes the rounds until it is dropped.
pub async fn go(app: Arc<App>, till: Arc<Till>) {
    tokio::join!(looks(&app, &till), deliveries(&app, &till));
}

async fn looks(app: &Arc<App>, till: &Arc<Till>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    for look in 1_u64.. {
        ticks.tick().await;
        if let Err(error) = till.refresh_stock(app).await {
            tracing::warn!(%error, "stock could not be looked at; the last look still holds");
        }
        if look % SWEEP_EVERY == 0
            && let Err(error) = sweep(app, till, app.clock.now().plus_seconds(-QUIET_SECONDS)).await
        {
            tracing::warn!(%error, "payments could not be swept; the next round tries again");
        }
    }
}

async fn deliveries(app: &Arc<App>, till: &Arc<Till>) {
    loop {
        match outbox::deliver(app, till).await {
            // There may be more than one taking's worth.
            Ok(count) if count > 0 => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the outbox could not be read; the next round tries again"),
        }
        let _ = tokio::time::timeout(LOOK_EVERY, till.due.notified()).await;
    }
}

/// Asks about every live attempt that did not change since `quiet_since`, calls those off whose time is over, and frees what nobody
/// pays for any more.
pub async fn sweep(app: &Arc<App>, till: &Arc<Till>, quiet_since: Timestamp) -> Result<(), StoreError> {
    for attempt in till.store.open_attempts(quiet_since).await? {
        let checkout = till.advance(app, &attempt.checkout).await?;
        let still = checkout.and_then(|checkout| checkout.attempt).filter(|now| now.id == attempt.id);
        let is_over = |attempt: &crate::commerce::payment::Attempt| attempt.deadline_at <= app.clock.now();
        if still.is_some_and(|attempt| attempt.state == AttemptState::AwaitingShopper && is_over(&attempt)) {
            till.store.promise_cancel(&attempt.id, app.clock.now()).await?;
            till.due.notify_one();
        }
    }
    till.store.release_expired(app.clock.now()).await.map(drop)
}
