//! Gateway: who moves money.
//!
//! Owns    the closed set of gateways and the one shape they all have: create a payment and send the shopper to the gateway's own page,
//!         fetch its state, capture, cancel, refund.
//! Knows   nothing of carts, orders or the store; never retries by itself (the outbox does, with the same key and the same bytes).
//! Always  every mutating call carries an idempotency key and exact bytes; an answer that is not certain is `Outcome::Unknown`.
//! Source  CHECKOUT.md 2.2: the shape is not that of one provider.

pub mod capabilities;
pub mod event;
pub mod sandbox;
#[cfg(feature = "faults")]
pub mod scripted;
pub mod stripe;
pub mod transport;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::capabilities::Capabilities;

use self::event::{About, Event, NotHeard};
use crate::commerce::dispute::Dispute;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Money;
use crate::commerce::refund::RefundReport;

/// What became of a call. `Unknown` is not a failure: the money may have moved, and only a look-up can tell.
#[must_use = "an unknown outcome must be looked up, never dropped"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It happened, and this is the state now.
    Done(T),
    /// It was taken on; the state comes later.
    Accepted,
    /// It did not happen and will not: a definitive no, safe to try anew with another key.
    Rejected(String),
    /// Nobody knows: a time-out, a reset, a 5xx. Look it up by its key; never send other bytes.
    Unknown(String),
}

impl<T> Outcome<T> {
    /// The value where it happened; else the same outcome, to be passed on.
    fn done<U>(self) -> Result<T, Outcome<U>> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Accepted => Err(Outcome::Accepted),
            Self::Rejected(reason) => Err(Outcome::Rejected(reason)),
            Self::Unknown(reason) => Err(Outcome::Unknown(reason)),
        }
    }
}

/// What an answer says about sending the same opening call once more, under the same key and with the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It may be sent again after a moment.
    Again,
    /// Not now: the gateway says that it would be in vain.
    Later,
    /// The gateway takes no call of ours at all, as with a key that is not good any more: this call did nothing.
    Shut,
}

/// A payment to be made. The gateway's bytes for it ([`Gateway::body`]) are written to the store before the call, and are sent as they
/// are ever after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatePayment {
    /// What is to be paid.
    pub amount: Money,
    /// Where the shopper comes back to; carries its own signed token.
    pub return_url: String,
    /// Where a shopper goes who leaves the gateway's page without paying: the checkout, which leads on to the payment or calls it off.
    #[serde(default)]
    pub leave_url: String,
    /// What the gateway's page calls the purchase.
    pub description: String,
    /// Who pays, so that the gateway's page need not ask; may be empty.
    #[serde(default)]
    pub email: String,
    /// The gateway's name for what the shopper typed into its form on the shop's own page; `None`: it is typed on the gateway's page.
    /// Then the call that opens the payment confirms it as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// The key the payment is opened under: by it a payment is found again whose answer was lost.
    #[serde(default)]
    pub key: String,
    /// Until when it can be paid.
    #[serde(default)]
    pub expires_at: Timestamp,
    /// Shop, checkout, attempt and quote hash: how a payment is recognised without our database.
    pub metadata: BTreeMap<String, String>,
}

impl CreatePayment {
    /// As JSON, for gateways without a form of their own.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and integers always serialise")
    }
}

/// The gateway's form for the shop's own page, and what it has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// The gateway's script.
    pub script: &'static str,
    /// The shop's public key.
    pub key: String,
    /// As the gateway counts.
    pub amount: i64,
    /// As the gateway spells it.
    pub currency: String,
    /// Whether the money is held first.
    pub holds: bool,
    /// What can be paid with.
    pub methods: Vec<String>,
}

/// A refund's call, for gateways without a form of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundWish {
    reference: String,
    amount: Money,
}

impl RefundWish {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and integers always serialise")
    }

    /// `Rejected` where it is none.
    fn read<T>(body: &[u8]) -> Result<Self, Outcome<T>> {
        serde_json::from_slice(body).map_err(|_| Outcome::Rejected("the request is not a refund".to_owned()))
    }
}

/// A payment as the gateway knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePayment {
    /// The gateway's own name for it.
    pub reference: String,
    /// Where it stands.
    pub state: RemoteState,
    /// What was asked for.
    pub amount: Money,
    /// What was given back so far.
    pub refunded_minor: i64,
    /// Whether it is real money.
    pub live: bool,
    /// As sent when it was made.
    pub metadata: BTreeMap<String, String>,
    /// The page the shopper pays on, while it is open.
    pub redirect_url: Option<String>,
    /// Why the last card was refused, in the gateway's words for programs, such as `card_declined`.
    pub decline_code: Option<String>,
    /// Brand and last four digits of the card, once there is one.
    pub card: Option<String>,
}

