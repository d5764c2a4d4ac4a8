//! Catalogues: real exports are read whole or refused at their row, and what an import writes of them reads back as the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use vitrine::commerce::catalog::StockPolicy;
use vitrine::site::import;
use vitrine::site::load::sources::{self, BulkFormat, BulkSource, Found, WeightUnit};
use vitrine::site::load::{self, LoadedProduct};
use vitrine::site::problem::Problems;

use crate::support::shop::{rules, run, site};
use crate::support::{data, unpacked};

fn source(format: BulkFormat, path: PathBuf) -> BulkSource {
    BulkSource {
        images: Some("https://cdn.example".to_owned()),
        weight_unit: Some(WeightUnit::Pound),
        ..BulkSource::new(format, "x", path)
    }
}

fn json(map: &str, path: PathBuf) -> BulkSource {
    BulkSource { map: Some(toml::from_str(map).expect("a map")), ..source(BulkFormat::Json, path) }
}

/// Reads sources in a shop that sells in dollars.
fn read(read: &[BulkSource]) -> (Found, Problems) {
    let mut problems = Problems::new();
    let found = sources::read(read, &rules("USD"), &mut problems);
    load::check_skus_of(&found.products, &mut problems);
    problems.sort();
    (found, problems)
}

fn counts(found: &Found) -> (usize, usize) {
    (found.products.len(), found.products.iter().map(|one| one.product.variants.len()).sum())
}

fn count(problems: &Problems, part: &str) -> usize {
    problems.all().iter().filter(|problem| problem.message.contains(part)).count()
}

/// What an import of these products writes, read as content.
#[track_caller]
fn reads_back(found: &Found) {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = rules("USD");
    let files = import::files(&found.products, &found.categories, &rules.tax.classes[0], rules.root_market().currency);
    for file in files {
        let path = folder.path().join(&file.path);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
        fs::write(path, file.text).expect("written");
    }
    let mut problems = Problems::new();
    let loaded = load::load(folder.path(), &rules, &[], None, &mut problems);
    assert!(!problems.has_errors(), "{}", problems.render(false));
    assert_eq!(loaded.catalog.products().len(), found.products.len());
    let mut products: Vec<&LoadedProduct> = found.products.iter().collect();
    products.sort_by(|one, other| one.product.slug.cmp(&other.product.slug));
    for (index, (read, written)) in loaded.catalog.products().iter().zip(products).enumerate() {
        let details = &loaded.details(index).expect("they are held");
        assert_eq!(*read, written.product);
        let texts = |details: &load::ProductDetails| {
            (
                details.body.clone(),
                details.images.clone(),
                details.tags.clone(),
                details.attributes.clone(),
                details.related.clone(),
            )
        };
        assert_eq!(texts(details), texts(&written.details), "{}", read.slug);
        let rest = |details: &load::ProductDetails| {
            (details.redirects.clone(), details.seo_title.clone(), details.seo_description.clone(), details.updated_at)
        };
        assert_eq!(rest(details), rest(&written.details), "{}", read.slug);
    }
    let categories: Vec<_> = found.categories.iter().map(|found| found.category.clone()).collect();
    assert_eq!(loaded.catalog.categories(), categories);
}

#[test]
fn woocommerce_is_read_whole() {
    let Some(folder) = data("woocommerce_is_read_whole", "woocommerce") else { return };
    let (found, problems) = read(&[source(BulkFormat::Woocommerce, folder.join("sample_products.csv"))]);
    assert_eq!((problems.errors(), counts(&found), found.categories.len()), (0, (18, 29), 6), "{}", problems.render(false));
    assert_eq!((count(&problems, "stands for any Size"), count(&problems, "cannot be bought itself")), (3, 2));
    let struck = found.products.iter().flat_map(|one| &one.product.variants).flat_map(|one| &one.prices);
    assert_eq!(struck.filter(|price| price.compare_at_minor.is_some()).count(), 7);
    reads_back(&found);
}

