//! Orders' command line: beside a shop, on its file, what it says and what becomes of it.

use std::fs;

use serde_json::{Value, json};

use crate::faulty::faults::Fault;
use crate::support::counter::{Counter, GOOD, Shopper, details, redirect_url};
use crate::support::shop::run;
use crate::support::stripe::{StripeShop, session_of};

pub(crate) fn orders(counter: &Counter, words: &[&str]) -> (i32, String, String) {
    let store = counter.folder.path().join("shop.db");
    let words = [&["orders"], words, &["--store", store.to_str().expect("UTF-8")]].concat();
    run(counter.folder.path(), &words)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn sold() -> Counter {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    counter.round();
    counter
}

fn refunded(counter: &Counter) -> i64 {
    counter.payments().iter().map(|payment| payment.refunded_minor).sum()
}

#[test]
fn a_refund_is_asked_for_planned_and_made_by_the_edge() {
    let counter = sold();
    let (code, _, told) = orders(&counter, &["refund", "T-100001", "--amount", "4.80", "--dry-run"]);
    assert!(code == 0 && told.contains("would give back 4.80 EUR of T-100001"), "{told}");
    let (code, _, told) = orders(&counter, &["refund", "T-100001"]);
    assert!(code == 2 && told.contains("write --yes"), "{told}");
    assert_eq!(refunded(&counter), 0);
    let (code, out, _) = orders(&counter, &["refund", "T-100001", "--amount", "4.80", "--reason", "late", "--yes", "--json"]);
    assert!(code == 0 && parsed(&out)["state"] == "pending", "{out}");
    let shown = parsed(&orders(&counter, &["show", "T-100001", "--json"]).1);
    assert_eq!(
        (&shown["refunds"][0]["state"], &shown["next"]),
        (&"pending".into(), &"a refund is on its way; the edge looks after it".into())
    );
    counter.round();
    assert_eq!(refunded(&counter), 480);
    // All that is left, with its units.
    assert_eq!(orders(&counter, &["refund", "T-100001", "--restock", "--yes"]).0, 0);
    counter.round();
    assert_eq!((refunded(&counter), counter.stock("LAMP-S")), (2480, (100, 0, 1)));
    let (code, _, told) = orders(&counter, &["refund", "T-100001", "--yes"]);
    assert!(code == 2 && told.contains("all of T-100001 went back already"), "{told}");
    let (_, shown, _) = orders(&counter, &["show", "T-100001"]);
    for words in
        ["placed as T-100001", "captured 24.80 EUR", "refunded 4.80 EUR", "over 24.80 EUR", "order.refunded", "confirmation done"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
}

#[test]
fn what_cannot_go_back_is_told_with_what_to_write() {
    let counter = sold();
    for (words, expected) in [
        (&["refund", "T-100001", "--amount", "24.81", "--yes"][..], "at most 24.80 EUR can still go back; write --amount 24.80"),
        (&["refund", "T-100001", "--amount", "lots", "--yes"], "write an amount in EUR, such as 24.80"),
        (&["refund", "T-1", "--yes"], "there is no order `T-1`; `vitrine orders list`"),
        (&["cancel", "T-100001"], "T-100001 is paid; give the money back with `vitrine orders refund T-100001`"),
        (&["resolve", "nothing", "--note", "x"], "as `vitrine orders stuck` prints it"),
        (&["export", "--since", "yesterday"], "or a day such as 2026-12-01"),
        (&["export", "--since", "2026-02-02", "--until", "2026-02-01"], "is not before --until"),
    ] {
        let (code, _, told) = orders(&counter, words);
        assert!(code == 2 && told.contains(expected), "{words:?}: {told}");
    }
    assert_eq!(refunded(&counter), 0);
}

#[test]
fn a_confirmation_is_sent_again() {
    let counter = sold();
    let mails = counter.mails();
    fs::remove_dir_all(counter.folder.path().join("mail")).expect("mails");
    assert_eq!(orders(&counter, &["resend-mail", "T-100001"]).0, 0);
    counter.round();
    assert_eq!(counter.mails(), mails, "the same bytes, its Message-ID among them");
    assert_eq!(orders(&counter, &["stuck"]), (0, String::new(), "nothing is stuck\n".to_owned()));
}

#[test]
fn the_held_money_of_a_placed_order_is_let_go() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    shopper.come_back(&back).expect(303);
    counter.forget_capture();
    let (code, _, told) = orders(&counter, &["refund", "T-100001", "--yes"]);
    assert!(code == 2 && told.contains("`vitrine orders cancel T-100001` lets held money go"), "{told}");
    assert_eq!(orders(&counter, &["cancel", "T-100001"]).0, 0);
    counter.round();
    assert_eq!((counter.orders(), counter.captured()), (vec![("canceled".to_owned(), false)], vec![]));
    assert_eq!(counter.stock("LAMP-S"), (100, 0, 0));
    let shown = parsed(&orders(&counter, &["show", "T-100001", "--json"]).1);
    assert_eq!(shown["order"]["state"], "canceled");
    assert!(orders(&counter, &["cancel", "T-100001"]).2.contains("canceled already"));
}

#[test]
fn orders_are_exported_as_tables_that_no_spreadsheet_obeys() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 2);
    shopper.check_out();
    let mut odd = details();
    odd["contact"]["phone"] = json!("+49 30 1234567");
    odd["address"]["name"] = json!("=SUM(1,2) \"Ada\"");
    let ready = shopper.tell(odd);
    shopper.pay(&ready).expect(200);
    Shopper::with(&counter, "MUG", 2).buy(&counter).expect(200);
    let (code, out, said) = orders(&counter, &["export"]);
    assert_eq!((code, out.matches("\r\n").count()), (0, 3), "{out}{said}");
    let mut table = csv::Reader::from_reader(out.as_bytes());
    let columns = table.headers().expect("a head").clone();
    let readme = include_str!("../../README.md");
    for column in &columns {
        assert!(readme.contains(&format!("`{column}`")), "the README does not name the column {column}");
    }
    let rows: Vec<csv::StringRecord> = table.records().collect::<Result<_, _>>().expect("RFC 4180");
    let cell = |row: usize, name: &str| rows[row][columns.iter().position(|column| column == name).expect(name)].to_owned();
    assert_eq!((cell(0, "phone"), cell(0, "name")), ("'+49 30 1234567".to_owned(), "'=SUM(1,2) \"Ada\"".to_owned()));
    assert_eq!(
        (cell(0, "state"), cell(0, "lines"), cell(0, "currency")),
        ("pending_payment".into(), "2 × LAMP-S".into(), "EUR".into())
    );
    assert_eq!((cell(1, "number"), cell(1, "refunded")), ("T-100001".to_owned(), "0.00".to_owned()));
    let sum = |name: &str| cell(0, name).parse::<f64>().expect("decimal text");
    assert!((sum("subtotal") - sum("discount") + sum("shipping") - sum("shipping_discount") - sum("total")).abs() < 0.001);

    let path = counter.folder.path().join("out.jsonl");
    let path = path.to_str().expect("text");
    let (code, out, said) = orders(&counter, &["export", "--format", "jsonl", "--state", "placed", "--out", path]);
    assert!(code == 0 && out.is_empty() && said.contains("1 orders"), "{said}");
    let line: Value = serde_json::from_str(fs::read_to_string(path).expect("written").trim()).expect("a line");
    assert_eq!((&line["number"], &line["phone"], &line["total"]), (&json!("T-100001"), &json!(""), &json!(cell(1, "total"))));
    assert_eq!(line.as_object().map(serde_json::Map::len), Some(columns.len()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600, "orders are for their owner alone");

    let far = orders(&counter, &["export", "--since", "2001-01-01", "--until", "2001-01-02"]);
    assert_eq!((far.0, far.1.lines().count()), (0, 1), "{}", far.1);
}

