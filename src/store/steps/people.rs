//! People: checkouts by whom they name, and all that is kept of one.

use super::{desk, disputes, fulfillments, history, orders, refunds, withdrawals};
use crate::commerce::ids::{CheckoutId, OrderId, Timestamp};
use crate::commerce::money::{Currency, Money};
use crate::store::StoreError;
use crate::store::people::{Kept, KeptOrder, KeptPayment, KeptRefund, Page};
use crate::store::tx::{Row, Tx, params};

/// Those of a page of checkouts that name an address, which is in lower case, in what was told last.
pub(in crate::store) fn checkouts(tx: &Tx<'_>, email: &str, after: &str, limit: u32) -> Result<Page, StoreError> {
    let select = tx.in_words(
        "SELECT id, id, json_extract(contact, '$.email') FROM checkouts WHERE id > ?1 ORDER BY id LIMIT ?2",
        "SELECT id, id, contact::json ->> 'email' FROM checkouts WHERE id > ?1 ORDER BY id LIMIT ?2",
    );
    page(tx, select, (email, after), limit)
}

/// The same of a page of quotes: an order keeps what it was made of, whatever its checkout was told later.
pub(in crate::store) fn quotes(tx: &Tx<'_>, email: &str, after: &str, limit: u32) -> Result<Page, StoreError> {
    let select = tx.in_words(
        "SELECT id, checkout, json_extract(document, '$.contact.email') FROM quotes WHERE id > ?1 ORDER BY id LIMIT ?2",
        "SELECT id, checkout, document::json -> 'contact' ->> 'email' FROM quotes WHERE id > ?1 ORDER BY id LIMIT ?2",
    );
    page(tx, select, (email, after), limit)
}

fn page(tx: &Tx<'_>, select: &'static str, (email, after): (&str, &str), limit: u32) -> Result<Page, StoreError> {
    let read = |row: &Row<'_>| {
        let email: Option<String> = row.get(2)?;
        Ok((row.get::<_, String>(0)?, CheckoutId(row.get(1)?), email.unwrap_or_default()))
    };
    let rows = tx.query(select, params![after, limit], read)?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|(place, ..)| place.clone());
    // Not all engines know lower case beyond ASCII.
    let found = rows.into_iter().filter(|(.., named)| named.to_lowercase() == email).map(|(_, checkout, _)| checkout);
    Ok((found.collect(), next))
}

pub(in crate::store) fn kept(tx: &Tx<'_>, checkout: &CheckoutId) -> Result<Option<Kept>, StoreError> {
    let select = "SELECT created_at, market, language, contact, address FROM checkouts WHERE id = ?1";
    let read = |row: &Row<'_>| {
        Ok(Kept {
            checkout: checkout.clone(),
            created_at: Timestamp(row.get(0)?),
            market: row.get::<_, String>(1)?.as_str().into(),
            language: row.get(2)?,
            contact: serde_json::from_str(&row.get::<_, String>(3)?)?,
            address: serde_json::from_str(&row.get::<_, String>(4)?)?,
            orders: Vec::new(),
        })
    };
    let Some(mut kept) = tx.query_opt(select, params![checkout.as_str()], read)? else { return Ok(None) };
    let select = "SELECT id FROM orders WHERE checkout = ?1 ORDER BY created_at, id";
    for id in tx.query(select, params![checkout.as_str()], |row| Ok(OrderId(row.get(0)?)))? {
        kept.orders.extend(kept_order(tx, &id)?);
    }
    Ok(Some(kept))
}

fn kept_order(tx: &Tx<'_>, id: &OrderId) -> Result<Option<KeptOrder>, StoreError> {
    let Some(order) = orders::by_id(tx, id.as_str())? else { return Ok(None) };
    let refunds = refunds::of_order(tx, id)?.into_iter().map(|one| KeptRefund {
        amount: one.amount,
        state: one.state.name().to_owned(),
        reason: one.reason,
        note: one.note,
        created_at: one.created_at,
    });
    let history = history::of(tx, id)?;
    let of = |what: &str| history.iter().filter(|one| one.what == what).cloned().collect::<Vec<_>>();
    let mut mails = of("mail");
    // Those are to the house.
    mails.retain(|one| !one.detail.starts_with("alarm"));
    Ok(Some(KeptOrder {
        payments: payments(tx, id)?,
        refunds: refunds.collect(),
        disputes: disputes::of_order(tx, id)?,
        fulfillments: fulfillments::of_order(tx, id)?,
        withdrawals: withdrawals::of_order(tx, id)?,
        notes: desk::notes(tx, id)?,
        mails,
        events: of("event"),
        order,
    }))
}

fn payments(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<KeptPayment>, StoreError> {
    let select = "SELECT number, gateway, reference, amount_minor, currency, state, reason, card, created_at, changed_at
         FROM attempts WHERE order_id = ?1 ORDER BY number";
    tx.query(select, params![order.as_str()], |row: &Row<'_>| {
        let code: String = row.get(4)?;
        let currency = Currency::from_code(&code).ok_or_else(|| StoreError::Corrupt(format!("currency `{code}`")))?;
        Ok(KeptPayment {
            number: row.get(0)?,
            gateway: row.get(1)?,
            reference: row.get(2)?,
            amount: Money::new(row.get(3)?, currency),
            state: row.get(5)?,
            reason: row.get(6)?,
            card: row.get(7)?,
            created_at: Timestamp(row.get(8)?),
            changed_at: Timestamp(row.get(9)?),
        })
    })
}
