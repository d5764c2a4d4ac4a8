//! Structured data: what a page says to machines, as JSON-LD.
//!
//! Always  the same price, availability and names as the visible page, since both are printed from the same view; where Google asks for
//!         more than the page has (the day of a back-order), the same as the product feed.
//! Source  schema.org Product, ProductGroup, Offer, BreadcrumbList, ItemList; WEB.md 1.1–1.7.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::feeds::{Claims, Condition};
use crate::commerce::ids::Sku;
use crate::commerce::measure::Measure;
use crate::commerce::money::{Currency, Money};
use crate::theme::filters::script_safe;
use crate::theme::view::{Availability, Card, Link, ProductView, VariantView};

pub(super) const CONTEXT: &str = "https://schema.org";

/// A document as text for a script element.
pub(super) fn ready(document: &impl Serialize) -> String {
    script_safe(&serde_json::to_string(document).expect("texts and numbers always serialise"))
}

/// Product or ProductGroup. Written by hand for speed: a generic JSON value costs more than the page around it.
#[derive(Serialize)]
struct ProductDocument<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: &'a str,
    url: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<Brand<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gtin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offers: Option<Offer>,
    #[serde(rename = "productGroupID", skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(rename = "variesBy", skip_serializing_if = "Option::is_none")]
    axes: Option<Vec<Cow<'a, str>>>,
    #[serde(rename = "hasVariant", skip_serializing_if = "Vec::is_empty")]
    variants: Vec<VariantDocument<'a>>,
    #[serde(rename = "@context")]
    context: &'static str,
}

#[derive(Serialize)]
struct Brand<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: &'a str,
}

struct VariantDocument<'a> {
    view: &'a ProductView,
    variant: &'a VariantView,
    image: Option<Cow<'a, str>>,
    offer: Offer,
}

#[derive(Serialize)]
struct Offer {
    #[serde(rename = "@type")]
    kind: &'static str,
    url: String,
    price: String,
    #[serde(rename = "priceCurrency")]
    currency: Currency,
    availability: &'static str,
    #[serde(rename = "availabilityStarts", skip_serializing_if = "Option::is_none")]
    leaves_at: Option<String>,
    #[serde(rename = "itemCondition")]
    condition: &'static str,
    /// A day: the vocabulary knows nothing finer for it.
    #[serde(rename = "priceValidUntil", skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// The instant itself.
    #[serde(rename = "validThrough", skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
    #[serde(rename = "priceSpecification", skip_serializing_if = "Vec::is_empty", serialize_with = "one_or_more")]
    specifications: Vec<PriceSpecification>,
}

#[derive(Serialize)]
struct PriceSpecification {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "priceType", skip_serializing_if = "Option::is_none")]
    price_type: Option<&'static str>,
    price: String,
    #[serde(rename = "priceCurrency")]
    currency: Currency,
    #[serde(rename = "referenceQuantity", skip_serializing_if = "Option::is_none")]
    content: Option<Quantity>,
}

/// How much there is, and by what measure its price is told.
#[derive(Serialize)]
struct Quantity {
    #[serde(rename = "@type")]
    kind: &'static str,
    value: String,
    #[serde(rename = "unitCode")]
    unit: &'static str,
    #[serde(rename = "valueReference", skip_serializing_if = "Option::is_none")]
    base: Option<Box<Quantity>>,
}

fn one_or_more<S: Serializer>(all: &[PriceSpecification], serializer: S) -> Result<S::Ok, S::Error> {
    match all {
        [only] => only.serialize(serializer),
        all => all.serialize(serializer),
    }
}

#[derive(Serialize)]
struct PropertyValue<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct ListDocument<T> {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "itemListElement")]
    items: Vec<T>,
    #[serde(rename = "@context")]
    context: &'static str,
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    position: usize,
    name: &'a str,
    item: Cow<'a, str>,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    position: usize,
    name: &'a str,
    url: Cow<'a, str>,
}

/// Product (one variant) or ProductGroup (several). `None` where nothing of it is for sale: an Offer needs a price.
pub(super) fn product(view: &ProductView, claims: &Claims, base_url: &str, description: &str) -> Option<String> {
    if view.variants.iter().all(|variant| variant.price.is_none()) {
        return None;
    }
    let url = absolute(base_url, &view.url);
    let mut document = ProductDocument {
        kind: "Product",
        name: &view.title,
        description,
        image: view.images.iter().map(|image| with_origin(base_url, &image.url)).collect(),
        brand: view.brand.as_deref().map(|name| Brand { kind: "Brand", name }),
        sku: None,
        gtin: None,
        offers: None,
        group: None,
        axes: None,
        variants: Vec::new(),
        context: CONTEXT,
        url,
    };
    if let [only] = view.variants.as_slice() {
        document.sku = Some(only.sku.as_str());
        document.gtin = only.gtin.as_deref();
        document.offers = Some(offer(only, claims, document.url.clone())?);
        return Some(ready(&document));
    }
    document.kind = "ProductGroup";
    document.group = Some(&view.slug);
    document.axes = Some(view.options.iter().map(|option| axis(&option.name)).collect());
    let of_variant = |variant| {
        let offer = offer(variant, claims, format!("{}{}", document.url, variant_query(&variant.sku)))?;
        Some(variant_document(view, variant, base_url, offer))
    };
    document.variants = view.variants.iter().filter_map(of_variant).collect();
    Some(ready(&document))
}

fn variant_document<'a>(view: &'a ProductView, variant: &'a VariantView, base_url: &str, offer: Offer) -> VariantDocument<'a> {
    let image = variant.image.as_ref().or(view.images.first()).map(|image| with_origin(base_url, &image.url));
    VariantDocument { view, variant, image, offer }
}

