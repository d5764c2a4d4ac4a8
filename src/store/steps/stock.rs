//! Stock: units that are there, promised and sold, and how coupons are used up.
//!
//! Always  units change hands by conditional updates; a change of `on_hand` leaves a movement in the same transaction.

use std::collections::BTreeSet;

use super::customers;
use super::locks::{Lock, lock};
use crate::commerce::catalog::StockPolicy;
use crate::commerce::ids::{CouponCode, Sku, Timestamp};
use crate::commerce::inventory::{StockLevel, StockNeed};
use crate::store::tx::{Row, Tx, params};
use crate::store::{Availability, CouponNeed, Refusal, StoreError};

/// Codes that one statement names.
const CODES_AT_ONCE: usize = 8;

/// Holds units for an order, all or none. The refusal names every SKU that is short.
pub(super) fn reserve(tx: &Tx<'_>, order: &str, needs: &[StockNeed], now: Timestamp) -> Result<(), StoreError> {
    let mut short = Vec::new();
    for need in needs.iter().filter(|need| need.policy != StockPolicy::Untracked) {
        let is_held = take(tx, need)? || {
            // Where others write, one of them may have made the row meanwhile.
            let is_new = open_row(tx, need, now)?;
            (is_new || tx.is_shared()) && take(tx, need)?
        };
        if !is_held {
            short.push(need.sku.clone());
            continue;
        }
        tx.execute(
            "INSERT INTO reservations (order_id, sku, quantity) VALUES (?1, ?2, ?3)",
            params![order, need.sku.as_str(), need.quantity],
        )?;
    }
    if short.is_empty() { Ok(()) } else { Err(Refusal::SoldOut { skus: short }.into()) }
}

/// Holds units of a SKU, where there are so many. `false`: there are not, or it was never counted.
fn take(tx: &Tx<'_>, need: &StockNeed) -> Result<bool, StoreError> {
    let takes_back_orders = need.policy == StockPolicy::Backorder || planted!("stock_not_asked");
    let update =
        "UPDATE stock SET reserved = reserved + ?2, backorder = CASE WHEN ?3 OR on_hand < reserved + ?2 THEN 1 ELSE 0 END
         WHERE sku = ?1 AND (?3 OR on_hand - reserved >= ?2)";
    Ok(tx.execute(update, params![need.sku.as_str(), need.quantity, takes_back_orders])? > 0)
}

/// A SKU that was never counted begins with the catalogue's opening stock. Whether it did so now.
fn open_row(tx: &Tx<'_>, need: &StockNeed, now: Timestamp) -> Result<bool, StoreError> {
    let made = tx.execute(
        "INSERT INTO stock (sku, on_hand) VALUES (?1, ?2) ON CONFLICT (sku) DO NOTHING",
        params![need.sku.as_str(), need.opening_stock],
    )?;
    if made == 0 {
        return Ok(false);
    }
    move_units(tx, &need.sku, need.opening_stock.into(), "opening", "", None, now)?;
    Ok(true)
}

/// Locks what orders have, in the order of SKUs.
pub(super) fn lock_units_of(tx: &Tx<'_>, orders: &[String]) -> Result<(), StoreError> {
    let mut skus = BTreeSet::new();
    for order in orders {
        let select = "SELECT sku FROM reservations WHERE order_id = ?1";
        skus.extend(tx.query(select, params![order], |row| row.get::<_, String>(0))?);
    }
    skus.into_iter().try_for_each(|sku| lock(tx, Lock::Stock(&Sku::from(sku))))
}

/// Lets held units go.
pub(super) fn release(tx: &Tx<'_>, order: &str) -> Result<(), StoreError> {
    if planted!("units_not_given_back") {
        return Ok(());
    }
    lock(tx, Lock::UnitsOf(order))?;
    tx.execute(
        "UPDATE stock SET reserved = reserved - held.quantity
         FROM (SELECT sku, quantity FROM reservations WHERE order_id = ?1 AND sold = 0) AS held WHERE stock.sku = held.sku",
        params![order],
    )?;
    tx.execute("DELETE FROM reservations WHERE order_id = ?1 AND sold = 0", params![order])?;
    tx.execute("DELETE FROM coupon_uses WHERE order_id = ?1", params![order])?;
    customers::forget(tx, order)
}

