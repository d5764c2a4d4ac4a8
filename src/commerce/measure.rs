//! Measure: how much of something is in a variant, and what one measure of it costs.
//!
//! Owns    the units that content is written in, and the price per measure (Directive 98/6/EC, Article 3): per kilogram, litre, metre,
//!         square metre or piece, or per what the merchant names.
//! Always  whole thousandths of a unit; rounded once, half up, to the minor unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::money::{Money, Rounding};

/// A thousand tons: more is a slip of the pen, and far from what a reckoning overflows at.
const MAX_THOUSANDTHS: u64 = 1_000_000_000_000;
/// Decimals of an amount.
const DECIMALS: usize = 3;

/// What content is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milligram.
    Mg,
    /// Gram.
    G,
    /// Kilogram.
    Kg,
    /// Millilitre.
    Ml,
    /// Centilitre.
    Cl,
    /// Litre.
    L,
    /// Centimetre.
    Cm,
    /// Metre.
    M,
    /// Square metre.
    M2,
    /// Piece.
    Piece,
}

/// Every unit: its sign, the number of its kind's smallest ones that it has, the unit that prices are told by, its UN/CEFACT code, and
/// what product feeds call it.
const UNITS: [(Unit, &str, u64, Unit, &str, &str); 10] = [
    (Unit::Mg, "mg", 1, Unit::Kg, "MGM", "mg"),
    (Unit::G, "g", 1_000, Unit::Kg, "GRM", "g"),
    (Unit::Kg, "kg", 1_000_000, Unit::Kg, "KGM", "kg"),
    (Unit::Ml, "ml", 1, Unit::L, "MLT", "ml"),
    (Unit::Cl, "cl", 10, Unit::L, "CLT", "cl"),
    (Unit::L, "l", 1_000, Unit::L, "LTR", "l"),
    (Unit::Cm, "cm", 1, Unit::M, "CMT", "cm"),
    (Unit::M, "m", 100, Unit::M, "MTR", "m"),
    (Unit::M2, "m²", 1, Unit::M2, "MTK", "sqm"),
    (Unit::Piece, "piece", 1, Unit::Piece, "C62", "ct"),
];

impl Unit {
    fn row(self) -> &'static (Unit, &'static str, u64, Unit, &'static str, &'static str) {
        UNITS.iter().find(|row| row.0 == self).expect("every unit has a row")
    }

    /// As people write it.
    pub fn sign(self) -> &'static str {
        self.row().1
    }

    /// The code of UN/CEFACT Recommendation 20, which schema.org uses.
    pub fn code(self) -> &'static str {
        self.row().4
    }

    /// Its name in Google's product feed.
    pub fn in_feeds(self) -> &'static str {
        self.row().5
    }

    /// By the unit it is told by and how many of the smallest it holds: two can be compared where the first is the same.
    fn size(self) -> (Unit, u64) {
        (self.row().3, self.row().2)
    }

    fn from_sign(sign: &str) -> Option<Self> {
        let sign = match sign {
            "m2" | "qm" | "sqm" => "m²",
            "pieces" | "pcs" | "pc" => "piece",
            other => other,
        };
        UNITS.iter().find(|row| row.1 == sign).map(|row| row.0)
    }
}

/// So much of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Above zero.
    pub thousandths: u64,
    /// Of what.
    pub unit: Unit,
}

impl Measure {
    fn one(unit: Unit) -> Self {
        Self { thousandths: 1_000, unit }
    }

    /// The number alone, without needless zeros.
    pub fn number(self) -> String {
        let (whole, rest) = (self.thousandths / 1_000, self.thousandths % 1_000);
        if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:03}").trim_end_matches('0').to_owned() }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number(), self.unit.sign())
    }
}

/// How much is in a variant, and by what measure its price is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// How much there is.
    pub amount: Measure,
    /// What the price is told for.
    pub base: Measure,
}

/// Why a text is no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// No number, or one that cannot be meant.
    #[error("`{0}` is no amount above zero with at most three decimals")]
    Amount(String),
    /// An unknown unit.
    #[error("`{0}` is no unit that content is told in")]
    Unit(String),
    /// Grams per litre.
    #[error("a price of {0} cannot be told per {1}")]
    Kinds(Measure, Measure),
}

impl ContentError {
    /// What to write instead.
    pub fn hint(&self) -> &'static str {
        "write \"250 g\", \"0.75 l\", \"5 m\", \"2.5 m²\" or \"12 pieces\"; \"50 g per 100 g\" tells the price by another measure"
    }
}

