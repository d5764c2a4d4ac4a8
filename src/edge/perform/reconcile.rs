//! Reconcile: the gateway's list of payments and ours, held against each other both ways.
//!
//! Owns    the daily comparison; the doubt whether this file is an older copy, and what is done before anybody pays while it lasts.
//! Always  the list is read before the rows: an attempt is committed before its payment can be on the list. What is of another shop or
//!         mode changes nothing. A difference is looked at once more before a person is told, as lists lag; what nobody can tell of stays
//!         as it was. One comparison is made at a time. A file that does not say when it was lived on last is not taken for a fresh one.
//! Limits  `MAX_PAGES` pages; `WINDOW_SECONDS` back.
//! Source  CHECKOUT.md 5.5.3; I16, I25.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use super::{Till, inbox, orphans, refunds};
use crate::commerce::ids::{AttemptId, CheckoutId, Timestamp};
use crate::commerce::payment::{Attempt, AttemptState, Operation, idempotency_key};
use crate::edge::app::App;
use crate::gateway::{Listed, Outcome, RemotePayment, RemoteState};
use crate::store::StoreError;
use crate::store::orphans::{DifferenceKind, OpenOrphans, Orphan, OrphanState, Reconciliation};
use crate::store::upkeep::Life;

/// What is listed: two days of payments, and a third as a page may stay open for a day before it is paid.
pub(super) const WINDOW_SECONDS: i64 = 3 * 24 * 3600;
/// Between two reconciliations.
const EVERY_SECONDS: i64 = 24 * 3600;
/// Pages that one reconciliation turns: of 50 payments each, more than any shop of this kind sells in three days.
const MAX_PAGES: usize = 400;
/// Between two signs of life.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(15);
/// A file whose last sign of life is older may be an older copy; a restart takes less.
const DOUBT_SECONDS: i64 = 120;
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
#[derive(Debug, Default)]
pub(super) struct Watch {
    doubt: AtomicU8,
    is_due: AtomicBool,
    /// Held while both sides are compared and what is found out is acted on.
    comparing: Mutex<()>,
    last: ArcSwapOption<Reconciliation>,
    orphans: ArcSwapOption<OpenOrphans>,
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

/// What a list and the rows differ in.
#[derive(Debug, Default)]
struct Findings {
    compared: u32,
    orphans: u32,
    different: u32,
    /// Payments that are further than our rows can have brought them: rows are lost.
    ahead: u32,
    seen: BTreeSet<String>,
    /// Attempts of which it is known now whether both sides are the same.
    looked_at: Vec<AttemptId>,
    /// Attempts whose money moved, to be looked at.
    moved: Vec<Attempt>,
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
    // A sign of life is written once the doubt is over: who is interrupted doubts again.
    if !till.is_in_doubt() {
        till.store.beat(false, now).await?;
    }
    till.look_at_watch().await
}

/// Compares, lets order numbers go on after a gap where rows are lost, and makes good what is missing. Then people may pay. Nothing where
/// there is no doubt, or where somebody compares just now; where the gateway does not answer the doubt stays, and the next round asks
/// again.
///
/// Errors: the store cannot be used.
pub async fn settle_doubt(app: &Arc<App>, till: &Arc<Till>) -> Result<(), StoreError> {
    let Ok(_alone) = till.watch.comparing.try_lock() else { return Ok(()) };
    if till.watch.is(Doubt::Open) {
        let (now, life) = (app.clock.now(), till.store.life().await?);
        let is_copy = life.is_some_and(|life| life.copied_at.is_some());
        let life = life.filter(|life| life.is_plausible(now));
        let since = lost_since(till, life, now).await?;
        let Some(findings) = compare(app, till, since).await? else { return Ok(()) };
        failpoint!("R1");
        // Those of a comparison that was interrupted are among them: no sign of life was written since.
        let seen_at = life.map_or(Timestamp(i64::MIN), |life| life.seen_at);
        let orphans = till.store.orphans_since(till.gateway.capabilities().name, seen_at).await?;
        let is_lost = is_copy || orphans > 0 || findings.ahead > 0;
        let gap = if is_lost { GAP + i64::from(findings.compared) } else { 0 };
        if is_lost {
            let compared = findings.compared;
            tracing::error!(compared, orphans, gap, "the database is older than the gateway; what it lacks is made good");
        }
        till.store.settle_copy(gap, now).await?;
        till.watch.set(Doubt::Settling);
        move_on(app, till, findings.moved).await?;
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
    let last = till.store.last_reconciliation(till.gateway.capabilities().name).await?;
    let is_due = last.is_none_or(|last| last.at.plus_seconds(EVERY_SECONDS) <= app.clock.now());
    if is_asked_for || is_due {
        let done = reconcile(app, till).await;
        if is_asked_for && !matches!(done, Ok(Some(_))) {
            till.watch.ask_for_comparison();
        }
        done?;
    }
    Ok(())
}

/// Holds both sides against each other and lets what moved go on; `None`: the gateway did not tell, has no list, or somebody compares just
/// now.
///
/// Errors: the store cannot be used.
pub async fn reconcile(app: &Arc<App>, till: &Arc<Till>) -> Result<Option<Reconciliation>, StoreError> {
    let Ok(_alone) = till.watch.comparing.try_lock() else { return Ok(None) };
    let since = app.clock.now().plus_seconds(-WINDOW_SECONDS);
    let Some(findings) = compare(app, till, since).await? else { return Ok(None) };
    move_on(app, till, findings.moved).await?;
    orphans::work(app, till).await?;
    till.store.last_reconciliation(till.gateway.capabilities().name).await
}

/// Attempts whose money moved have their turn.
async fn move_on(app: &App, till: &Till, moved: Vec<Attempt>) -> Result<(), StoreError> {
    for attempt in moved {
        match inbox::look_at(app, till, &attempt, Vec::new()).await? {
            Ok(_) => {}
            Err(reason) => tracing::warn!(checkout = %attempt.checkout, reason, "a payment is looked at again later"),
        }
    }
    Ok(())
}

async fn compare(app: &Arc<App>, till: &Arc<Till>, since: Timestamp) -> Result<Option<Findings>, StoreError> {
    let (gateway, at) = (till.gateway.capabilities().name, app.clock.now());
    if !till.gateway.capabilities().lists_payments {
        return Ok(None);
    }
    let Some((listed, is_whole)) = list(till, since).await else { return Ok(None) };
    let born_at = till.store.born_at(at).await?;
    let mut findings = Findings::default();
    let mut unknown = Vec::new();
    for listed in &listed {
        one(app, till, listed, born_at, &mut findings, &mut unknown).await?;
    }
    findings.orphans = u32::try_from(till.store.find_orphans(unknown).await?).unwrap_or(u32::MAX);
    failpoint!("R2", findings.orphans > 0);
    if is_whole {
        missing(app, till, since, &mut findings).await?;
    }
    let Findings { compared, orphans, different, .. } = findings;
    let done = Reconciliation { since, at, compared, orphans, different };
    till.store.keep_reconciliation(gateway, done, std::mem::take(&mut findings.looked_at)).await?;
    till.look_at_watch().await?;
    tracing::info!(compared, orphans, different, "the gateway's payments and ours were held against each other");
    Ok(Some(findings))
}

/// All that was opened since, and whether that is all.
async fn list(till: &Till, since: Timestamp) -> Option<(Vec<Listed>, bool)> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    for _ in 0..MAX_PAGES {
        match till.gateway.payments(since, after.as_deref()).await {
            Outcome::Done((mut page, next)) => {
                all.append(&mut page);
                after = next;
            }
            Outcome::Accepted => return None,
            Outcome::Rejected(reason) | Outcome::Unknown(reason) => {
                tracing::warn!(reason, "the gateway's payments could not be listed; the next round tries again");
                return None;
            }
        }
        if after.is_none() {
            return Some((all, true));
        }
    }
    tracing::error!(since = since.0, "the gateway has more payments than are listed at once; the oldest were not compared");
    Some((all, false))
}

/// A listed payment beside its attempt.
async fn one(
    app: &App,
    till: &Till,
    listed: &Listed,
    born_at: Timestamp,
    findings: &mut Findings,
    unknown: &mut Vec<Orphan>,
) -> Result<(), StoreError> {
    let payment = &listed.payment;
    let Some(mut orphan) = ours(app, till, payment, listed.made_at) else { return Ok(()) };
    findings.compared += 1;
    findings.seen.insert(payment.reference.clone());
    let attempt = till.store.attempt(&orphan.checkout, orphan.number).await?;
    let own = attempt.filter(|attempt| attempt.reference.as_ref().is_none_or(|reference| *reference == payment.reference));
    let Some(attempt) = own else {
        // Whoever opens another file by mistake gives nobody's money back.
        if orphan.state == OrphanState::Found && listed.made_at < born_at {
            orphan.state = OrphanState::Review;
            orphan.reason = "it was opened before this database was: is this the right file?".to_owned();
        }
        unknown.push(orphan);
        return Ok(());
    };
    let is_taken = payment.state == RemoteState::Captured && payment.refunded_minor < payment.amount.minor;
    let has_money = is_taken || payment.state == RemoteState::Authorized;
    match attempt.state {
        AttemptState::Paid => paid(app, till, &attempt, payment, findings).await,
        AttemptState::Review => {
            findings.different += 1;
            Ok(())
        }
        // Where money is held first, it is taken by a commit of ours alone.
        AttemptState::IntentPending | AttemptState::AwaitingShopper | AttemptState::Authorized if has_money => {
            findings.ahead += u32::from(payment.state == RemoteState::Captured && till.gateway.holds_first());
            findings.moved.push(attempt);
            Ok(())
        }
        AttemptState::Declined | AttemptState::Canceled if has_money => {
            findings.different += 1;
            findings.moved.push(attempt);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A payment that names this shop, and is of this gateway's mode; `None`: it is somebody else's.
pub(super) fn ours(app: &App, till: &Till, payment: &RemotePayment, made_at: Timestamp) -> Option<Orphan> {
    let known = till.gateway.capabilities();
    let meta = |name: &str| payment.metadata.get(name);
    let shop = app.live.load().bundle.shop_id.clone();
    if payment.live != known.live || *meta("shop")? != shop {
        return None;
    }
    let is_over = matches!(payment.state, RemoteState::Canceled | RemoteState::Declined)
        || payment.state == RemoteState::Captured && payment.refunded_minor >= payment.amount.minor;
    Some(Orphan {
        gateway: known.name.to_owned(),
        reference: payment.reference.clone(),
        shop,
        checkout: CheckoutId(meta("checkout")?.clone()),
        number: meta("attempt")?.parse().ok().filter(|number| *number > 0)?,
        quote_hash: meta("quote_hash")?.clone(),
        amount: payment.amount,
        standing: standing(payment.state).to_owned(),
        refunded_minor: payment.refunded_minor,
        // Nobody's money, but its number and keys are used up.
        state: if is_over { OrphanState::Returned } else { OrphanState::Found },
        reason: String::new(),
        made_at,
        found_at: app.clock.now(),
        tries: 0,
    })
}

/// Where a payment stands, for the record.
pub(super) fn standing(state: RemoteState) -> &'static str {
    match state {
        RemoteState::Open => "open",
        RemoteState::Processing => "processing",
        RemoteState::Declined => "declined",
        RemoteState::Authorized => "authorized",
        RemoteState::Captured => "captured",
        RemoteState::Canceled => "canceled",
    }
}

async fn paid(
    app: &App,
    till: &Till,
    attempt: &Attempt,
    listed: &RemotePayment,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    match difference(app, till, attempt, Some(listed)).await? {
        // The list may be a little older than our rows; what is fetched now is not.
        Some(_) => look_again(app, till, attempt, &listed.reference, findings).await,
        None => differs(app, till, attempt, None, findings).await,
    }
}

/// Payments that our ledger says were taken, and that the list does not have.
async fn missing(app: &App, till: &Till, since: Timestamp, findings: &mut Findings) -> Result<(), StoreError> {
    // A payment is opened after its attempt is written; clocks differ.
    for attempt in till.store.taken_since(till.gateway.capabilities().name, since.plus_seconds(3600)).await? {
        let Some(reference) = attempt.reference.as_ref().filter(|reference| !findings.seen.contains(*reference)) else {
            continue;
        };
        findings.compared += 1;
        look_again(app, till, &attempt, reference, findings).await?;
    }
    Ok(())
}

/// What the gateway says of a payment now, whatever its list says.
async fn look_again(
    app: &App,
    till: &Till,
    attempt: &Attempt,
    reference: &str,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let found = match till.gateway.fetch(reference).await {
        Outcome::Done(payment) => difference(app, till, attempt, Some(&payment)).await?,
        Outcome::Rejected(_) => difference(app, till, attempt, None).await?,
        Outcome::Accepted | Outcome::Unknown(_) => {
            // Nobody can tell: a difference that was found before stands.
            findings.different += u32::from(till.store.has_difference(&attempt.id).await?);
            return Ok(());
        }
    };
    differs(app, till, attempt, found, findings).await
}

/// What is not the same of a payment that is paid here, for people.
async fn difference(
    app: &App,
    till: &Till,
    attempt: &Attempt,
    payment: Option<&RemotePayment>,
) -> Result<Option<(DifferenceKind, String)>, StoreError> {
    let told = |kind, detail: String| Ok(Some((kind, detail)));
    match payment {
        None => told(DifferenceKind::Missing, "our ledger says that it was taken; the gateway does not know it".to_owned()),
        Some(payment) if payment.state != RemoteState::Captured => {
            let state = standing(payment.state);
            told(DifferenceKind::Missing, format!("our ledger says that it was taken; at the gateway it is {state}"))
        }
        Some(payment) if payment.amount != attempt.amount => {
            let (theirs, ours) = (payment.amount, attempt.amount);
            told(DifferenceKind::Amount, format!("the gateway took {theirs}; our ledger says {ours}"))
        }
        Some(payment) => {
            let (theirs, now) = (payment.refunded_minor, app.clock.now());
            let (ours, fits) = refunds::compare(till, attempt, &payment.reference, theirs, now).await?;
            if fits {
                return Ok(None);
            }
            let money = |minor| crate::commerce::money::Money::new(minor, attempt.amount.currency);
            let (theirs, ours) = (money(payment.refunded_minor), money(ours));
            told(DifferenceKind::Refunded, format!("the gateway gave {theirs} back; our ledger says {ours}"))
        }
    }
}

async fn differs(
    app: &App,
    till: &Till,
    attempt: &Attempt,
    found: Option<(DifferenceKind, String)>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    findings.looked_at.push(attempt.id.clone());
    let Some((kind, detail)) = found else { return Ok(()) };
    findings.different += 1;
    if till.store.keep_difference(&attempt.id, kind, &detail, app.clock.now()).await? {
        tracing::error!(checkout = %attempt.checkout, attempt = attempt.number, detail, "the gateway and our ledger differ");
    }
    Ok(())
}

/// A payment that an event names and no attempt is of: it is found by its key, and is an orphan from now on.
///
/// `Ok(false)`: nobody could tell, and it is asked for again.
pub(super) async fn heard_of(app: &App, till: &Till, checkout: &CheckoutId, number: u32) -> Result<bool, StoreError> {
    let (now, shop) = (app.clock.now(), app.live.load().bundle.shop_id.clone());
    let key = idempotency_key(&shop, checkout, Operation::Create, number);
    match till.gateway.lookup(&key, now.plus_seconds(-WINDOW_SECONDS)).await {
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
