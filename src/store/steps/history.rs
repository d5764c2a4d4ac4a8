//! History: rows of every table that an order has traces in, in the order they happened.

use super::{erasures, withdrawals};
use crate::commerce::ids::{OrderId, Timestamp};
use crate::commerce::money::{Currency, Money};
use crate::store::history::{AllStuck, Happened, Stuck};
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

const HISTORY: &str = "
    SELECT created_at AS at, 'order' AS what, 'written before its payment' AS detail FROM orders WHERE id = ?1
    UNION ALL SELECT placed_at, 'order', 'placed as ' || coalesce(number, former_number) FROM orders WHERE id = ?1 AND placed_at IS NOT NULL
    UNION ALL SELECT paid_at, 'order', 'paid' FROM orders WHERE id = ?1 AND paid_at IS NOT NULL
    UNION ALL SELECT erased_at, 'order', 'whoever bought was erased' FROM orders WHERE id = ?1 AND erased_at IS NOT NULL
    UNION ALL SELECT created_at, 'payment ' || number, 'begun at ' || gateway || ' over ⟨' || amount_minor || ' ' || currency
            || '⟩, key ' || key FROM attempts WHERE order_id = ?1
    UNION ALL SELECT cancel_sent_at, 'payment ' || number, 'calling off was sent' FROM attempts
        WHERE order_id = ?1 AND cancel_sent_at IS NOT NULL
    UNION ALL SELECT void_asked_at, 'payment ' || number, 'the house wants it let go' FROM attempts
        WHERE order_id = ?1 AND void_asked_at IS NOT NULL
    UNION ALL SELECT changed_at, 'payment ' || number, state || coalesce(', ' || reference, '') || coalesce(', ' || card, '')
            || coalesce(', ' || reason, '') FROM attempts WHERE order_id = ?1
    UNION ALL SELECT ledger.at, 'ledger', kind || ' ⟨' || ledger.amount_minor || ' ' || ledger.currency
            || '⟩' || coalesce(', refund ' || refund, '')
        FROM ledger JOIN attempts ON attempts.id = attempt WHERE order_id = ?1
    UNION ALL SELECT created_at, 'refund', id || ' asked for, ⟨' || amount_minor || ' ' || currency
            || '⟩' || CASE restocked WHEN 1 THEN ', units put back' ELSE '' END || CASE reason WHEN '' THEN '' ELSE ', ' || reason END || CASE note WHEN '' THEN '' ELSE ', ' || note END
        FROM refunds WHERE order_id = ?1
    UNION ALL SELECT changed_at, 'refund', id || ' ' || state || ', sent ' || sent || ' times' || coalesce(', ' || reference, '')
            || coalesce(', ' || failure, '') FROM refunds WHERE order_id = ?1
    UNION ALL SELECT made_at, 'dispute', disputes.reference || ' begun over ⟨' || disputes.amount_minor || ' ' || disputes.currency || '⟩, '
            || disputes.reason FROM disputes JOIN attempts ON attempts.id = attempt WHERE order_id = ?1
    UNION ALL SELECT disputes.changed_at, 'dispute', disputes.reference || ' ' || disputes.state
        FROM disputes JOIN attempts ON attempts.id = attempt WHERE order_id = ?1
    UNION ALL SELECT created_at, 'sent', fulfillments.id || ', ' || (SELECT sum(quantity) FROM fulfillment_units WHERE fulfillment = fulfillments.id)
            || ' unit(s)' || CASE carrier WHEN '' THEN '' ELSE ', ' || carrier END || CASE tracking WHEN '' THEN '' ELSE ', ' || tracking END
        FROM fulfillments WHERE order_id = ?1
    UNION ALL SELECT undone_at, 'sent', id || ' was taken back' FROM fulfillments WHERE order_id = ?1 AND undone_at IS NOT NULL
    UNION ALL SELECT coalesce(done_at, next_at), 'mail', kind || ' ' || subject
            || CASE WHEN done_at IS NULL THEN ' waits, tried ' || tries || ' times' ELSE '' END || coalesce(', ' || last_error, '')
        FROM letters WHERE order_id = ?1
    UNION ALL SELECT created_at, 'withdrawal', id || CASE is_late WHEN 1 THEN ', late' ELSE '' END || CASE reason WHEN '' THEN '' ELSE ', ' || reason END
        FROM withdrawals WHERE order_id = ?1
    UNION ALL SELECT handled_at, 'resolved', 'withdrawal ' || id || ', ' || coalesce(note, '') FROM withdrawals WHERE order_id = ?1 AND handled_at IS NOT NULL
    UNION ALL SELECT told_at, 'mail', 'refund ' || id FROM refunds WHERE order_id = ?1 AND told_at IS NOT NULL AND key IS NOT NULL
    UNION ALL SELECT coalesce(done_at, next_at), CASE WHEN kind IN ('confirmation', 'alarm') THEN 'mail' ELSE 'work' END, kind
            || CASE WHEN done_at IS NULL THEN ' waits, tried ' || tries || ' times' ELSE ' done' END || coalesce(', ' || last_error, '') || CASE detail WHEN '' THEN '' ELSE ', ' || detail END
        FROM outbox WHERE subject = ?1 OR subject IN (SELECT id FROM attempts WHERE order_id = ?1)
            OR subject IN (SELECT 'refund-' || id FROM refunds WHERE order_id = ?1)
    UNION ALL SELECT coalesce(outbox.done_at, outbox.next_at), 'mail', 'alarm' || CASE WHEN outbox.done_at IS NULL THEN ' waits' ELSE ' done' END || ', ' || detail
        FROM attempts JOIN outbox ON outbox.kind = 'alarm' AND outbox.subject > attempts.id || '.' AND outbox.subject < attempts.id || '/'
        WHERE order_id = ?1
    UNION ALL SELECT received_at, 'event', inbox.kind || ' ' || event || ', ' || coalesce(result, 'waits') || coalesce(', ' || last_error, '')
        FROM attempts JOIN inbox ON inbox.checkout = attempts.checkout AND inbox.attempt = attempts.number WHERE order_id = ?1
    UNION ALL SELECT received_at, 'event', inbox.kind || ' ' || event || ', ' || coalesce(result, 'waits') || coalesce(', ' || last_error, '')
        FROM attempts JOIN inbox ON inbox.reference = attempts.reference AND inbox.checkout IS NULL WHERE order_id = ?1
    UNION ALL SELECT at, 'fact', kind || ', told to ' || (SELECT count(*) FROM deliveries JOIN subscribers ON name = subscriber
            WHERE fact = facts.id AND sequence < next_sequence) || ' system(s)' FROM facts WHERE order_id = ?1
    UNION ALL SELECT resolutions.at, 'resolved', resolutions.note FROM resolutions
        WHERE subject IN (SELECT id FROM attempts WHERE order_id = ?1) OR subject IN (SELECT id FROM refunds WHERE order_id = ?1)
    UNION ALL SELECT at, 'note', operator || ' wrote ' || text FROM order_notes WHERE order_id = ?1
    ORDER BY at";

