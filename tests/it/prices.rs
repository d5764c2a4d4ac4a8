//! Prices: what is struck out is the lowest price of the thirty days before the reduction, everywhere, and what is said otherwise is told.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::shop::{build, changed, folder, run, site, tree, write};

const HISTORY: &str = "price-history.jsonl";

/// A lamp that is reduced, by more words of its front matter.
fn shop(words: &str) -> tempfile::TempDir {
    let lamp = format!(
        "+++\ntitle = \"Lamp\"\nsku = \"LAMP\"\nstock = 9\nimages = [{{ src = \"images/lamp.jpg\", alt = \"A lamp\" }}]\n{words}\n+++\nLight.\n"
    );
    let site = site("EUR") + "\n[feeds]\ngoogle = true\n";
    let folder = folder(&[("site.toml", &site), ("content/products/lamp.md", &lamp)]);
    fs::create_dir_all(folder.path().join("static/images")).expect("made");
    fs::write(folder.path().join("static/images/lamp.jpg"), crate::support::shop::png(8)).expect("written");
    folder
}

/// Lines of the history: (day, minor units, whether it was reduced).
fn history(root: &Path, steps: &[(&str, i64, bool)]) {
    let line = |(from, minor, reduced): &(&str, i64, bool)| {
        format!(
            "{{\"sku\":\"LAMP\",\"market\":\"eu\",\"currency\":\"EUR\",\"minor\":{minor},\"reduced\":{reduced},\"from\":\"{from}\"}}\n"
        )
    };
    write(root, HISTORY, &steps.iter().map(line).collect::<String>());
}

fn page(root: &Path) -> String {
    fs::read_to_string(root.join("public/products/lamp.html")).expect("the page")
}

#[track_caller]
fn told(root: &Path, as_of: &str) -> (i32, Value) {
    let (code, out, told) = run(root, &["check", "--as-of", as_of, "--report", "json"]);
    (code, serde_json::from_str::<Value>(&out).unwrap_or_else(|error| panic!("{error}: {told}"))["problems"].take())
}

const SALE: &str = "price = \"100.00\"\nsales = [{ price = \"70.00\", from = \"2026-11-20\", until = \"2026-12-20\" }]";

#[test]
fn what_is_struck_out_is_the_lowest_price_before_in_every_place() {
    let folder = shop(SALE);
    let root = folder.path();
    history(root, &[("2026-01-01", 10_000, false), ("2026-11-01", 9_000, true), ("2026-11-06", 10_000, false)]);
    build(root, "2026-12-01", &[]);
    let page_text = page(root);
    assert!(page_text.contains("Lowest price of the last 30 days: <span class=\"price\">€90.00</span>"), "{page_text}");
    assert!(page_text.contains("<s>€90.00</s>") && !page_text.contains("<s>€100.00</s>"), "{page_text}");
    assert!(page_text.contains("StrikethroughPrice\",\"price\":\"90.00\""), "{page_text}");
    let feed = fs::read_to_string(root.join("public/feeds/google.xml")).expect("the feed");
    assert!(feed.contains("<g:price>90.00 EUR</g:price><g:sale_price>70.00 EUR</g:sale_price>"), "{feed}");
    let (code, problems) = told(root, "2026-12-01");
    assert!(code == 0 && !problems.to_string().contains("price"), "{problems}");
    // After the sale the page is as it always was.
    build(root, "2026-12-21", &[]);
    assert!(!page(root).contains("30 days: <"), "nothing is reduced");
}

#[test]
fn a_reduction_that_is_none_is_not_announced() {
    let folder = shop(SALE);
    let root = folder.path();
    history(root, &[("2026-01-01", 10_000, false), ("2026-11-01", 6_500, true), ("2026-11-06", 10_000, false)]);
    build(root, "2026-12-01", &[]);
    let page = page(root);
    assert!(page.contains("€70.00") && !page.contains("<s>") && !page.contains("StrikethroughPrice"), "{page}");
    let feed = fs::read_to_string(root.join("public/feeds/google.xml")).expect("the feed");
    assert!(feed.contains("<g:price>70.00 EUR</g:price>") && !feed.contains("sale_price"), "{feed}");
    assert_eq!(told(root, "2026-12-01").0, 0);
}

#[test]
fn a_struck_price_above_the_lowest_is_an_error_at_its_line() {
    let folder = shop("price = \"79.00\"\ncompare_at = \"100.00\"");
    let root = folder.path();
    history(root, &[("2026-01-01", 9_500, false), ("2026-11-01", 7_900, true)]);
    let (code, problems) = told(root, "2026-12-01");
    let problem = &problems[0];
    assert_eq!((code, problem["line"].as_i64(), problem["column"].as_i64()), (1, Some(7), Some(1)), "{problems}");
    assert_eq!(
        problem["message"],
        "`LAMP` is reduced from 100.00 EUR, and was sold for 95.00 EUR in the 30 days before the reduction"
    );
    assert_eq!(problem["hint"], "write compare_at = \"95.00\"");
    history(root, &[("2026-01-01", 7_500, false), ("2026-11-01", 7_900, true)]);
    let (_, problems) = told(root, "2026-12-01");
    assert_eq!(problems[0]["hint"], "take `compare_at` out: 79.00 EUR is no reduction from 75.00 EUR");
    // Elsewhere nobody asks.
    let site = fs::read_to_string(root.join("site.toml")).expect("the settings");
    write(root, "site.toml", &site.replace("currency = \"EUR\"\n", "currency = \"EUR\"\nconsumer_law = \"none\"\n"));
    build(root, "2026-12-01", &[]);
    assert!(page(root).contains("<s>€100.00</s>") && !page(root).contains("Lowest price"));
}