#[test]
fn what_a_person_has_to_look_at_is_listed_until_it_is_resolved() {
    let shop = StripeShop::open();
    shop.faulty.script("create", Fault::WrongAmount);
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = shop.faulty.give_card(session_of(redirect_url(&paying)), GOOD);
    shopper.come_back(&back).expect(303);
    let stuck = || {
        let (code, told, _) = orders(&shop.counter, &["stuck", "--json"]);
        let rows = parsed(&told);
        assert_eq!(code, i32::from(rows != json!([])), "cron sees it by the exit code");
        rows
    };
    let rows = stuck();
    assert_eq!((rows.as_array().map(Vec::len), &rows[0]["kind"]), (Some(1), &json!("payment")), "{rows}");
    assert!(rows[0]["reason"].as_str().is_some_and(|why| why.contains("amount")), "{rows}");
    let (code, told, _) = orders(&shop.counter, &["stuck"]);
    assert!(code == 1 && told.contains("do    look the payment up at the gateway"), "{told}");
    let (name, order) = (rows[0]["name"].as_str().expect("a name"), rows[0]["order"].as_str().expect("an order"));
    let (code, _, told) = orders(&shop.counter, &["resolve", name, "--note", "given\nback"]);
    assert!(code == 2 && told.contains("--note is one line"), "{told}");
    assert_eq!(orders(&shop.counter, &["resolve", name, "--note", "given back there"]).0, 0);
    assert_eq!(stuck(), json!([]));
    let (_, shown, _) = orders(&shop.counter, &["show", order]);
    assert!(shown.contains("given back there"), "{shown}");
    // It is called off at the gateway, which is the end of it.
    shop.counter.round();
    assert_eq!((stuck(), shop.faulty.held()), (json!([]), 0));
}
