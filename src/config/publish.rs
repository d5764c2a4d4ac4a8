//! Publish: `[[publish]]` of site.toml, where the shop is published.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;

use super::purge::WrittenPurge;
use super::{check_origin, is_word};
use crate::edge::live::is_loopback;
use crate::publish::target::{Caching, Place as Whereto, Previews, Target};
use crate::site::load::written::Place;
use crate::site::manifest::Encoding;
use crate::site::problem::{Problem, Problems, SourceFile};

/// More publications than anybody goes back by.
const MAX_KEEP: usize = 1000;
/// A job that renews less often than that is dead by any measure.
const MAX_LEASE_SECONDS: u64 = 3600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTarget {
    name: Spanned<String>,
    kind: Spanned<Kind>,
    bucket: Option<Spanned<String>>,
    container: Option<Spanned<String>>,
    account: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    endpoint: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    prefix: Option<Spanned<String>>,
    private: Option<Spanned<String>>,
    keep: Option<Spanned<usize>>,
    max_deletions: Option<usize>,
    lease_seconds: Option<Spanned<u64>>,
    #[serde(default)]
    caching: WrittenCaching,
    purge: Option<WrittenPurge>,
    preview_url: Option<Spanned<String>>,
    compare_with: Option<Spanned<String>>,
    encodings: Option<Spanned<Vec<Encoding>>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    S3,
    Gcs,
    Azure,
    Folder,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
            Self::Folder => "folder",
        }
    }

    /// What says where it is.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["bucket", "region", "endpoint"],
            Self::Gcs => &["bucket", "endpoint"],
            Self::Azure => &["container", "account", "endpoint"],
            Self::Folder => &["path"],
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenCaching {
    immutable: Option<String>,
    page: Option<String>,
    feed: Option<String>,
}

/// All targets, as far as they can be understood; the rest are problems.
pub(super) fn checked(written: Vec<WrittenTarget>, place: Place<'_>, root: &Path, problems: &mut Problems) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let shops = |target: &&WrittenTarget| target.preview_url.is_none();
    let shops: Vec<String> = written.iter().filter(shops).map(|target| target.name.get_ref().clone()).collect();
    for target in written {
        if let Some(other) = target.compare_with.as_ref().filter(|other| !shops.contains(other.get_ref())) {
            let message = format!("there is no target `{}` that holds the shop", other.get_ref());
            let hint = if shops.is_empty() { "write one under [[publish]]".to_owned() } else { shops.join(", ") };
            problems.push(place.problem(other, message).hint(hint));
        }
        if targets.iter().any(|other| other.name == *target.name.get_ref()) {
            problems.push(place.problem(&target.name, format!("there are two targets `{}`", target.name.get_ref())));
            continue;
        }
        targets.extend(target.checked(place, root, problems));
    }
    targets
}

impl WrittenTarget {
    fn checked(mut self, place: Place<'_>, root: &Path, problems: &mut Problems) -> Option<Target> {
        if !is_word(self.name.get_ref()) {
            let message = "a target's name is made of a–z, 0–9 and hyphens";
            problems.push(place.problem(&self.name, message).hint("write name = \"production\""));
        }
        self.check_keys(place, problems);
        self.check_endpoint(place, problems);
        let prefix = path_of(self.prefix.as_ref(), "", place, problems);
        let whereto = self.place(place, root, problems)?;
        let beside = match &whereto {
            Whereto::Folder { name, .. } => format!("{name}.private"),
            _ => "_vitrine".to_owned(),
        };
        let private = path_of(self.private.as_ref(), &beside, place, problems);
        if private.is_empty() {
            let at = self.private.as_ref().unwrap_or(&self.name);
            problems.push(place.problem(at, "bundles hold coupon codes and opening stock: they need a prefix of their own"));
        }
        let keep = within(self.keep.take(), 10, 1..=MAX_KEEP, place, problems);
        let lease_seconds = within(self.lease_seconds.take(), 60, 1..=MAX_LEASE_SECONDS, place, problems);
        let previews = self.previews(place, problems);
        if let Some(encodings) = self.encodings.as_ref().filter(|_| !matches!(whereto, Whereto::Folder { .. })) {
            let message = "a bucket does not choose between siblings: a browser would be sent an encoding that it may not take";
            let hint = "leave `encodings` out: the CDN in front of the bucket compresses by itself";
            problems.push(place.problem(encodings, message).hint(hint));
        }
        let mut encodings = self.encodings.take().map_or_else(Vec::new, Spanned::into_inner);
        encodings.sort();
        encodings.dedup();
        let purge = self.purge.take().and_then(|purge| purge.checked(place, problems));
        let usual = Caching::default();
        Some(Target {
            place: whereto,
            name: self.name.into_inner(),
            prefix,
            private,
            caching: Caching {
                immutable: self.caching.immutable.unwrap_or(usual.immutable),
                page: self.caching.page.unwrap_or(usual.page),
                feed: self.caching.feed.unwrap_or(usual.feed),
            },
            purge,
            previews,
            encodings,
            keep,
            max_deletions: self.max_deletions.unwrap_or(100),
            lease_seconds,
        })
    }

