//! Written: a scenario file, TOML → scenarios, stages and who shops.
//!
//! Always  all problems of the file, each at its place, with what there is to write instead.

use serde::Deserialize;
use toml::Spanned;

use super::arrivals::{MAX_CROWD, Stage};
use super::measure;
use super::scenario::{BUILT_IN, Card, Person, Scenario, Step, built_in};
use crate::site::load::written::{Place, parse};
use crate::site::problem::{Problem, Problems, SourceFile, nearest};

/// Bytes of a scenario file that are read.
pub const MAX_FILE_BYTES: u64 = 256 * 1024;
/// Scenarios of one file: each has its weight, and more are not told apart in a report.
const MAX_SCENARIOS: usize = 50;
/// Steps of one scenario.
const MAX_STEPS: usize = 200;
/// Parts of one run.
const MAX_STAGES: usize = 100;
/// Weight of one scenario beside others.
const MAX_WEIGHT: u32 = 1_000_000;
/// Tries of one step after the first.
const MAX_RETRIES: u32 = 20;
/// Units that one shopper takes; a shop has its own rule.
const MAX_QUANTITY: u32 = 1_000;

/// What a file says; flags of the command take the place of `stages` and `seed`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Who does what.
    pub scenarios: Vec<Scenario>,
    /// When they come; empty where the file says nothing of it.
    pub stages: Vec<Stage>,
    /// What decides the lots.
    pub seed: Option<u64>,
    /// Who shops.
    pub person: Person,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPlan {
    seed: Option<u64>,
    #[serde(default)]
    shopper: WrittenPerson,
    #[serde(default, rename = "stage")]
    stages: Vec<Spanned<WrittenStage>>,
    #[serde(default, rename = "scenario")]
    scenarios: Vec<Spanned<WrittenScenario>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPerson {
    name: Option<String>,
    line1: Option<String>,
    city: Option<String>,
    region: Option<String>,
    postal_code: Option<String>,
    country: Option<String>,
    mail_host: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStage {
    rate: Option<Spanned<String>>,
    to: Option<Spanned<String>>,
    #[serde(rename = "for")]
    lasts: Option<Spanned<String>>,
    shoppers: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenScenario {
    name: Option<Spanned<String>>,
    weight: Option<Spanned<u32>>,
    like: Option<Spanned<String>>,
    steps: Option<Spanned<Vec<Spanned<String>>>>,
    card: Option<Spanned<String>>,
    pause: Option<Spanned<String>>,
    sku: Option<String>,
    same: Option<bool>,
    quantity: Option<Spanned<u32>>,
    retries: Option<Spanned<u32>>,
}

/// Reads a scenario file; `None` where there are errors, which were told.
pub fn read(file: &SourceFile, problems: &mut Problems) -> Option<Plan> {
    let written: WrittenPlan = match parse(file, &file.text, 0) {
        Ok(written) => written,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let place = Place { file, offset: 0 };
    if written.scenarios.is_empty() {
        let hint = "add one: [[scenario]] with like = \"checkout\", or with steps";
        problems.push(Problem::about(&file.path, "no scenario says what shoppers do").hint(hint));
    }
    for (list, most, what) in
        [(written.scenarios.len(), MAX_SCENARIOS, "scenarios"), (written.stages.len(), MAX_STAGES, "stages")]
    {
        if list > most {
            problems.push(Problem::about(&file.path, format!("{list} {what}; write up to {most}")));
        }
    }
    let scenarios = written.scenarios.into_iter().flat_map(|scenario| scenario_of(scenario, place, problems));
    let scenarios: Vec<Scenario> = scenarios.collect();
    let stages = written.stages.into_iter().filter_map(|stage| stage_of(stage, place, problems)).collect();
    let (shopper, usual) = (written.shopper, Person::default());
    let person = Person {
        name: shopper.name.unwrap_or(usual.name),
        line1: shopper.line1.unwrap_or(usual.line1),
        city: shopper.city.unwrap_or(usual.city),
        region: shopper.region.unwrap_or(usual.region),
        postal_code: shopper.postal_code.unwrap_or(usual.postal_code),
        country: shopper.country.unwrap_or(usual.country),
        mail_host: shopper.mail_host.unwrap_or(usual.mail_host),
    };
    (!problems.has_errors()).then_some(Plan { scenarios, stages, seed: written.seed, person })
}

fn stage_of(stage: Spanned<WrittenStage>, place: Place<'_>, problems: &mut Problems) -> Option<Stage> {
    let WrittenStage { rate, to, lasts, shoppers } = stage.get_ref();
    let mut read = |text: &Spanned<String>| {
        measure::rate(text.get_ref()).map_err(|message| problems.push(place.problem(text, message))).ok()
    };
    match (rate, lasts, shoppers) {
        (Some(rate), Some(lasts), None) => {
            let from = read(rate);
            let to = to.as_ref().map_or(from, read);
            let lasts = measure::time(lasts.get_ref()).map_err(|message| problems.push(place.problem(lasts, message))).ok();
            Some(Stage::Rate { from_per_second: from?, to_per_second: to?, lasts: lasts? })
        }
        (None, None, Some(shoppers)) if to.is_none() => {
            let most = 1..=MAX_CROWD;
            Some(Stage::Crowd { shoppers: within(shoppers, most, place, problems)? })
        }
        _ => {
            let message = "a stage has a rate and a time, or a crowd";
            let hint = "write rate = \"50/s\" and for = \"60s\", with to = \"100/s\" for a ramp; or shoppers = 500, who come at one instant";
            problems.push(place.problem(&stage, message).hint(hint));
            None
        }
    }
}

fn scenario_of(scenario: Spanned<WrittenScenario>, place: Place<'_>, problems: &mut Problems) -> Vec<Scenario> {
    let written = scenario.get_ref();
    let mut scenarios = match (&written.like, &written.steps) {
        (Some(like), None) => match built_in(like.get_ref()) {
            Some(scenarios) => scenarios,
            None => {
                problems.push(unknown(like, "scenario", &BUILT_IN, place));
                return Vec::new();
            }
        },
        (None, Some(steps)) => vec![Scenario::of("", 1, &steps_of(steps, place, problems))],
        _ => {
            let hint = format!("write like = \"checkout\" ({}), or steps = [\"page\", \"add\"]", BUILT_IN.join(", "));
            problems.push(place.problem(&scenario, "a scenario is like a built-in one, or has steps of its own").hint(hint));
            return Vec::new();
        }
    };
    let card = written.card.as_ref().and_then(|card| {
        let found = Card::of(card.get_ref());
        if found.is_none() {
            problems.push(unknown(card, "card", &Card::ALL.map(Card::name), place));
        }
        found
    });
    let pause = written
        .pause
        .as_ref()
        .and_then(|pause| measure::span(pause.get_ref()).map_err(|message| problems.push(place.problem(pause, message))).ok());
    let quantity = written.quantity.as_ref().and_then(|number| within(number, 1..=MAX_QUANTITY, place, problems));
    let retries = written.retries.as_ref().and_then(|number| within(number, 0..=MAX_RETRIES, place, problems));
    let weight = written.weight.as_ref().and_then(|number| within(number, 1..=MAX_WEIGHT, place, problems));
    for one in &mut scenarios {
        // Of several, each keeps its own name and its share of the weight.
        one.weight *= weight.unwrap_or(1);
        one.card = card.unwrap_or(one.card);
        one.pause = pause.unwrap_or(one.pause);
        one.quantity = quantity.unwrap_or(one.quantity);
        one.retries = retries.unwrap_or(one.retries);
        one.same = written.same.unwrap_or(one.same);
        one.sku = written.sku.clone().or(one.sku.take());
    }
    if let [one] = scenarios.as_mut_slice() {
        let usual = if one.name.is_empty() { "shopper" } else { &one.name };
        one.name = written.name.as_ref().map_or(usual, |name| name.get_ref()).to_owned();
    }
    scenarios
}

fn steps_of(steps: &Spanned<Vec<Spanned<String>>>, place: Place<'_>, problems: &mut Problems) -> Vec<Step> {
    let written = steps.get_ref();
    if written.is_empty() || written.len() > MAX_STEPS {
        problems.push(place.problem(steps, format!("a scenario has 1 to {MAX_STEPS} steps")));
    }
    let mut found: Vec<Step> = Vec::with_capacity(written.len());
    for step in written {
        let Some(known) = Step::of(step.get_ref()) else {
            problems.push(unknown(step, "step", &Step::ALL.map(Step::name), place));
            continue;
        };
        if let Some(needed) = known.needs().filter(|needed| !found.contains(needed)) {
            let (name, needed) = (known.name(), needed.name());
            problems.push(place.problem(step, format!("`{name}` needs `{needed}` before it")));
        }
        found.push(known);
    }
    found
}

fn within(number: &Spanned<u32>, range: std::ops::RangeInclusive<u32>, place: Place<'_>, problems: &mut Problems) -> Option<u32> {
    if range.contains(number.get_ref()) {
        return Some(*number.get_ref());
    }
    problems.push(place.problem(number, format!("write a number from {} to {}", range.start(), range.end())));
    None
}

fn unknown(written: &Spanned<String>, what: &str, known: &[&str], place: Place<'_>) -> Problem {
    let typed = written.get_ref();
    let list = known.join(", ");
    let hint = match nearest(typed, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? There are {list}"),
        None => format!("there are {list}"),
    };
    place.problem(written, format!("there is no {what} `{typed}`")).hint(hint)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(text: &str) -> Result<Plan, String> {
        let mut problems = Problems::new();
        read(&SourceFile::new("load.toml", text), &mut problems).ok_or_else(|| problems.render(false))
    }

    #[track_caller]
    fn check(text: &str, parts: &[&str]) {
        let told = told(text).expect_err(text);
        parts.iter().for_each(|part| assert!(told.contains(part), "{part} in {told}"));
    }

    #[test]
    fn a_file_says_who_comes_when_and_does_what() {
        let text = "seed = 7\n[shopper]\ncountry = \"FR\"\npostal_code = \"75011\"\n\
             [[stage]]\nrate = \"10/s\"\nto = \"50/s\"\nfor = \"30s\"\n[[stage]]\nshoppers = 500\n\
             [[scenario]]\nname = \"poor\"\nlike = \"decline\"\nweight = 3\ncard = \"poor\"\npause = \"1s-5s\"\n\
             [[scenario]]\nsteps = [\"add\", \"open\"]\nsku = \"A-1\"\nquantity = 2\nretries = 4\n\
             [[scenario]]\nlike = \"mix\"\nweight = 2\n";
        let plan = told(text).expect("a plan");
        assert_eq!((plan.seed, plan.person.country.as_str(), plan.person.city.as_str()), (Some(7), "FR", "Berlin"));
        let ramp = Stage::Rate { from_per_second: 10.0, to_per_second: 50.0, lasts: Duration::from_secs(30) };
        assert_eq!(plan.stages, [ramp, Stage::Crowd { shoppers: 500 }]);
        let weights: Vec<_> = plan.scenarios.iter().map(|one| (one.name.as_str(), one.weight)).collect();
        let mixed = [("browse", 140), ("add", 34), ("abandon", 16), ("decline", 2), ("checkout", 8)];
        assert_eq!(weights, [&[("poor", 3), ("shopper", 1)][..], &mixed].concat());
        let (poor, own) = (&plan.scenarios[0], &plan.scenarios[1]);
        assert_eq!((poor.card, poor.pause), (Card::Poor, (Duration::from_secs(1), Duration::from_secs(5))));
        assert_eq!((own.steps.as_slice(), own.sku.as_deref()), (&[Step::Add, Step::Open][..], Some("A-1")));
        assert_eq!((own.quantity, own.retries), (2, 4));
    }

    #[test]
    fn a_typo_is_told_at_its_place_with_what_there_is() {
        check("[[scenario]]\nlike = \"chekout\"\n", &["load.toml:2:8", "no scenario `chekout`", "did you mean \"checkout\"?"]);
        check(
            "[[scenario]]\nsteps = [\"page\",\n  \"ad\"]\n",
            &["load.toml:3:3", "no step `ad`", "did you mean \"add\"? There are page, "],
        );
        check("[[scenario]]\nlike = \"add\"\ncard = \"gold\"\n", &["load.toml:3:8", "There are good, declined"]);
        check("[[scenario]]\nlike = \"add\"\nwieght = 2\n", &["load.toml:3:1", "unknown key `wieght`", "did you mean `weight`?"]);
        check("[[scenario]]\nlike = \"add\"\n[[stage]]\nrate = \"50\"\nfor = \"1s\"\n", &["load.toml:4:8", "50/s"]);
        check("[[scenario]]\nsteps = [\"add\", \"pay\"]\n", &["load.toml:2:17", "`pay` needs `details` before it"]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        check(
            "[[stage]]\nrate = \"5/s\"\n[[scenario]]\nlike = \"add\"\nsteps = []\n[[scenario]]\nlike = \"add\"\nweight = 0\n",
            &["a stage has a rate and a time", "like a built-in one, or has steps", "from 1 to 1000000"],
        );
        check("seed = 1\n", &["no scenario says what shoppers do"]);
    }
}
