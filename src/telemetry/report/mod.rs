//! Report: whether speed earns money, from what was counted.
//!
//! Owns    shares with their confidence, percentiles, budgets; what is too few to be shown.
//! Knows   counts alone: no person, no cart, no order. How money is spelled is told by whoever prints.
//! Always  a cell of fewer than FEW is not shown, nor could it be found by subtracting the others of its table.
//! Source  intervals: Wilson, 1927 (95 %), which hold for small counts and for shares near 0 and 1, too.

use serde::Serialize;

use super::cells::{Steps, Views};
use super::slo::{Area, Objectives};
use super::vitals::{Band, Bucket, Connection, Device, Measure, Origin, Page};
use gathered::{Amounts, Gathered, Hour};

pub mod gathered;
mod html;
pub mod print;

/// Cells of fewer carts or views than that are not shown.
pub const FEW: u64 = 20;
/// Standard deviations of 95 %.
const Z: f64 = 1.959_964;
/// Seconds of an hour.
const HOUR_SECONDS: i64 = 3_600;

/// The hours that are looked at: from the first until before the last, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub from: i64,
    /// After the last.
    pub until: i64,
}

impl Period {
    /// The whole hours that hold a time, seconds since 1970.
    pub fn holding(since_s: i64, until_s: i64) -> Self {
        Self {
            from: since_s.div_euclid(HOUR_SECONDS),
            until: until_s.div_euclid(HOUR_SECONDS) + i64::from(until_s.rem_euclid(HOUR_SECONDS) > 0),
        }
    }

    fn seconds(self) -> f64 {
        (self.until - self.from).max(0) as f64 * HOUR_SECONDS as f64
    }
}

/// A share with what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// How many did.
    pub count: u64,
    /// Of so many.
    pub of: u64,
    /// From 0 to 1.
    pub share: f64,
    /// Where it is at least, with 95 % confidence.
    pub low: f64,
    /// Where it is at most.
    pub high: f64,
}

impl Share {
    /// Of counts; `None`: of nothing. Counts of one period are not the same carts: where more did than began in it, all did.
    pub fn of(count: u64, of: u64) -> Option<Self> {
        if of == 0 {
            return None;
        }
        let count = count.min(of);
        let (hits, all) = (count as f64, of as f64);
        let share = hits / all;
        let middle = (share + Z * Z / (2.0 * all)) / (1.0 + Z * Z / all);
        let half = Z / (1.0 + Z * Z / all) * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt();
        // Rounding must not push the share out of its own interval.
        Some(Self { count, of, share, low: (middle - half).clamp(0.0, share), high: (middle + half).clamp(share, 1.0) })
    }

    /// Those that did not.
    fn rest(count: u64, of: u64) -> Option<Self> {
        Self::of(of - count.min(of), of)
    }
}

/// Money of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
}

fn amounts(all: &Amounts) -> Vec<Amount> {
    all.iter().map(|(currency, minor)| Amount { amount: *minor, currency: currency.clone() }).collect()
}

/// Carts that are alike in one thing; nothing but the name where they are too few.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What they are alike in.
    pub name: &'static str,
    /// What is known of them; `None`: too few.
    pub told: Option<Told>,
}

/// What is known of carts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// Begun.
    pub carts: u64,
    /// Orders of carts.
    pub conversion: Option<Share>,
    /// Carts without a checkout.
    pub cart_abandonment: Option<Share>,
    /// Checkouts without an order.
    pub checkout_abandonment: Option<Share>,
    /// Money of the orders.
    pub revenue: Vec<Amount>,
    /// The same for each cart, minor units.
    pub revenue_per_cart: Vec<Amount>,
}

/// How fast a kind of page was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// Which.
    pub page: &'static str,
    /// Views that were told; `None`: too few, and nothing more.
    pub views: Option<u64>,
    /// Largest contentful paint: 50, 75 and 95 % of views were not slower, milliseconds.
    pub lcp_ms: Option<[u64; 3]>,
    /// Until the first product was seen.
    pub first_product_ms: Option<[u64; 3]>,
    /// Interaction to next paint.
    pub inp_ms: Option<[u64; 3]>,
    /// Time to the first byte.
    pub ttfb_ms: Option<[u64; 3]>,
    /// Layout shift in thousandths.
    pub cls_thousandths: Option<[u64; 3]>,
}

/// How a part of the edge kept its promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// Which part.
    pub area: &'static str,
    /// Requests.
    pub requests: u64,
    /// Answered by a failure of ours.
    pub failed: u64,
    /// Answered later than promised.
    pub late: u64,
    /// Milliseconds that were promised.
    pub within_ms: u32,
    /// Seconds that may fail over the days of the promise.
    pub budget_s: f64,
    /// Seconds of it that this period took: its length times the share that failed.
    pub burnt_s: f64,
    /// The same of answers that were late.
    pub late_budget_s: f64,
    /// Seconds of that.
    pub late_burnt_s: f64,
}

