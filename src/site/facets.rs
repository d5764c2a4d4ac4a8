//! Facets: shelves cut once more, by brand, by price or by an attribute.
//!
//! Owns    what a facet is, which values it has, which products bear each, and which of them have a page of their own below a category:
//!         `/categories/PATH/NAME/VALUE`. A facet's name is reserved: no category below another may be called so.
//! Limits  only facets named in site.toml, one deep, only values with enough products, at most `max_facet_pages` pages in all; a value
//!         that every product of a shelf bears has no page, since that would be the category's own.
//! Always  a value is what its spellings have in common (`ACME` and `Acme` are one), shown as most products spell it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::load::{Loaded, ProductNotes};
use super::problem::{Problem, Problems, nearest};
use crate::commerce::catalog::Product;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money};
use crate::commerce::rules::Market;
use crate::theme::locale;

/// Facets of one shop: more are a maze.
pub const MAX_FACETS: usize = 20;
/// Bands of a price facet.
pub const MAX_BANDS: usize = 20;
/// Names that the search page's own fields have.
pub const TAKEN_NAMES: [&str; 4] = ["q", "sort", "category", "availability"];

/// One `[[facets]]` of site.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// Its word in addresses.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Where its values come from.
    pub source: FacetSource,
    /// Products a value needs for a page of its own.
    pub min_products: usize,
}

/// Where a facet's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FacetSource {
    /// The maker.
    Brand,
    /// The lowest price of the product's variants, in bands: the amounts at which the next band begins, rising, per currency.
    Price {
        /// Minor units.
        bands: BTreeMap<Currency, Vec<i64>>,
    },
    /// An attribute or an option of that name, in any case.
    Attribute {
        /// Such as `Material`.
        name: String,
    },
}

/// What products can have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// In addresses.
    pub slug: String,
    /// What people read.
    pub label: String,
}

/// The values of a facet, and which product bears which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// In the order to show.
    pub all: Vec<Value>,
    // Values of product P: `borne[starts[P]..starts[P + 1]]`.
    starts: Vec<u32>,
    borne: Vec<u32>,
}

impl Values {
    /// Values of a product, as places in `all`, rising.
    pub fn of(&self, product: usize) -> &[u32] {
        &self.borne[self.starts[product] as usize..self.starts[product + 1] as usize]
    }
}

/// A shelf cut by one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetShelf {
    /// Index of the category.
    pub category: usize,
    /// Index of the facet.
    pub facet: usize,
    /// The only market that has it; `None`: all have.
    pub market: Option<usize>,
    /// What its products have in common.
    pub value: Value,
    /// Indices of products, in the category's order.
    pub products: Vec<usize>,
}

/// All shelves that are cut by a facet and have a page, by category, facet and value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FacetShelves {
    /// The shelves.
    pub all: Vec<FacetShelf>,
    /// Why there are none although there should be.
    pub too_many: Option<TooManyFacetPages>,
}

impl FacetShelves {
    /// Those of a category in a market, each with its place in `all`.
    pub fn of(&self, category: usize, market: usize) -> impl Iterator<Item = (usize, &FacetShelf)> {
        let start = self.all.partition_point(|shelf| shelf.category < category);
        let below = self.all[start..].iter().take_while(move |shelf| shelf.category == category);
        (start..).zip(below).filter(move |(_, shelf)| shelf.market.is_none_or(|only| only == market))
    }
}

/// Facets that make more pages than the shop allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("facets make {pages} pages, more than the {limit} that are allowed; the facet `{facet}` makes most, {of_facet}")]
pub struct TooManyFacetPages {
    /// In all markets.
    pub pages: usize,
    /// `max_facet_pages`.
    pub limit: usize,
    /// Name of the facet that makes most of them.
    pub facet: String,
    /// How many it makes.
    pub of_facet: usize,
}

/// What facets are read from.
#[derive(Clone, Copy, Debug)]
pub struct Shop<'a> {
    /// Products and what is held of them.
    pub loaded: &'a Loaded,
    /// Whether the product of that index is shown.
    pub shown: &'a [bool],
    /// All markets.
    pub markets: &'a [Market],
    /// Decides which price holds.
    pub at: Timestamp,
}

