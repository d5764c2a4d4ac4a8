//! Search: an index of what is shown, in small files that a browser fetches as it needs them.
//!
//! Owns    the files below, per market, and their bytes. static/search.js reads them; `vitrine check` reads the prices in them.
//! Shape   JSON. Products are numbered from 0 by first category, title and address: what stands on one shelf stands together, so that a
//!         list of results needs few files. Names are those of `Head`, `Words`, `Postings`, `Filters`, `Cards` and `Columns`:
//!
//! | file | one for | holds |
//! |---|---|---|
//! | `PREFIX/search.json` | a market | the head: its currency, how many products, and the other files by the first of what each holds |
//! | `words-N`, `words-LANGUAGE-N` | many words; the first market's language has the plain names | words in order, those with a digit last |
//! | `postings-N`, `postings-LANGUAGE-N` | some words | the products of each word, by where it stands: title, brand, elsewhere |
//! | `filters-MARKET` | a market | categories with their products, facets with their values |
//! | `cards-MARKET-N` | `CARDS` products | what a result shows: address, title, picture, price as pages print it, the end of a sale and the price after it |
//! | `columns-MARKET-N` | `COLUMNS` products | what results are filtered and sorted by: price in minor units, stock, age, values of facets |
//!
//! All but the head lie in `a/search/` as `NAME.HASH.json` and may be kept for ever. A list of product numbers is written as the steps
//! from one to the next, beginning from 0: `[3, 7, 8]` is `3, 4, 1`.
//! Limits  one price edit touches one file of cards, one of columns, and the head.
//! Always  the same products give the same bytes; prices are those of `Printer::offers`, as on every page. What a result shows changes at
//!         the second at which a sale ends, as a card does; its place among others and the filters that find it are as of the build.

mod documents;
mod files;
mod index;
mod words;

use rayon::prelude::*;

pub use self::files::{Cards, Category, Columns, FacetEntry, FacetValue, Filters, Head, Postings, Sale, Words};

use self::documents::Documents;
use self::index::Index;
use super::facets::{self, Facet, FacetSource, Values};
use super::render::Printer;
use super::write::{Put, WriteError};
use crate::commerce::rules::Market;

/// Products of one file of cards: about 6 kB on the wire.
pub const CARDS: usize = 160;
/// Products of one file of columns: about 10 kB on the wire.
pub const COLUMNS: usize = 2048;

/// Writes one file: path below the output folder, bytes.
pub type Writer<'a> = dyn Fn(&str, &[u8]) -> Result<Put, WriteError> + Sync + 'a;

/// Path of a market's head below the output folder.
pub fn head_path(prefix: &str) -> String {
    format!("{prefix}/search.json").trim_start_matches('/').to_owned()
}

/// Makes every file of every market's index.
pub fn write(printer: &Printer<'_>, put: &Writer<'_>) -> Result<Vec<Put>, WriteError> {
    let documents = Documents::new(printer.loaded, &printer.plan.shown);
    let folder = Folder { put };
    let mut puts = Vec::new();
    let mut spoken: Vec<Spoken> = Vec::new();
    for (number, market) in printer.rules.markets.iter().enumerate() {
        // Where nothing is translated, every language searches the same words.
        let language = if is_translated(printer) { &market.language } else { &printer.rules.root_market().language };
        let place = match spoken.iter().position(|other| other.language == *language) {
            Some(place) => place,
            None => {
                let (found, more) = Spoken::new(printer, &documents, &folder, language)?;
                puts.extend(more);
                spoken.push(found);
                spoken.len() - 1
            }
        };
        let Spoken { words, postings, first_code, categories, name_ranks, .. } = &spoken[place];
        let facets = market_facets(printer, number, market);
        let filters =
            Filters { categories, facets: facets.iter().map(|(facet, values)| entry(printer, market, facet, values)).collect() };
        let (filters, more) = folder.all(&format!("filters-{}", market.id), vec![((), filters)])?;
        puts.extend(more);
        let cards = documents.parts(CARDS).map(|(first, part)| (first, move || files::cards(printer, number, first, part)));
        let (cards, more) = folder.made(&format!("cards-{}", market.id), cards.collect())?;
        puts.extend(more);
        let columns = documents.parts(COLUMNS).map(|(first, part)| {
            let facets = &facets;
            (first, move || files::columns(printer, number, first, part, name_ranks, facets))
        });
        let (columns, more) = folder.made(&format!("columns-{}", market.id), columns.collect())?;
        puts.extend(more);
        let head = Head {
            format: files::FORMAT,
            market: market.id.as_str(),
            currency: market.currency.code(),
            language: &market.language,
            spoken: spoken_name(printer, &spoken[place].language),
            texts: files::script_texts(&printer.sites[number].texts),
            products: documents.order.len(),
            first_code: *first_code,
            words: words.iter().map(|((first, word), hash)| (*first, word.clone(), hash.clone())).collect(),
            postings: postings.clone(),
            filters: filters.into_iter().map(|(_, hash)| hash).next().unwrap_or_default(),
            cards_each: CARDS,
            cards: cards.into_iter().map(|(_, hash)| hash).collect(),
            columns_each: COLUMNS,
            columns: columns.into_iter().map(|(_, hash)| hash).collect(),
        };
        puts.push((folder.put)(&head_path(&super::plan::prefix(printer.rules, number)), &files::bytes(&head))?);
    }
    Ok(puts)
}

