//! Threshold: what a run must not exceed, as `--fail-if` writes it.
//!
//! Shape   `p99(checkout) > 500ms`, `max(pay) >= 2s`, `errors > 1%`, `orders < 100`: a figure, a sign, a bound.

use std::fmt;
use std::time::Duration;

use super::measure;
use super::report::{Report, Times};
use super::scenario::Step;

/// Figures that are times of steps.
const TIMES: [&str; 6] = ["p50", "p90", "p99", "p99.9", "max", "mean"];
/// Figures that are counted; of all requests or shoppers where a bound is in percent.
const COUNTS: [&str; 8] = ["errors", "orders", "sold_out", "shed", "refused", "gave_up", "dropped", "completed"];
/// What times can be of, beside steps.
const GROUPS: [&str; 2] = ["all", "checkout"];

/// A bound on a figure of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    written: String,
    figure: Figure,
    sign: Sign,
    bound: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum Figure {
    /// In seconds.
    Time {
        which: &'static str,
        of: String,
    },
    Count {
        which: &'static str,
        in_percent: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sign {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// What became of a threshold.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Judged {
    /// As it was written.
    pub threshold: String,
    /// Whether the run fails by it.
    pub broken: bool,
    /// What was measured; `None`: nothing was.
    pub measured: Option<String>,
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl std::str::FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let signs = [(">=", Sign::AtLeast), ("<=", Sign::AtMost), (">", Sign::Above), ("<", Sign::Below)];
        let found = signs.iter().find_map(|(written, sign)| Some((text.split_once(written)?, *sign)));
        let ((figure, bound), sign) = found
            .ok_or_else(|| format!("`{text}` compares nothing; write one such as `p99(checkout) > 500ms` or `errors > 1%`"))?;
        let (figure, bound) = (figure.trim(), bound.trim());
        let (figure, bound) = match figure.split_once('(') {
            Some((which, of)) => {
                let known = TIMES.into_iter().find(|known| *known == which.trim());
                let which = known.ok_or_else(|| unknown("figure", which.trim(), &TIMES))?;
                let of = of.strip_suffix(')').ok_or_else(|| format!("`{figure}` does not end in a bracket"))?.trim();
                if !GROUPS.contains(&of) && Step::of(of).is_none() {
                    return Err(unknown("step", of, &[&GROUPS[..], &Step::ALL.map(Step::name)].concat()));
                }
                (Figure::Time { which, of: of.to_owned() }, measure::time(bound)?.as_secs_f64())
            }
            None if TIMES.contains(&figure) => {
                return Err(format!("`{figure}` of what? Write {figure}(all) or {figure}(checkout)"));
            }
            None => {
                let known = COUNTS.into_iter().find(|known| *known == figure);
                let which = known.ok_or_else(|| unknown("figure", figure, &[&COUNTS[..], &["p99(checkout)"]].concat()))?;
                let (number, in_percent) = bound.strip_suffix('%').map_or((bound, false), |number| (number, true));
                let bound = number.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
                let bound = bound.ok_or_else(|| format!("`{number}` is no number; write one such as 100 or 1%"))?;
                (Figure::Count { which, in_percent }, bound)
            }
        };
        Ok(Self { written: text.trim().to_owned(), figure, sign, bound })
    }
}

fn unknown(what: &str, typed: &str, known: &[&str]) -> String {
    format!("there is no {what} `{typed}`; there are {}", known.join(", "))
}

impl Threshold {
    /// Judges a run. A time of what was never asked breaks a threshold: it proves nothing.
    pub fn judge(&self, report: &Report) -> Judged {
        let (measured, shown) = match &self.figure {
            Figure::Time { which, of } => {
                let times = report.times(of).filter(|times| times.count > 0);
                let seconds = times.map(|times| seconds_of(times, which));
                (seconds, seconds.map(|seconds| shown(Duration::from_secs_f64(seconds))))
            }
            Figure::Count { which, in_percent } => {
                let (count, of_all) = report.count(which);
                if *in_percent {
                    let percent = (of_all > 0).then(|| count as f64 * 100.0 / of_all as f64);
                    (percent, percent.map(|percent| format!("{percent:.2}%")))
                } else {
                    (Some(count as f64), Some(count.to_string()))
                }
            }
        };
        let broken = measured.is_none_or(|measured| match self.sign {
            Sign::Above => measured > self.bound,
            Sign::AtLeast => measured >= self.bound,
            Sign::Below => measured < self.bound,
            Sign::AtMost => measured <= self.bound,
        });
        Judged { threshold: self.written.clone(), broken, measured: shown }
    }
}

fn seconds_of(times: &Times, which: &str) -> f64 {
    let ms = match which {
        "p50" => times.p50_ms,
        "p90" => times.p90_ms,
        "p99" => times.p99_ms,
        "p99.9" => times.p999_ms,
        "max" => times.max_ms,
        _ => times.mean_ms,
    };
    ms / 1e3
}

/// A time as people read it.
pub fn shown(time: Duration) -> String {
    match time.as_secs_f64() * 1e3 {
        ms if ms < 10.0 => format!("{ms:.2} ms"),
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::client::Timing;
    use super::super::record::{Outcome, Record, Seen};
    use super::super::report::About;
    use super::super::run::Ended;
    use super::*;

    /// A hundred requests of 1 to 100 ms, of which the last failed; two shoppers, one of them paid.
    fn report() -> Report {
        let began = Instant::now();
        let mut record = Record::new(began, Duration::from_secs(1));
        for ms in 1..=100 {
            let timing = Timing { meant_at: began, sent_at: Some(began), ended_at: began + Duration::from_millis(ms) };
            let seen = Seen { status: Some(if ms == 100 { 500 } else { 200 }), code: None, is_error: ms == 100, is_shed: false };
            record.asked(Step::Open, &timing, &seen);
        }
        for outcome in [Outcome::Paid, Outcome::SoldOut] {
            record.arrive(Duration::ZERO);
            record.begin("buy");
            record.end("buy", outcome);
        }
        record.paid("T-1");
        let about = About {
            target: String::new(),
            seed: 1,
            began_at: String::new(),
            ended: Ended::Complete,
            connections: 1,
            planned: 2,
            max_inside: 9,
            cost: None,
            notes: Vec::new(),
        };
        Report::of(&mut record, about, &[])
    }

    #[test]
    fn a_run_is_judged_by_each() {
        let report = report();
        for (text, broken) in [
            ("p99(open) > 98ms", true),
            ("p99(open) > 100ms", false),
            ("p50(checkout)<=51ms", true),
            ("max(all) >= 200ms", false),
            ("errors > 1%", false),
            ("errors >= 1%", true),
            ("errors > 0", true),
            ("orders < 1", false),
            ("orders < 60%", true),
            ("sold_out >= 50%", true),
            ("dropped > 0", false),
            ("completed <= 1", true),
        ] {
            let threshold: Threshold = text.parse().expect(text);
            assert_eq!(threshold.judge(&report).broken, broken, "{text}: {:?}", threshold.judge(&report));
        }
        let nothing: Threshold = "p99(pay) > 1h".parse().expect("one");
        assert_eq!(nothing.judge(&report), Judged { threshold: "p99(pay) > 1h".to_owned(), broken: true, measured: None });
    }

    #[test]
    fn what_is_no_threshold_is_told_with_what_to_write() {
        for (text, part) in [
            ("", "compares nothing"),
            ("p99(all) = 5ms", "compares nothing"),
            ("p99 > 5ms", "p99(all)"),
            ("p98(all) > 5ms", "there are p50, p90"),
            ("p99(chekout) > 5ms", "there are all, checkout, page"),
            ("p99(all > 5ms", "bracket"),
            ("p99(all) > 5", "60s"),
            ("error > 1%", "there are errors, orders"),
            ("errors > many", "100 or 1%"),
            ("errors > -1", "100 or 1%"),
        ] {
            let told = text.parse::<Threshold>().expect_err(text);
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
