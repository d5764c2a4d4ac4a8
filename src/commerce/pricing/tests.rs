//! Pricing, case by case. What holds for every cart is in `properties`.

use crate::commerce::cart::{Cart, Destination, MAX_LINES, MAX_QUANTITY};
use crate::commerce::catalog::{ProductStatus, QuantityRule, SaleWindow};
use crate::commerce::fixture::*;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{MAX_MINOR, Money, Rounding};
use crate::commerce::promotion::{Benefit, CouponRefusal, Trigger};
use crate::commerce::rules::RoundingScope;
use crate::commerce::shipping::RatePrice;
use crate::commerce::tax::TaxMode;

use super::{PricedCart, PricingRejection, Totals};

/// (subtotal, discount, shipping, shipping_discount, tax, total) in minor units.
type Sums = (i64, i64, i64, i64, i64, i64);

fn sums(totals: &Totals) -> Sums {
    let Totals { subtotal, discount, shipping, shipping_discount, tax, total } = totals;
    (subtotal.minor, discount.minor, shipping.minor, shipping_discount.minor, tax.minor, total.minor)
}

#[track_caller]
fn check(shop: &Shop, cart: &Cart, expected: Sums) -> PricedCart {
    let priced = shop.price(cart).expect("the shop prices this cart");
    assert_eq!(sums(&priced.totals), expected);
    priced
}

/// What each code did: the amount in minor units or the refusal's code.
#[track_caller]
fn check_coupons(shop: &Shop, cart: &Cart, expected: &[Result<i64, &str>]) {
    let priced = shop.price(cart).expect("the shop prices this cart");
    let did = priced.coupons.iter().map(|coupon| match &coupon.result {
        Ok(money) => Ok(money.minor),
        Err(refusal) => Err(refusal.code()),
    });
    assert_eq!(did.collect::<Vec<_>>(), expected);
}

fn exclusive(mut shop: Shop) -> Shop {
    shop.market().tax_mode = TaxMode::Exclusive;
    shop
}

#[test]
fn an_empty_cart_costs_nothing() {
    let priced = check(&Shop::of(&[]), &cart(&[], &[]), (0, 0, 0, 0, 0, 0));
    assert!(priced.taxes.is_empty() && !priced.needs_shipping);
}

#[test]
fn an_unknown_market_is_refused() {
    let mut lost = cart(&[], &[]);
    lost.market = "moon".into();
    assert_eq!(Shop::of(&[]).price(&lost), Err(PricingRejection::UnknownMarket));
}

#[test]
fn lines_add_up_and_contain_the_tax_of_the_first_country() {
    let priced = check(&Shop::of(&[1190, 250]), &cart(&[(0, 2), (1, 1)], &[]), (2630, 0, 0, 0, 420, 2630));
    assert_eq!(priced.tax_country.as_deref(), Some("DE"));
    assert_eq!(priced.lines[0].tax.minor, 380);
    assert_eq!(priced.lines[1].tax.minor, 40);
}

#[test]
fn the_destinations_rate_replaces_the_first_countrys() {
    check(&Shop::of(&[1200]), &sent_to(cart(&[(0, 1)], &[]), "AT"), (1200, 0, 0, 0, 200, 1200));
}

#[test]
fn exclusive_tax_comes_on_top_once_the_destination_is_known() {
    let shop = exclusive(Shop::of(&[1000]));
    let unknown = check(&shop, &cart(&[(0, 1)], &[]), (1000, 0, 0, 0, 0, 1000));
    assert_eq!(unknown.tax_country, None);
    let known = check(&shop, &sent_to(cart(&[(0, 1)], &[]), "DE"), (1000, 0, 0, 0, 190, 1190));
    assert_eq!(known.taxes[0].percent, "19");
    assert_eq!(known.taxes[0].base.minor, 1000);
}

