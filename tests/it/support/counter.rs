//! Counter: the tiny shop with its till in a temporary folder, a clock that a test moves, and the sandbox's ledger as a witness.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use vitrine::commerce::ids::Timestamp;
use vitrine::edge::app::{App, Clock, Settings};
use vitrine::edge::live::Live;
use vitrine::edge::operator;
use vitrine::edge::perform::mail::Mailer;
use vitrine::edge::perform::subscribers::Subscribers;
use vitrine::edge::perform::subscribers::message::{Secret, secret_variable};
use vitrine::edge::perform::{Till, rounds};
use vitrine::gateway::sandbox::{PageReply, PageRequest, Sandbox};
use vitrine::gateway::{Gateway, RemotePayment, RemoteState};
use vitrine::store::OrderFilter;
use vitrine::theme::bundle::{Bundle, SubscriberTerms};

use super::edge::{BASE_URL, Caller, Got, NOW, ask, bundle, key_ring, signing_key};
use super::place;

/// The sandbox's cards.
pub const GOOD: &str = "4242424242424242";
pub const DECLINED: &str = "4000000000000002";
pub const POOR: &str = "4000000000009995";
pub const SECURE: &str = "4000002760003184";

/// Payments that may begin at one instant of the test's clock.
const PAYMENTS_PER_SECOND: u32 = 1_000;

/// A shop that takes money.
pub struct Counter {
    pub folder: tempfile::TempDir,
    pub app: Arc<App>,
    pub sandbox: Sandbox,
    others: Others,
    now: Arc<AtomicI64>,
}

/// Whom the shop deals with where that is somebody else than usual.
#[derive(Clone, Default)]
struct Others {
    gateway: Option<Gateway>,
    hooks: Option<Hooks>,
    mailer: Option<Mailer>,
    pages: Option<usize>,
}

/// Systems of the merchant's own: as the bundle names them, and how their events are signed.
#[derive(Clone, Debug)]
pub struct Hooks {
    pub terms: Vec<SubscriberTerms>,
    /// Name and secrets, as the environment has them.
    pub secrets: Vec<(String, String)>,
    pub patience: Duration,
}

impl Counter {
    /// A fresh one.
    pub fn open() -> Self {
        Self::paid_by(None, Arc::new(AtomicI64::new(NOW.0)))
    }

    /// A fresh one with a gateway of its own, whose clock is the shop's.
    pub fn paid_by(gateway: Option<Gateway>, now: Arc<AtomicI64>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let others = Others { gateway, ..Others::default() };
        let (app, sandbox) = start(&folder, &now, &others);
        Self { folder, app, sandbox, others, now }
    }

    /// A fresh one that tells the merchant's own systems what happens.
    pub fn telling(hooks: Hooks) -> Self {
        let (folder, now) = (tempfile::tempdir().expect("a folder"), Arc::new(AtomicI64::new(NOW.0)));
        let others = Others { hooks: Some(hooks), ..Others::default() };
        let (app, sandbox) = start(&folder, &now, &others);
        let counter = Self { folder, app, sandbox, others, now };
        counter.round();
        counter
    }

    /// The same after a crash, with other systems.
    pub fn restarted_telling(self, hooks: Hooks) -> Self {
        let others = Others { hooks: Some(hooks), ..self.others.clone() };
        Self { others, ..self }.restarted()
    }

    /// The same after a crash, with another way to its gateway.
    pub fn restarted_paid_by(self, gateway: Gateway) -> Self {
        let others = Others { gateway: Some(gateway), ..self.others.clone() };
        Self { others, ..self }.restarted()
    }

    /// The same after a crash, with another mail server.
    pub fn restarted_writing_by(self, mailer: Mailer) -> Self {
        let others = Others { mailer: Some(mailer), ..self.others.clone() };
        Self { others, ..self }.restarted()
    }