/// What is searched in one language.
struct Spoken {
    language: String,
    words: Named<(usize, String)>,
    postings: Named<usize>,
    first_code: usize,
    categories: Vec<Category>,
    name_ranks: Vec<u32>,
}

impl Spoken {
    fn new(
        printer: &Printer<'_>,
        documents: &Documents,
        folder: &Folder<'_>,
        language: &str,
    ) -> Result<(Self, Vec<Put>), WriteError> {
        let index = Index::new(printer.loaded, documents, &printer.rules.words, language);
        let name = |plain: &str| format!("{plain}{}", spoken_name(printer, language));
        let (words, mut puts) = folder.all(&name("words"), index.vocabulary())?;
        let (postings, more) = folder.all(&name("postings"), index.postings())?;
        puts.extend(more);
        let spoken = Self {
            words,
            postings,
            first_code: index.first_code,
            categories: documents.categories(printer.loaded, &printer.plan.shelves, language),
            name_ranks: documents.name_ranks(printer.loaded, language),
            language: language.to_owned(),
        };
        Ok((spoken, puts))
    }
}

// What stands in names of files after `words` and `postings`.
fn spoken_name(printer: &Printer<'_>, language: &str) -> String {
    if language == printer.rules.root_market().language { String::new() } else { format!("-{language}") }
}

fn is_translated(printer: &Printer<'_>) -> bool {
    let catalog = &printer.loaded.catalog;
    printer.rules.words != Default::default()
        || catalog.products().iter().any(|product| !product.translations.is_empty())
        || catalog.categories().iter().any(|category| !category.translations.is_empty())
}

/// Where files go whose names change with their bytes.
struct Folder<'a> {
    put: &'a Writer<'a>,
}

/// What each file begins with, and its hash.
type Named<K> = Vec<(K, String)>;

impl Folder<'_> {
    fn all<K: Send, T: serde::Serialize + Send>(
        &self,
        name: &str,
        parts: Vec<(K, T)>,
    ) -> Result<(Named<K>, Vec<Put>), WriteError> {
        self.made(name, parts.into_iter().map(|(key, part)| (key, move || part)).collect())
    }

    // Each part is made, written and dropped: never are all held.
    fn made<K: Send, T: serde::Serialize, F: FnOnce() -> T + Send>(
        &self,
        name: &str,
        parts: Vec<(K, F)>,
    ) -> Result<(Named<K>, Vec<Put>), WriteError> {
        let write = |(number, (key, make)): (usize, (K, F))| {
            let bytes = files::bytes(&make());
            let hash = blake3::hash(&bytes).to_hex()[..8].to_owned();
            let put = (self.put)(&format!("a/search/{name}-{number}.{hash}.json"), &bytes)?;
            Ok(((key, hash), put))
        };
        let done: Result<Vec<_>, WriteError> = parts.into_par_iter().enumerate().map(write).collect();
        Ok(done?.into_iter().unzip())
    }
}

/// What results are filtered by: the shop's facets, and brand and price where these are none of them.
fn market_facets(printer: &Printer<'_>, number: usize, market: &Market) -> Vec<(Facet, Values)> {
    let shop =
        facets::Shop { loaded: printer.loaded, shown: &printer.plan.shown, markets: &printer.rules.markets, at: printer.at };
    let mut facets: Vec<Facet> = printer.settings.facets.clone();
    let is_free = |facets: &[Facet], name: &str| facets.iter().all(|facet| facet.name != name);
    if !facets.iter().any(|facet| facet.source == FacetSource::Brand) && is_free(&facets, "brand") {
        let (name, label) = ("brand".to_owned(), printer.sites[number].texts.plain("finder.brand").to_owned());
        facets.insert(0, Facet { name, label, source: FacetSource::Brand, min_products: 1 });
    }
    let has_bands = |facet: &Facet| matches!(&facet.source, FacetSource::Price { bands } if bands.contains_key(&market.currency));
    let is_priced = facets.iter().any(has_bands);
    facets.retain(|facet| !matches!(facet.source, FacetSource::Price { .. }) || has_bands(facet));
    let mut valued: Vec<(Facet, Values)> = facets.into_iter().map(|facet| (facet.clone(), shop.values(&facet, number))).collect();
    if !is_priced && valued.iter().all(|(facet, _)| facet.name != "price") {
        let limits = documents::usual_bands(printer.loaded, &printer.plan.shown, market.currency, printer.at);
        let source = FacetSource::Price { bands: [(market.currency, limits.clone())].into() };
        let (name, label) = ("price".to_owned(), printer.sites[number].texts.plain("finder.price").to_owned());
        valued.push((Facet { name, label, source, min_products: 1 }, shop.banded(market, &limits)));
    }
    valued.retain(|(_, values)| !values.all.is_empty());
    valued
}

fn entry<'a>(printer: &'a Printer<'_>, market: &Market, facet: &'a Facet, values: &'a Values) -> FacetEntry<'a> {
    let say = |text: &'a str| printer.rules.words.say(&market.language, text);
    let value = |value: &'a facets::Value| FacetValue { slug: &value.slug, label: say(&value.label) };
    FacetEntry { name: &facet.name, label: say(&facet.label), values: values.all.iter().map(value).collect() }
}
