//! Write: bytes → the output folder, so that a killed build leaves a whole one.
//!
//! Owns    staging beside the folder, the journal of renames that the next build finishes, removal of what is no longer made.
//! Always  a file whose bytes are the same is not touched; a folder that was not written by a build is not emptied; files are removed
//!         by manifest, never by guess; one build at a time writes a folder, and one that fails leaves nothing beside it but a journal
//!         that stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use foldhash::HashMap;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, statat};
use serde::{Deserialize, Serialize};

pub use super::disk::WriteError;
use super::disk::{before_change, beside, create_folder, fail, remove_file, remove_folder, rename_path, write_file, write_with};
use super::draft::hash_of;
use super::lock::{Busy, Lock};
use super::manifest::{Entry, FILE, Manifest};
use super::precompress::Sibling;

/// A folder being written. Files may be put from many threads.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    /// The folder, open: the way to it is walked once and not for each file that is looked for. `None`: it is not there.
    open: Option<fs::File>,
    stage: Stage,
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

/// What lies beside the folder while it is written. It goes at the end, however the build ends; only a journal that stands stays, with
/// what it names.
#[derive(Debug)]
struct Stage {
    folder: PathBuf,
    journal: PathBuf,
    /// Dropped after the rest is gone.
    _lock: Lock,
}

impl Stage {
    fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    // A journal takes its place as a whole.
    fn journal_draft(&self) -> PathBuf {
        self.journal.with_extension("draft")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.journal_draft());
        if !self.journal.is_file() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Which time a journal is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// All that it names is staged.
    First,
    /// A build was ended in the midst of it: what is no longer staged was moved before.
    Again,
}

impl Output {
    /// Prepares a folder: finishes what a killed build left, reads its manifest, makes an empty stage beside it.
    ///
    /// Errors: `Busy`, where another build writes it; `Foreign`; the disk cannot be changed.
    pub fn open(folder: &Path, busy: Busy) -> Result<Self, WriteError> {
        let lock = Lock::take(folder, busy)?;
        let stage = Stage { folder: beside(folder, "stage"), journal: beside(folder, "journal"), _lock: lock };
        let mut output =
            Self { folder: folder.to_owned(), open: None, stage, old: Manifest::default(), next_change_at: None, bundle: None };
        if let Ok(bytes) = fs::read(&output.stage.journal) {
            if let Ok(journal) = serde_json::from_slice(&bytes) {
                output.follow(&journal, Pass::Again)?;
                output.tell_what_is_there(&journal)?;
            }
            remove_file(&output.stage.journal)?;
        }
        remove_folder(&output.stage.folder)?;
        match Manifest::read(folder) {
            Some(manifest) => output.old = manifest,
            None if is_empty(folder) || folder.join(FILE).is_file() => {}
            None => return Err(WriteError::Foreign { folder: folder.to_owned() }),
        }
        output.open = fs::File::open(folder).ok();
        create_folder(&output.stage.folder)?;
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
            write_file(&self.stage.path(path), bytes)?;
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
        let staged = self.stage.path(path);
        staged.parent().map_or(Ok(()), create_folder)?;
        before_change().map_err(fail(&staged))?;
        let mut file = fs::File::create(&staged).map_err(fail(&staged))?;
        let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
        fill(&mut |part| {
            before_change().map_err(fail(&staged))?;
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
            write_file(&self.stage.path(path), &bytes)?;
        }
        Ok(Put { path: path.clone(), entry: *entry, changed })
    }

    /// The bytes of a file that was put.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, WriteError> {
        let staged = self.stage.path(path);
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
        let Self { stage, old, .. } = self;
        // Before anybody hears of the end: the next build may begin then.
        drop(stage);
        // Two hundred thousand names of a large shop: nobody waits until they are taken apart.
        rayon::spawn(move || drop((old, puts)));
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
        write_with(&self.stage.path(FILE), |file| manifest.write(file))?;
        if is_empty(&self.folder) {
            // A first build: the whole folder appears at once.
            let _ = fs::remove_dir(&self.folder);
            rename_path(&self.stage.folder, &self.folder)?;
            return Ok(changes);
        }
        // Last: until then the old manifest describes what a half-done pass started from.
        rename.push(FILE);
        let owned = |paths: Vec<&str>| paths.into_iter().map(str::to_owned).collect();
        let journal = Journal { rename: owned(rename), remove: owned(remove) };
        let bytes = serde_json::to_vec(&journal).expect("paths are texts");
        let draft = self.stage.journal_draft();
        write_file(&draft, &bytes)?;
        rename_path(&draft, &self.stage.journal)?;
        self.follow(&journal, Pass::First)?;
        remove_file(&self.stage.journal)?;
        Ok(changes)
    }

