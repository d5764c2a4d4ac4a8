//! Guards: what stops a publication, and the words that let it pass.

use super::wanted::{Wanted, base_url};
use super::{Args, CommandError, Desk};
use crate::cli::keys;
use crate::commerce::ids::Timestamp;
use crate::edge::live::is_loopback;
use crate::publish::PublishError;
use crate::publish::guard::{self, Facts, Guard, Stop};
use crate::publish::host::Host;
use crate::publish::job::State;
use crate::publish::plan::Plan;
use crate::publish::record::Record;
use crate::site::check::redirects::Redirects;
use crate::site::diff::{Build, Diff, diff};
use crate::theme::bundle::Bundle;

/// What a word after `--allow` lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Allow {
    /// More pages go than `max_deletions`
    Deletions,
    /// What `vitrine diff` stops at: prices beyond the limit, products gone without a redirect, markets
    Changes,
    /// Nothing is sold
    EmptyShop,
    /// Pages name this machine
    Localhost,
    /// Play money where others can reach it
    Sandbox,
    /// Crawlers are asked to keep away from the shop
    Noindex,
    /// Crawlers would list a preview beside the shop
    Indexed,
}

impl Allow {
    pub(super) fn lets(self, guard: Guard) -> bool {
        matches!(
            (self, guard),
            (Self::Deletions, Guard::Deletions)
                | (Self::Changes, Guard::Changes)
                | (Self::EmptyShop, Guard::EmptyShop)
                | (Self::Localhost, Guard::Localhost)
                | (Self::Sandbox, Guard::Sandbox)
                | (Self::Noindex, Guard::Noindex)
                | (Self::Indexed, Guard::Indexed)
        )
    }
}

impl Desk {
    pub(super) async fn stops(&self, state: &State, plan: &Plan, wanted: &Wanted, args: &Args) -> Vec<Stop> {
        let Some(build) = &wanted.build else { return Vec::new() };
        let diff = match &state.record {
            Some(record) => Some(self.diff(&self.host, state, record, build).await),
            None => None,
        };
        let at = Timestamp(self.now.as_second());
        let base_url = base_url(&build.bundle);
        let payment = &build.bundle.payment;
        let preview = self.preview_url();
        let facts = Facts {
            plan,
            max_deletions: self.target.max_deletions,
            diff: diff.as_ref(),
            sells: build.bundle.catalog.products().iter().any(|product| product.is_active(at)),
            is_loopback: is_loopback(&base_url),
            base_url: &base_url,
            is_sandbox: payment.gateway == "sandbox" && !payment.allow_sandbox_on_public_host,
            has_development_keys: std::env::var_os(keys::BUNDLE_SECRET).is_none(),
            is_hidden: wanted.is_hidden,
            preview: preview.as_deref(),
        };
        let mut stops = guard::stops(&facts);
        stops.retain(|stop| !args.allow.iter().any(|allow| allow.lets(stop.guard)));
        stops
    }

    pub(super) async fn diff(&self, host: &Host, state: &State, record: &Record, build: &Build) -> Result<Diff, String> {
        let told = |error: PublishError| error.to_string();
        let bytes = state.bundle(host, &record.bundle).await.map_err(told)?;
        let opened = Bundle::open(&bytes, &self.known, Some(&self.config.shop.id)).map_err(|error| error.to_string())?;
        let lines = host.read("_redirects").await.map_err(told)?.unwrap_or_default();
        let redirects = Redirects::read(&String::from_utf8_lossy(&lines));
        let old = Build { manifest: record.manifest(), bundle: opened.bundle, redirects };
        Ok(diff(&old, build, self.config.max_price_change, Timestamp(self.now.as_second())))
    }
}

pub(super) fn refuse(stops: &[Stop]) -> Result<(), CommandError> {
    for stop in stops {
        let word = serde_json::to_value(stop.guard).expect("a word");
        let word = word.as_str().unwrap_or_default();
        let is_final = matches!(stop.guard, Guard::DevelopmentKeys | Guard::OtherAddress);
        let way = if is_final { String::new() } else { format!("; if that is meant: --allow {word}") };
        eprintln!("error: {}{way}", stop.message);
    }
    if stops.is_empty() { Ok(()) } else { Err(CommandError::Content) }
}
