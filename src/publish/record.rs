//! Record: what a target says of itself: what was published last, what was published before, who works on it and what they began.
//!
//! Owns    the names and formats of everything under the private prefix.
//! Always  the record is written last and only over the one that was planned from: until then nothing was published.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::target::Caching;
use crate::site::manifest::{Entry, Manifest};

/// Format this binary writes and reads.
pub const FORMAT: u32 = 1;
/// Name of the record.
pub const RECORD: &str = "published.json";
/// Name of the pointer that edges follow.
pub const POINTER: &str = "live.pointer";
/// Name of the lease.
pub const LEASE: &str = "lease.json";
/// Name of the list of addresses that caches have not been told of yet.
pub const OWED: &str = "owed.json";
/// Folder of what jobs have begun.
pub const INTENTS: &str = "intents";
/// Folder of earlier records.
pub const HISTORY: &str = "history";
/// Folder of replaced and removed files, by the publication that last had them.
pub const KEPT: &str = "kept";

/// Where a bundle lies.
pub fn bundle_name(hash: &str) -> String {
    format!("bundles/{hash}.bundle")
}

/// Where an earlier record lies.
pub fn history_name(id: u64) -> String {
    format!("{HISTORY}/{id}.json")
}

/// Where bytes lie that publication `id` was the last to have.
pub fn kept_name(id: u64, hash: &blake3::Hash) -> String {
    format!("{KEPT}/{id}/{hash}")
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// See `FORMAT`.
    pub format: u32,
    /// Whose; another shop's job refuses the target.
    pub shop_id: String,
    /// Number of this publication, rising.
    pub id: u64,
    /// The intent that it fulfils, which is no unfinished one therefore.
    pub intent: String,
    /// When (RFC 3339), for people.
    pub published_at: String,
    /// What caches were told.
    pub caching: Caching,
    /// Origin of its pages.
    pub base_url: String,
    /// The bundle's name.
    pub bundle: String,
    /// BLAKE3 of the bundle's file, signature included.
    #[serde(with = "hex")]
    pub bundle_file: blake3::Hash,
    /// When pages will change of themselves (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_change_at: Option<String>,
    /// The publication that this one goes back to; `None`: it was a build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_to: Option<u64>,
    /// What stands there, by the build's paths.
    pub files: BTreeMap<String, Stored>,
    /// What still lies there though no longer published, until nothing can refer to it.
    #[serde(default)]
    pub retired: BTreeMap<String, Retired>,
    /// Publications before this one that can be gone back to, the oldest first.
    #[serde(default)]
    pub history: Vec<Past>,
    /// Publications that can no longer be gone back to, and whose things the next job removes.
    #[serde(default)]
    pub dropped: Vec<Past>,
}

/// A file on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// What it is.
    pub entry: Entry,
    /// What the target calls this state of it: changes made by hand show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
}

/// A file that is no longer published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// What it is; `None`: a job that never finished has put something there.
    pub stored: Option<Stored>,
    /// The last publication that had it; 0: none.
    pub last: u64,
    /// Seconds since 1970 after which nothing can refer to it.
    pub until: i64,
}

/// An earlier publication, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub id: u64,
    /// When.
    pub published_at: String,
    /// Its bundle's name.
    pub bundle: String,
    /// Number of its files.
    pub files: usize,
    /// The publication that it went back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_to: Option<u64>,
}

/// What a job is about to do. Once it is there, nobody takes what it names for published until a record follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// See `FORMAT`.
    pub format: u32,
    /// Whose.
    pub shop_id: String,
    /// Every path that is put or removed.
    pub paths: BTreeSet<String>,
    /// The bundle that is put.
    pub bundle: String,
}

impl Record {
    /// In short.
    pub fn past(&self) -> Past {
        Past {
            id: self.id,
            published_at: self.published_at.clone(),
            bundle: self.bundle.clone(),
            files: self.files.len(),
            rollback_to: self.rollback_to,
        }
    }

    /// As the build's own manifest.
    pub fn manifest(&self) -> Manifest {
        let files = self.files.iter().map(|(path, stored)| (path.clone(), stored.entry)).collect();
        Manifest { next_change_at: self.next_change_at.clone(), bundle: Some(self.bundle.clone()), files, ..Manifest::default() }
    }
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hash.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
        blake3::Hash::from_hex(<&str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
