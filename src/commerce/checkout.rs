//! Checkout: given what is known now, what may happen next?
//!
//! Owns    the states of a checkout and every legal step between them.
//! Knows   no clock, database or network; time, stock and the gateway's answers arrive as values.
//! Gives   a `Decision` (next states, the step that commits them, work to do after it) or a `Rejection` the shopper can act on.
//! Always  nothing is placed before amount, currency and quote are compared; what is paid is never anything else again; an unknown
//!         answer changes nothing but is asked about again.
//! Source  state words follow the UCP checkout schema; steps and invariants: CHECKOUT.md section 5.

use serde::{Deserialize, Serialize};

use super::address::{Address, Contact};
use super::ids::{CartId, CheckoutId, MarketId, ShippingRateId, Timestamp};
use super::order::{Order, OrderState};
use super::payment::{Attempt, AttemptState, Report, ReportedState};
use super::quote::Quote;

#[cfg(test)]
mod tests;

/// Where a checkout stands, as told to programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutState {
    /// Something is missing: contact, address, shipping, or a quote that still holds.
    Incomplete,
    /// It can be paid.
    ReadyForComplete,
    /// It is being paid.
    CompleteInProgress,
    /// It became an order.
    Completed,
    /// It never will.
    Canceled,
}

impl CheckoutState {
    /// Its name in the store and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::ReadyForComplete => "ready_for_complete",
            Self::CompleteInProgress => "complete_in_progress",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
        }
    }
}

/// A checkout as stored: details, the newest quote, the newest attempt, and the order those belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its name.
    pub id: CheckoutId,
    /// The cart it is about.
    pub cart_id: CartId,
    /// The cart's revision when it was last seen.
    pub cart_revision: u32,
    /// The cart itself, as the edge's token: a checkout stands without its cookie.
    pub cart_token: String,
    /// Page-speed bucket of the page its cart was begun on, until it is paid; 0 = unknown. Its token does not hold it.
    pub vitals_bucket: u8,
    /// Where it is bought.
    pub market: MarketId,
    /// BCP 47.
    pub language: String,
    /// Who to write to, as far as known.
    pub contact: Contact,
    /// Where to, as far as known.
    pub address: Address,
    /// The rate the shopper chose.
    pub shipping_rate: Option<ShippingRateId>,
    /// The newest quote.
    pub quote: Option<Quote>,
    /// The newest attempt.
    pub attempt: Option<Attempt>,
    /// The newest order: a shell until it is placed.
    pub order: Option<Order>,
    /// Whether it was given up.
    pub canceled: bool,
    /// When it was opened.
    pub created_at: Timestamp,
}

impl Checkout {
    /// Where it stands at an instant.
    pub fn state(&self, now: Timestamp) -> CheckoutState {
        if self.order.as_ref().is_some_and(|order| order.state == OrderState::Placed) {
            return CheckoutState::Completed;
        }
        if self.attempt.as_ref().is_some_and(|attempt| attempt.state.is_live()) {
            return CheckoutState::CompleteInProgress;
        }
        if self.canceled {
            return CheckoutState::Canceled;
        }
        let holds = |quote: &Quote| quote.expires_at > now && quote.cart_revision == self.cart_revision;
        if self.quote.as_ref().is_some_and(holds) { CheckoutState::ReadyForComplete } else { CheckoutState::Incomplete }
    }

    fn is_placed(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.state == OrderState::Placed)
    }

    fn is_pending(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.state == OrderState::PendingPayment)
    }
}

/// What is wished, or what was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The shopper pays what was shown: the quote's hash as sent back, and the cart's revision now.
    Pay {
        /// Hash of the quote on the shopper's screen.
        quote_hash: String,
        /// The cart's revision by its token.
        cart_revision: u32,
    },
    /// The gateway opened the payment.
    GatewayOpened(Report),
    /// The gateway told where the payment stands.
    GatewayReported(Report),
    /// The gateway refused the last call and will not do it.
    GatewayRejected {
        /// Its words.
        reason: String,
    },
    /// Nobody knows what the last call did, or it is provably unknown to the gateway yet.
    GatewayUnknown,
    /// Time passed: look whether something has to be done.
    Deadline,
}

/// What varies around a decision.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Now.
    pub now: Timestamp,
    /// Whether this shop's gateway moves real money; payments of the other kind are not ours.
    pub live: bool,
}

