//! Sighting: one reading of the gateway's list for all payments whose opening call nobody answered.
//!
//! Owns    what a reading found, for the payments of one sweep: they ask it before each asks the gateway for itself, so that many that wait
//!         cost as many pages as were opened while they could be, and not that many each.
//! Always  what it found is fetched before it counts. What it did not find was never opened, where it began once the last call had
//!         arrived; else nobody knows, and neither does anybody where it broke off: the next sweep reads again.
//! Limits  `MAX_PAGES` pages of one span of time, each a call of its own: a reading takes as long as it takes.
//! Source  CHECKOUT.md 5.2, 5.5.2.

use std::collections::BTreeMap;

use super::line::Line;
use crate::commerce::ids::Timestamp;
use crate::commerce::payment::{Attempt, AttemptState};
use crate::gateway::{Outcome, Span};
use crate::store::watch::Unanswered;

/// A million payments: more than can have been opened while one that waits could be.
const MAX_PAGES: usize = 10_000;

/// What a reading found.
#[derive(Debug)]
pub(super) struct Sighting {
    begun_at: Timestamp,
    is_whole: bool,
    /// By key: the gateway's name for it.
    references: BTreeMap<String, Option<String>>,
}

/// What it tells of a payment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sighted {
    /// Nothing: it was not looked for, or not in all of that time.
    Nothing,
    /// It is there, under this name.
    There(String),
    /// It was never opened.
    Never,
    /// It was not found, and may be opened yet, or was not come across.
    Unsure,
}

impl Sighting {
    /// Reads the list of the time in which those could be opened that wait.
    pub(super) async fn read(line: &Line, waiting: Vec<Unanswered>, now: Timestamp) -> Option<Self> {
        let late = line.capabilities().late_seconds;
        let since = waiting.iter().map(|one| one.created_at).min()?;
        let until = waiting.iter().map(|one| one.deadline_at).max()?.plus_seconds(late);
        let span = Span { since, until: Some(until) };
        let references = waiting.into_iter().map(|one| (one.key, None)).collect();
        let mut sighting = Self { begun_at: now, is_whole: false, references };
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let (opened, next) = match line.opened(span, after.as_deref()).await {
                Outcome::Done(page) => page,
                Outcome::Accepted => return Some(sighting),
                Outcome::Rejected(reason) | Outcome::Unknown(reason) => {
                    tracing::warn!(reason, "payments that wait for an answer could not be looked up; the next sweep tries again");
                    return Some(sighting);
                }
            };
            for one in opened {
                if let Some(reference) = sighting.references.get_mut(&one.key) {
                    *reference = Some(one.reference);
                }
            }
            if next.is_none() || sighting.references.values().all(Option::is_some) {
                sighting.is_whole = true;
                return Some(sighting);
            }
            if next == after {
                break;
            }
            after = next;
        }
        tracing::error!("the gateway's list of opened payments does not end; the next sweep tries again");
        Some(sighting)
    }

    /// Whether a payment was opened in a span of time.
    pub(super) fn tells(&self, key: &str, span: Span) -> Sighted {
        match (self.references.get(key), span.until) {
            (Some(Some(reference)), _) => Sighted::There(reference.clone()),
            (Some(None), Some(until)) if self.is_whole && self.begun_at >= until => Sighted::Never,
            (Some(None), Some(_)) => Sighted::Unsure,
            (Some(None), None) | (None, _) => Sighted::Nothing,
        }
    }
}

/// Whether one reading is worth its calls: more than one waits, or one that is not sent again and has to be looked up for certain.
pub(super) fn is_worth_it(attempts: &[Attempt], now: Timestamp) -> bool {
    let mut waiting = attempts.iter().filter(|one| one.state == AttemptState::IntentPending && one.reference.is_none());
    let is_over = |one: &Attempt| one.deadline_at <= now;
    waiting.clone().count() > 1 || waiting.any(is_over)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_the_list_was_never_opened_once_no_call_can_arrive_any_more() {
        let references = [("here".to_owned(), Some("cs_1".to_owned())), ("not".to_owned(), None)];
        let check = |is_whole, key: &str, until: Option<i64>, expected| {
            let sighting = Sighting { begun_at: Timestamp(100), is_whole, references: references.clone().into() };
            let span = Span { since: Timestamp(0), until: until.map(Timestamp) };
            assert_eq!(sighting.tells(key, span), expected, "{is_whole} {key} {until:?}");
        };
        for is_whole in [true, false] {
            for until in [None, Some(99), Some(101)] {
                check(is_whole, "here", until, Sighted::There("cs_1".to_owned()));
                check(is_whole, "another", until, Sighted::Nothing);
            }
            check(is_whole, "not", Some(101), Sighted::Unsure);
            check(is_whole, "not", None, Sighted::Nothing);
        }
        check(true, "not", Some(100), Sighted::Never);
        check(false, "not", Some(100), Sighted::Unsure);
    }
}
