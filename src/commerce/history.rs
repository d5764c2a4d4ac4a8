//! History: what was asked for each variant and since when, and the lowest of it before a reduction.
//!
//! Owns    the prior price of Directive 98/6/EC, Article 6a: the lowest price of the WINDOW before a reduction began. A price that was in
//!         force when that window began counts, however long before it was set. A reduction that grows step by step is one reduction
//!         and counts from its first step; one that was taken back, even a little, is a new one.
//! Knows   no file and no clock: steps come from `site::load::history`, the instant from the build.
//! Always  in doubt the lower price: what is not written down since the last step may have been so since any bound of a sale in between,
//!         and is taken as being so since then.

use super::catalog::{Catalog, Price, PriorPrice, Product};
use super::ids::{MarketId, Sku, SkuHash, Timestamp};
use super::money::Currency;
use super::rules::Rules;

/// Seconds before a reduction in which the lowest price is looked for: the directive's thirty days.
const WINDOW_SECONDS: i64 = 30 * 24 * 60 * 60;

/// A price from one instant on: a line of `price-history.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceStep {
    /// What is bought.
    pub sku: Sku,
    /// Where.
    pub market: MarketId,
    /// Currency of the price.
    pub currency: Currency,
    /// Price per unit, in minor units.
    pub minor: i64,
    /// Whether it was announced as a reduction: with a struck price beside it.
    pub is_reduced: bool,
    /// First instant.
    pub from: Timestamp,
}

/// All that is known of prices before now.
#[derive(Clone, Debug, Default)]
pub struct PriceHistory {
    markets: Vec<MarketId>,
    /// Sorted by place, then by instant.
    steps: Vec<(Place, Step)>,
}

/// Whose price: variant, place of the market in `markets`, currency.
type Place = (SkuHash, usize, Currency);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    from: Timestamp,
    minor: i64,
    is_reduced: bool,
}

impl PriceHistory {
    /// Of steps in the order in which they were written: of two from one instant the later one holds.
    pub fn new(written: Vec<PriceStep>) -> Self {
        let mut history = Self::default();
        for PriceStep { sku, market, currency, minor, is_reduced, from } in written {
            let known = history.markets.iter().position(|other| *other == market);
            let place = known.unwrap_or_else(|| {
                history.markets.push(market);
                history.markets.len() - 1
            });
            history.steps.push(((sku.hash(), place, currency), Step { from, minor, is_reduced }));
        }
        history.steps.sort_by_key(|(place, step)| (*place, step.from));
        history.steps.dedup_by(|later, kept| {
            let is_same = (later.0, later.1.from) == (kept.0, kept.1.from);
            if is_same {
                kept.1 = later.1;
            }
            is_same
        });
        history
    }

    /// The lowest price of the thirty days before the reduction that holds at an instant; `None`: nothing is reduced then, or nothing is
    /// known of the time before.
    pub fn lowest_before(&self, sku: SkuHash, market: &MarketId, currency: Currency, at: Timestamp) -> Option<i64> {
        lowest_before(self.of(sku, market, currency).iter().map(|(_, step)| step), at)
    }

    /// Steps that are not written down yet: what the catalogue asks at `at`, and what it asked since the last step by its own sales.
    /// Appended to the history they leave nothing to append at the same instant.
    pub fn due(&self, catalog: &Catalog, rules: &Rules, at: Timestamp) -> Vec<PriceStep> {
        let mut found = Vec::new();
        for product in catalog.products().iter().filter(|product| product.is_active(at)) {
            for market in &rules.markets {
                for (sku, price) in prices(product, market.currency) {
                    let known = self.until(sku.hash(), &market.id, market.currency, at);
                    let steps = due(price, known.last().copied(), at);
                    found.extend(steps.into_iter().map(|Step { from, minor, is_reduced }| PriceStep {
                        sku: sku.clone(),
                        market: market.id.clone(),
                        currency: market.currency,
                        minor,
                        is_reduced,
                        from,
                    }));
                }
            }
        }
        found
    }

