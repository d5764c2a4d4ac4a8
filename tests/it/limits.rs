//! Limits: what does not begin while the gateway is not well, too many pay, or an operator says so; and what goes on all the same.

use std::time::Duration;

use serde_json::{Value, json};
use vitrine::commerce::ids::CheckoutId;
use vitrine::edge::app::Settings;
use vitrine::edge::limits::breaker::REST_MS;
use vitrine::edge::limits::pressure::Valve;
use vitrine::edge::perform::inbox;
use vitrine::store::event::NewEvent;

use crate::faulty::faults::Fault;
use crate::openapi;
use crate::support::counter::{GOOD, Shopper, details, redirect_url};
use crate::support::edge::{BASE_URL, Caller, Got};
use crate::support::rig::{Health, Rig};
use crate::support::stripe::StripeShop;

/// A shopper with one small lamp whose checkout can be paid.
pub(crate) struct Buyer {
    pub(crate) caller: Caller,
    pub(crate) path: String,
    pub(crate) ready: Value,
}

impl Buyer {
    pub(crate) fn at(rig: &Rig) -> Self {
        Self::with(rig, "LAMP-S")
    }

    fn with(rig: &Rig, sku: &str) -> Self {
        let mut caller = Caller::new(&rig.app);
        caller.json("POST", "/api/v1/cart/lines", json!({"sku": sku, "quantity": 1})).expect(200);
        let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
        let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
        let ready = caller.json("PATCH", &path, details()).expect(200).json();
        Self { caller, path, ready }
    }

    pub(crate) fn pay(&mut self) -> Got {
        let body = json!({"quote_hash": self.ready["quote"]["hash"], "method": "sandbox"});
        let mut caller = self.caller.clone().with("idempotency-key", &format!("{}-pay", self.path));
        let got = caller.json("POST", &format!("{}/payment", self.path), body);
        openapi::check("POST", "/api/v1/checkouts/{checkout}/payment", &got);
        self.caller.token = caller.token;
        got
    }

    pub(crate) fn look(&mut self) -> Value {
        self.caller.json("GET", &self.path.clone(), Value::Null).expect(200).json()
    }

    /// Gives a good card at the gateway's page.
    pub(crate) fn gives_card(rig: &Rig, paying: &Value) {
        use vitrine::gateway::sandbox::PageRequest;
        let path = redirect_url(paying).strip_prefix(BASE_URL).expect("on our own host").to_owned();
        let form = [("number".to_owned(), GOOD.to_owned())];
        rig.run(rig.sandbox.respond(PageRequest { path: &path, post: true, form: &form })).expect("the sandbox answers");
    }
}

const INTERRUPTED: &str = "Card payments are interrupted. You have not been charged. Your cart is saved.";

/// Three shoppers of whose payments nobody knows: from then on no payment begins.
pub(crate) fn breaks(rig: &Rig) {
    rig.gateway_is(Health::Down);
    for payers in 1..=3 {
        let paying = Buyer::at(rig).pay().expect(200).json();
        assert_eq!(paying["payment"]["state"], "checking");
        assert_eq!(rig.called("create"), payers * 3, "sent again under the same key, three times in all");
        let closed = rig.metric("vitrine_breaker_state{dependency=\"gateway\",operation=\"create\",state=\"closed\"}");
        assert_eq!(closed, if payers < 3 { 1.0 } else { 0.0 }, "however often it was sent, it is one payment");
    }
    assert_eq!(rig.metric("vitrine_gateway_retries_total"), 6.0);
    assert_eq!(rig.metric("vitrine_breaker_openings_total"), 1.0);
}

#[test]
fn while_the_gateway_is_down_no_payment_begins_and_nothing_is_written() {
    let rig = Rig::open();
    breaks(&rig);
    let (held, orders) = (rig.held(), rig.orders());
    let mut next = Buyer::at(&rig);
    let got = next.pay();
    assert_eq!((got.header("retry-after"), got.json()["detail"].as_str()), ("10", Some(INTERRUPTED)));
    assert_eq!(got.code(503), "payments_interrupted");
    assert_eq!((rig.called("create"), rig.held(), rig.orders()), (9, held, orders), "neither sent, nor held, nor written");
    assert_eq!(next.look()["state"], "ready_for_complete", "the checkout can be paid as it stands");
    let (status, told) = rig.operator("/readyz");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((status, &told["ready"], &told["payments"]), (200, &json!(true), &json!("interrupted")), "{told}");
    assert_eq!(told["dependencies"]["gateway"]["state"], "failing");
    assert_eq!(rig.metric("vitrine_breaker_state{dependency=\"gateway\",operation=\"create\",state=\"open\"}"), 1.0);
    assert_eq!(rig.metric("vitrine_payments_refused_total{reason=\"breaker\"}"), 1.0);
    rig.heals();
    let paying = next.pay().expect(200).json();
    assert_eq!(paying["payment"]["state"], "redirect", "under the same key");
    assert_eq!(rig.metric("vitrine_breaker_state{dependency=\"gateway\",operation=\"create\",state=\"closed\"}"), 1.0);
}

