//! Orders: the list, its filters and its search.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{At, Faults, ROWS, Trouble, address, below, day, instant};
use crate::commerce::ids::{MarketId, OrderId, Timestamp};
use crate::commerce::order::OrderState;
use crate::edge::http::Reply;
use crate::store::desk::{INDEX_ROWS, Listed, OrdersPage, Paid, Wanted};

/// Longest text that is looked for.
const SEARCH_BYTES: usize = 200;
/// Rounds of writing down by what orders are found that a page waits for: those of the last minutes.
const INDEX_ROUNDS: usize = 4;
/// Seconds of a day.
const DAY_SECONDS: i64 = 24 * 3600;

pub(super) async fn list(at: &At<'_>) -> Result<Reply, Trouble> {
    let query = &at.asked.query;
    let mut faults = Faults::new();
    let wanted = wanted(at, &mut faults);
    let is_searched = wanted.search.is_some();
    let is_behind = if is_searched { catch_up(at).await? } else { false };
    let page = if faults.is_empty() { at.store.orders_page(wanted).await? } else { OrdersPage::default() };
    let rows: Vec<Value> = page.rows.iter().map(row).collect();
    let live = at.app.live.load();
    let markets: Vec<&str> = live.bundle.rules.markets.iter().map(|market| market.id.as_str()).collect();
    let kept: Vec<(&str, &str)> =
        ["q", "state", "paid", "market", "since", "until"].into_iter().map(|name| (name, query.get(name))).collect();
    let next = page.next.as_ref().map(|(when, id)| {
        let after = format!("{}~{id}", when.0);
        address("/desk/orders", &[kept.as_slice(), &[("after", after.as_str())]].concat())
    });
    let shown = json!({
        "rows": rows,
        "found_by": page.found_by,
        "is_behind": is_behind,
        "next": next,
        "first": address("/desk/orders", &kept),
        "is_first": query.get("after").is_empty(),
        "markets": markets,
        "faults": faults,
        "wanted": kept.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<serde_json::Map<_, _>>(),
    });
    let (template, title) = ("desk/orders.html", "Orders");
    if faults.is_empty() { at.page(template, title, shown) } else { at.refused(template, title, shown) }
}

/// Writes down by what the newest orders are found, and leaves the older ones to the background. Whether there are any left.
async fn catch_up(at: &At<'_>) -> Result<bool, Trouble> {
    // Somebody does so already: nobody else waits for it.
    if at.app.desk.indexing.load(Ordering::Relaxed) {
        return Ok(true);
    }
    for _ in 0..INDEX_ROUNDS {
        if at.store.make_searchable().await? < INDEX_ROWS as usize {
            return Ok(false);
        }
    }
    if let Some(indexing) = Indexing::begin(&at.app.desk.indexing) {
        let store = at.store.clone();
        tokio::spawn(async move {
            let _indexing = indexing;
            // A step at a time, in the lane that waits for payments; whoever searches next goes on where it ends.
            while matches!(store.make_searchable().await, Ok(count) if count == INDEX_ROWS as usize) {}
        });
    }
    Ok(true)
}

/// Somebody writes down by what older orders are found, until it is over, in whatever way.
struct Indexing(Arc<AtomicBool>);

impl Indexing {
    /// `None`: somebody else does so.
    fn begin(is_under_way: &Arc<AtomicBool>) -> Option<Self> {
        (!is_under_way.swap(true, Ordering::Relaxed)).then(|| Self(is_under_way.clone()))
    }
}

impl Drop for Indexing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn wanted(at: &At<'_>, faults: &mut Faults) -> Wanted {
    let query = &at.asked.query;
    let mut fault = |name: &'static str, text: &str| {
        faults.insert(name, text.to_owned());
    };
    let state = query.filled("state");
    let found_state = state.and_then(OrderState::from_name);
    if state.is_some() && found_state.is_none() {
        fault("state", "There is no such state.");
    }
    let paid = match query.filled("paid") {
        None => None,
        Some("paid") => Some(Paid::Paid),
        Some("unpaid") => Some(Paid::Unpaid),
        Some("refunded") => Some(Paid::Refunded),
        Some(_) => {
            fault("paid", "Money is paid, unpaid or refunded.");
            None
        }
    };
    let mut moment = |name: &'static str| {
        let text = query.filled(name)?;
        let found = day(text);
        if found.is_none() {
            fault(name, "Write a day such as 2026-12-01.");
        }
        found
    };
    let (since, until) = (moment("since"), moment("until").map(|until| until.plus_seconds(DAY_SECONDS)));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        fault("until", "This day is before the first one.");
    }
    let search = query.filled("q");
    if search.is_some_and(|text| text.len() > SEARCH_BYTES || text.chars().any(char::is_control)) {
        fault("q", "That is too long to look for.");
    }
    let after = query.filled("after").and_then(|text| {
        let (when, id) = text.split_once('~')?;
        Some((Timestamp(when.parse().ok()?), OrderId(id.to_owned())))
    });
    if query.filled("after").is_some() && after.is_none() {
        fault("q", "This address is cut off. Look for the orders once more.");
    }
    Wanted {
        state: found_state,
        paid,
        market: query.filled("market").map(MarketId::from),
        since,
        until,
        search: search.map(str::to_owned),
        gateways: at.till.gateway_names(),
        after,
        limit: ROWS,
    }
}

/// A row of the list.
fn row(listed: &Listed) -> Value {
    let order = &listed.order;
    let quote = &order.quote;
    let units: u64 = quote.priced.lines.iter().map(|line| u64::from(line.quantity)).sum();
    json!({
        "address": below("/desk/orders", order.id.as_str()),
        "number": order.number.as_deref().unwrap_or("no number"),
        "state": told_state(order.state),
        "money": money(order.state, order.paid_at.is_some(), listed.refunded.minor, quote.total().minor),
        "at": instant(order.created_at),
        "name": order.erased_at.map_or_else(|| quote.address.name.clone(), |at| format!("erased {}", instant(at))),
        "email": quote.contact.email,
        "market": quote.market.as_str(),
        "units": units,
        "total": quote.total().to_string(),
    })
}

/// A state in words.
pub(super) fn told_state(state: OrderState) -> &'static str {
    match state {
        OrderState::PendingPayment => "being paid",
        OrderState::Placed => "placed",
        OrderState::Canceled => "canceled",
    }
}

/// How the money stands, in a word or two.
pub(super) fn money(state: OrderState, is_paid: bool, refunded_minor: i64, total_minor: i64) -> &'static str {
    match (state, is_paid) {
        (_, true) if refunded_minor >= total_minor && refunded_minor > 0 => "refunded",
        (_, true) if refunded_minor > 0 => "partly refunded",
        (_, true) => "paid",
        (OrderState::Placed, false) => "unpaid",
        _ => "nothing taken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writes_down_at_a_time_and_whoever_fails_is_followed_by_the_next() {
        let is_under_way = Arc::new(AtomicBool::new(false));
        let first = Indexing::begin(&is_under_way).expect("nobody does");
        assert!(Indexing::begin(&is_under_way).is_none());
        let failed = std::thread::spawn(move || {
            let _first = first;
            panic!("as a step may");
        });
        failed.join().expect_err("it panics");
        assert!(Indexing::begin(&is_under_way).is_some());
    }
}