    // What a kind takes no notice of would be believed to do something.
    fn check_keys(&self, place: Place<'_>, problems: &mut Problems) {
        let kind = *self.kind.get_ref();
        let texts = [
            ("bucket", &self.bucket),
            ("container", &self.container),
            ("account", &self.account),
            ("region", &self.region),
            ("endpoint", &self.endpoint),
            ("path", &self.path),
        ];
        let strange = texts.into_iter().filter(|(key, value)| value.is_some() && !kind.keys().contains(key));
        for (key, value) in strange {
            let message = format!("a target of kind {} takes no `{key}`", kind.name());
            let hint = format!("take it out; it takes {}", kind.keys().join(", "));
            problems.push(place.problem(value.as_ref().expect("it is there"), message).hint(hint));
        }
    }

    fn check_endpoint(&self, place: Place<'_>, problems: &mut Problems) {
        let Some(endpoint) = &self.endpoint else { return };
        let text = endpoint.get_ref();
        if text.contains('@') {
            let message = "credentials do not belong into site.toml";
            problems.push(place.problem(endpoint, message).hint(CREDENTIALS).unshown());
            return;
        }
        // Where names of hosts hold no account, as on this machine, Azure's services take it as a path.
        let account = text.splitn(4, '/').nth(3).filter(|_| matches!(self.kind.get_ref(), Kind::Azure));
        let origin = account.and_then(|account| text.strip_suffix(account)?.strip_suffix('/')).unwrap_or(text);
        let is_account = |account: &str| !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let reason = match check_origin(origin) {
            Err(reason) => Some(reason),
            Ok(()) if account.is_some_and(|account| !is_account(account)) => {
                Some(format!("`{text}` goes on after the host with what is no account"))
            }
            Ok(()) if origin.starts_with("http://") && !is_loopback(origin) => {
                Some("http is for this machine alone: credentials would go in the clear".to_owned())
            }
            Ok(()) => None,
        };
        if let Some(reason) = reason {
            problems.push(place.problem(endpoint, reason).hint("write an origin such as \"https://s3.example\""));
        }
    }

    fn previews(&mut self, place: Place<'_>, problems: &mut Problems) -> Option<Previews> {
        let Some(url) = self.preview_url.take() else {
            if let Some(other) = &self.compare_with {
                let hint = "write preview_url = \"https://{prefix}.preview.shop.example\" beside it";
                problems.push(place.problem(other, "only previews are compared with another target").hint(hint));
            }
            return None;
        };
        let filled = url.get_ref().replacen("{prefix}", "pr-42", 1);
        let reason = match check_origin(&filled) {
            Err(reason) => Some(reason),
            Ok(()) if filled == *url.get_ref() => {
                Some("it holds no {prefix}: two previews would stand at one address".to_owned())
            }
            Ok(()) if filled.contains('@') => Some("credentials do not belong into site.toml".to_owned()),
            Ok(()) => None,
        };
        if let Some(reason) = reason {
            let hint = "write preview_url = \"https://{prefix}.preview.shop.example\": pages lead to one another from the root of a host";
            problems.push(place.problem(&url, reason).hint(hint));
            return None;
        }
        let compare_with = self.compare_with.take().map(Spanned::into_inner);
        Some(Previews { url: url.into_inner(), compare_with })
    }

