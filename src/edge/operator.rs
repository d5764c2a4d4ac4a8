//! Operator: the second listener, for those who run the shop; loopback unless told otherwise.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;

use super::app::App;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `/healthz` (the process runs), `/readyz` (what it serves, and why a newer bundle is not served) and `/metrics`.
pub fn respond<B>(app: &Arc<App>, request: &Request<B>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n".to_owned());
    }
    match request.uri().path() {
        "/healthz" => answer(StatusCode::OK, TEXT, "ok\n".to_owned()),
        "/readyz" => answer(StatusCode::OK, JSON, ready(app)),
        "/metrics" => {
            app.metrics.set_read_only(is_short_of_room(app));
            answer(StatusCode::OK, METRICS, app.metrics.text())
        }
        _ => answer(StatusCode::NOT_FOUND, TEXT, "/healthz /readyz /metrics\n".to_owned()),
    }
}

fn is_short_of_room(app: &App) -> bool {
    app.till.as_ref().is_some_and(|till| till.store.is_short_of_room())
}

/// An edge with an old bundle still sells, and one on a full disk still shows carts and finishes payments: both are ready, and say what
/// is wrong.
fn ready(app: &App) -> String {
    let live = app.live.load();
    let refused = app.refused.load();
    let told = serde_json::json!({
        "ready": true,
        "shop": live.bundle.shop_id,
        "bundle": live.hash,
        "sequence": live.sequence,
        "refused": refused.as_ref(),
        "disk_full": is_short_of_room(app),
    });
    format!("{told}\n")
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
