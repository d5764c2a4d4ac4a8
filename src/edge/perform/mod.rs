//! Perform: what was committed is done.
//!
//! Owns    the till: store, gateway and mail together, and the one way by which a payment moves on (a turn).
//! Always  ask → decide → commit, then again: the rules are `commerce::checkout::decide`, the commit is one step of the store, and no
//!         gateway is asked while a transaction is open. Whoever acts on a checkout holds its lease.
//! Source  CHECKOUT.md section 5: T1 to T4, keys, leases, recovery.

mod ask;
mod compare;
mod disputes;
pub mod inbox;
mod letters;
mod line;
pub mod mail;
pub mod orphans;
mod outbox;
pub mod reconcile;
pub mod refunds;
pub mod rounds;
pub mod services;
mod sighting;
pub mod subscribers;
mod uses;
mod vitals;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};

use self::ask::{Answer, Question};
use self::line::Line;
pub use self::line::{Closed, PAYMENTS_PER_SECOND, Pass};
use self::mail::Mailer;
use self::subscribers::Subscribers;
use self::vitals::Post;
pub use self::vitals::{NoPayment, Seen};
use super::app::App;
use super::counted;
use super::key_ring::{KeyRing, Purpose};
use super::live::Live;
use super::reply::{ElementReply, PaymentMethodReply};
use crate::commerce::checkout::{Checkout, Command, Decision, Effect, Facts, Rejection, Step, decide};
use crate::commerce::ids::{AttemptId, CheckoutId, OrderId, QuoteId, Timestamp};
use crate::commerce::inventory::stock_needs;
use crate::commerce::money::Money;
use crate::commerce::order::OrderState;
use crate::commerce::payment::{Attempt, AttemptState, Operation, idempotency_key};
use crate::commerce::quote::Quote;
use crate::gateway::capabilities::AmountProblem;
use crate::gateway::{CreatePayment, Element, Gateway};
use crate::store::{BeginPayment, Lease, Opened, Refusal, Settlement, Store, StoreError, Taken};
use crate::telemetry::tally::Problem;
use crate::theme::texts::Say;

/// Seconds a lease is good for: longer than the calls of one turn, of which few are slow.
const LEASE_SECONDS: i64 = 60;
/// Seconds of a day.
const DAY_SECONDS: i64 = 24 * 3600;
/// Steps of one turn: opened, placed, captured, and one to spare.
const MAX_STEPS: usize = 4;
/// Work of the outbox, and of the sweep, that is under way at once.
const PLACES: usize = 8;
/// The gateway's name in an attempt that needs none, as there is nothing to pay.
const NOTHING_TO_PAY: &str = "none";
/// Why an attempt ended whose opening call the gateway did not take, since it takes none of ours: nothing was made.
pub const INTERRUPTED: &str = "payments_interrupted";

/// Store, gateway and mail.
#[derive(Debug)]
pub struct Till {
    /// What survives a crash.
    pub store: Store,
    /// Who writes to shoppers.
    pub mailer: Mailer,
    /// What was seen of the store a moment ago.
    pub seen: ArcSwap<Seen>,
    /// The merchant's systems that are told what happens; `None`: none is.
    pub subscribers: Option<Arc<Subscribers>>,
    gateway: Line,
    post: Post,
    owner: String,
    due: Notify,
    mails_due: Notify,
    heard: Notify,
    places: Arc<Semaphore>,
    sweep_places: Arc<Semaphore>,
    watch: reconcile::Watch,
}

impl Till {
    /// A till of this process.
    pub fn new(store: Store, gateway: Gateway, mailer: Mailer) -> Self {
        assert!(gateway.capabilities().lookup_by_reference, "what a gateway cannot find again could be lost");
        let owner = new_id();
        let places = || Arc::new(Semaphore::new(PLACES));
        Self {
            store,
            mailer,
            seen: ArcSwap::default(),
            subscribers: None,
            gateway: Line::new(gateway, PAYMENTS_PER_SECOND),
            post: Post::new(),
            owner,
            due: Notify::new(),
            mails_due: Notify::new(),
            heard: Notify::new(),
            places: places(),
            sweep_places: places(),
            watch: reconcile::Watch::default(),
        }
    }

