//! Coverage: whether everything that is sold can be priced and sent in every country of every market.
//!
//! Knows   what `commerce::problems` cannot say without the goods: it tells of rates and zones that are missing, this of goods that no
//!         rate takes and of markets in which nothing has a price.

use std::collections::BTreeMap;

use super::{Finding, Findings};
use crate::commerce::catalog::Product;
use crate::commerce::rules::{Market, Rules};
use crate::commerce::shipping::{RatePrice, ShippingZone, zone_of};
use crate::site::load::{Loaded, Source};
use crate::site::plan::Plan;
use crate::site::problem::Kind;

/// Adds what is not covered.
pub(super) fn examine(loaded: &Loaded, plan: &Plan, rules: &Rules, found: &mut Findings) {
    let settings = Source { file: "site.toml".to_owned(), line: 0 };
    let shown = || loaded.catalog.products().iter().enumerate().filter(|(index, _)| plan.shown[*index]);
    let is_shipped = |product: &Product| product.variants.iter().any(|variant| variant.requires_shipping);
    let needs_rates = shown().next().is_none() || shown().any(|(_, product)| is_shipped(product));
    for zone in rules.shipping.iter().filter(|zone| needs_rates && zone.rates.is_empty()) {
        let message =
            format!("the shipping zone `{}` has no rates: nothing can be sent to {}", zone.id, zone.countries.join(", "));
        let finding = Finding::new(Kind::Coverage, message).warning().source(&settings).needle(&format!("\"{}\"", zone.id));
        found.add(finding.hint("write rates = [{ id = \"standard\", name = \"Standard\", price = \"4.90\" }]"));
    }
    for market in &rules.markets {
        let is_sold = |product: &Product| product.variants.iter().any(|variant| variant.price(market.currency).is_some());
        if shown().next().is_some() && !shown().any(|(_, product)| is_sold(product)) {
            let message =
                format!("nothing has a price in {}, so nothing is for sale in the market `{}`", market.currency, market.id);
            let finding = Finding::new(Kind::Coverage, message).warning().source(&settings).needle(&format!("\"{}\"", market.id));
            found.add(finding.hint(format!("write prices in {} too, or take the market out", market.currency)));
        }
        too_heavy(loaded, shown(), market, rules, found);
    }
}

// A product that no rate of a country takes because of its weight.
fn too_heavy<'a>(
    loaded: &Loaded,
    shown: impl Iterator<Item = (usize, &'a Product)>,
    market: &Market,
    rules: &Rules,
    found: &mut Findings,
) {
    let mut countries_by_limit: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for country in &market.countries {
        let zone = zone_of(&rules.shipping, &market.id, country);
        if let Some(limit_g) = zone.and_then(heaviest_g) {
            countries_by_limit.entry(limit_g).or_default().push(country);
        }
    }
    let Some(least_g) = countries_by_limit.keys().next().copied() else { return };
    for (index, product) in shown {
        let sent =
            product.variants.iter().filter(|variant| variant.requires_shipping && variant.price(market.currency).is_some());
        let Some(weight_g) = sent.map(|variant| u64::from(variant.weight_g) * u64::from(product.quantity.min)).max() else {
            continue;
        };
        if weight_g <= u64::from(least_g) {
            continue;
        }
        let lighter = countries_by_limit.range(..=u32::try_from(weight_g - 1).unwrap_or(u32::MAX));
        let countries: Vec<&str> = lighter.flat_map(|(_, countries)| countries.iter().copied()).collect();
        let message = format!("`{}` weighs {weight_g} g, more than any rate to {} takes", product.slug, countries.join(", "));
        let finding = Finding::new(Kind::Coverage, message).warning().source(&loaded.products[index].source).needle("weight_g");
        found.add(finding.hint("add a tier to the rate's `weight` in site.toml, or correct the weight"));
    }
}

// The heaviest parcel that any rate of a zone takes; `None`: every weight, or none is asked.
fn heaviest_g(zone: &ShippingZone) -> Option<u32> {
    let limit = |price: &RatePrice| match price {
        RatePrice::Weight { tiers } => tiers.last().map_or(0, |(limit_g, _)| *limit_g),
        RatePrice::Flat { .. } | RatePrice::Value { .. } => u32::MAX,
    };
    zone.rates.iter().map(|rate| limit(&rate.price)).max().filter(|limit| *limit < u32::MAX)
}
