//! Payments: the transactions T1 to T4 and those that end an attempt otherwise.
//!
//! Always  a step after a foreign call shows its lease; repeating a step that was committed changes nothing and is no error.

use super::checkouts::check_lease;
use super::locks::{Lock, claiming, lock};
use super::outbox::{RETRY_MAX_SECONDS, TOLD_AFTER_SECONDS};
use super::{customers, facts, inbox, life, orphans, outbox, stock, switches};
use crate::commerce::ids::{AttemptId, CheckoutId, Timestamp};
use crate::commerce::money::{Currency, Money};
use crate::commerce::order::order_number;
use crate::commerce::payment::{Attempt, AttemptState};
use crate::store::event::EventResult;
use crate::store::fact::FactKind;
use crate::store::tx::{Param, Row, Tx, params};
use crate::store::watch::{Reach, Unanswered};
use crate::store::{BeginPayment, Lease, Opened, OutboxKind, Refusal, Settlement, StoreError};

/// Rows a sweep takes at once, so that it never holds the writer for long.
const SWEEP_MAX: u32 = 100;
/// The shortest time between two looks at one payment.
const LOOK_MIN_SECONDS: i64 = 15;

/// T1 but for the units. An order shell of the same quote is taken on with its units; one of another quote makes room. Gives what `hold`
/// has to be told.
pub(in crate::store) fn begin(tx: &Tx<'_>, begin: &BeginPayment) -> Result<Shells, StoreError> {
    let attempt = &begin.attempt;
    lock(tx, Lock::Checkout(&attempt.checkout))?;
    let select = "SELECT cart_id FROM checkouts WHERE id = ?1 AND canceled = 0 AND quote = ?2";
    let found =
        tx.query_opt(select, params![attempt.checkout.as_str(), attempt.quote.as_str()], |row| row.get::<_, String>(0))?;
    let cart = found.ok_or(Refusal::WrongState)?;
    if attempt.amount.minor > 0 && switches::paused(tx)?.is_some() {
        return Err(Refusal::Paused.into());
    }
    if orphans::has_number(tx, &attempt.gateway, &attempt.checkout, attempt.number)? {
        return Err(Refusal::NumberUsed { next: orphans::next_number(tx, &attempt.checkout)? }.into());
    }
    let is_taken = tx.query_one(
        "SELECT EXISTS (SELECT 1 FROM attempts WHERE checkout = ?1 AND number >= ?2)",
        params![attempt.checkout.as_str(), attempt.number],
        |row| row.get::<_, bool>(0),
    )?;
    write(tx, begin, &cart, is_taken)
}

/// Whether an order shell is new, and has no units yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Shells {
    New,
    Known,
}

/// The rest of T1, the last thing before its commit: a unit of a hot SKU is locked for as short as can be.
pub(in crate::store) fn hold(tx: &Tx<'_>, begin: &BeginPayment, shell: Shells) -> Result<(), StoreError> {
    if shell == Shells::New {
        customers::take(tx, begin)?;
        stock::use_coupons(tx, begin.order.as_str(), &begin.coupons)?;
        failpoint!("K4");
        stock::reserve(tx, begin.order.as_str(), &begin.needs, begin.now)?;
    }
    failpoint!("K5");
    Ok(())
}

/// Shell and attempt, where the cart allows it. `is_taken`: the checkout has an attempt of this number or a later one.
pub(super) fn write(tx: &Tx<'_>, begin: &BeginPayment, cart: &str, is_taken: bool) -> Result<Shells, StoreError> {
    let (order, shell) = shell_for(tx, begin, cart, is_taken)?;
    insert(tx, &begin.attempt, &order)?;
    Ok(shell)
}