#[test]
fn a_reduction_of_which_nothing_is_known_is_warned_of() {
    let folder = shop("price = \"79.00\"\ncompare_at = \"100.00\"");
    let root = folder.path();
    let (code, problems) = told(root, "2026-12-01");
    assert_eq!((code, problems.as_array().map(Vec::len)), (0, Some(1)), "{problems}");
    assert!(
        problems[0]["message"].as_str().is_some_and(|text| text.starts_with("`lamp` is reduced, and no price")),
        "{problems}"
    );
    build(root, "2026-12-01", &[]);
    assert!(page(root).contains("<s>€100.00</s>") && !page(root).contains("Lowest price"));
}

#[test]
fn what_is_recorded_is_recorded_once_and_read_again() {
    let folder = shop("price = \"100.00\"");
    let root = folder.path();
    let record = |as_of: &str, words: &[&str]| {
        let (code, out, told) = run(root, &[&["prices", "record", "--as-of", as_of], words].concat());
        assert_eq!(code, 0, "{told}");
        out
    };
    let shown = record("2026-01-01", &["--dry-run"]);
    assert_eq!(
        shown,
        "{\"sku\":\"LAMP\",\"market\":\"eu\",\"currency\":\"EUR\",\"minor\":10000,\"from\":\"2026-01-01T00:00:00Z\"}\n"
    );
    assert!(!root.join(HISTORY).exists(), "it was only shown");
    record("2026-01-01", &[]);
    record("2026-02-01", &[]);
    assert_eq!(fs::read_to_string(root.join(HISTORY)).expect("written"), shown);
    let lamp = fs::read_to_string(root.join("content/products/lamp.md")).expect("the lamp");
    write(root, "content/products/lamp.md", &lamp.replace("price = \"100.00\"", "price = \"80.00\"\ncompare_at = \"100.00\""));
    record("2026-03-01", &[]);
    record("2026-03-02", &[]);
    let text = fs::read_to_string(root.join(HISTORY)).expect("written");
    assert!(text.starts_with(&shown) && text.lines().count() == 2, "{text}");
    assert!(text.ends_with("\"minor\":8000,\"reduced\":true,\"from\":\"2026-03-01T00:00:00Z\"}\n"), "{text}");
    build(root, "2026-12-01", &[]);
    assert!(page(root).contains("Lowest price of the last 30 days: <span class=\"price\">€100.00</span>"));
}

#[test]
fn a_line_that_is_wrong_is_told_at_its_place() {
    let folder = shop("price = \"100.00\"");
    let root = folder.path();
    let right = "{\"sku\":\"LAMP\",\"market\":\"eu\",\"currency\":\"EUR\",\"minor\":10000,\"from\":\"2026-01-01\"}";
    let wrong = [("EUR", "EURO"), ("10000", "-1"), ("2026-01-01", "January"), ("\"minor\"", "\"price\""), ("10000", "100.5")];
    let lines: Vec<String> = wrong.iter().map(|(from, to)| right.replace(from, to)).collect();
    write(root, HISTORY, &format!("{right}\n\n{}\n", lines.join("\n")));
    let (code, problems) = told(root, "2026-12-01");
    let places: Vec<(i64, i64)> = problems
        .as_array()
        .expect("a list")
        .iter()
        .map(|problem| (problem["line"].as_i64().unwrap_or(0), problem["column"].as_i64().unwrap_or(0)))
        .collect();
    assert_eq!(code, 1);
    assert_eq!(places, [(3, 41), (4, 54), (5, 68), (6, 52), (7, 58)], "{problems}");
    assert!(
        problems.to_string().contains("`EURO` is not a currency") && problems.to_string().contains("`January` is not a time")
    );
}

#[test]
fn a_history_that_changes_rewrites_the_pages_that_show_it_and_no_other() {
    let folder = shop(SALE);
    let root = folder.path();
    write(root, "content/products/mug.md", "+++\ntitle = \"Mug\"\nsku = \"MUG\"\nprice = \"9\"\n+++\n");
    history(root, &[("2026-01-01", 10_000, false)]);
    build(root, "2026-12-01", &[]);
    let before = tree(&root.join("public"));
    history(root, &[("2026-01-01", 10_000, false), ("2026-11-01", 9_000, true), ("2026-11-06", 10_000, false)]);
    let built = build(root, "2026-12-01", &[]);
    let kept = tree(&root.join("public"));
    assert_eq!(built["bundle_written"], true, "carts strike out the same price");
    assert!(changed(&before, &kept).contains(&"products/lamp.html".to_owned()));
    assert!(!changed(&before, &kept).contains(&"products/mug.html".to_owned()));
    assert!(changed(&before, &kept).contains(&"feeds/google.xml".to_owned()));
    fs::remove_dir_all(root.join("public")).expect("it can be removed");
    build(root, "2026-12-01", &["--no-cache"]);
    assert_eq!(changed(&kept, &tree(&root.join("public"))), [""; 0], "a build from nothing gives the same bytes");
}
