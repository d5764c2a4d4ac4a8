//! Rig: the tiny shop whose gateway, store and mail server go wrong at a word, with the sandbox's own ledger as the witness.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vitrine::commerce::ids::Timestamp;
use vitrine::edge::app::{App, Clock, Settings};
use vitrine::edge::live::Live;
use vitrine::edge::perform::mail::{MailError, Mailer, Script};
use vitrine::edge::perform::services::Services;
use vitrine::edge::perform::subscribers::{self, Subscribers};
use vitrine::edge::perform::{Till, rounds};
use vitrine::gateway::sandbox::{CAPABILITIES, Sandbox};
use vitrine::gateway::scripted::{Call, Listing, Refunds, Scripted};
use vitrine::gateway::{Capabilities, Gateway, Outcome, RemotePayment, RemoteState, Span};
use vitrine::store::{Moment, OrderFilter, Seam, Store, StoreError};
use vitrine::theme::bundle::Bundle;

use super::edge::{BASE_URL, NOW, bundle, key_ring, signing_key};

/// How a dependency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Well,
    /// It does nothing.
    Down,
    /// The gateway: it does what it is asked and never answers. The store: it is too busy. Mail: it takes the letter and says no.
    Slow,
    /// The gateway: it says things that cannot be. The store: it holds what nobody wrote. Mail: it takes no letter of ours.
    Wrong,
    /// The store: it can be read, and not written.
    ReadOnly,
}

/// A shop, its clock and its three dependencies.
pub struct Rig {
    pub app: Arc<App>,
    pub sandbox: Sandbox,
    pub gateway: Arc<Mutex<Health>>,
    pub store: Arc<Mutex<Health>>,
    pub mail: Arc<Mutex<Health>>,
    /// Names of the calls that reached the gateway.
    pub calls: Arc<Mutex<Vec<&'static str>>>,
    pub mails: Arc<Mutex<Vec<String>>>,
    now: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

/// How long a shopper waits for the gateway here.
pub const PATIENCE: Duration = Duration::from_millis(300);

fn health(of: &Mutex<Health>) -> Health {
    *of.lock().expect("unharmed")
}

impl Rig {
    pub fn open() -> Self {
        Self::with(Settings { patience: PATIENCE, payments_per_second: 1_000, ..Settings::default() })
    }

    pub fn with(settings: Settings) -> Self {
        Self::of(bundle(BASE_URL, 1990), settings, Services::default())
    }

    /// A shop that asks a service of its own.
    pub fn asking(shop: Bundle, services: Services) -> Self {
        // A shopper's patience is for the service as well, which may take all of its time.
        let settings = Settings { patience: PATIENCE * 10, payments_per_second: 1_000, ..Settings::default() };
        let rig = Self::of(shop, settings, services);
        // As at an edge's start: what happens from now on is told.
        rig.tell();
        rig
    }

    fn of(shop: Bundle, settings: Settings, services: Services) -> Self {
        static RIGS: AtomicUsize = AtomicUsize::new(0);
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = Sandbox::open(&folder.path().join("sandbox.db"), BASE_URL, false).expect("a ledger");
        let [gateway, store, mail] = [(); 3].map(|()| Arc::new(Mutex::new(Health::Well)));
        let (calls, mails) = (Arc::default(), Arc::default());
        let now = Arc::new(AtomicI64::new(NOW.0));
        let clock = now.clone();
        let clock = Clock::of(move || Timestamp(clock.load(Ordering::Relaxed)));
        let opened = Bundle::open(&shop.seal(&signing_key()), &[signing_key().verifying_key()], None).expect("our own bundle");
        let mut app = App::new(Live::new(opened, 1, false).expect("a whole shop"), key_ring(), settings, clock);
        app.services = services;
        let name = format!("rig-{}-{}", std::process::id(), RIGS.fetch_add(1, Ordering::Relaxed));
        let opened = Store::open_inline(&name, seam(store.clone())).expect("memory");
        let rate = app.settings.payments_per_second;
        let line = scripted(sandbox.clone(), gateway.clone(), Arc::clone(&calls));
        let till = Till::new(opened, line, mailer(mail.clone(), Arc::clone(&mails))).at_most(rate);
        app.till = Some(Arc::new(till.telling(Subscribers::new(Default::default(), PATIENCE).expect("TLS"))));
        Self { app: Arc::new(app), sandbox, gateway, store, mail, calls, mails, now, _folder: folder }
    }

