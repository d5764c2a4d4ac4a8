//! Check: every fault is planted once in a small shop, and the check finds it at its place; a right shop has none.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::shop::run;

pub(crate) const SITE: &str = r#"[shop]
name = "Tiny"
base_url = "https://tiny.example"
email = "hello@tiny.example"

[[markets]]
id = "eu"
countries = ["DE", "AT"]
currency = "EUR"

[[markets]]
id = "us"
prefix = "us"
countries = ["US"]
currency = "USD"
language = "en-US"

[tax]
classes = ["standard"]
rates = [
  { country = "DE", name = "VAT", standard = "19" },
  { country = "AT", name = "VAT", standard = "20" },
  { country = "US", name = "Tax", standard = "0" },
]

[[shipping]]
id = "home"
countries = ["DE", "AT"]
rates = [{ id = "standard", name = "Standard", weight = [{ up_to_g = 5000, price = "4.90" }] }]

[[shipping]]
id = "far"
market = "us"
countries = ["US"]
rates = [{ id = "air", name = "Air", price = "19.00" }]
"#;

const LAMP: &str = r#"+++
title = "Lamp"
categories = ["light"]
options = ["Size"]
images = [{ src = "images/lamp.svg", alt = "A lamp" }]
redirects = ["/old-lamp"]
variants = [
  { options = ["Small"], sku = "LAMP-S", price = "19.90", prices = { USD = "21.00" }, sales = [{ price = "14.90", until = "2027-01-31" }], stock = 3 },
  { options = ["Large"], sku = "LAMP-L", price = "1299.00", prices = { USD = "1350.00" }, compare_at = "1399.00", stock = 3 },
]
+++

A lamp. [More light](/categories/light), and [questions](/about#main).
"#;

const MUG: &str = r#"+++
title = "Mug"
categories = ["light"]
sku = "MUG"
price = "9.00"
stock = 1
related = ["lamp"]
+++

A mug.
"#;

const ABOUT: &str = "+++\ntitle = \"About\"\nfooter = true\n+++\n\nAsk. [Home](/).\n";

const AS_OF: [&str; 2] = ["--as-of", "2026-12-01"];

/// What the lamp was asked for before.
const HISTORY: &str = r#"{"sku":"LAMP-S","market":"eu","currency":"EUR","minor":1990,"from":"2026-01-01"}
{"sku":"LAMP-L","market":"eu","currency":"EUR","minor":139900,"from":"2026-01-01"}
{"sku":"LAMP-L","market":"eu","currency":"EUR","minor":129900,"reduced":true,"from":"2026-06-01"}
"#;

/// A right shop.
pub(crate) fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 50\"/>";
    for (path, text) in [
        ("site.toml", SITE),
        ("content/products/lamp.md", LAMP),
        ("content/products/mug.md", MUG),
        ("content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\nAll that shines.\n"),
        ("content/pages/about.md", ABOUT),
        ("price-history.jsonl", HISTORY),
        ("static/images/lamp.svg", picture),
    ] {
        write(folder.path(), path, text);
    }
    folder
}

pub(crate) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
    fs::write(path, text).expect("written");
}

/// Changes a file of the shop; what is changed has to be there.
#[track_caller]
fn edit(root: &Path, path: &str, from: &str, to: &str) {
    let text = fs::read_to_string(root.join(path)).expect("it is there");
    assert!(text.contains(from), "`{from}` is not in {path}:\n{text}");
    write(root, path, &text.replace(from, to));
}

pub(crate) fn checked(root: &Path, words: &[&str]) -> (i32, Value, String) {
    let words = [&["check", "--report", "json"], words, &AS_OF].concat();
    let (code, out, told) = run(root, &words);
    let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}\n{told}"));
    (code, report, told)
}

/// Plants one fault in the shop and expects one problem: (kind, severity, part of its message, place as `file:line`, page).
#[track_caller]
fn planted(plant: impl Fn(&Path), kind: &str, severity: &str, message: &str, place: &str, page: &str) {
    let folder = shop();
    plant(folder.path());
    let (code, report, told) = checked(folder.path(), &[]);
    expect_one(&report, &told, kind, severity, message, place, page);
    assert_eq!(code, i32::from(severity == "error"), "{told}");
    assert_eq!(checked(folder.path(), &["--strict"]).0, 1, "a strict check fails on warnings too");
}

