//! What the edge does with requests that are wrong, hostile, too large or too slow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use vitrine::edge::app::Settings;
use vitrine::edge::http::{Call, Mount, MountHandler, Reply};
use vitrine::edge::server::MAX_HEAD_BYTES;

use crate::support::client;
use crate::support::edge::{Caller, app, listen};

fn caller() -> Caller {
    Caller::new(&app(Settings::default()))
}

/// Sends bytes and reads until the server closes; gives the status, or 0 where it closed without an answer.
fn raw(port: u16, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out can be set");
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let line = String::from_utf8_lossy(&answer);
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn addresses_and_methods_that_are_not_there_are_told() {
    let mut caller = caller();
    assert_eq!(caller.json("GET", "/api/v1/nothing", Value::Null).code(404), "not_found");
    let got = caller.json("PUT", "/api/v1/cart", json!({})).expect(405);
    assert_eq!(got.header("allow"), "GET, HEAD");
    assert_eq!(caller.json("POST", "/api/v1/cart/lines/x", json!({})).expect(405).header("allow"), "DELETE, PATCH");
    let page = caller.page("/cart/nothing/here").expect(404);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
}

#[test]
fn head_is_get_without_a_body() {
    let mut caller = caller();
    let get = caller.json("GET", "/api/v1/cart", Value::Null).expect(200);
    let head = caller.json("HEAD", "/api/v1/cart", Value::Null).expect(200);
    assert_eq!((head.body.as_str(), head.header("content-length")), ("", get.body.len().to_string().as_str()));
}

#[test]
fn every_answer_is_closed_to_sniffing_framing_and_keeping() {
    let mut caller = caller();
    for (path, cache) in [("/api/v1/cart", "no-store"), ("/cart", "private, no-cache"), ("/api/v1/nothing", "no-store")] {
        let got = caller.send("GET", path, None, Vec::new(), "*/*");
        assert_eq!(got.header("cache-control"), cache, "{path}");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("x-frame-options"), "DENY");
        assert_eq!(got.header("referrer-policy"), "strict-origin-when-cross-origin");
        assert!(got.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(got.header("x-request-id").len(), 16);
    }
}

#[test]
fn a_mounted_page_has_the_policy_of_pages_and_a_panic_in_it_ends_that_request_alone() {
    let mut app = app(Settings::default());
    let handler: MountHandler = Box::new(|call: Call| {
        Box::pin(async move {
            assert!(call.uri.path() != "/sandbox/panic", "told to panic");
            Reply::html(http::StatusCode::OK, "<style>p{}</style><form method=post></form>".to_owned())
        })
    });
    Arc::get_mut(&mut app).expect("not shared yet").mounts.push(Mount { prefix: "/sandbox/", handler });
    let mut caller = Caller::new(&app);
    let got = caller.page("/sandbox/pay").expect(200);
    assert!(got.header("content-security-policy").contains("form-action 'self'"), "{got:?}");
    caller.page("/sandbox/panic").expect(500);
    caller.page("/sandbox/pay").expect(200);
    let mut hostile = Caller::new(&app).with("sec-fetch-site", "cross-site");
    hostile.form("/sandbox/pay", "number=1").expect(403);
}

#[test]
fn other_types_of_body_are_refused() {
    let mut caller = caller();
    let body = br#"{"sku":"LAMP-S","quantity":1}"#.to_vec();
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx"), Some("")] {
        let got = caller.send("POST", "/api/v1/cart/lines", kind, body.clone(), "application/json");
        assert_eq!(got.code(415), "unsupported_media_type", "{kind:?}");
    }
    let got = caller.send("POST", "/api/v1/cart/lines", Some("Application/JSON; charset=utf-8"), body.clone(), "*/*");
    got.expect(200);
    caller.send("POST", "/cart/lines", Some("multipart/form-data; boundary=x"), body, "text/html").expect(415);
}

#[test]
fn bodies_that_are_no_json_are_refused() {
    let mut caller = caller();
    let deep = "[".repeat(10_000);
    for body in ["", "{", "null", "[]", "{\"sku\":\"LAMP-S\"}", "{\"sku\":1,\"quantity\":1}", "\u{feff}{}", deep.as_str(), "{}{}"]
    {
        let got = caller.send("POST", "/api/v1/cart/lines", Some("application/json"), body.as_bytes().to_vec(), "*/*");
        assert_eq!(got.status, 400, "{body:.40} {got:?}");
    }
    let twice = r#"{"sku":"LAMP-S","sku":"LAMP-L","quantity":1}"#.as_bytes().to_vec();
    caller.send("POST", "/api/v1/cart/lines", Some("application/json"), twice, "*/*").expect(400);
}

#[test]
fn a_form_sent_from_a_foreign_page_changes_nothing() {
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let mut hostile = caller().with(name, value);
        let got = hostile.form("/cart/lines", "sku=LAMP-S&quantity=1").expect(403);
        assert!(got.cookies().is_empty(), "{name}: {value}");
        let body = json!({"sku": "LAMP-S", "quantity": 1});
        assert_eq!(hostile.json("POST", "/api/v1/cart/lines", body).code(403), "cross_site");
        hostile.json("DELETE", "/api/v1/cart/coupons/SPRING", Value::Null).expect(403);
    }
    let mut rewritten = caller().with("host", "origin.internal").with("origin", "http://127.0.0.1:8080");
    rewritten.form("/cart/lines", "sku=LAMP-S&quantity=1").expect(303);
}

