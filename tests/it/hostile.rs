//! Hostile: input that nobody sane writes and that comes all the same is refused at its place or taken whole; nothing hangs, nothing is
//! lost without a word, and no build ends in a panic.

use std::fs;
use std::path::Path;

use crate::support::shop::{run, site, write};

const LAMP: &str = "+++\ntitle = \"Lamp\"\nsku = \"LAMP\"\nprice = \"19.90\"\nstock = 3\n+++\nA lamp.\n";
const LINES: &str = "\n[[sources]]\nformat = \"jsonl\"\npath = \"x.jsonl\"\n";
const WOO: &str = "\n[[sources]]\nformat = \"woocommerce\"\npath = \"x.csv\"\n";

/// A shop with these files beside its settings.
fn shop(more_settings: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "site.toml", &(site("EUR") + more_settings));
    files.iter().for_each(|(path, text)| write(folder.path(), path, text));
    folder
}

/// Builds a shop; gives exit code and what is told.
fn built(root: &Path) -> (i32, String) {
    let (code, _, told) = run(root, &["build", "--as-of", "2026-12-01"]);
    assert!(!told.contains("panicked"), "{told}");
    (code, told)
}

#[track_caller]
fn refused(more_settings: &str, files: &[(&str, &str)], parts: &[&str]) {
    let folder = shop(more_settings, files);
    let (code, told) = built(folder.path());
    assert_eq!(code, 1, "{told}");
    parts.iter().for_each(|part| assert!(told.contains(part), "`{part}` is missing in:\n{told}"));
    assert!(told.len() < 20_000, "what is long is not shown whole: {} bytes", told.len());
}

#[track_caller]
fn taken(more_settings: &str, files: &[(&str, &str)], parts: &[&str]) -> tempfile::TempDir {
    let folder = shop(more_settings, files);
    let (code, told) = built(folder.path());
    assert_eq!(code, 0, "{told}");
    parts.iter().for_each(|part| assert!(told.contains(part), "`{part}` is missing in:\n{told}"));
    folder
}

fn page(folder: &tempfile::TempDir, path: &str) -> String {
    let path = folder.path().join("public").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn product(keys: &str) -> String {
    format!("+++\ntitle = \"Thing\"\nsku = \"T\"\n{keys}\n+++\nText.\n")
}

#[test]
fn a_file_where_a_folder_belongs_is_told() {
    for folder in ["content", "content/products", "content/categories", "content/pages", "content/promotions", "templates"] {
        refused("", &[(folder, "not a folder")], &["a folder belongs here, not a file", &format!("--> {folder}\n")]);
    }
    refused("", &[("static", "not a folder")], &["a folder belongs here, not a file", "static"]);
}

#[test]
fn a_file_that_is_not_read_because_of_its_ending_is_told() {
    let folder = taken(
        "",
        &[("content/products/Vase.MD", LAMP), ("content/products/mug.markdown", LAMP), ("content/products/notes.txt", "mine")],
        &[
            "this file is not read",
            "content/products/Vase.MD",
            "content/products/mug.markdown",
            "let its name end in `.md`",
            "2 warnings",
        ],
    );
    assert!(!folder.path().join("public/products").exists());
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_told_and_not_waited_for() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    let folder = shop("", &[("content/products/lamp.md", LAMP)]);
    let products = folder.path().join("content/products");
    let _open = UnixListener::bind(products.join("a.md")).expect("a socket");
    symlink("nowhere", products.join("b.md")).expect("a link");
    symlink("b", products.join("loop")).and_then(|()| symlink("loop", products.join("b"))).expect("links");
    let (code, told) = built(folder.path());
    assert_eq!(code, 1, "{told}");
    for part in ["content/products/a.md", "this is no file that can be read", "--> content/products/b.md", "4 errors"] {
        assert!(told.contains(part), "`{part}` is missing in:\n{told}");
    }
    // A pipe that nobody writes to.
    let folder = shop(LINES, &[("content/products/lamp.md", LAMP)]);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("x.jsonl")).status().expect("mkfifo runs");
    assert!(made.success());
    let (code, told) = built(folder.path());
    assert!(code == 1 && told.contains("there is no file `x.jsonl`") && told.contains("1 error"), "{told}");
}

