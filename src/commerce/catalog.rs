//! Catalog: the checked, immutable set of what is sold.
//!
//! Owns    products, variants, prices, categories and the look-ups between them. Texts that only a page shows (bodies, SEO,
//!         galleries) are not here: this is what both wings need, and all of it travels in the bundle.
//! Always  sorted (products by slug, categories by path), so the same input gives the same bytes.

mod schedule;

use std::borrow::Cow;

use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::ids::{CategoryPath, Sku, SkuHash, Slug, TaxClass, Timestamp};
use super::language::{Translation, Words, title_in, word_in};
use super::measure::{Content, PerMeasure};
use super::money::{Currency, Money};

/// All products and categories. Made by `Catalog::new`, which sorts and indexes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    products: Vec<Product>,
    categories: Vec<Category>,
    by_sku: Vec<SkuPlace>,
}

/// Where a variant stands: the hash of its SKU, the place of its product among all, and its own place there.
pub type SkuPlace = (SkuHash, u32, u32);

/// Two things that claim one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// Two products with one slug.
    #[error("two products have the slug `{slug}`")]
    DuplicateSlug {
        /// The slug.
        slug: Slug,
    },
    /// Two variants with one SKU.
    #[error("the SKU `{sku}` stands on `{first}` and on `{second}`")]
    DuplicateSku {
        /// The SKU.
        sku: Sku,
        /// Slug of the first product in order.
        first: Slug,
        /// Slug of the second.
        second: Slug,
    },
    /// Two SKUs whose 64-bit hashes are equal; one must be renamed.
    #[error("the SKUs `{first}` and `{second}` have the same 64-bit hash; rename one")]
    HashCollision {
        /// One SKU.
        first: Sku,
        /// The other.
        second: Sku,
    },
    /// Two categories with one path.
    #[error("two categories have the path `{path}`")]
    DuplicateCategory {
        /// The path.
        path: CategoryPath,
    },
}

/// One thing that is shown on a page of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Last part of `/products/SLUG`.
    pub slug: Slug,
    /// Plain text.
    pub title: String,
    /// What it is called in other languages.
    pub translations: Vec<Translation>,
    /// Maker or label, plain text.
    pub brand: Option<SmolStr>,
    /// Shelves, the first is the one breadcrumbs use.
    pub categories: Vec<CategoryPath>,
    /// The picture a cart line shows, its final address.
    pub image: Option<Image>,
    /// What tells variants apart, in order; empty for a product with one variant.
    pub options: Vec<ProductOption>,
    /// What is bought; never empty.
    pub variants: Vec<Variant>,
    /// Which column of the tax table.
    pub tax_class: TaxClass,
    /// How many may be bought at once.
    pub quantity: QuantityRule,
    /// What the shopper may or must write, such as an engraving.
    pub properties: Vec<PropertyRule>,
    /// Whether it is on sale at all.
    pub status: ProductStatus,
    /// Not before.
    pub publish_at: Option<Timestamp>,
    /// Not from then on.
    pub expires_at: Option<Timestamp>,
}

impl Product {
    /// Its title as a language says it.
    pub fn title_in(&self, language: &str) -> &str {
        title_in(&self.translations, language, &self.title)
    }

    /// One of its names or values as a language says it.
    pub fn word_in<'a>(&'a self, words: &'a Words, language: &str, word: &'a str) -> &'a str {
        word_in(&self.translations, words, language, word)
    }

    /// What a variant is called: its values as a language says them; empty for an only variant.
    pub fn variant_title_in(&self, variant: &Variant, words: &Words, language: &str) -> String {
        let values: Vec<&str> = variant.option_values.iter().map(|value| self.word_in(words, language, value)).collect();
        values.join(" / ")
    }

    /// Where its variants stand; it is the product at the place `row`.
    pub fn sku_places(&self, row: u32) -> impl Iterator<Item = SkuPlace> {
        self.variants.iter().zip(0..).map(move |(variant, column)| (variant.sku.hash(), row, column))
    }

    /// Whether it has a page and can be bought at that instant.
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.status == ProductStatus::Active
            && self.publish_at.is_none_or(|from| from <= at)
            && self.expires_at.is_none_or(|until| at < until)
    }
}

/// A product's place in the merchant's mind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductStatus {
    /// Shown and sold.
    #[default]
    Active,
    /// Seen only with `--drafts`.
    Draft,
    /// No longer shown or sold.
    Archived,
}

