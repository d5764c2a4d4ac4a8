//! Erasures: whoever bought is taken out of a checkout and of all that came of it.
//!
//! Always  one transaction, under the locks of the checkout and its orders, and only once nothing of them is under way. It may be done again:
//!         what came since is taken out as well, and the instant stays the first one.
//! Source  Regulation (EU) 2016/679, Article 17; what is kept, by its paragraph 3 (b): accounts and taxes.
//!
//! | where | names somebody | is |
//! |---|---|---|
//! | `checkouts` | contact, address, the cart's token with what was written on its lines | emptied, but for country and region; one without a placed order is given up |
//! | `quotes` | contact, address, what was written on lines | the same; quotes that nobody tried to pay are deleted. The hash stays |
//! | `attempts` | the call's bytes, the gateway's page, card, reason | emptied; amount, state, key and reference stay |
//! | `orders` | cart, number | kept: they name a purchase and nobody; `erased_at` says when |
//! | `refunds` | reason, note, failure | emptied; amount, state, key, bytes and reference stay |
//! | `disputes`, `differences`, `orphans`, `ledger` | nobody: amounts, codes of banks, names of payments | kept |
//! | `fulfillments` | number and address of the parcel, the wish's key | emptied; carrier and units stay |
//! | `withdrawals` | what was written, the house's note | emptied; lines and instants stay |
//! | `order_notes` | their text | deleted |
//! | `order_customers` | the keyed hash of the address | deleted: a first order is one again |
//! | `order_terms` | name, address | deleted; SKUs are written down anew |
//! | `coupon_uses`, `reservations`, `stock_movements` | nobody | kept |
//! | `outbox`, `letters` | a mail server's answer, an alarm's words | emptied, and what was not sent is not sent any more |
//! | `inbox` | what the gateway wrote, until it is dealt with | emptied; that it came, and what of, stays |
//! | `facts` | the order as it stood, parcels, what was declared | as in the tables they tell of |
//! | `audit` | an operator's words | `erased`; who did what, and when, stays |
//! | `resolutions` | an operator's words | `erased` |
//! | `idempotency_keys` | answers about the checkout | deleted |
//! | `operators`, `operator_sessions`, `sign_in_tries`, `subscribers`, `aggregates`, … | nobody who bought | not touched |

use serde_json::Value;

use super::checkouts::load_quote;
use super::locks::{Lock, lock};
use super::{customers, orders, search};
use crate::commerce::address::{Address, Contact};
use crate::commerce::ids::{CheckoutId, OrderId, Timestamp};
use crate::store::people::Obstacle;
use crate::store::tx::{Tx, params};
use crate::store::{Refusal, StoreError};

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Erased {
    /// Orders that are erased since now.
    pub(super) orders: Vec<OrderId>,
    /// Whether anybody was named.
    pub(super) is_changed: bool,
}

/// What an emptied call, page or event has for bytes.
const NOTHING: &[u8] = &[];

pub(super) fn erase(tx: &Tx<'_>, checkout: &CheckoutId, now: Timestamp) -> Result<Erased, StoreError> {
    lock(tx, Lock::Checkout(checkout))?;
    let id = checkout.as_str();
    let select = "SELECT cart_id, cart_token <> '' FROM checkouts WHERE id = ?1";
    let (cart, is_named) = tx
        .query_opt(select, params![id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)))?
        .ok_or(Refusal::NotFound)?;
    let select = "SELECT id, erased_at IS NULL FROM orders WHERE checkout = ?1 ORDER BY id";
    let found = tx.query(select, params![id], |row| Ok((OrderId(row.get(0)?), row.get::<_, bool>(1)?)))?;
    for (order, _) in &found {
        lock(tx, Lock::Order(order.as_str()))?;
    }
    if let Some(obstacle) = obstacle(tx, checkout, now)? {
        return Err(Refusal::UnderWay { obstacle }.into());
    }
    for (order, _) in &found {
        // By the terms that it has until now.
        if let Some(order) = orders::by_id(tx, order.as_str())? {
            search::forget(tx, &order)?;
        }
    }
    empty_checkout(tx, id)?;
    for (order, _) in &found {
        let order = order.as_str();
        tx.execute("UPDATE orders SET erased_at = coalesce(erased_at, ?2) WHERE id = ?1", params![order, now.0])?;
        customers::forget(tx, order)?;
        empty_order(tx, order)?;
        empty_facts(tx, order)?;
        empty_audit(tx, order)?;
    }
    empty_told(tx, id, now)?;
    for scope in [format!("{checkout} payment"), format!("{checkout} form"), format!("{cart} checkouts")] {
        tx.execute("DELETE FROM idempotency_keys WHERE scope = ?1", params![scope])?;
    }
    let orders: Vec<OrderId> = found.into_iter().filter(|(_, is_first)| *is_first).map(|(order, _)| order).collect();
    Ok(Erased { is_changed: is_named || !orders.is_empty(), orders })
}

