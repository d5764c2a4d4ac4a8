//! Desk: what those who run the shop do and look for.
//!
//! Owns    an act with its entry in the audit log, in one transaction; the list of orders with its filters and its search; stock and its
//!         movements page by page; the sums of a day.
//! Always  an act is the same step that a command takes; one that is refused leaves no entry. A list is read in pages that begin after the
//!         last row of the one before, so that the thousandth costs what the first does.
//! Limits  SCAN_MAX orders are looked at for one page; what is further back is on the next one.

use serde::Serialize;

use super::fulfillments::AskFulfillment;
use super::refunds::{AskRefund, Refund};
use super::steps::{desk, search};
use super::{Lane, Store, StoreError};
use crate::commerce::fulfillment::Fulfillment;
use crate::commerce::ids::{CheckoutId, MarketId, OrderId, Sku, Timestamp};
use crate::commerce::inventory::StockLevel;
use crate::commerce::money::{Currency, Money};
use crate::commerce::order::{Order, OrderState};

/// Orders that are looked at for one page, however few of them are asked for: some 100 ms.
pub const SCAN_MAX: usize = 20_000;
/// Orders whose terms are written at once, so that the writer is never held for long.
pub const INDEX_ROWS: u32 = 200;
/// A note is a few sentences, not a letter.
pub const MAX_NOTE_BYTES: usize = 2_000;

/// Something that is done to the shop.
#[derive(Clone, Debug)]
pub enum Act {
    /// Money goes back.
    Refund(AskRefund),
    /// Held money of a placed order is let go.
    Void(OrderId),
    /// The confirmation is written once more.
    Confirm(OrderId),
    /// Units leave the house.
    Fulfil(AskFulfillment),
    /// They had not left after all.
    Unfulfil {
        /// Of which order.
        order: OrderId,
        /// The fulfillment's name.
        id: String,
        /// Even if the customer was told that they had.
        even_if_told: bool,
    },
    /// A note about an order.
    Note {
        /// Which.
        order: OrderId,
        /// What it says.
        text: String,
    },
    /// Whoever bought is taken out of a checkout and its orders.
    Erase {
        /// Which.
        checkout: CheckoutId,
    },
    /// What waits for a person is taken off the list.
    Resolve {
        /// Of which order; `None`: of whichever it is, or of none.
        order: Option<OrderId>,
        /// Its name.
        subject: String,
        /// What was done.
        note: String,
    },
    /// Units were counted.
    SetStock {
        /// Which.
        sku: Sku,
        /// How many there are.
        on_hand: u32,
        /// Why.
        reason: String,
    },
    /// Units came or went.
    AdjustStock {
        /// Which.
        sku: Sku,
        /// How many more.
        change: i64,
        /// Why.
        reason: String,
    },
    /// New payments are paused.
    Pause {
        /// Why.
        reason: String,
    },
    /// New payments begin again.
    Resume,
    /// Events are sent again.
    Replay {
        /// To whom.
        subscriber: String,
        /// From which number on.
        from: u64,
    },
    /// A test was sent to a subscriber; it is written down.
    Tested {
        /// To whom.
        subscriber: String,
        /// What was answered.
        answer: String,
    },
}

impl Act {
    /// What it does, in a word, and to what, where the order does not say it.
    pub fn subject(&self) -> (&'static str, &str) {
        match self {
            Self::Refund(_) => ("refund", ""),
            Self::Void(_) => ("void", ""),
            Self::Confirm(_) => ("confirm", ""),
            Self::Fulfil(_) => ("fulfil", ""),
            Self::Unfulfil { id, .. } => ("unfulfil", id),
            Self::Note { .. } => ("note", ""),
            Self::Erase { checkout } => ("erase", checkout.as_str()),
            Self::Resolve { subject, .. } => ("resolve", subject),
            Self::SetStock { sku, .. } => ("set stock", sku.as_str()),
            Self::AdjustStock { sku, .. } => ("adjust stock", sku.as_str()),
            Self::Pause { .. } => ("pause", ""),
            Self::Resume => ("resume", ""),
            Self::Replay { subscriber, .. } => ("replay", subscriber),
            Self::Tested { subscriber, .. } => ("test", subscriber),
        }
    }
}

/// What came of an act.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The refund, where it was one.
    pub refund: Option<Refund>,
    /// The level, where it was stock.
    pub level: Option<StockLevel>,
    /// The fulfillment, where it was one.
    pub fulfillment: Option<Fulfillment>,
    /// Whether anything changed.
    pub is_changed: bool,
}

/// What somebody wrote about an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// What.
    pub text: String,
}

/// How an order's money stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paid {
    /// It was taken.
    Paid,
    /// The order is placed and its money is not taken.
    Unpaid,
    /// Some of it went back, or is on its way.
    Refunded,
}

