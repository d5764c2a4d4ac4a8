//! Guard: what should not be published before somebody has looked. Pure.
//!
//! Always  all reasons are told at once, each with the word that lets it pass, where one does.

use serde::Serialize;

use super::plan::Plan;
use crate::site::diff::Diff;

/// What stops a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// More pages go than usual.
    Deletions,
    /// Prices, markets or products change in a way that is seldom meant.
    Changes,
    /// Nothing is sold.
    EmptyShop,
    /// Pages name an address of this machine.
    Localhost,
    /// Play money where others can reach it.
    Sandbox,
    /// Keys that were made for development. Nothing lets it pass.
    DevelopmentKeys,
    /// Crawlers are asked to keep away from the shop.
    Noindex,
    /// Crawlers would list a preview beside the shop.
    Indexed,
    /// Pages lead away from where their preview is. Nothing lets it pass.
    OtherAddress,
}

/// A reason to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// Which.
    pub guard: Guard,
    /// For people.
    pub message: String,
}

/// What is judged.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What will happen.
    pub plan: &'a Plan,
    /// Pages that may go.
    pub max_deletions: usize,
    /// What changes beside the last publication; `None`: nothing was published yet; an error: why it cannot be told.
    pub diff: Option<&'a Result<Diff, String>>,
    /// Whether the build sells anything.
    pub sells: bool,
    /// Origin of its pages.
    pub base_url: &'a str,
    /// Whether that is this machine.
    pub is_loopback: bool,
    /// Whether payments are play money that the shop has not said to be meant.
    pub is_sandbox: bool,
    /// Whether the signing key was made for development.
    pub has_development_keys: bool,
    /// Whether crawlers are asked to keep away.
    pub is_hidden: bool,
    /// Origin of the preview that it becomes; `None`: it becomes the shop.
    pub preview: Option<&'a str>,
}

/// Every reason to stop.
pub fn stops(facts: &Facts<'_>) -> Vec<Stop> {
    let mut stops = Vec::new();
    let mut tell = |guard: Guard, message: String| stops.push(Stop { guard, message });
    let pages = facts.plan.gone.iter().filter(|path| path.ends_with(".html")).count();
    if pages > facts.max_deletions {
        tell(Guard::Deletions, format!("{pages} pages go, more than the {} of `max_deletions`", facts.max_deletions));
    }
    if !facts.sells {
        tell(Guard::EmptyShop, "nothing is sold".to_owned());
    }
    // A preview is how somebody looks.
    match facts.diff.filter(|_| facts.preview.is_none()) {
        Some(Ok(diff)) => {
            let empty = "nothing is sold any more";
            let stops: Vec<String> = diff.stops().into_iter().filter(|stop| stop != empty).collect();
            if !stops.is_empty() {
                tell(Guard::Changes, format!("{}; `vitrine diff` shows them", stops.join(", ")));
            }
        }
        Some(Err(reason)) => tell(Guard::Changes, format!("the last publication cannot be compared: {reason}")),
        None => {}
    }
    if facts.is_loopback {
        tell(Guard::Localhost, format!("pages name {}, which is this machine; build with --base-url", facts.base_url));
    }
    match facts.preview {
        None if facts.is_hidden => {
            tell(Guard::Noindex, "crawlers are asked to keep away from the shop; build without --noindex".to_owned());
        }
        Some(_) if !facts.is_hidden => {
            tell(Guard::Indexed, "crawlers would list the preview beside the shop; build with --noindex".to_owned());
        }
        _ => {}
    }
    if let Some(preview) = facts.preview.filter(|preview| *preview != facts.base_url) {
        let way = format!("vitrine build --noindex --base-url {preview}");
        tell(Guard::OtherAddress, format!("pages name {}, and the preview is {preview}; run `{way}`", facts.base_url));
    }
    // Play money is what a preview is tried with.
    if facts.is_sandbox && !facts.is_loopback && facts.preview.is_none() {
        let message =
            "payments are play money; name a gateway under [payment], or say `allow_sandbox_on_public_host = true` there";
        tell(Guard::Sandbox, message.to_owned());
    }
    if facts.has_development_keys && !facts.is_loopback {
        let message = "the bundle would be signed with a development key, which no edge takes; make keys with `vitrine keygen`";
        tell(Guard::DevelopmentKeys, message.to_owned());
    }
    stops
}
