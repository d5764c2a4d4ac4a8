//! Promotions: what a merchant declares, what the build says of it, and what shoppers are told and charged.

use std::fs;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use vitrine::commerce::promotion::{Promotion, Trigger};
use vitrine::edge::front::Peer;

use crate::openapi;
use crate::support::counter::{Counter, GOOD, Shopper, redirect_url};
use crate::support::edge::{BASE_URL, Caller, Got, ask, bundle};
use crate::support::shop::{folder, run, site, write};

/// A counter whose shop has these promotions beside its codes.
fn counter(bend: impl FnOnce(&mut Vec<Promotion>)) -> Counter {
    let counter = Counter::open();
    let mut bundle = bundle(BASE_URL, 1990);
    bend(&mut bundle.rules.promotions);
    counter.go_live(&bundle);
    counter
}

/// A shop with a lamp in it.
fn shop() -> tempfile::TempDir {
    let lamp = "+++\ntitle = \"Lamp\"\nsku = \"LAMP\"\nprice = \"19.90\"\nstock = 3\n+++\nA lamp.\n";
    folder(&[("site.toml", &site("EUR")), ("content/products/lamp.md", lamp)])
}

/// The first of the shop's codes, as a promotion that needs none.
fn automatic(promotions: &mut [Promotion]) -> &mut Promotion {
    let spring = &mut promotions[0];
    spring.trigger = Trigger::Automatic;
    spring
}

fn parts<'a>(cart: &'a Value, kind: &str) -> Vec<(&'a str, i64)> {
    let all = cart["totals"].as_array().expect("totals");
    let part = |part: &'a Value| (part["label"].as_str().unwrap_or(""), part["amount"]["amount"].as_i64().unwrap_or(0));
    all.iter().filter(|part| part["kind"] == kind).map(part).collect()
}

fn told(cart: &Value) -> Vec<&str> {
    let messages = cart["messages"].as_array().expect("messages");
    messages.iter().filter_map(|message| message["text"].as_str()).collect()
}

#[test]
fn an_automatic_promotion_is_told_by_its_title_from_the_cart_to_the_order() {
    let counter = counter(|promotions| automatic(promotions).title = "Spring for all".to_owned());
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let cart = shopper.caller.json("GET", "/api/v1/cart", Value::Null);
    openapi::check("GET", "/api/v1/cart", &cart);
    let cart = cart.json();
    assert_eq!(parts(&cart, "discount"), []);
    assert_eq!(told(&cart), ["Add €0.10 for: Spring for all."], "twenty euros are needed, and there are 19.90");
    let add = json!({"sku": "LAMP-S", "quantity": 1});
    let cart = shopper.caller.json("POST", "/api/v1/cart/lines", add).expect(200).json();
    assert_eq!(parts(&cart, "discount"), [("Spring for all", -398)]);
    assert_eq!(cart["coupons"], json!([]), "nobody typed anything");
    let page = shopper.caller.page("/cart").expect(200).body;
    assert!(page.contains("Spring for all"), "{page}");
    let ready = shopper.check_out();
    assert_eq!(ready["quote"]["total"]["amount"], 2 * 1990 - 398 + 490);
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    let order = shopper.come_back(&back).expect(303);
    let page = shopper.caller.page(order.header("location")).expect(200).body;
    assert!(page.contains("Spring for all"), "{page}");
    counter.round();
    assert_eq!(counter.captured(), [4072]);
    assert!(counter.mails()[0].contains("Spring for all"), "{}", counter.mails()[0]);
}

