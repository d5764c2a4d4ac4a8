//! Wanted: what is to be published: the last build, an earlier publication, or the last one once more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{Args, CommandError, Desk};
use crate::cli::source;
use crate::publish::PublishError;
use crate::publish::host::is_as_built;
use crate::publish::job::{self, BundleFile, Prices, State, Wish};
use crate::publish::upload::Source;
use crate::publish::verify::verify;
use crate::site::check::redirects::Redirects;
use crate::site::diff::Build;
use crate::site::manifest::{self, Entry, Manifest};
use crate::site::precompress::Press;
use crate::site::render::feeds::keeps_away;
use crate::theme::bundle::Bundle;

/// What is to be published, with all that it borrows from.
pub(super) struct Wanted {
    pub(super) manifest: Manifest,
    pub(super) source: Source,
    pub(super) bundle: BundleFile,
    pub(super) base_url: String,
    pub(super) rollback_to: Option<u64>,
    /// What it sells; `None`: what was published is put back.
    pub(super) build: Option<Build>,
    /// Whether crawlers are asked to keep away.
    pub(super) is_hidden: bool,
    /// The price history beside the shop's content.
    pub(super) before: Bytes,
}

/// Why siblings cannot be made.
#[derive(Debug)]
enum Unread {
    File(std::io::Error),
    Changed(PublishError),
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

impl From<PublishError> for Unread {
    fn from(error: PublishError) -> Self {
        Self::Changed(error)
    }
}

impl Wanted {
    pub(super) fn wish<'a>(&'a self, desk: &'a Desk) -> Wish<'a> {
        Wish {
            shop_id: &desk.config.shop.id,
            base_url: &self.base_url,
            manifest: &self.manifest,
            source: &self.source,
            bundle: &self.bundle,
            prices: self.build.as_ref().map(|build| Prices { bundle: &build.bundle, before: &self.before }),
            rollback_to: self.rollback_to,
            now: desk.now,
        }
    }
}

impl Desk {
    // The last build, opened for comparing too.
    pub(super) fn built(&self, args: &Args) -> Result<Wanted, CommandError> {
        let root = &args.whereto.source;
        let out = args.out.clone().unwrap_or_else(|| root.join("public"));
        let manifest: Manifest = Manifest::read(&out).ok_or_else(|| {
            let shown = out.display();
            CommandError::World(format!(
                "{shown} holds no {} that this version can read; `vitrine build` writes one",
                manifest::FILE
            ))
        })?;
        let path = args.bundle.clone().unwrap_or_else(|| root.join("shop.bundle"));
        let failed = |error: String| CommandError::World(format!("{}: {error}", path.display()));
        let bytes = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let opened = Bundle::open(&bytes, &self.known, Some(&self.config.shop.id)).map_err(|error| failed(error.to_string()))?;
        if manifest.bundle.as_ref().is_some_and(|name| *name != opened.hash) {
            let reason = "it is the bundle of another build".to_owned();
            return Err(PublishError::NotAsBuilt { path: path.display().to_string(), reason }.into());
        }
        let lines = std::fs::read_to_string(out.join("_redirects")).unwrap_or_default();
        let robots = std::fs::read_to_string(out.join("robots.txt")).unwrap_or_default();
        let mut manifest = manifest;
        let siblings = self.siblings(&mut manifest, &out, root)?;
        Ok(Wanted {
            source: Source { folder: Some(out), siblings, ..Source::default() },
            bundle: BundleFile::new(&opened.hash, bytes.into()),
            base_url: base_url(&opened.bundle),
            manifest: manifest.clone(),
            rollback_to: None,
            is_hidden: keeps_away(&robots),
            build: Some(Build { manifest, bundle: opened.bundle, redirects: Redirects::read(&lines) }),
            before: std::fs::read(source::price_history(root, None)).unwrap_or_default().into(),
        })
    }

