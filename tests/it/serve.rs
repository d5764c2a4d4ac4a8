//! Serve: the merchant's own machine. One port is a whole shop; what is edited is seen; what is broken is told and keeps nothing down.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{form, json as ask, request};
use crate::support::shop::{Served, run};

fn starter() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, _, told) = run(folder.path(), &["init", "."]);
    assert_eq!(code, 0, "{told}");
    folder
}

/// A product of the starter shop: its file and what is in it.
fn cup(folder: &Path) -> (std::path::PathBuf, String) {
    let file = folder.join("content/products/table/morning-cup.md");
    let text = fs::read_to_string(&file).expect("the starter shop sells cups");
    (file, text)
}

/// Waits for news beyond a version, as an open page does.
fn news(port: u16, version: &Value) -> Value {
    request(port, "GET", &format!("/__vitrine/news?version={version}"), &[], "").expect(200).json()
}

#[test]
fn a_system_without_a_secret_keeps_no_developer_from_serving() {
    let folder = starter();
    let file = folder.path().join("site.toml");
    let text = fs::read_to_string(&file).expect("the starter shop has settings");
    fs::write(&file, text + "\n[[webhooks]]\nname = \"erp\"\nurl = \"https://erp.example/hooks\"\n").expect("written");
    let served = Served::start(folder.path());
    request(served.port, "GET", "/", &[], "").expect(200);
}

#[test]
fn one_port_is_a_whole_shop() {
    let folder = starter();
    let served = Served::start(folder.path());
    let home = request(served.port, "GET", "/", &[], "").expect(200);
    assert!(home.body.contains("/__vitrine/reload.js"), "an open page hears of news");
    request(served.port, "GET", "/products/morning-cup", &[], "").expect(200);
    assert!(request(served.port, "GET", "/cart", &[("accept", "text/html")], "").expect(200).body.contains("Your cart"));
    request(served.port, "GET", "/cartoon", &[], "").expect(404);
    let ready = ask(served.port, "GET", "/api/v1/availability/morning-cup", &[], &Value::Null).expect(200);
    assert_eq!(ready.json()["variants"][0]["sku"], "CUP-1");
    assert!(!folder.path().join("public").exists(), "pages that name this machine are kept apart from those that are published");
}

#[test]
fn a_product_appears_at_its_second_without_an_edit() {
    let folder = starter();
    let (file, text) = cup(folder.path());
    let soon = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + 3).expect("a time");
    fs::write(&file, text.replacen("+++\n", &format!("+++\npublish_at = \"{soon}\"\n"), 1)).expect("edited");
    let served = Served::start(folder.path());
    let first = news(served.port, &Value::Null);
    // Not there yet, unless the machine is slow: then held open until there is news.
    if request(served.port, "GET", "/products/morning-cup", &[], "").status == 404 {
        news(served.port, &first["version"]);
    }
    request(served.port, "GET", "/products/morning-cup", &[], "").expect(200);
}

#[test]
fn what_is_edited_is_seen_and_what_is_broken_is_told_and_keeps_nothing_down() {
    let folder = starter();
    let served = Served::start(folder.path());
    let (file, text) = cup(folder.path());
    let first = news(served.port, &Value::Null);
    fs::write(&file, text.replace("\"18.00\"", "\"19.50\"")).expect("edited");
    let second = news(served.port, &first["version"]);
    assert_eq!(second["error"], Value::Null);
    let page = request(served.port, "GET", "/products/morning-cup", &[], "").expect(200).body;
    assert!(page.contains("€19.50"), "{page}");
    let line = json!({"sku": "CUP-1", "quantity": 1});
    let cart = ask(served.port, "POST", "/api/v1/cart/lines", &[], &line).expect(200).json();
    assert_eq!(cart["lines"][0]["unit_price"]["amount"], 1950, "page and cart change together");
    fs::write(&file, text.replace("\"18.00\"", "\"18.001\"")).expect("broken");
    let third = news(served.port, &second["version"]);
    let error = third["error"].as_str().expect("it says what is wrong");
    assert!(error.contains("content/products/table/morning-cup.md") && error.contains("18.001"), "{error}");
    request(served.port, "GET", "/products/morning-cup", &[], "").expect(200);
    fs::write(&file, &text).expect("mended");
    let fourth = news(served.port, &third["version"]);
    assert_eq!(fourth["error"], Value::Null);
    assert!(request(served.port, "GET", "/products/morning-cup", &[], "").expect(200).body.contains("€18.00"));
}

