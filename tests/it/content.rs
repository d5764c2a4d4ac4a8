//! Content: what a merchant can write wrongly is told at its place, all of it in one run, with what to write instead.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::support::shop::run;

const SITE: &str = r#"[shop]
name = "Tiny"
base_url = "https://tiny.example"

[[markets]]
id = "eu"
countries = ["DE"]
currency = "EUR"

[tax]
classes = ["standard"]
rates = [{ country = "DE", name = "VAT", standard = "19" }]

[[shipping]]
id = "home"
countries = ["DE"]
rates = [{ id = "standard", name = "Standard", price = "4.90" }]
"#;

const LAMP: &str = "+++\ntitle = \"Lamp\"\nsku = \"LAMP\"\nprice = \"19.90\"\nstock = 3\n+++\nA lamp.\n";

/// A shop with a lamp in it.
fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "site.toml", SITE);
    write(folder.path(), "content/products/lamp.md", LAMP);
    folder
}

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
    fs::write(path, text).expect("written");
}

/// Builds with one file replaced; gives what is told. The build has to refuse.
#[track_caller]
fn refused(path: &str, text: impl AsRef<[u8]>) -> String {
    let folder = shop();
    write(folder.path(), path, text);
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1, "{told}");
    assert!(
        !folder.path().join("public").exists() && !folder.path().join("shop.bundle").exists(),
        "nothing is half built: {told}"
    );
    told
}

#[track_caller]
fn holds(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "`{part}` is missing in:\n{told}");
    }
}

#[test]
fn a_right_shop_is_built() {
    let folder = shop();
    let (code, _, told) = run(folder.path(), &["build"]);
    assert!(code == 0 && folder.path().join("public/products/lamp.html").is_file(), "{told}");
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    let told = refused("site.toml", SITE.replace("name = \"Tiny\"", "name = \"Tiny"));
    holds(&told, &["site.toml:2:", "name = \"Tiny"]);
    let told = refused("content/products/lamp.md", LAMP.replace("price = \"19.90\"", "price = "));
    holds(&told, &["content/products/lamp.md:4:"]);
    let told = refused("content/products/lamp.md", LAMP.replace("price", "preis"));
    holds(&told, &["content/products/lamp.md:4:1", "preis"]);
    let told = refused("content/products/lamp.md", "Just text");
    holds(&told, &["content/products/lamp.md", "+++"]);
}

#[test]
fn a_price_of_too_many_decimals_or_none_at_all_is_told() {
    for (written, part) in [("19.999", "19.999"), ("nineteen", "nineteen"), ("1,5", "1,5"), ("-3.00", "-3.00"), ("1e3", "1e3")] {
        let told = refused("content/products/lamp.md", LAMP.replace("19.90", written));
        holds(&told, &["content/products/lamp.md:4:9", part]);
    }
    let told = refused("content/products/lamp.md", LAMP.replace("\"19.90\"", "19.90"));
    holds(&told, &["content/products/lamp.md:4:9", "\"19.90\""]);
}

#[test]
fn a_reduction_is_taken_by_the_price_it_stands_beside_or_told() {
    let lamp = |keys: &str| LAMP.replace("price = \"19.90\"", keys);
    let folder = shop();
    let site = SITE.replace("19\" }]", "19\" }, { country = \"US\", name = \"Tax\", standard = \"0\" }]");
    let dollars = "\n[[markets]]\nid = \"us\"\nprefix = \"us\"\ncountries = [\"US\"]\ncurrency = \"USD\"\n\n[tax]";
    write(folder.path(), "site.toml", site.replace("\n[tax]", dollars));
    let told_of = |keys: &str| {
        write(folder.path(), "content/products/lamp.md", lamp(keys));
        let (code, _, told) = run(folder.path(), &["build", "--as-of", "2026-12-01"]);
        (code, told)
    };
    let sale = "sales = [{ price = \"14.90\", until = \"2027-01-31\" }]";
    let (code, told) = told_of(&format!("prices = {{ EUR = \"19.90\", USD = \"21.00\" }}\ncompare_at = \"25.00\"\n{sale}"));
    assert_eq!(code, 0, "{told}");
    let page = fs::read_to_string(folder.path().join("public/products/lamp.html")).expect("a page");
    holds(&page, &["€14.90", "€25.00"]);
    let dollars_only = "prices = { USD = \"21.00\" }\ncompare_at = \"25.00\"\n";
    let (code, told) = told_of(&format!("{dollars_only}{sale}"));
    assert_eq!(code, 1);
    holds(
        &told,
        &["content/products/lamp.md:5:14", "lamp.md:6:20", "there is no price in EUR which this reduces", "write `price`"],
    );
    let (code, told) = told_of("price = \"19.90\"\nprices = { EUR = \"18.90\" }");
    assert_eq!(code, 1);
    holds(&told, &["content/products/lamp.md:5:18", "`price` is the price in EUR already"]);
    let variants = "options = [\"Size\"]\nvariants = [{ options = [\"S\"], sku = \"S\", price = \"9\" }, { options = [\"L\"], sku = \"L\", prices = { EUR = \"12\" } }]\n";
    let (code, told) = told_of(&format!("{variants}compare_at = \"25.00\"").replace("sku = \"LAMP\"\n", ""));
    assert_eq!(code, 1);
    holds(&told, &["content/products/lamp.md:6:14", "every variant has a price of its own"]);
}

