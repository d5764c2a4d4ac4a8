//! `vitrine load`: shoppers who come at a stated rate, and what that was like for them.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::edge::Stops;
use super::{CommandError, source};
use crate::load::arrivals::{self, MAX_CROWD, Stage};
use crate::load::client::Client;
use crate::load::cost::{Cost, Levels};
use crate::load::measure;
use crate::load::record::Record;
use crate::load::report::{About, Report};
use crate::load::run::{Course, Ended, Progress, run as run_course};
use crate::load::scenario::{BUILT_IN, Scenario, Step, built_in};
use crate::load::shop::{Found, Wish, explore};
use crate::load::shopper::World;
use crate::load::target::Target;
use crate::load::threshold::Threshold;
use crate::load::written::{self, MAX_FILE_BYTES, Plan};
use crate::site::problem::{Problem, Problems, SourceFile};

/// Shoppers a second where nothing is said.
const USUAL_PER_SECOND: f64 = 10.0;
/// For so long.
const USUAL_LASTS: Duration = Duration::from_secs(30);
/// A crowd where nothing is said.
const USUAL_CROWD: u32 = 100;
/// Bytes of a sitemap's file; a shop writes 8 MiB at most.
const MAX_SITEMAP_BYTES: u64 = 64 * 1024 * 1024;
/// Lines a minute where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shop: where cart and checkout answer
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080")]
    shop: String,
    /// What shoppers do: browse, add, checkout, decline, abandon, flash-sale, mix; or a scenario file
    #[arg(long, short, value_name = "NAME|FILE", default_value = "mix")]
    scenario: String,
    /// Shoppers who come, such as 50/s or 300/min, however slowly they are answered [default: the file's, else 10/s]
    #[arg(long, value_name = "RATE", value_parser = measure::rate, conflicts_with = "shoppers")]
    rate: Option<f64>,
    /// Rise or fall evenly to this rate
    #[arg(long, value_name = "RATE", value_parser = measure::rate, requires = "rate")]
    to: Option<f64>,
    /// How long they come, such as 60s or 5min [default: 30s]
    #[arg(long = "for", value_name = "TIME", value_parser = measure::time, conflicts_with = "shoppers")]
    lasts: Option<Duration>,
    /// So many at one instant instead [default for flash-sale: 100]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CROWD)))]
    shoppers: Option<u32>,
    /// What everybody buys
    #[arg(long, value_name = "SKU")]
    sku: Option<String>,
    /// Time between two steps, such as 1s-5s [default: none]
    #[arg(long, value_name = "TIME", value_parser = measure::span)]
    pause: Option<(Duration, Duration)>,
    /// How often a step that is refused under load is tried again, after as long as the shop says
    #[arg(long, value_name = "COUNT")]
    retries: Option<u32>,
    /// What decides who does what: the same again is the same run
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Where pages and sitemap are, if not at the shop's URL
    #[arg(long, value_name = "URL")]
    pages: Option<String>,
    /// Know products from this file instead of the pages' /sitemap.xml
    #[arg(long, value_name = "FILE")]
    sitemap: Option<PathBuf>,
    /// The market that shoppers are in [default: the one at the root]
    #[arg(long, value_name = "MARKET")]
    market: Option<String>,
    /// Different products that are bought
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    products: u16,
    /// Connections at once, kept open as a CDN does; requests beyond wait, and that is part of their time
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    connections: u16,
    /// Shoppers inside at once; more are not let in, and counted
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    max_shoppers: u32,
    /// How long a shopper waits for an answer before going away
    #[arg(long, value_name = "TIME", value_parser = measure::time, default_value = "30s")]
    patience: Duration,
    /// A host that is no loopback address and may be sent load; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Operators' listener of an edge, such as http://127.0.0.1:9081: what the run took of it is told; several times for several edges
    #[arg(long, value_name = "URL")]
    operator: Vec<String>,
    /// End with exit code 1 where this holds, such as "p99(checkout) > 500ms" or "errors > 1%"; may be given several times
    #[arg(long, value_name = "CONDITION", value_parser = |text: &str| text.parse::<Threshold>())]
    fail_if: Vec<Threshold>,
    /// Write the report for machines; - is stdout
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as one page with charts
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    super::log::start_quietly()?;
    let Some(plan) = plan(&args)? else { return Err(CommandError::Content) };
    // One thread: the shop may be on the same machine, and needs the others.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::World(format!("no threads: {error}")))?;
    let report = runtime.block_on(load(&args, plan))?;
    eprint!("\n{}", report.text());
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&report).expect("a report is plain data") + "\n";
        if path.as_os_str() == "-" { print!("{text}") } else { write(path, &text)? }
    }
    if let Some(path) = &args.html {
        write(path, &report.html())?;
    }
    if report.is_broken() { Err(CommandError::Content) } else { Ok(()) }
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(path, text).map_err(|error| CommandError::World(format!("{}: {error}", path.display())))
}

