//! Reconcile: the gateway's list of payments and ours, held against each other both ways.
//!
//! Owns    the daily comparison; the doubt whether this file is an older copy, and what is done before anybody pays while it lasts.
//! Always  a doubt ends and a comparison counts once the list was read to its end, however many rounds and restarts that takes. One
//!         comparison is made at a time. A file that does not say when it was lived on last is not taken for a fresh one.
//! Limits  `PAGES` pages at once, then the next round goes on; `WINDOW_SECONDS` back.
//! Source  CHECKOUT.md 5.5.3; I16, I25.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::compare::{Wanted, compare, ours};
use super::{Till, disputes, inbox, orphans};
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::commerce::payment::{Operation, idempotency_key};
use crate::edge::app::App;
use crate::gateway::{Outcome, Span};
use crate::store::StoreError;
use crate::store::orphans::{OpenOrphans, OrphanState, Reconciliation};
use crate::store::upkeep::Life;

/// What is listed: two days of payments, and a third as a page may stay open for a day before it is paid.
pub(super) const WINDOW_SECONDS: i64 = 3 * 24 * 3600;
/// Between two reconciliations.
const EVERY_SECONDS: i64 = 24 * 3600;
/// Pages that are compared at once, of 50 payments each.
const PAGES: usize = 400;
/// Attempts at once that have their turn.
const MOVED_ROWS: u32 = 50;
/// Between two signs of life.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(15);
/// A file whose last sign of life is older may be an older copy; a restart takes less.
pub(super) const DOUBT_SECONDS: i64 = 120;
/// Clocks differ, and what is under way at a copy's instant is on both sides.
const OVERLAP_SECONDS: i64 = 3600;
/// Order numbers that are left out beside those of payments: orders over nothing leave no trace at a gateway.
const GAP: i64 = 1000;

/// Whether this file may be an older copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// It was compared, and what it lacks is being made good: nobody begins to pay.
    Settling,
    /// Nobody knows: no payment moves on either, as order numbers may be given already.
    Open,
}

/// What is known of both sides agreeing.
#[derive(Debug)]
pub(super) struct Watch {
    doubt: AtomicU8,
    is_due: AtomicBool,
    pages: AtomicUsize,
    /// Held while both sides are compared and what is found out is acted on.
    comparing: Mutex<()>,
    last: ArcSwapOption<Reconciliation>,
    orphans: ArcSwapOption<OpenOrphans>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            doubt: AtomicU8::default(),
            is_due: AtomicBool::default(),
            pages: AtomicUsize::new(PAGES),
            comparing: Mutex::default(),
            last: ArcSwapOption::default(),
            orphans: ArcSwapOption::default(),
        }
    }
}

impl Watch {
    fn set(&self, doubt: Doubt) {
        self.doubt.store(doubt as u8, Ordering::Release);
    }

    fn is(&self, doubt: Doubt) -> bool {
        self.doubt.load(Ordering::Acquire) == doubt as u8
    }

    /// Whether no payment moves on: what is found out is not written yet.
    pub(super) fn holds_still(&self) -> bool {
        self.is(Doubt::Open)
    }

    /// Has both sides compared in the next round.
    fn ask_for_comparison(&self) {
        self.is_due.store(true, Ordering::Release);
    }
}

impl Till {
    /// Whether nobody may pay yet: this file may be an older copy, and what it lacks was not made good so far.
    pub fn is_in_doubt(&self) -> bool {
        !self.watch.is(Doubt::None)
    }

    /// Has the gateway asked before anybody pays, whatever the file says of itself. Before [`super::rounds::recover`].
    pub fn doubt(&self) {
        self.watch.set(Doubt::Open);
    }

    /// Compares at most so many pages at once, from now on.
    pub fn compare_at_once(&self, pages: usize) {
        self.watch.pages.store(pages, Ordering::Release);
    }

    /// The last reconciliation that is known, and orphans that are not over.
    pub fn reconciled(&self) -> (Option<Reconciliation>, OpenOrphans) {
        let orphans = self.watch.orphans.load().as_deref().copied();
        (self.watch.last.load().as_deref().copied(), orphans.unwrap_or_default())
    }

    /// Reads what `/readyz` and `/metrics` tell.
    pub(super) async fn look_at_watch(&self) -> Result<(), StoreError> {
        let (last, orphans) = self.store.agreement(self.gateway.capabilities().name).await?;
        self.watch.last.store(last.map(Arc::new));
        self.watch.orphans.store(Some(Arc::new(orphans)));
        Ok(())
    }
}

