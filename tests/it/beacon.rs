//! Beacons: what pages tell is counted, and nothing else; and how a page was goes along with its cart until the order is paid.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use vitrine::edge::app::{App, Settings};
use vitrine::edge::front::Peer;
use vitrine::edge::routes::beacon::BURST_OF_ALL;
use vitrine::edge::{cart_token, counted};
use vitrine::store::aggregates::{Aggregate, Aggregates};
use vitrine::telemetry::beacons::Lost;
use vitrine::telemetry::cells::{Counts, Requests, Steps, Times, Views};
use vitrine::telemetry::vitals::{Band, Bucket, Connection, Device, Measure, Origin};

use crate::limits::Buyer;
use crate::support::counter::details;
use crate::support::edge::{BASE_URL, Caller, NOW, app, app_of, ask, bundle};
use crate::support::rig::Rig;

const BEACON: &str =
    r#"{"page":"product","device":"phone","connection":"fast","market":"eu","lcp":1240,"inp":56,"cls":12,"ttfb":90}"#;

fn tell(app: &Arc<App>, kind: &str, body: &str) -> u16 {
    Caller::new(app).send("POST", "/api/v1/beacon", Some(kind), body.as_bytes().to_vec(), "*/*").status
}

/// Every measure is told once, and a shopper meets a problem.
pub(crate) fn one_of_each(app: &Arc<App>) {
    let beacon = BEACON.replace("\"product\"", "\"category\"").replace("\"lcp\"", "\"first_product\":900,\"lcp\"");
    assert_eq!(tell(app, "text/plain", &beacon), 204);
    assert_eq!(app.tally.metrics.lost(Lost::Forged), 0);
    Caller::new(app).json("POST", "/api/v1/cart/lines", json!({"sku": "VASE", "quantity": 1})).expect(422);
}

/// Writes down what was counted, and reads it back.
pub(crate) fn written(app: &App) -> Vec<Aggregate> {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a thread");
    runtime.block_on(async {
        let aggregates = Aggregates::open_file(&folder.path().join("metrics.db")).expect("a file");
        counted::write_down(app, &aggregates, "one").await.expect("written");
        let mut all = Vec::new();
        aggregates.each(0, i64::MAX - 1, |row| all.push(row)).await.expect("read");
        all
    })
}

/// The steps of carts, by bucket.
fn steps(rows: &[Aggregate]) -> BTreeMap<String, Steps> {
    let of = |row: &Aggregate| {
        let mut steps = Steps::default();
        steps.merge_bytes(&row.body).expect("ours");
        (row.cell.clone(), steps)
    };
    rows.iter().filter(|row| row.kind == "steps").map(of).collect()
}

fn problems(rows: &[Aggregate]) -> BTreeMap<String, u64> {
    let of = |row: &Aggregate| {
        let mut times = Times::default();
        times.merge_bytes(&row.body).expect("ours");
        (row.cell.clone(), times.0)
    };
    rows.iter().filter(|row| row.kind == "problems").map(of).collect()
}

#[test]
fn what_pages_tell_is_counted_by_the_hour_whatever_type_it_is_sent_as() {
    let app = app(Settings::default());
    for kind in ["text/plain;charset=UTF-8", "application/json"] {
        assert_eq!(tell(&app, kind, BEACON), 204);
    }
    assert_eq!(tell(&app, "text/plain", &BEACON.replace("1240", "2480")), 204);
    let rows = written(&app);
    let views: Vec<&Aggregate> = rows.iter().filter(|row| row.kind == "views").collect();
    assert_eq!(views.len(), 1, "{rows:?}");
    assert_eq!((views[0].hour, views[0].cell.as_str()), (NOW.0 / 3600, "eu/product/phone/fast"));
    let mut told = Views::default();
    told.merge_bytes(&views[0].body).expect("ours");
    let lcp = told.measure(Measure::Lcp).expect("told");
    assert_eq!((told.count, lcp.count(), told.measure(Measure::FirstProduct)), (3, 3, None));
    assert!((1228..=1240).contains(&lcp.per_mille(500).expect("values")));
    assert!(views[0].body.len() < 64, "{} bytes", views[0].body.len());
}

