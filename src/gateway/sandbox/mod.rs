//! Sandbox: a hosted gateway with play money, embedded.
//!
//! Owns    its ledger (an SQLite file of its own, so that it outlives our crashes like a real gateway's), its test cards and its pages
//!         under `/checkout/sandbox/`. The shop learns of a payment only as it would from a real one: by redirect and by fetching.
//! Limits  no card number is kept: brand and last four digits are.
//! Always  same key, same bytes, same answer; same key, other bytes: rejected.

mod cards;
mod ledger;
mod pages;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

pub use self::pages::{PageReply, PageRequest};

use self::ledger::Ledger;
use super::capabilities::{Capabilities, Idempotency, Modification, Webhook, iso_exponent};
use super::{Listed, Outcome, Page, RefundWish, RemotePayment};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::refund::RefundReport;

/// What the sandbox can do: all that a good gateway can.
pub const CAPABILITIES: Capabilities = Capabilities {
    name: "sandbox",
    label: "Test card",
    idempotency: Idempotency::Keyed { ttl_seconds: 24 * 60 * 60, saves_errors: false, replays_latest: true },
    webhook: Webhook::None,
    modification: Modification::Sync,
    auth_window_seconds: |_| Some(7 * 24 * 60 * 60),
    can_cancel_open: true,
    lookup_by_reference: true,
    lists_payments: true,
    page_seconds: (1, i64::MAX),
    exponent: iso_exponent,
    min_amount_minor: |_| 1,
    step_minor: |_| 1,
    late_seconds: 0,
    live: false,
};

/// Path below which the sandbox's own pages stand.
pub const PAGES: &str = "/checkout/sandbox/";

/// The sandbox gateway. Clones share one ledger.
#[derive(Clone, Debug)]
pub struct Sandbox {
    ledger: Arc<Mutex<Ledger>>,
    base_url: Arc<str>,
    clock: Clock,
}

/// A gateway has a clock of its own.
#[derive(Clone)]
struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// Why the sandbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Play money on a shop that strangers can reach.
    #[error(
        "the sandbox gateway takes play money, and {base_url} is not a loopback address; set a real gateway in site.toml, or \
         `allow_sandbox_on_public_host = true` under [payment] for a demonstration"
    )]
    PublicHost {
        /// The shop's base URL.
        base_url: String,
    },
    /// The ledger file cannot be used.
    #[error("the sandbox's ledger cannot be used: {0}")]
    Ledger(#[from] rusqlite::Error),
}

impl Sandbox {
    /// Opens the ledger at `path` (`:memory:` for tests). `base_url` is the shop's own, for the address of the sandbox's pages.
    ///
    /// Errors: `PublicHost` where `base_url` is not loopback and `allow_public` was not given.
    pub fn open(path: &Path, base_url: &str, allow_public: bool) -> Result<Self, SandboxError> {
        if !allow_public && !is_loopback(base_url) {
            return Err(SandboxError::PublicHost { base_url: base_url.to_owned() });
        }
        let ledger = Ledger::open(path)?;
        let clock = Clock(Arc::new(|| Timestamp(jiff::Timestamp::now().as_second())));
        Ok(Self { ledger: Arc::new(Mutex::new(ledger)), base_url: base_url.trim_end_matches('/').into(), clock })
    }

