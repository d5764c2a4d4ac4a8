//! `vitrine build`: content → public/ and shop.bundle.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::source::{self, Source};
use super::{CommandError, keys};
use crate::commerce::ids::Timestamp;
use crate::site::load;
use crate::site::makers::Coverage;
use crate::site::precompress::Press;
use crate::site::problem::{Problem, Problems};
use crate::site::render::feeds::google::GoogleFeed;
use crate::site::translations::Lacking;
use crate::site::{self, BuildError, Built, Busy, Order, Phase, Step, TemplateCost};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) source: PathBuf,
    /// Where pages go [default: public/ in the shop's folder]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Where the bundle goes [default: shop.bundle in the shop's folder]
    #[arg(long, value_name = "FILE")]
    pub(super) bundle: Option<PathBuf>,
    /// Origin of the shop instead of the one in site.toml
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<String>,
    /// Ask crawlers to keep away: for a preview, never for the shop
    #[arg(long)]
    pub(super) noindex: bool,
    /// Show drafts too
    #[arg(long)]
    pub(super) drafts: bool,
    /// The instant that decides which products and sales hold [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "TIME")]
    pub(super) as_of: Option<String>,
    /// Units in stock, as `vitrine stock export` writes them [default: the opening stock]
    #[arg(long, value_name = "FILE")]
    pub(super) stock: Option<PathBuf>,
    /// What was asked before, as `vitrine prices record` writes it [default: price-history.jsonl in the shop's folder]
    #[arg(long, value_name = "FILE")]
    pub(super) price_history: Option<PathBuf>,
    /// Read and print everything anew; by default only what changed since the last build is
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Write `.br` and `.gz` beside what compresses, for a server that chooses (nginx, Caddy)
    #[arg(long)]
    pub(super) precompress: bool,
    /// Show what each template cost: pages, bytes, rows it asked for, time, the slowest page
    #[arg(long)]
    pub(super) costs: bool,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Write a report for machines to stdout
    #[arg(long, value_name = "FORMAT")]
    pub(super) report: Option<Report>,
    /// What to do while another build writes the same place.
    #[arg(skip)]
    pub(super) busy: Busy,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Report {
    Json,
}

/// How a build ended, for people and machines.
#[derive(Debug, serde::Serialize)]
pub(super) struct Outcome {
    pub(super) problems: Problems,
    /// `None` where nothing was built.
    pub(super) built: Option<Built>,
    products: usize,
    derived_skus: usize,
    used_opening_stock: bool,
    /// How many products say who made them, of those that have to.
    makers: Coverage,
    /// What each language lacks.
    lacking: Vec<Lacking>,
    seconds: f64,
    /// What was read, for whoever goes on with it; `None` where there are errors.
    #[serde(skip)]
    pub(super) source: Option<Source>,
}

/// What a build that was not asked for by hand does while another one writes the same place.
pub(super) fn patient() -> Busy {
    Busy::Wait(|told| eprintln!("  {told}"))
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    if let Some(threads) = args.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build_global();
        pool.map_err(|error| CommandError::World(error.to_string()))?;
    }
    let outcome = build(&args)?;
    eprint!("{}", outcome.problems.render(source::colors()));
    if let Some(built) = &outcome.built {
        eprint!("{}", outcome.summary(built));
        if args.costs {
            eprint!("{}", cost_table(built));
        }
    }
    if args.report.is_some() {
        println!("{}", serde_json::to_string_pretty(&outcome).expect("a report is plain data"));
    }
    let result = if outcome.problems.has_errors() { Err(CommandError::Content) } else { Ok(()) };
    // The process ends now: taking a hundred thousand products apart would be waited for.
    std::mem::forget(outcome);
    result
}

