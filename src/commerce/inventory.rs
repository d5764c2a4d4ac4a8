//! Inventory: how many there are, how many are promised, and what a purchase needs of them.
//!
//! Owns    the sums of stock. Who holds what, and until when, is the store's to keep.
//! Always  one need per SKU, sorted by SKU: two purchases lock rows in the same order, and two lines of one SKU are one need.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalog::{Catalog, StockPolicy};
use super::ids::Sku;
use super::pricing::PricedLine;

/// Stock of one SKU. `on_hand = opening + received − sold`; what can be sold is `on_hand − reserved`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// Which.
    pub sku: Sku,
    /// Units in the house; below zero only where back orders were taken.
    pub on_hand: i64,
    /// Units promised to open payments.
    pub reserved: i64,
    /// Units sold by placed orders.
    pub sold: i64,
}

impl StockLevel {
    /// Units that can be sold now, zero at least.
    pub fn available(&self) -> u32 {
        u32::try_from((self.on_hand - self.reserved).max(0)).unwrap_or(u32::MAX)
    }
}

/// What a purchase needs of one SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockNeed {
    /// Which.
    pub sku: Sku,
    /// How many, over all lines.
    pub quantity: u32,
    /// Units there are when nothing is known of it yet.
    pub opening_stock: u32,
    /// What happens when there are too few.
    pub policy: StockPolicy,
}

/// The needs of priced lines: aggregated and sorted by SKU. A SKU that left the catalogue since is counted strictly, from zero.
pub fn stock_needs(lines: &[PricedLine], catalog: &Catalog) -> Vec<StockNeed> {
    let mut quantities = BTreeMap::<&Sku, u32>::new();
    for line in lines {
        *quantities.entry(&line.sku).or_default() += line.quantity;
    }
    let need = |(sku, quantity): (&Sku, u32)| {
        let variant = catalog.variant_by_sku(sku).map(|(_, variant)| variant);
        StockNeed {
            sku: sku.clone(),
            quantity,
            opening_stock: variant.map_or(0, |variant| variant.opening_stock),
            policy: variant.map_or(StockPolicy::Deny, |variant| variant.stock_policy),
        }
    };
    quantities.into_iter().map(need).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::fixture::{Shop, cart};

    #[test]
    fn two_lines_of_one_sku_are_one_need() {
        let shop = Shop::of(&[100, 200]);
        let mut cart = cart(&[(1, 2), (0, 1), (1, 3)], &[]);
        cart.lines[2].properties = vec![("name".into(), "Ada".into())];
        let needs = stock_needs(&shop.price(&cart).expect("it is priced").lines, &shop.catalog());
        let found: Vec<_> = needs.iter().map(|need| (need.sku.as_str(), need.quantity, need.opening_stock)).collect();
        assert_eq!(found, [("P0", 1, 10), ("P1", 5, 10)]);
    }

    #[test]
    fn less_than_nothing_is_nothing() {
        let level = |on_hand, reserved| StockLevel { sku: "A".into(), on_hand, reserved, sold: 0 }.available();
        assert_eq!((level(3, 1), level(1, 1), level(-2, 0)), (2, 0, 0));
    }
}
