//! Plan: which pages there are, before any of them is printed. Pure.
//!
//! Owns    addresses, what stands on which shelf, how shelves are cut into pages, redirects. `facets` cuts shelves by what products
//!         have in common.

use std::collections::BTreeSet;

use foldhash::HashMap;
use rayon::prelude::*;

use super::facets::{self, FacetShelves};
use super::load::Loaded;
use super::{BuildSettings, UrlStyle};
use crate::commerce::catalog::{Catalog, Product, ProductStatus};
use crate::commerce::ids::{CategoryPath, Timestamp};
use crate::commerce::rules::Rules;

/// All pages, sorted by market and address, and what stands on each shelf.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The pages.
    pub pages: Vec<Page>,
    /// Whether the product of that index is shown.
    pub shown: Vec<bool>,
    /// Products of each category and all below it: indices by title. Same order as the catalogue's categories.
    pub shelves: Vec<Vec<usize>>,
    /// The same, cut by facets.
    pub facet_shelves: FacetShelves,
    /// The first category of each product, as its index.
    pub home_shelves: Vec<Option<usize>>,
    /// How addresses become paths.
    pub url_style: UrlStyle,
}

impl Plan {
    /// The path of a page below the output folder.
    pub fn path(&self, page: &Page) -> String {
        output_path(&page.url, self.url_style)
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Index of its market.
    pub market: usize,
    /// What it shows.
    pub kind: PageKind,
    /// Address from the root, market prefix included.
    pub url: String,
}

/// What a page shows. Indices are those of the catalogue and of the loaded pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// The market's home.
    Home,
    /// A product.
    Product(usize),
    /// A part of a category's shelf.
    Category {
        /// Which category.
        index: usize,
        /// From 1.
        number: usize,
        /// How many parts there are.
        count: usize,
    },
    /// A part of a shelf that is cut by a facet.
    Facet {
        /// Which of `Plan::facet_shelves`.
        shelf: usize,
        /// From 1.
        number: usize,
        /// How many parts there are.
        count: usize,
    },
    /// Where to search.
    Search,
    /// A content page.
    Content(usize),
    /// What stands where nothing stands.
    NotFound,
    /// An old address; only in the root market.
    Redirect {
        /// Where it leads.
        to: String,
    },
}

/// Addresses of one market.
#[derive(Clone, Copy, Debug)]
pub struct Addresses<'a> {
    /// The market's prefix with a leading slash, or empty.
    pub prefix: &'a str,
}

impl Addresses<'_> {
    /// The home page.
    pub fn home(&self) -> String {
        if self.prefix.is_empty() { "/".to_owned() } else { self.prefix.to_owned() }
    }

    /// A product's page.
    pub fn product(&self, slug: &str) -> String {
        [self.prefix, "/products/", slug].concat()
    }

    /// A part of a category.
    pub fn category(&self, path: &CategoryPath, number: usize) -> String {
        let page = if number > 1 { format!("/{number}") } else { String::new() };
        format!("{}/categories/{path}{page}", self.prefix)
    }

    /// A part of a category that is cut by a facet.
    pub fn facet(&self, path: &CategoryPath, facet: &str, value: &str, number: usize) -> String {
        let page = if number > 1 { format!("/{number}") } else { String::new() };
        format!("{}/categories/{path}/{facet}/{value}{page}", self.prefix)
    }

    /// The search page.
    pub fn search(&self) -> String {
        format!("{}/search", self.prefix)
    }

    /// A content page.
    pub fn content(&self, slug: &str) -> String {
        format!("{}/{slug}", self.prefix)
    }
}

/// The prefix of a market as it stands in addresses.
pub fn prefix(rules: &Rules, market: usize) -> String {
    match rules.markets[market].prefix.as_str() {
        "" => String::new(),
        prefix => format!("/{prefix}"),
    }
}

/// The prefix of a market as it stands before paths below the output folder.
pub fn output_prefix(rules: &Rules, market: usize) -> String {
    match rules.markets[market].prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    }
}

