//! Check: a finished build read again, and everything told that a shopper, a crawler or a cart would stumble over.
//!
//! Owns    the passes over a build's written bytes: files against their manifest, addresses, anchors, pictures, old addresses, titles,
//!         the one-price gate (`price`), and what scripts run beside a card (`scripts`).
//! Knows   the bytes on disk, not the views they were printed from, so that a site's own template is judged too; read by parsers that
//!         share nothing with what wrote them. Addresses of other sites are never fetched.
//! Limits  a page is read, reduced to what is wrong with it, and dropped: memory grows with the number of pages, not with their bytes.

mod addresses;
mod amount;
mod bundle;
pub mod button;
mod coverage;
mod feed;
mod findings;
mod page;
mod price;
pub mod redirects;
mod scripts;
mod search;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use rayon::prelude::*;

pub use self::addresses::EdgeRoutes;
pub use self::addresses::page_address;
use self::addresses::{Addresses, Target};
use self::bundle::Sealed;
use self::feed::Fact;
use self::findings::{Finding, Findings, Sources};
use self::page::{PageFacts, Role};
use self::price::Till;
use self::redirects::Redirects;
use self::scripts::Allowed;
use super::load::Loaded;
use super::manifest::{self, Manifest};
use super::plan::{Page, PageKind, Plan, output_prefix};
use super::problem::{Kind, Problem, Problems};
use crate::commerce::ids::Timestamp;
use crate::theme::bundle::Bundle;

/// Where a market's product feed lies below its prefix.
const PRODUCT_FEED: &str = "feeds/google.xml";

/// A finished build and what it was made from.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// The shop's folder, where content says what pages show.
    pub root: &'a Path,
    /// Where the pages lie.
    pub folder: &'a Path,
    /// What the edge would sell by, opened and proven.
    pub bundle: &'a Bundle,
    /// The file that it was opened from.
    pub bundle_file: BundleFile<'a>,
    /// Which pages there are.
    pub plan: &'a Plan,
    /// What they were printed from.
    pub loaded: &'a Loaded,
    /// The site's own templates: (name, source).
    pub templates: &'a [(String, String)],
    /// Origin of the shop.
    pub base_url: &'a str,
    /// The instant that the build was made for.
    pub at: Timestamp,
    /// Says whether the edge answers a method and path.
    pub is_edge_route: EdgeRoutes<'a>,
}

/// The bundle as it lies on disk.
#[derive(Clone, Copy, Debug)]
pub struct BundleFile<'a> {
    /// What people call it.
    pub name: &'a str,
    /// All of it.
    pub bytes: &'a [u8],
    /// The hash that names it.
    pub hash: &'a str,
}

/// What a check came to.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Everything that is wrong.
    pub problems: Problems,
    /// Pages read.
    pub pages: usize,
    /// Addresses followed.
    pub addresses: usize,
    /// Prices held against what a cart would charge.
    pub prices: usize,
}

/// Reads a build again.
pub fn check(written: &Written<'_>) -> Checked {
    let Some(manifest) = Manifest::read(written.folder) else {
        let mut checked = Checked::default();
        let message = format!("{} has no {} that this version can read", written.folder.display(), manifest::FILE);
        checked.problems.push(Problem::about("", message).of(Kind::File).hint("build again"));
        return checked;
    };
    let lines = std::fs::read_to_string(written.folder.join("_redirects")).unwrap_or_default();
    let redirects = Redirects::read(&lines);
    let old: HashSet<String> = redirects.to.keys().cloned().collect();
    let addresses = Addresses::new(&manifest, written.base_url, old, written.is_edge_route);
    let catalog = &written.loaded.catalog;
    let till = Till::open(written.bundle, written.plan, |index| catalog.products()[index].slug.as_str(), written.at);

    let planned: HashMap<String, &Page> = written.plan.pages.iter().map(|page| (written.plan.path(page), page)).collect();
    let paths: Vec<&str> = manifest.files.keys().filter(|path| page_address(path).is_some()).map(String::as_str).collect();
    let pages: Vec<Option<&Page>> = paths.iter().map(|path| planned.get(*path).copied()).collect();
    let urls: Vec<String> = paths.iter().map(|path| page_address(path).expect("only pages are listed")).collect();

    let reader =
        Reader { written, manifest: &manifest, addresses: &addresses, till: &till, paths: &paths, pages: &pages, urls: &urls };
    let read = (0..paths.len()).into_par_iter().fold(Read::default, |mut read, index| {
        reader.page(index, &mut read);
        read
    });
    let mut read = read.reduce(Read::default, Read::and);
    reader.bundle(&mut read);
    reader.anchors(&mut read);
    reader.files(&mut read);
    reader.old_addresses(redirects, &mut read);
    reader.titles(&mut read);
    redirects::claims(written.loaded, written.plan, &mut read.found);
    coverage::examine(written.loaded, written.plan, &written.bundle.rules, &mut read.found);
    let sources =
        Sources { root: written.root, loaded: written.loaded, templates: written.templates, pages: &pages, urls: &urls };
    let mut problems = sources.problems(read.found);
    let payment = &written.bundle.payment;
    let is_paid_by_stripes_form = payment.gateway == "stripe" && payment.element;
    problems.extend(scripts::examine(written.templates, &Allowed { base_url: written.base_url, is_paid_by_stripes_form }));
    Checked { problems, pages: paths.len(), addresses: read.addresses, prices: read.prices }
}

