//! Problems: the fixture has none; each test bends one thing.

use super::*;
use crate::commerce::cart::{MAX_PROPERTIES, MAX_QUANTITY};
use crate::commerce::catalog::{Catalog, Category, Price, Product, ProductOption, PropertyRule, QuantityRule, SaleWindow};
use crate::commerce::fixture::*;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Currency;
use crate::commerce::promotion::{Benefit, BuyGet, MAX_AUTOMATIC, Promotion, Tier, TierFrom, TierOff, Trigger};
use crate::commerce::rules::Market;

/// A shop that says nothing wrong.
fn sound() -> Shop {
    Shop::of(&[1000, 2000]).sends_by(flat("post", 490)).with(coupon("ten", percent_off("10")))
}

#[track_caller]
fn check_rules(bend: impl FnOnce(&mut Rules), expected: &[&str]) -> Vec<RulesProblem> {
    let mut shop = sound();
    bend(&mut shop.rules);
    let found = shop.rules.problems();
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), expected.len(), "{texts:#?}");
    for (text, part) in texts.iter().zip(expected) {
        assert!(text.contains(part), "`{text}` should say `{part}`");
    }
    found
}

#[track_caller]
fn check_catalog(bend: impl FnOnce(&mut Vec<Product>), expected: &[&str]) {
    let mut shop = sound();
    bend(&mut shop.products);
    let texts: Vec<String> = shop.catalog().problems(&shop.rules).iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), expected.len(), "{texts:#?}");
    for (text, part) in texts.iter().zip(expected) {
        assert!(text.contains(part), "`{text}` should say `{part}`");
    }
}

#[test]
fn a_sound_shop_has_no_problems() {
    check_rules(|_| {}, &[]);
    check_catalog(|_| {}, &[]);
}

#[test]
fn markets_need_names_countries_and_rates() {
    check_rules(|rules| rules.markets.clear(), &["has no market", "belongs to the market `eu`"]);
    check_rules(|rules| rules.markets.push(rules.markets[0].clone()), &["two markets are called", "has the prefix"]);
    check_rules(|rules| rules.markets[0].countries.clear(), &["no countries", "holds DE", "holds AT"]);
    let found = check_rules(|rules| rules.markets[0].countries.push("FR".into()), &["FR, which has no row", "holds FR"]);
    assert!(!found[0].is_warning() && found[1].is_warning());
}

#[test]
fn the_tax_table_is_whole() {
    check_rules(|rules| rules.tax.rates.push(rules.tax.rates[0].clone()), &["two rows for DE"]);
    check_rules(|rules| rules.tax.rates[0].percent.truncate(1), &["tax row of DE has no rate for the class `standard`"]);
    check_rules(|rules| rules.tax.shipping_class = Some("soft".into()), &["tax class `soft`"]);
    check_rules(|rules| rules.tax.rates.push(tax_row("DE", Some("BY"), "1", "0")), &[]);
    check_rules(|rules| rules.tax.rates[0].region = Some("BY".into()), &["sells to DE, which has no row"]);
}

#[test]
fn zones_and_rates_can_be_told_apart() {
    check_rules(|rules| rules.shipping.clear(), &["holds DE", "holds AT"]);
    check_rules(|rules| rules.shipping[0].countries.push("US".into()), &["holds US, which the market `eu` does not list"]);
    let doubled = |rules: &mut Rules| rules.shipping.push(ShippingZone { id: "two".into(), ..rules.shipping[0].clone() });
    check_rules(doubled, &["DE is in the shipping zones `home` and `two`", "AT is in", "rates are called `post`"]);
    let tiers = |tiers: Vec<(u32, i64)>| move |rules: &mut Rules| rules.shipping[0].rates[0].price = RatePrice::Weight { tiers };
    check_rules(tiers(vec![]), &["must rise"]);
    check_rules(tiers(vec![(5, 1), (5, 2)]), &["must rise"]);
    check_rules(tiers(vec![(5, 1), (6, -2)]), &["amount of `post`"]);
    check_rules(|rules| rules.shipping[0].rates[0].free_over_minor = Some(MAX_MINOR + 1), &["amount of `post`"]);
}