/// What keeps a checkout from being erased now.
pub(in crate::store) fn obstacle(tx: &Tx<'_>, checkout: &CheckoutId, now: Timestamp) -> Result<Option<Obstacle>, StoreError> {
    let is_paying = "SELECT 1 FROM checkouts WHERE id = ?1 AND (lease_owner IS NOT NULL AND lease_until > ?2
            OR EXISTS (SELECT 1 FROM orders WHERE checkout = ?1 AND state = 'pending_payment')
            OR EXISTS (SELECT 1 FROM attempts WHERE checkout = ?1 AND state <> 'paid' AND state <> 'declined' AND state <> 'canceled'
                           AND state <> 'review')
            OR EXISTS (SELECT 1 FROM orphans WHERE checkout = ?1 AND (state = 'found' OR state = 'returning')))";
    if tx.exists(is_paying, params![checkout.as_str(), now.0])? {
        return Ok(Some(Obstacle::Payment));
    }
    let looks = [
        (
            "SELECT 1 FROM attempts WHERE checkout = ?1 AND state = 'review' AND NOT EXISTS
                 (SELECT 1 FROM resolutions WHERE kind = 'payment' AND subject = attempts.id AND at >= changed_at)
             UNION ALL SELECT 1 FROM orphans WHERE checkout = ?1 AND state = 'review' AND NOT EXISTS
                 (SELECT 1 FROM resolutions WHERE kind = 'orphan' AND subject = reference AND at >= changed_at)
             UNION ALL SELECT 1 FROM attempts JOIN differences ON differences.attempt = attempts.id
                 WHERE checkout = ?1 AND NOT EXISTS
                 (SELECT 1 FROM resolutions WHERE resolutions.kind = 'difference' AND subject = attempts.id AND at >= found_at)",
            Obstacle::Review,
        ),
        (
            "SELECT 1 FROM orders JOIN refunds ON refunds.order_id = orders.id
             WHERE orders.checkout = ?1 AND (refunds.state = 'pending' OR refunds.state = 'accepted')",
            Obstacle::Refund,
        ),
        (
            "SELECT 1 FROM orders JOIN refunds ON refunds.order_id = orders.id
             WHERE orders.checkout = ?1 AND (refunds.state = 'failed' OR refunds.state = 'review') AND NOT EXISTS
                 (SELECT 1 FROM resolutions WHERE kind = 'refund' AND subject = refunds.id AND at >= changed_at)",
            Obstacle::RefundFailed,
        ),
        (
            "SELECT 1 FROM attempts JOIN disputes ON disputes.attempt = attempts.id
             WHERE attempts.checkout = ?1 AND (disputes.state = 'needs_response' OR disputes.state = 'under_review')",
            Obstacle::Dispute,
        ),
        (
            "SELECT 1 FROM orders JOIN withdrawals ON withdrawals.order_id = orders.id
             WHERE orders.checkout = ?1 AND handled_at IS NULL",
            Obstacle::Withdrawal,
        ),
        (
            // What was tried in vain goes with whoever it was for: an address that takes no mail keeps nobody from being erased.
            "SELECT 1 FROM outbox WHERE checkout = ?1 AND done_at IS NULL AND (tries = 0 OR kind IN ('capture', 'cancel_payment'))
             UNION ALL SELECT 1 FROM orders JOIN letters ON letters.order_id = orders.id
                 WHERE orders.checkout = ?1 AND letters.done_at IS NULL AND tries = 0",
            Obstacle::Letter,
        ),
        (
            "SELECT 1 FROM inbox WHERE checkout = ?1 AND done_at IS NULL
             UNION ALL SELECT 1 FROM attempts JOIN inbox ON inbox.reference = attempts.reference
                 WHERE attempts.checkout = ?1 AND inbox.done_at IS NULL",
            Obstacle::Event,
        ),
    ];
    for (select, obstacle) in looks {
        if tx.exists(select, params![checkout.as_str()])? {
            return Ok(Some(obstacle));
        }
    }
    Ok(None)
}

