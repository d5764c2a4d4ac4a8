//! Checkout reply: a checkout or an order → the answer.
//!
//! Owns    what is said about a payment: its state in words that are never taken back ("not charged" only where that is certain).
//! Knows   no HTTP and no store.
//! Source  CHECKOUT.md 5.7, what the shopper sees.

use super::cart_reply::{self, ReplyFacts};
use super::key_ring::{KeyRing, Purpose};
use super::live::Live;
use super::perform::INTERRUPTED;
use super::reply::{
    AddressReply, CheckoutReply, ContactReply, ElementReply, FulfillmentReply, LineReply, Message, OrderLink, OrderReply,
    PaymentMethodReply, PaymentReply, QuoteReply, RelLink, SentLineReply, WithdrawalReply,
};
use super::words::{self, Note, Severity};
use crate::commerce::address::{Address, FieldProblem};
use crate::commerce::cart::Cart;
use crate::commerce::checkout::{Checkout, CheckoutState};
use crate::commerce::fulfillment::{FulfilledLine, Fulfillment, FulfillmentState};
use crate::commerce::ids::Timestamp;
use crate::commerce::order::{Order, OrderState};
use crate::commerce::outside::OutsidePrices;
use crate::commerce::payment::{Attempt, AttemptState, DISOWNED};
use crate::commerce::pricing::PricedCart;
use crate::commerce::withdrawal::Withdrawal;
use crate::theme::locale;
use crate::theme::texts::Say;
use crate::theme::view::{Link, SiteView};

/// What is said where nobody knows yet how a payment went.
pub const CHECKING: &str = "payment.checking";

/// What a checkout is described by.
#[derive(Clone, Debug)]
pub struct CheckoutFacts<'a> {
    /// For prices and stock.
    pub reply: ReplyFacts<'a>,
    /// Signs links.
    pub keys: &'a KeyRing,
    /// How it can be paid.
    pub methods: &'a [PaymentMethodReply],
    /// The gateway's form for what is to be paid.
    pub element: Option<ElementReply>,
    /// Whether the gateway was asked just now. Where not, a payment that seems to wait for the shopper may be paid already.
    pub is_fresh: bool,
}

/// The answer about a checkout whose cart is priced.
pub fn checkout_reply(
    checkout: &Checkout,
    cart: &Cart,
    priced: &PricedCart,
    problems: &[FieldProblem],
    facts: &CheckoutFacts<'_>,
) -> CheckoutReply {
    let now = facts.reply.at;
    let state = checkout.state(now);
    let (_, site) = facts.reply.live.market(&checkout.market);
    let cart = cart_reply::build(cart, priced, &facts.reply);
    let words = facts.reply.live.speaking(&cart.language, &checkout.market);
    let mut messages: Vec<Message> = problems.iter().map(|problem| words::of_field(problem).told(words)).collect();
    messages.extend(
        cart.messages
            .iter()
            .filter(|message| message.severity != "info")
            .cloned()
            .map(|message| Message { path: message.path.map(|path| format!("/cart{path}")), ..message }),
    );
    cart_reply::sort(&mut messages);
    let payment = payment_reply(checkout, facts, words);
    let order = checkout.order.as_ref().and_then(|order| order_link(facts.keys, order));
    let own = format!("{}/checkout/{}", site.base_url, checkout.id);
    let is_shown =
        matches!(state, CheckoutState::ReadyForComplete | CheckoutState::CompleteInProgress | CheckoutState::Completed);
    let quote = checkout.quote.as_ref().filter(|_| is_shown);
    CheckoutReply {
        id: checkout.id.0.clone(),
        state: state.name().to_owned(),
        cart,
        contact: ContactReply { email: checkout.contact.email.clone(), phone: checkout.contact.phone.clone() },
        address: address_reply(&checkout.address),
        quote: quote.map(|quote| QuoteReply {
            hash: quote.hash.clone(),
            total: quote.total(),
            expires_at: rfc3339(quote.expires_at),
            cart_revision: quote.cart_revision,
        }),
        continue_url: match (&order, &payment.redirect_url) {
            (Some(order), _) => format!("{}{}", site.base_url, order.url),
            (None, Some(url)) => url.clone(),
            (None, None) => own,
        },
        payment,
        messages,
        order,
        links: links(checkout, site),
    }
}

