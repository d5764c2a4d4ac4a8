//! Written: TOML text → typed values, with serde's complaints turned into problems at their place.

use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money, Percent};
use crate::site::problem::{Problem, Problems, SourceFile, nearest};

/// Mistakes of one file that are told; one with more is another kind of file, and the rest of it is left unread.
const MAX_MISTAKES: usize = 50;

/// Reads TOML that stands in `file` from byte `offset` on (front matter; 0 for a whole file).
pub fn parse<T: DeserializeOwned>(file: &SourceFile, toml: &str, offset: usize) -> Result<T, Problem> {
    toml::from_str(toml).map_err(|error| told(file, &error, offset))
}

/// The same, with all that is wrong: keys that nothing is known of are told, each, and what is left without them is read.
pub fn parse_known<T: DeserializeOwned>(file: &SourceFile, toml: &str, offset: usize, problems: &mut Vec<Problem>) -> Option<T> {
    let from = problems.len();
    let values = known(file, toml, offset, problems);
    // As they stand in the file.
    problems[from..].sort_by_key(|problem| problem.line);
    values
}

fn known<T: DeserializeOwned>(file: &SourceFile, toml: &str, offset: usize, problems: &mut Vec<Problem>) -> Option<T> {
    let (mut table, errors) = DeTable::parse_recoverable(toml);
    if !errors.is_empty() {
        problems.extend(errors.iter().take(MAX_MISTAKES).map(|error| told(file, error, offset)));
        return None;
    }
    for _ in 0..MAX_MISTAKES {
        let error = match T::deserialize(toml::Deserializer::from(table.clone())) {
            Ok(values) => return Some(values),
            Err(error) => error,
        };
        problems.push(told(file, &error, offset));
        let is_unknown = unknown_key(error.message().trim()).2.is_some();
        if !(is_unknown && error.span().is_some_and(|span| forget(table.get_mut(), &span))) {
            return None;
        }
    }
    None
}

/// Takes the key that stands there out of a table, however deep; whether it was found.
fn forget(table: &mut DeTable<'_>, at: &Range<usize>) -> bool {
    let found = table.keys().find(|key| key.span() == *at).cloned();
    found.is_some_and(|key| table.remove(&key).is_some()) || table.iter_mut().any(|(_, value)| forget_within(value.get_mut(), at))
}

fn forget_within(value: &mut DeValue<'_>, at: &Range<usize>) -> bool {
    match value {
        DeValue::Table(table) => forget(table, at),
        DeValue::Array(values) => values.iter_mut().any(|value| forget_within(value.get_mut(), at)),
        _ => false,
    }
}

fn told(file: &SourceFile, error: &toml::de::Error, offset: usize) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let (message, hint, _) = unknown_key(error.message().trim());
    let at = span.start + offset..span.end + offset;
    let (message, hint) = match (hint, other_kind(&message)) {
        (None, Some((message, hint))) => (message, hint),
        (hint, _) => (message, hint),
    };
    let problem = Problem::at(file, at, message);
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

/// What serde says of a value of another kind than is read, for people, and what to write where that is plain.
fn other_kind(message: &str) -> Option<(String, Option<String>)> {
    let (found, expected) = message.strip_prefix("invalid type: ")?.split_once(", expected ")?;
    let word = match expected {
        "a string" => "text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list in [ ]",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => "a whole number",
        _ => return None,
    };
    let is = match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        other => other.strip_prefix("string ").map_or_else(|| other.to_owned(), |text| format!("text, {text}")),
    };
    // A number that stands without its quotes, or within.
    let value = found.split_once(' ').map(|(_, value)| value.trim_matches(['`', '"']));
    let hint = match (expected, value) {
        ("a string", Some(value)) => Some(format!("write \"{value}\"")),
        (_, Some(value)) if word == "a whole number" && value.parse::<u64>().is_ok() => Some(format!("write {value}")),
        _ => None,
    };
    Some((format!("this is {is}, and {word} belongs here"), hint))
}

/// What serde says, for people: the message, a hint and the key where one is unknown.
pub fn unknown_key(message: &str) -> (String, Option<String>, Option<String>) {
    let Some((typed, known)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) else {
        return (message.to_owned(), None, None);
    };
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let near = nearest(typed, known.iter().copied()).map(|word| format!("did you mean `{word}`?"));
    let hint = near.unwrap_or_else(|| format!("known keys here: {}", known.join(", ")));
    (format!("unknown key `{typed}`"), Some(hint), Some(typed.to_owned()))
}

/// The instant of an RFC 3339 text, or of a day, which begins at midnight UTC.
pub fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(instant.as_second()));
    }
    let is_day = !text.contains([':', 'T', 't']);
    // 9999-12-31, with or without an hour, is how many write that something never ends.
    let moment = if is_day { None } else { text.strip_suffix('Z').and_then(|text| text.parse::<jiff::civil::DateTime>().ok()) };
    let day = || if is_day { text.parse::<jiff::civil::Date>().ok() } else { None };
    moment.or_else(|| Some(day()?.to_datetime(jiff::civil::Time::midnight()))).map(utc)
}

/// Minutes that the clock by which an instant is written is ahead of UTC; 0 for a day, which is one of UTC, and for what is no instant.
pub fn offset_minutes(text: &str) -> i16 {
    let written = jiff::fmt::temporal::Pieces::parse(text.trim()).ok();
    let offset = written.and_then(|pieces| pieces.to_numeric_offset());
    offset.and_then(|offset| i16::try_from(offset.seconds() / 60).ok()).unwrap_or(0)
}

