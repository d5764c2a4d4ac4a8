//! Deal: what one choice of promotions makes of a cart's discounts and shipping.
//!
//! Owns    the order of taking off, the rates offered for what is left, and the rate that counts. `pricing` picks the best deal.

use crate::commerce::ids::ShippingRateId;
use crate::commerce::money::{Currency, Money};
use crate::commerce::promotion::{Benefit, Promotion};
use crate::commerce::rules::Market;
use crate::commerce::shipping::{Parcel, ShippingZone};

use super::{Good, ShippingOption};

/// What one set of promotions makes of the cart; all amounts in minor units.
pub(super) struct Deal<'a> {
    /// Off each line.
    pub discounts: Vec<i64>,
    /// By each promotion.
    pub given: Vec<(&'a Promotion, i64)>,
    /// Rates offered, in the zone's order.
    pub options: Vec<ShippingOption>,
    /// Index of the one that counts.
    chosen: Option<usize>,
    /// Off shipping.
    pub shipping_discount: i64,
}

impl<'a> Deal<'a> {
    pub(super) fn of(
        set: &[&'a Promotion],
        goods: &[Good<'_>],
        zone: Option<&ShippingZone>,
        market: &Market,
        choice: Option<&ShippingRateId>,
    ) -> Self {
        let mut discounts = vec![0; goods.len()];
        let mut given = Vec::with_capacity(set.len());
        for promotion in set {
            let left: Vec<i64> = goods
                .iter()
                .zip(&discounts)
                .map(|(good, taken)| if promotion.covers(good.product) { good.subtotal_minor - taken } else { 0 })
                .collect();
            let parts = promotion.take_off(&left, market.currency, market.rounding);
            given.push((*promotion, parts.iter().sum()));
            discounts.iter_mut().zip(parts).for_each(|(taken, part)| *taken += part);
        }
        let options = shipping_options(goods, &discounts, zone, market.currency);
        let chosen = options.iter().position(|option| Some(&option.id) == choice);
        let cheapest = || (0..options.len()).min_by_key(|index| options[*index].price.minor);
        let mut deal = Self { discounts, given, chosen: chosen.or_else(cheapest), options, shipping_discount: 0 };
        deal.free_shipping();
        deal
    }

    fn free_shipping(&mut self) {
        let price = self.shipping_minor();
        if let Some((_, minor)) = self.given.iter_mut().find(|(promotion, _)| promotion.benefit == Benefit::FreeShipping) {
            *minor = price;
            self.shipping_discount = price;
        }
    }

    pub(super) fn shipping(&self) -> Option<&ShippingOption> {
        self.chosen.map(|index| &self.options[index])
    }

    pub(super) fn shipping_minor(&self) -> i64 {
        self.shipping().map_or(0, |option| option.price.minor)
    }

    /// What the shopper pays before tax that comes on top: the less, the better the deal.
    pub(super) fn payable_minor(&self, goods: &[Good<'_>]) -> i64 {
        let subtotal: i64 = goods.iter().map(|good| good.subtotal_minor).sum();
        subtotal - self.discounts.iter().sum::<i64>() + self.shipping_minor() - self.shipping_discount
    }
}

fn shipping_options(
    goods: &[Good<'_>],
    discounts: &[i64],
    zone: Option<&ShippingZone>,
    currency: Currency,
) -> Vec<ShippingOption> {
    let needs_parcel = goods.iter().any(|good| good.variant.requires_shipping);
    let Some(zone) = zone.filter(|_| needs_parcel) else { return Vec::new() };
    let parcel = Parcel {
        weight_g: goods.iter().map(Good::weight_g).sum(),
        goods_minor: goods.iter().zip(discounts).map(|(good, taken)| good.subtotal_minor - taken).sum(),
    };
    let offered = zone.rates.iter().filter_map(|rate| Some((rate, rate.price_minor(parcel)?)));
    offered
        .map(|(rate, minor)| ShippingOption {
            id: rate.id.clone(),
            name: rate.name.clone(),
            delivery: rate.delivery.clone(),
            price: Money::new(minor, currency),
        })
        .collect()
}
