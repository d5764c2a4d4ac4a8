//! Pricing of promotions, case by case: what counts without a code, what beats what, and what is near.

use std::num::NonZeroU32;

use crate::commerce::address::{Address, Contact};
use crate::commerce::fixture::*;
use crate::commerce::ids::CartId;
use crate::commerce::promotion::{Benefit, BuyGet, MAX_WEIGHED, Promotion, Tier, TierFrom, TierOff, Trigger};
use crate::commerce::quote::{Quote, QuoteParts};

use super::{Hint, PricedCart};

fn automatic(id: &str, benefit: Benefit) -> Promotion {
    Promotion { trigger: Trigger::Automatic, ..coupon(id, benefit) }
}

fn joined(mut promotion: Promotion, with: &[&str]) -> Promotion {
    promotion.combines_with = with.iter().map(|class| (*class).to_owned()).collect();
    promotion
}

fn buy_get(buy: u32, get: u32) -> Benefit {
    let units = |count| NonZeroU32::new(count).expect("some");
    let (products, categories, times) = (Vec::new(), Vec::new(), None);
    Benefit::BuyGet(BuyGet { buy: units(buy), get: units(get), off: "100".parse().expect("all"), products, categories, times })
}

fn steps(from: &[(i64, &str)]) -> Benefit {
    let step = |(minor, off): &(i64, &str)| Tier {
        from: TierFrom::Value(vec![(euro(), *minor)]),
        off: TierOff::Percentage(off.parse().expect("a percentage")),
    };
    Benefit::Tiers(from.iter().map(step).collect())
}

fn priced(shop: &Shop, lines: &[(usize, u32)], codes: &[&str]) -> PricedCart {
    shop.price(&sent_to(cart(lines, codes), "DE")).expect("it is priced")
}

#[track_caller]
fn check(shop: &Shop, (lines, codes): (&[(usize, u32)], &[&str]), expected: &[(&str, i64)]) -> PricedCart {
    let priced = priced(shop, lines, codes);
    let gave: Vec<(&str, i64)> = priced.automatic.iter().map(|given| (given.title.as_str(), given.amount.minor)).collect();
    assert_eq!(gave, expected);
    priced
}

#[test]
fn an_automatic_promotion_counts_without_a_code_while_its_conditions_hold() {
    let mut ten = automatic("ten", percent_off("10"));
    ten.minimum_minor = vec![(euro(), 2000)];
    let shop = Shop::of(&[1000]).with(ten);
    check(&shop, (&[(0, 1)], &[]), &[]);
    let priced = check(&shop, (&[(0, 2)], &[]), &[("ten", 200)]);
    assert_eq!(priced.totals.discount.minor, 200);
    assert_eq!(priced.lines[0].unit_price.minor, 1000, "it is a matter of the cart: the product's price stays");
}

#[test]
fn a_quote_is_hashed_by_what_automatic_discounts_took_off_and_not_by_their_names() {
    let shop = Shop::of(&[1000]).with(automatic("ten", percent_off("10")));
    let quote = Quote::freeze(QuoteParts {
        id: "q".into(),
        checkout: "c".into(),
        cart_id: CartId([1; 16]),
        cart_revision: 1,
        market: "eu".into(),
        language: "en".into(),
        contact: Contact::default(),
        address: Address::default(),
        priced: priced(&shop, &[(0, 1)], &[]),
        created_at: NOW,
        expires_at: NOW,
    });
    let mut nameless = quote.clone();
    nameless.priced.automatic.clear();
    assert!(!quote.priced.automatic.is_empty() && nameless.is_intact(), "what was taken off is in the lines");
    nameless.priced.lines[0].discount.minor -= 1;
    assert!(!nameless.is_intact());
}

#[test]
fn an_automatic_promotion_has_no_code_to_type() {
    let shop = Shop::of(&[1000]).with(automatic("ten", percent_off("10")));
    let priced = check(&shop, (&[(0, 1)], &["ten"]), &[("ten", 100)]);
    assert_eq!(priced.coupons[0].result.as_ref().map_err(|refusal| refusal.code()), Err("coupon_unknown"));
}

#[test]
fn of_a_code_and_an_automatic_promotion_of_one_class_the_better_counts() {
    let class = |promotion: Promotion| Promotion { stacking_class: "order".into(), ..promotion };
    let shop = Shop::of(&[1000]).with(class(automatic("auto", percent_off("10")))).with(class(coupon("code", euros_off(150))));
    let priced = check(&shop, (&[(0, 1)], &["code"]), &[]);
    assert_eq!(priced.totals.discount.minor, 150);
    let priced = check(&shop, (&[(0, 2)], &["code"]), &[("auto", 200)]);
    assert_eq!(priced.coupons[0].result.as_ref().map_err(|refusal| refusal.code()), Err("coupon_not_combinable"));
}

