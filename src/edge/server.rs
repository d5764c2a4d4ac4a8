//! Server: connections in, answers out.
//!
//! Owns    `respond`, the one way from a request to an answer, and `serve` with its limits, timeouts and drain.
//! Limits  `MAX_HEADERS`, `MAX_HEAD_BYTES` (431), `MAX_ADDRESS_BYTES` (414), connections at once, body bytes per route (413).
//! Always  a panic in a route ends that request alone, as a 500 with a log line.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::app::{App, Settings};
use super::error::Failure;
use super::front::Peer;
use super::http::{Call, Reply};
use super::limits::seconds;
use super::limits::shed::Weight;
use super::middleware::{body, csrf, headers};
use super::router::{Cache, FORM_LIMIT, Found, Guard, ROUTES, Route};
use super::session::Session;
use super::{counted, pages, pulse};
use crate::telemetry::slo::Area;
use crate::theme::texts::Say;

/// Headers of one request: a browser behind a CDN sends about 30.
pub const MAX_HEADERS: usize = 64;
/// Bytes of a request's head: a full cart cookie, a few others, an address.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Bytes of a path with its query.
pub const MAX_ADDRESS_BYTES: usize = 2_048;
/// Seconds after which a request that was refused under load may be sent again, at least.
const SHED_RETRY_S: u32 = 2;
/// Seconds over which those who come again are spread.
const SHED_SPREAD_S: f64 = 6.0;
/// Pause after a failed accept: the process is out of file descriptors, and some will be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers one request. Never fails: what goes wrong is an answer too.
pub async fn respond<B>(app: &Arc<App>, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let started = Instant::now();
    let request_id = app.request_id();
    let live = app.live.load_full();
    let method = request.method().clone();
    let wants_page = pages::wanted(request.uri().path(), request.headers());
    let sender = Session::sender(request.headers());
    let found = app.router.find(&method, request.uri().path());
    let (_inside, fullness) = app.gate.enter();
    let (cache, index) = match &found {
        Found::Route(index, _) => (ROUTES[*index].cache, Some(*index)),
        _ if wants_page => (Cache::PrivateNoStore, None),
        _ => (Cache::NoStore, None),
    };
    let answer = caught(answer(app, request, found, &request_id, fullness)).await.unwrap_or_else(|text| {
        tracing::error!(request_id, panic = text, "a route panicked");
        Err(Failure::Bug)
    });
    let mut cache = cache;
    let mut reply = answer.unwrap_or_else(|failure| {
        if let Some(route) = index.map(|index| &ROUTES[index]).filter(|route| route.area() != Some(Area::Webhooks)) {
            counted::meet(app, route.weight, &failure);
        }
        if let Cache::Shared { .. } = cache {
            cache = Cache::NoStore;
        }
        let session = Session::of(app, &live, &sender, app.clock.now());
        let (market, site) = session.speaks(&live);
        if wants_page { pages::problem(&live, market, &failure, &request_id) } else { failure.into_json(&request_id, site) }
    });
    pages::add_policy(&mut reply);
    headers::complete(&mut reply.headers, cache, live.secure, &request_id);
    if app.is_leaving() {
        reply.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let seconds = started.elapsed().as_secs_f64();
    app.metrics.record(index, reply.status.as_u16(), seconds);
    if let Some(area) = index.and_then(|index| ROUTES[index].area()) {
        app.tally.answered(area, reply.status.as_u16(), seconds);
    }
    let route = index.map_or("-", |index| ROUTES[index].pattern);
    tracing::info!(target: "access", request_id, %method, route, status = reply.status.as_u16(), ms = seconds * 1e3);
    into_response(reply, &method)
}

/// Serves connections until `shutdown` is done, then drains: no new connection, those in flight finish within the drain time.
pub async fn serve<S, F>(listener: TcpListener, settings: Settings, service: S, shutdown: impl Future<Output = ()>)
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(settings.max_connections));
    let graceful = GracefulShutdown::new();
    let builder = connection_builder(&settings);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        let answered = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let answer = service(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), answered));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(settings.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still in flight when the drain time ended");
    }
}

/// Serves the shop on a listener.
pub async fn serve_app(app: Arc<App>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let settings = app.settings.clone();
    let pulse = tokio::spawn(pulse::watch(Arc::downgrade(&app)));
    let service = move |request| {
        let app = app.clone();
        async move { respond(&app, request).await }
    };
    serve(listener, settings, service, shutdown).await;
    pulse.abort();
}

fn connection_builder(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    builder
}