#[track_caller]
fn expect_one(report: &Value, told: &str, kind: &str, severity: &str, message: &str, place: &str, page: &str) {
    let problems = report["problems"].as_array().expect("a list");
    let [problem] = problems.as_slice() else { panic!("{} problems:\n{told}", problems.len()) };
    let text = |key: &str| problem[key].as_str().unwrap_or_default();
    assert!(text("message").contains(message), "`{message}` is missing in:\n{told}");
    let found = if text("file").is_empty() { String::new() } else { format!("{}:{}", text("file"), problem["line"]) };
    assert_eq!((text("kind"), text("severity"), found.as_str(), text("page")), (kind, severity, place, page), "{told}");
}

/// Adds a line to the end of the lamp's text; it is line 14 of the file.
fn in_lamp(line: &str) -> impl Fn(&Path) + '_ {
    move |root: &Path| write(root, "content/products/lamp.md", &format!("{LAMP}\n{line}\n"))
}

const LAMP_LINE: &str = "content/products/lamp.md:15";

#[test]
fn a_right_shop_and_the_sample_shop_have_no_finding() {
    let folder = shop();
    let (code, report, told) = checked(folder.path(), &["--strict"]);
    assert_eq!((code, report["problems"].as_array().map(Vec::len)), (0, Some(0)), "{told}");
    assert!(report["pages"].as_u64() > Some(8) && report["prices"].as_u64() > Some(20), "{report}");
    assert!(told.contains("nothing is wrong"), "{told}");

    let sample = tempfile::tempdir().expect("a folder");
    for part in ["site.toml", "price-history.jsonl", "content", "templates", "static"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(part);
        for entry in walkdir::WalkDir::new(&from).into_iter().map(|entry| entry.expect("readable")) {
            let to = sample.path().join(part).join(entry.path().strip_prefix(&from).expect("below"));
            let to = if entry.path() == from { sample.path().join(part) } else { to };
            if entry.file_type().is_dir() {
                fs::create_dir_all(to).expect("made");
            } else {
                fs::copy(entry.path(), to).expect("copied");
            }
        }
    }
    let (code, report, told) = checked(sample.path(), &["--strict"]);
    assert_eq!((code, report["problems"].as_array().map(Vec::len)), (0, Some(0)), "{told}");
}

#[test]
fn an_address_that_leads_nowhere_is_found_where_it_is_written() {
    let (link, place, page) = ("`/categories/lmaps` is linked", LAMP_LINE, "/products/lamp");
    planted(in_lamp("[x](/categories/lmaps)"), "link", "error", link, place, page);
    planted(in_lamp("[x](../abuot)"), "link", "error", "`../abuot` is linked", place, page);
    planted(in_lamp("[x](https://tiny.example/abuot)"), "link", "error", "`https://tiny.example/abuot`", place, page);
    planted(in_lamp("[x](/cart/lines)"), "link", "error", "`/cart/lines` is linked", place, page);
}

#[test]
fn addresses_of_others_and_of_the_edge_are_left_alone() {
    let folder = shop();
    in_lamp("[a](https://other.example/x) [b](mailto:a@b.example) [c](/cart) [d](/old-lamp) [e](#drawer) [f](/orders/X-1)")(
        folder.path(),
    );
    let (_, report, told) = checked(folder.path(), &[]);
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(0), "{told}");
}

#[test]
fn a_fault_of_a_template_is_told_once_for_all_its_pages() {
    let footer =
        "{% extends \"theme/base.html\" %}\n{% block footer %}\n<a href=\"/imprnit\">Imprint</a>\n{% endblock footer %}\n";
    let plant = |root: &Path| write(root, "templates/base.html", footer);
    planted(plant, "link", "error", "`/imprnit` is linked", "templates/base.html:3", "/404");
    let form = "{% extends \"theme/404.html\" %}\n{% block footer %}<form method=\"post\" action=\"/basket\"></form>{% endblock footer %}\n";
    planted(
        |root| write(root, "templates/404.html", form),
        "link",
        "error",
        "a form is sent to `/basket`",
        "templates/404.html:2",
        "/404",
    );
}

