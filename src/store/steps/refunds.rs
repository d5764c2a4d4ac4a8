//! Refunds: rows of money that goes back, each a call that is committed before it is sent.
//!
//! Always  what enters the ledger does so in the transaction that moves the refund on, once.

use super::locks::{Lock, claiming, lock};
use super::outbox::{self, CLOCKS_APART_SECONDS, RETRY_MAX_SECONDS, TOLD_AFTER_SECONDS};
use super::{facts, inbox, stock};
use crate::commerce::ids::{AttemptId, CheckoutId, OrderId, Timestamp};
use crate::commerce::money::{Currency, Money};
use crate::commerce::payment::refund_key;
use crate::commerce::refund::{RefundReport, RefundStanding, RefundState};
use crate::store::event::EventResult;
use crate::store::refunds::{AskRefund, Refund, RefundAnswer, RefundSums, Refundable};
use crate::store::tx::{Param, Row, Tx, params};
use crate::store::{OutboxKind, Refusal, StoreError};

/// A refund under way is asked about no more often: banks take their time.
const LOOK_SECONDS: i64 = 900;

pub(in crate::store) fn refundable(tx: &Tx<'_>, order: &OrderId) -> Result<Option<Refundable>, StoreError> {
    let select = "SELECT attempts.id, gateway, ledger.amount_minor, ledger.currency,
                (SELECT CAST(coalesce(sum(refunds.amount_minor), 0) AS BIGINT) FROM refunds
                 WHERE refunds.attempt = attempts.id AND refunds.state IN ('pending', 'accepted', 'done')),
                EXISTS (SELECT 1 FROM refunds WHERE refunds.order_id = ?1 AND restocked = 1)
         FROM attempts JOIN ledger ON ledger.attempt = attempts.id AND kind = 'captured' WHERE attempts.order_id = ?1";
    let read = |row: &Row<'_>| {
        let attempt = AttemptId(row.get(0)?);
        let sums: (i64, i64) = (row.get(2)?, row.get(4)?);
        Ok((attempt, row.get::<_, String>(1)?, sums, row.get::<_, String>(3)?, row.get::<_, bool>(5)?))
    };
    let Some((attempt, gateway, (captured, refunded), code, is_restocked)) =
        tx.query_opt(select, params![order.as_str()], read)?
    else {
        return Ok(None);
    };
    let currency = currency(&code)?;
    let money = |minor| Money::new(minor, currency);
    Ok(Some(Refundable { attempt, gateway, captured: money(captured), refunded: money(refunded), is_restocked }))
}

/// I21: the sum is looked at in the transaction that adds to it.
pub(in crate::store) fn ask(tx: &Tx<'_>, ask: &AskRefund) -> Result<Refund, StoreError> {
    lock(tx, Lock::Order(ask.order.as_str()))?;
    let found = refundable(tx, &ask.order)?.ok_or(Refusal::NothingTaken)?;
    let left = found.left();
    let minor = ask.amount_minor.unwrap_or(left.minor);
    if minor <= 0 || minor > left.minor && !planted!("refund_sum_not_asked") {
        return Err(Refusal::MoreThanLeft { left }.into());
    }
    if ask.restocks && found.is_restocked {
        return Err(Refusal::AlreadyRestocked.into());
    }
    let select = "SELECT key, checkout FROM attempts WHERE id = ?1";
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let (key, checkout) = tx.query_one(select, params![found.attempt.as_str()], read)?;
    let shop = key.split_once(&format!(":{checkout}:")).map(|(shop, _)| shop).filter(|shop| !shop.is_empty());
    let shop = shop.ok_or_else(|| StoreError::Corrupt(format!("key of the payment of {checkout}")))?;
    let row = Written {
        id: &ask.id,
        order: ask.order.as_str(),
        attempt: &found.attempt,
        amount: Money::new(minor, left.currency),
        key: Some(&refund_key(shop, &ask.id)),
        reference: None,
        now: ask.now,
    };
    insert(tx, &row)?;
    tx.execute(
        "UPDATE refunds SET reason = ?2, note = ?3, restocked = ?4 WHERE id = ?1",
        params![ask.id, ask.reason, ask.note, i64::from(ask.restocks)],
    )?;
    if ask.restocks {
        stock::take_back(tx, ask.order.as_str(), "refunded", ask.now)?;
    }
    by_id(tx, &ask.id)?.ok_or_else(|| StoreError::Corrupt("a refund that was written just now".to_owned()))
}

