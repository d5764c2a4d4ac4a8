//! Promotion: the rule behind a discount, whether it applies, and which of them may be joined.
//!
//! Owns    conditions, coverage and the joining of classes; what a benefit takes off is in `benefit`.
//! Always  takes at most what a line still costs; what several give does not depend on the order in which codes were typed.

use serde::{Deserialize, Serialize};

use super::cart::MAX_LINES;
use super::catalog::Product;
use super::ids::{CategoryPath, CouponCode, MarketId, Slug, Timestamp};
use super::money::{Currency, Money};
pub use benefit::{Benefit, BuyGet, Tier, TierFrom, TierOff};
pub(crate) use benefit::{Missing, Taking};

mod benefit;

/// Automatic promotions a shop may declare: every cart is held against each of them.
pub const MAX_AUTOMATIC: usize = 50;
/// Promotions that are weighed against each other for one cart: all joinable sets of them are walked, at most 256.
pub const MAX_WEIGHED: usize = 8;

/// A declared promotion (content/promotions/ID.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// The file's name.
    pub id: String,
    /// What the cart calls it.
    pub title: String,
    /// What makes it count.
    pub trigger: Trigger,
    /// What it gives.
    pub benefit: Benefit,
    /// Fewest goods before discounts, per currency (minor units); in another currency it does not apply. Empty: no minimum.
    pub minimum_minor: Vec<(Currency, i64)>,
    /// Fewest units of what it covers; 0: no minimum.
    pub minimum_quantity: u32,
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
    /// Orders of one customer that may use it; held in the same way.
    pub per_customer: Option<u32>,
    /// Whether it is for a customer's first order alone.
    pub first_order: bool,
    /// Of one class only the best for the shopper counts.
    pub stacking_class: String,
    /// Classes it may be joined with; both sides must name each other's class.
    pub combines_with: Vec<String>,
}

/// What makes a promotion count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trigger {
    /// Nothing: it counts in every cart that it holds for.
    Automatic,
    /// The shopper types this.
    Code(CouponCode),
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
    /// Whoever buys has ordered before, or has used it as often as one may: which of them is nothing that a stranger who knows an address
    /// is told.
    #[error("this code does not hold for whoever buys")]
    NotForCustomer,
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
    /// There are too few units of what it covers.
    #[error("this code needs {more} more of what it covers")]
    TooFew {
        /// How many are missing.
        more: u32,
    },
    /// What it makes cheaper is not in the cart.
    #[error("this code needs {more} more of what it makes cheaper")]
    NoReward {
        /// How many are missing.
        more: u32,
    },
    /// A better one of its class, or one it may not be joined with, counts instead.
    #[error("another discount in the cart gives more, and the two cannot be joined")]
    NotCombinable,
    /// With it the delivery would cost more than it takes off.
    #[error("the order costs less without this code, because of its delivery")]
    CostsMore,
}

impl CouponRefusal {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "coupon_unknown",
            Self::NotYet => "coupon_not_yet",
            Self::Expired => "coupon_expired",
            Self::UsedUp => "coupon_used_up",
            Self::NotForCustomer => "coupon_not_for_customer",
            Self::OtherMarket => "coupon_other_market",
            Self::BelowMinimum { .. } => "coupon_below_minimum",
            Self::NothingCovered => "coupon_nothing_covered",
            Self::TooFew { .. } => "coupon_too_few",
            Self::NoReward { .. } => "coupon_no_reward",
            Self::NotCombinable => "coupon_not_combinable",
            Self::CostsMore => "coupon_costs_more",
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
    /// What is in the cart.
    pub lines: &'a [Promoted<'a>],
    /// Ids of promotions known to be used up.
    pub used_up: &'a [String],
    /// Whoever buys; `None` while that is not known: then it holds, should nothing stand against it.
    pub customer: Option<&'a Customer>,
}

/// What is known of whoever buys, this order left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Customer {
    /// Whether there is an order, paid or about to be.
    pub has_ordered: bool,
    /// How often promotions were used, by the name their uses are counted under.
    pub uses: Vec<(CouponCode, u32)>,
}

impl Customer {
    /// How often a promotion was used.
    fn uses_of(&self, promotion: &Promotion) -> u32 {
        let key = promotion.use_key();
        self.uses.iter().find(|(used, _)| *used == key).map_or(0, |(_, count)| *count)
    }
}

/// A line as promotions see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promoted<'a> {
    /// What it is of.
    pub product: &'a Product,
    /// Units.
    pub quantity: u32,
    /// Price of each before discounts, minor units.
    pub unit_minor: i64,
    /// Whether it goes into the parcel.
    pub in_parcel: bool,
}

/// Some of a cart's lines, each a bit at its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineSet(u128);