    /// The same, telling the merchant's systems what happens.
    pub fn telling(self, subscribers: Subscribers) -> Self {
        Self { subscribers: Some(Arc::new(subscribers)), ..self }
    }

    /// How it can be paid.
    pub fn methods(&self) -> Vec<PaymentMethodReply> {
        let known = self.gateway.capabilities();
        vec![PaymentMethodReply { id: known.name.to_owned(), name: known.label.to_owned() }]
    }

    /// The gateway's form for the checkout's page, over what is to be paid; `None`: it is paid on the gateway's own page.
    pub fn element(&self, amount: Money) -> Option<ElementReply> {
        let Element { script, key, amount, currency, holds, methods } =
            self.gateway.element(amount).filter(|_| amount.minor > 0)?;
        let capture_method = if holds { "manual" } else { "automatic" };
        Some(ElementReply {
            script: script.to_owned(),
            key,
            amount,
            currency,
            capture_method: capture_method.to_owned(),
            methods,
        })
    }

    /// Whether the gateway takes so much; an order over nothing needs none.
    ///
    /// Errors: why not, for people.
    pub fn check_amount(&self, amount: Money) -> Result<(), Say> {
        if amount.minor == 0 {
            return Ok(());
        }
        self.gateway.capabilities().check_amount(amount).map_err(|problem| match problem {
            AmountProblem::Currency(currency) => Say::of("payment.no_such_currency").with("currency", currency),
            AmountProblem::TooSmall(least) => Say::of("payment.amount_too_small").with_money("least", least),
            AmountProblem::Step(step) => Say::of("payment.amount_between_steps").with_money("step", step),
        })
    }

    /// T1: units and coupon uses are held, order shell and attempt are written. Nothing was sent yet; the turn that begins with it
    /// sends it.
    pub async fn begin(&self, purchase: &Purchase<'_>) -> Result<Taken, StoreError> {
        let Purchase { live, quote, now, .. } = *purchase;
        let begin = |number| {
            let attempt = self.attempt(purchase, number);
            BeginPayment {
                order: OrderId(new_id()),
                needs: stock_needs(&quote.priced.lines, &live.bundle.catalog),
                coupons: uses::needs(live, quote),
                customer: uses::customer(purchase.keys, quote),
                now,
                hold_until: attempt.deadline_at,
                attempt,
            }
        };
        let number = purchase.checkout.attempt.as_ref().map_or(1, |last| last.number + 1);
        let until = now.plus_seconds(LEASE_SECONDS);
        let taken = match self.store.begin_payment(begin(number), &self.owner, until).await {
            // The gateway knows keys of that number, from before a backup was put back.
            Err(StoreError::Refused(Refusal::NumberUsed { next })) => {
                self.store.begin_payment(begin(next), &self.owner, until).await?
            }
            begun => begun?,
        };
        failpoint!("K6");
        Ok(taken)
    }