#[test]
fn a_page_says_the_same_and_can_be_paid_from_later() {
    let rig = Rig::open();
    breaks(&rig);
    let buyer = Buyer::at(&rig);
    let page = buyer.path.replace("/api/v1/checkouts/", "/checkout/");
    let mut browser = buyer.caller.clone().with("sec-fetch-site", "same-origin");
    let form = format!("quote_hash={}&method=sandbox&key=one", buyer.ready["quote"]["hash"].as_str().expect("a hash"));
    let got = browser.form(&format!("{page}/payment"), &form).expect(503);
    assert!(got.body.contains(INTERRUPTED) && got.body.contains("/payment\""), "{}", got.body);
    assert_eq!(got.header("retry-after"), "10");
    rig.heals();
    assert!(browser.form(&format!("{page}/payment"), &form).expect(303).header("location").contains("/checkout/sandbox/"));
}

#[test]
fn after_a_rest_one_payment_finds_out_and_two_good_answers_let_all_through() {
    let rig = Rig::open();
    breaks(&rig);
    rig.pass(i64::try_from(REST_MS / 1_000).expect("seconds"));
    assert_eq!(Buyer::at(&rig).pay().expect(200).json()["payment"]["state"], "checking", "it found out that it is still down");
    assert_eq!(
        (rig.called("create"), Buyer::at(&rig).pay().code(503)),
        (10, "payments_interrupted".to_owned()),
        "and is sent once"
    );
    rig.pass(10);
    rig.gateway_is(Health::Well);
    for _ in 0..3 {
        assert_eq!(Buyer::at(&rig).pay().expect(200).json()["payment"]["state"], "redirect");
    }
    let (_, told) = rig.operator("/readyz");
    assert!(told.contains("\"payments\":\"open\""), "{told}");
}

#[test]
fn what_is_under_way_is_looked_at_taken_and_called_off_whatever_the_breaker_says() {
    let rig = Rig::open();
    let mut paid = Buyer::at(&rig);
    let paying = paid.pay().expect(200).json();
    let mut left = Buyer::at(&rig);
    left.pay().expect(200);
    breaks_quietly(&rig);
    rig.gateway_is(Health::Well);
    Buyer::gives_card(&rig, &paying);
    assert_eq!(Buyer::at(&rig).pay().code(503), "payments_interrupted", "the breaker is open");
    assert_eq!(paid.look()["state"], "completed");
    assert_eq!(rig.captured(), 1);
    let called_off = left.caller.json("DELETE", &format!("{}/payment", left.path), Value::Null).expect(200).json();
    assert_eq!(called_off["payment"]["state"], "none");
    assert_eq!(Buyer::at(&rig).pay().code(503), "payments_interrupted", "it is open still");
}

fn breaks_quietly(rig: &Rig) {
    rig.gateway_is(Health::Down);
    (0..3).for_each(|_| drop(Buyer::at(rig).pay().expect(200)));
}

#[test]
fn that_nothing_was_charged_is_said_only_where_no_other_payment_of_the_cart_lives() {
    let rig = Rig::open();
    let mut buyer = Buyer::at(&rig);
    // Another tab opened a checkout of the same cart before, and pays there.
    let mut tab = Buyer { caller: buyer.caller.clone(), path: String::new(), ready: Value::Null };
    let opened = tab.caller.json("POST", "/api/v1/checkouts", json!({})).json();
    tab.path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    tab.ready = tab.caller.json("PATCH", &tab.path.clone(), details()).expect(200).json();
    assert_ne!(tab.path, buyer.path);
    tab.pay().expect(200);
    breaks_quietly(&rig);
    let got = buyer.pay();
    assert!(!got.body.contains("not been charged"), "{}", got.body);
    assert_eq!(got.code(409), "payment_in_progress");
}