    // May be done again from the start at any time.
    fn follow(&self, journal: &Journal, pass: Pass) -> Result<(), WriteError> {
        let folders: BTreeSet<PathBuf> =
            journal.rename.iter().filter_map(|path| self.folder.join(path).parent().map(Path::to_owned)).collect();
        folders.iter().try_for_each(|folder| create_folder(folder))?;
        let (manifest, pages) = journal.rename.split_last().map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
        pages.par_iter().try_for_each(|path| self.move_in(path, pass))?;
        for path in &journal.remove {
            remove_file(&self.folder.join(path))?;
            self.remove_empty_folders(path);
        }
        manifest.map_or(Ok(()), |path| self.move_in(path, pass))
    }

    fn move_in(&self, path: &str, pass: Pass) -> Result<(), WriteError> {
        let staged = self.stage.path(path);
        if pass == Pass::Again && !staged.is_file() {
            return Ok(());
        }
        rename_path(&staged, &self.folder.join(path))
    }

    // What was staged may be lost between two builds, to somebody who tidies up or to a machine that lost its power. Pages are kept by what
    // the manifest says of them, so that it has to say what they are: those that the journal names are looked at.
    fn tell_what_is_there(&self, journal: &Journal) -> Result<(), WriteError> {
        let Some(mut manifest) = <Manifest>::read(&self.folder) else { return Ok(()) };
        let there = |path: &String| {
            let (hash, size) = hash_of(&self.folder.join(path)).ok()?;
            let told = manifest.files.get(path);
            let is_told = told.is_some_and(|entry| entry.hash == hash && entry.size == size);
            let entry = told.copied().unwrap_or_else(|| Entry::of_hash(path, hash, size));
            (!is_told).then(|| (path.clone(), Entry { hash, size, ..entry }))
        };
        let others: Vec<(String, Entry)> = journal.rename.par_iter().filter(|path| *path != FILE).filter_map(there).collect();
        if others.is_empty() {
            return Ok(());
        }
        manifest.files.extend(others);
        write_with(&self.stage.path(FILE), |file| manifest.write(file))?;
        rename_path(&self.stage.path(FILE), &self.folder.join(FILE))
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

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> Result<Output, WriteError> {
        Output::open(folder, Busy::Refuse)
    }

    fn build(folder: &Path, files: &[(&str, &str)]) -> Changes {
        let output = open(folder).expect("writable");
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
        let output = open(&folder).expect("writable");
        let long = output
            .put_parts("feeds/long.xml", |take| ["one ", "two ", "three"].iter().try_for_each(|part| take(part.as_bytes())));
        let long: Result<Put, WriteError> = long;
        let puts = vec![output.put("a.html", b"1").expect("writable"), long.expect("writable")];
        assert_eq!(output.finish(puts).expect("writable").written, 0, "it is there already");
        let output = open(&folder).expect("writable");
        let long: Result<Put, WriteError> = output.put_parts("feeds/long.xml", |take| take(b"four"));
        let puts = vec![output.put("a.html", b"1").expect("writable"), long.expect("writable")];
        assert_eq!(output.finish(puts).expect("writable").written, 1);
        assert_eq!(fs::read_to_string(folder.join("feeds/long.xml")).expect("there"), "four");
    }

    #[test]
    fn a_new_date_is_told_though_no_file_changed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1")]);
        let due = |at: Option<&str>| {
            let output = open(&folder).expect("writable").due_again(at.map(str::to_owned));
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
        let output = open(&folder).expect("writable");
        let puts = [output.put("a.html", b"2").expect("staged"), output.put("b.html", b"2").expect("staged")];
        let manifest: Manifest =
            Manifest { files: puts.iter().map(|put| (put.path.clone(), put.entry)).collect(), ..Manifest::default() };
        write_with(&output.stage.path(FILE), |file| manifest.write(file)).expect("staged");
        let rename = vec!["a.html".to_owned(), "b.html".to_owned(), FILE.to_owned()];
        let journal = Journal { rename, remove: vec!["gone.html".to_owned()] };
        write_file(&output.stage.journal, &serde_json::to_vec(&journal).expect("texts")).expect("written");
        output.move_in("a.html", Pass::First).expect("moved");
        drop(output);

        open(&folder).expect("finishes the pass");
        assert_eq!(fs::read_to_string(folder.join("b.html")).expect("there"), "2");
        assert_eq!(listing(&folder), ["a.html", "b.html", "manifest.json"]);
        assert_eq!(Manifest::read(&folder), Some(manifest));
    }

    #[test]
    fn a_build_killed_before_its_journal_changes_nothing() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1")]);
        let output = open(&folder).expect("writable");
        output.put("a.html", b"2").expect("staged");
        drop(output);
        assert_eq!(fs::read_to_string(folder.join("a.html")).expect("there"), "1");
        assert_eq!(build(&folder, &[("a.html", "1")]).written, 0);
    }

