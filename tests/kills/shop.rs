//! Shop: the real binary on its own files, which can be ended at any moment, and shoppers who reach it over loopback.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use vitrine::theme::bundle::{Bundle, SubscriberTerms};

use super::edge::{BASE_URL, bundle, signing_key};
use super::faulty::{SECRET_KEY, WEBHOOK_SECRET};
use super::gateway::Gateway;
use super::receiver;

/// Seconds a payment may take, and units are held: short, so that what was left is over soon.
pub const HOLD_SECONDS: i64 = 3;
/// Longest wait for anything of the process.
const PATIENCE: Duration = Duration::from_secs(60);
/// What every process of a shop has told, in its folder.
pub const LOG: &str = "log.txt";
/// Lines of it that are shown of a shop which a test ends badly with.
const SHOWN_LINES: usize = 60;
/// Looks at a payment that is being checked; each waits for the shop, so that it takes a while.
const LOOKS: usize = 50;

/// A shop's files, and the gateway beside it; without one it has the sandbox.
pub struct Shop {
    folder: tempfile::TempDir,
    pub gateway: Option<Gateway>,
    /// Whether the gateway's form stands on the shop's page.
    has_form: bool,
    /// The merchant's own system, which outlives every kill.
    pub erp: receiver::Receiver,
}

/// How a process is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Launch<'a> {
    /// The point at which it ends.
    pub failpoint: Option<&'a str>,
    /// The bug that is planted in it.
    pub bug: Option<&'a str>,
    /// Where strace writes what it asks of the system.
    pub trace: Option<&'a Path>,
    /// The system call at which strace ends it.
    pub ends_in: Option<Write<'a>>,
    /// How much it tells, if not warnings alone.
    pub log: Option<&'a str>,
    /// Whether it tells it to programs.
    pub logs_json: bool,
    /// Mebibytes of a disk of its own for its state; `Some(0)`: the machine's disk, which it may only read.
    pub disk_mib: Option<u32>,
    /// Mebibytes of it that are kept for payments under way.
    pub reserve_mib: Option<u32>,
    /// Where its gateway is, if not at the gateway's own address.
    pub api_base: Option<&'a str>,
}

/// A call to the system about one of the shop's files.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The call's.
    pub call: &'a str,
    /// The how manieth of its thread it is.
    pub number: u32,
}

/// What its events are signed with.
pub const ERP_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Names the merchant's own system in a shop, which is told everything.
fn told(shop: &mut Bundle) -> receiver::Receiver {
    let erp = receiver::Receiver::open();
    let events = ["order.placed", "order.paid", "order.canceled", "order.refunded", "payment.review", "payment.disputed"]
        .map(str::to_owned)
        .to_vec();
    shop.webhooks = vec![SubscriberTerms { name: "erp".to_owned(), url: erp.url(), events }];
    erp
}

