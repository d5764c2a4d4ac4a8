//! Manifest: what a finished output folder holds: path → content hash, size, type and cache class. Sorted, so that equal folders have
//! equal manifests.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::media;

/// The manifest's name in the output folder.
pub const FILE: &str = "manifest.json";
/// Format this binary writes and reads.
pub const FORMAT: u32 = 1;

/// Every file of an output folder but the manifest itself; `Files` maps paths to entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest<Files = BTreeMap<String, Entry>> {
    /// See `FORMAT`.
    pub format: u32,
    /// When pages will change of themselves (RFC 3339); `None`: never. Another build is due then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_change_at: Option<String>,
    /// The bundle of the same build, by the hash that names it; `None`: a version that did not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// By path below the folder.
    pub files: Files,
}

/// One file. A large shop has hundreds of thousands of them: none of it lies on the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// BLAKE3 of its bytes; written as hex.
    #[serde(serialize_with = "as_hex", deserialize_with = "from_hex")]
    pub hash: blake3::Hash,
    /// Bytes.
    pub size: u64,
    /// Content type; one that this version does not know reads as "".
    #[serde(rename = "type", deserialize_with = "known_type")]
    pub content_type: ContentType,
    /// How long it may be kept.
    pub cache: CacheClass,
    /// How a sibling of a file is compressed; `None`: it is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// How the bytes of a sibling are compressed (RFC 9110, 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Brotli.
    Br,
    /// Gzip.
    Gzip,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Br, Self::Gzip];

    /// What the name of such a sibling ends with.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Br => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// Not spelled out in the field: serde would take it for a text borrowed from the input.
type ContentType = &'static str;

fn as_hex<S: Serializer>(hash: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hash.to_hex())
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    blake3::Hash::from_hex(text).map_err(serde::de::Error::custom)
}

fn known_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ContentType, D::Error> {
    Ok(media::known_type(<&str>::deserialize(deserializer)?).unwrap_or(""))
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

impl CacheClass {
    /// The class of a published path.
    pub fn of(path: &str) -> Self {
        match path {
            _ if path.starts_with("a/") || path.starts_with(super::images::FOLDER) => Self::Immutable,
            _ if path.ends_with(".html") => Self::Page,
            _ => Self::Feed,
        }
    }
}

impl<Files: Default> Default for Manifest<Files> {
    fn default() -> Self {
        Self { format: FORMAT, next_change_at: None, bundle: None, files: Files::default() }
    }
}

impl<Files: DeserializeOwned> Manifest<Files> {
    /// The manifest of a folder; `None` where there is none that this version can read (then every file is written anew).
    pub fn read(folder: &Path) -> Option<Self> {
        let bytes = std::fs::read(folder.join(FILE)).ok()?;
        serde_json::from_slice::<Self>(&bytes).ok().filter(|manifest| manifest.format == FORMAT)
    }
}

impl<Files: Serialize> Manifest<Files> {
    /// Writes it as JSON, one line a value: it is read by people, and compared line by line.
    pub fn write(&self, mut writer: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut writer, self)?;
        writer.write_all(b"\n")
    }
}

impl Entry {
    /// The entry of a file with these bytes.
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        Self::of_hash(path, blake3::hash(bytes), bytes.len() as u64)
    }

    /// The entry of a file whose bytes have that hash and number.
    pub fn of_hash(path: &str, hash: blake3::Hash, size: u64) -> Self {
        Self { hash, size, content_type: media::content_type(path), cache: CacheClass::of(path), encoding: None }
    }

    /// The entry of its sibling, whose bytes are these.
    pub fn encoded(&self, encoding: Encoding, bytes: &[u8]) -> Self {
        Self { hash: blake3::hash(bytes), size: bytes.len() as u64, encoding: Some(encoding), ..*self }
    }

    /// The path of the file that this is a sibling of, and its own where it is none.
    pub fn base<'a>(&self, path: &'a str) -> &'a str {
        self.encoding.and_then(|encoding| path.strip_suffix(encoding.ending())).unwrap_or(path)
    }
}
