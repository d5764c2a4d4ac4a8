//! Hints: what little more would bring a discount or free delivery, and which discounts depend on who buys.
//!
//! Owns    which of them are near enough to be told.
//! Always  only what would come true: an automatic promotion that is missing nothing else, and that what counts already may be joined with.
//! Limits  `MAX_HINTS` of what is near, the rate first, then promotions by id; a value is near from half of it on, units when one is missing.

use serde::{Deserialize, Serialize};

use crate::commerce::money::Money;
use crate::commerce::promotion::{Benefit, CouponRefusal, Missing, Promotion, PromotionFacts, Reach};

use super::Said;
use super::deal::{Deal, Trade};
use super::offers::Offers;

/// More would be noise, not help.
const MAX_HINTS: usize = 3;

/// What is missing for something better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hint {
    /// Goods for so much more, and the chosen rate costs nothing.
    FreeRate {
        /// How much.
        missing: Money,
    },
    /// Goods for so much more.
    Value {
        /// The promotion's title.
        title: String,
        /// How much.
        missing: Money,
    },
    /// So many more units.
    Units {
        /// The promotion's title.
        title: String,
        /// How many.
        missing: u32,
    },
    /// It counts if this is the first order of whoever buys.
    FirstOrder {
        /// The promotion's title.
        title: String,
    },
    /// It counts so often for one customer.
    PerCustomer {
        /// The promotion's title.
        title: String,
        /// How often.
        limit: u32,
    },
}

pub(super) fn hints<'a>(
    offers: &Offers<'a>,
    deal: &Deal<'a>,
    trade: &Trade<'a>,
    facts: &PromotionFacts<'_>,
    said: &Said<'_>,
) -> Vec<Hint> {
    let currency = facts.currency;
    let promotions = offers.automatic().filter(|(promotion, _)| may_count(promotion, deal)).filter_map(|(promotion, result)| {
        let title = || said.word(&promotion.title);
        match near(promotion, result, facts)? {
            Missing::Units(missing) => Some(Hint::Units { title: title(), missing }),
            Missing::Minor { more, .. } => Some(Hint::Value { title: title(), missing: Money::new(more, currency) }),
        }
    });
    let near = free_rate(deal, trade).into_iter().chain(promotions).take(MAX_HINTS);
    let unknown = deal.given.iter().filter(|_| facts.customer.is_none());
    unknown.filter_map(|(promotion, _)| condition(promotion, said)).chain(near).collect()
}

/// What has to be told before it is known who buys.
fn condition(promotion: &Promotion, said: &Said<'_>) -> Option<Hint> {
    let title = || said.word(&promotion.title);
    if promotion.first_order {
        return Some(Hint::FirstOrder { title: title() });
    }
    promotion.per_customer.map(|limit| Hint::PerCustomer { title: title(), limit })
}

/// Whether it counts already, or could beside all that does.
fn may_count(promotion: &Promotion, deal: &Deal<'_>) -> bool {
    deal.given.iter().all(|(given, _)| given.id == promotion.id || given.joins(promotion))
}

fn near(promotion: &Promotion, result: &Result<Reach, CouponRefusal>, facts: &PromotionFacts<'_>) -> Option<Missing> {
    let next_step = |reach: &Reach| promotion.benefit.to_next_step(reach, facts.lines, facts.currency);
    let missing = match result {
        Ok(reach) => next_step(reach)?,
        // Of a tiered one the value of what it covers is what is missing.
        Err(CouponRefusal::BelowMinimum { minimum }) if facts.goods_minor >= minimum.minor || is_tiered(promotion) => {
            next_step(&promotion.reach(facts.lines)).filter(|_| promotion.minimum_minor.is_empty())?
        }
        Err(CouponRefusal::BelowMinimum { minimum }) => {
            let with_enough = PromotionFacts { goods_minor: minimum.minor, ..*facts };
            promotion.judge(&with_enough).ok()?;
            Missing::Minor { more: minimum.minor - facts.goods_minor, from: minimum.minor }
        }
        // With a number of units of its own there may be steps beyond it.
        Err(CouponRefusal::TooFew { .. }) if is_tiered(promotion) && promotion.minimum_quantity > 0 => return None,
        Err(CouponRefusal::TooFew { more } | CouponRefusal::NoReward { more }) => Missing::Units(*more),
        Err(_) => return None,
    };
    let is_near = match missing {
        Missing::Units(more) => more == 1,
        Missing::Minor { more, from } => more > 0 && more <= from / 2,
    };
    is_near.then_some(missing)
}

fn is_tiered(promotion: &Promotion) -> bool {
    matches!(promotion.benefit, Benefit::Tiers(_))
}

fn free_rate(deal: &Deal<'_>, trade: &Trade<'_>) -> Option<Hint> {
    let (rate, price) = deal.rate()?;
    let from = rate.free_over_minor?;
    let goods: i64 = trade.goods.iter().map(|good| good.subtotal_minor).sum::<i64>() - deal.discounts.iter().sum::<i64>();
    let missing = from - goods;
    let costs = price - deal.shipping_discount > 0;
    (costs && missing > 0 && missing <= from / 2).then(|| Hint::FreeRate { missing: Money::new(missing, trade.market.currency) })
}
