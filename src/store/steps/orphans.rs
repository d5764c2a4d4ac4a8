//! Orphans: rows of payments that the gateway has and no attempt is of.
//!
//! Always  whether an attempt is of a payment is asked in the same transaction as what is done about it. An attempt that is over without
//!         money is of none: what is taken by it after all is an orphan.

use super::checkouts::load_quote;
use super::locks::{Lock, claiming, lock};
use super::outbox::pause_seconds;
use super::payments;
use crate::commerce::ids::{CheckoutId, Timestamp};
use crate::commerce::money::{Currency, Money};
use crate::commerce::quote::Quote;
use crate::store::orphans::{OpenOrphans, Orphan, OrphanState, Standing};
use crate::store::tx::{Row, Tx, params};
use crate::store::{BeginPayment, Opened, Refusal, StoreError};

/// The longest wait between two tries: money goes back within two minutes of being found.
const RETRY_MAX_SECONDS: i64 = 60;

/// Mails about payments that were opened before this file was.
const STRANGE_MAILS: u32 = 10;

/// Whether an attempt is of a payment: it has its name, or waits to be told that name, and did not give it away.
fn is_attempt(tx: &Tx<'_>, orphan: &Orphan) -> Result<bool, StoreError> {
    let select =
        "SELECT 1 FROM attempts WHERE gateway = ?1 AND NOT (state = 'canceled' AND reason IS NOT NULL AND reason = 'disowned')
             AND (reference = ?2 OR (checkout = ?3 AND number = ?4 AND reference IS NULL))";
    tx.exists(select, params![orphan.gateway, orphan.reference, orphan.checkout.as_str(), orphan.number])
}

/// Whether a payment of a checkout's cart is under way, be it of another checkout.
fn is_being_paid(tx: &Tx<'_>, checkout: &CheckoutId) -> Result<bool, StoreError> {
    let select = "SELECT 1 FROM checkouts JOIN orders ON orders.cart_id = checkouts.cart_id JOIN attempts ON order_id = orders.id
         WHERE checkouts.id = ?1 AND attempts.state <> 'paid' AND attempts.state <> 'declined' AND attempts.state <> 'canceled'";
    tx.exists(select, params![checkout.as_str()])
}

/// A new one; one that is known is left as it is. Gives how many are new.
fn insert(tx: &Tx<'_>, orphan: &Orphan) -> Result<usize, StoreError> {
    let insert = "INSERT INTO orphans (gateway, reference, shop, checkout, number, quote_hash, amount_minor, currency, standing, refunded_minor,
                              state, reason, made_at, found_at, changed_at, next_at, told_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
                 ?13, ?14, ?14, ?14, CASE WHEN ?11 = 'returned' THEN ?14 END)
         ON CONFLICT (gateway, reference) DO NOTHING";
    tx.execute(
        insert,
        params![
            orphan.gateway,
            orphan.reference,
            orphan.shop,
            orphan.checkout.as_str(),
            orphan.number,
            orphan.quote_hash,
            orphan.amount.minor,
            orphan.amount.currency.code(),
            orphan.standing,
            orphan.refunded_minor,
            orphan.state.name(),
            orphan.reason,
            orphan.made_at.0,
            orphan.found_at.0,
        ],
    )
}

/// Takes a payment over from its attempt; `false`: it was before, and goes on.
pub(super) fn take_on(tx: &Tx<'_>, orphan: &Orphan) -> Result<bool, StoreError> {
    if insert(tx, orphan)? == 1 {
        return Ok(true);
    }
    doubt(tx, orphan)?;
    // It was an orphan before it was the attempt's.
    let update = "UPDATE orphans SET state = 'found', standing = ?3, refunded_minor = ?4, reason = ?5, changed_at = ?6, next_at = ?6, tries = 0,
                told_at = NULL
         WHERE gateway = ?1 AND reference = ?2 AND state = 'adopted'";
    let values =
        params![orphan.gateway, orphan.reference, orphan.standing, orphan.refunded_minor, orphan.reason, orphan.found_at.0];
    Ok(tx.execute(update, values)? == 1)
}

/// What went back did not stay there: the bank refused it, say.
fn doubt(tx: &Tx<'_>, orphan: &Orphan) -> Result<(), StoreError> {
    let update = "UPDATE orphans SET state = 'review', standing = ?3, refunded_minor = ?4, changed_at = ?5, told_at = NULL,
                reason = 'it was returned, and the gateway holds money of it again'
         WHERE gateway = ?1 AND reference = ?2 AND state = 'returned' AND ?6";
    let is_over = orphan.state == OrphanState::Returned;
    tx.execute(
        update,
        params![orphan.gateway, orphan.reference, orphan.standing, orphan.refunded_minor, orphan.found_at.0, !is_over],
    )?;
    Ok(())
}

pub(in crate::store) fn find(tx: &Tx<'_>, found: &[Orphan]) -> Result<usize, StoreError> {
    let mut count = 0;
    for orphan in found {
        lock(tx, Lock::Checkout(&orphan.checkout))?;
        if is_attempt(tx, orphan)? {
            continue;
        }
        count += insert(tx, orphan)?;
        doubt(tx, orphan)?;
    }
    Ok(count)
}

