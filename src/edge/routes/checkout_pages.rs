//! Checkout pages: the checkout for people, plain forms that work without script.
//!
//! Always  what is granted ends in 303, so that a reload sends nothing twice; what is refused shows the checkout with the reason; a
//!         payment of which nobody knows yet shows the checking page, and never "failed".

use std::sync::Arc;

use http::StatusCode;

use crate::commerce::address::{Address, Contact};
use crate::commerce::checkout::CheckoutState;
use crate::commerce::ids::ShippingRateId;
use crate::edge::app::App;
use crate::edge::cart_reply;
use crate::edge::checkout_reply::order_url;
use crate::edge::checkouts::{Counter, Details, Opening, PayWish};
use crate::edge::drafts::Shown;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::idempotency::{self, Keyed};
use crate::edge::input::Form;
use crate::edge::limits::shed::Weight;
use crate::edge::payable::UNCONFIRMED;
use crate::edge::perform::{MoveOn, Turned};
use crate::edge::reply::CheckoutReply;
use crate::edge::words::{Note, Severity};
use crate::edge::{counted, pages, perform};
use crate::theme::engine::Values;
use crate::theme::texts::Say;

/// `GET /checkout`: an address people type; the cart is where it begins.
pub async fn begin(_: Arc<App>, _: Call) -> Result<Reply, Failure> {
    Ok(Reply::see_other("/cart"))
}

