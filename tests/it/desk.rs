//! Desk: the operators' pages, signed in to and worked with as a browser without script does it.

use std::collections::BTreeSet;

use serde_json::json;
use vitrine::commerce::ids::Timestamp;
use vitrine::edge::desk::password;
use vitrine::store::operators::{IDLE_SECONDS, NAME_TRIES, NETWORK_TRIES, SESSION_SECONDS, WAIT_MAX_SECONDS};

use crate::support::counter::{Counter, GOOD, Shopper, details, redirect_url};
use crate::support::desk::{Browser, PASSWORD, hidden, shop, sold};
use crate::support::edge::Got;

/// Every page, and every form, that there is.
const PAGES: [&str; 12] = [
    "/",
    "/desk",
    "/desk/orders",
    "/desk/orders/T-100001",
    "/desk/stock",
    "/desk/stock/LAMP-S",
    "/desk/coupons",
    "/desk/stuck",
    "/desk/webhooks",
    "/desk/webhooks/erp",
    "/desk/state",
    "/desk/audit",
];
const FORMS: [&str; 14] = [
    "/desk/orders/T-100001/refund",
    "/desk/orders/T-100001/cancel",
    "/desk/orders/T-100001/mail",
    "/desk/orders/T-100001/fulfil",
    "/desk/orders/T-100001/unfulfil",
    "/desk/orders/T-100001/note",
    "/desk/orders/T-100001/erase",
    "/desk/orders/T-100001/resolve",
    "/desk/stock/LAMP-S",
    "/desk/stuck",
    "/desk/webhooks/erp",
    "/desk/state",
    "/desk/sign-out",
    "/desk/sign-out-everywhere",
];

fn refunded(counter: &Counter) -> i64 {
    counter.payments().iter().map(|payment| payment.refunded_minor).sum()
}

fn log(counter: &Counter) -> Vec<(String, String)> {
    let log = counter.run(counter.till().store.audit(None, None, 100)).expect("the log");
    log.into_iter().map(|one| (one.operator, one.action)).collect()
}

#[test]
fn without_a_session_every_page_and_form_leads_to_signing_in() {
    let counter = sold();
    let mut nobody = Browser::at(&counter);
    for cookie in ["", "x", "0123456789012345678901234567890123456789012"] {
        cookie.clone_into(&mut nobody.cookie);
        for path in PAGES {
            let got = nobody.get(path).expect(303);
            assert!(got.header("location").starts_with("/desk/sign-in") && got.body.is_empty(), "{path}: {got:?}");
        }
        for path in FORMS {
            let got = nobody.send("POST", path, "amount=1&step=do&payments=pause").expect(303);
            assert_eq!(got.header("location"), "/desk/sign-in", "{path}");
        }
    }
    assert_eq!((refunded(&counter), counter.run(counter.till().store.watch()).expect("a look").pause), (0, None));
    for path in ["/healthz", "/readyz", "/metrics"] {
        nobody.get(path).expect(200);
    }
    let page = nobody.get("/desk/sign-in").expect(200);
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"), "{page:?}");
    assert!(!page.header("content-security-policy").contains("unsafe") && !page.body.contains("style="), "nothing inline");
    assert_eq!((page.header("cache-control"), page.header("x-frame-options")), ("no-store", "DENY"));
    assert_eq!(nobody.get("/desk/desk.css").expect(200).header("content-type"), "text/css; charset=utf-8");
}

#[test]
fn the_first_operator_is_told_how_to_be_made() {
    let counter = Counter::open();
    assert!(Browser::at(&counter).get("/desk/sign-in").expect(200).body.contains("vitrine operators add NAME"));
    assert!(!Browser::at(&shop()).get("/desk/sign-in").expect(200).body.contains("operators add"));
}

