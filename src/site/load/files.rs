//! Files: the files of a shop's folder as texts, each with why it cannot be read.

use std::io::Read;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use crate::site::problem::{Problem, Problems, SourceFile};

/// Largest file of content/: one product or page with all its texts.
const MAX_CONTENT_BYTES: u64 = 8 * 1024 * 1024;

/// Text of a file's bytes: a byte order mark is dropped; a byte that is not UTF-8 is a problem with its line.
pub fn text(name: &str, mut bytes: Vec<u8>, problems: &mut Problems) -> Option<String> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    match String::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            None => Some(text),
            Some(at) => {
                problems.push(no_text(name, text.as_bytes(), at, 1));
                None
            }
        },
        Err(error) => {
            problems.push(no_text(name, error.as_bytes(), error.utf8_error().valid_up_to(), 1));
            None
        }
    }
}

// The byte `at` of bytes whose first line has that number is no text.
pub(super) fn no_text(name: &str, bytes: &[u8], at: usize, first_line: usize) -> Problem {
    let line_start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
    let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + first_line;
    let before = String::from_utf8_lossy(&bytes[line_start..at]);
    let message = match bytes[at] {
        0 => "the byte 0x00 is no text".to_owned(),
        byte => format!("the byte 0x{byte:02X} is not UTF-8"),
    };
    Problem::about(name, message).on_line(line, before.chars().count() + 1, &before).hint("save the file as UTF-8")
}

/// Files below a folder of the shop with that ending, sorted, as texts. A folder that does not exist has none.
pub(super) fn files(root: &Path, folder: &str, ending: &str, problems: &mut Problems) -> Vec<SourceFile> {
    let paths = paths(root, folder, ending, problems);
    let mut texts = Vec::new();
    for (file, found) in paths.into_par_iter().map(|path| source_file(&shown_path(root, &path), &path)).collect::<Vec<_>>() {
        texts.extend(file);
        problems.extend(found);
    }
    texts
}

/// Files below a folder of the shop with that ending, sorted.
pub(super) fn paths(root: &Path, folder: &str, ending: &str, problems: &mut Problems) -> Vec<PathBuf> {
    let start = root.join(folder);
    let mut paths = Vec::new();
    if !is_folder(root, folder, problems) {
        return paths;
    }
    for entry in listed!(WalkDir::new(&start).follow_links(true)) {
        let entry = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry,
            Err(error) => {
                let name = error.path().map_or_else(|| folder.to_owned(), |path| shown_path(root, path));
                let reason = error.io_error().map_or_else(|| error.to_string(), |error| format!("this cannot be read: {error}"));
                problems.push(Problem::about(&name, reason));
                continue;
            }
        };
        let found = entry.path().extension().unwrap_or_default();
        let name = || shown_path(root, entry.path());
        if found == ending && entry.file_type().is_file() {
            paths.push(entry.into_path());
        } else if found == ending {
            problems.push(Problem::about(&name(), "this is no file that can be read"));
        } else if found.eq_ignore_ascii_case(ending) || (ending == "md" && found == "markdown") {
            let problem = Problem::about(&name(), "this file is not read, because of its ending").warning();
            problems.push(problem.hint(format!("let its name end in `.{ending}`")));
        }
    }
    // By bytes: paths compare part by part, which is dear.
    paths.par_sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    paths
}

/// Whether a folder of the shop is there; a problem where something else stands in its place.
pub fn is_folder(root: &Path, folder: &str, problems: &mut Problems) -> bool {
    let parts = folder.split('/').scan(PathBuf::new(), |path, part| {
        path.push(part);
        Some(path.clone())
    });
    for part in parts {
        match std::fs::metadata(root.join(&part)) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let problem = Problem::about(&part.to_string_lossy(), "a folder belongs here, not a file");
                problems.push(problem.hint("move the file away, or delete it"));
                return false;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !root.join(&part).is_symlink() => return false,
            Err(error) => {
                problems.push(Problem::about(&part.to_string_lossy(), format!("this folder cannot be read: {error}")));
                return false;
            }
        }
    }
    true
}

/// The path of a file as problems name it.
pub(super) fn shown_path(root: &Path, path: &Path) -> String {
    let below = match (path.to_str(), root.to_str()) {
        (Some(path), Some(root)) => path.strip_prefix(root).and_then(|below| below.strip_prefix('/')),
        _ => None,
    };
    below.map_or_else(|| path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/"), str::to_owned)
}

/// A file's text, or why it has none; `name` is how problems call it.
pub(super) fn source_file(name: &str, path: &Path) -> (Option<SourceFile>, Problems) {
    let mut found = Problems::new();
    let text = bytes(path, name, &mut found).and_then(|bytes| text(name, bytes, &mut found));
    (text.map(|text| SourceFile::new(name, &text)), found)
}

fn limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > MAX_CONTENT_BYTES {
        return Err(too_large(MAX_CONTENT_BYTES));
    }
    // So many and no more: neither the length nor the end is asked for again.
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn too_large(limit: u64) -> std::io::Error {
    let reason = format!("it has more than {} MiB", limit / (1024 * 1024));
    std::io::Error::new(std::io::ErrorKind::FileTooLarge, reason)
}

fn bytes(path: &Path, name: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    match limited(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
            None
        }
    }
}
