//! Inbox: what the gateway says is kept, then what it is about is looked at.
//!
//! Owns    which events are ours and which payment each is about; the worker that gives that payment a turn; the catch-up with events
//!         whose webhook never came.
//! Always  an event is a hint and never a fact; it is kept before it is acted on, and crossed off by the step it led to, or once there is
//!         nothing to do. Events may come twice, late and in any order.
//! Limits  CLAIM_ROWS at a time, each for CLAIM_SECONDS; a catch-up keeps a page at a time, and goes on where it was interrupted.
//! Source  CHECKOUT.md 5.4.

use std::sync::Arc;

use super::{Till, Turn, Wish, disputes, orphans, reconcile, refunds};
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::commerce::payment::{Attempt, AttemptState, Operation, idempotency_key};
use crate::edge::app::App;
use crate::gateway::event::{About, Event, NotHeard};
use crate::gateway::{Outcome, Page, RemoteState, Span};
use crate::store::comparisons::CatchUp;
use crate::store::event::{EventResult, InboxRow, NewEvent};
use crate::store::{Refusal, StoreError};

/// Rows taken at once.
const CLAIM_ROWS: u32 = 16;
/// Seconds after which an event whose worker died is due again; longer than a turn takes.
const CLAIM_SECONDS: i64 = 120;
/// A catch-up begins so long before the last one that was whole did: events come in any order.
const OVERLAP_SECONDS: i64 = 3600;
/// Where none was and no event is known yet, it begins so long ago: no payment was open for longer.
const FIRST_SECONDS: i64 = 24 * 3600;

/// Why a webhook was not taken.
#[derive(Debug)]
pub enum HookError {
    /// It is of a gateway that this shop has not.
    OtherGateway,
    /// It is not believed.
    NotHeard(NotHeard),
    /// It could not be kept; the gateway will send it again.
    Store(StoreError),
}

impl Till {
    /// Proves a webhook and keeps what it says. Once this is `Ok`, it is on disk.
    ///
    /// Errors: nothing was kept.
    pub async fn hear(&self, app: &App, gateway: &str, headers: &http::HeaderMap, body: &[u8]) -> Result<(), HookError> {
        if gateway != self.gateway.capabilities().name {
            return Err(HookError::OtherGateway);
        }
        let now = app.clock.now();
        let events = self.gateway.hear(headers, body, now).map_err(HookError::NotHeard)?;
        failpoint!("K17");
        if planted!("heard_before_kept") {
            return Ok(());
        }
        self.keep(app, events).await.map_err(HookError::Store)?;
        failpoint!("K18");
        Ok(())
    }

    pub(super) async fn keep(&self, app: &App, events: Vec<Event>) -> Result<usize, StoreError> {
        let count = self.store.keep_events(self.rows(app, events), app.clock.now()).await?;
        if count > 0 {
            self.heard.notify_one();
        }
        Ok(count)
    }

    fn rows(&self, app: &App, events: Vec<Event>) -> Vec<NewEvent> {
        let shop = app.live.load().bundle.shop_id.clone();
        let gateway = self.gateway.capabilities().name;
        let rows: Vec<NewEvent> = events.into_iter().map(|event| row(gateway, &shop, event)).collect();
        rows.iter().filter_map(|row| row.result).for_each(|result| self.metrics().event(result.name()));
        rows
    }
}

fn row(gateway: &str, shop: &str, event: Event) -> NewEvent {
    let (checkout, attempt, reference, of) = match event.about {
        About::Attempt { shop, checkout, number } => (Some(CheckoutId(checkout)), Some(number), None, Some(shop)),
        About::Reference(reference) => (None, None, Some(reference), None),
        About::Nothing => (None, None, None, None),
    };
    let is_foreign = (!event.is_ours || of.is_some_and(|of| of != shop)) && !planted!("foreign_is_heard");
    let is_about_nothing = checkout.is_none() && reference.is_none();
    let result = match (is_foreign, is_about_nothing) {
        (true, _) => Some(EventResult::Foreign),
        (false, true) => Some(EventResult::Ignored),
        (false, false) => None,
    };
    let (gateway, event_id, kind) = (gateway.to_owned(), event.id, event.kind);
    NewEvent {
        gateway,
        event: event_id,
        kind,
        checkout,
        attempt,
        reference,
        body: event.body,
        created_at: event.created_at,
        result,
    }
}

/// Takes events that are due and looks at what they are about; gives how many were taken.
///
/// Errors: the inbox cannot be read.
pub async fn work(app: &Arc<App>, till: &Arc<Till>) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let rows = till.store.claim_events(CLAIM_ROWS, now, now.plus_seconds(CLAIM_SECONDS)).await?;
    let count = rows.len();
    let mut turns = tokio::task::JoinSet::new();
    for events in by_payment(rows) {
        let place = till.places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (app, till) = (app.clone(), till.clone());
        turns.spawn(async move {
            one(&app, &till, &events).await;
            drop(place);
        });
    }
    while let Some(ended) = turns.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "an event broke its worker; it is due again later");
        }
    }
    Ok(count)
}

