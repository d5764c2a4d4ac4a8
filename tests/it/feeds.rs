//! Feeds: what machines are told of a shop, and that it is what pages say.

use std::collections::BTreeMap;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::support::shop::{build, changed, folder, png, run, tree, write};

const AS_OF: &str = "2026-11-20";

const SITE: &str = r#"[shop]
name = "Tiny & Co"
base_url = "https://tiny.example"
tagline = "Few <things>"

[[markets]]
id = "eu"
countries = ["DE", "AT", "FR"]
currency = "EUR"
language = "en"

[[markets]]
id = "ch"
prefix = "ch"
countries = ["CH"]
currency = "CHF"
language = "de"

[tax]
classes = ["standard"]
rates = [
  { country = "DE", name = "VAT", standard = "19" },
  { country = "AT", name = "VAT", standard = "20" },
  { country = "FR", name = "VAT", standard = "20" },
  { country = "CH", name = "VAT", standard = "8.1" },
]

[[shipping]]
id = "home"
countries = ["DE"]
rates = [
  { id = "post", name = "Post", price = "4.90", free_over = "50" },
  { id = "freight", name = "Freight", weight = [{ up_to_g = 1000, price = "7" }, { up_to_g = 9000, price = "12" }] },
]

[[shipping]]
id = "near"
countries = ["AT"]
rates = [{ id = "insured", name = "Insured", value = [{ up_to = "20", price = "9" }, { up_to = "100", price = "15" }] }]

[feeds]
google = true
"#;

const LAMP: &str = r#"+++
title = "Lamp"
brand = "Anker & Co"
categories = ["light/lamps"]
images = [{ src = "images/lamp.svg" }, { src = "https://cdn.example/lamp front.jpg" }, { src = "https://cdn.example/moss.jpg" }]
options = ["Farbe", "Bulb"]
stock = 9
updated_at = "2026-10-01"
attributes = { Material = "Steel", google_product_category = "Home & Garden > Lighting", Height = "31 cm" }
variants = [
  { options = ["Clay", "E27"], sku = "LAMP-C", price = "20", weight_g = 900, gtin = "4006381333931" },
  { options = ["Moss", "E27"], sku = "LAMP M", price = "60", weight_g = 1200, image = "https://cdn.example/moss.jpg", gtin = "4006381333930", sales = [{ price = "45", from = "2026-11-01T00:00:10Z", until = "2026-12-01T12:30:59Z" }], prices = { CHF = "70" } },
  { options = ["Chalk", "E27"], sku = "LAMP-X", weight_g = 1200 },
]
+++
A **lamp** of <steel> & clay.
"#;

const CUP: &str = r#"+++
title = "Cup"
sku = "CUP"
price = "10"
compare_at = "12"
stock = 0
stock_policy = "backorder"
images = [{ src = "images/cup.png" }]
publish_at = "2026-10-05T10:00:00Z"
attributes = { mpn = "C-1", availability_date = "2026-12-24", condition = "used" }
+++
"#;

fn shop() -> tempfile::TempDir {
    let plain = |title: &str, more: &str| format!("+++\ntitle = \"{title}\"\nsku = \"{title}\"\n{more}\n+++\n");
    let shop = folder(&[
        ("site.toml", SITE),
        ("content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\n"),
        ("content/categories/light/lamps/_index.md", "+++\ntitle = \"Lamps & more\"\n+++\n"),
        ("static/images/lamp.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 4 5\"/>"),
        ("content/products/lamp.md", LAMP),
        ("content/products/cup.md", CUP),
        ("content/products/unseen.md", &plain("Unseen", "price = \"5\"\nstock = 1")),
        (
            "content/products/pattern.md",
            &plain("Pattern", "price = \"5\"\nrequires_shipping = false\nimages = [{ src = \"images/lamp.svg\" }]"),
        ),
        (
            "content/products/old.md",
            &plain("Old", "price = \"5\"\nstock = 1\nstatus = \"archived\"\nimages = [{ src = \"images/cup.png\" }]"),
        ),
    ]);
    std::fs::write(shop.path().join("static/images/cup.png"), png(4)).expect("written");
    build(shop.path(), AS_OF, &[]);
    shop
}

fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join("public").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The items of a feed by their id: names and texts of their elements in order, those of an inner element joined with a space.
fn items(xml: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut reader = Reader::from_str(xml);
    let (mut items, mut open, mut item) = (BTreeMap::new(), Vec::<String>::new(), Vec::<(String, String)>::new());
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => {
                open.push(tag.name().as_ref().to_owned());
                if open.len() == 4 {
                    item.push((open[3].clone(), String::new()));
                }
            }
            Event::End(_) if open.pop().as_deref() == Some("item") => {
                items.insert(item[0].1.clone(), std::mem::take(&mut item));
            }
            Event::Text(text) if open.len() > 3 => {
                let last = &mut item.last_mut().expect("an element is open").1;
                if !last.is_empty() && open.len() > 4 {
                    last.push(' ');
                }
                last.push_str(&text);
            }
            Event::GeneralRef(entity) if open.len() > 3 => {
                let sign = match &*entity {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    other => panic!("&{other};"),
                };
                item.last_mut().expect("an element is open").1.push(sign);
            }
            Event::Eof => return items,
            _ => {}
        }
    }
}

/// All texts of an element of an item.
fn of<'a>(item: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    item.iter().filter(|(found, _)| found == name).map(|(_, text)| text.as_str()).collect()
}

#[test]
fn an_item_says_what_its_variant_is() {
    let shop = shop();
    let items = items(&read(shop.path(), "feeds/google.xml"));
    assert_eq!(items.keys().collect::<Vec<_>>(), ["CUP", "LAMP M", "LAMP-C", "Pattern"]);
    let moss = &items["LAMP M"];
    for (name, expected) in [
        ("g:title", vec!["Lamp – Moss / E27"]),
        ("g:description", vec!["A lamp of & clay."]),
        ("g:link", vec!["https://tiny.example/products/lamp?variant=LAMP%20M"]),
        ("g:image_link", vec!["https://cdn.example/moss.jpg"]),
        ("g:additional_image_link", vec!["https://cdn.example/lamp%20front.jpg"]),
        ("g:availability", vec!["in_stock"]),
        ("g:price", vec!["60.00 EUR"]),
        ("g:sale_price", vec!["45.00 EUR"]),
        ("g:sale_price_effective_date", vec!["2026-11-01T00:00:10Z/2026-12-01T12:30:59Z"]),
        ("g:brand", vec!["Anker & Co"]),
        ("g:gtin", vec![]),
        ("g:identifier_exists", vec!["no"]),
        ("g:condition", vec!["new"]),
        ("g:item_group_id", vec!["lamp"]),
        ("g:color", vec!["Moss"]),
        ("g:material", vec!["Steel"]),
        ("g:google_product_category", vec!["Home & Garden > Lighting"]),
        ("g:product_type", vec!["Light > Lamps & more"]),
        ("g:shipping_weight", vec!["1200 g"]),
        // Post is free over 50, which a lamp on sale is not; no zone holds France.
        ("g:shipping", vec!["DE Post 4.90 EUR", "DE Freight 12.00 EUR", "AT Insured 15.00 EUR"]),
        ("g:product_detail", vec!["Bulb E27"]),
    ] {
        assert_eq!(of(moss, name), expected, "{name}");
    }
    let clay = &items["LAMP-C"];
    assert_eq!((of(clay, "g:gtin"), of(clay, "g:identifier_exists")), (vec!["4006381333931"], vec![]));
    assert_eq!(of(clay, "g:image_link"), ["https://cdn.example/lamp%20front.jpg"], "an SVG is not what Google takes");
    assert_eq!(of(clay, "g:shipping"), ["DE Post 4.90 EUR", "DE Freight 7.00 EUR", "AT Insured 9.00 EUR"]);
    let cup = &items["CUP"];
    for (name, expected) in [
        ("g:title", vec!["Cup"]),
        ("g:description", vec!["Cup"]),
        ("g:link", vec!["https://tiny.example/products/cup"]),
        ("g:availability", vec!["backorder"]),
        ("g:availability_date", vec!["2026-12-24T00:00Z"]),
        ("g:price", vec!["12.00 EUR"]),
        ("g:sale_price", vec!["10.00 EUR"]),
        ("g:sale_price_effective_date", vec![]),
        ("g:condition", vec!["used"]),
        ("g:item_group_id", vec![]),
        // A maker's number says nothing without the maker.
        ("g:mpn", vec![]),
        ("g:identifier_exists", vec!["no"]),
    ] {
        assert_eq!(of(cup, name), expected, "{name}");
    }
    assert_eq!(of(&items["Pattern"], "g:shipping"), ["DE 0.00 EUR", "AT 0.00 EUR", "FR 0.00 EUR"]);
    let page = read(shop.path(), "products/lamp.html");
    assert!(page.contains("31 cm") && !page.contains("google_product_category"), "a row for the feed is not for people");
}

