//! Kills: the real binary is ended at every named point and at random moments, started again, and held against the gateway's ledger,
//! the mails, the merchant's own system that is told of orders, and the database file. CHECKOUT.md 5.10.3 and 5.10.5.
//!
//! `VITRINE_KILLS=n` says how many random kills there are.

#![expect(unreachable_pub, reason = "`pub` tells what a module offers from what it keeps")]

mod durable;
mod full;
mod gateway;
mod oracle;
mod points;
mod restore;
mod shop;
mod stripe;
mod torn;

#[path = "../it/support/edge.rs"]
#[expect(dead_code, reason = "the shop is that of the integration tests, which use more of it")]
mod edge;
#[path = "../faulty/mod.rs"]
#[expect(dead_code, reason = "the gateway is that of the integration tests, which use more of it")]
mod faulty;
#[path = "../sim/luck.rs"]
mod luck;
#[path = "../sim/names.rs"]
mod names;
#[path = "../sim/never.rs"]
mod never;
#[path = "../it/support/receiver.rs"]
#[expect(dead_code, reason = "the receiver is that of the integration tests, which let it fail in more ways")]
mod receiver;
#[path = "../it/support/request.rs"]
mod request;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use luck::Luck;
use shop::{Card, End, Running, Shop, Shopper, until};
use vitrine::commerce::ids::Timestamp;
use vitrine::store::refunds::AskRefund;
use vitrine::store::{OrderFilter, Refusal, Store, StoreError};

/// Points that a shopper's way over loopback passes, with the sandbox. The others are in `points`.
const POINTS: &[&str] = &[
    "K1", "K2", "K3", "K4", "K5", "K6", "K8", "K9", "K10", "K11", "K12", "K13", "K14", "K15", "K16", "K20", "K21", "K22", "K23",
    "K24", "K25", "K26", "K27", "K28", "K29", "K30", "K31", "K33", "K34", "K36", "K37", "K38", "K39", "K40",
];
/// Shops that are killed side by side: they mostly wait for the disk, or for a hold to be over.
const LANES: usize = 5;
/// Random kills of a usual run.
const KILLS: u64 = 20;

fn kills() -> u64 {
    std::env::var("VITRINE_KILLS").map_or(KILLS, |text| text.parse().expect("a number"))
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed()
}

/// Every sort of shopper once, four of them at the same time, so that the store commits for several at once.
fn rush(port: u16, bought: &Mutex<BTreeSet<String>>, bad: &Mutex<Vec<String>>) {
    std::thread::scope(|scope| {
        for (card, calls_off) in [(Card::Good, false), (Card::Good, false), (Card::Declined, false), (Card::Good, true)] {
            scope.spawn(move || {
                let mut shopper = Shopper::at(port);
                if shopper.shops("LAMP-S", card, calls_off) == End::Bought {
                    bought.lock().expect("unharmed").insert(shopper.checkout.clone());
                }
                bad.lock().expect("unharmed").append(&mut shopper.bad);
            });
        }
    });
}

/// Gives a part of every paid order back, by the store alone, as the command line does beside a running edge.
fn refund_all(shop: &Shop) {
    let store = Store::open_sqlite(&shop.file("shop.db")).expect("the shop's file");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a thread");
    runtime.block_on(async {
        for order in store.orders(OrderFilter::default()).await.expect("orders") {
            let (id, now) = (vitrine::edge::perform::new_id(), Timestamp(now()));
            let (order, reason, note) = (order.id, String::new(), String::new());
            let ask = AskRefund { id, order, amount_minor: Some(480), reason, note, restocks: false, now };
            match store.ask_refund(ask).await {
                Ok(_) | Err(StoreError::Refused(Refusal::NothingTaken)) => {}
                Err(error) => panic!("a refund is promised: {error}"),
            }
        }
    });
}

