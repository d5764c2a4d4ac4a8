//! Offers: which promotions hold for a cart, and which of them count.
//!
//! Owns    the verdict on each code and each automatic promotion, the choice of the best deal, and what is said about both.
//! Always  the shopper pays the least that any joinable set of what holds gives; of equals the set with more promotions, then the one that
//!         comes first by rank and id. The order of typing does not matter.
//! Limits  `MAX_WEIGHED` promotions are weighed against each other: all codes that hold, and of the automatic ones those that take off
//!         most alone.

use serde::{Deserialize, Serialize};

use crate::commerce::cart::{Cart, MAX_COUPONS};
use crate::commerce::ids::CouponCode;
use crate::commerce::money::{Currency, Money};
use crate::commerce::promotion::{Benefit, CouponRefusal, MAX_WEIGHED, Promotion, PromotionFacts, Reach, Trigger, walk_joinable};
use crate::commerce::rules::Rules;

use super::Said;
use super::deal::{Deal, Left, Trade};

/// What a typed code did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponOutcome {
    /// The code.
    pub code: CouponCode,
    /// The promotion's title, where the code is known.
    pub title: Option<String>,
    /// The promotion's id, where the code is known; `None` in quotes of before there were others than codes.
    #[serde(default)]
    pub promotion: Option<String>,
    /// Whether it is taken off shipping, and not off the lines.
    #[serde(default)]
    pub on_shipping: bool,
    /// What it gave, or why not.
    pub result: Result<Money, CouponRefusal>,
}

impl CouponOutcome {
    /// Whether it takes anything off: only then it is used. One that holds and has nothing left to take from stays as good as new.
    pub fn takes_off(&self) -> bool {
        self.result.as_ref().is_ok_and(|amount| amount.minor > 0)
    }
}

/// What an automatic promotion gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutomaticDiscount {
    /// The promotion's id.
    pub promotion: String,
    /// Its title.
    pub title: String,
    /// Whether it is taken off shipping, and not off the lines.
    pub on_shipping: bool,
    /// How much; more than nothing.
    pub amount: Money,
}

/// A promotion that holds, with the lines it is about.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub promotion: &'a Promotion,
    pub reach: Reach,
}

/// What is known about each typed code before promotions are weighed against each other.
struct Verdict<'a> {
    code: &'a CouponCode,
    promotion: Option<&'a Promotion>,
    result: Result<Reach, CouponRefusal>,
}

/// All that was offered for a cart.
pub(super) struct Offers<'a> {
    /// In the order of typing.
    typed: Vec<Verdict<'a>>,
    /// By id.
    automatic: Vec<(&'a Promotion, Result<Reach, CouponRefusal>)>,
}

impl<'a> Offers<'a> {
    pub(super) fn of(cart: &'a Cart, rules: &'a Rules, facts: &PromotionFacts<'_>) -> Self {
        let mut typed: Vec<Verdict<'a>> = Vec::with_capacity(cart.coupons.len());
        for code in &cart.coupons {
            let names = |promotion: &&Promotion| promotion.code().is_some_and(|own| own.names(code));
            let promotion = rules.promotions.iter().find(names);
            let is_repeated = typed.len() >= MAX_COUPONS || typed.iter().any(|earlier| earlier.code.names(code));
            let result = match promotion {
                None => Err(CouponRefusal::Unknown),
                Some(_) if is_repeated => Err(CouponRefusal::NotCombinable),
                Some(promotion) => promotion.judge(facts),
            };
            typed.push(Verdict { code, promotion, result });
        }
        let automatic = rules.promotions.iter().filter(|promotion| promotion.trigger == Trigger::Automatic);
        Self { typed, automatic: automatic.map(|promotion| (promotion, promotion.judge(facts))).collect() }
    }

