//! Cart: what a shopper means to buy, and the wishes that change it.
//!
//! Owns    the cart's lines and limits and `apply`, the one way to change them. A cart is a value: its token (see
//!         `edge::cart_token`) is the only place where it is kept.
//! Limits  `MAX_LINES` lines, `MAX_QUANTITY` units a line, `MAX_COUPONS` codes, `MAX_PROPERTY_BYTES` a property,
//!         `MAX_POSTAL_CODE_BYTES` a postal code.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::catalog::{Catalog, Product, Variant};
use super::ids::{CartId, CouponCode, MarketId, SkuHash, Timestamp};
use super::money::MAX_MINOR;
use super::outside::OutsidePrices;
use super::rules::Market;

/// Lines a cart may hold: 100 lines keep the token under its 2,800 bytes.
pub const MAX_LINES: usize = 100;
/// Units a line may hold, whatever its product says.
pub const MAX_QUANTITY: u32 = 9_999;
/// Coupon codes a cart may hold.
pub const MAX_COUPONS: usize = 5;
/// Bytes one property of a line may hold.
pub const MAX_PROPERTY_BYTES: usize = 200;

/// Properties a product may declare.
pub const MAX_PROPERTIES: usize = 20;
/// Bytes a property's key may hold.
pub const MAX_PROPERTY_KEY_BYTES: usize = 40;
/// Bytes a postal code may hold; the longest in use have 10 characters.
pub const MAX_POSTAL_CODE_BYTES: usize = 16;

/// A cart. Prices in it are only what was last *shown*; `pricing` makes the real ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cart {
    /// Random, from the first line on.
    pub id: CartId,
    /// Counts changes; a quote names the revision it was made for.
    pub revision: u32,
    /// The bundle pointer's sequence it was last priced with.
    pub sequence_seen: u64,
    /// Which market's prices and taxes.
    pub market: MarketId,
    /// BCP 47 language of texts and mails.
    pub language: String,
    /// Where it shall go, once known.
    pub destination: Option<Destination>,
    /// When it was last changed; its token's life counts from then.
    pub issued_at: Timestamp,
    /// Set by the answer that shows the pay button, cleared by a recorded refusal.
    pub payment_mark: bool,
    /// Page-speed bucket of the page it was begun on; 0 = unknown.
    pub vitals_bucket: u8,
    /// Whether it has ever held a line: from then on it is one that was begun, even where it is empty again.
    pub is_begun: bool,
    /// Codes, in the order they were typed.
    pub coupons: Vec<CouponCode>,
    /// Lines, in the order they were added.
    pub lines: Vec<LineItem>,
}

/// One line of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineItem {
    /// Which variant.
    pub sku: SkuHash,
    /// At least 1.
    pub quantity: u32,
    /// What the shopper wrote, by the keys the product declares, sorted by key.
    pub properties: Vec<(String, String)>,
    /// Unit price the shopper last saw, in minor units; only for `changed[]`, never charged.
    pub seen_price_minor: i64,
}

/// Where a parcel goes, as far as prices depend on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
    /// ISO 3166-2 without the country, upper case.
    pub region: Option<String>,
    /// As written.
    pub postal_code: Option<String>,
}

impl Destination {
    /// The same place in upper case and without blanks at the ends; blank parts are none.
    ///
    /// Errors: a country that is not two letters, a region that is not one to three letters or digits (ISO 3166-2), a postal code
    /// over `MAX_POSTAL_CODE_BYTES` or with control characters.
    pub fn checked(self) -> Result<Self, CartRejection> {
        let tidy = |part: String| Some(part.trim().to_ascii_uppercase()).filter(|part| !part.is_empty());
        let country = self.country.trim().to_ascii_uppercase();
        let region = self.region.and_then(tidy);
        let postal_code = self.postal_code.map(|code| code.trim().to_owned()).filter(|code| !code.is_empty());
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(CartRejection::NotAPlace { field: "country" });
        }
        let is_region = |region: &String| region.len() <= 3 && region.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !region.as_ref().is_none_or(is_region) {
            return Err(CartRejection::NotAPlace { field: "region" });
        }
        let is_code = |code: &String| code.len() <= MAX_POSTAL_CODE_BYTES && !code.chars().any(char::is_control);
        if !postal_code.as_ref().is_none_or(is_code) {
            return Err(CartRejection::NotAPlace { field: "postal_code" });
        }
        Ok(Self { country, region, postal_code })
    }
}

/// A line's name in addresses and forms: 16 hex digits of what makes the line what it is (SKU and properties).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineId(pub String);

