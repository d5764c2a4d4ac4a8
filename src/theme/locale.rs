//! Locale: how each language writes amounts and days.
//!
//! Source  CLDR: decimal and group signs, place of the currency sign, order of a date. A language that is not here is written as English.
//!         tests/it/locales.rs holds amounts and numbers against another implementation of it.

use jiff::civil::Date;

use crate::commerce::money::Money;

#[derive(Clone, Copy)]
struct Locale {
    decimal: char,
    group: char,
    // Digits from which on groups are made: Spanish and Polish write 1000 and 10 000.
    group_from: usize,
    // Digits of all groups but the last one.
    group_size: usize,
    sign: Sign,
}

// Where the currency sign stands.
#[derive(Clone, Copy)]
enum Sign {
    First,
    // Behind a gap that does not break.
    FirstApart,
    Last,
}

const NARROW: char = '\u{202f}';
const HARD: char = '\u{a0}';

// How amounts are written.
fn locale(language: &str) -> Locale {
    use Sign::{First, FirstApart, Last};
    let (base, region) = parts(language);
    let (decimal, group, group_from, sign) = match (base, region) {
        ("de", "CH" | "LI") => ('.', '’', 4, FirstApart),
        ("de", "AT") => (',', '.', 4, FirstApart),
        ("es", "MX" | "US" | "PR" | "GT" | "HN" | "SV" | "NI" | "PA" | "DO" | "CU" | "BZ" | "419") => ('.', ',', 4, First),
        ("es", "PE") => ('.', ',', 4, FirstApart),
        ("es", "AR" | "CO" | "UY" | "PY") => (',', '.', 4, FirstApart),
        ("es", "CL" | "BO" | "EC" | "VE") => (',', '.', 4, First),
        ("es", "CR") => (',', HARD, 4, First),
        ("fr", "CA") => (',', HARD, 4, Last),
        ("fr", "CH") => ('.', NARROW, 4, Last),
        ("fr", "LU") => (',', '.', 4, Last),
        ("fr", _) => (',', NARROW, 4, Last),
        ("it", "CH") => ('.', '’', 5, FirstApart),
        ("pt", "" | "BR") => (',', '.', 4, FirstApart),
        ("pt", _) => (',', HARD, 5, Last),
        ("nl", _) => (',', '.', 4, FirstApart),
        ("id" | "tr", _) => (',', '.', 4, First),
        ("de" | "da" | "el" | "ro" | "hr" | "sr" | "bs" | "is" | "ca" | "eu" | "gl" | "vi", _) => (',', '.', 4, Last),
        ("es" | "it" | "sl", _) => (',', '.', 5, Last),
        ("pl" | "hu" | "bg" | "et" | "lv", _) => (',', HARD, 5, Last),
        ("sv" | "fi" | "nb" | "nn" | "no" | "cs" | "sk" | "uk" | "ru" | "lt", _) => (',', HARD, 4, Last),
        ("ar" | "he", _) => ('.', ',', 4, Last),
        _ => ('.', ',', 4, First),
    };
    let group_size = if base == "hi" || region == "IN" { 2 } else { 3 };
    Locale { decimal, group, group_from, group_size, sign }
}

// How all other numbers are written: three countries have signs of their own for amounts.
fn number_locale(language: &str) -> Locale {
    let amounts = locale(language);
    match parts(language) {
        ("de", "AT") => Locale { group: HARD, ..amounts },
        ("fr", "CH") => Locale { decimal: ',', ..amounts },
        _ => amounts,
    }
}

// Language and region of a tag; no region: empty.
fn parts(language: &str) -> (&str, &str) {
    let mut parts = language.split(['-', '_']);
    (parts.next().unwrap_or(""), parts.next_back().unwrap_or(""))
}

/// Open Graph names a language together with a country: that of its tag, else the first in which the market sells.
pub fn open_graph(language: &str, country: Option<&String>) -> String {
    let (base, rest) = language.split_once('-').unwrap_or((language, ""));
    let region = rest.split('-').find(|part| part.len() == 2).or(country.map(String::as_str));
    region.map_or_else(|| base.to_owned(), |region| format!("{base}_{region}"))
}

