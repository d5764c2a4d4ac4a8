//! Withdrawal: two steps without script, an acknowledgement, what the house sees of it; and what strangers do not learn.

use serde_json::{Value, json};
use vitrine::commerce::withdrawal::{MAX_PER_ORDER, MAX_UNPROVEN};

use crate::fulfilment::letters;
use crate::orders_cli::orders;
use crate::support::counter::{Counter, GOOD, Shopper, get, redirect_url};
use crate::support::edge::{Caller, Got};

const NAMED: &str = "step=confirm&number=T-100001&email=Ada%40Example.com";

/// A shop with a paid order of three lamps, and the address of its page.
fn sold() -> (Counter, String) {
    let counter = Counter::open();
    let mut shopper = Shopper::with(&counter, "LAMP-S", 3);
    let ready = shopper.check_out();
    let paying = shopper.pay(&ready).expect(200).json();
    let back = counter.give_card(redirect_url(&paying), GOOD);
    let page = shopper.come_back(&back).expect(303).header("location").to_owned();
    counter.round();
    (counter, page)
}

fn send(counter: &Counter, form: &str) -> Got {
    Caller::new(&counter.app).form("/orders/withdraw", form)
}

fn declared(counter: &Counter) -> Vec<Value> {
    let (_, out, told) = orders(counter, &["show", "T-100001", "--json"]);
    let shown: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {told}"));
    shown["withdrawals"].as_array().expect("a list").clone()
}

/// `order=…&token=…` of an order's page.
fn proof(page: &str) -> String {
    let (path, token) = page.split_once("?token=").expect("a token");
    format!("order={}&token={token}", path.rsplit('/').next().expect("an id"))
}

