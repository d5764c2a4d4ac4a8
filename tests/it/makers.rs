//! Makers: who made a product and what to take care of is on its page; where the law is strict, nothing is built without.

use std::fs;
use std::path::Path;

use crate::support::shop::{build, folder, run, site, write};

const MAKERS: &str = r#"
[[makers]]
name = "Loom"
address = ["Hill 3", "3011 Bern"]
country = "CH"
contact = "https://loom.example/contact"
responsible = { name = "Loom Europe", address = ["Quay 1", "1010 Wien"], contact = "eu@loom.example" }
"#;

fn shop(settings: &str) -> tempfile::TempDir {
    let product = |name: &str, more: &str| format!("+++\ntitle = \"{name}\"\nprice = \"9\"\nstock = 3\n{more}\n+++\n");
    folder(&[
        ("site.toml", settings),
        ("content/products/rug.md", &product("Rug", "brand = \"Loom\"\nwarnings = [\"Not near <fire>.\"]")),
        ("content/products/mat.md", &product("Mat", "brand = \"Other\"\nmaker = \"Loom\"")),
        ("content/products/cup.md", &product("Cup", "brand = \"Kiln\"")),
        ("content/products/mug.md", &product("Mug", "brand = \"Kiln\"")),
        ("content/products/tip.md", &product("Tip", "")),
        ("content/products/old.md", &product("Old", "status = \"archived\"")),
    ])
}

fn page(root: &Path, slug: &str) -> String {
    fs::read_to_string(root.join(format!("public/products/{slug}.html"))).expect("the page")
}

fn strict() -> String {
    site("EUR").replace("currency = \"EUR\"\n", "currency = \"EUR\"\nconsumer_law = \"eu_strict\"\n")
}

#[test]
fn a_product_says_who_made_it_and_what_to_take_care_of() {
    let folder = shop(&(site("EUR") + MAKERS));
    let root = folder.path();
    let (code, _, told) = run(root, &["build"]);
    let count = "3 products of 5 name no maker: without a brand `tip`; of `Kiln` `cup`, `mug`";
    assert!(code == 0 && told.contains(count) && told.contains("2 of 5 products name their maker"), "{told}");
    let rug = page(root, "rug");
    for part in [
        "<summary>Maker and safety</summary>",
        "<address>Loom<br>Hill 3<br>3011 Bern<br><a href=\"https://loom.example/contact\">",
        "<h2>Responsible in the European Union</h2>",
        "<a href=\"mailto:eu@loom.example\">eu@loom.example</a>",
        "<li>Not near &lt;fire&gt;.</li>",
    ] {
        assert!(rug.contains(part), "{part} is missing in {rug}");
    }
    assert!(page(root, "mat").contains("Loom Europe") && !page(root, "cup").contains("Maker and safety"));
    // Another address is on the pages of its products at once.
    write(root, "site.toml", &(site("EUR") + &MAKERS.replace("Hill 3", "Hill 4")));
    build(root, "2026-12-01", &[]);
    assert!(page(root, "rug").contains("Hill 4"));
}

#[test]
fn a_shop_that_names_no_maker_is_built_unless_the_law_is_strict() {
    let folder = shop(&site("EUR"));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert!(
        code == 1 && told.contains("mat.md:2") && told.contains("there is no maker `Loom`"),
        "a word of its own is meant: {told}"
    );
    write(folder.path(), "content/products/mat.md", "+++\ntitle = \"Mat\"\nprice = \"9\"\n+++\n");
    let (code, _, told) = run(folder.path(), &["build"]);
    assert!(code == 0 && !told.contains("warning") && told.contains("0 of 5 products name their maker: consumer law"), "{told}");
    write(folder.path(), "site.toml", &strict());
    let (code, _, told) = run(folder.path(), &["build"]);
    assert!(code == 1 && told.contains("error: 5 products of 5 name no maker") && told.contains("`mat`, `tip`"), "{told}");
    write(
        folder.path(),
        "site.toml",
        &site("EUR").replace("countries = [\"DE\"]\ncurrency", "countries = [\"DE\"]\nconsumer_law = \"none\"\ncurrency"),
    );
    let (code, _, told) = run(folder.path(), &["build"]);
    assert!(code == 0 && !told.contains("name their maker"), "{told}");
}

#[test]
fn what_cannot_be_a_maker_is_told_at_its_place() {
    let wrong = MAKERS
        .replace("responsible", "# ")
        .replace("\"https://loom.example/contact\"", "\"loom\"")
        .replace("[\"Hill 3\", \"3011 Bern\"]", "[]");
    let folder = shop(&(site("EUR") + &wrong + MAKERS));
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 1);
    for part in [
        "`Loom` is not in the European Union, and nobody answers for it there",
        "write responsible = {",
        "`loom` is neither an e-mail address nor the address of a page",
        "a postal address has at least one line",
        "there are two makers `Loom`",
    ] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
}

#[test]
fn warnings_are_said_in_the_language_of_the_market() {
    let german = "\n[[markets]]\nid = \"de\"\nprefix = \"de\"\ncountries = [\"DE\"]\ncurrency = \"EUR\"\nlanguage = \"de\"\n";
    let zone = "\n[[shipping]]\nid = \"d\"\nmarket = \"de\"\ncountries = [\"DE\"]\nrates = [{ id = \"d\", name = \"Standard\", price = \"5\" }]\n";
    let folder = shop(&(site("EUR") + german + zone + MAKERS));
    let root = folder.path();
    let (_, _, told) = run(root, &["check"]);
    assert!(told.contains("`Not near <fire>.` has no translation into `de`"), "{told}");
    write(root, "content/words.de.toml", "\"Not near <fire>.\" = \"Nicht ans Feuer.\"\n");
    build(root, "2026-12-01", &[]);
    let page = fs::read_to_string(root.join("public/de/products/rug.html")).expect("the page");
    assert!(page.contains("<li>Nicht ans Feuer.</li>") && page.contains("Hersteller und Sicherheit"), "{page}");
}
