//! Orphans: a payment that nobody here knows of gets its order, or its money goes back.
//!
//! Owns    what is done about each, from the gateway's word alone, and the mail to the merchant about it, which has a round of its own.
//! Always  the gateway is asked first, each time; what is sent is committed before; an answer that is lost is looked up by the next try. A
//!         payment that an attempt is of is left alone, and so is one that a person has to look at. While another payment of its cart is
//!         under way it waits: should that one fail, this one is the order's.
//! Limits  `CLAIM_ROWS` at a time, each for `CLAIM_SECONDS`; `TRIES` refusals, then a person.
//! Source  CHECKOUT.md 5.1 (Orphan → Voiding | Refunding), I6, I25, L1.
#![deny(clippy::wildcard_enum_match_arm, clippy::let_underscore_must_use)]

use std::sync::Arc;

use super::{Till, Wish, compare, mail};
use crate::commerce::ids::{AttemptId, OrderId, Timestamp};
use crate::commerce::inventory::stock_needs;
use crate::commerce::money::Money;
use crate::commerce::payment::{Attempt, AttemptState, Operation, idempotency_key, orphan_key};
use crate::commerce::refund::RefundStanding;
use crate::edge::app::App;
use crate::gateway::{Outcome, RemotePayment, RemoteState};
use crate::store::orphans::{Orphan, OrphanState, Standing};
use crate::store::{BeginPayment, Opened, Refusal, StoreError};

/// Rows taken at once.
const CLAIM_ROWS: u32 = 16;
/// Seconds after which an orphan whose worker died is due again.
const CLAIM_SECONDS: i64 = 60;
/// Refusals of the gateway after which a person has to look.
const TRIES: u32 = 8;
/// An orphan that is not over after so long is told of even so.
const LATE_SECONDS: i64 = 600;

/// How a try ended.
enum Done {
    /// With this.
    Yes(Standing),
    /// It is an attempt now, and whoever looks after those goes on.
    Attempt,
    /// It is tried again.
    Later(String),
}

/// Does what is due when it begins; gives how many were taken. What is put off meanwhile is for a later round.
///
/// Errors: the store cannot be used.
pub async fn work(app: &Arc<App>, till: &Arc<Till>) -> Result<usize, StoreError> {
    // Nobody's money moves before all that is lost is known.
    if till.watch.holds_still() {
        return Ok(0);
    }
    let (mut count, due_at) = (0, app.clock.now());
    loop {
        let until = app.clock.now().plus_seconds(CLAIM_SECONDS);
        let claimed = till.store.claim_orphans(CLAIM_ROWS, due_at, until).await?;
        if claimed.is_empty() {
            break;
        }
        count += claimed.len();
        // One after the other: payments of the same cart are adopted in the order they were made.
        for orphan in claimed {
            let reference = orphan.reference.clone();
            if let Err(error) = one(app, till, orphan).await {
                tracing::error!(%error, reference, "a payment that no order is of could not be looked after; it is due again later");
            }
        }
    }
    till.look_at_watch().await?;
    Ok(count)
}

async fn one(app: &App, till: &Till, mut orphan: Orphan) -> Result<(), StoreError> {
    let done = looked_after(app, till, &mut orphan).await?;
    failpoint!("R5");
    let now = app.clock.now();
    match done {
        Done::Yes(standing) => {
            let (reference, state) = (&orphan.reference, standing.state.name());
            tracing::error!(reference, checkout = %orphan.checkout, state, reason = standing.reason, "a payment that no order is of");
            till.store.settle_orphan(&orphan, standing, now).await
        }
        Done::Attempt => {
            till.due.notify_one();
            Ok(())
        }
        Done::Later(reason) => {
            tracing::warn!(reference = orphan.reference, reason, "a payment that no order is of is put off");
            till.store.retry_orphan(&orphan, &reason, now).await
        }
    }
}

