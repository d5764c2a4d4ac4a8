//! Words: refusals and problems of every room → what a shopper is told.
//!
//! Owns    which text says which refusal, and `Note`, a message whose language is not known yet.
//! Always  a refusal that is added without a text does not compile.

use super::cart_token::TokenError;
use super::reply::Message;
use crate::commerce::address::{FieldFault, FieldProblem};
use crate::commerce::cart::{CartRejection, MAX_COUPONS, MAX_LINES};
use crate::commerce::checkout::Rejection;
use crate::commerce::pricing::{Hint, PricingRejection};
use crate::commerce::promotion::CouponRefusal;
use crate::theme::texts::Say;
use crate::theme::view::SiteView;

/// How bad a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It stops the checkout.
    Error,
    /// It has to be known.
    Warning,
    /// It may be of use.
    Info,
}

/// A message before its language is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How bad.
    pub severity: Severity,
    /// Stable, for programs.
    pub code: String,
    /// JSON pointer to what it is about.
    pub path: Option<String>,
    /// For people.
    pub say: Say,
}

impl Note {
    /// About nothing in particular.
    pub fn new(severity: Severity, code: &str, say: Say) -> Self {
        Self { severity, code: code.to_owned(), path: None, say }
    }

    /// About a field or line.
    #[must_use]
    pub fn about(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// In the words of `site`.
    pub fn told(&self, site: &SiteView) -> Message {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        Message { code: self.code.clone(), severity: severity.to_owned(), path: self.path.clone(), text: self.say.text(site) }
    }
}

/// A refused wish.
pub fn of_cart(rejection: &CartRejection) -> Say {
    match rejection {
        CartRejection::UnknownSku => Say::of("line.not_sold_any_more"),
        CartRejection::UnknownLine => Say::of("line.not_in_cart"),
        CartRejection::NotForSale => Say::of("line.not_sold_in_market"),
        CartRejection::Quantity { min, max, step } => {
            Say::of("line.quantity").with("min", min).with("max", max).with("step", step)
        }
        CartRejection::TooManyLines => Say::of("line.too_many").counting(MAX_LINES as u64),
        CartRejection::TooLarge => Say::of("line.too_large"),
        CartRejection::TooManyCoupons => Say::of("coupon.too_many").counting(MAX_COUPONS as u64),
        CartRejection::NotACode => Say::of("coupon.not_a_code"),
        CartRejection::NotAPlace { field } => Say::of("line.not_understood").with("field", field),
        CartRejection::UnknownProperty { key } => Say::of("line.unknown_property").with("key", key),
        CartRejection::PropertyMissing { label, .. } => Say::of("line.property_missing").with("label", label),
        CartRejection::PropertyTooLong { label, max_bytes, .. } => {
            Say::of("line.property_too_long").with("label", label).counting(u64::from(*max_bytes))
        }
    }
}

/// A code that gives nothing.
pub fn of_coupon(refusal: &CouponRefusal) -> Say {
    match refusal {
        CouponRefusal::Unknown => Say::of("coupon.unknown"),
        CouponRefusal::NotYet => Say::of("coupon.not_yet"),
        CouponRefusal::Expired => Say::of("coupon.expired"),
        CouponRefusal::UsedUp => Say::of("coupon.used_up"),
        CouponRefusal::NotForCustomer => Say::of("coupon.not_for_address"),
        CouponRefusal::OtherMarket => Say::of("coupon.other_market"),
        CouponRefusal::BelowMinimum { minimum } => Say::of("coupon.below_minimum").with_money("minimum", *minimum),
        CouponRefusal::NothingCovered => Say::of("coupon.nothing_covered"),
        CouponRefusal::TooFew { more } => Say::of("coupon.too_few").counting(u64::from(*more)),
        CouponRefusal::NoReward { more } => Say::of("coupon.no_reward").counting(u64::from(*more)),
        CouponRefusal::NotCombinable => Say::of("coupon.not_combinable"),
        CouponRefusal::CostsMore => Say::of("coupon.costs_more"),
    }
}

/// What little more would bring.
pub fn of_hint(hint: &Hint) -> Note {
    let (code, say) = match hint {
        Hint::FreeRate { missing } => ("hint_free_shipping", Say::of("hint.free_shipping").with_money("amount", *missing)),
        Hint::Value { title, missing } => {
            ("hint_value", Say::of("hint.value").with("title", title).with_money("amount", *missing))
        }
        Hint::Units { title, missing } => {
            ("hint_units", Say::of("hint.units").with("title", title).counting(u64::from(*missing)))
        }
        Hint::FirstOrder { title } => ("discount_if_first_order", Say::of("hint.first_order").with("title", title)),
        Hint::PerCustomer { title, limit } => {
            ("discount_per_customer", Say::of("hint.per_customer").with("title", title).counting(u64::from(*limit)))
        }
    };
    Note::new(Severity::Info, code, say)
}

/// A cart that cannot be priced.
pub fn of_pricing(rejection: &PricingRejection) -> Say {
    match rejection {
        PricingRejection::UnknownMarket => Say::of("line.market_closed"),
        PricingRejection::NoTaxRate { .. } => Say::of("line.no_tax_rate"),
    }
}

/// A step of the checkout that is not granted.
pub fn of_checkout(rejection: &Rejection) -> Say {
    match rejection {
        Rejection::NotReady => Say::of("payment.not_ready"),
        Rejection::QuoteChanged => Say::of("payment.quote_changed"),
        Rejection::CartChanged => Say::of("payment.cart_changed"),
        Rejection::QuoteExpired => Say::of("payment.quote_expired"),
        Rejection::PaymentInProgress => Say::of("payment.under_way"),
        Rejection::AlreadyPlaced => Say::of("payment.already_placed"),
        Rejection::Canceled => Say::of("payment.canceled"),
        Rejection::NoAttempt => Say::of("payment.none"),
        Rejection::ForeignPayment => Say::of("payment.foreign"),
    }
}

/// A cart that was lost.
pub fn of_token(error: TokenError) -> Say {
    match error {
        TokenError::Unreadable => Say::of("line.unreadable"),
        TokenError::Expired => Say::of("line.expired"),
    }
}

/// A field of the checkout that has to be looked at.
pub fn of_field(problem: &FieldProblem) -> Note {
    let field = || field_name(&problem.path);
    let say = match problem.fault {
        FieldFault::EmailMissing => Say::of("entry.email_missing"),
        FieldFault::NotAnEmail => Say::of("entry.email_wrong"),
        FieldFault::NotAPhone => Say::of("entry.phone_wrong"),
        FieldFault::Missing => Say::of("entry.missing").with_text("field", field()),
        FieldFault::TooLong { max_bytes } => Say::of("entry.too_long").with_text("field", field()).counting(max_bytes as u64),
        FieldFault::SeveralLines => Say::of("entry.one_line").with_text("field", field()),
        FieldFault::NotARegion => Say::of("entry.region_code"),
        FieldFault::CountryUnserved => Say::of("line.country_undeliverable"),
        FieldFault::CartEmpty => Say::of("entry.cart_empty"),
        FieldFault::LinesUnserved => Say::of("entry.lines_gone"),
        FieldFault::WrongQuantity => Say::of("entry.lines_quantity"),
        FieldFault::RateNotOffered => Say::of("entry.shipping_gone"),
        FieldFault::Unsendable => Say::of("entry.unsendable"),
        FieldFault::NotPayable => Say::of("entry.unconfirmed"),
    };
    Note::new(Severity::Error, problem.fault.code(), say).about(&problem.path)
}

fn field_name(path: &str) -> Say {
    match path.strip_prefix("/address/") {
        Some("name") => Say::of("field.name"),
        Some("line1") => Say::of("field.line1"),
        Some("line2") => Say::of("field.line2"),
        Some("city") => Say::of("field.city"),
        Some("region") => Say::of("field.region"),
        Some("postal_code") => Say::of("field.postal_code"),
        Some("country") => Say::of("field.country"),
        _ => Say::to_programs(path),
    }
}
