//! Diff: what a build would change beside an earlier one, before anybody sees it.
//!
//! Owns    which changes of prices, products, addresses and files there are, and which of them stop a publication until somebody says
//!         that they are meant.
//! Knows   two manifests and two opened bundles; no page is read. Prices are those of the bundles, at one instant for both, so that a
//!         sale that begins or ends by its dates is no change.
//! Always  pure, exact (no floats), and in one order for the same two builds.

mod files;
mod prices;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::files::{FileChanges, Growth};
pub use self::prices::{Kind, PriceChange};

use super::check::page_address;
use super::check::redirects::Redirects;
use super::manifest::Manifest;
use crate::commerce::catalog::Product;
use crate::commerce::ids::{Sku, Slug, Timestamp};
use crate::commerce::money::Percent;
use crate::theme::bundle::Bundle;

/// A finished build.
#[derive(Debug)]
pub struct Build {
    /// Its files.
    pub manifest: Manifest,
    /// What it sells, opened and proven.
    pub bundle: Bundle,
    /// Its `_redirects`.
    pub redirects: Redirects,
}

/// What two builds differ in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// Prices that move: those beyond the limit first, then the largest moves.
    pub prices: Vec<PriceChange>,
    /// Markets that are gone or have another currency.
    pub markets: Vec<MarketChange>,
    /// Products that begin to be sold, by slug.
    pub products_new: Vec<String>,
    /// Products that are no longer sold, by slug.
    pub products_gone: Vec<String>,
    /// Variants that appear on products that stay.
    pub variants_new: Vec<VariantChange>,
    /// Variants that are gone from products that stay.
    pub variants_gone: Vec<VariantChange>,
    /// Products that are taxed by another class.
    pub tax_classes: Vec<TaxClassChange>,
    /// Addresses of products at which no page stands any more.
    pub addresses_gone: Vec<GoneAddress>,
    /// Files by their kind.
    pub files: BTreeMap<&'static str, FileChanges>,
    /// Files that grew most.
    pub growth: Vec<Growth>,
    /// Whether nothing is sold any more.
    pub is_empty_shop: bool,
}

/// A market that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MarketChange {
    /// Its id.
    pub market: String,
    /// Its currency before.
    pub currency_was: String,
    /// Its currency now; `None`: there is no such market.
    pub currency_is: Option<String>,
}

/// A variant that came or went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VariantChange {
    /// Its product's slug.
    pub product: String,
    /// Its code.
    pub sku: Sku,
}

/// A product whose tax class changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaxClassChange {
    /// Its slug.
    pub product: String,
    /// Before.
    pub was: String,
    /// Now.
    pub is: String,
}

/// An address that people and crawlers know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GoneAddress {
    /// From the root.
    pub address: String,
    /// Where it leads now; `None`: nowhere.
    pub moved_to: Option<String>,
}

/// What is sold, by slug.
type Sold<'a> = BTreeMap<&'a Slug, &'a Product>;

/// Compares an earlier build with a later one; both as of one instant. A price that moves by more than `limit` stops.
pub fn diff(old: &Build, new: &Build, limit: Percent, at: Timestamp) -> Diff {
    let (was, is) = (sold(old, at), sold(new, at));
    let (files, growth) = files::changes(&old.manifest, &new.manifest);
    let mut diff = Diff {
        prices: prices::changes(old, new, limit, at),
        markets: markets(old, new),
        products_new: is.keys().filter(|slug| !was.contains_key(*slug)).map(ToString::to_string).collect(),
        products_gone: was.keys().filter(|slug| !is.contains_key(*slug)).map(ToString::to_string).collect(),
        variants_new: variants(&is, &was),
        variants_gone: variants(&was, &is),
        tax_classes: Vec::new(),
        addresses_gone: addresses(old, new),
        files,
        growth,
        is_empty_shop: is.is_empty() && !was.is_empty(),
    };
    for (slug, product) in &was {
        if let Some(now) = is.get(slug).filter(|now| now.tax_class != product.tax_class) {
            let (was, is) = (product.tax_class.to_string(), now.tax_class.to_string());
            diff.tax_classes.push(TaxClassChange { product: slug.to_string(), was, is });
        }
    }
    diff
}

impl Diff {
    /// Why this should not be published before somebody has looked at it, each in a few words; none: go on.
    pub fn stops(&self) -> Vec<String> {
        let some = |count: usize, one: &str, many: &str| {
            (count > 0).then(|| if count == 1 { format!("1 {one}") } else { format!("{count} {many}") })
        };
        let beyond = self.prices.iter().filter(|change| change.beyond).count();
        let gone = self.addresses_gone.iter().filter(|gone| gone.moved_to.is_none()).count();
        [
            self.is_empty_shop.then(|| "nothing is sold any more".to_owned()),
            some(self.markets.len(), "market is gone or has another currency", "markets are gone or have another currency"),
            some(beyond, "price moves beyond the limit", "prices move beyond the limit"),
            some(gone, "product is gone without a redirect", "products are gone without a redirect"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn sold(build: &Build, at: Timestamp) -> Sold<'_> {
    let products = build.bundle.catalog.products().iter().filter(|product| product.is_active(at));
    products.map(|product| (&product.slug, product)).collect()
}

fn markets(old: &Build, new: &Build) -> Vec<MarketChange> {
    let now = |id: &str| new.bundle.rules.markets.iter().find(|market| market.id.as_str() == id);
    let mut changes = Vec::new();
    for market in &old.bundle.rules.markets {
        let currency_is = now(market.id.as_str()).map(|now| now.currency.code().to_owned());
        let currency_was = market.currency.code().to_owned();
        if currency_is.as_ref() != Some(&currency_was) {
            changes.push(MarketChange { market: market.id.to_string(), currency_was, currency_is });
        }
    }
    changes
}

// Variants of `these` that the same products have not among `those`.
fn variants(these: &Sold, those: &Sold) -> Vec<VariantChange> {
    let mut changes = Vec::new();
    for (slug, product) in these {
        let Some(other) = those.get(slug) else { continue };
        let lacks = |sku: &Sku| other.variants.iter().all(|variant| variant.sku != *sku);
        let lacking = product.variants.iter().filter(|variant| lacks(&variant.sku));
        changes.extend(lacking.map(|variant| VariantChange { product: slug.to_string(), sku: variant.sku.clone() }));
    }
    changes
}

// Pages of products that stood in the old build and do not in the new one, or that send their visitors on now.
fn addresses(old: &Build, new: &Build) -> Vec<GoneAddress> {
    let prefixes = old.bundle.rules.markets.iter().map(|market| match market.prefix.as_str() {
        "" => "/products/".to_owned(),
        prefix => format!("/{prefix}/products/"),
    });
    let prefixes: Vec<String> = prefixes.collect();
    let is_product = |address: &str| {
        let mut below = prefixes.iter().filter_map(|prefix| address.strip_prefix(prefix.as_str()));
        below.any(|slug| !slug.contains('/'))
    };
    let mut gone = Vec::new();
    for path in old.manifest.files.keys() {
        let Some(address) = page_address(path).filter(|address| is_product(address)) else { continue };
        if old.redirects.to.contains_key(&address) {
            continue;
        }
        let moved_to = new.redirects.to.get(&address).cloned();
        if moved_to.is_some() || !new.manifest.files.contains_key(path) {
            gone.push(GoneAddress { address, moved_to });
        }
    }
    gone
}
