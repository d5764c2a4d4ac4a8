//! Money: written amounts, shares, rounding and splitting.

use proptest::prelude::*;

use super::*;

fn currency(code: &str) -> Currency {
    Currency::from_code(code).expect("a code of ISO 4217")
}

#[test]
fn currencies_have_the_decimals_of_iso_4217() {
    let table = [
        ("JPY", 0),
        ("KRW", 0),
        ("CLP", 0),
        ("ISK", 0),
        ("VND", 0),
        ("EUR", 2),
        ("USD", 2),
        ("GBP", 2),
        ("CHF", 2),
        ("PLN", 2),
        ("KWD", 3),
        ("BHD", 3),
        ("OMR", 3),
        ("TND", 3),
    ];
    for (code, exponent) in table {
        assert_eq!(currency(code).exponent(), exponent, "{code}");
    }
    for code in ["", "eur", "EURO", "XAU", "XXX", "ZZZ", "€"] {
        assert_eq!(Currency::from_code(code), None, "{code}");
    }
}

#[test]
fn currencies_have_the_sign_that_people_write() {
    for (code, sign) in [("EUR", "€"), ("USD", "$"), ("CHF", "CHF"), ("RON", "RON"), ("XPF", "XPF"), ("UZS", "UZS")] {
        assert_eq!(currency(code).symbol(), sign, "{code}");
    }
}

#[track_caller]
fn check(text: &str, code: &str, expected: i64) {
    let money = Money::parse(text, currency(code)).expect("it is an amount");
    assert_eq!(money.minor, expected, "{text} {code}");
}

#[test]
fn written_amounts_become_minor_units() {
    check("12.90", "EUR", 1290);
    check("30", "EUR", 3000);
    check(" 0.5 ", "EUR", 50);
    check("40.000", "EUR", 4000);
    check("007", "EUR", 700);
    check("110000", "JPY", 110_000);
    check("110000.00", "JPY", 110_000);
    check("1.005", "KWD", 1005);
    check("0", "KWD", 0);
    check("10000000000.00", "EUR", MAX_MINOR);
}

#[test]
fn what_is_not_an_amount_is_refused() {
    let refused = |text: &str, code: &str| Money::parse(text, currency(code)).expect_err(text);
    for text in ["", ".", ".5", "5.", "1,90", "1 000", "1e3", "+1", "1.2.3", "٣", "€5", "NaN", "0x10"] {
        assert!(matches!(refused(text, "EUR"), MoneyError::NotANumber { .. }), "{text}");
    }
    assert!(matches!(refused("-1", "EUR"), MoneyError::Negative { .. }));
    assert!(matches!(refused("0.001", "EUR"), MoneyError::TooManyDecimals { exponent: 2, .. }));
    assert!(matches!(refused("0.1", "JPY"), MoneyError::TooManyDecimals { exponent: 0, .. }));
    assert!(matches!(refused("10000000000.01", "EUR"), MoneyError::TooLarge { .. }));
    assert!(matches!(refused(&"9".repeat(10_000), "EUR"), MoneyError::TooLarge { .. }));
}

#[test]
fn amounts_are_written_with_all_their_decimals() {
    let text = |minor, code| Money::new(minor, currency(code)).to_string();
    assert_eq!(text(5, "EUR"), "0.05 EUR");
    assert_eq!(text(-1290, "EUR"), "-12.90 EUR");
    assert_eq!(text(1200, "JPY"), "1200 JPY");
    assert_eq!(text(5, "KWD"), "0.005 KWD");
    assert_eq!(text(i64::MIN, "EUR"), "-92233720368547758.08 EUR");
}

