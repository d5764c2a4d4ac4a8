//! Draw: lots out of a seed, so that a run can be played again.
//!
//! Source  SplitMix64 (Steele, Lea, Flood 2014), whose every state is as good as the next. Nothing secret is made of it.

use std::time::Duration;

/// A row of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// The row of one shopper of a run.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut first = Self(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self(first.next())
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u128::try_from(end).expect("a usize fits");
        usize::try_from((u128::from(self.next()) * end) >> 64).expect("it is below a usize")
    }

    /// A time from `least` to `most`.
    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least + Duration::from_micros(if span == 0 { 0 } else { self.next() % (span + 1) })
    }

    /// Puts a list into an order that the seed alone decides.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_that_of_its_seed_and_shopper() {
        let row = |seed, number| {
            let mut draw = Draw::of(seed, number);
            [draw.next(), draw.next(), draw.next()]
        };
        assert_eq!(row(1, 7), row(1, 7));
        assert!(row(1, 7) != row(1, 8) && row(1, 7) != row(2, 7));
    }

    #[test]
    fn lots_are_spread_evenly_and_stay_within() {
        let mut draw = Draw::of(3, 0);
        let mut counts = [0_u32; 5];
        (0..10_000).for_each(|_| counts[draw.below(5)] += 1);
        assert!(counts.iter().all(|count| (1_850..2_150).contains(count)), "{counts:?}");
        let (least, most) = (Duration::from_millis(3), Duration::from_millis(5));
        assert!((0..1_000).all(|_| (least..=most).contains(&draw.between(least, most))));
        assert_eq!(draw.between(least, least), least);
    }
}
