//! Draft: a product as a source gives it, before its address and the SKUs that nobody gave are settled.
//!
//! Owns    which variants a product has, what is inherited and what is left out, whatever the format.

use super::intake::Intake;
use super::table::Cell;
use crate::commerce::catalog::{Image, Price, Product, ProductStatus, QuantityRule, StockPolicy, Variant};
use crate::commerce::ids::{Sku, Slug};
use crate::site::load::html::decoded_name;
use crate::site::load::products::options;
use crate::site::load::{Body, Held, LoadedProduct, MAX_SLUG_BYTES, MAX_TITLE_LETTERS, ProductDetails, Source};

/// Variants of one product: more are several products.
const MAX_VARIANTS: usize = 1000;

/// A product of a source.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its slug is what was given, or made of its title. A SKU that was not given is empty.
    pub(super) loaded: LoadedProduct,
    /// Whether the source itself gives the address.
    pub(super) has_own_slug: bool,
    /// Titles of each of its categories, from the root.
    pub(super) categories: Vec<Vec<String>>,
    /// What other products of the source call it by.
    pub(super) names: Vec<String>,
    /// Names of products that go with it.
    pub(super) related: Vec<String>,
}

/// A draft whose details are packed, with what is asked of it when all drafts are there.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) held: Box<Held>,
    pub(super) has_own_slug: bool,
    pub(super) categories: Vec<Vec<String>>,
    pub(super) names: Vec<String>,
    pub(super) related: Vec<String>,
    /// Of what it is called and chosen by.
    pub(super) identity: blake3::Hash,
    /// Of all that it says.
    pub(super) content: blake3::Hash,
}

impl Draft {
    /// Packs what only its page shows; gives the packed bytes too.
    pub(super) fn pack(self) -> (Kept, Vec<u8>) {
        let (identity, content) = (blake3::hash(&self.identity()), blake3::hash(&self.content()));
        let Self { loaded, has_own_slug, categories, names, related } = self;
        let mut record = Vec::new();
        let held = Held::new(loaded, &mut record);
        (Kept { held, has_own_slug, categories, names, related, identity, content }, record)
    }

    // The SKU where there is one; else what tells it from its namesakes for a shopper.
    fn identity(&self) -> Vec<u8> {
        let (product, details) = (&self.loaded.product, &self.loaded.details);
        let skus: Vec<&str> = product.variants.iter().map(|variant| variant.sku.as_str()).filter(|sku| !sku.is_empty()).collect();
        if !skus.is_empty() {
            return postcard::to_allocvec(&skus).expect("plain data always serialises");
        }
        let variants: Vec<_> = product.variants.iter().map(|variant| (&variant.option_values, &variant.gtin)).collect();
        postcard::to_allocvec(&(&product.title, &product.brand, &self.categories, &details.attributes, variants))
            .expect("plain data always serialises")
    }

    fn content(&self) -> Vec<u8> {
        let (product, details) = (&self.loaded.product, &self.loaded.details);
        let texts = (
            (&details.body, &details.images, &details.tags, &details.attributes, &details.seo_title, &details.seo_description),
            &details.assurance,
            &details.translations,
        );
        postcard::to_allocvec(&(product, texts, &self.categories, &self.related)).expect("plain data always serialises")
    }
}

/// A variant without anything.
pub(super) fn blank_variant() -> Variant {
    Variant {
        sku: Sku::from(String::new()),
        option_values: Vec::new(),
        prices: Vec::new(),
        weight_g: 0,
        requires_shipping: true,
        opening_stock: 0,
        stock_policy: StockPolicy::Untracked,
        image: None,
        gtin: None,
        content: None,
    }
}

/// A price list with at most one price.
pub(super) fn prices(price: Option<Price>) -> Vec<Price> {
    price.into_iter().collect()
}

/// A text of a name: decoded once; `None` where there is nothing in it.
pub(super) fn name(cell: Cell<'_>) -> Option<String> {
    Some(decoded_name(cell.text)).filter(|text| !text.is_empty())
}

