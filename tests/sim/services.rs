//! Services: the merchant's own systems for prices and units in the world, which lose calls and answers, tell what cannot be, and forget.
//!
//! Owns    the shop, alone and with them; what they hold and have sold, and what has to be so at the end: whoever counts units beside the shop knows of each order that is
//!         placed, and of no other, unless a person was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, PoisonError};

use serde_json::{Value, json};
use vitrine::edge::app::App;
use vitrine::edge::live::Live;
use vitrine::edge::perform::services::{Script, Sent, Services, Way, Wire};
use vitrine::edge::perform::{Till, subscribers};
use vitrine::store::fact::Present;
use vitrine::theme::bundle::Bundle;
use vitrine::theme::bundle::services::{
    InventoryClass, InventoryTerms, Oversell, PriceClass, PricingTerms, WhenSilent, WhenUnknown,
};

use super::edge::{BASE_URL, bundle, signing_key};
use super::plan::Harm;
use super::world::{HOLD_SECONDS, World};

/// Real time passes for nobody here.
const TIMEOUT_MS: u32 = 3_600_000;
/// Large lamps that the service has: fewer than are asked for.
const LARGE_LAMPS: u64 = 9;

/// At each of two prices of the small lamp: the shop alone, and with services of its own.
static LIVE: LazyLock<[[Arc<Live>; 2]; 2]> =
    LazyLock::new(|| [1990, 2490].map(|minor| [live(bundle(BASE_URL, minor)), live(named(bundle(BASE_URL, minor)))]));

fn live(mut shop: Bundle) -> Arc<Live> {
    (shop.rules.quote_seconds, shop.rules.reservation_seconds) = (HOLD_SECONDS, HOLD_SECONDS);
    let opened = Bundle::open(&shop.seal(&signing_key()), &[signing_key().verifying_key()], None).expect("our own bundle");
    Arc::new(Live::new(opened, 1, false).expect("a whole shop"))
}

/// What the inventory service knows.
#[derive(Debug, Default)]
pub struct Shelves {
    /// Large lamps by the quote they are held for, and until when.
    held: BTreeMap<String, (u64, i64)>,
    /// Orders by the quote, with large lamps.
    sold: BTreeMap<String, (String, u64)>,
    /// Orders that it would not write down.
    refused: BTreeSet<String>,
    /// Orders that were ever told.
    told: BTreeSet<String>,
}

/// The shop with terms of both services.
fn named(shop: Bundle) -> Bundle {
    let usual = PriceClass { categories: Vec::new(), max_age_seconds: 600, when_unknown: WhenUnknown::Catalogue, max_factor: 3 };
    let pricing = PricingTerms {
        url: "https://prices.example".to_owned(),
        timeout_ms: TIMEOUT_MS,
        fresh_seconds: 20,
        usual,
        classes: Vec::new(),
    };
    let usual = InventoryClass { categories: Vec::new(), oversell: Oversell::Never, when_silent: WhenSilent::Refuse };
    let inventory =
        InventoryTerms { url: "https://stock.example".to_owned(), timeout_ms: TIMEOUT_MS, usual, classes: Vec::new() };
    Bundle { pricing: Some(pricing), inventory: Some(inventory), ..shop }
}

/// The ways to both.
pub fn ways(world: &Arc<World>) -> Services {
    let way = || {
        let world = Arc::downgrade(world);
        let script = move |sent| -> vitrine::edge::perform::services::Scripted {
            let world = world.upgrade();
            Box::pin(async move {
                match world {
                    Some(world) => world.at_service(sent).await,
                    None => Err("the world is over".to_owned()),
                }
            })
        };
        Way { wire: Some(Wire::Scripted(Script(Arc::new(script)))), token: None }
    };
    let services = Services::default().with_pricing(way()).and_then(|services| services.with_inventory(way()));
    services.expect("no token is wrong")
}

impl World {
    /// The shop with its small lamp at one of two prices.
    pub fn shop(&self, index: usize) -> Arc<Live> {
        LIVE[index][usize::from(self.plan.services > 0)].clone()
    }

    async fn at_service(&self, sent: Sent) -> Result<(u16, Vec<u8>), String> {
        let harm = self.moment("service", self.plan.services, &[Harm::CallLost, Harm::AnswerLost]).await;
        if harm == Some(Harm::CallLost) {
            self.tell(|| format!("service: {} {} is lost", sent.method, sent.url));
            return Err("no answer".to_owned());
        }
        let is_wrong = !self.is_calm() && self.luck(|luck| luck.in_thousand(self.plan.services / 4));
        let (status, body) = self.answered(&sent, is_wrong);
        self.tell(|| format!("service: {} {} → {status} {body}, {harm:?}", sent.method, sent.url));
        // A crash from here on is one between the service's word and our mark.
        self.moment("serviced", 0, &[]).await;
        match harm {
            Some(_) => Err("the answer was lost".to_owned()),
            None => Ok((status, body.to_string().into_bytes())),
        }
    }

