//! Breaker: whoever fails again and again is left alone for a while.
//!
//! Owns    the three states of one class of calls and the way between them.
//! Always  at most one probe is under way while it is half open; what was begun before it opened says nothing afterwards; a call that
//!         was never made gives its place as a probe back.
//! Source  CHECKOUT.md 5.6. There 3 errors in 10 s open it; here they have to be half of the calls of that time as well, since in a
//!         sale 3 of 250 calls fail on any day.

use std::collections::VecDeque;

/// Errors that open it.
pub const ERRORS: usize = 3;
/// The time in which they have to come, in milliseconds.
pub const WINDOW_MS: u64 = 10_000;
/// Milliseconds after which an open breaker lets a probe through.
pub const REST_MS: u64 = 10_000;
/// Good answers to probes, one after the other, that close it.
pub const SUCCESSES: u32 = 2;
/// Answers that are remembered: far more than are needed to know that most are good.
const REMEMBERED: usize = 512;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// One call at a time goes through, to find out.
    HalfOpen,
    /// No call goes through.
    Open,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Closed, Self::HalfOpen, Self::Open];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// The right to make one call; to be settled or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether it is the call by which a half-open breaker finds out.
    pub is_probe: bool,
    period: u64,
}

/// How a call ended, for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was answered, be it with a no.
    Well,
    /// Nobody knows what it did.
    Badly,
    /// The other side takes no call of ours: there is no use in counting.
    Shut,
}

/// The breaker of one class of calls.
#[derive(Debug, Default)]
pub struct Breaker {
    stand: Stand,
    /// Rises with each change of state, so that late answers are told from those of now.
    period: u64,
    /// How often it opened.
    opened: u64,
}

#[derive(Debug)]
enum Stand {
    /// Instant and goodness of late answers.
    Closed(VecDeque<(u64, bool)>),
    Open {
        since: u64,
    },
    HalfOpen {
        successes: u32,
        is_probing: bool,
    },
}

impl Default for Stand {
    fn default() -> Self {
        Self::Closed(VecDeque::new())
    }
}