    /// The same, whose processes from now on compare so many pages of the gateway's list at once.
    pub fn comparing(self, pages: usize) -> Self {
        let others = Others { pages: Some(pages), ..self.others.clone() };
        Self { others, ..self }
    }

    /// The same after a crash: another process on the same files, recovered.
    pub fn restarted(self) -> Self {
        let Self { folder, app, others, now, .. } = self;
        drop(app);
        let (app, sandbox) = start(&folder, &now, &others);
        let counter = Self { folder, app, sandbox, others, now };
        counter.run(rounds::recover(&counter.app, &counter.till())).expect("it recovers");
        counter
    }

    /// The same after its database was lost and a backup put in its place.
    pub fn restored(self, backup: &std::path::Path) -> Self {
        let mailer = self.others.mailer.clone();
        self.put_back(backup, mailer)
    }

    /// The same, with another mail server.
    pub fn restored_writing_by(self, backup: &std::path::Path, mailer: Mailer) -> Self {
        self.put_back(backup, Some(mailer))
    }

    fn put_back(self, backup: &std::path::Path, mailer: Option<Mailer>) -> Self {
        let Self { folder, app, sandbox, others, now } = self;
        drop(Arc::into_inner(app).expect("nobody else holds the store open"));
        drop(sandbox);
        let others = Others { mailer, ..others };
        put_back(folder.path(), backup);
        let (app, sandbox) = start(&folder, &now, &others);
        let counter = Self { folder, app, sandbox, others, now };
        counter.run(rounds::recover(&counter.app, &counter.till())).expect("it recovers");
        counter
    }

    /// Another price of the small lamp goes live.
    pub fn reprice(&self, lamp_minor: i64) {
        self.go_live(&bundle(BASE_URL, lamp_minor));
    }

    /// Another bundle goes live.
    pub fn go_live(&self, bundle: &Bundle) {
        self.app.live.store(Arc::new(live_of(bundle)));
    }

    /// A page for operators.
    pub fn operator(&self, path: &str) -> String {
        let request = Request::get(path).body(Full::<bytes::Bytes>::default()).expect("a request");
        let body = self.run(operator::respond(&self.app, &request).into_body().collect()).expect("a body").to_bytes();
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }

