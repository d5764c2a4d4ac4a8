//! Builds of a tiny shop in a temporary folder: what comes out, that it comes out alike, and what is told when it cannot.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use vitrine::commerce::catalog::{Category, Image, Product, ProductOption, SaleWindow};
use vitrine::commerce::ids::{Sku, Timestamp};
use vitrine::commerce::rules::Rules;
use vitrine::site::load::{Body, CategoryDetails, Loaded, LoadedCategory, LoadedProduct, PageSource, ProductDetails, Source};
use vitrine::site::problem::Problems;
use vitrine::site::{BuildError, BuildSettings, Built, Order, PageFaults, Shop, build};
use vitrine::theme::look::Chosen;
use vitrine::theme::texts::Dictionary;

use crate::support::edge::{self, NOW};

/// 31 January 2027, 00:00 UTC: the first instant after the lamp's sale.
const SALE_END: Timestamp = Timestamp(1_801_353_600);

/// A shop that a test bends to its case.
struct Tiny {
    root: tempfile::TempDir,
    rules: Rules,
    products: Vec<LoadedProduct>,
    templates: Vec<(String, String)>,
    stock: BTreeMap<Sku, u32>,
}

impl Tiny {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("static/images")).expect("created");
        let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 50\"/>";
        fs::write(root.path().join("static/images/lamp.svg"), picture).expect("written");
        let bundle = edge::bundle(edge::BASE_URL, 1990);
        let loaded = |product: Product| LoadedProduct {
            details: details(&product),
            product,
            derived_skus: Vec::new(),
            variant_lines: Vec::new(),
        };
        let mut products: Vec<LoadedProduct> = bundle.catalog.products().iter().cloned().map(furnished).map(loaded).collect();
        let lamp = &mut products[1];
        lamp.details.redirects = vec!["/old-lamp".to_owned()];
        lamp.details.images = lamp.product.image.clone().into_iter().collect();
        Self { root, rules: bundle.rules, products, templates: Vec::new(), stock: BTreeMap::new() }
    }

    fn loaded(&self) -> Loaded {
        let shelf = |path: &str, title: &str| LoadedCategory {
            category: Category { path: path.into(), title: title.to_owned(), translations: Vec::new(), order: 0 },
            details: CategoryDetails::default(),
        };
        let mut problems = Problems::new();
        let shelves = vec![shelf("home", "Home things"), shelf("home/light", "Light")];
        let mut loaded = Loaded::of(self.products.clone(), shelves, &mut problems);
        assert!(!problems.has_errors(), "{}", problems.render(false));
        loaded.pages = vec![content_page("imprint", "Imprint")];
        loaded
    }

    fn public(&self) -> std::path::PathBuf {
        self.root.path().join("public")
    }

    fn settings() -> BuildSettings {
        BuildSettings { page_size: 2, ..BuildSettings::default() }
    }

    fn build(&self) -> Built {
        self.build_to(&self.public(), "shop.bundle").expect("a whole shop")
    }

    fn build_to(&self, out: &Path, bundle: &str) -> Result<Built, BuildError> {
        let shop = Shop {
            id: "tiny".to_owned(),
            name: "Tiny".to_owned(),
            tagline: "Few things".to_owned(),
            base_url: edge::BASE_URL.to_owned(),
            ..Shop::default()
        };
        let order = Order {
            root: self.root.path(),
            out,
            bundle: &self.root.path().join(bundle),
            shop: &shop,
            rules: &self.rules,
            settings: &Self::settings(),
            look: &Chosen::default().look(),
            templates: &self.templates,
            texts: &Dictionary::new(Vec::new(), "en", &[]),
            loaded: &self.loaded(),
            stock: &self.stock,
            at: NOW,
            drafts: false,
            payment: &vitrine::theme::bundle::PaymentTerms::default(),
            mail: &vitrine::theme::bundle::MailTerms::default(),
            webhooks: &[],
            front: &vitrine::theme::bundle::FrontTerms::default(),
            pricing: None,
            inventory: None,
            keeper: None,
            cache: None,
            pictures: &self.public().with_extension("sets"),
            busy: vitrine::site::Busy::Refuse,
            key: &edge::signing_key(),
            press: None,
            costs: false,
        };
        build(&order, &|_, _, _| {})
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.public().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// Puts a product on a shelf; the lamp also gets a picture, its axis and, for the small one, a sale.
fn furnished(mut product: Product) -> Product {
    product.categories = vec!["home".into()];
    if product.slug.as_str() == "lamp" {
        product.categories = vec!["home/light".into()];
        let values = ["Small", "Large"].map(Into::into).to_vec();
        product.options = vec![ProductOption { name: "Size".into(), values }];
        product.image = Some(Image { url: "images/lamp.svg".to_owned(), alt: "A lamp".to_owned(), width: None, height: None });
        let until = Some(SALE_END);
        let sale = SaleWindow { price_minor: 1490, from: None, until, until_offset_minutes: 0 };
        product.variants[0].prices[0].sales = vec![sale];
    }
    product
}

fn details(product: &Product) -> ProductDetails {
    ProductDetails {
        translations: Vec::new(),
        source: Source::default(),
        body: Body::Markdown(format!("The **{}** </script> of the house.", product.title)),
        images: Vec::new(),
        tags: Vec::new(),
        attributes: Vec::new(),
        related: Vec::new(),
        redirects: Vec::new(),
        seo_title: None,
        seo_description: None,
        // The first of September 2026.
        updated_at: (product.slug.as_str() == "lamp").then_some(Timestamp(1_788_220_800)),
        assurance: None,
    }
}

fn content_page(slug: &str, title: &str) -> PageSource {
    PageSource {
        translations: Vec::new(),
        source: Source::default(),
        slug: slug.into(),
        title: title.to_owned(),
        body_markdown: "Who we are.".to_owned(),
        order: 0,
        footer: true,
        extra: serde_json::json!({}),
        seo_title: None,
        seo_description: None,
    }
}

/// Every file below a folder with its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(place) = waiting.pop() {
        for entry in fs::read_dir(place).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").to_string_lossy().into_owned();
                files.insert(name, fs::read(path).expect("readable"));
            }
        }
    }
    files
}