#[test]
fn whole_units_are_taken_off_before_percentages() {
    let shop = Shop::of(&[1000, 400])
        .with(joined(automatic("third", buy_get(2, 1)), &["ten"]))
        .with(joined(automatic("ten", percent_off("10")), &["third"]));
    check(&shop, (&[(0, 2), (1, 1)], &[]), &[("third", 400), ("ten", 200)]);
}

#[test]
fn too_few_units_are_told_by_number() {
    let mut deal = coupon("deal", buy_get(2, 1));
    deal.products = vec!["p0".into()];
    let refused = |promotion: Promotion, lines: &[(usize, u32)]| {
        let shop = Shop::of(&[1000, 500]).with(promotion);
        let priced = priced(&shop, lines, &["deal"]);
        let refusal = priced.coupons[0].result.clone().expect_err("it is refused");
        (refusal.code(), refusal.to_string())
    };
    assert_eq!(refused(deal.clone(), &[(0, 2)]), ("coupon_too_few", "this code needs 1 more of what it covers".to_owned()));
    if let Benefit::BuyGet(deal) = &mut deal.benefit {
        deal.products = vec!["p1".into()];
    }
    assert_eq!(refused(deal.clone(), &[(0, 1), (1, 5)]).0, "coupon_too_few");
    assert_eq!(refused(deal, &[(0, 2)]), ("coupon_no_reward", "this code needs 1 more of what it makes cheaper".to_owned()));
    let three = Promotion { minimum_quantity: 3, ..coupon("deal", percent_off("10")) };
    assert_eq!(refused(three, &[(0, 1), (1, 1)]).0, "coupon_too_few");
}

#[test]
fn more_than_can_be_weighed_leaves_out_those_that_give_least_alone() {
    let classes: Vec<String> = (0..=MAX_WEIGHED).map(|number| format!("a{number}")).collect();
    let mut shop = Shop::of(&[100_000]);
    for (number, class) in classes.iter().enumerate() {
        let others: Vec<&str> = classes.iter().filter(|other| *other != class).map(String::as_str).collect();
        // The last one gives most.
        shop = shop.with(joined(automatic(class, euros_off(100 + number as i64)), &others));
    }
    let priced = priced(&shop, &[(0, 1)], &[]);
    let gave: Vec<&str> = priced.automatic.iter().map(|given| given.promotion.as_str()).collect();
    assert_eq!(gave, classes[1..].iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn what_is_near_is_told_and_what_is_far_is_not() {
    let mut parcel = flat("parcel", 490);
    parcel.free_over_minor = Some(3000);
    let shop = Shop::of(&[1000])
        .sends_by(parcel)
        .with(joined(automatic("more", steps(&[(2000, "5"), (4000, "10")])), &["third"]))
        .with(joined(automatic("third", buy_get(3, 1)), &["more"]));
    let hints = |units| priced(&shop, &[(0, units)], &[]).hints;
    let euros = |minor| crate::commerce::money::Money::new(minor, euro());
    let value = |minor| Hint::Value { title: "more".into(), missing: euros(minor) };
    assert_eq!(hints(1), [value(1000)]);
    assert_eq!(hints(2), [Hint::FreeRate { missing: euros(1100) }, value(2000)]);
    // From here on free delivery is worth more than five per cent, which would end it.
    assert_eq!(hints(3), [value(1000), Hint::Units { title: "third".into(), missing: 1 }]);
    assert_eq!(hints(4), []);
    assert_eq!(hints(5), []);
}

#[test]
fn nothing_is_near_that_could_not_count_beside_what_does() {
    let shop = Shop::of(&[1000]).with(automatic("more", steps(&[(2000, "5")]))).with(coupon("code", euros_off(50)));
    assert_eq!(priced(&shop, &[(0, 1)], &[]).hints.len(), 1);
    assert_eq!(priced(&shop, &[(0, 1)], &["code"]).hints, []);
    let mut ten = automatic("ten", percent_off("10"));
    ten.minimum_minor = vec![(euro(), 2000)];
    ten.minimum_quantity = 5;
    assert_eq!(priced(&Shop::of(&[1000]).with(ten), &[(0, 1)], &[]).hints, [], "the value alone would not do");
}

#[test]
fn a_used_up_automatic_promotion_gives_nothing() {
    let mut shop = Shop::of(&[1000]).with(automatic("ten", percent_off("10")));
    shop.used_up = vec!["ten".into()];
    check(&shop, (&[(0, 1)], &[]), &[]);
}
