//! Limits: what the dependencies of the checkout do, and what is held back for their sake.
//!
//! Owns    the names of these series. Counters count where things happen; gauges are set when the page is asked for.
//! Limits  every label is one of a fixed set; nothing a client sends makes a new series.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BreakerLabel {
    dependency: &'static str,
    operation: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabel {
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabel {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

/// A fraction, as a gauge.
type Level = Gauge<f64, AtomicU64>;

/// Counters and gauges of one till.
#[derive(Debug)]
pub struct LimitMetrics {
    registry: Registry,
    breaker: Family<BreakerLabel, Gauge>,
    opened: Counter,
    places: Family<LaneLabel, Gauge>,
    taken: Family<LaneLabel, Gauge>,
    refused: Family<ReasonLabel, Counter>,
    calls: Family<CallLabel, Counter>,
    retries: Counter,
    retry_tokens: Level,
    payment_tokens: Level,
    paused: Gauge,
    store_up: Gauge,
    queued: Family<LaneLabel, Gauge>,
    commits: Counter,
    steps: Counter,
    busy: Counter<f64, AtomicU64>,
    inbox_waiting: Gauge,
    inbox_oldest: Gauge,
    inbox_events: Family<ResultLabel, Counter>,
    outbox_waiting: Family<KindLabel, Gauge>,
    outbox_oldest: Family<KindLabel, Gauge>,
    mails: Family<ResultLabel, Counter>,
    in_doubt: Gauge,
    orphans_under_way: Gauge,
    orphans_in_review: Gauge,
    reconciled_at: Gauge,
    reconciled_payments: Gauge,
    reconciled_different: Gauge,
}

/// What the gauges are set to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Levels {
    /// The states a breaker can be in, and whether it is in it.
    pub breaker: Vec<(&'static str, bool)>,
    /// How often it opened.
    pub opened: u64,
    /// Per lane: places, and how many are taken.
    pub lanes: Vec<(&'static str, usize, usize)>,
    /// Retries that may be spent now.
    pub retry_tokens: f64,
    /// Payments that may begin now.
    pub payment_tokens: f64,
    /// Whether new payments are paused.
    pub paused: bool,
    /// Whether the last look into the store succeeded.
    pub store_up: bool,
    /// Steps that wait for the writer, by lane.
    pub queued: Vec<(&'static str, usize)>,
    /// Transactions of the store, the steps that shared them, and the time that they took, since the start.
    pub written: (u64, u64, Duration),
    /// Events that wait, and for how many seconds the oldest does.
    pub inbox: (u64, i64),
    /// Per kind: promised work that waits, and for how many seconds the oldest does.
    pub outbox: Vec<(String, u64, i64)>,
    /// Whether nobody can pay before the gateway's payments are compared.
    pub in_doubt: bool,
    /// Payments that no order is of: being adopted or returned, and left to a person.
    pub orphans: (u64, u64),
    /// The last comparison: when in seconds since 1970, of how many payments, and how many of them differ. All 0: none yet.
    pub reconciled: (i64, u32, u32),
}

impl Default for LimitMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl LimitMetrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("vitrine"),
            breaker: Family::default(),
            opened: Counter::default(),
            places: Family::default(),
            taken: Family::default(),
            refused: Family::default(),
            calls: Family::default(),
            retries: Counter::default(),
            retry_tokens: Level::default(),
            payment_tokens: Level::default(),
            paused: Gauge::default(),
            store_up: Gauge::default(),
            queued: Family::default(),
            commits: Counter::default(),
            steps: Counter::default(),
            busy: Counter::default(),
            inbox_waiting: Gauge::default(),
            inbox_oldest: Gauge::default(),
            inbox_events: Family::default(),
            outbox_waiting: Family::default(),
            outbox_oldest: Family::default(),
            mails: Family::default(),
            in_doubt: Gauge::default(),
            orphans_under_way: Gauge::default(),
            orphans_in_review: Gauge::default(),
            reconciled_at: Gauge::default(),
            reconciled_payments: Gauge::default(),
            reconciled_different: Gauge::default(),
        };
        metrics.register();
        metrics.begin();
        metrics
    }

    /// A series that is there from the start, at zero, is one whose first rise is seen.
    fn begin(&self) {
        for reason in ["breaker", "rate", "lane", "paused"] {
            drop(self.refused.get_or_create(&ReasonLabel { reason }));
        }
        for operation in ["create", "fetch", "lookup", "capture", "cancel", "refund", "events"] {
            for outcome in ["done", "accepted", "rejected", "unknown"] {
                drop(self.calls.get_or_create(&CallLabel { operation, outcome }));
            }
        }
        for result in ["applied", "foreign", "ignored", "orphan"] {
            drop(self.inbox_events.get_or_create(&ResultLabel { result }));
        }
        for result in ["sent", "failed"] {
            drop(self.mails.get_or_create(&ResultLabel { result }));
        }
    }

    fn register(&mut self) {
        let page = &mut self.registry;
        page.register("breaker_state", "1 for the state the breaker is in", self.breaker.clone());
        page.register("breaker_openings", "How often the breaker of new payments opened since the start", self.opened.clone());
        page.register("lane_places", "Calls to a dependency that may be under way at once", self.places.clone());
        page.register("lane_places_taken", "Calls to a dependency that are under way", self.taken.clone());
        page.register("payments_refused", "New payments refused before anything was written", self.refused.clone());
        page.register("gateway_calls", "Calls to the gateway by how they ended", self.calls.clone());
        page.register("gateway_retries", "Calls sent again within one request", self.retries.clone());
        page.register("gateway_retry_tokens", "Retries that may be spent now", self.retry_tokens.clone());
        page.register("payment_tokens", "Payments that may begin now", self.payment_tokens.clone());
        page.register("payments_paused", "1 while an operator has paused new payments", self.paused.clone());
        page.register("store_up", "1 if the last look into the store succeeded", self.store_up.clone());
        page.register("store_queue", "Steps that wait for the store's writer", self.queued.clone());
        page.register("store_commits", "Transactions of the store's writer", self.commits.clone());
        page.register("store_steps", "Steps that shared them", self.steps.clone());
        let help = "Time that connections to the store have spent on them";
        page.register_with_unit("store_busy", help, Unit::Seconds, self.busy.clone());
        page.register("inbox_waiting", "Events of the gateway that are not dealt with yet", self.inbox_waiting.clone());
        let age = "For how long the oldest of them has waited";
        page.register_with_unit("inbox_oldest", age, Unit::Seconds, self.inbox_oldest.clone());
        page.register("inbox_events", "Events dealt with since the start, by what became of them", self.inbox_events.clone());
        page.register("outbox_waiting", "Promised work that is not done yet", self.outbox_waiting.clone());
        page.register_with_unit("outbox_oldest", age, Unit::Seconds, self.outbox_oldest.clone());
        page.register("mails", "Mails handed to the server, or not", self.mails.clone());
        let help = "1 while nobody can pay, until the gateway's payments are compared";
        page.register("in_doubt", help, self.in_doubt.clone());
        let help = "Payments that no order is of, being adopted or returned";
        page.register("orphans_under_way", help, self.orphans_under_way.clone());
        page.register("orphans_in_review", "Payments that no order is of, left to a person", self.orphans_in_review.clone());
        let help = "When the gateway's payments were last compared, since 1970; 0: never";
        page.register_with_unit("reconciled_timestamp", help, Unit::Seconds, self.reconciled_at.clone());
        page.register("reconciled_payments", "Payments that were compared then", self.reconciled_payments.clone());
        let help = "Of those, unknown or not the same on both sides";
        page.register("reconciled_different", help, self.reconciled_different.clone());
    }

    /// A payment was refused before anything was written.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A call to the gateway ended.
    pub fn called(&self, operation: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&CallLabel { operation, outcome }).inc();
    }

    /// A call is sent again.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// An event was dealt with, or put off.
    pub fn event(&self, result: &'static str) {
        self.inbox_events.get_or_create(&ResultLabel { result }).inc();
    }

    /// A mail was sent, or not.
    pub fn mail(&self, result: &'static str) {
        self.mails.get_or_create(&ResultLabel { result }).inc();
    }

    /// Sets the gauges, and gives the registry to be printed.
    pub fn at(&self, levels: &Levels) -> &Registry {
        for (state, is_in) in &levels.breaker {
            let label = BreakerLabel { dependency: "gateway", operation: "create", state };
            self.breaker.get_or_create(&label).set(i64::from(*is_in));
        }
        // The breaker counts them itself.
        self.opened.inner().store(levels.opened, Ordering::Relaxed);
        for (lane, places, taken) in &levels.lanes {
            self.places.get_or_create(&LaneLabel { lane }).set(whole(*places as u64));
            self.taken.get_or_create(&LaneLabel { lane }).set(whole(*taken as u64));
        }
        self.retry_tokens.set(levels.retry_tokens);
        self.payment_tokens.set(levels.payment_tokens);
        self.paused.set(i64::from(levels.paused));
        self.store_up.set(i64::from(levels.store_up));
        for (lane, count) in &levels.queued {
            self.queued.get_or_create(&LaneLabel { lane }).set(whole(*count as u64));
        }
        self.commits.inc_by(levels.written.0.saturating_sub(self.commits.get()));
        self.steps.inc_by(levels.written.1.saturating_sub(self.steps.get()));
        self.busy.inner().store(levels.written.2.as_secs_f64().to_bits(), Ordering::Relaxed);
        self.inbox_waiting.set(whole(levels.inbox.0));
        self.inbox_oldest.set(levels.inbox.1);
        // What waits no more is told no more: kinds come and go.
        self.outbox_waiting.clear();
        self.outbox_oldest.clear();
        for (kind, count, oldest) in &levels.outbox {
            self.outbox_waiting.get_or_create(&KindLabel { kind: kind.clone() }).set(whole(*count));
            self.outbox_oldest.get_or_create(&KindLabel { kind: kind.clone() }).set(*oldest);
        }
        self.in_doubt.set(i64::from(levels.in_doubt));
        self.orphans_under_way.set(whole(levels.orphans.0));
        self.orphans_in_review.set(whole(levels.orphans.1));
        let (at, payments, different) = levels.reconciled;
        self.reconciled_at.set(at);
        self.reconciled_payments.set(payments.into());
        self.reconciled_different.set(different.into());
        &self.registry
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
