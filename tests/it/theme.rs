//! The built-in theme, printed from the very values that the build and the edge give it.

mod edge;

use std::sync::Arc;

use vitrine::commerce::catalog::{ProductOption, PropertyRule, QuantityRule};
use vitrine::commerce::ids::Sku;
use vitrine::commerce::money::{Currency, Money};
use vitrine::commerce::tax::TaxMode;
use vitrine::theme::countries::country;
use vitrine::theme::engine::{Asset, Assets, Engine, Values};
use vitrine::theme::look::Chosen;
use vitrine::theme::view::{
    Availability, Card, CardSaleView, CardView, HeadView, HomeView, Link, NavigationNode, PictureView, ProductView, SiteView,
    VariantView,
};

fn euro(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("EUR").expect("a currency"))
}

fn link(title: &str, url: &str) -> Link {
    Link { title: title.to_owned(), url: url.to_owned() }
}

fn image(name: &str) -> PictureView {
    let (width, height) = (Some(800), Some(1000));
    PictureView { url: format!("/i/{name}.svg"), alt: format!("A {name}"), width, height, ..PictureView::default() }
}

fn site() -> SiteView {
    SiteView {
        name: "Lumen & Loam".to_owned(),
        tagline: "Quiet things".to_owned(),
        base_url: "https://shop.example".to_owned(),
        email: "hello@shop.example".to_owned(),
        market: "eu".to_owned(),
        prefix: String::new(),
        editions: Vec::new(),
        language: "en".to_owned(),
        direction: "ltr".to_owned(),
        locale: "en_DE".to_owned(),
        currency: "EUR".to_owned(),
        tax_mode: TaxMode::Inclusive,
        countries: vec![country("DE")],
        navigation: vec![NavigationNode { title: "Light".to_owned(), url: "/categories/light".to_owned(), children: Vec::new() }],
        footer: vec![link("Shipping", "/shipping")],
        legal: Vec::new(),
        eu_law: true,
        withdrawal_days: 14,
        search: true,
        beacon: String::new(),
        texts: crate::support::shop::texts("en"),
        theme: Chosen::default().look(),
    }
}

fn variant(sku: &str, title: &str, minor: i64, availability: Availability) -> VariantView {
    VariantView {
        sku: Sku::from(sku),
        title: title.to_owned(),
        option_values: vec![title.to_owned()],
        price: Some(euro(minor)),
        compare_at: None,
        sale_until: None,
        sale_ends_at: None,
        price_after: None,
        compare_at_after: None,
        gtin: None,
        content: None,
        per_measure: None,
        per_measure_after: None,
        measured: None,
        availability,
        image: None,
    }
}

/// A lamp in three sizes: one sold out, one reduced.
fn lamp() -> ProductView {
    let mut reduced = variant("L-M", "Medium", 4_900, Availability::InStock);
    reduced.compare_at = Some(euro(6_400));
    reduced.sale_until = Some("2027-01-31".to_owned());
    ProductView {
        head: HeadView {
            title: "Lamp · Lumen & Loam".to_owned(),
            description: "Says \"hello\"".to_owned(),
            canonical: Some("https://shop.example/products/lamp".to_owned()),
            og_type: "product",
            image: None,
            image_size: None,
            image_alt: String::new(),
            json_ld: vec!["{\"@type\":\"Product\"}".to_owned()],
            alternates: Vec::new(),
            editions: Vec::new(),
            index: true,
        },
        breadcrumbs: vec![link("Home", "/"), link("Lamp", "/products/lamp")],
        slug: "lamp".to_owned(),
        url: "/products/lamp".to_owned(),
        title: "Lamp <b>".to_owned(),
        brand: None,
        description_html: "<p>It is lit.</p>".to_owned(),
        images: vec![image("lamp"), image("shade")],
        options: vec![ProductOption { name: "Size".into(), values: vec!["Small".into(), "Medium".into()] }],
        variants: vec![
            variant("L-S", "Small", 3_900, Availability::SoldOut),
            reduced,
            variant("L-L", "Large", 12_900, Availability::Backorder),
        ],
        price: Some(euro(3_900)),
        price_varies: true,
        is_lowest: false,
        per_measure_varies: false,
        availability: Availability::InStock,
        quantity: QuantityRule { min: 2, max: 10, step: 2 },
        properties: vec![PropertyRule { key: "name".to_owned(), label: "Name".to_owned(), required: true, max_bytes: 40 }],
        attributes: vec![("Material".to_owned(), "Brass".to_owned())],
        maker: None,
        warnings: Vec::new(),
        guarantee_years: None,
        tags: Vec::new(),
        related: vec![Card::new(CardView {
            url: "/products/vase".to_owned(),
            title: "Vase".to_owned(),
            brand: None,
            image: Some(image("vase")),
            price: Some(euro(4_600)),
            price_varies: false,
            compare_at: None,
            is_lowest: false,
            per_measure: None,
            sale: None,
            availability: Availability::SoldOut,
            variant_count: 1,
        })],
        tax_name: "VAT".to_owned(),
    }
}

