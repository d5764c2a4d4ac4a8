//! Events: a webhook's signature, and what an event is about.
//!
//! Always  the signature is over the raw bytes, compared in constant time with every `v1` under every secret; its time is of now, in
//!         both directions.
//! Source  Stripe's "Verify webhook signatures manually"; CHECKOUT.md 2.1.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use serde_json::Value;
use sha2::Sha256;

use super::client::Secret;
use crate::commerce::ids::Timestamp;
use crate::gateway::event::{About, Event, NotHeard};

/// Seconds by which a signature's time may differ from ours, either way: a replay is older, a forgery with a clock of its own is later.
const TOLERANCE_SECONDS: i64 = 300;
/// Signatures that are looked at: two secrets are good while one is rolled.
const MAX_SIGNATURES: usize = 8;

/// What has to be subscribed to.
pub const KINDS: [&str; 18] = [
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "charge.refunded",
    "charge.refund.updated",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
];

/// Proves that Stripe sent these bytes, now.
pub(super) fn prove(headers: &HeaderMap, body: &[u8], now: Timestamp, secrets: &[Secret]) -> Result<(), NotHeard> {
    if secrets.is_empty() {
        return Err(NotHeard::NoSecret);
    }
    let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok()).ok_or(NotHeard::NoSignature)?;
    let (written, signatures) = parts(header)?;
    let at: i64 = written.parse().map_err(|_| NotHeard::NoSignature)?;
    if at.abs_diff(now.0) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(NotHeard::NotNow);
    }
    // Every secret and every signature is tried, whatever fits first: how long it takes tells nothing.
    let mut is_proven = false;
    for secret in secrets {
        for signature in &signatures {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.text().as_bytes()).expect("HMAC takes keys of any length");
            mac.update(written.as_bytes());
            mac.update(b".");
            mac.update(body);
            is_proven |= mac.verify_slice(signature).is_ok();
        }
    }
    if is_proven { Ok(()) } else { Err(NotHeard::WrongSignature) }
}

/// The time as it is written, and every signature of scheme `v1`.
fn parts(header: &str) -> Result<(&str, Vec<Vec<u8>>), NotHeard> {
    let mut written = None;
    let mut signatures = Vec::new();
    for (name, value) in header.split(',').filter_map(|part| part.split_once('=')) {
        match name {
            "t" if written.is_some() => return Err(NotHeard::NoSignature),
            "t" => written = Some(value),
            "v1" if signatures.len() < MAX_SIGNATURES => signatures.extend(hex(value)),
            _ => {}
        }
    }
    // Digits alone: what is signed is this text, and no other spelling of the number.
    let written = written.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    match written {
        Some(written) if !signatures.is_empty() => Ok((written, signatures)),
        _ => Err(NotHeard::NoSignature),
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let digit = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'a' + 10 };
    Some(text.as_bytes().chunks(2).map(|pair| digit(pair[0]) * 16 + digit(pair[1])).collect())
}

/// An event's object; `None` where it is none.
pub(super) fn read(event: &Value, live: bool, account: Option<&str>) -> Option<Event> {
    if event["object"] != "event" {
        return None;
    }
    let id = event["id"].as_str().filter(|id| !id.is_empty())?;
    let kind = event["type"].as_str()?;
    let of = event["account"].as_str();
    Some(Event {
        id: id.to_owned(),
        kind: kind.to_owned(),
        about: if KINDS.contains(&kind) { about(&event["data"]["object"]) } else { About::Nothing },
        // An event of a connected account names it; one of our own does not.
        is_ours: event["livemode"].as_bool() == Some(live) && (of.is_none() || of == account),
        created_at: Timestamp(event["created"].as_i64()?),
        body: discreet(event.clone()).to_string().into_bytes(),
    })
}

/// Without the secrets by which a shopper's browser may confirm a payment: what is kept holds none.
fn discreet(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove("client_secret");
            fields.values_mut().for_each(|inner| *inner = discreet(inner.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| *inner = discreet(inner.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

/// What an object names: what we wrote on it, else what only Stripe can tell more of.
pub(super) fn about(object: &Value) -> About {
    let metadata = &object["metadata"];
    let text = |name: &str| metadata[name].as_str().map(str::to_owned);
    let number = || metadata["attempt"].as_str()?.parse().ok();
    match (text("shop"), text("checkout"), number(), object["object"].as_str(), object["id"].as_str()) {
        (Some(shop), Some(checkout), Some(number), _, _) => About::Attempt { shop, checkout, number },
        (_, _, _, Some("checkout.session"), Some(id)) => About::Reference(id.to_owned()),
        // One that was made at Stripe's own pages, or by the customer's bank, carries none of our names; its intent does.
        (_, _, _, Some("refund" | "dispute"), _) => {
            object["payment_intent"].as_str().map_or(About::Nothing, |intent| About::Reference(intent.to_owned()))
        }
        _ => About::Nothing,
    }
}
