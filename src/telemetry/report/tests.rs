//! What a report says of counts whose truth is known.

use proptest::prelude::*;

use super::gathered::Gathered;
use super::print::Spelling;
use super::*;
use crate::telemetry::cells::{Counts, EDGES, Requests};
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

/// A view by a telephone that waited for 0.9 s.
fn beacon(page: Page) -> Beacon<'static> {
    Beacon {
        page,
        device: Device::Phone,
        connection: Connection::Fast,
        market: "eu",
        lcp: Some(900),
        inp: None,
        cls: None,
        ttfb: None,
        first_product: None,
    }
}

#[test]
fn an_interval_holds_its_share_and_is_wilsons() {
    let share = Share::of(10, 100).expect("of some");
    assert!((share.low - 0.0552).abs() < 1e-4 && (share.high - 0.1744).abs() < 1e-4, "{share:?}");
    let none = Share::of(0, 20).expect("of some");
    assert!(none.low == 0.0 && (none.high - 0.1611).abs() < 1e-4, "{none:?}");
    assert_eq!(Share::of(0, 0), None);
    assert_eq!((Share::of(7, 5), Share::rest(7, 5)), (None, None), "orders of carts of the period before");
}

proptest! {
    #[test]
    fn an_interval_lies_between_nothing_and_all(of in 1_u64..1_000_000, count in 0_u64..1_000_000) {
        let count = count.min(of);
        let Share { share, low, high, .. } = Share::of(count, of).expect("of some");
        prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
    }

    #[test]
    fn no_hidden_count_is_found_by_subtraction(counts in proptest::collection::vec(0_u64..60, 1..6)) {
        let shown = shown(&counts, true);
        let hidden = shown.iter().filter(|is_shown| !**is_shown).count();
        prop_assert!(counts.iter().zip(&shown).all(|(count, is_shown)| !is_shown || *count == 0 || *count >= FEW));
        prop_assert!(hidden != 1 || counts.iter().filter(|count| **count > 0).count() == 1, "{counts:?} {shown:?}");
    }

    #[test]
    fn nor_by_what_tables_have_in_common(
        tables in proptest::array::uniform2(proptest::collection::vec(0_u64..60, 1..5)), common in 0_u64..60,
    ) {
        let (shown, is_shown) = shown_beside(&tables, common);
        prop_assert!(!is_shown || common == 0 || common >= FEW);
        for (counts, shown) in tables.iter().zip(&shown) {
            prop_assert!(counts.iter().zip(shown).all(|(count, is_shown)| !is_shown || *count == 0 || *count >= FEW));
            let hidden = shown.iter().filter(|is_shown| !**is_shown).count() + usize::from(!is_shown);
            let some = counts.iter().filter(|count| **count > 0).count() + usize::from(common > 0);
            prop_assert!(hidden != 1 || some == 1, "{counts:?} {common} {shown:?} {is_shown}");
        }
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
    assert!(text.contains("not shown") && text.contains("10.0 % (7.4 % to 13.3 %)"), "{text}");
}

#[test]
fn those_of_whom_nothing_was_told_are_not_found_by_subtraction_either() {
    let tally = Tally::default();
    carts(&tally, Band::Under1s, Device::Phone, [400, 100, 40]);
    carts(&tally, Band::Under2s, Device::Desktop, [100, 50, 20]);
    let untold = Alike { market: "eu", currency: "EUR", bucket: 0 };
    (0..13).for_each(|_| tally.step(untold, Step::Cart, 0));
    let report = report(&gathered(&rows(&tally, 0)), DAY);
    assert_eq!((report.total.carts, &report.untold.told), (513, &None), "the whole is exact");
    for groups in [&report.devices, &report.bands, &report.connections, &report.origins] {
        let told = groups.iter().filter_map(|group| group.told.as_ref());
        let known: u64 = told.map(|told| told.carts).sum();
        assert!(known == 400 || known == 0, "one more is hidden: {groups:?}");
    }
}

#[test]
fn money_of_few_orders_is_not_shown_and_not_found_by_subtraction() {
    let tally = Tally::default();
    carts(&tally, Band::Under1s, Device::Phone, [400, 100, 40]);
    carts(&tally, Band::Under1s, Device::Desktop, [300, 90, 30]);
    carts(&tally, Band::Under1s, Device::Tablet, [400, 50, 1]);
    let report = report(&gathered(&rows(&tally, 0)), DAY);
    let told: Vec<&Told> = report.devices.iter().filter_map(|group| group.told.as_ref()).collect();
    assert_eq!(told.iter().map(|told| told.orders).collect::<Vec<_>>(), [40, 1, 30]);
    let money: Vec<Option<u64>> = told.iter().map(|told| Some(told.revenue.as_ref()?[0].amount)).collect();
    assert_eq!(money, [Some(40_000), None, None], "nor the next smallest, which would tell it");
    assert!(told[1].revenue_per_cart.is_empty() && told[0].revenue_per_cart[0].amount == 100, "{told:?}");
}

#[test]
fn pages_of_few_views_are_not_found_by_subtraction() {
    let tally = Tally::default();
    for (page, views) in [(Page::Home, 100), (Page::Product, 40), (Page::Cart, 13)] {
        let beacon = beacon(page);
        (0..views).for_each(|_| tally.see(&beacon, 0));
    }
    let report = report(&gathered(&rows(&tally, 0)), DAY);
    let of = |page: &str| report.pages.iter().find(|speed| speed.page == page).expect("a kind of page");
    assert_eq!((of("home").views, of("product").views, of("cart").views), (Some(100), None, None));
    assert!(of("home").lcp_ms.is_some() && of("product").lcp_ms.is_none());
}

#[test]
fn orders_of_carts_of_before_are_counted_with_their_money() {
    let tally = Tally::default();
    let bucket =
        Bucket { band: Band::Under1s, device: Device::Phone, connection: Connection::Fast, origin: Origin::Product }.number();
    let alike = Alike { market: "eu", currency: "EUR", bucket };
    (0..25).for_each(|_| tally.step(alike, Step::Cart, 0));
    (0..40).for_each(|_| tally.step(alike, Step::Order { total_minor: 1_000 }, 0));
    let counted = gathered(&rows(&tally, 0));
    let report = report(&counted, DAY);
    let told = report.devices[0].told.as_ref().expect("enough of them");
    assert_eq!((told.carts, told.orders, told.conversion, told.checkout_abandonment), (25, 40, None, None));
    let money = |told: &Told| told.revenue.as_ref().map(|amounts| amounts[0].amount);
    assert_eq!((money(told), told.revenue_per_cart.len()), (Some(40_000), 0));
    let text = report.text(SPELLING);
    let row = text.lines().find(|line| line.trim_start().starts_with("phone")).expect("a row");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["phone", "25", "40", "–", "40000", "EUR", "–"]);
    let none = super::told(&Steps { orders: 40, ..Steps::default() }, Some(&[("EUR".to_owned(), 9)].into()));
    assert_eq!((none.orders, none.conversion, none.revenue_per_cart.len()), (40, None, 0), "of no carts");
}

