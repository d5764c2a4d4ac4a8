//! Arrivals: when each shopper comes, decided before the first one does.
//!
//! Always  a stage of a steady rate has its shoppers at equal distances, one at its first instant; a ramp rises or falls evenly; whoever
//!         answers slowly changes none of it.

use std::time::Duration;

/// Shoppers of one crowd that can be asked for; each is held in memory at once.
pub const MAX_CROWD: u32 = 100_000;

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// So many a second at its begin and at its end.
    Rate {
        /// At its begin.
        from_per_second: f64,
        /// At its end.
        to_per_second: f64,
        /// How long.
        lasts: Duration,
    },
    /// So many at one instant.
    Crowd {
        /// How many.
        shoppers: u32,
    },
}

impl Stage {
    /// A steady rate.
    pub fn steady(per_second: f64, lasts: Duration) -> Self {
        Self::Rate { from_per_second: per_second, to_per_second: per_second, lasts }
    }

    /// How long it lasts.
    pub fn lasts(&self) -> Duration {
        match self {
            Self::Rate { lasts, .. } => *lasts,
            Self::Crowd { .. } => Duration::ZERO,
        }
    }

    /// How many come in it.
    pub fn count(&self) -> u64 {
        match *self {
            // What floats leave beyond a whole number is no shopper.
            Self::Rate { from_per_second, to_per_second, lasts } => {
                ((from_per_second + to_per_second) / 2.0 * lasts.as_secs_f64() - 1e-6).ceil().max(0.0) as u64
            }
            Self::Crowd { shoppers } => shoppers.into(),
        }
    }

    // When the shopper of that number, from 0, comes, from the stage's begin: where the area under the rate is that number.
    fn at(&self, number: u64) -> Duration {
        let Self::Rate { from_per_second, to_per_second, lasts } = *self else { return Duration::ZERO };
        let (number, slope) = (number as f64, (to_per_second - from_per_second) / lasts.as_secs_f64());
        let root = from_per_second.mul_add(from_per_second, 2.0 * slope * number).max(0.0).sqrt();
        let seconds = if number == 0.0 { 0.0 } else { 2.0 * number / (from_per_second + root) };
        Duration::try_from_secs_f64(seconds).map_or(lasts, |at| at.min(lasts))
    }
}

/// Every shopper's instant from the run's begin, in order.
pub fn arrivals(stages: &[Stage]) -> impl Iterator<Item = Duration> + Send + use<> {
    let begins = stages.iter().scan(Duration::ZERO, |at, stage| {
        let begin = *at;
        *at += stage.lasts();
        Some((begin, *stage))
    });
    let begins: Vec<_> = begins.collect();
    begins.into_iter().flat_map(|(begin, stage)| (0..stage.count()).map(move |number| begin + stage.at(number)))
}

/// How many come in all.
pub fn count(stages: &[Stage]) -> u64 {
    stages.iter().map(Stage::count).sum()
}

/// How long they come.
pub fn lasts(stages: &[Stage]) -> Duration {
    stages.iter().map(Stage::lasts).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(stages: &[Stage]) -> Vec<u128> {
        arrivals(stages).map(|at| at.as_millis()).collect()
    }

    #[test]
    fn a_steady_rate_is_exact_to_the_nanosecond() {
        let all: Vec<Duration> = arrivals(&[Stage::steady(50.0, Duration::from_secs(60))]).collect();
        assert_eq!(all.len(), 3_000);
        for (number, at) in all.iter().enumerate() {
            assert_eq!(at.as_nanos(), number as u128 * 20_000_000);
        }
    }

    #[test]
    fn stages_follow_one_another_and_a_crowd_takes_no_time() {
        let stages = [
            Stage::steady(2.0, Duration::from_secs(1)),
            Stage::Crowd { shoppers: 3 },
            Stage::steady(1.0, Duration::from_millis(2_500)),
        ];
        assert_eq!(millis(&stages), [0, 500, 1_000, 1_000, 1_000, 1_000, 2_000, 3_000]);
        assert_eq!((count(&stages), lasts(&stages)), (8, Duration::from_millis(3_500)));
    }

    #[test]
    fn a_ramp_rises_evenly() {
        let ramp = Stage::Rate { from_per_second: 0.0, to_per_second: 100.0, lasts: Duration::from_secs(10) };
        let all = millis(&[ramp]);
        assert_eq!(all.len(), 500);
        for second in 1..=10_u128 {
            let come = all.iter().filter(|at| **at < second * 1_000).count() as u128;
            assert!(come.abs_diff(5 * second * second) <= 1, "{come} in {second} s");
        }
    }

    #[test]
    fn no_rate_is_no_shopper() {
        assert_eq!(millis(&[Stage::steady(0.0, Duration::from_secs(9))]), [0_u128; 0]);
        assert_eq!(millis(&[Stage::steady(5.0, Duration::ZERO)]), [0_u128; 0]);
    }

    proptest! {
        #[test]
        fn instants_are_in_order_within_the_stage_and_as_many_as_the_area(from in 0.0..500.0, to in 0.0..500.0, ms in 1u64..20_000) {
            let stage = Stage::Rate { from_per_second: from, to_per_second: to, lasts: Duration::from_millis(ms) };
            let all: Vec<Duration> = arrivals(&[stage]).collect();
            prop_assert!(all.is_sorted() && all.iter().all(|at| *at <= stage.lasts()));
            let area = (from + to) / 2.0 * ms as f64 / 1e3;
            prop_assert!((all.len() as f64 - area).abs() <= 1.0, "{} of {}", all.len(), area);
        }
    }
}
