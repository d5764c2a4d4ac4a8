//! Shed: what is refused first when there is more to do than can be done.
//!
//! Owns    how full the edge is, and which request is refused at which fullness and at which wait.
//! Always  what a shopper who may have paid asks for, what a gateway says, and what moves a payment on is never refused.
//!         Newcomers are held back before those who have a cart: whoever is let in can go through to the end.
//! Source  CHECKOUT.md 5.7: availability, then changes of carts, then quotes, then new payments.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::pressure::Valve;

/// What a request is for, the least important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// What a page tells of itself.
    Beacon,
    /// Prices and stock of a product page, which shows what it was built with.
    Availability,
    /// A change of a cart.
    CartWrite,
    /// A checkout is opened.
    Opening,
    /// The details of a checkout are told.
    Quote,
    /// A payment begins.
    Payment,
    /// Never refused.
    Vital,
}

impl Weight {
    /// Every weight that may be refused.
    pub const SHED: [Self; 6] = [Self::Beacon, Self::Availability, Self::CartWrite, Self::Opening, Self::Quote, Self::Payment];

    /// Its place among those that may be refused; `None`: it never is.
    pub fn place(self) -> Option<usize> {
        Self::SHED.iter().position(|weight| *weight == self)
    }

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beacon => "beacon",
            Self::Availability => "availability",
            Self::CartWrite => "cart_write",
            Self::Opening => "opening",
            Self::Quote => "quote",
            Self::Payment => "payment",
            Self::Vital => "vital",
        }
    }

    /// From which fullness on it is refused, in percent; `None`: never.
    fn limit_percent(self) -> Option<usize> {
        match self {
            Self::Beacon => Some(40),
            Self::Availability => Some(50),
            Self::CartWrite => Some(65),
            Self::Opening => Some(75),
            Self::Quote => Some(80),
            Self::Payment => Some(90),
            Self::Vital => None,
        }
    }

    /// Whether it goes through at a fullness.
    pub fn passes(self, percent: usize) -> bool {
        self.limit_percent().is_none_or(|limit| percent < limit)
    }

    /// How many times the target has to have doubled for it to be refused; `None`: never. Beacons and availability go, and newcomers are held back,
    /// before the first of them.
    fn limit_doublings(self) -> Option<f64> {
        match self {
            Self::Beacon | Self::Availability | Self::CartWrite => Some(3.0),
            Self::Opening => Some(4.0),
            Self::Quote => Some(5.0),
            Self::Payment => Some(6.0),
            Self::Vital => None,
        }
    }
}

/// Who is let in now, for those who ask at each request, and who came.
#[derive(Debug, Default)]
pub struct Strain {
    /// In thousandths; 0: all.
    newcomers_per_second: AtomicU64,
    /// In thousandths.
    doublings: AtomicU32,
    waited_us: AtomicU32,
    offered: AtomicU32,
    admitted: AtomicU32,
    /// Thousandths of newcomers who may come in now, and when that was counted.
    bucket: Mutex<(u64, u64)>,
}

impl Strain {
    /// Tells who is let in from now on, and what a pulse waited.
    pub fn set(&self, valve: &Valve, waited: Duration) {
        let thousandths = valve.newcomers_per_second.map_or(0, |rate| (rate * 1e3).ceil() as u64);
        self.newcomers_per_second.store(thousandths, Ordering::Relaxed);
        self.doublings.store((valve.doublings * 1e3) as u32, Ordering::Relaxed);
        self.waited_us.store(u32::try_from(waited.as_micros()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Newcomers a second who are let in; `None`: all.
    pub fn newcomers_per_second(&self) -> Option<f64> {
        Some(self.newcomers_per_second.load(Ordering::Relaxed)).filter(|rate| *rate > 0).map(|rate| rate as f64 / 1e3)
    }

    /// What a pulse waited.
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.waited_us.load(Ordering::Relaxed).into())
    }

    /// Newcomers who came since this was last asked, and how many of them were let in.
    pub fn newcomers(&self) -> (u32, u32) {
        (self.offered.swap(0, Ordering::Relaxed), self.admitted.swap(0, Ordering::Relaxed))
    }

    /// Whether a request goes through. `is_known`: whether a cart came along. `now`: milliseconds of a clock that only goes forward.
    pub fn lets_pass(&self, weight: Weight, is_known: bool, now: u64) -> bool {
        let Some(limit) = weight.limit_doublings() else { return true };
        let rate = self.newcomers_per_second.load(Ordering::Relaxed);
        let passes = f64::from(self.doublings.load(Ordering::Relaxed)) < limit * 1e3;
        match weight {
            Weight::Beacon | Weight::Availability => passes && rate == 0,
            Weight::CartWrite if !is_known => {
                self.offered.fetch_add(1, Ordering::Relaxed);
                let passes = rate == 0 || self.take(rate, now);
                self.admitted.fetch_add(u32::from(passes), Ordering::Relaxed);
                passes
            }
            _ => passes,
        }
    }

    // A bucket that holds what comes in a fifth of a second, and one newcomer at least.
    fn take(&self, rate: u64, now: u64) -> bool {
        // Both numbers are written in one go: what a panic left can be used.
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let (level, counted_at) = *bucket;
        let come = now.saturating_sub(counted_at).saturating_mul(rate) / 1_000;
        let level = level.saturating_add(come).min((rate / 5).max(1_000));
        let passes = level >= 1_000;
        // What is less than a thousandth is not lost: it is counted from where it began.
        *bucket = (if passes { level - 1_000 } else { level }, if come == 0 { counted_at } else { now });
        passes
    }
}

/// Requests under way.
#[derive(Debug)]
pub struct Gate {
    most: usize,
    under_way: AtomicUsize,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// Full at so many requests.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), under_way: AtomicUsize::new(0) }
    }

