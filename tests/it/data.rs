//! Data: files of content/data on pages, by functions that are noted: a page is printed anew when what it asked for has changed.

use std::path::Path;

use crate::support::shop::{build, changed, folder, run, site, tree, write};

const AS_OF: &str = "2026-11-20";
const PRODUCT: &str =
    "<h1>{{ page.title }}</h1>{% if page.brand %}{% set sizes = data(path=\"sizes.toml\") %}{{ sizes.small.chest }}{% endif %}";

/// A lamp without a brand and a shirt with one, whose page shows sizes.
fn shop() -> tempfile::TempDir {
    let product = |title: &str, brand: &str| {
        format!(
            "+++\ntitle = \"{title}\"\nsku = \"{title}\"\n{brand}price = \"9.00\"\nstock = 9\ncategories = [\"all\"]\n+++\n{title}.\n"
        )
    };
    folder(&[
        ("site.toml", &site("EUR")),
        ("content/categories/all/_index.md", "+++\ntitle = \"All\"\n+++\n"),
        ("content/products/lamp.md", &product("Lamp", "")),
        ("content/products/shirt.md", &product("Shirt", "brand = \"Loom\"\n")),
        ("content/data/sizes.toml", "[small]\nchest = 88\n"),
        ("content/data/more/care.json", "[{\"wood\": \"Oak\"}]"),
        ("templates/product.html", PRODUCT),
    ])
}

fn pages_changed(root: &Path, edit: impl FnOnce()) -> Vec<String> {
    let before = tree(&root.join("public"));
    edit();
    build(root, AS_OF, &[]);
    let is_page = |path: &String| path.starts_with("products/") || path.starts_with("categories/");
    changed(&before, &tree(&root.join("public"))).into_iter().filter(is_page).collect()
}

#[track_caller]
fn refused(files: &[(&str, &str)], parts: &[&str]) {
    let folder = shop();
    files.iter().for_each(|(path, text)| write(folder.path(), path, text));
    let (code, _, told) = run(folder.path(), &["build", "--as-of", AS_OF]);
    assert_eq!(code, 1, "{told}");
    let missing: Vec<&&str> = parts.iter().filter(|part| !told.contains(**part)).collect();
    assert!(missing.is_empty(), "{missing:?} is not in\n{told}");
}

#[test]
fn a_file_that_changes_rewrites_the_pages_that_read_it_and_no_other() {
    let folder = shop();
    let root = folder.path();
    build(root, AS_OF, &[]);
    let page = std::fs::read_to_string(root.join("public/products/shirt.html")).expect("a page");
    assert_eq!(page, "<h1>Shirt</h1>88");
    assert_eq!(pages_changed(root, || write(root, "content/data/sizes.toml", "[small]\nchest = 90\n")), ["products/shirt.html"]);
    assert_eq!(pages_changed(root, || write(root, "content/data/more/care.json", "[]")), Vec::<String>::new());
    // A page that reads nothing any more is fresh whatever the file says.
    let plain = "+++\ntitle = \"Shirt\"\nsku = \"Shirt\"\nprice = \"9.00\"\nstock = 9\ncategories = [\"all\"]\n+++\nShirt.\n";
    let changed = pages_changed(root, || write(root, "content/products/shirt.md", plain));
    assert_eq!(changed, ["categories/all.html", "products/shirt.html"], "a card names the brand");
    assert_eq!(pages_changed(root, || write(root, "content/data/sizes.toml", "[small]\nchest = 91\n")), Vec::<String>::new());
}

#[test]
fn what_was_read_is_remembered_over_builds_that_print_nothing() {
    let folder = shop();
    let root = folder.path();
    build(root, AS_OF, &[]);
    for _ in 0..3 {
        let built = build(root, AS_OF, &[]);
        assert_eq!(built["changes"]["written"], 0);
        let printed = built["costs"].as_array().expect("a list").iter().filter(|cost| cost["template"] == "product.html");
        assert_eq!(printed.count(), 0, "both products' pages are kept");
    }
    assert_eq!(pages_changed(root, || write(root, "content/data/sizes.toml", "[small]\nchest = 90\n")), ["products/shirt.html"]);
    // Where it was forgotten, the page is printed once more, and is the same.
    for entry in std::fs::read_dir(root.join(".vitrine/cache")).expect("a cache") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|ending| ending == "reads") {
            std::fs::remove_file(path).expect("removed");
        }
    }
    assert_eq!(pages_changed(root, || {}), Vec::<String>::new());
    assert_eq!(pages_changed(root, || write(root, "content/data/sizes.toml", "[small]\nchest = 92\n")), ["products/shirt.html"]);
}