pub(in crate::store) fn count_since(tx: &Tx<'_>, gateway: &str, since: Timestamp) -> Result<u32, StoreError> {
    let select = "SELECT count(*) FROM orphans WHERE gateway = ?1 AND found_at > ?2";
    tx.query_one(select, params![gateway, since.0], |row| row.get(0))
}

pub(in crate::store) fn claim(tx: &Tx<'_>, limit: u32, due_at: Timestamp, until: Timestamp) -> Result<Vec<Orphan>, StoreError> {
    let update = claiming!(
        tx,
        "UPDATE orphans SET next_at = ?3, tries = tries + 1 WHERE (gateway, reference) IN",
        "SELECT gateway, reference FROM orphans WHERE state IN ('found', 'returning') AND next_at <= ?2
         ORDER BY next_at, found_at, reference LIMIT ?1",
        "SELECT gateway, reference FROM due",
        "RETURNING *"
    );
    let mut orphans = tx.query(update, params![limit, due_at.0, until.0], read)?;
    orphans.sort_by(|one, other| (one.made_at, &one.reference).cmp(&(other.made_at, &other.reference)));
    Ok(orphans)
}

/// Whoever was at work on them is dead: all are due.
pub(super) fn release_all(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE orphans SET next_at = 0 WHERE state IN ('found', 'returning') AND next_at > 0", params![])?;
    Ok(())
}

/// The attempt goes on from where the gateway waits for the shopper; a turn asks how it really stands.
pub(in crate::store) fn adopt(tx: &Tx<'_>, opened: &Opened, begin: &BeginPayment) -> Result<(), StoreError> {
    let (attempt, reference) = (&begin.attempt, opened.reference.as_str());
    let (gateway, checkout) = (&attempt.gateway, attempt.checkout.as_str());
    lock(tx, Lock::Checkout(&attempt.checkout))?;
    let select = "SELECT 1 FROM orphans WHERE gateway = ?1 AND reference = ?2 AND state = 'found'";
    let newest: u32 =
        tx.query_one("SELECT coalesce(max(number), 0) FROM attempts WHERE checkout = ?1", params![checkout], |row| row.get(0))?;
    let disowned = "SELECT id FROM attempts WHERE checkout = ?1 AND number = ?2 AND gateway = ?3 AND reference = ?4
             AND state = 'canceled' AND reason IS NOT NULL AND reason = 'disowned'";
    let disowned =
        tx.query_opt(disowned, params![checkout, attempt.number, gateway.as_str(), reference], |row| row.get::<_, String>(0))?;
    let is_later = newest > attempt.number || newest == attempt.number && disowned.is_none();
    if !tx.exists(select, params![gateway.as_str(), reference])? || is_later {
        return Err(Refusal::WrongState.into());
    }
    let select = "SELECT cart_id FROM checkouts WHERE id = ?1 AND canceled = 0";
    let cart = tx.query_opt(select, params![checkout], |row| row.get::<_, String>(0))?.ok_or(Refusal::WrongState)?;
    let fresh = match &disowned {
        Some(known) => payments::revive(tx, begin, &cart, known)?,
        None => payments::write(tx, begin, &cart, false)?,
    };
    tx.execute(
        "UPDATE attempts SET state = 'awaiting_shopper', reference = ?2, redirect_url = ?3 WHERE id = ?1",
        params![disowned.as_deref().unwrap_or(attempt.id.as_str()), reference, opened.redirect_url],
    )?;
    tx.execute(
        "UPDATE orphans SET state = 'adopted', changed_at = ?3 WHERE gateway = ?1 AND reference = ?2",
        params![gateway, reference, begin.now.0],
    )?;
    payments::hold(tx, begin, fresh)
}

/// The last word before money goes back: a payment that an attempt is of is left alone, and one whose cart is being paid by another
/// waits for how that ends. A return that began goes on.
pub(in crate::store) fn begin_return(
    tx: &Tx<'_>,
    orphan: &Orphan,
    standing: &str,
    refunded_minor: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    lock(tx, Lock::Checkout(&orphan.checkout))?;
    if is_attempt(tx, orphan)? {
        tx.execute(
            "UPDATE orphans SET state = 'adopted', changed_at = ?3 WHERE gateway = ?1 AND reference = ?2",
            params![orphan.gateway, orphan.reference, now.0],
        )?;
        return Ok(false);
    }
    if orphan.state == OrphanState::Found && is_being_paid(tx, &orphan.checkout)? {
        return Err(Refusal::AttemptLive.into());
    }
    let update = "UPDATE orphans SET state = 'returning', reason = ?6, standing = ?3, refunded_minor = ?4, changed_at = ?5
         WHERE gateway = ?1 AND reference = ?2 AND state IN ('found', 'returning')";
    let values = params![orphan.gateway, orphan.reference, standing, refunded_minor, now.0, orphan.reason];
    Ok(tx.execute(update, values)? == 1)
}

