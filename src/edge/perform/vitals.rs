//! Vitals: how store, gateway and mail are, and whether a new payment may begin.
//!
//! Owns    what `/readyz` and `/metrics` tell of the till, and the lane to the mail server.
//! Always  told from what was seen last, about a second ago: whoever asks how the shop is never waits for what is not well.

use std::sync::Mutex;

use super::line::{Closed, Pass};
use super::mail::{Letter, MailError};
use super::{Line, Till};
use crate::commerce::money::Money;
use crate::edge::app::{App, Clock};
use crate::edge::limits::breaker::State;
use crate::edge::limits::lane::Lane;
use crate::gateway::{sandbox, stripe};
use crate::store::watch::{Waiting, Watch};
use crate::telemetry::limits::{Levels, LimitMetrics};

/// Mails under way at once: a server that is slow keeps no other work waiting.
pub(super) const MAIL_PLACES: usize = 4;

/// What was seen of the store the last time.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What waits there.
    pub watch: Watch,
    /// Why it could not be seen; then `watch` is of before.
    pub error: Option<String>,
}

/// The way to the mail server.
#[derive(Debug)]
pub(super) struct Post {
    lane: Lane,
    failure: Mutex<Option<String>>,
    /// Held while people are told of what is to be looked at: each is written to once.
    pub(super) telling: tokio::sync::Mutex<()>,
}

impl Post {
    pub(super) fn new() -> Self {
        Self { lane: Lane::new(MAIL_PLACES), failure: Mutex::default(), telling: tokio::sync::Mutex::default() }
    }
}

/// Why no new payment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPayment {
    /// An operator said so.
    Paused,
    /// The gateway is not well, or more begin than it takes.
    Line(Closed),
}

impl Till {
    /// The same till with another rate of new payments, for before it is used.
    #[must_use]
    pub fn at_most(mut self, payments_per_second: u32) -> Self {
        self.gateway = Line::new(self.gateway.gateway(), payments_per_second);
        self
    }

    /// Whether a payment of an amount may begin now. `Ok(None)`: it needs no gateway.
    ///
    /// Errors: why not. Nothing was written.
    pub async fn admit(&self, amount: Money, clock: &Clock) -> Result<Option<Pass>, NoPayment> {
        if amount.minor == 0 {
            return Ok(None);
        }
        if self.seen.load().watch.pause.is_some() {
            self.refuse_paused();
            return Err(NoPayment::Paused);
        }
        self.gateway.admit(clock).await.map(Some).map_err(NoPayment::Line)
    }

    /// Names of gateways by which orders may have been paid.
    pub fn gateway_names(&self) -> Vec<String> {
        let mut names: Vec<String> = [sandbox::CAPABILITIES.name, stripe::NAME].map(str::to_owned).into();
        let own = self.gateway.capabilities().name;
        if !names.iter().any(|name| name == own) {
            names.push(own.to_owned());
        }
        names
    }

    /// Counts a payment that was refused since they are paused.
    pub fn refuse_paused(&self) {
        self.gateway.metrics().refused("paused");
    }

    /// Sends a mail, a few at a time.
    pub(super) async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let _place = self.post.lane.place().await;
        let sent = self.mailer.send(letter).await;
        self.gateway.metrics().mail(if sent.is_ok() { "sent" } else { "failed" });
        let failure = sent.as_ref().err().map(ToString::to_string);
        *self.post.failure.lock().expect("nothing panics while it holds a text") = failure;
        sent
    }

    /// Looks at what waits in the store, and whether an operator has thrown a switch.
    pub async fn look_around(&self) {
        let before = self.seen.load();
        let seen = match self.store.watch().await {
            Ok(watch) => Seen { watch, error: None },
            Err(error) => Seen { watch: before.watch.clone(), error: Some(error.to_string()) },
        };
        match (&before.watch.pause, &seen.watch.pause) {
            (None, Some(pause)) => tracing::warn!(reason = pause.reason, "new payments are paused by an operator"),
            (Some(_), None) => tracing::warn!("new payments begin again"),
            _ => {}
        }
        self.seen.store(seen.into());
    }

    /// Everything that limits the till, for `/metrics`.
    pub fn metrics(&self) -> &LimitMetrics {
        self.gateway.metrics()
    }

    /// Its gauges now.
    pub fn levels(&self, app: &App) -> Levels {
        let (seen, now, queued) = (self.seen.load(), app.clock.now(), self.store.queued());
        let age = |waiting: &Waiting| waiting.oldest.map_or(0, |oldest| (now.0 - oldest.0).max(0));
        let outbox = seen.watch.outbox.iter().map(|(kind, waiting)| (kind.clone(), waiting.count, age(waiting)));
        let (last, orphans) = self.reconciled();
        let mut levels = Levels {
            in_doubt: self.is_in_doubt(),
            orphans: (orphans.under_way, orphans.in_review),
            reconciled: last.map_or((0, 0, 0), |last| (last.at.0, last.compared, last.different + last.orphans)),
            lanes: vec![("mail", self.post.lane.count(), self.post.lane.taken())],
            paused: seen.watch.pause.is_some(),
            store_up: seen.error.is_none(),
            queued: vec![("urgent", queued.urgent), ("fresh", queued.fresh)],
            written: (queued.commits, queued.steps, queued.busy),
            inbox: (seen.watch.inbox.count, age(&seen.watch.inbox)),
            outbox: outbox.collect(),
            ..Levels::default()
        };
        self.gateway.levels(&mut levels, &app.clock);
        levels
    }

    /// Whether payments begin, in one word; where several things keep them from it, the one that has to be mended first.
    fn payments_are(&self, app: &App, seen: &Seen) -> &'static str {
        match self.gateway.state(&app.clock) {
            _ if seen.error.is_some() => "store_failing",
            _ if self.is_in_doubt() => "in_doubt",
            _ if self.store.is_short_of_room() => "disk_full",
            _ if seen.watch.pause.is_some() => "paused",
            State::Open => "interrupted",
            State::HalfOpen => "probing",
            State::Closed => "open",
        }
    }

    /// How it is, for `/readyz`: whether anything can be sold, and the state of each dependency.
    pub fn told(&self, app: &App) -> (bool, serde_json::Value) {
        let seen = self.seen.load();
        let mail = self.post.failure.lock().expect("nothing panics while it holds a text").clone();
        let told = serde_json::json!({
            "payments": self.payments_are(app, &seen),
            "pause": &seen.watch.pause,
            "dependencies": {
                "gateway": self.gateway.told(&app.clock),
                "store": { "state": if seen.error.is_some() { "failing" } else { "ok" }, "error": &seen.error },
                "mail": { "state": if mail.is_some() { "failing" } else { "ok" }, "error": mail },
            },
        });
        (seen.error.is_none(), told)
    }
}
