//! Tally: what happens at this edge, counted by the hour until it is written down.
//!
//! Owns    the cells in memory, what is new in them, and what could not be counted.
//! Limits  VIEW_CELLS and STEP_CELLS: a market has 96 cells of views in an hour, and 960 of carts. What finds no room is dropped and
//!         counted: nobody who buys waits for it. Names are those of markets and currencies that the edge knows, NAMES at most.
//! Always  a cell is written as the whole of what this process counted in that hour, so that writing it twice counts once; nothing is
//!         counted in an hour whose cells were let go. What is written is handed out in rounds: a round is what was new when it began, so
//!         that it ends however fast more comes in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::beacons::{BeaconMetrics, Lost};
use super::cells::{Counts as _, EDGES, Requests, Steps, Times, Views};
use super::requests::SECONDS;
use super::slo::Area;
use super::vitals::{BUCKETS, Beacon, Connection, Device, Page};

/// Cells of views that are held: six markets' hour beside the one before it, 70 MB at the very most; some 15 kB each as shops are.
const VIEW_CELLS: usize = 1_200;
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
/// Seconds for which an hour that is over is still counted in: who asked at its end may have waited for a gateway meanwhile.
const LATE_SECONDS: i64 = 120;

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
    /// The same, where somebody was about to pay.
    PaymentFailed,
    /// Any other no.
    Other,
}

impl Problem {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OutOfStock,
        Self::PriceChanged,
        Self::Declined,
        Self::AddressRefused,
        Self::CouponRefused,
        Self::QuantityRefused,
        Self::Unavailable,
        Self::PaymentFailed,
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
            Self::PaymentFailed => "payment_failed",
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

/// The first hour whose cells are held from now on. A clock that is set back a little opens no hour again: its cells were let go, and a row is
/// all of an hour. One that was far ahead is followed.
fn held_since(first: i64, kept: i64) -> i64 {
    if first > kept + 1 { kept } else { first.max(kept) }
}

/// What is counted at one edge.
#[derive(Debug, Default)]
pub struct Tally {
    /// What is being handed out; `None`: nothing is. It is locked before `views` and `steps`.
    round: Mutex<Option<Round>>,
    views: Mutex<ViewCells>,
    steps: Mutex<StepCells>,
    problems: [AtomicU64; Problem::ALL.len()],
    requests: [AreaCount; Area::ALL.len()],
    /// Beacons that were heard and lost, and the pages' measures, for `/metrics`.
    pub metrics: BeaconMetrics,
}

/// What was new when the round began, and is not handed out yet.
#[derive(Debug, Default)]
struct Round {
    views: BTreeSet<ViewKey>,
    steps: BTreeSet<StepKey>,
    counts: BTreeSet<(i64, Counted)>,
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
    /// The first hour that is held.
    first: i64,
}

#[derive(Debug, Default)]
struct StepCells {
    names: Vec<String>,
    cells: BTreeMap<StepKey, Steps>,
    new: BTreeSet<StepKey>,
    /// The first hour that is held.
    first: i64,
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
        let ViewCells { names, cells, new, first } = &mut *views;
        let Some(market) = named(names, beacon.market) else { return self.metrics.lose(Lost::NoRoom) };
        let key = (hour_of(now_s).max(*first), market, beacon.page, beacon.device, beacon.connection);
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
        let StepCells { names, cells, new, first, lately, in_turn, .. } = &mut *all;
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
        let key = (hour_of(now_s).max(*first), market, currency, bucket);
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

    /// Some of what was new when this round began; empty: the round is over. What comes in meanwhile is of the next one. What was written
    /// down of hours that are over is let go. `now_s`: what was counted without its hour is of this one, which is so but for the time
    /// between two rounds.
    pub fn due(&self, now_s: i64) -> Vec<Row> {
        let mut round = held(&self.round);
        let work = round.get_or_insert_with(|| self.begin(now_s));
        let mut rows = self.views_of(work);
        if rows.is_empty() {
            rows = self.counts_of(work);
        }
        if rows.is_empty() {
            *round = None;
        }
        rows
    }

    /// Takes all that is new, once.
    fn begin(&self, now_s: i64) -> Round {
        let (hour, kept) = (hour_of(now_s), hour_of(now_s - LATE_SECONDS));
        let mut seen = held(&self.views);
        let ViewCells { cells, new, first, .. } = &mut *seen;
        cells.retain(|key, _| key.0 >= kept || new.contains(key));
        *first = held_since(*first, kept);
        let views = std::mem::take(new);
        drop(seen);
        let mut all = held(&self.steps);
        let StepCells { cells, new, first, counts, new_counts, .. } = &mut *all;
        let hour = hour.max(*first);
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
        cells.retain(|key, _| key.0 >= kept || new.contains(key));
        *first = held_since(*first, kept);
        counts.problems.retain(|key, _| key.0 >= kept || new_counts.contains(&(key.0, Counted::Problem(key.1))));
        counts.requests.retain(|key, _| key.0 >= kept || new_counts.contains(&(key.0, Counted::Requests(key.1))));
        Round { views, steps: std::mem::take(new), counts: std::mem::take(new_counts) }
    }