/// An order of which nobody is known is not written or sent to.
pub(super) fn refuse_erased(tx: &Tx<'_>, order: &OrderId) -> Result<(), StoreError> {
    match tx.exists("SELECT 1 FROM orders WHERE id = ?1 AND erased_at IS NOT NULL", params![order.as_str()])? {
        true => Err(Refusal::Erased.into()),
        false => Ok(()),
    }
}

/// The checkout, its quotes and its payments.
fn empty_checkout(tx: &Tx<'_>, id: &str) -> Result<(), StoreError> {
    let select = "SELECT address FROM checkouts WHERE id = ?1";
    let address: Address = serde_json::from_str(&tx.query_one(select, params![id], |row| row.get::<_, String>(0))?)?;
    tx.execute(
        "UPDATE checkouts SET contact = ?2, address = ?3, cart_token = '', vitals_bucket = 0,
                quote = CASE WHEN quote IN (SELECT quote FROM orders WHERE checkout = ?1) THEN quote END,
                canceled = CASE WHEN EXISTS (SELECT 1 FROM orders WHERE checkout = ?1 AND state = 'placed') THEN canceled ELSE 1 END
         WHERE id = ?1",
        params![id, serde_json::to_string(&Contact::default())?, serde_json::to_string(&address.erased())?],
    )?;
    tx.execute(
        "DELETE FROM quotes WHERE checkout = ?1 AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.quote = quotes.id)
             AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.quote = quotes.id)",
        params![id],
    )?;
    let quotes = tx.query("SELECT id FROM quotes WHERE checkout = ?1", params![id], |row| row.get::<_, String>(0))?;
    for quote in quotes {
        let document = serde_json::to_string(&load_quote(tx, &quote)?.erased())?;
        tx.execute("UPDATE quotes SET document = ?2 WHERE id = ?1", params![quote, document])?;
    }
    tx.execute(
        "UPDATE attempts SET body = ?2, redirect_url = NULL, reason = NULL, card = NULL WHERE checkout = ?1",
        params![id, NOTHING],
    )?;
    Ok(())
}

/// What was given back, sent, declared and noted of an order.
fn empty_order(tx: &Tx<'_>, order: &str) -> Result<(), StoreError> {
    let statements = [
        "UPDATE refunds SET reason = '', note = '', failure = NULL WHERE order_id = ?1",
        "UPDATE fulfillments SET tracking = '', url = '', key = 'erased-' || id WHERE order_id = ?1",
        "UPDATE withdrawals SET wanted = CASE wanted WHEN '' THEN '' ELSE 'erased' END, reason = '',
                note = CASE WHEN note IS NULL THEN NULL ELSE 'erased' END
         WHERE order_id = ?1",
        "UPDATE letters SET last_error = NULL, done_at = coalesce(done_at, (SELECT erased_at FROM orders WHERE id = ?1)) WHERE order_id = ?1",
        "DELETE FROM order_notes WHERE order_id = ?1",
    ];
    for statement in statements {
        tx.execute(statement, params![order])?;
    }
    Ok(())
}