async fn looked_after(app: &App, till: &Till, orphan: &mut Orphan) -> Result<Done, StoreError> {
    let payment = match till.gateway.fetch(&orphan.reference).await {
        Outcome::Done(payment) => payment,
        Outcome::Rejected(reason) => return Ok(refused(orphan, &reason)),
        Outcome::Accepted | Outcome::Unknown(_) => return Ok(Done::Later("nobody could tell where it stands".to_owned())),
    };
    // The mode, the shop, the names on it: it is asked again by whoever moves money.
    if compare::ours(app, till, &payment, orphan.made_at).is_none_or(|seen| seen.checkout != orphan.checkout) {
        return Ok(Done::Yes(ended(&payment, OrphanState::Review, "what is written on it has changed")));
    }
    // Money that was taken is not untaken: it is an older state that is shown.
    if orphan.state == OrphanState::Found
        && orphan.standing == compare::standing(RemoteState::Captured)
        && payment.state != RemoteState::Captured
    {
        return Ok(Done::Later("the gateway does not show that it was taken".to_owned()));
    }
    if payment.state == RemoteState::Processing {
        return Ok(Done::Later("the bank has not said yet how it ends".to_owned()));
    }
    if orphan.state == OrphanState::Found && !is_over(&payment) && payment.refunded_minor == 0 {
        match adopted(app, till, orphan, &payment).await? {
            Ok(()) => return Ok(Done::Attempt),
            Err(refusal) => orphan.reason = format!("it has no order here: {refusal}"),
        }
    }
    returned(app, till, orphan, &payment).await
}

/// A payment whose own attempt can make it no order's, as it is looked after from now on.
pub(super) fn disowned(attempt: &Attempt, reference: &str, shop: &str, reason: &str, now: Timestamp) -> Orphan {
    Orphan {
        gateway: attempt.gateway.clone(),
        reference: reference.to_owned(),
        shop: shop.to_owned(),
        checkout: attempt.checkout.clone(),
        number: attempt.number,
        quote_hash: attempt.quote_hash.clone(),
        amount: attempt.amount,
        standing: compare::standing(RemoteState::Captured).to_owned(),
        // What of it went back is asked before anything is done.
        refunded_minor: 0,
        state: OrphanState::Found,
        reason: reason.to_owned(),
        made_at: attempt.created_at,
        found_at: now,
        tries: 0,
    }
}

/// Whether nothing of it is held, kept or can be paid.
fn is_over(payment: &RemotePayment) -> bool {
    match payment.state {
        RemoteState::Canceled | RemoteState::Declined => true,
        RemoteState::Captured => payment.refunded_minor >= payment.amount.minor,
        RemoteState::Open | RemoteState::Processing | RemoteState::Authorized => false,
    }
}

fn ended(payment: &RemotePayment, state: OrphanState, reason: &str) -> Standing {
    Standing {
        standing: compare::standing(payment.state).to_owned(),
        refunded_minor: payment.refunded_minor,
        state,
        reason: reason.to_owned(),
    }
}

fn refused(orphan: &Orphan, reason: &str) -> Done {
    if orphan.tries < TRIES {
        return Done::Later(reason.to_owned());
    }
    Done::Yes(Standing {
        standing: orphan.standing.clone(),
        refunded_minor: orphan.refunded_minor,
        state: OrphanState::Review,
        reason: format!("the gateway refuses: {reason}"),
    })
}

/// Makes it an attempt of the checkout it names, for exactly the quote it was opened for, and has its turn. A refusal leaves all as it was.
async fn adopted(app: &App, till: &Till, orphan: &Orphan, payment: &RemotePayment) -> Result<Result<(), Refusal>, StoreError> {
    let Some(checkout) = till.store.checkout(&orphan.checkout).await? else { return Ok(Err(Refusal::NotFound)) };
    // What is under way for the same cart may be over at the gateway.
    if checkout.attempt.as_ref().is_some_and(|attempt| attempt.state.is_live()) {
        drop(till.turn(app, &checkout.id, Wish::GoOn).await?);
    }
    let quote = till.store.quote_by_hash(&orphan.checkout, &orphan.quote_hash).await?;
    let Some(quote) = quote.filter(|quote| quote.is_intact() && quote.total() == payment.amount) else {
        return Ok(Err(Refusal::NotFound));
    };
    let (now, live) = (app.clock.now(), app.live.load_full());
    let deadline_at = now.plus_seconds(till.gateway.capabilities().open_seconds(live.bundle.rules.reservation_seconds));
    let attempt = Attempt {
        id: AttemptId(super::new_id()),
        checkout: orphan.checkout.clone(),
        number: orphan.number,
        quote: quote.id.clone(),
        quote_hash: quote.hash.clone(),
        amount: quote.total(),
        gateway: orphan.gateway.clone(),
        key: idempotency_key(&orphan.shop, &orphan.checkout, Operation::Create, orphan.number),
        // It was opened by bytes that are lost, and is never opened again.
        body: Vec::new(),
        state: AttemptState::IntentPending,
        reference: None,
        redirect_url: None,
        reason: None,
        card: None,
        created_at: now,
        changed_at: now,
        deadline_at,
        cancel_sent_at: None,
        void_asked_at: None,
    };
    let begin = BeginPayment {
        order: OrderId(super::new_id()),
        needs: stock_needs(&quote.priced.lines, &live.bundle.catalog),
        coupons: super::uses::needs(&live, &quote),
        customer: super::uses::customer(&app.keys, &quote),
        now,
        hold_until: deadline_at,
        attempt,
    };
    // She may still stand at its page, or come back for it.
    let opened = Opened { reference: orphan.reference.clone(), redirect_url: payment.redirect_url.clone() };
    match till.store.adopt_orphan(opened, begin).await {
        Ok(()) => {}
        Err(StoreError::Refused(refusal)) => return Ok(Err(refusal)),
        Err(error) => return Err(error),
    }
    failpoint!("R3");
    drop(till.turn(app, &orphan.checkout, Wish::Hear).await?);
    Ok(Ok(()))
}

