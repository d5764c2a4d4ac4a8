//! Assets: the files of static/, with addresses that change when their bytes do.
//!
//! Owns    which files there are (the site's own, then the built-in theme's), their fingerprints, integrity and picture sizes.
//! Always  `/a/NAME.HASH.ending`, to be cached for ever; the few files that others ask for by name keep it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use include_dir::{Dir, include_dir};
use rayon::prelude::*;
use sha2::{Digest, Sha384};
use walkdir::WalkDir;

use super::media;
use crate::theme::engine::{Asset, Assets};

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/static");

/// Largest file of static/: what a page shows is far smaller, and a film belongs elsewhere.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A file to be published.
#[derive(Clone, Debug)]
pub struct AssetFile {
    /// Path below static/, with `/`.
    pub name: String,
    /// Path below public/.
    pub path: String,
    /// Its bytes.
    pub bytes: std::sync::Arc<[u8]>,
    /// Pixels, for pictures whose size can be read.
    pub size: Option<(u32, u32)>,
    /// Whether its address changes with its bytes.
    pub immutable: bool,
    integrity: String,
}

/// All files, sorted by name.
#[derive(Clone, Debug, Default)]
pub struct AssetSet {
    /// The files.
    pub files: Vec<AssetFile>,
}

/// A file that cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct AssetError {
    /// Path below static/.
    pub path: String,
    /// What is wrong and what to do.
    pub reason: String,
}

impl AssetSet {
    /// Reads static/ of a shop; the built-in theme's own files (those directly in its static/) are there unless shadowed.
    ///
    /// Errors: every file that cannot be read or is larger than `MAX_FILE_BYTES`.
    pub fn collect(folder: &Path) -> (Self, Vec<AssetError>) {
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        for file in BUILT_IN.files() {
            let name = file.path().to_str().expect("the theme's own names are ASCII");
            sources.insert(name.to_owned(), Source::BuiltIn(file.contents()));
        }
        let mut errors = Vec::new();
        if folder.is_file() {
            let reason = "a folder belongs here, not a file".to_owned();
            errors.push(AssetError { path: folder.display().to_string(), reason });
            return (Self::default(), errors);
        }
        for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let relative = entry.path().strip_prefix(folder).expect("walking stays below its root");
                    let name = relative.to_string_lossy().replace('\\', "/");
                    if !name.split('/').any(|part| part.starts_with('.') && part != ".well-known") {
                        sources.insert(name, Source::File(entry.path().to_path_buf()));
                    }
                }
                Ok(_) => {}
                // No static/ at all is fine.
                Err(error) if error.path() == Some(folder) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(folder).display().to_string();
                    errors.push(AssetError { path, reason: error.to_string() });
                }
            }
        }
        let read: Vec<_> = sources.into_par_iter().map(|(name, source)| read(name, source)).collect();
        let mut files = Vec::new();
        for result in read {
            match result {
                Ok(file) => files.push(file),
                Err(error) => errors.push(error),
            }
        }
        let mut set = Self { files };
        set.rewrite_style_sheets();
        (set, errors)
    }

    /// A file by its path below static/.
    pub fn find(&self, name: &str) -> Option<&AssetFile> {
        let found = self.files.binary_search_by(|file| file.name.as_str().cmp(name));
        found.ok().map(|index| &self.files[index])
    }

    /// What templates ask for.
    pub fn for_templates(&self) -> Assets {
        let asset = |file: &AssetFile| Asset { url: file.url(), integrity: file.integrity.clone() };
        self.files.iter().map(|file| (file.name.clone(), asset(file))).collect()
    }

    // A style sheet names its pictures by their path beside it: their final addresses go in before its own is made.
    fn rewrite_style_sheets(&mut self) {
        let urls: BTreeMap<String, String> = self.files.iter().map(|file| (file.name.clone(), file.url())).collect();
        for file in self.files.iter_mut().filter(|file| file.name.ends_with(".css")) {
            let Ok(text) = std::str::from_utf8(&file.bytes) else { continue };
            let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut rewritten = String::with_capacity(text.len());
            let mut rest = text;
            while let Some(start) = rest.find("url(") {
                let (before, after) = rest.split_at(start + 4);
                rewritten.push_str(before);
                let end = after.find(')').unwrap_or(after.len());
                let written = after[..end].trim().trim_matches(['"', '\'']);
                match urls.get(&joined(folder, written)) {
                    Some(url) => rewritten.push_str(url),
                    None => rewritten.push_str(&after[..end]),
                }
                rest = &after[end..];
            }
            rewritten.push_str(rest);
            if rewritten != text {
                *file = finished(file.name.clone(), rewritten.into_bytes());
            }
        }
    }
}

