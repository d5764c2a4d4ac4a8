//! Withdraw: a customer withdraws from an order, in two steps, without account and without script.
//!
//! Always  whoever comes without the order's link is answered the same whether there is such an order or not, and what is written about
//!         it goes to the order's own address alone. Late declarations are kept as well: whether they hold is not for a program to say.
//! Source  Directive 2011/83/EU, Article 11a: both labels, and the acknowledgement with content, date and time.

use std::sync::Arc;

use http::StatusCode;

use crate::commerce::fulfillment::FulfilledLine;
use crate::commerce::ids::{MarketId, OrderId};
use crate::commerce::order::{Order, OrderState};
use crate::commerce::withdrawal::{self, MAX_TEXT_BYTES, Proof, Withdrawal};
use crate::edge::app::App;
use crate::edge::checkout_reply::{rfc3339, time_of_day};
use crate::edge::checkouts::Counter;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::input::{Form, Whole};
use crate::edge::key_ring::Purpose;
use crate::edge::{pages, perform};
use crate::store::{Refusal, StoreError};
use crate::theme::engine::Values;
use crate::theme::texts::Say;

/// Prefix of form fields that hold the units of a line.
const LINE: &str = "line.";
/// Numbers and addresses are shorter.
const MAX_NAME_BYTES: usize = 254;

/// `GET /orders/withdraw`: the first step; with the order's link the second.
pub async fn begin(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let counter = Counter::of(app, &call)?;
    let query = Form::parse(call.uri.query().unwrap_or(""))?;
    let page = match proven(&counter, query.get("order"), query.get("token")).await? {
        Some(order) => second(&counter, &Asked::Proven(Box::new(order)), query.get("market"), None).await?,
        None => page(&counter, query.get("market"), Values::new().with("step", &"first"), StatusCode::OK),
    };
    Ok(page)
}

/// `POST /orders/withdraw`: the second step, and what is declared in it.
pub async fn send(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let form = Form::of(&call)?;
    let counter = Counter::of(app, &call)?;
    let market = form.get("market");
    let asked = match proven(&counter, form.get("order"), form.get("token")).await? {
        Some(order) => Asked::Proven(Box::new(order)),
        None => {
            let (number, email) = (form.get("number").trim(), form.get("email").trim());
            if number.is_empty() || email.is_empty() || number.len().max(email.len()) > MAX_NAME_BYTES {
                return Ok(page(&counter, market, Values::new().with("step", &"first"), StatusCode::UNPROCESSABLE_ENTITY));
            }
            Asked::Named { number: number.to_owned(), email: email.to_owned() }
        }
    };
    if form.get("step") != "confirm" {
        return second(&counter, &asked, market, None).await;
    }
    match declared(&asked, &form) {
        Ok(part) => confirm(&counter, &asked, part, market).await,
        Err(problem) => second(&counter, &asked, market, Some(problem)).await,
    }
}

/// Whose order it is about.
enum Asked {
    /// Whoever asks holds its link.
    Proven(Box<Order>),
    /// Anybody who knows, or guesses, these.
    Named { number: String, email: String },
}

/// What the customer withdraws from, and why.
struct Part {
    lines: Vec<FulfilledLine>,
    wanted: String,
    reason: String,
}

async fn proven(counter: &Counter, id: &str, token: &str) -> Result<Option<Order>, Failure> {
    if id.is_empty() || !counter.desk.app.keys.accepts(Purpose::Order, id, token) {
        return Ok(None);
    }
    let found = counter.till.store.order(&OrderId::from(id)).await.map_err(|error| counter.unsure(&error))?;
    // Of an order whose customer was erased nobody can prove to be that one.
    Ok(found.filter(|order| order.state == OrderState::Placed && order.erased_at.is_none()))
}

/// The order that is meant, where number and address are one order's.
async fn meant(counter: &Counter, asked: &Asked) -> Result<Option<Order>, Failure> {
    match asked {
        Asked::Proven(order) => Ok(Some((**order).clone())),
        Asked::Named { number, email } => {
            // As people write it: in small letters, or without what the shop's numbers begin with. All are looked for, whatever is found.
            let upper = number.to_uppercase();
            let whole = format!("{}{upper}", counter.desk.live.bundle.order_prefix);
            let mut found = None;
            for name in [number.as_str(), &upper, &whole] {
                let order = counter.till.store.order_by_number(name).await.map_err(|error| counter.unsure(&error))?;
                found = found.or(order);
            }
            let is_it = |order: &Order| {
                order.state == OrderState::Placed && order.quote.contact.email.to_lowercase() == email.to_lowercase()
            };
            Ok(found.filter(is_it))
        }
    }
}

