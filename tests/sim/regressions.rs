//! Regressions: breaches that were found, each with what led to it.

use std::sync::Arc;

use super::plan::{Plan, Twist};
use super::shopper::{Habits, Shopper};
use super::world::{Actor, HOLD_SECONDS, World};
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

/// I4: what was typed into the gateway's form moves money by the call alone, and a call that nobody heard of arrives after the time of its
/// payment is over.
#[test]
fn a_typed_card_is_not_called_unpaid_while_its_call_may_still_arrive() {
    check(&Habits { types_card: true, ..Habits::plain() }, &ONE_ARRIVES_LATE);
}

/// As if the last of many sends, just before the time was over, had arrived half a minute later.
const ONE_ARRIVES_LATE: [(&str, u64, Twist); 60] = {
    let mut all = [("create", 1, Twist::Late(HOLD_SECONDS + 30)); 60];
    let mut at = 1;
    while at < all.len() {
        all[at] = ("create", at as u64 + 1, Twist::Lost);
        at += 1;
    }
    all
};

/// Whichever look is the one before the cancel.
const SLOW_LOOKS: [&[(&str, u64, Twist)]; 4] = [
    &[("fetch", 1, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
    &[("fetch", 2, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
    &[("fetch", 3, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
    &[("fetch", 4, Twist::Slow(75)), ("capture", 1, Twist::Lost), ("capture", 2, Twist::Lost)],
];
