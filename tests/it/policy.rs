//! Policy: what pages may run is known to the host that sends them, and what it would forbid is told at the build.

use std::path::Path;

use vitrine::theme::policy::{Hashes, Kind, Sources, blocks, content_security_policy};

use crate::support::shop::{build, folder, run, site, tree, write};

const AS_OF: &str = "2026-11-20";
const LAMP: &str = "+++\ntitle = \"Lamp\"\nprice = \"10\"\ncategories = [\"all\"]\n+++\nWarm.\n";

fn shop(templates: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = folder(&[
        ("site.toml", &site("EUR")),
        ("content/products/lamp.md", LAMP),
        ("content/products/vase.md", &LAMP.replace("Lamp", "Vase")),
        ("content/categories/all/_index.md", "+++\ntitle = \"All\"\n+++\n"),
        ("content/pages/about.md", "+++\ntitle = \"About\"\n+++\nUs.\n"),
    ]);
    templates.iter().for_each(|(path, text)| write(folder.path(), path, text));
    folder
}

fn policy(root: &Path) -> String {
    let headers = std::fs::read_to_string(root.join("public/_headers")).expect("written");
    let line = headers.lines().find_map(|line| line.trim().strip_prefix("Content-Security-Policy: "));
    line.unwrap_or_else(|| panic!("{headers}")).to_owned()
}

/// What stands in the pages of a build and its policy does not name.
fn strange(root: &Path) -> Vec<String> {
    let policy = policy(root);
    let files = tree(&root.join("public"));
    let pages = files.iter().filter(|(path, _)| path.ends_with(".html"));
    let unknown = |page: &[u8]| {
        blocks(page).any(|block| {
            let mut alone = Hashes::default();
            alone.allow(block);
            let named = content_security_policy(Sources::default(), &alone);
            let hash = named.split("'sha256-").nth(1).and_then(|rest| rest.split('\'').next()).expect("it is named").to_owned();
            let directive = if block.kind == Kind::Style { "style-src" } else { "script-src" };
            !policy.split(';').any(|part| part.trim().starts_with(directive) && part.contains(&hash))
        })
    };
    pages.filter(|(_, bytes)| unknown(bytes)).map(|(path, _)| path.clone()).collect()
}

