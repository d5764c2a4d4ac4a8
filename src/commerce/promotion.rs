//! Promotion: the rule behind a coupon code, and whether it applies.

use serde::{Deserialize, Serialize};

use super::ids::{CategoryPath, CouponCode, MarketId, Slug, Timestamp};
use super::money::{Currency, Percent};

/// A declared coupon (content/promotions/ID.toml).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promotion {
    /// The file's name.
    pub id: String,
    /// What the cart calls it.
    pub title: String,
    /// What the shopper types.
    pub code: CouponCode,
    /// What it gives.
    pub benefit: Benefit,
    /// Fewest goods before discounts, per currency (minor units); in another currency it does not apply.
    pub minimum_minor: Vec<(Currency, i64)>,
    /// Only these markets; empty: all.
    pub markets: Vec<MarketId>,
    /// Only lines of these products or categories; both empty: all lines.
    pub products: Vec<Slug>,
    /// Categories with all below them.
    pub categories: Vec<CategoryPath>,
    /// First instant.
    pub starts_at: Option<Timestamp>,
    /// First instant after it.
    pub ends_at: Option<Timestamp>,
    /// Orders that may use it in all; reserved like stock when paying.
    pub usage_limit: Option<u32>,
    /// Of one class only the best for the shopper counts.
    pub stacking_class: String,
    /// Classes it may be joined with; both sides must name each other's class.
    pub combines_with: Vec<String>,
}

/// What a promotion gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Benefit {
    /// Percent off the lines it covers.
    Percentage(Percent),
    /// An amount off, spread over the lines it covers, never more than they cost; minor units per currency.
    Fixed(Vec<(Currency, i64)>),
    /// The chosen shipping rate costs nothing.
    FreeShipping,
}
