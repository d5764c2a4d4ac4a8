//! Prices: what moves between two bundles, variant by variant and market by market.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::Serialize;

use super::Build;
use crate::commerce::catalog::{Price, Product, Variant};
use crate::commerce::ids::{Sku, Timestamp};
use crate::commerce::money::{Currency, Money, Percent};

/// Which of a variant's prices it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The one that holds.
    Current,
    /// The one that holds when no sale does; told where the current one stays.
    Regular,
    /// The first one later on that moves: carts take it at its second, without another build. Told where the two others stay.
    Upcoming,
}

/// A price that moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceChange {
    /// The variant's code.
    pub sku: Sku,
    /// Its product's slug.
    pub product: String,
    /// Market id.
    pub market: String,
    /// Of both amounts.
    pub currency: Currency,
    /// Which price.
    pub kind: Kind,
    /// From when on an upcoming one differs (RFC 3339).
    pub from: Option<String>,
    /// Minor units before; `None`: it was not for sale.
    pub was_minor: Option<i64>,
    /// Minor units now; `None`: it is no longer for sale.
    pub is_minor: Option<i64>,
    /// By how much, in tenths of a percent of what it was, rounded towards zero; `None` where it was nothing.
    pub tenths_percent: Option<i64>,
    /// Whether it moves by more than the limit, is free now, or is no longer for sale.
    pub beyond: bool,
}

impl PriceChange {
    /// An amount for people.
    pub fn text(&self, minor: Option<i64>) -> String {
        minor.map_or("not for sale".to_owned(), |minor| Money::new(minor, self.currency).to_string())
    }

    /// How much it moves, for people: `+12.5 %`.
    pub fn percent_text(&self) -> String {
        let Some(tenths) = self.tenths_percent else { return String::new() };
        let sign = if tenths < 0 { '−' } else { '+' };
        format!("{sign}{}.{} %", tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10)
    }
}

/// Every price that moves, those beyond the limit first, then by the size of the move.
pub(super) fn changes(old: &Build, new: &Build, limit: Percent, at: Timestamp) -> Vec<PriceChange> {
    let sold = new.bundle.catalog.products().iter().filter(|product| product.is_active(at));
    let now: HashMap<&Sku, &Variant> =
        sold.flat_map(|product| product.variants.iter().map(|variant| (&variant.sku, variant))).collect();
    let mut changes = Vec::new();
    for market in &old.bundle.rules.markets {
        let is_same = new.bundle.rules.markets.iter().any(|other| other.id == market.id && other.currency == market.currency);
        if !is_same {
            continue;
        }
        for product in old.bundle.catalog.products().iter().filter(|product| product.is_active(at)) {
            for variant in &product.variants {
                let Some(other) = now.get(&variant.sku) else { continue };
                let (was, is) = (variant.price(market.currency), other.price(market.currency));
                let change =
                    Comparison { product, sku: &variant.sku, market: market.id.as_str(), currency: market.currency, limit };
                let then = |price: Option<&Price>, at| price.map(|price| price.at(at).unit.minor);
                let regular = |price: Option<&Price>| price.map(|price| price.unit_minor);
                let found = change
                    .of(Kind::Current, then(was, at), then(is, at))
                    .or_else(|| change.of(Kind::Regular, regular(was), regular(is)))
                    .or_else(|| {
                        let from = upcoming(was?, is?, at)?;
                        let found = change.of(Kind::Upcoming, then(was, from), then(is, from))?;
                        Some(PriceChange { from: jiff::Timestamp::from_second(from.0).ok().map(|at| at.to_string()), ..found })
                    });
                changes.extend(found);
            }
        }
    }
    let size = |change: &PriceChange| change.tenths_percent.map_or(u64::MAX, i64::unsigned_abs);
    changes.sort_by(|one: &PriceChange, other: &PriceChange| {
        let key = |change: &PriceChange| (Reverse(change.beyond), Reverse(size(change)));
        key(one).cmp(&key(other)).then_with(|| (&one.sku, &one.market).cmp(&(&other.sku, &other.market)))
    });
    changes
}

// The first instant after `at` from which on one has another price than the other.
fn upcoming(was: &Price, is: &Price, at: Timestamp) -> Option<Timestamp> {
    let next = |at: &Timestamp| [was, is].into_iter().filter_map(|price| price.next_change_at(*at)).min();
    let mut instants = std::iter::successors(next(&at), next);
    instants.find(|instant| was.at(*instant).unit != is.at(*instant).unit)
}

struct Comparison<'a> {
    product: &'a Product,
    sku: &'a Sku,
    market: &'a str,
    currency: Currency,
    limit: Percent,
}

impl Comparison<'_> {
    fn of(&self, kind: Kind, was: Option<i64>, is: Option<i64>) -> Option<PriceChange> {
        if was == is {
            return None;
        }
        let beyond = match (was, is) {
            (None, _) => false,
            (Some(_), None | Some(0)) => true,
            (Some(was), Some(is)) => {
                i128::from(is.abs_diff(was)) * 1_000_000 > i128::from(self.limit.millionths()) * i128::from(was)
            }
        };
        let tenths = |was: i64, is: i64| (i128::from(is) - i128::from(was)) * 1000 / i128::from(was);
        let moved = was.filter(|was| *was > 0).zip(is).map(|(was, is)| tenths(was, is));
        Some(PriceChange {
            sku: self.sku.clone(),
            product: self.product.slug.to_string(),
            market: self.market.to_owned(),
            currency: self.currency,
            kind,
            from: None,
            was_minor: was,
            is_minor: is,
            tenths_percent: moved.map(|tenths| i64::try_from(tenths).unwrap_or(i64::MAX)),
            beyond,
        })
    }
}
