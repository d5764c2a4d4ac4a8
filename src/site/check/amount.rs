//! Amount: reads prices back out of text, as a shopper or a program would.
//!
//! Knows   nothing of how amounts are printed (`theme::locale`): it takes any way of writing them that people use.
//! Source  CLDR number patterns: groups of three, parted by `.`, `,`, `’`, `'` or a narrow space; the last of `.` and `,` is the decimal
//!         sign where it does not part a group.

use crate::commerce::money::Currency;

/// More digits are a serial number, not a price.
const MAX_DIGITS: usize = 15;

/// How a currency is recognised in text.
#[derive(Clone, Debug)]
pub(super) struct CurrencySigns {
    symbol: String,
    code: String,
    exponent: usize,
}

impl CurrencySigns {
    pub(super) fn of(currency: Currency) -> Self {
        Self { symbol: currency.symbol().to_owned(), code: currency.code().to_owned(), exponent: currency.exponent() as usize }
    }

    /// Every amount of the currency in a text, in minor units: numbers that its sign or code stands beside.
    pub(super) fn amounts(&self, text: &str) -> Vec<i64> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(start) = text[from..].find(|sign: char| sign.is_ascii_digit()).map(|at| from + at) {
            let end = start + number_length(&text[start..]);
            if (self.ends(&text[..start]) || self.begins(&text[end..]))
                && let Some(minor) = minor(&text[start..end], self.exponent)
            {
                found.push(minor);
            }
            from = end;
        }
        found
    }

    // A sign between two numbers belongs to the nearer one: `3 €14.90`, `14,90 € 3`.
    fn ends(&self, before: &str) -> bool {
        let (before, gap) = without_space(before, |text| text.strip_suffix(is_space));
        [&self.symbol, &self.code].iter().filter_map(|sign| before.strip_suffix(sign.as_str())).any(|beyond| {
            let (beyond, other_gap) = without_space(beyond, |text| text.strip_suffix(is_space));
            !beyond.ends_with(|sign: char| sign.is_ascii_digit()) || gap <= other_gap
        })
    }

    fn begins(&self, after: &str) -> bool {
        let (after, gap) = without_space(after, |text| text.strip_prefix(is_space));
        [&self.symbol, &self.code].iter().filter_map(|sign| after.strip_prefix(sign.as_str())).any(|beyond| {
            let (beyond, other_gap) = without_space(beyond, |text| text.strip_prefix(is_space));
            !beyond.starts_with(|sign: char| sign.is_ascii_digit()) || gap <= other_gap
        })
    }

    /// A decimal number as programs write it (`14.90`, `14.9`, `15`), in minor units.
    pub(super) fn decimal(&self, text: &str) -> Option<i64> {
        let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        digits(whole, decimals, self.exponent)
    }

    /// Minor units as an error names them: `14.90 EUR`.
    pub(super) fn named(&self, minor: i64) -> String {
        let scale = 10_i64.pow(u32::try_from(self.exponent).unwrap_or(0));
        let (whole, part) = (minor / scale, minor % scale);
        if self.exponent == 0 {
            format!("{whole} {}", self.code)
        } else {
            format!("{whole}.{part:0width$} {}", self.code, width = self.exponent)
        }
    }
}