impl Breaker {
    /// Where it stands at an instant. An open one whose rest is over is half open: the next call is a probe.
    pub fn state(&self, now: u64) -> State {
        match &self.stand {
            Stand::Closed(_) => State::Closed,
            Stand::Open { since } if now.saturating_sub(*since) < REST_MS => State::Open,
            Stand::Open { .. } | Stand::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// How often it opened so far.
    pub fn opened(&self) -> u64 {
        self.opened
    }

    /// Asks to make a call.
    ///
    /// Errors: milliseconds after which it is worth asking again.
    pub fn enter(&mut self, now: u64) -> Result<Entry, u64> {
        match &mut self.stand {
            Stand::Closed(_) => Ok(Entry { is_probe: false, period: self.period }),
            Stand::Open { since } => match REST_MS.saturating_sub(now.saturating_sub(*since)) {
                0 => {
                    self.turn(Stand::HalfOpen { successes: 0, is_probing: true });
                    Ok(Entry { is_probe: true, period: self.period })
                }
                left => Err(left),
            },
            Stand::HalfOpen { is_probing: true, .. } => Err(1_000),
            Stand::HalfOpen { is_probing, .. } => {
                *is_probing = true;
                Ok(Entry { is_probe: true, period: self.period })
            }
        }
    }

    /// Tells how a call ended.
    pub fn settle(&mut self, entry: Entry, ended: Ended, now: u64) {
        if entry.period != self.period {
            return;
        }
        if ended == Ended::Shut {
            return self.open(now);
        }
        match &mut self.stand {
            Stand::Open { .. } => {}
            Stand::Closed(late) => {
                late.push_back((now, ended == Ended::Well));
                while late.len() > REMEMBERED || late.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW_MS) {
                    late.pop_front();
                }
                let errors = late.iter().filter(|(_, is_good)| !is_good).count();
                if errors >= ERRORS && errors * 2 >= late.len() {
                    self.open(now);
                }
            }
            Stand::HalfOpen { .. } if ended == Ended::Badly => self.open(now),
            Stand::HalfOpen { successes, is_probing } => {
                *successes += 1;
                *is_probing = false;
                if *successes >= SUCCESSES {
                    self.turn(Stand::default());
                }
            }
        }
    }

    /// Gives the right back: the call was never made.
    pub fn leave(&mut self, entry: Entry) {
        if let Stand::HalfOpen { is_probing, .. } = &mut self.stand
            && entry.is_probe
            && entry.period == self.period
        {
            *is_probing = false;
        }
    }

    fn open(&mut self, now: u64) {
        self.opened += 1;
        self.turn(Stand::Open { since: now });
    }

    fn turn(&mut self, stand: Stand) {
        self.period += 1;
        self.stand = stand;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(breaker: &mut Breaker, ended: Ended, now: u64) -> Result<(), u64> {
        let entry = breaker.enter(now)?;
        breaker.settle(entry, ended, now);
        Ok(())
    }

    fn broken() -> Breaker {
        let mut breaker = Breaker::default();
        for now in [0, 1_000, 2_000] {
            call(&mut breaker, Ended::Badly, now).expect("it is closed");
        }
        breaker
    }

    #[test]
    fn three_errors_in_ten_seconds_open_it() {
        assert_eq!((broken().state(2_000), broken().opened()), (State::Open, 1));
        let mut slow = Breaker::default();
        for now in [0, 9_000, 10_000, 19_500] {
            call(&mut slow, Ended::Badly, now).expect("never three in ten seconds");
        }
        assert_eq!(slow.state(19_500), State::Closed);
    }

    #[test]
    fn a_no_is_no_error_and_few_errors_among_many_answers_are_none() {
        let mut breaker = Breaker::default();
        for now in 0..1_000 {
            let ended = if now % 50 == 0 { Ended::Badly } else { Ended::Well };
            call(&mut breaker, ended, now).expect("it is closed");
        }
        assert_eq!(breaker.state(1_000), State::Closed);
    }

    #[test]
    fn one_probe_goes_after_ten_seconds_and_two_good_ones_close_it() {
        let mut breaker = broken();
        assert_eq!(breaker.enter(2_000), Err(10_000));
        assert_eq!(breaker.enter(11_999), Err(1));
        let probe = breaker.enter(12_000).expect("a probe");
        assert!(probe.is_probe);
        assert_eq!(breaker.enter(12_000), Err(1_000), "one at a time");
        breaker.settle(probe, Ended::Well, 12_100);
        assert_eq!(breaker.state(12_100), State::HalfOpen, "one is not enough");
        call(&mut breaker, Ended::Well, 12_200).expect("the second probe");
        assert_eq!(breaker.state(12_200), State::Closed);
        call(&mut breaker, Ended::Badly, 12_300).expect("it begins anew");
        assert_eq!(breaker.state(12_300), State::Closed, "old errors are forgotten");
    }

    #[test]
    fn a_bad_probe_opens_it_again_and_one_that_was_not_made_lets_the_next_go() {
        let mut breaker = broken();
        call(&mut breaker, Ended::Badly, 12_000).expect("a probe");
        assert_eq!((breaker.enter(21_999), breaker.opened()), (Err(1), 2));
        let unused = breaker.enter(22_000).expect("a probe");
        breaker.leave(unused);
        assert!(breaker.enter(22_000).is_ok());
    }

    #[test]
    fn whoever_takes_no_call_of_ours_is_left_alone_at_once() {
        let mut breaker = Breaker::default();
        call(&mut breaker, Ended::Shut, 5).expect("it is closed");
        assert_eq!(breaker.state(5), State::Open);
    }

    #[test]
    fn an_answer_from_before_says_nothing_afterwards() {
        let mut breaker = Breaker::default();
        let early = breaker.enter(0).expect("it is closed");
        for now in [0, 1, 2] {
            call(&mut breaker, Ended::Badly, now).expect("it is closed");
        }
        let probe = breaker.enter(10_002).expect("a probe");
        breaker.settle(early, Ended::Badly, 10_003);
        breaker.settle(early, Ended::Well, 10_003);
        breaker.leave(early);
        assert_eq!(breaker.enter(10_003), Err(1_000), "the probe is still under way");
        breaker.settle(probe, Ended::Well, 10_004);
        assert_eq!(breaker.state(10_004), State::HalfOpen);
    }

    proptest! {
        /// Whatever happens: while it is not closed at most one call is under way, and none begins within the rest after an opening.
        #[test]
        fn no_more_than_one_call_finds_out(steps in proptest::collection::vec((0u8..5, 0u64..4_000), 1..200)) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            let mut under_way: Vec<Entry> = Vec::new();
            let mut opened_at = None;
            for (what, later) in steps {
                now += later;
                let opened = breaker.opened();
                match (what, under_way.pop()) {
                    (0 | 1, entry) => {
                        under_way.extend(entry);
                        let state = breaker.state(now);
                        if let Ok(entry) = breaker.enter(now) {
                            prop_assert_ne!(state, State::Open);
                            prop_assert_eq!(entry.is_probe, state == State::HalfOpen);
                            if let (true, Some(at)) = (entry.is_probe, opened_at) {
                                prop_assert!(now - at >= REST_MS);
                            }
                            under_way.insert(0, entry);
                        }
                    }
                    (2, Some(entry)) => breaker.settle(entry, Ended::Well, now),
                    (3, Some(entry)) => breaker.settle(entry, Ended::Badly, now),
                    (_, Some(entry)) => breaker.leave(entry),
                    (_, None) => {}
                }
                if breaker.opened() > opened {
                    opened_at = Some(now);
                }
                let probes = under_way.iter().filter(|entry| entry.is_probe && entry.period == breaker.period).count();
                prop_assert!(probes <= 1, "{} probes at once", probes);
            }
        }
    }
}