/// What is kept of pages that were read.
#[derive(Default)]
struct Read {
    found: Findings,
    addresses: usize,
    prices: usize,
    /// Page → where it sends its visitors.
    moved: BTreeMap<usize, String>,
    /// Parts of other pages that are linked to: path of their file → (part, page that links).
    parts: BTreeMap<String, BTreeSet<(String, usize)>>,
    /// (market, title) and (market, description) of pages that robots may index → their pages.
    titles: BTreeMap<(usize, String), Vec<usize>>,
    descriptions: BTreeMap<(usize, String), Vec<usize>>,
}

impl Read {
    fn and(mut self, other: Self) -> Self {
        self.found = self.found.and(other.found);
        self.addresses += other.addresses;
        self.prices += other.prices;
        self.moved.extend(other.moved);
        for (path, parts) in other.parts {
            self.parts.entry(path).or_default().extend(parts);
        }
        for (own, others) in [(&mut self.titles, other.titles), (&mut self.descriptions, other.descriptions)] {
            for (text, pages) in others {
                own.entry(text).or_default().extend(pages);
            }
        }
        self
    }
}

struct Reader<'a> {
    written: &'a Written<'a>,
    manifest: &'a Manifest,
    addresses: &'a Addresses<'a>,
    till: &'a Till<'a>,
    /// Files of pages, their plan and their addresses; a page is named by its place in them.
    paths: &'a [&'a str],
    pages: &'a [Option<&'a Page>],
    urls: &'a [String],
}