struct Written<'a> {
    id: &'a str,
    order: &'a str,
    attempt: &'a AttemptId,
    amount: Money,
    key: Option<&'a str>,
    reference: Option<&'a str>,
    now: Timestamp,
}

fn insert(tx: &Tx<'_>, row: &Written<'_>) -> Result<(), StoreError> {
    tx.execute("INSERT INTO refunds (id, order_id, attempt, amount_minor, currency, state, key, reference, created_at, changed_at, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7, ?8, ?8, ?8)", params![
row.id,
row.order,
row.attempt.as_str(),
row.amount.minor,
row.amount.currency.code(),
row.key,
row.reference,
row.now.0,
])?;
    Ok(())
}

/// One of each payment, as a gateway changes one thing at a time.
pub(in crate::store) fn claim(
    tx: &Tx<'_>,
    owner: &str,
    limit: u32,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Refund>, StoreError> {
    // Later than anything is put off, longer than anything is claimed: the clock was set back meanwhile.
    let update = claiming!(
        tx,
        "UPDATE refunds SET lease_owner = ?1, lease_fence = lease_fence + 1, lease_until = ?4 WHERE id IN",
        "SELECT id FROM refunds WHERE state IN ('pending', 'accepted') AND (next_at <= ?3 OR next_at > ?3 + ?5)
             AND (lease_until <= ?3 OR lease_until > ?4 + ?6)
             AND NOT EXISTS (SELECT 1 FROM refunds AS other WHERE other.attempt = refunds.attempt
                                 AND other.lease_until > ?3 AND other.lease_until <= ?4 + ?6)
             AND NOT EXISTS (SELECT 1 FROM refunds AS earlier WHERE earlier.attempt = refunds.attempt AND earlier.id < refunds.id
                                 AND earlier.state IN ('pending', 'accepted') AND (earlier.next_at <= ?3 OR earlier.next_at > ?3 + ?5))
         ORDER BY attempt LIMIT ?2",
        "SELECT id FROM due",
        "RETURNING *"
    );
    let mut refunds = tx.query(update, params![owner, limit, now.0, until.0, RETRY_MAX_SECONDS, CLOCKS_APART_SECONDS], read)?;
    refunds.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(refunds)
}

/// Whoever was at work on them is dead.
pub(super) fn release_all(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE refunds SET lease_owner = NULL, lease_until = 0 WHERE lease_owner IS NOT NULL", params![])?;
    Ok(())
}

pub(in crate::store) fn begin(tx: &Tx<'_>, refund: &Refund, body: &[u8], now: Timestamp) -> Result<Vec<u8>, StoreError> {
    let update = "UPDATE refunds SET body = coalesce(body, ?3), sent = sent + 1, first_sent_at = coalesce(first_sent_at, ?4)
         WHERE id = ?1 AND lease_fence = ?2 AND lease_owner IS NOT NULL AND state = 'pending' RETURNING body";
    let bytes = tx.query_opt(update, params![refund.id, refund.fence, body, now.0], |row| row.get(0))?;
    Ok(bytes.ok_or(Refusal::LeaseLost)?)
}

pub(in crate::store) fn settle(tx: &Tx<'_>, refund: &Refund, answer: &RefundAnswer, now: Timestamp) -> Result<(), StoreError> {
    lock(tx, Lock::OrderOf(&refund.attempt))?;
    let update =
        "UPDATE refunds SET lease_owner = NULL, lease_until = 0 WHERE id = ?1 AND lease_fence = ?2 AND lease_owner IS NOT NULL";
    if tx.execute(update, params![refund.id, refund.fence])? == 0 {
        return Err(Refusal::LeaseLost.into());
    }
    // What was heard meanwhile counts as well.
    let row = by_id(tx, &refund.id)?.ok_or(Refusal::NotFound)?;
    match answer {
        RefundAnswer::Told(report) => {
            advance(tx, &row, Some(&report.reference), report.standing, report.failure.as_deref(), now)?
        }
        RefundAnswer::Accepted => advance(tx, &row, None, RefundStanding::UnderWay, None, now)?,
        RefundAnswer::Failed(reason) if row.state == RefundState::Pending => {
            advance(tx, &row, None, RefundStanding::Failed, Some(reason), now)?;
        }
        RefundAnswer::Failed(_) => {}
        RefundAnswer::Later(reason) => {
            tx.execute("UPDATE refunds SET failure = ?2 WHERE id = ?1 AND state = 'pending'", params![refund.id, reason])?;
            if row.state == RefundState::Pending && row.created_at.0 <= now.0 - TOLD_AFTER_SECONDS {
                let why = format!(
                    "a refund of {} is not answered after 72 hours; it is tried on every 15 minutes: {reason}",
                    row.amount
                );
                outbox::alarm_once(tx, &format!("late-refund-{}", row.id), &checkout_of(tx, &row)?, &why, now)?;
            }
        }
    }
    // 1 s doubled, as long again as it has been waiting for its answer; one that is under way is asked about more rarely.
    let row = by_id(tx, &refund.id)?.ok_or(Refusal::NotFound)?;
    let pause = match row.state {
        RefundState::Accepted => (now.0 - row.changed_at.0).clamp(15, LOOK_SECONDS),
        _ => (now.0 - row.created_at.0).clamp(1, RETRY_MAX_SECONDS),
    };
    tx.execute("UPDATE refunds SET next_at = ?2 WHERE id = ?1", params![refund.id, now.0 + pause])?;
    Ok(())
}

pub(in crate::store) fn hear(
    tx: &Tx<'_>,
    attempt: &AttemptId,
    told: &[RefundReport],
    events: &[i64],
    now: Timestamp,
) -> Result<(), StoreError> {
    lock(tx, Lock::OrderOf(attempt))?;
    for report in told {
        let known = match known(tx, attempt, report)? {
            Some(row) => row,
            None if report.standing == RefundStanding::Failed => continue,
            None => write_down(tx, attempt, report, now)?,
        };
        advance(tx, &known, Some(&report.reference), report.standing, report.failure.as_deref(), now)?;
    }
    events.iter().try_for_each(|event| inbox::finish(tx, *event, EventResult::Applied, now))
}

fn known(tx: &Tx<'_>, attempt: &AttemptId, report: &RefundReport) -> Result<Option<Refund>, StoreError> {
    if planted!("refund_told_twice") {
        return one(
            tx,
            "SELECT * FROM refunds WHERE attempt = ?1 AND reference = ?2",
            params![attempt.as_str(), report.reference],
        );
    }
    one(
        tx,
        "SELECT * FROM refunds WHERE attempt = ?1 AND (reference = ?2 OR key = ?3) ORDER BY reference IS NULL LIMIT 1",
        params![attempt.as_str(), report.reference, report.key],
    )
}

/// One that was made at the gateway's own pages, or that this file has lost: the customer was told of it, or will not be by us.
fn write_down(tx: &Tx<'_>, attempt: &AttemptId, report: &RefundReport, now: Timestamp) -> Result<Refund, StoreError> {
    let order: String = tx
        .query_opt("SELECT order_id FROM attempts WHERE id = ?1", params![attempt.as_str()], |row| row.get(0))?
        .ok_or(Refusal::NotFound)?;
    let id = format!("{attempt}-{}", report.reference);
    let key = report.key.as_deref().filter(|_| !planted!("refund_told_twice"));
    let row = Written {
        id: &id,
        order: &order,
        attempt,
        amount: report.amount,
        key,
        reference: Some(&report.reference),
        now: report.made_at,
    };
    insert(tx, &row)?;
    tx.execute(
        "UPDATE refunds SET note = 'made at the gateway', changed_at = ?2, told_at = ?2, first_sent_at = ?3 WHERE id = ?1",
        params![id, now.0, report.made_at.0],
    )?;
    by_id(tx, &id)?.ok_or_else(|| StoreError::Corrupt("a refund that was written just now".to_owned()))
}

fn advance(
    tx: &Tx<'_>,
    row: &Refund,
    reference: Option<&str>,
    standing: RefundStanding,
    failure: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute("UPDATE refunds SET reference = coalesce(reference, ?2) WHERE id = ?1", params![row.id, reference])?;
    let state = row.state.after(standing);
    if state == row.state {
        return Ok(());
    }
    tx.execute(
        "UPDATE refunds SET state = ?2, failure = ?3, changed_at = ?4 WHERE id = ?1",
        params![row.id, state.name(), failure, now.0],
    )?;
    if state.is_in_ledger() && !row.state.is_in_ledger() {
        write_ledger(tx, row, "refunded", now)?;
    }
    if state == RefundState::Done {
        facts::write_refunded(tx, row, now)?;
    }
    if state == RefundState::Review && !planted!("refund_failure_not_booked") {
        write_ledger(tx, row, "refund_failed", now)?;
    }
    if matches!(state, RefundState::Failed | RefundState::Review) {
        let checkout = checkout_of(tx, row)?;
        let why = failure.unwrap_or("no reason was told");
        let reason = match state {
            RefundState::Review => {
                format!("a refund of {} came back from the bank ({why}); pay the customer another way", row.amount)
            }
            _ => format!("a refund of {} was not made ({why}); ask for it again, or pay the customer another way", row.amount),
        };
        outbox::promise(tx, OutboxKind::Alarm, &format!("refund-{}", row.id), &checkout, &reason, now)?;
    }
    Ok(())
}

fn checkout_of(tx: &Tx<'_>, refund: &Refund) -> Result<CheckoutId, StoreError> {
    let select = "SELECT checkout FROM attempts WHERE id = ?1";
    tx.query_one(select, params![refund.attempt.as_str()], |row| Ok(CheckoutId(row.get(0)?)))
}

fn write_ledger(tx: &Tx<'_>, row: &Refund, kind: &'static str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO ledger (attempt, cart_id, kind, amount_minor, currency, at, refund)
         SELECT ?1, cart_id, ?2, ?3, ?4, ?5, ?6 FROM orders WHERE id = ?7",
        params![row.attempt.as_str(), kind, row.amount.minor, row.amount.currency.code(), now.0, row.id, row.order.as_str()],
    )?;
    Ok(())
}

