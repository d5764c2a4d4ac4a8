//! Import: products read from another shop's export → files of content/.
//!
//! Owns    how a product and a category are written down, and what an import would do to a folder.
//! Always  what is written reads back as the same product; a second import of the same file changes nothing; a file that differs is
//!         the merchant's and stays, unless told otherwise.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use similar::TextDiff;
use smol_str::SmolStr;
use walkdir::WalkDir;

use super::load::translations::TranslatedDetails;
use super::load::{Body, LoadedCategory, LoadedProduct};
use crate::commerce::catalog::{Price, ProductStatus, QuantityRule, SaleWindow, StockPolicy, Variant};
use crate::commerce::ids::{TaxClass, Timestamp};
use crate::commerce::language::Translation;
use crate::commerce::money::{Currency, Money};

/// Folder of imported and other products.
const PRODUCTS: &str = "content/products";
/// Folder of categories.
const CATEGORIES: &str = "content/categories";

/// A file that an import writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path below the shop's folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Lines of a difference that are shown of one file: enough for a price and its neighbours, not for a whole text.
const MAX_DIFF_LINES: usize = 24;

/// What an import does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is not there yet.
    New,
    /// It is there with the same text.
    Same,
    /// It is there with another text.
    Differs,
}

/// The files of products and categories, sorted by path. `usual_class` is that of a product that names none, `currency` that in which a
/// plain price is written: the root market's.
pub fn files(products: &[LoadedProduct], categories: &[LoadedCategory], usual_class: &TaxClass, currency: Currency) -> Vec<File> {
    let product = |found: &LoadedProduct| File {
        path: format!("{PRODUCTS}/{}.md", found.product.slug),
        text: product_text(found, usual_class, currency),
    };
    let category = |found: &LoadedCategory| File {
        path: format!("{CATEGORIES}/{}/_index.md", found.category.path),
        text: fenced(&WrittenCategory { title: &found.category.title }, ""),
    };
    let translated = |found: &LoadedProduct| -> Vec<File> {
        let said = found.product.translations.iter().zip(&found.details.translations);
        let file = |(translation, details): (&Translation, &TranslatedDetails)| File {
            path: format!("{PRODUCTS}/{}.{}.md", found.product.slug, translation.language),
            text: translation_text(translation, details),
        };
        said.map(file).collect()
    };
    let all = products.iter().flat_map(|found| std::iter::once(product(found)).chain(translated(found)));
    let mut files: Vec<File> = all.chain(categories.iter().map(category)).collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// What each file would do to a shop's folder. A product that lies in another folder of content/products is compared where it lies.
///
/// Errors: a file of the shop cannot be read.
pub fn changes(root: &Path, files: &[File]) -> std::io::Result<Vec<(File, Change)>> {
    let mut lying: BTreeMap<String, String> = BTreeMap::new();
    for entry in listed!(WalkDir::new(root.join(PRODUCTS))).sort_by_file_name().into_iter().filter_map(Result::ok) {
        if let (Some(name), Ok(path)) = (entry.path().file_name(), entry.path().strip_prefix(root)) {
            lying.insert(name.to_string_lossy().into_owned(), path.to_string_lossy().replace('\\', "/"));
        }
    }
    let one = |file: &File| {
        let name = file.path.strip_prefix(PRODUCTS).map_or("", |name| name.trim_start_matches('/'));
        let path = lying.get(name).cloned().or_else(|| beside(name, &lying)).unwrap_or_else(|| file.path.clone());
        let change = match std::fs::read(root.join(&path)) {
            Ok(bytes) if bytes == file.text.as_bytes() => Change::Same,
            Ok(_) => Change::Differs,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Change::New,
            Err(error) => return Err(error),
        };
        Ok((File { path, text: file.text.clone() }, change))
    };
    files.iter().map(one).collect()
}

// A translation lies where its original does.
fn beside(name: &str, lying: &BTreeMap<String, String>) -> Option<String> {
    let (slug, _) = name.strip_suffix(".md")?.split_once('.')?;
    let folder = lying.get(&format!("{slug}.md"))?.rsplit_once('/')?.0;
    Some(format!("{folder}/{name}"))
}

/// What an import would change in a file that differs, line by line; long differences are cut.
///
/// Errors: the file cannot be read.
pub fn difference(root: &Path, file: &File) -> std::io::Result<String> {
    let before = String::from_utf8_lossy(&std::fs::read(root.join(&file.path))?).into_owned();
    let diff = TextDiff::from_lines(&before, &file.text);
    let shown = diff.unified_diff().context_radius(1).to_string();
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("\\ No newline")).collect();
    let mut text = lines.iter().take(MAX_DIFF_LINES).map(|line| format!("{line}\n")).collect::<String>();
    if lines.len() > MAX_DIFF_LINES {
        text.push_str(&format!("… {} more lines\n", lines.len() - MAX_DIFF_LINES));
    }
    Ok(text)
}

