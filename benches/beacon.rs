//! Beacon: how fast pages are heard, in what memory, and how fast ten million of them become a report.
//!
//! Run     cargo bench --bench beacon
//! Prints  beacons per second and thread through the route function, the memory of what they are counted in, bytes and time of writing it
//!         down; rows, time and memory of a report over EVENTS views and a tenth as many carts in DAYS days of two edges.

use std::time::Instant;

use vitrine::edge::app::Settings;
use vitrine::edge::counted;
use vitrine::edge::http::Call;
use vitrine::edge::routes::beacon::hear;
use vitrine::store::aggregates::{Aggregate, Aggregates};
use vitrine::telemetry::report::gathered::Gathered;
use vitrine::telemetry::report::print::Spelling;
use vitrine::telemetry::report::{Period, Report};
use vitrine::telemetry::slo::Objectives;
use vitrine::telemetry::tally::{Alike, Row, Step, Tally};
use vitrine::telemetry::vitals::{BUCKETS, Beacon, Connection, Device, Page};

#[path = "../tests/it/support/edge.rs"]
#[allow(dead_code, unreachable_pub, reason = "the shop of the tests, of which a benchmark needs a part")]
mod edge;

// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HEARD: u32 = 1_000_000;
const EVENTS: u32 = 10_000_000;
const DAYS: i64 = 30;
const MIB: f64 = 1024.0 * 1024.0;

/// Numbers without a pattern, the same in each run (SplitMix64).
struct Lots(u64);

impl Lots {
    fn next(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(most)).expect("below")
    }

    /// Most are small, some are large: the product of two.
    fn ms(&mut self) -> u32 {
        100 + self.next(80) * self.next(80)
    }

    fn beacon(&mut self) -> Beacon<'static> {
        let page = Page::ALL[self.next(8) as usize];
        let (device, connection) = (Device::ALL[self.next(3) as usize], Connection::ALL[self.next(4) as usize]);
        let first_product = (page == Page::Category).then(|| self.ms());
        let (lcp, inp, cls, ttfb) = (Some(self.ms()), Some(self.next(400)), Some(self.next(200)), Some(self.next(600)));
        Beacon { page, device, connection, market: "eu", lcp, inp, cls, ttfb, first_product }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a thread");
    let folder = tempfile::tempdir().expect("a folder");
    runtime.block_on(async {
        hears(folder.path()).await;
        reports(folder.path()).await;
    });
}

async fn hears(folder: &std::path::Path) {
    let app = edge::app(Settings::default());
    let mut lots = Lots(1);
    let bodies: Vec<bytes::Bytes> = (0..10_000).map(|_| body(&lots.beacon()).into()).collect();
    let before = resident();
    let began = Instant::now();
    for number in 0..HEARD {
        let call = Call {
            method: http::Method::POST,
            uri: http::Uri::from_static("/api/v1/beacon"),
            headers: http::HeaderMap::new(),
            body: bodies[number as usize % bodies.len()].clone(),
            params: Vec::new(),
            request_id: String::new(),
            client: None,
        };
        hear(app.clone(), call).await.expect("204");
    }
    let seconds = began.elapsed().as_secs_f64();
    let (views, _) = app.tally.held();
    println!(
        "heard: {:.0} a second and thread ({:.2} µs each), in {views} cells and {:.1} MiB",
        f64::from(HEARD) / seconds,
        seconds * 1e6 / f64::from(HEARD),
        (resident() - before) / MIB
    );
    let file = folder.join("heard.metrics.db");
    let aggregates = Aggregates::open_file(&file).expect("a file");
    let began = Instant::now();
    let rows = counted::write_down(&app, &aggregates, "one").await.expect("written");
    println!("written down: {rows} rows in {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
}

fn body(beacon: &Beacon<'_>) -> String {
    let first = beacon.first_product.map_or(String::new(), |ms| format!(",\"first_product\":{ms}"));
    format!(
        "{{\"page\":\"{}\",\"device\":\"{}\",\"connection\":\"{}\",\"market\":\"eu\",\"lcp\":{},\"inp\":{},\"cls\":{},\"ttfb\":{}{first}}}",
        beacon.page.word(),
        beacon.device.word(),
        beacon.connection.word(),
        beacon.lcp.unwrap_or(0),
        beacon.inp.unwrap_or(0),
        beacon.cls.unwrap_or(0),
        beacon.ttfb.unwrap_or(0)
    )
}

async fn reports(folder: &std::path::Path) {
    let file = folder.join("report.metrics.db");
    let aggregates = Aggregates::open_file(&file).expect("a file");
    let mut lots = Lots(2);
    let hours = DAYS * 24;
    for writer in ["one", "two"] {
        for hour in 0..hours {
            let tally = Tally::default();
            let now_s = hour * 3_600;
            for number in 0..i64::from(EVENTS) / hours / 2 {
                tally.see(&lots.beacon(), now_s);
                if number % 10 == 0 {
                    let bucket = 1 + u8::try_from(lots.next(u32::from(BUCKETS))).expect("below");
                    let alike = Alike { market: "eu", currency: "EUR", bucket };
                    tally.step(alike, Step::Cart, now_s);
                    if lots.next(10) == 0 {
                        tally.step(alike, Step::Order { total_minor: 1_990 }, now_s);
                    }
                }
            }
            loop {
                let rows = tally.due(now_s);
                if rows.is_empty() {
                    break;
                }
                aggregates.put(writer, rows.into_iter().map(aggregate).collect()).await.expect("written");
            }
        }
    }
    let before = resident();
    let began = Instant::now();
    let mut gathered = Gathered::default();
    let each = |row: Aggregate| gathered.add(row.hour, &row.kind, &row.cell, &row.body);
    aggregates.each(0, hours, each).await.expect("read");
    let merged = began.elapsed().as_secs_f64();
    let period = Period { from: 0, until: hours };
    let report = Report::of(&gathered, period, None, &Objectives::default());
    let (money, instant) = (|minor: u64, currency: &str| format!("{minor} {currency}"), |at: i64| at.to_string());
    let page = report.html(Spelling { money: &money, instant: &instant });
    println!(
        "report: {} views and {} carts in {} rows, {:.1} MiB on disk; read and merged in {merged:.2} s, {:.2} s with its page of {} bytes, {:.1} MiB more",
        report.total.views,
        report.total.carts,
        gathered.rows,
        std::fs::metadata(&file).map_or(0.0, |file| file.len() as f64) / MIB,
        began.elapsed().as_secs_f64(),
        page.len(),
        (resident() - before) / MIB
    );
}

fn aggregate(row: Row) -> Aggregate {
    Aggregate { hour: row.hour, kind: row.kind.to_owned(), cell: row.cell, body: row.body }
}

/// Bytes of memory that this process has.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * 4_096.0
}