/// Who does what when; `None` where the scenario file has problems, which were printed.
fn plan(args: &Args) -> Result<Option<Plan>, CommandError> {
    let mut plan = match built_in(&args.scenario) {
        Some(scenarios) => Plan { scenarios, ..Plan::default() },
        None => {
            let mut problems = Problems::new();
            let read = scenario_file(&args.scenario, &mut problems)?;
            eprint!("{}", problems.render(source::colors()));
            let Some(plan) = read else { return Ok(None) };
            plan
        }
    };
    for scenario in &mut plan.scenarios {
        scenario.sku = args.sku.clone().or(scenario.sku.take());
        scenario.pause = args.pause.unwrap_or(scenario.pause);
        scenario.retries = args.retries.unwrap_or(scenario.retries);
    }
    plan.seed = args.seed.or(plan.seed);
    let is_crowd = args.scenario == "flash-sale" && args.rate.is_none() && args.lasts.is_none();
    if let Some(shoppers) = args.shoppers.or(is_crowd.then_some(USUAL_CROWD)) {
        plan.stages = vec![Stage::Crowd { shoppers }];
    } else if plan.stages.is_empty() || args.rate.is_some() || args.lasts.is_some() {
        let from_per_second = args.rate.unwrap_or(USUAL_PER_SECOND);
        let to_per_second = args.to.unwrap_or(from_per_second);
        plan.stages = vec![Stage::Rate { from_per_second, to_per_second, lasts: args.lasts.unwrap_or(USUAL_LASTS) }];
    }
    if arrivals::count(&plan.stages) == 0 {
        return Err(CommandError::Usage(
            "nobody comes: write a rate such as --rate 10/s and a time such as --for 30s".to_owned(),
        ));
    }
    Ok(Some(plan))
}

fn scenario_file(name: &str, problems: &mut Problems) -> Result<Option<Plan>, CommandError> {
    let path = Path::new(name);
    if path.extension().is_none() && !path.is_file() {
        let known = BUILT_IN.join(", ");
        return Err(CommandError::Usage(format!(
            "there is no scenario `{name}`; there are {known}, or name a file such as load.toml"
        )));
    }
    let text = read(path, MAX_FILE_BYTES)?;
    let file = SourceFile::new(name, &text);
    let plan = written::read(&file, problems);
    if plan.is_none() && !problems.has_errors() {
        problems.push(Problem::about(name, "it says nothing"));
    }
    Ok(plan)
}

fn read(path: &Path, most: u64) -> Result<String, CommandError> {
    let shown = path.display();
    let world = |error: std::io::Error| CommandError::World(format!("{shown}: {error}"));
    let size = std::fs::metadata(path).map_err(world)?.len();
    if size > most {
        return Err(CommandError::World(format!("{shown} has {size} bytes; {most} are read")));
    }
    std::fs::read_to_string(path).map_err(world)
}

async fn load(args: &Args, plan: Plan) -> Result<Report, CommandError> {
    let usage = |error: crate::load::target::TargetError| CommandError::Usage(error.to_string());
    let target = Target::of(&args.shop, &args.allow_host).map_err(usage)?;
    let pages = args.pages.as_deref().map(|text| Target::of(text, &args.allow_host)).transpose().map_err(usage)?;
    let client = |target| Client::new(target, args.connections.into(), args.patience).map_err(CommandError::World);
    let shop = client(target.clone())?;
    let operators =
        args.operator.iter().map(|text| Target::of(text, &args.allow_host)).collect::<Result<Vec<_>, _>>().map_err(usage)?;
    let operators = operators.into_iter().map(client).collect::<Result<Vec<_>, _>>()?;
    // Without a file, products are known from the shop's own sitemap, and where that is, there are pages.
    let pages = match (pages, &args.sitemap) {
        (Some(pages), _) => Some(client(pages)?),
        (None, None) => Some(client(target.clone())?),
        (None, Some(_)) => None,
    };
    let seed = plan.seed.unwrap_or(1);
    let found = look_around(args, &plan, &shop, pages.as_ref(), seed).await?;
    let mut notes = notes(&plan, &found);
    let sees_pages = plan.scenarios.iter().any(|scenario| scenario.has(Step::Page));
    // Where every product was named, nobody looked whether there are pages.
    let pages = pages.filter(|_| args.pages.is_some() || found.listed > 0);
    if sees_pages && pages.is_none() {
        notes.push("pages are not asked, since nobody said where they are: --pages URL".to_owned());
    }
    let course = Course {
        scenarios: plan.scenarios,
        max_inside: usize::try_from(args.max_shoppers).unwrap_or(usize::MAX),
        grace: args.patience,
        stages: plan.stages,
    };
    let planned = arrivals::count(&course.stages);
    let mut stops = Stops::heard()?;
    let lasts = arrivals::lasts(&course.stages);
    let began_at = jiff::Timestamp::now().to_string();
    let record = Mutex::new(Record::new(Instant::now(), lasts + args.patience));
    let (goods, market, person) = (found.goods, args.market.clone(), plan.person);
    let world = Arc::new(World { shop, pages, goods, market, person, seed, record });
    let screen = Screen::new(lasts);
    let before = levels(&operators).await?;
    let ended: Ended = run_course(&world, &course, stops.next(), |progress| screen.show(progress)).await;
    screen.finish();
    let cost = Cost::between(&before, &levels(&operators).await?).filter(|cost| cost.edges > 0);
    if cost.is_none() && !operators.is_empty() {
        notes.push("an edge was started anew meanwhile: what the run took of it is not known".to_owned());
    }
    let about = About {
        target: target.to_string(),
        seed,
        began_at,
        ended,
        connections: args.connections.into(),
        planned,
        max_inside: course.max_inside,
        cost,
        notes,
    };
    let report = Report::of(&mut world.record(), about, &args.fail_if);
    Ok(report)
}