    /// Counts a request in. Gives how full it was before, in percent.
    pub fn enter(&self) -> (Inside<'_>, usize) {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        (Inside(self), before * 100 / self.most)
    }

    /// Requests under way.
    pub fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_goes_first_and_the_vital_never() {
        for (percent, refused) in [(0, 0), (39, 0), (40, 1), (50, 2), (65, 3), (75, 4), (80, 5), (90, 6), (1_000, 6)] {
            let count = Weight::SHED.iter().filter(|weight| !weight.passes(percent)).count();
            assert_eq!(count, refused, "at {percent} %");
            assert!(Weight::Vital.passes(percent));
        }
        let limits = Weight::SHED.map(Weight::limit_percent);
        assert!(limits.is_sorted() && Weight::SHED.is_sorted());
    }

    fn strained(newcomers_per_second: Option<f64>, doublings: f64) -> Strain {
        let strain = Strain::default();
        strain.set(&Valve { newcomers_per_second, doublings }, Duration::ZERO);
        strain
    }

    #[test]
    fn each_doubling_of_the_wait_refuses_one_weight_more() {
        let passing = |doublings: f64| {
            let strain = strained(Some(1_000.0), doublings);
            Weight::SHED.iter().filter(|weight| strain.lets_pass(**weight, true, 1_000)).count()
        };
        assert_eq!([0.0, 2.9, 3.0, 4.0, 5.0, 6.0, 99.0].map(passing), [4, 4, 3, 2, 1, 0, 0]);
        assert!(strained(None, 0.0).lets_pass(Weight::Availability, false, 0));
        assert!(strained(Some(0.5), 1_000.0).lets_pass(Weight::Vital, false, 0));
        let limits = Weight::SHED.map(Weight::limit_doublings);
        assert!(limits.is_sorted(), "{limits:?}");
    }

    #[test]
    fn newcomers_come_in_at_their_rate_and_those_with_a_cart_as_they_like() {
        let strain = strained(Some(10.0), 0.0);
        let let_in = |ms: u64, is_known| strain.lets_pass(Weight::CartWrite, is_known, ms);
        let newcomers = (0..10_000).filter(|ms| let_in(10_000 + ms, false)).count();
        assert!((100..=102).contains(&newcomers), "{newcomers} in ten seconds");
        assert_eq!(strain.newcomers(), (10_000, newcomers as u32));
        assert!((0..10_000).all(|_| let_in(20_000, true)) && strain.newcomers() == (0, 0));
        let open = strained(None, 0.0);
        assert!((0..100).all(|_| open.lets_pass(Weight::CartWrite, false, 0)) && open.newcomers() == (100, 100));
    }

    #[test]
    fn whoever_is_inside_counts_until_he_is_out() {
        let gate = Gate::new(4);
        let inside = [gate.enter(), gate.enter(), gate.enter()];
        assert_eq!(inside.each_ref().map(|(_, percent)| *percent), [0, 25, 50]);
        drop(inside);
        assert_eq!(gate.under_way(), 0);
    }
}
