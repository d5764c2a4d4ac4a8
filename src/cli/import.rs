//! `vitrine import`: another shop's export, or a bulk file of our own → content.

use std::path::{Path, PathBuf};

use super::{CommandError, source};
use crate::commerce::ids::TaxClass;
use crate::config::{self, Config};
use crate::site::import::{self, Change, File};
use crate::site::load::sources::{self, BulkFormat, BulkSource, Encoding, Found, Mapping, WeightUnit};
use crate::site::load::{self, written};
use crate::site::problem::{Problem, Problems, SourceFile};

/// Lines of differences that are shown in all; `--report json` has those of every file.
const MAX_SHOWN_DIFF_LINES: usize = 400;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How the file is written
    format: Format,
    /// The export
    file: PathBuf,
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// What the file is written in, if not in UTF-8: windows-1252, iso-8859-15, utf-16, shift_jis, …
    #[arg(long, value_name = "NAME", value_parser = Encoding::named)]
    encoding: Option<Encoding>,
    /// What stands between the columns of a table: a sign, or `tab` [default: judged by its first line]
    #[arg(long, value_name = "SIGN", value_parser = sources::delimiter)]
    delimiter: Option<u8>,
    /// The names of the columns of a table that does not begin with them, parted by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Tax class of products that name none [default: the first class of site.toml]
    #[arg(long, value_name = "CLASS")]
    tax_class: Option<String>,
    /// Take a price of 0 as given away; by default such a product cannot be bought
    #[arg(long)]
    allow_free: bool,
    /// Which of several languages is read [default: that of the first market]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// What stands before pictures that are given by path: an address or a folder of static/
    #[arg(long, value_name = "BASE")]
    images: Option<String>,
    /// Unit of weights that name none: g, kg, lb or oz
    #[arg(long, value_name = "UNIT", value_parser = unit)]
    weight_unit: Option<WeightUnit>,
    /// Where the values of a JSON document are: a TOML file with the keys of `map`
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Say what would be written and how files that differ would change, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write over files that differ
    #[arg(long)]
    force: bool,
    /// Write a report for machines to stdout: every file, and every row that was left out
    #[arg(long, value_name = "FORMAT")]
    report: Option<super::build::Report>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Shopify's product CSV (Products → Export)
    Shopify,
    /// WooCommerce's product CSV (Products → Export, in English)
    Woocommerce,
    /// Magento 2's product CSV (System → Export)
    Magento,
    /// Vendure's product CSV
    Vendure,
    /// Spree's product CSV
    Spree,
    /// JSON Lines with the names of the front matter
    Jsonl,
    /// Any JSON, read by --map or by the `map` in site.toml
    Json,
}

impl Format {
    fn bulk(self) -> BulkFormat {
        match self {
            Self::Shopify => BulkFormat::Shopify,
            Self::Woocommerce => BulkFormat::Woocommerce,
            Self::Magento => BulkFormat::Magento,
            Self::Vendure => BulkFormat::Vendure,
            Self::Spree => BulkFormat::Spree,
            Self::Jsonl => BulkFormat::Jsonl,
            Self::Json => BulkFormat::Json,
        }
    }
}

fn unit(word: &str) -> Result<WeightUnit, String> {
    WeightUnit::named(word).ok_or_else(|| "write g, kg, lb or oz".to_owned())
}

/// What an import did, for machines.
#[derive(serde::Serialize)]
struct Outcome<'a> {
    problems: &'a Problems,
    products: usize,
    categories: usize,
    derived_skus: usize,
    /// Problems that left something out; each is among `problems`.
    left_out: usize,
    /// Columns that mean nothing here.
    columns_left_out: Vec<&'a String>,
    files: Vec<Planned>,
}

#[derive(serde::Serialize)]
struct Planned {
    path: String,
    change: Change,
    is_written: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let mut problems = Problems::new();
    let Some(config) = config::read(&args.source, &mut problems) else { return source::tell(&problems) };
    let bulk = bulk_source(&args, &config, &mut problems)?;
    let found = sources::read(std::slice::from_ref(&bulk), &config.rules, &mut problems);
    load::check_skus_of(&found.products, &mut problems);
    problems.sort();
    // Nothing is written of a file that holds an error: half an import is hard to take back.
    let plan = if problems.has_errors() { Vec::new() } else { planned(&args, &config, &found)? };
    eprint!("{}", problems.render(source::colors()));
    if !problems.has_errors() {
        tell(&args, &plan, &found, &problems);
    }
    if args.report.is_some() {
        let outcome = Outcome {
            problems: &problems,
            products: found.products.len(),
            categories: found.categories.len(),
            derived_skus: found.products.iter().map(|product| product.derived_skus.len()).sum(),
            left_out: left_out(&problems),
            columns_left_out: found.columns_left_out.values().flatten().collect(),
            files: plan,
        };
        println!("{}", serde_json::to_string_pretty(&outcome).expect("a report is plain data"));
    }
    if problems.has_errors() { Err(CommandError::Content) } else { Ok(()) }
}

fn left_out(problems: &Problems) -> usize {
    problems.all().iter().filter(|problem| problem.left_out).count()
}

