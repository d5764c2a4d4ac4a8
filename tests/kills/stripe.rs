//! Stripe: the shop is ended while a gateway with webhooks speaks to it, and while it speaks to that gateway.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::faulty::faults::Fault;
use super::faulty::{SECRET_KEY, WEBHOOK_SECRET};
use super::gateway::{Cut, Wire};
use super::luck::Luck;
use super::oracle;
use super::shop::{Card, End, Launch, Running, Shop, until};

/// Points that are passed only, or otherwise, where the gateway is behind a wire and speaks by itself.
pub const POINTS: &[&str] = &["K6", "K10", "K11", "K14", "K16", "K17", "K18", "K19", "K21", "K23", "K32"];
/// The same where the shop itself confirms what was typed into the gateway's form on its page.
pub const FORM_POINTS: &[&str] = &["K6", "K10", "K11", "K13", "K14", "K16", "K23"];
/// Where development keys are kept.
const KEYS: &str = "development.keys";
/// Longest wait for what is under way: longer than a call that was given up may be on its way, and the sweep after that.
const SETTLING: Duration = Duration::from_secs(200);
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
    let started = Instant::now();
    loop {
        shop.stripe().pay_open_pages();
        if oracle::is_settled(shop) {
            break;
        }
        assert!(started.elapsed() < SETTLING, "{about}: {}", oracle::left(shop));
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert!(running.terminate(), "{about}: it stops when asked");
    oracle::judge_end(shop, bought).unwrap_or_else(|breach| panic!("{about}: {breach}"))
}

