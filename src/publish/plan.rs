//! Plan: what has to happen so that a target holds a build. Pure: values in, values out.
//!
//! Always  nothing that an unfinished job named is believed: it is looked at on the target before it is passed over.
//!         The order is one in which everything that an object may refer to is there before it: what pages are made of, then new pages,
//!         to which nothing leads yet, then new feeds, then pages that are replaced and may lead to any of these (the home page among
//!         them, new or not), then feeds that are replaced, and sitemaps and robots.txt, to which no page leads.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Past, Record, Retired, Stored};
use super::target::Caching;
use crate::commerce::ids::Timestamp;
use crate::site::manifest::{CacheClass, Encoding, Entry, Manifest};

/// What is to be published.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its files.
    pub manifest: &'a Manifest,
    /// Its bundle's name.
    pub bundle: &'a str,
}

/// What the target says, and by which rules it is changed.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What was published last; `None`: nothing ever.
    pub record: Option<&'a Record>,
    /// What unfinished jobs named, or what was found changed by hand, with what the target holds there now.
    pub doubtful: &'a BTreeMap<String, Option<Seen>>,
    /// Bundles that unfinished jobs named.
    pub doubtful_bundles: &'a BTreeSet<String>,
    /// Highest sequence of a pointer; 0: there is none.
    pub sequence: u64,
    /// What is said to caches.
    pub caching: &'a Caching,
    /// Publications to keep.
    pub keep: usize,
    /// The instant.
    pub now: Timestamp,
}

/// What lies at a path, as the target tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Hash of its bytes; `None`: it was not put by us.
    pub hash: Option<blake3::Hash>,
    /// What the target calls this state of it.
    pub e_tag: Option<String>,
}

/// When something is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What pages are made of; its address changes with its bytes.
    Asset,
    /// New files that name no pages.
    NewFile,
    /// New pages, save the home page: nothing leads to them yet.
    NewPage,
    /// New feeds: they name pages, and pages name them.
    NewListing,
    /// Pages that are replaced, and the home page, new or not.
    Page,
    /// All other files that are replaced, sitemaps and robots.txt whether new or not.
    Listing,
}

/// One object to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The build's path.
    pub path: String,
    /// What it is.
    pub entry: Entry,
    /// When.
    pub phase: Phase,
}

/// A file whose bytes an earlier publication needs, copied before it is replaced or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keep {
    /// The build's path.
    pub path: String,
    /// Hash of the bytes to keep.
    pub hash: String,
    /// The publication that last had them.
    pub id: u64,
}

/// What will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Number of this publication.
    pub id: u64,
    /// Copies to make first.
    pub keeps: Vec<Keep>,
    /// Objects to put, in order.
    pub uploads: Vec<Upload>,
    /// Siblings to remove before their files are put, some of them to be put anew after that: a server would send them instead of what
    /// is there by then.
    pub drops: Vec<String>,
    /// Paths to remove: nothing refers to them any more.
    pub deletions: Vec<String>,
    /// What stays for a while though no longer published.
    pub retired: BTreeMap<String, Retired>,
    /// Paths that are no longer published from now on.
    pub gone: Vec<String>,
    /// Files that stay as they are.
    pub unchanged: BTreeMap<String, Stored>,
    /// Publications that can be gone back to afterwards.
    pub history: Vec<Past>,
    /// Publications that no longer can; what was theirs goes with the next job.
    pub dropped: Vec<Past>,
}

