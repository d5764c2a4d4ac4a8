//! Payable: whether a new payment may begin now, and what the shopper is told where it may not.
//!
//! Always  asked before anything is written: neither order nor attempt nor hold is left behind by a refusal. "You have not been charged"
//!         is said only after the store has told that no payment of this cart is under way, and that the cart is no order.
//! Source  CHECKOUT.md 5.7, invariant I13.

use super::checkouts::Counter;
use super::error::Failure;
use super::limits::seconds;
use super::perform::services::{Held, Wish};
use super::perform::{Closed, INTERRUPTED, NoPayment, Pass};
use crate::commerce::checkout::Checkout;
use crate::commerce::money::Money;
use crate::commerce::order::OrderState;
use crate::commerce::payment::AttemptState;
use crate::commerce::quote::Quote;
use crate::theme::texts::Say;

/// Seconds after which a shopper may look whether paused payments begin again.
const PAUSED_RETRY_S: u32 = 60;
/// Why a payment does not begin whose units nobody confirms.
pub const UNCONFIRMED: &str = "stock_unconfirmed";
/// Seconds after which an inventory service that is left alone is asked again.
const UNCONFIRMED_RETRY_S: u32 = 10;
/// Seconds after which a key that was refused may have been mended.
const SHUT_RETRY_S: u32 = 30;

/// The right to begin a payment of that amount; `None`: it needs no gateway.
///
/// Errors: 503 with what the shopper may be told, or 409 where another payment of this cart stands in the way.
pub async fn admitted(counter: &Counter, checkout: &Checkout, amount: Money) -> Result<Option<Pass>, Failure> {
    match counter.till.admit(amount, &counter.desk.app.clock).await {
        Ok(pass) => Ok(pass),
        Err(why) => Err(refused(counter, checkout, why).await),
    }
}

/// Whether the shop's inventory service lets these units be sold. Nothing is written before it is asked.
///
/// Errors: 409 where it has too few, 503 where it is silent and nothing is sold without its word.
pub async fn held(counter: &Counter, checkout: &Checkout, quote: &Quote) -> Result<(), Failure> {
    let Counter { desk, till, .. } = counter;
    let before = checkout.order.as_ref().filter(|order| order.state != OrderState::Placed && order.quote.id != quote.id);
    let replaces = before.map(|order| &order.quote.id);
    let wish = Wish { live: &desk.live, quote, replaces, until: till.open_until(&desk.live, desk.now) };
    match desk.app.services.hold(&wish, &desk.app.clock).await {
        Held::Yes | Held::OwnLedger => Ok(()),
        Held::Short(skus) => {
            nothing_else_pays(counter, checkout).await?;
            let (detail, messages) = (Say::of("payment.sold_out"), counter.sold_out(&skus, checkout));
            Err(Failure::Conflict { code: "sold_out", detail, messages, total: None })
        }
        Held::Unconfirmed => {
            nothing_else_pays(counter, checkout).await?;
            let detail = Say::of("payment.stock_unconfirmed");
            Err(Failure::Unavailable { code: UNCONFIRMED, detail, retry_after_s: UNCONFIRMED_RETRY_S })
        }
    }
}

/// What is told of a payment that does not begin.
pub async fn refused(counter: &Counter, checkout: &Checkout, why: NoPayment) -> Failure {
    if let Err(failure) = nothing_else_pays(counter, checkout).await {
        return failure;
    }
    let (code, text, retry_after_s) = match why {
        NoPayment::Paused => ("payments_paused", "payment.interrupted", PAUSED_RETRY_S),
        NoPayment::Line(Closed::Interrupted { after_ms }) => (INTERRUPTED, "payment.interrupted", seconds(after_ms)),
        NoPayment::Line(Closed::Crowded { after_ms }) => ("payments_crowded", "payment.crowded", seconds(after_ms)),
    };
    Failure::Unavailable { code, detail: Say::of(text), retry_after_s }
}

/// Whether the attempt that was begun just now ended since the gateway takes no call of ours: nothing was made.
///
/// Errors: what the shopper is told then.
pub fn begun(checkout: &Checkout) -> Result<(), Failure> {
    let newest = checkout.attempt.as_ref();
    let is_shut =
        newest.is_some_and(|attempt| attempt.state == AttemptState::Declined && attempt.reason.as_deref() == Some(INTERRUPTED));
    match is_shut {
        false => Ok(()),
        true => {
            let detail = Say::of("payment.interrupted");
            Err(Failure::Unavailable { code: INTERRUPTED, detail, retry_after_s: SHUT_RETRY_S })
        }
    }
}

/// Another checkout of the same cart may be paid, or be an order.
async fn nothing_else_pays(counter: &Counter, checkout: &Checkout) -> Result<(), Failure> {
    let conflict = |code, key| Err(Failure::Conflict { code, detail: Say::of(key), messages: Vec::new(), total: None });
    let known = counter.till.store.order_by_cart(checkout.cart_id).await.map_err(|error| counter.unsure(&error))?;
    let Some(order) = known else { return Ok(()) };
    if order.state == OrderState::Placed {
        return conflict("cart_spent", "payment.cart_spent");
    }
    match counter.stored(&order.checkout).await?.attempt {
        Some(attempt) if attempt.state.is_live() => conflict("payment_in_progress", "payment.under_way_elsewhere"),
        _ => Ok(()),
    }
}