fn engine() -> Engine {
    let asset = |path: &str| (path.to_owned(), Asset { url: format!("/a/{path}"), integrity: "sha384-x".to_owned() });
    let assets: Assets = ["express.js", "favicon.svg", "search.js", "theme.js"].into_iter().map(asset).collect();
    Engine::new(&[], Arc::new(assets)).expect("the built-in theme is whole")
}

fn printed(product: &ProductView) -> String {
    let values = Values::new().with("site", &site()).with("page", product);
    engine().render("product.html", values.context()).unwrap_or_else(|error| panic!("{error:?}"))
}

fn holds(page: &str, wanted: &str) {
    assert!(page.contains(wanted), "not on the page: {wanted}\n{page}");
}

#[test]
fn the_form_of_a_product_works_without_script() {
    let page = printed(&lamp());
    holds(&page, "<form class=\"order\" method=\"post\" action=\"/cart/lines\"");
    holds(&page, "name=\"market\" value=\"eu\"");
    holds(&page, "name=\"property.name\" maxlength=\"40\" required");
    holds(&page, "value=\"2\" min=\"2\" max=\"10\" step=\"2\"");
    holds(&page, "name=\"sku\" value=\"L-S\" required disabled");
    holds(&page, "name=\"sku\" value=\"L-M\" required checked");
    assert!(!page.contains("name=\"seen_price_minor\""), "prices differ: only script knows which one was seen");
}

#[test]
fn one_price_for_all_is_sent_back_by_the_form() {
    let mut product = lamp();
    product.variants.truncate(1);
    product.variants[0].availability = Availability::LowStock;
    product.price_varies = false;
    let page = printed(&product);
    holds(&page, "<input type=\"hidden\" name=\"seen_price_minor\" value=\"3900\">");
    holds(&page, "<input type=\"hidden\" name=\"sku\" value=\"L-S\"");
    holds(&page, "Only a few left.");
}

#[test]
fn a_reduced_price_says_what_it_was_and_until_when() {
    let page = printed(&lamp());
    holds(&page, "<span class=\"unseen\">Now </span><ins>€49.00</ins> <span class=\"unseen\">instead of </span><s>€64.00</s>");
    holds(&page, "Reduced until <span>31 January 2027</span>");
    holds(&page, "incl. VAT, plus <a href=\"/shipping\">shipping</a>");
}

#[test]
fn a_thing_that_is_sold_out_has_a_button_that_waits() {
    let mut product = lamp();
    for variant in &mut product.variants {
        variant.availability = Availability::SoldOut;
    }
    let page = printed(&product);
    holds(&page, "Sold out for now.");
    // Whoever has script is asked about the stock of now, and gets the button when there is some again.
    holds(&page, "<div class=\"add\" data-open hidden>");
    holds(&page, "<button class=\"button\" data-submit disabled>Add to cart</button>");
    assert!(!page.contains(" checked"), "nothing is chosen that cannot be had");
    assert!(!printed(&lamp()).contains("data-open hidden"), "what can be had has its button at once");
}

