//! Watch: what looks at the edge: rules of Prometheus that tell when a promise of `[slo]` is being broken, and a dashboard of Grafana.
//!
//! Knows   the names of the edge's series; tests hold them to its page of metrics, and Prometheus' own tool judges the expressions.

use serde::Serialize;
use serde_json::{Value, json};

use super::Subject;
use crate::edge::router::ROUTES;
use crate::telemetry::slo::{Area, BURNS, Millionths, Promise, WINDOWS};

/// What the templates of Prometheus see.
#[derive(Serialize)]
pub(super) struct Watch {
    /// Value of the label `job`, by which series of this shop are told from others'.
    job: String,
    days: u16,
    confirmation_seconds: u32,
    windows: &'static [&'static str],
    areas: Vec<Watched>,
    burns: Vec<BurnFacts>,
}

/// An area with its promise, as expressions need them.
#[derive(Serialize)]
struct Watched {
    name: &'static str,
    /// A text of PromQL: a regular expression of its routes.
    routes: String,
    availability: String,
    latency: String,
    within_ms: u32,
    /// Shares of requests that may fail, and that may be late.
    errors: String,
    late: String,
    /// The label `le` of what is in time.
    within: String,
}

#[derive(Serialize)]
struct BurnFacts {
    long: &'static str,
    short: &'static str,
    rate: String,
    severity: &'static str,
}

impl Watch {
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let objectives = subject.objectives;
        Self {
            job: job(subject),
            days: objectives.days,
            confirmation_seconds: u32::from(objectives.confirmation_minutes) * 60,
            windows: &WINDOWS,
            areas: objectives.promises.iter().map(|(area, promise)| Watched::of(*area, promise)).collect(),
            burns: BURNS
                .iter()
                .map(|burn| BurnFacts {
                    long: burn.long,
                    short: burn.short,
                    rate: format!("{}.{}", burn.tenths / 10, burn.tenths % 10),
                    severity: if burn.pages { "page" } else { "ticket" },
                })
                .collect(),
        }
    }
}

impl Watched {
    fn of(area: Area, promise: &Promise) -> Self {
        Self {
            name: area.name(),
            routes: routes(area),
            availability: percent(promise.availability),
            latency: percent(promise.latency),
            within_ms: promise.within_ms,
            errors: share(1_000_000 - promise.availability),
            late: share(1_000_000 - promise.latency),
            within: format!("{:?}", f64::from(promise.within_ms) / 1000.0),
        }
    }
}

fn job(subject: &Subject<'_>) -> String {
    format!("vitrine-{}", subject.shop.id)
}

// Of an area, a regular expression (RE2, which is anchored) inside a text of PromQL.
fn routes(area: Area) -> String {
    let names = ROUTES.iter().filter(|route| route.area() == Some(area)).map(|route| {
        let quoted = |sign: char| if "{}.".contains(sign) { format!("\\\\{sign}") } else { sign.to_string() };
        route.name().chars().map(quoted).collect::<String>()
    });
    names.collect::<Vec<_>>().join("|")
}

fn share(millionths: Millionths) -> String {
    format!("0.{millionths:06}").trim_end_matches('0').to_owned()
}

