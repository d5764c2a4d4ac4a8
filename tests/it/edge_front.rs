//! What stands before the edge: its secret, and the shopper's address that it tells.

use std::path::Path;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use vitrine::config;
use vitrine::edge::app::{App, Settings};
use vitrine::edge::front::{OriginSecrets, Peer};
use vitrine::edge::operator;
use vitrine::site::problem::Problems;
use vitrine::theme::bundle::{Bundle, FrontTerms};

use crate::support::client;
use crate::support::edge::{BASE_URL, Caller, Got, app_of, ask, bundle, listen};
use crate::support::shop::{folder, site};

const SECRET: &str = "a-secret-that-nobody-guesses";
const OLD: &str = "the-secret-of-the-day-before";

fn fronted(proxies: &[&str], secret_header: Option<&str>) -> Bundle {
    let front = FrontTerms {
        trusted_proxies: Some(proxies.iter().map(|&network| network.to_owned()).collect()),
        client_address_header: None,
        origin_secret_header: secret_header.map(str::to_owned),
    };
    Bundle { front, ..bundle(BASE_URL, 1990) }
}

fn guarded() -> std::sync::Arc<App> {
    let mut app = app_of(&fronted(&[], Some("X-Origin-Secret")), Settings::default());
    std::sync::Arc::get_mut(&mut app).expect("not shared yet").origin =
        OriginSecrets::list(&format!("{SECRET},{OLD}")).expect("two secrets");
    app
}

#[test]
fn who_passes_the_host_by_is_refused_wherever_they_ask() {
    let app = guarded();
    let mut stranger = Caller::new(&app);
    for (method, path) in [
        ("GET", "/api/v1/cart"),
        ("GET", "/api/v1/availability/lamp"),
        ("POST", "/api/v1/checkouts"),
        ("GET", "/api/v1/nothing"),
        ("PUT", "/api/v1/cart"),
        ("GET", "/api/v1/orders/x"),
    ] {
        let got = stranger.json(method, path, Value::Null);
        assert_eq!(got.header("cache-control"), "no-store", "{path}: a cache would show it to everybody");
        assert_eq!(got.code(403), "not_through_host", "{method} {path}");
    }
    let page = stranger.page("/cart").expect(403);
    assert!(page.body.contains("not the shop&#39;s own address") || page.body.contains("not the shop's own address"), "{page:?}");
    assert!(page.cookies().is_empty());
    assert_eq!(stranger.form("/cart/lines", "sku=LAMP-S&quantity=1").status, 403);
    for wrong in ["", "a-secret-that-nobody-guesse", "A-SECRET-THAT-NOBODY-GUESSES"] {
        assert_eq!(Caller::new(&app).with("x-origin-secret", wrong).json("GET", "/api/v1/cart", Value::Null).status, 403);
    }
}

#[test]
fn who_comes_through_the_host_is_served_under_either_secret() {
    let app = guarded();
    for secret in [SECRET, OLD] {
        let mut shopper = Caller::new(&app).with("x-origin-secret", secret);
        shopper.json("GET", "/api/v1/cart", Value::Null).expect(200);
        shopper.form("/cart/lines", "sku=LAMP-S&quantity=1").expect(303);
        let page = shopper.page("/cart").expect(200);
        assert!(!page.body.contains(secret) && !format!("{:?}", page.headers).contains(secret), "it goes nowhere");
    }
}

#[test]
fn a_gateway_may_ask_the_edge_itself_and_operators_are_asked_for_nothing() {
    let app = guarded();
    let got = Caller::new(&app).json("POST", "/api/v1/webhooks/stripe", serde_json::json!({}));
    assert_ne!(got.status, 403, "its signature is its proof: {got:?}");
    let ready = |app: &std::sync::Arc<App>| {
        let request = Request::get("/readyz").body(()).expect("a request");
        let answer = operator::respond(app, &request);
        assert_eq!(answer.status(), 200);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a thread");
        let body = runtime.block_on(http_body_util::BodyExt::collect(answer.into_body())).expect("a body").to_bytes();
        let told: Value = serde_json::from_slice(&body).expect("JSON");
        told["origin_secret"].as_str().expect("told").to_owned()
    };
    assert_eq!(ready(&app), "asked");
    let keyless = app_of(&fronted(&[], Some("X-Origin-Secret")), Settings::default());
    assert_eq!(ready(&keyless), "missing");
    Caller::new(&keyless).json("GET", "/api/v1/cart", Value::Null).expect(200);
    assert_eq!(ready(&app_of(&fronted(&[], None), Settings::default())), "none");
}

