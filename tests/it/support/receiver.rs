//! Receiver: a system of the merchant's own behind a real socket, which answers as a test says and keeps what it was sent.
//!
//! Owns    the judgement of a signature, in its own words: nothing of the shop's code is asked.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::request::{self, Request};

/// What it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This status, with a few words.
    Status(u16),
    /// Nothing, and the connection stays open.
    Hang,
    /// Nothing, and the connection is closed.
    Close,
    /// A status, and less of a body than was promised.
    CutShort(u16),
    /// A status, and a body without end, for as long as it is read.
    Endless(u16),
    /// Go elsewhere.
    Redirect(String),
}

/// A request that it read in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The subscriber's number for it, and what happened.
    pub fn told(&self) -> (u64, String) {
        let event = self.json();
        let sequence = event["data"]["sequence"].as_u64().expect("a number");
        (sequence, event["type"].as_str().expect("a type").to_owned())
    }

    /// Whether one of the signatures is that of a secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        mac.update(format!("{}.{}.{}", self.id(), self.headers["webhook-timestamp"], self.body).as_bytes());
        let expected = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
        self.headers["webhook-signature"].split(' ').any(|signature| signature == expected)
    }
}

/// Listens until the test's process ends.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    script: VecDeque<Reply>,
    usual: Reply,
    received: Vec<Received>,
    /// Connections that are never answered.
    hanging: Vec<TcpStream>,
}

impl Receiver {
    /// One that accepts everything.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = State { script: VecDeque::new(), usual: Reply::Status(204), received: Vec::new(), hanging: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let served = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever was killed while it wrote is no request.
                let _ = serve(stream, &served);
            }
        });
        Self { port, state }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks?shop=1", self.port)
    }

    /// Answers so from now on.
    pub fn usually(&self, reply: Reply) {
        self.state.lock().expect("unharmed").usual = reply;
    }

    /// Answers so next, one after the other.
    pub fn next(&self, replies: &[Reply]) {
        self.state.lock().expect("unharmed").script.extend(replies.iter().cloned());
    }

    /// All it was sent so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().expect("unharmed").received.clone()
    }

    /// Numbers and types of what it was sent.
    pub fn told(&self) -> Vec<(u64, String)> {
        self.received().iter().map(Received::told).collect()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(Request { method, path, headers, body }) = request::read(&stream)? else { return Ok(()) };
    assert_eq!((&*method, &*path), ("POST", "/hooks?shop=1"));
    let reply = {
        let mut state = state.lock().expect("unharmed");
        state.received.push(Received { headers, body });
        state.script.pop_front().unwrap_or_else(|| state.usual.clone())
    };
    answer(stream, reply, state)
}

fn answer(mut stream: TcpStream, reply: Reply, state: &Mutex<State>) -> std::io::Result<()> {
    let head = |status: u16, rest: &str| format!("HTTP/1.1 {status} Whatever\r\nconnection: close\r\n{rest}\r\n\r\n");
    match reply {
        Reply::Status(204) => stream.write_all(head(204, "x: y").as_bytes()),
        Reply::Status(status) => stream.write_all(format!("{}no \x1b[2Jway\n", head(status, "content-length: 12")).as_bytes()),
        Reply::Hang => {
            state.lock().expect("unharmed").hanging.push(stream);
            Ok(())
        }
        Reply::Close => Ok(()),
        Reply::CutShort(status) => stream.write_all(format!("{}half", head(status, "content-length: 100")).as_bytes()),
        Reply::Endless(status) => {
            stream.write_all(head(status, "content-type: text/plain").as_bytes())?;
            let block = [b'x'; 65536];
            // Ends when the other side reads no more.
            while stream.write_all(&block).is_ok() {}
            Ok(())
        }
        Reply::Redirect(to) => stream.write_all(head(307, &format!("content-length: 0\r\nlocation: {to}")).as_bytes()),
    }
}
