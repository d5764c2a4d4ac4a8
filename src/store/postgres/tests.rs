//! Tests of the engine on a real server: many at once on the same rows, connections that break, a server that takes no writes. Without
//! `VITRINE_POSTGRES` they are passed over. The suite of steps, `store::tests`, runs on the server as well where it is named.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::migrate;
use super::place::Place;
use crate::commerce::ids::{CheckoutId, CouponCode};
use crate::store::fact::{FactKind, Subscriber};
use crate::store::refunds::AskRefund;
use crate::store::tests::{LATER, NOW, opening, payment, quote, refused, run, settled};
use crate::store::{CouponNeed, Lease, Opened, Refusal, Store, StoreError, Taken};

fn open(place: &Place, connections: usize) -> Store {
    Store::open_postgres(&place.address, NonZeroUsize::new(connections).expect("some")).expect("a store")
}

/// Tries until the store has an answer, as whoever asks by HTTP does.
async fn until_answered<T, F: Future<Output = Result<T, StoreError>>>(mut work: impl FnMut() -> F) -> Result<T, StoreError> {
    loop {
        match work().await {
            Err(error) if error.is_retryable() => tokio::task::yield_now().await,
            told => return told,
        }
    }
}

/// One shopper: opens a checkout and begins to pay. Whoever does not know whether a step was kept looks.
async fn begin(store: &Store, number: u16, stock: u32, coupons: &[CouponNeed]) -> Result<Taken, Refusal> {
    begin_as(store, number, stock, (coupons, &[])).await
}

/// The same of a customer who has a name.
async fn begin_as(
    store: &Store,
    number: u16,
    stock: u32,
    (coupons, customer): (&[CouponNeed], &[String]),
) -> Result<Taken, Refusal> {
    let mut fresh = opening(1);
    let name = format!("c{number}");
    fresh.id = name.as_str().into();
    fresh.cart_id.0[..2].copy_from_slice(&number.to_be_bytes());
    let mut frozen = quote(1, &format!("q{number}"), 1);
    (frozen.checkout, frozen.cart_id) = (fresh.id.clone(), fresh.cart_id);
    loop {
        match store.open_checkout(fresh.clone(), Some(frozen.clone())).await {
            Ok(_) => break,
            Err(error) if error.is_retryable() => {
                if until_answered(|| store.checkout(&fresh.id)).await.expect("a look").is_some() {
                    break;
                }
            }
            Err(error) => panic!("no checkout: {error}"),
        }
    }
    let mut beginning = payment(&frozen, 1, stock);
    beginning.coupons = coupons.to_vec();
    beginning.customer = customer.to_vec();
    loop {
        match store.begin_payment(beginning.clone(), &format!("edge{number}"), LATER).await {
            Ok(taken) => return Ok(taken),
            Err(StoreError::Refused(Refusal::AttemptLive | Refusal::AttemptTaken)) => {
                // An answer was lost, and it was kept: whoever begins a turn has it.
                let taken =
                    until_answered(|| store.take_lease(&fresh.id, "again", LATER.plus_seconds(1), LATER.plus_seconds(60)));
                return Ok(taken.await.expect("a look").expect("it is there"));
            }
            Err(StoreError::Refused(refusal)) => return Err(refusal),
            Err(error) if error.is_retryable() => {}
            Err(error) => panic!("no payment: {error}"),
        }
    }
}

/// Takes the lease and does a step under it, until it is done or somebody did it.
async fn under_lease<F: Future<Output = Result<(), StoreError>>>(
    store: &Store,
    id: &CheckoutId,
    mut step: impl FnMut(Lease) -> F,
) {
    static FENCE: AtomicU32 = AtomicU32::new(0);
    loop {
        let at = LATER.plus_seconds(i64::from(FENCE.fetch_add(100, Ordering::Relaxed)));
        let taken = store.take_lease(id, "turn", at, at.plus_seconds(60)).await;
        let Ok(Some(Taken { lease: Some(lease), .. })) = taken else { continue };
        match step(lease).await {
            Ok(()) => return,
            Err(StoreError::Refused(Refusal::WrongState)) => return,
            Err(_) => {}
        }
    }
}