#[test]
fn promotions_can_be_typed_and_can_hold() {
    let twin = |rules: &mut Rules| {
        rules.promotions.push(Promotion { trigger: Trigger::Code("TEN".into()), ..coupon("twin", euros_off(1)) });
    };
    let found = check_rules(twin, &["`ten` and `twin` have the same code"]);
    let RulesProblem::Promotion(problem) = &found[0] else { panic!("a promotion's") };
    assert_eq!(problem.promotions(), (Some("twin"), Some("ten")));
    let bent = |bend: fn(&mut Promotion), expected: &str| {
        check_rules(|rules| bend(&mut rules.promotions[0]), &[expected]);
    };
    bent(|promotion| promotion.trigger = Trigger::Code(" ".into()), "blank");
    bent(|promotion| (promotion.starts_at, promotion.ends_at) = (Some(NOW), Some(NOW)), "ends before it starts");
    bent(|promotion| promotion.markets = vec!["us".into()], "names the market `us`");
    bent(|promotion| promotion.benefit = euros_off(-1), "amount of `ten`");
    bent(|promotion| promotion.minimum_minor = vec![(euro(), -1)], "amount of `ten`");
    bent(|promotion| promotion.combines_with = vec!["soft".into()], "class `soft`, which no other");
    bent(|promotion| promotion.combines_with = vec!["ten".into()], "`ten` and combines with it");
    bent(|promotion| promotion.benefit = percent_off("0"), "gives nothing");
    bent(|promotion| promotion.benefit = euros_off(0), "gives nothing");
    bent(|promotion| promotion.usage_limit = Some(0), "gives nothing");
}

#[test]
fn promotions_that_contradict_each_other_are_named_together() {
    let second = |trigger: Trigger, joins: &[&str]| {
        let mut promotion = Promotion { trigger, ..coupon("five", percent_off("5")) };
        promotion.combines_with = joins.iter().map(|class| (*class).to_owned()).collect();
        promotion
    };
    let joined = |rules: &mut Rules, joins: &[&str]| {
        rules.promotions[0].combines_with = vec!["five".into()];
        rules.promotions.push(second(Trigger::Code("FIVE".into()), joins));
    };
    check_rules(|rules| joined(rules, &["ten"]), &[]);
    check_rules(
        |rules| joined(rules, &[]),
        &["`ten` combines with the class `five`, and `five` of that class does not name `ten`"],
    );
    let alike = |rules: &mut Rules, percent: &str| {
        for id in ["one", "two"] {
            let mut promotion = Promotion { trigger: Trigger::Automatic, ..coupon(id, percent_off("5")) };
            promotion.stacking_class = "order".into();
            rules.promotions.push(promotion);
        }
        rules.promotions[2].benefit = percent_off(percent);
    };
    check_rules(|rules| alike(rules, "6"), &[]);
    check_rules(|rules| alike(rules, "5"), &["`one` and `two` are automatic, of one class and alike"]);
    let many = |rules: &mut Rules, count: usize| {
        for index in 0..count {
            let promotion = coupon(&format!("auto{index}"), euros_off(1));
            rules.promotions.push(Promotion { trigger: Trigger::Automatic, ..promotion });
        }
    };
    check_rules(|rules| many(rules, MAX_AUTOMATIC), &[]);
    check_rules(|rules| many(rules, MAX_AUTOMATIC + 1), &["there are 51 automatic promotions"]);
}

