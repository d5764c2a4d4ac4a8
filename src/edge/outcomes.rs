//! Outcomes: what each request answers while a dependency is down, slow or wrong, what the shopper reads, and where the money is.
//!
//! Owns    the table, written by hand, and which cells it has to have: every dependency that a shop has, in every trouble, for all that
//!         a shopper asks. `vitrine check --matrix` prints the rows of a shop; tests/it/matrix.rs plays every one of them.
//! Always  a route that asks for something new does not compile into the table by itself: it has to be named in `asks_of`.
//! Source  DESIGN.md section 8; CHECKOUT.md 5.7 and 5.10.10.

use Ask::{Availability, CallOff, Cart, Open, Order, Pay, Quote, Ready, Status, StatusPaid};
use Dependency::{Gateway, Inventory, InventoryRefuse, Mail, Pricing, PricingRefuse, Store};
use Trouble::{Down, Slow, Wrong};

use super::router::Route;
use crate::telemetry::slo::Area;
use crate::theme::bundle::services::{InventoryTerms, Oversell, PricingTerms, WhenSilent, WhenUnknown};

/// What is asked, each for a shopper who has come that far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Price and stock class of a product.
    Availability,
    /// Looking at a cart, and changing it.
    Cart,
    /// Opening a checkout.
    Open,
    /// Telling contact, address and shipping; freezes a quote.
    Quote,
    /// The button that buys.
    Pay,
    /// A payment that waits for the shopper.
    Status,
    /// A payment whose card was given.
    StatusPaid,
    /// The button that calls a payment off.
    CallOff,
    /// The page of an order.
    Order,
    /// How the edge says it is.
    Ready,
}

/// What may not be well. Services are told apart by what the shop does while they are silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// Who takes the money.
    Gateway,
    /// Checkouts and orders.
    Store,
    /// Who writes to shoppers.
    Mail,
    /// The pricing service; without it, and once the last known prices are too old, the catalogue's prices hold.
    Pricing,
    /// The same; then nothing is sold.
    PricingRefuse,
    /// The inventory service; without it the store's own ledger decides, or it is not asked at all.
    Inventory,
    /// The same; without it nothing is sold.
    InventoryRefuse,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does nothing.
    Down,
    /// Its answers come too late, or never; what it is asked for it may do. The store: it is too busy.
    Slow,
    /// It says what cannot be. The store: it holds what nobody wrote. Prices: they are absurd. Units: it knows nothing of them.
    Wrong,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 3] = [Down, Slow, Wrong];

    fn name(self) -> &'static str {
        match self {
            Down => "down",
            Slow => "slow",
            Wrong => "wrong",
        }
    }
}

/// Where the money is at the end of the request: live payments at the gateway, those of them that are taken, units promised.
pub type Money = (usize, usize, i64);

/// What is wrong, what is asked; what is answered (status; code or state; key of the text), and where the money is. A row stands for a cell
/// of each trouble that it names.
pub type Row = (Dependency, &'static [Trouble], Ask, u16, &'static str, &'static str, Money);

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What is not well.
    pub dependency: Dependency,
    /// What is wrong with it.
    pub trouble: Trouble,
    /// What is asked.
    pub ask: Ask,
}

const ANY: &[Trouble] = &Trouble::ALL;

