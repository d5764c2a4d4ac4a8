//! Service: a system of the merchant's own for prices and units behind a real socket, as the contract has it, which is down, slow or wrong at a word.
//!
//! Owns    the prices it tells, the units it has, holds and has sold, what befalls its next answers, and every question it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use vitrine::edge::perform::services::{Services, Way, Wire};
use vitrine::gateway::transport::Transport;
use vitrine::theme::bundle::services::{
    InventoryClass, InventoryTerms, Oversell, PriceClass, PricingTerms, WhenSilent, WhenUnknown,
};

use super::request::{self, Request};

/// What is shown to it.
pub const TOKEN: &str = "a-token-of-the-shop";

/// What befalls an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Mishap {
    /// The connection is closed without one.
    Down,
    /// It never comes.
    Slow,
    /// A status instead.
    Status(u16),
    /// A body that is not what the contract says.
    Body(String),
    /// A 409 with that body.
    Refusal(String),
    /// A body without end.
    Endless,
    /// Go elsewhere.
    Redirect(String),
}

/// What it was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub body: Value,
}

type Lines = Vec<(String, i64)>;

/// Listens until the test's process ends.
#[derive(Clone)]
pub struct Service {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    /// By SKU and currency: `{"amount": …, "currency": …}`.
    prices: BTreeMap<(String, String), Value>,
    /// Units that are free, by SKU.
    free: BTreeMap<String, i64>,
    /// Units by the quote they are held for.
    held: BTreeMap<String, Lines>,
    /// Units by the quote whose order was placed.
    sold: BTreeMap<String, Lines>,
    next: VecDeque<Mishap>,
    always: Option<Mishap>,
    asked: Vec<Asked>,
    hanging: Vec<TcpStream>,
}

impl Service {
    /// One that is well and has no prices.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = State {
            prices: BTreeMap::new(),
            free: BTreeMap::new(),
            held: BTreeMap::new(),
            sold: BTreeMap::new(),
            next: VecDeque::new(),
            always: None,
            asked: Vec::new(),
            hanging: Vec::new(),
        };
        let service = Self { port, state: Arc::new(Mutex::new(state)) };
        let serving = service.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever gave up has asked nothing.
                let _ = serving.serve(stream);
            }
        });
        service
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("unharmed")
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// Tells that price from now on, whatever it is.
    pub fn tells(&self, sku: &str, currency: &str, amount: impl Into<Value>) {
        let price = json!({"amount": amount.into(), "currency": currency});
        self.state().prices.insert((sku.to_owned(), currency.to_owned()), price);
    }

    /// Tells a price in another currency than the one it is asked for.
    pub fn tells_foreign(&self, sku: &str, currency: &str, price: Value) {
        self.state().prices.insert((sku.to_owned(), currency.to_owned()), price);
    }

    /// Its next answers, one after the other.
    pub fn next(&self, mishaps: &[Mishap]) {
        self.state().next.extend(mishaps.iter().cloned());
    }

    /// All its answers from now on; `None`: it is well.
    pub fn always(&self, mishap: Option<Mishap>) {
        self.state().always = mishap;
    }

    /// All it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The way to it, with its token.
    pub fn way(&self) -> Way {
        Way { wire: Some(Wire::Http(Transport::new().expect("TLS"))), token: Some(TOKEN.to_owned()) }
    }

    /// An edge's services, both of which are this.
    pub fn services(&self) -> Services {
        Services::default().with_pricing(self.way()).and_then(|services| services.with_inventory(self.way())).expect("a token")
    }

    /// Terms of a shop that asks it: fresh for 30 seconds, good for an hour.
    pub fn terms(&self, when_unknown: WhenUnknown) -> PricingTerms {
        PricingTerms {
            url: self.url(),
            timeout_ms: 400,
            fresh_seconds: 30,
            usual: PriceClass { categories: Vec::new(), max_age_seconds: 3_600, when_unknown, max_factor: 4 },
            classes: Vec::new(),
        }
    }

    /// Terms of a shop whose units it holds.
    pub fn stock_terms(&self, oversell: Oversell, when_silent: WhenSilent) -> InventoryTerms {
        let usual = InventoryClass { categories: Vec::new(), oversell, when_silent };
        InventoryTerms { url: self.url(), timeout_ms: 400, usual, classes: Vec::new() }
    }

    /// Has so many units from now on.
    pub fn has(&self, sku: &str, units: i64) {
        self.state().free.insert(sku.to_owned(), units);
    }

    /// Units that are free, held and sold of a SKU.
    pub fn units(&self, sku: &str) -> (i64, i64, i64) {
        let state = self.state();
        let sum =
            |of: &BTreeMap<String, Lines>| of.values().flatten().filter(|(own, _)| own == sku).map(|(_, units)| units).sum();
        (state.free.get(sku).copied().unwrap_or(0), sum(&state.held), sum(&state.sold))
    }

    /// Forgets what it holds, and somebody else has the units.
    pub fn forgets(&self) {
        self.state().held.clear();
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let Some(Request { method, path, headers, body }) = request::read(&stream)? else { return Ok(()) };
        let body: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        let mishap = {
            let mut state = self.state();
            state.asked.push(Asked { method: method.clone(), path: path.clone(), body: body.clone() });
            state.next.pop_front().or_else(|| state.always.clone())
        };
        let is_known = headers.get("authorization").is_some_and(|shown| *shown == format!("Bearer {TOKEN}"));
        match mishap {
            Some(Mishap::Down) => Ok(()),
            Some(Mishap::Slow) => {
                self.state().hanging.push(stream);
                Ok(())
            }
            Some(Mishap::Status(status)) => answer(stream, status, "", "{}"),
            Some(Mishap::Refusal(body)) => answer(stream, 409, "", &body),
            Some(Mishap::Body(body)) => answer(stream, 200, "", &body),
            Some(Mishap::Redirect(to)) => answer(stream, 307, &format!("location: {to}\r\n"), ""),
            Some(Mishap::Endless) => endless(stream),
            None if !is_known => answer(stream, 401, "", "{}"),
            None => {
                let (status, told) = self.told(&method, &path, &body);
                answer(stream, status, "", &told.to_string())
            }
        }
    }

    fn told(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        if let Some(rest) = path.strip_prefix("/v1/reservations/") {
            return self.booked(method, rest, body);
        }
        if (method, path) != ("POST", "/v1/prices") {
            return (404, json!({}));
        }
        let state = self.state();
        let currency = body["currency"].as_str().unwrap_or("");
        let skus = body["skus"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let told = skus.filter_map(|sku| {
            let unit = state.prices.get(&(sku.to_owned(), currency.to_owned()))?;
            Some(json!({"sku": sku, "unit": unit}))
        });
        (200, json!({"prices": told.collect::<Vec<_>>()}))
    }
}

