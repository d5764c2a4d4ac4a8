//! Search: by what an order is found, written afterwards, and pages of orders.
//!
//! Owns    the terms of an order (its e-mail address, the words of its name, its SKUs) and where a page's candidates come from.
//! Always  candidates come from an index in the order of the list, the newest first; each is held against what is wanted until the page
//!         is full, or SCAN_MAX of them were (WORDS_SCAN_MAX for several words). What is not written down yet is not found by its terms, and is in every list.

use std::collections::BTreeSet;

use super::orders;
use crate::commerce::ids::{OrderId, Timestamp};
use crate::commerce::money::Money;
use crate::commerce::order::{Order, OrderState};
use crate::store::StoreError;
use crate::store::desk::{Listed, OrdersPage, Paid, SCAN_MAX, Wanted};
use crate::store::tx::{Param, Row, Tx, params};

/// Candidates that are read first: a page is full after them where most fit. Where few do, as many again and more are read at once, since each
/// read of a term's beginning sorts all that have it.
const CHUNK: usize = 400;
/// How many times more each read is than the one before.
const GROWTH: usize = 4;
/// Orders that are looked at for one page where each has to be read whole for the other words that are looked for.
const WORDS_SCAN_MAX: usize = 2_000;
/// Words of a name that are written down.
const WORDS_MAX: usize = 8;
/// Bytes of a term: longer than any that people type.
const TERM_BYTES: usize = 254;

/// By what an order is found.
fn terms(order: &Order) -> BTreeSet<String> {
    let quote = &order.quote;
    let mut terms: BTreeSet<String> = words(&quote.address.name).take(WORDS_MAX).map(|word| format!("name:{word}")).collect();
    terms.insert(format!("mail:{}", quote.contact.email.to_lowercase()));
    // Of whoever was erased there is none.
    terms.remove("mail:");
    terms.extend(quote.priced.lines.iter().map(|line| format!("sku:{}", line.sku.as_str().to_lowercase())));
    terms.retain(|term| term.len() <= TERM_BYTES);
    terms
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// What comes after all that begins so.
pub(super) fn end_of(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

pub(in crate::store) fn index(tx: &Tx<'_>, limit: u32) -> Result<usize, StoreError> {
    // Each edge takes what no other has.
    let select = tx.in_words(
        "SELECT id FROM orders WHERE is_searchable = 0 ORDER BY created_at DESC, id DESC LIMIT ?1",
        "SELECT id FROM orders WHERE is_searchable = 0 ORDER BY created_at DESC, id DESC LIMIT ?1 FOR UPDATE SKIP LOCKED",
    );
    let ids = tx.query(select, params![limit], |row| row.get::<_, String>(0))?;
    let insert = "INSERT INTO order_terms (term, created_at, order_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    for id in &ids {
        let Some(order) = orders::by_id(tx, id)? else { continue };
        for term in terms(&order) {
            tx.execute(insert, params![term, order.created_at.0, id])?;
        }
        tx.execute("UPDATE orders SET is_searchable = 1 WHERE id = ?1", params![id])?;
    }
    Ok(ids.len())
}

/// Takes the terms of an order away; it is written down anew by those that it then has.
pub(super) fn forget(tx: &Tx<'_>, order: &Order) -> Result<(), StoreError> {
    let delete = "DELETE FROM order_terms WHERE term = ?1 AND created_at = ?2 AND order_id = ?3";
    for term in terms(order) {
        tx.execute(delete, params![term, order.created_at.0, order.id.as_str()])?;
    }
    tx.execute("UPDATE orders SET is_searchable = 0 WHERE id = ?1", params![order.id.as_str()])?;
    Ok(())
}

/// Where candidates come from.
enum Source {
    /// All orders.
    All,
    /// Few among the many.
    Pending,
    Canceled,
    Unpaid,
    Refunded,
    /// Those with a term.
    Term(String),
    /// Those with a term that begins so.
    Prefix(String),
    /// This one.
    One(OrderId),
    /// None.
    Nothing,
}

/// What was asked for, as it is looked for.
struct Search {
    source: Source,
    /// What more than the source has to fit.
    words: Vec<String>,
    found_by: Option<&'static str>,
}

fn understood(tx: &Tx<'_>, wanted: &Wanted) -> Result<Search, StoreError> {
    let Some(text) = wanted.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
        let source = match (wanted.state, wanted.paid) {
            (_, Some(Paid::Unpaid)) => Source::Unpaid,
            (_, Some(Paid::Refunded)) => Source::Refunded,
            (Some(OrderState::PendingPayment), _) => Source::Pending,
            (Some(OrderState::Canceled), _) => Source::Canceled,
            _ => Source::All,
        };
        return Ok(Search { source, words: Vec::new(), found_by: None });
    };
    let of = |source, found_by| Ok(Search { source, words: Vec::new(), found_by: Some(found_by) });
    for number in [text, &text.to_uppercase()] {
        if let Some(order) = orders::by_number(tx, number)? {
            return of(Source::One(order.id), "number");
        }
    }
    if let Some(order) = orders::by_id(tx, text)? {
        return of(Source::One(order.id), "id");
    }
    for gateway in &wanted.gateways {
        let select = "SELECT order_id FROM attempts WHERE gateway = ?1 AND reference = ?2";
        if let Some(order) = tx.query_opt(select, params![gateway, text], |row| row.get(0))? {
            return of(Source::One(OrderId(order)), "payment");
        }
    }
    let folded = text.to_lowercase();
    let sku = format!("sku:{folded}");
    if tx.exists("SELECT 1 FROM order_terms WHERE term = ?1 LIMIT 1", params![sku])? {
        return of(Source::Term(sku), "SKU");
    }
    if folded.contains('@') {
        return of(Source::Prefix(format!("mail:{folded}")), "e-mail");
    }
    let mut words: Vec<String> = words(&folded).collect();
    // The longest is the rarest, as a rule; the others are held against what it finds.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let source = match words.first() {
        Some(word) => Source::Prefix(format!("name:{word}")),
        None => Source::Nothing,
    };
    Ok(Search { source, words: words.split_off(words.len().min(1)), found_by: Some("name") })
}