/// The outcomes.
#[rustfmt::skip]
pub const MATRIX: &[Row] = &[
    (Gateway,         ANY,     Availability, 200, "",                     "",                          (0, 0, 0)),
    (Gateway,         ANY,     Cart,         200, "",                     "",                          (0, 0, 0)),
    (Gateway,         ANY,     Open,         201, "none",                 "",                          (0, 0, 0)),
    (Gateway,         ANY,     Quote,        200, "none",                 "",                          (0, 0, 0)),
    (Gateway,         &[Down], Pay,          503, "payments_interrupted", "payment.interrupted",       (0, 0, 3)),
    (Gateway,         &[Slow, Wrong], Pay,   200, "checking",             "payment.checking",          (1, 0, 1)),
    (Gateway,         ANY,     Status,       200, "checking",             "payment.checking",          (1, 0, 1)),
    (Gateway,         ANY,     StatusPaid,   200, "checking",             "payment.checking",          (1, 0, 1)),
    (Gateway,         &[Down, Slow], CallOff, 200, "checking",            "payment.checking",          (1, 0, 1)),
    (Gateway,         &[Wrong], CallOff,     200, "checking",             "payment.checking",          (0, 0, 1)),
    (Gateway,         ANY,     Order,        200, "",                     "",                          (1, 1, 0)),
    (Gateway,         &[Down], Ready,        200, "interrupted",          "",                          (0, 0, 3)),
    (Gateway,         &[Slow, Wrong], Ready, 200, "open",                 "",                          (0, 0, 0)),

    (Store,           ANY,     Availability, 200, "",                     "",                          (0, 0, 0)),
    (Store,           ANY,     Cart,         200, "",                     "",                          (0, 0, 0)),
    (Store,           &[Down, Wrong], Open,  503, "checkout_unavailable", "says.back_soon",            (0, 0, 0)),
    (Store,           &[Slow], Open,         503, "busy",                 "says.back_soon",            (0, 0, 0)),
    (Store,           &[Down, Wrong], Quote, 503, "checkout_unavailable", "says.back_soon",            (0, 0, 0)),
    (Store,           &[Slow], Quote,        503, "busy",                 "says.back_soon",            (0, 0, 0)),
    (Store,           &[Down, Wrong], Pay,   503, "checkout_unavailable", "says.back_soon",            (0, 0, 0)),
    (Store,           &[Slow], Pay,          503, "busy",                 "says.back_soon",            (0, 0, 0)),
    (Store,           &[Down, Wrong], Status, 503, "checkout_unavailable", "payment.checking",         (1, 0, 1)),
    (Store,           &[Slow], Status,       503, "busy",                 "payment.checking",          (1, 0, 1)),
    (Store,           &[Down, Wrong], StatusPaid, 503, "checkout_unavailable", "payment.checking",     (1, 0, 1)),
    (Store,           &[Slow], StatusPaid,   503, "busy",                 "payment.checking",          (1, 0, 1)),
    (Store,           &[Down, Wrong], CallOff, 503, "checkout_unavailable", "payment.checking",        (1, 0, 1)),
    (Store,           &[Slow], CallOff,      503, "busy",                 "payment.checking",          (1, 0, 1)),
    (Store,           &[Down, Wrong], Order, 503, "checkout_unavailable", "says.back_soon",            (1, 1, 0)),
    (Store,           &[Slow], Order,        503, "busy",                 "says.back_soon",            (1, 1, 0)),
    (Store,           ANY,     Ready,        503, "store_failing",        "",                          (0, 0, 0)),

    (Mail,            ANY,     Availability, 200, "",                     "",                          (0, 0, 0)),
    (Mail,            ANY,     Cart,         200, "",                     "",                          (0, 0, 0)),
    (Mail,            ANY,     Open,         201, "none",                 "",                          (0, 0, 0)),
    (Mail,            ANY,     Quote,        200, "none",                 "",                          (0, 0, 0)),
    (Mail,            ANY,     Pay,          200, "redirect",             "",                          (1, 0, 1)),
    (Mail,            ANY,     Status,       200, "redirect",             "",                          (1, 0, 1)),
    (Mail,            ANY,     StatusPaid,   200, "paid",                 "",                          (1, 1, 0)),
    (Mail,            ANY,     CallOff,      200, "none",                 "payment.called_off",        (0, 0, 0)),
    (Mail,            ANY,     Order,        200, "",                     "",                          (1, 1, 0)),
    (Mail,            ANY,     Ready,        200, "open",                 "",                          (0, 0, 0)),

    // A frozen quote asks nobody what it costs: whoever has one pays it.
    (Pricing,         ANY,     Availability, 200, "",                     "",                          (0, 0, 0)),
    (Pricing,         ANY,     Cart,         200, "",                     "",                          (0, 0, 0)),
    (Pricing,         ANY,     Open,         201, "none",                 "",                          (0, 0, 0)),
    (Pricing,         ANY,     Quote,        200, "none",                 "",                          (0, 0, 0)),
    (Pricing,         ANY,     Pay,          200, "redirect",             "",                          (1, 0, 1)),
    (Pricing,         ANY,     Status,       200, "redirect",             "",                          (1, 0, 1)),
    (Pricing,         ANY,     StatusPaid,   200, "paid",                 "",                          (1, 1, 0)),
    (Pricing,         ANY,     CallOff,      200, "none",                 "payment.called_off",        (0, 0, 0)),
    (Pricing,         ANY,     Order,        200, "",                     "",                          (1, 1, 0)),
    (Pricing,         ANY,     Ready,        200, "open",                 "",                          (0, 0, 0)),

    (PricingRefuse,   ANY,     Availability, 200, "",                     "",                          (0, 0, 0)),
    (PricingRefuse,   ANY,     Cart,         200, "price_unconfirmed",    "line.price_unconfirmed",    (0, 0, 0)),
    (PricingRefuse,   ANY,     Open,         201, "price_unconfirmed",    "line.price_unconfirmed",    (0, 0, 0)),
    (PricingRefuse,   ANY,     Quote,        200, "price_unconfirmed",    "line.price_unconfirmed",    (0, 0, 0)),
    (PricingRefuse,   ANY,     Pay,          200, "redirect",             "",                          (1, 0, 1)),
    (PricingRefuse,   ANY,     Status,       200, "redirect",             "",                          (1, 0, 1)),
    (PricingRefuse,   ANY,     StatusPaid,   200, "paid",                 "",                          (1, 1, 0)),
    (PricingRefuse,   ANY,     CallOff,      200, "none",                 "payment.called_off",        (0, 0, 0)),
    (PricingRefuse,   ANY,     Order,        200, "",                     "",                          (1, 1, 0)),
    (PricingRefuse,   ANY,     Ready,        200, "open",                 "",                          (0, 0, 0)),

    (Inventory,       ANY,     Availability, 200, "",                     "",                          (0, 0, 0)),
    (Inventory,       ANY,     Cart,         200, "",                     "",                          (0, 0, 0)),
    (Inventory,       ANY,     Open,         201, "none",                 "",                          (0, 0, 0)),
    (Inventory,       ANY,     Quote,        200, "none",                 "",                          (0, 0, 0)),
    (Inventory,       ANY,     Pay,          200, "redirect",             "",                          (1, 0, 1)),
    (Inventory,       ANY,     Status,       200, "redirect",             "",                          (1, 0, 1)),
    (Inventory,       ANY,     StatusPaid,   200, "paid",                 "",                          (1, 1, 0)),
    (Inventory,       ANY,     CallOff,      200, "none",                 "payment.called_off",        (0, 0, 0)),
    (Inventory,       ANY,     Order,        200, "",                     "",                          (1, 1, 0)),
    (Inventory,       ANY,     Ready,        200, "open",                 "",                          (0, 0, 0)),

    (InventoryRefuse, ANY,     Availability, 200, "",                     "",                          (0, 0, 0)),
    (InventoryRefuse, ANY,     Cart,         200, "",                     "",                          (0, 0, 0)),
    (InventoryRefuse, ANY,     Open,         201, "none",                 "",                          (0, 0, 0)),
    (InventoryRefuse, ANY,     Quote,        200, "none",                 "",                          (0, 0, 0)),
    (InventoryRefuse, ANY,     Pay,          503, "stock_unconfirmed",    "payment.stock_unconfirmed", (0, 0, 0)),
    (InventoryRefuse, ANY,     Status,       200, "redirect",             "",                          (1, 0, 1)),
    (InventoryRefuse, ANY,     StatusPaid,   200, "paid",                 "",                          (1, 1, 0)),
    (InventoryRefuse, ANY,     CallOff,      200, "none",                 "payment.called_off",        (0, 0, 0)),
    (InventoryRefuse, ANY,     Order,        200, "",                     "",                          (1, 1, 0)),
    (InventoryRefuse, ANY,     Ready,        200, "open",                 "",                          (0, 0, 0)),
];

