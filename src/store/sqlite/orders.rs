//! Orders: how they are read. They are written by `payments`.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::checkouts::load_quote;
use super::refunds;
use crate::commerce::ids::{AttemptId, CartId, CheckoutId, OrderId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::order::{Order, OrderState};
use crate::store::export::Exported;
use crate::store::{OrderFilter, StoreError};

const LIST_USUAL: u32 = 100;

/// The order whose `column` (`id` or `number`) is `value`.
pub(in crate::store) fn by(tx: &Connection, column: &'static str, value: &str) -> Result<Option<Order>, StoreError> {
    one(tx, &format!("SELECT * FROM orders WHERE {column} = ?1"), [value])
}

/// By the number it has, or had while it was placed.
pub(in crate::store) fn by_number(tx: &Connection, number: &str) -> Result<Option<Order>, StoreError> {
    one(tx, "SELECT * FROM orders WHERE number = ?1 OR former_number = ?1", [number])
}

pub(in crate::store) fn by_cart(tx: &Connection, cart: CartId) -> Result<Option<Order>, StoreError> {
    one(tx, "SELECT * FROM orders WHERE cart_id = ?1 AND state <> 'canceled'", [cart.to_string()])
}

pub(super) fn newest(tx: &Connection, checkout: &CheckoutId) -> Result<Option<Order>, StoreError> {
    one(tx, "SELECT * FROM orders WHERE checkout = ?1 ORDER BY rowid DESC LIMIT 1", [checkout.as_str()])
}

pub(in crate::store) fn list(tx: &Connection, filter: OrderFilter) -> Result<Vec<Order>, StoreError> {
    let limit = if filter.limit == 0 { LIST_USUAL } else { filter.limit };
    let mut select = tx.prepare_cached(
        "SELECT * FROM orders WHERE (?1 IS NULL OR state = ?1) AND (?3 IS NULL OR created_at >= ?3)
             AND (?4 IS NULL OR created_at < ?4) ORDER BY rowid DESC LIMIT ?2",
    )?;
    let rows = select.query_map(
        params![filter.state.map(OrderState::name), limit, filter.since.map(|at| at.0), filter.until.map(|at| at.0)],
        |row| Ok(read(tx, row)),
    )?;
    rows.map(|row| row?).collect()
}

/// Those written first before others, after a place.
pub(in crate::store) fn export_page(tx: &Connection, filter: OrderFilter, after: i64) -> Result<Vec<Exported>, StoreError> {
    let limit = if filter.limit == 0 { LIST_USUAL } else { filter.limit };
    let mut select = tx.prepare_cached(
        "SELECT rowid AS place, * FROM orders WHERE rowid > ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR created_at >= ?3)
             AND (?4 IS NULL OR created_at < ?4) ORDER BY rowid LIMIT ?5",
    )?;
    let (since, until) = (filter.since.map(|at| at.0), filter.until.map(|at| at.0));
    let values = params![after, filter.state.map(OrderState::name), since, until, limit];
    let rows = select.query_map(values, |row| Ok((row.get("place")?, read(tx, row))))?.collect::<Result<Vec<_>, _>>()?;
    rows.into_iter().map(|(place, order)| exported(tx, place, order?)).collect()
}

fn exported(tx: &Connection, place: i64, order: Order) -> Result<Exported, StoreError> {
    let mut select =
        tx.prepare_cached("SELECT id, gateway, reference, card FROM attempts WHERE order_id = ?1 ORDER BY number DESC LIMIT 1")?;
    let read = |row: &Row<'_>| Ok((AttemptId(row.get(0)?), row.get(1)?, row.get(2)?, row.get(3)?));
    let newest = select.query_row([order.id.as_str()], read).optional()?;
    let refunded = newest.as_ref().map(|(attempt, ..)| refunds::sums(tx, attempt)).transpose()?;
    let refunded = Money::new(refunded.map_or(0, |sums| sums.in_ledger_minor), order.quote.total().currency);
    let (gateway, reference, card) =
        newest.map_or((None, None, None), |(_, gateway, reference, card)| (gateway, reference, card));
    Ok(Exported { place, order, gateway, reference, card, refunded })
}

fn one(tx: &Connection, query: &str, value: impl Params) -> Result<Option<Order>, StoreError> {
    tx.prepare_cached(query)?.query_row(value, |row| Ok(read(tx, row))).optional()?.transpose()
}

fn read(tx: &Connection, row: &Row<'_>) -> Result<Order, StoreError> {
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
    })
}
