//! Problems: what a shop's rules and catalogue say that cannot be meant.
//!
//! Owns    the checks for which values are enough. Whoever read the file adds where it stands there.
//! Always  all problems are told, not the first; in the order of markets, zones, promotions and products.

use std::collections::BTreeMap;

use super::cart::{MAX_PROPERTIES, MAX_PROPERTY_BYTES, MAX_PROPERTY_KEY_BYTES, MAX_QUANTITY};
use super::catalog::{Catalog, Price, Product};
use super::ids::{CategoryPath, CouponCode, MarketId, ShippingRateId, Sku, Slug, TaxClass};
use super::money::{Currency, MAX_MINOR};
use super::promotion::{Benefit, Promotion};
use super::rules::Rules;
use super::shipping::{RatePrice, ShippingRate, ShippingZone};

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
        /// Id of the shipping rate or promotion.
        name: String,
    },
    /// Only the first would ever be found.
    #[error("the promotions `{first}` and `{second}` have the same code `{code}`; give one another code")]
    DuplicateCode {
        /// The code.
        code: CouponCode,
        /// Id of the one that would count.
        first: String,
        /// Id of the other.
        second: String,
    },
    /// Nobody could type it.
    #[error("the code of the promotion `{promotion}` is blank, or longer than a cart can hold")]
    BadCode {
        /// Its id.
        promotion: String,
    },
    /// Warning: it never holds.
    #[error("the promotion `{promotion}` ends before it starts")]
    NeverHolds {
        /// Its id.
        promotion: String,
    },
    /// It names a market that does not exist.
    #[error("the promotion `{promotion}` names the market `{market}`, which does not exist")]
    PromotionWithoutMarket {
        /// Its id.
        promotion: String,
        /// As written.
        market: MarketId,
    },
    /// Warning: a misspelt class joins nothing.
    #[error("the promotion `{promotion}` combines with the class `{class}`, which no other promotion has")]
    JoinsNothing {
        /// Its id.
        promotion: String,
        /// As written.
        class: String,
    },
}

/// Something in the products or categories.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogProblem {
    /// Nothing to buy.
    #[error("the product `{product}` has no variant")]
    NoVariant {
        /// Its slug.
        product: Slug,
    },
    /// Not one value per option, or a value that the option does not have.
    #[error("`{sku}` does not choose one value of every option of `{product}`")]
    WrongOptions {
        /// Its product.
        product: Slug,
        /// The variant.
        sku: Sku,
    },
    /// The shopper could not tell them apart.
    #[error("`{first}` and `{second}` have the same option values")]
    SameOptions {
        /// One.
        first: Sku,
        /// The other.
        second: Sku,
    },
    /// It could not be priced.
    #[error("the product `{product}` has the tax class `{class}`, which is not in [tax] classes")]
    UnknownTaxClass {
        /// Its slug.
        product: Slug,
        /// As written.
        class: TaxClass,
    },
    /// Its shelf does not exist.
    #[error("the product `{product}` is in the category `{category}`, which does not exist")]
    UnknownCategory {
        /// Its slug.
        product: Slug,
        /// As written.
        category: CategoryPath,
    },
    /// The shelf above does not exist.
    #[error("the category `{category}` stands below `{parent}`, which does not exist")]
    OrphanCategory {
        /// Its path.
        category: CategoryPath,
        /// The missing one.
        parent: CategoryPath,
    },
    /// No quantity fits the rule.
    #[error("the quantities of `{product}` must have 1 ≤ min ≤ max ≤ {MAX_QUANTITY} and a step of at least 1")]
    ImpossibleQuantity {
        /// Its slug.
        product: Slug,
    },
    /// A property has no limit a cart could hold, a key that is long or taken, or comes after `MAX_PROPERTIES` others.
    #[error(
        "the field `{key}` of `{product}` needs a key of its own of at most {MAX_PROPERTY_KEY_BYTES} bytes, a limit of 1 to \
         {MAX_PROPERTY_BYTES} bytes, and at most {MAX_PROPERTIES} fields beside it"
    )]
    BadProperty {
        /// Its slug.
        product: Slug,
        /// The property's key.
        key: String,
    },
    /// Outside 0 to `MAX_MINOR`, or two prices in one currency.
    #[error("`{sku}` needs one price in {currency}, zero or more and not larger than any price this shop can hold")]
    BadPrice {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Two prices would hold at once.
    #[error("two sales of `{sku}` in {currency} hold at the same time; let one end where the other begins")]
    OverlappingSales {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Warning: it never holds.
    #[error("a sale of `{sku}` in {currency} ends before it starts")]
    EmptySale {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Warning: a sale that is not cheaper.
    #[error("a sale of `{sku}` in {currency} is not below the regular price")]
    DearSale {
        /// The variant.
        sku: Sku,
        /// The currency.
        currency: Currency,
    },
    /// Warning: it is never shown.
    #[error("the product `{product}` expires before it is published")]
    NeverActive {
        /// Its slug.
        product: Slug,
    },
}

impl RulesProblem {
    /// Whether the shop can still be built: it sells less than its owner may think, but nothing wrong.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::NoShippingZone { .. }
                | Self::CountryInTwoZones { .. }
                | Self::ZoneOutsideMarket { .. }
                | Self::NeverHolds { .. }
                | Self::JoinsNothing { .. }
        )
    }
}

