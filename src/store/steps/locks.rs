//! Locks: what a step locks before it looks, where more than one writes.
//!
//! The file of SQLite has one writer: nothing changes between a step's look and what it does about it, and nothing here is sent.
//! On PostgreSQL a statement sees what was committed before it began. So a step locks the rows that it decides by, in one order (checkout,
//! order, order numbers, codes, stock by SKU), and looks at them by a later statement. Where two steps lock in another order all the same,
//! the server ends one of them and it runs again; so does one that met a constraint because another was first.
//!
//! | step | is one by |
//! |---|---|
//! | open a checkout | nothing to lock: T1 asks again whether its cart is an order |
//! | save details, give up | the checkout; T1 locks it too, so that what is paid is what was agreed |
//! | T1, adopting an orphan | the checkout, then the cart's order, so that two tabs with one cart are one payment; where there is none yet, the unique index `orders_one_per_cart`: the second runs again and finds the first. The customer, where a promotion asks who buys, by a row of `coupon_locks` that is written and taken out again, codes with a limit by the row that they have there, stock by conditional updates in the order of SKUs, last of all |
//! | take the lease | a conditional update of the checkout, locked before so that what is given with it is of one moment |
//! | T2, T3, T4, decline, cancel, review, note a cancel | the checkout with its fence, then the attempt's order: an operator's wish, a refund and another checkout of the cart wait. T3 gives the number under the lock of `schema_version`, a row that is always there; sold units in the order of SKUs |
//! | promise a cancel or an alarm | the attempt's checkout and order |
//! | let expired shells go | their orders, by `SKIP LOCKED`; asked again, once they are locked, whether a payment keeps them; then all their stock in the order of SKUs |
//! | claim work, letters, events, orphans, refunds, payments to look at | `FOR UPDATE SKIP LOCKED`: each edge takes what no other has |
//! | settle a refund, hear of refunds, ask for one, ask to let money go, send units or take that back, withdraw | the order, by which their sums and states are of one moment |
//! | erase whoever bought | the checkout, then its orders by their names |
//! | find orphans, begin to return one | its checkout, which T1 locks too |
//! | keep an event, a difference, a fact, a promise, a key, a sign of life | one statement each, decided by its constraint |
//! | set or adjust stock | the SKU's row, made before where there is none |
//! | act for an operator | the order, the SKU's row or the subscriber's, before it is asked whether its form was sent before; then what its step locks, and its entry in the log |
//! | count a try to sign in | one statement for the network, one for the name, each of which locks its row |
//! | make orders searchable | `SKIP LOCKED` |
//! | number facts | the subscriber's row, and the table of facts against writers: a fact that is committed later never has a lower number than one that was numbered |
//! | forget checkouts, events, facts, keys | `SKIP LOCKED`, and foreign keys: what was taken up meanwhile stays |

use crate::commerce::ids::{AttemptId, CheckoutId, Sku};
use crate::store::StoreError;
use crate::store::tx::{Tx, params};

/// What is locked until the step is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lock<'a> {
    /// A checkout.
    Checkout(&'a CheckoutId),
    /// The checkout and the order of an attempt.
    Attempt(&'a AttemptId),
    /// The order of an attempt, whose checkout is locked already.
    OrderOf(&'a AttemptId),
    /// The order that a cart became, or is about to become.
    Cart(&'a str),
    /// An order.
    Order(&'a str),
    /// Where order numbers go on.
    Numbers,
    /// The uses of a code.
    Code(&'a str),
    /// What a customer, by one of the names, has ordered and used.
    Customer(&'a str),
    /// The stock of which an order holds or has units.
    UnitsOf(&'a str),
    /// A SKU.
    Stock(&'a Sku),
    /// How far a subscriber has come.
    Subscriber(&'a str),
    /// The list of facts, against whoever adds to it.
    Facts,
}

/// Locks before the next statement; where there is one writer nothing is done.
pub(super) fn lock(tx: &Tx<'_>, what: Lock<'_>) -> Result<(), StoreError> {
    match what {
        Lock::Checkout(id) => tx.lock("SELECT 1 FROM checkouts WHERE id = ?1 FOR UPDATE", params![id.as_str()]),
        Lock::Attempt(id) => {
            tx.lock(
                "SELECT 1 FROM checkouts WHERE id = (SELECT checkout FROM attempts WHERE id = ?1) FOR UPDATE",
                params![id.as_str()],
            )?;
            lock(tx, Lock::OrderOf(id))
        }
        Lock::OrderOf(id) => {
            let select = "SELECT 1 FROM orders WHERE id = (SELECT order_id FROM attempts WHERE id = ?1) FOR UPDATE";
            tx.lock(select, params![id.as_str()])
        }
        Lock::Cart(cart) => tx.lock("SELECT 1 FROM orders WHERE cart_id = ?1 AND state <> 'canceled' FOR UPDATE", params![cart]),
        Lock::Order(id) => tx.lock("SELECT 1 FROM orders WHERE id = ?1 FOR UPDATE", params![id]),
        // The one table that always has a row, and that nothing else writes to while an edge runs.
        Lock::Numbers => tx.lock("SELECT 1 FROM schema_version FOR UPDATE", params![]),
        Lock::Code(code) => {
            tx.lock("INSERT INTO coupon_locks (code) VALUES (?1) ON CONFLICT (code) DO NOTHING", params![code])?;
            tx.lock("SELECT 1 FROM coupon_locks WHERE code = ?1 FOR UPDATE", params![code])
        }
        // Of customers there are too many to keep a row for each: it is gone by the time it could be seen, and whoever writes the same one
        // waits until then.
        Lock::Customer(name) => {
            let name = format!("customer:{name}");
            tx.lock("INSERT INTO coupon_locks (code) VALUES (?1) ON CONFLICT (code) DO NOTHING", params![name])?;
            tx.lock("DELETE FROM coupon_locks WHERE code = ?1", params![name])
        }
        Lock::UnitsOf(order) => {
            let select =
                "SELECT 1 FROM stock WHERE sku IN (SELECT sku FROM reservations WHERE order_id = ?1) ORDER BY sku FOR UPDATE";
            tx.lock(select, params![order])
        }
        Lock::Stock(sku) => tx.lock("SELECT 1 FROM stock WHERE sku = ?1 FOR UPDATE", params![sku.as_str()]),
        Lock::Subscriber(name) => tx.lock("SELECT 1 FROM subscribers WHERE name = ?1 FOR UPDATE", params![name]),
        Lock::Facts => tx.lock("LOCK TABLE facts IN SHARE MODE", params![]),
    }
}

/// A statement that claims rows: `$update` those that `$rows` chooses, which are then called `due`. Where more than one claims, each takes
/// what no other has, and the choice is made once.
macro_rules! claiming {
    ($tx:expr, $update:literal, $rows:literal, $due:literal, $returning:literal) => {
        $tx.in_words(
            concat!($update, " (", $rows, ") ", $returning),
            concat!("WITH due AS MATERIALIZED (", $rows, " FOR UPDATE SKIP LOCKED) ", $update, " (", $due, ") ", $returning),
        )
    };
}
pub(super) use claiming;
