//! Client: one call to Stripe and what its answer is worth.
//!
//! Owns    headers, time limits, and the judgement of a status: done, a definitive no, or unknown.
//! Limits  `READ`, `CHANGE`; an answer has at most `MAX_ANSWER_BYTES`. Redirects are not followed. Nothing is sent twice here.
//! Always  a no is definitive only where Stripe itself says it, in its own error object; all else is unknown.
//! Source  CHECKOUT.md 2.1 and 5.6.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use crate::gateway::Hint;
use crate::gateway::transport::{Answer, Transport, USER_AGENT};

/// The API version that every answer's shape depends on.
pub const VERSION: &str = "2026-09-30.endive";
/// Until a question is answered.
const READ: Duration = Duration::from_secs(5);
/// Until a change is answered: banks are asked meanwhile.
const CHANGE: Duration = Duration::from_secs(10);
/// A hundred events of a busy shop are far smaller.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What an answer is worth.
#[derive(Debug)]
pub(super) enum Said {
    /// Stripe did it, or shows it.
    Yes(Value),
    /// Stripe says no and did nothing.
    No(Refusal),
    /// Nobody knows.
    Unsure(String),
}

/// Stripe's own no.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// For programs: the bank's code, else Stripe's.
    pub(super) code: String,
    /// The payment that stands against it, where the error shows one.
    pub(super) intent: Option<Value>,
}

#[derive(Clone)]
pub(super) struct Client {
    transport: Transport,
    base: String,
    authorization: HeaderValue,
}

impl Client {
    /// Talks to the API at `base` (without a closing slash).
    ///
    /// Errors: the key cannot be a header's value; the TLS provider lacks a protocol version.
    pub(super) fn new(base: &str, key: &Secret) -> Result<Self, String> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.text()))
            .map_err(|_| "the key holds signs that no key has".to_owned())?;
        authorization.set_sensitive(true);
        Ok(Self { transport: Transport::new()?, base: base.to_owned(), authorization })
    }

    pub(super) async fn get(&self, path: &str) -> Said {
        self.call(Method::GET, path, None, READ).await.0
    }

    pub(super) async fn post(&self, path: &str, key: &str, body: Vec<u8>) -> Said {
        self.post_hinted(path, key, body).await.0
    }

    /// The same, with what is known about sending it again.
    pub(super) async fn post_hinted(&self, path: &str, key: &str, body: Vec<u8>) -> (Said, Hint) {
        self.call(Method::POST, path, Some((key, body)), CHANGE).await
    }

    async fn call(&self, method: Method, path: &str, change: Option<(&str, Vec<u8>)>, patience: Duration) -> (Said, Hint) {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header("stripe-version", VERSION)
            .header(header::USER_AGENT, USER_AGENT);
        let body = match change {
            Some((key, body)) => {
                request =
                    request.header("idempotency-key", key).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
                Bytes::from(body)
            }
            None => Bytes::new(),
        };
        let Ok(request) = request.body(Full::new(body)) else {
            return (Said::Unsure("the call cannot be written".to_owned()), Hint::Later);
        };
        let (said, retry) = match self.transport.send(request, patience, MAX_ANSWER_BYTES).await {
            Err(reason) => (Said::Unsure(reason), None),
            Ok(Answer { status, headers, body, cut }) => {
                let retry = headers.get("stripe-should-retry").and_then(|value| value.to_str().ok()).map(|value| value == "true");
                match cut {
                    Some(reason) => (Said::Unsure(format!("the answer broke off: {reason}")), retry),
                    None => (judge(status, retry, &body), retry),
                }
            }
        };
        match &said {
            Said::Yes(_) => {}
            Said::No(refusal) => tracing::warn!(%method, path, status = refusal.status, code = refusal.code, "Stripe said no"),
            Said::Unsure(reason) => tracing::warn!(%method, path, reason, "nobody knows what Stripe did"),
        }
        let hint = hint(&said, retry);
        (said, hint)
    }
}

/// What an answer means for the next send of the same call.
fn hint(said: &Said, retry: Option<bool>) -> Hint {
    match said {
        Said::Yes(_) => Hint::Again,
        Said::No(refusal) if matches!(refusal.status, 401 | 403) => Hint::Shut,
        Said::No(_) => Hint::Later,
        Said::Unsure(_) if retry == Some(false) => Hint::Later,
        Said::Unsure(_) => Hint::Again,
    }
}

