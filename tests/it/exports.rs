//! Exports: every real catalogue becomes a whole shop, whose pages are checked, or is refused at its rows; an import of it writes the same
//! shop into files, and a second one writes nothing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::catalogues::DUMMYJSON;
use crate::support::shop::{build, changed, folder, run, site, tree};
use crate::support::{data, unpacked};

const AS_OF: &str = "2026-12-01T00:00:00Z";
/// Flags of an import that say what the settings below say.
const FLAGS: [&str; 4] = ["--images", "https://cdn.example", "--weight-unit", "lb"];

fn source(format: &str, file: &Path, map: &str) -> String {
    let map = if map.is_empty() { String::new() } else { format!("[sources.map]\n{map}\n") };
    format!(
        "\n[[sources]]\nformat = \"{format}\"\npath = {file:?}\nimages = \"https://cdn.example\"\nweight_unit = \"lb\"\n{map}"
    )
}

/// A shop that sells what these sources hold, in dollars.
fn shop(sources: &str) -> tempfile::TempDir {
    folder(&[("site.toml", &(site("USD") + "\n[feeds]\ngoogle = true\n" + sources))])
}

fn pages(public: &Path) -> usize {
    let products = fs::read_dir(public.join("products")).map(|found| found.count());
    products.unwrap_or(0)
}

/// Fails unless a shop is built and nothing that is wrong is found in its pages, of which there are so many of products.
#[track_caller]
fn checked(shop: &tempfile::TempDir, products: usize) {
    let (code, _, told) = run(shop.path(), &["check", "--as-of", AS_OF]);
    assert!(code == 0 && (told.contains("no error:") || told.contains("nothing is wrong:")), "{told}");
    assert_eq!(pages(&shop.path().join(".vitrine/check/public")), products, "{told}");
}

/// Every file below a folder with its time: what is written again has another.
fn times(root: &Path) -> BTreeMap<PathBuf, std::time::SystemTime> {
    let files = walkdir::WalkDir::new(root).into_iter().map(|entry| entry.expect("readable"));
    let files = files.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().to_owned(), entry.metadata().expect("a file").modified().expect("a time"))).collect()
}

/// Imports a file; gives what was done with each file of the shop.
#[track_caller]
fn imported(root: &Path, format: &str, file: &str) -> Vec<Value> {
    let map = ["--map", "map.toml"];
    let map = if format == "json" { &map[..] } else { &[] };
    let (code, out, told) = run(root, &[&["import", format, file, "--report", "json"], &FLAGS[..], map].concat());
    assert_eq!(code, 0, "{file}: {told}");
    let mut report: Value = serde_json::from_str(&out).expect("a report");
    serde_json::from_value(report["files"].take()).expect("files")
}

/// One catalogue that has nothing to be refused.
#[track_caller]
fn whole(format: &str, file: &Path, map: &str, products: usize) {
    let direct = shop(&source(format, file, map));
    build(direct.path(), AS_OF, &[]);
    assert_eq!(pages(&direct.path().join("public")), products, "{}", file.display());
    checked(&direct, products);
    let written = shop("");
    fs::write(written.path().join("map.toml"), map).expect("written");
    let name = file.to_str().expect("a name");
    let first = imported(written.path(), format, name);
    assert!(first.iter().all(|file| file["change"] == "new" && file["is_written"] == true), "{name}");
    let content = written.path().join("content");
    let before = times(&content);
    assert_eq!(before.len(), first.len(), "{name}");
    let again = imported(written.path(), format, name);
    let is_left = |file: &Value| file["change"] == "same" && file["is_written"] == false;
    assert!(again.len() == first.len() && again.iter().all(is_left), "{name}: {again:?}");
    assert!(before == times(&content), "{name}: a second import writes nothing");
    // The files hold all that was shown.
    build(written.path(), AS_OF, &[]);
    let products = |shop: &tempfile::TempDir| tree(&shop.path().join("public/products"));
    assert_eq!(changed(&products(&direct), &products(&written)), [""; 0], "{name}");
}

/// Fails unless a build is refused at exactly these lines of the source.
#[track_caller]
fn refused(format: &str, file: &Path, map: &str, lines: &[u64]) {
    let shop = shop(&source(format, file, map));
    for command in ["build", "check"] {
        let (code, out, told) = run(shop.path(), &[command, "--report", "json"]);
        assert_eq!(code, 1, "{}: {told}", file.display());
        assert_eq!(error_lines(&out, "error"), lines, "{told}");
        assert!(!shop.path().join("public").exists());
    }
    let (code, ..) = run(shop.path(), &[&["import", format, file.to_str().expect("a name")], &FLAGS[..]].concat());
    assert!(code != 0 && !shop.path().join("content").exists(), "nor is half of it imported");
}

