//! Tests of facets: which values there are, which have a page, and what is told when there are too many.

use super::*;
use crate::commerce::catalog::{Category, Price, ProductOption, ProductStatus, QuantityRule, StockPolicy, Variant};
use crate::commerce::money::Rounding;
use crate::commerce::rules::RoundingScope;
use crate::commerce::tax::TaxMode;
use crate::site::load::{Body, CategoryDetails, LoadedCategory, LoadedProduct, ProductDetails, Source};

const AT: Timestamp = Timestamp(1_800_000_000);

fn euro() -> Currency {
    Currency::from_code("EUR").expect("a currency")
}

fn market(id: &str, code: &str) -> Market {
    Market {
        id: id.into(),
        name: id.to_owned(),
        prefix: String::new(),
        countries: Vec::new(),
        currency: Currency::from_code(code).expect("a currency"),
        language: "en".to_owned(),
        tax_mode: TaxMode::Inclusive,
        rounding: Rounding::HalfUp,
        rounding_scope: RoundingScope::Line,
        consumer_law: Default::default(),
    }
}

/// A product with a brand, a material and a price in euro.
fn product(slug: &str, brand: &str, material: &str, unit_minor: i64) -> LoadedProduct {
    let price = Price { currency: euro(), unit_minor, compare_at_minor: None, sales: Vec::new(), prior: Box::default() };
    let variant = Variant {
        sku: slug.into(),
        option_values: Vec::new(),
        prices: vec![price],
        weight_g: 0,
        requires_shipping: true,
        opening_stock: 1,
        stock_policy: StockPolicy::Deny,
        image: None,
        gtin: None,
        content: None,
    };
    let product = Product {
        slug: slug.into(),
        title: slug.to_owned(),
        translations: Vec::new(),
        brand: Some(brand.into()).filter(|_| !brand.is_empty()),
        categories: vec!["light".into()],
        image: None,
        options: Vec::new(),
        variants: vec![variant],
        tax_class: "standard".into(),
        quantity: QuantityRule::default(),
        properties: Vec::new(),
        status: ProductStatus::Active,
        publish_at: None,
        expires_at: None,
    };
    let details = ProductDetails {
        source: Source::default(),
        body: Body::Markdown(String::new()),
        images: Vec::new(),
        tags: Vec::new(),
        attributes: vec![("Material".to_owned(), material.to_owned())],
        related: Vec::new(),
        redirects: Vec::new(),
        seo_title: None,
        seo_description: None,
        updated_at: None,
        assurance: None,
        translations: Vec::new(),
    };
    LoadedProduct { product, details, derived_skus: Vec::new(), variant_lines: Vec::new() }
}

fn loaded_on(products: Vec<LoadedProduct>, shelves: &[&str]) -> Loaded {
    let category = |path: &&str| LoadedCategory {
        category: Category { path: (*path).into(), title: (*path).to_owned(), translations: Vec::new(), order: 0 },
        details: CategoryDetails::default(),
    };
    Loaded::of(products, shelves.iter().map(category).collect(), &mut Problems::new())
}

/// Sorted by slug, as the catalogue is.
fn lamps() -> Loaded {
    loaded_on(lamps_alone(), &["light"])
}

fn lamps_alone() -> Vec<LoadedProduct> {
    let mut lamps = vec![
        product("a", "ACME", "Oak", 1000),
        product("b", "Acme", "10 mm steel", 2499),
        product("c", "ACME", "oak", 2500),
        product("d", "Bright", "8 mm steel", 9900),
        product("e", "", "+", 9900),
    ];
    let values = ["Oak", "Ash"].map(Into::into).to_vec();
    lamps[4].product.options = vec![ProductOption { name: "material".into(), values }];
    lamps
}

fn facet(name: &str, source: FacetSource, min_products: usize) -> Facet {
    Facet { name: name.to_owned(), label: name.to_owned(), source, min_products }
}

fn material() -> FacetSource {
    FacetSource::Attribute { name: "Material".to_owned() }
}

fn bands() -> FacetSource {
    FacetSource::Price { bands: [(euro(), vec![2500, 5050])].into() }
}

fn shop<'a>(loaded: &'a Loaded, shown: &'a [bool], markets: &'a [Market]) -> Shop<'a> {
    Shop { loaded, shown, markets, at: AT }
}

fn slugs(values: &Values) -> Vec<&str> {
    values.all.iter().map(|value| value.slug.as_str()).collect()
}

