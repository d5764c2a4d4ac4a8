//! Ids: the names by which things are found again, each its own type.
//!
//! Owns    the shape of every id and of an instant. Fresh ones are made at the rim (`edge`), never here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

/// Seconds since 1970 UTC. A value handed in, never read from a clock here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `seconds` later.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

// A catalogue holds its names by the hundred thousand: a `SmolStr` lies in place up to 23 bytes, and is shared when it is copied.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        text_id!($(#[$doc])* $name, String);
    };
    ($(#[$doc:meta])* $name:ident, $text:ty) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $text);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The unique code of a variant; key of every line, order and stock row.
    Sku, SmolStr
);
text_id!(
    /// The last part of an address: lower-case letters, digits and hyphens.
    Slug, SmolStr
);
text_id!(
    /// A category's slugs from the root, joined by `/`.
    CategoryPath, SmolStr
);
text_id!(
    /// The name of a market in site.toml.
    MarketId
);
text_id!(
    /// The name of a tax class, such as `standard`.
    TaxClass, SmolStr
);
text_id!(
    /// The name of a shipping rate, unique within the shop.
    ShippingRateId
);
text_id!(
    /// What the shopper types, upper case; compared without regard to case.
    CouponCode
);
text_id!(
    /// A checkout (UUID v7 text).
    CheckoutId
);
text_id!(
    /// An order's row (UUID v7 text); not what people read aloud, which is `order_number`.
    OrderId
);
text_id!(
    /// One numbered try to be paid (UUID v7 text).
    AttemptId
);
text_id!(
    /// A frozen quote (UUID v7 text).
    QuoteId
);

/// Bytes a coupon code may hold: five of them still fit a cart's token.
pub const MAX_CODE_BYTES: usize = 40;

impl CouponCode {
    /// The stored form of what was typed: trimmed, ASCII upper case.
    pub fn normal(typed: &str) -> Self {
        Self(typed.trim().to_ascii_uppercase())
    }

    /// Whether it is a code at all: visible, without blanks at its ends, and not longer than a cart can hold.
    pub fn is_typable(&self) -> bool {
        let text = &self.0;
        (1..=MAX_CODE_BYTES).contains(&text.len()) && text.trim() == text && !text.chars().any(char::is_control)
    }

    /// Whether the two are one code, without regard to case.
    pub fn names(&self, other: &CouponCode) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl CategoryPath {
    /// The category above it; `None` for one at the top.
    pub fn parent(&self) -> Option<CategoryPath> {
        self.0.rsplit_once('/').map(|(above, _)| Self(above.into()))
    }

    /// Whether it is that category or one below it.
    pub fn is_within(&self, ancestor: &CategoryPath) -> bool {
        self.0.strip_prefix(ancestor.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Sku {
    /// The 64-bit name a cart token carries: the first 8 bytes of SHA-256. Two SKUs of one shop with the same hash are a build error.
    pub fn hash(&self) -> SkuHash {
        let digest = Sha256::digest(self.0.as_bytes());
        SkuHash(u64::from_be_bytes(digest[..8].try_into().expect("SHA-256 has 32 bytes")))
    }
}

/// A SKU as the cart token names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SkuHash(pub u64);

/// A cart's random name, carried by its token from the first line on; spent when its order is placed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CartId(pub [u8; 16]);

impl fmt::Display for CartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for CartId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let mut bytes = [0; 16];
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAnId);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| NotAnId)?;
        }
        Ok(Self(bytes))
    }
}

/// The text is not an id of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an id")]
pub struct NotAnId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cart_id_is_its_32_digits() {
        let id = CartId([0x0f; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "0f", &"g0".repeat(16), &"+f".repeat(16), &"ä".repeat(16), &"0f".repeat(17)] {
            assert_eq!(text.parse::<CartId>(), Err(NotAnId), "{text}");
        }
    }

    #[test]
    fn a_sku_has_the_same_hash_on_every_machine() {
        assert_eq!(Sku::from("LL-1").hash(), SkuHash(0x49fa_d72e_db27_40a4));
    }

    #[test]
    fn a_category_is_within_itself_and_those_above() {
        let within = |path: &str, above: &str| CategoryPath::from(path).is_within(&above.into());
        assert!(within("home", "home") && within("home/lamps", "home"));
        assert!(!within("home", "home/lamps") && !within("homeware", "home") && !within("my/home", "home"));
        assert_eq!(CategoryPath::from("home/lamps/desk").parent(), Some("home/lamps".into()));
        assert_eq!(CategoryPath::from("home").parent(), None);
    }

    #[test]
    fn codes_are_compared_without_regard_to_case() {
        assert_eq!(CouponCode::normal(" spring10 "), "SPRING10".into());
        assert!(CouponCode::from("spring").names(&"SPRING".into()));
        assert!(CouponCode::from("FÜNF 5").is_typable());
        for text in ["", " ", "A ", "A\n", &"A".repeat(MAX_CODE_BYTES + 1)] {
            assert!(!CouponCode::from(text).is_typable(), "{text:?}");
        }
    }

    #[test]
    fn time_does_not_wrap() {
        assert_eq!(Timestamp(i64::MAX).plus_seconds(1), Timestamp(i64::MAX));
    }
}
