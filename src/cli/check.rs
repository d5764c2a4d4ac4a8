//! `vitrine check`: everything that can be wrong before publishing, without touching what is published.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::source::{self, Source};
use super::{CommandError, build, keys};
use crate::commerce::ids::Timestamp;
use crate::config::Config;
use crate::edge::outcomes;
use crate::edge::router::{Found, Router};
use crate::recipe::built::Built;
use crate::site::check::{BundleFile, Checked, Written, button, check};
use crate::site::plan::plan;
use crate::site::problem::{Kind, Problem, Problems};
use crate::theme::bundle::Bundle;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Read the last build as it lies there, instead of building into .vitrine/check
    #[arg(long)]
    built: bool,
    /// With --built: where its pages are [default: public/ in the shop's folder]
    #[arg(long, value_name = "DIR", requires = "built")]
    out: Option<PathBuf>,
    /// With --built: where its bundle is [default: shop.bundle in the shop's folder]
    #[arg(long, value_name = "FILE", requires = "built")]
    bundle: Option<PathBuf>,
    /// Origin of the shop instead of the one in site.toml
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The instant that decides which products and sales hold [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Units in stock, as `vitrine stock export` writes them [default: the opening stock]
    #[arg(long, value_name = "FILE", conflicts_with = "built")]
    stock: Option<PathBuf>,
    /// What was asked before [default: price-history.jsonl in the shop's folder]
    #[arg(long, value_name = "FILE", conflicts_with = "built")]
    price_history: Option<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Write to stdout, as a table, what shoppers are answered while something that this shop depends on is down, slow or wrong
    #[arg(long, conflicts_with = "report")]
    matrix: bool,
    /// Write a report for machines to stdout
    #[arg(long, value_name = "FORMAT")]
    report: Option<build::Report>,
}

/// What was looked at.
struct Looked {
    checked: Checked,
    /// What shoppers are answered while something is not well.
    matrix: String,
}

/// How a check ended, for machines.
#[derive(Debug, serde::Serialize)]
struct Report<'a> {
    errors: usize,
    warnings: usize,
    problems: &'a Problems,
    pages: usize,
    addresses: usize,
    prices: usize,
    seconds: f64,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let started = Instant::now();
    let at = source::as_of(args.as_of.as_deref())?;
    let (mut problems, looked) = if args.built { read_built(&args, at)? } else { build_and_read(&args, at)? };
    let (checked, matrix) = looked.map_or((None, None), |Looked { checked, matrix }| (Some(checked), Some(matrix)));
    let counts = checked.as_ref().map_or((0, 0, 0), |checked| (checked.pages, checked.addresses, checked.prices));
    if let Some(checked) = checked {
        problems.extend(checked.problems);
    }
    let (pages, addresses, prices) = counts;
    eprint!("{}", problems.render(source::colors()));
    if let Some(matrix) = matrix.filter(|_| args.matrix) {
        print!("{matrix}");
    }
    let seconds = started.elapsed().as_secs_f64();
    if args.report.is_some() {
        let (errors, warnings) = (problems.errors(), problems.warnings());
        let report = Report { errors, warnings, problems: &problems, pages, addresses, prices, seconds };
        println!("{}", serde_json::to_string_pretty(&report).expect("a report is plain data"));
    }
    if problems.has_errors() || args.strict && problems.warnings() > 0 {
        return Err(CommandError::Content);
    }
    let nothing = if problems.all().is_empty() { "nothing is wrong" } else { "no error" };
    eprintln!(
        "  {nothing}: {pages} pages and {addresses} addresses in {seconds:.2} s, {prices} prices are those a cart would charge"
    );
    Ok(())
}

