//! Full: a disk without space, and one that may only be read.
//!
//! Source  CHECKOUT.md 5.7: what is new is refused before the last of the disk is gone, what is under way goes on.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;

use super::never::NEVER;
use super::shop::{Card, End, Launch, Running, Shop, until};

/// Whether a process may mount a disk of its own here; where not, the test says so and passes.
fn may_mount(test: &str) -> bool {
    let mut tried = Command::new("unshare");
    tried.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null());
    let may = tried.status().is_ok_and(|status| status.success());
    if !may {
        // Not by a macro: what those print is kept back of tests that pass.
        let _ = writeln!(std::io::stderr(), "skipped: {test} (a disk of one's own cannot be mounted here)");
    }
    may
}

/// A file of the state folder, as the process sees it.
fn inside(shop: &Shop, running: &Running, name: &str) -> PathBuf {
    let path = shop.file(name);
    PathBuf::from(format!("/proc/{}/root{}", running.id(), path.display()))
}

/// Pages of the gateway on which somebody may still pay.
fn open_pages(shop: &Shop) -> usize {
    shop.stripe().faulty.objects("checkout.session").iter().filter(|session| session["status"] == "open").count()
}

/// Orders that were confirmed.
fn mails(shop: &Shop, running: &Running) -> usize {
    std::fs::read_dir(inside(shop, running, "mail")).map_or(0, Iterator::count)
}

/// Judges a copy of the shop's file, taken once nothing writes to it: SQLite would follow the path out of the process's world.
fn judge(shop: &Shop, running: &Running) {
    let copies = tempfile::tempdir().expect("a folder");
    let copied = || -> Option<Connection> {
        for name in ["shop.db", "shop.db-wal"] {
            std::fs::copy(inside(shop, running, name), copies.path().join(name)).ok()?;
        }
        let file = Connection::open(copies.path().join("shop.db")).ok()?;
        let is_whole = file.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).is_ok_and(|told| told == "ok");
        let orders = file.query_row("SELECT count(*) FROM orders WHERE paid_at IS NOT NULL", [], |row| row.get::<_, i64>(0));
        (is_whole && orders.is_ok_and(|orders| orders as usize == mails(shop, running))).then_some(file)
    };
    let mut file = None;
    until("a copy is whole", || {
        file = copied();
        file.is_some()
    });
    let file = file.expect("it was waited for");
    for (breach, query) in NEVER {
        let mut select = file.prepare(query).expect("the schema is known");
        assert!(!select.exists([]).expect("rows"), "{breach}");
    }
}

#[test]
fn a_full_disk_takes_no_new_payment_and_finishes_every_other() {
    if !may_mount("a_full_disk_takes_no_new_payment_and_finishes_every_other") {
        return;
    }
    let shop = Shop::paid_by_stripe();
    let launch = Launch { disk_mib: Some(8), reserve_mib: Some(2), ..Launch::default() };
    let running = shop.launch(launch).expect("it starts");
    let operator = running.operator();
    let ready = || -> Value { serde_json::from_str(&shop.shopper(running.port).look(operator, "/readyz")).unwrap_or_default() };
    let metrics = || shop.shopper(running.port).look(operator, "/metrics");
    assert_eq!(shop.shopper(running.port).shops("LAMP-S", Card::Good, false), End::Bought);
    // Somebody is at the gateway's page.
    assert_eq!(shop.shopper(running.port).shops("LAMP-S", Card::Away, false), End::Not);
    assert_eq!(ready()["disk_full"], false);
    assert!(metrics().contains("vitrine_store_read_only 0"));
    let reserve = inside(&shop, &running, "shop.db-reserve");
    assert_eq!(std::fs::metadata(&reserve).expect("it is kept").len(), 2 * 1024 * 1024);

    // Others fill the disk to the last byte, and buyers come until the shop has noticed.
    let filler = inside(&shop, &running, "filler");
    let mut filled = File::create(&filler).expect("a file");
    while filled.write_all(&[1; 4096]).is_ok() {}
    let mut refused = Vec::new();
    for _ in 0..300 {
        let mut shopper = shop.shopper(running.port);
        shopper.shops("LAMP-S", Card::Away, false);
        refused.append(&mut shopper.bad);
        if !refused.is_empty() {
            break;
        }
    }
    let [refused] = refused.as_slice() else { panic!("nobody was refused") };
    assert!(refused.contains("HTTP/1.1 503") && refused.contains("retry-after: 10"), "{refused}");
    assert!(refused.contains("checkout_unavailable") && !refused.to_lowercase().contains("disk"), "{refused}");
    assert_eq!(ready()["disk_full"], true);
    assert!(metrics().contains("vitrine_store_read_only 1"));
    assert!(!reserve.exists(), "it is given up");

    // Who had begun pays: webhooks, orders and captures are written.
    let open = open_pages(&shop);
    assert!(open >= 1);
    shop.stripe().pay_open_pages();
    until("every payment under way is paid and confirmed", || {
        (shop.stripe().faulty.captured().len(), mails(&shop, &running)) == (1 + open, 1 + open)
    });
    let mut late = shop.shopper(running.port);
    late.shops("LAMP-S", Card::Good, false);
    assert_eq!((late.bad.len(), ready()["disk_full"].clone()), (1, true.into()), "nothing new yet: {:?}", late.bad);

    // There is space again: it goes on by itself.
    std::fs::remove_file(&filler).expect("it can be deleted");
    drop(filled);
    until("the room is made anew", || ready()["disk_full"] == false);
    assert_eq!(std::fs::metadata(&reserve).expect("it is kept").len(), 2 * 1024 * 1024);
    assert_eq!(shop.shopper(running.port).shops("LAMP-S", Card::Good, false), End::Bought);
    judge(&shop, &running);
    assert!(running.terminate());
    println!("disk full: {open} payments under way were finished in the room that was kept for them");
}

#[test]
fn a_store_that_may_only_be_read_is_refused_at_the_start() {
    if !may_mount("a_store_that_may_only_be_read_is_refused_at_the_start") {
        return;
    }
    let shop = Shop::paid_by_stripe();
    let running = shop.start(None).expect("it starts");
    assert!(running.terminate());
    let launch = Launch { disk_mib: Some(0), failpoint: Some("none"), ..Launch::default() };
    assert!(shop.launch(launch).is_none(), "it served a shop that it cannot write");
    assert!(shop.start(None).is_some(), "nothing was harmed");
}
