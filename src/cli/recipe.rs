//! `vitrine recipe`: what stands around a shop, written for it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{CommandError, source};
use crate::config::Config;
use crate::edge::front::Network;
use crate::publish::target::Target;
use crate::recipe::built::Built;
use crate::recipe::{Down, File, Options, Recipe, RecipeError, Subject};
use crate::site::load;
use crate::site::problem::Problems;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which one
    #[arg(value_name = "RECIPE")]
    recipe: Recipe,
    /// The shop's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// The build whose headers and old addresses stand in it [default: public/ in the shop's folder]
    #[arg(long, value_name = "DIR")]
    built: Option<PathBuf>,
    /// Origin of the shop instead of the one in site.toml
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Name of a target of site.toml [default: the only one]
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Write its files below a folder instead of to stdout
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write over files that are there
    #[arg(long, requires = "out")]
    force: bool,
    /// Where an edge is, as the host reaches it; may be given several times; Prometheus: its operators' listener [default:
    /// 127.0.0.1:8081; of functions, edge.HOST; Prometheus: 127.0.0.1:9081]
    #[arg(long, value_name = "HOST:PORT")]
    edge: Vec<String>,
    /// nginx, Caddy: folder of the pages on the host [default: that of a target that is a folder, else /var/www/SHOP]
    #[arg(long, value_name = "DIR")]
    folder: Option<String>,
    /// nginx, Caddy: listen here without TLS, which something before it does [default: what the base URL says]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// nginx: certificate [default: Let's Encrypt's place]
    #[arg(long, value_name = "FILE")]
    certificate: Option<String>,
    /// nginx: its key
    #[arg(long, value_name = "FILE")]
    certificate_key: Option<String>,
    /// nginx: folder of logs [default: /var/log/nginx]
    #[arg(long, value_name = "DIR")]
    log: Option<String>,
    /// Kubernetes: so many edges that keep orders in one PostgreSQL database [default: one edge with a file]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    replicas: Option<u16>,
}

pub(super) fn run(args: Args) -> Result<(), CommandError> {
    let mut problems = Problems::new();
    let config = source::settings(&args.source, args.base_url.as_deref(), &mut problems);
    let Some(config) = config.filter(|_| !problems.has_errors()) else { return source::tell(&problems) };
    let options = Options {
        edges: args.edge.clone(),
        folder: args.folder.clone(),
        listen: args.listen.clone(),
        certificate: args.certificate.clone(),
        certificate_key: args.certificate_key.clone(),
        log: args.log.clone(),
        replicas: args.replicas,
    };
    for (flag, value) in [("--edge", &args.edge), ("--listen", &args.listen.iter().cloned().collect())] {
        if let Some(odd) = value.iter().find(|text| text.is_empty() || text.contains(|sign: char| !is_of_address(sign))) {
            return Err(CommandError::Usage(format!("{flag}: `{odd}` is not an address; write one such as 127.0.0.1:8081")));
        }
    }
    if args.replicas.is_some() && args.recipe != Recipe::Kubernetes {
        return Err(CommandError::Usage("--replicas is for the recipe `kubernetes` alone".to_owned()));
    }
    let built = built(&args)?;
    let subject = Subject {
        shop: &config.shop,
        url_style: config.build.url_style,
        front: &config.front,
        payment: &config.payment,
        pricing: config.pricing.as_ref(),
        inventory: config.inventory.as_ref(),
        webhooks: &config.webhooks,
        target: target(&config, args.target.as_deref())?,
        built: &built,
        down: down(&args, &config),
        objectives: &config.objectives,
        options: &options,
    };
    let files = args.recipe.write(&subject).map_err(|error| CommandError::Usage(error.to_string()))?;
    eprint!("{}", problems.render(source::colors()));
    for note in notes(&args, &config, &built) {
        eprintln!("note: {note}");
    }
    match &args.out {
        Some(folder) => write(folder, &files, args.force),
        None => {
            print(&files);
            Ok(())
        }
    }
}

fn is_of_address(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || ".:-_[]/".contains(sign)
}

