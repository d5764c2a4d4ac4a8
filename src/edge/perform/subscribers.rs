//! Subscribers: the merchant's own systems are told what happened to orders.
//!
//! Owns    who is told what next, one event after the other for each subscriber, and the mail about one that is out for long.
//! Limits  one event is under way for each subscriber and none waits for another, so as many calls are made at once as there are
//!         subscribers: `MAX_SUBSCRIBERS`. A call takes `PATIENCE` at most.
//! Always  an event is sent again until it is accepted, for ever; nobody is ever switched off. It may be sent twice, with the same id
//!         and bytes; a later one is never sent before an earlier one was accepted.
//! Source  CHECKOUT.md 0.10 and 5.8 K27; standardwebhooks.com.

pub mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use self::message::{Message, Secret, check_url, secret_variable};
use super::{Till, mail, services};
use crate::commerce::ids::Timestamp;
use crate::commerce::order::Order;
use crate::edge::app::App;
use crate::gateway::transport::Transport;
use crate::store::StoreError;
use crate::store::fact::{Delivery, Failed, Next, Present, Subscriber};
use crate::telemetry::subscribers::{Seen, SubscriberMetrics};

/// More systems than this are told by a system of their own.
pub const MAX_SUBSCRIBERS: usize = 16;
/// How long a subscriber may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// An outage of so many seconds is told to the operator: nobody has mended it over a weekend.
const OUTAGE_SECONDS: i64 = 72 * 3600;

/// What it takes to tell subscribers.
#[derive(Debug)]
pub struct Subscribers {
    transport: Transport,
    /// By the name of their variable.
    secrets: BTreeMap<String, Vec<Secret>>,
    patience: Duration,
    due: Notify,
    busy: Mutex<BTreeSet<String>>,
    /// The bundle whose subscribers the store knows.
    known: Mutex<String>,
    /// How they stand, as of the last look.
    pub metrics: SubscriberMetrics,
}

impl Subscribers {
    /// With secrets by the names of their variables ([`secret_variable`]).
    ///
    /// Errors: TLS cannot be used.
    pub fn new(secrets: BTreeMap<String, Vec<Secret>>, patience: Duration) -> Result<Self, String> {
        Ok(Self {
            transport: Transport::new()?,
            secrets,
            patience,
            due: Notify::new(),
            busy: Mutex::default(),
            known: Mutex::default(),
            metrics: SubscriberMetrics::default(),
        })
    }

    /// Something may be due.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Sends a signed test to a subscriber, now.
    ///
    /// Errors: it has no secret here, or did not take it; in words.
    pub async fn test(&self, name: &str, url: &str, now: Timestamp) -> Result<u16, String> {
        let variable = secret_variable(name);
        let secrets = self.secrets.get(&variable).ok_or_else(|| format!("{variable} is not set where this edge runs"))?;
        let message = Message::test(&format!("webhook-test-{}", super::new_id()), name, now);
        let sent = message.send(&self.transport, url, secrets, now, self.patience).await;
        sent.map(|status| status.as_u16()).map_err(|failed| failed.error)
    }

    pub(super) async fn woken(&self) {
        self.due.notified().await;
    }

    /// The right to send to a subscriber, while nobody else does.
    fn take(self: &Arc<Self>, name: &str) -> Option<Turn> {
        let is_free = self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        is_free.then(|| Turn { subscribers: self.clone(), name: name.to_owned() })
    }
}

