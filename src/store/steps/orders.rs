//! Orders: how they are read. They are written by `payments`.

use super::checkouts::load_quote;
use super::{fulfillments, refunds};
use crate::commerce::fulfillment::FulfillmentState;
use crate::commerce::ids::{AttemptId, CartId, CheckoutId, OrderId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::order::{Order, OrderState};
use crate::store::export::Exported;
use crate::store::tx::{Param, Row, Tx, params};
use crate::store::{OrderFilter, StoreError};

const LIST_USUAL: u32 = 100;

pub(in crate::store) fn by_id(tx: &Tx<'_>, id: &str) -> Result<Option<Order>, StoreError> {
    one(tx, "SELECT * FROM orders WHERE id = ?1", params![id])
}

/// By the number it has, or had while it was placed.
pub(in crate::store) fn by_number(tx: &Tx<'_>, number: &str) -> Result<Option<Order>, StoreError> {
    one(tx, "SELECT * FROM orders WHERE number = ?1 OR former_number = ?1", params![number])
}

pub(in crate::store) fn by_cart(tx: &Tx<'_>, cart: CartId) -> Result<Option<Order>, StoreError> {
    one(tx, "SELECT * FROM orders WHERE cart_id = ?1 AND state <> 'canceled'", params![cart.to_string()])
}

pub(super) fn newest(tx: &Tx<'_>, checkout: &CheckoutId) -> Result<Option<Order>, StoreError> {
    let select = tx.in_words(
        "SELECT * FROM orders WHERE checkout = ?1 ORDER BY rowid DESC LIMIT 1",
        "SELECT * FROM orders WHERE checkout = ?1 ORDER BY place DESC LIMIT 1",
    );
    one(tx, select, params![checkout.as_str()])
}

pub(in crate::store) fn list(tx: &Tx<'_>, filter: OrderFilter) -> Result<Vec<Order>, StoreError> {
    let limit = if filter.limit == 0 { LIST_USUAL } else { filter.limit };
    // What is not paid is not to be sent, and is in no state of that.
    let select = tx.in_words(
        "SELECT * FROM orders WHERE (?1 IS NULL OR state = ?1) AND (?3 IS NULL OR created_at >= ?3)
             AND (?4 IS NULL OR created_at < ?4) AND (?5 IS NULL OR ?5 = CASE WHEN paid_at IS NULL THEN ''
                 WHEN NOT EXISTS (SELECT 1 FROM fulfilled_lines WHERE order_id = orders.id AND sent > 0) THEN 'unfulfilled'
                 WHEN EXISTS (SELECT 1 FROM fulfilled_lines WHERE order_id = orders.id AND sent < ordered) THEN 'partly_fulfilled'
                 ELSE 'fulfilled' END)
             ORDER BY rowid DESC LIMIT ?2",
        "SELECT * FROM orders WHERE (?1 IS NULL OR state = ?1) AND (?3 IS NULL OR created_at >= ?3)
             AND (?4 IS NULL OR created_at < ?4) AND (?5 IS NULL OR ?5 = CASE WHEN paid_at IS NULL THEN ''
                 WHEN NOT EXISTS (SELECT 1 FROM fulfilled_lines WHERE order_id = orders.id AND sent > 0) THEN 'unfulfilled'
                 WHEN EXISTS (SELECT 1 FROM fulfilled_lines WHERE order_id = orders.id AND sent < ordered) THEN 'partly_fulfilled'
                 ELSE 'fulfilled' END)
             ORDER BY place DESC LIMIT ?2",
    );
    let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
    let fulfillment = filter.fulfillment.map(FulfillmentState::name);
    tx.query(select, params![filter.state.map(OrderState::name), limit, since, until, fulfillment], |row| read(tx, row))
}

/// Those written first before others, after a place.
pub(in crate::store) fn export_page(tx: &Tx<'_>, filter: OrderFilter, after: i64) -> Result<Vec<Exported>, StoreError> {
    let limit = if filter.limit == 0 { LIST_USUAL } else { filter.limit };
    let select = tx.in_words(
        "SELECT rowid AS place, * FROM orders WHERE rowid > ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR created_at >= ?3)
             AND (?4 IS NULL OR created_at < ?4) ORDER BY rowid LIMIT ?5",
        "SELECT * FROM orders WHERE place > ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR created_at >= ?3)
             AND (?4 IS NULL OR created_at < ?4) ORDER BY place LIMIT ?5",
    );
    let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
    let rows = tx.query(select, params![after, filter.state.map(OrderState::name), since, until, limit], |row| {
        Ok((row.get("place")?, read(tx, row)?))
    })?;
    rows.into_iter().map(|(place, order)| exported(tx, place, order)).collect()
}

fn exported(tx: &Tx<'_>, place: i64, order: Order) -> Result<Exported, StoreError> {
    let select = "SELECT id, gateway, reference, card FROM attempts WHERE order_id = ?1 ORDER BY number DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok((AttemptId(row.get(0)?), row.get(1)?, row.get(2)?, row.get(3)?));
    let newest = tx.query_opt(select, params![order.id.as_str()], read)?;
    let refunded = newest.as_ref().map(|(attempt, ..)| refunds::sums(tx, attempt)).transpose()?;
    let refunded = Money::new(refunded.map_or(0, |sums| sums.in_ledger_minor), order.quote.total().currency);
    let (gateway, reference, card) =
        newest.map_or((None, None, None), |(_, gateway, reference, card)| (gateway, reference, card));
    let (refunds, fulfillments) = (refunds::of_order(tx, &order.id)?, fulfillments::of_order(tx, &order.id)?);
    let select = "SELECT ledger.at, CASE kind WHEN 'refunded' THEN ledger.amount_minor ELSE -ledger.amount_minor END
         FROM attempts JOIN ledger ON ledger.attempt = attempts.id
         WHERE attempts.order_id = ?1 AND kind IN ('refunded', 'refund_failed') ORDER BY ledger.at, ledger.id";
    let currency = refunded.currency;
    let booked =
        tx.query(select, params![order.id.as_str()], |row| Ok((Timestamp(row.get(0)?), Money::new(row.get(1)?, currency))))?;
    Ok(Exported { place, order, gateway, reference, card, refunded, refunds, booked, fulfillments })
}

fn one(tx: &Tx<'_>, select: &'static str, values: &[Param<'_>]) -> Result<Option<Order>, StoreError> {
    tx.query_opt(select, values, |row| read(tx, row))
}

fn read(tx: &Tx<'_>, row: &Row<'_>) -> Result<Order, StoreError> {
    let state: String = row.get("state")?;
    let instant = |column: &str| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp));
    Ok(Order {
        id: OrderId(row.get("id")?),
        checkout: CheckoutId(row.get("checkout")?),
        number: row.get::<_, Option<String>>("number")?.or(row.get("former_number")?),
        state: OrderState::from_name(&state).ok_or_else(|| StoreError::Corrupt(format!("order state `{state}`")))?,
        quote: load_quote(tx, &row.get::<_, String>("quote")?)?,
        created_at: Timestamp(row.get("created_at")?),
        placed_at: instant("placed_at")?,
        paid_at: instant("paid_at")?,
        erased_at: instant("erased_at")?,
    })
}