#[test]
fn a_name_that_does_not_exist_and_a_wrong_password_are_one_answer() {
    let counter = shop();
    let mut browser = Browser::at(&counter);
    let told = |got: Got| (got.status, got.body.replace("\"nobody\"", "\"ada\""));
    let wrong = told(browser.try_as("ada", "some other words of mine"));
    assert!(wrong.0 == 422 && wrong.1.contains("That is not the name and password of an operator."), "{wrong:?}");
    assert_eq!(told(browser.try_as("nobody", PASSWORD)), wrong);
    let (long_name, long_password) = ("a".repeat(500), "x".repeat(900));
    for (name, password) in [("", ""), ("ada", ""), (long_name.as_str(), PASSWORD), ("ada", long_password.as_str())] {
        browser.try_as(name, password).expect(422);
    }
    counter.run(counter.till().store.disable_operator("ada", "test", Timestamp(2))).expect("kept out");
    assert_eq!(told(browser.try_as("ada", PASSWORD)), wrong);
    let set = browser.try_as("bob", PASSWORD).expect(303);
    let cookie = set.cookies()[0].to_owned();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict") && cookie.contains("; Path=/; "), "{cookie}");
}

#[test]
fn a_name_that_is_tried_too_often_waits_longer_each_time() {
    let counter = shop();
    let mut browser = Browser::at(&counter);
    for number in 1..=NAME_TRIES {
        browser.try_as("ada", &format!("wrong words number {number}")).expect(422);
    }
    // Not even the right one is looked at.
    let got = browser.try_as("ada", PASSWORD).expect(429);
    assert!(got.header("retry-after") == "1" && got.body.contains("looked at in 1 s"), "{got:?}");
    assert!(browser.cookie.is_empty());
    let mut waits = Vec::new();
    for _ in 0..12 {
        counter.pass(waits.last().copied().unwrap_or(1));
        // From another network each time: the name waits all the same.
        let mut other = browser.clone().from(&format!("198.51.{}.7", waits.len()));
        other.try_as("ada", "wrong words once more").expect(422);
        let wait = other.try_as("ada", PASSWORD).expect(429).header("retry-after").parse::<i64>().expect("seconds");
        waits.push(wait);
    }
    assert!(waits.is_sorted() && waits[0] == 2 && waits[11] == WAIT_MAX_SECONDS, "{waits:?}");
    // Another name is free, and a name that does not exist waits like one that does.
    assert_eq!(browser.clone().from("192.0.2.1").try_as("bob", PASSWORD).status, 303);
    counter.pass(WAIT_MAX_SECONDS);
    browser.clone().from("192.0.2.2").try_as("ada", PASSWORD).expect(303);
    for _ in 0..NAME_TRIES {
        browser.clone().from("198.18.7.3").try_as("nobody", PASSWORD).expect(422);
    }
    browser.from("198.18.7.3").try_as("nobody", PASSWORD).expect(429);
}

#[test]
fn a_network_that_tries_too_often_waits_whatever_the_name() {
    let counter = shop();
    let mut browser = Browser::at(&counter);
    for number in 0..NETWORK_TRIES {
        let mut neighbor = browser.clone().from(&format!("203.0.113.{number}"));
        neighbor.try_as(&format!("name{number}"), "wrong words of somebody").expect(422);
    }
    browser.try_as("ada", PASSWORD).expect(429);
    browser.clone().from("198.51.100.1").try_as("ada", PASSWORD).expect(303);
    counter.pass(1);
    // Whoever is an operator is not counted.
    for _ in 0..3 {
        browser.try_as("ada", PASSWORD).expect(303);
    }
}

#[test]
fn many_passwords_at_one_instant_are_few_that_are_looked_at() {
    let counter = shop();
    let statuses = std::thread::scope(|scope| {
        let tries = (0..40).map(|number| {
            let mut browser = Browser::at(&counter).from(&format!("198.51.{number}.7"));
            scope.spawn(move || browser.try_as("ada", &format!("wrong words number {number}")).status)
        });
        let tries: Vec<_> = tries.collect();
        tries.into_iter().map(|one| one.join().expect("no panic")).collect::<Vec<_>>()
    });
    let looked = statuses.iter().filter(|status| **status == 422).count();
    assert!(statuses.iter().all(|status| [422, 429].contains(status)) && looked <= NAME_TRIES as usize, "{statuses:?}");
}

