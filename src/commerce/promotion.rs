//! Promotion: the rule behind a coupon code, whether it applies, and what it takes off.
//!
//! Owns    conditions, coverage, the arithmetic of one benefit, and which promotions may be joined.
//! Always  takes at most what a line still costs; what several give does not depend on the order in which codes were typed.

use serde::{Deserialize, Serialize};

use super::catalog::Product;
use super::ids::{CategoryPath, CouponCode, MarketId, Slug, Timestamp};
use super::money::{Currency, Money, Percent, Rounding};

/// A declared coupon (content/promotions/ID.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// The file's name.
    pub id: String,
    /// What the cart calls it.
    pub title: String,
    /// What the shopper types.
    pub code: CouponCode,
    /// What it gives.
    pub benefit: Benefit,
    /// Fewest goods before discounts, per currency (minor units); in another currency it does not apply. Empty: no minimum.
    pub minimum_minor: Vec<(Currency, i64)>,
    /// Only these markets; empty: all.
    pub markets: Vec<MarketId>,
    /// Only lines of these products or categories; both empty: all lines.
    pub products: Vec<Slug>,
    /// Categories with all below them.
    pub categories: Vec<CategoryPath>,
    /// First instant.
    pub starts_at: Option<Timestamp>,
    /// First instant after it.
    pub ends_at: Option<Timestamp>,
    /// Orders that may use it in all; reserved like stock when paying.
    pub usage_limit: Option<u32>,
    /// Of one class only the best for the shopper counts.
    pub stacking_class: String,
    /// Classes it may be joined with; both sides must name each other's class.
    pub combines_with: Vec<String>,
}

/// What a promotion gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Benefit {
    /// Percent off the lines it covers.
    Percentage(Percent),
    /// An amount off, spread over the lines it covers, never more than they cost; minor units per currency.
    Fixed(Vec<(Currency, i64)>),
    /// The chosen shipping rate costs nothing.
    FreeShipping,
}

/// Why a code gives nothing; each has a stable code and a buyer's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum CouponRefusal {
    /// No such code.
    #[error("this code is not known")]
    Unknown,
    /// Its time has not come.
    #[error("this code does not hold yet")]
    NotYet,
    /// Its time is over.
    #[error("this code has run out")]
    Expired,
    /// Its uses are used up.
    #[error("this code has been used up")]
    UsedUp,
    /// Not in this market.
    #[error("this code does not hold here")]
    OtherMarket,
    /// The goods are worth too little.
    #[error("this code needs goods for at least {minimum}")]
    BelowMinimum {
        /// What is needed.
        minimum: Money,
    },
    /// It covers no line of this cart.
    #[error("this code does not cover anything in the cart")]
    NothingCovered,
    /// A better one of its class, or one it may not be joined with, counts instead.
    #[error("another code in the cart gives more, and the two cannot be joined")]
    NotCombinable,
}

impl CouponRefusal {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "coupon_unknown",
            Self::NotYet => "coupon_not_yet",
            Self::Expired => "coupon_expired",
            Self::UsedUp => "coupon_used_up",
            Self::OtherMarket => "coupon_other_market",
            Self::BelowMinimum { .. } => "coupon_below_minimum",
            Self::NothingCovered => "coupon_nothing_covered",
            Self::NotCombinable => "coupon_not_combinable",
        }
    }
}

/// What a promotion's conditions are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PromotionFacts<'a> {
    /// The cart's market.
    pub market: &'a MarketId,
    /// Its currency.
    pub currency: Currency,
    /// The instant.
    pub at: Timestamp,
    /// Goods before discounts, minor units.
    pub goods_minor: i64,
    /// Product of every line, and whether that line needs a parcel.
    pub lines: &'a [(&'a Product, bool)],
    /// Codes known to be used up.
    pub used_up: &'a [CouponCode],
}

impl Promotion {
    /// Whether it may be used here and now, by itself.
    pub(crate) fn judge(&self, facts: &PromotionFacts<'_>) -> Result<(), CouponRefusal> {
        if !self.markets.is_empty() && !self.markets.contains(facts.market) {
            return Err(CouponRefusal::OtherMarket);
        }
        if self.starts_at.is_some_and(|from| facts.at < from) {
            return Err(CouponRefusal::NotYet);
        }
        if self.ends_at.is_some_and(|until| facts.at >= until) {
            return Err(CouponRefusal::Expired);
        }
        if facts.used_up.iter().any(|code| code.names(&self.code)) {
            return Err(CouponRefusal::UsedUp);
        }
        if let Benefit::Fixed(amounts) = &self.benefit {
            amount_in(amounts, facts.currency).ok_or(CouponRefusal::OtherMarket)?;
        }
        if !self.minimum_minor.is_empty() {
            let minimum = amount_in(&self.minimum_minor, facts.currency).ok_or(CouponRefusal::OtherMarket)?;
            if facts.goods_minor < minimum {
                return Err(CouponRefusal::BelowMinimum { minimum: Money::new(minimum, facts.currency) });
            }
        }
        let helps = |(product, in_parcel): &(&Product, bool)| {
            self.covers(product) && (*in_parcel || self.benefit != Benefit::FreeShipping)
        };
        if facts.lines.iter().any(helps) { Ok(()) } else { Err(CouponRefusal::NothingCovered) }
    }