fn killed_at(shop: fn() -> Shop, point: &str) -> usize {
    let shop = shop();
    let bought = Mutex::default();
    // Somebody whose card is refused, and who comes back with another one, whatever happens to the shop meanwhile.
    let mut refused = None;
    if let Some(mut running) = shop.start(Some(point)) {
        let mut shopper = shop.shopper(running.port);
        refused = shopper.fills("LAMP-S").ok().flatten().map(|hash| {
            let _ = shopper.pays(&hash, Card::Declined, false);
            (shopper, hash)
        });
        rush(&shop, running.port, &bought);
        if point == "K32" {
            // The refund is made, and its answer takes for ever: the webhook is sooner.
            shop.stripe().faulty.script("refund", Fault::Drip);
            until("an order is paid", || oracle::paid(&shop) > 0);
            super::refund_all(&shop);
        }
        let started = Instant::now();
        while !running.has_ended() {
            assert!(started.elapsed() < Duration::from_secs(20), "{point} was never passed");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
    oracle::judge(&shop).unwrap_or_else(|breach| panic!("{point}: {breach}"));
    let running = shop.start(None).expect("it starts again");
    if let Some((mut shopper, hash)) = refused {
        shopper.port = running.port;
        until("another card is taken", || matches!(shopper.pays(&hash, Card::Good, false), Ok(End::Bought)));
        bought.lock().expect("unharmed").insert(shopper.checkout.clone());
        assert_eq!(shopper.bad, [""; 0]);
    }
    rush(&shop, running.port, &bought);
    settled(&shop, running, &bought.into_inner().expect("unharmed"), point)
}

#[test]
fn a_process_that_ends_while_stripe_speaks_loses_nothing() {
    loses_nothing(Shop::paid_by_stripe, POINTS, "beside a gateway with webhooks");
}

/// K13 among them: the shop ends before the shopper comes back from the second step.
#[test]
fn a_process_that_ends_while_it_confirms_loses_nothing() {
    loses_nothing(Shop::with_element, FORM_POINTS, "with the gateway's form on the shop's page");
}

/// A quarter of the random kills: the gateway is behind a wire, outlives the shop, and speaks by webhooks meanwhile.
#[test]
fn random_kills_beside_a_gateway_lose_nothing() {
    let kills = super::kills().div_ceil(4).next_multiple_of(LANES as u64);
    let (orders, started) = (AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for lane in 0..LANES as u64 {
            let orders = &orders;
            scope.spawn(move || {
                let mut luck = Luck::of(100 + lane);
                let mut left = kills / LANES as u64;
                while left > 0 {
                    let some = left.min(50);
                    let shop = if lane % 2 == 0 { Shop::paid_by_stripe() } else { Shop::with_element() };
                    let bought = super::killed_at_random(&shop, some, &mut luck);
                    let running = shop.start(None).expect("it starts");
                    orders.fetch_add(settled(&shop, running, &bought, "random kills") as u64, Ordering::Relaxed);
                    left -= some;
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    println!("killed: {kills} times at random beside a gateway, {} orders paid, in {seconds:.1} s", orders.into_inner());
}

fn loses_nothing(shop: fn() -> Shop, points: &[&str], how: &str) {
    let (next, orders, started) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    orders.fetch_add(killed_at(shop, point) as u64, Ordering::Relaxed);
                }
            });
        }
    });
    println!(
        "killed: at {} points {how}, {} orders paid, in {:.1} s",
        points.len(),
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
    wire.cuts(running.id(), Cut::Half);
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

/// K12: the gateway has confirmed, and nobody was told. The same bytes under the same key find that payment again.
#[test]
fn a_confirmation_without_an_answer_is_found_again() {
    let shop = Shop::with_element();
    let wire = Wire::to(&shop.stripe().faulty.base);
    let launch = Launch { api_base: Some(&wire.base), ..Launch::default() };
    let mut running = shop.launch(launch).expect("it starts");
    wire.cuts(running.id(), Cut::Answer);
    let bought = shop.shopper(running.port).shops("LAMP-S", Card::Good, false);
    until("the process has ended before it was answered", || running.has_ended());
    assert!(wire.has_cut() && bought == End::Broken);
    assert_eq!(shop.stripe().faulty.objects("payment_intent").len(), 1);
    oracle::judge(&shop).expect("nothing is broken");
    let running = shop.launch(launch).expect("it starts again");
    assert_eq!(settled(&shop, running, &BTreeSet::new(), "no answer"), 1);
    assert_eq!(shop.stripe().faulty.captured(), [2480]);
    assert_eq!(shop.stripe().faulty.objects("payment_intent").len(), 1);
    println!("killed: between a confirmation and its answer");
}

/// I23: neither the log, with everything told, nor any file of the shop holds a secret or a card's number.
#[test]
fn nothing_that_the_shop_leaves_behind_holds_a_secret() {
    for shop in [Shop::paid_by_stripe(), Shop::with_element()] {
        holds_no_secret(&shop);
    }
}

fn holds_no_secret(shop: &Shop) {
    let running = shop.launch(Launch { log: Some("trace"), ..Launch::default() }).expect("it starts");
    assert_eq!(shop.shopper(running.port).shops("LAMP-S", Card::Good, false), End::Bought);
    assert_eq!(shop.shopper(running.port).shops("LAMP-S", Card::Away, false), End::Not);
    assert_eq!(settled(shop, running, &BTreeSet::new(), "secrets"), 2);
    // What a secret would look like: as it is set, as a header carries it, and the keys that sign carts and links.
    let keys = std::fs::read_to_string(shop.file(KEYS)).expect("development keys");
    let mut secrets = vec![SECRET_KEY, WEBHOOK_SECRET, "4242424242424242", "_secret_faulty"];
    let is_base64 = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '+' | '/');
    secrets.extend(keys.split(|sign| !is_base64(sign)).filter(|word| word.len() >= 40));
    assert!(secrets.len() >= 5, "the keys that sign bundles and carts");
    let files = [vec![shop.folder().join(super::shop::LOG)], files_of(&shop.file("")), files_of(&shop.file("mail"))].concat();
    let told = std::fs::read_to_string(&files[0]).expect("a log");
    assert!(told.contains("DEBUG") && files.len() >= 4, "it told everything, in {files:?}");
    for file in files.iter().filter(|file| !file.ends_with(KEYS)) {
        let bytes = std::fs::read(file).expect("it is readable");
        for secret in &secrets {
            let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_there, "{} holds {secret}", file.display());
        }
    }
}

/// What an edge tells of a purchase, as it does by itself: who bought and where it goes is in no line of it.
#[test]
fn the_usual_log_of_a_purchase_names_nobody() {
    let shop = Shop::paid_by_stripe();
    let running = shop.launch(Launch { log: Some("info"), logs_json: true, ..Launch::default() }).expect("it starts");
    assert_eq!(shop.shopper(running.port).shops("LAMP-S", Card::Good, false), End::Bought);
    assert_eq!(settled(&shop, running, &BTreeSet::new(), "log"), 1);
    let told = std::fs::read_to_string(shop.folder().join(super::shop::LOG)).expect("a log");
    let lines: Vec<serde_json::Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is_purchase =
        |line: &serde_json::Value| line["level"] == "INFO" && line["route"] == "/api/v1/checkouts/{checkout}/payment";
    assert!(lines.iter().any(is_purchase), "requests are told to programs, by their route:\n{told}");
    for word in ["ada@", "example.com", "Ada", "Lindenweg", "10115", "Berlin"] {
        assert!(!told.contains(word), "the log holds {word}:\n{told}");
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_file()).collect()
}
