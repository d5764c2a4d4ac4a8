//! History: cases of the law, then many random ones against its words.

use super::*;
use crate::commerce::catalog::SaleWindow;
use crate::commerce::fixture::{Shop, euro};

const DAY: i64 = 24 * 60 * 60;
const SKU: &str = "SKU-0";

fn market() -> MarketId {
    MarketId("eu".to_owned())
}

fn line(day: i64, minor: i64, is_reduced: bool) -> PriceStep {
    let sku = Sku::from(SKU.to_owned());
    PriceStep { sku, market: market(), currency: euro(), minor, is_reduced, from: Timestamp(day * DAY) }
}

/// What was lowest before the reduction that holds on a day, by (day, price, whether it was announced as reduced).
#[track_caller]
fn check(steps: &[(i64, i64, bool)], day: i64, expected: Option<i64>) {
    let history = PriceHistory::new(steps.iter().map(|(day, minor, is_reduced)| line(*day, *minor, *is_reduced)).collect());
    let hash = Sku::from(SKU.to_owned()).hash();
    assert_eq!(history.lowest_before(hash, &market(), euro(), Timestamp(day * DAY)), expected, "{steps:?} on day {day}");
}

#[test]
fn the_window_ends_where_the_reduction_began_and_not_today() {
    check(&[(0, 100, false), (50, 80, true)], 50, Some(100));
    check(&[(0, 100, false), (50, 80, true)], 500, Some(100));
    check(&[(0, 100, false), (50, 80, true)], 49, None);
    check(&[(0, 100, false), (50, 80, true), (60, 100, false)], 60, None);
}

#[test]
fn a_price_that_was_in_force_when_the_window_began_counts() {
    check(&[(0, 90, false), (25, 100, false), (50, 80, true)], 50, Some(90));
    // On day 20 the window begins: what ended then was not in it.
    check(&[(0, 90, false), (20, 100, false), (50, 80, true)], 50, Some(100));
    check(&[(0, 90, false), (21, 100, false), (50, 80, true)], 50, Some(90));
}

#[test]
fn a_reduction_that_grows_is_one_and_another_is_another() {
    check(&[(0, 100, false), (50, 90, true), (60, 80, true), (70, 70, true)], 75, Some(100));
    // Taken back a little, or for a day, it is a new one.
    check(&[(0, 100, false), (50, 80, true), (60, 90, true)], 60, Some(80));
    check(&[(0, 100, false), (50, 80, true), (60, 100, false), (61, 75, true)], 61, Some(80));
    check(&[(0, 100, false), (50, 80, true), (60, 100, false), (90, 75, true)], 90, Some(100));
    // A price that was lowered without a word is no part of the reduction after it.
    check(&[(0, 100, false), (50, 90, false), (60, 80, true)], 60, Some(90));
}

#[test]
fn a_young_product_has_what_it_has_and_a_new_one_nothing() {
    check(&[(45, 100, false), (50, 80, true)], 50, Some(100));
    check(&[(50, 80, true)], 50, None);
    check(&[], 50, None);
}

#[test]
fn of_two_lines_from_one_instant_the_later_holds() {
    check(&[(0, 100, false), (0, 95, false), (50, 80, true)], 50, Some(95));
}

/// A product at 100 with sales of (price, first day, day after the last).
fn shop(compare_at_minor: Option<i64>, windows: &[(i64, i64, i64)]) -> Shop {
    let mut shop = Shop::of(&[100]);
    let day = |day: i64| Some(Timestamp(day * DAY));
    let window = |(price_minor, from, until): &(i64, i64, i64)| SaleWindow {
        price_minor: *price_minor,
        from: day(*from),
        until: day(*until),
        until_offset_minutes: 0,
    };
    let price = &mut shop.products[0].variants[0].prices[0];
    (price.compare_at_minor, price.sales) = (compare_at_minor, windows.iter().map(window).collect());
    shop
}

