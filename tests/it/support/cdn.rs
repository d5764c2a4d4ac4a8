//! Cdn: a purge API of others behind a real socket, which answers as a test says and keeps what it was asked and what it saw then.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::request::{self, Request};

/// A status, headers (each with its line's end), a body.
pub type Reply = (u16, &'static str, &'static str);

/// A request as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// What the test looks at when a request comes.
    pub seen: String,
}

impl Asked {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Listens until the test's process ends.
#[derive(Clone)]
pub struct Cdn {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    script: VecDeque<Reply>,
    usual: Reply,
    asked: Vec<Asked>,
}

impl Cdn {
    /// One that usually answers so, and looks at something before it does.
    pub fn open(usual: Reply, look: impl Fn() -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State { script: VecDeque::new(), usual, asked: Vec::new() }));
        let served = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever was killed while it wrote has asked nothing.
                let _ = serve(stream, &served, &look);
            }
        });
        Self { port, state }
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers so next, one after the other.
    pub fn next(&self, replies: &[Reply]) {
        self.state.lock().expect("unharmed").script.extend(replies);
    }

    /// All it was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().expect("unharmed").asked)
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>, look: &impl Fn() -> String) -> std::io::Result<()> {
    let Some(Request { method, path, headers, body }) = request::read(&stream)? else { return Ok(()) };
    let (status, more, text) = {
        let mut state = state.lock().expect("unharmed");
        state.asked.push(Asked { method, path, headers, body, seen: look() });
        state.script.pop_front().unwrap_or(state.usual)
    };
    write!(stream, "HTTP/1.1 {status} Whatever\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{text}", text.len())
}
