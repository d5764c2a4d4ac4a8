//! Store: what must survive a crash.
//!
//! Owns    the engines and the business steps they offer, each one transaction: checkouts, orders, attempts, the ledger, stock, inbox and
//!         outbox.
//! Knows   nothing of gateways and decides nothing: `commerce::checkout::decide` rules, a step commits. Instants, ids and hashes are
//!         given.
//! Always  invariants are constraints of the schema; nobody is answered before the commit; repeating a committed step changes nothing.
//! Source  CHECKOUT.md section 5; T1 to T4 are its names.

use std::num::NonZeroUsize;
use std::path::Path;

use crate::commerce::address::{Address, Contact};
use crate::commerce::checkout::Checkout;
use crate::commerce::fulfillment::FulfillmentState;
use crate::commerce::ids::{AttemptId, CartId, CheckoutId, CouponCode, MarketId, OrderId, ShippingRateId, Sku, Timestamp};
use crate::commerce::inventory::{StockLevel, StockNeed};
use crate::commerce::money::Money;
use crate::commerce::order::{Order, OrderState};
use crate::commerce::payment::Attempt;
use crate::commerce::promotion::Customer;
use crate::commerce::quote::Quote;
pub use promise::{OutboxKind, OutboxRow, Share};

use event::{EventResult, InboxRow, NewEvent};
use people::Obstacle;
use postgres::Postgres;
use queue::Lane;
use sqlite::Sqlite;
use steps::{checkouts, customers, inbox, orders, outbox, payments, stock};

#[cfg(feature = "faults")]
pub use sqlite::inline::{Moment, Seam};

pub mod aggregates;
pub mod event;
pub mod fact;
pub mod postgres;
mod promise;
mod queue;
mod sqlite;
mod steps;
#[cfg(test)]
mod tests;
mod tx;
pub mod watch;

/// The engines there are.
#[derive(Clone, Debug)]
pub enum Store {
    /// One file next to the edge.
    Sqlite(Sqlite),
    /// A database that several edges share.
    Postgres(Postgres),
    /// The same tables and steps in memory, one after the other on the caller's thread, for tests.
    #[cfg(feature = "faults")]
    Inline(sqlite::inline::Inline),
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A well-founded no; nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The queue is full or the file is locked too long. Safe to try again.
    #[error("the store is busy")]
    Busy,
    /// The file was written by a later Vitrine.
    #[error("the store has schema {found}, this program knows up to {known}; use the newer program")]
    NewerSchema {
        /// Version in the file.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A stored value is not what was written.
    #[error("the store holds something it should not: {0}")]
    Corrupt(String),
    /// A step panicked; it was undone.
    #[error("a step of the store failed by our own fault")]
    Panicked,
    /// There is no space left, or so little that it is kept for payments under way. Safe to try again once there is.
    #[error("the disk is full")]
    DiskFull,
    /// The engine failed: file gone, disk broken. What was asked for may be tried again once it is well.
    #[error("the store failed: {0}")]
    Engine(String),
}

impl StoreError {
    /// Whether the same step may simply be tried again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::DiskFull | Self::Engine(_))
    }
}

