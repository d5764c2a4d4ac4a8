//! App: the handles that every request shares.
//!
//! Owns    the live bundle, the keys, the snapshot of stock and the clock; which of them are swapped while running.
//! Always  a request loads the live bundle once and keeps it to its end, whatever is swapped meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::desk::Desk;
use super::drafts;
use super::front::OriginSecrets;
use super::http::Mount;
use super::key_ring::KeyRing;
use super::limits::bucket::Bucket;
use super::limits::clients::Clients;
use super::limits::shed::{Gate, Strain, Weight};
use super::live::Live;
use super::perform::services::Services;
use super::perform::{PAYMENTS_PER_SECOND, Till};
use super::router::Router;
use super::routes::beacon;
use crate::commerce::ids::{CartId, SkuHash, Timestamp};
use crate::store::aggregates::Aggregates;
use crate::telemetry::requests::RequestMetrics;
use crate::telemetry::tally::Tally;

/// What the edge needs to answer.
#[derive(Debug)]
pub struct App {
    /// The bundle that is served now.
    pub live: ArcSwap<Live>,
    /// Why a newer bundle was refused, for `/readyz`; `None` while all is well.
    pub refused: ArcSwap<Option<String>>,
    /// Secrets of cart tokens and links.
    pub keys: KeyRing,
    /// Limits and times.
    pub settings: Settings,
    /// What is in stock and which coupons are used up, as of the last look.
    pub stock: ArcSwap<StockSnapshot>,
    /// The instant, to be asked once per request.
    pub clock: Clock,
    /// Where money is taken; without it carts are served and checkouts are not.
    pub till: Option<Arc<Till>>,
    /// Paths that another room answers (the sandbox's pages), by prefix.
    pub mounts: Vec<Mount>,
    /// Every route.
    pub router: Router,
    /// Counts and times of requests.
    pub metrics: RequestMetrics,
    /// How full the edge is.
    pub gate: Gate,
    /// Who may be let in for those who are inside to be answered in time.
    pub strain: Strain,
    /// What the shop's host shows with each request; without any, nobody is asked for it.
    pub origin: OriginSecrets,
    /// How fast each shopper may open and pay checkouts.
    pub clients: Clients,
    /// How fast each shopper may name customers by whom promotions are judged.
    pub naming: Clients,
    /// This process's name among those that write down what they counted.
    pub name: String,
    /// What happens here, counted by the hour.
    pub tally: Tally,
    /// Where that is written down; `None`: nowhere.
    pub aggregates: Option<Aggregates>,
    /// Held by whoever writes it down.
    pub writing: tokio::sync::Mutex<()>,
    /// How fast pages of each network may tell of themselves.
    pub telling: Clients,
    /// The same of all pages together.
    pub listening: Mutex<Bucket>,
    /// Systems of the merchant's own that are asked while a shopper waits.
    pub services: Services,
    /// Pages of those who run the shop.
    pub desk: Desk,
    next_request: AtomicU64,
    leaving: AtomicBool,
}

/// Limits and times of the server; every one can be set in the environment of `vitrine edge`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Time in which a request's head has to be here, also the longest idle keep-alive.
    pub head_timeout: Duration,
    /// Time in which a request's body has to be here.
    pub body_timeout: Duration,
    /// Time between SIGTERM and the last connection that is taken: whoever leads shoppers here has to hear that it is not ready.
    pub leave_time: Duration,
    /// Time that requests in flight get after that.
    pub drain_timeout: Duration,
    /// Requests under way at which the edge is full; what is least important is refused before that.
    pub max_in_flight: usize,
    /// How long a request may wait for this process before the least important are refused; zero: for ever.
    pub target_wait: Duration,
    /// New payments that may begin each second; more are refused before anything is written.
    pub payments_per_second: u32,
    /// How long a shopper waits for the gateway.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            head_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(10),
            leave_time: Duration::ZERO,
            drain_timeout: Duration::from_secs(20),
            max_in_flight: 4_000,
            target_wait: Duration::from_millis(20),
            payments_per_second: PAYMENTS_PER_SECOND,
            patience: Duration::from_secs(10),
        }
    }
}

/// Stock as one query a second told it. Absent SKUs have the bundle's opening stock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StockSnapshot {
    /// Units that can be sold (on hand less reserved).
    pub available: BTreeMap<SkuHash, u32>,
    /// Ids of promotions whose uses are all taken.
    pub used_up: Vec<String>,
}

/// Where the instant comes from: the system, or a test.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// When the process began; `None`: a test's clock, which nobody waits for.
    began: Option<Instant>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        let now = Arc::new(|| Timestamp(jiff::Timestamp::now().as_second()));
        Self { now, began: Some(Instant::now()) }
    }

    /// A clock of one's own.
    pub fn of(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), began: None }
    }

    /// The instant.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Milliseconds that only go forward, whoever sets the system's clock; for limits. A test's clock tells whole seconds.
    pub fn ticks(&self) -> u64 {
        match self.began {
            Some(began) => u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            None => self.now().0.unsigned_abs() * 1_000,
        }
    }

    /// Lets so many milliseconds pass. A test's clock is moved by the test alone: there it is no time at all.
    pub async fn wait(&self, ms: u64) {
        if self.began.is_some() {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl App {
    /// An app that serves `live`, with an empty snapshot of stock and nothing mounted.
    pub fn new(live: impl Into<Arc<Live>>, keys: KeyRing, settings: Settings, clock: Clock) -> Self {
        let router = Router::new();
        let mut metrics = RequestMetrics::new(router.names(), &Weight::SHED.map(Weight::name));
        let tally = Tally::default();
        tally.metrics.register(metrics.registry());
        Self {
            live: ArcSwap::new(live.into()),
            refused: ArcSwap::from_pointee(None),
            keys,
            stock: ArcSwap::from_pointee(StockSnapshot::default()),
            clock,
            till: None,
            mounts: Vec::new(),
            metrics,
            name: format!("{:016x}", random_u64()),
            tally,
            aggregates: None,
            writing: tokio::sync::Mutex::default(),
            telling: Clients::at(beacon::BURST, beacon::RATE),
            listening: Mutex::new(Bucket::new(beacon::BURST_OF_ALL, beacon::RATE_OF_ALL)),
            gate: Gate::new(settings.max_in_flight),
            strain: Strain::default(),
            origin: OriginSecrets::default(),
            clients: Clients::default(),
            naming: Clients::at(drafts::NAMES_AT_ONCE, drafts::NAMES_A_SECOND),
            services: Services::default(),
            desk: Desk::default(),
            settings,
            router,
            next_request: AtomicU64::new(random_u64()),
            leaving: AtomicBool::new(false),
        }
    }

    /// Says that this edge is about to stop: it is not ready any more, and whoever asks it is asked to ask another next time.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether this edge is about to stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// The name of a new request in logs and problems: unique in this process, and as good as unique among several.
    pub fn request_id(&self) -> String {
        format!("{:016x}", self.next_request.fetch_add(1, Ordering::Relaxed))
    }

    /// A lot from 0 to 1, evenly drawn, for a decision that need not be secret.
    pub fn lot(&self) -> f64 {
        // Each request has a number of its own; its bits are mixed, so that neighbours have nothing in common (SplitMix64's last step).
        let number = self.next_request.load(Ordering::Relaxed);
        let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 33) as f64 / f64::from(1_u32 << 31)
    }

    /// A fresh cart's name.
    pub fn cart_id(&self) -> CartId {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system's randomness never fails once the process has started");
        CartId(bytes)
    }
}

fn random_u64() -> u64 {
    getrandom::u64().expect("the system's randomness never fails once the process has started")
}