fn percent(millionths: Millionths) -> String {
    let text = format!("{}.{:04}", millionths / 10_000, millionths % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A panel before it has its place: title, help, unit, and lines: an expression and how it is called.
struct Panel {
    title: &'static str,
    help: &'static str,
    unit: &'static str,
    lines: Vec<(String, &'static str)>,
}

/// A dashboard to import. Its data source is asked for then.
pub(super) fn dashboard(subject: &Subject<'_>) -> String {
    let job = format!("job=\"{}\"", job(subject));
    let panels = panels(&job, &subject.objectives.promises);
    let placed = panels.into_iter().enumerate().map(|(index, panel)| {
        let targets = panel.lines.into_iter().enumerate().map(|(line, (expression, legend))| {
            let name = char::from(b'A' + u8::try_from(line).unwrap_or(25));
            json!({ "refId": name.to_string(), "expr": expression, "legendFormat": legend })
        });
        json!({
            "id": index + 1,
            "type": "timeseries",
            "title": panel.title,
            "description": panel.help,
            "datasource": { "type": "prometheus", "uid": "${prometheus}" },
            "gridPos": { "x": index % 2 * 12, "y": index / 2 * 8, "w": 12, "h": 8 },
            "fieldConfig": { "defaults": { "unit": panel.unit, "min": 0 }, "overrides": [] },
            "options": { "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi" } },
            "targets": targets.collect::<Vec<_>>(),
        })
    });
    let whole = json!({
        "uid": format!("vitrine-{}", subject.shop.id),
        "title": format!("{}: cart and checkout", subject.shop.name),
        "tags": ["vitrine"],
        "schemaVersion": 39,
        "time": { "from": "now-6h", "to": "now" },
        "refresh": "30s",
        "templating": { "list": [{ "name": "prometheus", "label": "Prometheus", "type": "datasource", "query": "prometheus" }] },
        "panels": placed.collect::<Vec<Value>>(),
    });
    serde_json::to_string_pretty(&whole).expect("values are JSON") + "\n"
}

// From what a shopper feels to what is behind it.
fn panels(job: &str, promises: &[(Area, Promise)]) -> Vec<Panel> {
    let rate = |series: &str, more: &str| format!("rate(vitrine_{series}{{{job}{more}}}[$__rate_interval])");
    let of = |area: Area| format!(",route=~\"{}\"", routes(area));
    let requests = |area: Area, more: &str| format!("sum({})", rate("http_requests_total", &(of(area) + more)));
    let gauge = |series: &str| format!("vitrine_{series}{{{job}}}");
    let areas = || promises.iter().map(|(area, _)| *area);
    let failed = |area| format!("100 * {} / {}", requests(area, ",status=\"5xx\""), requests(area, ""));
    let slow = |area| {
        let buckets = rate("http_request_seconds_bucket", &of(area));
        format!("histogram_quantile(0.99, sum by (le) ({buckets}))")
    };
    let waited =
        |series: &str| format!("histogram_quantile(0.75, sum by (le, page) ({}))", rate(&format!("{series}_seconds_bucket"), ""));
    let panel = |title, unit, help, lines| Panel { title, help, unit, lines };
    vec![
        panel(
            "Requests",
            "reqps",
            "Requests a second, by part of the shop.",
            areas().map(|area| (requests(area, ""), area.name())).collect(),
        ),
        panel(
            "Failures",
            "percent",
            "Answers with 5xx, shed ones among them.",
            areas().map(|area| (failed(area), area.name())).collect(),
        ),
        panel(
            "Slowest hundredth",
            "s",
            "99 of 100 answers came within that.",
            areas().map(|area| (slow(area), area.name())).collect(),
        ),
        panel(
            "Refused under load",
            "reqps",
            "What is least important goes first; payments only when nothing else is left.",
            vec![(format!("sum by (weight) ({})", rate("requests_shed_total", "")), "{{weight}}")],
        ),
        panel(
            "Calls to the gateway",
            "reqps",
            "`unknown` is looked up until it is known.",
            vec![(format!("sum by (operation, outcome) ({})", rate("gateway_calls_total", "")), "{{operation}} {{outcome}}")],
        ),
        panel(
            "Payments that did not begin",
            "reqps",
            "Nothing was written and nobody was charged.",
            vec![(format!("sum by (reason) ({})", rate("payments_refused_total", "")), "{{reason}}")],
        ),
        panel(
            "Whether payments begin",
            "none",
            "Breaker open, paused by an operator, in doubt after a restore, disk full: 1 while it is so.",
            vec![
                (format!("vitrine_breaker_state{{{job},state=\"open\"}}"), "breaker open"),
                (gauge("payments_paused"), "paused"),
                (gauge("in_doubt"), "in doubt"),
                (gauge("store_read_only"), "disk full"),
            ],
        ),
        panel(
            "Oldest promise",
            "s",
            "For how long captures, confirmations and the like, and what the gateway told, have waited.",
            vec![(gauge("outbox_oldest_seconds"), "{{kind}}"), (gauge("inbox_oldest_seconds"), "events of the gateway")],
        ),
        panel("Mails", "mps", "Handed to the server, or not.", vec![(rate("mails_total", ""), "{{result}}")]),
        panel(
            "The store",
            "wps",
            "Transactions, and the steps that shared them.",
            vec![(rate("store_commits_total", ""), "transactions"), (rate("store_steps_total", ""), "steps")],
        ),
        panel("Waiting for the store", "none", "Steps that wait for its writer.", vec![(gauge("store_queue"), "{{lane}}")]),
        panel(
            "Your own systems",
            "s",
            "Age of the oldest event that a subscriber has not accepted.",
            vec![(gauge("webhook_lag_seconds"), "{{subscriber}}")],
        ),
        panel(
            "Pages",
            "s",
            "Three of four views were not slower, as pages tell of themselves.",
            vec![(waited("page_lcp"), "{{page}}"), (waited("page_first_product"), "{{page}}, first product")],
        ),
        panel(
            "What shoppers met",
            "ops",
            "Sold out, dearer than seen, declined, an address that was refused.",
            vec![(format!("sum by (problem) ({})", rate("problems_met_total", "")), "{{problem}}")],
        ),
        panel(
            "For a person to look at",
            "none",
            "`vitrine orders stuck` names them.",
            vec![
                (gauge("orphans_in_review"), "payments without an order"),
                (gauge("reconciled_different"), "payments that differ from the gateway's"),
            ],
        ),
        panel("Under way", "none", "Requests that are not answered yet.", vec![(gauge("http_requests_under_way"), "requests")]),
    ]
}