    /// Whether it counts for lines of that product.
    pub fn covers(&self, product: &Product) -> bool {
        let everything = self.products.is_empty() && self.categories.is_empty();
        let by_category = |held: &CategoryPath| self.categories.iter().any(|category| held.is_within(category));
        everything || self.products.contains(&product.slug) || product.categories.iter().any(by_category)
    }

    /// Whether the two may count in one cart.
    pub fn joins(&self, other: &Promotion) -> bool {
        self.stacking_class != other.stacking_class
            && self.combines_with.contains(&other.stacking_class)
            && other.combines_with.contains(&self.stacking_class)
    }

    /// What it takes off each covered line, in minor units. `left_minor` is what the lines still cost, 0 for those not covered.
    ///
    /// Rounding: once over all covered lines, then split over them, largest remainder first.
    pub(crate) fn take_off(&self, left_minor: &[i64], currency: Currency, rounding: Rounding) -> Vec<i64> {
        let covered: i64 = left_minor.iter().sum();
        let amount = match &self.benefit {
            Benefit::Percentage(percent) => {
                rounding.divide(i128::from(covered) * i128::from(percent.millionths()), Percent::WHOLE.millionths().into())
            }
            Benefit::Fixed(amounts) => amount_in(amounts, currency).unwrap_or(0).min(covered),
            Benefit::FreeShipping => 0,
        };
        Money::split_minor(amount, left_minor)
    }

    /// Percentages count first, then amounts, then shipping; equals by id. So the order of typing does not matter.
    pub(crate) fn rank(&self) -> (u8, &str) {
        let kind = match self.benefit {
            Benefit::Percentage(_) => 0,
            Benefit::Fixed(_) => 1,
            Benefit::FreeShipping => 2,
        };
        (kind, &self.id)
    }
}

fn amount_in(amounts: &[(Currency, i64)], currency: Currency) -> Option<i64> {
    amounts.iter().find(|(held, _)| *held == currency).map(|(_, minor)| *minor)
}

/// Every choice of promotions that may count together and to which no other could be added. At least one choice, maybe empty.
///
/// Limits: a cart holds at most `cart::MAX_COUPONS` codes, so at most 32 sets are looked at.
pub(crate) fn largest_joinable_sets<'a>(promotions: &[&'a Promotion]) -> Vec<Vec<&'a Promotion>> {
    assert!(promotions.len() <= super::cart::MAX_COUPONS, "a cart holds few codes");
    let members = |set: u32| (0..promotions.len()).filter(move |index| set & (1 << index) != 0);
    let joinable =
        |set: u32| members(set).all(|one| members(set).all(|other| one == other || promotions[one].joins(promotions[other])));
    let sets: Vec<u32> = (0..1 << promotions.len()).filter(|set| joinable(*set)).collect();
    let is_largest = |set: &u32| !sets.iter().any(|other| other != set && other & set == *set);
    sets.iter().filter(|set| is_largest(set)).map(|set| members(*set).map(|index| promotions[index]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::{coupon, euro, euros_off, percent_off};

    #[track_caller]
    fn check(benefit: Benefit, left_minor: &[i64], expected: &[i64]) {
        assert_eq!(coupon("a", benefit).take_off(left_minor, euro(), Rounding::HalfUp), expected);
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

    #[test]
    fn joinable_sets_cannot_be_made_larger() {
        let promotion = |id: &str, joins: &[&str]| {
            let mut promotion = coupon(id, euros_off(1));
            promotion.combines_with = joins.iter().map(|class| (*class).to_owned()).collect();
            promotion
        };
        // a–b, b–c and c–d join; a names d, but d does not name a.
        let all = [promotion("a", &["b", "d"]), promotion("b", &["a", "c"]), promotion("c", &["b", "d"]), promotion("d", &["c"])];
        let sets = |chosen: &[&Promotion]| {
            let ids = |set: Vec<&Promotion>| set.iter().map(|promotion| promotion.id.clone()).collect::<String>();
            largest_joinable_sets(chosen).into_iter().map(ids).collect::<Vec<_>>()
        };
        assert_eq!(sets(&all.iter().collect::<Vec<_>>()), ["ab", "bc", "cd"]);
        assert_eq!(sets(&[&all[0], &all[3]]), ["a", "d"]);
        assert_eq!(sets(&[]), [""]);
    }
}
