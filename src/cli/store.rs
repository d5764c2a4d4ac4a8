//! `vitrine store`: the edge's file, copied and checked beside a running edge.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::CommandError;
use super::shelf::{BesideEdge, Shelf};
use super::stock::{instant, wait_for};
use crate::commerce::ids::Timestamp;
use crate::store::StoreError;
use crate::store::upkeep::{self, Finding, Report};

/// A database has a tool of its own, which knows how to copy it while it is written to.
const PG_DUMP: &str = "the store is in PostgreSQL, whose own tool copies it while the edges run: pg_dump --format=custom \
     --file=shop.dump \"$VITRINE_DATABASE_URL\"; put it back with pg_restore into an empty database, and start one edge with --reconcile";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    beside: BesideEdge,
    /// Print JSON for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Copy it while the edge runs: one consistent state, checked and on disk before it has its name
    Backup {
        /// Where to; only its owner may read it
        file: PathBuf,
        /// Put it in the place of a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Hold it, or a backup, against its promises; exit code 1 where one is broken. Nothing is changed
    Verify {
        /// A backup [default: the edge's file]
        file: Option<PathBuf>,
    },
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    match args.action {
        Action::Backup { file, force } => {
            let store = match args.beside.shelf()? {
                Shelf::File(path) => path,
                Shelf::Database { .. } => return Err(CommandError::Usage(PG_DUMP.to_owned())),
            };
            there(&store)?;
            let now = Timestamp(jiff::Timestamp::now().as_second());
            let copied = upkeep::back_up(&store, &file, force, now).map_err(|error| match error {
                upkeep::CopyError::SameFile(_) | upkeep::CopyError::Exists(_) => CommandError::Usage(error.to_string()),
                other => CommandError::World(other.to_string()),
            })?;
            let shown = file.display().to_string();
            if args.json {
                print(
                    &json!({"file": shown, "size_bytes": copied.size_bytes, "at": instant(now), "verify": document(&copied.report)}),
                );
            } else {
                println!("{shown}: {} bytes, {}", copied.size_bytes, summary(&copied.report));
            }
            // The copy is as good as what it was taken of.
            told(&copied.report, args.json)
        }
        Action::Verify { file } => {
            let shelf = file.map_or_else(|| args.beside.shelf(), |file| Ok(Shelf::File(file)))?;
            let shown = shelf.to_string();
            let looked = match &shelf {
                Shelf::File(file) => {
                    there(file)?;
                    upkeep::verify(file)
                }
                Shelf::Database { .. } => wait_for(shelf.open_existing()?.verify())?,
            };
            let report = looked.map_err(|error| match (&shelf, error) {
                (Shelf::Database { .. }, error) => CommandError::World(error.to_string()),
                (_, error @ StoreError::NewerSchema { .. }) => CommandError::World(format!("{shown}: {error}")),
                (_, error) => CommandError::World(format!(
                    "{shown} cannot be read as a store ({error}); give the edge's file or a backup of it"
                )),
            })?;
            if args.json {
                print(&json!({"file": shown, "verify": document(&report)}));
            } else {
                println!("{shown}: {}", summary(&report));
            }
            told(&report, args.json)
        }
    }
}

fn there(path: &Path) -> Result<(), CommandError> {
    match path.is_file() {
        true => Ok(()),
        false => Err(CommandError::World(format!("there is no store at {}; name it with --store FILE", path.display()))),
    }
}

fn print(value: &serde_json::Value) {
    println!("{value:#}");
}

fn document(report: &Report) -> serde_json::Value {
    let finding = |finding: &Finding| json!({"name": finding.name, "count": finding.count, "about": finding.about, "advice": finding.advice});
    json!({
        "whole": report.findings.is_empty(),
        "schema": report.schema,
        "orders": report.orders,
        "copied_at": report.copied_at.map(instant),
        "seen_at": report.seen_at.map(instant),
        "reconciled": report.reconciled.map(|(at, compared, different)| {
            json!({"at": instant(at), "compared": compared, "different": different})
        }),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn summary(report: &Report) -> String {
    let state = if report.findings.is_empty() { "whole" } else { "broken" };
    let copied = report.copied_at.map_or(String::new(), |at| format!(", a copy of {}", instant(at)));
    let reconciled = report.reconciled.map_or(String::new(), |(at, compared, different)| {
        format!(", compared with the gateway at {} ({compared} payments, {different} different)", instant(at))
    });
    format!("{state}, schema {}, {} orders{copied}{reconciled}", report.schema, report.orders)
}

fn told(report: &Report, is_for_programs: bool) -> Result<(), CommandError> {
    if report.findings.is_empty() {
        return Ok(());
    }
    for finding in report.findings.iter().filter(|_| !is_for_programs) {
        let more = if finding.count > finding.about.len() { ", …" } else { "" };
        eprintln!("broken: {} ({}): {}{more}", finding.name, finding.count, finding.about.join(", "));
        eprintln!("  {}", finding.advice);
    }
    Err(CommandError::Content)
}