/// A name that systems write for themselves (`color_family`) as people read it.
pub(super) fn label(key: &str) -> String {
    let text = decoded_name(key).replace('_', " ");
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// The address a text gives; signs alone give one made of their hash.
pub(super) fn slug_of(text: &str, kind: &str) -> String {
    let mut slug = slug::slugify(text);
    if slug.len() > MAX_SLUG_BYTES {
        // Two that begin alike still differ.
        let mark = blake3::hash(slug.as_bytes()).to_hex();
        slug.truncate(MAX_SLUG_BYTES - 9);
        slug = format!("{}-{}", slug.trim_end_matches('-'), &mark[..8]);
    }
    if slug.is_empty() { format!("{kind}-{}", &blake3::hash(text.as_bytes()).to_hex()[..8]) } else { slug }
}

impl Draft {
    /// A product whose first row has that title and, perhaps, an address of its own. `None` where it has neither.
    pub(super) fn new(intake: &mut Intake<'_>, title: Cell<'_>, handle: Cell<'_>) -> Option<Self> {
        let written = decoded_name(title.text);
        if written.is_empty() && handle.is_empty() {
            intake.leave_out(title, "this product has no title; it is left out");
            return None;
        }
        if written.chars().count() > MAX_TITLE_LETTERS {
            intake.leave_out(title, format!("this title has more than {MAX_TITLE_LETTERS} letters; the product is left out"));
            return None;
        }
        let own_slug = slug::slugify(handle.text);
        if own_slug.len() > MAX_SLUG_BYTES {
            intake.leave_out(handle, format!("this address has more than {MAX_SLUG_BYTES} bytes; the product is left out"));
            return None;
        }
        let has_own_slug = !own_slug.is_empty();
        let slug = slug_of(if has_own_slug { handle.text } else { &written }, "product");
        let (line, _) = intake.place(title.at);
        let title = if written.is_empty() { decoded_name(handle.text) } else { written };
        let product = Product {
            slug: Slug::from(slug),
            title,
            translations: Vec::new(),
            brand: None,
            categories: Vec::new(),
            image: None,
            options: Vec::new(),
            variants: Vec::new(),
            tax_class: intake.terms.tax_class.clone(),
            quantity: QuantityRule::default(),
            properties: Vec::new(),
            status: ProductStatus::Active,
            publish_at: None,
            expires_at: None,
        };
        let details = ProductDetails {
            source: Source { file: intake.terms.source.name.clone(), line },
            body: Body::Html(String::new()),
            images: Vec::new(),
            tags: Vec::new(),
            attributes: Vec::new(),
            related: Vec::new(),
            redirects: Vec::new(),
            seo_title: None,
            seo_description: None,
            updated_at: None,
            assurance: None,
            translations: Vec::new(),
        };
        let loaded = LoadedProduct { product, details, derived_skus: Vec::new(), variant_lines: Vec::new() };
        Some(Self { loaded, has_own_slug, categories: Vec::new(), names: Vec::new(), related: Vec::new() })
    }

    /// One more variant. `cell` is where it stands, `names` are the product's options. It is left out where a value is missing or
    /// all are there already.
    pub(super) fn add(&mut self, intake: &mut Intake<'_>, cell: Cell<'_>, names: &[String], variant: Variant) {
        let variants = &mut self.loaded.product.variants;
        if let Some(missing) =
            names.iter().enumerate().find(|(index, _)| variant.option_values.get(*index).is_none_or(|value| value.is_empty()))
        {
            intake.leave_out(cell, format!("this variant has no value for `{}`; it is left out", missing.1));
        } else if variants.len() >= MAX_VARIANTS {
            if variants.len() == MAX_VARIANTS {
                intake.refuse(cell, format!("a product holds at most {MAX_VARIANTS} variants"));
            }
        } else if let Some(index) = variants.iter().position(|other| other.option_values == variant.option_values) {
            let first = self.loaded.variant_lines[index];
            let values = variant.option_values.join(" / ");
            let message = match values.as_str() {
                "" => format!("the product of line {first} has no options to tell this row from it; this row is left out"),
                values => format!("the variant `{values}` is there already, on line {first}; this row is left out"),
            };
            intake.leave_out(cell, message);
        } else {
            let (line, _) = intake.place(cell.at);
            variants.push(variant);
            self.loaded.variant_lines.push(line);
        }
    }

    /// One more fact.
    pub(super) fn attribute(&mut self, name: &str, value: &str) {
        let (name, value) = (decoded_name(name), decoded_name(value));
        if !name.is_empty() && !value.is_empty() {
            self.loaded.details.attributes.push((name, value));
        }
    }

    /// One more picture, unless it is there already.
    pub(super) fn picture(&mut self, image: Option<Image>) {
        let images = &mut self.loaded.details.images;
        if let Some(image) = image.filter(|image| images.iter().all(|other| other.url != image.url)) {
            images.push(image);
        }
    }

    /// One more category, by its titles from the root.
    pub(super) fn category<'c>(&mut self, titles: impl IntoIterator<Item = &'c str>) {
        let titles: Vec<String> = titles.into_iter().map(decoded_name).filter(|title| !title.is_empty()).collect();
        if !titles.is_empty() && !self.categories.contains(&titles) {
            self.categories.push(titles);
        }
    }

    /// Puts together what depends on all variants. `None` where nothing of it can be shown.
    pub(super) fn finish(mut self, names: &[String]) -> Option<Self> {
        let (product, details) = (&mut self.loaded.product, &mut self.loaded.details);
        if product.variants.is_empty() {
            return None;
        }
        product.options = options(names, &product.variants);
        product.image = details.images.first().cloned();
        for picture in product.variants.iter_mut().filter_map(|variant| variant.image.as_mut()) {
            let known = details.images.iter().find(|image| image.url == picture.url);
            picture.alt = known.map_or_else(String::new, |image| image.alt.clone());
        }
        // In the order in which content keeps them, each name once.
        details.attributes.sort_by(|one, other| one.0.cmp(&other.0));
        details.attributes.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same && !kept.1.split(", ").any(|value| value == next.1) {
                kept.1 = format!("{}, {}", kept.1, next.1);
            }
            is_same
        });
        details.tags.dedup();
        Some(self)
    }
}
