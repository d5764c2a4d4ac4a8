//! Incremental: a build after an edit gives what a build from nothing gives, byte for byte, and writes only what differs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;

use crate::support::shop::{run, vitrine};

const AS_OF: &str = "2026-11-20";

/// A shop of six products in two categories.
struct Shop {
    folder: tempfile::TempDir,
    edits: u64,
}

impl Shop {
    fn new() -> Self {
        let mut shop = Self { folder: tempfile::tempdir().expect("a folder"), edits: 0 };
        let rates = "rates = [{ country = \"DE\", name = \"VAT\", standard = \"19\" }]";
        let site = format!(
            "[shop]\nname = \"Tiny\"\nbase_url = \"https://tiny.example\"\n\n[[markets]]\nid = \"eu\"\ncountries = [\"DE\"]\n\
             currency = \"EUR\"\n\n[tax]\nclasses = [\"standard\"]\n{rates}\n\n[[facets]]\nname = \"price\"\nsource = \"price\"\nbands = [\"8\"]\n\
             min_products = 1\n\n[build]\npage_size = 2\n"
        );
        shop.write("site.toml", &site);
        for category in ["light", "table"] {
            shop.write(
                &format!("content/categories/{category}/_index.md"),
                &format!("+++\ntitle = \"{category}\"\n+++\nA shelf.\n"),
            );
        }
        for number in 0..6 {
            shop.product(number, "light", 1000);
        }
        shop
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file with a time of its own.
    fn write(&mut self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, text).expect("written");
        self.edits += 1;
        let time = UNIX_EPOCH + Duration::from_secs(1_600_000_000 + self.edits);
        File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("its time is set");
    }

    fn product(&mut self, number: u32, category: &str, minor: u32) {
        let price = format!("{}.{:02}", minor / 100, minor % 100);
        let text = format!(
            "+++\ntitle = \"Thing {number}\"\nsku = \"T{number}\"\nprice = \"{price}\"\nstock = 5\ncategories = [\"{category}\"]\n+++\n\
             Thing number {number} of the house.\n"
        );
        self.write(&format!("content/products/thing-{number}.md"), &text);
    }

    /// Gives the shop a second market, which speaks German.
    fn speak_german(&mut self) {
        let site = fs::read_to_string(self.path().join("site.toml")).expect("settings");
        let german =
            "[[markets]]\nid = \"de\"\nprefix = \"de\"\nlanguage = \"de\"\ncountries = [\"DE\"]\ncurrency = \"EUR\"\n\n[tax]";
        self.write("site.toml", &site.replace("[tax]", german));
    }

    fn translation(&mut self, number: u32, title: &str) {
        let text = format!("+++\ntitle = \"{title}\"\n+++\nDing Nummer {number}.\n");
        self.write(&format!("content/products/thing-{number}.de.md"), &text);
    }

    /// A build by what is remembered. Files of a moment ago count as old, else they would be read each time.
    fn command(&self) -> Command {
        let mut command = vitrine(self.path());
        command.env("VITRINE_LATER_MS", "60000").args(["build", "--as-of", AS_OF]);
        command
    }

    /// Builds by what is remembered; gives how many files were written and removed.
    fn build(&self) -> (u64, u64) {
        let output = self.command().args(["--report", "json"]).output().expect("the binary runs");
        let (out, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{told}");
        let report: Value = serde_json::from_str(&out).expect("a report");
        let count = |name: &str| report["built"]["changes"][name].as_u64().expect("a number");
        (count("written"), count("removed"))
    }

    /// A build that a fault of the disk ends; gives its exit code.
    #[cfg(feature = "faults")]
    fn faulty_build(&self, fault: &str) -> Option<i32> {
        self.command().env("VITRINE_DISK_FAULT", fault).output().expect("the binary runs").status.code()
    }

    /// Every file of the output, bundle included.
    fn tree(&self, out: &str, bundle: &str) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::from([("bundle".to_owned(), fs::read(self.path().join(bundle)).expect("a bundle"))]);
        for entry in walkdir::WalkDir::new(self.path().join(out)) {
            let entry = entry.expect("readable");
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(self.path().join(out)).expect("below").to_string_lossy().into_owned();
                tree.insert(name, fs::read(entry.path()).expect("read"));
            }
        }
        tree
    }

    /// Fails unless the output is that of a build from nothing.
    fn check(&self) {
        let _ = fs::remove_dir_all(self.path().join("clean"));
        let words = ["build", "--as-of", AS_OF, "--no-cache", "--out", "clean", "--bundle", "clean.bundle", "--threads", "1"];
        let (code, _, told) = run(self.path(), &words);
        assert_eq!(code, 0, "{told}");
        let (ours, clean) = (self.tree("public", "shop.bundle"), self.tree("clean", "clean.bundle"));
        let names: Vec<&String> = ours.keys().chain(clean.keys()).filter(|name| ours.get(*name) != clean.get(*name)).collect();
        assert!(names.is_empty(), "these differ from a build from nothing: {names:?}");
    }
}

