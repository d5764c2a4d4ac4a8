//! Record: what is counted while shoppers come and go.
//!
//! Owns    histograms of each step, by both clocks; statuses, problems, how shoppers ended; one point for each slice of time.
//! Limits  histograms of 3 digits up to `LONGEST`; `MAX_POINTS` points, `MAX_CODES` codes of problems, `MAX_ORDERS` numbers of orders.
//! Always  shoppers who began are those who ended and those who are inside.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::client::Timing;
use super::scenario::Step;

/// The longest time that is told apart from longer ones.
pub const LONGEST: Duration = Duration::from_secs(600);
/// Digits of a time that are kept.
const DIGITS: u8 = 3;
/// Points of a chart; a longer run has longer slices.
pub const MAX_POINTS: u32 = 300;
/// The shortest slice: of fewer answers percentiles say little.
const SHORTEST_SLICE: Duration = Duration::from_secs(1);
/// Codes of problems that are told apart; the rest is counted as `other`.
const MAX_CODES: usize = 64;
/// Order numbers that are remembered, to be compared with the shop's own.
pub const MAX_ORDERS: usize = 100_000;

/// How a shopper ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With a paid order.
    Paid,
    /// With all that was meant to be done, which was no purchase.
    Done,
    /// The bank said no.
    Declined,
    /// There was none left.
    SoldOut,
    /// By another rule of the shop (4xx).
    Refused,
    /// There was too much to do: 503 or 429 with a time to come again.
    Shed,
    /// The payment is being checked.
    Checking,
    /// The gateway's page is on another host, which nobody asked for load.
    Elsewhere,
    /// By a fault of the shop: 5xx, a broken connection, an answer that cannot be read.
    Failed,
    /// Went away after waiting too long.
    GaveUp,
    /// Was inside when the run ended.
    Interrupted,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Paid,
        Self::Done,
        Self::Declined,
        Self::SoldOut,
        Self::Refused,
        Self::Shed,
        Self::Checking,
        Self::Elsewhere,
        Self::Failed,
        Self::GaveUp,
        Self::Interrupted,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Done => "done",
            Self::Declined => "declined",
            Self::SoldOut => "sold out",
            Self::Refused => "refused",
            Self::Shed => "shed",
            Self::Checking => "being checked",
            Self::Elsewhere => "gateway elsewhere",
            Self::Failed => "failed",
            Self::GaveUp => "gave up",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `None`: no answer.
    pub status: Option<u16>,
    /// The problem's code, or why there is no answer.
    pub code: Option<String>,
    /// Whether it is a fault: of the shop, or an answer that did not come.
    pub is_error: bool,
    /// Whether it was refused for there being too much to do.
    pub is_shed: bool,
}

/// Times of one kind of request.
#[derive(Clone, Debug)]
pub struct Clocks {
    /// From when it was meant to be sent, in microseconds.
    pub response: Histogram<u32>,
    /// From when it was sent.
    pub service: Histogram<u32>,
}

impl Default for Clocks {
    fn default() -> Self {
        Self { response: histogram(), service: histogram() }
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, u64::try_from(LONGEST.as_micros()).expect("minutes fit"), DIGITS).expect("bounds are in order")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Clocks {
    fn add(&mut self, timing: &Timing) {
        self.response.saturating_record(micros(timing.response()));
        if let Some(service) = timing.service() {
            self.service.saturating_record(micros(service));
        }
    }
}

/// One step.
#[derive(Clone, Debug, Default)]
pub struct StepRecord {
    /// Its times.
    pub clocks: Clocks,
    /// Answers by status; 0: none.
    pub statuses: BTreeMap<u16, u64>,
    /// Problems by code.
    pub codes: BTreeMap<String, u64>,
}

/// What happened in a slice of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Point {
    /// Its begin, in seconds from the run's.
    pub at_s: f64,
    /// Shoppers who were to come.
    pub arrivals: u64,
    /// Those of them who were not let in by the bound.
    pub dropped: u64,
    /// Shoppers who ended, however.
    pub ended: u64,
    /// Orders paid.
    pub orders: u64,
    /// Requests answered or given up.
    pub requests: u64,
    /// Of them, faults.
    pub errors: u64,
    /// Of them, refused for there being too much to do.
    pub shed: u64,
    /// Shoppers inside at its end.
    pub inside: u64,
    /// Response time of its requests, in milliseconds.
    pub p50_ms: f64,
    /// Response time of its requests, in milliseconds.
    pub p90_ms: f64,
    /// Response time of its requests, in milliseconds.
    pub p99_ms: f64,
    /// Response time of its requests, in milliseconds.
    pub max_ms: f64,
}