/// What the form says.
///
/// Errors: the key of what has to be looked at again.
fn declared(asked: &Asked, form: &Form) -> Result<Part, &'static str> {
    let text = |name: &str| form.get(name).replace("\r\n", "\n").trim().to_owned();
    let (reason, wanted) = (text("reason"), text("wanted"));
    let is_odd = |text: &String| text.len() > MAX_TEXT_BYTES || text.chars().any(|letter| letter.is_control() && letter != '\n');
    if is_odd(&reason) || is_odd(&wanted) {
        return Err("withdrawal.too_long");
    }
    if form.get("what") != "some" {
        return Ok(Part { lines: Vec::new(), wanted: String::new(), reason });
    }
    match asked {
        Asked::Proven(order) => {
            let lines = chosen(order, form)?;
            Ok(Part { lines, wanted: String::new(), reason })
        }
        Asked::Named { .. } if wanted.is_empty() => Err("withdrawal.choose"),
        Asked::Named { .. } => Ok(Part { lines: Vec::new(), wanted, reason }),
    }
}

fn chosen(order: &Order, form: &Form) -> Result<Vec<FulfilledLine>, &'static str> {
    let mut lines = Vec::new();
    for (line, ordered) in (0_u32..).zip(&order.quote.priced.lines) {
        let Some(text) = form.filled(&format!("{LINE}{line}")) else { continue };
        let quantity = Whole::parse(text).and_then(Whole::as_u32).filter(|units| *units <= ordered.quantity);
        match quantity.ok_or("withdrawal.choose")? {
            0 => {}
            quantity => lines.push(FulfilledLine { line, sku: ordered.sku.clone(), quantity }),
        }
    }
    if lines.is_empty() { Err("withdrawal.choose") } else { Ok(lines) }
}

async fn second(counter: &Counter, asked: &Asked, market: &str, problem: Option<&'static str>) -> Result<Reply, Failure> {
    let values = Values::new().with("step", &"second");
    let site = site_of(counter, asked, market);
    let values = match problem {
        Some(key) => values.with("problem", &Say::of(key).with("email", &site.email).text(site)),
        None => values,
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    match asked {
        Asked::Proven(order) => {
            let values = values.with("order", &counter.order_reply(order).await?);
            let values = values.with("token", &counter.desk.app.keys.token(Purpose::Order, order.id.as_str()));
            Ok(page(counter, order.quote.market.as_str(), values, status))
        }
        Asked::Named { number, email } => Ok(page(counter, market, values.with("number", number).with("email", email), status)),
    }
}

async fn confirm(counter: &Counter, asked: &Asked, part: Part, market: &str) -> Result<Reply, Failure> {
    let now = counter.desk.now;
    let mut is_late = false;
    if let Some(order) = meant(counter, asked).await? {
        let sent = counter.till.store.fulfillments(&order.id).await.map_err(|error| counter.unsure(&error))?;
        let (_, site) = counter.desk.live.market(&order.quote.market);
        is_late = withdrawal::is_late(&order, &sent, site.withdrawal_days, now);
        let Part { lines, wanted, reason } = part;
        let (id, order) = (perform::new_id(), order.id);
        let declared = Withdrawal { id, order, lines, wanted, reason, is_late, created_at: now, handled_at: None, note: None };
        let proof = match asked {
            Asked::Proven(_) => Proof::Link,
            Asked::Named { .. } => Proof::Name,
        };
        let kept = counter.till.store.withdraw(declared, proof).await.map_err(|error| match error {
            StoreError::Refused(Refusal::Erased) => Failure::not_found(Say::of("says.no_order")),
            other => counter.unsure(&other),
        })?;
        // Of somebody who may be a stranger the house has it many times, and says nothing of that.
        if kept.is_none() && proof == Proof::Link {
            return second(counter, asked, market, Some("withdrawal.too_often")).await;
        }
    }
    let values = Values::new().with("step", &"done").with("received_at", &rfc3339(now)).with("time", &time_of_day(now));
    Ok(match asked {
        Asked::Proven(order) => {
            let values = values.with("to", &order.quote.contact.email).with("is_late", &is_late);
            page(counter, order.quote.market.as_str(), values, StatusCode::OK)
        }
        // Nothing of the order is said, not even how old it is.
        Asked::Named { .. } => page(counter, market, values, StatusCode::OK),
    })
}

fn site_of<'a>(counter: &'a Counter, asked: &Asked, market: &str) -> &'a crate::theme::view::SiteView {
    let market = match asked {
        Asked::Proven(order) => order.quote.market.clone(),
        Asked::Named { .. } => market_of(counter, market),
    };
    counter.desk.live.market(&market).1
}

/// The market that a link names, or the cart's, or the first.
fn market_of(counter: &Counter, named: &str) -> MarketId {
    let live = &counter.desk.live;
    let known = live.bundle.rules.market(&MarketId::from(named)).map(|market| market.id.clone());
    known.unwrap_or_else(|| counter.desk.session.speaks(live).0.clone())
}

fn page(counter: &Counter, market: &str, values: Values, status: StatusCode) -> Reply {
    let market = market_of(counter, market);
    let values = values.with("market", &market.as_str());
    pages::page_with(&counter.desk.live, "edge/withdraw.html", &market, values, status)
}
