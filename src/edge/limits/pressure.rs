//! Pressure: how many may be let in for those who are inside to be answered in time.
//!
//! Owns    the controller: how long work waits goes in, a valve comes out.
//! Knows   nothing of how many requests are under way: what only takes processor time is begun and done in one go, and waits where nobody
//!         counts it. How long a pulse waits tells of that, too.
//! Always  nobody is held back while work waits no longer than it may. A shopper who is let in brings most of the work later, so the rate of
//!         newcomers is what is held, and slowly; what goes wrong meanwhile is met by the ladder of waits, at once.
//! Source  a proportional-integral controller, in logarithms, on the time in the queue. That this time is what to hold, by the importance of
//!         what is asked: "Overload Control for Scaling WeChat Microservices" (Zhou et al., SoCC 2018). That a rate is held and not a share of
//!         those who come: of a share, ten times the crowd is ten times the correction, and the shop swings.

use std::time::Duration;

/// Doublings of the target beyond which an error counts no more: one long pause is no reason to refuse everybody.
const HIGHEST: f64 = 3.0;
/// Halvings of it: a queue is empty now and then, which says little.
const LOWEST: f64 = 1.0;
/// Powers of e by which the rate falls with each doubling of the wait, at once: what damps the swing.
const AT_ONCE: f64 = 0.2;
/// And each second, for as long as it lasts: far less than the rate would change while one shopper goes through a checkout.
const PER_SECOND: f64 = 0.03;
/// Looks of which the shortest wait counts: a queue that stands is in each of them, and what another program, a flush or a burst did to
/// one of them is none. That the shortest wait tells the two apart: "Controlling Queue Delay" (Nichols and Jacobson, 2012).
const STANDING: usize = 4;
/// Part of a wait that is remembered at the next look.
const REMEMBERED: f64 = 0.5;
/// Part of what was counted that is remembered after a second.
const COUNTED: f64 = 0.37;
/// Fewest newcomers a second: a shop that lets nobody in would never learn that it can again.
const FEWEST: f64 = 0.5;
/// A valve that lets in so many times those who come holds nobody back, and is opened.
const OPEN_AT: f64 = 1.5;
/// The longest time that one look stands for: of an edge that was stopped for minutes nothing is known.
const LONGEST_LOOK: Duration = Duration::from_millis(500);

/// The controller of one edge.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    target_s: f64,
    /// Of the last looks, the newest last.
    waits_s: [f64; STANDING],
    waited_s: f64,
    error: f64,
    offered: f64,
    admitted: f64,
    rate: Option<f64>,
}

/// What was seen since the last look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// How long a pulse waited.
    pub waited: Duration,
    /// Since the last look.
    pub since_last: Duration,
    /// Newcomers who came.
    pub offered: u32,
    /// Of them, let in.
    pub admitted: u32,
}

/// Who is let in from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Valve {
    /// Newcomers a second; `None`: all.
    pub newcomers_per_second: Option<f64>,
    /// How many times the wait is the target doubled; 0: within it.
    pub doublings: f64,
}

impl Pressure {
    /// For work that may wait so long.
    pub fn new(target: Duration) -> Self {
        let target_s = target.max(Duration::from_micros(1)).as_secs_f64();
        Self { target_s, waits_s: [0.0; STANDING], waited_s: 0.0, error: -LOWEST, offered: 0.0, admitted: 0.0, rate: None }
    }