#[test]
fn an_order_over_nothing_needs_no_gateway_and_no_leave() {
    let rig = Rig::open();
    breaks(&rig);
    rig.run(rig.till().store.pause_payments("", rig.app.clock.now())).expect("paused");
    rig.run(rig.till().look_around());
    let mut caller = Caller::new(&rig.app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "PATTERN", "quantity": 1})).expect(200);
    caller.json("PUT", "/api/v1/cart/coupons/GIFT", Value::Null).expect(200);
    let opened = caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    let path = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    let ready = caller.json("PATCH", &path, details()).expect(200).json();
    let mut buyer = Buyer { caller, path, ready };
    assert_eq!(buyer.pay().expect(200).json()["state"], "completed");
}

#[test]
fn more_payments_than_the_rate_are_told_when_to_come_again_and_hold_nothing() {
    let rig = Rig::with(Settings { payments_per_second: 2, ..Settings::default() });
    let mut buyers: Vec<Buyer> = (0..4).map(|_| Buyer::at(&rig)).collect();
    let answers: Vec<Got> = buyers.iter_mut().map(Buyer::pay).collect();
    assert_eq!(answers.iter().map(|got| got.status).collect::<Vec<_>>(), [200, 200, 503, 503]);
    let over = &answers[2];
    assert!(over.body.contains("payments_crowded") && over.body.contains("You have not been charged"), "{}", over.body);
    assert_eq!((over.header("retry-after"), rig.held(), rig.orders().len()), ("1", 2, 2));
    rig.pass(1);
    assert_eq!([buyers[2].pay().status, buyers[3].pay().status], [200, 200]);
    assert_eq!(rig.metric("vitrine_payments_refused_total{reason=\"rate\"}"), 2.0);
}

#[test]
fn a_payment_that_is_refused_for_its_stock_takes_no_place_of_another() {
    let rig = Rig::with(Settings { payments_per_second: 1, ..Settings::default() });
    let mut late = Buyer::with(&rig, "LAMP-L");
    let now = rig.app.clock.now();
    rig.run(rig.till().store.set_stock(&"LAMP-L".into(), 0, "", now)).expect("counted");
    assert_eq!(late.pay().code(409), "sold_out");
    Buyer::at(&rig).pay().expect(200);
}

#[test]
fn while_work_waits_too_long_newcomers_are_held_back_and_whoever_has_a_cart_can_buy() {
    let rig = Rig::open();
    let mut inside = Buyer::at(&rig);
    rig.app.strain.set(&Valve { newcomers_per_second: Some(2.0), doublings: 0.0 }, Duration::from_millis(30));
    let newcomer = || Caller::new(&rig.app).json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2}));
    newcomer().expect(200);
    let got = newcomer();
    let after: u32 = got.header("retry-after").parse().expect("seconds");
    assert!((2..=8).contains(&after) && got.clone().code(503) == "overloaded", "{after}: {}", got.body);
    assert_eq!(inside.caller.json("GET", "/api/v1/availability/lamp", Value::Null).code(503), "overloaded");
    inside.caller.json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2})).expect(200);
    inside.ready = inside.caller.json("PATCH", &inside.path.clone(), details()).expect(200).json();
    assert_eq!(inside.pay().expect(200).json()["payment"]["state"], "redirect");
    let series = |name: &str, weight: &str| rig.metric(&format!("vitrine_requests_{name}_total{{weight=\"{weight}\"}}"));
    assert_eq!((series("shed", "cart_write"), series("shed", "availability"), series("shed", "payment")), (1.0, 1.0, 0.0));
    assert_eq!((series("passed", "cart_write"), series("passed", "payment")), (3.0, 1.0));
    assert_eq!((rig.metric("vitrine_newcomers_limit"), rig.metric("vitrine_pulse_wait_seconds")), (2.0, 0.03));
    // However long it waits: what a shopper who may have paid asks for is answered.
    rig.app.strain.set(&Valve { newcomers_per_second: Some(2.0), doublings: 99.0 }, Duration::from_secs(9));
    inside.caller.json("GET", "/api/v1/cart", Value::Null).expect(200);
    inside.look();
    inside.caller.json("DELETE", &format!("{}/payment", inside.path), Value::Null).expect(200);
    assert_eq!(inside.pay().code(503), "overloaded");
    rig.app.strain.set(&Valve::default(), Duration::ZERO);
    newcomer().expect(200);
}

