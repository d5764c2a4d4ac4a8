//! A person: told all that is kept of them, taken out of it, and what every page and command says of the order afterwards.

use serde_json::{Value, json};

use crate::faulty::hooks::HookFault;
use crate::orders_cli::orders;
use crate::refunds::{hears, sold as sold_by_stripe};
use crate::support::counter::{Counter, GOOD, Shopper, get, redirect_url};
use crate::support::desk::{Browser, sold as sold_with_operator};
use crate::support::edge::Caller;

/// What names Ada: as she wrote it, and as it is folded.
const NAMES: [&str; 6] = ["ada@example.com", "Ada Example", "Lindenweg", "Berlin", "10115", "parcel-of-ada"];

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A shop with a paid order that was sent, the shopper who bought, and the address of the order's page.
fn sold() -> (Counter, Shopper, String) {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 2);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    let page = shopper.come_back(&back).expect(303).header("location").to_owned();
    counter.round();
    assert_eq!(orders(&counter, &["fulfil", "T-100001", "--carrier", "Post", "--tracking", "parcel-of-ada"]).0, 0);
    counter.pass(1);
    counter.round();
    (counter, shopper, page)
}

fn no_name_in(text: &str) {
    for name in NAMES {
        assert!(!text.to_lowercase().contains(&name.to_lowercase()), "{name} in {text}");
    }
}

#[test]
fn a_person_is_told_all_that_is_kept_for_people_and_for_programs() {
    let (counter, _, _) = sold();
    assert_eq!(orders(&counter, &["note", "T-100001", "Ada Example called"]).0, 0);
    let (code, text, told) = orders(&counter, &["person", "--email", "ADA@Example.com"]);
    assert_eq!(code, 0, "{told}");
    for words in [
        "order     T-100001, placed",
        "for       ada@example.com, Ada Example, Lindenweg 4, 10115, Berlin, DE",
        "bought    2 × LAMP-S",
        "payment   2026-",
        "parcel-of-ada",
        "command line: Ada Example called",
        "confirmation done",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let out = counter.folder.path().join("ada.json");
    let (code, printed, told) =
        orders(&counter, &["person", "--email", "ada@example.com", "--json", "--out", out.to_str().expect("text")]);
    assert!(code == 0 && printed.is_empty() && told.contains("1 checkouts"), "{told}");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&out).expect("a file").permissions().mode() & 0o777, 0o600, "its owner's alone");
    let all = parsed(&std::fs::read_to_string(&out).expect("written"));
    let order = &all[0]["orders"][0];
    assert_eq!(
        (&order["number"], &order["quote"]["contact"]["email"], &order["payments"][0]["state"], &order["notes"][0]["text"]),
        (&json!("T-100001"), &json!("ada@example.com"), &json!("paid"), &json!("Ada Example called"))
    );
    assert_eq!(
        (&order["fulfillments"][0]["tracking"], order["mails"].as_array().map(Vec::len)),
        (&json!("parcel-of-ada"), Some(2))
    );
    // Whoever is not known is told so, in the same shape.
    let (code, out, told) = orders(&counter, &["person", "--email", "eve@example.com", "--json"]);
    assert_eq!((code, parsed(&out), told.as_str()), (0, json!([]), ""));
    let (code, out, told) = orders(&counter, &["person", "--email", "eve@example.com"]);
    assert!(code == 0 && out.is_empty() && told.contains("nothing is kept that names eve@example.com"), "{told}");
}

