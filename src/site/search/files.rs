//! Files: the shapes of the index's files, and the values of cards and columns.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::site::CARD_WIDTH;
use crate::site::facets::{Facet, Values};
use crate::site::render::Printer;
use crate::site::render::cards::Offer;
use crate::theme::locale;
use crate::theme::texts::{Text, Texts};
use crate::theme::view::{Availability, PerMeasureView};

/// Raised when a script of another build could misread the files.
pub(super) const FORMAT: u32 = 3;

/// `search.json` of a market.
#[derive(Debug, Serialize)]
pub struct Head<'a> {
    /// See `FORMAT`.
    pub format: u32,
    /// The market's name.
    pub market: &'a str,
    /// ISO 4217, of all amounts.
    pub currency: &'a str,
    /// BCP 47.
    pub language: &'a str,
    /// What follows `words` and `postings` in names of files: the language, where it is not that of the first market.
    pub spoken: String,
    /// What the script says, by group.
    pub texts: BTreeMap<&'static str, &'a BTreeMap<String, Text>>,
    /// How many there are.
    pub products: usize,
    /// Place of the first word with a digit in it.
    pub first_code: usize,
    /// Of each file: place of its first word, the word, hash.
    pub words: Vec<(usize, String, String)>,
    /// Of each file: place of its first word, hash.
    pub postings: Vec<(usize, String)>,
    /// Hash.
    pub filters: String,
    /// Products of one file of cards.
    pub cards_each: usize,
    /// Hashes.
    pub cards: Vec<String>,
    /// Products of one file of columns.
    pub columns_each: usize,
    /// Hashes.
    pub columns: Vec<String>,
}

/// Words in order.
#[derive(Debug, Serialize)]
pub struct Words {
    /// With one blank between them.
    pub words: String,
}

/// The products of words in a row, as steps; a product stands at the best place only.
#[derive(Debug, Default, Serialize)]
pub struct Postings {
    /// In their titles.
    pub title: Vec<Vec<u32>>,
    /// In their brands.
    pub brand: Vec<Vec<u32>>,
    /// In their categories, tags, attributes or options.
    pub other: Vec<Vec<u32>>,
}

/// What results are filtered by.
#[derive(Debug, Serialize)]
pub struct Filters<'a> {
    /// Those with products, sorted by path.
    pub categories: &'a [Category],
    /// In the order to show.
    pub facets: Vec<FacetEntry<'a>>,
}

/// A category with what stands on it and below.
#[derive(Debug, Serialize)]
pub struct Category {
    /// Slugs from the root.
    pub path: String,
    /// What people read.
    pub title: String,
    /// Runs of product numbers: steps from the end of the one before, length, and so on.
    pub products: Vec<u32>,
}

/// A facet.
#[derive(Debug, Serialize)]
pub struct FacetEntry<'a> {
    /// In addresses.
    pub name: &'a str,
    /// What people read.
    pub label: &'a str,
    /// In the order to show.
    pub values: Vec<FacetValue<'a>>,
}

/// A value of a facet.
#[derive(Debug, Serialize)]
pub struct FacetValue<'a> {
    /// In addresses.
    pub slug: &'a str,
    /// What people read.
    pub label: &'a str,
}

/// What results show; lists have one entry per product.
#[derive(Debug, Serialize)]
pub struct Cards {
    /// Number of the first product.
    pub first: usize,
    /// Last part of the address.
    pub slugs: Vec<String>,
    /// Plain text.
    pub titles: Vec<String>,
    /// Address of the first picture.
    pub images: Vec<Option<String>>,
    /// Lowest price as pages print it; `null`: not for sale here.
    pub prices: Vec<Option<String>>,
    /// Struck-out prices by the product's place in the file, as pages print them.
    pub struck: BTreeMap<usize, String>,
    /// What one measure costs, by the product's place in the file, as pages print it; of those whose content is known.
    pub per: BTreeMap<usize, String>,
    /// Sales that end, by the product's place in the file.
    pub sales: BTreeMap<usize, Sale>,
    /// `1` where variants differ in price, else `0`: one digit per product.
    pub varies: String,
    /// One digit per product, see `digit`.
    pub availability: String,
}

/// The end of the sale that a result shows, and what it shows from then on.
#[derive(Debug, Serialize)]
pub struct Sale {
    /// Its last day, as pages print it.
    pub until: String,
    /// Instant (RFC 3339) from which the rest holds.
    pub ends: String,
    /// As in `Cards::prices`.
    pub price: String,
    /// As in `Cards::struck`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub struck: Option<String>,
    /// As in `Cards::per`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// Whether variants differ in price then.
    pub varies: bool,
}