/// The instant of a moment in UTC; the last one there is for those at the end of the year 9999.
pub fn utc(moment: jiff::civil::DateTime) -> Timestamp {
    let last = jiff::Timestamp::MAX.as_second();
    Timestamp(moment.to_zoned(jiff::tz::TimeZone::UTC).map_or(last, |zoned| zoned.timestamp().as_second()))
}

/// An amount as people write it: text, or a whole number. A fraction without quotes would be a float, which holds no exact cents.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// `"12.90"`
    Text(String),
    /// `30`
    Whole(i64),
    /// `12.90`, refused with a hint.
    Float(f64),
}

/// Where values were written: a file and the byte its TOML begins at.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The file.
    pub file: &'a SourceFile,
    /// Where its TOML begins.
    pub offset: usize,
}

impl Place<'_> {
    /// An error at a value.
    pub fn problem<T>(&self, value: &Spanned<T>, message: impl Into<String>) -> Problem {
        let span = value.span();
        Problem::at(self.file, span.start + self.offset..span.end + self.offset, message)
    }

    /// Minor units of an amount; a problem and `None` where it is none.
    pub fn minor(&self, amount: &Spanned<Amount>, currency: Currency, problems: &mut Problems) -> Option<i64> {
        let parsed = match amount.get_ref() {
            Amount::Text(text) => Money::parse(text, currency),
            Amount::Whole(whole) => Money::parse(&whole.to_string(), currency),
            Amount::Float(_) => {
                let message = "an amount with decimals is written in quotes, so that it stays exact";
                let written =
                    self.file.text.get(amount.span().start + self.offset..amount.span().end + self.offset).unwrap_or("");
                problems.push(self.problem(amount, message).hint(format!("write \"{written}\"")));
                return None;
            }
        };
        match parsed {
            Ok(money) => Some(money.minor),
            Err(error) => {
                problems.push(self.problem(amount, error.to_string()));
                None
            }
        }
    }

    /// A percentage; a problem and `None` where it is none.
    pub fn percent(&self, text: &Spanned<String>, problems: &mut Problems) -> Option<Percent> {
        text.get_ref().parse().map_err(|error| problems.push(self.problem(text, format!("{error}")))).ok()
    }

    /// A currency by its code.
    pub fn currency(&self, text: &Spanned<String>, problems: &mut Problems) -> Option<Currency> {
        text.get_ref().parse().map_err(|error| problems.push(self.problem(text, format!("{error}")))).ok()
    }

    /// An instant: RFC 3339 text or a day, which begins at midnight UTC.
    pub fn instant(&self, text: &Spanned<String>, problems: &mut Problems) -> Option<Timestamp> {
        let written = text.get_ref().trim();
        match instant(written) {
            Some(instant) => Some(instant),
            None => {
                let problem = self.problem(text, format!("`{written}` is not a time"));
                problems.push(problem.hint("write an instant such as \"2026-12-24T18:00:00Z\" or a day such as \"2026-12-24\""));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shelf {
        name: String,
        #[serde(default)]
        boards: Vec<Board>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Board {
        width: u32,
    }

    fn read(text: &str) -> (Option<Shelf>, Vec<String>) {
        let file = SourceFile::new("a.toml", text);
        let mut found = Vec::new();
        let shelf = parse_known(&file, text, 0, &mut found);
        (shelf, found.into_iter().map(|problem| format!("{} {}", problem.line, problem.message)).collect())
    }

    #[test]
    fn every_unknown_key_is_told_and_the_rest_is_read() {
        let (shelf, told) = read("name = 'a'\ncolour = 1\n[[boards]]\nwidth = 7\nwitdh = 8\n[lamp]\non = true\n");
        assert_eq!(told, ["2 unknown key `colour`", "5 unknown key `witdh`", "6 unknown key `lamp`"]);
        let shelf = shelf.expect("the rest is a shelf");
        assert_eq!((shelf.name.as_str(), shelf.boards[0].width), ("a", 7));
        // What is wrong beside them is told after them, and nothing is read then.
        let (shelf, told) = read("colour = 1\nname = 2\n");
        assert!(shelf.is_none());
        assert_eq!((told.len(), told[0].as_str()), (2, "1 unknown key `colour`"));
    }

    #[test]
    fn the_clock_of_an_instant_is_kept() {
        for (text, minutes) in [
            ("2026-12-01T00:00:00-05:00", -300),
            (" 2026-12-01T00:00:00+05:45 ", 345),
            ("2026-12-01T00:00:00Z", 0),
            ("2026-12-01", 0),
            ("12/01/26", 0),
            ("soon", 0),
        ] {
            assert_eq!(offset_minutes(text), minutes, "{text}");
        }
    }

    #[test]
    fn every_slip_in_the_writing_is_told() {
        let (shelf, told) = read("name = \n[[boards]\nwidth = 7\n");
        assert!(shelf.is_none() && told.len() > 1, "{told:?}");
        assert!(told[0].starts_with("1 "), "{told:?}");
    }

    #[test]
    fn a_value_of_another_kind_is_told_with_what_to_write() {
        let check = |text: &str, expected: &str, hint: Option<&str>| {
            let file = SourceFile::new("a.toml", text);
            let mut found = Vec::new();
            assert!(parse_known::<Shelf>(&file, text, 0, &mut found).is_none());
            assert_eq!((found[0].message.as_str(), found[0].hint.as_deref()), (expected, hint));
        };
        check("name = 7\n", "this is integer `7`, and text in quotes belongs here", Some("write \"7\""));
        check("name = 'a'\n[[boards]]\nwidth = '7'\n", "this is text, \"7\", and a whole number belongs here", Some("write 7"));
        check("name = 'a'\nboards = { width = 7 }\n", "this is a table, and a list in [ ] belongs here", None);
    }
}