#[test]
fn magento_is_read_whole() {
    let Some(folder) = data("magento_is_read_whole", "magento2") else { return };
    let (found, problems) = read(&[source(BulkFormat::Magento, folder.join("configurable/products.csv"))]);
    assert_eq!((problems.all().len(), counts(&found)), (0, (147, 1847)), "{}", problems.render(false));
    for one in &found.products {
        assert!(
            !one.product.title.contains(['&', ';']) && one.product.title == one.product.title.trim(),
            "{}",
            one.product.title
        );
        assert!(one.product.variants.iter().any(|variant| variant.opening_stock > 0), "stock is the children's");
        assert!(one.product.categories.iter().all(|path| !path.as_str().contains("default-category")));
    }
    reads_back(&found);
    let (bags, problems) = read(&[source(BulkFormat::Magento, folder.join("catalog/products_gear_bags.csv"))]);
    assert_eq!((problems.errors(), counts(&bags)), (0, (14, 14)), "{}", problems.render(false));
    reads_back(&bags);
}

#[test]
fn spree_is_read_whole_and_its_translations_are_refused() {
    let Some(folder) = data("spree_is_read_whole_and_its_translations_are_refused", "spree") else { return };
    let (found, problems) = read(&[source(BulkFormat::Spree, folder.join("products.csv"))]);
    assert_eq!((problems.errors(), counts(&found)), (0, (37, 87)), "{}", problems.render(false));
    assert!(
        count(&problems, "the SKU `ROBOT-VACUUM` stands on line 93 too") == 1
            && count(&problems, "87 prices in EUR are left out") == 1
    );
    let free = found.products.iter().flat_map(|one| &one.product.variants).flat_map(|one| &one.prices);
    assert!(free.clone().all(|price| price.unit_minor > 0) && free.count() == 87);
    reads_back(&found);
    let (_, problems) = read(&[source(BulkFormat::Spree, folder.join("product_translations.csv"))]);
    assert!(problems.errors() == 1 && problems.all()[0].line == 1, "{}", problems.render(false));
}

#[test]
fn vendure_is_refused_at_the_rows_of_a_repeated_sku() {
    let Some(folder) = data("vendure_is_refused_at_the_rows_of_a_repeated_sku", "vendure") else { return };
    let path = folder.join("products.csv");
    let (_, problems) = read(&[source(BulkFormat::Vendure, path.clone())]);
    let rows: Vec<usize> = problems.all().iter().map(|problem| problem.line).collect();
    assert_eq!((problems.errors(), rows), (2, vec![88, 89]), "{}", problems.render(false));
    assert_eq!(count(&problems, "the SKU `404.038.96` is already used at x:87"), 2);
    // With SKUs of their own all of it is read.
    let mut number = 0;
    let text = fs::read_to_string(path).expect("the catalogue is there").split("404.038.96").collect::<Vec<_>>().join("\u{0}");
    let text: String = text
        .chars()
        .flat_map(|sign| {
            if sign == '\0' {
                number += 1;
                format!("CHAIR-{number}").chars().collect()
            } else {
                vec![sign]
            }
        })
        .collect();
    let copy = tempfile::tempdir().expect("a folder");
    fs::write(copy.path().join("x.csv"), text).expect("written");
    let (found, problems) = read(&[source(BulkFormat::Vendure, copy.path().join("x.csv"))]);
    assert_eq!((problems.all().len(), counts(&found)), (0, (54, 88)), "{}", problems.render(false));
    reads_back(&found);
    let (found, problems) = read(&[source(BulkFormat::Vendure, folder.join("multiple-languages.csv"))]);
    assert_eq!((counts(&found), count(&problems, "texts in `zh_Hans` are left out")), ((1, 3), 1), "{}", problems.render(false));
    assert_eq!(found.products[0].product.variants[0].stock_policy, StockPolicy::Untracked);
    reads_back(&found);
    let (found, problems) = read(&[source(BulkFormat::Vendure, folder.join("single-product-multiple-variants.csv"))]);
    assert_eq!((counts(&found), problems.all().len()), ((1, 3), 0));
}

/// Where the values of that document are.
pub(crate) const DUMMYJSON: &str = "title = \"title\"\nbody = \"description\"\ncategories = \"category\"\nprice = \"price\"\nstock = \"stock\"\n\
    tags = \"tags\"\nbrand = \"brand\"\nsku = \"sku\"\ngtin = \"meta.barcode\"\nimages = \"images\"\nupdated_at = \"meta.updatedAt\"\n\
    attributes = { Warranty = \"warrantyInformation\" }";

