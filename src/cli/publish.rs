//! `vitrine publish`: the last build → a target, in order; what was published, and the way back.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use super::build::size;
use super::{CommandError, keys, source};
use crate::commerce::ids::Timestamp;
use crate::config::{self, Config};
use crate::edge::live::is_loopback;
use crate::publish::PublishError;
use crate::publish::guard::{self, Facts, Guard, Stop};
use crate::publish::host::Host;
use crate::publish::job::{self, BundleFile, Prices, State, Wish};
use crate::publish::lease::Lease;
use crate::publish::plan::Plan;
use crate::publish::record::Record;
use crate::publish::target::Target;
use crate::publish::upload::{Job, Outcome, Source, carry_out};
use crate::publish::verify::{Findings, verify};
use crate::site::check::redirects::Redirects;
use crate::site::diff::{Build, Diff, diff};
use crate::site::load::history;
use crate::site::manifest::{self, Manifest};
use crate::site::problem::Problems;
use crate::theme::bundle::{Bundle, SigningKey, VerifyingKey};

/// Lines of one heading on a terminal; the report for machines holds all.
const SHOWN: usize = 20;

/// Credentials are in the environment alone.
const CREDENTIALS: &str = "Credentials, from the environment or the cloud's own chain:
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY …     Amazon S3 and what speaks as it does
  GOOGLE_APPLICATION_CREDENTIALS …               Google Cloud Storage
  AZURE_STORAGE_ACCOUNT_NAME, …_KEY …            Azure Blob Storage
  VITRINE_BUNDLE_SECRET_KEY                      Signs the pointer that edges follow";

#[derive(Debug, clap::Args)]
#[command(after_help = CREDENTIALS)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    whereto: Whereto,
    /// The build to publish [default: public/ in the shop's folder]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Its bundle [default: shop.bundle in the shop's folder]
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Say that something that stops is meant; may be given several times
    #[arg(long, value_name = "GUARD")]
    allow: Vec<Allow>,
    /// Seconds to wait for another job on the same target
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    /// Go back to an earlier publication [default: the one before the last]
    #[arg(long, value_name = "ID", conflicts_with_all = ["verify", "repair"])]
    rollback: Option<Option<u64>>,
    /// Say what on the target was changed or removed since it was published
    #[arg(long)]
    verify: bool,
    /// Put back what was changed or removed
    #[arg(long, conflicts_with = "verify")]
    repair: bool,
}

/// Whose target.
#[derive(Debug, clap::Args)]
struct Whereto {
    /// The shop's folder
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Name of a target of site.toml [default: the only one]
    #[arg(long, global = true, value_name = "NAME")]
    target: Option<String>,
    /// Write a report for machines to stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List what was published and can be gone back to
    List,
    /// Fetch the last publication's manifest, bundle and price history, for `vitrine diff` and the next build
    Fetch {
        /// Where they go [default: .vitrine/published/TARGET in the shop's folder]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Allow {
    /// More pages go than `max_deletions`
    Deletions,
    /// What `vitrine diff` stops at: prices beyond the limit, products gone without a redirect, markets
    Changes,
    /// Nothing is sold
    EmptyShop,
    /// Pages name this machine
    Localhost,
    /// Play money where others can reach it
    Sandbox,
}

impl Allow {
    fn lets(self, guard: Guard) -> bool {
        matches!(
            (self, guard),
            (Self::Deletions, Guard::Deletions)
                | (Self::Changes, Guard::Changes)
                | (Self::EmptyShop, Guard::EmptyShop)
                | (Self::Localhost, Guard::Localhost)
                | (Self::Sandbox, Guard::Sandbox)
        )
    }
}

/// What every way of this command begins with.
struct Desk {
    config: Config,
    target: Target,
    host: Host,
    key: SigningKey,
    known: Vec<VerifyingKey>,
    now: jiff::Timestamp,
    json: bool,
}

impl From<PublishError> for CommandError {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NotAsBuilt { .. } => {
                eprintln!("error: {error}");
                Self::Content
            }
            error => Self::World(error.to_string()),
        }
    }
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let desk = Desk::open(&args.whereto)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| CommandError::World(format!("no threads: {error}")))?;
    runtime.block_on(async {
        match &args.action {
            Some(Action::List) => desk.list().await,
            Some(Action::Fetch { to }) => {
                let usual = source::state(&args.whereto.source).join("published").join(&desk.target.name);
                desk.fetch(to.as_deref().unwrap_or(&usual)).await
            }
            None if args.verify => desk.verify().await,
            None if args.repair => desk.write(&args, |desk, args, state| Box::pin(desk.repair(args, state))).await,
            None => match args.rollback {
                Some(id) => desk.write(&args, move |desk, _, state| Box::pin(desk.roll_back(id, state))).await,
                None => desk.publish(&args).await,
            },
        }
    })
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Wanted, CommandError>> + 'a>>;