/// What speakers call their language; its tag where it is not here.
pub fn own_name(language: &str) -> &str {
    match language.split(['-', '_']).next().unwrap_or("") {
        "ar" => "العربية",
        "bg" => "Български",
        "ca" => "Català",
        "cs" => "Čeština",
        "da" => "Dansk",
        "de" => "Deutsch",
        "el" => "Ελληνικά",
        "en" => "English",
        "es" => "Español",
        "et" => "Eesti",
        "eu" => "Euskara",
        "fa" => "فارسی",
        "fi" => "Suomi",
        "fr" => "Français",
        "ga" => "Gaeilge",
        "gl" => "Galego",
        "he" => "עברית",
        "hi" => "हिन्दी",
        "hr" => "Hrvatski",
        "hu" => "Magyar",
        "id" => "Indonesia",
        "is" => "Íslenska",
        "it" => "Italiano",
        "ja" => "日本語",
        "ko" => "한국어",
        "lt" => "Lietuvių",
        "lv" => "Latviešu",
        "mt" => "Malti",
        "nb" | "no" => "Norsk",
        "nl" => "Nederlands",
        "pl" => "Polski",
        "pt" => "Português",
        "ro" => "Română",
        "ru" => "Русский",
        "sk" => "Slovenčina",
        "sl" => "Slovenščina",
        "sr" => "Српски",
        "sv" => "Svenska",
        "th" => "ไทย",
        "tr" => "Türkçe",
        "uk" => "Українська",
        "vi" => "Tiếng Việt",
        "zh" => "中文",
        _ => language,
    }
}

/// Which way a language is written, as HTML's `dir` says it.
pub fn direction(language: &str) -> &'static str {
    let mut parts = language.split(['-', '_']);
    let base = parts.next().unwrap_or("");
    let script = parts.next().filter(|part| part.len() == 4);
    match (base, script) {
        (_, Some("Arab" | "Hebr" | "Syrc" | "Thaa" | "Nkoo" | "Adlm")) => "rtl",
        (_, Some(_)) => "ltr",
        ("ar" | "he" | "fa" | "ur" | "ps" | "sd" | "ug" | "yi" | "ckb" | "dv" | "syr" | "nqo", None) => "rtl",
        _ => "ltr",
    }
}

/// An amount as a language writes it: `€1,299.00`, `1.299,00 €`, `¥1,200`.
pub fn money(amount: Money, language: &str) -> String {
    let locale = locale(language);
    let exponent = amount.currency.exponent() as usize;
    let mut number = [b'0'; 24];
    let mut start = number.len();
    let mut rest = amount.minor.unsigned_abs();
    // At least one digit stands before the decimal sign.
    while rest > 0 || number.len() - start <= exponent {
        start -= 1;
        number[start] += (rest % 10) as u8;
        rest /= 10;
    }
    let (whole, decimals) = number[start..].split_at(number.len() - start - exponent);
    let mut text = String::with_capacity(2 * number.len());
    if amount.minor < 0 {
        // Beside digits alone, a line that runs to the left would put it behind them.
        if direction(language) == "rtl" {
            text.push('\u{200e}');
        }
        text.push('−');
    }
    let sign = match (parts(language), amount.currency.code()) {
        // Beside francs, euros are named like them.
        (("de", "CH" | "LI"), "EUR") => "EUR",
        _ => amount.currency.symbol(),
    };
    if !matches!(locale.sign, Sign::Last) {
        text.push_str(sign);
        // A sign of letters is never glued to its digits: CHF 12.90.
        if matches!(locale.sign, Sign::FirstApart) || sign.ends_with(is_letter) {
            text.push(HARD);
        }
    }
    push_grouped(&mut text, whole, &locale);
    if exponent > 0 {
        text.push(locale.decimal);
        text.extend(decimals.iter().map(|digit| char::from(*digit)));
    }
    if matches!(locale.sign, Sign::Last) {
        text.push(HARD);
        text.push_str(sign);
    }
    text
}

// The block of currency signs holds no letter, and asking for each of them is dear: there is one in most prices.
fn is_letter(sign: char) -> bool {
    !matches!(sign, '\u{20a0}'..='\u{20cf}') && sign.is_alphabetic()
}

/// A count as a language writes it: `1,200`, `1.200`.
pub fn count(count: u64, language: &str) -> String {
    let mut text = String::with_capacity(24);
    push_grouped(&mut text, count.to_string().as_bytes(), &number_locale(language));
    text
}

/// A number with decimals, as programs write it, in a language's way: `5.5`, `5,5`.
pub fn decimal(number: &str, language: &str) -> String {
    number.replace('.', number_locale(language).decimal.encode_utf8(&mut [0; 4]))
}