#[test]
fn spellings_of_one_value_are_one_and_the_usual_one_is_shown() {
    let (loaded, markets) = (lamps(), [market("eu", "EUR")]);
    let values = shop(&loaded, &[true; 5], &markets).values(&facet("brand", FacetSource::Brand, 1), 0);
    assert_eq!(slugs(&values), ["acme", "bright"]);
    assert_eq!(values.all[0].label, "ACME");
    assert_eq!((0..5).map(|product| values.of(product).len()).collect::<Vec<_>>(), [1, 1, 1, 1, 0]);
}

#[test]
fn attributes_and_options_of_a_name_are_one_facet_with_numbers_in_their_order() {
    let (loaded, markets) = (lamps(), [market("eu", "EUR")]);
    let values = shop(&loaded, &[true; 5], &markets).values(&facet("material", material(), 1), 0);
    let signs = format!("value-{}", &blake3::hash(b"+").to_hex()[..8]);
    assert_eq!(slugs(&values), ["8-mm-steel", "10-mm-steel", signs.as_str(), "ash", "oak"]);
    assert_eq!(values.of(4), [2, 3, 4], "one product may bear several");
    let hidden = shop(&loaded, &[true, true, true, true, false], &markets).values(&facet("material", material(), 1), 0);
    assert_eq!(slugs(&hidden), ["8-mm-steel", "10-mm-steel", "oak"], "what is not shown has no values");
}

#[test]
fn bands_of_prices_touch_and_do_not_overlap() {
    let (loaded, markets) = (lamps(), [market("eu", "EUR"), market("us", "USD")]);
    let shop = shop(&loaded, &[true; 5], &markets);
    let values = shop.values(&facet("price", bands(), 1), 0);
    assert_eq!(slugs(&values), ["under-25", "25-to-50-50", "from-50-50"]);
    let labels: Vec<&str> = values.all.iter().map(|value| value.label.as_str()).collect();
    assert_eq!(labels, ["€0.00 – €24.99", "€25.00 – €50.49", "€50.50 +"]);
    assert_eq!((0..5).map(|product| values.of(product)[0]).collect::<Vec<_>>(), [0, 0, 1, 2, 2]);
    assert!(shop.values(&facet("price", bands(), 1), 1).all.is_empty(), "no bands in dollars, none in that market");
}

#[test]
fn only_values_with_enough_products_and_not_with_all_have_a_page() {
    let (loaded, markets) = (lamps(), [market("eu", "EUR"), market("us", "USD")]);
    let facets = [facet("brand", FacetSource::Brand, 2), facet("price", bands(), 1), facet("material", material(), 9)];
    let cut = shop(&loaded, &[true; 5], &markets).shelves(&facets, &[vec![4, 3, 2, 1, 0], vec![0, 1]], 2, 100);
    let of = |market| cut.of(0, market).map(|(_, shelf)| (shelf.value.slug.as_str(), shelf.products.clone())).collect::<Vec<_>>();
    let acme = ("acme", vec![2, 1, 0]);
    assert_eq!(of(1), std::slice::from_ref(&acme));
    assert_eq!(of(0), [acme, ("under-25", vec![1, 0]), ("25-to-50-50", vec![2]), ("from-50-50", vec![4, 3])]);
    assert_eq!(cut.of(1, 0).count(), 0, "every product of the second shelf is ACME's and cheap");
}

#[test]
fn too_many_pages_are_told_with_the_facet_that_makes_most() {
    let (loaded, markets) = (lamps(), [market("eu", "EUR"), market("us", "USD")]);
    let facets = [facet("brand", FacetSource::Brand, 1), facet("price", bands(), 1)];
    let cut = |limit| shop(&loaded, &[true; 5], &markets).shelves(&facets, &[vec![0, 1, 2, 3, 4]], 2, limit);
    // Brands: two pages and one, in two markets; prices: one page each, in one.
    assert!(cut(9).too_many.is_none());
    let told = cut(8).too_many.expect("one too many");
    assert_eq!((told.pages, told.facet.as_str(), told.of_facet), (9, "brand", 6));
    assert!(cut(8).all.is_empty());
}

#[test]
fn a_category_where_pages_of_a_facet_stand_and_an_attribute_that_nobody_has_are_told() {
    let loaded = loaded_on(lamps_alone(), &["brand", "light", "light/brand"]);
    let facets =
        [facet("brand", FacetSource::Brand, 1), facet("material", FacetSource::Attribute { name: "Materiel".to_owned() }, 1)];
    let mut problems = Problems::new();
    check(&facets, &loaded, &mut problems);
    let told = problems.render(false);
    assert!(told.contains("`light/brand` stands where the pages of the facet `brand` stand"), "{told}");
    assert!(told.contains("`Materiel`") && told.contains("did you mean `Material`?"), "{told}");
    assert_eq!((problems.errors(), problems.warnings()), (1, 1), "a category at the top is in nobody's way: {told}");
}
