//! Oracle: reads the gateway's ledger file, the mail folder and the database file, and nothing of the shop's own words.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OpenFlags};

use super::never::NEVER;
use super::receiver::Received;
use super::shop::{ERP_SECRET, Shop};

/// A payment in the gateway's ledger.
struct Payment {
    key: String,
    state: String,
    amount_minor: i64,
    refunded_minor: i64,
}

/// An attempt with its order, in the shop's file.
struct Attempt {
    state: String,
    order: String,
    order_state: String,
    is_paid: bool,
    cart: String,
    amount_minor: i64,
}

fn open(shop: &Shop, name: &str) -> Option<Connection> {
    let connection = Connection::open_with_flags(shop.file(name), OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).expect("a time-out can be set");
    Some(connection)
}

/// Payments of the sandbox.
const OF_SANDBOX: &str = "SELECT key, state, amount_minor, refunded_minor FROM payments JOIN calls ON calls.reference = payments.reference AND operation = 'create'";
/// The same of the faulty gateway, whose sessions lead to intents, and of intents that stand by themselves.
const OF_STRIPE: &str =
    "SELECT key, CASE json_extract(session.document, '$.status') WHEN 'open' THEN 'open' WHEN 'expired' THEN 'canceled' ELSE
         CASE json_extract(intent.document, '$.status')
             WHEN 'succeeded' THEN 'captured' WHEN 'requires_capture' THEN 'authorized' ELSE 'canceled' END END,
         json_extract(session.document, '$.amount_total'), coalesce(json_extract(charge.document, '$.amount_refunded'), 0)
     FROM objects AS session JOIN keys ON line = 'POST /v1/checkout/sessions' AND json_extract(answer, '$.id') = session.id
     LEFT JOIN objects AS intent ON intent.id = json_extract(session.document, '$.payment_intent')
     LEFT JOIN objects AS charge ON charge.id = json_extract(intent.document, '$.latest_charge')
     WHERE session.kind = 'checkout.session'
     UNION ALL SELECT key, CASE json_extract(intent.document, '$.status')
             WHEN 'succeeded' THEN 'captured' WHEN 'requires_capture' THEN 'authorized' WHEN 'canceled' THEN 'canceled' ELSE 'open' END,
         json_extract(intent.document, '$.amount'), coalesce(json_extract(charge.document, '$.amount_refunded'), 0)
     FROM objects AS intent JOIN keys ON line = 'POST /v1/payment_intents'
         AND coalesce(json_extract(answer, '$.id'), json_extract(answer, '$.error.payment_intent.id')) = intent.id
     LEFT JOIN objects AS charge ON charge.id = json_extract(intent.document, '$.latest_charge')
     WHERE intent.kind = 'payment_intent'";

fn payments(shop: &Shop) -> Vec<Payment> {
    let (name, query) = if shop.gateway.is_some() { ("../stripe.db", OF_STRIPE) } else { ("sandbox.db", OF_SANDBOX) };
    let Some(ledger) = open(shop, name) else { return Vec::new() };
    // A ledger that was never opened has no tables yet.
    let Ok(mut select) = ledger.prepare(query) else { return Vec::new() };
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Payment { key: row.get(0)?, state: row.get(1)?, amount_minor: row.get(2)?, refunded_minor: row.get(3)? })
    };
    select.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("rows")
}

fn attempts(file: &Connection) -> BTreeMap<String, Attempt> {
    let mut select = file
        .prepare(
            "SELECT key, attempts.state, orders.id, orders.state, paid_at IS NOT NULL, cart_id, amount_minor
             FROM attempts JOIN orders ON orders.id = order_id",
        )
        .expect("the schema is known");
    let read = |row: &rusqlite::Row<'_>| {
        let attempt = Attempt {
            state: row.get(1)?,
            order: row.get(2)?,
            order_state: row.get(3)?,
            is_paid: row.get(4)?,
            cart: row.get(5)?,
            amount_minor: row.get(6)?,
        };
        Ok((row.get(0)?, attempt))
    };
    select.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("rows")
}

