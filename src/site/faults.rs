//! Faults: a build that ends, or finds the disk full, at a change of the disk that a test names. Only with the feature `faults`.
//!
//! `VITRINE_DISK_FAULT=kill:7` ends the process before the seventh change, `full:7` refuses that one and all after it; changes are those of
//! the output, of the bundle and of what is remembered. `VITRINE_LATER_MS=5000` holds files against a clock that is so far ahead: a test
//! writes one and need not wait until it is old enough to be trusted.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static DONE: AtomicU64 = AtomicU64::new(0);
static PLAN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
    let plan = std::env::var("VITRINE_DISK_FAULT").ok()?;
    let (kind, at) = plan.split_once(':')?;
    Some((kind.to_owned(), at.parse().ok()?))
});

/// How far ahead the clock is that files are held against.
pub(super) fn later_ns() -> u64 {
    static LATER_NS: LazyLock<u64> = LazyLock::new(|| {
        let ms: Option<u64> = std::env::var("VITRINE_LATER_MS").ok().and_then(|text| text.parse().ok());
        ms.unwrap_or(0).saturating_mul(1_000_000)
    });
    *LATER_NS
}

/// Called before each change of the disk.
pub(super) fn before_change() -> io::Result<()> {
    let Some((kind, at)) = &*PLAN else { return Ok(()) };
    let number = DONE.fetch_add(1, Ordering::Relaxed) + 1;
    match kind.as_str() {
        "kill" if number == *at => std::process::abort(),
        "full" if number >= *at => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    }
}
