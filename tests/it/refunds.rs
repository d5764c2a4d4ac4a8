//! Refunds: what the customer is told, a key that is too old to be sent again, and what is given back at the gateway's own pages.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use serde_json::json;
use vitrine::edge::perform::mail::{MailError, Mailer, Script};

use crate::faulty::faults::Fault;
use crate::faulty::hooks::HookFault;
use crate::orders_cli::orders;
use crate::stripe::at_the_page;
use crate::support::counter::{Counter, GOOD, Shopper, confirmation};
use crate::support::stripe::{StripeShop, session_of};

/// Letters as they were taken: name and text.
type Letters = Arc<Mutex<Vec<(String, String)>>>;

/// A mail server that takes every letter, and says so but for the next few times.
fn forgetful() -> (Mailer, Letters, Arc<AtomicUsize>) {
    let (letters, silent) = (Letters::default(), Arc::new(AtomicUsize::new(0)));
    let (taken, left) = (letters.clone(), silent.clone());
    let script = Script(Arc::new(move |name, bytes| {
        taken.lock().expect("unharmed").push((name, String::from_utf8(bytes).expect("text")));
        let is_lost = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        Box::pin(async move { if is_lost { Err(MailError::Server("no answer".to_owned())) } else { Ok(()) } })
    }));
    (Mailer::Scripted(script), letters, silent)
}

#[test]
fn a_customer_is_told_of_a_refund_once_and_again_only_in_the_same_letter() {
    let (mailer, letters, silent) = forgetful();
    let counter = Counter::open().restarted_writing_by(mailer);
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    counter.round();
    letters.lock().expect("unharmed").clear();
    let words = ["refund", "T-100001", "--amount", "4.80", "--reason", "It came late.", "--note", "call Ada", "--yes"];
    assert_eq!(orders(&counter, &words).0, 0);
    counter.pass(1);
    silent.store(2, Ordering::Relaxed);
    for _ in 0..5 {
        counter.round();
        counter.pass(60);
    }
    let letters = letters.lock().expect("unharmed").clone();
    assert_eq!(letters.len(), 3, "twice nobody knew whether it was taken: {letters:?}");
    assert!(letters.iter().all(|letter| *letter == letters[0]), "the same bytes, its Message-ID among them");
    let (name, text) = &letters[0];
    let text = text.replace("=\r\n", "").replace("\r\n ", " ");
    let id = name.strip_suffix(".eml").expect("a mail");
    for words in [
        "To: ada@example.com",
        "Subject: Tiny: =?utf-8?b?4oKsNC44MA==?= of your order T-100001 is on its way back",
        &format!("Message-ID: <{id}@"),
        "We have sent =E2=82=AC4.80 of your order T-100001 back by the way you paid.",
        "Reason: It came late.",
        "Answer this mail and name T-100001.",
    ] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(!text.contains("call Ada"), "the note is for the house");
}

/// An order that is paid by Stripe.
pub(crate) fn sold() -> StripeShop {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    shopper.come_back(&back).expect(303);
    shop.counter.round();
    shop
}

fn sent(shop: &StripeShop) -> usize {
    shop.faulty.calls().iter().filter(|call| call.line == "POST /v1/refunds").count()
}

fn rows(shop: &StripeShop, query: &str) -> Vec<(String, i64)> {
    let file = Connection::open(shop.counter.folder.path().join("shop.db")).expect("the file");
    let mut select = file.prepare(query).expect("SQL");
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("rows")
}

fn standing(shop: &StripeShop) -> Vec<(String, i64)> {
    rows(shop, "SELECT state, amount_minor FROM refunds ORDER BY created_at")
}

fn ledger(shop: &StripeShop) -> Vec<(String, i64)> {
    rows(shop, "SELECT kind, amount_minor FROM ledger WHERE kind LIKE 'refund%' ORDER BY id")
}

/// A refund whose first call fails in that way, and nobody can tell until the gateway has forgotten its key.
fn asked_too_long_ago(fault: Fault) -> StripeShop {
    let shop = sold();
    shop.faulty.script("refund", fault);
    shop.faulty.script("refunds", Fault::Refuse);
    assert_eq!(orders(&shop.counter, &["refund", "T-100001", "--amount", "4.80", "--yes"]).0, 0);
    shop.counter.pass(1);
    shop.counter.round();
    assert_eq!((sent(&shop), standing(&shop)), (1, vec![("pending".to_owned(), 480)]));
    shop.counter.pass(24 * 3600);
    shop.faulty.forget_keys();
    shop.counter.round();
    shop
}

