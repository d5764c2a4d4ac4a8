//! Matrix: every cell of the table in src/edge/outcomes.rs is played, and there is a row for every cell that a shop can have.
//!
//! Always  a cell is played on a shop of its own; afterwards all is well again, and whatever was promised comes true: money is taken for
//!         placed orders alone, each of them has its mail, and an inventory service that can be asked knows what was sold.
//! Source  DESIGN.md section 8; CHECKOUT.md 5.7 and 5.10.10.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vitrine::edge::outcomes::Ask::{Availability, CallOff, Cart, Open, Order, Pay, Quote, Ready, Status, StatusPaid};
use vitrine::edge::outcomes::Dependency::{Gateway, Inventory, InventoryRefuse, Mail, Pricing, PricingRefuse, Store};
use vitrine::edge::outcomes::{self, Ask, Cell, Dependency, HEAD, MATRIX, Row, Trouble, asks_of, cells, line, rows_of};
use vitrine::edge::router::ROUTES;
use vitrine::theme::bundle::Bundle;
use vitrine::theme::bundle::services::{Oversell, WhenSilent, WhenUnknown};
use vitrine::theme::texts::Say;

use crate::limits::{Buyer, breaks};
use crate::support::counter::details;
use crate::support::edge::{BASE_URL, Got, bundle};
use crate::support::rig::{Health, Rig};
use crate::support::service::{Mishap, Service};
use crate::support::shop::{folder, run, site};

/// All that any shop can have.
const ALL: [Dependency; 7] = [Gateway, Store, Mail, Pricing, PricingRefuse, Inventory, InventoryRefuse];

#[test]
fn every_cell_has_one_row_and_every_row_a_cell() {
    let cells = cells(&ALL, ROUTES);
    let wrong: Vec<String> = cells.iter().filter_map(|cell| rows(*cell).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cells:\n{}", wrong.len(), cells.len(), wrong.join("\n"));
    let stood_for: usize = MATRIX.iter().map(|(_, troubles, ..)| troubles.len()).sum();
    assert_eq!(stood_for, cells.len(), "a row that stands for nothing");
    // What a shopper asks is in it, route by route; a gateway's own request is not, nor what a page tells without waiting for an answer.
    let silent: Vec<String> = ROUTES.iter().filter(|route| asks_of(route).is_empty()).map(|route| route.name()).collect();
    assert_eq!(silent, ["POST /api/v1/beacon", "POST /api/v1/webhooks/{gateway}"]);
}

fn rows(cell: Cell) -> Result<&'static Row, String> {
    let mut rows = rows_of(cell);
    match (rows.next(), rows.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => Err(format!("{cell:?} has no row")),
        (Some(_), Some(_)) => Err(format!("{cell:?} has two rows")),
    }
}

#[test]
fn a_shop_has_the_cells_of_what_it_depends_on() {
    let service = Service::open();
    let mut pricing = service.terms(WhenUnknown::Catalogue);
    let mut inventory = service.stock_terms(Oversell::Never, WhenSilent::Refuse);
    let of = outcomes::dependencies;
    assert_eq!(of(None, None), [Gateway, Store, Mail]);
    assert_eq!(of(Some(&pricing), None), [Gateway, Store, Mail, Pricing]);
    assert_eq!(of(None, Some(&inventory)), [Gateway, Store, Mail, InventoryRefuse]);
    pricing.classes.push(service.terms(WhenUnknown::Refuse).usual);
    inventory.classes.push(service.stock_terms(Oversell::Allow, WhenSilent::Refuse).usual);
    assert_eq!(of(Some(&pricing), Some(&inventory)), ALL);
}

#[test]
fn every_cell_of_the_matrix_is_so() {
    let cells = cells(&ALL, ROUTES);
    // Most of a cell is waiting: what is slow never answers.
    let part = |cells: &[Cell]| -> Vec<String> {
        cells.iter().filter_map(|cell| rows(*cell).and_then(|row| played(*cell, row)).err()).collect()
    };
    let failures: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = cells.chunks(cells.len().div_ceil(4)).map(|cells| scope.spawn(move || part(cells))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("a cell that cannot be played")).collect()
    });
    assert!(failures.is_empty(), "{} of {} cells are otherwise:\n{}", failures.len(), cells.len(), failures.join("\n"));
}

