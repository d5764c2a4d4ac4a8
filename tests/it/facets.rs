//! Facets: shelves that are cut have pages of their own, which crawlers find, and what is written wrongly about them is told.

use std::fs;
use std::path::Path;

use crate::support::shop::run;

const SITE: &str = r#"[shop]
name = "Tiny"
base_url = "https://tiny.example"

[[markets]]
id = "eu"
countries = ["DE"]
currency = "EUR"

[[markets]]
id = "us"
prefix = "us"
countries = ["US"]
currency = "USD"

[tax]
classes = ["standard"]
rates = [{ country = "DE", name = "VAT", standard = "19" }, { country = "US", name = "Tax", standard = "0" }]

[[shipping]]
id = "home"
countries = ["DE"]
rates = [{ id = "standard", name = "Standard", price = "4.90" }]

[build]
page_size = 2
"#;

const BRAND: &str = "[[facets]]\nname = \"brand\"\nsource = \"brand\"\nmin_products = 2\n";
const PRICE: &str =
    "[[facets]]\nname = \"price\"\nsource = \"price\"\nbands = [\"25\"]\nmin_products = 1\nother_bands = { USD = [\"40\"] }\n";

/// Six lamps below two shelves: three of ACME, two of Bright, one of nobody; the first is the cheapest.
fn shop(facets: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "site.toml", &format!("{SITE}\n{facets}"));
    write(folder.path(), "content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\n");
    write(folder.path(), "content/categories/light/lamps/_index.md", "+++\ntitle = \"Lamps\"\n+++\n");
    let brands = ["ACME", "Acme", "ACME", "Bright", "Bright", ""];
    for (number, brand) in brands.iter().enumerate() {
        let brand = if brand.is_empty() { String::new() } else { format!("brand = \"{brand}\"\n") };
        let price = 20 + 5 * number;
        let text = format!(
            "+++\ntitle = \"Lamp {number}\"\n{brand}sku = \"L{number}\"\nprice = \"{price}\"\nprices = {{ USD = \"{price}\" }}\nstock = 1\n\
             categories = [\"light/lamps\"]\n+++\nA lamp.\n"
        );
        write(folder.path(), &format!("content/products/lamp-{number}.md"), &text);
    }
    folder
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
    fs::write(path, text).expect("written");
}

#[track_caller]
fn built(folder: &Path) {
    let (code, _, told) = run(folder, &["build"]);
    assert_eq!(code, 0, "{told}");
}

#[track_caller]
fn refused(facets: &str, parts: &[&str]) {
    let folder = shop(facets);
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1, "{told}");
    for part in parts {
        assert!(told.contains(part), "`{part}` is not in:\n{told}");
    }
}