pub(in crate::store) fn of_order(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Refund>, StoreError> {
    many(tx, "SELECT * FROM refunds WHERE order_id = ?1 ORDER BY created_at, id", params![order.as_str()])
}

pub(in crate::store) fn to_tell(tx: &Tx<'_>, limit: u32) -> Result<Vec<Refund>, StoreError> {
    // Whoever was erased is written to no more.
    let select = "SELECT * FROM refunds WHERE state = 'done' AND told_at IS NULL
             AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = order_id AND erased_at IS NOT NULL)
         ORDER BY changed_at, id LIMIT ?1";
    many(tx, select, params![limit])
}

pub(in crate::store) fn told(tx: &Tx<'_>, refund: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE refunds SET told_at = ?2 WHERE id = ?1 AND told_at IS NULL", params![refund, now.0])?;
    Ok(())
}

pub(in crate::store) fn sums(tx: &Tx<'_>, attempt: &AttemptId) -> Result<RefundSums, StoreError> {
    let select = "SELECT (SELECT CAST(coalesce(sum(CASE kind WHEN 'refunded' THEN amount_minor WHEN 'refund_failed' THEN -amount_minor ELSE 0 END), 0)
                         AS BIGINT) FROM ledger WHERE attempt = ?1),
                CAST(coalesce(sum(amount_minor) FILTER (WHERE state = 'accepted'), 0) AS BIGINT),
                CAST(coalesce(sum(amount_minor) FILTER (WHERE state = 'pending' AND sent > 0), 0) AS BIGINT)
         FROM refunds WHERE attempt = ?1";
    let read =
        |row: &Row<'_>| Ok(RefundSums { in_ledger_minor: row.get(0)?, under_way_minor: row.get(1)?, sent_minor: row.get(2)? });
    tx.query_one(select, params![attempt.as_str()], read)
}