#[test]
fn under_load_the_least_important_is_refused_first_and_what_moves_money_never() {
    for (inside, refused) in [(4, 0), (5, 1), (7, 2), (8, 3), (9, 4), (50, 4)] {
        let rig = Rig::with(Settings { max_in_flight: 10, ..Settings::default() });
        let mut buyer = Buyer::at(&rig);
        let others: Vec<_> = (0..inside).map(|_| rig.app.gate.enter()).collect();
        let availability = buyer.caller.json("GET", "/api/v1/availability/lamp", Value::Null);
        let cart = buyer.caller.json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2}));
        buyer.caller.json("GET", "/api/v1/cart", Value::Null).expect(200);
        let mut fresh = Buyer { caller: buyer.caller.clone(), path: buyer.path.clone(), ready: buyer.ready.clone() };
        let quote = fresh.caller.json("PATCH", &buyer.path, details());
        fresh.ready = if quote.status == 200 { quote.json() } else { fresh.ready };
        let paid = fresh.pay();
        let statuses = [availability.status, cart.status, quote.status, paid.status];
        assert_eq!(statuses.iter().filter(|status| **status == 503).count(), refused, "{inside} inside: {statuses:?}");
        assert!(statuses.is_sorted_by(|one, other| one >= other || *one != 503), "{inside} inside: {statuses:?}");
        fresh.look();
        for got in [&availability, &cart, &quote, &paid].into_iter().filter(|got| got.status == 503) {
            assert!(got.body.contains("overloaded") && !got.body.contains("charged"), "{}", got.body);
            let after: u32 = got.header("retry-after").parse().expect("seconds");
            assert!((2..=8).contains(&after) && got.header("cache-control") == "no-store", "{after}: {}", got.body);
        }
        drop(others);
        assert_eq!(rig.app.gate.under_way(), 0);
    }
}

#[test]
fn retries_are_a_tenth_of_the_traffic_once_what_was_saved_is_spent() {
    let rig = Rig::with(Settings { payments_per_second: 1_000, patience: Duration::from_secs(10), ..Settings::default() });
    // Answers that are mostly good keep the breaker closed.
    for round in 0..120 {
        rig.gateway_is(Health::Well);
        Buyer::with(&rig, "PATTERN").pay().expect(200);
        Buyer::with(&rig, "PATTERN").pay().expect(200);
        Buyer::with(&rig, "PATTERN").pay().expect(200);
        rig.gateway_is(Health::Down);
        let got = Buyer::with(&rig, "PATTERN").pay();
        assert_eq!(got.status, 200, "round {round}: {}", got.body);
        rig.pass(60);
    }
    let firsts = 480.0;
    let retries = rig.metric("vitrine_gateway_retries_total");
    assert!((40.0..=10.0 + firsts / 10.0).contains(&retries), "{retries} retries of {firsts} payments");
}

#[test]
fn a_payment_that_waits_is_asked_about_ever_less_often_and_at_its_deadline() {
    let rig = Rig::open();
    Buyer::at(&rig).pay().expect(200);
    let mut looks = Vec::new();
    for second in 0..900 {
        let before = rig.called("fetch");
        rig.run(vitrine::edge::perform::rounds::sweep(&rig.app, &rig.till(), rig.app.clock.now().plus_seconds(-30)));
        if rig.called("fetch") > before {
            looks.push(second);
        }
        rig.pass(1);
    }
    assert_eq!(looks, [30, 60, 120, 240, 480]);
    rig.sweep();
    assert_eq!(rig.called("fetch"), 6, "at its deadline, though it is not its turn before {}", 960);
}

#[test]
fn once_the_gateway_is_back_all_who_wait_are_asked_about() {
    let rig = Rig::open();
    let mut waiting: Vec<Buyer> = Vec::new();
    rig.gateway_is(Health::Down);
    for _ in 0..3 {
        let mut buyer = Buyer::at(&rig);
        buyer.pay().expect(200);
        waiting.push(buyer);
        rig.pass(60);
    }
    for _ in 0..40 {
        rig.sweep();
        rig.pass(15);
    }
    rig.gateway_is(Health::Well);
    for _ in 0..4 {
        rig.sweep();
        rig.pass(15);
    }
    assert_eq!(rig.live(), 3, "within a minute, though each would have waited for minutes");
}

