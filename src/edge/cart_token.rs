//! Cart token: the whole cart in one signed text, kept by the shopper.
//!
//! Owns    the token's bytes: version · key id · cart (varints, texts with their length) · HMAC tag; all of it in base64url.
//! Limits  `MAX_TOKEN_BYTES` of text, so that it fits a cookie beside others; `LIFE_SECONDS` of life from its last change.
//! Always  a text that is not exactly what was given out is refused, whatever its bytes; it is then no cart, never an error page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::key_ring::{KeyRing, Purpose, TAG_BYTES};
use crate::commerce::cart::{
    Cart, CartRejection, Destination, LineItem, MAX_COUPONS, MAX_LINES, MAX_PROPERTY_BYTES, MAX_QUANTITY,
};
use crate::commerce::ids::{CartId, CouponCode, MarketId, SkuHash, Timestamp};

/// Longest token: browsers keep 4,096 bytes of a cookie with its name and attributes, and proxies' header limits are shared.
pub const MAX_TOKEN_BYTES: usize = 2_800;
/// How long a cart is kept after its last change: 30 days.
pub const LIFE_SECONDS: i64 = 30 * 24 * 60 * 60;

const VERSION: u8 = 1;
/// Longest text in a token; names of markets and places, codes and properties are shorter.
const MAX_TEXT_BYTES: u64 = MAX_PROPERTY_BYTES as u64;
/// Properties of one line; a product declares fewer.
const MAX_LINE_PROPERTIES: u64 = 50;

const PAYMENT_MARK: u8 = 1;
const DESTINATION: u8 = 2;
const BEGUN: u8 = 4;

/// Why a token is not taken for a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not given out by this shop, or cut or changed on its way, or signed with a key that is gone.
    #[error("your cart could not be read and was begun anew")]
    Unreadable,
    /// Older than its life.
    #[error("your cart was older than 30 days and was begun anew")]
    Expired,
}

impl TokenError {
    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "cart_unreadable",
            Self::Expired => "cart_expired",
        }
    }
}

/// The token of a cart, signed with the newest key.
///
/// Errors: `CartRejection::TooLarge` where it would be longer than `MAX_TOKEN_BYTES`.
pub fn encode(cart: &Cart, keys: &KeyRing) -> Result<String, CartRejection> {
    let mut bytes = Vec::with_capacity(64 + cart.lines.len() * 14);
    bytes.extend_from_slice(&[VERSION, keys.newest()]);
    write_cart(&mut bytes, cart);
    let tag = keys.sign(Purpose::Cart, &bytes);
    bytes.extend_from_slice(&tag);
    let text = BASE64.encode(bytes);
    if text.len() > MAX_TOKEN_BYTES { Err(CartRejection::TooLarge) } else { Ok(text) }
}

/// The cart of a token.
pub fn decode(text: &str, keys: &KeyRing, now: Timestamp) -> Result<Cart, TokenError> {
    if text.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Unreadable);
    }
    let bytes = BASE64.decode(text).map_err(|_| TokenError::Unreadable)?;
    let (signed, tag) = bytes.split_last_chunk::<TAG_BYTES>().ok_or(TokenError::Unreadable)?;
    let [VERSION, key_id, body @ ..] = signed else { return Err(TokenError::Unreadable) };
    if !keys.verify(*key_id, Purpose::Cart, signed, tag) {
        return Err(TokenError::Unreadable);
    }
    let cart = Reader(body).cart().ok_or(TokenError::Unreadable)?;
    if cart.issued_at.plus_seconds(LIFE_SECONDS) < now {
        return Err(TokenError::Expired);
    }
    Ok(cart)
}

fn write_cart(bytes: &mut Vec<u8>, cart: &Cart) {
    bytes.extend_from_slice(&cart.id.0);
    write_number(bytes, u64::from(cart.revision));
    write_number(bytes, cart.sequence_seen);
    write_number(bytes, zigzag(cart.issued_at.0));
    let mark = if cart.payment_mark { PAYMENT_MARK } else { 0 };
    let place = if cart.destination.is_some() { DESTINATION } else { 0 };
    let begun = if cart.is_begun { BEGUN } else { 0 };
    bytes.extend_from_slice(&[mark | place | begun, cart.vitals_bucket]);
    write_text(bytes, cart.market.as_str());
    write_text(bytes, &cart.language);
    if let Some(destination) = &cart.destination {
        write_text(bytes, &destination.country);
        write_text(bytes, destination.region.as_deref().unwrap_or(""));
        write_text(bytes, destination.postal_code.as_deref().unwrap_or(""));
    }
    write_number(bytes, cart.coupons.len() as u64);
    for code in &cart.coupons {
        write_text(bytes, code.as_str());
    }
    write_number(bytes, cart.lines.len() as u64);
    for line in &cart.lines {
        bytes.extend_from_slice(&line.sku.0.to_be_bytes());
        write_number(bytes, u64::from(line.quantity));
        write_number(bytes, zigzag(line.seen_price_minor));
        write_number(bytes, line.properties.len() as u64);
        for (key, text) in &line.properties {
            write_text(bytes, key);
            write_text(bytes, text);
        }
    }
}

/// LEB128: seven bits a byte, lowest first.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Small numbers of either sign as small unsigned ones.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Reads what `write_cart` wrote; `None` at anything else.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn cart(mut self) -> Option<Cart> {
        let id = CartId(self.array()?);
        let revision = u32::try_from(self.number()?).ok()?;
        let sequence_seen = self.number()?;
        let issued_at = Timestamp(unzigzag(self.number()?));
        let [flags, vitals_bucket] = self.array()?;
        let market = MarketId(self.text()?);
        let language = self.text()?;
        let destination = if flags & DESTINATION == 0 { None } else { Some(self.destination()?) };
        let coupons = self.list(MAX_COUPONS as u64, |reader| reader.text().map(CouponCode))?;
        let lines = self.list(MAX_LINES as u64, Self::line)?;
        let payment_mark = flags & PAYMENT_MARK != 0;
        // A token of an earlier release says nothing of it.
        let is_begun = flags & BEGUN != 0 || !lines.is_empty();
        let cart = Cart {
            id,
            revision,
            sequence_seen,
            market,
            language,
            destination,
            issued_at,
            payment_mark,
            vitals_bucket,
            is_begun,
            coupons,
            lines,
        };
        self.0.is_empty().then_some(cart)
    }

    fn destination(&mut self) -> Option<Destination> {
        let country = self.text()?;
        let region = Some(self.text()?).filter(|text| !text.is_empty());
        let postal_code = Some(self.text()?).filter(|text| !text.is_empty());
        Some(Destination { country, region, postal_code })
    }

    fn line(&mut self) -> Option<LineItem> {
        let sku = SkuHash(u64::from_be_bytes(self.array()?));
        let quantity = u32::try_from(self.number()?).ok().filter(|quantity| (1..=MAX_QUANTITY).contains(quantity))?;
        let seen_price_minor = unzigzag(self.number()?);
        let properties = self.list(MAX_LINE_PROPERTIES, |reader| Some((reader.text()?, reader.text()?)))?;
        Some(LineItem { sku, quantity, properties, seen_price_minor })
    }

    fn list<T>(&mut self, most: u64, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number().filter(|count| *count <= most)?;
        (0..count).map(|_| one(self)).collect()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number().filter(|length| *length <= MAX_TEXT_BYTES)?;
        let (text, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }
}

#[cfg(test)]
mod tests;