/// A payment on the gateway's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The payment, as it stands now.
    pub payment: RemotePayment,
    /// When it was opened, by the gateway's clock.
    pub made_at: Timestamp,
}

/// When a payment can have been opened: from the first send of its call until the last one has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Not before.
    pub since: Timestamp,
    /// Not after; `None`: until now.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Since an instant, until now.
    pub fn from(since: Timestamp) -> Self {
        Self { since, until: None }
    }
}

/// A payment that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The key it was opened with.
    pub key: String,
    /// The gateway's name for it.
    pub reference: String,
}

/// A page of a list, the newest first, and the name to go on after; `None`: that was all.
pub type Page<T> = (Vec<T>, Option<String>);

/// Where a payment stands at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteState {
    /// The shopper has not paid yet.
    Open,
    /// The shopper has paid by a method whose answer takes its time; nobody knows yet how it ends.
    Processing,
    /// The bank said no; this payment will not be paid.
    Declined,
    /// The money is held for us.
    Authorized,
    /// The money is ours.
    Captured,
    /// It was called off; a hold was let go.
    Canceled,
}

/// The gateways there are.
#[derive(Clone, Debug)]
pub enum Gateway {
    /// Play money with a ledger of its own.
    Sandbox(sandbox::Sandbox),
    /// Stripe, by its hosted page or by its form on the shop's.
    Stripe(stripe::Stripe),
    /// Whatever a test makes of it.
    #[cfg(feature = "faults")]
    Scripted(scripted::Scripted),
}

/// One call to whichever gateway it is.
macro_rules! call {
    ($gateway:expr, $($call:tt)*) => {
        match $gateway {
            Gateway::Sandbox(sandbox) => sandbox.$($call)*.await,
            Gateway::Stripe(stripe) => stripe.$($call)*.await,
            #[cfg(feature = "faults")]
            Gateway::Scripted(scripted) => scripted.$($call)*.await,
        }
    };
}

impl Gateway {
    /// What it can do.
    pub fn capabilities(&self) -> Capabilities {
        match self {
            Self::Sandbox(_) => sandbox::CAPABILITIES,
            Self::Stripe(stripe) => stripe.capabilities(),
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.capabilities,
        }
    }

    /// Whether it holds money by every method it offers, to be taken by us alone.
    pub fn holds_first(&self) -> bool {
        match self {
            Self::Stripe(stripe) => stripe.holds_first(),
            _ => self.capabilities().manual_capture("card"),
        }
    }

    /// The bytes of an opening call, to be stored and then sent.
    pub fn body(&self, create: &CreatePayment) -> Vec<u8> {
        match self {
            Self::Stripe(stripe) => stripe.body(create),
            _ => create.to_bytes(),
        }
    }

    /// Its form for the shop's own page, over an amount; `None`: it has a page of its own, and nothing else.
    pub fn element(&self, amount: Money) -> Option<Element> {
        match self {
            Self::Stripe(stripe) => stripe.element(amount),
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.element(amount),
            Self::Sandbox(_) => None,
        }
    }

    /// Whether the call with these bytes moves money by itself, with no shopper on a page of the gateway's.
    pub fn confirms(&self, body: &[u8]) -> bool {
        match self {
            Self::Stripe(_) => stripe::confirms(body),
            #[cfg(feature = "faults")]
            Self::Scripted(_) => scripted::confirms(body),
            Self::Sandbox(_) => false,
        }
    }

    /// Opens a payment. The same key with the same bytes gives the same payment; with other bytes it is rejected.
    pub async fn create(&self, key: &str, body: &[u8]) -> Outcome<RemotePayment> {
        call!(self, create(key, body))
    }

    /// The same, with what the answer says about sending it again.
    pub async fn create_hinted(&self, key: &str, body: &[u8]) -> (Outcome<RemotePayment>, Hint) {
        match self {
            Self::Stripe(stripe) => stripe.create_hinted(key, body).await,
            other => (other.create(key, body).await, Hint::Again),
        }
    }

    /// The payment's state now. `Rejected` where the gateway has no such payment.
    pub async fn fetch(&self, reference: &str) -> Outcome<RemotePayment> {
        call!(self, fetch(reference))
    }