#[derive(Serialize)]
struct WrittenCategory<'a> {
    title: &'a str,
}

/// A product's front matter: plain values first, as TOML wants it.
#[derive(Serialize)]
struct WrittenProduct<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ProductStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tax_class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    redirects: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    options: Vec<&'a str>,
    body: &'static str,
    #[serde(flatten)]
    only: Option<WrittenVariant<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<WrittenQuantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maker: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    guarantee_years: Option<u8>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "WrittenSeo::is_empty")]
    seo: WrittenSeo<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<WrittenProperty<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<WrittenImage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variants: Vec<WrittenVariant<'a>>,
}

#[derive(Serialize)]
struct WrittenSeo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

impl WrittenSeo<'_> {
    fn is_empty(&self) -> bool {
        self.title.is_none() && self.description.is_none()
    }
}

#[derive(Serialize)]
struct WrittenImage<'a> {
    src: &'a str,
    alt: &'a str,
}

#[derive(Serialize)]
struct WrittenQuantity {
    min: u32,
    max: u32,
    step: u32,
}

#[derive(Serialize)]
struct WrittenProperty<'a> {
    key: &'a str,
    label: &'a str,
    required: bool,
    max_bytes: u32,
}

#[derive(Serialize)]
struct WrittenSale {
    price: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Serialize)]
struct WrittenVariant<'a> {
    #[serde(skip_serializing_if = "<[SmolStr]>::is_empty")]
    options: &'a [SmolStr],
    sku: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compare_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock_policy: Option<StockPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_g: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_shipping: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gtin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    prices: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sales: Vec<WrittenSale>,
}

fn product_text(found: &LoadedProduct, usual_class: &TaxClass, currency: Currency) -> String {
    let (product, details) = (&found.product, &found.details);
    let has_options = !product.options.is_empty();
    let variants: Vec<WrittenVariant<'_>> = product.variants.iter().map(|one| variant(one, currency)).collect();
    let (only, variants) = match has_options {
        true => (None, variants),
        false => (variants.into_iter().next(), Vec::new()),
    };
    let text = match &details.body {
        Body::Html(text) | Body::Markdown(text) => text,
    };
    let assurance = details.assurance.as_deref();
    let written = WrittenProduct {
        title: &product.title,
        brand: product.brand.as_deref(),
        categories: product.categories.iter().map(|path| path.as_str()).collect(),
        tags: &details.tags,
        status: (product.status != ProductStatus::Active).then_some(product.status),
        tax_class: (product.tax_class != *usual_class).then(|| product.tax_class.as_str()),
        publish_at: product.publish_at.map(instant),
        expires_at: product.expires_at.map(instant),
        updated_at: details.updated_at.map(instant),
        related: details.related.iter().map(|slug| slug.as_str()).collect(),
        redirects: &details.redirects,
        options: product.options.iter().map(|option| option.name.as_str()).collect(),
        body: if matches!(details.body, Body::Html(_)) { "html" } else { "markdown" },
        only,
        quantity: (product.quantity != QuantityRule::default()).then(|| {
            let QuantityRule { min, max, step } = product.quantity;
            WrittenQuantity { min, max, step }
        }),
        maker: assurance.and_then(|assurance| assurance.maker.as_deref()),
        warnings: assurance.map_or(&[], |assurance| &assurance.warnings),
        guarantee_years: assurance.and_then(|assurance| assurance.guarantee_years),
        attributes: details.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        properties: product.properties.iter().map(property).collect(),
        seo: WrittenSeo { title: details.seo_title.as_deref(), description: details.seo_description.as_deref() },
        images: details.images.iter().map(|image| WrittenImage { src: &image.url, alt: &image.alt }).collect(),
        variants,
    };
    fenced(&written, text)
}

