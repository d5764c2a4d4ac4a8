//! The faulty gateway as a program of its own, for tests that kill the shop and then ask what was charged.
//!
//! `faulty LEDGER PORT [WEBHOOK_URL]`: prints its address once it listens, and sends webhooks again and again until they are taken.

#[path = "mod.rs"]
#[expect(unreachable_pub, dead_code, reason = "a test uses more of it than this program does")]
mod faulty;

use std::sync::Arc;
use std::time::Duration;

/// Between two rounds of webhooks.
const DELIVER_EVERY: Duration = Duration::from_millis(200);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (ledger, port) = match arguments.as_slice() {
        [ledger, port, ..] => (ledger, port.parse().expect("a port")),
        _ => panic!("usage: faulty LEDGER PORT [WEBHOOK_URL]"),
    };
    let clock = Arc::new(|| jiff::Timestamp::now().as_second());
    let gateway = faulty::Faulty::start(ledger.as_ref(), port, clock);
    if let Some(url) = arguments.get(2) {
        gateway.hook_to(url);
    }
    println!("{}", gateway.base);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    runtime.block_on(async {
        let mut rounds = tokio::time::interval(DELIVER_EVERY);
        loop {
            rounds.tick().await;
            gateway.deliver().await;
        }
    });
}
