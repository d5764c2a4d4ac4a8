//! Subject: a gateway with its ledger, its shopper and its faults in the test's hands.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::{HeaderMap, HeaderValue};
use vitrine::commerce::ids::Timestamp;
use vitrine::commerce::money::{Currency, Money};
use vitrine::gateway::sandbox::{PAGES, PageRequest, Sandbox};
use vitrine::gateway::{CreatePayment, Gateway, Outcome, RemotePayment, RemoteState};

use crate::faulty::faults::Fault;
use crate::faulty::hooks::signature;
use crate::faulty::{Faulty, WEBHOOK_SECRET};
use crate::support::counter::{Counter, SECURE, confirmation};
use crate::support::edge::{BASE_URL, NOW};
use crate::support::stripe::{faulty, stripe, stripe_element};

/// What came of a check that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was shown, and it held.
    Held,
    /// This gateway cannot show it.
    NotShown(&'static str),
}

/// A webhook as it is sent.
pub type Hook = (HeaderMap, Vec<u8>);

pub trait Subject {
    fn name(&self) -> &'static str;
    fn gateway(&self) -> Gateway;
    fn clock(&self) -> Arc<AtomicI64>;
    /// What the shopper typed into its form on the shop's page, for a payment under that key; `None`: it is typed on its own page.
    fn confirmation(&self, _key: &str) -> Option<String> {
        None
    }
    /// The shopper pays with a good card.
    fn pay(&self, reference: &str);
    /// The shopper tries a bad card.
    fn decline(&self, reference: &str);
    /// What was refused takes another card after all; `false`: it cannot show that.
    fn reopen(&self, _reference: &str) -> bool {
        false
    }
    /// What was taken on or put off is done.
    fn settle(&self);
    /// Every payment, in order.
    fn payments(&self) -> Vec<RemotePayment>;
    /// The next call of that operation goes wrong; `false`: this gateway cannot.
    fn script(&self, operation: &str, fault: Fault) -> bool;
    /// Webhooks that wait; `None`: it has none.
    fn hooks(&self) -> Option<Vec<Hook>>;
    /// A webhook that somebody else made of a true one; `None`: nothing of it is signed.
    fn forged(&self) -> Option<Hook>;
    /// Holds run out; `false`: it cannot show that.
    fn expire_holds(&self) -> bool;
    /// Refunds that were taken on fail; `false`: it cannot show that.
    fn fail_refunds(&self) -> bool;
}

/// Runs a call.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread").block_on(work)
}

pub fn euros(minor: i64) -> Money {
    money(minor, "EUR")
}

pub fn money(minor: i64, code: &str) -> Money {
    Money::new(minor, Currency::from_code(code).expect("a currency"))
}

/// A wish for a payment under a key.
pub fn wish(subject: &dyn Subject, key: &str, amount: Money) -> CreatePayment {
    let metadata = [("shop", "tiny"), ("checkout", "c1"), ("attempt", "1"), ("quote_hash", "ab")];
    let now = subject.clock().load(Ordering::Relaxed);
    CreatePayment {
        amount,
        return_url: format!("{BASE_URL}/checkout/c1/return?token=t"),
        leave_url: format!("{BASE_URL}/checkout/c1?token=t"),
        description: "Tiny".to_owned(),
        email: "ada@example.com".to_owned(),
        confirmation: subject.confirmation(key),
        key: key.to_owned(),
        expires_at: Timestamp(now + subject.gateway().capabilities().open_seconds(900)),
        metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

/// Opens a payment.
pub fn open(subject: &dyn Subject, key: &str) -> Outcome<RemotePayment> {
    let gateway = subject.gateway();
    let body = gateway.body(&wish(subject, key, euros(1990)));
    run(gateway.create(key, &body))
}

pub fn opened(subject: &dyn Subject, key: &str) -> RemotePayment {
    done(open(subject, key))
}

#[track_caller]
pub fn done<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::Done(value) => value,
        other => panic!("expected Done, got {other:?}"),
    }
}

pub fn fetched(subject: &dyn Subject, reference: &str) -> RemotePayment {
    done(run(subject.gateway().fetch(reference)))
}

/// Amounts that were taken.
pub fn captured(subject: &dyn Subject) -> Vec<i64> {
    let taken = subject.payments().into_iter().filter(|payment| payment.state == RemoteState::Captured);
    taken.map(|payment| payment.amount.minor).collect()
}

/// Holds that stand.
pub fn held(subject: &dyn Subject) -> usize {
    subject.payments().iter().filter(|payment| payment.state == RemoteState::Authorized).count()
}

/// A shop that takes money by it.
pub fn shop(subject: &dyn Subject) -> Counter {
    Counter::paid_by(Some(subject.gateway()), subject.clock())
}

/// The built-in sandbox.
pub struct SandboxSubject {
    sandbox: Sandbox,
    now: Arc<AtomicI64>,
}

impl SandboxSubject {
    pub fn open() -> Self {
        let sandbox = Sandbox::open(Path::new(":memory:"), BASE_URL, false).expect("a ledger in memory");
        let now = Arc::new(AtomicI64::new(NOW.0));
        let clock = now.clone();
        Self { sandbox: sandbox.timed_by(move || Timestamp(clock.load(Ordering::Relaxed))), now }
    }

    fn give(&self, reference: &str, number: &str) {
        let form = [("number".to_owned(), number.to_owned())];
        let path = format!("{PAGES}{reference}");
        run(self.sandbox.respond(PageRequest { path: &path, post: true, form: &form })).expect("the ledger works");
    }
}

impl Subject for SandboxSubject {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn gateway(&self) -> Gateway {
        Gateway::Sandbox(self.sandbox.clone())
    }

