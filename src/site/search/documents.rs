//! Documents: the products that are searched, in the order of their numbers.

use std::collections::BTreeMap;

use super::files::Category;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::Currency;
use crate::site::facets::lowest_price;
use crate::site::load::Loaded;

/// Which product has which number.
#[derive(Debug)]
pub(super) struct Documents {
    /// Index in the catalogue of each product, by number.
    pub(super) order: Vec<usize>,
    /// Number of each product, by index in the catalogue; only for those that are shown.
    numbers: Vec<u32>,
}

impl Documents {
    pub(super) fn new(loaded: &Loaded, shown: &[bool]) -> Self {
        let products = loaded.catalog.products();
        let mut order: Vec<usize> = (0..products.len()).filter(|index| shown[*index]).collect();
        let shelf = |index: usize| products[index].categories.first().map(|path| path.as_str());
        order.sort_by(|one, other| {
            // A slash sorts before every letter here, so that a category and all below it stand together; products of none come last.
            let by_shelf = match (shelf(*one), shelf(*other)) {
                (Some(one), Some(other)) => one.split('/').cmp(other.split('/')),
                (one, other) => other.is_some().cmp(&one.is_some()),
            };
            by_shelf.then_with(|| (&products[*one].title, *one).cmp(&(&products[*other].title, *other)))
        });
        let mut numbers = vec![u32::MAX; products.len()];
        for (number, index) in (0..).zip(&order) {
            numbers[*index] = number;
        }
        Self { order, numbers }
    }

    /// Place of each among all by title in a language, by number.
    pub(super) fn name_ranks(&self, loaded: &Loaded, language: &str) -> Vec<u32> {
        let title = |number: u32| loaded.catalog.products()[self.order[number as usize]].title_in(language);
        let mut by_title: Vec<u32> = (0..self.order.len() as u32).collect();
        by_title.sort_by_cached_key(|number| (title(*number).to_lowercase(), *number));
        let mut ranks = vec![0; self.order.len()];
        for (rank, number) in (0..).zip(by_title) {
            ranks[number as usize] = rank;
        }
        ranks
    }

    /// Products in parts of one size, each with its first number.
    pub(super) fn parts(&self, size: usize) -> impl Iterator<Item = (usize, &[usize])> {
        self.order.chunks(size).enumerate().map(move |(part, products)| (part * size, products))
    }

    /// Categories with what stands on them.
    pub(super) fn categories(&self, loaded: &Loaded, shelves: &[Vec<usize>], language: &str) -> Vec<Category> {
        let category = |(category, shelf): (&crate::commerce::catalog::Category, &Vec<usize>)| {
            let mut numbers: Vec<u32> = shelf.iter().map(|index| self.numbers[*index]).collect();
            numbers.sort_unstable();
            Category { path: category.path.to_string(), title: category.title_in(language).to_owned(), products: runs(&numbers) }
        };
        loaded.catalog.categories().iter().zip(shelves).filter(|(_, shelf)| !shelf.is_empty()).map(category).collect()
    }
}

/// Numbers as (steps from the end of the run before, how many in a row) one after the other: a whole shelf is mostly one run.
fn runs(numbers: &[u32]) -> Vec<u32> {
    let mut runs = Vec::new();
    let mut end = 0;
    for run in numbers.chunk_by(|one, next| one + 1 == *next) {
        runs.extend([run[0] - end, run.len() as u32]);
        end = run[0] + run.len() as u32;
    }
    runs
}

/// Amounts that cut a market's prices into about four equal parts, at round numbers.
pub(super) fn usual_bands(loaded: &Loaded, shown: &[bool], currency: Currency, at: Timestamp) -> Vec<i64> {
    let products = loaded.catalog.products().iter().zip(shown).filter(|(_, shown)| **shown);
    let mut prices: Vec<i64> = products.filter_map(|(product, _)| lowest_price(product, currency, at)).collect();
    prices.sort_unstable();
    let quarter = |part: usize| prices.get(prices.len() * part / 4).copied().unwrap_or(0);
    let limits: BTreeMap<i64, ()> = (1..4).map(|part| (rounded(quarter(part), currency), ())).collect();
    let lowest = prices.first().copied().unwrap_or(0);
    limits.into_keys().filter(|limit| *limit > lowest).collect()
}

// Down to 1, 2 or 5 times a power of ten, in whole units of the currency where it is at least one.
fn rounded(minor: i64, currency: Currency) -> i64 {
    let unit = 10_i64.pow(currency.exponent());
    let mut power = if minor >= unit { unit } else { 1 };
    while minor / 10 >= power {
        power *= 10;
    }
    [5, 2, 1].into_iter().map(|factor| factor * power).find(|round| *round <= minor).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_begin_at_round_amounts() {
        let euro = Currency::from_code("EUR").expect("a currency");
        let cases = [(0, 0), (7, 5), (99, 50), (100, 100), (499, 200), (500, 500), (12_900, 10_000), (49_999, 20_000)];
        for (minor, expected) in cases {
            assert_eq!(rounded(minor, euro), expected, "{minor}");
        }
    }

    #[test]
    fn numbers_in_a_row_are_one_run() {
        assert_eq!(runs(&[]), [0; 0]);
        assert_eq!(runs(&[0, 1, 2]), [0, 3]);
        assert_eq!(runs(&[4, 5, 9]), [4, 2, 3, 1]);
    }
}
