//! Keys: what a page was printed from, as a hash. A page whose key is that of the last build is not printed again.
//!
//! Owns    what goes into a key: everything a template can read (`site`, `page` with the text it is made of, templates, files of static/)
//!         and the program itself; and the file that remembers keys between builds.
//! Always  a key that is not known, or a page that is not as it was left, is printed: the file may be deleted at any time.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::disk::before_change;
use super::render::reads::Read;

/// Bytes of a key: beyond chance at any number of pages.
const KEY_BYTES: usize = 16;

/// Bytes that most keys are made of, and more.
const USUAL_BYTES: usize = 512;

/// A page's key.
pub type Key = [u8; KEY_BYTES];

/// A key in the making: what is added is told apart from what is added next. It is hashed in one piece: a hasher that takes parts is two
/// thousand bytes to set up, and most keys are made of two hundred.
#[derive(Clone, Debug)]
pub struct KeyHasher<'a> {
    base: &'a [u8; 32],
    bytes: Vec<u8>,
}

impl KeyHasher<'_> {
    /// Adds a text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.bytes.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// Adds another key.
    pub fn key(&mut self, key: &Key) -> &mut Self {
        self.bytes.extend_from_slice(key);
        self
    }

    /// The key of all that was added.
    pub fn finish(&self) -> Key {
        half(&blake3::keyed_hash(self.base, &self.bytes))
    }
}

/// The keys of the last build into one folder.
#[derive(Debug)]
pub struct Keys {
    /// Hash of what all pages share.
    base: [u8; 32],
    file: Option<PathBuf>,
    /// As the file holds them.
    known: Vec<u8>,
    /// See `starts`; empty where nothing is known.
    starts: Vec<u32>,
    /// What pages asked functions for, by the hash of their paths. Most pages ask for nothing.
    reads: HashMap<Key, Arc<[Read]>>,
}

/// Bytes that the file begins with: another shape has others.
const MAGIC: &[u8] = b"vitrine pages 2\n";
/// Bytes of a record: hash of the path, key, hash of the bytes. Records are sorted, so that one is found without reading them all.
const RECORD: usize = 3 * KEY_BYTES;

/// One page of a finished build: hash of its path, key, the first half of its bytes' hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remembered([Key; 3]);

impl Remembered {
    /// Of the page of that path's key, printed by this key, and bytes of this hash.
    pub fn new(path: Key, key: Key, hash: &blake3::Hash) -> Self {
        Self([path, key, half(hash)])
    }
}

/// The path of a page as it is remembered.
pub fn path_key(path: &str) -> Key {
    half(&blake3::hash(path.as_bytes()))
}

/// What a page of a finished build asked for: key of its path, and the set.
pub type RememberedReads = (Key, Arc<[Read]>);

fn half(hash: &blake3::Hash) -> Key {
    hash.as_bytes()[..KEY_BYTES].try_into().expect("a hash is longer than a key")
}

impl Keys {
    /// Of pages that share `base`, remembered in the folder `cache` (`None`: nowhere) for the output folder `out`.
    pub fn open(cache: Option<&Path>, out: &Path, base: [u8; 32]) -> Self {
        let file = cache.map(|folder| {
            let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
            let name = blake3::hash(out.as_os_str().as_encoded_bytes()).to_hex();
            folder.join(format!("pages-{}", &name[..16]))
        });
        let bytes = file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        let is_whole = bytes.strip_prefix(MAGIC).is_some_and(|records| records.len().is_multiple_of(RECORD));
        let reads = file.as_ref().and_then(|file| fs::read(reads_file(file)).ok());
        let reads = reads.and_then(|bytes| postcard::from_bytes::<WrittenReads>(&bytes).ok()).unwrap_or_default();
        let known = if is_whole { bytes } else { Vec::new() };
        let starts = if is_whole { starts(records(&known)) } else { Vec::new() };
        Self { base, file, known, starts, reads: reads.into_map() }
    }

    /// What a page asked functions for when it was printed last. It would ask for the same again as long as it is given the same.
    pub fn reads(&self, path: &Key) -> Option<&Arc<[Read]>> {
        if self.reads.is_empty() { None } else { self.reads.get(path) }
    }