/// A picture with its final address on the site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Path from the root or absolute URL.
    pub url: String,
    /// Text for those who do not see it.
    pub alt: String,
    /// Pixels, where known.
    pub width: Option<u32>,
    /// Pixels, where known.
    pub height: Option<u32>,
}

/// One axis of choice: `Size` with its values in the order they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductOption {
    /// Such as `Size`.
    pub name: SmolStr,
    /// Such as `S`, `M`, `L`.
    pub values: Vec<SmolStr>,
}

impl ProductOption {
    /// Its name, then its values.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.values).map(SmolStr::as_str)
    }
}

/// What is bought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Its unique code.
    pub sku: Sku,
    /// One value per option of the product, same order.
    pub option_values: Vec<SmolStr>,
    /// One per currency it is sold in, sorted by currency; none: not for sale.
    pub prices: Vec<Price>,
    /// Grams, for shipping by weight.
    pub weight_g: u32,
    /// Whether a parcel is needed.
    pub requires_shipping: bool,
    /// What the store begins with when it first meets the SKU.
    pub opening_stock: u32,
    /// What happens at zero.
    pub stock_policy: StockPolicy,
    /// Its own picture, where it has one; few have.
    pub image: Option<Box<Image>>,
    /// GTIN / EAN / UPC digits.
    pub gtin: Option<String>,
    /// How much is in it, where its price is told per measure too. Boxed: few have it.
    pub content: Option<Box<Content>>,
}

impl Variant {
    /// The price in a currency, if it is sold in it.
    pub fn price(&self, currency: Currency) -> Option<&Price> {
        self.prices.iter().find(|price| price.currency == currency)
    }

    /// The price that holds at an instant in a currency. Pages, feeds, carts and quotes all ask here, so they cannot differ.
    pub fn current_price(&self, currency: Currency, at: Timestamp) -> Option<CurrentPrice> {
        self.price(currency).map(|price| price.at(at))
    }

    /// What one measure of it costs at a price of the whole; `None`: its content is not known.
    pub fn per_measure(&self, price: Money) -> Option<PerMeasure> {
        self.content.as_ref().map(|content| content.priced(price))
    }

    /// The option values joined for people: `Large / Blue`; empty for the only variant.
    pub fn title(&self) -> String {
        self.option_values.join(" / ")
    }
}

/// What happens when the stock is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StockPolicy {
    /// Sold out means sold out.
    #[default]
    Deny,
    /// Goes on selling, told to the shopper as a back order.
    Backorder,
    /// Not counted at all: a download, a service.
    Untracked,
}

/// A variant's price in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// The currency of all amounts here.
    pub currency: Currency,
    /// Regular price per unit, in the market's tax mode.
    pub unit_minor: i64,
    /// Struck-out price; always above `unit_minor`.
    pub compare_at_minor: Option<i64>,
    /// Times at which another price holds, sorted by start, not overlapping.
    pub sales: Vec<SaleWindow>,
    /// Where a market has to say it and the price history knows it: what was lowest before each reduction, sorted by start.
    pub prior: Box<[PriorPrice]>,
}

/// The lowest price of the thirty days before the reduction that holds from an instant on (see `history`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorPrice {
    /// First instant; `None`: ever since.
    pub from: Option<Timestamp>,
    /// Minor units.
    pub minor: i64,
}

/// A price for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaleWindow {
    /// Price per unit while it holds.
    pub price_minor: i64,
    /// First instant.
    pub from: Option<Timestamp>,
    /// First instant after it.
    pub until: Option<Timestamp>,
    /// Minutes that the clock by which `until` was written is ahead of UTC: people are told the last day by that clock.
    pub until_offset_minutes: i16,
}

impl SaleWindow {
    /// Whether it holds at an instant.
    pub fn holds(&self, instant: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= instant) && self.until.is_none_or(|until| instant < until)
    }

    /// Whether there is an instant at which both hold; neither is empty.
    pub fn overlaps(&self, other: &SaleWindow) -> bool {
        let begins_before_end = |one: &Self, other: &Self| match (one.from, other.until) {
            (Some(from), Some(until)) => from < until,
            _ => true,
        };
        begins_before_end(self, other) && begins_before_end(other, self)
    }
}

