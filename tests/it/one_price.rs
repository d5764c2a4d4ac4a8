//! One price: a bundle whose price moved under its signature, and what a market's product feed leaves out, are found by the check.

use std::fs;
use std::path::Path;

use base64::Engine;
use ring::signature::Ed25519KeyPair;
use serde_json::Value;

use crate::check::{SITE, build, checked, says, shop, write};

/// Changes bytes behind a text in the bundle's payload and signs it anew with the shop's own key, as a faulty build would have.
fn resealed(root: &Path, behind: &str, from: &[u8], to: &[u8]) {
    const HEAD: usize = 124;
    let path = root.join("shop.bundle");
    let mut bytes = fs::read(&path).expect("a bundle");
    let start = HEAD + bytes[HEAD..].windows(behind.len()).position(|part| part == behind.as_bytes()).expect("it stands there");
    let place = start + bytes[start..].windows(from.len()).position(|part| part == from).expect("they stand behind it");
    bytes.splice(place..place + from.len(), to.iter().copied());
    let payload = &bytes[HEAD..];
    let (length, hash) = ((payload.len() as u64).to_le_bytes(), blake3::hash(payload));
    bytes[12..20].copy_from_slice(&length);
    bytes[28..60].copy_from_slice(hash.as_bytes());
    let keys = fs::read_to_string(root.join(".vitrine/development.keys")).expect("keys");
    let secret = keys.lines().find_map(|line| line.strip_prefix("VITRINE_BUNDLE_SECRET_KEY=")).expect("the key that signs");
    let seed = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(secret).expect("32 bytes");
    let signature = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key").sign(&bytes[..60]);
    bytes[60..HEAD].copy_from_slice(signature.as_ref());
    fs::write(&path, bytes).expect("written");
}

#[test]
fn one_byte_of_a_price_in_a_signed_bundle_is_told_by_every_place_that_says_it() {
    let folder = shop();
    let root = folder.path();
    write(root, "site.toml", &format!("{SITE}\n[feeds]\ngoogle = true\n"));
    build(root);
    assert_eq!(checked(root, &["--built"]).0, 0);
    // 14.90, zigzag in LEB128, of which the lowest byte becomes that of 14.91.
    resealed(root, "LAMP-S", &[0xa4, 0x17], &[0xa6, 0x17]);
    let (code, report, told) = checked(root, &["--built"]);
    assert_eq!(code, 1);
    assert!(says(&report, "file", "shop.bundle is not the bundle of this build: it is "), "{told}");
    for message in [
        "the price 14.91 EUR of `LAMP-S` is nowhere to be read",
        "JSON-LD says 14.90 EUR for `LAMP-S`, a cart would charge 14.91 EUR",
        "the product feed says 14.90 EUR for `LAMP-S`, a cart would charge 14.91 EUR",
        "the search index sorts `lamp` by 14.90 EUR, a cart would charge 14.91 EUR",
        "the search index shows €14.90 for `lamp`, a cart would say 14.91 EUR",
        "data-minor says 1490 for `LAMP-S`, a cart would say 1491",
        "a card shows 14.90 EUR for `lamp`, which is none of its prices",
    ] {
        assert!(says(&report, "price", message), "`{message}` is missing in:\n{told}");
    }
    assert!(!told.contains("shop.bundle asks"), "both readers of it agree:\n{told}");
}

#[test]
fn what_can_be_bought_and_is_missing_in_a_market_s_feed_is_found() {
    let with_feeds = || {
        let folder = shop();
        write(folder.path(), "site.toml", &format!("{SITE}\n[feeds]\ngoogle = true\n"));
        build(folder.path());
        assert_eq!(checked(folder.path(), &["--built"]).0, 0, "the mug has no picture, and no feed takes it");
        folder
    };
    let told = |path: &str, change: &dyn Fn(&str) -> String| {
        let folder = with_feeds();
        let feed = format!("public/{path}");
        let text = fs::read_to_string(folder.path().join(&feed)).expect("a feed");
        write(folder.path(), &feed, &change(&text));
        // Said again by the manifest, so that the price alone is wrong.
        let manifest = fs::read_to_string(folder.path().join("public/manifest.json")).expect("a manifest");
        let mut manifest: Value = serde_json::from_str(&manifest).expect("JSON");
        manifest["files"][path]["size"] = change(&text).len().into();
        write(folder.path(), "public/manifest.json", &manifest.to_string());
        let (code, report, told) = checked(folder.path(), &["--built"]);
        assert_eq!((code, report["problems"].as_array().map(Vec::len)), (1, Some(1)), "{told}");
        report["problems"][0]["message"].as_str().expect("a text").to_owned()
    };
    let without = |text: &str, sku: &str| {
        let name = text.find(&format!("<g:id>{sku}</g:id>")).expect("it is offered");
        let start = text[..name].rfind("<item>").expect("its start");
        let end = name + text[name..].find("</item>").expect("its end") + "</item>".len();
        format!("{}{}", &text[..start], &text[end..])
    };
    let missing = told("feeds/google.xml", &|text| without(text, "LAMP-L"));
    assert_eq!(missing, "feeds/google.xml does not offer `LAMP-L`, which can be bought");
    let missing = told("us/feeds/google.xml", &|text| without(text, "LAMP-S"));
    assert_eq!(missing, "us/feeds/google.xml does not offer `LAMP-S`, which can be bought");
    let unpriced = told("feeds/google.xml", &|text| {
        text.replace("<g:price>1399.00 EUR</g:price>", "").replace("<g:sale_price>1299.00 EUR</g:sale_price>", "")
    });
    assert_eq!(unpriced, "feeds/google.xml does not offer `LAMP-L`, which can be bought");
    let foreign = told("us/feeds/google.xml", &|text| text.replace("1350.00 USD", "1299.00 EUR"));
    assert_eq!(foreign, "the product feed says 1299.00 EUR for `LAMP-L`, a cart would charge 1350.00 USD");
}