    /// The same by another clock than the system's, for tests.
    pub fn timed_by(self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clock: Clock(Arc::new(now)), ..self }
    }

    pub(super) async fn create(&self, key: &str, body: &[u8]) -> Outcome<RemotePayment> {
        let (key, body, now) = (key.to_owned(), body.to_vec(), (self.clock.0)());
        self.call(move |ledger| ledger.create(&key, &body, now)).await
    }

    pub(super) async fn fetch(&self, reference: &str) -> Outcome<RemotePayment> {
        let reference = reference.to_owned();
        self.call(move |ledger| ledger.fetch(&reference)).await
    }

    pub(super) async fn lookup(&self, key: &str) -> Outcome<Option<RemotePayment>> {
        let key = key.to_owned();
        let found = self.ask(move |ledger| ledger.lookup(&key)).await;
        match found {
            Ok(payment) => Outcome::Done(payment.map(|payment| self.with_url(payment))),
            Err(error) => Outcome::Unknown(error.to_string()),
        }
    }

    pub(super) async fn capture(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        let (key, reference) = (key.to_owned(), reference.to_owned());
        self.call(move |ledger| ledger.capture(&key, &reference)).await
    }

    pub(super) async fn cancel(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        let (key, reference) = (key.to_owned(), reference.to_owned());
        self.call(move |ledger| ledger.cancel(&key, &reference)).await
    }

    pub(super) async fn refund(&self, key: &str, reference: &str, amount: Money) -> Outcome<RemotePayment> {
        let (key, wish, now) = (key.to_owned(), RefundWish { reference: reference.to_owned(), amount }, (self.clock.0)());
        self.call(move |ledger| ledger.refund(&key, &wish, now)).await
    }

    pub(super) async fn send_refund(&self, key: &str, body: &[u8]) -> Outcome<RefundReport> {
        let wish = match RefundWish::read(body) {
            Ok(wish) => wish,
            Err(outcome) => return outcome,
        };
        if let Err(outcome) = self.refund(key, &wish.reference, wish.amount).await.done() {
            return outcome;
        }
        match self.refunds(&wish.reference).await.done() {
            Ok(made) => match made.into_iter().find(|refund| refund.key.as_deref() == Some(key)) {
                Some(refund) => Outcome::Done(refund),
                None => Outcome::Unknown("the refund is not in the ledger".to_owned()),
            },
            Err(outcome) => outcome,
        }
    }

    pub(super) async fn refunds(&self, reference: &str) -> Outcome<Vec<RefundReport>> {
        let reference = reference.to_owned();
        match self.ask(move |ledger| ledger.refunds(&reference)).await {
            Ok(refunds) => Outcome::Done(refunds),
            Err(error) => Outcome::Unknown(error.to_string()),
        }
    }

    pub(super) async fn payments(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Listed>> {
        let after = after.map(str::to_owned);
        match self.ask(move |ledger| ledger.list(since, after.as_deref())).await {
            Ok((listed, next)) => {
                let with_url = |listed: Listed| Listed { payment: self.with_url(listed.payment), ..listed };
                Outcome::Done((listed.into_iter().map(with_url).collect(), next))
            }
            Err(error) => Outcome::Unknown(error.to_string()),
        }
    }

    /// Every payment the ledger knows, oldest first: the independent witness of tests.
    ///
    /// Errors: the ledger file cannot be read.
    pub async fn all_payments(&self) -> Result<Vec<RemotePayment>, SandboxError> {
        Ok(self.ask(|ledger| ledger.all()).await?)
    }

    async fn call(
        &self,
        work: impl FnOnce(&mut Ledger) -> rusqlite::Result<Result<RemotePayment, String>> + Send + 'static,
    ) -> Outcome<RemotePayment> {
        match self.ask(work).await {
            Ok(Ok(payment)) => Outcome::Done(self.with_url(payment)),
            Ok(Err(reason)) => Outcome::Rejected(reason),
            Err(error) => Outcome::Unknown(error.to_string()),
        }
    }

    // SQLite blocks: never on a thread that serves other shoppers.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let ledger = Arc::clone(&self.ledger);
        let done = tokio::task::spawn_blocking(move || work(&mut ledger.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.unwrap_or_else(|_| Err(rusqlite::Error::InvalidQuery))
    }

    fn with_url(&self, mut payment: RemotePayment) -> RemotePayment {
        let open = payment.state == super::RemoteState::Open;
        payment.redirect_url = open.then(|| format!("{}{PAGES}{}", self.base_url, payment.reference));
        payment
    }
}

/// Whether a base URL names this machine and no other can reach it.
pub fn is_loopback(base_url: &str) -> bool {
    let Ok(uri) = base_url.parse::<http::Uri>() else { return false };
    match uri.host() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
