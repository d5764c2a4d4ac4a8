//! Shipping: `[[shipping]]` of site.toml.

use serde::Deserialize;
use toml::Spanned;

use super::checked_countries;
use crate::commerce::ids::ShippingRateId;
use crate::commerce::money::Currency;
use crate::commerce::rules::Market;
use crate::commerce::shipping::{RatePrice, ShippingRate, ShippingZone};
use crate::site::load::written::{Amount, Place};
use crate::site::problem::Problems;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenZone {
    id: Spanned<String>,
    name: Option<String>,
    market: Option<Spanned<String>>,
    countries: Vec<Spanned<String>>,
    rates: Vec<WrittenRate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRate {
    id: Spanned<String>,
    name: String,
    delivery: Option<String>,
    transit_days: Option<Spanned<[u8; 2]>>,
    price: Option<Spanned<Amount>>,
    weight: Option<Vec<WrittenWeightTier>>,
    value: Option<Vec<WrittenValueTier>>,
    free_over: Option<Spanned<Amount>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenWeightTier {
    up_to_g: u32,
    price: Spanned<Amount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenValueTier {
    up_to: Spanned<Amount>,
    price: Spanned<Amount>,
}

impl WrittenZone {
    pub(super) fn checked(self, markets: &[Market], place: Place<'_>, problems: &mut Problems) -> ShippingZone {
        let named = self.market.as_ref().map(Spanned::get_ref);
        let market = match named {
            None => &markets[0],
            Some(name) => markets.iter().find(|market| market.id.as_str() == name).unwrap_or_else(|| {
                let ids: Vec<&str> = markets.iter().map(|market| market.id.as_str()).collect();
                let market = self.market.as_ref().expect("it is named");
                problems.push(place.problem(market, "there is no such market").hint(format!("markets: {}", ids.join(", "))));
                &markets[0]
            }),
        };
        let rates = self.rates.into_iter().filter_map(|rate| rate.checked(market.currency, place, problems)).collect();
        ShippingZone {
            name: self.name.unwrap_or_else(|| self.id.get_ref().clone()),
            id: self.id.into_inner(),
            market: market.id.clone(),
            countries: checked_countries(self.countries, place, problems),
            rates,
        }
    }
}

impl WrittenRate {
    fn checked(self, currency: Currency, place: Place<'_>, problems: &mut Problems) -> Option<ShippingRate> {
        let before = problems.errors();
        let price = match (&self.price, &self.weight, &self.value) {
            (Some(price), None, None) => place.minor(price, currency, problems).map(|minor| RatePrice::Flat { minor }),
            (None, Some(tiers), None) if !tiers.is_empty() => {
                let tier = |tier: &WrittenWeightTier| Some((tier.up_to_g, place.minor(&tier.price, currency, problems)?));
                let tiers: Vec<(u32, i64)> = tiers.iter().filter_map(tier).collect();
                check_rising(tiers.iter().map(|tier| i64::from(tier.0)), &self.id, place, problems);
                Some(RatePrice::Weight { tiers })
            }
            (None, None, Some(tiers)) if !tiers.is_empty() => {
                let mut read = Vec::new();
                for tier in tiers {
                    let limit = place.minor(&tier.up_to, currency, problems);
                    let price = place.minor(&tier.price, currency, problems);
                    read.extend(limit.zip(price));
                }
                check_rising(read.iter().map(|tier| tier.0), &self.id, place, problems);
                Some(RatePrice::Value { tiers: read })
            }
            _ => {
                let hint = "write price = \"4.90\", or weight = [{ up_to_g = 1000, price = \"4.90\" }], or value = [{ up_to = \"50\", price = \"4.90\" }]";
                problems.push(place.problem(&self.id, "a rate has one of price, weight and value").hint(hint));
                None
            }
        };
        if let Some(days) = self.transit_days.as_ref().filter(|days| days.get_ref()[0] > days.get_ref()[1]) {
            problems.push(place.problem(days, "these days do not rise").hint("write the fewest first, such as [2, 3]"));
        }
        let free_over_minor = self.free_over.as_ref().and_then(|amount| place.minor(amount, currency, problems));
        if problems.errors() > before {
            return None;
        }
        Some(ShippingRate {
            id: ShippingRateId(self.id.into_inner()),
            name: self.name,
            delivery: self.delivery,
            price: price?,
            free_over_minor,
            transit_days: self.transit_days.map(Spanned::into_inner),
        })
    }
}

fn check_rising(limits: impl Iterator<Item = i64>, id: &Spanned<String>, place: Place<'_>, problems: &mut Problems) {
    let limits: Vec<i64> = limits.collect();
    if limits.windows(2).any(|pair| pair[0] >= pair[1]) {
        problems.push(place.problem(id, "the tiers of this rate do not rise").hint("write the lowest limit first"));
    }
}