    pub fn till(&self) -> Arc<Till> {
        self.app.till.clone().expect("it has one")
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Goes one round: stock, sweep, outbox.
    pub fn round(&self) {
        self.run(rounds::recover(&self.app, &self.till())).expect("a round");
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread").block_on(work)
    }

    /// Everything the gateway knows.
    pub fn payments(&self) -> Vec<RemotePayment> {
        self.run(self.sandbox.all_payments()).expect("the ledger is readable")
    }

    /// Amounts that were taken.
    pub fn captured(&self) -> Vec<i64> {
        let payments = self.payments();
        payments.iter().filter(|payment| payment.state == RemoteState::Captured).map(|payment| payment.amount.minor).collect()
    }

    /// Confirmations that were written, as they stand in their files.
    pub fn mails(&self) -> Vec<String> {
        let folder = self.folder.path().join("mail");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("the folder is readable").path());
        let is_mail = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "eml");
        paths.filter(is_mail).map(|path| std::fs::read_to_string(path).expect("mails are text")).collect()
    }

    /// (on hand, reserved, sold) of a SKU.
    pub fn stock(&self, sku: &str) -> (i64, i64, i64) {
        let counted = self.run(self.till().store.stock_snapshot()).expect("stock");
        let level = counted.levels.iter().find(|level| level.sku.as_str() == sku);
        level.map_or((0, 0, 0), |level| (level.on_hand, level.reserved, level.sold))
    }

    /// States of all orders with whether they are paid, the newest first.
    pub fn orders(&self) -> Vec<(String, bool)> {
        let orders = self.run(self.till().store.orders(OrderFilter::default())).expect("orders");
        orders.iter().map(|order| (order.state.name().to_owned(), order.paid_at.is_some())).collect()
    }

    /// As if the capture of what was sold had never been answered: the money is held, and nobody was told.
    pub fn forget_capture(&self) {
        let open = |name: &str| rusqlite::Connection::open(self.folder.path().join(name)).expect("the file");
        let shop = "UPDATE attempts SET state = 'capturing'; UPDATE orders SET paid_at = NULL; DELETE FROM ledger WHERE kind = 'captured';
                    DELETE FROM outbox WHERE kind = 'confirmation'";
        open("shop.db").execute_batch(shop).expect("SQL");
        let ledger = "UPDATE payments SET state = 'authorized'; DELETE FROM calls WHERE operation = 'capture'";
        open("sandbox.db").execute_batch(ledger).expect("SQL");
    }

    /// Gives a card at the sandbox's page; gives the address the shopper is sent back to.
    pub fn give_card(&self, redirect_url: &str, number: &str) -> String {
        self.at_sandbox(redirect_url, &[("number", number)])
    }

    /// Presses a button of the sandbox's page.
    pub fn press(&self, redirect_url: &str, step: &str) -> String {
        self.at_sandbox(redirect_url, &[("step", step)])
    }

    fn at_sandbox(&self, url: &str, fields: &[(&str, &str)]) -> String {
        let path = url.strip_prefix(BASE_URL).expect("the sandbox's page is on our own host").to_owned();
        let form: Vec<(String, String)> = fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let go = |post, form: &[(String, String)]| {
            let request = PageRequest { path: &path, post, form };
            self.run(self.sandbox.respond(request)).expect("the sandbox answers")
        };
        match go(true, &form) {
            // To its own page first, which sends on to the shop once the payment is decided.
            PageReply::Redirect(to) if to.ends_with(&path) => match go(false, &[]) {
                PageReply::Redirect(back) => back,
                PageReply::Html { body, .. } => body,
            },
            PageReply::Redirect(back) => back,
            PageReply::Html { body, .. } => body,
        }
    }
}

fn start(folder: &tempfile::TempDir, now: &Arc<AtomicI64>, others: &Others) -> (Arc<App>, Sandbox) {
    let Others { gateway, hooks, mailer, pages } = others.clone();
    let clock = now.clone();
    let clock = Clock::of(move || Timestamp(clock.load(Ordering::Relaxed)));
    let mut shop = bundle(BASE_URL, 1990);
    shop.webhooks = hooks.as_ref().map_or_else(Vec::new, |hooks| hooks.terms.clone());
    let mut app = App::new(live_of(&shop), key_ring(), Settings::default(), clock);
    let store = place::open(folder.path());
    let sandbox = Sandbox::open(&folder.path().join("sandbox.db"), BASE_URL, false).expect("a ledger");
    let gateway_clock = now.clone();
    let sandbox = sandbox.timed_by(move || Timestamp(gateway_clock.load(Ordering::Relaxed)));
    let mailer = mailer.unwrap_or_else(|| Mailer::Folder(folder.path().join("mail")));
    let gateway = gateway.unwrap_or_else(|| Gateway::Sandbox(sandbox.clone()));
    let mut till = Till::new(store, gateway, mailer).at_most(PAYMENTS_PER_SECOND);
    if let Some(pages) = pages {
        till.compare_at_once(pages);
    }
    if let Some(hooks) = hooks {
        let secret = |(name, text): &(String, String)| (secret_variable(name), Secret::list(text).expect("secrets"));
        let subscribers = Subscribers::new(hooks.secrets.iter().map(secret).collect(), hooks.patience).expect("a client");
        subscribers.metrics.register(app.metrics.registry());
        till = till.telling(subscribers);
    }
    app.till = Some(Arc::new(till));
    (Arc::new(app), sandbox)
}

