//! Signatures: made by Stripe's own SDKs (tests/peers/signatures.py), and 100,000 forgeries of them; those of the library of Standard
//! Webhooks (tests/peers/webhooks.py) are made again.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use vitrine::commerce::ids::Timestamp;
use vitrine::edge::perform::subscribers::message as outgoing;
use vitrine::gateway::Gateway;
use vitrine::gateway::event::NotHeard;
use vitrine::gateway::stripe::{Secret, Settings, Stripe};

#[derive(Deserialize)]
struct Vector {
    by: String,
    payload: String,
    secret: String,
    timestamp: i64,
    header: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("signatures.json")).expect("our own file")
}

fn gateway(secrets: &[&str]) -> Gateway {
    let settings = Settings {
        secret_key: Secret::new("sk_test_none".to_owned()),
        webhook_secrets: secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect(),
        api_base: "http://127.0.0.1:9".to_owned(),
        methods: vec!["card".to_owned()],
        account: None,
        publishable_key: None,
    };
    Gateway::Stripe(Stripe::new(&settings).expect("good settings"))
}

fn hear(gateway: &Gateway, header: &[u8], payload: &[u8], now: i64) -> Result<(), NotHeard> {
    let Ok(value) = HeaderValue::from_bytes(header) else { return Err(NotHeard::NoSignature) };
    let headers = HeaderMap::from_iter([(HeaderName::from_static("stripe-signature"), value)]);
    gateway.hear(&headers, payload, Timestamp(now)).map(drop)
}

#[test]
fn what_the_sdks_sign_is_heard_within_five_minutes_either_way() {
    let vectors = vectors();
    assert!(["python", "node"].iter().all(|by| vectors.iter().filter(|vector| vector.by == *by).count() == 10));
    for Vector { payload, secret, timestamp, header, .. } in &vectors {
        let check = |secrets: &[&str], seconds: i64, expected: Result<(), NotHeard>| {
            let heard = hear(&gateway(secrets), header.as_bytes(), payload.as_bytes(), timestamp + seconds);
            assert_eq!(heard, expected, "{header} {seconds}");
        };
        for seconds in [0, 300, -300] {
            check(&[secret], seconds, Ok(()));
            check(&["whsec_rolled", secret], seconds, Ok(()));
        }
        for seconds in [301, -301, i64::MIN / 2, 1_000_000_000] {
            check(&[secret], seconds, Err(NotHeard::NotNow));
        }
        check(&["whsec_rolled"], 0, Err(NotHeard::WrongSignature));
        check(&[], 0, Err(NotHeard::NoSecret));
    }
}

#[test]
fn a_header_says_one_time_and_whole_signatures() {
    let Vector { payload, secret, timestamp, header, .. } = vectors().remove(0);
    let (time, signature) = header.split_once(',').expect("two parts");
    let hex = signature.strip_prefix("v1=").expect("a signature");
    let known = gateway(&[&secret]);
    for (header, is_heard) in [
        (format!("{signature},{time}"), true),
        (format!("{time},v1={},{signature}", "0".repeat(64)), true),
        (format!("{time},v0={hex}"), false),
        (format!("{time},v1={}", hex.to_uppercase()), false),
        (format!("{time},v1={}", &hex[..62]), false),
        (format!("{time},v1={hex}00"), false),
        (format!("{time},v1="), false),
        (format!("{time},t={},{signature}", timestamp + 1), false),
        (format!("t=0{timestamp},{signature}"), false),
        (format!("t=+{timestamp},{signature}"), false),
        (format!("t= {timestamp},{signature}"), false),
        (format!("t={timestamp}.0,{signature}"), false),
        (format!("t=,{signature}"), false),
        (signature.to_owned(), false),
        (time.to_owned(), false),
        (String::new(), false),
        (format!("{time},{}", format!("v1={},", "1".repeat(64)).repeat(9) + signature), false),
    ] {
        assert_eq!(hear(&known, header.as_bytes(), payload.as_bytes(), timestamp).is_ok(), is_heard, "{header}");
    }
}

#[derive(Deserialize)]
struct Signed {
    secret: String,
    id: String,
    timestamp: i64,
    body: String,
    signature: String,
}

#[test]
fn what_is_sent_is_signed_as_the_library_of_standard_webhooks_signs_it() {
    let vectors: Vec<Signed> = serde_json::from_str(include_str!("webhook_vectors.json")).expect("our own file");
    assert_eq!(vectors.len(), 12);
    for Signed { secret, id, timestamp, body, signature } in vectors {
        let secrets = outgoing::Secret::list(&secret).expect("a secret");
        let message = outgoing::Message { id, body: body.into() };
        assert_eq!(message.signatures(&secrets, Timestamp(timestamp)), signature, "{message:?}");
    }
}

/// A number from a number: the same in every run.
fn drawn(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).expect("31 bits")
}

fn changed(bytes: &[u8], state: &mut u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = drawn(state) % bytes.len();
    match drawn(state) % 4 {
        0 => bytes[at] ^= 1 << (drawn(state) % 8),
        1 => bytes.insert(at, u8::try_from(drawn(state) % 256).expect("a byte")),
        2 => drop(bytes.remove(at)),
        _ => {
            let other = drawn(state) % bytes.len();
            bytes.swap(at, other);
        }
    }
    bytes
}

#[test]
fn a_hundred_thousand_forgeries_are_refused() {
    let (vectors, mut state, mut forged) = (vectors(), 7, 0);
    let known: Vec<Gateway> = vectors.iter().map(|vector| gateway(&[&vector.secret])).collect();
    while forged < 100_000 {
        let at = drawn(&mut state) % vectors.len();
        let Vector { payload, timestamp, header, .. } = &vectors[at];
        let (mut payload, mut header) = (payload.as_bytes().to_vec(), header.as_bytes().to_vec());
        match drawn(&mut state) % 3 {
            0 => payload = changed(&payload, &mut state),
            1 => header = changed(&header, &mut state),
            _ => {
                let other = &vectors[drawn(&mut state) % vectors.len()];
                header = other.header.as_bytes().to_vec();
                // A time of the attacker's own choice, within what is taken for now.
                let seconds = i64::try_from(drawn(&mut state) % 600).expect("it is small") - 300;
                let text = String::from_utf8(header).expect("ASCII");
                header = text.replacen(&other.timestamp.to_string(), &(timestamp + seconds).to_string(), 1).into_bytes();
            }
        }
        // What says the same in another way is no forgery: both parts whole, and the bytes that were signed.
        let parts: Vec<&[u8]> = header.split(|byte| *byte == b',').collect();
        let is_same = vectors[at].header.as_bytes().split(|byte| *byte == b',').all(|part| parts.contains(&part));
        if is_same && payload == vectors[at].payload.as_bytes() {
            continue;
        }
        forged += 1;
        let heard = hear(&known[at], &header, &payload, *timestamp);
        assert!(heard.is_err(), "{} with {}", String::from_utf8_lossy(&header), String::from_utf8_lossy(&payload));
    }
}
