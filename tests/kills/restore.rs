//! Restore: the real binary on a backup that is older than its gateway, ended at each point of making good what is missing.

use std::collections::BTreeMap;
use std::process::Command;

use rusqlite::Connection;

use super::shop::{Card, End, Shop, Shopper, until};

/// Where what a backup lacks is made good: compared, found, adopted, promised to go back, answered.
const POINTS: [&str; 5] = ["R1", "R2", "R3", "R4", "R5"];

/// A payment in the sandbox's ledger: state, what was taken and not given back, and how often it was given back.
struct Payment {
    state: String,
    kept_minor: i64,
    refunds: i64,
}

fn payments(shop: &Shop) -> BTreeMap<String, Payment> {
    let ledger = Connection::open(shop.file("sandbox.db")).expect("the ledger");
    let query = "SELECT reference, state, CASE state WHEN 'captured' THEN amount_minor - refunded_minor ELSE 0 END,
                        (SELECT count(*) FROM calls WHERE calls.reference = payments.reference AND operation = 'refund') FROM payments";
    let mut select = ledger.prepare(query).expect("the schema is known");
    let read = |row: &rusqlite::Row<'_>| {
        Ok((row.get(0)?, Payment { state: row.get(1)?, kept_minor: row.get(2)?, refunds: row.get(3)? }))
    };
    select.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("rows")
}

/// References of paid orders with their numbers.
fn orders(shop: &Shop) -> BTreeMap<String, String> {
    let file = Connection::open(shop.file("shop.db")).expect("the file");
    let query = "SELECT reference, orders.number FROM orders JOIN attempts ON order_id = orders.id
                 WHERE paid_at IS NOT NULL AND attempts.state = 'paid'";
    let mut select = file.prepare(query).expect("the schema is known");
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    select.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("rows")
}

fn mails(shop: &Shop, prefix: &str) -> usize {
    let names = std::fs::read_dir(shop.file("mail")).into_iter().flatten();
    names.filter(|name| name.as_ref().expect("an entry").file_name().to_string_lossy().starts_with(prefix)).count()
}

fn back_up(shop: &Shop, to: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
    command.args(["store", "backup"]).arg(shop.file(to)).arg("--store").arg(shop.file("shop.db"));
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn put_back(shop: &Shop, from: &str) {
    for name in ["shop.db-wal", "shop.db-shm"] {
        let _ = std::fs::remove_file(shop.file(name));
    }
    std::fs::copy(shop.file(from), shop.file("shop.db")).expect("it is put back");
}

/// Loses what came after a backup, and is ended at a point once while that is made good.
fn drill(point: &str) {
    let shop = Shop::new();
    let running = shop.start(None).expect("it starts");
    let at = || Shopper::at(running.port);
    assert_eq!(at().shops("LAMP-S", Card::Good, false), End::Bought, "{point}");
    let (mut ready, mut later) = (at(), at());
    let hash = ready.fills("LAMP-S").expect("an answer").expect("a quote");
    back_up(&shop, "backup.db");
    assert_eq!(ready.pays(&hash, Card::Good, false).expect("an answer"), End::Bought, "{point}");
    assert_eq!(later.shops("LAMP-S", Card::Good, false), End::Bought, "{point}");
    assert_eq!(at().shops("LAMP-S", Card::Away, false), End::Not, "{point}");
    // A mail that the lost part of the store still owed would never be sent: it would be missed below.
    until("each order is confirmed", || mails(&shop, "order-") == 3);
    running.kill();
    let before: Vec<String> = orders(&shop).into_values().collect();
    assert_eq!((before.len(), payments(&shop).len()), (3, 4), "{point}");
    put_back(&shop, "backup.db");
    // It dies there before it serves, or soon after.
    if let Some(mut running) = shop.start(Some(point)) {
        until("the point is passed", || running.has_ended());
    }
    let running = shop.start(None).expect("it starts");
    until("nothing is left open", || {
        let is_open = |payment: &Payment| matches!(payment.state.as_str(), "open" | "authorized");
        !payments(&shop).values().any(is_open) && mails(&shop, "orphan-") == 3 && mails(&shop, "order-") == 4
    });
    let (paid, orders) = (payments(&shop), orders(&shop));
    for (reference, payment) in &paid {
        let expected = if orders.contains_key(reference) { (2480, 0) } else { (0, i64::from(payment.state == "captured")) };
        assert_eq!((payment.kept_minor, payment.refunds), expected, "{point}: {reference} is {}", payment.state);
    }
    assert_eq!(orders.len(), 2, "{point}");
    let fresh: Vec<&String> = orders.values().filter(|number| !before[..1].contains(number)).collect();
    assert!(fresh.iter().all(|number| !before.contains(number)), "{point}: {before:?} {orders:?}");
    assert_eq!(Shopper::at(running.port).shops("LAMP-S", Card::Good, false), End::Bought, "{point}");
    assert!(running.terminate(), "{point}");
    assert!([ready.bad, later.bad].concat().is_empty(), "{point}");
}

#[test]
fn a_backup_that_is_older_than_the_gateway_is_made_good_whenever_it_is_interrupted() {
    std::thread::scope(|scope| {
        for point in POINTS {
            scope.spawn(move || drill(point));
        }
    });
}
