//! `vitrine serve`: a whole shop on one port of this machine, built anew whenever something changes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::build::{self, Outcome};
use super::edge::{Stops, bind};
use super::shelf::Shelf;
use super::till::{self, Places};
use super::{CommandError, keys, source};
use crate::edge::app::{App, Clock, Settings};
use crate::edge::bundle_file::BundleFile;
use crate::edge::key_ring::KeyRing;
use crate::edge::router::PATHS;
use crate::edge::{operator, server};
use crate::site::problem::Problems;
use crate::site::serve::{Pages, Watcher};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// Port on this machine; 0 takes a free one
    #[arg(long, short, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Show drafts too
    #[arg(long)]
    drafts: bool,
}

/// From the shop's port to the operators': 8080 and 9080.
const OPERATORS_STEP: u16 = 1_000;

/// A laptop that slept has another clock than its timers: it is looked at this often.
const CLOCK_LOOK: std::time::Duration = std::time::Duration::from_secs(30);

/// The shop that is being worked on.
struct Workshop {
    build: build::Args,
    state: PathBuf,
    tokens: KeyRing,
    file: BundleFile,
    pages: Pages,
    /// The edge; there is none until a first build was good.
    app: OnceLock<Arc<App>>,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    super::log::start_quietly()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| CommandError::World(format!("no threads: {error}")))?;
    runtime.block_on(serve(args))
}

async fn serve(args: Args) -> Result<(), CommandError> {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], args.port)), "--port").await?;
    let address = listener.local_addr().map_err(|error| CommandError::World(error.to_string()))?;
    let url = format!("http://{address}");
    let workshop = Arc::new(Workshop::new(&args, &url)?);
    let operators = operators_listener(&args).await?;
    let desk = operators.local_addr().map_err(|error| CommandError::World(error.to_string()))?;
    let works = tokio::spawn(workshop.clone().work(url, format!("http://{desk}/desk")));
    let operated = workshop.clone();
    let operate = move |request| {
        let workshop = operated.clone();
        async move { workshop.operate(request).await }
    };
    tokio::spawn(server::serve(operators, Settings::default(), operate, std::future::pending()));
    let answering = workshop.clone();
    let answer = move |request| {
        let workshop = answering.clone();
        async move { workshop.respond(request).await }
    };
    let mut stops = Stops::heard()?;
    // Pages hold a request open to hear of news: nobody waits for those.
    let settings = Settings { drain_timeout: std::time::Duration::ZERO, ..Settings::default() };
    tokio::select! {
        () = server::serve(listener, settings, answer, stops.next()) => Ok(()),
        ended = works => ended.map_err(|error| CommandError::World(error.to_string()))?,
    }
}

/// The operators' listener, on this machine alone: at the shop's port and OPERATORS_STEP more, or at any that is free.
async fn operators_listener(args: &Args) -> Result<TcpListener, CommandError> {
    let wanted = if args.port == 0 { 0 } else { args.port.checked_add(OPERATORS_STEP).unwrap_or(0) };
    match TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], wanted))).await {
        Ok(listener) => Ok(listener),
        Err(_) => bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--port").await,
    }
}

impl Workshop {
    fn new(args: &Args, url: &str) -> Result<Self, CommandError> {
        let state = source::state(&args.source);
        // Pages that name this machine as their origin are kept apart from those that are published.
        let preview = state.join("preview");
        let edge_keys = keys::edge_keys(&state)?;
        let bundle = preview.join("shop.bundle");
        Ok(Self {
            build: build::Args {
                source: args.source.clone(),
                out: Some(preview.join("public")),
                bundle: Some(bundle.clone()),
                base_url: Some(url.to_owned()),
                noindex: false,
                precompress: false,
                drafts: args.drafts,
                as_of: None,
                stock: None,
                price_history: None,
                no_cache: false,
                costs: false,
                threads: None,
                report: None,
                busy: build::patient(),
            },
            file: BundleFile {
                path: bundle,
                state: state.clone(),
                keys: edge_keys.bundle,
                development_keys: edge_keys.development,
                shop: None,
            },
            pages: Pages::new(preview.join("public")),
            state,
            tokens: edge_keys.tokens,
            app: OnceLock::new(),
        })
    }

