//! Peer: a service of the merchant's own, behind its breaker, its lane and its budgets.
//!
//! Owns    one call and what its answer is worth; what is known of the service's health.
//! Limits  `PLACES` calls at once; each names its time and the bytes that are read of its answer. A call is sent a second time at most,
//!         within its time, and as often as the retry budget has it: 10 % of traffic.
//! Always  every call may be repeated without harm: it reads, or names what it changes. What waits for one service takes no place from
//!         another, and a service that fails again and again is left alone for a while.
//! Source  CHECKOUT.md 5.6.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use tokio::time::Instant;

use crate::edge::app::Clock;
use crate::edge::limits::breaker::{Breaker, Ended, Entry, State};
use crate::edge::limits::bucket::Bucket;
use crate::edge::limits::lane::Lane;
use crate::edge::limits::resend;
use crate::gateway::transport::{Transport, USER_AGENT};
use crate::telemetry::services::ServiceMetrics;

/// Calls under way at once.
const PLACES: usize = 16;
/// Sends of one call.
const MAX_SENDS: u32 = 2;
/// The longest token that is taken for one.
const MAX_TOKEN_BYTES: usize = 4096;

/// How a service is reached.
#[derive(Clone)]
pub enum Wire {
    /// Over the network.
    Http(Transport),
    /// By a test's script.
    Scripted(Script),
}

/// What a script answers: a status and a body, or that there is no answer.
pub type Scripted = Pin<Box<dyn Future<Output = Result<(u16, Vec<u8>), String>> + Send>>;

/// Answers calls in a test.
#[derive(Clone)]
pub struct Script(pub Arc<dyn Fn(Sent) -> Scripted + Send + Sync>);

/// What a script is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its method.
    pub method: Method,
    /// Its address.
    pub url: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Http(_)) { "Http" } else { "Scripted" })
    }
}

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) body: Vec<u8>,
    /// For all of it: the wait for a place, both sends, the whole answer.
    pub(super) timeout: Duration,
    pub(super) max_bytes: usize,
}

/// Why nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// It was not asked: the breaker is open, too many ask, or this edge knows no way to it.
    NotSent,
    /// It did not answer, or not so that it could be understood.
    Failed,
    /// It does not take the token.
    Shut,
}

#[derive(Clone, Copy, Debug, Default)]
struct Health {
    failing_since: Option<u64>,
    is_shut: bool,
}

/// One service.
#[derive(Debug)]
pub(super) struct Peer {
    dependency: &'static str,
    wire: Option<Wire>,
    token: Option<HeaderValue>,
    breaker: Mutex<Breaker>,
    lane: Lane,
    retries: Mutex<Bucket>,
    health: Mutex<Health>,
}

/// The breaker's leave for one call. A call that is given up, since whoever asked went away, gives it back.
struct Trial<'a> {
    peer: &'a Peer,
    entry: Option<Entry>,
}