#[test]
fn what_was_due_is_due_once() {
    let shop = shop(None, &[(80, 10, 20), (70, 40, 50)]);
    let catalog = shop.catalog();
    let due = |history: &PriceHistory, day: i64| history.due(&catalog, &shop.rules, Timestamp(day * DAY));
    let brief =
        |steps: &[PriceStep]| -> Vec<_> { steps.iter().map(|step| (step.from.0 / DAY, step.minor, step.is_reduced)).collect() };
    let mut written = due(&PriceHistory::default(), 5);
    assert_eq!(brief(&written), [(5, 100, false)]);
    assert_eq!(due(&PriceHistory::new(written.clone()), 6), [], "nothing changed");
    // Nobody wrote anything down while the first sale went by.
    written.extend(due(&PriceHistory::new(written.clone()), 45));
    assert_eq!(brief(&written), [(5, 100, false), (10, 80, true), (20, 100, false), (40, 70, true)]);
    assert_eq!(due(&PriceHistory::new(written.clone()), 45), []);
    let dearer = shop_at(120);
    let next = PriceHistory::new(written).due(&dearer.catalog(), &dearer.rules, Timestamp(60 * DAY));
    assert_eq!(brief(&next), [(60, 120, false)], "a price that somebody wrote anew holds from now on");
}

fn shop_at(minor: i64) -> Shop {
    Shop::of(&[minor])
}

#[test]
fn sales_to_come_are_reckoned_ahead() {
    let shop = shop(None, &[(80, 10, 20), (90, 30, 40)]);
    let product = &shop.products[0];
    let (variant, price) = (&product.variants[0], &product.variants[0].prices[0]);
    let sku = variant.sku.hash();
    let market = &shop.rules.markets[0].id;
    let known = PriceHistory::new(vec![PriceStep { sku: variant.sku.clone(), market: market.clone(), ..line(0, 100, false) }]);
    let priors = known.priors(sku, price, [market].into_iter(), Timestamp(5 * DAY));
    let day = |day: i64| Some(Timestamp(day * DAY));
    assert_eq!(priors, [PriorPrice { from: day(10), minor: 100 }, PriorPrice { from: day(30), minor: 80 }]);
    // The second sale is dearer than what was asked just before: nothing is reduced, so nothing is struck.
    let price = Price { prior: priors.into(), ..price.clone() };
    let told = |day: i64| {
        let current = price.at(Timestamp(day * DAY));
        (current.unit.minor, current.compare_at.map(|struck| struck.minor), current.is_lowest)
    };
    assert_eq!(
        [5, 10, 20, 30, 40].map(told),
        [(100, None, false), (80, Some(100), true), (100, None, false), (90, None, false), (100, None, false)]
    );
    assert_eq!(PriceHistory::default().priors(sku, &price, [market].into_iter(), Timestamp(0)), []);
}

/// A small generator of numbers (SplitMix64): the same ones at each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit as u64) as i64
    }
}

// By the words of the law, instant after instant: when did the reduction begin, and what was asked at each quarter of the days before?
fn by_the_words(steps: &[(i64, i64, bool)], at: i64) -> Option<i64> {
    let quarter = |from: i64| from * DAY / 4;
    let asked = |instant: i64| steps.iter().rfind(|(from, ..)| quarter(*from) <= instant).copied();
    let (_, _, is_reduced) = asked(quarter(at))?;
    let mut began = is_reduced.then_some(at)?;
    let mut price = asked(quarter(at))?.1;
    loop {
        match asked(quarter(began - 1)) {
            Some((_, before, true)) if before >= price => (began, price) = (began - 1, before),
            _ => break,
        }
    }
    (began - 4 * 30..began).filter_map(|instant| asked(quarter(instant))).map(|(_, minor, _)| minor).min()
}

#[test]
fn a_hundred_thousand_histories_are_read_as_the_law_is_written() {
    let mut numbers = Numbers(6);
    let hash = Sku::from(SKU.to_owned()).hash();
    for case in 0..100_000 {
        let mut instant = 0;
        let mut steps = Vec::new();
        for _ in 0..numbers.below(8) {
            instant += 1 + numbers.below(90);
            steps.push((instant, 1 + numbers.below(6), numbers.below(2) == 0));
        }
        let at = numbers.below(instant + 20);
        let lines = steps
            .iter()
            .map(|(quarter, minor, is_reduced)| PriceStep { from: Timestamp(quarter * DAY / 4), ..line(0, *minor, *is_reduced) });
        let found = PriceHistory::new(lines.collect()).lowest_before(hash, &market(), euro(), Timestamp(at * DAY / 4));
        assert_eq!(found, by_the_words(&steps, at), "case {case}: {steps:?} at {at}");
    }
}
