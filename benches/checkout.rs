//! Checkout: whole purchases at the real binary, beside a bare writer that commits the same rows in as many transactions.
//!
//! Run     cargo bench --bench checkout
//! Prints  at 1, 16 and 64 shoppers: purchases per second, the bare writer's beside them, times of one request, the server's CPU time for a
//!         purchase; then a sale of 100 units to 1,000 buyers, and how long a start takes that finds 10,000 open payments.
//!         The sandbox keeps its ledger in memory where the machine has a file system there, and its own pages are not timed: what is
//!         measured is the shop and its database, with every commit flushed (`synchronous=FULL`). Shoppers run on the same cores.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};
use vitrine::commerce::catalog::Catalog;

#[path = "../tests/it/support/edge.rs"]
#[allow(dead_code, unreachable_pub, reason = "the shop of the tests, of which a benchmark needs a part")]
mod edge;

const AT_ONCE: [usize; 3] = [1, 16, 64];
/// Long enough for several checkpoints.
const MEASURED: Duration = Duration::from_secs(6);
const BUYERS: usize = 1_000;
const UNITS: u32 = 100;
const OPEN: usize = 10_000;
/// Clock ticks of /proc in a second, on every Linux there is.
const TICKS: f64 = 100.0;

fn main() {
    println!(
        "shoppers · purchases/s · bare writer/s · ratio · request p50, p99 ms · server CPU ms a purchase · steps a purchase · steps a commit"
    );
    for shoppers in AT_ONCE {
        let shop = Shop::open(1_000_000);
        let server = shop.start();
        let before = server.counts();
        let (done, times, seconds) = load(server.port, shoppers);
        let after = server.counts();
        drop(server);
        let (commits, steps) = (after.commits - before.commits, after.steps - before.steps);
        let steps_each = steps as f64 / done as f64;
        let bare = bare_writer(&shop.store(), shop.folder.path(), shoppers, steps_each.round() as usize);
        let rate = done as f64 / seconds;
        println!(
            "{shoppers:>8} · {rate:>11.0} · {bare:>13.0} · {:>3.0} % · {:>6.2}, {:>6.2} · {:.2} · {steps_each:.1} · {:.1}",
            rate / bare * 100.0,
            milliseconds(times[times.len() / 2]),
            milliseconds(times[times.len() * 99 / 100]),
            (after.cpu - before.cpu) * 1e3 / done as f64,
            steps as f64 / commits as f64,
        );
    }
    sale();
    restart();
}

/// A shop's files: the database on the disk, all else in memory where that can be had.
struct Shop {
    folder: tempfile::TempDir,
    state: tempfile::TempDir,
}

/// A process that serves.
struct Server {
    child: Child,
    port: u16,
    operator: u16,
    started: Duration,
}

/// What a process has done so far.
struct Counts {
    commits: u64,
    steps: u64,
    /// Seconds of its threads, those of the kernel for it included.
    cpu: f64,
}

impl Shop {
    /// With so many small lamps.
    fn open(units: u32) -> Self {
        // Beside the build, whose folder is on a disk; a temporary folder often is not.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let memory = Path::new("/dev/shm");
        let state = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let mut bundle = edge::bundle(edge::BASE_URL, 1990);
        let mut products = bundle.catalog.products().to_vec();
        for variant in products.iter_mut().flat_map(|product| &mut product.variants) {
            variant.opening_stock = units;
        }
        bundle.catalog = Catalog::new(products, Vec::new()).expect("names differ");
        std::fs::write(folder.path().join("shop.bundle"), bundle.seal(&edge::signing_key())).expect("a bundle");
        Self { folder, state: state.expect("a folder") }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    fn start(&self) -> Server {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vitrine"));
        command.current_dir(self.folder.path()).args(["edge", "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"]);
        command.arg("--state").arg(self.state.path()).arg("--store").arg(self.store());
        command.env("VITRINE_BUNDLE_PUBLIC_KEYS", BASE64.encode(edge::signing_key().verifying_key().0));
        command.env("NO_COLOR", "1").env("VITRINE_LOG", "error").env("VITRINE_RESERVE_MIB", "1");
        // What is measured is how fast it can be, not how fast it lets itself be.
        command.env("VITRINE_PAYMENTS_PER_SECOND", "1000000").env("VITRINE_MAX_IN_FLIGHT", "4096");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let port = |before: &str, after: &str| {
                    line.split_once(before).map(|(_, rest)| rest.trim_end_matches(after).trim().parse::<u16>().expect("a port"))
                };
                let found = port("cart and checkout on http://127.0.0.1:", "")
                    .or_else(|| port("for operators: http://127.0.0.1:", "/readyz"));
                match found {
                    Some(port) => drop(tell.send(port)),
                    None => eprintln!("{line}"),
                }
            }
        });
        let port = || told.recv_timeout(Duration::from_secs(60)).expect("it starts");
        let (port, operator) = (port(), port());
        // Ready is when it says so, not when it listens.
        while !ask(&mut connect(operator), "GET", "/readyz", "", "", "").head.starts_with("HTTP/1.1 200") {}
        Server { child, port, operator, started: begun.elapsed() }
    }
}

