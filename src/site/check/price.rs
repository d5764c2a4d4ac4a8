//! Price: one price everywhere. What pages, forms, structured data and feeds say is held against what a cart would charge.
//!
//! Owns    the till: every SKU rung up in every market out of the opened bundle, by the function that carts are priced with.
//! Knows   written bytes only, through parsers that share nothing with what wrote them.
//! Limits  of a card, what stands in elements of the class `price` is held against the product it links to; on a product's own page,
//!         every variant's price has to be readable outside of cards.

mod feed;
mod sealed;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;
use serde_json::Value;

use super::addresses::{Addresses, Target};
use super::amount::CurrencySigns;
use super::page::{Carried, Choice, Later, Offer, PageFacts};
use super::{Finding, Findings};
use crate::commerce::cart::{Cart, LineItem, MAX_LINES};
use crate::commerce::catalog::Product;
use crate::commerce::ids::{CartId, Sku, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::outside::OutsidePrices;
use crate::commerce::pricing::{PricingFacts, price_cart};
use crate::commerce::rules::Market;
use crate::site::plan::{Page, PageKind, Plan};
use crate::site::problem::Kind;
use crate::theme::bundle::Bundle;

const HINT: &str = "a page and a cart have to say the same price; build again, or print it with the `money` filter";
/// Structured data is nested a few steps deep; a document made to be endless is not followed.
const MAX_DEPTH: usize = 16;

/// What every variant costs in every market.
pub(super) struct Till<'a> {
    bundle: &'a Bundle,
    /// The instant of the prices.
    at: Timestamp,
    markets: Vec<Drawer<'a>>,
    /// SKUs that are too long for product feeds, by the names they have there.
    feed_names: HashMap<String, &'a Sku>,
}

/// One market's prices.
struct Drawer<'a> {
    market: &'a Market,
    signs: CurrencySigns,
    /// By product and variant, in the bundle's order; `None`: not for sale.
    charged: Vec<Vec<Option<Charged>>>,
    /// Address of a product's page → its place in the bundle.
    by_address: HashMap<String, usize>,
}

/// What a cart charges for one unit, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Charged {
    unit_minor: i64,
    compare_minor: Option<i64>,
}

/// A price that a file states for a SKU, as text: what every kind of file is reduced to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) sku: String,
    /// Where it says so, such as `JSON-LD`.
    pub(super) place: &'static str,
    /// A decimal number.
    pub(super) price: String,
    /// ISO 4217.
    pub(super) currency: String,
    /// The struck price beside it, where the place has one.
    pub(super) struck: Option<String>,
    pub(super) ends: Ends,
}

/// Until when a price is said to hold, as far as a place says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    /// A day.
    pub(super) day: Option<String>,
    /// An instant.
    pub(super) at: Option<String>,
}

/// What a search's result is to show once a sale ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundSale<'a> {
    pub(super) ends: &'a str,
    pub(super) price: &'a str,
    pub(super) struck: Option<&'a str>,
    pub(super) varies: bool,
}

/// What a search's result shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundCard<'a> {
    pub(super) price: Option<&'a str>,
    pub(super) struck: Option<&'a str>,
    pub(super) varies: bool,
    pub(super) sale: Option<FoundSale<'a>>,
}

impl<'a> Till<'a> {
    /// Rings up everything that is sold at that instant.
    pub(super) fn open(bundle: &'a Bundle, plan: &Plan, slugs: impl Fn(usize) -> &'a str, at: Timestamp) -> Self {
        let products = bundle.catalog.products();
        let mut markets: Vec<Drawer<'_>> = Vec::new();
        for market in &bundle.rules.markets {
            let charged = products.par_iter().map(|product| ring_up(bundle, market, product, at)).collect();
            markets.push(Drawer { market, signs: CurrencySigns::of(market.currency), charged, by_address: HashMap::new() });
        }
        for page in &plan.pages {
            if let (PageKind::Product(index), Some(drawer)) = (&page.kind, markets.get_mut(page.market)) {
                let slug = slugs(*index);
                if let Ok(place) = products.binary_search_by(|product| product.slug.as_str().cmp(slug)) {
                    drawer.by_address.insert(page.url.clone(), place);
                }
            }
        }
        let feed_names = feed::long_names(&bundle.catalog);
        Self { bundle, at, markets, feed_names }
    }