/// Says which pages there are.
pub fn plan(loaded: &Loaded, rules: &Rules, settings: &BuildSettings, at: Timestamp, drafts: bool) -> Plan {
    let catalog = &loaded.catalog;
    let is_shown = |product: &Product| product.is_active(at) || (drafts && product.status == ProductStatus::Draft);
    let shown: Vec<bool> = catalog.products().iter().map(is_shown).collect();
    let places: HashMap<&str, usize> =
        catalog.categories().iter().enumerate().map(|(index, category)| (category.path.as_str(), index)).collect();
    let shelves = shelves(catalog, &places, &shown);
    let facet_shelves = facets::Shop { loaded, shown: &shown, markets: &rules.markets, at }.shelves(
        &settings.facets,
        &shelves,
        settings.page_size,
        settings.max_facet_pages,
    );
    let mut pages = Vec::new();
    for market in 0..rules.markets.len() {
        let prefix = prefix(rules, market);
        let addresses = Addresses { prefix: &prefix };
        let mut add = |kind: PageKind, url: String| pages.push(Page { market, kind, url });
        add(PageKind::Home, addresses.home());
        for (index, product) in catalog.products().iter().enumerate().filter(|(index, _)| shown[*index]) {
            add(PageKind::Product(index), addresses.product(product.slug.as_str()));
        }
        for (index, category) in catalog.categories().iter().enumerate() {
            let count = shelves[index].len().div_ceil(settings.page_size).max(1);
            for number in 1..=count {
                add(PageKind::Category { index, number, count }, addresses.category(&category.path, number));
            }
            for (shelf, cut) in facet_shelves.of(index, market) {
                let count = cut.products.len().div_ceil(settings.page_size);
                for number in 1..=count {
                    let name = &settings.facets[cut.facet].name;
                    add(PageKind::Facet { shelf, number, count }, addresses.facet(&category.path, name, &cut.value.slug, number));
                }
            }
        }
        for (index, page) in loaded.pages.iter().enumerate().filter(|(_, page)| page.slug.as_str() != "index") {
            add(PageKind::Content(index), addresses.content(page.slug.as_str()));
        }
        if settings.search {
            add(PageKind::Search, addresses.search());
        }
        if market == 0 {
            add(PageKind::NotFound, "/404".to_owned());
        }
    }
    add_redirects(&mut pages, loaded, &shown);
    pages.par_sort_by(|one, other| (one.market, &one.url).cmp(&(other.market, &other.url)));
    let first = |product: &Product| places.get(product.categories.first()?.as_str()).copied();
    let home_shelves = catalog.products().par_iter().map(first).collect();
    Plan { pages, shown, shelves, facet_shelves, home_shelves, url_style: settings.url_style }
}

fn shelves(catalog: &Catalog, places: &HashMap<&str, usize>, shown: &[bool]) -> Vec<Vec<usize>> {
    let place = |path: &CategoryPath| places.get(path.as_str()).copied();
    let above: Vec<Option<usize>> = catalog.categories().iter().map(|category| place(&category.path.parent()?)).collect();
    let mut shelves = vec![Vec::new(); catalog.categories().len()];
    for (product_index, product) in catalog.products().iter().enumerate().filter(|(index, _)| shown[*index]) {
        for path in &product.categories {
            let mut shelf = place(path);
            while let Some(index) = shelf {
                shelves[index].push(product_index);
                shelf = above[index];
            }
        }
    }
    let title = |index: &usize| catalog.products()[*index].title.as_str();
    shelves.par_iter_mut().for_each(|shelf: &mut Vec<usize>| {
        shelf.sort_unstable_by(|one, other| (title(one), one).cmp(&(title(other), other)));
        shelf.dedup();
    });
    shelves
}

// An old address that a page has taken over is that page's.
fn add_redirects(pages: &mut Vec<Page>, loaded: &Loaded, shown: &[bool]) {
    if loaded.products.iter().all(|details| details.redirects.is_empty()) {
        return;
    }
    let mut taken: BTreeSet<String> = pages.iter().map(|page| page.url.clone()).collect();
    for (index, details) in loaded.products.iter().enumerate().filter(|(index, _)| shown[*index]) {
        let to = Addresses { prefix: "" }.product(loaded.catalog.products()[index].slug.as_str());
        for from in &details.redirects {
            if taken.insert(from.clone()) {
                pages.push(Page { market: 0, kind: PageKind::Redirect { to: to.clone() }, url: from.clone() });
            }
        }
    }
}

fn output_path(url: &str, style: UrlStyle) -> String {
    let relative = url.strip_prefix('/').unwrap_or(url);
    match style {
        _ if relative.is_empty() => "index.html".to_owned(),
        _ if relative == "404" => "404.html".to_owned(),
        UrlStyle::Flat => [relative, ".html"].concat(),
        UrlStyle::Folder => [relative, "/index.html"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_files_of_both_styles() {
        for (url, flat, folder) in [
            ("/", "index.html", "index.html"),
            ("/products/lamp", "products/lamp.html", "products/lamp/index.html"),
            ("/categories/light/2", "categories/light/2.html", "categories/light/2/index.html"),
            ("/404", "404.html", "404.html"),
            ("/us", "us.html", "us/index.html"),
        ] {
            assert_eq!(
                (output_path(url, UrlStyle::Flat), output_path(url, UrlStyle::Folder)),
                (flat.to_owned(), folder.to_owned())
            );
        }
    }
}
