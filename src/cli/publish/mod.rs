//! `vitrine publish`: the last build → a target, in order; what was published, and the way back.

use std::path::PathBuf;
use std::time::Duration;

use self::guards::{Allow, refuse};
use self::report::Bar;
use self::wanted::Wanted;
use super::{CommandError, keys, source};
use crate::config::{self, Config};
use crate::publish::PublishError;
use crate::publish::host::Host;
use crate::publish::job::State;
use crate::publish::lease::Lease;
use crate::publish::plan::Plan;
use crate::publish::purge::Caller;
use crate::publish::purge::settle::{owed, settle};
use crate::publish::target::{Target, is_preview};
use crate::publish::upload::{Job, carry_out};
use crate::site::problem::Problems;
use crate::theme::bundle::{SigningKey, VerifyingKey};

mod guards;
mod previews;
mod published;
mod report;
mod wanted;

/// Seconds between this machine's clock and the target's that are worth a warning; a request may be under way for some.
const CLOCK_TOLD: i64 = 60;
/// Credentials are in the environment alone.
const CREDENTIALS: &str = "Credentials, from the environment or the cloud's own chain:
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY …     Amazon S3 and what speaks as it does
  GOOGLE_APPLICATION_CREDENTIALS …               Google Cloud Storage
  AZURE_STORAGE_ACCOUNT_NAME, …_KEY …            Azure Blob Storage
  CLOUDFLARE_API_TOKEN, FASTLY_API_TOKEN         Purge of their caches; CloudFront takes Amazon's
  VITRINE_PURGE_SECRET_TARGET                    Purge by HTTP of the target TARGET
  VITRINE_BUNDLE_SECRET_KEY                      Signs the pointer that edges follow";

