//! `vitrine import`: another shop's export → content.

use std::path::{Path, PathBuf};

use super::{CommandError, source};
use crate::config;
use crate::site::import::{self, Change};
use crate::site::load::shopify;
use crate::site::problem::Problems;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Format {
    /// Shopify's product CSV (Products → Export in its admin)
    Shopify(FileArgs),
}

#[derive(Debug, clap::Args)]
struct FileArgs {
    /// The export
    file: PathBuf,
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Tax class of the products [default: the first class of site.toml]
    #[arg(long, value_name = "CLASS")]
    tax_class: Option<String>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write over files that differ
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let Format::Shopify(args) = args.format;
    let mut problems = Problems::new();
    let Some(config) = config::read(&args.source, &mut problems) else { return source::tell(&problems) };
    let classes = &config.rules.tax.classes;
    let class = match &args.tax_class {
        Some(name) => classes.iter().find(|class| class.as_str() == name).cloned().ok_or_else(|| {
            let known: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
            CommandError::Usage(format!("--tax-class: there is no tax class `{name}`; site.toml has {}", known.join(", ")))
        })?,
        None => classes.first().cloned().unwrap_or_else(|| "standard".into()),
    };
    let usual = classes.first().cloned().unwrap_or_else(|| class.clone());
    let name = args.file.display().to_string();
    let currency = config.rules.root_market().currency;
    let found = shopify::read(&args.file, &name, currency, Some(class), &mut problems);
    problems.sort();
    // Nothing is written of a file that holds an error: half an import is hard to take back.
    source::tell(&problems)?;
    let files = import::files(&found.products, &found.categories, &usual);
    let changes = import::changes(&args.source, &files).map_err(|error| CommandError::World(error.to_string()))?;
    let count = |change: Change| changes.iter().filter(|(_, found)| *found == change).count();
    let (fresh, same, differing) = (count(Change::New), count(Change::Same), count(Change::Differs));
    for (file, change) in changes.iter().filter(|(_, change)| *change != Change::Same) {
        let is_written = *change == Change::New || args.force;
        let word = match (change, args.force) {
            (Change::New, _) => "new    ",
            (_, true) => "changed",
            (_, false) => "differs",
        };
        eprintln!("  {word}  {}", file.path);
        if is_written && !args.dry_run {
            write(&args.source.join(&file.path), &file.text)?;
        }
    }
    let would = if args.dry_run { "would be " } else { "" };
    let products = found.products.len();
    eprintln!("  {products} products in {} categories: {fresh} files {would}new, {same} unchanged", found.categories.len());
    if differing > 0 && args.force {
        eprintln!("  {differing} files {would}written over");
    } else if differing > 0 {
        eprintln!("  {differing} files differ from the export and were left alone; --force writes over them");
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| CommandError::World(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, text).map_err(failed)
}
