//! Problems of promotions: what cannot be meant, what contradicts another, and what could never count.
//!
//! Always  where two are at odds both are named.

use crate::commerce::catalog::Catalog;
use crate::commerce::ids::{CategoryPath, CouponCode, MarketId, Slug};
use crate::commerce::money::{Currency, Percent};
use crate::commerce::promotion::{Benefit, MAX_AUTOMATIC, Promotion, Tier, TierFrom, TierOff, Trigger};
use crate::commerce::rules::Rules;

use super::is_amount;

/// Something in content/promotions. Promotions are named by their ids, which are the names of their files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromotionProblem {
    /// Only the first would ever be found.
    #[error("the promotions `{first}` and `{promotion}` have the same code `{code}`; give one another code")]
    DuplicateCode {
        /// The code.
        code: CouponCode,
        /// The one that would count.
        first: String,
        /// The other.
        promotion: String,
    },
    /// Nobody could type it.
    #[error("the code of the promotion `{promotion}` is blank, or longer than a cart can hold")]
    BadCode {
        /// Its id.
        promotion: String,
    },
    /// Its dates are reversed.
    #[error("the promotion `{promotion}` ends before it starts")]
    NeverHolds {
        /// Its id.
        promotion: String,
    },
    /// It names a market that does not exist.
    #[error("the promotion `{promotion}` names the market `{market}`, which does not exist")]
    WithoutMarket {
        /// Its id.
        promotion: String,
        /// As written.
        market: MarketId,
    },
    /// Outside 0 to `MAX_MINOR`.
    #[error("an amount of `{promotion}` is negative or larger than any price this shop can hold")]
    AmountOutOfRange {
        /// Its id.
        promotion: String,
    },
    /// Warning: a misspelt class joins nothing.
    #[error("the promotion `{promotion}` combines with the class `{class}`, which no other promotion has")]
    JoinsNothing {
        /// Its id.
        promotion: String,
        /// As written.
        class: String,
    },
    /// Of one class only the best counts.
    #[error("the promotion `{promotion}` is of the class `{class}` and combines with it; of one class only the best counts")]
    JoinsItself {
        /// Its id.
        promotion: String,
        /// Its class.
        class: String,
    },
    /// One says that they may be joined, the other does not.
    #[error(
        "the promotion `{promotion}` combines with the class `{class}`, and `{other}` of that class does not name `{own}`; write \
         combines_with = [\"{own}\"] there too, or take `{class}` out here"
    )]
    OneSided {
        /// Its id.
        promotion: String,
        /// The class it names.
        class: String,
        /// One of that class.
        other: String,
        /// Its own class.
        own: String,
    },
    /// Both count without a code, for the same, and only one of them can.
    #[error("the promotions `{first}` and `{promotion}` are automatic, of one class and alike; take one out")]
    Twins {
        /// One.
        first: String,
        /// The other.
        promotion: String,
    },
    /// A step that gives no more, or begins no later, than the one before it.
    #[error("the tiers of the promotion `{promotion}` have to rise, both where they begin and in what they give")]
    TierFalls {
        /// Its id.
        promotion: String,
    },
    /// Nothing is taken off, whatever is in the cart.
    #[error("the promotion `{promotion}` gives nothing: zero per cent, an amount of zero, or no use at all")]
    GivesNothing {
        /// Its id.
        promotion: String,
    },
    /// Nobody pays in it.
    #[error("the promotion `{promotion}` has an amount in {currency}, and no market it holds in sells in that currency")]
    CurrencyNowhere {
        /// Its id.
        promotion: String,
        /// The currency.
        currency: Currency,
    },
    /// It counts in no market.
    #[error("the promotion `{promotion}` counts nowhere: no market it holds in has all of its amounts; add them under `other`")]
    NoMarketLeft {
        /// Its id.
        promotion: String,
    },
    /// Each cart is held against each of them.
    #[error("there are {count} automatic promotions; a shop may have {MAX_AUTOMATIC}. Give some of them a code")]
    TooManyAutomatic {
        /// How many there are.
        count: usize,
    },
    /// It names a product that does not exist.
    #[error("the promotion `{promotion}` names the product `{product}`, which does not exist")]
    UnknownProduct {
        /// Its id.
        promotion: String,
        /// As written.
        product: Slug,
    },
    /// It names a category that does not exist.
    #[error("the promotion `{promotion}` names the category `{category}`, which does not exist")]
    UnknownCategory {
        /// Its id.
        promotion: String,
        /// As written.
        category: CategoryPath,
    },
    /// Nothing that is sold is meant.
    #[error("the promotion `{promotion}` covers no product, or makes none cheaper: nothing is in its products and categories")]
    CoversNothing {
        /// Its id.
        promotion: String,
    },
}

