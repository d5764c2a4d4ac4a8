//! Cart reply: a priced cart → the answer.
//!
//! Owns    what is said about a cart: texts, stable codes, what stops a checkout.
//! Knows   no HTTP. Stock is the snapshot's word, so a hint; it is decided when paying.

use super::app::StockSnapshot;
use super::live::Live;
use super::reply::{
    CartReply, ChangedPrice, CouponReply, DestinationReply, LineReply, Message, PropertyReply, RelLink, ShippingOptionReply,
    TotalReply,
};
use crate::commerce::cart::Cart;
use crate::commerce::catalog::{Product, QuantityRule, StockPolicy, Variant};
use crate::commerce::ids::{MarketId, ShippingRateId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::pricing::{CouponOutcome, PricedCart, PricedLine, PricingFacts, PricingRejection, price_cart};
use crate::commerce::tax::TaxMode;
use crate::theme::view::{Availability, SiteView};

/// What a cart is priced and described by.
#[derive(Clone, Copy, Debug)]
pub struct ReplyFacts<'a> {
    /// The bundle.
    pub live: &'a Live,
    /// The snapshot of stock; `None` where stock is not to be judged (it is reserved for this shopper already).
    pub stock: Option<&'a StockSnapshot>,
    /// The instant.
    pub at: Timestamp,
    /// The chosen rate.
    pub shipping_choice: Option<&'a ShippingRateId>,
}

impl StockSnapshot {
    /// Units of a variant that can be sold; what nobody has counted yet has its opening stock.
    pub fn available(&self, variant: &Variant) -> u32 {
        self.available.get(&variant.sku.hash()).copied().unwrap_or(variant.opening_stock)
    }
}

/// Prices a cart with the live bundle.
pub fn price(cart: &Cart, facts: &ReplyFacts<'_>) -> Result<PricedCart, PricingRejection> {
    let bundle = &facts.live.bundle;
    let used_up = facts.stock.map_or(&[][..], |stock| &stock.used_up);
    let (catalog, rules, at, shipping_choice) = (&bundle.catalog, &bundle.rules, facts.at, facts.shipping_choice);
    price_cart(cart, &PricingFacts { catalog, rules, at, shipping_choice, used_up })
}

/// The answer to a shopper without a cart.
pub fn empty(live: &Live, market: &MarketId) -> CartReply {
    let (market, site) = live.market(market);
    let zero = Money::zero(market.currency);
    CartReply {
        id: String::new(),
        revision: 0,
        market: market.id.0.clone(),
        currency: market.currency.code().to_owned(),
        language: market.language.clone(),
        tax_included: market.tax_mode == TaxMode::Inclusive,
        units: 0,
        lines: Vec::new(),
        coupons: Vec::new(),
        destination: None,
        shipping_options: Vec::new(),
        totals: vec![total("subtotal", "Subtotal", zero), total("total", "Total", zero)],
        messages: Vec::new(),
        changed: Vec::new(),
        can_checkout: false,
        continue_url: format!("{}/cart", site.base_url),
        links: links(),
    }
}

