//! Sitemap: every page that may be found, with its pictures, its other languages and, where it is known, the day it changed.
//!
//! Limits  a file holds `MAX_ADDRESSES` pages and `MAX_BYTES`, a page `MAX_PICTURES` pictures; what is more goes into further files
//!         under an index. One file is held in memory at a time.
//! Source  sitemaps.org protocol 0.9; Google's extensions for images (1.1) and for localised pages (xhtml:link).

use rayon::prelude::*;

use super::xml::Xml;
use super::{changed_at, rfc3339};
use crate::commerce::catalog::Product;
use crate::commerce::ids::Timestamp;
use crate::site::keys::{Key, Keys};
use crate::site::load::Loaded;
use crate::site::plan::{Page, PageKind};
use crate::site::render::Printer;

/// Addresses one file holds (sitemaps.org: 50,000).
const MAX_ADDRESSES: usize = 50_000;
/// Bytes of one file. sitemaps.org allows 50 MiB; some hosts take no file of 25 MiB, and of smaller ones fewer are read again.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Pictures of one page (Google: 1,000).
const MAX_PICTURES: usize = 1_000;
/// Pages that one thread makes a key of.
const KEY_PART: usize = 1_024;

const INDEX: &str = "sitemap.xml";
const PROTOCOL: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";
const END: &str = "</urlset>";

/// What one file may hold.
#[derive(Clone, Copy, Debug)]
struct Limits {
    addresses: usize,
    bytes: usize,
}

/// What a sitemap says of a page.
trait Entries {
    /// Whether it may be found.
    fn lists(&self, page: &Page) -> bool {
        !matches!(page.kind, PageKind::NotFound | PageKind::Search | PageKind::Redirect { .. })
    }
    /// Its element.
    fn write(&self, xml: &mut Xml, page: &Page);
}

/// The key of all that the sitemap's files say.
pub fn key(printer: &Printer<'_>, keys: &Keys) -> Key {
    let of_part = |pages: &[Page]| {
        let mut key = keys.hasher();
        for page in pages.iter().filter(|page| printer.lists(page)) {
            key.number(page.market as u64).text(&page.url);
            let changed_at = page_changed_at(printer.loaded, page);
            key.number(u64::from(changed_at.is_some())).number(changed_at.map_or(0, |at| at.0) as u64);
            if let PageKind::Product(index) = page.kind {
                let pictures = pictures(&printer.loaded.catalog.products()[index]);
                key.number(pictures.len() as u64);
                pictures.into_iter().for_each(|url| {
                    key.text(url);
                });
            }
        }
        key.finish()
    };
    let parts: Vec<Key> = printer.plan.pages.par_chunks(KEY_PART).map(of_part).collect();
    let mut key = keys.hasher();
    key.text(INDEX);
    parts.iter().for_each(|part| {
        key.key(part);
    });
    key.finish()
}

/// The files of a sitemap that says the same as the last one, where all of them lie there as they were left. `had` says whether the last
/// build made a file, `keep` keeps it.
pub fn kept<T>(had: impl Fn(&str) -> bool, keep: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let parts = (1..).map(part_name).take_while(|path| had(path));
    std::iter::once(INDEX.to_owned()).chain(parts).map(|path| keep(&path)).collect()
}

/// The sitemap's files, one after the other: (path below the output folder, bytes).
pub fn files<'a>(printer: &'a Printer<'a>) -> impl Iterator<Item = (String, Vec<u8>)> + 'a {
    let limits = Limits { addresses: MAX_ADDRESSES, bytes: MAX_BYTES };
    Files { pages: &printer.plan.pages, entries: printer, base_url: &printer.shop.base_url, limits, parts: 0, is_done: false }
}

impl Entries for Printer<'_> {
    fn write(&self, xml: &mut Xml, page: &Page) {
        let base_url = &self.shop.base_url;
        xml.open("url").address("loc", base_url, &page.url);
        if let Some(at) = page_changed_at(self.loaded, page) {
            xml.element("lastmod", &rfc3339(at));
        }
        for (tag, address) in self.alternates(page) {
            xml.raw("<xhtml:link rel=\"alternate\" hreflang=\"").text(&tag).raw("\" href=\"");
            xml.in_address(base_url, &address).raw("\"/>");
        }
        if let PageKind::Product(index) = page.kind {
            for url in pictures(&self.loaded.catalog.products()[index]).into_iter().filter_map(|url| self.picture_url(url)) {
                xml.open("image:image").address("image:loc", base_url, &url).close("image:image");
            }
        }
        xml.close("url");
    }
}

