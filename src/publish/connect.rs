//! Connect: the HTTP client through which targets are reached.
//!
//! Knows   a machine that is in no cloud has nobody at the address where clouds tell credentials: that is said within seconds, and not
//!         tried for as long as a bucket that is out of order.
//! Limits  CONNECT until a connection stands, ANSWER until an answer's head is here; a job's lease outlives both.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};

/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Until an answer's head is here: a part of a large file has to be sent first.
const ANSWER: Duration = Duration::from_secs(30);
/// Idle connections are closed before most services do.
const IDLE: Duration = Duration::from_secs(15);

/// Until a cloud has told this machine's credentials; it is in the same house.
const METADATA_ANSWER: Duration = Duration::from_secs(1);
/// Tries of that.
const METADATA_TRIES: u32 = 2;
/// Where clouds tell them.
const METADATA: [&str; 5] = ["169.254.169.254", "169.254.170.2", "169.254.170.23", "metadata.google.internal", "metadata"];
/// What names other places for that.
const METADATA_VARIABLES: [&str; 3] = ["AWS_METADATA_ENDPOINT", "GCE_METADATA_HOST", "GCE_METADATA_IP"];

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: Bytes,
}

/// A client for services that are no buckets.
///
/// Errors: TLS lacks a protocol version.
pub(super) fn client() -> Result<HttpClient, String> {
    Connector.connect(&object_store::ClientOptions::default()).map_err(|error| error.to_string())
}

/// Sends a request, once, and reads at most `max_bytes` of its answer.
///
/// Errors: why there is no whole answer, to the first cause.
pub(super) async fn ask(client: &HttpClient, request: HttpRequest, max_bytes: usize) -> Result<Answer, String> {
    let (parts, body) = client.execute(request).await.map_err(|error| causes(&error))?.into_parts();
    let body = tokio::time::timeout(ANSWER, Limited::new(body, max_bytes).collect()).await;
    let body = body.map_err(|_| "its answer did not end in time".to_owned())?.map_err(|error| causes(&*error))?;
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() })
}

fn causes(error: &dyn Error) -> String {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Makes clients of our own TLS and pool, so that no second HTTP stack comes along.
#[derive(Debug)]
pub(super) struct Connector;

#[derive(Debug)]
struct Service(Client<HttpsConnector<Tcp>, HttpRequestBody>);

#[derive(Debug, thiserror::Error)]
#[error("nobody answers at the cloud's metadata address")]
struct NoCloud(#[source] HttpError);

#[derive(Debug, thiserror::Error)]
#[error("{0} is asked by plain http, in which credentials go in the clear: write https")]
struct InTheClear(String);

impl HttpConnector for Connector {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| object_store::Error::Generic { store: "HTTP", source: error.into() })?;
        // Plain HTTP is judged for each request, since its address may stand in the environment too.
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector);
        Ok(HttpClient::new(Service(client)))
    }
}

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !is_metadata(request.uri()) {
            if request.uri().scheme_str() == Some("http") && !is_near(request.uri()) {
                let host = request.uri().host().unwrap_or_default().to_owned();
                // Of a kind that is not tried again.
                return Err(HttpError::new(HttpErrorKind::Unknown, InTheClear(host)));
            }
            return self.send(request, ANSWER).await;
        }
        let mut last = None;
        for _ in 0..METADATA_TRIES {
            match self.send(request.clone(), METADATA_ANSWER).await {
                Err(error) => last = Some(error),
                answer => return answer,
            }
        }
        // Of a kind that is not tried again.
        Err(HttpError::new(HttpErrorKind::Unknown, NoCloud(last.expect("it was tried"))))
    }
}

impl Service {
    async fn send(&self, request: HttpRequest, patience: Duration) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(patience, self.0.request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let (parts, body) = answer.map_err(|error| HttpError::new(kind(&error, error.is_connect()), error))?.into_parts();
        let body = body.map_err(|error| HttpError::new(kind(&error, false), error));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

// This machine, and addresses that no router passes on, where clouds have more than one service (RFC 3927, RFC 6761).
fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unicast_link_local(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn is_metadata(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let is_named = |variable: &&str| {
        let named = std::env::var(variable).unwrap_or_default();
        !named.is_empty() && uri.authority().is_some_and(|authority| named.split("://").last() == Some(authority.as_str()))
    };
    METADATA.contains(&host) || METADATA_VARIABLES.iter().any(is_named)
}

// What is told here decides whether object_store tries again.
fn kind(error: &(dyn Error + 'static), is_connect: bool) -> HttpErrorKind {
    if is_connect {
        return HttpErrorKind::Connect;
    }
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_timeout() {
                return HttpErrorKind::Timeout;
            }
            if error.is_canceled() || error.is_closed() {
                return HttpErrorKind::Request;
            }
            if error.is_incomplete_message() {
                return HttpErrorKind::Interrupted;
            }
        }
        if error.downcast_ref::<std::io::Error>().is_some() {
            return HttpErrorKind::Interrupted;
        }
        cause = error.source();
    }
    HttpErrorKind::Unknown
}
