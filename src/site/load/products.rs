//! Products: content/products/**/*.md; the file's name is the address, folders are free.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use toml::Spanned;

use super::details::Details;
use super::parsed::{self, File};
use super::prices::{WrittenPrices, WrittenSale};
use super::translations::{self, OfProduct, Sibling};
use super::written::{Amount, Place};
use super::{Body, Held, LoadedProduct, MAX_PATH_BYTES, MAX_SLUG_BYTES, MAX_TITLE_LETTERS, ProductDetails, Source};
use super::{front_matter, one_line, paths, shown_path, source_file};
use crate::commerce::cart::{MAX_PROPERTY_BYTES, MAX_QUANTITY};
use crate::commerce::catalog::{Image, Product, ProductOption, ProductStatus, PropertyRule, QuantityRule, StockPolicy, Variant};
use crate::commerce::ids::{CategoryPath, Sku, Slug, TaxClass};
use crate::commerce::measure::Content;
use crate::commerce::money::Currency;
use crate::commerce::rules::Rules;
use crate::site::makers::Assurance;
use crate::site::problem::{Problem, Problems, SourceFile, nearest};
use crate::site::render::feeds::wrong_value;
use crate::site::render::shortcode;

/// Variants of one product: more are several products.
const MAX_VARIANTS: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: Spanned<String>,
    brand: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    images: Vec<WrittenImage>,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default)]
    variants: Vec<Spanned<WrittenVariant>>,
    price: Option<Spanned<Amount>>,
    compare_at: Option<Spanned<Amount>>,
    #[serde(default)]
    prices: BTreeMap<String, Spanned<Amount>>,
    #[serde(default)]
    sales: Vec<WrittenSale>,
    weight_g: Option<u32>,
    stock_policy: Option<StockPolicy>,
    requires_shipping: Option<bool>,
    content: Option<Spanned<String>>,
    sku: Option<Spanned<String>>,
    gtin: Option<String>,
    stock: Option<u32>,
    tax_class: Option<Spanned<String>>,
    quantity: Option<Spanned<WrittenQuantity>>,
    #[serde(default)]
    properties: Vec<Spanned<WrittenProperty>>,
    #[serde(default)]
    status: ProductStatus,
    publish_at: Option<Spanned<String>>,
    expires_at: Option<Spanned<String>>,
    updated_at: Option<Spanned<String>>,
    #[serde(default)]
    related: Vec<String>,
    #[serde(default)]
    redirects: Vec<Spanned<String>>,
    maker: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default, deserialize_with = "crate::site::makers::years")]
    guarantee_years: Option<u8>,
    #[serde(default)]
    attributes: toml::Table,
    #[serde(default)]
    seo: WrittenSeo,
    /// `html` for a body that another shop wrote and an import sanitised. Default: markdown.
    #[serde(default)]
    body: BodyFormat,
}

