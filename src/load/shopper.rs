//! Shopper: one who walks through a scenario as a browser would.
//!
//! Owns    the cookies, what an answer leads to next, and how it all ended.
//! Always  only the shop and its pages are asked, whatever an answer's address says: a payment whose page is on another host ends here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::client::{Answer, Client, Lost};
use super::draw::Draw;
use super::record::{Outcome, Record, Seen};
use super::scenario::{Card, Person, Scenario, Step};
use super::shop::{self, Good};

/// Where the sandbox's own pages are, on the shop's host.
const SANDBOX: &str = "/checkout/sandbox/";
/// Longest wait that a refused shopper takes upon himself, whatever the shop says.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Problems of a 503 that say that something is down, not that there is too much to do.
const OUTAGES: [&str; 4] = ["checkout_unavailable", "payments_interrupted", "checkout_closed", "pricing"];
/// Cookies of one shopper; a shop sets two.
const MAX_COOKIES: usize = 16;

/// What every shopper of a run shares.
#[derive(Debug)]
pub struct World {
    /// Cart and checkout.
    pub shop: Client,
    /// Pages; `None`: the steps that see them are left out.
    pub pages: Option<Client>,
    /// What there is to buy; those that scenarios name are among them.
    pub goods: Vec<Good>,
    /// Market; `None`: the root market.
    pub market: Option<String>,
    /// Who shops.
    pub person: Person,
    /// What decides the lots.
    pub seed: u64,
    /// What is counted.
    pub record: Mutex<Record>,
}

impl World {
    /// What is counted. What a panic left can be used: each count is whole.
    pub fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn good(&self, scenario: &Scenario, draw: &mut Draw) -> usize {
        if let Some(sku) = &scenario.sku {
            return self.goods.iter().position(|good| good.sku == *sku).unwrap_or(0);
        }
        if scenario.same {
            return Draw::of(self.seed, u64::MAX - 1).below(self.goods.len());
        }
        draw.below(self.goods.len())
    }
}

/// Walks through a scenario, from the instant at which the shopper was to come. Gives how it ended.
pub async fn walk(world: Arc<World>, scenario: Arc<Scenario>, number: u64, meant_at: Instant) -> Outcome {
    let mut draw = Draw::of(world.seed, number);
    let good = world.good(&scenario, &mut draw);
    let mut shopper = Shopper {
        world: &world,
        scenario: &scenario,
        number,
        draw,
        good,
        cookies: Vec::new(),
        cookie: None,
        checkout: String::new(),
        quote: String::new(),
        method: String::new(),
        gateway: String::new(),
        back: String::new(),
        order: String::new(),
        seen_page: false,
        seen_stock: false,
        meant_at,
    };
    for (place, step) in scenario.steps.iter().enumerate() {
        if place > 0 {
            shopper.rest().await;
        }
        if let Err(outcome) = shopper.take(*step).await {
            return outcome;
        }
    }
    if shopper.order.is_empty() || !scenario.has(Step::Order) { Outcome::Done } else { Outcome::Paid }
}

struct Shopper<'a> {
    world: &'a World,
    scenario: &'a Scenario,
    number: u64,
    draw: Draw,
    good: usize,
    cookies: Vec<(String, String)>,
    /// The same as a header.
    cookie: Option<HeaderValue>,
    checkout: String,
    quote: String,
    method: String,
    gateway: String,
    back: String,
    order: String,
    seen_page: bool,
    seen_stock: bool,
    /// When the next request is meant to be sent.
    meant_at: Instant,
}

/// A body that is sent.
enum Sent {
    Nothing,
    Json(serde_json::Value),
    Form(&'static str, &'static str),
}

#[derive(Deserialize)]
struct CheckoutSeen {
    id: String,
    state: String,
    cart: CartSeen,
    quote: Option<QuoteSeen>,
    payment: PaymentSeen,
    #[serde(default)]
    messages: Vec<MessageSeen>,
}

#[derive(Deserialize)]
struct CartSeen {
    shipping_options: Vec<OptionSeen>,
    #[serde(default)]
    messages: Vec<MessageSeen>,
}

#[derive(Deserialize)]
struct OptionSeen {
    id: String,
}

