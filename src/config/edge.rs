//! Edge: `[edge]` of site.toml, what stands before the edge.

use std::str::FromStr;

use http::HeaderName;
use serde::Deserialize;
use toml::Spanned;

use crate::edge::front::{MAX_PROXIES, Network, NetworkError};
use crate::site::load::written::Place;
use crate::site::problem::Problems;
use crate::theme::bundle::FrontTerms;

/// Headers that say something else already.
const TAKEN: [&str; 12] = [
    "authorization",
    "cart-token",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "idempotency-key",
    "origin",
    "sec-fetch-site",
    "transfer-encoding",
    "user-agent",
];

/// Where the secret is.
pub(super) const SECRET: &str = "name its header with `origin_secret_header = \"X-Origin-Secret\"`; \
     the secret itself is in the edge's environment, as VITRINE_ORIGIN_SECRETS";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenEdge {
    trusted_proxies: Option<Spanned<Vec<Spanned<String>>>>,
    client_address_header: Option<Spanned<String>>,
    origin_secret_header: Option<Spanned<String>>,
}

impl WrittenEdge {
    pub(super) fn checked(self, place: Place<'_>, problems: &mut Problems) -> FrontTerms {
        if let Some(proxies) = self.trusted_proxies.as_ref().filter(|proxies| proxies.get_ref().len() > MAX_PROXIES) {
            problems.push(place.problem(proxies, format!("at most {MAX_PROXIES} networks are trusted")));
        }
        let networks = self.trusted_proxies.as_ref().map(Spanned::get_ref);
        for written in networks.into_iter().flatten() {
            let Err(error) = Network::from_str(written.get_ref()) else { continue };
            let hint = match &error {
                NetworkError::HostBits { network, .. } => format!("write \"{network}\""),
                NetworkError::Everybody { .. } => "name the networks of your CDN or proxy, such as \"10.0.0.0/8\"".to_owned(),
                _ => "write \"10.0.0.0/8\", \"2001:db8::/32\", or one address".to_owned(),
            };
            problems.push(place.problem(written, error.to_string()).hint(hint));
        }
        for (header, example) in
            [(&self.client_address_header, "X-Forwarded-For"), (&self.origin_secret_header, "X-Origin-Secret")]
        {
            let Some(written) = header else { continue };
            let name = written.get_ref();
            if HeaderName::from_str(name).is_err() {
                let message = format!("`{name}` is not a header's name");
                problems.push(place.problem(written, message).hint(format!("write \"{example}\"")));
            } else if TAKEN.iter().any(|taken| name.eq_ignore_ascii_case(taken)) {
                let message = format!("`{name}` says something else already");
                problems.push(place.problem(written, message).hint(format!("write \"{example}\"")));
            }
        }
        let is = |header: &Option<Spanned<String>>, name: &str| {
            header.as_ref().is_some_and(|written| written.get_ref().eq_ignore_ascii_case(name))
        };
        if let Some(written) = &self.client_address_header {
            if is(&self.client_address_header, "forwarded") {
                let hint = "write \"X-Forwarded-For\", or the header of your CDN: \"CF-Connecting-IP\", \"Fastly-Client-IP\" …";
                problems.push(place.problem(written, "the header `Forwarded` is not read").hint(hint));
            }
            if networks.is_none_or(Vec::is_empty) {
                let message = "this header is never read: no network is trusted to write it";
                problems.push(place.problem(written, message).hint("write trusted_proxies = [\"10.0.0.0/8\"] beside it"));
            }
        }
        if let Some(written) =
            self.origin_secret_header.as_ref().filter(|written| is(&self.client_address_header, written.get_ref()))
        {
            problems.push(place.problem(written, "one header cannot hold both the shopper's address and the secret"));
        }
        FrontTerms {
            trusted_proxies: self
                .trusted_proxies
                .map(|proxies| proxies.into_inner().into_iter().map(Spanned::into_inner).collect()),
            client_address_header: self.client_address_header.map(Spanned::into_inner),
            origin_secret_header: self.origin_secret_header.map(Spanned::into_inner),
        }
    }
}
