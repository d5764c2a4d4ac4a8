//! Shipping: which rates serve a destination, and what each costs for a parcel.
//!
//! Owns    zones, rates and the arithmetic of tiers. A parcel is what `pricing` says it is: weight and value after discounts.

use serde::{Deserialize, Serialize};

use super::ids::{MarketId, ShippingRateId};

/// Countries served alike, in one market's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingZone {
    /// Its name in site.toml.
    pub id: String,
    /// What people read.
    pub name: String,
    /// Whose currency the amounts are in.
    pub market: MarketId,
    /// ISO 3166-1 alpha-2.
    pub countries: Vec<String>,
    /// In the order they are offered.
    pub rates: Vec<ShippingRate>,
}

/// One way to send a parcel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingRate {
    /// Unique within the shop.
    pub id: ShippingRateId,
    /// What people read.
    pub name: String,
    /// Such as `2–3 working days`.
    pub delivery: Option<String>,
    /// Working days from the house to the door, from and to.
    #[serde(default)]
    pub transit_days: Option<[u8; 2]>,
    /// How the price is found.
    pub price: RatePrice,
    /// Free when the goods, after discounts, are worth at least that (minor units).
    pub free_over_minor: Option<i64>,
}

/// How a rate's price is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RatePrice {
    /// Always the same, in minor units.
    Flat {
        /// Minor units.
        minor: i64,
    },
    /// By the parcel's weight; the first tier that is not exceeded. Heavier than the last: not offered.
    Weight {
        /// (at most grams, minor units), rising.
        tiers: Vec<(u32, i64)>,
    },
    /// By the goods' value after discounts; the first tier that is not exceeded. Dearer than the last: the last one's price.
    Value {
        /// (at most minor units of goods, minor units), rising.
        tiers: Vec<(i64, i64)>,
    },
}

/// What a rate's price depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Grams of all lines that need a parcel.
    pub weight_g: u64,
    /// The goods' value after discounts, minor units.
    pub goods_minor: i64,
}

impl ShippingRate {
    /// What the rate costs for a parcel, in minor units; `None`: not offered for it.
    pub fn price_minor(&self, parcel: Parcel) -> Option<i64> {
        let price = match &self.price {
            RatePrice::Flat { minor } => Some(*minor),
            RatePrice::Weight { tiers } => {
                tiers.iter().find(|(most_g, _)| parcel.weight_g <= u64::from(*most_g)).map(|(_, minor)| *minor)
            }
            RatePrice::Value { tiers } => {
                tiers.iter().find(|(most, _)| parcel.goods_minor <= *most).or(tiers.last()).map(|(_, minor)| *minor)
            }
        }?;
        let is_free = self.free_over_minor.is_some_and(|least| parcel.goods_minor >= least);
        Some(if is_free { 0 } else { price })
    }
}

/// The zone that serves a country in a market: the first that holds it.
pub fn zone_of<'a>(zones: &'a [ShippingZone], market: &MarketId, country: &str) -> Option<&'a ShippingZone> {
    zones.iter().find(|zone| zone.market == *market && zone.countries.iter().any(|held| held == country))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::flat;

    #[track_caller]
    fn check(price: &RatePrice, free_over_minor: Option<i64>, parcel: (u64, i64), expected: Option<i64>) {
        let rate = ShippingRate { price: price.clone(), free_over_minor, ..flat("rate", 0) };
        let (weight_g, goods_minor) = parcel;
        assert_eq!(rate.price_minor(Parcel { weight_g, goods_minor }), expected, "{parcel:?}");
    }

    #[test]
    fn a_flat_rate_is_free_from_its_limit_on() {
        let price = RatePrice::Flat { minor: 490 };
        check(&price, None, (0, 1_000_000), Some(490));
        check(&price, Some(5000), (0, 4999), Some(490));
        check(&price, Some(5000), (0, 5000), Some(0));
    }

    #[test]
    fn weight_takes_the_first_tier_that_is_not_exceeded() {
        let price = RatePrice::Weight { tiers: vec![(1000, 790), (5000, 1190)] };
        for (weight, expected) in [(0, Some(790)), (1000, Some(790)), (1001, Some(1190)), (5000, Some(1190)), (5001, None)] {
            check(&price, None, (weight, 0), expected);
        }
        check(&price, Some(0), (5001, 0), None);
        check(&price, Some(0), (5000, 0), Some(0));
        check(&RatePrice::Weight { tiers: Vec::new() }, None, (0, 0), None);
    }

    #[test]
    fn value_above_the_last_tier_costs_what_the_last_one_does() {
        let price = RatePrice::Value { tiers: vec![(5000, 1490), (20_000, 1990)] };
        for (goods, expected) in [(0, 1490), (5000, 1490), (5001, 1990), (20_001, 1990)] {
            check(&price, None, (0, goods), Some(expected));
        }
        check(&RatePrice::Value { tiers: Vec::new() }, None, (0, 0), None);
    }

    #[test]
    fn the_first_zone_of_the_market_that_holds_the_country_serves_it() {
        let zone = |id: &str, market: &str, country: &str| ShippingZone {
            id: id.into(),
            name: id.into(),
            market: market.into(),
            countries: vec![country.into()],
            rates: Vec::new(),
        };
        let zones = [zone("a", "us", "DE"), zone("b", "eu", "DE"), zone("c", "eu", "DE"), zone("d", "eu", "AT")];
        let found = |country: &str| zone_of(&zones, &"eu".into(), country).map(|zone| zone.id.as_str());
        assert_eq!((found("DE"), found("AT"), found("FR")), (Some("b"), Some("d"), None));
    }
}
