//! Addresses, groups and the end of patience; what goes over the wire is held against a socket in `tests/it/purge.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::client::{HttpError, HttpResponse, HttpService};

use super::*;

fn urls_of(paths: &[&str]) -> Vec<String> {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    urls("https://shop.example", &paths).into_iter().map(|url| url.replace("https://shop.example", "")).collect()
}

#[test]
fn addresses_are_those_that_shoppers_ask_for() {
    let check = |path: &str, expected: &[&str]| assert_eq!(urls_of(&[path]), expected, "{path}");
    check("index.html", &["/"]);
    check("de.html", &["/de"]);
    check("products/lamp.html", &["/products/lamp"]);
    check("products/lamp/index.html", &["/products/lamp", "/products/lamp/"]);
    check("404.html", &["/404.html"]);
    check("feed.xml", &["/feed.xml"]);
    check("products/lamp.html.br", &["/products/lamp"]);
    check("files/all.tar.gz", &["/files/all.tar.gz"]);
    check("a/theme.1.css", &[]);
    check("_headers", &[]);
    check("manifest.json", &[]);
    check("files/Größe 1*.pdf", &["/files/Gr%C3%B6%C3%9Fe%201%2A.pdf"]);
    assert_eq!(urls_of(&["feed.xml", "index.html", "feed.xml"]), ["/", "/feed.xml"]);
    assert_eq!((path_of("https://shop.example/a?b"), path_of("https://shop.example")), ("/a?b", "/"));
}

#[test]
fn groups_hold_what_a_vendor_takes_at_a_time() {
    let urls: BTreeSet<String> = (0..2001).map(|number| format!("https://shop.example/{number:04}")).collect();
    let sizes = |cdn: &Cdn| cdn.groups(&urls).iter().map(Vec::len).collect::<Vec<_>>();
    let cloudflare = |batch| Cdn::Cloudflare { zone: String::new(), batch, endpoint: None };
    assert_eq!((sizes(&cloudflare(100)).len(), sizes(&cloudflare(500))), (21, vec![500, 500, 500, 500, 1]));
    assert_eq!(sizes(&Cdn::CloudFront { distribution: String::new(), endpoint: None }), [1000, 1000, 1]);
    assert_eq!(sizes(&Cdn::Fastly { soft: false, endpoint: None }).len(), 2001);
    assert_eq!(cloudflare(100).groups(&urls).concat(), urls.into_iter().collect::<Vec<_>>());
}

/// Answers all the same.
#[derive(Debug)]
struct Same(u16, &'static str, Arc<AtomicUsize>);

#[async_trait::async_trait]
impl HttpService for Same {
    async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.2.fetch_add(1, Ordering::SeqCst);
        let answer = ::http::Response::builder().status(self.0).header(header::RETRY_AFTER, self.1);
        Ok(answer.body("{\"msg\": \"key s3cret is out of breath\"}".to_owned().into()).expect("an answer"))
    }
}

async fn told(status: u16, retry_after: &'static str) -> (String, usize) {
    let tries = Arc::new(AtomicUsize::new(0));
    let same = Same(status, retry_after, tries.clone());
    let patience = Patience { first_pause: Duration::from_millis(1), total: Duration::from_millis(100) };
    let cdn = Cdn::Fastly { soft: false, endpoint: None };
    let caller = Caller { cdn, secret: Secret::new("s3cret").expect("letters"), client: HttpClient::new(same), patience };
    let told = caller.call(&["https://shop.example/".to_owned()], 1).await.expect_err("it is refused");
    (told, tries.load(Ordering::SeqCst))
}

#[tokio::test]
async fn patience_ends_and_secrets_are_in_no_message() {
    let (text, tries) = told(503, "0").await;
    assert!(text.starts_with("it answered 503: key … is out of breath; it was asked for"), "{text}");
    // 1 + 2 + 4 + … milliseconds within a hundred.
    assert!((2..=7).contains(&tries), "{tries}");
    let (text, tries) = told(429, "3600").await;
    assert!(text.contains("wants 3600 s more") && tries == 1, "{tries}: {text}");
    let (text, tries) = told(403, "0").await;
    assert!(text.contains("FASTLY_API_TOKEN") && tries == 1, "{tries}: {text}");
    assert_eq!(format!("{:?}", Secret::new("s3cret")), "Some(Secret)");
}

#[test]
fn a_service_may_say_when_it_is_ready_again() {
    let after = |text: &'static str| retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(text))]));
    assert_eq!(after("7"), Some(Duration::from_secs(7)));
    assert_eq!(after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
    assert_eq!((after("soon"), after("-1")), (None, None));
}
