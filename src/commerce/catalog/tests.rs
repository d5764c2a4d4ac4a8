//! Catalogue: prices by the instant, names and look-ups.

use super::*;
use crate::commerce::fixture::{NOW, price, product, variant};

fn window(price_minor: i64, from: Option<i64>, until: Option<i64>) -> SaleWindow {
    SaleWindow { price_minor, from: from.map(Timestamp), until: until.map(Timestamp), until_offset_minutes: 0 }
}

/// (unit, struck-out, until) at an instant.
#[track_caller]
fn check(price: &Price, instant: i64, expected: (i64, Option<i64>, Option<i64>)) {
    let now = price.at(Timestamp(instant));
    let found = (now.unit.minor, now.compare_at.map(|struck| struck.minor), now.until.map(|until| until.0));
    assert_eq!(found, expected, "at {instant}");
}

#[test]
fn a_sale_holds_from_its_first_instant_to_before_its_last() {
    let mut on_sale = price(1000);
    on_sale.sales = vec![window(800, Some(10), Some(20)), window(700, Some(20), None)];
    check(&on_sale, 9, (1000, None, None));
    check(&on_sale, 10, (800, Some(1000), Some(20)));
    check(&on_sale, 19, (800, Some(1000), Some(20)));
    check(&on_sale, 20, (700, Some(1000), None));
}

#[test]
fn a_struck_out_price_is_always_above_the_price() {
    let mut compared = price(1000);
    compared.compare_at_minor = Some(1200);
    compared.sales = vec![window(900, Some(10), Some(20)), window(1300, Some(20), Some(30))];
    check(&compared, 0, (1000, Some(1200), None));
    check(&compared, 10, (900, Some(1200), Some(20)));
    check(&compared, 20, (1300, None, Some(30)));
    compared.compare_at_minor = Some(1000);
    check(&compared, 0, (1000, None, None));
}

#[test]
fn windows_that_touch_do_not_overlap() {
    let overlap = |one: (Option<i64>, Option<i64>), other: (Option<i64>, Option<i64>)| {
        let (one, other) = (window(1, one.0, one.1), window(1, other.0, other.1));
        assert_eq!(one.overlaps(&other), other.overlaps(&one));
        one.overlaps(&other)
    };
    assert!(!overlap((Some(0), Some(10)), (Some(10), Some(20))));
    assert!(overlap((Some(0), Some(11)), (Some(10), Some(20))));
    assert!(overlap((None, None), (Some(10), Some(20))));
    assert!(overlap((None, Some(11)), (Some(10), None)));
    assert!(!overlap((None, Some(10)), (Some(10), None)));
}

#[test]
fn everything_is_found_by_its_name() {
    let mut two = product("b", 200);
    two.variants.push(variant("B2", 250));
    let catalog = Catalog::new(vec![two, product("a", 100)], Vec::new()).expect("names are unique");
    assert_eq!(catalog.products()[0].slug, Slug::from("a"));
    assert_eq!(catalog.product("b").map(|product| product.variants.len()), Some(2));
    assert!(catalog.product("c").is_none());
    let (product, variant) = catalog.variant_by_sku(&Sku::from("B2")).expect("it is there");
    assert_eq!((product.slug.as_str(), variant.sku.as_str()), ("b", "B2"));
    assert!(catalog.variant_by_sku(&Sku::from("b2")).is_none());
}

#[test]
fn the_order_of_input_does_not_matter() {
    let (one, two) = (product("a", 100), product("b", 200));
    let turned = Catalog::new(vec![two.clone(), one.clone()], Vec::new());
    assert_eq!(Catalog::new(vec![one, two], Vec::new()), turned);
}

#[test]
fn all_names_claimed_twice_are_told() {
    let mut thief = product("c", 1);
    thief.variants[0].sku = "A".into();
    let shelf = || Category { path: "x".into(), title: String::new(), translations: Vec::new(), order: 0 };
    let found = Catalog::new(vec![product("a", 1), product("b", 1), product("b", 1), thief], vec![shelf(), shelf()]);
    let sku = |sku: &str, first: &str, second: &str| CatalogError::DuplicateSku {
        sku: sku.into(),
        first: first.into(),
        second: second.into(),
    };
    let mut errors = found.expect_err("names are claimed twice");
    errors.sort_by_key(|error| error.to_string());
    let mut expected = vec![
        CatalogError::DuplicateSlug { slug: "b".into() },
        CatalogError::DuplicateCategory { path: "x".into() },
        sku("A", "a", "c"),
        sku("B", "b", "b"),
    ];
    expected.sort_by_key(|error| error.to_string());
    assert_eq!(errors, expected);
}

#[test]
fn a_product_is_active_between_its_instants() {
    let mut product = product("a", 1);
    let active = |product: &Product| product.is_active(NOW);
    assert!(active(&product));
    product.publish_at = Some(NOW);
    assert!(active(&product));
    product.expires_at = Some(NOW);
    assert!(!active(&product));
    (product.publish_at, product.expires_at) = (Some(NOW.plus_seconds(1)), None);
    assert!(!active(&product));
    (product.publish_at, product.status) = (None, ProductStatus::Draft);
    assert!(!active(&product));
}

#[test]
fn a_catalogue_travels_without_field_names() {
    let catalog = Catalog::new(vec![product("a", 100)], Vec::new()).expect("names are unique");
    let bytes = postcard::to_stdvec(&catalog).expect("plain data");
    assert_eq!(postcard::from_bytes::<Catalog>(&bytes), Ok(catalog));
}
