//! `vitrine stock`: what there is, counted and corrected beside a running edge.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::CommandError;
use super::shelf::BesideEdge;
use crate::commerce::ids::{Sku, Timestamp};
use crate::commerce::inventory::StockLevel;
use crate::store::desk::{Act, Done};
use crate::store::operators::COMMAND;
use crate::store::{Refusal, Store, StoreError};

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
    /// What is there, promised and sold; SKUs that were never ordered or counted have the catalogue's opening stock
    Show {
        /// Of these only
        skus: Vec<String>,
    },
    /// Set what was counted
    Set {
        /// Which
        sku: String,
        /// How many there are, those promised to open payments among them
        on_hand: u32,
        /// Why, for the record
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Add or take units
    Adjust {
        /// Which
        sku: String,
        /// Such as 5 or -2
        #[arg(allow_negative_numbers = true)]
        change: i64,
        /// Why, for the record
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Print every level as CSV: sku, on_hand, reserved, sold
    Export,
    /// Set levels from a CSV with the columns sku and on_hand
    Import {
        /// The file
        file: PathBuf,
    },
}

/// A row of an imported file; other columns are passed over, so that an export can be edited and taken back.
#[derive(Debug, serde::Deserialize)]
struct CountedRow {
    sku: String,
    on_hand: u32,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let now = Timestamp(jiff::Timestamp::now().as_second());
    let levels = match args.action {
        Action::Show { skus } => {
            let levels = snapshot(&args.beside.shelf()?.open_existing()?)?;
            levels.into_iter().filter(|level| skus.is_empty() || skus.iter().any(|sku| sku == level.sku.as_str())).collect()
        }
        Action::Set { sku, on_hand, reason } => {
            let store = args.beside.shelf()?.open_or_tell()?;
            let act = Act::SetStock { sku: Sku::from(sku), on_hand, reason };
            level(wait_for(store.act(COMMAND, None, act, now))?.map_err(failed)?)
        }
        Action::Adjust { sku, change, reason } => {
            let store = args.beside.shelf()?.open_existing()?;
            let act = Act::AdjustStock { sku: Sku::from(sku.clone()), change, reason };
            let adjusted = wait_for(store.act(COMMAND, None, act, now))?;
            level(adjusted.map_err(|error| match error {
                StoreError::Refused(Refusal::NotFound) => {
                    CommandError::Usage(format!("`{sku}` was never counted; begin with `vitrine stock set {sku} NUMBER`"))
                }
                other => failed(other),
            })?)
        }
        Action::Export => return export(&snapshot(&args.beside.shelf()?.open_existing()?)?),
        Action::Import { file } => import(&args.beside.shelf()?.open_or_tell()?, &file, now)?,
    };
    if args.json {
        let text = serde_json::to_string_pretty(&levels).map_err(|error| CommandError::World(error.to_string()))?;
        println!("{text}");
        return Ok(());
    }
    println!("{:<24} {:>9} {:>9} {:>9} {:>9}", "sku", "on hand", "promised", "available", "sold");
    for level in &levels {
        let StockLevel { sku, on_hand, reserved, sold } = level;
        println!("{:<24} {on_hand:>9} {reserved:>9} {:>9} {sold:>9}", sku.as_str(), level.available());
    }
    Ok(())
}

/// The level that an act has left.
fn level(done: Done) -> Vec<StockLevel> {
    done.level.into_iter().collect()
}

fn snapshot(store: &Store) -> Result<Vec<StockLevel>, CommandError> {
    Ok(wait_for(store.stock_snapshot())?.map_err(failed)?.levels)
}

fn export(levels: &[StockLevel]) -> Result<(), CommandError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let world = |error: csv::Error| CommandError::World(error.to_string());
    table.write_record(["sku", "on_hand", "reserved", "sold"]).map_err(world)?;
    for level in levels {
        let numbers = [level.on_hand, level.reserved, level.sold].map(|number| number.to_string());
        table.write_record([level.sku.as_str(), &numbers[0], &numbers[1], &numbers[2]]).map_err(world)?;
    }
    let bytes = table.into_inner().map_err(|error| CommandError::World(error.to_string()))?;
    std::io::stdout().write_all(&bytes).map_err(|error| CommandError::World(error.to_string()))
}

/// Reads the whole file before the first level is set, so that a slip in its last line changes nothing.
fn import(store: &Store, file: &Path, now: Timestamp) -> Result<Vec<StockLevel>, CommandError> {
    let told = |error: csv::Error| CommandError::World(format!("{}: {error}", file.display()));
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file).map_err(told)?;
    let rows = table.deserialize().collect::<Result<Vec<CountedRow>, _>>().map_err(told)?;
    let mut levels = Vec::with_capacity(rows.len());
    for row in rows {
        let act = Act::SetStock { sku: Sku::from(row.sku), on_hand: row.on_hand, reason: "import".to_owned() };
        levels.extend(level(wait_for(store.act(COMMAND, None, act, now))?.map_err(failed)?));
    }
    Ok(levels)
}

/// Waits for a step of the store.
pub(super) fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    Ok(runtime.map_err(|error| CommandError::World(error.to_string()))?.block_on(work))
}

pub(super) fn failed(error: StoreError) -> CommandError {
    match error {
        StoreError::Refused(refusal) => CommandError::Usage(refusal.to_string()),
        other => CommandError::World(other.to_string()),
    }
}

/// RFC 3339 in UTC.
pub(super) fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}