#[test]
fn json_documents_are_read_by_a_map() {
    if let Some(folder) = data("json_documents_are_read_by_a_map", "dummyjson") {
        let (found, problems) = read(&[json(DUMMYJSON, folder.join("products.json"))]);
        assert_eq!(
            (problems.errors(), counts(&found), found.categories.len()),
            (0, (194, 194), 24),
            "{}",
            problems.render(false)
        );
        assert_eq!(count(&problems, "4 products share their title"), 1);
        let text = format!("{:?}", found.products);
        assert!(!text.contains("@x.dummyjson.com"), "what the map does not name goes nowhere");
        reads_back(&found);
    }
    if let Some(folder) = data("json_documents_are_read_by_a_map", "saleor") {
        let path = folder.join("populatedb_data.json");
        let map = "where = { model = \"product.product\" }\ntitle = \"fields.name\"\nslug = \"fields.slug\"\nbody = \"fields.description_plaintext\"";
        let (found, problems) = read(&[json(map, path.clone())]);
        assert_eq!((problems.errors(), counts(&found)), (0, (32, 32)), "{}", problems.render(false));
        assert_eq!(count(&problems, "32 variants have no price"), 1);
        let hints: Vec<&str> = problems.all().iter().filter_map(|problem| problem.hint.as_deref()).collect();
        assert_eq!(hints, ["`map` names no `price`: write its path, beginning at a product"]);
        let (found, problems) = read(&[json("title = \"title\"", path)]);
        assert!(found.products.is_empty() && problems.errors() == 1, "{}", problems.render(false));
    }
}

#[test]
fn compressed_catalogues_are_read_by_a_map() {
    if let Some(folder) = data("compressed_catalogues_are_read_by_a_map", "bestbuy-subset") {
        let copy = tempfile::tempdir().expect("a folder");
        let path = unpacked(&folder.join("ecommerce.json.gz"), copy.path());
        let map = "title = \"name\"\nbody = \"description\"\ncategory_path = \"categories\"\nprice = \"price\"\nbrand = \"brand\"\nimages = \"image\"";
        let (found, problems) = read(&[json(map, path)]);
        assert_eq!((problems.errors(), counts(&found).0), (0, 3291), "{}", problems.render(false));
        assert!(found.products.iter().all(|one| !one.product.title.contains("&#")), "entities are decoded");
        let shows_entities =
            |one: &&LoadedProduct| matches!(&one.details.body, load::Body::Html(body) if body.contains("&amp;#"));
        assert_eq!(found.products.iter().filter(shows_entities).count(), 0, "in texts too");
        let screens = found.categories.iter().filter(|found| found.category.title == "Screen Protectors").count();
        assert_eq!(screens, 2, "one name under two parents is two categories");
        reads_back(&found);
    }
    if let Some(folder) = data("compressed_catalogues_are_read_by_a_map", "pc-parts") {
        let copy = tempfile::tempdir().expect("a folder");
        let map = "title = \"name\"\nprice = \"price\"\nattributes = { Colour = \"color\", Speed = \"rpm\", Noise = \"noise_level\", Size = \"size\" }";
        let (found, problems) = read(&[json(map, unpacked(&folder.join("cpu-cooler.jsonl.gz"), copy.path()))]);
        assert_eq!(problems.errors(), 0, "{}", problems.render(false));
        assert_eq!(found.products.len() + count(&problems, "this is the same product as that of"), 2851);
        assert_eq!(count(&problems, "variants have no price and cannot be bought"), 1);
        assert!(found.products.iter().all(|one| !one.product.title.contains('\u{200b}')));
        reads_back(&found);
        let mut files: Vec<PathBuf> =
            fs::read_dir(&folder).expect("readable").map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "gz"));
        assert_eq!(files.len(), 13);
        let (mut rows, mut unpriced, mut repeated) = (0, 0, 0);
        for file in files {
            let path = unpacked(&file, copy.path());
            let lines = fs::read_to_string(&path).expect("text").lines().count();
            let (found, problems) = read(&[json("title = \"name\"\nprice = \"price\"", path)]);
            assert_eq!(problems.errors(), 0, "{}", problems.render(false));
            let again = count(&problems, "this is the same product as that of");
            assert_eq!(found.products.len() + again, lines, "{}", file.display());
            let slugs: BTreeSet<&str> = found.products.iter().map(|one| one.product.slug.as_str()).collect();
            assert_eq!(slugs.len(), found.products.len(), "every address is one product's");
            unpriced += found.products.iter().filter(|one| one.product.variants[0].prices.is_empty()).count();
            repeated += again;
            rows += lines;
        }
        assert_eq!(rows, 49_678);
        println!("{rows} rows: {unpriced} products without a price, {repeated} repeats");
    }
}

