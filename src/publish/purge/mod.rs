//! Purge: caches that hold what was replaced or removed are told to drop it.
//!
//! Owns    the addresses that a publication changes, the list of those still owed, groups, repeats and what an answer means; a file for
//!         each vendor says what its API wants on the wire.
//! Limits  MAX_ANSWER bytes are read of an answer; `Patience` bounds how long one call is repeated.
//! Always  what is owed is written before the record and struck off after the answer: a job that is killed, or a CDN that refuses,
//!         leaves it to the next one. Nothing is purged before its new bytes are on the target. Secrets are in no message.

mod cloudflare;
mod cloudfront;
mod fastly;
mod http;
pub mod settle;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use object_store::client::{HttpClient, HttpRequest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::Instant;

pub use self::cloudflare::{BATCH as CLOUDFLARE_BATCH, MAX_BATCH as CLOUDFLARE_MAX_BATCH};
pub use self::http::{HttpPurge, PLACEHOLDERS};
use super::connect::{Answer, ask, client};
use crate::site::check::page_address;
use crate::site::manifest::{CacheClass, Encoding};
use crate::site::media::content_type;

/// Bytes of an answer that are read: it says yes, or why not.
const MAX_ANSWER: usize = 64 << 10;
/// Letters of a secret: fewer are a word that may stand in any sentence.
const MIN_SECRET: usize = 6;
/// Letters of a vendor's reason that are told.
const TOLD: usize = 300;
/// What may stand in a path as it is (RFC 3986, 3.3), save `*`, which CloudFront would take for any ending.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// Whose caches (`purge` of a target).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cdn {
    /// Cloudflare, by files of a zone.
    Cloudflare {
        /// The zone's id.
        zone: String,
        /// Addresses of one call: 100, or 500 on an Enterprise plan.
        batch: usize,
        /// Origin of the API, if it is not Cloudflare's.
        endpoint: Option<String>,
    },
    /// Fastly, one address a call: keys would have to be headers of every object, which a bucket does not send.
    Fastly {
        /// Whether pages are marked as stale, so that the old one may be shown once more while the new one is fetched.
        soft: bool,
        /// Origin of the API, if it is not Fastly's.
        endpoint: Option<String>,
    },
    /// Amazon CloudFront, by invalidations of a distribution.
    CloudFront {
        /// The distribution's id.
        distribution: String,
        /// Origin of the API, if it is not Amazon's.
        endpoint: Option<String>,
    },
    /// Whoever takes addresses by HTTP.
    Http(HttpPurge),
}

/// What lets us ask, from the environment. It prints as nothing.
#[derive(Clone)]
pub struct Secret(Option<HeaderValue>);

/// How long a call is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before the second try; twice as long before each later one.
    pub first_pause: Duration,
    /// After the first try.
    pub total: Duration,
}

/// Somebody who can be told.
#[derive(Debug)]
pub struct Caller {
    cdn: Cdn,
    secret: Secret,
    client: HttpClient,
    patience: Patience,
}

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    /// Another try may do.
    Later(String),
    /// Asking again will not help.
    Never(String),
}

impl Cdn {
    /// The variable that its secret is in; `None`: it takes the credentials of Amazon's own chain.
    pub fn secret_variable(&self, target: &str) -> Option<String> {
        match self {
            Self::Cloudflare { .. } => Some("CLOUDFLARE_API_TOKEN".to_owned()),
            Self::Fastly { .. } => Some("FASTLY_API_TOKEN".to_owned()),
            Self::CloudFront { .. } => None,
            Self::Http(_) => Some(format!("VITRINE_PURGE_SECRET_{}", target.to_uppercase().replace('-', "_"))),
        }
    }

    /// Its secret as the environment has it.
    ///
    /// Errors: it is missing, or cannot be sent, in words that do not hold it.
    pub fn secret(&self, target: &str) -> Result<Secret, String> {
        let Some(variable) = self.secret_variable(target) else { return Ok(Secret(None)) };
        let value = std::env::var(&variable).ok().filter(|value| !value.trim().is_empty());
        if let Some(value) = value {
            return Secret::new(value.trim()).ok_or_else(|| format!("{variable} holds signs that no header takes"));
        }
        match self {
            Self::Http(terms) if terms.header.is_none() => Ok(Secret(None)),
            _ => Err(format!("set {variable}: caches of the target `{target}` are purged with it")),
        }
    }

    /// The addresses of each call, in order, within what the vendor takes at a time.
    pub fn groups(&self, urls: &BTreeSet<String>) -> Vec<Vec<String>> {
        let batch = match self {
            Self::Cloudflare { batch, .. } => *batch,
            Self::Fastly { .. } => 1,
            Self::CloudFront { .. } => cloudfront::BATCH,
            Self::Http(terms) if terms.is_one_by_one() => 1,
            Self::Http(terms) => terms.batch,
        };
        let urls: Vec<&String> = urls.iter().collect();
        urls.chunks(batch.max(1)).map(|group| group.iter().map(|url| (*url).clone()).collect()).collect()
    }

    // Calls at a time: where one names one address, waiting for each would take minutes.
    fn at_once(&self) -> usize {
        match self {
            Self::Fastly { .. } => 8,
            Self::Http(terms) if terms.is_one_by_one() => 8,
            _ => 1,
        }
    }

    fn patience(&self) -> Patience {
        let seconds = match self {
            // So many paths may be under way at a time: the rest wait until those before them are through.
            Self::CloudFront { .. } => 15 * 60,
            _ => 120,
        };
        Patience { first_pause: Duration::from_millis(500), total: Duration::from_secs(seconds) }
    }