    #[test]
    fn what_a_killed_pass_has_lost_is_put_again_though_it_has_the_length_that_is_told() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1"), ("b.html", "1"), ("c.html", "1")]);
        let output = open(&folder).expect("writable");
        let puts: Vec<Put> = [("a.html", "2"), ("b.html", "2"), ("d.html", "2")]
            .into_iter()
            .map(|(path, text)| output.put(path, text.as_bytes()).expect("staged"))
            .collect();
        fs::remove_file(output.stage.path("b.html")).expect("lost");
        let told = output.finish(puts.clone()).expect_err("it is not there").to_string();
        assert!(told.contains("b.html cannot be written"), "{told}");
        assert!(root.path().join(".public.journal").is_file(), "what is staged is kept for the next build");

        let output = open(&folder).expect("finishes what it can");
        let told = <Manifest>::read(&folder).expect("it is there").files;
        let hash = |path: &str| told[path].hash;
        assert_eq!([hash("a.html"), hash("b.html"), hash("d.html")], [b"2", b"1", b"2"].map(|text| blake3::hash(text)));
        let puts = puts.iter().map(|put| output.put(&put.path, b"2").expect("staged")).collect();
        assert_eq!(output.finish(puts).expect("writable").written, 1);
        assert_eq!(fs::read_to_string(folder.join("b.html")).expect("there"), "2");
        assert_eq!(listing(root.path()).len(), 4, "a, b, d and the manifest: nothing is left beside the folder");
    }

    #[test]
    fn a_stage_that_is_lost_as_a_whole_leaves_a_manifest_of_what_is_there() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1"), ("b.html", "1")]);
        let output = open(&folder).expect("writable");
        output.put("a.html", b"2").expect("staged");
        let rename = ["a.html", "b.html", "new.html", FILE].map(str::to_owned).to_vec();
        let journal = Journal { rename, remove: Vec::new() };
        write_file(&output.stage.journal, &serde_json::to_vec(&journal).expect("texts")).expect("written");
        output.move_in("a.html", Pass::First).expect("moved");
        drop(output);
        fs::remove_dir_all(root.path().join(".public.stage")).expect("somebody tidies up");
        assert_eq!(build(&folder, &[("a.html", "1"), ("b.html", "1")]).written, 1, "a is another one than the manifest said");
        assert_eq!(fs::read_to_string(folder.join("a.html")).expect("there"), "1");
    }

    #[test]
    fn one_build_at_a_time_writes_a_folder_and_one_that_fails_leaves_nothing() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("public");
        build(&folder, &[("a.html", "1")]);
        let output = open(&folder).expect("writable");
        assert!(matches!(open(&folder), Err(WriteError::Busy { .. })));
        output.put("a.html", b"2").expect("staged by the first, of which the second took nothing away");
        let long: Result<Put, WriteError> = output.put_parts("long.xml", |take| {
            take(b"one")?;
            Err(WriteError::Foreign { folder: folder.clone() })
        });
        assert!(long.is_err());
        drop(output);
        assert_eq!(listing(root.path()), ["public/a.html", "public/manifest.json"]);
        assert_eq!(fs::read_to_string(folder.join("a.html")).expect("there"), "1");
        open(&folder).expect("writable again");
    }

    #[test]
    fn somebody_elses_folder_is_left_alone() {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::write(root.path().join("thesis.txt"), "x").expect("written");
        assert!(matches!(open(root.path()), Err(WriteError::Foreign { .. })));
        assert_eq!(listing(root.path()), ["thesis.txt"]);
    }
}