/// A well-founded no of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are too few of these.
    #[error("sold out: {}", skus.iter().map(Sku::as_str).collect::<Vec<_>>().join(", "))]
    SoldOut {
        /// Every SKU that is short, sorted.
        skus: Vec<Sku>,
    },
    /// The code's uses are all taken.
    #[error("the code {code} is used up")]
    CouponUsedUp {
        /// The code.
        code: CouponCode,
    },
    /// The cart became an order already.
    #[error("this cart is already ordered")]
    CartSpent {
        /// The order.
        order: OrderId,
    },
    /// A promotion is for a first order, or was used as often as one customer may.
    #[error("{code} does not hold for this customer")]
    NotForCustomer {
        /// What its uses are counted under.
        code: CouponCode,
    },
    /// Another try for this cart is under way.
    #[error("a payment is already under way")]
    AttemptLive,
    /// Another try with this number came first, and is over already.
    #[error("another try to pay came first")]
    AttemptTaken,
    /// An operator has paused new payments.
    #[error("new payments are paused")]
    Paused,
    /// A payment that was lost here has that number at the gateway.
    #[error("this number is used up")]
    NumberUsed {
        /// One that is not.
        next: u32,
    },
    /// Someone else works on this checkout now; what was found out is stale.
    #[error("another worker took over")]
    LeaseLost,
    /// The order or attempt is not in a state for that.
    #[error("this cannot be done any more")]
    WrongState,
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// Nothing was taken that could go back.
    #[error("nothing was taken for this order")]
    NothingTaken,
    /// More than is left of it, or nothing.
    #[error("{left} of this order can still go back")]
    MoreThanLeft {
        /// What is left.
        left: Money,
    },
    /// Its units were put back into stock before.
    #[error("the units of this order were put back into stock before")]
    AlreadyRestocked,
    /// More units of a line than are left to send.
    #[error("{left} of {sku} can still be sent for this order")]
    MoreUnitsThanLeft {
        /// Which.
        sku: Sku,
        /// What is left.
        left: u32,
    },
    /// All its money went back.
    #[error("all the money of this order went back")]
    AllRefunded,
    /// Everything that was ordered is sent.
    #[error("all of this order is sent")]
    NothingLeft,
    /// The key names another wish.
    #[error("this key was used for something else")]
    KeyTaken,
    /// The customer was written to about it.
    #[error("the customer was told of it")]
    CustomerTold,
    /// Something of it has not come to its end.
    #[error("{obstacle}")]
    UnderWay {
        /// What.
        obstacle: Obstacle,
    },
    /// Nobody is named by it any more.
    #[error("whoever bought was erased from this order, so nobody can be written or sent to")]
    Erased,
    /// Fewer units than are promised to shoppers.
    #[error("{reserved} of {sku} are promised to open payments; there cannot be fewer")]
    StockPromised {
        /// Which.
        sku: Sku,
        /// How many are promised.
        reserved: i64,
    },
}

/// A checkout to open.
#[derive(Clone, Debug)]
pub struct OpenCheckout {
    /// A fresh name.
    pub id: CheckoutId,
    /// The cart.
    pub cart_id: CartId,
    /// Its revision.
    pub cart_revision: u32,
    /// Its token.
    pub cart_token: String,
    /// How the page was that it was begun on.
    pub vitals_bucket: u8,
    /// Where it is bought.
    pub market: MarketId,
    /// BCP 47.
    pub language: String,
    /// Who to write to, as far as known.
    pub contact: Contact,
    /// Where to, as far as known.
    pub address: Address,
    /// The chosen rate.
    pub shipping_rate: Option<ShippingRateId>,
    /// Now.
    pub now: Timestamp,
}

impl OpenCheckout {
    /// What is kept of a fresh checkout.
    pub fn of(fresh: &Checkout) -> Self {
        let (vitals_bucket, now) = (fresh.vitals_bucket, fresh.created_at);
        let Checkout { id, cart_id, cart_revision, cart_token, market, language, contact, address, shipping_rate, .. } =
            fresh.clone();
        Self { id, cart_id, cart_revision, cart_token, vitals_bucket, market, language, contact, address, shipping_rate, now }
    }
}

/// Details to keep; a cart's new revision comes with its token.
#[derive(Clone, Debug)]
pub struct SaveDetails {
    /// Whose.
    pub checkout: CheckoutId,
    /// The cart's revision now.
    pub cart_revision: u32,
    /// The cart's token now.
    pub cart_token: String,
    /// How the page was that it was begun on.
    pub vitals_bucket: u8,
    /// Who to write to.
    pub contact: Contact,
    /// Where to.
    pub address: Address,
    /// The chosen rate.
    pub shipping_rate: Option<ShippingRateId>,
}

impl SaveDetails {
    /// What is kept of a checkout that was changed.
    pub fn of(changed: &Checkout) -> Self {
        let Checkout { id, cart_revision, cart_token, vitals_bucket, contact, address, shipping_rate, .. } = changed.clone();
        Self { checkout: id, cart_revision, cart_token, vitals_bucket, contact, address, shipping_rate }
    }
}