/// A shell for an attempt whose money came after its own was let go.
pub(super) fn revive(tx: &Tx<'_>, begin: &BeginPayment, cart: &str, attempt: &str) -> Result<Shells, StoreError> {
    let (order, shell) = shell_for(tx, begin, cart, false)?;
    tx.execute(
        "UPDATE attempts SET order_id = ?2, reason = NULL, changed_at = ?3, deadline_at = ?4, cancel_sent_at = NULL, void_asked_at = NULL
         WHERE id = ?1",
        params![attempt, order, begin.now.0, begin.attempt.deadline_at.0],
    )?;
    Ok(shell)
}

fn shell_for(tx: &Tx<'_>, begin: &BeginPayment, cart: &str, is_taken: bool) -> Result<(String, Shells), StoreError> {
    let attempt = &begin.attempt;
    lock(tx, Lock::Cart(cart))?;
    Ok(match shell_of(tx, cart)? {
        Some(shell) if shell.is_placed => return Err(Refusal::CartSpent { order: shell.id.as_str().into() }.into()),
        Some(shell) if shell.has_live_attempt && !planted!("two_live_attempts") => return Err(Refusal::AttemptLive.into()),
        // Two were begun at once, and the first is over by now: what became of it is the answer to both.
        _ if is_taken && !planted!("two_live_attempts") => return Err(Refusal::AttemptTaken.into()),
        Some(shell) if shell.quote == attempt.quote.as_str() => (extend(tx, shell.id, begin.hold_until)?, Shells::Known),
        Some(shell) => {
            let_go(tx, &shell.id, begin.now)?;
            (write_shell(tx, begin, cart)?, Shells::New)
        }
        None => (write_shell(tx, begin, cart)?, Shells::New),
    })
}

struct Shell {
    id: String,
    quote: String,
    is_placed: bool,
    has_live_attempt: bool,
}

fn shell_of(tx: &Tx<'_>, cart: &str) -> Result<Option<Shell>, StoreError> {
    let select = "SELECT id, quote, state = 'placed',
                EXISTS (SELECT 1 FROM attempts WHERE order_id = orders.id AND attempts.state <> 'paid' AND attempts.state <> 'declined' AND attempts.state <> 'canceled')
         FROM orders WHERE cart_id = ?1 AND state <> 'canceled'";
    let read =
        |row: &Row<'_>| Ok(Shell { id: row.get(0)?, quote: row.get(1)?, is_placed: row.get(2)?, has_live_attempt: row.get(3)? });
    tx.query_opt(select, params![cart], read)
}

fn extend(tx: &Tx<'_>, order: String, until: Timestamp) -> Result<String, StoreError> {
    tx.execute("UPDATE orders SET hold_until = ?2 WHERE id = ?1 AND hold_until < ?2", params![order, until.0])?;
    Ok(order)
}

fn write_shell(tx: &Tx<'_>, begin: &BeginPayment, cart: &str) -> Result<String, StoreError> {
    let order = begin.order.as_str();
    tx.execute(
        "INSERT INTO orders (id, checkout, cart_id, quote, state, created_at, hold_until)
         VALUES (?1, ?2, ?3, ?4, 'pending_payment', ?5, ?6)",
        params![order, begin.attempt.checkout.as_str(), cart, begin.attempt.quote.as_str(), begin.now.0, begin.hold_until.0],
    )?;
    failpoint!("K3");
    Ok(order.to_owned())
}

fn insert(tx: &Tx<'_>, attempt: &Attempt, order: &str) -> Result<(), StoreError> {
    let insert = "INSERT INTO attempts (id, checkout, order_id, number, quote, quote_hash, amount_minor, currency, gateway, key, body, state,
                               created_at, changed_at, deadline_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'intent_pending',
                 ?12, ?12, ?13)";
    tx.execute(
        insert,
        params![
            attempt.id.as_str(),
            attempt.checkout.as_str(),
            order,
            attempt.number,
            attempt.quote.as_str(),
            attempt.quote_hash,
            attempt.amount.minor,
            attempt.amount.currency.code(),
            attempt.gateway,
            attempt.key,
            attempt.body,
            attempt.created_at.0,
            attempt.deadline_at.0,
        ],
    )?;
    Ok(())
}