/// `POST /checkout`: the cart's button.
pub async fn open(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    Form::of(&call)?;
    let counter = Counter::of(app, &call)?;
    match counter.open(None).await {
        Ok(Opening::New(checkout) | Opening::Present(checkout)) => Ok(Reply::see_other(&counter.path(&checkout))),
        Ok(Opening::Told(shown)) => Ok(Reply::see_other(&counter.path(&shown.checkout))),
        Ok(Opening::Spent(order)) => {
            let mut reply = Reply::see_other(&order_url(&counter.desk.app.keys, &order));
            counter.desk.session.forget(&mut reply, &counter.desk.live);
            Ok(reply)
        }
        Err(failure @ Failure::Refused { .. }) => {
            counted::meet(&counter.desk.app, Weight::Opening, &failure);
            let mut cart = counter.desk.show().await?;
            let note = Note::new(Severity::Error, failure.code(), failure.detail());
            cart.messages.push(note.told(counter.desk.session.speaks(&counter.desk.live).1));
            cart_reply::sort(&mut cart.messages);
            Ok(pages::cart(&counter.desk.live, &cart, StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(failure) => Err(failure),
    }
}

/// `GET /checkout/{checkout}`.
pub async fn show(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    stand(&counter, counter.present(checkout).await?).await
}

/// `POST /checkout/{checkout}`: contact, address, shipping.
pub async fn change(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let form = Form::of(&call)?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    let address = Address {
        name: form.get("name").to_owned(),
        line1: form.get("line1").to_owned(),
        line2: form.get("line2").to_owned(),
        city: form.get("city").to_owned(),
        region: form.get("region").to_owned(),
        postal_code: form.get("postal_code").to_owned(),
        country: form.get("country").to_owned(),
    };
    let contact = Contact { email: form.get("email").to_owned(), phone: form.get("phone").to_owned() };
    let shipping = form.filled("shipping").map(ShippingRateId::from);
    let details = Details { contact: Some(contact), address: Some(address), shipping };
    match counter.save(&checkout, details).await {
        // What is left to choose, and the button that buys, come next.
        Ok(shown) if counter.reply(&shown).quote.is_some() => {
            Ok(Reply::see_other(&format!("{}#shipping", counter.path(&checkout))))
        }
        Ok(shown) => {
            counted::stopped(&counter.desk.app, &counter.reply(&shown));
            Ok(page(&counter, &shown, None, StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(failure @ Failure::Conflict { .. }) => conflict(&counter, &call, Weight::Quote, failure).await,
        Err(failure) => Err(failure),
    }
}

/// `POST /checkout/{checkout}/payment`: the button that buys. A shopper who goes away in the middle leaves nothing half done.
pub async fn pay(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    super::checkout::to_its_end(pay_to_its_end(app, call)).await
}

async fn pay_to_its_end(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let form = Form::of(&call)?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    let (id, path) = (checkout.id.clone(), counter.path(&checkout));
    let confirmation = form.filled("confirmation_token");
    let wish = PayWish { quote_hash: form.get("quote_hash"), method: form.get("method"), confirmation };
    let paying = counter.pay(checkout, &wish);
    // Only what leads on is kept under the form's key: a refusal is shown with a fresh one.
    let Some(key) = form.filled("key") else { return on(&counter, &call, paying.await).await };
    let keyed = Keyed { scope: format!("{id} form"), key: idempotency::checked(key)?, hash: idempotency::hash_of(&call.body) };
    let mut ended = None;
    let work = async {
        let paid = paying.await;
        // Not kept where it is refused: as after a failure of our own, the form may be sent again.
        let kept =
            if paid.is_ok() { Ok(Reply::with_type(StatusCode::OK, "text/plain", Default::default())) } else { Err(Failure::Bug) };
        ended = Some(paid);
        kept
    };
    let once = idempotency::once(&counter, &keyed, &call.request_id, work).await;
    match (once, ended) {
        (_, Some(paid)) => on(&counter, &call, paid).await,
        (Ok(_), None) => on(&counter, &call, counter.moved(&id, MoveOn::GoOn).await).await,
        // A double click: the first one is at work, the page tells how far it is.
        (Err(Failure::InFlight { .. }), None) => Ok(Reply::see_other(&path)),
        (Err(failure), None) => Err(failure),
    }
}

/// `POST /checkout/{checkout}/payment/cancel`: the shopper wants to change something after all.
pub async fn call_off(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    Form::of(&call)?;
    let counter = Counter::of(app, &call)?;
    let checkout = counter.find(&call).await?;
    lead(&counter, counter.called_off(&call, checkout).await?).await
}

/// `GET` and `POST /checkout/{checkout}/return?token=`: back from the gateway. Only the token is believed, and where the payment
/// stands is asked, not read from the address.
pub async fn come_back(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let counter = Counter::of(app, &call)?;
    if !counter.is_proven {
        return Err(Failure::Forbidden { code: "bad_token", detail: Say::of("says.bad_token") });
    }
    failpoint!("K13");
    let checkout = counter.find(&call).await?;
    lead(&counter, counter.moved(&checkout.id, MoveOn::GoOn).await?).await
}

async fn on(counter: &Counter, call: &Call, paid: Result<Turned, Failure>) -> Result<Reply, Failure> {
    match paid {
        Ok(turned) => lead(counter, turned).await,
        Err(failure @ (Failure::Conflict { .. } | Failure::Refused { .. })) => {
            conflict(counter, call, Weight::Payment, failure).await
        }
        // The checkout is as it was, and can be paid from the same page once payments begin again.
        Err(failure) if failure.code().starts_with("payments_") || failure.code() == UNCONFIRMED => {
            conflict(counter, call, Weight::Payment, failure).await
        }
        Err(failure) => Err(failure),
    }
}

/// Where a shopper goes on, by where the payment stands.
async fn lead(counter: &Counter, turned: Turned) -> Result<Reply, Failure> {
    let Turned { checkout, is_fresh, .. } = turned;
    if checkout.state(counter.desk.now) == CheckoutState::Completed {
        let order = checkout.order.as_ref().ok_or(Failure::Bug)?;
        let mut reply = Reply::see_other(&order_url(&counter.desk.app.keys, order));
        counter.forget_spent(&mut reply, &checkout);
        return Ok(reply);
    }
    let shown = counter.shown(checkout, is_fresh).await?;
    let payment = counter.reply(&shown).payment;
    let mut reply = match (payment.state.as_str(), payment.redirect_url) {
        ("redirect", Some(url)) => Reply::see_other(&url),
        _ => Reply::see_other(&counter.path(&shown.checkout)),
    };
    counter.mark(&mut reply, &shown.checkout);
    Ok(reply)
}

/// The checkout's page as it stands.
async fn stand(counter: &Counter, turned: Turned) -> Result<Reply, Failure> {
    let state = turned.checkout.state(counter.desk.now);
    match state {
        CheckoutState::Completed => lead(counter, turned).await,
        CheckoutState::CompleteInProgress => {
            let shown = counter.shown(turned.checkout, turned.is_fresh).await?;
            let is_open = counter.reply(&shown).payment.state == "redirect";
            Ok(if is_open { page(counter, &shown, None, StatusCode::OK) } else { checking(counter) })
        }
        _ => Ok(page(counter, &counter.looked_at(turned.checkout).await?, None, StatusCode::OK)),
    }
}

/// The checkout as it is now, with what stood in the way on top.
async fn conflict(counter: &Counter, call: &Call, on: Weight, failure: Failure) -> Result<Reply, Failure> {
    counted::meet(&counter.desk.app, on, &failure);
    let checkout = counter.find(call).await?;
    if matches!(checkout.state(counter.desk.now), CheckoutState::Completed | CheckoutState::CompleteInProgress) {
        let turned = counter.present(checkout).await?;
        return stand(counter, turned).await;
    }
    let shown = counter.looked_at(checkout).await?;
    let page = page(counter, &shown, Some(&failure), failure.status());
    Ok(failure.headed(page))
}

fn page(counter: &Counter, shown: &Shown, failure: Option<&Failure>, status: StatusCode) -> Reply {
    let mut reply: CheckoutReply = counter.reply(shown);
    if let Some(failure) = failure {
        // What stood in the way hides what became of an earlier try.
        reply.payment.detail = None;
        let words = counter.desk.live.speaking(&shown.checkout.language, &shown.checkout.market);
        let first = Note::new(Severity::Error, failure.code(), failure.detail());
        reply.messages.splice(0..0, [&first].into_iter().chain(failure.notes()).map(|note| note.told(words)));
    }
    let market = &shown.checkout.market;
    let seconds = shown.checkout.quote.as_ref().map_or(0, |quote| quote.expires_at.0 - counter.desk.now.0);
    let values = Values::new().with("held_minutes", &(seconds / 60).max(1));
    let values = values.with("checkout", &reply).with("key", &perform::new_id()).with("query", &counter.query(&shown.checkout));
    let mut page = pages::page_with(&counter.desk.live, "edge/checkout.html", market, values, status);
    if reply.payment.element.is_some() {
        pages::add_element_policy(&mut page);
    }
    page
}

fn checking(counter: &Counter) -> Reply {
    let market = &counter.desk.live.bundle.rules.root_market().id;
    let market = counter.desk.session.cart.as_ref().map_or(market, |cart| &cart.market);
    pages::page_with(&counter.desk.live, "edge/checking.html", market, Values::new(), StatusCode::OK)
}