impl Server {
    fn counts(&self) -> Counts {
        let page = ask(&mut connect(self.operator), "GET", "/metrics", "", "", "").body;
        let count = |name: &str| {
            let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} is not in {page}"));
            line.trim().parse::<f64>().expect("a number") as u64
        };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("Linux tells");
        let after_name = stat.rsplit_once(')').expect("a name").1;
        let words: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |index: usize| words[index].parse::<f64>().expect("a number");
        Counts {
            commits: count("vitrine_store_commits_total "),
            steps: count("vitrine_store_steps_total "),
            cpu: (ticks(11) + ticks(12)) / TICKS,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a purchase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Bought,
    SoldOut,
}

/// Somebody with two connections: to the shop, and to what stands for the gateway's pages.
struct Shopper {
    shop: TcpStream,
    cart: String,
    /// Of every request to the shop itself.
    times: Vec<Duration>,
}

struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

impl Shopper {
    fn at(port: u16) -> Self {
        Self { shop: connect(port), cart: String::new(), times: Vec::new() }
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value, key: &str) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let begin = Instant::now();
        let answer = ask(&mut self.shop, method, path, &self.cart, key, &text);
        self.times.push(begin.elapsed());
        assert!(!answer.head.starts_with("HTTP/1.1 5"), "{method} {path}: {} {}", answer.head, answer.body);
        let cart = answer.header("cart-token");
        if !cart.is_empty() {
            self.cart = cart.to_owned();
        }
        answer
    }

    /// Up to the gateway's page; `None`: sold out.
    fn goes_to_pay(&mut self) -> Option<String> {
        self.cart.clear();
        self.ask("POST", "/api/v1/cart/lines", &json!({"sku": "LAMP-S", "quantity": 1}), "");
        let details = json!({
            "contact": {"email": "ada@example.com"},
            "address": {"name": "Ada", "line1": "Lindenweg 4", "city": "Berlin", "postal_code": "10115", "country": "DE"},
        });
        let opened = self.ask("POST", "/api/v1/checkouts", &details, "").json();
        let id = opened["id"].as_str()?;
        let body = json!({"quote_hash": opened["quote"]["hash"], "method": "sandbox"});
        let paying = self.ask("POST", &format!("/api/v1/checkouts/{id}/payment"), &body, id).json();
        Some(paying["payment"]["redirect_url"].as_str()?.strip_prefix(edge::BASE_URL).expect("our own host").to_owned())
    }