/// What a later step has to know of an attempt.
pub(super) struct Known {
    pub(super) order: String,
    order_state: String,
    has_number: bool,
    cart: String,
    checkout: CheckoutId,
    pub(super) state: AttemptState,
    amount_minor: i64,
    currency: String,
    void_asked: bool,
}

pub(super) fn attempt_row(tx: &Tx<'_>, attempt: &AttemptId) -> Result<Known, StoreError> {
    let select = "SELECT orders.id, orders.state, orders.number IS NOT NULL, orders.cart_id, attempts.checkout, attempts.state, amount_minor, currency,
                void_asked_at IS NOT NULL
         FROM attempts JOIN orders ON orders.id = order_id WHERE attempts.id = ?1";
    let read = |row: &Row<'_>| {
        Ok((
            row.get::<_, String>(5)?,
            Known {
                order: row.get(0)?,
                order_state: row.get(1)?,
                has_number: row.get(2)?,
                cart: row.get(3)?,
                checkout: CheckoutId(row.get(4)?),
                state: AttemptState::Review,
                amount_minor: row.get(6)?,
                currency: row.get(7)?,
                void_asked: row.get(8)?,
            },
        ))
    };
    let (name, row) = tx.query_opt(select, params![attempt.as_str()], read)?.ok_or(Refusal::NotFound)?;
    Ok(Known { state: state_of(&name)?, ..row })
}

/// The attempt's row, once the lease is known to be good and to be for its checkout. Events that led here are crossed off in the same
/// transaction as what they led to.
pub(super) fn leased(tx: &Tx<'_>, lease: &Lease, attempt: &AttemptId, now: Timestamp) -> Result<Known, StoreError> {
    check_lease(tx, lease)?;
    lock(tx, Lock::OrderOf(attempt))?;
    let row = attempt_row(tx, attempt)?;
    if row.checkout != lease.checkout {
        return Err(Refusal::WrongState.into());
    }
    for event in &lease.events {
        inbox::finish(tx, *event, EventResult::Applied, now)?;
    }
    Ok(row)
}

/// T2.
pub(in crate::store) fn record_opened(
    tx: &Tx<'_>,
    lease: &Lease,
    attempt: &AttemptId,
    opened: &Opened,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = leased(tx, lease, attempt, now)?;
    match row.state {
        AttemptState::IntentPending => {}
        AttemptState::AwaitingShopper => return Ok(()),
        _ => return Err(Refusal::WrongState.into()),
    }
    tx.execute(
        "UPDATE attempts SET state = 'awaiting_shopper', reference = ?2, redirect_url = ?3, changed_at = ?4 WHERE id = ?1",
        params![attempt.as_str(), opened.reference, opened.redirect_url, now.0],
    )?;
    tx.execute(
        "UPDATE orders SET hold_until = (SELECT deadline_at FROM attempts WHERE id = ?2)
         WHERE id = ?1 AND hold_until < (SELECT deadline_at FROM attempts WHERE id = ?2)",
        params![row.order, attempt.as_str()],
    )?;
    Ok(())
}

/// T3.
pub(in crate::store) fn place(tx: &Tx<'_>, lease: &Lease, settlement: &Settlement) -> Result<(), StoreError> {
    let (attempt, now) = (&settlement.attempt, settlement.now);
    let row = leased(tx, lease, attempt, now)?;
    if row.has_number && matches!(row.state, AttemptState::Capturing | AttemptState::Paid) {
        return Ok(());
    }
    place_order(tx, &row, settlement)?;
    set_state(tx, attempt, AttemptState::Capturing, None, now)?;
    write_ledger(tx, attempt, &row, "authorized", now)?;
    outbox::promise(tx, OutboxKind::Capture, attempt.as_str(), &row.checkout, "", now)?;
    if planted!("mail_before_paid") {
        outbox::promise(tx, OutboxKind::Confirmation, &row.order, &row.checkout, "", now)?;
    }
    failpoint!("K15");
    Ok(())
}

