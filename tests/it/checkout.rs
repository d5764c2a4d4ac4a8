//! Checkout: whole purchases at the edge, with a real store and the sandbox's own ledger as the witness of what was charged.

use serde_json::{Value, json};
use vitrine::edge::perform::{Purchase, rounds};
use vitrine::gateway::RemoteState;

use crate::openapi;
use crate::support::counter::{Counter, DECLINED, GOOD, POOR, SECURE, Shopper, details, get, redirect_url};
use crate::support::edge::Caller;

fn total(checkout: &Value) -> i64 {
    checkout["quote"]["total"]["amount"].as_i64().unwrap_or_else(|| panic!("a quote: {checkout}"))
}

fn codes(messages: &Value) -> Vec<&str> {
    messages.as_array().into_iter().flatten().filter_map(|message| message["code"].as_str()).collect()
}

#[test]
fn a_program_buys_and_every_answer_is_as_described() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 2);
    let opened = shopper.caller.json("POST", "/api/v1/checkouts", json!({}));
    openapi::check("POST", "/api/v1/checkouts", &opened);
    let id = opened.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(opened.header("location"), format!("/api/v1/checkouts/{id}"));
    assert_eq!(opened.json()["state"], "incomplete");
    shopper.checkout = format!("/api/v1/checkouts/{id}");
    let told = shopper.caller.json("PATCH", &shopper.checkout.clone(), details());
    openapi::check("PATCH", "/api/v1/checkouts/{checkout}", &told);
    let ready = told.json();
    assert_eq!((ready["state"].as_str(), total(&ready)), (Some("ready_for_complete"), 2 * 1990 + 490));
    let paying = shopper.pay(&ready);
    openapi::check("POST", "/api/v1/checkouts/{checkout}/payment", &paying);
    assert_eq!(counter.stock("LAMP-S"), (100, 2, 0), "units are held while it is paid");
    let paying = paying.json();
    assert_eq!(paying["payment"]["state"], "redirect");
    let back = counter.give_card(redirect_url(&paying), GOOD);
    let led = shopper.come_back(&back).expect(303);
    openapi::check("GET", "/checkout/{checkout}/return", &led);
    let page = shopper.caller.page(led.header("location")).expect(200);
    assert!(page.body.contains("T-100001"), "{}", page.body);
    let order = led.header("location").replace("/orders/", "/api/v1/orders/");
    let order = get(&counter.app, &order, "application/json");
    openapi::check("GET", "/api/v1/orders/{order}", &order);
    assert_eq!((order.json()["state"].as_str(), order.json()["payment_state"].as_str()), (Some("placed"), Some("paid")));

    assert_eq!(counter.captured(), [4470], "the gateway's own ledger");
    assert_eq!(counter.stock("LAMP-S"), (98, 0, 2));
    counter.round();
    let mails = counter.mails();
    assert_eq!(mails.len(), 1);
    for part in ["To: ada@example.com", "Subject: Tiny: order T-100001", "Message-ID: <order-", "T-100001"] {
        assert!(mails[0].contains(part), "{part} in {}", mails[0]);
    }
    let cart = shopper.caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!(cart["units"], 0, "the cart is empty again");
}