/// An order that may be wanted.
struct Candidate {
    id: OrderId,
    created_at: Timestamp,
    state: String,
    is_paid: bool,
    market: String,
    refunded_minor: i64,
}

/// A statement that reads candidates from a source, after `?1` and `?2`, not before `?3`, at most `?4`.
macro_rules! candidates {
    ($from:literal, $at:literal, $id:literal, $where:literal) => {
        concat!(
            "SELECT o.id, o.created_at, o.state, o.paid_at IS NOT NULL, c.market,
                 (SELECT CAST(coalesce(sum(amount_minor), 0) AS BIGINT) FROM refunds
                  WHERE refunds.order_id = o.id AND refunds.state IN ('pending', 'accepted', 'done'))
             FROM ",
            $from,
            " JOIN checkouts AS c ON c.id = o.checkout WHERE ",
            $where,
            "(",
            $at,
            ", ",
            $id,
            ") < (?1, ?2) AND ",
            $at,
            " >= ?3 ORDER BY ",
            $at,
            " DESC, ",
            $id,
            " DESC LIMIT ?4"
        )
    };
}

impl Source {
    fn statement(&self) -> &'static str {
        // `+` keeps SQLite from walking through all orders by their age for the few that another index names.
        match self {
            Self::Nothing => "",
            Self::All => candidates!("orders AS o", "o.created_at", "o.id", ""),
            Self::Pending => candidates!("orders AS o", "+o.created_at", "o.id", "o.state = 'pending_payment' AND "),
            Self::Canceled => candidates!("orders AS o", "o.created_at", "o.id", "o.state = 'canceled' AND "),
            Self::Unpaid => {
                candidates!("orders AS o", "o.created_at", "o.id", "o.state = 'placed' AND o.paid_at IS NULL AND ")
            }
            Self::Refunded => candidates!(
                "orders AS o",
                "+o.created_at",
                "o.id",
                "o.id IN (SELECT order_id FROM refunds WHERE refunds.state IN ('pending', 'accepted', 'done')) AND "
            ),
            Self::One(_) => candidates!("orders AS o", "+o.created_at", "o.id", "o.id = ?5 AND "),
            Self::Term(_) => {
                candidates!(
                    "order_terms AS t JOIN orders AS o ON o.id = t.order_id",
                    "t.created_at",
                    "t.order_id",
                    "t.term = ?5 AND "
                )
            }
            // An order may have two terms that begin so.
            Self::Prefix(_) => candidates!(
                "(SELECT DISTINCT created_at, order_id FROM order_terms WHERE term >= ?5 AND term < ?6
                     AND (created_at, order_id) < (?1, ?2) AND created_at >= ?3 ORDER BY created_at DESC, order_id DESC LIMIT ?4) AS t
                 JOIN orders AS o ON o.id = t.order_id",
                "t.created_at",
                "t.order_id",
                ""
            ),
        }
    }

    fn read(&self, tx: &Tx<'_>, after: &(i64, String), since: i64, limit: i64) -> Result<Vec<Candidate>, StoreError> {
        if matches!(self, Self::Nothing) {
            return Ok(Vec::new());
        }
        let end;
        let (at, id) = after;
        let shared = params![*at, id, since, limit];
        let mut values: Vec<Param<'_>> = shared.to_vec();
        match self {
            Self::One(order) => values.push(Param::Text(Some(order.as_str()))),
            Self::Term(term) => values.push(Param::Text(Some(term))),
            Self::Prefix(prefix) => {
                end = end_of(prefix);
                values.extend([Param::Text(Some(prefix)), Param::Text(Some(&end))]);
            }
            _ => {}
        }
        tx.query(self.statement(), &values, |row: &Row<'_>| {
            Ok(Candidate {
                id: OrderId(row.get(0)?),
                created_at: Timestamp(row.get(1)?),
                state: row.get(2)?,
                is_paid: row.get(3)?,
                market: row.get(4)?,
                refunded_minor: row.get(5)?,
            })
        })
    }
}

