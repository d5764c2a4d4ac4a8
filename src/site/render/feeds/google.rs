//! Google: the product feed that Google Merchant Center, and others who took over its format, read: one item per variant of a market.
//!
//! Owns    which variants are in it, what each says, and why some are not.
//! Always  the price of an item, its dates counted in, is what a cart asks at that instant. Written in parts: a feed of 300,000 items
//!         is never held as a whole.
//! Source  Google's product data specification; RSS 2.0 with the namespace g.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use super::google_attributes::{Claims, Named, named_attributes};
use super::google_price::{OfferedPrice, instant};
use super::xml::Xml;
use crate::commerce::catalog::{Image, Product, Variant};
use crate::commerce::ids::Sku;
use crate::commerce::measure::Measure;
use crate::commerce::money::Money;
use crate::commerce::shipping::{Parcel, ShippingZone, zone_of};
use crate::site::keys::{Key, Keys};
use crate::site::load::ProductDetails;
use crate::site::plan::{Addresses, output_prefix, prefix};
use crate::site::render::structured::known_axis;
use crate::site::render::{Printer, markdown};
use crate::theme::view::Availability;

/// Its path below the output folder, after the market's prefix.
const FILE: &str = "feeds/google.xml";
/// Products that one thread writes at a time.
const PART: usize = 64;

// Characters and entries that the specification allows.
/// Of the name of an item.
pub const MAX_ID: usize = 50;
const MAX_TITLE: usize = 150;
const MAX_DESCRIPTION: usize = 5_000;
const MAX_PRODUCT_TYPE: usize = 750;
const MAX_ADDITIONAL_PICTURES: usize = 10;
const MAX_SHIPPING: usize = 100;

/// What became of a market's variants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GoogleFeed {
    /// Path below the output folder.
    pub path: String,
    /// Variants in the feed.
    pub items: usize,
    /// Left out: no price in this market, or none above zero.
    pub without_price: usize,
    /// Left out: no picture, without which Google takes nothing.
    pub without_picture: usize,
    /// In the feed, with a picture that Google does not take (SVG, AVIF).
    pub refused_pictures: usize,
    /// In the feed as out of stock: on back-order, and the product does not say when it is there again (`availability_date`).
    pub undated_backorders: usize,
    /// In the feed without their GTIN, whose check digit is wrong.
    pub wrong_gtins: usize,
}

/// The path of a market's feed below the output folder.
pub fn path(printer: &Printer<'_>, market: usize) -> String {
    format!("{}{FILE}", output_prefix(printer.rules, market))
}

/// Hash of all that a market's feed is made from.
pub fn key(printer: &Printer<'_>, market: usize, keys: &Keys) -> Key {
    let mut key = keys.hasher();
    key.text("google").number(market as u64).text(&format!("{:?}", printer.rules.shipping));
    for category in printer.loaded.catalog.categories() {
        key.text(category.path.as_str()).text(&format!("{:?} {:?}", category.title, category.translations));
    }
    for (index, product) in shown(printer) {
        key.key(&printer.loaded.products[index].hash);
        for variant in &product.variants {
            key.number(printer.availability(variant).rank().into());
            let price = variant
                .price(printer.rules.markets[market].currency)
                .filter(|price| !price.sales.is_empty() || !price.prior.is_empty());
            if let Some(price) = price {
                let OfferedPrice { price_minor, sale } = OfferedPrice::of(price, printer.at);
                key.number(price_minor as u64).text(&format!("{sale:?}"));
            }
        }
    }
    key.finish()
}