#[test]
fn whoever_sends_no_parcels_is_not_told_of_shipping() {
    let zone = "[[shipping]]\nid = \"home\"\ncountries = [\"DE\"]\nrates = [{ id = \"standard\", name = \"Standard\", price = \"4.90\" }]\n";
    let song = LAMP.replace("stock = 3", "requires_shipping = false");
    for (zone_there, lamp_there, warned) in
        [("", LAMP, true), ("", &song, false), ("rates = []", &song, false), ("rates = []", LAMP, true)]
    {
        let folder = shop();
        let rates = "rates = [{ id = \"standard\", name = \"Standard\", price = \"4.90\" }]";
        let zone_there = if zone_there.is_empty() { String::new() } else { zone.replace(rates, zone_there) };
        write(folder.path(), "site.toml", SITE.replace(zone, &zone_there));
        write(folder.path(), "content/products/lamp.md", lamp_there);
        let (code, _, told) = run(folder.path(), &["check"]);
        assert_eq!((code, told.contains("zone")), (0, warned), "{told}");
    }
}

#[test]
fn the_same_address_or_sku_twice_names_both_places() {
    let told = refused("content/products/more/lamp.md", LAMP.replace("\"LAMP\"", "\"OTHER\""));
    holds(&told, &["content/products/more/lamp.md:2", "content/products/lamp.md:2", "rename one"]);
    let told = refused("content/products/vase.md", LAMP.replace("Lamp", "Vase"));
    holds(&told, &["content/products/vase.md:2", "`LAMP` is already used at content/products/lamp.md:2", "its own SKU"]);
}

#[test]
fn an_unknown_category_is_told_with_the_nearest_one() {
    let folder = shop();
    write(folder.path(), "content/categories/lamps/_index.md", "+++\ntitle = \"Lamps\"\n+++\n");
    write(folder.path(), "content/products/lamp.md", LAMP.replace("stock = 3", "stock = 3\ncategories = [\"lmaps\"]"));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1);
    holds(&told, &["there is no category `lmaps`", "did you mean `lamps`?", "content/products/lamp.md:2"]);
    let told = refused("content/categories/light/lamps/_index.md", "+++\ntitle = \"Lamps\"\n+++\n");
    holds(&told, &["lies in `light`, which is no category", "content/categories/light/_index.md"]);
    let told = refused("content/categories/12/_index.md", "+++\ntitle = \"Dozen\"\n+++\n");
    holds(&told, &["`12` cannot be an address"]);
    let told = refused("content/categories/lamps.md", "+++\ntitle = \"Lamps\"\n+++\n");
    holds(&told, &["a category is a folder", "_index.md"]);
}

