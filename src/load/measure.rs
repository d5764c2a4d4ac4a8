//! Measure: rates and durations as people write them.

use std::time::Duration;

/// Shoppers a second that can be asked for; more than one machine sends.
pub const MAX_PER_SECOND: f64 = 100_000.0;
/// Longest time of one stage.
pub const MAX_LASTS: Duration = Duration::from_secs(24 * 60 * 60);

/// `50/s`, `300/min`, `0.5/s`: how many a second.
///
/// Errors: what to write instead.
pub fn rate(text: &str) -> Result<f64, String> {
    let told = || format!("`{text}` is no rate; write one such as 50/s or 300/min, up to {MAX_PER_SECOND}/s");
    let (number, unit) = text.trim().split_once('/').ok_or_else(told)?;
    let number: f64 = number.trim().parse().map_err(|_| told())?;
    let per_second = match unit.trim() {
        "s" => number,
        "min" | "m" => number / 60.0,
        "h" => number / 3_600.0,
        _ => return Err(told()),
    };
    // What is no number is not within either.
    if (0.0..=MAX_PER_SECOND).contains(&per_second) { Ok(per_second) } else { Err(told()) }
}

/// `60s`, `500ms`, `2min`, `1h`: a time.
///
/// Errors: what to write instead.
pub fn time(text: &str) -> Result<Duration, String> {
    let told = || format!("`{text}` is no time; write one such as 500ms, 60s or 2min, up to 24h");
    let text = text.trim();
    let digits = text.trim_end_matches(|sign: char| sign.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| told())?;
    let seconds = match &text[digits.len()..] {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "min" | "m" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return Err(told()),
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= MAX_LASTS).ok_or_else(told)
}

/// `1s-5s`, or one time: the shortest and the longest.
///
/// Errors: what to write instead.
pub fn span(text: &str) -> Result<(Duration, Duration), String> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let (least, most) = (time(least)?, time(most)?);
    if least <= most {
        Ok((least, most))
    } else {
        Err(format!("`{text}` begins with the longer time; write it the other way round"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [("50/s", 50.0), ("300/min", 5.0), (" 0.5 / s ", 0.5), ("3600/h", 1.0), ("0/s", 0.0)] {
            assert_eq!(rate(text), Ok(expected), "{text}");
        }
        for text in ["50", "/s", "-1/s", "nan/s", "inf/s", "50/day", "100001/s", ""] {
            assert!(rate(text).expect_err(text).contains("50/s"), "{text}");
        }
    }

    #[test]
    fn times_are_read() {
        for (text, ms) in [("60s", 60_000), ("500ms", 500), ("2min", 120_000), ("1.5s", 1_500), ("1h", 3_600_000), ("0s", 0)] {
            assert_eq!(time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["60", "s", "-1s", "25h", "1 day", "ems", ""] {
            assert!(time(text).expect_err(text).contains("60s"), "{text}");
        }
        let ms = Duration::from_millis;
        assert_eq!(span("1s-5s"), Ok((ms(1_000), ms(5_000))));
        assert_eq!(span("20ms"), Ok((ms(20), ms(20))));
        assert!(span("5s-1s").expect_err("turned round").contains("the other way round"));
    }
}
