//! Content in several languages: what a market shows, what carts say, what is missing, and what is wrong.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::shop::{build, folder, run, write};

const SITE: &str = r#"
[shop]
name = "Tiny"
tagline = "Light"
base_url = "https://tiny.example"

[[markets]]
id = "eu"
countries = ["FR"]
currency = "EUR"

[[markets]]
id = "at"
prefix = "at"
language = "de-AT"
countries = ["AT"]
currency = "EUR"

[tax]
classes = ["standard"]
rates = [
  { country = "FR", name = "VAT", standard = "20" },
  { country = "AT", name = "VAT", standard = "20" },
]

[[shipping]]
id = "home"
countries = ["FR"]
rates = [{ id = "standard", name = "Parcel", price = "5" }]

[[shipping]]
id = "near"
market = "at"
countries = ["AT"]
rates = [{ id = "near", name = "Parcel", price = "4" }]

[[facets]]
name = "material"
source = "attribute"
attribute = "Material"
min_products = 1
"#;

const LAMP: &str = r#"+++
title = "Opal lamp"
categories = ["light"]
images = [{ src = "images/opal.svg", alt = "A round lamp" }]
options = ["Size"]
variants = [
  { options = ["Small"], sku = "S", price = "20" },
  { options = ["Large"], sku = "L", price = "30" },
]
[attributes]
Material = "Glass"
[seo]
description = "An English line."
+++
It glows.
"#;

const LAMPE: &str = r#"+++
title = "Opallampe"
images = [{ src = "images/opal.svg", alt = "Eine runde Lampe" }]
words = { Large = "Riesig" }
+++
Sie leuchtet.
"#;

/// Of another material, so that the shelf can be cut.
const LANTERN: &str =
    "+++\ntitle = \"Lantern\"\ncategories = [\"light\"]\nprice = \"9\"\n[attributes]\nMaterial = \"Tin\"\n+++\n";

const WORDS: &str = r#"
Size = "Größe"
Small = "Klein"
Large = "Groß"
Material = "Werkstoff"
Glass = "Glas"
Tin = "Blech"
VAT = "MwSt."
Parcel = "Paket"
Light = "Licht"
"#;

fn shop() -> tempfile::TempDir {
    folder(&[
        ("site.toml", SITE),
        ("content/products/lamp.md", LAMP),
        ("content/products/lamp.de.md", LAMPE),
        ("content/products/lantern.md", LANTERN),
        ("content/products/lantern.de.md", "+++\ntitle = \"Laterne\"\n+++\n"),
        ("content/categories/light/_index.md", "+++\ntitle = \"Lights\"\n+++\nTo see by.\n"),
        ("content/categories/light/_index.de.md", "+++\ntitle = \"Leuchten\"\n+++\nZum Sehen.\n"),
        ("content/pages/about.md", "+++\ntitle = \"About us\"\n+++\nWe are few.\n"),
        ("content/pages/about.de.md", "+++\ntitle = \"Über uns\"\n+++\nWir sind wenige.\n"),
        ("content/words.de.toml", WORDS),
        ("static/images/opal.svg", "<svg/>"),
        ("static/theme.js", ""),
        ("static/search.js", ""),
        ("static/favicon.svg", "<svg/>"),
    ])
}

