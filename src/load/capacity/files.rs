//! Files: a plan as what machines and people work by: how edges grow and shrink, what they are told, and what is done when.

use super::{Database, Plan, per_minute, trimmed};

/// A file of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// What belongs to a plan; `id` is the shop's.
pub fn of(plan: &Plan, id: &str) -> Vec<File> {
    let mut files =
        vec![File { name: "RUNBOOK.md", text: runbook(plan, id) }, File { name: "edge.env", text: environment(plan) }];
    if plan.wanted.database == Database::Postgres {
        files.push(File { name: "autoscaler.yaml", text: autoscaler(plan, id) });
        files.push(File { name: "prometheus-adapter.yaml", text: adapter(id) });
    }
    files
}

fn environment(plan: &Plan) -> String {
    let mut text = format!(
        "# What an edge is told beside its secrets, for {}. Written by `vitrine plan`.\nVITRINE_PAYMENTS_PER_SECOND={}\n",
        per_minute(plan.orders_per_second),
        plan.gateway.payments_per_second_each
    );
    if plan.wanted.database == Database::Postgres {
        text.push_str(&format!("VITRINE_DATABASE_CONNECTIONS={}\n", plan.store.connections_each));
    }
    text
}

// Grows at once and by as much as there is, shrinks slowly: a peak has valleys.
fn autoscaler(plan: &Plan, id: &str) -> String {
    let (usual, peak) = (plan.edges.usual, plan.edges.at_peak);
    let requests = plan.edges.full_at.requests_per_second.max(1.0).floor();
    let busy = (plan.wanted.busy * 100.0).round();
    format!(
        "# How many edges of {id} there are. Written by `vitrine plan` for {}.\n\
         # An hour before a peak that is known, set minReplicas to {peak}: no autoscaler is as fast as a crowd.\n\
         apiVersion: autoscaling/v2\n\
         kind: HorizontalPodAutoscaler\n\
         metadata:\n  name: {id}-edge\n\
         spec:\n\
         \x20 scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: {id}-edge\n\
         \x20 minReplicas: {usual}\n\
         \x20 maxReplicas: {peak}\n\
         \x20 metrics:\n\
         \x20   # An edge is {busy} % busy at {requests} requests/s, by what was measured. The series is made by prometheus-adapter.yaml.\n\
         \x20   - type: Pods\n      pods:\n        metric:\n          name: vitrine_http_requests_per_second\n        target:\n          \
         type: AverageValue\n          averageValue: \"{requests}\"\n\
         \x20   # Whatever it is that takes processor time.\n\
         \x20   - type: Resource\n      resource:\n        name: cpu\n        target:\n          type: Utilization\n          \
         averageUtilization: {busy}\n\
         \x20 behavior:\n\
         \x20   scaleUp:\n      stabilizationWindowSeconds: 0\n      policies:\n        - type: Percent\n          value: 100\n          \
         periodSeconds: 15\n\
         \x20   scaleDown:\n      stabilizationWindowSeconds: 600\n      policies:\n        - type: Pods\n          value: 1\n          \
         periodSeconds: 120\n",
        per_minute(plan.orders_per_second),
    )
}

fn adapter(id: &str) -> String {
    format!(
        "# A rule of prometheus-adapter: requests a second of each edge of {id}, for autoscaler.yaml. Written by `vitrine plan`.\n\
         rules:\n\
         \x20 - seriesQuery: 'vitrine_http_requests_total{{namespace!=\"\",pod!=\"\"}}'\n\
         \x20   resources:\n      overrides:\n        namespace:\n          resource: namespace\n        pod:\n          resource: pod\n\
         \x20   name:\n      matches: ^vitrine_http_requests_total$\n      as: vitrine_http_requests_per_second\n\
         \x20   metricsQuery: sum(rate(<<.Series>>{{<<.LabelMatchers>>}}[1m])) by (<<.GroupBy>>)\n"
    )
}