#[test]
fn a_session_ends_when_nobody_uses_it_when_it_is_old_and_when_it_is_told_to() {
    let counter = shop();
    let is_in = |browser: &mut Browser| browser.get("/desk").status == 200;
    let mut idle = Browser::at(&counter).signed_in("ada");
    counter.pass(IDLE_SECONDS - 1);
    assert!(is_in(&mut idle));
    counter.pass(IDLE_SECONDS - 1);
    assert!(is_in(&mut idle), "it was used meanwhile");
    counter.pass(IDLE_SECONDS);
    assert!(!is_in(&mut idle));

    let mut old = Browser::at(&counter).signed_in("ada");
    for _ in 0..SESSION_SECONDS / 600 - 1 {
        counter.pass(600);
        assert!(is_in(&mut old));
    }
    counter.pass(600);
    assert!(!is_in(&mut old), "however busy it is");

    let [mut one, mut two] = [(); 2].map(|()| Browser::at(&counter).signed_in("ada"));
    let mut bob = Browser::at(&counter).signed_in("bob");
    let former = one.clone();
    one.try_as("ada", PASSWORD).expect(303);
    assert!(!is_in(&mut former.clone()) && is_in(&mut one), "a browser has one session");
    let page = one.get("/desk");
    let (kept, out) = (one.clone(), one.post("/desk/sign-out", &page, &[]).expect(303));
    assert!(out.cookies()[0].contains("Max-Age=0") && !is_in(&mut kept.clone()) && is_in(&mut two));
    let page = two.get("/desk");
    let mut three = Browser::at(&counter).signed_in("ada");
    let kept = two.clone();
    two.post("/desk/sign-out-everywhere", &page, &[]).expect(303);
    assert!(!is_in(&mut kept.clone()) && !is_in(&mut three) && is_in(&mut bob));
    counter.run(counter.till().store.disable_operator("bob", "test", Timestamp(2))).expect("kept out");
    assert!(!is_in(&mut bob));
    let token_hashes = rusqlite::Connection::open(counter.folder.path().join("shop.db")).map(|file| {
        let mut select = file.prepare("SELECT token_hash FROM operator_sessions").expect("SQL");
        select.query_map([], |row| row.get::<_, String>(0)).expect("rows").filter_map(Result::ok).collect::<Vec<_>>()
    });
    assert!(token_hashes.is_ok_and(|hashes| hashes.iter().all(|hash| *hash != bob.cookie)), "no token is kept");
}

#[test]
fn a_form_of_another_page_or_session_does_nothing() {
    let counter = sold();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let mut bob = Browser::at(&counter).signed_in("bob");
    let (page, other) = (ada.get("/desk/orders/T-100001"), bob.get("/desk/orders/T-100001"));
    let refund = "/desk/orders/T-100001/refund";
    let fields = [("step", "do"), ("amount", "4.80")];
    ada.send("POST", refund, "step=do&amount=4.80").expect(403);
    ada.post(refund, &other, &fields).expect(403);
    for (name, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")] {
        ada.clone().with(name, value).post(refund, &page, &fields).expect(403);
    }
    let got = ada.send("POST", refund, &format!("step=do&amount=4.80&token={}", hidden(&page, "token"))).expect(400);
    assert!(got.body.contains("has no key"), "{got:?}");
    counter.round();
    assert_eq!(refunded(&counter), 0);
    ada.with("sec-fetch-site", "same-origin").post(refund, &page, &fields).expect(303);
    counter.round();
    assert_eq!(refunded(&counter), 480);
}

