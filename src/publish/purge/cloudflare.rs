//! Cloudflare: files of a zone, by their addresses.
//!
//! Source  API "Purge Cached Content", and the limits of "Purge cache" in Cloudflare's documentation: 100 addresses a call, 500 on an
//!         Enterprise plan; more calls than a plan allows are answered with 429.

use http::{Method, Request, header};
use object_store::client::HttpRequest;

use super::{Answer, Secret, Verdict, by_status};

/// Addresses of a call that every plan takes.
pub const BATCH: usize = 100;
/// Addresses of a call that the largest plan takes.
pub const MAX_BATCH: usize = 500;
const ENDPOINT: &str = "https://api.cloudflare.com";
const HINT: &str = "CLOUDFLARE_API_TOKEN has to be a token that may purge the cache of this zone (Zone, Cache Purge)";

pub(super) fn request(endpoint: Option<&str>, zone: &str, group: &[String], secret: &Secret) -> Result<HttpRequest, String> {
    let body = serde_json::json!({ "files": group }).to_string();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/client/v4/zones/{zone}/purge_cache", endpoint.unwrap_or(ENDPOINT)))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.into())
        .map_err(|error| error.to_string())?;
    request.headers_mut().extend(secret.bearer().map(|token| (header::AUTHORIZATION, token)));
    Ok(request)
}

// A status of success does not say that it was one.
pub(super) fn judge(answer: &Answer) -> Verdict {
    #[derive(Default, serde::Deserialize)]
    struct Said {
        #[serde(default)]
        success: bool,
        #[serde(default)]
        errors: Vec<Why>,
    }
    #[derive(serde::Deserialize)]
    struct Why {
        message: String,
    }
    let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
    let reasons: Vec<String> = said.errors.into_iter().map(|why| why.message).collect();
    let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
    match by_status(answer, HINT, reason.clone()) {
        Verdict::Done if !said.success => Verdict::Never(super::told(answer, reason)),
        verdict => verdict,
    }
}
