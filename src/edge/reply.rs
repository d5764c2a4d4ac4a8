//! Reply: the edge's answers, as JSON and as what its pages are printed from.
//!
//! One resource model, two representations: the JSON answer to `GET /api/v1/cart` and the value `cart` in edge/cart.html are the same
//! object. Templates: edge/cart.html {site, cart}, edge/checkout.html {site, checkout, key, query, held_minutes}, edge/checking.html {site},
//! edge/order.html {site, order}, edge/problem.html {site, problem}. Mails: mail/order.txt and mail/order.html {site, order},
//! mail/refund.txt and mail/refund.html {site, order, amount, reason}, mail/sent.txt and mail/sent.html {site, order, parcel, is_all},
//! mail/withdrawal.txt and mail/withdrawal.html {site, order, withdrawal, received_at, time}. edge/withdraw.html has {site, market, step}, and with
//! its steps {order, token} or {number, email}, {problem}, {received_at, time, to, is_late}.

use serde::{Deserialize, Serialize};

use crate::commerce::catalog::Image;
use crate::commerce::money::Money;
use crate::theme::view::{Availability, PerMeasureView};

/// A priced cart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CartReply {
    /// The random cart id (32 hex digits); empty while there is no cart.
    pub id: String,
    /// Counts changes.
    pub revision: u32,
    /// Market name.
    pub market: String,
    /// ISO 4217.
    pub currency: String,
    /// BCP 47.
    pub language: String,
    /// Whether amounts contain tax.
    pub tax_included: bool,
    /// Units over all lines.
    pub units: u64,
    /// Lines that can be bought.
    pub lines: Vec<LineReply>,
    /// Codes and what they did.
    pub coupons: Vec<CouponReply>,
    /// Where to, once known.
    pub destination: Option<DestinationReply>,
    /// Whether something in it travels as a parcel; downloads alone need no street.
    pub needs_shipping: bool,
    /// Rates for the destination.
    pub shipping_options: Vec<ShippingOptionReply>,
    /// Typed parts that add up to the part of kind `total`.
    pub totals: Vec<TotalReply>,
    /// What the shopper has to know, worst first.
    pub messages: Vec<Message>,
    /// Lines whose price differs from the one last shown.
    pub changed: Vec<ChangedPrice>,
    /// Whether a checkout can be opened for it.
    pub can_checkout: bool,
    /// Our own page that goes on from here.
    pub continue_url: String,
    /// Related addresses: `self`, `checkout`.
    pub links: Vec<RelLink>,
}

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LineReply {
    /// 16 hex digits.
    pub id: String,
    /// The variant's code.
    pub sku: String,
    /// Last part of the product's address.
    pub product: String,
    /// Path of the product's page.
    pub url: String,
    /// Product title.
    pub title: String,
    /// `Large / Blue`; empty for an only variant.
    pub variant_title: String,
    /// What the shopper wrote: label and text.
    pub properties: Vec<PropertyReply>,
    /// Thumbnail.
    pub image: Option<Image>,
    /// Units.
    pub quantity: u32,
    /// Fewest, most, step.
    pub quantity_rule: crate::commerce::catalog::QuantityRule,
    /// Per unit.
    pub unit_price: Money,
    /// Struck-out, per unit.
    pub compare_at: Option<Money>,
    /// What one measure of it costs, such as a kilogram.
    pub per_measure: Option<PerMeasureReply>,
    /// quantity × unit price.
    pub subtotal: Money,
    /// Taken off by promotions.
    pub discount: Money,
    /// subtotal − discount.
    pub total: Money,
    /// By the last snapshot of stock; `in_stock` when there is none.
    pub availability: Availability,
}

/// What one measure of a line's product costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PerMeasureReply {
    /// Price and measure.
    #[serde(flatten)]
    pub view: PerMeasureView,
    /// Both in words, such as `€26.53 / l`.
    pub text: String,
}

