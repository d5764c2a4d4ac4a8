//! Capacity: what a shop needs to serve a rate of orders, from what orders were measured to take.
//!
//! Owns    the figures of a measurement that a plan stands on, what is wanted, what follows from both, and what does not fit.
//! Always  every figure of a plan is a measured one times what is wanted, or an assumption that is told as one; nothing is planned without
//!         a measurement. A plan that cannot hold says what keeps it from holding.
//! Source  Little's law for connections (those at work = rate × time at work); busy shares below one, since queues grow without bound
//!         towards it.

pub mod files;
pub mod measured;

use serde::Serialize;

pub use self::measured::{Measured, NotMeasured};

/// Share of its processors that an edge is planned to use: a spare third for what is uneven.
pub const BUSY: f64 = 0.6;
/// Share of its time that a connection to the database is planned to be at work.
const CONNECTION_BUSY: f64 = 0.5;
/// One of four connections of an edge serves the gateway's answers alone.
const FRESH_CONNECTIONS: f64 = 0.75;
/// Connections that a database keeps for people and backups.
const RESERVED_CONNECTIONS: u32 = 10;
/// An edge alone keeps so many at least: one for the gateway's answers, and one that may wait.
const CONNECTIONS_MIN: u32 = 4;
/// More connections of one edge are a queue in the wrong place; see `store::postgres`.
const CONNECTIONS_MAX: u32 = 64;
/// Beyond that much more than was measured on one edge, a plan is a guess.
const EXTRAPOLATED: f64 = 1.25;

/// Where orders are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// A file beside the one edge.
    Sqlite,
    /// A server that edges share.
    Postgres,
}

/// What has to be served.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wanted {
    /// Orders a second in the busiest hour of a usual day.
    pub orders_per_second: f64,
    /// Page views a second then; `None`: not said, and not planned for.
    pub views_per_second: Option<f64>,
    /// How many times that the peak is.
    pub peak: f64,
    /// Where orders are kept.
    pub database: Database,
    /// Processors of each edge.
    pub processors: u32,
    /// Share of them that is used at the peak.
    pub busy: f64,
    /// Edges that may fail at the peak.
    pub spare: u32,
    /// Payments a second that the gateway takes from this account; `None`: not said.
    pub gateway_per_second: Option<f64>,
    /// Requests for pages a second that their host answers without the CDN; `None`: not said.
    pub origin_per_second: Option<f64>,
    /// Bytes that the database holds; `None`: not said.
    pub database_bytes: Option<u64>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// What it is for.
    pub wanted: Wanted,
    /// What it stands on.
    pub measured: Measured,
    /// Orders a second at the peak.
    pub orders_per_second: f64,
    /// Page views a second at the peak.
    pub views_per_second: Option<f64>,
    /// Edges.
    pub edges: Edges,
    /// The store.
    pub store: StoreNeeds,
    /// The gateway.
    pub gateway: GatewayNeeds,
    /// What the CDN has to answer itself, in percent of page views; `None`: nothing was said of views or their host.
    pub cdn_hit_percent: Option<f64>,
    /// What was not measured, and is taken for granted.
    pub assumed: Vec<String>,
    /// What does not fit: the plan does not hold.
    pub lacks: Vec<String>,
}

/// How many edges, and how they grow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edges {
    /// Processor time of an order with all that its shoppers did, in milliseconds.
    pub cpu_ms_per_order: f64,
    /// Processors that are busy at the peak.
    pub busy_processors: f64,
    /// Edges at the peak, spare ones included.
    pub at_peak: u32,
    /// Edges on a usual day, spare ones included.
    pub usual: u32,
    /// Orders a second that each of them serves where the spare ones have failed.
    pub orders_per_second_each: f64,
    /// Requests a second that each serves then.
    pub requests_per_second_each: f64,
    /// Orders and requests a second at which an edge is as busy as planned: what an autoscaler keeps.
    pub full_at: FullAt,
    /// Memory of each, in MiB: twice what was held.
    pub memory_mib: u64,
}

/// What an edge serves with the share of its processors that is planned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FullAt {
    /// Orders a second.
    pub orders_per_second: f64,
    /// Requests a second, those of page views among them.
    pub requests_per_second: f64,
}

/// What the store has to bear.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreNeeds {
    /// Transactions a second at the peak, each flushed to the disk, alone or with others.
    pub commits_per_second: f64,
    /// Connections at work at the peak.
    pub connections_at_work: f64,
    /// Connections of each edge (`VITRINE_DATABASE_CONNECTIONS`); 0 for a file.
    pub connections_each: u32,
    /// Connections that the database takes (`max_connections`); 0 for a file.
    pub max_connections: u32,
    /// Processors of the database; an upper bound, since its processes are at work only while connections are. 0 for a file.
    pub processors: u32,
    /// Its memory in GiB; `None`: nothing was said of its size. Half of what it holds, and 2 at least.
    pub memory_gib: Option<u64>,
}

