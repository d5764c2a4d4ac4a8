//! Google's price: a price with its sale and the days of it, as the product feed says them.
//!
//! Always  what a reader of the feed shows at an instant is what a cart asks then.

use crate::commerce::catalog::{Price, SaleWindow};
use crate::commerce::ids::Timestamp;

/// Where a sale without a beginning begins: an effective date needs one, and this is before any shop's first day online.
const LONG_AGO: Timestamp = Timestamp(946_684_800);

/// A price as the feed says it: `price` holds except while `sale` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OfferedPrice {
    /// Price that holds while no sale does, minor units.
    pub(super) price_minor: i64,
    /// Price that holds instead, now or from a day on.
    pub(super) sale: Option<Sale>,
}

/// A sale as the feed says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sale {
    /// Minor units, below the price beside it.
    pub(super) price_minor: i64,
    /// First instant and the one after the last; `None`: until another is said.
    pub(super) dates: Option<(Timestamp, Timestamp)>,
}

impl OfferedPrice {
    // While a sale holds, the price beside it is the one that holds after it: so the feed stays right when the sale ends before Google
    // has read it again. A sale that is to come is told ahead for the same reason, where it has an end.
    pub(super) fn of(price: &Price, at: Timestamp) -> Self {
        let current = price.at(at);
        let dates = |sale: &SaleWindow| Some((sale.from.unwrap_or(LONG_AGO), sale.until?));
        if let Some(sale) = price.sales.iter().find(|sale| sale.holds(at)) {
            let told = Sale { price_minor: current.unit.minor, dates: dates(sale) };
            return match (current.is_lowest, current.compare_at) {
                // What is struck out has to be the lowest price before, in the feed too.
                (true, Some(lowest)) => Self { price_minor: lowest.minor.min(price.unit_minor), sale: Some(told) },
                _ if !price.prior.is_empty() && current.compare_at.is_none() => {
                    Self { price_minor: current.unit.minor, sale: None }
                }
                _ => Self { price_minor: price.unit_minor, sale: Some(told) },
            };
        }
        if let Some(struck) = current.compare_at {
            return Self { price_minor: struck.minor, sale: Some(Sale { price_minor: current.unit.minor, dates: None }) };
        }
        let next = price.sales.iter().filter(|sale| sale.from.is_some_and(|from| from > at)).min_by_key(|sale| sale.from);
        let next = next.and_then(|sale| Some(Sale { price_minor: sale.price_minor, dates: Some(dates(sale)?) }));
        Self { price_minor: current.unit.minor, sale: next }
    }
}

/// An instant as Google writes it: to the minute, and to the second where it has to be.
pub(super) fn instant(at: Timestamp) -> String {
    let written = if at.0 % 60 == 0 { "%Y-%m-%dT%H:%MZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    jiff::Timestamp::from_second(at.0).unwrap_or(jiff::Timestamp::MAX).strftime(written).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::money::Currency;

    /// An hour of some day.
    const START: i64 = 1_800_000_000;
    const HOUR: i64 = 3_600;

    fn at(hour: i64) -> Timestamp {
        Timestamp(START + hour * HOUR)
    }

    /// A price of 1000 with windows of (price, first hour, hour after the last).
    fn price(compare_at_minor: Option<i64>, windows: &[(i64, Option<i64>, Option<i64>)]) -> Price {
        let window = |(price_minor, from, until): &(i64, Option<i64>, Option<i64>)| SaleWindow {
            price_minor: *price_minor,
            from: from.map(at),
            until: until.map(at),
            until_offset_minutes: 0,
        };
        let currency = Currency::from_code("EUR").expect("a currency");
        Price { currency, unit_minor: 1000, compare_at_minor, sales: windows.iter().map(window).collect(), prior: Box::default() }
    }

    /// What Google would show at an instant.
    fn shown_at(offer: OfferedPrice, at: i64) -> i64 {
        match offer.sale {
            Some(Sale { price_minor, dates: Some((from, until)) }) if (from.0..until.0).contains(&at) => price_minor,
            Some(Sale { price_minor, dates: None }) => price_minor,
            _ => offer.price_minor,
        }
    }

    #[test]
    fn what_the_feed_says_of_an_instant_is_what_a_cart_asks_then() {
        for price in [
            price(None, &[]),
            price(Some(1200), &[]),
            price(None, &[(900, Some(1), Some(2))]),
            price(Some(1200), &[(900, None, Some(1))]),
            price(None, &[(900, Some(1), None)]),
            price(None, &[(900, None, Some(1)), (800, Some(2), Some(3))]),
        ] {
            for now in (START..START + 4 * HOUR).step_by(600) {
                let offer = OfferedPrice::of(&price, Timestamp(now));
                // Until the next build, which is due when something changes.
                let due = price.next_change_at(Timestamp(now)).map_or(now + HOUR, |due| due.0);
                for later in [now, due - 1] {
                    let asked = price.at(Timestamp(later)).unit.minor;
                    assert_eq!(shown_at(offer, later), asked, "{price:?} built at {now}, read at {later}");
                }
                assert!(offer.sale.is_none_or(|sale| sale.price_minor < offer.price_minor), "{offer:?}");
            }
        }
    }

    #[test]
    fn a_feed_that_nobody_reads_again_is_right_when_a_sale_ends_or_begins() {
        let price = |compare_at| price(compare_at, &[(900, Some(1), Some(2))]);
        let during = OfferedPrice::of(&price(Some(1200)), at(1));
        assert_eq!([at(1).0, at(2).0 - 1, at(2).0].map(|later| shown_at(during, later)), [900, 900, 1000]);
        let before = OfferedPrice::of(&price(None), at(0));
        assert_eq!([at(1).0 - 1, at(1).0, at(2).0].map(|later| shown_at(before, later)), [1000, 900, 1000]);
    }

    #[test]
    fn an_instant_is_told_to_its_second() {
        assert_eq!(instant(Timestamp(1_801_353_600)), "2027-01-31T00:00Z");
        assert_eq!(instant(Timestamp(1_801_353_599)), "2027-01-30T23:59:59Z");
    }
}
