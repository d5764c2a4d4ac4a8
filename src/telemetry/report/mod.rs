//! Report: whether speed earns money, from what was counted.
//!
//! Owns    shares with their confidence, percentiles, budgets; what is too few to be shown.
//! Knows   counts alone: no person, no cart, no order. How money is spelled is told by whoever prints.
//! Always  carts or views of fewer than FEW, and the money of fewer than FEW orders, are shown of no group, nor could they be found by subtracting
//!         the others of its table from the whole. The whole and its hours are exact: they say what was sold, and nothing of how it was looked at.
//! Source  intervals: Wilson, 1927 (95 %), which hold for small counts and for shares near 0 and 1, too.

use serde::Serialize;

use super::cells::{Steps, Views};
use super::slo::{Area, Objectives};
use super::tally::Problem;
use super::vitals::{Band, Bucket, Connection, Device, Measure, Origin, Page};
use gathered::{Amounts, Gathered, Hour};

pub mod gathered;
mod html;
pub mod print;

/// Groups of fewer carts, views or orders than that are not shown.
pub const FEW: u64 = 20;
/// Standard deviations of 95 %.
const Z: f64 = 1.959_964;
/// Seconds of an hour.
const HOUR_SECONDS: i64 = 3_600;
/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;

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

    /// As far as there is anything of it: a shop that opened yesterday kept no promise before, and none tomorrow.
    fn counted(self, gathered: &Gathered) -> Self {
        let (Some(first), Some(last)) = (gathered.hours.keys().next(), gathered.hours.keys().next_back()) else {
            return Self { until: self.from, ..self };
        };
        Self { from: self.from.max(*first), until: self.until.min(last + 1) }
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
    /// Of counts; `None`: of nothing. Counts of one period are not the same carts: where more did than began in it, there is no share either.
    pub fn of(count: u64, of: u64) -> Option<Self> {
        if of == 0 || count > of {
            return None;
        }
        let (hits, all) = (count as f64, of as f64);
        let share = hits / all;
        let middle = (share + Z * Z / (2.0 * all)) / (1.0 + Z * Z / all);
        let half = Z / (1.0 + Z * Z / all) * (share * (1.0 - share) / all + Z * Z / (4.0 * all * all)).sqrt();
        // Rounding must not push the share out of its own interval.
        Some(Self { count, of, share, low: (middle - half).clamp(0.0, share), high: (middle + half).clamp(share, 1.0) })
    }

    /// Those that did not.
    fn rest(count: u64, of: u64) -> Option<Self> {
        Self::of(of.checked_sub(count)?, of)
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
    /// Begun in the period.
    pub carts: u64,
    /// Checkouts begun in it, some of carts of before.
    pub checkouts: u64,
    /// Paid in it, some of carts of before.
    pub orders: u64,
    /// Orders of carts; `None`: more than there were carts.
    pub conversion: Option<Share>,
    /// Carts without a checkout.
    pub cart_abandonment: Option<Share>,
    /// Checkouts without an order.
    pub checkout_abandonment: Option<Share>,
    /// Money of the orders; `None`: of too few, or it would tell that of too few.
    pub revenue: Option<Vec<Amount>>,
    /// The same for each cart, minor units; nothing where there is no share of carts.
    pub revenue_per_cart: Vec<Amount>,
}

/// How fast a kind of page was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Speed {
    /// Which.
    pub page: &'static str,
    /// Views that were told; `None`: too few, or they would tell those that are, and nothing more.
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
    /// Seconds that may fail over the days of the promise, or over the period where it is longer.
    pub budget_s: f64,
    /// Seconds of it that this period took: the length of what was counted of it times the share that failed.
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
    /// Money that failed payments may have cost: what an order brought, for each time that somebody was told.
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
        let steps = |names: Vec<(&'static str, Meant)>| -> Vec<Counted> {
            let of = |is_meant: Meant| gathered.steps_of(|bucket| bucket.is_some_and(&is_meant));
            names.into_iter().map(|(name, is_meant)| (name, of(is_meant))).collect()
        };
        macro_rules! by {
            ($set:ty, $field:ident) => {
                steps(
                    <$set>::ALL
                        .iter()
                        .map(|one| (one.word(), Box::new(move |bucket: Bucket| bucket.$field == *one) as Meant))
                        .collect(),
                )
            };
        }
        let tables = [by!(Device, device), by!(Connection, connection), by!(Band, band), by!(Origin, origin)];
        let ([devices, connections, bands, origins], untold) = groups(tables, gathered.steps_of(|bucket| bucket.is_none()));
        let mut problems: Vec<Met> =
            gathered.problems.iter().map(|(problem, times)| Met { problem: problem.word(), times: *times }).collect();
        problems.sort_by_key(|met| std::cmp::Reverse(met.times));
        Self {
            total: Span::of(period, &gathered.total()),
            week_before: week_before.map(|gathered| Span::of(before, &gathered.total())),
            devices,
            connections,
            bands,
            origins,
            untold,
            pages: speeds(gathered),
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
    steps.carts.max(steps.checkouts).max(steps.orders)
}

/// Carts that are alike, by name.
type Counted = (&'static str, (Steps, Amounts));

/// Groups of some tables, and those that were not told, which all tables have in common.
fn groups<const TABLES: usize>(tables: [Vec<Counted>; TABLES], untold: (Steps, Amounts)) -> ([Vec<Group>; TABLES], Group) {
    let shown_by = |count: fn(&Steps) -> u64| {
        let counts = tables.each_ref().map(|table| table.iter().map(|(_, (steps, _))| count(steps)).collect());
        shown_beside(&counts, count(&untold.0))
    };
    let ((carts, is_shown), (money, has_money)) = (shown_by(weight), shown_by(|steps| steps.orders));
    let group = |(name, (steps, amounts)): &Counted, is_shown: bool, has_money: bool| {
        let told = is_shown.then(|| told(steps, has_money.then_some(amounts)));
        Group { name, told }
    };
    let groups = std::array::from_fn(|place| {
        let flags = carts[place].iter().zip(&money[place]);
        tables[place].iter().zip(flags).map(|(counted, (is_shown, has_money))| group(counted, *is_shown, *has_money)).collect()
    });
    (groups, group(&("not_told", untold), is_shown, has_money))
}

/// Which counts of some tables are shown that have one more in common, and whether that one is. It is either in all of them or in none.
fn shown_beside<const TABLES: usize>(tables: &[Vec<u64>; TABLES], common: u64) -> ([Vec<bool>; TABLES], bool) {
    let judged = |is_open: bool| {
        tables.each_ref().map(|counts| {
            let mut all = counts.clone();
            all.push(common);
            shown(&all, is_open)
        })
    };
    let mut tables = judged(true);
    let is_open = tables.iter().all(|shown| shown.last() == Some(&true));
    if !is_open {
        tables = judged(false);
    }
    for shown in &mut tables {
        shown.pop();
    }
    (tables, is_open)
}

/// Which of these counts are shown: none below FEW but empty ones, and never all but one. `is_open`: whether the last may be.
fn shown(counts: &[u64], is_open: bool) -> Vec<bool> {
    let mut shown: Vec<bool> = counts.iter().map(|count| *count == 0 || *count >= FEW).collect();
    if let Some(last) = shown.last_mut().filter(|_| !is_open) {
        *last = false;
    }
    if shown.iter().filter(|is_shown| !**is_shown).count() == 1 {
        let smallest = (0..counts.len()).filter(|place| shown[*place] && counts[*place] > 0).min_by_key(|place| counts[*place]);
        if let Some(place) = smallest {
            shown[place] = false;
        }
    }
    shown
}

fn told(steps: &Steps, money: Option<&Amounts>) -> Told {
    let Steps { carts, checkouts, orders, .. } = *steps;
    let conversion = Share::of(orders, carts);
    let per_cart = |amount: Amount| Amount { amount: amount.amount / carts, ..amount };
    let revenue = money.map(amounts);
    Told {
        carts,
        checkouts,
        orders,
        conversion,
        cart_abandonment: Share::rest(checkouts, carts),
        checkout_abandonment: Share::rest(orders, checkouts),
        // A share there is only of carts that there are.
        revenue_per_cart: revenue.iter().flatten().filter(|_| conversion.is_some()).cloned().map(per_cart).collect(),
        revenue,
    }
}

fn speeds(gathered: &Gathered) -> Vec<Speed> {
    let views: Vec<Views> = Page::ALL.iter().map(|page| gathered.views_of(|of, _, _| of == *page)).collect();
    let shown = shown(&views.iter().map(|views| views.count).collect::<Vec<_>>(), true);
    Page::ALL.iter().zip(&views).zip(shown).map(|((page, views), is_shown)| speed(*page, views, is_shown)).collect()
}

fn speed(page: Page, views: &Views, is_shown: bool) -> Speed {
    let of = |measure: Measure| {
        let sketch = views.measure(measure).filter(|sketch| is_shown && sketch.count() >= FEW)?;
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
    let passed = period.counted(gathered).seconds();
    let burnt = |count: u64| if requests == 0 { 0.0 } else { passed * count as f64 / requests as f64 };
    let promised_s = passed.max(f64::from(objectives.days) * DAY_SECONDS);
    let budget = |promised: u32| promised_s * f64::from(1_000_000 - promised.min(1_000_000)) / 1e6;
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
    let failed = gathered.problems.get(&Problem::PaymentFailed).copied().unwrap_or_default();
    let total = gathered.total();
    if failed == 0 || total.orders == 0 {
        return Vec::new();
    }
    let cost = |minor: u64| u64::try_from(u128::from(minor) * u128::from(failed) / u128::from(total.orders)).unwrap_or(u64::MAX);
    total.revenue.iter().map(|(currency, minor)| Amount { amount: cost(*minor), currency: currency.clone() }).collect()
}

/// By the hour up to three days, by the day up to four months, then by the week; of what there is.
fn spans(gathered: &Gathered, period: Period) -> Vec<Span> {
    let Period { from, until } = period.counted(gathered);
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
