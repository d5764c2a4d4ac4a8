//! Store: the edge's file is copied while it is written to, and held against its promises.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::support::counter::{Counter, Shopper};
use crate::support::shop::run;

/// Runs `vitrine store …` beside the counter's edge.
fn store(counter: &Counter, arguments: &[&str]) -> (i32, String, String) {
    let folder = counter.folder.path();
    let mut all = vec!["store"];
    all.extend(arguments);
    all.extend(["--store", "shop.db"]);
    run(folder, &all)
}

fn json(told: &str) -> Value {
    serde_json::from_str(told).unwrap_or_else(|error| panic!("{error} in {told}"))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn a_backup_is_one_state_of_a_store_that_is_written_to() {
    let counter = Counter::open();
    for _ in 0..3 {
        Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    }
    fs::create_dir(counter.folder.path().join("backups")).expect("a folder");
    // Others are served meanwhile: every copy is a shop that keeps its promises.
    std::thread::scope(|scope| {
        let shoppers = scope.spawn(|| {
            for _ in 0..4 {
                Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
            }
        });
        for number in 0..4 {
            let name = format!("backups/{number}.db");
            let (code, told, errors) = store(&counter, &["backup", &name, "--json"]);
            assert_eq!(code, 0, "{told}{errors}");
            assert_eq!(json(&told)["verify"]["whole"], true, "{told}");
        }
        shoppers.join().expect("they bought");
    });
    let (code, told, _) = store(&counter, &["backup", "backups/last.db"]);
    assert!(code == 0 && told.contains("whole") && told.contains("7 orders") && told.contains("a copy of"), "{told}");
    // Nothing but the backups is left, and nobody else can read them.
    assert_eq!(names(&counter.folder.path().join("backups")), ["0.db", "1.db", "2.db", "3.db", "last.db"]);
    let mode = fs::metadata(counter.folder.path().join("backups/last.db")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A copy is a store like any other.
    let (code, told, _) = run(counter.folder.path(), &["orders", "list", "--json", "--store", "backups/last.db"]);
    assert_eq!((code, json(&told).as_array().map(Vec::len)), (0, Some(7)));
}

#[test]
fn a_backup_takes_the_place_of_nothing_unless_told() {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    let place = counter.folder.path().join("old.db");
    fs::write(&place, "precious").expect("written");
    let (code, _, told) = store(&counter, &["backup", "old.db"]);
    assert!(code == 2 && told.contains("--force"), "{told}");
    assert_eq!(fs::read(&place).expect("as it was"), b"precious");
    assert_eq!(store(&counter, &["backup", "old.db", "--force"]).0, 0);
    assert!(fs::read(&place).expect("a backup").starts_with(b"SQLite format 3"));
    // The store itself is nobody's place, told or not; a folder that is not there is said.
    let (code, _, told) = store(&counter, &["backup", "./shop.db", "--force"]);
    assert!(code == 2 && told.contains("is the store itself"), "{told}");
    let (code, _, told) = store(&counter, &["backup", "nowhere/a.db"]);
    assert!(code == 3 && told.contains("nowhere/a.db"), "{told}");
    let (code, _, told) = run(counter.folder.path(), &["store", "backup", "b.db", "--store", "none.db"]);
    assert!(code == 3 && told.contains("there is no store at none.db"), "{told}");
    assert!(!counter.folder.path().join("none.db").exists());
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
}

#[test]
fn a_damaged_store_gives_no_backup() {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    assert_eq!(store(&counter, &["backup", "good.db"]).0, 0);
    let folder = counter.folder.path();
    let mut bytes = fs::read(folder.join("good.db")).expect("a backup");
    // Of the whole file but its first page, every third byte of some pages is not what it was.
    let (from, to) = (bytes.len() / 2, bytes.len() * 3 / 4);
    bytes[from..to].iter_mut().step_by(3).for_each(|byte| *byte = 0xa5);
    fs::write(folder.join("bad.db"), bytes).expect("written");
    let (code, told, errors) = run(folder, &["store", "verify", "bad.db"]);
    assert!(code == 1 && errors.contains("broken: the file is whole") && errors.contains("last good backup"), "{told}{errors}");
    let (code, _, errors) = run(folder, &["store", "backup", "copy.db", "--store", "bad.db"]);
    assert!(code == 3 && errors.contains("damaged"), "{errors}");
    assert!(!folder.join("copy.db").exists() && !names(folder).iter().any(|name| name.ends_with(".new")));
    fs::write(folder.join("text.db"), "not a database at all, and long enough to be looked at as one").expect("written");
    let (code, _, errors) = run(folder, &["store", "verify", "text.db"]);
    assert!(code == 3 && errors.contains("cannot be read as a store"), "{errors}");
}

#[test]
fn every_promise_that_is_broken_is_told_with_what_to_do() {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    let mut open = Shopper::with(&counter, "LAMP-S", 1);
    let ready = open.check_out();
    open.pay(&ready).expect(200);
    assert_eq!(store(&counter, &["backup", "good.db"]).0, 0);
    let folder = counter.folder.path();
    let breaks = [
        ("an order that is paid was paid in full", "UPDATE ledger SET amount_minor = amount_minor - 1 WHERE kind = 'captured'"),
        ("money in the ledger is an order's", "UPDATE orders SET paid_at = NULL"),
        (
            "no more goes back than was taken",
            "DROP TRIGGER IF EXISTS ledger_refunds_within_captured;
             UPDATE ledger SET amount_minor = 0 WHERE kind = 'captured'; PRAGMA ignore_check_constraints = 1;
             UPDATE ledger SET kind = 'refunded' WHERE kind = 'authorized'",
        ),
        (
            "what became of a refund is in the ledger",
            "INSERT INTO refunds (id, order_id, attempt, amount_minor, currency, state, created_at, changed_at, next_at)
             SELECT 'r', order_id, id, 1, currency, 'done', 0, 0, 0 FROM attempts WHERE state = 'paid'",
        ),
        (
            "an order whose held money was let go is none any more",
            "INSERT INTO ledger (attempt, cart_id, kind, amount_minor, currency, at)
             SELECT attempt, cart_id, 'voided', amount_minor, currency, at FROM ledger WHERE kind = 'authorized'",
        ),
        ("a payment is for its order's quote", "UPDATE attempts SET quote_hash = 'x' WHERE state = 'paid'"),
        ("an order that is placed has a number", "UPDATE orders SET sequence = NULL WHERE state = 'placed'"),
        ("the shopper of a paid order is written to", "DELETE FROM outbox WHERE kind = 'confirmation'"),
        ("nobody is written to about an order that is not paid", "UPDATE orders SET paid_at = NULL"),
        ("units are held while a payment is under way", "UPDATE orders SET state = 'canceled' WHERE state = 'pending_payment'"),
        ("no more is promised than there is", "PRAGMA ignore_check_constraints = 1; UPDATE stock SET on_hand = 0"),
        ("what is promised is what orders hold", "UPDATE stock SET reserved = reserved + 1"),
        ("what is sold is what placed orders have", "UPDATE stock SET sold = sold + 1"),
        ("units come and go by movements", "DELETE FROM stock_movements"),
        (
            "a cart becomes one order",
            "DROP INDEX orders_one_per_cart; UPDATE orders SET cart_id = (SELECT min(cart_id) FROM orders)",
        ),
        (
            "a checkout has one payment under way",
            "DROP INDEX attempts_one_live; UPDATE attempts SET state = 'capturing', number = rowid,
             checkout = (SELECT min(checkout) FROM attempts)",
        ),
        ("every row's parents are there", "DELETE FROM quotes"),
        (
            "an orphan of the gateway's has no payment here",
            "INSERT INTO orphans (gateway, reference, shop, checkout, number, quote_hash, amount_minor, currency, standing, state,
                                  made_at, found_at, changed_at, next_at)
             SELECT gateway, reference, 's', 'c', 1, 'h', 1, 'EUR', 'captured', 'returned', 1, 1, 1, 1 FROM attempts LIMIT 1",
        ),
    ];
    for (name, statements) in breaks {
        fs::copy(folder.join("good.db"), folder.join("broken.db")).expect("copied");
        let file = rusqlite::Connection::open(folder.join("broken.db")).expect("the file");
        file.execute_batch("PRAGMA foreign_keys = 0").expect("SQL");
        file.execute_batch(statements).unwrap_or_else(|error| panic!("{name}: {error}"));
        drop(file);
        let before = fs::read(folder.join("broken.db")).expect("the file");
        let (code, told, errors) = run(folder, &["store", "verify", "broken.db"]);
        assert!(
            code == 1 && told.contains(": broken, schema") && errors.contains(&format!("broken: {name} (")),
            "{name}: {told}{errors}"
        );
        let (code, told, _) = run(folder, &["store", "verify", "broken.db", "--json"]);
        let findings = json(&told)["verify"]["findings"].as_array().cloned().expect("a list");
        let found = findings.iter().find(|finding| finding["name"] == name).unwrap_or_else(|| panic!("{name}: {told}"));
        assert!(
            code == 1 && !found["advice"].as_str().expect("a text").is_empty() && found["count"].as_u64() >= Some(1),
            "{told}"
        );
        assert_eq!(fs::read(folder.join("broken.db")).expect("the file"), before, "{name}: looking changes nothing");
    }
    assert_eq!(store(&counter, &["verify"]).0, 0, "the edge's own file is as it was");
}

#[test]
fn a_newer_store_is_left_to_the_newer_program() {
    let counter = Counter::open();
    assert_eq!(store(&counter, &["backup", "newer.db"]).0, 0);
    let folder = counter.folder.path();
    let file = rusqlite::Connection::open(folder.join("newer.db")).expect("the file");
    file.execute_batch("INSERT INTO schema_version (version) VALUES (99)").expect("SQL");
    drop(file);
    let (code, _, errors) = run(folder, &["store", "verify", "newer.db"]);
    assert!(code == 3 && errors.contains("use the newer program"), "{errors}");
}