/// Pays, or does not: the fifth are left, the twentieth declined.
async fn finish(store: &Store, number: u16, taken: &Taken) {
    let id = taken.checkout.id.clone();
    let attempt = taken.checkout.attempt.as_ref().expect("it was written").id.clone();
    let reference = format!("r{number}");
    under_lease(store, &id, |lease| {
        let opened = Opened { reference: reference.clone(), redirect_url: None };
        let (store, attempt) = (store.clone(), attempt.clone());
        async move { store.record_opened(&lease, &attempt, opened, NOW).await.map(drop) }
    })
    .await;
    under_lease(store, &id, |lease| {
        let (store, attempt, reference) = (store.clone(), attempt.clone(), reference.clone());
        async move {
            match number % 20 {
                0 => store.decline(&lease, &attempt, "insufficient", LATER).await.map(drop),
                1..=4 => store.cancel_attempt(&lease, &attempt, LATER).await.map(drop),
                _ => {
                    let mut settlement = settled(&attempt, None, LATER);
                    settlement.reference = reference;
                    store.mark_paid(&lease, settlement).await.map(drop)
                }
            }
        }
    })
    .await;
}

/// What was found broken.
async fn broken(store: &Store) -> Vec<String> {
    let report = until_answered(|| store.verify()).await.expect("a report");
    report.findings.iter().map(|finding| format!("{}: {}", finding.name, finding.about.join(", "))).collect()
}

#[test]
fn the_tables_of_both_engines_have_the_same_columns() {
    let Some(place) = Place::fresh() else { return };
    drop(open(&place, 2));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.db");
    drop(Store::open_sqlite(&path).expect("a file"));
    let file = rusqlite::Connection::open(&path).expect("the file");
    let sql = "SELECT m.name, p.name, p.\"notnull\" OR p.pk > 0 FROM sqlite_schema AS m, pragma_table_info(m.name) AS p
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'";
    let mut select = file.prepare(sql).expect("a statement");
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?));
    let mut known: BTreeSet<_> = select.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("rows");
    // What is counted is in a file of its own.
    let beside = crate::store::sqlite::open_metrics(&path.with_extension("metrics.db")).expect("a file");
    let mut select = beside.prepare(sql).expect("a statement");
    known.extend(select.query_map([], read).expect("rows").map(|row| row.expect("a row")));
    let rows = place
        .ask("SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = current_schema()");
    let mut found: BTreeSet<_> = rows.into_iter().map(|row| (row[0].clone(), row[1].clone(), row[2] == "NO")).collect();
    // What a file has by itself, or does not need: the order of rows, and something to lock.
    for own in [("orders", "place"), ("coupon_locks", "code")] {
        assert!(found.remove(&(own.0.to_owned(), own.1.to_owned(), true)), "{own:?}");
    }
    let missing: Vec<_> = known.symmetric_difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let newest: i64 = file.query_row("SELECT max(version) FROM schema_version", [], |row| row.get(0)).expect("a version");
    assert_eq!(migrate::MIGRATIONS.last().map(|(version, _)| *version), Some(newest));
}

#[test]
fn edges_that_start_at_once_make_the_tables_once_and_a_newer_schema_is_left_alone() {
    let Some(place) = Place::fresh() else { return };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| open(&place, 2));
        }
    });
    place.ask("INSERT INTO schema_version (version) VALUES (1000)");
    let told = Store::open_postgres(&place.address, NonZeroUsize::MIN).expect_err("it is of a later program");
    assert!(matches!(told, StoreError::NewerSchema { found: 1000, .. }), "{told}");
}