/// A shop of which a dependency may fail, and its services.
struct Stage {
    rig: Rig,
    service: Service,
}

impl Stage {
    /// All is well: prices are told, units are held.
    fn of(dependency: Dependency) -> Self {
        let service = Service::open();
        service.tells("LAMP-S", "EUR", 1990);
        service.tells("MUG", "EUR", 1250);
        service.has("LAMP-S", 100);
        let pricing = |when_unknown| {
            let mut terms = service.terms(when_unknown);
            (terms.fresh_seconds, terms.usual.max_age_seconds) = (0, 0);
            Bundle { pricing: Some(terms), ..bundle(BASE_URL, 1990) }
        };
        let inventory = |when_silent| {
            let terms = service.stock_terms(Oversell::Never, when_silent);
            Bundle { inventory: Some(terms), ..bundle(BASE_URL, 1990) }
        };
        let shop = match dependency {
            Gateway | Store | Mail => return Self { rig: Rig::open(), service },
            Pricing => pricing(WhenUnknown::Catalogue),
            PricingRefuse => pricing(WhenUnknown::Refuse),
            Inventory => inventory(WhenSilent::OwnLedger),
            InventoryRefuse => inventory(WhenSilent::Refuse),
        };
        Self { rig: Rig::asking(shop, service.services()), service }
    }

    /// It goes wrong. A gateway that is down is known to be, for a payment that begins and for whoever asks how the shop is.
    fn goes(&self, Cell { dependency, trouble, ask }: Cell) {
        let health = match trouble {
            Trouble::Down => Health::Down,
            Trouble::Slow => Health::Slow,
            Trouble::Wrong => Health::Wrong,
        };
        let of = match dependency {
            Gateway => Some(&self.rig.gateway),
            Store => Some(&self.rig.store),
            Mail => Some(&self.rig.mail),
            Pricing | PricingRefuse | Inventory | InventoryRefuse => None,
        };
        match (of, trouble, dependency) {
            (Some(of), ..) => *of.lock().expect("unharmed") = health,
            (None, Trouble::Down, _) => self.service.always(Some(Mishap::Down)),
            (None, Trouble::Slow, _) => self.service.always(Some(Mishap::Slow)),
            (None, Trouble::Wrong, Pricing | PricingRefuse) => {
                self.service.tells("LAMP-S", "EUR", 199_000);
                self.service.tells("MUG", "EUR", -1);
            }
            (None, Trouble::Wrong, _) => {
                self.service.forgets();
                self.service.always(Some(Mishap::Status(404)));
            }
        }
        // What was told before is too old from now on.
        self.rig.pass(1);
        if (dependency, trouble) == (Gateway, Trouble::Down) && matches!(ask, Pay | Ready) {
            breaks(&self.rig);
        }
        self.rig.run(self.rig.till().look_around());
    }
}

fn played(cell: Cell, row: &Row) -> Result<(), String> {
    let &(.., status, state, text, money) = row;
    let Cell { dependency, trouble, ask } = cell;
    let stage = Stage::of(dependency);
    let rig = &stage.rig;
    let mut buyer = Buyer::at(rig);
    let mut order = String::new();
    if matches!(ask, Status | StatusPaid | CallOff | Order) {
        let paying = buyer.pay().expect(200).json();
        if ask != Status && ask != CallOff {
            Buyer::gives_card(rig, &paying);
        }
        if ask == Order {
            order = buyer.look()["order"]["url"].as_str().expect("an order").to_owned();
        }
    }
    stage.goes(cell);
    let got = asked(rig, &mut buyer, ask, &order);
    let told = if got.body.starts_with('{') { got.json() } else { Value::Null };
    let first = told["messages"].as_array().into_iter().flatten().find(|message| {
        // That the address is still to be told is no trouble.
        message["severity"] == "error" && message["code"] != "missing"
    });
    let first = first.cloned().unwrap_or(Value::Null);
    let known = [&told["code"], &first["code"], &told["payment"]["state"], &told["payments"]];
    let found = known.into_iter().find_map(Value::as_str).unwrap_or("");
    let says = [&told["detail"], &first["text"], &told["payment"]["detail"]].into_iter().find_map(Value::as_str).unwrap_or("");
    let live = rig.app.live.load_full();
    let wanted = if text.is_empty() { String::new() } else { Say::of(text).text(&live.sites[0]) };
    // Looked at by eyes that nothing has befallen.
    *rig.store.lock().expect("unharmed") = Health::Well;
    let found_money = (rig.live(), rig.captured(), rig.held());
    let is_said = is_filled(&wanted, says) || ask == Ready;
    if got.status != status || found != state || !is_said || found_money != money {
        return Err(format!(
            "{dependency:?} {trouble:?} {ask:?}: {} `{found}` `{says}` {found_money:?}, not {status} `{state}` `{wanted}` {money:?}",
            got.status
        ));
    }
    if got.status >= 500 && got.header("retry-after").is_empty() && ask != Ready {
        return Err(format!("{dependency:?} {trouble:?} {ask:?}: when to come again is not said"));
    }
    stage.service.always(None);
    ends_well(&stage).map_err(|why| format!("{dependency:?} {trouble:?} {ask:?}, in the end: {why}"))
}

