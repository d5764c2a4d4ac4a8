//! Server: calls in, answers out, or what a fault makes of them.

use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::faults::Fault;
use super::wire::{self, Form, Said, Wrong};
use super::{Call, SECRET_KEY, Shared, VERSION, hooks, intents, page};

/// A connection that is to be cut.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut")
    }
}

impl std::error::Error for Cut {}

/// A body of which only so much comes: the whole, a part and then the end of the connection, or a part and then nothing.
struct Partial {
    bytes: Bytes,
    promised: u64,
    then: Then,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    End,
    Cut,
    Silence,
}

impl Body for Partial {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.then {
            Then::End => Poll::Ready(None),
            Then::Cut => Poll::Ready(Some(Err(Cut))),
            Then::Silence => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}

fn whole(status: u16, body: String) -> Response<Partial> {
    let bytes = Bytes::from(body);
    let promised = bytes.len() as u64;
    let mut response = Response::new(Partial { bytes, promised, then: Then::End });
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: tokio::sync::oneshot::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(shared.clone(), request));
            // A connection that ends early is what this gateway is for.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Partial>, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = parts.uri.path().to_owned();
    if let Some(session) = path.strip_prefix("/pay/") {
        let form = parsed(&body);
        let (status, location, body) = page::respond(&shared, session, (parts.method == Method::POST).then_some(&form));
        let mut response = whole(status, body);
        if let Some(location) = location {
            response.headers_mut().insert("location", location.parse().map_err(|_| Cut)?);
        }
        return Ok(response);
    }
    if path.starts_with("/_") {
        return Ok(steered(&shared, &path, &body).await);
    }
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let mut call = Call {
        line: format!("{} {path}", parts.method),
        query: parts.uri.query().unwrap_or("").to_owned(),
        key: header("idempotency-key"),
        body,
        status: 0,
    };
    let fault = operation(&call).and_then(|operation| shared.plan().next(operation));
    if let Some((status, said)) = refused(&header("authorization"), &header("stripe-version"), &call, fault) {
        call.status = status;
        shared.ledger().log(&call);
        return Ok(whole(status, said.to_string()));
    }
    answered(&shared, call, fault).await
}

/// What stands before keys are looked at: nothing of it is kept under one.
fn refused(authorization: &str, version: &str, call: &Call, fault: Option<Fault>) -> Option<Said> {
    if authorization != format!("Bearer {SECRET_KEY}") || fault == Some(Fault::Unauthorized) {
        return Some(wire::error(401, "invalid_request_error", "api_key_expired"));
    }
    if version != VERSION {
        return Some(wire::error(400, "invalid_request_error", "another_version"));
    }
    if call.line.starts_with("POST ") && (call.key.is_empty() || call.key.len() > 255) {
        return Some(wire::error(400, "invalid_request_error", "no_idempotency_key"));
    }
    None
}

fn operation(call: &Call) -> Option<&'static str> {
    let line = call.line.as_str();
    Some(match line {
        "GET /v1/checkout/sessions" | "GET /v1/payment_intents" if call.query.contains("expand") => "payments",
        "POST /v1/checkout/sessions" | "POST /v1/payment_intents" => "create",
        "GET /v1/checkout/sessions" | "GET /v1/payment_intents" => "list",
        "GET /v1/events" => "events",
        "POST /v1/refunds" => "refund",
        "GET /v1/refunds" => "refunds",
        "GET /v1/disputes" => "disputes",
        _ if line.starts_with("GET /v1/checkout/sessions/") || line.starts_with("GET /v1/payment_intents/") => "fetch",
        _ if line.ends_with("/expire") => "expire",
        _ if line.ends_with("/capture") => "capture",
        _ if line.ends_with("/cancel") => "cancel",
        _ => return None,
    })
}

