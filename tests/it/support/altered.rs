//! Altered: a shop that is edited in every way a merchant can, each edit leading to another shop that is good.
//!
//! Owns    the shop as values and as files, the edits, and what a build may leave of two states of it when it is ended in between.
//! Always  a file whose text stays is not touched; every file has the same time, as `cp -p` and `rsync -t` leave it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::shop::{png, tree, vitrine};

/// Products of their own files, all of which may be missing.
const THINGS: usize = 4;
/// Days of builds: before a sale and an appearance, amid them, after them.
const DAYS: [&str; 3] = ["2026-10-15", "2026-11-20", "2026-12-24"];

/// One product; each number but the price's is a turn: another one is another text.
#[derive(Clone, Debug, Default)]
struct Thing {
    minor: u32,
    title: u32,
    slug: u32,
    shelf: usize,
    variants: u32,
    picture: u32,
    brand: u32,
    material: u32,
    sale: u32,
    related: usize,
    old_addresses: u32,
    text: u32,
    german: u32,
}

/// What a product's edit changes, and to which turn.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Price,
    Title,
    Slug,
    Shelf,
    Variants,
    Picture,
    Brand,
    Material,
    Sale,
    Related,
    OldAddresses,
    Text,
    German,
}

/// What is the whole shop's; each has a turn, of which 0 is that the file or the setting is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    ProductTemplate,
    ShelfTemplate,
    BaseTemplate,
    Shortcode,
    PageSize,
    Facets,
    Feed,
    Search,
    Folders,
    Tagline,
    Tax,
    Abroad,
    Style,
    Data,
    Words,
    ShelfPath,
    ShelfWords,
    ShelfGerman,
    Page,
    Promotion,
    History,
    Stock,
    Day,
    Lines,
}

/// An edit as a merchant makes it.
#[derive(Clone, Copy, Debug)]
pub enum Edit {
    Thing(usize, Part, u32),
    Remove(usize),
    Shop(Matter, u32),
}

/// Some edits at once.
pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    use Matter::*;
    use Part::{Brand, German, Material, OldAddresses, Picture, Price, Related, Sale, Shelf, Slug, Text, Title, Variants};
    let parts = prop::sample::select(vec![
        Price,
        Price,
        Title,
        Slug,
        Shelf,
        Variants,
        Picture,
        Brand,
        Material,
        Sale,
        Related,
        OldAddresses,
        Text,
        German,
    ]);
    let matters = prop::sample::select(vec![
        ProductTemplate,
        ShelfTemplate,
        BaseTemplate,
        Shortcode,
        PageSize,
        Facets,
        Feed,
        Search,
        Folders,
        Tagline,
        Tax,
        Abroad,
        Style,
        Data,
        Words,
        ShelfPath,
        ShelfWords,
        ShelfGerman,
        Page,
        Promotion,
        History,
        Stock,
        Day,
        Lines,
    ]);
    let edit = prop_oneof![
        6 => (0..THINGS, parts, 0..6u32).prop_map(|(number, part, turn)| Edit::Thing(number, part, turn)),
        1 => (0..THINGS).prop_map(Edit::Remove),
        5 => (matters, 0..4u32).prop_map(|(matter, turn)| Edit::Shop(matter, turn)),
    ];
    prop::collection::vec(edit, 1..8)
}

/// The shop as values.
#[derive(Clone, Debug)]
pub struct Model {
    things: [Option<Thing>; THINGS],
    turns: BTreeMap<Matter, u32>,
}

impl Default for Model {
    fn default() -> Self {
        let thing = |number: usize| Thing { minor: 1000, shelf: number % 2, ..Thing::default() };
        let turns = [(Matter::PageSize, 2), (Matter::Day, 1), (Matter::Feed, 1), (Matter::Facets, 1), (Matter::Lines, 1)];
        Self { things: std::array::from_fn(|number| (number < 3).then(|| thing(number))), turns: turns.into() }
    }
}