#[test]
fn a_regions_row_goes_before_its_countrys() {
    let mut shop = exclusive(Shop::of(&[1000]));
    shop.rules.tax.rates.push(tax_row("DE", Some("BY"), "8.875", "0"));
    let mut there = cart(&[(0, 1)], &[]);
    there.destination = Some(Destination { country: "DE".into(), region: Some("BY".into()), postal_code: None });
    check(&shop, &there, (1000, 0, 0, 0, 89, 1089));
    there.destination = Some(Destination { country: "DE".into(), region: Some("HH".into()), postal_code: None });
    check(&shop, &there, (1000, 0, 0, 0, 190, 1190));
}

#[test]
fn a_missing_tax_rate_is_never_zero() {
    let mut shop = Shop::of(&[1000]);
    shop.market().countries.push("FR".into());
    let refused = Err(PricingRejection::NoTaxRate { country: "FR".into() });
    assert_eq!(shop.price(&sent_to(cart(&[(0, 1)], &[]), "FR")), refused);
    shop.products[0].tax_class = "unheard-of".into();
    assert!(matches!(shop.price(&cart(&[(0, 1)], &[])), Err(PricingRejection::NoTaxRate { .. })));
}

#[test]
fn rounding_per_line_and_over_the_total_differ_where_they_should() {
    // 19 % contained in 0.99 is 0.158…: five lines of 0.16 make 0.80, but 4.95 contains 0.79.
    let mut shop = Shop::of(&[99, 99, 99, 99, 99]);
    let lines = cart(&[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)], &[]);
    check(&shop, &lines, (495, 0, 0, 0, 80, 495));
    shop.market().rounding_scope = RoundingScope::Total;
    let priced = check(&shop, &lines, (495, 0, 0, 0, 79, 495));
    assert_eq!(priced.lines.iter().map(|line| line.tax.minor).collect::<Vec<_>>(), [16, 16, 16, 16, 15]);
}

#[test]
fn each_rounding_has_its_way_with_half_a_cent() {
    for (rounding, low, high) in
        [(Rounding::HalfUp, 1, 2), (Rounding::HalfEven, 0, 2), (Rounding::Down, 0, 1), (Rounding::Up, 1, 2)]
    {
        let mut shop = exclusive(Shop::of(&[5, 15]));
        shop.rules.tax.rates[0] = tax_row("DE", None, "10", "0");
        shop.market().rounding = rounding;
        let priced = shop.price(&sent_to(cart(&[(0, 1), (1, 1)], &[]), "DE")).expect("it prices");
        assert_eq!((priced.lines[0].tax.minor, priced.lines[1].tax.minor), (low, high), "{rounding:?}");
    }
}

#[test]
fn a_sale_price_counts_while_it_holds() {
    let mut shop = Shop::of(&[1000]);
    let until = Some(Timestamp(NOW.0 + 1));
    shop.products[0].variants[0].prices[0].sales =
        vec![SaleWindow { price_minor: 700, from: Some(NOW), until, until_offset_minutes: 0 }];
    let priced = check(&shop, &cart(&[(0, 1)], &[]), (700, 0, 0, 0, 112, 700));
    assert_eq!(priced.lines[0].compare_at.map(|struck| struck.minor), Some(1000));
    shop.products[0].variants[0].prices[0].sales[0].until = Some(NOW);
    check(&shop, &cart(&[(0, 1)], &[]), (1000, 0, 0, 0, 160, 1000));
}

#[test]
fn a_price_that_changed_since_it_was_seen_is_told() {
    let shop = Shop::of(&[1000]);
    let mut changed = cart(&[(0, 1)], &[]);
    changed.lines[0].seen_price_minor = 900;
    let seen = |cart: &Cart| shop.price(cart).expect("it prices").lines[0].seen_price;
    assert_eq!(seen(&changed), Some(Money::new(900, euro())));
    changed.lines[0].seen_price_minor = 1000;
    assert_eq!(seen(&changed), None);
}