impl PromotionProblem {
    /// Whether the shop can still be built.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::JoinsNothing { .. })
    }

    /// The promotion it is about, and another that it is at odds with.
    pub fn promotions(&self) -> (Option<&str>, Option<&str>) {
        match self {
            Self::DuplicateCode { promotion, first: other, .. }
            | Self::Twins { promotion, first: other }
            | Self::OneSided { promotion, other, .. } => (Some(promotion), Some(other)),
            Self::BadCode { promotion }
            | Self::NeverHolds { promotion }
            | Self::WithoutMarket { promotion, .. }
            | Self::AmountOutOfRange { promotion }
            | Self::JoinsNothing { promotion, .. }
            | Self::JoinsItself { promotion, .. }
            | Self::TierFalls { promotion }
            | Self::GivesNothing { promotion }
            | Self::CurrencyNowhere { promotion, .. }
            | Self::NoMarketLeft { promotion }
            | Self::UnknownProduct { promotion, .. }
            | Self::UnknownCategory { promotion, .. }
            | Self::CoversNothing { promotion } => (Some(promotion), None),
            Self::TooManyAutomatic { .. } => (None, None),
        }
    }
}

impl Rules {
    /// Everything about promotions that cannot be meant; what they cover is judged by the catalogue.
    pub fn problems_of_promotions(&self) -> Vec<PromotionProblem> {
        let mut found = Vec::new();
        let count = self.promotions.iter().filter(|promotion| promotion.trigger == Trigger::Automatic).count();
        if count > MAX_AUTOMATIC {
            found.push(PromotionProblem::TooManyAutomatic { count });
        }
        for (index, promotion) in self.promotions.iter().enumerate() {
            let earlier = &self.promotions[..index];
            of_trigger(promotion, earlier, &mut found);
            of_itself(promotion, &mut found);
            self.of_markets(promotion, &mut found);
            self.of_classes(promotion, &mut found);
        }
        found
    }

    fn of_markets(&self, promotion: &Promotion, found: &mut Vec<PromotionProblem>) {
        let id = || promotion.id.clone();
        for market in promotion.markets.iter().filter(|market| self.market(market).is_none()) {
            found.push(PromotionProblem::WithoutMarket { promotion: id(), market: market.clone() });
        }
        let holds_in = |market: &&MarketId| promotion.markets.is_empty() || promotion.markets.contains(market);
        let currencies: Vec<Currency> =
            self.markets.iter().filter(|market| holds_in(&&market.id)).map(|market| market.currency).collect();
        if currencies.is_empty() {
            return;
        }
        let mut nowhere: Vec<Currency> = promotion.amounts().map(|(currency, _)| currency).collect();
        nowhere.sort();
        nowhere.dedup();
        nowhere.retain(|currency| !currencies.contains(currency));
        if !currencies.iter().any(|currency| promotion.is_offered_in(*currency)) && nowhere.is_empty() {
            found.push(PromotionProblem::NoMarketLeft { promotion: id() });
        }
        found.extend(nowhere.into_iter().map(|currency| PromotionProblem::CurrencyNowhere { promotion: id(), currency }));
    }

    fn of_classes(&self, promotion: &Promotion, found: &mut Vec<PromotionProblem>) {
        let (id, own) = (|| promotion.id.clone(), &promotion.stacking_class);
        for class in &promotion.combines_with {
            if class == own {
                found.push(PromotionProblem::JoinsItself { promotion: id(), class: class.clone() });
                continue;
            }
            let mut of_it = self.promotions.iter().filter(|other| other.stacking_class == *class).peekable();
            if of_it.peek().is_none() {
                found.push(PromotionProblem::JoinsNothing { promotion: id(), class: class.clone() });
            }
            if let Some(other) = of_it.find(|other| !other.combines_with.contains(own)) {
                let (class, other, own) = (class.clone(), other.id.clone(), own.clone());
                found.push(PromotionProblem::OneSided { promotion: id(), class, other, own });
            }
        }
    }
}