impl Shop {
    /// A fresh shop that nobody has opened yet.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut shop = bundle(BASE_URL, 1990);
        shop.rules.reservation_seconds = HOLD_SECONDS;
        let erp = told(&mut shop);
        std::fs::write(folder.path().join("shop.bundle"), shop.seal(&signing_key())).expect("a bundle");
        Self { folder, gateway: None, has_form: false, erp }
    }

    /// A fresh shop that takes money by Stripe, with the faulty gateway in Stripe's place: it speaks by webhooks, too.
    pub fn paid_by_stripe() -> Self {
        Self::paid_on(false)
    }

    /// The same with Stripe's form on its own page.
    pub fn with_element() -> Self {
        Self::paid_on(true)
    }

    fn paid_on(has_form: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut shop = bundle(BASE_URL, 1990);
        shop.payment.gateway = "stripe".to_owned();
        shop.payment.element = has_form;
        let erp = told(&mut shop);
        std::fs::write(folder.path().join("shop.bundle"), shop.seal(&signing_key())).expect("a bundle");
        let gateway = Gateway::start(&folder.path().join("stripe.db"));
        Self { folder, gateway: Some(gateway), has_form, erp }
    }

    /// The gateway in Stripe's place.
    pub fn stripe(&self) -> &Gateway {
        self.gateway.as_ref().expect("it was asked for")
    }

    /// Somebody at a port of this shop.
    pub fn shopper(&self, port: u16) -> Shopper {
        let method = if self.gateway.is_some() { "stripe" } else { "sandbox" };
        Shopper { method, has_form: self.has_form, ..Shopper::at(port) }
    }

    /// The folder of bundle, state and gateway's ledger.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(".vitrine").join(name)
    }

    /// Starts the shop; `None`: it ended before it was ready.
    pub fn start(&self, failpoint: Option<&str>) -> Option<Running> {
        self.launch(Launch { failpoint, ..Launch::default() })
    }

    /// Starts the shop in that way; `None`: it ended before it was ready.
    pub fn launch(&self, launch: Launch<'_>) -> Option<Running> {
        let failpoint = launch.failpoint;
        let mut command = match (launch.trace, launch.ends_in, launch.disk_mib) {
            (None, None, None) => Command::new(env!("CARGO_BIN_EXE_vitrine")),
            (Some(trace), ..) => strace(trace),
            (None, Some(write), _) => ended_in(&self.file(write.file), write),
            (None, None, Some(mib)) => on_a_disk(self.folder.path(), mib),
        };
        command.current_dir(self.folder.path()).args(["edge", "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"]);
        command.env("NO_COLOR", "1").env("VITRINE_LOG", launch.log.unwrap_or("warn"));
        command.env("VITRINE_LOG_FORMAT", if launch.logs_json { "json" } else { "text" });
        // A thousand buyers come at once, and none is told to wait.
        command.env("VITRINE_PAYMENTS_PER_SECOND", "10000");
        command.env("VITRINE_WEBHOOK_SECRET_ERP", ERP_SECRET);
        command.env("VITRINE_BUNDLE_PUBLIC_KEYS", BASE64.encode(signing_key().verifying_key().0));
        for (name, value) in [("VITRINE_FAILPOINT", failpoint), ("VITRINE_BUG", launch.bug)] {
            command.envs(value.map(|value| (name, value)));
        }
        // Many shops lie on this machine's disk at once.
        command.env("VITRINE_RESERVE_MIB", launch.reserve_mib.unwrap_or(1).to_string());
        if let Some(gateway) = &self.gateway {
            command.env("VITRINE_STRIPE_PUBLISHABLE_KEY", "pk_test_faulty");
            command.env("VITRINE_STRIPE_SECRET_KEY", SECRET_KEY).env("VITRINE_STRIPE_WEBHOOK_SECRETS", WEBHOOK_SECRET);
            command.env("VITRINE_STRIPE_API_BASE", launch.api_base.unwrap_or(&gateway.faulty.base));
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let (tell, told) = channel();
        let mut log = File::options().create(true).append(true).open(self.folder.path().join(LOG)).expect("a file");
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                writeln!(log, "{line}").expect("the log is kept");
                if let Some((_, address)) = line.split_once("cart and checkout on http://127.0.0.1:") {
                    let _ = tell.send(address.trim().parse::<u16>().expect("a port"));
                }
                if let Some((_, address)) = line.split_once("for operators: http://127.0.0.1:") {
                    let port = address.strip_suffix("/readyz").expect("its path");
                    let _ = tell.send(port.parse::<u16>().expect("a port"));
                }
                if line.contains("panicked") {
                    eprintln!("{line}");
                }
            }
        });
        match told.recv_timeout(PATIENCE) {
            Ok(port) => {
                if let Some(gateway) = &self.gateway {
                    gateway.faulty.hook_to(&format!("http://127.0.0.1:{port}/api/v1/webhooks/stripe"));
                }
                Some(Running { child, port, told })
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait().expect("it ended");
                assert!(failpoint.is_some() || launch.ends_in.is_some(), "the shop does not start: {status}");
                None
            }
            Err(RecvTimeoutError::Timeout) => panic!("the shop neither starts nor ends"),
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join(LOG)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the shop said last:\n{}", lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"));
        }
    }
}

