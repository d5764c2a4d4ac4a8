//! Promises: what a store is held against, as queries for what breaks them.
//!
//! Owns    the promises, each with what to do. They are those of the schema's constraints where a damaged file could break them, and
//!         those that no constraint can say.
//! Source  CHECKOUT.md 5.9.

use super::life;
use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::tx::{Row, Tx, params};

/// Things a finding names at most.
pub(in crate::store) const NAMED_MAX: usize = 5;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The schema's version.
    pub schema: i64,
    /// Orders that are placed.
    pub orders: u64,
    /// Of when it is, where it is a copy.
    pub copied_at: Option<Timestamp>,
    /// When an edge last lived on it.
    pub seen_at: Option<Timestamp>,
    /// The last reconciliation with the gateway: when, how many payments, how many of them differ.
    pub reconciled: Option<(Timestamp, u64, u64)>,
    /// What is broken; none: it is whole.
    pub findings: Vec<Finding>,
}

/// A promise that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which, such as `one order per cart`.
    pub name: &'static str,
    /// What breaks it: rows by their names, the first few.
    pub about: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// What to do.
    pub advice: &'static str,
    /// Whether the file itself is damaged, and not only what it says.
    pub is_damage: bool,
}

pub(in crate::store) const RESTORE: &str =
    "stop the edge and put the last good backup in its place; the start compares it with the gateway";
const ASK: &str = "look the payment up at the gateway, whose word on money holds; keep a backup before you change a row";
const COUNT: &str = "count these in the house and set them: `vitrine stock set SKU NUMBER`";

/// Name, query for what breaks it (one column of text), what to do.
const PROMISES: &[(&str, &str, &str)] = &[
    (
        "a cart becomes one order",
        "SELECT cart_id FROM orders WHERE state <> 'canceled' GROUP BY cart_id HAVING count(*) > 1",
        "show both with `vitrine orders show` and give the money of one of them back",
    ),
    (
        "a checkout has one payment under way",
        "SELECT checkout FROM attempts WHERE state <> 'paid' AND state <> 'declined' AND state <> 'canceled' GROUP BY checkout HAVING count(*) > 1",
        ASK,
    ),
    (
        "an order that is paid was paid in full",
        "SELECT coalesce(number, orders.id) FROM orders WHERE paid_at IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM attempts JOIN ledger ON ledger.attempt = attempts.id AND kind = 'captured'
              WHERE order_id = orders.id AND attempts.state = 'paid' AND ledger.amount_minor = attempts.amount_minor
                AND ledger.currency = attempts.currency)",
        ASK,
    ),
    (
        "money in the ledger is an order's",
        "SELECT attempts.key FROM ledger JOIN attempts ON attempts.id = ledger.attempt JOIN orders ON orders.id = order_id
         WHERE kind = 'captured' AND (orders.state <> 'placed' OR paid_at IS NULL)",
        ASK,
    ),
    (
        "no more goes back than was taken",
        "SELECT attempts.key FROM attempts JOIN ledger ON ledger.attempt = attempts.id GROUP BY attempts.id
         HAVING sum(CASE kind WHEN 'refunded' THEN ledger.amount_minor WHEN 'refund_failed' THEN -ledger.amount_minor ELSE 0 END)
              > sum(CASE kind WHEN 'captured' THEN ledger.amount_minor ELSE 0 END)",
        ASK,
    ),
    (
        "what became of a refund is in the ledger",
        "SELECT refunds.id FROM refunds
         WHERE (state IN ('accepted', 'done', 'review')) <> EXISTS (SELECT 1 FROM ledger WHERE refund = refunds.id AND kind = 'refunded')
            OR (state = 'review') <> EXISTS (SELECT 1 FROM ledger WHERE refund = refunds.id AND kind = 'refund_failed')",
        ASK,
    ),
    (
        "an order whose held money was let go is none any more",
        "SELECT orders.id FROM ledger JOIN attempts ON attempts.id = attempt JOIN orders ON orders.id = order_id
         WHERE kind = 'voided' AND orders.state <> 'canceled'",
        ASK,
    ),
    (
        "a payment is for its order's quote",
        "SELECT attempts.key FROM attempts JOIN quotes ON quotes.id = attempts.quote WHERE attempts.quote_hash <> quotes.hash",
        RESTORE,
    ),
    (
        "an order that is placed has a number",
        "SELECT id FROM orders WHERE (state = 'placed') <> (number IS NOT NULL AND sequence IS NOT NULL)",
        RESTORE,
    ),
    (
        "the shopper of a paid order is written to",
        "SELECT coalesce(number, orders.id) FROM orders WHERE paid_at IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM outbox WHERE kind = 'confirmation' AND subject = orders.id)",
        "write to the shopper; `vitrine orders show` has the address",
    ),
    (
        "nobody is written to about an order that is not paid",
        "SELECT subject FROM outbox JOIN orders ON orders.id = subject WHERE kind = 'confirmation' AND paid_at IS NULL",
        ASK,
    ),
    (
        "units are held while a payment is under way",
        "SELECT attempts.key FROM attempts JOIN orders ON orders.id = order_id
         WHERE attempts.state IN ('intent_pending', 'awaiting_shopper', 'authorized', 'capturing') AND orders.state = 'canceled'",
        ASK,
    ),
    (
        "no more is promised than there is",
        "SELECT sku FROM stock WHERE backorder = 0 AND on_hand < reserved OR reserved < 0",
        COUNT,
    ),
    (
        "what is promised is what orders hold",
        "SELECT sku FROM stock WHERE reserved <>
             (SELECT coalesce(sum(quantity), 0) FROM reservations WHERE reservations.sku = stock.sku AND reservations.sold = 0)",
        COUNT,
    ),
    (
        "what is sold is what placed orders have",
        "SELECT sku FROM stock WHERE sold <>
             (SELECT coalesce(sum(quantity), 0) FROM reservations JOIN orders ON orders.id = order_id
              WHERE reservations.sku = stock.sku AND reservations.sold = 1 AND state = 'placed')",
        COUNT,
    ),
    (
        "units come and go by movements",
        "SELECT sku FROM stock WHERE on_hand <> (SELECT coalesce(sum(change), 0) FROM stock_movements WHERE stock_movements.sku = stock.sku)",
        COUNT,
    ),
    (
        "an orphan of the gateway's has no payment here",
        "SELECT orphans.reference FROM orphans JOIN attempts ON attempts.gateway = orphans.gateway
             AND attempts.reference = orphans.reference WHERE orphans.state IN ('returning', 'returned')",
        ASK,
    ),
];