#[test]
fn a_build_of_nothing_new_writes_nothing() {
    let shop = Shop::new();
    shop.build();
    let page = shop.path().join("public/products/thing-1.html");
    let before = fs::metadata(&page).and_then(|file| file.modified()).expect("a time");
    assert_eq!(shop.build(), (0, 0));
    assert_eq!(fs::metadata(&page).and_then(|file| file.modified()).expect("a time"), before);
    // A page that somebody has changed or deleted is made anew.
    fs::write(&page, "other").expect("written");
    assert_eq!(shop.build(), (1, 0));
    fs::remove_dir_all(shop.path().join(".vitrine/cache")).expect("it may be deleted at any time");
    assert_eq!(shop.build(), (0, 0));
    shop.check();
}

/// `a/search/words-0.0123abcd.json` is `a/search/words-0.json`.
fn without_hash(name: &str) -> String {
    match name.strip_suffix(".json").and_then(|stem| stem.rsplit_once('.')) {
        Some((stem, _)) => format!("{stem}.json"),
        None => name.to_owned(),
    }
}

#[test]
fn one_price_rewrites_the_pages_that_show_it_and_no_other() {
    let mut shop = Shop::new();
    shop.product(5, "table", 1000);
    shop.build();
    let before = shop.tree("public", "shop.bundle");
    shop.product(5, "table", 2500);
    shop.build();
    let after = shop.tree("public", "shop.bundle");
    let changed: Vec<String> =
        after.iter().filter(|(name, bytes)| before.get(*name) != Some(bytes)).map(|(name, _)| without_hash(name)).collect();
    // Its own page, its shelf, the home page which shows all six, what the search says of it, and what the edge and a publisher read.
    let expected = [
        "a/search/cards-eu-0.json",
        "a/search/columns-eu-0.json",
        "bundle",
        "categories/table.html",
        "index.html",
        "manifest.json",
        "products/thing-5.html",
        "search.json",
    ];
    assert_eq!(changed, expected);
    shop.check();
}

#[test]
fn a_translation_rewrites_what_shows_it_and_nothing_else() {
    let mut shop = Shop::new();
    shop.speak_german();
    (0..6).for_each(|number| shop.translation(number, &format!("Ding {number}")));
    shop.build();
    let before = shop.tree("public", "shop.bundle");
    shop.translation(1, "Dings 1");
    shop.build();
    shop.check();
    let after = shop.tree("public", "shop.bundle");
    let is_new = |name: &&String| before.get(*name) != after.get(*name) && name.ends_with(".html");
    let pages: Vec<&String> = after.keys().filter(is_new).collect();
    assert!(pages.contains(&&"de/products/thing-1.html".to_owned()), "{pages:?}");
    // Its own page, its shelf, and pages that name it as going with theirs: all in German.
    assert!(pages.iter().all(|name| name.starts_with("de/") || name.as_str() == "de.html"), "{pages:?}");
    assert_eq!(shop.build(), (0, 0));
}

#[test]
fn whatever_the_bundle_carries_makes_it_anew() {
    let mut shop = Shop::new();
    let site = fs::read_to_string(shop.path().join("site.toml")).expect("settings");
    let head = "[shop]\n";
    let edits = [
        ("site.toml", site.replace(head, "[shop]\nemail = \"hello@tiny.example\"\n")),
        ("site.toml", site.replace(head, "[shop]\norder_prefix = \"T-\"\n")),
        ("site.toml", format!("{site}\n[mail]\nfrom = \"Tiny <tiny@tiny.example>\"\n")),
        ("site.toml", format!("{site}\n[checkout]\nreservation_minutes = 45\n")),
        ("site.toml", site.replace("standard = \"19\"", "standard = \"20\"")),
        ("content/promotions/spring.toml", "title = \"Spring\"\ncode = \"SPRING\"\npercentage = \"10\"\n".to_owned()),
        ("content/pages/terms.md", "+++\ntitle = \"Terms\"\n+++\nFair.\n".to_owned()),
        ("content/pages/terms.md", "+++\ntitle = \"Our terms\"\n+++\nFair.\n".to_owned()),
        ("content/categories/table/_index.md", "+++\ntitle = \"Tables\"\n+++\nA shelf.\n".to_owned()),
        ("templates/edge/cart.html", "{% extends \"theme/edge/cart.html\" %}{% block main %}Yours{% endblock main %}".to_owned()),
        ("content/products/thing-1.md", "+++\ntitle = \"Thing 1\"\nsku = \"X1\"\nprice = \"9.00\"\nstock = 4\n+++\n".to_owned()),
    ];
    shop.build();
    for (path, text) in edits {
        let before = fs::read(shop.path().join("shop.bundle")).expect("a bundle");
        shop.write(path, &text);
        shop.build();
        assert_ne!(fs::read(shop.path().join("shop.bundle")).expect("a bundle"), before, "{path}: {text}");
        shop.check();
    }
    // And another key.
    fs::remove_file(shop.path().join(".vitrine/development.keys")).expect("a development key");
    shop.build();
    shop.check();
}

