//! Accounts: orders as rows for bookkeeping: one for each line, one for each refund, or taxes by quarter, country and rate.
//!
//! Always  rows add up: lines and shipping to an order's total; net, tax and what went back to what was taken. A refund names no line, so it
//!         is split over its order's rates in proportion, to the last minor unit.
//! Source  what the One Stop Shop asks for: Implementing Regulation (EU) 2020/194, by quarter, country of consumption and rate.

use std::collections::BTreeMap;

use super::super::super::stock::instant;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money};
use crate::commerce::order::{Order, OrderState};
use crate::commerce::tax::TaxMode;
use crate::store::export::Exported;

/// Columns of lines.
pub(super) const LINES: &[&str] = &[
    "number",
    "id",
    "state",
    "paid_at",
    "market",
    "country",
    "line",
    "sku",
    "title",
    "variant",
    "properties",
    "quantity",
    "units_sent",
    "currency",
    "unit_price",
    "discount",
    "total",
    "tax",
    "tax_class",
    "tax_mode",
];

/// Columns of refunds.
pub(super) const REFUNDS: &[&str] = &[
    "number",
    "id",
    "refund",
    "state",
    "asked_at",
    "changed_at",
    "currency",
    "amount",
    "restocked",
    "reason",
    "gateway",
    "reference",
];

/// Columns of taxes.
pub(super) const TAXES: &[&str] = &[
    "quarter",
    "country",
    "tax",
    "percent",
    "currency",
    "orders",
    "net",
    "tax_amount",
    "refunds",
    "refunded_net",
    "refunded_tax",
];

/// One row for each line of an order.
pub(super) fn lines(row: &Exported) -> Vec<Vec<String>> {
    let (order, priced) = (&row.order, &row.order.quote.priced);
    let sent = |line: u32| -> u64 {
        let kept = row.fulfillments.iter().filter(|one| one.undone_at.is_none());
        kept.flat_map(|one| &one.lines).filter(|one| one.line == line).map(|one| u64::from(one.quantity)).sum()
    };
    let of = |(place, line): (u32, &crate::commerce::pricing::PricedLine)| {
        let properties: Vec<String> = line.properties.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        vec![
            number(order),
            order.id.0.clone(),
            order.state.name().to_owned(),
            order.paid_at.map_or_else(String::new, instant),
            order.quote.market.as_str().to_owned(),
            order.quote.address.country.clone(),
            (place + 1).to_string(),
            line.sku.to_string(),
            line.title.clone(),
            line.variant_title.clone(),
            properties.join("; "),
            line.quantity.to_string(),
            sent(place).to_string(),
            priced.currency.code().to_owned(),
            line.unit_price.to_decimal_string(),
            line.discount.to_decimal_string(),
            line.total.to_decimal_string(),
            line.tax.to_decimal_string(),
            line.tax_class.as_str().to_owned(),
            mode(priced.tax_mode).to_owned(),
        ]
    };
    (0..).zip(&priced.lines).map(of).collect()
}

/// One row for each refund of an order.
pub(super) fn refunds(row: &Exported) -> Vec<Vec<String>> {
    let of = |one: &crate::store::refunds::Refund| {
        vec![
            number(&row.order),
            row.order.id.0.clone(),
            one.id.clone(),
            one.state.name().to_owned(),
            instant(one.created_at),
            instant(one.changed_at),
            one.amount.currency.code().to_owned(),
            one.amount.to_decimal_string(),
            one.restocked.to_string(),
            one.reason.clone(),
            row.gateway.clone().unwrap_or_default(),
            one.reference.clone().unwrap_or_default(),
        ]
    };
    row.refunds.iter().map(of).collect()
}

/// Quarter, country, tax, percent, currency.
type Account = (String, String, String, String, String);

/// Sums of an account, in minor units.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    orders: u64,
    net: i64,
    tax: i64,
    refunds: i64,
    refunded_net: i64,
    refunded_tax: i64,
}

/// Taxes of all orders that were paid, counted up one by one: what was booked in the period, whenever its order was written.
#[derive(Debug, Default)]
pub(super) struct Taxes {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    accounts: BTreeMap<Account, (Sums, Option<Currency>)>,
}