#[test]
fn lines_that_are_not_sold_are_told_and_not_counted() {
    let mut shop = Shop::of(&[1000, 1000, 1000]);
    shop.products[1].status = ProductStatus::Archived;
    shop.products[2].variants[0].prices.clear();
    let wish = cart(&[(0, 1), (1, 1), (2, 1), (9, 1)], &[]);
    let priced = check(&shop, &wish, (1000, 0, 0, 0, 160, 1000));
    let gone: Vec<_> = wish.lines[1..].iter().map(|line| line.id()).collect();
    assert_eq!(priced.unavailable, gone);
}

#[test]
fn a_quantity_the_rule_allows_no_longer_is_told() {
    let mut shop = Shop::of(&[1000]);
    shop.products[0].quantity = QuantityRule { min: 1, max: 2, step: 1 };
    let wish = cart(&[(0, 3)], &[]);
    assert_eq!(shop.price(&wish).expect("it prices").wrong_quantity, [wish.lines[0].id()]);
    assert!(shop.price(&cart(&[(0, 2)], &[])).expect("it prices").wrong_quantity.is_empty());
}

#[test]
fn the_largest_cart_is_priced_without_overflow() {
    let prices = vec![MAX_MINOR; MAX_LINES + 1];
    let lines: Vec<(usize, u32)> = (0..=MAX_LINES).map(|index| (index, MAX_QUANTITY)).collect();
    for scope in [RoundingScope::Line, RoundingScope::Total] {
        let mut shop = exclusive(Shop::of(&prices)).sends_by(flat("post", MAX_MINOR)).with(coupon("a", percent_off("33.3333")));
        shop.market().rounding_scope = scope;
        shop.rules.tax.rates[0] = tax_row("DE", None, "100", "100");
        let priced = shop.price(&sent_to(cart(&lines, &["a"]), "DE")).expect("it prices");
        assert_eq!(priced.lines.len(), MAX_LINES, "what is over the limit is not counted");
        assert_eq!(priced.unavailable.len(), 1);
        assert_eq!(priced.totals.tax.minor * 2, priced.totals.total.minor);
    }
    let mut too_many = cart(&[(0, 1)], &[]);
    too_many.lines[0].quantity = u32::MAX;
    assert_eq!(Shop::of(&prices).price(&too_many).expect("it prices").lines, []);
}

#[test]
fn percent_is_taken_once_over_all_covered_lines() {
    // 10 % of 0.15 rounds to 0.02, and goes to the earlier line on a tie.
    let shop = Shop::of(&[5, 5, 5]).with(coupon("ten", percent_off("10")));
    let priced = check(&shop, &cart(&[(0, 1), (1, 1), (2, 1)], &["ten"]), (15, 2, 0, 0, 3, 13));
    assert_eq!(priced.lines.iter().map(|line| line.discount.minor).collect::<Vec<_>>(), [1, 1, 0]);
}

#[test]
fn an_amount_is_never_more_than_what_it_covers() {
    let mut gift = coupon("gift", euros_off(5000));
    check(&Shop::of(&[1000, 300]).with(gift.clone()), &cart(&[(0, 1), (1, 1)], &["gift"]), (1300, 1300, 0, 0, 0, 0));
    gift.products = vec!["p1".into()];
    let priced = check(&Shop::of(&[1000, 300]).with(gift), &cart(&[(0, 1), (1, 1)], &["gift"]), (1300, 300, 0, 0, 160, 1000));
    assert_eq!(priced.lines[1].total.minor, 0);
}

#[test]
fn a_category_covers_what_is_below_it() {
    let mut shop = Shop::of(&[1000, 1000, 1000]);
    shop.products[0].categories = vec!["home/lamps".into()];
    shop.products[1].categories = vec!["homeware".into()];
    let mut half = coupon("half", percent_off("50"));
    half.categories = vec!["home".into()];
    let priced = check(&shop.with(half), &cart(&[(0, 1), (1, 1), (2, 1)], &["half"]), (3000, 500, 0, 0, 400, 2500));
    assert_eq!(priced.lines[0].discount.minor, 500);
}

