//! Stripe: payments by its hosted page, held first and taken when the order is placed.
//!
//! Owns    the calls: open a checkout session, fetch it with its payment intent, find it by the key it was opened with, take or let go
//!         the held money, expire the page, refund; the proof of its webhooks.
//! Knows   the reference of a payment is the session's; its intent is found through it. Nothing is searched for: search lags.
//! Always  a POST carries a key and the same bytes for ever. Expiring a page that was paid is a no, and whoever hears it looks again:
//!         it counts as paid.
//! Source  CHECKOUT.md 2.1; API version [`VERSION`].

mod amounts;
mod client;
mod events;
mod form;
mod session;

use std::sync::Arc;

use serde_json::Value;

pub use self::client::{Secret, VERSION};
pub use self::events::KINDS;
pub use self::form::methods;

use self::client::{Client, Refusal, Said};
use self::form::Form;
use super::capabilities::{Capabilities, Idempotency, Modification, Webhook};
use super::event::{Event, NotHeard};
use super::sandbox::is_loopback;
use super::{CreatePayment, Hint, Listed, Outcome, Page, RemotePayment, RemoteState};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money};

/// Its name on the wire and in the ledger.
pub const NAME: &str = "stripe";
/// Where Stripe is.
pub const API_BASE: &str = "https://api.stripe.com";
/// Stripe's shortest page life is 30 minutes from when it hears of it; the call may be sent again for a while until then.
const SHORTEST_PAGE_SECONDS: i64 = 35 * 60;
/// Its longest is a day; clocks differ.
const LONGEST_PAGE_SECONDS: i64 = 24 * 60 * 60 - 300;
/// Items of one page of a list.
const PAGE: usize = 100;
/// The same where each comes with its intent and its charge.
const LIST_PAGE: usize = 50;
/// Pages of sessions that a look-up turns: ten thousand payments after the one that is looked for.
const MAX_PAGES: usize = 100;
/// Seconds by which Stripe's clock may be behind ours.
const CLOCK_SLACK_SECONDS: i64 = 300;

