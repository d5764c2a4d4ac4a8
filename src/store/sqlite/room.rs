//! Room: what of the disk is kept for money that already moves.
//!
//! Owns    a file beside the database that only fills the disk. Where the disk is full it is deleted: from then on nothing new is begun,
//!         and what is under way (answers of gateways, webhooks, captures) is written into what it left. Once there is space again it is
//!         made anew, and all goes on.
//! Always  new payments are refused before the last of the disk is gone, never after; how much is free is asked, not tried out, so that
//!         nothing takes the room of a payment that is being written.
//! Limits  space is back when the file and a quarter of it again are free; asked each second, and later and later (up to `LOOK_MAX`)
//!         where what looked like space was none, as with quotas.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks for space.
const LOOK_MIN: Duration = Duration::from_secs(1);
/// The same where it was not there when it was needed.
const LOOK_MAX: Duration = Duration::from_secs(300);
/// Space that lasted for so long was there.
const LASTED: Duration = Duration::from_secs(60);

/// The room kept beside one database.
#[derive(Debug)]
pub(super) struct Room {
    path: PathBuf,
    is_short: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// 0: none is kept.
    bytes: u64,
    since: Instant,
    pause: Duration,
}

impl Room {
    /// No room yet beside the database at `path`.
    pub(super) fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push("-reserve");
        let kept = Kept { bytes: 0, since: Instant::now(), pause: LOOK_MIN };
        Self { path: name.into(), is_short: AtomicBool::new(false), kept: Mutex::new(kept) }
    }

    /// Keeps so many bytes from now on. On a disk that has them not, nothing new is begun until it has.
    pub(super) fn keep(&self, bytes: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes = bytes;
        if bytes == 0 {
            // It may be there from a run that kept some.
            let _ = std::fs::remove_file(&self.path);
            return;
        }
        if !self.is_made(bytes) && !self.make(bytes) {
            tracing::error!(file = %self.path.display(), bytes, "the disk is full: nothing new can be paid until there is space");
            self.is_short.store(true, Ordering::Relaxed);
        }
    }

    /// Whether nothing new may be begun.
    pub(super) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// The disk is full: gives up what was kept. Gives whether there was any, so that what did not fit may fit now.
    pub(super) fn give_up(&self) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes == 0 || self.is_short.swap(true, Ordering::Relaxed) {
            return false;
        }
        kept.pause = if kept.since.elapsed() < LASTED { (kept.pause * 2).min(LOOK_MAX) } else { LOOK_MIN };
        kept.since = Instant::now();
        let file = self.path.display();
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                tracing::error!(%file, "the disk is full: nothing new can be paid until there is space; what is under way is")
            }
            Err(error) => tracing::error!(%file, %error, "the disk is full, and what was kept for that could not be given up"),
        }
        true
    }

    /// Makes the room anew where there is space for it again.
    pub(super) fn look(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_short() || kept.since.elapsed() < kept.pause {
            return;
        }
        let enough = kept.bytes.saturating_add(kept.bytes / 4);
        if self.free().is_none_or(|free| free >= enough) && self.make(kept.bytes) {
            kept.since = Instant::now();
            self.is_short.store(false, Ordering::Relaxed);
            tracing::info!("there is space on the disk again: payments are taken");
        }
    }

    /// Bytes that this process may still write; `None`: the system does not say.
    fn free(&self) -> Option<u64> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let told = rustix::fs::statvfs(folder).ok()?;
        Some(told.f_bavail.saturating_mul(told.f_frsize))
    }

    fn is_made(&self, bytes: u64) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| found.len() == bytes)
    }

    /// Writes the file, in bytes that no file system makes smaller.
    fn make(&self, bytes: u64) -> bool {
        let write = || {
            let mut file = File::create(&self.path)?;
            let mut noise = blake3::Hasher::new().finalize_xof();
            let (mut left, mut some) = (bytes, vec![0; 256 * 1024]);
            while left > 0 {
                noise.fill(&mut some);
                let count = usize::try_from(left).map_or(some.len(), |left| left.min(some.len()));
                file.write_all(&some[..count])?;
                left -= count as u64;
            }
            file.sync_all()
        };
        let made = write();
        if made.is_err() {
            let _ = std::fs::remove_file(&self.path);
        }
        made.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_kept_given_up_once_and_made_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let room = Room::beside(&folder.path().join("shop.db"));
        let file = folder.path().join("shop.db-reserve");
        assert!(!room.give_up(), "none is kept");
        room.keep(300_000);
        assert_eq!((std::fs::metadata(&file).expect("a file").len(), room.is_short()), (300_000, false));
        assert!(room.give_up() && room.is_short() && !file.exists());
        assert!(!room.give_up(), "there is no second one");
        // It did not last: the next look is later than the first would have been.
        room.look();
        assert!(room.is_short());
        {
            let mut kept = room.kept.lock().expect("unharmed");
            assert_eq!(kept.pause, 2 * LOOK_MIN);
            kept.pause = Duration::ZERO;
        }
        room.look();
        assert!(!room.is_short() && file.exists());
        room.keep(0);
        assert!(!file.exists());
    }
}
