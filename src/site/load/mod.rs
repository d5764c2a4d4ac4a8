//! Load: files → what the shop sells and says, with everything that is wrong told at its place.
//!
//! Owns    `Loaded` and the reading of content/ and of bulk sources.
//! Always  all problems of a run, sorted by file and line; one broken product does not hide the next.

use crate::commerce::catalog::{Catalog, Image};
use crate::commerce::ids::{Sku, Slug, Timestamp};
use crate::commerce::promotion::Promotion;

/// What the shop sells and says.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What is sold.
    pub catalog: Catalog,
    /// What only a product's page shows; same order as `catalog.products()`.
    pub products: Vec<ProductDetails>,
    /// What only a category's page shows; same order as `catalog.categories()`.
    pub categories: Vec<CategoryDetails>,
    /// Content pages, sorted by slug.
    pub pages: Vec<PageSource>,
    /// Coupons, sorted by id.
    pub promotions: Vec<Promotion>,
    /// SKUs that the source did not give.
    pub derived_skus: Vec<Sku>,
}

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Path below the shop's folder.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// A text that becomes HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The merchant's own.
    Markdown(String),
    /// From outside, sanitised and balanced.
    Html(String),
}

/// What only a product's page shows.
#[derive(Clone, Debug)]
pub struct ProductDetails {
    /// Where it was written.
    pub source: Source,
    /// Its text.
    pub body: Body,
    /// All pictures; `url` is the path below static/ or an absolute URL.
    pub images: Vec<Image>,
    /// Words.
    pub tags: Vec<String>,
    /// Rows of facts.
    pub attributes: Vec<(String, String)>,
    /// Products that go with it.
    pub related: Vec<Slug>,
    /// Old addresses, each with a leading slash.
    pub redirects: Vec<String>,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
    /// When its text last changed, where the source says so.
    pub updated_at: Option<Timestamp>,
}

/// What only a category's page shows.
#[derive(Clone, Debug, Default)]
pub struct CategoryDetails {
    /// Where it was written.
    pub source: Source,
    /// Its text.
    pub body_markdown: String,
    /// A picture of it; `url` as in `ProductDetails`.
    pub image: Option<Image>,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
}

/// A content page.
#[derive(Clone, Debug)]
pub struct PageSource {
    /// Where it was written.
    pub source: Source,
    /// Its address; `index` fills the home page.
    pub slug: Slug,
    /// Plain text.
    pub title: String,
    /// Its text.
    pub body_markdown: String,
    /// Among the links at the foot: lower first.
    pub order: i64,
    /// Whether it is linked at the foot of every page.
    pub footer: bool,
    /// Free values for templates.
    pub extra: serde_json::Value,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
}
