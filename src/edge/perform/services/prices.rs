//! Prices: unit prices from the shop's pricing service, asked for once, kept, and held against the catalogue each time they are used.
//!
//! Owns    what was told last of each SKU in each market. It is lost with the process: then the terms say what is charged.
//! Limits  `MAX_ASKED` SKUs in a call, `MAX_ANSWER_BYTES` of its answer. As many prices are kept as the catalogue has in its markets.
//! Always  only what the catalogue sells is asked for; what is not believed changes nothing that was known before. While one request
//!         asks, others take what is known.
//! Source  CHECKOUT.md 5.7, "pricing".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::peer::{Call, Peer, Unanswered, Wire};
use crate::commerce::catalog::{Product, Variant};
use crate::commerce::ids::{MarketId, SkuHash};
use crate::commerce::money::{Currency, Money};
use crate::commerce::outside::{Outside, OutsidePrices, PriceFault, believed};
use crate::commerce::rules::Market;
use crate::edge::app::Clock;
use crate::edge::live::Live;
use crate::telemetry::services::ServiceMetrics;
use crate::theme::bundle::services::{PricingTerms, WhenUnknown};

/// SKUs of one call: more than a cart holds.
const MAX_ASKED: usize = 250;
/// An answer about so many SKUs is a tenth of this.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The pricing service and what it told.
#[derive(Debug)]
pub(super) struct Prices {
    pub(super) peer: Peer,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The bundle whose SKUs they are.
    bundle: String,
    by_market: BTreeMap<MarketId, BTreeMap<SkuHash, Entry>>,
}

/// What is known of one SKU. Instants are ticks.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The last price that was believed, and when it was told.
    told: Option<(Money, u64)>,
    /// When the service last answered a question about it, believed or not.
    answered_at: Option<u64>,
    /// Until when another request's question may still be under way.
    asking_until: u64,
}

/// What is asked.
#[derive(Serialize)]
struct Question<'a> {
    market: &'a str,
    currency: &'a str,
    skus: Vec<&'a str>,
}

/// What is answered. Members that are not known here are let be: a service may say more.
#[derive(Debug, Deserialize)]
struct Answer {
    prices: Vec<ToldPrice>,
}

#[derive(Debug, Deserialize)]
struct ToldPrice {
    sku: String,
    unit: ToldMoney,
}

#[derive(Debug, Deserialize)]
struct ToldMoney {
    amount: Value,
    currency: String,
}

impl ToldMoney {
    fn money(&self) -> Result<Money, PriceFault> {
        let currency = Currency::from_code(&self.currency).ok_or(PriceFault::ForeignCurrency)?;
        // A fraction of a minor unit, or a number that no integer holds.
        let minor = self.amount.as_i64().ok_or(PriceFault::Absurd)?;
        Ok(Money::new(minor, currency))
    }
}

/// Who asks, for which market.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) live: &'a Live,
    pub(super) market: &'a Market,
    pub(super) clock: &'a Clock,
    pub(super) metrics: &'a ServiceMetrics,
}

type Sold<'a> = (&'a Product, &'a Variant, Money);

