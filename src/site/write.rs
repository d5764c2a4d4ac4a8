//! Write: bytes → the output folder, so that a killed build leaves a whole one.
//!
//! Owns    staging beside the folder, the journal of renames that the next build finishes, removal of what is no longer made.
//! Always  a file whose bytes are the same is not touched; a folder that was not written by a build is not emptied; files are removed
//!         by manifest, never by guess.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use foldhash::HashMap;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, statat};
use serde::{Deserialize, Serialize};

#[cfg(feature = "faults")]
use super::faults::before_change;
use super::manifest::{Entry, FILE, Manifest};
use super::precompress::Sibling;

/// The output folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The world failed.
    #[error("{path} cannot be written: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else's files.
    #[error("{folder} holds files that no build has written; give another folder with --out, or empty this one yourself")]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
}

impl From<io::Error> for WriteError {
    fn from(source: io::Error) -> Self {
        Self::Io { path: "the cache of siblings".into(), source }
    }
}

/// A folder being written. Files may be put from many threads.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    /// The folder, open: the way to it is walked once and not for each file that is looked for. `None`: it is not there.
    open: Option<fs::File>,
    stage: PathBuf,
    journal: PathBuf,
    old: Manifest<HashMap<Box<str>, Entry>>,
    next_change_at: Option<String>,
    bundle: Option<String>,
}

/// What a file's putting came to.
#[derive(Clone, Debug)]
pub struct Put {
    path: String,
    entry: Entry,
    changed: bool,
}

impl Put {
    /// Its path below the folder.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it is.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Hash of its bytes.
    pub fn hash(&self) -> &blake3::Hash {
        &self.entry.hash
    }
}

/// What a build has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Files in the folder now, the manifest not counted.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files written.
    pub written: usize,
    /// Files removed.
    pub removed: usize,
}

#[derive(Serialize, Deserialize)]
struct Journal {
    rename: Vec<String>,
    remove: Vec<String>,
}

impl Output {
    /// Prepares a folder: finishes what a killed build left, reads its manifest, makes an empty stage beside it.
    pub fn open(folder: &Path) -> Result<Self, WriteError> {
        let beside = |ending: &str| {
            let name = folder.file_name().unwrap_or_else(|| "public".as_ref()).to_string_lossy().into_owned();
            folder.with_file_name(format!(".{name}.{ending}"))
        };
        let mut output = Self {
            folder: folder.to_owned(),
            open: None,
            stage: beside("stage"),
            journal: beside("journal"),
            old: Manifest::default(),
            next_change_at: None,
            bundle: None,
        };
        if let Ok(bytes) = fs::read(&output.journal) {
            if let Ok(journal) = serde_json::from_slice(&bytes) {
                output.follow(&journal)?;
            }
            remove_file(&output.journal)?;
        }
        remove_folder(&output.stage)?;
        match Manifest::read(folder) {
            Some(manifest) => output.old = manifest,
            None if is_empty(folder) || folder.join(FILE).is_file() => {}
            None => return Err(WriteError::Foreign { folder: folder.to_owned() }),
        }
        output.open = fs::File::open(folder).ok();
        create_folder(&output.stage)?;
        Ok(output)
    }

    /// The same, its manifest to say when the next build is due (RFC 3339).
    pub fn due_again(self, next_change_at: Option<String>) -> Self {
        Self { next_change_at, ..self }
    }

    /// The same, its manifest to name the bundle of the same build.
    pub fn beside(self, bundle: Option<String>) -> Self {
        Self { bundle, ..self }
    }

