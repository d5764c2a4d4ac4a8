//! Exports for bookkeeping: lines, refunds and taxes add up to what was taken and what went back.

use std::collections::BTreeMap;

use crate::faulty::hooks::HookFault;
use crate::orders_cli::orders;
use crate::refunds::{hears, sold_either_way};
use crate::support::counter::{Counter, Shopper};

type Rows = Vec<BTreeMap<String, String>>;

fn exported(counter: &Counter, what: &str) -> Rows {
    exported_by(counter, what, &[])
}

fn exported_by(counter: &Counter, what: &str, period: &[&str]) -> Rows {
    let (code, out, told) = orders(counter, &[&["export", "--what", what], period].concat());
    assert_eq!(code, 0, "{told}");
    let mut table = csv::Reader::from_reader(out.as_bytes());
    let columns = table.headers().expect("a head").clone();
    let readme = include_str!("../../README.md");
    let named = columns.iter().filter(|column| readme.contains(&format!("`{column}`"))).count();
    assert!(named * 2 > columns.len(), "the README names few of {columns:?}");
    let of = |row: csv::StringRecord| columns.iter().zip(&row).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect();
    table.records().map(|row| of(row.expect("RFC 4180"))).collect()
}

/// Sum of a column of amounts, in cents.
fn cents(rows: &Rows, column: &str) -> i64 {
    let minor = |cell: &str| cell.replace('.', "").parse::<i64>().unwrap_or_else(|_| panic!("{column}: {cell}"));
    rows.iter().map(|row| minor(&row[column])).sum()
}

#[test]
fn lines_refunds_and_taxes_add_up() {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 3).buy(&counter).expect(200);
    Shopper::with(&counter, "MUG", 2).buy(&counter).expect(200);
    counter.round();
    for wish in [&["refund", "T-100001", "--amount", "10.01", "--yes"][..], &["refund", "T-100002", "--reason", "late", "--yes"]]
    {
        assert_eq!(orders(&counter, wish).0, 0);
        counter.pass(1);
        counter.round();
    }
    let whole = exported(&counter, "orders");
    let lines = exported(&counter, "lines");
    assert_eq!(lines.iter().map(|row| row["sku"].as_str()).collect::<Vec<_>>(), ["LAMP-S", "MUG"]);
    assert_eq!(cents(&lines, "total"), cents(&whole, "subtotal") - cents(&whole, "discount"));
    let refunds = exported(&counter, "refunds");
    assert_eq!((refunds.len(), &refunds[1]["reason"]), (2, &"late".to_owned()));
    assert_eq!(cents(&refunds, "amount"), cents(&whole, "refunded"));
    let taxes = exported(&counter, "taxes");
    assert_eq!(cents(&taxes, "net") + cents(&taxes, "tax_amount"), cents(&whole, "total"));
    assert_eq!(cents(&taxes, "tax_amount"), cents(&whole, "tax"));
    assert_eq!(cents(&taxes, "refunded_net") + cents(&taxes, "refunded_tax"), cents(&whole, "refunded"));
    assert!(taxes.iter().all(|row| row["quarter"].starts_with("2026-Q") && row["country"] == "DE"), "{taxes:?}");
    let (_, out, _) = orders(&counter, &["export", "--what", "taxes", "--format", "jsonl"]);
    assert_eq!(out.lines().count(), taxes.len());
}

#[test]
fn a_period_has_the_taxes_that_were_booked_in_it() {
    let counter = Counter::open();
    Shopper::with(&counter, "LAMP-S", 1).buy(&counter).expect(200);
    counter.round();
    // It goes back in the next quarter.
    counter.pass(30 * 24 * 3600);
    assert_eq!(orders(&counter, &["refund", "T-100001", "--yes"]).0, 0);
    counter.pass(1);
    counter.round();
    let whole = exported(&counter, "taxes");
    let of = |period: &[&str]| {
        let rows = exported_by(&counter, "taxes", period);
        let told = |row: &BTreeMap<String, String>| ["quarter", "orders", "refunds"].map(|column| row[column].clone());
        (rows.iter().map(told).collect::<Vec<_>>(), cents(&rows, "tax_amount"), cents(&rows, "refunded_tax"))
    };
    let tax = cents(&whole, "tax_amount");
    let row = |cells: [&str; 3]| cells.map(str::to_owned);
    assert!(tax > 0);
    assert_eq!(of(&["--until", "2026-10-01"]), (vec![row(["2026-Q3", "1", "0"])], tax, 0));
    assert_eq!(of(&["--since", "2026-10-01"]), (vec![row(["2026-Q4", "0", "1"])], 0, tax));
    assert_eq!(of(&[]).0.len(), 2);
}

#[test]
fn money_that_came_back_after_all_is_added_in_the_period_in_which_it_did() {
    let [shop, _] = sold_either_way();
    hears(&shop, HookFault::Fine);
    let intent = shop.faulty.objects("payment_intent")[0]["id"].as_str().expect("a name").to_owned();
    shop.faulty.refund_by_hand(&intent, 480);
    hears(&shop, HookFault::Fine);
    let booked = |period: &[&str]| {
        let rows = exported_by(&shop.counter, "taxes", period);
        cents(&rows, "refunded_net") + cents(&rows, "refunded_tax")
    };
    let (before, after) = (["--until", "2026-10-01"], ["--since", "2026-10-01"]);
    assert_eq!((booked(&before), booked(&after)), (480, 0));
    shop.counter.pass(30 * 24 * 3600);
    shop.faulty.fail_refunds();
    hears(&shop, HookFault::Fine);
    assert_eq!((booked(&before), booked(&after), booked(&[])), (480, -480, 0), "what was filed stays as it was");
}
