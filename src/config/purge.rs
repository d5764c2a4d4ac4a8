//! Purge: `purge` of a target, whose caches are told what was replaced.

use http::{HeaderName, Method};
use serde::Deserialize;
use toml::Spanned;

use super::check_origin;
use crate::edge::live::is_loopback;
use crate::publish::purge::{CLOUDFLARE_BATCH, CLOUDFLARE_MAX_BATCH, Cdn, HttpPurge, PLACEHOLDERS};
use crate::site::load::written::Place;
use crate::site::problem::Problems;

/// Addresses of one call to a service that we do not know; more make a body that proxies refuse.
const HTTP_BATCH: (usize, usize) = (100, 10_000);
/// Where secrets are.
const SECRETS: &str = "take it from the environment: CLOUDFLARE_API_TOKEN, FASTLY_API_TOKEN, AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY, or VITRINE_PURGE_SECRET_ and the target's name";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPurge {
    kind: Spanned<Kind>,
    zone: Option<Spanned<String>>,
    distribution: Option<Spanned<String>>,
    soft: Option<Spanned<bool>>,
    endpoint: Option<Spanned<String>>,
    method: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    header: Option<Spanned<String>>,
    list: Option<Spanned<String>>,
    batch: Option<Spanned<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Cloudflare,
    Fastly,
    Cloudfront,
    Http,
}

impl Kind {
    /// What it takes beside its name.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Cloudflare => &["zone", "batch", "endpoint"],
            Self::Fastly => &["soft", "endpoint"],
            Self::Cloudfront => &["distribution", "endpoint"],
            Self::Http => &["url", "method", "header", "list", "batch"],
        }
    }
}

impl WrittenPurge {
    /// As it is meant; `None`: too little of it can be understood.
    pub(super) fn checked(mut self, place: Place<'_>, problems: &mut Problems) -> Option<Cdn> {
        let kind = *self.kind.get_ref();
        self.tell_strange_keys(kind, place, problems);
        let endpoint = self.endpoint.take().and_then(|endpoint| origin(endpoint, place, problems));
        match kind {
            Kind::Cloudflare => {
                let batch = batch(self.batch.take(), (CLOUDFLARE_BATCH, CLOUDFLARE_MAX_BATCH), place, problems);
                let zone = self.id("zone", self.zone.clone(), "the id that Cloudflare shows beside the zone", place, problems)?;
                Some(Cdn::Cloudflare { zone, batch, endpoint })
            }
            Kind::Fastly => Some(Cdn::Fastly { soft: self.soft.is_some_and(Spanned::into_inner), endpoint }),
            Kind::Cloudfront => {
                let hint = "the distribution's id, such as E2EXAMPLE1ABC";
                let distribution = self.id("distribution", self.distribution.clone(), hint, place, problems)?;
                Some(Cdn::CloudFront { distribution, endpoint })
            }
            Kind::Http => self.http(place, problems).map(Cdn::Http),
        }
    }

