//! `vitrine edge`: the cart and checkout server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::keys::ORIGIN_SECRETS;
use super::pause::Action;
use super::shelf::BesideEdge;
use super::till::{self, Places};
use super::{CommandError, STATE, STATE_FOLDER, keys, webhooks};
use crate::edge::app::{App, Clock, Settings};
use crate::edge::bundle_file::BundleFile;
use crate::edge::front::OriginSecrets;
use crate::edge::live::{Live, is_loopback};
use crate::edge::pointed::Pointed;
use crate::edge::{operator, server};
use crate::publish::service::follow;

/// Secrets are in the environment alone, where no list of processes shows them.
const SECRETS: &str = "Secrets, from the environment only:
  VITRINE_BUNDLE_PUBLIC_KEYS       Keys whose bundles are taken [default: the development key]
  VITRINE_TOKEN_KEYS               Keys of carts and links, the newest first [default: a development key]
  VITRINE_ORIGIN_SECRETS           What the shop's host shows in the header that site.toml names, separated by commas; any is taken
  VITRINE_SMTP_URL                 smtps://user:password@host sends mail [default: mails are files in the state folder]
  VITRINE_STRIPE_SECRET_KEY        Stripe's secret or restricted key, where the shop takes money by Stripe
  VITRINE_STRIPE_PUBLISHABLE_KEY   Its publishable key, of the same mode, where Stripe's form stands on the shop's page
  VITRINE_STRIPE_WEBHOOK_SECRETS   Secrets of the webhook endpoint /api/v1/webhooks/stripe, separated by commas
  VITRINE_PRICING_TOKEN            What is shown to the pricing service of [pricing], as a bearer token
  VITRINE_INVENTORY_TOKEN          The same of the inventory service of [inventory]
  VITRINE_WEBHOOK_SECRET_NAME      Secrets of the webhook NAME of site.toml, separated by commas; all of them sign
  VITRINE_STRIPE_API_BASE          Where Stripe's API is, for tests: https, or this machine";

/// Every setting can be given in the environment.
#[derive(Debug, clap::Args)]
#[command(after_help = SECRETS)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// The shop: a file that `vitrine build` wrote, or where `vitrine publish` has put pointer and bundles (s3://BUCKET/PREFIX,
    /// gs://…, az://…, file:///…); taken anew whenever it changes
    #[arg(long, env = "VITRINE_BUNDLE", value_name = "FILE|URL", default_value = "shop.bundle")]
    bundle: String,
    /// Address for shoppers
    #[arg(long, env = "VITRINE_LISTEN", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Address for operators: /desk, their pages, and /healthz, /readyz, /metrics for machines
    #[arg(long, env = "VITRINE_OPERATOR", default_value = "127.0.0.1:9081")]
    operator: SocketAddr,
    /// Folder of development keys, of the count of bundles, of the sandbox's ledger and of mails in development
    #[arg(long, global = true, env = STATE, default_value = STATE_FOLDER)]
    state: PathBuf,
    #[command(flatten)]
    beside: BesideEdge,
    /// Mebibytes of the store's disk that are kept for payments under way: when it is full, new ones are refused first; 0: none
    #[arg(long, env = "VITRINE_RESERVE_MIB", value_name = "MIB", default_value_t = 64)]
    reserve_mib: u32,
    /// Refuse bundles of any other shop
    #[arg(long, env = "VITRINE_SHOP")]
    shop: Option<String>,
    /// Compare the gateway's payments with the orders before anybody can pay, whatever the store says of itself
    #[arg(long, env = "VITRINE_RECONCILE")]
    reconcile: bool,
    /// Connections at once
    #[arg(long, env = "VITRINE_MAX_CONNECTIONS", default_value_t = Settings::default().max_connections)]
    max_connections: usize,
    /// Milliseconds in which a request's head has to arrive
    #[arg(long, env = "VITRINE_HEAD_TIMEOUT_MS", default_value_t = milliseconds(Settings::default().head_timeout))]
    head_timeout_ms: u64,
    /// Milliseconds in which a request's body has to arrive
    #[arg(long, env = "VITRINE_BODY_TIMEOUT_MS", default_value_t = milliseconds(Settings::default().body_timeout))]
    body_timeout_ms: u64,
    /// Milliseconds after SIGTERM in which /readyz says 503 and connections are still taken; a second signal ends them
    #[arg(long, env = "VITRINE_LEAVE_TIME_MS", default_value_t = milliseconds(Settings::default().leave_time))]
    leave_time_ms: u64,
    /// Milliseconds that requests in flight get after that
    #[arg(long, env = "VITRINE_DRAIN_TIMEOUT_MS", default_value_t = milliseconds(Settings::default().drain_timeout))]
    drain_timeout_ms: u64,
    /// New payments that may begin each second; more are told to come again, and nothing is held for them
    #[arg(long, env = "VITRINE_PAYMENTS_PER_SECOND", default_value_t = Settings::default().payments_per_second, value_parser = clap::value_parser!(u32).range(1..))]
    payments_per_second: u32,
    /// Requests under way at which the edge is full: from half of it on the least important are refused
    #[arg(long, env = "VITRINE_MAX_IN_FLIGHT", default_value_t = Settings::default().max_in_flight)]
    max_in_flight: usize,
    /// Milliseconds that a request may wait for this process before the least important are refused; 0: for ever
    #[arg(long, env = "VITRINE_TARGET_WAIT_MS", default_value_t = milliseconds(Settings::default().target_wait))]
    target_wait_ms: u64,
    /// Milliseconds that a shopper waits for the gateway; what is not known by then is shown as being checked, and goes on
    #[arg(long, env = "VITRINE_PATIENCE_MS", default_value_t = milliseconds(Settings::default().patience))]
    patience_ms: u64,
}

