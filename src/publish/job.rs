//! Job: what a target holds, and what is to be published on it.
//!
//! Always  a target of another shop, or one that a newer Vitrine has written, is refused before anything is changed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;

use super::PublishError;
use super::host::{Host, Version};
use super::plan::{Known, Plan, Seen, Wanted, plan};
use super::record::{FORMAT, INTENTS, Intent, KEPT, POINTER, RECORD, Record, bundle_name, history_name};
use super::target::Target;
use super::upload::Source;
use crate::commerce::ids::Timestamp;
use crate::site::manifest::Manifest;
use crate::theme::bundle::pointer::Pointer;
use crate::theme::bundle::{Bundle, SigningKey, VerifyingKey};

/// Looks at a time.
const AT_ONCE: usize = 32;

/// What a target holds.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What was published last.
    pub record: Option<Record>,
    /// The record's state on the target.
    pub version: Option<Version>,
    /// Which bundle is live.
    pub pointer: Option<(Pointer, Version)>,
    /// What jobs have begun, finished ones that did not clear up among them.
    pub intents: BTreeMap<String, Intent>,
    /// What unfinished jobs named, with what lies there.
    pub doubtful: BTreeMap<String, Option<Seen>>,
    /// Bundles that they named.
    pub doubtful_bundles: BTreeSet<String>,
}

/// What is to be published.
#[derive(Debug)]
pub struct Wish<'a> {
    /// Whose.
    pub shop_id: &'a str,
    /// Origin of its pages.
    pub base_url: &'a str,
    /// Its files.
    pub manifest: &'a Manifest,
    /// Where their bytes are.
    pub source: &'a Source,
    /// Its bundle.
    pub bundle: &'a BundleFile,
    /// What it asks, to be written into the price history; `None`: what was asked before is asked still.
    pub prices: Option<Prices<'a>>,
    /// The publication that it goes back to; `None`: it is a build.
    pub rollback_to: Option<u64>,
    /// The instant.
    pub now: jiff::Timestamp,
}

/// What a publication asks for what it sells.
#[derive(Clone, Copy, Debug)]
pub struct Prices<'a> {
    /// What is sold.
    pub bundle: &'a Bundle,
    /// The history as the shop keeps it, for a target that has none yet.
    pub before: &'a Bytes,
}

/// A bundle as a file.
#[derive(Clone, Debug)]
pub struct BundleFile {
    /// Its name: BLAKE3 of its payload, in hex.
    pub name: String,
    /// BLAKE3 of the whole file.
    pub file: blake3::Hash,
    /// The file.
    pub bytes: Bytes,
}

impl BundleFile {
    /// A bundle that was opened under this name.
    pub fn new(name: &str, bytes: Bytes) -> Self {
        Self { name: name.to_owned(), file: blake3::hash(&bytes), bytes }
    }
}

impl State {
    /// Reads what a target says of itself, and looks at what it cannot know. `keys`: whose pointers are believed.
    pub async fn read(host: &Host, shop_id: &str, keys: &[VerifyingKey]) -> Result<Self, PublishError> {
        let mut state = Self::default();
        // First of all, since a service names a bucket that is not there only when it is listed.
        let names = host.list_private(INTENTS).await?;
        if let Some((record, version)) =
            read_json::<Record>(host, RECORD, |record| (record.format, &record.shop_id), shop_id).await?
        {
            (state.record, state.version) = (Some(record), Some(version));
        }
        if let Some((bytes, version)) = host.read_private(POINTER).await? {
            let unreadable = |error: crate::theme::bundle::BundleError| PublishError::Unreadable {
                name: POINTER.to_owned(),
                reason: format!("is refused: {error}"),
            };
            state.pointer = Some((Pointer::open(&bytes, keys, Some(shop_id)).map_err(unreadable)?, version));
        }
        for listed in names {
            let name = format!("{INTENTS}/{}", listed.name);
            let read = read_json::<Intent>(host, &name, |intent| (intent.format, &intent.shop_id), shop_id).await?;
            state.intents.extend(read.map(|(intent, _)| (listed.name, intent)));
        }
        let finished = state.record.as_ref().map(|record| record.intent.as_str());
        let unfinished = state.intents.iter().filter(|(name, _)| Some(name.as_str()) != finished).map(|(_, intent)| intent);
        let unfinished: Vec<&Intent> = unfinished.collect();
        let paths: BTreeSet<String> = unfinished.iter().flat_map(|intent| intent.paths.clone()).collect();
        state.doubtful_bundles = unfinished.iter().map(|intent| intent.bundle.clone()).collect();
        state.look(host, paths).await?;
        Ok(state)
    }

    /// Looks at what lies at these paths, and believes the record of them no more.
    pub async fn look(&mut self, host: &Host, paths: BTreeSet<String>) -> Result<(), PublishError> {
        let looks = stream::iter(paths).map(|path| async {
            let seen = host.look(&path).await?;
            Ok::<_, PublishError>((path, seen))
        });
        let seen: Vec<_> = looks.buffer_unordered(AT_ONCE).try_collect().await?;
        self.doubtful.extend(seen);
        Ok(())
    }