    fn http(mut self, place: Place<'_>, problems: &mut Problems) -> Option<HttpPurge> {
        let batch = batch(self.batch.take(), HTTP_BATCH, place, problems);
        let mut tell = |at: &Spanned<String>, message: String, hint: &str| problems.push(place.problem(at, message).hint(hint));
        let method = self.method.take().map_or(Some(Method::POST), |method| {
            let parsed = Method::from_bytes(method.get_ref().as_bytes()).ok();
            if parsed.is_none() {
                tell(&method, format!("`{}` is no method", method.get_ref()), "write method = \"POST\", or PURGE, DELETE, BAN");
            }
            parsed
        });
        let header = self.header.take().map_or(Some(None), |header| {
            let parsed = HeaderName::from_bytes(header.get_ref().as_bytes()).ok();
            if parsed.is_none() {
                let hint = "write its name alone, such as \"X-Purge-Key\"; its value comes from the environment";
                tell(&header, format!("`{}` is no header's name", header.get_ref()), hint);
            }
            parsed.map(Some)
        });
        let Some(url) = self.url.take() else {
            let hint = format!("write url = \"https://…\", with {} once for each address", PLACEHOLDERS.join(", "));
            problems.push(place.problem(&self.kind, "this purge names no `url`").hint(hint));
            return None;
        };
        let filled = PLACEHOLDERS.iter().zip(["https://shop.example/", "a", "shop.example", "/"]);
        let filled = filled.fold(url.get_ref().clone(), |text, (placeholder, value)| text.replace(placeholder, value));
        let is_far = filled.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
        if filled.contains(['{', '}']) {
            let hint = format!("they are {}", PLACEHOLDERS.join(", "));
            tell(&url, "there is no such placeholder".to_owned(), &hint);
        } else if !is_far && !is_loopback(&filled) {
            tell(
                &url,
                "this is no address of https".to_owned(),
                "http is for this machine alone: the secret would go in the clear",
            );
        } else if url.get_ref().contains('@') {
            tell(&url, "credentials do not belong into site.toml".to_owned(), SECRETS);
        }
        let list = self.list.take().map_or_else(|| "urls".to_owned(), Spanned::into_inner);
        Some(HttpPurge { method: method?, url: url.into_inner(), header: header?, list, batch })
    }

    fn id(
        &self,
        key: &str,
        written: Option<Spanned<String>>,
        hint: &str,
        place: Place<'_>,
        problems: &mut Problems,
    ) -> Option<String> {
        let Some(written) = written else {
            problems.push(place.problem(&self.kind, format!("this purge names no `{key}`")).hint(format!("write {key}: {hint}")));
            return None;
        };
        let id = written.get_ref();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            problems.push(place.problem(&written, format!("`{id}` is no id: letters and digits")).hint(hint));
            return None;
        }
        Some(written.into_inner())
    }

    fn tell_strange_keys(&self, kind: Kind, place: Place<'_>, problems: &mut Problems) {
        let texts = [
            ("zone", &self.zone),
            ("distribution", &self.distribution),
            ("endpoint", &self.endpoint),
            ("method", &self.method),
            ("url", &self.url),
            ("header", &self.header),
            ("list", &self.list),
        ];
        let texts = texts.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.span())));
        let others = [("soft", self.soft.as_ref().map(Spanned::span)), ("batch", self.batch.as_ref().map(Spanned::span))];
        let others = others.into_iter().filter_map(|(key, span)| Some((key, span?)));
        for (key, span) in texts.chain(others).filter(|(key, _)| !kind.keys().contains(key)) {
            let kind = format!("{kind:?}").to_lowercase();
            let message = format!("a purge of kind {kind} takes no `{key}`");
            problems.push(place.problem(&Spanned::new(span, ()), message).hint("take it out, or write another kind"));
        }
    }
}

fn origin(written: Spanned<String>, place: Place<'_>, problems: &mut Problems) -> Option<String> {
    let text = written.get_ref();
    let reason = match check_origin(text) {
        Err(reason) => Some(reason),
        Ok(()) if text.contains('@') => Some("credentials do not belong into site.toml".to_owned()),
        Ok(()) if text.starts_with("http://") && !is_loopback(text) => Some("http is for this machine alone".to_owned()),
        Ok(()) => None,
    };
    match reason {
        None => Some(written.into_inner()),
        Some(reason) => {
            problems
                .push(place.problem(&written, reason).hint("write an origin such as \"https://api.example\", or leave it out"));
            None
        }
    }
}

fn batch(written: Option<Spanned<usize>>, (usual, most): (usize, usize), place: Place<'_>, problems: &mut Problems) -> usize {
    match written {
        Some(number) if !(1..=most).contains(number.get_ref()) => {
            problems.push(place.problem(&number, format!("write a number from 1 to {most}")));
            usual
        }
        number => number.map_or(usual, Spanned::into_inner),
    }
}