impl Args {
    fn settings(&self) -> Settings {
        Settings {
            max_connections: self.max_connections.max(1),
            head_timeout: Duration::from_millis(self.head_timeout_ms),
            body_timeout: Duration::from_millis(self.body_timeout_ms),
            leave_time: Duration::from_millis(self.leave_time_ms),
            drain_timeout: Duration::from_millis(self.drain_timeout_ms),
            max_in_flight: self.max_in_flight.max(1),
            target_wait: Duration::from_millis(self.target_wait_ms),
            payments_per_second: self.payments_per_second,
            patience: Duration::from_millis(self.patience_ms),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let shelf = args.beside.shelf_in(&args.state)?;
    if let Some(action) = args.action {
        return super::pause::run(action, &shelf);
    }
    super::log::start()?;
    let edge_keys = keys::edge_keys(&args.state)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| CommandError::World(format!("no threads: {error}")))?;
    let (state, keys, shop) = (args.state.clone(), edge_keys.bundle, args.shop.clone());
    let development_keys = edge_keys.development;
    let origin = if args.bundle.contains("://") {
        let (store, prefix) = follow(&args.bundle)?;
        Origin::Pointed(Pointed { store, prefix, state, keys, development_keys, shop })
    } else {
        Origin::File(BundleFile { path: PathBuf::from(&args.bundle), state, keys, development_keys, shop })
    };
    let loaded = match &origin {
        Origin::File(file) => file.load(),
        Origin::Pointed(pointed) => runtime.block_on(pointed.load()),
    };
    let live = loaded.map_err(|error| CommandError::World(error.to_string()))?;
    webhooks::check_secrets(&live.bundle)?;
    shelf.check(live.bundle.keeper)?;
    // The pool of mail connections starts a task of its own when it is made.
    let _entered = runtime.enter();
    let mut app = App::new(live, edge_keys.tokens, args.settings(), Clock::system());
    app.origin = origin_secrets(&app.live.load())?;
    let reserve_bytes = u64::from(args.reserve_mib) * 1024 * 1024;
    till::open(&mut app, &Places { shelf, state: args.state.clone(), reserve_bytes })?;
    if let Some(till) = app.till.as_ref().filter(|_| args.reconcile) {
        till.doubt();
    }
    let app = Arc::new(app);
    runtime.block_on(run_until_told(app, origin, &args))
}

/// The secrets in the environment; as few as none where the shop names no header for them.
///
/// Errors: there is none, or one is no secret.
fn origin_secrets(live: &Live) -> Result<OriginSecrets, CommandError> {
    match (std::env::var(ORIGIN_SECRETS), &live.front.secret_header) {
        (Ok(text), _) => OriginSecrets::list(&text).map_err(|reason| CommandError::Usage(format!("{ORIGIN_SECRETS}: {reason}"))),
        (Err(_), None) => Ok(OriginSecrets::default()),
        (Err(_), Some(header)) => Err(CommandError::Usage(format!(
            "the shop's host shows a secret in the header `{header}`: set {ORIGIN_SECRETS} to it, or to several while it is \
             changed, separated by commas; `vitrine keygen` makes one"
        ))),
    }
}

/// Where bundles come from.
enum Origin {
    File(BundleFile),
    Pointed(Pointed),
}

async fn run_until_told(app: Arc<App>, origin: Origin, args: &Args) -> Result<(), CommandError> {
    let shoppers = bind(args.listen, "--listen or VITRINE_LISTEN").await?;
    let operators = bind(args.operator, "--operator or VITRINE_OPERATOR").await?;
    till::start(&app).await?;
    // Whoever reads that it listens may ask it to stop at once.
    let mut stops = Stops::heard()?;
    tell_start(&app, &shoppers, &operators);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    // Operators are answered until the last shopper is.
    let (close, closed) = tokio::sync::watch::channel(false);
    match origin {
        Origin::File(file) => tokio::spawn(file.watch(app.clone())),
        Origin::Pointed(pointed) => tokio::spawn(pointed.watch(app.clone())),
    };
    let operated = app.clone();
    let answer = move |request| {
        let app = operated.clone();
        async move { operator::answer_all(&app, request).await }
    };
    tokio::spawn(server::serve(operators, Settings::default(), answer, told(closed)));
    let ended = app.clone();
    let serving = tokio::spawn(server::serve_app(app, shoppers, told(stopped)));
    stops.next().await;
    ended.leave();
    if !ended.settings.leave_time.is_zero() {
        tracing::info!("asked to stop: not ready any more, and still serving");
        let _ = tokio::time::timeout(ended.settings.leave_time, stops.next()).await;
    }
    tracing::info!("asked to stop: requests in flight are finished");
    let _ = stop.send(true);
    failpoint!("K40");
    serving.await.map_err(|error| CommandError::World(format!("the server ended badly: {error}")))?;
    till::stop(&ended).await;
    let _ = close.send(true);
    Ok(())
}

fn tell_start(app: &App, shoppers: &TcpListener, operators: &TcpListener) {
    let live = app.live.load();
    let address = |listener: &TcpListener| listener.local_addr().map_or_else(|_| "?".to_owned(), |address| address.to_string());
    let name = &live.sites[0].name;
    eprintln!("{name}: cart and checkout on http://{}", address(shoppers));
    if !live.front.is_known() && !is_loopback(&live.sites[0].base_url) {
        eprintln!(
            "warning: nobody said what stands before this edge, so that a shopper's address is not known and no single one is held \
             back: write trusted_proxies = [\"10.0.0.0/8\"] under [edge] in site.toml, or [] where shoppers ask it directly"
        );
    }
    let operated = address(operators);
    eprintln!("  bundle {:.12}, sequence {}; for operators: http://{operated}/readyz", live.hash, live.sequence);
    eprintln!("  orders and stock: http://{operated}/desk");
}

pub(super) async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|error| {
        CommandError::World(match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("{address} is in use: another program listens there; choose another address with {setting}")
            }
            _ => format!("{address} cannot be listened on ({error}); choose another address with {setting}"),
        })
    })
}

async fn told(mut stopped: tokio::sync::watch::Receiver<bool>) {
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}

/// Signals that ask a server to stop.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    /// Hears them from now on.
    pub(super) fn heard() -> Result<Self, CommandError> {
        let failed = |error| CommandError::World(format!("signals cannot be heard: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Waits for one that was not told yet.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