/// Turns held units into sold ones.
pub(super) fn sell(tx: &Tx<'_>, order: &str, now: Timestamp) -> Result<(), StoreError> {
    lock(tx, Lock::UnitsOf(order))?;
    tx.execute(
        "UPDATE stock SET on_hand = on_hand - held.quantity, reserved = reserved - held.quantity, sold = sold + held.quantity
         FROM (SELECT sku, quantity FROM reservations WHERE order_id = ?1 AND sold = 0) AS held WHERE stock.sku = held.sku",
        params![order],
    )?;
    tx.execute(
        "INSERT INTO stock_movements (sku, change, kind, order_id, at)
         SELECT sku, -quantity, 'sold', order_id, ?2 FROM reservations WHERE order_id = ?1 AND sold = 0 ORDER BY sku",
        params![order, now.0],
    )?;
    tx.execute("UPDATE reservations SET sold = 1 WHERE order_id = ?1", params![order])?;
    Ok(())
}

/// Units of a placed order are back in the house; they stay sold.
pub(super) fn take_back(tx: &Tx<'_>, order: &str, reason: &str, now: Timestamp) -> Result<(), StoreError> {
    lock(tx, Lock::UnitsOf(order))?;
    tx.execute(
        "UPDATE stock SET on_hand = on_hand + had.quantity
         FROM (SELECT sku, quantity FROM reservations WHERE order_id = ?1 AND sold = 1) AS had WHERE stock.sku = had.sku",
        params![order],
    )?;
    tx.execute(
        "INSERT INTO stock_movements (sku, change, kind, reason, order_id, at)
         SELECT sku, quantity, 'adjusted', ?2, order_id, ?3 FROM reservations WHERE order_id = ?1 AND sold = 1 ORDER BY sku",
        params![order, reason, now.0],
    )?;
    Ok(())
}

/// The same of an order that is none any more: they were never sold, and its codes were never used.
pub(super) fn unsell(tx: &Tx<'_>, order: &str, now: Timestamp) -> Result<(), StoreError> {
    take_back(tx, order, "voided", now)?;
    tx.execute(
        "UPDATE stock SET sold = sold - had.quantity
         FROM (SELECT sku, quantity FROM reservations WHERE order_id = ?1 AND sold = 1) AS had WHERE stock.sku = had.sku",
        params![order],
    )?;
    tx.execute("DELETE FROM reservations WHERE order_id = ?1", params![order])?;
    tx.execute("DELETE FROM coupon_uses WHERE order_id = ?1", params![order])?;
    customers::forget(tx, order)
}

/// Takes one use of each code. The code's lock makes count and insertion one.
pub(super) fn use_coupons(tx: &Tx<'_>, order: &str, coupons: &[CouponNeed]) -> Result<(), StoreError> {
    for need in coupons {
        let limit = need.limit.filter(|_| !planted!("coupon_not_counted"));
        if limit.is_some() {
            lock(tx, Lock::Code(need.code.as_str()))?;
        }
        let insert = "INSERT INTO coupon_uses (code, order_id)
             SELECT ?1, ?2 WHERE ?3 IS NULL OR (SELECT count(*) FROM coupon_uses WHERE code = ?1) < ?3";
        if tx.execute(insert, params![need.code.as_str(), order, limit])? == 0 {
            return Err(Refusal::CouponUsedUp { code: need.code.clone() }.into());
        }
    }
    Ok(())
}

/// What is counted, with the uses of all codes.
pub(in crate::store) fn snapshot(tx: &Tx<'_>) -> Result<Availability, StoreError> {
    let select = "SELECT code, count(*) FROM coupon_uses GROUP BY code ORDER BY code";
    Ok(Availability { levels: levels(tx)?, coupon_uses: tx.query(select, params![], uses)? })
}