/// Whether this file may be an older copy: it says so itself, nobody lived on it for a while, or it does not say when anybody did or what
/// cannot be. Then nobody pays before [`settle_doubt`] has come to its end.
///
/// Errors: the store cannot be read or written.
pub(super) async fn begin(app: &App, till: &Till) -> Result<(), StoreError> {
    let (now, life) = (app.clock.now(), till.store.life().await?);
    let is_copy = life.is_some_and(|life| life.copied_at.is_some());
    let is_recent = |life: Life| life.is_plausible(now) && life.seen_at.plus_seconds(DOUBT_SECONDS) >= now;
    let is_old = is_copy || !life.is_some_and(is_recent);
    match till.gateway.capabilities().lists_payments {
        true if is_old => till.doubt(),
        true => {}
        false => {
            till.watch.set(Doubt::None);
            if is_copy {
                tracing::error!("the database is a copy, and this gateway lists no payments: look there for those it lacks");
                till.store.settle_copy(GAP, now).await?;
            }
        }
    }
    if life.is_some_and(|life| !life.is_stopped) {
        till.watch.ask_for_comparison();
    }
    forget_stale(till, life, now).await?;
    // A sign of life is written once the doubt is over: who is interrupted doubts again.
    if !till.is_in_doubt() {
        till.store.beat(false, now).await?;
    }
    till.look_at_watch().await
}

/// A comparison that was under way goes on where that was a moment ago and in this very file. One that is of before a copy was made knows
/// nothing of what came after.
async fn forget_stale(till: &Till, life: Option<Life>, now: Timestamp) -> Result<(), StoreError> {
    let gateway = till.gateway.capabilities().name;
    let Some(under_way) = till.store.comparison(gateway).await? else { return Ok(()) };
    let is_recent = under_way.seen_at <= now && under_way.seen_at.plus_seconds(DOUBT_SECONDS) >= now;
    let copied_at = life.and_then(|life| life.copied_at);
    match is_recent && copied_at.is_none_or(|copied_at| copied_at < under_way.begun_at) {
        true => Ok(()),
        false => till.store.drop_comparison(gateway).await,
    }
}

/// Compares, lets order numbers go on after a gap where rows are lost, and makes good what is missing. Then people may pay. Nothing where
/// there is no doubt, or where somebody compares just now; where the gateway does not answer, or has more than is compared at once, the doubt
/// stays, and the next round goes on.
///
/// Errors: the store cannot be used.
pub async fn settle_doubt(app: &Arc<App>, till: &Arc<Till>) -> Result<(), StoreError> {
    let Ok(_alone) = till.watch.comparing.try_lock() else { return Ok(()) };
    if till.watch.is(Doubt::Open) {
        let (now, life) = (app.clock.now(), till.store.life().await?);
        let is_copy = life.is_some_and(|life| life.copied_at.is_some());
        let life = life.filter(|life| life.is_plausible(now));
        let since = lost_since(till, life, now).await?;
        let wanted = Wanted { since, is_in_doubt: true, pages: till.watch.pages.load(Ordering::Acquire) };
        let Some(whole) = compare(app, till, wanted).await? else { return Ok(()) };
        failpoint!("R1");
        // Those of a comparison that was interrupted are among them: no sign of life was written since.
        let seen_at = life.map_or(Timestamp(i64::MIN), |life| life.seen_at);
        let orphans = till.store.orphans_since(till.gateway.capabilities().name, seen_at).await?;
        let is_lost = is_copy || orphans > 0 || whole.ahead > 0;
        let gap = if is_lost { GAP + i64::from(whole.compared) } else { 0 };
        if is_lost {
            let compared = whole.compared;
            tracing::error!(compared, orphans, gap, "the database is older than the gateway; what it lacks is made good");
        }
        till.store.settle_copy(gap, now).await?;
        till.watch.set(Doubt::Settling);
        move_on(app, till).await?;
    }
    if till.watch.is(Doubt::Settling) {
        orphans::work(app, till).await?;
        till.store.beat(false, app.clock.now()).await?;
        till.watch.set(Doubt::None);
        till.watch.ask_for_comparison();
    }
    Ok(())
}

/// Since when payments may be lost: what is lost came after the last that is known, however long ago that was. The rest is compared while
/// people pay. `life`: what can be believed of it.
async fn lost_since(till: &Till, life: Option<Life>, now: Timestamp) -> Result<Timestamp, StoreError> {
    let window = now.plus_seconds(-WINDOW_SECONDS);
    let Some(life) = life else {
        let newest = till.store.newest_attempt_at().await?;
        return Ok(newest.map_or(window, |newest| newest.plus_seconds(-OVERLAP_SECONDS).min(window)));
    };
    let last = life.copied_at.unwrap_or(life.seen_at).min(life.seen_at);
    let is_old = life.copied_at.is_some() || last.plus_seconds(DOUBT_SECONDS) < now;
    Ok(if is_old { last.plus_seconds(-OVERLAP_SECONDS) } else { window })
}

