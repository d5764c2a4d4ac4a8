//! Limits: how much at once, how often again, and when not at all.
//!
//! Owns    the circuit breaker, token buckets, those of each client, lanes of calls under way, the order in which requests are refused under load, how
//!         much has to be, and the pauses between two sends. `perform::line` and the server put them to use.
//! Knows   no clock and no network: instants are given, in milliseconds of a clock that only goes forward.
//! Source  CHECKOUT.md 5.6 and 5.7.

pub mod breaker;
pub mod bucket;
pub mod clients;
pub mod lane;
pub mod pressure;
pub mod resend;
pub mod shed;

/// Whole seconds after which to come again, at least 1: for `Retry-After`.
pub fn seconds(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
}