#[test]
fn a_budget_is_burnt_in_time() {
    let tally = Tally::default();
    let mut counted = Vec::new();
    for hour in 0..2 {
        (0..495).for_each(|_| tally.answered(Area::Cart, 200, 0.01));
        (0..5).for_each(|_| tally.answered(Area::Cart, 503, 0.1));
        // Each payment is asked for and comes back: answers are more than orders.
        (0..70).for_each(|_| tally.answered(Area::Payment, 200, 0.1));
        (0..5).for_each(|_| tally.answered(Area::Payment, 500, 0.1));
        (0..5).for_each(|_| tally.meet(Problem::PaymentFailed));
        counted.extend(rows(&tally, hour * 3_600));
    }
    carts(&tally, Band::Under1s, Device::Phone, [100, 60, 30]);
    counted.extend(rows(&tally, 3_600));
    let counted = gathered(&counted);
    let report = report(&counted, Period { from: -720, until: 720 });
    let cart = report.promises.iter().find(|kept| kept.area == "cart").expect("promised");
    assert_eq!((cart.requests, cart.failed, cart.late, cart.within_ms), (1_000, 10, 10, 50));
    assert!((cart.burnt_s - 72.0).abs() < 1e-6, "1 % of two hours: {cart:?}");
    assert!((cart.budget_s - 2_592.0).abs() < 1e-6, "0.1 % of 30 days: {cart:?}");
    assert_eq!(report.at_risk, [Amount { amount: 10_000, currency: "EUR".to_owned() }], "a third of 30 orders");
    let text = report.text(SPELLING);
    assert!(text.contains("72 s of 43 min (2.8 %)"), "{text}");
}