#[derive(Debug, clap::Args)]
#[command(after_help = CREDENTIALS)]
pub(in crate::cli) struct Args {
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
    /// Purge what caches were not told of yet, and publish nothing
    #[arg(long, conflicts_with_all = ["verify", "repair", "rollback"])]
    purge: bool,
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
    /// Name of a preview, on a target of previews: a part of its host, such as pr-42
    #[arg(long, global = true, value_name = "NAME")]
    prefix: Option<String>,
    /// Write a report for machines to stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List what was published and can be gone back to
    List {
        /// List the previews of the target instead
        #[arg(long)]
        previews: bool,
    },
    /// Remove the preview that --prefix names
    Remove {
        /// Say what would be removed, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say whether pages that are published change of themselves by now, or a publication did not end; exit code 5: neither
    Due {
        /// The instant it is asked for [default: SOURCE_DATE_EPOCH, else now]
        #[arg(long, value_name = "TIME")]
        as_of: Option<String>,
    },
    /// Fetch the last publication's manifest, bundle and price history, for `vitrine diff` and the next build
    Fetch {
        /// Where they go [default: .vitrine/published/TARGET in the shop's folder]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
}

/// What every way of this command begins with.
struct Desk {
    config: Config,
    target: Target,
    /// Which preview of it; `None`: it holds the shop.
    preview: Option<String>,
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

pub(in crate::cli) fn run(args: Args) -> Result<(), CommandError> {
    let mut desk = Desk::open(&args.whereto)?;
    let is_about_all = matches!(args.action, Some(Action::List { previews: true }));
    if desk.target.previews.is_some() && desk.preview.is_none() && !is_about_all {
        let message = format!("the target `{}` holds previews: name one with --prefix pr-42", desk.target.name);
        return Err(CommandError::Usage(message));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| CommandError::World(format!("no threads: {error}")))?;
    runtime.block_on(async {
        match &args.action {
            Some(Action::List { previews: true }) => desk.list_previews().await,
            Some(Action::List { previews: false }) => desk.list().await,
            Some(Action::Remove { dry_run }) => desk.remove(&args, *dry_run).await,
            Some(Action::Due { as_of }) => desk.due(source::as_of(as_of.as_deref())?).await,
            Some(Action::Fetch { to }) => {
                let usual = source::state(&args.whereto.source).join("published").join(&desk.target.name);
                desk.fetch(to.as_deref().unwrap_or(&usual)).await
            }
            None if args.verify => desk.verify().await,
            None if args.purge => desk.purge(&args).await,
            None if args.repair => desk.write(&args, |desk, args, state| Box::pin(desk.repair(args, state))).await,
            None => match args.rollback {
                Some(id) => desk.write(&args, move |desk, _, state| Box::pin(desk.roll_back(id, state))).await,
                None => desk.publish(&args).await,
            },
        }
    })
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = Result<Wanted, CommandError>> + 'a>>;

impl Desk {
    fn open(whereto: &Whereto) -> Result<Self, CommandError> {
        let mut problems = Problems::new();
        let config = config::read(&whereto.source, &mut problems);
        let Some(config) = config.filter(|_| !problems.has_errors()) else {
            source::tell(&problems)?;
            return Err(CommandError::Content);
        };
        let target = pick(&config.targets, whereto.target.as_deref())?;
        let target = match (&whereto.prefix, &target.previews) {
            (None, _) => target.clone(),
            (Some(preview), Some(_)) if is_preview(preview) => target.preview(preview),
            (Some(preview), Some(_)) => {
                let message = format!("--prefix: `{preview}` is no part of a host's name: a–z, 0–9 and hyphens, such as pr-42");
                return Err(CommandError::Usage(message));
            }
            (Some(_), None) => {
                let message =
                    format!("the target `{}` holds the shop, not previews; `preview_url` in site.toml makes one", target.name);
                return Err(CommandError::Usage(message));
            }
        };
        let state = source::state(&whereto.source);
        let host = Host::open(&target)?;
        let (key, known) = (keys::signing_key(&state)?, keys::known_keys(&state)?);
        let preview = whereto.prefix.clone();
        Ok(Self { config, target, preview, host, key, known, now: jiff::Timestamp::now(), json: whereto.json })
    }

    async fn publish(&mut self, args: &Args) -> Result<(), CommandError> {
        let wanted = self.built(args)?;
        if args.dry_run {
            let state = self.state().await?;
            let plan = state.plan(&self.target, &wanted.wish(self));
            let stops = self.stops(&state, &plan, &wanted, args).await;
            let beside = self.beside(&wanted).await;
            self.tell_plan(&state, &plan, &stops, &wanted, beside.as_ref()).await?;
            return refuse(&stops);
        }
        let caller = self.caller()?;
        let lease = self.lease(args).await?;
        self.set_clock(&lease);
        let result = async {
            let state = self.state().await?;
            let plan = state.plan(&self.target, &wanted.wish(self));
            refuse(&self.stops(&state, &plan, &wanted, args).await)?;
            self.carry_out(&lease, caller.as_ref(), &state, &wanted, &plan).await
        }
        .await;
        let released = lease.release(&self.host).await;
        result?;
        Ok(released?)
    }

    // A change that no build asks for: what it wants is found while nobody else writes.
    async fn write<'a>(
        &'a mut self,
        args: &'a Args,
        work: impl for<'b> FnOnce(&'b Self, &'b Args, &'b mut State) -> Work<'b>,
    ) -> Result<(), CommandError> {
        let caller = if args.dry_run { None } else { self.caller()? };
        let lease = self.lease(args).await?;
        self.set_clock(&lease);
        let result = async {
            let mut state = self.state().await?;
            let wanted = work(self, args, &mut state).await?;
            let plan = state.plan(&self.target, &wanted.wish(self));
            if args.dry_run {
                return self.tell_plan(&state, &plan, &[], &wanted, None).await;
            }
            self.carry_out(&lease, caller.as_ref(), &state, &wanted, &plan).await
        }
        .await;
        let released = lease.release(&self.host).await;
        result?;
        Ok(released?)
    }

    async fn lease(&self, args: &Args) -> Result<Lease, CommandError> {
        let mut name = [0; 8];
        getrandom::fill(&mut name).map_err(|error| CommandError::World(format!("the system gives no randomness: {error}")))?;
        let holder = format!("job-{:016x}", u64::from_le_bytes(name));
        let life = Duration::from_secs(self.target.lease_seconds);
        Ok(Lease::take(&self.host, &holder, life, Duration::from_secs(args.wait)).await?)
    }

    // What is kept, and for how long, is reckoned by the target's clock: a machine whose own is wrong would remove what caches still name.
    fn set_clock(&mut self, lease: &Lease) {
        let Some(theirs) = lease.taken_at.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) else { return };
        let ahead = self.now.as_second() - theirs.as_second();
        if ahead.abs() > CLOCK_TOLD {
            let (seconds, way) = (ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
            eprintln!("warning: this machine's clock is {seconds} s {way} the target's, which counts; set it");
        }
        self.now = theirs;
    }

    async fn state(&self) -> Result<State, CommandError> {
        Ok(State::read(&self.host, &self.config.shop.id, &self.known).await?)
    }

    // Whoever tells the caches of this target, if they are to be told. Asked for before anything is put.
    fn caller(&self) -> Result<Option<Caller>, CommandError> {
        let caller = self.target.purge.as_ref().map(|cdn| Caller::new(cdn, &self.target.name));
        caller.transpose().map_err(CommandError::Usage)
    }

    async fn carry_out(
        &self,
        lease: &Lease,
        caller: Option<&Caller>,
        state: &State,
        wanted: &Wanted,
        plan: &Plan,
    ) -> Result<(), CommandError> {
        let bar = Bar::new();
        let progress = |phase: &'static str, done: usize, total: usize| bar.tell(phase, done, total);
        let job = Job { host: &self.host, target: &self.target, lease, key: &self.key, progress: &progress };
        let outcome = carry_out(job, state, &wanted.wish(self), plan).await;
        let settled = match (&outcome, caller) {
            (Ok(outcome), Some(caller)) => {
                let id = outcome.id.or(state.record.as_ref().map(|record| record.id)).unwrap_or_default();
                Some(settle(caller, (&self.host, lease), (&self.config.shop.id, id), &progress).await)
            }
            _ => None,
        };
        bar.end();
        let outcome = outcome?;
        // What was published is told though the list of what caches hold cannot be read or written.
        let (settled, failed) = settled.transpose().map_or_else(|error| (None, Some(error)), |settled| (settled, None));
        let beside = self.beside(wanted).await;
        self.tell_outcome(&outcome, settled.as_ref(), beside.as_ref());
        match failed {
            Some(error) => Err(error.into()),
            None => settled.map_or(Ok(()), |settled| self.tell_owed(&settled)),
        }
    }

    // What caches were not told of yet.
    async fn purge(&self, args: &Args) -> Result<(), CommandError> {
        let Some(cdn) = &self.target.purge else {
            let message = format!("the target `{}` names no `purge` in site.toml: no caches are told", self.target.name);
            return Err(CommandError::Usage(message));
        };
        let shop = &self.config.shop.id;
        if args.dry_run {
            self.tell_purge(&owed(&self.host, shop).await?);
            return Ok(());
        }
        let caller = Caller::new(cdn, &self.target.name).map_err(CommandError::Usage)?;
        let lease = self.lease(args).await?;
        let bar = Bar::new();
        let progress = |phase: &'static str, done: usize, total: usize| bar.tell(phase, done, total);
        let settled = async {
            let id = self.state().await?.record.map_or(0, |record| record.id);
            Ok::<_, CommandError>(settle(&caller, (&self.host, &lease), (shop, id), &progress).await?)
        }
        .await;
        bar.end();
        let released = lease.release(&self.host).await;
        let settled = settled?;
        self.tell_settled(&settled);
        self.tell_owed(&settled)?;
        Ok(released?)
    }
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
