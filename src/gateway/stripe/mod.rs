//! Stripe: payments by its hosted page, or by its form on the shop's own; held first and taken when the order is placed.
//!
//! Owns    the calls: open a checkout session, fetch it with its payment intent, find it by the key it was opened with, take or let go
//!         the held money, expire the page, refund; the proof of its webhooks. The same for an intent that was opened and confirmed in
//!         one call, with what was typed into the form. What is found by turning pages is in `lists`.
//! Knows   the reference of a payment is the session's, whose intent is found through it, or that of an intent which has no session.
//!         Nothing is searched for: search lags.
//! Always  a POST carries a key and the same bytes for ever. Expiring a page that was paid is a no, and whoever hears it looks again:
//!         it counts as paid.
//! Source  CHECKOUT.md 2.1; API version [`VERSION`].

mod amounts;
mod client;
mod disputes;
mod events;
mod form;
mod intent;
mod lists;
mod refunds;
mod session;

use std::sync::Arc;

use serde_json::{Value, json};

pub use self::client::{Secret, VERSION};
pub use self::events::KINDS;
pub use self::form::{fits_element, holds, methods};

use self::client::{Client, Refusal, Said};
use self::form::Form;
use super::capabilities::{Capabilities, Idempotency, Modification, Webhook};
use super::event::{About, Event, NotHeard};
use super::sandbox::is_loopback;
use super::{CreatePayment, Element, Hint, Outcome, RemotePayment, RemoteState};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money};
use crate::commerce::refund::{RefundReport, RefundStanding};

/// Its name on the wire and in the ledger.
pub const NAME: &str = "stripe";
/// Where Stripe is.
pub const API_BASE: &str = "https://api.stripe.com";
/// Stripe's shortest page life is 30 minutes from when it hears of it; the call may be sent again for a while until then.
const SHORTEST_PAGE_SECONDS: i64 = 35 * 60;
/// Its longest is a day; clocks differ.
const LONGEST_PAGE_SECONDS: i64 = 24 * 60 * 60 - 300;
/// Stripe's own script, of the same release as the API.
pub const SCRIPT: &str = "https://js.stripe.com/endive/stripe.js";
/// Sessions, and intents.
const SESSIONS: &str = "/v1/checkout/sessions";
const INTENTS: &str = "/v1/payment_intents";

/// Stripe. Clones share its connections.
#[derive(Clone)]
pub struct Stripe {
    client: Client,
    webhook_secrets: Arc<[Secret]>,
    methods: Arc<[String]>,
    account: Option<Arc<str>>,
    publishable_key: Option<Arc<str>>,
    is_live: bool,
}

/// What it takes to talk to Stripe.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sk_…` or `rk_…`; its second word says whether real money moves.
    pub secret_key: Secret,
    /// `whsec_…`, each of them good: two while one is rolled.
    pub webhook_secrets: Vec<Secret>,
    /// Where the API is: [`API_BASE`], or on this machine for a test.
    pub api_base: String,
    /// What the page offers, such as `card`; at least one.
    pub methods: Vec<String>,
    /// `acct_…`: events of any other connected account are foreign.
    pub account: Option<String>,
    /// `pk_…`, for Stripe's form on the shop's own page; `None`: there is only the hosted page.
    pub publishable_key: Option<String>,
}

/// Why Stripe cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StripeError {
    /// Not a secret key.
    #[error("the secret key begins with none of sk_live_, sk_test_, rk_live_ and rk_test_")]
    NotASecretKey,
    /// Not a webhook secret.
    #[error("a webhook secret begins with whsec_")]
    NotAWebhookSecret,
    /// Another host, without TLS.
    #[error("the API base {0} is neither https nor on this machine")]
    PlainApiBase(String),
    /// Not a publishable key.
    #[error("a publishable key begins with pk_live_ or pk_test_")]
    NotAPublishableKey,
    /// One takes play money, the other real money.
    #[error("it is of the other mode than the secret key: both are live keys, or both are test keys")]
    OtherMode,
    /// Nothing to pay with.
    #[error("no way of paying is set")]
    NoMethods,
    /// The client cannot be made.
    #[error("{0}")]
    Client(String),
}

/// Where disputes are listed.
const DISPUTES: &str = "/v1/disputes";

