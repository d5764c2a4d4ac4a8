//! Edge: how fast a cart grows, beside a hyper server that only says hello.
//!
//! Run     cargo bench --bench edge
//! Prints  requests per second and the 99th percentile at 64 connections, of both in turn, and their ratio. The client runs in the same
//!         process and costs both the same, so the ratio says more than the figures.

use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vitrine::edge::app::Settings;
use vitrine::edge::server;

#[path = "../tests/it/support/edge.rs"]
#[allow(dead_code, unreachable_pub, reason = "the shop of the tests, of which a benchmark needs a part")]
mod edge;

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 64;
/// Each server is measured that often, in turn with the other.
const ROUNDS: usize = 3;
/// Long enough to be steady, short enough to be run often.
const MEASURED: Duration = Duration::from_secs(2);

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Measured {
    per_second: f64,
    p99: Duration,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        let hello_port = hello().await;
        let shop_port = shop().await;
        let add = add_request(shop_port).await;
        let hello = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec();
        let mut rounds = Vec::new();
        for round in 1..=ROUNDS {
            let bare = measure(hello_port, &hello).await;
            let cart = measure(shop_port, &add).await;
            let ratio = cart.per_second / bare.per_second;
            println!(
                "round {round}: hello {:>7.0}/s, p99 {:>6.2} ms · cart add {:>7.0}/s, p99 {:>6.2} ms · {:.0} % of hello",
                bare.per_second,
                milliseconds(bare.p99),
                cart.per_second,
                milliseconds(cart.p99),
                ratio * 100.0
            );
            rounds.push(ratio);
        }
        rounds.sort_by(f64::total_cmp);
        println!(
            "cart add at {CONNECTIONS} connections: {:.0} % of hello's rate (median of {ROUNDS})",
            rounds[ROUNDS / 2] * 100.0
        );
    });
}

/// The peer: hyper as bare as it comes.
async fn hello() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("an option");
            let answer = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello")))) });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    port
}

async fn shop() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(server::serve_app(edge::app(Settings::default()), listener, pending()));
    port
}

/// A browser with one line in its cart adds another unit.
async fn add_request(port: u16) -> Vec<u8> {
    let body = r#"{"sku":"LAMP-L","quantity":1,"seen_price_minor":2990,"market":"eu","language":"en"}"#;
    let request = |cookie: &str| {
        format!(
            "POST /api/v1/cart/lines HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nsec-fetch-site: same-origin\r\n\
             cookie: {cookie}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the shop listens");
    let first = ask(&mut stream, request("none=1").as_bytes()).await;
    let cookie = first.split("set-cookie: ").find(|part| part.starts_with("cart=")).and_then(|part| part.split(';').next());
    request(cookie.expect("a cart")).into_bytes()
}

/// Sends the request over all connections for as long as is measured.
async fn measure(port: u16, request: &[u8]) -> Measured {
    let begin = Instant::now();
    let tasks: Vec<_> =
        (0..CONNECTIONS).map(|_| tokio::spawn(one_connection(port, request.to_vec(), begin + MEASURED))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no connection fails"));
    }
    let seconds = begin.elapsed().as_secs_f64();
    times.sort_unstable();
    Measured { per_second: times.len() as f64 / seconds, p99: times[times.len() * 99 / 100] }
}

async fn one_connection(port: u16, request: Vec<u8>, until: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
    stream.set_nodelay(true).expect("an option");
    let mut times = Vec::new();
    while Instant::now() < until {
        let begin = Instant::now();
        let answer = ask(&mut stream, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        times.push(begin.elapsed());
    }
    times
}

/// One request, one whole answer.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.expect("the server reads");
    let mut answer = Vec::with_capacity(4096);
    loop {
        stream.read_buf(&mut answer).await.expect("the server answers");
        if is_whole(&answer) {
            return String::from_utf8(answer).expect("text");
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = std::str::from_utf8(&answer[..head]).expect("heads are ASCII");
    let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).and_then(|text| text.parse().ok());
    answer.len() == head + 4 + length.unwrap_or(0)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