    /// Builds, and again with each change and when one is due; returns only when the world fails.
    async fn work(self: Arc<Self>, url: String, desk: String) -> Result<(), CommandError> {
        let mut was_wrong = false;
        let start = |watched: &[(PathBuf, bool)]| {
            let paths: Vec<PathBuf> = watched.iter().map(|(path, _)| path.clone()).collect();
            Watcher::start(&paths).map_err(|error| CommandError::World(error.to_string()))
        };
        let mut watched = self.watched();
        let mut watcher = start(&watched)?;
        for round in 0_u64.. {
            // Before reading, so that no change falls between.
            let wanted = self.watched();
            if wanted != watched {
                watcher = start(&wanted)?;
                watched = wanted;
            }
            let workshop = self.clone();
            let built = tokio::task::spawn_blocking(move || build::build(&workshop.build)).await;
            let outcome = built.map_err(|error| CommandError::World(format!("the build broke off: {error}")))?;
            let due = outcome.as_ref().ok().and_then(|outcome| outcome.built.as_ref()?.next_change_at.clone());
            let (text, is_news) = match &outcome {
                Ok(outcome) => self.take(outcome, round == 0).await?,
                // A full disk may have room again at the next change.
                Err(error) => (Some(format!("error: {error}\n")), true),
            };
            eprint!("{}", text.as_deref().unwrap_or(""));
            if is_news || was_wrong {
                self.pages.tell(text.clone());
            }
            if round == 0 {
                let shop = if text.is_some() { "waits for its problems to be solved" } else { "is open" };
                eprintln!("  the shop {shop}: {url}");
                eprintln!("  orders and stock: {desk}{}", self.how_to_sign_in().await);
            }
            was_wrong = text.is_some();
            // Ten thousand products are taken apart while the browser loads already.
            drop(outcome);
            tokio::select! {
                () = watcher.changed() => {}
                () = come(due.and_then(|due| due.parse().ok())) => {}
            }
        }
        Ok(())
    }

    /// Takes a build's outcome into service. Gives what is wrong with it, as the terminal shows it, and whether pages changed.
    async fn take(&self, outcome: &Outcome, is_first: bool) -> Result<(Option<String>, bool), CommandError> {
        let Some(built) = &outcome.built else { return Ok((Some(outcome.problems.render(false)), true)) };
        eprint!("{}", outcome.problems.render(source::colors()));
        let changes = &built.changes;
        let is_news = changes.written > 0 || changes.removed > 0 || built.bundle_written;
        if is_first {
            eprint!("{}", outcome.summary(built));
        } else if is_news {
            eprintln!("  {} written, {} removed in {:.2} s", changes.written, changes.removed, outcome.seconds());
        }
        match self.app.get() {
            // What was refused is refused again, and told again.
            Some(app) if !built.bundle_written && app.refused.load().is_none() => {}
            Some(app) => {
                if let Err(error) = self.file.refresh(app) {
                    return Ok((Some(format!("error: {error}\n")), true));
                }
            }
            None => match self.open().await {
                Ok(app) => drop(self.app.set(app)),
                Err(CommandError::World(text)) if !is_first => return Ok((Some(format!("error: {text}\n")), true)),
                Err(error) => return Err(error),
            },
        }
        Ok((None, is_news))
    }

    async fn open(&self) -> Result<Arc<App>, CommandError> {
        let live = self.file.load().map_err(|error| CommandError::World(error.to_string()))?;
        let mut app = App::new(live, self.tokens.clone(), Settings::default(), Clock::system());
        till::open(
            &mut app,
            &Places { shelf: Shelf::File(self.state.join("shop.db")), state: self.state.clone(), reserve_bytes: 0 },
        )?;
        let app = Arc::new(app);
        till::start(&app).await?;
        Ok(app)
    }

    /// What the first operator needs to know.
    async fn how_to_sign_in(&self) -> String {
        let Some(till) = self.app.get().and_then(|app| app.till.clone()) else { return String::new() };
        match till.store.has_operators().await {
            Ok(false) => {
                format!("  (make an operator: vitrine operators add NAME --store {})", self.state.join("shop.db").display())
            }
            _ => String::new(),
        }
    }

    /// Answers on the operators' listener, once there is a shop.
    async fn operate(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.app.get() {
            Some(app) => operator::answer_all(app, request).await,
            None => {
                let mut response = Response::new(Full::new(Bytes::from("the shop is not built yet\n")));
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                response
            }
        }
    }

    /// What a build reads: settings, content, templates, static files and bulk files, each with whether it is a folder.
    fn watched(&self) -> Vec<(PathBuf, bool)> {
        // Events carry whole paths.
        let root = std::path::absolute(&self.build.source).unwrap_or_else(|_| self.build.source.clone());
        let root = root.canonicalize().unwrap_or(root);
        let mut watched: Vec<PathBuf> = ["content", "templates", "static"].map(|name| root.join(name)).into();
        watched.extend([crate::config::FILE, crate::site::load::history::FILE].map(|name| root.join(name)));
        if let Some(config) = crate::config::read(&root, &mut Problems::new()) {
            watched.extend(config.sources.into_iter().map(|source| plain(&root, &source.path)));
        }
        watched
            .into_iter()
            .map(|path| {
                let is_folder = path.is_dir();
                (path, is_folder)
            })
            .collect()
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let is_below = |prefix: &&str| path.strip_prefix(*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match self.app.get().filter(|_| PATHS.iter().any(is_below)) {
            Some(app) => server::respond(app, request).await,
            None => self.pages.respond(request.method(), path, request.uri().query()).await,
        }
    }
}

/// Waits until an instant has come; for ever where there is none.
async fn come(instant: Option<jiff::Timestamp>) {
    let Some(instant) = instant else { return std::future::pending().await };
    // What is past is a negative duration.
    while let Ok(wait) = std::time::Duration::try_from(instant.duration_since(jiff::Timestamp::now()))
        && !wait.is_zero()
    {
        tokio::time::sleep(wait.min(CLOCK_LOOK)).await;
    }
}

/// A path as events name it: `../exports/a.csv` without its detour.
fn plain(root: &Path, path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| root.join(path))
}
