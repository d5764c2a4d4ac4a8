//! Report: what a run was like, for people and machines.
//!
//! Owns    the figures and their JSON, whose names are stable; the lines for a terminal. Times are in milliseconds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::cost::Cost;
use super::record::{Clocks, Outcome, Point, Record};
use super::run::Ended;
use super::scenario::Step;
use super::threshold::{Judged, Threshold, shown};

/// Lateness of the generator's own from which on its figures are doubted: about what its timers are exact to under load.
const LATE: Duration = Duration::from_millis(20);

/// Times of one kind of request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// On average.
    pub mean_ms: f64,
    /// Half of them took no longer.
    pub p50_ms: f64,
    /// Nine of ten took no longer.
    pub p90_ms: f64,
    /// 99 of a hundred took no longer.
    pub p99_ms: f64,
    /// 999 of a thousand took no longer.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Times {
    fn of(histogram: &Histogram<u32>) -> Self {
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            count: histogram.len(),
            mean_ms: histogram.mean() / 1e3,
            p50_ms: ms(0.5),
            p90_ms: ms(0.9),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            max_ms: histogram.max() as f64 / 1e3,
        }
    }
}

/// By both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct BothTimes {
    /// From when a request was meant to be sent: what a shopper waited.
    pub response: Times,
    /// From when it was sent: what the shop took.
    pub service: Times,
}

impl BothTimes {
    fn of(clocks: &Clocks) -> Self {
        Self { response: Times::of(&clocks.response), service: Times::of(&clocks.service) }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Its name.
    pub step: &'static str,
    /// Its times.
    #[serde(flatten)]
    pub times: BothTimes,
    /// Requests a second.
    pub per_second: f64,
    /// Answers by status; `none`: there was no answer.
    pub statuses: BTreeMap<String, u64>,
    /// Problems by code.
    pub problems: BTreeMap<String, u64>,
}

/// Shoppers who were to come.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shoppers {
    /// By the course.
    pub planned: u64,
    /// Whose instant came.
    pub arrived: u64,
    /// Of them, let in.
    pub began: u64,
    /// Of them, not let in, since `max_inside` were inside.
    pub dropped: u64,
    /// The bound.
    pub max_inside: usize,
    /// The most who were inside at one instant.
    pub most_inside: u64,
    /// How those who began ended; these add up to `began`.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// By scenario: began, and ended as meant.
    pub scenarios: BTreeMap<String, ScenarioReport>,
}

/// Shoppers of one scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScenarioReport {
    /// Began.
    pub began: u64,
    /// Ended paid, or done.
    pub completed: u64,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Where it was sent.
    pub target: String,
    /// What decided the lots.
    pub seed: u64,
    /// RFC 3339.
    pub began_at: String,
    /// Until the last shopper ended.
    pub seconds: f64,
    /// `complete`, `grace_over` or `stopped`.
    pub ended: &'static str,
    /// Connections at once, at most.
    pub connections: usize,
    /// Shoppers.
    pub shoppers: Shoppers,
    /// Requests.
    pub requests: u64,
    /// Of them, faults: 5xx that is not for there being too much to do, broken connections, answers given up.
    pub errors: u64,
    /// Of them, answers with a status of 500 and more that were not for there being too much to do.
    pub server_errors: u64,
    /// Of them, refused for there being too much to do.
    pub shed: u64,
    /// Orders that were seen to be paid.
    pub orders_paid: u64,
    /// Of the time from the first arrival to the end.
    pub orders_per_minute: f64,
    /// Numbers of paid orders, up to a hundred thousand.
    pub order_numbers: Vec<String>,
    /// All requests.
    pub all: BothTimes,
    /// The shop's part of checkouts.
    pub checkout: BothTimes,
    /// Each step.
    pub steps: Vec<StepReport>,
    /// How late the generator itself let shoppers in.
    pub generator_late: Times,
    /// Seconds of one point.
    pub point_seconds: f64,
    /// The run over time.
    pub points: Vec<Point>,
    /// What it took of the edges; `None`: nobody said where they tell it.
    pub cost: Option<Cost>,
    /// What is to be known of these figures.
    pub notes: Vec<String>,
    /// What was asked of the run.
    pub thresholds: Vec<Judged>,
}