impl Model {
    pub fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::Remove(number) => self.things[number] = None,
            Edit::Shop(matter, turn) => drop(self.turns.insert(matter, turn)),
            Edit::Thing(number, part, turn) => {
                let thing = self.things[number].get_or_insert_with(|| Thing { minor: 1700, ..Thing::default() });
                match part {
                    // Of four digits each: files keep their length.
                    Part::Price => thing.minor = 1000 + turn * 111,
                    Part::Title => thing.title = turn,
                    Part::Slug => thing.slug = turn % 2,
                    Part::Shelf => thing.shelf = turn as usize % 4,
                    Part::Variants => thing.variants = turn % 4,
                    Part::Picture => thing.picture = turn % 4,
                    Part::Brand => thing.brand = turn % 3,
                    Part::Material => thing.material = turn % 3,
                    Part::Sale => thing.sale = turn % 4,
                    Part::Related => thing.related = turn as usize % (THINGS + 1),
                    Part::OldAddresses => thing.old_addresses = turn % 3,
                    Part::Text => thing.text = turn % 4,
                    Part::German => thing.german = turn % 3,
                }
            }
        }
    }

    fn turn(&self, matter: Matter) -> u32 {
        self.turns.get(&matter).copied().unwrap_or_default()
    }

    fn slug(&self, number: usize) -> Option<String> {
        let thing = self.things.get(number)?.as_ref()?;
        Some(if thing.slug == 0 { format!("thing-{number}") } else { format!("object-{number}") })
    }

    // The root of shelf 0 has another path with each turn; shelf 2 lies below it.
    fn shelf(&self, number: usize) -> Option<String> {
        let light = if self.turn(Matter::ShelfPath).is_multiple_of(2) { "light" } else { "lights" };
        match number {
            0 => Some(light.to_owned()),
            1 => Some("table".to_owned()),
            2 => Some(format!("{light}/lamps")),
            _ => None,
        }
    }

    fn product(&self, number: usize, thing: &Thing) -> String {
        use std::fmt::Write;
        let mut text = format!("+++\ntitle = \"Thing {number}, {}\"\n", thing.title);
        let mut line = |key: &str, value: &str| writeln!(text, "{key} = {value}").expect("a text takes all");
        let price = |minor: u32| format!("\"{}.{:02}\"", minor / 100, minor % 100);
        let dollars = if self.turn(Matter::Abroad) > 1 {
            format!(", prices = {{ USD = {} }}", price(thing.minor + 50))
        } else {
            String::new()
        };
        match thing.variants {
            0 => {
                line("sku", &format!("\"T{number}\""));
                line("price", &price(thing.minor));
                line("stock", "5");
                if let Some(dollars) = dollars.strip_prefix(", prices = ") {
                    line("prices", dollars);
                }
            }
            count => {
                line("options", "[\"Size\"]");
                let variant = |at: u32| {
                    let price = price(thing.minor + at * 50);
                    format!("{{ options = [\"S{at}\"], sku = \"T{number}-{at}\", price = {price}, stock = {at}{dollars} }}")
                };
                line("variants", &format!("[{}]", (0..=count).map(variant).collect::<Vec<_>>().join(", ")));
            }
        }
        if let Some(shelf) = self.shelf(thing.shelf) {
            line("categories", &format!("[\"{shelf}\"]"));
        }
        match thing.picture {
            0 => {}
            1 => line("images", &format!("[{{ src = \"https://cdn.example/{number}.jpg\", alt = \"Of it\" }}]")),
            turn => line("images", &format!("[{{ src = \"images/p{}.png\", alt = \"Of it\" }}]", turn % 2)),
        }
        if thing.brand > 0 {
            line("brand", &format!("\"Brand {}\"", thing.brand));
        }
        match thing.sale {
            0 => {}
            3 => line("publish_at", "\"2026-11-10T08:00:00Z\""),
            turn => {
                let price = price(thing.minor - 200 * turn);
                line("sales", &format!("[{{ price = {price}, from = \"2026-11-01\", until = \"2026-12-01\" }}]"));
            }
        }
        if let Some(slug) = self.slug(thing.related).filter(|_| thing.related != number) {
            line("related", &format!("[\"{slug}\"]"));
        }
        if thing.old_addresses > 0 {
            line("redirects", &format!("[\"/old/{number}-{}\"]", thing.old_addresses));
        }
        if thing.material > 0 {
            line("attributes", &format!("{{ Material = \"M{}\" }}", thing.material));
        }
        let body = match thing.text {
            0 => "Of the house.".to_owned(),
            1 => "{{ product(slug=\"shown\") }}\n\n{{ table(file=\"sizes.csv\") }}".to_owned(),
            turn => format!("Words of turn {turn}."),
        };
        text + "+++\n" + &body + "\n"
    }

    fn settings(&self) -> String {
        let mut text = format!(
            "[shop]\nname = \"Tiny\"\nbase_url = \"https://tiny.example\"\ntagline = \"No. {}\"\n\n[[markets]]\nid = \"eu\"\ncountries = [\"DE\"]\n\
             currency = \"EUR\"\n\n[[markets]]\nid = \"de\"\nprefix = \"de\"\nlanguage = \"de\"\ncountries = [\"DE\"]\ncurrency = \"EUR\"\n\n",
            self.turn(Matter::Tagline)
        );
        let mut rates = format!("{{ country = \"DE\", name = \"VAT\", standard = \"{}\" }}", 19 + self.turn(Matter::Tax));
        if self.turn(Matter::Abroad) > 1 {
            text += "[[markets]]\nid = \"us\"\nprefix = \"us\"\ncountries = [\"US\"]\ncurrency = \"USD\"\n\n";
            rates += ", { country = \"US\", name = \"Tax\", standard = \"0\" }";
        }
        text += &format!(
            "[tax]\nclasses = [\"standard\"]\nrates = [{rates}]\n\n[[sources]]\nformat = \"jsonl\"\npath = \"own.jsonl\"\n\n"
        );
        text += &format!("[feeds]\ngoogle = {}\n\n", self.turn(Matter::Feed) > 0);
        let facets = [
            "[[facets]]\nname = \"price\"\nsource = \"price\"\nbands = [\"11\"]\nmin_products = 1\n\n",
            "[[facets]]\nname = \"brand\"\nsource = \"brand\"\nmin_products = 1\n\n",
            "[[facets]]\nname = \"material\"\nsource = \"attribute\"\nmin_products = 1\n\n",
        ];
        text += &facets[..self.turn(Matter::Facets) as usize].concat();
        let style = if self.turn(Matter::Folders) == 1 { "folder" } else { "flat" };
        text += &format!("[build]\npage_size = {}\nurl_style = \"{style}\"\n", self.turn(Matter::PageSize).max(1));
        if self.turn(Matter::Search) == 1 {
            text += "search = false\n";
        }
        text
    }

    /// The shop as files.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files: BTreeMap<String, String> = BTreeMap::from([("site.toml".to_owned(), self.settings())]);
        let mut add = |path: String, text: String| drop(files.insert(path, text));
        for (number, thing) in self.things.iter().enumerate() {
            let (Some(thing), Some(slug)) = (thing, self.slug(number)) else { continue };
            add(format!("content/products/{slug}.md"), self.product(number, thing));
            if thing.german > 0 {
                add(
                    format!("content/products/{slug}.de.md"),
                    format!("+++\ntitle = \"Ding {number}, {}\"\n+++\nDing.\n", thing.german),
                );
            }
        }
        for (number, path) in (0..3).filter_map(|number| Some((number, self.shelf(number)?))) {
            let words = if number == 0 { self.turn(Matter::ShelfWords) } else { 0 };
            add(
                format!("content/categories/{path}/_index.md"),
                format!("+++\ntitle = \"Shelf {number}, {words}\"\n+++\nWords {words}.\n"),
            );
        }
        let light = self.shelf(0).expect("it is there");
        // Whatever has a turn above 0 is there, in that turn.
        let mut on = |matter: Matter, path: &str, text: &dyn Fn(u32) -> String| {
            if let turn @ 1.. = self.turn(matter) {
                add(path.to_owned(), text(turn));
            }
        };
        on(Matter::ShelfGerman, &format!("content/categories/{light}/_index.de.md"), &|turn| {
            format!("+++\ntitle = \"Licht {turn}\"\n+++\n")
        });
        on(Matter::ProductTemplate, "templates/product.html", &|turn| {
            format!("{{% extends \"theme/product.html\" %}}{{% block heading %}}<h1>{turn}</h1>{{% endblock heading %}}")
        });
        on(Matter::BaseTemplate, "templates/base.html", &|turn| {
            format!("{{% extends \"theme/base.html\" %}}{{% block footer %}}<p>Foot {turn}</p>{{% endblock footer %}}")
        });
        on(Matter::Shortcode, "templates/shortcodes/product.html", &|turn| {
            format!("{{% set card = product(slug=slug) %}}{{% if card %}}<p>{turn} {{{{ card.title }}}}</p>{{% endif %}}")
        });
        on(Matter::ShelfTemplate, "templates/category.html", &|turn| {
            let calls = [
                "{% for card in products() %}{{ card.title }} {{ card.price | money }}{% endfor %}",
                "{% for card in products(category=\"table\", limit=2) %}{{ card.title }} {{ card.price | money }}{% endfor %}",
                "{% set shelf = category(path=\"table\") %}{{ shelf.title }} {{ shelf.total }}{% for row in data(path=\"sizes.csv\") %}{{ row.Chest }}{% endfor %}",
            ];
            format!("{{{{ page.title }}}}{}", calls[turn as usize - 1])
        });
        on(Matter::Style, "static/shop.css", &|turn| format!("body{{margin:{turn}px}}"));
        // Words that nothing says are an error.
        let says_size = self.things.iter().flatten().any(|thing| thing.variants > 0);
        on(Matter::Words, "content/words.de.toml", &|turn| {
            let size = if says_size { format!("\"Size\" = \"Maß {turn}\"\n") } else { String::new() };
            format!("\"VAT\" = \"MwSt {turn}\"\n{size}")
        });
        on(Matter::Page, "content/pages/terms.md", &|turn| format!("+++\ntitle = \"Terms {turn}\"\n+++\nFair.\n"));
        on(Matter::Promotion, "content/promotions/ten.toml", &|turn| {
            format!("title = \"Ten\"\ncode = \"TEN\"\npercentage = \"1{turn}\"\n")
        });
        on(Matter::History, "price-history.jsonl", &|turn| {
            let line = |number: usize| {
                format!(
                    "{{\"sku\":\"T{number}\",\"market\":\"eu\",\"currency\":\"EUR\",\"minor\":{},\"from\":\"2026-10-20T00:00:00Z\"}}\n",
                    990 + turn
                )
            };
            (0..THINGS).map(line).collect()
        });
        on(Matter::Stock, "stock.csv", &|turn| format!("sku,on_hand,reserved\nT0,{},0\nT1,{},1\nT2-1,0,0\n", turn - 1, turn));
        add("content/data/sizes.csv".to_owned(), format!("Size,Chest\nS,{}\n", self.turn(Matter::Data)));
        let lines = |at: u32| {
            format!(
                "{{\"title\": \"Mug {at}\", \"slug\": \"mug-{at}\", \"sku\": \"M{at}\", \"price\": {}.50, \"categories\": [\"table\"]}}\n",
                3 + at
            )
        };
        add(
            "own.jsonl".to_owned(),
            "{\"title\": \"Shown\", \"sku\": \"S\", \"price\": 9}\n".to_owned()
                + &(0..self.turn(Matter::Lines)).map(lines).collect::<String>(),
        );
        let mut files: BTreeMap<String, Vec<u8>> = files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
        for side in [9, 12] {
            files.insert(format!("static/images/p{}.png", side % 2), png(side));
        }
        files
    }
}