// Only a product says when it changed; a shelf changes with what stands on it.
fn page_changed_at(loaded: &Loaded, page: &Page) -> Option<Timestamp> {
    match page.kind {
        PageKind::Product(index) => changed_at(loaded, index),
        _ => None,
    }
}

// The product's own picture and those of its variants, each once. The rest of its gallery stands on its page, which names them all;
// reading every page's details for it would cost each build more than all other lines of the sitemap.
fn pictures(product: &Product) -> Vec<&str> {
    let mut urls: Vec<&str> = Vec::new();
    for image in product.image.iter().chain(product.variants.iter().filter_map(|variant| variant.image.as_deref())) {
        if !urls.contains(&image.url.as_str()) && urls.len() < MAX_PICTURES {
            urls.push(&image.url);
        }
    }
    urls
}

struct Files<'a, E> {
    /// Those that no file holds yet.
    pages: &'a [Page],
    entries: &'a E,
    base_url: &'a str,
    limits: Limits,
    /// Files made.
    parts: usize,
    is_done: bool,
}

impl<E: Entries> Iterator for Files<'_, E> {
    type Item = (String, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        if self.parts > 0 && self.pages.is_empty() {
            self.is_done = true;
            return Some((INDEX.to_owned(), self.index()));
        }
        let bytes = self.part();
        if self.parts == 0 && self.pages.is_empty() {
            self.is_done = true;
            return Some((INDEX.to_owned(), bytes));
        }
        self.parts += 1;
        Some((part_name(self.parts), bytes))
    }
}

impl<E: Entries> Files<'_, E> {
    // Takes as many pages as one file holds.
    fn part(&mut self) -> Vec<u8> {
        let mut xml = Xml::document();
        xml.raw("<urlset xmlns=\"").raw(PROTOCOL).raw("\" xmlns:image=\"http://www.google.com/schemas/sitemap-image/1.1\"");
        xml.raw(" xmlns:xhtml=\"http://www.w3.org/1999/xhtml\">\n");
        let mut addresses = 0;
        while let Some((page, rest)) = self.pages.split_first() {
            if self.entries.lists(page) {
                let mut entry = Xml::default();
                self.entries.write(&mut entry, page);
                // Two line ends: the entry's and the file's.
                let is_full = addresses == self.limits.addresses || xml.len() + entry.len() + END.len() + 2 > self.limits.bytes;
                if is_full && addresses > 0 {
                    break;
                }
                xml.raw(&entry.into_string()).raw("\n");
                addresses += 1;
            }
            self.pages = rest;
        }
        xml.raw(END);
        xml.into_file()
    }

    fn index(&self) -> Vec<u8> {
        let mut xml = Xml::document();
        xml.raw("<sitemapindex xmlns=\"").raw(PROTOCOL).raw("\">\n");
        for number in 1..=self.parts {
            xml.open("sitemap").address("loc", self.base_url, &format!("/{}", part_name(number))).close("sitemap").raw("\n");
        }
        xml.raw("</sitemapindex>");
        xml.into_file()
    }
}