// What a product says for all its variants, and each variant may say for itself. (Not flattened: flattening loses places.)
#[derive(Clone, Default)]
struct Shared {
    prices: WrittenPrices,
    weight_g: Option<u32>,
    stock_policy: Option<StockPolicy>,
    requires_shipping: Option<bool>,
    content: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenVariant {
    #[serde(default)]
    options: Vec<String>,
    sku: Option<Spanned<String>>,
    gtin: Option<String>,
    stock: Option<u32>,
    image: Option<String>,
    price: Option<Spanned<Amount>>,
    compare_at: Option<Spanned<Amount>>,
    #[serde(default)]
    prices: BTreeMap<String, Spanned<Amount>>,
    #[serde(default)]
    sales: Vec<WrittenSale>,
    weight_g: Option<u32>,
    stock_policy: Option<StockPolicy>,
    requires_shipping: Option<bool>,
    content: Option<Spanned<String>>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenImage {
    src: String,
    #[serde(default)]
    alt: String,
}

impl WrittenImage {
    pub(super) fn src(&self) -> &String {
        &self.src
    }

    pub(super) fn alt(&self) -> &str {
        &self.alt
    }
}

impl From<WrittenImage> for Image {
    fn from(written: WrittenImage) -> Self {
        Self { url: written.src, alt: written.alt, width: None, height: None }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenSeo {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenQuantity {
    min: u32,
    max: u32,
    step: u32,
}

impl Default for WrittenQuantity {
    fn default() -> Self {
        Self { min: 1, max: MAX_QUANTITY, step: 1 }
    }
}

impl WrittenQuantity {
    /// The rule; `None` where nobody could buy that many.
    pub(super) fn rule(&self) -> Option<QuantityRule> {
        let Self { min, max, step } = *self;
        let is_possible = min >= 1 && step >= 1 && min <= max && max <= MAX_QUANTITY;
        is_possible.then_some(QuantityRule { min, max, step })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenProperty {
    key: String,
    label: String,
    #[serde(default)]
    required: bool,
    #[serde(default = "whole_property")]
    max_bytes: u32,
}

impl From<WrittenProperty> for PropertyRule {
    fn from(written: WrittenProperty) -> Self {
        let WrittenProperty { key, label, required, max_bytes } = written;
        Self { key, label, required, max_bytes }
    }
}

/// Whether a field can have that name on the wire.
pub(super) fn plain_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether a text is an old address: a path of the site, without query and closing slash.
pub(super) fn is_old_address(text: &str) -> bool {
    // Of the signs, some end a line or a word of `_redirects`, and others stand there for any address.
    let is_odd =
        |sign: char| sign.is_control() || sign.is_whitespace() || matches!(sign, '?' | '#' | '\\' | '*' | ':' | '<' | '>' | '"');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= MAX_SLUG_BYTES;
    text.len() <= MAX_PATH_BYTES
        && !text.contains(is_odd)
        && text.strip_prefix('/').is_some_and(|path| path.split('/').all(is_part))
}

fn whole_property() -> u32 {
    MAX_PROPERTY_BYTES as u32
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BodyFormat {
    #[default]
    Markdown,
    Html,
}

const FOLDER: &str = "content/products";

pub(super) fn read(
    root: &Path,
    rules: &Rules,
    cache: Option<&Path>,
    details: &mut Details,
    problems: &mut Problems,
) -> Vec<Box<Held>> {
    let file = |(path, translations): (PathBuf, Vec<Sibling>)| File { name: shown_path(root, &path), path, translations };
    let (paths, remembered) = rayon::join(|| paths(root, FOLDER, "md", problems), || parsed::remembered(cache, rules));
    let all = translations::split(root, paths, rules, problems);
    let files = all.into_par_iter().map(file).collect();
    let read = |File { name, path, translations }: &File| {
        let (file, mut found) = source_file(name, path);
        let mut product = file.and_then(|file| Reader { file: &file, rules }.product(&mut found));
        if let Some(product) = &mut product {
            translations.iter().for_each(|sibling| translate(product, sibling, name, &mut found));
        }
        (product, found)
    };
    parsed::products(files, remembered, &read, details, problems)
}

fn translate(loaded: &mut LoadedProduct, sibling: &Sibling, original: &str, problems: &mut Problems) {
    let Some(read) = translations::read::<OfProduct>(sibling, original, problems) else { return };
    let (images, words) = translatable(loaded);
    let (translation, details) = read.parts(&images, &words, problems);
    loaded.product.translations.push(translation);
    loaded.details.translations.push(details);
}

/// Pictures whose alt texts a translation may give, and the names and values of options, attributes and fields, and
/// warnings, that it may say.
pub(super) fn translatable(loaded: &LoadedProduct) -> (Vec<&str>, Vec<&str>) {
    let (product, details) = (&loaded.product, &loaded.details);
    let images = details.images.iter().map(|image| image.url.as_str()).collect();
    let options = product.options.iter().flat_map(ProductOption::words);
    let attributes = details.attributes.iter().flat_map(|(name, value)| [name.as_str(), value]);
    let labels = product.properties.iter().map(|property| property.label.as_str());
    let warnings = details.assurance.iter().flat_map(|assurance| &assurance.warnings).map(String::as_str);
    (images, options.chain(attributes).chain(labels).chain(warnings).collect())
}

struct Reader<'a> {
    file: &'a SourceFile,
    rules: &'a Rules,
}

impl Reader<'_> {
    fn product(&self, problems: &mut Problems) -> Option<LoadedProduct> {
        let slug = Path::new(&*self.file.path).file_stem()?.to_string_lossy().into_owned();
        if slug.is_empty() || slug != slug::slugify(&slug) {
            let problem = Problem::about(&self.file.path, format!("`{slug}` cannot be an address"));
            problems
                .push(problem.hint(format!("name the file with a–z, 0–9 and hyphens, such as `{}.md`", slug::slugify(&slug))));
            return None;
        }
        if slug.len() > MAX_SLUG_BYTES {
            let problem = Problem::about(&self.file.path, format!("this address has more than {MAX_SLUG_BYTES} bytes"));
            problems.push(problem.hint("give the file a shorter name"));
            return None;
        }
        let (written, body, place): (Written, _, _) = front_matter::read(self.file, problems)?;
        let before = problems.errors();
        let title = one_line(written.title.get_ref());
        if title.is_empty() {
            problems.push(place.problem(&written.title, "a product needs a title"));
        } else if title.chars().count() > MAX_TITLE_LETTERS {
            problems.push(place.problem(&written.title, format!("this title has more than {MAX_TITLE_LETTERS} letters")));
        }
        let quantity = self.quantity(&written, place, problems);
        let properties = self.properties(&written, place, problems);
        let tax_class = self.tax_class(&written, place, problems);
        let instant = |text: &Option<Spanned<String>>, problems: &mut Problems| {
            text.as_ref().and_then(|text| place.instant(text, problems))
        };
        let publish_at = instant(&written.publish_at, problems);
        let expires_at = instant(&written.expires_at, problems);
        let updated_at = instant(&written.updated_at, problems);
        let redirects = redirects(&written.redirects, place, problems);
        let (variants, options, derived_skus) = self.variants(&written, &slug, place, problems);
        let images: Vec<Image> = written.images.into_iter().map(Image::from).collect();
        if problems.errors() > before {
            return None;
        }
        let line = self.file.line(place.offset + written.title.span().start);
        let attributes: Vec<(String, String)> =
            written.attributes.into_iter().map(|(name, value)| (name, plain(&value))).collect();
        for (name, value) in &attributes {
            if let Some(hint) = wrong_value(name, value) {
                problems.push(
                    place
                        .problem(&written.title, format!("`{name} = \"{value}\"` is nothing that product feeds take"))
                        .hint(hint),
                );
            }
        }
        let product = Product {
            slug: Slug::from(slug),
            title,
            translations: Vec::new(),
            brand: written.brand.map(Into::into),
            categories: written.categories.into_iter().map(CategoryPath::from).collect(),
            image: images.first().cloned(),
            options,
            variants,
            tax_class: tax_class?,
            quantity: quantity?,
            properties,
            status: written.status,
            publish_at,
            expires_at,
        };
        let body = match written.body {
            BodyFormat::Markdown => {
                shortcode::check(self.file, self.file.text.len() - body.len(), body, problems);
                Body::Markdown(body.to_owned())
            }
            BodyFormat::Html => Body::Html(super::html::sanitized(body)),
        };
        let assurance = Assurance { maker: written.maker, warnings: written.warnings, guarantee_years: written.guarantee_years };
        let details = ProductDetails {
            source: Source { file: self.file.path.to_string(), line },
            body,
            images,
            tags: written.tags,
            attributes,
            related: written.related.into_iter().map(Slug::from).collect(),
            redirects,
            seo_title: written.seo.title,
            seo_description: written.seo.description,
            updated_at,
            assurance: assurance.boxed(),
            translations: Vec::new(),
        };
        Some(LoadedProduct { product, details, derived_skus, variant_lines: Vec::new() })
    }

    fn quantity(&self, written: &Written, place: Place<'_>, problems: &mut Problems) -> Option<QuantityRule> {
        let Some(rule) = &written.quantity else { return Some(QuantityRule::default()) };
        let found = rule.get_ref().rule();
        if found.is_none() {
            let problem = place.problem(rule, "nobody could buy that many");
            problems.push(problem.hint(format!("write 1 ≤ min ≤ max ≤ {MAX_QUANTITY} and a step of 1 or more")));
        }
        found
    }

    fn properties(&self, written: &Written, place: Place<'_>, problems: &mut Problems) -> Vec<PropertyRule> {
        let mut rules = Vec::new();
        for property in &written.properties {
            let WrittenProperty { key, label, required, max_bytes } = property.get_ref();
            if !plain_key(key) {
                problems
                    .push(place.problem(property, format!("`{key}` cannot be a field's name")).hint("write a–z, 0–9 and `_`"));
            }
            if !(1..=whole_property()).contains(max_bytes) {
                problems.push(place.problem(property, format!("a text holds 1 to {MAX_PROPERTY_BYTES} bytes")));
            }
            rules.push(PropertyRule { key: key.clone(), label: label.clone(), required: *required, max_bytes: *max_bytes });
        }
        rules
    }

    fn tax_class(&self, written: &Written, place: Place<'_>, problems: &mut Problems) -> Option<TaxClass> {
        let classes = &self.rules.tax.classes;
        let Some(class) = &written.tax_class else { return classes.first().cloned() };
        let found = classes.iter().find(|known| known.as_str() == class.get_ref());
        if found.is_none() {
            let known: Vec<&str> = classes.iter().map(TaxClass::as_str).collect();
            let hint = match nearest(class.get_ref(), known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("classes in site.toml: {}", known.join(", ")),
            };
            problems.push(place.problem(class, format!("there is no tax class `{}`", class.get_ref())).hint(hint));
        }
        found.cloned()
    }

    fn variants(
        &self,
        written: &Written,
        slug: &str,
        place: Place<'_>,
        problems: &mut Problems,
    ) -> (Vec<Variant>, Vec<ProductOption>, Vec<Sku>) {
        let mut derived = Vec::new();
        let root = self.rules.root_market().currency;
        let shared = written.shared();
        let mut sku = |given: &Option<Spanned<String>>, values: &[String]| match given {
            Some(sku) if !sku.get_ref().trim().is_empty() => Sku::from(sku.get_ref().trim().to_owned()),
            _ => {
                let sku = derived_sku(slug, values);
                derived.push(sku.clone());
                sku
            }
        };
        if written.variants.is_empty() {
            if !written.options.is_empty() {
                problems.push(
                    place
                        .problem(&written.title, "this product has options and no variants")
                        .hint("write a [[variants]] for each"),
                );
            }
            let variant = Variant {
                sku: sku(&written.sku, &[]),
                option_values: Vec::new(),
                prices: shared.prices.read(root, place, problems),
                weight_g: shared.weight_g.unwrap_or(0),
                requires_shipping: shared.requires_shipping.unwrap_or(true),
                opening_stock: written.stock.unwrap_or(0),
                stock_policy: policy(shared.stock_policy, written.stock),
                image: None,
                gtin: written.gtin.clone(),
                content: content(&shared.content, place, problems),
            };
            return (vec![variant], Vec::new(), derived);
        }
        if written.variants.len() > MAX_VARIANTS {
            problems.push(place.problem(&written.title, format!("a product holds at most {MAX_VARIANTS} variants")));
            return (Vec::new(), Vec::new(), derived);
        }
        let own_prices = written.variants.iter().map(|variant| variant.get_ref().prices());
        shared.prices.tell_unused(own_prices, root, place, problems);
        let mut seen: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        let mut variants = Vec::new();
        for spanned in &written.variants {
            let own = spanned.get_ref();
            if own.options.len() != written.options.len() {
                let message = format!("this variant has {} values for {} options", own.options.len(), written.options.len());
                let hint = format!("write one value for each of: {}", written.options.join(", "));
                problems.push(place.problem(spanned, message).hint(hint));
                continue;
            }
            let line = self.file.line(place.offset + spanned.span().start);
            if let Some(first) = seen.insert(own.options.clone(), line) {
                problems.push(place.problem(spanned, format!("the variant of line {first} has the same values")));
                continue;
            }
            let shared = own.over(&shared, root);
            let image = own.image.as_ref().map(|src| {
                let alt = written.images.iter().find(|image| image.src == *src).map_or(String::new(), |image| image.alt.clone());
                Image { url: src.clone(), alt, width: None, height: None }
            });
            let stock = own.stock.or(written.stock);
            variants.push(Variant {
                sku: sku(&own.sku, &own.options),
                option_values: own.options.iter().map(Into::into).collect(),
                prices: shared.prices.read(root, place, problems),
                weight_g: shared.weight_g.unwrap_or(0),
                requires_shipping: shared.requires_shipping.unwrap_or(true),
                opening_stock: stock.unwrap_or(0),
                stock_policy: policy(shared.stock_policy, stock),
                image: image.map(Box::new),
                gtin: own.gtin.clone(),
                content: content(&shared.content, place, problems),
            });
        }
        let options = options(&written.options, &variants);
        (variants, options, derived)
    }
}

impl Written {
    fn shared(&self) -> Shared {
        Shared {
            prices: WrittenPrices {
                price: self.price.clone(),
                compare_at: self.compare_at.clone(),
                prices: self.prices.clone(),
                sales: self.sales.clone(),
            },
            weight_g: self.weight_g,
            stock_policy: self.stock_policy,
            requires_shipping: self.requires_shipping,
            content: self.content.clone(),
        }
    }
}

impl WrittenVariant {
    fn prices(&self) -> WrittenPrices {
        WrittenPrices {
            price: self.price.clone(),
            compare_at: self.compare_at.clone(),
            prices: self.prices.clone(),
            sales: self.sales.clone(),
        }
    }

    fn over(&self, shared: &Shared, root: Currency) -> Shared {
        Shared {
            prices: self.prices().over(&shared.prices, root),
            weight_g: self.weight_g.or(shared.weight_g),
            stock_policy: self.stock_policy.or(shared.stock_policy),
            requires_shipping: self.requires_shipping.or(shared.requires_shipping),
            content: self.content.clone().or_else(|| shared.content.clone()),
        }
    }
}

fn content(written: &Option<Spanned<String>>, place: Place<'_>, problems: &mut Problems) -> Option<Box<Content>> {
    let written = written.as_ref()?;
    let found = written.get_ref().parse::<Content>();
    found.map_err(|error| problems.push(place.problem(written, error.to_string()).hint(error.hint()))).ok().map(Box::new)
}

// Nothing said about stock at all: it is not counted.
fn policy(written: Option<StockPolicy>, stock: Option<u32>) -> StockPolicy {
    written.unwrap_or(if stock.is_some() { StockPolicy::Deny } else { StockPolicy::Untracked })
}

/// The SKU of a variant that was given none: its product's address and its values. Stable as long as these are.
pub(super) fn derived_sku(slug: &str, values: &[impl AsRef<str>]) -> Sku {
    let mut text = slug.to_owned();
    for value in values.iter().map(AsRef::as_ref) {
        let word = slug::slugify(value);
        text.push('-');
        // A value of signs alone still has to tell two variants apart.
        text.push_str(if word.is_empty() { value } else { &word });
    }
    Sku::from(text)
}

/// The options of a product with their values in the order in which variants name them.
pub(super) fn options(names: &[String], variants: &[Variant]) -> Vec<ProductOption> {
    let option = |(index, name): (usize, &String)| {
        let mut values = Vec::new();
        for value in variants.iter().map(|variant| &variant.option_values[index]) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        ProductOption { name: name.into(), values }
    };
    names.iter().enumerate().map(option).collect()
}

fn redirects(written: &[Spanned<String>], place: Place<'_>, problems: &mut Problems) -> Vec<String> {
    let mut kept = Vec::new();
    for address in written {
        let text = address.get_ref();
        if is_old_address(text) {
            kept.push(text.clone());
        } else {
            let problem = place.problem(address, format!("`{text}` is not an old address"));
            problems.push(problem.hint("write a path such as \"/collections/lamps\", without query and closing slash"));
        }
    }
    kept
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Boolean(true) => "yes".to_owned(),
        toml::Value::Boolean(false) => "no".to_owned(),
        toml::Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
