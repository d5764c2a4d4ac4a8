//! Cache: sets of pictures between builds, so that a picture which stayed is neither decoded nor read.
//!
//! Owns    one file per set, named by what it was made from (source bytes, settings, encoders), and an index of which set each picture had
//!         when its file was last looked at.
//! Always  a set is written whole or not at all, as soon as it is made: a killed build has lost one at most. All of it may be deleted at any
//!         time; what no picture of a finished build uses is deleted here.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Note;
use super::encode::EncodedSet;
use crate::site::keys;
use crate::site::load::Stamp;

/// Bytes that a set begins with: another shape has others.
const MAGIC: &[u8; 16] = b"vitrine picture\n";
const INDEX: &str = "index";
const ENDING: &str = "set";
/// A head describes a dozen files; a longer one is no head.
const MAX_HEAD_BYTES: u32 = 64 * 1024;

/// Names a set: hash of the source's bytes, the settings and the encoders.
pub(super) type SetKey = [u8; 16];

/// What a set holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Set {
    /// The widest first, WebP before the other kind of its width.
    pub(super) files: Vec<SetFile>,
    /// `None`: something can be seen through it.
    pub(super) color: Option<[u8; 3]>,
    /// What the merchant should know of it.
    pub(super) note: Option<Note>,
    /// Its bytes are the last.
    pub(super) preview: Option<SetFile>,
}

/// One file of a set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SetFile {
    pub(super) ending: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) size: u64,
    pub(super) hash: [u8; 32],
}

/// A picture as it was when it was last looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// `None`: to be read each time.
    pub(super) stamp: Option<Stamp>,
    /// Whether a preview was wanted of it.
    pub(super) is_preview: bool,
    /// Its set, or why there is none.
    pub(super) made: Result<(SetKey, Set), Note>,
}

/// Pictures by their names.
pub(super) type Index = BTreeMap<String, Entry>;

/// The folder of sets.
#[derive(Debug)]
pub(super) struct Cache<'a> {
    folder: &'a Path,
}

impl<'a> Cache<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder }
    }

    /// The index that was written with these settings; empty where there is none.
    pub(super) fn index(&self, settings: &SetKey) -> Index {
        let read = fs::read(self.folder.join(INDEX)).ok();
        let index = read.and_then(|bytes| postcard::from_bytes::<(SetKey, Index)>(&bytes).ok());
        index.filter(|(of, _)| of == settings).map(|(_, index)| index).unwrap_or_default()
    }

    /// Remembers an index and deletes the sets that it does not name. One that cannot be written costs time and nothing else.
    pub(super) fn remember(&self, settings: &SetKey, index: &Index) {
        let bytes = postcard::to_stdvec(&(settings, index)).expect("plain data always serialises");
        if keys::write(&self.folder.join(INDEX), &[&bytes]).is_none() {
            return;
        }
        let used: std::collections::BTreeSet<PathBuf> =
            index.values().filter_map(|entry| Some(self.path(&entry.made.as_ref().ok()?.0))).collect();
        for entry in fs::read_dir(self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ending| ending == ENDING) && !used.contains(&path) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// What a set holds; `None`: it is not there.
    pub(super) fn set(&self, key: &SetKey) -> Option<Set> {
        open(&self.path(key)).ok().map(|(set, _)| set)
    }

    /// The bytes of a set's files, in their order, the preview last; `None` where they are not there as they were written.
    pub(super) fn bytes(&self, key: &SetKey) -> Option<Vec<Vec<u8>>> {
        let (set, mut file) = open(&self.path(key)).ok()?;
        let read = |of: &SetFile| {
            let mut bytes = Vec::with_capacity(of.size as usize);
            (&mut file).take(of.size).read_to_end(&mut bytes).ok()?;
            (blake3::hash(&bytes).as_bytes() == &of.hash).then_some(bytes)
        };
        set.files.iter().chain(&set.preview).map(read).collect()
    }

    /// Writes a set, where it can be written, and gives what it holds.
    pub(super) fn write(&self, key: &SetKey, made: &EncodedSet, note: Option<Note>) -> Set {
        let describe = |file: &super::encode::Encoded| SetFile {
            ending: file.ending.to_owned(),
            width: file.width,
            height: file.height,
            size: file.bytes.len() as u64,
            hash: *blake3::hash(&file.bytes).as_bytes(),
        };
        let preview = made.preview.as_ref().map(describe);
        let set = Set { files: made.files.iter().map(describe).collect(), color: made.color, note, preview };
        let head = postcard::to_stdvec(&set).expect("plain data always serialises");
        let length = (head.len() as u32).to_le_bytes();
        let parts: Vec<&[u8]> = [&MAGIC[..], &length, &head]
            .into_iter()
            .chain(made.files.iter().chain(&made.preview).map(|file| &file.bytes[..]))
            .collect();
        keys::write(&self.path(key), &parts);
        set
    }

    fn path(&self, key: &SetKey) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name).with_extension(ENDING)
    }
}

// At the first byte of its first file.
fn open(path: &Path) -> io::Result<(Set, File)> {
    let mut file = File::open(path)?;
    let mut start = [0; 20];
    file.read_exact(&mut start)?;
    let length = u32::from_le_bytes([start[16], start[17], start[18], start[19]]);
    if start[..16] != MAGIC[..] || length > MAX_HEAD_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut head = vec![0; length as usize];
    file.read_exact(&mut head)?;
    let set = postcard::from_bytes(&head).map_err(|_| io::ErrorKind::InvalidData)?;
    file.seek(SeekFrom::Start(20 + u64::from(length)))?;
    Ok((set, file))
}
