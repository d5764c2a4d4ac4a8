//! CSRF: a foreign page must not change a cart, nor replace it.
//!
//! Always  judged by what browsers say of the page and scripts cannot forge, with or without a cookie: `Sec-Fetch-Site`, where it is
//!         missing `Origin`. `Origin` is never compared with `Host`, which a CDN rewrites, but with the bundle's own base URLs.
//! Knows   where both headers are missing (programs, webhooks, very old browsers, whom SameSite=Lax guards) the request passes.

use http::{HeaderMap, Method, header};

/// Whether an unsafe request may pass.
pub fn passes(method: &Method, headers: &HeaderMap, origins: &[String]) -> bool {
    if method.is_safe() {
        return true;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match headers.get(header::ORIGIN) {
        Some(origin) => origins.iter().any(|ours| origin == ours.as_str()),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)], expected: bool) {
        let map = headers.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        let map: HeaderMap = map.collect();
        let origins = ["https://shop.example".to_owned()];
        assert_eq!(passes(&Method::POST, &map, &origins), expected, "{headers:?}");
        assert!(passes(&Method::GET, &map, &origins), "a safe method always passes");
    }

    #[test]
    fn our_own_pages_and_programs_pass() {
        check(&[], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "none")], true);
        check(&[("origin", "https://shop.example")], true);
    }

    #[test]
    fn foreign_pages_do_not() {
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")], false);
        check(&[("origin", "https://evil.example")], false);
        check(&[("origin", "null")], false);
        check(&[("origin", "http://shop.example")], false);
        check(&[("origin", "https://evil.example"), ("host", "evil.example")], false);
    }
}