/// What a route asks for.
pub fn asks_of(route: &Route) -> &'static [Ask] {
    let is_read = route.method == http::Method::GET;
    let ends = |word: &str| route.pattern.ends_with(word);
    let Some(area) = route.area() else { return &[] };
    match area {
        Area::Availability => &[Availability],
        Area::Cart => &[Cart],
        Area::Orders => &[Order],
        // A gateway asks it, and no shopper: tests/it/webhooks.rs says what it is answered.
        Area::Webhooks => &[],
        Area::Payment if ends("/return") => &[StatusPaid],
        Area::Payment if ends("/cancel") || route.method == http::Method::DELETE => &[CallOff],
        Area::Payment => &[Pay],
        // The address that people type leads to the cart.
        Area::Checkout if is_read && ends("/checkout") => &[Cart],
        Area::Checkout if is_read => &[Status, StatusPaid],
        Area::Checkout if ends("{checkout}") => &[Quote],
        Area::Checkout => &[Open],
    }
}

/// The dependencies of a shop, by its terms. A policy of a class of products is one of the shop.
pub fn dependencies(pricing: Option<&PricingTerms>, inventory: Option<&InventoryTerms>) -> Vec<Dependency> {
    let mut found = vec![Gateway, Store, Mail];
    let mut add = |dependency, is_had: bool| found.extend(is_had.then_some(dependency));
    if let Some(terms) = pricing {
        let has = |policy| std::iter::once(&terms.usual).chain(&terms.classes).any(|class| class.when_unknown == policy);
        add(Pricing, has(WhenUnknown::Catalogue));
        add(PricingRefuse, has(WhenUnknown::Refuse));
    }
    if let Some(terms) = inventory {
        let classes = || std::iter::once(&terms.usual).chain(&terms.classes);
        let is_strict = |class: &&_| -> bool {
            let class: &crate::theme::bundle::services::InventoryClass = class;
            class.oversell == Oversell::Never && class.when_silent == WhenSilent::Refuse
        };
        add(Inventory, classes().any(|class| !is_strict(&class)));
        add(InventoryRefuse, classes().any(|class| is_strict(&class)));
    }
    found
}

