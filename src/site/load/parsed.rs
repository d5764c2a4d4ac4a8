//! Parsed: products as they were read last time, so that a file that did not change is not read again.
//!
//! Owns    the cache's files `products-NN`: products are spread over them by the paths of their files, so that an edit rewrites one.
//! Shape   hash of what the products were read by (32) · bytes of the entries (u64) · entries (postcard) · packed details.
//! Always  a product comes from here only where its file is by its `Stamp` as it was, and had no problem to tell; the files may be deleted
//!         at any time.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::details::{Details, Part};
use super::stamp::{Stamp, now_ns};
use super::translations::Sibling;
use super::{Held, LoadedProduct};
use crate::commerce::rules::Rules;
use crate::site::keys;
use crate::site::problem::Problems;

/// Products of one file of the cache, about: few enough that an edit rewrites little.
const PART: usize = 512;
/// Files of the cache at most: all of them stay open.
const MAX_PARTS: usize = 128;
/// Bytes before the entries.
const HEAD: u64 = 32 + 8;

/// A product with the state of its file.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// `None`: to be read each time.
    stamp: Option<Stamp>,
    /// Names and states of the files that translate it.
    translations: Vec<(String, Stamp)>,
    held: Box<Held>,
}

impl Entry {
    /// Of its file, as problems name it.
    fn path(&self) -> &str {
        &self.held.notes.source.file
    }
}

/// A product's file.
#[derive(Debug)]
pub(super) struct File {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// As problems name it.
    pub(super) name: String,
    /// Files that say the same in other languages.
    pub(super) translations: Vec<Sibling>,
}

/// The states of a product's own file and of its translations.
type Stamps = (Stamp, Vec<(String, Stamp)>);

/// What the last build left in the folder `cache`: read while the files of the shop are still being looked for.
pub(super) fn remembered<'a>(cache: Option<&'a Path>, rules: &'a Rules) -> Remembered<'a> {
    let head = |folder: &Path| {
        let mut head = [0; HEAD as usize];
        fs::File::open(part_path(folder, 0)).ok()?.read_exact_at(&mut head, 0).ok()?;
        Some(head)
    };
    let head = cache.and_then(head);
    let counts = (0..=MAX_PARTS.ilog2()).map(|power| 1 << power);
    let count = head.and_then(|head| counts.into_iter().find(|count| base(rules, *count) == head[..32])).unwrap_or(0);
    let base = base(rules, count);
    let open = |number| cache.and_then(|folder| Old::open(&part_path(folder, number), &base));
    Remembered { cache, rules, parts: (0..count).into_par_iter().map(open).collect() }
}

/// Reads the products of files, each from what is remembered or by `read`; in the order of the files.
pub(super) fn products(
    files: Vec<File>,
    remembered: Remembered<'_>,
    read: &(dyn Fn(&File) -> (Option<LoadedProduct>, Problems) + Sync),
    details: &mut Details,
    problems: &mut Problems,
) -> Vec<Box<Held>> {
    let Remembered { cache, rules, parts: mut old } = remembered;
    let count = (files.len() / PART).next_power_of_two().min(MAX_PARTS);
    if old.len() != count {
        old = (0..count).map(|_| None).collect();
    }
    let shelf = Shelf { cache, base: base(rules, count), read };
    let mut parts: Vec<Vec<(usize, File)>> = (0..count).map(|_| Vec::new()).collect();
    let mut slots: Vec<Option<Box<Held>>> = files.iter().map(|_| None).collect();
    let mut found: Vec<Problems> = files.iter().map(|_| Problems::new()).collect();
    let number = |file: &File| usize::from(blake3::hash(file.name.as_bytes()).as_bytes()[0]) % count;
    let numbers: Vec<usize> = files.par_iter().map(number).collect();
    for (place, number) in files.into_iter().enumerate().zip(numbers) {
        parts[number].push(place);
    }
    let done: Vec<Done> =
        parts.into_par_iter().zip(old).enumerate().map(|(number, (files, old))| shelf.part(number, files, old)).collect();
    for part in done {
        let number = details.add(part.part);
        for (index, held, told) in part.products {
            found[index] = told;
            slots[index] = held.map(|mut held| {
                held.notes.place.part = number;
                held
            });
        }
    }
    found.into_iter().for_each(|told| problems.extend(told));
    slots.into_iter().flatten().collect()
}

// What a product's file means depends on the tax classes and the currency.
fn base(rules: &Rules, parts: usize) -> [u8; 32] {
    let text = format!("{} {:?} {} {parts}", keys::program(), rules.tax.classes, rules.root_market().currency.code());
    *blake3::hash(text.as_bytes()).as_bytes()
}

impl File {
    // `None`: one of them may change again without showing it.
    fn stamps(&self, now_ns: u64) -> Option<Stamps> {
        let others = self.translations.iter().map(|other| Some((other.name.clone(), Stamp::of(&other.path, now_ns)?)));
        Some((Stamp::of(&self.path, now_ns)?, others.collect::<Option<_>>()?))
    }
}

/// Products of the last build, by the parts of the cache; none where they were read by other rules or another program.
pub(super) struct Remembered<'a> {
    cache: Option<&'a Path>,
    rules: &'a Rules,
    parts: Vec<Option<Old>>,
}

fn part_path(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("products-{number:03}"))
}

struct Shelf<'a> {
    cache: Option<&'a Path>,
    base: [u8; 32],
    read: &'a (dyn Fn(&File) -> (Option<LoadedProduct>, Problems) + Sync),
}