impl CatalogProblem {
    /// Whether the shop can still be built.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::EmptySale { .. } | Self::DearSale { .. } | Self::NeverActive { .. })
    }
}

impl Rules {
    /// Everything that cannot be meant, in rules that were read without error.
    pub fn problems(&self) -> Vec<RulesProblem> {
        let mut found = Vec::new();
        self.market_problems(&mut found);
        self.tax_problems(&mut found);
        self.shipping_problems(&mut found);
        for (index, promotion) in self.promotions.iter().enumerate() {
            self.promotion_problems(index, promotion, &mut found);
        }
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

    fn promotion_problems(&self, index: usize, promotion: &Promotion, found: &mut Vec<RulesProblem>) {
        let id = || promotion.id.clone();
        if !promotion.code.is_typable() {
            found.push(RulesProblem::BadCode { promotion: id() });
        }
        if let Some(first) = self.promotions[..index].iter().find(|other| other.code.names(&promotion.code)) {
            let (code, first) = (promotion.code.clone(), first.id.clone());
            found.push(RulesProblem::DuplicateCode { code, first, second: id() });
        }
        if matches!((promotion.starts_at, promotion.ends_at), (Some(from), Some(until)) if until <= from) {
            found.push(RulesProblem::NeverHolds { promotion: id() });
        }
        for market in promotion.markets.iter().filter(|market| self.market(market).is_none()) {
            found.push(RulesProblem::PromotionWithoutMarket { promotion: id(), market: market.clone() });
        }
        let fixed = if let Benefit::Fixed(amounts) = &promotion.benefit { &amounts[..] } else { &[] };
        if !fixed.iter().chain(&promotion.minimum_minor).all(|(_, minor)| is_amount(*minor)) {
            found.push(RulesProblem::AmountOutOfRange { name: id() });
        }
        for class in &promotion.combines_with {
            let is_other = |other: &Promotion| other.id != promotion.id && other.stacking_class == *class;
            if !self.promotions.iter().any(is_other) {
                found.push(RulesProblem::JoinsNothing { promotion: id(), class: class.clone() });
            }
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

impl Catalog {
    /// Everything that cannot be meant, in a catalogue whose names are unique.
    pub fn problems(&self, rules: &Rules) -> Vec<CatalogProblem> {
        let mut found = Vec::new();
        let exists = |path: &CategoryPath| self.categories().binary_search_by(|category| category.path.cmp(path)).is_ok();
        for category in self.categories() {
            if let Some(parent) = category.path.parent().filter(|parent| !exists(parent)) {
                found.push(CatalogProblem::OrphanCategory { category: category.path.clone(), parent });
            }
        }
        for product in self.products() {
            let slug = || product.slug.clone();
            for category in product.categories.iter().filter(|path| !exists(path)) {
                found.push(CatalogProblem::UnknownCategory { product: slug(), category: category.clone() });
            }
            if !rules.tax.classes.contains(&product.tax_class) {
                found.push(CatalogProblem::UnknownTaxClass { product: slug(), class: product.tax_class.clone() });
            }
            product_problems(product, &mut found);
            variant_problems(product, &mut found);
        }
        found
    }
}

fn product_problems(product: &Product, found: &mut Vec<CatalogProblem>) {
    let slug = || product.slug.clone();
    if product.variants.is_empty() {
        found.push(CatalogProblem::NoVariant { product: slug() });
    }
    let rule = product.quantity;
    if rule.min < 1 || rule.min > rule.max || rule.max > MAX_QUANTITY || rule.step < 1 {
        found.push(CatalogProblem::ImpossibleQuantity { product: slug() });
    }
    for (index, property) in product.properties.iter().enumerate() {
        let is_repeated = product.properties[..index].iter().any(|other| other.key == property.key);
        let has_key = (1..=MAX_PROPERTY_KEY_BYTES).contains(&property.key.len());
        let has_limit = (1..=MAX_PROPERTY_BYTES).contains(&(property.max_bytes as usize));
        if is_repeated || !has_key || !has_limit || index >= MAX_PROPERTIES {
            found.push(CatalogProblem::BadProperty { product: slug(), key: property.key.clone() });
        }
    }
    if matches!((product.publish_at, product.expires_at), (Some(from), Some(until)) if until <= from) {
        found.push(CatalogProblem::NeverActive { product: slug() });
    }
}

fn variant_problems(product: &Product, found: &mut Vec<CatalogProblem>) {
    let mut by_options = BTreeMap::new();
    for variant in &product.variants {
        let chosen = &variant.option_values;
        let fits = product.options.iter().zip(chosen).all(|(option, value)| option.values.contains(value));
        if chosen.len() != product.options.len() || !fits {
            found.push(CatalogProblem::WrongOptions { product: product.slug.clone(), sku: variant.sku.clone() });
        }
        if let Some(first) = by_options.insert(chosen, &variant.sku) {
            found.push(CatalogProblem::SameOptions { first: first.clone(), second: variant.sku.clone() });
        }
        for (index, price) in variant.prices.iter().enumerate() {
            let is_repeated = variant.prices[..index].iter().any(|other| other.currency == price.currency);
            price_problems(&variant.sku, price, is_repeated, found);
        }
    }
}

fn price_problems(sku: &Sku, price: &Price, is_repeated: bool, found: &mut Vec<CatalogProblem>) {
    let (sku, currency) = (|| sku.clone(), price.currency);
    let amounts = price.sales.iter().map(|sale| sale.price_minor).chain(price.compare_at_minor).chain([price.unit_minor]);
    if is_repeated || !amounts.into_iter().all(is_amount) {
        found.push(CatalogProblem::BadPrice { sku: sku(), currency });
    }
    for (index, sale) in price.sales.iter().enumerate() {
        if matches!((sale.from, sale.until), (Some(from), Some(until)) if until <= from) {
            found.push(CatalogProblem::EmptySale { sku: sku(), currency });
        } else if price.sales[..index].iter().any(|earlier| earlier.overlaps(sale)) {
            found.push(CatalogProblem::OverlappingSales { sku: sku(), currency });
        }
        if sale.price_minor >= price.unit_minor {
            found.push(CatalogProblem::DearSale { sku: sku(), currency });
        }
    }
}

#[cfg(test)]
mod tests;
