//! Tally: what happens at this edge, counted by the hour until it is written down.
//!
//! Owns    the cells in memory, what is new in them, and what could not be counted.
//! Limits  VIEW_CELLS and STEP_CELLS: a market has 96 cells of views in an hour, and 960 of carts. What finds no room is dropped and
//!         counted: nobody who buys waits for it. Names are those of markets and currencies that the edge knows, NAMES at most.
//! Always  a cell is written as the whole of what this process counted in that hour, so that writing it twice counts once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::beacons::{BeaconMetrics, Lost};
use super::cells::{Counts as _, EDGES, Requests, Steps, Times, Views};
use super::requests::SECONDS;
use super::slo::Area;
use super::vitals::{BUCKETS, Beacon, Connection, Device, Page};

/// Cells of views that are held: six markets' hour, 35 MB at the very most; some 15 kB each as shops are.
const VIEW_CELLS: usize = 600;
/// Cells of carts that are held, under 100 bytes each.
const STEP_CELLS: usize = 20_000;
/// Markets and currencies.
const NAMES: usize = 1_000;
/// Carts whose checkout was counted lately, so that a shopper who goes back and on again is counted once: 8 bytes each, in memory alone.
const LATELY: usize = 50_000;
/// Cells that are written down in one go, in which whoever tells of a page waits.
const AT_ONCE: usize = 16;
/// The same of carts, which are smaller.
const STEPS_AT_ONCE: usize = 256;
/// Kinds of rows.
pub const VIEWS: &str = "views";
/// Carts on their way.
pub const STEPS: &str = "steps";
/// What shoppers met.
pub const PROBLEMS: &str = "problems";
/// Requests of an area.
pub const REQUESTS: &str = "requests";
/// Seconds of an hour.
const HOUR_SECONDS: i64 = 3_600;

/// What went wrong for a shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Too few units.
    OutOfStock,
    /// Dearer, or otherwise priced, than what was seen.
    PriceChanged,
    /// The gateway refused the payment.
    Declined,
    /// An address, a phone number, a place nothing is sent to.
    AddressRefused,
    /// A code that gives nothing.
    CouponRefused,
    /// A quantity that cannot be had.
    QuantityRefused,
    /// The edge, its store or its gateway could not.
    Unavailable,
    /// Any other no.
    Other,
}

impl Problem {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::OutOfStock,
        Self::PriceChanged,
        Self::Declined,
        Self::AddressRefused,
        Self::CouponRefused,
        Self::QuantityRefused,
        Self::Unavailable,
        Self::Other,
    ];

    /// Its word in metrics and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::PriceChanged => "price_changed",
            Self::Declined => "declined",
            Self::AddressRefused => "address_refused",
            Self::CouponRefused => "coupon_refused",
            Self::QuantityRefused => "quantity_refused",
            Self::Unavailable => "unavailable",
            Self::Other => "other",
        }
    }
}

/// A step of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is begun.
    Cart,
    /// Its first checkout is begun.
    Checkout {
        /// Its name, of which nothing is kept beyond memory.
        cart: u64,
    },
    /// Its order is paid.
    Order {
        /// Minor units.
        total_minor: u64,
    },
}

/// Which carts are alike.
#[derive(Clone, Copy, Debug)]
pub struct Alike<'a> {
    /// The market's name.
    pub market: &'a str,
    /// ISO 4217.
    pub currency: &'a str,
    /// The bucket's number; 0: not told.
    pub bucket: u8,
}

/// A cell as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Hours since 1970.
    pub hour: i64,
    /// `views`, `steps`, `problems`, `requests`.
    pub kind: &'static str,
    /// Which, in words.
    pub cell: String,
    /// What is counted in it.
    pub body: Vec<u8>,
}

/// The hour of an instant in seconds since 1970.
pub fn hour_of(seconds: i64) -> i64 {
    seconds.div_euclid(HOUR_SECONDS)
}

/// What is counted at one edge.
#[derive(Debug, Default)]
pub struct Tally {
    views: Mutex<ViewCells>,
    steps: Mutex<StepCells>,
    problems: [AtomicU64; Problem::ALL.len()],
    requests: [AreaCount; Area::ALL.len()],
    /// Beacons that were heard and lost, and the pages' measures, for `/metrics`.
    pub metrics: BeaconMetrics,
}