    fn answered(&self, sent: &Sent, is_wrong: bool) -> (u16, Value) {
        let body: Value = serde_json::from_slice(&sent.body).unwrap_or(Value::Null);
        let Some((_, rest)) = sent.url.split_once("/reservations/") else { return (200, self.prices(&body, is_wrong)) };
        let now = self.now();
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.held.retain(|_, (_, until)| *until > now);
        if is_wrong {
            // It forgets one of its holds, whosever it is.
            shelves.held.pop_first();
        }
        let lines = body["lines"].as_array().into_iter().flatten().filter(|line| line["sku"] == "LAMP-L");
        let large: u64 = lines.filter_map(|line| line["quantity"].as_u64()).sum();
        let (quote, is_sale) = rest.strip_suffix("/sale").map_or((rest, false), |quote| (quote, true));
        let order = body["order"].as_str().unwrap_or("").to_owned();
        match (sent.method.as_str(), is_sale) {
            ("PUT", _) => {
                if let Some(before) = body["replaces"].as_str() {
                    shelves.held.remove(before);
                }
                shelves.held.remove(quote);
                if shelves.free() < large {
                    return (409, json!({"short": [{"sku": "LAMP-L"}]}));
                }
                let until: jiff::Timestamp = body["expires_at"].as_str().expect("an end").parse().expect("an instant");
                shelves.held.insert(quote.to_owned(), (large, until.as_second()));
            }
            ("POST", true) if shelves.sold.contains_key(quote) => {}
            ("POST", true) => {
                shelves.held.remove(quote);
                shelves.told.insert(order.clone());
                if shelves.free() < large {
                    shelves.refused.insert(order);
                    return (404, json!({}));
                }
                shelves.sold.insert(quote.to_owned(), (order, large));
            }
            ("DELETE", _) => {
                if shelves.sold.remove(quote).is_none() {
                    return (404, json!({}));
                }
            }
            other => self.condemn(format!("a service was asked {other:?}")),
        }
        (200, json!({}))
    }

    fn prices(&self, question: &Value, is_wrong: bool) -> Value {
        let skus = question["skus"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let told = skus.map(|sku| {
            let amount = match (is_wrong, sku) {
                (true, _) => self.luck(|luck| luck.one_of(&[-1, 0, 1, 1_000_000])),
                (false, "LAMP-S") => self.luck(|luck| luck.one_of(&[1490, 1990, 2290])),
                (false, "LAMP-L") => 2990,
                (false, _) => 1250,
            };
            json!({"sku": sku, "unit": {"amount": amount, "currency": question["currency"]}})
        });
        json!({"prices": told.collect::<Vec<_>>()})
    }

    /// Tells the inventory service all that it was not told yet.
    pub async fn tell_all(&self, app: &Arc<App>, till: &Arc<Till>) {
        for _ in 0..60 {
            let _ = subscribers::deliver(app, till).await;
            match till.store.subscribers(Present::Named).await {
                Ok(states) if states.iter().all(|state| state.waiting == 0) => return,
                _ => self.wait(900).await,
            }
        }
    }
}

impl Shelves {
    fn free(&self) -> u64 {
        let taken: u64 = self.held.values().map(|(units, _)| *units).chain(self.sold.values().map(|(_, units)| *units)).sum();
        LARGE_LAMPS.saturating_sub(taken)
    }

    /// How many sales there were.
    pub fn sales(&self) -> usize {
        self.told.len()
    }

    /// At the end: every order that is placed was written down once or refused aloud, and nothing else is sold.
    ///
    /// `placed`: orders by their ids. `mails`: names of those that were sent.
    pub fn judge_end(&self, placed: &BTreeSet<String>, mails: &[String]) -> Result<(), String> {
        let sold: BTreeSet<&String> = self.sold.values().map(|(order, _)| order).collect();
        if sold.len() != self.sold.len() {
            return Err("S1: an order was sold twice by the inventory service".to_owned());
        }
        if let Some(order) = placed.iter().find(|order| !sold.contains(order) && !self.refused.contains(*order)) {
            return Err(format!("S2: {order} is placed and the inventory service does not know of it"));
        }
        if let Some(order) = sold.iter().find(|order| !placed.contains(**order)) {
            return Err(format!("S3: {order} is none any more and its units are not free"));
        }
        let lacks = |order: &&String| !mails.iter().any(|name| name.starts_with(&format!("alarm-inventory-{order}")));
        match self.refused.iter().find(lacks) {
            Some(order) => Err(format!("S4: {order} is not written down, and nobody was told")),
            None => Ok(()),
        }
    }
}