#[test]
fn money_travels_as_amount_and_currency() {
    let json = r#"{"amount":1990,"currency":"EUR"}"#;
    let money = Money::new(1990, currency("EUR"));
    assert_eq!(serde_json::to_string(&money).expect("it is plain data"), json);
    assert_eq!(serde_json::from_str::<Money>(json).expect("it is money"), money);
    assert!(serde_json::from_str::<Money>(r#"{"amount":1,"currency":"EURO"}"#).is_err());
}

#[test]
fn percentages_are_exact_to_four_decimals() {
    for (text, millionths, written) in [
        ("0", 0, "0"),
        ("19", 190_000, "19"),
        ("5.50", 55_000, "5.5"),
        ("8.875", 88_750, "8.875"),
        ("0.0001", 1, "0.0001"),
        ("19.00000", 190_000, "19"),
        (" 100 ", 1_000_000, "100"),
    ] {
        let percent: Percent = text.parse().expect(text);
        assert_eq!((percent.millionths(), percent.to_string().as_str()), (millionths, written));
    }
    for text in ["", ".", "5.", ".5", "-1", "100.0001", "101", "9999", "19%", "1e1", "0.00001"] {
        assert!(text.parse::<Percent>().is_err(), "{text}");
    }
}

#[test]
fn percentages_and_money_travel_without_field_names_too() {
    let percent: Percent = "5.5".parse().expect("a percentage");
    let there = postcard::to_stdvec(&(percent, Money::new(7, currency("JPY")))).expect("plain data");
    let back: (Percent, Money) = postcard::from_bytes(&there).expect("the same data");
    assert_eq!(back, (percent, Money::new(7, currency("JPY"))));
}

#[test]
fn each_rounding_knows_its_halves() {
    for (rounding, expected) in [
        (Rounding::HalfUp, [0, 1, 1, 2, 3, -1, -2]),
        (Rounding::HalfEven, [0, 0, 1, 2, 2, 0, -2]),
        (Rounding::Down, [0, 0, 0, 1, 2, 0, -1]),
        (Rounding::Up, [1, 1, 1, 2, 3, -1, -2]),
    ] {
        let rounded = [1, 2, 3, 6, 10, -2, -6].map(|quarters| rounding.divide(quarters, 4));
        assert_eq!(rounded, expected, "{rounding:?}");
    }
}

#[test]
fn a_split_favours_large_remainders_and_then_the_earlier() {
    let split = |minor, weights: &[i64]| {
        let parts = Money::new(minor, currency("EUR")).split(weights)?;
        Ok::<Vec<i64>, MoneyError>(parts.iter().map(|part| part.minor).collect())
    };
    assert_eq!(split(100, &[1, 1, 1]), Ok(vec![34, 33, 33]));
    assert_eq!(split(10, &[1, 5, 1]), Ok(vec![2, 7, 1]));
    assert_eq!(split(4, &[1, 2]), Ok(vec![1, 3]));
    assert_eq!(split(-1, &[1, 1]), Ok(vec![0, -1]));
    assert_eq!(split(0, &[0, 0]), Ok(vec![0, 0]));
    assert_eq!(split(0, &[]), Ok(vec![]));
    assert_eq!(split(1, &[0, 0]), Err(MoneyError::NoWeights));
    assert_eq!(split(i64::MAX, &[i64::MAX, i64::MAX]), Ok(vec![i64::MAX / 2 + 1, i64::MAX / 2]));
}

proptest! {
    #[test]
    fn split_keeps_total(minor in any::<i64>(), weights in prop::collection::vec(0..=i64::MAX, 1..20)) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let parts = Money::new(minor, currency("EUR")).split(&weights).expect("there are weights");
        prop_assert_eq!(parts.len(), weights.len());
        prop_assert_eq!(parts.iter().map(|part| i128::from(part.minor)).sum::<i128>(), i128::from(minor));
    }

    #[test]
    fn a_part_never_exceeds_its_weight(weights in prop::collection::vec(0..1000i64, 1..9), share in 0..=1000i64) {
        let sum: i64 = weights.iter().sum();
        let amount = sum * share / 1000;
        let parts = Money::new(amount, currency("EUR")).split(&weights);
        prop_assert!(parts.expect("nothing, or something to split over").iter().zip(&weights).all(|(part, weight)| (0..=*weight).contains(&part.minor)));
    }

    #[test]
    fn decimal_text_goes_round(minor in 0..=MAX_MINOR, code in prop::sample::select(vec!["JPY", "EUR", "KWD"])) {
        let money = Money::new(minor, currency(code));
        prop_assert_eq!(Money::parse(&money.to_decimal_string(), money.currency), Ok(money));
    }

    #[test]
    fn any_text_is_an_amount_or_an_error(text in ".*") {
        let _ = Money::parse(&text, currency("EUR"));
        let _ = text.parse::<Percent>();
    }

    #[test]
    fn percentages_go_round(millionths in 0..=1_000_000u32) {
        let percent = Percent { millionths };
        prop_assert_eq!(percent.to_string().parse(), Ok(percent));
    }

    #[test]
    fn roundings_differ_by_less_than_one(numerator in any::<i32>(), denominator in 1..=i32::MAX) {
        for rounding in [Rounding::HalfUp, Rounding::HalfEven, Rounding::Down, Rounding::Up] {
            let off = i128::from(rounding.divide(numerator.into(), denominator.into())) * i128::from(denominator) - i128::from(numerator);
            prop_assert!(off.abs() < i128::from(denominator));
        }
    }
}
