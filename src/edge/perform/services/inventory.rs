//! Inventory: the shop's inventory service is asked to hold units before a payment begins, and told what became of them.
//!
//! Owns    what is asked of it, and what its answers are worth. The store's own ledger stays the authority over what is sold: the service
//!         can refuse units that the ledger has, and never give any that it has not.
//! Limits  `MAX_ANSWER_BYTES` of an answer. A hold names the instant at which it ends by itself, `GRACE_SECONDS` after the payment's page.
//! Always  a hold is named by the quote it is for, so that a second payment of the same quote is the same hold; it takes the place of the
//!         one for the checkout's quote before. It is asked for before anything is written: a crash in between leaves a hold that ends by
//!         itself, as does one whose payment is called off. It is never let go early: the same quote may be paid once more meanwhile.
//!         What was sold is told out of the store's queue of facts, again until it is answered.
//! Source  CHECKOUT.md 5.7, "external inventory"; case 49 of section 1.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::peer::{Call, Peer, Unanswered, Wire};
use crate::commerce::catalog::StockPolicy;
use crate::commerce::ids::{QuoteId, Sku, Timestamp};
use crate::commerce::order::Order;
use crate::commerce::pricing::PricedLine;
use crate::commerce::quote::Quote;
use crate::edge::app::Clock;
use crate::edge::live::Live;
use crate::store::fact::FactKind;
use crate::telemetry::services::ServiceMetrics;
use crate::theme::bundle::services::{InventoryTerms, Oversell, WhenSilent};

/// The name by which the store's queue of facts knows the service; no webhook may bear it beside one.
pub const SUBSCRIBER: &str = "inventory";
/// The facts it hears of: units are sold, and sold units are free again.
pub const FACTS: [FactKind; 2] = [FactKind::OrderPlaced, FactKind::OrderCanceled];
/// A refusal names a few SKUs.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Whoever pays in the last minute is placed a little later; more is kept from others for nothing.
const GRACE_SECONDS: i64 = 15 * 60;

/// What is to be held.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The bundle in service.
    pub live: &'a Live,
    /// What is about to be paid.
    pub quote: &'a Quote,
    /// The checkout's quote before, where a payment of it was begun and is over.
    pub replaces: Option<&'a QuoteId>,
    /// When the payment's page is closed.
    pub until: Timestamp,
}

/// What the service made of the wish to hold units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// It holds them, or nothing of the quote is its business.
    Yes,
    /// It has too few of these, and holds nothing.
    Short(Vec<Sku>),
    /// It is silent, and the terms let the store's own ledger decide.
    OwnLedger,
    /// It is silent, and without its word nothing is sold.
    Unconfirmed,
}

/// What the service made of what it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is written down there.
    Yes,
    /// It will not write it down: it has forgotten the hold and the units with it. Asking again would give the same answer.
    Refused(StatusCode),
}

/// The inventory service.
#[derive(Debug)]
pub(super) struct Inventory {
    pub(super) peer: Peer,
}

#[derive(Serialize)]
struct Hold<'a> {
    lines: Vec<Line<'a>>,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a str>,
}

#[derive(Serialize)]
struct Sale<'a> {
    order: &'a str,
    number: &'a str,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    sku: &'a str,
    quantity: u32,
}

#[derive(Deserialize)]
struct Refusal {
    short: Vec<Short>,
}

#[derive(Deserialize)]
struct Short {
    sku: String,
}

impl Inventory {
    pub(super) fn new(wire: Option<Wire>, token: Option<HeaderValue>) -> Self {
        Self { peer: Peer::new("inventory", wire, token) }
    }

    /// Asks for the units of a quote.
    pub(super) async fn hold(&self, wish: &Wish<'_>, terms: &InventoryTerms, clock: &Clock, metrics: &ServiceMetrics) -> Held {
        let Wish { live, quote, replaces, until } = *wish;
        let mut is_strict = false;
        let lines = lines(&quote.priced.lines, |sku| {
            let Some((product, variant)) = live.bundle.catalog.variant_by_sku(sku) else { return true };
            let class = terms.class_of(product);
            let is_held = variant.stock_policy == StockPolicy::Deny && class.oversell == Oversell::Never;
            is_strict |= is_held && class.when_silent == WhenSilent::Refuse;
            is_held
        });
        if lines.is_empty() {
            return Held::Yes;
        }
        let asked: Vec<&str> = lines.iter().map(|line| line.sku).collect();
        let expires_at = rfc3339(until.plus_seconds(GRACE_SECONDS));
        let replaces = replaces.map(QuoteId::as_str);
        let hold = Hold { lines: copied(&lines), expires_at, replaces };
        let call = call(terms, Method::PUT, &quote.id, "", &hold);
        let judge = |status: StatusCode, body: &[u8]| match status {
            status if status.is_success() => Ok(Vec::new()),
            StatusCode::CONFLICT => short(body, &asked),
            status => Err(format!("it answered {status}")),
        };
        let held = match self.peer.ask(&call, clock, metrics, judge).await {
            Ok(short) if short.is_empty() => Held::Yes,
            Ok(short) => Held::Short(short),
            Err(_) if is_strict => Held::Unconfirmed,
            Err(_) => Held::OwnLedger,
        };
        metrics.held(match held {
            Held::Yes => "held",
            Held::Short(_) => "short",
            Held::OwnLedger => "own_ledger",
            Held::Unconfirmed => "unconfirmed",
        });
        held
    }

