//! Diff: what a build changes beside an earlier one, and what of it stops a publication.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::shop::run;

const SITE: &str = r#"
[shop]
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
language = "en-US"

[tax]
classes = ["standard", "reduced"]
rates = [
  { country = "DE", name = "VAT", standard = "19", reduced = "7" },
  { country = "US", name = "Tax", standard = "0", reduced = "0" },
]
"#;

const LAMP: &str = r#"+++
title = "Lamp"
options = ["Size"]
variants = [
  { options = ["Small"], sku = "LAMP-S", price = "20.00", prices = { USD = "22.00" }, sales = [{ price = "15.00", from = "2026-11-01", until = "2027-01-31" }], stock = 3 },
  { options = ["Large"], sku = "LAMP-L", price = "100.00", prices = { USD = "110.00" }, stock = 3 },
]
+++
"#;

const MUG: &str = "+++\ntitle = \"Mug\"\nsku = \"MUG\"\nprice = \"9.00\"\nstock = 1\n+++\n";

const AS_OF: &str = "2026-12-01";

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn build(root: &Path, words: &[&str]) {
    let (code, _, told) = run(root, &[&["build", "--no-cache", "--as-of", AS_OF], words].concat());
    assert_eq!(code, 0, "{told}");
}

/// A shop that was built, its output kept in `old`, and a change of it that was built too.
fn changed(change: impl Fn(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    for (path, text) in [("site.toml", SITE), ("content/products/lamp.md", LAMP), ("content/products/mug.md", MUG)] {
        write(root, path, text);
    }
    build(root, &["--out", "old", "--bundle", "old/shop.bundle"]);
    change(root);
    build(root, &[]);
    folder
}

fn edited(path: &str, from: &str, to: &str) -> tempfile::TempDir {
    changed(|root| {
        let text = fs::read_to_string(root.join(path)).expect("a file");
        assert!(text.contains(from), "{path} has no {from}");
        write(root, path, &text.replace(from, to));
    })
}

/// Exit code, report, text for people, what was told of errors.
fn compared(root: &Path, words: &[&str]) -> (i32, Value, String, String) {
    let words = [&["diff", "old", "--as-of", AS_OF], words].concat();
    let (code, text, told) = run(root, &words);
    let (_, out, _) = run(root, &[&words[..], &["--report", "json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or(Value::Null), text, told)
}

/// The price that moved, as (SKU, market, kind, was, is, tenths of a percent, beyond).
#[track_caller]
fn moved(report: &Value) -> Vec<Value> {
    let fields = ["sku", "market", "kind", "was_minor", "is_minor", "tenths_percent", "beyond"];
    let prices = report["prices"].as_array().expect("prices").iter();
    prices.map(|price| Value::Array(fields.iter().map(|field| price[field].clone()).collect())).collect()
}

#[test]
fn a_build_of_nothing_new_differs_in_nothing() {
    let folder = changed(|_| {});
    let (code, report, text, told) = compared(folder.path(), &[]);
    assert_eq!((code, told.as_str()), (0, ""), "{text}");
    for list in [
        "stops",
        "prices",
        "markets",
        "products_new",
        "products_gone",
        "variants_new",
        "variants_gone",
        "tax_classes",
        "addresses_gone",
        "growth",
    ] {
        assert_eq!(report[list], json!([]), "{list}");
    }
    let pages = &report["files"]["pages"];
    assert!(pages["same"].as_u64() > Some(4) && pages["bytes_was"] == pages["bytes_is"], "{report}");
    assert_eq!((&pages["new"], &pages["changed"], &pages["gone"]), (&json!(0), &json!(0), &json!(0)));
}

#[test]
fn pages_that_came_changed_and_went_are_counted_with_their_bytes() {
    let folder = changed(|root| {
        fs::remove_file(root.join("content/products/mug.md")).expect("removed");
        for name in ["vase", "bowl"] {
            write(root, &format!("content/products/{name}.md"), &MUG.replace("Mug", name).replace("MUG", name));
        }
        write(root, "content/products/lamp.md", &format!("{LAMP}\n{}\n", "It shines. ".repeat(200)));
    });
    let root = folder.path();
    let (_, report, text, _) = compared(root, &[]);
    let pages = |folder: &str| {
        let text = fs::read_to_string(root.join(folder).join("manifest.json")).expect("a manifest");
        let manifest: Value = serde_json::from_str(&text).expect("JSON");
        let files = manifest["files"].as_object().expect("files").clone();
        files.into_iter().filter(|(_, entry)| entry["cache"] == "page").collect::<std::collections::BTreeMap<_, _>>()
    };
    let (old, new) = (pages("old"), pages("public"));
    let bytes = |pages: &std::collections::BTreeMap<String, Value>| -> u64 {
        pages.values().map(|entry| entry["size"].as_u64().expect("bytes")).sum()
    };
    let counted = &report["files"]["pages"];
    let is_changed = |(path, entry): (&String, &Value)| old.get(path).is_some_and(|was| was["hash"] != entry["hash"]);
    let changed = new.iter().filter(|(path, entry)| is_changed((path, entry))).count();
    // One of each market.
    assert_eq!((&counted["new"], &counted["gone"]), (&json!(4), &json!(2)), "{text}");
    assert!(changed >= 3, "the lamp in two markets and the home page at least");
    assert_eq!(counted["changed"], json!(changed), "{text}");
    assert_eq!(counted["same"], json!(new.len() - changed - 4), "{text}");
    assert_eq!((&counted["bytes_was"], &counted["bytes_is"]), (&json!(bytes(&old)), &json!(bytes(&new))));
    let line = format!("pages: 4 new, {changed} changed, 2 gone, {} as before; ", new.len() - changed - 4);
    assert!(text.contains(&line), "{text}");
    let grown = report["growth"].as_array().expect("growth");
    let lamp = grown.iter().find(|row| row["path"] == "products/lamp.html").expect("the lamp grew");
    let size = |pages: &std::collections::BTreeMap<String, Value>| pages["products/lamp.html"]["size"].clone();
    assert_eq!((&lamp["bytes_was"], &lamp["bytes_is"]), (&size(&old), &size(&new)));
    assert!(text.contains("files that grew most: ") && text.contains("  products/lamp.html: "), "{text}");
}

#[test]
fn a_price_within_the_limit_is_told_and_one_beyond_it_stops() {
    let folder = edited("content/products/mug.md", "9.00", "11.70");
    let (code, report, text, _) = compared(folder.path(), &[]);
    assert_eq!((code, moved(&report)), (0, vec![json!(["MUG", "eu", "current", 900, 1170, 300, false])]));
    assert!(text.contains("prices that move: 1\n  MUG of mug, eu: 9.00 EUR → 11.70 EUR  +30.0 %\n"), "{text}");
    let folder = edited("content/products/mug.md", "9.00", "6.29");
    let (code, report, text, told) = compared(folder.path(), &[]);
    assert_eq!((code, moved(&report)), (1, vec![json!(["MUG", "eu", "current", 900, 629, -301, true])]));
    assert!(
        text.contains(
            "prices that move by more than 30 %, are free or are gone: 1\n  MUG of mug, eu: 9.00 EUR → 6.29 EUR  −30.1 %"
        ),
        "{text}"
    );
    assert!(told.contains("1 price moves beyond the limit; if that is meant, say so with --accept"), "{told}");
    assert_eq!(report["stops"], json!(["1 price moves beyond the limit"]));
    assert_eq!(compared(folder.path(), &["--accept"]).0, 0);
    assert_eq!(compared(folder.path(), &["--max-price-change", "30.2"]).0, 0);
    let (code, _, _, told) = compared(folder.path(), &["--max-price-change", "a lot"]);
    assert!(code == 2 && told.contains("a lot"), "{told}");
    write(folder.path(), "site.toml", &format!("{SITE}\n[diff]\nmax_price_change = \"50\"\n"));
    assert_eq!(compared(folder.path(), &[]).0, 0);
    write(folder.path(), "site.toml", &format!("{SITE}\n[diff]\nmax_price_change = \"half\"\n"));
    let (code, _, _, told) = compared(folder.path(), &[]);
    assert!(code == 1 && told.contains("half"), "{told}");
}

#[test]
fn what_is_free_or_no_longer_for_sale_in_a_market_always_stops() {
    let all = ["--max-price-change", "100"];
    let folder = edited("content/products/mug.md", "price = \"9.00\"", "price = \"0.00\"");
    let (code, report, ..) = compared(folder.path(), &all);
    assert_eq!((code, moved(&report)), (1, vec![json!(["MUG", "eu", "current", 900, 0, -1000, true])]));
    let folder = edited("content/products/lamp.md", ", prices = { USD = \"110.00\" }", "");
    let (code, report, text, _) = compared(folder.path(), &all);
    assert_eq!((code, moved(&report)), (1, vec![json!(["LAMP-L", "us", "current", 11000, null, null, true])]));
    assert!(text.contains("LAMP-L of lamp, us: 110.00 USD → not for sale\n"), "{text}");
    let folder = edited("content/products/mug.md", "price = \"9.00\"", "price = \"9.00\"\nprices = { USD = \"10.00\" }");
    let (code, report, ..) = compared(folder.path(), &all);
    assert_eq!((code, moved(&report)), (0, vec![json!(["MUG", "us", "current", null, 1000, null, false])]));
}

#[test]
fn sales_count_by_what_holds_at_the_instant() {
    // One that begins by its dates is no change: both builds knew it.
    let folder = changed(|_| {});
    for day in ["2026-10-01", "2026-12-24", "2027-06-01"] {
        let (code, out, _) = run(folder.path(), &["diff", "old", "--as-of", day, "--report", "json"]);
        let report: Value = serde_json::from_str(&out).expect("a report");
        assert_eq!((code, moved(&report)), (0, vec![]), "{day}");
    }
    let folder = edited("content/products/lamp.md", "price = \"15.00\"", "price = \"14.00\"");
    let (_, report, ..) = compared(folder.path(), &[]);
    assert_eq!(moved(&report), vec![json!(["LAMP-S", "eu", "current", 1500, 1400, -66, false])]);
    // Beneath a sale nobody sees the regular price; it will hold all the same.
    let folder = edited("content/products/lamp.md", "price = \"20.00\"", "price = \"200.00\"");
    let (code, report, text, _) = compared(folder.path(), &[]);
    assert_eq!((code, moved(&report)), (1, vec![json!(["LAMP-S", "eu", "regular", 2000, 20000, 9000, true])]));
    assert!(text.contains("20.00 EUR → 200.00 EUR  +900.0 % (when no sale holds)"), "{text}");
    // What a cart would take by itself at a later second is told before that.
    let planned = "sales = [{ price = \"1.50\", from = \"2026-12-24\" }]\nstock = 1";
    let folder = edited("content/products/mug.md", "stock = 1", planned);
    let (code, report, text, _) = compared(folder.path(), &[]);
    assert_eq!((code, moved(&report)), (1, vec![json!(["MUG", "eu", "upcoming", 900, 150, -833, true])]));
    assert!(text.contains("9.00 EUR → 1.50 EUR  −83.3 % (from 2026-12-24T00:00:00Z on)"), "{text}");
}

#[test]
fn a_product_that_goes_needs_a_redirect() {
    let folder = changed(|root| fs::remove_file(root.join("content/products/lamp.md")).expect("removed"));
    let (code, report, text, told) = compared(folder.path(), &[]);
    assert_eq!((code, &report["products_gone"]), (1, &json!(["lamp"])));
    let gone = json!([{ "address": "/products/lamp", "moved_to": null }, { "address": "/us/products/lamp", "moved_to": null }]);
    assert_eq!(report["addresses_gone"], gone);
    assert!(text.contains("products gone without a redirect: 2\n  /products/lamp\n  /us/products/lamp\n"), "{text}");
    assert!(told.contains("2 products are gone without a redirect"), "{told}");
    let folder = changed(|root| {
        fs::remove_file(root.join("content/products/mug.md")).expect("removed");
        write(root, "content/products/cup.md", &MUG.replace("sku", "redirects = [\"/products/mug\"]\nsku"));
    });
    let (_, report, text, _) = compared(folder.path(), &[]);
    assert_eq!(report["addresses_gone"][0], json!({ "address": "/products/mug", "moved_to": "/products/cup" }));
    assert_eq!((&report["products_new"], &report["products_gone"]), (&json!(["cup"]), &json!(["mug"])));
    assert!(text.contains("  /products/mug → /products/cup\n"), "{text}");
}

#[test]
fn variants_and_tax_classes_are_told_and_do_not_stop() {
    let folder = edited("content/products/lamp.md", "LAMP-L", "LAMP-XL");
    let (code, report, ..) = compared(folder.path(), &[]);
    assert_eq!((code, &report["variants_gone"]), (0, &json!([{ "product": "lamp", "sku": "LAMP-L" }])));
    assert_eq!(report["variants_new"], json!([{ "product": "lamp", "sku": "LAMP-XL" }]));
    let folder = edited("content/products/mug.md", "stock = 1", "stock = 1\ntax_class = \"reduced\"");
    let (code, report, ..) = compared(folder.path(), &[]);
    assert_eq!((code, &report["tax_classes"]), (0, &json!([{ "product": "mug", "was": "standard", "is": "reduced" }])));
}

#[test]
fn a_market_that_goes_or_changes_its_currency_and_an_empty_shop_stop() {
    let folder = changed(|root| {
        let site = SITE.replace("currency = \"USD\"", "currency = \"CAD\"");
        write(root, "site.toml", &site);
        write(root, "content/products/lamp.md", &LAMP.replace("USD", "CAD"));
    });
    let (code, report, text, _) = compared(folder.path(), &[]);
    assert_eq!((code, &report["markets"]), (1, &json!([{ "market": "us", "currency_was": "USD", "currency_is": "CAD" }])));
    assert!(text.contains("us: USD is CAD now"), "{text}");
    let folder = changed(|root| fs::remove_dir_all(root.join("content/products")).expect("removed"));
    let (code, _, text, told) = compared(folder.path(), &[]);
    assert!(code == 1 && text.starts_with("nothing is sold any more\n") && told.contains("nothing is sold any more"), "{told}");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let told = |spoil: &dyn Fn(&Path)| {
        let folder = changed(|_| {});
        spoil(folder.path());
        let (code, _, _, told) = compared(folder.path(), &[]);
        assert_eq!(code, 3, "{told}");
        told
    };
    let bundle = |root: &Path| root.join("old/shop.bundle");
    assert!(told(&|root| fs::remove_dir_all(root.join("old")).expect("removed")).contains("old holds no manifest.json"));
    assert!(
        told(&|root| fs::write(root.join("old/manifest.json"), "{").expect("written")).contains("old holds no manifest.json")
    );
    assert!(told(&|root| fs::remove_dir_all(root.join("public")).expect("removed")).contains("public holds no manifest.json"));
    let cut = |root: &Path| {
        let bytes = fs::read(bundle(root)).expect("a bundle");
        fs::write(bundle(root), &bytes[..bytes.len() / 2]).expect("written");
    };
    assert!(told(&cut).contains("cut short"));
    assert!(told(&|root| fs::write(bundle(root), "text").expect("written")).contains("not a shop bundle"));
    let spoilt = |root: &Path| {
        write(root, "content/products/mug.md", &MUG.replace("9.00", "9.50"));
        build(root, &[]);
        fs::copy(root.join("shop.bundle"), bundle(root)).expect("copied");
    };
    let text = told(&spoilt);
    assert!(text.contains("old/shop.bundle: this is the bundle ") && text.contains(", and the manifest of old names "), "{text}");
    let other = |root: &Path| write(root, "site.toml", &SITE.replace("\"Tiny\"", "\"Other\""));
    assert!(told(&other).contains("belongs to the shop `tiny`, not to `other`"));
}

#[test]
fn a_bundle_may_lie_elsewhere() {
    let folder = changed(|root| {
        fs::rename(root.join("old/shop.bundle"), root.join("kept.bundle")).expect("moved");
        fs::create_dir(root.join("shop")).expect("made");
        fs::rename(root.join("old"), root.join("shop/public")).expect("moved");
        fs::rename(root.join("shop"), root.join("old")).expect("moved");
    });
    // A shop's folder does as well as its output.
    assert_eq!(compared(folder.path(), &["--old-bundle", "kept.bundle"]).0, 0);
    fs::rename(folder.path().join("kept.bundle"), folder.path().join("old/shop.bundle")).expect("moved");
    assert_eq!(compared(folder.path(), &[]).0, 0);
}
