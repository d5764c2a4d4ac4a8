//! Pages: the edge's HTML, printed from the same values as its JSON.

use http::{HeaderMap, StatusCode, header};
use serde::Serialize;

use super::error::Failure;
use super::http::Reply;
use super::live::Live;
use super::reply::CartReply;
use crate::commerce::ids::MarketId;

/// Whether a failure is answered as a page: where the client asks for HTML, and outside /api where it asks for nothing.
pub fn wanted(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    accept.contains("text/html") || !path.starts_with("/api/") && !accept.contains("json")
}

/// edge/cart.html.
pub fn cart(live: &Live, cart: &CartReply, status: StatusCode) -> Reply {
    page(live, "edge/cart.html", &MarketId::from(cart.market.as_str()), ("cart", cart), status)
}

/// edge/problem.html.
pub fn problem(live: &Live, failure: &Failure, request_id: &str) -> Reply {
    let problem = failure.problem(request_id);
    let market = &live.bundle.rules.root_market().id;
    failure.headed(page(live, "edge/problem.html", market, ("problem", &problem), failure.status()))
}

/// A page of the edge in a market's language, with `site` and one named value.
pub fn page<V: Serialize>(live: &Live, template: &str, market: &MarketId, value: (&str, &V), status: StatusCode) -> Reply {
    let (_, site) = live.market(market);
    let text = serde_json::to_string_pretty(value.1).expect("replies are plain data");
    let body = format!(
        "<!doctype html><html lang=\"{}\"><title>{}</title><main><h1>{template}</h1><pre>{}</pre></main></html>",
        escaped(&site.language),
        escaped(&site.name),
        escaped(&text),
    );
    Reply::html(status, body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
