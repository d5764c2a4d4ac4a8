//! Stamp: what tells one state of a file from another without reading it.
//!
//! Owns    which facts of a file count, and how long after a change they cannot be trusted yet.
//! Always  an edit shows, even one of the same length by somebody who sets the time of the file back (`cp -p`, `rsync -t`, `tar`): the time
//!         at which a file's facts were changed last cannot be set. A file that was copied is another one, and is read once more.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A file that is younger than this when it is read may change again without showing it: some file systems tell whole seconds, one of them
/// even ones.
const RACY_NANOSECONDS: u64 = 2_000_000_000;

/// One state of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::site) struct Stamp {
    length: u64,
    /// When its bytes were changed last, as far as whoever did it does not say otherwise.
    modified_ns: u64,
    /// When anything of it was changed last, its times too.
    changed_ns: u64,
    /// Which file has the name.
    inode: u64,
}

impl Stamp {
    /// Of a file as it is now; `None` where that cannot be told, or where it may change again without showing it.
    pub(in crate::site) fn of(path: &Path, now_ns: u64) -> Option<Self> {
        Self::of_metadata(&fs::metadata(path).ok()?, now_ns)
    }

    fn of_metadata(metadata: &Metadata, now_ns: u64) -> Option<Self> {
        let modified_ns = nanoseconds(metadata.mtime(), metadata.mtime_nsec())?;
        let changed_ns = nanoseconds(metadata.ctime(), metadata.ctime_nsec())?;
        let is_settled = modified_ns.max(changed_ns).saturating_add(RACY_NANOSECONDS) < now_ns;
        is_settled.then_some(Self { length: metadata.len(), modified_ns, changed_ns, inode: metadata.ino() })
    }
}

/// The clock that files are held against, in nanoseconds since 1970.
pub(in crate::site) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let now = now.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
    #[cfg(feature = "faults")]
    let now = now.saturating_add(crate::site::faults::later_ns());
    now
}

// `None`: before 1970, or after 2554.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> Option<u64> {
    u64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    const LATER_NS: u64 = 3_600_000_000_000;

    #[test]
    fn a_file_of_this_moment_is_not_trusted_whatever_its_time_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lamp.md");
        fs::write(&path, "10.00").expect("written");
        let long_ago = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
        File::options().write(true).open(&path).and_then(|file| file.set_modified(long_ago)).expect("its time is set");
        assert_eq!(Stamp::of(&path, now_ns()), None);
        assert!(Stamp::of(&path, now_ns() + LATER_NS).is_some());
        assert_eq!(Stamp::of(&folder.path().join("gone.md"), now_ns() + LATER_NS), None);
    }

    #[test]
    fn a_file_that_takes_anothers_name_is_another_though_all_else_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["one.md", "two.md"] {
            fs::write(path(name), "10.00").expect("written");
        }
        let of = |name: &str| Stamp::of(&path(name), now_ns() + LATER_NS).expect("it is there");
        let (one, two) = (of("one.md"), of("two.md"));
        assert_ne!(one.inode, two.inode);
        assert_ne!(Stamp { modified_ns: one.modified_ns, changed_ns: one.changed_ns, ..two }, one);
    }

    #[test]
    fn instants_before_1970_are_told_as_unknown() {
        assert_eq!(nanoseconds(-1, 999_999_999), None);
        assert_eq!(nanoseconds(0, 7), Some(7));
        assert_eq!(nanoseconds(18_446_744_074, 0), None);
    }
}