    fn judge(&self, answer: &Answer) -> Verdict {
        match self {
            Self::Cloudflare { .. } => cloudflare::judge(answer),
            Self::Fastly { .. } => by_status(answer, fastly::HINT, json_message(answer, &["/msg", "/detail"])),
            Self::CloudFront { .. } => cloudfront::judge(answer),
            Self::Http(_) => by_status(answer, http::HINT, None),
        }
    }
}

impl Secret {
    /// A secret to be sent in a header; `None`: it cannot be.
    pub fn new(value: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        Some(Self(Some(value)))
    }

    // As a bearer's token.
    fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_bytes(&[b"Bearer ", self.0.as_ref()?.as_bytes()].concat()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    // A text of others, without the secret, if they send it back.
    fn out_of(&self, text: &str) -> String {
        match self.0.as_ref().and_then(|value| value.to_str().ok()) {
            Some(secret) if secret.len() >= MIN_SECRET => text.replace(secret, "…"),
            _ => text.to_owned(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Caller {
    /// Opens connections to nobody yet.
    ///
    /// Errors: the secret is missing; TLS lacks a protocol version.
    pub fn new(cdn: &Cdn, target: &str) -> Result<Self, String> {
        Ok(Self { secret: cdn.secret(target)?, client: client()?, patience: cdn.patience(), cdn: cdn.clone() })
    }

    /// Purges one group; `publication` makes an idempotent name where a vendor takes one.
    ///
    /// Errors: why it was refused, or that no try of many was taken.
    async fn call(&self, group: &[String], publication: u64) -> Result<(), String> {
        let until = Instant::now() + self.patience.total;
        let mut pause = self.patience.first_pause;
        loop {
            let (reason, wait) = match self.ask(group, publication).await {
                Ok(answer) => match self.cdn.judge(&answer) {
                    Verdict::Done => return Ok(()),
                    Verdict::Never(reason) => return Err(self.secret.out_of(&reason)),
                    Verdict::Later(reason) => (reason, retry_after(&answer.headers)),
                },
                Err(reason) => (reason, None),
            };
            let wait = wait.unwrap_or_default().max(pause);
            if Instant::now() + wait > until {
                let reason = self.secret.out_of(&reason);
                return Err(format!(
                    "{reason}; it was asked for {} s, and wants {} s more",
                    self.patience.total.as_secs(),
                    wait.as_secs()
                ));
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
    }

    async fn ask(&self, group: &[String], publication: u64) -> Result<Answer, String> {
        let request: HttpRequest = match &self.cdn {
            Cdn::Cloudflare { zone, endpoint, .. } => cloudflare::request(endpoint.as_deref(), zone, group, &self.secret),
            Cdn::Fastly { soft, endpoint } => fastly::request(endpoint.as_deref(), *soft, group, &self.secret),
            Cdn::CloudFront { distribution, endpoint } => {
                cloudfront::request(endpoint.as_deref(), distribution, group, publication).await
            }
            Cdn::Http(terms) => http::request(terms, group, &self.secret),
        }?;
        ask(&self.client, request, MAX_ANSWER).await
    }
}

/// The addresses under which caches keep these files of a build, whole, as a shopper's browser asks for them. What has its hash in its
/// name never changes, and what is for hosts alone nobody asks for.
pub fn urls<'a>(base_url: &str, paths: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    let asked =
        |path: &&String| CacheClass::of(path) != CacheClass::Immutable && !path.starts_with('_') && *path != "manifest.json";
    let addresses = paths.into_iter().filter(asked).flat_map(|path| addresses(path));
    addresses.map(|address| format!("{base_url}{}", utf8_percent_encode(&address, PATH))).collect()
}

// A folder's page is asked for with a slash at its end too; a sibling is what a server sends at its file's address.
fn addresses(path: &str) -> Vec<String> {
    let base = Encoding::ALL.iter().find_map(|encoding| path.strip_suffix(encoding.ending()));
    let path = base.filter(|base| content_type(base) != content_type("")).unwrap_or(path);
    if path == "404.html" {
        return vec!["/404.html".to_owned()];
    }
    let Some(address) = page_address(path) else { return vec![format!("/{path}")] };
    if path.ends_with("/index.html") { vec![format!("{address}/"), address] } else { vec![address] }
}

// An address without its origin.
fn path_of(url: &str) -> &str {
    let after = url.find("://").map_or(0, |at| at + 3);
    url[after..].find('/').map_or("/", |at| &url[after + at..])
}

// By its status alone, for those who say no more with the rest; `hint`: what a refusal most often means.
fn by_status(answer: &Answer, hint: &str, message: Option<String>) -> Verdict {
    let status = answer.status;
    if status.is_success() {
        return Verdict::Done;
    }
    let reason = told(answer, message);
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    match status {
        _ if status.is_server_error() || again.contains(&status) => Verdict::Later(reason),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Verdict::Never(format!("{reason}; {hint}")),
        _ => Verdict::Never(reason),
    }
}

// An answer's status with its reason, in a line.
fn told(answer: &Answer, message: Option<String>) -> String {
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(TOLD).collect();
    let colon = if line.is_empty() { "" } else { ": " };
    format!("it answered {}{colon}{line}", answer.status.as_u16())
}

fn json_message(answer: &Answer, pointers: &[&str]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    pointers.iter().find_map(|pointer| body.pointer(pointer)?.as_str().map(str::to_owned))
}

// RFC 9110, 10.2.3: seconds, or an instant.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::from_secs(u64::try_from(at.as_second() - jiff::Timestamp::now().as_second()).unwrap_or(0)))
}