#[test]
fn a_shopper_with_plain_forms_buys() {
    let counter = Counter::open();
    let mut caller = Caller::new(&counter.app).with("sec-fetch-site", "same-origin");
    caller.form("/cart/lines", "sku=LAMP-S&quantity=1&market=eu").expect(303);
    let opened = caller.form("/checkout", "").expect(303);
    let path = opened.header("location").to_owned();
    let page = caller.page(&path).expect(200);
    assert!(!page.body.contains("Please enter"), "nobody is scolded before they could answer: {}", page.body);
    let refused = caller.form(&path, "email=ada&country=DE").expect(422);
    for text in ["Please enter the name", "does not look like an e-mail", "Please enter the postal code"] {
        assert!(refused.body.contains(text), "{text}");
    }
    let fields = "email=ada%40example.com&name=Ada&line1=Lindenweg+4&city=Berlin&postal_code=10115&country=DE&shipping=express";
    caller.form(&path, fields).expect(303);
    let page = caller.page(&path).expect(200);
    assert_eq!(page.header("cache-control"), "private, no-store");
    let field = |name: &str| {
        let (_, rest) = page.body.split_once(&format!("name=\"{name}\" value=\"")).expect(name);
        rest.split_once('"').expect("a value").0.to_owned()
    };
    let form = format!("quote_hash={}&method=sandbox&key={}", field("quote_hash"), field("key"));
    let paying = caller.form(&format!("{path}/payment"), &form).expect(303);
    let gateway = paying.header("location").to_owned();
    // A second click on the old page leads to the same payment.
    assert_eq!(caller.form(&format!("{path}/payment"), &form).expect(303).header("location"), gateway);
    let waiting = caller.page(&path).expect(200);
    assert!(waiting.body.contains(&gateway), "the page leads on to the open payment");
    let back = counter.give_card(&gateway, GOOD);
    let led = caller.page(back.trim_start_matches("http://127.0.0.1:8080")).expect(303);
    let order = caller.page(led.header("location")).expect(200);
    assert!(order.body.contains("express") && order.body.contains("€29.80"), "{}", order.body);
    assert_eq!((counter.payments().len(), counter.captured()), (1, vec![2980]));
    assert!(caller.page("/cart").body.contains("Nothing in here"));
}

#[test]
fn a_declined_card_charges_nothing_and_the_next_one_buys() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    for (card, word) in [(DECLINED, "declined the card"), (POOR, "not enough money")] {
        let paying = shopper.pay(&ready).expect(200).json();
        let back = counter.give_card(redirect_url(&paying), card);
        shopper.come_back(&back).expect(303);
        let declined = shopper.look();
        assert_eq!(
            (declined["state"].as_str(), declined["payment"]["state"].as_str()),
            (Some("ready_for_complete"), Some("declined"))
        );
        let detail = declined["payment"]["detail"].as_str().expect("it says why");
        assert!(detail.contains(word) && detail.contains("not been charged"), "{detail}");
        assert_eq!(counter.captured(), [0; 0]);
        assert_eq!(counter.stock("LAMP-S"), (100, 1, 0), "the units stay held for the next card");
    }
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    shopper.come_back(&back).expect(303);
    assert_eq!((counter.captured(), counter.orders()), (vec![2480], vec![("placed".to_owned(), true)]));
}

#[test]
fn a_second_step_is_passed_or_refused() {
    let counter = Counter::open();
    for (step, state) in [("authenticate", "completed"), ("refuse", "ready_for_complete")] {
        let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let paying = shopper.pay(&ready).expect(200).json();
        let page = counter.give_card(redirect_url(&paying), SECURE);
        assert!(page.contains("Your bank"), "{page}");
        let back = counter.press(redirect_url(&paying), step);
        shopper.come_back(&back).expect(303);
        let path = format!("{}?{}", shopper.checkout, back.split_once('?').expect("a token").1);
        let seen = shopper.caller.json("GET", &path, Value::Null).expect(200).json();
        assert_eq!(seen["state"], state, "{seen}");
    }
    assert_eq!(counter.captured().len(), 1);
}

#[test]
fn eight_clicks_at_once_are_one_payment() {
    let counter = Counter::open();
    for same_key in [true, false] {
        let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
        let ready = shopper.check_out();
        let before = counter.payments().len();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let click = |number: u32| {
                let (shopper, ready) = (&shopper, &ready);
                let key = if same_key { format!("{} same", shopper.checkout) } else { format!("{} {number}", shopper.checkout) };
                scope.spawn(move || shopper.pay_under(ready, &key))
            };
            let clicks: Vec<_> = (0..8).map(click).collect();
            clicks.into_iter().map(|click| click.join().expect("no click panics")).collect()
        });
        assert_eq!(counter.payments().len(), before + 1);
        for answer in &answers {
            assert!([200, 409].contains(&answer.status), "{answer:?}");
            if answer.status == 200 {
                let state = answer.json()["payment"]["state"].as_str().expect("a state").to_owned();
                assert!(["redirect", "checking"].contains(&state.as_str()), "{answer:?}");
            }
        }
        let waiting = shopper.look();
        let back = counter.give_card(redirect_url(&waiting), GOOD);
        shopper.come_back(&back).expect(303);
    }
    assert_eq!(counter.captured(), [2480, 2480]);
}

