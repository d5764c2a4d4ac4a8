//! Matrix: what each request answers while a dependency is down, slow or wrong, what the shopper reads, and where the money is.
//!
//! Owns    the table, row by row; the README shows it as it stands here.
//! Always  a row is played on a shop of its own; afterwards all is well again, and whatever was promised comes true: money is taken for
//!         placed orders alone, and each of them has its mail.
//! Source  CHECKOUT.md 5.7 and 5.10.10.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::limits::{Buyer, breaks};
use crate::support::counter::details;
use crate::support::edge::Got;
use crate::support::rig::{Health, Rig};

/// What is asked, each for a shopper who has come that far.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ask {
    Availability,
    Cart,
    Open,
    Quote,
    Pay,
    /// A payment that waits for the shopper.
    Status,
    /// A payment whose card was given.
    StatusPaid,
    /// The button that calls a payment off.
    CallOff,
    /// The page of an order.
    Order,
    Ready,
}

/// What is not well.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Dependency {
    Gateway,
    Store,
    Mail,
}

/// Where the money is at the end of the request: (live payments at the gateway, of these taken, units promised).
type Money = (usize, usize, i64);

/// One cell: what is wrong, what is asked, what is answered (status, state or code, id of the text), and the money.
type Row = (Dependency, Health, Ask, u16, &'static str, &'static str, Money);

use Ask::{Availability, CallOff, Cart, Open, Order, Pay, Quote, Ready, Status, StatusPaid};
use Dependency::{Gateway, Mail, Store};
use Health::{Down, Slow, Wrong};

#[rustfmt::skip]
const MATRIX: &[Row] = &[
    (Gateway, Down,  Availability, 200, "",                     "",                    (0, 0, 0)),
    (Gateway, Down,  Cart,         200, "",                     "",                    (0, 0, 0)),
    (Gateway, Down,  Open,         201, "none",                 "",                    (0, 0, 0)),
    (Gateway, Down,  Quote,        200, "none",                 "",                    (0, 0, 0)),
    (Gateway, Down,  Pay,          503, "payments_interrupted", "payment.interrupted", (0, 0, 3)),
    (Gateway, Down,  Status,       200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Down,  StatusPaid,   200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Down,  CallOff,      200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Down,  Order,        200, "",                     "",                    (1, 1, 0)),
    (Gateway, Down,  Ready,        200, "interrupted",          "",                    (0, 0, 3)),
    (Gateway, Slow,  Pay,          200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Slow,  Status,       200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Slow,  StatusPaid,   200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Slow,  CallOff,      200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Slow,  Order,        200, "",                     "",                    (1, 1, 0)),
    (Gateway, Slow,  Ready,        200, "open",                 "",                    (0, 0, 0)),
    (Gateway, Wrong, Pay,          200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Wrong, Status,       200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Wrong, StatusPaid,   200, "checking",             "payment.checking",    (1, 0, 1)),
    (Gateway, Wrong, CallOff,      200, "checking",             "payment.checking",    (0, 0, 1)),
    (Gateway, Wrong, Ready,        200, "open",                 "",                    (0, 0, 0)),
    (Store,   Down,  Availability, 200, "",                     "",                    (0, 0, 0)),
    (Store,   Down,  Cart,         200, "",                     "",                    (0, 0, 0)),
    (Store,   Down,  Open,         503, "checkout_unavailable", "says.back_soon",      (0, 0, 0)),
    (Store,   Down,  Quote,        503, "checkout_unavailable", "says.back_soon",      (0, 0, 0)),
    (Store,   Down,  Pay,          503, "checkout_unavailable", "says.back_soon",      (0, 0, 0)),
    (Store,   Down,  Status,       503, "checkout_unavailable", "payment.checking",    (1, 0, 1)),
    (Store,   Down,  StatusPaid,   503, "checkout_unavailable", "payment.checking",    (1, 0, 1)),
    (Store,   Down,  CallOff,      503, "checkout_unavailable", "payment.checking",    (1, 0, 1)),
    (Store,   Down,  Order,        503, "checkout_unavailable", "says.back_soon",      (1, 1, 0)),
    (Store,   Down,  Ready,        503, "store_failing",        "",                    (0, 0, 0)),
    (Store,   Slow,  Open,         503, "busy",                 "says.back_soon",      (0, 0, 0)),
    (Store,   Slow,  Pay,          503, "busy",                 "says.back_soon",      (0, 0, 0)),
    (Store,   Slow,  Status,       503, "busy",                 "payment.checking",    (1, 0, 1)),
    (Store,   Slow,  Order,        503, "busy",                 "says.back_soon",      (1, 1, 0)),
    (Store,   Wrong, Pay,          503, "checkout_unavailable", "says.back_soon",      (0, 0, 0)),
    (Store,   Wrong, Status,       503, "checkout_unavailable", "payment.checking",    (1, 0, 1)),
    (Mail,    Down,  Pay,          200, "redirect",             "",                    (1, 0, 1)),
    (Mail,    Down,  StatusPaid,   200, "paid",                 "",                    (1, 1, 0)),
    (Mail,    Down,  Order,        200, "",                     "",                    (1, 1, 0)),
    (Mail,    Down,  Ready,        200, "open",                 "",                    (0, 0, 0)),
    (Mail,    Slow,  StatusPaid,   200, "paid",                 "",                    (1, 1, 0)),
    (Mail,    Wrong, StatusPaid,   200, "paid",                 "",                    (1, 1, 0)),
];

#[test]
fn every_cell_of_the_matrix_is_so() {
    let failures: Vec<String> = MATRIX.iter().filter_map(|row| played(row).err()).collect();
    assert!(failures.is_empty(), "{} of {} rows are otherwise:\n{}", failures.len(), MATRIX.len(), failures.join("\n"));
}