async fn answered(shared: &Shared, mut call: Call, fault: Option<Fault>) -> Result<Response<Partial>, Cut> {
    let log = |call: &Call| shared.ledger().log(call);
    let plain = |status, code| {
        let kind = if status == 429 || status == 409 { "invalid_request_error" } else { "api_error" };
        wire::error(status, kind, code)
    };
    let unacted = match fault {
        Some(Fault::Refuse) => {
            log(&call);
            return Err(Cut);
        }
        Some(Fault::BlackHole) => {
            log(&call);
            return std::future::pending().await;
        }
        Some(Fault::Late) => {
            shared.ledger().transact(|tx| tx.put_off(&call.line, &call.key, &call.body));
            log(&call);
            return Err(Cut);
        }
        Some(Fault::FailThenRoll) => {
            let (status, said) = plain(500, "internal");
            shared.ledger().transact(|tx| {
                tx.put_off(&call.line, "", &call.body);
                tx.keep(&call.key, &call.line, &call.body, status, &said.to_string());
            });
            Some((status, said))
        }
        Some(Fault::FailKept) => {
            let (status, said) = plain(500, "internal");
            shared.ledger().transact(|tx| tx.keep(&call.key, &call.line, &call.body, status, &said.to_string()));
            Some((status, said))
        }
        Some(Fault::Fail) => Some(plain(500, "internal")),
        Some(Fault::InUse) => Some(plain(409, "idempotency_key_in_use")),
        Some(Fault::TooMany) => Some(plain(429, "rate_limit")),
        Some(Fault::Locked) => Some(plain(429, "lock_timeout")),
        _ => None,
    };
    if let Some((status, said)) = unacted {
        call.status = status;
        log(&call);
        let mut response = whole(status, said.to_string());
        let retry = if matches!(fault, Some(Fault::TooMany | Fault::FailThenRoll | Fault::FailKept)) { "false" } else { "true" };
        response.headers_mut().insert("stripe-should-retry", retry.parse().expect("a value"));
        return Ok(response);
    }
    let (status, said, is_replayed) = shared.ledger().transact(|tx| keyed(tx, shared, &call, fault));
    call.status = status;
    log(&call);
    if fault == Some(Fault::HookFirst) {
        hooks::deliver(shared).await;
    }
    let text = said.to_string();
    let mut response = match fault {
        Some(Fault::ActThenCut) => return Err(Cut),
        Some(Fault::Html) => whole(200, "<!doctype html><title>Welcome</title>".to_owned()),
        Some(Fault::Unavailable) => whole(503, "<h1>503</h1>".to_owned()),
        Some(Fault::Redirect) => {
            let mut response = whole(302, String::new());
            response.headers_mut().insert("location", "http://127.0.0.1:9/".parse().expect("a value"));
            response
        }
        Some(Fault::Truncated | Fault::Drip) => {
            let mut response = whole(status, text.clone());
            let then = if fault == Some(Fault::Drip) { Then::Silence } else { Then::Cut };
            let bytes = Bytes::from(text.clone()).slice(..text.len() / 2);
            *response.body_mut() = Partial { bytes, promised: text.len() as u64, then };
            response
        }
        _ => whole(status, text),
    };
    if is_replayed {
        response.headers_mut().insert("idempotent-replayed", "true".parse().expect("a value"));
    }
    Ok(response)
}

/// Does a call once per key: status, answer, and whether it was said before.
fn keyed(tx: &super::ledger::Tx<'_>, shared: &Shared, call: &Call, fault: Option<Fault>) -> (u16, Value, bool) {
    if fault == Some(Fault::ForgetKey) {
        tx.forget_key(&call.key);
    }
    if !call.key.is_empty() {
        match tx.kept(&call.key, &call.line, &call.body) {
            Some(kept) if kept.is_same => {
                return (kept.status, serde_json::from_str(&kept.answer).expect("our own JSON"), true);
            }
            Some(_) => {
                let (status, said) = wire::error(400, "idempotency_error", "");
                return (status, said, false);
            }
            None => {}
        }
    }
    let (mut status, mut said) = done(tx, shared, call, fault);
    if fault == Some(Fault::FailActed) {
        (status, said) = wire::error(500, "api_error", "internal");
    }
    if !call.key.is_empty() {
        tx.keep(&call.key, &call.line, &call.body, status, &said.to_string());
    }
    (status, said, false)
}

