//! Levy: the tax of a cart's lines and of its shipping.
//!
//! Owns    which place's rates count and what each rate is taken from; the arithmetic is `tax`'s.

use std::collections::BTreeMap;

use crate::commerce::cart::Destination;
use crate::commerce::ids::TaxClass;
use crate::commerce::money::Money;
use crate::commerce::rules::{Market, Rules};
use crate::commerce::tax::{TaxBase, TaxManner, TaxMode, TaxPart, TaxRates, tax_parts};

use super::deal::Deal;
use super::{Good, PricingRejection};

/// Taxes in minor units, before they are put where they belong.
pub(super) struct Levied {
    pub country: Option<String>,
    pub line_taxes: Vec<i64>,
    pub shipping_tax: i64,
    pub parts: Vec<TaxPart>,
}

pub(super) fn levy(
    goods: &[Good<'_>],
    deal: &Deal<'_>,
    destination: Option<&Destination>,
    market: &Market,
    rules: &Rules,
) -> Result<Levied, PricingRejection> {
    let place = match (destination, market.tax_mode) {
        (Some(place), _) => Some((place.country.as_str(), place.region.as_deref())),
        (None, TaxMode::Inclusive) => market.countries.first().map(|country| (country.as_str(), None)),
        (None, TaxMode::Exclusive) => None,
    };
    let untaxed = |country| Levied { country, line_taxes: vec![0; goods.len()], shipping_tax: 0, parts: Vec::new() };
    let Some((country, region)) = place else { return Ok(untaxed(None)) };
    if goods.is_empty() {
        return Ok(untaxed(Some(country.to_owned())));
    }
    if planted!("tax_error_is_zero") {
        return Ok(untaxed(Some(country.to_owned())));
    }
    let missing = || PricingRejection::NoTaxRate { country: country.to_owned() };
    let rates = rules.tax.rates_at(country, region).ok_or_else(missing)?;
    let bases = tax_bases(goods, deal, rates, rules.tax.shipping_class.as_ref()).ok_or_else(missing)?;
    let manner = TaxManner { mode: market.tax_mode, rounding: market.rounding, scope: market.rounding_scope };
    let mut taxes = manner.levy(&bases);
    let parts = tax_parts(&rates.name, &bases, &taxes, market.currency);
    let shipping_tax = taxes.drain(goods.len()..).sum();
    Ok(Levied { country: Some(country.to_owned()), line_taxes: taxes, shipping_tax, parts })
}

/// One base per line, then those of shipping. `None`: a class has no rate.
fn tax_bases(goods: &[Good<'_>], deal: &Deal<'_>, rates: &TaxRates, shipping_class: Option<&TaxClass>) -> Option<Vec<TaxBase>> {
    let base = |minor: i64, class: &TaxClass| Some(TaxBase { minor, percent: rates.percent_of(class)? });
    let line = |(good, taken): (&Good<'_>, &i64)| base(good.subtotal_minor - taken, &good.product.tax_class);
    let mut bases: Vec<TaxBase> = goods.iter().zip(&deal.discounts).map(line).collect::<Option<_>>()?;
    let shipping_minor = deal.shipping_minor() - deal.shipping_discount;
    match shipping_class {
        Some(class) => bases.push(base(shipping_minor, class)?),
        None => bases.extend(shipping_by_goods(shipping_minor, goods, &bases)),
    }
    Some(bases)
}

/// Shipping as an annex of the goods in the parcel: one base per rate, in proportion to their value (evenly, where all are free).
fn shipping_by_goods(shipping_minor: i64, goods: &[Good<'_>], line_bases: &[TaxBase]) -> Vec<TaxBase> {
    let sent: Vec<&TaxBase> =
        goods.iter().zip(line_bases).filter(|(good, _)| good.variant.requires_shipping).map(|(_, base)| base).collect();
    let has_value = sent.iter().any(|base| base.minor > 0);
    let weights: Vec<i64> = sent.iter().map(|base| if has_value { base.minor } else { 1 }).collect();
    let mut by_rate = BTreeMap::new();
    for (base, part) in sent.iter().zip(Money::split_minor(shipping_minor, &weights)) {
        *by_rate.entry(base.percent).or_insert(0) += part;
    }
    by_rate.into_iter().map(|(percent, minor)| TaxBase { minor, percent }).collect()
}