#[test]
fn codes_that_give_nothing_say_why() {
    let refused = |bend: fn(&mut crate::commerce::promotion::Promotion), expected: &str| {
        let mut promotion = coupon("code", euros_off(100));
        bend(&mut promotion);
        check_coupons(&Shop::of(&[1000]).with(promotion), &cart(&[(0, 1)], &["code"]), &[Err(expected)]);
    };
    refused(|promotion| promotion.trigger = Trigger::Code("OTHER".into()), "coupon_unknown");
    refused(|promotion| promotion.starts_at = Some(Timestamp(NOW.0 + 1)), "coupon_not_yet");
    refused(|promotion| promotion.ends_at = Some(NOW), "coupon_expired");
    refused(|promotion| promotion.markets = vec!["us".into()], "coupon_other_market");
    refused(|promotion| promotion.benefit = Benefit::Fixed(Vec::new()), "coupon_other_market");
    refused(|promotion| promotion.minimum_minor = vec![(euro(), 1001)], "coupon_below_minimum");
    refused(|promotion| promotion.products = vec!["p7".into()], "coupon_nothing_covered");
    let mut shop = Shop::of(&[1000]).with(coupon("code", euros_off(100)));
    shop.used_up = vec!["code".into()];
    check_coupons(&shop, &cart(&[(0, 1)], &["code"]), &[Err("coupon_used_up")]);
    assert_eq!(CouponRefusal::NotCombinable.code(), "coupon_not_combinable");
}

#[test]
fn conditions_hold_from_their_first_to_before_their_last_instant() {
    let mut promotion = coupon("code", euros_off(100));
    promotion.starts_at = Some(NOW);
    promotion.ends_at = Some(Timestamp(NOW.0 + 1));
    promotion.minimum_minor = vec![(euro(), 1000)];
    check_coupons(&Shop::of(&[1000]).with(promotion), &cart(&[(0, 1)], &["code"]), &[Ok(100)]);
}

#[test]
fn of_two_that_cannot_be_joined_the_better_counts_whatever_the_order() {
    let shop = Shop::of(&[1000]).with(coupon("small", euros_off(50))).with(coupon("tenth", percent_off("10")));
    check_coupons(&shop, &cart(&[(0, 1)], &["small", "tenth"]), &[Err("coupon_not_combinable"), Ok(100)]);
    check_coupons(&shop, &cart(&[(0, 1)], &["tenth", "small"]), &[Ok(100), Err("coupon_not_combinable")]);
}

#[test]
fn joining_needs_the_word_of_both() {
    let one_sided = |both: bool| {
        let mut first = coupon("a", euros_off(100));
        let mut second = coupon("b", percent_off("5"));
        first.combines_with = vec!["b".into()];
        if both {
            second.combines_with = vec!["a".into()];
        }
        Shop::of(&[1000]).with(first).with(second)
    };
    check_coupons(&one_sided(false), &cart(&[(0, 1)], &["a", "b"]), &[Ok(100), Err("coupon_not_combinable")]);
    // Percent first, then the amount, whichever was typed first.
    check_coupons(&one_sided(true), &cart(&[(0, 1)], &["a", "b"]), &[Ok(100), Ok(50)]);
    check_coupons(&one_sided(true), &cart(&[(0, 1)], &["b", "a"]), &[Ok(50), Ok(100)]);
}

#[test]
fn of_one_class_only_the_best_counts_even_if_it_names_itself() {
    let mut shop = Shop::of(&[1000]);
    for (id, minor) in [("a", 100), ("b", 300), ("c", 200)] {
        let mut promotion = coupon(id, euros_off(minor));
        promotion.stacking_class = "order".into();
        promotion.combines_with = vec!["order".into()];
        shop = shop.with(promotion);
    }
    let refused = Err("coupon_not_combinable");
    check_coupons(&shop, &cart(&[(0, 1)], &["a", "b", "c"]), &[refused, Ok(300), refused]);
}