    /// What has to happen so that it holds what is wished.
    pub fn plan(&self, target: &Target, wish: &Wish<'_>) -> Plan {
        let known = Known {
            record: self.record.as_ref(),
            doubtful: &self.doubtful,
            doubtful_bundles: &self.doubtful_bundles,
            sequence: self.pointer.as_ref().map_or(0, |(pointer, _)| pointer.sequence),
            caching: &target.caching,
            keep: target.keep,
            now: Timestamp(wish.now.as_second()),
        };
        plan(Wanted { manifest: wish.manifest, bundle: &wish.bundle.name }, known)
    }

    /// Whether edges have to be pointed to the bundle: they follow another one, or one that an older key vouches for.
    pub fn points(&self, wish: &Wish<'_>, key: &SigningKey) -> bool {
        let ours = Pointer::key_name(&key.verifying_key());
        self.pointer.as_ref().is_none_or(|(pointer, _)| pointer.bundle != wish.bundle.name || pointer.key != ours)
    }

    /// Whether the record says all there is to say once the files are there.
    pub(super) fn is_settled(&self, wish: &Wish<'_>) -> bool {
        let says_it = |record: &Record| {
            record.bundle_file == wish.bundle.file
                && record.base_url == wish.base_url
                && record.next_change_at == wish.manifest.next_change_at
        };
        self.record.as_ref().is_some_and(says_it) && self.intents.is_empty() && self.doubtful_bundles.is_empty()
    }

    /// A record that can be gone back to; `None` as its number: the last one before this.
    pub async fn earlier(&self, host: &Host, id: Option<u64>, shop_id: &str) -> Result<Record, PublishError> {
        let nothing = |reason: &str| PublishError::Unreadable { name: RECORD.to_owned(), reason: reason.to_owned() };
        let Some(record) = self.record.as_ref() else {
            let which = id.map_or_else(|| "none".to_owned(), |id| format!("no publication {id}"));
            return Err(nothing(&format!("is not there: nothing was published yet, and {which} can be gone back to")));
        };
        let ids: Vec<String> = record.history.iter().map(|past| past.id.to_string()).collect();
        let wanted = id.or_else(|| record.history.last().map(|past| past.id));
        let Some(wanted) = wanted else { return Err(nothing("names no earlier publication that could be gone back to")) };
        if wanted == record.id {
            return Ok(record.clone());
        }
        if !record.history.iter().any(|past| past.id == wanted) {
            return Err(nothing(&format!("names no publication {wanted} that could be gone back to, only {}", ids.join(", "))));
        }
        let name = history_name(wanted);
        let read = read_json::<Record>(host, &name, |record| (record.format, &record.shop_id), shop_id).await?;
        read.map(|(record, _)| record).ok_or_else(|| PublishError::Unreadable { name, reason: "is gone".to_owned() })
    }

    /// The published bundle's file.
    pub async fn bundle(&self, host: &Host, name: &str) -> Result<Bytes, PublishError> {
        let object = bundle_name(name);
        let read = host.read_private(&object).await?;
        read.map(|(bytes, _)| bytes).ok_or(PublishError::Unreadable { name: object, reason: "is gone".to_owned() })
    }
}

/// What was published last; `None`: nothing ever.
pub async fn read_record(host: &Host, shop_id: &str) -> Result<Option<Record>, PublishError> {
    let read = read_json::<Record>(host, RECORD, |record| (record.format, &record.shop_id), shop_id).await?;
    Ok(read.map(|(record, _)| record))
}

/// Copies of earlier publications' bytes on a target: hash → object.
pub async fn kept(host: &Host) -> Result<BTreeMap<String, String>, PublishError> {
    let listed = host.list_private(KEPT).await?;
    let named =
        listed.into_iter().filter_map(|one| Some((one.name.rsplit_once('/')?.1.to_owned(), format!("{KEPT}/{}", one.name))));
    Ok(named.collect())
}

/// Reads what Vitrine has written of a target; `None`: it is not there. `says`: its format and its shop.
///
/// Errors: it is another shop's or another format's, or no such thing.
pub(super) async fn read_json<T: DeserializeOwned>(
    host: &Host,
    name: &str,
    says: impl Fn(&T) -> (u32, &String),
    shop_id: &str,
) -> Result<Option<(T, Version)>, PublishError> {
    let Some((bytes, version)) = host.read_private(name).await? else { return Ok(None) };
    let unreadable = |reason: String| PublishError::Unreadable { name: name.to_owned(), reason };
    #[derive(serde::Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Result<Head, _> = serde_json::from_slice(&bytes);
    if let Some(head) = head.as_ref().ok().filter(|head| head.format != FORMAT) {
        let found = head.format;
        return Err(unreadable(format!(
            "has format {found}, this vitrine reads {FORMAT}: publish with the version that wrote it"
        )));
    }
    let value: T = serde_json::from_slice(&bytes)
        .map_err(|error| unreadable(format!("was changed by hand or cut ({error}); put the last good one back")))?;
    let (_, found) = says(&value);
    if found != shop_id {
        return Err(unreadable(format!("belongs to the shop `{found}`, not to `{shop_id}`; name another bucket or prefix")));
    }
    Ok(Some((value, version)))
}
