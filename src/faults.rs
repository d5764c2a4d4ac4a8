//! Faults: where a test build ends its process, and what it does wrong when a test asks for it. Empty without the feature `faults`.
//!
//! Owns    the failpoints K1 … K40 of CHECKOUT.md 5.8, each in one place of the code, and the planted bugs of 5.10.4, by which the tests
//!         prove that they can fail. `VITRINE_FAILPOINT=K9:2` ends the process at the second passing of K9; `VITRINE_BUG=name` plants.
//! Always  a release has neither: both macros are nothing without the feature.

#[cfg(feature = "faults")]
use std::cell::Cell;
#[cfg(feature = "faults")]
use std::collections::BTreeSet;
#[cfg(feature = "faults")]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "faults")]
use std::sync::{LazyLock, Mutex, PoisonError};

/// Ends the process here when a test has named this point; with a second argument only where that is true.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "faults")]
        $crate::faults::pass($name);
    };
    ($name:literal, $when:expr) => {
        #[cfg(feature = "faults")]
        if $when {
            $crate::faults::pass($name);
        }
    };
}

/// Whether a test has planted this bug.
#[cfg(feature = "faults")]
macro_rules! planted {
    ($bug:literal) => {
        $crate::faults::is_planted($bug)
    };
}

/// Without the feature no bug is ever planted, and the compiler drops what it would have done.
#[cfg(not(feature = "faults"))]
macro_rules! planted {
    ($bug:literal) => {
        false
    };
}

#[cfg(feature = "faults")]
static PASSED: AtomicU64 = AtomicU64::new(0);

#[cfg(feature = "faults")]
static SEEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

#[cfg(feature = "faults")]
static POINT: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
    let named = std::env::var("VITRINE_FAILPOINT").ok()?;
    match named.split_once(':') {
        Some((name, at)) => Some((name.to_owned(), at.parse().ok()?)),
        None => Some((named, 1)),
    }
});

#[cfg(feature = "faults")]
static BUG: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("VITRINE_BUG").ok());

#[cfg(feature = "faults")]
thread_local! {
    static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Passes a failpoint. `abort` runs no destructor and flushes nothing: for the files it is what SIGKILL is.
#[cfg(feature = "faults")]
pub(crate) fn pass(name: &'static str) {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    let Some((point, at)) = &*POINT else { return };
    if point == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *at {
        std::process::abort();
    }
}

/// Whether this bug is planted, on this thread or by the environment.
#[cfg(feature = "faults")]
pub(crate) fn is_planted(bug: &'static str) -> bool {
    PLANTED.with(|planted| planted.get() == Some(bug)) || BUG.as_deref() == Some(bug)
}

/// Whether this process has passed a point, whatever it is told to do there.
#[cfg(feature = "faults")]
pub fn has_passed(name: &str) -> bool {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
}

/// Plants a bug for what runs on this thread from now on; `None`: no bug any more.
#[cfg(feature = "faults")]
pub fn plant(bug: Option<&'static str>) {
    PLANTED.with(|planted| planted.set(bug));
}
