//! Cells: what is counted of one hour in one place, and how it is written down.
//!
//! Owns    the counts of page views with their histograms, of carts on their way to orders, of requests; their bytes.
//! Always  merging is adding: in any order, from any number of edges, the same comes out. A histogram is exact to 1 % of a value
//!         (HdrHistogram with two significant digits: fixed buckets, so that two of them add up without loss, which t-digests do not, in
//!         11 kB at most). Bytes that are not of ours are refused, never guessed.
//! Limits  a histogram holds values up to `MS_MAX`; more is counted as that.

use hdrhistogram::Histogram;

use super::vitals::{Beacon, MS_MAX, Measure};

/// Significant digits: 1 % is less than what one view differs from the next by.
const DIGITS: u8 = 2;
/// First byte of a cell; another one is of a later program.
const FORMAT: u8 = 1;
/// Edges of the seconds that answers are counted by, and one for those that took longer.
pub const EDGES: usize = super::requests::SECONDS.len() + 1;

/// Values of one measure.
#[derive(Clone, Debug)]
pub struct Sketch(Histogram<u64>);

impl Default for Sketch {
    fn default() -> Self {
        Self(Histogram::new(DIGITS).expect("two digits are allowed"))
    }
}

impl PartialEq for Sketch {
    /// The same counts; how much room is there for more does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.pairs().eq(other.pairs())
    }
}

impl Sketch {
    /// Counts values.
    pub fn add(&mut self, value: u64, count: u64) {
        // It grows as needed up to its limit, so that this cannot fail.
        let _ = self.0.record_n(value.min(u64::from(MS_MAX)), count);
    }

    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        for (value, count) in other.pairs() {
            self.add(value, count);
        }
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value that so many in a thousand are not above, within 1 %; `None`: there is none.
    pub fn per_mille(&self, share: u32) -> Option<u64> {
        let value = self.0.value_at_quantile(f64::from(share) / 1e3);
        (self.count() > 0).then(|| self.0.lowest_equivalent(value))
    }

    fn pairs(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter_recorded().map(|step| (self.0.lowest_equivalent(step.value_iterated_to()), step.count_at_value()))
    }
}

/// Views of a kind of page in an hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Views {
    /// How many.
    pub count: u64,
    /// What each measure was, where it was told; in the order of `Measure::ALL`.
    measures: [Option<Box<Sketch>>; Measure::ALL.len()],
}

impl Views {
    /// Counts one.
    pub fn add(&mut self, beacon: &Beacon<'_>) {
        self.count = self.count.saturating_add(1);
        for measure in Measure::ALL {
            if let Some(value) = beacon.value(*measure) {
                self.measures[*measure as usize].get_or_insert_default().add(u64::from(value), 1);
            }
        }
    }

    /// What a measure was; `None`: nobody told.
    pub fn measure(&self, measure: Measure) -> Option<&Sketch> {
        self.measures[measure as usize].as_deref()
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        for (own, added) in self.measures.iter_mut().zip(&other.measures) {
            if let Some(added) = added {
                own.get_or_insert_default().merge(added);
            }
        }
    }

    /// As bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![FORMAT];
        put(&mut out, self.count);
        for measure in &self.measures {
            let pairs: Vec<(u64, u64)> = measure.iter().flat_map(|sketch| sketch.pairs()).collect();
            put(&mut out, pairs.len() as u64);
            let mut before = 0;
            for (value, count) in pairs {
                put(&mut out, value - before);
                put(&mut out, count);
                before = value;
            }
        }
        out
    }

    /// Adds what bytes tell. Errors: `None` where they are none of ours; then something may have been added.
    pub fn merge_bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader::of(bytes)?;
        self.count = self.count.checked_add(reader.number()?)?;
        for own in &mut self.measures {
            let pairs = reader.number()?;
            let mut value = 0_u64;
            for _ in 0..pairs {
                value = value.checked_add(reader.number()?)?;
                own.get_or_insert_default().add(value, reader.number()?);
            }
        }
        reader.ends()
    }
}

/// Numbers that are added place by place.
pub trait Counts: Default {
    /// How many.
    const LENGTH: usize;
    /// A place.
    fn place(&mut self, place: usize) -> &mut u64;

    /// As bytes.
    fn bytes(&self) -> Vec<u8>
    where
        Self: Clone,
    {
        let mut own = self.clone();
        let mut out = vec![FORMAT];
        (0..Self::LENGTH).for_each(|place| put(&mut out, *own.place(place)));
        out
    }

    /// Adds what bytes tell. Errors: `None` where they are none of ours; then something may have been added.
    fn merge_bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let mut reader = Reader::of(bytes)?;
        for place in 0..Self::LENGTH {
            let more = reader.number()?;
            let own = self.place(place);
            *own = own.saturating_add(more);
        }
        reader.ends()
    }
}

/// Carts of an hour on their way to orders, each counted in the hour of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Carts that were begun.
    pub carts: u64,
    /// Of which a checkout was begun.
    pub checkouts: u64,
    /// That became paid orders.
    pub orders: u64,
    /// Money of those, minor units of the cell's currency.
    pub revenue_minor: u64,
}

impl Counts for Steps {
    const LENGTH: usize = 4;

    fn place(&mut self, place: usize) -> &mut u64 {
        [&mut self.carts, &mut self.checkouts, &mut self.orders, &mut self.revenue_minor][place]
    }
}

impl Steps {
    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        let mut other = *other;
        for place in 0..Self::LENGTH {
            let own = self.place(place);
            *own = own.saturating_add(*other.place(place));
        }
    }
}

