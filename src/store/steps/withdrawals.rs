//! Withdrawals: rows of what customers declare.

use super::locks::{Lock, lock};
use super::{erasures, facts, letters};
use crate::commerce::ids::{OrderId, Timestamp};
use crate::commerce::withdrawal::{MAX_PER_ORDER, MAX_UNPROVEN, Proof, Withdrawal};
use crate::store::letters::LetterKind;
use crate::store::tx::{Row, Tx, params};
use crate::store::{Refusal, StoreError};

pub(in crate::store) fn keep(tx: &Tx<'_>, declared: &Withdrawal, proof: Proof) -> Result<Option<Withdrawal>, StoreError> {
    lock(tx, Lock::Order(declared.order.as_str()))?;
    if !tx.exists("SELECT 1 FROM orders WHERE id = ?1", params![declared.order.as_str()])? {
        return Err(Refusal::NotFound.into());
    }
    erasures::refuse_erased(tx, &declared.order)?;
    let known = of_order(tx, &declared.order)?;
    let content = |one: &Withdrawal| (one.lines.clone(), one.wanted.clone(), one.reason.clone());
    if let Some(same) = known.iter().find(|one| one.handled_at.is_none() && content(one) == content(declared)) {
        return Ok(Some(same.clone()));
    }
    // What strangers write keeps nobody who holds the link from withdrawing.
    let open = known.iter().filter(|one| one.handled_at.is_none()).count();
    if known.len() >= MAX_PER_ORDER || proof == Proof::Name && open >= MAX_UNPROVEN {
        return Ok(None);
    }
    let lines = serde_json::to_string(&declared.lines)?;
    tx.execute(
        "INSERT INTO withdrawals (id, order_id, lines, wanted, reason, is_late, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            declared.id,
            declared.order.as_str(),
            lines,
            declared.wanted,
            declared.reason,
            i64::from(declared.is_late),
            declared.created_at.0
        ],
    )?;
    facts::write_withdrawal(tx, declared, declared.created_at)?;
    letters::promise(tx, LetterKind::Withdrawal, &declared.id, &declared.order, declared.created_at)?;
    Ok(Some(declared.clone()))
}

pub(in crate::store) fn handle(tx: &Tx<'_>, id: &str, note: &str, now: Timestamp) -> Result<bool, StoreError> {
    let update = "UPDATE withdrawals SET handled_at = ?3, note = ?2 WHERE id = ?1 AND handled_at IS NULL";
    Ok(tx.execute(update, params![id, note, now.0])? > 0)
}

pub(in crate::store) fn of_order(tx: &Tx<'_>, order: &OrderId) -> Result<Vec<Withdrawal>, StoreError> {
    tx.query("SELECT * FROM withdrawals WHERE order_id = ?1 ORDER BY created_at, id", params![order.as_str()], read)
}

pub(in crate::store) fn by_id(tx: &Tx<'_>, id: &str) -> Result<Option<Withdrawal>, StoreError> {
    tx.query_opt("SELECT * FROM withdrawals WHERE id = ?1", params![id], read)
}

pub(in crate::store) fn open(tx: &Tx<'_>, limit: u32) -> Result<Vec<Withdrawal>, StoreError> {
    tx.query("SELECT * FROM withdrawals WHERE handled_at IS NULL ORDER BY created_at, id LIMIT ?1", params![limit], read)
}

fn read(row: &Row<'_>) -> Result<Withdrawal, StoreError> {
    Ok(Withdrawal {
        id: row.get("id")?,
        order: OrderId(row.get("order_id")?),
        lines: serde_json::from_str(&row.get::<_, String>("lines")?)?,
        wanted: row.get("wanted")?,
        reason: row.get("reason")?,
        is_late: row.get("is_late")?,
        created_at: Timestamp(row.get("created_at")?),
        handled_at: row.get::<_, Option<i64>>("handled_at")?.map(Timestamp),
        note: row.get("note")?,
    })
}
