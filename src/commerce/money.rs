//! Money: an exact amount in one currency.
//!
//! Owns    `Currency`, `Money`, `Percent`, parsing of decimal text, rounding by name and exact splitting.
//! Limits  one amount is at most `MAX_MINOR`; sums of a full cart then stay far inside an `i64`.
//! Always  integers in the currency's ISO 4217 minor unit; never a float.
//! Source  ISO 4217 exponents by the `iso_currency` tables.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use iso_currency::IntoEnumIterator;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Largest single price or fee, in minor units: a full cart of them (100 lines × 9,999 units) stays inside an `i64`.
pub const MAX_MINOR: i64 = 1_000_000_000_000;

/// An ISO 4217 currency with its number of decimals (JPY 0, EUR 2, KWD 3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

impl Currency {
    /// Finds a currency by its alphabetic code, upper case. Currencies without a minor unit rule (gold, test codes) are refused.
    pub fn from_code(code: &str) -> Option<Self> {
        known(code.as_bytes().try_into().ok()?).map(|(currency, _)| *currency)
    }

    /// The alphabetic code, such as `EUR`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).expect("codes come from the ASCII table of ISO 4217")
    }

    /// Digits after the decimal point.
    pub fn exponent(&self) -> u32 {
        u32::from(self.exponent)
    }

    /// The sign people know, such as `€`; the code where there is none.
    pub fn symbol(&self) -> &'static str {
        known(self.code).map_or("", |(_, symbol)| symbol)
    }
}

// Every price that is read or printed names its currency, and the table's own look-up compares texts one after the other.
fn known(code: [u8; 3]) -> Option<&'static (Currency, String)> {
    static KNOWN: LazyLock<Vec<(Currency, String)>> = LazyLock::new(|| {
        let of = |known: iso_currency::Currency| {
            let code = known.code().as_bytes().try_into().ok()?;
            // The table knows no sign, or one that nobody writes: Swiss prices read CHF 12.90, Romanian ones 12,90 RON.
            let symbol = match known.symbol().symbol {
                symbol if matches!(&*symbol, "¤" | "₣") || known.code() == "RON" => known.code().to_owned(),
                symbol => symbol,
            };
            Some((Currency { code, exponent: u8::try_from(known.exponent()?).ok()? }, symbol))
        };
        let mut all: Vec<_> = iso_currency::Currency::iter().filter_map(of).collect();
        all.sort_unstable();
        all
    });
    // As numbers: three bytes are compared by a call.
    let number = |[first, second, third]: [u8; 3]| u32::from_be_bytes([0, first, second, third]);
    let place = KNOWN.binary_search_by_key(&number(code), |(currency, _)| number(currency.code)).ok()?;
    KNOWN.get(place)
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Self, MoneyError> {
        Self::from_code(code).ok_or_else(|| MoneyError::UnknownCurrency { code: code.to_owned() })
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Code;
        impl Visitor<'_> for Code {
            type Value = Currency;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency's code")
            }
            fn visit_str<E: serde::de::Error>(self, code: &str) -> Result<Currency, E> {
                code.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Code)
    }
}

/// What is wrong with a written amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a code of ISO 4217 with a minor unit.
    #[error("`{code}` is not a currency of ISO 4217; write a code such as EUR, USD or JPY")]
    UnknownCurrency {
        /// The text as it stood.
        code: String,
    },
    /// Not digits with at most one decimal point.
    #[error("`{text}` is not an amount; write digits with a point, such as 12.90")]
    NotANumber {
        /// The text as it stood.
        text: String,
    },
    /// More decimals than the currency has, and they are not zeros.
    #[error("`{text}` has more decimals than {currency} ({exponent}); write it with at most {exponent}")]
    TooManyDecimals {
        /// The text as it stood.
        text: String,
        /// The currency it was read in.
        currency: Currency,
        /// That currency's decimals.
        exponent: u32,
    },
    /// Below zero where that makes no sense.
    #[error("`{text}` is negative; a price is zero or more")]
    Negative {
        /// The text as it stood.
        text: String,
    },
    /// Above `MAX_MINOR`.
    #[error("`{text}` is larger than any price this shop can hold")]
    TooLarge {
        /// The text as it stood.
        text: String,
    },
    /// Not a number from 0 to 100 with at most four decimals.
    #[error("`{text}` is not a percentage; write a number from 0 to 100 such as 19 or 5.5")]
    NotAPercentage {
        /// The text as it stood.
        text: String,
    },
    /// Nothing to split over: no weights, or all of them zero while the total is not.
    #[error("there is nothing to split the amount over")]
    NoWeights,
}

