//! Headers: what every answer of the edge says beside its own.
//!
//! Always  nothing is sniffed, framed or kept longer than its route's cache class says.
//! Source  OWASP Secure Headers; `Referrer-Policy: no-referrer` is avoided since it makes a form's `Origin` null.

use http::{HeaderMap, HeaderValue, header};

use crate::edge::router::Cache;
use crate::theme::policy::{SAME_FOR_ALL, STRICT_TRANSPORT_SECURITY};

const JSON_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Adds them; what the route has set itself stays.
pub fn complete(headers: &mut HeaderMap, cache: Cache, secure: bool, request_id: &str) {
    let mut add = |name: header::HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    add(header::CACHE_CONTROL, cache_control(cache));
    for (name, value) in SAME_FOR_ALL {
        add(header::HeaderName::from_bytes(name.as_bytes()).expect("its name is one"), HeaderValue::from_static(value));
    }
    add(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    add(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(JSON_POLICY));
    if secure {
        add(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
    let id = HeaderValue::from_str(request_id).expect("request ids are hex digits");
    add(header::HeaderName::from_static("x-request-id"), id);
}

/// Who may keep an answer, and for how long.
pub fn cache_control(cache: Cache) -> HeaderValue {
    match cache {
        Cache::NoStore => HeaderValue::from_static("no-store"),
        Cache::PrivateNoCache => HeaderValue::from_static("private, no-cache"),
        Cache::PrivateNoStore => HeaderValue::from_static("private, no-store"),
        Cache::Shared { seconds } => HeaderValue::from_str(&format!("public, max-age=0, s-maxage={seconds}"))
            .expect("digits and letters are a header value"),
    }
}
