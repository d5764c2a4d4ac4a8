//! A bundle that is swapped while the edge serves, and bundles that are not taken.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::Value;
use vitrine::edge::app::{App, Clock, Settings};
use vitrine::edge::operator;
use vitrine::edge::pointed::Pointed;
use vitrine::theme::bundle::pointer::Pointer;
use vitrine::theme::bundle::{Bundle, SigningKey};

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
    future[8] = 12;
    let stranger = SigningKey::from_seed(&[5; 32]);
    for (bytes, reason) in [
        (damaged, "damaged"),
        (good[..good.len() / 2].to_vec(), "cut short"),
        (b"hello".to_vec(), "not a shop bundle"),
        (future, "unknown bundle format 12"),
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

/// A pointer to a bundle in a store, and whoever follows it.
struct Published {
    store: Arc<InMemory>,
    pointed: Pointed,
    runtime: tokio::runtime::Runtime,
}

impl Published {
    fn new(state: &std::path::Path) -> Self {
        let store = Arc::new(InMemory::new());
        let pointed = Pointed {
            store: store.clone(),
            prefix: "shop/_vitrine".to_owned(),
            state: state.to_owned(),
            keys: vec![signing_key().verifying_key()],
            development_keys: false,
            shop: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
        Self { store, pointed, runtime }
    }

    fn put(&self, name: &str, bytes: impl Into<PutPayload>) {
        let path = ObjectPath::from(format!("shop/_vitrine/{name}"));
        self.runtime.block_on(self.store.put(&path, bytes.into())).expect("put");
    }

    fn publish(&self, sequence: u64, price: i64) {
        let bytes = bundle(BASE_URL, price).seal(&signing_key());
        let hash = Bundle::open(&bytes, &[signing_key().verifying_key()], None).expect("our own").hash;
        self.put(&format!("bundles/{hash}.bundle"), bytes);
        self.put("live.pointer", Pointer::seal("tiny", sequence, &hash, &signing_key()));
    }

    fn refresh(&self, app: &App, seen: &mut Option<String>) -> Result<bool, String> {
        self.runtime.block_on(self.pointed.refresh(app, seen)).map_err(|error| error.to_string())
    }
}

#[test]
fn an_edge_follows_the_published_pointer_and_takes_higher_sequences_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let published = Published::new(folder.path());
    let refused = |error: vitrine::edge::bundle_file::BundleFileError| error.to_string();
    let none = published.runtime.block_on(published.pointed.load()).map_err(refused).expect_err("nothing was published");
    assert!(none.contains("live.pointer"), "{none}");
    published.publish(5, 1990);
    let live = published.runtime.block_on(published.pointed.load()).expect("it was published");
    let app = Arc::new(App::new(live, key_ring(), Settings::default(), Clock::of(|| NOW)));
    assert_eq!((lamp_price(&app), app.live.load().sequence), (1990, 5));
    let mut seen = None;
    assert_eq!(published.refresh(&app, &mut seen), Ok(false));
    published.publish(7, 2190);
    assert_eq!(published.refresh(&app, &mut seen), Ok(true));
    assert_eq!((lamp_price(&app), app.live.load().sequence), (2190, 7));
    // An older pointer that is played back, and one of the same sequence, change nothing.
    for sequence in [6, 7] {
        published.publish(sequence, 100);
        assert_eq!(published.refresh(&app, &mut seen), Ok(false));
        assert_eq!(lamp_price(&app), 2190);
    }
    // What cannot be proven is told while the old one serves on.
    let other = Pointer::seal("other", 8, &"ab".repeat(32), &signing_key());
    let stranger = Pointer::seal("tiny", 8, &"ab".repeat(32), &SigningKey::from_seed(&[5; 32]));
    let gone = Pointer::seal("tiny", 8, &"ab".repeat(32), &signing_key());
    for (pointer, reason) in
        [(other, "belongs to the shop `other`"), (stranger, "a key that is not trusted here"), (gone, "abab")]
    {
        published.put("live.pointer", pointer);
        let told = published.refresh(&app, &mut seen).expect_err(reason);
        assert!(told.contains(reason), "{told}");
        assert_eq!((lamp_price(&app), ready(&app)["refused"].as_str().is_some()), (2190, true));
    }
    let mut future = bundle(BASE_URL, 100).seal(&signing_key());
    future[8] = 99;
    published.put(&format!("bundles/{}.bundle", "ab".repeat(32)), future);
    let told = published.refresh(&app, &mut seen).expect_err("a format of tomorrow");
    assert!(told.contains("unknown bundle format 99"), "{told}");
    published.publish(9, 2290);
    assert_eq!(published.refresh(&app, &mut seen), Ok(true));
    assert_eq!((lamp_price(&app), ready(&app)["refused"].clone()), (2290, Value::Null));
    // A disk on which the copy cannot be kept: told, and taken once it can.
    let aside = folder.path().with_extension("aside");
    fs::rename(folder.path(), &aside).expect("moved");
    fs::write(folder.path(), "no folder").expect("a file in its place");
    published.publish(10, 100);
    let told = published.refresh(&app, &mut seen).expect_err("it cannot be kept");
    assert!(told.contains(&folder.path().display().to_string()), "{told}");
    assert_eq!((lamp_price(&app), ready(&app)["refused"].as_str().is_some()), (2290, true));
    fs::remove_file(folder.path()).and_then(|()| fs::rename(&aside, folder.path())).expect("moved back");
    assert_eq!(published.refresh(&app, &mut seen), Ok(true));
    published.publish(11, 2290);
    assert_eq!(published.refresh(&app, &mut seen), Ok(true));
    // After a restart too, and without the store.
    published.publish(8, 100);
    let again = published.runtime.block_on(published.pointed.load()).expect("its copy");
    assert_eq!(again.sequence, 11);
    let alone = Pointed { store: Arc::new(InMemory::new()), ..published.pointed.clone() };
    assert_eq!(published.runtime.block_on(alone.load()).expect("its copy").sequence, 11);
}