/// What becomes of each variant of a market.
///
/// Errors: what a product's page shows cannot be read back.
pub fn survey(printer: &Printer<'_>, market: usize) -> std::io::Result<GoogleFeed> {
    let of_product = |(index, product): (usize, &Product)| -> std::io::Result<GoogleFeed> {
        let mut found = GoogleFeed::default();
        let mut details = None;
        for variant in &product.variants {
            if offered(printer, market, variant).is_none() {
                found.without_price += 1;
                continue;
            }
            let Some(picture) = variant.image.as_deref().or(product.image.as_ref()) else {
                found.without_picture += 1;
                continue;
            };
            let is_back_ordered = printer.availability(variant) == Availability::Backorder;
            let is_there = printer.picture_url(&picture.url).is_some();
            // Few need a look at what only the page shows.
            let needs_look = !is_there || !is_taken(&picture.url) || is_back_ordered;
            if needs_look && details.is_none() {
                details = Some(printer.loaded.details(index)?);
            }
            let images = details.as_ref().map_or(&[][..], |details| &details.images);
            if !is_there && pictures(product, variant, images, &|url| printer.picture_url(url).is_some()).is_none() {
                found.without_picture += 1;
                continue;
            }
            found.items += 1;
            found.wrong_gtins += usize::from(variant.gtin.as_deref().is_some_and(|gtin| !is_gtin(gtin)));
            let Some(ProductDetails { images, attributes, .. }) = details.as_ref().filter(|_| needs_look) else { continue };
            let is_refused = !is_taken(&picture.url) && !images.iter().any(|image| is_taken(&image.url));
            found.refused_pictures += usize::from(is_refused);
            found.undated_backorders += usize::from(is_back_ordered && Claims::of(attributes).leaves_at.is_none());
        }
        Ok(found)
    };
    let products: Vec<(usize, &Product)> = shown(printer).collect();
    let sum = |one: GoogleFeed, other: GoogleFeed| GoogleFeed {
        path: one.path,
        items: one.items + other.items,
        without_price: one.without_price + other.without_price,
        without_picture: one.without_picture + other.without_picture,
        refused_pictures: one.refused_pictures + other.refused_pictures,
        undated_backorders: one.undated_backorders + other.undated_backorders,
        wrong_gtins: one.wrong_gtins + other.wrong_gtins,
    };
    let found = products.into_par_iter().map(of_product).try_reduce(GoogleFeed::default, |one, other| Ok(sum(one, other)))?;
    Ok(GoogleFeed { path: path(printer, market), ..found })
}

/// Writes a market's feed: `take` is given one part after the other.
///
/// Errors: those of `take`, and `std::io::Error` where what a product's page shows cannot be read back.
pub fn write<E: From<std::io::Error>>(
    printer: &Printer<'_>,
    market: usize,
    take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let writer = Writer::new(printer, market);
    take(writer.head().as_bytes())?;
    let products: Vec<(usize, &Product)> = shown(printer).collect();
    // As many parts at once as there are threads, and a few more, so that none waits for the slowest.
    for wave in products.chunks(PART * rayon::current_num_threads() * 4) {
        let parts: Vec<std::io::Result<String>> = wave.par_chunks(PART).map(|part| writer.part(part)).collect();
        for part in parts {
            take(part?.as_bytes())?;
        }
    }
    take(b"</channel>\n</rss>\n")
}

fn shown<'a>(printer: &'a Printer<'_>) -> impl Iterator<Item = (usize, &'a Product)> {
    printer.loaded.catalog.products().iter().enumerate().filter(|(index, _)| printer.plan.shown[*index])
}

// Nothing is offered for nothing: Google takes no price of zero.
fn offered(printer: &Printer<'_>, market: usize, variant: &Variant) -> Option<OfferedPrice> {
    let price = variant.price(printer.rules.markets[market].currency)?;
    let offered = OfferedPrice::of(price, printer.at);
    (offered.price_minor > 0).then_some(offered)
}

/// Writes the items of one market.
struct Writer<'a> {
    printer: &'a Printer<'a>,
    market: usize,
    prefix: String,
    /// Zones that serve the market's countries, each once.
    zones: Vec<&'a ShippingZone>,
    /// Countries of the market, each with the place of its zone.
    countries: Vec<(&'a str, usize)>,
}

/// The elements of shipping for parcels that cost the same everywhere.
type ShippingTexts = HashMap<Vec<Option<i64>>, String>;

/// What all items of a product say.
struct Common {
    title: String,
    description: String,
    product_type: Option<String>,
    images: Vec<Image>,
    named: Vec<(Named, String)>,
    claims: Claims,
}

impl<'a> Writer<'a> {
    fn new(printer: &'a Printer<'a>, market: usize) -> Self {
        let rules = &printer.rules.markets[market];
        let (mut zones, mut countries): (Vec<&ShippingZone>, _) = (Vec::new(), Vec::new());
        for country in &rules.countries {
            if let Some(zone) = zone_of(&printer.rules.shipping, &rules.id, country) {
                let known = zones.iter().position(|known| known.id == zone.id);
                countries.push((country.as_str(), known.unwrap_or(zones.len())));
                if known.is_none() {
                    zones.push(zone);
                }
            }
        }
        Self { printer, market, prefix: prefix(printer.rules, market), zones, countries }
    }

    fn head(&self) -> String {
        let shop = self.printer.shop;
        let about = if shop.tagline.is_empty() { &shop.name } else { &shop.tagline };
        let mut xml = Xml::document();
        xml.raw("<rss version=\"2.0\" xmlns:g=\"http://base.google.com/ns/1.0\">\n<channel>").element("title", &shop.name);
        xml.address("link", &shop.base_url, &Addresses { prefix: &self.prefix }.home());
        xml.element("description", about).raw("\n");
        xml.into_string()
    }

