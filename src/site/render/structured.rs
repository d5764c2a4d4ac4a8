//! Structured data: what a page says to machines, as JSON-LD.
//!
//! Always  the same price, availability and names as the visible page, since both are printed from the same view.
//! Source  schema.org Product, ProductGroup, Offer, BreadcrumbList, ItemList; WEB.md 1.1–1.7.

use serde_json::{Map, Value, json};

use crate::commerce::money::Money;
use crate::theme::filters::script_safe;
use crate::theme::view::{Availability, CardView, Link, ProductView, VariantView};

/// A document ready for a script element.
fn ready(mut document: Value) -> String {
    document["@context"] = "https://schema.org".into();
    script_safe(&document.to_string())
}

/// Product (one variant) or ProductGroup (several). `None` where nothing of it is for sale: an Offer needs a price.
pub(super) fn product(view: &ProductView, base_url: &str, description: &str) -> Option<String> {
    if view.variants.iter().all(|variant| variant.price.is_none()) {
        return None;
    }
    let absolute = |url: &str| absolute(base_url, url);
    let images: Vec<String> = view.images.iter().map(|image| absolute(&image.url)).collect();
    let mut document = json!({ "@type": "Product", "name": view.title, "url": absolute(&view.url) });
    if !description.is_empty() {
        document["description"] = description.into();
    }
    if !images.is_empty() {
        document["image"] = images.into();
    }
    if let Some(brand) = &view.brand {
        document["brand"] = json!({ "@type": "Brand", "name": brand });
    }
    if let [only] = view.variants.as_slice() {
        document["sku"] = only.sku.as_str().into();
        insert_gtin(&mut document, only);
        document["offers"] = offer(only, &absolute(&view.url))?;
        return Some(ready(document));
    }
    document["@type"] = "ProductGroup".into();
    document["productGroupID"] = view.slug.as_str().into();
    let axes: Vec<Value> = view.options.iter().map(|option| axis(&option.name)).collect();
    document["variesBy"] = axes.into();
    let variants: Vec<Value> = view.variants.iter().filter_map(|variant| variant_document(view, variant, base_url)).collect();
    document["hasVariant"] = variants.into();
    Some(ready(document))
}

fn variant_document(view: &ProductView, variant: &VariantView, base_url: &str) -> Option<Value> {
    let url = format!("{}?variant={}", absolute(base_url, &view.url), encoded(variant.sku.as_str()));
    let mut document = json!({
        "@type": "Product",
        "name": format!("{} – {}", view.title, variant.title),
        "sku": variant.sku.as_str(),
        "offers": offer(variant, &url)?,
    });
    if let Some(image) = variant.image.as_ref().or(view.images.first()) {
        document["image"] = absolute(base_url, &image.url).into();
    }
    insert_gtin(&mut document, variant);
    let mut other = Vec::new();
    for (option, value) in view.options.iter().zip(&variant.option_values) {
        match known_axis(&option.name) {
            Some(property) => document[property] = value.as_str().into(),
            None => other.push(json!({ "@type": "PropertyValue", "name": option.name, "value": value })),
        }
    }
    if !other.is_empty() {
        document["additionalProperty"] = other.into();
    }
    Some(document)
}

fn offer(variant: &VariantView, url: &str) -> Option<Value> {
    let price = variant.price?;
    let mut offer = json!({
        "@type": "Offer",
        "url": url,
        "price": price.to_decimal_string(),
        "priceCurrency": price.currency.code(),
        "availability": availability(variant.availability),
        "itemCondition": "https://schema.org/NewCondition",
    });
    if let Some(until) = &variant.sale_until {
        offer["priceValidUntil"] = until.as_str().into();
    }
    if let Some(struck) = variant.compare_at {
        offer["priceSpecification"] = struck_price(struck);
    }
    Some(offer)
}

fn struck_price(struck: Money) -> Value {
    json!({
        "@type": "UnitPriceSpecification",
        "priceType": "https://schema.org/StrikethroughPrice",
        "price": struck.to_decimal_string(),
        "priceCurrency": struck.currency.code(),
    })
}

fn availability(availability: Availability) -> &'static str {
    match availability {
        Availability::InStock | Availability::LowStock => "https://schema.org/InStock",
        Availability::Backorder => "https://schema.org/BackOrder",
        Availability::SoldOut | Availability::NotForSale => "https://schema.org/OutOfStock",
    }
}

// Axes that the vocabulary has a property for are named by its address, others by their word.
fn axis(name: &str) -> Value {
    known_axis(name).map_or_else(|| name.into(), |property| format!("https://schema.org/{property}").into())
}

fn known_axis(name: &str) -> Option<&'static str> {
    match name.to_lowercase().as_str() {
        "size" => Some("size"),
        "color" | "colour" => Some("color"),
        "material" => Some("material"),
        "pattern" => Some("pattern"),
        _ => None,
    }
}

fn insert_gtin(document: &mut Value, variant: &VariantView) {
    if let Some(gtin) = &variant.gtin {
        document["gtin"] = gtin.as_str().into();
    }
}

/// BreadcrumbList; `None` for fewer than two steps.
pub(super) fn breadcrumbs(links: &[Link], base_url: &str) -> Option<String> {
    if links.len() < 2 {
        return None;
    }
    let step = |(position, link): (usize, &Link)| {
        let mut item = Map::new();
        item.insert("@type".to_owned(), "ListItem".into());
        item.insert("position".to_owned(), (position + 1).into());
        item.insert("name".to_owned(), link.title.as_str().into());
        item.insert("item".to_owned(), absolute(base_url, &link.url).into());
        Value::Object(item)
    };
    let items: Vec<Value> = links.iter().enumerate().map(step).collect();
    Some(ready(json!({ "@type": "BreadcrumbList", "itemListElement": items })))
}

/// ItemList of a category's page; `None` where it is empty.
pub(super) fn item_list(cards: &[CardView], base_url: &str) -> Option<String> {
    if cards.is_empty() {
        return None;
    }
    let item = |(position, card): (usize, &CardView)| json!({ "@type": "ListItem", "position": position + 1, "name": card.title, "url": absolute(base_url, &card.url) });
    let items: Vec<Value> = cards.iter().enumerate().map(item).collect();
    Some(ready(json!({ "@type": "ItemList", "itemListElement": items })))
}

/// An address with its origin; absolute ones stay.
pub(super) fn absolute(base_url: &str, url: &str) -> String {
    if url.starts_with('/') { format!("{base_url}{url}") } else { url.to_owned() }
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