/// The price that holds at an instant, with what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentPrice {
    /// Price paid per unit.
    pub unit: Money,
    /// Struck-out price, above `unit`; `None` when nothing is reduced.
    pub compare_at: Option<Money>,
    /// Whether `compare_at` is the lowest price of the thirty days before the reduction.
    pub is_lowest: bool,
    /// End of the sale that makes it so.
    pub until: Option<Timestamp>,
    /// See `SaleWindow`; 0 where no sale ends.
    pub until_offset_minutes: i16,
}

impl Price {
    /// The one place where a unit price is chosen: pages, feeds, carts and quotes all ask here. Where it is known what was lowest before
    /// a reduction, that is what is struck out, and nothing where it is no higher than the price.
    pub fn at(&self, instant: Timestamp) -> CurrentPrice {
        let written = self.written_at(instant);
        let prior = self.prior.iter().rev().find(|prior| prior.from.is_none_or(|from| from <= instant));
        let Some(prior) = prior.filter(|_| written.compare_at.is_some()) else { return written };
        let compare_at = Some(Money::new(prior.minor, self.currency)).filter(|prior| *prior > written.unit);
        CurrentPrice { compare_at, is_lowest: compare_at.is_some(), ..written }
    }

    /// First instants of its sales, and the first ones after them.
    pub fn bounds(&self) -> impl Iterator<Item = Timestamp> {
        self.sales.iter().flat_map(|sale| [sale.from, sale.until]).flatten()
    }

    /// The same by what the merchant has written alone, whatever was asked before.
    pub fn written_at(&self, instant: Timestamp) -> CurrentPrice {
        let money = |minor| Money::new(minor, self.currency);
        match self.sales.iter().find(|sale| sale.holds(instant)) {
            Some(sale) => CurrentPrice {
                unit: money(sale.price_minor),
                compare_at: Some(self.compare_at_minor.unwrap_or(self.unit_minor))
                    .filter(|struck| *struck > sale.price_minor)
                    .map(money),
                is_lowest: false,
                until: sale.until,
                until_offset_minutes: sale.until_offset_minutes,
            },
            None => CurrentPrice {
                unit: money(self.unit_minor),
                compare_at: self.compare_at_minor.filter(|struck| *struck > self.unit_minor).map(money),
                is_lowest: false,
                until: None,
                until_offset_minutes: 0,
            },
        }
    }
}

/// How many units a line may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantityRule {
    /// Fewest, at least 1.
    pub min: u32,
    /// Most, at most `cart::MAX_QUANTITY`.
    pub max: u32,
    /// Counted from `min`.
    pub step: u32,
}

impl Default for QuantityRule {
    fn default() -> Self {
        Self { min: 1, max: super::cart::MAX_QUANTITY, step: 1 }
    }
}

impl QuantityRule {
    /// Whether a line may hold that many.
    pub fn allows(&self, quantity: u32) -> bool {
        quantity >= self.min && quantity <= self.max && (quantity - self.min).is_multiple_of(self.step.max(1))
    }
}

/// Something the shopper writes for a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyRule {
    /// Field name on the wire.
    pub key: String,
    /// What the form says.
    pub label: String,
    /// Whether the line is refused without it.
    pub required: bool,
    /// Longest text in bytes, at most `cart::MAX_PROPERTY_BYTES`.
    pub max_bytes: u32,
}

/// A shelf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Slugs from the root.
    pub path: CategoryPath,
    /// Plain text.
    pub title: String,
    /// What it is called in other languages.
    pub translations: Vec<Translation>,
    /// Among its siblings: lower first, then by title.
    pub order: i64,
}

impl Category {
    /// Its title as a language says it.
    pub fn title_in(&self, language: &str) -> &str {
        title_in(&self.translations, language, &self.title)
    }
}

impl Catalog {
    /// Sorts, indexes and checks names. Errors: all collisions, not the first.
    pub fn new(mut products: Vec<Product>, mut categories: Vec<Category>) -> Result<Self, Vec<CatalogError>> {
        products.sort_by(|one, other| one.slug.cmp(&other.slug));
        categories.sort_by(|one, other| one.path.cmp(&other.path));
        let mut by_sku: Vec<SkuPlace> = products.iter().zip(0..).flat_map(|(product, row)| product.sku_places(row)).collect();
        by_sku.sort_unstable();
        Self::indexed(products, categories, by_sku)
    }