#[test]
fn the_last_use_of_an_automatic_promotion_is_given_once() {
    let counter = counter(|promotions| {
        let spring = automatic(promotions);
        (spring.usage_limit, spring.minimum_minor) = (Some(1), Vec::new());
    });
    let mut shoppers = [Shopper::with(&counter, "LAMP-S", 1), Shopper::with(&counter, "LAMP-S", 1)];
    let ready = shoppers.each_mut().map(Shopper::check_out);
    shoppers[0].pay(&ready[0]).expect(200);
    let problem = shoppers[1].pay(&ready[1]).expect(409).json();
    assert_eq!(problem["code"], "coupon_used_up");
    let amounts = |name: &str| problem["total"][name]["amount"].as_i64();
    assert_eq!((amounts("seen"), amounts("now")), (Some(1791 + 490), Some(1990 + 490)));
    let fresh = shoppers[1].look();
    assert_eq!(fresh["quote"]["total"]["amount"], 1990 + 490);
    // Whoever holds the use sees the price that was agreed, however often the checkout is priced anew.
    assert_eq!(shoppers[0].look()["quote"]["total"]["amount"], 1791 + 490);
}

#[test]
fn a_first_order_is_said_to_be_one_until_it_is_known() {
    let counter = counter(|promotions| {
        let spring = automatic(promotions);
        (spring.first_order, spring.minimum_minor) = (true, Vec::new());
    });
    let mut shoppers = [Shopper::with(&counter, "LAMP-S", 1), Shopper::with(&counter, "LAMP-S", 1)];
    let cart = shoppers[0].caller.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!(told(&cart), ["spring: holds if this is your first order."]);
    assert_eq!(parts(&cart, "discount"), [("spring", -199)]);
    let ready = shoppers.each_mut().map(Shopper::check_out);
    let total = |checkout: &Value| checkout["quote"]["total"]["amount"].as_i64();
    assert_eq!(ready.each_ref().map(total), [Some(1791 + 490); 2], "neither is an order yet");
    shoppers[0].pay(&ready[0]).expect(200);
    let problem = shoppers[1].pay(&ready[1]).expect(409).json();
    assert_eq!(problem["code"], "coupon_not_for_customer");
    let amounts = |name: &str| problem["total"][name]["amount"].as_i64();
    assert_eq!((amounts("seen"), amounts("now")), (Some(1791 + 490), Some(1990 + 490)));
    assert_eq!(total(&shoppers[0].look()), Some(1791 + 490), "an order does not stand against itself");
    // The same mailbox under another spelling, told before anything is paid.
    let mut third = Shopper::with(&counter, "LAMP-S", 1);
    third.check_out();
    assert_eq!(total(&third.tell(json!({"contact": {"email": "ADA+shop@Example.com"}}))), Some(1990 + 490));
    assert_eq!(total(&third.tell(json!({"contact": {"email": "bob@example.com"}}))), Some(1791 + 490));
}

/// Somebody with a lamp and the code GIFT.
fn with_gift(counter: &Counter) -> Shopper {
    let mut shopper = Shopper::with(counter, "LAMP-S", 1);
    shopper.caller.json("PUT", "/api/v1/cart/coupons/GIFT", Value::Null).expect(200);
    shopper
}

#[test]
fn a_code_for_each_customer_once_says_so() {
    let counter = counter(|promotions| promotions[2].per_customer = Some(1));
    let mut first = with_gift(&counter);
    let ready = first.check_out();
    first.pay(&ready).expect(200);
    let ready = with_gift(&counter).check_out();
    assert_eq!(ready["cart"]["coupons"][0]["reason"], "coupon_not_for_customer", "{ready}");
    assert_eq!(ready["quote"]["total"]["amount"], 1990 + 490);
}

#[test]
fn whether_one_has_ordered_before_and_how_often_one_may_sound_alike() {
    let refused = |bend: fn(&mut Promotion)| {
        let counter = counter(|promotions| bend(&mut promotions[2]));
        let mut first = with_gift(&counter);
        let ready = first.check_out();
        first.pay(&ready).expect(200);
        let ready = with_gift(&counter).check_out();
        let coupon = &ready["cart"]["coupons"][0];
        (coupon["reason"].clone(), coupon["detail"].clone())
    };
    let by_order = refused(|promotion| promotion.first_order = true);
    assert_eq!(by_order, refused(|promotion| promotion.per_customer = Some(1)));
    assert_eq!(by_order.1, "This code does not hold under this e-mail address.");
}