#[test]
fn of_very_many_wrong_names_all_are_told_and_the_first_with_what_was_meant() {
    let folder = shop();
    write(folder.path(), "content/categories/lamps/_index.md", "+++\ntitle = \"Lamps\"\n+++\n");
    for number in 0..60 {
        let keys = format!("sku = \"L{number}\"\ncategories = [\"lamps{number}\"]");
        write(folder.path(), &format!("content/products/lamp-{number}.md"), LAMP.replace("sku = \"LAMP\"", &keys));
    }
    let (code, out, told) = run(folder.path(), &["build", "--report", "json"]);
    assert_eq!(code, 1, "{told}");
    let report: serde_json::Value = serde_json::from_str(&out).expect("a report");
    let hints: Vec<&str> = report["problems"].as_array().expect("a list").iter().filter_map(|one| one["hint"].as_str()).collect();
    let meant = hints.iter().filter(|hint| hint.contains("did you mean `lamps`?")).count();
    assert_eq!((hints.len(), meant), (60, 50), "{told}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_lies_in_itself_is_told() {
    let folder = shop();
    write(folder.path(), "content/categories/lamps/_index.md", "+++\ntitle = \"Lamps\"\n+++\n");
    let lamps = folder.path().join("content/categories/lamps");
    std::os::unix::fs::symlink(&lamps, lamps.join("again")).expect("a link");
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1);
    holds(&told, &["content/categories", "loop"]);
}

#[test]
fn bytes_that_are_not_utf_8_are_told_with_line_and_column() {
    let mut bytes = LAMP.as_bytes().to_vec();
    bytes.extend_from_slice(b"a caf\xe9\n");
    let told = refused("content/products/lamp.md", bytes);
    holds(&told, &["content/products/lamp.md:8:6", "0xE9 is not UTF-8", "save the file as UTF-8"]);
}

#[test]
fn a_missing_picture_is_told() {
    let told =
        refused("content/products/lamp.md", LAMP.replace("stock = 3", "stock = 3\nimages = [{ src = \"images/lamp.jpg\" }]"));
    holds(&told, &["there is no picture static/images/lamp.jpg", "content/products/lamp.md:2", "put the picture into static/"]);
}

#[test]
fn a_template_that_prints_what_is_not_there_is_told_with_line_and_page() {
    let told = refused("templates/404.html", "<!doctype html>\n<p>{{ page.nothing.here }}</p>\n");
    holds(&told, &["templates/404.html:2:", "nothing", "met while printing"]);
    let told = refused("templates/404.html", "<!doctype html>\n{% if %}\n");
    holds(&told, &["templates/404.html:2:"]);
}

#[test]
fn reserved_and_impossible_addresses_are_refused() {
    let told = refused("content/pages/cart.md", "+++\ntitle = \"Cart\"\n+++\n");
    holds(&told, &["content/pages/cart.md", "cart"]);
    let told = refused("content/products/Big Lamp.md", LAMP);
    holds(&told, &["`Big Lamp` cannot be an address", "big-lamp.md"]);
}

#[test]
fn everything_wrong_in_site_toml_is_told_at_once() {
    let wrong = SITE
        .replace("https://tiny.example", "tiny.example/shop")
        .replace("currency = \"EUR\"", "currency = \"EURO\"")
        .replace("countries = [\"DE\"]\ncurrency", "countries = [\"DE\", \"XX\"]\ncurrency")
        .replace("price = \"4.90\"", "price = \"4.905\"")
        + "\n[mail]\nfrom = \"nobody\"\n\n[checkout]\nquote_minutes = 0\n";
    let told = refused("site.toml", wrong);
    holds(&told, &["tiny.example/shop", "EURO", "`XX` is not a country", "`nobody` is not an address"]);
    assert!(told.contains(" errors"), "{told}");
    let told = refused("site.toml", SITE.replace("[tax]", "[taxes]"));
    holds(&told, &["site.toml", "taxes"]);
    let told = refused("site.toml", SITE.replace("19\"", "190\""));
    holds(&told, &["site.toml"]);
}

#[test]
fn all_problems_of_a_run_are_told() {
    let folder = shop();
    write(folder.path(), "content/products/vase.md", "+++\ntitle = \"\"\nsku = \"V\"\nprice = \"x\"\n+++\n");
    write(folder.path(), "content/products/mug.md", "+++\ntitle = \"Mug\"\nsku = \"M\"\nprice = \"1.001\"\n+++\n");
    write(folder.path(), "content/promotions/x.toml", "title = \"X\"\ncode = \"X\"\npercentage = \"ten\"\n");
    let (code, out, told) = run(folder.path(), &["build", "--report", "json"]);
    assert_eq!(code, 1);
    holds(
        &told,
        &[
            "content/products/vase.md:2",
            "content/products/vase.md:4",
            "content/products/mug.md:4",
            "content/promotions/x.toml:3",
            "4 errors",
        ],
    );
    let report: serde_json::Value = serde_json::from_str(&out).expect("a report for machines");
    assert!(report["problems"].to_string().contains("content/products/mug.md"), "{report}");
}