    /// When the gateway's page of a payment that begins now is closed.
    pub fn open_until(&self, live: &Live, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.gateway.capabilities().open_seconds(live.bundle.rules.reservation_seconds))
    }

    fn attempt(&self, purchase: &Purchase<'_>, number: u32) -> Attempt {
        let Purchase { live, keys, checkout, quote, confirmation, now } = *purchase;
        let shop = &live.bundle.shop_id;
        let (_, site) = live.market(&quote.market);
        let token = keys.token(Purpose::Checkout, checkout.id.as_str());
        let metadata = [
            ("shop", shop.clone()),
            ("checkout", checkout.id.0.clone()),
            ("attempt", number.to_string()),
            ("quote_hash", quote.hash.clone()),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let key = idempotency_key(shop, &checkout.id, Operation::Create, number);
        let known = self.gateway.capabilities();
        // Units are held for as long as the gateway's page is open, and that can be closed no sooner than the gateway allows.
        let deadline_at = self.open_until(live, now);
        let create = CreatePayment {
            amount: if planted!("float_total") { floated(quote.total()) } else { quote.total() },
            return_url: format!("{}/checkout/{}/return?token={token}", site.base_url, checkout.id),
            leave_url: format!("{}/checkout/{}?token={token}", site.base_url, checkout.id),
            description: site.name.clone(),
            email: quote.contact.email.clone(),
            confirmation: confirmation.map(str::to_owned),
            key: key.clone(),
            expires_at: deadline_at,
            metadata: metadata.map(|(key, value)| (key.to_owned(), value)).into(),
        };
        let gateway = if quote.total().minor == 0 { NOTHING_TO_PAY } else { known.name };
        Attempt {
            id: AttemptId(new_id()),
            checkout: checkout.id.clone(),
            number,
            quote: quote.id.clone(),
            quote_hash: quote.hash.clone(),
            amount: quote.total(),
            gateway: gateway.to_owned(),
            key,
            body: self.gateway.body(&create),
            state: AttemptState::IntentPending,
            reference: None,
            redirect_url: None,
            reason: None,
            card: None,
            created_at: now,
            changed_at: now,
            deadline_at,
            cancel_sent_at: None,
            void_asked_at: None,
        }
    }

    /// Moves a checkout's payment on as far as it goes now, and gives the checkout as it then is.
    ///
    /// Whoever finds it being worked on gets its present state: losers never compensate.
    async fn turn(&self, app: &App, id: &CheckoutId, wish: Wish) -> Result<Option<Turned>, StoreError> {
        self.turn_by(app, id, Turn { wish, events: Vec::new(), begun: None }).await
    }

    async fn turn_by(&self, app: &App, id: &CheckoutId, turn: Turn) -> Result<Option<Turned>, StoreError> {
        let Turn { wish, events, begun } = turn;
        let (begun, pass) = begun.map_or((None, None), |Begun { taken, pass }| (Some(taken), pass));
        if self.watch.holds_still() {
            let left = match begun.and_then(|taken| taken.lease) {
                Some(lease) => self.give_back(&lease).await?,
                None => self.store.checkout(id).await?,
            };
            return Ok(left.map(|checkout| Turned::of(checkout, Learned::Nothing)));
        }
        let taken = match begun.filter(|taken| taken.lease.is_some()) {
            Some(taken) => Some(taken),
            None => {
                let now = app.clock.now();
                self.store.take_lease(id, &self.owner, now, now.plus_seconds(LEASE_SECONDS)).await?
            }
        };
        let Some(Taken { checkout, lease }) = taken else { return Ok(None) };
        let Some(lease) = lease.map(|lease| Lease { events, ..lease }) else {
            if planted!("loser_compensates") {
                self.compensate(id).await?;
            }
            // Whoever has it may have committed something since.
            return Ok(self.store.checkout(id).await?.map(|checkout| Turned::of(checkout, Learned::Nothing)));
        };
        failpoint!("K34");
        let done = self.work(app, &lease, checkout, wish, pass.as_ref()).await;
        let (learned, left) = match done {
            Ok((learned, Some(checkout))) => (learned, Some(checkout)),
            Ok((learned, None)) => (learned, self.give_back(&lease).await?),
            // Another worker took over after our lease ran out: what it found counts.
            Err(StoreError::Refused(Refusal::LeaseLost)) => {
                failpoint!("K35");
                (Learned::Nothing, self.store.checkout(id).await?)
            }
            Err(error) => {
                drop(self.give_back(&lease).await);
                return Err(error);
            }
        };
        Ok(left.map(|checkout| Turned::of(checkout, learned)))
    }

    async fn give_back(&self, lease: &Lease) -> Result<Option<Checkout>, StoreError> {
        match self.store.release_lease(lease).await {
            Err(error) => {
                tracing::warn!(%error, checkout = %lease.checkout, "a lease was not given back; it ends by itself");
                self.store.checkout(&lease.checkout).await
            }
            left => left,
        }
    }

    /// Asks and commits until nothing more is to be learned now. Gives the checkout where the last step gave the lease back with it.
    async fn work(
        &self,
        app: &App,
        lease: &Lease,
        mut checkout: Checkout,
        mut wish: Wish,
        pass: Option<&Pass>,
    ) -> Result<(Learned, Option<Checkout>), StoreError> {
        for step in 1..=MAX_STEPS {
            let Some(attempt) = &checkout.attempt else { return Ok((Learned::All, None)) };
            let now = app.clock.now();
            let shop = app.live.load().bundle.shop_id.clone();
            let is_placed = checkout.order.as_ref().is_some_and(|order| order.state == OrderState::Placed);
            // An order that is placed is a promise on both sides: its money is not let go by whoever holds the cart, but by the house.
            if is_placed && wish == Wish::CallOff && attempt.void_asked_at.is_none() {
                return Ok((Learned::All, None));
            }
            let question = Question { lease, shop: &shop, attempt, wish, now, pass, clock: &app.clock };
            let Some(mut answer) = self.ask(&question).await? else { return Ok((Learned::All, None)) };
            if planted!("amount_not_compared") {
                answer.believe(attempt);
            }
            // What was opened only to be closed is closed now.
            let is_given_up = wish == Wish::CallOff || attempt.cancel_sent_at.is_some();
            let closes = is_given_up && attempt.state == AttemptState::IntentPending;
            wish = Wish::GoOn;
            let facts = Facts { now, live: answer.live };
            let decision = match decide(&checkout, &answer.command, &facts) {
                Ok(decision) => decision,
                Err(rejection) => {
                    tracing::error!(checkout = %checkout.id, %rejection, "a gateway's answer was not taken");
                    let is_foreign = rejection == Rejection::ForeignPayment;
                    return Ok((if is_foreign { Learned::Foreign } else { Learned::Nothing }, None));
                }
            };
            let closes = closes && decision.step == Step::RecordOpened;
            if closes {
                wish = Wish::CallOff;
            }
            let goes_on = closes || decision.effects.iter().any(|effect| matches!(effect, Effect::Capture | Effect::LookUp));
            let is_known = answer.command != Command::GatewayUnknown;
            let is_last = !goes_on || !is_known || step == MAX_STEPS;
            // What is promised by a step of its own is promised under the lease as well.
            let promises = decision.effects.contains(&Effect::CancelPayment) && decision.step != Step::Review;
            let lease = Lease { is_last: is_last && !promises, ..lease.clone() };
            let left = self.commit(app, &lease, (attempt, checkout.vitals_bucket), &answer, &decision).await?;
            if decision.step == Step::Stay && decision.effects.contains(&Effect::CancelPayment) {
                return Ok((Learned::Payable, None));
            }
            if is_last {
                let learned = if is_known && !goes_on { Learned::All } else { Learned::Nothing };
                return Ok((learned, left.filter(|_| lease.is_last)));
            }
            checkout = match left {
                Some(left) => left,
                // A cancel may have been noted all the same.
                None => self.store.checkout(&lease.checkout).await?.ok_or(Refusal::NotFound)?,
            };
        }
        unreachable!("the last step returns")
    }

    /// Makes a ruling true; gives the checkout as that left it, or `None` where nothing was written under the lease. With the attempt
    /// comes how the page was that its cart was begun on.
    async fn commit(
        &self,
        app: &App,
        lease: &Lease,
        (attempt, bucket): (&Attempt, u8),
        answer: &Answer,
        decision: &Decision,
    ) -> Result<Option<Checkout>, StoreError> {
        let (store, id, now) = (&self.store, &attempt.id, app.clock.now());
        let reason = decision.reason.as_deref().unwrap_or("");
        let calls_off = decision.effects.contains(&Effect::CancelPayment);
        let settlement = || Settlement {
            attempt: id.clone(),
            now,
            reference: answer.reference().to_owned(),
            card: answer.card.clone(),
            order_prefix: app.live.load().bundle.order_prefix.clone(),
        };
        let left = match decision.step {
            Step::Stay | Step::BeginPayment | Step::Release => None,
            Step::RecordOpened => {
                let opened = Opened { reference: answer.reference().to_owned(), redirect_url: answer.redirect_url.clone() };
                failpoint!("K10");
                let left = store.record_opened(lease, id, opened, now).await?;
                failpoint!("K11");
                Some(left)
            }
            Step::Place => {
                failpoint!("K14");
                if planted!("capture_before_place") {
                    let key = idempotency_key("early", &attempt.checkout, Operation::Capture, attempt.number);
                    drop(self.gateway.capture(&key, answer.reference()).await);
                }
                let left = store.place(lease, settlement()).await?;
                failpoint!("K16");
                Some(left)
            }
            Step::MarkPaid => {
                failpoint!("K21");
                let left = store.mark_paid(lease, settlement()).await?;
                failpoint!("K23");
                counted::order(app, &left, bucket);
                Some(left)
            }
            Step::Decline => {
                let left = store.decline(lease, id, reason, now).await?;
                if reason != INTERRUPTED {
                    app.tally.meet(Problem::Declined);
                } else {
                    // Whoever waits for the answer is told, and counted, there.
                    // Once a day is enough: everybody who pays hears of it until it is mended.
                    let told = "the gateway does not take the shop's key; set a good one and start the edge again";
                    let subject = format!("gateway-key-{}", now.0 / DAY_SECONDS);
                    store.promise_alarm_once(&subject, &attempt.checkout, told, now).await?;
                }
                Some(left)
            }
            Step::CancelAttempt => {
                failpoint!("K29");
                Some(store.cancel_attempt(lease, id, now).await?)
            }
            Step::Disown => {
                tracing::error!(checkout = %attempt.checkout, attempt = attempt.number, reason, "money that no order waits for was taken");
                let shop = app.live.load().bundle.shop_id.clone();
                Some(store.disown(lease, id, orphans::disowned(attempt, answer.reference(), &shop, reason, now), now).await?)
            }
            Step::Review => {
                tracing::error!(checkout = %attempt.checkout, attempt = attempt.number, reason, "a payment has to be looked at");
                Some(store.review(lease, id, reason, calls_off, now).await?)
            }
        };
        if calls_off && decision.step != Step::Review {
            store.promise_cancel(id, now).await?;
        }
        if decision.step != Step::Stay || calls_off {
            self.due.notify_one();
            self.subscribers.iter().for_each(|subscribers| subscribers.wake());
        }
        Ok(left)
    }

    /// What a loser must never do, for the proof that it would be seen.
    async fn compensate(&self, id: &CheckoutId) -> Result<(), StoreError> {
        let attempt = self.store.checkout(id).await?.and_then(|checkout| checkout.attempt);
        if let Some(attempt) = attempt
            && let Some(reference) = &attempt.reference
        {
            let key = idempotency_key("loser", id, Operation::Cancel, attempt.number);
            drop(self.gateway.cancel(&key, reference).await);
        }
        Ok(())
    }

    /// Looks at what is counted, so that pages and carts know.
    pub async fn refresh_stock(&self, app: &App) -> Result<(), StoreError> {
        let live = app.live.load_full();
        let promotions = &live.bundle.rules.promotions;
        let counted = self.store.watched_stock(uses::limited(promotions)).await?;
        let snapshot = super::app::StockSnapshot {
            available: counted.levels.iter().map(|level| (level.sku.hash(), level.available())).collect(),
            used_up: uses::used_up(promotions, &counted.coupon_uses),
        };
        app.stock.store(Arc::new(snapshot));
        Ok(())
    }
}

