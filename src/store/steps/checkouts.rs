//! Checkouts: their rows, quotes and leases.

use super::locks::{Lock, lock};
use super::{inbox, keys, letters, orders, orphans, outbox, payments, refunds};
use crate::commerce::checkout::Checkout;
use crate::commerce::ids::{CartId, CheckoutId, Timestamp};
use crate::commerce::order::{Order, OrderState};
use crate::commerce::quote::Quote;
use crate::store::tx::{Row, Tx, params};
use crate::store::{Lease, OpenCheckout, Refusal, SaveDetails, StoreError};

pub(in crate::store) fn open(tx: &Tx<'_>, open: &OpenCheckout, quote: Option<&Quote>) -> Result<Option<Order>, StoreError> {
    if let Some(order) = orders::by_cart(tx, open.cart_id)? {
        let is_given_up =
            tx.query_one("SELECT canceled FROM checkouts WHERE id = ?1", params![order.checkout.as_str()], |row| {
                row.get::<_, bool>(0)
            })?;
        if order.state == OrderState::Placed || !is_given_up {
            return Ok(Some(order));
        }
    }
    let insert = "INSERT INTO checkouts (id, cart_id, cart_revision, cart_token, market, language, contact, address, shipping_rate, created_at, vitals_bucket)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    tx.execute(
        insert,
        params![
            open.id.as_str(),
            open.cart_id.to_string(),
            open.cart_revision,
            open.cart_token,
            open.market.as_str(),
            open.language,
            serde_json::to_string(&open.contact)?,
            serde_json::to_string(&open.address)?,
            open.shipping_rate.as_ref().map(|rate| rate.as_str()),
            open.now.0,
            u32::from(open.vitals_bucket),
        ],
    )?;
    if let Some(quote) = quote {
        freeze_quote(tx, quote)?;
    }
    Ok(None)
}

pub(in crate::store) fn load(tx: &Tx<'_>, id: &CheckoutId) -> Result<Option<Checkout>, StoreError> {
    let select = "SELECT * FROM checkouts WHERE id = ?1";
    let Some((mut checkout, quote)) = tx.query_opt(select, params![id.as_str()], read)? else { return Ok(None) };
    checkout.attempt = payments::newest(tx, id)?;
    checkout.order = orders::newest(tx, id)?;
    // Most often the order is over the newest quote: that is read once.
    let of_order = checkout.order.as_ref().map(|order| &order.quote);
    checkout.quote = match (quote, of_order) {
        (Some(quote), Some(known)) if known.id.as_str() == quote => Some(known.clone()),
        (quote, _) => quote.map(|quote| load_quote(tx, &quote)).transpose()?,
    };
    Ok(Some(checkout))
}

fn read(row: &Row<'_>) -> Result<(Checkout, Option<String>), StoreError> {
    let checkout = Checkout {
        id: CheckoutId(row.get("id")?),
        cart_id: cart_id(&row.get::<_, String>("cart_id")?)?,
        cart_revision: row.get("cart_revision")?,
        cart_token: row.get("cart_token")?,
        vitals_bucket: u8::try_from(row.get::<_, u32>("vitals_bucket")?).unwrap_or(0),
        market: row.get::<_, String>("market")?.as_str().into(),
        language: row.get("language")?,
        contact: serde_json::from_str(&row.get::<_, String>("contact")?)?,
        address: serde_json::from_str(&row.get::<_, String>("address")?)?,
        shipping_rate: row.get::<_, Option<String>>("shipping_rate")?.map(|rate| rate.as_str().into()),
        quote: None,
        attempt: None,
        order: None,
        canceled: row.get("canceled")?,
        created_at: Timestamp(row.get("created_at")?),
    };
    Ok((checkout, row.get("quote")?))
}

pub(super) fn cart_id(text: &str) -> Result<CartId, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(format!("`{text}` is not a cart id")))
}

pub(super) fn load_quote(tx: &Tx<'_>, id: &str) -> Result<Quote, StoreError> {
    let select = "SELECT document FROM quotes WHERE id = ?1";
    let document: String = tx.query_one(select, params![id], |row| row.get(0))?;
    Ok(serde_json::from_str(&document)?)
}

pub(in crate::store) fn save_details(tx: &Tx<'_>, details: &SaveDetails, quote: Option<&Quote>) -> Result<Checkout, StoreError> {
    refuse_while_paying(tx, &details.checkout)?;
    let before: Option<String> =
        tx.query_one("SELECT quote FROM checkouts WHERE id = ?1", params![details.checkout.as_str()], |row| row.get(0))?;
    let update = "UPDATE checkouts SET cart_revision = ?2, cart_token = ?3, contact = ?4, address = ?5, shipping_rate = ?6, vitals_bucket = ?7, quote = NULL WHERE id = ?1";
    tx.execute(
        update,
        params![
            details.checkout.as_str(),
            details.cart_revision,
            details.cart_token,
            serde_json::to_string(&details.contact)?,
            serde_json::to_string(&details.address)?,
            details.shipping_rate.as_ref().map(|rate| rate.as_str()),
            u32::from(details.vitals_bucket),
        ],
    )?;
    // A quote that nobody tried to pay is forgotten with the next one: looking again and again does not fill the disk.
    if let Some(before) = before {
        tx.execute("DELETE FROM quotes WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM orders WHERE quote = ?1)", params![&before])?;
    }
    if let Some(quote) = quote {
        freeze_quote(tx, quote)?;
    }
    load(tx, &details.checkout)?.ok_or_else(|| Refusal::NotFound.into())
}