impl Report {
    /// Of a store of that schema, before it was looked at.
    pub(in crate::store) fn of(schema: i64, findings: Vec<Finding>) -> Self {
        Self { schema, orders: 0, copied_at: None, seen_at: None, reconciled: None, findings }
    }
}

/// Holds a store against its promises. `is_older`: it may lack tables that this program knows; what is not there yet breaks nothing.
pub(in crate::store) fn look(tx: &Tx<'_>, schema: i64, is_older: bool) -> Result<Report, StoreError> {
    let mut report = Report::of(schema, Vec::new());
    for (name, query, advice) in PROMISES {
        let text = |row: &Row<'_>| Ok(row.get::<_, Option<String>>(0)?.unwrap_or_default());
        let mut about = match tx.query(query, params![], text) {
            Err(_) if is_older => continue,
            about => about?,
        };
        let count = about.len();
        about.truncate(NAMED_MAX);
        if count > 0 {
            report.findings.push(Finding { name, count, about, advice, is_damage: false });
        }
    }
    let placed = "SELECT count(*) FROM orders WHERE state = 'placed'";
    report.orders = tx.query_one(placed, params![], |row| row.get::<_, i64>(0))?.unsigned_abs();
    match life::read(tx) {
        Err(_) if is_older => return Ok(report),
        life => {
            let life = life?;
            report.copied_at = life.and_then(|life| life.copied_at);
            report.seen_at = life.map(|life| life.seen_at);
        }
    }
    let last = "SELECT at, compared, orphans + different FROM reconciliations ORDER BY id DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok((Timestamp(row.get(0)?), row.get::<_, u32>(1)?.into(), row.get::<_, u32>(2)?.into()));
    report.reconciled = tx.query_opt(last, params![], read)?;
    Ok(report)
}
