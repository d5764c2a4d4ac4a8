//! Schedule: sales and publication switch at their second, on the edge by the clock and on pages by the build that is due then.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use vitrine::commerce::catalog::{Catalog, SaleWindow};
use vitrine::commerce::ids::Timestamp;
use vitrine::edge::app::{App, Clock, Settings};
use vitrine::edge::live::Live;
use vitrine::theme::bundle::Bundle;

use crate::support::edge::{BASE_URL, Caller, NOW, bundle, key_ring, signing_key};
use crate::support::shop::{build, changed, folder, run, tree, write};

/// An edge whose lamp is on sale from 100 to 200 seconds after `NOW`, whose mug appears at 100 and whose pattern goes at 200; and its clock.
fn edge() -> (Arc<App>, Arc<AtomicI64>) {
    let mut bundle = bundle(BASE_URL, 1990);
    let mut products = bundle.catalog.products().to_vec();
    for product in &mut products {
        match product.slug.as_str() {
            "lamp" => {
                let (from, until) = (Some(NOW.plus_seconds(100)), Some(NOW.plus_seconds(200)));
                product.variants[0].prices[0].sales =
                    vec![SaleWindow { price_minor: 1490, from, until, until_offset_minutes: 0 }];
            }
            "mug" => product.publish_at = Some(NOW.plus_seconds(100)),
            "pattern" => product.expires_at = Some(NOW.plus_seconds(200)),
            _ => {}
        }
    }
    bundle.catalog = Catalog::new(products, Vec::new()).expect("names differ");
    let opened = Bundle::open(&bundle.seal(&signing_key()), &[signing_key().verifying_key()], None).expect("our own bundle");
    let clock = Arc::new(AtomicI64::new(NOW.0));
    let hands = clock.clone();
    let clock_of = Clock::of(move || Timestamp(hands.load(Ordering::SeqCst)));
    (Arc::new(App::new(Live::new(opened, 1, false).expect("a whole shop"), key_ring(), Settings::default(), clock_of)), clock)
}

#[test]
fn a_cart_pays_the_price_of_its_second() {
    let (app, clock) = edge();
    let mut caller = Caller::new(&app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
    let mut price_at = |seconds: i64| {
        clock.store(NOW.0 + seconds, Ordering::SeqCst);
        let cart = caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
        cart["lines"][0]["unit_price"]["amount"].as_i64().expect("minor units")
    };
    assert_eq!([0, 99, 100, 199, 200].map(&mut price_at), [1990, 1990, 1490, 1490, 1990]);
}

#[test]
fn availability_tells_the_price_of_its_second_and_is_kept_no_longer() {
    let (app, clock) = edge();
    let mut caller = Caller::new(&app);
    for (seconds, price, struck, kept) in [
        (0, 1990, None, 5),
        (95, 1990, None, 5),
        (97, 1990, None, 3),
        (99, 1990, None, 1),
        (100, 1490, Some(1990), 5),
        (199, 1490, Some(1990), 1),
        (200, 1990, None, 5),
    ] {
        clock.store(NOW.0 + seconds, Ordering::SeqCst);
        let got = caller.json("GET", "/api/v1/availability/lamp?market=eu", Value::Null).expect(200);
        let small = &got.json()["variants"][0];
        assert_eq!(small["price"]["amount"], price, "at {seconds}: {small}");
        assert_eq!(small["compare_at"]["amount"].as_i64(), struck, "at {seconds}: {small}");
        assert_eq!(got.header("cache-control"), format!("public, max-age=0, s-maxage={kept}"), "at {seconds}");
    }
    // The sale is in euros: elsewhere nothing is due.
    clock.store(NOW.0 + 99, Ordering::SeqCst);
    let got = caller.json("GET", "/api/v1/availability/lamp?market=us", Value::Null).expect(200);
    assert!(got.header("cache-control").ends_with("s-maxage=5"), "{got:?}");
}

#[test]
fn a_product_is_sold_from_its_second_to_its_last() {
    let (app, clock) = edge();
    for (slug, sku, expected) in [("mug", "MUG", [false, true, true]), ("pattern", "PATTERN", [true, true, false])] {
        for (seconds, is_sold) in [99, 100, 200].into_iter().zip(expected) {
            clock.store(NOW.0 + seconds, Ordering::SeqCst);
            let mut caller = Caller::new(&app);
            let status = caller.json("GET", &format!("/api/v1/availability/{slug}"), Value::Null).status;
            assert_eq!(status, if is_sold { 200 } else { 404 }, "{slug} at {seconds}");
            let got = caller.json("POST", "/api/v1/cart/lines", json!({"sku": sku, "quantity": 2}));
            assert_eq!(got.status == 200, is_sold, "{slug} at {seconds}: {got:?}");
        }
    }
    // What lies in a cart when it goes can no longer be bought.
    clock.store(NOW.0, Ordering::SeqCst);
    let mut caller = Caller::new(&app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "PATTERN", "quantity": 1})).expect(200);
    for (seconds, can) in [(199, true), (200, false)] {
        clock.store(NOW.0 + seconds, Ordering::SeqCst);
        let cart = caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
        assert_eq!(cart["can_checkout"], can, "at {seconds}: {cart}");
    }
}

