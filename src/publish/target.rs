//! Target: where a shop is published (`[[publish]]` of site.toml).
//!
//! Knows   no secret: credentials come from the environment or from the cloud's own chain.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::purge::Cdn;
use crate::site::manifest::{CacheClass, Encoding};

/// A named place for the shop's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What `--target` calls it.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Before every public object; empty: the root.
    pub prefix: String,
    /// Before what shoppers must not read: bundles, pointer, records.
    pub private: String,
    /// What is said to caches of each class.
    pub caching: Caching,
    /// Whose caches are told what was replaced; `None`: none are.
    pub purge: Option<Cdn>,
    /// Whether it holds previews, each below a prefix of its own; `None`: it holds the shop.
    pub previews: Option<Previews>,
    /// In which encodings its server has siblings of files beside them, to choose from.
    pub encodings: Vec<Encoding>,
    /// Publications that can be gone back to.
    pub keep: usize,
    /// Pages that may go without anybody having looked.
    pub max_deletions: usize,
    /// Seconds after which a job that no longer renews its lease is taken for dead.
    pub lease_seconds: u64,
}

/// A target of previews.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previews {
    /// Origin of each, with `{prefix}` in its host: pages lead to one another from the root of their host, not from a folder of it.
    pub url: String,
    /// The target whose last publication a preview is compared with; `None`: with nothing.
    pub compare_with: Option<String>,
}

impl Previews {
    /// The origin of one.
    pub fn url_of(&self, preview: &str) -> String {
        self.url.replace("{prefix}", preview)
    }
}

impl Target {
    /// The part of it that holds one preview.
    pub fn preview(&self, preview: &str) -> Self {
        let prefix = if self.prefix.is_empty() { preview.to_owned() } else { format!("{}/{preview}", self.prefix) };
        Self { prefix, ..self.clone() }
    }
}

/// Whether a preview can be called so: its name is a part of a host's name (RFC 1035, 2.3.4).
pub fn is_preview(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 63
        && name.bytes().all(|byte| is_letter(byte) || byte == b'-')
        && name.bytes().next().is_some_and(is_letter)
        && name.bytes().last().is_some_and(is_letter)
}

/// Which service, and what in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Amazon S3, and what speaks as it does.
    S3 {
        /// The bucket.
        bucket: String,
        /// Its region; `None`: from the environment.
        region: Option<String>,
        /// Origin of a service other than Amazon's.
        endpoint: Option<String>,
    },
    /// Google Cloud Storage.
    Gcs {
        /// The bucket.
        bucket: String,
        /// Origin of a service other than Google's.
        endpoint: Option<String>,
    },
    /// Azure Blob Storage.
    Azure {
        /// The storage account; `None`: from the environment.
        account: Option<String>,
        /// The container.
        container: String,
        /// Address of a service other than Azure's: an origin, with the account as its path where names of hosts hold none.
        endpoint: Option<String>,
    },
    /// A folder of this machine that a server serves. What shoppers must not read lies beside it.
    Folder {
        /// The folder that it is in.
        parent: PathBuf,
        /// Its name.
        name: String,
    },
}

impl Place {
    /// Before everything that is served; empty: the root.
    pub(super) fn folder_name(&self) -> &str {
        match self {
            Self::Folder { name, .. } => name,
            _ => "",
        }
    }

    /// Whether pages stand under their address (`products/lamp`) rather than under a file's name (`products/lamp.html`).
    pub fn has_addresses(&self) -> bool {
        !matches!(self, Self::Folder { .. })
    }
}

/// `Cache-Control` of each class of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caching {
    /// Addresses that change with their bytes.
    pub immutable: String,
    /// Pages.
    pub page: String,
    /// Feeds, sitemaps and the like.
    pub feed: String,
}

impl Default for Caching {
    fn default() -> Self {
        Self {
            immutable: "public, max-age=31536000, immutable".to_owned(),
            page: "public, max-age=0, s-maxage=300, stale-while-revalidate=60, stale-if-error=604800".to_owned(),
            feed: "public, max-age=0, s-maxage=3600".to_owned(),
        }
    }
}

impl Caching {
    /// What is said of a class.
    pub fn of(&self, class: CacheClass) -> &str {
        match class {
            CacheClass::Immutable => &self.immutable,
            CacheClass::Page => &self.page,
            CacheClass::Feed => &self.feed,
        }
    }

    /// Seconds for which a file that no page names any more may still be asked for: as long as a page that named it may be shown from
    /// a cache. What pages are made of has to be there even where a cache shows them because this target is down.
    pub fn life_seconds(&self, class: CacheClass) -> i64 {
        let fresh =
            |text: &str| directive(text, "max-age").max(directive(text, "s-maxage")) + directive(text, "stale-while-revalidate");
        let listed = fresh(&self.page).max(fresh(&self.feed));
        match class {
            CacheClass::Immutable => listed + directive(&self.page, "stale-if-error"),
            CacheClass::Page | CacheClass::Feed => listed,
        }
    }
}

// Seconds that a directive of Cache-Control names (RFC 9111, 5.2); 0 where it is not there.
fn directive(text: &str, name: &str) -> i64 {
    let mut directives = text.split(',').filter_map(|part| part.trim().split_once('='));
    let seconds = directives
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .and_then(|(_, value)| value.trim_matches('"').parse().ok());
    seconds.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_live_as_long_as_pages_that_may_name_them() {
        let caching = Caching::default();
        assert_eq!(caching.life_seconds(CacheClass::Immutable), 3600 + 604_800);
        assert_eq!(caching.life_seconds(CacheClass::Page), 3600);
        let short = Caching { page: "no-store".to_owned(), feed: "max-age=\"60\", S-MAXAGE=5".to_owned(), ..caching };
        assert_eq!(short.life_seconds(CacheClass::Immutable), 60);
    }
}
