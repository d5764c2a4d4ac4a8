//! Idempotency: a request that is sent again is answered as it was, and done once.
//!
//! Always  the same key with another body is refused; what failed by our own fault is forgotten, so that it can be tried again.
//! Source  WEB.md 2.2.

use std::future::Future;

use http::StatusCode;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::checkouts::Counter;
use super::error::Failure;
use super::http::{Call, Reply};
use crate::store::{KeyUse, StoreError};
use crate::theme::texts::Say;

/// Header that carries the key.
pub const KEY_HEADER: &str = "idempotency-key";
/// Header that tells that an answer was given before.
const REPLAYED_HEADER: &str = "idempotent-replayed";
/// Whether an answer was given before.
pub fn is_replayed(reply: &Reply) -> bool {
    reply.headers.contains_key(REPLAYED_HEADER)
}

/// Longest key.
const MAX_KEY_BYTES: usize = 255;

/// A request under a key: `scope` is who asks for what.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// Who asks, and where.
    pub scope: String,
    /// As it came.
    pub key: String,
    /// Names the body, whatever its white space and order of fields.
    pub hash: String,
}

/// The key of a request, if there is one.
///
/// Errors: 400 for one that is too long or not printable.
pub fn key_of(call: &Call) -> Result<Option<String>, Failure> {
    let Some(value) = call.headers.get(KEY_HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or("");
    checked(text).map(Some)
}

/// A key that a form carries.
pub fn checked(text: &str) -> Result<String, Failure> {
    let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if text.is_empty() || text.len() > MAX_KEY_BYTES || !is_printable {
        let detail = format!("an Idempotency-Key is 1 to {MAX_KEY_BYTES} printable characters, such as a UUID");
        return Err(Failure::malformed("idempotency_key", detail));
    }
    Ok(text.to_owned())
}

/// Names a JSON body by its meaning: order of fields, white space and `1.0` for `1` do not count.
pub fn hash_of(body: &[u8]) -> String {
    let mut hasher = Sha256::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => add(&mut hasher, &value),
        Err(_) => hasher.update(body),
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn add(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            hasher.update(b"{");
            for name in names {
                hasher.update(format!("{}:{name}", name.len()));
                add(hasher, &fields[name]);
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| add(hasher, item));
            hasher.update(b"]");
        }
        Value::Number(number) => {
            let whole = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
            hasher.update(whole.map_or_else(|| number.to_string(), |whole| format!("{whole:.0}")));
            hasher.update(b",");
        }
        Value::String(text) => hasher.update(format!("\"{}:{text}", text.len())),
        other => hasher.update(format!("{other},")),
    }
}

/// Does the work once per key; answers again what was answered. Refusals are answers too; what is ours (5xx) is not kept.
pub async fn once(
    counter: &Counter,
    keyed: &Keyed,
    request_id: &str,
    work: impl Future<Output = Result<Reply, Failure>>,
) -> Result<Reply, Failure> {
    let (store, now) = (&counter.till.store, counter.desk.now);
    match store.begin_key(&keyed.scope, &keyed.key, &keyed.hash, now).await.map_err(|error| counter.unsure(&error))? {
        KeyUse::Fresh => {}
        KeyUse::InFlight => {
            return Err(Failure::InFlight { detail: Say::of("says.in_flight") });
        }
        KeyUse::OtherRequest => {
            return Err(Failure::refused("idempotency_key_reused", Say::of("says.key_reused")));
        }
        KeyUse::Done { status, response } => return replayed(status, response),
    }
    let reply = work.await.or_else(|failure| match failure.status() {
        status if status.is_server_error() => Err(failure),
        _ => Ok(failure.into_json(request_id, counter.desk.session.speaks(&counter.desk.live).1)),
    });
    let kept = match &reply {
        Ok(reply) => store.finish_key(&keyed.scope, &keyed.key, reply.status.as_u16(), reply.body.to_vec()).await,
        Err(_) => store.forget_key(&keyed.scope, &keyed.key).await,
    };
    if let Err(error) = kept {
        // The work is done and says so; sent again it finds its own traces in the store.
        tracing::warn!(%error, "an answer was not kept under its key");
    }
    reply
}

fn replayed(status: u16, response: Vec<u8>) -> Result<Reply, Failure> {
    let status = StatusCode::from_u16(status).map_err(|_| Failure::Bug)?;
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    let mut reply = Reply::with_type(status, kind, response.into());
    reply.headers.insert(REPLAYED_HEADER, http::HeaderValue::from_static("true"));
    Ok(reply)
}

/// A store that fails, for a client who has not begun to pay.
pub fn unwell(error: &StoreError) -> Failure {
    match error {
        StoreError::Busy => Failure::Unavailable { code: "busy", detail: Say::of("says.busy"), retry_after_s: 1 },
        error => {
            tracing::error!(%error, "the store failed");
            Failure::Unavailable { code: "checkout_unavailable", detail: Say::of("says.unwell"), retry_after_s: 10 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_named_by_its_meaning() {
        let same = |one: &str, other: &str| hash_of(one.as_bytes()) == hash_of(other.as_bytes());
        assert!(same(r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1.0, 2], "a": 1 }"#));
        assert!(!same(r#"{"a":1}"#, r#"{"a":2}"#));
        assert!(!same(r#"{"a":null}"#, "{}"));
        assert!(!same(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#));
        assert!(!same(r#"{"a":"1"}"#, r#"{"a":1}"#));
        assert!(!same(r#"{"a":[12]}"#, r#"{"a":[1,2]}"#));
        assert!(same("not json", "not json") && !same("not json", "not JSON"));
    }

    #[test]
    fn a_key_is_short_and_printable() {
        assert_eq!(checked("a b-1").ok().as_deref(), Some("a b-1"));
        for bad in ["", "ä", "a\tb", &"x".repeat(256)] {
            assert_eq!(checked(bad).map_err(|failure| failure.code()), Err("idempotency_key"), "{bad}");
        }
    }
}