/// Tells an e-mail address from a network.
fn name(shopper: &Shopper, peer: &str, email: &str) -> Got {
    let body = json!({"contact": {"email": email}}).to_string();
    let request =
        Request::patch(&shopper.checkout).header("accept", "application/json").header("content-type", "application/json");
    let request = request.header("cookie", format!("cart={}", shopper.caller.token));
    let mut request = request.body(Full::new(Bytes::from(body))).expect("a request");
    request.extensions_mut().insert(Peer(format!("{peer}:4711").parse().expect("an address")));
    ask(&shopper.caller.app, request)
}

#[test]
fn a_list_of_addresses_is_not_tried_for_customers() {
    let named = |asks: bool| {
        let counter = Counter::open();
        let mut bundle = bundle(BASE_URL, 1990);
        bundle.rules.promotions[0].first_order = asks;
        bundle.front.trusted_proxies = Some(Vec::new());
        counter.go_live(&bundle);
        let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
        shopper.check_out();
        let look = || shopper.caller.clone().json("GET", &shopper.checkout, Value::Null).expect(200).json();
        let from = |peer: &str, number: usize| name(&shopper, peer, &format!("a{number}@example.com"));
        let count = (0..150).take_while(|number| from("203.0.113.5", *number).status == 200).count();
        if count < 150 {
            let refused = from("203.0.113.5", count);
            assert_eq!(refused.header("retry-after"), "1");
            assert_eq!(refused.code(429), "too_many_requests");
            // What was refused was not kept, and whoever is known already can go on.
            assert_eq!(look()["contact"]["email"], format!("a{}@example.com", count - 1));
            from("203.0.113.5", count - 1).expect(200);
            from("203.0.113.6", count).expect(200);
        }
        count
    };
    assert_eq!(named(true), 120);
    assert_eq!(named(false), 150, "no promotion asks who buys");
}

