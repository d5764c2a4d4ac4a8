//! Ledger: what the sandbox remembers, on disk before it answers.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::super::{CreatePayment, Listed, Page as ListPage, RefundWish, RemotePayment, RemoteState};
use super::cards::{Card, Verdict};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money};
use crate::commerce::refund::{RefundReport, RefundStanding};

/// One open connection; callers take turns.
#[derive(Debug)]
pub(super) struct Ledger {
    connection: Connection,
}

/// An answer, or the reason of a definitive no.
type Ruling = Result<RemotePayment, String>;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS payments (
        id INTEGER PRIMARY KEY,
        reference TEXT NOT NULL UNIQUE,
        amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
        currency TEXT NOT NULL,
        state TEXT NOT NULL,
        refunded_minor INTEGER NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
        return_url TEXT NOT NULL,
        description TEXT NOT NULL,
        metadata TEXT NOT NULL,
        decline_code TEXT,
        card TEXT,
        second_step TEXT,
        made_at INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE IF NOT EXISTS calls (
        key TEXT PRIMARY KEY,
        operation TEXT NOT NULL,
        body BLOB NOT NULL,
        reference TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS refunds (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        reference TEXT NOT NULL,
        amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
        currency TEXT NOT NULL,
        made_at INTEGER NOT NULL
    ) STRICT;";

/// Payments of one page of the list.
const PAGE: u32 = 50;

const COLUMNS: &str = "reference, amount_minor, currency, state, refunded_minor, metadata, decline_code, card";

/// What a paying page needs to know.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) payment: RemotePayment,
    pub(super) return_url: String,
    pub(super) description: String,
    /// The code that follows a passed second step; `Some("")` approves. `None`: no second step is open.
    pub(super) second_step: Option<String>,
}

impl Ledger {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        // A ledger of an earlier version did not know when its payments were opened.
        if connection.prepare("SELECT made_at FROM payments").is_err() {
            connection.execute("ALTER TABLE payments ADD COLUMN made_at INTEGER NOT NULL DEFAULT 0", [])?;
        }
        Ok(Self { connection })
    }

    pub(super) fn create(&mut self, key: &str, body: &[u8], now: Timestamp) -> rusqlite::Result<Ruling> {
        self.once(key, "create", body, |transaction| {
            let Ok(wish) = serde_json::from_slice::<CreatePayment>(body) else {
                return Ok(Err("the request is not a payment".to_owned()));
            };
            if wish.amount.minor <= 0 {
                return Ok(Err("the amount is too small to be paid".to_owned()));
            }
            let newest = "SELECT coalesce(max(id), 0) FROM payments";
            let count: i64 = transaction.prepare_cached(newest)?.query_row([], |row| row.get(0))?;
            let mut random = [0; 8];
            getrandom::fill(&mut random).expect("the system gives random bytes");
            let reference = format!("sb_{:06}{:016x}", count + 1, u64::from_be_bytes(random));
            let metadata = serde_json::to_string(&wish.metadata).expect("strings always serialise");
            let sql =
                "INSERT INTO payments (reference, amount_minor, currency, state, return_url, description, metadata, made_at)
                       VALUES (?1, ?2, ?3, 'open', ?4, ?5, ?6, ?7)";
            transaction.prepare_cached(sql)?.execute(params![
                reference,
                wish.amount.minor,
                wish.amount.currency.code(),
                wish.return_url,
                wish.description,
                metadata,
                now.0
            ])?;
            Ok(Ok(reference))
        })
    }

    pub(super) fn fetch(&mut self, reference: &str) -> rusqlite::Result<Ruling> {
        Ok(payment(&self.connection, reference)?.ok_or_else(|| "there is no such payment".to_owned()))
    }

    pub(super) fn lookup(&mut self, key: &str) -> rusqlite::Result<Option<RemotePayment>> {
        let sql = "SELECT reference FROM calls WHERE key = ?1 AND operation = 'create'";
        let reference: Option<String> = self.connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
        reference.map_or(Ok(None), |reference| payment(&self.connection, &reference))
    }

    pub(super) fn capture(&mut self, key: &str, reference: &str) -> rusqlite::Result<Ruling> {
        self.change(key, "capture", reference, "captured", &["authorized", "captured"])
    }

    pub(super) fn cancel(&mut self, key: &str, reference: &str) -> rusqlite::Result<Ruling> {
        self.change(key, "cancel", reference, "canceled", &["open", "authorized", "declined", "canceled"])
    }

    pub(super) fn refund(&mut self, key: &str, wish: &RefundWish, now: Timestamp) -> rusqlite::Result<Ruling> {
        let RefundWish { reference, amount } = wish;
        let body = format!("{reference} {amount}");
        self.once(key, "refund", body.as_bytes(), |transaction| {
            let sql = "UPDATE payments SET refunded_minor = refunded_minor + ?2
                       WHERE reference = ?1 AND state = 'captured' AND currency = ?3 AND ?2 > 0
                         AND refunded_minor + ?2 <= amount_minor";
            let code = amount.currency.code();
            if transaction.prepare_cached(sql)?.execute(params![reference, amount.minor, code])? == 0 {
                return Ok(Err("this cannot be refunded".to_owned()));
            }
            let sql = "INSERT INTO refunds (key, reference, amount_minor, currency, made_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            transaction.prepare_cached(sql)?.execute(params![key, reference, amount.minor, code, now.0])?;
            Ok(Ok(reference.to_owned()))
        })
    }

    /// Refunds of a payment, in order.
    pub(super) fn refunds(&mut self, reference: &str) -> rusqlite::Result<Vec<RefundReport>> {
        let sql = "SELECT id, key, amount_minor, currency, made_at FROM refunds WHERE reference = ?1 ORDER BY id";
        let mut select = self.connection.prepare(sql)?;
        let read = |row: &Row<'_>| {
            Ok(RefundReport {
                reference: format!("sbr_{:06}", row.get::<_, i64>(0)?),
                key: Some(row.get(1)?),
                amount: Money::new(row.get(2)?, currency(&row.get::<_, String>(3)?)),
                standing: RefundStanding::Done,
                failure: None,
                made_at: Timestamp(row.get(4)?),
            })
        };
        select.query_map([reference], read)?.collect()
    }

    /// A page of those opened since, the newest first; the one after it begins below the last of it.
    pub(super) fn list(&mut self, since: Timestamp, after: Option<&str>) -> rusqlite::Result<ListPage<Listed>> {
        let mut select = self.connection.prepare(&format!(
            "SELECT {COLUMNS}, made_at FROM payments
             WHERE made_at >= ?1 AND (?2 IS NULL OR id < (SELECT id FROM payments WHERE reference = ?2)) ORDER BY id DESC LIMIT ?3"
        ))?;
        let read = |row: &Row<'_>| Ok(Listed { payment: read_payment(row)?, made_at: Timestamp(row.get("made_at")?) });
        let listed: Vec<Listed> = select.query_map(params![since.0, after, PAGE], read)?.collect::<Result<_, _>>()?;
        let next = listed.last().filter(|_| listed.len() == PAGE as usize).map(|last| last.payment.reference.clone());
        Ok((listed, next))
    }

    pub(super) fn all(&mut self) -> rusqlite::Result<Vec<RemotePayment>> {
        let mut statement = self.connection.prepare(&format!("SELECT {COLUMNS} FROM payments ORDER BY id"))?;
        statement.query_map([], read_payment)?.collect()
    }

    pub(super) fn page(&mut self, reference: &str) -> rusqlite::Result<Option<Page>> {
        let Some(payment) = payment(&self.connection, reference)? else { return Ok(None) };
        let sql = "SELECT return_url, description, second_step FROM payments WHERE reference = ?1";
        let page = self.connection.prepare_cached(sql)?.query_row([reference], |row| {
            Ok(Page { payment, return_url: row.get(0)?, description: row.get(1)?, second_step: row.get(2)? })
        })?;
        Ok(Some(page))
    }

    /// The shopper gave a card: an open payment becomes authorized, declined, or waits for the second step. Else nothing happens.
    pub(super) fn present(&mut self, reference: &str, card: &Card) -> rusqlite::Result<()> {
        let (state, code, step) = match card.verdict {
            Verdict::Approved => ("authorized", None, None),
            Verdict::Declined(code) => ("declined", Some(code), None),
            Verdict::SecondStep(then) => ("open", None, Some(then)),
        };
        let sql = "UPDATE payments SET state = ?2, decline_code = ?3, second_step = ?4, card = ?5
                   WHERE reference = ?1 AND state = 'open'";
        self.connection.prepare_cached(sql)?.execute(params![reference, state, code, step, card.label])?;
        failpoint!("K12");
        Ok(())
    }

    /// The shopper passed or refused the second step.
    pub(super) fn finish_second_step(&mut self, reference: &str, passed: bool) -> rusqlite::Result<()> {
        let sql = "UPDATE payments SET
                     state = CASE WHEN ?2 AND second_step = '' THEN 'authorized' ELSE 'declined' END,
                     decline_code = CASE WHEN NOT ?2 THEN 'authentication_failed' WHEN second_step = '' THEN NULL ELSE second_step END,
                     second_step = NULL
                   WHERE reference = ?1 AND state = 'open' AND second_step IS NOT NULL";
        self.connection.prepare_cached(sql)?.execute(params![reference, passed])?;
        Ok(())
    }

    /// The shopper went back without paying: the payment is over, so that it can never be paid behind our back.
    pub(super) fn leave(&mut self, reference: &str) -> rusqlite::Result<()> {
        let sql = "UPDATE payments SET state = 'canceled', second_step = NULL WHERE reference = ?1 AND state = 'open'";
        self.connection.prepare_cached(sql)?.execute([reference])?;
        Ok(())
    }

    fn change(&mut self, key: &str, operation: &str, reference: &str, to: &str, from: &[&str]) -> rusqlite::Result<Ruling> {
        self.once(key, operation, reference.as_bytes(), |transaction| {
            let sql = "SELECT state FROM payments WHERE reference = ?1";
            let state: Option<String> = transaction.prepare_cached(sql)?.query_row([reference], |row| row.get(0)).optional()?;
            match state {
                None => Ok(Err("there is no such payment".to_owned())),
                Some(state) if !from.contains(&state.as_str()) => Ok(Err(format!("the payment is {state}"))),
                Some(_) => {
                    let sql = "UPDATE payments SET state = ?2, second_step = NULL WHERE reference = ?1";
                    transaction.prepare_cached(sql)?.execute(params![reference, to])?;
                    Ok(Ok(reference.to_owned()))
                }
            }
        })
    }

    // A key that was seen answers from the ledger; a new one does the work and is written down in the same transaction. Rejections
    // leave no trace: the state that caused them may change, and sending the same call again is harmless.
    fn once(
        &mut self,
        key: &str,
        operation: &str,
        body: &[u8],
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<Result<String, String>>,
    ) -> rusqlite::Result<Ruling> {
        failpoint!("K8", operation == "create");
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let sql = "SELECT operation = ?2 AND body = ?3, reference FROM calls WHERE key = ?1";
        let seen: Option<(bool, String)> = transaction
            .prepare_cached(sql)?
            .query_row(params![key, operation, body], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let reference = match seen {
            Some((true, reference)) => reference,
            Some((false, _)) => return Ok(Err("this key was used with another request".to_owned())),
            None => match work(&transaction)? {
                Err(reason) => return Ok(Err(reason)),
                Ok(reference) => {
                    let sql = "INSERT INTO calls (key, operation, body, reference) VALUES (?1, ?2, ?3, ?4)";
                    transaction.prepare_cached(sql)?.execute(params![key, operation, body, reference])?;
                    reference
                }
            },
        };
        let payment = payment(&transaction, &reference)?;
        transaction.commit()?;
        failpoint!("K9", operation == "create");
        failpoint!("K20", operation == "capture");
        failpoint!("K28", operation == "cancel");
        failpoint!("K31", operation == "refund");
        Ok(payment.ok_or_else(|| "there is no such payment".to_owned()))
    }
}

fn payment(connection: &Connection, reference: &str) -> rusqlite::Result<Option<RemotePayment>> {
    let sql = format!("SELECT {COLUMNS} FROM payments WHERE reference = ?1");
    connection.prepare_cached(&sql)?.query_row([reference], read_payment).optional()
}

fn currency(code: &str) -> Currency {
    Currency::from_code(code).expect("the ledger only holds currencies it was given as such")
}

fn read_payment(row: &Row<'_>) -> rusqlite::Result<RemotePayment> {
    let currency: String = row.get(2)?;
    let currency = self::currency(&currency);
    let state = match row.get::<_, String>(3)?.as_str() {
        "declined" => RemoteState::Declined,
        "authorized" => RemoteState::Authorized,
        "captured" => RemoteState::Captured,
        "canceled" => RemoteState::Canceled,
        _ => RemoteState::Open,
    };
    Ok(RemotePayment {
        reference: row.get(0)?,
        state,
        amount: Money::new(row.get(1)?, currency),
        refunded_minor: row.get(4)?,
        live: false,
        metadata: serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default(),
        redirect_url: None,
        decline_code: row.get(6)?,
        card: row.get(7)?,
    })
}