#[test]
fn a_script_of_others_beside_a_card_is_found_where_it_is_written() {
    let script = |address: &str| {
        format!(
            "{{% extends \"theme/edge/checkout.html\" %}}\n{{% block script %}}\n<script src=\"{address}\"></script>\n{{% endblock script %}}\n"
        )
    };
    let message = "`https://tags.example/t.js` is loaded on pages of cart and checkout";
    let (name, place) = ("templates/edge/checkout.html", "templates/edge/checkout.html:3");
    planted(|root| write(root, name, &script("https://tags.example/t.js")), "script", "error", message, place, "");
    let stripes = "https://js.stripe.com/endive/stripe.js";
    planted(|root| write(root, name, &script(stripes)), "script", "error", "`https://js.stripe.com", place, "");
    // The configured gateway's own is let by, and so is a stranger's on the page of a product.
    let folder = shop();
    write(folder.path(), name, &script(stripes));
    let page = "{% extends \"theme/product.html\" %}\n{% block script %}<script src=\"https://tags.example/t.js\"></script>{% endblock script %}\n";
    write(folder.path(), "templates/product.html", page);
    let payment = "[payment]\ngateway = \"stripe\"\nmethods = [\"card\"]\nstripe.page = \"element\"\n\n[tax]";
    edit(folder.path(), "site.toml", "[tax]", payment);
    let (code, report, told) = checked(folder.path(), &[]);
    assert_eq!((code, report["problems"].as_array().map(Vec::len)), (0, Some(0)), "{told}");
}

#[test]
fn an_anchor_has_to_be_on_its_page() {
    planted(
        in_lamp("[x](#wight)"),
        "anchor",
        "error",
        "`#wight` is linked, and the page has no element",
        LAMP_LINE,
        "/products/lamp",
    );
    let message = "`#anwsers` is linked, and /about has no element";
    planted(in_lamp("[x](/about#anwsers)"), "anchor", "error", message, LAMP_LINE, "/products/lamp");
}

#[test]
fn what_the_policy_of_pages_forbids_is_told() {
    let template =
        |extra: &str| format!("{{% extends \"theme/page.html\" %}}\n{{% block footer %}}{extra}{{% endblock footer %}}\n");
    for (extra, level, message) in [
        ("<p onclick=\"go()\">x</p>", "error", "`onclick=\"go()\"` does nothing"),
        ("<p style=\"color:red\">x</p>", "warning", "`style=\"color:red\"` does nothing"),
    ] {
        let text = template(extra);
        planted(|root| write(root, "templates/page.html", &text), "script", level, message, "templates/page.html:2", "/about");
    }
}

#[test]
fn pictures_are_there_and_have_a_text() {
    let (place, page) = (LAMP_LINE, "/products/lamp");
    planted(in_lamp("![A lamp](/images/lmap.svg)"), "image", "error", "`/images/lmap.svg` is shown", place, page);
    let without = |root: &Path| edit(root, "content/products/lamp.md", ", alt = \"A lamp\"", "");
    planted(without, "alt_text", "warning", "of a product has no text", "content/products/lamp.md:5", page);
    let template = "{% extends \"theme/page.html\" %}\n{% block footer %}<img src=\"{{ asset(path=\"images/lamp.svg\") }}\">{% endblock footer %}\n";
    planted(|root| write(root, "templates/page.html", template), "alt_text", "error", "has no `alt`", "", "/about");
    let template = "{% extends \"theme/page.html\" %}\n{% block footer %}<a href=\"/us\"><img src=\"{{ asset(path=\"images/lamp.svg\") }}\" alt=\"\"></a>{% endblock footer %}\n";
    planted(
        |root| write(root, "templates/page.html", template),
        "alt_text",
        "warning",
        "a link to `/us` holds a picture",
        "templates/page.html:2",
        "/about",
    );
}