#[cfg(feature = "faults")]
#[test]
fn bulk_files_are_remembered_with_their_warnings_until_one_of_them_changes() {
    let mut shop = Shop::new();
    let site = fs::read_to_string(shop.path().join("site.toml")).expect("settings");
    let sources =
        "\n[[sources]]\nformat = \"jsonl\"\npath = \"own.jsonl\"\n\n[[sources]]\nformat = \"shopify\"\npath = \"shop.csv\"\n";
    shop.write("site.toml", &format!("{site}{sources}"));
    let lines = |price: &str| {
        let mug = format!(
            "{{\"title\": \"Mug\", \"sku\": \"M\", \"price\": {price}, \"categories\": [\"table\"], \"body\": \"A mug.\"}}\n"
        );
        mug + "{\"title\": \"Mat\", \"related\": [\"mug\"]}\n"
    };
    shop.write("own.jsonl", &lines("5.00"));
    shop.write("shop.csv", "Handle,Title,Variant Price,Variant SKU,Type\nvase,Vase,9,V,Jars\n,Lost,1,X,\n");
    let told = |shop: &Shop| {
        let output = shop.command().output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        told.lines().take_while(|line| *line != "3 warnings").collect::<Vec<_>>().join("\n")
    };
    let first = told(&shop);
    assert!(first.contains("shop.csv:3") && first.contains("own.jsonl:2"), "{first}");
    let cache = shop.path().join(".vitrine/cache");
    assert!(cache.join("sources").is_file());
    assert_eq!(told(&shop), first, "warnings are told each time");
    assert_eq!(shop.build(), (0, 0));
    // Another text of the same length by somebody who keeps the time, as `cp -p` and `rsync -t` do.
    let path = shop.path().join("own.jsonl");
    let time = fs::metadata(&path).and_then(|file| file.modified()).expect("a time");
    fs::write(&path, lines("7.00")).expect("written");
    File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("its time is set");
    assert!(shop.build().0 > 0);
    shop.check();
    // A file that is damaged is no memory, and what a killed build left is taken away.
    let bytes = fs::read(cache.join("sources")).expect("there");
    fs::write(cache.join("sources"), &bytes[..bytes.len() - 9]).expect("written");
    fs::write(cache.join("sources.1.draft"), "half").expect("written");
    assert_eq!(shop.build(), (0, 0));
    shop.check();
    assert!(!cache.join("sources.1.draft").exists());
    assert_eq!(shop.build(), (0, 0));
    // Each file counts, and what it is read by.
    shop.write("own.jsonl", &lines("6.50"));
    assert!(shop.build().0 > 0);
    shop.check();
    shop.write("shop.csv", "Handle,Title,Variant Price,Variant SKU,Type\nvase,Vase,0,V,Jars\n");
    shop.build();
    shop.check();
    shop.write("site.toml", &format!("{site}{sources}allow_free = true\n"));
    assert!(shop.build().0 > 0);
    shop.check();
    shop.write("site.toml", &site);
    assert!(shop.build().1 > 0);
    shop.check();
}

#[test]
fn a_named_product_that_is_not_there_is_told_by_a_build_that_remembers() {
    let mut shop = Shop::new();
    let related = "related = [\"thing-5\", \"thing-77\"]";
    shop.write("content/products/thing-1.md", &format!("+++\ntitle = \"One\"\nsku = \"T1\"\nprice = \"9\"\n{related}\n+++\n"));
    for _ in 0..2 {
        let (_, _, told) = run(shop.path(), &["build", "--as-of", AS_OF]);
        assert!(told.contains("there is no product `thing-77` to go with") && !told.contains("`thing-5`"), "{told}");
    }
    shop.check();
}