/// What was counted in a span of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// Seconds since 1970.
    pub from_s: i64,
    /// Hours it has.
    pub hours: i64,
    /// Views that were told.
    pub views: u64,
    /// Requests.
    pub requests: u64,
    /// Of which failed.
    pub failed: u64,
    /// Carts that were begun.
    pub carts: u64,
    /// Paid orders.
    pub orders: u64,
    /// Their money.
    pub revenue: Vec<Amount>,
}

impl Span {
    fn of(period: Period, counted: &Hour) -> Self {
        let Hour { views, requests, failed, carts, orders, revenue } = counted;
        Self {
            from_s: period.from * HOUR_SECONDS,
            hours: (period.until - period.from).max(0),
            views: *views,
            requests: *requests,
            failed: *failed,
            carts: *carts,
            orders: *orders,
            revenue: amounts(revenue),
        }
    }
}

/// What went wrong for shoppers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Met {
    /// What.
    pub problem: &'static str,
    /// How often they were told.
    pub times: u64,
}

/// Which buckets are meant.
type Meant = Box<dyn Fn(Bucket) -> bool>;

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The whole period.
    pub total: Span,
    /// The same hours a week before, for an event.
    pub week_before: Option<Span>,
    /// By device.
    pub devices: Vec<Group>,
    /// By connection.
    pub connections: Vec<Group>,
    /// By how long the page was waited for that the cart was begun on.
    pub bands: Vec<Group>,
    /// By the kind of that page.
    pub origins: Vec<Group>,
    /// Carts of which nothing was told: without script, or by those who are not to be measured.
    pub untold: Group,
    /// How fast pages were.
    pub pages: Vec<Speed>,
    /// How promises were kept.
    pub promises: Vec<Kept>,
    /// Days of the promises.
    pub promised_days: u16,
    /// Money that failed payments may have cost: as much as those that went through brought, for each that failed.
    pub at_risk: Vec<Amount>,
    /// What shoppers met, the most frequent first.
    pub problems: Vec<Met>,
    /// The period, span by span.
    pub spans: Vec<Span>,
    /// Rows that could not be read.
    pub unreadable: u64,
}

impl Report {
    /// Of what was gathered; `week_before`: what the same hours had a week before.
    pub fn of(gathered: &Gathered, period: Period, week_before: Option<&Gathered>, objectives: &Objectives) -> Self {
        let before = Period { from: period.from - 7 * 24, until: period.until - 7 * 24 };
        let groups = |names: Vec<(&'static str, Meant)>| -> Vec<Group> {
            let all: Vec<_> = names
                .into_iter()
                .map(|(name, is_meant)| (name, gathered.steps_of(|bucket| bucket.is_some_and(&is_meant))))
                .collect();
            let shown = shown(&all.iter().map(|(_, (steps, _))| weight(steps)).collect::<Vec<_>>());
            let group = |((name, (steps, money)), is_shown): ((_, (Steps, Amounts)), bool)| Group {
                name,
                told: is_shown.then(|| told(&steps, &money)),
            };
            all.into_iter().zip(shown).map(group).collect()
        };
        macro_rules! by {
            ($set:ty, $field:ident) => {
                groups(
                    <$set>::ALL
                        .iter()
                        .map(|one| (one.word(), Box::new(move |bucket: Bucket| bucket.$field == *one) as Meant))
                        .collect(),
                )
            };
        }
        let (untold, money) = gathered.steps_of(|bucket| bucket.is_none());
        let mut problems: Vec<Met> =
            gathered.problems.iter().map(|(problem, times)| Met { problem: problem.word(), times: *times }).collect();
        problems.sort_by_key(|met| std::cmp::Reverse(met.times));
        Self {
            total: Span::of(period, &gathered.total()),
            week_before: week_before.map(|gathered| Span::of(before, &gathered.total())),
            devices: by!(Device, device),
            connections: by!(Connection, connection),
            bands: by!(Band, band),
            origins: by!(Origin, origin),
            untold: Group { name: "not_told", told: shown(&[weight(&untold)])[0].then(|| told(&untold, &money)) },
            pages: Page::ALL.iter().map(|page| speed(*page, gathered)).collect(),
            promises: objectives.promises.iter().map(|(area, _)| kept(*area, gathered, period, objectives)).collect(),
            promised_days: objectives.days,
            at_risk: at_risk(gathered),
            problems,
            spans: spans(gathered, period),
            unreadable: gathered.unreadable,
        }
    }
}

