//! Oracle: the invariants of CHECKOUT.md 5.9, judged by what can be seen from outside: the database's rows, the gateway's ledger and
//! the mails that were taken. It never asks the shop.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OpenFlags, params};
use vitrine::gateway::RemoteState;

use super::ledger::{Ledger, Payment};
use super::never::NEVER;

/// Reads the database beside the shop.
#[derive(Debug, Default)]
pub struct Oracle {
    connection: Option<Connection>,
    /// Keys of attempts of which a shopper was told that they were not charged.
    uncharged: BTreeSet<String>,
    /// Events that were answered with 2xx, and whether they are of another account.
    heard: BTreeMap<String, bool>,
    paid: i64,
}

/// An attempt's row.
struct Attempt {
    state: String,
    order_state: String,
    cart: String,
    reference: Option<String>,
    checkout: String,
    number: u32,
    amount_minor: i64,
    currency: String,
    quote_hash: String,
    void_asked: bool,
}

impl Oracle {
    /// Looks into the database of that name.
    pub fn open(&mut self, name: &str) {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(format!("file:/{name}?vfs=memdb"), flags).expect("the shop's database");
        connection.set_prepared_statement_cache_capacity(64);
        self.connection = Some(connection);
    }

    fn rows(&self) -> &Connection {
        self.connection.as_ref().expect("it was opened with the world")
    }

