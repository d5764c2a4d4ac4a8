//! Carts: each wish by itself, then any wishes in any order.

use proptest::prelude::*;

use super::*;
use crate::commerce::catalog::{Price, ProductStatus, PropertyRule, QuantityRule};
use crate::commerce::fixture::{NOW, Shop, cart, euro, price, sent_to};
use crate::commerce::ids::Sku;
use crate::commerce::money::Currency;
use crate::commerce::outside::OutsidePrices;
use crate::commerce::tax::TaxMode;

fn sku(number: usize) -> SkuHash {
    Sku::from(format!("P{number}")).hash()
}

fn add(number: usize, quantity: u32) -> CartCommand {
    CartCommand::AddLine { sku: sku(number), quantity, properties: Vec::new(), seen_price_minor: None }
}

fn add_engraved(text: &str) -> CartCommand {
    let properties = vec![("text".to_owned(), text.to_owned())];
    CartCommand::AddLine { sku: sku(0), quantity: 1, properties, seen_price_minor: None }
}

fn code(text: &str) -> CartCommand {
    CartCommand::AddCoupon { code: text.into() }
}

/// What the wishes, in order, make of an empty cart; the first refusal ends it.
fn after(shop: &Shop, wishes: impl IntoIterator<Item = CartCommand>) -> Result<Cart, CartRejection> {
    let catalog = shop.catalog();
    let facts = CartFacts { catalog: &catalog, currency: euro(), at: NOW, outside: &OutsidePrices::NONE };
    wishes.into_iter().try_fold(cart(&[], &[]), |cart, wish| cart.apply(wish, &facts))
}

/// Quantities of the lines, or why not.
#[track_caller]
fn check<const N: usize>(shop: &Shop, wishes: [CartCommand; N], expected: Result<&[u32], CartRejection>) {
    let quantities = after(shop, wishes).map(|cart| cart.lines.iter().map(|line| line.quantity).collect::<Vec<_>>());
    assert_eq!(quantities, expected.map(<[u32]>::to_vec));
}

fn only_line() -> LineId {
    cart(&[(0, 1)], &[]).lines[0].id()
}

#[test]
fn equal_lines_join_and_others_stand_apart() {
    check(&Shop::of(&[100, 200]), [add(0, 2), add(1, 1), add(0, 3)], Ok(&[5, 1]));
}

#[test]
fn every_granted_wish_counts_as_a_change() {
    assert_eq!(after(&Shop::of(&[100]), [add(0, 1), code("a"), code("a")]).map(|cart| cart.revision), Ok(3));
    let catalog = Shop::of(&[100]).catalog();
    let facts = CartFacts { catalog: &catalog, currency: euro(), at: NOW.plus_seconds(5), outside: &OutsidePrices::NONE };
    assert_eq!(cart(&[], &[]).apply(add(0, 1), &facts).map(|cart| cart.issued_at), Ok(NOW.plus_seconds(5)));
}

#[test]
fn what_is_not_sold_is_refused() {
    let mut shop = Shop::of(&[100, 100]);
    shop.products[0].status = ProductStatus::Archived;
    shop.products[1].variants[0].prices.clear();
    check(&shop, [add(0, 1)], Err(CartRejection::UnknownSku));
    check(&shop, [add(1, 1)], Err(CartRejection::NotForSale));
    check(&shop, [add(2, 1)], Err(CartRejection::UnknownSku));
}

#[test]
fn quantities_follow_the_products_rule() {
    let mut shop = Shop::of(&[100]);
    shop.products[0].quantity = QuantityRule { min: 2, max: 8, step: 3 };
    let refused = || Err(CartRejection::Quantity { min: 2, max: 8, step: 3 });
    for wrong in [0, 1, 3, 9, 11, u32::MAX] {
        check(&shop, [add(0, wrong)], refused());
    }
    for right in [2, 5, 8] {
        check(&shop, [add(0, right)], Ok(&[right]));
    }
    check(&shop, [add(0, 2), add(0, 2)], refused());
    check(&shop, [add(0, 8), add(0, u32::MAX)], refused());
}

#[test]
fn a_quantity_of_nothing_is_refused_even_where_a_rule_allows_it() {
    let mut shop = Shop::of(&[100]);
    shop.products[0].quantity = QuantityRule { min: 0, max: u32::MAX, step: 0 };
    check(&shop, [add(0, 0)], Err(CartRejection::Quantity { min: 0, max: MAX_QUANTITY, step: 0 }));
    check(&shop, [add(0, MAX_QUANTITY + 1)], Err(CartRejection::Quantity { min: 0, max: MAX_QUANTITY, step: 0 }));
}