    /// The deal by which the shopper pays the least.
    pub(super) fn best(&self, trade: &Trade<'a>) -> Deal<'a> {
        let candidates = self.weighed(trade);
        let promotions: Vec<&Promotion> = candidates.iter().map(|candidate| candidate.promotion).collect();
        let mut best = (i64::MAX, std::cmp::Reverse(0), 0);
        let add = |left: &Left, index: usize| left.without(&candidates[index], trade);
        walk_joinable(&promotions, Left::whole(trade), add, |set, left| {
            best = best.min((left.payable_minor(trade), std::cmp::Reverse(set.count_ones()), set));
        });
        let in_best = candidates.iter().enumerate().filter(|(index, _)| best.2 & 1 << index != 0);
        Deal::of(in_best.map(|(_, candidate)| candidate), trade)
    }

    /// What is weighed against each other, in the order of ranks.
    fn weighed(&self, trade: &Trade<'a>) -> Vec<Candidate<'a>> {
        let typed = self.typed.iter().filter_map(|verdict| Some((verdict.promotion?, verdict.result.as_ref().ok()?)));
        let automatic = self.automatic.iter().filter_map(|(promotion, result)| Some((*promotion, result.as_ref().ok()?)));
        let candidate = |(promotion, reach): (&'a Promotion, &Reach)| Candidate { promotion, reach: *reach };
        let mut chosen: Vec<Candidate<'a>> = typed.map(candidate).collect();
        let mut automatic: Vec<Candidate<'a>> = automatic.map(candidate).collect();
        let room = MAX_WEIGHED - chosen.len();
        if automatic.len() > room {
            let whole = Left::whole(trade);
            let alone = |candidate: &Candidate<'a>| whole.without(candidate, trade).payable_minor(trade);
            automatic.sort_by_cached_key(|candidate| (alone(candidate), candidate.promotion.rank()));
            automatic.truncate(room);
        }
        chosen.append(&mut automatic);
        chosen.sort_by_key(|candidate| candidate.promotion.rank());
        chosen
    }

    /// What each code did.
    pub(super) fn outcomes(&self, deal: &Deal<'a>, currency: Currency, said: &Said<'_>) -> Vec<CouponOutcome> {
        let outcome = |verdict: &Verdict<'a>| CouponOutcome {
            code: verdict.code.clone(),
            title: verdict.promotion.map(|promotion| said.word(&promotion.title)),
            promotion: verdict.promotion.map(|promotion| promotion.id.clone()),
            on_shipping: verdict.promotion.is_some_and(|promotion| promotion.benefit == Benefit::FreeShipping),
            result: match (&verdict.result, verdict.promotion) {
                (Err(refusal), _) => Err(refusal.clone()),
                (Ok(_), None) => Err(CouponRefusal::Unknown),
                (Ok(_), Some(promotion)) => given(promotion, deal).map(|minor| Money::new(minor, currency)),
            },
        };
        self.typed.iter().map(outcome).collect()
    }

    /// What automatic promotions took off.
    pub(super) fn discounts(&self, deal: &Deal<'a>, currency: Currency, said: &Said<'_>) -> Vec<AutomaticDiscount> {
        let took = |(promotion, minor): &&(&Promotion, i64)| promotion.trigger == Trigger::Automatic && *minor > 0;
        let discount = |(promotion, minor): &(&Promotion, i64)| AutomaticDiscount {
            promotion: promotion.id.clone(),
            title: said.word(&promotion.title),
            on_shipping: promotion.benefit == Benefit::FreeShipping,
            amount: Money::new(*minor, currency),
        };
        deal.given.iter().filter(took).map(discount).collect()
    }

    /// Automatic promotions with what was said of each.
    pub(super) fn automatic(&self) -> impl Iterator<Item = (&'a Promotion, &Result<Reach, CouponRefusal>)> {
        self.automatic.iter().map(|(promotion, result)| (*promotion, result))
    }
}

/// What a promotion that holds gave in the end.
fn given(promotion: &Promotion, deal: &Deal<'_>) -> Result<i64, CouponRefusal> {
    if let Some((_, minor)) = deal.given.iter().find(|(given, _)| given.id == promotion.id) {
        return Ok(*minor);
    }
    let would_join = deal.given.iter().all(|(given, _)| given.joins(promotion));
    Err(if would_join { CouponRefusal::CostsMore } else { CouponRefusal::NotCombinable })
}
