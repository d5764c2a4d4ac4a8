//! Points: which test ends the shop at which point of CHECKOUT.md 5.8. A point that none reaches fails here.

use std::path::Path;

use super::names::ABSENT;
use super::{POINTS, stripe};

/// Points that other tests reach: file and name of each, and how.
const ELSEWHERE: &[(&str, &str, &str, &str)] = &[
    (
        "K7",
        "tests/kills/stripe.rs",
        "half_a_call_opens_nothing",
        "the wire to the gateway ends the process in the middle of its call",
    ),
    (
        "K35",
        "tests/sim/regressions.rs",
        "a_worker_whose_lease_ran_out_calls_nothing_off",
        "a lease that runs out under a call needs a slow gateway, and its process lives on",
    ),
];

#[test]
fn every_point_is_reached_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (point, file, test, how) in ELSEWHERE {
        let text = std::fs::read_to_string(root.join(file)).expect("the tests are readable");
        assert!(text.contains(&format!("fn {test}()")), "{point}: there is no {test} in {file}");
        println!("{point}: {file} {test} ({how})");
    }
    for number in 1..=40 {
        let point = format!("K{number}");
        let mut reached = 0;
        for (points, test) in [
            (POINTS, "tests/kills/main.rs a_process_that_ends_at_a_named_point_loses_nothing"),
            (stripe::POINTS, "tests/kills/stripe.rs a_process_that_ends_while_stripe_speaks_loses_nothing"),
            (stripe::FORM_POINTS, "tests/kills/stripe.rs a_process_that_ends_while_it_confirms_loses_nothing"),
        ] {
            if points.contains(&point.as_str()) {
                println!("{point}: {test}");
                reached += 1;
            }
        }
        reached += ELSEWHERE.iter().filter(|(elsewhere, ..)| *elsewhere == point).count();
        match ABSENT.iter().find(|(absent, _)| *absent == point) {
            Some((_, why)) if reached == 0 => println!("{point}: absent, {why}"),
            _ => assert!(reached > 0, "{point} is reached by no test"),
        }
    }
}