/// What the gateway has to take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GatewayNeeds {
    /// Payments a second at the peak.
    pub payments_per_second: f64,
    /// Calls a second at the peak.
    pub calls_per_second: f64,
    /// What each edge is told (`VITRINE_PAYMENTS_PER_SECOND`): its part of what the gateway takes, or a half more than its part of the peak.
    pub payments_per_second_each: u32,
}

impl Plan {
    /// What is needed.
    pub fn new(wanted: Wanted, measured: Measured) -> Self {
        let mut assumed = Vec::new();
        let mut lacks = Vec::new();
        let orders_per_second = wanted.orders_per_second * wanted.peak;
        let views_per_second = wanted.views_per_second.map(|views| views * wanted.peak);
        let view_ms = measured.cpu_ms_per_view.filter(|_| views_per_second.is_some());
        let edges = edges(&wanted, &measured, view_ms);
        match (wanted.database, edges.at_peak) {
            (Database::Sqlite, 2..) => lacks.push(format!(
                "one edge keeps the orders of a file, and {:.1} processors are busy at the peak: give it {} or more (--processors), or \
                 keep orders in PostgreSQL (--database postgres)",
                edges.busy_processors,
                (edges.busy_processors / wanted.busy).ceil()
            )),
            _ => assumed.push(
                "an edge with more processors, and more edges, serve as many more orders: the database is what they share".to_owned(),
            ),
        }
        if edges.orders_per_second_each > measured.orders_per_second_each * EXTRAPOLATED {
            assumed.push(format!(
                "each edge serves {} at the peak, and was measured at {}: measure at that rate before you count on it",
                per_minute(edges.orders_per_second_each),
                per_minute(measured.orders_per_second_each)
            ));
        }
        if views_per_second.is_some() && view_ms.is_none() {
            assumed.push(
                "what views of pages ask of an edge (price and stock) was not measured: add a report of `vitrine load --scenario browse \
                 --operator URL`"
                    .to_owned(),
            );
        }
        let store = store(&wanted, &measured, orders_per_second, edges.at_peak, &mut lacks);
        if wanted.database == Database::Postgres {
            assumed.push(
                "the database is as fast as the one that was measured, and its disk flushes as many transactions".to_owned(),
            );
        }
        let gateway = gateway(&wanted, &measured, orders_per_second, edges.at_peak, &mut lacks);
        if wanted.gateway_per_second.is_none() {
            assumed.push(
                "the gateway takes every payment: ask it what your account may do, and say it with --gateway-rate".to_owned(),
            );
        }
        let cdn_hit_percent = views_per_second
            .zip(wanted.origin_per_second)
            .map(|(views, origin)| if views > origin { (1.0 - origin / views) * 100.0 } else { 0.0 });
        Self { wanted, measured, orders_per_second, views_per_second, edges, store, gateway, cdn_hit_percent, assumed, lacks }
    }

    /// Whether it serves what is wanted.
    pub fn holds(&self) -> bool {
        self.lacks.is_empty()
    }