#[test]
fn an_edge_goes_on_when_another_one_changes_the_tables() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 1);
    run(async {
        let taken = begin(&store, 1, 5, &[]).await.expect("a payment");
        let look = || store.checkout(&taken.checkout.id);
        assert!(look().await.expect("a look").is_some());
        place.ask("ALTER TABLE checkouts ADD COLUMN of_a_later_release BIGINT");
        assert!(until_answered(look).await.expect("a look").is_some());
    });
}

#[test]
fn a_look_leaves_no_transaction_open() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 2);
    run(async { store.stock_snapshot().await.expect("a look") });
    let name = place.ask("SELECT current_schema()").remove(0).remove(0);
    let open = format!("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND query LIKE '%{name}%'");
    assert_eq!(place.ask(&open), [["0"]]);
    let idle = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE relation = 'stock'::regclass";
    assert_eq!(place.ask(idle), [["0"]]);
}

#[test]
fn a_thousand_buyers_get_a_hundred_units() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    let started = Instant::now();
    let (sold_out, held) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    run(async {
        let line = Arc::new(tokio::sync::Semaphore::new(64));
        let buyers = (0..1000_u16).map(|number| {
            let (store, line, sold_out, held) = (store.clone(), line.clone(), sold_out.clone(), held.clone());
            tokio::spawn(async move {
                let _turn = line.acquire().await.expect("it is open");
                match begin(&store, number, 100, &[]).await {
                    Ok(taken) => {
                        held.fetch_add(1, Ordering::Relaxed);
                        finish(&store, number, &taken).await;
                    }
                    Err(Refusal::SoldOut { .. }) => {
                        sold_out.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(other) => panic!("{other}"),
                }
            })
        });
        for buyer in buyers.collect::<Vec<_>>() {
            buyer.await.expect("a buyer");
        }
        let level = store.stock_snapshot().await.expect("a look").levels.remove(0);
        assert_eq!(level.on_hand + level.sold, 100, "{level:?}");
        assert!(level.on_hand - level.reserved >= 0, "{level:?}");
        assert_eq!(broken(&store).await, [""; 0]);
        let left = level.on_hand - level.reserved;
        let (held, sold_out) = (held.load(Ordering::Relaxed), sold_out.load(Ordering::Relaxed));
        assert_eq!(held + sold_out, 1000);
        println!(
            "flash sale on PostgreSQL: {held} held, {} sold, {} still held, {left} given back last, in {:?}",
            level.sold,
            level.reserved,
            started.elapsed()
        );
    });
}

/// Sixty-four shoppers, and what all want is one SKU.
#[test]
fn units_of_one_sku_are_held_by_many_at_once() {
    const HOLDS: u16 = 640;
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    run(async {
        let mut beginnings = Vec::new();
        for number in 0..HOLDS {
            let mut fresh = opening(1);
            fresh.id = format!("c{number}").as_str().into();
            fresh.cart_id.0[..2].copy_from_slice(&number.to_be_bytes());
            let mut frozen = quote(1, &format!("q{number}"), 1);
            (frozen.checkout, frozen.cart_id) = (fresh.id.clone(), fresh.cart_id);
            store.open_checkout(fresh, Some(frozen.clone())).await.expect("a checkout");
            beginnings.push(payment(&frozen, 1, 100_000));
        }
        let line = Arc::new(tokio::sync::Semaphore::new(64));
        let started = Instant::now();
        let holds = beginnings.into_iter().map(|begin| {
            let (store, line) = (store.clone(), line.clone());
            tokio::spawn(async move {
                let _turn = line.acquire().await.expect("it is open");
                let started = Instant::now();
                store.begin_payment(begin, "edge", LATER).await.expect("it is held");
                started.elapsed()
            })
        });
        let mut waits = Vec::new();
        for hold in holds.collect::<Vec<_>>() {
            waits.push(hold.await.expect("a hold"));
        }
        let seconds = started.elapsed().as_secs_f64();
        waits.sort();
        let (rate, late) = (f64::from(HOLDS) / seconds, waits[waits.len() * 99 / 100]);
        println!("hot stock on PostgreSQL: {rate:.0} holds/s by 64 shoppers, 99 of 100 within {late:?}");
        let level = store.stock_snapshot().await.expect("a look").levels.remove(0);
        assert_eq!(level.reserved, i64::from(HOLDS));
        assert_eq!(broken(&store).await, [""; 0]);
    });
}

