//! Pages: the edge's HTML, printed from the same values as its JSON.

use http::{HeaderMap, Method, header};

use super::error::Failure;
use super::http::Reply;
use super::live::Live;

/// Whether a failure is answered as a page: paths outside /api, unless the client asks for JSON.
pub fn wanted(_method: &Method, path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains("text/html") { true } else { !path.starts_with("/api/") && !accept.contains("json") }
}

/// A failure as a page.
pub fn problem(_live: &Live, failure: &Failure, request_id: &str) -> Reply {
    let problem = failure.problem(request_id);
    let body = format!(
        "<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1><p>{detail}</p><p><a href=/cart>Cart</a></p>",
        title = problem.title,
        detail = escaped(&problem.detail),
    );
    failure.headed(Reply::html(failure.status(), body))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