// The settings of [[sources]] where site.toml names the file, with those of the command line before them.
fn bulk_source(args: &Args, config: &Config, problems: &mut Problems) -> Result<BulkSource, CommandError> {
    let same = |known: &&BulkSource| match (known.path.canonicalize(), args.file.canonicalize()) {
        (Ok(known), Ok(file)) => known == file,
        _ => false,
    };
    let name = args.file.display().to_string();
    let mut bulk = match config.sources.iter().find(same) {
        Some(known) => {
            let message = "site.toml reads this file at every build too: once it is imported, each product would be there twice";
            problems.push(Problem::about(&name, message).warning().hint("take its [[sources]] out of site.toml"));
            BulkSource { name, path: args.file.clone(), ..known.clone() }
        }
        None => BulkSource::new(args.format.bulk(), &name, args.file.clone()),
    };
    bulk.format = args.format.bulk();
    bulk.allow_free |= args.allow_free;
    if let Some(name) = &args.tax_class {
        let classes = &config.rules.tax.classes;
        let known = || classes.iter().map(TaxClass::as_str).collect::<Vec<_>>().join(", ");
        let class = classes.iter().find(|class| class.as_str() == name).cloned();
        let class = class.ok_or_else(|| {
            CommandError::Usage(format!("--tax-class: there is no tax class `{name}`; site.toml has {}", known()))
        })?;
        bulk.tax_class = Some(class);
    }
    if (args.delimiter.is_some() || args.columns.is_some()) && !bulk.format.is_table() {
        return Err(CommandError::Usage("--delimiter and --columns are for tables; this format is none".to_owned()));
    }
    bulk.encoding = args.encoding.or(bulk.encoding);
    bulk.delimiter = args.delimiter.or(bulk.delimiter);
    bulk.columns = args.columns.clone().or(bulk.columns);
    bulk.language = args.language.clone().or(bulk.language);
    bulk.images = args.images.clone().or(bulk.images);
    bulk.weight_unit = args.weight_unit.or(bulk.weight_unit);
    if let Some(path) = &args.map {
        bulk.map = mapping(path, problems);
    }
    Ok(bulk)
}

fn mapping(path: &Path, problems: &mut Problems) -> Option<Mapping> {
    let name = path.display().to_string();
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.push(Problem::about(&name, format!("this file cannot be read: {error}")));
            return None;
        }
    };
    let text = load::text(&name, bytes, problems)?;
    written::parse(&SourceFile::new(&name, &text), &text, 0).map_err(|problem| problems.push(problem)).ok()
}

// Compares every file with the shop's folder and writes what is to be written.
fn planned(args: &Args, config: &Config, found: &Found) -> Result<Vec<Planned>, CommandError> {
    let world = |error: std::io::Error| CommandError::World(error.to_string());
    let usual = config.rules.tax.classes.first().cloned().unwrap_or_else(|| "standard".into());
    let files = import::files(&found.products, &found.categories, &usual, config.rules.root_market().currency);
    let mut plan = Vec::new();
    for (file, change) in import::changes(&args.source, &files).map_err(world)? {
        let difference = match change {
            Change::Differs => Some(import::difference(&args.source, &file).map_err(world)?),
            Change::New | Change::Same => None,
        };
        let is_written = !args.dry_run && (change == Change::New || (change == Change::Differs && args.force));
        if is_written {
            write(&args.source, &file)?;
        }
        plan.push(Planned { path: file.path, change, is_written, difference });
    }
    Ok(plan)
}

fn tell(args: &Args, plan: &[Planned], found: &Found, problems: &Problems) {
    let mut shown = 0;
    for file in plan.iter().filter(|file| file.change != Change::Same) {
        let word = match (file.change, args.force) {
            (Change::New, _) => "new    ",
            (_, true) => "changed",
            (_, false) => "differs",
        };
        eprintln!("  {word}  {}", file.path);
        let lines = file.difference.as_deref().filter(|_| args.dry_run).unwrap_or("").lines();
        for line in lines.take(MAX_SHOWN_DIFF_LINES - shown) {
            eprintln!("           {line}");
            shown += 1;
        }
    }
    let count = |change: Change| plan.iter().filter(|file| file.change == change).count();
    let (fresh, same, differing) = (count(Change::New), count(Change::Same), count(Change::Differs));
    let would = if args.dry_run { "would be " } else { "" };
    let products = found.products.len();
    eprintln!("  {products} products in {} categories: {fresh} files {would}new, {same} unchanged", found.categories.len());
    if differing > 0 && args.force {
        eprintln!("  {differing} files {would}written over");
    } else if differing > 0 {
        eprintln!(
            "  {differing} files differ from the export and were left alone; --force writes over them, --dry-run shows how"
        );
    }
    if left_out(problems) > 0 {
        eprintln!("  {} times something was left out, each told above", left_out(problems));
    }
    for columns in found.columns_left_out.values() {
        eprintln!("  columns that mean nothing here: {}", columns.join(", "));
    }
}

fn write(root: &Path, file: &File) -> Result<(), CommandError> {
    let path = root.join(&file.path);
    let failed = |error: std::io::Error| CommandError::World(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // Whole or not at all: half a file would look like one that was edited, and be left alone for ever. The ending is none that is read.
    let draft = path.with_extension("md.draft");
    let written = std::fs::write(&draft, &file.text).and_then(|()| std::fs::rename(&draft, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written.map_err(failed)
}