impl Reader<'_> {
    fn page(&self, index: usize, read: &mut Read) {
        let path = self.paths[index];
        read.found.turn_to(index);
        let Some(html) = self.text(path, &mut read.found) else { return };
        let page = self.pages[index];
        let is_detail = page.is_some_and(|page| matches!(page.kind, PageKind::Product(_) | PageKind::Content(_)));
        let facts = PageFacts::read(&html, is_detail);
        if let Some(to) = &facts.moved_to {
            read.moved.insert(index, to.clone());
            return;
        }
        self.follow(index, &facts, read);
        self.pictures(index, &facts, &mut read.found);
        match page {
            Some(page) => read.prices += self.till.page(page, &facts, self.addresses, &mut read.found),
            // A page of the merchant's own making, such as a search engine's proof of ownership.
            None if self.written.root.join("static").join(path).is_file() => return,
            None => {
                let message = "the content no longer makes this page".to_owned();
                read.found.add(Finding::new(Kind::File, message).warning().hint("build again"));
            }
        }
        if facts.is_indexed && path != "404.html" {
            let market = page.map_or(0, |page| page.market);
            for (texts, text) in [(&mut read.titles, facts.title), (&mut read.descriptions, facts.description)] {
                texts.entry((market, text)).or_default().push(index);
            }
        }
    }

    // The text of a file, held against what the build has written.
    fn text(&self, path: &str, found: &mut Findings) -> Option<String> {
        let entry = &self.manifest.files[path];
        let bytes = match std::fs::read(self.written.folder.join(path)) {
            Ok(bytes) => bytes,
            Err(error) => {
                found.add(Finding::new(Kind::File, format!("{path} cannot be read: {error}")).hint("build again"));
                return None;
            }
        };
        if bytes.len() as u64 != entry.size || blake3::hash(&bytes) != entry.hash {
            let message = format!("{path} is not as the build wrote it");
            found.add(Finding::new(Kind::File, message).hint("build again; change templates and content, never the output"));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                found.add(Finding::new(Kind::File, format!("{path} is not UTF-8 from byte {at} on")).hint("build again"));
                None
            }
        }
    }

    fn follow(&self, index: usize, facts: &PageFacts, read: &mut Read) {
        let url = &self.urls[index];
        // What programs are told is an address too.
        let in_documents = facts.documents.iter().flat_map(|document| strings_with(document, self.written.base_url));
        let in_documents: Vec<String> = in_documents.collect();
        let named = facts.references.iter().map(|reference| (reference.url.as_str(), reference.role));
        for (written, role) in named.chain(in_documents.iter().map(|url| (url.as_str(), Role::Link))) {
            read.addresses += 1;
            let Target::Here { path, fragment } = self.addresses.target(url, written) else { continue };
            let is_empty_file = written.is_empty() && matches!(role, Role::Picture | Role::File);
            if is_empty_file || !self.addresses.answers(&path, role) {
                read.found.add(nowhere(written, role));
            } else if !fragment.is_empty() && fragment != "top" && matches!(role, Role::Link) {
                let Some(file) = self.addresses.file(&path).filter(|file| file.ends_with(".html")) else { continue };
                if file != self.paths[index] {
                    read.parts.entry(file.to_owned()).or_default().insert((fragment, index));
                } else if !facts.ids.contains(&fragment) {
                    read.found.add(no_part(&fragment, "the page"));
                }
            }
        }
    }

    fn pictures(&self, index: usize, facts: &PageFacts, found: &mut Findings) {
        let is_product = self.pages[index].is_some_and(|page| matches!(page.kind, PageKind::Product(_)));
        let of_product = |src: &str| {
            is_product && facts.documents.iter().any(|document| document.contains("\"image\"") && document.contains(src))
        };
        for picture in &facts.pictures {
            let src = picture.src.as_str();
            match picture.alt.as_deref().map(str::trim) {
                None => {
                    let finding = Finding::new(Kind::AltText, format!("the picture `{src}` has no `alt`")).needle(src);
                    found.add(finding.hint("write what it shows, or alt=\"\" where it only decorates"));
                }
                Some("") if !picture.in_link && !src.is_empty() && of_product(src) => {
                    let message = format!("the picture `{src}` of a product has no text for those who do not see it");
                    let name = src.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
                    let finding = Finding::new(Kind::AltText, message).warning().needle(name);
                    found.add(finding.hint("write images = [{ src = \"…\", alt = \"what it shows\" }]"));
                }
                _ => {}
            }
        }
        for (name, value) in &facts.forbidden {
            let message = format!("`{name}=\"{value}\"` does nothing: the page's Content-Security-Policy forbids it");
            let hint = if name == "style" {
                "write a class, and its rules into templates/theme.css or a style sheet of static/"
            } else {
                "write it into a script of static/, with addEventListener"
            };
            let finding = Finding::new(Kind::Script, message).needle(value).hint(hint);
            found.add(if name == "style" { finding.warning() } else { finding });
        }
        for url in &facts.nameless_links {
            let message = format!("a link to `{url}` holds a picture without a text and nothing else");
            found.add(
                Finding::new(Kind::AltText, message)
                    .warning()
                    .needle(url)
                    .hint("write where the link leads as the picture's `alt`"),
            );
        }
    }

    // Its bytes, read once more by code of our own, and whether they are those of this build.
    fn bundle(&self, read: &mut Read) {
        let mut found = Findings::default();
        let BundleFile { name, bytes, hash } = self.written.bundle_file;
        if let Some(built) = self.manifest.bundle.as_deref().filter(|built| *built != hash) {
            let message = format!("{name} is not the bundle of this build: it is {hash}, the manifest names {built}");
            found.add(Finding::new(Kind::File, message).hint("build again, or name the right one with --bundle"));
        }
        match Sealed::read(bytes) {
            Ok(sealed) => read.prices += self.till.sealed(name, &sealed, &mut found),
            Err(reason) => found.add(Finding::new(Kind::File, format!("{name} cannot be read: {reason}")).hint("build again")),
        }
        read.found = std::mem::take(&mut read.found).and(found);
    }

    // Pages that others link into are read once more: few are.
    fn anchors(&self, read: &mut Read) {
        let found = std::mem::take(&mut read.parts).into_par_iter().map(|(path, parts)| {
            let mut found = Findings::default();
            let html = std::fs::read_to_string(self.written.folder.join(&path)).unwrap_or_default();
            let ids: HashSet<String> = PageFacts::read(&html, true).ids.into_iter().collect();
            let address = page_address(&path).unwrap_or_default();
            for (part, page) in parts.into_iter().filter(|(part, _)| !ids.contains(part)) {
                found.turn_to(page);
                found.add(no_part(&part, &address));
            }
            found
        });
        let found = found.reduce(Findings::default, Findings::and);
        read.found = std::mem::take(&mut read.found).and(found);
    }

    // Planned pages that are not there, files that are missing, and what feeds say.
    fn files(&self, read: &mut Read) {
        let mut found = Findings::default();
        let planned = self.written.plan.pages.iter().map(|page| (page, self.written.plan.path(page)));
        for (page, path) in planned.filter(|(_, path)| !self.manifest.files.contains_key(path)) {
            let message = format!("{} was not built: there is no {path}", page.url);
            found.add(Finding::new(Kind::File, message).hint("build again"));
        }
        for (path, entry) in self.manifest.files.iter().filter(|(path, _)| page_address(path).is_none()) {
            let file = self.written.folder.join(path);
            let size = std::fs::metadata(&file).map(|metadata| metadata.len());
            if !size.as_ref().is_ok_and(|size| *size == entry.size) {
                found.add(Finding::new(Kind::File, format!("{path} is not as the build wrote it")).hint("build again"));
            } else if path.ends_with(".xml") {
                self.feed(path, &file, read, &mut found);
            }
        }
        let products = self.written.loaded.catalog.products().iter().zip(&self.written.plan.shown);
        let shown: Vec<&str> = products.filter(|(_, is_shown)| **is_shown).map(|(product, _)| product.slug.as_str()).collect();
        for page in self.written.plan.pages.iter().filter(|page| matches!(page.kind, PageKind::Search)) {
            let (market, rules) = (page.market, &self.written.bundle.rules);
            if market >= rules.markets.len() {
                continue;
            }
            let head = format!("{}search.json", output_prefix(rules, market));
            let id = rules.markets[market].id.to_string();
            let index = search::Index { folder: self.written.folder, manifest: self.manifest, head: &head, market, id: &id };
            read.prices += index.examine(self.till, &shown, &mut found);
        }
        read.found = std::mem::take(&mut read.found).and(found);
    }

    fn feed(&self, path: &str, file: &Path, read: &mut Read, found: &mut Findings) {
        let (mut followed, mut prices) = (0, 0);
        let market = self.market_of_feed(path);
        let mut stated_names = BTreeSet::new();
        let tell = |fact: Fact| match fact {
            Fact::Address(url, role) => {
                followed += 1;
                if let Target::Here { path: to, .. } = self.addresses.target("/", &url)
                    && !self.addresses.answers(&to, role)
                {
                    found.add(Finding::new(Kind::Link, format!("{path} names `{url}`, where nothing is")).hint("build again"));
                }
            }
            Fact::Price(stated) => {
                prices += self.till.file(market, &stated, found);
                if market.is_some() {
                    stated_names.insert(stated.sku);
                }
            }
        };
        let result = match File::open(file) {
            Ok(input) => feed::read(BufReader::new(input), self.written.at, tell),
            Err(error) => Err(error.to_string()),
        };
        let is_whole = result.is_ok();
        if let Err(reason) = result {
            found.add(Finding::new(Kind::File, format!("{path} cannot be read: {reason}")).hint("build again"));
        }
        if let Some(market) = market.filter(|_| is_whole) {
            let is_there = |url: &str| match self.addresses.target("/", url) {
                Target::Here { path, .. } => self.addresses.answers(&path, Role::Picture),
                Target::Outside => true,
            };
            self.till.feed_lacks(market, path, &stated_names, is_there, found);
        }
        read.addresses += followed;
        read.prices += prices;
    }

    // The market whose product feed a file is; `None`: it is none, or one of the merchant's own making.
    fn market_of_feed(&self, path: &str) -> Option<usize> {
        let rules = &self.written.bundle.rules;
        let is_own = self.written.root.join("static").join(path).is_file();
        let is_of = |market: &usize| path.strip_prefix(&output_prefix(rules, *market)) == Some(PRODUCT_FEED);
        (0..rules.markets.len()).find(is_of).filter(|_| !is_own)
    }

    fn old_addresses(&self, mut redirects: Redirects, read: &mut Read) {
        for (page, to) in &read.moved {
            // A page names the whole address, `_redirects` the path.
            match self.addresses.target(&self.urls[*page], to) {
                Target::Here { path, .. } => redirects.add(&self.urls[*page], &path),
                Target::Outside => redirects.add(&self.urls[*page], to),
            }
        }
        // What the manifest holds at an address is a page, unless it moves its visitors on.
        let moved: HashSet<&str> = read.moved.keys().map(|page| self.paths[*page]).collect();
        let is_page = |address: &str| self.addresses.file(address).is_some_and(|file| !moved.contains(file));
        let mut found = Findings::default();
        redirects.examine(self.addresses, is_page, &mut found);
        read.found = std::mem::take(&mut read.found).and(found);
    }

    fn titles(&self, read: &mut Read) {
        let mut found = Findings::default();
        for (texts, what) in [(&read.titles, "title"), (&read.descriptions, "description")] {
            for ((_, text), pages) in texts.iter().filter(|((_, text), pages)| pages.len() > 1 && !text.is_empty()) {
                let hint = "give each its own `seo_title` or `seo_description`, so that people can tell results apart";
                for page in pages {
                    found.turn_to(*page);
                    found.add(Finding::new(Kind::Title, format!("several pages have the {what} `{text}`")).warning().hint(hint));
                }
            }
        }
        for page in read.titles.iter().filter(|((_, text), _)| text.is_empty()).flat_map(|(_, pages)| pages) {
            found.turn_to(*page);
            found.add(Finding::new(Kind::Title, "a page has no title".to_owned()).hint("write <title> in its template"));
        }
        read.found = std::mem::take(&mut read.found).and(found);
    }
}