fn build_and_read(args: &Args, at: Timestamp) -> Result<(Problems, Option<Looked>), CommandError> {
    let folder = source::state(&args.source).join("check");
    let (out, bundle) = (folder.join("public"), folder.join("shop.bundle"));
    let outcome = build::build(&build::Args {
        source: args.source.clone(),
        out: Some(out.clone()),
        bundle: Some(bundle.clone()),
        base_url: args.base_url.clone(),
        noindex: false,
        precompress: false,
        drafts: false,
        // The same instant for the build and for the prices it is held against.
        as_of: Some(jiff::Timestamp::from_second(at.0).map_err(|error| CommandError::Usage(error.to_string()))?.to_string()),
        stock: args.stock.clone(),
        price_history: args.price_history.clone(),
        no_cache: false,
        costs: false,
        threads: None,
        report: None,
        busy: build::patient(),
    })?;
    let checked = match (&outcome.source, &outcome.built) {
        (Some(source), Some(_)) => Some(read(source, &out, &bundle, at)?),
        _ => None,
    };
    Ok((outcome.problems, checked))
}

fn read_built(args: &Args, at: Timestamp) -> Result<(Problems, Option<Looked>), CommandError> {
    let mut problems = Problems::new();
    let cache = source::cache(&args.source);
    let source = Source::read(&args.source, args.base_url.as_deref(), Some(&cache), &mut problems);
    let beside = |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| args.source.join(name));
    let (out, bundle) = (beside(&args.out, "public"), beside(&args.bundle, "shop.bundle"));
    let checked = source.map(|source| read(&source, &out, &bundle, at)).transpose()?;
    Ok((problems, checked))
}

fn read(source: &Source, out: &Path, bundle: &Path, at: Timestamp) -> Result<Looked, CommandError> {
    let bytes = std::fs::read(bundle)
        .map_err(|error| CommandError::World(format!("{}: {error}; `vitrine build` writes it", bundle.display())))?;
    let opened = match Bundle::open(&bytes, &keys::known_keys(&source::state(&source.root))?, Some(&source.config.shop.id)) {
        Ok(opened) => opened,
        Err(error) => {
            let mut checked = Checked::default();
            checked.problems.push(Problem::about(&bundle.display().to_string(), error.to_string()).of(Kind::File));
            return Ok(Looked { checked, matrix: matrix(source) });
        }
    };
    let said = source.said();
    let plan = plan(&source.loaded, &source.config.rules, &source.config.build, at, false);
    let router = Router::new();
    let is_edge_route = |method: &str, path: &str| {
        http::Method::from_bytes(method.as_bytes()).is_ok_and(|method| matches!(router.find(&method, path), Found::Route(..)))
    };
    let mut checked = check(&Written {
        root: &source.root,
        folder: out,
        bundle: &opened.bundle,
        bundle_file: BundleFile { name: &bundle.display().to_string(), bytes: &bytes, hash: &opened.hash },
        plan: &plan,
        loaded: &source.loaded,
        templates: &source.templates,
        base_url: &source.config.shop.base_url,
        at,
        is_edge_route: &is_edge_route,
    });
    checked.problems.extend(said.problems());
    if let Some(host) = source.config.host
        && let Some(built) = Built::read(out).map_err(|error| CommandError::World(format!("{}: {error}", out.display())))?
    {
        host.problems(&built).into_iter().for_each(|problem| checked.problems.push(problem));
    }
    checked.problems.extend(button::problems(&source.texts, &source.config.rules));
    Ok(Looked { checked, matrix: matrix(source) })
}

/// The rows of what this shop depends on, in the words of its first market.
fn matrix(source: &Source) -> String {
    let Config { rules, pricing, inventory, .. } = &source.config;
    let texts = source.texts.texts(&rules.root_market().language);
    let known = outcomes::dependencies(pricing.as_ref(), inventory.as_ref());
    let rows = outcomes::MATRIX.iter().filter(|(dependency, ..)| known.contains(dependency));
    let lines = rows.map(|row| outcomes::line(row, |key| texts.plain(key).to_owned()));
    std::iter::once(outcomes::HEAD.to_owned()).chain(lines).fold(String::new(), |text, line| text + &line + "\n")
}