#[test]
fn each_market_has_its_feed_and_what_is_left_out_is_counted() {
    let shop = shop();
    let swiss = items(&read(shop.path(), "ch/feeds/google.xml"));
    assert_eq!(swiss.keys().collect::<Vec<_>>(), ["LAMP M"]);
    assert_eq!(of(&swiss["LAMP M"], "g:price"), ["70.00 CHF"]);
    assert_eq!(of(&swiss["LAMP M"], "g:link"), ["https://tiny.example/ch/products/lamp?variant=LAMP%20M"]);
    let found = build(shop.path(), AS_OF, &[])["google"].take();
    let expected = json!({"path": "feeds/google.xml", "items": 4, "without_price": 1, "without_picture": 1, "refused_pictures": 1,
        "undated_backorders": 0, "wrong_gtins": 1});
    assert_eq!(found[0], expected, "told again though the feed was not written again");
    let (_, _, told) = run(shop.path(), &["build", "--as-of", AS_OF]);
    assert!(told.contains("feeds/google.xml: 4 items; 1 left out without a price; 1 left out without a picture"), "{told}");
    write(shop.path(), "site.toml", &SITE.replace("google = true", "google = false"));
    assert_eq!(build(shop.path(), AS_OF, &[])["google"], json!([]));
    assert!(!shop.path().join("public/feeds").exists() && !shop.path().join("public/ch/feeds").exists());
}

#[test]
fn a_check_finds_the_carts_prices_in_feeds_at_any_second_and_under_names_that_were_cut() {
    let shop = shop();
    let long = "A".repeat(60);
    write(
        shop.path(),
        "content/products/long.md",
        &format!(
            "+++\ntitle = \"Long\"\nsku = \"{long}\"\nprice = \"5\"\nimages = [{{ src = \"images/cup.png\", alt = \"Long\" }}]\n+++\n"
        ),
    );
    for as_of in
        ["2026-10-31T23:59:59Z", "2026-11-01T00:00:09Z", "2026-11-01T00:00:10Z", "2026-12-01T12:30:58Z", "2026-12-01T12:30:59Z"]
    {
        let (_, out, told) = run(shop.path(), &["check", "--as-of", as_of, "--report", "json"]);
        assert!(out.contains("\"problems\"") && !out.contains("\"price\""), "at {as_of}: {told}");
    }
    let items = items(&std::fs::read_to_string(shop.path().join(".vitrine/check/public/feeds/google.xml")).expect("a feed"));
    let id = items.keys().find(|id| id.starts_with("AAAA")).expect("it is there");
    assert_eq!(id.len(), 50);
}

#[test]
fn a_wrong_word_for_the_feed_is_told_at_its_place() {
    let shop = shop();
    write(shop.path(), "content/products/cup.md", &CUP.replace("\"used\"", "\"worn\"").replace("2026-12-24", "soon"));
    let (code, _, told) = run(shop.path(), &["build"]);
    assert_eq!(code, 1, "{told}");
    for part in ["content/products/cup.md:2", "condition = \"worn\"", "new, refurbished, used", "availability_date = \"soon\""] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    write(shop.path(), "content/products/cup.md", CUP);
    write(shop.path(), "site.toml", &SITE.replace("google = true", "gogle = true"));
    let (_, _, told) = run(shop.path(), &["build"]);
    assert!(told.contains("gogle") && told.contains("did you mean `google`"), "{told}");
}