pub(in crate::store) fn awaits(tx: &Tx<'_>, attempt: &AttemptId) -> Result<bool, StoreError> {
    let select = "SELECT 1 FROM refunds WHERE attempt = ?1 AND state = 'pending' AND sent > 0";
    tx.exists(select, params![attempt.as_str()])
}

/// The operator's wish: what was promised to be taken is not taken any more, and is called off.
pub(in crate::store) fn ask_void(tx: &Tx<'_>, order: &OrderId, now: Timestamp) -> Result<(), StoreError> {
    lock(tx, Lock::Order(order.as_str()))?;
    let select = "SELECT attempts.id, attempts.checkout FROM attempts JOIN orders ON orders.id = order_id
         WHERE orders.id = ?1 AND paid_at IS NULL
             AND (orders.state = 'placed' AND attempts.state IN ('capturing', 'review')
                  OR orders.state = 'pending_payment' AND attempts.state = 'review')
         ORDER BY attempts.number DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, CheckoutId(row.get(1)?)));
    let (attempt, checkout) = tx.query_opt(select, params![order.as_str()], read)?.ok_or(Refusal::WrongState)?;
    tx.execute("UPDATE attempts SET void_asked_at = coalesce(void_asked_at, ?2) WHERE id = ?1", params![attempt, now.0])?;
    outbox::finish_subject(tx, OutboxKind::Capture, &attempt, now)?;
    outbox::promise(tx, OutboxKind::CancelPayment, &attempt, &checkout, "", now)
}

