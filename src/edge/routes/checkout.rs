//! Checkout: the checkout's routes for programs, JSON in and out.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::cart::json;
use crate::commerce::address::{Address, Contact};
use crate::commerce::checkout::{Checkout, CheckoutState};
use crate::commerce::ids::ShippingRateId;
use crate::edge::app::App;
use crate::edge::checkouts::{Counter, Details, Opening, PayWish};
use crate::edge::counted;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::idempotency::{self, Keyed};
use crate::edge::input;
use crate::edge::perform::Turned;
use crate::edge::reply::{AddressReply, ContactReply};

/// Bodies of `POST checkouts` and `PATCH checkouts/{id}`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenDetails {
    contact: Option<ContactReply>,
    address: Option<AddressReply>,
    shipping: Option<String>,
}

/// Bodies of `POST checkouts/{id}/payment`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payment {
    quote_hash: String,
    method: String,
    confirmation_token: Option<String>,
}

/// `POST checkouts`.
pub async fn open(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let written: WrittenDetails = if call.body.is_empty() { WrittenDetails::default() } else { input::json(&call)? };
    let counter = Counter::of(app, &call)?;
    let work = async {
        let tells = written.contact.is_some() || written.address.is_some() || written.shipping.is_some();
        let told = details(written);
        let (checkout, status) = match counter.open(tells.then(|| told.clone())).await? {
            Opening::New(checkout) => (*checkout, StatusCode::CREATED),
            Opening::Told(shown) => {
                let reply = counter.reply(&shown);
                counted::stopped(&counter.desk.app, &reply);
                return Ok(described(&counter, &shown.checkout, json(&reply), StatusCode::CREATED));
            }
            Opening::Present(checkout) => (*checkout, StatusCode::OK),
            Opening::Spent(order) => (counter.stored(&order.checkout).await?, StatusCode::OK),
        };
        if tells && checkout.state(counter.desk.now) != CheckoutState::Completed {
            return saved(&counter, &checkout, told, status).await;
        }
        answer(&counter, counter.present(checkout).await?, status).await
    };
    match (idempotency::key_of(&call)?, &counter.desk.session.cart) {
        (Some(key), Some(cart)) => {
            let keyed = Keyed { scope: format!("{} checkouts", cart.id), key, hash: idempotency::hash_of(&call.body) };
            idempotency::once(&counter, &keyed, &call.request_id, work).await
        }
        _ => work.await,
    }
}

/// `GET checkouts/{checkout}`.
pub async fn show(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    answer(&counter, counter.present(checkout).await?, StatusCode::OK).await
}

/// `PATCH checkouts/{checkout}`.
pub async fn change(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    let written: WrittenDetails = input::json(&call)?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    saved(&counter, &checkout, details(written), StatusCode::OK).await
}

async fn saved(counter: &Counter, checkout: &Checkout, told: Details, status: StatusCode) -> Result<Reply, Failure> {
    let shown = counter.save(checkout, told).await?;
    let reply = counter.reply(&shown);
    counted::stopped(&counter.desk.app, &reply);
    Ok(described(counter, &shown.checkout, json(&reply), status))
}

/// `POST checkouts/{checkout}/payment`.
pub async fn pay(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    let body: Payment = input::json(&call)?;
    let detail = "a payment needs an Idempotency-Key, so that it is never made twice; send a fresh UUID with each purchase";
    let key = idempotency::key_of(&call)?.ok_or_else(|| Failure::malformed("idempotency_key_missing", detail))?;
    // A shopper who goes away in the middle leaves nothing half done.
    to_its_end(async move {
        let counter = Counter::of(app, &call)?;
        let checkout = counter.find(&call).await?;
        let id = checkout.id.clone();
        let keyed = Keyed { scope: format!("{id} payment"), key, hash: idempotency::hash_of(&call.body) };
        let work = async {
            let confirmation = body.confirmation_token.as_deref();
            let wish = PayWish { quote_hash: &body.quote_hash, method: &body.method, confirmation };
            let paid = counter.pay(checkout, &wish).await?;
            answer(&counter, paid, StatusCode::OK).await
        };
        let mut reply = idempotency::once(&counter, &keyed, &call.request_id, work).await?;
        if idempotency::is_replayed(&reply) {
            // What travels beside the body is of this moment.
            hand_cart(&counter, &counter.stored(&id).await?, &mut reply);
        }
        Ok(reply)
    })
    .await
}

/// `DELETE checkouts/{checkout}/payment`.
pub async fn call_off(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    input::nothing(&call)?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    answer(&counter, counter.called_off(&call, checkout).await?, StatusCode::OK).await
}

/// Runs work to its end even when the connection that asked for it is gone.
pub async fn to_its_end(work: impl Future<Output = Result<Reply, Failure>> + Send + 'static) -> Result<Reply, Failure> {
    tokio::spawn(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request broke off");
        Err(Failure::Bug)
    })
}

fn details(written: WrittenDetails) -> Details {
    Details {
        contact: written.contact.map(|ContactReply { email, phone }| Contact { email, phone }),
        address: written.address.map(|address| {
            let AddressReply { name, line1, line2, city, region, postal_code, country } = address;
            Address { name, line1, line2, city, region, postal_code, country }
        }),
        shipping: written.shipping.map(|rate| ShippingRateId::from(rate.as_str())),
    }
}

async fn answer(counter: &Counter, turned: Turned, status: StatusCode) -> Result<Reply, Failure> {
    let shown = counter.shown(turned.checkout, turned.is_fresh).await?;
    Ok(described(counter, &shown.checkout, json(&counter.reply(&shown)), status))
}

fn described(counter: &Counter, checkout: &Checkout, mut reply: Reply, status: StatusCode) -> Reply {
    reply.status = status;
    if status == StatusCode::CREATED {
        let address = HeaderValue::from_str(&format!("/api/v1/checkouts/{}", checkout.id)).expect("UUIDs are ASCII");
        reply.headers.insert(header::LOCATION, address);
    }
    hand_cart(counter, checkout, &mut reply);
    reply
}

/// Takes the cart away once it is an order, or marks it as being paid.
fn hand_cart(counter: &Counter, checkout: &Checkout, reply: &mut Reply) {
    match checkout.state(counter.desk.now) {
        CheckoutState::Completed => counter.forget_spent(reply, checkout),
        _ => counter.mark(reply, checkout),
    }
}