impl Prices {
    pub(super) fn new(wire: Option<Wire>, token: Option<HeaderValue>) -> Self {
        Self { peer: Peer::new("pricing", wire, token), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the service says of these SKUs, or said before, or what the terms have for that nobody says anything.
    pub(super) async fn of(&self, asker: Asker<'_>, terms: &PricingTerms, wanted: BTreeSet<SkuHash>) -> OutsidePrices {
        let Asker { live, market, clock, .. } = asker;
        let now = clock.now();
        let sold = |sku: &SkuHash| -> Option<Sold<'_>> {
            let (product, variant) = live.bundle.catalog.variant(*sku)?;
            let unit = variant.current_price(market.currency, now)?.unit;
            // What is given away is not dearer by somebody's word.
            (unit.minor > 0 && product.is_active(now)).then_some((product, variant, unit))
        };
        let sold: Vec<Sold<'_>> = wanted.iter().filter_map(sold).collect();
        for some in self.stale(asker, terms, &sold).chunks(MAX_ASKED) {
            if self.ask(asker, terms, some).await.is_err() {
                break;
            }
        }
        self.judged(asker, terms, &sold)
    }

    /// Those that have to be asked for, marked as being asked for. What another request asks for already is not, where there is a price
    /// to go on with.
    fn stale<'a>(&self, asker: Asker<'_>, terms: &PricingTerms, sold: &[Sold<'a>]) -> Vec<Sold<'a>> {
        let now = asker.clock.ticks();
        let mut known = self.known();
        known.hold_to(asker.live);
        let entries = known.by_market.entry(asker.market.id.clone()).or_default();
        let mut stale = Vec::new();
        for (product, variant, unit) in sold {
            let entry = entries.entry(variant.sku.hash()).or_default();
            let is_fresh = entry.answered_at.is_some_and(|at| age_ms(at, now) < u64::from(terms.fresh_seconds) * 1_000);
            let is_asked = entry.asking_until > now && entry.usable(terms, product, *unit, now).is_some();
            if !is_fresh && !is_asked {
                entry.asking_until = now + u64::from(terms.timeout_ms);
                stale.push((*product, *variant, *unit));
            }
        }
        stale
    }

    async fn ask(&self, asker: Asker<'_>, terms: &PricingTerms, sold: &[Sold<'_>]) -> Result<(), Unanswered> {
        let Asker { market, clock, metrics, .. } = asker;
        let skus = sold.iter().map(|(_, variant, _)| variant.sku.as_str()).collect();
        let question = Question { market: market.id.as_str(), currency: market.currency.code(), skus };
        let call = Call {
            method: Method::POST,
            url: format!("{}/prices", terms.url),
            body: serde_json::to_vec(&question).expect("a question is plain data"),
            timeout: Duration::from_millis(terms.timeout_ms.into()),
            max_bytes: MAX_ANSWER_BYTES,
        };
        let judge = |status: StatusCode, body: &[u8]| match status {
            StatusCode::OK => {
                serde_json::from_slice::<Answer>(body).map_err(|error| format!("its answer is not understood: {error}"))
            }
            status => Err(format!("it answered {status}")),
        };
        let answer = self.peer.ask(&call, clock, metrics, judge).await;
        let now = clock.ticks();
        let mut known = self.known();
        let entries = known.by_market.entry(market.id.clone()).or_default();
        for (product, variant, unit) in sold {
            let entry = entries.entry(variant.sku.hash()).or_default();
            entry.asking_until = 0;
            let Ok(answer) = &answer else { continue };
            entry.answered_at = Some(now);
            let told =
                answer.of(variant).and_then(|told| believed(told, *unit, terms.class_of(product).max_factor).map(|_| told));
            match told {
                Ok(told) => entry.told = Some((told, now)),
                Err(fault) => {
                    metrics.refused(fault.name());
                    tracing::warn!(sku = %variant.sku, market = %market.id, fault = fault.name(), "a told price is not believed");
                }
            }
        }
        answer.map(drop)
    }

    fn judged(&self, asker: Asker<'_>, terms: &PricingTerms, sold: &[Sold<'_>]) -> OutsidePrices {
        let now = asker.clock.ticks();
        let known = self.known();
        let entries = known.by_market.get(&asker.market.id);
        let judge = |(product, variant, unit): &Sold<'_>| {
            let sku = variant.sku.hash();
            let usable = entries.and_then(|entries| entries.get(&sku)?.usable(terms, product, *unit, now));
            let (source, outside) = match (usable, terms.class_of(product).when_unknown) {
                (Some((minor, true)), _) => ("fresh", Some(Outside::Price(minor))),
                (Some((minor, false)), _) => ("kept", Some(Outside::Price(minor))),
                (None, WhenUnknown::Catalogue) => ("catalogue", None),
                (None, WhenUnknown::Refuse) => ("refused", Some(Outside::Unconfirmed)),
            };
            asker.metrics.priced(source);
            outside.map(|outside| (sku, outside))
        };
        OutsidePrices::of(sold.iter().filter_map(judge))
    }
}

impl Answer {
    fn of(&self, variant: &Variant) -> Result<Money, PriceFault> {
        let mut told = self.prices.iter().filter(|told| told.sku == variant.sku.as_str());
        match (told.next(), told.next()) {
            (Some(one), None) => one.unit.money(),
            (Some(_), Some(_)) => Err(PriceFault::Doubled),
            (None, _) => Err(PriceFault::Missing),
        }
    }
}

impl Entry {
    /// The price that may be charged, and whether it is of just now. It is held against the catalogue that is in service by now.
    fn usable(&self, terms: &PricingTerms, product: &Product, unit: Money, now: u64) -> Option<(i64, bool)> {
        let (told, at) = self.told?;
        let (class, age) = (terms.class_of(product), age_ms(at, now));
        let minor = believed(told, unit, class.max_factor).ok()?;
        (age <= u64::from(class.max_age_seconds) * 1_000).then_some((minor, age < u64::from(terms.fresh_seconds) * 1_000))
    }
}

impl Known {
    /// Forgets what the bundle in service does not sell.
    fn hold_to(&mut self, live: &Live) {
        if self.bundle == live.hash {
            return;
        }
        live.hash.clone_into(&mut self.bundle);
        self.by_market.retain(|market, entries| {
            entries.retain(|sku, _| live.bundle.catalog.variant(*sku).is_some());
            live.bundle.rules.market(market).is_some()
        });
    }
}

fn age_ms(at: u64, now: u64) -> u64 {
    now.saturating_sub(at)
}
