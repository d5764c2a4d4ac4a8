//! Costs: a template that loops over everything shows in the report of a build, with advice; what is counted is the same on any machine.

use serde_json::Value;

use crate::support::shop::{build, folder, run, site, tree, write};

const AS_OF: &str = "2026-11-20";
const GREEDY: &str = "{% for card in products() %}<a href=\"{{ card.url }}\">{{ card.title }}</a>{% endfor %}";

/// Six products on a shelf, and a page.
fn shop() -> tempfile::TempDir {
    let folder = folder(&[
        ("site.toml", &site("EUR")),
        ("content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\nAll that shines.\n"),
        ("content/pages/guide.md", "+++\ntitle = \"Guide\"\n+++\n{% note() %}One{% end %}\n\n{% note() %}Two{% end %}\n"),
    ]);
    for number in 0..6 {
        let text = format!(
            "+++\ntitle = \"Lamp {number}\"\nsku = \"L{number}\"\nprice = \"9.00\"\nstock = 9\ncategories = [\"light\"]\n+++\n"
        );
        write(folder.path(), &format!("content/products/lamp-{number}.md"), &text);
    }
    folder
}

fn of<'a>(built: &'a Value, template: &str) -> &'a Value {
    let costs = built["costs"].as_array().expect("a list");
    costs.iter().find(|cost| cost["template"] == template).unwrap_or_else(|| panic!("{template} is not in {costs:?}"))
}

#[test]
fn a_loop_over_everything_on_every_page_shows_with_advice() {
    let folder = shop();
    write(folder.path(), "templates/product.html", GREEDY);
    let built = build(folder.path(), AS_OF, &[]);
    let cost = of(&built, "product.html");
    let bytes: usize = tree(&folder.path().join("public/products"))
        .iter()
        .filter(|(name, _)| name.ends_with(".html"))
        .map(|(_, page)| page.len())
        .sum();
    assert_eq!(
        (&cost["pages"], &cost["calls"], &cost["rows"], &cost["whole_lists"], &cost["bytes"]),
        (&6.into(), &6.into(), &36.into(), &6.into(), &bytes.into())
    );
    assert!(cost["slowest_page"].as_str().expect("an address").starts_with("/products/lamp-"), "{cost}");
    assert!(cost["seconds"].as_f64() >= cost["max_seconds"].as_f64() && cost["max_seconds"].as_f64() > Some(0.0), "{cost}");
    let hint = cost["hint"].as_str().expect("advice");
    assert!(hint.contains("all products on 6 pages, 36 rows") && hint.contains("limit="), "{hint}");
    // The others are there, and nobody is advised against them.
    for (template, pages) in [("category.html", 1), ("home.html", 1), ("page.html", 2), ("search.html", 1), ("404.html", 1)] {
        let cost = of(&built, template);
        assert_eq!((&cost["pages"], &cost["rows"], &cost["hint"]), (&pages.into(), &0.into(), &Value::Null), "{template}");
    }
    let note = of(&built, "shortcodes/note.html");
    assert_eq!((&note["pages"], &note["calls"]), (&1.into(), &2.into()));
}

#[test]
fn people_see_a_table_when_they_ask_and_the_advice_when_they_do_not() {
    let folder = shop();
    write(folder.path(), "templates/product.html", GREEDY);
    let (code, _, told) = run(folder.path(), &["build", "--as-of", AS_OF, "--no-cache"]);
    assert!(code == 0 && told.contains("templates/product.html: it asks for all products on 6 pages"), "{told}");
    assert!(!told.contains("slowest page"), "{told}");
    let (code, _, told) = run(folder.path(), &["build", "--as-of", AS_OF, "--no-cache", "--costs"]);
    assert!(code == 0 && told.contains("slowest page") && told.contains("12 of 12 pages were printed\n"), "{told}");
    let line = told.lines().find(|line| line.trim_start().starts_with("product.html ")).expect("its line");
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((cells[1], cells[2], cells[5]), ("6", "6", "36"), "{line}");
    // What is kept costs nothing: products' pages and the shelf are.
    let (_, _, told) = run(folder.path(), &["build", "--as-of", AS_OF]);
    assert!(told.contains("asks for all products on 6 pages"), "nothing was remembered before: {told}");
    let (_, _, told) = run(folder.path(), &["build", "--as-of", AS_OF, "--costs"]);
    assert!(!told.contains("asks for all products"), "{told}");
    assert!(told.contains("5 of 12 pages were printed; --no-cache prints them all"), "{told}");
}

#[test]
fn a_list_of_everything_on_one_page_is_nobodys_mistake() {
    let folder = shop();
    write(folder.path(), "templates/home.html", GREEDY);
    write(
        folder.path(),
        "templates/product.html",
        "{% for card in products(category=\"light\", limit=2) %}{{ card.title }}{% endfor %}",
    );
    let built = build(folder.path(), AS_OF, &[]);
    assert_eq!((&of(&built, "home.html")["whole_lists"], &of(&built, "home.html")["hint"]), (&1.into(), &Value::Null));
    let product = of(&built, "product.html");
    assert_eq!((&product["rows"], &product["hint"]), (&12.into(), &Value::Null));
}
