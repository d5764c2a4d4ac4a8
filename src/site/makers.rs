//! Makers: who answers for a product, and what it warns of (Regulation (EU) 2023/988, Article 19; Directive (EU) 2024/825).
//!
//! Owns    which maker a product has, and what is told where a market's law wants one and none is named.
//! Always  all products at once, those of one brand together: a shop of thousands has few makers.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::load::{Loaded, ProductNotes};
use super::problem::{Kind, Problem, Problems, nearest};
use crate::commerce::catalog::{Product, ProductStatus};
use crate::commerce::rules::{ConsumerLaw, Rules};
use crate::theme::view::Maker;

/// Products of one brand that are named: the rest is counted.
const NAMED: usize = 3;

/// What a product's own words say of who answers for it. Few have any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assurance {
    /// Name of its maker, where it is not its brand.
    pub maker: Option<String>,
    /// What to take care of, each a text that translations say as a word.
    pub warnings: Vec<String>,
    /// Years that the maker promises it to last.
    pub guarantee_years: Option<u8>,
}

/// Reads `guarantee_years`.
pub fn years<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let Some(years) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    match u8::try_from(years) {
        Ok(years @ 1..=99) => Ok(Some(years)),
        _ => Err(D::Error::custom(format!("{years} is no number of years that a maker guarantees: write 1 to 99"))),
    }
}

impl Assurance {
    /// `None` where it says nothing.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// How many products say who made them, of those that have to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Products that are sold where the law wants it.
    pub products: usize,
    /// Of these, products with a maker.
    pub with_maker: usize,
}

/// The maker of a product: by its own word, else by its brand.
pub fn of<'m>(makers: &'m [Maker], product: &Product, notes: &ProductNotes) -> Option<&'m Maker> {
    let own = notes.assurance.as_ref().and_then(|assurance| assurance.maker.as_deref());
    let name = own.or(product.brand.as_deref())?;
    makers.iter().find(|maker| maker.party.name == name)
}

/// Counts the products that name a maker, and tells of those that do not: an error where the law of a market is strict; a warning where
/// the shop names makers at all; else the count alone.
pub fn check(makers: &[Maker], loaded: &Loaded, rules: &Rules, problems: &mut Problems) -> Coverage {
    let mut coverage = Coverage::default();
    let mut lacking: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut is_strict = false;
    let markets = || rules.markets.iter().filter(|market| market.consumer_law.is_eu());
    for (product, notes) in loaded.catalog.products().iter().zip(&loaded.products) {
        check_name(makers, notes, problems);
        let is_sold = |currency| product.variants.iter().any(|variant| variant.price(currency).is_some());
        let sold: Vec<ConsumerLaw> =
            markets().filter(|market| is_sold(market.currency)).map(|market| market.consumer_law).collect();
        if sold.is_empty() || product.status != ProductStatus::Active {
            continue;
        }
        coverage.products += 1;
        if of(makers, product, notes).is_some() {
            coverage.with_maker += 1;
        } else {
            is_strict |= sold.contains(&ConsumerLaw::EuStrict);
            lacking.entry(product.brand.as_deref().unwrap_or("")).or_default().push(product.slug.as_str());
        }
    }
    if lacking.is_empty() || makers.is_empty() && !is_strict {
        return coverage;
    }
    let count = coverage.products - coverage.with_maker;
    let groups: Vec<String> = lacking.iter().map(|(brand, products)| group(brand, products)).collect();
    let (product, name) = if count == 1 { ("product", "names") } else { ("products", "name") };
    let message = format!("{count} {product} of {} {name} no maker: {}", coverage.products, groups.join("; "));
    let hint = "name the maker under [[makers]] as the brand is written, or write `maker = \"…\"` into the product";
    let problem = Problem::about("site.toml", message).of(Kind::Law).hint(hint);
    problems.push(if is_strict { problem } else { problem.warning() });
    coverage
}

fn check_name(makers: &[Maker], notes: &ProductNotes, problems: &mut Problems) {
    let Some(name) = notes.assurance.as_ref().and_then(|assurance| assurance.maker.as_deref()) else { return };
    if makers.iter().all(|maker| maker.party.name != name) {
        let known: Vec<&str> = makers.iter().map(|maker| maker.party.name.as_str()).collect();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a [[makers]] with name = \"{name}\" into site.toml"),
        };
        let problem = Problem::about(&notes.source.file, format!("there is no maker `{name}`"));
        problems.push(problem.on_line(notes.source.line, 0, name).hint(hint).of(Kind::Law));
    }
}

fn group(brand: &str, products: &[&str]) -> String {
    let named = products.iter().take(NAMED).map(|slug| format!("`{slug}`")).collect::<Vec<_>>().join(", ");
    let more = match products.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => " and 1 other".to_owned(),
        more => format!(" and {more} others"),
    };
    let of = if brand.is_empty() { "without a brand".to_owned() } else { format!("of `{brand}`") };
    format!("{of} {named}{more}")
}