#[test]
fn a_key_that_is_not_good_interrupts_payments_and_is_told_to_the_operator_once() {
    let shop = StripeShop::open();
    let mut buyers: Vec<Shopper> = (0..2).map(|_| Shopper::with(&shop.counter, "LAMP-S", 1)).collect();
    let ready: Vec<Value> = buyers.iter_mut().map(Shopper::check_out).collect();
    shop.faulty.script("create", Fault::Unauthorized);
    let got = buyers[0].pay(&ready[0]);
    assert_eq!(got.json()["detail"], INTERRUPTED, "nothing was made: Stripe says so itself");
    assert_eq!(got.code(503), "payments_interrupted");
    assert_eq!(buyers[0].look()["payment"]["detail"], INTERRUPTED, "and so says its page, not that it is being checked");
    // The breaker is open at once: the next one is not even written.
    assert_eq!(buyers[1].pay(&ready[1]).code(503), "payments_interrupted");
    assert_eq!(shop.counter.orders().len(), 1);
    let ready_page = |shop: &StripeShop| {
        let request = http::Request::builder().uri("/readyz").body(()).expect("a request");
        let response = vitrine::edge::operator::respond(&shop.counter.app, &request);
        use http_body_util::BodyExt;
        let body = shop.counter.run(response.into_body().collect()).expect("a body").to_bytes();
        serde_json::from_slice::<Value>(&body).expect("JSON")
    };
    assert_eq!(ready_page(&shop)["dependencies"]["gateway"]["state"], "key_refused");
    shop.counter.pass(10);
    shop.faulty.script("create", Fault::Unauthorized);
    assert_eq!(buyers[1].pay(&ready[1]).code(503), "payments_interrupted", "the probe finds it so still");
    shop.counter.round();
    let alarms = shop.counter.mails();
    assert_eq!(alarms.len(), 1, "once a day, not once for every shopper: {alarms:?}");
    // The key is mended: the same checkout is paid.
    shop.counter.pass(10);
    assert_eq!(buyers[0].pay(&ready[0]).expect(200).json()["payment"]["state"], "redirect");
    assert_eq!(ready_page(&shop)["dependencies"]["gateway"]["state"], "ok");
}

#[test]
fn a_refused_key_proves_nothing_about_a_payment_that_was_sent_before() {
    let shop = StripeShop::open();
    let mut buyer = Shopper::with(&shop.counter, "LAMP-S", 1);
    let ready = buyer.check_out();
    // It is made, the answer is lost, and then the key is refused: it may be paid.
    shop.faulty.script("create", Fault::ActThenCut);
    shop.faulty.script("create", Fault::Unauthorized);
    shop.faulty.script("list", Fault::Unauthorized);
    let paying = buyer.pay(&ready).expect(200).json();
    assert_eq!(paying["payment"]["state"], "checking", "{paying}");
    shop.counter.pass(60);
    shop.counter.round();
    assert_eq!(buyer.look()["payment"]["state"], "redirect", "it was there all the time");
    assert_eq!(shop.faulty.objects("checkout.session").len(), 1);
}

#[test]
fn stripe_says_when_it_is_in_vain_to_send_again() {
    // A 500 that Stripe keeps under the key says `Stripe-Should-Retry: false`, a lock says `true`.
    for (fault, sends) in [(Fault::Locked, 2), (Fault::Fail, 2), (Fault::Refuse, 2)] {
        let shop = StripeShop::open();
        let mut buyer = Shopper::with(&shop.counter, "LAMP-S", 1);
        let ready = buyer.check_out();
        shop.faulty.script("create", fault);
        let paying = buyer.pay(&ready).expect(200).json();
        assert_eq!(paying["payment"]["state"], "redirect", "{fault:?}");
        let calls = shop.faulty.calls();
        let posts: Vec<_> = calls.iter().filter(|call| call.line.starts_with("POST /v1/checkout/sessions")).collect();
        assert!(posts.len() <= sends, "{fault:?}");
        assert!(posts.windows(2).all(|two| two[0].body == two[1].body), "the same bytes");
    }
}

#[test]
fn two_who_begin_at_once_after_a_decline_hear_the_same() {
    let rig = Rig::open();
    let buyer = Buyer::at(&rig);
    let store = rig.till().store.clone();
    let id = CheckoutId::from(buyer.path.rsplit('/').next().expect("an id"));
    let checkout = rig.run(store.checkout(&id)).expect("a look").expect("it is there");
    let quote = checkout.quote.clone().expect("a quote");
    let live = rig.app.live.load_full();
    let begin = || {
        let purchase = vitrine::edge::perform::Purchase {
            live: &live,
            keys: &rig.app.keys,
            checkout: &checkout,
            quote: &quote,
            confirmation: None,
            now: rig.app.clock.now(),
        };
        rig.run(rig.till().begin(&purchase))
    };
    let taken = begin().expect("the first");
    let (lease, first) = (taken.lease.expect("it is free"), taken.checkout.attempt.expect("an attempt"));
    rig.run(store.decline(&lease, &first.id, "card_declined", rig.app.clock.now())).expect("declined");
    rig.run(store.release_lease(&lease)).expect("given back");
    // The second saw the checkout before the first began, and comes after the first has ended.
    let refused = begin().expect_err("the number is taken");
    assert!(matches!(refused, vitrine::store::StoreError::Refused(vitrine::store::Refusal::AttemptTaken)), "{refused}");
    assert_eq!(rig.orders(), ["pending_payment"]);
}