#[test]
fn a_code_hears_which_of_two_counts() {
    let counter = counter(|promotions| automatic(promotions).minimum_minor = Vec::new());
    let mut caller = Caller::new(&counter.app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
    let cart = caller.json("PUT", "/api/v1/cart/coupons/FIRST", Value::Null).expect(200).json();
    assert_eq!(parts(&cart, "discount"), [("first", -995)], "of one class the better one counts");
    let counter = self::counter(|promotions| {
        automatic(promotions).minimum_minor = Vec::new();
        promotions[0].benefit = promotions[2].benefit.clone();
    });
    let mut caller = Caller::new(&counter.app);
    caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
    let cart = caller.json("PUT", "/api/v1/cart/coupons/FIRST", Value::Null).expect(200).json();
    assert_eq!(cart["coupons"][0]["reason"], "coupon_not_combinable");
    assert_eq!(parts(&cart, "discount"), [("spring", -1990)]);
}

#[test]
fn every_kind_is_read_from_its_file() {
    let folder = shop();
    let promotion = |name: &str, text: &str| write(folder.path(), &format!("content/promotions/{name}.toml"), text);
    promotion("auto", "title = \"All\"\npercentage = \"5\"\nstacking_class = \"a\"\n");
    promotion(
        "third",
        "title = \"Third\"\nbuy = 2\nget = 1\npercentage = \"50\"\ntimes = 3\nminimum = \"1\"\nstacking_class = \"b\"\n",
    );
    promotion(
        "steps",
        "title = \"Steps\"\nstacking_class = \"c\"\n[[tiers]]\nfrom = \"50\"\npercentage = \"5\"\n\n[[tiers]]\nfrom = \"100.00\"\npercentage = \"10\"\n",
    );
    promotion("units", "title = \"Units\"\ncode = \"U\"\nminimum_quantity = 2\n[[tiers]]\nquantity = 3\nfixed = \"1.00\"\n");
    let (code, _, told) = run(folder.path(), &["build"]);
    assert_eq!(code, 0, "{told}");
}

#[test]
fn contradictions_are_refused_with_both_files() {
    let folder = shop();
    let promotion = |name: &str, text: &str| write(folder.path(), &format!("content/promotions/{name}.toml"), text);
    promotion("one", "title = \"One\"\ncode = \"SAME\"\npercentage = \"5\"\ncombines_with = [\"post\"]\n");
    promotion("two", "title = \"Two\"\ncode = \"same\"\npercentage = \"6\"\n");
    promotion("post", "title = \"Post\"\ncode = \"POST\"\nfree_shipping = true\nstacking_class = \"post\"\n");
    promotion("late", "title = \"Late\"\npercentage = \"5\"\nstarts_at = \"2026-02-01\"\nends_at = \"2026-01-01\"\n");
    promotion("alike", "title = \"A\"\npercentage = \"5\"\nstacking_class = \"x\"\n");
    promotion("alike-too", "title = \"B\"\npercentage = \"5\"\nstacking_class = \"x\"\n");
    promotion(
        "falls",
        "title = \"F\"\nstacking_class = \"y\"\n[[tiers]]\nquantity = 2\npercentage = \"5\"\n\n[[tiers]]\nquantity = 3\npercentage = \"4\"\n",
    );
    let (code, _, told) = run(folder.path(), &["check"]);
    assert_eq!(code, 1, "{told}");
    for part in [
        "`one` and `two` have the same code",
        "the other one is content/promotions/one.toml",
        "`one` combines with the class `post`, and `post` of that class does not name `order`",
        "the other one is content/promotions/post.toml",
        "`late` ends before it starts",
        "`alike` and `alike-too` are automatic",
        "the tiers of the promotion `falls`",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn two_files_of_one_name_are_refused_with_both_paths() {
    let folder = shop();
    let promotion = |path: &str| {
        let text = "title = \"Spring\"\npercentage = \"5\"\nstacking_class = \"PATH\"\n".replace("PATH", path);
        write(folder.path(), &format!("content/promotions/{path}.toml"), &text);
    };
    promotion("2026/spring");
    promotion("2027/spring");
    let (code, _, told) = run(folder.path(), &["check"]);
    assert_eq!(code, 1, "{told}");
    for part in [
        "content/promotions/2027/spring.toml",
        "two promotions are called `spring`",
        "the other one is content/promotions/2026/spring.toml",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn what_a_promotion_names_has_to_be_there() {
    let folder = shop();
    write(folder.path(), "content/promotions/x.toml", "title = \"X\"\npercentage = \"5\"\nproducts = [\"no-such-thing\"]\n");
    let (code, _, told) = run(folder.path(), &["check"]);
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("names the product `no-such-thing`, which does not exist"), "{told}");
    for (text, part) in [
        ("title = \"X\"\n", "gives one of percentage, fixed, free_shipping, buy with get, and tiers"),
        ("title = \"X\"\npercentage = \"5\"\nfixed = \"1\"\n", "gives one of"),
        ("title = \"X\"\nbuy = 2\n", "`get` is missing"),
        ("title = \"X\"\nbuy = 0\nget = 1\n", "`buy` is at least 1"),
        ("title = \"X\"\npercentage = \"5\"\ntimes = 2\n", "belong to buy and get"),
        ("title = \"X\"\nbuy = 1\nget = 1\nminimum_quantity = 2\n", "says nothing beside buy and get"),
        ("title = \"X\"\n[[tiers]]\npercentage = \"5\"\n", "begins at one of from and quantity"),
    ] {
        fs::write(folder.path().join("content/promotions/x.toml"), text).expect("written");
        let (code, _, told) = run(folder.path(), &["check"]);
        assert!(code == 1 && told.contains(part), "{part} in {told}");
    }
}
