//! Tax: which rate holds where, and how much of an amount it is.
//!
//! Owns    the table of rates, the look-up of a place's row and the arithmetic of tax.
//! Always  a rate that is not written down is told as missing; it is never taken for zero.

use serde::{Deserialize, Serialize};

use super::ids::TaxClass;
use super::money::{Currency, Money, Percent, Rounding};
use super::rules::RoundingScope;

/// Is tax inside the shown price?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxMode {
    /// Shown prices contain it.
    #[default]
    Inclusive,
    /// It is added on top.
    Exclusive,
}

/// Rates by place and class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaxTable {
    /// Class names, the first is the default of a product.
    pub classes: Vec<TaxClass>,
    /// Class that shipping is taxed by; `None`: by the classes of the goods in the parcel, in proportion to their value.
    pub shipping_class: Option<TaxClass>,
    /// One per place; a row with a region goes before the country's own.
    pub rates: Vec<TaxRates>,
}

/// One place's rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxRates {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// ISO 3166-2 without the country; `None` for the whole country.
    pub region: Option<String>,
    /// What the tax is called there, such as `VAT` or `Sales tax`.
    pub name: String,
    /// Percent per class, every class of the table, sorted by class. A zero is a written zero, never an absence.
    pub percent: Vec<(TaxClass, Percent)>,
}

impl TaxTable {
    /// The row of a place: its region's own, else its country's.
    pub fn rates_at(&self, country: &str, region: Option<&str>) -> Option<&TaxRates> {
        let row =
            |region: Option<&str>| self.rates.iter().find(|rates| rates.country == country && rates.region.as_deref() == region);
        region.and_then(|_| row(region)).or_else(|| row(None))
    }
}

impl TaxRates {
    /// The rate of a class, where one is written.
    pub fn percent_of(&self, class: &TaxClass) -> Option<Percent> {
        self.percent.iter().find(|(written, _)| written == class).map(|(_, percent)| *percent)
    }
}

/// An amount that is taxed at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaxBase {
    /// Gross in an inclusive market, net in an exclusive one; minor units, zero or more.
    pub minor: i64,
    /// Its rate.
    pub percent: Percent,
}

/// How a market reckons tax.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaxManner {
    /// In or on top.
    pub mode: TaxMode,
    /// By which name fractions are rounded.
    pub rounding: Rounding,
    /// How often.
    pub scope: RoundingScope,
}

impl TaxManner {
    /// The tax of every base, same order, in minor units.
    ///
    /// Rounding: per base, or once per rate over all its bases and then split over them, largest remainder first.
    pub(crate) fn levy(self, bases: &[TaxBase]) -> Vec<i64> {
        match self.scope {
            RoundingScope::Line => bases.iter().map(|base| self.tax(base.minor.into(), base.percent)).collect(),
            RoundingScope::Total => self.levy_per_rate(bases),
        }
    }

    fn levy_per_rate(self, bases: &[TaxBase]) -> Vec<i64> {
        let mut taxes = vec![0; bases.len()];
        let mut rates: Vec<Percent> = bases.iter().map(|base| base.percent).collect();
        rates.sort_unstable();
        rates.dedup();
        for percent in rates {
            let places: Vec<usize> = (0..bases.len()).filter(|index| bases[*index].percent == percent).collect();
            let weights: Vec<i64> = places.iter().map(|index| bases[*index].minor).collect();
            let tax = self.tax(weights.iter().map(|minor| i128::from(*minor)).sum(), percent);
            for (index, part) in places.into_iter().zip(Money::split_minor(tax, &weights)) {
                taxes[index] = part;
            }
        }
        taxes
    }

    fn tax(self, base_minor: i128, percent: Percent) -> i64 {
        let rate = i128::from(percent.millionths());
        let whole = i128::from(Percent::WHOLE.millionths());
        match self.mode {
            TaxMode::Inclusive => self.rounding.divide(base_minor * rate, whole + rate),
            TaxMode::Exclusive => self.rounding.divide(base_minor * rate, whole),
        }
    }
}

