//! Search: the index of a shop, read by its written shape alone, says of every product what its page says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use crate::support::shop::run;

const SITE: &str = r#"[shop]
name = "Tiny"
base_url = "https://tiny.example"

[[markets]]
id = "eu"
countries = ["DE"]
currency = "EUR"
language = "de"

[[markets]]
id = "us"
prefix = "us"
countries = ["US"]
currency = "USD"

[tax]
classes = ["standard"]
rates = [{ country = "DE", name = "VAT", standard = "19" }, { country = "US", name = "Tax", standard = "0" }]

[[shipping]]
id = "home"
countries = ["DE"]
rates = [{ id = "standard", name = "Standard", price = "4.90" }]
"#;

/// More than two files of cards hold.
const PRODUCTS: usize = 400;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("made");
    fs::write(&path, text).expect("written");
    // A time of its own, long ago: files that changed just now are always read again.
    static WRITES: AtomicU64 = AtomicU64::new(1_600_000_000);
    let time = UNIX_EPOCH + Duration::from_secs(WRITES.fetch_add(1, Ordering::Relaxed));
    fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("its time is set");
}

fn product(root: &Path, number: usize, price: &str) {
    let shelf = ["light", "light/lamps", "table"][number % 3];
    let brand = ["Zoë", "ACME"][number % 2];
    let dollars = if number.is_multiple_of(5) { "" } else { "prices = { USD = \"31.50\" }\n" };
    let text = format!(
        "+++\ntitle = \"Möbel thing rx{number}\"\nbrand = \"{brand}\"\nsku = \"T{number}\"\nprice = \"{price}\"\n{dollars}stock = {}\n\
         categories = [\"{shelf}\"]\nattributes = {{ Material = \"Oak\" }}\n+++\nA thing.\n",
        number % 7
    );
    write(root, &format!("content/products/thing-{number}.md"), &text);
}

fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "site.toml", SITE);
    for (path, title) in [("light", "Light"), ("light/lamps", "Lampen"), ("table", "Table")] {
        write(folder.path(), &format!("content/categories/{path}/_index.md"), &format!("+++\ntitle = \"{title}\"\n+++\n"));
    }
    (0..PRODUCTS).for_each(|number| product(folder.path(), number, &format!("{}.90", 10 + number)));
    folder
}

#[track_caller]
fn built(folder: &Path) {
    let (code, _, told) = run(folder, &["build", "--as-of", "2026-11-20"]);
    assert_eq!(code, 0, "{told}");
}

/// Names and bytes of every file of the index.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder.join("public")) {
        let path = entry.expect("readable").into_path();
        let name = path.strip_prefix(folder.join("public")).expect("below it").to_string_lossy().into_owned();
        if name.ends_with(".json") && name != "manifest.json" {
            files.insert(name, fs::read(path).expect("read"));
        }
    }
    files
}

/// The index as any program may read it.
struct Reader {
    public: std::path::PathBuf,
    head: Value,
}

impl Reader {
    fn open(folder: &Path, head: &str) -> Self {
        let public = folder.join("public");
        let head = serde_json::from_slice(&fs::read(public.join(head)).expect("a head")).expect("JSON");
        Self { public, head }
    }

    fn file(&self, name: &str, hash: &Value) -> Value {
        let path = self.public.join(format!("a/search/{name}.{}.json", hash.as_str().expect("a hash")));
        serde_json::from_slice(&fs::read(path).expect("the head names files that are there")).expect("JSON")
    }

    fn parts(&self, kind: &str) -> Vec<Value> {
        let hashes = self.head[kind].as_array().expect("a list");
        let market = self.head["market"].as_str().expect("a name");
        hashes.iter().enumerate().map(|(number, hash)| self.file(&format!("{kind}-{market}-{number}"), hash)).collect()
    }

    /// Of every product by address: price as text, price in minor units, availability.
    fn prices(&self) -> BTreeMap<String, (Option<String>, Option<i64>, char)> {
        let list = |parts: &[Value], name: &str| -> Vec<Value> {
            parts.iter().flat_map(|part| part[name].as_array().expect("a list").clone()).collect()
        };
        let (cards, columns) = (self.parts("cards"), self.parts("columns"));
        let slugs = list(&cards, "slugs").into_iter().map(|slug| slug.as_str().expect("text").to_owned());
        let texts = list(&cards, "prices").into_iter().map(|price| price.as_str().map(str::to_owned));
        let minors = list(&columns, "prices").into_iter().map(|price| price.as_i64());
        let digits: String = columns.iter().map(|part| part["availability"].as_str().expect("digits")).collect();
        let facts = texts.zip(minors).zip(digits.chars()).map(|((text, minor), digit)| (text, minor, digit));
        slugs.zip(facts).collect()
    }