    /// Finds a payment by the key it was opened with, in a span of time: the way out of `Unknown`. `Done(None)`: provably not opened in it.
    pub async fn lookup(&self, key: &str, span: Span) -> Outcome<Option<RemotePayment>> {
        match self {
            Self::Sandbox(sandbox) => sandbox.lookup(key).await,
            Self::Stripe(stripe) => stripe.lookup(key, span).await,
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.lookup(key).await,
        }
    }

    /// Whether it looks a payment up by reading a list: then one reading answers for all that are looked for.
    pub fn finds_by_list(&self) -> bool {
        matches!(self, Self::Stripe(_))
    }

    /// Every payment that was opened in a span of time, by its key: a page of them, and the name to go on after. `Rejected` where the
    /// gateway finds a payment by its key at once.
    pub async fn opened(&self, span: Span, after: Option<&str>) -> Outcome<Page<Opened>> {
        match self {
            Self::Stripe(stripe) => stripe.opened(span, after).await,
            _ => Outcome::Rejected("this gateway finds a payment by its key".to_owned()),
        }
    }

    /// Takes the held money.
    pub async fn capture(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        call!(self, capture(key, reference))
    }

    /// Calls an open or held payment off. A payment that is already captured is rejected: it counts as paid.
    pub async fn cancel(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        call!(self, cancel(key, reference))
    }

    /// Gives captured money back, at most what is left of it.
    pub async fn refund(&self, key: &str, reference: &str, amount: Money) -> Outcome<RemotePayment> {
        call!(self, refund(key, reference, amount))
    }

    /// The bytes of a refund's call, to be stored and then sent. `Rejected` where no money of that payment can go back.
    pub async fn refund_body(&self, key: &str, reference: &str, amount: Money) -> Outcome<Vec<u8>> {
        match self {
            Self::Stripe(stripe) => stripe.refund_body(key, reference, amount).await,
            _ => Outcome::Done(RefundWish { reference: reference.to_owned(), amount }.to_bytes()),
        }
    }

    /// Sends a refund's call; the same key with the same bytes makes one refund. One that was taken on at once and is named by then is
    /// `Done` as well: its own standing tells.
    pub async fn send_refund(&self, key: &str, body: &[u8]) -> Outcome<RefundReport> {
        call!(self, send_refund(key, body))
    }

    /// Every refund of a payment, whoever made it, in any order.
    pub async fn refunds(&self, reference: &str) -> Outcome<Vec<RefundReport>> {
        call!(self, refunds(reference))
    }

    /// Every dispute of a payment, in any order.
    pub async fn disputes(&self, reference: &str) -> Outcome<Vec<Dispute>> {
        match self {
            Self::Stripe(stripe) => stripe.disputes(reference).await,
            _ => Outcome::Done(Vec::new()),
        }
    }

    /// Every dispute that was begun since, each as an event that tells where it stands now, named by both: a page of them, and the name to
    /// go on after. `Rejected` where the shop's key may not read them.
    pub async fn disputed(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Event>> {
        match self {
            Self::Stripe(stripe) => stripe.disputed(since, after).await,
            _ => Outcome::Done((Vec::new(), None)),
        }
    }

    /// Whether events of this kind tell of a dispute.
    pub fn is_of_dispute(&self, kind: &str) -> bool {
        matches!(self, Self::Stripe(_)) && stripe::is_of_dispute(kind)
    }

    /// Every payment that was opened since, whoever opened it: a page of them, and the name to go on after. What is not understood and
    /// may not be ours is left out. `Rejected` where the gateway has no such list.
    pub async fn payments(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Listed>> {
        call!(self, payments(since, after))
    }

    /// Reads a webhook: its raw bytes, proven by the signature that came along.
    ///
    /// Errors: why it is not believed.
    pub fn hear(&self, headers: &http::HeaderMap, body: &[u8], now: Timestamp) -> Result<Vec<Event>, NotHeard> {
        match self {
            Self::Sandbox(_) => Err(NotHeard::NoWebhooks),
            Self::Stripe(stripe) => stripe.hear(headers, body, now),
            #[cfg(feature = "faults")]
            Self::Scripted(scripted) => scripted.hear(body, now),
        }
    }

    /// Whose a payment is that an event names by a name which is not known here. `Rejected` where there is no such payment.
    pub async fn whose(&self, reference: &str) -> Outcome<About> {
        match self {
            Self::Stripe(stripe) => stripe.whose(reference).await,
            _ => Outcome::Done(About::Nothing),
        }
    }

    /// What happened since, for whoever may have missed a webhook: a page of events, the newest first, and the name to go on after.
    pub async fn events(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Event>> {
        match self {
            Self::Stripe(stripe) => stripe.events(since, after).await,
            _ => Outcome::Done((Vec::new(), None)),
        }
    }
}
