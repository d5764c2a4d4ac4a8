//! Bulk: the products of bulk files, remembered as a whole while none of the files changes.
//!
//! Owns    the cache's file `sources`. What only pages show goes into it while the files are read, so that it is never held at once.
//! Shape   hash of what the sources were read by (32) · byte of the entries (u64) · byte of the index (u64) · packed details · entries,
//!         `CHUNK` to a piece (postcard) · index: lengths of the pieces, categories, problems (postcard).
//! Always  a remembered run is told with its warnings, and only taken where every file is by its `Stamp` as it was; a run with errors is not remembered; the file may be deleted at any time.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::details::{Details, Heap, Part};
use super::sources::{self, BulkSource};
use super::stamp::{Stamp, now_ns};
use super::{Held, LoadedCategory};
use crate::commerce::rules::Rules;
use crate::site::disk::before_change;
use crate::site::keys;
use crate::site::problem::Problems;

/// Products of a piece: pieces are unpacked on all cores.
const CHUNK: usize = 2048;
/// Bytes before the packed details.
const HEAD: u64 = 32 + 8 + 8;

/// What bulk files hold, packed.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    pub(super) products: Vec<Box<Held>>,
    pub(super) categories: Vec<LoadedCategory>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Index {
    lengths: Vec<u64>,
    categories: Vec<LoadedCategory>,
    /// As JSON: they leave out what they do not say.
    problems: String,
}

/// Reads bulk files, or remembers them.
pub(super) fn read(
    sources: &[BulkSource],
    rules: &Rules,
    cache: Option<&Path>,
    details: &mut Details,
    problems: &mut Problems,
) -> Bulk {
    if sources.is_empty() {
        return Bulk::default();
    }
    let path = cache.map(|folder| folder.join("sources"));
    let key = key(sources, rules);
    if let (Some(path), Some(key)) = (&path, &key)
        && let Some(bulk) = remembered(path, key, details, problems)
    {
        return bulk;
    }
    let draft = path.as_deref().and_then(Draft::open);
    let heap = Heap::new(draft.as_ref().and_then(|draft| draft.file.try_clone().ok()), HEAD);
    let mut found = Problems::new();
    let (mut bulk, heap) = sources::pack(sources, rules, heap, &mut found);
    let end = heap.end();
    let parts = heap.settle(details);
    if let (Some(draft), Some(path), Some(key), Some(end)) = (draft, &path, &key, end)
        && !found.has_errors()
        && let Err(error) = draft.finish(path, key, end, &bulk, &found)
    {
        tracing::debug!(%error, file = %path.display(), "the cache was not written");
    }
    problems.extend(found);
    for held in &mut bulk.products {
        held.notes.place.part = parts[held.notes.place.part as usize];
    }
    bulk
}

// Of all that a run depends on; `None`: a file may change again without showing it.
fn key(sources: &[BulkSource], rules: &Rules) -> Option<[u8; 32]> {
    let now_ns = now_ns();
    let mut text = format!("{} {:?} {:?}", keys::program(), rules.tax.classes, rules.markets);
    for source in sources {
        text += &format!("{source:?} {:?}", Stamp::of(&source.path, now_ns)?);
    }
    Some(*blake3::hash(text.as_bytes()).as_bytes())
}

fn remembered(path: &Path, key: &[u8; 32], details: &mut Details, problems: &mut Problems) -> Option<Bulk> {
    let file = fs::File::open(path).ok()?;
    let mut head = [0; HEAD as usize];
    file.read_exact_at(&mut head, 0).ok()?;
    let number = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
    let (entries_at, index_at) = (number(32)?, number(40)?);
    let piece = |at: u64, length: u64| {
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        file.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    };
    let length = file.metadata().ok()?.len().checked_sub(index_at).filter(|_| head[..32] == *key)?;
    let index: Index = postcard::from_bytes(&piece(index_at, length)?).ok()?;
    let told: Problems = serde_json::from_str(&index.problems).ok()?;
    let places: Vec<(u64, u64)> = index
        .lengths
        .iter()
        .scan(entries_at, |at, length| {
            let place = (*at, *length);
            *at += length;
            Some(place)
        })
        .collect();
    let unpack = |(at, length): (u64, u64)| postcard::from_bytes::<Vec<Box<Held>>>(&piece(at, length)?).ok();
    let pieces: Vec<Vec<Box<Held>>> = places.into_par_iter().map(unpack).collect::<Option<_>>()?;
    let part = details.add(Part::Filed { file, start: HEAD });
    let mut products: Vec<Box<Held>> = Vec::with_capacity(pieces.iter().map(Vec::len).sum());
    products.extend(pieces.into_iter().flatten());
    products.iter_mut().for_each(|held| held.notes.place.part = part);
    problems.extend(told);
    Some(Bulk { products, categories: index.categories })
}

/// A file of the cache in the making; it is gone when it is dropped before its end.
struct Draft {
    path: PathBuf,
    file: fs::File,
}

impl Draft {
    fn open(path: &Path) -> Option<Self> {
        let folder = path.parent()?;
        fs::create_dir_all(folder).ok()?;
        // What killed builds left: it may be large.
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("sources.") && name.ends_with(".draft") {
                let _ = fs::remove_file(entry.path());
            }
        }
        let path = path.with_extension(format!("{}.draft", std::process::id()));
        let file = fs::File::options().read(true).write(true).create(true).truncate(true).open(&path).ok()?;
        Some(Self { path, file })
    }

    fn finish(&self, path: &Path, key: &[u8; 32], entries_at: u64, bulk: &Bulk, problems: &Problems) -> io::Result<()> {
        before_change()?;
        let mut file = io::BufWriter::new(&self.file);
        file.seek(SeekFrom::Start(entries_at))?;
        let mut lengths = Vec::new();
        for chunk in bulk.products.chunks(CHUNK) {
            let piece = postcard::to_allocvec(chunk).map_err(io::Error::other)?;
            file.write_all(&piece)?;
            lengths.push(piece.len() as u64);
        }
        let index_at = entries_at + lengths.iter().sum::<u64>();
        let problems = serde_json::to_string(problems)?;
        let index = Index { lengths, categories: bulk.categories.clone(), problems };
        file.write_all(&postcard::to_allocvec(&index).map_err(io::Error::other)?)?;
        file.seek(SeekFrom::Start(0))?;
        [&key[..], &entries_at.to_le_bytes(), &index_at.to_le_bytes()].iter().try_for_each(|part| file.write_all(part))?;
        file.flush()?;
        before_change()?;
        fs::rename(&self.path, path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Open files go on being read; a finished one has another name.
        let _ = fs::remove_file(&self.path);
    }
}