fn place_order(tx: &Tx<'_>, row: &Known, settlement: &Settlement) -> Result<(), StoreError> {
    let (attempt, now) = (&settlement.attempt, settlement.now);
    if row.order_state != "pending_payment" {
        return Err(Refusal::WrongState.into());
    }
    let sequence = life::next_sequence(tx)?;
    let number = order_number(&settlement.order_prefix, sequence);
    tx.execute(
        "UPDATE orders SET state = 'placed', sequence = ?2, number = ?3, placed_at = ?4 WHERE id = ?1",
        params![row.order, sequence, number, now.0],
    )?;
    tx.execute("UPDATE attempts SET reference = ?2 WHERE id = ?1", params![attempt.as_str(), settlement.reference])?;
    stock::sell(tx, &row.order, now)?;
    facts::write(tx, FactKind::OrderPlaced, &row.order, &row.order, None, now)
}

/// T4.
pub(in crate::store) fn mark_paid(tx: &Tx<'_>, lease: &Lease, settlement: &Settlement) -> Result<(), StoreError> {
    let (attempt, now) = (&settlement.attempt, settlement.now);
    let row = leased(tx, lease, attempt, now)?;
    match (row.state, row.has_number) {
        (AttemptState::Paid, true) => return Ok(()),
        (AttemptState::Capturing, true) => {}
        _ => place_order(tx, &row, settlement)?,
    }
    write_ledger(tx, attempt, &row, "captured", now)?;
    set_state(tx, attempt, AttemptState::Paid, None, now)?;
    tx.execute("UPDATE attempts SET card = ?2 WHERE id = ?1", params![attempt.as_str(), settlement.card])?;
    tx.execute("UPDATE orders SET paid_at = ?2 WHERE id = ?1", params![row.order, now.0])?;
    // It is counted now: nothing is left that joins a page to whoever bought.
    tx.execute("UPDATE checkouts SET vitals_bucket = 0 WHERE id = ?1", params![row.checkout.as_str()])?;
    outbox::finish_subject(tx, OutboxKind::Capture, attempt.as_str(), now)?;
    if row.void_asked {
        outbox::finish_subject(tx, OutboxKind::CancelPayment, attempt.as_str(), now)?;
        let reason = "the money was taken before it could be let go, so the order stands; refund it to cancel it";
        outbox::promise(tx, OutboxKind::Alarm, attempt.as_str(), &row.checkout, reason, now)?;
    }
    facts::write(tx, FactKind::OrderPaid, &row.order, &row.order, None, now)?;
    if !planted!("paid_without_promise") {
        outbox::promise(tx, OutboxKind::Confirmation, &row.order, &row.checkout, "", now)?;
    }
    failpoint!("K22");
    Ok(())
}

pub(in crate::store) fn decline(
    tx: &Tx<'_>,
    lease: &Lease,
    attempt: &AttemptId,
    reason: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = leased(tx, lease, attempt, now)?;
    match row.state {
        AttemptState::Declined => Ok(()),
        _ if row.order_state == "placed" || !row.state.is_live() => Err(Refusal::WrongState.into()),
        _ => set_state(tx, attempt, AttemptState::Declined, Some(reason), now),
    }
}

pub(in crate::store) fn cancel_attempt(
    tx: &Tx<'_>,
    lease: &Lease,
    attempt: &AttemptId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = leased(tx, lease, attempt, now)?;
    match row.state {
        AttemptState::Canceled => return Ok(()),
        _ if row.order_state == "placed" && !row.void_asked || !row.state.is_live() => return Err(Refusal::WrongState.into()),
        _ => set_state(tx, attempt, AttemptState::Canceled, None, now)?,
    }
    if row.order_state == "placed" {
        write_ledger(tx, attempt, &row, "voided", now)?;
        outbox::finish_subject(tx, OutboxKind::CancelPayment, attempt.as_str(), now)?;
        return take_back(tx, &row.order, now);
    }
    outbox::finish_subject(tx, OutboxKind::CancelPayment, attempt.as_str(), now)?;
    let_go(tx, &row.order, now)
}

