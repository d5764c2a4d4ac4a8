//! `vitrine diff`: what a build would change beside an earlier one, and whether that should be looked at before it is published.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::build::{Report, size};
use super::{CommandError, keys, source};
use crate::commerce::money::Percent;
use crate::config;
use crate::site::check::redirects::Redirects;
use crate::site::diff::{Build, Diff, Kind, PriceChange, diff};
use crate::site::manifest::{self, Manifest};
use crate::site::problem::Problems;
use crate::theme::bundle::Bundle;

/// Lines of one heading on a terminal; the report for machines holds all.
const SHOWN: usize = 50;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The earlier build: a folder with manifest.json, and with shop.bundle in it or beside it
    old: PathBuf,
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// The later build [default: public/ in the shop's folder]
    #[arg(long, value_name = "DIR")]
    new: Option<PathBuf>,
    /// The earlier build's bundle, where it lies elsewhere
    #[arg(long, value_name = "FILE")]
    old_bundle: Option<PathBuf>,
    /// The later build's bundle, where it lies elsewhere
    #[arg(long, value_name = "FILE")]
    new_bundle: Option<PathBuf>,
    /// Percent by which a price may move [default: `max_price_change` of site.toml, else 30]
    #[arg(long, value_name = "PERCENT")]
    max_price_change: Option<String>,
    /// The instant whose prices are compared [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Say that what stops is meant: everything is told, and the exit code is 0
    #[arg(long)]
    accept: bool,
    /// Write a report for machines to stdout
    #[arg(long, value_name = "FORMAT")]
    report: Option<Report>,
}

/// How a comparison ended, for machines.
#[derive(serde::Serialize)]
struct Compared<'a> {
    /// Reasons to look before publishing.
    stops: &'a [String],
    accepted: bool,
    #[serde(flatten)]
    diff: &'a Diff,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let at = source::as_of(args.as_of.as_deref())?;
    let mut problems = Problems::new();
    let config = config::read(&args.source, &mut problems);
    let Some(config) = config.filter(|_| !problems.has_errors()) else { return source::tell(&problems) };
    let limit = match &args.max_price_change {
        Some(text) => text.parse::<Percent>().map_err(|error| CommandError::Usage(format!("--max-price-change: {error}")))?,
        None => config.max_price_change,
    };
    let read = |folder: &Path, bundle: Option<&Path>| read(&args.source, folder, bundle, &config.shop.id);
    let old = read(&args.old, args.old_bundle.as_deref())?;
    let folder = args.new.clone().unwrap_or_else(|| args.source.join("public"));
    let new = read(&folder, args.new_bundle.as_deref())?;
    let diff = diff(&old, &new, limit, at);
    let stops = diff.stops();
    if args.report.is_some() {
        let report = Compared { stops: &stops, accepted: args.accept, diff: &diff };
        println!("{}", serde_json::to_string_pretty(&report).expect("a report is plain data"));
    } else {
        print!("{}", text(&diff, limit));
    }
    if stops.is_empty() || args.accept {
        return Ok(());
    }
    eprintln!("error: {}; if that is meant, say so with --accept", stops.join(", "));
    Err(CommandError::Content)
}

// A build in a folder as CI keeps it: its output with the bundle in it or beside it, or a shop's folder that holds both.
fn read(source: &Path, folder: &Path, bundle: Option<&Path>, shop: &str) -> Result<Build, CommandError> {
    let inner = folder.join("public");
    let out = if folder.join(manifest::FILE).is_file() || !inner.join(manifest::FILE).is_file() { folder } else { &inner };
    let shown = out.display();
    let manifest: Manifest = Manifest::read(out).ok_or_else(|| {
        CommandError::World(format!("{shown} holds no {} that this version can read; `vitrine build` writes one", manifest::FILE))
    })?;
    let beside = [out.join("shop.bundle"), out.join("../shop.bundle")];
    let path = match bundle {
        Some(path) => path,
        None => beside.iter().find(|path| path.is_file()).unwrap_or(&beside[1]),
    };
    let failed = |error: String| CommandError::World(format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path)
        .map_err(|error| failed(format!("{error}; name the bundle of {shown} with --old-bundle or --new-bundle")))?;
    let opened = Bundle::open(&bytes, &keys::known_keys(&source::state(source))?, Some(shop))
        .map_err(|error| failed(error.to_string()))?;
    if let Some(built) = manifest.bundle.as_deref().filter(|built| *built != opened.hash) {
        let message = format!("this is the bundle {}, and the manifest of {shown} names {built}", opened.hash);
        return Err(failed(format!("{message}; name the bundle of that build with --old-bundle or --new-bundle")));
    }
    let lines = std::fs::read_to_string(out.join("_redirects")).unwrap_or_default();
    Ok(Build { manifest, bundle: opened.bundle, redirects: Redirects::read(&lines) })
}

