//! Schedule: when pages will change of themselves, so that whoever builds knows when to build again.

use super::load::Loaded;
use super::plan::Plan;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Currency;
use crate::commerce::rules::Rules;

/// The first instant after `at` at which a page would be another: a product appears or goes, a sale begins or ends. `None`: never.
pub(super) fn next_change_at(loaded: &Loaded, rules: &Rules, plan: &Plan, at: Timestamp) -> Option<Timestamp> {
    let currencies: Vec<Currency> = rules.markets.iter().map(|market| market.currency).collect();
    let products = loaded.catalog.products().iter().zip(&plan.shown);
    let change = |(product, is_shown): (&crate::commerce::catalog::Product, &bool)| match is_shown {
        // A draft that is shown is shown at any time.
        true if !product.is_active(at) => product.next_price_change_at(&currencies, at),
        _ => product.next_change_at(&currencies, at),
    };
    products.filter_map(change).min()
}
