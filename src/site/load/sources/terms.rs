//! Terms: what a source is read by: its settings, and what the shop's rules say of money, tax and language.

use std::path::PathBuf;

use super::encoding::Encoding;
use super::intake::{BodyFormat, WeightUnit};
use super::mapped::Mapping;
use crate::commerce::ids::TaxClass;
use crate::commerce::money::Currency;
use crate::commerce::rules::Rules;

/// A file that holds many products.
#[derive(Clone, Debug)]
pub struct BulkSource {
    /// How it is written.
    pub format: BulkFormat,
    /// As named in site.toml; what problems call it.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// How its letters are written; default: UTF-8.
    pub encoding: Option<Encoding>,
    /// What stands between the columns of a table; default: judged by its first line.
    pub delimiter: Option<u8>,
    /// The columns of a table without a header; default: the first row names them.
    pub columns: Option<Vec<String>>,
    /// Tax class of its products; default: the first class.
    pub tax_class: Option<TaxClass>,
    /// Whether a price of 0 is meant: given away. Otherwise such a variant cannot be bought.
    pub allow_free: bool,
    /// Which of several languages is read; default: the first market's.
    pub language: Option<String>,
    /// What stands before pictures that are given by path: an address, or a folder of static/.
    pub images: Option<String>,
    /// Unit of weights that name none.
    pub weight_unit: Option<WeightUnit>,
    /// How texts are written; default: judged by each text.
    pub body_format: Option<BodyFormat>,
    /// Where the values of a JSON document are.
    pub map: Option<Mapping>,
}

impl BulkSource {
    /// A file with the usual settings.
    pub fn new(format: BulkFormat, name: &str, path: PathBuf) -> Self {
        Self {
            format,
            name: name.to_owned(),
            path,
            encoding: None,
            delimiter: None,
            columns: None,
            tax_class: None,
            allow_free: false,
            language: None,
            images: None,
            weight_unit: None,
            body_format: None,
            map: None,
        }
    }
}

/// Ways to write many products into a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkFormat {
    /// JSON Lines in our own shape: the names of the front matter.
    Jsonl,
    /// Any JSON, with a map that says where the values are.
    Json,
    /// Shopify's product CSV.
    Shopify,
    /// WooCommerce's product CSV.
    Woocommerce,
    /// Magento 2's (Adobe Commerce's) product CSV.
    Magento,
    /// Vendure's product CSV.
    Vendure,
    /// Spree's product CSV.
    Spree,
}

impl BulkFormat {
    /// Whether it is a table of rows and columns.
    pub fn is_table(self) -> bool {
        !matches!(self, Self::Jsonl | Self::Json)
    }
}

/// What may stand between columns: a sign of ASCII that belongs to no value, or the word `tab`. Errors: what to write.
pub fn delimiter(written: &str) -> Result<u8, String> {
    match written.as_bytes() {
        b"tab" | b"\t" => Ok(b'\t'),
        [sign] if sign.is_ascii_punctuation() && !matches!(sign, b'"' | b'.' | b'-') => Ok(*sign),
        _ => Err("write one sign, such as `;`, or the word `tab`".to_owned()),
    }
}

/// A source's settings with the shop's.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    pub(super) source: &'a BulkSource,
    pub(super) rules: &'a Rules,
    /// Of the root market.
    pub(super) currency: Currency,
    /// Of all markets.
    pub(super) currencies: Vec<Currency>,
    pub(super) language: &'a str,
    pub(super) tax_classes: &'a [TaxClass],
    /// Of products that name none.
    pub(super) tax_class: TaxClass,
}

impl<'a> Terms<'a> {
    /// What to write where a map names no price at all.
    pub(super) fn names_no_price(&self) -> Option<String> {
        let map = self.source.map.as_ref().filter(|map| map.price.is_none())?;
        let begin = if map.variants.is_some() { "a variant" } else { "a product" };
        Some(format!("`map` names no `price`: write its path, beginning at {begin}"))
    }

    /// `None` where the shop has no tax class: then its settings are told to be wrong.
    pub(super) fn new(source: &'a BulkSource, rules: &'a Rules) -> Option<Self> {
        let tax_class = source.tax_class.clone().or_else(|| rules.tax.classes.first().cloned())?;
        Some(Self {
            source,
            rules,
            currency: rules.root_market().currency,
            currencies: rules.markets.iter().map(|market| market.currency).collect(),
            language: source.language.as_deref().unwrap_or(&rules.root_market().language),
            tax_classes: &rules.tax.classes,
            tax_class,
        })
    }
}