pub(in crate::store) fn of(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Happened>, StoreError> {
    let select = HISTORY;
    let read = |row: &Row<'_>| Ok(Happened { at: Timestamp(row.get(0)?), what: row.get(1)?, detail: with_amounts(row.get(2)?) });
    tx.query(select, params![order.as_str()], read)
}

/// Spells `⟨2480 EUR⟩`, which is in minor units, as people do.
fn with_amounts(detail: String) -> String {
    let spelled = || {
        let (before, rest) = detail.split_once('⟨')?;
        let (amount, after) = rest.split_once('⟩')?;
        let (minor, code) = amount.split_once(' ')?;
        Some(format!("{before}{}{after}", Money::new(minor.parse().ok()?, Currency::from_code(code)?)))
    };
    spelled().unwrap_or(detail)
}

/// Spells `@1798761600`, which is in seconds since 1970, as people do.
fn with_instants(detail: String) -> String {
    let spelled = || {
        let (before, seconds) = detail.rsplit_once('@')?;
        Some(format!("{before}{}", jiff::Timestamp::from_second(seconds.parse().ok()?).ok()?))
    };
    spelled().unwrap_or(detail)
}

/// What waits for a person: kind, name, order, since when, why. What is said twice of a state is by what the index of open payments is used.
macro_rules! for_a_person {
    () => {
        "
    SELECT 'payment' AS kind, attempts.id AS subject, coalesce(orders.number, orders.id) AS about, changed_at AS since,
           coalesce(reason, '') AS why
        FROM attempts JOIN orders ON orders.id = order_id
        WHERE attempts.state = 'review' AND attempts.state <> 'paid' AND attempts.state <> 'declined' AND attempts.state <> 'canceled'
    UNION ALL SELECT 'orphan', reference, NULL, changed_at, reason FROM orphans WHERE state = 'review'
    UNION ALL SELECT 'difference', attempts.id, coalesce(orders.number, orders.id), found_at, detail
        FROM differences JOIN attempts ON attempts.id = attempt JOIN orders ON orders.id = order_id
    UNION ALL SELECT 'refund', refunds.id, coalesce(orders.number, orders.id), changed_at, coalesce(failure, '')
        FROM refunds JOIN orders ON orders.id = order_id WHERE refunds.state IN ('failed', 'review')"
    };
}

/// All that is stuck since before `?1`.
macro_rules! stuck {
    ($select:literal, $which:literal) => {
        concat!(
            $select,
            " FROM (SELECT * FROM (",
            for_a_person!(),
            ") AS waits WHERE NOT EXISTS
                 (SELECT 1 FROM resolutions WHERE resolutions.kind = waits.kind AND resolutions.subject = waits.subject AND at >= since)
             UNION ALL SELECT 'withdrawal', withdrawals.id, coalesce(orders.number, orders.id), withdrawals.created_at, reason
                 FROM withdrawals JOIN orders ON orders.id = order_id WHERE handled_at IS NULL
             UNION ALL SELECT 'unanswered', attempts.id, coalesce(orders.number, orders.id), changed_at, attempts.state
                 FROM attempts JOIN orders ON orders.id = order_id
                 WHERE attempts.state IN ('intent_pending', 'authorized', 'capturing') AND changed_at <= ?1
                     AND attempts.state <> 'paid' AND attempts.state <> 'declined' AND attempts.state <> 'canceled'
             UNION ALL SELECT 'unanswered', refunds.id, coalesce(orders.number, orders.id), changed_at, coalesce(failure, refunds.state)
                 FROM refunds JOIN orders ON orders.id = order_id WHERE refunds.state = 'pending' AND changed_at <= ?1
             UNION ALL SELECT 'orphan', reference, NULL, found_at, reason FROM orphans WHERE state IN ('found', 'returning') AND found_at <= ?1
             UNION ALL SELECT 'dispute', disputes.reference, coalesce(orders.number, orders.id), made_at,
                    'over ⟨' || disputes.amount_minor || ' ' || disputes.currency || '⟩, ' || disputes.reason
                    || coalesce(', to be answered by @' || respond_by, '')
                 FROM disputes JOIN attempts ON attempts.id = attempt JOIN orders ON orders.id = order_id
                 WHERE disputes.state = 'needs_response'
             UNION ALL SELECT 'work', kind || ' ' || subject, NULL, created_at, 'tried ' || tries || ' times: ' || coalesce(last_error, '')
                 FROM outbox WHERE done_at IS NULL AND created_at <= ?1 AND tries > 0
             UNION ALL SELECT 'work', 'letter ' || kind || ' ' || subject, coalesce(orders.number, orders.id), letters.created_at,
                    'tried ' || tries || ' times: ' || coalesce(last_error, '')
                 FROM letters JOIN orders ON orders.id = order_id WHERE done_at IS NULL AND letters.created_at <= ?1 AND tries > 0) AS stuck ",
            $which
        )
    };
}