#[test]
fn money_goes_back_once_however_many_ask_and_never_more_than_was_taken() {
    let counter = sold();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let mut bob = Browser::at(&counter).signed_in("bob");
    let refund = "/desk/orders/T-100001/refund";
    let page = ada.get("/desk/orders/T-100001").expect(200);
    let his = bob.get("/desk/orders/T-100001").expect(200);
    assert!(page.body.contains("<strong>24.80 EUR left</strong>"), "{}", page.body);
    // What will happen is shown, and nothing is done.
    let shown = ada.post(refund, &page, &[("amount", "20"), ("reason", "It came <late>."), ("restock", "1")]).expect(200);
    for words in [
        "Give back 20.00 EUR?",
        "4.80 EUR is left afterwards",
        "put back into stock now",
        "It came &lt;late&gt;.",
        "ada@example.com",
    ] {
        assert!(shown.body.contains(words), "{words} in {}", shown.body);
    }
    let fields = [("step", "do"), ("amount", "20"), ("reason", "It came <late>."), ("restock", "1")];
    let led = ada.post(refund, &shown, &fields).expect(303);
    assert!(ada.get(led.header("location")).expect(200).body.contains("The refund is promised."));
    // The same form once more: it was done.
    ada.post(refund, &shown, &fields).expect(303);
    // Whoever has an older page sees what is left.
    for (amount, expected) in [
        ("24.80", "At most 4.80 EUR can still go back."),
        ("4.81", "At most 4.80 EUR"),
        ("0", "At most 4.80 EUR"),
        ("-1", "write an amount in EUR, such as 4.80"),
        ("lots", "write an amount in EUR"),
        ("1.234", "write an amount in EUR"),
        ("99999999999999999999", "write an amount in EUR"),
    ] {
        for step in ["look", "do"] {
            let got = bob.post(refund, &his, &[("amount", amount), ("step", step)]).expect(422);
            assert!(got.body.contains(expected) && got.body.contains("role=\"alert\""), "{amount}: {}", got.body);
        }
    }
    let got = bob.post(refund, &his, &[("amount", "1"), ("restock", "1")]).expect(422);
    assert!(got.body.contains("were put back into stock before"), "{}", got.body);
    let his = bob.post(refund, &his, &[("amount", "")]).expect(200);
    assert!(his.body.contains("Give back 4.80 EUR?"), "all that is left: {}", his.body);
    bob.post(refund, &his, &[("step", "do"), ("amount", &hidden(&his, "amount"))]).expect(303);
    // The gateway changes one thing of a payment at a time.
    counter.round();
    counter.round();
    assert_eq!((refunded(&counter), counter.stock("LAMP-S")), (2480, (100, 0, 1)));
    let done: Vec<_> = log(&counter).into_iter().filter(|(_, action)| action == "refund").collect();
    assert_eq!(done, [("bob".to_owned(), "refund".to_owned()), ("ada".to_owned(), "refund".to_owned())]);
    let page = ada.get("/desk/orders/T-100001").expect(200);
    for words in ["refunded", "captured 24.80 EUR", "24.80 EUR left → 4.80 EUR left", "confirmation done", "key "] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    assert!(ada.post(refund, &page, &[("amount", "1")]).expect(422).body.contains("All of it went back already"));
    let log = ada.get("/desk/audit").expect(200).body;
    assert!(log.contains("It came &lt;late&gt;.") && log.contains("signed in"), "{log}");
}

#[test]
fn held_money_is_let_go_after_it_was_shown_what_that_means() {
    let counter = shop();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    shopper.come_back(&back).expect(303);
    counter.forget_capture();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get("/desk/orders/T-100001").expect(200);
    let got = ada.post("/desk/orders/T-100001/refund", &page, &[("step", "do")]).expect(409);
    assert!(got.body.contains("Nothing was taken for this order"), "{}", got.body);
    let got = ada.post("/desk/orders/T-100001/mail", &page, &[]).expect(409);
    assert!(got.body.contains("there is no confirmation to send"), "{}", got.body);
    assert!(ada.get("/desk/orders?paid=unpaid").body.contains("T-100001"));
    let shown = ada.post("/desk/orders/T-100001/cancel", &page, &[]).expect(200);
    assert!(shown.body.contains("Cancel this order?"), "{}", shown.body);
    ada.post("/desk/orders/T-100001/cancel", &shown, &[("step", "do")]).expect(303);
    counter.round();
    assert_eq!((counter.orders(), counter.captured()), (vec![("canceled".to_owned(), false)], vec![]));
    let page = ada.get("/desk/orders/T-100001").expect(200);
    let got = ada.post("/desk/orders/T-100001/cancel", &page, &[("step", "do")]).expect(409);
    assert!(got.body.contains("no held money"), "{}", got.body);
}