    fn attempts(&self) -> BTreeMap<String, Attempt> {
        let mut select = self
            .rows()
            .prepare_cached(
                "SELECT key, attempts.state, orders.state, cart_id, reference, attempts.checkout, attempts.number, amount_minor,
                        currency, quote_hash, void_asked_at IS NOT NULL
                 FROM attempts JOIN orders ON orders.id = order_id",
            )
            .expect("the schema is known");
        let read = |row: &rusqlite::Row<'_>| {
            let attempt = Attempt {
                state: row.get(1)?,
                order_state: row.get(2)?,
                cart: row.get(3)?,
                reference: row.get(4)?,
                checkout: row.get(5)?,
                number: row.get(6)?,
                amount_minor: row.get(7)?,
                currency: row.get(8)?,
                quote_hash: row.get(9)?,
                void_asked: row.get(10)?,
            };
            Ok((row.get(0)?, attempt))
        };
        select.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("rows as the schema has them")
    }

    /// Everything that has to hold at every instant.
    pub fn judge(&mut self, ledger: &mut Ledger) -> Result<(), String> {
        for (breach, query) in NEVER {
            let mut select = self.rows().prepare_cached(query).expect("the schema is known");
            let mut rows = select.query([]).expect("rows");
            if let Some(row) = rows.next().expect("rows") {
                return Err(format!("{breach}: {}", row.get::<_, String>(0).expect("a name")));
            }
        }
        let paid = self.count("SELECT count(*) FROM orders WHERE paid_at IS NOT NULL");
        if paid < self.paid {
            return Err(format!("I12: {} orders were paid and {paid} are", self.paid));
        }
        self.paid = paid;
        self.judge_gateway(ledger)
    }

    /// Of that, what a change at the gateway may break: a third of the work.
    pub fn judge_gateway(&self, ledger: &mut Ledger) -> Result<(), String> {
        if let Some(breach) = ledger.breaches.first() {
            return Err(breach.clone());
        }
        let attempts = self.attempts();
        self.judge_refunds(ledger)?;
        self.judge_changes(ledger, &attempts)?;
        self.judge_payments(ledger, &attempts)
    }

    /// What just happened at the gateway.
    fn judge_changes(&self, ledger: &mut Ledger, attempts: &BTreeMap<String, Attempt>) -> Result<(), String> {
        for (index, state) in std::mem::take(&mut ledger.changes) {
            let payment = &ledger.payments[index];
            let Some(attempt) = attempts.get(&payment.key) else {
                return Err(format!("I25: {} belongs to no attempt", payment.reference));
            };
            let about = format!("{} of {}", payment.reference, payment.key);
            if payment.asked.minor != attempt.amount_minor || payment.asked.currency.code() != attempt.currency {
                return Err(format!("I5: {about} was opened over {} where {} was agreed", payment.asked, attempt.amount_minor));
            }
            match state {
                // Nobody here asked for it.
                RemoteState::Captured if payment.is_late => {}
                RemoteState::Captured => self.judge_capture(payment, attempt, &about)?,
                RemoteState::Canceled if attempt.order_state == "placed" && !attempt.void_asked => {
                    return Err(format!("I6: the money of a placed order was let go, {about}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn judge_capture(&self, payment: &Payment, attempt: &Attempt, about: &str) -> Result<(), String> {
        if attempt.order_state != "placed" {
            return Err(format!("I1: {about} was captured while its order was {}", attempt.order_state));
        }
        if payment.amount.minor != attempt.amount_minor || payment.amount.currency.code() != attempt.currency {
            return Err(format!("I5: {about} captured {} where {} was agreed", payment.amount, attempt.amount_minor));
        }
        let mut select = self.rows().prepare_cached(
            "SELECT quotes.hash, json_extract(document, '$.priced.totals.total.amount') FROM orders
             JOIN quotes ON quotes.id = orders.quote WHERE cart_id = ?1 AND state = 'placed'",
        );
        let (hash, total): (String, i64) = select
            .as_mut()
            .expect("the schema is known")
            .query_row(params![attempt.cart], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("a placed order has a quote");
        if payment.meta("quote_hash") != hash || attempt.quote_hash != hash || payment.amount.minor != total {
            return Err(format!("I5: {about} paid another quote than its order's, {} for {total}", payment.amount));
        }
        if self.uncharged.contains(&payment.key) {
            return Err(format!("I13: a shopper was told that nothing was charged, and then {about} was"));
        }
        Ok(())
    }

    /// I21: no more went back than was taken; what we gave back was promised first, and once.
    fn judge_refunds(&self, ledger: &Ledger) -> Result<(), String> {
        let mut select = self
            .rows()
            .prepare_cached("SELECT amount_minor FROM refunds WHERE key = ?1 AND sent > 0")
            .expect("the schema is known");
        for payment in &ledger.payments {
            let mut keys = BTreeSet::new();
            for refund in &payment.refunds {
                let Some(key) = &refund.key else { continue };
                let about = format!("I21: {} of {}", refund.amount, payment.reference);
                if !keys.insert(key) {
                    return Err(format!("{about} went back twice"));
                }
                if key.contains(":orphan:")
                    && matches!(self.orphan(&payment.reference).as_deref(), Some("returning" | "returned" | "review"))
                {
                    continue;
                }
                match select.query_row([key], |row| row.get::<_, i64>(0)) {
                    Ok(minor) if minor == refund.amount.minor => {}
                    _ => return Err(format!("{about} went back and was not promised")),
                }
            }
            let back: i64 = payment.refunds.iter().filter(|one| !one.fails).map(|one| one.amount.minor).sum();
            if back > payment.amount.minor {
                return Err(format!("I21: {back} of {} went back", payment.amount));
            }
        }
        Ok(())
    }

    /// Where a payment stands that no order is of.
    fn orphan(&self, reference: &str) -> Option<String> {
        let mut select =
            self.rows().prepare_cached("SELECT state FROM orphans WHERE reference = ?1").expect("the schema is known");
        select.query_row([reference], |row| row.get(0)).ok()
    }

    /// Our ledger says of each payment what the gateway says, and no refund waits.
    fn judge_ledger_of_refunds(&self, ledger: &Ledger, now: i64) -> Result<(), String> {
        let mut select = self
            .rows()
            .prepare_cached(
                "SELECT coalesce(sum(CASE kind WHEN 'refunded' THEN ledger.amount_minor WHEN 'refund_failed' THEN -ledger.amount_minor
                     ELSE 0 END), 0) FROM ledger JOIN attempts ON attempts.id = attempt WHERE key = ?1",
            )
            .expect("the schema is known");
        let of_orders = |payment: &&Payment| !matches!(self.orphan(&payment.reference).as_deref(), Some("returned" | "review"));
        for payment in ledger.payments.iter().filter(of_orders) {
            let ours: i64 = select.query_row([&payment.key], |row| row.get(0)).expect("a sum");
            let theirs = payment.refunded_at(now);
            if ours != theirs {
                return Err(format!("I21: the gateway gave {theirs} of {} back and our ledger says {ours}", payment.reference));
            }
        }
        Ok(())
    }

    /// How the gateway's payments and our attempts fit.
    fn judge_payments(&self, ledger: &Ledger, attempts: &BTreeMap<String, Attempt>) -> Result<(), String> {
        let mut holding = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for payment in ledger.payments.iter().filter(|payment| payment.may_hold_money()) {
            let about = format!("{} of {}", payment.reference, payment.key);
            let Some(attempt) = attempts.get(&payment.key) else { return Err(format!("I25: {about} belongs to no attempt")) };
            let is_named = attempt.reference.as_ref().is_none_or(|reference| *reference == payment.reference);
            let is_meant = payment.meta("checkout") == attempt.checkout && payment.meta("attempt") == attempt.number.to_string();
            if !keys.insert(&payment.key) || !is_named || !is_meant {
                return Err(format!("I25: {about} is one of two, or another's"));
            }
            // What a bank takes after all is seen to afterwards.
            if payment.is_late {
                continue;
            }
            if matches!(attempt.state.as_str(), "declined" | "canceled") {
                return Err(format!("I4: {about} is {:?} and its attempt is {}", payment.state(), attempt.state));
            }
            if payment.state() != RemoteState::Open && !holding.insert(&attempt.cart) {
                return Err(format!("I2: a cart pays twice, {about}"));
            }
        }
        let holds = |key: &str| {
            ledger
                .payments
                .iter()
                .any(|payment| payment.key == key && matches!(payment.state(), RemoteState::Authorized | RemoteState::Captured))
        };
        for (key, attempt) in attempts {
            let is_kept = attempt.state == "paid" || attempt.state == "capturing" && !attempt.void_asked;
            if is_kept && attempt.amount_minor > 0 && !holds(key) {
                return Err(format!("I1: {key} is {} and the gateway holds nothing for it", attempt.state));
            }
        }
        Ok(())
    }

    /// The gateway was told that an event was heard: it is kept, and stays so.
    pub fn heard(&mut self, event: &str, is_foreign: bool) -> Result<(), String> {
        self.heard.insert(event.to_owned(), is_foreign);
        self.judge_event(event, is_foreign)
    }

    fn judge_event(&self, event: &str, is_foreign: bool) -> Result<(), String> {
        let mut select = self.rows().prepare_cached("SELECT result FROM inbox WHERE event = ?1").expect("the schema is known");
        let kept = select.query_map([event], |row| row.get::<_, Option<String>>(0)).expect("rows");
        match kept.collect::<Result<Vec<_>, _>>().expect("rows").as_slice() {
            [] => Err(format!("I10: {event} was heard and is not kept")),
            [result] if is_foreign != (result.as_deref() == Some("foreign")) => {
                Err(format!("I16: {event}, foreign {is_foreign}, is {result:?}"))
            }
            [_] => Ok(()),
            _ => Err(format!("I10: {event} is kept more than once")),
        }
    }

    /// Keys of all attempts of a checkout's cart: what one tab says holds for the other.
    pub fn keys_of(&self, checkout: &str) -> Vec<String> {
        let query = "SELECT key FROM attempts WHERE checkout IN
            (SELECT id FROM checkouts WHERE cart_id = (SELECT cart_id FROM checkouts WHERE id = ?1))";
        let mut select = self.rows().prepare_cached(query).expect("the schema is known");
        select.query_map([checkout], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("rows")
    }

    /// A shopper was told that these were not charged: they were not, and will not be.
    pub fn told_uncharged(&mut self, keys: Vec<String>) -> Result<(), String> {
        for key in &keys {
            let query = "SELECT EXISTS (SELECT 1 FROM ledger JOIN attempts ON attempts.id = attempt WHERE key = ?1 AND kind = 'captured')";
            let is_charged: bool = self
                .rows()
                .prepare_cached(query)
                .and_then(|mut select| select.query_row([key], |row| row.get(0)))
                .expect("a row");
            if is_charged {
                return Err(format!("I13: a shopper was told that nothing was charged, and {key} was before"));
            }
        }
        self.uncharged.extend(keys);
        Ok(())
    }

    /// Whether the cart of a checkout has a placed order.
    pub fn is_placed(&self, checkout: &str) -> bool {
        let query = "SELECT EXISTS (SELECT 1 FROM orders WHERE state = 'placed' AND cart_id = (SELECT cart_id FROM checkouts WHERE id = ?1))";
        self.rows().prepare_cached(query).and_then(|mut select| select.query_row([checkout], |row| row.get(0))).expect("a row")
    }

    /// Names of some checkouts.
    pub fn checkouts(&self) -> Vec<String> {
        let mut select =
            self.rows().prepare_cached("SELECT id FROM checkouts ORDER BY rowid LIMIT 3").expect("the schema is known");
        select.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("rows")
    }

    pub fn count(&self, query: &str) -> i64 {
        self.rows().prepare_cached(query).and_then(|mut select| select.query_row([], |row| row.get(0))).expect("a count")
    }

    /// Orders that are placed, by their ids.
    pub fn placed(&self) -> BTreeSet<String> {
        let mut select = self.rows().prepare_cached("SELECT id FROM orders WHERE state = 'placed'").expect("the schema is known");
        select.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("rows")
    }

    /// Whether nothing is left to do: no attempt under way, no hold, no promised work.
    pub fn is_settled(&self) -> bool {
        self.count(
            "SELECT (SELECT count(*) FROM attempts WHERE state NOT IN ('paid', 'declined', 'canceled', 'review'))
                  + (SELECT count(*) FROM outbox WHERE done_at IS NULL)
                  + (SELECT count(*) FROM inbox WHERE done_at IS NULL)
                  + (SELECT count(*) FROM refunds WHERE state IN ('pending', 'accepted'))
                  + (SELECT count(*) FROM orphans WHERE state IN ('found', 'returning') AND NOT EXISTS
                        (SELECT 1 FROM checkouts JOIN orders ON orders.cart_id = checkouts.cart_id JOIN attempts ON order_id = orders.id
                         WHERE checkouts.id = orphans.checkout AND attempts.state = 'review'))
                  + (SELECT count(*) FROM orders WHERE state = 'pending_payment' AND NOT EXISTS
                        (SELECT 1 FROM attempts WHERE order_id = orders.id AND attempts.state = 'review'))",
        ) == 0
    }

    /// What has to hold once faults have stopped and the shop had its time: L1 to L3, and all sums once more. `extra_mails`: how often
    /// a mail's answer was lost, or a process ended.
    pub fn judge_end(
        &mut self,
        ledger: &mut Ledger,
        mails: &[(String, Vec<u8>)],
        extra_mails: u64,
        now: i64,
    ) -> Result<(), String> {
        self.judge(ledger)?;
        for (breach, query) in [
            (
                "L1: an attempt is still under way",
                "SELECT key || ' ' || state FROM attempts WHERE state NOT IN ('paid', 'declined', 'canceled', 'review')",
            ),
            (
                "L2: a hold was neither freed nor sold",
                "SELECT sku FROM stock WHERE reserved <> (SELECT coalesce(sum(quantity), 0) FROM reservations WHERE
                     reservations.sku = stock.sku AND reservations.sold = 0 AND EXISTS
                     (SELECT 1 FROM attempts WHERE attempts.order_id = reservations.order_id AND attempts.state = 'review'))",
            ),
            ("L1: a refund waits", "SELECT id || ' ' || coalesce(failure, '') FROM refunds WHERE state IN ('pending', 'accepted')"),
            ("L3: the inbox is not empty", "SELECT event || ' ' || coalesce(last_error, '') FROM inbox WHERE done_at IS NULL"),
            ("L3: the outbox is not empty", "SELECT kind || ' ' || coalesce(last_error, '') FROM outbox WHERE done_at IS NULL"),
            (
                // A written rate of zero is a reason and stands among the taxes. Ten lines may each be rounded down to nothing.
                "I18: tax is absent, or zero without a rate of zero",
                "SELECT id FROM (SELECT id, json_extract(document, '$.priced.totals') AS t, json_extract(document, '$.priced.taxes') AS x
                                 FROM quotes)
                 WHERE json_extract(t, '$.subtotal.amount') - json_extract(t, '$.discount.amount') + json_extract(t, '$.shipping.amount')
                       - json_extract(t, '$.shipping_discount.amount')
                       <> (SELECT coalesce(sum(json_extract(value, '$.base.amount')), 0) FROM json_each(x))
                    OR json_extract(t, '$.tax.amount') <> (SELECT coalesce(sum(json_extract(value, '$.tax.amount')), 0) FROM json_each(x))
                    OR EXISTS (SELECT 1 FROM json_each(x) WHERE json_extract(value, '$.tax.amount') = 0 AND
                       json_extract(value, '$.base.amount') * CAST(json_extract(value, '$.percent') AS REAL)
                       >= 10 * (100 + CAST(json_extract(value, '$.percent') AS REAL)))",
            ),
            (
                "I19: totals do not add up",
                "SELECT id FROM (SELECT id, json_extract(document, '$.priced.totals') AS t, json_extract(document, '$.priced.lines') AS l
                                 FROM quotes)
                 WHERE json_extract(t, '$.subtotal.amount') - json_extract(t, '$.discount.amount') + json_extract(t, '$.shipping.amount')
                       - json_extract(t, '$.shipping_discount.amount') <> json_extract(t, '$.total.amount')
                    OR json_extract(t, '$.total.amount') < 0 OR EXISTS
                       (SELECT 1 FROM json_each(l) WHERE json_extract(value, '$.quantity') NOT BETWEEN 1 AND 999)",
            ),
        ] {
            let mut select = self.rows().prepare_cached(query).expect("the schema is known");
            let mut rows = select.query([]).expect("rows");
            if let Some(row) = rows.next().expect("rows") {
                return Err(format!("{breach}: {}", row.get::<_, String>(0).expect("a name")));
            }
        }
        self.judge_money(ledger, now)?;
        self.judge_ledger_of_refunds(ledger, now)?;
        for (event, is_foreign) in &self.heard {
            self.judge_event(event, *is_foreign)?;
        }
        self.judge_mails(mails, extra_mails)
    }

    /// Every unit of money at the gateway is an order's, went back, or waits for a person; and no cart's is kept twice.
    fn judge_money(&self, ledger: &Ledger, now: i64) -> Result<(), String> {
        let attempts = self.attempts();
        let reviewed: BTreeSet<&str> =
            attempts.values().filter(|attempt| attempt.state == "review").map(|attempt| attempt.cart.as_str()).collect();
        let mut kept = BTreeSet::new();
        for payment in &ledger.payments {
            let state = attempts.get(&payment.key).map_or("", |attempt| attempt.state.as_str());
            let is_back = payment.refunded_at(now) >= payment.amount.minor;
            // For a person: by itself, or for how another payment of its cart ends that a person looks at.
            let waits = match self.orphan(&payment.reference).as_deref() {
                Some("review") => true,
                Some("found") => attempts.get(&payment.key).is_some_and(|own| reviewed.contains(own.cart.as_str())),
                _ => false,
            };
            let fits = match payment.state() {
                RemoteState::Captured if payment.is_late && state == "canceled" => is_back || waits,
                RemoteState::Captured => matches!(state, "paid" | "review"),
                RemoteState::Open | RemoteState::Processing | RemoteState::Authorized => state == "review",
                RemoteState::Declined | RemoteState::Canceled => state != "paid",
            };
            if !fits {
                return Err(format!("L1: {} is {:?} and its attempt is {state:?}", payment.key, payment.state()));
            }
            let is_kept = payment.state() == RemoteState::Captured && !is_back && !waits;
            if is_kept && attempts.get(&payment.key).is_some_and(|attempt| !kept.insert(&attempt.cart)) {
                return Err(format!("I2: a cart has paid twice, {}", payment.key));
            }
        }
        Ok(())
    }

    fn judge_mails(&self, mails: &[(String, Vec<u8>)], extra: u64) -> Result<(), String> {
        let mut select = self.rows().prepare("SELECT id FROM orders WHERE paid_at IS NOT NULL").expect("the schema is known");
        let paid: BTreeSet<String> =
            select.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("rows");
        let mut sent = BTreeMap::<&str, Vec<&[u8]>>::new();
        for (name, bytes) in mails {
            if let Some(order) = name.strip_prefix("order-").and_then(|name| name.strip_suffix(".eml")) {
                sent.entry(order).or_default().push(bytes);
            }
        }
        if let Some(order) = sent.keys().find(|order| !paid.contains(**order)) {
            return Err(format!("I11: {order} was confirmed and is not paid"));
        }
        if let Some(order) = paid.iter().find(|order| !sent.contains_key(order.as_str())) {
            return Err(format!("L3: {order} is paid and nobody was told"));
        }
        if sent.values().any(|copies| copies.iter().any(|copy| *copy != copies[0])) {
            return Err("I11: two copies of one mail differ".to_owned());
        }
        if let Some((order, copies)) = sent.iter().find(|(_, copies)| copies.len() as u64 > 1 + extra) {
            return Err(format!("I11: {order} was confirmed {} times and there were {extra} reasons to repeat it", copies.len()));
        }
        Ok(())
    }
}