pub(in crate::store) fn stuck(tx: &Tx<'_>, late_since: Timestamp, limit: u32) -> Result<AllStuck, StoreError> {
    let select = stuck!("SELECT kind, subject, about, since, why", "ORDER BY since, kind, subject LIMIT ?2");
    let rows = tx.query(select, params![late_since.0, limit], read_stuck)?;
    let count = match rows.len() < limit as usize {
        true => rows.len() as u64,
        false => {
            let count = tx.query_one(stuck!("SELECT count(*)", ""), params![late_since.0], |row| row.get::<_, i64>(0))?;
            count.unsigned_abs()
        }
    };
    Ok(AllStuck { rows, count })
}

pub(in crate::store) fn stuck_of(tx: &Tx<'_>, order: &str, late_since: Timestamp) -> Result<Vec<Stuck>, StoreError> {
    let select = stuck!("SELECT kind, subject, about, since, why", "WHERE about = ?2 ORDER BY since, kind, subject");
    tx.query(select, params![late_since.0, order], read_stuck)
}

fn read_stuck(row: &Row<'_>) -> Result<Stuck, StoreError> {
    Ok(Stuck {
        kind: row.get(0)?,
        subject: row.get(1)?,
        order: row.get(2)?,
        since: Timestamp(row.get(3)?),
        reason: with_instants(with_amounts(row.get(4)?)),
    })
}

/// The order of a payment, a refund or a withdrawal.
pub(super) fn order_of(tx: &Tx<'_>, subject: &str) -> Result<Option<OrderId>, StoreError> {
    let select = "SELECT order_id FROM attempts WHERE id = ?1 UNION ALL SELECT order_id FROM refunds WHERE id = ?1
         UNION ALL SELECT order_id FROM withdrawals WHERE id = ?1";
    tx.query_opt(select, params![subject], |row| Ok(OrderId(row.get(0)?)))
}

pub(in crate::store) fn resolve(tx: &Tx<'_>, subject: &str, note: &str, now: Timestamp) -> Result<(), StoreError> {
    if withdrawals::handle(tx, subject, note, now)? {
        return Ok(());
    }
    let insert = concat!(
        "INSERT INTO resolutions (kind, subject, note, at) SELECT kind, subject, ?2, ?3 FROM (",
        for_a_person!(),
        ") AS waits WHERE subject = ?1
         ON CONFLICT (kind, subject) DO UPDATE SET note = ?2, at = ?3"
    );
    match tx.execute(insert, params![subject, note, now.0])? {
        0 => Err(Refusal::NotFound.into()),
        _ => Ok(()),
    }
}

pub(in crate::store) fn confirm_again(tx: &Tx<'_>, order: &OrderId, now: Timestamp) -> Result<(), StoreError> {
    erasures::refuse_erased(tx, order)?;
    let update = "UPDATE outbox SET done_at = NULL, next_at = ?2, tries = 0, claimed_until = 0, last_error = NULL
         WHERE kind = 'confirmation' AND subject = ?1";
    match tx.execute(update, params![order.as_str(), now.0])? {
        0 => Err(Refusal::WrongState.into()),
        _ => Ok(()),
    }
}
