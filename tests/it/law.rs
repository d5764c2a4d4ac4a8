//! Law: what a market of the European Economic Area wants said is said there, and nowhere else.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vitrine::edge::app::Settings;
use vitrine::theme::view::SiteView;

use crate::support::edge::{BASE_URL, Caller, app_of, bundle};
use crate::support::shop::{build, folder, run, site, write};

const ELSEWHERE: &str = r#"
[[markets]]
id = "us"
prefix = "us"
countries = ["US"]
currency = "USD"

[[shipping]]
id = "far"
market = "us"
countries = ["US"]
rates = [{ id = "air", name = "Air", price = "19" }]
"#;

fn shop() -> tempfile::TempDir {
    let settings = site("EUR").replace("name = \"Tiny\"\n", "name = \"Tiny\"\nemail = \"hello@tiny.example\"\n");
    let row = "rates = [{ country = \"DE\"";
    let settings = settings.replace(row, "rates = [{ country = \"US\", standard = \"0\", reduced = \"0\" }, { country = \"DE\"");
    let product = |name: &str, years: u8| {
        format!(
            "+++\ntitle = \"{name}\"\nprice = \"9\"\nprices = {{ USD = \"10\" }}\nstock = 3\nguarantee_years = {years}\n+++\n"
        )
    };
    folder(&[
        ("site.toml", &(settings + ELSEWHERE)),
        ("content/products/rug.md", &product("Rug", 5)),
        ("content/products/mat.md", &product("Mat", 2)),
    ])
}

fn page(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join("public").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_page_says_what_is_guaranteed_where_the_law_wants_it() {
    let folder = shop();
    build(folder.path(), "2026-12-01", &[]);
    let rug = page(folder.path(), "products/rug.html");
    assert!(rug.contains("<summary>Legal guarantee: at least two years</summary>"), "{rug}");
    assert!(rug.contains("Its maker guarantees that it lasts 5 years."), "{rug}");
    // The law gives as much without a word.
    assert!(!page(folder.path(), "products/mat.html").contains("guarantees that it lasts"));
    assert!(!page(folder.path(), "us/products/rug.html").contains("guarantee"));
}

#[test]
fn cart_and_checkout_say_what_is_guaranteed() {
    let notice = "Legal guarantee: at least two years";
    for eu_law in [true, false] {
        let mut bundle = bundle(BASE_URL, 1990);
        let sites = bundle.sites().expect("views").into_iter().map(|site| SiteView { eu_law, ..site });
        bundle.sites_json = sites.map(|site| serde_json::to_string(&site).expect("plain data")).collect();
        let mut caller = Caller::new(&app_of(&bundle, Settings::default()));
        caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
        assert_eq!(caller.page("/cart").expect(200).body.contains(notice), eu_law);
    }
}

#[test]
fn a_page_about_accessibility_is_made_where_there_is_none() {
    let folder = shop();
    let root = folder.path();
    build(root, "2026-12-01", &[]);
    let made = page(root, "accessibility.html");
    for part in ["<h1>Accessibility</h1>", "Tiny is meant to be used by everyone", "href=\"mailto:hello@tiny.example\""] {
        assert!(made.contains(part), "{part} is missing in {made}");
    }
    assert!(page(root, "products/rug.html").contains("<a href=\"/accessibility\">Accessibility</a>"));
    let (code, _, told) = run(root, &["check", "--as-of", "2026-12-01", "--strict"]);
    assert_eq!(code, 0, "{told}");
    write(root, "content/pages/accessibility.md", "+++\ntitle = \"For all\"\n+++\nOurs.\n");
    build(root, "2026-12-01", &[]);
    let own = page(root, "accessibility.html");
    assert!(own.contains("<h1>For all</h1>") && !own.contains("Tiny is meant"), "{own}");
    // Elsewhere nobody asks for it.
    fs::remove_file(root.join("content/pages/accessibility.md")).expect("it is there");
    let settings = fs::read_to_string(root.join("site.toml")).expect("the settings");
    write(root, "site.toml", &settings.replace("id = \"eu\"\n", "id = \"eu\"\nconsumer_law = \"none\"\n"));
    build(root, "2026-12-01", &[]);
    assert!(!root.join("public/accessibility.html").exists());
}

#[test]
fn an_order_button_that_leaves_doubts_is_warned_of() {
    let folder = shop();
    let root = folder.path();
    let told = || {
        let (code, out, told) = run(root, &["check", "--as-of", "2026-12-01", "--report", "json"]);
        assert_eq!(code, 0, "{told}");
        serde_json::from_str::<Value>(&out).expect("a report")["problems"].take()
    };
    write(root, "templates/texts/en.toml", "[checkout]\nbuy = \"Order now\"\n");
    let problems = told();
    assert_eq!(
        problems[0]["message"], "the order's button says `Order now`, which may not bind the shopper to pay",
        "{problems}"
    );
    assert_eq!((problems[0]["kind"].as_str(), problems.as_array().map(Vec::len)), (Some("law"), Some(1)));
    write(root, "templates/texts/en.toml", "[checkout]\nbuy = \"Order with obligation to pay\"\n");
    assert_eq!(told(), json!([]));
}

#[test]
fn what_prices_hold_is_said_beside_them_with_tax_and_without() {
    let folder = shop();
    let root = folder.path();
    let settings = fs::read_to_string(root.join("site.toml")).expect("the settings");
    let exclusive = settings.replace("currency = \"USD\"\n", "currency = \"USD\"\ntax_mode = \"exclusive\"\n");
    write(root, "site.toml", &exclusive);
    write(root, "content/categories/all/_index.md", "+++\ntitle = \"All\"\n+++\n");
    let rug = fs::read_to_string(root.join("content/products/rug.md")).expect("the rug");
    write(root, "content/products/rug.md", &rug.replace("stock = 3\n", "stock = 3\ncategories = [\"all\"]\n"));
    build(root, "2026-12-01", &[]);
    assert!(page(root, "products/rug.html").contains("incl. VAT, plus shipping"));
    assert!(page(root, "us/products/rug.html").contains("plus Tax, plus shipping"));
    let (with, without) =
        ("Prices include tax; shipping is added in the cart.", "Prices are without tax; tax and shipping are added");
    for (prefix, said) in [("", with), ("us/", without)] {
        let home = if prefix.is_empty() { "index.html" } else { "us.html" };
        for path in [home.to_owned(), format!("{prefix}categories/all.html")] {
            // Below the cards, and at the foot.
            assert_eq!(page(root, &path).matches(said).count(), 2, "{path}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_guarantee_and_with_the_history_is_told_in_one_run() {
    let folder = shop();
    let rug = "content/products/rug.md";
    let text = fs::read_to_string(folder.path().join(rug)).expect("the product");
    write(folder.path(), rug, &text.replace("guarantee_years = 5", "guarantee_years = 1000"));
    write(folder.path(), "price-history.jsonl", "{\"sku\":\"RUG\"\n");
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1);
    assert!(
        told.contains("rug.md:6") && told.contains("1000 is no number of years that a maker guarantees: write 1 to 99"),
        "{told}"
    );
    assert!(told.contains("price-history.jsonl:1"), "{told}");
}