/// The binary under strace, which keeps its own process out of the way: the child is the shop itself.
fn strace(trace: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-y", "-s", "5000", "-e", "signal=none", "-e"]);
    command.arg("trace=write,writev,sendto,sendmsg,pwrite64,pwritev,fdatasync,fsync,read,recvfrom");
    command.arg("-o").arg(trace).arg(env!("CARGO_BIN_EXE_vitrine"));
    command
}

/// The binary, which is killed as it asks the system for that.
fn ended_in(file: &Path, write: Write<'_>) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-P"]).arg(file);
    command.arg("-e").arg(format!("trace={}", write.call));
    command.arg("-e").arg(format!("inject={}:signal=SIGKILL:when={}", write.call, write.number));
    command.arg(env!("CARGO_BIN_EXE_vitrine"));
    command
}

/// The binary with its state on a small disk of its own, or on one that it may only read, in a world of mounts that ends with it.
fn on_a_disk(folder: &Path, mib: u32) -> Command {
    let state = folder.join(".vitrine");
    std::fs::create_dir_all(&state).expect("a folder");
    let mount = match mib {
        0 => r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#.to_owned(),
        mib => format!(r#"mount -t tmpfs -o size={mib}m tmpfs "$0" && exec "$@""#),
    };
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount]).arg(state).arg(env!("CARGO_BIN_EXE_vitrine"));
    command
}

/// A process that serves.
pub struct Running {
    child: Child,
    pub port: u16,
    told: Receiver<u16>,
}

impl Running {
    /// Ends it as SIGKILL does.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The port for operators.
    pub fn operator(&self) -> u16 {
        self.told.recv_timeout(PATIENCE).expect("it is told once")
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    /// Asks it to stop, and waits for its end; gives whether it stopped by itself, as asked.
    pub fn terminate(mut self) -> bool {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so; panics when it never is.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

/// What is done on the gateway's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Card {
    Good,
    Declined,
    Leave,
    /// The tab is closed.
    Away,
}

/// How far a shopper came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Was told that it is ordered.
    Bought,
    /// Was refused, or gave up as meant.
    Not,
    /// There are none left.
    SoldOut,
    /// The shop went away.
    Broken,
}

/// Somebody at a port.
pub struct Shopper {
    pub port: u16,
    /// How it is paid.
    method: &'static str,
    /// Whether the card is typed into the gateway's form on the shop's page. A good one asks for a second step, on the gateway's.
    has_form: bool,
    tries: u32,
    cart: String,
    /// Answers of 500 and above, which nobody may get from a healthy disk.
    pub bad: Vec<String>,
    /// The checkout that was opened.
    pub checkout: String,
}

impl Shopper {
    pub fn at(port: u16) -> Self {
        Self { port, method: "sandbox", has_form: false, tries: 0, cart: String::new(), bad: Vec::new(), checkout: String::new() }
    }

    /// The whole way, with that card. Every broken connection ends it.
    pub fn shops(&mut self, sku: &str, card: Card, calls_off: bool) -> End {
        self.tries(sku, card, calls_off).unwrap_or(End::Broken)
    }

    fn tries(&mut self, sku: &str, card: Card, calls_off: bool) -> Result<End, Error> {
        match self.fills(sku)? {
            Some(hash) => self.pays(&hash, card, calls_off),
            None => Ok(End::SoldOut),
        }
    }

    /// Opens a checkout with all that it needs; gives the quote's hash, or nothing where there is none left.
    pub fn fills(&mut self, sku: &str) -> Result<Option<String>, Error> {
        self.ask("POST", "/api/v1/cart/lines", &json!({"sku": sku, "quantity": 1}), "")?;
        let details = json!({
            "contact": {"email": "ada@example.com"},
            "address": {"name": "Ada", "line1": "Lindenweg 4", "city": "Berlin", "postal_code": "10115", "country": "DE"},
        });
        let opened = self.ask("POST", "/api/v1/checkouts", &details, "")?.json();
        // What is known to be sold out cannot be put into a cart, and an empty cart opens no checkout.
        let Some(id) = opened["id"].as_str() else { return Ok(None) };
        self.checkout = id.to_owned();
        Ok(opened["quote"]["hash"].as_str().map(str::to_owned))
    }