pub(in crate::store) fn settle(tx: &Tx<'_>, orphan: &Orphan, is: &Standing, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE orphans SET state = ?3, standing = ?4, refunded_minor = ?5, reason = ?6, changed_at = ?7, told_at = NULL
         WHERE gateway = ?1 AND reference = ?2 AND state IN ('found', 'returning')",
        params![orphan.gateway, orphan.reference, is.state.name(), is.standing, is.refunded_minor, is.reason, now.0],
    )?;
    Ok(())
}

pub(in crate::store) fn retry(tx: &Tx<'_>, orphan: &Orphan, error: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE orphans SET reason = ?3, next_at = ?4
         WHERE gateway = ?1 AND reference = ?2 AND state IN ('found', 'returning')",
        params![orphan.gateway, orphan.reference, error, now.0 + pause_seconds(orphan.tries, RETRY_MAX_SECONDS)],
    )?;
    Ok(())
}

pub(in crate::store) fn to_tell(tx: &Tx<'_>, limit: u32, late_since: Timestamp) -> Result<Vec<Orphan>, StoreError> {
    // Some of those from before this file was are enough to see that it is the wrong one; nobody reads a thousand mails.
    let select = "SELECT * FROM orphans WHERE told_at IS NULL AND (state NOT IN ('found', 'returning') OR found_at <= ?2)
             AND (made_at >= (SELECT born_at FROM life) OR (gateway, reference) IN
                 (SELECT gateway, reference FROM orphans WHERE made_at < (SELECT born_at FROM life)
                  ORDER BY found_at, reference LIMIT ?3))
         ORDER BY found_at, reference LIMIT ?1";
    tx.query(select, params![limit, late_since.0, STRANGE_MAILS], read)
}

pub(in crate::store) fn told(tx: &Tx<'_>, orphan: &Orphan, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE orphans SET told_at = ?4 WHERE gateway = ?1 AND reference = ?2 AND state = ?3",
        params![orphan.gateway, orphan.reference, orphan.state.name(), now.0],
    )?;
    Ok(())
}

pub(in crate::store) fn open(tx: &Tx<'_>) -> Result<OpenOrphans, StoreError> {
    let select =
        "SELECT count(*) FILTER (WHERE state IN ('found', 'returning')), count(*) FILTER (WHERE state = 'review') FROM orphans";
    let read =
        |row: &Row<'_>| Ok(OpenOrphans { under_way: row.get::<_, u32>(0)?.into(), in_review: row.get::<_, u32>(1)?.into() });
    tx.query_one(select, params![], read)
}

/// Whether the gateway knows keys of that number, of a payment that is no attempt here.
pub(super) fn has_number(tx: &Tx<'_>, gateway: &str, checkout: &CheckoutId, number: u32) -> Result<bool, StoreError> {
    let select = "SELECT 1 FROM orphans WHERE checkout = ?1 AND number = ?2 AND gateway = ?3";
    tx.exists(select, params![checkout.as_str(), number, gateway])
}

/// Above a checkout's attempts, and its orphans.
pub(super) fn next_number(tx: &Tx<'_>, checkout: &CheckoutId) -> Result<u32, StoreError> {
    let select = "SELECT coalesce((SELECT max(number) FROM attempts WHERE checkout = ?1), 0),
                coalesce((SELECT max(number) FROM orphans WHERE checkout = ?1), 0)";
    let newest = tx.query_one(select, params![checkout.as_str()], |row| Ok(row.get::<_, u32>(0)?.max(row.get(1)?)))?;
    Ok(newest + 1)
}

pub(in crate::store) fn quote_by_hash(tx: &Tx<'_>, checkout: &CheckoutId, hash: &str) -> Result<Option<Quote>, StoreError> {
    let select = "SELECT id FROM quotes WHERE checkout = ?1 AND hash = ?2";
    let id = tx.query_opt(select, params![checkout.as_str(), hash], |row| row.get::<_, String>(0))?;
    id.map(|id| load_quote(tx, &id)).transpose()
}

fn read(row: &Row<'_>) -> Result<Orphan, StoreError> {
    let currency: String = row.get("currency")?;
    let currency = Currency::from_code(&currency).ok_or_else(|| StoreError::Corrupt(format!("currency `{currency}`")))?;
    let state: String = row.get("state")?;
    Ok(Orphan {
        gateway: row.get("gateway")?,
        reference: row.get("reference")?,
        shop: row.get("shop")?,
        checkout: CheckoutId(row.get("checkout")?),
        number: row.get("number")?,
        quote_hash: row.get("quote_hash")?,
        amount: Money::new(row.get("amount_minor")?, currency),
        standing: row.get("standing")?,
        refunded_minor: row.get("refunded_minor")?,
        state: OrphanState::from_name(&state).ok_or_else(|| StoreError::Corrupt(format!("orphan state `{state}`")))?,
        reason: row.get("reason")?,
        made_at: Timestamp(row.get("made_at")?),
        found_at: Timestamp(row.get("found_at")?),
        tries: row.get("tries")?,
    })
}
