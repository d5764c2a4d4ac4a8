//! `vitrine plan`: from what orders were measured to take to machines, connections and rules.

use std::path::{Path, PathBuf};

use super::{CommandError, source};
use crate::load::capacity::measured::Report;
use crate::load::capacity::{BUSY, Database, Measured, Plan, Wanted, files};
use crate::load::measure;
use crate::site::problem::Problems;

/// A report of a long run has a few hundred points.
const MAX_REPORT_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Reports of `vitrine load --operator URL --json FILE`: one with orders, and beside it any without (`--scenario browse`)
    #[arg(value_name = "REPORT", required = true)]
    reports: Vec<PathBuf>,
    /// Orders in the busiest hour of a usual day, such as 20/min
    #[arg(long, value_name = "RATE", value_parser = measure::rate)]
    orders: f64,
    /// Page views then, such as 50/s
    #[arg(long, value_name = "RATE", value_parser = measure::rate)]
    page_views: Option<f64>,
    /// How many times that the peak is
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = factor)]
    peak: f64,
    /// Where orders are kept
    #[arg(long, value_name = "ENGINE", default_value = "postgres")]
    database: Engine,
    /// Bytes that the database holds by then, such as 20GB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    database_size: Option<u64>,
    /// Processors of each edge [default: those of the measured one]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    processors: Option<u32>,
    /// Percent of them that are busy at the peak
    #[arg(long, value_name = "PERCENT", default_value_t = (BUSY * 100.0) as u8, value_parser = clap::value_parser!(u8).range(10..=90))]
    busy: u8,
    /// Edges that may fail at the peak
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=100))]
    spare: u32,
    /// Payments that the gateway takes from your account, such as 100/s
    #[arg(long, value_name = "RATE", value_parser = measure::rate)]
    gateway_rate: Option<f64>,
    /// Requests that the pages' host answers without the CDN, such as 500/s
    #[arg(long, value_name = "RATE", value_parser = measure::rate, requires = "page_views")]
    origin_rate: Option<f64>,
    /// The shop's folder: its name stands in the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Write a runbook, settings of edges and rules of an autoscaler into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the plan for machines to stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Engine {
    Postgres,
    Sqlite,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    if args.orders <= 0.0 {
        return Err(CommandError::Usage("--orders: a plan is for some; write a rate such as 20/min".to_owned()));
    }
    let mut reports = Vec::new();
    for path in &args.reports {
        let name = path.display().to_string();
        reports.push(Report::read(&name, &read(path)?).map_err(usage)?);
    }
    let measured = Measured::of(&reports).map_err(usage)?;
    let wanted = Wanted {
        orders_per_second: args.orders,
        views_per_second: args.page_views,
        peak: args.peak,
        database: match args.database {
            Engine::Postgres => Database::Postgres,
            Engine::Sqlite => Database::Sqlite,
        },
        processors: args.processors.unwrap_or(measured.processors_each.round().max(1.0) as u32),
        busy: f64::from(args.busy) / 100.0,
        spare: args.spare,
        gateway_per_second: args.gateway_rate,
        origin_per_second: args.origin_rate,
        database_bytes: args.database_size,
    };
    let plan = Plan::new(wanted, measured);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&plan).expect("a plan is plain data"));
    } else {
        print!("{}", plan.text());
    }
    if let Some(folder) = &args.out {
        write(folder, &plan, &args.source)?;
    }
    if plan.holds() { Ok(()) } else { Err(CommandError::Content) }
}

fn usage(error: impl std::fmt::Display) -> CommandError {
    CommandError::Usage(error.to_string())
}

fn read(path: &Path) -> Result<String, CommandError> {
    let world = |error: std::io::Error| CommandError::World(format!("{}: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(world)?.len();
    if size > MAX_REPORT_BYTES {
        return Err(CommandError::World(format!("{} has {size} bytes; {MAX_REPORT_BYTES} are read", path.display())));
    }
    std::fs::read_to_string(path).map_err(world)
}

fn write(folder: &Path, plan: &Plan, shop: &Path) -> Result<(), CommandError> {
    // The shop may be elsewhere: then its files bear no name of it.
    let config = source::settings(shop, None, &mut Problems::new());
    let id = config.map_or_else(|| "shop".to_owned(), |config| config.shop.id);
    let world = |path: &Path, error: std::io::Error| CommandError::World(format!("{}: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(|error| world(folder, error))?;
    for file in files::of(plan, &id) {
        let path = folder.join(file.name);
        std::fs::write(&path, file.text).map_err(|error| world(&path, error))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

fn factor(text: &str) -> Result<f64, String> {
    let found: Option<f64> = text.trim().trim_end_matches(['x', '×']).parse().ok();
    found
        .filter(|factor| (1.0..=1_000.0).contains(factor))
        .ok_or_else(|| format!("`{text}` is no factor from 1 to 1000, such as 6"))
}

/// `20GB`, `500 MB`, `1.5 TB`, by thousands.
fn size(text: &str) -> Result<u64, String> {
    let told = || format!("`{text}` is no size; write one such as 20GB, up to 100TB");
    let text = text.trim();
    let digits = text.trim_end_matches(|sign: char| sign.is_ascii_alphabetic());
    let number: f64 = digits.trim().parse().map_err(|_| told())?;
    let bytes = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "MB" => number * 1e6,
        "GB" => number * 1e9,
        "TB" => number * 1e12,
        _ => return Err(told()),
    };
    if (0.0..=1e14).contains(&bytes) { Ok(bytes as u64) } else { Err(told()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_factors_are_read() {
        assert_eq!((size("20GB"), size(" 1.5 tb"), size("0MB")), (Ok(20_000_000_000), Ok(1_500_000_000_000), Ok(0)));
        for text in ["20", "GB", "-1GB", "101TB", "20GiB", "nanGB"] {
            assert!(size(text).expect_err(text).contains("20GB"), "{text}");
        }
        assert_eq!((factor("6"), factor("2.5x")), (Ok(6.0), Ok(2.5)));
        for text in ["0.5", "x", "nan", "1001"] {
            assert!(factor(text).is_err(), "{text}");
        }
    }
}