/// What has to happen.
pub fn plan(wanted: Wanted<'_>, known: Known<'_>) -> Plan {
    let (no_files, none_retired) = (BTreeMap::new(), BTreeMap::new());
    let (files, retired) = known.record.map_or((&no_files, &none_retired), |record| (&record.files, &record.retired));
    let (history, dropped) = past(wanted.bundle, known);
    let mut plan = Plan {
        id: known.record.map_or(0, |record| record.id).max(known.sequence) + 1,
        keeps: Vec::new(),
        uploads: Vec::new(),
        drops: Vec::new(),
        deletions: Vec::new(),
        retired: BTreeMap::new(),
        gone: Vec::new(),
        unchanged: BTreeMap::new(),
        history,
        dropped,
    };
    for (path, entry) in &wanted.manifest.files {
        let stored = files.get(path);
        let lies_there = known.lies_at(path);
        match lies_there {
            Some((Some(hash), e_tag)) if hash == entry.hash && !known.has_other_headers(stored, entry) => {
                plan.unchanged.insert(path.clone(), Stored { entry: *entry, e_tag: e_tag.clone() });
            }
            lies_there => {
                let was = lies_there.and_then(|(hash, _)| hash).filter(|hash| *hash != entry.hash);
                plan.keeps.extend(was.and_then(|was| known.keep_of(path, was, &plan.history)));
                // A sibling goes with its file, and is as new as that is.
                let base = entry.base(path);
                let phase = phase(base, entry, known.lies_at(base).is_none());
                // What only an unfinished job knew of may lie there too.
                if entry.encoding.is_some() && (lies_there.is_some() || retired.contains_key(path)) {
                    plan.drops.push(path.clone());
                }
                plan.uploads.push(Upload { path: path.clone(), entry: *entry, phase });
            }
        }
    }
    for (path, stored) in files.iter().filter(|(path, _)| !wanted.manifest.files.contains_key(*path)) {
        if wanted.manifest.files.contains_key(stored.entry.base(path)) {
            plan.drop(path, known);
            continue;
        }
        plan.gone.push(path.clone());
        let until = known.now.0 + known.life_seconds(stored.entry.cache);
        let last = known.record.map_or(0, |record| record.id);
        plan.retired.insert(path.clone(), Retired { stored: known.if_it_lies_there(path, stored), last, until });
    }
    for (path, retired) in retired.iter().filter(|(path, _)| !wanted.manifest.files.contains_key(*path)) {
        if base_of(path).is_some_and(|base| wanted.manifest.files.contains_key(base)) {
            plan.drop(path, known);
            continue;
        }
        if retired.until > known.now.0 {
            let stored = retired.stored.as_ref().and_then(|stored| known.if_it_lies_there(path, stored));
            plan.retired.insert(path.clone(), Retired { stored, ..*retired });
            continue;
        }
        let lies_there = known.lies_at(path);
        plan.keeps.extend(lies_there.and_then(|(hash, _)| known.keep_of(path, hash?, &plan.history)));
        plan.deletions.push(path.clone());
    }
    plan.retire_orphans(wanted, known);
    plan.uploads.sort_by(|one, other| (one.phase, one.rank(), &one.path).cmp(&(other.phase, other.rank(), &other.path)));
    plan
}

impl Upload {
    /// Within a phase, what names others comes after them; a sibling goes with its file.
    pub(super) fn rank(&self) -> u8 {
        rank(self.entry.base(&self.path))
    }
}

impl Plan {
    // A sibling of a file that stays.
    fn drop(&mut self, path: &str, known: Known<'_>) {
        let hash = known.lies_at(path).and_then(|(hash, _)| hash);
        self.keeps.extend(hash.and_then(|hash| known.keep_of(path, hash, &self.history)));
        self.drops.push(path.to_owned());
    }

    /// Every path that is put or removed.
    pub fn paths(&self) -> BTreeSet<String> {
        self.uploads.iter().map(|upload| &upload.path).chain(&self.drops).chain(&self.deletions).cloned().collect()
    }

    /// Paths that are removed and not put again.
    pub fn removed(&self) -> impl Iterator<Item = &String> {
        let siblings = self.uploads.iter().filter(|upload| upload.entry.encoding.is_some());
        let put: BTreeSet<&String> = siblings.map(|upload| &upload.path).collect();
        self.drops.iter().filter(move |path| !put.contains(path)).chain(&self.deletions)
    }

    /// Bytes to put, as far as is known before the target is looked at.
    pub fn bytes(&self) -> u64 {
        self.uploads.iter().map(|upload| upload.entry.size).sum()
    }

    // What only unfinished jobs have put: nobody published it, but a page of theirs that stands may refer to it.
    fn retire_orphans(&mut self, wanted: Wanted<'_>, known: Known<'_>) {
        for path in known.doubtful.iter().filter_map(|(path, seen)| seen.as_ref().map(|_| path)) {
            let is_known =
                wanted.manifest.files.contains_key(path) || self.retired.contains_key(path) || self.deletions.contains(path);
            if !is_known && base_of(path).is_some_and(|base| wanted.manifest.files.contains_key(base)) {
                if !self.drops.contains(path) {
                    self.drops.push(path.clone());
                }
            } else if !is_known {
                let until = known.now.0 + known.life_seconds(CacheClass::Immutable);
                self.retired.insert(path.clone(), Retired { stored: None, last: 0, until });
            }
        }
    }
}

