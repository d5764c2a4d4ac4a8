//! Checkout: the checkout's routes for programs, JSON in and out.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::cart::json;
use crate::commerce::address::{Address, Contact};
use crate::commerce::checkout::{Checkout, CheckoutState};
use crate::commerce::ids::ShippingRateId;
use crate::edge::app::App;
use crate::edge::checkouts::{Counter, Details, Opening};
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::idempotency::{self, Keyed};
use crate::edge::input;
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
}

/// `POST checkouts`.
pub async fn open(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let written: WrittenDetails = if call.body.is_empty() { WrittenDetails::default() } else { input::json(&call)? };
    let counter = Counter::of(app, &call)?;
    let work = async {
        let checkout = match counter.open().await? {
            Opening::New(checkout) => *checkout,
            Opening::Spent(order) => {
                let checkout = counter.till.store.checkout(&order.checkout).await;
                let checkout = checkout.map_err(|error| idempotency::unwell(&error))?.ok_or(Failure::Bug)?;
                return answer(&counter, checkout, StatusCode::OK);
            }
        };
        if written.contact.is_none() && written.address.is_none() && written.shipping.is_none() {
            return answer(&counter, checkout, StatusCode::CREATED);
        }
        let shown = counter.save(&checkout, details(written)).await?;
        Ok(described(&counter, &shown.checkout, json(&counter.reply(&shown)), StatusCode::CREATED))
    };
    match (idempotency::key_of(&call)?, &counter.desk.session.cart) {
        (Some(key), Some(cart)) => {
            let keyed = Keyed { scope: format!("{} checkouts", cart.id), key, hash: idempotency::hash_of(&call.body) };
            idempotency::once(&counter.till, &keyed, &call.request_id, counter.desk.now, work).await
        }
        _ => work.await,
    }
}

/// `GET checkouts/{checkout}`.
pub async fn show(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    let checkout = match checkout.state(counter.desk.now) {
        CheckoutState::CompleteInProgress => counter.moved(&checkout.id, false).await?,
        _ => checkout,
    };
    answer(&counter, checkout, StatusCode::OK)
}

/// `PATCH checkouts/{checkout}`.
pub async fn change(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    let written: WrittenDetails = input::json(&call)?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    let shown = counter.save(&checkout, details(written)).await?;
    Ok(described(&counter, &shown.checkout, json(&counter.reply(&shown)), StatusCode::OK))
}

/// `POST checkouts/{checkout}/payment`.
pub async fn pay(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    let body: Payment = input::json(&call)?;
    let detail = "a payment needs an Idempotency-Key, so that it is never made twice; send a fresh UUID with each purchase";
    let key = idempotency::key_of(&call)?.ok_or_else(|| Failure::malformed("idempotency_key_missing", detail))?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    let keyed = Keyed { scope: format!("{} payment", checkout.id), key, hash: idempotency::hash_of(&call.body) };
    let work = async {
        let paid = counter.pay(checkout, &body.quote_hash, &body.method).await?;
        answer(&counter, paid, StatusCode::OK)
    };
    idempotency::once(&counter.till, &keyed, &call.request_id, counter.desk.now, work).await
}

/// `DELETE checkouts/{checkout}/payment`.
pub async fn call_off(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    input::nothing(&call)?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    let checkout = counter.moved(&checkout.id, true).await?;
    answer(&counter, checkout, StatusCode::OK)
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

fn answer(counter: &Counter, checkout: Checkout, status: StatusCode) -> Result<Reply, Failure> {
    let shown = counter.shown(checkout)?;
    Ok(described(counter, &shown.checkout, json(&counter.reply(&shown)), status))
}

fn described(counter: &Counter, checkout: &Checkout, mut reply: Reply, status: StatusCode) -> Reply {
    reply.status = status;
    if status == StatusCode::CREATED {
        let address = HeaderValue::from_str(&format!("/api/v1/checkouts/{}", checkout.id)).expect("UUIDs are ASCII");
        reply.headers.insert(header::LOCATION, address);
    }
    match checkout.state(counter.desk.now) {
        CheckoutState::Completed => counter.forget_spent(&mut reply, checkout),
        _ => counter.mark(&mut reply, checkout),
    }
    reply
}