    /// Puts a file; one that already has these bytes is left alone.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<Put, WriteError> {
        let entry = Entry::of(path, bytes);
        let changed = !self.has(path, &entry);
        if changed {
            write_file(&self.stage.join(path), bytes)?;
        }
        Ok(Put { path: path.to_owned(), entry, changed })
    }

    /// Puts a file that is too long to be held at once: `fill` is given a function that takes one part after the other.
    ///
    /// Errors: those of `fill`, and of writing.
    pub fn put_parts<E: From<WriteError>>(
        &self,
        path: &str,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), WriteError>) -> Result<(), E>,
    ) -> Result<Put, E> {
        let staged = self.stage.join(path);
        staged.parent().map_or(Ok(()), create_folder)?;
        before_change().map_err(fail(&staged))?;
        let mut file = fs::File::create(&staged).map_err(fail(&staged))?;
        let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
        fill(&mut |part| {
            hasher.update(part);
            size += part.len() as u64;
            file.write_all(part).map_err(fail(&staged))
        })?;
        let entry = Entry::of_hash(path, hasher.finalize(), size);
        let changed = !self.has(path, &entry);
        if !changed {
            remove_file(&staged)?;
        }
        Ok(Put { path: path.to_owned(), entry, changed })
    }

    /// Puts a sibling of a file.
    pub fn put_sibling(&self, sibling: &Sibling) -> Result<Put, WriteError> {
        let Sibling { path, entry, file } = sibling;
        let changed = !self.has(path, entry);
        if changed {
            let bytes = fs::read(file).map_err(fail(file))?;
            write_file(&self.stage.join(path), &bytes)?;
        }
        Ok(Put { path: path.clone(), entry: *entry, changed })
    }

    /// The bytes of a file that was put.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, WriteError> {
        let staged = self.stage.join(path);
        let file = if staged.is_file() { staged } else { self.folder.join(path) };
        fs::read(&file).map_err(fail(&file))
    }

    // Whether the folder has that file already.
    fn has(&self, path: &str, entry: &Entry) -> bool {
        self.old.files.get(path) == Some(entry) && self.is_there(path, entry.size)
    }

    fn is_there(&self, path: &str, size: u64) -> bool {
        let found = self.open.as_ref().and_then(|folder| statat(folder, path, AtFlags::empty()).ok());
        found.is_some_and(|file| FileType::from_raw_mode(file.st_mode).is_file() && u64::try_from(file.st_size) == Ok(size))
    }

    /// Whether the last build made that file, be it still there or not.
    pub fn had(&self, path: &str) -> bool {
        self.old.files.contains_key(path)
    }

    /// Keeps a file as it is, where its bytes are the `right` ones by their hash; `None`: it is not there like that, and has to be put.
    pub fn keep(&self, path: &str, right: impl Fn(&blake3::Hash) -> bool) -> Option<Put> {
        let entry = self.old.files.get(path).filter(|entry| right(&entry.hash))?;
        self.is_there(path, entry.size).then(|| Put { path: path.to_owned(), entry: *entry, changed: false })
    }

    /// Makes the folder what was put, and nothing else.
    pub fn finish(self, puts: Vec<Put>) -> Result<Changes, WriteError> {
        let changes = self.settle(&puts);
        // Two hundred thousand names of a large shop: nobody waits until they are taken apart.
        rayon::spawn(move || drop((self, puts)));
        changes
    }

    fn settle(&self, puts: &[Put]) -> Result<Changes, WriteError> {
        let mut changes = Changes { files: puts.len(), ..Changes::default() };
        let mut rename = Vec::new();
        for put in puts {
            changes.bytes += put.entry.size;
            if put.changed {
                rename.push(put.path.as_str());
            }
        }
        let mut files: Vec<(&str, &Entry)> = puts.iter().map(|put| (put.path.as_str(), &put.entry)).collect();
        files.par_sort_by_key(|(path, _)| *path);
        files.dedup_by_key(|(path, _)| *path);
        // What did not change is among the old ones, so that as many of them are all of them: here, and below without the fresh ones.
        let are_the_same = rename.is_empty() && files.len() == self.old.files.len();
        let says_the_same = self.next_change_at == self.old.next_change_at && self.bundle == self.old.bundle;
        if are_the_same && says_the_same && self.folder.join(FILE).is_file() {
            remove_folder(&self.stage)?;
            return Ok(changes);
        }
        let files: BTreeMap<&str, &Entry> = files.into_iter().collect();
        rename.sort_unstable();
        rename.dedup();
        let fresh = rename.iter().filter(|path| !self.had(path)).count();
        let mut remove: Vec<&str> = Vec::new();
        if self.old.files.len() > files.len() - fresh {
            remove.extend(self.old.files.keys().map(|path| &**path).filter(|path| !files.contains_key(path)));
            remove.sort_unstable();
        }
        changes.written = rename.len();
        changes.removed = remove.len();
        let manifest =
            Manifest { files, next_change_at: self.next_change_at.clone(), bundle: self.bundle.clone(), ..Manifest::default() };
        write_with(&self.stage.join(FILE), |file| manifest.write(file))?;
        if is_empty(&self.folder) {
            // A first build: the whole folder appears at once.
            let _ = fs::remove_dir(&self.folder);
            rename_path(&self.stage, &self.folder)?;
            return Ok(changes);
        }
        // Last: until then the old manifest describes what a half-done pass started from.
        rename.push(FILE);
        let owned = |paths: Vec<&str>| paths.into_iter().map(str::to_owned).collect();
        let journal = Journal { rename: owned(rename), remove: owned(remove) };
        let bytes = serde_json::to_vec(&journal).expect("paths are texts");
        let draft = self.journal.with_extension("draft");
        write_file(&draft, &bytes)?;
        rename_path(&draft, &self.journal)?;
        self.follow(&journal)?;
        remove_file(&self.journal)?;
        remove_folder(&self.stage)?;
        Ok(changes)
    }

    // May be done again from the start at any time: what is already renamed or removed is passed over.
    fn follow(&self, journal: &Journal) -> Result<(), WriteError> {
        let folders: BTreeSet<PathBuf> =
            journal.rename.iter().filter_map(|path| self.folder.join(path).parent().map(Path::to_owned)).collect();
        folders.iter().try_for_each(|folder| create_folder(folder))?;
        let (manifest, pages) = journal.rename.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
        pages.par_iter().try_for_each(|path| self.move_in(path))?;
        for path in &journal.remove {
            remove_file(&self.folder.join(path))?;
            self.remove_empty_folders(path);
        }
        manifest.map_or(Ok(()), |path| self.move_in(path))
    }

    fn move_in(&self, path: &str) -> Result<(), WriteError> {
        let staged = self.stage.join(path);
        if staged.is_file() { rename_path(&staged, &self.folder.join(path)) } else { Ok(()) }
    }

    fn remove_empty_folders(&self, path: &str) {
        let mut above = Path::new(path).parent();
        while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty()) {
            // Fails while something is in it, which is what is wanted.
            if fs::remove_dir(self.folder.join(folder)).is_err() {
                break;
            }
            above = folder.parent();
        }
    }
}