/// What is about to be paid.
#[derive(Clone, Copy, Debug)]
pub struct Purchase<'a> {
    /// The bundle in service.
    pub live: &'a Live,
    /// Signs the way back.
    pub keys: &'a KeyRing,
    /// Whose it is.
    pub checkout: &'a Checkout,
    /// What was agreed.
    pub quote: &'a Quote,
    /// The gateway's name for what was typed into its form; `None`: it is paid on the gateway's own page.
    pub confirmation: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// A checkout after a turn.
#[derive(Clone, Debug)]
pub struct Turned {
    /// As it then is.
    pub checkout: Checkout,
    /// Whether the gateway was asked just now and answered. Where not, a payment that seems to wait for the shopper may be paid.
    pub is_fresh: bool,
    /// Whether it answered with a payment that is not ours: asking again would give the same answer.
    pub is_foreign: bool,
    /// Whether it is over for us and can still be paid there.
    pub is_payable: bool,
}

impl Turned {
    fn of(checkout: Checkout, learned: Learned) -> Self {
        Self {
            checkout,
            is_fresh: matches!(learned, Learned::All | Learned::Payable),
            is_foreign: learned == Learned::Foreign,
            is_payable: learned == Learned::Payable,
        }
    }
}

/// What a turn is taken for, and by what right.
struct Turn {
    wish: Wish,
    /// Events in the inbox because of which it is taken: the first step that is committed crosses them off.
    events: Vec<i64>,
    /// The payment that begins just now.
    begun: Option<Begun>,
}

