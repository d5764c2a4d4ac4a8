//! Problems: what a shop's rules and catalogue say that cannot be meant.
//!
//! Owns    the checks for which values are enough. Whoever read the file adds where it stands there.
//! Always  all problems are told, not the first; in the order of markets, zones, promotions and products.

use std::collections::BTreeMap;

use super::ids::{MarketId, ShippingRateId, TaxClass};
use super::money::MAX_MINOR;
use super::rules::Rules;
use super::shipping::{RatePrice, ShippingRate, ShippingZone};
pub use of_catalog::CatalogProblem;
pub use of_promotions::PromotionProblem;

mod of_catalog;
mod of_promotions;

/// Something in site.toml or content/promotions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesProblem {
    /// Nothing could be sold.
    #[error("the shop has no market; add one under [[markets]]")]
    NoMarket,
    /// Carts name markets by id.
    #[error("two markets are called `{market}`; give one another id")]
    DuplicateMarket {
        /// The id.
        market: MarketId,
    },
    /// Their pages would overwrite each other.
    #[error("the market `{market}` has the prefix `{prefix}` of another market; each needs its own")]
    DuplicatePrefix {
        /// The later market.
        market: MarketId,
        /// The prefix, empty at the root.
        prefix: String,
    },
    /// There is no default destination, nor anyone to sell to.
    #[error("the market `{market}` has no countries; list at least one")]
    NoCountry {
        /// The market.
        market: MarketId,
    },
    /// Its shoppers could not be given a price.
    #[error(
        "the market `{market}` sells to {country}, which has no row in [tax] rates; add one, with a written 0 where no tax is due"
    )]
    NoTaxRate {
        /// The market.
        market: MarketId,
        /// ISO 3166-1 alpha-2.
        country: String,
    },
    /// Two rows for one place.
    #[error("[tax] rates has two rows for {place}; keep one")]
    DuplicateTaxRow {
        /// Country, or country and region.
        place: String,
    },
    /// A row lacks a class.
    #[error("the tax row of {place} has no rate for the class `{class}`; add it, with a written 0 where no tax is due")]
    NoTaxClassRate {
        /// Country, or country and region.
        place: String,
        /// The class.
        class: TaxClass,
    },
    /// Shipping is taxed by a class that does not exist.
    #[error("`shipping_class` names the tax class `{class}`, which is not in `classes`")]
    UnknownShippingClass {
        /// The class as written.
        class: TaxClass,
    },
    /// Warning: only goods without a parcel can be bought there.
    #[error("no shipping zone of the market `{market}` holds {country}; parcels cannot be ordered to it")]
    NoShippingZone {
        /// The market.
        market: MarketId,
        /// ISO 3166-1 alpha-2.
        country: String,
    },
    /// The zone's amounts would have no currency.
    #[error("the shipping zone `{zone}` belongs to the market `{market}`, which does not exist")]
    ZoneWithoutMarket {
        /// The zone.
        zone: String,
        /// As written.
        market: MarketId,
    },
    /// Warning: the second zone is never asked.
    #[error("{country} is in the shipping zones `{first}` and `{second}`; only `{first}` counts")]
    CountryInTwoZones {
        /// ISO 3166-1 alpha-2.
        country: String,
        /// The zone that counts.
        first: String,
        /// The one that does not.
        second: String,
    },
    /// Warning: nobody can choose it.
    #[error("the shipping zone `{zone}` holds {country}, which the market `{market}` does not list")]
    ZoneOutsideMarket {
        /// The zone.
        zone: String,
        /// ISO 3166-1 alpha-2.
        country: String,
        /// Its market.
        market: MarketId,
    },
    /// Checkouts name rates by id.
    #[error("two shipping rates are called `{rate}`; give one another id")]
    DuplicateRate {
        /// The id.
        rate: ShippingRateId,
    },
    /// Tiers are searched from the first.
    #[error("the tiers of the shipping rate `{rate}` must rise, and there must be one at least")]
    TiersNotRising {
        /// The rate.
        rate: ShippingRateId,
    },
    /// Outside 0 to `MAX_MINOR`.
    #[error("an amount of `{name}` is negative or larger than any price this shop can hold")]
    AmountOutOfRange {
        /// Id of the shipping rate.
        name: String,
    },
    /// A promotion.
    #[error(transparent)]
    Promotion(#[from] PromotionProblem),
}

impl RulesProblem {
    /// Whether the shop can still be built: it sells less than its owner may think, but nothing wrong.
    pub fn is_warning(&self) -> bool {
        match self {
            Self::NoShippingZone { .. } | Self::CountryInTwoZones { .. } | Self::ZoneOutsideMarket { .. } => true,
            Self::Promotion(problem) => problem.is_warning(),
            _ => false,
        }
    }
}

