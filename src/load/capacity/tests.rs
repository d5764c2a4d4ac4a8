//! Tests: what a plan says of made-up measurements.

use super::measured::Report;
use super::*;

/// A report of a run: seconds, orders, processor time, transactions, time of connections.
fn report(orders: u64, changes: &[(&str, serde_json::Value)]) -> String {
    let times = |count: u64| serde_json::json!({"response": {"count": count, "p99_ms": 42.0}, "service": {}});
    let step = |name: &str, count: u64| {
        let mut step = times(count);
        step["step"] = name.into();
        step
    };
    let mut report = serde_json::json!({
        "began_at": "2026-01-02T03:04:05Z",
        "seconds": 60.0,
        "requests": 1_200,
        "shed": 0,
        "orders_paid": orders,
        "checkout": times(600),
        "steps": [step("availability", 500), step("pay", 150)],
        "cost": {
            "edges": 1, "processors": 2, "cpu_seconds": 1.2, "store_busy_seconds": 0.6, "commits": 480, "steps": 600,
            "gateway_calls": 360, "resident_bytes": 50_000_000
        }
    });
    for (name, value) in changes {
        report[*name] = value.clone();
    }
    report.to_string()
}

fn measured() -> Measured {
    Measured::of(&[Report::read("mix.json", &report(120, &[])).expect("a report")]).expect("a measurement")
}

fn wanted() -> Wanted {
    Wanted {
        orders_per_second: 10.0,
        views_per_second: None,
        peak: 6.0,
        database: Database::Postgres,
        processors: 2,
        busy: BUSY,
        spare: 1,
        gateway_per_second: Some(100.0),
        origin_per_second: None,
        database_bytes: None,
    }
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= expected.abs() * 1e-9, "{found}, not {expected}");
}