/// What subscribers were told and may be told again: the numbers stay, without gaps.
fn empty_facts(tx: &Tx<'_>, order: &str) -> Result<(), StoreError> {
    let select = "SELECT id, document FROM facts WHERE order_id = ?1";
    let facts = tx.query(select, params![order], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for (id, document) in facts {
        let mut document: Value = serde_json::from_str(&document)?;
        empty_document(&mut document)?;
        let document = serde_json::to_string(&document)?;
        tx.execute("UPDATE facts SET document = ?2 WHERE id = ?1", params![id, document])?;
    }
    Ok(())
}

/// By its fields, as an earlier release may have written it.
fn empty_document(document: &mut Value) -> Result<(), StoreError> {
    if let Some(contact) = document.pointer_mut("/order/quote/contact") {
        *contact = serde_json::to_value(Contact::default())?;
    }
    if let Some(Value::Object(address)) = document.pointer_mut("/order/quote/address") {
        address
            .iter_mut()
            .filter(|(name, _)| !["country", "region"].contains(&name.as_str()))
            .for_each(|(_, part)| *part = "".into());
    }
    if let Some(Value::Array(lines)) = document.pointer_mut("/order/quote/priced/lines") {
        for line in lines.iter_mut().filter_map(Value::as_object_mut) {
            line.insert("properties".to_owned(), Value::Array(Vec::new()));
        }
    }
    for (part, fields) in [("fulfillment", ["tracking", "url"]), ("withdrawal", ["wanted", "reason"])] {
        if let Some(Value::Object(part)) = document.get_mut(part) {
            fields.iter().for_each(|field| drop(part.insert((*field).to_owned(), "".into())));
        }
    }
    if let Some(document) = document.as_object_mut() {
        document.remove("reason");
    }
    Ok(())
}

/// An operator's words about an order.
fn empty_audit(tx: &Tx<'_>, order: &str) -> Result<(), StoreError> {
    let statements = [
        "UPDATE audit SET detail = 'erased' WHERE order_id = ?1 AND detail <> '' AND detail <> 'erased'",
        "UPDATE audit SET detail = 'erased' WHERE order_id IS NULL AND action = 'resolve' AND detail <> 'erased' AND subject IN
             (SELECT id FROM attempts WHERE order_id = ?1 UNION ALL SELECT id FROM refunds WHERE order_id = ?1
              UNION ALL SELECT id FROM withdrawals WHERE order_id = ?1
              UNION ALL SELECT reference FROM orphans WHERE checkout = (SELECT checkout FROM orders WHERE id = ?1))",
        "UPDATE resolutions SET note = 'erased' WHERE subject IN
             (SELECT id FROM attempts WHERE order_id = ?1 UNION ALL SELECT id FROM refunds WHERE order_id = ?1
              UNION ALL SELECT reference FROM orphans WHERE checkout = (SELECT checkout FROM orders WHERE id = ?1))",
    ];
    for statement in statements {
        tx.execute(statement, params![order])?;
    }
    Ok(())
}

/// What was promised, and what the gateway wrote.
fn empty_told(tx: &Tx<'_>, id: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE outbox SET detail = '', last_error = NULL WHERE checkout = ?1", params![id])?;
    let mails = "UPDATE outbox SET done_at = ?2 WHERE checkout = ?1 AND done_at IS NULL AND kind IN ('confirmation', 'alarm')";
    tx.execute(mails, params![id, now.0])?;
    tx.execute("UPDATE inbox SET body = ?2, last_error = NULL WHERE checkout = ?1", params![id, NOTHING])?;
    tx.execute(
        "UPDATE inbox SET body = ?2, last_error = NULL WHERE reference IN
             (SELECT reference FROM attempts WHERE checkout = ?1 UNION ALL SELECT reference FROM orphans WHERE checkout = ?1)",
        params![id, NOTHING],
    )?;
    Ok(())
}
