//! Message: an event as Standard Webhooks has it: its bytes, its signatures, and one try of sending it.
//!
//! Always  an event has the same id and the same bytes at each try; the time of signing is that of the try. Every secret signs, so that
//!         one can be rolled without losing an event.
//! Source  standardwebhooks.com, specification 1.0.0.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use sha2::Sha256;

use crate::commerce::ids::Timestamp;
use crate::gateway::sandbox::is_loopback;
use crate::gateway::transport::{Transport, USER_AGENT};
use crate::store::fact::Failed;

/// Before a secret's base64.
const PREFIX: &str = "whsec_";
/// Fewer bytes can be guessed; the specification allows no more than the second.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Secrets of one subscriber: two while one is rolled, and some to spare.
const MAX_SECRETS: usize = 8;
/// As much of an answer as is read: its status is what counts.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// As much of a refusal as is told.
const TOLD_CHARS: usize = 200;
/// The longest address.
const MAX_URL_BYTES: usize = 2048;

/// What a subscriber's events are signed with. Never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Why a text is no list of secrets. Holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing is in it.
    #[error("it is empty")]
    Empty,
    /// More than `MAX_SECRETS`.
    #[error("it holds more than {MAX_SECRETS} secrets")]
    TooMany,
    /// One of them is not of the form.
    #[error("a secret is `whsec_` and 24 to 64 bytes in base64")]
    Form,
}

impl Secret {
    /// The secrets of a text, separated by commas or spaces.
    pub fn list(text: &str) -> Result<Vec<Self>, SecretError> {
        let words: Vec<&str> = text.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty()).collect();
        match words.len() {
            0 => Err(SecretError::Empty),
            1..=MAX_SECRETS => words.into_iter().map(Self::parse).collect(),
            _ => Err(SecretError::TooMany),
        }
    }

    fn parse(word: &str) -> Result<Self, SecretError> {
        let bytes = word.strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok()).ok_or(SecretError::Form)?;
        if SECRET_BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(SecretError::Form) }
    }

    /// A fresh secret as text, of 32 random bytes.
    pub fn fresh() -> String {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the system's randomness never fails once the process has started");
        format!("{PREFIX}{}", BASE64.encode(bytes))
    }
}

/// Name of the environment variable that holds a subscriber's secrets.
pub fn secret_variable(subscriber: &str) -> String {
    format!("VITRINE_WEBHOOK_SECRET_{}", subscriber.to_uppercase().replace('-', "_"))
}

/// Whether events may be sent to an address: by TLS, or to this machine.
///
/// Errors: why not, for people.
pub fn check_url(url: &str) -> Result<(), String> {
    if url.len() > MAX_URL_BYTES {
        return Err(format!("an address has at most {MAX_URL_BYTES} bytes"));
    }
    let uri: http::Uri = url.parse().map_err(|_| format!("`{url}` is not an address"))?;
    let Some(authority) = uri.authority() else { return Err(format!("`{url}` names no host")) };
    if authority.as_str().contains('@') {
        return Err("an address holds no user and no password: the signature proves who sends".to_owned());
    }
    if url.contains('#') {
        return Err(format!("`{url}` has a fragment, which is never sent"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback(url) => Ok(()),
        Some("http") => Err(format!("`{url}` goes over the network without TLS; only this machine is told by http")),
        _ => Err(format!("`{url}` begins neither with https:// nor with http://")),
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name: receivers know by it what they had before.
    pub id: String,
    /// Its bytes.
    pub body: Bytes,
}

impl Message {
    /// An event with a subscriber's number for it. `document`: JSON of an object with at least one member.
    pub fn event(id: &str, kind: &str, at: Timestamp, sequence: u64, document: &str) -> Self {
        assert!(document.starts_with("{\""), "what is told is an object with something in it");
        let body = format!(
            r#"{{"type":"{kind}","timestamp":"{}","data":{{"sequence":{sequence},{}}}"#,
            instant(at),
            document.trim_start_matches('{')
        );
        Self { id: id.to_owned(), body: body.into() }
    }

    /// An event that tells nothing but that events arrive.
    pub fn test(id: &str, subscriber: &str, at: Timestamp) -> Self {
        Self::event(id, "webhook.test", at, 0, &serde_json::json!({"subscriber": subscriber}).to_string())
    }

    /// The value of `webhook-signature`: one signature for each secret.
    pub fn signatures(&self, secrets: &[Secret], signed_at: Timestamp) -> String {
        let sign = |secret: &Secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0).expect("a key of any length will do");
            mac.update(format!("{}.{}.", self.id, signed_at.0).as_bytes());
            mac.update(&self.body);
            format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
        };
        secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
    }

    /// Sends it once, signed with every secret. Any 2xx is an acceptance, whatever follows the answer's head; redirects are refusals.
    ///
    /// Errors: why it was not accepted.
    pub async fn send(
        &self,
        transport: &Transport,
        url: &str,
        secrets: &[Secret],
        signed_at: Timestamp,
        patience: Duration,
    ) -> Result<StatusCode, Failed> {
        let failed = |error: String| Failed { error, is_gone: false };
        check_url(url).map_err(failed)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, USER_AGENT)
            .header("webhook-id", &self.id)
            .header("webhook-timestamp", signed_at.0)
            .header("webhook-signature", self.signatures(secrets, signed_at))
            .body(Full::new(self.body.clone()))
            .map_err(|error| failed(error.to_string()))?;
        let answer = transport.send(request, patience, MAX_ANSWER_BYTES).await.map_err(failed)?;
        if answer.status.is_success() {
            return Ok(answer.status);
        }
        let said = printable(&String::from_utf8_lossy(&answer.body));
        let about = if answer.status.is_redirection() { "; redirects are not followed" } else { "" };
        let colon = if said.is_empty() { "" } else { ": " };
        let error = format!("it answered {}{about}{colon}{said}", answer.status);
        Err(Failed { error, is_gone: answer.status == StatusCode::GONE })
    }
}