    /// Tells a fact about an order.
    ///
    /// Errors: it has to be told again.
    pub(super) async fn tell(
        &self,
        live: &Live,
        terms: &InventoryTerms,
        (kind, order): (&str, &Order),
        (clock, metrics): (&Clock, &ServiceMetrics),
    ) -> Result<Told, Unanswered> {
        let quote = &order.quote;
        let is_counted = |sku: &Sku| {
            let known = live.bundle.catalog.variant_by_sku(sku);
            known.is_none_or(|(_, variant)| variant.stock_policy != StockPolicy::Untracked)
        };
        let lines = lines(&quote.priced.lines, is_counted);
        if lines.is_empty() {
            return Ok(Told::Yes);
        }
        if kind == FactKind::OrderCanceled.name() {
            if order.placed_at.is_none() {
                // It was never sold: its hold ends by itself.
                return Ok(Told::Yes);
            }
            return self.peer.ask(&call(terms, Method::DELETE, &quote.id, "", &()), clock, metrics, freed).await;
        }
        let sale = Sale { order: order.id.as_str(), number: order.number.as_deref().unwrap_or(""), lines };
        let judge = |status: StatusCode, _: &[u8]| match status {
            status if status.is_success() => Ok(Told::Yes),
            status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => Ok(Told::Refused(status)),
            status => Err(format!("it answered {status}")),
        };
        self.peer.ask(&call(terms, Method::POST, &quote.id, "/sale", &sale), clock, metrics, judge).await
    }
}

fn freed(status: StatusCode, _: &[u8]) -> Result<Told, String> {
    match status {
        // What it does not know it does not hold.
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Told::Yes),
        status if status.is_success() => Ok(Told::Yes),
        status => Err(format!("it answered {status}")),
    }
}

fn call(terms: &InventoryTerms, method: Method, quote: &QuoteId, rest: &str, body: &impl Serialize) -> Call {
    let has_body = method != Method::DELETE;
    Call {
        method,
        url: format!("{}/reservations/{quote}{rest}", terms.url),
        body: if has_body { serde_json::to_vec(body).expect("what is told is plain data") } else { Vec::new() },
        timeout: Duration::from_millis(terms.timeout_ms.into()),
        max_bytes: MAX_ANSWER_BYTES,
    }
}

/// One line per SKU, sorted, of those that count.
fn lines(priced: &[PricedLine], mut counts: impl FnMut(&Sku) -> bool) -> Vec<Line<'_>> {
    let mut quantities = BTreeMap::<&Sku, u32>::new();
    for line in priced {
        *quantities.entry(&line.sku).or_default() += line.quantity;
    }
    let counted = quantities.into_iter().filter(|(sku, _)| counts(sku));
    counted.map(|(sku, quantity)| Line { sku: sku.as_str(), quantity }).collect()
}

fn copied<'a>(lines: &[Line<'a>]) -> Vec<Line<'a>> {
    lines.iter().map(|line| Line { sku: line.sku, quantity: line.quantity }).collect()
}

/// What a refusal says is short. One that names nothing that was asked for is not understood.
fn short(body: &[u8], asked: &[&str]) -> Result<Vec<Sku>, String> {
    let refusal: Refusal = serde_json::from_slice(body).map_err(|error| format!("its refusal is not understood: {error}"))?;
    let named = refusal.short.iter().map(|short| short.sku.as_str()).filter(|sku| asked.contains(sku));
    let mut short: Vec<Sku> = named.map(Sku::from).collect();
    short.sort();
    short.dedup();
    if short.is_empty() { Err("its refusal names nothing that was asked for".to_owned()) } else { Ok(short) }
}

fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| String::new(), |at| at.to_string())
}