fn done(tx: &super::ledger::Tx<'_>, shared: &Shared, call: &Call, fault: Option<Fault>) -> Said {
    let now = shared.now();
    wire::pass_time(tx, now);
    let form = parsed(if call.body.is_empty() { &call.query } else { &call.body });
    let is_stale = fault == Some(Fault::Stale);
    let parts: Vec<&str> = call.line.split([' ', '/']).filter(|part| !part.is_empty()).collect();
    let expanded = |(status, object): Said| {
        let said = if status == 200 { wire::expanded(tx, &object, &form, is_stale) } else { object };
        (status, said)
    };
    let is = |of| fault == Some(of);
    let wrong = Wrong { amount: is(Fault::WrongAmount), currency: is(Fault::WrongCurrency), mode: is(Fault::WrongMode) };
    match parts.as_slice() {
        ["POST", "v1", "checkout", "sessions"] => expanded(wire::create_session(tx, &form, wrong, &shared.base, now)),
        ["POST", "v1", "payment_intents"] => expanded(intents::create(tx, &form, wrong, &shared.base, now)),
        ["GET", "v1", "payment_intents"] => wire::list(tx, "payment_intent", &form, is_stale),
        ["GET", "v1", "payment_intents", id] => {
            let found = if is_stale { tx.previous(id) } else { tx.get(id) };
            found.map_or_else(wire::missing, |intent| expanded((200, intent)))
        }
        ["GET", "v1", "checkout", "sessions"] => wire::list(tx, "checkout.session", &form, is_stale),
        ["GET", "v1", "checkout", "sessions", id] => {
            let found = if is_stale { tx.previous(id) } else { tx.get(id) };
            found.map_or_else(wire::missing, |session| expanded((200, session)))
        }
        ["POST", "v1", "checkout", "sessions", id, "expire"] => {
            if fault == Some(Fault::Race) {
                wire::pay(tx, id, wire::Verdict::Approved, now);
            }
            expanded(wire::expire(tx, id, now))
        }
        ["POST", "v1", "payment_intents", id, "capture"] => expanded(wire::capture(tx, id, now)),
        ["POST", "v1", "payment_intents", id, "cancel"] => {
            if fault == Some(Fault::Race) {
                intents::step(tx, id, wire::Verdict::Approved, now);
            }
            expanded(wire::cancel(tx, id, now))
        }
        ["POST", "v1", "refunds"] => wire::refund(tx, &form, fault == Some(Fault::RefundPends), now),
        ["GET", "v1", "disputes"] => wire::list(tx, "dispute", &form, is_stale),
        ["GET", "v1", "refunds"] => wire::list(tx, "refund", &form, is_stale),
        ["GET", "v1", "events"] => wire::list(tx, "event", &form, false),
        _ => wire::missing(),
    }
}

/// Does what was put off. Gives how many calls that were.
pub(super) fn act_late(shared: &Shared) -> usize {
    shared.ledger().transact(|tx| {
        let late = tx.take_late();
        for (line, key, body) in &late {
            let call = Call { line: line.clone(), query: String::new(), key: key.clone(), body: body.clone(), status: 0 };
            keyed(tx, shared, &call, None);
        }
        late.len()
    })
}

/// What a test that runs beside this program asks of it.
async fn steered(shared: &Shared, path: &str, body: &str) -> Response<Partial> {
    let words: Vec<&str> = body.split_whitespace().collect();
    match (path, words.as_slice()) {
        ("/_script", [operation, fault]) => match Fault::named(fault) {
            Some(fault) => shared.plan().script(operation, fault),
            None => return whole(400, format!("no such fault: {fault}\n")),
        },
        ("/_seed", [seed, percent]) => match (seed.parse(), percent.parse()) {
            (Ok(seed), Ok(percent)) => shared.plan().seed(seed, percent),
            _ => return whole(400, "two numbers: seed and percent\n".to_owned()),
        },
        ("/_late", []) => return whole(200, format!("{}\n", act_late(shared))),
        ("/_deliver", []) => return whole(200, format!("{:?}\n", hooks::deliver(shared).await)),
        ("/_ledger", []) => {
            let ledger = shared.ledger();
            let kinds = ["checkout.session", "payment_intent", "refund", "dispute", "event"];
            let told: serde_json::Map<String, Value> =
                kinds.iter().map(|kind| ((*kind).to_owned(), ledger.objects(kind).into())).collect();
            return whole(200, Value::from(told).to_string());
        }
        _ => return whole(404, "/_script /_seed /_late /_deliver /_ledger\n".to_owned()),
    }
    whole(200, "ok\n".to_owned())
}

/// Fields of a form or a query.
fn parsed(text: &str) -> Form {
    let decode = |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (decode(name), decode(value))).collect()
}