/// Stripe. Clones share its connections.
#[derive(Clone)]
pub struct Stripe {
    client: Client,
    webhook_secrets: Arc<[Secret]>,
    methods: Arc<[String]>,
    account: Option<Arc<str>>,
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
    /// Nothing to pay with.
    #[error("no way of paying is set")]
    NoMethods,
    /// The client cannot be made.
    #[error("{0}")]
    Client(String),
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
        Ok(Self {
            client: Client::new(base, &settings.secret_key).map_err(StripeError::Client)?,
            webhook_secrets: settings.webhook_secrets.clone().into(),
            methods: settings.methods.clone().into(),
            account: settings.account.as_deref().map(Arc::from),
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

    pub(super) fn body(&self, create: &CreatePayment) -> Vec<u8> {
        form::open_session(create, &self.methods).into_bytes()
    }

    pub(super) async fn create(&self, key: &str, body: &[u8]) -> Outcome<RemotePayment> {
        self.create_hinted(key, body).await.0
    }

    pub(super) async fn create_hinted(&self, key: &str, body: &[u8]) -> (Outcome<RemotePayment>, Hint) {
        let (said, hint) = self.client.post_hinted("/v1/checkout/sessions", key, body.to_vec()).await;
        (shown(said), hint)
    }

    pub(super) async fn fetch(&self, reference: &str) -> Outcome<RemotePayment> {
        match self.session(reference).await.done() {
            Ok(session) => understood(&session),
            Err(outcome) => outcome,
        }
    }

    /// Turns the pages of sessions from the newest back to those of before `since`.
    pub(super) async fn lookup(&self, key: &str, since: Timestamp) -> Outcome<Option<RemotePayment>> {
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = Form::default().with("limit", &PAGE.to_string());
            if let Some(after) = &after {
                query = query.with("starting_after", after);
            }
            let list = match self.client.get(&format!("/v1/checkout/sessions?{}", query.text())).await {
                Said::Yes(list) => list,
                Said::No(refusal) => return Outcome::Unknown(refusal.code),
                Said::Unsure(reason) => return Outcome::Unknown(reason),
            };
            let Some(sessions) = list["data"].as_array() else { return Outcome::Unknown("a list without data".to_owned()) };
            if let Some(found) = sessions.iter().find(|session| session["client_reference_id"] == key) {
                return match self.fetch(found["id"].as_str().unwrap_or("")).await {
                    Outcome::Done(payment) => Outcome::Done(Some(payment)),
                    Outcome::Accepted => Outcome::Accepted,
                    // It is on the list: whoever does not find it is late.
                    Outcome::Rejected(reason) | Outcome::Unknown(reason) => Outcome::Unknown(reason),
                };
            }
            let is_older = |session: &Value| session["created"].as_i64().is_some_and(|at| at < since.0 - CLOCK_SLACK_SECONDS);
            if list["has_more"] != true || sessions.iter().any(is_older) {
                return Outcome::Done(None);
            }
            after = sessions.last().and_then(|session| session["id"].as_str()).map(str::to_owned);
        }
        Outcome::Unknown("too many payments since".to_owned())
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
            RemoteState::Open => {
                let body = Form::default().with("expand[0]", "payment_intent.latest_charge").text();
                let path = format!("/v1/checkout/sessions/{}/expire", payment.reference);
                shown(self.client.post(&path, &format!("{key}:page"), body.into_bytes()).await)
            }
            RemoteState::Authorized => {
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
        let (session, mut payment) = match self.standing(reference).await.done() {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        let units = amounts::to_wire(amount).filter(|_| amount.currency == payment.amount.currency);
        let (Some(intent), Some(units)) = (session["payment_intent"]["id"].as_str(), units) else {
            return Outcome::Rejected("this cannot be refunded".to_owned());
        };
        let body = Form::default().with("payment_intent", intent).with("amount", &units.to_string()).with("metadata[key]", key);
        match self.client.post("/v1/refunds", key, body.text().into_bytes()).await {
            Said::Yes(refund) => match refund["status"].as_str() {
                Some("succeeded") => {
                    // The session was read before; a key that was sent again finds its refund counted already.
                    if let Outcome::Done(after) = self.fetch(reference).await {
                        payment = after;
                    }
                    Outcome::Done(payment)
                }
                Some("pending" | "requires_action") => Outcome::Accepted,
                Some("failed" | "canceled") => {
                    Outcome::Rejected(refund["failure_reason"].as_str().unwrap_or("failed").to_owned())
                }
                _ => Outcome::Unknown("a refund in an unknown state".to_owned()),
            },
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    /// Sessions with their intents, newest first, down to those of before `since`.
    pub(super) async fn payments(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Listed>> {
        let mut query =
            Form::default().with("limit", &LIST_PAGE.to_string()).with("expand[0]", "data.payment_intent.latest_charge");
        if let Some(after) = after {
            query = query.with("starting_after", after);
        }
        match self.client.get(&format!("/v1/checkout/sessions?{}", query.text())).await {
            Said::Yes(list) => session::page(&list, since)
                .map_or_else(|| Outcome::Unknown("a list that is not understood".to_owned()), Outcome::Done),
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    pub(super) fn hear(&self, headers: &http::HeaderMap, body: &[u8], now: Timestamp) -> Result<Vec<Event>, NotHeard> {
        events::prove(headers, body, now, &self.webhook_secrets)?;
        let event: Value = serde_json::from_slice(body).map_err(|_| NotHeard::NotAnEvent)?;
        let event = events::read(&event, self.is_live, self.account.as_deref()).ok_or(NotHeard::NotAnEvent)?;
        Ok(vec![Event { body: body.to_vec(), ..event }])
    }

    pub(super) async fn events(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Event>> {
        let mut query = Form::default().with("limit", &PAGE.to_string()).with("created[gte]", &since.0.to_string());
        for (index, kind) in KINDS.iter().enumerate() {
            query = query.with(&format!("types[{index}]"), kind);
        }
        if let Some(after) = after {
            query = query.with("starting_after", after);
        }
        match self.client.get(&format!("/v1/events?{}", query.text())).await {
            Said::Yes(list) => {
                let found = list["data"].as_array().into_iter().flatten();
                let found: Vec<Event> =
                    found.filter_map(|event| events::read(event, self.is_live, self.account.as_deref())).collect();
                let last = found.last().map(|event| event.id.clone()).filter(|_| list["has_more"] == true);
                Outcome::Done((found, last))
            }
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    /// A session as Stripe shows it, with its intent and charge.
    async fn session(&self, reference: &str) -> Outcome<Value> {
        if reference.is_empty() || !reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Outcome::Rejected("this is no name of a session".to_owned());
        }
        let query = Form::default().with("expand[0]", "payment_intent.latest_charge").text();
        match self.client.get(&format!("/v1/checkout/sessions/{reference}?{query}")).await {
            Said::Yes(session) => Outcome::Done(session),
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    /// The same, understood.
    async fn standing(&self, reference: &str) -> Outcome<(Value, RemotePayment)> {
        match self.session(reference).await.done() {
            Ok(session) => match session::read(&session) {
                Some(payment) => Outcome::Done((session, payment)),
                None => Outcome::Unknown(NOT_UNDERSTOOD.to_owned()),
            },
            Err(outcome) => outcome,
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
                match session::read(&session) {
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
    live: true,
};

/// Whether Stripe takes a currency.
pub fn takes(currency: Currency) -> bool {
    amounts::exponent(currency).is_some()
}

const NOT_UNDERSTOOD: &str = "the session is not understood";

fn understood(session: &Value) -> Outcome<RemotePayment> {
    session::read(session).map_or_else(|| Outcome::Unknown(NOT_UNDERSTOOD.to_owned()), Outcome::Done)
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
