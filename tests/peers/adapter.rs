//! Adapter: the shop's side of Stripe by itself, for a test that holds another's server against it. Built with the tests, never shipped.
//!
//! `adapter API_BASE`: reads a call a line as JSON and prints its outcome as a line of JSON.

use std::io::{BufRead, Write};

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use vitrine::commerce::ids::Timestamp;
use vitrine::commerce::money::{Currency, Money};
use vitrine::gateway::event::Event;
use vitrine::gateway::stripe::{Secret, Settings, Stripe};
use vitrine::gateway::{CreatePayment, Gateway, Outcome, RemotePayment, Span};

/// What is asked for. Amounts are in cents.
#[derive(Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
enum Call {
    Create { key: String, amount: i64, expires_at: i64, confirmation: Option<String> },
    Fetch { reference: String },
    Lookup { key: String },
    Capture { key: String, reference: String },
    Cancel { key: String, reference: String },
    Refund { key: String, reference: String, amount: i64 },
    Payments,
    Events,
    Hear { signature: String, body: String, at: i64 },
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("EUR").expect("a currency"))
}

fn wish(key: String, amount: i64, expires_at: i64, confirmation: Option<String>) -> CreatePayment {
    let metadata = [("shop", "peers"), ("checkout", key.as_str()), ("attempt", "1"), ("quote_hash", "ab")];
    CreatePayment {
        amount: euros(amount),
        return_url: "http://127.0.0.1/return".to_owned(),
        leave_url: "http://127.0.0.1/leave".to_owned(),
        description: "Peers & Söhne".to_owned(),
        email: "ada@example.com".to_owned(),
        confirmation,
        expires_at: Timestamp(expires_at),
        metadata: metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        key,
    }
}

fn told<T>(outcome: Outcome<T>, show: impl FnOnce(T) -> Value) -> Value {
    match outcome {
        Outcome::Done(value) => json!({"outcome": "done", "value": show(value)}),
        Outcome::Accepted => json!({"outcome": "accepted"}),
        Outcome::Rejected(reason) => json!({"outcome": "rejected", "reason": reason}),
        Outcome::Unknown(reason) => json!({"outcome": "unknown", "reason": reason}),
    }
}

fn payment(payment: RemotePayment) -> Value {
    json!(payment)
}

fn event(event: &Event) -> Value {
    json!({"id": event.id, "kind": event.kind, "about": format!("{:?}", event.about), "is_ours": event.is_ours})
}

async fn answer(gateway: &Gateway, call: Call) -> Value {
    match call {
        Call::Create { key, amount, expires_at, confirmation } => {
            let body = gateway.body(&wish(key.clone(), amount, expires_at, confirmation));
            told(gateway.create(&key, &body).await, payment)
        }
        Call::Fetch { reference } => told(gateway.fetch(&reference).await, payment),
        Call::Lookup { key } => told(gateway.lookup(&key, Span::from(Timestamp(0))).await, |found| json!(found)),
        Call::Capture { key, reference } => told(gateway.capture(&key, &reference).await, payment),
        Call::Cancel { key, reference } => told(gateway.cancel(&key, &reference).await, payment),
        Call::Refund { key, reference, amount } => told(gateway.refund(&key, &reference, euros(amount)).await, payment),
        Call::Payments => {
            let (mut all, mut after) = (Vec::new(), None::<String>);
            loop {
                match gateway.payments(Timestamp(0), after.as_deref()).await {
                    Outcome::Done((page, next)) => {
                        all.extend(page.into_iter().map(|listed| payment(listed.payment)));
                        after = next;
                    }
                    other => break told(other, |_| Value::Null),
                }
                if after.is_none() {
                    break told(Outcome::Done(all), Value::from);
                }
            }
        }
        Call::Events => told(gateway.events(Timestamp(0), None).await, |(page, _)| page.iter().map(event).collect()),
        Call::Hear { signature, body, at } => {
            let value = HeaderValue::from_str(&signature).expect("a header");
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static("stripe-signature"), value)]);
            match gateway.hear(&headers, body.as_bytes(), Timestamp(at)) {
                Ok(events) => json!({"outcome": "done", "value": events.iter().map(event).collect::<Vec<_>>()}),
                Err(reason) => json!({"outcome": "rejected", "reason": reason.to_string()}),
            }
        }
    }
}

fn main() {
    let settings = Settings {
        secret_key: Secret::new("sk_test_peers".to_owned()),
        webhook_secrets: vec![Secret::new("whsec_peers".to_owned())],
        api_base: std::env::args().nth(1).expect("usage: adapter API_BASE"),
        methods: vec!["card".to_owned()],
        account: None,
        publishable_key: Some("pk_test_peers".to_owned()),
    };
    let gateway = Gateway::Stripe(Stripe::new(&settings).expect("good settings"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    for line in std::io::stdin().lock().lines() {
        let call = serde_json::from_str(&line.expect("UTF-8")).expect("a call");
        println!("{}", runtime.block_on(answer(&gateway, call)));
        std::io::stdout().flush().expect("somebody reads");
    }
}
