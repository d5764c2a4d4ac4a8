//! Verify: does a target hold what its record says?
//!
//! Knows   one listing: a file that was changed has another size, or another name of its state. No file is read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::PublishError;
use super::host::{Host, Listed};
use super::job::State;
use super::purge::settle;
use super::record::{Record, bundle_name};
use super::target::Target;

/// What is not as it was published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Files that were removed, by the build's paths.
    pub missing: Vec<String>,
    /// Files that were changed.
    pub changed: Vec<String>,
    /// Objects that no publication has put there; they are left alone.
    pub foreign: Vec<String>,
    /// Whether the bundle is gone.
    pub bundle_missing: bool,
    /// Whether edges follow another bundle, or none.
    pub pointer_wrong: bool,
    /// Whether a job began and never finished: what it named is looked at by the next one.
    pub unfinished: bool,
    /// Addresses that caches may hold older bytes of, since they could not be told; none where the target names no caches.
    pub owed: BTreeSet<String>,
}

impl Findings {
    /// Whether all is as it was published; what others have put there does not count.
    pub fn is_well(&self) -> bool {
        let holds_all = self.missing.is_empty() && self.changed.is_empty() && !self.bundle_missing && !self.pointer_wrong;
        holds_all && self.owed.is_empty()
    }

    /// Paths to put again.
    pub fn paths(&self) -> BTreeSet<String> {
        self.missing.iter().chain(&self.changed).cloned().collect()
    }
}

/// Compares a target with its record.
pub async fn verify(host: &Host, target: &Target, state: &State, record: &Record) -> Result<Findings, PublishError> {
    let listed: BTreeMap<String, Listed> = host.list_public().await?.into_iter().map(|one| (one.name.clone(), one)).collect();
    let mut findings = Findings::default();
    let mut ours = BTreeSet::new();
    for (path, stored) in &record.files {
        let key = host.key(path);
        match listed.get(&key) {
            None => findings.missing.push(path.clone()),
            Some(found) => {
                let is_other =
                    found.e_tag.as_ref().zip(stored.e_tag.as_ref()).is_some_and(|(one, other)| !is_same_state(one, other));
                if found.size != stored.entry.size || is_other {
                    findings.changed.push(path.clone());
                }
            }
        }
        ours.insert(key);
    }
    ours.extend(record.retired.keys().chain(state.doubtful.keys()).map(|path| host.key(path)));
    findings.foreign = listed.into_keys().filter(|key| !ours.contains(key)).collect();
    let bundle = bundle_name(&record.bundle);
    findings.bundle_missing = host.written_at(&bundle).await?.is_none();
    findings.pointer_wrong = state.pointer.as_ref().is_none_or(|(pointer, _)| pointer.bundle != record.bundle);
    findings.unfinished = !state.doubtful.is_empty();
    if target.purge.is_some() {
        findings.owed = settle::owed(host, &record.shop_id).await?;
    }
    Ok(findings)
}

// Azure lists the names of states without the quotes that they have in its other answers.
fn is_same_state(one: &str, other: &str) -> bool {
    one.trim_matches('"') == other.trim_matches('"')
}