#[test]
fn a_price_that_was_changed_with_the_time_and_length_of_its_file_kept_is_seen() {
    let mut shop = Shop::new();
    shop.build();
    for minor in [2600, 2700] {
        let path = shop.path().join("content/products/thing-5.md");
        let time = fs::metadata(&path).and_then(|file| file.modified()).expect("a time");
        shop.product(5, "light", minor);
        File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("its time is set");
        assert!(shop.build().0 > 0, "{minor}");
        shop.check();
    }
    assert_eq!(shop.build(), (0, 0));
}

#[cfg(feature = "faults")]
#[test]
fn an_edit_taken_back_after_a_killed_build_leaves_no_trace() {
    let mut shop = Shop::new();
    shop.build();
    let mut at = 0;
    loop {
        at += 1;
        // Of the same length: a page that is half way in has the size that the old manifest says.
        shop.product(5, "light", 2500);
        let ended = shop.faulty_build(&format!("kill:{at}"));
        shop.product(5, "light", 1000);
        shop.build();
        shop.check();
        if ended == Some(0) {
            break;
        }
    }
    assert!(at > 6, "the fault was met");
}

/// Eight lamps on a shelf of two below another, and a mug beside them; two markets, both with a product feed. Of the lamps one page
/// shows two; lamp 6 is named by the mug as going with it.
fn shelves() -> Shop {
    let mut shop = Shop { folder: tempfile::tempdir().expect("a folder"), edits: 0 };
    let site = "[shop]\nname = \"Tiny\"\nbase_url = \"https://tiny.example\"\n\n[[markets]]\nid = \"eu\"\ncountries = [\"DE\"]\n\
                currency = \"EUR\"\n\n[[markets]]\nid = \"us\"\nprefix = \"us\"\ncountries = [\"US\"]\ncurrency = \"USD\"\n\n\
                [tax]\nclasses = [\"standard\"]\nrates = [{ country = \"DE\", name = \"VAT\", standard = \"19\" }, \
                { country = \"US\", name = \"Tax\", standard = \"0\" }]\n\n[feeds]\ngoogle = true\n\n\
                [[sources]]\nformat = \"jsonl\"\npath = \"more.jsonl\"\n\n[build]\npage_size = 2\nreduced_on_home = 0\n";
    shop.write("site.toml", site);
    for (path, title) in [("light", "Light"), ("light/lamps", "Lamps"), ("table", "Table")] {
        shop.write(&format!("content/categories/{path}/_index.md"), &format!("+++\ntitle = \"{title}\"\n+++\nA shelf.\n"));
    }
    (0..8).for_each(|number| lamp(&mut shop, number, "10.00"));
    let mug = "{\"title\": \"Mug\", \"sku\": \"M\", \"price\": 3, \"prices\": {\"USD\": 4}, \"categories\": [\"table\"], \"related\": [\"lamp-6\"]}\n";
    shop.write("more.jsonl", mug);
    shop
}

fn lamp(shop: &mut Shop, number: u32, price: &str) {
    let text = format!(
        "+++\ntitle = \"Lamp {number}\"\nsku = \"L{number}\"\nprice = \"{price}\"\nprices = {{ USD = \"12.00\" }}\nstock = 5\n\
         categories = [\"light/lamps\"]\nbrand = \"B{number}\"\nimages = [{{ src = \"https://cdn.example/{number}.jpg\", alt = \"A\" }}]\n+++\nA lamp.\n"
    );
    shop.write(&format!("content/products/lamp-{number}.md"), &text);
}

/// The files that an edit changed, search files under names without hash.
fn changed_by(shop: &mut Shop, edit: impl FnOnce(&mut Shop)) -> Vec<String> {
    let before = shop.tree("public", "shop.bundle");
    edit(shop);
    shop.build();
    shop.check();
    let after = shop.tree("public", "shop.bundle");
    let gone = before.keys().filter(|name| !after.contains_key(*name) && !name.starts_with("a/search/"));
    let new = after.iter().filter(|(name, bytes)| before.get(*name) != Some(bytes)).map(|(name, _)| name);
    let mut changed: Vec<String> = gone.chain(new).map(|name| without_hash(name)).collect();
    changed.sort();
    changed
}

/// Those of which the text holds a part.
fn holding(shop: &Shop, part: &str) -> Vec<String> {
    let tree = shop.tree("public", "shop.bundle");
    let holds = |(name, bytes): &(&String, &Vec<u8>)| name.ends_with(".html") && String::from_utf8_lossy(bytes).contains(part);
    tree.iter().filter(holds).map(|(name, _)| name.clone()).collect()
}