    fn part(&self, products: &[(usize, &Product)]) -> std::io::Result<String> {
        let mut xml = Xml::default();
        let mut shipping = ShippingTexts::new();
        for (index, product) in products {
            let offers =
                product.variants.iter().filter_map(|variant| Some((variant, offered(self.printer, self.market, variant)?)));
            let offers: Vec<(&Variant, OfferedPrice)> = offers.collect();
            if !offers.is_empty() {
                let common = self.common(product, self.printer.loaded.details(*index)?);
                for (variant, offer) in offers {
                    self.item(&mut xml, product, variant, offer, &common, &mut shipping);
                }
            }
        }
        Ok(xml.into_string())
    }

    fn common(&self, product: &Product, details: ProductDetails) -> Common {
        let named = named_attributes(&details.attributes).map(|(name, value)| (name, value.into_owned())).collect();
        let claims = Claims::of(&details.attributes);
        let language = self.printer.language(self.market);
        let title = product.title_in(language).to_owned();
        let images = details.images.clone();
        let mut description = markdown::summary(&self.printer.plain_body_in(language, &details), MAX_DESCRIPTION);
        if description.is_empty() {
            description = details.seo_description.unwrap_or_else(|| title.clone());
        }
        let catalog = &self.printer.loaded.catalog;
        let category = product.categories.first().and_then(|path| catalog.category_index(path));
        // Home is no type of product.
        let titles = category.map(|index| self.printer.ways[self.market].titles(index).collect::<Vec<_>>().join(" > "));
        Common {
            title,
            description,
            product_type: titles.filter(|titles| titles.chars().count() <= MAX_PRODUCT_TYPE),
            images,
            named,
            claims,
        }
    }

    fn item(
        &self,
        xml: &mut Xml,
        product: &Product,
        variant: &Variant,
        offer: OfferedPrice,
        common: &Common,
        shipping: &mut ShippingTexts,
    ) {
        let picture_url = |url: &str| self.printer.picture_url(url);
        let Some((picture, additional)) = pictures(product, variant, &common.images, &|url| picture_url(url).is_some()) else {
            return;
        };
        let base_url = &self.printer.shop.base_url;
        let is_group = product.variants.len() > 1;
        let mut title = common.title.clone();
        if is_group {
            let values = product.variant_title_in(variant, &self.printer.rules.words, self.printer.language(self.market));
            title = format!("{title} – {values}");
        }
        xml.open("item").element("g:id", &id(&variant.sku)).element("g:title", &cut(title, MAX_TITLE));
        xml.element("g:description", &common.description);
        let address = Addresses { prefix: &self.prefix }.product(product.slug.as_str());
        let choice = if is_group { crate::site::render::structured::variant_query(&variant.sku) } else { String::new() };
        xml.address("g:link", base_url, &format!("{address}{choice}"));
        let elements = std::iter::once("g:image_link").chain(std::iter::repeat("g:additional_image_link"));
        for (element, url) in elements.zip(std::iter::once(picture).chain(additional).filter_map(|image| picture_url(&image.url)))
        {
            xml.address(element, base_url, &url);
        }
        let told = common.claims.told(self.printer.availability(variant));
        xml.element("g:availability", word(told));
        if let Some(date) = common.claims.leaves_at.as_ref().filter(|_| told == Availability::Backorder) {
            xml.element("g:availability_date", date);
        }
        self.price(xml, variant, offer);
        if let Some(content) = &variant.content {
            let told = |measure: Measure| format!("{} {}", measure.number(), measure.unit.in_feeds());
            xml.element("g:unit_pricing_measure", &told(content.amount));
            xml.element("g:unit_pricing_base_measure", &told(content.base));
        }
        self.identifiers(xml, product, variant, common);
        if is_group {
            xml.element("g:item_group_id", &cut_id(product.slug.as_str()));
        }
        let (words, language) = (&self.printer.rules.words, self.printer.language(self.market));
        options(xml, product, variant, common, &|word| product.word_in(words, language, word));
        if let Some(titles) = &common.product_type {
            xml.element("g:product_type", titles);
        }
        self.shipping(xml, product, variant, shipping);
        xml.close("item").raw("\n");
    }