#[test]
fn a_first_order_is_one_of_many_at_once() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    let code = CouponCode("auto:hello".into());
    let need = [CouponNeed { code, limit: None, per_customer: None, first_order: true }];
    run(async {
        let tries = (0..20_u16).map(|number| {
            let (store, need) = (store.clone(), need.clone());
            tokio::spawn(async move { begin_as(&store, number, 1000, (&need, &["1:ada".to_owned()])).await.is_ok() })
        });
        let mut count = 0;
        for tried in tries.collect::<Vec<_>>() {
            count += u32::from(tried.await.expect("a try"));
        }
        assert_eq!(count, 1);
    });
    assert_eq!(place.ask("SELECT code FROM coupon_locks"), [[""; 0]; 0], "nothing is kept of a customer to lock it by");
}

#[test]
fn a_code_is_used_no_more_often_than_its_limit_by_many_at_once() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    let code = CouponCode("TEN".into());
    let need = [CouponNeed { code, limit: Some(10), per_customer: None, first_order: false }];
    run(async {
        let tries = (0..40_u16).map(|number| {
            let (store, need) = (store.clone(), need.clone());
            tokio::spawn(async move { begin(&store, number, 1000, &need).await.is_ok() })
        });
        let mut count = 0;
        for tried in tries.collect::<Vec<_>>() {
            count += u32::from(tried.await.expect("a try"));
        }
        assert_eq!(count, 10);
        assert_eq!(store.stock_snapshot().await.expect("a look").coupon_uses, [(CouponCode("TEN".into()), 10)]);
        assert_eq!(broken(&store).await, [""; 0]);
    });
}

#[test]
fn two_checkouts_of_one_cart_are_one_payment() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    run(async {
        for round in 0..20_u8 {
            let mut frozen = Vec::new();
            for tab in 0..4_u8 {
                let mut fresh = opening(round);
                fresh.id = format!("c{round}-{tab}").as_str().into();
                let mut quote = quote(round, &format!("q{round}-{tab}"), 1);
                quote.checkout = fresh.id.clone();
                store.open_checkout(fresh, Some(quote.clone())).await.expect("a checkout");
                frozen.push(quote);
            }
            let tries = frozen.iter().map(|quote| {
                let (store, begin) = (store.clone(), payment(quote, 1, 1000));
                tokio::spawn(async move { store.begin_payment(begin, "edge", LATER).await.map(drop) })
            });
            let mut told = Vec::new();
            for tried in tries.collect::<Vec<_>>() {
                told.push(tried.await.expect("a try"));
            }
            let (done, not): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
            assert_eq!(done.len(), 1, "{not:?}");
            assert!(not.into_iter().all(|told| refused(told) == Refusal::AttemptLive));
        }
        assert_eq!(broken(&store).await, [""; 0]);
    });
}

/// Every order whose payment was begun is paid.
async fn paid(store: &Store, number: u16) -> Taken {
    let taken = begin(store, number, 1000, &[]).await.expect("a payment");
    let (id, attempt) = (taken.checkout.id.clone(), taken.checkout.attempt.as_ref().expect("it was written").id.clone());
    under_lease(store, &id, |lease| {
        let (store, mut settlement) = (store.clone(), settled(&attempt, None, LATER));
        settlement.reference = format!("r{number}");
        async move { store.mark_paid(&lease, settlement).await.map(drop) }
    })
    .await;
    taken
}

