//! Measured: what a plan stands on, out of reports of `vitrine load --json` with a cost.

use serde::{Deserialize, Serialize};

use super::{per_minute, trimmed};
use crate::load::cost::Cost;

/// Fewer orders say little of what one costs: start-up and chance are in it.
const MIN_ORDERS: u64 = 30;
/// The same of requests.
const MIN_REQUESTS: u64 = 300;

/// What of a report a plan needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    began_at: String,
    seconds: f64,
    requests: u64,
    shed: u64,
    orders_paid: u64,
    cost: Option<Cost>,
    checkout: Both,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
struct Both {
    response: Times,
}

#[derive(Clone, Debug, Deserialize)]
struct Times {
    count: u64,
    p99_ms: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Step {
    step: String,
    response: Times,
}

/// What orders take, and views.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// When (UTC), of the run with orders.
    pub began_at: String,
    /// Orders that were paid.
    pub orders: u64,
    /// Orders a second of each edge.
    pub orders_per_second_each: f64,
    /// Processors of each edge.
    pub processors_each: f64,
    /// Share of these that was used.
    pub busy: f64,
    /// What the 99th of a hundred steps of checkouts took, in milliseconds.
    pub checkout_p99_ms: f64,
    /// Whether some were refused for there being too much to do: then the rate is what an edge can do at most.
    pub was_full: bool,
    /// Processor time of edges, in milliseconds.
    pub cpu_ms_per_order: f64,
    /// Processor time of edges for a view's question for price and stock, in milliseconds; `None`: not measured.
    pub cpu_ms_per_view: Option<f64>,
    /// Transactions.
    pub commits_per_order: f64,
    /// Steps in them.
    pub steps_per_order: f64,
    /// Time that connections to the store were at work, in milliseconds.
    pub store_busy_ms_per_order: f64,
    /// Requests.
    pub requests_per_order: f64,
    /// Payments that began: more than orders, since some are declined.
    pub payments_per_order: f64,
    /// Calls to the gateway.
    pub gateway_calls_per_order: f64,
    /// Memory that the largest edge held.
    pub resident_bytes: u64,
}

/// Why reports are no measurement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMeasured {
    /// It is another file.
    #[error("{file}: this is no report of `vitrine load --json` ({reason})")]
    NotAReport {
        /// Its name.
        file: String,
        /// Why not.
        reason: String,
    },
    /// Nobody asked the edges.
    #[error(
        "{file}: what the run took of the edge is not in it; measure again with --operator http://127.0.0.1:9081, where the edge tells it"
    )]
    NoCost {
        /// Its name.
        file: String,
    },
    /// Too little was done.
    #[error(
        "{file}: {found} are too few to tell what one takes; send {least} or more: for longer (--for), or at a higher rate (--rate)"
    )]
    TooFew {
        /// Its name.
        file: String,
        /// How many of what.
        found: String,
        /// How many are enough.
        least: u64,
    },
    /// None with orders, or several.
    #[error(
        "{found} of these reports have orders, and a plan stands on one: give that of the scenario that is like your shoppers, such as \
         `vitrine load --scenario mix --operator URL --json mix.json`, and beside it at most reports without orders"
    )]
    Orders {
        /// How many.
        found: usize,
    },
}

impl Report {
    /// Reads one; `file` is how it is called in errors.
    pub fn read(file: &str, text: &str) -> Result<(Self, Cost), NotMeasured> {
        let owned = || file.to_owned();
        let report: Self =
            serde_json::from_str(text).map_err(|error| NotMeasured::NotAReport { file: owned(), reason: error.to_string() })?;
        let cost =
            report.cost.filter(|cost| cost.edges > 0 && cost.cpu_seconds > 0.0).ok_or(NotMeasured::NoCost { file: owned() })?;
        let few = |count: u64, what: &str, least: u64| {
            (count < least).then(|| NotMeasured::TooFew { file: owned(), found: format!("{count} {what}"), least })
        };
        let is_few = match report.orders_paid {
            0 => few(report.requests, "requests", MIN_REQUESTS),
            orders => few(orders, "orders", MIN_ORDERS),
        };
        is_few.map_or(Ok((report, cost)), Err)
    }

    fn count(&self, step: &str) -> u64 {
        self.steps.iter().filter(|report| report.step == step).map(|report| report.response.count).sum()
    }
}

fn to_the_second(instant: &str) -> String {
    let (seconds, _) = instant.split_once('.').unwrap_or((instant.trim_end_matches('Z'), ""));
    format!("{seconds}Z")
}

impl Measured {
    /// From one report with orders, and any number of reports without.
    pub fn of(reports: &[(Report, Cost)]) -> Result<Self, NotMeasured> {
        let (with, without): (Vec<_>, Vec<_>) = reports.iter().partition(|(report, _)| report.orders_paid > 0);
        let [(report, cost)] = with.as_slice() else { return Err(NotMeasured::Orders { found: with.len() }) };
        let orders = report.orders_paid as f64;
        let edges = f64::from(cost.edges);
        let views: u64 = without.iter().map(|(report, _)| report.count("availability")).sum();
        let spent: f64 = without.iter().map(|(_, cost)| cost.cpu_seconds).sum();
        let seconds = report.seconds.max(1e-3);
        Ok(Self {
            began_at: to_the_second(&report.began_at),
            orders: report.orders_paid,
            orders_per_second_each: orders / seconds / edges,
            processors_each: f64::from(cost.processors) / edges,
            busy: cost.cpu_seconds / seconds / f64::from(cost.processors.max(1)),
            checkout_p99_ms: if report.checkout.response.count > 0 { report.checkout.response.p99_ms } else { 0.0 },
            was_full: report.shed > 0,
            cpu_ms_per_order: cost.cpu_seconds * 1e3 / orders,
            cpu_ms_per_view: (views >= MIN_REQUESTS).then(|| spent * 1e3 / views as f64),
            commits_per_order: cost.commits as f64 / orders,
            steps_per_order: cost.steps as f64 / orders,
            store_busy_ms_per_order: cost.store_busy_seconds * 1e3 / orders,
            requests_per_order: report.requests as f64 / orders,
            payments_per_order: (report.count("pay") as f64 / orders).max(1.0),
            gateway_calls_per_order: cost.gateway_calls as f64 / orders,
            resident_bytes: cost.resident_bytes,
        })
    }

    /// For people.
    pub fn told(&self) -> String {
        let view = self.cpu_ms_per_view.map_or_else(String::new, |view| format!(", {view:.3} ms a view"));
        format!(
            "{} of an edge with {} processors ({:.0} % used{}), p99 of checkout {:.0} ms; an order takes {:.2} ms of an edge, {:.1} \
             transactions, {:.2} ms of the store's connections{view}",
            per_minute(self.orders_per_second_each),
            trimmed(self.processors_each),
            self.busy * 100.0,
            if self.was_full { ", full" } else { "" },
            self.checkout_p99_ms,
            self.cpu_ms_per_order,
            self.commits_per_order,
            self.store_busy_ms_per_order
        )
    }
}