/// What is to be published, with all that it borrows from.
struct Wanted {
    manifest: Manifest,
    source: Source,
    bundle: BundleFile,
    base_url: String,
    rollback_to: Option<u64>,
    /// What it sells; `None`: what was published is put back.
    build: Option<Build>,
    /// The price history beside the shop's content.
    before: Bytes,
}

impl Wanted {
    fn wish<'a>(&'a self, desk: &'a Desk) -> Wish<'a> {
        Wish {
            shop_id: &desk.config.shop.id,
            base_url: &self.base_url,
            manifest: &self.manifest,
            source: &self.source,
            bundle: &self.bundle,
            prices: self.build.as_ref().map(|build| Prices { bundle: &build.bundle, before: &self.before }),
            rollback_to: self.rollback_to,
            now: desk.now,
        }
    }
}

impl Desk {
    fn open(whereto: &Whereto) -> Result<Self, CommandError> {
        let mut problems = Problems::new();
        let config = config::read(&whereto.source, &mut problems);
        let Some(config) = config.filter(|_| !problems.has_errors()) else {
            source::tell(&problems)?;
            return Err(CommandError::Content);
        };
        let target = pick(&config.targets, whereto.target.as_deref())?.clone();
        let state = source::state(&whereto.source);
        let host = Host::open(&target)?;
        let (key, known) = (keys::signing_key(&state)?, keys::known_keys(&state)?);
        Ok(Self { config, target, host, key, known, now: jiff::Timestamp::now(), json: whereto.json })
    }

    async fn publish(&self, args: &Args) -> Result<(), CommandError> {
        let wanted = self.built(args)?;
        if args.dry_run {
            let state = self.state().await?;
            let plan = state.plan(&self.target, &wanted.wish(self));
            let stops = self.stops(&state, &plan, &wanted, args).await;
            self.tell_plan(&plan, &stops, state.points(&wanted.wish(self), &self.key));
            return refuse(&stops);
        }
        let lease = self.lease(args).await?;
        let result = async {
            let state = self.state().await?;
            let plan = state.plan(&self.target, &wanted.wish(self));
            refuse(&self.stops(&state, &plan, &wanted, args).await)?;
            self.carry_out(&lease, &state, &wanted, &plan).await
        }
        .await;
        lease.release(&self.host).await?;
        result
    }

