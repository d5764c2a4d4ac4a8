//! Letters to customers: which there are, and how one is looked at without an edge.

use serde_json::Value;

use crate::support::shop::{build, folder, run, site};

const LAMP: &str = "+++\ntitle = \"Lamp <1>\"\nprice = \"19.90\"\n+++\nA lamp.\n";

/// A shop whose first market speaks English and whose second speaks German.
fn shop() -> tempfile::TempDir {
    let german =
        "[[markets]]\nid = \"at\"\ncountries = [\"AT\"]\ncurrency = \"EUR\"\nlanguage = \"de\"\nprefix = \"at\"\n\n[tax]";
    let rates = "rates = [{ country = \"AT\", name = \"USt\", standard = \"20\", reduced = \"10\" }, ";
    let settings = site("EUR").replace("[tax]", german).replace("rates = [{ country", &format!("{rates}{{ country"));
    let settings = settings.replacen("countries = [\"DE\"]\nrates", "countries = [\"DE\", \"AT\"]\nrates", 1);
    let shop = folder(&[("site.toml", settings.as_str()), ("content/products/lamp.md", LAMP)]);
    build(shop.path(), "2026-09-21", &[]);
    shop
}

#[test]
fn every_letter_is_listed_and_printed_in_every_language() {
    let shop = shop();
    let (code, out, told) = run(shop.path(), &["mail", "list", "--json"]);
    let kinds: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!((code, kinds.as_array().map(Vec::len)), (0, Some(4)), "{told}");
    for kind in kinds.as_array().expect("a list") {
        let name = kind["kind"].as_str().expect("a name");
        for template in kind["templates"].as_array().expect("a list") {
            let path = format!("{}/templates/{}", env!("CARGO_MANIFEST_DIR"), template.as_str().expect("a path"));
            assert!(std::path::Path::new(&path).is_file(), "{path}");
        }
        for (language, word) in [("en", "order"), ("de", "Bestellung")] {
            let preview = |words: &[&str]| {
                let (code, out, told) = run(shop.path(), &[&["mail", "preview", name, "--language", language], words].concat());
                assert_eq!(code, 0, "{name}: {told}");
                out
            };
            let text = preview(&[]);
            assert!(text.starts_with("Subject: Tiny: ") && text.contains("100001"), "{name}: {text}");
            assert!(text.to_lowercase().contains(&word.to_lowercase()), "{name} in {language}: {text}");
            assert!(!text.contains("&lt;") && !text.contains("\n\n\n\n"), "{name}: {text}");
            let html = preview(&["--html"]);
            assert!(html.starts_with("<!doctype html>") && html.contains("100001") && !html.contains("<1>"), "{name}: {html}");
        }
    }
}

#[test]
fn what_cannot_be_previewed_is_told_with_what_to_write() {
    let shop = shop();
    let empty = tempfile::tempdir().expect("a folder");
    let out = shop.path().join("letter.html");
    let (code, printed, _) = run(shop.path(), &["mail", "preview", "sent", "--html", "--out", out.to_str().expect("text")]);
    assert_eq!((code, printed.as_str()), (0, ""));
    assert!(std::fs::read_to_string(&out).expect("written").contains("https://post.example/track?id=JJD000123456789"));
    for (place, words, expected, wanted) in [
        (shop.path(), &["mail", "preview", "sent", "--language", "fr"][..], 2, "the shop speaks en, de"),
        (shop.path(), &["mail", "preview", "sent", "--order", "T-1"], 3, "there is no store at"),
        (shop.path(), &["mail", "preview", "nothing"], 2, "invalid value"),
        (empty.path(), &["mail", "preview", "sent"], 3, "`vitrine build` writes it"),
    ] {
        let (code, _, told) = run(place, words);
        assert!(code == expected && told.contains(wanted), "{words:?}: {code} {told}");
    }
}