#[test]
fn what_no_page_sends_is_dropped_and_counted_and_told_apart_from_nothing() {
    let app = app(Settings::default());
    let forged = [
        BEACON.replace("\"eu\"", "\"mars\""),
        BEACON.replace("phone", "watch"),
        BEACON.replace("1240", "99999999999999"),
        BEACON.replace("\"lcp\"", "\"person\""),
        "{}".to_owned(),
        String::new(),
        "\u{0}".to_owned(),
    ];
    for body in &forged {
        assert_eq!(tell(&app, "text/plain", body), 204, "{body}");
    }
    assert_eq!(app.tally.metrics.lost(Lost::Forged), forged.len() as u64);
    assert_eq!(tell(&app, "text/plain", &format!("{BEACON}{}", " ".repeat(1024))), 413);
    assert_eq!(written(&app).iter().filter(|row| row.kind == "views").count(), 0);
    let mut foreign = Caller::new(&app).with("sec-fetch-site", "cross-site");
    assert_eq!(foreign.send("POST", "/api/v1/beacon", Some("text/plain"), BEACON.into(), "*/*").status, 403);
}

#[test]
fn one_network_tells_so_much_and_not_more() {
    let mut shop = bundle("http://127.0.0.1:8080", 1990);
    shop.front.trusted_proxies = Some(Vec::new());
    let app = app_of(&shop, Settings::default());
    let from = |address: &str| {
        let request = http::Request::builder().method("POST").uri("/api/v1/beacon");
        let mut request = request.body(http_body_util::Full::new(BEACON.into())).expect("a request");
        request.extensions_mut().insert(Peer(address.parse().expect("an address")));
        ask(&app, request).status
    };
    let heard = (0..2_100).filter(|_| from("203.0.113.5:1") == 204).count();
    assert_eq!(heard, 2_000);
    assert_eq!((from("203.0.113.5:2"), from("203.0.113.6:1")), (429, 204));
    let cells = written(&app);
    assert!(problems(&cells).is_empty(), "no shopper sees that a page was not heard: {cells:?}");
    let bytes: usize = cells.iter().map(|row| row.cell.len() + row.body.len()).sum();
    assert!(bytes < 200, "nothing of who told it: {cells:?}");
}

#[test]
fn all_pages_together_tell_so_much_and_not_more_whoever_they_are() {
    let app = app(Settings::default());
    let heard = (0..BURST_OF_ALL + 10).filter(|_| tell(&app, "text/plain", BEACON) == 204).count();
    assert_eq!(heard, BURST_OF_ALL as usize);
    assert!(problems(&written(&app)).is_empty());
}

#[test]
fn the_page_a_cart_is_begun_on_counts_and_none_after_it() {
    let rig = Rig::open();
    let bucket = 41;
    let add = json!({"sku": "LAMP-S", "quantity": 1, "vitals": bucket});
    // Begun before anything was measured: a later page does not take it.
    let mut caller = Caller::new(&rig.app);
    caller.form("/cart/lines", "sku=LAMP-S&quantity=1").expect(303);
    caller.json("POST", "/api/v1/cart/lines", add.clone()).expect(200);
    caller.json("POST", "/api/v1/checkouts", json!({})).expect(201);
    // A destination is no cart yet; its first line is, and only that.
    let mut caller = Caller::new(&rig.app);
    caller.json("PUT", "/api/v1/cart/destination", json!({"country": "DE"})).expect(200);
    let cart = caller.json("POST", "/api/v1/cart/lines", add.clone()).expect(200).json();
    let line = cart["lines"][0]["id"].as_str().expect("an id").to_owned();
    caller.json("DELETE", &format!("/api/v1/cart/lines/{line}"), Value::Null).expect(200);
    caller.json("POST", "/api/v1/cart/lines", add).expect(200);
    let counted = steps(&written(&rig.app));
    assert_eq!(counted["eu/EUR/0"], Steps { carts: 1, checkouts: 1, ..Steps::default() }, "{counted:?}");
    assert_eq!(counted["eu/EUR/41"], Steps { carts: 1, ..Steps::default() }, "{counted:?}");
}

