//! Determinism: the number of threads and the order in which folders are listed leave no trace, in a shop that is larger than every piece
//! into which the work is cut.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::support::shop::{changed, folder, png, site, tree, vitrine, write};

const AS_OF: &str = "2026-11-20T00:00:00Z";
/// Products of the bulk file: it is remembered by 2,048, and sitemaps have keys by 1,024 pages.
const LINES: usize = 2_060;
/// Products with files of their own, in folders that are listed in any order.
const FILES: usize = 96;
const SHELVES: usize = 9;
const FACETS: &str = r#"
[feeds]
google = true

[[facets]]
name = "brand"
source = "brand"
min_products = 2

[[facets]]
name = "material"
source = "attribute"
attribute = "Material"
min_products = 2

[[facets]]
name = "price"
source = "price"
bands = ["10", "40"]
min_products = 1

[images]
widths = [40]

[[sources]]
format = "jsonl"
path = "more.jsonl"
"#;
const GERMAN: &str =
    "[[markets]]\nid = \"de\"\nprefix = \"de\"\nlanguage = \"de-AT\"\ncountries = [\"DE\"]\ncurrency = \"EUR\"\n\n[tax]";

/// Facets, translations, pictures, data, promotions and stock; titles that repeat and brands in two spellings, which have to be told apart
/// by something else than their order.
fn shop() -> tempfile::TempDir {
    let shop = folder(&[("site.toml", &(site("EUR").replace("[tax]", GERMAN) + FACETS))]);
    let root = shop.path();
    let mut stock = "sku,on_hand,reserved\n".to_owned();
    for shelf in 0..SHELVES {
        for (ending, title) in [("", "Shelf"), (".de", "Regal"), (".de-AT", "Stellage")] {
            let text = format!("+++\ntitle = \"{title} {shelf}\"\n+++\nNumber {shelf}.\n");
            write(root, &format!("content/categories/top-{}/shelf-{shelf}/_index{ending}.md", shelf % 3), &text);
            write(root, &format!("content/pages/page-{shelf}{ending}.md"), &text);
        }
        write(root, &format!("content/data/sizes/{shelf}.toml"), &format!("length = {shelf}\n"));
        let code = format!("title = \"Ten off {shelf}\"\ncode = \"TEN{shelf}\"\npercentage = \"10\"\n");
        write(root, &format!("content/promotions/ten-{shelf}.toml"), &code);
        fs::create_dir_all(root.join("static/images"))
            .and_then(|()| fs::write(root.join(format!("static/images/{shelf}.png")), png(40 + shelf as u32)))
            .expect("written");
    }
    for top in 0..3 {
        write(root, &format!("content/categories/top-{top}/_index.md"), &format!("+++\ntitle = \"Top {top}\"\n+++\n"));
    }
    for language in ["de", "de-AT"] {
        write(
            root,
            &format!("content/words.{language}.toml"),
            &format!("Material = \"Stoff ({language})\"\n\"Kind 1\" = \"Art\"\n"),
        );
        write(root, &format!("templates/texts/{language}.toml"), &format!("[cart]\ntitle = \"Korb ({language})\"\n"));
    }
    for number in 0..FILES {
        let (shelf, material, price) = (number % SHELVES, number % 5, 5 + number);
        let text = format!(
            "+++\ntitle = \"Thing {}\"\nbrand = \"{}\"\nsku = \"F{number}\"\nprice = \"{price}\"\ncategories = [\"top-{}/shelf-{shelf}\"]\n\
             images = [{{ src = \"images/{shelf}.png\", alt = \"It\" }}]\n[attributes]\nMaterial = \"Kind {material}\"\n+++\nNumber {number}.\n",
            number % 40,
            ["Acme", "ACME"][number % 2],
            shelf % 3,
        );
        let path = format!("content/products/{}/{}/thing-{number}", number % 7, number % 4);
        write(root, &format!("{path}.md"), &text);
        for language in ["de", "de-AT"] {
            let text = format!("+++\ntitle = \"Ding {number} ({language})\"\n+++\nNummer {number}.\n");
            write(root, &format!("{path}.{language}.md"), &text);
        }
        writeln!(stock, "F{number},{},0", number % 3).expect("into a text");
    }
    let mut lines = String::new();
    for number in 0..LINES {
        let shelf = number % SHELVES;
        let line = serde_json::json!({
            "title": format!("Piece {}", number % 1_500), "brand": format!("Maker {}", number % 11), "price": 1 + number % 60,
            "sku": format!("L{number}"), "categories": [format!("top-{}/shelf-{shelf}", shelf % 3)],
            "attributes": {"Material": format!("Kind {}", number % 5)}, "body": format!("Piece *{number}*."),
            "images": [{"src": format!("https://cdn.example/{number}.jpg"), "alt": "A piece"}],
        });
        writeln!(lines, "{line}").expect("into a text");
        writeln!(stock, "L{number},{},1", number % 4).expect("into a text");
    }
    write(root, "more.jsonl", &lines);
    write(root, "stock.csv", &stock);
    shop
}

/// Builds with so many threads and folders listed by a seed; gives every file, bundle included, and what was said.
fn built(root: &Path, threads: &str, seed: Option<&str>, words: &[&str]) -> (BTreeMap<String, Vec<u8>>, String) {
    let mut command = vitrine(root);
    command.args(["build", "--as-of", AS_OF, "--stock", "stock.csv", "--threads", threads]).args(words);
    if let Some(seed) = seed {
        command.env("VITRINE_SHUFFLE", seed);
    }
    let output = command.output().expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    let mut files = tree(&root.join("public"));
    files.insert("bundle".to_owned(), fs::read(root.join("shop.bundle")).expect("a bundle"));
    (files, told)
}

#[test]
fn neither_threads_nor_the_order_of_folders_leave_a_trace_in_a_shop_of_many_pieces() {
    let shop = shop();
    let root = shop.path();
    let (plain, told) = built(root, "1", None, &["--no-cache"]);
    let pages = plain.keys().filter(|name| name.starts_with("products/")).count();
    assert_eq!(pages, LINES + FILES, "{told}");
    assert!(plain.keys().any(|name| name.starts_with("de/products/") && name.ends_with(".html")), "in both languages");
    // From nothing, then with what the first of them remembers.
    for (threads, seed, words) in
        [("1", "1", &["--no-cache"][..]), ("2", "2", &["--no-cache"]), ("16", "3", &[]), ("16", "4", &[])]
    {
        let (found, told) = built(root, threads, Some(seed), words);
        assert_eq!(changed(&plain, &found), [""; 0], "{threads} threads, seed {seed}: {told}");
        fs::remove_dir_all(root.join("public")).expect("removed");
        fs::remove_file(root.join("shop.bundle")).expect("removed");
    }
}