/// Ends by itself, also when what was done with it panics.
struct Turn {
    subscribers: Arc<Subscribers>,
    name: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.subscribers.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Makes the subscribers of the bundle in service known to the store, once for each bundle.
pub async fn name(app: &App, till: &Till) -> Result<(), StoreError> {
    let Some(subscribers) = &till.subscribers else { return Ok(()) };
    let live = app.live.load_full();
    if *subscribers.known.lock().unwrap_or_else(PoisonError::into_inner) == live.hash {
        return Ok(());
    }
    for terms in &live.bundle.webhooks {
        let variable = secret_variable(&terms.name);
        if !subscribers.secrets.contains_key(&variable) {
            tracing::error!(subscriber = terms.name, "set {variable}: until then its events wait");
        }
    }
    let named = live.bundle.webhooks.iter();
    let named = named.map(|terms| Subscriber { name: terms.name.clone(), url: terms.url.clone(), events: terms.events.clone() });
    let events = || services::FACTS.iter().map(|kind| kind.name().to_owned()).collect();
    let inventory = live.bundle.inventory.iter();
    let inventory =
        inventory.map(|terms| Subscriber { name: services::SUBSCRIBER.to_owned(), url: terms.url.clone(), events: events() });
    till.store.name_subscribers(named.chain(inventory).collect(), app.clock.now()).await?;
    live.hash.clone_into(&mut subscribers.known.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(())
}

/// Sends what is due, to each subscriber until nothing is or a try fails, and waits for it; gives how many events were accepted.
///
/// Errors: the store cannot be used.
pub async fn deliver(app: &Arc<App>, till: &Arc<Till>) -> Result<usize, StoreError> {
    let mut started = start(app, till).await?;
    let mut accepted = 0;
    while let Some(ended) = started.join_next().await {
        match ended {
            Ok(count) => accepted += count,
            Err(error) => tracing::error!(%error, "telling a subscriber broke off; it is tried again"),
        }
    }
    look(app, till).await?;
    Ok(accepted)
}

/// The same without waiting: a subscriber that hangs keeps no other waiting.
pub(super) async fn round(app: &Arc<App>, till: &Arc<Till>) {
    let started = start(app, till).await.map(|mut started| started.detach_all());
    let looked = match started {
        Ok(()) => look(app, till).await,
        Err(error) => Err(error),
    };
    if let Err(error) = looked {
        tracing::warn!(%error, "subscribers could not be looked after; the next round tries again");
    }
}

async fn start(app: &Arc<App>, till: &Arc<Till>) -> Result<JoinSet<usize>, StoreError> {
    let mut work = JoinSet::new();
    let Some(subscribers) = &till.subscribers else { return Ok(work) };
    name(app, till).await?;
    for name in till.store.due_subscribers(app.clock.now()).await? {
        if let Some(turn) = subscribers.take(&name) {
            let (app, till) = (app.clone(), till.clone());
            work.spawn(async move { deliver_to(&app, &till, &turn).await });
        }
    }
    Ok(work)
}

/// One event after the other; gives how many were accepted.
async fn deliver_to(app: &App, till: &Till, turn: &Turn) -> usize {
    let mut accepted = 0;
    loop {
        match one(app, till, turn).await {
            Ok(Some(true)) => accepted += 1,
            Ok(Some(false)) => {}
            Ok(None) => return accepted,
            Err(error) => {
                tracing::error!(%error, subscriber = turn.name, "the store was not written; what was sent is sent again");
                return accepted;
            }
        }
    }
}

/// `None`: nothing more can be sent now; else whether an event was accepted.
async fn one(app: &App, till: &Till, turn: &Turn) -> Result<Option<bool>, StoreError> {
    let Turn { subscribers, name } = turn;
    let delivery = match till.store.next_delivery(name, app.clock.now()).await? {
        Next::Send(delivery) => delivery,
        Next::Numbering => return Ok(Some(false)),
        Next::Nothing => return Ok(None),
    };
    let sent = match name.as_str() {
        services::SUBSCRIBER => tell_inventory(app, till, &delivery).await,
        _ => send(app, subscribers, name, &delivery).await,
    };
    failpoint!("K27", sent.is_ok());
    let now = app.clock.now();
    match sent {
        Ok(()) => {
            till.store.accept_delivery(name, delivery.sequence, now).await?;
            Ok(Some(true))
        }
        Err(failed) => {
            tracing::warn!(subscriber = name, sequence = delivery.sequence, error = failed.error, "an event was not accepted");
            till.store.retry_delivery(name, delivery.sequence, failed, now).await?;
            Ok(None)
        }
    }
}

async fn send(app: &App, subscribers: &Subscribers, name: &str, delivery: &Delivery) -> Result<(), Failed> {
    let live = app.live.load_full();
    let failed = |error: String| Failed { error, is_gone: false };
    let terms = live.bundle.webhooks.iter().find(|terms| terms.name == name);
    let terms = terms.ok_or_else(|| failed("the shop names it no more".to_owned()))?;
    let variable = secret_variable(name);
    let secrets = subscribers.secrets.get(&variable).ok_or_else(|| failed(format!("{variable} is not set")))?;
    check_url(&terms.url).map_err(failed)?;
    let Delivery { key, kind, at, sequence, document, .. } = delivery;
    let message = Message::event(key, kind, *at, *sequence, document);
    message.send(&subscribers.transport, &terms.url, secrets, app.clock.now(), subscribers.patience).await.map(drop)
}

/// The inventory service hears of the same facts in its own words.
async fn tell_inventory(app: &App, till: &Till, delivery: &Delivery) -> Result<(), Failed> {
    let failed = |error: String| Failed { error, is_gone: false };
    let fact: Fact = serde_json::from_str(&delivery.document).map_err(|error| failed(error.to_string()))?;
    app.services.tell(app, till, &delivery.kind, &fact.order).await.map_err(failed)
}

/// What of a fact's document the inventory service is told.
#[derive(Deserialize)]
struct Fact {
    order: Order,
}

/// Tells the operator of outages, each once.
///
/// Errors: the store cannot be used.
pub(super) async fn tell(app: &App, till: &Till) -> Result<(), StoreError> {
    if till.subscribers.is_none() {
        return Ok(());
    }
    let now = app.clock.now();
    for outage in till.store.untold_outages(now.plus_seconds(-OUTAGE_SECONDS)).await? {
        let live = app.live.load_full();
        let sent = match mail::outage(&live, &outage) {
            Ok(letter) => till.send(&letter).await,
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => till.store.mark_outage_told(&outage, now).await?,
            Err(error) => {
                tracing::error!(%error, subscriber = outage.subscriber, "nobody could be told of a subscriber's outage")
            }
        }
    }
    Ok(())
}

/// Counts what those wait for that the shop names.
async fn look(app: &App, till: &Till) -> Result<(), StoreError> {
    let Some(subscribers) = &till.subscribers else { return Ok(()) };
    let now = app.clock.now();
    let states = till.store.subscribers(Present::Named).await?;
    let seen = states.into_iter().map(|state| Seen {
        lag_seconds: state.waiting_since.map_or(0, |since| now.0.saturating_sub(since.0).max(0)),
        subscriber: state.name,
        waiting: state.waiting,
        failures: state.failures,
    });
    subscribers.metrics.set(seen.collect());
    Ok(())
}

/// Forgets facts of before `older_than` that nobody waits for.
pub(super) async fn reap(till: &Till, older_than: Timestamp) -> Result<(), StoreError> {
    while till.store.reap_facts(older_than).await? > 0 {}
    Ok(())
}