    fn place(&mut self, place: Place<'_>, root: &Path, problems: &mut Problems) -> Option<Whereto> {
        let mut needed = |key: &str, value: Option<Spanned<String>>| match value {
            Some(value) if !value.get_ref().is_empty() => Some(value.into_inner()),
            _ => {
                problems.push(
                    place.problem(&self.kind, format!("this target names no `{key}`")).hint(format!("write {key} = \"…\"")),
                );
                None
            }
        };
        let [account, region, endpoint] =
            [self.account.take(), self.region.take(), self.endpoint.take()].map(|value| value.map(Spanned::into_inner));
        Some(match *self.kind.get_ref() {
            Kind::S3 => Whereto::S3 { bucket: needed("bucket", self.bucket.take())?, region, endpoint },
            Kind::Gcs => Whereto::Gcs { bucket: needed("bucket", self.bucket.take())?, endpoint },
            Kind::Azure => Whereto::Azure { container: needed("container", self.container.take())?, account, endpoint },
            Kind::Folder => {
                let written = self.path.take();
                let path = root.join(needed("path", written.clone())?);
                let named = path.file_name().and_then(|name| name.to_str()).zip(path.parent());
                let Some((name, parent)) = named else {
                    let at = written.as_ref().unwrap_or(&self.name);
                    problems.push(place.problem(at, "this is no folder's name").hint("write path = \"../www/shop\""));
                    return None;
                };
                Whereto::Folder { parent: parent.to_owned(), name: name.to_owned() }
            }
        })
    }
}

/// Where credentials are.
const CREDENTIALS: &str = "take them from the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
     GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_KEY, CLOUDFLARE_API_TOKEN, FASTLY_API_TOKEN …) or from the cloud's own chain";

/// Keys of targets that look like secrets which somebody wanted to write down, as problems at their places.
pub(super) fn secrets(file: &SourceFile, text: &str) -> Vec<Problem> {
    let (document, _) = DeTable::parse_recoverable(text);
    let targets = document.get_ref().get("publish").and_then(|targets| targets.get_ref().as_array());
    let targets = targets.into_iter().flat_map(|targets| targets.iter()).filter_map(|target| target.get_ref().as_table());
    let tables = targets.flat_map(|target| {
        let purge = target.get("purge").and_then(|purge| purge.get_ref().as_table());
        [Some(target), purge].into_iter().flatten()
    });
    let keys = tables.flat_map(|table| table.keys()).filter(|key| is_credential(key.get_ref()));
    let problem = |key: &Spanned<Cow<'_, str>>| Problem::at(file, key.span(), format!("unknown key `{}`", key.get_ref()));
    keys.map(|key| problem(key).hint(CREDENTIALS).unshown()).collect()
}

fn is_credential(key: &str) -> bool {
    ["key", "secret", "token", "password", "credential", "sas"].iter().any(|word| key.contains(word))
}

fn path_of(written: Option<&Spanned<String>>, usual: &str, place: Place<'_>, problems: &mut Problems) -> String {
    let Some(written) = written else { return usual.to_owned() };
    let text = written.get_ref().trim_matches('/');
    let is_fine = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '%', '?', '#']);
    if !text.is_empty() && !text.split('/').all(is_fine) {
        problems.push(place.problem(written, "a prefix is a path such as \"shop/live\""));
    }
    text.to_owned()
}

fn within<N: PartialOrd + std::fmt::Display>(
    written: Option<Spanned<N>>,
    usual: N,
    range: std::ops::RangeInclusive<N>,
    place: Place<'_>,
    problems: &mut Problems,
) -> N {
    match written {
        Some(number) if !range.contains(number.get_ref()) => {
            problems.push(place.problem(&number, format!("write a number from {} to {}", range.start(), range.end())));
            usual
        }
        number => number.map_or(usual, Spanned::into_inner),
    }
}
