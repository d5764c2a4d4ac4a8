//! Faulty: a gateway that speaks Stripe's wire form and fails in every way a gateway can.
//!
//! Owns    its own ledger file, which outlives whoever it serves and is the witness of what was charged; sessions with a page to pay on;
//!         keys with saved answers; signed webhooks. Faults F1 to F24 of CHECKOUT.md 5.10, by script or by seed, one per call.
//! Knows   nothing of the shop. Used inside a test (`Faulty::start`), and as a program of its own for tests that kill the shop.

pub mod faults;
pub mod hooks;
mod intents;
mod ledger;
mod page;
mod server;
mod wire;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use self::faults::{Fault, Plan};
use self::hooks::HookFault;
use self::ledger::Ledger;

/// The key that calls have to carry.
pub const SECRET_KEY: &str = "sk_test_faulty";
/// The secret that webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_faulty";
/// The one API version that is spoken.
pub const VERSION: &str = "2026-09-30.endive";

/// Seconds since 1970, by the test's clock or the system's.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// A call as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Method and path, such as `POST /v1/refunds`.
    pub line: String,
    /// Query of a GET.
    pub query: String,
    /// Idempotency key.
    pub key: String,
    /// Body.
    pub body: String,
    /// What was answered; 0: nothing.
    pub status: u16,
}

/// The gateway, listening on a port of this machine until it is dropped.
pub struct Faulty {
    /// Where its API is.
    pub base: String,
    pub(crate) shared: Arc<Shared>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

pub(crate) struct Shared {
    ledger: Mutex<Ledger>,
    plan: Mutex<Plan>,
    hooks: Mutex<HookFault>,
    hook_url: Mutex<Option<String>>,
    base: String,
    clock: Clock,
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it holds the ledger")
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("nothing panics while it holds the plan")
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }
}

impl Faulty {
    /// Opens the ledger and listens on a port (0: a free one).
    pub fn start(ledger: &Path, port: u16, clock: Clock) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        listener.set_nonblocking(true).expect("tokio wants it so");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let shared = Arc::new(Shared {
            ledger: Mutex::new(Ledger::open(ledger)),
            plan: Mutex::default(),
            hooks: Mutex::default(),
            hook_url: Mutex::default(),
            base: base.clone(),
            clock,
        });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let served = shared.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
            runtime.block_on(server::serve(listener, served, stopped));
        });
        Self { base, shared, _stop: stop }
    }

    /// Where webhooks go.
    pub fn hook_to(&self, url: &str) {
        *self.shared.hook_url.lock().expect("nothing panics with it") = Some(url.to_owned());
    }

    /// The next call of that operation (`create`, `fetch`, `list`, `payments`, `expire`, `capture`, `cancel`, `refund`, `events`) fails in that way.
    pub fn script(&self, operation: &str, fault: Fault) {
        self.shared.plan().script(operation, fault);
    }

    /// Calls fail by chance, so many of a hundred.
    pub fn seed(&self, seed: u64, percent: u64) {
        self.shared.plan().seed(seed, percent);
    }

    /// How webhooks go wrong from now on.
    pub fn hooks_go(&self, fault: HookFault) {
        *self.shared.hooks.lock().expect("nothing panics with it") = fault;
    }

    /// Sends the webhooks that wait, each once; gives the statuses in the order they were sent.
    pub async fn deliver(&self) -> Vec<u16> {
        hooks::deliver(&self.shared).await
    }

    /// Does now what was put off: calls that arrived late, and those that failed and are rolled forward.
    pub fn act_late(&self) -> usize {
        server::act_late(&self.shared)
    }

    /// What the shopper does at the page, without the page.
    pub fn give_card(&self, session: &str, number: &str) -> String {
        page::give_card(&self.shared, session, number)
    }

    /// A payment by a delayed method: it is being processed from now on.
    pub fn pay_slowly(&self, session: &str) {
        self.shared.ledger().transact(|tx| wire::pay_slowly(tx, session, self.shared.now()));
    }

    /// How that ends.
    pub fn end_slow(&self, session: &str, succeeds: bool) {
        self.shared.ledger().transact(|tx| wire::end_slow(tx, session, succeeds, self.shared.now()));
    }

    /// Holds that were not taken run out.
    pub fn expire_holds(&self) {
        self.shared.ledger().transact(|tx| wire::expire_holds(tx, self.shared.now()));
    }

    /// Somebody gives money back at the gateway's own pages, with no name of ours on it; the bank takes its time.
    pub fn refund_by_hand(&self, intent: &str, amount: i64) {
        let form =
            [("payment_intent", intent), ("amount", &amount.to_string())].map(|(name, text)| (name.to_owned(), text.to_owned()));
        self.shared.ledger().transact(|tx| wire::refund(tx, &form.to_vec(), true, self.shared.now()));
    }

    /// The customer disputes a payment at the bank, or that moves on.
    pub fn dispute(&self, intent: &str, status: &str) {
        self.shared.ledger().transact(|tx| wire::dispute(tx, intent, status, self.shared.now()));
    }

    /// Something of another program's on the same account.
    pub fn put(&self, object: &Value) {
        self.shared.ledger().transact(|tx| tx.put(object));
    }

    /// The shop's key is another account's by now: nobody knows of that object there.
    pub fn forget(&self, id: &str) {
        self.shared.ledger().transact(|tx| tx.remove(id));
    }

    /// Refunds that were taken on fail at the bank.
    pub fn fail_refunds(&self) {
        self.shared.ledger().transact(|tx| wire::fail_refunds(tx, self.shared.now()));
    }

    /// Keys are as if they were never seen.
    pub fn forget_keys(&self) {
        self.shared.ledger().forget_keys();
    }

    /// Every call, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.ledger().calls()
    }

    /// Every object of a kind (`checkout.session`, `payment_intent`, `refund`, `event`), in order.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.shared.ledger().objects(kind)
    }

    /// What was taken and not given back: amounts in Stripe's units.
    pub fn captured(&self) -> Vec<i64> {
        let intents = self.objects("payment_intent");
        intents
            .iter()
            .filter(|intent| intent["status"] == "succeeded")
            .filter_map(|intent| intent["amount_received"].as_i64())
            .collect()
    }

    /// Holds that stand.
    pub fn held(&self) -> usize {
        self.objects("payment_intent").iter().filter(|intent| intent["status"] == "requires_capture").count()
    }
}
