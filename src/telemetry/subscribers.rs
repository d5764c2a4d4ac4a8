//! Subscribers: how far the merchant's own systems are behind.
//!
//! Limits  one series for each subscriber that the shop names.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct SubscriberName {
    subscriber: String,
}

/// How a subscriber stood at the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub subscriber: String,
    /// Events that it has not accepted.
    pub waiting: u64,
    /// Age of the oldest of them.
    pub lag_seconds: i64,
    /// Tries that it did not accept since it is known.
    pub failures: u64,
}

/// How subscribers stood at the last look. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SubscriberMetrics {
    waiting: Family<SubscriberName, Gauge<u64, AtomicU64>>,
    lag: Family<SubscriberName, Gauge>,
    failures: Family<SubscriberName, Counter>,
    names: Arc<Mutex<BTreeSet<SubscriberName>>>,
}

impl SubscriberMetrics {
    /// Makes them part of what is told.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("webhook_events_waiting", "Events that a subscriber has not accepted", self.waiting.clone());
        let help = "Age of the oldest event that a subscriber has not accepted";
        registry.register_with_unit("webhook_lag", help, Unit::Seconds, self.lag.clone());
        registry.register("webhook_failures", "Tries that a subscriber did not accept", self.failures.clone());
    }

    /// Takes a look. Whoever is not in it has no series any more.
    pub fn set(&self, looked: Vec<Seen>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = BTreeSet::new();
        for Seen { subscriber, waiting, lag_seconds, failures } in looked {
            let name = SubscriberName { subscriber };
            self.waiting.get_or_create(&name).set(waiting);
            self.lag.get_or_create(&name).set(lag_seconds);
            // The store counts them: they go on over a restart.
            self.failures.get_or_create(&name).inner().store(failures, Ordering::Relaxed);
            seen.insert(name);
        }
        for gone in names.difference(&seen) {
            self.waiting.remove(gone);
            self.lag.remove(gone);
            self.failures.remove(gone);
        }
        *names = seen;
    }
}
