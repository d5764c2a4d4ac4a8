//! `vitrine load` against a running edge of the starter shop: what it counts is what the shop has, and what it must not do it does not.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::edge_cli::Running;
use crate::support::shop::{run, vitrine};

/// The starter shop, built, with an edge.
struct Shop {
    folder: tempfile::TempDir,
    edge: Running,
}

impl Shop {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for words in [&["init", "."][..], &["build"]] {
            let (code, _, told) = run(folder.path(), words);
            assert_eq!(code, 0, "{told}");
        }
        let mut edge = vitrine(folder.path());
        edge.args(["edge", "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0", "--payments-per-second", "1000"]);
        Self { folder, edge: Running::start(edge) }
    }

    /// Sends load; gives the exit code, the report and what people were told.
    fn load(&self, words: &[&str]) -> (i32, Value, String) {
        let url = format!("http://127.0.0.1:{}", self.edge.port("checkout on"));
        let words = [&["load", &url, "--sitemap", "public/sitemap.xml", "--json", "report.json"], words].concat();
        let (code, _, told) = run(self.folder.path(), &words);
        let report = fs::read_to_string(self.folder.path().join("report.json")).unwrap_or_default();
        (code, serde_json::from_str(&report).unwrap_or(Value::Null), told)
    }

    /// Numbers of the orders that the store says are paid.
    fn paid(&self) -> BTreeSet<String> {
        let (code, out, told) = run(self.folder.path(), &["orders", "list", "--state", "placed", "--limit", "1000", "--json"]);
        assert_eq!(code, 0, "{told}");
        let orders: Value = serde_json::from_str(&out).expect("JSON");
        let orders = orders.as_array().expect("a list").iter();
        orders.filter(|order| !order["paid_at"].is_null()).map(|order| text(&order["number"])).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn numbers(report: &Value) -> BTreeSet<String> {
    report["order_numbers"].as_array().expect("a list").iter().map(text).collect()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Everybody who was to come is there once.
#[track_caller]
fn adds_up(report: &Value) {
    let shoppers = &report["shoppers"];
    let outcomes = shoppers["outcomes"].as_object().expect("outcomes").values().map(count).sum::<u64>();
    assert_eq!(count(&shoppers["arrived"]), count(&shoppers["began"]) + count(&shoppers["dropped"]), "{shoppers}");
    assert_eq!(outcomes, count(&shoppers["began"]), "{shoppers}");
    let asked = |value: &Value| count(&value["response"]["count"]);
    let steps = report["steps"].as_array().expect("steps");
    assert_eq!(steps.iter().map(asked).sum::<u64>(), count(&report["requests"]), "{report}");
    for step in steps {
        assert_eq!(step["statuses"].as_object().expect("statuses").values().map(count).sum::<u64>(), asked(step), "{step}");
    }
    let points = report["points"].as_array().expect("points");
    let of_points = |name: &str| points.iter().map(|point| count(&point[name])).sum::<u64>();
    assert_eq!(of_points("arrivals"), count(&shoppers["arrived"]), "{points:?}");
    assert_eq!((of_points("requests"), of_points("orders")), (count(&report["requests"]), count(&report["orders_paid"])));
}

#[test]
fn every_order_that_load_reports_exists_and_none_beside() {
    let shop = Shop::open();
    let words = ["--scenario", "checkout", "--rate", "20/s", "--for", "2s", "--html", "report.html", "--fail-if", "errors > 0"];
    let (code, report, told) = shop.load(&words);
    assert_eq!(code, 0, "{told}");
    adds_up(&report);
    let shoppers = &report["shoppers"];
    assert_eq!((count(&shoppers["planned"]), count(&shoppers["began"])), (40, 40), "{told}");
    let (paid, sold_out) = (count(&shoppers["outcomes"]["paid"]), count(&shoppers["outcomes"]["sold_out"]));
    assert!(paid + sold_out == 40 && paid >= 10, "{told}");
    assert_eq!((count(&report["orders_paid"]), numbers(&report)), (paid, shop.paid()), "{told}");
    // Once more: a purchase that another one with the same seed had made is no new one.
    let (_, again, told) = shop.load(&["--scenario", "mix", "--rate", "40/s", "--for", "1s", "--seed", "5"]);
    adds_up(&again);
    let all: BTreeSet<String> = numbers(&report).union(&numbers(&again)).cloned().collect();
    assert_eq!((all.len() as u64, all), (paid + count(&again["orders_paid"]), shop.paid()), "{told}");
    let page = fs::read_to_string(shop.folder.path().join("report.html")).expect("a page");
    assert_eq!(page.matches("<svg").count(), page.matches("role=img aria-labelledby=").count());
    for outside in ["<script", "src=", "href='http", "@import", "url("] {
        assert!(!page.contains(outside), "{outside} in a page that stands alone");
    }
}

#[test]
fn a_card_that_is_declined_and_a_checkout_that_is_left_are_no_orders() {
    let shop = Shop::open();
    for (scenario, outcome) in [("decline", "declined"), ("abandon", "done")] {
        let (code, report, told) = shop.load(&["--scenario", scenario, "--rate", "10/s", "--for", "1s"]);
        assert_eq!(code, 0, "{told}");
        adds_up(&report);
        assert_eq!((count(&report["shoppers"]["outcomes"][outcome]), count(&report["orders_paid"])), (10, 0), "{told}");
    }
    assert_eq!(shop.paid(), BTreeSet::new());
}

#[test]
fn of_a_crowd_each_unit_is_sold_once_and_the_others_hear_a_typed_no() {
    let shop = Shop::open();
    assert_eq!(run(shop.folder.path(), &["stock", "set", "CUP-1", "7", "--reason", "a sale"]).0, 0);
    let (code, report, told) = shop.load(&["--scenario", "flash-sale", "--sku", "CUP-1", "--shoppers", "60"]);
    assert_eq!(code, 0, "{told}");
    adds_up(&report);
    let outcomes = &report["shoppers"]["outcomes"];
    assert_eq!((count(&outcomes["paid"]), count(&outcomes["sold_out"])), (7, 53), "{told}");
    assert_eq!((count(&report["server_errors"]), shop.paid().len()), (0, 7), "{told}");
}

#[test]
fn a_threshold_that_is_broken_ends_with_1() {
    let shop = Shop::open();
    let words = ["--scenario", "add", "--rate", "10/s", "--for", "1s", "--fail-if", "p99(add) > 0ms", "--fail-if", "errors > 0"];
    let (code, report, told) = shop.load(&words);
    assert_eq!((code, told.contains("BROKEN p99(add) > 0ms")), (1, true), "{told}");
    let broken = |index: usize| report["thresholds"][index]["broken"].as_bool();
    assert_eq!((broken(0), broken(1)), (Some(true), Some(false)), "{report}");
}

#[test]
fn what_a_run_takes_of_an_edge_is_told_and_planned_by() {
    let shop = Shop::open();
    let operator = format!("http://127.0.0.1:{}", shop.edge.port("for operators:"));
    assert_eq!(run(shop.folder.path(), &["stock", "set", "CUP-1", "100", "--reason", "a sale"]).0, 0);
    let words = ["--scenario", "checkout", "--sku", "CUP-1", "--rate", "20/s", "--for", "2s", "--operator", &operator];
    let (code, report, told) = shop.load(&words);
    assert_eq!((code, count(&report["orders_paid"])), (0, 40), "{told}");
    let cost = &report["cost"];
    assert_eq!(count(&cost["edges"]), 1, "{cost}");
    // A payment is three steps of the store at least, and the edge does something for it.
    assert!(count(&cost["steps"]) >= 120 && count(&cost["gateway_calls"]) >= 80, "{cost}");
    let positive = |name: &str| cost[name].as_f64().is_some_and(|number| number > 0.0);
    for name in ["cpu_seconds", "store_busy_seconds", "commits", "resident_bytes", "processors"] {
        assert!(positive(name), "{name}: {cost}");
    }
    assert!(told.contains("transactions an order"), "{told}");

    let plan = |words: &[&str]| run(shop.folder.path(), &[&["plan", "report.json"], words].concat());
    let (code, out, told) = plan(&["--orders", "60/min", "--peak", "2", "--json", "--out", "plan"]);
    assert_eq!(code, 0, "{told}");
    let planned: Value = serde_json::from_str(&out).expect("JSON");
    let per_order = cost["cpu_seconds"].as_f64().expect("a number") * 1e3 / 40.0;
    let found = planned["edges"]["cpu_ms_per_order"].as_f64().expect("a number");
    assert!((found - per_order).abs() < 1e-6, "{found} {per_order}");
    assert!(count(&planned["edges"]["at_peak"]) >= 2 && planned["lacks"].as_array().is_some_and(Vec::is_empty), "{planned}");
    for file in ["RUNBOOK.md", "edge.env", "autoscaler.yaml", "prometheus-adapter.yaml"] {
        assert!(shop.folder.path().join("plan").join(file).is_file(), "{file}");
    }
    // Each command that the runbook names is one.
    let runbook = fs::read_to_string(shop.folder.path().join("plan/RUNBOOK.md")).expect("written");
    let commands = runbook.split("`vitrine ").skip(1).map(|rest| rest.split('`').next().expect("it ends"));
    let mut named = 0;
    for command in commands {
        let words = command.split(' ').take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        let words: Vec<&str> = words.chain(["--help"]).collect();
        assert_eq!(run(shop.folder.path(), &words).0, 0, "{command}");
        named += 1;
    }
    assert!(named >= 8, "{named} in {runbook}");
    // What does not fit ends with 1; what is no measurement is wrong usage.
    let (code, out, _) = plan(&["--orders", "600/min", "--gateway-rate", "1/s"]);
    assert_eq!((code, out.contains("LACKS      the gateway takes 1 payments/s")), (1, true), "{out}");
    let (code, _, told) = shop.load(&["--scenario", "add", "--rate", "10/s", "--for", "1s"]);
    assert_eq!(code, 0, "{told}");
    let (code, _, told) = plan(&["--orders", "60/min"]);
    assert_eq!((code, told.contains("--operator")), (2, true), "{told}");
    let (code, _, told) = shop.load(&["--scenario", "add", "--operator", &operator.replace("127.0.0.1", "192.0.2.1")]);
    assert_eq!((code, told.contains("--allow-host 192.0.2.1")), (2, true), "{told}");
    let page = format!("http://127.0.0.1:{}", shop.edge.port("checkout on"));
    let (code, _, told) = shop.load(&["--scenario", "add", "--operator", &page]);
    assert_eq!((code, told.contains("name the operators' listener")), (3, true), "{told}");
}

#[test]
fn another_host_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = |words: &[&str]| run(folder.path(), &[&["load"], words].concat());
    let (code, _, told) = load(&["https://shop.example"]);
    assert_eq!((code, told.contains("--allow-host shop.example")), (2, true), "{told}");
    // An address that nobody has: asked nothing, since its pages' host is refused.
    let (code, _, told) = load(&["http://127.0.0.1:9", "--pages", "http://192.0.2.1"]);
    assert_eq!((code, told.contains("--allow-host 192.0.2.1")), (2, true), "{told}");
}

#[test]
fn what_is_wrong_is_told_with_what_to_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let load = |words: &[&str]| {
        let (code, _, told) = run(folder.path(), &[&["load"], words].concat());
        (code, told)
    };
    let silent = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a port that is free by now");
    fs::write(folder.path().join("load.toml"), "[[scenario]]\nlike = \"chekout\"\n").expect("written");
    fs::write(folder.path().join("empty.xml"), "<urlset></urlset>").expect("written");
    for (words, expected_code, expected) in [
        (&["--scenario", "load.toml"][..], 1, "load.toml:2:8"),
        (&["--scenario", "load.toml"], 1, "did you mean \"checkout\"?"),
        (&["--scenario", "chekout"], 2, "there are browse, add, checkout"),
        (&["--scenario", "none.toml"], 3, "none.toml"),
        (&["--rate", "50"], 2, "write one such as 50/s"),
        (&["--rate", "0/s"], 2, "nobody comes"),
        (&["--fail-if", "p98(all) > 1s"], 2, "there are p50, p90"),
        (&["--fail-if", "p99(al) > 1s"], 2, "there are all, checkout, page"),
        (&[&format!("http://{silent}")], 3, "does not answer"),
        (&["--sitemap", "empty.xml"], 3, "names no page below /products/"),
    ] {
        let (code, told) = load(words);
        assert_eq!((code, told.contains(expected)), (expected_code, true), "{words:?}: {told}");
    }
}

#[test]
fn the_readmes_scenario_file_is_one() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is one");
    let (_, after) = readme.split_once("\n## Load and capacity\n").expect("the section");
    let (_, block) = after.split_once("```toml\n").expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    let file = vitrine::site::problem::SourceFile::new("load.toml", block);
    let mut problems = vitrine::site::problem::Problems::new();
    let plan = vitrine::load::written::read(&file, &mut problems).unwrap_or_else(|| panic!("{}", problems.render(false)));
    assert!(plan.scenarios.len() >= 2 && plan.stages.len() >= 2);
    for step in vitrine::load::scenario::Step::ALL {
        assert!(after.contains(&format!("`{}`", step.name())), "`{}` is not in the README", step.name());
    }
}
