//! Charts: a report as one page that stands alone.
//!
//! Always  no script, nothing from elsewhere, light and dark as the reader has it; a line is told from the next by dashes and by its name
//!         as well as by its colour, and every point stands in a table, too.

use std::fmt::Write;

use super::record::Point;
use super::report::{BothTimes, Report, ms};

/// Drawing area, in the SVG's own units.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 240.0;
/// Room for the names of values and instants.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 110.0;
const BOTTOM: f64 = 30.0;
const TOP: f64 = 12.0;
/// Smallest time on a scale of powers of ten, in milliseconds.
const LEAST_MS: f64 = 0.1;
/// Room between two names at the ends of lines.
const NAME_ROOM: f64 = 15.0;

/// One line of a chart.
struct Series<'a> {
    name: &'a str,
    values: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Scale {
    /// Times, by powers of ten: of 1 ms and 1 s both are seen.
    Times,
    /// Counts a second.
    Counts,
}

impl Report {
    /// One HTML page.
    pub fn html(&self) -> String {
        let mut page = String::with_capacity(64 * 1024);
        let title = format!("Load on {}", escape(&self.target));
        let _ = write!(
            page,
            "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <meta name=robots content=noindex><link rel=icon href='data:,'><title>{title}</title><style>{STYLE}</style></head><body><main>\
             <h1>{title}</h1><p>{} · seed {} · {:.1} s, {}</p>",
            escape(&self.began_at),
            self.seed,
            self.seconds,
            self.ended.replace('_', " ")
        );
        self.tiles(&mut page);
        for note in &self.notes {
            let _ = write!(page, "<p class=note>{}</p>", escape(note));
        }
        self.judged(&mut page);
        let of = |name, pick: fn(&Point) -> f64| Series { name, values: self.points.iter().map(pick).collect() };
        let times = [
            of("max", |point| point.max_ms),
            of("p99", |point| point.p99_ms),
            of("p90", |point| point.p90_ms),
            of("p50", |point| point.p50_ms),
        ];
        self.chart(&mut page, "What shoppers waited", "Response time of all requests, by when they ended", Scale::Times, &times);
        let length = self.point_seconds.max(1e-9);
        let rate = |name, pick: fn(&Point) -> u64| Series {
            name,
            values: self.points.iter().map(|point| pick(point) as f64 / length).collect(),
        };
        let flow = [rate("came", |point| point.arrivals), rate("ended", |point| point.ended), rate("paid", |point| point.orders)];
        self.chart(&mut page, "Shoppers a second", "Shoppers who came, who ended, and orders paid", Scale::Counts, &flow);
        let wrong =
            [rate("faults", |point| point.errors), rate("shed", |point| point.shed), rate("not let in", |point| point.dropped)];
        self.chart(&mut page, "What went wrong, a second", "Faults, requests shed, shoppers not let in", Scale::Counts, &wrong);
        self.steps_table(&mut page);
        self.points_table(&mut page);
        page.push_str("</main></body></html>\n");
        page
    }

    fn tiles(&self, page: &mut String) {
        let tiles = [
            ("orders paid", self.orders_paid.to_string()),
            ("a minute", format!("{:.0}", self.orders_per_minute)),
            ("shoppers began", self.shoppers.began.to_string()),
            ("not let in", self.shoppers.dropped.to_string()),
            ("requests a second", format!("{:.0}", self.requests as f64 / self.seconds)),
            ("faults", self.errors.to_string()),
            ("shed", self.shed.to_string()),
            ("p99 of checkout", ms(self.checkout.response.p99_ms)),
        ];
        page.push_str("<dl class=tiles>");
        for (name, value) in tiles {
            let _ = write!(page, "<div><dt>{name}<dd>{value}</div>");
        }
        page.push_str("</dl><h2>How shoppers ended</h2><table><thead><tr><th scope=col>outcome<th scope=col class=n>shoppers</thead><tbody>");
        for (outcome, count) in &self.shoppers.outcomes {
            let _ = write!(page, "<tr><th scope=row>{}<td class=n>{count}", outcome.name());
        }
        page.push_str("</tbody></table>");
    }

    fn judged(&self, page: &mut String) {
        if self.thresholds.is_empty() {
            return;
        }
        page.push_str("<h2>Thresholds</h2><ul>");
        for judged in &self.thresholds {
            let word = if judged.broken { "broken" } else { "kept" };
            let measured = escape(judged.measured.as_deref().unwrap_or("nothing was measured"));
            let _ = write!(page, "<li><strong>{word}</strong>: {}: {measured}", escape(&judged.threshold));
        }
        page.push_str("</ul>");
    }