    /// Takes what was seen. Gives who is let in from now on.
    pub fn look(&mut self, look: Look) -> Valve {
        let seconds = look.since_last.clamp(Duration::from_millis(1), LONGEST_LOOK).as_secs_f64();
        self.waits_s.rotate_left(1);
        self.waits_s[STANDING - 1] = look.waited.as_secs_f64();
        let standing_s = self.waits_s.iter().copied().fold(f64::INFINITY, f64::min);
        self.waited_s = self.waited_s * REMEMBERED + standing_s * (1.0 - REMEMBERED);
        let doublings = (self.waited_s.max(1e-6) / self.target_s).log2();
        let error = doublings.clamp(-LOWEST, HIGHEST);
        let kept = COUNTED.powf(seconds);
        let counted = |before: f64, count: u32| before * kept + f64::from(count) / seconds * (1.0 - kept);
        (self.offered, self.admitted) = (counted(self.offered, look.offered), counted(self.admitted, look.admitted));
        let step = PER_SECOND * error * seconds + AT_ONCE * (error - self.error);
        self.error = error;
        self.rate = match self.rate {
            // It begins with those who were let in when it was too much.
            None => (error > 0.0).then(|| self.admitted.max(FEWEST)),
            Some(rate) => Some((rate * (-step).exp()).max(FEWEST)).filter(|rate| *rate <= OPEN_AT * self.offered.max(FEWEST)),
        };
        Valve { newcomers_per_second: self.rate, doublings: doublings.max(0.0) }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::super::shed::{Strain, Weight};
    use super::*;

    fn seen(waited_ms: u64, newcomers: u32) -> Look {
        let ms = Duration::from_millis;
        Look { waited: ms(waited_ms), since_last: ms(50), offered: newcomers, admitted: newcomers }
    }

    proptest! {
        #[test]
        fn a_valve_is_always_one(looks in prop::collection::vec((0u64..100_000, 0u64..10_000, any::<u32>()), 0..200)) {
            let mut pressure = Pressure::new(Duration::from_millis(20));
            for (waited, since, count) in looks {
                let since_last = Duration::from_millis(since);
                let valve = pressure.look(Look { since_last, ..seen(waited, count) });
                prop_assert!(valve.newcomers_per_second.is_none_or(|rate| rate.is_finite() && rate >= FEWEST), "{:?}", valve);
                prop_assert!(valve.doublings.is_finite() && valve.doublings >= 0.0, "{:?}", valve);
            }
        }

        #[test]
        fn more_waiting_never_lets_more_in(before in prop::collection::vec(0u64..500, 0..50), one in 0u64..1_000, more in 0u64..1_000) {
            let mut pressure = Pressure::new(Duration::from_millis(20));
            for waited in before {
                pressure.look(seen(waited, 10));
            }
            let mut other = pressure;
            let (less, most) = (pressure.look(seen(one, 10)), other.look(seen(one + more, 10)));
            let rate = |valve: Valve| valve.newcomers_per_second.unwrap_or(f64::INFINITY);
            prop_assert!(rate(most) <= rate(less) && most.doublings >= less.doublings);
        }

        #[test]
        fn nobody_is_held_back_while_work_waits_no_longer_than_it_may(looks in prop::collection::vec((0u64..=20, 0u32..1_000), 0..200)) {
            let mut pressure = Pressure::new(Duration::from_millis(20));
            prop_assert!(looks.iter().all(|(waited, count)| pressure.look(seen(*waited, *count)) == Valve::default()));
        }
    }

    #[test]
    fn a_pause_now_and_then_is_no_queue() {
        let mut pressure = Pressure::new(Duration::from_millis(20));
        let waits = [900, 900, 900, 1].into_iter().cycle().take(400);
        assert!(waits.map(|waited| pressure.look(seen(waited, 1))).all(|valve| valve == Valve::default()));
        let valve = [900; STANDING].map(|waited| pressure.look(seen(waited, 1)))[STANDING - 1];
        assert!(valve.newcomers_per_second.is_some(), "one that stands is: {valve:?}");
    }

    #[test]
    fn once_nothing_waits_the_valve_opens_again() {
        let mut pressure = Pressure::new(Duration::from_millis(20));
        for _ in 0..200 {
            pressure.look(seen(1_000, 10));
        }
        assert!(pressure.rate.is_some_and(|rate| rate < 100.0), "of 200 a second who came: {pressure:?}");
        let looks = (1..=20 * 600).find(|_| pressure.look(seen(0, 10)) == Valve::default()).expect("it opens");
        assert!(looks <= 20 * 120, "{looks} looks");
    }

    /// Processor time of each request of a purchase, in microseconds, with its weight: about as measured of the edge with SQLite, on a
    /// machine of a quarter of its speed, so that a test has fewer shoppers to play.
    const STEPS: [(Weight, u64); 8] = [
        (Weight::Availability, 160),
        (Weight::CartWrite, 320),
        (Weight::Vital, 240),
        (Weight::Opening, 2_000),
        (Weight::Quote, 2_000),
        (Weight::Payment, 6_000),
        (Weight::Vital, 6_000),
        (Weight::Vital, 6_000),
    ];
    /// Of a refusal.
    const REFUSAL_US: u64 = 120;
    /// A shopper whose answer takes longer has gone away.
    const PATIENCE_US: u64 = 10_000_000;
    const RUN_US: u64 = 180_000_000;

    struct Played {
        /// Purchases, of those that one processor could make at most.
        goodput: f64,
        /// Longest wait of an admitted step, in milliseconds.
        worst_ms: u64,
    }

    /// One processor that works off what comes in its order; shoppers who come at `load` times what it can do, and rest for half of `rest_us`
    /// to half as much again between two steps. Counted from a sixth of the run on.
    fn play(load: f64, rest_us: u64, target: Option<Duration>) -> Played {
        let work: u64 = STEPS.iter().map(|(_, us)| us).sum();
        let gap = (work as f64 / load) as u64;
        let mut due: BinaryHeap<Reverse<(u64, usize, u64)>> =
            (0..RUN_US / gap).map(|number| Reverse((number * gap, 0, number))).collect();
        let mut pressure = target.map(Pressure::new);
        let strain = Strain::default();
        let (mut free_at, mut pulse_at, mut paid, mut worst, mut lots) = (0_u64, 0_u64, 0_u64, 0_u64, 1_u64);
        while let Some(Reverse((now, step, shopper))) = due.pop().filter(|Reverse((now, ..))| *now < RUN_US) {
            while let Some(pressure) = pressure.as_mut().filter(|_| pulse_at <= now) {
                let waited = Duration::from_micros(free_at.saturating_sub(pulse_at));
                let (offered, admitted) = strain.newcomers();
                let since_last = Duration::from_millis(50);
                strain.set(&pressure.look(Look { waited, since_last, offered, admitted }), waited);
                pulse_at += 50_000;
            }
            let (weight, us) = STEPS[step];
            let passes = strain.lets_pass(weight, step > 1, now / 1_000);
            let end = free_at.max(now) + if passes { us } else { REFUSAL_US };
            free_at = end;
            // A product page does without its script's answer.
            let goes_on = passes || weight == Weight::Availability;
            if !goes_on || end - now > PATIENCE_US {
                continue;
            }
            if now > RUN_US / 6 {
                worst = worst.max(end - now);
            }
            lots = lots.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if step + 1 < STEPS.len() {
                due.push(Reverse((end + rest_us / 2 + rest_us * (lots >> 48) / 65_536, step + 1, shopper)));
            } else if end > RUN_US / 6 && end <= RUN_US {
                paid += 1;
            }
        }
        let most = (RUN_US - RUN_US / 6) as f64 / work as f64;
        Played { goodput: paid as f64 / most, worst_ms: worst / 1_000 }
    }

    #[test]
    fn beyond_capacity_purchases_stay_near_the_most_there_can_be() {
        // At ten times the capacity some six hundredths of all there is go into refusals.
        for (load, rest_us, least) in [
            (0.8, 0, 0.79),
            (1.0, 0, 0.97),
            (2.0, 0, 0.9),
            (5.0, 0, 0.9),
            (10.0, 0, 0.85),
            (2.0, 200_000, 0.9),
            (5.0, 200_000, 0.9),
            (10.0, 200_000, 0.84),
            (5.0, 1_000_000, 0.8),
        ] {
            let Played { goodput, worst_ms } = play(load, rest_us, Some(Duration::from_millis(20)));
            assert!(goodput >= least, "{goodput:.3} at {load} × capacity, {rest_us} µs of rest");
            assert!(worst_ms <= 1_000, "{worst_ms} ms at {load} × capacity, {rest_us} µs of rest");
        }
        let left_alone = play(5.0, 0, None).goodput;
        assert!(left_alone < 0.3, "without it there is little: {left_alone:.3}");
    }
}
