//! Rounds: what is done without being asked, at the start and then for ever.
//!
//! Owns    recovery at the start, the look at stock each second, the sweep over payments nobody came back for, the workers of the outbox
//!         and of subscribers, and the mails to the merchant.
//! Always  each goes its own round: one that waits for a gateway or a mail server keeps no other waiting. What fails in a round is told
//!         and the next one tries again; nothing here decides, it only lets a checkout have its turn.
//! Source  CHECKOUT.md 5.5.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::line::Pace;
use super::sighting::{self, Sighting};
use super::{Till, Wish, inbox, letters, orphans, outbox, reconcile, refunds, subscribers};
use crate::commerce::ids::Timestamp;
use crate::commerce::payment::{Attempt, AttemptState};
use crate::edge::app::App;
use crate::store::watch::Reach;
use crate::store::{Refusal, Share, StoreError};

/// Between two looks at stock and outbox.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// An attempt that did not change for so long is asked about.
const QUIET_SECONDS: i64 = 30;
/// Between two looks for events whose webhook never came.
const CATCH_UP_EVERY: Duration = Duration::from_secs(3600);
/// Between two looks whether the daily comparison is due.
const COMPARE_EVERY: Duration = Duration::from_secs(60);
/// Events are kept for 13 months: a dispute may come a year after the payment.
const EVENT_SECONDS: i64 = 400 * 24 * 3600;
/// Between two times of forgetting.
const REAP_EVERY: Duration = Duration::from_secs(3600);
/// A checkout that nobody tried to pay is kept for as long as the cart it is about.
const KEPT_SECONDS: i64 = crate::edge::cart_token::LIFE_SECONDS;
/// How long shoppers wait at the start for what a crash has left behind; the rest is finished while they are served.
const START_PATIENCE: Duration = Duration::from_millis(1500);

/// Finishes what a crash has left behind, before the first shopper is served where that is quick: leases of the dead are let go,
/// payments without an answer are sent again with the same key and bytes, held money is taken, what was promised is delivered.
///
/// Errors: the store cannot be used.
pub async fn recover(app: &Arc<App>, till: &Arc<Till>) -> Result<(), StoreError> {
    till.store.release_all_leases().await?;
    failpoint!("K36");
    // What happens from now on is told to whoever is new.
    subscribers::name(app, till).await?;
    reconcile::begin(app, till).await?;
    let (swept, delivered) = (app.clone(), app.clone());
    let (sweeper, deliverer) = (till.clone(), till.clone());
    let work = tokio::spawn(async move {
        if let Err(error) = reconcile::settle_doubt(&swept, &sweeper).await {
            tracing::warn!(%error, "the gateway's payments could not be compared; the next round tries again");
        }
        if sweeper.reconciled().1.under_way > 0 {
            reconcile::round(&swept, &sweeper).await;
        }
        listen(&swept, &sweeper).await;
        sweep_within(&swept, &sweeper, swept.clock.now(), Reach::All).await;
        if let Err(error) = deliver(&delivered, &deliverer).await {
            tracing::warn!(%error, "the outbox could not be read; the next round tries again");
        }
        tell(&delivered, &deliverer).await;
    });
    if tokio::time::timeout(START_PATIENCE, work).await.is_err() {
        tracing::warn!("what an earlier run left behind takes longer to finish; it goes on beside the shoppers");
    }
    till.look_around().await;
    till.refresh_stock(app).await
}

/// Goes the rounds for as long as the runtime lives.
pub fn go(app: &Arc<App>, till: &Arc<Till>) {
    let (looked, looker) = (app.clone(), till.clone());
    tokio::spawn(every(LOOK_EVERY, move || {
        let (app, till) = (looked.clone(), looker.clone());
        async move {
            till.look_around().await;
            if let Err(error) = till.refresh_stock(&app).await {
                tracing::warn!(%error, "stock could not be looked at; the last look still holds");
            }
        }
    }));
    let (listening, listener) = (app.clone(), till.clone());
    tokio::spawn(every(Duration::ZERO, move || {
        let (app, till) = (listening.clone(), listener.clone());
        async move {
            match inbox::work(&app, &till).await {
                Ok(count) if count > 0 => return,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the inbox could not be read; the next round tries again"),
            }
            let _ = tokio::time::timeout(LOOK_EVERY, till.heard.notified()).await;
        }
    }));
    let (caught, catcher) = (app.clone(), till.clone());
    tokio::spawn(every(CATCH_UP_EVERY, move || {
        let (app, till) = (caught.clone(), catcher.clone());
        async move { catch_up(&app, &till).await }
    }));
    let (reaped, reaper) = (app.clone(), till.clone());
    tokio::spawn(every(REAP_EVERY, move || {
        let (app, till) = (reaped.clone(), reaper.clone());
        async move { reap(&app, &till).await }
    }));
    let (told, teller) = (app.clone(), till.clone());
    tokio::spawn(every(Duration::ZERO, move || {
        let (app, till) = (told.clone(), teller.clone());
        async move {
            subscribers::round(&app, &till).await;
            let woken = async {
                match &till.subscribers {
                    Some(subscribers) => subscribers.woken().await,
                    None => std::future::pending().await,
                }
            };
            let _ = tokio::time::timeout(LOOK_EVERY, woken).await;
        }
    }));
    let (swept, sweeper) = (app.clone(), till.clone());
    tokio::spawn(every(SWEEP_EVERY, move || {
        let (app, till) = (swept.clone(), sweeper.clone());
        async move { sweep(&app, &till, app.clock.now().plus_seconds(-QUIET_SECONDS)).await }
    }));
    go_reconciling(app, till);
    go_delivering(app, till, Share::Payments);
    go_delivering(app, till, Share::Mails);
    let (told, teller) = (app.clone(), till.clone());
    tokio::spawn(every(SWEEP_EVERY, move || {
        let (app, till) = (told.clone(), teller.clone());
        async move { tell(&app, &till).await }
    }));
}

