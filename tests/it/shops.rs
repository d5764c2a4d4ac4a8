//! Shops: whole exports of another shop go in, and something of every kind is bought from what comes out, over HTTP.
//!
//! The real catalogues are read where they are at hand; an export of our own with the same traps is always bought from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vitrine::commerce::catalog::{Product, ProductStatus, StockPolicy, Variant};
use vitrine::commerce::money::Money;
use vitrine::site::load::sources::{BulkFormat, BulkSource, Found};
use vitrine::site::problem::Problems;
use vitrine::theme::locale;

use crate::support::client::{form, json as ask, request};
use crate::support::data;
use crate::support::shop::{Served, rules, run};

/// The export of our own.
fn own_export() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/export.csv")
}

fn parsed(file: &Path) -> Found {
    parse(&fs::read(file).expect("the export"), &mut Problems::new())
}

fn parse(bytes: &[u8], problems: &mut Problems) -> Found {
    let source = BulkSource::new(BulkFormat::Shopify, "export.csv", PathBuf::new());
    vitrine::site::load::sources::parse(bytes, &source, &rules("EUR"), problems)
}

/// A shop without products of its own that sells what the export holds.
fn shop_of(file: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, _, told) = run(folder.path(), &["init", "shop"]);
    assert_eq!(code, 0, "{told}");
    let shop = folder.path().join("shop");
    for part in ["content/products", "content/categories", "content/promotions"] {
        fs::remove_dir_all(shop.join(part)).expect("the starter shop has it");
    }
    let site = fs::read_to_string(shop.join("site.toml")).expect("settings");
    let source = format!("{site}\n[[sources]]\nformat = \"shopify\"\npath = {:?}\n", file.display().to_string());
    fs::write(shop.join("site.toml"), source).expect("written");
    folder
}

/// An export in which a handle that comes again, further down, is another handle: two products cannot share one.
fn with_own_handles(file: &Path, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(file).expect("the catalogue is there");
    let mut seen: Vec<&str> = Vec::new();
    let mut mended = String::new();
    for line in text.split_inclusive('\n') {
        let handle = line.split(',').next().expect("a first cell");
        let is_again = seen.contains(&handle) && seen.last() != Some(&handle) || mended.contains(&format!("{handle}-again,"));
        mended.push_str(&if is_again { line.replacen(handle, &format!("{handle}-again"), 1) } else { line.to_owned() });
        if seen.last() != Some(&handle) && !is_again {
            seen.push(handle);
        }
    }
    let path = folder.join("export.csv");
    fs::write(&path, mended).expect("written");
    path
}

/// What makes one product another kind than the next: how it is chosen, counted, priced and sent.
fn kind(product: &Product, variant: &Variant) -> String {
    let price = variant.prices.first();
    let is_struck = price.is_some_and(|price| price.compare_at_minor.is_some());
    format!(
        "{} options, {:?}, {}, struck {is_struck}, parcel {}, picture {}",
        product.options.len(),
        variant.stock_policy,
        if price.is_some() { "priced" } else { "not priced" },
        variant.requires_shipping,
        variant.image.is_some(),
    )
}

/// The first variant of each kind that a shopper can see.
fn one_of_each(found: &Found) -> BTreeMap<String, (Product, Variant)> {
    let mut kinds = BTreeMap::new();
    for product in found.products.iter().map(|found| &found.product).filter(|one| one.status == ProductStatus::Active) {
        for variant in &product.variants {
            let is_gone = variant.stock_policy == StockPolicy::Deny && variant.opening_stock == 0;
            let kind = format!("{}, gone {is_gone}", kind(product, variant));
            kinds.entry(kind).or_insert_with(|| (product.clone(), variant.clone()));
        }
    }
    kinds
}

/// Buys from every kind of an export and compares the price on the page, in the cart and on the order.
fn buy_one_of_each(file: &Path) -> usize {
    let kinds = one_of_each(&parsed(file));
    let folder = shop_of(file);
    let served = Served::start(&folder.path().join("shop"));
    let mut bought = 0;
    for (kind, (product, variant)) in &kinds {
        let page = request(served.port, "GET", &format!("/products/{}", product.slug), &[], "").expect(200).body;
        assert!(!page.contains("<script>alert"), "{kind}: nothing foreign runs");
        let is_gone = variant.stock_policy == StockPolicy::Deny && variant.opening_stock == 0;
        let line = json!({"sku": variant.sku, "quantity": 1});
        let added = ask(served.port, "POST", "/api/v1/cart/lines", &[], &line);
        let Some(price) = variant.prices.first().filter(|_| !is_gone) else {
            let code = added.expect(422).json()["code"].clone();
            assert!(code == "sold_out" || code == "not_for_sale", "{kind}: {code}");
            continue;
        };
        let price = Money::new(price.unit_minor, price.currency);
        assert!(page.contains(&locale::money(price, "en")), "{kind}: {} shows {price}", product.slug);
        buy(&served, &added.expect(200), price, kind);
        bought += 1;
    }
    assert!(bought > 0, "something can be bought");
    bought
}

