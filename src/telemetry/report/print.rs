//! Print: a report as tables, which text and page have in common.

use std::fmt::Write;

use super::{Amount, Group, Kept, Report, Share, Span, Speed, Told};

/// How money and instants are spelled: whoever prints knows currencies and calendars.
#[derive(Clone, Copy)]
pub struct Spelling<'a> {
    /// Minor units of a currency.
    pub money: &'a dyn Fn(u64, &str) -> String,
    /// Seconds since 1970.
    pub instant: &'a dyn Fn(i64) -> String,
}

/// One bar of a chart.
pub(super) struct Bar {
    /// Of what.
    pub(super) name: String,
    /// How long, in the chart's unit.
    pub(super) value: f64,
    /// Where it may begin and end.
    pub(super) interval: Option<(f64, f64)>,
    /// The same in words.
    pub(super) words: String,
}

/// A table, and the chart of what matters in it.
pub(super) struct Table {
    /// Its heading.
    pub(super) title: &'static str,
    /// What has to be known to read it.
    pub(super) about: &'static str,
    /// Columns; the first names the row.
    pub(super) head: Vec<&'static str>,
    /// Cells, as many as columns.
    pub(super) rows: Vec<Vec<String>>,
    /// Bars; none: no chart.
    pub(super) bars: Vec<Bar>,
}

impl Report {
    /// As text for a terminal.
    pub fn text(&self, spelling: Spelling<'_>) -> String {
        let mut text = String::new();
        for line in self.lines(spelling) {
            let _ = writeln!(text, "{line}");
        }
        for table in self.tables(spelling) {
            let _ = writeln!(text, "\n{}", table.title);
            let widths: Vec<usize> = (0..table.head.len())
                .map(|column| {
                    let cells = table.rows.iter().map(|row| row[column].chars().count());
                    cells.max().unwrap_or(0).max(table.head[column].chars().count())
                })
                .collect();
            let heads: Vec<String> = table.head.iter().map(|head| (*head).to_owned()).collect();
            for row in std::iter::once(&heads).chain(&table.rows) {
                let mut line = String::new();
                for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                    let room = " ".repeat(width - cell.chars().count());
                    let _ = if column == 0 { write!(line, "  {cell}{room}") } else { write!(line, "  {room}{cell}") };
                }
                let _ = writeln!(text, "{}", line.trim_end());
            }
            if !table.about.is_empty() {
                let _ = writeln!(text, "  {}", table.about);
            }
        }
        text
    }

    /// What stands above all tables.
    pub(super) fn lines(&self, spelling: Spelling<'_>) -> Vec<String> {
        let Span { from_s, hours, .. } = self.total;
        let (from, until) = ((spelling.instant)(from_s), (spelling.instant)(from_s + hours * 3_600));
        let mut lines = vec![format!("{from} to {until}, {hours} h"), counted(&self.total, spelling)];
        if [self.total.views, self.total.requests, self.total.carts, self.total.orders] == [0; 4] {
            lines.push("Nothing was counted in this period.".to_owned());
        }
        if let Some(before) = &self.week_before {
            lines.push(format!("A week before: {}", counted(before, spelling)));
        }
        if !self.at_risk.is_empty() {
            let money = money(&self.at_risk, spelling);
            lines.push(format!(
                "Payments that failed by our own fault may have cost about {money}: for each of them what an order brought."
            ));
        }
        if self.unreadable > 0 {
            lines.push(format!(
                "{} rows could not be read, and are left out: they are of a later program, or damaged.",
                self.unreadable
            ));
        }
        lines
    }

    /// All tables that have something in them.
    pub(super) fn tables(&self, spelling: Spelling<'_>) -> Vec<Table> {
        let groups = |title, about, groups: &[Group]| carts(title, about, groups, spelling);
        let mut bands = self.bands.clone();
        bands.push(self.untold.clone());
        let all = vec![
            groups(
                "Orders by device",
                "Fewer than 20 carts, and money of fewer than 20 orders, are not shown, nor what would tell them.",
                &self.devices,
            ),
            groups("Orders by connection", "As the browser says, which only Chromium's do.", &self.connections),
            groups(
                "Orders by how long the page was waited for",
                "Largest contentful paint of the page on which the cart was begun; not_told: carts without script, and of those who are not to be measured.",
                &bands,
            ),
            groups("Orders by the page the cart was begun on", "", &self.origins),
            abandonment(&bands),
            first_product(&self.pages),
            speeds(&self.pages),
            promises(&self.promises, self.promised_days),
            problems(self),
            spans(&self.spans, spelling),
        ];
        all.into_iter().filter(|table| !table.rows.is_empty()).collect()
    }
}

