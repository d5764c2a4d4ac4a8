//! Benefit: what a promotion gives, and what that takes off the lines of a cart.
//!
//! Owns    the kinds of benefits and their arithmetic.
//! Always  integer minor units; an amount is rounded once over all lines it is for and split over them, largest remainder first; no line
//!         loses more than it still costs.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{CouponRefusal, LineSet, Promoted, Reach, amount_in, names};
use crate::commerce::catalog::Product;
use crate::commerce::ids::{CategoryPath, Slug};
use crate::commerce::money::{Currency, Money, Percent, Rounding};

/// What a promotion gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Benefit {
    /// Percent off the lines it covers.
    Percentage(Percent),
    /// An amount off, spread over the lines it covers, never more than they cost; minor units per currency.
    Fixed(Vec<(Currency, i64)>),
    /// The chosen shipping rate costs nothing.
    FreeShipping,
    /// Some units cost less for every few that are bought.
    BuyGet(BuyGet),
    /// More off, the more there is of what it covers; steps from the lowest.
    Tiers(Vec<Tier>),
}

/// For every `buy` units of what the promotion covers, `get` further units cost less: the cheapest there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuyGet {
    /// Units that are bought as they are.
    pub buy: NonZeroU32,
    /// Units that cost less for them.
    pub get: NonZeroU32,
    /// By how much they cost less.
    pub off: Percent,
    /// What costs less; both empty: what the promotion covers.
    pub products: Vec<Slug>,
    /// Categories with all below them.
    pub categories: Vec<CategoryPath>,
    /// How often at most in one order; `None`: as often as it goes.
    pub times: Option<NonZeroU32>,
}

/// A step of a tiered promotion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tier {
    /// From where on it counts.
    pub from: TierFrom,
    /// What it gives.
    pub off: TierOff,
}

/// From where on a step counts; measured on what the promotion covers, before discounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TierFrom {
    /// Units.
    Quantity(u32),
    /// Minor units per currency.
    Value(Vec<(Currency, i64)>),
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TierOff {
    /// Percent off what the promotion covers.
    Percentage(Percent),
    /// An amount off, never more than that costs; minor units per currency.
    Fixed(Vec<(Currency, i64)>),
}

/// What is missing for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Units.
    Units(u32),
    /// Minor units, of the step's threshold.
    Minor {
        /// Missing.
        more: i64,
        /// The threshold.
        from: i64,
    },
}

impl Benefit {
    /// Whether it has amounts in that currency, where it has amounts.
    pub(super) fn is_given_in(&self, currency: Currency) -> bool {
        match self {
            Self::Percentage(_) | Self::FreeShipping | Self::BuyGet(_) => true,
            Self::Fixed(amounts) => amount_in(amounts, currency).is_some(),
            Self::Tiers(tiers) => !tiers.is_empty() && tiers.iter().all(|tier| tier.is_given_in(currency)),
        }
    }

    /// Every amount it is written with, per currency.
    pub(super) fn amounts(&self) -> impl Iterator<Item = (Currency, i64)> {
        let (own, tiers): (&[(Currency, i64)], &[Tier]) = match self {
            Self::Fixed(amounts) => (amounts, &[]),
            Self::Tiers(tiers) => (&[], tiers),
            Self::Percentage(_) | Self::FreeShipping | Self::BuyGet(_) => (&[], &[]),
        };
        own.iter().chain(tiers.iter().flat_map(Tier::amounts)).copied()
    }