#[test]
fn a_body_of_ten_megabytes_is_refused_and_the_client_hears_it() {
    let port = listen(app(Settings::default()));
    let body = "x".repeat(10 * 1024 * 1024);
    for path in ["/api/v1/cart/lines", "/cart/lines"] {
        let got = client::request(port, "POST", path, &[("content-type", "application/json")], &body);
        assert_eq!(got.status, 413, "{path}");
    }
    client::request(port, "GET", "/api/v1/cart", &[], "").expect(200);
}

#[test]
fn floods_of_headers_and_endless_addresses_are_refused() {
    let port = listen(app(Settings::default()));
    let many: String = (0..500).map(|number| format!("x-{number}: 1\r\n")).collect();
    assert_eq!(raw(port, format!("GET /api/v1/cart HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()), 431);
    // No byte more than the server reads: what it leaves unread would reset the connection before the answer is heard.
    let mut long = b"GET /api/v1/cart HTTP/1.1\r\nhost: x\r\nx: ".to_vec();
    long.resize(MAX_HEAD_BYTES, b'a');
    assert_eq!(raw(port, &long), 431);
    let address = format!("GET /api/v1/cart?{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "a".repeat(3_000));
    assert_eq!(raw(port, address.as_bytes()), 414);
    assert_eq!(raw(port, b"nonsense\r\n\r\n"), 400);
    assert_eq!(raw(port, b"GET /api/v1/cart HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"), 400);
    client::request(port, "GET", "/api/v1/cart", &[], "").expect(200);
}

#[test]
fn a_slow_client_is_let_go() {
    let settings =
        Settings { head_timeout: Duration::from_millis(100), body_timeout: Duration::from_millis(100), ..Settings::default() };
    let port = listen(app(settings));
    assert_eq!(raw(port, b""), 0, "a silent connection is closed");
    let half_head = raw(port, b"GET /api/v1/cart HTTP/1.1\r\nhost:");
    assert!(matches!(half_head, 0 | 408), "half a head: {half_head}");
    let half_body =
        b"POST /api/v1/cart/lines HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    assert_eq!(raw(port, half_body), 408);
    client::request(port, "GET", "/api/v1/cart", &[], "").expect(200);
}

#[test]
fn more_connections_than_allowed_wait_their_turn() {
    let port = listen(app(Settings { max_connections: 1, head_timeout: Duration::from_millis(200), ..Settings::default() }));
    let idle = TcpStream::connect(("127.0.0.1", port)).expect("the first connection");
    client::request(port, "GET", "/api/v1/cart", &[], "").expect(200);
    drop(idle);
}

proptest! {
    #![proptest_config(crate::support::cases(200))]

    #[test]
    fn arbitrary_bytes_are_never_our_fault(
        body in prop::collection::vec(any::<u8>(), 0..300),
        path in prop::sample::select(vec!["/api/v1/cart/lines", "/api/v1/cart/destination", "/cart/lines", "/cart/coupons", "/cart/destination"]),
        form in any::<bool>(),
    ) {
        let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let method = if path.ends_with("destination") && path.starts_with("/api") { "PUT" } else { "POST" };
        let got = caller().send(method, path, Some(kind), body, "application/json");
        prop_assert!(got.status < 500, "{:?}", got);
    }

    #[test]
    fn arbitrary_json_is_never_our_fault(
        sku in ".{0,30}",
        quantity in any::<f64>(),
        seen in any::<i64>(),
        key in ".{0,10}",
        text in ".{0,300}",
        market in prop::option::of("[a-z]{0,4}"),
    ) {
        let mut body = json!({"sku": sku, "quantity": 2, "seen_price_minor": seen, "properties": {key: text}});
        if let Some(market) = market {
            body["market"] = json!(market);
        }
        prop_assert!(caller().json("POST", "/api/v1/cart/lines", body).status < 500);
        let body = json!({"sku": "LAMP-S", "quantity": quantity, "seen_price_minor": seen});
        prop_assert!(caller().json("POST", "/api/v1/cart/lines", body).status < 500);
    }

    #[test]
    fn arbitrary_tokens_and_addresses_are_never_our_fault(token in "[!-~]{0,200}", tail in "[!-~&&[^?#]]{0,60}") {
        let mut caller = caller().with("cart-token", &token);
        prop_assert!(caller.json("GET", "/api/v1/cart", Value::Null).status == 200);
        let encoded = percent_encoding::utf8_percent_encode(&tail, percent_encoding::NON_ALPHANUMERIC).to_string();
        for path in [format!("/api/v1/cart/coupons/{encoded}"), format!("/api/v1/cart/lines/{encoded}")] {
            prop_assert!(caller.json("DELETE", &path, Value::Null).status < 500);
            prop_assert!(caller.json("PUT", &path, Value::Null).status < 500);
        }
    }
}