struct Done {
    part: Part,
    products: Vec<(usize, Option<Box<Held>>, Problems)>,
}

/// A part as the last build left it.
struct Old {
    file: fs::File,
    /// Byte at which the packed details begin.
    start: u64,
    /// In the order of their paths.
    entries: std::iter::Peekable<std::vec::IntoIter<Entry>>,
}

impl Shelf<'_> {
    fn part(&self, number: usize, files: Vec<(usize, File)>, mut old: Option<Old>) -> Done {
        let path = self.cache.map(|folder| part_path(folder, number));
        let now_ns = now_ns();
        let known = old.as_ref().map_or(0, |old| old.entries.len());
        let take = |(index, file): (usize, File)| {
            // Told before it is read, so that a change after that shows the next time.
            let stamps = self.cache.and_then(|_| file.stamps(now_ns));
            let entry = old.as_mut().and_then(|old| old.take(&file.name));
            let is_as_it_was = |entry: &Entry| {
                stamps.as_ref().is_some_and(|(own, others)| entry.stamp == Some(*own) && entry.translations == *others)
            };
            let entry = entry.filter(is_as_it_was);
            (index, file, stamps, entry)
        };
        let mut files: Vec<(usize, File, Option<Stamps>, Option<Entry>)> = files.into_iter().map(take).collect();
        let is_fresh = known == files.len() && files.iter().all(|(.., entry)| entry.is_some());
        if let (true, Some(Old { file, start, .. })) = (is_fresh, &old)
            && let Ok(file) = file.try_clone()
        {
            let whole =
                |(index, .., entry): (usize, _, _, Option<Entry>)| (index, entry.map(|entry| entry.held), Problems::new());
            return Done { part: Part::Filed { file, start: *start }, products: files.into_iter().map(whole).collect() };
        }
        let old_records = old.as_ref().and_then(Old::records);
        if old_records.is_none() {
            files.iter_mut().for_each(|(.., entry)| *entry = None);
        }
        let old_records = old_records.unwrap_or_default();
        let mut records = Vec::new();
        let mut entries = Vec::with_capacity(files.len());
        let mut nothing = Vec::new();
        for (index, file, stamps, entry) in files {
            let place = entry.as_ref().map(|entry| entry.held.notes.place);
            let record = place.and_then(|place| old_records.get(place.offset as usize..)?.get(..place.length as usize));
            let (entry, told) = match (entry, record) {
                (Some(mut entry), Some(record)) => {
                    entry.held.notes.place.offset = records.len() as u64;
                    records.extend_from_slice(record);
                    (Some(entry), Problems::new())
                }
                _ => {
                    let (product, told) = (self.read)(&file);
                    // A warning has to be told each time, so its file is read each time.
                    let (stamp, translations) = stamps.filter(|_| told.all().is_empty()).unzip();
                    let held = product.map(|product| Held::new(product, &mut records));
                    (held.map(|held| Entry { stamp, translations: translations.unwrap_or_default(), held }), told)
                }
            };
            match entry {
                Some(entry) => entries.push((index, entry, told)),
                None => nothing.push((index, None, told)),
            }
        }
        let part = self.write(path.as_deref(), &entries, records);
        let mut products = nothing;
        products.extend(entries.into_iter().map(|(index, entry, told)| (index, Some(entry.held), told)));
        Done { part, products }
    }

    // Where nothing can be remembered, the details stay in memory.
    fn write(&self, path: Option<&Path>, entries: &[(usize, Entry, Problems)], records: Vec<u8>) -> Part {
        let Some(path) = path else { return Part::Held(records) };
        let entries: Vec<&Entry> = entries.iter().map(|(_, entry, _)| entry).collect();
        let entries = postcard::to_allocvec(&entries).expect("plain data always serialises");
        let length = entries.len() as u64;
        match keys::write(path, &[&self.base, &length.to_le_bytes(), &entries, &records]) {
            Some(file) => Part::Filed { file, start: HEAD + length },
            None => Part::Held(records),
        }
    }
}

impl Old {
    // `base`: what its products have to have been read by.
    fn open(path: &Path, base: &[u8; 32]) -> Option<Self> {
        let file = fs::File::open(path).ok()?;
        let mut head = [0; HEAD as usize];
        file.read_exact_at(&mut head, 0).ok()?;
        let length = u64::from_le_bytes(head[32..].try_into().ok()?);
        let is_ours = head[..32] == *base && file.metadata().ok()?.len() >= HEAD.checked_add(length)?;
        let mut entries = vec![0; is_ours.then_some(length)? as usize];
        file.read_exact_at(&mut entries, HEAD).ok()?;
        let entries: Vec<Entry> = postcard::from_bytes(&entries).ok()?;
        Some(Self { file, start: HEAD + length, entries: entries.into_iter().peekable() })
    }

    // Paths are asked for in their order too: what lies before one that is asked for is gone.
    fn take(&mut self, path: &str) -> Option<Entry> {
        while self.entries.next_if(|entry| entry.path() < path).is_some() {}
        self.entries.next_if(|entry| entry.path() == path)
    }

    fn records(&self) -> Option<Vec<u8>> {
        let length = self.file.metadata().ok()?.len().checked_sub(self.start)?;
        let mut records = vec![0; length as usize];
        self.file.read_exact_at(&mut records, self.start).ok()?;
        Some(records)
    }
}
