//! Torn: the process is killed in the middle of what it writes: before a page of the log or its flush, and within a checkpoint, before a
//! page of the file or its flush. What lies on the disk then is half of it.
//!
//! Source  CHECKOUT.md 5.8, K37 and K39.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::durable::may_trace;
use super::shop::{Card, End, Launch, Shop, Write};
use super::{goes_on, in_lanes, rush};

const LOG: &str = "shop.db-wal";
const FILE: &str = "shop.db";
/// Whichever SQLite was built with.
const FLUSH: &str = "fsync,fdatasync";

/// Where each process ends.
const WRITES: &[Write<'static>] = &[
    Write { file: LOG, call: "pwrite64", number: 1 },
    Write { file: LOG, call: "pwrite64", number: 12 },
    Write { file: LOG, call: "pwrite64", number: 13 },
    Write { file: LOG, call: FLUSH, number: 1 },
    Write { file: LOG, call: FLUSH, number: 9 },
    Write { file: FILE, call: "pwrite64", number: 1 },
    Write { file: FILE, call: "pwrite64", number: 2 },
    Write { file: FILE, call: "pwrite64", number: 4 },
    Write { file: FILE, call: FLUSH, number: 1 },
];
/// So many times shoppers come before a process counts as one that is not ended by it.
const RUSHES: usize = 8;

#[test]
fn a_process_that_ends_in_the_middle_of_a_write_loses_nothing() {
    if !may_trace("a_process_that_ends_in_the_middle_of_a_write_loses_nothing") {
        return;
    }
    let started = Instant::now();
    in_lanes(WRITES, |write| {
        let shop = Shop::new();
        let about = format!("{} {} of {}", write.call, write.number, write.file);
        // The file has to be there for strace to know it by its name.
        let running = shop.start(None).expect("it starts");
        assert_eq!(shop.shopper(running.port).shops("LAMP-S", Card::Leave, false), End::Not);
        running.kill();
        let (bought, bad) = (Mutex::default(), Mutex::default());
        if let Some(mut running) = shop.launch(Launch { ends_in: Some(*write), ..Launch::default() }) {
            let ended = (0..RUSHES).any(|_| {
                rush(running.port, &bought, &bad);
                // A checkpoint is made each second, and whole once nobody writes.
                let rushed = Instant::now();
                while !running.has_ended() && rushed.elapsed() < Duration::from_millis(1500) {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                running.has_ended()
            });
            assert!(ended, "{about} was never called");
        }
        goes_on(&shop, bought, bad, &about);
    });
    println!("killed: in {} writes in {:.1} s", WRITES.len(), started.elapsed().as_secs_f64());
}
