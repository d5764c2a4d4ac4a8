//! Counted: what shoppers met and how far their carts came, told to the tally; and the tally written down.
//!
//! Always  a cart's vitals are one of few buckets, read from its own token: no row and no name joins a page to an order. Counting fails
//!         nothing: what cannot be written is held, and written later.
//! Limits  written down every EVERY; kept KEPT_HOURS.
//! Source  WEB.md 5.5.

use std::sync::Arc;
use std::time::Duration;

use super::app::App;
use super::cart_token;
use super::error::Failure;
use super::live::Live;
use crate::commerce::cart::Cart;
use crate::commerce::checkout::Checkout;
use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::aggregates::{Aggregate, Aggregates};
use crate::telemetry::tally::{Alike, Problem, Row, Step, hour_of};

/// Between two times of writing: what a crash costs.
const EVERY: Duration = Duration::from_secs(60);
/// 13 months, so that a season can be held against the one before.
const KEPT_HOURS: i64 = 400 * 24;

/// Counts a refusal that a shopper met. What only programs do wrong is none.
pub fn meet(app: &App, failure: &Failure) {
    let status = failure.status().as_u16();
    let problem = match failure.code() {
        "sold_out" | "line_unavailable" | "not_for_sale" => Problem::OutOfStock,
        "quote_changed" | "quote_expired" | "total_changed" => Problem::PriceChanged,
        "country_unserved" | "not_a_place" | "too_long" | "several_lines" => Problem::AddressRefused,
        "too_many_coupons" | "not_a_code" => Problem::CouponRefused,
        "quantity" | "too_many_lines" | "cart_full" => Problem::QuantityRefused,
        code if code.starts_with("coupon") => Problem::CouponRefused,
        _ if status == 429 || status >= 500 => Problem::Unavailable,
        _ if matches!(failure, Failure::Conflict { .. } | Failure::Refused { .. }) => Problem::Other,
        _ => return,
    };
    app.tally.meet(problem);
}

/// Counts a cart that was begun.
pub fn cart(app: &App, live: &Live, cart: &Cart, now: Timestamp) {
    step(app, live, cart, Step::Cart, now);
}

/// Counts that a cart's checkout was begun.
pub fn checkout(app: &App, live: &Live, cart: &Cart, now: Timestamp) {
    // Half of a random name tells carts apart as well as the whole.
    let name = u64::from_le_bytes(*cart.id.0.first_chunk().expect("a cart's name has 16 bytes"));
    step(app, live, cart, Step::Checkout { cart: name }, now);
}

/// Counts an order that was paid, with what its cart carried along.
pub fn order(app: &App, checkout: &Checkout, now: Timestamp) {
    let Some(order) = &checkout.order else { return };
    let total = order.quote.total();
    // An old token cannot be read any more: then nobody told.
    let bucket = cart_token::decode(&checkout.cart_token, &app.keys, now).map_or(0, |cart| cart.vitals_bucket);
    let alike = Alike { market: checkout.market.as_str(), currency: total.currency.code(), bucket };
    app.tally.step(alike, Step::Order { total_minor: u64::try_from(total.minor).unwrap_or(0) }, now.0);
}

fn step(app: &App, live: &Live, cart: &Cart, step: Step, now: Timestamp) {
    let (market, _) = live.market(&cart.market);
    let alike = Alike { market: market.id.as_str(), currency: market.currency.code(), bucket: cart.vitals_bucket };
    app.tally.step(alike, step, now.0);
}

/// Writes down what is new, and forgets what is old. Gives how many rows.
///
/// Errors: the store failed; what was not written is held for the next time.
pub async fn write_down(app: &App, aggregates: &Aggregates, writer: &str) -> Result<usize, StoreError> {
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
