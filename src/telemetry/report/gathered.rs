//! Gathered: the rows of a period, added up.
//!
//! Always  in whatever order rows come, the same comes out; a row that cannot be read is counted and left out.
//! Limits  memory goes with the hours of the period (some 200 bytes each) and not with what was counted in them.

use std::collections::BTreeMap;

use crate::telemetry::cells::{Counts, Requests, Steps, Times, Views};
use crate::telemetry::slo::Area;
use crate::telemetry::tally::{PROBLEMS, Problem, REQUESTS, STEPS, VIEWS};
use crate::telemetry::vitals::{Bucket, Connection, Device, Page};

/// Amounts by currency, minor units.
pub type Amounts = BTreeMap<String, u64>;

/// What was counted in an hour, as far as it is shown by the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Views that were told.
    pub views: u64,
    /// Requests of all areas, and those that failed.
    pub requests: u64,
    /// Answered by 5xx.
    pub failed: u64,
    /// Carts that were begun.
    pub carts: u64,
    /// Paid orders.
    pub orders: u64,
    /// Their money.
    pub revenue: Amounts,
}

impl Hour {
    /// Adds another. What is too much to be counted stays at the most that can be.
    pub fn add(&mut self, other: &Self) {
        let Self { views, requests, failed, carts, orders, revenue } = self;
        let sums = [(views, other.views), (requests, other.requests), (failed, other.failed)];
        for (own, more) in sums.into_iter().chain([(carts, other.carts), (orders, other.orders)]) {
            *own = own.saturating_add(more);
        }
        for (currency, minor) in &other.revenue {
            let own = revenue.entry(currency.clone()).or_default();
            *own = own.saturating_add(*minor);
        }
    }
}

/// A period, added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gathered {
    /// Views by page, device, connection.
    pub views: BTreeMap<(Page, Device, Connection), Views>,
    /// Carts by the bucket they carry (`None`: not told) and their currency.
    pub steps: BTreeMap<(Option<Bucket>, String), Steps>,
    /// Requests by area.
    pub requests: BTreeMap<Area, Requests>,
    /// What shoppers met.
    pub problems: BTreeMap<Problem, u64>,
    /// By hours since 1970.
    pub hours: BTreeMap<i64, Hour>,
    /// Rows.
    pub rows: u64,
    /// Rows that could not be read: of a later program, or damaged.
    pub unreadable: u64,
}

impl Gathered {
    /// Adds a row.
    pub fn add(&mut self, hour: i64, kind: &str, cell: &str, body: &[u8]) {
        self.rows += 1;
        if self.read(hour, kind, cell, body).is_none() {
            self.unreadable += 1;
        }
    }

    fn read(&mut self, hour: i64, kind: &str, cell: &str, body: &[u8]) -> Option<()> {
        match kind {
            VIEWS => {
                let mut words = cell.rsplit('/');
                let connection = Connection::of(words.next()?)?;
                let device = Device::of(words.next()?)?;
                let page = Page::of(words.next()?)?;
                // Apart from the sum, which is not to have a part of what is left out.
                let mut views = Views::default();
                views.merge_bytes(body)?;
                let one = Hour { views: views.count, ..Hour::default() };
                self.hours.entry(hour).or_default().add(&one);
                self.views.entry((page, device, connection)).or_default().merge(&views);
            }
            STEPS => {
                let mut words = cell.rsplit('/');
                let bucket = Bucket::of(words.next()?.parse().ok()?);
                let currency = words.next()?.to_owned();
                let steps: Steps = read(body)?;
                let mut one = Hour { carts: steps.carts, orders: steps.orders, ..Hour::default() };
                if steps.revenue_minor > 0 {
                    one.revenue.insert(currency.clone(), steps.revenue_minor);
                }
                self.hours.entry(hour).or_default().add(&one);
                self.steps.entry((bucket, currency)).or_default().merge(&steps);
            }
            REQUESTS => {
                let area = Area::ALL.into_iter().find(|area| area.name() == cell)?;
                let requests: Requests = read(body)?;
                let one = Hour { requests: requests.count(), failed: requests.failed, ..Hour::default() };
                self.hours.entry(hour).or_default().add(&one);
                self.requests.entry(area).or_default().merge(requests);
            }
            PROBLEMS => {
                let problem = Problem::ALL.into_iter().find(|problem| problem.word() == cell)?;
                let times: Times = read(body)?;
                let sum = self.problems.entry(problem).or_default();
                *sum = sum.saturating_add(times.0);
            }
            _ => return None,
        }
        Some(())
    }

    /// All hours together.
    pub fn total(&self) -> Hour {
        let mut total = Hour::default();
        self.hours.values().for_each(|hour| total.add(hour));
        total
    }

    /// Carts of some buckets, in all currencies, and their money.
    pub fn steps_of(&self, is_meant: impl Fn(Option<Bucket>) -> bool) -> (Steps, Amounts) {
        let (mut sum, mut amounts) = (Steps::default(), Amounts::new());
        for ((_, currency), steps) in self.steps.iter().filter(|((bucket, _), _)| is_meant(*bucket)) {
            sum.merge(steps);
            if steps.revenue_minor > 0 {
                let sum = amounts.entry(currency.clone()).or_default();
                *sum = sum.saturating_add(steps.revenue_minor);
            }
        }
        (sum, amounts)
    }

    /// Views of some pages.
    pub fn views_of(&self, is_meant: impl Fn(Page, Device, Connection) -> bool) -> Views {
        let mut sum = Views::default();
        let meant = self.views.iter().filter(|((page, device, connection), _)| is_meant(*page, *device, *connection));
        meant.for_each(|(_, views)| sum.merge(views));
        sum
    }
}

fn read<T: Counts>(body: &[u8]) -> Option<T> {
    let mut counts = T::default();
    counts.merge_bytes(body)?;
    Some(counts)
}