    fn clock(&self) -> Arc<AtomicI64> {
        self.now.clone()
    }

    fn pay(&self, reference: &str) {
        self.give(reference, "4242424242424242");
    }

    fn decline(&self, reference: &str) {
        self.give(reference, "4000000000000002");
    }

    fn settle(&self) {}

    fn payments(&self) -> Vec<RemotePayment> {
        run(self.sandbox.all_payments()).expect("the ledger is readable")
    }

    fn script(&self, _: &str, _: Fault) -> bool {
        false
    }

    fn hooks(&self) -> Option<Vec<Hook>> {
        None
    }

    fn forged(&self) -> Option<Hook> {
        None
    }

    fn expire_holds(&self) -> bool {
        false
    }

    fn fail_refunds(&self) -> bool {
        false
    }
}

/// Stripe, over the faulty gateway.
pub struct StripeSubject {
    faulty: Faulty,
    gateway: Gateway,
    now: Arc<AtomicI64>,
    sent: AtomicI64,
    has_form: bool,
    _ledger: tempfile::TempDir,
}

impl StripeSubject {
    pub fn open() -> Self {
        Self::paid_by(stripe, false)
    }

    /// With its form on the shop's page. Each card asks for a second step, which the shopper then does or refuses.
    pub fn with_form() -> Self {
        Self::paid_by(stripe_element, true)
    }

    fn paid_by(gateway: fn(&str) -> Gateway, has_form: bool) -> Self {
        let now = Arc::new(AtomicI64::new(NOW.0));
        let (faulty, ledger) = faulty(&now);
        let gateway = gateway(&faulty.base);
        Self { faulty, gateway, now, sent: AtomicI64::new(0), has_form, _ledger: ledger }
    }

    /// Intents that stand by themselves, straight from the ledger.
    fn intents(&self) -> Vec<RemotePayment> {
        let of = |intent: serde_json::Value| RemotePayment {
            reference: intent["id"].as_str().expect("an id").to_owned(),
            state: match intent["status"].as_str() {
                Some("requires_capture") => RemoteState::Authorized,
                Some("succeeded") => RemoteState::Captured,
                Some("canceled") => RemoteState::Canceled,
                _ => RemoteState::Open,
            },
            amount: euros(intent["amount"].as_i64().expect("an amount")),
            refunded_minor: 0,
            live: intent["livemode"] == true,
            metadata: Default::default(),
            redirect_url: None,
            decline_code: None,
            card: None,
        };
        self.faulty.objects("payment_intent").into_iter().map(of).collect()
    }

    fn signed(&self, body: &str, secret: &str) -> Hook {
        let header = signature(body, secret, self.now.load(Ordering::Relaxed));
        let value = HeaderValue::from_str(&header).expect("ASCII");
        (HeaderMap::from_iter([(http::HeaderName::from_static("stripe-signature"), value)]), body.as_bytes().to_vec())
    }
}

impl Subject for StripeSubject {
    fn name(&self) -> &'static str {
        if self.has_form { "stripe's form" } else { "stripe" }
    }

    fn confirmation(&self, key: &str) -> Option<String> {
        self.has_form.then(|| confirmation(SECURE, key))
    }

    fn gateway(&self) -> Gateway {
        self.gateway.clone()
    }

    fn clock(&self) -> Arc<AtomicI64> {
        self.now.clone()
    }

    fn pay(&self, reference: &str) {
        self.faulty.give_card(reference, "4242424242424242");
    }

    fn decline(&self, reference: &str) {
        self.faulty.give_card(reference, "4000000000000002");
    }

    fn settle(&self) {
        self.faulty.act_late();
    }

    /// Read by another road than the adapter's: straight from the ledger.
    fn payments(&self) -> Vec<RemotePayment> {
        if self.has_form {
            return self.intents();
        }
        let intents = self.faulty.objects("payment_intent");
        let of = |session: serde_json::Value| {
            let intent = intents.iter().find(|intent| intent["id"] == session["payment_intent"]);
            let state = match (intent.and_then(|intent| intent["status"].as_str()), session["status"].as_str()) {
                (Some("requires_capture"), _) => RemoteState::Authorized,
                (Some("succeeded"), _) => RemoteState::Captured,
                (_, Some("open")) => RemoteState::Open,
                _ => RemoteState::Canceled,
            };
            RemotePayment {
                reference: session["id"].as_str().expect("an id").to_owned(),
                state,
                amount: euros(session["amount_total"].as_i64().expect("an amount")),
                refunded_minor: 0,
                live: session["livemode"] == true,
                metadata: Default::default(),
                redirect_url: None,
                decline_code: None,
                card: None,
            }
        };
        self.faulty.objects("checkout.session").into_iter().map(of).collect()
    }

    fn script(&self, operation: &str, fault: Fault) -> bool {
        self.faulty.script(operation, fault);
        true
    }

    fn hooks(&self) -> Option<Vec<Hook>> {
        let events = self.faulty.objects("event");
        let from = usize::try_from(self.sent.swap(events.len() as i64, Ordering::Relaxed)).expect("a count");
        Some(events[from..].iter().map(|event| self.signed(&event.to_string(), WEBHOOK_SECRET)).collect())
    }

    fn forged(&self) -> Option<Hook> {
        let event = self.faulty.objects("event").last().expect("something happened").to_string();
        Some(self.signed(&event, "whsec_of_somebody_else"))
    }

    fn expire_holds(&self) -> bool {
        self.faulty.expire_holds();
        true
    }

    fn fail_refunds(&self) -> bool {
        self.faulty.fail_refunds();
        true
    }
}