fn read(folder: &Path, path: &str) -> String {
    fs::read_to_string(folder.join("public").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_value_with_enough_products_has_pages_that_are_linked_listed_and_their_own() {
    let folder = shop(BRAND);
    built(folder.path());
    let category = read(folder.path(), "categories/light/lamps.html");
    assert!(category.contains("<a href=\"/categories/light/lamps/brand/acme\">ACME <span class=\"fine\">3</span></a>"));
    let first = read(folder.path(), "categories/light/lamps/brand/acme.html");
    assert!(first.contains("<title>Lamps – ACME – Tiny</title>") && first.contains("<h1>Lamps – ACME"));
    assert!(first.contains("<link rel=\"canonical\" href=\"https://tiny.example/categories/light/lamps/brand/acme\">"));
    assert!(first.contains("hreflang=\"en-US\" href=\"https://tiny.example/us/categories/light/lamps/brand/acme\""));
    assert!(first.contains("href=\"/categories/light/lamps/brand/acme/2\" rel=\"next\"") && !first.contains("noindex"));
    assert!(first.contains("<li><a href=\"/categories/light/lamps\">Lamps</a></li>"), "the way back");
    assert!(first.contains("/products/lamp-1") && !first.contains("/products/lamp-2") && !first.contains("/products/lamp-3"));
    let second = read(folder.path(), "categories/light/lamps/brand/acme/2.html");
    assert!(
        second.contains("/products/lamp-2")
            && second.contains("canonical\" href=\"https://tiny.example/categories/light/lamps/brand/acme/2\"")
    );
    // Shelves above have them too; values that too few bear have none.
    assert!(read(folder.path(), "us/categories/light/brand/bright.html").contains("/us/products/lamp-4"));
    let sitemap = read(folder.path(), "sitemap.xml");
    assert!(sitemap.contains("https://tiny.example/us/categories/light/lamps/brand/acme/2</loc>"));
    assert!(!sitemap.contains("/search"));
}

#[test]
fn bands_are_cut_in_each_markets_currency_and_name_no_versions_elsewhere() {
    let folder = shop(PRICE);
    built(folder.path());
    let europe = read(folder.path(), "categories/light/lamps/price/from-25.html");
    assert!(europe.contains("€25.00 +") && !europe.contains("rel=\"alternate\""), "{europe}");
    assert!(europe.contains("<a href=\"/us\" hreflang=\"en\""), "the other market has no such page: {europe}");
    assert!(read(folder.path(), "us/categories/light/lamps/price/under-40.html").contains("$0.00 – $39.99"));
    assert!(!folder.path().join("public/us/categories/light/lamps/price/from-25.html").exists());
}

#[test]
fn more_pages_than_allowed_stop_the_build_with_the_facet_that_makes_most() {
    let few = SITE.replace("page_size = 2", "page_size = 2\nmax_facet_pages = 3");
    let folder = shop(BRAND);
    write(folder.path(), "site.toml", &format!("{few}\n{BRAND}"));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1, "{told}");
    // Two pages of ACME's and one of Bright's, on two shelves, in two markets.
    assert!(told.contains("facets make 12 pages, more than the 3 that are allowed; the facet `brand` makes most, 12"), "{told}");
    assert!(told.contains("max_facet_pages") && !folder.path().join("public").exists());
}

#[test]
fn what_is_written_wrongly_about_facets_is_told_at_its_place() {
    let name = |name: &str| BRAND.replace("\"brand\"\nsource", &format!("\"{name}\"\nsource"));
    refused(&name("Brand"), &["site.toml:29:8", "`Brand` cannot stand in addresses"]);
    refused(&name("2"), &["`2` cannot stand in addresses"]);
    refused(&name("sort"), &["`sort` is a field of the search page"]);
    refused(&name("lamps"), &["`light/lamps` stands where the pages of the facet `lamps` stand", "_index.md"]);
    refused(&format!("{BRAND}{BRAND}"), &["there are two facets `brand`"]);
    refused(&BRAND.replace("= 2", "= 0"), &["at least one product"]);
    refused(&BRAND.replace("\"brand\"\nmin", "\"colour\"\nmin"), &["site.toml:30", "colour"]);
    refused(&PRICE.replace("bands = [\"25\"]", "bands = [\"25\", \"25\"]"), &["the amounts of bands rise"]);
    refused(&PRICE.replace("bands = [\"25\"]\n", ""), &["a price facet needs its bands"]);
    refused(&PRICE.replace("\"25\"", "12.5"), &["written in quotes"]);
    refused(&PRICE.replace("USD", "XYZ"), &["XYZ"]);
    refused(&format!("{BRAND}bands = [\"25\"]\n"), &["`bands` belong to facets with source = \"price\""]);
    refused(&format!("{BRAND}attribute = \"Size\"\n"), &["`attribute` belongs to facets with source = \"attribute\""]);
}

#[test]
fn a_market_without_bands_is_warned_of() {
    let folder = shop(&PRICE.replace("other_bands = { USD = [\"40\"] }\n", ""));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert!(code == 0 && told.contains("the market `us` sells in USD, for which this facet has no bands"), "{told}");
}
