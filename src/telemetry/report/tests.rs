//! What a report says of counts whose truth is known.

use proptest::prelude::*;

use super::gathered::Gathered;
use super::print::Spelling;
use super::*;
use crate::telemetry::cells::{Counts, Requests};
use crate::telemetry::tally::{Alike, Problem, Row, Step, Tally};
use crate::telemetry::vitals::Beacon;

fn money(minor: u64, currency: &str) -> String {
    format!("{minor} {currency}")
}

fn instant(seconds: i64) -> String {
    format!("@{seconds}")
}

const SPELLING: Spelling<'static> = Spelling { money: &money, instant: &instant };

fn rows(tally: &Tally, now_s: i64) -> Vec<Row> {
    let mut rows = Vec::new();
    loop {
        let some = tally.due(now_s);
        if some.is_empty() {
            return rows;
        }
        rows.extend(some);
    }
}

fn gathered(rows: &[Row]) -> Gathered {
    let mut gathered = Gathered::default();
    rows.iter().for_each(|row| gathered.add(row.hour, row.kind, &row.cell, &row.body));
    gathered
}

fn report(gathered: &Gathered, period: Period) -> Report {
    Report::of(gathered, period, None, &Objectives::default())
}

const DAY: Period = Period { from: 0, until: 24 };

/// A shop whose shoppers are known: how many of each band begin a cart, a checkout, an order.
fn carts(tally: &Tally, band: Band, device: Device, counts: [u64; 3]) {
    let (connection, origin) = (Connection::Fast, Origin::Product);
    let alike = Alike { market: "eu", currency: "EUR", bucket: Bucket { band, device, connection, origin }.number() };
    for number in 0..counts[0] {
        tally.step(alike, Step::Cart, 0);
        if number < counts[1] {
            tally.step(alike, Step::Checkout { cart: (u64::from(alike.bucket) << 32) | number }, 0);
        }
        if number < counts[2] {
            tally.step(alike, Step::Order { total_minor: 1_000 }, 0);
        }
    }
}

#[test]
fn an_interval_holds_its_share_and_is_wilsons() {
    let share = Share::of(10, 100).expect("of some");
    assert!((share.low - 0.0552).abs() < 1e-4 && (share.high - 0.1744).abs() < 1e-4, "{share:?}");
    let none = Share::of(0, 20).expect("of some");
    assert!(none.low == 0.0 && (none.high - 0.1611).abs() < 1e-4, "{none:?}");
    assert_eq!(Share::of(0, 0), None);
    assert_eq!(Share::of(7, 5).expect("of some").share, 1.0, "orders of carts of the period before");
}

proptest! {
    #[test]
    fn an_interval_lies_between_nothing_and_all(of in 1_u64..1_000_000, count in 0_u64..1_000_000) {
        let Share { share, low, high, .. } = Share::of(count, of).expect("of some");
        prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
    }

    #[test]
    fn no_hidden_count_is_found_by_subtraction(counts in proptest::collection::vec(0_u64..60, 1..6)) {
        let shown = shown(&counts);
        let hidden = shown.iter().filter(|is_shown| !**is_shown).count();
        prop_assert!(counts.iter().zip(&shown).all(|(count, is_shown)| !is_shown || *count == 0 || *count >= FEW));
        prop_assert!(hidden != 1 || counts.iter().filter(|count| **count > 0).count() == 1, "{counts:?} {shown:?}");
    }

    #[test]
    fn rows_add_up_in_any_order(seed in 0_u64..1_000) {
        let tally = Tally::default();
        carts(&tally, Band::Under1s, Device::Phone, [seed % 40, seed % 20, seed % 10]);
        carts(&tally, Band::Over4s, Device::Desktop, [seed % 70, seed % 30, seed % 7]);
        tally.meet(Problem::Declined);
        tally.answered(Area::Cart, 200, 0.001);
        let mut all = rows(&tally, 0);
        let before = gathered(&all);
        let turns = usize::try_from(seed).expect("small") % all.len();
        all.rotate_left(turns);
        all.reverse();
        prop_assert!(gathered(&all) == before);
    }
}