    // A change that no build asks for: what it wants is found while nobody else writes.
    async fn write<'a>(
        &'a self,
        args: &'a Args,
        work: impl for<'b> FnOnce(&'b Self, &'b Args, &'b mut State) -> Work<'b>,
    ) -> Result<(), CommandError> {
        let lease = self.lease(args).await?;
        let result = async {
            let mut state = self.state().await?;
            let wanted = work(self, args, &mut state).await?;
            let plan = state.plan(&self.target, &wanted.wish(self));
            if args.dry_run {
                self.tell_plan(&plan, &[], state.points(&wanted.wish(self), &self.key));
                return Ok(());
            }
            self.carry_out(&lease, &state, &wanted, &plan).await
        }
        .await;
        lease.release(&self.host).await?;
        result
    }

    async fn lease(&self, args: &Args) -> Result<Lease, CommandError> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| CommandError::World(format!("the system gives no randomness: {error}")))?;
        let holder = format!("job-{:016x}", u64::from_le_bytes(name));
        let life = Duration::from_secs(self.target.lease_seconds);
        Ok(Lease::take(&self.host, &holder, life, Duration::from_secs(args.wait)).await?)
    }

    async fn state(&self) -> Result<State, CommandError> {
        Ok(State::read(&self.host, &self.config.shop.id, &self.known).await?)
    }

    async fn carry_out(&self, lease: &Lease, state: &State, wanted: &Wanted, plan: &Plan) -> Result<(), CommandError> {
        let bar = Bar::new();
        let progress = |phase: &'static str, done: usize, total: usize| bar.tell(phase, done, total);
        let job = Job { host: &self.host, target: &self.target, lease, key: &self.key, progress: &progress };
        let outcome = carry_out(job, state, &wanted.wish(self), plan).await;
        bar.end();
        self.tell_outcome(&outcome?);
        Ok(())
    }

    // The last build, opened for comparing too.
    fn built(&self, args: &Args) -> Result<Wanted, CommandError> {
        let root = &args.whereto.source;
        let out = args.out.clone().unwrap_or_else(|| root.join("public"));
        let manifest: Manifest = Manifest::read(&out).ok_or_else(|| {
            let shown = out.display();
            CommandError::World(format!(
                "{shown} holds no {} that this version can read; `vitrine build` writes one",
                manifest::FILE
            ))
        })?;
        let path = args.bundle.clone().unwrap_or_else(|| root.join("shop.bundle"));
        let failed = |error: String| CommandError::World(format!("{}: {error}", path.display()));
        let bytes = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let opened = Bundle::open(&bytes, &self.known, Some(&self.config.shop.id)).map_err(|error| failed(error.to_string()))?;
        let lines = std::fs::read_to_string(out.join("_redirects")).unwrap_or_default();
        Ok(Wanted {
            source: Source { folder: Some(out), ..Source::default() },
            bundle: BundleFile::new(&opened.hash, bytes.into()),
            base_url: base_url(&opened.bundle),
            manifest: manifest.clone(),
            rollback_to: None,
            build: Some(Build { manifest, bundle: opened.bundle, redirects: Redirects::read(&lines) }),
            before: std::fs::read(source::price_history(root, None)).unwrap_or_default().into(),
        })
    }

    // An earlier publication, whose bytes lie on the target.
    async fn roll_back(&self, id: Option<u64>, state: &mut State) -> Result<Wanted, CommandError> {
        let shop = &self.config.shop.id;
        let earlier = state.earlier(&self.host, id, shop).await?;
        let bytes = state.bundle(&self.host, &earlier.bundle).await?;
        let opened = Bundle::open(&bytes, &self.known, Some(shop)).map_err(|error| {
            CommandError::World(format!("the bundle of publication {} would not be taken by any edge: {error}", earlier.id))
        })?;
        Ok(Wanted {
            manifest: earlier.manifest(),
            source: Source { folder: None, kept: job::kept(&self.host).await? },
            bundle: BundleFile::new(&earlier.bundle, bytes),
            base_url: earlier.base_url.clone(),
            rollback_to: Some(earlier.id),
            build: Some(Build { manifest: earlier.manifest(), bundle: opened.bundle, redirects: Redirects::default() }),
            before: Bytes::new(),
        })
    }

    // What was published last, once more: from the build where it is the same, else from what the target keeps.
    async fn repair(&self, args: &Args, state: &mut State) -> Result<Wanted, CommandError> {
        let record = self.record(state)?.clone();
        let findings = verify(&self.host, state, &record).await?;
        self.tell_findings(&findings);
        state.look(&self.host, findings.paths()).await?;
        let (manifest, base_url, rollback_to) = (record.manifest(), record.base_url, record.rollback_to);
        let root = &args.whereto.source;
        let folder = Some(args.out.clone().unwrap_or_else(|| root.join("public")));
        let bytes = if findings.bundle_missing {
            state.doubtful_bundles.insert(record.bundle.clone());
            let path = args.bundle.clone().unwrap_or_else(|| root.join("shop.bundle"));
            let bytes = std::fs::read(&path).unwrap_or_default();
            let opened = Bundle::open(&bytes, &self.known, Some(&self.config.shop.id)).ok();
            opened.filter(|opened| opened.hash == record.bundle).map(|_| bytes.into()).ok_or_else(|| {
                CommandError::World(format!("the bundle {:.12} is gone, and {} is another one", record.bundle, path.display()))
            })?
        } else {
            state.bundle(&self.host, &record.bundle).await?
        };
        let source = Source { folder, kept: job::kept(&self.host).await? };
        Ok(Wanted {
            manifest,
            source,
            bundle: BundleFile::new(&record.bundle, bytes),
            base_url,
            rollback_to,
            build: None,
            before: Bytes::new(),
        })
    }

    async fn verify(&self) -> Result<(), CommandError> {
        let state = self.state().await?;
        let findings = verify(&self.host, &state, self.record(&state)?).await?;
        self.tell_findings(&findings);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&findings).expect("findings are plain data"));
        }
        if findings.is_well() { Ok(()) } else { Err(CommandError::Content) }
    }

    fn record<'a>(&self, state: &'a State) -> Result<&'a Record, CommandError> {
        let nothing = || CommandError::World(format!("nothing was published to `{}` yet", self.target.name));
        state.record.as_ref().ok_or_else(nothing)
    }

    async fn list(&self) -> Result<(), CommandError> {
        let state = self.state().await?;
        let record = self.record(&state)?;
        let mut all = record.history.clone();
        all.push(record.past());
        if self.json {
            println!("{}", serde_json::to_string_pretty(&all).expect("a list is plain data"));
            return Ok(());
        }
        for past in all.iter().rev() {
            let live = if past.id == record.id { "  live" } else { "" };
            let back = past.rollback_to.map_or(String::new(), |id| format!("  back to {id}"));
            println!("{:>6}  {}  {} files  bundle {:.12}{back}{live}", past.id, past.published_at, past.files, past.bundle);
        }
        Ok(())
    }

    async fn fetch(&self, to: &Path) -> Result<(), CommandError> {
        let state = self.state().await?;
        let Some(record) = &state.record else {
            eprintln!("nothing was published to `{}` yet", self.target.name);
            return Ok(());
        };
        let failed = |error: std::io::Error| CommandError::World(format!("{}: {error}", to.display()));
        std::fs::create_dir_all(to).map_err(failed)?;
        let mut text = Vec::new();
        record.manifest().write(&mut text).map_err(failed)?;
        let mut files = vec![("shop.bundle", Some(state.bundle(&self.host, &record.bundle).await?))];
        files.push(("_redirects", self.host.read("_redirects").await?));
        files.push((history::FILE, self.host.read_private(history::FILE).await?.map(|(bytes, _)| bytes)));
        // The last, so that a folder with a manifest in it is whole.
        files.push((manifest::FILE, Some(text.into())));
        for (name, bytes) in files {
            match bytes {
                Some(bytes) => std::fs::write(to.join(name), bytes).map_err(failed)?,
                None => match std::fs::remove_file(to.join(name)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                },
            }
        }
        eprintln!("publication {} of `{}` is in {}", record.id, self.target.name, to.display());
        Ok(())
    }

    async fn stops(&self, state: &State, plan: &Plan, wanted: &Wanted, args: &Args) -> Vec<Stop> {
        let Some(build) = &wanted.build else { return Vec::new() };
        let diff = match &state.record {
            Some(record) => Some(self.diff(state, record, build).await),
            None => None,
        };
        let at = Timestamp(self.now.as_second());
        let base_url = base_url(&build.bundle);
        let payment = &build.bundle.payment;
        let facts = Facts {
            plan,
            max_deletions: self.target.max_deletions,
            diff: diff.as_ref(),
            sells: build.bundle.catalog.products().iter().any(|product| product.is_active(at)),
            is_loopback: is_loopback(&base_url),
            base_url: &base_url,
            is_sandbox: payment.gateway == "sandbox" && !payment.allow_sandbox_on_public_host,
            has_development_keys: std::env::var_os(keys::BUNDLE_SECRET).is_none(),
        };
        let mut stops = guard::stops(&facts);
        stops.retain(|stop| !args.allow.iter().any(|allow| allow.lets(stop.guard)));
        stops
    }

    async fn diff(&self, state: &State, record: &Record, build: &Build) -> Result<Diff, String> {
        let told = |error: PublishError| error.to_string();
        let bytes = state.bundle(&self.host, &record.bundle).await.map_err(told)?;
        let opened = Bundle::open(&bytes, &self.known, Some(&self.config.shop.id)).map_err(|error| error.to_string())?;
        let lines = self.host.read("_redirects").await.map_err(told)?.unwrap_or_default();
        let redirects = Redirects::read(&String::from_utf8_lossy(&lines));
        let old = Build { manifest: record.manifest(), bundle: opened.bundle, redirects };
        Ok(diff(&old, build, self.config.max_price_change, Timestamp(self.now.as_second())))
    }

    fn tell_plan(&self, plan: &Plan, stops: &[Stop], points: bool) {
        if self.json {
            let puts: Vec<_> = plan
                .uploads
                .iter()
                .map(|upload| serde_json::json!({ "path": upload.path, "bytes": upload.entry.size }))
                .collect();
            let report = serde_json::json!({
                "id": plan.id, "put": puts, "bytes": plan.bytes(), "unchanged": plan.unchanged.len(), "gone": plan.gone,
                "remove": plan.deletions, "points": points, "stops": stops,
            });
            println!("{}", serde_json::to_string_pretty(&report).expect("a report is plain data"));
            return;
        }
        println!(
            "publication {}: {} to put ({}), {} as before",
            plan.id,
            plan.uploads.len(),
            size(plan.bytes()),
            plan.unchanged.len()
        );
        list("put", plan.uploads.iter().map(|upload| &upload.path));
        list("no longer published", plan.gone.iter());
        list("removed, since nothing refers to them any more", plan.deletions.iter());
        if points {
            println!("edges are pointed to another bundle");
        }
    }

    fn tell_outcome(&self, outcome: &Outcome) {
        if self.json {
            println!("{}", serde_json::to_string_pretty(outcome).expect("an outcome is plain data"));
        }
        for path in &outcome.lost {
            eprintln!("warning: {path} was removed by hand: publications before this one lack it");
        }
        match outcome.id {
            None => eprintln!("nothing has changed since the last publication"),
            Some(id) => eprintln!(
                "publication {id} is live on `{}`: {} put ({}), {} removed{}",
                self.target.name,
                outcome.put,
                size(outcome.bytes),
                outcome.removed,
                if outcome.pointed { ", edges pointed to its bundle" } else { "" }
            ),
        }
    }

    fn tell_findings(&self, findings: &Findings) {
        let tell = |what: &str, paths: &[String]| paths.iter().for_each(|path| eprintln!("{what}: {path}"));
        tell("removed", &findings.missing);
        tell("changed", &findings.changed);
        tell("not ours, left alone", &findings.foreign);
        if findings.bundle_missing {
            eprintln!("removed: the bundle");
        }
        if findings.pointer_wrong {
            eprintln!("the pointer names another bundle than the one that was published");
        }
        if findings.unfinished {
            eprintln!("a job has not finished: publish again");
        }
        if findings.is_well() {
            eprintln!("all is as it was published");
        }
    }
}

