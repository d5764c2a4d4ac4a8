//! Faults: a build that ends, or finds the disk full, at a change of the disk that a test names. Only with the feature `faults`.
//!
//! `VITRINE_DISK_FAULT=kill:7` ends the process before the seventh change, `full:7` refuses that one and all after it.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static DONE: AtomicU64 = AtomicU64::new(0);
static PLAN: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
    let plan = std::env::var("VITRINE_DISK_FAULT").ok()?;
    let (kind, at) = plan.split_once(':')?;
    Some((kind.to_owned(), at.parse().ok()?))
});

/// Called before each change of the output.
pub(super) fn before_change() -> io::Result<()> {
    let Some((kind, at)) = &*PLAN else { return Ok(()) };
    let number = DONE.fetch_add(1, Ordering::Relaxed) + 1;
    match kind.as_str() {
        "kill" if number == *at => std::process::abort(),
        "full" if number >= *at => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    }
}
