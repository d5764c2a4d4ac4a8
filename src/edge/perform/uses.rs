//! Uses: what a quote takes of promotions when it is paid, under whose name, and which promotions have none left.
//!
//! Always  the same for a payment that begins and for one that is found at the gateway.

use crate::commerce::ids::CouponCode;
use crate::commerce::pricing::PricedCart;
use crate::commerce::promotion::{Promotion, Trigger, automatic_key};
use crate::commerce::quote::Quote;
use crate::edge::key_ring::{KeyRing, Purpose};
use crate::edge::live::Live;
use crate::store::CouponNeed;

/// Whose the order is, by every key.
pub(super) fn customer(keys: &KeyRing, quote: &Quote) -> Vec<String> {
    quote.contact.customer().map(|name| keys.names(Purpose::Customer, &name)).unwrap_or_default()
}

/// Uses that a quote takes: of each code that gives something, and of each automatic promotion that took something off.
pub(super) fn needs(live: &Live, quote: &Quote) -> Vec<CouponNeed> {
    taken(&live.bundle.rules.promotions, &quote.priced)
}

fn taken(promotions: &[Promotion], priced: &PricedCart) -> Vec<CouponNeed> {
    let need = |promotion: Option<&Promotion>, key: CouponCode| CouponNeed {
        code: promotion.map_or(key, Promotion::use_key),
        limit: promotion.and_then(|promotion| promotion.usage_limit),
        per_customer: promotion.and_then(|promotion| promotion.per_customer),
        first_order: promotion.is_some_and(|promotion| promotion.first_order),
    };
    let typed = priced.coupons.iter().filter(|coupon| coupon.takes_off()).map(|coupon| {
        let names = |promotion: &&Promotion| promotion.code().is_some_and(|own| own.names(&coupon.code));
        need(promotions.iter().find(names), coupon.code.clone())
    });
    let automatic = priced.automatic.iter().map(|given| {
        let is_it = |promotion: &&Promotion| promotion.id == given.promotion && promotion.trigger == Trigger::Automatic;
        need(promotions.iter().find(is_it), automatic_key(&given.promotion))
    });
    typed.chain(automatic).collect()
}

/// Under which names uses are asked for every second: where there is no limit nobody needs to know how many there are.
pub(super) fn limited(promotions: &[Promotion]) -> Vec<CouponCode> {
    promotions.iter().filter(|promotion| promotion.usage_limit.is_some()).map(Promotion::use_key).collect()
}

/// Ids of promotions that have no use left.
pub(super) fn used_up(promotions: &[Promotion], uses: &[(CouponCode, u32)]) -> Vec<String> {
    let is_used_up = |promotion: &&Promotion| {
        // To the letter: `auto:spring` is no code that somebody typed, and `AUTO:SPRING` is one.
        let key = promotion.use_key();
        let count = uses.iter().find(|(used, _)| *used == key).map_or(0, |(_, count)| *count);
        promotion.usage_limit.is_some_and(|limit| count >= limit)
    };
    promotions.iter().filter(is_used_up).map(|promotion| promotion.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::{Shop, cart, coupon, euros_off, percent_off};

    fn limited_to(limit: Option<u32>, promotion: Promotion) -> Promotion {
        Promotion { usage_limit: limit, ..promotion }
    }

    fn spring() -> Promotion {
        Promotion { trigger: Trigger::Automatic, ..coupon("spring", euros_off(100)) }
    }

    #[test]
    fn a_code_that_is_spelled_like_an_automatic_promotion_uses_nothing_of_it() {
        let promotions = [limited_to(Some(1), spring()), limited_to(Some(1), coupon("AUTO:SPRING", euros_off(50)))];
        let uses = |code: &str| [(CouponCode::from(code), 1)];
        assert_eq!(used_up(&promotions, &uses("AUTO:SPRING")), ["AUTO:SPRING"]);
        assert_eq!(used_up(&promotions, &uses("auto:spring")), ["spring"]);
    }

    #[test]
    fn uses_are_asked_for_where_there_is_a_limit() {
        let promotions = [spring(), coupon("MANY", euros_off(1)), limited_to(Some(5), coupon("FIVE", euros_off(1)))];
        assert_eq!(limited(&promotions), ["FIVE".into()]);
    }

    #[test]
    fn a_code_that_takes_nothing_off_keeps_its_use() {
        let joined = |id: &str, with: &str, benefit| Promotion { combines_with: vec![with.to_owned()], ..coupon(id, benefit) };
        let shop = Shop::of(&[1000]).with(joined("all", "five", percent_off("100"))).with(joined("five", "all", euros_off(500)));
        let priced = shop.price(&cart(&[(0, 1)], &["all", "five"])).expect("it is priced");
        assert_eq!(priced.coupons[1].result.as_ref().map(|money| money.minor), Ok(0), "the other one left nothing");
        let codes: Vec<CouponCode> = taken(&shop.rules.promotions, &priced).into_iter().map(|need| need.code).collect();
        assert_eq!(codes, [shop.rules.promotions[0].use_key()]);
        let held: Vec<bool> = shop.rules.promotions.iter().map(|promotion| priced.uses(promotion)).collect();
        assert_eq!(held, [true, false]);
    }
}