/// All that is counted.
#[derive(Debug)]
pub struct Record {
    /// When the run began.
    pub began_at: Instant,
    /// How long a slice is.
    pub slice: Duration,
    /// Steps that were asked.
    pub steps: BTreeMap<Step, StepRecord>,
    /// All requests together.
    pub all: Clocks,
    /// The shop's part of checkouts together.
    pub checkout: Clocks,
    /// Shoppers who came, also those who were not let in.
    pub arrivals: u64,
    /// Those who were not let in.
    pub dropped: u64,
    /// Shoppers inside.
    pub inside: u64,
    /// The most at one instant.
    pub most_inside: u64,
    /// How the others ended.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// The same by scenario: began, paid or done.
    pub by_scenario: BTreeMap<String, (u64, u64)>,
    /// Requests.
    pub requests: u64,
    /// Of them, faults.
    pub errors: u64,
    /// Of them, refused for there being too much to do.
    pub shed: u64,
    /// Answers with a status of 500 and more that were not for there being too much to do.
    pub server_errors: u64,
    /// Numbers of paid orders, up to `MAX_ORDERS`.
    pub orders: Vec<String>,
    /// Paid orders.
    pub paid: u64,
    /// How late the generator itself let shoppers in, in microseconds.
    pub late: Histogram<u32>,
    /// Slices that are over.
    pub points: Vec<Point>,
    codes_known: usize,
    now: Point,
    now_times: Histogram<u32>,
}

impl Record {
    /// Of a run that lasts about so long.
    pub fn new(began_at: Instant, lasts: Duration) -> Self {
        // Whole seconds, so that an axis has round numbers.
        let seconds = lasts.as_secs_f64() / f64::from(MAX_POINTS);
        let slice = SHORTEST_SLICE.max(Duration::from_secs(seconds.ceil() as u64));
        Self {
            began_at,
            slice,
            steps: BTreeMap::new(),
            all: Clocks::default(),
            checkout: Clocks::default(),
            arrivals: 0,
            dropped: 0,
            inside: 0,
            most_inside: 0,
            outcomes: BTreeMap::new(),
            by_scenario: BTreeMap::new(),
            requests: 0,
            errors: 0,
            shed: 0,
            server_errors: 0,
            orders: Vec::new(),
            paid: 0,
            late: histogram(),
            points: Vec::new(),
            codes_known: 0,
            now: Point::default(),
            now_times: histogram(),
        }
    }

    /// A shopper came, so late by the generator's own fault.
    pub fn arrive(&mut self, late: Duration) {
        self.turn(Instant::now());
        self.arrivals += 1;
        self.now.arrivals += 1;
        self.late.saturating_record(micros(late));
    }

    /// And was not let in.
    pub fn drop_one(&mut self) {
        self.dropped += 1;
        self.now.dropped += 1;
    }

    /// And is inside.
    pub fn begin(&mut self, scenario: &str) {
        self.inside += 1;
        self.most_inside = self.most_inside.max(self.inside);
        match self.by_scenario.get_mut(scenario) {
            Some(counts) => counts.0 += 1,
            None => drop(self.by_scenario.insert(scenario.to_owned(), (1, 0))),
        }
    }

    /// And ended.
    pub fn end(&mut self, scenario: &str, outcome: Outcome) {
        self.turn(Instant::now());
        self.inside -= 1;
        self.now.ended += 1;
        *self.outcomes.entry(outcome).or_default() += 1;
        if let Some(counts) = self.by_scenario.get_mut(scenario).filter(|_| matches!(outcome, Outcome::Paid | Outcome::Done)) {
            counts.1 += 1;
        }
    }

    /// An order was seen to be paid.
    pub fn paid(&mut self, number: &str) {
        self.paid += 1;
        self.now.orders += 1;
        if self.orders.len() < MAX_ORDERS {
            self.orders.push(number.to_owned());
        }
    }

    /// A request ended.
    pub fn asked(&mut self, step: Step, timing: &Timing, seen: &Seen) {
        self.turn(timing.ended_at);
        let record = self.steps.entry(step).or_default();
        record.clocks.add(timing);
        self.all.add(timing);
        if step.is_checkout() {
            self.checkout.add(timing);
        }
        self.now_times.saturating_record(micros(timing.response()));
        *record.statuses.entry(seen.status.unwrap_or(0)).or_default() += 1;
        if let Some(code) = &seen.code {
            match record.codes.get_mut(code) {
                Some(count) => *count += 1,
                None => {
                    let is_room = self.codes_known < MAX_CODES;
                    self.codes_known += usize::from(is_room);
                    *record.codes.entry(if is_room { code.clone() } else { "other".to_owned() }).or_default() += 1;
                }
            }
        }
        self.requests += 1;
        self.now.requests += 1;
        self.errors += u64::from(seen.is_error);
        self.now.errors += u64::from(seen.is_error);
        self.shed += u64::from(seen.is_shed);
        self.now.shed += u64::from(seen.is_shed);
        self.server_errors += u64::from(!seen.is_shed && seen.status.is_some_and(|status| status >= 500));
    }