#[test]
fn promotions_have_amounts_where_they_hold() {
    let dollar = || Currency::from_code("USD").expect("a currency");
    let bent = |bend: &dyn Fn(&mut Promotion), expected: &[&str]| {
        check_rules(|rules| bend(&mut rules.promotions[0]), expected);
    };
    bent(&|promotion| promotion.benefit = Benefit::Fixed(vec![(dollar(), 500)]), &["an amount in USD"]);
    bent(&|promotion| promotion.minimum_minor = vec![(euro(), 1), (dollar(), 1)], &["an amount in USD"]);
    let us = |rules: &mut Rules| {
        let market = Market { id: "us".into(), prefix: "us".into(), currency: dollar(), ..rules.markets[0].clone() };
        rules.markets.push(market);
        rules.shipping.push(ShippingZone {
            id: "us".into(),
            market: "us".into(),
            rates: Vec::new(),
            ..rules.shipping[0].clone()
        });
        rules.promotions[0].benefit = euros_off(100);
    };
    check_rules(us, &[]);
    let only_us = |rules: &mut Rules| {
        us(rules);
        rules.promotions[0].markets = vec!["us".into()];
    };
    check_rules(only_us, &["an amount in EUR"]);
    let nowhere = |rules: &mut Rules| {
        only_us(rules);
        rules.promotions[0].markets = Vec::new();
        rules.promotions[0].minimum_minor = vec![(dollar(), 100)];
    };
    check_rules(nowhere, &["counts nowhere"]);
}

#[test]
fn tiers_rise() {
    let value = |minor| TierFrom::Value(vec![(euro(), minor)]);
    let percent = |text: &str| TierOff::Percentage(text.parse().expect("a percentage"));
    let check = |tiers: Vec<(TierFrom, TierOff)>, expected: &[&str]| {
        let tiers = tiers.into_iter().map(|(from, off)| Tier { from, off }).collect();
        check_rules(|rules| rules.promotions[0].benefit = Benefit::Tiers(tiers), expected);
    };
    check(vec![(value(100), percent("5")), (value(200), percent("6"))], &[]);
    check(vec![(value(100), percent("5")), (value(100), percent("6"))], &["have to rise"]);
    check(vec![(value(100), percent("5")), (value(200), percent("5"))], &["have to rise"]);
    check(vec![(value(100), percent("5")), (TierFrom::Quantity(3), percent("6"))], &["have to rise"]);
    check(vec![(value(100), percent("5")), (value(200), TierOff::Fixed(vec![(euro(), 1)]))], &["have to rise"]);
}

fn shelf() -> Category {
    Category { path: "shelf".into(), title: String::new(), translations: Vec::new(), order: 0 }
}

#[test]
fn promotions_are_for_something_that_is_sold() {
    let check = |bend: fn(&mut Promotion), expected: &[&str]| {
        let mut shop = sound();
        bend(&mut shop.rules.promotions[0]);
        let mut catalog = shop.products.clone();
        catalog[0].categories = vec!["shelf".into()];
        let category = |path: &str| Category { path: path.into(), ..shelf() };
        let catalog = Catalog::new(catalog, vec![category("empty"), category("shelf")]).expect("a catalogue");
        let texts: Vec<String> = catalog.problems_of_promotions(&shop.rules).iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), expected.len(), "{texts:#?}");
        texts.iter().zip(expected).for_each(|(text, part)| assert!(text.contains(part), "`{text}` should say `{part}`"));
    };
    check(|_| {}, &[]);
    check(|promotion| promotion.products = vec!["p0".into()], &[]);
    check(|promotion| promotion.products = vec!["p7".into()], &["names the product `p7`"]);
    check(|promotion| promotion.categories = vec!["shelf".into()], &[]);
    check(|promotion| promotion.categories = vec!["soft".into()], &["names the category `soft`"]);
    check(|promotion| promotion.categories = vec!["empty".into()], &["covers no product"]);
    let reward = |category: &str| {
        let one = std::num::NonZeroU32::MIN;
        let (off, categories) = ("50".parse().expect("a percentage"), vec![category.into()]);
        Benefit::BuyGet(BuyGet { buy: one, get: one, off, products: Vec::new(), categories, times: None })
    };
    let bent = |category: &str, expected: &[&str]| {
        let mut shop = sound();
        shop.rules.promotions[0].benefit = reward(category);
        let catalog = Catalog::new(shop.products.clone(), vec![shelf()]).expect("a catalogue");
        let texts: Vec<String> = catalog.problems_of_promotions(&shop.rules).iter().map(ToString::to_string).collect();
        assert!(texts.len() == 1 && texts[0].contains(expected[0]), "{texts:#?}");
    };
    bent("soft", &["names the category `soft`"]);
    bent("shelf", &["makes none cheaper"]);
}

