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