    /// Holds a page against the till; gives how many prices were compared.
    pub(super) fn page(&self, page: &Page, facts: &PageFacts, addresses: &Addresses<'_>, found: &mut Findings) -> usize {
        let Some(drawer) = self.markets.get(page.market) else { return 0 };
        let mut scale = Scale { till: self, drawer, found, compared: 0 };
        let own = drawer.by_address.get(&page.url).copied().filter(|_| matches!(page.kind, PageKind::Product(_)));
        let mut own_text = vec![facts.own.text.as_str()];
        let mut own_prices: Vec<&str> = facts.own.prices.iter().map(String::as_str).collect();
        for part in &facts.parts {
            let product_of = |url: &String| match addresses.target(&page.url, url) {
                Target::Here { path, .. } => drawer.by_address.get(&path).copied(),
                Target::Outside => None,
            };
            let products: BTreeSet<usize> = part.links.iter().filter_map(product_of).collect();
            match Vec::from_iter(products)[..] {
                [product] if Some(product) != own => scale.card(product, &part.prices, part.later.as_ref()),
                _ => {
                    own_text.push(&part.text);
                    own_prices.extend(part.prices.iter().map(String::as_str));
                }
            }
        }
        let stated = documents(&facts.documents);
        if let Some(product) = own {
            scale.product(product, &own_text.join("\n"), &own_prices, &stated);
        }
        stated.iter().for_each(|stated| scale.stated(stated));
        facts.offers.iter().for_each(|offer| scale.form(offer));
        scale.compared
    }

    /// Holds what a search's result shows of a product in a market against the till; gives how many prices were compared.
    pub(super) fn found_card(&self, market: usize, slug: &str, card: FoundCard<'_>, found: &mut Findings) -> usize {
        let Some((mut scale, product, charged)) = self.scale_of(market, slug, found) else { return 1 };
        scale.found(slug, charged, card, "");
        let Some(sale) = card.sale else {
            let end = scale.sale_end(product);
            let goes_on = |end: Timestamp| lowest(&scale.ring_up(product, end)) == lowest(charged);
            if let Some(end) = end.filter(|end| !goes_on(*end)).and_then(|end| jiff::Timestamp::from_second(end.0).ok()) {
                scale.fault(format!("the search index does not say that the price of `{slug}` ends at {end}"), slug);
            }
            return scale.compared;
        };
        match scale.end_of(product, sale.ends) {
            Some(ends_at) => {
                let FoundSale { price, struck, varies, .. } = sale;
                let then = scale.ring_up(product, ends_at);
                scale.found(slug, &then, FoundCard { price: Some(price), struck, varies, sale: None }, " after the sale");
            }
            None => {
                let message = format!("the search index shows the price of `{slug}` until {}, a cart does not", sale.ends);
                scale.fault(message, slug);
            }
        }
        scale.compared
    }

    /// The same for the amount (minor units) that results are sorted and filtered by.
    pub(super) fn found_amount(&self, market: usize, slug: &str, minor: Option<i64>, found: &mut Findings) -> usize {
        let Some((mut scale, _, charged)) = self.scale_of(market, slug, found) else { return 1 };
        let expected = lowest(charged).map(|lowest| lowest.unit_minor);
        if minor != expected {
            let [said, expected] =
                [minor, expected].map(|minor| minor.map_or("nothing".to_owned(), |minor| scale.drawer.signs.named(minor)));
            scale.fault(format!("the search index sorts `{slug}` by {said}, a cart would charge {expected}"), slug);
        }
        1
    }

    // The place of a product and what its variants cost in a market; `None`: there is no such product, which is told.
    fn scale_of<'s>(
        &'s self,
        market: usize,
        slug: &str,
        found: &'s mut Findings,
    ) -> Option<(Scale<'s>, usize, &'s [Option<Charged>])> {
        let drawer = self.markets.get(market)?;
        let mut scale = Scale { till: self, drawer, found, compared: 0 };
        match self.bundle.catalog.products().binary_search_by(|product| product.slug.as_str().cmp(slug)) {
            Ok(place) => Some((scale, place, &drawer.charged[place])),
            Err(_) => {
                scale.fault(format!("the search index names the product `{slug}`, which the bundle does not hold"), slug);
                None
            }
        }
    }

    fn place(&self, sku: &str) -> Option<(usize, usize)> {
        let by_sku = |sku: &Sku| self.bundle.catalog.variant_by_sku(sku);
        let (product, variant) = by_sku(&Sku::from(sku.to_owned())).or_else(|| by_sku(self.feed_names.get(sku)?))?;
        let products = self.bundle.catalog.products();
        let place = products.binary_search_by(|other| other.slug.cmp(&product.slug)).ok()?;
        Some((place, product.variants.iter().position(|other| other.sku == variant.sku)?))
    }
}

