//! Regressions: breaches that were found, each with what led to it.

use std::sync::Arc;

use super::plan::{Plan, Twist};
use super::shopper::{Habits, Shopper};
use super::world::{Actor, World};
use super::{run, told};

/// One shopper under those twists.
#[track_caller]
fn check(habits: &Habits, twists: &'static [(&'static str, u64, Twist)]) {
    let plan = Plan { twists, judged: 1, ..Plan::default() };
    let people = |world: &Arc<World>| -> Vec<Actor> { vec![Box::pin(Shopper::new(world, 0, habits.clone()).shops())] };
    for seed in 0..20 {
        if let Some(breach) = run(seed, plan, false, people).1 {
            panic!("{}", told(seed, plan, &breach, people));
        }
    }
}

/// I6: the shopper pays after a cancel was lost, the order is placed, the capture is lost too, and then the cancel arrives.
#[test]
fn a_lost_cancel_never_lets_the_money_of_a_placed_order_go() {
    let habits = Habits { hesitates: true, pays_after_all: true, ..Habits::plain() };
    check(&habits, &[("cancel", 1, Twist::Late(10)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)]);
}

/// I6: the look before a cancel takes so long that the lease runs out; another worker places the order meanwhile.
#[test]
fn a_worker_whose_lease_ran_out_calls_nothing_off() {
    let habits = Habits { hesitates: true, pays_after_all: true, tabs: 2, pause: 20, ..Habits::plain() };
    for looks in SLOW_LOOKS {
        check(&habits, looks);
    }
    assert!(vitrine::faults::has_passed("K35"), "no lease ran out under a call");
}

/// Whichever look is the one before the cancel.
const SLOW_LOOKS: [&[(&str, u64, Twist)]; 4] = [
    &[("fetch", 1, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
    &[("fetch", 2, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
    &[("fetch", 3, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
    &[("fetch", 4, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
];
