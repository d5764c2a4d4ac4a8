//! Scripted: a gateway that is whatever a test makes of it. Only with the feature `faults`.
//!
//! Owns    the shape of a call as a value; ledger, faults and time are the test's.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::capabilities::{Capabilities, Webhook};
use super::event::{About, Event, NotHeard};
use super::{CreatePayment, Element, Listed, Outcome, Page, RefundWish, RemotePayment};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::refund::{RefundReport, RefundStanding};

/// One call, as it reaches the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Open a payment.
    Create {
        /// Idempotency key.
        key: String,
        /// Exact bytes.
        body: Vec<u8>,
    },
    /// Where it stands.
    Fetch {
        /// The gateway's name for it.
        reference: String,
    },
    /// Find it by its key.
    Lookup {
        /// Key it was opened with.
        key: String,
    },
    /// Take held money.
    Capture {
        /// Idempotency key.
        key: String,
        /// The gateway's name for it.
        reference: String,
    },
    /// Call it off.
    Cancel {
        /// Idempotency key.
        key: String,
        /// The gateway's name for it.
        reference: String,
    },
    /// Give money back.
    Refund {
        /// Idempotency key.
        key: String,
        /// The gateway's name for it.
        reference: String,
        /// How much.
        amount: Money,
    },
}

/// An answer on its way; `Done(None)` is for look-ups alone: there is no such payment.
pub type Said = Pin<Box<dyn Future<Output = Outcome<Option<RemotePayment>>> + Send>>;

/// A page of the list on its way.
pub type Listing = Pin<Box<dyn Future<Output = Outcome<Page<Listed>>> + Send>>;

/// Refunds of a payment on their way.
pub type Refunds = Pin<Box<dyn Future<Output = Outcome<Vec<RefundReport>>> + Send>>;

/// The gateway.
#[derive(Clone)]
pub struct Scripted {
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it has a form for the shop's own page.
    pub has_element: bool,
    /// Answers every call.
    pub script: Arc<dyn Fn(Call) -> Said + Send + Sync>,
    /// Lists payments since an instant, after a name.
    pub list: Arc<dyn Fn(Timestamp, Option<String>) -> Listing + Send + Sync>,
    /// Tells the refunds of a payment, by its name. A refund that was made by a call has that call's key for a name.
    pub refunds: Arc<dyn Fn(String) -> Refunds + Send + Sync>,
}

/// Whether a call's bytes move money by themselves.
pub(super) fn confirms(body: &[u8]) -> bool {
    serde_json::from_slice(body).is_ok_and(|wish: CreatePayment| wish.confirmation.is_some())
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    /// One without a form for the shop's own page.
    pub fn new(
        capabilities: Capabilities,
        script: impl Fn(Call) -> Said + Send + Sync + 'static,
        list: impl Fn(Timestamp, Option<String>) -> Listing + Send + Sync + 'static,
        refunds: impl Fn(String) -> Refunds + Send + Sync + 'static,
    ) -> Self {
        Self { capabilities, has_element: false, script: Arc::new(script), list: Arc::new(list), refunds: Arc::new(refunds) }
    }

    pub(super) fn element(&self, amount: Money) -> Option<Element> {
        let currency = amount.currency.code().to_lowercase();
        let (key, methods) = ("pk_scripted".to_owned(), vec!["card".to_owned()]);
        let holds = self.capabilities.manual_capture("card");
        self.has_element.then_some(Element { script: "/element.js", key, amount: amount.minor, currency, holds, methods })
    }

    pub(super) async fn create(&self, key: &str, body: &[u8]) -> Outcome<RemotePayment> {
        self.payment(Call::Create { key: key.to_owned(), body: body.to_vec() }).await
    }

    pub(super) async fn fetch(&self, reference: &str) -> Outcome<RemotePayment> {
        self.payment(Call::Fetch { reference: reference.to_owned() }).await
    }

    pub(super) async fn lookup(&self, key: &str) -> Outcome<Option<RemotePayment>> {
        (self.script)(Call::Lookup { key: key.to_owned() }).await
    }

    pub(super) async fn capture(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        self.payment(Call::Capture { key: key.to_owned(), reference: reference.to_owned() }).await
    }

    pub(super) async fn cancel(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        self.payment(Call::Cancel { key: key.to_owned(), reference: reference.to_owned() }).await
    }

    pub(super) async fn refund(&self, key: &str, reference: &str, amount: Money) -> Outcome<RemotePayment> {
        self.payment(Call::Refund { key: key.to_owned(), reference: reference.to_owned(), amount }).await
    }

    pub(super) async fn send_refund(&self, key: &str, body: &[u8]) -> Outcome<RefundReport> {
        let wish = match RefundWish::read(body) {
            Ok(wish) => wish,
            Err(outcome) => return outcome,
        };
        match self.refund(key, &wish.reference, wish.amount).await.done() {
            Ok(_) => Outcome::Done(RefundReport {
                reference: key.to_owned(),
                key: Some(key.to_owned()),
                amount: wish.amount,
                standing: RefundStanding::Done,
                failure: None,
                made_at: Timestamp(0),
            }),
            Err(outcome) => outcome,
        }
    }

    pub(super) async fn refunds(&self, reference: &str) -> Outcome<Vec<RefundReport>> {
        (self.refunds)(reference.to_owned()).await
    }

    pub(super) async fn payments(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Listed>> {
        match self.capabilities.lists_payments {
            true => (self.list)(since, after.map(str::to_owned)).await,
            false => Outcome::Rejected("this gateway lists no payments".to_owned()),
        }
    }

    /// A ping is `id=REFERENCE`, followed by the event's name where it has one and by `other` where it is of another account or `test`
    /// where it is of the other mode; a batch has one such line for each item. Neither is signed.
    pub(super) fn hear(&self, body: &[u8], now: Timestamp) -> Result<Vec<Event>, NotHeard> {
        let text = std::str::from_utf8(body).map_err(|_| NotHeard::NotAnEvent)?;
        let most = match self.capabilities.webhook {
            Webhook::None | Webhook::SignedState => return Err(NotHeard::NoWebhooks),
            Webhook::Ping => 1,
            Webhook::Batch => usize::MAX,
        };
        let heard = text.lines().take(most).map(|line| {
            let mut words = line.strip_prefix("id=").ok_or(NotHeard::NotAnEvent)?.split(' ');
            let (reference, name) = (words.next().unwrap_or(""), words.next());
            Ok(Event {
                // A ping without a name of its own: each instant's is another hint.
                id: name.map_or_else(|| format!("{reference}@{}", now.0), str::to_owned),
                kind: "changed".to_owned(),
                about: About::Reference(reference.to_owned()),
                is_ours: !matches!(words.next(), Some("other" | "test")),
                created_at: now,
                body: line.as_bytes().to_vec(),
            })
        });
        heard.collect()
    }

    async fn payment(&self, call: Call) -> Outcome<RemotePayment> {
        match (self.script)(call).await.done() {
            Ok(Some(payment)) => Outcome::Done(payment),
            Ok(None) => Outcome::Rejected("there is no such payment".to_owned()),
            Err(outcome) => outcome,
        }
    }
}
