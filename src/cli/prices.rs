//! `vitrine prices`: writes down what is asked, so that a later reduction can say what was lowest before it.

use std::path::PathBuf;

use super::CommandError;
use super::source::{self, Source};
use crate::commerce::history::PriceHistory;
use crate::commerce::money::Money;
use crate::site::load::history::{self, append, lines};
use crate::site::problem::Problems;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Add to the price history what changed since the last time: run it with each publication
    Record {
        /// The shop's folder
        #[arg(long, value_name = "DIR", default_value = ".")]
        source: PathBuf,
        /// The history [default: price-history.jsonl in the shop's folder]
        #[arg(long, value_name = "FILE")]
        price_history: Option<PathBuf>,
        /// The instant whose prices are meant [default: SOURCE_DATE_EPOCH, else now]
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
        /// Show the lines, and write nothing
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let Action::Record { source: folder, price_history, as_of, dry_run } = args.action;
    let at = source::as_of(as_of.as_deref())?;
    let mut problems = Problems::new();
    let read = Source::read(&folder, None, Some(&source::cache(&folder)), &mut problems);
    let path = source::price_history(&folder, price_history.as_deref());
    let known = PriceHistory::new(history::read(&path, &mut problems));
    source::tell(&problems)?;
    let Some(shop) = read else { return Err(CommandError::Content) };
    let due = known.due(&shop.loaded.catalog, &shop.config.rules, at);
    if dry_run {
        print!("{}", lines(&due));
    } else {
        append(&path, &lines(&due)).map_err(|error| CommandError::World(format!("{}: {error}", path.display())))?;
    }
    for step in due.iter().take(SHOWN) {
        let reduced = if step.is_reduced { ", reduced" } else { "" };
        eprintln!("  {} in {}: {}{reduced}", step.sku, step.market, Money::new(step.minor, step.currency));
    }
    if due.len() > SHOWN {
        eprintln!("  and {} more", due.len() - SHOWN);
    }
    let verb = if dry_run { "would be added to" } else { "added to" };
    match due.len() {
        0 => eprintln!("  no price changed: {} stays as it is", path.display()),
        1 => eprintln!("  1 price {verb} {}", path.display()),
        count => eprintln!("  {count} prices {verb} {}", path.display()),
    }
    Ok(())
}

/// Prices that are named: the rest is counted.
const SHOWN: usize = 20;