/// What edges' own pages say now.
async fn levels(operators: &[Client]) -> Result<Vec<Levels>, CommandError> {
    let mut all = Vec::with_capacity(operators.len());
    for operator in operators {
        let request = http::Request::get("/metrics").body(Default::default()).expect("a fixed request is well-formed");
        let asked = operator.ask(request, Instant::now()).await.1;
        let told = |reason: String| {
            CommandError::World(format!("{}/metrics: {reason}; name the operators' listener of an edge", operator.target()))
        };
        let answer = asked.map_err(|error| told(error.to_string()))?;
        let page = std::str::from_utf8(&answer.body).unwrap_or_default();
        all.push(Levels::read(page).ok_or_else(|| told(format!("answers {} and no metrics of an edge", answer.status)))?);
    }
    Ok(all)
}

async fn look_around(args: &Args, plan: &Plan, shop: &Client, pages: Option<&Client>, seed: u64) -> Result<Found, CommandError> {
    let sitemap = args.sitemap.as_deref().map(|path| read(path, MAX_SITEMAP_BYTES)).transpose()?;
    let mut skus: Vec<String> = plan.scenarios.iter().filter_map(|scenario| scenario.sku.clone()).collect();
    skus.sort_unstable();
    skus.dedup();
    let any = plan.scenarios.iter().any(|scenario| scenario.sku.is_none());
    let checks_out = plan.scenarios.iter().any(|scenario| scenario.has(Step::Open));
    let wish = Wish {
        sitemap: sitemap.as_deref(),
        market: args.market.as_deref(),
        products: args.products.into(),
        skus: &skus,
        any,
        person: checks_out.then_some(&plan.person),
        seed,
    };
    explore(shop, pages, &wish).await.map_err(|error| CommandError::World(error.to_string()))
}

fn notes(plan: &Plan, found: &Found) -> Vec<String> {
    let mut notes = Vec::new();
    if !found.left_out.is_empty() {
        let reasons: Vec<String> = found.left_out.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        notes.push(format!("products that cannot simply be bought were left out: {}", reasons.join(", ")));
    }
    let names: Vec<&str> = plan.scenarios.iter().map(|scenario: &Scenario| scenario.name.as_str()).collect();
    eprintln!("{} products of {}; scenarios: {}", found.goods.len(), found.listed.max(found.goods.len()), names.join(", "));
    notes
}

/// How a run is shown while it goes on: one living line on a terminal, a line every few seconds elsewhere.
struct Screen {
    bar: Option<ProgressBar>,
    told: Mutex<Duration>,
}

impl Screen {
    fn new(lasts: Duration) -> Self {
        let told = Mutex::new(Duration::ZERO);
        if !std::io::stderr().is_terminal() {
            return Self { bar: None, told };
        }
        let bar = ProgressBar::new(u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).max(1));
        bar.set_style(ProgressStyle::with_template("{bar:24} {msg}").expect("the template is right"));
        Self { bar: Some(bar), told }
    }

    fn show(&self, progress: &Progress) {
        let text = line(progress);
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX));
                bar.set_message(text);
            }
            None => {
                let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if progress.elapsed >= *told + LINE_EVERY {
                    *told = progress.elapsed;
                    eprintln!("{text}");
                }
            }
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(progress: &Progress) -> String {
    let Progress { elapsed, last, arrivals: (arrived, total), inside, dropped, orders, errors, shed } = progress;
    let mut line = format!(
        "{:>4.0} s  {arrived}/{total} came, {inside} inside, p50 {:.1} ms, p99 {:.1} ms, {orders} orders, {errors} faults, {shed} shed",
        elapsed.as_secs_f64(),
        last.p50_ms,
        last.p99_ms
    );
    if *dropped > 0 {
        line.push_str(&format!(", {dropped} not let in"));
    }
    line
}
