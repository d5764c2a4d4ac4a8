//! Cart reply: a priced cart → the answer.
//!
//! Owns    what is said about a cart: texts, stable codes, what stops a checkout.
//! Knows   no HTTP. Stock is the snapshot's word, so a hint; it is decided when paying.

use super::app::StockSnapshot;
use super::live::Live;
use super::reply::{
    CartReply, ChangedPrice, CouponReply, DestinationReply, LineReply, Message, PerMeasureReply, PropertyReply, RelLink,
    ShippingOptionReply, TotalReply,
};
use super::words::{self, Note, Severity};
use crate::commerce::cart::Cart;
use crate::commerce::catalog::{Product, QuantityRule, StockPolicy, Variant};
use crate::commerce::ids::{MarketId, ShippingRateId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::outside::OutsidePrices;
use crate::commerce::pricing::{CouponOutcome, PricedCart, PricedLine, PricingFacts, PricingRejection, price_cart};
use crate::commerce::promotion::Customer;
use crate::commerce::tax::TaxMode;
use crate::theme::locale;
use crate::theme::texts::Say;
use crate::theme::view::{Availability, PerMeasureView, SiteView};

/// What a cart is priced and described by.
#[derive(Clone, Copy, Debug)]
pub struct ReplyFacts<'a> {
    /// The bundle.
    pub live: &'a Live,
    /// The snapshot of stock; `None` where stock is not to be judged (it is reserved for this shopper already).
    pub stock: Option<&'a StockSnapshot>,
    /// What is told beside the catalogue's prices; nothing where prices are frozen.
    pub outside: &'a OutsidePrices,
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

/// Prices a cart with the live bundle, for `customer` once it is known who buys.
pub fn price(cart: &Cart, facts: &ReplyFacts<'_>, customer: Option<&Customer>) -> Result<PricedCart, PricingRejection> {
    let bundle = &facts.live.bundle;
    let used_up = facts.stock.map_or(&[][..], |stock| &stock.used_up);
    let ReplyFacts { outside, at, shipping_choice, .. } = *facts;
    let (catalog, rules) = (&bundle.catalog, &bundle.rules);
    price_cart(cart, &PricingFacts { catalog, rules, at, shipping_choice, outside, used_up, customer })
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
        needs_shipping: false,
        shipping_options: Vec::new(),
        totals: vec![total("subtotal", "totals.subtotal", zero, site), total("total", "totals.total", zero, site)],
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
    let words = facts.live.speaking(&cart.language, &cart.market);
    let mut notes: Vec<Note> = Vec::new();
    for (index, line) in priced.lines.iter().enumerate() {
        notes.extend(line_notes(index, line, priced, facts));
    }
    if priced.destination_unserved {
        notes.push(Note::new(Severity::Error, "destination_unserved", Say::of("line.undeliverable")).about("/destination"));
    }
    if priced.tax_country.is_none() && !priced.lines.is_empty() && !priced.destination_unserved {
        notes.push(Note::new(Severity::Info, "tax_not_known", Say::of("line.tax_not_known")).about("/destination"));
    }
    if !priced.unavailable.is_empty() {
        notes.push(Note::new(Severity::Warning, "line_unavailable", Say::of("line.gone")).about("/lines"));
    }
    notes.extend(priced.hints.iter().map(words::of_hint));
    let mut messages: Vec<Message> = notes.iter().map(|note| note.told(words)).collect();
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
        coupons: priced.coupons.iter().map(|outcome| coupon_reply(outcome, words)).collect(),
        destination: cart.destination.as_ref().map(|place| DestinationReply {
            country: place.country.clone(),
            region: place.region.clone(),
            postal_code: place.postal_code.clone(),
        }),
        needs_shipping: priced.needs_shipping,
        shipping_options: shipping_options(priced),
        totals: totals(priced, words),
        changed: priced.lines.iter().filter_map(changed).collect(),
        messages,
        ..empty(facts.live, &market.id)
    }
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
        sku: line.sku.to_string(),
        product: line.product.to_string(),
        url: format!("{}/products/{}", site.prefix, line.product),
        title: line.title.clone(),
        variant_title: line.variant_title.clone(),
        properties: line.properties.iter().map(|property| property_reply(product, property)).collect(),
        image: found.and_then(|(product, variant)| variant.image.as_deref().or(product.image.as_ref())).cloned(),
        quantity: line.quantity,
        quantity_rule: product.map_or_else(QuantityRule::default, |product| product.quantity),
        unit_price: line.unit_price,
        compare_at: line.compare_at,
        per_measure: found.and_then(|(_, variant)| variant.per_measure(line.unit_price)).map(|per| {
            let view = PerMeasureView::new(per, &site.language);
            PerMeasureReply { text: view.text(site), view }
        }),
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

fn line_notes(index: usize, line: &PricedLine, priced: &PricedCart, facts: &ReplyFacts<'_>) -> Vec<Note> {
    let about = |severity, code, say: Say| Note::new(severity, code, say).about(format!("/lines/{index}"));
    let name = named(line);
    let mut notes = Vec::new();
    if priced.wrong_quantity.contains(&line.id) {
        notes.push(about(Severity::Error, "wrong_quantity", Say::of("line.other_quantity").with("name", &name)));
    }
    if facts.outside.is_unconfirmed(line.sku.hash()) {
        notes.push(about(Severity::Error, "price_unconfirmed", Say::of("line.price_unconfirmed").with("name", &name)));
    }
    if let Some((left, variant)) = units_left(line, facts) {
        if left == 0 && variant.stock_policy == StockPolicy::Deny {
            notes.push(about(Severity::Error, "sold_out", Say::of("line.sold_out").with("name", &name)));
        } else if left < line.quantity && variant.stock_policy == StockPolicy::Deny {
            let say = Say::of("line.few_left").with("name", &name).counting(u64::from(left));
            notes.push(about(Severity::Error, "not_enough_stock", say));
        }
    }
    if let Some(seen) = line.seen_price {
        let say = Say::of("line.price_changed").with("name", &name).with_money("seen", seen).with_money("now", line.unit_price);
        notes.push(about(Severity::Warning, "price_changed", say));
    }
    notes
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

fn coupon_reply(outcome: &CouponOutcome, site: &SiteView) -> CouponReply {
    let refusal = outcome.result.as_ref().err();
    CouponReply {
        code: outcome.code.0.clone(),
        title: outcome.title.clone(),
        applied: outcome.result.is_ok(),
        amount: outcome.result.as_ref().ok().copied(),
        reason: refusal.map(|refusal| refusal.code().to_owned()),
        detail: refusal.map(|refusal| words::of_coupon(refusal).text(site)),
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
pub fn totals(priced: &PricedCart, site: &SiteView) -> Vec<TotalReply> {
    let total = |kind, key, amount| total(kind, key, amount, site);
    let sums = &priced.totals;
    let less = |amount: Money| Money::new(-amount.minor, amount.currency);
    let mut parts = vec![total("subtotal", "totals.subtotal", sums.subtotal)];
    parts.extend(discounts(priced, false, total("discount", "totals.discount", less(sums.discount))));
    if priced.shipping.is_some() {
        parts.push(total("shipping", "totals.shipping", sums.shipping));
    }
    parts.extend(discounts(priced, true, total("shipping_discount", "totals.shipping_discount", less(sums.shipping_discount))));
    let included = priced.tax_mode == TaxMode::Inclusive;
    for part in &priced.taxes {
        let key = if included { "totals.tax_included" } else { "totals.tax" };
        let label =
            Say::of(key).with("tax", &part.name).with("percent", locale::decimal(&part.percent, &site.language)).text(site);
        parts.push(TotalReply { kind: "tax".to_owned(), label, amount: part.tax, included });
    }
    parts.push(total("total", "totals.total", sums.total));
    parts
}

/// Each discount by its title, those of codes first; `sum` is all of them.
fn discounts(priced: &PricedCart, on_shipping: bool, sum: TotalReply) -> Vec<TotalReply> {
    let typed = priced.coupons.iter().filter(|coupon| coupon.on_shipping == on_shipping).filter_map(|coupon| {
        let amount = coupon.result.as_ref().ok().filter(|amount| amount.minor != 0)?;
        Some((coupon.title.as_deref().unwrap_or(coupon.code.as_str()), *amount))
    });
    let automatic = priced.automatic.iter().filter(|given| given.on_shipping == on_shipping);
    let part = |(title, amount): (&str, Money)| TotalReply {
        label: title.to_owned(),
        amount: Money::new(-amount.minor, amount.currency),
        ..sum.clone()
    };
    let parts: Vec<TotalReply> = typed.chain(automatic.map(|given| (given.title.as_str(), given.amount))).map(part).collect();
    // A quote of before discounts were told one by one has one sum.
    let told: i64 = parts.iter().map(|part| part.amount.minor).sum();
    if told == sum.amount.minor { parts } else { vec![sum] }
}

fn total(kind: &str, key: &'static str, amount: Money, site: &SiteView) -> TotalReply {
    TotalReply { kind: kind.to_owned(), label: Say::of(key).text(site), amount, included: false }
}

fn links() -> Vec<RelLink> {
    let link = |rel: &str, href: &str| RelLink { rel: rel.to_owned(), href: href.to_owned(), title: None };
    vec![link("self", "/api/v1/cart"), link("checkout", "/checkout")]
}