#[test]
fn a_price_of_one_market_rewrites_what_shows_it_there_and_nothing_else() {
    let mut shop = shelves();
    shop.build();
    let changed = changed_by(&mut shop, |shop| lamp(shop, 6, "11.11"));
    let (pages, rest): (Vec<String>, Vec<String>) = changed.into_iter().partition(|name| name.ends_with(".html"));
    // Its own page, the last page of either shelf, the page that names it, and lamps beside it that show it as going with them.
    assert_eq!(pages, holding(&shop, "€11.11"));
    for page in ["products/lamp-6.html", "products/mug.html", "categories/light/4.html", "categories/light/lamps/4.html"] {
        assert!(pages.iter().any(|name| name == page), "{page}: {pages:?}");
    }
    assert!(!pages.iter().any(|name| name.starts_with("us/") || name == "categories/light.html"), "{pages:?}");
    let files =
        ["a/search/cards-eu-0.json", "a/search/columns-eu-0.json", "bundle", "feeds/google.xml", "manifest.json", "search.json"];
    assert_eq!(rest, files);
}

#[test]
fn a_template_rewrites_the_pages_that_print_it_and_a_setting_what_depends_on_it() {
    let mut shop = shelves();
    shop.build();
    let template = "{% extends \"theme/product.html\" %}{% block heading %}<h1>Ours</h1>{% endblock heading %}";
    let changed = changed_by(&mut shop, |shop| shop.write("templates/product.html", template));
    let mut products: Vec<String> = (0..8).map(|number| format!("products/lamp-{number}.html")).collect();
    products.push("products/mug.html".to_owned());
    let abroad: Vec<String> = products.iter().map(|path| format!("us/{path}")).collect();
    // The bundle holds all of the shop's templates: any of them may be part of a page of the edge.
    assert_eq!(changed, [vec!["bundle".to_owned(), "manifest.json".to_owned()], products, abroad].concat());
    let changed = changed_by(&mut shop, |shop| shop.write("templates/edge/cart.html", "{% extends \"theme/edge/cart.html\" %}"));
    assert_eq!(changed, ["bundle", "manifest.json"], "pages of the edge are in the bundle alone, which the manifest names");
    let site = fs::read_to_string(shop.path().join("site.toml")).expect("settings");
    let changed = changed_by(&mut shop, |shop| shop.write("site.toml", &site.replace("google = true", "google = false")));
    assert_eq!(changed, ["feeds/google.xml", "manifest.json", "us/feeds/google.xml"]);
    let changed = changed_by(&mut shop, |shop| {
        shop.write("content/promotions/ten.toml", "title = \"Ten\"\ncode = \"TEN\"\npercentage = \"10\"\n")
    });
    assert_eq!(changed, ["bundle", "manifest.json"], "nothing says a coupon before it is typed");
}

#[test]
fn threads_time_zone_place_and_day_of_the_build_leave_no_trace() {
    let shop = shelves();
    shop.build();
    let tree = shop.tree("public", "shop.bundle");
    // Another path, the files written in another order: folders list them otherwise.
    let other = tempfile::tempdir().expect("a folder");
    let mut files: Vec<_> =
        walkdir::WalkDir::new(shop.path()).into_iter().map(|entry| entry.expect("readable").into_path()).collect();
    files.reverse();
    for file in files.iter().filter(|file| file.is_file()) {
        let name = file.strip_prefix(shop.path()).expect("below");
        let is_kept =
            ["content", "site.toml", "more.jsonl", ".vitrine/development.keys"].iter().any(|kept| name.starts_with(kept));
        if is_kept {
            let to = other.path().join(name);
            fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            fs::copy(file, to).expect("copied");
        }
    }
    // Nothing is due in this shop, so that one day is as good as another.
    for (threads, zone, day) in
        [("1", "UTC", AS_OF), ("2", "Pacific/Kiritimati", AS_OF), ("16", "America/St_Johns", "2031-02-28T23:59:59Z")]
    {
        let mut command = vitrine(other.path());
        command.env("TZ", zone).args(["build", "--no-cache", "--as-of", day, "--threads", threads, "--out", threads]);
        let bundle = format!("{threads}.bundle");
        let output = command.args(["--bundle", &bundle]).output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found = Shop { folder: tempfile::tempdir().expect("a folder"), edits: 0 };
        fs::rename(other.path().join(threads), found.path().join("public")).expect("moved");
        fs::rename(other.path().join(&bundle), found.path().join("shop.bundle")).expect("moved");
        let found = found.tree("public", "shop.bundle");
        let differing: Vec<&String> =
            tree.keys().chain(found.keys()).filter(|name| tree.get(*name) != found.get(*name)).collect();
        assert!(differing.is_empty(), "{differing:?} with {threads} threads in {zone} on {day}");
    }
}