/// A property of a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PropertyReply {
    /// Field name.
    pub key: String,
    /// What people read.
    pub label: String,
    /// What was written.
    pub value: String,
}

/// A code in the cart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CouponReply {
    /// As stored.
    pub code: String,
    /// The promotion's title.
    pub title: Option<String>,
    /// Whether it gives something.
    pub applied: bool,
    /// What it gives.
    pub amount: Option<Money>,
    /// Stable code of the refusal.
    pub reason: Option<String>,
    /// The refusal for people.
    pub detail: Option<String>,
}

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationReply {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 3166-2 without the country.
    pub region: Option<String>,
    /// As written.
    pub postal_code: Option<String>,
}

/// A way to send it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShippingOptionReply {
    /// Its name on the wire.
    pub id: String,
    /// What people read.
    pub name: String,
    /// Such as `2–3 working days`.
    pub delivery: Option<String>,
    /// What it costs here.
    pub price: Money,
    /// Whether the totals count it.
    pub selected: bool,
}

/// A part of the total. Kinds: `subtotal`, `discount` (one per promotion, negative, its title the label), `shipping`, `shipping_discount`
/// (the same), `tax` (one per rate; with
/// `included: true` it is inside the others), `total`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TotalReply {
    /// See above.
    pub kind: String,
    /// What people read.
    pub label: String,
    /// How much.
    pub amount: Money,
    /// Whether it is already inside the other parts.
    pub included: bool,
}

/// Something the shopper has to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Stable, for programs: `price_changed`, `line_unavailable`, `sold_out`, `coupon_expired` …
    pub code: String,
    /// `error` (stops checkout), `warning` or `info`.
    pub severity: String,
    /// JSON pointer to what it is about.
    pub path: Option<String>,
    /// For people.
    pub text: String,
}

/// A price that is not the one last shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangedPrice {
    /// Line id.
    pub line: String,
    /// Per unit, as last shown.
    pub seen: Money,
    /// Per unit, now.
    pub now: Money,
}

/// A related address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RelLink {
    /// What it is: `self`, `checkout`, `order`, `terms` …
    pub rel: String,
    /// Path or URL.
    pub href: String,
    /// What people read, where it is a page for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// A checkout.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckoutReply {
    /// UUID.
    pub id: String,
    /// `incomplete`, `ready_for_complete`, `complete_in_progress`, `completed`, `canceled`.
    pub state: String,
    /// The lines it is about, priced: frozen by the quote once there is one.
    pub cart: CartReply,
    /// Who to write to.
    pub contact: ContactReply,
    /// Where to; fields empty while unknown.
    pub address: AddressReply,
    /// Frozen totals with their hash; `None` until contact, address and shipping are known.
    pub quote: Option<QuoteReply>,
    /// How it can be paid.
    pub payment: PaymentReply,
    /// What the shopper has to know: field errors carry a path such as `/address/postal_code`.
    pub messages: Vec<Message>,
    /// The order, once there is one that is placed.
    pub order: Option<OrderLink>,
    /// Where the shopper goes on: our page, or the gateway's while paying.
    pub continue_url: String,
    /// Related addresses, the legal pages among them.
    pub links: Vec<RelLink>,
}

/// Who to write to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContactReply {
    /// E-mail.
    pub email: String,
    /// For the carrier.
    pub phone: String,
}

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressReply {
    /// Who opens the door.
    pub name: String,
    /// Street and number.
    pub line1: String,
    /// Flat, floor.
    pub line2: String,
    /// Town.
    pub city: String,
    /// State or province code.
    pub region: String,
    /// As written.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
}

/// A frozen quote.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QuoteReply {
    /// Hex SHA-256 of its canonical bytes; sent back with the payment.
    pub hash: String,
    /// What is paid.
    pub total: Money,
    /// RFC 3339 UTC.
    pub expires_at: String,
    /// Revision of the cart it was made for.
    pub cart_revision: u32,
}