/// The answer about an order, of which so much was sent. `shows_mail`: whether its confirmation can be read here.
pub fn order_reply(live: &Live, keys: &KeyRing, order: &Order, sent: &[Fulfillment], shows_mail: bool) -> OrderReply {
    let quote = &order.quote;
    let token = keys.token(Purpose::Order, order.id.as_str());
    let mut links = vec![link("self", &format!("/orders/{}?token={token}", order.id))];
    let is_erased = order.erased_at.is_some();
    if shows_mail && !is_erased {
        links.push(link("mail", &format!("/orders/{}/mail?token={token}", order.id)));
    }
    let words = live.speaking(&quote.language, &quote.market);
    if order.state == OrderState::Placed {
        links.push(link("again", &format!("/orders/{}/again?token={token}", order.id)));
    }
    if words.withdrawal_days > 0 && order.state == OrderState::Placed && !is_erased {
        links.push(link("withdraw", &format!("/orders/withdraw?order={}&token={token}", order.id)));
    }
    let (payment_state, mut messages) = match (order.state, order.paid_at) {
        (OrderState::Placed, Some(_)) => ("paid", Vec::new()),
        (OrderState::Placed, None) => {
            let note = Note::new(Severity::Info, "payment_completing", Say::of("payment.completing"));
            ("authorized", vec![note.told(words)])
        }
        _ => ("pending", Vec::new()),
    };
    // A bundle of before has not the words.
    if let Some(at) = order.erased_at.filter(|_| words.texts.find("order.erased").is_some()) {
        let say = Say::of("order.erased").with("date", day(at, &words.language));
        messages.push(Note::new(Severity::Info, "erased", say).told(words));
    }
    let facts = ReplyFacts { live, stock: None, outside: &OutsidePrices::NONE, at: order.created_at, shipping_choice: None };
    let (_, site) = live.market(&quote.market);
    let lines: Vec<LineReply> = quote.priced.lines.iter().map(|line| cart_reply::line_reply(line, &facts, site)).collect();
    let shipping_name = quote.priced.shipping.as_ref().map(|option| match &option.delivery {
        Some(delivery) => format!("{}, {delivery}", option.name),
        None => option.name.clone(),
    });
    OrderReply {
        id: order.id.0.clone(),
        number: order.number.clone().unwrap_or_default(),
        state: order.state.name().to_owned(),
        placed_at: rfc3339(order.placed_at.unwrap_or(order.created_at)),
        payment_state: payment_state.to_owned(),
        email: quote.contact.email.clone(),
        language: quote.language.clone(),
        lines,
        totals: cart_reply::totals(&quote.priced, words),
        address: address_reply(&quote.address),
        shipping_name,
        fulfillment: FulfillmentState::of(order, sent).name().to_owned(),
        fulfillments: sent.iter().filter(|one| one.undone_at.is_none()).map(|one| fulfillment_reply(order, one)).collect(),
        messages,
        links,
    }
}

/// Something that is on its way.
pub fn fulfillment_reply(order: &Order, sent: &Fulfillment) -> FulfillmentReply {
    FulfillmentReply {
        sent_at: rfc3339(sent.created_at),
        carrier: sent.parcel.carrier.clone(),
        tracking: sent.parcel.tracking.clone(),
        url: Some(sent.parcel.url.clone()).filter(|url| !url.is_empty()),
        lines: sent_lines(order, &sent.lines),
    }
}

/// What a customer declared.
pub fn withdrawal_reply(order: &Order, declared: &Withdrawal) -> WithdrawalReply {
    let Withdrawal { lines, wanted, reason, is_late, .. } = declared.clone();
    WithdrawalReply { lines: sent_lines(order, &lines), wanted, reason, is_late }
}

fn sent_lines(order: &Order, lines: &[FulfilledLine]) -> Vec<SentLineReply> {
    let line = |one: &FulfilledLine| {
        let ordered = order.quote.priced.lines.get(one.line as usize)?;
        let (title, variant_title) = (ordered.title.clone(), ordered.variant_title.clone());
        Some(SentLineReply { sku: one.sku.to_string(), title, variant_title, quantity: one.quantity })
    };
    lines.iter().filter_map(line).collect()
}

