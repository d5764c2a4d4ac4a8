//! Files: what two manifests differ in, counted by kind.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::site::manifest::{CacheClass, Entry, Manifest};

/// Files named as having grown most.
const GROWTH: usize = 10;

/// Files of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileChanges {
    /// Not there before.
    pub new: usize,
    /// With other bytes than before.
    pub changed: usize,
    /// No longer there.
    pub gone: usize,
    /// As before.
    pub same: usize,
    /// Bytes of all before.
    pub bytes_was: u64,
    /// Bytes of all now.
    pub bytes_is: u64,
}

/// A file that grew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// Below the output folder.
    pub path: String,
    /// Bytes before.
    pub bytes_was: u64,
    /// Bytes now.
    pub bytes_is: u64,
}

/// What differs, by kind, and the files that grew most, those first.
pub(super) fn changes(old: &Manifest, new: &Manifest) -> (BTreeMap<&'static str, FileChanges>, Vec<Growth>) {
    let mut kinds: BTreeMap<&'static str, FileChanges> = BTreeMap::new();
    let mut growth = Vec::new();
    // A sibling says nothing that its file does not.
    let files = |manifest| -> Vec<(&String, &Entry)> {
        let Manifest { files, .. }: &Manifest = manifest;
        files.iter().filter(|(_, entry)| entry.encoding.is_none()).collect()
    };
    for (path, entry) in files(new) {
        let kind = kinds.entry(kind(entry)).or_default();
        kind.bytes_is += entry.size;
        match old.files.get(path) {
            None => kind.new += 1,
            Some(was) if was.hash == entry.hash => kind.same += 1,
            Some(was) => {
                kind.changed += 1;
                if entry.size > was.size {
                    growth.push(Growth { path: path.clone(), bytes_was: was.size, bytes_is: entry.size });
                }
            }
        }
    }
    for (path, entry) in files(old) {
        let kind = kinds.entry(kind(entry)).or_default();
        kind.bytes_was += entry.size;
        kind.gone += usize::from(!new.files.contains_key(path));
    }
    growth.sort_by(|one, other| {
        let grown = |growth: &Growth| growth.bytes_is - growth.bytes_was;
        grown(other).cmp(&grown(one)).then_with(|| one.path.cmp(&other.path))
    });
    growth.truncate(GROWTH);
    (kinds, growth)
}

fn kind(entry: &Entry) -> &'static str {
    match entry.cache {
        CacheClass::Page => "pages",
        CacheClass::Immutable => "assets",
        CacheClass::Feed => "other files",
    }
}