impl LineItem {
    /// The line's id; equal SKU and properties are one line.
    pub fn id(&self) -> LineId {
        let mut digest = Sha256::new();
        digest.update(self.sku.0.to_be_bytes());
        for (key, text) in &self.properties {
            digest.update((key.len() as u64).to_be_bytes());
            digest.update(key);
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        let first = digest.finalize()[..8].try_into().expect("SHA-256 has 32 bytes");
        LineId(format!("{:016x}", u64::from_be_bytes(first)))
    }
}

/// A wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CartCommand {
    /// Puts units of a variant into the cart; joins the line with the same SKU and properties.
    AddLine {
        /// Which variant.
        sku: SkuHash,
        /// How many more.
        quantity: u32,
        /// Texts by declared key.
        properties: Vec<(String, String)>,
        /// Unit price on the page it came from.
        seen_price_minor: Option<i64>,
    },
    /// Sets a line's quantity; 0 removes it.
    SetQuantity {
        /// Which line.
        line: LineId,
        /// How many from now on.
        quantity: u32,
    },
    /// Takes a line out.
    RemoveLine {
        /// Which line.
        line: LineId,
    },
    /// Adds a coupon code (whether it gives anything, `pricing` says).
    AddCoupon {
        /// The code.
        code: CouponCode,
    },
    /// Takes a code out.
    RemoveCoupon {
        /// The code.
        code: CouponCode,
    },
    /// Says where it shall go.
    SetDestination {
        /// Where.
        destination: Destination,
    },
}

/// Why a wish is refused; expected, shown to the shopper.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CartRejection {
    /// No such variant is sold now.
    #[error("this product is not sold any more")]
    UnknownSku,
    /// The cart has no such line.
    #[error("this line is not in the cart any more")]
    UnknownLine,
    /// The variant has no price in the cart's market.
    #[error("this product is not sold in this market")]
    NotForSale,
    /// The quantity breaks the product's rule.
    #[error("choose between {min} and {max}, in steps of {step}")]
    Quantity {
        /// Fewest.
        min: u32,
        /// Most.
        max: u32,
        /// Step from the fewest.
        step: u32,
    },
    /// `MAX_LINES` reached.
    #[error("the cart is full: it holds at most {MAX_LINES} lines")]
    TooManyLines,
    /// The token would grow over its limit (said by `edge::cart_token`).
    #[error("the cart is full; shorten a text or take a line out")]
    TooLarge,
    /// `MAX_COUPONS` reached.
    #[error("a cart holds at most {MAX_COUPONS} codes")]
    TooManyCoupons,
    /// A code is visible and has at most `MAX_CODE_BYTES` bytes.
    #[error("this is not a code")]
    NotACode,
    /// A country or region is not written as ISO 3166 has it, or the postal code is too long.
    #[error("this `{field}` is not understood")]
    NotAPlace {
        /// Which part of the destination.
        field: &'static str,
    },
    /// The product declares no such property.
    #[error("this product has no field `{key}`")]
    UnknownProperty {
        /// The key as sent.
        key: String,
    },
    /// A required property is missing or blank.
    #[error("`{label}` has to be filled in")]
    PropertyMissing {
        /// The key.
        key: String,
        /// What the form calls it.
        label: String,
    },
    /// A property is longer than its product allows.
    #[error("`{label}` holds at most {max_bytes} bytes")]
    PropertyTooLong {
        /// The key.
        key: String,
        /// What the form calls it.
        label: String,
        /// Its limit.
        max_bytes: u32,
    },
}

/// What a cart change is judged by.
#[derive(Clone, Copy, Debug)]
pub struct CartFacts<'a> {
    /// What is sold.
    pub catalog: &'a Catalog,
    /// The currency of the cart's market.
    pub currency: super::money::Currency,
    /// The instant.
    pub at: Timestamp,
    /// What is told beside the catalogue's prices, for the cart's market.
    pub outside: &'a OutsidePrices,
}

impl CartCommand {
    /// The variant it puts in.
    pub fn adds(&self) -> Option<SkuHash> {
        if let Self::AddLine { sku, .. } = self { Some(*sku) } else { None }
    }
}

