//! Compare: the gateway's payments and ours, page by page.
//!
//! Owns    what a listed payment is beside its attempt; what our ledger says was taken and the list does not have.
//! Always  a page is read before the rows it is about: an attempt is committed before its payment can be on the list. What a page led to
//!         is kept in one commit with the place after it, so whoever is interrupted goes on there: the list is newest first, and what was
//!         left out would be what is looked for. A difference is looked at once more before a person is told, as lists lag; what nobody
//!         can tell of stays as it was. What is of another shop or mode changes nothing.
//! Source  CHECKOUT.md 5.5.3; I16, I25.

use super::reconcile::DOUBT_SECONDS;
use super::{Till, refunds};
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::commerce::payment::{Attempt, AttemptState};
use crate::edge::app::App;
use crate::gateway::{Listed, Outcome, Page, RemotePayment, RemoteState};
use crate::store::StoreError;
use crate::store::comparisons::{Comparison, Leaf};
use crate::store::orphans::{DifferenceKind, Orphan, OrphanState, Reconciliation};

/// Attempts at once that the list does not have.
const MISSING_ROWS: u32 = 50;
/// A payment is opened after its attempt is written; clocks differ.
const CLOCKS_APART_SECONDS: i64 = 3600;

/// Which comparison is to be made, where none of its kind is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Since when.
    pub(super) since: Timestamp,
    /// Whether nobody pays before it is whole.
    pub(super) is_in_doubt: bool,
    /// Pages that are read at once.
    pub(super) pages: usize,
}

/// Compares on from where it stands. `None`: it is not whole yet, as the gateway did not tell or there is more than is read at once; it
/// is gone on with next time.
///
/// Errors: the store cannot be used.
pub(super) async fn compare(app: &App, till: &Till, wanted: Wanted) -> Result<Option<Comparison>, StoreError> {
    let (gateway, now) = (till.gateway.capabilities().name, app.clock.now());
    let mut under_way = match till.store.comparison(gateway).await? {
        Some(found) if found.is_in_doubt == wanted.is_in_doubt => found,
        // Another edge finds out what is lost, and that is the daily comparison as well.
        Some(found) if found.is_in_doubt && found.seen_at.plus_seconds(DOUBT_SECONDS) >= now => return Ok(None),
        _ => till.store.begin_comparison(gateway, wanted.since, wanted.is_in_doubt, now).await?,
    };
    let born_at = till.store.born_at(now).await?;
    for _ in 0..wanted.pages {
        if under_way.is_listed {
            break;
        }
        let Some((listed, next)) = page(till, &under_way).await? else { return Ok(None) };
        let mut leaf = Leaf { next, ..Leaf::default() };
        for listed in &listed {
            one(app, till, listed, born_at, &mut leaf).await?;
        }
        let Some(kept) = till.store.keep_leaf(gateway, &under_way, leaf, app.clock.now()).await? else { return Ok(None) };
        failpoint!("R2", kept.orphans > under_way.orphans);
        under_way = kept;
    }
    if !under_way.is_listed {
        let Comparison { since, compared, .. } = under_way;
        tracing::info!(
            since = since.0,
            compared,
            "the gateway has more payments than are compared at once; the next round goes on"
        );
        return Ok(None);
    }
    let Some(whole) = missing(app, till, under_way).await? else { return Ok(None) };
    let Comparison { since, begun_at, compared, orphans, different, .. } = whole;
    till.store.end_comparison(gateway, Reconciliation { since, at: begun_at, compared, orphans, different }).await?;
    till.look_at_watch().await?;
    tracing::info!(compared, orphans, different, "the gateway's payments and ours were held against each other");
    Ok(Some(whole))
}

/// The next page of the list; `None`: the gateway did not tell.
async fn page(till: &Till, under_way: &Comparison) -> Result<Option<Page<Listed>>, StoreError> {
    let after = Some(under_way.place.as_str()).filter(|place| !place.is_empty());
    let reason = match till.gateway.payments(under_way.since, after).await {
        Outcome::Done((_, Some(next))) if Some(next.as_str()) == after => "it goes on where it was".to_owned(),
        Outcome::Done(page) => return Ok(Some(page)),
        Outcome::Accepted => return Ok(None),
        Outcome::Rejected(reason) if after.is_some() => reason,
        Outcome::Rejected(reason) | Outcome::Unknown(reason) => {
            tracing::warn!(reason, "the gateway's payments could not be listed; the next round tries again");
            return Ok(None);
        }
    };
    tracing::error!(reason, "the gateway's list of payments does not go on; the next round begins anew");
    till.store.drop_comparison(till.gateway.capabilities().name).await?;
    Ok(None)
}