/// Payments and mails each in a round of their own: a mail server that hangs keeps no money waiting.
fn go_delivering(app: &Arc<App>, till: &Arc<Till>, share: Share) {
    let (app, till) = (app.clone(), till.clone());
    tokio::spawn(every(Duration::ZERO, move || {
        let (app, till) = (app.clone(), till.clone());
        async move {
            match deliver_share(&app, &till, share).await {
                // There may be more than one taking's worth.
                Ok(count) if count > 0 => return,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the outbox could not be read; the next round tries again"),
            }
            match share {
                Share::Payments => {
                    let _ = tokio::time::timeout(LOOK_EVERY, till.due.notified()).await;
                    till.mails_due.notify_one();
                }
                Share::Mails => drop(tokio::time::timeout(LOOK_EVERY, till.mails_due.notified()).await),
            }
        }
    }));
}

/// Writes to the merchant about payments without an order and about systems that accept nothing, and to customers about refunds. Whoever
/// finds it being done leaves it.
pub async fn tell(app: &App, till: &Till) {
    let Ok(_alone) = till.post.telling.try_lock() else { return };
    for told in [orphans::tell(app, till).await, subscribers::tell(app, till).await, refunds::tell(app, till).await] {
        if let Err(error) = told {
            tracing::warn!(%error, "nobody could be told of what has to be looked at; the next round tries again");
        }
    }
}

/// Signs of life, orphans, and the daily comparison with the gateway.
fn go_reconciling(app: &Arc<App>, till: &Arc<Till>) {
    let (beaten, beater) = (app.clone(), till.clone());
    tokio::spawn(every(reconcile::BEAT_EVERY, move || {
        let (app, till) = (beaten.clone(), beater.clone());
        async move { reconcile::beat(&app, &till).await }
    }));
    let (found, finder) = (app.clone(), till.clone());
    tokio::spawn(every(SWEEP_EVERY, move || {
        let (app, till) = (found.clone(), finder.clone());
        async move { reconcile::round(&app, &till).await }
    }));
    let (compared, comparer) = (app.clone(), till.clone());
    tokio::spawn(every(COMPARE_EVERY, move || {
        let (app, till) = (compared.clone(), comparer.clone());
        async move {
            if let Err(error) = reconcile::when_due(&app, &till).await {
                tracing::warn!(%error, "the gateway's payments could not be compared; the next round tries again");
            }
        }
    }));
}

/// Asks for events whose webhook never came, and looks at what all that are due are about.
pub async fn listen(app: &Arc<App>, till: &Arc<Till>) {
    catch_up(app, till).await;
    if let Err(error) = inbox::work(app, till).await {
        tracing::warn!(%error, "the inbox could not be read; the next round tries again");
    }
}

async fn catch_up(app: &Arc<App>, till: &Arc<Till>) {
    match inbox::catch_up(app, till).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "events whose webhook had not come are kept now"),
        Err(error) => tracing::warn!(%error, "missed events could not be kept; the next round tries again"),
    }
}

/// Forgets old checkouts that nobody tried to pay, and old events and facts.
pub async fn reap(app: &App, till: &Till) {
    match till.store.reap_events(app.clock.now().plus_seconds(-EVENT_SECONDS)).await {
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "old events could not be forgotten; the next round tries again"),
    }
    if let Err(error) = subscribers::reap(till, app.clock.now().plus_seconds(-EVENT_SECONDS)).await {
        tracing::warn!(%error, "old facts could not be forgotten; the next round tries again");
    }
    loop {
        match till.store.reap_checkouts(app.clock.now().plus_seconds(-KEPT_SECONDS)).await {
            Ok(0) => return,
            Ok(count) => tracing::info!(count, "old checkouts that nobody tried to pay are forgotten"),
            Err(error) => {
                tracing::warn!(%error, "old checkouts could not be forgotten; the next round tries again");
                return;
            }
        }
    }
}