pub(in crate::store) fn page(tx: &Tx<'_>, wanted: &Wanted) -> Result<OrdersPage, StoreError> {
    let search = understood(tx, wanted)?;
    let since = wanted.since.map_or(i64::MIN, |at| at.0);
    let until = (wanted.until.map_or(i64::MAX, |at| at.0), String::new());
    // Ids are not empty: at the very instant of `until` there is none before it.
    let mut place = wanted.after.as_ref().map_or(until.clone(), |(at, id)| (at.0, id.0.clone())).min(until);
    let mut page = OrdersPage { found_by: search.found_by, ..OrdersPage::default() };
    let scan_max = if search.words.is_empty() { SCAN_MAX } else { WORDS_SCAN_MAX };
    let (mut seen, mut chunk) = (0, CHUNK);
    while seen < scan_max {
        chunk = chunk.min(scan_max - seen);
        let found = search.source.read(tx, &place, since, chunk as i64)?;
        let is_last = found.len() < chunk;
        chunk *= GROWTH;
        for candidate in found {
            seen += 1;
            if !fits(&candidate, wanted) {
                place = (candidate.created_at.0, candidate.id.0);
                continue;
            }
            if page.rows.len() == wanted.limit {
                page.next = Some((Timestamp(place.0), OrderId(place.1)));
                return Ok(page);
            }
            place = (candidate.created_at.0, candidate.id.0.clone());
            let Some(order) = orders::by_id(tx, candidate.id.as_str())? else { continue };
            if search.words.is_empty() || has_words(&order, &search.words) {
                let refunded = Money::new(candidate.refunded_minor, order.quote.total().currency);
                page.rows.push(Listed { order, refunded });
            }
        }
        if is_last {
            return Ok(page);
        }
    }
    page.next = Some((Timestamp(place.0), OrderId(place.1)));
    Ok(page)
}

fn fits(candidate: &Candidate, wanted: &Wanted) -> bool {
    let is_placed = candidate.state == OrderState::Placed.name();
    wanted.state.is_none_or(|state| candidate.state == state.name())
        && wanted.market.as_ref().is_none_or(|market| candidate.market == market.as_str())
        && wanted.paid.is_none_or(|paid| match paid {
            Paid::Paid => candidate.is_paid,
            Paid::Unpaid => is_placed && !candidate.is_paid,
            Paid::Refunded => candidate.refunded_minor > 0,
        })
}

fn has_words(order: &Order, wanted: &[String]) -> bool {
    let found: Vec<String> = words(&order.quote.address.name).collect();
    wanted.iter().all(|word| found.iter().any(|name| name.starts_with(word.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite finds the candidates of each source, in a shop of any size.
    #[test]
    fn candidates_come_from_an_index_and_not_from_all_orders() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
        files.sort();
        let schema = rusqlite::Connection::open_in_memory().expect("memory");
        for file in files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "sql")) {
            schema.execute_batch(&std::fs::read_to_string(file).expect("text")).expect("a migration");
        }
        let sources = [
            (Source::All, "orders_by_age"),
            (Source::Pending, "orders_waiting"),
            (Source::Canceled, "orders_canceled"),
            (Source::Unpaid, "orders_unpaid"),
            (Source::Refunded, "USING INDEX sqlite_autoindex_orders_1 (id=?)"),
            (Source::One(OrderId("o".to_owned())), "USING INDEX sqlite_autoindex_orders_1 (id=?)"),
            (Source::Term("t".to_owned()), "SEARCH t USING PRIMARY KEY (term=? AND created_at"),
            (Source::Prefix("t".to_owned()), "SEARCH order_terms USING PRIMARY KEY (term>? AND term<?)"),
        ];
        for (source, expected) in sources {
            let mut explain = schema.prepare(&format!("EXPLAIN QUERY PLAN {}", source.statement())).expect("a statement");
            let values = explain.parameter_count();
            let plan = explain.query_map(rusqlite::params_from_iter(vec!["1"; values]), |row| row.get::<_, String>(3));
            let plan: Vec<String> = plan.expect("a plan").map(|step| step.expect("a step")).collect();
            assert!(plan.iter().any(|step| step.contains(expected)), "{expected} in {plan:#?}");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN o") && !step.contains("orders_")), "{plan:#?}");
        }
    }
}
