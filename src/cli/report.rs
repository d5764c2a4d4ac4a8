//! `vitrine report`: whether speed earns money, from what the edges counted by the hour.

use std::path::{Path, PathBuf};

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};

use super::shelf::{BesideEdge, Shelf};
use super::stock::{failed, wait_for};
use super::{CommandError, source};
use crate::commerce::money::{Currency, Money};
use crate::config;
use crate::site::problem::Problems;
use crate::store::aggregates::{Aggregate, Aggregates};
use crate::telemetry::report::gathered::Gathered;
use crate::telemetry::report::print::Spelling;
use crate::telemetry::report::{Period, Report};
use crate::telemetry::slo::Objectives;

/// What is looked at where nobody says.
const USUAL_DAYS: i64 = 30;
/// Longer than that nothing is kept.
const EVENT_MAX: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Hours of a week.
const WEEK: i64 = 7 * 24;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// From this instant on: 2026-11-01T08:00:00Z, or a day, which begins at midnight UTC [default: 30 days ago]
    #[arg(long, value_name = "WHEN", value_parser = moment, conflicts_with = "event")]
    since: Option<jiff::Timestamp>,
    /// Until this instant [default: now]
    #[arg(long, value_name = "WHEN", value_parser = moment, conflicts_with = "event")]
    until: Option<jiff::Timestamp>,
    /// An event beside the same hours of the week before: its beginning in UTC and how long it took, such as "Friday 18:00/2h" (the last
    /// one) or "2026-11-27 18:00/90min"
    #[arg(long, value_name = "BEGIN/LENGTH")]
    event: Option<String>,
    /// The shop's folder: its slo section says what was promised
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    #[command(flatten)]
    beside: BesideEdge,
    /// Write JSON for programs to stdout
    #[arg(long)]
    json: bool,
    /// Write one page that stands alone, with charts; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// An instant, or the day it begins with.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
    at.map_err(|_| "write an instant such as 2026-12-01T08:00:00Z, or a day such as 2026-12-01".to_owned())
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let now = jiff::Timestamp::now();
    let objectives = objectives(&args.source)?;
    let period = period(&args, now)?;
    let aggregates = aggregates(&args.beside.shelf()?)?;
    let gathered = gather(&aggregates, period)?;
    let before = match &args.event {
        Some(_) => Some(gather(&aggregates, Period { from: period.from - WEEK, until: period.until - WEEK })?),
        None => None,
    };
    let report = Report::of(&gathered, period, before.as_ref(), &objectives);
    let spelling = Spelling { money: &money, instant: &instant };
    if let Some(path) = &args.html {
        let told = |error| CommandError::World(format!("{} cannot be written: {error}", path.display()));
        std::fs::write(path, report.html(spelling)).map_err(told)?;
        eprintln!("{}: written", path.display());
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report is plain data"));
    } else if args.html.is_none() {
        print!("{}", report.text(spelling));
    }
    Ok(())
}

/// What the shop promises itself; the usual where there is no shop here.
fn objectives(root: &Path) -> Result<Objectives, CommandError> {
    if !root.join(config::FILE).exists() {
        return Ok(Objectives::default());
    }
    let mut problems = Problems::new();
    let config = config::read(root, &mut problems);
    config.map(|config| config.objectives).ok_or_else(|| {
        eprint!("{}", problems.render(source::colors()));
        CommandError::Content
    })
}

fn period(args: &Args, now: jiff::Timestamp) -> Result<Period, CommandError> {
    let (since, until) = match &args.event {
        Some(text) => event(text, now).map_err(|reason| CommandError::Usage(format!("--event {text}: {reason}")))?,
        None => {
            let until = args.until.unwrap_or(now).as_second();
            (args.since.map_or(until - USUAL_DAYS * 86_400, jiff::Timestamp::as_second), until)
        }
    };
    if since >= until {
        return Err(CommandError::Usage("the period ends before it begins: --since has to be before --until".to_owned()));
    }
    Ok(Period::holding(since, until))
}