#[test]
fn what_customers_write_is_shown_as_text() {
    let counter = shop();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    shopper.check_out();
    let mut hostile = details();
    hostile["address"]["name"] = json!("<script>alert(1)</script> \"><img src=x onerror=alert(2)>");
    hostile["address"]["line1"] = json!("{{ 7 * 7 }} {% include \"x\" %}");
    hostile["contact"]["email"] = json!("ada+\"'<b>@example.com");
    let ready = shopper.caller.json("PATCH", &shopper.checkout.clone(), hostile);
    let ready = if ready.status == 200 && ready.json()["quote"].is_object() {
        ready.json()
    } else {
        let mut hostile = details();
        hostile["address"]["name"] = json!("<script>alert(1)</script> \"><img src=x onerror=alert(2)>");
        hostile["address"]["line1"] = json!("{{ 7 * 7 }} {% include \"x\" %}");
        shopper.tell(hostile)
    };
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    shopper.come_back(&back).expect(303);
    counter.round();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get("/desk/orders/T-100001").expect(200);
    ada.post("/desk/orders/T-100001/note", &page, &[("text", "<script>note</script>\nsecond line")]).expect(303);
    for path in ["/desk/orders", "/desk/orders/T-100001", "/desk/orders?q=%3Cscript%3Ealert", "/desk/audit", "/desk"] {
        let body = ada.get(path).expect(200).body;
        assert!(!body.contains("<script") && !body.contains("<img") && !body.contains("49 "), "{path}: {body}");
    }
    let body = ada.get("/desk/orders/T-100001").body;
    assert!(body.contains("&lt;script&gt;alert(1)") && body.contains("{{ 7 * 7 }}"), "{body}");
    assert!(body.contains("&lt;script&gt;note&lt;"), "{body}");
    let notes = counter.run(async {
        let store = &counter.till().store;
        let order = store.order_by_number("T-100001").await.expect("a look").expect("it is there");
        store.notes(&order.id).await.expect("notes")
    });
    assert_eq!((notes.len(), notes[0].operator.as_str()), (1, "ada"));
}

#[test]
fn what_is_not_there_and_what_cannot_be_read_is_told_and_never_a_500() {
    let counter = sold();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get("/desk/orders/T-100001").expect(200);
    for path in [
        "/desk/orders/T-1",
        "/desk/orders/%00",
        "/desk/orders/..%2f..%2fetc",
        "/desk/stock/NOTHING",
        "/desk/webhooks/nobody",
        "/desk/nothing",
        "/desk/orders/T-100001/refund/more",
        "/desk/%ff",
    ] {
        let got = ada.get(path).expect(404);
        assert!(got.body.contains("There is no such page."), "{path}");
    }
    for path in ["/desk/orders/T-1/refund", "/desk/orders/T-100001/nothing", "/desk/stock/NOTHING", "/desk/webhooks/nobody"] {
        let fields = [("number", "5"), ("reason", "x"), ("how", "set"), ("step", "do")];
        ada.post(path, &page, &fields).expect(404);
    }
    for path in ["/desk", "/desk/orders", "/desk/audit", "/desk/orders/T-100001"] {
        ada.post(path, &page, &[]).expect(405);
    }
    ada.get("/desk/orders/T-100001/refund").expect(405);
    ada.send("DELETE", "/desk/orders", "").expect(405);
    ada.send("POST", "/desk/state", "a=%ff").expect(400);
    ada.send("POST", "/desk/state", "a=%00").expect(400);
    ada.get("/desk/orders?market=%00").expect(404);
    ada.send("POST", "/desk/state", &"a&".repeat(500)).expect(400);
    ada.send("POST", "/desk/state", &"a".repeat(20_000)).expect(413);
    ada.get("/desk/orders?q=%ff").expect(400);
    for (query, expected) in [
        ("state=lost", "no such state"),
        ("paid=maybe", "paid, unpaid or refunded"),
        ("since=yesterday", "such as 2026-12-01"),
        ("since=2026-02-30", "such as 2026-12-01"),
        ("since=2026-03-02&until=2026-03-01", "before the first one"),
        ("after=x", "cut off"),
    ] {
        let got = ada.get(&format!("/desk/orders?{query}")).expect(422);
        assert!(got.body.contains(expected), "{query}: {}", got.body);
    }
    ada.get(&format!("/desk/orders?q={}", "x".repeat(300))).expect(422);
    ada.get("/desk/orders?after=9223372036854775807~x&market=nowhere&unknown=1").expect(200);
    ada.get("/desk/stock?at_most=many").expect(422);
    ada.get("/desk/audit?before=x").expect(200);
    ada.post("/desk/state", &page, &[("payments", "perhaps")]).expect(400);
    ada.post("/desk/orders/T-100001/note", &page, &[("text", " ")]).expect(422);
    ada.post("/desk/orders/T-100001/note", &page, &[("text", &"x".repeat(2_001))]).expect(422);
    ada.post("/desk/orders/T-100001/refund", &page, &[("reason", "two\nlines")]).expect(422);
    ada.post("/desk/stuck", &page, &[("subject", "nothing"), ("note", "x")]).expect(422);
}