/// The answer about a cart, from its prices.
pub fn build(cart: &Cart, priced: &PricedCart, facts: &ReplyFacts<'_>) -> CartReply {
    let (market, site) = facts.live.market(&cart.market);
    let lines: Vec<LineReply> = priced.lines.iter().map(|line| line_reply(line, facts, site)).collect();
    let mut messages: Vec<Message> = Vec::new();
    for (index, line) in priced.lines.iter().enumerate() {
        messages.extend(line_messages(index, line, priced, facts));
    }
    if priced.destination_unserved {
        messages.push(message("error", "destination_unserved", Some("/destination"), "we do not deliver to this place"));
    }
    if priced.tax_country.is_none() && !priced.lines.is_empty() && !priced.destination_unserved {
        let text = "tax is added once we know the country it goes to";
        messages.push(message("info", "tax_not_known", Some("/destination"), text));
    }
    if !priced.unavailable.is_empty() {
        let text = "something in your cart is not sold any more and was left out";
        messages.push(message("warning", "line_unavailable", Some("/lines"), text));
    }
    sort(&mut messages);
    let blocked = messages.iter().any(|message| message.severity == "error");
    CartReply {
        id: cart.id.to_string(),
        revision: cart.revision,
        language: cart.language.clone(),
        tax_included: priced.tax_mode == TaxMode::Inclusive,
        units: lines.iter().map(|line| u64::from(line.quantity)).sum(),
        can_checkout: !lines.is_empty() && !blocked,
        lines,
        coupons: priced.coupons.iter().map(coupon_reply).collect(),
        destination: cart.destination.as_ref().map(|place| DestinationReply {
            country: place.country.clone(),
            region: place.region.clone(),
            postal_code: place.postal_code.clone(),
        }),
        shipping_options: shipping_options(priced),
        totals: totals(priced),
        changed: priced.lines.iter().filter_map(changed).collect(),
        messages,
        ..empty(facts.live, &market.id)
    }
}

/// A message.
pub fn message(severity: &str, code: &str, path: Option<&str>, text: impl Into<String>) -> Message {
    let mut text = text.into();
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    if !text.ends_with(['.', '!']) {
        text.push('.');
    }
    Message { code: code.to_owned(), severity: severity.to_owned(), path: path.map(str::to_owned), text }
}

/// Worst first; otherwise in their order.
pub fn sort(messages: &mut [Message]) {
    messages.sort_by_key(|message| match message.severity.as_str() {
        "error" => 0,
        "warning" => 1,
        _ => 2,
    });
}

/// A line. What left the catalogue since it was priced is told from its frozen facts, without a picture.
pub fn line_reply(line: &PricedLine, facts: &ReplyFacts<'_>, site: &SiteView) -> LineReply {
    let found = facts.live.bundle.catalog.variant_by_sku(&line.sku);
    let product = found.map(|(product, _)| product);
    LineReply {
        id: line.id.0.clone(),
        sku: line.sku.0.clone(),
        product: line.product.0.clone(),
        url: format!("{}/products/{}", site.prefix, line.product),
        title: line.title.clone(),
        variant_title: line.variant_title.clone(),
        properties: line.properties.iter().map(|property| property_reply(product, property)).collect(),
        image: found.and_then(|(product, variant)| variant.image.as_ref().or(product.image.as_ref())).cloned(),
        quantity: line.quantity,
        quantity_rule: product.map_or_else(QuantityRule::default, |product| product.quantity),
        unit_price: line.unit_price,
        compare_at: line.compare_at,
        subtotal: line.subtotal,
        discount: line.discount,
        total: line.total,
        availability: found.map_or(Availability::NotForSale, |(_, variant)| availability(variant, facts.stock)),
    }
}

fn availability(variant: &Variant, stock: Option<&StockSnapshot>) -> Availability {
    stock.map_or(Availability::InStock, |stock| Availability::of(variant.stock_policy, stock.available(variant)))
}

fn property_reply(product: Option<&Product>, (key, value): &(String, String)) -> PropertyReply {
    let rule = product.and_then(|product| product.properties.iter().find(|rule| rule.key == *key));
    let label = rule.map_or_else(|| key.clone(), |rule| rule.label.clone());
    PropertyReply { key: key.clone(), label, value: value.clone() }
}

