//! Fake: two gateways of other shapes, in memory. One sends pings, forgets keys after an hour, takes money at once and calls nothing
//! off; the other takes every change on, does it later, and tells of it in batches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use http::HeaderMap;
use vitrine::commerce::ids::Timestamp;
use vitrine::commerce::money::Money;
use vitrine::commerce::refund::{RefundReport, RefundStanding};
use vitrine::gateway::capabilities::{Capabilities, Idempotency, Modification, Webhook};
use vitrine::gateway::scripted::{Call, Scripted};
use vitrine::gateway::{CreatePayment, Gateway, Listed, Outcome, Page, RemotePayment, RemoteState, sandbox};

use super::subject::{Hook, Subject};
use crate::faulty::faults::Fault;
use crate::support::edge::NOW;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Pings, one-hour keys, no calling off, money taken at once.
    Ping,
    /// Asynchronous, batched.
    Batch,
}

pub struct Fake {
    shape: Shape,
    now: Arc<AtomicI64>,
    ledger: Arc<Mutex<Ledger>>,
}

#[derive(Default)]
struct Ledger {
    payments: Vec<RemotePayment>,
    /// As they were before their last change.
    previous: Vec<RemotePayment>,
    /// Key → when, what, and which payment.
    keys: BTreeMap<String, (i64, Call, usize)>,
    script: VecDeque<(String, Fault)>,
    /// Calls that are done later.
    later: Vec<Call>,
    /// Refunds, each with the name of its payment.
    refunds: Vec<(String, RefundReport)>,
    /// References of payments that changed.
    news: Vec<String>,
}

impl Fake {
    pub fn open(shape: Shape) -> Self {
        Self { shape, now: Arc::new(AtomicI64::new(NOW.0)), ledger: Arc::default() }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics with it")
    }

    fn capabilities(&self) -> Capabilities {
        match self.shape {
            Shape::Ping => Capabilities {
                name: "pinging",
                label: "Ping",
                idempotency: Idempotency::Keyed { ttl_seconds: 3600, saves_errors: false, replays_latest: false },
                webhook: Webhook::Ping,
                lists_payments: false,
                modification: Modification::Sync,
                auth_window_seconds: |_| None,
                can_cancel_open: false,
                page_seconds: (60, 24 * 3600),
                late_seconds: 120,
                ..sandbox::CAPABILITIES
            },
            Shape::Batch => Capabilities {
                name: "batching",
                label: "Batch",
                idempotency: Idempotency::Keyed { ttl_seconds: 7 * 24 * 3600, saves_errors: false, replays_latest: true },
                webhook: Webhook::Batch,
                modification: Modification::Async,
                auth_window_seconds: |_| Some(28 * 24 * 3600),
                late_seconds: 120,
                ..sandbox::CAPABILITIES
            },
        }
    }

    fn change(&self, reference: &str, change: impl FnOnce(&mut RemotePayment)) {
        self.ledger().change(reference, change);
    }
}

impl Ledger {
    fn at(&self, reference: &str) -> Option<usize> {
        self.payments.iter().position(|payment| payment.reference == reference)
    }

    fn change(&mut self, reference: &str, change: impl FnOnce(&mut RemotePayment)) {
        let Some(at) = self.at(reference) else { return };
        self.previous[at] = self.payments[at].clone();
        change(&mut self.payments[at]);
        if self.payments[at] != self.previous[at] {
            self.news.push(reference.to_owned());
        }
    }
}