const _: () = assert!(MAX_LINES <= u128::BITS as usize, "every line has a bit");

impl LineSet {
    fn of(lines: &[Promoted<'_>], is_in: impl Fn(&Promoted<'_>) -> bool) -> Self {
        let bits = lines.iter().enumerate().filter(|(_, line)| is_in(line));
        Self(bits.fold(0, |set, (index, _)| set | 1 << index))
    }

    pub(crate) fn has(self, index: usize) -> bool {
        self.0 & 1 << index != 0
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn units(self, lines: &[Promoted<'_>]) -> u64 {
        lines.iter().enumerate().filter(|(index, _)| self.has(*index)).map(|(_, line)| u64::from(line.quantity)).sum()
    }
}

/// The lines that a promotion is about, found once for a cart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Those it covers.
    pub covered: LineSet,
    /// Those it makes cheaper for the others; empty where it has no such.
    pub rewarded: LineSet,
}

impl Promotion {
    /// Whether it may be used here and now, by itself, and then for which lines.
    pub(crate) fn judge(&self, facts: &PromotionFacts<'_>) -> Result<Reach, CouponRefusal> {
        if !self.markets.is_empty() && !self.markets.contains(facts.market) {
            return Err(CouponRefusal::OtherMarket);
        }
        if self.starts_at.is_some_and(|from| facts.at < from) {
            return Err(CouponRefusal::NotYet);
        }
        if self.ends_at.is_some_and(|until| facts.at >= until) {
            return Err(CouponRefusal::Expired);
        }
        if facts.used_up.contains(&self.id) {
            return Err(CouponRefusal::UsedUp);
        }
        if !self.is_offered_in(facts.currency) {
            return Err(CouponRefusal::OtherMarket);
        }
        if self.first_order && facts.customer.is_some_and(|customer| customer.has_ordered) {
            return Err(CouponRefusal::NotForCustomer);
        }
        let is_over = |(limit, customer): (u32, &Customer)| customer.uses_of(self) >= limit;
        if self.per_customer.zip(facts.customer).is_some_and(is_over) {
            return Err(CouponRefusal::NotForCustomer);
        }
        if let Some(minimum) = amount_in(&self.minimum_minor, facts.currency).filter(|minimum| facts.goods_minor < *minimum) {
            return Err(CouponRefusal::BelowMinimum { minimum: Money::new(minimum, facts.currency) });
        }
        let reach = self.reach(facts.lines);
        if reach.covered.is_empty() {
            return Err(CouponRefusal::NothingCovered);
        }
        let more = u64::from(self.minimum_quantity).saturating_sub(reach.covered.units(facts.lines));
        if more > 0 {
            return Err(CouponRefusal::TooFew { more: u32::try_from(more).unwrap_or(u32::MAX) });
        }
        self.benefit.needs(&reach, facts.lines, facts.currency).map_or(Ok(reach), Err)
    }

    /// Whether it has amounts in that currency, where it has amounts.
    pub fn is_offered_in(&self, currency: Currency) -> bool {
        let has_minimum = self.minimum_minor.is_empty() || amount_in(&self.minimum_minor, currency).is_some();
        has_minimum && self.benefit.is_given_in(currency)
    }