    /// Begins a key.
    pub fn hasher(&self) -> KeyHasher<'_> {
        KeyHasher { base: &self.base, bytes: Vec::with_capacity(USUAL_BYTES) }
    }

    /// Whether a page is what its key led to last time.
    pub fn knows(&self, page: &Remembered) -> bool {
        let wanted = page.0.as_flattened();
        let bucket = bucket(wanted);
        let Some([start, end]) = self.starts.get(bucket..bucket + 2) else { return false };
        records(&self.known)[*start as usize..*end as usize].iter().any(|record| record[..] == *wanted)
    }

    /// Remembers the pages of a finished build, and what those asked for that asked for something. A file that cannot be written costs
    /// time at the next build and nothing else.
    pub fn remember(&self, mut pages: Vec<Remembered>, reads: Vec<RememberedReads>) {
        let Some(file) = &self.file else { return };
        self.remember_reads(&reads_file(file), reads);
        pages.par_sort_unstable();
        let mut bytes = Vec::with_capacity(MAGIC.len() + pages.len() * RECORD);
        bytes.extend_from_slice(MAGIC);
        pages.iter().for_each(|page| bytes.extend_from_slice(page.0.as_flattened()));
        if bytes != self.known {
            write(file, &[&bytes]);
        }
    }

    fn remember_reads(&self, file: &Path, reads: Vec<RememberedReads>) {
        if reads.is_empty() && self.reads.is_empty() {
            return;
        }
        let bytes = postcard::to_allocvec(&WrittenReads::new(reads)).expect("plain data always serialises");
        if fs::read(file).ok().as_ref() != Some(&bytes) {
            write(file, &[&bytes]);
        }
    }
}

fn records(file: &[u8]) -> &[[u8; RECORD]] {
    file.get(MAGIC.len()..).unwrap_or_default().as_chunks().0
}

// Where the records begin whose hash has these first two bytes, and where the last of them ends: a binary search is slower.
fn starts(records: &[[u8; RECORD]]) -> Vec<u32> {
    let mut starts = vec![0; (1 << 16) + 1];
    for record in records {
        starts[bucket(record) + 1] += 1;
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    starts
}

fn bucket(record: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([record[0], record[1]]))
}

/// What pages asked for, as the cache holds it: each set once, since pages of one template ask for the same.
#[derive(Default, Serialize, Deserialize)]
struct WrittenReads {
    sets: Vec<Vec<Read>>,
    /// Hash of a page's path, and the place of its set.
    pages: Vec<(Key, u32)>,
}

impl WrittenReads {
    fn new(mut reads: Vec<RememberedReads>) -> Self {
        reads.sort_unstable_by_key(|page| page.0);
        let mut places: BTreeMap<Arc<[Read]>, u32> = BTreeMap::new();
        let mut sets = Vec::new();
        let mut pages = Vec::with_capacity(reads.len());
        for (page, set) in reads {
            let place = *places.entry(set).or_insert_with_key(|set| {
                sets.push(set.to_vec());
                sets.len() as u32 - 1
            });
            pages.push((page, place));
        }
        Self { sets, pages }
    }

    fn into_map(self) -> HashMap<Key, Arc<[Read]>> {
        let sets: Vec<Arc<[Read]>> = self.sets.into_iter().map(Arc::from).collect();
        self.pages.into_iter().filter_map(|(page, place)| Some((page, Arc::clone(sets.get(place as usize)?)))).collect()
    }
}

// Beside the keys: `pages-0123.reads`. Keys hold what was asked for too, so that the two need not be of one build.
fn reads_file(keys: &Path) -> PathBuf {
    keys.with_extension("reads")
}

/// Writes a file of the cache, part after part, so that a reader sees the old bytes or the new ones, and gives it, open for reading;
/// `None` where it could not be written.
pub fn write(file: &Path, parts: &[&[u8]]) -> Option<fs::File> {
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    let written = || -> std::io::Result<fs::File> {
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        before_change()?;
        let mut open = fs::File::options().read(true).write(true).create(true).truncate(true).open(&draft)?;
        parts.iter().try_for_each(|part| open.write_all(part))?;
        before_change()?;
        fs::rename(&draft, file)?;
        Ok(open)
    };
    let result = written();
    if let Err(error) = &result {
        let _ = fs::remove_file(&draft);
        tracing::debug!(%error, file = %file.display(), "the cache was not written");
    }
    result.ok()
}

/// Names this program: another one may print the same page otherwise.
pub fn program() -> String {
    let of_file = std::env::current_exe().and_then(fs::metadata);
    let stamp = of_file.ok().and_then(|metadata| {
        let changed = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(format!("{} {}", metadata.len(), changed.as_nanos()))
    });
    format!("{} {}", env!("CARGO_PKG_VERSION"), stamp.unwrap_or_default())
}