impl Ledger {
    /// Two of those opened since, the newest first.
    fn list(&mut self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Listed>> {
        if let Some(at) = self.script.iter().position(|(of, _)| of == "payments") {
            return Outcome::Unknown(format!("{:?}", self.script.remove(at)));
        }
        let upto = after.and_then(|after| self.at(after)).unwrap_or(self.payments.len());
        let made_at = |index: usize| {
            let opened = self.keys.values().find(|(_, call, at)| *at == index && matches!(call, Call::Create { .. }));
            Timestamp(opened.expect("it was opened").0)
        };
        let indices = (0..upto).rev().filter(|index| made_at(*index) >= since).take(2);
        let listed: Vec<Listed> =
            indices.map(|index| Listed { payment: self.payments[index].clone(), made_at: made_at(index) }).collect();
        let next = listed.last().filter(|_| listed.len() == 2).map(|last| last.payment.reference.clone());
        Outcome::Done((listed, next))
    }
}

impl Ledger {
    /// Refunds of a payment.
    fn told(&mut self, of: &str) -> Outcome<Vec<RefundReport>> {
        if let Some(at) = self.script.iter().position(|(of, _)| of == "refunds") {
            return Outcome::Unknown(format!("{:?}", self.script.remove(at)));
        }
        Outcome::Done(self.refunds.iter().filter(|(reference, _)| reference == of).map(|(_, refund)| refund.clone()).collect())
    }
}

fn operation(call: &Call) -> &'static str {
    match call {
        Call::Create { .. } => "create",
        Call::Fetch { .. } => "fetch",
        Call::Lookup { .. } => "list",
        Call::Capture { .. } => "capture",
        Call::Cancel { .. } => "cancel",
        Call::Refund { .. } => "refund",
    }
}

/// What a call meets.
fn answer(ledger: &mut Ledger, shape: Shape, ttl: i64, call: Call, now: i64) -> Outcome<Option<RemotePayment>> {
    let at = ledger.script.iter().position(|(of, _)| of == operation(&call));
    let fault = at.and_then(|at| ledger.script.remove(at)).map(|(_, fault)| fault);
    let unknown = || Outcome::Unknown(format!("{fault:?}"));
    match fault {
        Some(
            Fault::Refuse | Fault::BlackHole | Fault::Fail | Fault::InUse | Fault::TooMany | Fault::Locked | Fault::Unauthorized,
        ) => {
            return unknown();
        }
        Some(Fault::Late | Fault::FailThenRoll) => {
            ledger.later.push(call);
            return unknown();
        }
        Some(Fault::Stale) => {
            let Call::Fetch { reference } = &call else { return unknown() };
            return Outcome::Done(ledger.at(reference).map(|at| ledger.previous[at].clone()));
        }
        Some(Fault::Race) => {
            if let Call::Cancel { reference, .. } = &call {
                ledger.change(reference, |payment| pay(payment, shape));
            }
        }
        _ => {}
    }
    let outcome = keyed(ledger, shape, ttl, call, now, fault);
    match fault {
        Some(
            Fault::ActThenCut
            | Fault::FailActed
            | Fault::Truncated
            | Fault::Drip
            | Fault::Html
            | Fault::Redirect
            | Fault::Unavailable,
        ) => unknown(),
        _ => outcome,
    }
}

/// Does a call once per key, for as long as the key is known.
fn keyed(
    ledger: &mut Ledger,
    shape: Shape,
    ttl: i64,
    call: Call,
    now: i64,
    fault: Option<Fault>,
) -> Outcome<Option<RemotePayment>> {
    let key = match &call {
        Call::Create { key, .. } | Call::Capture { key, .. } | Call::Cancel { key, .. } | Call::Refund { key, .. } => key.clone(),
        Call::Fetch { reference } => return Outcome::Done(ledger.at(reference).map(|at| ledger.payments[at].clone())),
        Call::Lookup { key } => {
            let found = ledger.keys.get(key).map(|(_, _, at)| ledger.payments[*at].clone());
            return Outcome::Done(found);
        }
    };
    if let Some((since, before, at)) = ledger.keys.get(&key).filter(|(since, _, _)| now - since < ttl) {
        assert!(now - since < ttl, "a key that is forgotten is not found");
        if *before != call {
            return Outcome::Rejected("the key was used for something else".to_owned());
        }
        return match (&call, shape) {
            (Call::Create { .. }, _) | (_, Shape::Ping) => Outcome::Done(Some(ledger.payments[*at].clone())),
            (_, Shape::Batch) => Outcome::Accepted,
        };
    }
    match (&call, shape) {
        (Call::Create { body, .. }, _) => create(ledger, body, fault),
        // Changes are taken on where they can be done at all, and done later.
        (_, Shape::Batch) => match changed(&mut ledger.clone_of(&call), shape, &call) {
            Ok(()) => {
                ledger.later.push(call.clone());
                remember(ledger, &key, &call, now);
                return Outcome::Accepted;
            }
            Err(reason) => return Outcome::Rejected(reason),
        },
        (Call::Refund { reference, amount, .. }, Shape::Ping) if fault == Some(Fault::RefundPends) => {
            ledger.refunds.push((reference.clone(), made(&key, *amount, RefundStanding::UnderWay)));
            ledger.change(reference, |payment| payment.refunded_minor += amount.minor);
            remember(ledger, &key, &call, now);
            return Outcome::Accepted;
        }
        (_, Shape::Ping) => {
            if let Err(reason) = apply(ledger, shape, &call) {
                return Outcome::Rejected(reason);
            }
        }
    }
    let at = remember(ledger, &key, &call, now);
    Outcome::Done(Some(ledger.payments[at].clone()))
}