/// Whether a text is another one with its gaps filled.
fn is_filled(wanted: &str, says: &str) -> bool {
    match (wanted.split_once('{'), wanted.rsplit_once('}')) {
        (Some((before, _)), Some((_, after))) => says.starts_with(before) && says.ends_with(after),
        _ => wanted == says,
    }
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

/// Once all is well: no money is taken but for a placed order, none is held for nothing, each order has its mail, and whoever counts units
/// beside the shop knows of each, unless a person was told.
fn ends_well(stage: &Stage) -> Result<(), String> {
    let rig = &stage.rig;
    rig.heals();
    for _ in 0..8 {
        rig.pass(900);
        rig.round();
        rig.tell();
    }
    let orders = rig.orders();
    let placed = orders.iter().filter(|state| *state == "placed").count();
    let mails = rig.mails.lock().expect("unharmed").clone();
    let count = |start: &str| mails.iter().filter(|name| name.starts_with(start)).count();
    let written = count("order-") >= placed;
    let is_named = rig.app.live.load().bundle.inventory.is_some();
    let sold = usize::try_from(stage.service.units("LAMP-S").2).unwrap_or(0) + count("alarm-inventory-");
    match (rig.live() == rig.captured(), rig.captured() == placed, rig.held(), written, !is_named || sold == placed) {
        (true, true, 0, true, true) => Ok(()),
        _ => Err(format!(
            "{orders:?}, {} live, {} taken, {} promised, {sold} told, {mails:?}",
            rig.live(),
            rig.captured(),
            rig.held()
        )),
    }
}

#[test]
fn the_readme_shows_the_matrix() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is one");
    let lines: Vec<String> = MATRIX.iter().map(|row| line(row, |key| format!("`{key}`"))).collect();
    let (_, after) = readme.split_once(&format!("{HEAD}\n")).expect("its head");
    let shown: Vec<&str> = after.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(shown == lines, "the README's table has to be:\n{HEAD}\n{}", lines.join("\n"));
}

#[test]
fn check_prints_the_rows_of_a_shop_in_its_own_words() {
    let settings = format!("{}\n[inventory]\nsource = \"http\"\nurl = \"https://stock.tiny.example\"\n", site("EUR"));
    let shop = folder(&[("site.toml", &settings)]);
    let (code, out, told) = run(shop.path(), &["check", "--matrix"]);
    assert_eq!(code, 0, "{told}");
    let rows: Vec<&str> = out.lines().skip(2).collect();
    let expected = MATRIX.iter().filter(|(dependency, ..)| matches!(dependency, Gateway | Store | Mail | Inventory)).count();
    assert_eq!((out.lines().next(), rows.len()), (HEAD.lines().next(), expected), "{out}");
    assert!(out.contains("Card payments are interrupted. You have not been charged. Your cart is saved."), "{out}");
    assert!(!out.contains("pricing") && out.contains("inventory (`own_ledger`)"), "{out}");
    let (code, _, told) = run(shop.path(), &["check", "--matrix", "--report", "json"]);
    assert!(code == 2 && told.contains("--matrix"), "{told}");
}