fn error_lines(report: &str, severity: &str) -> Vec<u64> {
    let report: Value = serde_json::from_str(report).expect("a report");
    let problems = report["problems"].as_array().expect("problems");
    let of_rows = problems.iter().filter(|one| one["severity"] == severity && (severity == "error" || one["left_out"] == true));
    of_rows.map(|one| one["line"].as_u64().unwrap_or(0)).collect()
}

#[test]
fn shopify_exports_become_whole_shops() {
    let test = "shopify_exports_become_whole_shops";
    for (set, file, products) in [
        ("shopify-partners", "apparel.csv", 20),
        ("shopify-partners", "home-and-garden.csv", 20),
        ("shopify-packt", "Product-data.csv", 20),
    ] {
        if let Some(folder) = data(test, set) {
            whole("shopify", &folder.join(file), "", products);
        }
    }
    // One handle in two blocks.
    if let Some(folder) = data(test, "shopify-gatsby") {
        refused("shopify", &folder.join("products.csv"), "", &[170]);
    }
}

#[test]
fn a_woocommerce_export_becomes_a_whole_shop() {
    let Some(folder) = data("a_woocommerce_export_becomes_a_whole_shop", "woocommerce") else { return };
    // One of the 18 is hidden there.
    whole("woocommerce", &folder.join("sample_products.csv"), "", 17);
}

#[test]
fn magento_exports_become_whole_shops_and_their_other_files_are_refused() {
    let Some(folder) = data("magento_exports_become_whole_shops_and_their_other_files_are_refused", "magento2") else { return };
    whole("magento", &folder.join("configurable/products.csv"), "", 147);
    for (file, products) in [("bags", 14), ("watches", 9), ("fitness_equipment", 9)] {
        whole("magento", &folder.join(format!("catalog/products_gear_{file}.csv")), "", products);
    }
    // Children whose product stands in no file: each is left out at its row, and the shop is empty.
    for (file, rows) in [("ball", 9), ("strap", 3)] {
        let file = folder.join(format!("catalog/products_gear_fitness_equipment_{file}.csv"));
        let mut reader = csv::Reader::from_path(&file).expect("readable");
        let lines: Vec<u64> = reader.records().map(|row| row.expect("a row").position().expect("its place").line()).collect();
        assert_eq!(lines.len(), rows);
        let shop = shop(&source("magento", &file, ""));
        let (code, out, told) = run(shop.path(), &["build", "--as-of", AS_OF, "--report", "json"]);
        assert_eq!((code, error_lines(&out, "warning")), (0, lines), "{told}");
        checked(&shop, 0);
    }
    for file in ["catalog/attributes", "catalog/categories", "catalog/images_gear_bags", "catalog/images_gear_fitness_equipment"]
    {
        refused("magento", &folder.join(format!("{file}.csv")), "", &[1]);
    }
    for file in ["attributes", "categories", "links_crosssell", "links_related", "links_upsell"] {
        refused("magento", &folder.join(format!("configurable/{file}.csv")), "", &[1]);
    }
}

#[test]
fn a_spree_export_becomes_a_whole_shop_and_its_translations_are_refused() {
    let Some(folder) = data("a_spree_export_becomes_a_whole_shop_and_its_translations_are_refused", "spree") else { return };
    whole("spree", &folder.join("products.csv"), "", 37);
    refused("spree", &folder.join("product_translations.csv"), "", &[1]);
}

#[test]
fn vendure_exports_become_whole_shops_once_every_sku_is_one_variants() {
    let Some(folder) = data("vendure_exports_become_whole_shops_once_every_sku_is_one_variants", "vendure") else { return };
    refused("vendure", &folder.join("products.csv"), "", &[88, 89]);
    let text = fs::read_to_string(folder.join("products.csv")).expect("text");
    let mended = text.split("404.038.96").enumerate().fold(String::new(), |mended, (number, part)| match number {
        0 => part.to_owned(),
        _ => format!("{mended}CHAIR-{number}{part}"),
    });
    let copy = tempfile::tempdir().expect("a folder");
    fs::write(copy.path().join("products.csv"), mended).expect("written");
    whole("vendure", &copy.path().join("products.csv"), "", 54);
    for file in ["multiple-languages.csv", "single-product-multiple-variants.csv"] {
        whole("vendure", &folder.join(file), "", 1);
    }
}

#[test]
fn documents_become_whole_shops_by_their_maps() {
    let test = "documents_become_whole_shops_by_their_maps";
    if let Some(folder) = data(test, "dummyjson") {
        whole("json", &folder.join("products.json"), DUMMYJSON, 194);
    }
    if let Some(folder) = data(test, "saleor") {
        let map = "where = { model = \"product.product\" }\ntitle = \"fields.name\"\nslug = \"fields.slug\"\nbody = \"fields.description_plaintext\"";
        whole("json", &folder.join("populatedb_data.json"), map, 32);
        refused("json", &folder.join("populatedb_data.json"), "title = \"title\"", &[0]);
    }
    if let Some(folder) = data(test, "pc-parts") {
        let copy = tempfile::tempdir().expect("a folder");
        // The smaller ones; tests/it/catalogues.rs reads all of them.
        let mut sources = String::new();
        for file in ["os", "optical-drive", "thermal-paste", "cpu"] {
            let path = unpacked(&folder.join(format!("{file}.jsonl.gz")), copy.path());
            sources += &source("json", &path, "title = \"name\"\nprice = \"price\"");
        }
        let shop = shop(&sources);
        let report = build(shop.path(), AS_OF, &[]);
        let products = pages(&shop.path().join("public"));
        assert!(products > 1_000, "{report}");
        checked(&shop, products);
    }
}

