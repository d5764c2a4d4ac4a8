//! Services: what systems of the merchant's own answer while shoppers wait.
//!
//! Owns    the names of these series. They are told only where the shop names such a system.
//! Limits  every label is one of a fixed set; nothing that is answered makes a new series.

use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabel {
    dependency: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DependencyLabel {
    dependency: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    dependency: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// Counters and gauges of one edge.
#[derive(Debug)]
pub struct ServiceMetrics {
    registry: Registry,
    calls: Family<CallLabel, Counter>,
    resends: Family<DependencyLabel, Counter>,
    breaker: Family<StateLabel, Gauge>,
    prices: Family<SourceLabel, Counter>,
    refused: Family<ReasonLabel, Counter>,
    holds: Family<ResultLabel, Counter>,
    sales: Family<ResultLabel, Counter>,
    begun: Mutex<Vec<&'static str>>,
}

impl Default for ServiceMetrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("vitrine"),
            calls: Family::default(),
            resends: Family::default(),
            breaker: Family::default(),
            prices: Family::default(),
            refused: Family::default(),
            holds: Family::default(),
            sales: Family::default(),
            begun: Mutex::default(),
        };
        let page = &mut metrics.registry;
        page.register("service_calls", "Calls to a service of the shop by how they ended", metrics.calls.clone());
        page.register("service_resends", "Calls to a service that were sent a second time", metrics.resends.clone());
        page.register("service_breaker", "1 for the state that a service's breaker is in", metrics.breaker.clone());
        page.register("outside_prices", "Prices that carts were priced by, by where they came from", metrics.prices.clone());
        let help = "Prices that the pricing service told and that were not believed";
        page.register("outside_prices_refused", help, metrics.refused.clone());
        page.register("stock_holds", "Payments for which the inventory service was asked for units", metrics.holds.clone());
        page.register("stock_sales", "Facts about orders told to the inventory service", metrics.sales.clone());
        metrics
    }
}

impl ServiceMetrics {
    /// Begins the series of a dependency at zero, so that their first rise is seen.
    fn begin(&self, dependency: &'static str) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.contains(&dependency) {
            return;
        }
        begun.push(dependency);
        for outcome in ["answered", "failed", "key_refused", "not_sent"] {
            drop(self.calls.get_or_create(&CallLabel { dependency, outcome }));
        }
        drop(self.resends.get_or_create(&DependencyLabel { dependency }));
    }

    /// A call ended.
    pub fn called(&self, dependency: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&CallLabel { dependency, outcome }).inc();
    }

    /// A call was sent a second time.
    pub fn resent(&self, dependency: &'static str) {
        self.resends.get_or_create(&DependencyLabel { dependency }).inc();
    }

    /// A line was priced by a price from there.
    pub fn priced(&self, source: &'static str) {
        self.prices.get_or_create(&SourceLabel { source }).inc();
    }

    /// A told price was not believed.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Units were asked for.
    pub fn held(&self, result: &'static str) {
        self.holds.get_or_create(&ResultLabel { result }).inc();
    }

    /// A fact about an order was told.
    pub fn told(&self, result: &'static str) {
        self.sales.get_or_create(&ResultLabel { result }).inc();
    }

    /// Sets the state of a breaker: each state there is, and whether it is in it.
    pub fn set_breaker(&self, dependency: &'static str, states: &[(&'static str, bool)]) {
        self.begin(dependency);
        for (state, is_in) in states {
            self.breaker.get_or_create(&StateLabel { dependency, state }).set(i64::from(*is_in));
        }
    }

    /// The registry, to be printed.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}