/// Beginning and end of an event, seconds since 1970.
fn event(text: &str, now: jiff::Timestamp) -> Result<(i64, i64), String> {
    const HINT: &str = "write a beginning and a length, such as \"Friday 18:00/2h\" or \"2026-11-27 18:00/90min\"; times are UTC";
    let (begin, length) = text.rsplit_once('/').ok_or(HINT)?;
    let length: SignedDuration = length.trim().parse().map_err(|_| HINT)?;
    if length <= SignedDuration::ZERO || length > EVENT_MAX {
        return Err("an event takes more than no time, and less than 400 days".to_owned());
    }
    let begin = begin.trim();
    let at = match begin.split_once(' ').and_then(|(day, time)| Some((weekday(day)?, time))) {
        Some((weekday, time)) => last(weekday, time.trim().parse().map_err(|_| HINT)?, now),
        None => begin
            .parse::<jiff::Timestamp>()
            .ok()
            .or_else(|| Some(begin.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())),
    };
    let at = at.ok_or(HINT)?.as_second();
    Ok((at, at + length.as_secs()))
}

fn weekday(word: &str) -> Option<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let word = word.to_ascii_lowercase();
    DAYS.into_iter().find(|(name, _)| *name == word || name[..3] == word).map(|(_, day)| day)
}

/// The last time that it was that hour of that day.
fn last(weekday: Weekday, time: Time, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
    let today = now.to_zoned(TimeZone::UTC);
    let back = i64::from(today.weekday().to_monday_zero_offset() - weekday.to_monday_zero_offset()).rem_euclid(7);
    let on = |back: i64| {
        let date = today.date().checked_sub(back.days()).ok()?;
        Some(date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    on(back).filter(|at| *at <= now).or_else(|| on(back + 7))
}

fn aggregates(shelf: &Shelf) -> Result<Aggregates, CommandError> {
    if let Shelf::File(path) = shelf {
        let path = Aggregates::file_beside(path);
        if !path.exists() {
            let told = format!("nothing was counted yet: there is no {}; the edge makes it beside its store", path.display());
            return Err(CommandError::World(told));
        }
        return Aggregates::open_file(&path).map_err(|error| CommandError::World(format!("{}: {error}", path.display())));
    }
    let store = shelf.open_existing()?;
    let found = Aggregates::beside(&store).map_err(failed)?;
    found.ok_or_else(|| CommandError::World("this store counts nothing".to_owned()))
}

fn gather(aggregates: &Aggregates, period: Period) -> Result<Gathered, CommandError> {
    let mut gathered = Gathered::default();
    let each = |row: Aggregate| gathered.add(row.hour, &row.kind, &row.cell, &row.body);
    wait_for(aggregates.each(period.from, period.until, each))?.map_err(failed)?;
    Ok(gathered)
}

fn money(minor: u64, currency: &str) -> String {
    let known = Currency::from_code(currency).zip(i64::try_from(minor).ok());
    known.map_or_else(|| format!("{minor} {currency}"), |(currency, minor)| Money::new(minor, currency).to_string())
}

fn instant(seconds: i64) -> String {
    let at =
        jiff::Timestamp::from_second(seconds).map(|at| at.to_zoned(TimeZone::UTC).strftime("%a %Y-%m-%d %H:%M UTC").to_string());
    at.unwrap_or_else(|_| seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_the_last_of_its_kind_or_the_one_of_a_day() {
        let now: jiff::Timestamp = "2026-11-28T01:00:00Z".parse().expect("a Saturday");
        let told = |text: &str| {
            event(text, now).map(|(from, until)| {
                let at = jiff::Timestamp::from_second(from).expect("an instant").to_string();
                (at, until - from)
            })
        };
        let is = |at: &str, seconds: i64| Ok((at.to_owned(), seconds));
        assert_eq!(told("Friday 18:00/2h"), is("2026-11-27T18:00:00Z", 7_200));
        assert_eq!(told("sat 00:30/1h"), is("2026-11-28T00:30:00Z", 3_600));
        assert_eq!(told("Saturday 02:00/1h"), is("2026-11-21T02:00:00Z", 3_600), "that of today is still to come");
        assert_eq!(told("2026-11-27 18:00/90min"), is("2026-11-27T18:00:00Z", 5_400));
        assert_eq!(told("2026-11-27T18:00:00+01:00/1h30m"), is("2026-11-27T17:00:00Z", 5_400));
        for wrong in [
            "",
            "Friday",
            "Friday 18:00",
            "Friday/2h",
            "Someday 18:00/2h",
            "Friday 25:00/2h",
            "Friday 18:00/0s",
            "Friday 18:00/-2h",
            "Friday 18:00/900000h",
        ] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }
}
