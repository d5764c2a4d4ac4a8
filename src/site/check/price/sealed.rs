//! Sealed: the bundle's written bytes held against the till, which was opened from them by the code that wrote them.

use super::{Charged, Till};
use crate::site::check::bundle::{Product, Sealed};
use crate::site::check::{Finding, Findings};
use crate::site::problem::Kind;

const HINT: &str = "the file and the program that opens it disagree about what it says; build again with this version";

impl Till<'_> {
    /// Holds what the bundle's bytes ask for every SKU against what a cart would charge; gives how many prices were compared. `shown`:
    /// the bundle's name.
    pub(in crate::site::check) fn sealed(&self, shown: &str, sealed: &Sealed<'_>, found: &mut Findings) -> usize {
        let opened = self.bundle.rules.markets.iter().map(|market| (market.id.as_str(), market.currency.code()));
        if !opened.eq(sealed.markets.iter().map(|market| (market.id, market.currency))) {
            found.add(Finding::new(Kind::Price, format!("{shown} names other markets than those that carts know")).hint(HINT));
            return 0;
        }
        let mut compared = 0;
        for (index, product) in sealed.products.iter().enumerate() {
            if !self.is_same(index, product) {
                let message = format!("{shown} holds `{}` with other variants than carts know", product.slug);
                found.add(Finding::new(Kind::Price, message).hint(HINT).needle(product.slug));
                return compared;
            }
            for market in 0..sealed.markets.len() {
                compared += self.asked(shown, market, index, product, found);
            }
        }
        if sealed.products.len() != self.bundle.catalog.products().len() {
            found.add(Finding::new(Kind::Price, format!("{shown} holds fewer products than carts know")).hint(HINT));
        }
        compared
    }

    fn is_same(&self, index: usize, product: &Product<'_>) -> bool {
        self.bundle.catalog.products().get(index).is_some_and(|opened| {
            let skus = opened.variants.iter().map(|variant| variant.sku.as_str());
            opened.slug.as_str() == product.slug && skus.eq(product.variants.iter().map(|variant| variant.sku))
        })
    }

    fn asked(&self, shown: &str, market: usize, index: usize, product: &Product<'_>, found: &mut Findings) -> usize {
        let drawer = &self.markets[market];
        let named = |price: Option<Charged>| match price {
            None => "nothing".to_owned(),
            Some(Charged { unit_minor, compare_minor: None }) => drawer.signs.named(unit_minor),
            Some(Charged { unit_minor, compare_minor: Some(struck) }) => {
                format!("{} instead of {}", drawer.signs.named(unit_minor), drawer.signs.named(struck))
            }
        };
        for (variant, charged) in product.variants.iter().zip(&drawer.charged[index]) {
            let asked = variant.asked(drawer.market.currency.code(), self.at.0).filter(|_| product.is_sold(self.at.0));
            let asked = asked.map(|(unit_minor, compare_minor)| Charged { unit_minor, compare_minor });
            if asked != *charged {
                let message =
                    format!("{shown} asks {} for `{}`, a cart would charge {}", named(asked), variant.sku, named(*charged));
                found.add(Finding::new(Kind::Price, message).hint(HINT).needle(variant.sku));
            }
        }
        product.variants.len()
    }
}
