//! Customers: whose an order is, for promotions that count once for each.
//!
//! Always  an order has its customer's name from the transaction that holds its units until it is none any more. The name is a keyed
//!         hash: the e-mail address itself stands with the checkout alone. An order of before names were kept has none.

use super::locks::{Lock, lock};
use crate::commerce::ids::{CartId, CouponCode};
use crate::commerce::promotion::Customer;
use crate::store::tx::{Tx, params};
use crate::store::{BeginPayment, Refusal, StoreError};

/// Writes down whose an order is, once it is known that what it uses is for that customer. The lock of the customer's names makes looking
/// and writing one among orders that use such promotions.
pub(super) fn take(tx: &Tx<'_>, begin: &BeginPayment) -> Result<(), StoreError> {
    let Some(name) = begin.customer.first() else { return Ok(()) };
    let asks = |need: &&crate::store::CouponNeed| need.first_order || need.per_customer.is_some();
    let mut asking = begin.coupons.iter().filter(asks).peekable();
    if asking.peek().is_some() {
        let mut names = begin.customer.clone();
        names.sort();
        names.iter().try_for_each(|name| lock(tx, Lock::Customer(name)))?;
    }
    for need in asking {
        if need.first_order && has_ordered(tx, &begin.customer)? {
            return Err(Refusal::NotForCustomer { code: need.code.clone() }.into());
        }
        if let Some(limit) = need.per_customer {
            let mut uses = 0;
            for name in &begin.customer {
                let select =
                    "SELECT count(*) FROM order_customers JOIN coupon_uses ON coupon_uses.order_id = order_customers.order_id
                     WHERE customer = ?1 AND code = ?2";
                uses += tx.query_one(select, params![name, need.code.as_str()], |row| row.get::<_, u32>(0))?;
            }
            if uses >= limit {
                return Err(Refusal::NotForCustomer { code: need.code.clone() }.into());
            }
        }
    }
    let insert = "INSERT INTO order_customers (order_id, customer) VALUES (?1, ?2)";
    tx.execute(insert, params![begin.order.as_str(), name])?;
    Ok(())
}

fn has_ordered(tx: &Tx<'_>, names: &[String]) -> Result<bool, StoreError> {
    for name in names {
        let select =
            "SELECT 1 FROM order_customers JOIN orders ON orders.id = order_id WHERE customer = ?1 AND state <> 'canceled'";
        if tx.exists(select, params![name])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An order that is none any more was nobody's.
pub(super) fn forget(tx: &Tx<'_>, order: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM order_customers WHERE order_id = ?1", params![order])?;
    Ok(())
}

/// What is known of a customer, the orders of one cart left out.
pub(in crate::store) fn known(tx: &Tx<'_>, names: &[String], cart: CartId) -> Result<Customer, StoreError> {
    let cart = cart.to_string();
    let mut customer = Customer::default();
    for name in names {
        let select = "SELECT 1 FROM order_customers JOIN orders ON orders.id = order_id WHERE customer = ?1 AND cart_id <> ?2 AND state <> 'canceled'";
        customer.has_ordered |= tx.exists(select, params![name, cart])?;
        let select = "SELECT code, count(*) FROM order_customers JOIN orders ON orders.id = order_customers.order_id
             JOIN coupon_uses ON coupon_uses.order_id = orders.id
             WHERE customer = ?1 AND cart_id <> ?2 GROUP BY code ORDER BY code";
        let uses = tx.query(select, params![name, cart], |row| Ok((CouponCode(row.get(0)?), row.get::<_, u32>(1)?)))?;
        for (code, count) in uses {
            match customer.uses.iter_mut().find(|(known, _)| *known == code) {
                Some((_, sum)) => *sum += count,
                None => customer.uses.push((code, count)),
            }
        }
    }
    Ok(customer)
}