#[test]
fn what_is_sold_out_is_so_on_its_page_in_its_data_and_in_the_feed_and_nowhere_else_is_written() {
    let shop = shop();
    let root = shop.path();
    let rows = |lamp: u32| format!("sku,on_hand,reserved\nLAMP-C,{lamp},0\nLAMP M,9,2\nCUP,0,0\n");
    write(root, "stock.csv", &rows(9));
    build(root, AS_OF, &["--stock", "stock.csv"]);
    let before = tree(&root.join("public"));
    let in_feed = |sku: &str| of(&items(&read(root, "feeds/google.xml"))[sku], "g:availability")[0].to_owned();
    assert_eq!(in_feed("LAMP-C"), "in_stock");

    write(root, "stock.csv", &rows(0));
    let report = build(root, AS_OF, &["--stock", "stock.csv"]);
    assert_eq!(in_feed("LAMP-C"), "out_of_stock");
    let page = read(root, "products/lamp.html");
    let script = page.split("<script type=\"application/ld+json\">").nth(1).expect("structured data");
    let data: Value = serde_json::from_str(script.split("</script>").next().expect("it ends")).expect("JSON");
    assert_eq!(data["hasVariant"][0]["offers"]["availability"], "https://schema.org/OutOfStock");
    assert!(page.contains("value=\"LAMP-C\" required disabled"), "{page}");
    // One variant is left, so that no card says anything new.
    let after = tree(&root.join("public"));
    assert_eq!(changed(&before, &after), ["feeds/google.xml", "manifest.json", "products/lamp.html"]);
    assert_eq!((&report["changes"]["written"], &report["bundle_written"]), (&json!(2), &json!(false)));

    write(root, "stock.csv", &rows(0).replace("LAMP M,9,2", "LAMP M,2,2"));
    build(root, AS_OF, &["--stock", "stock.csv"]);
    // Units that are promised are not there. Now the whole product is gone, on every card of it, those of the search too.
    let all = changed(&after, &tree(&root.join("public")));
    let (search, rest): (Vec<String>, Vec<String>) = all.into_iter().partition(|name| name.contains("search"));
    assert!(search.contains(&"search.json".to_owned()), "{search:?}");
    assert_eq!(
        rest,
        [
            "categories/light.html",
            "categories/light/lamps.html",
            "ch.html",
            "ch/categories/light.html",
            "ch/categories/light/lamps.html",
            "ch/feeds/google.xml",
            "ch/products/lamp.html",
            "feeds/google.xml",
            "index.html",
            "manifest.json",
            "products/lamp.html"
        ]
    );
    let again = build(root, AS_OF, &["--stock", "stock.csv"]);
    assert_eq!(again["changes"]["written"], 0);
}

#[test]
fn a_feed_by_what_is_remembered_is_the_feed_of_a_build_from_nothing() {
    let shop = shop();
    for (path, bytes) in [
        ("content/products/lamp.md", LAMP.replace("A **lamp**", "Another **lamp**").into_bytes()),
        ("content/categories/light/lamps/_index.md", b"+++\ntitle = \"Lamps\"\n+++\n".to_vec()),
        ("site.toml", SITE.replace("\"4.90\"", "\"5.90\"").into_bytes()),
        ("site.toml", SITE.replace("Tiny & Co", "Tinier").into_bytes()),
        ("static/images/cup.png", png(5)),
        ("static/images/cup.png", b"no picture any more".to_vec()),
    ] {
        std::fs::write(shop.path().join(path), bytes).expect("written");
        build(shop.path(), AS_OF, &[]);
        build(shop.path(), AS_OF, &["--no-cache", "--out", "clean", "--bundle", "clean.bundle", "--threads", "1"]);
        let (ours, clean) = (tree(&shop.path().join("public")), tree(&shop.path().join("clean")));
        assert_eq!(changed(&ours, &clean), [""; 0], "after a change of {path}");
    }
}

#[test]
fn the_sitemap_names_pictures_languages_and_days_that_are_known() {
    let shop = shop();
    let sitemap = read(shop.path(), "sitemap.xml");
    let entry = |path: &str| {
        let start = format!("<url><loc>https://tiny.example{path}</loc>");
        let line = sitemap.lines().find(|line| line.starts_with(&start));
        line.unwrap_or_else(|| panic!("{path} is not in {sitemap}")).to_owned()
    };
    let lamp = entry("/products/lamp");
    for part in [
        "<lastmod>2026-10-01T00:00:00Z</lastmod>",
        "<xhtml:link rel=\"alternate\" hreflang=\"de\" href=\"https://tiny.example/ch/products/lamp\"/>",
        "<xhtml:link rel=\"alternate\" hreflang=\"en\" href=\"https://tiny.example/products/lamp\"/>",
        "<xhtml:link rel=\"alternate\" hreflang=\"x-default\" href=\"https://tiny.example/products/lamp\"/>",
        "<image:image><image:loc>https://tiny.example/a/images/lamp.",
        "<image:image><image:loc>https://cdn.example/moss.jpg</image:loc></image:image>",
    ] {
        assert!(lamp.contains(part), "{part} is missing in {lamp}");
    }
    assert!(entry("/ch/products/lamp").contains("hreflang=\"en\""), "every version names all versions");
    assert!(entry("/products/cup").contains("<lastmod>2026-10-05T10:00:00Z</lastmod>"));
    assert!(!entry("/products/unseen").contains("lastmod"), "a day that nobody knows is not made up");
    assert!(!entry("/categories/light").contains("image:image"));
}

