//! Precompress: siblings of files (`.br`, `.gz`) for hosts that choose one by what a browser takes.
//!
//! Owns    which files have siblings, their bytes, and the folder that keeps these by the hash of what they were made of.
//! Always  a sibling is smaller than its file, and made of its bytes alone: the same file has the same siblings, on any machine.
//! Knows   what a release kept is not taken by another, whose encoders may be others. The folder may be deleted at any time.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;

use super::disk::before_change;
use super::manifest::{Encoding, Entry};

/// Brotli's quality, the highest: a page of a long list is a seventh smaller than at 9, for four times the time, which is spent once.
const BROTLI_QUALITY: i32 = 11;
/// Brotli's window, as a power of two: larger than nearly every file of a shop.
const BROTLI_WINDOW: i32 = 22;
/// A file of fewer bytes goes in one packet as it is.
const MIN_BYTES: u64 = 256;
/// A larger one is a download, not a page; and all of it is held.
const MAX_BYTES: u64 = 32 << 20;
/// The folder is cleared of what nobody asked for once it holds so many times what somebody did.
const SPARE: usize = 3;

/// Makes siblings, and keeps them.
#[derive(Debug)]
pub struct Press {
    folder: PathBuf,
    used: Mutex<BTreeSet<String>>,
}

/// A sibling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// Its path below the output folder.
    pub path: String,
    /// What it is.
    pub entry: Entry,
    /// Where its bytes are kept.
    pub file: PathBuf,
}

impl Press {
    /// One that keeps siblings in a folder of this name in `cache`.
    pub fn new(cache: &Path) -> Self {
        let release = format!("{}-{BROTLI_QUALITY}", env!("CARGO_PKG_VERSION"));
        Self { folder: cache.join("encoded").join(release), used: Mutex::default() }
    }

    /// The siblings of these files, in the order of the files; `read` gives a file's bytes where a sibling is not kept yet.
    ///
    /// Errors: the first file that cannot be read, or sibling that cannot be written.
    pub fn siblings<E: From<io::Error> + Send>(
        &self,
        files: &[(&str, Entry)],
        encodings: &[Encoding],
        read: impl Fn(&str, &Entry) -> Result<Vec<u8>, E> + Sync,
    ) -> Result<Vec<Sibling>, E> {
        if encodings.is_empty() {
            return Ok(Vec::new());
        }
        let made = files.par_iter().filter(|(_, entry)| compresses(entry)).map(|(path, entry)| {
            let mut bytes = None;
            let mut siblings = Vec::new();
            for encoding in encodings {
                siblings.extend(self.sibling(path, entry, *encoding, &mut bytes, &read)?);
            }
            Ok::<_, E>(siblings)
        });
        let made: Vec<Vec<Sibling>> = made.collect::<Result<_, E>>()?;
        self.clear();
        Ok(made.into_iter().flatten().collect())
    }

    // `None`: it would not be smaller, which is kept as an empty file.
    fn sibling<E: From<io::Error>>(
        &self,
        path: &str,
        entry: &Entry,
        encoding: Encoding,
        bytes: &mut Option<Vec<u8>>,
        read: &impl Fn(&str, &Entry) -> Result<Vec<u8>, E>,
    ) -> Result<Option<Sibling>, E> {
        let name = format!("{}{}", entry.hash, encoding.ending());
        let file = self.folder.join(&name);
        self.used.lock().expect("nobody panics with it").insert(name);
        let kept = match fs::read(&file) {
            Ok(kept) => kept,
            Err(_) => {
                let bytes = match bytes {
                    Some(bytes) => bytes,
                    None => bytes.insert(read(path, entry)?),
                };
                let packed = packed(encoding, bytes)?;
                let packed = if packed.len() < bytes.len() { packed } else { Vec::new() };
                keep(&file, &packed)?;
                packed
            }
        };
        if kept.is_empty() {
            return Ok(None);
        }
        let (path, entry) = (format!("{path}{}", encoding.ending()), entry.encoded(encoding, &kept));
        Ok(Some(Sibling { path, entry, file }))
    }