/// Makes a quote the checkout's newest.
fn freeze_quote(tx: &Tx<'_>, quote: &Quote) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO quotes (id, checkout, hash, expires_at, document) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![quote.id.as_str(), quote.checkout.as_str(), quote.hash, quote.expires_at.0, serde_json::to_string(quote)?,],
    )?;
    tx.execute("UPDATE checkouts SET quote = ?2 WHERE id = ?1", params![quote.checkout.as_str(), quote.id.as_str()])?;
    Ok(())
}

/// Forgets checkouts of before `older_than` that nobody tried to pay, at most so many. Gives how many.
pub(in crate::store) fn reap(tx: &Tx<'_>, older_than: Timestamp, limit: u32) -> Result<usize, StoreError> {
    let select = tx.in_words(
        "SELECT id FROM checkouts WHERE created_at <= ?1 AND NOT EXISTS (SELECT 1 FROM orders WHERE checkout = checkouts.id) LIMIT ?2",
        "SELECT id FROM checkouts WHERE created_at <= ?1 AND NOT EXISTS (SELECT 1 FROM orders WHERE checkout = checkouts.id) LIMIT ?2
         FOR UPDATE SKIP LOCKED",
    );
    let ids: Vec<String> = tx.query(select, params![older_than.0, limit], |row| row.get(0))?;
    for id in &ids {
        tx.execute("UPDATE checkouts SET quote = NULL WHERE id = ?1", params![id])?;
        tx.execute("DELETE FROM quotes WHERE checkout = ?1", params![id])?;
        tx.execute("DELETE FROM checkouts WHERE id = ?1", params![id])?;
    }
    Ok(ids.len())
}

pub(in crate::store) fn cancel(tx: &Tx<'_>, id: &CheckoutId, now: Timestamp) -> Result<(), StoreError> {
    refuse_while_paying(tx, id)?;
    tx.execute("UPDATE checkouts SET canceled = 1 WHERE id = ?1", params![id.as_str()])?;
    if let Some(order) = orders::newest(tx, id)? {
        payments::let_go(tx, order.id.as_str(), now)?;
    }
    Ok(())
}

/// What is agreed may not change while it is being paid, nor once it is an order.
fn refuse_while_paying(tx: &Tx<'_>, id: &CheckoutId) -> Result<(), StoreError> {
    lock(tx, Lock::Checkout(id))?;
    let select = "SELECT EXISTS (SELECT 1 FROM attempts WHERE checkout = ?1 AND state <> 'paid' AND state <> 'declined' AND state <> 'canceled'),
                (SELECT id FROM orders WHERE checkout = ?1 AND state = 'placed')
         FROM checkouts WHERE id = ?1";
    let found =
        tx.query_opt(select, params![id.as_str()], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, Option<String>>(1)?)))?;
    match found {
        None => Err(Refusal::NotFound.into()),
        Some((_, Some(order))) => Err(Refusal::CartSpent { order: order.as_str().into() }.into()),
        Some((true, None)) => Err(Refusal::AttemptLive.into()),
        Some((false, None)) => Ok(()),
    }
}

pub(in crate::store) fn take_lease(
    tx: &Tx<'_>,
    checkout: &CheckoutId,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<Lease>, StoreError> {
    lock(tx, Lock::Checkout(checkout))?;
    // A lease that ends later than a fresh one of any edge would is of before the clock was set back; its holder is fenced off.
    let update = "UPDATE checkouts SET lease_owner = ?2, lease_fence = lease_fence + 1, lease_until = ?4
         WHERE id = ?1 AND (lease_owner IS NULL OR lease_until <= ?3 OR lease_until > ?4 + ?5) RETURNING lease_fence";
    let fence =
        tx.query_opt(update, params![checkout.as_str(), owner, now.0, until.0, outbox::CLOCKS_APART_SECONDS], |row| row.get(0))?;
    Ok(fence.map(|fence| Lease { checkout: checkout.clone(), fence, events: Vec::new(), is_last: false }))
}

pub(in crate::store) fn release_lease(tx: &Tx<'_>, lease: &Lease) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE checkouts SET lease_owner = NULL, lease_until = 0 WHERE id = ?1 AND lease_fence = ?2",
        params![lease.checkout.as_str(), lease.fence],
    )?;
    Ok(())
}

/// The checkout as a step under its lease leaves it, given back with the last one.
pub(in crate::store) fn left_by(tx: &Tx<'_>, lease: &Lease) -> Result<Checkout, StoreError> {
    if lease.is_last {
        release_lease(tx, lease)?;
    }
    load(tx, &lease.checkout)?.ok_or_else(|| Refusal::NotFound.into())
}

pub(in crate::store) fn release_all_leases(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE checkouts SET lease_owner = NULL, lease_until = 0 WHERE lease_owner IS NOT NULL", params![])?;
    outbox::release_all(tx)?;
    letters::release_all(tx)?;
    inbox::release_all(tx)?;
    orphans::release_all(tx)?;
    refunds::release_all(tx)?;
    keys::forget_unfinished(tx)
}

/// I15: what a worker found out counts only while nobody took over.
pub(super) fn check_lease(tx: &Tx<'_>, lease: &Lease) -> Result<(), StoreError> {
    lock(tx, Lock::Checkout(&lease.checkout))?;
    let select = "SELECT 1 FROM checkouts WHERE id = ?1 AND lease_fence = ?2 AND lease_owner IS NOT NULL";
    match tx.exists(select, params![lease.checkout.as_str(), lease.fence])? {
        true => Ok(()),
        false => Err(Refusal::LeaseLost.into()),
    }
}