/// Does what commits have promised and is due, refunds among it; gives how many pieces of work were taken.
///
/// Errors: the outbox cannot be read.
pub async fn deliver(app: &Arc<App>, till: &Arc<Till>) -> Result<usize, StoreError> {
    Ok(deliver_share(app, till, Share::Payments).await? + deliver_share(app, till, Share::Mails).await?)
}

/// Refunds go with what moves money, letters with what is written to people.
async fn deliver_share(app: &Arc<App>, till: &Arc<Till>, share: Share) -> Result<usize, StoreError> {
    let count = outbox::deliver(app, till, share).await?;
    match share {
        Share::Payments => Ok(count + refunds::work(app, till).await?),
        Share::Mails => Ok(count + letters::deliver(app, till).await?),
    }
}

/// Goes a round again and again, with a pause between two. A round that panics is told, and the next one is gone.
async fn every<F: Future<Output = ()> + Send + 'static>(pause: Duration, round: impl Fn() -> F) {
    loop {
        if let Err(error) = tokio::spawn(round()).await {
            tracing::error!(%error, "a round broke off");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Lets live attempts that did not change since `quiet_since` have their turn once they are due, calls those off whose time is over,
/// and frees what nobody pays for any more. What fails for one checkout keeps no other waiting.
pub async fn sweep(app: &Arc<App>, till: &Arc<Till>, quiet_since: Timestamp) {
    // Where the gateway was down for long, all who wait for it are asked about as soon as it answers again.
    let reach = match till.gateway.pace(&app.clock) {
        Pace::Calm => Reach::Due,
        Pace::Probing => Reach::DueAndOldest,
        Pace::CatchingUp => Reach::All,
    };
    sweep_within(app, till, quiet_since, reach).await;
}

async fn sweep_within(app: &Arc<App>, till: &Arc<Till>, quiet_since: Timestamp, reach: Reach) {
    let now = app.clock.now();
    let mut has_looked = !till.gateway.finds_by_list();
    loop {
        match till.store.sweep_attempts(quiet_since, now, reach).await {
            Ok(attempts) if attempts.is_empty() => break,
            Ok(attempts) => {
                if !has_looked && sighting::is_worth_it(&attempts, now) {
                    has_looked = true;
                    look_for_unanswered(app, till).await;
                }
                take_turns(app, till, attempts).await;
            }
            Err(error) => {
                tracing::warn!(%error, "payments could not be swept; the next round tries again");
                break;
            }
        }
        if reach != Reach::All {
            break;
        }
    }
    till.gateway.see(None);
    if let Err(error) = till.store.release_expired(app.clock.now()).await {
        tracing::warn!(%error, "held units could not be freed; the next round tries again");
    }
}

/// Reads the gateway's list once for all whose opening call nobody answered, be they in this sweep or not.
async fn look_for_unanswered(app: &App, till: &Till) {
    let began_at = app.clock.now();
    match till.store.unanswered(till.gateway.capabilities().name).await {
        Ok(waiting) => till.gateway.see(Sighting::read(&till.gateway, waiting, began_at).await),
        Err(error) => tracing::warn!(%error, "what waits for an answer could not be read; each is looked up by itself"),
    }
}

async fn take_turns(app: &Arc<App>, till: &Arc<Till>, attempts: Vec<Attempt>) {
    let mut turns = JoinSet::new();
    for attempt in attempts {
        let place = till.sweep_places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (app, till) = (app.clone(), till.clone());
        turns.spawn(async move {
            if let Err(error) = look_after(&app, &till, &attempt).await {
                tracing::error!(%error, checkout = %attempt.checkout, "a payment could not be looked after");
            }
            drop(place);
        });
    }
    while turns.join_next().await.is_some() {}
}

async fn look_after(app: &App, till: &Till, attempt: &Attempt) -> Result<(), StoreError> {
    let turned = till.turn(app, &attempt.checkout, Wish::GoOn).await?;
    let now = app.clock.now();
    let still = turned.and_then(|turned| turned.checkout.attempt).filter(|newest| newest.id == attempt.id);
    if !still.is_some_and(|still| still.state == AttemptState::AwaitingShopper && still.deadline_at <= now) {
        return Ok(());
    }
    match till.store.promise_cancel(&attempt.id, now).await {
        // It was paid in this very moment.
        Ok(()) | Err(StoreError::Refused(Refusal::WrongState)) => {}
        Err(error) => return Err(error),
    }
    till.due.notify_one();
    Ok(())
}
