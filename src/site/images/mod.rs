//! Images: pictures of static/ and from elsewhere → sets of files, of which a browser takes the one that fits.
//!
//! Owns    `[images]` of site.toml; which picture is stale; the sets, their addresses and what is told of pictures that have none.
//! Limits  as many megapixels are held at a time as the largest picture may have, whatever the number of threads.
//! Always  a picture that cannot be read fails alone: its product is shown without it. What is published was written here, pixel by pixel,
//!         so that nothing a camera or program noted goes out. An address is the hash of source, settings and encoders.

mod cache;
mod decode;
mod encode;
pub mod remote;
pub(super) mod svg;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::cache::{Cache, Entry, Index, Set, SetKey};
use self::decode::Kind;
pub use self::encode::PREVIEW;
use self::encode::{Encoded, EncodedSet};
use super::load::Stamp;
use super::problem::{self, Problem};

/// What writes the bytes of pictures: another version may write others, under another address then.
pub const ENCODERS: [(&str, &str); 7] = [
    ("fast_image_resize", "6.1.0"),
    ("image", "0.25.10"),
    ("image-webp", "0.2.4"),
    ("libwebp-sys", "0.9.6"),
    ("moxcms", "0.8.1"),
    ("png", "0.18.1"),
    ("zune-jpeg", "0.5.15"),
];
/// Raised when this program makes other pixels or files of the same picture.
const EDITION: u32 = 1;
/// Rises with the shape of the index of pictures.
const INDEX_EDITION: &[u8] = b"2";

/// Folder of the output that sets lie in.
pub const FOLDER: &str = "i/";
/// Endings of files that are pictures made of pixels.
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];
/// Letters of a picture's own name in its address.
const MAX_NAME: usize = 40;
/// Hex digits of the hash in it.
const HASH_DIGITS: usize = 10;
/// A picture that moves and is larger than that is told: it has no smaller widths.
const MAX_MOVING_BYTES: usize = 500_000;

/// `[images]` of site.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSettings {
    /// Widths that sets are made in, rising. Default 240 to 1600 in six steps: 360 is a card on a phone, 600 its product page, each with a
    /// density between one and a half and two; the rest are denser phones and desks.
    pub widths: Vec<u32>,
    /// Quality of WebP, 1 to 100. Default 65.
    pub webp_quality: u8,
    /// Quality of JPEG, 1 to 100. Default 75.
    pub jpeg_quality: u8,
    /// Largest picture that is read. Default 50: what a good phone takes.
    pub max_megapixels: u32,
    /// How pictures from elsewhere are fetched; `None` (the default): they are not, pages link them.
    pub remote: Option<remote::RemoteSettings>,
}

impl Default for ImageSettings {
    fn default() -> Self {
        Self {
            widths: vec![240, 360, 600, 900, 1200, 1600],
            webp_quality: 65,
            jpeg_quality: 75,
            max_megapixels: 50,
            remote: None,
        }
    }
}

/// Something to know of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    message: String,
    hint: Option<String>,
}

impl Note {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn problem(&self, name: &str) -> Problem {
        let problem = Problem::about(name, &self.message).of(problem::Kind::Image).warning();
        match &self.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}

/// A picture to make a set of.
#[derive(Clone, Debug)]
pub struct Original {
    /// Path below static/, or its address elsewhere.
    pub name: String,
    /// Where its bytes are.
    pub path: PathBuf,
}

/// A picture with the files of its set.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The widest first, WebP before the other kind of its width. A picture that moves has one.
    pub files: Vec<PictureFile>,
    /// Stands in for it until it is there; `None`: something can be seen through it.
    pub color: Option<[u8; 3]>,
    /// Shown where a link is shared; only of pictures that a page is shared with.
    pub preview: Option<PictureFile>,
    key: SetKey,
    path: PathBuf,
}

/// A file of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFile {
    /// Path below public/.
    pub path: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    hash: blake3::Hash,
}

impl PictureFile {
    /// Whether a browser of before 2020 may not know it.
    fn is_webp(&self) -> bool {
        self.path.ends_with(".webp")
    }

    /// Whether its bytes have that hash.
    pub fn is(&self, hash: &blake3::Hash) -> bool {
        self.hash == *hash
    }
}

impl Picture {
    /// The widest file that every program reads: for feeds, previews, and whoever wants to see it large.
    pub fn largest(&self) -> &PictureFile {
        self.files.iter().find(|file| !file.is_webp()).unwrap_or(&self.files[0])
    }

    /// The narrowest file that is at least that wide, else the widest: of WebP, or of what every program reads.
    pub fn at_least(&self, width: u32, is_webp: bool) -> &PictureFile {
        let of_kind = || self.files.iter().filter(|file| file.is_webp() == is_webp);
        of_kind().rfind(|file| file.width >= width).or(of_kind().next()).unwrap_or(&self.files[0])
    }

