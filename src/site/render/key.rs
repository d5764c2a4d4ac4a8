//! Key: what a page is printed from, as a hash, without printing it.
//!
//! Always  all that a template can read through `page` goes in: what was read of the product or category, the way to it, the price and
//!         availability of each variant at the build's instant, and the cards of products beside it. What every page reads (`site`,
//!         templates, files of static/, rules) is the base that `Keys` begins with.
//! Why     not the printed values themselves: making them costs more than printing half the page.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::Printer;
use super::functions::{product_index, shown};
use super::reads::Read;
use crate::commerce::catalog::{CurrentPrice, Image};
use crate::commerce::ids::CategoryPath;
use crate::site::keys::{Key, KeyHasher, Keys};
use crate::site::plan::{Page, PageKind};
use crate::theme::view::Link;

/// Hashes of what pages share, per market.
#[derive(Debug)]
pub struct Shared {
    /// Of each product's card; same order as the catalogue's products.
    cards: Vec<Key>,
    /// Of each category's own text, trail and children; same order as the catalogue's categories.
    categories: Vec<Key>,
    /// Of lists that functions gave: many pages ask for the same.
    lists: Mutex<HashMap<Read, Key>>,
}

impl Printer<'_> {
    /// Hashes of what the pages of a market share.
    pub fn shared_keys(&self, market: usize, keys: &Keys) -> Shared {
        let products = self.loaded.catalog.products();
        Shared {
            cards: (0..products.len()).into_par_iter().map(|index| self.card_key(market, index, keys)).collect(),
            categories: (0..self.loaded.categories.len()).map(|index| self.category_key(market, index, keys)).collect(),
            lists: Mutex::default(),
        }
    }

    /// The key of a page; `None` for the few that are always printed. `shared` is that of the page's market.
    pub fn key(&self, page: &Page, shared: &Shared, keys: &Keys) -> Option<Key> {
        let mut key = keys.hasher();
        key.number(page.market as u64);
        match &page.kind {
            PageKind::Product(index) => {
                let product = &self.loaded.catalog.products()[*index];
                key.key(&self.loaded.products[*index].hash);
                if let Some(shelf) = self.plan.home_shelves[*index] {
                    key.key(&shared.categories[shelf]);
                }
                let currency = self.rules.markets[page.market].currency;
                for variant in &product.variants {
                    let current = variant.current_price(currency, self.at);
                    add_price(&mut key, current);
                    // What follows a sale is shown to the script.
                    add_price(&mut key, current.and_then(|price| variant.current_price(currency, price.until?)));
                    key.number(self.availability(variant).rank().into());
                }
                for other in self.related(*index) {
                    key.key(&shared.cards[other]);
                }
            }
            PageKind::Category { index, number, count } => {
                key.key(&shared.categories[*index]).number(*number as u64).number(*count as u64);
                key.number(self.plan.shelves[*index].len() as u64);
                self.add_facets(&mut key, page.market, *index);
                for product in self.shelf_part(&self.plan.shelves[*index], *number) {
                    key.key(&shared.cards[*product]);
                }
            }
            PageKind::Facet { shelf, number, count } => {
                let cut = &self.plan.facet_shelves.all[*shelf];
                key.key(&shared.categories[cut.category]).number(*number as u64).number(*count as u64);
                key.number(cut.facet as u64).text(&cut.value.slug);
                self.add_facets(&mut key, page.market, cut.category);
                for product in self.shelf_part(&cut.products, *number) {
                    key.key(&shared.cards[*product]);
                }
            }
            _ => return None,
        }
        Some(key.finish())
    }

    /// The key of a page that asked functions for `reads`, too. What it was given goes in, and that it asked for it.
    pub fn key_with_reads<'r>(&self, key: Key, reads: impl Iterator<Item = &'r Read>, shared: &Shared, keys: &Keys) -> Key {
        let mut whole = None;
        for read in reads {
            let whole = whole.get_or_insert_with(|| {
                let mut hasher = keys.hasher();
                hasher.key(&key);
                hasher
            });
            whole.text(&format!("{read:?}")).key(&self.read_key(read, shared, keys));
        }
        whole.map_or(key, |whole| whole.finish())
    }

    // What a function gives now.
    fn read_key(&self, read: &Read, shared: &Shared, keys: &Keys) -> Key {
        let mut key = keys.hasher();
        let catalog = &self.loaded.catalog;
        match read {
            Read::Data(path) => {
                key.text(&format!("{:?}", self.loaded.data.hash(path)));
            }
            Read::Product(slug) => {
                if let Some(index) = product_index(catalog, slug) {
                    key.number(u64::from(self.plan.shown[index])).key(&shared.cards[index]);
                }
            }
            Read::Category(path) => {
                if let Some(index) = catalog.category_index(&CategoryPath::from(path.clone())) {
                    key.key(&shared.categories[index]).number(self.plan.shelves[index].len() as u64);
                }
            }
            Read::Products { category, limit } => {
                if let Some(known) = shared.lists.lock().unwrap_or_else(PoisonError::into_inner).get(read) {
                    return *known;
                }
                let mut add = |index: usize| {
                    key.key(&shared.cards[index]);
                };
                let limit = limit.unwrap_or(usize::MAX);
                match category {
                    None => shown(self.plan).take(limit).for_each(&mut add),
                    Some(path) => {
                        let shelf = catalog.category_index(&CategoryPath::from(path.clone()));
                        let products = shelf.map_or(&[][..], |index| &self.plan.shelves[index]);
                        products.iter().take(limit).for_each(|index| add(*index));
                    }
                }
                shared.lists.lock().unwrap_or_else(PoisonError::into_inner).insert(read.clone(), key.finish());
            }
        }
        key.finish()
    }

    // What a category can be cut by. What facets are called is in the settings, which every key begins with.
    fn add_facets(&self, key: &mut KeyHasher<'_>, market: usize, category: usize) {
        for (_, shelf) in self.plan.facet_shelves.of(category, market) {
            key.number(shelf.facet as u64).text(&shelf.value.slug).text(&shelf.value.label).number(shelf.products.len() as u64);
        }
    }

    fn card_key(&self, market: usize, index: usize, keys: &Keys) -> Key {
        let product = &self.loaded.catalog.products()[index];
        let offer = &self.offers[market][index];
        let mut key = keys.hasher();
        key.text(product.slug.as_str()).text(self.title(market, index)).text(product.brand.as_deref().unwrap_or("\0"));
        add_image(&mut key, product.image.as_ref());
        add_price(&mut key, offer.cheapest);
        if let Some(per) = offer.per_measure {
            key.text(&format!("{per:?}"));
        }
        if let Some((at, then)) = &offer.after {
            add_price(&mut key, then.cheapest);
            key.number(at.0 as u64).number(u64::from(then.varies)).text(&format!("{:?}", then.per_measure));
        }
        key.number(u64::from(offer.varies)).number(offer.availability.rank().into()).number(product.variants.len() as u64);
        key.finish()
    }

    fn category_key(&self, market: usize, index: usize, keys: &Keys) -> Key {
        let category = &self.loaded.catalog.categories()[index];
        let details = &self.loaded.categories[index];
        let ways = &self.ways[market];
        let mut key = keys.hasher();
        key.text(category.path.as_str()).text(category.title_in(self.language(market))).text(&details.body_markdown);
        key.text(&format!("{:?}", details.translations));
        add_image(&mut key, details.image.as_ref());
        for text in [&details.seo_title, &details.seo_description] {
            key.text(text.as_deref().unwrap_or("\0"));
        }
        for links in [&ways.trails[index], &ways.children[index]] {
            add_links(&mut key, links);
        }
        key.finish()
    }
}

fn add_links(key: &mut KeyHasher<'_>, links: &[Link]) {
    key.number(links.len() as u64);
    for link in links {
        key.text(&link.title).text(&link.url);
    }
}

fn add_image(key: &mut KeyHasher<'_>, image: Option<&Image>) {
    if let Some(image) = image {
        key.text(&image.url)
            .text(&image.alt)
            .number(u64::from(image.width.unwrap_or(0)))
            .number(u64::from(image.height.unwrap_or(0)));
    }
}

fn add_price(key: &mut KeyHasher<'_>, price: Option<CurrentPrice>) {
    match price {
        Some(CurrentPrice { unit, compare_at, is_lowest, until, until_offset_minutes }) => {
            key.number(1).number(unit.minor as u64).number(u64::from(is_lowest)).number(until_offset_minutes as u64);
            for other in [compare_at.map(|struck| struck.minor), until.map(|until| until.0)] {
                key.number(u64::from(other.is_some())).number(other.unwrap_or(0) as u64);
            }
        }
        None => {
            key.number(0);
        }
    }
}