#[test]
fn erasing_is_planned_asked_for_refused_while_something_waits_and_done_once() {
    let (counter, _, page) = sold();
    let proof = page.split_once("?token=").map(|(path, token)| (path.rsplit('/').next().expect("an id"), token));
    let (id, token) = proof.expect("a token");
    Caller::new(&counter.app)
        .form("/orders/withdraw", &format!("step=confirm&order={id}&token={token}&what=all&reason=too+bright"))
        .expect(200);
    let (code, _, told) = orders(&counter, &["erase", "T-100001", "--yes"]);
    assert!(code == 1 && told.contains("not erased: order T-100001: a withdrawal from it waits for you"), "{told}");
    let (_, stuck, _) = orders(&counter, &["stuck", "--json"]);
    let name = parsed(&stuck)[0]["name"].as_str().expect("a name").to_owned();
    assert_eq!(orders(&counter, &["resolve", &name, "--note", "Ada Example was told"]).0, 0);
    let (code, _, told) = orders(&counter, &["erase", "T-100001", "--yes"]);
    assert!(code == 1 && told.contains("a mail or other promised work"), "{told}");
    counter.pass(1);
    counter.round();
    for words in [&["erase"][..], &["erase", "T-100001", "--email", "ada@example.com"], &["erase", "T-100009", "--yes"]] {
        assert_eq!(orders(&counter, words).0, 2, "{words:?}");
    }
    let (code, _, told) = orders(&counter, &["erase", "T-100001"]);
    assert!(code == 2 && told.contains("write --yes"), "{told}");
    let (code, out, _) = orders(&counter, &["erase", "--email", "Ada@example.com", "--dry-run", "--json"]);
    let plan = parsed(&out);
    assert_eq!((code, &plan["done"], &plan["erased"][0]["orders"]), (0, &json!(false), &json!(["T-100001"])));
    assert!(orders(&counter, &["list"]).1.contains("ada@example.com"), "a plan changes nothing");
    let (code, out, told) = orders(&counter, &["erase", "--email", "Ada@example.com", "--yes", "--json"]);
    let done = parsed(&out);
    assert_eq!((code, &done["done"], &done["erased"][0]["orders"]), (0, &json!(true), &json!(["T-100001"])), "{told}");
    let (code, _, told) = orders(&counter, &["erase", "--email", "ada@example.com", "--yes"]);
    assert!(code == 0 && told.contains("nothing is kept"), "{told}");
    assert_eq!(orders(&counter, &["erase", "T-100001", "--yes"]).0, 0);
    let log = counter.run(counter.till().store.audit(None, None, 100)).expect("the log");
    assert_eq!(log.iter().filter(|entry| entry.action == "erased").count(), 1, "once, and it is written who did it");
}

#[test]
fn an_erased_order_is_shown_listed_and_exported_and_nobody_is_written_to() {
    let (counter, mut shopper, page) = sold();
    let mails = counter.mails().len();
    assert_eq!(orders(&counter, &["erase", "T-100001", "--yes"]).0, 0);
    for words in [&["show", "T-100001"][..], &["show", "T-100001", "--json"], &["list"], &["list", "--json"], &["export"]] {
        let (code, out, told) = orders(&counter, words);
        assert!(code == 0 && out.contains("T-100001"), "{words:?}: {told}");
        no_name_in(&out);
    }
    for what in ["orders", "lines", "refunds", "taxes"] {
        let (code, out, told) = orders(&counter, &["export", "--what", what]);
        assert_eq!(code, 0, "{what}: {told}");
        no_name_in(&out);
    }
    let (_, taxes, _) = orders(&counter, &["export", "--what", "taxes", "--format", "jsonl"]);
    assert!(taxes.contains("\"country\":\"DE\""), "{taxes}");
    let (_, shown, _) = orders(&counter, &["show", "T-100001"]);
    assert!(shown.contains("erased 20") && shown.contains("whoever bought was erased"), "{shown}");
    // Its page, for whoever has the link.
    let html = get(&counter.app, &page, "text/html").expect(200).body;
    no_name_in(&html);
    assert!(html.contains("told who ordered were erased on") && html.contains("Buy it again"), "{html}");
    assert!(!html.contains("withdraw?order=") && !html.contains("on its way to"), "{html}");
    let told = get(&counter.app, &format!("/api/v1{page}"), "application/json").expect(200);
    crate::openapi::check("GET", "/api/v1/orders/{order}", &told);
    let json = told.json();
    no_name_in(&json.to_string());
    assert_eq!((&json["messages"][0]["code"], &json["email"]), (&json!("erased"), &json!("")));
    let (path, token) = page.split_once("?token=").expect("a token");
    assert_eq!(get(&counter.app, &format!("{path}/mail?token={token}"), "text/html").status, 404);
    // Withdrawing needs somebody to acknowledge it to.
    let id = path.rsplit('/').next().expect("an id");
    let asked = get(&counter.app, &format!("/orders/withdraw?order={id}&token={token}"), "text/html").expect(200);
    assert!(asked.body.contains("name=\"number\""), "as for anybody: {}", asked.body);
    for form in [
        format!("step=confirm&order={id}&token={token}&what=all"),
        "step=confirm&number=T-100001&email=ada%40example.com&what=all".to_owned(),
        "step=confirm&number=T-100001&email=+&what=all".to_owned(),
    ] {
        let got = Caller::new(&counter.app).form("/orders/withdraw", &form);
        assert!([200, 422].contains(&got.status), "{form}: {got:?}");
    }
    assert_eq!(counter.run(counter.till().store.withdrawals(&id.into())).expect("a look").len(), 0);
    // What was bought can be bought again; the checkout that it was leads to its order or to nothing.
    let again = Caller::new(&counter.app).form(&format!("{path}/again?token={token}"), "");
    assert!(again.status == 303 && again.header("location") == "/cart", "{again:?}");
    let checkout = shopper.checkout.clone();
    for got in [
        shopper.caller.json("GET", &checkout, Value::Null),
        shopper.caller.page(&checkout.replace("/api/v1/checkouts", "/checkout")),
    ] {
        assert!(got.status < 500, "{got:?}");
        no_name_in(&got.body);
    }
    // Nothing can be sent; money can go back, without a word to anybody.
    for words in [&["resend-mail", "T-100001"][..], &["fulfil", "T-100001", "--key", "parcel-of-ada"]] {
        let (code, _, told) = orders(&counter, words);
        assert!(code == 2 && told.contains("whoever bought was erased from this order"), "{words:?}: {told}");
    }
    assert_eq!(orders(&counter, &["refund", "T-100001", "--amount", "4.80", "--yes"]).0, 0);
    for _ in 0..3 {
        counter.pass(60);
        counter.round();
    }
    assert_eq!(counter.payments().iter().map(|payment| payment.refunded_minor).sum::<i64>(), 480);
    assert_eq!((counter.mails().len(), orders(&counter, &["stuck"]).0), (mails, 0));
    // Another process on the same files compares it with the gateway as any other.
    let counter = counter.restarted();
    assert_eq!((counter.orders(), orders(&counter, &["stuck"]).0), (vec![("placed".to_owned(), true)], 0));
}