    /// What `Price::prior` is of a price that is asked in `markets`, at `at` and at each later bound of its sales: the lowest of what is
    /// known of any of them. Empty where nothing is known.
    pub fn priors<'a>(
        &self,
        sku: SkuHash,
        price: &Price,
        markets: impl Iterator<Item = &'a MarketId>,
        at: Timestamp,
    ) -> Vec<PriorPrice> {
        let mut later: Vec<Timestamp> = price.bounds().filter(|bound| *bound > at).collect();
        later.sort_unstable();
        later.dedup();
        let told = |market: &MarketId| {
            let mut steps = self.until(sku, market, price.currency, at);
            let is_known = !steps.is_empty();
            steps.extend(due(price, steps.last().copied(), at));
            steps.extend(later.iter().map(|from| step(price, *from)));
            is_known.then_some(steps)
        };
        let known: Vec<Vec<Step>> = markets.filter_map(told).collect();
        let mut priors: Vec<PriorPrice> = Vec::new();
        for instant in std::iter::once(at).chain(later.iter().copied()) {
            let lowest = known.iter().filter_map(|steps| lowest_before(steps.iter(), instant)).min();
            if let Some(minor) = lowest.filter(|minor| priors.last().is_none_or(|last| last.minor != *minor)) {
                priors.push(PriorPrice { from: (instant != at).then_some(instant), minor });
            }
        }
        priors
    }

    fn until(&self, sku: SkuHash, market: &MarketId, currency: Currency, at: Timestamp) -> Vec<Step> {
        let steps = self.of(sku, market, currency).iter().map(|(_, step)| *step);
        steps.take_while(|step| step.from <= at).collect()
    }

    fn of(&self, sku: SkuHash, market: &MarketId, currency: Currency) -> &[(Place, Step)] {
        let Some(market) = self.markets.iter().position(|other| other == market) else { return &[] };
        let place = (sku, market, currency);
        let start = self.steps.partition_point(|(other, _)| *other < place);
        let length = self.steps[start..].iter().take_while(|(other, _)| *other == place).count();
        &self.steps[start..start + length]
    }
}

/// Every price of a product in a currency.
fn prices(product: &Product, currency: Currency) -> impl Iterator<Item = (&Sku, &Price)> {
    product.variants.iter().filter_map(move |variant| Some((&variant.sku, variant.price(currency)?)))
}

// What a price asks by its own words from an instant on.
fn step(price: &Price, from: Timestamp) -> Step {
    let current = price.written_at(from);
    Step { from, minor: current.unit.minor, is_reduced: current.compare_at.is_some() }
}

fn due(price: &Price, last: Option<Step>, at: Timestamp) -> Vec<Step> {
    let mut instants: Vec<Timestamp> =
        last.map_or_else(Vec::new, |last| price.bounds().filter(|bound| last.from < *bound && *bound < at).collect());
    instants.push(at);
    instants.sort_unstable();
    let mut latest = last;
    let mut found = Vec::new();
    for next in instants.into_iter().map(|from| step(price, from)) {
        if latest.is_none_or(|latest| (latest.minor, latest.is_reduced) != (next.minor, next.is_reduced)) {
            latest = Some(next);
            found.push(next);
        }
    }
    found
}

// `steps` are sorted by instant. They are walked from the present back: most variants have a few.
fn lowest_before<'a>(steps: impl DoubleEndedIterator<Item = &'a Step>, at: Timestamp) -> Option<i64> {
    let mut back = steps.rev().skip_while(|step| step.from > at).peekable();
    let mut first = back.next().filter(|present| present.is_reduced)?;
    while let Some(before) = back.next_if(|before| before.is_reduced && before.minor >= first.minor) {
        first = before;
    }
    let opens = first.from.plus_seconds(-WINDOW_SECONDS);
    let mut lowest: Option<i64> = None;
    for step in back {
        lowest = Some(lowest.map_or(step.minor, |lowest| lowest.min(step.minor)));
        if step.from <= opens {
            break;
        }
    }
    lowest
}

#[cfg(test)]
mod tests;