/// Calls it off, or gives back what was taken.
async fn returned(app: &App, till: &Till, orphan: &Orphan, payment: &RemotePayment) -> Result<Done, StoreError> {
    if is_over(payment) {
        return Ok(Done::Yes(ended(payment, OrphanState::Returned, &orphan.reason)));
    }
    if payment.state == RemoteState::Open && !till.gateway.capabilities().can_cancel_open {
        return Ok(Done::Later("its page can still be paid, and this gateway calls none off".to_owned()));
    }
    let standing = compare::standing(payment.state);
    match till.store.begin_return(orphan, standing, payment.refunded_minor, app.clock.now()).await {
        Ok(true) => {}
        Ok(false) => return Ok(Done::Attempt),
        Err(StoreError::Refused(Refusal::AttemptLive)) => {
            return Ok(Done::Later("another payment of its cart is under way".to_owned()));
        }
        Err(error) => return Err(error),
    }
    failpoint!("R4");
    let Orphan { shop, reference, .. } = orphan;
    let said = match payment.state {
        RemoteState::Captured => {
            let left = Money::new(payment.amount.minor - payment.refunded_minor, payment.amount.currency);
            // By what went back before: the same wish has the same key, and what is left after another's refund is another wish.
            let key = format!("{}:{}", orphan_key(shop, reference, "refund"), payment.refunded_minor);
            // Under the same key the same refund is answered, be it that the bank has refused it since.
            if orphan.state == OrphanState::Returning
                && let Some(reason) = refused_by_bank(till, reference, &key).await
            {
                return Ok(Done::Yes(ended(payment, OrphanState::Review, &reason)));
            }
            till.gateway.refund(&key, reference, left).await
        }
        RemoteState::Open | RemoteState::Authorized => {
            till.gateway.cancel(&orphan_key(shop, reference, "cancel"), reference).await
        }
        RemoteState::Processing | RemoteState::Declined | RemoteState::Canceled => Outcome::Done(payment.clone()),
    };
    Ok(match said {
        Outcome::Done(after) if is_over(&after) => Done::Yes(ended(&after, OrphanState::Returned, &orphan.reason)),
        Outcome::Done(_) | Outcome::Accepted => Done::Later("it is on its way back".to_owned()),
        Outcome::Rejected(reason) => refused(orphan, &reason),
        Outcome::Unknown(reason) => Done::Later(reason),
    })
}

/// Why a refund that was taken on did not stay made; `None`: it is not known to have failed.
async fn refused_by_bank(till: &Till, reference: &str, key: &str) -> Option<String> {
    let Outcome::Done(told) = till.gateway.refunds(reference).await else { return None };
    let failed = told.into_iter().find(|one| one.key.as_deref() == Some(key) && one.standing == RefundStanding::Failed)?;
    let reason = failed.failure.unwrap_or_else(|| "no reason was told".to_owned());
    Some(format!("its refund came back from the bank ({reason}); pay the customer another way"))
}

/// Writes to the merchant about each that is over, that a person has to look at, or that takes long. What cannot be sent now is sent in a
/// later round.
///
/// Errors: the store cannot be used.
pub(super) async fn tell(app: &App, till: &Till) -> Result<(), StoreError> {
    let late_since = app.clock.now().plus_seconds(-LATE_SECONDS);
    for orphan in till.store.orphans_to_tell(CLAIM_ROWS, late_since).await? {
        let live = app.live.load_full();
        let sent = match mail::orphan(&live, &orphan) {
            Ok(letter) => till.send(&letter).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => till.store.orphan_told(&orphan, app.clock.now()).await?,
            Err(error) => {
                tracing::warn!(%error, reference = orphan.reference, "a mail about a payment could not be sent; the next round tries again");
                return Ok(());
            }
        }
    }
    Ok(())
}