fn counted(span: &Span, spelling: Spelling<'_>) -> String {
    let Span { views, requests, failed, carts, orders, revenue, .. } = span;
    format!(
        "{views} page views told, {requests} requests ({failed} failed), {carts} carts, {orders} orders, {}",
        money(revenue, spelling)
    )
}

fn money(amounts: &[Amount], spelling: Spelling<'_>) -> String {
    if amounts.is_empty() {
        return "–".to_owned();
    }
    let spelled: Vec<String> = amounts.iter().map(|amount| (spelling.money)(amount.amount, &amount.currency)).collect();
    spelled.join(" + ")
}

fn hidden() -> String {
    "not shown".to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn interval(share: Option<Share>) -> String {
    share
        .map_or("–".to_owned(), |share| format!("{} ({} to {})", percent(share.share), percent(share.low), percent(share.high)))
}

fn bar(name: &str, share: Option<Share>) -> Option<Bar> {
    let share = share?;
    let words = format!("{} of {}, {}", share.count, share.of, interval(Some(share)));
    let (value, low, high) = (share.share * 100.0, share.low * 100.0, share.high * 100.0);
    Some(Bar { name: name.to_owned(), value, interval: Some((low, high)), words })
}

fn is_there(group: &&Group) -> bool {
    group.told.as_ref().is_none_or(|told| told.carts > 0 || told.checkouts > 0 || told.orders > 0)
}

fn carts(title: &'static str, about: &'static str, groups: &[Group], spelling: Spelling<'_>) -> Table {
    let row = |group: &Group| match &group.told {
        None => vec![group.name.to_owned(), hidden(), "–".to_owned(), "–".to_owned(), "–".to_owned(), "–".to_owned()],
        Some(Told { carts, orders, conversion, revenue, revenue_per_cart, .. }) => vec![
            group.name.to_owned(),
            carts.to_string(),
            orders.to_string(),
            interval(*conversion),
            money(revenue.as_deref().unwrap_or_default(), spelling),
            money(revenue_per_cart, spelling),
        ],
    };
    Table {
        title,
        about,
        head: vec!["", "carts", "orders", "orders of carts (95 %)", "revenue", "a cart"],
        rows: groups.iter().filter(is_there).map(row).collect(),
        bars: groups.iter().filter_map(|group| bar(group.name, group.told.as_ref()?.conversion)).collect(),
    }
}

fn abandonment(bands: &[Group]) -> Table {
    let row = |group: &Group| {
        let (cart, checkout) = group
            .told
            .as_ref()
            .map_or((hidden(), "–".to_owned()), |told| (interval(told.cart_abandonment), interval(told.checkout_abandonment)));
        vec![group.name.to_owned(), cart, checkout]
    };
    Table {
        title: "Given up, by how long the page was waited for",
        about: "Carts without a checkout, and checkouts without an order, of the same period.",
        head: vec!["", "carts given up (95 %)", "checkouts given up (95 %)"],
        rows: bands.iter().filter(is_there).map(row).collect(),
        bars: bands.iter().filter_map(|group| bar(group.name, group.told.as_ref()?.cart_abandonment)).collect(),
    }
}

fn seconds(ms: u64) -> String {
    format!("{:.2} s", ms as f64 / 1e3)
}

fn first_product(pages: &[Speed]) -> Table {
    let told = || pages.iter().filter_map(|speed| Some((speed, speed.first_product_ms?)));
    let row = |(speed, times): (&Speed, [u64; 3])| {
        std::iter::once(speed.page.to_owned()).chain(times.map(seconds)).collect::<Vec<String>>()
    };
    let bar = |(speed, [_, most, slow]): (&Speed, [u64; 3])| Bar {
        name: speed.page.to_owned(),
        value: most as f64 / 1e3,
        interval: None,
        words: format!("{} for three of four views, {} for 95 %", seconds(most), seconds(slow)),
    };
    Table {
        title: "Until the first product was seen, seconds",
        about: "Half of the views, three of four, and 95 of a hundred were no slower.",
        head: vec!["", "50 %", "75 %", "95 %"],
        rows: told().map(row).collect(),
        bars: told().map(bar).collect(),
    }
}

fn speeds(pages: &[Speed]) -> Table {
    let three = |ms: Option<[u64; 3]>| ms.map_or("–".to_owned(), |[_, most, _]| seconds(most));
    let row = |speed: &Speed| {
        vec![
            speed.page.to_owned(),
            speed.views.map_or_else(hidden, |views| views.to_string()),
            three(speed.lcp_ms),
            three(speed.inp_ms),
            three(speed.ttfb_ms),
            speed.cls_thousandths.map_or("–".to_owned(), |[_, most, _]| format!("{:.3}", most as f64 / 1e3)),
        ]
    };
    Table {
        title: "Pages",
        about: "Three of four views were no worse: good is LCP within 2.5 s, INP within 0.2 s, CLS within 0.1.",
        head: vec!["", "views", "LCP", "INP", "TTFB", "CLS"],
        rows: pages.iter().filter(|speed| speed.views != Some(0)).map(row).collect(),
        bars: Vec::new(),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        short if short < 10.0 => format!("{short:.1} s"),
        short if short < 120.0 => format!("{short:.0} s"),
        long if long < 7_200.0 => format!("{:.0} min", long / 60.0),
        long => format!("{:.1} h", long / 3_600.0),
    }
}

fn promises(promises: &[Kept], days: u16) -> Table {
    let spent = |burnt: f64, budget: f64| {
        let share = if budget > 0.0 { burnt / budget } else { 0.0 };
        format!("{} of {} ({})", duration(burnt), duration(budget), percent(share))
    };
    let row = |kept: &Kept| {
        vec![
            kept.area.to_owned(),
            kept.requests.to_string(),
            kept.failed.to_string(),
            spent(kept.burnt_s, kept.budget_s),
            format!("{} over {} ms", kept.late, kept.within_ms),
            spent(kept.late_burnt_s, kept.late_budget_s),
        ]
    };
    let share = |kept: &Kept| if kept.budget_s > 0.0 { kept.burnt_s / kept.budget_s * 100.0 } else { 0.0 };
    let bar = |kept: &Kept| Bar {
        name: kept.area.to_owned(),
        value: share(kept),
        interval: None,
        words: format!("{:.1} % of the budget: {}", share(kept), duration(kept.burnt_s)),
    };
    let used = || promises.iter().filter(|kept| kept.requests > 0);
    Table {
        title: "Budget of errors that this period took, percent",
        about: match days {
            30 => {
                "Time: the length of what was counted times the share that failed or was late, of what may be so over 30 days, or over a longer period."
            }
            _ => {
                "Time: the length of what was counted times the share that failed or was late, of what may be so over the days of [slo], or over a longer period."
            }
        },
        head: vec!["", "requests", "failed", "budget of failures", "late", "budget of lateness"],
        rows: used().map(row).collect(),
        bars: used().map(bar).collect(),
    }
}

fn problems(report: &Report) -> Table {
    let row = |met: &super::Met| vec![met.problem.to_owned(), met.times.to_string()];
    let bar = |met: &super::Met| Bar {
        name: met.problem.to_owned(),
        value: met.times as f64,
        interval: None,
        words: format!("{} times", met.times),
    };
    Table {
        title: "What shoppers met",
        about: "Counted each time it was told.",
        head: vec!["", "times"],
        rows: report.problems.iter().map(row).collect(),
        bars: report.problems.iter().map(bar).collect(),
    }
}

fn spans(spans: &[Span], spelling: Spelling<'_>) -> Table {
    let row = |span: &Span| {
        vec![
            (spelling.instant)(span.from_s),
            span.requests.to_string(),
            span.failed.to_string(),
            span.views.to_string(),
            span.carts.to_string(),
            span.orders.to_string(),
            money(&span.revenue, spelling),
        ]
    };
    let bar = |span: &Span| Bar {
        name: (spelling.instant)(span.from_s),
        value: span.requests as f64,
        interval: None,
        words: format!("{} requests, {} orders, {}", span.requests, span.orders, money(&span.revenue, spelling)),
    };
    Table {
        title: "Requests and money",
        about: "",
        head: vec!["from", "requests", "failed", "views", "carts", "orders", "revenue"],
        rows: spans.iter().map(row).collect(),
        bars: spans.iter().map(bar).collect(),
    }
}
