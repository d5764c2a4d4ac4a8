//! Desk's forms: what each does, once, to what it is about, and what was shown before.

use serde_json::Value;
use vitrine::edge::desk::password;
use vitrine::store::desk::Act;
use vitrine::store::operators::NAME_TRIES;

use crate::orders_cli::orders;
use crate::subscribers;
use crate::support::counter::{Counter, Shopper};
use crate::support::desk::{Browser, PASSWORD, hidden, shop, sold};
use crate::support::edge::{Caller, NOW};

const ORDER: &str = "/desk/orders/T-100001";

/// Actions of the log with the orders they are of, the oldest first.
fn log(counter: &Counter) -> Vec<(String, bool)> {
    let mut log = counter.run(counter.till().store.audit(None, None, 100)).expect("the log");
    log.reverse();
    log.into_iter().map(|one| (one.action, one.order.is_some())).filter(|(action, _)| action != "operator added").collect()
}

fn of_order(action: &str) -> (String, bool) {
    (action.to_owned(), true)
}

#[test]
fn a_parcel_is_sent_and_taken_back() {
    let counter = sold();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get(ORDER).expect(200);
    let path = format!("{ORDER}/fulfil");
    for (fields, expected) in [
        (&[][..], "Write how many of what leaves the house."),
        (&[("units.0", "many")], "`many` is no number of units."),
        (&[("units.0", "1"), ("url", "javascript:alert(1)")], "Write an address that begins with https://"),
    ] {
        let got = ada.post(&path, &page, fields).expect(422);
        assert!(got.body.contains(expected), "{expected} in {}", got.body);
    }
    let got = ada.post(&path, &page, &[("units.0", "2")]).expect(409);
    assert!(got.body.contains("Of LAMP-S only 1 can still be sent."), "{}", got.body);
    let fields = [("units.0", "1"), ("carrier", "Tiny <Post>"), ("tracking", "JJD 1"), ("url", "https://post.example/JJD1")];
    let led = ada.post(&path, &page, &fields).expect(303);
    ada.post(&path, &page, &fields).expect(303);
    let page = ada.get(led.header("location")).expect(200);
    for words in ["1 × LAMP-S", "Tiny &lt;Post&gt; JJD 1", "It is written that this left the house.", "it is paid and sent"] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    let got = ada.post(&path, &page, &[("units.0", "1")]).expect(409);
    assert!(got.body.contains("Of LAMP-S only 0 can still be sent."), "{}", got.body);

    let back = format!("{ORDER}/unfulfil");
    // The form of the parcel, not the first one of the page.
    let form = page.body.split("/unfulfil\"").nth(1).expect("a form");
    let subject = form.split("name=\"subject\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("its name");
    ada.post(&back, &page, &[("subject", "nothing")]).expect(409);
    let led = ada.post(&back, &page, &[("subject", subject)]).expect(303);
    ada.post(&back, &page, &[("subject", subject)]).expect(303);
    let page = ada.get(led.header("location")).expect(200);
    assert!(page.body.contains(": taken back") && page.body.contains("1 left"), "{}", page.body);
    ada.post(&path, &page, &[("units.0", "1"), ("quiet", "1")]).expect(303);
    assert_eq!(
        log(&counter),
        [("signed in".to_owned(), false), of_order("sent"), of_order("not sent after all"), of_order("sent")]
    );
}

#[test]
fn a_page_has_one_key_and_each_of_its_forms_is_done_once_by_it() {
    let counter = sold();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get(ORDER).expect(200);
    for _ in 0..2 {
        ada.post(&format!("{ORDER}/note"), &page, &[("text", "call back")]).expect(303);
        ada.post(&format!("{ORDER}/mail"), &page, &[]).expect(303);
        ada.post(&format!("{ORDER}/fulfil"), &page, &[("units.0", "1"), ("quiet", "1")]).expect(303);
        // A key that a note has used says nothing of a refund.
        ada.post(&format!("{ORDER}/refund"), &page, &[("step", "do"), ("amount", "4.80")]).expect(303);
    }
    // What is written into a page that was sent before is not passed over in silence.
    let other = ada.post(&format!("{ORDER}/note"), &page, &[("text", "call again")]).expect(303);
    let told = ada.get(other.header("location")).expect(200);
    assert!(told.body.contains("Nothing was done now") && !told.body.contains("call again"), "{}", told.body);
    let sku = ada.get("/desk/stock/MUG").expect(200);
    for _ in 0..2 {
        ada.post("/desk/stock/MUG", &sku, &[("how", "set"), ("number", "7"), ("reason", "counted")]).expect(303);
        ada.post("/desk/stock/MUG", &sku, &[("how", "adjust"), ("number", "2"), ("reason", "found")]).expect(303);
    }
    let expected = ["note", "mail again", "sent", "refund"].map(of_order);
    let [set, adjusted] = ["stock set", "stock adjusted"].map(|action| (action.to_owned(), false));
    assert_eq!(log(&counter)[1..], [&expected[..], &[set, adjusted]].concat());
    assert_eq!(counter.stock("MUG"), (9, 0, 0));
}

#[test]
fn the_amount_that_goes_back_is_the_one_that_was_shown() {
    let counter = sold();
    let refund = format!("{ORDER}/refund");
    let mut ada = Browser::at(&counter).signed_in("ada");
    let mut bob = Browser::at(&counter).signed_in("bob");
    let page = ada.get(ORDER).expect(200);
    let shown = ada.post(&refund, &page, &[("amount", ""), ("reason", "  It came late. ")]).expect(200);
    assert!(shown.body.contains("Give back 24.80 EUR?"), "{}", shown.body);
    assert_eq!((hidden(&shown, "amount").as_str(), hidden(&shown, "reason").as_str()), ("24.80", "It came late."));
    let his = bob.get(ORDER).expect(200);
    bob.post(&refund, &his, &[("step", "do"), ("amount", "4.80")]).expect(303);
    let got = ada.post(&refund, &shown, &[("step", "do"), ("amount", &hidden(&shown, "amount"))]).expect(422);
    assert!(got.body.contains("At most 20.00 EUR can still go back."), "{}", got.body);
    // Without an amount nothing was shown, so it is shown now.
    let shown = ada.post(&refund, &got, &[("step", "do")]).expect(200);
    assert!(shown.body.contains("Give back 20.00 EUR?"), "{}", shown.body);
    ada.post(&refund, &shown, &[("step", "do"), ("amount", &hidden(&shown, "amount"))]).expect(303);
    counter.round();
    counter.round();
    assert_eq!(counter.payments().iter().map(|payment| payment.refunded_minor).sum::<i64>(), 2480);
}

#[test]
fn a_name_of_any_signs_leads_to_its_page() {
    let counter = shop();
    let sku = "LAMP/S 1 %2F?#ü";
    let act = Act::SetStock { sku: sku.into(), on_hand: 3, reason: "counted".to_owned() };
    counter.run(counter.till().store.act("test", None, act, NOW)).expect("counted");
    let mut ada = Browser::at(&counter).signed_in("ada");
    let list = ada.get("/desk/stock?q=LAMP/S").expect(200);
    let link = list.body.split("href=\"").find(|rest| rest.starts_with("/desk/stock/")).and_then(|rest| rest.split('"').next());
    let link = link.expect("a link").to_owned();
    let page = ada.get(&link).expect(200);
    assert!(page.body.contains("Stock of LAMP/S 1 %2F?#ü"), "{}", page.body);
    let led = ada.post(&link, &page, &[("how", "adjust"), ("number", "2"), ("reason", "found")]).expect(303);
    assert!(ada.get(led.header("location")).expect(200).body.contains("It is written down."));
    // Whoever is not signed in comes back to it.
    let mut bob = Browser::at(&counter);
    let sign_in = bob.get(&format!("{link}?before=9")).expect(303);
    let page = bob.get(sign_in.header("location")).expect(200);
    assert_eq!(hidden(&page, "to"), format!("{link}?before=9"));
}

#[test]
fn a_withdrawal_is_dealt_with_on_either_page_and_the_log_names_its_order() {
    let counter = sold();
    let form = "step=confirm&number=T-100001&email=ada%40example.com";
    Caller::new(&counter.app).form("/orders/withdraw", form).expect(200);
    let mut ada = Browser::at(&counter).signed_in("ada");
    for path in ["/desk/stuck", ORDER] {
        let page = ada.get(path).expect(200);
        assert!(!hidden(&page, "subject").is_empty() && page.body.contains("Take off the list"), "{path}: {}", page.body);
    }
    let page = ada.get("/desk/stuck").expect(200);
    let fields = [("subject", hidden(&page, "subject")), ("note", "it is back".to_owned())];
    let fields = [(fields[0].0, fields[0].1.as_str()), (fields[1].0, fields[1].1.as_str())];
    // An order's page takes nothing of another one off.
    Shopper::with(&counter, "MUG", 2).buy(&counter).expect(200);
    counter.round();
    ada.post("/desk/orders/T-100002/resolve", &page, &fields).expect(409);
    ada.post("/desk/stuck", &page, &fields).expect(303);
    assert!(ada.get("/desk/stuck").expect(200).body.contains("Nothing is stuck."));
    assert_eq!(log(&counter).last(), Some(&of_order("resolve")));
    let (_, out, _) = orders(&counter, &["show", "T-100001", "--json"]);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["withdrawals"][0]["note"], "it is back");
}

