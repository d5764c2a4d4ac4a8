//! Feed: prices in files that are no pages held against the till, and what a market's product feed leaves out.

use std::collections::{BTreeSet, HashMap};

use super::{HINT, Scale, Stated, Till};
use crate::commerce::catalog::{Catalog, Image};
use crate::commerce::ids::Sku;
use crate::commerce::rules::Market;
use crate::site::check::{Finding, Findings};
use crate::site::problem::Kind;

/// Characters that an item's name may have in a product feed (Google's product data specification, `id`).
const MAX_NAME: usize = 50;
/// What a longer SKU keeps of itself; a hyphen and the start of its hash follow.
const KEPT: usize = 33;
/// Hex digits of BLAKE3.
const HASH_DIGITS: usize = 16;

/// SKUs that are too long for product feeds, by the names they have there.
pub(super) fn long_names(catalog: &Catalog) -> HashMap<String, &Sku> {
    let skus = catalog.products().iter().flat_map(|product| &product.variants).map(|variant| &variant.sku);
    skus.filter_map(|sku| Some((short_name(sku.as_str())?, sku))).collect()
}

// `None`: it is short enough as it is.
fn short_name(sku: &str) -> Option<String> {
    sku.char_indices().nth(MAX_NAME)?;
    let (kept, _) = sku.char_indices().nth(KEPT)?;
    let hash = blake3::hash(sku.as_bytes());
    Some(format!("{}-{}", &sku[..kept], &hash.to_hex()[..HASH_DIGITS]))
}

impl Till<'_> {
    /// Holds a price of a file that is no page against a market: the one whose feed it is, else the first with its currency.
    pub(in crate::site::check) fn file(&self, market: Option<usize>, stated: &Stated, found: &mut Findings) -> usize {
        let of_currency = |market: &Market| market.currency.code() == stated.currency;
        let market = market.or_else(|| self.bundle.rules.markets.iter().position(of_currency));
        let Some(drawer) = market.and_then(|index| self.markets.get(index)) else {
            let message = format!(
                "{} says {} {} for `{}`, and no market has that currency",
                stated.place, stated.price, stated.currency, stated.sku
            );
            found.add(Finding::new(Kind::Price, message).hint(HINT).needle(&stated.sku));
            return 1;
        };
        let mut scale = Scale { till: self, drawer, found, compared: 0 };
        scale.stated(stated);
        scale.compared
    }

    /// Tells what can be bought in a market, has a page and a picture there, and stands not in its product feed. `stated`: names of the
    /// feed's items that state a price; `is_there`: whether a picture is where its address leads.
    ///
    /// Nothing is offered for nothing and nothing without a picture: feeds take neither.
    pub(in crate::site::check) fn feed_lacks(
        &self,
        market: usize,
        path: &str,
        stated: &BTreeSet<String>,
        is_there: impl Fn(&str) -> bool,
        found: &mut Findings,
    ) {
        let Some(drawer) = self.markets.get(market) else { return };
        let stated: BTreeSet<(usize, usize)> = stated.iter().filter_map(|name| self.place(name)).collect();
        let places: BTreeSet<usize> = drawer.by_address.values().copied().collect();
        for product in places {
            let sold = &self.bundle.catalog.products()[product];
            for (index, variant) in sold.variants.iter().enumerate() {
                let is_sold = drawer.charged[product][index].is_some_and(|charged| charged.unit_minor > 0);
                let mut pictures = variant.image.as_deref().into_iter().chain(&sold.image);
                let mut has_picture = || pictures.any(|Image { url, .. }| is_there(url));
                if is_sold && !stated.contains(&(product, index)) && has_picture() {
                    let message = format!("{path} does not offer `{}`, which can be bought", variant.sku);
                    found.add(Finding::new(Kind::Price, message).hint("build again").needle(variant.sku.as_str()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_those_of_the_feed() {
        assert_eq!(short_name(&"ä".repeat(50)), None);
        let name = short_name(&"ä".repeat(51)).expect("it is too long");
        assert!(name.starts_with(&"ä".repeat(33)) && name.chars().count() == 50, "{name}");
        let written = crate::site::render::feeds::google::id(&Sku::from("ä".repeat(51)));
        assert_eq!(name, written, "the writer's own name");
    }
}
