//! Beacons: what pages tell, and what shoppers met, as series for whoever watches.
//!
//! Limits  a series has the page's kind and the device: 24 of each measure, whatever is sent.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::tally::Problem;
use super::vitals::{Beacon, Measure};

/// Upper edges in seconds, the thresholds of web vitals among them.
const PAGE_SECONDS: [f64; 12] = [0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.5, 1.8, 2.5, 4.0, 8.0, 20.0];
/// Upper edges of layout shifts.
const SHIFTS: [f64; 6] = [0.0, 0.01, 0.05, 0.1, 0.25, 1.0];

/// Why something was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No page of ours sends that.
    Forged,
    /// There were more cells than are held.
    NoRoom,
}

impl Lost {
    fn word(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::NoRoom => "no_room",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PageLabel {
    page: &'static str,
    device: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabel {
    problem: &'static str,
}

type Times = Family<PageLabel, Histogram>;

/// Beacons, measures of pages, and problems that shoppers met.
#[derive(Debug)]
pub struct BeaconMetrics {
    outcomes: Family<OutcomeLabel, Counter>,
    problems: Family<ProblemLabel, Counter>,
    measures: [Times; Measure::ALL.len()],
}

impl Default for BeaconMetrics {
    fn default() -> Self {
        let measures = std::array::from_fn(|place| match Measure::ALL[place] {
            Measure::Cls => Times::new_with_constructor(|| Histogram::new(SHIFTS)),
            _ => Times::new_with_constructor(|| Histogram::new(PAGE_SECONDS)),
        });
        Self { outcomes: Family::default(), problems: Family::default(), measures }
    }
}

impl BeaconMetrics {
    /// Adds them to what is told.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("beacons", "What pages told of themselves, by what became of it", self.outcomes.clone());
        registry.register("problems_met", "What went wrong for shoppers, as they were told", self.problems.clone());
        for measure in Measure::ALL {
            let times = self.measures[*measure as usize].clone();
            match measure {
                Measure::Lcp => registry.register_with_unit("page_lcp", "Largest contentful paint", Unit::Seconds, times),
                Measure::Inp => registry.register_with_unit("page_inp", "Interaction to next paint", Unit::Seconds, times),
                Measure::Cls => registry.register("page_layout_shift", "Cumulative layout shift", times),
                Measure::Ttfb => registry.register_with_unit("page_ttfb", "Time to the first byte", Unit::Seconds, times),
                Measure::FirstProduct => {
                    registry.register_with_unit("page_first_product", "Until the first product was seen", Unit::Seconds, times);
                }
            }
        }
    }

    /// Counts a beacon with what it tells.
    pub fn hear(&self, beacon: &Beacon<'_>) {
        self.outcomes.get_or_create(&OutcomeLabel { outcome: "heard" }).inc();
        let label = PageLabel { page: beacon.page.word(), device: beacon.device.word() };
        for measure in Measure::ALL {
            if let Some(value) = beacon.value(*measure) {
                // Milliseconds, and thousandths.
                self.measures[*measure as usize].get_or_create(&label).observe(f64::from(value) / 1e3);
            }
        }
    }

    /// Counts one that was dropped.
    pub fn lose(&self, lost: Lost) {
        self.outcomes.get_or_create(&OutcomeLabel { outcome: lost.word() }).inc();
    }

    /// How many were dropped so.
    pub fn lost(&self, lost: Lost) -> u64 {
        self.outcomes.get_or_create(&OutcomeLabel { outcome: lost.word() }).get()
    }

    /// Counts a problem.
    pub fn meet(&self, problem: Problem) {
        self.problems.get_or_create(&ProblemLabel { problem: problem.word() }).inc();
    }
}
