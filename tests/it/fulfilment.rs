//! Fulfilment: what the house writes of a parcel, what the customer reads of it, and what the merchant's systems hear.

use serde_json::{Value, json};

use crate::orders_cli::orders;
use crate::subscribers::{buy, deliver, shop};
use crate::support::counter::{Counter, GOOD, Shopper, get, redirect_url};

/// A shop with a paid order of three lamps, and the address of its page.
fn sold() -> (Counter, String) {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 3);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    let page = shopper.come_back(&back).expect(303).header("location").to_owned();
    counter.round();
    (counter, page)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Letters of a kind, as a mail program reads them.
pub(crate) fn letters(counter: &Counter, kind: &str) -> Vec<String> {
    let id = format!("Message-ID: <{kind}-");
    let of_kind = counter.mails().into_iter().filter(|mail| mail.contains(&id));
    of_kind.map(|mail| mail.replace("=\r\n", "").replace("\r\n ", " ").replace("=3D", "=")).collect()
}

#[test]
fn a_part_is_sent_the_customer_reads_it_and_the_rest_follows() {
    let (counter, page) = sold();
    let parcel = ["--carrier", "Tiny Post", "--tracking", "JJD 1", "--url", "https://post.example/t?id=JJD1&x=1"];
    let words = [&["fulfil", "T-100001", "--line", "LAMP-S=2", "--json"][..], &parcel].concat();
    let (code, out, told) = orders(&counter, &words);
    assert_eq!(code, 0, "{told}");
    let sent = parsed(&out);
    assert_eq!((&sent["fulfillment"]["lines"][0]["quantity"], &sent["fulfillment"]["completes"]), (&json!(2), &json!(false)));
    let id = sent["fulfillment"]["id"].as_str().expect("a name").to_owned();
    counter.pass(1);
    counter.round();
    let [mail] = &letters(&counter, "sent")[..] else { panic!("one letter") };
    for words in [
        "To: ada@example.com",
        "Subject: Tiny: a part of order T-100001 is on its way",
        &format!("Message-ID: <sent-{id}@"),
        "Content-Type: text/plain",
        "Content-Type: text/html",
        "A part of your order is on its way.",
        "Tracking number: JJD 1",
        "https://post.example/t?id=JJD1&x=1",
        "https://post.example/t?id=JJD1&amp;x=1",
    ] {
        assert!(mail.contains(words), "{words} in {mail}");
    }
    let json = get(&counter.app, &format!("/api/v1{page}"), "application/json").expect(200);
    crate::openapi::check("GET", "/api/v1/orders/{order}", &json);
    let shown = json.json();
    assert_eq!((&shown["fulfillment"], &shown["fulfillments"][0]["carrier"]), (&json!("partly_fulfilled"), &json!("Tiny Post")));
    let html = get(&counter.app, &page, "text/html").expect(200).body;
    for words in ["On its way", "Tracking number: JJD 1", "href=\"https://post.example/t?id=JJD1&amp;x=1\"", "Left the house on"]
    {
        assert!(html.contains(words), "{words} in {html}");
    }
    let listed = |of: &str| orders(&counter, &["list", "--fulfilment", of]).1.lines().count();
    assert_eq!((listed("unfulfilled"), listed("partly"), listed("wholly")), (0, 1, 0));
    assert_eq!(orders(&counter, &["fulfil", "T-100001", "--no-mail"]).0, 0);
    counter.round();
    assert_eq!(letters(&counter, "sent").len(), 1, "nobody asked for a second letter");
    let shown = parsed(&orders(&counter, &["show", "T-100001", "--json"]).1);
    assert_eq!((&shown["fulfillment"], &shown["next"]), (&json!("fulfilled"), &json!("nothing: it is paid and sent")));
    let (_, text, _) = orders(&counter, &["show", "T-100001"]);
    for words in ["2 × LAMP-S, Tiny Post, JJD 1", "unit(s), Tiny Post, JJD 1", &format!("sent {id}"), "order.fulfilled"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let mut table = csv::Reader::from_reader(orders(&counter, &["export"]).1.into_bytes().leak() as &[u8]);
    let head = table.headers().expect("a head").clone();
    let row = table.records().next().expect("a row").expect("RFC 4180");
    let cell = |name: &str| row[head.iter().position(|column| column == name).expect(name)].to_owned();
    assert_eq!((cell("fulfillment"), cell("units_sent"), cell("tracking")), ("fulfilled".into(), "3".into(), "JJD 1".into()));
}

#[test]
fn what_cannot_be_sent_is_told_with_what_to_write() {
    let (counter, _) = sold();
    let mut waiting = Shopper::with(&counter, "MUG", 2);
    let ready = waiting.check_out();
    waiting.pay(&ready).expect(200);
    let open = parsed(&orders(&counter, &["list", "--json"]).1)[0]["id"].as_str().expect("an id").to_owned();
    for (words, expected) in [
        (
            &["fulfil", "T-100001", "--line", "LAMP-S=4"][..],
            "of LAMP-S in T-100001 only 3 can still be sent; write --line LAMP-S=3",
        ),
        (&["fulfil", "T-100001", "--line", "LAMP-S=4", "--dry-run"], "only 3 can still be sent"),
        (&["fulfil", "T-100001", "--line", "LAMP-S=4294967295", "--line", "LAMP-S=4294967295"], "only 3 can still be sent"),
        (&["fulfil", "T-100001", "--line", "MUG=1"], "T-100001 has no MUG; it has LAMP-S"),
        (&["fulfil", "T-100001", "--line", "LAMP-S=0"], "write a SKU and how many of it"),
        (&["fulfil", "T-100001", "--line", "LAMP-S=-1"], "write a SKU and how many of it"),
        (&["fulfil", "T-100001", "--line", "#2=1"], "T-100001 has the lines #1 to #1"),
        (&["fulfil", "T-100001", "--url", "http://post.example/1"], "--url: write an address that begins with https://"),
        (&["fulfil", "T-100001", "--url", "javascript:alert(1)"], "--url: write an address"),
        (&["fulfil", "T-100001", "--url", "https://a@evil.example/"], "--url: write an address"),
        (&["fulfil", "T-100001", "--carrier", "Post\r\nBcc: eve@example.com"], "--carrier: write one line"),
        (&["fulfil", "T-1"], "there is no order `T-1`"),
        (&["fulfil", &open], "is not paid, so nothing of it is sent"),
        (&["unfulfil", "nothing"], "there is no fulfilment `nothing`"),
    ] {
        let (code, _, told) = orders(&counter, words);
        assert!(code == 2 && told.contains(expected), "{words:?}: {told}");
    }
    let (code, _, told) = orders(&counter, &["fulfil", "T-100001", "--line", "LAMP-S=2", "--dry-run"]);
    assert!(code == 0 && told.contains("would send 2 × LAMP-S of T-100001"), "{told}");
    let shown = parsed(&orders(&counter, &["show", "T-100001", "--json"]).1);
    assert_eq!((&shown["fulfillments"], &shown["fulfillment"]), (&json!([]), &json!("unfulfilled")));
    assert_eq!(orders(&counter, &["fulfil", "T-100001", "--line", "LAMP-S=2"]).0, 0);
    let (code, _, told) = orders(&counter, &["refund", "T-100001", "--restock", "--dry-run"]);
    assert!(code == 0 && told.contains("and put its units back, of which 2 left the house"), "{told}");
    assert_eq!(orders(&counter, &["refund", "T-100001", "--restock", "--yes"]).0, 0);
    let (code, _, told) = orders(&counter, &["fulfil", "T-100001"]);
    assert!(code == 2 && told.contains("were put back into stock with a refund"), "{told}");
}

#[test]
fn what_all_the_money_went_back_for_is_sent_as_a_present_alone() {
    let (counter, _) = sold();
    assert_eq!(orders(&counter, &["refund", "T-100001", "--yes"]).0, 0);
    counter.pass(1);
    counter.round();
    let shown = parsed(&orders(&counter, &["show", "T-100001", "--json"]).1);
    assert_eq!(shown["next"], "nothing: all its money went back");
    let (code, _, told) = orders(&counter, &["fulfil", "T-100001"]);
    assert!(code == 2 && told.contains("all the money of T-100001 went back") && told.contains("--even-if-refunded"), "{told}");
    assert_eq!(orders(&counter, &["fulfil", "T-100001", "--even-if-refunded"]).0, 0);
}

#[test]
fn a_fulfilment_is_taken_back_before_the_letter_and_told_of_after_it() {
    let (counter, page) = sold();
    let fulfil = |key: &str| {
        let (code, out, told) = orders(&counter, &["fulfil", "T-100001", "--key", key, "--json"]);
        assert_eq!(code, 0, "{told}");
        parsed(&out)["fulfillment"]["id"].as_str().expect("a name").to_owned()
    };
    let first = fulfil("label-1");
    assert_eq!(fulfil("label-1"), first, "the same wish");
    assert_eq!(orders(&counter, &["unfulfil", &first]).0, 0);
    counter.round();
    assert_eq!(letters(&counter, "sent"), [""; 0], "what was taken back is not told of");
    let second = fulfil("label-2");
    counter.pass(1);
    counter.round();
    let mails = counter.mails();
    let (code, _, told) = orders(&counter, &["unfulfil", &second]);
    assert!(code == 2 && told.contains("the customer was told at 20") && told.contains("--even-if-told"), "{told}");
    let (code, _, told) = orders(&counter, &["unfulfil", &second, "--even-if-told"]);
    assert!(code == 0 && told.contains("the customer was told at"), "{told}");
    let html = get(&counter.app, &page, "text/html").expect(200).body;
    assert!(!html.contains("On its way"), "{html}");
    assert_eq!(counter.mails(), mails);
}

#[test]
fn the_merchants_systems_hear_of_parcels() {
    let (counter, receiver) = shop();
    buy(&counter);
    deliver(&counter);
    let (_, out, _) = orders(&counter, &["fulfil", "T-100001", "--tracking", "JJD1", "--json"]);
    let sent = parsed(&out)["fulfillment"].clone();
    assert_eq!(orders(&counter, &["unfulfil", sent["id"].as_str().expect("a name")]).0, 0);
    counter.pass(1);
    deliver(&counter);
    let received = receiver.received();
    let kinds: Vec<Value> = received.iter().map(|one| one.json()["type"].clone()).collect();
    assert_eq!(kinds, ["order.placed", "order.paid", "order.fulfilled", "order.unfulfilled"]);
    assert_eq!(received[2].json()["data"]["fulfillment"], sent);
    received.iter().for_each(|one| crate::openapi::check_event(&one.json()));
}