impl Cart {
    /// An empty cart.
    pub fn new(id: CartId, market: MarketId, language: String, at: Timestamp) -> Self {
        Self {
            id,
            revision: 0,
            sequence_seen: 0,
            market,
            language,
            destination: None,
            issued_at: at,
            payment_mark: false,
            vitals_bucket: 0,
            is_begun: false,
            coupons: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Units over all lines: what the badge shows.
    pub fn units(&self) -> u64 {
        self.lines.iter().map(|line| u64::from(line.quantity)).sum()
    }

    /// The cart after a granted wish, its revision one higher. Stock is not judged here: it is decided when paying.
    pub fn apply(&self, command: CartCommand, facts: &CartFacts<'_>) -> Result<Cart, CartRejection> {
        let mut next = self.clone();
        match command {
            CartCommand::AddLine { sku, quantity, properties, seen_price_minor } => {
                let (product, variant) = facts.sellable(sku)?;
                if quantity == 0 {
                    return Err(quantity_rejection(product));
                }
                let properties = checked_properties(product, properties)?;
                let seen = seen_price_minor.filter(|minor| (0..=MAX_MINOR).contains(minor));
                let seen_price_minor = seen.unwrap_or_else(|| facts.unit_minor(variant));
                match next.lines.iter().position(|line| line.sku == sku && line.properties == properties) {
                    Some(index) => {
                        let line = &mut next.lines[index];
                        line.quantity = line.quantity.saturating_add(quantity);
                        line.seen_price_minor = seen_price_minor;
                        check_quantity(product, line.quantity)?;
                    }
                    None if next.lines.len() >= MAX_LINES => return Err(CartRejection::TooManyLines),
                    None => {
                        check_quantity(product, quantity)?;
                        next.lines.push(LineItem { sku, quantity, properties, seen_price_minor });
                    }
                }
            }
            CartCommand::SetQuantity { line, quantity: 0 } | CartCommand::RemoveLine { line } => {
                let index = next.line_index(&line)?;
                next.lines.remove(index);
            }
            CartCommand::SetQuantity { line, quantity } => {
                let index = next.line_index(&line)?;
                let (product, _) = facts.sellable(next.lines[index].sku)?;
                check_quantity(product, quantity)?;
                next.lines[index].quantity = quantity;
            }
            CartCommand::AddCoupon { code } => next.add_coupon(CouponCode::normal(code.as_str()))?,
            CartCommand::RemoveCoupon { code } => next.coupons.retain(|held| !held.names(&code)),
            CartCommand::SetDestination { destination } => next.destination = Some(destination.checked()?),
        }
        next.is_begun |= !next.lines.is_empty();
        next.revision = next.revision.wrapping_add(1);
        next.issued_at = facts.at;
        Ok(next)
    }

    /// Puts the cart into another market, whose facts they are: the destination is asked anew, and a price in another currency is not called changed.
    pub fn move_to(&mut self, market: &Market, facts: &CartFacts<'_>) {
        self.market = market.id.clone();
        self.destination = None;
        for line in &mut self.lines {
            if let Some((_, variant)) = facts.catalog.variant(line.sku)
                && let Some(price) = facts.outside.current_price(variant, facts.currency, facts.at)
            {
                line.seen_price_minor = price.unit.minor;
            }
        }
    }

    fn add_coupon(&mut self, code: CouponCode) -> Result<(), CartRejection> {
        if self.coupons.iter().any(|held| held.names(&code)) {
            return Ok(());
        }
        if !code.is_typable() {
            return Err(CartRejection::NotACode);
        }
        if self.coupons.len() >= MAX_COUPONS {
            return Err(CartRejection::TooManyCoupons);
        }
        self.coupons.push(code);
        Ok(())
    }

    fn line_index(&self, id: &LineId) -> Result<usize, CartRejection> {
        self.lines.iter().position(|line| line.id() == *id).ok_or(CartRejection::UnknownLine)
    }
}

impl<'a> CartFacts<'a> {
    fn sellable(&self, sku: SkuHash) -> Result<(&'a Product, &'a Variant), CartRejection> {
        let (product, variant) = self.catalog.variant(sku).ok_or(CartRejection::UnknownSku)?;
        if !product.is_active(self.at) {
            return Err(CartRejection::UnknownSku);
        }
        variant.price(self.currency).ok_or(CartRejection::NotForSale)?;
        Ok((product, variant))
    }

    fn unit_minor(&self, variant: &Variant) -> i64 {
        self.outside.current_price(variant, self.currency, self.at).map_or(0, |price| price.unit.minor)
    }
}

fn check_quantity(product: &Product, quantity: u32) -> Result<(), CartRejection> {
    let rule = product.quantity;
    if rule.allows(quantity) && (1..=MAX_QUANTITY).contains(&quantity) {
        return Ok(());
    }
    Err(quantity_rejection(product))
}

fn quantity_rejection(product: &Product) -> CartRejection {
    let rule = product.quantity;
    CartRejection::Quantity { min: rule.min, max: rule.max.min(MAX_QUANTITY), step: rule.step }
}

fn checked_properties(product: &Product, given: Vec<(String, String)>) -> Result<Vec<(String, String)>, CartRejection> {
    if let Some((key, _)) = given.iter().find(|(key, _)| !product.properties.iter().any(|rule| rule.key == *key)) {
        return Err(CartRejection::UnknownProperty { key: key.clone() });
    }
    let mut kept = Vec::new();
    for rule in &product.properties {
        let text = given.iter().find(|(key, _)| *key == rule.key).map_or("", |(_, text)| text.trim());
        if text.is_empty() {
            if rule.required {
                return Err(CartRejection::PropertyMissing { key: rule.key.clone(), label: rule.label.clone() });
            }
            continue;
        }
        if text.len() > (rule.max_bytes as usize).min(MAX_PROPERTY_BYTES) {
            let max_bytes = rule.max_bytes.min(MAX_PROPERTY_BYTES as u32);
            return Err(CartRejection::PropertyTooLong { key: rule.key.clone(), label: rule.label.clone(), max_bytes });
        }
        kept.push((rule.key.clone(), text.to_owned()));
    }
    kept.sort();
    Ok(kept)
}

#[cfg(test)]
mod tests;