    /// Ends the run: whoever is inside was interrupted.
    pub fn close(&mut self) {
        self.turn(Instant::now());
        if self.inside > 0 {
            *self.outcomes.entry(Outcome::Interrupted).or_default() += self.inside;
            self.inside = 0;
        }
        if self.now != (Point { at_s: self.now.at_s, ..Point::default() }) {
            self.close_slice();
        }
    }

    // Ends the slices that are over at an instant. A run that goes on for long after its last shopper gets no more points than it has room for.
    fn turn(&mut self, at: Instant) {
        let limit = usize::try_from(MAX_POINTS).expect("few") * 2;
        while self.points.len() < limit && at >= self.began_at + self.slice.mul_f64((self.points.len() + 1) as f64) {
            self.close_slice();
        }
    }

    fn close_slice(&mut self) {
        let ms = |quantile| self.now_times.value_at_quantile(quantile) as f64 / 1e3;
        let (p50_ms, p90_ms, p99_ms, max_ms) = (ms(0.5), ms(0.9), ms(0.99), self.now_times.max() as f64 / 1e3);
        self.points.push(Point { inside: self.inside, p50_ms, p90_ms, p99_ms, max_ms, ..self.now });
        self.now_times.reset();
        self.now = Point { at_s: self.slice.as_secs_f64() * self.points.len() as f64, ..Point::default() };
    }

    /// The last slice that is over, for whoever looks on.
    pub fn last(&self) -> Point {
        self.points.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(began: Instant, sent_ms: u64, ended_ms: u64) -> Timing {
        let at = |ms| began + Duration::from_millis(ms);
        Timing { meant_at: began, sent_at: Some(at(sent_ms)), ended_at: at(ended_ms) }
    }

    fn fine() -> Seen {
        Seen { status: Some(200), code: None, is_error: false, is_shed: false }
    }

    #[test]
    fn percentiles_are_those_of_known_samples() {
        let began = Instant::now();
        let mut record = Record::new(began, Duration::from_secs(1));
        for ms in 1..=1_000 {
            record.asked(Step::Add, &timing(began, ms / 2, ms), &fine());
        }
        let clocks = &record.steps[&Step::Add].clocks;
        let within = |found: u64, ms: f64| (found as f64 / 1e3 - ms).abs() <= ms / 1_000.0;
        for (quantile, ms) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (0.999, 999.0)] {
            let found = clocks.response.value_at_quantile(quantile);
            assert!(within(found, ms), "{quantile}: {found} µs");
        }
        assert!(within(clocks.response.max(), 1_000.0) && within(clocks.service.max(), 500.0));
        assert_eq!((clocks.response.len(), record.all.response.len(), record.checkout.response.len()), (1_000, 1_000, 0));
    }

    #[test]
    fn slices_hold_what_happened_in_them() {
        let began = Instant::now();
        let mut record = Record::new(began, Duration::from_secs(3));
        record.asked(Step::Open, &timing(began, 0, 10), &fine());
        let shed = Seen { status: Some(503), code: Some("overloaded".to_owned()), is_error: false, is_shed: true };
        record.asked(Step::Open, &timing(began, 0, 2_500), &shed);
        record.close();
        let told: Vec<_> = record.points.iter().map(|point| (point.at_s, point.requests, point.shed)).collect();
        assert_eq!(told, [(0.0, 1, 0), (1.0, 0, 0), (2.0, 1, 1)]);
        assert!((record.points[2].max_ms - 2_500.0).abs() < 3.0 && record.points[1].max_ms == 0.0);
        assert_eq!((record.server_errors, record.shed, record.checkout.response.len()), (0, 1, 2));
    }

    #[test]
    fn codes_beyond_the_limit_are_counted_together() {
        let began = Instant::now();
        let mut record = Record::new(began, Duration::from_secs(1));
        for number in 0..200 {
            let seen = Seen { status: Some(422), code: Some(format!("c{number}")), is_error: false, is_shed: false };
            record.asked(Step::Add, &timing(began, 0, 1), &seen);
        }
        let codes = &record.steps[&Step::Add].codes;
        assert_eq!((codes.len(), codes["other"]), (MAX_CODES + 1, 200 - MAX_CODES as u64));
    }

    #[test]
    fn whoever_is_inside_at_the_end_was_interrupted() {
        let mut record = Record::new(Instant::now(), Duration::from_secs(1));
        for _ in 0..3 {
            record.arrive(Duration::ZERO);
            record.begin("x");
        }
        record.arrive(Duration::ZERO);
        record.drop_one();
        record.end("x", Outcome::Done);
        record.close();
        assert_eq!((record.arrivals, record.dropped, record.most_inside), (4, 1, 3));
        assert_eq!(record.outcomes, BTreeMap::from([(Outcome::Done, 1), (Outcome::Interrupted, 2)]));
        assert_eq!(record.by_scenario["x"], (3, 1));
    }
}