#[test]
fn addresses_and_names_without_measure_are_refused_or_cut() {
    let long = "a".repeat(10_000);
    let given = format!("{{\"title\": \"A\", \"slug\": \"{long}\", \"price\": 1}}\n{{\"title\": \"B\", \"price\": 1}}\n");
    let folder = taken(LINES, &[("x.jsonl", &given)], &["this address has more than 200 bytes", "x.jsonl:1:24"]);
    assert!(folder.path().join("public/products/b.html").is_file());
    let titles = ["x", "y"].map(|end| format!("{{\"title\": \"{}{end}\", \"price\": 1}}\n", "word ".repeat(100)));
    let folder = taken(LINES, &[("x.jsonl", &titles.concat())], &["2 products"]);
    let names: Vec<_> = fs::read_dir(folder.path().join("public/products")).expect("pages").collect();
    assert_eq!(names.len(), 2, "two that begin alike keep addresses of their own");
    let title = format!("{{\"title\": \"{long}\", \"price\": 1}}\n");
    taken(LINES, &[("x.jsonl", &title)], &["this title has more than 1000 letters", "x.jsonl:1:11"]);
    refused(
        "",
        &[("content/products/a.md", &LAMP.replace("Lamp", &long))],
        &["more than 1000 letters", "content/products/a.md:2:9"],
    );
    let name = format!("content/products/{}.md", "b".repeat(220));
    refused("", &[(&name, LAMP)], &["this address has more than 200 bytes"]);
    let attribute = format!("price = \"1\"\nattributes = {{ Kind = \"{}\" }}\ncategories = [\"light\"]", "k".repeat(3000));
    let facet = "\n[[facets]]\nname = \"kind\"\nsource = \"attribute\"\nmin_products = 1\n";
    let files = [
        ("content/products/a.md", &*product(&attribute)),
        ("content/categories/light/_index.md", "+++\ntitle = \"Light\"\n+++\n"),
        ("content/products/lamp.md", &*LAMP.replace("stock = 3", "categories = [\"light\"]")),
    ];
    let folder = taken(facet, &files, &[]);
    let names: Vec<_> = fs::read_dir(folder.path().join("public/categories/light/kind")).expect("a facet").collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn categories_without_end_are_refused() {
    let deep = |levels: usize| format!("content/categories/{}/_index.md", vec!["c"; levels].join("/"));
    let all: Vec<String> = (1..=17).map(deep).collect();
    let files: Vec<(&str, &str)> = all.iter().map(|path| (path.as_str(), "+++\ntitle = \"C\"\n+++\n")).collect();
    refused("", &files, &["more than 16 categories above one another", "let it stand higher", "1 error"]);
    taken("", &files[..16], &[]);
    let path: Vec<String> = (0..1000).map(|level| format!("Level {level}")).collect();
    let csv = format!("ID,Type,SKU,Name,Published,Regular price,Categories\n1,simple,A,Lamp,1,5,{}\n", path.join(" > "));
    let folder =
        taken(WOO, &[("x.csv", &csv)], &["more than 16 categories above one another; the category is left out", "x.csv:2"]);
    assert!(folder.path().join("public/products/lamp.html").is_file());
}

#[test]
fn a_product_with_a_million_variants_is_refused() {
    let variants: String = (0..1001).map(|number| format!("{{ options = [\"{number}\"], price = \"1\" }},\n")).collect();
    let text = |variants: &str| format!("+++\ntitle = \"A\"\noptions = [\"Size\"]\nvariants = [\n{variants}]\n+++\n");
    refused("", &[("content/products/a.md", &text(&variants))], &["a product holds at most 1000 variants", "a.md:2:9"]);
    let million = text(&variants.repeat(1000));
    refused("", &[("content/products/a.md", &million)], &["content/products/a.md", "it has more than 8 MiB"]);
    let rows: String = (0..1001).map(|number| format!("lamp,Lamp,Size,{number},1,S{number}\n")).collect();
    let csv = format!("Handle,Title,Option1 Name,Option1 Value,Variant Price,Variant SKU\n{rows}");
    let shopify = "\n[[sources]]\nformat = \"shopify\"\npath = \"x.csv\"\n";
    refused(shopify, &[("x.csv", &csv)], &["at most 1000 variants", "x.csv:1002"]);
}

#[test]
fn bytes_that_are_no_text_are_told_where_they_stand() {
    refused("", &[("content/products/a.md", &LAMP.replace("A lamp", "A\0lamp"))], &["the byte 0x00 is no text", "a.md:7:2"]);
    refused(LINES, &[("x.jsonl", "{\"title\": \"A\"}\n{\"title\": \"\0\"}\n")], &["the byte 0x00 is no text", "x.jsonl:2:12"]);
}

#[test]
fn controls_and_turned_letters_do_not_reach_a_page() {
    let lines = "{\"title\": \"\u{202e}مصباح \\u0000\\u0008🛋️\", \"price\": 1, \"body\": \"a\\u0000b\"}\n\
                 {\"title\": \"🛋️🛋️\", \"price\": 1}\n{\"title\": \"灯\", \"price\": 1}\n";
    let title = LAMP.replace("\"Lamp\"", "\"La\\u0000mp \\u202e\"");
    let folder = taken(LINES, &[("x.jsonl", lines), ("content/products/lamp.md", &title)], &["4 products"]);
    for entry in walkdir::WalkDir::new(folder.path().join("public")) {
        let entry = entry.expect("readable");
        let is_text = entry.path().extension().is_some_and(|ending| ending == "html" || ending == "xml" || ending == "json");
        if entry.file_type().is_file() && is_text {
            let text = fs::read_to_string(entry.path()).expect("text");
            assert!(!text.contains(['\0', '\u{8}', '\u{202e}']), "{}", entry.path().display());
        }
    }
    assert!(page(&folder, "products/lamp.html").contains("<h1>La mp</h1>"));
    assert!(page(&folder, "products/couch-couch.html").contains("<h1>🛋️🛋️</h1>"), "signs alone have an address too");
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_change_nothing() {
    let plain = product("price = \"2\"\nsales = [{ price = \"1\", from = \"2026-01-01\" }]");
    let build = |text: &str| page(&taken("", &[("content/products/a.md", text)], &[]), "products/a.html");
    let expected = build(&plain);
    assert_eq!(build(&format!("\u{feff}{plain}")), expected);
    assert_eq!(build(&plain.replace('\n', "\r\n")), expected);
}

#[test]
fn amounts_and_days_at_the_end_of_all_numbers_are_taken_or_told() {
    refused(
        LINES,
        &[
            ("content/products/a.md", &product("price = \"99999999999999\"")),
            (
                "x.jsonl",
                "{\"title\": \"B\", \"price\": 1e400}\n{\"title\": \"C\", \"price\": 99999999999999}\n{\"title\": \"D\", \"price\": \"٣\"}\n",
            ),
        ],
        &["a.md:4:9", "larger than any price", "x.jsonl:1:25", "x.jsonl:2:25", "x.jsonl:3:25", "4 errors"],
    );
    let keys = "price = \"2\"\npublish_at = \"0000-01-01\"\nexpires_at = \"9999-12-31\"\n\
                sales = [{ price = \"1\", from = \"0001-01-01\", until = \"9999-12-31T23:59:59Z\" }]";
    let csv = "ID,Type,SKU,Name,Published,Regular price,Sale price,Date sale price starts,Date sale price ends\n\
               1,simple,A,Lamp,1,5,3,2026-01-01,9999-12-31\n2,simple,B,Vase,1,5,3,0000-00-00,2026-01-31\n";
    let folder = taken(
        WOO,
        &[("content/products/a.md", &product(keys)), ("x.csv", csv)],
        &["x.csv:3:8", "this is not a time", "1 warning"],
    );
    assert!(page(&folder, "products/a.html").contains("€1.00") && page(&folder, "products/lamp.html").contains("€3.00"));
    refused(
        "",
        &[("content/products/a.md", &product("price = \"1\"\npublish_at = \"10000-01-01\""))],
        &["a.md:5:14", "is not a time"],
    );
}

#[test]
fn products_that_name_each_other_or_themselves_are_built() {
    let one = LAMP.replace("stock = 3", "related = [\"vase\", \"lamp\", \"vase\"]");
    let other = LAMP.replace("Lamp", "Vase").replace("LAMP", "VASE").replace("stock = 3", "related = [\"lamp\"]");
    let folder = taken("", &[("content/products/lamp.md", &one), ("content/products/vase.md", &other)], &[]);
    let page = page(&folder, "products/lamp.html");
    let cards = page.matches("href=\"/products/vase\"").count();
    assert!(cards > 0 && page.matches("<h1>").count() == 1, "{page}");
    assert!(!page.contains("<article class=\"card\"><a href=\"/products/lamp\""), "a product does not go with itself");
}

#[test]
fn one_sku_in_two_sources_names_both_rows() {
    let csv = "ID,Type,SKU,Name,Published,Regular price\n1,simple,S,Lamp,1,5\n";
    refused(
        &format!("{LINES}{WOO}"),
        &[("x.jsonl", "\n{\"title\": \"Vase\", \"price\": 1, \"sku\": \" S \"}\n"), ("x.csv", csv)],
        &["the SKU `S` is already used at", "x.jsonl:2", "x.csv:2", "its own SKU"],
    );
}

#[test]
fn old_addresses_that_say_something_else_in_a_redirect_file_are_refused() {
    for odd in
        ["/a\\nb", "//other.example/x", "/*", "/old/:splat", "/a b", "/./x", "/x/../y", "/x//y", "/\\u00a0", "/\\\"x", "/x/"]
    {
        refused(
            "",
            &[("content/products/a.md", &product(&format!("price = \"1\"\nredirects = [\"{odd}\"]")))],
            &["is not an old address"],
        );
    }
    let long = format!("price = \"1\"\nredirects = [\"/{}\"]", "x".repeat(300));
    refused("", &[("content/products/a.md", &product(&long))], &["is not an old address"]);
    taken(
        "",
        &[("content/products/a.md", &product("price = \"1\"\nredirects = [\"/ä/x.php\", \"/collections/%E2%98%83\"]"))],
        &[],
    );
}

#[test]
fn markup_and_lists_nested_without_end_do_not_stop_a_build() {
    let body = format!("<p>Good <b>news</b></p>{}", "<div>x".repeat(100_000));
    let line = format!(
        "{{\"title\": \"A\", \"price\": 1, \"body_format\": \"html\", \"body\": \"{body}\", \"attributes\": {{\"x\": {}1{}}}}}\n",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let markdown = format!("{LAMP}{}x\n\n{}\n\n{}", ">".repeat(20_000), "[".repeat(20_000), "*a ".repeat(20_000));
    let folder = taken(LINES, &[("x.jsonl", &line), ("content/products/lamp.md", &markdown)], &["2 products"]);
    assert!(page(&folder, "products/a.html").contains("Good"));
    let toml = product(&format!("price = \"1\"\nattributes = {{ x = {}{} }}", "[".repeat(50_000), "]".repeat(50_000)));
    refused("", &[("content/products/a.md", &toml)], &["a.md:5", "1 error"]);
}