/// A placed order's number and signed address.
pub fn order_link(keys: &KeyRing, order: &Order) -> Option<OrderLink> {
    let number = order.number.clone()?;
    Some(OrderLink { number, url: order_url(keys, order) })
}

/// An order's page, with the token that proves who may see it.
pub fn order_url(keys: &KeyRing, order: &Order) -> String {
    format!("/orders/{}?token={}", order.id, keys.token(Purpose::Order, order.id.as_str()))
}

fn payment_reply(checkout: &Checkout, facts: &CheckoutFacts<'_>, site: &SiteView) -> PaymentReply {
    let (state, detail) = match &checkout.attempt {
        None => ("none", None),
        // Without a page to go on to it is on its way to an end.
        Some(attempt)
            if attempt.state == AttemptState::AwaitingShopper && (!facts.is_fresh || attempt.redirect_url.is_none()) =>
        {
            ("checking", Some(CHECKING))
        }
        Some(attempt) => payment_words(attempt),
    };
    let redirect_url = checkout.attempt.as_ref().filter(|_| state == "redirect").and_then(|attempt| attempt.redirect_url.clone());
    let detail = detail.map(|key| Say::of(key).text(site));
    let is_payable = checkout.state(facts.reply.at) == CheckoutState::ReadyForComplete;
    let element = facts.element.clone().filter(|_| is_payable);
    PaymentReply { methods: facts.methods.to_vec(), state: state.to_owned(), detail, redirect_url, element }
}

fn payment_words(attempt: &Attempt) -> (&'static str, Option<&'static str>) {
    match attempt.state {
        AttemptState::IntentPending if planted!("unknown_is_told_unpaid") => ("none", Some("You have not been charged.")),
        AttemptState::AwaitingShopper => ("redirect", None),
        AttemptState::IntentPending | AttemptState::Authorized | AttemptState::Capturing => ("checking", Some(CHECKING)),
        AttemptState::Review => ("review", Some(CHECKING)),
        AttemptState::Paid => ("paid", None),
        AttemptState::Canceled if attempt.reason.as_deref() == Some(DISOWNED) => ("returning", Some("payment.returning")),
        AttemptState::Canceled => ("none", Some("payment.called_off")),
        AttemptState::Declined => ("declined", Some(declined_words(attempt.reason.as_deref().unwrap_or("")))),
    }
}

fn declined_words(code: &str) -> &'static str {
    match code {
        "insufficient_funds" => "payment.insufficient_funds",
        "expired_card" => "payment.expired_card",
        "authentication_failed" | "payment_intent_authentication_failure" => "payment.authentication_failed",
        INTERRUPTED => "payment.interrupted",
        _ => "payment.declined",
    }
}

fn links(checkout: &Checkout, site: &SiteView) -> Vec<RelLink> {
    let mut links = vec![link("self", &format!("/api/v1/checkouts/{}", checkout.id))];
    for Link { title, url } in &site.legal {
        links.push(RelLink { title: Some(title.clone()), ..link(url.rsplit('/').next().unwrap_or(url), url) });
    }
    links
}

fn link(rel: &str, href: &str) -> RelLink {
    RelLink { rel: rel.to_owned(), href: href.to_owned(), title: None }
}

fn address_reply(address: &Address) -> AddressReply {
    let Address { name, line1, line2, city, region, postal_code, country } = address.clone();
    AddressReply { name, line1, line2, city, region, postal_code, country }
}

/// RFC 3339 in UTC.
pub fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |at| at.to_string())
}

/// A day in UTC, as a language writes it.
fn day(at: Timestamp, language: &str) -> String {
    let at = jiff::Timestamp::from_second(at.0).unwrap_or_default();
    locale::date(at.to_zoned(jiff::tz::TimeZone::UTC).date(), language)
}

/// Hour and minute in UTC, for people.
pub fn time_of_day(at: Timestamp) -> String {
    let minutes = at.0.rem_euclid(24 * 3600) / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}
