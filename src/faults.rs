//! Faults: where a test build ends its process, and what it does wrong when a test asks for it. Empty without the feature `faults`.
//!
//! Owns    the failpoints K1 … K40 of CHECKOUT.md 5.8, each in one place of the code, and the planted bugs of 5.10.4, by which the tests
//!         prove that they can fail. `VITRINE_FAILPOINT=K9:2` ends the process at the second passing of K9; `VITRINE_BUG=name` plants.
//!         `VITRINE_SHUFFLE=7` lists every folder in an order of its own, as another file system might.
//! Always  a release has none of them: the macros are nothing without the feature.

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

/// A walk through folders, which lists them in another order when a test asks for it. What the caller sorts stays sorted.
#[cfg(feature = "faults")]
macro_rules! listed {
    ($walk:expr) => {
        $crate::faults::shuffled($walk)
    };
}

/// Without the feature the file system's own order.
#[cfg(not(feature = "faults"))]
macro_rules! listed {
    ($walk:expr) => {
        $walk
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
static SHUFFLE: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("VITRINE_SHUFFLE").ok());

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

/// A walk that lists each folder in an order of the seed's; without a seed as it comes.
#[cfg(feature = "faults")]
pub(crate) fn shuffled(walk: walkdir::WalkDir) -> walkdir::WalkDir {
    match SHUFFLE.as_deref() {
        Some(seed) => by_seed(walk, seed),
        None => walk,
    }
}

#[cfg(feature = "faults")]
fn by_seed(walk: walkdir::WalkDir, seed: &str) -> walkdir::WalkDir {
    let seed = seed.to_owned();
    walk.sort_by_key(move |entry| {
        let name = entry.file_name().to_string_lossy();
        *blake3::hash(format!("{seed} {name}").as_bytes()).as_bytes()
    })
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

#[cfg(all(test, feature = "faults"))]
mod tests {
    use super::*;

    #[test]
    fn every_seed_lists_the_same_files_in_an_order_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        (0..20).for_each(|number| std::fs::write(folder.path().join(number.to_string()), "").expect("written"));
        let listed = |seed: &str| -> Vec<String> {
            let walk = by_seed(walkdir::WalkDir::new(folder.path()).min_depth(1), seed).into_iter();
            walk.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
        };
        let (one, mut other) = (listed("1"), listed("2"));
        assert!(one == listed("1") && one != other);
        let mut names = one.clone();
        names.sort();
        other.sort();
        assert!(names == other && names != one, "{one:?}");
    }
}
