//! Amounts: Stripe's minor units, which are not everywhere those of ISO 4217.
//!
//! Source  Stripe's list of currencies: zero-decimal ones; three-decimal ones whose last digit is 0; ISK and UGX, which have no decimals
//!         but are written with two; the least that is charged.

use crate::commerce::money::{Currency, Money};

const ZERO_DECIMAL: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
const THREE_DECIMAL: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
/// Written with two decimals that are always 00.
const WRITTEN_WITH_TWO: [&str; 2] = ["ISK", "UGX"];
/// Currencies of three decimals that it does not take.
const NOT_TAKEN: [&str; 2] = ["IQD", "LYD"];

/// The least that is charged, in Stripe's units.
const LEAST: [(&str, i64); 26] = [
    ("AED", 200),
    ("AUD", 50),
    ("BGN", 100),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("CZK", 1500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17500),
    ("INR", 50),
    ("JPY", 50),
    ("MXN", 1000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1000),
    ("USD", 50),
    ("KRW", 100),
    ("CLP", 500),
];

/// Decimals of Stripe's amounts; `None`: a currency it does not take.
pub(super) fn exponent(currency: Currency) -> Option<u32> {
    let code = currency.code();
    match code {
        _ if NOT_TAKEN.contains(&code) => None,
        _ if ZERO_DECIMAL.contains(&code) => Some(0),
        _ if THREE_DECIMAL.contains(&code) => Some(3),
        _ if WRITTEN_WITH_TWO.contains(&code) || currency.exponent() == 2 => Some(2),
        // A currency that counts in another way than all that are known: better not taken than ten times too much.
        _ => None,
    }
}

/// What an amount has to be a multiple of, in the currency's ISO 4217 minor unit.
pub(super) fn step_minor(currency: Currency) -> i64 {
    match exponent(currency) {
        Some(3) => 10,
        Some(wire) if wire < currency.exponent() => 10_i64.pow(currency.exponent() - wire),
        _ => 1,
    }
}

/// The least that is charged, in the currency's ISO 4217 minor unit.
pub(super) fn min_amount_minor(currency: Currency) -> i64 {
    let known = LEAST.iter().find(|(code, _)| *code == currency.code());
    known.and_then(|(_, wire)| from_wire(*wire, currency)).map_or(1, |money| money.minor)
}

/// An amount as it is sent; `None` where Stripe cannot charge it.
pub(super) fn to_wire(amount: Money) -> Option<i64> {
    let (ours, theirs) = (amount.currency.exponent(), exponent(amount.currency)?);
    if amount.minor <= 0 || amount.minor % step_minor(amount.currency) != 0 {
        return None;
    }
    if theirs >= ours {
        amount.minor.checked_mul(10_i64.checked_pow(theirs - ours)?)
    } else {
        Some(amount.minor / 10_i64.pow(ours - theirs))
    }
}

/// An amount as it was received; `None` where it has digits the currency has not.
pub(super) fn from_wire(units: i64, currency: Currency) -> Option<Money> {
    let (ours, theirs) = (currency.exponent(), exponent(currency)?);
    let minor = if theirs > ours {
        let step = 10_i64.checked_pow(theirs - ours)?;
        if units % step != 0 {
            return None;
        }
        units / step
    } else {
        units.checked_mul(10_i64.checked_pow(ours - theirs)?)?
    };
    Some(Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(written: &str, code: &str, wire: Option<i64>) {
        let currency = Currency::from_code(code).expect("a currency");
        let amount = Money::parse(written, currency).expect("an amount");
        assert_eq!(to_wire(amount), wire, "{written} {code}");
        if let Some(wire) = wire {
            assert_eq!(from_wire(wire, currency), Some(amount), "{written} {code}");
        }
    }

    #[test]
    fn amounts_are_written_as_stripe_counts() {
        check("19.90", "EUR", Some(1990));
        check("500", "JPY", Some(500));
        check("12000", "KRW", Some(12000));
        check("5.120", "KWD", Some(5120));
        check("5.124", "KWD", None);
        check("1500", "ISK", Some(150_000));
        check("3700", "UGX", Some(370_000));
        check("4000.00", "MGA", Some(4000));
        check("4000.40", "MGA", None);
        check("175.00", "HUF", Some(17500));
        check("1.000", "IQD", None);
        check("0", "EUR", None);
    }

    #[test]
    fn digits_a_currency_has_not_are_no_amount() {
        let krona = Currency::from_code("ISK").expect("a currency");
        assert_eq!(from_wire(150_050, krona), None);
        assert_eq!(from_wire(i64::MAX, Currency::from_code("MGA").expect("a currency")), None);
    }

    #[test]
    fn the_least_is_in_our_own_units() {
        let least = |code: &str| min_amount_minor(Currency::from_code(code).expect("a currency"));
        assert_eq!((least("EUR"), least("JPY"), least("HUF"), least("KWD")), (50, 50, 17500, 1));
    }
}