/// RFC 3339 in UTC.
pub fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// The beginning of a text of others, on one line and without what a terminal would obey.
fn printable(text: &str) -> String {
    let words: Vec<&str> = text.split(|letter: char| letter.is_whitespace() || letter.is_control()).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").chars().take(TOLD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn secrets(text: &str) -> Vec<Secret> {
        Secret::list(text).expect("secrets")
    }

    #[test]
    fn the_specifications_own_example_is_signed_as_it_says() {
        let message =
            Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(), body: Bytes::from_static(br#"{"test": 2432232314}"#) };
        let signed = message.signatures(&secrets(SECRET), Timestamp(1_614_265_330));
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_and_the_time_counts() {
        let message = Message::test("a", "erp", Timestamp(0));
        let other = Secret::fresh();
        let both = message.signatures(&secrets(&format!("{SECRET}, {other}")), Timestamp(7));
        let each = [SECRET, &other].map(|secret| message.signatures(&secrets(secret), Timestamp(7)));
        assert_eq!(both, each.join(" "));
        assert_ne!(each[0], message.signatures(&secrets(SECRET), Timestamp(8)));
    }

    #[test]
    fn the_bytes_of_an_event_never_change() {
        let message = Message::event("order-paid-o1", "order.paid", Timestamp(1_790_000_000), 12, r#"{"order":{"id":"o1"}}"#);
        let expected = r#"{"type":"order.paid","timestamp":"2026-09-21T14:13:20Z","data":{"sequence":12,"order":{"id":"o1"}}}"#;
        assert_eq!(message.body, expected);
        let test = Message::test("t", "e\"rp", Timestamp(0));
        let read: serde_json::Value = serde_json::from_slice(&test.body).expect("JSON");
        assert_eq!((read["type"].as_str(), read["data"]["subscriber"].as_str()), (Some("webhook.test"), Some("e\"rp")));
    }

    #[test]
    fn secrets_are_of_one_form() {
        let check = |text: &str, expected: Result<usize, SecretError>| {
            assert_eq!(Secret::list(text).map(|list| list.len()), expected, "{text}");
        };
        let of = |bytes: usize| format!("whsec_{}", BASE64.encode(vec![7; bytes]));
        check("", Err(SecretError::Empty));
        check(" , ", Err(SecretError::Empty));
        check(SECRET, Ok(1));
        check(&format!("{SECRET},{SECRET} {SECRET}\n"), Ok(3));
        check(&[SECRET; 9].join(","), Err(SecretError::TooMany));
        check(&SECRET[6..], Err(SecretError::Form));
        check("whsec_", Err(SecretError::Form));
        check("whsec_not base64!", Err(SecretError::Form));
        check(&of(23), Err(SecretError::Form));
        check(&of(24), Ok(1));
        check(&of(64), Ok(1));
        check(&of(65), Err(SecretError::Form));
        check(&Secret::fresh(), Ok(1));
        assert!(!format!("{:?}", secrets(SECRET)).contains("Mf"));
    }

    #[test]
    fn events_go_by_tls_or_to_this_machine() {
        let check = |url: &str, expected: &str| {
            let told = check_url(url).err().unwrap_or_default();
            assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{url}: {told}");
        };
        check("https://erp.example/hooks?shop=1", "");
        check("http://127.0.0.1:9000/hooks", "");
        check("http://localhost:9000", "");
        check("http://[::1]:9000/", "");
        check("http://erp.example/hooks", "without TLS");
        check("http://127.0.0.1.erp.example/hooks", "without TLS");
        check("http://10.0.0.1/hooks", "without TLS");
        check("ftp://erp.example/", "begins neither");
        check("erp.example/hooks", "not an address");
        check("/hooks", "names no host");
        check("https://user:pass@erp.example/", "no password");
        check("http://127.0.0.1@erp.example/", "no password");
        check("https://erp.example/#part", "fragment");
        check(&format!("https://erp.example/{}", "a".repeat(2048)), "at most 2048");
    }

    #[test]
    fn a_subscribers_variable_is_its_name_in_capitals() {
        assert_eq!(secret_variable("my-erp2"), "VITRINE_WEBHOOK_SECRET_MY_ERP2");
    }

    #[test]
    fn what_others_say_is_told_on_one_line() {
        assert_eq!(printable("<h1>No\u{1b}[2J</h1>\r\n  way\t"), "<h1>No [2J</h1> way");
        assert_eq!(printable(&"ä".repeat(900)).chars().count(), TOLD_CHARS);
    }
}