    pub(crate) fn reach(&self, lines: &[Promoted<'_>]) -> Reach {
        let needs_parcel = self.benefit == Benefit::FreeShipping;
        let covered = LineSet::of(lines, |line| (line.in_parcel || !needs_parcel) && self.covers(line.product));
        let rewarded = match &self.benefit {
            Benefit::BuyGet(deal) if deal.has_own_reward() => LineSet::of(lines, |line| deal.rewards(line.product)),
            Benefit::BuyGet(_) => covered,
            _ => LineSet::default(),
        };
        Reach { covered, rewarded }
    }

    /// Whether it counts for lines of that product.
    pub fn covers(&self, product: &Product) -> bool {
        let everything = self.products.is_empty() && self.categories.is_empty();
        everything || names(&self.products, &self.categories, product)
    }

    /// Every amount it is written with, per currency.
    pub(crate) fn amounts(&self) -> impl Iterator<Item = (Currency, i64)> {
        self.minimum_minor.iter().copied().chain(self.benefit.amounts())
    }

    /// The code that is typed for it.
    pub fn code(&self) -> Option<&CouponCode> {
        match &self.trigger {
            Trigger::Code(code) => Some(code),
            Trigger::Automatic => None,
        }
    }

    /// Whether it depends on who buys.
    pub fn asks_who_buys(&self) -> bool {
        self.first_order || self.per_customer.is_some()
    }

    /// Under which name its uses are counted. A code in any case is upper case there, so that no two of these are the same.
    pub fn use_key(&self) -> CouponCode {
        match &self.trigger {
            Trigger::Code(code) => code.clone(),
            Trigger::Automatic => automatic_key(&self.id),
        }
    }

    /// Whether the two may count in one cart.
    pub fn joins(&self, other: &Promotion) -> bool {
        self.stacking_class != other.stacking_class
            && self.combines_with.contains(&other.stacking_class)
            && other.combines_with.contains(&self.stacking_class)
    }

    /// Whole units count first, then percentages, then amounts, then shipping; equals by id. So the order of typing does not matter.
    pub(crate) fn rank(&self) -> (u8, &str) {
        let kind = match self.benefit {
            Benefit::BuyGet(_) => 0,
            Benefit::Percentage(_) => 1,
            Benefit::Tiers(_) => 2,
            Benefit::Fixed(_) => 3,
            Benefit::FreeShipping => 4,
        };
        (kind, &self.id)
    }
}

/// Under which name the uses of an automatic promotion are counted.
pub fn automatic_key(id: &str) -> CouponCode {
    CouponCode(format!("auto:{id}"))
}

fn names(products: &[Slug], categories: &[CategoryPath], product: &Product) -> bool {
    let by_category = |held: &CategoryPath| categories.iter().any(|category| held.is_within(category));
    products.contains(&product.slug) || product.categories.iter().any(by_category)
}

fn amount_in(amounts: &[(Currency, i64)], currency: Currency) -> Option<i64> {
    amounts.iter().find(|(held, _)| *held == currency).map(|(_, minor)| *minor)
}

/// Walks all sets of promotions that may count together, the empty one first, each from the set without its last member: `add` makes what is
/// known of a set with one more out of what is known of that without it, and `look` is shown every set, with the bit of each member's place.
/// So what the members of many sets have in common is worked out once.
///
/// Limits: at most `MAX_WEIGHED` promotions.
pub(crate) fn walk_joinable<T>(promotions: &[&Promotion], none: T, add: impl Fn(&T, usize) -> T, mut look: impl FnMut(u32, &T)) {
    assert!(promotions.len() <= MAX_WEIGHED, "few promotions are weighed at once");
    let joins_of = |one: &&Promotion| {
        let joined = promotions.iter().enumerate().filter(|(_, other)| one.joins(other));
        joined.fold(0, |set, (index, _)| set | 1 << index)
    };
    let joins: Vec<u32> = promotions.iter().map(joins_of).collect();
    let mut ahead = vec![(0_u32, 0, none)];
    while let Some((set, next, known)) = ahead.pop() {
        look(set, &known);
        for index in (next..joins.len()).filter(|index| set & !joins[*index] == 0) {
            ahead.push((set | 1 << index, index + 1, add(&known, index)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::{coupon, euros_off};

    #[test]
    fn all_sets_that_join_are_walked_and_no_others_each_from_the_one_before() {
        let promotion = |id: &str, joins: &[&str]| {
            let mut promotion = coupon(id, euros_off(1));
            promotion.combines_with = joins.iter().map(|class| (*class).to_owned()).collect();
            promotion
        };
        // a–b, b–c and c–d join; a names d, but d does not name a.
        let all = [promotion("a", &["b", "d"]), promotion("b", &["a", "c"]), promotion("c", &["b", "d"]), promotion("d", &["c"])];
        let sets = |chosen: &[&Promotion]| {
            let ids =
                |set: u32| (0..chosen.len()).filter(move |index| set & 1 << index != 0).map(|index| chosen[index].id.as_str());
            let (adds, mut sets) = (std::cell::Cell::new(0), Vec::new());
            let add = |known: &String, index: usize| {
                adds.set(adds.get() + 1);
                known.clone() + &chosen[index].id
            };
            walk_joinable(chosen, String::new(), add, |set, known| {
                assert_eq!(*known, ids(set).collect::<String>());
                sets.push(known.clone());
            });
            assert_eq!(adds.get(), sets.len() - 1, "what is known of a set is worked out once");
            sets.sort();
            sets
        };
        assert_eq!(sets(&all.iter().collect::<Vec<_>>()), ["", "a", "ab", "b", "bc", "c", "cd", "d"]);
        assert_eq!(sets(&[&all[0], &all[3]]), ["", "a", "d"]);
        assert_eq!(sets(&[]), [""]);
    }

    #[test]
    fn uses_of_two_promotions_are_never_counted_as_one() {
        let automatic = Promotion { trigger: Trigger::Automatic, ..coupon("spring", euros_off(1)) };
        assert_eq!(automatic.use_key(), "auto:spring".into());
        assert_ne!(coupon("auto:spring", euros_off(1)).use_key(), automatic.use_key());
    }
}