    fn price(&self, xml: &mut Xml, variant: &Variant, offer: OfferedPrice) {
        let currency = self.printer.rules.markets[self.market].currency;
        debug_assert!(variant.price(currency).is_some(), "only what is sold here is offered");
        let text = |minor| Money::new(minor, currency).to_string();
        xml.element("g:price", &text(offer.price_minor));
        if let Some(sale) = offer.sale {
            xml.element("g:sale_price", &text(sale.price_minor));
            if let Some((from, until)) = sale.dates {
                xml.open("g:sale_price_effective_date").raw(&instant(from)).raw("/").raw(&instant(until));
                xml.close("g:sale_price_effective_date");
            }
        }
    }

    fn identifiers(&self, xml: &mut Xml, product: &Product, variant: &Variant, common: &Common) {
        if let Some(brand) = &product.brand {
            xml.element("g:brand", brand);
        }
        let gtin = variant.gtin.as_deref().filter(|gtin| is_gtin(gtin));
        // A maker's number is that of one thing; of several variants it names none.
        let mpn = common.named.iter().find(|(name, _)| *name == Named::Mpn && product.variants.len() == 1);
        match (gtin, mpn) {
            (Some(gtin), _) => xml.element("g:gtin", gtin),
            (None, Some((_, mpn))) if product.brand.is_some() => xml.element("g:mpn", mpn),
            _ => xml.element("g:identifier_exists", "no"),
        };
        xml.element("g:condition", common.claims.condition.word());
    }

    // What a parcel with the fewest units one can buy costs to each country.
    fn shipping(&self, xml: &mut Xml, product: &Product, variant: &Variant, texts: &mut ShippingTexts) {
        let currency = self.printer.rules.markets[self.market].currency;
        if !variant.requires_shipping {
            for country in self.printer.rules.markets[self.market].countries.iter().take(MAX_SHIPPING) {
                xml.open("g:shipping").element("g:country", country);
                xml.element("g:price", &Money::zero(currency).to_string()).close("g:shipping");
            }
            return;
        }
        if variant.weight_g > 0 {
            xml.element("g:shipping_weight", &format!("{} g", variant.weight_g));
        }
        let units = product.quantity.min;
        let unit_minor = variant.current_price(currency, self.printer.at).map_or(0, |price| price.unit.minor);
        let parcel = Parcel {
            weight_g: u64::from(variant.weight_g) * u64::from(units),
            goods_minor: unit_minor.saturating_mul(i64::from(units)),
        };
        let rates = self.zones.iter().flat_map(|zone| &zone.rates);
        let prices: Vec<Option<i64>> = rates.map(|rate| rate.price_minor(parcel)).collect();
        if let Some(text) = texts.get(&prices) {
            xml.raw(text);
            return;
        }
        let text = self.shipping_text(parcel);
        xml.raw(&text);
        texts.insert(prices, text);
    }

    fn shipping_text(&self, parcel: Parcel) -> String {
        let currency = self.printer.rules.markets[self.market].currency;
        let mut xml = Xml::default();
        let rates =
            self.countries.iter().flat_map(|(country, zone)| self.zones[*zone].rates.iter().map(move |rate| (country, rate)));
        let offered = rates.filter_map(|(country, rate)| Some((country, rate, rate.price_minor(parcel)?)));
        for (country, rate, minor) in offered.take(MAX_SHIPPING) {
            xml.open("g:shipping").element("g:country", country).element("g:service", &rate.name);
            xml.element("g:price", &Money::new(minor, currency).to_string()).close("g:shipping");
        }
        xml.into_string()
    }
}

// Options that Google has an attribute for, then what the product says of itself, then the options it has none for.
fn options<'a>(xml: &mut Xml, product: &'a Product, variant: &'a Variant, common: &Common, say: &dyn Fn(&'a str) -> &'a str) {
    let mut told: Vec<&str> = Vec::new();
    let mut other = Vec::new();
    for (option, value) in product.options.iter().zip(&variant.option_values) {
        match known_axis(&option.name).filter(|name| !told.contains(name)) {
            Some(name) => {
                xml.element(&format!("g:{name}"), say(value));
                told.push(name);
            }
            None => other.push((say(&option.name), say(value))),
        }
    }
    for (name, value) in &common.named {
        let Some(name) = name.plain().filter(|name| !told.contains(name)) else { continue };
        xml.element(&format!("g:{name}"), value);
        told.push(name);
    }
    for (name, value) in other {
        xml.open("g:product_detail")
            .element("g:attribute_name", name)
            .element("g:attribute_value", value)
            .close("g:product_detail");
    }
}