fn nowhere(url: &str, role: Role) -> Finding {
    match role {
        Role::Link => Finding::new(Kind::Link, format!("`{url}` is linked, and nothing is there")),
        Role::Form { is_post: true } => Finding::new(Kind::Link, format!("a form is sent to `{url}`, which takes none")),
        Role::Form { is_post: false } => Finding::new(Kind::Link, format!("a form leads to `{url}`, and nothing is there")),
        Role::Picture => Finding::new(Kind::Image, format!("the picture `{url}` is shown, and there is no such file")),
        Role::File => Finding::new(Kind::Link, format!("`{url}` is loaded, and there is no such file")),
    }
    .needle(url)
}

fn no_part(part: &str, url: &str) -> Finding {
    let message = format!("`#{part}` is linked, and {url} has no element with that id");
    Finding::new(Kind::Anchor, message).needle(&format!("#{part}"))
}

// Texts of a JSON document that begin so; found without reading the document whole, since pages hold many.
fn strings_with(document: &str, start: &str) -> Vec<String> {
    let quoted = format!("\"{start}");
    let text = |(at, _): (usize, &str)| {
        let value = serde_json::Deserializer::from_str(&document[at..]).into_iter::<String>().next();
        value.and_then(Result::ok)
    };
    document.match_indices(&quoted).filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::strings_with;

    #[test]
    fn addresses_in_a_document_are_texts_of_it() {
        let document = r#"{"url":"https://s.example/a?b\u0026c","item":["https://s.example/d","https://t.example"]}"#;
        assert_eq!(strings_with(document, "https://s.example"), ["https://s.example/a?b&c", "https://s.example/d"]);
    }
}