#[test]
fn every_page_runs_under_the_policy_that_is_written_beside_it() {
    let shop = shop(&[]);
    build(shop.path(), AS_OF, &[]);
    assert_eq!(strange(shop.path()), Vec::<String>::new());
    let policy = policy(shop.path());
    assert!(!policy.contains("unsafe-") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let headers = std::fs::read_to_string(shop.path().join("public/_headers")).expect("written");
    for name in ["Strict-Transport-Security: max-age=31536000", "Permissions-Policy: ", "Cross-Origin-Opener-Policy: same-origin"]
    {
        assert!(headers.contains(name), "{headers}");
    }
    let pages = tree(&shop.path().join("public"));
    let attribute = |name: &str| {
        pages.iter().filter(|(path, bytes)| path.ends_with(".html") && String::from_utf8_lossy(bytes).contains(name)).count()
    };
    assert_eq!((attribute(" style=\""), attribute(" onclick=\"")), (0, 0), "no policy without unsafe-inline lets attributes be");
}

/// What a home page says to machines, by its type.
fn said(root: &Path, kind: &str) -> serde_json::Value {
    let home = std::fs::read_to_string(root.join("public/index.html")).expect("a page");
    let documents =
        home.split("<script type=\"application/ld+json\">").skip(1).map(|rest| rest.split("</script>").next().unwrap_or(""));
    let mut documents = documents.map(|text| serde_json::from_str::<serde_json::Value>(text).expect("a document"));
    documents.find(|document| document["@type"] == kind).unwrap_or_else(|| panic!("no {kind} in {home}"))
}

#[test]
fn a_home_page_says_once_how_parcels_go_and_what_comes_back() {
    let shop = shop(&[]);
    build(shop.path(), AS_OF, &[]);
    let store = said(shop.path(), "OnlineStore");
    let rate = &store["hasShippingService"][0]["shippingConditions"][0];
    assert_eq!(
        (&rate["shippingRate"]["value"], &rate["shippingDestination"]["addressCountry"][0]),
        (&"5.00".into(), &"DE".into())
    );
    assert!(
        store["hasMerchantReturnPolicy"].is_null() && rate["transitTime"].is_null(),
        "what is not written is not said: {store}"
    );
    let rates = "rates = [{ id = \"by-weight\", name = \"Parcel\", transit_days = [2, 3], free_over = \"50\", \
                 weight = [{ up_to_g = 1000, price = \"4\" }, { up_to_g = 5000, price = \"7\" }] }]";
    let written = site("EUR").replace("rates = [{ id = \"standard\", name = \"Standard\", price = \"5\" }]", rates);
    write(shop.path(), "site.toml", &(written + "[returns]\ndays = 14\n"));
    build(shop.path(), AS_OF, &[]);
    let store = said(shop.path(), "OnlineStore");
    let settings = std::fs::read_to_string(shop.path().join("site.toml")).expect("settings");
    for wrong in ["-3", "4000"] {
        write(shop.path(), "site.toml", &settings.replace("days = 14", &format!("days = {wrong}")));
        let (code, _, told) = run(shop.path(), &["build", "--as-of", AS_OF]);
        assert!(code == 1 && told.contains("write a number of days from 0 to 3650") && told.contains("site.toml:"), "{told}");
    }
    assert_eq!(store["hasMerchantReturnPolicy"]["merchantReturnDays"], 14);
    let conditions = store["hasShippingService"][0]["shippingConditions"].as_array().expect("a list");
    let told =
        |index: usize| (conditions[index]["weight"]["maxValue"].as_u64(), conditions[index]["shippingRate"]["value"].as_str());
    assert_eq!([told(0), told(1), told(2)], [(Some(1000), Some("4.00")), (Some(5000), Some("7.00")), (None, Some("0.00"))]);
    assert_eq!(conditions[2]["orderValue"]["minValue"], "50.00");
    assert_eq!(conditions[0]["transitTime"]["duration"]["maxValue"], 3);
    assert_eq!(
        said(shop.path(), "WebSite")["potentialAction"]["target"]["urlTemplate"],
        "https://tiny.example/search?q={search_term_string}"
    );
}

#[test]
fn a_block_of_the_shops_own_is_named_and_follows_its_template() {
    let own = |script: &str| {
        format!("{{% extends \"theme/base.html\" %}}{{% block speculation %}}<script>{script}</script>{{% endblock %}}")
    };
    let shop = shop(&[("templates/base.html", &own("one()"))]);
    build(shop.path(), AS_OF, &[]);
    assert_eq!(strange(shop.path()), Vec::<String>::new());
    let before = policy(shop.path());
    let built = build(shop.path(), AS_OF, &[]);
    assert_eq!((built["changes"]["written"].as_u64(), policy(shop.path())), (Some(0), before.clone()));
    write(shop.path(), "templates/base.html", &own("two()"));
    build(shop.path(), AS_OF, &[]);
    assert_eq!(strange(shop.path()), Vec::<String>::new());
    assert_ne!(policy(shop.path()), before);
    let clean = std::fs::read(shop.path().join("public/_headers")).expect("written");
    for folder in ["public", ".vitrine"] {
        std::fs::remove_dir_all(shop.path().join(folder)).expect("removed");
    }
    build(shop.path(), AS_OF, &[]);
    assert_eq!(
        std::fs::read(shop.path().join("public/_headers")).expect("written"),
        clean,
        "an incremental build is a clean one"
    );
}

#[test]
fn a_block_that_differs_from_page_to_page_is_refused_with_what_to_do() {
    let own = "{% extends \"theme/product.html\" %}{% block gallery %}<script>show({{ page.slug }})</script>{% endblock %}";
    let shop = shop(&[("templates/product.html", own)]);
    let (code, _, told) = run(shop.path(), &["build", "--as-of", AS_OF]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("the script element `show(vase)` differs from page to page"), "{told}");
    assert!(told.contains("product.html") && told.contains("below static/"), "{told}");
    assert!(!shop.path().join("public").exists(), "nothing is written");
}
