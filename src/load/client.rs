//! Client: requests over kept connections, and how long each took.
//!
//! Owns    the pool of connections to one origin and the two clocks of a request: from when it was meant to be sent, and from when it was.
//! Limits  `connections` at once, for which requests wait in their order; `MAX_BODY_BYTES` of an answer; `patience` of a shopper, who
//!         then goes away and takes the connection along.
//! Always  a request is sent once: it is sent anew only where the connection had closed before any of it was read.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower_service::Service;

use super::target::Target;

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read; pages and carts are far smaller.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// When a request was meant, sent and answered.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// When it was meant to be sent.
    pub meant_at: Instant,
    /// When there was a connection for it; `None`: there was none before the shopper went away.
    pub sent_at: Option<Instant>,
    /// When the answer was whole, or nobody waited any more.
    pub ended_at: Instant,
}

impl Timing {
    /// What a shopper waited.
    pub fn response(&self) -> Duration {
        self.ended_at.saturating_duration_since(self.meant_at)
    }

    /// What the shop took.
    pub fn service(&self) -> Option<Duration> {
        self.sent_at.map(|sent| self.ended_at.saturating_duration_since(sent))
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nobody listens, or the connection broke.
    #[error("{0}")]
    Broken(String),
    /// It took longer than shoppers wait.
    #[error("no answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
}

/// Connections to one origin.
#[derive(Debug)]
pub struct Client {
    connector: HttpsConnector<HttpConnector>,
    target: Target,
    authority: HeaderValue,
    patience: Duration,
    places: Semaphore,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client {
    /// Of at most so many connections, for shoppers who wait so long.
    ///
    /// Errors: TLS lacks a protocol version.
    pub fn new(target: Target, connections: usize, patience: Duration) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| error.to_string())?;
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        let authority = HeaderValue::from_str(&target.authority()).map_err(|error| error.to_string())?;
        let places = Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self { connector, target, authority, patience, places, idle: Mutex::default() })
    }

    /// Where it leads.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Asks once. The path of `request` is all of its address.
    pub async fn ask(&self, mut request: Request<Full<Bytes>>, meant_at: Instant) -> (Timing, Result<Answer, Lost>) {
        request.headers_mut().insert(header::HOST, self.authority.clone());
        let mut sent_at = None;
        let asked = async {
            let _place = self.places.acquire().await.expect("the semaphore is never closed");
            sent_at = Some(Instant::now());
            self.exchange(request).await
        };
        let answer = tokio::time::timeout_at(meant_at + self.patience, asked).await;
        let answer = answer.unwrap_or(Err(Lost::TooSlow(self.patience)));
        (Timing { meant_at, sent_at, ended_at: Instant::now() }, answer)
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        loop {
            let (mut sender, is_fresh) = match self.kept().await {
                Some(sender) => (sender, false),
                None => (self.connect().await?, true),
            };
            let response = match sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    // A kept connection that the shop had closed meanwhile.
                    Some(unsent) if !is_fresh => {
                        request = unsent;
                        continue;
                    }
                    _ => return Err(Lost::Broken(error.into_error().to_string())),
                },
            };
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| Lost::Broken(error.to_string()))?;
            self.idle().push(sender);
            return Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() });
        }
    }

    // The connection that was used last: the others may close.
    async fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        loop {
            let mut sender = self.idle().pop()?;
            if !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Lost> {
        let broken = |error: &dyn std::error::Error| Lost::Broken(error.to_string());
        let address = self.target.to_string().parse().expect("a target is an address");
        let stream = self.connector.clone().call(address).await.map_err(|error| broken(&*error))?;
        let (sender, connection) = http1::handshake(stream).await.map_err(|error| broken(&error))?;
        // What breaks a connection is told to whoever waits on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
