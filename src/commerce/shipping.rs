//! Shipping: which rates serve a destination, and what each costs for a cart.

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