#[test]
fn a_sitemap_that_would_say_the_same_is_left_and_one_that_is_gone_or_says_otherwise_is_written() {
    let shop = shop();
    let written = || build(shop.path(), AS_OF, &[])["changes"]["written"].clone();
    assert_eq!(written(), 0);
    std::fs::remove_file(shop.path().join("public/sitemap.xml")).expect("removed");
    assert_eq!(written(), 1, "whoever deletes it gets it back");
    for (old, new) in [("moss.jpg", "fern.jpg"), ("2026-10-01", "2026-10-02")] {
        write(shop.path(), "content/products/lamp.md", &LAMP.replace(old, new));
        assert!(written().as_u64() > Some(0));
        assert!(read(shop.path(), "sitemap.xml").contains(new), "{new}");
    }
}

#[test]
fn the_atom_feed_holds_what_says_when_it_changed() {
    let shop = shop();
    let feed = read(shop.path(), "feed.xml");
    let ids: Vec<&str> =
        feed.split("<entry>").skip(1).filter_map(|entry| entry.split("<id>").nth(1)?.split('<').next()).collect();
    assert_eq!(ids, ["https://tiny.example/products/cup", "https://tiny.example/products/lamp"], "the newest first");
    assert!(feed.contains("<published>2026-10-05T10:00:00Z</published><updated>2026-10-05T10:00:00Z</updated>"), "{feed}");
    assert!(!feed.contains("1970"), "{feed}");
    std::fs::remove_file(shop.path().join("content/products/cup.md")).expect("removed");
    write(shop.path(), "content/products/lamp.md", &LAMP.replace("updated_at = \"2026-10-01\"\n", ""));
    let report = build(shop.path(), AS_OF, &[]);
    assert!(report["atom"] == false && !shop.path().join("public/feed.xml").exists(), "{report}");
    let (_, _, told) = run(shop.path(), &["build", "--as-of", AS_OF]);
    assert!(told.contains("no Atom feed: no product says `updated_at` or `publish_at`"), "{told}");
}

/// The offer in the structured data of a product with one variant.
fn offer(root: &Path, path: &str) -> Value {
    let page = read(root, path);
    let script = page.split("<script type=\"application/ld+json\">").nth(1).expect("structured data");
    let data: Value = serde_json::from_str(script.split("</script>").next().expect("it ends")).expect("JSON");
    data["offers"].clone()
}

#[test]
fn condition_and_back_order_are_the_same_in_the_feed_and_in_the_data_of_the_page() {
    let shop = shop();
    let root = shop.path();
    let told = |root: &Path| {
        let offer = offer(root, "products/cup.html");
        let items = items(&read(root, "feeds/google.xml"));
        let of = |name: &str| of(&items["CUP"], name).concat();
        let data =
            ["itemCondition", "availability", "availabilityStarts"].map(|name| offer[name].as_str().unwrap_or("").to_owned());
        (data, ["g:condition", "g:availability", "g:availability_date"].map(of))
    };
    let expected = |data: [&str; 3], feed: [&str; 3]| (data.map(str::to_owned), feed.map(str::to_owned));
    let leaves = "2026-12-24T00:00Z";
    let dated =
        expected(["https://schema.org/UsedCondition", "https://schema.org/BackOrder", leaves], ["used", "backorder", leaves]);
    assert_eq!(told(root), dated);
    let undated = CUP.replace(", availability_date = \"2026-12-24\"", "").replace("\"used\"", "\"refurbished\"");
    write(root, "content/products/cup.md", &undated);
    build(root, AS_OF, &[]);
    let gone = ["https://schema.org/RefurbishedCondition", "https://schema.org/OutOfStock", ""];
    assert_eq!(told(root), expected(gone, ["refurbished", "out_of_stock", ""]));
    let page = read(root, "products/cup.html");
    assert!(page.contains("data-stock=\"backorder\"") && page.contains("data-submit>"), "shoppers can order it all the same");
}
