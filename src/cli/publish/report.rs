//! Report: what is told of plans, outcomes and findings, to people and machines.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use super::previews::Beside;
use super::wanted::Wanted;
use super::{CommandError, Desk};
use crate::cli::build::size;
use crate::cli::diff::text;
use crate::publish::guard::Stop;
use crate::publish::job::State;
use crate::publish::plan::Plan;
use crate::publish::purge::settle::{Settled, owed};
use crate::publish::upload::{Outcome, to_purge};
use crate::publish::verify::Findings;

/// Lines of one heading on a terminal; the report for machines holds all.
const SHOWN: usize = 20;
/// Heading of addresses.
const PURGED: &str = "purged from caches";

/// How a publication ended, for machines.
#[derive(serde::Serialize)]
struct Ended<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    /// Where a preview is.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Not there where no caches are told.
    #[serde(flatten)]
    settled: Option<&'a Settled>,
    /// What a preview changes beside the shop.
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<serde_json::Value>,
}

impl Beside {
    fn json(&self) -> serde_json::Value {
        match &self.diff {
            Ok(diff) => serde_json::json!({ "target": self.target, "stops": diff.stops(), "diff": diff }),
            Err(reason) => serde_json::json!({ "target": self.target, "error": reason }),
        }
    }
}

impl Desk {
    pub(super) async fn tell_plan(
        &self,
        state: &State,
        plan: &Plan,
        stops: &[Stop],
        wanted: &Wanted,
        beside: Option<&Beside>,
    ) -> Result<(), CommandError> {
        let wish = wanted.wish(self);
        let points = state.points(&wish, &self.key);
        let purge = match &self.target.purge {
            Some(_) => {
                let owed = owed(&self.host, wish.shop_id).await?;
                Some(owed.into_iter().chain(to_purge(state, &wish, plan)).collect::<BTreeSet<String>>())
            }
            None => None,
        };
        if self.json {
            let puts: Vec<_> = plan
                .uploads
                .iter()
                .map(|upload| serde_json::json!({ "path": upload.path, "bytes": upload.entry.size }))
                .collect();
            let report = serde_json::json!({
                "id": plan.id, "put": puts, "bytes": plan.bytes(), "unchanged": plan.unchanged.len(), "gone": plan.gone,
                "remove": plan.removed().collect::<Vec<_>>(), "points": points, "stops": stops, "purge": purge,
                "url": self.preview_url(), "beside": beside.map(Beside::json),
            });
            print_json(&report);
            return Ok(());
        }
        println!(
            "publication {}: {} to put ({}), {} as before",
            plan.id,
            plan.uploads.len(),
            size(plan.bytes()),
            plan.unchanged.len()
        );
        list("put", plan.uploads.iter().map(|upload| &upload.path));
        list("no longer published", plan.gone.iter());
        list("removed, since nothing refers to them any more", plan.removed().collect::<Vec<_>>().into_iter());
        if points {
            println!("edges are pointed to another bundle");
        }
        list(PURGED, purge.iter().flatten().collect::<Vec<_>>().into_iter());
        self.tell_beside(beside);
        Ok(())
    }

    fn tell_beside(&self, beside: Option<&Beside>) {
        let Some(beside) = beside else { return };
        match &beside.diff {
            Ok(diff) => {
                println!("beside `{}`:", beside.target);
                print!("{}", text(diff, self.config.max_price_change));
            }
            Err(reason) => eprintln!("warning: the preview cannot be compared with `{}`: {reason}", beside.target),
        }
    }

    // What caches would be told now.
    pub(super) fn tell_purge(&self, owed: &BTreeSet<String>) {
        if self.json {
            print_json(&serde_json::json!({ "purge": owed }));
        } else if owed.is_empty() {
            println!("caches were told of everything");
        } else {
            list(PURGED, owed.iter());
        }
    }

