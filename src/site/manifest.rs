//! Manifest: what a finished output folder holds: path → content hash, size, type and cache class. Sorted, so that equal folders have
//! equal manifests.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::media;

/// The manifest's name in the output folder.
pub const FILE: &str = "manifest.json";
/// Format this binary writes and reads.
pub const FORMAT: u32 = 1;

/// Every file of an output folder but the manifest itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// See `FORMAT`.
    pub format: u32,
    /// When pages will change of themselves (RFC 3339); `None`: never. Another build is due then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_change_at: Option<String>,
    /// By path below the folder.
    pub files: BTreeMap<String, Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// BLAKE3 of its bytes, hex.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// Content type.
    #[serde(rename = "type")]
    pub content_type: String,
    /// How long it may be kept.
    pub cache: CacheClass,
}

/// How long a file may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheClass {
    /// Its address changes with its bytes.
    Immutable,
    /// A page: briefly, then checked.
    Page,
    /// Feeds, sitemaps and the like.
    Feed,
}

impl Default for Manifest {
    fn default() -> Self {
        Self { format: FORMAT, next_change_at: None, files: BTreeMap::new() }
    }
}

impl Manifest {
    /// The manifest of a folder; `None` where there is none that this version can read (then every file is written anew).
    pub fn read(folder: &Path) -> Option<Self> {
        let bytes = std::fs::read(folder.join(FILE)).ok()?;
        serde_json::from_slice::<Self>(&bytes).ok().filter(|manifest| manifest.format == FORMAT)
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("texts and numbers always serialise");
        bytes.push(b'\n');
        bytes
    }
}

impl Entry {
    /// The entry of a file with these bytes.
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        Self::of_hash(path, blake3::hash(bytes), bytes.len() as u64)
    }

    /// The entry of a file whose bytes have that hash and number.
    pub fn of_hash(path: &str, hash: blake3::Hash, size: u64) -> Self {
        let cache = match path {
            _ if path.starts_with("a/") => CacheClass::Immutable,
            _ if path.ends_with(".html") => CacheClass::Page,
            _ => CacheClass::Feed,
        };
        Self { hash: hash.to_hex().to_string(), size, content_type: media::content_type(path).to_owned(), cache }
    }
}
