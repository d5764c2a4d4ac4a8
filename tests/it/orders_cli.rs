//! Orders' command line: beside a shop, on its file, what it says and what becomes of it.

use serde_json::Value;

use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};
use crate::support::shop::run;

fn orders(counter: &Counter, words: &[&str]) -> (i32, String, String) {
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
    for words in ["placed as T-100001", "captured 2480", "refunded 480", "order.refunded", "confirmation done"] {
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
        (&["export", "--since", "yesterday"], "write a day such as 2026-11-01"),
    ] {
        let (code, _, told) = orders(&counter, words);
        assert!(code == 2 && told.contains(expected), "{words:?}: {told}");
    }
    assert_eq!(refunded(&counter), 0);
}

#[test]
fn a_confirmation_is_sent_again_and_orders_are_exported() {
    let counter = sold();
    let mails = counter.mails();
    std::fs::remove_dir_all(counter.folder.path().join("mail")).expect("mails");
    assert_eq!(orders(&counter, &["resend-mail", "T-100001"]).0, 0);
    counter.round();
    assert_eq!(counter.mails(), mails, "the same bytes, its Message-ID among them");
    let (_, table, _) = orders(&counter, &["export", "--state", "placed"]);
    let lines: Vec<&str> = table.split("\r\n").collect();
    assert!(lines.len() == 3 && lines[0].starts_with("number,id,state") && lines[1].ends_with("24.80"), "{table}");
    let (_, lines, _) = orders(&counter, &["export", "--format", "jsonl"]);
    assert_eq!(parsed(lines.trim())["number"], "T-100001");
    assert_eq!(orders(&counter, &["export", "--format", "jsonl", "--since", "2099-01-01"]).1, "");
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
    // As if the capture had never been answered.
    let file = rusqlite::Connection::open(counter.folder.path().join("shop.db")).expect("the file");
    let ledger = rusqlite::Connection::open(counter.folder.path().join("sandbox.db")).expect("the ledger");
    file.execute_batch(
        "UPDATE attempts SET state = 'capturing'; UPDATE orders SET paid_at = NULL; DELETE FROM ledger WHERE kind = 'captured';
         DELETE FROM outbox WHERE kind = 'confirmation'",
    )
    .expect("SQL");
    ledger.execute_batch("UPDATE payments SET state = 'authorized'; DELETE FROM calls WHERE operation = 'capture'").expect("SQL");
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