#[test]
fn late_events_of_the_gateway_and_comparisons_go_on() {
    let shop = sold_by_stripe();
    hears(&shop, HookFault::Fine);
    shop.counter.round();
    let (code, _, told) = orders(&shop.counter, &["erase", "T-100001", "--yes"]);
    assert_eq!(code, 0, "{told}");
    let intent = shop.faulty.objects("payment_intent")[0]["id"].as_str().expect("a name").to_owned();
    shop.faulty.dispute(&intent, "needs_response");
    let results = hears(&shop, HookFault::Doubled);
    assert!(results.iter().all(|result| result.as_deref() == Some("applied")), "{results:?}");
    shop.counter.round();
    shop.catch_up();
    let (code, stuck, _) = orders(&shop.counter, &["stuck"]);
    assert!(code == 1 && stuck.contains("order T-100001"), "{stuck}");
    let (code, _, told) = orders(&shop.counter, &["erase", "T-100001", "--yes"]);
    assert!(code == 1 && told.contains("disputed"), "{told}");
    shop.faulty.dispute(&intent, "won");
    hears(&shop, HookFault::Fine);
    shop.counter.round();
    // What came since goes as well.
    assert_eq!(orders(&shop.counter, &["erase", "T-100001", "--yes"]).0, 0);
    let file = rusqlite::Connection::open(shop.counter.folder.path().join("shop.db"));
    if let Some(file) = file.ok().filter(|_| std::env::var_os("VITRINE_POSTGRES").is_none()) {
        let bytes: i64 = file.query_row("SELECT sum(length(body)) FROM inbox", [], |row| row.get(0)).expect("a sum");
        assert_eq!(bytes, 0, "the gateway's words name whoever paid");
    }
}

#[test]
fn an_operator_erases_by_a_page_that_says_what_will_happen() {
    let counter = sold_with_operator();
    counter.round();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get("/desk/orders/T-100001").expect(200);
    assert!(page.body.contains("Erase whoever bought"), "{}", page.body);
    let asked = ada.post("/desk/orders/T-100001/erase", &page, &[]).expect(200);
    for words in ["Erase whoever bought?", "for ever", "Order T-100001"] {
        assert!(asked.body.contains(words), "{words} in {}", asked.body);
    }
    for _ in 0..2 {
        let done = ada.post("/desk/orders/T-100001/erase", &asked, &[("step", "do")]).expect(303);
        let shown = ada.get(done.header("location")).expect(200);
        assert!(shown.body.contains("Whoever bought was erased on"), "{}", shown.body);
        no_name_in(&shown.body);
        assert!(!shown.body.contains("Send the confirmation again") && !shown.body.contains("Erase whoever bought</button>"));
    }
    no_name_in(&ada.get("/desk/orders").expect(200).body);
    let log = counter.run(counter.till().store.audit(None, None, 100)).expect("the log");
    let erased: Vec<_> = log.iter().filter(|entry| entry.action == "erased").map(|entry| entry.operator.as_str()).collect();
    assert_eq!(erased, ["ada"]);
}