    /// The same of what is sorted already, with the places of all variants (see `Product::sku_places`), sorted: of a hundred thousand
    /// products they are better made by many threads. Errors: all collisions, not the first.
    pub fn indexed(products: Vec<Product>, categories: Vec<Category>, by_sku: Vec<SkuPlace>) -> Result<Self, Vec<CatalogError>> {
        debug_assert!(products.is_sorted_by(|one, other| one.slug <= other.slug), "products are sorted by slug");
        debug_assert!(categories.is_sorted_by(|one, other| one.path <= other.path), "categories are sorted by path");
        debug_assert!(by_sku.is_sorted(), "places are sorted");
        let mut errors: Vec<CatalogError> = Vec::new();
        for pair in products.windows(2).filter(|pair| pair[0].slug == pair[1].slug) {
            errors.push(CatalogError::DuplicateSlug { slug: pair[0].slug.clone() });
        }
        for pair in categories.windows(2).filter(|pair| pair[0].path == pair[1].path) {
            errors.push(CatalogError::DuplicateCategory { path: pair[0].path.clone() });
        }
        let catalog = Self { products, categories, by_sku };
        for pair in catalog.by_sku.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let (first, first_variant) = catalog.at(pair[0]);
            let (second, second_variant) = catalog.at(pair[1]);
            errors.push(if first_variant.sku == second_variant.sku {
                CatalogError::DuplicateSku {
                    sku: first_variant.sku.clone(),
                    first: first.slug.clone(),
                    second: second.slug.clone(),
                }
            } else {
                CatalogError::HashCollision { first: first_variant.sku.clone(), second: second_variant.sku.clone() }
            });
        }
        if errors.is_empty() { Ok(catalog) } else { Err(errors) }
    }

    /// All products, sorted by slug.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// All categories, sorted by path.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The place of a category among `categories`.
    pub fn category_index(&self, path: &CategoryPath) -> Option<usize> {
        self.categories.binary_search_by(|category| category.path.cmp(path)).ok()
    }

    /// A product by slug.
    pub fn product(&self, slug: &str) -> Option<&Product> {
        let found = self.products.binary_search_by(|product| product.slug.as_str().cmp(slug));
        found.ok().map(|index| &self.products[index])
    }

    /// A variant by the hash a cart carries, with its product.
    pub fn variant(&self, hash: SkuHash) -> Option<(&Product, &Variant)> {
        let found = self.by_sku.binary_search_by_key(&hash, |entry| entry.0).ok()?;
        Some(self.at(self.by_sku[found]))
    }

    /// A variant by its SKU, with its product.
    pub fn variant_by_sku(&self, sku: &Sku) -> Option<(&Product, &Variant)> {
        self.variant(sku.hash()).filter(|(_, variant)| variant.sku == *sku)
    }

    /// Writes down what was lowest before reductions, as `give` says it of a variant and its price.
    pub fn set_priors(&mut self, give: impl Fn(&Sku, &Price) -> Vec<PriorPrice>) {
        for variant in self.products.iter_mut().flat_map(|product| &mut product.variants) {
            for price in variant.prices.iter_mut().filter(|price| price.compare_at_minor.is_some() || !price.sales.is_empty()) {
                price.prior = give(&variant.sku, price).into();
            }
        }
    }

    /// Itself with each product as `change` gives it, to be written down without a second catalogue in memory. `change` keeps slugs,
    /// SKUs and their order.
    pub fn changed<F: Fn(&Product) -> Cow<'_, Product>>(&self, change: F) -> Changed<'_, F> {
        Changed { catalog: self, change }
    }

    fn at(&self, (_, product, variant): SkuPlace) -> (&Product, &Variant) {
        let product = &self.products[product as usize];
        (product, &product.variants[variant as usize])
    }
}

/// See `Catalog::changed`. Reads back as a `Catalog`.
#[derive(Clone, Copy, Debug)]
pub struct Changed<'a, F> {
    catalog: &'a Catalog,
    change: F,
}

impl<F: Fn(&Product) -> Cow<'_, Product>> Serialize for Changed<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Catalog { products, categories, by_sku } = self.catalog;
        let mut fields = serializer.serialize_struct("Catalog", 3)?;
        fields.serialize_field("products", &Each { products, change: &self.change })?;
        fields.serialize_field("categories", categories)?;
        fields.serialize_field("by_sku", by_sku)?;
        fields.end()
    }
}

struct Each<'a, F> {
    products: &'a [Product],
    change: &'a F,
}

impl<F: Fn(&Product) -> Cow<'_, Product>> Serialize for Each<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.products.iter().map(self.change))
    }
}

#[cfg(test)]
mod tests;
