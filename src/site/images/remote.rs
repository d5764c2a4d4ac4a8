//! Remote: pictures that lie elsewhere, fetched once and kept.
//!
//! Owns    the settings of fetching, the copies in the cache, the judgement of an answer.
//! Limits  bytes and time of each picture; AT_A_TIME connections; MAX_REDIRECTS. Plain HTTP only to this machine.
//! Always  a copy that is there is taken as it is, without asking anew (`--no-cache` asks): the same build stays the same. A picture with a
//!         checksum is that one or none. One that cannot be had fails alone; where an older copy is left, that is taken, and told.
//! Why     async lives here, too: hundreds of answers are waited for at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Note;
use crate::site::keys;

/// Connections at a time: enough to fill a line, few enough for a small host.
const AT_A_TIME: usize = 8;
/// Hops from a picture's old address to its own.
const MAX_REDIRECTS: usize = 3;
/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are closed before most servers do.
const IDLE: Duration = Duration::from_secs(30);
/// Who asks.
const USER_AGENT: &str = concat!("Vitrine/", env!("CARGO_PKG_VERSION"));

/// How pictures from elsewhere are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// Largest answer.
    pub max_bytes: u64,
    /// Until a picture is here.
    pub timeout_seconds: u64,
    /// SHA-256 in hex by address: a picture that has one is that or none. `None`: nobody has written any.
    pub checksums: Option<BTreeMap<String, String>>,
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self { max_bytes: 20_000_000, timeout_seconds: 20, checksums: None }
    }
}

/// A picture that was asked for.
#[derive(Debug)]
pub(in crate::site) struct Fetched {
    pub(in crate::site) url: String,
    /// Its copy; `None`: there is none.
    pub(in crate::site) path: Option<PathBuf>,
    /// What is to be told.
    pub(in crate::site) note: Option<Note>,
}

/// Copies of pictures in a folder; what is not there yet, or all where `is_fresh`, is fetched.
pub(in crate::site) fn fetch(urls: Vec<String>, settings: &RemoteSettings, folder: &Path, is_fresh: bool) -> Vec<Fetched> {
    let folder = folder.join("remote");
    let copy = |url: &str| folder.join(&blake3::hash(url.as_bytes()).to_hex()[..32]);
    let wanted: Vec<String> = urls.iter().filter(|url| is_fresh || !copy(url).is_file()).cloned().collect();
    let mut failed = if wanted.is_empty() { BTreeMap::new() } else { fetch_all(wanted, settings, &copy) };
    let judge = |url: String| {
        let path = copy(&url);
        let mut note = failed.remove(&url);
        if !path.is_file() {
            return Fetched { url, path: None, note };
        }
        note = note.map(|note| Note { message: format!("{}; the copy of an earlier build is taken", note.message), ..note });
        match judged(&url, &path, settings) {
            Ok(told) => Fetched { url, path: Some(path), note: note.or(told) },
            Err(wrong) => Fetched { url, path: None, note: Some(wrong) },
        }
    };
    urls.into_iter().map(judge).collect()
}

// Whether a copy is what the merchant has seen.
fn judged(url: &str, path: &Path, settings: &RemoteSettings) -> Result<Option<Note>, Note> {
    let Some(checksums) = &settings.checksums else { return Ok(None) };
    let bytes = std::fs::read(path).map_err(|error| Note::new(format!("its copy cannot be read: {error}")))?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    match checksums.get(url) {
        Some(wanted) if *wanted == found => Ok(None),
        Some(wanted) => Err(Note::new(format!("it is another picture than the one with the checksum {wanted}"))
            .hint(format!("look at it; if it is right, write `{found}  {url}` among the checksums, and build with --no-cache"))),
        None => Ok(Some(Note::new("it has no checksum").hint(format!("write `{found}  {url}` among the checksums")))),
    }
}