/// What results are filtered and sorted by; lists have one entry per product.
#[derive(Debug, Serialize)]
pub struct Columns {
    /// Number of the first product.
    pub first: usize,
    /// Lowest price in minor units; `null`: not for sale here.
    pub prices: Vec<Option<i64>>,
    /// One digit per product, see `digit`.
    pub availability: String,
    /// Day on which it was published or last changed, counted from 1970; `null`: not known.
    pub days: Vec<Option<i64>>,
    /// Place among all by title.
    pub names: Vec<u32>,
    /// Per facet, in the order of `Filters`: places of its values.
    pub facets: Vec<Vec<Borne>>,
}

/// The values of a facet that a product bears.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Borne {
    /// `null`
    None(()),
    /// A number: most have one.
    One(u32),
    /// A list.
    Many(Vec<u32>),
}

/// The groups of texts that the script prints.
pub(super) fn script_texts(texts: &Texts) -> BTreeMap<&'static str, &BTreeMap<String, Text>> {
    ["finder", "price", "tag"].into_iter().filter_map(|group| Some((group, texts.group(group)?))).collect()
}

/// JSON of a file.
pub(super) fn bytes(file: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(file).expect("texts and numbers always serialise")
}

/// Rising numbers as the steps between them.
pub(super) fn steps(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut last = 0;
    let step = |number: u32| number - std::mem::replace(&mut last, number);
    numbers.map(step).collect()
}

/// Cards of products (indices of the catalogue), the first of which has that number.
pub(super) fn cards(printer: &Printer<'_>, market: usize, first: usize, products: &[usize]) -> Cards {
    let language = &printer.rules.markets[market].language;
    let mut cards = Cards {
        first,
        slugs: Vec::with_capacity(products.len()),
        titles: Vec::with_capacity(products.len()),
        images: Vec::with_capacity(products.len()),
        prices: Vec::with_capacity(products.len()),
        struck: BTreeMap::new(),
        per: BTreeMap::new(),
        sales: BTreeMap::new(),
        varies: String::with_capacity(products.len()),
        availability: String::with_capacity(products.len()),
    };
    for (place, index) in products.iter().enumerate() {
        let (product, offer) = (&printer.loaded.catalog.products()[*index], &printer.offers[market][*index]);
        cards.slugs.push(product.slug.to_string());
        cards.titles.push(product.title_in(language).to_owned());
        cards.images.push(product.image.as_ref().and_then(|image| printer.assets.small_url(&image.url, CARD_WIDTH, true)));
        cards.prices.push(offer.cheapest.map(|current| locale::money(current.unit, language)));
        let struck = offer.cheapest.and_then(|current| current.compare_at);
        cards.struck.extend(struck.map(|struck| (place, locale::money(struck, language))));
        let per = offer.per_measure.map(|per| PerMeasureView::new(per, language).text(&printer.sites[market]));
        cards.per.extend(per.map(|per| (place, per)));
        cards.sales.extend(sale(printer, market, offer).map(|sale| (place, sale)));
        cards.varies.push(if offer.varies { '1' } else { '0' });
        cards.availability.push(digit(offer.availability));
    }
    cards
}

fn sale(printer: &Printer<'_>, market: usize, offer: &Offer) -> Option<Sale> {
    let language = &printer.rules.markets[market].language;
    let sale = offer.sale(language)?;
    Some(Sale {
        until: sale.until.parse().map_or_else(|_| sale.until.clone(), |day| locale::date(day, language)),
        ends: sale.ends_at,
        price: locale::money(sale.price_after, language),
        struck: sale.compare_at_after.map(|struck| locale::money(struck, language)),
        per: sale.per_measure_after.map(|per| per.text(&printer.sites[market])),
        varies: sale.price_after_varies,
    })
}

/// Columns of products, the first of which has that number. `names`: place of every product by title.
pub(super) fn columns(
    printer: &Printer<'_>,
    market: usize,
    first: usize,
    products: &[usize],
    names: &[u32],
    facets: &[(Facet, Values)],
) -> Columns {
    let (mut prices, mut availability, mut days) = (Vec::new(), String::new(), Vec::new());
    for index in products {
        let offer = &printer.offers[market][*index];
        prices.push(offer.cheapest.map(|current| current.unit.minor));
        availability.push(digit(offer.availability));
        let published = printer.loaded.catalog.products()[*index].publish_at.or(printer.loaded.products[*index].updated_at);
        days.push(published.map(|at| at.0.div_euclid(24 * 60 * 60)));
    }
    let borne = |values: &Values, index: usize| match values.of(index) {
        [] => Borne::None(()),
        [one] => Borne::One(*one),
        many => Borne::Many(many.to_vec()),
    };
    let facets = facets.iter().map(|(_, values)| products.iter().map(|index| borne(values, *index)).collect()).collect();
    Columns { first, prices, availability, days, names: names[first..first + products.len()].to_vec(), facets }
}

/// 0 in stock, 1 a few left, 2 on back-order, 3 sold out, 4 not for sale.
fn digit(availability: Availability) -> char {
    char::from(b'0' + availability.rank())
}
