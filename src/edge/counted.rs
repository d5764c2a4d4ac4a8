//! Counted: what shoppers met and how far their carts came, told to the tally; and the tally written down.
//!
//! Always  a cart's vitals are one of few buckets: they travel in its own token, wait beside its checkout for the payment, and are gone from
//!         there with the step that records it. Counting fails nothing: what cannot be written is held, and written later. An instant is asked
//!         for when something is counted: who waited for a gateway counts in the hour of the answer.
//! Limits  written down every EVERY, by one at a time; kept KEPT_HOURS.
//! Source  WEB.md 5.5.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::app::App;
use super::error::Failure;
use super::limits::shed::Weight;
use super::live::Live;
use super::reply::{CheckoutReply, Message};
use crate::commerce::cart::Cart;
use crate::commerce::checkout::Checkout;
use crate::store::StoreError;
use crate::store::aggregates::{Aggregate, Aggregates};
use crate::telemetry::tally::{Alike, Problem, Row, Step, hour_of};

/// Between two times of writing: what a crash costs.
const EVERY: Duration = Duration::from_secs(60);
/// 13 months, so that a season can be held against the one before.
const KEPT_HOURS: i64 = 400 * 24;

/// Counts a refusal that a shopper met, who asked for something of that weight. What only programs do wrong is none, nor is what pages ask for by
/// themselves: nobody sees that it was refused.
pub fn meet(app: &App, on: Weight, failure: &Failure) {
    if let Some(problem) = problem_of(on, failure) {
        app.tally.meet(problem);
    }
}

fn problem_of(on: Weight, failure: &Failure) -> Option<Problem> {
    let status = failure.status().as_u16();
    Some(match failure.code() {
        _ if matches!(on, Weight::Beacon | Weight::Availability) => return None,
        "sold_out" | "not_for_sale" => Problem::OutOfStock,
        "quote_changed" => Problem::PriceChanged,
        "country_unserved" | "not_a_place" => Problem::AddressRefused,
        "too_many_coupons" | "not_a_code" => Problem::CouponRefused,
        "quantity" | "too_many_lines" | "cart_full" => Problem::QuantityRefused,
        code if code.starts_with("coupon") => Problem::CouponRefused,
        _ if status >= 500 && on == Weight::Payment => Problem::PaymentFailed,
        _ if status == 429 || status >= 500 => Problem::Unavailable,
        _ if is_dearer(failure) => Problem::PriceChanged,
        _ if matches!(failure, Failure::Conflict { .. } | Failure::Refused { .. }) => Problem::Other,
        _ => return None,
    })
}

fn is_dearer(failure: &Failure) -> bool {
    matches!(failure, Failure::Conflict { total: Some(total), .. } if total.now.minor > total.seen.minor)
}

/// Counts what keeps a checkout from being paid, of which details were told just now: each kind once.
pub fn stopped(app: &App, reply: &CheckoutReply) {
    if reply.quote.is_some() {
        return;
    }
    let problems: BTreeSet<Problem> = reply.messages.iter().filter_map(problem_in).collect();
    problems.into_iter().for_each(|problem| app.tally.meet(problem));
}

/// What a message tells of; a field that is still empty is no problem yet.
fn problem_in(message: &Message) -> Option<Problem> {
    let path = message.path.as_deref().unwrap_or("");
    let is_at = |places: [&str; 2]| places.iter().any(|place| path.starts_with(place));
    Some(match (message.severity.as_str(), message.code.as_str()) {
        ("error", "missing") => return None,
        ("error", "sold_out" | "not_enough_stock") => Problem::OutOfStock,
        ("error", "unserved") if path == "/cart/lines" => Problem::OutOfStock,
        ("error", "wrong_quantity") => Problem::QuantityRefused,
        ("error", "invalid") if path == "/cart/lines" => Problem::QuantityRefused,
        ("error", "price_unconfirmed") => Problem::Unavailable,
        ("error", _) if is_at(["/address", "/contact"]) || path == "/cart/destination" => Problem::AddressRefused,
        ("error", _) => Problem::Other,
        _ => return None,
    })
}

/// Counts a cart that was begun.
pub fn cart(app: &App, live: &Live, cart: &Cart) {
    step(app, live, cart, Step::Cart);
}

/// Counts that a cart's checkout was begun.
pub fn checkout(app: &App, live: &Live, cart: &Cart) {
    // Half of a random name tells carts apart as well as the whole.
    let name = u64::from_le_bytes(*cart.id.0.first_chunk().expect("a cart's name has 16 bytes"));
    step(app, live, cart, Step::Checkout { cart: name });
}

/// Counts an order that was paid. `bucket`: what its cart carried along, which the step that recorded the payment has taken away.
pub fn order(app: &App, checkout: &Checkout, bucket: u8) {
    let Some(order) = &checkout.order else { return };
    let total = order.quote.total();
    let alike = Alike { market: checkout.market.as_str(), currency: total.currency.code(), bucket };
    let total_minor = u64::try_from(total.minor).unwrap_or(0);
    app.tally.step(alike, Step::Order { total_minor }, app.clock.now().0);
}

fn step(app: &App, live: &Live, cart: &Cart, step: Step) {
    let (market, _) = live.market(&cart.market);
    let alike = Alike { market: market.id.as_str(), currency: market.currency.code(), bucket: cart.vitals_bucket };
    app.tally.step(alike, step, app.clock.now().0);
}

/// Writes down what is new by now, and forgets what is old. Gives how many rows. What comes in meanwhile is written the next time.
///
/// Errors: the store failed; what was not written is held for the next time.
pub async fn write_down(app: &App, aggregates: &Aggregates, writer: &str) -> Result<usize, StoreError> {
    // A row is the whole of its hour: an older one must not be written after a newer one.
    let _alone = app.writing.lock().await;
    let mut count = 0;
    loop {
        let now = app.clock.now().0;
        let rows = app.tally.due(now);
        if rows.is_empty() {
            if count > 0 {
                aggregates.forget(hour_of(now) - KEPT_HOURS).await?;
            }
            return Ok(count);
        }
        if let Err(error) = aggregates.put(writer, rows.iter().map(aggregate).collect()).await {
            app.tally.give_back(&rows);
            return Err(error);
        }
        count += rows.len();
    }
}

fn aggregate(row: &Row) -> Aggregate {
    Aggregate { hour: row.hour, kind: row.kind.to_owned(), cell: row.cell.clone(), body: row.body.clone() }
}

/// Writes down for as long as the runtime lives, under a name of this process's own.
pub fn go(app: &Arc<App>) {
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            finish(&app).await;
        }
    });
}

/// Writes down what is there now.
pub async fn finish(app: &App) {
    let Some(aggregates) = &app.aggregates else { return };
    if let Err(error) = write_down(app, aggregates, &app.name).await {
        tracing::warn!(%error, "what was counted could not be written down; the next round tries again");
    }
}
