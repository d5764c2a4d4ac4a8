//! Serve: the finished pages on a developer's own machine, and the news that they changed.
//!
//! Owns    answering from `public/`, the long poll that reloads the browser, the overlay that shows a build error, and the watcher.
//! Knows   nothing of carts: `cli/serve` puts the edge's paths on the same port.
//! Limits  a development server: loopback, no compression, nothing cached.

mod watch;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use tokio::sync::watch as channel;

pub use self::watch::{WatchError, Watcher};

use super::media;

/// Paths that belong to the development server itself.
pub const OWN_PATHS: &str = "/__vitrine/";

const SCRIPT: &str = include_str!("reload.js");
const SCRIPT_TAG: &str = "<script src=\"/__vitrine/reload.js\" defer></script>";

/// What the browser is told about the last build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct News {
    /// Counts builds that changed something or failed; a page reloads when it rises.
    pub version: u64,
    /// What was wrong with the last build, as the terminal shows it; `None`: it is good.
    pub error: Option<String>,
}

/// The pages and the news. Clones share the news.
#[derive(Clone, Debug)]
pub struct Pages {
    public: Arc<Path>,
    news: Arc<channel::Sender<News>>,
}

impl Pages {
    /// Serves the folder `public`, which may not exist yet.
    pub fn new(public: PathBuf) -> Self {
        Self { public: public.into(), news: Arc::new(channel::Sender::new(News::default())) }
    }

    /// Tells every open page how the last build ended.
    pub fn tell(&self, error: Option<String>) {
        self.news.send_modify(|news| {
            news.version += 1;
            news.error = error;
        });
    }

    /// Answers a GET or HEAD for a page, a file or the news. `query` is the address's query, if any.
    pub async fn respond(&self, method: &Method, path: &str, query: Option<&str>) -> Response<Full<Bytes>> {
        if *method != Method::GET && *method != Method::HEAD {
            return answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "only GET and HEAD here\n".into());
        }
        match path.strip_prefix(OWN_PATHS) {
            Some("reload.js") => answer(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT.into()),
            Some("news") => self.next_news(query).await,
            Some(_) => self.missing().await,
            None => self.file(path).await,
        }
    }

    // Answers as soon as the version is another than the one the page knows; a page that knows none is answered at once.
    async fn next_news(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        let known = query.and_then(|query| query.strip_prefix("version=")).and_then(|text| text.parse::<u64>().ok());
        let mut receiver = self.news.subscribe();
        let changed = receiver.wait_for(|news| Some(news.version) != known).await;
        let news = changed.map(|news| news.clone()).unwrap_or_default();
        let body = serde_json::to_vec(&news).expect("a number and a text always serialise");
        answer(StatusCode::OK, "application/json", body.into())
    }

    async fn file(&self, path: &str) -> Response<Full<Bytes>> {
        let Some(relative) = safe_path(path) else { return self.missing().await };
        for candidate in candidates(&relative) {
            let file = self.public.join(&candidate);
            if let Ok(bytes) = tokio::fs::read(&file).await {
                return self.reply(StatusCode::OK, media::content_type(&candidate.to_string_lossy()), bytes);
            }
        }
        self.missing().await
    }

    async fn missing(&self) -> Response<Full<Bytes>> {
        let page = tokio::fs::read(self.public.join("404.html")).await;
        let body =
            page.unwrap_or_else(|_| b"<!doctype html><title>Nothing here</title><h1>Nothing here yet</h1></body>".to_vec());
        self.reply(StatusCode::NOT_FOUND, "text/html; charset=utf-8", body)
    }

    fn reply(&self, status: StatusCode, kind: &'static str, mut bytes: Vec<u8>) -> Response<Full<Bytes>> {
        if kind.starts_with("text/html") {
            let end = b"</body>";
            let place = bytes.windows(end.len()).rposition(|window| window == end).unwrap_or(bytes.len());
            bytes.splice(place..place, SCRIPT_TAG.bytes());
        }
        answer(status, kind, bytes.into())
    }
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

// The path below `public/`, or `None` for one that would leave it.
fn safe_path(path: &str) -> Option<PathBuf> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    if decoded.contains(['\0', '\\']) {
        return None;
    }
    let relative = PathBuf::from(decoded.trim_start_matches('/'));
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then_some(relative)
}

// As generated host configurations do: the file itself, then with `.html`, then a folder's index.
fn candidates(relative: &Path) -> Vec<PathBuf> {
    if relative.as_os_str().is_empty() {
        return vec![PathBuf::from("index.html")];
    }
    let mut page = relative.as_os_str().to_owned();
    page.push(".html");
    vec![relative.to_path_buf(), page.into(), relative.join("index.html")]
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn pages() -> (tempfile::TempDir, Pages) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let public = folder.path().join("public");
        std::fs::create_dir_all(public.join("products")).expect("created");
        std::fs::write(public.join("index.html"), "<body>home</body>").expect("written");
        std::fs::write(public.join("404.html"), "<body>lost</body>").expect("written");
        std::fs::write(public.join("products/lamp.html"), "<body>lamp</body>").expect("written");
        std::fs::write(public.join("a.css"), "a{}").expect("written");
        std::fs::write(folder.path().join("secret.txt"), "secret").expect("written");
        (folder, Pages::new(public))
    }

    async fn get(pages: &Pages, path: &str) -> (u16, String) {
        let response = pages.respond(&Method::GET, path, None).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
        (status, String::from_utf8(bytes.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn addresses_without_ending_find_their_pages_with_the_reload_script() {
        let (_folder, pages) = pages();
        assert_eq!(get(&pages, "/products/lamp").await, (200, format!("<body>lamp{SCRIPT_TAG}</body>")));
        assert_eq!(get(&pages, "/").await.0, 200);
        assert_eq!(get(&pages, "/a.css").await, (200, "a{}".to_owned()));
        assert_eq!(get(&pages, "/nothing").await, (404, format!("<body>lost{SCRIPT_TAG}</body>")));
    }

    #[tokio::test]
    async fn no_path_leaves_the_public_folder() {
        let (_folder, pages) = pages();
        for path in
            ["/../secret.txt", "/%2e%2e/secret.txt", "/products/../../secret.txt", "/..%5csecret.txt", "/a%00.css", "/%ff"]
        {
            let (status, body) = get(&pages, path).await;
            assert_eq!(status, 404, "{path}");
            assert!(!body.contains("secret"), "{path}");
        }
    }

    #[tokio::test]
    async fn news_wait_for_a_change_and_carry_the_error() {
        let (_folder, pages) = pages();
        let waiting = {
            let pages = pages.clone();
            tokio::spawn(async move { pages.respond(&Method::GET, "/__vitrine/news", Some("version=0")).await })
        };
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        pages.tell(Some("error: broken".to_owned()));
        let body = waiting.await.expect("no panic").into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(&body[..], br#"{"version":1,"error":"error: broken"}"#);
        assert_eq!(get(&pages, "/__vitrine/news").await.1, r#"{"version":1,"error":"error: broken"}"#);
    }
}