/// How an exact amount becomes whole minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// 0.5 goes away from zero: what most tax offices expect.
    #[default]
    HalfUp,
    /// 0.5 goes to the even neighbour (banker's rounding).
    HalfEven,
    /// Always towards zero.
    Down,
    /// Always away from zero.
    Up,
}

impl Rounding {
    /// The whole number that stands for `numerator / denominator`, a fraction in minor units. The denominator is above zero.
    pub fn divide(self, numerator: i128, denominator: i128) -> i64 {
        assert!(denominator > 0, "a fraction of money has a denominator above zero");
        let towards_zero = numerator / denominator;
        let rest = (numerator % denominator).abs();
        let away = match self {
            Self::Down => false,
            Self::Up => rest > 0,
            Self::HalfUp => rest * 2 >= denominator,
            Self::HalfEven => rest * 2 > denominator || (rest * 2 == denominator && towards_zero % 2 != 0),
        };
        let whole = if away { towards_zero + numerator.signum() } else { towards_zero };
        i64::try_from(whole).expect("amounts are limited far below an i64")
    }
}

/// A share between 0 and 100 percent, exact to four decimals: tax rates and discounts. Written as text: `19`, `5.5`, `8.875`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent {
    millionths: u32,
}

impl Percent {
    /// Nothing of it.
    pub const ZERO: Self = Self { millionths: 0 };
    /// All of it.
    pub const WHOLE: Self = Self { millionths: 1_000_000 };

    /// How many millionths of the whole it is: 19 % is 190,000.
    pub fn millionths(self) -> u32 {
        self.millionths
    }
}

impl FromStr for Percent {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let wrong = || MoneyError::NotAPercentage { text: text.trim().to_owned() };
        let (whole, decimals) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let decimals_kept = decimals.trim_end_matches('0');
        if !is_number(whole) || !is_number(decimals) || whole.len() > 3 || decimals_kept.len() > 4 {
            return Err(wrong());
        }
        let millionths: u32 = format!("{whole}{decimals_kept:0<4}").parse().map_err(|_| wrong())?;
        if millionths > Self::WHOLE.millionths { Err(wrong()) } else { Ok(Self { millionths }) }
    }
}