    pub(super) fn tell_outcome(&self, outcome: &Outcome, settled: Option<&Settled>, beside: Option<&Beside>) {
        if self.json {
            print_json(&Ended { outcome, url: self.preview_url(), settled, beside: beside.map(Beside::json) });
        } else {
            self.tell_beside(beside);
        }
        for path in &outcome.lost {
            eprintln!("warning: {path} was removed by hand: publications before this one lack it");
        }
        let purged = settled.filter(|settled| settled.purged > 0);
        let purged = purged.map_or(String::new(), |settled| format!(", {} addresses purged from caches", settled.purged));
        match outcome.id {
            None => eprintln!("nothing has changed since the last publication{purged}"),
            Some(id) => eprintln!(
                "publication {id} is live on `{}`: {} put ({}), {} removed{}{purged}",
                self.target.name,
                outcome.put,
                size(outcome.bytes),
                outcome.removed,
                if outcome.pointed { ", edges pointed to its bundle" } else { "" }
            ),
        }
        if let Some(url) = self.preview_url() {
            eprintln!("preview: {url}");
        }
    }

    pub(super) fn tell_settled(&self, settled: &Settled) {
        if self.json {
            print_json(settled);
        }
        match (settled.purged, settled.owed.len()) {
            (0, 0) => eprintln!("caches were told of everything"),
            (purged, _) => eprintln!("{purged} addresses purged from caches"),
        }
    }

    /// Errors: what is still owed, and how to go on.
    pub(super) fn tell_owed(&self, settled: &Settled) -> Result<(), CommandError> {
        let Some(reason) = &settled.refused else { return Ok(()) };
        let count = settled.owed.len();
        let mut text = format!("what was published stands, but caches may still show older pages at {count} addresses: {reason}");
        for url in settled.owed.iter().take(SHOWN) {
            text.push_str(&format!("\n  {url}"));
        }
        if count > SHOWN {
            text.push_str(&format!("\n  and {} more; --json lists them all", count - SHOWN));
        }
        let preview = self.preview.as_ref().map_or(String::new(), |preview| format!(" --prefix {preview}"));
        let again = format!("vitrine publish --target {}{preview} --purge", self.target.name);
        text.push_str(&format!("\n  They are remembered on the target: `{again}` tries again, and so does the next publication"));
        Err(CommandError::Owed(text))
    }

    pub(super) fn tell_findings(&self, findings: &Findings) {
        let tell = |what: &str, paths: &[String]| paths.iter().for_each(|path| eprintln!("{what}: {path}"));
        tell("removed", &findings.missing);
        tell("changed", &findings.changed);
        tell("not ours, left alone", &findings.foreign);
        if findings.bundle_missing {
            eprintln!("removed: the bundle");
        }
        if findings.pointer_wrong {
            eprintln!("the pointer names another bundle than the one that was published");
        }
        if findings.unfinished {
            eprintln!("a job has not finished: publish again");
        }
        let owed = &findings.owed;
        if !owed.is_empty() {
            eprintln!("caches were not told of {} addresses; `--purge` or `--repair` tells them:", owed.len());
            owed.iter().take(SHOWN).for_each(|url| eprintln!("  {url}"));
            if owed.len() > SHOWN {
                eprintln!("  and {} more; --json lists them all", owed.len() - SHOWN);
            }
        }
        if findings.is_well() {
            eprintln!("all is as it was published");
        }
    }
}

fn print_json(report: &impl serde::Serialize) {
    println!("{}", serde_json::to_string_pretty(report).expect("a report is plain data"));
}

fn list<'a>(heading: &str, paths: impl ExactSizeIterator<Item = &'a String>) {
    let count = paths.len();
    if count > 0 {
        println!("{heading}: {count}");
        paths.take(SHOWN).for_each(|path| println!("  {path}"));
        if count > SHOWN {
            println!("  and {} more; --json lists them all", count - SHOWN);
        }
    }
}

/// A bar on a terminal, a line for each phase elsewhere.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    phase: Mutex<&'static str>,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("the template is right");
            ProgressBar::new(0).with_style(style)
        });
        Self { bar, phase: Mutex::new("") }
    }

    pub(super) fn tell(&self, phase: &'static str, done: usize, total: usize) {
        if let Some(bar) = &self.bar {
            bar.set_message(phase);
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            return;
        }
        let mut last = self.phase.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if done == 0 && total > 0 && *last != phase {
            eprintln!("{phase}: {total}");
            *last = phase;
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
