//! Orders: how they are read. They are written by `payments`.

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::checkouts::load_quote;
use crate::commerce::ids::{CartId, CheckoutId, OrderId, Timestamp};
use crate::commerce::order::{Order, OrderState};
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