#[test]
fn what_is_bought_again_is_a_cart_that_was_begun() {
    let rig = Rig::open();
    let mut buyer = Buyer::at(&rig);
    let paying = buyer.pay().expect(200).json();
    Buyer::gives_card(&rig, &paying);
    rig.round();
    let told = buyer.look();
    let url = told["order"]["url"].as_str().unwrap_or_else(|| panic!("an order: {told}"));
    let path = url[url.find("/orders/").expect("a path")..].replace("?token", "/again?token");
    Caller::new(&rig.app).form(&path, "").expect(303);
    let carts: u64 = steps(&written(&rig.app)).values().map(|steps| steps.carts).sum();
    assert_eq!(carts, 2, "the one that was bought, and the one that is the same");
}

#[test]
fn whoever_writes_down_does_so_alone() {
    let app = app(Settings::default());
    for page in ["product", "home", "category", "cart", "search"] {
        for device in ["phone", "tablet", "desktop"] {
            for connection in ["fast", "slow"] {
                let beacon = BEACON.replace("product", page).replace("phone", device).replace("fast", connection);
                assert_eq!(tell(&app, "text/plain", &beacon), 204);
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let aggregates = Aggregates::open_file(&folder.path().join("metrics.db")).expect("a file");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a thread");
    let write = || counted::write_down(&app, &aggregates, "one");
    let (first, second) = runtime.block_on(async { tokio::join!(write(), write()) });
    assert_eq!((first.expect("written"), second.expect("written")), (30, 0), "two at once would part them");
}

#[test]
fn how_a_page_was_is_nowhere_once_its_order_is_paid() {
    let rig = Rig::open();
    let mut caller = Caller::new(&rig.app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1, "vitals": 41})).expect(200);
    let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    let id = opened["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/checkouts/{id}");
    let ready = caller.json("PATCH", &path, details()).expect(200).json();
    let stored = || rig.run(rig.till().store.checkout(&id.as_str().into())).expect("read").expect("there");
    let token_of = |token: &str| cart_token::decode(token, &rig.app.keys, NOW).expect("ours").vitals_bucket;
    assert_eq!((stored().vitals_bucket, token_of(&stored().cart_token)), (41, 0));
    let paying = Buyer { caller, path, ready }.pay().expect(200).json();
    Buyer::gives_card(&rig, &paying);
    for _ in 0..3 {
        rig.pass(40);
        rig.round();
    }
    assert_eq!(rig.captured(), 1);
    assert_eq!((stored().vitals_bucket, token_of(&stored().cart_token)), (0, 0));
    let counted = steps(&written(&rig.app));
    assert_eq!((counted["eu/EUR/41"].orders, counted.len()), (1, 1), "{counted:?}");
}

#[test]
fn how_a_page_was_goes_along_with_its_cart_until_the_order_is_paid() {
    let rig = Rig::open();
    let bucket =
        Bucket { band: Band::Under2s, device: Device::Phone, connection: Connection::Fast, origin: Origin::Product }.number();
    let add = |vitals: Value| json!({"sku": "LAMP-S", "quantity": 1, "vitals": vitals});
    let mut caller = Caller::new(&rig.app);
    caller.json("POST", "/api/v1/cart/lines", add(json!(bucket))).expect(200);
    // The first page counts; a later one changes nothing.
    caller.json("POST", "/api/v1/cart/lines", add(json!(1))).expect(200);
    let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    // Back, and on again.
    caller.json("POST", "/api/v1/checkouts", json!({})).expect(201);
    let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    let ready = caller.json("PATCH", &path, details()).expect(200).json();
    let paying = Buyer { caller, path, ready }.pay().expect(200).json();
    Buyer::gives_card(&rig, &paying);
    let mut quiet = Caller::new(&rig.app);
    quiet.form("/cart/lines", "sku=LAMP-S&quantity=1").expect(303);
    let mut by_form = Caller::new(&rig.app);
    by_form.form("/cart/lines", &format!("sku=LAMP-S&quantity=1&vitals={bucket}")).expect(303);
    for strange in [json!(241), json!(255), json!(256), json!(-1), json!(1e300)] {
        Caller::new(&rig.app).json("POST", "/api/v1/cart/lines", add(strange)).expect(200);
    }
    for _ in 0..3 {
        rig.pass(40);
        rig.round();
    }
    assert_eq!(rig.captured(), 1);
    let counted = steps(&written(&rig.app));
    let told = counted[&format!("eu/EUR/{bucket}")];
    assert_eq!((told.carts, told.checkouts, told.orders), (2, 1, 1), "{counted:?}");
    assert!(told.revenue_minor >= 2 * 1990, "{told:?}");
    assert_eq!(counted["eu/EUR/0"], Steps { carts: 6, ..Steps::default() }, "{counted:?}");
    assert_eq!(counted.len(), 2);
}

#[test]
fn what_shoppers_meet_is_counted_and_what_programs_do_wrong_is_not() {
    let rig = Rig::open();
    let mut caller = Caller::new(&rig.app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "VASE", "quantity": 1})).code(422);
    caller.form("/cart/lines", "sku=VASE&quantity=1").expect(422);
    caller.form("/cart/lines", "sku=MUG&quantity=3").expect(422);
    caller.form("/cart/coupons", "code=NOTHING").expect(422);
    caller.json("GET", "/api/v1/nothing", Value::Null).code(404);
    caller.json("POST", "/api/v1/cart/lines", json!({"strange": 1})).code(400);
    let rows = written(&rig.app);
    let met: Vec<(String, u64)> = problems(&rows).into_iter().collect();
    let wanted = [("coupon_refused", 1), ("out_of_stock", 2), ("quantity_refused", 1)];
    assert_eq!(met, wanted.map(|(word, count)| (word.to_owned(), count)));
    assert_eq!(rig.metric("vitrine_problems_met_total{problem=\"out_of_stock\"}"), 2.0);
    let mut cart = Requests::default();
    let row = rows.iter().find(|row| row.kind == "requests" && row.cell == "cart").expect("requests of carts");
    cart.merge_bytes(&row.body).expect("ours");
    assert_eq!((cart.count(), cart.failed), (5, 0));
}