impl<'a> Known<'a> {
    // Hash and name of what lies at a path: as the target tells it where that is doubtful, else as the record does.
    fn lies_at(&self, path: &str) -> Option<(Option<blake3::Hash>, &'a Option<String>)> {
        if let Some(seen) = self.doubtful.get(path) {
            return seen.as_ref().map(|seen| (seen.hash, &seen.e_tag));
        }
        let record = self.record?;
        let stored = record.files.get(path).or_else(|| record.retired.get(path)?.stored.as_ref())?;
        Some((Some(stored.entry.hash), &stored.e_tag))
    }

    // What a record says of a path, unless an unfinished job has put another thing there.
    fn if_it_lies_there(&self, path: &str, stored: &Stored) -> Option<Stored> {
        let lies_there = self.lies_at(path).and_then(|(hash, _)| hash);
        (lies_there == Some(stored.entry.hash)).then(|| stored.clone())
    }

    // The copy to make of bytes that lie at a path before they go, where a publication that can be gone back to had them. Where
    // something else lies by now, the job that put it there has made the copy first.
    fn keep_of(&self, path: &str, hash: blake3::Hash, history: &[Past]) -> Option<Keep> {
        let record = self.record?;
        let published = record.files.get(path).map(|stored| (stored, record.id));
        let (stored, id) =
            published.or_else(|| record.retired.get(path).and_then(|old| Some((old.stored.as_ref()?, old.last))))?;
        let is_needed = stored.entry.hash == hash && history.iter().any(|past| past.id == id);
        is_needed.then(|| Keep { path: path.to_owned(), hash: hash.to_string(), id })
    }

    // Files keep the headers they were put with: where the settings say another thing now, they are put again.
    fn has_other_headers(&self, stored: Option<&Stored>, entry: &Entry) -> bool {
        let was = self.record.filter(|_| stored.is_some()).map(|record| record.caching.of(entry.cache));
        was.is_some_and(|was| was != self.caching.of(entry.cache))
            || stored.is_some_and(|stored| stored.entry.content_type != entry.content_type)
    }

    // By what caches were told when they took it, and by what they are told now.
    fn life_seconds(&self, class: CacheClass) -> i64 {
        let was = self.record.map_or(0, |record| record.caching.life_seconds(class));
        was.max(self.caching.life_seconds(class))
    }
}

// The path of which this would be a sibling, by its name alone: what an unfinished job has put says no more.
fn base_of(path: &str) -> Option<&str> {
    Encoding::ALL.iter().find_map(|encoding| path.strip_suffix(encoding.ending()))
}

// Which publications can be gone back to afterwards, and which no longer can.
fn past(bundle: &str, known: Known<'_>) -> (Vec<Past>, Vec<Past>) {
    let Some(record) = known.record else { return (Vec::new(), orphans(bundle, &[], known)) };
    let mut history = record.history.clone();
    history.push(record.past());
    let dropped = history.drain(..history.len().saturating_sub(known.keep)).collect::<Vec<_>>();
    let orphans = orphans(bundle, &history, known);
    (history, dropped.into_iter().chain(orphans).collect())
}

// Bundles that unfinished jobs have put and nothing names, as publications that never were.
fn orphans(bundle: &str, history: &[Past], known: Known<'_>) -> Vec<Past> {
    let is_named = |name: &String| name == bundle || history.iter().any(|past| past.bundle == *name);
    let orphans = known.doubtful_bundles.iter().filter(|name| !is_named(name));
    orphans.map(|name| Past { id: 0, published_at: String::new(), bundle: name.clone(), files: 0, rollback_to: None }).collect()
}

fn phase(path: &str, entry: &Entry, is_new: bool) -> Phase {
    let is_sitemap = path == "robots.txt" || path.starts_with("sitemap");
    let is_listing = path.ends_with(".xml");
    match entry.cache {
        CacheClass::Immutable => Phase::Asset,
        CacheClass::Page if is_new && path != "index.html" => Phase::NewPage,
        CacheClass::Page => Phase::Page,
        CacheClass::Feed if is_new && is_listing && !is_sitemap => Phase::NewListing,
        CacheClass::Feed if is_new && !is_sitemap => Phase::NewFile,
        CacheClass::Feed => Phase::Listing,
    }
}

/// Within a phase, what names others comes after them: robots.txt names the sitemap, its index the sitemaps. The home page is what
/// people and crawlers come by.
fn rank(path: &str) -> u8 {
    match path {
        "robots.txt" => 3,
        "sitemap.xml" => 2,
        "index.html" => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