/// Whether events of this kind tell of a dispute.
pub(super) fn is_of_dispute(kind: &str) -> bool {
    kind.starts_with(disputes::KIND)
}

impl Stripe {
    /// Checks the settings; nothing is called.
    ///
    /// Errors: what is wrong with them.
    pub fn new(settings: &Settings) -> Result<Self, StripeError> {
        let begins = |words: [&str; 2]| words.iter().any(|word| settings.secret_key.text().starts_with(word));
        let is_live = begins(["sk_live_", "rk_live_"]);
        if !is_live && !begins(["sk_test_", "rk_test_"]) {
            return Err(StripeError::NotASecretKey);
        }
        if settings.webhook_secrets.iter().any(|secret| !secret.text().starts_with("whsec_")) {
            return Err(StripeError::NotAWebhookSecret);
        }
        let base = settings.api_base.trim_end_matches('/');
        if !base.starts_with("https://") && !is_loopback(base) {
            return Err(StripeError::PlainApiBase(base.to_owned()));
        }
        if settings.methods.is_empty() {
            return Err(StripeError::NoMethods);
        }
        if let Some(key) = &settings.publishable_key {
            match (key.starts_with("pk_live_"), key.starts_with("pk_test_")) {
                (false, false) => return Err(StripeError::NotAPublishableKey),
                (is_live_key, _) if is_live_key != is_live => return Err(StripeError::OtherMode),
                _ => {}
            }
        }
        Ok(Self {
            client: Client::new(base, &settings.secret_key).map_err(StripeError::Client)?,
            webhook_secrets: settings.webhook_secrets.clone().into(),
            methods: settings.methods.clone().into(),
            account: settings.account.as_deref().map(Arc::from),
            publishable_key: settings.publishable_key.as_deref().map(Arc::from),
            is_live,
        })
    }