// The price a cart shows for one unit of each variant; a price that cannot be reckoned is none.
fn ring_up(bundle: &Bundle, market: &Market, product: &Product, at: Timestamp) -> Vec<Option<Charged>> {
    let (catalog, rules, outside) = (&bundle.catalog, &bundle.rules, &OutsidePrices::NONE);
    let facts = PricingFacts { catalog, rules, at, shipping_choice: None, outside, used_up: &[], customer: None };
    let mut charged = Vec::with_capacity(product.variants.len());
    for variants in product.variants.chunks(MAX_LINES) {
        let line = |sku: &Sku| LineItem { sku: sku.hash(), quantity: 1, properties: Vec::new(), seen_price_minor: 0 };
        let cart = Cart {
            id: CartId([0; 16]),
            revision: 0,
            sequence_seen: 0,
            market: market.id.clone(),
            language: market.language.clone(),
            destination: None,
            issued_at: at,
            payment_mark: false,
            vitals_bucket: 0,
            is_begun: true,
            coupons: Vec::new(),
            lines: variants.iter().map(|variant| line(&variant.sku)).collect(),
        };
        let lines = price_cart(&cart, &facts).map(|priced| priced.lines).unwrap_or_default();
        let mut lines = lines.into_iter().peekable();
        for variant in variants {
            let line = lines.next_if(|line| line.sku == variant.sku);
            let compare = |line: &crate::commerce::pricing::PricedLine| line.compare_at.map(|money| money.minor);
            charged.push(line.map(|line| Charged { unit_minor: line.unit_price.minor, compare_minor: compare(&line) }));
        }
    }
    charged
}

// The first of the cheapest, whose price cards show.
fn lowest(charged: &[Option<Charged>]) -> Option<Charged> {
    charged.iter().flatten().copied().reduce(|lowest, other| if other.unit_minor < lowest.unit_minor { other } else { lowest })
}

/// A page being held against one market's prices.
struct Scale<'a> {
    till: &'a Till<'a>,
    drawer: &'a Drawer<'a>,
    found: &'a mut Findings,
    compared: usize,
}