    pub fn till(&self) -> Arc<Till> {
        self.app.till.clone().expect("it has one")
    }

    /// Says how the gateway is from now on.
    pub fn gateway_is(&self, now: Health) {
        *self.gateway.lock().expect("unharmed") = now;
    }

    /// All is well from now on, and what waits is done.
    pub fn heals(&self) {
        for dependency in [&self.gateway, &self.store, &self.mail] {
            *dependency.lock().expect("unharmed") = Health::Well;
        }
        // On a busy machine a start breaks off before all is done, and the next one goes on.
        for round in 1..=20 {
            self.pass(40);
            self.round();
            if round >= 6 && self.run(self.till().store.outbox_depth()).expect("the store can be read") == 0 {
                break;
            }
        }
    }

    /// Takes another bundle into service.
    pub fn go_live(&self, shop: &Bundle) {
        let keys = [signing_key().verifying_key()];
        let opened = Bundle::open(&shop.seal(&signing_key()), &keys, None).expect("our own bundle");
        self.app.live.store(Arc::new(Live::new(opened, 2, false).expect("a whole shop")));
    }

    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    /// What an edge does by itself at its start: a sweep over all that waits, the outbox, a look around.
    pub fn round(&self) {
        let _ = self.run(rounds::recover(&self.app, &self.till()));
    }

    /// Tells the shop's own systems what happened.
    pub fn tell(&self) -> usize {
        self.run(subscribers::deliver(&self.app, &self.till())).expect("the store can be read")
    }

    /// A sweep over what is due.
    pub fn sweep(&self) {
        self.run(rounds::sweep(&self.app, &self.till(), self.app.clock.now()));
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread").block_on(work)
    }

    /// Calls of a kind that reached the gateway so far.
    pub fn called(&self, name: &str) -> usize {
        self.calls.lock().expect("unharmed").iter().filter(|call| **call == name).count()
    }

    pub fn captured(&self) -> usize {
        let payments = self.run(self.sandbox.all_payments()).expect("the ledger is readable");
        payments.iter().filter(|payment| payment.state == RemoteState::Captured).count()
    }

    /// Payments that the gateway holds or has taken, or could still take.
    pub fn live(&self) -> usize {
        let payments = self.run(self.sandbox.all_payments()).expect("the ledger is readable");
        payments.iter().filter(|payment| !matches!(payment.state, RemoteState::Canceled | RemoteState::Declined)).count()
    }

    pub fn orders(&self) -> Vec<String> {
        let orders = self.run(self.till().store.orders(OrderFilter::default())).expect("orders");
        orders.iter().map(|order| order.state.name().to_owned()).collect()
    }

    /// Units of the small lamp that are promised.
    pub fn held(&self) -> i64 {
        let counted = self.run(self.till().store.stock_snapshot()).expect("stock");
        counted.levels.iter().find(|level| level.sku.as_str() == "LAMP-S").map_or(0, |level| level.reserved)
    }