impl Service {
    fn booked(&self, method: &str, rest: &str, body: &Value) -> (u16, Value) {
        let mut state = self.state();
        let lines = body["lines"].as_array().into_iter().flatten();
        let lines: Lines =
            lines.map(|line| (line["sku"].as_str().unwrap_or("").to_owned(), line["quantity"].as_i64().unwrap_or(0))).collect();
        let (name, is_sale) = rest.strip_suffix("/sale").map_or((rest, false), |name| (name, true));
        if let Some(before) = body["replaces"].as_str() {
            state.give_back(before);
        }
        match (method, is_sale) {
            ("PUT", false) => {
                state.give_back(name);
                match state.take(&lines) {
                    Ok(()) => {
                        state.held.insert(name.to_owned(), lines);
                        (200, json!({}))
                    }
                    Err(short) => (409, json!({"short": short.iter().map(|sku| json!({"sku": sku})).collect::<Vec<_>>()})),
                }
            }
            ("POST", true) => {
                if state.sold.contains_key(name) {
                    return (200, json!({}));
                }
                // What was held is sold; the rest is booked where there is so much.
                state.give_back(name);
                if state.take(&lines).is_err() {
                    return (404, json!({}));
                }
                state.sold.insert(name.to_owned(), lines);
                (200, json!({}))
            }
            ("DELETE", false) => match state.sold.remove(name) {
                Some(lines) => {
                    lines.into_iter().for_each(|(sku, units)| *state.free.entry(sku).or_default() += units);
                    (200, json!({}))
                }
                None => (404, json!({})),
            },
            _ => (405, json!({})),
        }
    }
}

impl State {
    fn take(&mut self, lines: &Lines) -> Result<(), Vec<String>> {
        let is_short = |(sku, units): &&(String, i64)| self.free.get(sku).copied().unwrap_or(0) < *units;
        let short: Vec<String> = lines.iter().filter(is_short).map(|(sku, _)| sku.clone()).collect();
        if !short.is_empty() {
            return Err(short);
        }
        lines.iter().for_each(|(sku, units)| *self.free.entry(sku.clone()).or_default() -= units);
        Ok(())
    }

    fn give_back(&mut self, name: &str) {
        for (sku, units) in self.held.remove(name).into_iter().flatten() {
            *self.free.entry(sku).or_default() += units;
        }
    }
}

fn answer(mut stream: TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\nconnection: close\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())
}

fn endless(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 Whatever\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n{\"prices\": [")?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let block = [b' '; 65536];
    // Ends when the other side reads no more.
    while stream.write_all(&block).is_ok() {}
    Ok(())
}
