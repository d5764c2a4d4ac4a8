//! Assets: the files of static/, with addresses that change when their bytes do.
//!
//! Owns    which files there are (the site's own, then the built-in theme's), their fingerprints, integrity and picture sizes.
//! Always  `/a/NAME.HASH.ending`, to be cached for ever; the few files that others ask for by name keep it. Pictures are not published
//!         themselves: the files of their sets are, see `images`; drawings are cleaned. The theme's own scripts are published without
//!         comments and blanks; those of a shop stay as they are written, since the minifier knows no JavaScript without semicolons.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use include_dir::{Dir, include_dir};
use rayon::prelude::*;
use sha2::{Digest, Sha384};
use walkdir::WalkDir;

use super::images::{Made, Original, Picture, Workshop, is_picture, remote, svg};
use super::media;
use super::problem::{Kind, Problem};
use crate::theme::engine::{Asset, Assets};

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/static");

/// Largest file of static/: what a page shows is far smaller, and a film belongs elsewhere.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// The address of a picture that cannot be read: what stands for it is its text.
pub const NOTHING: &str = "data:,";

/// A file to be published.
#[derive(Clone, Debug)]
pub struct AssetFile {
    /// Path below static/, with `/`.
    pub name: String,
    /// Path below public/; of a picture: that of its largest file.
    pub path: String,
    /// What is published of it.
    pub content: Content,
    /// Pixels, for pictures whose size can be read.
    pub size: Option<(u32, u32)>,
    /// Whether its address changes with its bytes.
    pub immutable: bool,
    integrity: String,
}

/// What is published of a file.
#[derive(Clone, Debug)]
pub enum Content {
    /// Its bytes.
    Bytes(std::sync::Arc<[u8]>),
    /// The files of its set.
    Picture(Box<Picture>),
    /// Nothing: it is a picture that cannot be read.
    Nothing,
}