impl fmt::Display for Percent {
    /// Without trailing zeros and without the sign `%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:04}", self.millionths % 10_000);
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}", self.millionths / 10_000),
            kept => write!(f, "{}.{kept}", self.millionths / 10_000),
        }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in minor units of its currency. On the wire: `{"amount": 1990, "currency": "EUR"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units (cents for EUR, yen for JPY).
    #[serde(rename = "amount")]
    pub minor: i64,
    /// The currency they are units of.
    pub currency: Currency,
}

impl Money {
    /// An amount of `minor` units.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in that currency.
    pub fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Reads decimal text such as `12.90`, `30` or `40.000` (zeros beyond the exponent are harmless).
    ///
    /// Errors: not a number, negative, too many decimals, above `MAX_MINOR`. No sign, grouping or currency mark is understood.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let trimmed = text.trim();
        let owned = || trimmed.to_owned();
        if trimmed.starts_with('-') {
            return Err(MoneyError::Negative { text: owned() });
        }
        let (whole, decimals) = trimmed.split_once('.').unwrap_or((trimmed, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let dangling = trimmed.contains('.') && decimals.is_empty();
        if whole.is_empty() || dangling || !digits(whole) || !digits(decimals) {
            return Err(MoneyError::NotANumber { text: owned() });
        }
        let exponent = currency.exponent();
        let kept_len = decimals.trim_end_matches('0').len();
        if kept_len > exponent as usize {
            return Err(MoneyError::TooManyDecimals { text: owned(), currency, exponent });
        }
        let mut minor: i64 = 0;
        let padding = std::iter::repeat(b'0');
        for digit in whole.bytes().chain(decimals.bytes().take(exponent as usize).chain(padding).take(exponent as usize)) {
            minor = minor * 10 + i64::from(digit - b'0');
            if minor > MAX_MINOR {
                return Err(MoneyError::TooLarge { text: owned() });
            }
        }
        Ok(Self::new(minor, currency))
    }

    /// The amount as plain decimal text with the currency's full number of decimals: `12.90`, `1200`, `0.005`.
    pub fn to_decimal_string(&self) -> String {
        let exponent = self.currency.exponent() as usize;
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, decimals) = digits.split_at(digits.len() - exponent);
        if exponent == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
    }

    /// Splits the amount over `weights`; the parts add up to it to the last minor unit.
    ///
    /// Shape: one part per weight, same order. Rounding: largest remainder, ties to the earlier weight. A part never exceeds its
    /// weight when the amount does not exceed the sum of the weights (so a discount never makes a line negative).
    /// Errors: `NoWeights` where weights are missing or all zero and the amount is not.
    pub fn split(&self, weights: &[i64]) -> Result<Vec<Money>, MoneyError> {
        if self.minor != 0 && weights.iter().all(|weight| *weight == 0) {
            return Err(MoneyError::NoWeights);
        }
        let parts = Self::split_minor(self.minor, weights);
        Ok(parts.into_iter().map(|minor| Money::new(minor, self.currency)).collect())
    }

    /// `split` on bare minor units. Panics where there is nothing to split over: callers split amounts made out of the weights.
    pub(crate) fn split_minor(amount_minor: i64, weights: &[i64]) -> Vec<i64> {
        assert!(weights.iter().all(|weight| *weight >= 0), "weights are not negative");
        let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        assert!(sum > 0 || amount_minor == 0, "an amount is split over something");
        if amount_minor == 0 {
            return vec![0; weights.len()];
        }
        let share = |weight: &i64| i128::from(amount_minor) * i128::from(*weight);
        let mut parts: Vec<i128> = weights.iter().map(|weight| share(weight).div_euclid(sum)).collect();
        let missing = i128::from(amount_minor) - parts.iter().sum::<i128>();
        let missing = usize::try_from(missing).expect("fewer units are missing than there are parts");
        if missing > 0 {
            // Each remainder once: a full cart is split for every set of promotions that is weighed.
            let remainders: Vec<i128> = weights.iter().zip(&parts).map(|(weight, part)| share(weight) - part * sum).collect();
            let mut largest: Vec<usize> = (0..weights.len()).collect();
            largest.select_nth_unstable_by_key(missing - 1, |index| (std::cmp::Reverse(remainders[*index]), *index));
            largest[..missing].iter().for_each(|index| parts[*index] += 1);
        }
        parts.into_iter().map(|minor| i64::try_from(minor).expect("a part is not larger than the whole")).collect()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal_string(), self.currency)
    }
}

impl std::ops::Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        assert!(self.currency == other.currency, "two currencies are never added");
        Money::new(self.minor.checked_add(other.minor).expect("limits keep sums inside an i64"), self.currency)
    }
}

impl std::ops::Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        assert!(self.currency == other.currency, "two currencies are never subtracted");
        Money::new(self.minor.checked_sub(other.minor).expect("limits keep differences inside an i64"), self.currency)
    }
}

impl std::ops::Mul<u32> for Money {
    type Output = Money;
    fn mul(self, quantity: u32) -> Money {
        Money::new(self.minor.checked_mul(i64::from(quantity)).expect("limits keep products inside an i64"), self.currency)
    }
}

#[cfg(test)]
mod tests;