    /// `srcset` of one kind, with no file wider than `most`; empty where there is nothing to choose from.
    pub fn srcset(&self, is_webp: bool, most: u32) -> String {
        let least = self.files.last().map_or(0, |file| file.width);
        let files = self.files.iter().rev().filter(|file| file.is_webp() == is_webp && file.width <= most.max(least));
        let mut srcset = String::new();
        for file in files.filter(|_| self.files.len() > 1) {
            if !srcset.is_empty() {
                srcset.push_str(", ");
            }
            srcset.push_str(&format!("/{} {}w", file.path, file.width));
        }
        srcset
    }
}

/// Where and how sets are made.
pub struct Workshop<'a> {
    /// Widths, qualities, limits.
    pub settings: &'a ImageSettings,
    /// Keeps sets between builds.
    pub folder: &'a Path,
    /// Whether to make all sets anew.
    pub is_fresh: bool,
    /// What time it is, in nanoseconds since 1970: a picture of this moment is looked at again the next time.
    pub now_ns: u64,
    /// Pictures that pages are shared with, by their names.
    pub previews: BTreeSet<&'a str>,
    /// What a preview's picture lies on: the ground of the shop.
    pub ground: [u8; 3],
    /// Is told (pictures done, pictures in all) now and then, from any thread.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// What became of pictures: each with its set, or none where it has failed; and what is to be told.
pub(super) type Made = (Vec<(String, Option<Picture>)>, Vec<Problem>);

/// Whether a file is a picture made of pixels, by its name.
pub fn is_picture(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

impl Workshop<'_> {
    /// Makes the sets of pictures that are not there yet. `told` is how problems call a picture.
    pub(super) fn make(&self, originals: Vec<Original>, told: impl Fn(&str) -> String) -> Made {
        if originals.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let cache = Cache::new(self.folder);
        let settings = self.settings_key();
        let known = if self.is_fresh { Index::new() } else { cache.index(&settings) };
        let budget = Budget::new(self.settings.max_megapixels);
        let (done, all) = (AtomicUsize::new(0), originals.len());
        let make = |original: &Original| {
            let stamp = Stamp::of(&original.path, self.now_ns);
            let is_preview = self.previews.contains(original.name.as_str());
            let is_known = |entry: &&Entry| entry.stamp.is_some() && entry.stamp == stamp && entry.is_preview == is_preview;
            let ground = is_preview.then_some(self.ground);
            let make = || Entry { stamp, is_preview, made: self.make_one(&original.path, ground, &cache, &budget) };
            let entry = known.get(&original.name).filter(is_known).cloned().unwrap_or_else(make);
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.progress)(count, all);
            entry
        };
        // One by one: a few large ones should not lie with one thread.
        let entries: Vec<Entry> = originals.par_iter().with_max_len(1).map(make).collect();
        let (mut pictures, mut problems, mut index) = (Vec::with_capacity(all), Vec::new(), Index::new());
        for (Original { name, path }, entry) in originals.into_iter().zip(entries) {
            let note = match &entry.made {
                Ok((_, set)) => set.note.as_ref(),
                Err(note) => Some(note),
            };
            problems.extend(note.map(|note| note.problem(&told(&name))));
            let picture = entry.made.as_ref().ok().map(|(key, set)| picture(&name, path, *key, set));
            pictures.push((name.clone(), picture));
            index.insert(name, entry);
        }
        cache.remember(&settings, &index);
        (pictures, problems)
    }

    /// The bytes of a picture's files, in their order, the preview last: as they were made, or made again where that is lost.
    ///
    /// Errors: its file cannot be read any more.
    pub(super) fn bytes(&self, picture: &Picture) -> std::io::Result<Vec<Vec<u8>>> {
        let cache = Cache::new(self.folder);
        if let Some(bytes) = cache.bytes(&picture.key) {
            return Ok(bytes);
        }
        let source = std::fs::read(&picture.path)?;
        let budget = Budget::new(self.settings.max_megapixels);
        let ground = picture.preview.as_ref().map(|_| self.ground);
        let (made, _) = self.encode(&source, ground, &budget).map_err(|note| std::io::Error::other(note.message))?;
        Ok(made.files.into_iter().chain(made.preview).map(|file| file.bytes).collect())
    }

    fn make_one(&self, path: &Path, ground: Option<[u8; 3]>, cache: &Cache<'_>, budget: &Budget) -> Result<(SetKey, Set), Note> {
        let bytes = read(path)?;
        let key = self.set_key(&bytes, ground);
        if let Some(set) = cache.set(&key).filter(|_| !self.is_fresh) {
            return Ok((key, set));
        }
        // A decoder that meets what nobody has thought of fails with its picture.
        let made = catch_unwind(AssertUnwindSafe(|| self.encode(&bytes, ground, budget)));
        let (made, note) = made.unwrap_or_else(|_| Err(Note::new("this picture is broken").hint("save it anew")))?;
        Ok((key, cache.write(&key, &made, note)))
    }

    fn encode(&self, bytes: &[u8], ground: Option<[u8; 3]>, budget: &Budget) -> Result<(EncodedSet, Option<Note>), Note> {
        match decode::look(bytes, self.settings.max_megapixels)? {
            Kind::Still(head) => {
                let _share = budget.take(head.megapixels);
                Ok((encode::encode(decode::read(bytes, head)?, self.settings, ground)?, None))
            }
            Kind::Moving { width, height, ending } => {
                let note = (bytes.len() > MAX_MOVING_BYTES).then(|| {
                    Note::new(format!(
                        "this picture moves and has {} kB: it is published as it is, in one width",
                        bytes.len() / 1000
                    ))
                    .hint("make it smaller, or take a still: phones wait for all of it")
                });
                let files = vec![Encoded { ending, width, height, bytes: bytes.to_vec() }];
                Ok((EncodedSet { files, color: None, preview: None }, note))
            }
        }
    }

    // Of what decides which files there are and what is in them.
    fn set_key(&self, source: &[u8], ground: Option<[u8; 3]>) -> SetKey {
        let ImageSettings { widths, webp_quality, jpeg_quality, max_megapixels: _, remote: _ } = self.settings;
        let mut hasher = blake3::Hasher::new();
        if let Some(ground) = ground {
            hasher.update(format!("{PREVIEW:?} {ground:?} ").as_bytes());
        }
        hasher.update(format!("{EDITION} {ENCODERS:?} {widths:?} {webp_quality} {jpeg_quality}\n").as_bytes()).update(source);
        half(hasher.finalize())
    }

    // The same for all pictures, and of what decides whether one fails.
    fn settings_key(&self) -> SetKey {
        let mut hasher = blake3::Hasher::new();
        hasher.update(INDEX_EDITION).update(&self.set_key(&[], Some(self.ground)));
        hasher.update(&self.settings.max_megapixels.to_le_bytes());
        half(hasher.finalize())
    }
}