#[test]
fn money_goes_back_once_however_many_ask_for_it_at_once() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    run(async {
        for number in 0..10_u16 {
            let order = paid(&store, number).await.checkout.order.expect("an order").id;
            let asks = (0..6).map(|ask| {
                let (store, order) = (store.clone(), order.clone());
                let (id, now) = (format!("refund{number}-{ask}"), LATER);
                let ask =
                    AskRefund { id, order, amount_minor: None, reason: String::new(), note: String::new(), restocks: false, now };
                tokio::spawn(async move { store.ask_refund(ask).await.map(drop) })
            });
            let mut told = Vec::new();
            for ask in asks.collect::<Vec<_>>() {
                told.push(ask.await.expect("a try"));
            }
            let (done, not): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
            assert_eq!(done.len(), 1, "{not:?}");
            assert!(not.into_iter().all(|told| matches!(refused(told), Refusal::MoreThanLeft { .. })));
        }
        assert_eq!(broken(&store).await, [""; 0]);
    });
}

#[test]
fn a_fact_that_is_committed_late_is_not_passed_over() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 4);
    run(async {
        let events = FactKind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
        let subscriber = Subscriber { name: "erp".into(), url: "https://erp.example".into(), events };
        store.name_subscribers(vec![subscriber], NOW).await.expect("it is known");
        paid(&store, 0).await;
        // A step that has written its fact and is not kept yet, while one that came later is.
        let (client, connection) = place.address.config.connect(tokio_postgres::NoTls).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let late = "BEGIN; INSERT INTO facts (key, kind, order_id, document, at)
                    SELECT 'late', kind, order_id, document, at FROM facts LIMIT 1";
        client.batch_execute(late).await.expect("it is written");
        paid(&store, 1).await;
        let numbering = store.clone();
        let numberer = tokio::spawn(async move { numbering.number_facts("erp").await });
        let waits = "SELECT 1 FROM pg_locks WHERE relation = 'facts'::regclass AND NOT granted";
        while !numberer.is_finished() && client.query(waits, &[]).await.expect("a look").is_empty() {}
        client.batch_execute("COMMIT").await.expect("it is kept");
        numberer.await.expect("it numbers").expect("they are numbered");
        store.number_facts("erp").await.expect("the rest");
        drop(client);
        connection.await.expect("it ends").expect("it ends well");
        let left = place.ask("SELECT key FROM facts WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE fact = facts.id)");
        assert_eq!(left, Vec::<Vec<String>>::new());
        assert_eq!(place.ask("SELECT count(*) FROM facts"), [["5"]]);
    });
}

#[test]
fn work_is_claimed_once_by_many_edges() {
    let Some(place) = Place::fresh() else { return };
    let edges = [open(&place, 4), open(&place, 4)];
    run(async {
        for number in 0..40_u16 {
            let taken = begin(&edges[0], number, 1000, &[]).await.expect("a payment");
            let attempt = taken.checkout.attempt.expect("it was written").id;
            edges[0].promise_cancel(&attempt, NOW).await.expect("a promise");
        }
        let claims = (0..16).map(|number| {
            let store = edges[number % 2].clone();
            tokio::spawn(async move {
                store.claim_outbox("edge", crate::store::Share::Payments, 5, NOW, LATER).await.expect("a claim")
            })
        });
        let mut counts = BTreeMap::new();
        for claim in claims.collect::<Vec<_>>() {
            for row in claim.await.expect("a claim") {
                *counts.entry(row.id).or_insert(0) += 1;
            }
        }
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        assert_eq!(counts.len(), 40);
    });
}

