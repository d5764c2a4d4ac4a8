//! Stripe: whole purchases by its hosted page, with the faulty gateway in its place and that gateway's own ledger as the witness.

use serde_json::{Value, json};
use vitrine::commerce::money::{Currency, Money};
use vitrine::commerce::shipping::RatePrice;
use vitrine::gateway::Outcome;

use crate::faulty::Call;
use crate::faulty::faults::Fault;
use crate::faulty::hooks::HookFault;
use crate::openapi;
use crate::support::client;
use crate::support::counter::{DECLINED, GOOD, SECURE, Shopper, redirect_url};
use crate::support::edge::{BASE_URL, Caller, bundle};
use crate::support::stripe::{StripeShop, session_of, stripe};

/// A shopper at the gateway's page, and the page's address.
pub(crate) fn at_the_page(shop: &StripeShop, sku: &str) -> (Shopper, String) {
    let mut shopper = Shopper::with(&shop.counter, sku, 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let url = redirect_url(&paying).to_owned();
    (shopper, url)
}

fn posts(calls: &[Call], line: &str) -> Vec<Call> {
    calls.iter().filter(|call| call.line.starts_with("POST ") && call.line.ends_with(line)).cloned().collect()
}

/// One order, placed and paid with one charge and told in one mail.
pub(crate) fn is_paid_once(shop: &StripeShop, amount: i64) {
    assert_eq!(shop.faulty.captured(), [amount], "the gateway's own ledger");
    assert_eq!(shop.faulty.held(), 0, "nothing is held beside it");
    let placed: Vec<_> = shop.counter.orders().into_iter().filter(|(state, _)| state != "canceled").collect();
    assert_eq!(placed, [("placed".to_owned(), true)]);
    shop.counter.round();
    assert_eq!(shop.counter.mails().len(), 1);
}

#[test]
fn a_shopper_with_plain_forms_buys_by_the_hosted_page() {
    let shop = StripeShop::open();
    let mut caller = Caller::new(&shop.counter.app).with("sec-fetch-site", "same-origin");
    caller.form("/cart/lines", "sku=LAMP-S&quantity=1&market=eu").expect(303);
    let path = caller.form("/checkout", "").expect(303).header("location").to_owned();
    let fields = "email=ada%40example.com&name=Ada&line1=Lindenweg+4&city=Berlin&postal_code=10115&country=DE&shipping=express";
    caller.form(&path, fields).expect(303);
    let page = caller.page(&path).expect(200);
    let field = |name: &str| {
        let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
        rest.split_once('"').expect("a value").0.to_owned()
    };
    let form = format!("quote_hash={}&method={}&key={}", field("quote_hash"), field("method"), field("key"));
    let paying = caller.form(&format!("{path}/payment"), &form).expect(303);
    let gateway = paying.header("location").strip_prefix(&shop.faulty.base).expect("to the gateway's page").to_owned();
    let port: u16 = shop.faulty.base.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");

    // Who leaves the page without paying sees the checkout, which leads on to it.
    let left = client::form(port, &gateway, &[], &[("step", "leave")]).expect(303);
    let left = left.header("location").and_then(|url| url.strip_prefix(BASE_URL)).expect("to the shop").to_owned();
    assert!(caller.page(&left).expect(200).body.contains(&gateway), "the payment is still open");

    client::form(port, &gateway, &[], &[("number", DECLINED)]).expect(402);
    let paid = client::form(port, &gateway, &[], &[("number", GOOD)]).expect(303);
    let back = paid.header("location").and_then(|url| url.strip_prefix(BASE_URL)).expect("back to the shop").to_owned();
    let led = caller.page(&back).expect(303);
    let order = caller.page(led.header("location")).expect(200);
    assert!(order.body.contains("T-100001") && order.body.contains("€29.80"), "{}", order.body);
    is_paid_once(&shop, 2980);
    let mail = &shop.counter.mails()[0];
    assert!(mail.contains("To: ada@example.com") && mail.contains("T-100001"), "{mail}");

    let opened = &posts(&shop.faulty.calls(), "/v1/checkout/sessions")[0];
    assert!(opened.key.starts_with("tiny:") && opened.key.ends_with(":create:1"), "{}", opened.key);
    for part in ["capture_method%5D=manual", "unit_amount%5D=2980", "metadata%5Bquote_hash%5D=", "metadata%5Bshop%5D=tiny"] {
        assert!(opened.body.contains(part), "{part} in {}", opened.body);
    }
    let stored = rusqlite::Connection::open(shop.counter.folder.path().join("shop.db")).expect("the file");
    let body: Vec<u8> = stored.query_row("SELECT body FROM attempts", [], |row| row.get(0)).expect("an attempt");
    assert_eq!(String::from_utf8(body).expect("text"), opened.body, "what was sent is what was stored");
}

#[test]
fn a_payment_whose_webhook_is_lost_is_found_by_the_sweep() {
    let shop = StripeShop::open();
    let (_, url) = at_the_page(&shop, "LAMP-S");
    shop.faulty.hooks_go(HookFault::Lost);
    shop.faulty.give_card(session_of(&url), GOOD);
    assert_eq!(shop.deliver(), [0; 0]);
    shop.counter.pass(31);
    shop.sweep();
    is_paid_once(&shop, 2480);
}

#[test]
fn a_payment_that_is_called_off_cannot_be_paid_any_more() {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let path = format!("{}/payment", shopper.checkout);
    let off = shopper.caller.json("DELETE", &path, Value::Null).expect(200).json();
    assert_eq!((off["payment"]["state"].as_str(), shop.counter.stock("LAMP-S")), (Some("none"), (100, 0, 0)));
    assert!(shop.faulty.give_card(session_of(&url), GOOD).contains("run out"));
    // The next payment of the same cart is another session under another key.
    let ready = shopper.tell(json!({"shipping": "express"}));
    let paying = shopper.pay(&ready).expect(200).json();
    shop.faulty.give_card(session_of(redirect_url(&paying)), GOOD);
    assert_eq!(shopper.look()["state"], "completed");
    is_paid_once(&shop, 2980);
    let opened = posts(&shop.faulty.calls(), "/v1/checkout/sessions");
    assert!(opened.len() == 2 && opened[0].key.ends_with(":1") && opened[1].key.ends_with(":2"), "{opened:?}");
}

#[test]
fn who_pays_in_the_instant_of_calling_off_has_paid() {
    let shop = StripeShop::open();
    let (mut shopper, _) = at_the_page(&shop, "LAMP-S");
    shop.faulty.script("expire", Fault::Race);
    let path = format!("{}/payment", shopper.checkout);
    let off = shopper.caller.json("DELETE", &path, Value::Null).expect(200).json();
    assert_eq!(off["state"], "completed", "{off}");
    is_paid_once(&shop, 2480);
}

#[test]
fn a_page_that_nobody_finishes_is_closed_and_its_units_are_free() {
    let shop = StripeShop::open();
    for (card, seconds) in [(None, 2101), (Some(SECURE), 2101), (Some(DECLINED), 2101)] {
        let (mut shopper, url) = at_the_page(&shop, "LAMP-L");
        if let Some(card) = card {
            shop.faulty.give_card(session_of(&url), card);
        }
        assert_eq!(shop.counter.stock("LAMP-L"), (3, 1, 0));
        shop.counter.pass(seconds);
        shop.counter.round();
        assert_eq!((shop.counter.stock("LAMP-L"), shop.faulty.held()), ((3, 0, 0), 0), "{card:?}");
        let told = shopper.look();
        assert!(told["payment"]["detail"].as_str().is_some_and(|text| text.contains("not been charged")), "{told}");
    }
}

#[test]
fn an_answer_that_is_lost_opens_no_second_payment() {
    use Fault::{
        ActThenCut, Fail, FailActed, FailThenRoll, Html, InUse, Late, Locked, Redirect, Refuse, TooMany, Truncated, Unavailable,
    };
    for fault in
        [Refuse, ActThenCut, Fail, FailActed, FailThenRoll, InUse, TooMany, Locked, Late, Truncated, Html, Redirect, Unavailable]
    {
        let shop = StripeShop::open();
        shop.faulty.script("create", fault);
        let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let paying = shopper.pay(&ready).expect(200).json();
        let state = paying["payment"]["state"].as_str().expect("a state").to_owned();
        assert!(["redirect", "checking"].contains(&state.as_str()), "{fault:?}: {paying}");
        shop.faulty.act_late();
        let waiting = shopper.look();
        shop.faulty.give_card(session_of(redirect_url(&waiting)), GOOD);
        assert_eq!(shopper.look()["state"], "completed", "{fault:?}");
        assert_eq!(shop.faulty.objects("checkout.session").len(), 1, "{fault:?}");
        is_paid_once(&shop, 2480);
        let opened = posts(&shop.faulty.calls(), "/v1/checkout/sessions");
        assert!(opened.iter().all(|call| (&call.key, &call.body) == (&opened[0].key, &opened[0].body)), "{fault:?}");
    }
}

#[test]
fn an_answer_to_a_capture_that_is_lost_takes_the_money_once() {
    use Fault::{ActThenCut, Fail, FailActed, FailThenRoll, Html, InUse, Late, Locked, Refuse, TooMany, Truncated, Unauthorized};
    for fault in [Refuse, ActThenCut, Fail, FailActed, FailThenRoll, InUse, TooMany, Locked, Late, Truncated, Html, Unauthorized]
    {
        let shop = StripeShop::open();
        let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
        let back = shop.faulty.give_card(session_of(&url), GOOD);
        shop.faulty.script("capture", fault);
        // The order stands, whatever becomes of the capture.
        let led = shopper.come_back(&back).expect(303);
        assert!(led.header("location").starts_with("/orders/"), "{fault:?}: {led:?}");
        assert_eq!(shop.counter.orders()[0].0, "placed");
        shop.faulty.act_late();
        shop.counter.pass(10);
        shop.counter.round();
        shop.counter.pass(10);
        is_paid_once(&shop, 2480);
        let taken = posts(&shop.faulty.calls(), "/capture");
        assert!(taken.iter().all(|call| call.key == taken[0].key && call.key.ends_with(":capture:1")), "{fault:?}: {taken:?}");
    }
}

#[test]
fn money_that_is_not_what_was_agreed_places_nothing_and_is_let_go() {
    for fault in [Fault::WrongAmount, Fault::WrongCurrency] {
        let shop = StripeShop::open();
        shop.faulty.script("create", fault);
        let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
        let back = shop.faulty.give_card(session_of(&url), GOOD);
        shopper.come_back(&back).expect(303);
        shop.counter.round();
        assert_eq!((shop.faulty.captured(), shop.faulty.held()), (vec![], 0), "{fault:?}");
        assert!(shop.counter.orders().iter().all(|(state, _)| state != "placed"), "{fault:?}");
        assert_eq!(shop.counter.mails().len(), 1, "{fault:?}: the merchant is told, and nobody else");
    }
}

#[test]
fn a_payment_of_the_other_mode_is_not_ours() {
    let shop = StripeShop::open();
    shop.faulty.script("create", Fault::WrongMode);
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    assert_eq!(paying["payment"]["state"], "checking", "{paying}");
    let session = shop.faulty.objects("checkout.session")[0]["id"].as_str().expect("an id").to_owned();
    shop.faulty.give_card(&session, GOOD);
    shop.counter.round();
    assert_eq!((shop.faulty.captured(), shop.counter.orders()[0].0.as_str()), (vec![], "pending_payment"));
}

#[test]
fn a_hold_that_runs_out_before_the_capture_is_put_before_a_person() {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    shop.faulty.script("capture", Fault::Refuse);
    shopper.come_back(&back).expect(303);
    shop.faulty.expire_holds();
    shop.counter.pass(31);
    shop.counter.round();
    shop.counter.round();
    assert_eq!((shop.faulty.captured().len(), shop.counter.orders()), (0, vec![("placed".to_owned(), false)]));
    assert_eq!(shop.counter.mails().len(), 1, "the merchant is told");
}

#[test]
fn what_was_read_too_early_undoes_nothing() {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    // The way back reads a copy that does not know of the card yet, the capture's own look as well.
    shop.faulty.script("fetch", Fault::Stale);
    shopper.come_back(&back).expect(303);
    assert_eq!(shop.counter.orders()[0].0, "pending_payment");
    shopper.come_back(&back).expect(303);
    is_paid_once(&shop, 2480);
}

#[test]
fn a_slow_payment_is_checked_until_it_ends() {
    for succeeds in [true, false] {
        let shop = StripeShop::open();
        let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
        shop.faulty.pay_slowly(session_of(&url));
        let seen = shopper.look();
        assert_eq!((seen["payment"]["state"].as_str(), seen["payment"]["redirect_url"].is_null()), (Some("checking"), true));
        shop.counter.pass(3 * 24 * 3600);
        shop.counter.round();
        assert_eq!(shop.counter.stock("LAMP-S"), (100, 1, 0), "its units stay held for as long as it takes");
        shop.faulty.end_slow(session_of(&url), succeeds);
        shop.counter.pass(3600);
        shop.counter.round();
        let seen = shopper.look();
        if succeeds {
            is_paid_once(&shop, 2480);
        } else {
            assert_eq!((seen["payment"]["state"].as_str(), shop.faulty.captured().len()), (Some("declined"), 0), "{seen}");
        }
    }
}

#[test]
fn an_amount_that_stripe_does_not_charge_is_refused_before_anything_is_held() {
    let shop = StripeShop::open();
    for (price, is_charged) in [(49, false), (50, true)] {
        let mut cheap = bundle(BASE_URL, price);
        cheap.rules.shipping[0].rates[0].price = RatePrice::Flat { minor: 0 };
        shop.counter.go_live(&cheap);
        let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let answer = shopper.pay(&ready);
        if is_charged {
            answer.expect(200);
        } else {
            assert!(answer.body.contains("begins at €0.50"), "{answer:?}");
            openapi::check("POST", "/api/v1/checkouts/{checkout}/payment", &answer);
            assert_eq!((answer.code(422), shop.counter.orders().len()), ("amount_not_payable".to_owned(), 0));
        }
    }
}

#[test]
fn a_key_that_stripe_may_have_forgotten_is_not_used_again() {
    let shop = StripeShop::open();
    for (operation, fault) in
        [("create", Fault::ActThenCut), ("create", Fault::Refuse), ("create", Fault::Refuse), ("list", Fault::Refuse)]
    {
        shop.faulty.script(operation, fault);
    }
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    assert_eq!(paying["payment"]["state"], "checking");
    let sent = posts(&shop.faulty.calls(), "/v1/checkout/sessions").len();
    shop.counter.pass(23 * 3600 + 1);
    shop.faulty.forget_keys();
    shop.counter.round();
    assert_eq!(posts(&shop.faulty.calls(), "/v1/checkout/sessions").len(), sent, "it is looked up");
    assert_eq!(shop.faulty.objects("checkout.session").len(), 1);
    let told = shopper.look();
    assert_eq!((told["payment"]["state"].as_str(), shop.counter.stock("LAMP-S")), (Some("none"), (100, 0, 0)), "{told}");

    // The same for a capture: what was taken is found, and is not taken again.
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    shop.faulty.script("capture", Fault::ActThenCut);
    shopper.come_back(&back).expect(303);
    shop.counter.pass(23 * 3600 + 1);
    shop.faulty.forget_keys();
    shop.counter.round();
    is_paid_once(&shop, 2480);
    assert_eq!(posts(&shop.faulty.calls(), "/capture").len(), 1);
}

#[test]
fn a_thousand_payments_that_wait_are_looked_up_by_one_reading_of_the_time_they_began_in() {
    const WAITING: u32 = 1_000;
    let shop = StripeShop::open();
    for (operation, fault) in
        [("create", Fault::ActThenCut), ("create", Fault::Refuse), ("create", Fault::Refuse), ("list", Fault::Refuse)]
    {
        shop.faulty.script(operation, fault);
    }
    let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    assert_eq!(shopper.pay(&ready).expect(200).json()["payment"]["state"], "checking");
    // As many more of other shoppers, whose calls never arrived.
    let file = rusqlite::Connection::open(shop.counter.folder.path().join("shop.db")).expect("the file");
    file.execute_batch("BEGIN").expect("SQL");
    for (table, names) in
        [("checkouts", &["id"][..]), ("orders", &["id", "checkout"]), ("attempts", &["id", "checkout", "order_id", "key"])]
    {
        let columns: Vec<String> = {
            let mut select = file.prepare("SELECT name FROM pragma_table_info(?1)").expect("SQL");
            let names = select.query_map([table], |row| row.get(0)).expect("rows");
            names.collect::<Result<_, _>>().expect("names")
        };
        let values: Vec<String> = columns
            .iter()
            .map(|name| match name.as_str() {
                "cart_id" => "printf('%032x', value)".to_owned(),
                own if names.contains(&own) => format!("{own} || '-' || value"),
                same => same.to_owned(),
            })
            .collect();
        let (columns, values) = (columns.join(", "), values.join(", "));
        let insert = format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {table},
                 (WITH RECURSIVE count (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM count WHERE value < ?1) SELECT value FROM count)"
        );
        file.execute(&insert, [WAITING - 1]).expect("SQL");
    }
    file.execute_batch("COMMIT").expect("SQL");
    let waiting = || {
        let select = "SELECT count(*) FROM attempts WHERE state = 'intent_pending'";
        file.query_row(select, [], |row| row.get::<_, u32>(0)).expect("a count")
    };
    assert_eq!(waiting(), WAITING);
    // And what was opened long after.
    shop.counter.pass(3 * 3600);
    for number in 0..250 {
        let made_at = shop.counter.app.clock.now().0;
        shop.faulty.put(
            &json!({"id": format!("cs_later_{number}"), "object": "checkout.session", "created": made_at, "status": "expired"}),
        );
    }
    let before = shop.faulty.calls().len();
    let mut sweeps = 0;
    while waiting() > 0 {
        sweeps += 1;
        assert!(sweeps <= 20, "{} still wait", waiting());
        shop.sweep();
    }
    let calls = shop.faulty.calls().split_off(before);
    let gets = calls.iter().filter(|call| call.line.starts_with("GET ")).count();
    // A sweep reads sessions and intents once, whatever it takes; the one that was opened is fetched.
    assert!(gets <= 2 * sweeps + 1, "{gets} of {sweeps}: {calls:?}");
    shop.counter.round();
    assert_eq!(shop.faulty.objects("checkout.session")[0]["status"], "expired");
    assert_eq!((shop.faulty.captured(), shop.counter.stock("LAMP-S")), (vec![], (100, 0, 0)));
}