/// One file that will take another's place, so that a reader sees the old bytes or the new ones.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    /// `None`: the file has these bytes already.
    draft: Option<PathBuf>,
    /// Bytes.
    pub size: u64,
    /// Their hash.
    pub hash: blake3::Hash,
}

impl Draft {
    /// Of a file that stays, if its bytes are the `right` ones by their hash; they are not held at once.
    pub fn keep(path: &Path, right: impl Fn(&blake3::Hash) -> bool) -> Option<Self> {
        let (hash, size) = hash_of(path).ok()?;
        right(&hash).then(|| {
            // Left by a build that was killed.
            let _ = fs::remove_file(path.with_extension("draft"));
            Self { path: path.to_owned(), draft: None, size, hash }
        })
    }

    /// Has a file written by `give` beside `path`; it is dropped again where `path` has its bytes already.
    pub fn new(path: &Path, give: impl FnOnce(&mut io::BufWriter<fs::File>) -> io::Result<()>) -> Result<Self, WriteError> {
        let mut written = Self { path: path.to_owned(), draft: Some(path.with_extension("draft")), size: 0, hash: NO_HASH };
        let draft = path.with_extension("draft");
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
    pub fn settle(mut self) -> Result<bool, WriteError> {
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
fn hash_of(path: &Path) -> io::Result<(blake3::Hash, u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok((hasher.finalize(), hasher.count()))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

#[cfg(not(feature = "faults"))]
fn before_change() -> io::Result<()> {
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    before_change().map_err(fail(path))?;
    match fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), create_folder)?;
            fs::write(path, bytes).map_err(fail(path))
        }
        other => other.map_err(fail(path)),
    }
}

