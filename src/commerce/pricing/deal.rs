//! Deal: what one choice of promotions makes of a cart's discounts and shipping.
//!
//! Owns    the order of taking off, the rates offered for what is left, and the rate that counts. `offers` picks the best deal by what each
//!         would leave to pay.

use crate::commerce::ids::ShippingRateId;
use crate::commerce::money::Money;
use crate::commerce::promotion::{Benefit, Promoted, Promotion, Taking};
use crate::commerce::rules::Market;
use crate::commerce::shipping::{Parcel, ShippingRate, ShippingZone};

use super::offers::Candidate;
use super::{Good, ShippingOption};

/// What all deals of a cart are made of.
#[derive(Clone, Copy)]
pub(super) struct Trade<'a> {
    pub market: &'a Market,
    pub zone: Option<&'a ShippingZone>,
    pub goods: &'a [Good<'a>],
    /// The same as promotions see them.
    pub lines: &'a [Promoted<'a>],
    pub choice: Option<&'a ShippingRateId>,
}

/// What one set of promotions makes of the cart; all amounts in minor units.
pub(super) struct Deal<'a> {
    /// Off each line.
    pub discounts: Vec<i64>,
    /// By each promotion.
    pub given: Vec<(&'a Promotion, i64)>,
    /// Rates offered with their price, in the zone's order.
    rates: Vec<(&'a ShippingRate, i64)>,
    /// Index of the one that counts.
    chosen: Option<usize>,
    /// Off shipping.
    pub shipping_discount: i64,
}

impl<'a> Deal<'a> {
    /// `set`: in the order of their ranks.
    pub(super) fn of<'c>(set: impl Iterator<Item = &'c Candidate<'a>>, trade: &Trade<'a>) -> Self
    where
        'a: 'c,
    {
        let mut left = Left::whole(trade);
        let given = set.map(|candidate| (candidate.promotion, left.take_off(candidate, trade))).collect();
        let rates = offered_rates(trade, left.goods_minor());
        let chosen = chosen(&rates, trade);
        let discounts = trade.goods.iter().zip(&left.lines_minor).map(|(good, left)| good.subtotal_minor - left).collect();
        let mut deal = Self { discounts, given, chosen, rates, shipping_discount: 0 };
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

    /// Rates offered, in the zone's order.
    pub(super) fn options(&self, trade: &Trade<'_>) -> Vec<ShippingOption> {
        self.rates.iter().map(|rate| option(*rate, trade)).collect()
    }

    /// The one that counts.
    pub(super) fn shipping(&self, trade: &Trade<'_>) -> Option<ShippingOption> {
        self.chosen.map(|index| option(self.rates[index], trade))
    }

    /// The rate that counts, with its price.
    pub(super) fn rate(&self) -> Option<(&'a ShippingRate, i64)> {
        self.chosen.map(|index| self.rates[index])
    }

    /// Whether no rate takes what is to be sent.
    pub(super) fn has_no_rate(&self) -> bool {
        self.rates.is_empty()
    }

    pub(super) fn shipping_minor(&self) -> i64 {
        self.rate().map_or(0, |(_, minor)| minor)
    }
}

/// What promotions leave of a cart: enough to know what the shopper would pay.
#[derive(Clone)]
pub(super) struct Left {
    /// What each line still costs.
    lines_minor: Vec<i64>,
    /// Whether the rate that counts costs nothing.
    is_sent_free: bool,
}

impl Left {
    /// The cart before any of them.
    pub(super) fn whole(trade: &Trade<'_>) -> Self {
        Self { lines_minor: trade.goods.iter().map(|good| good.subtotal_minor).collect(), is_sent_free: false }
    }

    /// What one more leaves of it, whose rank comes after all of those before.
    pub(super) fn without(&self, candidate: &Candidate<'_>, trade: &Trade<'_>) -> Self {
        let mut left = self.clone();
        left.take_off(candidate, trade);
        left
    }

    /// The same in its place. Gives what was taken off the lines.
    fn take_off(&mut self, Candidate { promotion, reach }: &Candidate<'_>, trade: &Trade<'_>) -> i64 {
        self.is_sent_free |= promotion.benefit == Benefit::FreeShipping;
        let taking = Taking { currency: trade.market.currency, rounding: trade.market.rounding };
        let parts = promotion.benefit.take_off(reach, trade.lines, &self.lines_minor, taking);
        self.lines_minor.iter_mut().zip(&parts).for_each(|(left, part)| *left -= part);
        parts.iter().sum()
    }

    fn goods_minor(&self) -> i64 {
        self.lines_minor.iter().sum()
    }

    /// What the shopper pays before tax that comes on top: the less, the better the deal.
    pub(super) fn payable_minor(&self, trade: &Trade<'_>) -> i64 {
        let goods_minor = self.goods_minor();
        if self.is_sent_free {
            return goods_minor;
        }
        let rates = offered_rates(trade, goods_minor);
        goods_minor + chosen(&rates, trade).map_or(0, |index| rates[index].1)
    }
}

/// Index of the rate that counts: the one that was chosen, else the cheapest.
fn chosen(rates: &[(&ShippingRate, i64)], trade: &Trade<'_>) -> Option<usize> {
    let wanted = rates.iter().position(|(rate, _)| Some(&rate.id) == trade.choice);
    wanted.or_else(|| (0..rates.len()).min_by_key(|index| rates[*index].1))
}

fn offered_rates<'a>(trade: &Trade<'a>, goods_minor: i64) -> Vec<(&'a ShippingRate, i64)> {
    let needs_parcel = trade.goods.iter().any(|good| good.variant.requires_shipping);
    let Some(zone) = trade.zone.filter(|_| needs_parcel) else { return Vec::new() };
    let parcel = Parcel { weight_g: trade.goods.iter().map(Good::weight_g).sum(), goods_minor };
    zone.rates.iter().filter_map(|rate| Some((rate, rate.price_minor(parcel)?))).collect()
}

fn option((rate, minor): (&ShippingRate, i64), trade: &Trade<'_>) -> ShippingOption {
    ShippingOption {
        id: rate.id.clone(),
        name: rate.name.clone(),
        delivery: rate.delivery.clone(),
        price: Money::new(minor, trade.market.currency),
    }
}