/// A translation's front matter.
#[derive(Serialize)]
struct WrittenTranslation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    words: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "WrittenSeo::is_empty")]
    seo: WrittenSeo<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<WrittenImage<'a>>,
}

fn translation_text(translation: &Translation, details: &TranslatedDetails) -> String {
    let written = WrittenTranslation {
        title: translation.title.as_deref(),
        words: translation.words.iter().map(|(word, said)| (word.as_str(), said.as_str())).collect(),
        seo: WrittenSeo { title: details.seo_title.as_deref(), description: details.seo_description.as_deref() },
        images: details.alts.iter().map(|(src, alt)| WrittenImage { src, alt }).collect(),
    };
    fenced(&written, details.body.as_deref().unwrap_or(""))
}

fn property(rule: &crate::commerce::catalog::PropertyRule) -> WrittenProperty<'_> {
    WrittenProperty { key: &rule.key, label: &rule.label, required: rule.required, max_bytes: rule.max_bytes }
}

fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map(|instant| instant.to_string()).unwrap_or_default()
}

// The end of a sale by the clock that it was written by, which tells of which day it is the end.
fn sale_end(sale: &SaleWindow) -> Option<String> {
    let at = jiff::Timestamp::from_second(sale.until?.0).ok()?;
    let offset = jiff::tz::Offset::from_seconds(i32::from(sale.until_offset_minutes) * 60).ok()?;
    let is_utc = sale.until_offset_minutes == 0;
    Some(if is_utc { at.to_string() } else { at.display_with_offset(offset).to_string() })
}

fn variant(variant: &Variant, currency: Currency) -> WrittenVariant<'_> {
    let price = variant.price(currency);
    let decimal = |price: &Price, minor: i64| Money::new(minor, price.currency).to_decimal_string();
    let others = variant.prices.iter().filter(|other| other.currency != currency);
    let sales = price.into_iter().flat_map(|price| {
        let sale = |sale: &SaleWindow| WrittenSale {
            price: decimal(price, sale.price_minor),
            from: sale.from.map(instant),
            until: sale_end(sale),
        };
        price.sales.iter().map(sale)
    });
    // A policy that follows from the stock need not be said.
    let says_stock = variant.stock_policy != StockPolicy::Untracked || variant.opening_stock > 0;
    let usual = if says_stock { StockPolicy::Deny } else { StockPolicy::Untracked };
    WrittenVariant {
        options: &variant.option_values,
        sku: variant.sku.as_str(),
        price: price.map(|price| decimal(price, price.unit_minor)),
        compare_at: price.and_then(|price| price.compare_at_minor.map(|minor| decimal(price, minor))),
        stock: says_stock.then_some(variant.opening_stock),
        stock_policy: (variant.stock_policy != usual).then_some(variant.stock_policy),
        weight_g: (variant.weight_g > 0).then_some(variant.weight_g),
        requires_shipping: (!variant.requires_shipping).then_some(false),
        gtin: variant.gtin.as_deref(),
        content: variant.content.as_ref().map(|content| content.to_string()),
        image: variant.image.as_ref().map(|image| image.url.as_str()),
        prices: others.map(|price| (price.currency.code(), decimal(price, price.unit_minor))).collect(),
        sales: sales.collect(),
    }
}

fn fenced(values: &impl Serialize, body: &str) -> String {
    let toml = toml::to_string(values).expect("texts, numbers and lists of them are TOML");
    let body = body.trim();
    let end = if body.is_empty() { "" } else { "\n" };
    format!("+++\n{}\n+++\n{body}{end}", toml.trim_end())
}