/// A listed payment beside its attempt.
async fn one(app: &App, till: &Till, listed: &Listed, born_at: Timestamp, leaf: &mut Leaf) -> Result<(), StoreError> {
    let payment = &listed.payment;
    let Some(mut orphan) = ours(app, till, payment, listed.made_at) else { return Ok(()) };
    leaf.compared += 1;
    let attempt = till.store.attempt(&orphan.checkout, orphan.number).await?;
    let own = attempt.filter(|attempt| attempt.reference.as_ref().is_none_or(|reference| *reference == payment.reference));
    let Some(attempt) = own else {
        // Whoever opens another file by mistake gives nobody's money back.
        if orphan.state == OrphanState::Found && listed.made_at < born_at {
            orphan.state = OrphanState::Review;
            orphan.reason = "it was opened before this database was: is this the right file?".to_owned();
        }
        leaf.found.push(orphan);
        return Ok(());
    };
    let is_taken = payment.state == RemoteState::Captured && payment.refunded_minor < payment.amount.minor;
    let has_money = is_taken || payment.state == RemoteState::Authorized;
    let mut is_moved = false;
    match attempt.state {
        AttemptState::Paid => paid(app, till, &attempt, payment, leaf).await?,
        AttemptState::Review => leaf.different += 1,
        // Where money is held first, it is taken by a commit of ours alone.
        AttemptState::IntentPending | AttemptState::AwaitingShopper | AttemptState::Authorized if has_money => {
            leaf.ahead += u32::from(payment.state == RemoteState::Captured && till.gateway.holds_first());
            is_moved = true;
        }
        AttemptState::Declined | AttemptState::Canceled if has_money => {
            leaf.different += 1;
            is_moved = true;
        }
        _ => {}
    }
    leaf.seen.push((attempt.id, is_moved));
    Ok(())
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

async fn paid(app: &App, till: &Till, attempt: &Attempt, listed: &RemotePayment, leaf: &mut Leaf) -> Result<(), StoreError> {
    match difference(app, till, attempt, Some(listed)).await? {
        // The list may be a little older than our rows; what is fetched now is not.
        Some(_) => look_again(app, till, attempt, &listed.reference, leaf).await,
        None => differs(app, till, attempt, None, leaf).await,
    }
}

/// Payments that our ledger says were taken, and that the list does not have; gives how it stands then.
async fn missing(app: &App, till: &Till, mut under_way: Comparison) -> Result<Option<Comparison>, StoreError> {
    let gateway = till.gateway.capabilities().name;
    let since = under_way.since.plus_seconds(CLOCKS_APART_SECONDS);
    loop {
        let attempts = till.store.not_compared(gateway, since, under_way.begun_at, MISSING_ROWS).await?;
        if attempts.is_empty() {
            return Ok(Some(under_way));
        }
        let mut leaf = Leaf::default();
        for attempt in attempts {
            leaf.compared += 1;
            let reference = attempt.reference.clone().unwrap_or_default();
            look_again(app, till, &attempt, &reference, &mut leaf).await?;
            leaf.seen.push((attempt.id, false));
        }
        match till.store.keep_leaf(gateway, &under_way, leaf, app.clock.now()).await? {
            Some(kept) => under_way = kept,
            None => return Ok(None),
        }
    }
}

/// What the gateway says of a payment now, whatever its list says.
async fn look_again(app: &App, till: &Till, attempt: &Attempt, reference: &str, leaf: &mut Leaf) -> Result<(), StoreError> {
    let found = match till.gateway.fetch(reference).await {
        Outcome::Done(payment) => difference(app, till, attempt, Some(&payment)).await?,
        Outcome::Rejected(_) => difference(app, till, attempt, None).await?,
        Outcome::Accepted | Outcome::Unknown(_) => {
            // Nobody can tell: a difference that was found before stands.
            leaf.different += u32::from(till.store.has_difference(&attempt.id).await?);
            return Ok(());
        }
    };
    differs(app, till, attempt, found, leaf).await
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
    leaf: &mut Leaf,
) -> Result<(), StoreError> {
    leaf.looked_at.push(attempt.id.clone());
    let Some((kind, detail)) = found else { return Ok(()) };
    leaf.different += 1;
    if till.store.keep_difference(&attempt.id, kind, &detail, app.clock.now()).await? {
        tracing::error!(checkout = %attempt.checkout, attempt = attempt.number, detail, "the gateway and our ledger differ");
    }
    Ok(())
}
