//! Measures: what is in a variant is read exactly, and what a kilogram of it costs is said wherever its price is.

use std::fs;

use serde_json::json;
use vitrine::edge::app::Settings;

use crate::support::edge::{BASE_URL, Caller, app_of, bundle};
use crate::support::shop::{build, folder, png, run, site};

const HONEY: &str = r#"+++
title = "Honey"
images = [{ src = "images/honey.png", alt = "A jar" }]
options = ["Jar"]
content = "250 g"
variants = [
  { options = ["Small"], sku = "HON-S", price = "6.90", stock = 9 },
  { options = ["Large"], sku = "HON-L", price = "11.90", content = "0.5 kg per 100 g", stock = 9 },
]
+++
Sweet.
"#;

fn shop(honey: &str) -> tempfile::TempDir {
    let settings = site("EUR") + "\n[feeds]\ngoogle = true\n";
    let folder = folder(&[("site.toml", &settings), ("content/products/honey.md", honey)]);
    fs::create_dir_all(folder.path().join("static/images")).expect("made");
    fs::write(folder.path().join("static/images/honey.png"), png(8)).expect("written");
    folder
}

#[test]
fn pages_data_and_feed_tell_the_price_of_a_measure_of_each_variant() {
    let folder = shop(HONEY);
    build(folder.path(), "2026-12-01", &[]);
    let read = |path: &str| fs::read_to_string(folder.path().join("public").join(path)).expect("it was built");
    let page = read("products/honey.html");
    for part in ["<span>250 g · €27.60 / kg</span>", "data-unit=\"0.5 kg · €2.38 / 100 g\"", "<small>€2.38 / 100 g</small>"]
    {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    let measured = "\"referenceQuantity\":{\"@type\":\"QuantitativeValue\",\"value\":\"0.5\",\"unitCode\":\"KGM\",\
                    \"valueReference\":{\"@type\":\"QuantitativeValue\",\"value\":\"100\",\"unitCode\":\"GRM\"}}";
    assert!(page.contains(measured), "{page}");
    let feed = read("feeds/google.xml");
    let told =
        "<g:unit_pricing_measure>0.5 kg</g:unit_pricing_measure><g:unit_pricing_base_measure>100 g</g:unit_pricing_base_measure>";
    assert!(feed.contains(told), "{feed}");
    let (code, _, told) = run(folder.path(), &["check", "--as-of", "2026-12-01"]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn content_that_cannot_be_meant_is_told_at_its_place() {
    let folder = shop(&HONEY.replace("\"250 g\"", "\"250 gr\"").replace("0.5 kg per 100 g", "0.5 kg per 1 l"));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1, "{told}");
    for part in ["honey.md:5:11", "`gr` is no unit", "honey.md:8", "a price of 0.5 kg cannot be told per 1 l", "write \"250 g\""]
    {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
}

#[test]
fn a_line_of_a_cart_tells_the_price_of_a_measure() {
    let mut bundle = bundle(BASE_URL, 1990);
    let mut products = bundle.catalog.products().to_vec();
    for variant in
        products.iter_mut().flat_map(|product| &mut product.variants).filter(|variant| variant.sku.as_str() == "LAMP-S")
    {
        variant.content = Some(Box::new("0.75 l".parse().expect("content")));
    }
    bundle.catalog =
        vitrine::commerce::catalog::Catalog::new(products, bundle.catalog.categories().to_vec()).expect("a catalogue");
    let mut caller = Caller::new(&app_of(&bundle, Settings::default()));
    let line = json!({"sku": "LAMP-S", "quantity": 2});
    let cart = caller.json("POST", "/api/v1/cart/lines", line).expect(200).json();
    let told = json!({
        "price": {"amount": 2653, "currency": "EUR"}, "base": {"number": "1", "count": 1, "sign": "l"}, "text": "€26.53 / l"
    });
    assert_eq!(cart["lines"][0]["per_measure"], told);
    let page = caller.page("/cart").expect(200).body;
    assert!(page.contains("€26.53 / l"), "{page}");
}
