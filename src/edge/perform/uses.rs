//! Uses: what a quote takes of promotions when it is paid, and under whose name.
//!
//! Always  the same for a payment that begins and for one that is found at the gateway.

use crate::commerce::ids::CouponCode;
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
    let promotions = &live.bundle.rules.promotions;
    let need = |promotion: Option<&Promotion>, key: CouponCode| CouponNeed {
        code: promotion.map_or(key, Promotion::use_key),
        limit: promotion.and_then(|promotion| promotion.usage_limit),
        per_customer: promotion.and_then(|promotion| promotion.per_customer),
        first_order: promotion.is_some_and(|promotion| promotion.first_order),
    };
    let typed = quote.priced.coupons.iter().filter(|coupon| coupon.result.is_ok()).map(|coupon| {
        let names = |promotion: &&Promotion| promotion.code().is_some_and(|own| own.names(&coupon.code));
        need(promotions.iter().find(names), coupon.code.clone())
    });
    let automatic = quote.priced.automatic.iter().map(|given| {
        let is_it = |promotion: &&Promotion| promotion.id == given.promotion && promotion.trigger == Trigger::Automatic;
        need(promotions.iter().find(is_it), automatic_key(&given.promotion))
    });
    typed.chain(automatic).collect()
}