impl Scale<'_> {
    fn product(&mut self, product: usize, text: &str, prices: &[&str], stated: &[Stated]) {
        let till = self.till;
        let drawer = self.drawer;
        let readable = drawer.signs.amounts(text);
        let variants = &till.bundle.catalog.products()[product].variants;
        for (variant, charged) in variants.iter().zip(&drawer.charged[product]) {
            // An offer of what is not for sale is told with the offers.
            let Some(charged) = charged else { continue };
            let sku = variant.sku.as_str();
            let price = drawer.signs.named(charged.unit_minor);
            self.compared += 1;
            if !readable.contains(&charged.unit_minor) {
                self.fault(format!("the price {price} of `{sku}` is nowhere to be read"), sku);
            }
            if !stated.iter().any(|stated| stated.sku == sku) {
                self.fault(format!("JSON-LD has no offer of `{sku}`, a cart would charge {price}"), sku);
            }
        }
        self.shown(product, &drawer.charged[product], prices, "the page");
    }

    fn card(&mut self, product: usize, prices: &[String], later: Option<&Later>) {
        let charged = &self.drawer.charged[product];
        self.card_at(product, charged, prices, "a card");
        let Some(Later { ends, prices }) = later else { return };
        let Some(ends_at) = self.end_of(product, ends) else {
            let slug = &self.till.bundle.catalog.products()[product].slug;
            self.fault(format!("a card of `{slug}` shows its price until {ends}, a cart does not"), slug.as_str());
            return;
        };
        let then = self.ring_up(product, ends_at);
        self.card_at(product, &then, prices, "a card after the sale");
    }

    fn card_at(&mut self, product: usize, charged: &[Option<Charged>], prices: &[String], place: &str) {
        let prices: Vec<&str> = prices.iter().map(String::as_str).collect();
        let amounts = self.shown(product, charged, &prices, place);
        let lowest = charged.iter().flatten().map(|charged| charged.unit_minor).min();
        if let Some(lowest) = lowest.filter(|lowest| !amounts.is_empty() && !amounts.contains(lowest)) {
            let slug = &self.till.bundle.catalog.products()[product].slug;
            let message = format!("{place} of `{slug}` does not show its lowest price {}", self.drawer.signs.named(lowest));
            self.fault(message, slug.as_str());
        }
    }

    // The instant of a text, where a product's lowest price is until then what it is now.
    fn end_of(&self, product: usize, ends: &str) -> Option<Timestamp> {
        let ends_at = ends.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_second())).filter(|at| *at > self.till.at)?;
        let before = lowest(&self.ring_up(product, ends_at.plus_seconds(-1)));
        (before == lowest(&self.drawer.charged[product])).then_some(ends_at)
    }

    // When the sale ends that makes a product's lowest price.
    fn sale_end(&self, product: usize) -> Option<Timestamp> {
        let variants = &self.till.bundle.catalog.products()[product].variants;
        let current = variants.iter().filter_map(|variant| variant.current_price(self.drawer.market.currency, self.till.at));
        current.reduce(|lowest, other| if other.unit < lowest.unit { other } else { lowest })?.until
    }

    // What a search's result shows, now or `when` a sale is over.
    fn found(&mut self, slug: &str, charged: &[Option<Charged>], card: FoundCard<'_>, when: &str) {
        let lowest = lowest(charged);
        let texts = [
            ("shows", card.price, lowest.map(|lowest| lowest.unit_minor)),
            ("strikes out", card.struck, lowest.and_then(|it| it.compare_minor)),
        ];
        for (verb, said, expected) in texts {
            self.compared += 1;
            let amounts = said.map(|text| self.drawer.signs.amounts(text)).unwrap_or_default();
            if amounts.as_slice() != expected.as_slice() {
                let expected = expected.map_or("nothing".to_owned(), |minor| self.drawer.signs.named(minor));
                let said = said.unwrap_or("nothing");
                self.fault(format!("the search index {verb} {said} for `{slug}`{when}, a cart would say {expected}"), slug);
            }
        }
        let prices: BTreeSet<i64> = charged.iter().flatten().map(|charged| charged.unit_minor).collect();
        if card.varies != (prices.len() > 1) {
            let said = if card.varies { "several prices" } else { "one price" };
            self.fault(format!("the search index says that `{slug}` has {said}{when}, a cart knows {}", prices.len()), slug);
        }
    }

    // What a product's variants cost here at another instant.
    fn ring_up(&self, product: usize, at: Timestamp) -> Vec<Option<Charged>> {
        let bundle = self.till.bundle;
        ring_up(bundle, self.drawer.market, &bundle.catalog.products()[product], at)
    }

    // Every amount shown as a price of a product is one: what is charged for a variant, or what was struck out beside it.
    fn shown(&mut self, product: usize, charged: &[Option<Charged>], prices: &[&str], place: &str) -> Vec<i64> {
        let drawer = self.drawer;
        let amounts: Vec<i64> = prices.iter().flat_map(|text| drawer.signs.amounts(text)).collect();
        self.compared += amounts.len();
        let charged = || charged.iter().flatten();
        let is_price = |minor: &i64| charged().any(|price| price.unit_minor == *minor || price.compare_minor == Some(*minor));
        for minor in amounts.iter().filter(|minor| !is_price(minor)) {
            let slug = &self.till.bundle.catalog.products()[product].slug;
            let message = format!("{place} shows {} for `{slug}`, which is none of its prices", drawer.signs.named(*minor));
            self.fault(message, slug.as_str());
        }
        amounts
    }

    fn stated(&mut self, stated: &Stated) {
        self.compared += 1;
        let Stated { sku, place, price, currency, .. } = stated;
        let Some(charged) = self.charged(sku, place) else { return };
        let Some(charged) = charged else {
            self.fault(format!("{place} says {price} {currency} for `{sku}`, which is not for sale"), sku);
            return;
        };
        let signs = &self.drawer.signs;
        let expected = signs.named(charged.unit_minor);
        let is_own_currency = expected.ends_with(currency.as_str()) && !currency.is_empty();
        if !is_own_currency || signs.decimal(price) != Some(charged.unit_minor) {
            self.fault(format!("{place} says {price} {currency} for `{sku}`, a cart would charge {expected}"), sku);
        }
        if let Some(struck) = stated.struck.as_ref().filter(|struck| signs.decimal(struck) != charged.compare_minor) {
            let expected = charged.compare_minor.map_or("no price".to_owned(), |minor| signs.named(minor));
            self.fault(format!("{place} strikes out {struck} {currency} for `{sku}`, a cart strikes out {expected}"), sku);
        }
        self.ended(sku, place, &stated.ends);
    }

    // Of a price that is not said to end, and of one that ends with no sale, is nothing to be held against.
    fn ended(&mut self, sku: &str, place: &str, ends: &Ends) {
        let Some((product, variant)) = self.till.place(sku).filter(|_| *ends != Ends::default()) else { return };
        let sold = &self.till.bundle.catalog.products()[product].variants[variant];
        let Some(current) = sold.current_price(self.drawer.market.currency, self.till.at) else { return };
        let Some(until) = current.until else { return };
        // The last second of it, by the clock that the merchant wrote its end by.
        let last = jiff::Timestamp::from_second(until.0 - 1 + i64::from(current.until_offset_minutes) * 60);
        let day = last.unwrap_or(jiff::Timestamp::MAX).to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        if let Some(said) = ends.day.as_ref().filter(|said| !said.starts_with(&day)) {
            self.fault(format!("{place} says that the price of `{sku}` holds until {said}, its last day is {day}"), sku);
        }
        let is_until = |said: &String| said.parse::<jiff::Timestamp>().is_ok_and(|at| at.as_second() == until.0);
        if let Some(said) = ends.at.as_ref().filter(|said| **said != day && !is_until(said)) {
            let until = jiff::Timestamp::from_second(until.0).unwrap_or(jiff::Timestamp::MAX);
            self.fault(
                format!("{place} says that the price of `{sku}` holds until {said}, a cart charges it until {until}"),
                sku,
            );
        }
    }

    fn form(&mut self, offer: &Offer) {
        // Variants of a product often end their sales together.
        let mut after: BTreeMap<(usize, Timestamp), Vec<Option<Charged>>> = BTreeMap::new();
        for choice in &offer.choices {
            let sku = choice.sku.as_str();
            let Some(charged) = self.charged(sku, "a form") else { continue };
            if let (Some(seen), Some(charged)) = (&offer.seen_minor, charged) {
                self.said("seen_price_minor", Some(seen), Some(&charged.unit_minor.to_string()), sku);
            }
            let Choice { now, ends, next, .. } = choice;
            self.carried("data-", sku, charged, now);
            let Some((product, variant)) = self.till.place(sku).filter(|_| ends.is_some() || *next != Carried::default()) else {
                continue;
            };
            let sold = &self.till.bundle.catalog.products()[product].variants[variant];
            let ends_at = sold.current_price(self.drawer.market.currency, self.till.at).and_then(|current| current.until);
            let expected = ends_at.and_then(|at| jiff::Timestamp::from_second(at.0).ok()).map(|at| at.to_string());
            self.said("data-ends", ends.as_deref(), expected.as_deref(), sku);
            let then = ends_at.and_then(|at| {
                after.entry((product, at)).or_insert_with(|| self.ring_up(product, at)).get(variant).copied().flatten()
            });
            self.carried("data-next-", sku, then, next);
        }
    }

    // What a field says of a variant at one instant, by those attributes that it has; `start`: how their names begin.
    fn carried(&mut self, start: &str, sku: &str, charged: Option<Charged>, said: &Carried) {
        if let Some(minor) = &said.minor {
            let expected = charged.map(|charged| charged.unit_minor.to_string());
            self.said(&format!("{start}minor"), Some(minor), expected.as_deref(), sku);
        }
        let of_measure = |charged: Charged| {
            let (_, variant) = self.till.bundle.catalog.variant_by_sku(&Sku::from(sku.to_owned()))?;
            let price = Money::new(charged.unit_minor, self.drawer.market.currency);
            variant.per_measure(price).map(|per| per.price.minor)
        };
        let texts = [
            ("price", &said.price, charged.map(|charged| charged.unit_minor)),
            ("compare", &said.compare, charged.and_then(|charged| charged.compare_minor)),
            ("unit", &said.unit, charged.and_then(of_measure)),
        ];
        for (name, text, expected) in texts {
            let Some(text) = text else { continue };
            self.compared += 1;
            let read = self.drawer.signs.amounts(text);
            if read.as_slice() != expected.as_slice() {
                let expected = expected.map_or("nothing".to_owned(), |minor| self.drawer.signs.named(minor));
                self.fault(format!("{start}{name} says {text} for `{sku}`, a cart would say {expected}"), sku);
            }
        }
    }

    fn said(&mut self, place: &str, said: Option<&str>, expected: Option<&str>, sku: &str) {
        self.compared += 1;
        if said != expected {
            let [said, expected] = [said, expected].map(|text| text.unwrap_or("nothing"));
            self.fault(format!("{place} says {said} for `{sku}`, a cart would say {expected}"), sku);
        }
    }

    // What a SKU costs here; the outer `None`: there is no such SKU, which is told.
    fn charged(&mut self, sku: &str, place: &str) -> Option<Option<Charged>> {
        let Some((product, variant)) = self.till.place(sku) else {
            self.fault(format!("{place} names the SKU `{sku}`, which the bundle does not hold"), sku);
            return None;
        };
        Some(self.drawer.charged[product][variant])
    }

    fn fault(&mut self, message: String, needle: &str) {
        self.found.add(Finding::new(Kind::Price, message).hint(HINT).needle(needle));
    }
}