fn word(availability: Availability) -> &'static str {
    match availability {
        Availability::InStock | Availability::LowStock => "in_stock",
        Availability::Backorder => "backorder",
        Availability::SoldOut | Availability::NotForSale => "out_of_stock",
    }
}

// The variant's picture, and others that do not show another variant; of those that are there, the ones that Google takes, if any.
fn pictures<'a>(
    product: &'a Product,
    variant: &'a Variant,
    images: &'a [Image],
    is_there: &dyn Fn(&str) -> bool,
) -> Option<(&'a Image, Vec<&'a Image>)> {
    let of_another = |image: &Image| {
        let mut others = product.variants.iter().filter(|other| other.sku != variant.sku);
        others.any(|other| other.image.as_ref().is_some_and(|own| own.url == image.url))
    };
    let all: Vec<&Image> = variant
        .image
        .as_deref()
        .into_iter()
        .chain(images.iter().filter(|image| !of_another(image)))
        .chain(&product.image)
        .filter(|image| is_there(&image.url))
        .collect();
    let taken: Vec<&Image> = all.iter().copied().filter(|image| is_taken(&image.url)).collect();
    let mut chosen: Vec<&Image> = Vec::new();
    for image in if taken.is_empty() { all } else { taken } {
        if !chosen.iter().any(|known| known.url == image.url) && chosen.len() <= MAX_ADDITIONAL_PICTURES {
            chosen.push(image);
        }
    }
    let first = *chosen.first()?;
    Some((first, chosen.split_off(1)))
}

/// Whether Google takes pictures of that kind.
fn is_taken(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    !["svg", "avif"].iter().any(|refused| refused.eq_ignore_ascii_case(ending))
}

/// Whether a text is a GTIN: 8, 12, 13 or 14 digits, the last of them a check of the others (GS1).
fn is_gtin(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().map(|sign| sign.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| matches!(digits.len(), 8 | 12 | 13 | 14)) else { return false };
    let weighted = digits.iter().rev().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| digit * weight);
    weighted.sum::<u32>() % 10 == 0
}

/// The name of a variant in the feed: its SKU, unless that is too long.
pub fn id(sku: &Sku) -> String {
    cut_id(sku.as_str())
}

// A name that is too long keeps its beginning and gets a hash of the whole, so that two of them stay two.
fn cut_id(name: &str) -> String {
    if name.chars().count() <= MAX_ID {
        return name.to_owned();
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let start: String = name.chars().take(MAX_ID - 17).collect();
    format!("{start}-{}", &hash[..16])
}

fn cut(text: String, limit: usize) -> String {
    if text.chars().count() > limit { markdown::cut_at_word(&text, limit) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gtin_is_known_by_its_check_digit() {
        for (text, expected) in [
            ("4006381333931", true),
            ("4006381333930", false),
            ("96385074", true),
            ("036000291452", true),
            ("10012345678902", true),
            ("", false),
            ("12345", false),
            ("400638133393X", false),
        ] {
            assert_eq!(is_gtin(text), expected, "{text}");
        }
    }

    #[test]
    fn long_names_stay_apart() {
        let long = |end: &str| id(&Sku::from(format!("{}{end}", "ä".repeat(60))));
        assert_ne!(long("1"), long("2"));
        assert_eq!(long("1").chars().count(), MAX_ID);
        assert_eq!(id(&Sku::from("A 1".to_owned())), "A 1");
    }

    #[test]
    fn a_picture_that_google_takes_goes_first() {
        let image = |url: &str| Image { url: url.to_owned(), alt: String::new(), width: None, height: None };
        let images = ["a.svg", "b.jpg", "c.png?x=1.svg", "b.jpg"].map(image);
        let product = crate::commerce::fixture::Shop::of(&[100]).products[0].clone();
        let variant = Variant { image: Some(Box::new(image("a.svg"))), ..product.variants[0].clone() };
        let (first, more) = pictures(&product, &variant, &images, &|_| true).expect("there are some");
        assert_eq!(
            (first.url.as_str(), more.iter().map(|image| image.url.as_str()).collect::<Vec<_>>()),
            ("b.jpg", vec!["c.png?x=1.svg"])
        );
        let (first, more) = pictures(&product, &variant, &images[..1], &|_| true).expect("there is one");
        assert_eq!(
            (first.url.as_str(), more.len()),
            ("a.svg", 0),
            "one that is refused is told all the same: the report says so"
        );
        assert!(pictures(&product, &product.variants[0], &[], &|_| true).is_none());
        let (first, _) = pictures(&product, &variant, &images, &|url| url != "b.jpg").expect("there is another");
        assert_eq!(first.url, "c.png?x=1.svg");
    }
}