impl Serialize for VariantDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("@type", "Product")?;
        map.serialize_entry("name", &format_args!("{} – {}", self.view.title, self.variant.title))?;
        map.serialize_entry("sku", self.variant.sku.as_str())?;
        map.serialize_entry("offers", &self.offer)?;
        if let Some(image) = &self.image {
            map.serialize_entry("image", image)?;
        }
        if let Some(gtin) = &self.variant.gtin {
            map.serialize_entry("gtin", gtin)?;
        }
        let mut other = Vec::new();
        for (option, value) in self.view.options.iter().zip(&self.variant.option_values) {
            match known_axis(&option.name) {
                Some(property) => map.serialize_entry(property, value)?,
                None => other.push(PropertyValue { kind: "PropertyValue", name: &option.name, value }),
            }
        }
        if !other.is_empty() {
            map.serialize_entry("additionalProperty", &other)?;
        }
        map.end()
    }
}

fn offer(variant: &VariantView, claims: &Claims, url: String) -> Option<Offer> {
    let price = variant.price?;
    let told = claims.told(variant.availability);
    Some(Offer {
        kind: "Offer",
        url,
        price: price.to_decimal_string(),
        currency: price.currency,
        availability: availability(told),
        leaves_at: claims.leaves_at.clone().filter(|_| told == Availability::Backorder),
        condition: condition(claims.condition),
        until: variant.sale_until.clone(),
        ends_at: variant.sale_ends_at.clone(),
        specifications: variant.compare_at.map(struck_price).into_iter().chain(measured_price(variant, price)).collect(),
    })
}

fn specification(price: Money) -> PriceSpecification {
    let (kind, price, currency) = ("UnitPriceSpecification", price.to_decimal_string(), price.currency);
    PriceSpecification { kind, price_type: None, price, currency, content: None }
}

fn struck_price(struck: Money) -> PriceSpecification {
    PriceSpecification { price_type: Some("https://schema.org/StrikethroughPrice"), ..specification(struck) }
}

fn measured_price(variant: &VariantView, price: Money) -> Option<PriceSpecification> {
    let content = variant.measured?;
    let quantity =
        |measure: Measure, base| Quantity { kind: "QuantitativeValue", value: measure.number(), unit: measure.unit.code(), base };
    let base = Some(Box::new(quantity(content.base, None)));
    Some(PriceSpecification { content: Some(quantity(content.amount, base)), ..specification(price) })
}

fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::InStock | Availability::LowStock => "https://schema.org/InStock",
        Availability::Backorder => "https://schema.org/BackOrder",
        Availability::SoldOut | Availability::NotForSale => "https://schema.org/OutOfStock",
    }
}

fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::New => "https://schema.org/NewCondition",
        Condition::Refurbished => "https://schema.org/RefurbishedCondition",
        Condition::Used => "https://schema.org/UsedCondition",
    }
}

// Axes that the vocabulary has a property for are named by its address, others by their word.
fn axis(name: &str) -> Cow<'_, str> {
    known_axis(name).map_or(Cow::Borrowed(name), |property| format!("https://schema.org/{property}").into())
}

/// The word that schema.org and Google have for an axis of choice, in the languages whose shops name it themselves.
pub(super) fn known_axis(name: &str) -> Option<&'static str> {
    const WORDS: [(&str, &[&str]); 4] = [
        ("size", &["size", "größe", "groesse", "taille", "talla", "tamaño", "taglia", "misura", "maat", "storlek", "rozmiar"]),
        ("color", &["color", "colour", "farbe", "couleur", "colore", "kleur", "färg", "kolor", "cor"]),
        ("material", &["material", "matériau", "matière", "materiale", "materiaal", "materiał"]),
        ("pattern", &["pattern", "muster", "motif", "estampado", "fantasia", "patroon", "mönster", "wzór"]),
    ];
    let is_one = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(name) || is_same(word, name));
    WORDS.iter().find(|(_, words)| is_one(words)).map(|(property, _)| *property)
}

// Beyond ASCII letters have cases too.
fn is_same(word: &str, name: &str) -> bool {
    !name.is_ascii() && name.chars().flat_map(char::to_lowercase).eq(word.chars())
}

/// The query that chooses a variant on its product's page.
pub(super) fn variant_query(sku: &Sku) -> String {
    format!("?variant={}", encoded(sku.as_str()))
}

/// BreadcrumbList; `None` for fewer than two steps.
pub(super) fn breadcrumbs(links: &[Link], base_url: &str) -> Option<String> {
    if links.len() < 2 {
        return None;
    }
    let step = |(position, link)| {
        let link: &Link = link;
        Step { kind: "ListItem", position, name: &link.title, item: with_origin(base_url, &link.url) }
    };
    let items = (1..).zip(links).map(step).collect();
    Some(ready(&ListDocument { kind: "BreadcrumbList", items, context: CONTEXT }))
}

/// ItemList of a category's page; `None` where it is empty.
pub(super) fn item_list(cards: &[Card], base_url: &str) -> Option<String> {
    if cards.is_empty() {
        return None;
    }
    let item = |(position, card)| {
        let card: &Card = card;
        Item { kind: "ListItem", position, name: &card.title, url: with_origin(base_url, &card.url) }
    };
    let items = (1..).zip(cards).map(item).collect();
    Some(ready(&ListDocument { kind: "ItemList", items, context: CONTEXT }))
}

fn with_origin<'a>(base_url: &str, url: &'a str) -> Cow<'a, str> {
    if url.starts_with('/') { format!("{base_url}{url}").into() } else { url.into() }
}

/// An address with its origin; absolute ones stay.
pub(super) fn absolute(base_url: &str, url: &str) -> String {
    if url.starts_with('/') { format!("{base_url}{url}") } else { url.to_owned() }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