#[test]
fn a_format_that_is_not_read_is_refused_at_its_header() {
    let Some(folder) = data("a_format_that_is_not_read_is_refused_at_its_header", "medusa") else { return };
    for file in ["exported-products-comma.csv", "product-with-categories.csv", "v1-template.csv"] {
        for format in [BulkFormat::Shopify, BulkFormat::Woocommerce, BulkFormat::Magento, BulkFormat::Vendure, BulkFormat::Spree]
        {
            let (found, problems) = read(&[source(format, folder.join(file))]);
            assert!(found.products.is_empty() && problems.errors() == 1 && problems.all()[0].line == 1, "{file} as {format:?}");
        }
    }
}

#[test]
fn several_sources_of_different_formats_make_one_shop() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = site("USD")
        + "\n[[sources]]\nformat = \"jsonl\"\npath = \"own.jsonl\"\n\n[[sources]]\nformat = \"shopify\"\npath = \"shop.csv\"\n\n\
           [[sources]]\nformat = \"json\"\npath = \"more.json\"\nmap = { title = \"t\", price = \"p\", sku = \"k\" }\n";
    let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).expect("written");
    write("site.toml", &settings);
    write("own.jsonl", "{\"title\": \"Lamp\", \"slug\": \"lamp\", \"price\": 9.90, \"sku\": \"L\"}\n");
    write("shop.csv", "Handle,Title,Variant Price,Variant SKU\nvase,Vase,5,V\n");
    write("more.json", "[{\"t\": \"Mug\", \"p\": 3, \"k\": \"M\"},\n {\"t\": \"Lamp\", \"p\": 4, \"k\": \"N\"}]");
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 0, "{told}");
    let pages = ["lamp", "vase", "mug"].map(|slug| folder.path().join(format!("public/products/{slug}.html")).is_file());
    assert_eq!(pages, [true; 3], "{told}");
    write("shop.csv", "Handle,Title,Variant Price,Variant SKU\nlamp,Vase,5,V\nmat,Mat,5,M\n");
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1);
    for part in [
        "shop.csv:2",
        "the address `lamp` is already that of own.jsonl:1",
        "the SKU `M` is already used at",
        "more.json:1",
        "shop.csv:3",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_huge_cell_is_refused_with_its_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &[u8]| fs::write(folder.path().join(path), text).expect("written");
    write("site.toml", (site("USD") + "\n[[sources]]\nformat = \"shopify\"\npath = \"shop.csv\"\n").as_bytes());
    let mut text = b"Handle,Title,Body (HTML),Variant Price\nvase,Vase,,5\nlamp,Lamp,\"".to_vec();
    text.resize(text.len() + 100_000_000, b'x');
    text.extend_from_slice(b"\",6\nmug,Mug,,7\nmat,Mat,,x\n");
    write("shop.csv", &text);
    let (code, out, told) = run(folder.path(), &["build", "--report", "json"]);
    assert_eq!(code, 1, "{}", told.len());
    let report: serde_json::Value = serde_json::from_str(&out).expect("a report");
    let places: Vec<_> = report["problems"]
        .as_array()
        .expect("problems")
        .iter()
        .map(|one| (one["line"].as_u64(), one["column"].as_u64()))
        .collect();
    assert_eq!(places, [(Some(3), Some(3)), (Some(5), Some(4))], "{told}");
    assert!(out.len() + told.len() < 10_000, "the cell itself is not shown");
}