impl FromStr for Content {
    type Err = ContentError;

    fn from_str(text: &str) -> Result<Self, ContentError> {
        let (amount, base) = text.split_once(" per ").map_or((text, None), |(amount, base)| (amount, Some(base)));
        let amount = measure(amount)?;
        let base = base.map_or(Ok(Measure::one(amount.unit.size().0)), measure)?;
        if amount.unit.size().0 != base.unit.size().0 {
            return Err(ContentError::Kinds(amount, base));
        }
        Ok(Self { amount, base })
    }
}

fn measure(text: &str) -> Result<Measure, ContentError> {
    let text = text.trim();
    let (number, sign) = text.split_at(text.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(text.len()));
    let wrong = || ContentError::Amount(text.to_owned());
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || decimals.len() > DECIMALS || number.ends_with('.') || decimals.contains('.') {
        return Err(wrong());
    }
    let thousandths: u64 = format!("{whole}{decimals:0<DECIMALS$}").parse().map_err(|_| wrong())?;
    if !(1..=MAX_THOUSANDTHS).contains(&thousandths) {
        return Err(wrong());
    }
    let unit = Unit::from_sign(sign.trim()).ok_or_else(|| ContentError::Unit(sign.trim().to_owned()))?;
    Ok(Measure { thousandths, unit })
}

/// What one measure of a variant costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerMeasure {
    /// The price of it.
    pub price: Money,
    /// The measure.
    pub base: Measure,
}

impl Content {
    /// What its measure costs where all of it costs `price`.
    ///
    /// Units: minor units of `price`'s currency. Rounding: once, half up.
    pub fn priced(&self, price: Money) -> PerMeasure {
        let size = |measure: Measure| i128::from(measure.thousandths) * i128::from(measure.unit.size().1);
        let minor = Rounding::HalfUp.divide(i128::from(price.minor) * size(self.base), size(self.amount));
        PerMeasure { price: Money::new(minor, price.currency), base: self.base }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.base == Measure::one(self.amount.unit.size().0) {
            write!(f, "{}", self.amount)
        } else {
            write!(f, "{} per {}", self.amount, self.base)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::euro;

    /// The price per measure of content at so many cents, or why there is none.
    #[track_caller]
    fn check(text: &str, minor: i64, expected: Result<(i64, &str), &str>) {
        let found = text.parse::<Content>().map(|content| content.priced(Money::new(minor, euro())));
        let told = found.map(|per| (per.price.minor, per.base.to_string())).map_err(|error| error.to_string());
        assert_eq!(told, expected.map(|(minor, base)| (minor, base.to_owned())).map_err(str::to_owned), "{text}");
    }

    #[test]
    fn prices_are_told_per_kilogram_litre_metre_and_piece() {
        check("250 g", 990, Ok((3_960, "1 kg")));
        check("0.75 l", 1_200, Ok((1_600, "1 l")));
        check("33 cl", 100, Ok((303, "1 l")));
        check("1.5kg", 100, Ok((67, "1 kg")));
        check("500 mg", 100, Ok((200_000, "1 kg")));
        check("250 cm", 500, Ok((200, "1 m")));
        check("2.5 m2", 2_000, Ok((800, "1 m²")));
        check("12 pieces", 1_300, Ok((108, "1 piece")));
        check("50 g per 100 g", 1_400, Ok((2_800, "100 g")));
        check("40 g per 1 kg", 0, Ok((0, "1 kg")));
    }

    #[test]
    fn what_cannot_be_meant_is_told() {
        check("g", 1, Err("`g` is no amount above zero with at most three decimals"));
        check("0 g", 1, Err("`0 g` is no amount above zero with at most three decimals"));
        check("1.2345 g", 1, Err("`1.2345 g` is no amount above zero with at most three decimals"));
        check("1,5 l", 1, Err("`,5 l` is no unit that content is told in"));
        check("99999999999999999999 g", 1, Err("`99999999999999999999 g` is no amount above zero with at most three decimals"));
        check("2 cups", 1, Err("`cups` is no unit that content is told in"));
        check("2 g per 1 l", 1, Err("a price of 2 g cannot be told per 1 l"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["250 g", "0.75 l", "2.5 m²", "12 piece", "50 g per 100 g"] {
            assert_eq!(text.parse::<Content>().map(|content| content.to_string()).as_deref(), Ok(text));
        }
    }
}