/// Every cell of a shop with those dependencies and routes, whether it has a row or not.
pub fn cells(dependencies: &[Dependency], routes: &[Route]) -> Vec<Cell> {
    let mut asks: Vec<Ask> = Vec::new();
    for ask in routes.iter().flat_map(asks_of).chain(&[Ready]) {
        if !asks.contains(ask) {
            asks.push(*ask);
        }
    }
    let mut cells = Vec::new();
    for &dependency in dependencies {
        for &ask in &asks {
            cells.extend(Trouble::ALL.map(|trouble| Cell { dependency, trouble, ask }));
        }
    }
    cells
}

/// The rows that a cell has: one, or the table is not whole.
pub fn rows_of(cell: Cell) -> impl Iterator<Item = &'static Row> {
    MATRIX.iter().filter(move |(dependency, troubles, ask, ..)| {
        *dependency == cell.dependency && troubles.contains(&cell.trouble) && *ask == cell.ask
    })
}

/// A row as a table shows it. `say`: a text by its key, as people read it.
pub fn line((dependency, troubles, ask, status, state, text, (live, taken, held)): &Row, say: impl Fn(&str) -> String) -> String {
    let asked = match ask {
        Availability => "availability",
        Cart => "see or change the cart",
        Open => "open a checkout",
        Quote => "tell the address",
        Pay => "pay",
        Status => "look, card not given",
        StatusPaid => "look, card given",
        CallOff => "call the payment off",
        Order => "see the order",
        Ready => "`/readyz`",
    };
    let dependency = match dependency {
        Gateway => "gateway",
        Store => "store",
        Mail => "mail",
        Pricing => "pricing (`catalogue`)",
        PricingRefuse => "pricing (`refuse`)",
        Inventory => "inventory (`own_ledger`)",
        InventoryRefuse => "inventory (`refuse`)",
    };
    let how = troubles.iter().map(|trouble| trouble.name()).collect::<Vec<_>>().join(", ");
    let state = if state.is_empty() { String::new() } else { format!("`{state}`") };
    let text = if text.is_empty() { String::new() } else { say(text) };
    format!("| {dependency} | {how} | {asked} | {status} | {state} | {text} | {live} / {taken} / {held} |")
}

/// The table's head.
pub const HEAD: &str = "| what | is | asked for | answer | state or code | text | money |\n|---|---|---|---|---|---|---|";