#[test]
fn two_that_join_beat_one_that_gives_more_alone() {
    let mut left = coupon("left", euros_off(60));
    let mut right = coupon("right", euros_off(60));
    left.combines_with = vec!["right".into()];
    right.combines_with = vec!["left".into()];
    let shop = Shop::of(&[1000]).with(left).with(right).with(coupon("alone", euros_off(100)));
    let refused = Err("coupon_not_combinable");
    check_coupons(&shop, &cart(&[(0, 1)], &["alone", "left", "right"]), &[refused, Ok(60), Ok(60)]);
}

#[test]
fn one_code_counts_once_however_it_is_written() {
    let mut twice = cart(&[(0, 1)], &["half"]);
    twice.coupons.push("half".into());
    let shop = Shop::of(&[1000]).with(coupon("half", percent_off("50")));
    check_coupons(&shop, &twice, &[Ok(500), Err("coupon_not_combinable")]);
}

#[test]
fn the_cheapest_rate_counts_until_another_is_chosen() {
    let mut shop = Shop::of(&[1000]).sends_by(flat("express", 1290)).sends_by(flat("parcel", 490));
    let there = sent_to(cart(&[(0, 1)], &[]), "DE");
    check(&shop, &there, (1000, 0, 490, 0, 160 + 78, 1490));
    shop.shipping_choice = Some("express".into());
    let priced = check(&shop, &there, (1000, 0, 1290, 0, 160 + 206, 2290));
    assert_eq!(priced.shipping_options.len(), 2);
    shop.shipping_choice = Some("pigeon".into());
    check(&shop, &there, (1000, 0, 490, 0, 160 + 78, 1490));
}

#[test]
fn nothing_is_shipped_without_destination_or_parcel() {
    let mut shop = Shop::of(&[1000]).sends_by(flat("parcel", 490));
    assert!(shop.price(&cart(&[(0, 1)], &[])).expect("it prices").shipping.is_none());
    shop.products[0].variants[0].requires_shipping = false;
    let priced = check(&shop, &sent_to(cart(&[(0, 1)], &[]), "DE"), (1000, 0, 0, 0, 160, 1000));
    assert!(!priced.needs_shipping && !priced.destination_unserved && priced.shipping_options.is_empty());
}

#[test]
fn a_place_nobody_delivers_to_is_told() {
    let mut shop = Shop::of(&[1000]).sends_by(flat("parcel", 490));
    let unserved =
        |shop: &Shop, country: &str| shop.price(&sent_to(cart(&[(0, 1)], &[]), country)).expect("it prices").destination_unserved;
    assert!(!unserved(&shop, "DE"));
    assert!(unserved(&shop, "US"), "not in the market");
    shop.rules.shipping[0].countries = vec!["DE".into()];
    assert!(unserved(&shop, "AT"), "no zone");
    shop.rules.shipping[0].rates[0].price = RatePrice::Weight { tiers: vec![(99, 490)] };
    assert!(unserved(&shop, "DE"), "too heavy");
    shop.rules.shipping[0].market = "other".into();
    assert!(unserved(&shop, "DE"), "another market's zone");
}

#[test]
fn free_over_looks_at_goods_after_discounts() {
    let mut parcel = flat("parcel", 490);
    parcel.free_over_minor = Some(1000);
    let shop = Shop::of(&[1000]).sends_by(parcel).with(coupon("cent", euros_off(1))).with(coupon("more", euros_off(500)));
    check(&shop, &sent_to(cart(&[(0, 1)], &[]), "DE"), (1000, 0, 0, 0, 160, 1000));
    check(&shop, &sent_to(cart(&[(0, 1)], &["more"]), "DE"), (1000, 500, 490, 0, 80 + 78, 990));
    // A discount that would make the order dearer is left out, and its code hears why.
    let there = sent_to(cart(&[(0, 1)], &["cent"]), "DE");
    check(&shop, &there, (1000, 0, 0, 0, 160, 1000));
    check_coupons(&shop, &there, &[Err("coupon_costs_more")]);
}

