//! Pricing: what holds for every cart. Small spaces in full, large ones by chance.

use std::num::NonZeroU32;

use proptest::prelude::*;

use crate::commerce::cart::{Cart, MAX_QUANTITY};
use crate::commerce::catalog::SaleWindow;
use crate::commerce::fixture::*;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{MAX_MINOR, Rounding};
use crate::commerce::promotion::{Benefit, BuyGet, Promotion, Tier, TierFrom, TierOff, Trigger};
use crate::commerce::rules::{RoundingScope, Rules};
use crate::commerce::shipping::RatePrice;
use crate::commerce::tax::TaxMode;

use super::PricedCart;

const MODES: [TaxMode; 2] = [TaxMode::Inclusive, TaxMode::Exclusive];
const SCOPES: [RoundingScope; 2] = [RoundingScope::Line, RoundingScope::Total];
const ROUNDINGS: [Rounding; 4] = [Rounding::HalfUp, Rounding::HalfEven, Rounding::Down, Rounding::Up];

/// Every promise about sums, on one priced cart.
fn adds_up(priced: &PricedCart) {
    let totals = &priced.totals;
    let sum = |part: fn(&super::PricedLine) -> i64| priced.lines.iter().map(part).sum::<i64>();
    assert_eq!(sum(|line| line.subtotal.minor), totals.subtotal.minor);
    assert_eq!(sum(|line| line.discount.minor), totals.discount.minor);
    assert_eq!(sum(|line| line.tax.minor) + priced.shipping_tax.minor, totals.tax.minor);
    assert_eq!(priced.taxes.iter().map(|part| part.tax.minor).sum::<i64>(), totals.tax.minor);

    let goods = totals.subtotal.minor - totals.discount.minor;
    let shipping = totals.shipping.minor - totals.shipping_discount.minor;
    let on_top = if priced.tax_mode == TaxMode::Exclusive { totals.tax.minor } else { 0 };
    assert_eq!(totals.total.minor, goods + shipping + on_top);
    let taxed: i64 = priced.taxes.iter().map(|part| part.base.minor).sum();
    assert_eq!(taxed, if priced.tax_country.is_some() { goods + shipping } else { 0 });

    for amount in [totals.subtotal, totals.discount, totals.shipping, totals.shipping_discount, totals.tax, totals.total] {
        assert!(amount.minor >= 0, "{totals:?}");
    }
    assert!(shipping >= 0 && totals.tax.minor <= totals.total.minor, "{totals:?}");
    for line in &priced.lines {
        assert!((0..=line.subtotal.minor).contains(&line.discount.minor) && line.tax.minor >= 0, "{line:?}");
        assert_eq!(line.total.minor, line.subtotal.minor - line.discount.minor);
        assert_eq!(line.subtotal.minor, line.unit_price.minor * i64::from(line.quantity));
        assert!(line.tax.minor <= line.total.minor, "{line:?}");
    }
    for (on_shipping, expected) in [(false, totals.discount), (true, totals.shipping_discount)] {
        let typed = priced.coupons.iter().filter(|coupon| coupon.on_shipping == on_shipping);
        let automatic = priced.automatic.iter().filter(|given| given.on_shipping == on_shipping);
        let typed = typed.filter_map(|coupon| coupon.result.as_ref().ok()).map(|money| money.minor);
        assert_eq!(typed.chain(automatic.map(|given| given.amount.minor)).sum::<i64>(), expected.minor);
    }
}

#[test]
fn small_carts_add_up_in_every_mode_scope_and_rounding() {
    let prices = [0, 1, 5, 33, 99];
    for mode in MODES {
        for scope in SCOPES {
            for rounding in ROUNDINGS {
                for (first, second, third) in triples(&prices) {
                    let mut shop =
                        Shop::of(&[first, second, third]).sends_by(flat("post", 7)).with(coupon("a", percent_off("33.3333")));
                    shop.products[1].tax_class = "reduced".into();
                    let market = shop.market();
                    (market.tax_mode, market.rounding_scope, market.rounding) = (mode, scope, rounding);
                    for count in 1..=3 {
                        let lines: Vec<(usize, u32)> = (0..count).map(|index| (index, 1)).collect();
                        for codes in [&[][..], &["a"]] {
                            adds_up(&shop.price(&sent_to(cart(&lines, codes), "DE")).expect("it prices"));
                            adds_up(&shop.price(&cart(&lines, codes)).expect("it prices"));
                        }
                    }
                }
            }
        }
    }
}