const SITE: &str = "[shop]\nname = \"Tiny\"\nbase_url = \"https://tiny.example\"\n\n[[markets]]\nid = \"eu\"\ncountries = [\"DE\"]\n\
    currency = \"EUR\"\n\n[tax]\nclasses = [\"standard\"]\nrates = [{ country = \"DE\", name = \"VAT\", standard = \"19\" }]\n\n\
    [feeds]\ngoogle = true\n";

/// A shop whose lamp is on sale in January, whose vase appears in February and whose mug goes in March.
fn shop() -> tempfile::TempDir {
    let product = |title: &str, more: &str| {
        format!("+++\ntitle = \"{title}\"\nsku = \"{title}\"\nprice = \"20\"\nstock = 9\n{more}\n+++\nGood.\n")
    };
    let picture = "images = [{ src = \"https://cdn.example/a.jpg\" }]\n";
    let sale = "sales = [{ price = \"15\", from = \"2027-01-01\", until = \"2027-02-01T10:00:01Z\" }]\n";
    folder(&[
        ("site.toml", SITE),
        ("content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\n"),
        ("content/categories/table/_index.md", "+++\ntitle = \"Table\"\n+++\n"),
        ("content/products/lamp.md", &product("Lamp", &format!("{picture}{sale}categories = [\"light\"]"))),
        ("content/products/torch.md", &product("Torch", "categories = [\"light\"]")),
        ("content/products/vase.md", &product("Vase", "categories = [\"table\"]\npublish_at = \"2027-02-10T08:30:00Z\"")),
        ("content/products/mug.md", &product("Mug", "categories = [\"table\"]\nexpires_at = \"2027-03-01\"")),
        ("content/products/bowl.md", &product("Bowl", "status = \"archived\"\npublish_at = \"2026-12-31\"")),
    ])
}

#[test]
fn pages_change_at_the_instant_that_was_named_and_not_a_second_before() {
    let shop = shop();
    let root = shop.path();
    let public = root.join("public");
    let report = build(root, "2026-12-01", &[]);
    assert_eq!(report["next_change_at"], "2027-01-01T00:00:00Z");
    for (before, due, next, pages) in [
        (
            "2026-12-31T23:59:59Z",
            "2027-01-01T00:00:00Z",
            Some("2027-02-01T10:00:01Z"),
            // The torch names the lamp as going with it.
            &["categories/light.html", "index.html", "products/lamp.html", "products/torch.html"][..],
        ),
        (
            "2027-02-01T10:00:00Z",
            "2027-02-01T10:00:01Z",
            Some("2027-02-10T08:30:00Z"),
            &["categories/light.html", "index.html", "products/lamp.html", "products/torch.html"],
        ),
        (
            "2027-02-10T08:29:59Z",
            "2027-02-10T08:30:00Z",
            Some("2027-03-01T00:00:00Z"),
            &["categories/table.html", "index.html", "products/mug.html", "products/vase.html"],
        ),
        (
            "2027-02-28T23:59:59Z",
            "2027-03-01T00:00:00Z",
            None,
            &["categories/table.html", "index.html", "products/mug.html", "products/vase.html"],
        ),
    ] {
        let was = tree(&public);
        let report = build(root, before, &[]);
        assert_eq!(report["next_change_at"], due);
        assert_eq!((&report["changes"]["written"], &report["bundle_written"]), (&json!(0), &json!(false)), "at {before}");
        assert!(tree(&public) == was, "nothing changes at {before}, the manifest neither");
        let report = build(root, due, &[]);
        assert_eq!(report["next_change_at"], json!(next));
        assert_eq!(report["bundle_written"], false, "the edge knew it all along");
        let changed = changed(&was, &tree(&public));
        let html: Vec<&str> = changed.iter().map(String::as_str).filter(|name| name.ends_with(".html")).collect();
        assert_eq!(html, pages, "at {due}");
        let manifest: Value = serde_json::from_slice(&tree(&public)["manifest.json"]).expect("JSON");
        assert_eq!(manifest.get("next_change_at"), next.map(Value::from).as_ref());
    }
}

