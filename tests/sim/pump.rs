//! Pump: what the gateway tells by webhook: late, twice, in any order, under two names, of other accounts, of the other mode, or never.
//!
//! Owns    the webhooks that wait, which outlive the shop's crashes and are sent until they are taken, and luck of its own, so that the
//!         worlds without it are as they were.
//! Source  CHECKOUT.md 5.4 and F10 to F13, F15 of 5.10.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use vitrine::edge::app::App;
use vitrine::edge::perform::{Till, inbox};
use vitrine::edge::server;

use super::luck::Luck;
use super::world::World;

/// A webhook that waits.
#[derive(Clone, Debug)]
struct Hook {
    at: i64,
    reference: String,
    event: String,
    /// Why it is none of ours: of another account, or of the other mode.
    foreign: Option<&'static str>,
}

/// All that wait.
#[derive(Debug)]
pub struct Pump {
    waiting: Vec<Hook>,
    events: u32,
    luck: Luck,
}

impl Pump {
    pub fn of(seed: u64) -> Self {
        Self { waiting: Vec::new(), events: 0, luck: Luck::of(!seed) }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Something happened to a payment: so many of a thousand are never told.
    fn tell(&mut self, reference: &str, lost: u64, now: i64) {
        if self.luck.in_thousand(lost) {
            return;
        }
        let names = if self.luck.in_thousand(100) { 2 } else { 1 };
        for _ in 0..names {
            self.events += 1;
            let event = format!("e{}", self.events);
            let times = if self.luck.in_thousand(250) { 2 } else { 1 };
            for _ in 0..times {
                let at = now + self.luck.one_of(&[0, 0, 1, 5, 60, 400]);
                self.waiting.push(Hook { at, reference: reference.to_owned(), event: event.clone(), foreign: None });
            }
        }
        if self.luck.in_thousand(100) {
            self.events += 1;
            let (at, event) = (now + self.luck.one_of(&[0, 5]), format!("e{}", self.events));
            let foreign = Some(if self.events.is_multiple_of(2) { "other" } else { "test" });
            self.waiting.push(Hook { at, reference: reference.to_owned(), event, foreign });
        }
    }

    /// Takes one that is due, whichever.
    fn due(&mut self, now: i64) -> Option<Hook> {
        let due: Vec<usize> = (0..self.waiting.len()).filter(|index| self.waiting[*index].at <= now).collect();
        if due.is_empty() {
            return None;
        }
        let index = self.luck.one_of(&due);
        Some(self.waiting.swap_remove(index))
    }
}

/// Sends what is due, again and again, and lets the inbox's worker have its turns between.
pub async fn pumping(world: Arc<World>, app: Arc<App>, till: Arc<Till>) {
    loop {
        let seconds = pump(&world, |pump| pump.luck.one_of(&[1, 5, 20]));
        world.wait(seconds).await;
        round(&world, &app, &till).await;
    }
}

/// Sends what is due, and looks at what was kept.
pub async fn round(world: &World, app: &Arc<App>, till: &Arc<Till>) {
    let untold = std::mem::take(&mut world.ledger.lock().unwrap_or_else(PoisonError::into_inner).untold);
    let lost = if world.is_calm() { 0 } else { world.plan.hooks };
    for reference in untold {
        pump(world, |pump| pump.tell(&reference, lost, world.now()));
    }
    while let Some(hook) = pump(world, |pump| pump.due(world.now())) {
        // It waits on until it is answered, whatever becomes of the process meanwhile.
        let again = Hook { at: world.now() + 10, ..hook.clone() };
        pump(world, |pump| pump.waiting.push(again.clone()));
        if sends(world, app, &hook).await {
            pump(world, |pump| {
                let kept = pump.waiting.iter().position(|one| (&one.event, one.at) == (&again.event, again.at));
                kept.map(|index| pump.waiting.swap_remove(index))
            });
        }
    }
    while inbox::work(app, till).await.is_ok_and(|count| count > 0) {}
}

async fn sends(world: &World, app: &Arc<App>, hook: &Hook) -> bool {
    let foreign = hook.foreign.map_or(String::new(), |of| format!(" {of}"));
    let body = format!("id={} {}{foreign}", hook.reference, hook.event);
    let failures = world.failures.load(Ordering::Relaxed);
    let request = Request::post("/api/v1/webhooks/sandbox").body(Full::new(Bytes::from(body.clone()))).expect("a request");
    world.stir();
    let answer = world.while_alive(server::respond(app, request)).await;
    world.stir();
    let Some(answer) = answer else { return false };
    let status = answer.status().as_u16();
    world.tell(|| format!("webhook: {body} → {status}"));
    if status >= 500 && world.failures.load(Ordering::Relaxed) == failures {
        world.condemn(format!("a 5xx without a reason: webhook {body}"));
    }
    if !answer.status().is_success() {
        return false;
    }
    let heard = world.oracle.lock().unwrap_or_else(PoisonError::into_inner).heard(&hook.event, hook.foreign.is_some());
    if let Err(breach) = heard {
        world.condemn(breach);
    }
    true
}

fn pump<T>(world: &World, work: impl FnOnce(&mut Pump) -> T) -> T {
    work(&mut world.pump.lock().unwrap_or_else(PoisonError::into_inner))
}
