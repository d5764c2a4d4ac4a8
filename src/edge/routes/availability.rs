//! Availability: what a product page asks for when it is shown, from the URL alone.
//!
//! Always  no cookie is read or set: the answer is the same for everyone and a CDN keeps it for seconds, but not beyond the instant at
//!         which a sale begins or ends.

use std::sync::Arc;

use http::header;
use serde::Serialize;

use crate::commerce::ids::MarketId;
use crate::commerce::money::Money;
use crate::commerce::outside::OutsidePrices;
use crate::edge::app::App;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::input;
use crate::edge::middleware::headers::cache_control;
use crate::edge::router::Cache;
use crate::theme::texts::Say;
use crate::theme::view::Availability;

/// Seconds that a CDN keeps an answer: what thousands look at is asked once, and stock is hardly ever told wrong.
pub const KEPT_SECONDS: u32 = 5;

/// The product now.
#[derive(Debug, Serialize)]
struct AvailabilityReply<'a> {
    product: &'a str,
    market: &'a str,
    currency: &'a str,
    variants: Vec<VariantReply<'a>>,
}

/// A variant now.
#[derive(Debug, Serialize)]
struct VariantReply<'a> {
    sku: &'a str,
    price: Option<Money>,
    compare_at: Option<Money>,
    availability: Availability,
}

/// `GET availability/{product}?market=`.
pub async fn show(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let query = input::query(&call, &["market"])?;
    let live = app.live.load_full();
    let (now, stock) = (app.clock.now(), app.stock.load());
    let rules = &live.bundle.rules;
    let market = match query.filled("market") {
        Some(name) => rules.market(&MarketId::from(name)).ok_or_else(|| Failure::not_found(Say::of("says.no_market")))?,
        None => rules.root_market(),
    };
    let product = live.bundle.catalog.product(call.param("product")).filter(|product| product.is_active(now));
    let product = product.ok_or_else(|| Failure::not_found(Say::of("line.not_sold_any_more")))?;
    let outside = match &live.bundle.pricing {
        None => OutsidePrices::NONE,
        Some(_) => {
            let skus = product.variants.iter().map(|variant| variant.sku.hash()).collect();
            app.services.prices(&live, market, skus, &app.clock).await
        }
    };
    let variant_reply = |variant| {
        let variant: &crate::commerce::catalog::Variant = variant;
        let price = outside.current_price(variant, market.currency, now);
        let availability = match price {
            Some(_) => Availability::of(variant.stock_policy, stock.available(variant)),
            None => Availability::NotForSale,
        };
        VariantReply {
            sku: variant.sku.as_str(),
            // A price that nobody would charge is not told.
            price: price.filter(|_| !outside.is_unconfirmed(variant.sku.hash())).map(|price| price.unit),
            compare_at: price.and_then(|price| price.compare_at),
            availability,
        }
    };
    let mut reply = super::cart::json(&AvailabilityReply {
        product: product.slug.as_str(),
        market: market.id.as_str(),
        currency: market.currency.code(),
        variants: product.variants.iter().map(variant_reply).collect(),
    });
    let due = product.next_change_at(&[market.currency], now).map(|due| due.0 - now.0);
    if let Some(seconds) = due.and_then(|due| u32::try_from(due).ok()).filter(|due| *due < KEPT_SECONDS) {
        reply.headers.insert(header::CACHE_CONTROL, cache_control(Cache::Shared { seconds }));
    }
    Ok(reply)
}
