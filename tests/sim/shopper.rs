//! Shopper: somebody with a browser, one or two tabs, a card and little patience.
//!
//! Owns    what a shopper does, and what is made of the shop's words: what was said is held against what happens later (I13, I22, I24).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use vitrine::edge::server;

use super::edge::{BASE_URL, Got};
use super::ledger::{Card, PAGES};
use super::world::{HOLD_SECONDS, World};

/// How often a request is sent again before a shopper gives up.
const TRIES: usize = 8;
/// How many payments a shopper tries.
const PAYMENTS: usize = 4;

/// What a shopper is like.
#[derive(Clone, Debug)]
pub struct Habits {
    pub sku: &'static str,
    pub quantity: u32,
    pub coupon: Option<&'static str>,
    pub tabs: usize,
    /// Presses the button twice.
    pub double_click: bool,
    /// What is done at the gateway, payment by payment; the last one again and again. `None`: the tab is closed there (F17).
    pub cards: Vec<Option<Card>>,
    /// Whether the shopper comes back from the gateway.
    pub comes_back: bool,
    /// Longest pause between two steps, in seconds.
    pub pause: i64,
    /// The answer to the payment gets lost on its way, and with it the cart's mark: the button is pressed again.
    pub loses_answers: bool,
    /// Calls the payment off once before paying.
    pub hesitates: bool,
    /// … and pays on the gateway's page that is still open in another tab.
    pub pays_after_all: bool,
    /// Tries to pay with the spent cart once more.
    pub is_stubborn: bool,
    /// Types the card into the gateway's form on the shop's page, instead of going to the gateway's.
    pub types_card: bool,
}

impl Habits {
    /// A shopper who buys one small lamp without ado.
    pub fn plain() -> Self {
        Self {
            sku: "LAMP-S",
            quantity: 1,
            coupon: None,
            tabs: 1,
            double_click: false,
            cards: vec![Some(Card::Good)],
            comes_back: true,
            pause: 1,
            loses_answers: false,
            hesitates: false,
            pays_after_all: false,
            is_stubborn: false,
            types_card: false,
        }
    }

    /// Any shopper.
    pub fn any(world: &World) -> Self {
        world.luck(|luck| {
            let cards = [
                Some(Card::Good),
                Some(Card::Good),
                Some(Card::Good),
                Some(Card::Declined),
                Some(Card::DeclinedStaysOpen),
                Some(Card::Leave),
                None,
            ];
            let mut chosen = vec![luck.one_of(&cards)];
            if luck.in_thousand(800) {
                chosen.push(Some(Card::Good));
            }
            let sku = luck.one_of(&["LAMP-S", "LAMP-S", "LAMP-L", "MUG"]);
            Self {
                sku,
                quantity: if sku == "MUG" { 2 } else { luck.one_of(&[1, 1, 1, 2]) },
                coupon: luck.one_of(&[None, None, Some("FIRST"), Some("SPRING")]),
                tabs: luck.one_of(&[1, 1, 2]),
                double_click: luck.in_thousand(250),
                cards: chosen,
                comes_back: luck.in_thousand(800),
                pause: luck.one_of(&[1, 5, 30, 30, HOLD_SECONDS + 60]),
                loses_answers: luck.in_thousand(150),
                hesitates: luck.in_thousand(150),
                pays_after_all: luck.in_thousand(300),
                is_stubborn: luck.in_thousand(100),
                types_card: false,
            }
        })
    }
}

/// A browser with its cookie, shared by its tabs.
pub struct Shopper {
    world: Arc<World>,
    name: usize,
    habits: Habits,
    cart: RefCell<String>,
    keys: RefCell<u32>,
    /// Attempts that there were when a request was answered first, by its idempotency key.
    answered: RefCell<BTreeMap<String, Vec<String>>>,
    /// Whether the order is known to be placed.
    has_bought: RefCell<bool>,
}

impl Shopper {
    pub fn new(world: &Arc<World>, name: usize, habits: Habits) -> Rc<Self> {
        let (cart, keys, has_bought) = (RefCell::default(), RefCell::default(), RefCell::default());
        Rc::new(Self { world: world.clone(), name, habits, cart, keys, answered: RefCell::default(), has_bought })
    }

