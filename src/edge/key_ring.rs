//! Key ring: the edge's own secrets, which sign cart tokens and links.
//!
//! Owns    HMAC-SHA256 tags and which key makes them: the newest signs, all verify, so keys rotate without a lost cart.
//! Limits  a tag is cut to `TAG_BYTES`: 128 bits are beyond guessing (RFC 2104, section 5, allows half the hash), and a cookie is small.
//! Always  a tag made for one purpose is worth nothing for another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;

/// What a tag is for; part of what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A cart token.
    Cart,
    /// The address that leads back into a checkout.
    Checkout,
    /// The address of an order page.
    Order,
    /// The name of a customer beside orders, from which nobody learns the e-mail address.
    Customer,
}

/// Secret keys by id, newest first; never empty.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<(u8, Hmac<Sha256>)>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<u8> = self.keys.iter().map(|(id, _)| *id).collect();
        f.debug_struct("KeyRing").field("ids", &ids).finish_non_exhaustive()
    }
}

impl KeyRing {
    /// A ring of (id, secret), newest first. `None` when empty or when two keys share an id.
    pub fn new(secrets: &[(u8, [u8; 32])]) -> Option<Self> {
        let twice = |index: usize| secrets[..index].iter().any(|(id, _)| *id == secrets[index].0);
        if secrets.is_empty() || (0..secrets.len()).any(twice) {
            return None;
        }
        let keyed = |secret: &[u8; 32]| Hmac::new_from_slice(secret).expect("HMAC takes keys of any length");
        Some(Self { keys: secrets.iter().map(|(id, secret)| (*id, keyed(secret))).collect() })
    }

    /// Id of the key that signs.
    pub fn newest(&self) -> u8 {
        self.keys[0].0
    }

    /// The tag of `bytes` by the newest key.
    pub fn sign(&self, purpose: Purpose, bytes: &[u8]) -> [u8; TAG_BYTES] {
        let full = tagged(&self.keys[0].1, purpose, bytes).finalize().into_bytes();
        full[..TAG_BYTES].try_into().expect("SHA-256 is longer than a tag")
    }

    /// What proves in an address that we gave `text` out for that purpose.
    pub fn token(&self, purpose: Purpose, text: &str) -> String {
        let mut bytes = vec![self.newest()];
        bytes.extend_from_slice(&self.sign(purpose, text.as_bytes()));
        BASE64.encode(bytes)
    }

    /// Every name that `text` may have been given for that purpose: by each key one, newest first.
    pub fn names(&self, purpose: Purpose, text: &str) -> Vec<String> {
        let name = |(id, key): &(u8, Hmac<Sha256>)| {
            let full = tagged(key, purpose, text.as_bytes()).finalize().into_bytes();
            format!("{id}:{}", BASE64.encode(&full[..TAG_BYTES]))
        };
        self.keys.iter().map(name).collect()
    }

    /// Whether a token proves `text`.
    pub fn accepts(&self, purpose: Purpose, text: &str, token: &str) -> bool {
        match BASE64.decode(token).as_deref() {
            Ok([id, tag @ ..]) => self.verify(*id, purpose, text.as_bytes(), tag),
            _ => false,
        }
    }

    /// Whether the key `id` made that tag; compared in constant time. An unknown id verifies nothing.
    pub fn verify(&self, id: u8, purpose: Purpose, bytes: &[u8], tag: &[u8]) -> bool {
        let Some((_, key)) = self.keys.iter().find(|(held, _)| *held == id) else { return false };
        tag.len() == TAG_BYTES && tagged(key, purpose, bytes).verify_truncated_left(tag).is_ok()
    }
}

fn tagged(key: &Hmac<Sha256>, purpose: Purpose, bytes: &[u8]) -> Hmac<Sha256> {
    let label: &[u8] = match purpose {
        Purpose::Cart => b"vitrine cart\0",
        Purpose::Checkout => b"vitrine checkout\0",
        Purpose::Order => b"vitrine order\0",
        Purpose::Customer => b"vitrine customer\0",
    };
    let mut mac = key.clone();
    mac.update(label);
    mac.update(bytes);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_key_signs_and_all_verify() {
        let old = KeyRing::new(&[(1, [1; 32])]).expect("a ring");
        let both = KeyRing::new(&[(2, [2; 32]), (1, [1; 32])]).expect("a ring");
        let tag = old.sign(Purpose::Cart, b"text");
        assert!(both.verify(1, Purpose::Cart, b"text", &tag));
        assert!(!both.verify(2, Purpose::Cart, b"text", &tag));
        assert!(!old.verify(2, Purpose::Cart, b"text", &both.sign(Purpose::Cart, b"text")));
    }

    #[test]
    fn a_tag_for_one_purpose_is_worth_nothing_for_another() {
        let ring = KeyRing::new(&[(1, [1; 32])]).expect("a ring");
        let tag = ring.sign(Purpose::Cart, b"text");
        assert!(!ring.verify(1, Purpose::Order, b"text", &tag));
        assert!(!ring.verify(1, Purpose::Cart, b"text", &tag[..15]));
        assert!(!ring.verify(1, Purpose::Cart, b"text", &[]));
    }

    #[test]
    fn a_token_proves_one_text_for_one_purpose() {
        let ring = KeyRing::new(&[(1, [1; 32])]).expect("a ring");
        let token = ring.token(Purpose::Order, "o1");
        assert!(ring.accepts(Purpose::Order, "o1", &token));
        assert!(!ring.accepts(Purpose::Order, "o2", &token));
        assert!(!ring.accepts(Purpose::Checkout, "o1", &token));
        for bad in ["", "?", &token[1..], &format!("{token}A")] {
            assert!(!ring.accepts(Purpose::Order, "o1", bad), "{bad}");
        }
    }

    #[test]
    fn a_customer_keeps_the_name_of_before_a_new_key() {
        let old = KeyRing::new(&[(1, [1; 32])]).expect("a ring");
        let both = KeyRing::new(&[(2, [2; 32]), (1, [1; 32])]).expect("a ring");
        let names = both.names(Purpose::Customer, "ada@example.com");
        assert_eq!(names.len(), 2);
        assert_eq!(names[1..], old.names(Purpose::Customer, "ada@example.com"));
        assert!(!names.contains(&old.names(Purpose::Customer, "bob@example.com")[0]));
        assert!(names.iter().all(|name| !name.contains("ada")));
    }

    #[test]
    fn a_ring_needs_keys_with_different_ids() {
        assert!(KeyRing::new(&[]).is_none());
        assert!(KeyRing::new(&[(1, [1; 32]), (1, [2; 32])]).is_none());
    }
}