fn triples(prices: &[i64]) -> impl Iterator<Item = (i64, i64, i64)> {
    prices
        .iter()
        .flat_map(move |first| prices.iter().flat_map(move |second| prices.iter().map(move |third| (*first, *second, *third))))
}

fn any_benefit() -> impl Strategy<Value = Benefit> {
    prop_oneof![
        (0u32..=1_000_000).prop_map(|millionths| percent_off(&percent_text(millionths))),
        (0..200_000i64).prop_map(euros_off),
        Just(Benefit::FreeShipping),
        any_buy_get(),
        prop::collection::vec((any::<bool>(), 1..200_000i64, 0u32..=1_000_000), 1..4).prop_map(any_tiers),
    ]
}

fn any_buy_get() -> impl Strategy<Value = Benefit> {
    let units = || (1u32..5).prop_map(|units| NonZeroU32::new(units).expect("some"));
    let (own, times) = (any::<bool>(), prop::option::of(units()));
    (units(), units(), 0u32..=1_000_000, own, times).prop_map(|(buy, get, millionths, own, times)| {
        let off = percent_text(millionths).parse().expect("a percentage");
        let categories = if own { vec!["shelf".into()] } else { Vec::new() };
        Benefit::BuyGet(BuyGet { buy, get, off, products: Vec::new(), categories, times })
    })
}

fn any_tiers(mut steps: Vec<(bool, i64, u32)>) -> Benefit {
    steps.sort_by_key(|(_, from, _)| *from);
    let by_units = steps[0].0;
    let tier = |(is_percent, from, off): (bool, i64, u32)| Tier {
        from: if by_units { TierFrom::Quantity((from / 10_000) as u32) } else { TierFrom::Value(vec![(euro(), from)]) },
        off: match is_percent {
            true => TierOff::Percentage(percent_text(off).parse().expect("a percentage")),
            false => TierOff::Fixed(vec![(euro(), off.into())]),
        },
    };
    Benefit::Tiers(steps.into_iter().map(tier).collect())
}

fn percent_text(millionths: u32) -> String {
    format!("{}.{:04}", millionths / 10_000, millionths % 10_000)
}

fn any_price() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..100_000i64, 1 => 0..=MAX_MINOR]
}

prop_compose! {
    fn any_shop()(
        products in prop::collection::vec((any_price(), any::<bool>(), any::<bool>(), any::<bool>()), 1..8),
        market in (prop::sample::select(&MODES[..]), prop::sample::select(&SCOPES[..]), prop::sample::select(&ROUNDINGS[..])),
        rates in (0u32..=1_000_000, 0u32..=1_000_000),
        shipping_by_class in any::<bool>(),
        post in (any_price(), prop::option::of(any_price())),
        promotions in prop::collection::vec((any_benefit(), 0..3u8, prop::collection::vec(0..3u8, 0..3), any::<bool>(), any::<bool>()), 0..5),
        free_over in prop::option::of(any_price()),
    ) -> Shop {
        let prices: Vec<i64> = products.iter().map(|(price, ..)| *price).collect();
        let mut shop = Shop::of(&prices);
        for (product, (_, reduced, sent, shelved)) in shop.products.iter_mut().zip(products) {
            product.tax_class = if reduced { "reduced".into() } else { "standard".into() };
            product.variants[0].requires_shipping = sent;
            product.categories = if shelved { vec!["shelf".into()] } else { Vec::new() };
        }
        (shop.market().tax_mode, shop.market().rounding_scope, shop.market().rounding) = market;
        shop.rules.tax.rates[0] = tax_row("DE", None, &percent_text(rates.0), &percent_text(rates.1));
        shop.rules.tax.shipping_class = shipping_by_class.then(|| "standard".into());
        let mut by_value = flat("value", 0);
        by_value.price = RatePrice::Value { tiers: vec![(10_000, post.0), (50_000, post.0 / 2)] };
        let mut by_post = flat("post", post.0);
        by_post.free_over_minor = free_over;
        shop = shop.sends_by(by_post).sends_by(by_value);
        shop.shipping_choice = post.1.map(|_| "value".into());
        for ((benefit, class, joins, shelved, typed), id) in promotions.into_iter().zip(["c0", "c1", "c2", "c3", "c4"]) {
            let mut promotion = coupon(id, benefit);
            promotion.stacking_class = class.to_string();
            promotion.combines_with = joins.iter().map(u8::to_string).collect();
            promotion.categories = if shelved { vec!["shelf".into()] } else { Vec::new() };
            if !typed {
                promotion.trigger = Trigger::Automatic;
            }
            shop = shop.with(promotion);
        }
        shop
    }
}