#[derive(Deserialize)]
struct QuoteSeen {
    hash: String,
}

#[derive(Deserialize)]
struct PaymentSeen {
    methods: Vec<OptionSeen>,
    state: String,
    redirect_url: Option<String>,
}

#[derive(Deserialize)]
struct MessageSeen {
    code: String,
    severity: String,
}

#[derive(Deserialize)]
struct OrderSeen {
    number: String,
    state: String,
    payment_state: String,
}

impl Shopper<'_> {
    /// Waits as long as shoppers do between two steps. From then on counts what comes next.
    async fn rest(&mut self) {
        let (least, most) = self.scenario.pause;
        let pause = self.draw.between(least, most);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        self.meant_at = Instant::now();
    }

    async fn take(&mut self, step: Step) -> Result<(), Outcome> {
        match step {
            Step::Page => self.see_page().await,
            Step::Availability => self.see_stock().await,
            Step::Add => self.add().await,
            Step::Cart => self.ask(step, Method::GET, "/api/v1/cart", Sent::Nothing).await.map(drop),
            Step::Open => self.open().await,
            Step::Details => self.details().await,
            Step::Pay => self.pay().await,
            Step::Card => self.give_card().await,
            Step::Return => self.come_back().await,
            Step::Order => self.see_order().await,
            Step::Look => {
                let path = self.checkout.clone();
                self.ask(step, Method::GET, &path, Sent::Nothing).await.map(drop)
            }
            Step::Cancel => {
                let path = format!("{}/payment", self.checkout);
                self.ask(step, Method::DELETE, &path, Sent::Nothing).await.map(drop)
            }
        }
    }

    /// Who saw one product looks at another one.
    fn turn_page(&mut self) {
        if self.scenario.sku.is_none() && !self.scenario.same {
            self.good = self.draw.below(self.world.goods.len());
        }
        (self.seen_page, self.seen_stock) = (false, false);
    }

    async fn see_page(&mut self) -> Result<(), Outcome> {
        if self.seen_page {
            self.turn_page();
        }
        self.seen_page = true;
        let world = self.world;
        let Some(pages) = &world.pages else { return Ok(()) };
        let page = world.goods[self.good].page.as_str();
        self.ask_of(pages, Step::Page, (Method::GET, page), Sent::Nothing).await.map(drop)
    }

    async fn see_stock(&mut self) -> Result<(), Outcome> {
        if self.seen_stock {
            self.turn_page();
        }
        self.seen_stock = true;
        let world = self.world;
        let path = shop::availability(&world.goods[self.good].product, world.market.as_deref());
        match self.ask(Step::Availability, Method::GET, &path, Sent::Nothing).await {
            // The page shows what it was built with.
            Err(Outcome::Shed) => Ok(()),
            seen => seen.map(drop),
        }
    }

    async fn add(&mut self) -> Result<(), Outcome> {
        let world = self.world;
        let good = &world.goods[self.good];
        let line = shop::line(&good.sku, self.scenario.quantity, Some(good.unit_minor), world.market.as_deref());
        self.ask(Step::Add, Method::POST, "/api/v1/cart/lines", Sent::Json(line)).await.map(drop)
    }

    async fn open(&mut self) -> Result<(), Outcome> {
        let person = &self.world.person;
        let body = json!({
            "contact": {"email": format!("shopper-{}-{}@{}", self.world.seed, self.number, person.mail_host), "phone": ""},
            "address": {
                "name": person.name, "line1": person.line1, "line2": "", "city": person.city, "region": person.region,
                "postal_code": person.postal_code, "country": person.country,
            },
        });
        let answer = self.ask(Step::Open, Method::POST, "/api/v1/checkouts", Sent::Json(body)).await?;
        let seen: CheckoutSeen = self.read(Step::Open, &answer)?;
        self.checkout = format!("/api/v1/checkouts/{}", seen.id);
        self.method = seen.cart.shipping_options.into_iter().next().map_or(String::new(), |option| option.id);
        Ok(())
    }

    async fn details(&mut self) -> Result<(), Outcome> {
        let body = if self.method.is_empty() { json!({}) } else { json!({"shipping": self.method}) };
        let path = self.checkout.clone();
        let answer = self.ask(Step::Details, Method::PATCH, &path, Sent::Json(body)).await?;
        let seen: CheckoutSeen = self.read(Step::Details, &answer)?;
        let Some(quote) = seen.quote else {
            let mut wrong = seen.messages.iter().chain(&seen.cart.messages).filter(|message| message.severity == "error");
            let is_gone = wrong.any(|message| message.code == "sold_out");
            return Err(if is_gone { Outcome::SoldOut } else { Outcome::Refused });
        };
        self.quote = quote.hash;
        self.method = seen.payment.methods.into_iter().next().map_or(String::new(), |method| method.id);
        Ok(())
    }

    async fn pay(&mut self) -> Result<(), Outcome> {
        let body = json!({"quote_hash": self.quote, "method": self.method});
        let path = format!("{}/payment", self.checkout);
        let answer = self.ask(Step::Pay, Method::POST, &path, Sent::Json(body)).await?;
        let seen: CheckoutSeen = self.read(Step::Pay, &answer)?;
        match (seen.payment.state.as_str(), seen.payment.redirect_url) {
            ("redirect", Some(url)) => match path_of(&url) {
                Some(path) if path.starts_with(SANDBOX) => {
                    self.gateway = path.to_owned();
                    Ok(())
                }
                _ => Err(Outcome::Elsewhere),
            },
            // An order over nothing is placed at once.
            _ if seen.state == "completed" => Err(Outcome::Done),
            ("declined", _) => Err(Outcome::Declined),
            _ => Err(Outcome::Checking),
        }
    }

    async fn give_card(&mut self) -> Result<(), Outcome> {
        let path = self.gateway.clone();
        self.ask(Step::Card, Method::GET, &path, Sent::Nothing).await?;
        self.meant_at = Instant::now();
        let number = self.scenario.card.number();
        let mut answer = self.ask(Step::Card, Method::POST, &path, Sent::Form("number", number)).await?;
        if self.scenario.card == Card::Secure {
            self.meant_at = Instant::now();
            answer = self.ask(Step::Card, Method::POST, &path, Sent::Form("step", "authenticate")).await?;
        }
        let mut back = led(&answer);
        if back.as_deref() == Some(path.as_str()) {
            // The page leads on once the card is judged.
            self.meant_at = Instant::now();
            back = led(&self.ask(Step::Card, Method::GET, &path, Sent::Nothing).await?);
        }
        self.back = back.ok_or(Outcome::Failed)?;
        Ok(())
    }

    async fn come_back(&mut self) -> Result<(), Outcome> {
        let path = self.back.clone();
        let answer = self.ask(Step::Return, Method::GET, &path, Sent::Nothing).await?;
        match led(&answer) {
            Some(path) if path.starts_with("/orders/") => {
                self.order = format!("/api/v1{path}");
                Ok(())
            }
            Some(_) => {
                // Back at the checkout, whose page says why.
                let (_, query) = self.back.split_once('?').unwrap_or_default();
                let path = format!("{}?{query}", self.checkout);
                self.meant_at = Instant::now();
                let answer = self.ask(Step::Look, Method::GET, &path, Sent::Nothing).await?;
                let seen: CheckoutSeen = self.read(Step::Look, &answer)?;
                Err(if seen.payment.state == "declined" { Outcome::Declined } else { Outcome::Checking })
            }
            None => Err(Outcome::Checking),
        }
    }

    async fn see_order(&mut self) -> Result<(), Outcome> {
        let path = self.order.clone();
        let answer = self.ask(Step::Order, Method::GET, &path, Sent::Nothing).await?;
        let seen: OrderSeen = self.read(Step::Order, &answer)?;
        if seen.state != "placed" || !matches!(seen.payment_state.as_str(), "paid" | "authorized") {
            return Err(Outcome::Checking);
        }
        self.world.record().paid(&seen.number);
        Ok(())
    }

    async fn ask(&mut self, step: Step, method: Method, path: &str, sent: Sent) -> Result<Answer, Outcome> {
        let world = self.world;
        self.ask_of(&world.shop, step, (method, path), sent).await
    }

    /// Asks, again where it was refused under load and the shopper is patient, and counts each time.
    async fn ask_of(
        &mut self,
        client: &Client,
        step: Step,
        (method, path): (Method, &str),
        sent: Sent,
    ) -> Result<Answer, Outcome> {
        let (kind, body) = match sent {
            Sent::Nothing => (None, Bytes::new()),
            Sent::Json(value) => (Some("application/json"), Bytes::from(value.to_string())),
            Sent::Form(name, value) => (Some("application/x-www-form-urlencoded"), format!("{name}={value}").into()),
        };
        // The same for every try, so that a purchase is made once.
        let key = (step == Step::Pay).then(|| format!("load-{}-{}-{}", self.world.seed, self.number, self.checkout));
        for tries in 0.. {
            let mut request = Request::builder().method(method.clone()).uri(path).header("sec-fetch-site", "same-origin");
            let accept = if matches!(step, Step::Page | Step::Card | Step::Return) { "text/html" } else { "application/json" };
            request = request.header(ACCEPT, HeaderValue::from_static(accept));
            if let Some(kind) = kind {
                request = request.header(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            if let Some(cookie) = &self.cookie {
                request = request.header(COOKIE, cookie.clone());
            }
            if let Some(key) = &key {
                request = request.header("idempotency-key", key.as_str());
            }
            // An address that the shop gave and that is none.
            let request = request.body(Full::new(body.clone())).map_err(|_| Outcome::Failed)?;
            let (timing, answer) = client.ask(request, self.meant_at).await;
            let seen = seen(&answer);
            self.world.record().asked(step, &timing, &seen);
            let answer = match answer {
                Ok(answer) => answer,
                Err(Lost::TooSlow(_)) => return Err(Outcome::GaveUp),
                Err(Lost::Broken(_)) => return Err(Outcome::Failed),
            };
            self.keep_cookies(&answer);
            if seen.is_shed && tries < self.scenario.retries {
                tokio::time::sleep(retry_after(&answer)).await;
                self.meant_at = Instant::now();
                continue;
            }
            return match answer.status.as_u16() {
                _ if seen.is_shed => Err(Outcome::Shed),
                200..400 => Ok(answer),
                _ if seen.code.as_deref() == Some("sold_out") => Err(Outcome::SoldOut),
                400..500 => Err(Outcome::Refused),
                _ => Err(Outcome::Failed),
            };
        }
        unreachable!("a try is the last one or is followed by another")
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        let mut is_changed = false;
        for line in answer.headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let is_over = parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
            self.cookies.retain(|(kept, _)| kept != name);
            if !is_over && self.cookies.len() < MAX_COOKIES {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
            is_changed = true;
        }
        if is_changed {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            self.cookie = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|_| !pairs.is_empty());
        }
    }

    fn read<'a, T: Deserialize<'a>>(&self, step: Step, answer: &'a Answer) -> Result<T, Outcome> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            tracing::warn!(step = step.name(), status = answer.status.as_u16(), %error, "an answer cannot be read");
            Outcome::Failed
        })
    }
}

fn seen(answer: &Result<Answer, Lost>) -> Seen {
    match answer {
        Ok(answer) => {
            let status = answer.status.as_u16();
            let code = if status >= 400 { shop::problem_code(answer) } else { None };
            let is_outage = code.as_deref().is_some_and(|code| OUTAGES.contains(&code));
            let is_shed = matches!(status, 429 | 503) && answer.headers.contains_key(RETRY_AFTER) && !is_outage;
            Seen { status: Some(status), code, is_error: status >= 500 && !is_shed, is_shed }
        }
        Err(lost) => {
            let code = match lost {
                Lost::Broken(_) => "connection_broken",
                Lost::TooSlow(_) => "gave_up",
            };
            Seen { status: None, code: Some(code.to_owned()), is_error: true, is_shed: false }
        }
    }
}

fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1);
    Duration::from_secs(seconds).clamp(Duration::from_secs(1), LONGEST_RETRY)
}

/// Where an answer leads, as a path of the shop.
fn led(answer: &Answer) -> Option<String> {
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    path_of(location).map(str::to_owned)
}

fn path_of(location: &str) -> Option<&str> {
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map(|slash| &rest[slash..]),
        None => Some(location).filter(|path| path.starts_with('/')),
    }
}
