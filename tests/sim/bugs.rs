//! Bugs: a harness that never failed proves nothing. Each planted bug is caught, and by the test that is named beside it.
//!
//! Source  CHECKOUT.md 5.10.4 and section 1, where shops have had these. By hand: `VITRINE_BUG=float_total cargo test … --test sim`.

use super::plan::Plan;
use super::{Mode, crowd, fickle_plan, moments, plan, run};
use vitrine::faults::plant;

/// Worlds or stories after which a bug counts as not found: well within five seconds.
const BUDGET: u64 = 40;

/// A bug, how it is caught, and what the oracle then says.
const BUGS: &[(&str, Mode, &[&str])] = &[
    ("two_live_attempts", Mode::Seeds(0), &["I9", "I2", "I4", "a 5xx without a reason"]),
    ("key_with_counter", Mode::Moments, &["I25"]),
    ("capture_before_place", Mode::Moments, &["I1"]),
    ("return_is_believed", Mode::Moments, &["I1"]),
    ("mail_before_paid", Mode::Moments, &["I11"]),
    ("paid_without_promise", Mode::Moments, &["I11"]),
    ("fact_forgotten", Mode::Moments, &["K27"]),
    ("mail_marked_first", Mode::Moments, &["L3"]),
    ("stock_not_asked", Mode::Seeds(0), &["I8"]),
    ("units_not_given_back", Mode::Seeds(0), &["I8", "L2"]),
    ("hold_ends_under_attempt", Mode::Seeds(0), &["I9"]),
    ("coupon_not_counted", Mode::Seeds(0), &["I17"]),
    ("loser_compensates", Mode::Seeds(9), &["I1", "I6"]),
    ("float_total", Mode::Seeds(0), &["I5"]),
    ("amount_not_compared", Mode::Seeds(0), &["I5"]),
    ("timeout_is_decline", Mode::Moments, &["I4"]),
    ("lost_cancel_is_done", Mode::Seeds(3), &["I4"]),
    ("heard_before_kept", Mode::Seeds(4), &["I10"]),
    ("foreign_is_heard", Mode::Seeds(4), &["I16"]),
    ("tax_error_is_zero", Mode::Seeds(0), &["I18"]),
    ("refund_sum_not_asked", Mode::Seeds(0), &["I21"]),
    ("refund_key_with_counter", Mode::Seeds(1), &["I21"]),
    ("refund_told_twice", Mode::Seeds(4), &["I21", "L1"]),
    ("refund_failure_not_booked", Mode::Seeds(0), &["I21"]),
    ("unknown_is_told_unpaid", Mode::Seeds(0), &["I13"]),
    ("late_money_is_kept", Mode::Fickle(0), &["L1"]),
];

/// Bugs that need a real process and a real disk, and the tests that catch them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("deferred_begin", "src/store/sqlite/writer.rs a_deferred_begin_is_caught"),
    ("synchronous_normal", "tests/kills/durable.rs no_answer_leaves_before_what_it_says_is_on_the_disk"),
];

/// The first breach from a seed on.
fn by_seed(first: u64, plan: fn(u64) -> Plan) -> Option<String> {
    (first..first + BUDGET).find_map(|seed| {
        let breach = run(seed, plan(seed), false, crowd).1?;
        Some(format!("{breach} (seed {seed})"))
    })
}

#[test]
fn every_planted_bug_is_caught() {
    for (bug, mode, expected) in BUGS {
        plant(Some(bug));
        let started = std::time::Instant::now();
        let breach = match mode {
            Mode::Seeds(first) => by_seed(*first, plan),
            Mode::Fickle(first) => by_seed(*first, fickle_plan),
            Mode::Moments => moments(),
        };
        plant(None);
        let breach = breach.unwrap_or_else(|| panic!("{bug} was not caught by {}", mode.test()));
        let breach = breach.lines().next().unwrap_or("").to_owned();
        println!("planted {bug}: {} after {:.1} s: {breach}", mode.test(), started.elapsed().as_secs_f64());
        assert!(expected.iter().any(|name| breach.starts_with(&format!("{name}:"))), "{bug} was caught as {breach}");
    }
}

#[test]
fn every_bug_of_the_table_is_in_the_source() {
    let found = super::names::named("planted!(\"");
    let elsewhere = ELSEWHERE.iter().map(|(bug, test)| {
        println!("{bug}: {test}");
        *bug
    });
    let listed: Vec<&str> = BUGS.iter().map(|(bug, ..)| *bug).chain(elsewhere).collect();
    let planted: Vec<&str> = found.keys().map(String::as_str).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(planted, sorted);
}
