//! Service: a pricing system of the merchant's own behind a real socket, as the contract has it, which is down, slow or wrong at a word.
//!
//! Owns    the prices it tells, what befalls its next answers, and every question it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use vitrine::edge::perform::services::{Services, Way, Wire};
use vitrine::gateway::transport::Transport;
use vitrine::theme::bundle::services::{PriceClass, PricingTerms, WhenUnknown};

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

/// Listens until the test's process ends.
#[derive(Clone)]
pub struct Service {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    /// By SKU and currency: `{"amount": …, "currency": …}`.
    prices: BTreeMap<(String, String), Value>,
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
        let state =
            State { prices: BTreeMap::new(), next: VecDeque::new(), always: None, asked: Vec::new(), hanging: Vec::new() };
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

    /// An edge's services, of which this is the pricing service.
    pub fn services(&self) -> Services {
        Services::new(self.way()).expect("a token")
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