/// Runs until a named point ends the process; gives whether it did.
fn dies_at(shop: &Shop, point: &str, bought: &Mutex<BTreeSet<String>>, bad: &Mutex<Vec<String>>) -> bool {
    // Some points are passed only at a start that finds something to do.
    for _ in 0..3 {
        let Some(mut running) = shop.start(Some(point)) else { return true };
        rush(running.port, bought, bad);
        refund_all(shop);
        if point == "K40" {
            return !running.terminate();
        }
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(1500) {
            if running.has_ended() {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        running.kill();
        until("every hold is over", || oracle::is_all_over(shop, now()));
    }
    false
}

/// Gives a shop its time, and judges it; gives how many orders were paid.
fn settled(shop: &Shop, bought: &BTreeSet<String>, about: &str) -> usize {
    until("every hold is over", || oracle::is_all_over(shop, now()));
    // What is left is finished by a start, one step after the other.
    let running = shop.start(None).expect("it starts");
    let started = Instant::now();
    while !oracle::is_settled(shop) && started.elapsed() < Duration::from_secs(20) {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert!(running.terminate(), "{about}: it stops when asked");
    oracle::judge_end(shop, bought).unwrap_or_else(|breach| panic!("{about}: {breach}"))
}

/// Does the work for each, some side by side.
fn in_lanes<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    work(one);
                }
            });
        }
    });
}

/// Judges a shop whose process has ended, lets shoppers go on after it, and judges it in the end.
fn goes_on(shop: &Shop, bought: Mutex<BTreeSet<String>>, bad: Mutex<Vec<String>>, about: &str) {
    if let Err(breach) = oracle::judge(shop) {
        panic!("{about}: {breach}");
    }
    if let Some(running) = shop.start(None) {
        rush(running.port, &bought, &bad);
    }
    settled(shop, &bought.into_inner().expect("unharmed"), about);
    assert_eq!(bad.into_inner().expect("unharmed"), [""; 0], "{about}");
}

#[test]
fn a_process_that_ends_at_a_named_point_loses_nothing() {
    let started = Instant::now();
    in_lanes(POINTS, |point| {
        let shop = Shop::new();
        let (bought, bad) = (Mutex::default(), Mutex::default());
        assert!(dies_at(&shop, point, &bought, &bad), "{point} was never passed");
        goes_on(&shop, bought, bad, point);
    });
    println!("killed: at {} points in {:.1} s", POINTS.len(), started.elapsed().as_secs_f64());
}

#[test]
fn a_payment_that_was_never_sent_ends_with_its_time() {
    let shop = Shop::new();
    let (bought, bad) = (Mutex::default(), Mutex::default());
    assert!(dies_at(&shop, "K6", &bought, &bad));
    assert!(oracle::left(&shop).contains("attempt intent_pending"), "{}", oracle::left(&shop));
    // Nobody comes back before all of it is over.
    settled(&shop, &bought.into_inner().expect("unharmed"), "never sent");
    assert_eq!(oracle::paid(&shop), 0);
}

#[test]
fn random_kills_lose_nothing() {
    let kills = kills();
    let (orders, started) = (AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for lane in 0..LANES as u64 {
            let orders = &orders;
            scope.spawn(move || {
                let mut luck = Luck::of(lane);
                let mut left = kills.div_ceil(LANES as u64);
                // A fresh shop now and then: the oracle reads all of it after each kill.
                while left > 0 {
                    let some = left.min(50);
                    let shop = Shop::new();
                    let bought = killed_at_random(&shop, some, &mut luck);
                    orders.fetch_add(settled(&shop, &bought, "random kills") as u64, Ordering::Relaxed);
                    left -= some;
                }
            });
        }
    });
    println!("killed: {kills} times at random, {} orders paid, in {:.1} s", orders.into_inner(), started.elapsed().as_secs_f64());
}