prop_compose! {
    fn any_cart()(
        lines in prop::collection::vec((0..9usize, prop_oneof![4 => 1..20u32, 1 => 0..=MAX_QUANTITY + 1]), 0..9),
        codes in Just(vec!["c0", "c1", "c2", "c3", "c4"]).prop_shuffle(),
        country in prop::option::of(prop::sample::select(vec!["DE", "AT", "US"])),
    ) -> Cart {
        let cart = cart(&lines, &codes);
        match country {
            Some(country) => sent_to(cart, country),
            None => cart,
        }
    }
}

proptest! {
    #[test]
    fn any_cart_of_any_shop_adds_up(shop in any_shop(), cart in any_cart()) {
        adds_up(&shop.price(&cart).expect("every class has a rate"));
    }

    #[test]
    fn the_order_of_codes_does_not_matter(shop in any_shop(), cart in any_cart()) {
        let mut turned = cart.clone();
        turned.coupons.reverse();
        let (one, other) = (shop.price(&cart).expect("it prices"), shop.price(&turned).expect("it prices"));
        prop_assert_eq!(one.totals, other.totals);
        prop_assert!(one.coupons.iter().eq(other.coupons.iter().rev()));
    }

    #[test]
    fn no_other_choice_of_promotions_costs_less(shop in any_shop(), cart in any_cart()) {
        let before_tax = |shop: &Shop| {
            let priced = shop.price(&cart).expect("it prices");
            let totals = priced.totals;
            let paid = totals.subtotal.minor - totals.discount.minor + totals.shipping.minor - totals.shipping_discount.minor;
            (paid, priced)
        };
        let (paid, priced) = before_tax(&shop);
        let all = &shop.rules.promotions;
        for set in 0u32..1 << all.len() {
            let is_in = |(index, _): &(usize, &Promotion)| set & 1 << index != 0;
            let some = all.iter().enumerate().filter(is_in).map(|(_, promotion)| promotion.clone()).collect();
            let fewer = Shop { rules: Rules { promotions: some, ..shop.rules.clone() }, ..shop.clone() };
            prop_assert!(paid <= before_tax(&fewer).0);
        }
        let counts = |promotion: &&Promotion| priced.uses(promotion);
        let counted: Vec<&Promotion> = all.iter().filter(counts).collect();
        for (index, one) in counted.iter().enumerate() {
            prop_assert!(counted[index + 1..].iter().all(|other| one.joins(other)));
        }
    }

    #[test]
    fn the_pages_price_is_the_carts_price(
        regular in any_price(),
        sales in prop::collection::vec((any_price(), prop::option::of(-3..3i64), prop::option::of(-3..3i64)), 0..3),
        quantity in 1..=MAX_QUANTITY,
    ) {
        let mut shop = Shop::of(&[regular]);
        let window = |(price_minor, from, until): &(i64, Option<i64>, Option<i64>)| SaleWindow {
            price_minor: *price_minor,
            from: from.map(|offset| Timestamp(NOW.0 + offset)),
            until: until.map(|offset| Timestamp(NOW.0 + offset)),
            until_offset_minutes: 0,
        };
        shop.products[0].variants[0].prices[0].sales = sales.iter().map(window).collect();
        let page = shop.products[0].variants[0].current_price(euro(), NOW).expect("it is sold in euros");
        let line = shop.price(&cart(&[(0, quantity)], &[])).expect("it prices").lines[0].clone();
        prop_assert_eq!((line.unit_price, line.compare_at), (page.unit, page.compare_at));
        prop_assert_eq!(line.subtotal.minor, page.unit.minor * i64::from(quantity));
    }
}