/// The one transaction that makes a decision true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is written.
    Stay,
    /// T1: order shell, reservation and attempt.
    BeginPayment,
    /// T2: the gateway's name for the payment and its page.
    RecordOpened,
    /// T3: the order is placed, with its number.
    Place,
    /// T4: the money is in the ledger, the confirmation in the outbox. Places the order first where it is not yet.
    MarkPaid,
    /// The attempt ended with a no; shell and reservation stay for the next one until their time is over.
    Decline,
    /// The attempt was called off; shell and reservation are let go.
    CancelAttempt,
    /// The money was taken and can be no order's of this attempt: it is an orphan from now on, which gets an order or goes back.
    Disown,
    /// The attempt is put before a person.
    Review,
    /// Shell and reservation are let go, as their time is over and no attempt lives.
    Release,
}

/// Work to do after the commit, by the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Call the gateway with the attempt's key and bytes.
    OpenPayment,
    /// Find out what became of the payment.
    LookUp,
    /// Take the held money.
    Capture,
    /// Call the payment off.
    CancelPayment,
    /// Write the confirmation.
    SendConfirmation,
    /// Tell a person.
    Alarm,
}

/// Where attempt and order stand after a step; `None`: as before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Next {
    /// The attempt.
    pub attempt: Option<AttemptState>,
    /// The order.
    pub order: Option<OrderState>,
}

/// A ruling.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a decision is true once its step is committed"]
pub struct Decision {
    /// What has to be committed.
    pub step: Step,
    /// Where that leads.
    pub next: Next,
    /// What is done after the commit, in this order.
    pub effects: Vec<Effect>,
    /// Why, where a person or the shopper should know: a decline code, or what does not fit.
    pub reason: Option<String>,
}

/// A well-founded no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Contact, address or shipping is missing.
    #[error("some details are still missing")]
    NotReady,
    /// The totals are others than those on the screen.
    #[error("the total has changed; please look at it again")]
    QuoteChanged,
    /// The cart was changed in another tab.
    #[error("the cart has changed; please look at it again")]
    CartChanged,
    /// The quote's time is over.
    #[error("these prices have run out; please look at them again")]
    QuoteExpired,
    /// Another try is under way; it is shown instead of opening a second one.
    #[error("a payment is already under way")]
    PaymentInProgress,
    /// It became an order.
    #[error("this is already paid")]
    AlreadyPlaced,
    /// It was given up.
    #[error("this checkout was canceled")]
    Canceled,
    /// There is no attempt this could be about.
    #[error("there is no such payment")]
    NoAttempt,
    /// The payment is not ours: of another attempt, or play money in a real shop. Nothing changes.
    #[error("this payment belongs elsewhere")]
    ForeignPayment,
}

impl Rejection {
    /// Stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::QuoteChanged => "quote_changed",
            Self::CartChanged => "cart_changed",
            Self::QuoteExpired => "quote_expired",
            Self::PaymentInProgress => "payment_in_progress",
            Self::AlreadyPlaced => "already_placed",
            Self::Canceled => "checkout_canceled",
            Self::NoAttempt => "no_attempt",
            Self::ForeignPayment => "foreign_payment",
        }
    }
}

/// Rules on a command.
///
/// Errors: a `Rejection` changes nothing. Repeating a command after its step was committed gives `Step::Stay` or a rejection.
pub fn decide(checkout: &Checkout, command: &Command, facts: &Facts) -> Result<Decision, Rejection> {
    if let Command::Pay { quote_hash, cart_revision } = command {
        return pay(checkout, quote_hash, *cart_revision, facts);
    }
    let Some(attempt) = &checkout.attempt else {
        return match command {
            Command::Deadline => Ok(Decision::stay()),
            _ => Err(Rejection::NoAttempt),
        };
    };
    match command {
        Command::Pay { .. } => unreachable!("ruled on above"),
        Command::GatewayOpened(report) | Command::GatewayReported(report) => reported(checkout, attempt, report, facts),
        Command::GatewayRejected { reason } => Ok(rejected(checkout, attempt, reason, facts)),
        Command::GatewayUnknown => Ok(Decision::stay().then(attempt.state.is_live().then_some(Effect::LookUp))),
        Command::Deadline => Ok(deadline(checkout, attempt, facts)),
    }
}

fn pay(checkout: &Checkout, quote_hash: &str, cart_revision: u32, facts: &Facts) -> Result<Decision, Rejection> {
    if checkout.is_placed() {
        return Err(Rejection::AlreadyPlaced);
    }
    if checkout.attempt.as_ref().is_some_and(|attempt| attempt.state.is_live()) {
        return Err(Rejection::PaymentInProgress);
    }
    if checkout.canceled {
        return Err(Rejection::Canceled);
    }
    let quote = checkout.quote.as_ref().ok_or(Rejection::NotReady)?;
    if quote.hash != quote_hash || !quote.is_intact() {
        return Err(Rejection::QuoteChanged);
    }
    if quote.cart_revision != cart_revision {
        return Err(Rejection::CartChanged);
    }
    if quote.expires_at <= facts.now {
        return Err(Rejection::QuoteExpired);
    }
    let next = Next { attempt: Some(AttemptState::IntentPending), order: Some(OrderState::PendingPayment) };
    Ok(Decision::of(Step::BeginPayment, next, &[Effect::OpenPayment]))
}

