//! Locales: how amounts and numbers are written, held against another implementation of CLDR.

use serde_json::Value;
use vitrine::commerce::money::{Currency, Money};
use vitrine::theme::locale;

/// Written by intl.mjs beside it.
const JUDGE: &str = include_str!("theme/intl.json");

// Marks of direction are left to the page; the apostrophe of Swiss numbers is the one that CLDR had for twenty years.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| !matches!(letter, '\u{200e}' | '\u{200f}' | '\u{61c}')).collect::<String>().replace('\'', "’")
}

#[test]
fn amounts_and_numbers_are_written_as_cldr_says() {
    let judge: Value = serde_json::from_str(JUDGE).expect("JSON");
    let amounts: Vec<(String, i64)> = serde_json::from_value(judge["amounts"].clone()).expect("currencies and amounts");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (language, said) in judge["languages"].as_object().expect("languages") {
        let mut hold = |ours: String, theirs: &Value| {
            let theirs = plain(theirs.as_str().expect("a text"));
            seen += 1;
            if plain(&ours) != theirs {
                wrong.push(format!("{language}: {ours:?} is written {theirs:?}"));
            }
        };
        for ((code, minor), theirs) in amounts.iter().zip(said["money"].as_array().expect("amounts")) {
            let currency = Currency::from_code(code).expect("a currency");
            hold(locale::money(Money::new(*minor, currency), language), theirs);
        }
        for (count, theirs) in [1234, 1_234_567].into_iter().zip(said["counts"].as_array().expect("counts")) {
            hold(locale::count(count, language), theirs);
        }
        hold(locale::decimal("5.5", language), &said["decimal"]);
    }
    assert_eq!(wrong, [""; 0], "of {seen}");
    assert!(seen > 450, "{seen}");
}