fn built(args: &Args) -> Result<Built, CommandError> {
    let folder = args.built.clone().unwrap_or_else(|| args.source.join("public"));
    let shown = folder.display().to_string();
    let found = Built::read(&folder).map_err(|error| CommandError::World(format!("{shown}: {error}")))?;
    match found {
        None if args.recipe.needs_build() => Err(CommandError::Usage(RecipeError::NotBuilt { folder: shown }.to_string())),
        found => Ok(found.unwrap_or_default()),
    }
}

// The target that was named, or the only one; several without a name are none.
fn target<'a>(config: &'a Config, name: Option<&str>) -> Result<Option<&'a Target>, CommandError> {
    let names: Vec<&str> = config.targets.iter().map(|target| target.name.as_str()).collect();
    match name {
        None => match config.targets.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            _ => Err(CommandError::Usage(format!("site.toml names several targets: say --target {}", names.join(" or ")))),
        },
        Some(name) => match config.targets.iter().find(|target| target.name == name) {
            None if names.is_empty() => {
                Err(CommandError::Usage("site.toml names no target: add one under [[publish]]".to_owned()))
            }
            None => Err(CommandError::Usage(format!("there is no target `{name}`; there are {}", names.join(", ")))),
            found => Ok(found),
        },
    }
}

// In the first market's language, in the shop's own words where it has some.
fn down(args: &Args, config: &Config) -> Down {
    let language = config.rules.markets.first().map_or("en", |market| market.language.as_str());
    let texts = load::texts::read(&args.source, &config.rules, &[], &mut Problems::new()).texts(language);
    Down {
        title: texts.plain("problem.unavailable").to_owned(),
        detail: texts.plain("says.back_soon").to_owned(),
        language: language.to_owned(),
    }
}

/// What the recipe cannot do by itself.
fn notes(args: &Args, config: &Config, built: &Built) -> Vec<String> {
    let mut notes = Vec::new();
    if args.replicas.is_some() && config.keeper.is_none() {
        notes.push(
            "an edge that was not told of the database would start with a file of its own: write engine = \"postgres\" under [store] in site.toml"
                .to_owned(),
        );
    }
    if args.recipe.is_host() {
        let is_beside = matches!(args.recipe, Recipe::Nginx | Recipe::Caddy);
        let trusts_loopback = |text: &String| text.parse::<Network>().is_ok_and(|network| network.holds([127, 0, 0, 1].into()));
        let proxies = config.front.trusted_proxies.as_deref().unwrap_or_default();
        if is_beside && args.edge.is_empty() && !proxies.iter().any(trusts_loopback) {
            notes.push(
                "the edge does not believe this host who asks: write trusted_proxies = [\"127.0.0.1\"] under [edge] in site.toml"
                    .to_owned(),
            );
        }
        if !is_beside && proxies.is_empty() {
            notes.push(
                "the edge does not believe this host who asks: write its networks as trusted_proxies under [edge] in site.toml"
                    .to_owned(),
            );
        }
        if config.front.origin_secret_header.is_none() && !is_beside {
            notes.push(
                "whoever finds the edge's own address passes this host by: write origin_secret_header = \"X-Origin-Secret\" under [edge]"
                    .to_owned(),
            );
        }
        if !built.has_down_page && args.recipe.needs_build() {
            notes.push(
                "while the edge is down shoppers read one plain sentence: a page content/pages/503.md takes its place".to_owned(),
            );
        }
    }
    let limited = args.recipe.limited().map(|host| host.problems(built)).unwrap_or_default();
    notes.extend(limited.into_iter().map(|problem| format!("{}: {}", problem.file, problem.message)));
    notes
}

fn print(files: &[File]) {
    for (index, file) in files.iter().enumerate() {
        if files.len() > 1 {
            println!("{}==> {} <==", if index > 0 { "\n" } else { "" }, file.path);
        }
        print!("{}", file.text);
    }
}

fn write(folder: &Path, files: &[File], force: bool) -> Result<(), CommandError> {
    if let Some(there) = files.iter().find(|file| !force && folder.join(&file.path).exists()) {
        let path = folder.join(&there.path);
        return Err(CommandError::Usage(format!("{} is there already; --force writes over it", path.display())));
    }
    for file in files {
        let path = folder.join(&file.path);
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, &file.text));
        let mode = if file.is_program { 0o755 } else { 0o644 };
        let written = written.and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)));
        written.map_err(|error| CommandError::World(format!("{}: {error}", path.display())))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}
