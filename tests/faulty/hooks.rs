//! Hooks: what happened is told to the shop, signed, in all the ways that go wrong.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Shared, WEBHOOK_SECRET};

/// How webhooks go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookFault {
    /// They do not.
    #[default]
    Fine,
    /// F11: each fact has two events of different names, and each is sent twice.
    Doubled,
    /// F12: the newest first.
    Backwards,
    /// F13: they are lost.
    Lost,
    /// F15: they are of the other mode.
    OtherMode,
    /// F15: they are of another account.
    OtherAccount,
    /// F23: signed ten minutes ago.
    Old,
    /// F23: signed in ten minutes.
    Future,
    /// F23: signed with another secret.
    OtherSecret,
    /// F23: changed on the way.
    Tampered,
}

/// Sends what waits, each once. What is not answered with 2xx waits on.
pub(super) async fn deliver(shared: &Shared) -> Vec<u16> {
    let fault = *shared.hooks.lock().expect("nothing panics with it");
    let url = shared.hook_url.lock().expect("nothing panics with it").clone();
    let mut waiting = shared.ledger().transact(|tx| tx.hooks());
    if fault == HookFault::Lost {
        shared.ledger().transact(|tx| waiting.iter().for_each(|(seq, _)| tx.hooked(*seq, true)));
        return Vec::new();
    }
    if fault == HookFault::Backwards {
        waiting.reverse();
    }
    let Some(url) = url else { return Vec::new() };
    let mut statuses = Vec::new();
    for (seq, event) in waiting {
        let event = shared.ledger().transact(|tx| tx.get(&event)).expect("it happened");
        let mut is_done = true;
        for event in told(&event, fault) {
            let status = send(&url, &event.to_string(), fault, shared.now()).await;
            statuses.push(status);
            is_done &= (200..300).contains(&status);
        }
        shared.ledger().transact(|tx| tx.hooked(seq, is_done));
    }
    statuses
}

fn told(event: &Value, fault: HookFault) -> Vec<Value> {
    let mut changed = event.clone();
    match fault {
        HookFault::Doubled => {
            changed["id"] = json!(format!("{}b", event["id"].as_str().expect("a name")));
            return vec![event.clone(), changed.clone(), event.clone(), changed];
        }
        HookFault::OtherMode => changed["livemode"] = json!(event["livemode"] != true),
        HookFault::OtherAccount => changed["account"] = json!("acct_other"),
        _ => {}
    }
    vec![changed]
}

/// The header of a body, as Stripe signs it.
pub fn signature(body: &str, secret: &str, at: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{at}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex},v0={}", "0".repeat(64))
}

async fn send(url: &str, body: &str, fault: HookFault, now: i64) -> u16 {
    let header = match fault {
        HookFault::Old => signature(body, WEBHOOK_SECRET, now - 600),
        HookFault::Future => signature(body, WEBHOOK_SECRET, now + 600),
        HookFault::OtherSecret => signature(body, "whsec_other", now),
        _ => signature(body, WEBHOOK_SECRET, now),
    };
    let body = if fault == HookFault::Tampered { body.replacen(':', ": ", 1) } else { body.to_owned() };
    post(url, &header, body).await.unwrap_or(0)
}

async fn post(url: &str, signature: &str, body: String) -> Option<u16> {
    let uri: http::Uri = url.parse().ok()?;
    let stream = tokio::net::TcpStream::connect((uri.host()?, uri.port_u16()?)).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let request = Request::post(uri.path())
        .header("host", uri.authority()?.as_str())
        .header("content-type", "application/json")
        .header("stripe-signature", signature)
        .body(Full::new(Bytes::from(body)))
        .ok()?;
    let response = sender.send_request(request).await.ok()?;
    let status = response.status().as_u16();
    response.into_body().collect().await.ok()?;
    Some(status)
}
