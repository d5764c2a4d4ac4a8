//! Schedule: when a price or a product changes of itself, with the instants that were written beside it.
//!
//! Always  an instant is one before and after which something is different: bounds that nobody can see are passed over.

use super::{Price, Product, ProductStatus};
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Currency;

impl Price {
    /// The first instant after `at` from which `Price::at` gives something else; `None`: it stays.
    pub fn next_change_at(&self, at: Timestamp) -> Option<Timestamp> {
        let changes = self.bounds().filter(|bound| *bound > at && self.at(*bound) != self.at(bound.plus_seconds(-1)));
        changes.min()
    }
}

impl Product {
    /// The first instant after `at` from which the product is there, is gone, or has another price in one of `currencies`.
    pub fn next_change_at(&self, currencies: &[Currency], at: Timestamp) -> Option<Timestamp> {
        let is_ever_there = self.publish_at.zip(self.expires_at).is_none_or(|(from, until)| from < until);
        if self.status != ProductStatus::Active || !is_ever_there {
            return None;
        }
        match (self.publish_at, self.expires_at) {
            // Nothing of it is seen before.
            (Some(from), _) if at < from => Some(from),
            (_, Some(until)) if until <= at => None,
            (_, until) => until.into_iter().chain(self.next_price_change_at(currencies, at)).min(),
        }
    }

    /// The first instant after `at` from which one of its variants has another price in one of `currencies`.
    pub fn next_price_change_at(&self, currencies: &[Currency], at: Timestamp) -> Option<Timestamp> {
        let prices = self.variants.iter().flat_map(|variant| &variant.prices);
        let shown = prices.filter(|price| !price.sales.is_empty() && currencies.contains(&price.currency));
        shown.filter_map(|price| price.next_change_at(at)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::catalog::SaleWindow;
    use crate::commerce::fixture::{Shop, euro};

    /// A product at 100 with windows of (price, from, until).
    fn product(publish_at: Option<i64>, expires_at: Option<i64>, windows: &[(i64, Option<i64>, Option<i64>)]) -> Product {
        let mut product = Shop::of(&[100]).products[0].clone();
        product.publish_at = publish_at.map(Timestamp);
        product.expires_at = expires_at.map(Timestamp);
        let window = |(price_minor, from, until): &(i64, Option<i64>, Option<i64>)| SaleWindow {
            price_minor: *price_minor,
            from: from.map(Timestamp),
            until: until.map(Timestamp),
            until_offset_minutes: 0,
        };
        product.variants[0].prices[0].sales = windows.iter().map(window).collect();
        product
    }

    #[track_caller]
    fn check(product: &Product, expected: &[i64]) {
        let (mut at, mut found) = (Timestamp(0), Vec::new());
        while let Some(next) = product.next_change_at(&[euro()], at) {
            assert!(next > at, "time goes on");
            found.push(next.0);
            at = next;
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn each_instant_is_named_once_and_in_order() {
        check(&product(None, None, &[]), &[]);
        check(&product(None, None, &[(90, Some(10), Some(20)), (80, Some(30), None)]), &[10, 20, 30]);
        check(&product(Some(5), Some(25), &[(90, Some(10), Some(20)), (80, Some(30), None)]), &[5, 10, 20, 25]);
    }

    #[test]
    fn what_nobody_can_see_is_no_change() {
        // Before it is published, after it is gone, and of a product that never is.
        check(&product(Some(15), None, &[(90, Some(10), Some(20))]), &[15, 20]);
        check(&product(None, Some(15), &[(90, Some(10), Some(20))]), &[10, 15]);
        check(&product(Some(20), Some(10), &[(90, Some(12), Some(18))]), &[]);
        // One sale that goes over into another of the same price and end is still told: the page says until when.
        check(&product(None, None, &[(90, None, Some(10)), (90, Some(10), Some(20))]), &[10, 20]);
        let mut draft = product(Some(5), None, &[(90, Some(10), Some(20))]);
        draft.status = ProductStatus::Draft;
        check(&draft, &[]);
        assert_eq!(draft.next_price_change_at(&[euro()], Timestamp(0)), Some(Timestamp(10)));
        assert_eq!(draft.next_price_change_at(&[], Timestamp(0)), None, "no market sells in that currency");
    }
}