fn weight(steps: &Steps) -> u64 {
    steps.carts.max(steps.orders)
}

/// Which of these counts are shown: none below FEW but empty ones, and never all but one.
fn shown(counts: &[u64]) -> Vec<bool> {
    let mut shown: Vec<bool> = counts.iter().map(|count| *count == 0 || *count >= FEW).collect();
    if shown.iter().filter(|is_shown| !**is_shown).count() == 1 {
        let smallest = (0..counts.len()).filter(|place| shown[*place] && counts[*place] > 0).min_by_key(|place| counts[*place]);
        if let Some(place) = smallest {
            shown[place] = false;
        }
    }
    shown
}

fn told(steps: &Steps, money: &Amounts) -> Told {
    let per_cart = |amount: Amount| Amount { amount: amount.amount / steps.carts.max(1), ..amount };
    Told {
        carts: steps.carts,
        conversion: Share::of(steps.orders, steps.carts),
        cart_abandonment: Share::rest(steps.checkouts, steps.carts),
        checkout_abandonment: Share::rest(steps.orders, steps.checkouts),
        revenue: amounts(money),
        revenue_per_cart: amounts(money).into_iter().map(per_cart).collect(),
    }
}

fn speed(page: Page, gathered: &Gathered) -> Speed {
    let views: Views = gathered.views_of(|of, _, _| of == page);
    let is_shown = views.count == 0 || views.count >= FEW;
    let of = |measure: Measure| {
        let sketch = views.measure(measure).filter(|sketch| sketch.count() >= FEW)?;
        Some([500, 750, 950].map(|share| sketch.per_mille(share).unwrap_or(0)))
    };
    Speed {
        page: page.word(),
        views: is_shown.then_some(views.count),
        lcp_ms: of(Measure::Lcp),
        first_product_ms: of(Measure::FirstProduct),
        inp_ms: of(Measure::Inp),
        ttfb_ms: of(Measure::Ttfb),
        cls_thousandths: of(Measure::Cls),
    }
}

fn kept(area: Area, gathered: &Gathered, period: Period, objectives: &Objectives) -> Kept {
    let promise = objectives.promises.iter().find(|(of, _)| *of == area).map_or_else(|| area.usual(), |(_, promise)| *promise);
    let counted = gathered.requests.get(&area).copied().unwrap_or_default();
    let (requests, late) = (counted.count(), counted.later_than(promise.within_ms));
    let burnt = |count: u64| if requests == 0 { 0.0 } else { period.seconds() * count as f64 / requests as f64 };
    let budget = |promised: u32| f64::from(objectives.days) * 86_400.0 * f64::from(1_000_000 - promised.min(1_000_000)) / 1e6;
    Kept {
        area: area.name(),
        requests,
        failed: counted.failed,
        late,
        within_ms: promise.within_ms,
        budget_s: budget(promise.availability),
        burnt_s: burnt(counted.failed),
        late_budget_s: budget(promise.latency),
        late_burnt_s: burnt(late),
    }
}

fn at_risk(gathered: &Gathered) -> Vec<Amount> {
    let payments = gathered.requests.get(&Area::Payment).copied().unwrap_or_default();
    let (failed, went_through) = (payments.failed, payments.count().saturating_sub(payments.failed));
    if failed == 0 || went_through == 0 {
        return Vec::new();
    }
    let cost = |minor: u64| u64::try_from(u128::from(minor) * u128::from(failed) / u128::from(went_through)).unwrap_or(u64::MAX);
    let total = gathered.total();
    total.revenue.iter().map(|(currency, minor)| Amount { amount: cost(*minor), currency: currency.clone() }).collect()
}

/// By the hour up to three days, by the day up to four months, then by the week; of what there is.
fn spans(gathered: &Gathered, period: Period) -> Vec<Span> {
    let (Some(first), Some(last)) = (gathered.hours.keys().next(), gathered.hours.keys().next_back()) else { return Vec::new() };
    let (from, until) = (period.from.max(*first), period.until.min(last + 1));
    let length = match until - from {
        ..=72 => 1,
        73..=2_880 => 24,
        _ => 7 * 24,
    };
    // Days begin at midnight UTC.
    let mut at = from.div_euclid(length) * length;
    let mut spans = Vec::new();
    while at < until {
        let span = Period { from: at.max(from), until: (at + length).min(until) };
        let mut sum = Hour::default();
        gathered.hours.range(span.from..span.until).for_each(|(_, hour)| sum.add(hour));
        spans.push(Span::of(span, &sum));
        at += length;
    }
    spans
}

#[cfg(test)]
mod tests;