#[test]
fn lists_and_categories_are_noted_too() {
    let folder = shop();
    let root = folder.path();
    let template = "{{ page.title }}{% if page.brand %}{% for card in products(category=\"all\", limit=1) %}{{ card.title }} \
                    {{ card.price | money }} {% endfor %}{% set shelf = category(path=\"all\") %}{{ shelf.title }} {{ shelf.total }} \
                    {{ shelf.url }}{% endif %}";
    write(root, "templates/product.html", template);
    // On a shelf of its own: those beside it on a shelf are in its key anyway.
    write(root, "content/categories/other/_index.md", "+++\ntitle = \"Other\"\n+++\n");
    let shirt = "+++\ntitle = \"Shirt\"\nsku = \"S\"\nbrand = \"Loom\"\nprice = \"9.00\"\ncategories = [\"other\"]\n+++\n";
    write(root, "content/products/shirt.md", shirt);
    build(root, AS_OF, &[]);
    let page = std::fs::read_to_string(root.join("public/products/shirt.html")).expect("a page");
    assert_eq!(page, "ShirtLamp €9.00 All 1 /categories/all");
    let product = |title: &str, price: &str| {
        format!(
            "+++\ntitle = \"{title}\"\nsku = \"X{title}\"\nprice = \"{price}\"\nstock = 9\ncategories = [\"all\"]\n+++\n{title}.\n"
        )
    };
    let has_shirt = |changed: Vec<String>| changed.contains(&"products/shirt.html".to_owned());
    let changed = pages_changed(root, || write(root, "content/products/vase.md", &product("Vase", "5.00")));
    assert_eq!(changed, ["categories/all.html", "products/shirt.html", "products/vase.html"], "the shelf holds one more");
    assert!(
        !has_shirt(pages_changed(root, || write(root, "content/products/vase.md", &product("Vase", "6.00")))),
        "it is second"
    );
    assert!(has_shirt(pages_changed(root, || write(root, "content/products/lamp.md", &product("Lamp", "7.00")))), "it is first");
    assert!(
        has_shirt(pages_changed(root, || write(root, "content/products/vase.md", &product("A vase", "6.00")))),
        "now this is"
    );
    let titled = "+++\ntitle = \"Everything\"\n+++\n";
    assert!(has_shirt(pages_changed(root, || write(root, "content/categories/all/_index.md", titled))));
}

#[test]
fn what_is_wrong_in_a_data_file_is_told_at_its_place() {
    refused(&[("content/data/sizes.toml", "[small]\nchest = \n")], &["content/data/sizes.toml:2:9"]);
    refused(&[("content/data/a.json", "{\n  \"a\": 1,\n}")], &["content/data/a.json:3:1", "trailing comma"]);
    refused(&[("content/data/a.csv", "a,b\n1,2\n3\n")], &["content/data/a.csv:3:1", "row 3 has 1 cells"]);
    refused(
        &[("content/data/a.json", "x"), ("content/data/b.csv", "a,a\n")],
        &["content/data/a.json:1:1", "content/data/b.csv:1:1", "2 errors"],
    );
    refused(
        &[("content/data/big.csv", &"a\n".repeat(2 * 1024 * 1024 + 1))],
        &["content/data/big.csv", "4194306 bytes, more than 4194304", "[[sources]]"],
    );
}

#[test]
fn a_file_that_is_not_there_is_told_where_it_is_asked_for() {
    let ask = |path: &str| PRODUCT.replace("sizes.toml", path);
    refused(
        &[("templates/product.html", &ask("size.toml"))],
        &["templates/product.html:1:", "no file `size.toml` in content/data", "did you mean `sizes.toml`?"],
    );
    refused(&[("templates/product.html", &ask("../../site.toml"))], &["no file `../../site.toml`", "stays there"]);
    refused(&[("templates/product.html", &ask("/etc/hosts"))], &["no file `/etc/hosts`"]);
    let page = [("content/pages/care.md", "+++\ntitle = \"Care\"\n+++\n\n{{ table(file=\"more/car.json\") }}\n")];
    refused(&page, &["content/pages/care.md:5:1", "`table` cannot be printed", "did you mean `more/care.json`?"]);
    refused(
        &[("templates/product.html", "{% set a = products(category=\"al\") %}")],
        &["no category `al`", "did you mean `all`?"],
    );
    refused(
        &[("templates/product.html", "{% set a = product(slug=\"shrit\") %}")],
        &["no product `shrit`", "did you mean `shirt`?"],
    );
    refused(&[("templates/product.html", "{% set a = image(path=\"a.svg\") %}")], &["no file in static/ called `a.svg`"]);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_of_the_folder_is_refused() {
    let folder = shop();
    std::fs::write(folder.path().join("secret.json"), "{}").expect("written");
    std::os::unix::fs::symlink(folder.path().join("secret.json"), folder.path().join("content/data/out.json")).expect("a link");
    let (code, _, told) = run(folder.path(), &["build", "--as-of", AS_OF]);
    assert_eq!(code, 1);
    assert!(told.contains("content/data/out.json") && told.contains("leads out of content/data"), "{told}");
    // One that stays inside is a file like any other.
    std::fs::remove_file(folder.path().join("content/data/out.json")).expect("removed");
    std::os::unix::fs::symlink(folder.path().join("content/data/sizes.toml"), folder.path().join("content/data/same.toml"))
        .expect("a link");
    write(folder.path(), "templates/product.html", &PRODUCT.replace("sizes.toml", "same.toml"));
    build(folder.path(), AS_OF, &[]);
}