#[test]
fn the_last_units_go_to_who_pays_first_and_the_other_is_told_which_line() {
    let counter = Counter::open();
    let (mut first, mut second) = (Shopper::with(&counter, "LAMP-L", 2), Shopper::with(&counter, "LAMP-L", 2));
    let (ready, late) = (first.check_out(), second.check_out());
    first.pay(&ready).expect(200);
    let refused = second.pay(&late);
    openapi::check("POST", "/api/v1/checkouts/{checkout}/payment", &refused);
    let problem = refused.expect(409).json();
    assert_eq!((problem["code"].as_str(), problem["messages"][0]["path"].as_str()), (Some("sold_out"), Some("/cart/lines/0")));
    assert_eq!((counter.payments().len(), counter.stock("LAMP-L")), (1, (3, 2, 0)));
    // The first one leaves: the second one may have them.
    let paying = first.look();
    let back = counter.press(redirect_url(&paying), "leave");
    first.come_back(&back).expect(303);
    assert_eq!(counter.stock("LAMP-L"), (3, 0, 0));
    let told = first.look();
    assert!(told["payment"]["detail"].as_str().is_some_and(|text| text.contains("not been charged")), "{told}");
    counter.round();
    let again = second.tell(json!({}));
    second.pay(&again).expect(200);
}

#[test]
fn a_code_for_one_is_used_by_one() {
    let counter = Counter::open();
    let mut shoppers = [Shopper::with(&counter, "LAMP-S", 1), Shopper::with(&counter, "LAMP-S", 1)];
    let ready = shoppers.each_mut().map(|shopper| {
        shopper.caller.json("PUT", "/api/v1/cart/coupons/FIRST", Value::Null).expect(200);
        shopper.check_out()
    });
    assert_eq!(ready.each_ref().map(total), [995 + 490; 2]);
    shoppers[0].pay(&ready[0]).expect(200);
    let problem = shoppers[1].pay(&ready[1]).expect(409).json();
    assert_eq!(problem["code"], "coupon_used_up");
    let amounts = |name: &str| problem["total"][name]["amount"].as_i64();
    assert_eq!((amounts("seen"), amounts("now")), (Some(1485), Some(2480)));
    let fresh = shoppers[1].look();
    assert_eq!(total(&fresh), 2480);
    shoppers[1].pay(&fresh).expect(200);
}

#[test]
fn a_quote_that_ran_out_takes_a_lower_price_silently_and_asks_about_a_higher_one() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    counter.reprice(2990);
    assert_eq!(shopper.look()["quote"]["hash"], ready["quote"]["hash"], "while it holds nothing changes");
    counter.pass(901);
    let problem = shopper.pay(&ready).expect(409).json();
    assert_eq!(problem["code"], "quote_changed");
    let amounts = |name: &str| problem["total"][name]["amount"].as_i64();
    assert_eq!((amounts("seen"), amounts("now")), (Some(2480), Some(3480)));
    assert_eq!((counter.payments().len(), counter.orders().len()), (0, 0), "nothing was begun");
    let fresh = shopper.look();
    counter.reprice(990);
    counter.pass(901);
    shopper.pay(&fresh).expect(200);
    assert_eq!(counter.payments()[0].amount.minor, 990 + 490);
}

#[test]
fn a_cart_that_changed_in_another_tab_is_shown_before_it_is_paid() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shopper.caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-L", "quantity": 1})).expect(200);
    let problem = shopper.pay(&ready).expect(409).json();
    assert_eq!((problem["code"].as_str(), problem["total"]["now"]["amount"].as_i64()), (Some("cart_changed"), Some(5470)));
    let fresh = shopper.look();
    shopper.pay(&fresh).expect(200);
}

#[test]
fn coming_back_twice_is_one_order_and_one_mail() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    let spent = shopper.caller.token.clone();
    let first = shopper.come_back(&back).expect(303).header("location").to_owned();
    for _ in 0..3 {
        assert_eq!(shopper.come_back(&back).expect(303).header("location"), first);
        counter.round();
    }
    assert_eq!((counter.captured().len(), counter.mails().len(), counter.orders().len()), (1, 1, 1));
    // The token of the spent cart shows its order and never pays again.
    shopper.caller.token = spent.clone();
    let seen = shopper.caller.json("POST", "/api/v1/checkouts", json!({})).expect(200).json();
    assert_eq!((seen["state"].as_str(), seen["order"]["number"].as_str()), (Some("completed"), Some("T-100001")));
    shopper.caller.token = spent;
    let led = shopper.caller.form("/checkout", "").expect(303);
    assert_eq!((led.header("location"), shopper.caller.token.as_str()), (first.as_str(), ""), "and the cart is taken away");
}