// For what is too long to be held beside what it is made from.
fn write_with(path: &Path, give: impl FnOnce(&mut io::BufWriter<fs::File>) -> io::Result<()>) -> Result<(), WriteError> {
    path.parent().map_or(Ok(()), create_folder)?;
    let written = || {
        before_change()?;
        let mut file = io::BufWriter::with_capacity(1 << 16, fs::File::create(path)?);
        give(&mut file)?;
        file.flush()
    };
    written().map_err(fail(path))
}

fn create_folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(fail(path))
}

fn rename_path(from: &Path, to: &Path) -> Result<(), WriteError> {
    before_change().and_then(|()| fs::rename(from, to)).map_err(fail(to))
}

fn remove_file(path: &Path) -> Result<(), WriteError> {
    match before_change().and_then(|()| fs::remove_file(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail(path)(error)),
        _ => Ok(()),
    }
}

fn remove_folder(path: &Path) -> Result<(), WriteError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail(path)(error)),
        _ => Ok(()),
    }
}

fn fail(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(folder: &Path, files: &[(&str, &str)]) -> Changes {
        let output = Output::open(folder).expect("writable");
        let puts = files.iter().map(|(path, text)| output.put(path, text.as_bytes()).expect("writable")).collect();
        output.finish(puts).expect("writable")
    }

    fn listing(folder: &Path) -> Vec<String> {
        let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
        let file = |entry: walkdir::DirEntry| entry.path().strip_prefix(folder).expect("inside").to_string_lossy().into_owned();
        walk.into_iter().map(|entry| entry.expect("readable")).filter(|entry| entry.file_type().is_file()).map(file).collect()
    }

    #[test]
    fn only_changed_files_are_written_and_stale_ones_go_with_their_folders() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        assert_eq!(build(&folder, &[("a.html", "1"), ("deep/b.html", "2")]).written, 2);
        let again = build(&folder, &[("a.html", "1"), ("deep/b.html", "2")]);
        assert_eq!((again.written, again.removed), (0, 0));
        let changed = build(&folder, &[("a.html", "3")]);
        assert_eq!((changed.written, changed.removed), (1, 1));
        assert_eq!(listing(&folder), ["a.html", "manifest.json"]);
        assert!(!folder.join("deep").exists());
        assert_eq!(listing(root.path()).len(), 2, "nothing is left beside the folder");
        let swapped = build(&folder, &[("b.html", "3")]);
        assert_eq!((swapped.written, swapped.removed), (1, 1), "one more and one less");
        assert_eq!(listing(&folder), ["b.html", "manifest.json"]);
    }

    #[test]
    fn a_file_put_in_parts_is_the_file_put_at_once() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1"), ("feeds/long.xml", "one two three")]);
        let output = Output::open(&folder).expect("writable");
        let long = output
            .put_parts("feeds/long.xml", |take| ["one ", "two ", "three"].iter().try_for_each(|part| take(part.as_bytes())));
        let long: Result<Put, WriteError> = long;
        let puts = vec![output.put("a.html", b"1").expect("writable"), long.expect("writable")];
        assert_eq!(output.finish(puts).expect("writable").written, 0, "it is there already");
        let output = Output::open(&folder).expect("writable");
        let long: Result<Put, WriteError> = output.put_parts("feeds/long.xml", |take| take(b"four"));
        let puts = vec![output.put("a.html", b"1").expect("writable"), long.expect("writable")];
        assert_eq!(output.finish(puts).expect("writable").written, 1);
        assert_eq!(fs::read_to_string(folder.join("feeds/long.xml")).expect("there"), "four");
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
        fs::write(root.path().join("shop.draft"), b"two").expect("as a killed build leaves it");
        assert!(Draft::keep(&path, |hash| *hash == blake3::hash(b"two")).is_none());
        let kept = Draft::keep(&path, |hash| *hash == blake3::hash(b"one")).expect("it has these bytes");
        assert!(!kept.settle().expect("writable"));
        assert_eq!(listing(root.path()), ["shop.bundle"]);
        assert!(Draft::new(&path, |_| Err(io::ErrorKind::StorageFull.into())).is_err());
        assert_eq!(listing(root.path()), ["shop.bundle"], "nothing is left of a failure");
    }

    #[test]
    fn a_new_date_is_told_though_no_file_changed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1")]);
        let due = |at: Option<&str>| {
            let output = Output::open(&folder).expect("writable").due_again(at.map(str::to_owned));
            let puts = vec![output.put("a.html", b"1").expect("writable")];
            assert_eq!(output.finish(puts).expect("writable").written, 0);
            <Manifest>::read(&folder).expect("written").next_change_at
        };
        assert_eq!(due(Some("2027-01-31T00:00:00Z")).as_deref(), Some("2027-01-31T00:00:00Z"));
        assert_eq!(due(None), None);
    }

    #[test]
    fn a_file_spoilt_by_hand_is_written_again() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1")]);
        fs::write(folder.join("a.html"), "longer").expect("written");
        assert_eq!(build(&folder, &[("a.html", "1")]).written, 1);
    }

    #[test]
    fn a_pass_that_was_killed_is_finished_by_the_next_build() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1"), ("b.html", "1"), ("gone.html", "1")]);
        // As a build leaves it that dies after the first of its renames.
        let output = Output::open(&folder).expect("writable");
        let puts = [output.put("a.html", b"2").expect("staged"), output.put("b.html", b"2").expect("staged")];
        let manifest: Manifest =
            Manifest { files: puts.iter().map(|put| (put.path.clone(), put.entry)).collect(), ..Manifest::default() };
        write_with(&output.stage.join(FILE), |file| manifest.write(file)).expect("staged");
        let rename = vec!["a.html".to_owned(), "b.html".to_owned(), FILE.to_owned()];
        let journal = Journal { rename, remove: vec!["gone.html".to_owned()] };
        write_file(&output.journal, &serde_json::to_vec(&journal).expect("texts")).expect("written");
        output.move_in("a.html").expect("moved");
        drop(output);

        Output::open(&folder).expect("finishes the pass");
        assert_eq!(fs::read_to_string(folder.join("b.html")).expect("there"), "2");
        assert_eq!(listing(&folder), ["a.html", "b.html", "manifest.json"]);
        assert_eq!(Manifest::read(&folder), Some(manifest));
    }

    #[test]
    fn a_build_killed_before_its_journal_changes_nothing() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1")]);
        let output = Output::open(&folder).expect("writable");
        output.put("a.html", b"2").expect("staged");
        drop(output);
        assert_eq!(fs::read_to_string(folder.join("a.html")).expect("there"), "1");
        assert_eq!(build(&folder, &[("a.html", "1")]).written, 0);
    }

    #[test]
    fn somebody_elses_folder_is_left_alone() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::write(root.path().join("thesis.txt"), "x").expect("written");
        assert!(matches!(Output::open(root.path()), Err(WriteError::Foreign { .. })));
        assert_eq!(listing(root.path()), ["thesis.txt"]);
    }
}