#[test]
fn what_an_order_takes_is_what_was_taken_by_all_of_them() {
    let measured = measured();
    near(measured.cpu_ms_per_order, 10.0);
    near(measured.commits_per_order, 4.0);
    near(measured.store_busy_ms_per_order, 5.0);
    near(measured.requests_per_order, 10.0);
    near(measured.payments_per_order, 1.25);
    near(measured.orders_per_second_each, 2.0);
    near(measured.busy, 0.01);
    assert_eq!((measured.cpu_ms_per_view, measured.was_full), (None, false));
    let cut = report(120, &[("began_at", "2026-01-02T03:04:05.678Z".into())]);
    let cut = Measured::of(&[Report::read("mix.json", &cut).expect("a report")]).expect("a measurement");
    assert_eq!((measured.began_at.as_str(), cut.began_at.as_str()), ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"));
}

#[test]
fn edges_are_those_whose_processors_bear_the_peak_and_one_more() {
    // 60 orders/s × 10 ms = 0.6 processors of 1.2 that one edge gives.
    let plan = Plan::new(wanted(), measured());
    near(plan.edges.busy_processors, 0.6);
    assert_eq!((plan.edges.at_peak, plan.edges.usual), (2, 2));
    near(plan.edges.orders_per_second_each, 60.0);
    near(plan.edges.requests_per_second_each, 600.0);
    // Twice that is what 1.2 processors bear.
    near(plan.edges.full_at.orders_per_second, 120.0);
    near(plan.edges.full_at.requests_per_second, 1_200.0);
    // Seven times that are 4.2: four edges, of 1.2 each.
    let plan = Plan::new(Wanted { peak: 42.0, gateway_per_second: None, ..wanted() }, measured());
    assert_eq!((plan.edges.at_peak, plan.edges.usual), (5, 2));
    near(plan.edges.orders_per_second_each, 105.0);
    assert!(plan.holds(), "{:?}", plan.lacks);
    // 50 MB held, twice and rounded up.
    assert_eq!(plan.edges.memory_mib, 128);
}

#[test]
fn connections_are_those_at_work_twice_over_and_a_quarter_for_the_urgent() {
    // 240 transactions/s; 60 × 5 ms = 0.3 connections at work: the least that edges have is enough.
    let plan = Plan::new(wanted(), measured());
    near(plan.store.commits_per_second, 240.0);
    near(plan.store.connections_at_work, 0.3);
    assert_eq!((plan.store.connections_each, plan.store.max_connections, plan.store.processors), (4, 22, 1));
    // Ten times the time of a step: 3 at work, 8 at half of their time and with their quarter, 4 of each of two.
    let slow = Measured { store_busy_ms_per_order: 50.0, ..measured() };
    let plan = Plan::new(wanted(), slow.clone());
    assert_eq!((plan.store.connections_each, plan.store.max_connections, plan.store.processors), (4, 22, 5));
    let slower = Measured { store_busy_ms_per_order: 2_000.0, ..slow };
    let plan = Plan::new(wanted(), slower);
    assert_eq!(plan.store.connections_each, 64);
    assert!(plan.lacks.iter().any(|lack| lack.contains("160 connections")), "{:?}", plan.lacks);
    let sized = Plan::new(Wanted { database_bytes: Some(20 << 30), ..wanted() }, measured());
    assert_eq!(sized.store.memory_gib, Some(16));
}

#[test]
fn a_file_is_written_by_one_edge() {
    let file = Wanted { database: Database::Sqlite, ..wanted() };
    let plan = Plan::new(file.clone(), measured());
    assert!(plan.holds(), "{:?}", plan.lacks);
    assert_eq!((plan.edges.at_peak, plan.edges.usual, plan.store.connections_each), (1, 1, 0));
    let plan = Plan::new(Wanted { peak: 13.0, gateway_per_second: None, ..file }, measured());
    assert_eq!(plan.lacks.len(), 2, "processors, and the writer: {:?}", plan.lacks);
    assert!(plan.lacks[0].contains("--processors") && plan.lacks[1].contains("at work 65 %"), "{:?}", plan.lacks);
}

#[test]
fn what_the_gateway_does_not_take_is_said() {
    // 60 × 1.25 payments begin.
    let plan = Plan::new(Wanted { gateway_per_second: Some(50.0), ..wanted() }, measured());
    near(plan.gateway.payments_per_second, 75.0);
    assert_eq!(plan.gateway.payments_per_second_each, 25);
    assert!(!plan.holds() && plan.lacks[0].contains("25.0 a second are told to come again"), "{:?}", plan.lacks);
    // Where it is not known, each edge lets half more begin than its part.
    let plan = Plan::new(Wanted { gateway_per_second: None, ..wanted() }, measured());
    assert_eq!(plan.gateway.payments_per_second_each, 57);
    assert!(plan.holds() && plan.assumed.iter().any(|text| text.contains("--gateway-rate")));
}

#[test]
fn views_are_the_cdns_and_what_they_ask_of_edges_is_measured_apart() {
    let browse = report(0, &[]);
    let reports = [Report::read("mix.json", &report(120, &[])), Report::read("browse.json", &browse)];
    let reports: Vec<_> = reports.into_iter().map(|read| read.expect("a report")).collect();
    let measured = Measured::of(&reports).expect("a measurement");
    near(measured.cpu_ms_per_view.expect("500 views"), 2.4);
    let seen = Wanted { views_per_second: Some(100.0), origin_per_second: Some(30.0), ..wanted() };
    let plan = Plan::new(seen.clone(), measured);
    // 0.6 of orders and 600 × 2.4 ms.
    near(plan.edges.busy_processors, 2.04);
    assert_eq!(plan.edges.at_peak, 3);
    near(plan.cdn_hit_percent.expect("both are known"), 95.0);
    let plan = Plan::new(seen, self::measured());
    assert!(plan.assumed.iter().any(|text| text.contains("--scenario browse")), "{:?}", plan.assumed);
    assert_eq!(plan.edges.at_peak, 2);
}

#[test]
fn what_is_no_measurement_is_refused() {
    let refused = |text: &str, part: &str| {
        let error = Report::read("x.json", text).expect_err(part).to_string();
        assert!(error.contains(part) && error.starts_with("x.json"), "{error}");
    };
    refused("[]", "no report");
    refused(&report(120, &[("cost", serde_json::Value::Null)]), "--operator");
    refused(&report(29, &[]), "29 orders are too few");
    refused(&report(0, &[("requests", 10.into())]), "10 requests are too few");
    let read = |orders| Report::read("x.json", &report(orders, &[])).expect("a report");
    for (reports, found) in [(vec![read(0)], 0), (vec![read(120), read(120)], 2), (vec![], 0)] {
        assert_eq!(Measured::of(&reports), Err(NotMeasured::Orders { found }));
    }
}

#[test]
fn files_say_what_the_plan_says() {
    let plan = Plan::new(Wanted { peak: 42.0, gateway_per_second: None, ..wanted() }, measured());
    let files = files::of(&plan, "cups");
    let text = |name: &str| &files.iter().find(|file| file.name == name).expect(name).text;
    assert!(text("autoscaler.yaml").contains("minReplicas: 2\n  maxReplicas: 5\n"), "{}", text("autoscaler.yaml"));
    assert!(text("autoscaler.yaml").contains("averageValue: \"1200\""), "{}", text("autoscaler.yaml"));
    let connections = format!("VITRINE_DATABASE_CONNECTIONS={}\n", plan.store.connections_each);
    assert!(
        text("edge.env").contains(&connections) && text("edge.env").contains("VITRINE_PAYMENTS_PER_SECOND=158\n"),
        "{}",
        text("edge.env")
    );
    for part in ["| edges | 2 | 5 |", "An hour before", "minReplicas: 5", "## What was not measured", "cups"] {
        assert!(text("RUNBOOK.md").contains(part), "{part} in {}", text("RUNBOOK.md"));
    }
    assert!(!text("RUNBOOK.md").contains("What does not fit"));
    let file = Plan::new(Wanted { database: Database::Sqlite, ..wanted() }, measured());
    assert_eq!(files::of(&file, "cups").len(), 2, "one edge does not grow");
}
