//! What a bundle keeps, and what it refuses by name.

use proptest::prelude::*;

use super::*;
use crate::commerce::fixture::{Shop, coupon};
use crate::commerce::promotion::Benefit;

fn key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn keys() -> [VerifyingKey; 1] {
    [key().verifying_key()]
}

fn bundle() -> Bundle {
    let percent = "12.5".parse().expect("a percentage");
    let shop = Shop::of(&[1990, 250]).with(coupon("SPRING", Benefit::Percentage(percent)));
    Bundle {
        shop_id: "lamp".to_owned(),
        sites_json: vec!["{}".to_owned()],
        catalog: shop.catalog(),
        rules: shop.rules,
        templates: vec![("edge/cart.html".to_owned(), "text".to_owned())],
        assets: vec![("theme.js".to_owned(), "/a/theme.1.js".to_owned(), "sha384-x".to_owned())],
        origins: vec!["http://127.0.0.1:8080".to_owned()],
        order_prefix: "L-".to_owned(),
        payment: PaymentTerms {
            gateway: "sandbox".to_owned(),
            allow_sandbox_on_public_host: true,
            methods: vec!["card".to_owned()],
            account: None,
            element: false,
        },
        mail: MailTerms { from: "Lamp <orders@lamp.example>".to_owned(), reply_to: Some("hello@lamp.example".to_owned()) },
        webhooks: vec![SubscriberTerms {
            name: "erp".to_owned(),
            url: "https://erp.example".to_owned(),
            events: vec!["order.paid".to_owned()],
        }],
        pricing: None,
        inventory: None,
        keeper: None,
        front: FrontTerms {
            trusted_proxies: Some(vec!["10.0.0.0/8".to_owned()]),
            client_address_header: None,
            origin_secret_header: Some("X-Origin-Secret".to_owned()),
        },
    }
}

fn refused(bytes: &[u8]) -> BundleError {
    Bundle::open(bytes, &keys(), Some("lamp")).expect_err("refused")
}

#[test]
fn what_was_sealed_is_opened_unchanged() {
    let opened = Bundle::open(&bundle().seal(&key()), &keys(), Some("lamp")).expect("our own bundle");
    assert_eq!(opened.bundle, bundle());
    assert_eq!(opened.hash.len(), 64);
}

#[test]
fn the_same_shop_gives_the_same_bytes() {
    assert_eq!(bundle().seal(&key()), bundle().seal(&key()));
}

#[test]
fn every_byte_counts() {
    let bytes = bundle().seal(&key());
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1 << (index % 8);
        refused(&changed);
    }
}

#[test]
fn every_truncation_is_refused_as_one() {
    let bytes = bundle().seal(&key());
    assert_eq!(refused(&[]), BundleError::NotABundle);
    for length in 1..bytes.len() {
        assert!(matches!(refused(&bytes[..length]), BundleError::Truncated { .. }), "{length} bytes");
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let mut bytes = bundle().seal(&key());
    bytes.push(0);
    assert_eq!(refused(&bytes), BundleError::Damaged);
}

#[test]
fn another_format_is_refused_with_what_to_do() {
    let mut bytes = bundle().seal(&key());
    bytes[8] = 12;
    let error = refused(&bytes);
    assert_eq!(error, BundleError::UnknownFormat { found: 12 });
    assert_eq!(error.to_string(), "unknown bundle format 12: this vitrine reads format 11; build again with the same version");
}

#[test]
fn another_key_and_another_shop_are_refused() {
    let other = SigningKey::from_seed(&[2; 32]);
    assert_eq!(refused(&bundle().seal(&other)), BundleError::WrongKey);
    let bytes = bundle().seal(&key());
    let error = Bundle::open(&bytes, &keys(), Some("vase")).expect_err("another shop");
    assert_eq!(error, BundleError::OtherShop { found: "lamp".to_owned(), expected: "vase".to_owned() });
    assert!(Bundle::open(&bytes, &[other.verifying_key(), key().verifying_key()], None).is_ok());
}

#[test]
fn a_foreign_file_is_told_apart() {
    assert_eq!(refused(b"PK\x03\x04 and so on"), BundleError::NotABundle);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        refused(&bytes);
    }

    #[test]
    fn arbitrary_bytes_behind_a_true_head_are_refused(tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = bundle().seal(&key());
        bytes.truncate(HEAD_BYTES);
        bytes.extend_from_slice(&tail);
        refused(&bytes);
    }
}
