//! Keys: what a page was printed from, as a hash. A page whose key is that of the last build is not printed again.
//!
//! Owns    what goes into a key: everything a template can read (`site`, `page` with the text it is made of, templates, files of static/)
//!         and the program itself; and the file that remembers keys between builds.
//! Always  a key that is not known, or a page that is not as it was left, is printed: the file may be deleted at any time.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Bytes of a key: beyond chance at any number of pages.
const KEY_BYTES: usize = 16;

/// A page's key.
pub type Key = [u8; KEY_BYTES];

/// The keys of the last build into one folder.
#[derive(Debug)]
pub struct Keys {
    /// What all pages share.
    base: blake3::Hasher,
    file: Option<PathBuf>,
    known: HashMap<String, Remembered>,
}

/// What a key led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    key: Key,
    /// Hash of the page's bytes, as the manifest has it.
    hash: String,
}

impl Keys {
    /// Of pages that share `base`, remembered in the folder `cache` (`None`: nowhere) for the output folder `out`.
    pub fn open(cache: Option<&Path>, out: &Path, base: blake3::Hasher) -> Self {
        let file = cache.map(|folder| {
            let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
            let name = blake3::hash(out.as_os_str().as_encoded_bytes()).to_hex();
            folder.join(format!("pages-{}", &name[..16]))
        });
        let bytes = file.as_ref().and_then(|file| fs::read(file).ok());
        let known = bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok()).unwrap_or_default();
        Self { base, file, known }
    }

    /// The key of a page that prints `view` with a template, and a text that the view is made of beside.
    pub fn of(&self, template: &str, view: &impl Serialize, text: &str) -> Key {
        let mut hasher = self.base.clone();
        hasher.update(template.as_bytes()).update(b"\0");
        // In one piece: a hash that is fed crumbs costs more than the text.
        let written = serde_json::to_vec(view).expect("views are plain data");
        hasher.update(&written).update(b"\0").update(text.as_bytes());
        hasher.finalize().as_bytes()[..KEY_BYTES].try_into().expect("a hash is longer than a key")
    }

    /// The hash of the bytes that a page with this key has, where it was the page's key last time.
    pub fn known(&self, path: &str, key: &Key) -> Option<&str> {
        self.known.get(path).filter(|remembered| remembered.key == *key).map(|remembered| remembered.hash.as_str())
    }

    /// Remembers the keys of a finished build: path, key, hash of the bytes. A file that cannot be written costs time at the next
    /// build and nothing else.
    pub fn remember(&self, pages: Vec<(String, Key, String)>) {
        let Some(file) = &self.file else { return };
        let known: HashMap<String, Remembered> =
            pages.into_iter().map(|(path, key, hash)| (path, Remembered { key, hash })).collect();
        if known != self.known {
            let bytes = postcard::to_allocvec(&known).expect("texts and bytes always serialise");
            write(file, &[&bytes]);
        }
    }
}

/// Writes a file of the cache, part after part, so that a reader sees the old bytes or the new ones.
pub fn write(file: &Path, parts: &[&[u8]]) {
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
    let fill = |mut open: fs::File| parts.iter().try_for_each(|part| open.write_all(part));
    let written = folder.and_then(|()| fs::File::create(&draft)).and_then(fill).and_then(|()| fs::rename(&draft, file));
    if let Err(error) = written {
        tracing::debug!(%error, file = %file.display(), "the cache was not written");
    }
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