impl Shop<'_> {
    fn products(&self) -> impl Iterator<Item = (&Product, &ProductNotes, bool)> {
        let products = self.loaded.catalog.products().iter().zip(&self.loaded.products);
        products.zip(self.shown).map(|((product, notes), shown)| (product, notes, *shown))
    }

    /// The values of a facet in a market. Only prices differ between markets.
    pub fn values(&self, facet: &Facet, market: usize) -> Values {
        match &facet.source {
            FacetSource::Brand => self.named(|product, _, take| product.brand.as_deref().into_iter().for_each(take)),
            FacetSource::Attribute { name } => self.named(|product, notes, take| {
                let own = notes.marks.attributes().filter(|(other, _)| is_same_name(other, name)).map(|(_, value)| value);
                let options = product.options.iter().filter(|option| is_same_name(&option.name, name));
                own.chain(options.flat_map(|option| option.values.iter().map(|value| value.as_str()))).for_each(take);
            }),
            FacetSource::Price { bands } => {
                let market = &self.markets[market];
                self.banded(market, bands.get(&market.currency).map_or(&[], Vec::as_slice))
            }
        }
    }

    fn named<'a>(&'a self, give: impl Fn(&'a Product, &'a ProductNotes, &mut dyn FnMut(&'a str))) -> Values {
        // Texts repeat far more often than there are different ones: each is made an address of once.
        let mut spellings: HashMap<&str, u32> = HashMap::new();
        let mut counts: Vec<(&str, usize)> = Vec::new();
        let (mut starts, mut borne) = (vec![0], Vec::new());
        for (product, notes, shown) in self.products() {
            let mut take = |text: &'a str| {
                let text = text.trim();
                if shown && !text.is_empty() {
                    let spelling = *spellings.entry(text).or_insert_with(|| {
                        counts.push((text, 0));
                        counts.len() as u32 - 1
                    });
                    counts[spelling as usize].1 += 1;
                    borne.push(spelling);
                }
            };
            give(product, notes, &mut take);
            starts.push(borne.len() as u32);
        }
        let mut by_slug: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (spelling, (text, _)) in (0..).zip(&counts) {
            by_slug.entry(value_slug(text)).or_default().push(spelling);
        }
        let best = |spellings: &[u32]| {
            let by_count = spellings.iter().map(|spelling| counts[*spelling as usize]);
            by_count.min_by_key(|(text, count)| (std::cmp::Reverse(*count), *text)).map_or("", |(text, _)| text).to_owned()
        };
        let mut all: Vec<(Value, Vec<u32>)> =
            by_slug.into_iter().map(|(slug, spellings)| (Value { slug, label: best(&spellings) }, spellings)).collect();
        all.sort_by_cached_key(|(value, _)| (leading_number(&value.label), value.label.to_lowercase(), value.slug.clone()));
        let mut place = vec![0; counts.len()];
        for (index, (_, spellings)) in (0..).zip(&all) {
            spellings.iter().for_each(|spelling| place[*spelling as usize] = index);
        }
        let mut values = Values { all: all.into_iter().map(|(value, _)| value).collect(), starts: vec![0], borne: Vec::new() };
        for pair in starts.windows(2) {
            let start = values.borne.len();
            values.borne.extend(borne[pair[0] as usize..pair[1] as usize].iter().map(|spelling| place[*spelling as usize]));
            values.borne[start..].sort_unstable();
            let mut kept = values.borne.split_off(start);
            kept.dedup();
            values.borne.extend(kept);
            values.starts.push(values.borne.len() as u32);
        }
        values
    }

    /// Values of a market's prices, cut at rising amounts.
    pub fn banded(&self, market: &Market, limits: &[i64]) -> Values {
        if limits.is_empty() {
            return Values { starts: vec![0; self.shown.len() + 1], ..Values::default() };
        }
        let edges = |index: usize| (index.checked_sub(1).map(|below| limits[below]), limits.get(index).copied());
        let all = (0..=limits.len()).map(edges).map(|(from, until)| band(from, until, market)).collect();
        let (mut starts, mut borne) = (vec![0], Vec::new());
        for (product, _, shown) in self.products() {
            if let Some(minor) = lowest_price(product, market.currency, self.at).filter(|_| shown) {
                borne.push(limits.partition_point(|limit| *limit <= minor) as u32);
            }
            starts.push(borne.len() as u32);
        }
        Values { all, starts, borne }
    }

    /// Cuts every shelf by every facet. `shelves`: products of each category; `page_size`: products on a page.
    pub fn shelves(&self, facets: &[Facet], shelves: &[Vec<usize>], page_size: usize, max_pages: usize) -> FacetShelves {
        let mut all = Vec::new();
        let mut pages = vec![0; facets.len()];
        for (index, facet) in facets.iter().enumerate() {
            let is_of_market = matches!(facet.source, FacetSource::Price { .. });
            let versions: Vec<Option<usize>> =
                if is_of_market { (0..self.markets.len()).map(Some).collect() } else { vec![None] };
            for market in versions {
                let values = self.values(facet, market.unwrap_or(0));
                let mut bearers: Vec<Vec<usize>> = vec![Vec::new(); values.all.len()];
                for (category, shelf) in shelves.iter().enumerate() {
                    shelf
                        .iter()
                        .for_each(|product| values.of(*product).iter().for_each(|value| bearers[*value as usize].push(*product)));
                    for (value, products) in bearers.iter_mut().enumerate() {
                        let products = std::mem::take(products);
                        if products.len() >= facet.min_products && products.len() < shelf.len() {
                            let versions = if is_of_market { 1 } else { self.markets.len() };
                            pages[index] += products.len().div_ceil(page_size) * versions;
                            all.push(FacetShelf { category, facet: index, market, value: values.all[value].clone(), products });
                        }
                    }
                }
            }
        }
        let total: usize = pages.iter().sum();
        if total > max_pages {
            let most = pages.iter().enumerate().max_by_key(|(index, pages)| (**pages, std::cmp::Reverse(*index)));
            let (facet, of_facet) = most.map_or((0, 0), |(index, pages)| (index, *pages));
            let too_many = TooManyFacetPages { pages: total, limit: max_pages, facet: facets[facet].name.clone(), of_facet };
            return FacetShelves { all: Vec::new(), too_many: Some(too_many) };
        }
        // Stable: values stay in their order.
        all.sort_by_key(|shelf| (shelf.category, shelf.facet));
        FacetShelves { all, too_many: None }
    }
}

