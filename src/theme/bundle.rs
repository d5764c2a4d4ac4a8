//! Bundle: the one signed file that the build hands to the edge.
//!
//! Owns    what is in it, its bytes and its signature. Public facts and the edge's own needs only, never a secret, a time or a number:
//!         the same shop gives the same bytes.
//! Shape   magic (8) · format (u32) · payload length (u64) · key id (8) · BLAKE3 of the payload (32) · Ed25519 signature over all
//!         before it (64) · payload (postcard). Integers are little-endian.
//! Always  a byte that is not as it was signed is refused by name, before anything is read out of the payload.

pub mod pointer;
pub mod services;

use std::io::{self, BufWriter, Cursor, Read, Seek, Write};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use self::services::{InventoryTerms, PricingTerms};
use super::view::SiteView;
use crate::commerce::catalog::Catalog;
use crate::commerce::rules::Rules;

/// Format this binary writes and reads; another one is refused.
pub const FORMAT: u32 = 11;

const MAGIC: &[u8; 8] = b"vitrine\0";
const SIGNED_BYTES: usize = 8 + 4 + 8 + 8 + 32;
const HEAD_BYTES: usize = SIGNED_BYTES + 64;

/// Everything the edge knows about the shop.
///
/// `C` is the catalogue, or what is written as one. Postcard names no fields: `skip_serializing_if`, `flatten`, `untagged` and free JSON values must not appear in what travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bundle<C = Catalog> {
    /// Name of the shop as a key: bundles of another shop are refused.
    pub shop_id: String,
    /// `site` for the edge's own pages, one per market, same order as `rules.markets`. JSON text: `SiteView` holds free values.
    pub sites_json: Vec<String>,
    /// Markets, tax, shipping, promotions.
    pub rules: Rules,
    /// What is sold.
    pub catalog: C,
    /// The site's own templates that shadow built-in ones: (name, source), sorted.
    pub templates: Vec<(String, String)>,
    /// Logical asset name → (final path, SRI integrity), sorted; for `asset()` in the edge's pages.
    pub assets: Vec<(String, String, String)>,
    /// Origins whose forms are ours (CSRF check): base URLs.
    pub origins: Vec<String>,
    /// Before every order number.
    pub order_prefix: String,
    /// How it is paid.
    pub payment: PaymentTerms,
    /// Who writes mails.
    pub mail: MailTerms,
    /// The merchant's own systems that are told what happens to orders.
    pub webhooks: Vec<SubscriberTerms>,
    /// What stands before the edge.
    pub front: FrontTerms,
    /// Who tells prices beside the catalogue; `None`: nobody does.
    pub pricing: Option<PricingTerms>,
    /// Who holds units beside the store's own ledger; `None`: nobody does.
    pub inventory: Option<InventoryTerms>,
    /// Where orders are kept; `None`: nobody said.
    pub keeper: Option<Keeper>,
}

/// Where orders are kept. An edge that looked elsewhere would sell the same units once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keeper {
    /// In the file of the one edge.
    File,
    /// In a database that edges share. Its address is a secret and never travels.
    Database,
}

/// Which gateway takes the money. Its secrets never travel: an edge has them from its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentTerms {
    /// Its name, such as `sandbox`.
    pub gateway: String,
    /// Whether play money may be taken on a host that others can reach.
    pub allow_sandbox_on_public_host: bool,
    /// What its page offers, such as `card`, for gateways that can be told.
    pub methods: Vec<String>,
    /// The account at the gateway whose events are ours beside those that name none.
    pub account: Option<String>,
    /// Whether the gateway's form stands on the shop's own page.
    pub element: bool,
}

/// Who writes to shoppers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailTerms {
    /// `Name <address>`.
    pub from: String,
    /// Where answers go; `None`: the sender.
    pub reply_to: Option<String>,
}

/// A system of the merchant's own. Its secret never travels: an edge has it from its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriberTerms {
    /// Its name: a–z, 0–9 and hyphens.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// Kinds of events it hears, such as `order.placed`.
    pub events: Vec<String>,
}

/// What stands before the edge, and how it says who asks. Its secret never travels: an edge has it from its environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontTerms {
    /// Networks whose word is taken, such as `10.0.0.0/8`; `None`: nobody said what stands there.
    pub trusted_proxies: Option<Vec<String>>,
    /// Header with the shopper's address; `None`: the usual one.
    pub client_address_header: Option<String>,
    /// Header with the secret that only the shop's host has; `None`: anybody may ask.
    pub origin_secret_header: Option<String>,
}

impl Bundle {
    /// `site` of each market, parsed.
    ///
    /// Errors: only for a bundle made by hand.
    pub fn sites(&self) -> Result<Vec<SiteView>, serde_json::Error> {
        self.sites_json.iter().map(|text| serde_json::from_str(text)).collect()
    }
}

/// A bundle whose bytes were proven, with the hash that names them.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it says.
    pub bundle: Bundle,
    /// BLAKE3 of its payload, in hex: the bundle's name.
    pub hash: String,
}

/// The private half, held by whoever builds.
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

/// The public half, held by every edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey(pub [u8; 32]);