#[test]
fn a_thing_without_a_price_is_not_for_sale_here() {
    let mut product = lamp();
    product.price = None;
    for variant in &mut product.variants {
        variant.price = None;
        variant.availability = Availability::NotForSale;
    }
    let page = printed(&product);
    holds(&page, "Not sold in this country.");
    assert!(!page.contains("data-submit"), "what has no price never gets a button");
}

#[test]
fn text_is_escaped_and_only_the_body_is_markup() {
    let page = printed(&lamp());
    holds(&page, "<h1>Lamp &lt;b&gt;</h1>");
    holds(&page, "content=\"Says &quot;hello&quot;\"");
    holds(&page, "<p>It is lit.</p>");
    holds(&page, "<script type=\"application/ld+json\">{\"@type\":\"Product\"}</script>");
}

#[test]
fn the_first_picture_is_fetched_first_and_the_rest_when_seen() {
    let page = printed(&lamp());
    holds(&page, "src=\"/i/lamp.svg\" alt=\"A lamp\" width=\"800\" height=\"1000\" fetchpriority=\"high\"");
    holds(&page, "src=\"/i/shade.svg\" alt=\"A shade\" width=\"800\" height=\"1000\" loading=\"lazy\"");
    assert_eq!(page.matches("fetchpriority").count(), 1, "one picture is the largest");
    assert_eq!(page.matches("<h1").count(), 1, "one heading of the page");
}

#[test]
fn without_a_picture_above_them_the_first_cards_of_the_home_page_are_fetched_first() {
    let home = |extra: serde_json::Value| {
        let lamp = lamp();
        let (head, featured) = (lamp.head, vec![lamp.related[0].clone(); 5]);
        let page = HomeView {
            head,
            url: "/".to_owned(),
            body_html: String::new(),
            extra,
            featured,
            reduced: Vec::new(),
            categories: Vec::new(),
        };
        let values = Values::new().with("site", &site()).with("page", &page);
        engine().render("home.html", values.context()).unwrap_or_else(|error| panic!("{error:?}"))
    };
    for extra in [serde_json::json!({}), serde_json::json!({ "hero": { "title": "Hi" } })] {
        let page = home(extra);
        assert_eq!((page.matches("fetchpriority=\"high\"").count(), page.matches("loading=\"lazy\"").count()), (1, 1), "{page}");
        holds(&page, "elementtiming=\"first-product\"");
    }
}

#[test]
fn a_card_tells_until_when_its_price_holds_and_keeps_the_one_after_it_for_script() {
    let mut product = lamp();
    let vase = CardView {
        compare_at: Some(euro(5_200)),
        sale: Some(CardSaleView {
            until: "2027-01-31".to_owned(),
            ends_at: "2027-02-01T00:00:00Z".to_owned(),
            price_after: euro(5_200),
            price_after_varies: true,
            compare_at_after: None,
            is_lowest_after: false,
            per_measure_after: None,
        }),
        ..(*product.related[0]).clone()
    };
    product.related = vec![Card::new(vase)];
    let page = printed(&product);
    holds(&page, "<span class=\"fine until\">until 31 January 2027</span>");
    let after = "<template data-ends=\"2027-02-01T00:00:00Z\"><span class=\"price\"><span class=\"from\">from</span> €52.00</span></template>";
    // How the part is spaced is its own affair.
    assert!(page.replace('\n', "").contains(after), "{page}");
}

#[test]
fn the_script_is_whole_and_checked_by_the_browser() {
    holds(&printed(&lamp()), "<script type=\"module\" src=\"/a/theme.js\" integrity=\"sha384-x\"></script>");
}