impl Rules {
    /// Everything that cannot be meant, in rules that were read without error.
    pub fn problems(&self) -> Vec<RulesProblem> {
        let mut found = Vec::new();
        self.market_problems(&mut found);
        self.tax_problems(&mut found);
        self.shipping_problems(&mut found);
        found.extend(self.problems_of_promotions().into_iter().map(RulesProblem::Promotion));
        found
    }

    fn market_problems(&self, found: &mut Vec<RulesProblem>) {
        if self.markets.is_empty() {
            found.push(RulesProblem::NoMarket);
        }
        for (index, market) in self.markets.iter().enumerate() {
            let id = || market.id.clone();
            let earlier = &self.markets[..index];
            if earlier.iter().any(|other| other.id == market.id) {
                found.push(RulesProblem::DuplicateMarket { market: id() });
            }
            if earlier.iter().any(|other| other.prefix == market.prefix) {
                found.push(RulesProblem::DuplicatePrefix { market: id(), prefix: market.prefix.clone() });
            }
            if market.countries.is_empty() {
                found.push(RulesProblem::NoCountry { market: id() });
            }
            for country in &market.countries {
                if self.tax.rates_at(country, None).is_none() {
                    found.push(RulesProblem::NoTaxRate { market: id(), country: country.clone() });
                }
                if super::shipping::zone_of(&self.shipping, &market.id, country).is_none() {
                    found.push(RulesProblem::NoShippingZone { market: id(), country: country.clone() });
                }
            }
        }
    }

    fn tax_problems(&self, found: &mut Vec<RulesProblem>) {
        let is_unknown = |class: &&TaxClass| !self.tax.classes.contains(class);
        if let Some(class) = self.tax.shipping_class.as_ref().filter(is_unknown) {
            found.push(RulesProblem::UnknownShippingClass { class: class.clone() });
        }
        for (index, row) in self.tax.rates.iter().enumerate() {
            let place = || row.region.as_ref().map_or(row.country.clone(), |region| format!("{}-{region}", row.country));
            let is_same = |other: &super::tax::TaxRates| other.country == row.country && other.region == row.region;
            if self.tax.rates[..index].iter().any(is_same) {
                found.push(RulesProblem::DuplicateTaxRow { place: place() });
            }
            for class in self.tax.classes.iter().filter(|class| row.percent_of(class).is_none()) {
                found.push(RulesProblem::NoTaxClassRate { place: place(), class: class.clone() });
            }
        }
    }

    fn shipping_problems(&self, found: &mut Vec<RulesProblem>) {
        let mut zone_of_country = BTreeMap::new();
        let mut rates_seen = BTreeMap::new();
        for zone in &self.shipping {
            self.zone_problems(zone, found);
            for country in &zone.countries {
                if let Some(first) = zone_of_country.insert((&zone.market, country), zone) {
                    let (first, second) = (first.id.clone(), zone.id.clone());
                    found.push(RulesProblem::CountryInTwoZones { country: country.clone(), first, second });
                }
            }
            for rate in &zone.rates {
                if rates_seen.insert(&rate.id, ()).is_some() {
                    found.push(RulesProblem::DuplicateRate { rate: rate.id.clone() });
                }
                rate_problems(rate, found);
            }
        }
    }

    fn zone_problems(&self, zone: &ShippingZone, found: &mut Vec<RulesProblem>) {
        let Some(market) = self.market(&zone.market) else {
            found.push(RulesProblem::ZoneWithoutMarket { zone: zone.id.clone(), market: zone.market.clone() });
            return;
        };
        for country in zone.countries.iter().filter(|country| !market.countries.contains(country)) {
            let (zone, market) = (zone.id.clone(), zone.market.clone());
            found.push(RulesProblem::ZoneOutsideMarket { zone, country: country.clone(), market });
        }
    }
}

fn is_amount(minor: i64) -> bool {
    (0..=MAX_MINOR).contains(&minor)
}

fn rate_problems(rate: &ShippingRate, found: &mut Vec<RulesProblem>) {
    fn rise<T: PartialOrd>(tiers: &[(T, i64)]) -> bool {
        !tiers.is_empty() && tiers.windows(2).all(|pair| pair[0].0 < pair[1].0)
    }
    let (rises, amounts): (bool, Vec<i64>) = match &rate.price {
        RatePrice::Flat { minor } => (true, vec![*minor]),
        RatePrice::Weight { tiers } => (rise(tiers), tiers.iter().map(|(_, minor)| *minor).collect()),
        RatePrice::Value { tiers } => (rise(tiers), tiers.iter().map(|(_, minor)| *minor).collect()),
    };
    if !rises {
        found.push(RulesProblem::TiersNotRising { rate: rate.id.clone() });
    }
    if !amounts.into_iter().chain(rate.free_over_minor).all(is_amount) {
        found.push(RulesProblem::AmountOutOfRange { name: rate.id.to_string() });
    }
}

#[cfg(test)]
mod tests;
