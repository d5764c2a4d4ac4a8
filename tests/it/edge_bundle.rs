//! A bundle that is swapped while the edge serves, and bundles that are not taken.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;
use vitrine::edge::app::{App, Clock, Settings};
use vitrine::edge::operator;
use vitrine::theme::bundle::SigningKey;

use crate::support::client;
use crate::support::edge::{BASE_URL, Caller, NOW, bundle, bundle_file, key_ring, listen, signing_key};

/// An app over the bundle file of a fresh folder.
fn on_disk() -> (tempfile::TempDir, Arc<App>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("shop.bundle"), bundle(BASE_URL, 1990).seal(&signing_key())).expect("a bundle");
    let live = bundle_file(folder.path()).load().expect("a good bundle");
    let app = App::new(live, key_ring(), Settings::default(), Clock::of(|| NOW));
    (folder, Arc::new(app))
}

fn lamp_price(app: &Arc<App>) -> i64 {
    let got = Caller::new(app).json("GET", "/api/v1/availability/lamp", Value::Null).expect(200);
    got.json()["variants"][0]["price"]["amount"].as_i64().expect("a price")
}

fn ready(app: &Arc<App>) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a thread");
    let request = http::Request::builder().uri("/readyz").body(()).expect("a request");
    let response = operator::respond(app, &request);
    assert_eq!(response.status(), 200);
    let body = runtime.block_on(http_body_util::BodyExt::collect(response.into_body())).expect("a body").to_bytes();
    serde_json::from_slice(&body).expect("JSON")
}

#[test]
fn a_newer_bundle_is_taken_and_counted() {
    let (folder, app) = on_disk();
    let file = bundle_file(folder.path());
    assert_eq!((lamp_price(&app), app.live.load().sequence), (1990, 1));
    assert!(!file.refresh(&app).expect("nothing new"), "the same bundle is not taken twice");
    fs::write(&file.path, bundle(BASE_URL, 2190).seal(&signing_key())).expect("a bundle");
    assert!(file.refresh(&app).expect("a good bundle"));
    assert_eq!((lamp_price(&app), app.live.load().sequence), (2190, 2));
    assert_eq!(file.load().expect("a restart").sequence, 2, "a restart does not count");
}

#[test]
fn what_cannot_be_proven_is_refused_and_the_old_bundle_serves_on() {
    let (folder, app) = on_disk();
    let file = bundle_file(folder.path());
    let good = bundle(BASE_URL, 2190).seal(&signing_key());
    let mut damaged = good.clone();
    damaged[200] ^= 1;
    let mut other_shop = bundle(BASE_URL, 2190);
    other_shop.shop_id = "other".to_owned();
    let mut future = good.clone();
    future[8] = 9;
    let stranger = SigningKey::from_seed(&[5; 32]);
    for (bytes, reason) in [
        (damaged, "damaged"),
        (good[..good.len() / 2].to_vec(), "cut short"),
        (b"hello".to_vec(), "not a shop bundle"),
        (future, "unknown bundle format 9"),
        (other_shop.seal(&signing_key()), "belongs to the shop `other`"),
        (bundle(BASE_URL, 2190).seal(&stranger), "a key that is not trusted here"),
    ] {
        fs::write(&file.path, bytes).expect("a file");
        file.refresh(&app).expect_err(reason);
        assert_eq!(lamp_price(&app), 1990);
        let told = ready(&app)["refused"].as_str().expect("a reason").to_owned();
        assert!(told.contains(reason), "{told}");
    }
    fs::remove_file(&file.path).expect("gone");
    file.refresh(&app).expect_err("no file");
    fs::write(&file.path, good).expect("a bundle");
    assert!(file.refresh(&app).expect("a good bundle"));
    assert_eq!((lamp_price(&app), ready(&app)["refused"].clone()), (2190, Value::Null));
}

#[test]
fn development_keys_do_not_serve_the_world() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = bundle_file(folder.path());
    file.development_keys = true;
    fs::write(&file.path, bundle("https://tiny.example", 1990).seal(&signing_key())).expect("a bundle");
    let error = file.load().expect_err("a public shop").to_string();
    assert!(error.contains("vitrine keygen"), "{error}");
    fs::write(&file.path, bundle(BASE_URL, 1990).seal(&signing_key())).expect("a bundle");
    file.load().expect("loopback");
}

#[test]
fn no_request_fails_while_bundles_are_swapped() {
    let (folder, app) = on_disk();
    let file = bundle_file(folder.path());
    let port = listen(app.clone());
    let done = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let got = client::request(port, "GET", "/api/v1/availability/lamp", &[], "").expect(200);
                    let price = got.json()["variants"][0]["price"]["amount"].as_i64().expect("a price");
                    assert!((1000..1030).contains(&price) || price == 1990, "{price}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for price in 1000..1030 {
            let before = answered.load(Ordering::Relaxed);
            fs::write(&file.path, bundle(BASE_URL, price).seal(&signing_key())).expect("a bundle");
            assert!(file.refresh(&app).expect("a good bundle"));
            while answered.load(Ordering::Relaxed) < before + 4 {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(app.live.load().sequence, 31);
}
