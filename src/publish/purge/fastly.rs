//! Fastly: one address a call.
//!
//! Source  API "Purge a URL" (`POST /purge/{cached_url}`, the address without its scheme). A hundred thousand an hour are taken.

use http::{Method, Request, header};
use object_store::client::HttpRequest;

use super::Secret;

const ENDPOINT: &str = "https://api.fastly.com";
pub(super) const HINT: &str = "FASTLY_API_TOKEN has to be a token that may purge (scope purge_select) the service of this host";

pub(super) fn request(endpoint: Option<&str>, soft: bool, group: &[String], secret: &Secret) -> Result<HttpRequest, String> {
    let cached = group.first().map(|url| url.split_once("://").map_or(url.as_str(), |(_, rest)| rest)).unwrap_or_default();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/purge/{cached}", endpoint.unwrap_or(ENDPOINT)))
        .header(header::ACCEPT, "application/json")
        .body(Vec::new().into())
        .map_err(|error| error.to_string())?;
    request.headers_mut().extend(secret.0.clone().map(|key| (http::HeaderName::from_static("fastly-key"), key)));
    if soft {
        request.headers_mut().insert("fastly-soft-purge", http::HeaderValue::from_static("1"));
    }
    Ok(request)
}