/// Events about the same payment, each group not empty: one look answers them all.
fn by_payment(rows: Vec<InboxRow>) -> Vec<Vec<InboxRow>> {
    let mut groups: Vec<Vec<InboxRow>> = Vec::new();
    for row in rows {
        let about = |row: &InboxRow| (row.checkout.clone(), row.attempt, row.reference.clone());
        match groups.iter_mut().find(|group| about(&group[0]) == about(&row)) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

async fn one(app: &App, till: &Till, events: &[InboxRow]) {
    failpoint!("K19");
    let done = act(app, till, events).await;
    let now = app.clock.now();
    for row in events {
        let crossed_off = match &done {
            Ok(Ok(result)) => {
                till.metrics().event(result.name());
                till.store.finish_event(row.id, *result, now).await
            }
            Ok(Err(reason)) => till.store.retry_event(row.id, reason, now).await,
            Err(error) => till.store.retry_event(row.id, &error.to_string(), now).await,
        };
        if let Err(error) = crossed_off {
            tracing::error!(%error, event = row.event, "the inbox was not written; the event is looked at again");
        }
    }
}

/// What became of events about one payment, or why they are looked at again later.
async fn act(app: &App, till: &Till, events: &[InboxRow]) -> Result<Result<EventResult, &'static str>, StoreError> {
    let (gateway, row) = (till.gateway.capabilities().name, &events[0]);
    let mut named = row.checkout.clone().zip(row.attempt);
    if let (None, Some(reference)) = (&named, &row.reference) {
        if let Some(attempt) = till.store.attempt_by_reference(gateway, reference).await? {
            return heard(app, till, &attempt, events).await;
        }
        match till.gateway.whose(reference).await {
            Outcome::Done(About::Attempt { shop, .. }) if shop != app.live.load().bundle.shop_id => {
                return Ok(Ok(EventResult::Foreign));
            }
            Outcome::Done(About::Attempt { checkout, number, .. }) => {
                let checkout = CheckoutId(checkout);
                // Whoever shows or erases what came of the checkout has to find it.
                till.store.name_events(events.iter().map(|event| event.id).collect(), &checkout, number).await?;
                named = Some((checkout, number));
            }
            Outcome::Done(About::Reference(_) | About::Nothing) | Outcome::Rejected(_) => {}
            Outcome::Accepted | Outcome::Unknown(_) => return Ok(Err("nobody could tell whose payment it is about")),
        }
    }
    let Some((checkout, number)) = named else { return Ok(Ok(EventResult::Ignored)) };
    let Some(attempt) = till.store.attempt(&checkout, number).await? else {
        tracing::error!(event = row.event, %checkout, "an event names a payment of this shop that is not known here");
        return Ok(match reconcile::heard_of(app, till, &checkout, number).await? {
            true => Ok(EventResult::Orphan),
            false => Err("the payment it names could not be looked up"),
        });
    };
    heard(app, till, &attempt, events).await
}

async fn heard(
    app: &App,
    till: &Till,
    attempt: &Attempt,
    events: &[InboxRow],
) -> Result<Result<EventResult, &'static str>, StoreError> {
    if events.iter().any(|event| till.gateway.is_of_dispute(&event.kind))
        && let Err(reason) = disputes::heard(app, till, attempt).await?
    {
        return Ok(Err(reason));
    }
    look_at(app, till, attempt, events.iter().map(|event| event.id).collect()).await
}

/// Lets an attempt have its turn, or lets go of what an older one still holds.
pub(super) async fn look_at(
    app: &App,
    till: &Till,
    attempt: &Attempt,
    events: Vec<i64>,
) -> Result<Result<EventResult, &'static str>, StoreError> {
    // The money is ours for ever; what of it goes back is another matter.
    if attempt.state == AttemptState::Paid {
        return refunds::heard(app, till, attempt, events).await;
    }
    let newest = till.store.checkout(&attempt.checkout).await?.and_then(|checkout| checkout.attempt);
    if newest.is_some_and(|newest| newest.id != attempt.id) {
        return stray(app, till, attempt).await;
    }
    let turned = till.turn_by(app, &attempt.checkout, Turn { wish: Wish::Hear, events, begun: None }).await?;
    Ok(match turned {
        // It stays so however often it is asked about.
        Some(turned) if turned.is_foreign => Ok(EventResult::Foreign),
        Some(turned) if !turned.is_fresh => Err("nobody could tell where the payment stands"),
        _ => Ok(EventResult::Applied),
    })
}

