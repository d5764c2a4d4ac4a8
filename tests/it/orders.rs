//! Orders: who may see one, and how.

use serde_json::{Value, json};

use crate::support::counter::{Counter, GOOD, Shopper, get, redirect_url};

#[test]
fn strangers_see_no_checkout_and_no_order() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let order_page = shopper.buy(&counter).expect(200);
    assert!(order_page.body.contains("Lindenweg 4"));
    let mut second = Shopper::with(&counter, "LAMP-S", 1);
    second.check_out();
    let mut stranger = Shopper::with(&counter, "MUG", 2);
    for (method, path) in
        [("GET", second.checkout.clone()), ("PATCH", second.checkout.clone()), ("DELETE", format!("{}/payment", second.checkout))]
    {
        let body = if method == "PATCH" { json!({}) } else { Value::Null };
        assert_eq!(stranger.caller.json(method, &path, body).code(404), "not_found", "{method}");
        assert_eq!(get(&counter.app, &format!("{}?token=AAAA", second.checkout), "application/json").code(404), "not_found");
    }
    let page = second.checkout.replace("/api/v1/checkouts/", "/checkout/");
    assert_eq!(get(&counter.app, &format!("{page}/return?token=AQAA"), "application/json").code(403), "bad_token");
    assert_eq!(get(&counter.app, &format!("{page}/return"), "text/html").status, 403);
    let orders = counter.run(counter.till().store.orders(vitrine::store::OrderFilter::default())).expect("orders");
    for path in ["", "?token=", "?token=AQAAAAAAAAAAAAAAAAAAAAA"] {
        let path = format!("/api/v1/orders/{}{path}", orders[0].id);
        assert_eq!(get(&counter.app, &path, "application/json").code(404), "not_found");
    }
}

#[test]
fn the_confirmation_is_read_by_its_link_in_development() {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 1);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    let order = shopper.come_back(&back).expect(303).header("location").to_owned();
    let mail = order.replace("?token", "/mail?token");
    assert_eq!(get(&counter.app, &mail, "text/html").status, 404, "it is not written yet");
    counter.round();
    let page = get(&counter.app, &order, "text/html").expect(200);
    assert!(page.body.contains(&mail.replace('&', "&amp;")), "{}", page.body);
    let read = get(&counter.app, &mail, "text/html").expect(200);
    assert!(read.body.contains("T-100001") && read.header("content-security-policy").starts_with("default-src 'none'"));
}