#[test]
fn a_large_document_becomes_a_whole_shop() {
    let Some(folder) = data("a_large_document_becomes_a_whole_shop", "bestbuy-subset") else { return };
    let copy = tempfile::tempdir().expect("a folder");
    let path = unpacked(&folder.join("ecommerce.json.gz"), copy.path());
    let map = "title = \"name\"\nbody = \"description\"\ncategory_path = \"categories\"\nprice = \"price\"\nbrand = \"brand\"\nimages = \"image\"";
    whole("json", &path, map, 3291);
}

/// A product on every shelf of a tree: `(its number, the way to the shelf)`.
fn shelves<'a>(ways: impl Iterator<Item = (usize, Vec<&'a str>)>) -> String {
    ways.fold(String::new(), |mut lines, (number, way)| {
        let line = json!({"t": format!("Thing {number}"), "p": number + 1, "way": way});
        writeln!(lines, "{line}").expect("into a text");
        lines
    })
}

/// Builds a shop of these shelves; gives the addresses of all its categories.
#[track_caller]
fn tree_shop(lines: &str) -> Vec<String> {
    let shop = shop(&source("json", Path::new("tree.jsonl"), "title = \"t\"\nprice = \"p\"\ncategory_path = \"way\""));
    fs::write(shop.path().join("tree.jsonl"), lines).expect("written");
    build(shop.path(), AS_OF, &[]);
    checked(&shop, lines.lines().count());
    let public = tree(&shop.path().join("public/categories"));
    // Not the further pages of a shelf: `…/2`.
    let is_first = |path: &&str| !path.rsplit('/').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    public.keys().filter_map(|path| path.strip_suffix(".html")).filter(is_first).map(str::to_owned).collect()
}

#[test]
fn trees_of_categories_become_shelves() {
    let test = "trees_of_categories_become_shelves";
    // Every fifteenth shelf and all above it: the rest would only take longer.
    if let Some(folder) = data(test, "google-taxonomy") {
        let file = folder.join("taxonomy-with-ids.en-US.txt");
        let text = fs::read_to_string(&file).expect("text");
        let ways = text.lines().filter_map(|line| line.split_once(" - ")).map(|(_, way)| way.split(" > ").collect::<Vec<_>>());
        let ways: Vec<Vec<&str>> = ways.collect();
        assert_eq!(ways.len(), 5_595);
        let some: Vec<_> = ways.iter().cloned().enumerate().step_by(15).collect();
        let mut expected: Vec<&[&str]> = some.iter().flat_map(|(_, way)| (1..=way.len()).map(|depth| &way[..depth])).collect();
        expected.sort_unstable();
        expected.dedup();
        let found = tree_shop(&shelves(some.iter().cloned()));
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().any(|path| path.matches('/').count() == 6), "seven deep");
        // It is no list of products, whatever it is taken for.
        for format in ["shopify", "woocommerce", "magento", "vendure", "spree"] {
            refused(format, &file, "", &[1]);
        }
    }
    if let Some(folder) = data(test, "bestbuy-categories") {
        let copy = tempfile::tempdir().expect("a folder");
        let text = fs::read_to_string(unpacked(&folder.join("categories.json.gz"), copy.path())).expect("text");
        let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        assert_eq!(all.len(), 4_584);
        let way = |node: &'_ Value| -> Vec<String> {
            let path = node["path"].as_array().expect("a path").iter();
            // One of them has no name.
            path.filter_map(|step| step["name"].as_str().map(str::to_owned)).collect()
        };
        let some: Vec<(usize, Vec<String>)> = all.iter().map(way).enumerate().step_by(15).collect();
        let mut expected: Vec<&[String]> = some.iter().flat_map(|(_, way)| (1..=way.len()).map(|depth| &way[..depth])).collect();
        expected.sort_unstable();
        expected.dedup();
        let ways = some.iter().map(|(number, way)| (*number, way.iter().map(String::as_str).collect()));
        assert_eq!(tree_shop(&shelves(ways)).len(), expected.len());
    }
}

#[test]
fn other_systems_exports_are_refused_at_their_header() {
    let Some(folder) = data("other_systems_exports_are_refused_at_their_header", "medusa") else { return };
    for file in ["exported-products-comma.csv", "product-with-categories.csv", "v1-template.csv"] {
        refused("shopify", &folder.join(file), "", &[1]);
    }
}