#[test]
fn a_line_is_changed_and_taken_out_by_its_id() {
    let shop = Shop::of(&[100]);
    let set = |quantity| CartCommand::SetQuantity { line: only_line(), quantity };
    check(&shop, [add(0, 1), set(7)], Ok(&[7]));
    check(&shop, [add(0, 1), set(0)], Ok(&[]));
    check(&shop, [add(0, 1), CartCommand::RemoveLine { line: only_line() }], Ok(&[]));
    check(&shop, [set(1)], Err(CartRejection::UnknownLine));
    check(&shop, [CartCommand::RemoveLine { line: only_line() }], Err(CartRejection::UnknownLine));
}

#[test]
fn a_line_that_is_no_longer_sold_can_still_be_taken_out() {
    let mut shop = Shop::of(&[100]);
    let full = after(&shop, [add(0, 1)]).expect("it is sold");
    shop.products[0].status = ProductStatus::Archived;
    let catalog = shop.catalog();
    let facts = CartFacts { catalog: &catalog, currency: euro(), at: NOW, outside: &OutsidePrices::NONE };
    let emptied = full.apply(CartCommand::RemoveLine { line: only_line() }, &facts);
    assert_eq!(emptied.map(|cart| cart.lines), Ok(Vec::new()));
}

#[test]
fn a_full_cart_takes_no_line_but_more_of_one() {
    let shop = Shop::of(&[100; MAX_LINES + 1]);
    let full = || (0..MAX_LINES).map(|number| add(number, 1));
    assert_eq!(after(&shop, full().chain([add(MAX_LINES, 1)])), Err(CartRejection::TooManyLines));
    assert_eq!(after(&shop, full().chain([add(3, 1)])).map(|cart| cart.units()), Ok(MAX_LINES as u64 + 1));
}

#[test]
fn only_declared_texts_within_their_limit_are_kept() {
    let mut shop = Shop::of(&[100]);
    check(&shop, [add_engraved("x")], Err(CartRejection::UnknownProperty { key: "text".into() }));
    let (key, label) = ("text".to_owned(), "Text".to_owned());
    shop.products[0].properties = vec![PropertyRule { key: key.clone(), label: label.clone(), required: true, max_bytes: 4 }];
    check(&shop, [add_engraved("abcd"), add_engraved(" abcd "), add_engraved("ab")], Ok(&[2, 1]));
    check(
        &shop,
        [add_engraved("ééé")],
        Err(CartRejection::PropertyTooLong { key: key.clone(), label: label.clone(), max_bytes: 4 }),
    );
    check(&shop, [add_engraved(" ")], Err(CartRejection::PropertyMissing { key, label }));
}

#[test]
fn a_code_is_kept_once_in_upper_case() {
    let shop = Shop::of(&[]);
    let codes = |wishes: Vec<CartCommand>| after(&shop, wishes).map(|cart| cart.coupons);
    assert_eq!(codes(vec![code(" spring "), code("SPRING")]), Ok(vec!["SPRING".into()]));
    assert_eq!(codes(vec![code("spring"), CartCommand::RemoveCoupon { code: "Spring".into() }]), Ok(Vec::new()));
    assert_eq!(codes(vec![code(" ")]), Err(CartRejection::NotACode));
    assert_eq!(codes(vec![code(&"x".repeat(41))]), Err(CartRejection::NotACode));
    let many = |count: usize| (0..count).map(|number| code(&number.to_string())).collect();
    assert_eq!(codes(many(MAX_COUPONS)).map(|codes| codes.len()), Ok(MAX_COUPONS));
    assert_eq!(codes(many(MAX_COUPONS + 1)), Err(CartRejection::TooManyCoupons));
}

#[test]
fn a_place_is_written_as_iso_has_it() {
    let place = |country: &str, region: &str, postal_code: &str| {
        Destination { country: country.into(), region: Some(region.into()), postal_code: Some(postal_code.into()) }.checked()
    };
    let kept = Destination { country: "US".into(), region: Some("NY".into()), postal_code: Some("10001".into()) };
    assert_eq!(place(" us", "ny ", " 10001 "), Ok(kept));
    assert_eq!(place("de", " ", ""), Ok(Destination { country: "DE".into(), region: None, postal_code: None }));
    for country in ["", "D", "DEU", "D1", "ÄÖ"] {
        assert_eq!(place(country, "", ""), Err(CartRejection::NotAPlace { field: "country" }));
    }
    assert_eq!(place("DE", "BAYERN", ""), Err(CartRejection::NotAPlace { field: "region" }));
    assert_eq!(place("DE", "", &"1".repeat(17)), Err(CartRejection::NotAPlace { field: "postal_code" }));
    assert_eq!(place("DE", "", "1\n2"), Err(CartRejection::NotAPlace { field: "postal_code" }));
}