impl Trial<'_> {
    fn settle(mut self, ended: Ended, clock: &Clock) {
        if let Some(entry) = self.entry.take() {
            self.peer.settle(entry, ended, clock);
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            locked(&self.peer.breaker).leave(entry);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token as the header that shows it. Never printed.
///
/// Errors: it holds signs that no header may hold, is empty, or too long.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, String> {
    let token = token.trim();
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("a token is 1 to {MAX_TOKEN_BYTES} visible ASCII signs without blanks"));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

impl Peer {
    pub(super) fn new(dependency: &'static str, wire: Option<Wire>, token: Option<HeaderValue>) -> Self {
        Self {
            dependency,
            wire,
            token,
            breaker: Mutex::default(),
            lane: Lane::new(PLACES),
            retries: Mutex::new(Bucket::new(resend::BUDGET_SAVED, 0)),
            health: Mutex::default(),
        }
    }

    /// Makes a call and has its answer judged: `judge` gives what it says, or why it cannot be understood.
    ///
    /// Errors: nobody knows; what the call asked for may be done all the same.
    pub(super) async fn ask<T>(
        &self,
        call: &Call,
        clock: &Clock,
        metrics: &ServiceMetrics,
        judge: impl Fn(StatusCode, &[u8]) -> Result<T, String>,
    ) -> Result<T, Unanswered> {
        let until = Instant::now() + call.timeout;
        let not_sent = || {
            metrics.called(self.dependency, "not_sent");
            Unanswered::NotSent
        };
        let wire = self.wire.as_ref().ok_or_else(not_sent)?;
        let _place = self.lane.place_within(call.timeout).await.ok_or_else(not_sent)?;
        let entry = locked(&self.breaker).enter(clock.ticks()).map_err(|_| not_sent())?;
        let trial = Trial { peer: self, entry: Some(entry) };
        let mut sends = 0;
        let answer = loop {
            sends += 1;
            locked(&self.retries).give(if sends == 1 { resend::BUDGET_PER_SEND } else { 0 });
            let answer = self.send(wire, call, until).await.and_then(|(status, body)| match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Err(Unanswered::Shut)),
                // Whoever has too much to do is not asked again at once.
                StatusCode::TOO_MANY_REQUESTS => Ok(Err(Unanswered::Failed)),
                status if status.is_server_error() => Err(status.to_string()),
                status => judge(status, &body).map(Ok),
            });
            let Err(reason) = &answer else { break answer };
            let is_late = entry.is_probe || sends >= MAX_SENDS || Instant::now() >= until;
            if is_late || locked(&self.retries).take(clock.ticks()).is_err() {
                tracing::warn!(dependency = self.dependency, reason, "a service of the shop did not answer");
                break answer;
            }
            metrics.resent(self.dependency);
        };
        let (ended, outcome, answer) = match answer {
            Ok(Ok(said)) => (Ended::Well, "answered", Ok(said)),
            Ok(Err(Unanswered::Shut)) => (Ended::Shut, "key_refused", Err(Unanswered::Shut)),
            Ok(Err(_)) | Err(_) => (Ended::Badly, "failed", Err(Unanswered::Failed)),
        };
        trial.settle(ended, clock);
        metrics.called(self.dependency, outcome);
        answer
    }

    async fn send(&self, wire: &Wire, call: &Call, until: Instant) -> Result<(StatusCode, Bytes), String> {
        let left = until.saturating_duration_since(Instant::now());
        match wire {
            Wire::Http(transport) => {
                let mut request = Request::builder()
                    .method(call.method.clone())
                    .uri(&call.url)
                    .header(header::USER_AGENT, USER_AGENT)
                    .header(header::ACCEPT, "application/json")
                    .header(header::CONTENT_TYPE, "application/json");
                if let Some(token) = &self.token {
                    request = request.header(header::AUTHORIZATION, token.clone());
                }
                let request = request.body(Full::new(Bytes::from(call.body.clone()))).map_err(|error| error.to_string())?;
                let answer = transport.send(request, left, call.max_bytes).await?;
                match answer.cut {
                    Some(reason) => Err(format!("the answer broke off: {reason}")),
                    None => Ok((answer.status, answer.body)),
                }
            }
            Wire::Scripted(Script(script)) => {
                let sent = Sent { method: call.method.clone(), url: call.url.clone(), body: call.body.clone() };
                let (status, body) =
                    tokio::time::timeout(left, script(sent)).await.map_err(|_| "no answer in time".to_owned())??;
                Ok((StatusCode::from_u16(status).map_err(|error| error.to_string())?, body.into()))
            }
        }
    }

    fn settle(&self, entry: Entry, ended: Ended, clock: &Clock) {
        let now = clock.ticks();
        let mut health = locked(&self.health);
        health.is_shut = ended == Ended::Shut;
        health.failing_since = if ended == Ended::Well { None } else { health.failing_since.or(Some(now)) };
        drop(health);
        let mut breaker = locked(&self.breaker);
        let opened = breaker.opened();
        breaker.settle(entry, ended, now);
        if breaker.opened() > opened {
            let is_shut = ended == Ended::Shut;
            tracing::error!(dependency = self.dependency, is_shut, "a service of the shop fails: it is left alone for a while");
        }
    }

    /// The states its breaker can be in, and whether it is in it.
    pub(super) fn breaker(&self, clock: &Clock) -> [(&'static str, bool); 3] {
        let state = locked(&self.breaker).state(clock.ticks());
        State::ALL.map(|one| (one.name(), one == state))
    }

    /// For `/readyz`.
    pub(super) fn told(&self, clock: &Clock) -> serde_json::Value {
        let (health, now) = (*locked(&self.health), clock.ticks());
        serde_json::json!({
            "state": match (health.is_shut, health.failing_since) {
                (true, _) => "key_refused",
                (false, Some(_)) => "failing",
                (false, None) => "ok",
            },
            "failing_seconds": health.failing_since.map(|since| now.saturating_sub(since) / 1_000),
            "breaker": locked(&self.breaker).state(now).name(),
            "calls": self.lane.taken(),
        })
    }
}