#[test]
fn a_part_is_withdrawn_from_by_the_orders_own_link() {
    let (counter, page) = sold();
    let html = get(&counter.app, &page, "text/html").expect(200).body;
    assert!(html.contains("Withdraw from contract here"), "{html}");
    let json = get(&counter.app, &format!("/api/v1{page}"), "application/json").expect(200).json();
    let links = json["links"].as_array().expect("links");
    let link = links.iter().find(|link| link["rel"] == "withdraw").expect("a link")["href"].as_str().expect("text").to_owned();
    let second = get(&counter.app, &link, "text/html").expect(200);
    crate::openapi::check("GET", "/orders/withdraw", &second);
    for words in ["Confirm withdrawal here", "T-100001", "how many of 3?", "ada@example.com"] {
        assert!(second.body.contains(words), "{words} in {}", second.body);
    }
    let form = format!("step=confirm&{}&what=some&line.0=2&reason=Too+bright%2C+%3Cb%3E", proof(&page));
    let done = send(&counter, &form).expect(200);
    crate::openapi::check("POST", "/orders/withdraw", &done);
    assert!(done.body.contains("on its way to ada@example.com") && done.body.contains("(UTC)"), "{}", done.body);
    send(&counter, &form).expect(200);
    assert_eq!(declared(&counter).len(), 1, "the same declaration is one");
    counter.pass(1);
    counter.round();
    let [mail] = &letters(&counter, "withdrawal")[..] else { panic!("one letter") };
    for words in [
        "To: ada@example.com",
        "Subject: Tiny: your withdrawal from order T-100001",
        "We received your withdrawal from order T-100001 on",
        "2 =C3=97",
        "Reason: Too bright, <b>",
        "Reason: Too bright, &lt;b&gt;",
    ] {
        assert!(mail.contains(words), "{words} in {mail}");
    }
    let (code, stuck, _) = orders(&counter, &["stuck", "--json"]);
    let stuck: Value = serde_json::from_str(&stuck).expect("JSON");
    assert_eq!((code, &stuck[0]["kind"], &stuck[0]["order"]), (1, &json!("withdrawal"), &json!("T-100001")));
    let name = stuck[0]["name"].as_str().expect("a name");
    assert_eq!(orders(&counter, &["resolve", name, "--note", "given back"]).0, 0);
    assert_eq!(orders(&counter, &["stuck"]).0, 0);
    let (_, text, _) = orders(&counter, &["show", "T-100001"]);
    for words in ["withdrawn 20", "2 × LAMP-S; Too bright, <b>; dealt with: given back", "order.withdrawn"] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn strangers_are_answered_the_same_whether_there_is_such_an_order_or_not() {
    let (counter, page) = sold();
    let mails = counter.mails();
    let bodies: Vec<String> = [
        "number=T-100001&email=ada%40example.com",
        "number=T-100001&email=eve%40example.com",
        "number=T-999999&email=ada%40example.com",
    ]
    .iter()
    .zip(["the+lamp", "all+of+it", "anything"])
    .flat_map(|(named, wanted)| {
        let second = send(&counter, named).expect(200).body;
        let done = send(&counter, &format!("{named}&step=confirm&what=some&wanted={wanted}")).expect(200).body;
        let plain = |body: String| body.replace("T-999999", "T-100001").replace("eve@example", "ada@example");
        [plain(second), plain(done)]
    })
    .collect();
    assert_eq!((&bodies[0], &bodies[1]), (&bodies[2], &bodies[3]), "another address");
    assert_eq!((&bodies[0], &bodies[1]), (&bodies[4], &bodies[5]), "another number");
    assert!(!bodies[0].contains("LAMP") && !bodies[0].contains("Lindenweg"), "nothing of the order is shown");
    let kept = declared(&counter);
    assert_eq!((kept.len(), &kept[0]["wanted"]), (1, &json!("the lamp")));
    // As people write a number: it is the same order, and the same declaration.
    for (before, number) in ["t-100001", "100001"].into_iter().enumerate() {
        let write = |wanted: &str| {
            send(&counter, &format!("number={number}&email=ada%40example.com&step=confirm&what=some&wanted={wanted}"))
                .expect(200);
            declared(&counter).len()
        };
        assert_eq!((write("the+lamp"), write(number)), (before + 1, before + 2), "{number}");
    }
    assert_eq!(declared(&counter).len(), 3);
    counter.pass(1);
    counter.round();
    let new: Vec<String> = counter.mails().into_iter().filter(|mail| !mails.contains(mail)).collect();
    assert!(new.len() == 3 && new.iter().all(|mail| mail.contains("To: ada@example.com")), "{new:?}");
    // Forged links are as good as none.
    let forged = format!("/orders/withdraw?{}A", proof(&page));
    assert!(get(&counter.app, &forged, "text/html").expect(200).body.contains("name=\"number\""));
    let form = format!("step=confirm&{}A&what=all", proof(&page));
    assert!(send(&counter, &form).expect(422).body.contains("name=\"number\""));
    assert_eq!(declared(&counter).len(), 3);
}

#[test]
fn what_cannot_be_understood_is_asked_for_again_and_an_order_takes_only_so_many() {
    let (counter, page) = sold();
    let long = "x".repeat(501);
    for (rest, words) in [
        ("what=some", "Please say which part"),
        ("what=some&line.0=0", "Please say which part"),
        ("what=some&line.0=4", "Please say which part"),
        ("what=some&line.0=-1", "Please say which part"),
        ("what=some&line.7=1", "Please say which part"),
        (&format!("what=all&reason={long}"), "Please write a little less"),
        ("what=all&reason=%1b%5b2J", "Please write a little less"),
    ] {
        let got = send(&counter, &format!("step=confirm&{}&{rest}", proof(&page))).expect(422);
        crate::openapi::check("POST", "/orders/withdraw", &got);
        assert!(got.body.contains(words), "{rest}: {}", got.body);
    }
    assert_eq!(send(&counter, "step=confirm&number=&email=").status, 422);
    assert_eq!(Caller::new(&counter.app).with("sec-fetch-site", "cross-site").form("/orders/withdraw", NAMED).status, 403);
    assert_eq!(declared(&counter), Vec::<Value>::new());
    for number in 0..MAX_UNPROVEN + 5 {
        send(&counter, &format!("{NAMED}&what=all&reason={number}")).expect(200);
    }
    assert_eq!(declared(&counter).len(), MAX_UNPROVEN);
    counter.round();
    assert_eq!(letters(&counter, "withdrawal").len(), MAX_UNPROVEN);
    // Whatever strangers wrote before, whoever holds the link withdraws, and hears where that is over.
    let by_link = |number: usize| send(&counter, &format!("step=confirm&{}&what=all&reason=mine{number}", proof(&page)));
    by_link(0).expect(200);
    assert_eq!(declared(&counter).len(), MAX_UNPROVEN + 1);
    for number in 1..MAX_PER_ORDER - MAX_UNPROVEN {
        by_link(number).expect(200);
    }
    let over = by_link(MAX_PER_ORDER).expect(422);
    assert!(over.body.contains("written about this order many times"), "{}", over.body);
    assert_eq!(declared(&counter).len(), MAX_PER_ORDER);
}

#[test]
fn after_the_period_it_is_said_so_and_kept_all_the_same() {
    let (counter, page) = sold();
    let form = |reason: &str| format!("step=confirm&{}&what=all&reason={reason}", proof(&page));
    counter.pass(90 * 24 * 3600);
    let done = send(&counter, &form("1")).expect(200);
    assert!(!done.body.contains("seem to be over"), "what was never sent never arrived");
    counter.run(async {
        let order = counter.till().store.order_by_number("T-100001").await.expect("a look").expect("an order");
        let ask = vitrine::store::fulfillments::AskFulfillment {
            id: "f1".into(),
            key: "f1".into(),
            order: order.id,
            lines: Vec::new(),
            parcel: Default::default(),
            is_present: false,
            telling: vitrine::store::fulfillments::Telling::Nothing,
            now: counter.app.clock.now(),
        };
        counter.till().store.fulfil(ask).await.expect("it is sent");
    });
    counter.pass(27 * 24 * 3600);
    assert!(!send(&counter, &form("2")).expect(200).body.contains("seem to be over"), "it may have arrived late");
    counter.pass(30 * 24 * 3600);
    assert!(send(&counter, &form("3")).expect(200).body.contains("seem to be over"));
    // Who may be a stranger does not learn by that whether there is such an order, and when it was sent.
    assert!(!send(&counter, &format!("{NAMED}&what=all&reason=4")).expect(200).body.contains("seem to be over"));
    let late: Vec<Value> = declared(&counter).iter().map(|one| one["is_late"].clone()).collect();
    assert_eq!(late, [json!(false), json!(false), json!(true), json!(true)]);
}

#[test]
fn an_order_is_bought_again_as_far_as_it_is_still_sold() {
    let (counter, page) = sold();
    let again = page.replace("?token", "/again?token");
    let mut shopper = Caller::new(&counter.app);
    assert_eq!(shopper.form(&again, "").expect(303).header("location"), "/cart");
    let cart = shopper.json("GET", "/api/v1/cart", Value::Null).expect(200).json();
    assert_eq!((&cart["lines"][0]["sku"], &cart["lines"][0]["quantity"]), (&json!("LAMP-S"), &json!(3)));
    let mut bundle = crate::support::edge::bundle(crate::support::edge::BASE_URL, 1990);
    bundle.catalog = Default::default();
    counter.go_live(&bundle);
    let mut late = Caller::new(&counter.app);
    let got = late.form(&again, "").expect(200);
    crate::openapi::check("POST", "/orders/{order}/again", &got);
    assert!(got.body.contains("was left out: This product is not sold any more."), "{}", got.body);
    assert_eq!(late.form(&page.replace("?token=", "/again?token=A"), "").status, 404);
}
