//! Services: systems of the merchant's own that are asked while a shopper waits.
//!
//! Owns    the ways to them, what they told, and how they are; who is asked at all is in the bundle.
//! Always  a request waits for a service no longer than its terms say, and goes on without it as they say. What is frozen in a quote is
//!         never asked about again.
//! Source  DESIGN.md section 8; CHECKOUT.md 5.6 and 5.7.

mod peer;
mod prices;

use std::collections::BTreeSet;

pub use self::peer::{Script, Scripted, Sent, Wire};
use self::prices::{Asker, Prices};
use crate::commerce::ids::SkuHash;
use crate::commerce::outside::OutsidePrices;
use crate::commerce::rules::Market;
use crate::edge::app::{App, Clock};
use crate::edge::live::Live;
use crate::telemetry::services::ServiceMetrics;

/// All of them. Without a way to a service its terms for silence hold.
#[derive(Debug)]
pub struct Services {
    prices: Prices,
    metrics: ServiceMetrics,
}

/// How a service is reached, and the token that is shown to it.
#[derive(Debug, Default)]
pub struct Way {
    /// Over the network, or by a test's script.
    pub wire: Option<Wire>,
    /// From the environment; `None`: none is shown.
    pub token: Option<String>,
}

impl Default for Services {
    fn default() -> Self {
        Self { prices: Prices::new(None, None), metrics: ServiceMetrics::default() }
    }
}

impl Services {
    /// Those of an edge.
    ///
    /// Errors: a token that cannot be one, without a sign of it.
    pub fn new(pricing: Way) -> Result<Self, String> {
        let token = pricing.token.map(|token| peer::bearer(&token)).transpose()?;
        Ok(Self { prices: Prices::new(pricing.wire, token), metrics: ServiceMetrics::default() })
    }

    /// What is told beside the catalogue's prices of some SKUs in a market. Nothing where the shop names no pricing service.
    pub async fn prices(&self, live: &Live, market: &Market, skus: BTreeSet<SkuHash>, clock: &Clock) -> OutsidePrices {
        match &live.bundle.pricing {
            None => OutsidePrices::NONE,
            Some(terms) => self.prices.of(Asker { live, market, clock, metrics: &self.metrics }, terms, skus).await,
        }
    }

    /// The state of each service that the shop names, for `/readyz`.
    pub fn told(&self, app: &App) -> Vec<(&'static str, serde_json::Value)> {
        let named = app.live.load().bundle.pricing.is_some();
        named.then(|| ("pricing", self.prices.peer.told(&app.clock))).into_iter().collect()
    }

    /// Their series, where the shop names any.
    pub fn metrics(&self, app: &App) -> Option<&ServiceMetrics> {
        app.live.load().bundle.pricing.as_ref()?;
        self.metrics.set_breaker("pricing", &self.prices.peer.breaker(&app.clock));
        Some(&self.metrics)
    }
}