#[test]
fn a_sale_is_on_the_page_with_its_end_and_what_comes_after_it() {
    let shop = shop();
    build(shop.path(), "2027-01-15", &[]);
    let page = std::fs::read_to_string(shop.path().join("public/products/lamp.html")).expect("a page");
    for part in [
        "Reduced until <span>1 February 2027",
        "data-ends=\"2027-02-01T10:00:01Z\"",
        "data-minor=\"1500\"",
        "data-next-minor=\"2000\"",
        "data-next-price=\"€20.00\"",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    build(shop.path(), "2026-12-15", &[]);
    let page = std::fs::read_to_string(shop.path().join("public/products/lamp.html")).expect("a page");
    assert!(!page.contains("1500") && !page.contains("data-ends"), "nobody reads of a sale before it begins");
}

#[test]
fn the_last_day_of_a_sale_is_that_of_the_clock_it_was_written_by() {
    let shop = shop();
    let pages = ["products/lamp.html", "categories/light.html"];
    let told = |until: &str| {
        let lamp = "+++\ntitle = \"Lamp\"\nsku = \"Lamp\"\nprice = \"20\"\nstock = 9\ncategories = [\"light\"]\n";
        let sale = format!("sales = [{{ price = \"15\", until = \"{until}\" }}]\n+++\nGood.\n");
        write(shop.path(), "content/products/lamp.md", &format!("{lamp}{sale}"));
        build(shop.path(), "2027-01-15", &[]);
        pages.map(|page| std::fs::read_to_string(shop.path().join("public").join(page)).expect("a page"))
    };
    // Of one instant, another day: pages are made anew for it alone.
    for (until, day, iso) in [
        ("2027-02-01T00:00:00-05:00", "31 January 2027", "2027-01-31"),
        ("2027-02-01T05:00:00Z", "1 February 2027", "2027-02-01"),
        ("2027-02-01T18:00:00+13:00", "1 February 2027", "2027-02-01"),
        ("2027-01-31T18:00:00-11:00", "31 January 2027", "2027-01-31"),
    ] {
        let [page, shelf] = told(until);
        for part in [
            format!("Reduced until <span>{day}</span>"),
            format!("data-until=\"{day}\" data-ends=\"2027-02-01T05:00:00Z\""),
            format!("\"priceValidUntil\":\"{iso}\",\"validThrough\":\"2027-02-01T05:00:00Z\""),
        ] {
            assert!(page.contains(&part), "{until}: {part} is missing in {page}");
        }
        assert!(
            shelf.contains(&format!("until {day}</span>\n<template data-ends=\"2027-02-01T05:00:00Z\">")),
            "{until}: {shelf}"
        );
    }
}

#[test]
fn people_and_machines_are_told_when_to_build_again() {
    let shop = shop();
    let (_, _, told) = run(shop.path(), &["build", "--as-of", "2027-02-05"]);
    assert!(told.contains("pages change of themselves at 2027-02-10T08:30:00Z: build and publish again then"), "{told}");
    let (_, _, told) = run(shop.path(), &["build", "--as-of", "2028-01-01"]);
    assert!(!told.contains("change of themselves"), "{told}");
    // With drafts, one that is shown stays whatever its dates say; its sale does not.
    let draft = "+++\ntitle = \"Draft\"\nsku = \"D\"\nprice = \"20\"\nstatus = \"draft\"\npublish_at = \"2028-02-01\"\n\
                 sales = [{ price = \"9\", from = \"2028-03-01\" }]\n+++\n";
    write(shop.path(), "content/products/draft.md", draft);
    assert_eq!(build(shop.path(), "2028-01-01", &["--drafts"])["next_change_at"], "2028-03-01T00:00:00Z");
    assert_eq!(build(shop.path(), "2028-01-01", &[])["next_change_at"], Value::Null);
}