/// For people: each heading with its first lines.
pub(super) fn text(diff: &Diff, limit: Percent) -> String {
    let mut text = String::new();
    if diff.is_empty_shop {
        text.push_str("nothing is sold any more\n");
    }
    let market = |change: &crate::site::diff::MarketChange| match &change.currency_is {
        Some(currency) => format!("{}: {} is {currency} now", change.market, change.currency_was),
        None => format!("{}: gone", change.market),
    };
    list(&mut text, "markets", diff.markets.iter().map(market));
    let (beyond, within): (Vec<&PriceChange>, Vec<&PriceChange>) = diff.prices.iter().partition(|change| change.beyond);
    list(&mut text, &format!("prices that move by more than {limit} %, are free or are gone"), beyond.into_iter().map(price));
    list(&mut text, "prices that move", within.into_iter().map(price));
    let (moved, gone): (Vec<_>, Vec<_>) = diff.addresses_gone.iter().partition(|gone| gone.moved_to.is_some());
    list(&mut text, "products gone without a redirect", gone.into_iter().map(|gone| gone.address.clone()));
    let led = |gone: &crate::site::diff::GoneAddress| format!("{} → {}", gone.address, gone.moved_to.as_deref().unwrap_or(""));
    list(&mut text, "products that moved", moved.into_iter().map(led));
    list(&mut text, "products no longer sold", diff.products_gone.iter().cloned());
    list(&mut text, "new products", diff.products_new.iter().cloned());
    let variant = |change: &crate::site::diff::VariantChange| format!("{} of {}", change.sku, change.product);
    list(&mut text, "variants gone", diff.variants_gone.iter().map(variant));
    list(&mut text, "new variants", diff.variants_new.iter().map(variant));
    let tax = |change: &crate::site::diff::TaxClassChange| format!("{}: {} → {}", change.product, change.was, change.is);
    list(&mut text, "tax classes", diff.tax_classes.iter().map(tax));
    for (kind, files) in &diff.files {
        let (was, is) = (size(files.bytes_was), size(files.bytes_is));
        let _ = writeln!(
            text,
            "{kind}: {} new, {} changed, {} gone, {} as before; {was} → {is}",
            files.new, files.changed, files.gone, files.same
        );
    }
    let grown =
        |growth: &crate::site::diff::Growth| format!("{}: {} → {}", growth.path, size(growth.bytes_was), size(growth.bytes_is));
    list(&mut text, "files that grew most", diff.growth.iter().map(grown));
    text
}

fn price(change: &PriceChange) -> String {
    let kind = match (change.kind, &change.from) {
        (Kind::Current, _) => String::new(),
        (Kind::Regular, _) => " (when no sale holds)".to_owned(),
        (Kind::Upcoming, from) => format!(" (from {} on)", from.as_deref().unwrap_or("later")),
    };
    let (was, is) = (change.text(change.was_minor), change.text(change.is_minor));
    format!("{} of {}, {}: {was} → {is}  {}{kind}", change.sku, change.product, change.market, change.percent_text())
        .trim_end()
        .to_owned()
}

fn list(text: &mut String, heading: &str, lines: impl ExactSizeIterator<Item = String>) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    let _ = writeln!(text, "{heading}: {count}");
    for line in lines.take(SHOWN) {
        let _ = writeln!(text, "  {line}");
    }
    if count > SHOWN {
        let _ = writeln!(text, "  and {} more; `--report json` lists them all", count - SHOWN);
    }
}