/// What a build leaves: pages and the rest of the output by their paths, and the bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub public: BTreeMap<String, Vec<u8>>,
    pub bundle: Vec<u8>,
}

impl Left {
    /// Files that differ from another's, or are only in one of the two.
    pub fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let all = self.public.keys().chain(other.public.keys());
        let mut names: Vec<&str> =
            all.filter(|name| self.public.get(*name) != other.public.get(*name)).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if self.bundle != other.bundle {
            names.push("the bundle");
        }
        names
    }
}

/// The shop as a folder.
pub struct Altered {
    folder: tempfile::TempDir,
    written: BTreeMap<String, Vec<u8>>,
    pub model: Model,
}

impl Altered {
    pub fn new() -> Self {
        let mut shop = Self { folder: tempfile::tempdir().expect("a folder"), written: BTreeMap::new(), model: Model::default() };
        shop.write();
        shop
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the folder what the model is.
    pub fn write(&mut self) {
        let files = self.model.files();
        for path in self.written.keys().filter(|path| !files.contains_key(*path)) {
            fs::remove_file(self.path().join(path)).expect("removed");
        }
        for (path, bytes) in files.iter().filter(|(path, bytes)| self.written.get(*path) != Some(bytes)) {
            let path = self.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, bytes).expect("written");
            let time = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
            File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("its time is set");
        }
        self.written = files;
    }

