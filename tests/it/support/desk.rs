//! Desk: a browser of an operator, asked in-process, and a shop with operators.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Request;
use http_body_util::{BodyExt, Full};
use vitrine::commerce::ids::Timestamp;
use vitrine::edge::app::App;
use vitrine::edge::desk::password;
use vitrine::edge::front::Peer;
use vitrine::edge::operator;

use super::counter::{Counter, Shopper};
use super::edge::Got;

/// Of every operator.
pub const PASSWORD: &str = "five small words of mine";

/// A browser of an operator.
#[derive(Clone)]
pub struct Browser {
    app: Arc<App>,
    pub cookie: String,
    peer: SocketAddr,
    headers: Vec<(&'static str, String)>,
}

impl Browser {
    /// Somebody who is not signed in.
    pub fn at(counter: &Counter) -> Self {
        Self::of(&counter.app)
    }

    /// The same at an edge.
    pub fn of(app: &Arc<App>) -> Self {
        let peer = "203.0.113.9:5000".parse().expect("an address");
        Self { app: app.clone(), cookie: String::new(), peer, headers: Vec::new() }
    }

    /// From another address.
    pub fn from(mut self, address: &str) -> Self {
        self.peer = SocketAddr::new(address.parse().expect("an address"), 5000);
        self
    }

    /// With one header more.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sends anything.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Got {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:9081");
        if method == "POST" {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        if !self.cookie.is_empty() {
            request = request.header("cookie", format!("other=1; desk={}", self.cookie));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(Full::new(bytes::Bytes::from(body.to_owned()))).expect("a request");
        request.extensions_mut().insert(Peer(self.peer));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
        let (parts, body) = runtime.block_on(operator::answer_all(&self.app, request)).into_parts();
        let body = runtime.block_on(body.collect()).expect("a body").to_bytes();
        let body = String::from_utf8(body.to_vec()).expect("answers are text");
        let got = Got { status: parts.status.as_u16(), headers: parts.headers, body };
        if let Some(set) = got.cookies().iter().find_map(|cookie| cookie.strip_prefix("desk=")) {
            self.cookie = set.split(';').next().unwrap_or("").to_owned();
        }
        got
    }

    pub fn get(&mut self, path: &str) -> Got {
        self.send("GET", path, "")
    }

    /// Fills in the form of a page and sends it.
    pub fn post(&mut self, path: &str, page: &Got, fields: &[(&str, &str)]) -> Got {
        let own = [("token", hidden(page, "token")), ("key", hidden(page, "key"))];
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        self.send("POST", path, &encoded(own.chain(fields.iter().copied())))
    }

    /// Tries to sign in.
    pub fn try_as(&mut self, name: &str, password: &str) -> Got {
        self.send("POST", "/desk/sign-in", &encoded([("name", name), ("password", password)].into_iter()))
    }

    /// The same, signed in.
    pub fn signed_in(mut self, name: &str) -> Self {
        self.try_as(name, PASSWORD).expect(303);
        assert_eq!(self.cookie.len(), 43, "256 bits");
        self
    }
}

fn encoded<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    fields.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// The value of a hidden field of a page.
pub fn hidden(page: &Got, name: &str) -> String {
    let after = page.body.split(&format!("name=\"{name}\" value=\"")).nth(1);
    after.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// A shop with operators.
pub fn shop() -> Counter {
    let counter = Counter::open();
    // One hash for all: nobody else sees these.
    let hash = password::hash(PASSWORD);
    for name in ["ada", "bob"] {
        let store = &counter.till().store;
        counter.run(store.add_operator(name, &hash, "test", Timestamp(1))).expect("an operator");
    }
    counter
}

/// The same with an order over 24.80 EUR.
pub fn sold() -> Counter {
    let counter = shop();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    counter.round();
    counter
}
