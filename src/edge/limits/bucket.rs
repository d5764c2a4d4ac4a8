//! Bucket: tokens that come in at a rate, or by what others do, and are spent one by one.
//!
//! Always  it never holds more than its size, and counts in thousandths, so that nothing is lost to rounding.

/// Thousandths of a token in one.
const ONE: u64 = 1_000;

/// A bucket. Instants are milliseconds of a clock that only goes forward.
#[derive(Clone, Debug)]
pub struct Bucket {
    size: u64,
    /// Tokens a second, which are thousandths a millisecond.
    rate: u64,
    level: u64,
    /// `None`: it was not asked yet, and is full.
    filled_at: Option<u64>,
}

impl Bucket {
    /// A full one that holds `size` tokens and is filled with `rate` tokens a second.
    pub fn new(size: u32, rate: u32) -> Self {
        let size = u64::from(size) * ONE;
        Self { size, rate: u64::from(rate), level: size, filled_at: None }
    }

    /// Takes a token.
    ///
    /// Errors: milliseconds after which there is one; `u64::MAX` where none comes by itself.
    pub fn take(&mut self, now: u64) -> Result<(), u64> {
        self.fill(now);
        if self.level >= ONE {
            self.level -= ONE;
            return Ok(());
        }
        Err(if self.rate == 0 { u64::MAX } else { (ONE - self.level).div_ceil(self.rate) })
    }

    /// Gives so many thousandths of a token into it.
    pub fn give(&mut self, thousandths: u64) {
        self.level = (self.level + thousandths).min(self.size);
    }

    /// Gives a token back that was not used.
    pub fn give_back(&mut self) {
        self.give(ONE);
    }

    /// Thousandths of a token in it.
    pub fn level(&mut self, now: u64) -> u64 {
        self.fill(now);
        self.level
    }

    fn fill(&mut self, now: u64) {
        let passed = now.saturating_sub(self.filled_at.unwrap_or(now));
        self.filled_at = Some(self.filled_at.unwrap_or(now).max(now));
        self.level = (self.level + passed.saturating_mul(self.rate)).min(self.size);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_over_is_told_when_to_come_again() {
        let mut bucket = Bucket::new(2, 4);
        assert_eq!([bucket.take(5_000), bucket.take(5_000), bucket.take(5_000)], [Ok(()), Ok(()), Err(250)]);
        assert_eq!((bucket.take(5_249), bucket.take(5_250)), (Err(1), Ok(())));
        bucket.give_back();
        assert_eq!(bucket.take(5_250), Ok(()));
        assert_eq!(bucket.level(60_000), 2_000, "no more than it holds");
    }

    #[test]
    fn tokens_come_by_what_others_do() {
        let mut bucket = Bucket::new(1, 0);
        assert_eq!([bucket.take(0), bucket.take(1_000_000)], [Ok(()), Err(u64::MAX)]);
        for _ in 0..9 {
            bucket.give(100);
        }
        assert_eq!(bucket.take(0), Err(u64::MAX));
        bucket.give(100);
        assert_eq!(bucket.take(0), Ok(()));
    }

    proptest! {
        /// In no stretch of time are more taken than the bucket holds and the rate brings.
        #[test]
        fn no_more_go_through_than_the_rate(size in 1u32..50, rate in 1u32..100, waits in proptest::collection::vec(0u64..300, 1..300)) {
            let (mut bucket, mut now, mut taken) = (Bucket::new(size, rate), 0u64, Vec::new());
            for wait in waits {
                now += wait;
                match bucket.take(now) {
                    Ok(()) => taken.push(now),
                    Err(after) => prop_assert!(bucket.clone().take(now + after).is_ok(), "it keeps its word"),
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, until) in taken.iter().enumerate().skip(first) {
                    let most = u64::from(size) * ONE + (until - from) * u64::from(rate);
                    prop_assert!((last - first + 1) as u64 * ONE <= most);
                }
            }
        }
    }
}
