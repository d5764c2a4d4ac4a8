//! Line: the gateway behind its breaker, its lanes and its budgets.
//!
//! Owns    whether a new payment may begin (`admit`), how often an opening call is sent, and what is known of the gateway's health.
//! Always  whether a payment may begin is known before anything is written; the breaker stops opening calls alone. What looks, takes,
//!         calls off and gives back goes by a lane of its own, whatever the breaker says. A call is sent again under the same key with
//!         the same bytes, and only where the gateway knows keys.
//! Limits  `PLACES` calls at once in each lane; the shop's rate of new payments; `limits::resend`.
//! Source  CHECKOUT.md 5.6.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::sighting::{Sighted, Sighting};
use crate::commerce::dispute::Dispute;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::refund::RefundReport;
use crate::edge::app::Clock;
use crate::edge::limits::breaker::{Breaker, Ended, Entry, State};
use crate::edge::limits::bucket::Bucket;
use crate::edge::limits::lane::{Lane, Place};
use crate::edge::limits::resend;
use crate::gateway::capabilities::Idempotency;
use crate::gateway::event::{About, Event, NotHeard};
use crate::gateway::{Capabilities, CreatePayment, Element, Gateway, Hint, Listed, Opened, Outcome, Page, RemotePayment, Span};
use crate::telemetry::limits::{Levels, LimitMetrics};

/// Calls under way at once that open payments, and as many of all others.
const PLACES: usize = 32;
/// How long a payment waits for a place before it is told to come again: a crowd that comes at one instant is let in one after the other.
const CROWD_WAIT: Duration = Duration::from_millis(500);
/// Longest wait for one send. After it nobody knows.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);
/// Payments that may begin each second: the rate at which Stripe takes writes of one account in test mode, a quarter of the live one.
pub const PAYMENTS_PER_SECOND: u32 = 25;

/// The way to the gateway.
#[derive(Clone, Debug)]
pub(super) struct Line {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    gateway: Gateway,
    breaker: Mutex<Breaker>,
    shaper: Mutex<Bucket>,
    retries: Mutex<Bucket>,
    opening: Lane,
    rest: Lane,
    health: Mutex<Health>,
    /// What the sweep that is under way found of those that wait.
    sighting: Mutex<Option<Arc<Sighting>>>,
    metrics: LimitMetrics,
}

/// How the gateway answered of late.
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    /// Since when nobody knows what calls do.
    failing_since: Option<Instant>,
    /// It answered again, and what waits was not asked about since.
    is_back: bool,
    /// The last opening call was refused since our key is not good.
    is_shut: bool,
}

/// Why no new payment may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The gateway does not answer, or takes no call of ours.
    Interrupted {
        /// Milliseconds after which to come again.
        after_ms: u64,
    },
    /// More payments begin than the gateway takes.
    Crowded {
        /// Milliseconds after which to come again.
        after_ms: u64,
    },
}

/// The right to begin one payment: a place in the lane, a token, and the breaker's leave. What is not used goes back.
#[derive(Debug)]
pub struct Pass {
    line: Line,
    entry: Entry,
    is_used: AtomicBool,
    has_token: bool,
    _place: Place,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !*self.is_used.get_mut() {
            locked(&self.line.shared.breaker).leave(self.entry);
            if self.has_token {
                locked(&self.line.shared.shaper).give_back();
            }
        }
    }
}

/// What became of an opening call.
#[derive(Debug)]
pub(super) enum Created {
    /// The gateway's own word.
    Said(Outcome<RemotePayment>),
    /// The gateway takes no call of ours, and this payment's first was refused: nothing was made.
    Shut,
    /// The breaker is open: nothing was sent now.
    NotSent,
}

/// How eagerly payments that wait are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Each in its turn.
    Calm,
    /// The gateway does not answer: one of them finds out whether it does again.
    Probing,
    /// It answers again: all of them at once.
    CatchingUp,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a limit")
}