#[test]
fn an_output_that_cannot_be_written_is_told_and_nothing_is_lost() {
    let folder = shop();
    write(folder.path(), "taken", "mine");
    let (code, _, told) = run(folder.path(), &["build", "--out", "taken"]);
    assert_eq!(code, 3, "{told}");
    holds(&told, &["taken"]);
    assert_eq!(fs::read_to_string(folder.path().join("taken")).expect("still there"), "mine");
    write(folder.path(), "photos/one.jpg", "mine");
    let (code, _, told) = run(folder.path(), &["build", "--out", "photos"]);
    assert_eq!(code, 3, "a folder with other things in it is not cleared: {told}");
    assert!(folder.path().join("photos/one.jpg").is_file());
}

#[test]
fn what_stands_in_the_way_is_told_with_what_to_do() {
    let folder = shop();
    write(folder.path(), "other.csv", "Artikel;Name;Preis\nlamp;Lamp;10,00\n");
    let (code, _, told) = run(folder.path(), &["import", "shopify", "other.csv"]);
    assert_eq!(code, 1);
    holds(&told, &["other.csv:1", "Handle and Variant Price", "`Artikel, Name, Preis`", "export the products from Shopify"]);
    write(folder.path(), ".vitrine", "a file");
    let (code, _, told) = run(folder.path(), &["build", "--no-cache"]);
    assert_eq!(code, 3);
    holds(&told, &[".vitrine has to be a folder"]);
    fs::remove_file(folder.path().join(".vitrine")).expect("removed");
    write(folder.path(), "site.toml", SITE.replace("https://tiny.example", "http://127.0.0.1:1"));
    assert_eq!(run(folder.path(), &["build"]).0, 0);
    write(folder.path(), ".vitrine/shop.db", "this is no database, however long one looks at it");
    let (code, _, told) = run(folder.path(), &["edge"]);
    assert_eq!(code, 3);
    holds(&told, &["shop.db", "not a database", "backup"]);
    fs::remove_file(folder.path().join(".vitrine/shop.db")).expect("removed");
    let output = crate::support::shop::vitrine(folder.path()).arg("edge").env("VITRINE_SMTP_URL", "mail.example").output();
    let output = output.expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    holds(&String::from_utf8_lossy(&output.stderr), &["VITRINE_SMTP_URL", "smtps://user:password@host:465"]);
}

#[test]
fn a_folder_without_a_shop_says_how_one_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    for words in [&["build"][..], &["check"], &["import", "shopify", "x.csv"]] {
        let (code, _, told) = run(folder.path(), words);
        assert_eq!(code, 1, "{words:?} {told}");
        holds(&told, &["there is no shop here", "vitrine init"]);
    }
}

#[test]
fn a_check_finds_a_price_that_is_not_the_carts() {
    let folder = shop();
    let (code, _, told) = run(folder.path(), &["check"]);
    assert!(code == 0 && told.contains("nothing is wrong"), "{told}");
    assert!(!folder.path().join("public").exists(), "what is published is left alone");
    let template = "{% extends \"theme/product.html\" %}{% block main %}<p>Only 17 today</p>{% endblock main %}";
    write(folder.path(), "templates/product.html", template);
    let (code, _, told) = run(folder.path(), &["check"]);
    assert_eq!(code, 1);
    holds(&told, &["LAMP", "19.90"]);
}

proptest! {
    #![proptest_config(crate::support::cases(64))]

    #[test]
    fn arbitrary_bytes_in_a_product_never_break_the_loader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let folder = shop();
        let mut text = b"+++\n".to_vec();
        text.extend(bytes);
        write(folder.path(), "content/products/noise.md", &text);
        let mut problems = vitrine::site::problem::Problems::new();
        let config = vitrine::config::read(folder.path(), &mut problems).expect("settings");
        let loaded = vitrine::site::load::load(folder.path(), &config.rules, &config.sources, None, &mut problems);
        prop_assert!(problems.has_errors() || loaded.catalog.products().len() == 2);
        let _ = problems.render(false);
    }
}