fn line_messages(index: usize, line: &PricedLine, priced: &PricedCart, facts: &ReplyFacts<'_>) -> Vec<Message> {
    let path = format!("/lines/{index}");
    let about = |severity, code, text: String| message(severity, code, Some(&path), text);
    let name = named(line);
    let mut messages = Vec::new();
    if priced.wrong_quantity.contains(&line.id) {
        messages.push(about("error", "wrong_quantity", format!("{name} is sold in other quantities now; change it to go on")));
    }
    if let Some((left, variant)) = units_left(line, facts) {
        if left == 0 && variant.stock_policy == StockPolicy::Deny {
            messages.push(about("error", "sold_out", format!("{name} is sold out; take it out to go on")));
        } else if left < line.quantity && variant.stock_policy == StockPolicy::Deny {
            messages.push(about(
                "error",
                "not_enough_stock",
                format!("only {left} of {name} are left; lower the quantity to go on"),
            ));
        }
    }
    if let Some(seen) = line.seen_price {
        let text = format!("the price of {name} was {seen} when you added it and is {} now", line.unit_price);
        messages.push(about("warning", "price_changed", text));
    }
    messages
}

/// Units of a counted variant; `None` where stock is not judged.
fn units_left<'a>(line: &PricedLine, facts: &ReplyFacts<'a>) -> Option<(u32, &'a Variant)> {
    let (_, variant) = facts.live.bundle.catalog.variant_by_sku(&line.sku)?;
    Some((facts.stock?.available(variant), variant))
}

fn named(line: &PricedLine) -> String {
    if line.variant_title.is_empty() { line.title.clone() } else { format!("{} ({})", line.title, line.variant_title) }
}

fn changed(line: &PricedLine) -> Option<ChangedPrice> {
    line.seen_price.map(|seen| ChangedPrice { line: line.id.0.clone(), seen, now: line.unit_price })
}

fn coupon_reply(outcome: &CouponOutcome) -> CouponReply {
    let refusal = outcome.result.as_ref().err();
    CouponReply {
        code: outcome.code.0.clone(),
        title: outcome.title.clone(),
        applied: outcome.result.is_ok(),
        amount: outcome.result.as_ref().ok().copied(),
        reason: refusal.map(|refusal| refusal.code().to_owned()),
        detail: refusal.map(ToString::to_string),
    }
}

fn shipping_options(priced: &PricedCart) -> Vec<ShippingOptionReply> {
    let chosen = priced.shipping.as_ref().map(|option| &option.id);
    let one = |option: &crate::commerce::pricing::ShippingOption| ShippingOptionReply {
        id: option.id.0.clone(),
        name: option.name.clone(),
        delivery: option.delivery.clone(),
        price: option.price,
        selected: chosen == Some(&option.id),
    };
    priced.shipping_options.iter().map(one).collect()
}

/// Typed parts that add up to the part of kind `total`.
pub fn totals(priced: &PricedCart) -> Vec<TotalReply> {
    let sums = &priced.totals;
    let less = |amount: Money| Money::new(-amount.minor, amount.currency);
    let mut parts = vec![total("subtotal", "Subtotal", sums.subtotal)];
    if sums.discount.minor != 0 {
        parts.push(total("discount", "Discount", less(sums.discount)));
    }
    if priced.shipping.is_some() {
        parts.push(total("shipping", "Shipping", sums.shipping));
    }
    if sums.shipping_discount.minor != 0 {
        parts.push(total("shipping_discount", "Shipping discount", less(sums.shipping_discount)));
    }
    let included = priced.tax_mode == TaxMode::Inclusive;
    for part in &priced.taxes {
        let label = format!("{} {} %", part.name, part.percent);
        let label = if included { format!("Includes {label}") } else { label };
        parts.push(TotalReply { kind: "tax".to_owned(), label, amount: part.tax, included });
    }
    parts.push(total("total", "Total", sums.total));
    parts
}

fn total(kind: &str, label: &str, amount: Money) -> TotalReply {
    TotalReply { kind: kind.to_owned(), label: label.to_owned(), amount, included: false }
}

fn links() -> Vec<RelLink> {
    let link = |rel: &str, href: &str| RelLink { rel: rel.to_owned(), href: href.to_owned() };
    vec![link("self", "/api/v1/cart"), link("checkout", "/checkout")]
}