impl Line {
    pub(super) fn new(gateway: Gateway, payments_per_second: u32) -> Self {
        let shared = Shared {
            gateway,
            breaker: Mutex::default(),
            shaper: Mutex::new(Bucket::new(payments_per_second, payments_per_second)),
            retries: Mutex::new(Bucket::new(resend::BUDGET_SAVED, 0)),
            opening: Lane::new(PLACES),
            rest: Lane::new(PLACES),
            health: Mutex::default(),
            sighting: Mutex::default(),
            metrics: LimitMetrics::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The gateway itself, for a line with other limits.
    pub(super) fn gateway(&self) -> Gateway {
        self.shared.gateway.clone()
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.shared.gateway.capabilities()
    }

    pub(super) fn body(&self, create: &CreatePayment) -> Vec<u8> {
        self.shared.gateway.body(create)
    }

    pub(super) fn confirms(&self, body: &[u8]) -> bool {
        self.shared.gateway.confirms(body)
    }

    pub(super) fn element(&self, amount: Money) -> Option<Element> {
        self.shared.gateway.element(amount)
    }

    pub(super) fn hear(&self, headers: &http::HeaderMap, body: &[u8], now: Timestamp) -> Result<Vec<Event>, NotHeard> {
        self.shared.gateway.hear(headers, body, now)
    }

    pub(super) fn metrics(&self) -> &LimitMetrics {
        &self.shared.metrics
    }

    /// Whether a new payment may begin now. Nothing is written before this is `Ok`.
    ///
    /// Errors: why not, and when to come again.
    pub(super) async fn admit(&self, clock: &Clock) -> Result<Pass, Closed> {
        let shared = &self.shared;
        let place = shared.opening.place_within(CROWD_WAIT).await;
        let now = clock.ticks();
        let refused = |reason, closed| {
            shared.metrics.refused(reason);
            Err(closed)
        };
        let entry = match locked(&shared.breaker).enter(now) {
            Ok(entry) => entry,
            Err(after_ms) => return refused("breaker", Closed::Interrupted { after_ms }),
        };
        let token = if place.is_some() { locked(&shared.shaper).take(now) } else { Ok(()) };
        match (place, token) {
            (Some(place), Ok(())) => {
                Ok(Pass { line: self.clone(), entry, is_used: AtomicBool::new(false), has_token: true, _place: place })
            }
            (place, token) => {
                locked(&shared.breaker).leave(entry);
                let reason = if place.is_none() { "lane" } else { "rate" };
                refused(reason, Closed::Crowded { after_ms: token.err().unwrap_or(1_000) })
            }
        }
    }

    /// Opens a payment that is committed. With the pass of a payment that begins it is sent again where nobody knows what it did;
    /// else once, and by the breaker's leave: whoever asks about a payment comes again by himself.
    pub(super) async fn create(&self, key: &str, body: &[u8], pass: Option<&Pass>, clock: &Clock) -> Created {
        let own;
        let (pass, most) = match pass {
            Some(pass) => (pass, resend::MAX_SENDS),
            None => match self.again(clock).await {
                Some(pass) => {
                    own = pass;
                    (&own, 1)
                }
                None => return Created::NotSent,
            },
        };
        // A pass is for one opening call: the first one of its payment.
        let is_first = !pass.is_used.swap(true, Ordering::Relaxed) && most > 1;
        let is_keyed = self.capabilities().idempotency != Idempotency::None;
        let most = if is_keyed && is_first && !pass.entry.is_probe { most } else { 1 };
        let began = Instant::now();
        let mut sends = 0;
        let (outcome, hint) = loop {
            sends += 1;
            locked(&self.shared.retries).give(if sends == 1 { resend::BUDGET_PER_SEND } else { 0 });
            let (outcome, hint) = match tokio::time::timeout(SEND_TIMEOUT, self.shared.gateway.create_hinted(key, body)).await {
                Ok(answered) => answered,
                Err(_) => (Outcome::Unknown("no answer in time".to_owned()), Hint::Again),
            };
            self.note("create", &outcome);
            let is_unknown = matches!(outcome, Outcome::Unknown(_));
            if !is_unknown || hint != Hint::Again || sends >= most || planted!("timeout_is_decline") {
                break (outcome, hint);
            }
            let pause = resend::pause_ms(sends, getrandom::u64().unwrap_or(0));
            let is_late = began.elapsed() + Duration::from_millis(pause) >= resend::BUDGET;
            if is_late || locked(&self.shared.retries).take(clock.ticks()).is_err() {
                break (outcome, hint);
            }
            self.shared.metrics.retried();
            clock.wait(pause).await;
        };
        // However often it was sent, it is one payment: the last answer counts.
        self.settle(pass, is_first, &outcome, hint, clock);
        match hint {
            Hint::Shut if is_first && sends == 1 => Created::Shut,
            Hint::Shut | Hint::Again | Hint::Later => Created::Said(outcome),
        }
    }

    /// The right to send a committed payment's opening call again.
    async fn again(&self, clock: &Clock) -> Option<Pass> {
        let place = self.shared.opening.place().await;
        let entry = locked(&self.shared.breaker).enter(clock.ticks()).ok()?;
        Some(Pass { line: self.clone(), entry, is_used: AtomicBool::new(false), has_token: false, _place: place })
    }

    /// Tells the breaker how a payment's sends ended, once. While it is closed, only payments that begin count against the gateway: one that the gateway chokes on is
    /// asked about every few seconds, and must not stop all others.
    fn settle(&self, pass: &Pass, is_first: bool, outcome: &Outcome<RemotePayment>, hint: Hint, clock: &Clock) {
        let ended = match outcome {
            _ if hint == Hint::Shut => Ended::Shut,
            Outcome::Unknown(_) => Ended::Badly,
            Outcome::Done(_) | Outcome::Accepted | Outcome::Rejected(_) => Ended::Well,
        };
        locked(&self.shared.health).is_shut = ended == Ended::Shut;
        if !is_first && !pass.entry.is_probe && ended == Ended::Badly {
            return;
        }
        let mut breaker = locked(&self.shared.breaker);
        let opened = breaker.opened();
        breaker.settle(pass.entry, ended, clock.ticks());
        if breaker.opened() > opened {
            tracing::error!(is_shut = ended == Ended::Shut, "the gateway fails: no new payment begins until it answers again");
        }
    }

    pub(super) async fn fetch(&self, reference: &str) -> Outcome<RemotePayment> {
        self.beside("fetch", self.shared.gateway.fetch(reference)).await
    }

    pub(super) async fn lookup(&self, key: &str, span: Span) -> Outcome<Option<RemotePayment>> {
        let sighting = locked(&self.shared.sighting).clone();
        match sighting.map_or(Sighted::Nothing, |sighting| sighting.tells(key, span)) {
            Sighted::Nothing => self.beside("lookup", self.shared.gateway.lookup(key, span)).await,
            Sighted::Never => Outcome::Done(None),
            Sighted::Unsure => Outcome::Unknown("it is not on the list so far".to_owned()),
            Sighted::There(reference) => match self.fetch(&reference).await {
                Outcome::Done(payment) => Outcome::Done(Some(payment)),
                Outcome::Accepted => Outcome::Accepted,
                // It is on the list: whoever does not find it is late.
                Outcome::Rejected(reason) | Outcome::Unknown(reason) => Outcome::Unknown(reason),
            },
        }
    }

    /// What was found of those that wait; `None`: each is looked up by itself again.
    pub(super) fn see(&self, sighting: Option<Sighting>) {
        *locked(&self.shared.sighting) = sighting.map(Arc::new);
    }

    pub(super) fn finds_by_list(&self) -> bool {
        self.shared.gateway.finds_by_list()
    }

    pub(super) async fn opened(&self, span: Span, after: Option<&str>) -> Outcome<Page<Opened>> {
        self.beside("lookup", self.shared.gateway.opened(span, after)).await
    }

    pub(super) async fn capture(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        self.beside("capture", self.shared.gateway.capture(key, reference)).await
    }

    pub(super) async fn cancel(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        self.beside("cancel", self.shared.gateway.cancel(key, reference)).await
    }

    pub(super) async fn events(&self, since: Timestamp, after: Option<&str>) -> Outcome<(Vec<Event>, Option<String>)> {
        self.beside("events", self.shared.gateway.events(since, after)).await
    }

    pub(super) async fn whose(&self, reference: &str) -> Outcome<About> {
        self.beside("fetch", self.shared.gateway.whose(reference)).await
    }

    pub(super) async fn refund(&self, key: &str, reference: &str, amount: Money) -> Outcome<RemotePayment> {
        self.beside("refund", self.shared.gateway.refund(key, reference, amount)).await
    }

    pub(super) async fn refund_body(&self, key: &str, reference: &str, amount: Money) -> Outcome<Vec<u8>> {
        self.beside("fetch", self.shared.gateway.refund_body(key, reference, amount)).await
    }

    pub(super) async fn send_refund(&self, key: &str, body: &[u8]) -> Outcome<RefundReport> {
        self.beside("refund", self.shared.gateway.send_refund(key, body)).await
    }

    pub(super) async fn refunds(&self, reference: &str) -> Outcome<Vec<RefundReport>> {
        self.beside("refunds", self.shared.gateway.refunds(reference)).await
    }

    pub(super) async fn disputes(&self, reference: &str) -> Outcome<Vec<Dispute>> {
        self.beside("disputes", self.shared.gateway.disputes(reference)).await
    }

    pub(super) async fn disputed(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Event>> {
        self.beside("disputes", self.shared.gateway.disputed(since, after)).await
    }

    pub(super) fn is_of_dispute(&self, kind: &str) -> bool {
        self.shared.gateway.is_of_dispute(kind)
    }

    pub(super) async fn payments(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Listed>> {
        self.beside("payments", self.shared.gateway.payments(since, after)).await
    }

    pub(super) fn holds_first(&self) -> bool {
        self.shared.gateway.holds_first()
    }

    /// A call that the breaker never stops.
    async fn beside<T>(&self, operation: &'static str, call: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        let sent = async {
            let _place = self.shared.rest.place().await;
            call.await
        };
        let outcome = match tokio::time::timeout(SEND_TIMEOUT, sent).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Unknown("no answer in time".to_owned()),
        };
        self.note(operation, &outcome);
        outcome
    }

    fn note<T>(&self, operation: &'static str, outcome: &Outcome<T>) {
        let (name, is_known) = match outcome {
            Outcome::Done(_) => ("done", true),
            Outcome::Accepted => ("accepted", true),
            Outcome::Rejected(_) => ("rejected", true),
            Outcome::Unknown(_) => ("unknown", false),
        };
        self.shared.metrics.called(operation, name);
        let mut health = locked(&self.shared.health);
        match (is_known, health.failing_since) {
            (true, Some(_)) => (health.failing_since, health.is_back) = (None, true),
            (false, None) => health.failing_since = Some(Instant::now()),
            _ => {}
        }
    }

    /// How eagerly payments that wait are asked about now. That the gateway is back is told until opening calls go through again, and
    /// once more: while the breaker is half open it lets few of them through at a time.
    pub(super) fn pace(&self, clock: &Clock) -> Pace {
        let is_closed = self.state(clock) == State::Closed;
        let mut health = locked(&self.shared.health);
        match (health.failing_since, health.is_back) {
            (Some(_), _) => Pace::Probing,
            (None, true) => {
                health.is_back = !is_closed;
                Pace::CatchingUp
            }
            (None, false) => Pace::Calm,
        }
    }

    /// Sets what of the gauges is this line's.
    pub(super) fn levels(&self, levels: &mut Levels, clock: &Clock) {
        let now = clock.ticks();
        let state = self.state(clock);
        let breaker = locked(&self.shared.breaker);
        levels.breaker = State::ALL.map(|one| (one.name(), one == state)).to_vec();
        levels.opened = breaker.opened();
        let lanes = [("gateway_create", &self.shared.opening), ("gateway_other", &self.shared.rest)];
        levels.lanes.extend(lanes.map(|(name, lane)| (name, lane.count(), lane.taken())));
        levels.retry_tokens = locked(&self.shared.retries).level(now) as f64 / 1_000.0;
        levels.payment_tokens = locked(&self.shared.shaper).level(now) as f64 / 1_000.0;
    }

    pub(super) fn state(&self, clock: &Clock) -> State {
        locked(&self.shared.breaker).state(clock.ticks())
    }

    /// For `/readyz`.
    pub(super) fn told(&self, clock: &Clock) -> serde_json::Value {
        let health = *locked(&self.shared.health);
        let seconds = health.failing_since.map(|since| since.elapsed().as_secs());
        serde_json::json!({
            "name": self.capabilities().name,
            "state": match (health.is_shut, seconds) {
                (true, _) => "key_refused",
                (false, Some(_)) => "failing",
                (false, None) => "ok",
            },
            "failing_seconds": seconds,
            "breaker": self.state(clock).name(),
            "calls": { "create": self.shared.opening.taken(), "other": self.shared.rest.taken() },
        })
    }
}
