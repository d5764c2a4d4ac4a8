//! Outside: unit prices that a system beside the catalogue tells, and which of them are believed.
//!
//! Owns    what a told price is held against, and the prices of one market that a cart is priced by.
//! Always  a told price is positive, in the market's currency and within a stated factor of the catalogue's, or it is no price. Where it
//!         differs from the catalogue's nothing is struck out: what was asked before is not known of it.

use std::collections::BTreeMap;

use super::catalog::{CurrentPrice, Variant};
use super::ids::{SkuHash, Timestamp};
use super::money::{Currency, MAX_MINOR, Money};

/// What is known from outside of some SKUs in one market. What is not in it has the catalogue's price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutsidePrices {
    by_sku: BTreeMap<SkuHash, Outside>,
}

/// What is known of one SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Its price per unit, in minor units of the market's currency.
    Price(i64),
    /// Nobody tells its price, and the catalogue's is not to be charged instead: it cannot be bought now.
    Unconfirmed,
}

/// Why a told price is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceFault {
    /// It is zero or less.
    NotPositive,
    /// It is in another currency than the market's, or in none.
    ForeignCurrency,
    /// It is further from the catalogue's price than the shop believes.
    Absurd,
    /// Nothing was told of this SKU.
    Missing,
    /// Two prices were told of it.
    Doubled,
}

impl PriceFault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::NotPositive, Self::ForeignCurrency, Self::Absurd, Self::Missing, Self::Doubled];

    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotPositive => "not_positive",
            Self::ForeignCurrency => "foreign_currency",
            Self::Absurd => "absurd",
            Self::Missing => "missing",
            Self::Doubled => "doubled",
        }
    }
}

/// Holds a told price against the catalogue's.
///
/// Shape: the price in minor units. `max_factor`: how many times the catalogue's price it may be, and how small a part of it.
/// Errors: why it is no price.
pub fn believed(told: Money, catalogue: Money, max_factor: u32) -> Result<i64, PriceFault> {
    if told.currency != catalogue.currency {
        return Err(PriceFault::ForeignCurrency);
    }
    if told.minor <= 0 {
        return Err(PriceFault::NotPositive);
    }
    let (told, known, factor) = (i128::from(told.minor), i128::from(catalogue.minor), i128::from(max_factor));
    let is_near = told <= known * factor && told * factor >= known && told <= i128::from(MAX_MINOR);
    match i64::try_from(told) {
        Ok(minor) if is_near => Ok(minor),
        _ => Err(PriceFault::Absurd),
    }
}

impl OutsidePrices {
    /// Nobody tells anything.
    pub const NONE: Self = Self { by_sku: BTreeMap::new() };

    /// What is known of these.
    pub fn of(known: impl IntoIterator<Item = (SkuHash, Outside)>) -> Self {
        Self { by_sku: known.into_iter().collect() }
    }

    /// The price that holds at an instant in the market's currency; `None`: the catalogue does not sell it in that currency.
    pub fn current_price(&self, variant: &Variant, currency: Currency, at: Timestamp) -> Option<CurrentPrice> {
        let written = variant.current_price(currency, at)?;
        if self.by_sku.is_empty() {
            return Some(written);
        }
        Some(match self.by_sku.get(&variant.sku.hash()) {
            Some(Outside::Price(minor)) if *minor != written.unit.minor => {
                let unit = Money::new(*minor, currency);
                CurrentPrice { unit, compare_at: None, is_lowest: false, until: None, until_offset_minutes: 0 }
            }
            _ => written,
        })
    }

    /// Whether it cannot be bought since nobody tells its price.
    pub fn is_unconfirmed(&self, sku: SkuHash) -> bool {
        self.by_sku.get(&sku) == Some(&Outside::Unconfirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::{NOW, euro, variant};

    fn check(told: i64, catalogue: i64, expected: Result<i64, PriceFault>) {
        let euros = |minor| Money::new(minor, euro());
        assert_eq!(believed(euros(told), euros(catalogue), 4), expected, "{told} beside {catalogue}");
    }

    #[test]
    fn what_is_absurd_negative_or_foreign_is_no_price() {
        check(1990, 1990, Ok(1990));
        check(1, 4, Ok(1));
        check(1, 5, Err(PriceFault::Absurd));
        check(7960, 1990, Ok(7960));
        check(7961, 1990, Err(PriceFault::Absurd));
        check(498, 1990, Ok(498));
        check(497, 1990, Err(PriceFault::Absurd));
        check(0, 1990, Err(PriceFault::NotPositive));
        check(-1990, 1990, Err(PriceFault::NotPositive));
        check(i64::MAX, i64::MAX / 2, Err(PriceFault::Absurd));
        check(i64::MIN, 1, Err(PriceFault::NotPositive));
        let dollars = Money::new(1990, Currency::from_code("USD").expect("a currency"));
        assert_eq!(believed(dollars, Money::new(1990, euro()), 4), Err(PriceFault::ForeignCurrency));
    }

    #[test]
    fn what_is_struck_out_stays_only_beside_the_catalogues_own_price() {
        let mut lamp = variant("LAMP", 1990);
        lamp.prices[0].compare_at_minor = Some(2990);
        let at = |known| OutsidePrices::of([(lamp.sku.hash(), known)]).current_price(&lamp, euro(), NOW).expect("it is sold");
        let (same, other) = (at(Outside::Price(1990)), at(Outside::Price(1500)));
        assert_eq!((same.unit.minor, same.compare_at.map(|money| money.minor)), (1990, Some(2990)));
        assert_eq!((other.unit.minor, other.compare_at), (1500, None));
        assert_eq!(at(Outside::Unconfirmed), same, "it is shown as the page shows it, and not sold");
    }
}
