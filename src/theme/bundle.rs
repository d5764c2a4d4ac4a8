//! Bundle: the one signed file that the build hands to the edge.
//!
//! Owns    what is in it, its bytes and its signature. Public facts and the edge's own needs only, never a secret, a time or a number:
//!         the same shop gives the same bytes.

use serde::{Deserialize, Serialize};

use super::view::SiteView;
use crate::commerce::catalog::Catalog;
use crate::commerce::rules::Rules;

/// Format this binary writes and reads; another one is refused.
pub const FORMAT: u32 = 1;

/// Everything the edge knows about the shop.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bundle {
    /// Name of the shop as a key: bundles of another shop are refused.
    pub shop_id: String,
    /// `site` for the edge's own pages, one per market, same order as `rules.markets`. JSON text: `SiteView` holds free values.
    pub sites_json: Vec<String>,
    /// Markets, tax, shipping, promotions.
    pub rules: Rules,
    /// What is sold.
    pub catalog: Catalog,
    /// The site's own templates that shadow built-in ones: (name, source), sorted.
    pub templates: Vec<(String, String)>,
    /// Logical asset name → (final path, SRI integrity), sorted; for `asset()` in the edge's pages.
    pub assets: Vec<(String, String, String)>,
    /// Origins whose forms are ours (CSRF check): base URLs.
    pub origins: Vec<String>,
    /// Addresses of the pages that the law wants near the pay button: (title, path).
    pub legal_links: Vec<(String, String)>,
}

impl Bundle {
    /// `site` of each market, parsed.
    ///
    /// Errors: only for a bundle made by hand.
    pub fn sites(&self) -> Result<Vec<SiteView>, serde_json::Error> {
        self.sites_json.iter().map(|text| serde_json::from_str(text)).collect()
    }
}