#[test]
fn purchases_over_a_bad_line_end_paid_once_or_not_at_all() {
    for seed in 1..=6 {
        let shop = StripeShop::open();
        shop.faulty.seed(seed, 30);
        for _ in 0..5 {
            let mut shopper = Shopper::with(&shop.counter, "LAMP-S", 1);
            let ready = shopper.check_out();
            // Where the line was bad three times in a row, the next one is told so, and nothing is begun.
            let paying = shopper.pay(&ready);
            if paying.status != 200 {
                assert_eq!(paying.code(503), "payments_interrupted");
            }
        }
        for _ in 0..4 {
            for session in shop.faulty.objects("checkout.session") {
                shop.faulty.give_card(session["id"].as_str().expect("an id"), GOOD);
            }
            shop.deliver();
            shop.faulty.act_late();
            shop.counter.pass(60);
            shop.counter.round();
        }
        shop.faulty.seed(seed, 0);
        for _ in 0..4 {
            // What was put off in the last round with faults, such as a capture that failed and is rolled forward.
            shop.faulty.act_late();
            shop.deliver();
            shop.counter.pass(1200);
            shop.counter.round();
        }
        let orders = shop.counter.orders();
        let paid = orders.iter().filter(|(state, is_paid)| state == "placed" && *is_paid).count();
        assert_eq!((shop.faulty.captured(), shop.faulty.held()), (vec![2480; paid], 0), "seed {seed}: {orders:?}");
        assert!(
            orders.iter().all(|(state, is_paid)| (state == "placed") == *is_paid && state != "pending_payment"),
            "seed {seed}: {orders:?}"
        );
        assert_eq!(shop.counter.stock("LAMP-S"), (100 - paid as i64, 0, paid as i64), "seed {seed}");
        assert_eq!(shop.counter.run(shop.counter.till().store.inbox_depth()).expect("a count"), 0, "seed {seed}");
        assert_eq!(shop.counter.run(shop.counter.till().store.outbox_depth()).expect("a count"), 0, "seed {seed}");
        assert_eq!(shop.counter.mails().len(), paid, "seed {seed}");
    }
}