    /// The operator's page of that path.
    pub fn operator(&self, path: &str) -> (u16, String) {
        use http_body_util::BodyExt;
        let request = http::Request::builder().uri(path).body(()).expect("a request");
        let response = vitrine::edge::operator::respond(&self.app, &request);
        let status = response.status().as_u16();
        let body = self.run(response.into_body().collect()).expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    /// The value of a series.
    pub fn metric(&self, series: &str) -> f64 {
        let (_, page) = self.operator("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in {page}")).parse().expect("a number")
    }
}

fn seam(health_of: Arc<Mutex<Health>>) -> Seam {
    Seam(Arc::new(move |moment| {
        let now = health(&health_of);
        Box::pin(async move {
            match (now, moment) {
                (Health::Well, _) | (_, Moment::Committed) | (Health::ReadOnly, Moment::Look) => Ok(()),
                (Health::Down | Health::ReadOnly, _) => Err(StoreError::Engine("the disk is gone".to_owned())),
                (Health::Slow, _) => Err(StoreError::Busy),
                (Health::Wrong, _) => Err(StoreError::Corrupt("nobody wrote this".to_owned())),
            }
        })
    }))
}

fn scripted(sandbox: Sandbox, health_of: Arc<Mutex<Health>>, calls: Arc<Mutex<Vec<&'static str>>>) -> Gateway {
    let gateway = Gateway::Sandbox(sandbox);
    let (ledger, health_of_refunds) = (gateway.clone(), health_of.clone());
    let script = move |call: Call| -> vitrine::gateway::scripted::Said {
        let (gateway, now) = (gateway.clone(), health(&health_of));
        calls.lock().expect("unharmed").push(match &call {
            Call::Create { .. } => "create",
            Call::Fetch { .. } => "fetch",
            Call::Lookup { .. } => "lookup",
            Call::Capture { .. } => "capture",
            Call::Cancel { .. } => "cancel",
            Call::Refund { .. } => "refund",
        });
        Box::pin(async move {
            if now == Health::Down {
                return Outcome::Unknown("no route to it".to_owned());
            }
            let done = answer(&gateway, call).await;
            match now {
                Health::Slow => std::future::pending().await,
                Health::Wrong => mistaken(done),
                Health::Well | Health::Down | Health::ReadOnly => done,
            }
        })
    };
    let list = |_, _| -> Listing { Box::pin(async { Outcome::Rejected("this gateway lists no payments".to_owned()) }) };
    let refunds = move |reference: String| -> Refunds {
        let (ledger, now) = (ledger.clone(), health(&health_of_refunds));
        Box::pin(async move {
            match now {
                Health::Well => ledger.refunds(&reference).await,
                _ => Outcome::Unknown("no route to it".to_owned()),
            }
        })
    };
    let capabilities = Capabilities { lists_payments: false, ..CAPABILITIES };
    Gateway::Scripted(Scripted::new(capabilities, script, list, refunds))
}

/// What a gateway makes of a call.
pub async fn answer(gateway: &Gateway, call: Call) -> Outcome<Option<RemotePayment>> {
    let one = |outcome| match outcome {
        Outcome::Done(payment) => Outcome::Done(Some(payment)),
        Outcome::Accepted => Outcome::Accepted,
        Outcome::Rejected(reason) => Outcome::Rejected(reason),
        Outcome::Unknown(reason) => Outcome::Unknown(reason),
    };
    match call {
        Call::Create { key, body } => one(gateway.create(&key, &body).await),
        Call::Fetch { reference } => one(gateway.fetch(&reference).await),
        Call::Lookup { key } => gateway.lookup(&key, Span::from(Timestamp(0))).await,
        Call::Capture { key, reference } => one(gateway.capture(&key, &reference).await),
        Call::Cancel { key, reference } => one(gateway.cancel(&key, &reference).await),
        Call::Refund { key, reference, amount } => one(gateway.refund(&key, &reference, amount).await),
    }
}

/// A payment of real money, in a shop that takes play money.
fn mistaken(done: Outcome<Option<RemotePayment>>) -> Outcome<Option<RemotePayment>> {
    match done {
        Outcome::Done(Some(payment)) => Outcome::Done(Some(RemotePayment { live: !payment.live, ..payment })),
        other => other,
    }
}

fn mailer(health_of: Arc<Mutex<Health>>, mails: Arc<Mutex<Vec<String>>>) -> Mailer {
    Mailer::Scripted(Script(Arc::new(move |name, _| {
        let (now, mails) = (health(&health_of), Arc::clone(&mails));
        Box::pin(async move {
            if matches!(now, Health::Well | Health::Slow) {
                mails.lock().expect("unharmed").push(name);
            }
            if now == Health::Well { Ok(()) } else { Err(MailError::Server("451 not now".to_owned())) }
        })
    })))
}
