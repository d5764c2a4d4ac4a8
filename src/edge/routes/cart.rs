//! Cart: the cart's routes for programs, JSON in and out.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::commerce::cart::{CartCommand, LineId};
use crate::commerce::ids::{CouponCode, MarketId, Sku};
use crate::edge::app::App;
use crate::edge::carts::{Desk, Place, quantity_refused, rejected};
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::input::{self, Whole};

/// Bodies of `POST cart/lines`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddLine {
    sku: String,
    quantity: Whole,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(default)]
    seen_price_minor: Option<Whole>,
    #[serde(default)]
    market: Option<String>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    vitals: Option<Whole>,
}

/// Bodies of `PATCH cart/lines/{line}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeLine {
    quantity: Whole,
}

/// Bodies of `PUT cart/destination`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetDestination {
    country: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    postal_code: Option<String>,
}

/// `GET cart`.
pub async fn show(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &[])?;
    let desk = Desk::of(app, &call);
    Ok(json(&desk.show().await?))
}

/// `POST cart/lines`.
pub async fn add_line(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let body: AddLine = input::json(&call)?;
    let desk = Desk::of(app, &call);
    let place = desk.place(Place { market: body.market.as_deref(), language: body.language.as_deref() })?;
    let sku = Sku::from(body.sku);
    desk.check_stock(&sku)?;
    let quantity = body.quantity.as_u32().ok_or_else(quantity_refused)?;
    let seen_price_minor = body.seen_price_minor.and_then(Whole::as_i64);
    let properties = body.properties.into_iter().collect();
    let command = CartCommand::AddLine { sku: sku.hash(), quantity, properties, seen_price_minor };
    let vitals = body.vitals.and_then(Whole::as_u32).and_then(|bucket| u8::try_from(bucket).ok());
    answer(&desk, command, Some(place), vitals).await
}

/// `PATCH cart/lines/{line}`.
pub async fn change_line(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let body: ChangeLine = input::json(&call)?;
    let quantity = body.quantity.as_u32().ok_or_else(quantity_refused)?;
    let line = LineId(call.param("line").to_owned());
    answer(&Desk::of(app, &call), CartCommand::SetQuantity { line, quantity }, None, None).await
}

/// `DELETE cart/lines/{line}`.
pub async fn remove_line(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::nothing(&call)?;
    let line = LineId(call.param("line").to_owned());
    answer(&Desk::of(app, &call), CartCommand::RemoveLine { line }, None, None).await
}

/// `PUT cart/coupons/{code}`.
pub async fn add_coupon(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::nothing(&call)?;
    let desk = Desk::of(app, &call);
    let code = desk.coupon(call.param("code"))?;
    answer(&desk, CartCommand::AddCoupon { code }, None, None).await
}

/// `DELETE cart/coupons/{code}`.
pub async fn remove_coupon(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::nothing(&call)?;
    let code = CouponCode::normal(call.param("code"));
    answer(&Desk::of(app, &call), CartCommand::RemoveCoupon { code }, None, None).await
}

/// `PUT cart/destination`.
pub async fn set_destination(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let body: SetDestination = input::json(&call)?;
    let desk = Desk::of(app, &call);
    let destination = desk.destination(&body.country, body.region.as_deref(), body.postal_code.as_deref())?;
    answer(&desk, CartCommand::SetDestination { destination }, None, None).await
}

/// `GET cart/shipping-options`.
pub async fn shipping_options(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &[])?;
    let cart = Desk::of(app, &call).show().await?;
    Ok(json(&serde_json::json!({
        "destination": cart.destination,
        "shipping_options": cart.shipping_options,
        "messages": cart.messages,
    })))
}

/// 200 with a JSON body.
pub fn json(value: &impl Serialize) -> Reply {
    let body = serde_json::to_vec(value).expect("replies are plain data");
    Reply::with_type(StatusCode::OK, "application/json", body.into())
}

async fn answer(
    desk: &Desk,
    command: CartCommand,
    place: Option<(MarketId, String)>,
    vitals: Option<u8>,
) -> Result<Reply, Failure> {
    let outside = desk.outside(place.as_ref().map(|(market, _)| market), command.adds()).await;
    let mut cart = desk.decide(command, place, &outside).map_err(|rejection| rejected(&rejection))?;
    let mut described = desk.described(&cart, &outside)?;
    desk.tell_loss(&mut described);
    let mut reply = json(&described);
    desk.keep(&mut reply, &mut cart, vitals).map_err(|rejection| rejected(&rejection))?;
    Ok(reply)
}