#[test]
fn whoever_clicks_while_the_store_fails_hears_nothing_about_money() {
    let rig = Rig::open();
    let mut buyer = Buyer::at(&rig);
    let page = buyer.path.replace("/api/v1/checkouts/", "/checkout/");
    let form = format!("quote_hash={}&method=sandbox", buyer.ready["quote"]["hash"].as_str().expect("a hash"));
    for health in [Health::Down, Health::Slow, Health::Wrong, Health::ReadOnly] {
        *rig.store.lock().expect("unharmed") = health;
        // The form without a key goes straight to the transaction that would begin the payment.
        let mut browser = buyer.caller.clone().with("sec-fetch-site", "same-origin");
        let clicked = browser.form(&format!("{page}/payment"), &form);
        for got in [clicked, buyer.pay(), buyer.caller.json("PATCH", &buyer.path.clone(), details())] {
            assert!(!got.body.contains("charged") && got.body.contains("your cart is kept"), "{health:?}: {}", got.body);
            assert_eq!(got.status, 503);
        }
    }
}

#[test]
fn an_event_about_a_payment_that_is_not_ours_is_looked_at_once() {
    let rig = Rig::open();
    let mut buyer = Buyer::at(&rig);
    buyer.pay().expect(200);
    rig.gateway_is(Health::Wrong);
    let now = rig.app.clock.now();
    let event = NewEvent {
        gateway: "sandbox".to_owned(),
        event: "evt_1".to_owned(),
        kind: "changed".to_owned(),
        checkout: buyer.path.rsplit('/').next().map(CheckoutId::from),
        attempt: Some(1),
        reference: None,
        body: Vec::new(),
        created_at: now,
        result: None,
    };
    rig.run(rig.till().store.keep_events(vec![event], now)).expect("kept");
    assert_eq!(rig.run(inbox::work(&rig.app, &rig.till())).expect("it works"), 1);
    assert_eq!(rig.metric("vitrine_inbox_events_total{result=\"foreign\"}"), 1.0);
    rig.pass(24 * 3600);
    assert_eq!(
        rig.run(inbox::work(&rig.app, &rig.till())).expect("it works"),
        0,
        "it stays foreign, however often it is looked at"
    );
    assert_eq!(rig.run(rig.till().store.inbox_depth()).expect("a look"), 0);
}

#[test]
fn what_is_not_done_after_three_days_is_told_once_and_tried_on() {
    let rig = Rig::open();
    let mut buyer = Buyer::at(&rig);
    let paying = buyer.pay().expect(200).json();
    Buyer::gives_card(&rig, &paying);
    buyer.look();
    *rig.mail.lock().expect("unharmed") = Health::Down;
    let alarms =
        || rig.mails.lock().expect("unharmed").iter().filter(|name| name.starts_with("alarm-late-confirmation-")).count();
    for _ in 0..400 {
        rig.pass(900);
        rig.run(vitrine::edge::perform::rounds::deliver(&rig.app, &rig.till())).expect("a round");
    }
    assert_eq!(alarms(), 0, "no mail goes out at all");
    rig.run(rig.till().look_around());
    assert_eq!(rig.metric("vitrine_outbox_waiting{kind=\"alarm\"}"), 1.0);
    assert!(rig.metric("vitrine_outbox_oldest_seconds{kind=\"confirmation\"}") > 72.0 * 3600.0);
    let (_, told) = rig.operator("/readyz");
    assert!(told.contains("\"mail\":{\"state\":\"failing\""), "{told}");
    *rig.mail.lock().expect("unharmed") = Health::Well;
    rig.pass(900);
    rig.round();
    let mails = rig.mails.lock().expect("unharmed").clone();
    assert_eq!(alarms(), 1, "{mails:?}");
    assert_eq!(mails.iter().filter(|name| name.starts_with("order-")).count(), 1, "it is tried on, and sent in the end");
}