/// Requests of an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Answered by a failure of ours (5xx).
    pub failed: u64,
    /// By the first edge of `requests::SECONDS` that they kept; the last: none.
    pub by_edge: [u64; EDGES],
}

impl Requests {
    /// All of them.
    pub fn count(&self) -> u64 {
        total(&self.by_edge)
    }

    /// Those that took longer than so many milliseconds, which have to be an edge.
    pub fn later_than(&self, ms: u32) -> u64 {
        let kept = super::requests::SECONDS.iter().take_while(|edge| **edge * 1e3 <= f64::from(ms) + 1e-9).count();
        total(&self.by_edge[kept..])
    }
}

// What is read from a row may be any number.
fn total(counts: &[u64]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

impl Requests {
    /// Adds others.
    pub fn merge(&mut self, mut other: Self) {
        for place in 0..Self::LENGTH {
            let own = self.place(place);
            *own = own.saturating_add(*other.place(place));
        }
    }
}

impl Counts for Requests {
    const LENGTH: usize = 1 + EDGES;

    fn place(&mut self, place: usize) -> &mut u64 {
        match place {
            0 => &mut self.failed,
            place => &mut self.by_edge[place - 1],
        }
    }
}

/// What happened so often, and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times(pub u64);

impl Counts for Times {
    const LENGTH: usize = 1;

    fn place(&mut self, _: usize) -> &mut u64 {
        &mut self.0
    }
}

// LEB128: most counts of a cell are small.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.strip_prefix(&[FORMAT]).map(Self)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn ends(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::vitals::{Connection, Device, Page, SHIFT_MAX};

    fn beacon(lcp: Option<u32>, inp: Option<u32>, cls: Option<u32>) -> Beacon<'static> {
        let (page, device, connection) = (Page::Home, Device::Phone, Connection::Fast);
        Beacon { page, device, connection, market: "eu", lcp, inp, cls, ttfb: None, first_product: lcp }
    }

    type Told = (Option<u32>, Option<u32>, Option<u32>);

    fn views(told: &[Told]) -> Views {
        let mut views = Views::default();
        told.iter().for_each(|(lcp, inp, cls)| views.add(&beacon(*lcp, *inp, *cls)));
        views
    }

    fn some_views() -> impl Strategy<Value = Vec<Told>> {
        let ms = || proptest::option::of(0..=MS_MAX);
        proptest::collection::vec((ms(), ms(), proptest::option::of(0..=SHIFT_MAX)), 0..60)
    }

    proptest! {
        #[test]
        fn however_views_are_parted_and_in_whatever_order_they_are_merged_the_same_comes_out(
            told in some_views(), cuts in proptest::collection::vec(0_usize..60, 0..4), turn in 0_usize..5,
        ) {
            let whole = views(&told);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(told.len())).chain([0, told.len()]).collect();
            cuts.sort_unstable();
            let mut parts: Vec<Vec<u8>> = cuts.windows(2).map(|part| views(&told[part[0]..part[1]]).bytes()).collect();
            let turns = turn % parts.len();
            parts.rotate_left(turns);
            let mut merged = Views::default();
            for part in &parts {
                prop_assert!(merged.merge_bytes(part).is_some());
            }
            prop_assert!(merged == whole, "{merged:?} {whole:?}");
            let mut added = Views::default();
            for part in &parts {
                let mut one = Views::default();
                prop_assert!(one.merge_bytes(part).is_some());
                added.merge(&one);
            }
            prop_assert!(added == whole);
            prop_assert_eq!(added.bytes(), whole.bytes());
        }

        #[test]
        fn a_share_is_within_one_percent_of_what_was_told(mut values in proptest::collection::vec(0..=MS_MAX, 1..300), share in 0_u32..=1000) {
            let mut sketch = Sketch::default();
            values.iter().for_each(|value| sketch.add(u64::from(*value), 1));
            values.sort_unstable();
            let rank = (values.len() as f64 * f64::from(share) / 1e3).ceil().max(1.0) as usize;
            let (truth, told) = (f64::from(values[rank - 1]), sketch.per_mille(share).expect("values") as f64);
            prop_assert!((told - truth).abs() <= truth * 0.01 + 0.5, "{told} for {truth}");
        }

        #[test]
        fn bytes_that_are_not_ours_break_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0_usize..200) {
            let _ = Views::default().merge_bytes(&bytes);
            let _ = Steps::default().merge_bytes(&bytes);
            let good = views(&[(Some(1_000), None, Some(3)), (Some(2_000), Some(80), None)]).bytes();
            let cut = &good[..at % good.len()];
            prop_assert!(Views::default().merge_bytes(cut).is_none());
        }
    }

    #[test]
    fn counts_are_added_place_by_place() {
        let steps = Steps { carts: 300, checkouts: 5, orders: 2, revenue_minor: 1_000_000 };
        let mut sum = steps;
        sum.merge_bytes(&steps.bytes()).expect("ours");
        assert_eq!(sum, Steps { carts: 600, checkouts: 10, orders: 4, revenue_minor: 2_000_000 });
        let mut merged = steps;
        merged.merge(&steps);
        assert_eq!(merged, sum);
        let mut requests = Requests::default();
        requests.by_edge[4] = 7;
        requests.by_edge[EDGES - 1] = 2;
        let mut read = Requests::default();
        read.merge_bytes(&requests.bytes()).expect("ours");
        assert_eq!((read, read.count(), read.later_than(1), read.later_than(5), read.later_than(5_000)), (requests, 9, 9, 2, 2));
        assert!(Times::default().merge_bytes(&[2, 1]).is_none(), "of a later program");
    }
}