    fn views_of(&self, round: &mut Round) -> Vec<Row> {
        let views = held(&self.views);
        let ViewCells { names, cells, .. } = &*views;
        let row = |key: ViewKey| {
            let (hour, market, page, device, connection) = key;
            let cell = [names[usize::from(market)].as_str(), page.word(), device.word(), connection.word()].join("/");
            Row { hour, kind: VIEWS, cell, body: cells[&key].bytes() }
        };
        std::iter::from_fn(|| round.views.pop_first()).take(AT_ONCE).map(row).collect()
    }

    fn counts_of(&self, round: &mut Round) -> Vec<Row> {
        let all = held(&self.steps);
        let StepCells { names, cells, counts, .. } = &*all;
        let mut rows = Vec::new();
        for key in std::iter::from_fn(|| round.steps.pop_first()).take(STEPS_AT_ONCE) {
            let (hour, market, currency, bucket) = key;
            let cell = format!("{}/{}/{bucket}", names[usize::from(market)], names[usize::from(currency)]);
            rows.push(Row { hour, kind: STEPS, cell, body: cells[&key].bytes() });
        }
        for (hour, counted) in std::mem::take(&mut round.counts) {
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

    /// What was to be written down and was not is new again, as is what the round had left: it is over.
    pub fn give_back(&self, rows: &[Row]) {
        let hours: BTreeSet<i64> = rows.iter().map(|row| row.hour).collect();
        let left = held(&self.round).take().unwrap_or_default();
        let mut views = held(&self.views);
        let ViewCells { cells, new, .. } = &mut *views;
        new.extend(cells.keys().filter(|key| hours.contains(&key.0)));
        new.extend(left.views);
        drop(views);
        let mut all = held(&self.steps);
        let StepCells { cells, new, counts, new_counts, .. } = &mut *all;
        new.extend(cells.keys().filter(|key| hours.contains(&key.0)));
        new.extend(left.steps);
        // Few enough to be written once more, whichever of them were in these rows.
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
        assert_eq!(tally.held(), (2, 1), "some may still come late");
        assert!(all(&tally, 10_800 + LATE_SECONDS).is_empty());
        assert_eq!(tally.held(), (0, 0));
    }

    #[test]
    fn what_comes_late_is_added_to_its_hour_and_replaces_nothing() {
        let tally = Tally::default();
        for _ in 0..5 {
            tally.see(&beacon("eu", Page::Home, 900), 3_599);
            tally.step(EU, Step::Cart, 3_599);
        }
        let mut last = BTreeMap::new();
        let mut write = |now_s| last.extend(all(&tally, now_s).into_iter().map(|row| ((row.hour, row.cell.clone()), row.body)));
        write(3_600);
        tally.see(&beacon("eu", Page::Home, 900), 3_599);
        tally.step(EU, Step::Cart, 3_599);
        write(3_660);
        // Later than anybody waits: it is counted, and not in a row that would be begun anew.
        write(3_600 + LATE_SECONDS);
        tally.see(&beacon("eu", Page::Home, 900), 3_599);
        tally.step(EU, Step::Cart, 3_599);
        write(4_000);
        let views = |hour| {
            let mut views = Views::default();
            views.merge_bytes(&last[&(hour, "eu/home/phone/fast".to_owned())]).expect("ours");
            views.count
        };
        let carts = |hour| {
            let mut steps = Steps::default();
            steps.merge_bytes(&last[&(hour, "eu/EUR/7".to_owned())]).expect("ours");
            steps.carts
        };
        assert_eq!((views(0), carts(0)), (6, 6));
        assert_eq!((views(1), carts(1)), (1, 1));
    }

    #[test]
    fn a_round_ends_however_fast_more_comes_in_and_everything_has_its_turn() {
        let tally = Tally::default();
        let see_all = || {
            for page in Page::ALL {
                for device in Device::ALL {
                    tally.see(&Beacon { device: *device, ..beacon("eu", *page, 900) }, 0);
                }
            }
        };
        let cells = Page::ALL.len() * Device::ALL.len();
        see_all();
        tally.step(EU, Step::Cart, 0);
        tally.meet(Problem::Declined);
        tally.answered(Area::Cart, 200, 0.01);
        let mut rows = Vec::new();
        for _ in 0..=cells.div_ceil(AT_ONCE) {
            rows.extend(tally.due(0));
            see_all();
            tally.meet(Problem::Declined);
        }
        let of = |kind: &str| rows.iter().filter(|row| row.kind == kind).count();
        assert_eq!((of(VIEWS), of(STEPS), of(PROBLEMS), of(REQUESTS)), (cells, 1, 1, 1));
        assert!(tally.due(0).is_empty(), "the round is over");
        assert_eq!(tally.due(0).len(), AT_ONCE, "and the next one has what came meanwhile");
    }

    #[test]
    fn a_round_that_fails_in_the_middle_loses_nothing() {
        let tally = Tally::default();
        for page in Page::ALL {
            for device in Device::ALL {
                tally.see(&Beacon { device: *device, ..beacon("eu", *page, 900) }, 0);
            }
        }
        (1..=9).for_each(|bucket| tally.step(Alike { bucket, ..EU }, Step::Cart, 0));
        let first = tally.due(0);
        assert_eq!(first.len(), AT_ONCE);
        tally.give_back(&first);
        let later = all(&tally, 100);
        assert_eq!(later.len(), Page::ALL.len() * Device::ALL.len() + 9);
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