#[test]
fn what_is_too_few_is_not_shown() {
    let tally = Tally::default();
    carts(&tally, Band::Under1s, Device::Phone, [400, 100, 40]);
    carts(&tally, Band::Under1s, Device::Desktop, [100, 50, 20]);
    carts(&tally, Band::Under1s, Device::Tablet, [19, 19, 19]);
    let report = report(&gathered(&rows(&tally, 0)), DAY);
    let told: Vec<Option<u64>> = report.devices.iter().map(|group| group.told.as_ref().map(|told| told.carts)).collect();
    assert_eq!(told, [Some(400), None, None], "nor the next smallest, which would tell it");
    let text = report.text(SPELLING);
    assert!(text.contains("under 20") && text.contains("10.0 % (7.4 % to 13.3 %)"), "{text}");
}

#[test]
fn a_budget_is_burnt_in_time() {
    let tally = Tally::default();
    (0..990).for_each(|_| tally.answered(Area::Cart, 200, 0.01));
    (0..10).for_each(|_| tally.answered(Area::Cart, 503, 0.1));
    (0..30).for_each(|_| tally.answered(Area::Payment, 200, 0.1));
    (0..10).for_each(|_| tally.answered(Area::Payment, 500, 0.1));
    carts(&tally, Band::Under1s, Device::Phone, [100, 60, 30]);
    let report = report(&gathered(&rows(&tally, 0)), Period { from: 0, until: 2 });
    let cart = report.promises.iter().find(|kept| kept.area == "cart").expect("promised");
    assert_eq!((cart.requests, cart.failed, cart.late, cart.within_ms), (1_000, 10, 10, 50));
    assert!((cart.burnt_s - 72.0).abs() < 1e-6, "1 % of two hours: {cart:?}");
    assert!((cart.budget_s - 2_592.0).abs() < 1e-6, "0.1 % of 30 days: {cart:?}");
    assert_eq!(report.at_risk, [Amount { amount: 10_000, currency: "EUR".to_owned() }], "a third of 30 orders");
    let text = report.text(SPELLING);
    assert!(text.contains("72 s of 43 min (2.8 %)"), "{text}");
}

#[test]
fn nothing_and_far_too_much_are_answered() {
    let empty = report(&Gathered::default(), DAY);
    let text = empty.text(SPELLING);
    assert!(text.contains("Nothing was counted in this period.") && !text.contains("Orders by"), "{text}");
    assert!(empty.html(SPELLING).contains("Nothing was counted"));
    let mut years = Gathered::default();
    let mut requests = Requests::default();
    requests.by_edge[0] = u64::MAX / 2 / 100_000;
    for hour in 0..24 * 365 * 10 {
        years.add(hour, "requests", "cart", &requests.bytes());
    }
    years.add(0, "dreams", "x", &[1]);
    years.add(0, "views", "eu/home/phone", &[1]);
    years.add(0, "steps", "eu/EUR/1", &[1, 2]);
    let report = report(&years, Period { from: 0, until: i64::from(u32::MAX) });
    assert!(report.spans.len() < 530 && report.unreadable == 3, "{} {}", report.spans.len(), report.unreadable);
    assert!(report.html(SPELLING).len() < 200_000);
}

#[test]
fn a_page_says_in_words_and_tables_what_its_bars_show() {
    let tally = Tally::default();
    carts(&tally, Band::Under1s, Device::Phone, [400, 100, 40]);
    carts(&tally, Band::Over4s, Device::Desktop, [200, 50, 20]);
    for ms in 0..100 {
        let (page, device, connection) = (Page::Category, Device::Phone, Connection::Fast);
        let first_product = Some(400 + ms * 10);
        tally.see(
            &Beacon {
                page,
                device,
                connection,
                market: "eu",
                lcp: Some(900),
                inp: None,
                cls: Some(20),
                ttfb: Some(80),
                first_product,
            },
            0,
        );
    }
    let report = report(&gathered(&rows(&tally, 0)), DAY);
    let speed = report.pages.iter().find(|speed| speed.page == "category").expect("a kind of page");
    let [half, most, slow] = speed.first_product_ms.expect("told");
    assert!(
        (885..=895).contains(&half) && (1_130..=1_145).contains(&most) && (1_325..=1_345).contains(&slow),
        "{half} {most} {slow}"
    );
    let html = report.html(SPELLING);
    for wanted in
        ["role=img aria-labelledby='h0 d0'", "<desc id=d0>phone: 40 of 400, 10.0 %", "<th scope=row>over_4s", "<rect class=bar"]
    {
        assert!(html.contains(wanted), "{wanted} in {html}");
    }
    assert!(!html.contains("<script") && !html.contains("http"), "nothing from elsewhere");
}