fn push_grouped(text: &mut String, digits: &[u8], locale: &Locale) {
    for (digit, left) in digits.iter().zip((1..=digits.len()).rev()) {
        let ends_group = left == 3 || (left > 3 && (left - 3).is_multiple_of(locale.group_size));
        if left < digits.len() && ends_group && digits.len() >= locale.group_from {
            text.push(locale.group);
        }
        text.push(char::from(*digit));
    }
}

/// A day as a language writes it: `24 December 2026`, `24. Dezember 2026`.
pub fn date(day: Date, language: &str) -> String {
    let month = usize::from(day.month().unsigned_abs()) - 1;
    let (number, year) = (day.day(), day.year());
    match language.split(['-', '_']).next().unwrap_or("") {
        "de" => format!("{number}. {} {year}", GERMAN[month]),
        "fr" => format!("{number} {} {year}", FRENCH[month]),
        "es" => format!("{number} de {} de {year}", SPANISH[month]),
        _ if language.ends_with("US") => format!("{} {number}, {year}", ENGLISH[month]),
        "en" => format!("{number} {} {year}", ENGLISH[month]),
        // ISO 8601 is understood everywhere.
        _ => day.to_string(),
    }
}

const ENGLISH: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const GERMAN: [&str; 12] =
    ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"];
const FRENCH: [&str; 12] =
    ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"];
const SPANISH: [&str; 12] =
    ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::money::Currency;

    fn check(minor: i64, currency: &str, language: &str, expected: &str) {
        let currency = Currency::from_code(currency).expect("a currency");
        assert_eq!(money(Money::new(minor, currency), language), expected);
    }

    #[test]
    fn amounts_read_as_their_language_writes_them() {
        check(1290, "EUR", "en", "€12.90");
        check(129_900, "EUR", "en", "€1,299.00");
        check(129_900, "EUR", "de", "1.299,00\u{a0}€");
        check(129_900, "EUR", "fr", "1\u{202f}299,00\u{a0}€");
        check(129_900, "EUR", "es", "1299,00\u{a0}€");
        check(129_900, "EUR", "fr-BE", "1\u{202f}299,00\u{a0}€");
        check(129_900, "CHF", "fr-CH", "1\u{202f}299.00\u{a0}CHF");
        check(129_900, "CAD", "fr-CA", "1\u{a0}299,00\u{a0}$");
        check(1_290_000, "EUR", "es-ES", "12.900,00\u{a0}€");
        check(123_456, "MXN", "es-MX", "$1,234.56");
        check(123_456, "USD", "es-419", "$1,234.56");
        check(123_456, "PEN", "es-PE", "S/\u{a0}1,234.56");
        check(123_456, "ARS", "es-AR", "$\u{a0}1.234,56");
        check(123_456, "CLP", "es-CL", "$123.456");
        check(123_456, "CRC", "es-CR", "₡1\u{a0}234,56");
        check(129_900, "EUR", "de-AT", "€\u{a0}1.299,00");
        check(129_900, "CHF", "de-CH", "CHF\u{a0}1’299.00");
        check(1290, "EUR", "nl", "€\u{a0}12,90");
        check(110_000, "JPY", "en", "¥110,000");
        check(-500, "EUR", "en", "−€5.00");
        check(-129_900, "EUR", "ar", "\u{200e}−1,299.00\u{a0}€");
        check(1290, "RON", "ro", "12,90\u{a0}RON");
        check(5, "EUR", "en", "€0.05");
        check(123_456_789, "EUR", "xx", "€1,234,567.89");
    }

    #[test]
    fn decimals_read_as_their_language_writes_them() {
        for (language, expected) in [("en", "5.5"), ("de", "5,5"), ("fr", "5,5"), ("es", "5,5"), ("es-MX", "5.5")] {
            assert_eq!(decimal("5.5", language), expected, "{language}");
        }
        assert_eq!(decimal("19", "de"), "19");
    }

    #[test]
    fn days_read_as_their_language_writes_them() {
        let day: Date = "2026-12-04".parse().expect("a date");
        assert_eq!(date(day, "en"), "4 December 2026");
        assert_eq!(date(day, "en-US"), "December 4, 2026");
        assert_eq!(date(day, "de"), "4. Dezember 2026");
        assert_eq!(date(day, "fr-CA"), "4 décembre 2026");
        assert_eq!(date(day, "es-MX"), "4 de diciembre de 2026");
        assert_eq!(date(day, "xx"), "2026-12-04");
    }
}