    /// Numbers of products that bear a word in their title, brand and elsewhere.
    fn bearing(&self, word: &str) -> Option<[Vec<u64>; 3]> {
        let parts = self.head["words"].as_array().expect("a list").iter().enumerate();
        let place = parts.flat_map(|(number, part)| {
            let words = self.file(&format!("words-{number}"), &part[2])["words"].as_str().expect("text").to_owned();
            let first = part[0].as_u64().expect("a place");
            words.split(' ').position(|other| other == word).map(|place| first + place as u64)
        });
        let place = place.max()?;
        let postings = self.head["postings"].as_array().expect("a list");
        let number = postings.iter().rposition(|part| part[0].as_u64().expect("a place") <= place).expect("the first is 0");
        let file = self.file(&format!("postings-{number}"), &postings[number][1]);
        let inside = (place - postings[number][0].as_u64().expect("a place")) as usize;
        Some(["title", "brand", "other"].map(|at| {
            let steps = file[at][inside].as_array().expect("a list").iter().map(|step| step.as_u64().expect("a step"));
            steps
                .scan(0, |sum, step| {
                    *sum += step;
                    Some(*sum)
                })
                .collect()
        }))
    }
}

#[test]
fn the_index_says_the_prices_that_pages_say_in_every_market() {
    let folder = shop();
    built(folder.path());
    for (head, prefix, currency) in [("search.json", "", "EUR"), ("us/search.json", "us/", "USD")] {
        let reader = Reader::open(folder.path(), head);
        assert_eq!(reader.head["currency"], currency);
        let prices = reader.prices();
        assert_eq!(prices.len(), PRODUCTS);
        for number in [0, 1, 5, 7, PRODUCTS - 1] {
            let (text, minor, digit) = &prices[&format!("thing-{number}")];
            let path = format!("public/{prefix}products/thing-{number}.html");
            let page = fs::read_to_string(folder.path().join(path)).expect("a page");
            if prefix.is_empty() || !number.is_multiple_of(5) {
                let text = text.as_deref().expect("it is for sale");
                assert!(page.contains(text), "{text} is not on the page of {number}");
                assert!(page.contains(&format!("name=\"seen_price_minor\" value=\"{}\"", minor.expect("a price"))), "{number}");
            } else {
                assert_eq!((text, minor, *digit), (&None, &None, '4'));
            }
            assert_eq!(page.contains("schema.org/OutOfStock"), *digit == '3', "{number}: {digit}");
        }
    }
}

#[test]
fn a_sale_is_told_with_its_end_and_what_holds_after_it_in_every_market() {
    let folder = shop();
    let text = "+++\ntitle = \"Sold off\"\nsku = \"OFF\"\nprice = \"30\"\ncontent = \"500 g\"\nstock = 1\n\
        sales = [{ price = \"20\", until = \"2026-12-01T00:00:00-05:00\" }, { price = \"25\", from = \"2026-12-01T05:00:00Z\" }]\n+++\n";
    write(folder.path(), "content/products/off.md", text);
    built(folder.path());
    let sales = |head: &str| {
        let reader = Reader::open(folder.path(), head);
        let of_part = |part: &Value| part["sales"].as_object().expect("by place").clone();
        reader.parts("cards").iter().flat_map(of_part).map(|(_, sale)| sale).collect::<Vec<Value>>()
    };
    let after = serde_json::json!({
        "until": "30. November 2026", "ends": "2026-12-01T05:00:00Z", "price": "25,00\u{a0}€", "struck": "30,00\u{a0}€",
        "per": "50,00\u{a0}€ / kg", "varies": false,
    });
    assert_eq!(sales("search.json"), [after]);
    assert_eq!(sales("us/search.json"), [] as [Value; 0], "it is not for sale there");
    assert_eq!(Reader::open(folder.path(), "search.json").head["format"], 3);
}