fn base_url(bundle: &Bundle) -> String {
    bundle.sites().ok().and_then(|sites| sites.into_iter().next()).map(|site| site.base_url).unwrap_or_default()
}

fn pick<'a>(targets: &'a [Target], name: Option<&str>) -> Result<&'a Target, CommandError> {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    match (name, targets) {
        (_, []) => Err(CommandError::Usage("site.toml names no target: write one under [[publish]]".to_owned())),
        (None, [one]) => Ok(one),
        (None, _) => Err(CommandError::Usage(format!("name a target with --target: {}", names.join(", ")))),
        (Some(name), _) => targets
            .iter()
            .find(|target| target.name == name)
            .ok_or_else(|| CommandError::Usage(format!("site.toml names no target `{name}`, only {}", names.join(", ")))),
    }
}

fn refuse(stops: &[Stop]) -> Result<(), CommandError> {
    for stop in stops {
        let word = serde_json::to_value(stop.guard).expect("a word");
        let word = word.as_str().unwrap_or_default();
        let way =
            if stop.guard == Guard::DevelopmentKeys { String::new() } else { format!("; if that is meant: --allow {word}") };
        eprintln!("error: {}{way}", stop.message);
    }
    if stops.is_empty() { Ok(()) } else { Err(CommandError::Content) }
}

fn list<'a>(heading: &str, paths: impl ExactSizeIterator<Item = &'a String>) {
    let count = paths.len();
    if count > 0 {
        println!("{heading}: {count}");
        paths.take(SHOWN).for_each(|path| println!("  {path}"));
        if count > SHOWN {
            println!("  and {} more; --json lists them all", count - SHOWN);
        }
    }
}

/// A bar on a terminal, a line for each phase elsewhere.
struct Bar {
    bar: Option<ProgressBar>,
    phase: Mutex<&'static str>,
}

impl Bar {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("the template is right");
            ProgressBar::new(0).with_style(style)
        });
        Self { bar, phase: Mutex::new("") }
    }

    fn tell(&self, phase: &'static str, done: usize, total: usize) {
        if let Some(bar) = &self.bar {
            bar.set_message(phase);
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            return;
        }
        let mut last = self.phase.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if done == 0 && total > 0 && *last != phase {
            eprintln!("{phase}: {total}");
            *last = phase;
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