fn runbook(plan: &Plan, id: &str) -> String {
    let Plan { wanted, measured, edges, store, gateway, .. } = plan;
    let mut page = format!("# The peak of {id}\n\nWritten by `vitrine plan`; write it anew after each measurement.\n\n");
    page.push_str("| | usual | peak |\n|---|---:|---:|\n");
    let mut row = |what: &str, usual: String, peak: String| page.push_str(&format!("| {what} | {usual} | {peak} |\n"));
    row("orders a minute", trimmed(wanted.orders_per_second * 60.0), trimmed(plan.orders_per_second * 60.0));
    if let (Some(usual), Some(peak)) = (wanted.views_per_second, plan.views_per_second) {
        row("page views a second", trimmed(usual), trimmed(peak));
    }
    row("edges", edges.usual.to_string(), edges.at_peak.to_string());
    row("of them spare", spare(plan, edges.usual), spare(plan, edges.at_peak));
    row("transactions a second", trimmed(store.commits_per_second / wanted.peak), trimmed(store.commits_per_second));
    row("payments a second", trimmed(gateway.payments_per_second / wanted.peak), trimmed(gateway.payments_per_second));
    page.push_str(&format!("\nMeasured on {}: {}.\n", measured.began_at, measured.told()));
    section(&mut page, "What does not fit", plan.lacks.iter().map(String::as_str));
    section(&mut page, "What was not measured", plan.assumed.iter().map(String::as_str));

    let before = [
        format!(
            "Send the peak to a copy of the shop that has the sandbox for its gateway: `vitrine load URL --scenario mix --rate RATE --for 10min \
             --operator URL --fail-if \"p99(checkout) > 1s\" --fail-if \"errors > 0.1%\"`, with a rate that makes {}.",
            per_minute(plan.orders_per_second)
        ),
        format!(
            "Ask the gateway for {} payments and {} calls a second.",
            trimmed(gateway.payments_per_second.ceil()),
            trimmed(gateway.calls_per_second.ceil())
        ),
        "Count the stock, and set it: `vitrine stock show`, `vitrine stock set`. What is sold out is told before anybody pays."
            .to_owned(),
        "Try the way back: `vitrine publish --rollback` on a preview, `vitrine store backup` and a restore.".to_owned(),
    ];
    section(&mut page, "A week before", before.iter().map(String::as_str));

    let mut hour =
        vec!["Stop publishing and deploying until it is over; what is due meanwhile the edge switches by itself.".to_owned()];
    match wanted.database {
        Database::Sqlite => {
            hour.push(format!("Give the edge {} processors, and its disk nothing else to do.", wanted.processors))
        }
        Database::Postgres => {
            hour.push(format!(
                "Start {} edges by hand, in Kubernetes by `minReplicas: {}`: none grows as fast as a crowd comes.",
                edges.at_peak, edges.at_peak
            ));
            hour.push(format!(
                "The database takes {} connections (`max_connections`), {} of each edge; no maintenance runs.",
                store.max_connections, store.connections_each
            ));
        }
    }
    if let Some(percent) = plan.cdn_hit_percent {
        hour.push(format!("Warm the CDN: {percent:.1} % of views have to be answered there."));
    }
    hour.push("`/readyz` of every edge says `\"ready\": true` and the bundle of the last publication.".to_owned());
    section(&mut page, "An hour before", hour.iter().map(String::as_str));

    let during = [
        format!(
            "An edge is {} % busy at {:.0} requests/s, with {}. `vitrine_pulse_wait_seconds` above 0.02 means that it refuses: first questions \
             for stock, then newcomers, last of all payments that begin.",
            trimmed((wanted.busy * 100.0).round()),
            edges.full_at.requests_per_second,
            per_minute(edges.full_at.orders_per_second)
        ),
        "`vitrine_breaker_state{state=\"open\"}` is 1: the gateway fails. Nothing is to be done here; payments begin again by themselves. Say so \
         on the shop's page if it lasts."
            .to_owned(),
        "`vitrine_store_queue` grows, or `vitrine_store_up` is 0: the database. Its primary comes first; edges wait for it and finish what was \
         begun."
            .to_owned(),
        "Something is sold wrongly: `vitrine edge pause payments --reason \"…\"` stops new payments on every edge, and nothing else."
            .to_owned(),
        "Money: `vitrine orders stuck` lists what a person has to look at. What is being checked is settled by itself.".to_owned(),
    ];
    section(&mut page, "While it lasts", during.iter().map(String::as_str));

    let mut after = vec![
        "`vitrine orders stuck` is empty, and `vitrine_reconciled_different` is 0.".to_owned(),
        "Publish the stock that is left: `vitrine stock export`, `vitrine build --stock`, `vitrine publish`.".to_owned(),
    ];
    match wanted.database {
        Database::Postgres => after.push(format!("Set `minReplicas` back to {}.", edges.usual)),
        Database::Sqlite => after.push("`vitrine store backup FILE`.".to_owned()),
    }
    section(&mut page, "After it", after.iter().map(String::as_str));

    if wanted.database == Database::Postgres {
        let busy = trimmed((wanted.busy * 100.0).round());
        let (usual, peak) = (edges.usual, edges.at_peak);
        let elsewhere = [
            format!("Kubernetes: `autoscaler.yaml`, with `prometheus-adapter.yaml`; {usual} to {peak} edges."),
            format!(
                "Amazon EC2, Google Compute Engine, Azure: a group of {usual} to {peak} machines that is kept at {busy} % of processor time \
                 (target tracking of ASGAverageCPUUtilization, `--target-cpu-utilization`, Percentage CPU), healthy by `/readyz` on the operators' \
                 port."
            ),
            format!("systemd on machines of your own: {peak} of them, each with `edge.env` beside its secrets."),
        ];
        section(&mut page, "How edges grow", elsewhere.iter().map(String::as_str));
    }
    page
}

fn spare(plan: &Plan, edges: u32) -> String {
    match plan.wanted.database {
        Database::Sqlite => "0".to_owned(),
        Database::Postgres => plan.wanted.spare.min(edges.saturating_sub(1)).to_string(),
    }
}

fn section<'a>(page: &mut String, title: &str, lines: impl Iterator<Item = &'a str>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    page.push_str(&format!("\n## {title}\n\n"));
    lines.for_each(|line| page.push_str(&format!("- {line}\n")));
}