    fn buys(&mut self) -> End {
        let Some(page) = self.goes_to_pay() else { return End::SoldOut };
        // At the gateway, which is not the shop's time.
        let form = "number=4242424242424242";
        let paid = ask(&mut self.shop, "POST", &page, "", "form", form);
        let mut to = paid.header("location").to_owned();
        while !to.is_empty() {
            let path = to.strip_prefix(edge::BASE_URL).unwrap_or(&to).to_owned();
            if path.starts_with("/orders/") {
                return End::Bought;
            }
            let is_gateways = path.starts_with("/checkout/sandbox/");
            let led = if is_gateways {
                ask(&mut self.shop, "GET", &path, "", "", "")
            } else {
                self.ask("GET", &path, &Value::Null, "")
            };
            to = led.header("location").to_owned();
        }
        panic!("a good card bought nothing")
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_nodelay(true).expect("an option");
    stream
}

/// One request, one whole answer. `key`: the idempotency key; `form`: the body is a form.
fn ask(stream: &mut TcpStream, method: &str, path: &str, cart: &str, key: &str, body: &str) -> Answer {
    let kind = if key == "form" { "application/x-www-form-urlencoded" } else { "application/json" };
    let key = if key == "form" { "" } else { key };
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: shop\r\naccept: application/json\r\n");
    for (name, value) in
        [("cart-token", cart), ("content-type", if body.is_empty() { "" } else { kind }), ("idempotency-key", key)]
    {
        if !value.is_empty() {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut bytes = Vec::with_capacity(8192);
    let mut buffer = [0; 8192];
    loop {
        let count = stream.read(&mut buffer).expect("the server answers");
        assert!(count > 0, "the server went away after {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&bytes[..end]).expect("heads are ASCII");
        let length =
            head.lines().filter_map(|line| line.split_once(": ")).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.map_or(0, |(_, text)| text.parse().expect("a length"));
        if bytes.len() >= end + 4 + length {
            return Answer { head: head.to_owned(), body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned() };
        }
    }
}

/// So many shoppers buy and buy again: purchases, sorted times of requests, seconds.
fn load(port: u16, shoppers: usize) -> (usize, Vec<Duration>, f64) {
    let begun = Instant::now();
    let (done, mut times) = std::thread::scope(|scope| {
        let one = || {
            let mut shopper = Shopper::at(port);
            let mut done = 0;
            while begun.elapsed() < MEASURED {
                assert_eq!(shopper.buys(), End::Bought);
                done += 1;
            }
            (done, shopper.times)
        };
        let all: Vec<_> = (0..shoppers).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().expect("no shopper fails")).fold(
            (0, Vec::new()),
            |(count, mut times), (done, more)| {
                times.extend(more);
                (count + done, times)
            },
        )
    });
    let seconds = begun.elapsed().as_secs_f64();
    times.sort_unstable();
    (done, times, seconds)
}

/// Checkouts per second that a writer commits which does nothing but write: the rows of a shop's database, in so many transactions for
/// each checkout, those of `at_once` checkouts sharing each, every one flushed, the log folded in beside it as the shop does it.
fn bare_writer(shop: &Path, folder: &Path, at_once: usize, transactions: usize) -> f64 {
    let path = folder.join("bare.db");
    let from = Connection::open(shop).expect("the shop's database");
    let bare = Connection::open(&path).expect("a database");
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL"), ("wal_autocheckpoint", "0"), ("foreign_keys", "0")] {
        bare.pragma_update(None, name, value).expect("a setting");
    }
    bare.set_prepared_statement_cache_capacity(64);
    let texts = |query: &str| -> Vec<String> {
        let mut select = from.prepare(query).expect("a query");
        select.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
    };
    for sql in texts("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type = 'index'") {
        bare.execute_batch(&sql).expect("the same schema");
    }
    bare.execute_batch("CREATE TABLE nothing_to_insert (count INTEGER); INSERT INTO nothing_to_insert VALUES (0)")
        .expect("a table");
    let checkouts = from.query_row("SELECT count(*) FROM checkouts", [], |row| row.get::<_, i64>(0)).expect("a count") as usize;
    // Rows of a table are spread over the checkouts in the order in which they came, those of a checkout over its transactions.
    let mut work: Vec<Vec<(String, Vec<Cell>)>> = vec![Vec::new(); checkouts];
    for table in texts("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid") {
        let mut select = from.prepare(&format!("SELECT * FROM {table}")).expect("a table");
        let columns = select.column_count();
        let cells = |row: &rusqlite::Row<'_>| (0..columns).map(|index| row.get::<_, Cell>(index)).collect::<Result<Vec<_>, _>>();
        let rows: Vec<Vec<Cell>> = select.query_map([], cells).expect("rows").collect::<Result<_, _>>().expect("rows");
        let marks = vec!["?"; columns].join(", ");
        let count = rows.len();
        for (index, row) in rows.into_iter().enumerate() {
            work[index * checkouts / count].push((format!("INSERT INTO {table} VALUES ({marks})"), row));
        }
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let folding = Connection::open(&path).expect("the same file");
            while !is_over.load(Ordering::Relaxed) {
                std::thread::park_timeout(Duration::from_secs(1));
                let _ = folding.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            }
        });
        let begun = Instant::now();
        for group in work.chunks(at_once) {
            for step in 0..transactions {
                bare.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
                for rows in group {
                    let own = &rows[step * rows.len() / transactions..(step + 1) * rows.len() / transactions];
                    for (sql, row) in own {
                        let mut insert = bare.prepare_cached(sql).expect("a statement");
                        insert.execute(rusqlite::params_from_iter(row)).expect("the same row");
                    }
                    if own.is_empty() {
                        bare.prepare_cached("UPDATE nothing_to_insert SET count = count + 1")
                            .expect("a statement")
                            .execute([])
                            .expect("a row");
                    }
                }
                bare.execute_batch("COMMIT").expect("it is flushed");
            }
        }
        is_over.store(true, Ordering::Relaxed);
        checkouts as f64 / begun.elapsed().as_secs_f64()
    })
}

/// A hundred units, a thousand buyers, 64 at once.
fn sale() {
    let shop = Shop::open(UNITS);
    let server = shop.start();
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    let count = |ends: Vec<End>, end| ends.into_iter().filter(|one| *one == end).count();
    let ends: Vec<End> = std::thread::scope(|scope| {
        let one = || {
            let mut shopper = Shopper::at(server.port);
            let mut ends = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < BUYERS {
                ends.push(shopper.buys());
            }
            ends
        };
        let all: Vec<_> = (0..64).map(|_| scope.spawn(one)).collect();
        all.into_iter().flat_map(|one| one.join().expect("no buyer fails")).collect()
    });
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "sale: {UNITS} units, {BUYERS} buyers: {} bought, {} sold out, no 5xx, in {seconds:.2} s",
        count(ends.clone(), End::Bought),
        count(ends, End::SoldOut)
    );
}

/// Ends a shop with many at the gateway's page, and starts it again.
fn restart() {
    let shop = Shop::open(1_000_000);
    let mut server = shop.start();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let mut shopper = Shopper::at(server.port);
                while next.fetch_add(1, Ordering::Relaxed) < OPEN {
                    assert!(shopper.goes_to_pay().is_some(), "there are enough");
                }
            });
        }
    });
    server.child.kill().expect("it can be ended");
    drop(server);
    let open: i64 = Connection::open(shop.store())
        .and_then(|store| store.query_row("SELECT count(*) FROM attempts WHERE state = 'awaiting_shopper'", [], |row| row.get(0)))
        .expect("a count");
    let again = shop.start();
    println!("restart after SIGKILL with {open} open payments: ready after {:.2} s", again.started.as_secs_f64());
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