#[test]
fn two_products_do_not_claim_one_old_address_nor_that_of_a_page() {
    let mug = "content/products/mug.md";
    let claim = |addresses: &'static str| {
        move |root: &Path| edit(root, mug, "stock = 1", &format!("stock = 1\nredirects = [{addresses}]"))
    };
    let place = "content/products/mug.md:7";
    planted(
        claim("\"/old-lamp\""),
        "redirect",
        "error",
        "`/old-lamp` of `mug` is claimed by `lamp` too (content/products/lamp.md)",
        place,
        "",
    );
    planted(claim("\"/about\""), "redirect", "error", "`/about` of `mug` is a page that is shown", place, "");
    planted(claim("\"/products/mug\""), "redirect", "error", "`/products/mug` of `mug` is its own", place, "");
    planted(claim("\"/old-mug\", \"/old-mug\""), "redirect", "warning", "stands there twice", place, "");
}

#[test]
fn old_addresses_of_a_finished_build_are_followed_to_their_end() {
    for (lines, message) in [
        ("/a /b 301\n/b /a 301\n", "on without an end"),
        ("/a /old-lamp 301\n", "leads on: 2 steps"),
        ("/a /products/gone 301\n", "`/products/gone`, where nothing is"),
        ("/about / 301\n", "`/about` is that of a page"),
        ("/a / 301\n/a /about 301\n", "`/a` leads to two places"),
    ] {
        let folder = shop();
        build(folder.path());
        let path = folder.path().join("public/_redirects");
        let written = fs::read_to_string(&path).expect("written");
        fs::write(&path, written + lines).expect("written");
        let (code, report, told) = checked(folder.path(), &["--built"]);
        assert!(code == 1 && says(&report, "redirect", message), "{message}: {told}");
    }
}

#[test]
fn a_country_without_tax_or_shipping_is_named_where_it_is_listed() {
    let folder = shop();
    edit(folder.path(), "site.toml", "  { country = \"AT\", name = \"VAT\", standard = \"20\" },\n", "");
    let (code, report, told) = checked(folder.path(), &[]);
    expect_one(&report, &told, "coverage", "error", "sells to AT, which has no row", "site.toml:8", "");
    assert!(code == 1 && told.contains("tax and shipping: 1 error"), "{told}");

    let fewer = |root: &Path| {
        edit(root, "site.toml", "id = \"home\"\ncountries = [\"DE\", \"AT\"]", "id = \"home\"\ncountries = [\"DE\"]")
    };
    planted(fewer, "coverage", "warning", "no shipping zone of the market `eu` holds AT", "site.toml:8", "");
    let none =
        |root: &Path| edit(root, "site.toml", "rates = [{ id = \"air\", name = \"Air\", price = \"19.00\" }]", "rates = []");
    planted(none, "coverage", "warning", "the shipping zone `far` has no rates", "site.toml:32", "");
    let heavy = |root: &Path| edit(root, "content/products/mug.md", "stock = 1", "stock = 1\nweight_g = 5001");
    planted(
        heavy,
        "coverage",
        "warning",
        "`mug` weighs 5001 g, more than any rate to DE, AT takes",
        "content/products/mug.md:7",
        "",
    );
    let yen = |root: &Path| {
        let market = "\n[[markets]]\nid = \"jp\"\nprefix = \"jp\"\ncountries = [\"DE\"]\ncurrency = \"JPY\"\n\n[tax]";
        edit(root, "site.toml", "\n[tax]", market);
        let zone = "\n[[shipping]]\nid = \"jp-home\"\nmarket = \"jp\"\ncountries = [\"DE\"]\nrates = [{ id = \"jp\", name = \"Any\", price = \"5\" }]\n";
        write(root, "site.toml", &(fs::read_to_string(root.join("site.toml")).expect("there") + zone));
    };
    planted(yen, "coverage", "warning", "nothing has a price in JPY", "site.toml:19", "");
}

#[test]
fn one_title_or_description_on_two_pages_is_a_warning() {
    let same = |root: &Path| edit(root, "content/products/mug.md", "title = \"Mug\"", "title = \"Lamp\"");
    let folder = shop();
    same(folder.path());
    let (code, report, told) = checked(folder.path(), &[]);
    assert!(code == 0 && says(&report, "title", "several pages have the title `Lamp – Tiny`"), "{told}");
    let problem = &report["problems"][0];
    assert_eq!((problem["page"].as_str(), problem["more_pages"].as_u64()), (Some("/products/lamp"), Some(3)), "{told}");
}