#[test]
fn words_lead_to_the_products_that_bear_them_at_their_best_place() {
    let folder = shop();
    built(folder.path());
    let reader = Reader::open(folder.path(), "us/search.json");
    let [title, brand, other] = reader.bearing("mobel").expect("folded");
    assert_eq!((title, brand, other), ((0..PRODUCTS as u64).collect(), Vec::new(), Vec::new()));
    assert_eq!(reader.bearing("zoe").expect("a brand").map(|numbers| numbers.len()), [0, PRODUCTS / 2, 0]);
    // A shelf's products bear the words of all shelves above.
    assert_eq!(reader.bearing("light").expect("a shelf").map(|numbers| numbers.len()), [0, 0, 267]);
    assert_eq!(reader.bearing("rx7").expect("a code").map(|numbers| numbers.len()), [1, 0, 0]);
    assert_eq!(reader.bearing("möbel"), None);
    // What stands on one shelf stands together.
    let reader = Reader::open(folder.path(), "search.json");
    let filters = reader.file("filters-eu-0", &reader.head["filters"]);
    assert_eq!(filters["categories"][0]["products"], serde_json::json!([0, 267]));
    assert_eq!(filters["categories"][1]["products"], serde_json::json!([134, 133]));
    let names: Vec<&str> =
        filters["facets"].as_array().expect("a list").iter().map(|facet| facet["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["brand", "price"]);
}

#[test]
fn one_price_rewrites_one_file_of_cards_one_of_columns_and_the_head() {
    let folder = shop();
    built(folder.path());
    let before = files(folder.path());
    product(folder.path(), 7, "17.95");
    built(folder.path());
    let after = files(folder.path());
    let stems: BTreeSet<&str> = after
        .keys()
        .filter(|name| !before.contains_key(*name))
        .map(|name| name.rsplit_once('.').expect("an ending").0.rsplit_once('.').expect("a hash").0)
        .collect();
    assert_eq!(stems.len(), 2, "{stems:?}");
    assert!(
        stems.iter().any(|stem| stem.starts_with("a/search/cards-eu-")) && stems.contains("a/search/columns-eu-0"),
        "{stems:?}"
    );
    let same = |name: &str| before.get(name) == after.get(name);
    assert!(!same("search.json") && same("us/search.json"));
    assert_eq!(before.len(), after.len(), "what is no longer named is gone");
}

#[test]
fn a_shop_without_products_or_without_search_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "site.toml", SITE);
    built(folder.path());
    let reader = Reader::open(folder.path(), "search.json");
    assert_eq!((reader.head["products"].as_u64(), reader.prices().len()), (Some(0), 0));
    let home = |folder: &Path| fs::read_to_string(folder.join("public/index.html")).expect("a page");
    assert!(home(folder.path()).contains("action=\"/search\""));
    write(folder.path(), "site.toml", &format!("{SITE}\n[build]\nsearch = false\n"));
    built(folder.path());
    assert!(!home(folder.path()).contains("action=\"/search\"") && files(folder.path()).is_empty());
    assert!(!folder.path().join("public/search.html").exists());
}

#[test]
fn the_search_page_is_in_every_market_for_people_and_not_for_crawlers() {
    let folder = shop();
    built(folder.path());
    let page = fs::read_to_string(folder.path().join("public/us/search.html")).expect("a page");
    assert!(page.contains("<meta name=\"robots\" content=\"noindex\">") && !page.contains("rel=\"canonical\""));
    assert!(page.contains("<form class=\"find\" action=\"/us/search\" role=\"search\""), "{page}");
    assert!(page.contains("<a href=\"/us/categories/light/lamps\">Lampen</a>"), "all shelves for those without script");
    assert_eq!(page.matches("type=\"search\"").count(), 1);
}

#[test]
fn a_frame_of_the_shops_own_needs_to_know_nothing_of_search() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "site.toml", SITE);
    // The blocks that pages of the edge fill, and no other.
    let frame = "<!doctype html><title>{{ page.head.title }}</title>{% block head %}{% endblock head %}{% block speculation %}\
        {% endblock speculation %}<body class=\"{% block body_class %}{% endblock body_class %}\">{% block main %}{% endblock main %}\
        {% block drawer %}{% endblock drawer %}";
    write(folder.path(), "templates/base.html", frame);
    for page in ["home", "product", "category", "page", "404"] {
        let text = "{% extends \"base.html\" %}{% block main %}<p>own</p>{% endblock main %}";
        write(folder.path(), &format!("templates/{page}.html"), text);
    }
    built(folder.path());
    let page = fs::read_to_string(folder.path().join("public/search.html")).expect("a page");
    assert!(page.contains("<title>Suche – Tiny</title>") && page.contains("role=\"search\""), "{page}");
}