    /// Whether the key moves real money.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        let label = if *self.methods == ["card"] { CAPABILITIES.label } else { "Card and more" };
        Capabilities { live: self.is_live, label, ..CAPABILITIES }
    }

    pub(super) fn holds_first(&self) -> bool {
        self.methods.iter().all(|method| form::auth_window_seconds(method).is_some())
    }

    pub(super) fn element(&self, amount: Money) -> Option<Element> {
        Some(Element {
            script: SCRIPT,
            key: self.publishable_key.as_deref()?.to_owned(),
            amount: amounts::to_wire(amount)?,
            currency: amount.currency.code().to_lowercase(),
            holds: self.holds_first(),
            methods: self.methods.to_vec(),
        })
    }

    pub(super) fn body(&self, create: &CreatePayment) -> Vec<u8> {
        match &create.confirmation {
            Some(confirmation) => form::confirm_intent(create, confirmation, &self.methods),
            None => form::open_session(create, &self.methods),
        }
        .into_bytes()
    }

    pub(super) async fn create(&self, key: &str, body: &[u8]) -> Outcome<RemotePayment> {
        self.create_hinted(key, body).await.0
    }

    pub(super) async fn create_hinted(&self, key: &str, body: &[u8]) -> (Outcome<RemotePayment>, Hint) {
        if !confirms(body) {
            let (said, hint) = self.client.post_hinted(SESSIONS, key, body.to_vec()).await;
            return (shown(said), hint);
        }
        let (said, hint) = self.client.post_hinted(INTENTS, key, body.to_vec()).await;
        (confirmed(said), hint)
    }

    pub(super) async fn fetch(&self, reference: &str) -> Outcome<RemotePayment> {
        match self.standing(reference).await.done() {
            Ok((_, payment)) => Outcome::Done(payment),
            Err(outcome) => outcome,
        }
    }

    pub(super) async fn capture(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        let (session, payment) = match self.standing(reference).await.done() {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        match payment.state {
            RemoteState::Captured => return Outcome::Done(payment),
            RemoteState::Canceled | RemoteState::Declined => {
                return Outcome::Rejected("the money is not held any more".to_owned());
            }
            // What was held is never open again: this look is older than the one by which the order was placed.
            RemoteState::Open | RemoteState::Processing => {
                return Outcome::Unknown("the money does not seem to be held yet".to_owned());
            }
            RemoteState::Authorized => {}
        }
        let Some(intent) = intent_path(&session) else { return Outcome::Unknown("a session without an intent".to_owned()) };
        let body = Form::default().with("expand[0]", "latest_charge").text();
        self.settled(session, self.client.post(&format!("{intent}/capture"), key, body.into_bytes()).await)
    }

    pub(super) async fn cancel(&self, key: &str, reference: &str) -> Outcome<RemotePayment> {
        let (session, payment) = match self.standing(reference).await.done() {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        match payment.state {
            RemoteState::Canceled | RemoteState::Declined => Outcome::Done(payment),
            RemoteState::Captured => Outcome::Rejected("the money is taken already".to_owned()),
            RemoteState::Processing => Outcome::Unknown("the payment is being processed".to_owned()),
            RemoteState::Open if !is_intent(&payment.reference) => {
                let body = Form::default().with("expand[0]", "payment_intent.latest_charge").text();
                let path = format!("{SESSIONS}/{}/expire", payment.reference);
                shown(self.client.post(&path, &format!("{key}:page"), body.into_bytes()).await)
            }
            RemoteState::Open | RemoteState::Authorized => {
                let Some(intent) = intent_path(&session) else {
                    return Outcome::Unknown("a session without an intent".to_owned());
                };
                let body = Form::default().with("cancellation_reason", "abandoned").with("expand[0]", "latest_charge").text();
                let said = self.client.post(&format!("{intent}/cancel"), &format!("{key}:hold"), body.into_bytes()).await;
                self.settled(session, said)
            }
        }
    }

    pub(super) async fn refund(&self, key: &str, reference: &str, amount: Money) -> Outcome<RemotePayment> {
        let body = match self.refund_body(key, reference, amount).await.done() {
            Ok(body) => body,
            Err(outcome) => return outcome,
        };
        match self.send_refund(key, &body).await.done() {
            Ok(refund) => match refund.standing {
                RefundStanding::Done => self.fetch(reference).await,
                RefundStanding::UnderWay => Outcome::Accepted,
                RefundStanding::Failed => Outcome::Rejected(refund.failure.unwrap_or_else(|| "failed".to_owned())),
            },
            Err(outcome) => outcome,
        }
    }

    pub(super) async fn refund_body(&self, key: &str, reference: &str, amount: Money) -> Outcome<Vec<u8>> {
        let (session, payment) = match self.standing(reference).await.done() {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        match refunds::body(&session, &payment, key, amount) {
            Some(body) => Outcome::Done(body.text().into_bytes()),
            None => Outcome::Rejected("this cannot be refunded".to_owned()),
        }
    }

    pub(super) async fn send_refund(&self, key: &str, body: &[u8]) -> Outcome<RefundReport> {
        match self.client.post("/v1/refunds", key, body.to_vec()).await {
            Said::Yes(refund) => refunds::read(&refund)
                .map_or_else(|| Outcome::Unknown("a refund that is not understood".to_owned()), Outcome::Done),
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    /// What is written on an intent.
    pub(super) async fn whose(&self, reference: &str) -> Outcome<About> {
        if !is_intent(reference) || !is_name(reference) {
            return Outcome::Done(About::Nothing);
        }
        match self.client.get(&format!("{INTENTS}/{reference}")).await {
            Said::Yes(intent) => Outcome::Done(events::about(&intent)),
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    pub(super) fn hear(&self, headers: &http::HeaderMap, body: &[u8], now: Timestamp) -> Result<Vec<Event>, NotHeard> {
        events::prove(headers, body, now, &self.webhook_secrets)?;
        let event: Value = serde_json::from_slice(body).map_err(|_| NotHeard::NotAnEvent)?;
        let event = events::read(&event, self.is_live, self.account.as_deref()).ok_or(NotHeard::NotAnEvent)?;
        Ok(vec![event])
    }

    /// A session as Stripe shows it, with its intent and charge, and what it says. An intent that has no session stands in an otherwise
    /// empty one.
    async fn standing(&self, reference: &str) -> Outcome<(Value, RemotePayment)> {
        if !is_name(reference) {
            return Outcome::Rejected("this is no name of a payment".to_owned());
        }
        let (path, expand) = match is_intent(reference) {
            true => (INTENTS, "latest_charge"),
            false => (SESSIONS, "payment_intent.latest_charge"),
        };
        let query = Form::default().with("expand[0]", expand).text();
        let session = match self.client.get(&format!("{path}/{reference}?{query}")).await {
            Said::Yes(intent) if is_intent(reference) => json!({"payment_intent": intent}),
            Said::Yes(session) => session,
            Said::No(refusal) => return rejected(refusal),
            Said::Unsure(reason) => return Outcome::Unknown(reason),
        };
        match read(&session) {
            Some(payment) => Outcome::Done((session, payment)),
            None => Outcome::Unknown(NOT_UNDERSTOOD.to_owned()),
        }
    }

    /// A session after its intent was changed. A no that shows the intent tells where it stands, more surely than another look.
    fn settled(&self, mut session: Value, said: Said) -> Outcome<RemotePayment> {
        match said {
            Said::Yes(intent) => {
                session["payment_intent"] = intent;
                understood(&session)
            }
            Said::No(Refusal { intent: Some(intent), code, .. }) if intent["status"] != session["payment_intent"]["status"] => {
                session["payment_intent"] = intent;
                match read(&session) {
                    Some(payment) => Outcome::Done(payment),
                    None => Outcome::Unknown(code),
                }
            }
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }
}

impl std::fmt::Debug for Stripe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stripe").field("is_live", &self.is_live).field("methods", &self.methods).finish_non_exhaustive()
    }
}

/// What Stripe can do; whether real money moves is the key's word.
pub const CAPABILITIES: Capabilities = Capabilities {
    name: NAME,
    label: "Card",
    idempotency: Idempotency::Keyed { ttl_seconds: 24 * 60 * 60, saves_errors: true, replays_latest: false },
    webhook: Webhook::SignedState,
    modification: Modification::Sync,
    auth_window_seconds: form::auth_window_seconds,
    can_cancel_open: true,
    lookup_by_reference: true,
    lists_payments: true,
    page_seconds: (SHORTEST_PAGE_SECONDS, LONGEST_PAGE_SECONDS),
    exponent: amounts::exponent,
    min_amount_minor: amounts::min_amount_minor,
    step_minor: amounts::step_minor,
    late_seconds: 120,
    live: true,
};

/// Whether Stripe takes a currency.
pub fn takes(currency: Currency) -> bool {
    amounts::exponent(currency).is_some()
}

const NOT_UNDERSTOOD: &str = "the payment is not understood";

/// Whether it can be a name of Stripe's: it is safe in an address.
fn is_name(reference: &str) -> bool {
    !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a payment of that name has no session.
fn is_intent(reference: &str) -> bool {
    reference.starts_with("pi_")
}

/// Whether these bytes open an intent and confirm it.
pub(super) fn confirms(body: &[u8]) -> bool {
    body.starts_with(form::CONFIRMS.as_bytes())
}

/// A session, or an intent that stands in an otherwise empty one.
fn read(session: &Value) -> Option<RemotePayment> {
    match session["id"].is_string() {
        true => session::read(session),
        false => intent::read(&session["payment_intent"]),
    }
}

fn understood(session: &Value) -> Outcome<RemotePayment> {
    read(session).map_or_else(|| Outcome::Unknown(NOT_UNDERSTOOD.to_owned()), Outcome::Done)
}

/// A confirmation that the bank refuses is a no that shows the intent: it was opened, and is open still.
fn confirmed(said: Said) -> Outcome<RemotePayment> {
    match said {
        Said::Yes(intent) | Said::No(Refusal { intent: Some(intent), .. }) => understood(&json!({"payment_intent": intent})),
        Said::No(refusal) => rejected(refusal),
        Said::Unsure(reason) => Outcome::Unknown(reason),
    }
}

fn shown(said: Said) -> Outcome<RemotePayment> {
    match said {
        Said::Yes(session) => understood(&session),
        Said::No(refusal) => rejected(refusal),
        Said::Unsure(reason) => Outcome::Unknown(reason),
    }
}

/// A key that Stripe does not take says nothing of the payment: the money may be held all the same.
fn rejected<T>(refusal: Refusal) -> Outcome<T> {
    match refusal.status {
        401 | 403 => Outcome::Unknown(format!("Stripe does not take our key: {}", refusal.code)),
        _ => Outcome::Rejected(refusal.code),
    }
}

fn intent_path(session: &Value) -> Option<String> {
    let id = session["payment_intent"]["id"].as_str()?;
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then(|| format!("/v1/payment_intents/{id}"))
}