#[test]
fn a_dry_run_shows_the_difference_and_the_report_says_what_was_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).expect("written");
    write("site.toml", &site("USD"));
    write("shop.csv", "Handle,Title,Variant Price,Variant SKU,Mystery\nlamp,Lamp,19.90,L,x\n,Lost,1,X,\nvase,Vase,5,V,\n");
    let report = |words: &[&str]| -> serde_json::Value {
        let (_, out, told) = run(folder.path(), words);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {told}"))
    };
    let dry = report(&["import", "shopify", "shop.csv", "--dry-run", "--report", "json"]);
    assert!(!folder.path().join("content").exists(), "{dry}");
    assert_eq!((dry["files"][0]["change"].as_str(), dry["files"][0]["is_written"].as_bool()), (Some("new"), Some(false)));
    let done = report(&["import", "shopify", "shop.csv", "--report", "json"]);
    assert_eq!(
        (done["left_out"].as_u64(), done["products"].as_u64(), done["columns_left_out"][0].as_str()),
        (Some(1), Some(2), Some("Mystery"))
    );
    let lost = &done["problems"][0];
    assert_eq!(
        (lost["left_out"].as_bool(), lost["line"].as_u64(), lost["column"].as_u64()),
        (Some(true), Some(3), Some(1)),
        "{lost}"
    );
    let again = report(&["import", "shopify", "shop.csv", "--report", "json"]);
    assert!(again["files"].as_array().expect("files").iter().all(|file| file["change"] == "same"), "{again}");
    write("shop.csv", "Handle,Title,Variant Price,Variant SKU\nlamp,Lamp,17.50,L\nvase,Vase,5,V\n");
    let (code, _, told) = run(folder.path(), &["import", "shopify", "shop.csv", "--dry-run"]);
    assert!(code == 0 && told.contains("-price = \"19.90\"") && told.contains("+price = \"17.50\""), "{told}");
    assert!(told.contains("differs  content/products/lamp.md") && !told.contains("vase.md"), "{told}");
    let kept = fs::read_to_string(folder.path().join("content/products/lamp.md")).expect("text");
    assert!(kept.contains("19.90"));
}

#[test]
fn what_has_no_price_is_offered_nowhere_and_markup_stays_out_of_plain_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).and_then(|()| fs::write(path, text)).expect("written");
    };
    let map = "map = { title = \"t\", price = \"p\", body = \"b\", images = \"i\", sku = \"k\" }";
    write("site.toml", &(site("USD") + "\n[feeds]\ngoogle = true\n\n[[sources]]\nformat = \"json\"\npath = \"x.json\"\n" + map));
    let document = r#"[{"t": "None", "k": "NULL", "p": null, "i": "https://cdn.example/a.jpg", "b": "x"},
        {"t": "Zero", "k": "ZERO", "p": 0, "i": "https://cdn.example/a.jpg"},
        {"t": "Hood&trade;\u2028</script><b>", "k": "HOOD", "p": 40.000, "i": "https://cdn.example/a.jpg",
         "b": "<p onclick=x>Warm &bull; <b>soft</b><li>one<script>alert(1)</script></p>"}]"#;
    write("x.json", document);
    let (code, _, told) = run(folder.path(), &["build", "--as-of", "2026-12-01"]);
    assert!(code == 0 && told.contains("no price and cannot be bought") && told.contains("the price is 0"), "{told}");
    let read = |path: &str| fs::read_to_string(folder.path().join("public").join(path)).expect("written");
    for slug in ["none", "zero"] {
        let page = read(&format!("products/{slug}.html"));
        assert!(!page.contains("\"Offer\"") && !page.contains("seen_price_minor"), "{page}");
    }
    let feed = read("feeds/google.xml");
    assert!(feed.contains("<g:id>HOOD</g:id>") && !feed.contains("NULL") && !feed.contains("ZERO"), "{feed}");
    assert!(feed.contains("<g:description>Warm • soft one") && feed.contains("<g:price>40.00 USD"), "{feed}");
    let pages = fs::read_dir(folder.path().join("public/products")).expect("pages");
    let mut pages = pages.map(|entry| entry.expect("readable").path());
    let page = pages.find(|path| path.to_string_lossy().contains("hood")).expect("a page");
    let page = fs::read_to_string(page).expect("text");
    assert!(page.contains("content=\"Warm • soft one"), "{page}");
    assert!(!page.contains("alert(1)") && !page.contains("onclick=x") && !page.contains('\u{2028}'), "{page}");
    let data = page.split("application/ld+json\">").nth(1).and_then(|rest| rest.split("</script>").next()).expect("data");
    let data: serde_json::Value = serde_json::from_str(data).expect("whole, whatever the name");
    assert!(data["name"].as_str().is_some_and(|name| name.starts_with("Hood™")), "{data}");
}