impl Taxes {
    /// Of a period: from the one instant on and before the other.
    pub(super) fn of(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Self { since, until, accounts: BTreeMap::new() }
    }

    fn is_booked(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Counts an order and what went back of it.
    pub(super) fn count(&mut self, row: &Exported) {
        let order = &row.order;
        let Some(paid_at) = order.paid_at.filter(|_| order.state == OrderState::Placed) else { return };
        let parts = parts(order);
        if self.is_booked(paid_at) {
            for part in &parts {
                let sums = self.at(order, part, paid_at);
                sums.orders += 1;
                sums.net += part.net;
                sums.tax += part.tax;
            }
        }
        let weights: Vec<i64> = parts.iter().map(|part| part.net + part.tax).collect();
        // By the ledger, which is only added to: what was filed for a period stays as it was.
        for (at, amount) in row.booked.iter().copied() {
            if !self.is_booked(at) {
                continue;
            }
            let sign = amount.minor.signum();
            let Ok(shares) = Money::new(amount.minor * sign, amount.currency).split(&weights) else { continue };
            for (part, share) in parts.iter().zip(shares) {
                let Ok(halves) = share.split(&[part.net, part.tax]) else { continue };
                let sums = self.at(order, part, at);
                sums.refunds += sign;
                sums.refunded_net += sign * halves[0].minor;
                sums.refunded_tax += sign * halves[1].minor;
            }
        }
    }

    fn at(&mut self, order: &Order, part: &Part, at: Timestamp) -> &mut Sums {
        let priced = &order.quote.priced;
        let country = priced.tax_country.clone().unwrap_or_else(|| order.quote.address.country.clone());
        let account = (quarter(at), country, part.name.clone(), part.percent.clone(), priced.currency.code().to_owned());
        let (sums, currency) = self.accounts.entry(account).or_default();
        *currency = Some(priced.currency);
        sums
    }

    /// The rows, by quarter, country and rate.
    pub(super) fn rows(self) -> Vec<Vec<String>> {
        let row = |(account, (sums, currency_of)): (Account, (Sums, Option<Currency>))| {
            let (quarter, country, tax, percent, currency) = account;
            let money =
                |minor: i64| currency_of.map_or_else(String::new, |currency| Money::new(minor, currency).to_decimal_string());
            vec![
                quarter,
                country,
                tax,
                percent,
                currency,
                sums.orders.to_string(),
                money(sums.net),
                money(sums.tax),
                sums.refunds.to_string(),
                money(sums.refunded_net),
                money(sums.refunded_tax),
            ]
        };
        self.accounts.into_iter().map(row).collect()
    }
}

/// What of an order is taxed by one rate, in minor units.
struct Part {
    name: String,
    percent: String,
    net: i64,
    tax: i64,
}

/// The parts of an order's total; what no tax is taken of is a part without a name.
fn parts(order: &Order) -> Vec<Part> {
    let priced = &order.quote.priced;
    let part = |one: &crate::commerce::tax::TaxPart| {
        let net = match priced.tax_mode {
            TaxMode::Inclusive => one.base.minor - one.tax.minor,
            TaxMode::Exclusive => one.base.minor,
        };
        Part { name: one.name.clone(), percent: one.percent.clone(), net, tax: one.tax.minor }
    };
    let mut parts: Vec<Part> = priced.taxes.iter().map(part).collect();
    let rest = priced.totals.total.minor - parts.iter().map(|part| part.net + part.tax).sum::<i64>();
    if rest != 0 || parts.is_empty() {
        parts.push(Part { name: String::new(), percent: "0".to_owned(), net: rest, tax: 0 });
    }
    parts
}

/// Such as `2026-Q4`, in UTC.
fn quarter(at: Timestamp) -> String {
    let day = instant(at);
    let month: u8 = day.get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1);
    format!("{}-Q{}", day.get(..4).unwrap_or("1970"), month.saturating_sub(1) / 3 + 1)
}

fn number(order: &Order) -> String {
    order.number.clone().unwrap_or_default()
}

fn mode(mode: TaxMode) -> &'static str {
    match mode {
        TaxMode::Inclusive => "inclusive",
        TaxMode::Exclusive => "exclusive",
    }
}