/// K27: what the merchant's system was told is so, signed, and in order: each event is the last one again, or the one after it.
/// Gives the names of all it was told.
fn check_told(received: &[Received], file: &Connection) -> Result<BTreeSet<String>, String> {
    let mut bodies = BTreeMap::new();
    let mut last = 0;
    for one in received {
        let ((sequence, _), id) = (one.told(), one.id().to_owned());
        if sequence != last && sequence != last + 1 {
            return Err(format!("K27: event {sequence} came after {last}"));
        }
        last = sequence;
        if !one.is_signed_with(ERP_SECRET) {
            return Err(format!("K27: {id} is not signed"));
        }
        if *bodies.entry(id.clone()).or_insert_with(|| one.body.clone()) != one.body {
            return Err(format!("K27: {id} came with other bytes"));
        }
        let query = "SELECT count(*) FROM facts WHERE key = ?1";
        if file.query_row(query, [&id], |row| row.get::<_, i64>(0)).expect("a count") != 1 {
            return Err(format!("K27: {id} was told and is no fact"));
        }
    }
    Ok(bodies.into_keys().collect())
}

/// What holds at every instant, however the process ended. The ledger is read first: what it says was true before the rows were read.
pub fn judge(shop: &Shop) -> Result<(), String> {
    let (payments, received) = (payments(shop), shop.erp.received());
    let Some(file) = open(shop, "shop.db") else { return Ok(()) };
    if file.prepare("SELECT 1 FROM refunds").is_err() {
        return Ok(());
    }
    check_told(&received, &file)?;
    for (breach, query) in NEVER {
        let mut select = file.prepare(query).expect("the schema is known");
        let mut rows = select.query([]).expect("rows");
        if let Some(row) = rows.next().expect("rows") {
            return Err(format!("{breach}: {}", row.get::<_, String>(0).expect("a name")));
        }
    }
    let attempts = attempts(&file);
    let mut captured = BTreeSet::new();
    for payment in payments {
        let Some(attempt) = attempts.get(&payment.key) else { return Err(format!("I25: {} belongs to no attempt", payment.key)) };
        let may_hold_money = matches!(payment.state.as_str(), "open" | "authorized");
        if may_hold_money && matches!(attempt.state.as_str(), "declined" | "canceled") {
            return Err(format!("I4: {} is {} and its attempt is {}", payment.key, payment.state, attempt.state));
        }
        if payment.amount_minor != attempt.amount_minor {
            return Err(format!("I5: {} is over {} for {}", payment.key, payment.amount_minor, attempt.amount_minor));
        }
        if payment.state == "captured" {
            if attempt.order_state != "placed" {
                return Err(format!("I1: {} was captured and its order is {}", payment.key, attempt.order_state));
            }
            if !captured.insert(&attempt.cart) {
                return Err(format!("I2: a cart was charged twice, {}", payment.key));
            }
        }
    }
    Ok(())
}

/// Whether nothing is left to do.
pub fn is_settled(shop: &Shop) -> bool {
    let Some(file) = open(shop, "shop.db") else { return true };
    let query = "SELECT (SELECT count(*) FROM attempts WHERE state NOT IN ('paid', 'declined', 'canceled'))
                      + (SELECT count(*) FROM outbox WHERE done_at IS NULL)
                      + (SELECT count(*) FROM refunds WHERE state IN ('pending', 'accepted'))
                      + (SELECT count(*) FROM orders WHERE state = 'pending_payment')
                      + (SELECT count(*) FROM facts, subscribers WHERE facts.id > numbered)
                      + (SELECT coalesce(sum(last_sequence + 1 - next_sequence), 0) FROM subscribers)";
    file.query_row(query, [], |row| row.get::<_, i64>(0)).expect("a count") == 0
}

/// Orders that are paid.
pub fn paid(shop: &Shop) -> i64 {
    let Some(file) = open(shop, "shop.db") else { return 0 };
    file.query_row("SELECT count(*) FROM orders WHERE paid_at IS NOT NULL", [], |row| row.get(0)).expect("a count")
}