fn page(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join("public").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn check(page: &str, shown: &[&str], hidden: &[&str]) {
    for text in shown {
        assert!(page.contains(text), "`{text}` is not in {page}");
    }
    for text in hidden {
        assert!(!page.contains(text), "`{text}` is in {page}");
    }
}

#[test]
fn a_market_shows_content_in_its_language() {
    let shop = shop();
    build(shop.path(), "2026-09-01", &["--no-cache"]);
    let german =
        ["Opallampe", "Eine runde Lampe", "Größe", "Klein", "Riesig", "Werkstoff", "Glas", "Sie leuchtet.", "MwSt.", "Leuchten"];
    let english = ["Opal lamp", "A round lamp", "Size", "Small", "Large", "Material", "Glass", "It glows.", "An English line."];
    check(&page(shop.path(), "at/products/lamp.html"), &german, &english);
    // The German word for glass is part of the English one.
    let german = german.map(|text| if text == "Glas" { "Glas<" } else { text });
    check(&page(shop.path(), "products/lamp.html"), &english, &german);
    check(
        &page(shop.path(), "at/categories/light.html"),
        &["Leuchten", "Zum Sehen.", "Opallampe", "Glas"],
        &["Lights", "Glass<"],
    );
    check(&page(shop.path(), "at/categories/light/material/glass.html"), &["Leuchten – Glas"], &["Glass<"]);
    check(&page(shop.path(), "at/about.html"), &["Über uns", "Wir sind wenige."], &["About us", "We are few."]);
    check(&page(shop.path(), "at.html"), &["Opallampe", "Leuchten", "Über uns", "Licht"], &["Opal lamp", "Lights"]);
    let heads = [
        "hreflang=\"en\" href=\"https://tiny.example/products/lamp\"",
        "hreflang=\"de-AT\" href=\"https://tiny.example/at/products/lamp\"",
        "hreflang=\"x-default\" href=\"https://tiny.example/products/lamp\"",
    ];
    check(&page(shop.path(), "at/products/lamp.html"), &heads, &[]);
    check(&page(shop.path(), "products/lamp.html"), &heads, &[]);
    let sitemap = page(shop.path(), "sitemap.xml");
    check(&sitemap, &["hreflang=\"de-AT\" href=\"https://tiny.example/at/products/lamp\"", "hreflang=\"x-default\""], &[]);
}

#[test]
fn the_foot_leads_to_the_same_page_in_every_market_or_home() {
    let shop = shop();
    build(shop.path(), "2026-09-01", &["--no-cache"]);
    let links = |here: usize, paths: [&str; 2]| {
        let link = |index: usize, language: &str, name: &str, own: &str| {
            let mark = if index == here { " aria-current=\"true\"" } else { "" };
            format!(
                "<a href=\"{}\" hreflang=\"{language}\"{mark}>{name} · <span lang=\"{language}\">{own}</span></a>",
                paths[index]
            )
        };
        [link(0, "en", "eu", "English"), link(1, "de-AT", "at", "Deutsch")]
    };
    for (file, here, paths) in [
        ("products/lamp.html", 0, ["/products/lamp", "/at/products/lamp"]),
        ("at/products/lamp.html", 1, ["/products/lamp", "/at/products/lamp"]),
        ("at/categories/light.html", 1, ["/categories/light", "/at/categories/light"]),
        ("categories/light/material/glass.html", 0, ["/categories/light/material/glass", "/at/categories/light/material/glass"]),
        ("about.html", 0, ["/about", "/at/about"]),
        ("index.html", 0, ["/", "/at"]),
        ("at.html", 1, ["/", "/at"]),
        ("404.html", 0, ["/", "/at"]),
    ] {
        check(&page(shop.path(), file), &links(here, paths).each_ref().map(String::as_str), &[]);
    }
}

#[test]
fn each_market_is_searched_in_its_language() {
    let shop = shop();
    build(shop.path(), "2026-09-01", &["--no-cache"]);
    let head: Value = serde_json::from_str(&page(shop.path(), "at/search.json")).expect("JSON");
    let hash = head["words"][0][2].as_str().expect("a hash");
    let spoken = head["spoken"].as_str().expect("a text");
    let words = page(shop.path(), &format!("a/search/words{spoken}-0.{hash}.json"));
    check(&words, &["opallampe", "glas", "leuchten", "riesig"], &["opal ", "glass", "lights"]);
    let root: Value = serde_json::from_str(&page(shop.path(), "search.json")).expect("JSON");
    assert_eq!(root["spoken"], "");
    let filters = page(shop.path(), &format!("a/search/filters-at-0.{}.json", head["filters"].as_str().expect("a hash")));
    check(&filters, &["Leuchten", "\"slug\":\"glass\",\"label\":\"Glas\""], &["Lights"]);
}

/// What a check says: (kind, file, line, message, hint).
fn told(root: &Path, command: &str) -> Vec<(String, String, u64, String, String)> {
    let (_, out, error) = run(root, &[command, "--as-of", "2026-09-01", "--report", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
    let text = |problem: &Value, name: &str| problem[name].as_str().unwrap_or("").to_owned();
    let one = |problem: &Value| {
        let line = problem["line"].as_u64().expect("a line");
        (text(problem, "kind"), text(problem, "file"), line, text(problem, "message"), text(problem, "hint"))
    };
    report["problems"].as_array().expect("problems").iter().map(one).collect()
}

#[test]
fn what_a_language_lacks_is_named_one_by_one_and_counted() {
    let shop = shop();
    let missing = |shop: &Path| -> Vec<(String, String)> {
        let all = told(shop, "check").into_iter().filter(|(kind, ..)| kind == "translation");
        all.map(|(_, file, _, message, _)| (file, message)).collect()
    };
    assert_eq!(missing(shop.path()), [], "all is translated");
    write(
        shop.path(),
        "content/products/mug.md",
        "+++\ntitle = \"Mug\"\nprice = \"5\"\ncategories = [\"light\"]\n+++\nFor tea.\n",
    );
    write(shop.path(), "content/products/lamp.de.md", "+++\ntitle = \"Opallampe\"\n+++\n");
    write(shop.path(), "content/words.de.toml", &WORDS.replace("Glass = \"Glas\"\n", ""));
    fs::remove_file(shop.path().join("content/pages/about.de.md")).expect("removed");
    let found = missing(shop.path());
    let expected = [
        ("content/pages/about.md", "title and text have no translation into `de-AT`"),
        ("content/products/lamp.md", "the text has no translation into `de-AT`"),
        ("content/products/mug.md", "title and text have no translation into `de-AT`"),
        ("content/words.de-AT.toml", "`Glass` has no translation into `de-AT`"),
    ];
    let expected = expected.map(|(file, message)| (file.to_owned(), message.to_owned()));
    assert_eq!(found.iter().collect::<std::collections::BTreeSet<_>>(), expected.iter().collect(), "{found:?}");
    let (_, out, summary) = run(shop.path(), &["build", "--as-of", "2026-09-01", "--report", "json"]);
    let report: Value = serde_json::from_str(&out).expect("a report");
    assert_eq!(report["lacking"][0]["products"], 2, "{report}");
    assert!(summary.contains("translations missing: 4 de-AT"), "{summary}");
}

const ORB: &str = r#"{"slug": "orb", "title": "Orb", "price": "7.00", "body": "It is *round*.", "attributes": {"Material": "Brass"},
    "images": [{"src": "images/opal.svg", "alt": "An orb"}], "categories": ["light"], "translations": {"de": {"title": "Kugel",
    "body": "Sie ist *rund*.\\n", "words": {"Brass": "Messing"}, "images": [{"src": "images/opal.svg", "alt": "Eine Kugel"}],
    "seo": {"title": "Kugellampe", "description": "Ein Satz."}}}}"#;

#[test]
fn a_line_of_a_bulk_file_says_it_in_other_languages_and_import_writes_that_beside_it() {
    let shop = shop();
    let root = shop.path();
    write(root, "more.jsonl", &ORB.replace("\n    ", " "));
    write(root, "site.toml", &format!("{SITE}\n[[sources]]\nformat = \"jsonl\"\npath = \"more.jsonl\"\n"));
    assert!(!told(root, "check").iter().any(|found| found.1 == "more.jsonl"), "nothing of it lacks a translation");
    let pages = ["at/products/orb.html", "products/orb.html", "at/categories/light.html"];
    build(root, "2026-09-01", &[]);
    let from_the_line = pages.map(|path| page(root, path));
    let german = ["Kugel", "Sie ist <em>rund</em>.", "Messing", "Eine Kugel", "Kugellampe", "Ein Satz."];
    let english = ["<h1>Orb", "It is <em>round</em>.", "Brass", "An orb"];
    check(&from_the_line[0], &german, &english[1..]);
    check(&from_the_line[1], &english[1..], &german);
    build(root, "2026-09-01", &[]);
    assert_eq!(pages.map(|path| page(root, path)), from_the_line, "remembered, it says the same");
    write(root, "site.toml", SITE);
    assert_eq!(run(root, &["import", "jsonl", "more.jsonl"]).0, 0);
    build(root, "2026-09-01", &[]);
    assert_eq!(pages.map(|path| page(root, path)), from_the_line);
    // What the merchant moved is found where it lies, and what belongs to it is written there.
    fs::create_dir_all(root.join("content/products/round")).expect("made");
    fs::rename(root.join("content/products/orb.md"), root.join("content/products/round/orb.md")).expect("moved");
    fs::remove_file(root.join("content/products/orb.de.md")).expect("removed");
    assert_eq!(run(root, &["import", "jsonl", "more.jsonl"]).0, 0);
    assert!(root.join("content/products/round/orb.de.md").is_file() && !root.join("content/products/orb.de.md").exists());
    let (_, out, _) = run(root, &["import", "jsonl", "more.jsonl", "--report", "json"]);
    let report: Value = serde_json::from_str(&out).expect("a report");
    assert!(report["files"].as_array().expect("files").iter().all(|file| file["change"] == "same"), "{report}");
}

#[test]
fn what_a_line_says_wrongly_in_another_language_is_told_at_its_place() {
    let shop = shop();
    let root = shop.path();
    write(root, "site.toml", &format!("{SITE}\n[[sources]]\nformat = \"jsonl\"\npath = \"more.jsonl\"\n"));
    let line = |translations: &str| {
        format!(
            r#"{{"title": "Orb", "price": "7", "attributes": {{"Material": "Brass"}}, "images": [{{"src": "a.svg"}}], "translations": {translations}}}"#
        )
    };
    for (translations, text, message, hint) in [
        (
            r#"{"fr": {"title": "Orbe"}}"#,
            r#"{"title": "Orbe"}"#,
            "no market speaks `fr`",
            "languages to translate into: de, de-AT",
        ),
        (r#"{"en": {}}"#, "{}", "the language that originals are in", "into the original itself"),
        (r#"{"de": {"price": "3"}}"#, r#""price""#, "unknown key `price`", "known keys here: title, body, images, words, seo"),
        (r#"{"de": {"title": " "}}"#, "", "a title has 1 to 1000 letters", "take it out"),
        (r#"{"de": {"words": {"Bras": "M"}}}"#, "M", "`Bras` is no name or value", "did you mean `Brass`?"),
        (r#"{"de": {"images": [{"src": "b.svg", "alt": ""}]}}"#, r#"{"src": "b.svg", "alt": ""}"#, "no picture `b.svg`", "a.svg"),
        (r#"{"de": 3}"#, "3", "invalid type", ""),
    ] {
        let line = line(translations);
        write(root, "more.jsonl", &line);
        let (_, out, error) = run(root, &["build", "--as-of", "2026-09-01", "--report", "json"]);
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{error}"));
        let all = report["problems"].as_array().expect("problems");
        let about = all.iter().find(|problem| problem["message"].as_str().is_some_and(|said| said.contains(message)));
        let problem = about.unwrap_or_else(|| panic!("{translations}: {report}"));
        let place = (problem["line"].as_u64().expect("a line"), problem["column"].as_u64().expect("a column") as usize);
        assert!(
            place.0 == 1 && line[place.1 - 1..].trim_start_matches('"').starts_with(text.trim_start_matches('"')),
            "{problem}"
        );
        assert!(problem["hint"].as_str().unwrap_or("").contains(hint), "{problem}");
    }
}

#[test]
fn what_a_bulk_file_lacks_is_written_beside_what_import_makes_of_it() {
    let folder = shop();
    let root = folder.path();
    let line = r#"{"slug": "rug", "title": "Rug", "price": "49.00", "body": "It lies."}"#;
    write(root, "more.jsonl", line);
    write(root, "site.toml", &format!("{SITE}\n[[sources]]\nformat = \"jsonl\"\npath = \"more.jsonl\"\n"));
    let of_the_rug = |found: &(String, String, u64, String, String)| found.1 == "more.jsonl";
    let (.., hint) = told(root, "check").into_iter().find(of_the_rug).expect("it is not translated");
    assert!(hint.contains("`vitrine import`") && hint.contains("SLUG.de-AT.md"), "{hint}");
    // What the hint says is done, and is enough.
    write(root, "site.toml", SITE);
    assert_eq!(run(root, &["import", "jsonl", "more.jsonl"]).0, 0);
    write(root, "content/products/rug.de-AT.md", "+++\ntitle = \"Teppich\"\n+++\nEr liegt.\n");
    assert!(!told(root, "check").iter().any(|found| found.1.contains("rug")));
    build(root, "2026-09-01", &[]);
    assert!(page(root, "at/products/rug.html").contains("Teppich"));
}

#[test]
fn a_language_of_which_the_theme_has_nothing_is_told_text_by_text() {
    let shop = shop();
    write(shop.path(), "site.toml", &SITE.replace("de-AT", "nl"));
    fs::remove_file(shop.path().join("content/products/lantern.de.md")).expect("removed");
    for path in [
        "content/products/lamp.de.md",
        "content/categories/light/_index.de.md",
        "content/pages/about.de.md",
        "content/words.de.toml",
    ] {
        fs::rename(shop.path().join(path), shop.path().join(path.replace(".de.", ".nl."))).expect("renamed");
    }
    let found = told(shop.path(), "check");
    let is_told = |text: &str| {
        found.iter().any(|(kind, file, _, message, _)| {
            kind == "translation" && file == "templates/texts/nl.toml" && message.contains(text)
        })
    };
    assert!(is_told("`cart.title`") && is_told("`countries.AT`"), "{found:?}");
}

#[track_caller]
fn refused(path: &str, text: &str, line: u64, message: &str, hint: &str) {
    let shop = shop();
    write(shop.path(), path, text);
    let found = told(shop.path(), "build");
    let is_told = found
        .iter()
        .any(|(_, file, at, said, advice)| file == path && *at == line && said.contains(message) && advice.contains(hint));
    assert!(is_told, "{found:?}");
}

#[test]
fn translations_that_are_wrong_are_told_at_their_place() {
    refused(
        "content/products/lamp.de.md",
        "+++\ntitle = \"L\"\nprice = \"3\"\n+++\n",
        3,
        "`price` is not translated",
        "stands in content/products/lamp.md",
    );
    refused("content/products/lamp.de.md", "+++\ntitle = \"L\"\nsku = \"X\"\n+++\n", 3, "`sku` is not translated", "take it out");
    refused(
        "content/products/lamp.de.md",
        "+++\nwords = { Smal = \"Klein\" }\n+++\n",
        2,
        "`Smal` is no name or value",
        "did you mean `Small`?",
    );
    let image = "+++\nimages = [{ src = \"images/opel.svg\", alt = \"\" }]\n+++\n";
    refused("content/products/lamp.de.md", image, 2, "no picture `images/opel.svg`", "did you mean `images/opal.svg`?");
    refused(
        "content/products/lamb.de.md",
        LAMPE,
        0,
        "content/products/lamb.md, which is not there",
        "did you mean to translate content/products/lamp.md?",
    );
    refused("content/products/lamp.fr.md", LAMPE, 0, "no market speaks `fr`", "languages to translate into: de, de-AT");
    refused("content/products/lamp.en.md", LAMPE, 0, "the language that originals are in", "into the original itself");
    refused("content/categories/light/_index.de.md", "+++\norder = 1\n+++\n", 2, "`order` is not translated", "stands in");
    refused("content/pages/about.de.md", "+++\nfooter = false\n+++\n", 2, "`footer` is not translated", "stands in");
    refused("content/words.de.toml", "Siz = \"Größe\"\n", 1, "nothing in the shop says `Siz`", "did you mean `Size`?");
    refused("content/word.de.toml", "Size = \"Größe\"\n", 0, "nothing reads this file", "content/words.LANGUAGE.toml");
}