/// The daily comparison, where it is due or was asked for. What was asked for is asked for until it was done.
///
/// Errors: the store cannot be used.
pub async fn when_due(app: &Arc<App>, till: &Arc<Till>) -> Result<(), StoreError> {
    if till.is_in_doubt() || !till.gateway.capabilities().lists_payments {
        return Ok(());
    }
    let is_asked_for = till.watch.is_due.swap(false, Ordering::AcqRel);
    let gateway = till.gateway.capabilities().name;
    let last = till.store.last_reconciliation(gateway).await?;
    let is_due = last.is_none_or(|last| last.at.plus_seconds(EVERY_SECONDS) <= app.clock.now());
    let is_under_way = till.store.comparison(gateway).await?.is_some();
    if is_asked_for || is_due || is_under_way {
        let done = reconcile(app, till).await;
        // One that began before it was asked for may be past what it was asked for; one that could not begin is still to be made.
        let has_begun = matches!(done, Ok(Some(_))) || matches!(till.store.comparison(gateway).await, Ok(Some(_)));
        if is_asked_for && (is_under_way || !has_begun) {
            till.watch.ask_for_comparison();
        }
        done?;
    }
    Ok(())
}

/// Holds both sides against each other and lets what moved go on; `None`: the gateway did not tell, has no list or more than is compared
/// at once, or somebody compares just now.
///
/// Errors: the store cannot be used.
pub async fn reconcile(app: &Arc<App>, till: &Arc<Till>) -> Result<Option<Reconciliation>, StoreError> {
    if till.watch.holds_still() || !till.gateway.capabilities().lists_payments {
        return Ok(None);
    }
    let Ok(_alone) = till.watch.comparing.try_lock() else { return Ok(None) };
    let since = app.clock.now().plus_seconds(-WINDOW_SECONDS);
    let wanted = Wanted { since, is_in_doubt: false, pages: till.watch.pages.load(Ordering::Acquire) };
    if compare(app, till, wanted).await?.is_none() {
        return Ok(None);
    }
    move_on(app, till).await?;
    orphans::work(app, till).await?;
    disputes::compare(app, till).await?;
    till.store.last_reconciliation(till.gateway.capabilities().name).await
}

/// Attempts whose money moved have their turn.
async fn move_on(app: &App, till: &Till) -> Result<(), StoreError> {
    loop {
        let moved = till.store.moved_attempts(MOVED_ROWS).await?;
        if moved.is_empty() {
            return Ok(());
        }
        for attempt in &moved {
            match inbox::look_at(app, till, attempt, Vec::new()).await? {
                Ok(_) => {}
                Err(reason) => tracing::warn!(checkout = %attempt.checkout, reason, "a payment is looked at again later"),
            }
        }
        till.store.attempts_moved_on(moved.into_iter().map(|attempt| attempt.id).collect()).await?;
    }
}

/// A payment that an event names and no attempt is of: it is found by its key, and is an orphan from now on.
///
/// `Ok(false)`: nobody could tell, and it is asked for again.
pub(super) async fn heard_of(app: &App, till: &Till, checkout: &CheckoutId, number: u32) -> Result<bool, StoreError> {
    let (now, shop) = (app.clock.now(), app.live.load().bundle.shop_id.clone());
    let key = idempotency_key(&shop, checkout, Operation::Create, number);
    match till.gateway.lookup(&key, Span::from(now.plus_seconds(-WINDOW_SECONDS))).await {
        Outcome::Done(Some(payment)) => {
            // It may be as old as the look-up goes back. Where that may be older than this database, a list tells.
            let Some(orphan) = ours(app, till, &payment, now) else { return Ok(true) };
            let born_at = till.store.born_at(now).await?;
            match born_at.plus_seconds(WINDOW_SECONDS) <= now || orphan.state != OrphanState::Found {
                true => drop(till.store.find_orphans(vec![orphan]).await?),
                false => till.watch.ask_for_comparison(),
            }
            Ok(true)
        }
        Outcome::Done(None) => Ok(true),
        Outcome::Accepted | Outcome::Rejected(_) | Outcome::Unknown(_) => Ok(false),
    }
}

/// A sign of life; a doubt that could not be settled at the start is tried again.
pub async fn beat(app: &Arc<App>, till: &Arc<Till>) {
    let beaten = match till.is_in_doubt() {
        true => settle_doubt(app, till).await,
        false => till.store.beat(false, app.clock.now()).await,
    };
    if let Err(error) = beaten {
        tracing::warn!(%error, "no sign of life could be written; the next round tries again");
    }
}

/// What orphans need.
pub(super) async fn round(app: &Arc<App>, till: &Arc<Till>) {
    if let Err(error) = orphans::work(app, till).await {
        tracing::warn!(%error, "orphans could not be looked after; the next round tries again");
    }
}