/// What is left to do, in words.
pub fn left(shop: &Shop) -> String {
    let Some(file) = open(shop, "shop.db") else { return String::new() };
    let query = "SELECT 'attempt ' || state || ' ' || coalesce(reason, '') FROM attempts WHERE state NOT IN ('paid', 'declined', 'canceled')
                 UNION ALL SELECT 'outbox ' || kind || ' ' || tries || ' ' || coalesce(last_error, '') FROM outbox WHERE done_at IS NULL
                 UNION ALL SELECT 'refund ' || state || ' ' || coalesce(failure, '') FROM refunds WHERE state IN ('pending', 'accepted')
                 UNION ALL SELECT 'order ' || state FROM orders WHERE state = 'pending_payment'
                 UNION ALL SELECT 'event ' || next_sequence || ' of ' || last_sequence || ' ' || coalesce(last_error, '') FROM subscribers
                     WHERE next_sequence <= last_sequence";
    let mut select = file.prepare(query).expect("the schema is known");
    let lines = select.query_map([], |row| row.get::<_, String>(0)).expect("rows").collect::<Result<Vec<_>, _>>().expect("rows");
    lines.join(", ")
}

/// Whether every deadline and every hold is over.
pub fn is_all_over(shop: &Shop, now: i64) -> bool {
    let Some(file) = open(shop, "shop.db") else { return true };
    let query =
        "SELECT max(coalesce((SELECT max(deadline_at) FROM attempts), 0), coalesce((SELECT max(hold_until) FROM orders), 0))";
    file.query_row(query, [], |row| row.get::<_, i64>(0)).expect("an instant") < now
}

/// What holds once the shop had its time; gives how many orders were paid. `bought`: checkouts whose shoppers were told so.
pub fn judge_end(shop: &Shop, bought: &BTreeSet<String>) -> Result<usize, String> {
    judge(shop)?;
    if !is_settled(shop) {
        return Err(format!("L1: {}", left(shop)));
    }
    let file = open(shop, "shop.db").ok_or("there is no shop")?;
    let attempts = attempts(&file);
    for payment in payments(shop) {
        let query = "SELECT coalesce(sum(ledger.amount_minor), 0) FROM ledger JOIN attempts ON attempts.id = attempt
                     WHERE key = ?1 AND kind = 'refunded'";
        let ours: i64 = file.query_row(query, [&payment.key], |row| row.get(0)).expect("a sum");
        if ours != payment.refunded_minor {
            return Err(format!("I21: {} of {} went back and our ledger says {ours}", payment.refunded_minor, payment.key));
        }
    }
    let held: BTreeMap<String, String> = payments(shop).into_iter().map(|payment| (payment.key, payment.state)).collect();
    let told = check_told(&shop.erp.received(), &file)?;
    let mut facts = file.prepare("SELECT key FROM facts").expect("the schema is known");
    let facts = facts.query_map([], |row| row.get::<_, String>(0)).expect("rows").collect::<Result<_, _>>().expect("rows");
    if told != facts {
        return Err(format!("K27: of {} facts {} were told", facts.len(), told.len()));
    }
    for (key, attempt) in &attempts {
        let state = held.get(key).map(String::as_str);
        if (attempt.state == "paid") != (state == Some("captured")) {
            return Err(format!("L1: {key} is {state:?} and its attempt is {}", attempt.state));
        }
        if attempt.state == "paid" && !shop.file(&format!("mail/order-{}.eml", attempt.order)).is_file() {
            return Err(format!("L3: {} is paid and nobody was told", attempt.order));
        }
    }
    let reserved: i64 = file.query_row("SELECT coalesce(sum(reserved), 0) FROM stock", [], |row| row.get(0)).expect("a sum");
    if reserved != 0 {
        return Err(format!("L2: {reserved} units are still held"));
    }
    for checkout in bought {
        let query = "SELECT count(*) FROM orders WHERE checkout = ?1 AND state = 'placed'";
        if file.query_row(query, [checkout], |row| row.get::<_, i64>(0)).expect("a count") != 1 {
            return Err(format!("I13: {checkout} was told to be ordered and is not"));
        }
    }
    Ok(attempts.values().filter(|attempt| attempt.is_paid).count())
}

/// Units of a SKU: on hand, sold.
pub fn stock(shop: &Shop, sku: &str) -> (i64, i64) {
    let file = open(shop, "shop.db").expect("the shop's file");
    file.query_row("SELECT on_hand, sold FROM stock WHERE sku = ?1", [sku], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row")
}