#[derive(Debug, Default)]
struct AreaCount {
    failed: AtomicU64,
    by_edge: [AtomicU64; EDGES],
}

type ViewKey = (i64, u16, Page, Device, Connection);
type StepKey = (i64, u16, u16, u8);

#[derive(Debug, Default)]
struct ViewCells {
    names: Vec<String>,
    cells: BTreeMap<ViewKey, Views>,
    new: BTreeSet<ViewKey>,
}

#[derive(Debug, Default)]
struct StepCells {
    names: Vec<String>,
    cells: BTreeMap<StepKey, Steps>,
    new: BTreeSet<StepKey>,
    counts: Counts,
    new_counts: BTreeSet<(i64, Counted)>,
    lately: BTreeSet<u64>,
    in_turn: VecDeque<u64>,
}

/// By hour and place.
#[derive(Debug, Default)]
struct Counts {
    problems: BTreeMap<(i64, usize), Times>,
    requests: BTreeMap<(i64, usize), Requests>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counted {
    Problem(usize),
    Requests(usize),
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each count leaves it whole: what a panic left can be used.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of a name, which is noted where it is new; `None`: there are too many.
fn named(names: &mut Vec<String>, name: &str) -> Option<u16> {
    let place = names.iter().position(|known| known == name).unwrap_or(names.len());
    if place == names.len() {
        if place == NAMES {
            return None;
        }
        names.push(name.to_owned());
    }
    u16::try_from(place).ok()
}

impl Tally {
    /// Counts a view of a page. Its market has to be one of the shop's.
    pub fn see(&self, beacon: &Beacon<'_>, now_s: i64) {
        let mut views = held(&self.views);
        let ViewCells { names, cells, new } = &mut *views;
        let Some(market) = named(names, beacon.market) else { return self.metrics.lose(Lost::NoRoom) };
        let key = (hour_of(now_s), market, beacon.page, beacon.device, beacon.connection);
        if cells.len() >= VIEW_CELLS && !cells.contains_key(&key) {
            return self.metrics.lose(Lost::NoRoom);
        }
        cells.entry(key).or_default().add(beacon);
        new.insert(key);
        drop(views);
        self.metrics.hear(beacon);
    }

    /// Counts a step of a cart.
    pub fn step(&self, alike: Alike<'_>, step: Step, now_s: i64) {
        let mut all = held(&self.steps);
        let StepCells { names, cells, new, lately, in_turn, .. } = &mut *all;
        if let Step::Checkout { cart } = step {
            if !lately.insert(cart) {
                return;
            }
            in_turn.push_back(cart);
            if in_turn.len() > LATELY
                && let Some(oldest) = in_turn.pop_front()
            {
                lately.remove(&oldest);
            }
        }
        let (Some(market), Some(currency)) = (named(names, alike.market), named(names, alike.currency)) else {
            return self.metrics.lose(Lost::NoRoom);
        };
        // A number that was made up counts among those that were not told.
        let bucket = if alike.bucket > BUCKETS { 0 } else { alike.bucket };
        let key = (hour_of(now_s), market, currency, bucket);
        if cells.len() >= STEP_CELLS && !cells.contains_key(&key) {
            return self.metrics.lose(Lost::NoRoom);
        }
        let cell = cells.entry(key).or_default();
        match step {
            Step::Cart => cell.carts += 1,
            Step::Checkout { .. } => cell.checkouts += 1,
            Step::Order { total_minor } => {
                cell.orders += 1;
                cell.revenue_minor = cell.revenue_minor.saturating_add(total_minor);
            }
        }
        new.insert(key);
    }

    /// Counts what went wrong for a shopper. Takes no lock.
    pub fn meet(&self, problem: Problem) {
        self.problems[problem as usize].fetch_add(1, Ordering::Relaxed);
        self.metrics.meet(problem);
    }

    /// Counts an answer. Takes no lock.
    pub fn answered(&self, area: Area, status: u16, seconds: f64) {
        let count = &self.requests[area as usize];
        let edge = SECONDS.iter().position(|edge| seconds <= *edge).unwrap_or(EDGES - 1);
        count.by_edge[edge].fetch_add(1, Ordering::Relaxed);
        if status >= 500 {
            count.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Some of what is new; empty: nothing is. What was written down of hours that are over is let go. `now_s`: what was counted without
    /// its hour is of this one, which is so but for the time between two writings.
    pub fn due(&self, now_s: i64) -> Vec<Row> {
        let hour = hour_of(now_s);
        let mut rows = self.due_views(hour);
        if rows.is_empty() {
            rows = self.due_counts(hour);
        }
        rows
    }

    fn due_views(&self, hour: i64) -> Vec<Row> {
        let mut views = held(&self.views);
        let ViewCells { names, cells, new } = &mut *views;
        cells.retain(|key, _| key.0 >= hour || new.contains(key));
        let written = std::iter::from_fn(|| new.pop_first()).take(AT_ONCE);
        let row = |key: ViewKey| {
            let (hour, market, page, device, connection) = key;
            let cell = [names[usize::from(market)].as_str(), page.word(), device.word(), connection.word()].join("/");
            Row { hour, kind: VIEWS, cell, body: cells[&key].bytes() }
        };
        written.map(row).collect()
    }

    fn due_counts(&self, hour: i64) -> Vec<Row> {
        let mut all = held(&self.steps);
        let StepCells { names, cells, new, counts, new_counts, .. } = &mut *all;
        for (place, counted) in self.problems.iter().enumerate() {
            let count = counted.swap(0, Ordering::Relaxed);
            if count > 0 {
                counts.problems.entry((hour, place)).or_default().0 += count;
                new_counts.insert((hour, Counted::Problem(place)));
            }
        }
        for (place, counted) in self.requests.iter().enumerate() {
            let by_edge = counted.by_edge.each_ref().map(|count| count.swap(0, Ordering::Relaxed));
            let fresh = Requests { failed: counted.failed.swap(0, Ordering::Relaxed), by_edge };
            if fresh != Requests::default() {
                counts.requests.entry((hour, place)).or_default().merge(fresh);
                new_counts.insert((hour, Counted::Requests(place)));
            }
        }
        cells.retain(|key, _| key.0 >= hour || new.contains(key));
        counts.problems.retain(|key, _| key.0 >= hour || new_counts.contains(&(key.0, Counted::Problem(key.1))));
        counts.requests.retain(|key, _| key.0 >= hour || new_counts.contains(&(key.0, Counted::Requests(key.1))));
        let mut rows = Vec::new();
        for key in std::iter::from_fn(|| new.pop_first()).take(STEPS_AT_ONCE) {
            let (hour, market, currency, bucket) = key;
            let cell = format!("{}/{}/{bucket}", names[usize::from(market)], names[usize::from(currency)]);
            rows.push(Row { hour, kind: STEPS, cell, body: cells[&key].bytes() });
        }
        for (hour, counted) in std::mem::take(new_counts) {
            rows.push(match counted {
                Counted::Problem(place) => {
                    let (cell, body) = (Problem::ALL[place].word().to_owned(), counts.problems[&(hour, place)].bytes());
                    Row { hour, kind: PROBLEMS, cell, body }
                }
                Counted::Requests(place) => {
                    let (cell, body) = (Area::ALL[place].name().to_owned(), counts.requests[&(hour, place)].bytes());
                    Row { hour, kind: REQUESTS, cell, body }
                }
            });
        }
        rows
    }

    /// What was to be written down and was not is new again.
    pub fn give_back(&self, rows: &[Row]) {
        let hours: BTreeSet<i64> = rows.iter().map(|row| row.hour).collect();
        let mut views = held(&self.views);
        let ViewCells { cells, new, .. } = &mut *views;
        new.extend(cells.keys().filter(|key| hours.contains(&key.0)));
        drop(views);
        let mut all = held(&self.steps);
        let StepCells { cells, new, counts, new_counts, .. } = &mut *all;
        new.extend(cells.keys().filter(|key| hours.contains(&key.0)));
        new_counts.extend(counts.problems.keys().map(|(hour, place)| (*hour, Counted::Problem(*place))));
        new_counts.extend(counts.requests.keys().map(|(hour, place)| (*hour, Counted::Requests(*place))));
    }

    /// Cells that are held: of views, and of carts.
    pub fn held(&self) -> (usize, usize) {
        (held(&self.views).cells.len(), held(&self.steps).cells.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::vitals::MS_MAX;

    fn beacon(market: &str, page: Page, lcp: u32) -> Beacon<'_> {
        let (device, connection) = (Device::Phone, Connection::Fast);
        Beacon { page, device, connection, market, lcp: Some(lcp), inp: None, cls: None, ttfb: None, first_product: None }
    }

    fn all(tally: &Tally, now_s: i64) -> Vec<Row> {
        let mut rows = Vec::new();
        loop {
            let some = tally.due(now_s);
            if some.is_empty() {
                return rows;
            }
            rows.extend(some);
        }
    }

    const EU: Alike<'static> = Alike { market: "eu", currency: "EUR", bucket: 7 };

    #[test]
    fn what_is_new_is_written_once_as_the_whole_of_its_hour_and_let_go_after_it() {
        let tally = Tally::default();
        tally.see(&beacon("eu", Page::Home, 900), 7_200);
        tally.see(&beacon("eu", Page::Product, 900), 7_200);
        tally.step(EU, Step::Cart, 7_200);
        tally.meet(Problem::Declined);
        tally.answered(Area::Cart, 200, 0.000_2);
        let first = all(&tally, 7_300);
        let cells: Vec<&str> = first.iter().map(|row| row.cell.as_str()).collect();
        assert_eq!(cells, ["eu/home/phone/fast", "eu/product/phone/fast", "eu/EUR/7", "declined", "cart"]);
        assert!(first.iter().all(|row| row.hour == 2) && all(&tally, 7_400).is_empty());
        tally.see(&beacon("eu", Page::Home, 900), 7_500);
        tally.answered(Area::Cart, 503, 9.0);
        let again = all(&tally, 7_500);
        let mut views = Views::default();
        views.merge_bytes(&again[0].body).expect("ours");
        let mut requests = Requests::default();
        requests.merge_bytes(&again[1].body).expect("ours");
        assert_eq!((again.len(), views.count, requests.count(), requests.failed), (2, 2, 2, 1), "the whole of the hour");
        assert_eq!(tally.held(), (2, 1));
        assert!(all(&tally, 10_900).is_empty());
        assert_eq!(tally.held(), (0, 0));
    }

    #[test]
    fn what_could_not_be_written_is_written_later_in_its_own_hour() {
        let tally = Tally::default();
        tally.see(&beacon("eu", Page::Home, 900), 0);
        tally.step(EU, Step::Order { total_minor: 500 }, 0);
        tally.meet(Problem::OutOfStock);
        tally.answered(Area::Checkout, 200, 0.01);
        let lost = all(&tally, 0);
        tally.give_back(&lost);
        tally.meet(Problem::OutOfStock);
        let later = all(&tally, 4_000);
        assert_eq!(later.iter().filter(|row| row.hour == 0).count(), 4);
        assert!(lost.iter().all(|row| later.contains(row)), "each as it was");
        assert_eq!(later.iter().filter(|row| row.hour == 1).count(), 1, "what came after it");
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let tally = Tally::default();
        let markets: Vec<String> = (0..NAMES + 50).map(|number| format!("m{number}")).collect();
        for (number, market) in markets.iter().enumerate() {
            for page in Page::ALL {
                tally.see(&beacon(market, *page, MS_MAX), 0);
            }
            if number < 100 {
                (0..=u8::MAX).for_each(|bucket| tally.step(Alike { market, currency: "EUR", bucket }, Step::Cart, 0));
            }
        }
        assert_eq!(tally.held(), (VIEW_CELLS, STEP_CELLS));
        let lost = tally.metrics.lost(Lost::NoRoom);
        assert!(lost > (markets.len() * Page::ALL.len() - VIEW_CELLS) as u64, "{lost}");
    }

    #[test]
    fn a_shopper_who_goes_back_and_on_again_began_one_checkout() {
        let tally = Tally::default();
        for cart in [1, 2, 1, 1, 3] {
            tally.step(EU, Step::Checkout { cart }, 0);
        }
        (10..10 + LATELY as u64).for_each(|cart| tally.step(EU, Step::Checkout { cart }, 0));
        tally.step(EU, Step::Checkout { cart: 1 }, 0);
        let mut steps = Steps::default();
        steps.merge_bytes(&all(&tally, 0)[0].body).expect("ours");
        assert_eq!(steps.checkouts, 3 + LATELY as u64 + 1, "the first was forgotten");
    }
}