#[test]
fn a_test_is_sent_once_by_a_form() {
    let (counter, receiver) = subscribers::shop();
    let hash = password::hash(PASSWORD);
    counter.run(counter.till().store.add_operator("ada", &hash, "test", NOW)).expect("an operator");
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get("/desk/webhooks/erp").expect(200);
    ada.send("POST", "/desk/webhooks/erp", &format!("step=test&token={}", hidden(&page, "token"))).expect(400);
    assert_eq!(receiver.received().len(), 0, "a form without a key sends nothing");
    for expected in ["The test was accepted.", "This form was sent before"] {
        let led = ada.post("/desk/webhooks/erp", &page, &[("step", "test")]).expect(303);
        let page = ada.get(led.header("location")).expect(200);
        assert!(page.body.contains(expected), "{expected} in {}", page.body);
    }
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(log(&counter)[1..], [("test event".to_owned(), false)]);
}

#[test]
fn whoever_has_to_wait_to_sign_in_takes_no_turn_of_a_payment() {
    let counter = shop();
    let mut browser = Browser::at(&counter);
    for number in 1..=NAME_TRIES {
        browser.try_as("ada", &format!("wrong words number {number}")).expect(422);
    }
    // Nothing can be written while somebody else writes.
    let file = rusqlite::Connection::open(counter.folder.path().join("shop.db")).expect("the file");
    file.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    browser.try_as("ada", PASSWORD).expect(429);
    file.execute_batch("ROLLBACK").expect("nothing was written");
    counter.pass(1);
    browser.try_as("ada", PASSWORD).expect(303);
}