fn reported(checkout: &Checkout, attempt: &Attempt, report: &Report, facts: &Facts) -> Result<Decision, Rejection> {
    let is_other = attempt.reference.as_ref().is_some_and(|known| *known != report.reference);
    if report.live != facts.live || is_other {
        return Err(Rejection::ForeignPayment);
    }
    Ok(match report.state {
        ReportedState::Open => opened(attempt, report),
        ReportedState::Declined => declined(checkout, attempt, report),
        ReportedState::Authorized => authorized(checkout, attempt, report),
        ReportedState::Captured => captured(checkout, attempt, report),
        ReportedState::Canceled => canceled(checkout, attempt),
    })
}

fn opened(attempt: &Attempt, report: &Report) -> Decision {
    match attempt.state {
        // A card was refused already: whether another one can be tried is found out at once.
        AttemptState::IntentPending => Decision::to(Step::RecordOpened, AttemptState::AwaitingShopper, &[])
            .then(report.decline_code.is_some().then_some(Effect::LookUp)),
        // A payment we hold to be dead can still be paid: it is called off, so that it cannot.
        AttemptState::Declined | AttemptState::Canceled => Decision::stay().then(Some(Effect::CancelPayment)),
        AttemptState::Authorized | AttemptState::Capturing => Decision::review("the gateway takes back that it holds the money"),
        AttemptState::AwaitingShopper | AttemptState::Paid | AttemptState::Review => Decision::stay(),
    }
}

fn declined(checkout: &Checkout, attempt: &Attempt, report: &Report) -> Decision {
    match attempt.state {
        AttemptState::IntentPending | AttemptState::AwaitingShopper => {
            let reason = report.decline_code.clone().unwrap_or_else(|| "declined".to_owned());
            Decision::to(Step::Decline, AttemptState::Declined, &[]).because(&reason)
        }
        AttemptState::Review if !checkout.is_placed() => Decision::to(Step::Decline, AttemptState::Declined, &[]),
        AttemptState::Authorized | AttemptState::Capturing => Decision::review("the gateway declined after it had authorized"),
        AttemptState::Paid | AttemptState::Declined | AttemptState::Canceled | AttemptState::Review => Decision::stay(),
    }
}

fn authorized(checkout: &Checkout, attempt: &Attempt, report: &Report) -> Decision {
    match attempt.state {
        // Who wants it let go does not want it taken.
        AttemptState::Capturing => Decision::stay().then(attempt.void_asked_at.is_none().then_some(Effect::Capture)),
        AttemptState::Paid => Decision::stay(),
        AttemptState::Review => Decision::stay().then((!checkout.is_placed()).then_some(Effect::CancelPayment)),
        _ => match honoured(checkout, report) {
            Ok(()) => {
                let next = Next { attempt: Some(AttemptState::Capturing), order: Some(OrderState::Placed) };
                Decision::of(Step::Place, next, &[Effect::Capture])
            }
            Err(obstacle) => Decision::review(obstacle.reason()).then((!checkout.is_placed()).then_some(Effect::CancelPayment)),
        },
    }
}

fn captured(checkout: &Checkout, attempt: &Attempt, report: &Report) -> Decision {
    let paid = || {
        let next = Next { attempt: Some(AttemptState::Paid), order: Some(OrderState::Placed) };
        Decision::of(Step::MarkPaid, next, &[Effect::SendConfirmation])
    };
    match (attempt.state, honoured(checkout, report)) {
        (AttemptState::Paid, _) => Decision::stay(),
        // A person wanted it let go, and it was taken all the same.
        (AttemptState::Review, _) if attempt.void_asked_at.is_some() && !checkout.is_placed() => Decision::disown(REFUSED),
        (AttemptState::Review, _) => Decision::stay(),
        (_, Ok(())) => paid(),
        // It is the agreed money and comes too late: it may still get an order, and else it goes back.
        (_, Err(Obstacle::NoOrder(reason))) => Decision::disown(reason),
        // What does not fit may be anybody's, or more than it says.
        (_, Err(obstacle @ Obstacle::OtherMoney(_))) => Decision::review(obstacle.reason()),
    }
}

/// Why the money of a payment under review goes back.
const REFUSED: &str = "it was to be let go, and was taken";