/// T1: what a payment begins with.
#[derive(Clone, Debug)]
pub struct BeginPayment {
    /// Name of the order shell, where a new one is needed.
    pub order: OrderId,
    /// The attempt as ruled: state `intent_pending`, its number one above the checkout's last.
    pub attempt: Attempt,
    /// Units to hold, one need per SKU, sorted.
    pub needs: Vec<StockNeed>,
    /// Promotions that give something, each with its limits.
    pub coupons: Vec<CouponNeed>,
    /// Every name that whoever buys may have beside earlier orders, the one for this order first; empty: not known.
    pub customer: Vec<String>,
    /// Now.
    pub now: Timestamp,
    /// Until when units are held without a live attempt.
    pub hold_until: Timestamp,
}

/// A use of a promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CouponNeed {
    /// Which.
    pub code: CouponCode,
    /// Uses there are; `None`: without limit.
    pub limit: Option<u32>,
    /// Uses there are for one customer; `None`: without limit.
    pub per_customer: Option<u32>,
    /// Whether it is for a customer's first order alone.
    pub first_order: bool,
}

/// Which orders are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrderFilter {
    /// In this state only.
    pub state: Option<OrderState>,
    /// At most that many; 0: 100.
    pub limit: u32,
    /// Written then or later.
    pub since: Option<Timestamp>,
    /// Written before.
    pub until: Option<Timestamp>,
    /// Paid, and sent so far only.
    pub fulfillment: Option<FulfillmentState>,
}

/// What is left to sell, and what is not any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// Every SKU that was ever counted, sorted.
    pub levels: Vec<StockLevel>,
    /// Uses per code that was used.
    pub coupon_uses: Vec<(CouponCode, u32)>,
}

/// One step on one engine.
macro_rules! step {
    ($store:expr, $lane:ident, $work:expr) => {
        match $store {
            Store::Sqlite(engine) => engine.write(Lane::$lane, $work).await,
            Store::Postgres(engine) => engine.write(Lane::$lane, $work).await,
            #[cfg(feature = "faults")]
            Store::Inline(engine) => engine.write($work).await,
        }
    };
}

/// One look on one engine.
macro_rules! look {
    ($store:expr, $work:expr) => {
        match $store {
            Store::Sqlite(engine) => engine.read($work).await,
            Store::Postgres(engine) => engine.read($work).await,
            #[cfg(feature = "faults")]
            Store::Inline(engine) => engine.read($work).await,
        }
    };
}

use {look, step};
// After the macros, which they use.
pub mod comparisons;
pub mod desk;
pub mod disputes;
pub mod export;
pub mod fulfillments;
pub mod history;
mod keys;
pub mod letters;
pub mod operators;
pub mod orphans;
pub mod people;
pub mod refunds;
mod turn;
pub mod upkeep;
pub mod withdrawals;

pub use keys::{KEY_SECONDS, KeyUse};
pub use turn::{Lease, Opened, Settlement, Taken};

