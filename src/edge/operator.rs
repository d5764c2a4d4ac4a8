//! Operator: the second listener, for those who run the shop; loopback unless told otherwise.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;

use super::app::App;
use super::desk;
use crate::store::orphans::Reconciliation;
use crate::telemetry::{page, process};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers what operators and their machines ask: `/healthz`, `/readyz` and `/metrics` to whoever comes, all else with a session.
pub async fn answer_all<B>(app: &Arc<App>, request: Request<B>) -> Response<Full<Bytes>>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let path = request.uri().path();
    let is_page = path == "/" || path == "/desk" || path.starts_with("/desk/");
    if is_page { desk::respond(app, request).await } else { respond(app, &request) }
}

/// Answers `/healthz` (the process runs), `/readyz` (what it serves, how its store, gateway and mail are, how the gateway's payments and
/// ours agree, and why a newer bundle is not served) and `/metrics`.
pub fn respond<B>(app: &Arc<App>, request: &Request<B>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n".to_owned());
    }
    match request.uri().path() {
        "/healthz" => answer(StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => ready(app),
        "/metrics" => answer(StatusCode::OK, METRICS, metrics(app)),
        _ => answer(StatusCode::NOT_FOUND, TEXT, "/desk /healthz /readyz /metrics\n".to_owned()),
    }
}

fn is_short_of_room(app: &App) -> bool {
    app.till.as_ref().is_some_and(|till| till.store.is_short_of_room())
}

/// An edge with an old bundle still sells, and so does one whose gateway or mail server fails, whose payments are paused, or whose disk is
/// full: carts are served, webhooks kept and captures made. It is ready, and says what is wrong. Without its store nothing of that can be
/// done: 503. An edge that is about to stop serves all the same, and asks to be led no more shoppers: 503 too.
fn ready(app: &App) -> Response<Full<Bytes>> {
    let live = app.live.load();
    let refused = app.refused.load();
    let (last, orphans) = app.till.as_ref().map(|till| till.reconciled()).unwrap_or_default();
    let reconciled = last.map(|last| {
        let Reconciliation { at, compared, orphans, different, .. } = last;
        serde_json::json!({"at": at.0, "compared": compared, "orphans": orphans, "different": different})
    });
    let (is_ready, till) = app.till.as_ref().map_or((true, serde_json::Value::Null), |till| till.told(app));
    let is_ready = is_ready && !app.is_leaving();
    let mut told = serde_json::json!({
        "ready": is_ready,
        "leaving": app.is_leaving(),
        "shop": live.bundle.shop_id,
        "bundle": live.hash,
        "sequence": live.sequence,
        "refused": refused.as_ref(),
        "origin_secret": origin_secret(app),
        "disk_full": is_short_of_room(app),
        "reconciled": reconciled,
        "orphans": {"under_way": orphans.under_way, "in_review": orphans.in_review},
    });
    if let (Some(told), serde_json::Value::Object(till)) = (told.as_object_mut(), till) {
        told.extend(till);
    }
    for (name, state) in app.services.told(app) {
        told["dependencies"][name] = state;
    }
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, JSON, format!("{told}\n"))
}

/// Whether requests are asked for the secret of the shop's host: `asked`, `missing` where this edge has none to compare with, `none` where
/// site.toml names no header.
fn origin_secret(app: &App) -> &'static str {
    match (&app.live.load().front.secret_header, app.origin.is_empty()) {
        (None, _) => "none",
        (Some(_), true) => "missing",
        (Some(_), false) => "asked",
    }
}

fn metrics(app: &App) -> String {
    app.metrics.set_read_only(is_short_of_room(app));
    let requests = app.metrics.at(app.gate.under_way(), app.strain.newcomers_per_second().unwrap_or(0.0), app.strain.waited());
    let taken = process::registry();
    let mut registries = vec![requests, &taken];
    let levels = app.till.as_ref().map(|till| (till, till.levels(app)));
    registries.extend(levels.as_ref().map(|(till, levels)| till.metrics().at(levels)));
    registries.extend(app.services.metrics(app).map(|services| services.registry()));
    page(&registries)
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