#[test]
fn money_is_given_back_once_per_key_and_no_more_than_was_taken() {
    let shop = StripeShop::open();
    let (mut shopper, url) = at_the_page(&shop, "LAMP-S");
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    shopper.come_back(&back).expect(303);
    let gateway = stripe(&shop.faulty.base);
    let amount = |minor| Money::new(minor, Currency::from_code("EUR").expect("a currency"));
    let refund = |key: &str, minor| shop.counter.run(gateway.refund(key, session_of(&url), amount(minor)));
    for _ in 0..2 {
        let Outcome::Done(payment) = refund("r1", 1000) else { panic!("it is given back") };
        assert_eq!(payment.refunded_minor, 1000);
    }
    assert!(matches!(refund("r2", 1481), Outcome::Rejected(_)), "more than is left");
    shop.faulty.script("refund", Fault::ActThenCut);
    assert!(matches!(refund("r3", 480), Outcome::Unknown(_)));
    assert!(matches!(refund("r3", 480), Outcome::Done(payment) if payment.refunded_minor == 1480));
    // One that is taken on may fail at the bank.
    shop.faulty.script("refund", Fault::RefundPends);
    assert_eq!(refund("r4", 1000), Outcome::Accepted);
    shop.faulty.fail_refunds();
    let Outcome::Done(payment) = shop.counter.run(gateway.fetch(session_of(&url))) else { panic!("it is there") };
    assert_eq!((payment.refunded_minor, shop.faulty.objects("refund").len()), (1480, 3));
}