/// What a status and a body are worth. `retry`: what Stripe says of sending the same call again.
pub(super) fn judge(status: StatusCode, retry: Option<bool>, body: &[u8]) -> Said {
    let read: Option<Value> = serde_json::from_slice(body).ok();
    let unsure = |what: &str| Said::Unsure(format!("{what} ({status})"));
    if status.is_success() {
        return match read {
            Some(value) if value.is_object() => Said::Yes(value),
            _ => unsure("the answer cannot be read"),
        };
    }
    let Some(error) = read.as_ref().map(|value| &value["error"]).filter(|error| error.is_object()) else {
        return unsure("the answer is not Stripe's");
    };
    let text = |name: &str| error[name].as_str().filter(|text| !text.is_empty());
    let code = text("decline_code").or(text("code")).or(text("type")).unwrap_or("refused").to_owned();
    // Under way elsewhere, too many at once, or their own fault: the call may be done, now or later.
    let is_open = matches!(status.as_u16(), 409 | 429) || !status.is_client_error();
    // The key was used with other bytes, and whatever those asked for may have been done. Never expected: bytes are stored.
    let is_other = text("type") == Some("idempotency_error");
    if is_open || is_other || retry == Some(true) {
        return unsure(&code);
    }
    let intent = error["payment_intent"].is_object().then(|| error["payment_intent"].clone());
    Said::No(Refusal { status: status.as_u16(), code, intent })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, retry: Option<bool>, body: &str, expected: &str) {
        let said = judge(StatusCode::from_u16(status).expect("a status"), retry, body.as_bytes());
        let told = match said {
            Said::Yes(_) => "yes".to_owned(),
            Said::No(refusal) => refusal.code,
            Said::Unsure(_) => "unsure".to_owned(),
        };
        assert_eq!(told, expected, "{status} {retry:?} {body}");
    }

    const DECLINED: &str = r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}"#;
    const INVALID: &str = r#"{"error":{"type":"invalid_request_error","code":"parameter_missing"}}"#;

    #[test]
    fn only_stripes_own_word_is_definitive() {
        check(200, None, r#"{"id":"cs_1"}"#, "yes");
        check(200, None, "<html>", "unsure");
        check(200, None, "[]", "unsure");
        check(302, None, "", "unsure");
        check(402, None, DECLINED, "insufficient_funds");
        check(400, None, INVALID, "parameter_missing");
        check(400, Some(false), INVALID, "parameter_missing");
        check(400, Some(true), INVALID, "unsure");
        check(400, None, r#"{"error":{"type":"idempotency_error"}}"#, "unsure");
        check(409, None, r#"{"error":{"code":"idempotency_key_in_use"}}"#, "unsure");
        check(429, Some(false), r#"{"error":{"code":"lock_timeout"}}"#, "unsure");
        check(500, Some(false), r#"{"error":{"type":"api_error"}}"#, "unsure");
        check(404, None, "<h1>not found</h1>", "unsure");
        check(404, None, r#"{"error":{"type":"invalid_request_error","code":"resource_missing"}}"#, "resource_missing");
        check(400, None, r#"{"error":{}}"#, "refused");
    }

    #[test]
    fn stripe_says_whether_a_call_is_sent_again() {
        let judged = |status: u16, retry, body: &str| {
            let said = judge(StatusCode::from_u16(status).expect("a status"), retry, body.as_bytes());
            hint(&said, retry)
        };
        let refused = r#"{"error":{"type":"invalid_request_error","code":"api_key_expired"}}"#;
        assert_eq!([401, 403].map(|status| judged(status, None, refused)), [Hint::Shut; 2]);
        // A machine in between says nothing about our key.
        assert_eq!(judged(403, None, "<h1>blocked</h1>"), Hint::Again);
        assert_eq!(judged(500, Some(false), r#"{"error":{"type":"api_error"}}"#), Hint::Later);
        assert_eq!(judged(500, None, r#"{"error":{"type":"api_error"}}"#), Hint::Again);
        assert_eq!(judged(409, Some(true), r#"{"error":{"code":"idempotency_key_in_use"}}"#), Hint::Again);
        assert_eq!(judged(402, None, DECLINED), Hint::Later);
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("sk_test_hush".to_owned());
        assert!(!format!("{secret:?} {:?}", Client::new("http://127.0.0.1:1", &secret).map(drop)).contains("hush"));
    }
}
