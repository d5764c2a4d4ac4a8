//! Upload: carries out a plan, in its order, and writes the record.
//!
//! Limits  AT_ONCE requests at a time; `body` bounds what is held of files.
//! Always  before anything is written every file is as the build made it, and the lease is asked before every object. An error ends the
//!         phase it happens in: what comes after is never put.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use rayon::prelude::*;

use super::PublishError;
use super::body::{Body, check_size};
use super::host::{Host, Over, is_as_built, location};
use super::job::{State, Wish};
use super::lease::Lease;
use super::plan::{Phase, Plan, Upload};
use super::purge::{self, settle};
use super::record::{FORMAT, INTENTS, Intent, KEPT, POINTER, Past, RECORD, Record, Stored, bundle_name, history_name, kept_name};
use super::target::Target;
use crate::commerce::history::PriceHistory;
use crate::commerce::ids::Timestamp;
use crate::site::load::history;
use crate::site::manifest::Entry;
use crate::site::problem::Problems;
use crate::theme::bundle::SigningKey;
use crate::theme::bundle::pointer::Pointer;

/// Requests at a time.
pub(super) const AT_ONCE: usize = 32;

/// Where the bytes of a publication are.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The build's output.
    pub folder: Option<PathBuf>,
    /// Siblings of its files, by their paths.
    pub siblings: BTreeMap<String, PathBuf>,
    /// Private objects of the target that hold bytes of earlier publications, by their hash.
    pub kept: BTreeMap<String, String>,
}

/// What a publication came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// Its number; `None`: there was nothing to do.
    pub id: Option<u64>,
    /// Objects put.
    pub put: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Objects removed, now that nothing refers to them.
    pub removed: usize,
    /// Whether edges were pointed to another bundle.
    pub pointed: bool,
    /// Copies for whoever goes back that could not be made, since their bytes were gone.
    pub lost: Vec<String>,
}

/// Is told how far it is: phase in words, objects done, objects in all.
pub type Progress<'a> = &'a (dyn Fn(&'static str, usize, usize) + Sync);

/// A job that may write.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The target, opened.
    pub host: &'a Host,
    /// The same, as it was written down.
    pub target: &'a Target,
    /// The right to write.
    pub lease: &'a Lease,
    /// Signs the pointer.
    pub key: &'a SigningKey,
    /// Is told.
    pub progress: Progress<'a>,
}

impl Source {
    // Where the bytes of an entry are; those of a file are proven.
    fn find(&self, path: &str, entry: &Entry) -> Result<Body, PublishError> {
        check_size(path, entry)?;
        let kept = || self.kept.get(&entry.hash.to_string()).map(|name| Body::Kept(name.clone()));
        let Some(folder) = &self.folder else {
            let lost = || PublishError::File { path: path.to_owned(), reason: "its bytes are on the target no more".to_owned() };
            return kept().ok_or_else(lost);
        };
        let file = self.siblings.get(path).cloned().unwrap_or_else(|| folder.join(path));
        match (is_as_built(&file, entry), kept()) {
            (Ok(()), _) => Ok(Body::File(file)),
            (Err(_), Some(kept)) => Ok(kept),
            (Err(reason), None) => Err(PublishError::NotAsBuilt { path: path.to_owned(), reason }),
        }
    }

    /// Proves that all there is to put is there, and tells where.
    ///
    /// Errors: the first file that is not.
    pub async fn prove(&self, host: &Host, uploads: &[Upload]) -> Result<BTreeMap<String, Body>, PublishError> {
        for upload in uploads {
            location(&host.key(&upload.path))?;
        }
        let (source, list) = (self.clone(), uploads.to_vec());
        let found = tokio::task::spawn_blocking(move || {
            let find = |upload: Upload| Ok((upload.path.clone(), (source.find(&upload.path, &upload.entry)?, upload.entry)));
            list.into_par_iter().map(find).collect::<Result<BTreeMap<_, _>, _>>()
        });
        let found: BTreeMap<String, (Body, Entry)> = found.await.expect("nothing in it panics")?;
        let kept = found.iter().filter_map(|(path, (body, entry))| match body {
            Body::Kept(name) => Some(Ok((path, entry, name))),
            Body::File(_) => None,
        });
        let proofs = stream::iter(kept);
        proofs.try_for_each_concurrent(AT_ONCE, |(path, entry, name)| host.prove_kept(path, entry, name)).await?;
        Ok(found.into_iter().map(|(path, (body, _))| (path, body)).collect())
    }
}

/// Carries out a plan. Until the record is written, which is last, nothing is published; whoever comes after an error goes on.
pub async fn carry_out(job: Job<'_>, state: &State, wish: &Wish<'_>, plan: &Plan) -> Result<Outcome, PublishError> {
    let Job { host, lease, .. } = job;
    let mut outcome = Outcome::default();
    let points = state.points(wish, job.key);
    if plan.uploads.is_empty()
        && plan.deletions.is_empty()
        && plan.drops.is_empty()
        && plan.gone.is_empty()
        && !points
        && state.is_settled(wish)
    {
        return Ok(outcome);
    }
    let bodies = wish.source.prove(host, &plan.uploads).await?;
    let intent = begin(job, wish, plan).await?;
    failpoint!("INTENT");
    if let Some(record) = &state.record {
        for past in &record.dropped {
            lease.check()?;
            drop_past(host, past, record, wish.bundle).await?;
        }
    }
    keep(job, plan, &mut outcome).await?;
    let (assets, rest): (Vec<&Upload>, Vec<&Upload>) = plan.uploads.iter().partition(|upload| upload.phase == Phase::Asset);
    let mut stored = BTreeMap::new();
    put(job, &bodies, "assets", &assets, &mut stored).await?;
    put_bundle(job, state, wish).await?;
    failpoint!("BUNDLE");
    if points {
        point(job, state, wish, plan.id).await?;
        outcome.pointed = true;
    }
    failpoint!("POINTER");
    record_prices(job, wish).await?;
    delete(job, &plan.drops).await?;
    for step in rest.chunk_by(|one, other| (one.phase, one.rank()) == (other.phase, other.rank())) {
        put(job, &bodies, words(step[0].phase), step, &mut stored).await?;
    }
    delete(job, &plan.deletions).await?;
    owe(job, state, wish, plan).await?;
    outcome.put = plan.uploads.len();
    outcome.bytes = plan.bytes();
    outcome.removed = plan.removed().count();
    commit(job, state, wish, plan, &intent, stored).await?;
    failpoint!("RECORD");
    outcome.id = Some(plan.id);
    // What is left to do is done by the next job too, if this one does not come to it.
    let ended = state.intents.keys().chain([&intent]);
    for name in ended {
        host.delete_private(&format!("{INTENTS}/{name}")).await?;
    }
    Ok(outcome)
}

/// The addresses of which caches may hold another state than the one after this plan.
pub fn to_purge(state: &State, wish: &Wish<'_>, plan: &Plan) -> BTreeSet<String> {
    // Before the first publication nobody asked for any.
    if state.record.is_none() {
        return BTreeSet::new();
    }
    // A new address too: a cache may hold that nothing was there. What unfinished jobs have put is there, though it is not put again.
    let paths: BTreeSet<String> = plan.paths().into_iter().chain(state.doubtful.keys().cloned()).collect();
    purge::urls(wish.base_url, &paths)
}

fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Asset => "assets",
        Phase::NewFile => "new files",
        Phase::NewPage => "new pages",
        Phase::NewListing => "new feeds",
        Phase::Page => "pages",
        Phase::Listing => "feeds and sitemaps",
    }
}