    /// Goes shopping until something was bought or given up.
    pub async fn shops(self: Rc<Self>) {
        self.thinks().await;
        let line = json!({"sku": self.habits.sku, "quantity": self.habits.quantity});
        let Some(got) = self.insists("POST", "/api/v1/cart/lines", line, None).await else { return };
        if got.status != 200 {
            return;
        }
        if let Some(code) = self.habits.coupon {
            self.insists("PUT", &format!("/api/v1/cart/coupons/{code}"), Value::Null, None).await;
        }
        let spent = self.cart.borrow().clone();
        let mut tabs: Vec<_> = (0..self.habits.tabs).map(|tab| Some(Box::pin(self.clone().buys(tab)))).collect();
        poll_fn(|context| {
            for tab in &mut tabs {
                if tab.as_mut().is_some_and(|work| work.as_mut().poll(context).is_ready()) {
                    *tab = None;
                }
            }
            if tabs.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if self.habits.is_stubborn && *self.has_bought.borrow() {
            *self.cart.borrow_mut() = spent;
            self.buys(9).await;
        }
    }

    /// One tab: to the checkout, to the gateway, back.
    async fn buys(self: Rc<Self>, tab: usize) {
        for payment in 0..PAYMENTS {
            self.thinks().await;
            let Some(checkout) = self.checks_out().await else { return };
            let Some(id) = checkout["id"].as_str().map(str::to_owned) else { return };
            if checkout["state"] == "completed" {
                return self.is_told_bought(&id);
            }
            let Some(mut paying) = self.pays(&id, &checkout, payment).await else { continue };
            if self.habits.hesitates && payment == 0 {
                let path = format!("/api/v1/checkouts/{id}/payment");
                let off = self.insists("DELETE", &path, Value::Null, None).await;
                // Whoever sees the gateway's page in another tab may pay there all the same.
                if !self.habits.pays_after_all || off.is_none() {
                    self.thinks().await;
                    continue;
                }
            }
            // The page that says "checking" looks again by itself.
            for _ in 0..TRIES {
                match paying["payment"]["state"].as_str() {
                    Some("redirect") | None => break,
                    _ if paying["state"] == "completed" => return self.is_told_bought(&id),
                    Some("checking" | "review") => {
                        self.world.wait(10).await;
                        let Some(seen) = self.looks(&id).await else { return };
                        paying = seen;
                    }
                    Some(_) => break,
                }
            }
            let Some(url) = paying["payment"]["redirect_url"].as_str().map(str::to_owned) else { continue };
            let card = self.card(payment);
            let Some(back) = self.at_gateway(&url, card, tab).await else { return };
            if !self.habits.comes_back {
                return;
            }
            let path = back.strip_prefix(BASE_URL).unwrap_or(&back).to_owned();
            self.insists("GET", &path, Value::Null, None).await;
            let Some(seen) = self.looks(&id).await else { return };
            if seen["state"] == "completed" {
                return self.is_told_bought(&id);
            }
        }
    }

    fn is_told_bought(&self, checkout: &str) {
        *self.has_bought.borrow_mut() = true;
        if !lock(&self.world.oracle).is_placed(checkout) {
            self.world.condemn(format!("I13: {checkout} was told to be ordered and is not"));
        }
    }

    /// Opens a checkout and tells all details.
    async fn checks_out(&self) -> Option<Value> {
        let details = json!({
            "contact": {"email": format!("s{}@example.com", self.name)},
            "address": {"name": "Ada", "line1": "Lindenweg 4", "city": "Berlin", "postal_code": "10115", "country": "DE"},
        });
        let opened = self.insists("POST", "/api/v1/checkouts", details.clone(), None).await?;
        match opened.status {
            200 | 201 => Some(opened.json()),
            // A payment is under way already: the cart's button leads to it.
            409 => {
                let present = self.insists("POST", "/api/v1/checkouts", json!({}), None).await?;
                [200, 201].contains(&present.status).then(|| present.json())
            }
            _ => None,
        }
    }

    /// Presses the button that buys; gives the checkout as it then is.
    async fn pays(&self, id: &str, checkout: &Value, payment: usize) -> Option<Value> {
        let Some(hash) = checkout["quote"]["hash"].as_str() else {
            // It is being paid already, or cannot be: what it says is what there is.
            return (checkout["payment"]["state"] != "none").then(|| checkout.clone());
        };
        let path = format!("/api/v1/checkouts/{id}/payment");
        let mut body = json!({"quote_hash": hash, "method": "sandbox"});
        let key = self.fresh_key();
        if self.habits.types_card && checkout["payment"]["element"].is_object() {
            body["confirmation_token"] = json!(self.typed(payment));
        }
        self.thinks().await;
        let clicked = if self.habits.double_click {
            let other = if self.world.luck(|luck| luck.in_thousand(500)) { key.clone() } else { self.fresh_key() };
            let (first, second) = self.both(&path, &body, &key, &other).await;
            second.filter(|got| got.status == 200).or(first)
        } else {
            let unmarked = self.cart.borrow().clone();
            let first = self.insists("POST", &path, body.clone(), Some(&key)).await;
            if self.habits.loses_answers {
                *self.cart.borrow_mut() = unmarked;
                self.insists("POST", &path, body, Some(&key)).await
            } else {
                first
            }
        }?;
        match clicked.status {
            200 => Some(clicked.json()),
            // Something is other than it was: look again.
            _ => self.looks(id).await.filter(|seen| seen["payment"]["state"] == "redirect"),
        }
    }

    async fn both(&self, path: &str, body: &Value, one: &str, other: &str) -> (Option<Got>, Option<Got>) {
        let mut first = pin!(self.insists("POST", path, body.clone(), Some(one)));
        let mut second = pin!(self.insists("POST", path, body.clone(), Some(other)));
        let (mut got_first, mut got_second) = (None, None);
        poll_fn(|context| {
            if got_first.is_none()
                && let Poll::Ready(got) = first.as_mut().poll(context)
            {
                got_first = Some(got);
            }
            if got_second.is_none()
                && let Poll::Ready(got) = second.as_mut().poll(context)
            {
                got_second = Some(got);
            }
            if got_first.is_some() && got_second.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        (got_first.flatten(), got_second.flatten())
    }

    fn card(&self, payment: usize) -> Option<Card> {
        self.habits.cards[payment.min(self.habits.cards.len() - 1)]
    }

    /// What the gateway's form makes of a card; every second bank asks for a second step.
    fn typed(&self, payment: usize) -> String {
        let card = match self.card(payment) {
            Some(Card::Declined | Card::DeclinedStaysOpen) => "declined",
            Some(Card::Good) if !self.keys.borrow().is_multiple_of(2) => "good",
            Some(Card::Good | Card::Leave) | None => "step",
        };
        format!("ctoken_{card}_{}_{}", self.name, self.keys.borrow())
    }

    fn fresh_key(&self) -> String {
        let mut keys = self.keys.borrow_mut();
        *keys += 1;
        format!("s{}-{keys}", self.name)
    }

    async fn looks(&self, id: &str) -> Option<Value> {
        let got = self.insists("GET", &format!("/api/v1/checkouts/{id}"), Value::Null, None).await?;
        (got.status == 200).then(|| got.json())
    }

    /// Gives a card, or goes away; gives the address back to the shop.
    async fn at_gateway(&self, url: &str, card: Option<Card>, tab: usize) -> Option<String> {
        assert!(url.starts_with(PAGES), "it leads to the gateway: {url}");
        self.thinks().await;
        let card = card?;
        let now = self.world.now();
        self.world.tell(|| format!("shopper {} tab {tab}: {card:?} at {url}", self.name));
        let back = lock(&self.world.ledger).present(url, card, now);
        self.world.judge_gateway();
        match back {
            Some(back) => Some(back),
            // The page says no and asks for another card.
            None => {
                self.thinks().await;
                let now = self.world.now();
                let back = lock(&self.world.ledger).present(url, Card::Good, now);
                self.world.judge_gateway();
                back
            }
        }
    }

    async fn thinks(&self) {
        let pause = self.world.luck(|luck| luck.below(self.habits.pause.unsigned_abs() + 1));
        self.world.wait(pause.cast_signed()).await;
    }

    /// Sends a request until it is answered, under the same key.
    async fn insists(&self, method: &str, path: &str, body: Value, key: Option<&str>) -> Option<Got> {
        for _ in 0..TRIES {
            self.world.up().await;
            match self.sends(method, path, &body, key).await {
                Some(got) if got.status == 503 => {}
                Some(got) if got.status == 409 && key.is_some() && got.json()["code"] == "in_flight" => {}
                Some(got) => return Some(got),
                None => {}
            }
            self.world.wait(7).await;
        }
        None
    }

    /// Sends a request; `None`: the connection broke.
    async fn sends(&self, method: &str, path: &str, body: &Value, key: Option<&str>) -> Option<Got> {
        let app = self.world.app()?;
        let mut request = Request::builder().method(method).uri(path).header("accept", "application/json");
        let cart = self.cart.borrow().clone();
        if !cart.is_empty() {
            request = request.header("cart-token", cart);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let bytes = match body {
            Value::Null => Vec::new(),
            body => {
                request = request.header("content-type", "application/json");
                body.to_string().into_bytes()
            }
        };
        let checkout = path.strip_prefix("/api/v1/checkouts/").or_else(|| path.strip_prefix("/checkout/"));
        let checkout = checkout.and_then(|rest| rest.split(['/', '?']).next()).map(str::to_owned);
        let attempts = || checkout.as_deref().map(|id| lock(&self.world.oracle).keys_of(id));
        let known = attempts();
        let failures = self.world.failures.load(Ordering::Relaxed);
        let request = request.body(Full::new(Bytes::from(bytes))).expect("a request");
        self.world.stir();
        let answer = self.world.while_alive(server::respond(&app, request)).await;
        self.world.stir();
        let is_again = answer.as_ref().is_some_and(|answer| answer.headers().contains_key("idempotent-replayed"));
        // An answer that is given again, under the same key, speaks of the attempts there were when it was given first.
        let known = match (key, is_again) {
            (Some(key), true) => self.answered.borrow().get(key).cloned().or(known),
            (Some(key), false) => {
                self.answered.borrow_mut().extend(attempts().map(|attempts| (key.to_owned(), attempts)));
                known
            }
            (None, _) => known,
        };
        let (parts, body) = answer?.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("answers are text");
        let got = Got { status: parts.status.as_u16(), headers: parts.headers, body };
        self.world.tell(|| {
            let short = |text: &str| text.chars().take(60).collect::<String>();
            let state = if got.header("content-type").contains("json") {
                let json = got.json();
                format!("{} {} {}", json["state"], json["payment"]["state"], json["code"])
            } else {
                String::new()
            };
            format!("shopper {}: {method} {} → {} {state}", self.name, short(path), got.status)
        });
        // The gateway failed others before: that payments are interrupted is true, and this one was never begun.
        let is_interrupted = got.status == 503 && got.body.contains("\"payments_interrupted\"") && self.world.has_harmed();
        // Nobody pays while the gateway does not say whether rows are lost.
        let is_in_doubt = got.status == 503 && got.body.contains("checkout_closed") && {
            let world = &self.world;
            [&world.lists_lost, &world.failures].iter().any(|count| count.load(Ordering::Relaxed) > 0)
        };
        // The inventory service failed, or is left alone since it did.
        let is_unconfirmed = got.status == 503 && got.body.contains("\"stock_unconfirmed\"") && self.world.has_harmed();
        let has_reason = is_interrupted || is_in_doubt || is_unconfirmed;
        if got.status >= 500 && !has_reason && self.world.failures.load(Ordering::Relaxed) == failures {
            self.world.condemn(format!("a 5xx without a reason: {method} {path}: {}", got.body));
        }
        if got.headers.contains_key(header::HeaderName::from_static("cart-token")) {
            *self.cart.borrow_mut() = got.header("cart-token").to_owned();
        }
        let says_uncharged = got.body.contains("not been charged") || got.body.contains("nothing was charged");
        if let (true, Some(known)) = (says_uncharged, known) {
            self.world.tell(|| format!("shopper {} hears that nothing was charged", self.name));
            if let Err(breach) = lock(&self.world.oracle).told_uncharged(known) {
                self.world.condemn(breach);
            }
        }
        Some(got)
    }

    /// Asks for somebody else's checkout: there is none for strangers (I24).
    pub async fn pries(self: Rc<Self>) {
        self.thinks().await;
        self.insists("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1}), None).await;
        self.world.wait(120).await;
        let ids = lock(&self.world.oracle).checkouts();
        for id in ids {
            let Some(got) = self.insists("GET", &format!("/api/v1/checkouts/{id}"), Value::Null, None).await else { return };
            if got.status != 404 {
                self.world.condemn(format!("I24: a stranger saw {id}: {}", got.body));
            }
        }
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this")
}
