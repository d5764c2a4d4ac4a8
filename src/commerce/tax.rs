//! Tax: which rate holds where, and how much of an amount it is.

use serde::{Deserialize, Serialize};

use super::ids::TaxClass;
use super::money::Percent;

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
    /// Class that shipping is taxed by.
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
