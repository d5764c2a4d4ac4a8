//! Resend: when a call whose answer was lost is sent again within one request.
//!
//! Limits  `MAX_SENDS` sends; pauses of 0.5 s doubled up to 5 s, of which at least half is waited; none begins `BUDGET` after the first.
//! Source  CHECKOUT.md 5.6.

use std::time::Duration;

/// Sends of one call in one request.
pub const MAX_SENDS: u32 = 3;
/// Shoppers wait for 10 s in all.
pub const BUDGET: Duration = Duration::from_secs(10);
/// Thousandths of a retry that each first send brings into the shop's budget: 10 % of traffic.
pub const BUDGET_PER_SEND: u64 = 100;
/// Retries that a quiet shop has saved up.
pub const BUDGET_SAVED: u32 = 10;

const FIRST_PAUSE_MS: u64 = 500;
const LONGEST_PAUSE_MS: u64 = 5_000;

/// Milliseconds before the next send, after `sends` of them; `luck` is evenly drawn, so that many do not come back at one instant.
pub fn pause_ms(sends: u32, luck: u64) -> u64 {
    let whole = FIRST_PAUSE_MS.saturating_mul(1 << sends.saturating_sub(1).min(16)).min(LONGEST_PAUSE_MS);
    whole / 2 + luck % (whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_is_half_to_all_of_what_is_doubled(sends in 1u32..40, luck in any::<u64>()) {
            let whole = [500, 1_000, 2_000, 4_000].get(sends as usize - 1).copied().unwrap_or(5_000);
            let pause = pause_ms(sends, luck);
            prop_assert!((whole / 2..=whole).contains(&pause), "{} after {} sends", pause, sends);
        }
    }
}
