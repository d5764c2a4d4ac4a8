//! Prices: what front matter says of a product's price, or of a variant's → prices in every currency.
//!
//! Always  `compare_at` and `sales` are in the root market's currency, whichever key gives the price in it; what reduces nothing is told.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::written::{Amount, Place, offset_minutes};
use crate::commerce::catalog::{Price, SaleWindow};
use crate::commerce::money::Currency;
use crate::site::problem::Problems;

/// The keys that say a price.
#[derive(Clone, Default)]
pub(super) struct WrittenPrices {
    /// In the root market's currency.
    pub(super) price: Option<Spanned<Amount>>,
    /// What it is reduced from.
    pub(super) compare_at: Option<Spanned<Amount>>,
    /// By the code of a currency.
    pub(super) prices: BTreeMap<String, Spanned<Amount>>,
    /// What it is reduced to for a while.
    pub(super) sales: Vec<WrittenSale>,
}

/// A lower price for a while.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSale {
    price: Spanned<Amount>,
    from: Option<Spanned<String>>,
    until: Option<Spanned<String>>,
}

impl WrittenPrices {
    /// Those of a variant, with what its product says for all. A price of its own is not reduced by another's.
    pub(super) fn over(self, shared: &Self, root: Currency) -> Self {
        let own_price = self.is_priced(root);
        let mut prices = if self.prices.is_empty() { shared.prices.clone() } else { self.prices.clone() };
        if self.price.is_some() && self.prices.is_empty() {
            prices.remove(root.code());
        }
        Self {
            price: self.price.or_else(|| shared.price.clone().filter(|_| !own_price)),
            compare_at: self.compare_at.or_else(|| shared.compare_at.clone().filter(|_| !own_price)),
            prices,
            sales: if self.sales.is_empty() && !own_price { shared.sales.clone() } else { self.sales },
        }
    }

    /// Tells what a product says of its price and no variant takes, since each has a price of its own.
    pub(super) fn tell_unused(
        &self,
        mut variants: impl Iterator<Item = Self>,
        root: Currency,
        place: Place<'_>,
        problems: &mut Problems,
    ) {
        if variants.any(|variant| !variant.is_priced(root)) {
            return;
        }
        for reduced in self.reductions() {
            let problem = place.problem(reduced, "every variant has a price of its own, which this does not reduce");
            problems.push(problem.hint("write it in the variants that it is meant for"));
        }
    }

    /// The prices, sorted by currency.
    pub(super) fn read(&self, root: Currency, place: Place<'_>, problems: &mut Problems) -> Vec<Price> {
        let mut prices = Vec::new();
        if let Some(price) = &self.price {
            prices.extend(self.price(price, root, place, problems));
        }
        for (code, amount) in &self.prices {
            match Currency::from_code(code) {
                Some(currency) if currency != root => {
                    let minor = place.minor(amount, currency, problems);
                    prices.extend(minor.map(|unit_minor| Price {
                        currency,
                        unit_minor,
                        compare_at_minor: None,
                        sales: Vec::new(),
                        prior: Box::default(),
                    }));
                }
                Some(_) if self.price.is_some() => {
                    problems.push(place.problem(amount, format!("`price` is the price in {code} already")).hint("keep one"));
                }
                Some(_) => prices.extend(self.price(amount, root, place, problems)),
                None => problems.push(place.problem(amount, format!("`{code}` is not a currency of ISO 4217"))),
            }
        }
        if !self.is_priced(root) {
            for reduced in self.reductions() {
                let problem = place.problem(reduced, format!("there is no price in {root} which this reduces"));
                let hint = format!("write `price`: sales and struck-out prices are in {root}, the first market's currency");
                problems.push(problem.hint(hint));
            }
        }
        prices.sort_by_key(|price| price.currency);
        prices
    }

    fn is_priced(&self, root: Currency) -> bool {
        self.price.is_some() || self.prices.contains_key(root.code())
    }

    fn reductions(&self) -> impl Iterator<Item = &Spanned<Amount>> {
        self.compare_at.iter().chain(self.sales.first().map(|sale| &sale.price))
    }

    fn price(&self, price: &Spanned<Amount>, currency: Currency, place: Place<'_>, problems: &mut Problems) -> Option<Price> {
        let unit_minor = place.minor(price, currency, problems)?;
        let compare_at_minor = self.compare_at.as_ref().and_then(|struck| {
            let minor = place.minor(struck, currency, problems)?;
            if minor <= unit_minor {
                let problem = place.problem(struck, "the struck-out price is not above the price");
                problems.push(problem.hint("write the higher price, or take `compare_at` out"));
            }
            Some(minor)
        });
        let mut sales = Vec::new();
        for sale in &self.sales {
            let Some(price_minor) = place.minor(&sale.price, currency, problems) else { continue };
            if price_minor >= unit_minor {
                let problem = place.problem(&sale.price, "the sale's price is not below the price");
                problems.push(problem.hint("write the lower price, or take the sale out"));
            }
            let from = sale.from.as_ref().and_then(|text| place.instant(text, problems));
            let until = sale.until.as_ref().and_then(|text| place.instant(text, problems));
            let until_offset_minutes = sale.until.as_ref().map_or(0, |text| offset_minutes(text.get_ref()));
            sales.push(SaleWindow { price_minor, from, until, until_offset_minutes });
        }
        sales.sort_by_key(|sale| (sale.from, sale.until));
        Some(Price { currency, unit_minor, compare_at_minor, sales, prior: Box::default() })
    }
}