/// How it is paid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaymentReply {
    /// Methods: id and name.
    pub methods: Vec<PaymentMethodReply>,
    /// `none`, `redirect`, `checking`, `declined`, `paid`, `review`.
    pub state: String,
    /// For people: what happened to the last try, from CHECKOUT's stated texts.
    pub detail: Option<String>,
    /// The gateway's page, while `redirect`.
    pub redirect_url: Option<String>,
    /// The gateway's form for our own page, where the shop offers it and there is something to pay.
    pub element: Option<ElementReply>,
}

/// The gateway's form for our own page: what its script is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ElementReply {
    /// Address of the gateway's script.
    pub script: String,
    /// The shop's publishable key.
    pub key: String,
    /// What is to be paid, as the gateway counts.
    pub amount: i64,
    /// As the gateway spells it.
    pub currency: String,
    /// `manual`: the money is held first; `automatic`: it is taken at once.
    pub capture_method: String,
    /// What can be paid with.
    pub methods: Vec<String>,
}

/// A method.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PaymentMethodReply {
    /// Name on the wire.
    pub id: String,
    /// What people read.
    pub name: String,
}

/// A placed order's name and address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderLink {
    /// What people read aloud.
    pub number: String,
    /// Path with its signed token.
    pub url: String,
}

/// An order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrderReply {
    /// UUID.
    pub id: String,
    /// What people read aloud.
    pub number: String,
    /// `pending_payment`, `placed`, `canceled`.
    pub state: String,
    /// RFC 3339 UTC.
    pub placed_at: String,
    /// Whether the money is captured: `authorized`, `paid`, `refunded`, `pending`.
    pub payment_state: String,
    /// Where the confirmation went.
    pub email: String,
    /// BCP 47.
    pub language: String,
    /// Frozen lines.
    pub lines: Vec<LineReply>,
    /// Frozen totals.
    pub totals: Vec<TotalReply>,
    /// Where to.
    pub address: AddressReply,
    /// Name and delivery time of the chosen rate.
    pub shipping_name: Option<String>,
    /// How far it is sent: `unfulfilled`, `partly_fulfilled`, `fulfilled`.
    pub fulfillment: String,
    /// What is on its way, the oldest first.
    pub fulfillments: Vec<FulfillmentReply>,
    /// What the shopper has to know.
    pub messages: Vec<Message>,
    /// `self`; `again`, to which a form is sent that puts it into the cart once more; `withdraw` where the law gives that right; in development `mail`, the written confirmation.
    pub links: Vec<RelLink>,
}

/// Something that is on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FulfillmentReply {
    /// RFC 3339 UTC.
    pub sent_at: String,
    /// The carrier's name; may be empty.
    pub carrier: String,
    /// Its number for the parcel; may be empty.
    pub tracking: String,
    /// Where it can be followed: https.
    pub url: Option<String>,
    /// What is in it.
    pub lines: Vec<SentLineReply>,
}

/// What a customer declared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WithdrawalReply {
    /// From which lines; none: see `wanted`, and where that is empty, too, from the whole order.
    pub lines: Vec<SentLineReply>,
    /// Which part, in the customer's words.
    pub wanted: String,
    /// Why; may be empty.
    pub reason: String,
    /// Whether the period is over, as far as can be told.
    pub is_late: bool,
}

/// Units of a line that are on their way, or that somebody withdraws from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SentLineReply {
    /// The variant's code.
    pub sku: String,
    /// Product title.
    pub title: String,
    /// `Large / Blue`; empty for an only variant.
    pub variant_title: String,
    /// Units.
    pub quantity: u32,
}

/// A total that is not the one last shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedTotal {
    /// As last shown.
    pub seen: Money,
    /// Now.
    pub now: Money,
}

/// RFC 9457, `application/problem+json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank` or a stable URN.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people; never a cause.
    pub detail: String,
    /// Field errors and conflicts: old and new values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<Message>,
    /// The total on the shopper's screen and the one that holds now, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<ChangedTotal>,
    /// The request's id, to be told to the shop.
    pub request_id: String,
}