#[test]
fn a_shop_that_is_broken_at_the_start_opens_once_it_is_mended() {
    let folder = starter();
    let (file, text) = cup(folder.path());
    fs::write(&file, "nothing").expect("broken");
    let served = Served::start(folder.path());
    let first = news(served.port, &Value::Null);
    assert!(first["error"].as_str().is_some_and(|text| text.contains("morning-cup.md")), "{first}");
    request(served.port, "GET", "/", &[], "").expect(404);
    fs::write(&file, text).expect("mended");
    assert_eq!(news(served.port, &first["version"])["error"], Value::Null);
    request(served.port, "GET", "/", &[], "").expect(200);
    request(served.port, "GET", "/cart", &[], "").expect(200);
}

#[test]
fn a_port_in_use_is_said_with_what_to_do() {
    let folder = starter();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (code, _, told) = run(folder.path(), &["serve", "--port", &port]);
    assert_eq!(code, 3);
    assert!(told.contains("is in use") && told.contains("--port"), "{told}");
}

#[test]
fn a_purchase_outlives_a_killed_process() {
    let folder = starter();
    let served = Served::start(folder.path());
    let form_of = [("sku", "CUP-1"), ("quantity", "1"), ("market", "eu")];
    let added = form(served.port, "/cart/lines", &[], &form_of).expect(303);
    let cookie = added.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cart").to_owned();
    let with_cart = [("cookie", cookie.as_str())];
    let checkout = form(served.port, "/checkout", &with_cart, &[]).expect(303).header("location").expect("a page").to_owned();
    let fields = [
        ("email", "ada@example.com"),
        ("name", "Ada"),
        ("line1", "Lindenweg 4"),
        ("city", "Berlin"),
        ("postal_code", "10115"),
        ("country", "DE"),
    ];
    form(served.port, &checkout, &with_cart, &fields).expect(303);
    let page = request(served.port, "GET", &checkout, &with_cart, "").expect(200).body;
    let field = |name: &str| {
        let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
        rest.split_once('"').expect("a value").0.to_owned()
    };
    let pay = [("quote_hash", field("quote_hash")), ("method", "sandbox".to_owned()), ("key", field("key"))];
    let pay = pay.each_ref().map(|(name, value)| (*name, value.as_str()));
    let paying = form(served.port, &format!("{checkout}/payment"), &with_cart, &pay).expect(303);
    let home = format!("http://127.0.0.1:{}", served.port);
    let gateway = paying.header("location").and_then(|url| url.strip_prefix(&home)).expect("the sandbox").to_owned();
    form(served.port, &gateway, &[], &[("number", "4242424242424242")]).expect(303);
    // The card was accepted, nobody came back, and the process dies without a word.
    drop(served);
    let served = Served::start(folder.path());
    let (code, orders, told) = run(folder.path(), &["orders", "list", "--json"]);
    assert_eq!(code, 0, "{told}");
    let orders: Value = serde_json::from_str(&orders).expect("JSON");
    assert_eq!((orders[0]["state"].as_str(), orders[0]["number"].as_str()), (Some("placed"), Some("LL-100001")), "{orders}");
    assert!(orders[0]["paid_at"].is_number(), "{orders}");
    let led = request(served.port, "GET", &checkout, &with_cart, "").expect(303);
    assert!(led.header("location").is_some_and(|to| to.starts_with("/orders/")), "{led:?}");
}
