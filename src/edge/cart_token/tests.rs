//! What a token keeps, and what it refuses.

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000);

fn ring() -> KeyRing {
    KeyRing::new(&[(7, [7; 32])]).expect("one key is a ring")
}

fn full_cart() -> Cart {
    let mut cart = Cart::new(CartId([9; 16]), "eu".into(), "en".to_owned(), NOW);
    for index in 0..MAX_LINES as u64 {
        let sku = SkuHash(u64::MAX - index);
        cart.lines.push(LineItem { sku, quantity: 9_999, properties: Vec::new(), seen_price_minor: 9_999_999 });
    }
    cart
}

fn carts() -> impl Strategy<Value = Cart> {
    let text = || "[a-zA-Z0-9äß ]{0,12}";
    let line = (any::<u64>(), 1..=MAX_QUANTITY, prop::collection::vec((text(), text()), 0..3), any::<i64>());
    let line = line.prop_map(|(sku, quantity, properties, seen_price_minor)| LineItem {
        sku: SkuHash(sku),
        quantity,
        properties,
        seen_price_minor,
    });
    let place = ("[A-Z]{2}", prop::option::of("[A-Z]{1,3}"), prop::option::of("[A-Z0-9 ]{1,10}"));
    let place = place.prop_map(|(country, region, postal_code)| Destination { country, region, postal_code });
    let head = (any::<[u8; 16]>(), any::<u32>(), any::<u64>(), 0..i64::MAX / 2, any::<bool>(), any::<u8>());
    let rest = (
        prop::option::of(place),
        prop::collection::vec("[A-Z0-9]{1,20}", 0..=MAX_COUPONS),
        prop::collection::vec(line, 0..8),
        "[a-z]{1,8}",
        "[a-z]{2}",
    );
    (head, rest).prop_map(
        |((id, revision, sequence_seen, at, payment_mark, vitals_bucket), (destination, coupons, lines, market, language))| {
            Cart {
                id: CartId(id),
                revision,
                sequence_seen,
                market: MarketId(market),
                language,
                destination,
                issued_at: Timestamp(at),
                payment_mark,
                vitals_bucket,
                is_begun: payment_mark || !lines.is_empty(),
                coupons: coupons.into_iter().map(CouponCode).collect(),
                lines,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_token_gives_back_its_cart(cart in carts()) {
        let token = encode(&cart, &ring()).expect("eight lines fit");
        prop_assert_eq!(decode(&token, &ring(), cart.issued_at), Ok(cart));
    }

    #[test]
    fn arbitrary_text_is_no_cart(text in ".{0,400}") {
        prop_assert_eq!(decode(&text, &ring(), NOW), Err(TokenError::Unreadable));
    }

    #[test]
    fn arbitrary_bytes_behind_a_true_tag_never_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = vec![VERSION, 7];
        bytes.extend_from_slice(&body);
        let tag = ring().sign(Purpose::Cart, &bytes);
        bytes.extend_from_slice(&tag);
        let _ = decode(&BASE64.encode(bytes), &ring(), NOW);
    }
}

#[test]
fn every_change_of_a_single_byte_is_refused() {
    let token = encode(&full_cart(), &ring()).expect("a full cart fits").into_bytes();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \0";
    for index in 0..token.len() {
        for other in [alphabet[index % alphabet.len()], alphabet[(index + 31) % alphabet.len()]] {
            let mut changed = token.clone();
            changed[index] = other;
            let expected = changed == token;
            let text = String::from_utf8(changed).expect("ASCII");
            assert_eq!(decode(&text, &ring(), NOW).is_ok(), expected, "byte {index} as {other}");
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let token = encode(&full_cart(), &ring()).expect("a full cart fits");
    for length in 0..token.len() {
        assert_eq!(decode(&token[..length], &ring(), NOW), Err(TokenError::Unreadable), "{length} bytes");
    }
}

#[test]
fn a_cart_of_100_lines_fits() {
    let token = encode(&full_cart(), &ring()).expect("a full cart fits");
    assert!(token.len() <= MAX_TOKEN_BYTES, "{} bytes", token.len());
}

#[test]
fn a_cart_that_does_not_fit_is_said_to_be_full() {
    let mut cart = full_cart();
    for line in &mut cart.lines {
        line.properties = vec![("engraving".to_owned(), "for the one who sings in the kitchen".to_owned())];
    }
    assert_eq!(encode(&cart, &ring()), Err(CartRejection::TooLarge));
}

#[test]
fn a_cart_dies_after_thirty_days_and_not_before() {
    let token = encode(&full_cart(), &ring()).expect("a full cart fits");
    assert!(decode(&token, &ring(), NOW.plus_seconds(LIFE_SECONDS)).is_ok());
    assert_eq!(decode(&token, &ring(), NOW.plus_seconds(LIFE_SECONDS + 1)), Err(TokenError::Expired));
}

#[test]
fn a_token_outlives_the_rotation_of_keys_until_its_key_is_dropped() {
    let token = encode(&full_cart(), &ring()).expect("a full cart fits");
    let rotated = KeyRing::new(&[(8, [8; 32]), (7, [7; 32])]).expect("two keys");
    let dropped = KeyRing::new(&[(8, [8; 32])]).expect("one key");
    assert!(decode(&token, &rotated, NOW).is_ok());
    assert_eq!(decode(&token, &dropped, NOW), Err(TokenError::Unreadable));
}

#[test]
fn a_token_signed_for_something_else_is_no_cart() {
    let mut bytes = vec![VERSION, 7];
    write_cart(&mut bytes, &full_cart());
    let tag = ring().sign(Purpose::Order, &bytes);
    bytes.extend_from_slice(&tag);
    assert_eq!(decode(&BASE64.encode(bytes), &ring(), NOW), Err(TokenError::Unreadable));
}