/// Reads and builds a shop. Problems of the content are in the outcome; a failing world is an error.
pub(super) fn build(args: &Args) -> Result<Outcome, CommandError> {
    let started = Instant::now();
    let at = source::as_of(args.as_of.as_deref())?;
    let stock = source::stock(args.stock.as_deref())?;
    let mut problems = Problems::new();
    let cache = (!args.no_cache).then(|| source::cache(&args.source));
    let read = Source::read(&args.source, args.base_url.as_deref(), cache.as_deref(), &mut problems);
    let read = read.map(|mut source| {
        source.config.build.is_hidden = args.noindex;
        source
    });
    let history = args.price_history.as_deref();
    let read = match read {
        Some(source) => source.with_history(history, at, &mut problems),
        // What is wrong with the history is told beside the rest.
        None => {
            load::history::read(&source::price_history(&args.source, history), &mut problems);
            None
        }
    };
    let load = Phase { name: "load", seconds: started.elapsed().as_secs_f64() };
    let mut outcome = Outcome {
        problems,
        built: None,
        products: 0,
        derived_skus: 0,
        used_opening_stock: args.stock.is_none(),
        makers: Coverage::default(),
        lacking: Vec::new(),
        seconds: 0.0,
        source: None,
    };
    let Some(source) = read else { return Ok(outcome) };
    outcome.products = source.loaded.products.len();
    outcome.derived_skus = source.loaded.derived_skus.len();
    outcome.makers = source.makers;
    outcome.lacking = source.said().lacking(&mut |_| {});
    match print(&source, args, &stock, cache.as_deref(), at) {
        Ok(mut built) => {
            built.phases.insert(0, load);
            built.pictures.drain(..).for_each(|problem| outcome.problems.push(problem));
            outcome.problems.sort();
            outcome.built = Some(built);
        }
        Err(error @ (BuildError::Write(_) | BuildError::Read(_))) => return Err(CommandError::World(error.to_string())),
        Err(BuildError::Assets(errors)) => {
            for error in errors {
                outcome.problems.push(Problem::about(&format!("static/{}", error.path), error.reason));
            }
        }
        Err(BuildError::Facets(error)) => {
            let hint = "raise `min_products` of that facet, take it out, or raise `max_facet_pages` under [build]";
            outcome.problems.push(Problem::about(crate::config::FILE, error.to_string()).hint(hint));
        }
        Err(BuildError::Pages(faults)) => {
            for (page, error) in faults.templates {
                outcome.problems.push(source.template_problem(&error, page.as_deref()));
            }
            for found in faults.texts {
                load::problems_of_text(&source.root, found).into_iter().for_each(|problem| outcome.problems.push(problem));
            }
            outcome.problems.sort();
        }
    }
    outcome.seconds = started.elapsed().as_secs_f64();
    outcome.source = Some(source);
    Ok(outcome)
}