    // A cache that cannot be cleared is only larger than it need be.
    fn clear(&self) {
        let used = std::mem::take(&mut *self.used.lock().expect("nobody panics with it"));
        let Ok(found) = fs::read_dir(&self.folder) else { return };
        let found: Vec<PathBuf> = found.filter_map(Result::ok).map(|entry| entry.path()).collect();
        if found.len() <= used.len() * SPARE {
            return;
        }
        let is_used = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| used.contains(name));
        found.iter().filter(|path| !is_used(path)).for_each(|path| drop(fs::remove_file(path)));
    }
}

/// Whether a file is of a kind that compresses; pictures and fonts are compressed already.
fn compresses(entry: &Entry) -> bool {
    let kind = entry.content_type.split(';').next().unwrap_or_default();
    let is_text = kind.starts_with("text/")
        || ["application/json", "application/manifest+json", "application/xml", "image/svg+xml"].contains(&kind);
    is_text && entry.encoding.is_none() && (MIN_BYTES..=MAX_BYTES).contains(&entry.size)
}

fn packed(encoding: Encoding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    match encoding {
        Encoding::Br => {
            let quality = brotli::enc::BrotliEncoderParams {
                quality: BROTLI_QUALITY,
                lgwin: BROTLI_WINDOW,
                size_hint: bytes.len(),
                ..Default::default()
            };
            brotli::BrotliCompress(&mut &*bytes, &mut packed, &quality)?;
        }
        Encoding::Gzip => {
            // Without a name or an instant: those would be other bytes of the same file.
            let mut encoder = flate2::GzBuilder::new().write(&mut packed, flate2::Compression::best());
            encoder.write_all(bytes)?;
            encoder.finish()?;
        }
    }
    Ok(packed)
}

// Whole or not at all: two builds may make it at once.
fn keep(file: &Path, bytes: &[u8]) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    let draft = file.with_extension(format!("{}.draft", std::process::id()));
    before_change()?;
    fs::write(&draft, bytes)?;
    before_change()?;
    fs::rename(&draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(bytes: &[u8], encodings: &[Encoding]) -> Vec<(String, u64)> {
        let cache = tempfile::tempdir().expect("a folder");
        let entry = Entry::of("index.html", bytes);
        let read = |_: &str, _: &Entry| Ok::<_, io::Error>(bytes.to_vec());
        let made = Press::new(cache.path()).siblings(&[("index.html", entry)], encodings, read).expect("made");
        let again =
            Press::new(cache.path()).siblings(&[("index.html", entry)], encodings, |_, _| Err(io::Error::other("read again")));
        assert_eq!(again.expect("kept"), made);
        for sibling in &made {
            let kept = fs::read(&sibling.file).expect("it is kept");
            assert_eq!(sibling.entry.hash, blake3::hash(&kept));
            assert_eq!((sibling.entry.content_type, sibling.entry.cache), (entry.content_type, entry.cache));
            assert_eq!(sibling.entry.base(&sibling.path), "index.html");
        }
        made.into_iter().map(|sibling| (sibling.path, sibling.entry.size)).collect()
    }

    #[test]
    fn siblings_are_smaller_or_not_there() {
        let page = "<p>lamp lamp lamp</p>".repeat(40);
        let made = press(page.as_bytes(), &[Encoding::Br, Encoding::Gzip]);
        let names: Vec<&str> = made.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(names, ["index.html.br", "index.html.gz"]);
        assert!(made.iter().all(|(_, size)| *size < page.len() as u64 / 4), "{made:?}");
        assert!(press(b"short", &Encoding::ALL).is_empty(), "it goes in one packet as it is");
        let noise: Vec<u8> = (0..20u32).flat_map(|number| *blake3::hash(&number.to_le_bytes()).as_bytes()).collect();
        assert!(press(&noise, &Encoding::ALL).is_empty(), "it would be larger");
    }

    #[test]
    fn pictures_and_siblings_have_no_siblings() {
        let big = vec![b' '; 1000];
        assert!(compresses(&Entry::of("feed.xml", &big)) && compresses(&Entry::of("a/x.1.js", &big)));
        assert!(!compresses(&Entry::of("a/x.1.webp", &big)) && !compresses(&Entry::of("a/x.1.woff2", &big)));
        assert!(!compresses(&Entry::of("index.html", &big).encoded(Encoding::Br, &big)));
    }
}