fn json_ld(html: &str) -> Vec<Value> {
    let scripts = html.split("<script type=\"application/ld+json\">").skip(1);
    scripts.map(|rest| serde_json::from_str(rest.split("</script>").next().expect("it ends")).expect("JSON")).collect()
}

#[test]
fn a_tiny_shop_becomes_these_files() {
    let tiny = Tiny::new();
    tiny.build();
    let files = tree(&tiny.public());
    let names: Vec<&str> = files.keys().map(String::as_str).filter(|name| !name.starts_with("a/")).collect();
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("tiny_files", names.join("\n"));
        insta::assert_snapshot!("tiny_sitemap", tiny.read("sitemap.xml"));
        insta::assert_snapshot!("tiny_feed", tiny.read("feed.xml"));
        insta::assert_snapshot!("tiny_robots_and_redirects", format!("{}\n{}", tiny.read("robots.txt"), tiny.read("_redirects")));
    });
    assert!(tiny.read("old-lamp.html").contains("url=http://127.0.0.1:8080/products/lamp"), "for hosts that know no 301");
}

#[test]
fn machines_read_on_a_products_page_what_people_read() {
    let tiny = Tiny::new();
    tiny.build();
    let page = tiny.read("products/lamp.html");
    let documents: Vec<String> =
        json_ld(&page).iter().map(|document| serde_json::to_string_pretty(document).expect("JSON")).collect();
    insta::with_settings!({ snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("lamp_json_ld", documents.join("\n"));
    });
    assert!(page.contains("width=\"40\" height=\"50\""), "the picture's place is kept before it is there");
}

#[test]
fn markets_of_one_language_are_told_apart_by_country_on_every_version_of_a_page() {
    let tiny = Tiny::new();
    tiny.build();
    let named = |path: &str| {
        let page = tiny.read(path);
        let links = page.split("rel=\"alternate\" hreflang=\"").skip(1).map(|rest| {
            let (tag, rest) = rest.split_once("\" href=\"").expect("a tag has an address");
            (tag.to_owned(), rest.split('"').next().expect("it ends").to_owned())
        });
        links.collect::<Vec<_>>()
    };
    let (root, us) = ("http://127.0.0.1:8080/products/lamp", "http://127.0.0.1:8080/us/products/lamp");
    let expected = [("en-DE", root), ("en-AT", root), ("en-US", us), ("x-default", root)];
    assert_eq!(named("products/lamp.html"), expected.map(|(tag, url)| (tag.to_owned(), url.to_owned())));
    assert_eq!(named("us/products/lamp.html"), named("products/lamp.html"));
}