fn of_trigger(promotion: &Promotion, earlier: &[Promotion], found: &mut Vec<PromotionProblem>) {
    let id = || promotion.id.clone();
    match promotion.code() {
        Some(code) => {
            if !code.is_typable() {
                found.push(PromotionProblem::BadCode { promotion: id() });
            }
            let has_it = |other: &&Promotion| other.code().is_some_and(|own| own.names(code));
            if let Some(first) = earlier.iter().find(has_it) {
                let (code, first) = (code.clone(), first.id.clone());
                found.push(PromotionProblem::DuplicateCode { code, first, promotion: id() });
            }
        }
        None => {
            let named = |other: &Promotion| Promotion { id: id(), title: promotion.title.clone(), ..other.clone() };
            if let Some(first) = earlier.iter().find(|other| named(other) == *promotion) {
                found.push(PromotionProblem::Twins { first: first.id.clone(), promotion: id() });
            }
        }
    }
}

fn of_itself(promotion: &Promotion, found: &mut Vec<PromotionProblem>) {
    let id = || promotion.id.clone();
    if matches!((promotion.starts_at, promotion.ends_at), (Some(from), Some(until)) if until <= from) {
        found.push(PromotionProblem::NeverHolds { promotion: id() });
    }
    if !promotion.amounts().all(|(_, minor)| is_amount(minor)) {
        found.push(PromotionProblem::AmountOutOfRange { promotion: id() });
    }
    let is_zero = |amounts: &[(Currency, i64)]| amounts.iter().all(|(_, minor)| *minor == 0);
    let gives_nothing = match &promotion.benefit {
        Benefit::Percentage(percent) => percent.millionths() == 0,
        Benefit::Fixed(amounts) => is_zero(amounts),
        Benefit::FreeShipping => false,
        Benefit::BuyGet(deal) => deal.off.millionths() == 0,
        Benefit::Tiers(tiers) => tiers.first().is_none_or(|tier| match &tier.off {
            TierOff::Percentage(percent) => percent.millionths() == 0,
            TierOff::Fixed(amounts) => is_zero(amounts),
        }),
    };
    if gives_nothing || promotion.usage_limit == Some(0) || promotion.per_customer == Some(0) {
        found.push(PromotionProblem::GivesNothing { promotion: id() });
    }
    if let Benefit::Tiers(tiers) = &promotion.benefit
        && !tiers.windows(2).all(|pair| rises(&pair[0], &pair[1]))
    {
        found.push(PromotionProblem::TierFalls { promotion: id() });
    }
}

/// Whether a step begins later than the one before it and gives more, each measured in the same way.
fn rises(earlier: &Tier, later: &Tier) -> bool {
    let more = |less: &[(Currency, i64)], more: &[(Currency, i64)]| {
        less.len() == more.len() && less.iter().zip(more).all(|(one, other)| one.0 == other.0 && one.1 < other.1)
    };
    let percent = |off: &Percent| off.millionths();
    let begins = match (&earlier.from, &later.from) {
        (TierFrom::Quantity(less), TierFrom::Quantity(more)) => less < more,
        (TierFrom::Value(less), TierFrom::Value(value)) => more(less, value),
        _ => false,
    };
    begins
        && match (&earlier.off, &later.off) {
            (TierOff::Percentage(less), TierOff::Percentage(more)) => percent(less) < percent(more),
            (TierOff::Fixed(less), TierOff::Fixed(amounts)) => more(less, amounts),
            _ => false,
        }
}

impl Catalog {
    /// What promotions name that is not there, and those that could never count for anything.
    pub fn problems_of_promotions(&self, rules: &Rules) -> Vec<PromotionProblem> {
        let mut found = Vec::new();
        for promotion in &rules.promotions {
            let id = || promotion.id.clone();
            let reward = if let Benefit::BuyGet(deal) = &promotion.benefit { Some(deal) } else { None };
            let before = found.len();
            let products = promotion.products.iter().chain(reward.iter().flat_map(|deal| &deal.products));
            let unknown = products.filter(|slug| self.product(slug.as_str()).is_none());
            found.extend(unknown.map(|product| PromotionProblem::UnknownProduct { promotion: id(), product: product.clone() }));
            let categories = promotion.categories.iter().chain(reward.iter().flat_map(|deal| &deal.categories));
            let unknown = categories.filter(|path| self.category_index(path).is_none());
            found.extend(
                unknown.map(|category| PromotionProblem::UnknownCategory { promotion: id(), category: category.clone() }),
            );
            let own_reward = reward.filter(|deal| deal.has_own_reward());
            let is_covered = self.products().iter().any(|product| promotion.covers(product));
            let is_rewarded = own_reward.is_none_or(|deal| self.products().iter().any(|product| deal.rewards(product)));
            if found.len() == before && !self.products().is_empty() && !(is_covered && is_rewarded) {
                found.push(PromotionProblem::CoversNothing { promotion: id() });
            }
        }
        found
    }
}
