//! Shed: what is refused first when there is more to do than can be done.
//!
//! Owns    how full the edge is, and which request is refused at which fullness.
//! Always  what a shopper who may have paid asks for, what a gateway says, and what moves a payment on is never refused.
//! Source  CHECKOUT.md 5.7: availability, then changes of carts, then quotes, then new payments.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What a request is for, the least important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Prices and stock of a product page, which shows what it was built with.
    Availability,
    /// A change of a cart.
    CartWrite,
    /// A checkout is opened, or its details are told.
    Quote,
    /// A payment begins.
    Payment,
    /// Never refused.
    Vital,
}

impl Weight {
    /// Every weight that may be refused.
    pub const SHED: [Self; 4] = [Self::Availability, Self::CartWrite, Self::Quote, Self::Payment];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::CartWrite => "cart_write",
            Self::Quote => "quote",
            Self::Payment => "payment",
            Self::Vital => "vital",
        }
    }

    /// From which fullness on it is refused, in percent; `None`: never.
    fn limit_percent(self) -> Option<usize> {
        match self {
            Self::Availability => Some(50),
            Self::CartWrite => Some(65),
            Self::Quote => Some(80),
            Self::Payment => Some(90),
            Self::Vital => None,
        }
    }

    /// Whether it goes through at a fullness.
    pub fn passes(self, percent: usize) -> bool {
        self.limit_percent().is_none_or(|limit| percent < limit)
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
        for (percent, refused) in [(0, 0), (49, 0), (50, 1), (65, 2), (80, 3), (90, 4), (1_000, 4)] {
            let count = Weight::SHED.iter().filter(|weight| !weight.passes(percent)).count();
            assert_eq!(count, refused, "at {percent} %");
            assert!(Weight::Vital.passes(percent));
        }
        let limits = Weight::SHED.map(Weight::limit_percent);
        assert!(limits.is_sorted() && Weight::SHED.is_sorted());
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