/// A backup in the place of `shop.db`, whose log is gone with it.
pub fn put_back(folder: &std::path::Path, backup: &std::path::Path) {
    for name in ["shop.db-wal", "shop.db-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    std::fs::copy(backup, folder.join("shop.db")).expect("the backup is put back");
}

fn live_of(bundle: &Bundle) -> Live {
    let opened = Bundle::open(&bundle.seal(&signing_key()), &[signing_key().verifying_key()], None).expect("our own bundle");
    Live::new(opened, 1, false).expect("a whole shop")
}

/// Where Ada lives.
pub fn details() -> Value {
    json!({
        "contact": {"email": "ada@example.com"},
        "address": {"name": "Ada Example", "line1": "Lindenweg 4", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    })
}

/// A shopper at the JSON routes.
pub struct Shopper {
    pub caller: Caller,
    pub checkout: String,
    keys: u32,
}

impl Shopper {
    /// With so many of a SKU in the cart.
    pub fn with(counter: &Counter, sku: &str, quantity: u32) -> Self {
        let mut caller = Caller::new(&counter.app);
        caller.json("POST", "/api/v1/cart/lines", json!({"sku": sku, "quantity": quantity})).expect(200);
        Self { caller, checkout: String::new(), keys: 0 }
    }

    /// Opens a checkout and tells where it goes; gives the checkout.
    pub fn check_out(&mut self) -> Value {
        let opened = self.caller.json("POST", "/api/v1/checkouts", json!({})).expect(201).json();
        self.checkout = format!("/api/v1/checkouts/{}", opened["id"].as_str().expect("an id"));
        self.tell(details())
    }

    /// Tells details; gives the checkout.
    pub fn tell(&mut self, details: Value) -> Value {
        self.caller.json("PATCH", &self.checkout.clone(), details).expect(200).json()
    }

    /// Looks.
    pub fn look(&mut self) -> Value {
        self.caller.json("GET", &self.checkout.clone(), Value::Null).expect(200).json()
    }

    /// Pays what a checkout shows, under a fresh key.
    pub fn pay(&mut self, checkout: &Value) -> Got {
        self.keys += 1;
        let key = format!("{} {}", self.checkout, self.keys);
        self.pay_under(checkout, &key)
    }

    /// Pays under a key.
    pub fn pay_under(&self, checkout: &Value, key: &str) -> Got {
        let mut body = json!({"quote_hash": checkout["quote"]["hash"], "method": checkout["payment"]["methods"][0]["id"]});
        if checkout["payment"]["element"].is_object() {
            body["confirmation_token"] = json!(confirmation(SECURE, key));
        }
        let mut caller = self.caller.clone().with("idempotency-key", key);
        caller.json("POST", &format!("{}/payment", self.checkout), body)
    }

    /// Comes back from the gateway; gives what the shop answers.
    pub fn come_back(&mut self, url: &str) -> Got {
        let path = url.strip_prefix(BASE_URL).unwrap_or_else(|| panic!("back to the shop, not to {url}")).to_owned();
        self.caller.page(&path)
    }

    /// The whole way: gives the order's page.
    pub fn buy(&mut self, counter: &Counter) -> Got {
        let ready = self.check_out();
        let paying = self.pay(&ready).expect(200).json();
        let back = counter.give_card(redirect_url(&paying), GOOD);
        let led = self.come_back(&back).expect(303);
        self.caller.page(led.header("location"))
    }
}

/// What the faulty gateway's form calls a card; it is good for one payment.
pub fn confirmation(number: &str, key: &str) -> String {
    let part: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("ctoken_{number}_{part}")
}

/// The gateway's page of a checkout that is being paid.
pub fn redirect_url(checkout: &Value) -> &str {
    checkout["payment"]["redirect_url"].as_str().unwrap_or_else(|| panic!("it leads to the gateway: {checkout}"))
}

/// Asks with nothing but an address.
pub fn get(app: &Arc<App>, path: &str, accept: &str) -> Got {
    let request = Request::builder().uri(path).header("accept", accept);
    ask(app, request.body(Full::default()).expect("a request"))
}