    /// Pays that.
    pub fn pays(&mut self, hash: &str, card: Card, calls_off: bool) -> Result<End, Error> {
        let path = format!("/api/v1/checkouts/{}", self.checkout);
        self.tries += 1;
        let key = format!("{} {}", self.checkout, self.tries);
        let mut body = json!({"quote_hash": hash, "method": self.method});
        if self.has_form {
            let number = if card == Card::Declined { "4000000000000002" } else { "4000002760003184" };
            body["confirmation_token"] = json!(format!("ctoken_{number}_{}", key.replace(['-', ' '], "")));
        }
        let paying = self.ask("POST", &format!("{path}/payment"), &body, &key)?;
        if paying.json()["code"] == "sold_out" {
            return Ok(End::SoldOut);
        }
        let paying = paying.json();
        if paying["state"] == "completed" {
            return Ok(End::Bought);
        }
        if calls_off {
            self.ask("DELETE", &format!("{path}/payment"), &Value::Null, "")?;
            return Ok(End::Not);
        }
        let Some(url) = paying["payment"]["redirect_url"].as_str() else { return Ok(End::Not) };
        let page = url.to_owned();
        let form = match card {
            Card::Good => "number=4242424242424242",
            Card::Declined => "number=4000000000000002",
            Card::Leave => "step=leave",
            Card::Away => return Ok(End::Not),
        };
        let mut led = self.send("POST", &page, "application/x-www-form-urlencoded", form, "")?;
        let mut at = page;
        for _ in 0..LOOKS {
            let to = match led.header("location") {
                Some(to) => to.to_owned(),
                // Whoever heard of it first is at it; the page looks again by itself.
                None if led.body.contains("Checking your payment") => at,
                None => break,
            };
            if to.strip_prefix(BASE_URL).unwrap_or(&to).starts_with("/orders/") {
                return Ok(End::Bought);
            }
            led = self.send("GET", &to, "", "", "")?;
            at = to;
        }
        Ok(End::Not)
    }

    /// Port and path of an address: the gateway's own, or the shop's, wherever it listens now.
    fn place<'a>(&self, url: &'a str) -> (u16, &'a str) {
        let path = url.strip_prefix(BASE_URL).unwrap_or(url);
        let Some((port, path)) = path.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('/')) else {
            return (self.port, path);
        };
        let start = url.len() - path.len() - 1;
        (port.parse().expect("a port"), &url[start..])
    }

    /// What a listener of this machine answers to a look.
    pub fn look(&mut self, port: u16, path: &str) -> String {
        self.send("GET", &format!("http://127.0.0.1:{port}{path}"), "", "", "").map_or(String::new(), |answer| answer.body)
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value, key: &str) -> Result<Answer, Error> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, if text.is_empty() { "" } else { "application/json" }, &text, key)
    }

    fn send(&mut self, method: &str, url: &str, kind: &str, body: &str, key: &str) -> Result<Answer, Error> {
        let (port, path) = self.place(url);
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\naccept: application/json\r\n");
        for (name, value) in [("cart-token", self.cart.as_str()), ("content-type", kind), ("idempotency-key", key)] {
            if !value.is_empty() {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(head.as_bytes())?;
        let mut raw = String::new();
        stream.read_to_string(&mut raw)?;
        let (head, body) = raw.split_once("\r\n\r\n").ok_or_else(|| Error::other("half an answer"))?;
        let status: u16 = head.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(|| Error::other("no status"))?;
        let answer = Answer { head: head.to_owned(), body: body.to_owned() };
        if status >= 500 {
            self.bad.push(format!("{method} {path}: {raw}"));
        }
        if let Some(cart) = answer.header("cart-token") {
            self.cart = cart.to_owned();
        }
        Ok(answer)
    }
}