fn half(hash: blake3::Hash) -> SetKey {
    hash.as_bytes()[..16].try_into().expect("a hash is longer")
}

fn read(path: &Path) -> Result<Vec<u8>, Note> {
    let fail = |error: std::io::Error| Note::new(format!("this file cannot be read: {error}"));
    let length = std::fs::metadata(path).map_err(fail)?.len();
    let most = super::assets::MAX_FILE_BYTES;
    if length > most {
        return Err(Note::new(format!("it has {length} bytes; a picture has at most {most}")).hint("save it smaller"));
    }
    std::fs::read(path).map_err(fail)
}

fn picture(name: &str, path: PathBuf, key: SetKey, set: &Set) -> Picture {
    let stem = name.split(['?', '#']).next().unwrap_or(name).rsplit('/').next().unwrap_or(name);
    let stem = slug::slugify(stem.rsplit_once('.').map_or(stem, |(stem, _)| stem));
    let stem = stem.get(..MAX_NAME).unwrap_or(&stem).trim_end_matches('-');
    let stem = if stem.is_empty() { "picture" } else { stem };
    let hash: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = &hash[..HASH_DIGITS];
    let file = |file: &cache::SetFile| PictureFile {
        path: format!("{FOLDER}{stem}-{hash}-{}.{}", file.width, file.ending),
        width: file.width,
        height: file.height,
        hash: blake3::Hash::from_bytes(file.hash),
    };
    let preview = set
        .preview
        .as_ref()
        .map(|preview| PictureFile { path: format!("{FOLDER}{stem}-{hash}-preview.{}", preview.ending), ..file(preview) });
    Picture { files: set.files.iter().map(file).collect(), color: set.color, preview, key, path }
}

/// Megapixels that may be held at a time. Whoever holds some waits for nobody, so that everybody's turn comes.
struct Budget {
    free: Mutex<u32>,
    given_back: Condvar,
    all: u32,
}

struct Share<'a> {
    budget: &'a Budget,
    megapixels: u32,
}

impl Budget {
    fn new(all: u32) -> Self {
        Self { free: Mutex::new(all), given_back: Condvar::new(), all }
    }

    fn take(&self, megapixels: u32) -> Share<'_> {
        let megapixels = megapixels.min(self.all);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.given_back.wait_while(free, |free| *free < megapixels).unwrap_or_else(PoisonError::into_inner);
        *free -= megapixels;
        Share { budget: self, megapixels }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.free.lock().unwrap_or_else(PoisonError::into_inner) += self.megapixels;
        self.budget.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests;