/// A paid attempt is never put in doubt again.
pub(in crate::store) fn review(
    tx: &Tx<'_>,
    lease: &Lease,
    attempt: &AttemptId,
    reason: &str,
    calls_off: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = leased(tx, lease, attempt, now)?;
    if row.state == AttemptState::Paid {
        return Err(Refusal::WrongState.into());
    }
    set_state(tx, attempt, AttemptState::Review, Some(reason), now)?;
    if row.state != AttemptState::Review {
        facts::write(tx, FactKind::PaymentReview, &format!("{attempt}-{}", now.0), &row.order, Some(reason), now)?;
    }
    outbox::finish_subject(tx, OutboxKind::Capture, attempt.as_str(), now)?;
    if calls_off {
        outbox::promise(tx, OutboxKind::CancelPayment, attempt.as_str(), &row.checkout, "", now)?;
    }
    outbox::promise(tx, OutboxKind::Alarm, attempt.as_str(), &row.checkout, reason, now)
}

/// The last word before a cancel is sent: whoever lost the lease, or whose order is placed by now, sends none.
pub(in crate::store) fn note_cancel(tx: &Tx<'_>, lease: &Lease, attempt: &AttemptId, now: Timestamp) -> Result<(), StoreError> {
    check_lease(tx, lease)?;
    lock(tx, Lock::OrderOf(attempt))?;
    let row = attempt_row(tx, attempt)?;
    if row.checkout != lease.checkout || row.order_state == "placed" && !row.void_asked {
        return Err(Refusal::WrongState.into());
    }
    tx.execute(
        "UPDATE attempts SET cancel_sent_at = coalesce(cancel_sent_at, ?2) WHERE id = ?1",
        params![attempt.as_str(), now.0],
    )?;
    Ok(())
}

pub(in crate::store) fn promise_cancel(tx: &Tx<'_>, attempt: &AttemptId, now: Timestamp) -> Result<(), StoreError> {
    lock(tx, Lock::Attempt(attempt))?;
    let row = attempt_row(tx, attempt)?;
    if row.order_state == "placed" && row.state != AttemptState::Review {
        return Err(Refusal::WrongState.into());
    }
    outbox::promise(tx, OutboxKind::CancelPayment, attempt.as_str(), &row.checkout, "", now)
}

pub(in crate::store) fn promise_alarm(tx: &Tx<'_>, attempt: &AttemptId, reason: &str, now: Timestamp) -> Result<(), StoreError> {
    lock(tx, Lock::Attempt(attempt))?;
    let row = attempt_row(tx, attempt)?;
    outbox::promise(tx, OutboxKind::Alarm, attempt.as_str(), &row.checkout, reason, now)
}

/// An order that was placed is none any more, as its held money was let go: its units are back.
fn take_back(tx: &Tx<'_>, order: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE orders SET state = 'canceled', former_number = number, number = NULL WHERE id = ?1", params![order])?;
    stock::unsell(tx, order, now)?;
    facts::write(tx, FactKind::OrderCanceled, order, order, None, now)
}

/// Cancels an order shell and frees what it held. An order that is placed stays.
pub(super) fn let_go(tx: &Tx<'_>, order: &str, now: Timestamp) -> Result<(), StoreError> {
    let update = "UPDATE orders SET state = 'canceled' WHERE id = ?1 AND state = 'pending_payment'";
    match tx.execute(update, params![order])? {
        0 => Ok(()),
        _ => {
            stock::release(tx, order)?;
            facts::write(tx, FactKind::OrderCanceled, order, order, None, now)
        }
    }
}

/// Orders that wait for a payment, whose time is over by `?1` and that no payment keeps. `?3`: whatever keeps them.
macro_rules! expired {
    () => {
        "SELECT id FROM orders WHERE state = 'pending_payment' AND hold_until <= ?1 AND (?3 OR NOT EXISTS
             (SELECT 1 FROM attempts WHERE order_id = orders.id AND attempts.state <> 'paid' AND attempts.state <> 'declined' AND attempts.state <> 'canceled'))"
    };
}