fn remember(ledger: &mut Ledger, key: &str, call: &Call, now: i64) -> usize {
    let at = match call {
        Call::Create { .. } => ledger.payments.len() - 1,
        Call::Capture { reference, .. } | Call::Cancel { reference, .. } | Call::Refund { reference, .. } => {
            ledger.at(reference).expect("it was changed")
        }
        Call::Fetch { .. } | Call::Lookup { .. } => unreachable!("they have no key of their own"),
    };
    ledger.keys.insert(key.to_owned(), (now, call.clone(), at));
    at
}

fn create(ledger: &mut Ledger, body: &[u8], fault: Option<Fault>) {
    let wish: CreatePayment = serde_json::from_slice(body).expect("the shop's own bytes");
    let reference = format!("pay_{}", ledger.payments.len() + 1);
    let mut amount = wish.amount;
    amount.minor += i64::from(fault == Some(Fault::WrongAmount));
    let payment = RemotePayment {
        redirect_url: Some(format!("https://pay.example/{reference}")),
        reference,
        state: RemoteState::Open,
        amount,
        refunded_minor: 0,
        live: fault == Some(Fault::WrongMode),
        metadata: wish.metadata,
        decline_code: None,
        card: None,
    };
    ledger.previous.push(payment.clone());
    ledger.payments.push(payment);
}

impl Ledger {
    /// The payment a change is about, to be tried on.
    fn clone_of(&self, call: &Call) -> Option<RemotePayment> {
        let (Call::Capture { reference, .. } | Call::Cancel { reference, .. } | Call::Refund { reference, .. }) = call else {
            return None;
        };
        self.at(reference).map(|at| self.payments[at].clone())
    }
}

fn apply(ledger: &mut Ledger, shape: Shape, call: &Call) -> Result<(), String> {
    let mut changed_payment = ledger.clone_of(call);
    changed(&mut changed_payment, shape, call)?;
    let after = changed_payment.expect("it was changed");
    ledger.change(&after.reference.clone(), |payment| *payment = after);
    if let Call::Refund { key, reference, amount } = call {
        ledger.refunds.push((reference.clone(), made(key, *amount, RefundStanding::Done)));
    }
    Ok(())
}

fn made(key: &str, amount: Money, standing: RefundStanding) -> RefundReport {
    RefundReport { reference: key.to_owned(), key: Some(key.to_owned()), amount, standing, failure: None, made_at: NOW }
}

fn changed(payment: &mut Option<RemotePayment>, shape: Shape, call: &Call) -> Result<(), String> {
    let payment = payment.as_mut().ok_or("there is no such payment")?;
    match (call, payment.state) {
        (Call::Capture { .. }, RemoteState::Authorized) => payment.state = RemoteState::Captured,
        (Call::Cancel { .. }, RemoteState::Open) if shape == Shape::Batch => payment.state = RemoteState::Canceled,
        (Call::Cancel { .. }, RemoteState::Authorized) => payment.state = RemoteState::Canceled,
        (Call::Refund { amount, .. }, RemoteState::Captured)
            if amount.minor > 0 && payment.refunded_minor + amount.minor <= payment.amount.minor =>
        {
            payment.refunded_minor += amount.minor;
        }
        (_, state) => return Err(format!("the payment is {state:?}")),
    }
    if payment.state != RemoteState::Open {
        payment.redirect_url = None;
    }
    Ok(())
}

fn pay(payment: &mut RemotePayment, shape: Shape) {
    if payment.state == RemoteState::Open {
        payment.state = if shape == Shape::Ping { RemoteState::Captured } else { RemoteState::Authorized };
        payment.redirect_url = None;
    }
}

