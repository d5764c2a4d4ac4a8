//! Rules: everything site.toml and content/promotions say about selling, as checked values.
//!
//! Owns    `Rules` and `Market`; the tables themselves live with `tax`, `shipping` and `promotion`. Travels in the bundle.

use serde::{Deserialize, Serialize};

use super::ids::MarketId;
use super::language::Words;
use super::money::{Currency, Rounding};
use super::promotion::Promotion;
use super::shipping::ShippingZone;
use super::tax::{TaxMode, TaxTable};

/// The shop's rules of selling. The first market is the one at the site's root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// At least one; the first stands at the root.
    pub markets: Vec<Market>,
    /// Rates by place and class.
    pub tax: TaxTable,
    /// Zones with their rates; the first zone of the market that holds the destination serves it.
    pub shipping: Vec<ShippingZone>,
    /// Coupons, sorted by id.
    pub promotions: Vec<Promotion>,
    /// Short texts in other languages than that of the first market.
    pub words: Words,
    /// Seconds a frozen quote holds.
    pub quote_seconds: i64,
    /// Seconds a reservation of stock holds without a live payment.
    pub reservation_seconds: i64,
}

impl Rules {
    /// A market by name.
    pub fn market(&self, id: &MarketId) -> Option<&Market> {
        self.markets.iter().find(|market| market.id == *id)
    }

    /// The market at the site's root.
    pub fn root_market(&self) -> &Market {
        self.markets.first().expect("config refuses a shop without a market")
    }
}

/// A set of countries with one currency and one way to show tax.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// Its name in site.toml, forms and tokens.
    pub id: MarketId,
    /// What people read.
    pub name: String,
    /// Path prefix without slashes; empty for the root market.
    pub prefix: String,
    /// ISO 3166-1 alpha-2, upper case, in the order the country list shows them; the first is the default destination.
    pub countries: Vec<String>,
    /// Currency of its prices.
    pub currency: Currency,
    /// BCP 47 tag of its texts and number formats.
    pub language: String,
    /// Whether shown prices contain tax.
    pub tax_mode: TaxMode,
    /// How fractions of a minor unit are rounded.
    pub rounding: Rounding,
    /// Where tax is rounded.
    pub rounding_scope: RoundingScope,
    /// Whose law its offers keep to.
    pub consumer_law: ConsumerLaw,
}

/// Whose law an offer keeps to: what it has to say beside its price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerLaw {
    /// Nothing is asked for.
    #[default]
    None,
    /// That of the European Economic Area; what an offer lacks is warned of.
    Eu,
    /// The same; what an offer lacks is an error.
    EuStrict,
}

impl ConsumerLaw {
    /// The law that is kept to unless told otherwise, by the countries that are sold to.
    pub fn of(countries: &[String]) -> Self {
        let is_any = countries.iter().any(|country| EEA.contains(&country.as_str()));
        if is_any { Self::Eu } else { Self::None }
    }

    /// Whether it is that of the European Economic Area.
    pub fn is_eu(self) -> bool {
        self != Self::None
    }
}

/// Countries of the European Economic Area.
const EEA: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV",
    "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Where tax is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundingScope {
    /// Once per line, then added up.
    #[default]
    Line,
    /// Once per tax rate over the whole cart, then split over its lines.
    Total,
}