/// Why money makes no order a promise.
enum Obstacle {
    /// No order waits for it.
    NoOrder(&'static str),
    /// It is not what was agreed.
    OtherMoney(String),
}

impl Obstacle {
    fn reason(&self) -> &str {
        match self {
            Self::NoOrder(reason) => reason,
            Self::OtherMoney(reason) => reason,
        }
    }
}

/// Whether money may make this checkout's order a promise: it is the agreed money, and the order still waits for it.
fn honoured(checkout: &Checkout, report: &Report) -> Result<(), Obstacle> {
    let Some(attempt) = &checkout.attempt else { return Err(Obstacle::NoOrder("there is no such payment")) };
    report.matches(attempt.amount, &attempt.quote_hash).map_err(|mismatch| Obstacle::OtherMoney(mismatch.to_string()))?;
    let order = checkout.order.as_ref().filter(|order| order.state != OrderState::Canceled);
    let order = order.ok_or(Obstacle::NoOrder("the order was canceled before the money came"))?;
    if attempt.quote_hash != order.quote.hash {
        return Err(Obstacle::NoOrder("the payment is for an older quote than the order's"));
    }
    if checkout.is_placed() && attempt.state != AttemptState::Capturing {
        return Err(Obstacle::NoOrder("another payment placed this order already"));
    }
    report.matches(order.quote.total(), &order.quote.hash).map_err(|mismatch| Obstacle::OtherMoney(mismatch.to_string()))
}

fn canceled(checkout: &Checkout, attempt: &Attempt) -> Decision {
    match attempt.state {
        AttemptState::Capturing | AttemptState::Review if attempt.void_asked_at.is_some() => let_go(),
        AttemptState::Capturing => Decision::review("the authorization was lost before the capture"),
        AttemptState::Paid | AttemptState::Canceled | AttemptState::Declined => Decision::stay(),
        AttemptState::Review if checkout.is_placed() => Decision::stay(),
        _ => let_go(),
    }
}

fn let_go() -> Decision {
    let next = Next { attempt: Some(AttemptState::Canceled), order: Some(OrderState::Canceled) };
    Decision::of(Step::CancelAttempt, next, &[])
}

fn rejected(checkout: &Checkout, attempt: &Attempt, reason: &str, facts: &Facts) -> Decision {
    let is_over = attempt.deadline_at <= facts.now;
    match attempt.state {
        // The gateway has no such payment, its time is over, and the house wants its units back.
        AttemptState::Review if attempt.void_asked_at.is_some() && is_over && !checkout.is_placed() => let_go(),
        AttemptState::IntentPending => Decision::to(Step::Decline, AttemptState::Declined, &[]).because(reason),
        // The gateway does not know what it told us of. It may be late by its own copies; after the deadline a person has to look.
        AttemptState::AwaitingShopper | AttemptState::Authorized if is_over => Decision::review(reason),
        AttemptState::AwaitingShopper | AttemptState::Authorized => Decision::stay(),
        AttemptState::Capturing => Decision::review(reason),
        AttemptState::Paid | AttemptState::Declined | AttemptState::Canceled | AttemptState::Review => Decision::stay(),
    }
}

fn deadline(checkout: &Checkout, attempt: &Attempt, facts: &Facts) -> Decision {
    match attempt.state {
        AttemptState::IntentPending | AttemptState::Authorized => Decision::stay().then(Some(Effect::LookUp)),
        AttemptState::AwaitingShopper if attempt.deadline_at <= facts.now => Decision::stay().then(Some(Effect::CancelPayment)),
        AttemptState::AwaitingShopper => Decision::stay().then(Some(Effect::LookUp)),
        AttemptState::Capturing => Decision::stay().then(Some(Effect::Capture)),
        AttemptState::Declined if checkout.is_pending() && attempt.deadline_at <= facts.now => {
            Decision::of(Step::Release, Next { attempt: None, order: Some(OrderState::Canceled) }, &[])
        }
        AttemptState::Declined | AttemptState::Paid | AttemptState::Canceled | AttemptState::Review => Decision::stay(),
    }
}

impl Decision {
    fn of(step: Step, next: Next, effects: &[Effect]) -> Self {
        Self { step, next, effects: effects.to_vec(), reason: None }
    }

    fn to(step: Step, attempt: AttemptState, effects: &[Effect]) -> Self {
        Self::of(step, Next { attempt: Some(attempt), order: None }, effects)
    }

    fn stay() -> Self {
        Self::of(Step::Stay, Next::default(), &[])
    }

    fn review(reason: &str) -> Self {
        Self::to(Step::Review, AttemptState::Review, &[Effect::Alarm]).because(reason)
    }

    fn disown(reason: &str) -> Self {
        Self::to(Step::Disown, AttemptState::Canceled, &[]).because(reason)
    }

    fn then(mut self, effect: Option<Effect>) -> Self {
        self.effects.extend(effect);
        self
    }

    fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }
}