#[test]
fn orders_are_found_by_all_that_people_know_of_them() {
    let counter = shop();
    for (sku, units, name, mail) in [
        ("LAMP-S", 1, "Ada Lovelace", "ada@example.com"),
        ("MUG", 2, "Bob Ada Hopper", "bob@example.org"),
        ("LAMP-S", 2, "Ünal Çelik", "unal@example.com"),
    ] {
        let mut shopper = Shopper::with(&counter, sku, units);
        shopper.check_out();
        let mut told = details();
        (told["address"]["name"], told["contact"]["email"]) = (json!(name), json!(mail));
        let ready = shopper.tell(told);
        let paying = shopper.pay(&ready).expect(200).json();
        let back = counter.give_card(redirect_url(&paying), GOOD);
        shopper.come_back(&back).expect(303);
        counter.round();
        counter.pass(86_400);
    }
    let mut ada = Browser::at(&counter).signed_in("ada");
    let reference = counter.payments()[0].reference.clone();
    let mut check = |query: &str, expected: &[u32]| {
        let body = ada.get(&format!("/desk/orders?{query}")).expect(200).body;
        let found: BTreeSet<u32> = (1..=3).filter(|number| body.contains(&format!(">T-10000{number}</a>"))).collect();
        assert_eq!(found, expected.iter().copied().collect(), "{query}: {body}");
    };
    check("", &[1, 2, 3]);
    check("q=T-100002", &[2]);
    check("q=t-100002", &[2]);
    check(&format!("q={reference}"), &[1]);
    check("q=ada@example.com", &[1]);
    check("q=ADA%40EX", &[1]);
    check("q=ada", &[1, 2]);
    check("q=ada+hop", &[2]);
    check("q=%C3%BCnal", &[3]);
    check("q=lamp-s", &[1, 3]);
    check("q=lamp-s&until=2026-09-21", &[1]);
    check("q=nobody", &[]);
    check("q=%25", &[]);
    check("since=2026-09-22", &[2, 3]);
    check("since=2026-09-22&until=2026-09-22", &[2]);
    check("state=placed&paid=paid&market=eu", &[1, 2, 3]);
    check("market=us", &[]);
    check("state=canceled", &[]);
    check("state=pending_payment", &[]);
    check("paid=refunded", &[]);
    check("paid=unpaid", &[]);
    let page = ada.get("/desk/orders/T-100003");
    ada.post("/desk/orders/T-100003/refund", &page, &[("step", "do"), ("amount", "1")]).expect(303);
    let body = ada.get("/desk/orders?paid=refunded").body;
    assert!(body.contains("T-100003") && body.contains("partly refunded") && !body.contains("T-100001"), "{body}");
}

#[test]
fn stock_is_counted_with_a_reason_and_its_movements_are_shown() {
    let counter = sold();
    let mut ada = Browser::at(&counter).signed_in("ada");
    assert_eq!(ada.get("/").expect(303).header("location"), "/desk");
    let page = ada.get("/desk/stock/LAMP-S").expect(200);
    for (fields, expected) in [
        (&[("how", "set"), ("number", "7")][..], "Say why"),
        (&[("how", "set"), ("number", "-1"), ("reason", "x")], "from 0 on"),
        (&[("how", "set"), ("number", "1.5"), ("reason", "x")], "from 0 on"),
        (&[("how", "set"), ("number", "99999999999"), ("reason", "x")], "from 0 on"),
        (&[("how", "adjust"), ("number", "0"), ("reason", "x")], "came or went"),
        (&[("how", "adjust"), ("number", "many"), ("reason", "x")], "came or went"),
        (&[("how", "adjust"), ("number", "-500"), ("reason", "x")], "promised to open payments"),
    ] {
        let got = ada.post("/desk/stock/LAMP-S", &page, fields).expect(422);
        assert!(got.body.contains(expected), "{fields:?}: {}", got.body);
    }
    let fields = [("how", "adjust"), ("number", "-95"), ("reason", "<b>flood</b>")];
    ada.post("/desk/stock/LAMP-S", &page, &fields).expect(303);
    ada.post("/desk/stock/LAMP-S", &page, &fields).expect(303);
    assert_eq!(counter.stock("LAMP-S"), (4, 0, 1), "a form that is sent twice is done once");
    let page = ada.get("/desk/stock/LAMP-S").expect(200);
    for words in ["&lt;b&gt;flood", "-95", "opening", "sold", "-1"] {
        assert!(page.body.contains(words), "{words} in {}", page.body);
    }
    assert!(ada.get("/desk").body.contains("/desk/stock/LAMP-S"), "it is low");
    assert!(
        ada.get("/desk/stock?at_most=4").body.contains("LAMP-S") && !ada.get("/desk/stock?at_most=3").body.contains(">LAMP-S<")
    );
    ada.post("/desk/stock/LAMP-S", &page, &[("how", "set"), ("number", "70"), ("reason", "counted")]).expect(303);
    assert!(ada.get("/desk/stock?q=LAMP").body.contains(">70<"));
    // A SKU of the catalogue that was never counted has a page, to count it at.
    let never = ada.get("/desk/stock/VASE").expect(200);
    let got = ada.post("/desk/stock/VASE", &never, &[("how", "adjust"), ("number", "5"), ("reason", "x")]).expect(422);
    assert!(got.body.contains("set what there is first"), "{}", got.body);
    ada.post("/desk/stock/VASE", &got, &[("how", "set"), ("number", "5"), ("reason", "x")]).expect(303);
    assert_eq!(counter.stock("VASE"), (5, 0, 0));
    let log = ada.get("/desk/audit").body;
    assert!(log.contains("99 → 4") && log.contains("4 → 70") && log.contains("never counted → 5"), "{log}");
}