/// What is known beside what was counted.
#[derive(Clone, Debug)]
pub struct About {
    /// Where it was sent.
    pub target: String,
    /// What decided the lots.
    pub seed: u64,
    /// RFC 3339.
    pub began_at: String,
    /// How it ended.
    pub ended: Ended,
    /// Connections at once, at most.
    pub connections: usize,
    /// Shoppers by the course.
    pub planned: u64,
    /// Shoppers inside, at most.
    pub max_inside: usize,
    /// What it took of the edges, where they were asked.
    pub cost: Option<Cost>,
    /// What is to be known.
    pub notes: Vec<String>,
}

impl Report {
    /// Closes a record and tells what is in it.
    pub fn of(record: &mut Record, about: About, thresholds: &[Threshold]) -> Self {
        let seconds = record.began_at.elapsed().as_secs_f64().max(1e-3);
        record.close();
        let of_step = |step: &Step| {
            let record = record.steps.get(step)?;
            let status = |(status, count): (&u16, &u64)| {
                let name = if *status == 0 { "none".to_owned() } else { status.to_string() };
                (name, *count)
            };
            Some(StepReport {
                step: step.name(),
                times: BothTimes::of(&record.clocks),
                per_second: record.clocks.response.len() as f64 / seconds,
                statuses: record.statuses.iter().map(status).collect(),
                problems: record.codes.clone(),
            })
        };
        let steps = Step::ALL.iter().filter_map(of_step).collect();
        let scenarios = record
            .by_scenario
            .iter()
            .map(|(name, (began, completed))| (name.clone(), ScenarioReport { began: *began, completed: *completed }));
        let mut report = Self {
            target: about.target,
            seed: about.seed,
            began_at: about.began_at,
            seconds,
            ended: match about.ended {
                Ended::Complete => "complete",
                Ended::GraceOver => "grace_over",
                Ended::Stopped => "stopped",
            },
            connections: about.connections,
            shoppers: Shoppers {
                planned: about.planned,
                arrived: record.arrivals,
                began: record.arrivals - record.dropped,
                dropped: record.dropped,
                max_inside: about.max_inside,
                most_inside: record.most_inside,
                outcomes: record.outcomes.clone(),
                scenarios: scenarios.collect(),
            },
            requests: record.requests,
            errors: record.errors,
            server_errors: record.server_errors,
            shed: record.shed,
            orders_paid: record.paid,
            orders_per_minute: record.paid as f64 * 60.0 / seconds,
            order_numbers: std::mem::take(&mut record.orders),
            all: BothTimes::of(&record.all),
            checkout: BothTimes::of(&record.checkout),
            steps,
            generator_late: Times::of(&record.late),
            point_seconds: record.slice.as_secs_f64(),
            points: std::mem::take(&mut record.points),
            cost: about.cost,
            notes: about.notes,
            thresholds: Vec::new(),
        };
        report.note();
        report.thresholds = thresholds.iter().map(|threshold| threshold.judge(&report)).collect();
        report
    }

    fn note(&mut self) {
        if self.shoppers.dropped > 0 {
            let Shoppers { dropped, max_inside, .. } = self.shoppers;
            self.notes.push(format!(
                "{dropped} shoppers were not let in, since {max_inside} were inside: the shop answers more slowly than they come; \
                 --max-shoppers raises the bound"
            ));
        }
        if self.generator_late.p99_ms > LATE.as_secs_f64() * 1e3 {
            let late = ms(self.generator_late.p99_ms);
            self.notes.push(format!(
                "this program itself let shoppers in late (p99 {late}): it lacks processor time beside the shop, and response times \
                 hold that too; send from another machine, or less"
            ));
        }
        if self.ended == "stopped" {
            self.notes.push("it was told to stop before everybody had come".to_owned());
        }
    }

    /// Response times of a step, of `all` or of `checkout`.
    pub fn times(&self, of: &str) -> Option<&Times> {
        match of {
            "all" => Some(&self.all.response),
            "checkout" => Some(&self.checkout.response),
            step => self.steps.iter().find(|report| report.step == step).map(|report| &report.times.response),
        }
    }

    /// A count and what it is part of.
    pub fn count(&self, which: &str) -> (u64, u64) {
        let of = |outcome| self.shoppers.outcomes.get(&outcome).copied().unwrap_or(0);
        let (began, arrived) = (self.shoppers.began, self.shoppers.arrived);
        match which {
            "errors" => (self.errors, self.requests),
            "shed" => (self.shed, self.requests),
            "orders" => (self.orders_paid, began),
            "sold_out" => (of(Outcome::SoldOut), began),
            "refused" => (of(Outcome::Refused), began),
            "gave_up" => (of(Outcome::GaveUp), began),
            "completed" => (of(Outcome::Paid) + of(Outcome::Done), began),
            _ => (self.shoppers.dropped, arrived),
        }
    }