    /// For people.
    pub fn text(&self) -> String {
        let Self { wanted, measured, edges, store, gateway, .. } = self;
        let mut lines = vec![
            format!(
                "peak       {} ({} × {}){}",
                per_minute(self.orders_per_second),
                per_minute(wanted.orders_per_second),
                trimmed(wanted.peak),
                self.views_per_second.map_or_else(String::new, |views| format!(", {views:.0} page views/s"))
            ),
            format!("measured   {}", measured.told()),
            format!(
                "edges      {} with {} processors each ({} on a usual day): {:.2} busy at the peak by {:.2} ms an order, {} % of each, {} spare; \
                 {} MiB each",
                edges.at_peak,
                wanted.processors,
                edges.usual,
                edges.busy_processors,
                edges.cpu_ms_per_order,
                (wanted.busy * 100.0).round(),
                wanted.spare.min(edges.at_peak.saturating_sub(1)),
                edges.memory_mib
            ),
        ];
        lines.push(match wanted.database {
            Database::Sqlite => format!(
                "store      a file: {:.0} transactions/s, its writer at work {:.0} % of the time",
                store.commits_per_second,
                store.connections_at_work * 100.0
            ),
            Database::Postgres => format!(
                "database   {:.0} transactions/s; {:.1} connections at work: {} an edge, max_connections {}; processors: {} at most{}",
                store.commits_per_second,
                store.connections_at_work,
                store.connections_each,
                store.max_connections,
                store.processors,
                store.memory_gib.map_or_else(String::new, |memory| format!(", {memory} GiB of memory"))
            ),
        });
        lines.push(format!(
            "gateway    {:.1} payments/s, {:.1} calls/s; each edge lets {} begin a second",
            gateway.payments_per_second, gateway.calls_per_second, gateway.payments_per_second_each
        ));
        if let Some(percent) = self.cdn_hit_percent {
            lines.push(format!("CDN        answers {percent:.2} % of page views itself, or more"));
        }
        lines.extend(self.assumed.iter().map(|text| format!("assumed    {text}")));
        lines.extend(self.lacks.iter().map(|text| format!("LACKS      {text}")));
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn edges(wanted: &Wanted, measured: &Measured, view_ms: Option<f64>) -> Edges {
    let busy_at = |times: f64| {
        let views = wanted.views_per_second.unwrap_or(0.0) * view_ms.unwrap_or(0.0);
        (wanted.orders_per_second * measured.cpu_ms_per_order + views) * times / 1e3
    };
    let each = f64::from(wanted.processors) * wanted.busy;
    let needed = |times: f64| count(busy_at(times) / each).max(1);
    // A file has one edge; others stand in for one another.
    let with_spare = |needed: u32| if wanted.database == Database::Sqlite { needed } else { needed.saturating_add(wanted.spare) };
    let left = f64::from(needed(wanted.peak));
    let orders_per_second_each = wanted.orders_per_second * wanted.peak / left;
    let views_each = wanted.views_per_second.filter(|_| view_ms.is_some()).unwrap_or(0.0) * wanted.peak / left;
    let requests_per_second_each = orders_per_second_each * measured.requests_per_order + views_each;
    // How many times what it serves at the peak.
    let room = each * left / busy_at(wanted.peak);
    Edges {
        cpu_ms_per_order: measured.cpu_ms_per_order,
        busy_processors: busy_at(wanted.peak),
        at_peak: with_spare(needed(wanted.peak)),
        usual: with_spare(needed(1.0)),
        orders_per_second_each,
        requests_per_second_each,
        full_at: FullAt {
            orders_per_second: orders_per_second_each * room,
            requests_per_second: requests_per_second_each * room,
        },
        memory_mib: (measured.resident_bytes * 2).div_ceil(1 << 20).next_multiple_of(64).max(128),
    }
}

fn store(wanted: &Wanted, measured: &Measured, orders: f64, edges: u32, lacks: &mut Vec<String>) -> StoreNeeds {
    let commits_per_second = orders * measured.commits_per_order;
    let connections_at_work = orders * measured.store_busy_ms_per_order / 1e3;
    if wanted.database == Database::Sqlite {
        if connections_at_work > CONNECTION_BUSY {
            lacks.push(format!(
                "the one writer of a file is at work {:.0} % of the time at the peak, and {:.0} % leaves room for what is uneven: a faster disk, \
                 or PostgreSQL (--database postgres)",
                connections_at_work * 100.0,
                CONNECTION_BUSY * 100.0
            ));
        }
        return StoreNeeds {
            commits_per_second,
            connections_at_work,
            connections_each: 0,
            max_connections: 0,
            processors: 0,
            memory_gib: None,
        };
    }
    let each = count(connections_at_work / CONNECTION_BUSY / FRESH_CONNECTIONS / f64::from(edges)).max(CONNECTIONS_MIN);
    if each > CONNECTIONS_MAX {
        lacks.push(format!(
            "each edge would need {each} connections to the database, and has {CONNECTIONS_MAX} at most: the database is too slow for this rate, \
             by a step's {:.1} ms",
            measured.store_busy_ms_per_order / measured.steps_per_order.max(1.0)
        ));
    }
    let connections_each = each.min(CONNECTIONS_MAX);
    // Half of it in memory: what is read are indexes and the orders of the last weeks.
    let memory = |bytes: u64| (bytes / 2).div_ceil(1 << 30).max(2).next_power_of_two();
    StoreNeeds {
        commits_per_second,
        connections_at_work,
        connections_each,
        // While edges are replaced one after the other there is one more.
        max_connections: (edges + 1) * connections_each + RESERVED_CONNECTIONS,
        processors: count(connections_at_work / BUSY).max(1),
        memory_gib: wanted.database_bytes.map(memory),
    }
}

fn gateway(wanted: &Wanted, measured: &Measured, orders: f64, edges: u32, lacks: &mut Vec<String>) -> GatewayNeeds {
    let payments_per_second = orders * measured.payments_per_order;
    let edges = f64::from(edges.max(1));
    let each = match wanted.gateway_per_second {
        Some(limit) => {
            if payments_per_second > limit {
                lacks.push(format!(
                    "the gateway takes {} payments/s and {payments_per_second:.1} begin at the peak: {:.1} a second are told to come again; ask \
                     it for more",
                    trimmed(limit),
                    payments_per_second - limit
                ));
            }
            (limit / edges).floor()
        }
        None => (payments_per_second * 1.5 / edges).ceil(),
    };
    GatewayNeeds {
        payments_per_second,
        calls_per_second: orders * measured.gateway_calls_per_order,
        payments_per_second_each: count(each).max(1),
    }
}

// Beyond what is planned anywhere; never a number below.
fn count(number: f64) -> u32 {
    if number.is_finite() { number.ceil().clamp(0.0, 1e6) as u32 } else { 1_000_000 }
}

pub(super) fn per_minute(per_second: f64) -> String {
    format!("{} orders/min", trimmed(per_second * 60.0))
}

// Without a tail of zeros.
pub(super) fn trimmed(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests;