fn played(row: &Row) -> Result<(), String> {
    let &(dependency, how, ask, status, state, text, money) = row;
    let rig = Rig::open();
    let mut buyer = Buyer::at(&rig);
    let mut order = String::new();
    if matches!(ask, Status | StatusPaid | CallOff | Order) {
        let paying = buyer.pay().expect(200).json();
        if ask != Status && ask != CallOff {
            Buyer::gives_card(&rig, &paying);
        }
        if ask == Order {
            order = buyer.look()["order"]["url"].as_str().expect("an order").to_owned();
        }
    }
    goes(&rig, dependency, how, ask);
    let got = asked(&rig, &mut buyer, ask, &order);
    let told = if got.body.starts_with('{') { got.json() } else { Value::Null };
    let known = [&told["code"], &told["payment"]["state"], &told["payments"]];
    let found = known.into_iter().find_map(Value::as_str).unwrap_or("");
    let says = [&told["detail"], &told["payment"]["detail"]].into_iter().find_map(Value::as_str).unwrap_or("");
    let live = rig.app.live.load_full();
    let wanted = if text.is_empty() { String::new() } else { vitrine::theme::texts::Say::of(text).text(&live.sites[0]) };
    // Looked at by eyes that nothing has befallen.
    *rig.store.lock().expect("unharmed") = Health::Well;
    let found_money = (rig.live(), rig.captured(), rig.held());
    let is_so = got.status == status && found == state && (says == wanted || matches!(ask, Ready)) && found_money == money;
    if !is_so {
        return Err(format!(
            "{dependency:?} {how:?} {ask:?}: {} `{found}` `{says}` {found_money:?}, not {status} `{state}` `{wanted}` {money:?}",
            got.status
        ));
    }
    if got.status >= 500 && got.header("retry-after").is_empty() && ask != Ready {
        return Err(format!("{dependency:?} {how:?} {ask:?}: when to come again is not said"));
    }
    ends_well(&rig).map_err(|why| format!("{dependency:?} {how:?} {ask:?}, in the end: {why}"))
}

/// It goes wrong. A gateway that is down is known to be, for a payment that begins and for whoever asks how the shop is.
fn goes(rig: &Rig, dependency: Dependency, how: Health, ask: Ask) {
    let of = match dependency {
        Gateway => &rig.gateway,
        Store => &rig.store,
        Mail => &rig.mail,
    };
    *of.lock().expect("unharmed") = how;
    if (dependency, how) == (Gateway, Down) && matches!(ask, Pay | Ready) {
        breaks(rig);
    }
    rig.run(rig.till().look_around());
}

fn asked(rig: &Rig, buyer: &mut Buyer, ask: Ask, order: &str) -> Got {
    let path = buyer.path.clone();
    match ask {
        Availability => buyer.caller.json("GET", "/api/v1/availability/lamp", Value::Null),
        Cart => buyer.caller.json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2})),
        Open => {
            let mut fresh = crate::support::edge::Caller::new(&rig.app);
            fresh.json("POST", "/api/v1/cart/lines", json!({"sku": "MUG", "quantity": 2})).expect(200);
            fresh.json("POST", "/api/v1/checkouts", json!({}))
        }
        Quote => buyer.caller.json("PATCH", &path, details()),
        Pay => buyer.pay(),
        Status | StatusPaid => buyer.caller.json("GET", &path, Value::Null),
        CallOff => buyer.caller.json("DELETE", &format!("{path}/payment"), Value::Null),
        Order => buyer.caller.json("GET", &format!("/api/v1{order}"), Value::Null),
        Ready => {
            let (status, body) = rig.operator("/readyz");
            Got { status, headers: http::HeaderMap::new(), body }
        }
    }
}

/// Once all is well: no money is taken but for a placed order, none is held for nothing, and each order has its mail.
fn ends_well(rig: &Rig) -> Result<(), String> {
    rig.heals();
    for _ in 0..8 {
        rig.pass(900);
        rig.round();
    }
    let orders = rig.orders();
    let placed = orders.iter().filter(|state| *state == "placed").count();
    let mails = rig.mails.lock().expect("unharmed").iter().filter(|name| name.starts_with("order-")).count();
    match (rig.live() == rig.captured(), rig.captured() == placed, rig.held(), mails >= placed) {
        (true, true, 0, true) => Ok(()),
        _ => Err(format!("{orders:?}, {} live, {} taken, {} promised, {mails} mails", rig.live(), rig.captured(), rig.held())),
    }
}

#[test]
fn the_readme_shows_the_matrix() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is one");
    let lines: Vec<String> = MATRIX.iter().map(line).collect();
    let missing: Vec<&String> = lines.iter().filter(|line| !readme.contains(line.as_str())).collect();
    assert!(missing.is_empty(), "the README lacks:\n{}", missing.into_iter().cloned().collect::<Vec<_>>().join("\n"));
}

fn line((dependency, how, ask, status, state, text, (live, taken, held)): &Row) -> String {
    let asked = match ask {
        Availability => "availability",
        Cart => "change the cart",
        Open => "open a checkout",
        Quote => "tell the address",
        Pay => "pay",
        Status => "look, card not given",
        StatusPaid => "look, card given",
        CallOff => "call the payment off",
        Order => "see the order",
        Ready => "`/readyz`",
    };
    let word = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
    let (dependency, how) = (format!("{dependency:?}").to_lowercase(), format!("{how:?}").to_lowercase());
    format!("| {dependency} | {how} | {asked} | {status} | {} | {} | {live} / {taken} / {held} |", word(state), word(text))
}