impl Subject for Fake {
    fn name(&self) -> &'static str {
        match self.shape {
            Shape::Ping => "ping-shaped",
            Shape::Batch => "batch-shaped",
        }
    }

    fn gateway(&self) -> Gateway {
        let (ledger, now, shape) = (self.ledger.clone(), self.now.clone(), self.shape);
        let capabilities = self.capabilities();
        let Idempotency::Keyed { ttl_seconds, .. } = capabilities.idempotency else { panic!("both have keys") };
        let script = move |call| -> vitrine::gateway::scripted::Said {
            let mut ledger = ledger.lock().expect("nothing panics with it");
            let outcome = answer(&mut ledger, shape, ttl_seconds, call, now.load(Ordering::Relaxed));
            Box::pin(std::future::ready(outcome))
        };
        let ledger = self.ledger.clone();
        let list = move |since, after: Option<String>| -> vitrine::gateway::scripted::Listing {
            let listed = ledger.lock().expect("nothing panics with it").list(since, after.as_deref());
            Box::pin(std::future::ready(listed))
        };
        let ledger = self.ledger.clone();
        let refunds = move |reference: String| -> vitrine::gateway::scripted::Refunds {
            let told = ledger.lock().expect("nothing panics with it").told(&reference);
            Box::pin(std::future::ready(told))
        };
        Gateway::Scripted(Scripted::new(capabilities, script, list, refunds))
    }

    fn clock(&self) -> Arc<AtomicI64> {
        self.now.clone()
    }

    fn pay(&self, reference: &str) {
        self.change(reference, |payment| pay(payment, self.shape));
    }

    fn decline(&self, reference: &str) {
        self.change(reference, |payment| {
            payment.state = RemoteState::Declined;
            payment.decline_code = Some("card_declined".to_owned());
        });
    }

    fn reopen(&self, reference: &str) -> bool {
        self.change(reference, |payment| payment.state = RemoteState::Open);
        true
    }

    fn settle(&self) {
        let (ttl, now) = (i64::MAX, self.now.load(Ordering::Relaxed));
        let mut ledger = self.ledger();
        for call in std::mem::take(&mut ledger.later) {
            match (&call, self.shape) {
                // What was taken on is done; what cannot be done any more is not.
                (Call::Capture { .. } | Call::Cancel { .. } | Call::Refund { .. }, Shape::Batch) => {
                    let _ = apply(&mut ledger, self.shape, &call);
                }
                _ => {
                    let _ = keyed(&mut ledger, self.shape, ttl, call, now, None);
                }
            }
        }
    }

    fn payments(&self) -> Vec<RemotePayment> {
        self.ledger().payments.clone()
    }

    fn script(&self, operation: &str, fault: Fault) -> bool {
        if fault == Fault::WrongCurrency || fault == Fault::ForgetKey || fault == Fault::HookFirst {
            return false;
        }
        self.ledger().script.push_back((operation.to_owned(), fault));
        true
    }

    fn hooks(&self) -> Option<Vec<Hook>> {
        let news = std::mem::take(&mut self.ledger().news);
        let lines: Vec<String> = news.iter().map(|reference| format!("id={reference}")).collect();
        let bodies = match self.shape {
            Shape::Ping => lines,
            Shape::Batch if lines.is_empty() => Vec::new(),
            Shape::Batch => vec![lines.join("\n")],
        };
        Some(bodies.into_iter().map(|body| (HeaderMap::new(), body.into_bytes())).collect())
    }

    fn forged(&self) -> Option<Hook> {
        None
    }

    fn expire_holds(&self) -> bool {
        let held: Vec<String> = {
            let ledger = self.ledger();
            let held = ledger.payments.iter().filter(|payment| payment.state == RemoteState::Authorized);
            held.map(|payment| payment.reference.clone()).collect()
        };
        held.iter().for_each(|reference| self.change(reference, |payment| payment.state = RemoteState::Canceled));
        self.shape == Shape::Batch
    }

    fn fail_refunds(&self) -> bool {
        let mut ledger = self.ledger();
        let mut failed = Vec::new();
        for (reference, refund) in ledger.refunds.iter_mut().filter(|(_, one)| one.standing == RefundStanding::UnderWay) {
            refund.standing = RefundStanding::Failed;
            failed.push((reference.clone(), refund.amount.minor));
        }
        for (reference, minor) in failed {
            ledger.change(&reference, |payment| payment.refunded_minor -= minor);
        }
        self.shape == Shape::Ping
    }
}