fn buy(served: &Served, added: &crate::support::client::Answer, price: Money, kind: &str) {
    let token = added.header("cart-token").expect("a token").to_owned();
    assert_eq!(added.json()["lines"][0]["unit_price"]["amount"], price.minor, "{kind}: in the cart");
    let with_cart = [("cart-token", token.as_str())];
    let opened = ask(served.port, "POST", "/api/v1/checkouts", &with_cart, &json!({})).expect(201).json();
    let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    let details = json!({
        "contact": {"email": "ada@example.com"},
        "address": {"name": "Ada Example", "line1": "Lindenweg 4", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    });
    let ready = ask(served.port, "PATCH", &path, &with_cart, &details).expect(200).json();
    let body = json!({"quote_hash": ready["quote"]["hash"], "method": "sandbox"});
    let keyed = [("cart-token", token.as_str()), ("idempotency-key", path.as_str())];
    let paying = ask(served.port, "POST", &format!("{path}/payment"), &keyed, &body).expect(200).json();
    let order = pay(served, &paying, &token);
    assert_eq!(order["lines"][0]["unit_price"]["amount"], price.minor, "{kind}: on the order");
    assert_eq!((order["state"].as_str(), order["payment_state"].as_str()), (Some("placed"), Some("paid")), "{kind}");
}

/// Pays at the sandbox's page as a browser would; gives the order.
fn pay(served: &Served, paying: &Value, token: &str) -> Value {
    let home = format!("http://127.0.0.1:{}", served.port);
    let local = |url: &str| url.strip_prefix(&home).unwrap_or(url).to_owned();
    let page = local(paying["payment"]["redirect_url"].as_str().expect("the gateway's page"));
    let paid = form(served.port, &page, &[], &[("number", "4242 4242 4242 4242")]).expect(303);
    let mut next = local(paid.header("location").expect("an address"));
    while !next.starts_with("/orders/") {
        let led = request(served.port, "GET", &next, &[("cart-token", token)], "").expect(303);
        next = local(led.header("location").expect("an address"));
    }
    request(served.port, "GET", &format!("/api/v1{next}"), &[("accept", "application/json")], "").expect(200).json()
}

#[test]
fn one_of_every_kind_is_bought_from_an_export_of_our_own() {
    assert_eq!(buy_one_of_each(&own_export()), 5);
}

#[test]
fn one_of_every_kind_is_bought_from_the_real_exports() {
    for (folder, file) in [
        ("shopify-partners", "apparel.csv"),
        ("shopify-partners", "home-and-garden.csv"),
        ("shopify-gatsby", "products.csv"),
        ("shopify-packt", "Product-data.csv"),
    ] {
        if let Some(found) = data("one_of_every_kind_is_bought_from_the_real_exports", folder) {
            let folder = tempfile::tempdir().expect("a folder");
            let file = with_own_handles(&found.join(file), folder.path());
            println!("{}: {} bought", file.display(), buy_one_of_each(&file));
        }
    }
}

/// What an import writes is what the file itself gives.
fn import_equals_reading(file: &Path) {
    let direct = parsed(file);
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &["init", "shop"]);
    let shop = folder.path().join("shop");
    for part in ["content/products", "content/categories", "content/promotions"] {
        fs::remove_dir_all(shop.join(part)).expect("the starter shop has it");
    }
    let export = file.display().to_string();
    let (code, _, told) = run(&shop, &["import", "shopify", &export, "--dry-run"]);
    assert!(code == 0 && !shop.join("content/products").exists(), "a dry run writes nothing: {told}");
    let (code, _, told) = run(&shop, &["import", "shopify", &export]);
    assert_eq!(code, 0, "{told}");
    let (_, _, again) = run(&shop, &["import", "shopify", &export]);
    assert!(again.contains(&format!(" 0 files new, {} unchanged", direct.products.len() + direct.categories.len())), "{again}");
    let mut problems = Problems::new();
    let config = vitrine::config::read(&shop, &mut problems).expect("the starter shop's settings");
    let loaded = vitrine::site::load::load(&shop, &config.rules, &[], None, &mut problems);
    assert!(!problems.has_errors(), "{}", problems.render(false));
    let mut products: Vec<_> = direct.products.iter().collect();
    products.sort_by(|one, other| one.product.slug.cmp(&other.product.slug));
    assert_eq!(loaded.catalog.products().len(), products.len());
    for ((imported, direct), index) in loaded.catalog.products().iter().zip(products).zip(0..) {
        let details = loaded.details(index).expect("its details are there");
        assert_eq!(*imported, direct.product);
        assert_eq!(
            (&details.body, &details.images, &details.tags),
            (&direct.details.body, &direct.details.images, &direct.details.tags)
        );
        assert_eq!((&details.seo_title, &details.seo_description), (&direct.details.seo_title, &direct.details.seo_description));
    }
    let categories: Vec<_> = direct.categories.iter().map(|found| found.category.clone()).collect();
    assert_eq!(loaded.catalog.categories(), categories);
}

