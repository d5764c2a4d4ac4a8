//! Services: systems of the merchant's own that are asked while a shopper waits.
//!
//! Owns    the ways to them, what they told, and how they are; who is asked at all is in the bundle.
//! Always  a request waits for a service no longer than its terms say, and goes on without it as they say. What is frozen in a quote is
//!         never asked about again.
//! Source  DESIGN.md section 8; CHECKOUT.md 5.6 and 5.7.

mod inventory;
mod peer;
mod prices;

use std::collections::BTreeSet;

pub use self::inventory::{FACTS, Held, SUBSCRIBER, Wish};
use self::inventory::{Inventory, Told};
use self::peer::{Peer, Unanswered};
pub use self::peer::{Script, Scripted, Sent, Wire};
use self::prices::{Asker, Prices};
use super::Till;
use crate::commerce::ids::SkuHash;
use crate::commerce::order::Order;
use crate::commerce::outside::OutsidePrices;
use crate::commerce::rules::Market;
use crate::edge::app::{App, Clock};
use crate::edge::live::Live;
use crate::telemetry::services::ServiceMetrics;

/// Before the order in the name of an alarm about units, by which its mail has words of its own.
pub const STOCK_ALARM: &str = "inventory-";

/// All of them. Without a way to a service its terms for silence hold.
#[derive(Debug)]
pub struct Services {
    prices: Prices,
    inventory: Inventory,
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
        Self { prices: Prices::new(None, None), inventory: Inventory::new(None, None), metrics: ServiceMetrics::default() }
    }
}

impl Services {
    /// The same with a pricing service.
    ///
    /// Errors: a token that cannot be one, without a sign of it.
    pub fn with_pricing(self, way: Way) -> Result<Self, String> {
        let token = way.token.map(|token| peer::bearer(&token)).transpose()?;
        Ok(Self { prices: Prices::new(way.wire, token), ..self })
    }

    /// The same with an inventory service.
    ///
    /// Errors: a token that cannot be one, without a sign of it.
    pub fn with_inventory(self, way: Way) -> Result<Self, String> {
        let token = way.token.map(|token| peer::bearer(&token)).transpose()?;
        Ok(Self { inventory: Inventory::new(way.wire, token), ..self })
    }

    /// What is told beside the catalogue's prices of some SKUs in a market. Nothing where the shop names no pricing service.
    pub async fn prices(&self, live: &Live, market: &Market, skus: BTreeSet<SkuHash>, clock: &Clock) -> OutsidePrices {
        match &live.bundle.pricing {
            None => OutsidePrices::NONE,
            Some(terms) => self.prices.of(Asker { live, market, clock, metrics: &self.metrics }, terms, skus).await,
        }
    }

    /// Asks the inventory service to hold what is about to be paid. `Held::Yes` where the shop names none.
    pub async fn hold(&self, wish: &Wish<'_>, clock: &Clock) -> Held {
        match &wish.live.bundle.inventory {
            None => Held::Yes,
            Some(terms) => self.inventory.hold(wish, terms, clock, &self.metrics).await,
        }
    }

    /// Tells the inventory service what happened to an order, and a person what it will not write down.
    ///
    /// Errors: it has to be told again.
    pub(super) async fn tell(&self, app: &App, till: &Till, kind: &str, order: &Order) -> Result<(), String> {
        let (live, now) = (app.live.load_full(), app.clock.now());
        let terms = live.bundle.inventory.as_ref().ok_or("the shop names it no more")?;
        match self.inventory.tell(&live, terms, (kind, order), (&app.clock, &self.metrics)).await {
            Ok(Told::Yes) => {
                self.metrics.told("written");
                Ok(())
            }
            // The order is a promise all the same: it was paid, and the store's own ledger has its units.
            Ok(Told::Refused(status)) => {
                let number = order.number.as_deref().unwrap_or("");
                tracing::error!(order = %order.id, number, %status, "the inventory service does not write a sale down");
                let why = format!("{number}: {status}");
                let subject = format!("{STOCK_ALARM}{}", order.id);
                let told = till.store.promise_alarm_once(&subject, &order.checkout, &why, now).await;
                told.map_err(|error| error.to_string())?;
                self.metrics.told("refused");
                Ok(())
            }
            Err(why) => {
                self.metrics.told("failed");
                Err(match why {
                    Unanswered::NotSent => "it is left alone for a while".to_owned(),
                    Unanswered::Failed => "it did not answer".to_owned(),
                    Unanswered::Shut => "it does not take the token".to_owned(),
                })
            }
        }
    }

    fn named(&self, live: &Live) -> impl Iterator<Item = (&'static str, &Peer)> {
        let pricing = live.bundle.pricing.is_some().then_some(("pricing", &self.prices.peer));
        let inventory = live.bundle.inventory.is_some().then_some(("inventory", &self.inventory.peer));
        [pricing, inventory].into_iter().flatten()
    }

    /// The state of each service that the shop names, for `/readyz`.
    pub fn told(&self, app: &App) -> Vec<(&'static str, serde_json::Value)> {
        self.named(&app.live.load()).map(|(name, peer)| (name, peer.told(&app.clock))).collect()
    }

    /// Their series, where the shop names any.
    pub fn metrics(&self, app: &App) -> Option<&ServiceMetrics> {
        let live = app.live.load();
        let mut named = self.named(&live).peekable();
        named.peek()?;
        named.for_each(|(name, peer)| self.metrics.set_breaker(name, &peer.breaker(&app.clock)));
        Some(&self.metrics)
    }
}