    /// A build of the model as it is, on its day and with its units.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = vitrine(self.path());
        let day = DAYS[self.model.turn(Matter::Day) as usize % DAYS.len()];
        // What was written a moment ago counts as old: the caches are what is tried here.
        command.env("VITRINE_LATER_MS", "60000").args(["build", "--as-of", day]).args(words);
        if self.written.contains_key("stock.csv") {
            command.args(["--stock", "stock.csv"]);
        }
        command
    }

    /// Builds; gives what was told to people.
    pub fn build(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("the binary runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}\n{:?}", self.model);
        told
    }

    /// A build that meets a fault of the disk; gives its exit code, none where it was killed.
    pub fn faulty_build(&self, fault: &str) -> Option<i32> {
        self.command(&[]).env("VITRINE_DISK_FAULT", fault).output().expect("the binary runs").status.code()
    }

    /// What lies in the output now.
    pub fn left(&self) -> Left {
        self.left_in("public", "shop.bundle")
    }

    fn left_in(&self, public: &str, bundle: &str) -> Left {
        Left { public: tree(&self.path().join(public)), bundle: fs::read(self.path().join(bundle)).expect("a bundle") }
    }

    /// What a build from nothing gives, by one thread.
    pub fn built_anew(&self) -> Left {
        let _ = fs::remove_dir_all(self.path().join("clean"));
        self.build(&["--no-cache", "--out", "clean", "--bundle", "clean.bundle", "--threads", "1"]);
        self.left_in("clean", "clean.bundle")
    }

    /// Fails unless the output is exactly that.
    pub fn is(&self, wanted: &Left) {
        let left = self.left();
        let differing = left.differing(wanted);
        assert!(differing.is_empty(), "these differ from a build from nothing: {differing:?}\n{:?}", self.model);
    }

    /// Whether a pass of renames was begun and not ended.
    pub fn journal_stands(&self) -> bool {
        self.path().join(".public.journal").is_file()
    }

    /// Fails unless the output is that of one of these builds, or half-way to the last of them, each file a whole one. Pages are never
    /// ahead of the bundle.
    pub fn is_whole(&self, known: &[Left]) {
        let left = self.left();
        assert!(known.iter().any(|one| one.bundle == left.bundle), "the bundle is of none of the builds");
        if !self.journal_stands() {
            let found = known.iter().rposition(|one| one.public == left.public);
            assert!(found.is_some(), "without a journal: {:?}", known.iter().map(|one| left.differing(one)).collect::<Vec<_>>());
            return;
        }
        let names = known.iter().flat_map(|one| one.public.keys());
        let broken: Vec<&String> = names
            .chain(left.public.keys())
            .filter(|name| known.iter().all(|one| one.public.get(*name) != left.public.get(*name)))
            .collect();
        assert!(broken.is_empty(), "neither old nor new: {broken:?}");
    }

    /// Names of what lies beside the output and is no part of the shop.
    pub fn litter(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).expect("a folder").map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.retain(|name| name.starts_with('.') && name != ".vitrine");
        names.sort();
        names
    }
}