#[test]
fn a_budget_of_more_days_than_were_promised_is_that_of_those_days() {
    let mut year = Gathered::default();
    let mut requests = Requests { failed: 1, ..Requests::default() };
    requests.by_edge[0] = 2_000;
    (0..24 * 365).for_each(|hour| year.add(hour, "requests", "cart", &requests.bytes()));
    let report = report(&year, Period { from: -24 * 365 * 9, until: 24 * 366 });
    let cart = report.promises.iter().find(|kept| kept.area == "cart").expect("promised");
    assert!((cart.burnt_s / cart.budget_s - 0.5).abs() < 1e-6, "half of what was promised, always: {cart:?}");
    assert!((cart.budget_s - 365.0 * 86.4).abs() < 1e-6, "{cart:?}");
}

#[test]
fn a_damaged_row_is_left_out_whole() {
    let tally = Tally::default();
    let beacon = Beacon { ttfb: Some(80), ..beacon(Page::Home) };
    (0..3).for_each(|_| tally.see(&beacon, 0));
    let row = rows(&tally, 0).remove(0);
    let mut gathered = Gathered::default();
    for end in 0..row.body.len() {
        gathered.add(0, row.kind, &row.cell, &row.body[..end]);
    }
    assert_eq!(gathered.unreadable, row.body.len() as u64);
    assert!(gathered.views.is_empty() && gathered.hours.is_empty(), "{gathered:?}");
    // As many as there can be are too many to be added, and break nothing.
    let many = [[1_u8].as_slice(), &[0xff; 8], &[0x7f], &[0; 5]].concat();
    (0..4).for_each(|_| gathered.add(0, "views", &row.cell, &many));
    let requests = [[1_u8].as_slice(), &[[0xff_u8; 8].as_slice(), &[0x7f]].concat().repeat(EDGES + 1)].concat();
    (0..4).for_each(|_| gathered.add(0, "requests", "cart", &requests));
    let total = gathered.total();
    assert!(total.views >= u64::MAX / 2 && gathered.views_of(|_, _, _| true).count == total.views, "{total:?}");
    let _ = report(&gathered, DAY).text(SPELLING);
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
        let first_product = Some(400 + ms * 10);
        tally.see(&Beacon { cls: Some(20), ttfb: Some(80), first_product, ..beacon(Page::Category) }, 0);
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

#[test]
fn words_beside_the_longest_bar_are_within_the_chart() {
    let tally = Tally::default();
    carts(&tally, Band::Under1s, Device::Phone, [99_999, 12_345, 12_345]);
    carts(&tally, Band::Under1s, Device::Desktop, [100, 50, 20]);
    let html = report(&gathered(&rows(&tally, 0)), DAY).html(SPELLING);
    let mut longest = 0;
    for chart in html.split("<svg viewBox='0 0 ").skip(1) {
        let width: f64 = chart.split(' ').next().and_then(|width| width.parse().ok()).expect("a width");
        let (chart, _) = chart.split_once("</svg>").expect("an end");
        // Those that end where a bar begins are names.
        for text in chart.split("<text x=").skip(1).filter(|text| !text.contains("text-anchor=end")) {
            let (at, rest) = text.split_once(' ').expect("a place");
            let words = rest.split(['>', '<']).nth(1).expect("words").chars().count();
            let end = at.parse::<f64>().expect("a number") + 7.3 * words as f64;
            assert!(end <= width, "{rest} ends at {end} of {width}");
            longest = longest.max(words);
        }
    }
    assert!(longest > 40, "{longest}");
}