fn by_id(tx: &Tx<'_>, id: &str) -> Result<Option<Refund>, StoreError> {
    one(tx, "SELECT * FROM refunds WHERE id = ?1", params![id])
}

fn one(tx: &Tx<'_>, select: &'static str, values: &[Param<'_>]) -> Result<Option<Refund>, StoreError> {
    tx.query_opt(select, values, read)
}

pub(super) fn many(tx: &Tx<'_>, select: &'static str, values: &[Param<'_>]) -> Result<Vec<Refund>, StoreError> {
    tx.query(select, values, read)
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::from_code(code).ok_or_else(|| StoreError::Corrupt(format!("currency `{code}`")))
}

fn read(row: &Row<'_>) -> Result<Refund, StoreError> {
    let state: String = row.get("state")?;
    let instant = |column: &str| row.get(column).map(Timestamp);
    Ok(Refund {
        id: row.get("id")?,
        order: OrderId(row.get("order_id")?),
        attempt: AttemptId(row.get("attempt")?),
        amount: Money::new(row.get("amount_minor")?, currency(&row.get::<_, String>("currency")?)?),
        reason: row.get("reason")?,
        note: row.get("note")?,
        restocked: row.get("restocked")?,
        state: RefundState::from_name(&state).ok_or_else(|| StoreError::Corrupt(format!("refund state `{state}`")))?,
        key: row.get("key")?,
        body: row.get("body")?,
        sent: row.get("sent")?,
        first_sent_at: row.get::<_, Option<i64>>("first_sent_at")?.map(Timestamp),
        reference: row.get("reference")?,
        failure: row.get("failure")?,
        created_at: instant("created_at")?,
        changed_at: instant("changed_at")?,
        next_at: instant("next_at")?,
        fence: row.get("lease_fence")?,
    })
}