async fn begin(job: Job<'_>, wish: &Wish<'_>, plan: &Plan) -> Result<String, PublishError> {
    let name = format!("{}.json", job.lease.holder);
    let intent =
        Intent { format: FORMAT, shop_id: wish.shop_id.to_owned(), paths: plan.paths(), bundle: wish.bundle.name.clone() };
    job.lease.check()?;
    job.host.write_private(&format!("{INTENTS}/{name}"), json(&intent), Over::Anything).await?;
    Ok(name)
}

async fn keep(job: Job<'_>, plan: &Plan, outcome: &mut Outcome) -> Result<(), PublishError> {
    let copies = stream::iter(plan.keeps.iter().map(Ok::<_, PublishError>));
    let lost: Vec<Option<String>> = copies
        .map_ok(|keep| async move {
            job.lease.check()?;
            let hash = blake3::Hash::from_hex(&keep.hash).expect("a plan names hashes");
            let is_kept = job.host.keep(&keep.path, &kept_name(keep.id, &hash)).await?;
            Ok((!is_kept).then(|| keep.path.clone()))
        })
        .try_buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    outcome.lost = lost.into_iter().flatten().collect();
    outcome.lost.sort();
    Ok(())
}

async fn put(
    job: Job<'_>,
    bodies: &BTreeMap<String, Body>,
    words: &'static str,
    uploads: &[&Upload],
    stored: &mut BTreeMap<String, Stored>,
) -> Result<(), PublishError> {
    let total = uploads.len();
    (job.progress)(words, 0, total);
    let mut puts = stream::iter(uploads)
        .map(|upload| async move {
            job.lease.check()?;
            failpoint!("PUT");
            let e_tag = job.host.put(&upload.path, &upload.entry, &bodies[&upload.path]).await?;
            Ok::<_, PublishError>((upload.path.clone(), Stored { entry: upload.entry, e_tag }))
        })
        .buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some(one) = puts.try_next().await? {
        stored.extend([one]);
        done += 1;
        (job.progress)(words, done, total);
    }
    Ok(())
}

async fn put_bundle(job: Job<'_>, state: &State, wish: &Wish<'_>) -> Result<(), PublishError> {
    let published = state.record.as_ref().filter(|record| record.bundle == wish.bundle.name);
    if published.is_some_and(|record| record.bundle_file == wish.bundle.file && state.doubtful_bundles.is_empty()) {
        return Ok(());
    }
    job.lease.check()?;
    let name = bundle_name(&wish.bundle.name);
    job.host.write_private(&name, wish.bundle.bytes.clone(), Over::Anything).await?;
    Ok(())
}