    /// Why it gives nothing for lines that are covered otherwise.
    pub(super) fn needs(&self, reach: &Reach, lines: &[Promoted<'_>], currency: Currency) -> Option<CouponRefusal> {
        match self {
            Self::Percentage(_) | Self::Fixed(_) | Self::FreeShipping => None,
            Self::BuyGet(deal) => deal.needs(reach, lines),
            Self::Tiers(tiers) => match tiers.first()?.missing(reach.covered, lines, currency)? {
                Missing::Units(more) => Some(CouponRefusal::TooFew { more }),
                Missing::Minor { from, .. } => Some(CouponRefusal::BelowMinimum { minimum: Money::new(from, currency) }),
            },
        }
    }

    /// What it takes off each line, in minor units. `left_minor` is what the lines still cost.
    pub(crate) fn take_off(&self, reach: &Reach, lines: &[Promoted<'_>], left_minor: &[i64], taking: Taking) -> Vec<i64> {
        let covered = || left_minor.iter().enumerate().map(|(index, left)| if reach.covered.has(index) { *left } else { 0 });
        match self {
            Self::Percentage(percent) => taking.percent(*percent, covered().collect()),
            Self::Fixed(amounts) => taking.amount(amounts, covered().collect()),
            Self::FreeShipping => vec![0; left_minor.len()],
            Self::BuyGet(deal) => deal.take_off(reach, lines, left_minor, taking),
            Self::Tiers(tiers) => match reached(tiers, reach.covered, lines, taking.currency).map(|tier| &tier.off) {
                Some(TierOff::Percentage(percent)) => taking.percent(*percent, covered().collect()),
                Some(TierOff::Fixed(amounts)) => taking.amount(amounts, covered().collect()),
                None => vec![0; left_minor.len()],
            },
        }
    }

    /// What is missing for its next step; `None`: it has no steps, or none is left.
    pub(crate) fn to_next_step(&self, reach: &Reach, lines: &[Promoted<'_>], currency: Currency) -> Option<Missing> {
        let Self::Tiers(tiers) = self else { return None };
        tiers.iter().find_map(|tier| tier.missing(reach.covered, lines, currency))
    }
}

/// How amounts are taken off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taking {
    /// The cart's currency.
    pub currency: Currency,
    /// The market's rounding.
    pub rounding: Rounding,
}

impl Taking {
    fn percent(self, percent: Percent, of_minor: Vec<i64>) -> Vec<i64> {
        Money::split_minor(self.share(percent, of_minor.iter().sum()), &of_minor)
    }

    fn amount(self, amounts: &[(Currency, i64)], of_minor: Vec<i64>) -> Vec<i64> {
        let amount = amount_in(amounts, self.currency).unwrap_or(0).min(of_minor.iter().sum());
        Money::split_minor(amount, &of_minor)
    }

    fn share(self, percent: Percent, minor: i64) -> i64 {
        self.rounding.divide(i128::from(minor) * i128::from(percent.millionths()), Percent::WHOLE.millionths().into())
    }
}

impl BuyGet {
    /// Whether what costs less is named by itself.
    pub fn has_own_reward(&self) -> bool {
        !self.products.is_empty() || !self.categories.is_empty()
    }

    /// Whether units of that product cost less, where that is named by itself.
    pub fn rewards(&self, product: &Product) -> bool {
        names(&self.products, &self.categories, product)
    }

    fn needs(&self, reach: &Reach, lines: &[Promoted<'_>]) -> Option<CouponRefusal> {
        let units = Units::of(reach, lines);
        let (buy, get) = (u64::from(self.buy.get()), u64::from(self.get.get()));
        let missing = |needed: u64, there: u64| u32::try_from(needed.saturating_sub(there)).unwrap_or(u32::MAX);
        if !self.has_own_reward() {
            let more = missing(buy + get, units.both);
            return (more > 0).then_some(CouponRefusal::TooFew { more });
        }
        match missing(buy, units.bought + units.both) {
            0 => {
                let reward = missing(get, units.rewarded + units.both);
                let more = reward.max(missing(buy + get, units.bought + units.rewarded + units.both));
                (more > 0).then_some(CouponRefusal::NoReward { more })
            }
            more => Some(CouponRefusal::TooFew { more }),
        }
    }

    /// How many units of each line cost less: the cheapest, equals by their place. No unit is both bought for another and cheaper itself.
    fn cheaper(&self, reach: &Reach, lines: &[Promoted<'_>]) -> Vec<u32> {
        let units = Units::of(reach, lines);
        let (buy, get) = (u64::from(self.buy.get()), u64::from(self.get.get()));
        let all = units.bought + units.rewarded + units.both;
        let most = self.times.map_or(u64::MAX, |times| times.get().into());
        let enough = ((units.bought + units.both) / buy).min((units.rewarded + units.both) / get).min(all / (buy + get));
        let times = enough.min(most);
        // Of units that can be either, those that have to be bought are not cheaper too.
        let mut both_left = units.both - (times * buy).saturating_sub(units.bought);
        let mut left = times * get;
        let mut by_price: Vec<usize> = (0..lines.len()).filter(|index| reach.rewarded.has(*index)).collect();
        by_price.sort_by_key(|index| (lines[*index].unit_minor, *index));
        let mut chosen = vec![0; lines.len()];
        for index in by_price {
            let is_both = reach.covered.has(index);
            let room = if is_both { both_left.min(left) } else { left };
            let taken = room.min(lines[index].quantity.into());
            chosen[index] = u32::try_from(taken).expect("no more than the line has");
            left -= taken;
            both_left -= if is_both { taken } else { 0 };
        }
        chosen
    }

    fn take_off(&self, reach: &Reach, lines: &[Promoted<'_>], left_minor: &[i64], taking: Taking) -> Vec<i64> {
        let cheaper = self.cheaper(reach, lines);
        let worth: Vec<i64> = cheaper.iter().zip(lines).map(|(units, line)| line.unit_minor * i64::from(*units)).collect();
        let mut parts = taking.percent(self.off, worth);
        parts.iter_mut().zip(left_minor).for_each(|(part, left)| *part = (*part).min(*left));
        parts
    }
}

/// Units by what they can be.
struct Units {
    bought: u64,
    rewarded: u64,
    both: u64,
}

impl Units {
    fn of(reach: &Reach, lines: &[Promoted<'_>]) -> Self {
        let Reach { covered, rewarded } = *reach;
        let units = |set: u128| LineSet(set).units(lines);
        Self {
            bought: units(covered.0 & !rewarded.0),
            rewarded: units(rewarded.0 & !covered.0),
            both: units(covered.0 & rewarded.0),
        }
    }
}

/// The highest step that is reached.
fn reached<'a>(tiers: &'a [Tier], covered: LineSet, lines: &[Promoted<'_>], currency: Currency) -> Option<&'a Tier> {
    tiers.iter().rev().find(|tier| tier.missing(covered, lines, currency).is_none())
}

impl Tier {
    fn amounts(&self) -> impl Iterator<Item = &(Currency, i64)> {
        let from: &[(Currency, i64)] = if let TierFrom::Value(amounts) = &self.from { amounts } else { &[] };
        let off: &[(Currency, i64)] = if let TierOff::Fixed(amounts) = &self.off { amounts } else { &[] };
        from.iter().chain(off)
    }

    fn is_given_in(&self, currency: Currency) -> bool {
        let has = |amounts: &[(Currency, i64)]| amount_in(amounts, currency).is_some();
        let starts = match &self.from {
            TierFrom::Quantity(_) => true,
            TierFrom::Value(amounts) => has(amounts),
        };
        starts
            && match &self.off {
                TierOff::Percentage(_) => true,
                TierOff::Fixed(amounts) => has(amounts),
            }
    }

    fn missing(&self, covered: LineSet, lines: &[Promoted<'_>], currency: Currency) -> Option<Missing> {
        match &self.from {
            TierFrom::Quantity(from) => {
                let more = u64::from(*from).saturating_sub(covered.units(lines));
                (more > 0).then(|| Missing::Units(u32::try_from(more).unwrap_or(u32::MAX)))
            }
            TierFrom::Value(amounts) => {
                let from = amount_in(amounts, currency).unwrap_or(i64::MAX);
                let in_it = lines.iter().enumerate().filter(|(index, _)| covered.has(*index));
                let value: i64 = in_it.map(|(_, line)| line.unit_minor * i64::from(line.quantity)).sum();
                (value < from).then(|| Missing::Minor { more: from - value, from })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::{euro, euros_off, percent_off, product};

    const ALL: LineSet = LineSet(u128::MAX);

    fn take_off(benefit: &Benefit, reach: Reach, goods: &[(i64, u32)], left_minor: &[i64]) -> Vec<i64> {
        let product = product("p", 1);
        let line = |(unit_minor, quantity): &(i64, u32)| Promoted {
            product: &product,
            quantity: *quantity,
            unit_minor: *unit_minor,
            in_parcel: true,
        };
        let lines: Vec<Promoted<'_>> = goods.iter().map(line).collect();
        benefit.take_off(&reach, &lines, left_minor, Taking { currency: euro(), rounding: Rounding::HalfUp })
    }

    #[track_caller]
    fn check(benefit: Benefit, left_minor: &[i64], expected: &[i64]) {
        let goods: Vec<(i64, u32)> = left_minor.iter().map(|left| (*left, 1)).collect();
        assert_eq!(take_off(&benefit, Reach { covered: ALL, rewarded: ALL }, &goods, left_minor), expected);
    }

    #[test]
    fn what_is_taken_off_is_spread_over_what_is_left() {
        check(percent_off("10"), &[1000, 0, 500], &[100, 0, 50]);
        check(percent_off("100"), &[1, 2, 3], &[1, 2, 3]);
        check(percent_off("0"), &[1, 2, 3], &[0, 0, 0]);
        check(euros_off(100), &[200, 100, 0], &[67, 33, 0]);
        check(euros_off(100), &[20, 10], &[20, 10]);
        check(euros_off(100), &[0, 0], &[0, 0]);
        check(Benefit::FreeShipping, &[200], &[0]);
    }

    #[test]
    fn nothing_is_taken_off_in_a_currency_without_amount() {
        check(Benefit::Fixed(Vec::new()), &[200], &[0]);
    }

    fn buy_get(buy: u32, get: u32, off: &str, times: u32) -> Benefit {
        let units = |count| NonZeroU32::new(count);
        Benefit::BuyGet(BuyGet {
            buy: units(buy).expect("some"),
            get: units(get).expect("some"),
            off: off.parse().expect("a percentage"),
            products: Vec::new(),
            categories: Vec::new(),
            times: units(times),
        })
    }

    /// Lines by price and quantity; `covered` and `rewarded` by a letter each: `c`, `r`, `b` for both, `-` for none.
    #[track_caller]
    fn check_buy_get(deal: &Benefit, goods: &[(i64, u32)], which: &str, expected: &[i64]) {
        let set = |letters: &str| {
            let bits = which.chars().enumerate().filter(|(_, letter)| letters.contains(*letter));
            LineSet(bits.fold(0, |set, (index, _)| set | 1 << index))
        };
        let reach = Reach { covered: set("cb"), rewarded: set("rb") };
        let left: Vec<i64> = goods.iter().map(|(unit, units)| unit * i64::from(*units)).collect();
        assert_eq!(take_off(deal, reach, goods, &left), expected);
    }

    #[test]
    fn the_cheapest_of_each_three_is_free() {
        let deal = buy_get(2, 1, "100", 0);
        check_buy_get(&deal, &[(500, 1), (300, 1)], "bb", &[0, 0]);
        check_buy_get(&deal, &[(500, 1), (300, 1), (400, 1)], "bbb", &[0, 300, 0]);
        check_buy_get(&deal, &[(500, 5), (300, 1)], "bb", &[500, 300]);
        check_buy_get(&deal, &[(500, 9), (300, 2)], "b-", &[1500, 0]);
        check_buy_get(&buy_get(2, 1, "100", 1), &[(500, 9)], "b", &[500]);
        check_buy_get(&buy_get(1, 2, "50", 0), &[(300, 3)], "b", &[300]);
        check_buy_get(&deal, &[(0, 3)], "b", &[0]);
    }

    #[test]
    fn what_is_bought_for_another_is_not_cheaper_itself() {
        let deal = buy_get(1, 1, "100", 0);
        check_buy_get(&deal, &[(900, 1), (100, 3)], "cr", &[0, 100]);
        check_buy_get(&deal, &[(900, 3), (100, 1)], "cr", &[0, 100]);
        // The cheap one can be either: there is nothing else to buy, so it has to be bought.
        check_buy_get(&deal, &[(100, 1), (900, 1)], "br", &[0, 900]);
        check_buy_get(&deal, &[(100, 2), (900, 1)], "br", &[100, 0]);
        check_buy_get(&deal, &[(100, 3), (900, 1)], "br", &[100, 900]);
        check_buy_get(&deal, &[(700, 1), (100, 2), (900, 1)], "cbr", &[0, 100, 900]);
    }

    #[test]
    fn units_are_never_cheaper_than_nothing() {
        let deal = buy_get(1, 1, "100", 0);
        let reach = Reach { covered: ALL, rewarded: ALL };
        assert_eq!(take_off(&deal, reach, &[(500, 2)], &[300]), [300], "another discount took 700 before");
        assert_eq!(take_off(&deal, reach, &[(500, 2)], &[0]), [0]);
    }

    #[test]
    fn the_highest_step_that_is_reached_counts() {
        let step = |from, off: &str| Tier { from, off: TierOff::Percentage(off.parse().expect("a percentage")) };
        let value = |minor| TierFrom::Value(vec![(euro(), minor)]);
        let by_value = Benefit::Tiers(vec![step(value(5000), "5"), step(value(10_000), "10")]);
        check(by_value.clone(), &[4999], &[0]);
        check(by_value.clone(), &[5000], &[250]);
        check(by_value.clone(), &[9999], &[500]);
        check(by_value, &[4000, 6000], &[400, 600]);
        let by_units = Benefit::Tiers(vec![
            step(TierFrom::Quantity(2), "10"),
            Tier { from: TierFrom::Quantity(3), off: TierOff::Fixed(vec![(euro(), 1000)]) },
        ]);
        check(by_units.clone(), &[500], &[0]);
        check(by_units.clone(), &[500, 500], &[50, 50]);
        check(by_units, &[100, 100, 100], &[100, 100, 100]);
    }
}