pub(in crate::store) fn release_expired(tx: &Tx<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let select = tx.in_words(
        concat!(expired!(), " ORDER BY hold_until LIMIT ?2"),
        concat!(expired!(), " ORDER BY hold_until LIMIT ?2 FOR UPDATE SKIP LOCKED"),
    );
    let is_lax = planted!("hold_ends_under_attempt");
    let mut expired: Vec<String> = tx.query(select, params![now.0, SWEEP_MAX, is_lax], |row| row.get(0))?;
    if tx.is_shared() {
        // A payment that was begun between the look and the lock is seen now, and none can begin any more.
        let select = concat!(expired!(), " AND id = ?2");
        let mut kept = Vec::with_capacity(expired.len());
        for order in expired {
            if tx.exists(select, params![now.0, order, is_lax])? {
                kept.push(order);
            }
        }
        expired = kept;
        stock::lock_units_of(tx, &expired)?;
    }
    failpoint!("K33", !expired.is_empty());
    expired.iter().try_for_each(|order| let_go(tx, order, now))?;
    Ok(expired.len())
}

/// What is looked at waits as long again as it has been quiet, so that one that stays open for long is asked about ever less often.
pub(in crate::store) fn sweep(
    tx: &Tx<'_>,
    older_than: Timestamp,
    now: Timestamp,
    reach: Reach,
) -> Result<Vec<Attempt>, StoreError> {
    let update = claiming!(
        tx,
        "UPDATE attempts SET looked_at = ?2 WHERE id IN",
        "SELECT id FROM attempts WHERE state <> 'paid' AND state <> 'declined' AND state <> 'canceled' AND state <> 'review' AND (changed_at <= ?1 OR changed_at > ?2)
                  AND (?4 AND looked_at < ?2 OR looked_at > ?2
                       OR looked_at + CASE WHEN looked_at - changed_at > ?5 THEN ?5 WHEN looked_at - changed_at < ?6 THEN ?6 ELSE looked_at - changed_at END <= ?2
                       OR (deadline_at <= ?2 AND looked_at < deadline_at))
              ORDER BY looked_at, changed_at LIMIT ?3",
        "SELECT id FROM due",
        "RETURNING *"
    );
    let take = |is_all: bool, most: u32| -> Result<Vec<Attempt>, StoreError> {
        tx.query(update, params![older_than.0, now.0, most, is_all, RETRY_MAX_SECONDS, LOOK_MIN_SECONDS], read)
    };
    let mut attempts = take(reach == Reach::All, SWEEP_MAX)?;
    if reach == Reach::DueAndOldest && attempts.is_empty() {
        attempts = take(true, 1)?;
    }
    // One that the shopper's bank takes its time with is no trouble.
    let is_late =
        |attempt: &&Attempt| attempt.created_at.0 <= now.0 - TOLD_AFTER_SECONDS && attempt.state != AttemptState::AwaitingShopper;
    for late in attempts.iter().filter(is_late) {
        let reason =
            format!("nobody knows after 72 hours how this payment stands ({}); it is asked about on and on", late.state.name());
        outbox::alarm_once(tx, &format!("late-payment-{}", late.id), &late.checkout, &reason, now)?;
    }
    Ok(attempts)
}

pub(in crate::store) fn attempt_by_reference(tx: &Tx<'_>, gateway: &str, reference: &str) -> Result<Option<Attempt>, StoreError> {
    one(tx, "SELECT * FROM attempts WHERE gateway = ?1 AND reference = ?2", params![gateway, reference])
}

pub(in crate::store) fn by_id(tx: &Tx<'_>, attempt: &AttemptId) -> Result<Option<Attempt>, StoreError> {
    one(tx, "SELECT * FROM attempts WHERE id = ?1", params![attempt.as_str()])
}