fn is_space(sign: char) -> bool {
    matches!(sign, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

// The text without a space at one end, and how many were there.
fn without_space<'a>(text: &'a str, strip: impl Fn(&'a str) -> Option<&'a str>) -> (&'a str, usize) {
    strip(text).map_or((text, 0), |rest| (rest, 1))
}

// Digits with what parts them: a dot or comma before a digit, anything thinner only before a whole group.
fn number_length(text: &str) -> usize {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        let run = rest.bytes().take_while(u8::is_ascii_digit).count();
        end += run;
        let mut after = text[end..].chars();
        let separator = after.next();
        let following = after.as_str().bytes().take_while(u8::is_ascii_digit).count();
        let goes_on = match separator {
            Some('.' | ',') => following > 0,
            Some('’' | '\'' | '\u{a0}' | '\u{202f}' | '\u{2009}') => following == 3,
            _ => false,
        };
        match separator {
            Some(separator) if goes_on => end += separator.len_utf8(),
            _ => return end,
        }
    }
}

fn minor(number: &str, exponent: usize) -> Option<i64> {
    let is_decimal = |tail: &str| tail.len() == exponent || (tail.len() < exponent && tail.len() != 3);
    let (whole, decimals) = match number.rsplit_once(['.', ',']) {
        Some((whole, tail)) if exponent > 0 && tail.bytes().all(|byte| byte.is_ascii_digit()) && is_decimal(tail) => {
            (whole, tail)
        }
        _ => (number, ""),
    };
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    digits(&whole, decimals, exponent)
}

// Decimals beyond the currency's own have to be zeros.
fn digits(whole: &str, decimals: &str, exponent: usize) -> Option<i64> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (kept, beyond) = decimals.split_at_checked(exponent).unwrap_or((decimals, ""));
    if whole.is_empty() || !is_number(whole) || !is_number(decimals) || beyond.bytes().any(|byte| byte != b'0') {
        return None;
    }
    if whole.len() + exponent > MAX_DIGITS {
        return None;
    }
    format!("{whole}{kept:0<exponent$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::money::Money;
    use crate::theme::locale;

    #[track_caller]
    fn check(code: &str, text: &str, expected: &[i64]) {
        let signs = CurrencySigns::of(Currency::from_code(code).expect("a currency"));
        assert_eq!(signs.amounts(text), expected, "{text}");
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        check("EUR", "Now €14.90 instead of €1,299.00", &[1490, 129_900]);
        check("EUR", "1.299,00\u{a0}€ statt 2 345,00", &[129_900]);
        check("EUR", "1\u{202f}299,00\u{a0}€", &[129_900]);
        check("EUR", "1’299.00 EUR, EUR 15, €1.299", &[129_900, 1500, 129_900]);
        check("EUR", "size 42, 3 pieces, 10 % off", &[]);
        check("CHF", "CHF\u{a0}12.90", &[1290]);
        check("JPY", "¥12,000", &[12_000]);
        check("KWD", "KWD 1,234.500", &[1_234_500]);
        check("EUR", "from €12.9, then €12.", &[1290, 1200]);
        check("EUR", "€99999999999999999999.00", &[]);
        check("EUR", "Size 3 €14.90", &[1490]);
        check("EUR", "for 2: 14,90 €, 3 left", &[1490]);
    }

    #[test]
    fn every_amount_that_the_theme_prints_is_read_back() {
        for code in ["EUR", "USD", "CHF", "JPY", "KWD", "PLN", "SEK", "GBP"] {
            let currency = Currency::from_code(code).expect("a currency");
            for language in ["en", "en-US", "de", "de-CH", "de-AT", "fr", "es", "pl", "sv", "nl", "it", "ja"] {
                for minor in [0, 5, 99, 100, 1490, 99_999, 100_000, 123_456, 1_234_567, 123_456_789] {
                    let printed = locale::money(Money::new(minor, currency), language);
                    let text = format!("7 pieces\n{printed}\n3 left");
                    assert_eq!(CurrencySigns::of(currency).amounts(&text), [minor], "{printed} in {language}");
                }
            }
        }
    }

    #[test]
    fn decimals_of_programs_are_read_and_named_again() {
        let euro = CurrencySigns::of(Currency::from_code("EUR").expect("a currency"));
        for (text, expected) in [("14.90", Some(1490)), ("14.9", Some(1490)), ("15", Some(1500)), ("14.900", Some(1490))] {
            assert_eq!(euro.decimal(text), expected, "{text}");
        }
        for text in ["14.901", "14,90", "-1.00", "", "1e3", "1.2.3"] {
            assert_eq!(euro.decimal(text), None, "{text}");
        }
        assert_eq!((euro.named(1405), euro.named(5)), ("14.05 EUR".to_owned(), "0.05 EUR".to_owned()));
        assert_eq!(CurrencySigns::of(Currency::from_code("JPY").expect("a currency")).named(120), "120 JPY");
    }
}