/// All files, sorted by name.
#[derive(Clone, Debug, Default)]
pub struct AssetSet {
    /// The files of static/, and pictures that were fetched by their addresses.
    pub files: Vec<AssetFile>,
    /// What is to be told of pictures.
    pub problems: Vec<Problem>,
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
    /// Reads static/ of a shop; the built-in theme's own files (those directly in its static/) are there unless shadowed. Pictures go
    /// through the `workshop`, and so do those that lie at the addresses of `elsewhere`.
    ///
    /// Errors: every file that cannot be read or is larger than `MAX_FILE_BYTES`.
    pub fn collect(folder: &Path, workshop: &Workshop<'_>, elsewhere: Vec<String>) -> (Self, Vec<AssetError>) {
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
        for entry in listed!(WalkDir::new(folder).follow_links(true)).sort_by_file_name() {
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
        let mut originals = Vec::new();
        sources.retain(|name, source| match source {
            Source::File(path) if is_picture(name) && !keeps_its_name(name) => {
                originals.push(Original { name: name.clone(), path: std::mem::take(path) });
                false
            }
            _ => true,
        });
        let read: Vec<_> = sources.into_par_iter().map(|(name, source)| read(name, source)).collect();
        let mut set = Self::default();
        for result in read {
            match result {
                Ok((file, problems)) => {
                    set.files.push(file);
                    set.problems.extend(problems);
                }
                Err(error) => errors.push(error),
            }
        }
        set.add_pictures(workshop, originals, elsewhere);
        set.rewrite_style_sheets();
        (set, errors)
    }

    fn add_pictures(&mut self, workshop: &Workshop<'_>, mut originals: Vec<Original>, elsewhere: Vec<String>) {
        if let Some(settings) = workshop.settings.remote.as_ref().filter(|_| !elsewhere.is_empty()) {
            for fetched in remote::fetch(elsewhere, settings, workshop.folder, workshop.is_fresh) {
                self.problems.extend(fetched.note.map(|note| note.problem(&fetched.url)));
                match fetched.path {
                    Some(path) => originals.push(Original { name: fetched.url, path }),
                    None => self.files.push(of_picture(fetched.url, None)),
                }
            }
        }
        let is_elsewhere = |name: &str| super::load::is_remote(name);
        let told = |name: &str| if is_elsewhere(name) { name.to_owned() } else { format!("static/{name}") };
        let (pictures, problems): Made = workshop.make(originals, told);
        self.problems.extend(problems);
        self.files.extend(pictures.into_iter().map(|(name, picture)| of_picture(name, picture)));
        self.files.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// A file by its path below static/.
    pub fn find(&self, name: &str) -> Option<&AssetFile> {
        let found = self.files.binary_search_by(|file| file.name.as_str().cmp(name));
        found.ok().map(|index| &self.files[index])
    }

    /// Address of a picture where many are shown small by whoever knows of no sets, by the one it was written with. `None`: it cannot be
    /// read.
    pub fn small_url(&self, written: &str, width: u32, is_webp: bool) -> Option<String> {
        let Some(file) = self.find(written.trim_start_matches('/')) else { return Some(written.to_owned()) };
        match &file.content {
            Content::Nothing => None,
            Content::Bytes(_) => Some(file.url()),
            Content::Picture(picture) => Some(format!("/{}", picture.at_least(width, is_webp).path)),
        }
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
            let Content::Bytes(bytes) = &file.content else { continue };
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
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
    /// Whether it is a picture that cannot be read.
    pub fn is_nothing(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    /// Address from the root, or `NOTHING`.
    pub fn url(&self) -> String {
        match self.content {
            Content::Nothing => NOTHING.to_owned(),
            _ => format!("/{}", self.path),
        }
    }
}

fn of_picture(name: String, picture: Option<Picture>) -> AssetFile {
    let largest = picture.as_ref().map(Picture::largest);
    AssetFile {
        path: largest.map_or_else(String::new, |file| file.path.clone()),
        size: largest.map(|file| (file.width, file.height)),
        content: picture.map_or(Content::Nothing, |picture| Content::Picture(Box::new(picture))),
        immutable: true,
        integrity: String::new(),
        name,
    }
}

enum Source {
    BuiltIn(&'static [u8]),
    File(PathBuf),
}

fn read(name: String, source: Source) -> Result<(AssetFile, Vec<Problem>), AssetError> {
    let bytes = match source {
        Source::BuiltIn(bytes) => return Ok((built_in(name, bytes), Vec::new())),
        Source::File(path) => {
            let fail = |reason: String| AssetError { path: name.clone(), reason };
            let length = std::fs::metadata(&path).map_err(|error| fail(error.to_string()))?.len();
            if length > MAX_FILE_BYTES {
                return Err(fail(format!("it has {length} bytes; a file of static/ holds at most {MAX_FILE_BYTES}")));
            }
            std::fs::read(&path).map_err(|error| fail(error.to_string()))?
        }
    };
    // A shop may hold the theme's files as they are.
    if BUILT_IN.get_file(&name).is_some_and(|file| file.contents() == bytes) {
        return Ok((built_in(name, &bytes), Vec::new()));
    }
    if !name.ends_with(".svg") {
        return Ok((finished(name, bytes), Vec::new()));
    }
    let shown = format!("static/{name}");
    let text = String::from_utf8(bytes).map_err(|error| {
        let message = format!("the byte {} of this drawing is not UTF-8", error.utf8_error().valid_up_to());
        Problem::about(&shown, message).of(Kind::Image).warning().hint("save it anew as plain SVG")
    });
    Ok(match text.and_then(|text| svg::clean(&shown, &text)) {
        Ok(clean) => (finished(name, clean.text.into_bytes()), clean.problems),
        Err(problem) => (of_picture(name, None), vec![problem]),
    })
}

fn built_in(name: String, bytes: &[u8]) -> AssetFile {
    let script = std::str::from_utf8(bytes).ok().filter(|_| name.ends_with(".js"));
    let short = script.and_then(|text| minifier::js::minify(text).ok()).map(|short| short.to_string().into_bytes());
    finished(name, short.unwrap_or_else(|| bytes.to_vec()))
}

fn finished(name: String, bytes: Vec<u8>) -> AssetFile {
    let immutable = !keeps_its_name(&name);
    let path = if immutable { fingerprinted(&name, &bytes) } else { name.clone() };
    let code = name.ends_with(".js") || name.ends_with(".mjs") || name.ends_with(".css");
    let encode = |digest: &[u8]| base64::engine::general_purpose::STANDARD.encode(digest);
    let integrity = if code { format!("sha384-{}", encode(&Sha384::digest(&bytes))) } else { String::new() };
    AssetFile { size: media::pixel_size(&name, &bytes), path, immutable, integrity, content: Content::Bytes(bytes.into()), name }
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
    use crate::site::images::ImageSettings;

    fn bytes<'s>(set: &'s AssetSet, name: &str) -> &'s [u8] {
        match &set.find(name).expect("there").content {
            Content::Bytes(bytes) => bytes,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn collected(files: &[(&str, &[u8])]) -> AssetSet {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
            std::fs::write(path, bytes).expect("written");
        }
        let settings = ImageSettings::default();
        let workshop = Workshop {
            settings: &settings,
            folder: &folder.path().join(".sets"),
            is_fresh: false,
            now_ns: 0,
            previews: Default::default(),
            ground: [255; 3],
            progress: &|_, _| {},
        };
        let (set, errors) = AssetSet::collect(folder.path(), &workshop, Vec::new());
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
        assert!(bytes(&plain, "theme.js").len() > 20);
        assert_eq!(bytes(&shadowed, "theme.js"), b"// mine");
        assert!(plain.for_templates()["theme.js"].integrity.starts_with("sha384-"));
    }

    #[test]
    fn scripts_of_the_theme_are_short_and_those_of_a_shop_as_written() {
        for (name, written) in
            ["theme.js", "search.js", "express.js", "pay.js", "beacon.js"].map(|name| (name, BUILT_IN.get_file(name)))
        {
            let written = written.expect("there").contents();
            let set = collected(&[(name, written)]);
            let short = bytes(&set, name);
            assert!(short.len() * 10 < written.len() * 8 && !short.contains(&b'\n'), "{name}: {}", short.len());
            assert_eq!(short, bytes(&collected(&[]), name), "a copy is no other file");
            let hash = base64::engine::general_purpose::STANDARD.encode(Sha384::digest(short));
            assert_eq!(set.for_templates()[name].integrity, format!("sha384-{hash}"));
        }
        let own = b"// Mine\nlet a = 1\nlet b = 2\n";
        assert_eq!(bytes(&collected(&[("js/own.js", own)]), "js/own.js"), own);
    }

    #[test]
    fn what_pages_tell_of_themselves_costs_little() {
        let set = collected(&[]);
        let mut packed = Vec::new();
        let params = brotli::enc::BrotliEncoderParams::default();
        brotli::BrotliCompress(&mut bytes(&set, "beacon.js"), &mut packed, &params).expect("memory");
        assert!(packed.len() <= 1_500, "beacon.js has {} bytes", packed.len());
    }

    #[test]
    fn a_style_sheet_names_the_final_addresses() {
        let set =
            collected(&[("css/own.css", b"a{background:url('../images/a.svg')}b{src:url(data:x)}"), ("images/a.svg", b"<svg/>")]);
        let sheet = String::from_utf8(bytes(&set, "css/own.css").to_vec()).expect("text");
        assert!(sheet.contains(&format!("url({})", set.find("images/a.svg").expect("there").url())), "{sheet}");
        assert!(sheet.contains("url(data:x)"));
    }
}
