//! Connect: the HTTP client through which targets are reached.
//!
//! Limits  CONNECT until a connection stands, ANSWER until an answer's head is here; a job's lease outlives both.

use std::error::Error;
use std::time::Duration;

use http_body_util::BodyExt;
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

/// Makes clients of our own TLS and pool, so that no second HTTP stack comes along.
#[derive(Debug)]
pub(super) struct Connector;

#[derive(Debug)]
struct Service(Client<HttpsConnector<Tcp>, HttpRequestBody>);

impl HttpConnector for Connector {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| object_store::Error::Generic { store: "HTTP", source: error.into() })?;
        // Plain HTTP is refused where the address is read, save for this machine.
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector);
        Ok(HttpClient::new(Service(client)))
    }
}

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(ANSWER, self.0.request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let (parts, body) = answer.map_err(|error| HttpError::new(kind(&error, error.is_connect()), error))?.into_parts();
        let body = body.map_err(|error| HttpError::new(kind(&error, false), error));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
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