/// A payment of an attempt that another one took the place of: its money is let go, or a person is told.
pub(super) async fn stray(app: &App, till: &Till, attempt: &Attempt) -> Result<Result<EventResult, &'static str>, StoreError> {
    const UNKNOWN: &str = "nobody could tell where the older payment stands";
    let found = match &attempt.reference {
        Some(reference) => till.gateway.fetch(reference).await,
        None => match till.gateway.lookup(&attempt.key, Span::from(attempt.created_at)).await {
            Outcome::Done(Some(payment)) => Outcome::Done(payment),
            Outcome::Done(None) => return Ok(Ok(EventResult::Applied)),
            Outcome::Accepted | Outcome::Rejected(_) | Outcome::Unknown(_) => return Ok(Err(UNKNOWN)),
        },
    };
    let payment = match found {
        Outcome::Done(payment) => payment,
        Outcome::Rejected(_) => return Ok(Ok(EventResult::Applied)),
        Outcome::Accepted | Outcome::Unknown(_) => return Ok(Err(UNKNOWN)),
    };
    match payment.state {
        RemoteState::Canceled | RemoteState::Declined => Ok(Ok(EventResult::Applied)),
        RemoteState::Processing => Ok(Err("the older payment is being processed")),
        RemoteState::Open | RemoteState::Authorized => {
            let shop = app.live.load().bundle.shop_id.clone();
            let key = idempotency_key(&shop, &attempt.checkout, Operation::Cancel, attempt.number);
            match till.gateway.cancel(&key, &payment.reference).await {
                Outcome::Done(after) if after.state == RemoteState::Canceled => Ok(Ok(EventResult::Applied)),
                Outcome::Done(_) | Outcome::Accepted | Outcome::Rejected(_) | Outcome::Unknown(_) => {
                    Ok(Err("the older payment could not be called off yet"))
                }
            }
        }
        RemoteState::Captured if payment.refunded_minor >= payment.amount.minor => {
            till.store.forget_differences(&attempt.id).await?;
            Ok(Ok(EventResult::Applied))
        }
        RemoteState::Captured => {
            let (reason, now) = ("an older payment of this checkout was taken as well", app.clock.now());
            tracing::error!(checkout = %attempt.checkout, attempt = attempt.number, reason, "money that no order waits for was taken");
            let shop = app.live.load().bundle.shop_id.clone();
            let orphan = orphans::disowned(attempt, &payment.reference, &shop, reason, now);
            match till.store.disown_older(&attempt.id, orphan, now).await {
                Ok(()) => {}
                Err(StoreError::Refused(Refusal::WrongState)) => return Ok(Err("the older payment is under way again")),
                Err(error) => return Err(error),
            }
            till.due.notify_one();
            Ok(Ok(EventResult::Applied))
        }
    }
}

/// Asks the gateway for what happened since all was known, and keeps what never came; gives how many events are new.
///
/// The newest come first: what happened before counts as known once the list was read to its end, however many rounds and restarts that
/// takes. Events that come meanwhile by their webhooks say nothing of what lies before them.
///
/// Errors: the store cannot be used. A gateway that does not answer is asked again in the next round.
pub async fn catch_up(app: &Arc<App>, till: &Arc<Till>) -> Result<usize, StoreError> {
    let (gateway, now) = (till.gateway.capabilities().name, app.clock.now());
    let CatchUp { since, begun_at, mut place } = match till.store.catch_up(gateway).await? {
        Some(found) => found,
        None => {
            let newest = till.store.newest_event(gateway).await?;
            let since = newest.map_or(now.plus_seconds(-FIRST_SECONDS), |newest| newest.plus_seconds(-OVERLAP_SECONDS));
            CatchUp { since, begun_at: None, place: String::new() }
        }
    };
    // A clock that was ahead once hides nothing for ever.
    let (since, begun_at) = (since.min(now.plus_seconds(-OVERLAP_SECONDS)), begun_at.unwrap_or(now).min(now));
    let mut count = 0;
    loop {
        let Some((events, next)) = page(till, since, &place).await else { return Ok(count) };
        let read = match next {
            Some(next) => CatchUp { since, begun_at: Some(begun_at), place: next },
            None => CatchUp { since: begun_at.plus_seconds(-OVERLAP_SECONDS), begun_at: None, place: String::new() },
        };
        let goes_on_after = read.place.clone();
        let rows = till.rows(app, events);
        let (new, is_ours) = till.store.keep_missed_events(gateway, rows, place, read, app.clock.now()).await?;
        count += new;
        if new > 0 {
            till.heard.notify_one();
        }
        // It is whole, another process got on meanwhile, or it is read anew.
        if !is_ours || goes_on_after.is_empty() {
            return Ok(count);
        }
        place = goes_on_after;
    }
}

/// The next page of events; `None`: the gateway did not tell.
async fn page(till: &Till, since: Timestamp, place: &str) -> Option<Page<Event>> {
    let after = Some(place).filter(|place| !place.is_empty());
    let reason = match till.gateway.events(since, after).await {
        Outcome::Done((_, Some(next))) if Some(next.as_str()) == after => "it goes on where it was".to_owned(),
        Outcome::Done(page) => return Some(page),
        Outcome::Accepted => return None,
        // What it went on after is forgotten there.
        Outcome::Rejected(reason) if after.is_some() => reason,
        Outcome::Rejected(reason) | Outcome::Unknown(reason) => {
            tracing::warn!(reason, "missed events could not be asked for; the next round tries again");
            return None;
        }
    };
    tracing::error!(reason, "the gateway's list of events does not go on; the next round reads it anew");
    Some((Vec::new(), Some(String::new())))
}