impl AssetFile {
    /// Address from the root.
    pub fn url(&self) -> String {
        format!("/{}", self.path)
    }
}

enum Source {
    BuiltIn(&'static [u8]),
    File(PathBuf),
}

fn read(name: String, source: Source) -> Result<AssetFile, AssetError> {
    let bytes = match source {
        Source::BuiltIn(bytes) => bytes.to_vec(),
        Source::File(path) => {
            let fail = |reason: String| AssetError { path: name.clone(), reason };
            let length = std::fs::metadata(&path).map_err(|error| fail(error.to_string()))?.len();
            if length > MAX_FILE_BYTES {
                return Err(fail(format!("it has {length} bytes; a file of static/ holds at most {MAX_FILE_BYTES}")));
            }
            std::fs::read(&path).map_err(|error| fail(error.to_string()))?
        }
    };
    Ok(finished(name, bytes))
}

fn finished(name: String, bytes: Vec<u8>) -> AssetFile {
    let immutable = !keeps_its_name(&name);
    let path = if immutable { fingerprinted(&name, &bytes) } else { name.clone() };
    let code = name.ends_with(".js") || name.ends_with(".mjs") || name.ends_with(".css");
    let encode = |digest: &[u8]| base64::engine::general_purpose::STANDARD.encode(digest);
    let integrity = if code { format!("sha384-{}", encode(&Sha384::digest(&bytes))) } else { String::new() };
    AssetFile { size: media::pixel_size(&name, &bytes), path, immutable, integrity, bytes: bytes.into(), name }
}

// Browsers, crawlers and authorities ask for these by name.
fn keeps_its_name(name: &str) -> bool {
    let root_text = !name.contains('/') && (name.ends_with(".txt") || name.ends_with(".webmanifest"));
    root_text || name.starts_with(".well-known/") || matches!(name, "favicon.ico" | "apple-touch-icon.png")
}

// Eight hex digits: files of one name are told apart, and pages stay small (a category page names 24 of them).
fn fingerprinted(name: &str, bytes: &[u8]) -> String {
    let hash = &blake3::hash(bytes).to_hex()[..8];
    match name.rsplit_once('.') {
        Some((stem, ending)) if !ending.contains('/') => format!("a/{stem}.{hash}.{ending}"),
        _ => format!("a/{name}.{hash}"),
    }
}

fn joined(folder: &str, relative: &str) -> String {
    let relative = relative.split(['?', '#']).next().unwrap_or("");
    let mut parts: Vec<&str> = if relative.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in relative.trim_start_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(files: &[(&str, &[u8])]) -> AssetSet {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            std::fs::write(path, bytes).expect("written");
        }
        let (set, errors) = AssetSet::collect(folder.path());
        assert!(errors.is_empty(), "{errors:?}");
        set
    }

    #[test]
    fn names_change_with_bytes_and_fixed_names_stay() {
        let one = collected(&[("images/a.svg", b"<svg viewBox='0 0 40 50'/>"), ("favicon.ico", b"x"), (".hidden", b"x")]);
        let two = collected(&[("images/a.svg", b"<svg viewBox='0 0 40 51'/>")]);
        let path = |set: &AssetSet| set.find("images/a.svg").expect("there").path.clone();
        assert_ne!(path(&one), path(&two));
        assert!(path(&one).starts_with("a/images/a.") && path(&one).ends_with(".svg"));
        assert_eq!(one.find("favicon.ico").expect("there").path, "favicon.ico");
        assert_eq!(one.find("images/a.svg").expect("there").size, Some((40, 50)));
        assert!(one.find(".hidden").is_none());
    }

    #[test]
    fn the_built_in_files_are_there_until_shadowed() {
        let plain = collected(&[]);
        let shadowed = collected(&[("theme.js", b"// mine")]);
        assert!(plain.find("theme.js").is_some_and(|file| file.bytes.len() > 20));
        assert_eq!(&shadowed.find("theme.js").expect("there").bytes[..], b"// mine");
        assert!(plain.for_templates()["theme.js"].integrity.starts_with("sha384-"));
    }

    #[test]
    fn a_style_sheet_names_the_final_addresses() {
        let set =
            collected(&[("css/own.css", b"a{background:url('../images/a.svg')}b{src:url(data:x)}"), ("images/a.svg", b"<svg/>")]);
        let sheet = String::from_utf8(set.find("css/own.css").expect("there").bytes.to_vec()).expect("text");
        assert!(sheet.contains(&format!("url({})", set.find("images/a.svg").expect("there").url())), "{sheet}");
        assert!(sheet.contains("url(data:x)"));
    }
}