/// A payment that was committed just now and is to be opened.
#[derive(Debug)]
pub struct Begun {
    /// What its commit gave.
    pub taken: Taken,
    /// The right to open it; `None`: it needs no gateway.
    pub pass: Option<Pass>,
}

/// What the questions of a turn led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learned {
    /// All that could be known is known: nothing was left to ask, or every question was answered.
    All,
    /// All, and the payment is over for us and not for the gateway: it has to be called off there.
    Payable,
    /// Something nobody could tell.
    Nothing,
    /// The payment is not ours.
    Foreign,
}

/// What a shopper wants of a payment.
#[derive(Debug)]
pub enum MoveOn {
    /// It was committed just now.
    Begin(Box<Begun>),
    /// It is under way.
    GoOn,
    /// It should not be.
    CallOff,
}

/// What a turn is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    GoOn,
    CallOff,
    /// The gateway says that something happened, be it to a payment that is over for us.
    Hear,
}

/// Runs a turn to its end even when the shopper goes away, and waits for it no longer than a shopper would.
///
/// `Ok(None)`: it takes longer, or there is no such checkout; ask the store.
pub async fn patiently(
    app: &Arc<App>,
    till: &Arc<Till>,
    id: &CheckoutId,
    move_on: MoveOn,
    until: tokio::time::Instant,
) -> Result<Option<Turned>, StoreError> {
    let (app, till, id) = (app.clone(), till.clone(), id.clone());
    let (wish, begun) = match move_on {
        MoveOn::Begin(begun) => (Wish::GoOn, Some(*begun)),
        MoveOn::GoOn => (Wish::GoOn, None),
        MoveOn::CallOff => (Wish::CallOff, None),
    };
    let turn = tokio::spawn(async move { till.turn_by(&app, &id, Turn { wish, events: Vec::new(), begun }).await });
    match tokio::time::timeout_at(until, turn).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(StoreError::Panicked),
        Err(_) => Ok(None),
    }
}

/// A fresh UUID v7: its rows lie in the order they were made.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// A fresh quote's name.
pub fn new_quote_id() -> QuoteId {
    QuoteId(new_id())
}

/// An amount as it comes out of a float, for the proof that it would be seen.
fn floated(amount: Money) -> Money {
    Money::new((amount.minor as f64 / 100.0 * 100.0) as i64, amount.currency)
}
