//! Search: the prices in the written search index, file after file from its head on.
//!
//! Knows   the shape that `site/search` documents, as JSON values; shares no type with what wrote it.
//! Limits  a file is read, held against the till, and dropped; of all of them only the addresses of products stay.

use std::path::Path;

use serde_json::Value;

use super::price::{FoundCard, FoundSale, Till};
use super::{Finding, Findings};
use crate::site::manifest::Manifest;
use crate::site::problem::Kind;

/// One market's index.
pub(super) struct Index<'a> {
    pub(super) folder: &'a Path,
    pub(super) manifest: &'a Manifest,
    /// Path of its head below the folder.
    pub(super) head: &'a str,
    /// Index of the market, and its id.
    pub(super) market: usize,
    pub(super) id: &'a str,
}

impl Index<'_> {
    /// Holds every price of the index against the till; gives how many were compared. `shown`: slugs of the products with a page here.
    pub(super) fn examine(&self, till: &Till<'_>, shown: &[&str], found: &mut Findings) -> usize {
        let mut compared = 0;
        match self.follow(till, &mut compared, found) {
            Err(reason) => found.add(Finding::new(Kind::File, reason).hint("build again")),
            Ok(mut slugs) => {
                slugs.sort_unstable();
                let is_missing = |slug: &&&str| slugs.binary_search_by(|known| known.as_str().cmp(slug)).is_err();
                for slug in shown.iter().filter(is_missing) {
                    let message = format!("the search index {} does not hold the product `{slug}`", self.head);
                    found.add(Finding::new(Kind::File, message).hint("build again").needle(slug));
                }
            }
        }
        compared
    }

    // Gives the slugs of all cards. Cards come first: only they say which product a line of a column is about.
    fn follow(&self, till: &Till<'_>, compared: &mut usize, found: &mut Findings) -> Result<Vec<String>, String> {
        let head = self.json(self.head, found)?;
        let mut slugs = Vec::new();
        for path in self.parts("cards", &head)? {
            let file = self.json(&path, found)?;
            *compared += cards(self.market, till, &file, found).ok_or_else(|| wrong_shape(&path))?;
            slugs.extend(texts(&file["slugs"]).unwrap_or_default().into_iter().map(str::to_owned));
        }
        for path in self.parts("columns", &head)? {
            let file = self.json(&path, found)?;
            *compared += columns(self.market, till, &file, &slugs, found).ok_or_else(|| wrong_shape(&path))?;
        }
        Ok(slugs)
    }

    fn parts(&self, kind: &str, head: &Value) -> Result<Vec<String>, String> {
        let hashes = texts(&head[kind]).ok_or_else(|| wrong_shape(self.head))?;
        let path = |(number, hash)| format!("a/search/{kind}-{}-{number}.{hash}.json", self.id);
        Ok(hashes.into_iter().enumerate().map(path).collect())
    }

    fn json(&self, path: &str, found: &mut Findings) -> Result<Value, String> {
        let Some(entry) = self.manifest.files.get(path) else {
            return Err(format!("the search index names {path}, which the build did not write"));
        };
        let bytes = std::fs::read(self.folder.join(path)).map_err(|error| format!("{path} cannot be read: {error}"))?;
        if bytes.len() as u64 == entry.size && blake3::hash(&bytes) != entry.hash {
            found.add(Finding::new(Kind::File, format!("{path} is not as the build wrote it")).hint("build again"));
        }
        serde_json::from_slice(&bytes).map_err(|error| format!("{path} cannot be read: {error}"))
    }
}

fn wrong_shape(path: &str) -> String {
    format!("{path} is no file of a search index that this version can read")
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

// Price, struck price, "from" and the end of a sale of every card; `None`: not the shape of cards.
fn cards(market: usize, till: &Till<'_>, file: &Value, found: &mut Findings) -> Option<usize> {
    let (slugs, prices, struck) = (texts(&file["slugs"])?, file["prices"].as_array()?, file["struck"].as_object()?);
    let sales = file["sales"].as_object()?;
    let varies = file["varies"].as_str()?.as_bytes();
    if prices.len() != slugs.len() || varies.len() != slugs.len() {
        return None;
    }
    let mut compared = 0;
    for (place, slug) in slugs.into_iter().enumerate() {
        let price = optional(&prices[place], Value::as_str)?;
        let struck = optional(struck.get(&place.to_string()).unwrap_or(&Value::Null), Value::as_str)?;
        let sale = optional(sales.get(&place.to_string()).unwrap_or(&Value::Null), sale_of)?;
        let card = FoundCard { price, struck, varies: varies[place] == b'1', sale };
        compared += till.found_card(market, slug, card, found);
    }
    Some(compared)
}

fn sale_of(value: &Value) -> Option<FoundSale<'_>> {
    let struck = optional(value.get("struck").unwrap_or(&Value::Null), Value::as_str)?;
    Some(FoundSale { ends: value["ends"].as_str()?, price: value["price"].as_str()?, struck, varies: value["varies"].as_bool()? })
}

// The amount that results are sorted and filtered by; `None`: not the shape of columns.
fn columns(market: usize, till: &Till<'_>, file: &Value, slugs: &[String], found: &mut Findings) -> Option<usize> {
    let first = usize::try_from(file["first"].as_u64()?).ok()?;
    let prices = file["prices"].as_array()?;
    let slugs = slugs.get(first..first.checked_add(prices.len())?)?;
    let mut compared = 0;
    for (price, slug) in prices.iter().zip(slugs) {
        compared += till.found_amount(market, slug, optional(price, Value::as_i64)?, found);
    }
    Some(compared)
}

// The inner `None` is `null`, the outer one something else than was asked for.
fn optional<'v, T>(value: &'v Value, read: impl Fn(&'v Value) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() { Some(None) } else { read(value).map(Some) }
}
