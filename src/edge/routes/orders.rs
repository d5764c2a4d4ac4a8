//! Orders: an order for whoever holds its signed link, as JSON, as a page, and in development its mail.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use super::cart::json;
use crate::edge::app::App;
use crate::edge::carts::rejected;
use crate::edge::checkouts::Counter;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::input::Form;
use crate::edge::perform::mail;
use crate::edge::words::{Note, Severity, of_cart};
use crate::edge::{cart_reply, input, pages};
use crate::theme::texts::Say;

/// A mail's styles stand in its tags, as mail programs want it; nothing in it runs or is fetched but pictures.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; frame-ancestors 'none'";

/// `GET /api/v1/orders/{order}?token=`.
pub async fn show(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    input::query(&call, &["token"])?;
    let counter = Counter::of(app, &call)?;
    let order = counter.order(&call).await?;
    Ok(json(&counter.order_reply(&order).await?))
}

/// `GET /orders/{order}?token=`.
pub async fn page(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let counter = Counter::of(app, &call)?;
    let order = counter.order(&call).await?;
    let reply = counter.order_reply(&order).await?;
    Ok(pages::page(&counter.desk.live, "edge/order.html", &order.quote.market, ("order", &reply), StatusCode::OK))
}

/// `POST /orders/{order}/again?token=`: what was bought goes into the cart once more, as far as it is still sold.
pub async fn again(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    Form::of(&call)?;
    let counter = Counter::of(app, &call)?;
    let order = counter.order(&call).await?;
    let (mut cart, left) = counter.desk.again(&order).await;
    if left.is_empty() {
        let mut reply = Reply::see_other("/cart");
        counter.desk.keep(&mut reply, &mut cart, None).map_err(|rejection| rejected(&rejection))?;
        return Ok(reply);
    }
    let market = cart.market.clone();
    let outside = counter.desk.outside(Some(&market), None).await;
    let mut shown = counter.desk.described(&cart, &outside)?;
    let words = counter.desk.live.speaking(&cart.language, &market);
    for (name, rejection) in &left {
        let say = Say::of("order.left_out").with("name", name).with_text("why", of_cart(rejection));
        shown.messages.push(Note::new(Severity::Warning, "left_out", say).told(words));
    }
    cart_reply::sort(&mut shown.messages);
    let mut reply = pages::cart(&counter.desk.live, &shown, StatusCode::OK);
    // Where nothing is sold any more the cart stays as it was.
    if left.len() < order.quote.priced.lines.len() {
        counter.desk.keep(&mut reply, &mut cart, None).map_err(|rejection| rejected(&rejection))?;
    }
    Ok(reply)
}

/// `GET /orders/{order}/mail?token=`: the confirmation as it was written into `.vitrine/mail`, in development only.
pub async fn confirmation(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let counter = Counter::of(app, &call)?;
    let order = counter.order(&call).await?;
    if !counter.till.mailer.holds(&order) || order.erased_at.is_some() {
        return Err(Failure::not_found(Say::of("says.no_mail")));
    }
    let reply = counter.order_reply(&order).await?;
    let page = mail::confirmation_page(&counter.desk.live, &reply, order.quote.market.as_str());
    let mut reply = Reply::html(
        StatusCode::OK,
        page.map_err(|error| {
            tracing::error!(%error, "a confirmation cannot be printed");
            Failure::Bug
        })?,
    );
    reply.headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY));
    Ok(reply)
}