#[test]
fn payments_are_paused_and_begin_again_at_a_button() {
    let counter = shop();
    counter.round();
    let mut ada = Browser::at(&counter).signed_in("ada");
    let page = ada.get("/desk/state").expect(200);
    ada.post("/desk/state", &page, &[("payments", "pause"), ("reason", "the gateway's <maintenance>")]).expect(303);
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shopper.pay(&ready).expect(503);
    let page = ada.get("/desk/state").expect(200);
    assert!(page.body.contains("&lt;maintenance&gt;") && page.body.contains("New payments are paused."), "{}", page.body);
    ada.post("/desk/state", &page, &[("payments", "resume")]).expect(303);
    shopper.pay(&ready).expect(200);
    let actions: Vec<String> = log(&counter).into_iter().map(|(_, action)| action).take(2).collect();
    assert_eq!(actions, ["payments resumed", "payments paused"]);
    assert!(ada.get("/desk/coupons").expect(200).body.contains("no limit"));
}

#[test]
fn what_waits_for_a_person_is_on_the_first_page_until_somebody_dealt_with_it() {
    let counter = sold();
    let file = rusqlite::Connection::open(counter.folder.path().join("shop.db")).expect("the file");
    file.execute_batch("UPDATE attempts SET state = 'review', reason = 'amount <other>'").expect("SQL");
    let mut ada = Browser::at(&counter).signed_in("ada");
    for path in ["/desk", "/desk/stuck", "/desk/orders/T-100001"] {
        let body = ada.get(path).expect(200).body;
        assert!(body.contains("amount &lt;other&gt;") && body.contains("look the payment up"), "{path}: {body}");
    }
    let page = ada.get("/desk/stuck");
    let subject = hidden(&page, "subject");
    ada.post("/desk/stuck", &page, &[("subject", &subject), ("note", "")]).expect(422);
    ada.post("/desk/stuck", &page, &[("subject", &subject), ("note", "called the bank")]).expect(303);
    assert!(ada.get("/desk/stuck").body.contains("Nothing is stuck."));
    assert!(ada.get("/desk/orders/T-100001").body.contains("called the bank"));
}

#[test]
fn a_store_that_fails_is_told_and_nothing_else() {
    use crate::support::rig::{Health, Rig};
    let rig = Rig::open();
    let hash = password::hash(PASSWORD);
    rig.run(rig.till().store.add_operator("ada", &hash, "test", Timestamp(1))).expect("an operator");
    let mut ada = Browser::of(&rig.app).signed_in("ada");
    for health in [Health::Down, Health::Slow, Health::Wrong] {
        *rig.store.lock().expect("unharmed") = health;
        for path in ["/desk", "/desk/orders", "/desk/stock", "/desk/sign-in"] {
            let got = ada.get(path).expect(503);
            assert!(got.body.contains("cannot be read or written") && !got.body.contains("the disk is gone"), "{got:?}");
        }
    }
    *rig.store.lock().expect("unharmed") = Health::Well;
    ada.get("/desk").expect(200);
}