#[test]
fn a_price_seen_that_cannot_be_is_replaced_by_the_price() {
    let seen = |minor| {
        let wish = CartCommand::AddLine { sku: sku(0), quantity: 1, properties: Vec::new(), seen_price_minor: minor };
        after(&Shop::of(&[100]), [wish]).expect("it is sold").lines[0].seen_price_minor
    };
    assert_eq!([seen(None), seen(Some(90)), seen(Some(-1)), seen(Some(i64::MAX))], [100, 90, 100, 100]);
}

#[test]
fn in_another_market_the_place_is_asked_anew_and_no_price_is_called_changed() {
    let mut shop = Shop::of(&[100, 200]);
    let dollar = Currency::from_code("USD").expect("a currency");
    shop.products[0].variants[0].prices.push(Price { currency: dollar, ..price(120) });
    let us = Market {
        id: "us".into(),
        currency: dollar,
        countries: vec!["US".into()],
        tax_mode: TaxMode::Exclusive,
        ..shop.rules.markets[0].clone()
    };
    shop.rules.markets.push(us.clone());
    let mut moved = sent_to(after(&shop, [add(0, 1), add(1, 1)]).expect("both are sold"), "DE");
    moved.move_to(&us, &CartFacts { catalog: &shop.catalog(), currency: us.currency, at: NOW, outside: &OutsidePrices::NONE });
    let priced = shop.price(&moved).expect("the market is open and nothing is taxed without a place");
    assert_eq!((moved.destination, priced.currency), (None, dollar));
    assert_eq!((priced.lines.len(), priced.lines[0].seen_price, priced.unavailable.len()), (1, None, 1));
}

fn any_wish() -> impl Strategy<Value = CartCommand> {
    let any_line = || (0..120usize).prop_map(|number| cart(&[(number, 1)], &[]).lines[0].id());
    let any_quantity = || prop_oneof![0..5u32, any::<u32>()];
    prop_oneof![
        6 => (0..120usize, any_quantity(), prop::option::of(any::<i64>()), prop::collection::vec((".*", ".*"), 0..2)).prop_map(
            |(number, quantity, seen_price_minor, properties)| CartCommand::AddLine {
                sku: sku(number),
                quantity,
                properties,
                seen_price_minor
            }
        ),
        1 => (any_line(), any_quantity()).prop_map(|(line, quantity)| CartCommand::SetQuantity { line, quantity }),
        1 => any_line().prop_map(|line| CartCommand::RemoveLine { line }),
        1 => ".*".prop_map(|text| code(&text)),
        1 => ".*".prop_map(|text| CartCommand::RemoveCoupon { code: text.as_str().into() }),
        1 => (".{0,4}", prop::option::of(".{0,4}"), prop::option::of(".*")).prop_map(|(country, region, postal_code)| {
            CartCommand::SetDestination { destination: Destination { country, region, postal_code } }
        }),
    ]
}

proptest! {
    #[test]
    fn any_wishes_in_any_order_keep_the_limits(wishes in prop::collection::vec(any_wish(), 0..200), min in 1..3u32, step in 1..4u32) {
        let mut shop = Shop::of(&[100; 110]);
        for product in &mut shop.products {
            product.quantity = QuantityRule { min, max: 7, step };
        }
        let catalog = shop.catalog();
        let facts = CartFacts { catalog: &catalog, currency: euro(), at: NOW, outside: &OutsidePrices::NONE };
        let mut held = cart(&[], &[]);
        for wish in wishes {
            let Ok(next) = held.apply(wish, &facts) else { continue };
            prop_assert_eq!(next.revision, held.revision + 1);
            held = next;
            prop_assert!(held.lines.len() <= MAX_LINES && held.coupons.len() <= MAX_COUPONS);
            prop_assert!(held.lines.iter().all(|line| shop.products[0].quantity.allows(line.quantity)));
            let mut ids: Vec<LineId> = held.lines.iter().map(LineItem::id).collect();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), held.lines.len());
        }
        prop_assert!(shop.price(&held).is_ok());
    }
}