async fn point(job: Job<'_>, state: &State, wish: &Wish<'_>, sequence: u64) -> Result<(), PublishError> {
    job.lease.check()?;
    let text = Pointer::seal(wish.shop_id, sequence, &wish.bundle.name, job.key);
    let over = state.pointer.as_ref().map_or(Over::Nothing, |(_, version)| Over::Version(version.clone()));
    let written = job.host.write_private(POINTER, text.into(), over).await?;
    written.map(drop).ok_or(PublishError::Overtaken)
}

// The prices that carts have by now, and pages will show in a moment.
async fn record_prices(job: Job<'_>, wish: &Wish<'_>) -> Result<(), PublishError> {
    let Some(prices) = wish.prices else { return Ok(()) };
    job.lease.check()?;
    let (known, over) = match job.host.read_private(history::FILE).await? {
        Some((bytes, version)) => (bytes, Over::Version(version)),
        None => (prices.before.clone(), Over::Nothing),
    };
    let mut problems = Problems::new();
    let steps = history::parse(history::FILE, known.to_vec(), &mut problems);
    if problems.has_errors() {
        let reason = format!("cannot be read:\n{}", problems.render(false));
        return Err(PublishError::Unreadable { name: history::FILE.to_owned(), reason });
    }
    let at = Timestamp(wish.now.as_second());
    let due = history::lines(&PriceHistory::new(steps).due(&prices.bundle.catalog, &prices.bundle.rules, at));
    if due.is_empty() && matches!(over, Over::Version(_)) {
        return Ok(());
    }
    let mut text = known.to_vec();
    if text.last().is_some_and(|last| *last != b'\n') {
        text.push(b'\n');
    }
    text.extend_from_slice(due.as_bytes());
    let written = job.host.write_private(history::FILE, text.into(), over).await?;
    written.map(drop).ok_or(PublishError::Overtaken)
}

async fn owe(job: Job<'_>, state: &State, wish: &Wish<'_>, plan: &Plan) -> Result<(), PublishError> {
    if job.target.purge.is_none() {
        return Ok(());
    }
    job.lease.check()?;
    settle::owe(job.host, wish.shop_id, to_purge(state, wish, plan)).await?;
    failpoint!("OWED");
    Ok(())
}

async fn delete(job: Job<'_>, paths: &[String]) -> Result<(), PublishError> {
    let paths = stream::iter(paths.iter().map(Ok));
    paths
        .try_for_each_concurrent(AT_ONCE, |path| async move {
            job.lease.check()?;
            job.host.delete(path).await
        })
        .await
}

async fn commit(
    job: Job<'_>,
    state: &State,
    wish: &Wish<'_>,
    plan: &Plan,
    intent: &str,
    stored: BTreeMap<String, Stored>,
) -> Result<(), PublishError> {
    if let Some(record) = state.record.as_ref().filter(|record| plan.history.iter().any(|past| past.id == record.id)) {
        job.lease.check()?;
        job.host.copy_private(RECORD, &history_name(record.id)).await?;
    }
    let mut files = plan.unchanged.clone();
    files.extend(stored);
    let record = Record {
        format: FORMAT,
        shop_id: wish.shop_id.to_owned(),
        id: plan.id,
        intent: intent.to_owned(),
        published_at: wish.now.to_string(),
        caching: job.target.caching.clone(),
        base_url: wish.base_url.to_owned(),
        bundle: wish.bundle.name.clone(),
        bundle_file: wish.bundle.file,
        next_change_at: wish.manifest.next_change_at.clone(),
        rollback_to: wish.rollback_to,
        files,
        retired: plan.retired.clone(),
        history: plan.history.clone(),
        dropped: plan.dropped.clone(),
    };
    job.lease.check()?;
    let over = state.version.clone().map_or(Over::Nothing, Over::Version);
    let written = job.host.write_private(RECORD, json(&record), over).await?;
    written.map(drop).ok_or(PublishError::Overtaken)
}

// What was a publication's alone: its record, what it was the last to have, its bundle if no other names it.
async fn drop_past(host: &Host, past: &Past, record: &Record, wanted: &super::job::BundleFile) -> Result<(), PublishError> {
    if past.id > 0 {
        let kept = format!("{KEPT}/{}", past.id);
        for listed in host.list_private(&kept).await? {
            host.delete_private(&format!("{kept}/{}", listed.name)).await?;
        }
        host.delete_private(&history_name(past.id)).await?;
    }
    let named: BTreeSet<&String> = record.history.iter().map(|past| &past.bundle).chain([&record.bundle, &wanted.name]).collect();
    if !named.contains(&past.bundle) {
        host.delete_private(&bundle_name(&past.bundle)).await?;
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Bytes {
    let mut text = serde_json::to_vec_pretty(value).expect("a record is plain data");
    text.push(b'\n');
    text.into()
}