async fn answer<B>(app: &Arc<App>, request: Request<B>, found: Found, request_id: &str, fullness: usize) -> Result<Reply, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    let route = match found {
        Found::Route(index, _) => Some(&ROUTES[index]),
        Found::OtherMethods(_) | Found::Nothing => None,
    };
    admit(app, &request, route)?;
    let client = client_of(app, &request);
    if let Some(route) = route {
        shed(app, route.weight, fullness, request.headers())?;
        hold_back(app, client, route.weight)?;
    }
    let (parts, stream) = request.into_parts();
    if parts.uri.path_and_query().is_some_and(|address| address.as_str().len() > MAX_ADDRESS_BYTES) {
        return Err(Failure::AddressTooLong);
    }
    let mount = app.mounts.iter().find(|mount| parts.uri.path().starts_with(mount.prefix));
    let (limit, guard) = match (&found, mount) {
        (_, Some(_)) => (FORM_LIMIT, Guard::SameSite),
        (Found::Route(index, _), None) => (ROUTES[*index].body_limit, ROUTES[*index].guard),
        (Found::OtherMethods(allow), None) => return Err(Failure::MethodNotAllowed { allow: allow.clone() }),
        (Found::Nothing, None) => return Err(Failure::not_found(Say::of("says.nothing_here"))),
    };
    if guard == Guard::SameSite && !csrf::passes(&parts.method, &parts.headers, &app.live.load().bundle.origins) {
        return Err(Failure::Forbidden { code: "cross_site", detail: Say::of("says.cross_site") });
    }
    let body = body::read(stream, limit, app.settings.body_timeout).await?;
    let (method, uri, headers) = (parts.method, parts.uri, parts.headers);
    let call = |params| Call { method, uri, headers, body, params, request_id: request_id.to_owned(), client };
    match (found, mount) {
        (_, Some(mount)) => Ok((mount.handler)(call(Vec::new())).await),
        (Found::Route(index, params), None) => (ROUTES[index].handler)(app.clone(), call(decoded(params)?)).await,
        _ => unreachable!("anything else was answered above"),
    }
}

/// Refuses what did not come through the shop's host, where that shows a secret.
fn admit<B>(app: &App, request: &Request<B>, route: Option<&Route>) -> Result<(), Failure> {
    let proves_itself = route.is_some_and(|route| route.guard == Guard::SignedByGateway);
    if proves_itself || app.origin.admit(&app.live.load().front, request.headers()) {
        return Ok(());
    }
    Err(Failure::Forbidden { code: "not_through_host", detail: Say::of("says.not_through_host") })
}

/// Who asks, where somebody said what stands before the edge.
fn client_of<B>(app: &App, request: &Request<B>) -> Option<IpAddr> {
    let Peer(peer) = request.extensions().get()?;
    app.live.load().front.client(peer.ip(), request.headers())
}

/// Refuses who takes more steps of checkouts, or tells of more pages, than any shopper does. Nothing was read or written yet.
fn hold_back(app: &App, client: Option<IpAddr>, weight: Weight) -> Result<(), Failure> {
    let clients = match weight {
        Weight::Opening | Weight::Quote | Weight::Payment => &app.clients,
        Weight::Beacon => &app.telling,
        Weight::Availability | Weight::CartWrite | Weight::Vital => return Ok(()),
    };
    let (now, too_many) = (app.clock.ticks(), |ms| Failure::TooMany { retry_after_s: seconds(ms) });
    if let Some(client) = client {
        clients.take(client, now).map_err(too_many)?;
    }
    if weight == Weight::Beacon {
        // Each step leaves it whole: what a panic left can be used.
        let mut all = app.listening.lock().unwrap_or_else(PoisonError::into_inner);
        all.take(now).map_err(too_many)?;
    }
    Ok(())
}

/// Refuses what is less important than what there is too much of. Nothing was read or written yet, and nothing is said about money.
fn shed(app: &App, weight: Weight, fullness: usize, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(place) = weight.place() else { return Ok(()) };
    let queued = app.till.as_ref().map_or(0, |till| till.store.queued().percent());
    let passes =
        weight.passes(fullness.max(queued)) && app.strain.lets_pass(weight, Session::comes_along(headers), app.clock.ticks());
    app.metrics.weighed(place, passes);
    if passes {
        return Ok(());
    }
    // Not all at one instant.
    let retry_after_s = SHED_RETRY_S + (app.lot() * SHED_SPREAD_S) as u32;
    Err(Failure::Unavailable { code: "overloaded", detail: Say::of("says.overloaded"), retry_after_s })
}

fn decoded(params: Vec<(String, String)>) -> Result<Vec<(String, String)>, Failure> {
    let decode = |(name, value): (String, String)| {
        let text = percent_encoding::percent_decode_str(&value).decode_utf8().map(|text| text.into_owned());
        text.map(|text| (name, text)).map_err(|_| Failure::not_found(Say::of("says.nothing_here")))
    };
    params.into_iter().map(decode).collect()
}

/// Runs a future; a panic inside it is `Err` with its text.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            std::task::Poll::Ready(Err(text.unwrap_or_default()))
        }
    })
    .await
}

pub(super) fn into_response(reply: Reply, method: &Method) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let length = reply.body.len();
    if method != Method::HEAD {
        *response.body_mut() = Full::new(reply.body);
    } else if length > 0 {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
