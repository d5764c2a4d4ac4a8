//! Html: a report as one page that stands alone.
//!
//! Always  no script, nothing from elsewhere, light and dark as the reader has it; every bar says its value in words beside its length, and
//!         what a chart shows stands in the table below it, too.

use std::fmt::Write;

use super::Report;
use super::print::{Bar, Spelling, Table};

/// Where bars begin, in the SVG's own units: names are before that.
const LEFT: f64 = 190.0;
/// Length of the longest bar.
const BAR: f64 = 320.0;
/// Least room for the values in words, so that charts with short ones are not drawn larger than others.
const RIGHT: f64 = 250.0;
/// The widest that a letter of 13 px is on average in a system's font; digits have 7.3.
const LETTER: f64 = 7.8;
/// Between a bar's end and its words.
const GAP: f64 = 8.0;
/// Height of a bar with its gap.
const STEP: f64 = 30.0;
/// More bars than that are no chart any more.
const BARS_MAX: usize = 80;

impl Report {
    /// One HTML page.
    pub fn html(&self, spelling: Spelling<'_>) -> String {
        let mut page = String::with_capacity(32 * 1024);
        let _ = write!(
            page,
            "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <meta name=robots content=noindex><link rel=icon href='data:,'><title>How the shop did</title><style>{STYLE}</style></head>\
             <body><main><h1>How the shop did</h1>"
        );
        for line in self.lines(spelling) {
            let _ = write!(page, "<p>{}</p>", escape(&line));
        }
        for (number, table) in self.tables(spelling).iter().enumerate() {
            write_table(&mut page, number, table);
        }
        page.push_str("</main></body></html>\n");
        page
    }
}

fn write_table(page: &mut String, number: usize, table: &Table) {
    let _ = write!(page, "<section aria-labelledby=h{number}><h2 id=h{number}>{}</h2>", table.title);
    if !table.bars.is_empty() && table.bars.len() <= BARS_MAX {
        write_bars(page, number, &table.bars);
    }
    let _ = write!(page, "<div class=wide tabindex=0 role=region aria-labelledby=h{number}><table><thead><tr>");
    for (column, head) in table.head.iter().enumerate() {
        let head = if head.is_empty() { "<span class=unseen>name</span>" } else { head };
        let _ = write!(page, "<th scope=col{}>{head}", if column > 0 { " class=n" } else { "" });
    }
    page.push_str("</thead><tbody>");
    for row in &table.rows {
        let mut cells = row.iter();
        let _ = write!(page, "<tr><th scope=row>{}", cells.next().map_or(String::new(), |name| escape(name)));
        for cell in cells {
            let _ = write!(page, "<td class=n>{}", escape(cell));
        }
    }
    page.push_str("</tbody></table></div>");
    if !table.about.is_empty() {
        let _ = write!(page, "<p class=about>{}</p>", escape(table.about));
    }
    page.push_str("</section>");
}

fn write_bars(page: &mut String, number: usize, bars: &[Bar]) {
    let ends = bars.iter().map(|bar| bar.interval.map_or(bar.value, |(_, high)| high));
    let most = ends.fold(0.0, f64::max).max(1e-9);
    let length = |value: f64| BAR * (value / most).clamp(0.0, 1.0);
    // The longest words may stand beside the longest bar.
    let letters = bars.iter().map(|bar| bar.words.chars().count()).max().unwrap_or(0);
    let width = LEFT + BAR + (GAP + LETTER * letters as f64).max(RIGHT);
    let height = STEP * bars.len() as f64 + 8.0;
    let told: Vec<String> = bars.iter().map(|bar| format!("{}: {}", bar.name, bar.words)).collect();
    let _ = write!(
        page,
        "<svg viewBox='0 0 {width:.0} {height}' role=img aria-labelledby='h{number} d{number}'><desc id=d{number}>{}.</desc>",
        escape(&told.join("; "))
    );
    for (place, bar) in bars.iter().enumerate() {
        let y = STEP * place as f64 + 6.0;
        let (middle, end) = (y + 10.0, length(bar.value));
        let _ = write!(
            page,
            "<text x={:.0} y={:.0} text-anchor=end>{}</text><rect class=bar x={LEFT} y={y:.0} width={end:.1} height=20 />",
            LEFT - GAP,
            middle + 4.0,
            escape(&bar.name)
        );
        let mut reach = LEFT + end;
        if let Some((low, high)) = bar.interval {
            let (low, high) = (LEFT + length(low), LEFT + length(high));
            reach = reach.max(high);
            let _ = write!(
                page,
                "<path class=span d='M{low:.1} {middle:.0}H{high:.1}M{low:.1} {:.0}v8M{high:.1} {:.0}v8'/>",
                middle - 4.0,
                middle - 4.0
            );
        }
        let _ = write!(page, "<text x={:.0} y={:.0}>{}</text>", reach + GAP, middle + 4.0, escape(&bar.words));
    }
    page.push_str("</svg>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1b2430;--quiet:#56617a;--paper:#fff;--line:#d5dbe5;--bar:#9db2ff;--span:#1b2430}\
    @media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--quiet:#a5b0c4;--paper:#14181f;--line:#394252;--bar:#2b4acb;--span:#e6eaf1}}\
    *{box-sizing:border-box}body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink)}\
    main{max-width:64rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}\
    svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font-size:13px}.bar{fill:var(--bar)}.span{stroke:var(--span);fill:none;stroke-width:1.5}\
    .wide{overflow-x:auto}table{border-collapse:collapse;font-size:.92rem}\
    th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;font-weight:400}\
    thead th,.about{color:var(--quiet)}tbody th{font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
    .about{font-size:.92rem}.unseen{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden;white-space:nowrap}\
    :focus-visible{outline:3px solid var(--bar);outline-offset:2px}";
