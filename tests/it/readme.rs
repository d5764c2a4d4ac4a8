//! Readme: what it says is so.

use std::fs;
use std::path::Path;

use vitrine::config;
use vitrine::site::problem::Problems;

use crate::support::shop::run;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is one")
}

/// The fenced block after a heading.
fn block(readme: &str, heading: &str) -> String {
    let (_, after) = readme.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let (_, fenced) = after.split_once("\n```").expect("a block");
    let (_, text) = fenced.split_once('\n').expect("its first line");
    text.split_once("\n```").expect("its end").0.to_owned()
}

#[test]
fn the_reference_of_site_toml_is_a_whole_shop_and_names_every_key() {
    let reference = block(&readme(), "site.toml");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("site.toml"), &reference).expect("written");
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
    fs::create_dir_all(folder.path().join("static/images")).expect("made");
    for (from, to) in [("images/preview.jpg", "images/preview.jpg"), ("favicon.svg", "images/logo.svg")] {
        fs::copy(pictures.join(from), folder.path().join("static").join(to)).expect("the pictures it names");
    }
    fs::write(folder.path().join("images.sha256"), "").expect("the list it names");
    let mut problems = Problems::new();
    let config = config::read(folder.path(), &mut problems);
    assert!(config.is_some() && problems.all().is_empty(), "{}", problems.render(false));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 0, "{told}");
    // Defaults: the same file without the optional sections is the same settings.
    let cut = reference.split("\n[payment]").next().expect("it has one");
    fs::write(folder.path().join("site.toml"), cut).expect("written");
    let short = config::read(folder.path(), &mut problems).expect("it needs no more");
    let full = config.expect("read above");
    assert_eq!((short.build, short.payment), (full.build, full.payment));
    assert_eq!(short.rules.quote_seconds, full.rules.quote_seconds);
    assert_eq!(short.rules.reservation_seconds, full.rules.reservation_seconds);
}

#[test]
fn every_key_that_is_read_is_in_the_reference() {
    let readme = readme();
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the source");
    let parts = [
        "beacon", "edge", "facets", "images", "makers", "payment", "publish", "purge", "services", "slo", "store", "theme",
        "webhooks",
    ]
    .map(|part| read(&format!("src/config/{part}.rs")).replace("\npub(super) struct", "\nstruct"));
    let source = read("src/config.rs") + &parts.concat();
    let structs = source.split("\nstruct Written").skip(1);
    for body in structs.map(|part| part.split("\n}").next().unwrap_or("")) {
        for line in body.lines().skip(1).filter(|line| line.ends_with(',')) {
            let key = line.trim().split(':').next().expect("a field");
            if !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                assert!(readme.contains(key), "site.toml knows `{key}`, the README does not");
            }
        }
    }
}

#[test]
fn every_series_of_metrics_is_in_the_readme() {
    let (readme, rig) = (readme(), crate::support::rig::Rig::open());
    crate::limits::Buyer::at(&rig).pay().expect(200);
    rig.run(rig.till().look_around());
    let (_, page) = rig.operator("/metrics");
    let page = page + &crate::services::metrics_of_a_shop_with_services();
    let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let mut count = 0;
    for name in names {
        assert!(readme.contains(&format!("`{name}")), "/metrics has `{name}`, the README does not");
        count += 1;
    }
    assert!(count >= 19, "{count} in {page}");
}

#[test]
fn five_lines_make_a_shop_of_an_export() {
    let readme = readme();
    let lines = block(&readme, "A real shop from a Shopify export, in five lines");
    assert_eq!(lines.lines().count(), 5);
    let folder = tempfile::tempdir().expect("a folder");
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/export.csv");
    fs::copy(export, folder.path().join("products_export.csv")).expect("copied");
    assert_eq!(run(folder.path(), &["init", "shop"]).0, 0);
    let shop = folder.path().join("shop");
    for part in ["content/products", "content/categories"] {
        fs::remove_dir_all(shop.join(part)).expect("as the second line says");
    }
    // The starter's home page and one of its promotions lead to a category that is gone.
    for part in ["content/pages/index.md", "content/promotions/candle-week.toml"] {
        fs::remove_file(shop.join(part)).expect("as the second line says");
    }
    assert_eq!(run(&shop, &["import", "shopify", "../products_export.csv"]).0, 0);
    let (code, _, told) = run(&shop, &["check"]);
    // What an export cannot tell is asked for.
    assert!(
        code == 0 && told.contains("2 warnings\n") && told.contains("`wool-rug` is reduced") && told.contains("no maker"),
        "{told}"
    );
}

#[test]
fn every_command_of_the_table_is_there() {
    let table = readme();
    let (_, table) = table.split_once("\n## Commands\n").expect("the table");
    let (table, _) = table.split_once("\n## ").expect("its end");
    let words = table.lines().filter_map(|line| line.strip_prefix("| `vitrine "));
    let mut seen = 0;
    for line in words {
        let word = line.split([' ', '`']).next().expect("a command");
        let (code, out, _) = run(Path::new("."), &[word, "--help"]);
        assert!(code == 0 && out.contains("Usage"), "{word}");
        seen += 1;
    }
    assert_eq!(seen, 20);
}