/// Where a page of orders begins: after this one.
pub type After = (Timestamp, OrderId);

/// Which orders are looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// In this state only.
    pub state: Option<OrderState>,
    /// Whose money stands so.
    pub paid: Option<Paid>,
    /// Of this market only.
    pub market: Option<MarketId>,
    /// Written then or later.
    pub since: Option<Timestamp>,
    /// Written before.
    pub until: Option<Timestamp>,
    /// A number, an id, the gateway's name of a payment, a SKU, the beginning of an e-mail address, or of names.
    pub search: Option<String>,
    /// Names of the gateways by which orders were paid.
    pub gateways: Vec<String>,
    /// Where the page begins.
    pub after: Option<After>,
    /// Rows of a page.
    pub limit: usize,
}

/// An order of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The order.
    pub order: Order,
    /// What went back, or is on its way.
    pub refunded: Money,
}

/// A page of orders, the newest first.
#[derive(Clone, Debug, Default)]
pub struct OrdersPage {
    /// The orders.
    pub rows: Vec<Listed>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<After>,
    /// By what was found; `None`: nothing was looked for.
    pub found_by: Option<&'static str>,
}

/// A change of what is on hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Movement {
    /// Its place among all.
    pub id: i64,
    /// How many more, or fewer.
    pub change: i64,
    /// `opening`, `set`, `adjusted`, `sold`.
    pub kind: String,
    /// Why; may be empty.
    pub reason: String,
    /// By which order.
    pub order: Option<OrderId>,
    /// When.
    pub at: Timestamp,
}

/// Which levels of stock are listed.
#[derive(Clone, Debug, Default)]
pub struct StockWanted {
    /// Whose SKU begins so.
    pub prefix: String,
    /// Of which at most so many can be sold.
    pub at_most: Option<u32>,
    /// After this SKU; empty: from the first.
    pub after: String,
    /// Rows of a page.
    pub limit: u32,
}

/// Orders and money of one currency since an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    /// Orders whose money was taken.
    pub orders: u64,
    /// How much.
    pub total: Money,
}

impl Sold {
    pub(super) fn of(code: &str, orders: i64, minor: i64) -> Result<Self, StoreError> {
        let currency = Currency::from_code(code).ok_or_else(|| StoreError::Corrupt(format!("currency `{code}`")))?;
        Ok(Self { orders: orders.unsigned_abs(), total: Money::new(minor, currency) })
    }
}

impl Store {
    /// Does something in somebody's name, and writes it into the audit log with it. `key`: of the form it was asked by; one that was used
    /// before changes nothing.
    ///
    /// Errors: those of the step; nothing is written then.
    pub async fn act(&self, by: &str, key: Option<&str>, act: Act, now: Timestamp) -> Result<Done, StoreError> {
        let (by, key) = (by.to_owned(), key.map(str::to_owned));
        match act {
            Act::Pause { .. } | Act::Resume => step!(self, Urgent, move |tx| desk::act(tx, (&by, key.as_deref()), &act, now)),
            _ => step!(self, Fresh, move |tx| desk::act(tx, (&by, key.as_deref()), &act, now)),
        }
    }

    /// Whether the form of that key was done.
    pub async fn is_done(&self, key: &str) -> Result<bool, StoreError> {
        let key = key.to_owned();
        look!(self, move |tx| desk::is_done(tx, Some(&key)))
    }

    /// Notes of an order, the oldest first.
    pub async fn notes(&self, order: &OrderId) -> Result<Vec<Note>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| desk::notes(tx, &order))
    }

    /// Writes down by what the newest orders are found that are not found yet, at most [`INDEX_ROWS`]. Gives how many they were.
    pub async fn make_searchable(&self) -> Result<usize, StoreError> {
        step!(self, Fresh, |tx| search::index(tx, INDEX_ROWS))
    }

    /// A page of orders.
    pub async fn orders_page(&self, wanted: Wanted) -> Result<OrdersPage, StoreError> {
        look!(self, move |tx| search::page(tx, &wanted))
    }

    /// A page of levels of stock, by SKU.
    pub async fn stock_page(&self, wanted: StockWanted) -> Result<Vec<StockLevel>, StoreError> {
        look!(self, move |tx| desk::stock_page(tx, &wanted))
    }

    /// Movements of a SKU, the newest first: before that place (`None`: from the newest), at most `limit`.
    pub async fn movements(&self, sku: &Sku, before: Option<i64>, limit: u32) -> Result<Vec<Movement>, StoreError> {
        let sku = sku.clone();
        look!(self, move |tx| desk::movements(tx, &sku, before, limit))
    }

    /// Orders written since an instant whose money was taken, by currency.
    pub async fn sold_since(&self, since: Timestamp) -> Result<Vec<Sold>, StoreError> {
        look!(self, move |tx| desk::sold_since(tx, since))
    }
}
