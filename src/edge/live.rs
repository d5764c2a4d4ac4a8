//! Live: the bundle that is served now, with what is derived from it once.
//!
//! Always  made whole or not at all; a bundle that cannot be served never replaces one that can.

use std::sync::Arc;

use super::front::Front;
use crate::commerce::ids::MarketId;
use crate::commerce::rules::Market;
use crate::theme::bundle::{Bundle, Opened};
use crate::theme::engine::{Asset, Engine};
use crate::theme::view::SiteView;

/// A bundle in service.
#[derive(Debug)]
pub struct Live {
    /// The bundle.
    pub bundle: Bundle,
    /// Its name: BLAKE3 in hex.
    pub hash: String,
    /// Counts the bundles that were live here, strictly rising.
    pub sequence: u64,
    /// `site` per market, same order as `rules.markets`.
    pub sites: Vec<SiteView>,
    /// `site` per market, ready to print.
    pub site_values: Vec<tera::Value>,
    /// The edge's pages.
    pub engine: Engine,
    /// What stands before the edge.
    pub front: Front,
    /// Whether the shop is on https: then cookies are `__Host-` and `Secure`.
    pub secure: bool,
}

/// Why a bundle cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// No market, or `site` values that do not match the markets.
    #[error("the bundle does not hold together ({reason}); build it again with this version")]
    Broken {
        /// What does not fit.
        reason: String,
    },
    /// A template of the shop that cannot be understood.
    #[error("{template}:{line}: {message}")]
    Template {
        /// Its name.
        template: String,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Development keys on a public address.
    #[error(
        "this shop's base URL is {base_url}, but the keys are the development keys in .vitrine/: \
         make keys with `vitrine keygen` and set them in the environment"
    )]
    DevelopmentKeys {
        /// Where the shop says it is.
        base_url: String,
    },
}

impl Live {
    /// Derives what the edge needs. `development_keys`: whether the keys in use were made in `.vitrine/`.
    pub fn new(opened: Opened, sequence: u64, development_keys: bool) -> Result<Self, LiveError> {
        let broken = |reason: &str| LiveError::Broken { reason: reason.to_owned() };
        let Opened { bundle, hash } = opened;
        let sites = bundle.sites().map_err(|error| broken(&error.to_string()))?;
        if bundle.rules.markets.is_empty() || sites.len() != bundle.rules.markets.len() {
            return Err(broken("its markets and its pages differ in number"));
        }
        let base_url = &sites[0].base_url;
        if development_keys && !is_loopback(base_url) {
            return Err(LiveError::DevelopmentKeys { base_url: base_url.clone() });
        }
        let secure = base_url.starts_with("https://");
        let engine = engine(&bundle)?;
        let front = Front::of(&bundle.front).map_err(|reason| broken(&reason))?;
        let site_values = sites.iter().map(tera::Value::from_serializable).collect();
        Ok(Self { bundle, hash, sequence, sites, site_values, engine, front, secure })
    }

    /// A market by name with its `site`; the root market where the name is unknown.
    pub fn market(&self, id: &MarketId) -> (&Market, &SiteView) {
        let index = self.market_index(id);
        (&self.bundle.rules.markets[index], &self.sites[index])
    }

    /// `site` that speaks a language, of that market where it does.
    pub fn speaking(&self, language: &str, market: &MarketId) -> &SiteView {
        let (_, own) = self.market(market);
        if own.language == language { own } else { self.sites.iter().find(|site| site.language == language).unwrap_or(own) }
    }

    /// `site` of a market, ready to print.
    pub fn site_value(&self, id: &MarketId) -> tera::Value {
        self.site_values[self.market_index(id)].clone()
    }

    /// The `site` that speaks a language, ready to print.
    pub fn speaking_value(&self, language: &str, market: &MarketId) -> tera::Value {
        let speaking = self.speaking(language, market);
        let index = self.sites.iter().position(|site| std::ptr::eq(site, speaking)).unwrap_or(0);
        self.site_values[index].clone()
    }

    fn market_index(&self, id: &MarketId) -> usize {
        self.bundle.rules.markets.iter().position(|market| market.id == *id).unwrap_or(0)
    }
}

fn engine(bundle: &Bundle) -> Result<Engine, LiveError> {
    let assets = bundle.assets.iter().map(|(path, url, integrity)| {
        let asset = Asset { url: url.clone(), integrity: integrity.clone() };
        (path.clone(), asset)
    });
    Engine::new(&bundle.templates, Arc::new(assets.collect())).map_err(|error| LiveError::Template {
        template: error.template,
        line: error.line,
        message: error.message,
    })
}

/// Whether an origin can only be reached from this machine.
pub fn is_loopback(base_url: &str) -> bool {
    let Ok(uri) = base_url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or("").trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_is_told_from_the_world() {
        for ours in ["http://127.0.0.1:8080", "http://localhost", "https://[::1]:8443"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for public in ["https://shop.example", "http://127.0.0.1.example", "http://10.0.0.1", "localhost.example", ""] {
            assert!(!is_loopback(public), "{public}");
        }
    }
}
