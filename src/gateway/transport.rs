//! Transport: one HTTP request to a system of others, and what came back.
//!
//! Owns    connections, TLS, the limits on time and on the answer's bytes. Shared by gateways and by the merchant's webhooks.
//! Limits  `CONNECT` until a connection stands; each call names its own patience and the bytes that it reads of an answer.
//! Always  redirects are not followed, nothing is sent twice here, and a status counts once its head is here: what is wrong with the
//!         body is told apart.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(1);
/// Idle connections are closed before most servers do.
const IDLE: Duration = Duration::from_secs(30);
/// Who calls, as told to whoever is called.
pub const USER_AGENT: &str = concat!("Vitrine/", env!("CARGO_PKG_VERSION"));
/// What is said of a call that took too long.
const LATE: &str = "no answer in time";

/// Connections to other systems. Clones share them.
#[derive(Clone)]
pub struct Transport {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most as much of it as was asked for.
    pub body: Bytes,
    /// Why the body is not the whole one: it broke off, was too long, or took too long.
    pub cut: Option<String>,
}

impl Transport {
    /// A pool without connections.
    ///
    /// Errors: the TLS provider lacks a protocol version.
    pub fn new() -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| error.to_string())?;
        // Plain HTTP is for this machine alone; whoever makes a request has checked that.
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build::<_, Full<Bytes>>(connector);
        Ok(Self { pool })
    }

    /// Sends a request and waits at most `patience` for all of its answer, of which `max_bytes` are read.
    ///
    /// Errors: why there is no status, to the first cause.
    pub async fn send(&self, request: Request<Full<Bytes>>, patience: Duration, max_bytes: usize) -> Result<Answer, String> {
        let until = Instant::now() + patience;
        let response = match tokio::time::timeout_at(until, self.pool.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(told(&error)),
            Err(_) => return Err(LATE.to_owned()),
        };
        let (parts, incoming) = response.into_parts();
        let mut body = Vec::new();
        let read = tokio::time::timeout_at(until, read(incoming, &mut body, max_bytes)).await;
        let cut = read.unwrap_or_else(|_| Err(LATE.to_owned())).err();
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.into(), cut })
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

async fn read(mut incoming: Incoming, body: &mut Vec<u8>, max_bytes: usize) -> Result<(), String> {
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| told(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        let left = max_bytes - body.len();
        body.extend_from_slice(&data[..data.len().min(left)]);
        if data.len() > left {
            return Err(format!("it is longer than {max_bytes} bytes"));
        }
    }
    Ok(())
}

/// What went wrong on the way, to its first cause.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