/// Tax of one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxPart {
    /// Such as `VAT`.
    pub name: String,
    /// Such as `19`, without trailing zeros.
    pub percent: String,
    /// The amount it is taken from (gross in an inclusive market, net in an exclusive one), shipping included.
    pub base: Money,
    /// The tax.
    pub tax: Money,
}

/// Adds bases and their taxes up by rate, lowest rate first; rates under which nothing was sold are left out.
pub(crate) fn tax_parts(name: &str, bases: &[TaxBase], taxes: &[i64], currency: Currency) -> Vec<TaxPart> {
    let mut by_rate = std::collections::BTreeMap::<Percent, (i64, i64)>::new();
    for (base, tax) in bases.iter().zip(taxes).filter(|(base, _)| base.minor > 0) {
        let sums = by_rate.entry(base.percent).or_default();
        *sums = (sums.0 + base.minor, sums.1 + tax);
    }
    let part = |(percent, (base, tax)): (Percent, (i64, i64))| TaxPart {
        name: name.to_owned(),
        percent: percent.to_string(),
        base: Money::new(base, currency),
        tax: Money::new(tax, currency),
    };
    by_rate.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::{euro, tax_row};

    /// Bases as (minor, percent), taxes in minor units.
    #[track_caller]
    fn check(mode: TaxMode, scope: RoundingScope, bases: &[(i64, &str)], expected: &[i64]) {
        let base = |(minor, percent): &(i64, &str)| TaxBase { minor: *minor, percent: percent.parse().expect("a percentage") };
        let bases: Vec<TaxBase> = bases.iter().map(base).collect();
        assert_eq!(TaxManner { mode, rounding: Rounding::HalfUp, scope }.levy(&bases), expected);
    }

    #[test]
    fn tax_is_inside_or_on_top() {
        use {RoundingScope::Line, TaxMode::*};
        check(Inclusive, Line, &[(11_900, "19"), (10_700, "7"), (100, "0"), (0, "19")], &[1900, 700, 0, 0]);
        check(Exclusive, Line, &[(10_000, "19"), (10_000, "7"), (100, "0"), (0, "19")], &[1900, 700, 0, 0]);
        check(Exclusive, Line, &[(200, "8.875"), (100, "100")], &[18, 100]);
    }

    #[test]
    fn over_the_total_each_rate_is_rounded_once_and_split() {
        use {RoundingScope::Total, TaxMode::*};
        // 3 × 0.33 at 10 % is 0.099: one cent in ten, which goes to the earliest; 5 % of 0.50 stands by itself.
        check(Exclusive, Total, &[(33, "10"), (50, "5"), (33, "10"), (33, "10")], &[4, 3, 3, 3]);
        check(Inclusive, Total, &[(0, "19"), (0, "19")], &[0, 0]);
        check(Inclusive, Total, &[], &[]);
    }

    #[test]
    fn a_places_row_is_its_regions_else_its_countrys() {
        let table = TaxTable {
            rates: vec![tax_row("US", Some("NY"), "8", "0"), tax_row("CA", None, "5", "0"), tax_row("CA", Some("QC"), "14", "0")],
            ..TaxTable::default()
        };
        let found = |country, region| table.rates_at(country, region).map(|row| row.percent[1].1.to_string());
        assert_eq!(found("CA", Some("QC")).as_deref(), Some("14"));
        assert_eq!(found("CA", Some("ON")).as_deref(), Some("5"));
        assert_eq!(found("CA", None).as_deref(), Some("5"));
        assert_eq!(found("US", Some("NY")).as_deref(), Some("8"));
        assert_eq!(found("US", Some("TX")), None);
        assert_eq!(found("US", None), None);
    }

    #[test]
    fn parts_are_one_per_rate_the_lowest_first() {
        let base = |minor, percent: &str| TaxBase { minor, percent: percent.parse().expect("a percentage") };
        let bases = [base(100, "19"), base(100, "7"), base(50, "19.0"), base(0, "3")];
        let parts = tax_parts("VAT", &bases, &[16, 7, 8, 0], euro());
        let found: Vec<_> = parts.iter().map(|part| (part.percent.as_str(), part.base.minor, part.tax.minor)).collect();
        assert_eq!(found, [("7", 100, 7), ("19", 150, 24)]);
    }
}