    // The siblings that the server of this target chooses from, and none for those that do not: where each of them is.
    fn siblings(&self, manifest: &mut Manifest, out: &Path, root: &Path) -> Result<BTreeMap<String, PathBuf>, CommandError> {
        manifest.files.retain(|_, entry| entry.encoding.is_none());
        let files: Vec<(&str, Entry)> = manifest.files.iter().map(|(path, entry)| (path.as_str(), *entry)).collect();
        let read = |path: &str, entry: &Entry| {
            let file = out.join(path);
            is_as_built(&file, entry).map_err(|reason| PublishError::NotAsBuilt { path: path.to_owned(), reason })?;
            std::fs::read(&file).map_err(Unread::from)
        };
        let made = Press::new(&source::cache(root)).siblings(&files, &self.target.encodings, read);
        let made = made.map_err(|error| match error {
            Unread::File(error) => CommandError::World(format!("siblings cannot be made: {error}")),
            Unread::Changed(error) => error.into(),
        })?;
        manifest.files.extend(made.iter().map(|sibling| (sibling.path.clone(), sibling.entry)));
        Ok(made.into_iter().map(|sibling| (sibling.path, sibling.file)).collect())
    }

    // An earlier publication, whose bytes lie on the target.
    pub(super) async fn roll_back(&self, id: Option<u64>, state: &mut State) -> Result<Wanted, CommandError> {
        let shop = &self.config.shop.id;
        let mut earlier = state.earlier(&self.host, id, shop).await?;
        earlier.files.retain(|_, stored| stored.entry.encoding.is_none_or(|encoding| self.target.encodings.contains(&encoding)));
        let bytes = state.bundle(&self.host, &earlier.bundle).await?;
        let opened = Bundle::open(&bytes, &self.known, Some(shop)).map_err(|error| {
            CommandError::World(format!("the bundle of publication {} would not be taken by any edge: {error}", earlier.id))
        })?;
        Ok(Wanted {
            manifest: earlier.manifest(),
            source: Source { kept: job::kept(&self.host).await?, ..Source::default() },
            bundle: BundleFile::new(&earlier.bundle, bytes),
            base_url: earlier.base_url.clone(),
            rollback_to: Some(earlier.id),
            build: Some(Build { manifest: earlier.manifest(), bundle: opened.bundle, redirects: Redirects::default() }),
            is_hidden: false,
            before: Bytes::new(),
        })
    }

    // What was published last, once more: from the build where it is the same, else from what the target keeps.
    pub(super) async fn repair(&self, args: &Args, state: &mut State) -> Result<Wanted, CommandError> {
        let record = self.record(state)?.clone();
        let findings = verify(&self.host, &self.target, state, &record).await?;
        self.tell_findings(&findings);
        state.look(&self.host, findings.paths()).await?;
        let (manifest, base_url, rollback_to) = (record.manifest(), record.base_url, record.rollback_to);
        let root = &args.whereto.source;
        let folder = Some(args.out.clone().unwrap_or_else(|| root.join("public")));
        let bytes = if findings.bundle_missing {
            state.doubtful_bundles.insert(record.bundle.clone());
            let path = args.bundle.clone().unwrap_or_else(|| root.join("shop.bundle"));
            let bytes = std::fs::read(&path).unwrap_or_default();
            let opened = Bundle::open(&bytes, &self.known, Some(&self.config.shop.id)).ok();
            opened.filter(|opened| opened.hash == record.bundle).map(|_| bytes.into()).ok_or_else(|| {
                CommandError::World(format!("the bundle {:.12} is gone, and {} is another one", record.bundle, path.display()))
            })?
        } else {
            state.bundle(&self.host, &record.bundle).await?
        };
        // Siblings of a build that is another one by now are no loss: those that were published are kept beside their files.
        let built = folder.as_deref().and_then(|out| Some((out, Manifest::read(out)?)));
        let siblings = built.and_then(|(out, mut manifest)| self.siblings(&mut manifest, out, root).ok()).unwrap_or_default();
        let source = Source { folder, siblings, kept: job::kept(&self.host).await? };
        Ok(Wanted {
            manifest,
            source,
            bundle: BundleFile::new(&record.bundle, bytes),
            base_url,
            rollback_to,
            build: None,
            is_hidden: false,
            before: Bytes::new(),
        })
    }
}

pub(super) fn base_url(bundle: &Bundle) -> String {
    bundle.sites().ok().and_then(|sites| sites.into_iter().next()).map(|site| site.base_url).unwrap_or_default()
}