/// What is counted, with the uses of these codes, a few of them by each statement.
pub(in crate::store) fn watched(tx: &Tx<'_>, codes: &[CouponCode]) -> Result<Availability, StoreError> {
    let mut coupon_uses = Vec::new();
    for few in codes.chunks(CODES_AT_ONCE) {
        // The last ones of a short list are named again.
        let [a, b, c, d, e, f, g, h] = std::array::from_fn(|index| few[index.min(few.len() - 1)].as_str());
        let select =
            "SELECT code, count(*) FROM coupon_uses WHERE code IN (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) GROUP BY code ORDER BY code";
        coupon_uses.extend(tx.query(select, params![a, b, c, d, e, f, g, h], uses)?);
    }
    Ok(Availability { levels: levels(tx)?, coupon_uses })
}

fn uses(row: &Row<'_>) -> Result<(CouponCode, u32), StoreError> {
    Ok((CouponCode(row.get(0)?), row.get(1)?))
}

fn levels(tx: &Tx<'_>) -> Result<Vec<StockLevel>, StoreError> {
    tx.query("SELECT sku, on_hand, reserved, sold FROM stock ORDER BY sku", params![], read)
}

pub(in crate::store) fn set(
    tx: &Tx<'_>,
    sku: &Sku,
    on_hand: u32,
    reason: &str,
    now: Timestamp,
) -> Result<StockLevel, StoreError> {
    let before = match level(tx, sku)? {
        None if tx.is_shared() => {
            // Another may be about to make the row: from here on there is one, and it is this step's.
            tx.execute("INSERT INTO stock (sku, on_hand) VALUES (?1, 0) ON CONFLICT (sku) DO NOTHING", params![sku.as_str()])?;
            level(tx, sku)?
        }
        before => before,
    };
    change_by(tx, sku, before, i64::from(on_hand), "set", reason, now)
}

pub(in crate::store) fn adjust(
    tx: &Tx<'_>,
    sku: &Sku,
    change: i64,
    reason: &str,
    now: Timestamp,
) -> Result<StockLevel, StoreError> {
    let before = level(tx, sku)?.ok_or(Refusal::NotFound)?;
    let on_hand = before.on_hand.saturating_add(change).clamp(-i64::from(u32::MAX), i64::from(u32::MAX));
    change_by(tx, sku, Some(before), on_hand, "adjusted", reason, now)
}

fn change_by(
    tx: &Tx<'_>,
    sku: &Sku,
    before: Option<StockLevel>,
    on_hand: i64,
    kind: &'static str,
    reason: &str,
    now: Timestamp,
) -> Result<StockLevel, StoreError> {
    let before = before.unwrap_or(StockLevel { sku: sku.clone(), on_hand: 0, reserved: 0, sold: 0 });
    if on_hand < before.reserved {
        return Err(Refusal::StockPromised { sku: sku.clone(), reserved: before.reserved }.into());
    }
    tx.execute("INSERT INTO stock (sku, on_hand) VALUES (?1, ?2) ON CONFLICT (sku) DO UPDATE SET on_hand = excluded.on_hand, backorder = 0", params![sku.as_str(), on_hand])?;
    move_units(tx, sku, on_hand - before.on_hand, kind, reason, None, now)?;
    Ok(StockLevel { on_hand, ..before })
}

fn move_units(
    tx: &Tx<'_>,
    sku: &Sku,
    change: i64,
    kind: &'static str,
    reason: &str,
    order: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO stock_movements (sku, change, kind, reason, order_id, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![sku.as_str(), change, kind, reason, order, now.0],
    )?;
    Ok(())
}

fn level(tx: &Tx<'_>, sku: &Sku) -> Result<Option<StockLevel>, StoreError> {
    lock(tx, Lock::Stock(sku))?;
    let select = "SELECT sku, on_hand, reserved, sold FROM stock WHERE sku = ?1";
    tx.query_opt(select, params![sku.as_str()], read)
}

pub(super) fn read(row: &Row<'_>) -> Result<StockLevel, StoreError> {
    Ok(StockLevel { sku: Sku::from(row.get::<_, String>(0)?), on_hand: row.get(1)?, reserved: row.get(2)?, sold: row.get(3)? })
}