#[test]
fn a_crash_between_the_commit_and_the_call_loses_nothing() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let id = ready["id"].as_str().expect("an id").into();
    let till = counter.till();
    counter.run(async {
        let stored = till.store.checkout(&id).await.expect("a look").expect("it is there");
        let quote = stored.quote.clone().expect("a quote");
        till.begin(&Purchase {
            live: &counter.app.live.load(),
            keys: &counter.app.keys,
            checkout: &stored,
            quote: &quote,
            confirmation: None,
            now: counter.app.clock.now(),
        })
        .await
        .expect("T1");
    });
    assert_eq!(counter.payments().len(), 0, "the gateway has heard of nothing");
    drop(till);
    let counter = counter.restarted();
    assert_eq!(counter.payments().len(), 1, "what was committed is done at the start");
    shopper.caller.app = counter.app.clone();
    let waiting = shopper.look();
    let back = counter.give_card(redirect_url(&waiting), GOOD);
    shopper.come_back(&back).expect(303);
    assert_eq!(counter.captured(), [2480]);
}

#[test]
fn who_pays_and_never_comes_back_gets_the_order_and_the_mail() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    counter.give_card(redirect_url(&paying), GOOD);
    assert_eq!(counter.captured(), [0; 0]);
    let counter = counter.restarted();
    counter.round();
    assert_eq!((counter.captured(), counter.mails().len()), (vec![2480], 1));
    assert_eq!(counter.orders(), [("placed".to_owned(), true)]);
}

#[test]
fn a_payment_nobody_finishes_is_called_off_and_its_units_are_free() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-L", 3);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let problem = shopper.caller.json("PATCH", &shopper.checkout.clone(), details()).expect(409).json();
    assert_eq!(problem["code"], "payment_in_progress", "what is being paid is not changed");
    counter.pass(901);
    counter.round();
    assert_eq!(counter.payments()[0].state, RemoteState::Canceled);
    assert_eq!((counter.stock("LAMP-L"), counter.orders()), ((3, 0, 0), vec![("canceled".to_owned(), false)]));
    let back = counter.give_card(redirect_url(&paying), GOOD);
    shopper.come_back(&back).expect(303);
    assert_eq!(counter.captured(), [0; 0], "what was called off cannot be paid any more");
}

#[test]
fn a_shopper_calls_a_payment_off_unless_it_is_paid() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    shopper.pay(&ready).expect(200);
    let path = format!("{}/payment", shopper.checkout);
    let off = shopper.caller.json("DELETE", &path, Value::Null);
    openapi::check("DELETE", "/api/v1/checkouts/{checkout}/payment", &off);
    assert_eq!((off.json()["payment"]["state"].as_str(), counter.stock("LAMP-S")), (Some("none"), (100, 0, 0)));
    let again = shopper.tell(json!({"shipping": "express"}));
    let paying = shopper.pay(&again).expect(200).json();
    counter.give_card(redirect_url(&paying), GOOD);
    let paid = shopper.caller.json("DELETE", &path, Value::Null).expect(200).json();
    assert_eq!((paid["state"].as_str(), counter.captured()), (Some("completed"), vec![2980]));
}

#[test]
fn an_order_over_nothing_needs_no_gateway() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "PATTERN", 1);
    shopper.caller.json("PUT", "/api/v1/cart/coupons/GIFT", Value::Null).expect(200);
    let opened = shopper.caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    shopper.checkout = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
    // Without a parcel a name and a country are enough.
    let ready = shopper.tell(json!({"contact": {"email": "ada@example.com"}, "address": {"name": "Ada", "country": "DE"}}));
    assert_eq!(total(&ready), 0);
    let paid = shopper.pay(&ready).expect(200).json();
    assert_eq!(paid["state"], "completed", "{paid}");
    counter.round();
    assert_eq!((counter.payments().len(), counter.mails().len()), (0, 1));
}

