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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::manifest::Encoding;

    /// A manifest of (path, what stands in it).
    fn manifest(files: &[(&str, &str)]) -> Manifest {
        let entry = |text: &str, path: &str| Entry {
            hash: blake3::hash(text.as_bytes()),
            size: text.len() as u64,
            content_type: "text/html",
            cache: CacheClass::of(path),
            encoding: path.ends_with(".br").then_some(Encoding::Br),
        };
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), entry(text, path))).collect();
        Manifest { files, ..Manifest::default() }
    }

    #[test]
    fn each_file_is_counted_once_with_its_kind() {
        let old = manifest(&[
            ("index.html", "home"),
            ("products/lamp.html", "lamp"),
            ("products/mug.html", "mug"),
            ("products/mug.html.br", "m"),
            ("a/theme.1.css", "old style"),
            ("feed.xml", "one"),
        ]);
        let new = manifest(&[
            ("index.html", "home"),
            ("products/lamp.html", "lamps"),
            ("products/vase.html", "a vase"),
            ("products/vase.html.br", "v"),
            ("products/bowl.html", "bowl"),
            ("a/theme.2.css", "style"),
            ("feed.xml", "two"),
        ]);
        let (kinds, growth) = changes(&old, &new);
        let row = |kind: &str| {
            let FileChanges { new, changed, gone, same, bytes_was, bytes_is } = kinds[kind];
            (new, changed, gone, same, bytes_was, bytes_is)
        };
        assert_eq!(row("pages"), (2, 1, 1, 1, 11, 19));
        assert_eq!(row("assets"), (1, 0, 1, 0, 9, 5));
        assert_eq!(row("other files"), (0, 1, 0, 0, 3, 3));
        assert_eq!(growth, [Growth { path: "products/lamp.html".to_owned(), bytes_was: 4, bytes_is: 5 }]);
    }

    #[test]
    fn those_that_grew_most_come_first_and_no_more_than_are_named() {
        let paths: Vec<String> = (0..GROWTH + 2).map(|number| format!("p{number:02}.html")).collect();
        let texts: Vec<String> = (0..paths.len()).map(|number| "x".repeat(1 + number / 2)).collect();
        let old: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
        let new: Vec<(&str, &str)> = paths.iter().zip(&texts).map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (kinds, growth) = changes(&manifest(&old), &manifest(&new));
        assert_eq!(kinds["pages"].changed, GROWTH + 2);
        let named: Vec<(&str, u64)> = growth.iter().map(|growth| (growth.path.as_str(), growth.bytes_is)).collect();
        assert_eq!(named[..3], [("p10.html", 6), ("p11.html", 6), ("p08.html", 5)]);
        assert_eq!((named.len(), named[GROWTH - 1]), (GROWTH, ("p03.html", 2)));
        let (_, shrunk) = changes(&manifest(&new), &manifest(&old));
        assert_eq!(shrunk, []);
    }
}