// Why pictures are not here, by address.
fn fetch_all(urls: Vec<String>, settings: &RemoteSettings, copy: &dyn Fn(&str) -> PathBuf) -> BTreeMap<String, Note> {
    let all_failed = |error: String| urls.iter().map(|url| (url.clone(), Note::new(&error))).collect();
    let client = match client() {
        Ok(client) => client,
        Err(error) => return all_failed(error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return all_failed(error.to_string()),
    };
    runtime.block_on(async {
        let (places, mut asked) = (Arc::new(Semaphore::new(AT_A_TIME)), JoinSet::new());
        for url in urls {
            let (client, path, places, settings) = (client.clone(), copy(&url), Arc::clone(&places), settings.clone());
            asked.spawn(async move {
                let _place = places.acquire_owned().await;
                let patience = Duration::from_secs(settings.timeout_seconds);
                let got = tokio::time::timeout(patience, get(&client, &url, settings.max_bytes)).await;
                let got = got.unwrap_or_else(|_| Err(Note::new(format!("it was not here after {} s", settings.timeout_seconds))));
                let kept = got.and_then(|bytes| match keys::write(&path, &[&bytes]) {
                    Some(_) => Ok(()),
                    None => Err(Note::new("its copy cannot be written to the cache")),
                });
                kept.err().map(|note| (url, note))
            });
        }
        asked.join_all().await.into_iter().flatten().collect()
    })
}

type Pool = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

fn client() -> Result<Pool, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| error.to_string())?;
    // Whether plain HTTP may be spoken is asked of each address.
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(connector))
}

async fn get(client: &Pool, url: &str, max_bytes: u64) -> Result<Bytes, Note> {
    let mut uri: Uri = url.parse().map_err(|error| Note::new(format!("this is no address: {error}")))?;
    for _ in 0..=MAX_REDIRECTS {
        if !may_be_asked(&uri) {
            return Err(Note::new(format!("`{uri}` is not asked: it is not https")).hint("write https:// before it"));
        }
        let request = Request::get(uri.clone()).header(header::USER_AGENT, USER_AGENT).header(header::ACCEPT, "image/*");
        let request = request.body(Empty::new()).map_err(|error| Note::new(error.to_string()))?;
        let response =
            client.request(request).await.map_err(|error| Note::new(format!("it cannot be had: {}", cause(&error))))?;
        let status = response.status();
        if status.is_redirection() {
            let target = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            uri = target
                .and_then(|to| joined(&uri, to))
                .ok_or_else(|| Note::new(format!("its host answers {status} and leads nowhere")))?;
            continue;
        }
        if status != StatusCode::OK {
            let note = Note::new(format!("its host answers {status}"));
            return Err(note.hint("name another picture, or put one into static/"));
        }
        return body(response.into_body(), max_bytes).await;
    }
    Err(Note::new(format!("its host leads on more than {MAX_REDIRECTS} times")))
}

async fn body(mut body: hyper::body::Incoming, max_bytes: u64) -> Result<Bytes, Note> {
    let too_large = || {
        Note::new(format!("it has more than {max_bytes} bytes"))
            .hint("raise `remote_max_bytes` under [images], or save it smaller")
    };
    if body.size_hint().lower() > max_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Note::new(format!("it breaks off: {}", cause(&error))))?;
        let Some(data) = frame.data_ref() else { continue };
        if (bytes.len() + data.len()) as u64 > max_bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes.into())
}

fn may_be_asked(uri: &Uri) -> bool {
    let is_here = matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
    uri.scheme_str() == Some("https") || (is_here && uri.scheme_str() == Some("http"))
}

// An address of its own, or a path on the same host.
fn joined(from: &Uri, to: &str) -> Option<Uri> {
    if !to.starts_with('/') || to.starts_with("//") {
        return to.parse().ok().filter(|uri: &Uri| uri.scheme().is_some() && uri.host().is_some());
    }
    let parts = Uri::builder().scheme(from.scheme()?.clone()).authority(from.authority()?.clone()).path_and_query(to);
    parts.build().ok()
}

// The last of its causes says what happened.
fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_asked_and_this_machine() {
        let may = |url: &str| may_be_asked(&url.parse().expect("an address"));
        assert!(may("https://pictures.example/a.jpg") && may("http://127.0.0.1:8080/a.jpg"));
        for url in ["http://pictures.example/a.jpg", "http://169.254.169.254/", "ftp://localhost/a", "/a.jpg"] {
            assert!(!may(url), "{url}");
        }
    }

    #[test]
    fn a_redirect_leads_to_an_address_or_a_path() {
        let from: Uri = "https://a.example/x/y.jpg?z".parse().expect("an address");
        let to = |to: &str| joined(&from, to).map(|uri| uri.to_string());
        assert_eq!(to("/b.jpg?c").as_deref(), Some("https://a.example/b.jpg?c"));
        assert_eq!(to("https://b.example/c.jpg").as_deref(), Some("https://b.example/c.jpg"));
        assert_eq!(to("c.jpg"), None);
    }
}