#[test]
fn pictures_of_every_kind_lie_in_a_shop_without_stopping_a_build() {
    let Some(pictures) = data("pictures_of_every_kind_lie_in_a_shop_without_stopping_a_build", "images") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::create_dir_all(root.join("static/images"))
        .and_then(|()| fs::create_dir_all(root.join("content/products")))
        .expect("made");
    // Few widths: what is looked at is which pictures are read.
    fs::write(root.join("site.toml"), site("USD") + "\n[images]\nwidths = [100, 1200]\n").expect("written");
    let mut images = String::new();
    for entry in fs::read_dir(pictures).expect("pictures") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if !name.ends_with(".md") {
            fs::copy(&path, root.join("static/images").join(&name)).expect("copied");
            images += &format!("{{ src = \"images/{name}\", alt = \"A picture\" }}, ");
        }
    }
    let text = format!("+++\ntitle = \"Lamp\"\nprice = \"5\"\nimages = [{images}]\n+++\n");
    fs::write(root.join("content/products/lamp.md"), text).expect("written");
    let (code, _, told) = run(root, &["check"]);
    assert!(code == 0 && !told.contains("panicked"), "{told}");
    let page = fs::read_to_string(root.join(".vitrine/check/public/products/lamp.html")).expect("a page");
    assert!(!page.contains("sharp-giant-image") && !page.contains("sharp-truncated"), "{page}");
    assert!(told.contains("20000 × 14000 pixels") && told.contains("it breaks off in the midst"), "{told}");
    for good in [
        "/i/magento-ug03-bk-0-",
        "/i/sharp-channel-digital-image-cmyk-color-",
        "/i/exif-portrait-8-",
        "/i/sharp-rotating-squares-",
    ] {
        assert!(page.contains(good), "{good}: {page}");
    }
    // Turned upright: as stored it is 1800 × 1200.
    let upright = page.split("<img").find(|image| image.contains("src=\"/i/exif-portrait-8-")).expect("it is shown");
    assert!(upright.contains("width=\"1200\" height=\"1800\""), "{upright}");
}

#[test]
fn an_import_that_ends_half_way_is_finished_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).expect("written");
    write("site.toml", &site("USD"));
    write("shop.csv", "Handle,Title,Variant Price,Variant SKU\nlamp,Lamp,19.90,L\nvase,Vase,5,V\n");
    let products = folder.path().join("content/products");
    // A folder in the way of the second file stands for a disk that is full by then.
    fs::create_dir_all(products.join("vase.md.draft/x")).expect("made");
    let (code, _, told) = run(folder.path(), &["import", "shopify", "shop.csv"]);
    assert!(code == 3 && told.contains("vase.md"), "{told}");
    assert!(products.join("lamp.md").is_file() && !products.join("vase.md").exists());
    fs::remove_dir_all(products.join("vase.md.draft")).expect("removed");
    // What a killed one leaves is neither read nor kept.
    write("content/products/vase.md.draft", "+++\ntit");
    let (code, _, told) = run(folder.path(), &["import", "shopify", "shop.csv"]);
    assert!(code == 0 && told.contains("1 files new, 1 unchanged"), "{told}");
    let names: Vec<_> = fs::read_dir(&products).expect("there").map(|entry| entry.expect("readable").file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(run(folder.path(), &["build"]).0, 0);
}

#[test]
fn an_import_of_json_needs_a_map_and_tells_its_slips() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).expect("written");
    write("site.toml", &site("USD"));
    write("goods.json", "{\"goods\": [{\"n\": \"Lamp\", \"p\": 19.90}]}");
    let (code, _, told) = run(folder.path(), &["import", "json", "goods.json"]);
    assert!(
        code == 1 && told.contains("nobody says where the values of this document are") && told.contains("--map FILE"),
        "{told}"
    );
    write("map.toml", "items = \"goods\"\ntitel = \"n\"\n");
    let (code, _, told) = run(folder.path(), &["import", "json", "goods.json", "--map", "map.toml"]);
    assert!(code == 1 && told.contains("map.toml:2:1") && told.contains("did you mean `title`?"), "{told}");
    write("map.toml", "items = \"goods\"\ntitle = \"n\"\nprice = \"p\"\n");
    let (code, _, told) = run(folder.path(), &["import", "json", "goods.json", "--map", "map.toml"]);
    assert!(code == 0 && folder.path().join("content/products/lamp.md").is_file(), "{told}");
    fs::remove_dir_all(folder.path().join("content")).expect("removed");
    write(
        "site.toml",
        &(site("USD") + "\n[[sources]]\nformat = \"json\"\npath = \"goods.json\"\nmap = { items = \"goods\", title = \"n\" }\n"),
    );
    let (code, _, told) = run(folder.path(), &["import", "json", "goods.json"]);
    assert!(code == 0 && told.contains("each product would be there twice"), "the map of site.toml is taken: {told}");
    write("site.toml", &(site("USD") + "\n[[sources]]\nformat = \"json\"\npath = \"goods.json\"\n"));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert!(code == 1 && told.contains("site.toml:") && told.contains("write map ="), "{told}");
}
