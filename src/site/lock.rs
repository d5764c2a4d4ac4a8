//! Lock: one build at a time into one place.
//!
//! Owns    a file beside what is written, locked while a build writes it; it says which process that is.
//! Always  the lock is the kernel's: that of a build that died holds nobody up, whatever it left. The file goes with whoever held it.
//! Limits  where a file system knows no locks there are none.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::disk::{WriteError, before_change, beside, create_folder, fail};

/// What a build does while another one writes to the same place.
#[derive(Clone, Copy, Debug, Default)]
pub enum Busy {
    /// It says so, and ends.
    #[default]
    Refuse,
    /// It waits for it, and tells so in a sentence.
    Wait(fn(&str)),
}

/// Bytes of a lock's file that are read: a process's number is shorter.
const MAX_HOLDER_BYTES: u64 = 32;

/// A place that nobody else builds into.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// `None`: the file system knows no locks.
    held: Option<File>,
}

impl Lock {
    /// Takes the place `target`, a folder or a file.
    ///
    /// Errors: `Busy` where another build has it and `busy` is to refuse; the lock's file cannot be written.
    pub(super) fn take(target: &Path, busy: Busy) -> Result<Self, WriteError> {
        let path = beside(target, "lock");
        path.parent().map_or(Ok(()), create_folder)?;
        loop {
            let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = before_change().and_then(|()| open()).map_err(fail(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    let Busy::Wait(tell) = busy else {
                        return Err(WriteError::Busy { target: target.to_owned(), holder });
                    };
                    tell(&format!("waits for another build into {} ({holder})", target.display()));
                    file.lock().map_err(fail(&path))?;
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { path, held: None });
                }
                Err(TryLockError::Error(error)) => return Err(fail(&path)(error)),
            }
            // Whoever had it before took the file away: then this one is another file than the next build will open.
            if is_the_same(&file, &path) {
                // For people alone, so that a disk without room for it is no trouble.
                let _ = file.set_len(0).and_then(|()| write!(file, "process {}", std::process::id()));
                return Ok(Self { path, held: Some(file) });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is held: after that it may be another's.
        if self.held.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_the_same(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(named)) = (file.metadata(), fs::metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (named.dev(), named.ino())
}

// Another build's is empty for a moment before it is written.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(MAX_HOLDER_BYTES).read_to_string(&mut text);
    match read {
        Ok(_) if text.starts_with("process ") => text,
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_place_that_is_being_written_is_refused_by_name_until_it_is_let_go() {
        let root = tempfile::tempdir().expect("a folder");
        let public = root.path().join("public");
        let first = Lock::take(&public, Busy::Refuse).expect("free");
        let refused = Lock::take(&public, Busy::Refuse).expect_err("taken").to_string();
        for part in ["public is being written", &format!("process {}", std::process::id()), "--out"] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
        let other = Lock::take(&root.path().join("other"), Busy::Refuse);
        assert!(other.is_ok(), "another place is free");
        drop((first, other));
        assert_eq!(fs::read_dir(root.path()).expect("readable").count(), 0, "nothing is left");
        Lock::take(&public, Busy::Refuse).expect("free again");
    }

    #[test]
    fn a_file_that_a_dead_build_left_holds_nobody_up() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join(".public.lock"), "process 4294967295, which has a longer text").expect("written");
        let lock = Lock::take(&root.path().join("public"), Busy::Refuse).expect("free");
        let text = fs::read_to_string(root.path().join(".public.lock")).expect("there");
        assert_eq!(text, format!("process {}", std::process::id()));
        drop(lock);
    }

    #[test]
    fn those_who_wait_come_one_after_the_other() {
        let root = tempfile::tempdir().expect("a folder");
        let public = root.path().join("public");
        static TOLD: AtomicUsize = AtomicUsize::new(0);
        let inside = AtomicUsize::new(0);
        let busy = Busy::Wait(|text| {
            assert!(text.starts_with("waits for another build into") && text.contains("public ("), "{text}");
            TOLD.fetch_add(1, Ordering::SeqCst);
        });
        let held = Lock::take(&public, Busy::Refuse).expect("free");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let lock = Lock::take(&public, busy).expect("it is let go at last");
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "nobody else is inside");
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
            while TOLD.load(Ordering::SeqCst) < 4 {
                std::thread::yield_now();
            }
            assert_eq!(inside.load(Ordering::SeqCst), 0, "they wait");
            drop(held);
        });
        assert!(!root.path().join(".public.lock").exists());
    }
}