pub(in crate::store) fn attempt(tx: &Tx<'_>, checkout: &CheckoutId, number: u32) -> Result<Option<Attempt>, StoreError> {
    one(tx, "SELECT * FROM attempts WHERE checkout = ?1 AND number = ?2", params![checkout.as_str(), number])
}

pub(super) fn newest(tx: &Tx<'_>, checkout: &CheckoutId) -> Result<Option<Attempt>, StoreError> {
    one(tx, "SELECT * FROM attempts WHERE checkout = ?1 ORDER BY number DESC LIMIT 1", params![checkout.as_str()])
}

pub(in crate::store) fn unanswered(tx: &Tx<'_>, gateway: &str) -> Result<Vec<Unanswered>, StoreError> {
    // The states that are left out are those of the index by which the rest is found.
    let select = "SELECT key, created_at, deadline_at FROM attempts
         WHERE state <> 'paid' AND state <> 'declined' AND state <> 'canceled' AND state <> 'review' AND state = 'intent_pending'
             AND reference IS NULL AND gateway = ?1";
    let read = |row: &Row<'_>| {
        Ok(Unanswered { key: row.get(0)?, created_at: Timestamp(row.get(1)?), deadline_at: Timestamp(row.get(2)?) })
    };
    tx.query(select, params![gateway], read)
}

pub(super) fn many(tx: &Tx<'_>, select: &'static str, values: &[Param<'_>]) -> Result<Vec<Attempt>, StoreError> {
    tx.query(select, values, read)
}

fn one(tx: &Tx<'_>, select: &'static str, values: &[Param<'_>]) -> Result<Option<Attempt>, StoreError> {
    tx.query_opt(select, values, read)
}

fn read(row: &Row<'_>) -> Result<Attempt, StoreError> {
    let currency: String = row.get("currency")?;
    let currency = Currency::from_code(&currency).ok_or_else(|| StoreError::Corrupt(format!("currency `{currency}`")))?;
    let instant = |column: &str| row.get(column).map(Timestamp);
    Ok(Attempt {
        id: AttemptId(row.get("id")?),
        checkout: CheckoutId(row.get("checkout")?),
        number: row.get("number")?,
        quote: row.get::<_, String>("quote")?.as_str().into(),
        quote_hash: row.get("quote_hash")?,
        amount: Money::new(row.get("amount_minor")?, currency),
        gateway: row.get("gateway")?,
        key: row.get("key")?,
        body: row.get("body")?,
        state: state_of(&row.get::<_, String>("state")?)?,
        reference: row.get("reference")?,
        redirect_url: row.get("redirect_url")?,
        reason: row.get("reason")?,
        card: row.get("card")?,
        created_at: instant("created_at")?,
        changed_at: instant("changed_at")?,
        deadline_at: instant("deadline_at")?,
        cancel_sent_at: row.get::<_, Option<i64>>("cancel_sent_at")?.map(Timestamp),
        void_asked_at: row.get::<_, Option<i64>>("void_asked_at")?.map(Timestamp),
    })
}

fn state_of(name: &str) -> Result<AttemptState, StoreError> {
    AttemptState::from_name(name).ok_or_else(|| StoreError::Corrupt(format!("attempt state `{name}`")))
}

pub(super) fn set_state(
    tx: &Tx<'_>,
    attempt: &AttemptId,
    state: AttemptState,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        // A page's address may carry what a payment is confirmed with (I23): it is kept for as long as somebody may be led there.
        "UPDATE attempts SET state = ?2, reason = ?3, changed_at = ?4,
                redirect_url = NULL WHERE id = ?1",
        params![attempt.as_str(), state.name(), reason, now.0],
    )?;
    Ok(())
}

fn write_ledger(tx: &Tx<'_>, attempt: &AttemptId, row: &Known, kind: &'static str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO ledger (attempt, cart_id, kind, amount_minor, currency, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![attempt.as_str(), row.cart, kind, row.amount_minor, row.currency, now.0],
    )?;
    Ok(())
}