#[test]
fn a_refund_whose_key_is_forgotten_is_looked_up_and_never_sent_anew() {
    let made = asked_too_long_ago(Fault::ActThenCut);
    assert_eq!((sent(&made), standing(&made)), (1, vec![("done".to_owned(), 480)]));
    assert_eq!((made.faulty.objects("refund").len(), ledger(&made)), (1, vec![("refunded".to_owned(), 480)]));
    // Where it is not there either, it was never made: a person asks for it again, by another key.
    let lost = asked_too_long_ago(Fault::Refuse);
    assert_eq!((sent(&lost), standing(&lost)), (1, vec![("failed".to_owned(), 480)]));
    assert_eq!((lost.faulty.objects("refund").len(), ledger(&lost)), (0, vec![]));
    let (code, told, _) = orders(&lost.counter, &["stuck"]);
    assert!(code == 1 && told.contains("the gateway never made it"), "{told}");
    assert_eq!(orders(&lost.counter, &["refund", "T-100001", "--amount", "4.80", "--yes"]).0, 0);
    lost.counter.round();
    assert_eq!((lost.faulty.objects("refund").len(), ledger(&lost)), (1, vec![("refunded".to_owned(), 480)]));
}

/// What the webhooks that wait are about, whichever way they come.
pub(crate) fn hears(shop: &StripeShop, fault: HookFault) -> Vec<Option<String>> {
    let before = shop.inbox().len();
    shop.faulty.hooks_go(fault);
    assert!(shop.deliver().iter().all(|status| *status == 204));
    while shop.work_inbox() > 0 {}
    shop.inbox().into_iter().skip(before).map(|(_, result)| result).collect()
}

/// Paid on Stripe's page or by its form on the shop's own: the payment has another name each time.
pub(crate) fn sold_either_way() -> [StripeShop; 2] {
    let shop = StripeShop::with_element();
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let token = confirmation(GOOD, &shopper.checkout);
    let body = json!({"quote_hash": ready["quote"]["hash"], "method": "stripe", "confirmation_token": token});
    let mut caller = shopper.caller.clone().with("idempotency-key", "one");
    caller.json("POST", &format!("{}/payment", shopper.checkout), body).expect(200);
    shop.counter.round();
    [sold(), shop]
}

#[test]
fn a_refund_of_the_gateways_own_pages_that_fails_later_is_heard_of() {
    for fault in [HookFault::Fine, HookFault::Doubled, HookFault::Backwards] {
        for shop in sold_either_way() {
            hears(&shop, HookFault::Fine);
            let intent = shop.faulty.objects("payment_intent")[0]["id"].as_str().expect("a name").to_owned();
            shop.faulty.refund_by_hand(&intent, 480);
            hears(&shop, fault);
            assert_eq!(
                (standing(&shop), ledger(&shop)),
                (vec![("accepted".to_owned(), 480)], vec![("refunded".to_owned(), 480)])
            );
            shop.counter.pass(3600);
            shop.faulty.fail_refunds();
            let results = hears(&shop, fault);
            assert!(results.iter().all(|result| result.as_deref() == Some("applied")), "{results:?}");
            let booked = vec![("refunded".to_owned(), 480), ("refund_failed".to_owned(), 480)];
            assert_eq!((standing(&shop), ledger(&shop)), (vec![("review".to_owned(), 480)], booked.clone()));
            // It is told once, however often it is heard of.
            shop.counter.round();
            shop.catch_up();
            shop.counter.round();
            let alarms = shop.counter.mails().iter().filter(|mail| mail.contains("has to be looked at by a person")).count();
            assert_eq!((alarms, ledger(&shop)), (1, booked));
        }
    }
}

#[test]
fn a_refund_that_was_never_heard_of_before_it_failed_is_in_no_ledger() {
    for shop in sold_either_way() {
        let intent = shop.faulty.objects("payment_intent")[0]["id"].as_str().expect("a name").to_owned();
        shop.faulty.refund_by_hand(&intent, 480);
        shop.faulty.fail_refunds();
        hears(&shop, HookFault::Backwards);
        assert_eq!((standing(&shop), ledger(&shop)), (vec![], vec![]));
        assert_eq!(shop.counter.mails().len(), 1, "the confirmation, and no alarm");
    }
}

#[test]
fn a_refund_of_another_shop_on_the_same_account_changes_nothing() {
    let shop = sold();
    let foreign = |metadata: serde_json::Value| {
        let mut intent = shop.faulty.objects("payment_intent")[0].clone();
        (intent["id"], intent["metadata"]) = (json!("pi_other"), metadata);
        shop.faulty.put(&intent);
        shop.faulty.refund_by_hand("pi_other", 480);
        hears(&shop, HookFault::Fine).into_iter().flatten().collect::<Vec<_>>()
    };
    let other = foreign(json!({"shop": "other", "checkout": "c", "attempt": "1"}));
    assert!(other.contains(&"foreign".to_owned()), "{other:?}");
    let nobodys = foreign(json!({}));
    assert!(nobodys.contains(&"ignored".to_owned()), "{nobodys:?}");
    assert_eq!((standing(&shop), ledger(&shop)), (vec![], vec![]));
}