#[test]
fn an_import_writes_what_reading_the_file_gives() {
    import_equals_reading(&own_export());
    for (folder, file) in
        [("shopify-partners", "home-and-garden.csv"), ("shopify-gatsby", "products.csv"), ("shopify-packt", "Product-data.csv")]
    {
        if let Some(found) = data("an_import_writes_what_reading_the_file_gives", folder) {
            let folder = tempfile::tempdir().expect("a folder");
            import_equals_reading(&with_own_handles(&found.join(file), folder.path()));
        }
    }
}

#[test]
fn an_import_leaves_the_merchants_own_edits_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &["init", "shop"]);
    let shop = folder.path().join("shop");
    let export = own_export().display().to_string();
    run(&shop, &["import", "shopify", &export]);
    // Moved into a folder of its own and edited: still the same product.
    fs::create_dir(shop.join("content/products/seats")).expect("a folder");
    let (from, to) = (shop.join("content/products/oak-stool.md"), shop.join("content/products/seats/oak-stool.md"));
    fs::rename(&from, &to).expect("moved");
    let text = fs::read_to_string(&to).expect("text");
    assert!(!text.contains("script") && !text.contains("onclick"), "{text}");
    fs::write(&to, text.replace("Oak stool", "Oak stool No. 2")).expect("edited");
    let (code, _, told) = run(&shop, &["import", "shopify", &export]);
    assert!(code == 0 && told.contains("differs  content/products/seats/oak-stool.md") && !from.exists(), "{told}");
    assert!(fs::read_to_string(&to).expect("text").contains("No. 2"));
    let (_, _, told) = run(&shop, &["import", "shopify", &export, "--force"]);
    assert!(told.contains("changed  content/products/seats/oak-stool.md"), "{told}");
    assert!(!fs::read_to_string(&to).expect("text").contains("No. 2"));
}

#[test]
fn each_trap_of_an_export_is_told_at_its_line() {
    let mut problems = Problems::new();
    let found = parse(&fs::read(own_export()).expect("the export"), &mut problems);
    let told: Vec<(usize, &str)> = problems.all().iter().map(|problem| (problem.line, problem.message.as_str())).collect();
    let expected = [
        (7, "struck-out price is not above"),
        (8, "variant `Large / Moss` is there already"),
        (12, "gift cards cannot be sold yet"),
        (13, "has no price and cannot be bought"),
    ];
    for (line, text) in expected {
        assert!(told.iter().any(|(at, message)| *at == line && message.contains(text)), "{line} {text}: {told:?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:?}");
    let product =
        |slug: &str| found.products.iter().map(|found| &found.product).find(|one| one.slug.as_str() == slug).expect(slug);
    let stool = product("oak-stool");
    assert_eq!(
        (stool.variants.len(), stool.variants[0].sku.as_str()),
        (1, "oak-stool"),
        "a row with only a picture is no variant"
    );
    assert_eq!((stool.options.len(), stool.variants[0].prices[0].compare_at_minor), (0, None));
    let rug = product("wool-rug");
    let skus: Vec<&str> = rug.variants.iter().map(|variant| variant.sku.as_str()).collect();
    assert_eq!((rug.title.as_str(), skus), ("Wool rug & runner", vec!["RUG-S", "wool-rug-large-sand", "RUG-LM"]));
    assert_eq!((rug.variants[1].weight_g, rug.variants[1].opening_stock), (1800, 2), "1800.0 and 2.0 are whole");
    assert_eq!(product("mending").variants[0].stock_policy, StockPolicy::Untracked);
    assert_eq!(product("to-order").variants[0].stock_policy, StockPolicy::Backorder);
    assert_eq!(product("hidden").status, ProductStatus::Draft);
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_are_products_or_problems(text in "(Handle,Variant Price,Title(,[A-Za-z0-9 ]{0,12}){0,3}\r?\n)?(\\PC|[,\"\n\r]){0,300}") {
        let mut problems = Problems::new();
        let found = parse(text.as_bytes(), &mut problems);
        for product in found.products {
            proptest::prop_assert!(!product.product.variants.is_empty() && !product.product.slug.as_str().is_empty());
        }
        let _ = problems.render(false);
    }
}