/// The lowest price of a product that holds at an instant, in minor units; `None`: not for sale in that currency.
pub fn lowest_price(product: &Product, currency: Currency, at: Timestamp) -> Option<i64> {
    product.variants.iter().filter_map(|variant| variant.current_price(currency, at)).map(|current| current.unit.minor).min()
}

/// Tells facets that cannot be: an address that a category has, and an attribute that no product has.
pub fn check(facets: &[Facet], loaded: &Loaded, problems: &mut Problems) {
    for (category, details) in loaded.catalog.categories().iter().zip(&loaded.categories) {
        let below = category.path.as_str().split('/').skip(1);
        if let Some(name) = below.last().filter(|name| facets.iter().any(|facet| facet.name == *name)) {
            let message = format!("`{}` stands where the pages of the facet `{name}` stand", category.path);
            let hint = "give the category's folder another name, or the facet in site.toml";
            problems.push(Problem::about(&details.source.file, message).on_line(details.source.line, 0, "").hint(hint));
        }
    }
    for facet in facets {
        let FacetSource::Attribute { name } = &facet.source else { continue };
        let attributes = || loaded.products.iter().flat_map(|notes| notes.marks.attributes().map(|(name, _)| name));
        let options = || loaded.catalog.products().iter().flat_map(|product| &product.options).map(|option| option.name.as_str());
        if attributes().chain(options()).any(|known| is_same_name(known, name)) || loaded.products.is_empty() {
            continue;
        }
        let known: BTreeSet<&str> = attributes().chain(options()).collect();
        let message = format!("no product has an attribute or option `{name}`, which the facet `{}` is made of", facet.name);
        let problem = Problem::about("site.toml", message).warning();
        problems.push(match nearest(name, known) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        });
    }
}

fn is_same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other) || one.to_lowercase() == other.to_lowercase()
}

// `8 cm` comes before `10 cm`, and numbers before words.
fn leading_number(label: &str) -> u64 {
    let digits = label.bytes().take_while(u8::is_ascii_digit).count();
    label[..digits].parse().unwrap_or(u64::MAX)
}

/// Longest address of a value: it stands below that of a category, and buckets take keys of 1,024 bytes.
const MAX_VALUE_BYTES: usize = 100;

// A value of signs alone still has an address, the same at every build.
fn value_slug(text: &str) -> String {
    match slug::slugify(text) {
        slug if slug.is_empty() => format!("value-{}", &blake3::hash(text.as_bytes()).to_hex()[..8]),
        slug if slug.len() > MAX_VALUE_BYTES => {
            format!("{}-{}", &slug[..MAX_VALUE_BYTES - 9], &blake3::hash(slug.as_bytes()).to_hex()[..8])
        }
        slug => slug,
    }
}

fn band(from: Option<i64>, until: Option<i64>, market: &Market) -> Value {
    let money = |minor| Money::new(minor, market.currency);
    let printed = |minor| locale::money(money(minor), &market.language);
    let word = |minor| {
        let decimal = money(minor).to_decimal_string();
        let whole = decimal.split_once('.').filter(|(_, decimals)| decimals.bytes().all(|byte| byte == b'0'));
        whole.map_or(decimal.as_str(), |(whole, _)| whole).replace('.', "-")
    };
    let slug = match (from, until) {
        (Some(from), Some(until)) => format!("{}-to-{}", word(from), word(until)),
        (None, Some(until)) => format!("under-{}", word(until)),
        (Some(from), None) => format!("from-{}", word(from)),
        (None, None) => "all".to_owned(),
    };
    // In signs, so that every language reads them; a band ends one minor unit below the next.
    let label = match (from, until) {
        (from, Some(until)) => format!("{} – {}", printed(from.unwrap_or(0)), printed(until - 1)),
        (from, None) => format!("{} +", printed(from.unwrap_or(0))),
    };
    Value { slug, label }
}

#[cfg(test)]
mod tests;
