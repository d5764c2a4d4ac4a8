//! Requests: how many, how they ended, how long they took, per route.
//!
//! Limits  one series per route and status class; a path a client makes up never makes a new one.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper edges in seconds: a cart answer takes microseconds, a payment up to seconds.
pub(super) const SECONDS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WeightLabel {
    weight: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteName {
    route: String,
}

/// Counters and times of requests; recording takes no lock.
#[derive(Debug)]
pub struct RequestMetrics {
    registry: Registry,
    read_only: Gauge,
    hooks_not_of_now: Counter,
    routes: Vec<RouteMetrics>,
    /// Passed and shed, by weight.
    weights: Vec<[Counter; 2]>,
    newcomers: Level,
    waited: Level,
    under_way: Gauge,
}

#[derive(Debug)]
struct RouteMetrics {
    by_class: [Counter; 5],
    seconds: Histogram,
}

/// A fraction, as a gauge.
type Level = Gauge<f64, AtomicU64>;

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl RequestMetrics {
    /// Metrics for routes of these names, and for the weights of requests that may be refused; requests that found no route are counted
    /// apart.
    pub fn new(mut names: Vec<String>, weights: &[&'static str]) -> Self {
        names.push("none".to_owned());
        let counters = Family::<RouteLabel, Counter>::default();
        let times = Family::<RouteName, Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let one = |name: &String| RouteMetrics {
            by_class: CLASSES.map(|status| counters.get_or_create(&RouteLabel { route: name.clone(), status }).clone()),
            seconds: times.get_or_create(&RouteName { route: name.clone() }).clone(),
        };
        let routes = names.iter().map(one).collect();
        let mut registry = Registry::with_prefix("vitrine");
        registry.register("http_requests", "Requests by route and status class", counters);
        registry.register_with_unit("http_request", "Time from the head to the answer", Unit::Seconds, times);
        let read_only = Gauge::default();
        registry.register("store_read_only", "1 while the store's disk is full and new payments are refused", read_only.clone());
        let hooks_not_of_now = Counter::default();
        let help = "Webhooks signed too long ago or in the future: this machine's clock may be wrong";
        registry.register("webhooks_not_of_now", help, hooks_not_of_now.clone());
        let (passed, shed) = (Family::<WeightLabel, Counter>::default(), Family::<WeightLabel, Counter>::default());
        let of = |family: &Family<WeightLabel, Counter>, weight| family.get_or_create(&WeightLabel { weight }).clone();
        let counted = weights.iter().map(|weight| [of(&passed, *weight), of(&shed, *weight)]).collect();
        registry.register("requests_passed", "Requests that may be refused under load and were not", passed);
        registry.register("requests_shed", "Requests refused because there was more to do than could be done", shed);
        let (newcomers, waited) = (Level::default(), Level::default());
        registry.register("newcomers_limit", "Shoppers without a cart who are let in each second; 0: all", newcomers.clone());
        registry.register_with_unit("pulse_wait", "What a request waits before it is begun", Unit::Seconds, waited.clone());
        let under_way = Gauge::default();
        registry.register("http_requests_under_way", "Requests that are not answered yet", under_way.clone());
        Self { registry, read_only, hooks_not_of_now, routes, weights: counted, newcomers, waited, under_way }
    }

    /// Counts a request that may be refused, by the place of its weight: whether it passed.
    pub fn weighed(&self, place: usize, passed: bool) {
        self.weights[place][usize::from(!passed)].inc();
    }

    /// Counts a webhook whose signature is not of now.
    pub fn record_hook_not_of_now(&self) {
        self.hooks_not_of_now.inc();
    }

    /// Whether new payments are refused because the store's disk is full.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.read_only.set(i64::from(is_read_only));
    }

    /// Where others add what is told beside requests.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Counts an answer. `route`: its index in the names; `None`: no route was found.
    pub fn record(&self, route: Option<usize>, status: u16, seconds: f64) {
        let metrics = &self.routes[route.unwrap_or(self.routes.len() - 1)];
        metrics.by_class[usize::from(status / 100).clamp(1, CLASSES.len()) - 1].inc();
        metrics.seconds.observe(seconds);
    }

    /// Sets how many are under way, how many newcomers are let in each second and what a pulse waited, and gives the registry to be printed.
    pub fn at(&self, under_way: usize, newcomers: f64, waited: Duration) -> &Registry {
        self.newcomers.set(newcomers);
        self.waited.set(waited.as_secs_f64());
        self.under_way.set(i64::try_from(under_way).unwrap_or(i64::MAX));
        &self.registry
    }
}