#[test]
fn what_keeps_a_checkout_from_being_paid_is_counted_as_what_it_is() {
    let rig = Rig::open();
    let mut caller = Caller::new(&rig.app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
    let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    let id = opened["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/checkouts/{id}");
    // What is not told yet is no problem.
    caller.json("PATCH", &path, json!({"contact": {"email": "ada@example.com"}})).expect(200);
    assert!(problems(&written(&rig.app)).is_empty());
    let mut far = details();
    far["address"]["country"] = json!("JP");
    caller.json("PATCH", &path, far).expect(200);
    let form = "email=ada%40example.com&name=Ada&line1=Lindenweg+4&city=Berlin&postal_code=10115&country=JP";
    caller.form(&format!("/checkout/{id}"), form).expect(422);
    // The same details, of what is not sold any more.
    let mut empty = bundle(BASE_URL, 1990);
    empty.catalog = Default::default();
    rig.go_live(&empty);
    caller.json("PATCH", &path, details()).expect(200);
    let met: Vec<(String, u64)> = problems(&written(&rig.app)).into_iter().collect();
    assert_eq!(met, [("address_refused".to_owned(), 2), ("out_of_stock".to_owned(), 1)]);
}

#[test]
fn edges_add_up_and_what_is_written_twice_counts_once() {
    let edges = [app(Settings::default()), app(Settings::default())];
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    runtime.block_on(async {
        let aggregates = Aggregates::open_file(&folder.path().join("metrics.db")).expect("a file");
        for _ in 0..3 {
            for (edge, name) in edges.iter().zip(["one", "two"]) {
                let body = BEACON.replace("\"eu\"", "\"us\"");
                let kind = http::Request::builder().method("POST").uri("/api/v1/beacon");
                let request = kind.body(http_body_util::Full::new(bytes::Bytes::from(body))).expect("a request");
                assert_eq!(vitrine::edge::server::respond(edge, request).await.status(), 204);
                counted::write_down(edge, &aggregates, name).await.expect("written");
            }
        }
        let mut told = Views::default();
        let mut rows = 0;
        let hour = NOW.0 / 3600;
        let each = |row: Aggregate| {
            rows += 1;
            told.merge_bytes(&row.body).expect("ours");
        };
        aggregates.each(hour, hour + 1, each).await.expect("read");
        assert_eq!((told.count, rows), (6, 2));
        assert_eq!(aggregates.forget(hour + 1).await.expect("forgotten"), 2);
        assert_eq!(aggregates.counted().await.expect("read"), None);
    });
}
