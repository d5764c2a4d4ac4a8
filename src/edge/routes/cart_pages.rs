//! Cart pages: the cart for people, plain forms that work without script.
//!
//! Always  what is granted ends in 303 to /cart, so that a reload sends nothing twice; what is refused shows the cart with the
//!         reason and 422.

use std::sync::Arc;

use http::StatusCode;

use crate::commerce::cart::{CartCommand, LineId};
use crate::commerce::ids::{CouponCode, MarketId, Sku};
use crate::commerce::outside::OutsidePrices;
use crate::edge::app::App;
use crate::edge::carts::{Desk, Place, quantity_refused, rejected};
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::input::{Form, Whole};
use crate::edge::limits::shed::Weight;
use crate::edge::pages;
use crate::edge::words::{Note, Severity};
use crate::edge::{cart_reply, counted};

/// Prefix of form fields that hold a line's properties.
const PROPERTY: &str = "property.";

/// `GET /cart`.
pub async fn show(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let desk = Desk::of(app, &call);
    let cart = desk.show().await?;
    Ok(pages::cart(&desk.live, &cart, StatusCode::OK))
}

/// `POST /cart/lines`: the product page's form.
pub async fn add_line(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let form = Form::of(&call)?;
    let desk = Desk::of(app, &call);
    let wish = wish_to_add(&desk, &form);
    let vitals = Whole::parse(form.get("vitals")).and_then(Whole::as_u32).and_then(|bucket| u8::try_from(bucket).ok());
    answer(&desk, wish, vitals).await
}

/// `POST /cart/lines/{line}`: update or remove.
pub async fn change_line(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let form = Form::of(&call)?;
    let line = LineId(call.param("line").to_owned());
    let wish = match form.get("action") {
        "remove" => Ok(CartCommand::RemoveLine { line }),
        _ => quantity(&form).map(|quantity| CartCommand::SetQuantity { line, quantity }),
    };
    answer(&Desk::of(app, &call), wish.map(|command| (command, None)), None).await
}

/// `POST /cart/coupons`.
pub async fn add_coupon(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let form = Form::of(&call)?;
    let desk = Desk::of(app, &call);
    let wish = desk.coupon(form.get("code")).map(|code| (CartCommand::AddCoupon { code }, None));
    answer(&desk, wish, None).await
}

/// `POST /cart/coupons/{code}/remove`.
pub async fn remove_coupon(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    Form::of(&call)?;
    let code = CouponCode::normal(call.param("code"));
    answer(&Desk::of(app, &call), Ok((CartCommand::RemoveCoupon { code }, None)), None).await
}

/// `POST /cart/destination`.
pub async fn set_destination(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let form = Form::of(&call)?;
    let desk = Desk::of(app, &call);
    let wish = desk.destination(form.get("country"), form.filled("region"), form.filled("postal_code"));
    answer(&desk, wish.map(|destination| (CartCommand::SetDestination { destination }, None)), None).await
}

type Wish = (CartCommand, Option<(MarketId, String)>);

fn wish_to_add(desk: &Desk, form: &Form) -> Result<Wish, Failure> {
    let place = desk.place(Place { market: form.filled("market"), language: form.filled("language") })?;
    let sku = Sku::from(form.get("sku").to_owned());
    desk.check_stock(&sku)?;
    let property = |(name, text): &(String, String)| Some((name.strip_prefix(PROPERTY)?.to_owned(), text.clone()));
    let properties = form.fields().iter().filter_map(property).collect();
    let seen_price_minor = Whole::parse(form.get("seen_price_minor")).and_then(Whole::as_i64);
    let command = CartCommand::AddLine { sku: sku.hash(), quantity: quantity(form)?, properties, seen_price_minor };
    Ok((command, Some(place)))
}

fn quantity(form: &Form) -> Result<u32, Failure> {
    Whole::parse(form.get("quantity")).and_then(Whole::as_u32).ok_or_else(quantity_refused)
}

async fn answer(desk: &Desk, wish: Result<Wish, Failure>, vitals: Option<u8>) -> Result<Reply, Failure> {
    let outside = match &wish {
        Ok((command, place)) => desk.outside(place.as_ref().map(|(market, _)| market), command.adds()).await,
        Err(_) => OutsidePrices::NONE,
    };
    let granted = wish.and_then(|(command, place)| {
        let mut cart = desk.decide(command, place, &outside).map_err(|rejection| rejected(&rejection))?;
        let mut reply = Reply::see_other("/cart");
        desk.keep(&mut reply, &mut cart, vitals).map_err(|rejection| rejected(&rejection))?;
        Ok(reply)
    });
    match granted {
        Ok(reply) => Ok(reply),
        Err(failure) => refusal(desk, &failure).await,
    }
}

/// The unchanged cart with the reason on top.
async fn refusal(desk: &Desk, failure: &Failure) -> Result<Reply, Failure> {
    counted::meet(&desk.app, Weight::CartWrite, failure);
    let mut cart = desk.show().await?;
    let note = Note::new(Severity::Error, failure.code(), failure.detail());
    cart.messages.push(note.told(desk.session.speaks(&desk.live).1));
    cart_reply::sort(&mut cart.messages);
    Ok(pages::cart(&desk.live, &cart, StatusCode::UNPROCESSABLE_ENTITY))
}