    fn chart(&self, page: &mut String, title: &str, about: &str, scale: Scale, series: &[Series<'_>]) {
        let id = title.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let top = series.iter().flat_map(|series| &series.values).copied().fold(0.0, f64::max);
        let marks = marks(scale, top);
        let most = marks.last().copied().unwrap_or(1.0);
        let peak = series.iter().map(|series| {
            let peak = series.values.iter().copied().fold(0.0, f64::max);
            format!("{} up to {}", series.name, named(scale, peak))
        });
        let _ = write!(
            page,
            "<figure><figcaption id=c{id}>{title}</figcaption><svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-labelledby='c{id} d{id}'>\
             <desc id=d{id}>{about}: {}.</desc>",
            peak.collect::<Vec<_>>().join(", ")
        );
        for mark in &marks {
            let y = height(scale, *mark, most);
            let _ = write!(
                page,
                "<path class=grid d='M{LEFT} {y:.1}H{:.1}'/><text x={:.0} y={:.1} text-anchor=end>{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                named(scale, *mark)
            );
        }
        let end = self.points.len() as f64 * self.point_seconds;
        for part in 0..=4 {
            let (x, seconds) = (LEFT + (WIDTH - LEFT - RIGHT) * f64::from(part) / 4.0, end * f64::from(part) / 4.0);
            let _ = write!(page, "<text x={x:.0} y={:.0} text-anchor=middle>{seconds:.0} s</text>", HEIGHT - 8.0);
        }
        let mut names: Vec<(f64, usize)> = Vec::new();
        for (index, series) in series.iter().enumerate() {
            let count = series.values.len().max(1) as f64;
            let place = |number: usize, value: f64| {
                let x = LEFT + (WIDTH - LEFT - RIGHT) * (number as f64 + 0.5) / count;
                format!("{x:.1} {:.1}", height(scale, value, most))
            };
            let line: Vec<String> = series.values.iter().enumerate().map(|(number, value)| place(number, *value)).collect();
            if !line.is_empty() {
                let _ = write!(page, "<path class='line s{index}' d='M{}'/>", line.join("L"));
            }
            names.push((height(scale, series.values.last().copied().unwrap_or(0.0), most), index));
        }
        // Names keep off one another.
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = TOP;
        for (y, index) in names {
            let y = y.max(free).min(HEIGHT - BOTTOM);
            free = y + NAME_ROOM;
            let x = WIDTH - RIGHT;
            let _ = write!(
                page,
                "<path class='line s{index}' d='M{:.0} {y:.1}h24'/><text x={:.0} y={:.1}>{}</text>",
                x + 6.0,
                x + 36.0,
                y + 4.0,
                series[index].name
            );
        }
        page.push_str("</svg></figure>");
    }

    fn steps_table(&self, page: &mut String) {
        page.push_str(
            "<h2>Steps</h2><div class=wide tabindex=0 role=region aria-label=Steps><table><thead><tr><th scope=col>step<th scope=col class=n>count\
             <th scope=col class=n>p50<th scope=col class=n>p90<th scope=col class=n>p99<th scope=col class=n>p99.9<th scope=col class=n>max\
             <th scope=col class=n>service p50<th scope=col class=n>service p99<th scope=col>answers</thead><tbody>",
        );
        let none = String::new();
        let groups = [("checkout", &self.checkout, none.clone()), ("all", &self.all, none)];
        let told = |counts: &std::collections::BTreeMap<String, u64>| {
            counts.iter().map(|(name, count)| format!("{count} × {}", escape(name))).collect::<Vec<_>>()
        };
        let steps = self
            .steps
            .iter()
            .map(|step| (step.step, &step.times, [told(&step.statuses), told(&step.problems)].concat().join(", ")));
        for (name, BothTimes { response, service }, answers) in steps.chain(groups) {
            let _ = write!(page, "<tr><th scope=row>{name}<td class=n>{}", response.count);
            for value in [
                response.p50_ms,
                response.p90_ms,
                response.p99_ms,
                response.p999_ms,
                response.max_ms,
                service.p50_ms,
                service.p99_ms,
            ] {
                let _ = write!(page, "<td class=n>{}", ms(value));
            }
            let _ = write!(page, "<td>{answers}");
        }
        page.push_str("</tbody></table></div><p>Times count from when a request was meant to be sent; <em>service</em> from when it was.</p>");
    }

    fn points_table(&self, page: &mut String) {
        page.push_str(
            "<details><summary>Every point</summary><div class=wide tabindex=0 role=region aria-label='Every point'><table><thead><tr>\
             <th scope=col class=n>from<th scope=col class=n>came<th scope=col class=n>not let in<th scope=col class=n>ended<th scope=col class=n>paid\
             <th scope=col class=n>inside<th scope=col class=n>requests<th scope=col class=n>faults<th scope=col class=n>shed\
             <th scope=col class=n>p50<th scope=col class=n>p90<th scope=col class=n>p99<th scope=col class=n>max</thead><tbody>",
        );
        for point in &self.points {
            let _ = write!(page, "<tr><td class=n>{:.0} s", point.at_s);
            let counts = [
                point.arrivals,
                point.dropped,
                point.ended,
                point.orders,
                point.inside,
                point.requests,
                point.errors,
                point.shed,
            ];
            for count in counts {
                let _ = write!(page, "<td class=n>{count}");
            }
            for time in [point.p50_ms, point.p90_ms, point.p99_ms, point.max_ms] {
                let _ = write!(page, "<td class=n>{}", ms(time));
            }
        }
        page.push_str("</tbody></table></div></details>");
    }
}

/// Values that a scale names, the least and the most among them.
fn marks(scale: Scale, top: f64) -> Vec<f64> {
    match scale {
        Scale::Times => {
            let most = top.max(1.0).log10().ceil() as i32;
            (-1..=most).map(|power| 10_f64.powi(power)).collect()
        }
        Scale::Counts => {
            let rough = (top / 4.0).max(0.25);
            let power = 10_f64.powf(rough.log10().floor());
            let step =
                [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|part| part * power).find(|step| *step >= rough).unwrap_or(rough);
            (0..=4).map(|count| step * f64::from(count)).collect()
        }
    }
}

fn named(scale: Scale, value: f64) -> String {
    match scale {
        Scale::Times => {
            let text = if value >= 1_000.0 {
                format!("{:.1}", value / 1e3)
            } else if value >= 10.0 {
                format!("{value:.0}")
            } else {
                format!("{value:.1}")
            };
            format!("{} {}", text.trim_end_matches(".0"), if value >= 1_000.0 { "s" } else { "ms" })
        }
        Scale::Counts if value >= 10.0 || value.fract() == 0.0 => format!("{value:.0}"),
        Scale::Counts => format!("{value:.1}"),
    }
}

fn height(scale: Scale, value: f64, most: f64) -> f64 {
    let part = match scale {
        Scale::Times => (value.max(LEAST_MS) / LEAST_MS).log10() / (most / LEAST_MS).log10(),
        Scale::Counts => value / most,
    };
    HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * part.clamp(0.0, 1.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1b2430;--quiet:#56617a;--paper:#fff;--line:#d5dbe5;--a:#b3261e;--b:#2b4acb;--c:#0b6b53;--d:#7a4a00}\
    @media(prefers-color-scheme:dark){:root{--ink:#e6eaf1;--quiet:#a5b0c4;--paper:#14181f;--line:#394252;--a:#ffb4ab;--b:#9db2ff;--c:#7fd8bd;--d:#f0c27a}}\
    *{box-sizing:border-box}body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink)}\
    main{max-width:64rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin-top:2rem}\
    .tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.7rem;padding:0}\
    .tiles div{border:1px solid var(--line);border-radius:9px;padding:.6rem .8rem}.tiles dt{color:var(--quiet);font-size:.9rem}\
    .tiles dd{margin:0;font-size:1.4rem;font-variant-numeric:tabular-nums}.note{border-left:4px solid var(--d);padding:.2rem .8rem}\
    figure{margin:2rem 0}figcaption{font-weight:600}svg{width:100%;height:auto;display:block}svg text{fill:var(--quiet);font-size:12px}\
    .grid{stroke:var(--line);fill:none}.line{fill:none;stroke-width:2}.s0{stroke:var(--a)}.s1{stroke:var(--b);stroke-dasharray:7 3}\
    .s2{stroke:var(--c);stroke-dasharray:2 3}.s3{stroke:var(--d);stroke-dasharray:9 3 2 3}\
    .wide{overflow-x:auto}table{border-collapse:collapse;font-size:.92rem}th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;font-weight:400}\
    thead th{color:var(--quiet)}tbody th{font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
    summary{min-height:44px;padding:.6rem 0;cursor:pointer}:focus-visible{outline:3px solid var(--b);outline-offset:2px}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_holds_all_and_begins_at_its_foot() {
        for top in [0.0, 0.3, 1.0, 7.0, 99.0, 100.0, 12_345.0] {
            for scale in [Scale::Times, Scale::Counts] {
                let marks = marks(scale, top);
                let most = *marks.last().expect("marks");
                assert!(marks.is_sorted() && most >= top && marks.len() < 10, "{top}: {marks:?}");
                assert!((height(scale, marks[0], most) - (HEIGHT - BOTTOM)).abs() < 1e-9);
                assert!((height(scale, most, most) - TOP).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn values_are_named_as_people_read_them() {
        let named = |value| named(Scale::Times, value);
        assert_eq!(
            [named(0.1), named(1.0), named(25.0), named(1_000.0), named(1_500.0)],
            ["0.1 ms", "1 ms", "25 ms", "1 s", "1.5 s"]
        );
    }
}
