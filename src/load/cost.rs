//! Cost: what a run took of the edges, by their own pages of metrics before and after it.
//!
//! Always  all edges that were asked before are asked after; one that was started anew meanwhile makes the whole unknown, since its
//!         counters began again.

use serde::{Deserialize, Serialize};

/// What the page of one edge says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Levels {
    cpu_seconds: f64,
    store_busy_seconds: f64,
    commits: f64,
    steps: f64,
    gateway_calls: f64,
    resident_bytes: f64,
    processors: f64,
}

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Edges that were asked.
    pub edges: u32,
    /// Processors that they may use, together.
    pub processors: u32,
    /// Processor time of all edges. The database's own is not in it.
    pub cpu_seconds: f64,
    /// Time that connections to the store were at work, waiting for the disk and for others included.
    pub store_busy_seconds: f64,
    /// Transactions of the store.
    pub commits: u64,
    /// Steps that shared them.
    pub steps: u64,
    /// Calls to the gateway.
    pub gateway_calls: u64,
    /// Memory that the largest edge held at the end.
    pub resident_bytes: u64,
}

impl Levels {
    /// Reads a page of metrics; `None`: it is not an edge's.
    pub fn read(page: &str) -> Option<Self> {
        let sum = |name: &str| {
            let of_series = |line: &str| -> Option<f64> {
                let rest = line.strip_prefix(name)?;
                // Labels hold no blank that is not within quotes, and a value has none.
                let (labels, value) = rest.rsplit_once(' ')?;
                (labels.is_empty() || labels.starts_with('{')).then(|| value.parse().ok())?
            };
            let values: Vec<f64> = page.lines().filter_map(of_series).collect();
            (!values.is_empty()).then(|| values.iter().sum())
        };
        Some(Self {
            cpu_seconds: sum("process_cpu_seconds_total")?,
            processors: sum("vitrine_processors")?,
            resident_bytes: sum("process_resident_memory_bytes").unwrap_or(0.0),
            store_busy_seconds: sum("vitrine_store_busy_seconds_total").unwrap_or(0.0),
            commits: sum("vitrine_store_commits_total").unwrap_or(0.0),
            steps: sum("vitrine_store_steps_total").unwrap_or(0.0),
            gateway_calls: sum("vitrine_gateway_calls_total").unwrap_or(0.0),
        })
    }
}

impl Cost {
    /// What was taken between two looks at the same edges; `None`: one of them was started anew in between.
    pub fn between(before: &[Levels], after: &[Levels]) -> Option<Self> {
        let risen = |of: fn(&Levels) -> f64| {
            let rises = before.iter().zip(after).map(|(before, after)| of(after) - of(before));
            rises.map(|rise| (rise >= 0.0).then_some(rise)).sum::<Option<f64>>()
        };
        let whole = |number: f64| number.max(0.0).round() as u64;
        Some(Self {
            edges: u32::try_from(after.len()).ok()?,
            processors: after.iter().map(|levels| levels.processors as u32).sum(),
            cpu_seconds: risen(|levels| levels.cpu_seconds)?,
            store_busy_seconds: risen(|levels| levels.store_busy_seconds)?,
            commits: whole(risen(|levels| levels.commits)?),
            steps: whole(risen(|levels| levels.steps)?),
            gateway_calls: whole(risen(|levels| levels.gateway_calls)?),
            resident_bytes: whole(after.iter().map(|levels| levels.resident_bytes).fold(0.0, f64::max)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total 1.5\nprocess_resident_memory_bytes 1000\n\
         vitrine_processors 2\nvitrine_gateway_calls_total{operation=\"create\",outcome=\"done\"} 3\n\
         vitrine_gateway_calls_total{operation=\"a name\",outcome=\"done\"} 4\nvitrine_store_commits_total 10\n\
         vitrine_store_steps_total 30\nvitrine_store_steps_total_of_others 9\nvitrine_store_busy_seconds_total 0.25\n# EOF\n";

    #[test]
    fn a_page_is_read_and_series_of_one_name_are_summed() {
        let expected = Levels {
            cpu_seconds: 1.5,
            store_busy_seconds: 0.25,
            commits: 10.0,
            steps: 30.0,
            gateway_calls: 7.0,
            resident_bytes: 1000.0,
            processors: 2.0,
        };
        assert_eq!(Levels::read(PAGE), Some(expected));
        assert_eq!(Levels::read("<html>"), None);
    }

    #[test]
    fn what_was_taken_is_the_rise_of_all_edges() {
        let before = Levels::read(PAGE).expect("a page");
        let after = Levels { cpu_seconds: 4.0, commits: 25.0, resident_bytes: 2000.0, ..before };
        let cost = Cost::between(&[before, before], &[after, before]).expect("nobody was started anew");
        assert_eq!((cost.edges, cost.processors, cost.commits, cost.resident_bytes), (2, 4, 15, 2000));
        assert!((cost.cpu_seconds - 2.5).abs() < 1e-9);
        assert_eq!(Cost::between(&[after], &[before]), None, "its counters went back");
    }
}