#[test]
fn each_part_of_a_shelf_has_its_own_address() {
    let tiny = Tiny::new();
    tiny.build();
    let canonical = |path: &str| {
        let page = tiny.read(path);
        let rest = page.split_once("rel=\"canonical\" href=\"").expect("a canonical address").1;
        rest.split('"').next().expect("it ends").to_owned()
    };
    assert_eq!(canonical("categories/home.html"), "http://127.0.0.1:8080/categories/home");
    assert_eq!(canonical("categories/home/2.html"), "http://127.0.0.1:8080/categories/home/2");
    assert!(!tiny.public().join("categories/home/3.html").exists(), "three things on parts of two");
}

#[test]
fn the_same_shop_gives_the_same_bytes_on_any_number_of_threads() {
    let tiny = Tiny::new();
    let built = |threads: usize| {
        let (out, bundle) = (tiny.root.path().join(format!("out-{threads}")), format!("bundle-{threads}"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| tiny.build_to(&out, &bundle)).expect("a whole shop");
        (tree(&out), fs::read(tiny.root.path().join(bundle)).expect("a bundle"))
    };
    let (one, three) = (built(1), built(3));
    assert!(one.0.len() > 10);
    assert!(one == three, "the trees or the bundles differ");
}

#[test]
fn a_second_build_of_an_unchanged_shop_writes_nothing() {
    let tiny = Tiny::new();
    assert!(tiny.build().changes.written > 0);
    let again = tiny.build();
    assert_eq!((again.changes.written, again.changes.removed, again.bundle_written), (0, 0, false));
}

#[test]
fn the_page_of_a_product_that_is_gone_disappears() {
    let mut tiny = Tiny::new();
    tiny.build();
    assert!(tiny.public().join("products/mug.html").exists());
    tiny.products.retain(|found| found.product.slug.as_str() != "mug");
    let changes = tiny.build().changes;
    assert!(!tiny.public().join("products/mug.html").exists());
    assert!(changes.removed >= 2, "one page in each market: {changes:?}");
    assert!(!tiny.read("categories/home.html").contains("/products/mug"));
}

#[test]
fn drafts_have_no_page_and_a_snapshot_of_stock_goes_before_the_opening_stock() {
    let mut tiny = Tiny::new();
    tiny.stock = BTreeMap::from([(Sku::from("MUG"), 0)]);
    tiny.build();
    assert!(!tiny.public().join("products/draft.html").exists());
    let offer = &json_ld(&tiny.read("products/mug.html"))[0]["offers"];
    assert_eq!(offer["availability"], "https://schema.org/OutOfStock");
}

#[test]
fn a_value_that_a_template_wants_and_no_page_has_is_told_with_its_place() {
    let mut tiny = Tiny::new();
    tiny.templates = vec![("page.html".to_owned(), "fine\n  {{ page.nothing.here }}".to_owned())];
    let error = tiny.build_to(&tiny.public(), "shop.bundle").expect_err("there is no such value");
    let BuildError::Pages(PageFaults { templates: faults, .. }) = error else { panic!("{error:?}") };
    let (url, fault) = &faults[0];
    assert_eq!((url.as_deref(), fault.template.as_str(), fault.line), (Some("/imprint"), "page.html", 2));
    assert!(fault.column > 2 && !fault.message.is_empty(), "{fault:?}");
    assert_eq!(faults.len(), 1, "one fault is told once, though two markets have the page");
    assert!(!tiny.public().exists(), "nothing half done is shown");
}

#[test]
fn an_output_folder_that_cannot_be_written_is_named() {
    let tiny = Tiny::new();
    fs::write(tiny.root.path().join("file"), "no folder").expect("written");
    let error = tiny.build_to(&tiny.root.path().join("file/public"), "shop.bundle").expect_err("a file is in the way");
    assert!(matches!(error, BuildError::Write(_)), "{error:?}");
    assert!(error.to_string().contains("file") && error.to_string().contains("cannot be written"), "{error}");
}
