//! Pointer: the small signed file that says which bundle is live.
//!
//! Shape   lines of text: format, shop, sequence, bundle, key, then an Ed25519 signature over all before it.
//! Always  a sequence is never given twice: whoever reads pointers takes higher ones only, so that going back is a new pointer too.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::{BundleError, SigningKey, VerifyingKey};

/// Largest pointer that is read.
pub const MAX_POINTER_BYTES: usize = 4096;

/// Begins no bundle, so that a signature of the one is never good for the other.
const FIRST_LINE: &str = "vitrine pointer 1";

/// Which bundle is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Whose.
    pub shop_id: String,
    /// Strictly rising.
    pub sequence: u64,
    /// Name of the bundle: BLAKE3 of its payload, in hex.
    pub bundle: String,
    /// Who signed it, as text.
    pub key: String,
}

impl Pointer {
    /// What a pointer says of its signer.
    pub fn key_name(key: &VerifyingKey) -> String {
        BASE64.encode(key.id())
    }

    /// The signed text.
    pub fn seal(shop_id: &str, sequence: u64, bundle: &str, key: &SigningKey) -> String {
        let name = Self::key_name(&key.verifying_key());
        let said = format!("{FIRST_LINE}\nshop {shop_id}\nsequence {sequence}\nbundle {bundle}\nkey {name}\n");
        let signature = BASE64.encode(key.0.sign(said.as_bytes()));
        format!("{said}signature {signature}\n")
    }

    /// Proves bytes and reads them. `shop` is the shop that is expected, where one is known already.
    pub fn open(bytes: &[u8], keys: &[VerifyingKey], shop: Option<&str>) -> Result<Self, BundleError> {
        let text =
            std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_POINTER_BYTES).ok_or(BundleError::NotAPointer)?;
        let (said, signature) = text.split_once("signature ").ok_or(BundleError::NotAPointer)?;
        let mut lines = said.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(BundleError::NotAPointer);
        }
        let mut line = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.map(str::to_owned).ok_or(BundleError::NotAPointer)
        };
        let (shop_id, sequence, bundle, key) = (line("shop")?, line("sequence")?, line("bundle")?, line("key")?);
        let signer = keys.iter().find(|known| Self::key_name(known) == key).ok_or(BundleError::WrongKey)?;
        let signature = BASE64.decode(signature.trim()).map_err(|_| BundleError::NotAPointer)?;
        UnparsedPublicKey::new(&ED25519, signer.0).verify(said.as_bytes(), &signature).map_err(|_| BundleError::Damaged)?;
        let is_name = bundle.len() == 64 && bundle.bytes().all(|byte| byte.is_ascii_hexdigit());
        let sequence = sequence.parse().map_err(|_| BundleError::NotAPointer)?;
        match shop {
            _ if !is_name => Err(BundleError::NotAPointer),
            Some(expected) if expected != shop_id => {
                Err(BundleError::OtherShop { found: shop_id, expected: expected.to_owned() })
            }
            _ => Ok(Self { shop_id, sequence, bundle, key }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_what_was_signed_or_nothing() {
        let (key, other) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let keys = [other.verifying_key(), key.verifying_key()];
        let hash = "ab".repeat(32);
        let text = Pointer::seal("tiny", 7, &hash, &key);
        let opened = Pointer::open(text.as_bytes(), &keys, Some("tiny")).expect("it was signed so");
        assert_eq!((opened.sequence, opened.bundle.as_str(), opened.shop_id.as_str()), (7, hash.as_str(), "tiny"));
        assert_eq!(Pointer::open(text.as_bytes(), &keys[..1], None), Err(BundleError::WrongKey));
        let told = Pointer::open(text.as_bytes(), &keys, Some("other")).expect_err("it is another shop's").to_string();
        assert!(told.contains("belongs to the shop `tiny`"), "{told}");
        // Every byte is signed, or is the signature.
        for index in 0..text.trim_end().len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] ^= 1;
            Pointer::open(&bytes, &keys, Some("tiny")).expect_err("a byte was changed");
        }
        for stump in ["", "vitrine pointer 1\n", &text[..text.len() / 2]] {
            assert_eq!(Pointer::open(stump.as_bytes(), &keys, None), Err(BundleError::NotAPointer), "{stump}");
        }
    }
}
