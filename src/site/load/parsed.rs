//! Parsed: products as they were read last time, so that a file that did not change is not read again.
//!
//! Always  a product comes from here only where its file has the length and the time it had, was not changed in the moment before it
//!         was read, and had no problem to tell; the file may be deleted at any time.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::LoadedProduct;
use crate::commerce::rules::Rules;
use crate::site::keys;

/// A file that is younger than this when it is read may change again without showing it.
const RACY_NANOSECONDS: u128 = 2_000_000_000;
/// Products that are written and read together: enough parts for every core.
const PART: usize = 512;
const FILE: &str = "products";

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    length: u64,
    changed_ns: u128,
}

impl Stamp {
    /// Of a file as it is now; `None` where that cannot be told.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let changed_ns = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        Some(Self { length: metadata.len(), changed_ns })
    }
}

/// A product with the state of its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Parsed {
    /// Of its file.
    pub(super) stamp: Stamp,
    /// As it was read.
    pub(super) product: LoadedProduct,
}

/// Products by the paths of their files.
#[derive(Debug, Default)]
pub(super) struct ParsedProducts {
    file: Option<PathBuf>,
    base: String,
    known: HashMap<String, Parsed>,
}

/// How the file begins; the parts follow, one after the other.
#[derive(Serialize, Deserialize)]
struct Head {
    base: String,
    lengths: Vec<usize>,
}

impl ParsedProducts {
    /// What is remembered in a folder (`None`: nowhere) of products that were read by these rules.
    pub(super) fn open(cache: Option<&Path>, rules: &Rules) -> Self {
        let Some(file) = cache.map(|folder| folder.join(FILE)) else { return Self::default() };
        // What a product's file means depends on the tax classes and the currency.
        let base = format!("{} {:?} {}", keys::program(), rules.tax.classes, rules.root_market().currency.code());
        let bytes = fs::read(&file).unwrap_or_default();
        let read = |part: &&[u8]| postcard::from_bytes::<Vec<(String, Parsed)>>(part).unwrap_or_default();
        let known = parts(&bytes, &base).par_iter().flat_map_iter(read).collect();
        Self { file: Some(file), base, known }
    }

    /// The product of a file that is as it was.
    pub(super) fn take(&mut self, path: &str, stamp: Stamp) -> Option<Parsed> {
        if self.known.get(path)?.stamp == stamp { self.known.remove(path) } else { None }
    }

    /// Whether the file that remembers has to be written: something was read anew, or is gone.
    pub(super) fn is_stale(&self, read_anew: usize) -> bool {
        self.file.is_some() && (read_anew > 0 || !self.known.is_empty())
    }

    /// Remembers products for the next time.
    pub(super) fn remember(&self, products: &[&(String, Parsed)]) {
        let Some(file) = &self.file else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        let is_settled = |parsed: &Parsed| parsed.stamp.changed_ns + RACY_NANOSECONDS < now;
        let parts: Vec<Vec<u8>> = products
            .par_chunks(PART)
            .map(|part| {
                let settled: Vec<&(String, Parsed)> = part.iter().copied().filter(|one| is_settled(&one.1)).collect();
                postcard::to_allocvec(&settled).expect("plain data always serialises")
            })
            .collect();
        let head = Head { base: self.base.clone(), lengths: parts.iter().map(Vec::len).collect() };
        let head = postcard::to_allocvec(&head).expect("plain data always serialises");
        let all: Vec<&[u8]> = std::iter::once(head.as_slice()).chain(parts.iter().map(Vec::as_slice)).collect();
        keys::write(file, &all);
    }
}

/// The parts of a file that was written by the same program and rules; none of any other.
fn parts<'a>(bytes: &'a [u8], base: &str) -> Vec<&'a [u8]> {
    let Ok((head, mut rest)) = postcard::take_from_bytes::<Head>(bytes) else { return Vec::new() };
    if head.base != base {
        return Vec::new();
    }
    let mut parts = Vec::with_capacity(head.lengths.len());
    for length in head.lengths {
        let Some((part, after)) = rest.split_at_checked(length) else { return Vec::new() };
        parts.push(part);
        rest = after;
    }
    parts
}