/// Why bytes are not taken for a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It begins with something else.
    #[error("this is not a shop bundle; `vitrine build` writes one as shop.bundle")]
    NotABundle,
    /// It is not a pointer to one.
    #[error("this is not a pointer to a bundle; `vitrine publish` writes one as live.pointer")]
    NotAPointer,
    /// Written by another version of Vitrine.
    #[error("unknown bundle format {found}: this vitrine reads format {FORMAT}; build again with the same version")]
    UnknownFormat {
        /// The number in the file.
        found: u32,
    },
    /// The file ends too early.
    #[error("the bundle is cut short: {found} of {expected} bytes; copy it again")]
    Truncated {
        /// Bytes it should have.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// Its bytes are not those that were signed.
    #[error("the bundle is damaged: its bytes are not those that were signed; build or copy it again")]
    Damaged,
    /// Signed with a key that is not trusted here.
    #[error(
        "the bundle was signed with a key that is not trusted here; \
         set VITRINE_BUNDLE_PUBLIC_KEYS to the public half of the key it was built with"
    )]
    WrongKey,
    /// It is another shop's.
    #[error("the bundle belongs to the shop `{found}`, not to `{expected}`")]
    OtherShop {
        /// The shop it names.
        found: String,
        /// The shop that was expected.
        expected: String,
    },
}

impl SigningKey {
    /// The key pair of a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("every seed of 32 bytes is an Ed25519 key"))
    }

    /// Its public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes"))
    }
}

impl VerifyingKey {
    /// The name by which a bundle says who signed it: the first 8 bytes.
    fn id(&self) -> [u8; 8] {
        self.0[..8].try_into().expect("8 of 32 bytes")
    }
}

impl<C: Serialize> Bundle<C> {
    /// The signed bytes; equal bundles and keys give equal bytes.
    pub fn seal(&self, key: &SigningKey) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        self.seal_to(&mut bytes, key).expect("memory takes what is written");
        bytes.into_inner()
    }

    /// The same into `out`, which is empty: a large bundle is never held as a whole.
    ///
    /// Errors: those of `out`.
    pub fn seal_to(&self, out: &mut (impl Write + Seek), key: &SigningKey) -> io::Result<()> {
        out.write_all(&[0; HEAD_BYTES])?;
        let payload = Payload { out, hasher: blake3::Hasher::new(), failure: None };
        // A hash of much at once is several times faster.
        let mut buffer = BufWriter::with_capacity(1 << 16, payload);
        let written = postcard::to_io(self, &mut buffer).map_err(io::Error::other).and_then(|buffer| buffer.flush());
        let Payload { out, hasher, failure } = buffer.into_parts().0;
        if let Err(error) = written {
            return Err(failure.unwrap_or(error));
        }
        let id = key.verifying_key().id();
        let length = hasher.count().to_le_bytes();
        let signed = [&MAGIC[..], &FORMAT.to_le_bytes(), &length, &id, hasher.finalize().as_bytes()].concat();
        let signature = key.0.sign(&signed);
        out.rewind()?;
        out.write_all(&signed)?;
        out.write_all(signature.as_ref())
    }
}

/// What follows the head, while it is written.
struct Payload<'a, W> {
    out: &'a mut W,
    hasher: blake3::Hasher,
    /// What postcard's own errors do not tell.
    failure: Option<io::Error>,
}

impl<W: Write> Write for Payload<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        let written = self.out.write_all(bytes);
        written.inspect_err(|error| self.failure = Some(io::Error::new(error.kind(), error.to_string()))).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Bundle {
    /// The hash that a bundle's head says names it; nothing is proven. `None`: it has no head.
    ///
    /// Errors: the file cannot be read.
    pub fn name_of(head: &mut impl Read) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        head.take(SIGNED_BYTES as u64).read_to_end(&mut bytes)?;
        let hash = bytes.get(SIGNED_BYTES - 32..).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        Ok(hash.map(|hash| blake3::Hash::from(hash).to_hex().to_string()))
    }

    /// Proves bytes and reads them. `shop` is the shop that is expected, where one is known already.
    pub fn open(bytes: &[u8], keys: &[VerifyingKey], shop: Option<&str>) -> Result<Opened, BundleError> {
        if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) || bytes.is_empty() {
            return Err(BundleError::NotABundle);
        }
        let found = bytes.len() as u64;
        let Some((head, payload)) = bytes.split_at_checked(HEAD_BYTES) else {
            return Err(BundleError::Truncated { expected: HEAD_BYTES as u64, found });
        };
        let format = u32::from_le_bytes(part(head, 8));
        if format != FORMAT {
            return Err(BundleError::UnknownFormat { found: format });
        }
        let expected = u64::from_le_bytes(part(head, 12)).saturating_add(HEAD_BYTES as u64);
        if found < expected {
            return Err(BundleError::Truncated { expected, found });
        }
        let hash = blake3::hash(payload);
        if found > expected || hash.as_bytes() != &part::<32>(head, 28) {
            return Err(BundleError::Damaged);
        }
        let key_id = part::<8>(head, 20);
        let key = keys.iter().find(|key| key.id() == key_id).ok_or(BundleError::WrongKey)?;
        let (signed, signature) = head.split_at(SIGNED_BYTES);
        UnparsedPublicKey::new(&ED25519, key.0).verify(signed, signature).map_err(|_| BundleError::Damaged)?;
        let (bundle, rest): (Bundle, &[u8]) = postcard::take_from_bytes(payload).map_err(|_| BundleError::Damaged)?;
        if !rest.is_empty() {
            return Err(BundleError::Damaged);
        }
        match shop {
            Some(expected) if expected != bundle.shop_id => {
                Err(BundleError::OtherShop { found: bundle.shop_id, expected: expected.to_owned() })
            }
            _ => Ok(Opened { bundle, hash: hash.to_hex().to_string() }),
        }
    }
}

fn part<const LENGTH: usize>(head: &[u8], start: usize) -> [u8; LENGTH] {
    head[start..start + LENGTH].try_into().expect("the head has a fixed length")
}

#[cfg(test)]
mod tests;