#[test]
fn a_key_answers_one_request() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let path = format!("{}/payment", shopper.checkout);
    let body = json!({"quote_hash": ready["quote"]["hash"], "method": "sandbox"});
    assert_eq!(shopper.caller.json("POST", &path, body.clone()).code(400), "idempotency_key_missing");
    let mut keyed = shopper.caller.clone().with("idempotency-key", "k1");
    let other = json!({"quote_hash": "0", "method": "sandbox"});
    assert_eq!(keyed.json("POST", &path, other.clone()).code(409), "quote_changed");
    let kept = keyed.json("POST", &path, other).expect(409);
    assert_eq!(kept.header("idempotent-replayed"), "true");
    assert_eq!(keyed.json("POST", &path, body.clone()).code(422), "idempotency_key_reused");
    let mut fresh = shopper.caller.clone().with("idempotency-key", "k2");
    let first = fresh.json("POST", &path, body.clone()).expect(200);
    let second = fresh.json("POST", &path, body).expect(200);
    assert_eq!((second.header("idempotent-replayed"), &second.body), ("true", &first.body));
    let mut opening = Shopper::with(&counter, "LAMP-S", 1).caller.with("idempotency-key", "open");
    let ids = [0; 2].map(|_| opening.json("POST", "/api/v1/checkouts", json!({})).expect(201).json()["id"].clone());
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn a_cart_has_one_open_checkout_at_a_time() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let mut earlier = shopper.caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
    let ready = shopper.check_out();
    assert_ne!(earlier["id"], ready["id"], "nothing binds a cart before it is paid");
    shopper.pay(&ready).expect(200);
    // The cart's button leads to the payment that is open, in every tab.
    let again = shopper.caller.json("POST", "/api/v1/checkouts", json!({})).expect(200).json();
    assert_eq!((&again["id"], again["payment"]["state"].as_str()), (&ready["id"], Some("redirect")));
    let page = shopper.caller.form("/checkout", "").expect(303).header("location").to_owned();
    assert!(page.ends_with(ready["id"].as_str().expect("an id")), "{page}");
    // An older tab's checkout says why it cannot be paid.
    let path = format!("/api/v1/checkouts/{}", earlier["id"].as_str().expect("an id"));
    earlier = shopper.caller.json("PATCH", &path, details()).expect(200).json();
    let body = json!({"quote_hash": earlier["quote"]["hash"], "method": "sandbox"});
    let mut other = shopper.caller.clone().with("idempotency-key", "older");
    assert_eq!(other.json("POST", &format!("{path}/payment"), body).code(409), "payment_in_progress");
    assert_eq!(counter.payments().len(), 1);
}

#[test]
fn what_nobody_could_ask_about_is_never_told_as_unpaid() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    // Another worker holds the checkout: the shopper who has paid comes back meanwhile.
    let id = ready["id"].as_str().expect("an id").into();
    let now = counter.app.clock.now();
    let lease = counter.run(counter.till().store.take_lease(&id, "another", now, now.plus_seconds(30)));
    let lease = lease.expect("a step").and_then(|taken| taken.lease).expect("it is free");
    let seen = shopper.look();
    assert_eq!((seen["payment"]["state"].as_str(), seen["payment"]["redirect_url"].is_null()), (Some("checking"), true));
    let led = shopper.come_back(&back).expect(303).header("location").to_owned();
    let page = shopper.caller.page(&led).expect(200);
    assert!(page.body.contains("Checking your payment") && !page.body.contains("been charged"), "{}", page.body);
    counter.run(counter.till().store.release_lease(&lease)).expect("given back");
    assert!(shopper.caller.page(&led).expect(303).header("location").starts_with("/orders/"));
}

#[test]
fn a_shopper_who_comes_back_in_another_browser_goes_on_by_the_link() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), DECLINED);
    let mut other = Shopper::with(&counter, "MUG", 2);
    let led = other.come_back(&back).expect(303).header("location").to_owned();
    assert!(led.contains("?token="), "{led}");
    let page = other.caller.page(&led).expect(200);
    assert!(page.body.contains("not been charged") && page.body.contains("/payment?token="), "{}", page.body);
    // A browser without any cart gets this one back.
    let mut fresh = Caller::new(&counter.app);
    let path = back.trim_start_matches("http://127.0.0.1:8080").to_owned();
    fresh.page(&path).expect(303);
    assert_eq!(fresh.json("GET", "/api/v1/cart", Value::Null).expect(200).json()["units"], 1);
}

