//! Services: what the edge asks systems of the merchant's own for, as the bundle carries it.
//!
//! Owns    the terms of `[pricing]` and `[inventory]`, and which of them hold for which product.
//! Always  a secret never travels: an edge has it from its environment.
//! Source  CHECKOUT.md 5.6 and 5.7.

use serde::{Deserialize, Serialize};

use crate::commerce::catalog::Product;
use crate::commerce::ids::CategoryPath;

/// Where prices are asked for, and what holds while nobody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricingTerms {
    /// The service's address without a closing slash; `/prices` follows.
    pub url: String,
    /// Milliseconds until its answer is here as a whole.
    pub timeout_ms: u32,
    /// Seconds for which an answer is taken without asking again.
    pub fresh_seconds: u32,
    /// What holds for products of no class.
    pub usual: PriceClass,
    /// The first that holds a product counts.
    pub classes: Vec<PriceClass>,
}

/// How far the prices of some products are believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceClass {
    /// Categories whose products it holds, with all below them.
    pub categories: Vec<CategoryPath>,
    /// Seconds for which the last known price is good while nobody answers.
    pub max_age_seconds: u32,
    /// What is charged after that, and where nothing was ever known.
    pub when_unknown: WhenUnknown,
    /// A price that is so many times the catalogue's, or one part in so many of it, is still believed.
    pub max_factor: u32,
}

/// What is charged for a product whose price nobody tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenUnknown {
    /// The catalogue's price.
    #[default]
    Catalogue,
    /// Nothing: it is not sold until its price is known again.
    Refuse,
}

/// Where units are held beside the store's own ledger, and what holds while nobody answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryTerms {
    /// The service's address without a closing slash; `/reservations` follows.
    pub url: String,
    /// Milliseconds until its answer is here as a whole.
    pub timeout_ms: u32,
    /// What holds for products of no class.
    pub usual: InventoryClass,
    /// The first that holds a product counts.
    pub classes: Vec<InventoryClass>,
}

/// How much the service has to say about some products.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryClass {
    /// Categories whose products it holds, with all below them.
    pub categories: Vec<CategoryPath>,
    /// Whether its no is one.
    pub oversell: Oversell,
    /// What is sold while it is silent.
    pub when_silent: WhenSilent,
}

/// Whether more may be sold than the inventory service has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Oversell {
    /// No: what it cannot hold is sold out.
    #[default]
    Never,
    /// Yes: it is told what was sold, and never asked before.
    Allow,
}

/// What is sold while the inventory service is silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenSilent {
    /// What the store's own ledger has.
    #[default]
    OwnLedger,
    /// Nothing.
    Refuse,
}

impl InventoryTerms {
    /// What holds for a product.
    pub fn class_of(&self, product: &Product) -> &InventoryClass {
        self.classes.iter().find(|class| holds(&class.categories, product)).unwrap_or(&self.usual)
    }
}

impl PricingTerms {
    /// What holds for a product.
    pub fn class_of(&self, product: &Product) -> &PriceClass {
        self.classes.iter().find(|class| holds(&class.categories, product)).unwrap_or(&self.usual)
    }
}

fn holds(categories: &[CategoryPath], product: &Product) -> bool {
    product.categories.iter().any(|held| categories.iter().any(|category| held.is_within(category)))
}
