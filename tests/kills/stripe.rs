//! Stripe: the shop is ended while a gateway with webhooks speaks to it, and while it speaks to that gateway.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::gateway::Wire;
use super::oracle;
use super::shop::{Card, End, Launch, Running, Shop, until};

/// Points that are passed only, or otherwise, where the gateway is behind a wire and speaks by itself.
pub const POINTS: &[&str] = &["K6", "K10", "K11", "K14", "K16", "K17", "K18", "K19", "K21", "K23"];
/// Shops side by side.
const LANES: usize = 4;

/// Two shoppers who pay and come back, one who pays and is never seen again, one who calls it off.
fn rush(shop: &Shop, port: u16, bought: &Mutex<BTreeSet<String>>) {
    std::thread::scope(|scope| {
        for (card, calls_off) in [(Card::Good, false), (Card::Good, false), (Card::Away, false), (Card::Good, true)] {
            scope.spawn(move || {
                let mut shopper = shop.shopper(port);
                if shopper.shops("LAMP-S", card, calls_off) == End::Bought {
                    bought.lock().expect("unharmed").insert(shopper.checkout.clone());
                }
                assert_eq!(shopper.bad, [""; 0]);
            });
        }
    });
    shop.stripe().pay_open_pages();
}

/// Gives a shop its time, with pages that stay open being paid, and judges it; gives how many orders were paid.
fn settled(shop: &Shop, running: Running, bought: &BTreeSet<String>, about: &str) -> usize {
    until("nothing is left to do", || {
        shop.stripe().pay_open_pages();
        oracle::is_settled(shop)
    });
    assert!(running.terminate(), "{about}: it stops when asked");
    oracle::judge_end(shop, bought).unwrap_or_else(|breach| panic!("{about}: {breach}"))
}

fn killed_at(point: &str) -> usize {
    let shop = Shop::paid_by_stripe();
    let bought = Mutex::default();
    if let Some(mut running) = shop.start(Some(point)) {
        rush(&shop, running.port, &bought);
        let started = Instant::now();
        while !running.has_ended() {
            assert!(started.elapsed() < Duration::from_secs(20), "{point} was never passed");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    oracle::judge(&shop).unwrap_or_else(|breach| panic!("{point}: {breach}"));
    let running = shop.start(None).expect("it starts again");
    rush(&shop, running.port, &bought);
    settled(&shop, running, &bought.into_inner().expect("unharmed"), point)
}

#[test]
fn a_process_that_ends_while_stripe_speaks_loses_nothing() {
    let (next, orders, started) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(point) = POINTS.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    orders.fetch_add(killed_at(point) as u64, Ordering::Relaxed);
                }
            });
        }
    });
    println!(
        "killed: at {} points beside a gateway with webhooks, {} orders paid, in {:.1} s",
        POINTS.len(),
        orders.into_inner(),
        started.elapsed().as_secs_f64()
    );
}

/// K7: what the gateway has of the call is no call, and the same bytes go out again under the same key after the start.
#[test]
fn half_a_call_opens_nothing() {
    let shop = Shop::paid_by_stripe();
    let wire = Wire::to(&shop.stripe().faulty.base);
    let launch = Launch { api_base: Some(&wire.base), ..Launch::default() };
    let mut running = shop.launch(launch).expect("it starts");
    wire.cuts(running.id());
    let bought = shop.shopper(running.port).shops("LAMP-S", Card::Good, false);
    until("the process has ended in the middle of its call", || running.has_ended());
    assert!(wire.has_cut() && bought == End::Broken);
    assert_eq!(shop.stripe().faulty.objects("checkout.session").len(), 0);
    oracle::judge(&shop).expect("nothing is broken");
    let running = shop.launch(launch).expect("it starts again");
    assert_eq!(settled(&shop, running, &BTreeSet::new(), "half a call"), 1);
    assert_eq!(shop.stripe().faulty.captured(), [2480]);
    println!("killed: in the middle of a call to the gateway");
}