/// A step of a checkout from a peer, with what it says of who asks.
fn step(app: &std::sync::Arc<App>, peer: &str, forwarded_for: &str) -> Got {
    let mut request = Request::post("/api/v1/checkouts").body(Full::new(Bytes::new())).expect("a request");
    request.headers_mut().insert("x-forwarded-for", forwarded_for.parse().expect("a value"));
    request.extensions_mut().insert(Peer(format!("{peer}:4711").parse().expect("an address")));
    ask(app, request)
}

/// Steps until one is refused.
fn steps(app: &std::sync::Arc<App>, peer: &str, forwarded_for: &str) -> usize {
    (0..1_000).take_while(|_| step(app, peer, forwarded_for).status != 429).count()
}

#[test]
fn one_shopper_is_held_back_and_whoever_comes_through_the_same_proxy_is_not() {
    let app = app_of(&fronted(&["10.0.0.0/8"], None), Settings::default());
    let most = steps(&app, "10.0.0.7", "203.0.113.5");
    assert!((100..1_000).contains(&most), "{most}");
    let got = step(&app, "10.0.0.7", "203.0.113.5");
    assert_eq!(got.header("retry-after"), "1");
    assert_eq!(got.code(429), "too_many_requests");
    // Neither by what they send themselves, nor by another proxy of ours.
    assert_eq!(step(&app, "10.9.9.9", "198.51.100.1, 203.0.113.5, 10.1.1.1").status, 429);
    assert_ne!(step(&app, "10.0.0.7", "203.0.113.6").status, 429, "the next one");
    // Looking and filling a cart go on.
    let mut request = Request::get("/api/v1/cart").body(Full::new(Bytes::new())).expect("a request");
    request.headers_mut().insert("x-forwarded-for", "203.0.113.5".parse().expect("a value"));
    request.extensions_mut().insert(Peer("10.0.0.7:1".parse().expect("an address")));
    ask(&app, request).expect(200);
}

#[test]
fn a_stranger_cannot_use_up_what_another_may_do() {
    let app = app_of(&fronted(&["10.0.0.0/8"], None), Settings::default());
    assert!(steps(&app, "192.0.2.66", "203.0.113.5") < 1_000, "held back by the address of the connection");
    assert_ne!(step(&app, "10.0.0.7", "203.0.113.5").status, 429);
    let unknown = app_of(&bundle(BASE_URL, 1990), Settings::default());
    assert_eq!(steps(&unknown, "192.0.2.66", "203.0.113.5"), 1_000, "a proxy that nobody named would be all shoppers at once");
}

#[test]
fn the_server_knows_who_is_at_the_other_end() {
    let port = listen(app_of(&fronted(&["127.0.0.1"], None), Settings::default()));
    let step = || client::request(port, "POST", "/api/v1/checkouts", &[("x-forwarded-for", "203.0.113.5")], "").status;
    assert!((0..1_000).any(|_| step() == 429));
}

#[track_caller]
fn told(edge: &str, expected: &[&str]) {
    let shop = folder(&[("site.toml", &(site("EUR") + "\n[edge]\n" + edge))]);
    let mut problems = Problems::new();
    config::read(Path::new(shop.path()), &mut problems);
    let told = problems.render(false);
    assert_eq!(problems.errors() == 0, expected.is_empty(), "{told}");
    for part in expected {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn what_is_written_wrong_is_told_at_its_place() {
    told("trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::/32\"]\norigin_secret_header = \"X-Origin-Secret\"\n", &[]);
    told("trusted_proxies = []\n", &[]);
    let two = "trusted_proxies = [\"10.1.2.3/8\", \"fine.example\", \"::/0\"]\nclient_address_header = \"CF Connecting\"\n";
    told(
        two,
        &[
            "site.toml:",
            "names one address of a network: the network is `10.0.0.0/8`",
            "write \"10.0.0.0/8\"",
            "`fine.example` is not a network",
            "`::/0` is everybody",
            "`CF Connecting` is not a header's name",
        ],
    );
    told("client_address_header = \"CF-Connecting-IP\"\n", &["no network is trusted to write it"]);
    told("trusted_proxies = [\"10.0.0.0/8\"]\nclient_address_header = \"Forwarded\"\n", &["`Forwarded` is not read"]);
    told("origin_secret_header = \"Cookie\"\n", &["`Cookie` says something else already", "X-Origin-Secret"]);
    told("origin_secret = \"x\"\n", &["unknown key `origin_secret`", "VITRINE_ORIGIN_SECRETS"]);
    let same = "trusted_proxies = [\"10.0.0.0/8\"]\nclient_address_header = \"X-A\"\norigin_secret_header = \"x-a\"\n";
    told(same, &["one header cannot hold both"]);
}