#[test]
fn products_fit_their_shelves_rates_and_rules() {
    check_catalog(|products| products[0].variants.clear(), &["`p0` has no variant"]);
    check_catalog(|products| products[0].tax_class = "soft".into(), &["tax class `soft`"]);
    check_catalog(|products| products[0].categories = vec!["x".into()], &["category `x`"]);
    check_catalog(|products| products[0].expires_at = Some(Timestamp(0)), &[]);
    let never = |products: &mut Vec<Product>| (products[0].publish_at, products[0].expires_at) = (Some(NOW), Some(NOW));
    check_catalog(never, &["expires before"]);
    for (min, max, step) in [(0, 1, 1), (2, 1, 1), (1, MAX_QUANTITY + 1, 1), (1, 1, 0)] {
        check_catalog(|products| products[0].quantity = QuantityRule { min, max, step }, &["quantities of `p0`"]);
    }
    let property = |key: &str, max_bytes| PropertyRule { key: key.into(), label: "".into(), required: false, max_bytes };
    check_catalog(|products| products[0].properties = vec![property("a", 0), property("b", 201)], &["`a`", "`b`"]);
    check_catalog(|products| products[0].properties = vec![property("a", 1), property("a", 1)], &["`a`"]);
    check_catalog(|products| products[0].properties = vec![property("", 1), property(&"k".repeat(41), 1)], &["``", "`kkk"]);
    let many = || (0..=MAX_PROPERTIES).map(|index| property(&index.to_string(), 200)).collect();
    check_catalog(|products| products[0].properties = many(), &["`20`"]);
}

#[test]
fn a_category_needs_the_one_above() {
    let category = |path: &str| Category { path: path.into(), title: String::new(), translations: Vec::new(), order: 0 };
    let catalog = Catalog::new(Vec::new(), vec![category("a"), category("a/b"), category("c/d")]).expect("unique paths");
    let found = catalog.problems(&sound().rules);
    assert_eq!(found, [CatalogProblem::OrphanCategory { category: "c/d".into(), parent: "c".into() }]);
}

#[test]
fn variants_choose_one_value_of_each_option() {
    let option = || ProductOption { name: "Size".into(), values: vec!["S".into(), "M".into()] };
    let sized = |sizes: &'static [&'static str]| {
        move |products: &mut Vec<Product>| {
            products[0].options = vec![option()];
            products[0].variants = sizes.iter().enumerate().map(|(index, _)| variant(&format!("V{index}"), 1)).collect();
            for (variant, size) in products[0].variants.iter_mut().zip(sizes) {
                variant.option_values = vec![(*size).into()];
            }
        }
    };
    check_catalog(sized(&["S", "M"]), &[]);
    check_catalog(sized(&["S", "S"]), &["`V0` and `V1` have the same"]);
    check_catalog(sized(&["S", "XL"]), &["`V1` does not choose"]);
    check_catalog(|products| products[0].options = vec![option()], &["`P0` does not choose"]);
}

#[test]
fn prices_and_sales_make_sense() {
    let priced = |bend: fn(&mut Price), expected: &[&str]| {
        check_catalog(|products| bend(&mut products[0].variants[0].prices[0]), expected);
    };
    priced(|price| price.unit_minor = -1, &["needs one price in EUR"]);
    priced(|price| price.compare_at_minor = Some(MAX_MINOR + 1), &["needs one price"]);
    check_catalog(|products| products[0].variants[0].prices.push(price(1)), &["needs one price"]);

    let sale = |price_minor, from, until| SaleWindow {
        price_minor,
        from: Some(Timestamp(from)),
        until: Some(Timestamp(until)),
        until_offset_minutes: 0,
    };
    let on_sale = |sales: Vec<SaleWindow>, expected: &[&str]| {
        check_catalog(move |products| products[0].variants[0].prices[0].sales = sales, expected);
    };
    on_sale(vec![sale(1, 0, 5), sale(1, 5, 9)], &[]);
    on_sale(vec![sale(1, 0, 5), sale(1, 4, 9)], &["hold at the same time"]);
    on_sale(vec![sale(1, 5, 5)], &["ends before it starts"]);
    on_sale(vec![sale(1000, 0, 5)], &["not below the regular price"]);
}
