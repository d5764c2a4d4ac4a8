//! Draft: one file that takes another's place at once.
//!
//! Owns    the bundle's way to the disk: written beside what it will replace, looked at, renamed.
//! Always  a reader sees the old bytes or the new ones; a draft that is dropped leaves nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{WriteError, beside, fail, remove_file, rename_path, write_with};

/// One file that will take another's place, so that a reader sees the old bytes or the new ones.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    /// `None`: the file has these bytes already.
    draft: Option<PathBuf>,
    /// Bytes.
    pub(super) size: u64,
    /// Their hash.
    pub(super) hash: blake3::Hash,
}

impl Draft {
    /// Of a file that stays, if its bytes are the `right` ones by their hash; they are not held at once.
    pub(super) fn keep(path: &Path, right: impl Fn(&blake3::Hash) -> bool) -> Option<Self> {
        let (hash, size) = hash_of(path).ok()?;
        right(&hash).then(|| {
            // Left by a build that was killed.
            let _ = fs::remove_file(beside(path, "draft"));
            Self { path: path.to_owned(), draft: None, size, hash }
        })
    }

    /// Has a file written by `give` beside `path`; it is dropped again where `path` has its bytes already.
    pub(super) fn new(
        path: &Path,
        give: impl FnOnce(&mut io::BufWriter<fs::File>) -> io::Result<()>,
    ) -> Result<Self, WriteError> {
        let mut written = Self { path: path.to_owned(), draft: Some(beside(path, "draft")), size: 0, hash: NO_HASH };
        let draft = beside(path, "draft");
        write_with(&draft, give)?;
        (written.hash, written.size) = hash_of(&draft).map_err(fail(&draft))?;
        let is_there = fs::metadata(path).is_ok_and(|file| file.len() == written.size)
            && hash_of(path).is_ok_and(|(hash, _)| hash == written.hash);
        if is_there {
            remove_file(&draft)?;
            written.draft = None;
        }
        Ok(written)
    }

    /// Puts them in their place. Says whether anything had to be written.
    pub(super) fn settle(mut self) -> Result<bool, WriteError> {
        let Some(draft) = &self.draft else { return Ok(false) };
        rename_path(draft, &self.path)?;
        self.draft = None;
        Ok(true)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(draft) = &self.draft {
            let _ = fs::remove_file(draft);
        }
    }
}

const NO_HASH: blake3::Hash = blake3::Hash::from_bytes([0; 32]);

// Hash and length, piece by piece: the bundle of a large shop is large.
pub(super) fn hash_of(path: &Path) -> io::Result<(blake3::Hash, u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok((hasher.finalize(), hasher.count()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_draft_is_seen_when_it_is_settled_and_leaves_nothing_otherwise() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("shop.bundle");
        let draft = |text: &str| Draft::new(&path, |file| file.write_all(text.as_bytes())).expect("writable");
        assert!(draft("one").settle().expect("writable"));
        assert!(!draft("one").settle().expect("writable"), "it is there already");
        drop(draft("two"));
        assert_eq!(fs::read(&path).expect("there"), b"one");
        fs::write(root.path().join(".shop.bundle.draft"), b"two").expect("as a killed build leaves it");
        assert!(Draft::keep(&path, |hash| *hash == blake3::hash(b"two")).is_none());
        let kept = Draft::keep(&path, |hash| *hash == blake3::hash(b"one")).expect("it has these bytes");
        assert!(!kept.settle().expect("writable"));
        assert_eq!(names(root.path()), ["shop.bundle"]);
        assert!(Draft::new(&path, |_| Err(io::ErrorKind::StorageFull.into())).is_err());
        assert_eq!(names(root.path()), ["shop.bundle"], "nothing is left of a failure");
    }
}