#[test]
fn a_shipping_coupon_makes_the_chosen_rate_free() {
    let mut shop = Shop::of(&[1000]).sends_by(flat("parcel", 490)).sends_by(flat("express", 1290));
    shop = shop.with(coupon("free", Benefit::FreeShipping));
    let there = sent_to(cart(&[(0, 1)], &["free"]), "DE");
    check(&shop, &there, (1000, 0, 490, 490, 160, 1000));
    shop.shipping_choice = Some("express".into());
    check(&shop, &there, (1000, 0, 1290, 1290, 160, 1000));
    check_coupons(&shop, &cart(&[(0, 1)], &["free"]), &[Ok(0)]);
    shop.products[0].variants[0].requires_shipping = false;
    check_coupons(&shop, &there, &[Err("coupon_nothing_covered")]);
}

#[test]
fn shipping_is_taxed_by_its_class_or_by_the_goods_in_the_parcel() {
    let mut shop = exclusive(Shop::of(&[3000, 1000, 9000])).sends_by(flat("parcel", 400));
    shop.products[1].tax_class = "reduced".into();
    shop.products[2].variants[0].requires_shipping = false;
    let there = sent_to(cart(&[(0, 1), (1, 1), (2, 1)], &[]), "DE");
    let by_class = check(&shop, &there, (13_000, 0, 400, 0, 570 + 70 + 1710 + 76, 13_400 + 2426));
    assert_eq!(by_class.shipping_tax.minor, 76);
    shop.rules.tax.shipping_class = None;
    // 3 : 1 over the two lines that are sent: 300 at 19 %, 100 at 7 %.
    let by_goods = check(&shop, &there, (13_000, 0, 400, 0, 570 + 70 + 1710 + 57 + 7, 13_400 + 2414));
    let parts: Vec<_> = by_goods.taxes.iter().map(|part| (part.percent.as_str(), part.base.minor, part.tax.minor)).collect();
    assert_eq!(parts, [("7", 1100, 77), ("19", 12_300, 2337)]);
}

#[test]
fn shipping_of_goods_that_cost_nothing_is_taxed_evenly() {
    let mut shop = exclusive(Shop::of(&[0, 0])).sends_by(flat("parcel", 400));
    shop.rules.tax.shipping_class = None;
    shop.products[1].tax_class = "reduced".into();
    check(&shop, &sent_to(cart(&[(0, 1), (1, 1)], &[]), "DE"), (0, 0, 400, 0, 38 + 14, 452));
}

#[test]
fn a_cart_is_payable_once_nothing_about_it_is_open() {
    let mut shop = Shop::of(&[1000]).sends_by(flat("parcel", 490));
    let payable = |shop: &Shop, cart: &Cart| shop.price(cart).expect("it prices").is_payable();
    let there = |country: &str| sent_to(cart(&[(0, 1)], &[]), country);
    assert!(payable(&shop, &there("DE")));
    assert!(!payable(&shop, &cart(&[], &[])), "nothing in it");
    assert!(!payable(&shop, &cart(&[(0, 1)], &[])), "no rate without a place");
    assert!(!payable(&shop, &there("US")), "not in the market");
    shop.products[0].quantity = QuantityRule { min: 2, max: 2, step: 1 };
    assert!(!payable(&shop, &there("DE")), "too few");
    shop.products[0].quantity = QuantityRule::default();
    shop.products[0].variants[0].requires_shipping = false;
    assert!(payable(&shop, &cart(&[(0, 1)], &[])), "a download, tax inside");
    assert!(!payable(&shop, &there("US")), "not in the market");
    assert!(!payable(&exclusive(shop), &cart(&[(0, 1)], &[])), "a download, tax unknown");
}
