//! Quote: the totals a shopper agreed to, frozen.
//!
//! Owns    what a quote is made of, its canonical bytes and their hash, and whether details are complete enough for one.
//! Always  a quote is never changed; another price is another quote. Its hash travels with the payment, so that money is matched with
//!         exactly what was agreed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::{Address, Contact, FieldFault, FieldProblem};
use super::ids::{CartId, CheckoutId, MarketId, QuoteId, ShippingRateId, Timestamp};
use super::money::Money;
use super::pricing::PricedCart;
use super::rules::Market;

/// Frozen totals with all that an order is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Its name.
    pub id: QuoteId,
    /// Whose it is.
    pub checkout: CheckoutId,
    /// The cart it was made of.
    pub cart_id: CartId,
    /// The cart's revision then.
    pub cart_revision: u32,
    /// Where it is bought.
    pub market: MarketId,
    /// BCP 47, for mail and pages.
    pub language: String,
    /// Who to write to.
    pub contact: Contact,
    /// Where to.
    pub address: Address,
    /// Lines, shipping, taxes and totals.
    pub priced: PricedCart,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it may be paid.
    pub expires_at: Timestamp,
    /// Hex SHA-256 of the canonical bytes of all the above.
    pub hash: String,
}

/// What a quote is made of, before it has a hash.
#[derive(Clone, Debug)]
pub struct QuoteParts {
    /// Its name.
    pub id: QuoteId,
    /// Whose it is.
    pub checkout: CheckoutId,
    /// The cart it is made of.
    pub cart_id: CartId,
    /// The cart's revision.
    pub cart_revision: u32,
    /// Where it is bought.
    pub market: MarketId,
    /// BCP 47.
    pub language: String,
    /// Who to write to.
    pub contact: Contact,
    /// Where to.
    pub address: Address,
    /// Lines, shipping, taxes and totals.
    pub priced: PricedCart,
    /// Now.
    pub created_at: Timestamp,
    /// Until when it may be paid.
    pub expires_at: Timestamp,
}

impl Quote {
    /// Freezes the parts.
    pub fn freeze(parts: QuoteParts) -> Self {
        let mut quote = Self {
            id: parts.id,
            checkout: parts.checkout,
            cart_id: parts.cart_id,
            cart_revision: parts.cart_revision,
            market: parts.market,
            language: parts.language,
            contact: parts.contact,
            address: parts.address,
            priced: parts.priced,
            created_at: parts.created_at,
            expires_at: parts.expires_at,
            hash: String::new(),
        };
        quote.hash = quote.computed_hash();
        quote
    }

    /// What is paid.
    pub fn total(&self) -> Money {
        self.priced.totals.total
    }

    /// What is left once nobody is named: amounts, taxes, lines without what was written on them, country and region. The hash stays that
    /// of what was agreed, by which the gateway knows the payment; it is not that of the contents any more, so this can never be paid.
    pub fn erased(mut self) -> Self {
        self.contact = Contact::default();
        self.address = self.address.erased();
        self.priced.lines.iter_mut().for_each(|line| line.properties.clear());
        self
    }

    /// Whether the hash is that of the contents.
    pub fn is_intact(&self) -> bool {
        self.hash == self.computed_hash()
    }

    fn computed_hash(&self) -> String {
        let digest = Sha256::digest(self.canonical_bytes());
        digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes all that is written to it");
            text
        })
    }

    /// All that was agreed, as netstrings (`length:text,`) in a fixed order: no two quotes that differ in it share their bytes. What
    /// automatic promotions took off is in the discounts of lines and delivery; which ones they were is left out, as is what codes are
    /// called: a release that knows of none finds the same hash, and so can go on with a payment that another edge began.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Canonical::default();
        bytes.text("quote 1").text(self.id.as_str()).text(self.checkout.as_str()).text(&self.cart_id.to_string());
        bytes.number(self.cart_revision.into()).text(self.market.as_str()).text(&self.language);
        bytes.text(&self.contact.email).text(&self.contact.phone);
        let Address { name, line1, line2, city, region, postal_code, country } = &self.address;
        for part in [name, line1, line2, city, region, postal_code, country] {
            bytes.text(part);
        }
        bytes.number(self.priced.lines.len() as i64);
        for line in &self.priced.lines {
            bytes.text(line.sku.as_str()).text(&line.title).text(&line.variant_title).number(line.quantity.into());
            bytes.number(line.properties.len() as i64);
            for (key, value) in &line.properties {
                bytes.text(key).text(value);
            }
            bytes.money(line.unit_price).money(line.discount).money(line.total).money(line.tax).text(line.tax_class.as_str());
        }
        bytes.number(self.priced.coupons.len() as i64);
        for coupon in &self.priced.coupons {
            bytes.text(coupon.code.as_str()).money(coupon.result.clone().unwrap_or(Money::zero(self.priced.currency)));
        }
        bytes.text(self.priced.shipping.as_ref().map_or("", |option| option.id.as_str()));
        let totals = &self.priced.totals;
        for part in [totals.subtotal, totals.discount, totals.shipping, totals.shipping_discount, totals.tax, totals.total] {
            bytes.money(part);
        }
        bytes.text(self.priced.tax_country.as_deref().unwrap_or("")).number(self.priced.taxes.len() as i64);
        for tax in &self.priced.taxes {
            bytes.text(&tax.name).text(&tax.percent).money(tax.base).money(tax.tax);
        }
        bytes.number(self.created_at.0).number(self.expires_at.0);
        bytes.0
    }
}

/// What still keeps a quote from being made, every field at once. `chosen` is the rate the shopper picked.
pub fn quote_problems(
    contact: &Contact,
    address: &Address,
    market: &Market,
    priced: &PricedCart,
    chosen: Option<&ShippingRateId>,
) -> Vec<FieldProblem> {
    let mut problems = contact.problems();
    problems.extend(address.problems(market, priced.needs_shipping));
    if priced.lines.is_empty() {
        problems.push(FieldProblem::new("/cart/lines", FieldFault::CartEmpty));
    }
    if !priced.unavailable.is_empty() {
        problems.push(FieldProblem::new("/cart/lines", FieldFault::LinesUnserved));
    }
    if !priced.wrong_quantity.is_empty() {
        problems.push(FieldProblem::new("/cart/lines", FieldFault::WrongQuantity));
    }
    let is_offered = |rate: &ShippingRateId| priced.shipping_options.iter().any(|option| option.id == *rate);
    if priced.needs_shipping && chosen.is_some_and(|rate| !is_offered(rate)) {
        problems.push(FieldProblem::new("/shipping", FieldFault::RateNotOffered));
    }
    let is_told = problems.iter().any(|problem| problem.path.starts_with("/address/country"));
    if !is_told && (priced.destination_unserved || priced.needs_shipping && priced.shipping.is_none()) {
        problems.push(FieldProblem::new("/address/country", FieldFault::Unsendable));
    }
    // What no line above names, such as tax that is not known: totals that are not whole are never frozen.
    if problems.is_empty() && !priced.is_payable() {
        problems.push(FieldProblem::new("/cart", FieldFault::NotPayable));
    }
    problems
}

#[derive(Default)]
struct Canonical(Vec<u8>);

impl Canonical {
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(format!("{}:{text},", text.len()).as_bytes());
        self
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.text(&number.to_string())
    }

    fn money(&mut self, money: Money) -> &mut Self {
        self.number(money.minor).text(money.currency.code())
    }
}