#[test]
fn connections_that_break_in_the_middle_of_payments_break_no_promise() {
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let schema = place.ask("SELECT current_schema()").remove(0).remove(0);
    std::thread::scope(|scope| {
        let (place, schema) = (&place, &schema);
        let storm = scope.spawn(move || {
            let mut ended = 0;
            // One for each shopper who got on, so that all get on.
            while told.recv().is_ok() {
                // Whoever has a table of this schema locked is in the middle of a step.
                let rows = place.ask(&format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
                     WHERE relnamespace = '{schema}'::regnamespace AND pid <> pg_backend_pid() LIMIT 1"
                ));
                ended += rows.len();
            }
            ended
        });
        run(async {
            let buyers = (0..120_u16).map(|number| {
                let (store, tell) = (store.clone(), tell.clone());
                tokio::spawn(async move {
                    if let Ok(taken) = begin(&store, number, 80, &[]).await {
                        let _ = tell.send(());
                        finish(&store, number, &taken).await;
                    }
                    let _ = tell.send(());
                })
            });
            for buyer in buyers.collect::<Vec<_>>() {
                buyer.await.expect("a buyer");
            }
        });
        drop(tell);
        let ended = storm.join().expect("a storm");
        assert!(ended > 10, "{ended} connections were ended");
        println!("storm on PostgreSQL: {ended} connections ended in the middle of a step");
    });
    run(async {
        assert_eq!(broken(&store).await, [""; 0]);
        let level = store.stock_snapshot().await.expect("a look").levels.remove(0);
        assert_eq!(level.on_hand + level.sold, 80, "{level:?}");
    });
}

#[test]
fn a_server_that_takes_no_writes_is_told_and_one_that_does_again_is_used() {
    let Some(place) = Place::fresh() else { return };
    let name = format!("{}_closed", place.ask("SELECT current_schema()").remove(0).remove(0));
    place.say(&format!("CREATE DATABASE {name}"));
    let mut address = place.address.clone();
    address.config.dbname(&name).options("");
    let store = Store::open_postgres(&address, NonZeroUsize::new(2).expect("some")).expect("a store");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    run(async {
        store.set_stock(&"A".into(), 5, "", NOW).await.expect("it is open");
        place.say(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
        place.say(&end);
        let told = store.set_stock(&"A".into(), 6, "", NOW).await.expect_err("it takes no writes");
        assert!(told.is_retryable() && told.to_string().contains("takes no writes"), "{told}");
        assert!(store.is_well().await.is_err());
        assert_eq!(store.stock_snapshot().await.expect("it is read").levels[0].on_hand, 5);
        place.say(&format!("ALTER DATABASE {name} SET default_transaction_read_only = off"));
        place.say(&end);
        store.set_stock(&"A".into(), 7, "", NOW).await.expect("it is open again");
        store.is_well().await.expect("it is open again");
    });
    drop(store);
    place.say(&format!("DROP DATABASE {name}"));
}

/// `VITRINE_POSTGRES_RESTART` is the command that restarts the server as a crash does; nothing else may use it meanwhile.
#[test]
fn a_server_that_restarts_in_the_middle_of_payments_breaks_no_promise() {
    let Ok(command) = std::env::var("VITRINE_POSTGRES_RESTART") else { return };
    let Some(place) = Place::fresh() else { return };
    let store = open(&place, 8);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        let buying = scope.spawn(|| {
            run(async {
                let buyers = (0..300_u16).map(|number| {
                    let store = store.clone();
                    tokio::spawn(async move {
                        if let Ok(taken) = begin(&store, number, 200, &[]).await {
                            finish(&store, number, &taken).await;
                        }
                    })
                });
                for buyer in buyers.collect::<Vec<_>>() {
                    buyer.await.expect("a buyer");
                }
            });
        });
        for _ in 0..3 {
            let started = Instant::now();
            let done = std::process::Command::new("sh").args(["-c", &command]).output().expect("it is run");
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            run(async { until_answered(|| store.stock_snapshot()).await.expect("it answers again") });
            slowest = slowest.max(started.elapsed());
        }
        buying.join().expect("they bought");
    });
    run(async {
        assert_eq!(broken(&store).await, [""; 0]);
        let level = store.stock_snapshot().await.expect("a look").levels.remove(0);
        assert_eq!(level.on_hand + level.sold, 200, "{level:?}");
    });
    println!("restarts of PostgreSQL: answered again after {slowest:?} at most, the restart itself included");
}