pub(crate) fn build(root: &Path) {
    let (code, _, told) = run(root, &[&["build"][..], &AS_OF].concat());
    assert_eq!(code, 0, "{told}");
}

pub(crate) fn says(report: &Value, kind: &str, message: &str) -> bool {
    let is_it =
        |problem: &Value| problem["kind"] == kind && problem["message"].as_str().is_some_and(|text| text.contains(message));
    report["problems"].as_array().is_some_and(|problems| problems.iter().any(is_it))
}

/// Changes written bytes and expects a fault of price, beside the one that the file is not as it was written.
#[track_caller]
fn tampered(path: &str, from: &str, to: &str, message: &str) {
    let folder = shop();
    build(folder.path());
    edit(folder.path(), &format!("public/{path}"), from, to);
    let (code, report, told) = checked(folder.path(), &["--built"]);
    assert!(code == 1 && says(&report, "price", message), "`{message}` is missing in:\n{told}");
    assert!(says(&report, "file", &format!("{path} is not as the build wrote it")), "{told}");
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(2), "{told}");
}

#[test]
fn another_price_is_caught_wherever_it_stands() {
    let lamp = "products/lamp.html";
    tampered(lamp, "data-minor=\"1490\"", "data-minor=\"1491\"", "data-minor says 1491 for `LAMP-S`, a cart would say 1490");
    tampered(lamp, "data-price=\"€1,299.00\"", "data-price=\"€1,299.01\"", "data-price says €1,299.01 for `LAMP-L`");
    tampered(lamp, "data-compare=\"€19.90\"", "data-compare=\"€29.90\"", "data-compare says €29.90 for `LAMP-S`");
    tampered(
        lamp,
        "\"price\":\"14.90\"",
        "\"price\":\"14.91\"",
        "JSON-LD says 14.91 EUR for `LAMP-S`, a cart would charge 14.90 EUR",
    );
    let told = "JSON-LD says that the price of `LAMP-S` holds until 2027-01-31";
    tampered(lamp, "Until\":\"2027-01-30", "Until\":\"2027-01-31", &format!("{told}, its last day is 2027-01-30"));
    tampered(
        lamp,
        "Through\":\"2027-01-31T00",
        "Through\":\"2027-01-31T01",
        &format!("{told}T01:00:00Z, a cart charges it until"),
    );
    tampered(lamp, "\"price\":\"1399.00\"", "\"price\":\"1499.00\"", "JSON-LD strikes out 1499.00 EUR for `LAMP-L`");
    tampered(lamp, "<s>€19.90</s>", "<s>€29.90</s>", "the page shows 29.90 EUR for `lamp`, which is none of its prices");
    for (from, to, message) in [
        ("data-next-minor=\"1990\"", "data-next-minor=\"1991\"", "data-next-minor says 1991 for `LAMP-S`, a cart would say 1990"),
        ("data-next-price=\"€19.90\"", "data-next-price=\"€19.91\"", "data-next-price says €19.91 for `LAMP-S`"),
        (
            "data-next-price=\"€19.90\"",
            "data-next-compare=\"€29.90\"",
            "data-next-compare says €29.90 for `LAMP-S`, a cart would say nothing",
        ),
        (
            "data-ends=\"2027-01-31T00:00:00Z\"",
            "data-ends=\"2027-02-02T00:00:00Z\"",
            "data-ends says 2027-02-02T00:00:00Z for `LAMP-S`",
        ),
    ] {
        tampered(lamp, from, to, message);
    }
    let shelf = "categories/light.html";
    for (from, to, message) in [
        (
            "</span> €19.90</span>",
            "</span> €19.90 €18.90</span>",
            "a card after the sale shows 18.90 EUR for `lamp`, which is none of its prices",
        ),
        (
            "</span> €19.90</span>",
            "</span> €1,299.00</span>",
            "a card after the sale of `lamp` does not show its lowest price 19.90 EUR",
        ),
        (
            "2027-01-31T00:00:00Z",
            "2027-02-01T00:00:01Z",
            "a card of `lamp` shows its price until 2027-02-01T00:00:01Z, a cart does not",
        ),
    ] {
        tampered(shelf, from, to, message);
    }
    tampered("products/mug.html", "value=\"900\"", "value=\"901\"", "seen_price_minor says 901 for `MUG`");
    tampered(
        "us/products/lamp.html",
        "\"price\":\"21.00\",\"priceCurrency\":\"USD\"",
        "\"price\":\"21.00\",\"priceCurrency\":\"EUR\"",
        "JSON-LD says 21.00 EUR for `LAMP-S`",
    );
}