fn print(
    source: &Source,
    args: &Args,
    stock: &std::collections::BTreeMap<crate::commerce::ids::Sku, u32>,
    cache: Option<&Path>,
    at: Timestamp,
) -> Result<Built, BuildError> {
    let beside = |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| source.root.join(name));
    let (out, bundle) = (beside(&args.out, "public"), beside(&args.bundle, "shop.bundle"));
    let key = keys::signing_key(&source::state(&source.root)).map_err(|error| key_failure(&source.root, &error))?;
    let press = args.precompress.then(|| Press::new(&source::cache(&source.root)));
    let order = Order {
        root: &source.root,
        out: &out,
        bundle: &bundle,
        shop: &source.config.shop,
        rules: &source.config.rules,
        settings: &source.config.build,
        look: &source.config.look,
        templates: &source.templates,
        texts: &source.texts,
        loaded: &source.loaded,
        stock,
        at,
        drafts: args.drafts,
        payment: &source.config.payment,
        mail: &source.config.mail,
        webhooks: &source.config.webhooks,
        front: &source.config.front,
        pricing: source.config.pricing.as_ref(),
        inventory: source.config.inventory.as_ref(),
        keeper: source.config.keeper,
        cache,
        pictures: &source::cache(&source.root).join("images"),
        busy: args.busy,
        key: &key,
        costs: args.costs || args.report.is_some(),
        press: press.as_ref(),
    };
    let bar = ProgressBar::new(0);
    if std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("the template is right");
        bar.set_style(style);
    } else {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let built = site::build(&order, &|step, done, total| {
        bar.set_message(if step == Step::Pictures { "pictures" } else { "pages" });
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    built
}

fn key_failure(root: &Path, error: &CommandError) -> BuildError {
    let source = std::io::Error::other(error.to_string());
    BuildError::Write(site::write::WriteError::Io { path: source::state(root), source })
}

impl Outcome {
    /// How long it took.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// For people.
    pub(super) fn summary(&self, built: &Built) -> String {
        let changes = &built.changes;
        let phases: Vec<String> = built.phases.iter().map(|phase| format!("{} {:.2}", phase.name, phase.seconds)).collect();
        let mut lines = vec![
            format!("{} pages of {} products in {:.2} s ({} s)", built.pages, self.products, self.seconds, phases.join(", ")),
            format!("{} files, {}: {} written, {} removed", changes.files, size(changes.bytes), changes.written, changes.removed),
            format!("bundle {}{}", size(built.bundle_bytes), if built.bundle_written { "" } else { ", unchanged" }),
        ];
        if self.derived_skus > 0 {
            lines.push(format!("{} SKUs were derived from address and options; `--report json` counts them", self.derived_skus));
        }
        if !self.lacking.is_empty() {
            let languages: Vec<String> = self.lacking.iter().map(|one| format!("{} {}", one.all(), one.language)).collect();
            lines.push(format!("translations missing: {}; `vitrine check` names them", languages.join(", ")));
        }
        let Coverage { products, with_maker } = self.makers;
        if products > 0 {
            let hint = if with_maker < products { ": consumer law of the European Union wants one ([[makers]])" } else { "" };
            lines.push(format!("{with_maker} of {products} products name their maker{hint}"));
        }
        for feed in &built.google {
            lines.push(format!("{}: {} {}{}", feed.path, feed.items, if feed.items == 1 { "item" } else { "items" }, gaps(feed)));
        }
        if !built.atom {
            lines.push("no Atom feed: no product says `updated_at` or `publish_at`".to_owned());
        }
        if let Some(at) = &built.next_change_at {
            lines.push(format!("pages change of themselves at {at}: build and publish again then"));
        }
        for cost in &built.costs {
            if let Some(hint) = &cost.hint {
                lines.push(format!("templates/{}: {hint}", cost.template));
            }
        }
        if self.used_opening_stock {
            lines.push("availability is the opening stock; --stock FILE takes a snapshot".to_owned());
        }
        lines.iter().map(|line| format!("  {line}\n")).collect()
    }
}

/// What each template cost, the dearest first, for people.
fn cost_table(built: &Built) -> String {
    let printed: u64 = built.costs.iter().filter(|cost| !is_shortcode(cost)).map(|cost| cost.pages).sum();
    let mut table = format!("\n  {printed} of {} pages were printed", built.pages);
    table.push_str(if printed < built.pages as u64 { "; --no-cache prints them all\n" } else { "\n" });
    if built.costs.is_empty() {
        return table;
    }
    let whole: f64 = built.costs.iter().filter(|cost| !is_shortcode(cost)).map(|cost| cost.seconds).sum();
    let width = built.costs.iter().map(|cost| cost.template.len()).max().unwrap_or(0).max("template".len());
    let head = ["pages", "calls", "written", "rows", "ms", "share", "ms at most"];
    let [pages, calls, written, rows, all, share, most] = head;
    table.push_str(&format!(
        "  {:width$} {pages:>8} {calls:>8} {written:>9} {rows:>9} {all:>9} {share:>6} {most:>10}  slowest page\n",
        "template"
    ));
    for cost in &built.costs {
        table.push_str(&format!(
            "  {:width$} {:>8} {:>8} {:>9} {:>9} {:>9.1} {:>5.0}% {:>10.2}  {}\n",
            cost.template,
            cost.pages,
            cost.calls,
            size(cost.bytes),
            cost.rows,
            cost.seconds * 1e3,
            if whole > 0.0 { cost.seconds / whole * 100.0 } else { 0.0 },
            cost.max_seconds * 1e3,
            cost.slowest_page,
        ));
    }
    table.push_str("  ms are those of one thread; a page's time holds that of its shortcodes\n");
    table
}

// Their time is that of the pages that call them, too.
fn is_shortcode(cost: &TemplateCost) -> bool {
    cost.template.starts_with("shortcodes/")
}

/// What a product feed lacks, for people.
fn gaps(feed: &GoogleFeed) -> String {
    let gaps = [
        (feed.without_price, "left out without a price"),
        (feed.without_picture, "left out without a picture"),
        (feed.refused_pictures, "with a picture that Google refuses (it takes JPEG, PNG, WebP and GIF)"),
        (feed.undated_backorders, "on back-order and told as out of stock, since they name no `availability_date`"),
        (feed.wrong_gtins, "without their GTIN, whose check digit is wrong"),
    ];
    gaps.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("; {count} {what}")).collect()
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}