/// Ends the shop again and again while shoppers come, as soon as it has begun or a moment later; gives the checkouts whose shoppers were told
/// that they have bought.
fn killed_at_random(shop: &Shop, kills: u64, luck: &mut Luck) -> BTreeSet<String> {
    let (bought, bad) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
    let (port, is_over) = (AtomicU16::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for name in 0..3 {
            let (bought, bad, port, is_over) = (&bought, &bad, &port, &is_over);
            scope.spawn(move || {
                let mut luck = Luck::of(name);
                while !is_over.load(Ordering::Relaxed) {
                    let mut shopper = shop.shopper(port.load(Ordering::Relaxed));
                    // Behind a gateway's page, units are held for longer than a test goes on, where nobody pays in the end.
                    let cards = [Card::Good, Card::Good, Card::Good, Card::Away, Card::Declined, Card::Leave];
                    let card = luck.one_of(&cards[..if shop.gateway.is_some() { 4 } else { 6 }]);
                    match shopper.shops("LAMP-S", card, luck.in_thousand(150)) {
                        End::Bought => drop(bought.lock().expect("unharmed").insert(shopper.checkout.clone())),
                        End::Broken => std::thread::park_timeout(Duration::from_millis(5)),
                        End::Not | End::SoldOut => {}
                    }
                    bad.lock().expect("unharmed").append(&mut shopper.bad);
                }
            });
        }
        for number in 0..kills {
            let running: Running = shop.start(None).expect("it starts");
            port.store(running.port, Ordering::Relaxed);
            std::thread::park_timeout(Duration::from_millis(luck.below(200)));
            running.kill();
            if let Err(breach) = oracle::judge(shop) {
                is_over.store(true, Ordering::Relaxed);
                panic!("after kill {number}: {breach}");
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(bad.into_inner().expect("unharmed"), [""; 0]);
    bought.into_inner().expect("unharmed")
}

/// CHECKOUT.md 5.10.5: 1,000 buyers, 100 units, a fifth walks away, a twentieth is declined, one kill in the middle.
#[test]
fn a_flash_sale_sells_all_there_is_and_not_one_more() {
    const BUYERS: u64 = 1_000;
    let shop = Shop::new();
    let port = AtomicU16::new(0);
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let (bought, bad) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
    let started = Instant::now();
    let running = shop.start(None).expect("it starts");
    port.store(running.port, Ordering::Relaxed);
    let running = std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let buyer = next.fetch_add(1, Ordering::Relaxed);
                    if buyer >= BUYERS {
                        return;
                    }
                    let card = match buyer % 20 {
                        0..4 => Card::Away,
                        4 => Card::Declined,
                        _ => Card::Good,
                    };
                    // Whoever is cut off tries again; whoever finds nothing left goes home.
                    loop {
                        let mut shopper = Shopper::at(port.load(Ordering::Relaxed));
                        let end = shopper.shops("LAMP-S", card, false);
                        bad.lock().expect("unharmed").append(&mut shopper.bad);
                        match end {
                            End::Broken => std::thread::park_timeout(Duration::from_millis(5)),
                            End::Bought => {
                                bought.lock().expect("unharmed").insert(shopper.checkout.clone());
                                break;
                            }
                            End::Not | End::SoldOut => break,
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until("some have bought", || bought.lock().expect("unharmed").len() >= 30);
        running.kill();
        let running = shop.start(None).expect("it starts again");
        port.store(running.port, Ordering::Relaxed);
        until("all buyers have been here", || done.load(Ordering::Relaxed) == BUYERS);
        running
    });
    drop(running);
    let first = settled(&shop, &bought.lock().expect("unharmed").clone(), "flash sale");
    // What was held by those who walked away is free again, and is sold to those who come back for it.
    let mut sold = first;
    for _ in 0..5 {
        let running = shop.start(None).expect("it starts");
        while Shopper::at(running.port).shops("LAMP-S", Card::Good, false) != End::SoldOut {}
        assert!(running.terminate());
        sold = settled(&shop, &BTreeSet::new(), "flash sale");
        if sold == 100 {
            break;
        }
    }
    assert_eq!((sold, oracle::stock(&shop, "LAMP-S")), (100, (0, 100)));
    assert_eq!(bad.into_inner().expect("unharmed"), [""; 0]);
    println!(
        "flash sale: {BUYERS} buyers, {first} sold in the rush, 100 in the end, in {:.1} s",
        started.elapsed().as_secs_f64()
    );
}