impl Store {
    /// Opens the file, making or migrating it as needed.
    pub fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        Sqlite::open(path).map(Self::Sqlite)
    }

    /// Opens a database that several edges share, making or migrating its tables as needed. `connections`: how many are held at most.
    pub fn open_postgres(address: &postgres::Address, connections: NonZeroUsize) -> Result<Self, StoreError> {
        Postgres::open(address, connections).map(Self::Postgres)
    }

    /// Opens a database in memory, shared by its name with whoever opens it in this process, with a test between every two steps.
    #[cfg(feature = "faults")]
    pub fn open_inline(name: &str, seam: Seam) -> Result<Self, StoreError> {
        sqlite::inline::Inline::open(name, seam).map(Self::Inline)
    }

    /// Keeps so many bytes of the disk for payments under way, in a file beside the store: once the disk is full it is given up, and
    /// what is new is refused until there is space again. For the one edge of a file. 0: none.
    pub fn keep_room(&self, bytes: u64) {
        match self {
            Self::Sqlite(engine) => engine.keep_room(bytes),
            // Its disk is another machine's.
            Self::Postgres(_) => {}
            #[cfg(feature = "faults")]
            Self::Inline(_) => {}
        }
    }

    /// Whether the disk is full, so that nothing new is begun.
    pub fn is_short_of_room(&self) -> bool {
        match self {
            Self::Sqlite(engine) => engine.is_short_of_room(),
            Self::Postgres(_) => false,
            #[cfg(feature = "faults")]
            Self::Inline(_) => false,
        }
    }

    /// Whether a step could be committed now.
    pub async fn is_well(&self) -> Result<(), StoreError> {
        step!(self, Urgent, upkeep::writes)
    }

    /// Any step, for tests.
    #[cfg(test)]
    async fn step<T: Send + 'static>(
        &self,
        step: impl FnMut(&tx::Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        step!(self, Fresh, step)
    }

    /// Opens a checkout, and freezes its quote where it is ready for one. Where the cart is an order already, or about to become one,
    /// nothing is opened and that order is given.
    pub async fn open_checkout(&self, open: OpenCheckout, quote: Option<Quote>) -> Result<Option<Order>, StoreError> {
        step!(self, Fresh, move |tx| checkouts::open(tx, &open, quote.as_ref()))
    }

    /// A checkout with its newest quote, attempt and order.
    pub async fn checkout(&self, id: &CheckoutId) -> Result<Option<Checkout>, StoreError> {
        let id = id.clone();
        look!(self, move |tx| checkouts::load(tx, &id))
    }

    /// Keeps details and the quote that is frozen over them; a quote of other details does not hold any more. Refuses while a payment is
    /// under way. Gives the checkout as it then is.
    pub async fn save_details(&self, details: SaveDetails, quote: Option<Quote>) -> Result<Checkout, StoreError> {
        step!(self, Fresh, move |tx| checkouts::save_details(tx, &details, quote.as_ref()))
    }

    /// Gives a checkout up. Refuses while a payment is under way or once it became an order.
    pub async fn cancel_checkout(&self, id: &CheckoutId, now: Timestamp) -> Result<(), StoreError> {
        let id = id.clone();
        step!(self, Fresh, move |tx| checkouts::cancel(tx, &id, now))
    }

    /// Lets all go that a dead edge held: leases, claims on promised work, requests in flight. For the one edge of a file at its start.
    /// A zombie's writes are fenced off as soon as a lease is taken anew. In a database that several edges share those of the dead are not
    /// told from those of the living: there they end with their time.
    pub async fn release_all_leases(&self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(_) => Ok(()),
            _ => step!(self, Urgent, checkouts::release_all_leases),
        }
    }

    /// Promises that the payment is called off.
    pub async fn promise_cancel(&self, attempt: &AttemptId, now: Timestamp) -> Result<(), StoreError> {
        let attempt = attempt.clone();
        step!(self, Urgent, move |tx| payments::promise_cancel(tx, &attempt, now))
    }

    /// Cancels order shells whose time is over and that no live attempt keeps, at most 100. Gives how many.
    pub async fn release_expired(&self, now: Timestamp) -> Result<usize, StoreError> {
        step!(self, Urgent, move |tx| payments::release_expired(tx, now))
    }

    /// An attempt by the gateway's name for it.
    pub async fn attempt_by_reference(&self, gateway: &str, reference: &str) -> Result<Option<Attempt>, StoreError> {
        let (gateway, reference) = (gateway.to_owned(), reference.to_owned());
        look!(self, move |tx| payments::attempt_by_reference(tx, &gateway, &reference))
    }

    /// Takes due work of a share for a while, the oldest first. Claims expire: a dead worker's rows are due again.
    pub async fn claim_outbox(
        &self,
        owner: &str,
        share: Share,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let owner = owner.to_owned();
        step!(self, Urgent, move |tx| outbox::claim(tx, &owner, share, limit, now, until))
    }

    /// Keeps events, each once by the gateway's name for it. Gives how many are new.
    pub async fn keep_events(&self, events: Vec<NewEvent>, now: Timestamp) -> Result<usize, StoreError> {
        step!(self, Urgent, move |tx| inbox::keep(tx, &events, now))
    }

    /// Takes due events for a while, the oldest first.
    pub async fn claim_events(&self, limit: u32, now: Timestamp, until: Timestamp) -> Result<Vec<InboxRow>, StoreError> {
        step!(self, Urgent, move |tx| inbox::claim(tx, limit, now, until))
    }

    /// Crosses an event off. One that a step crossed off keeps what it says.
    pub async fn finish_event(&self, id: i64, result: EventResult, now: Timestamp) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| inbox::finish(tx, id, result, now))
    }

    /// Puts an event back, to be due later and later: 1 s doubled up to 15 min.
    pub async fn retry_event(&self, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
        let error = error.to_owned();
        step!(self, Urgent, move |tx| inbox::retry(tx, id, &error, now))
    }

    /// Writes down what the gateway said that events are about, where they do not say so themselves.
    pub async fn name_events(&self, ids: Vec<i64>, checkout: &CheckoutId, number: u32) -> Result<(), StoreError> {
        let checkout = checkout.clone();
        step!(self, Urgent, move |tx| ids.iter().try_for_each(|id| inbox::name(tx, *id, &checkout, number)))
    }

    /// When the newest event of a gateway happened.
    pub async fn newest_event(&self, gateway: &str) -> Result<Option<Timestamp>, StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| inbox::newest(tx, &gateway))
    }

    /// Events that wait.
    pub async fn inbox_depth(&self) -> Result<u64, StoreError> {
        look!(self, inbox::depth)
    }

    /// An attempt by its checkout and number.
    pub async fn attempt(&self, checkout: &CheckoutId, number: u32) -> Result<Option<Attempt>, StoreError> {
        let checkout = checkout.clone();
        look!(self, move |tx| payments::attempt(tx, &checkout, number))
    }

    /// Tells a person about an attempt, without changing it.
    pub async fn promise_alarm(&self, attempt: &AttemptId, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        let (attempt, reason) = (attempt.clone(), reason.to_owned());
        step!(self, Urgent, move |tx| payments::promise_alarm(tx, &attempt, &reason, now))
    }

    /// Crosses work off.
    pub async fn finish_outbox(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| outbox::finish(tx, id, now))
    }

    /// Puts work back, to be due later and later: 1 s doubled up to 15 min.
    pub async fn retry_outbox(&self, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
        let error = error.to_owned();
        step!(self, Urgent, move |tx| outbox::retry(tx, id, &error, now))
    }

    /// Rows not done yet.
    pub async fn outbox_depth(&self) -> Result<u64, StoreError> {
        look!(self, outbox::depth)
    }

    /// An order.
    pub async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let id = id.clone();
        look!(self, move |tx| orders::by_id(tx, id.as_str()))
    }

    /// An order by the number that people read aloud.
    pub async fn order_by_number(&self, number: &str) -> Result<Option<Order>, StoreError> {
        let number = number.to_owned();
        look!(self, move |tx| orders::by_number(tx, &number))
    }

    /// The order that a cart became, or is about to become.
    pub async fn order_by_cart(&self, cart: CartId) -> Result<Option<Order>, StoreError> {
        look!(self, move |tx| orders::by_cart(tx, cart))
    }

    /// Orders, the newest first.
    pub async fn orders(&self, filter: OrderFilter) -> Result<Vec<Order>, StoreError> {
        look!(self, move |tx| orders::list(tx, filter))
    }

    /// What is counted: levels of stock and uses of all codes, for a person.
    pub async fn stock_snapshot(&self) -> Result<Availability, StoreError> {
        look!(self, stock::snapshot)
    }

    /// The same with uses of these codes alone, as it is asked for every second: the uses of all only grow.
    pub async fn watched_stock(&self, codes: Vec<CouponCode>) -> Result<Availability, StoreError> {
        look!(self, move |tx| stock::watched(tx, &codes))
    }

    /// What is known of a customer by any of these names; orders of this cart are left out.
    pub async fn customer(&self, names: Vec<String>, cart: CartId) -> Result<Customer, StoreError> {
        look!(self, move |tx| customers::known(tx, &names, cart))
    }

    /// Sets what there is, as counted in the house.
    pub async fn set_stock(&self, sku: &Sku, on_hand: u32, reason: &str, now: Timestamp) -> Result<StockLevel, StoreError> {
        let (sku, reason) = (sku.clone(), reason.to_owned());
        step!(self, Fresh, move |tx| stock::set(tx, &sku, on_hand, &reason, now))
    }

    /// Adds or takes units of a SKU that was counted before.
    pub async fn adjust_stock(&self, sku: &Sku, change: i64, reason: &str, now: Timestamp) -> Result<StockLevel, StoreError> {
        let (sku, reason) = (sku.clone(), reason.to_owned());
        step!(self, Fresh, move |tx| stock::adjust(tx, &sku, change, &reason, now))
    }
}