/// The only file of the search index whose name begins so.
fn index_file(root: &Path, start: &str) -> String {
    let files = fs::read_dir(root.join("public/a/search")).expect("an index");
    let names = files.map(|file| file.expect("readable").file_name().to_string_lossy().into_owned());
    let found: Vec<String> = names.filter(|name| name.starts_with(start)).collect();
    let [name] = &found[..] else { panic!("{start}: {found:?}") };
    format!("a/search/{name}")
}

#[test]
fn the_search_index_says_the_price_of_the_cart() {
    let folder = shop();
    build(folder.path());
    for (start, from, to, message) in [
        ("cards-eu", "\"€14.90\"", "\"€14.91\"", "the search index shows €14.91 for `lamp`, a cart would say 14.90 EUR"),
        ("cards-eu", r#"{"0":"€19.90"}"#, r#"{"0":"€18.90"}"#, "the search index strikes out €18.90 for `lamp`, a cart would"),
        ("cards-eu", r#""price":"€19.90""#, r#""price":"€18.90""#, "the search index shows €18.90 for `lamp` after the sale"),
        ("cards-eu", "00:00:00Z", "00:00:01Z", "the search index shows the price of `lamp` until 2027-01-31T00:00:01Z"),
        (
            "cards-eu",
            r#""sales":{"0""#,
            r#""sales":{"7""#,
            "the search index does not say that the price of `lamp` ends at 2027-01",
        ),
        ("cards-us", "$21.00", "$22.00", "the search index shows $22.00 for `lamp`, a cart would say 21.00 USD"),
        (
            "cards-eu",
            "\"varies\":\"10\"",
            "\"varies\":\"11\"",
            "the search index says that `mug` has several prices, a cart knows 1",
        ),
        ("columns-eu", "[1490,900]", "[1490,901]", "the search index sorts `mug` by 9.01 EUR, a cart would charge 9.00 EUR"),
        ("columns-us", "[2100,null]", "[2100,1000]", "the search index sorts `mug` by 10.00 USD, a cart would charge nothing"),
    ] {
        tampered(&index_file(folder.path(), start), from, to, message);
    }
}

#[test]
fn a_search_index_that_is_no_longer_whole_is_told() {
    for (start, from, to, message) in [
        ("cards-eu", "\"mug\"", "\"mag\"", "does not hold the product `mug`"),
        ("cards-eu", "\"prices\"", "\"pricez\"", "is no file of a search index that this version can read"),
        ("columns-eu", "\"first\":0", "\"first\":9", "is no file of a search index that this version can read"),
    ] {
        let folder = shop();
        build(folder.path());
        let path = index_file(folder.path(), start);
        edit(folder.path(), &format!("public/{path}"), from, to);
        let (code, report, told) = checked(folder.path(), &["--built"]);
        assert!(code == 1 && says(&report, "file", message), "`{message}` is missing in:\n{told}");
    }
}

#[test]
fn a_price_that_cannot_be_read_and_a_card_that_differs_are_caught() {
    let folder = shop();
    build(folder.path());
    edit(folder.path(), "public/products/lamp.html", "€14.90", "€14.91");
    edit(folder.path(), "public/categories/light.html", "€14.90", "€14.91");
    edit(folder.path(), "public/products/mug.html", "\"sku\":\"MUG\"", "\"sku\":\"MOG\"");
    let (_, report, told) = checked(folder.path(), &["--built"]);
    for message in [
        "the price 14.90 EUR of `LAMP-S` is nowhere to be read",
        "the page shows 14.91 EUR for `lamp`",
        "a card shows 14.91 EUR for `lamp`, which is none of its prices",
        "a card of `lamp` does not show its lowest price 14.90 EUR",
        "JSON-LD names the SKU `MOG`, which the bundle does not hold",
        "JSON-LD has no offer of `MUG`, a cart would charge 9.00 EUR",
    ] {
        assert!(says(&report, "price", message), "`{message}` is missing in:\n{told}");
    }
}

#[test]
fn a_feed_says_the_price_of_the_cart() {
    let feed = |price: &str, sale: &str| {
        format!(
            "<rss xmlns:g=\"http://base.google.com/ns/1.0\"><channel><item><g:id>LAMP-S</g:id><g:link>https://tiny.example/products/lamp\
             </g:link><g:price>{price}</g:price><g:sale_price>{sale}</g:sale_price></item></channel></rss>"
        )
    };
    let told = |text: &str| {
        let folder = shop();
        write(folder.path(), "static/google.xml", text);
        build(folder.path());
        let (_, report, _) = checked(folder.path(), &["--built"]);
        report["problems"].as_array().expect("a list").iter().map(|one| one["message"].to_string()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(told(&feed("19.90 EUR", "14.90 EUR")), "");
    let message = "the product feed says 14.95 EUR for `LAMP-S`, a cart would charge 14.90 EUR";
    assert!(told(&feed("19.90 EUR", "14.95 EUR")).contains(message));
    assert!(told(&feed("19.90 EUR", "14.90 CHF")).contains("no market has that currency"));
    assert!(
        told(&feed("19.90 EUR", "14.90 EUR").replace("/products/lamp", "/products/lmap"))
            .contains("names `https://tiny.example/products/lmap`")
    );
    assert!(told("<rss><item></rss>").contains("cannot be read"));
}

#[test]
fn the_bundle_is_the_measure_and_has_to_be_proven() {
    let folder = shop();
    build(folder.path());
    edit(folder.path(), "content/products/mug.md", "9.00", "9.50");
    let (code, _, told) = run(folder.path(), &[&["build", "--out", "other"][..], &AS_OF].concat());
    assert_eq!(code, 0, "{told}");
    let (code, report, told) = checked(folder.path(), &["--built"]);
    assert!(code == 1 && says(&report, "price", "JSON-LD says 9.00 EUR for `MUG`, a cart would charge 9.50 EUR"), "{told}");
    assert!(says(&report, "file", "shop.bundle is not the bundle of this build: it is "), "{told}");

    let bundle = folder.path().join("shop.bundle");
    let mut bytes = fs::read(&bundle).expect("a bundle");
    *bytes.last_mut().expect("it is long") ^= 1;
    fs::write(&bundle, bytes).expect("written");
    let (code, report, told) = checked(folder.path(), &["--built"]);
    assert!(code == 1 && says(&report, "file", "the bundle is damaged"), "{told}");
    fs::remove_file(&bundle).expect("removed");
    let (code, _, told) = run(folder.path(), &["check", "--built"]);
    assert!(code == 3 && told.contains("shop.bundle") && told.contains("`vitrine build` writes it"), "{told}");
}

#[test]
fn a_thousand_broken_products_are_all_reported_and_fifty_are_shown() {
    let folder = shop();
    for number in 0..1000 {
        let price = if number % 10 == 0 { format!("{number}.005") } else { "nine".to_owned() };
        let text = MUG.replace("\"MUG\"", &format!("\"MUG-{number}\"")).replace("9.00", &price);
        write(folder.path(), &format!("content/products/mug-{number}.md"), &text);
    }
    for command in ["build", "check"] {
        let (code, out, told) = run(folder.path(), &[command, "--report", "json"]);
        let report: Value = serde_json::from_str(&out).expect("JSON");
        let problems = report["problems"].as_array().expect("a list");
        assert_eq!((code, problems.len()), (1, 1000), "{told}");
        assert!(problems.iter().all(|problem| problem["line"] == 5 && problem["text"] != ""), "{report:#}");
        assert_eq!(told.matches("error: ").count(), 50, "{told}");
        assert!(told.contains("50 of 1000 problems are shown") && told.contains("1000 errors"), "{told}");
        assert!(told.matches('×').count() == 2, "both sorts are counted: {told}");
    }
}