#[test]
fn what_nobody_paid_is_forgotten_and_orders_are_not() {
    let counter = Counter::open();
    let mut buyer = Shopper::with(&counter, "LAMP-S", 1);
    buyer.buy(&counter).expect(200);
    let mut browser = Shopper::with(&counter, "LAMP-S", 1);
    for shipping in ["express", "standard", "express"] {
        browser.check_out();
        browser.tell(json!({"shipping": shipping}));
    }
    let rows = |table: &str| {
        let file = rusqlite::Connection::open(counter.folder.path().join("shop.db")).expect("the file");
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    assert_eq!((rows("checkouts"), rows("quotes")), (4, 4), "one quote each, however often it was looked at");
    counter.run(rounds::reap(&counter.app, &counter.till()));
    assert_eq!(rows("checkouts"), 4, "they may still be paid");
    counter.pass(31 * 24 * 3600);
    counter.run(rounds::reap(&counter.app, &counter.till()));
    assert_eq!((rows("checkouts"), rows("quotes"), rows("orders")), (1, 1, 1));
}

#[test]
fn a_placed_order_keeps_its_money() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let token = shopper.caller.token.clone();
    shopper.buy(&counter).expect(200);
    shopper.caller.token = token;
    let seen = shopper.caller.json("DELETE", &format!("{}/payment", shopper.checkout), Value::Null).expect(200).json();
    assert_eq!((seen["state"].as_str(), counter.captured().len()), (Some("completed"), 1));
}

#[test]
fn what_is_missing_or_wrong_is_told_by_field() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    shopper.check_out();
    let wrong = json!({
        "contact": {"email": "nobody", "phone": "call me"},
        "address": {"name": "", "line1": "x".repeat(201), "city": "B\u{7}", "postal_code": "", "country": "US"},
    });
    let told = shopper.tell(wrong);
    let paths: Vec<&str> = told["messages"].as_array().expect("messages").iter().filter_map(|one| one["path"].as_str()).collect();
    for path in [
        "/contact/email",
        "/contact/phone",
        "/address/name",
        "/address/line1",
        "/address/city",
        "/address/postal_code",
        "/address/country",
    ] {
        assert!(paths.contains(&path), "{path} in {paths:?}");
    }
    assert_eq!((told["state"].as_str(), told["quote"].is_null()), (Some("incomplete"), true));
    let told =
        shopper.tell(json!({"contact": {"email": "ada@example.com"}, "address": details()["address"], "shipping": "pigeon"}));
    assert!(told["quote"].is_null() && told["messages"].to_string().contains("another"), "{told}");
    let bad = shopper.caller.json("PATCH", &shopper.checkout.clone(), json!({"address": {"street": "x"}}));
    assert_eq!(bad.code(400), "unknown_field");
    let long = shopper.caller.json("PATCH", &shopper.checkout.clone(), json!({"address": {"name": "x".repeat(1001)}}));
    assert_eq!(long.code(400), "field_too_long");
    let mut nobody = Caller::new(&counter.app);
    assert_eq!(nobody.json("POST", "/api/v1/checkouts", json!({})).code(422), "empty_cart");
    assert!(nobody.form("/checkout", "").expect(422).body.contains("put something into it"));
}

#[test]
fn a_known_sold_out_line_stops_the_checkout_before_paying() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-L", 2);
    counter.run(async {
        let till = counter.till();
        till.store.set_stock(&"LAMP-L".into(), 1, "counted", counter.app.clock.now()).await.expect("set");
        till.refresh_stock(&counter.app).await.expect("seen");
    });
    let told = shopper.check_out();
    assert!(told["quote"].is_null());
    assert_eq!(codes(&told["messages"]), ["not_enough_stock"]);
}

#[test]
fn without_a_till_carts_are_served_and_checkouts_are_not() {
    let app = crate::support::edge::app(vitrine::edge::app::Settings::default());
    let mut caller = Caller::new(&app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
    let closed = caller.json("POST", "/api/v1/checkouts", json!({}));
    assert_eq!((closed.header("retry-after"), closed.clone().code(503)), ("60", "checkout_closed".to_owned()));
    openapi::check("POST", "/api/v1/checkouts", &closed);
}