    // What an edge took, in a line.
    fn spent(&self, cost: &Cost) -> String {
        let Cost { edges, processors, cpu_seconds, commits, resident_bytes, .. } = *cost;
        let edges = if edges == 1 { "the edge".to_owned() } else { format!("{edges} edges") };
        let mut line = format!(
            "{cpu_seconds:.2} s of processor time of {edges} ({:.0} % of {processors} processors)",
            cpu_seconds / self.seconds / f64::from(processors.max(1)) * 100.0
        );
        if self.orders_paid > 0 {
            let orders = self.orders_paid as f64;
            line.push_str(&format!(
                ", {:.2} ms and {:.1} transactions an order",
                cpu_seconds * 1e3 / orders,
                commits as f64 / orders
            ));
        } else {
            line.push_str(&format!(", {:.3} ms a request", cpu_seconds * 1e3 / self.requests.max(1) as f64));
        }
        line + &format!(", {} MB held", resident_bytes / 1_000_000)
    }

    /// Whether a threshold is broken.
    pub fn is_broken(&self) -> bool {
        self.thresholds.iter().any(|judged| judged.broken)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut say = |line: std::fmt::Arguments<'_>| {
            let _ = out.write_fmt(line);
            out.push('\n');
        };
        let Shoppers { planned, arrived, began, dropped, most_inside, .. } = self.shoppers;
        say(format_args!("{} · seed {} · {:.1} s, {}", self.target, self.seed, self.seconds, self.ended.replace('_', " ")));
        let gone = if dropped > 0 { format!(", {dropped} not let in") } else { String::new() };
        say(format_args!("shoppers  {arrived} of {planned} came, {began} began{gone}; {most_inside} inside at most"));
        let ended: Vec<String> =
            self.shoppers.outcomes.iter().map(|(outcome, count)| format!("{count} {}", outcome.name())).collect();
        say(format_args!("ended     {}", ended.join(", ")));
        say(format_args!(
            "requests  {} ({:.0}/s), {} faults, {} of them 5xx, {} shed",
            self.requests,
            self.requests as f64 / self.seconds,
            self.errors,
            self.server_errors,
            self.shed
        ));
        say(format_args!("orders    {} paid, {:.0} a minute", self.orders_paid, self.orders_per_minute));
        if let Some(cost) = &self.cost {
            say(format_args!("cost      {}", self.spent(cost)));
        }
        say(format_args!(""));
        say(format_args!(
            "{:<14}{:>9}{:>11}{:>11}{:>11}{:>11}{:>11}{:>13}",
            "response", "count", "p50", "p90", "p99", "p99.9", "max", "service p99"
        ));
        let steps = self.steps.iter().map(|step| (step.step, &step.times));
        let groups = [("checkout", &self.checkout), ("all", &self.all)];
        for (name, BothTimes { response, service }) in steps.chain(groups).filter(|(_, times)| times.response.count > 0) {
            say(format_args!(
                "{name:<14}{:>9}{:>11}{:>11}{:>11}{:>11}{:>11}{:>13}",
                response.count,
                ms(response.p50_ms),
                ms(response.p90_ms),
                ms(response.p99_ms),
                ms(response.p999_ms),
                ms(response.max_ms),
                ms(service.p99_ms)
            ));
        }
        let coded = |step: &StepReport| {
            let counts = step.problems.iter().map(|(code, count)| format!("{count} × {code}"));
            (step.step, counts.collect::<Vec<_>>().join(", "))
        };
        let problems: Vec<_> = self.steps.iter().map(coded).filter(|(_, counts)| !counts.is_empty()).collect();
        if !problems.is_empty() {
            say(format_args!(""));
        }
        for (step, counts) in problems {
            say(format_args!("{step:<14}{counts}"));
        }
        for note in &self.notes {
            say(format_args!("note: {note}"));
        }
        for Judged { threshold, broken, measured } in &self.thresholds {
            let measured = measured.as_deref().unwrap_or("nothing was measured");
            say(format_args!("{} {threshold}: {measured}", if *broken { "BROKEN" } else { "kept  " }));
        }
        out
    }
}

/// A time as people read it.
pub(super) fn ms(ms: f64) -> String {
    shown(Duration::from_secs_f64((ms / 1e3).max(0.0)))
}