fn part_name(number: usize) -> String {
    format!("sitemap-{number}.xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes an address and nothing else.
    struct Plain;

    impl Entries for Plain {
        fn write(&self, xml: &mut Xml, page: &Page) {
            xml.address("loc", "https://shop.example", &page.url);
        }
    }

    fn page(url: &str, kind: PageKind) -> Page {
        Page { market: 0, kind, url: url.to_owned() }
    }

    fn files(pages: &[Page], limits: Limits) -> Vec<(String, String)> {
        let files = Files { pages, entries: &Plain, base_url: "https://shop.example", limits, parts: 0, is_done: false };
        files.map(|(name, bytes)| (name, String::from_utf8(bytes).expect("text"))).collect()
    }

    fn names(files: &[(String, String)]) -> Vec<&str> {
        files.iter().map(|(name, _)| name.as_str()).collect()
    }

    const WIDE: Limits = Limits { addresses: MAX_ADDRESSES, bytes: MAX_BYTES };

    #[test]
    fn a_long_sitemap_is_cut_into_files_under_one_index() {
        let pages: Vec<Page> = (0..5).map(|number| page(&format!("/p{number}?a&b"), PageKind::Home)).collect();
        let cut = files(&pages, Limits { addresses: 2, ..WIDE });
        assert_eq!(names(&cut), ["sitemap-1.xml", "sitemap-2.xml", "sitemap-3.xml", "sitemap.xml"]);
        assert!(cut[0].1.contains("<loc>https://shop.example/p0?a&amp;b</loc>"), "{}", cut[0].1);
        let counts: Vec<usize> = cut.iter().map(|(_, text)| text.matches("<loc>").count()).collect();
        assert_eq!(counts, [2, 2, 1, 3]);
        assert!(cut[3].1.contains("<loc>https://shop.example/sitemap-3.xml</loc>"), "{}", cut[3].1);
        assert_eq!(names(&files(&pages, Limits { addresses: 5, ..WIDE })), ["sitemap.xml"]);
    }

    #[test]
    fn a_sitemap_of_too_many_bytes_is_cut_too() {
        let pages: Vec<Page> = (0..4).map(|number| page(&format!("/p{number}"), PageKind::Home)).collect();
        let whole = files(&pages, WIDE)[0].1.len();
        assert_eq!(names(&files(&pages, Limits { bytes: whole, ..WIDE })), ["sitemap.xml"]);
        let cut = files(&pages, Limits { bytes: whole - 1, ..WIDE });
        assert_eq!(names(&cut), ["sitemap-1.xml", "sitemap-2.xml", "sitemap.xml"]);
        assert!(cut.iter().all(|(_, text)| text.len() < whole));
        // A page that is too long alone stands alone.
        assert_eq!(files(&pages, Limits { bytes: 1, ..WIDE }).len(), 5);
    }

    #[test]
    fn the_limits_are_those_of_the_protocol() {
        let pages = |count: usize, end: &str| -> Vec<Page> {
            (0..count).map(|number| page(&format!("/p{number}{end}"), PageKind::Home)).collect()
        };
        let whole = files(&pages(50_000, ""), WIDE);
        assert_eq!(names(&whole), ["sitemap.xml"], "so many addresses one file may hold");
        let cut = files(&pages(50_001, ""), WIDE);
        assert_eq!(names(&cut), ["sitemap-1.xml", "sitemap-2.xml", "sitemap.xml"]);
        let counts: Vec<usize> = cut.iter().map(|(_, text)| text.matches("<loc>").count()).collect();
        assert_eq!(counts, [50_000, 1, 2]);
        let long = files(&pages(30_000, &"x".repeat(2_000)), WIDE);
        assert!(long.len() > 2 && long.iter().all(|(_, text)| text.len() <= 52_428_800), "50 MiB is what a file may hold");
        let addresses: usize = long.iter().map(|(_, text)| text.matches("/p").count()).sum();
        assert_eq!(addresses, 30_000);
    }

    #[test]
    fn a_sitemap_is_kept_as_a_whole_or_not_at_all() {
        let kept = |had: &[&str], there: &[&str]| {
            kept(|path| had.contains(&path), |path| there.contains(&path).then(|| path.to_owned())).map(|files| files.len())
        };
        let all = ["sitemap.xml", "sitemap-1.xml", "sitemap-2.xml"];
        assert_eq!(kept(&all, &all), Some(3));
        assert_eq!(kept(&all[..1], &all[..1]), Some(1));
        for there in [&all[..2], &all[1..], &[]] {
            assert_eq!(kept(&all, there), None, "{there:?}");
        }
    }

    #[test]
    fn redirects_and_the_error_page_are_in_no_sitemap() {
        let to = "/products/lamp".to_owned();
        let pages = [page("/", PageKind::Home), page("/404", PageKind::NotFound), page("/old", PageKind::Redirect { to })];
        let cut = files(&pages, Limits { addresses: 1, ..WIDE });
        assert_eq!(names(&cut), ["sitemap.xml"], "what is not listed fills no file");
        assert_eq!(cut[0].1.matches("<loc>").count(), 1);
    }
}