/// Offers in documents of JSON-LD, wherever they stand in them. A document that is no JSON says nothing.
fn documents(documents: &[String]) -> Vec<Stated> {
    let mut stated = Vec::new();
    for document in documents {
        if let Ok(value) = serde_json::from_str::<Value>(document) {
            take_offers(&value, 0, &mut stated);
        }
    }
    stated
}

fn take_offers(value: &Value, depth: usize, stated: &mut Vec<Stated>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| take_offers(value, depth + 1, stated)),
        Value::Object(fields) => {
            if let Some(sku) = fields.get("sku").and_then(Value::as_str) {
                let offers = fields.get("offers").map_or(&[][..], |offers| match offers {
                    Value::Array(several) => several.as_slice(),
                    one => std::slice::from_ref(one),
                });
                stated.extend(offers.iter().filter_map(|offer| offer_of(sku, offer)));
            }
            fields.values().for_each(|value| take_offers(value, depth + 1, stated));
        }
        _ => {}
    }
}

fn offer_of(sku: &str, offer: &Value) -> Option<Stated> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let specifications = match &offer["priceSpecification"] {
        Value::Array(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    let is_struck = |one: &&Value| one["priceType"].as_str().is_some_and(|kind| kind.ends_with("StrikethroughPrice"));
    let struck = specifications.iter().find(is_struck);
    Some(Stated {
        sku: sku.to_owned(),
        place: "JSON-LD",
        price: text(&offer["price"])?,
        currency: offer["priceCurrency"].as_str().unwrap_or_default().to_owned(),
        struck: struck.and_then(|struck| text(&struck["price"])),
        ends: Ends { day: text(&offer["priceValidUntil"]), at: text(&offer["validThrough"]) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_found_wherever_they_stand() {
        let text = r#"{"@graph":[{"hasVariant":[{"sku":"A&B","offers":{"price":"19.90","priceCurrency":"EUR",
            "priceSpecification":{"priceType":"https://schema.org/StrikethroughPrice","price":25}}}]},
            {"sku":"C","offers":[{"price":3.5,"priceCurrency":"USD"}]},{"sku":"D"}]}"#;
        let found = documents(&[text.to_owned(), "no JSON".to_owned()]);
        let brief: Vec<_> = found.iter().map(|one| (one.sku.as_str(), one.price.as_str(), one.struck.as_deref())).collect();
        assert_eq!(brief, [("A&B", "19.90", Some("25")), ("C", "3.5", None)]);
    }
}
