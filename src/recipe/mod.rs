//! Recipe: what stands around a shop, written for it: hosts before the edge, jobs that publish, machines that run the edge, what watches it.
//!
//! Owns    the recipes, which are templates under texts/, and what they are filled with. What is JSON is made of values: `cloudfront` and
//!         the dashboard of `watch`.
//! Knows   site.toml and what the last build says to hosts (`_headers`, `_redirects`, manifest); no secret: recipes name where they are.
//! Always  the same shop gives the same text; a value that a host's language cannot hold is an error, never another meaning.

pub mod built;
mod cloudfront;
pub mod limits;
mod quote;
mod watch;

use std::path::{Path, PathBuf};

use serde::Serialize;
use tera::{Context, Tera};

use crate::edge::front::{Network, USUAL_HEADER, WITH_PORT};
use crate::edge::router::{PATHS, largest_body};
use crate::publish::target::{Caching, Place, Target};
use crate::site::UrlStyle;
use crate::telemetry::slo::Objectives;
use crate::theme::bundle::services::{InventoryTerms, PricingTerms};
use crate::theme::bundle::{FrontTerms, PaymentTerms, SubscriberTerms};

use self::built::Built;
use self::watch::Watch;

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Recipe {
    /// nginx: pages from files, cart and checkout from the edge
    Nginx,
    /// Caddy: the same
    Caddy,
    /// Amazon CloudFront before an S3 bucket and the edge, as a CloudFormation template
    Cloudfront,
    /// A Cloudflare Worker that serves the pages as its static assets and leads the rest to the edge
    CloudflareWorker,
    /// Rules of a Cloudflare zone whose pages come from a bucket or server of yours
    CloudflareRules,
    /// Cloudflare Pages, with functions that lead to the edge
    CloudflarePages,
    /// Netlify, with rewrites that lead to the edge
    Netlify,
    /// A plain shell script that builds, checks and publishes
    Shell,
    /// GitHub Actions: the same, and what changes as a comment on a pull request
    Github,
    /// GitLab CI: the same, with comments on a merge request
    Gitlab,
    /// A container of the edge: one static binary, no shell, no root
    Container,
    /// A systemd unit of the edge that can reach little but its own folder
    Systemd,
    /// Kubernetes: the edge with its volume, probes, service and limits
    Kubernetes,
    /// Prometheus: what to ask the edge, and alerts by what site.toml promises
    Prometheus,
    /// A Grafana dashboard of the same
    Grafana,
}

/// A file of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it belongs, below the folder that the recipe is for.
    pub path: String,
    /// What it says.
    pub text: String,
    /// Whether it is a program.
    pub is_program: bool,
}

/// What a recipe is written for.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// `[shop]` of site.toml.
    pub shop: &'a crate::site::Shop,
    /// How pages become files.
    pub url_style: UrlStyle,
    /// What stands before the edge.
    pub front: &'a FrontTerms,
    /// How it is paid: the edge's environment follows from it.
    pub payment: &'a PaymentTerms,
    /// Who tells prices beside the catalogue: the edge's environment has what is shown there.
    pub pricing: Option<&'a PricingTerms>,
    /// Who holds units beside the store's own ledger: the same.
    pub inventory: Option<&'a InventoryTerms>,
    /// The merchant's own systems: their secrets are in the edge's environment.
    pub webhooks: &'a [SubscriberTerms],
    /// Where it is published.
    pub target: Option<&'a Target>,
    /// What the last build says to hosts.
    pub built: &'a Built,
    /// What is read while the edge is down.
    pub down: Down,
    /// What the shop promises itself of its edge.
    pub objectives: &'a Objectives,
    /// What the command line adds.
    pub options: &'a Options,
}

/// What a shopper reads while the edge is down and the shop has no page `/503`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Down {
    /// Language of both.
    pub language: String,
    /// A few words.
    pub title: String,
    /// A sentence.
    pub detail: String,
}

impl Down {
    fn page(&self) -> String {
        let Self { language, title, detail } = self;
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (title, detail) = (escaped(title), escaped(detail));
        format!(
            "<!doctype html><html lang={language}><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <title>{title}</title><h1>{title}</h1><p>{detail}</p>"
        )
    }
}

/// What site.toml does not know.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Options {
    /// `HOST:PORT` of each edge; where none is given, the usual one of this machine.
    pub edges: Vec<String>,
    /// Folder of pages on the host.
    pub folder: Option<String>,
    /// Address on which the host listens, without TLS; `None`: what the base URL says.
    pub listen: Option<String>,
    /// Certificate of TLS.
    pub certificate: Option<String>,
    /// Its key.
    pub certificate_key: Option<String>,
    /// Folder of logs.
    pub log: Option<String>,
    /// So many edges on one database; `None`: one edge with a file.
    pub replicas: Option<u16>,
}

/// Why a recipe cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// There is no build that says what is sent with pages.
    #[error(
        "there is no finished build in {folder}: run `vitrine build` first; this recipe sends what it writes to `_headers` and `_redirects`"
    )]
    NotBuilt {
        /// Where it was looked for.
        folder: String,
    },
    /// A value that the host's language cannot hold.
    #[error("{host} cannot hold `{value}`: {reason}")]
    NotForHost {
        /// Which host.
        host: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A rule of `_headers` that no recipe knows.
    #[error("`_headers` has a rule for `{pattern}` that this recipe does not know")]
    UnknownRule {
        /// For which paths.
        pattern: String,
    },
    /// It publishes, and nobody said where to.
    #[error("this recipe publishes, and site.toml names no target: add one under [[publish]]")]
    NoTarget,
    /// It needs a target of another kind.
    #[error(
        "this recipe is for a bucket at Amazon: add a target with kind = \"s3\" under [[publish]], or name one with --target"
    )]
    NoBucket,
}

/// The usual address of an edge beside its host.
const USUAL_EDGE: &str = "127.0.0.1:8081";
/// That of its operators' listener.
const USUAL_OPERATOR: &str = "127.0.0.1:9081";

impl Recipe {
    /// Whether it says what is sent with pages, and so needs a build.
    pub fn needs_build(self) -> bool {
        matches!(self, Self::Nginx | Self::Caddy | Self::Cloudfront | Self::CloudflareRules)
    }

    /// Whether it is a host that stands before the edge.
    pub fn is_host(self) -> bool {
        self.needs_build() || matches!(self, Self::CloudflareWorker | Self::CloudflarePages | Self::Netlify)
    }

    /// The host whose limits a build has to keep.
    pub fn limited(self) -> Option<limits::Host> {
        match self {
            Self::CloudflarePages | Self::CloudflareWorker => Some(limits::Host::CloudflarePages),
            Self::Cloudfront => Some(limits::Host::Cloudfront),
            Self::Netlify => Some(limits::Host::Netlify),
            _ => None,
        }
    }

    /// Its files.
    ///
    /// Errors: a value that the host cannot hold.
    pub fn write(self, subject: &Subject<'_>) -> Result<Vec<File>, RecipeError> {
        let text = |path: &str, template: &'static str| Ok(File::of(path, print(template, subject, self)?));
        let id = &subject.shop.id;
        Ok(match self {
            Self::Nginx => vec![text(&format!("{id}.conf"), include_str!("texts/nginx.conf"))?],
            Self::Caddy => vec![text("Caddyfile", include_str!("texts/Caddyfile"))?],
            Self::Cloudfront => vec![File::of("cloudfront.json", cloudfront::template(subject)?)],
            Self::CloudflareWorker => vec![
                text("wrangler.jsonc", include_str!("texts/wrangler.jsonc"))?,
                text("worker.js", include_str!("texts/edge.js"))?,
            ],
            Self::CloudflareRules => vec![text("cloudflare-rules.sh", include_str!("texts/cloudflare-rules.sh"))?.program()],
            Self::CloudflarePages => {
                let mut files = vec![text("edge.js", include_str!("texts/edge.js"))?];
                for path in PATHS {
                    files.push(text(&format!("functions{path}/[[path]].js"), include_str!("texts/pages-function.js"))?);
                }
                files
            }
            Self::Netlify => vec![
                text("netlify.toml", include_str!("texts/netlify.toml"))?,
                text("netlify/edge-functions/edge.js", include_str!("texts/edge.js"))?,
            ],
            Self::Shell => vec![text("publish.sh", include_str!("texts/publish.sh"))?.program()],
            Self::Github => vec![text(".github/workflows/shop.yml", include_str!("texts/github.yml"))?],
            Self::Gitlab => vec![text(".gitlab-ci.yml", include_str!("texts/gitlab.yml"))?],
            Self::Container => vec![
                text("Containerfile", include_str!("texts/Containerfile"))?,
                text(".containerignore", include_str!("texts/containerignore"))?,
            ],
            Self::Systemd => vec![text("vitrine-edge.service", include_str!("texts/vitrine-edge.service"))?],
            Self::Kubernetes => vec![text("edge.yaml", include_str!("texts/kubernetes.yaml"))?],
            Self::Prometheus => vec![
                text("prometheus.yml", include_str!("texts/prometheus.yml"))?,
                text(&format!("{id}.rules.yml"), include_str!("texts/prometheus-rules.yml"))?,
            ],
            Self::Grafana => vec![File::of("grafana.json", watch::dashboard(subject))],
        })
    }
}

impl File {
    fn of(path: &str, text: String) -> Self {
        Self { path: path.to_owned(), text, is_program: false }
    }

    fn program(self) -> Self {
        Self { is_program: true, ..self }
    }
}

fn print(template: &'static str, subject: &Subject<'_>, recipe: Recipe) -> Result<String, RecipeError> {
    let mut tera = Tera::new();
    // Files of hosts are no pages: each value is quoted for its host before it comes here.
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_template("recipe", template).expect("its own templates are sound; a test prints each");
    let context = Context::from_serialize(&facts(subject, recipe)?).expect("facts are plain data");
    Ok(tera.render("recipe", &context).expect("its own templates ask for what there is; a test prints each"))
}

/// What templates see.
#[derive(Serialize)]
struct Facts<'a> {
    id: &'a str,
    /// The id as a part of a variable's name.
    word: String,
    name: &'a str,
    base_url: &'a str,
    host: String,
    is_https: bool,
    port: u16,
    /// Paths that the edge answers, each with all below it.
    edge_paths: &'static [&'static str],
    /// Those with pages, for a regular expression: `cart|checkout|…`.
    page_words: String,
    edges: Vec<&'a str>,
    /// The same for what watches them.
    operators: Vec<&'a str>,
    watch: Watch,
    options: &'a Options,
    folder: String,
    log: String,
    caching: Caching,
    /// Sent with every page, quoted for the host.
    headers: Vec<(String, String)>,
    /// Old address and where it leads, quoted for the host.
    redirects: Vec<(String, String)>,
    types: Vec<(String, &'static str)>,
    charset_types: Vec<&'static str>,
    text_types: Vec<&'static str>,
    has_down_page: bool,
    /// The page that is shown then, quoted for the host.
    down_page: String,
    certificate: String,
    certificate_key: String,
    is_folder_style: bool,
    body_bytes: usize,
    proxies: Vec<&'a str>,
    /// Those that are no machines of one's own.
    outer_proxies: Vec<&'a str>,
    address_header: &'a str,
    /// The header as a part of a variable's name.
    address_variable: String,
    is_list: bool,
    has_port: bool,
    secret_header: Option<&'a str>,
    secret_header_text: String,
    address_header_text: String,
    /// Whether the header is one that Cloudflare writes anew when a function asks an edge.
    is_rewritten_by_cloudflare: bool,
    recipe: String,
    /// `edge_paths` as patterns of functions, a list of JSON.
    edge_patterns: String,
    /// Origin of the edge, a string of JSON.
    edge_origin: String,
    /// Of Cloudflare's rules language, strings of JSON: requests for the edge, those of them that nobody may keep, and all others.
    edge_expression: String,
    private_expression: String,
    page_expression: String,
    target: TargetFacts,
    /// Where the edge finds the shop.
    bundle: String,
    /// Variables that an edge needs, each with what it is.
    secrets: Vec<(String, &'static str)>,
    version: &'static str,
}

#[derive(Default, Serialize)]
struct TargetFacts {
    name: String,
    /// Where edges find the pointer.
    pointer: String,
    /// Variables of its credentials.
    credentials: Vec<&'static str>,
}

fn facts<'a>(subject: &'a Subject<'_>, recipe: Recipe) -> Result<Facts<'a>, RecipeError> {
    let Subject { shop, front, built, options, .. } = subject;
    let uri: http::Uri = shop.base_url.parse().expect("config takes origins alone");
    let is_https = uri.scheme_str() == Some("https");
    let address_header = front.client_address_header.as_deref().unwrap_or(USUAL_HEADER);
    let proxies: Vec<&str> = front.trusted_proxies.iter().flatten().map(String::as_str).collect();
    let host = uri.host().unwrap_or_default().to_owned();
    let tls =
        |given: &Option<String>, name: &str| given.clone().unwrap_or_else(|| format!("/etc/letsencrypt/live/{host}/{name}"));
    if subject.target.is_none() && matches!(recipe, Recipe::Shell | Recipe::Github | Recipe::Gitlab) {
        return Err(RecipeError::NoTarget);
    }
    let target = subject.target.map(TargetFacts::of).unwrap_or_default();
    let edge_origin = match options.edges.first() {
        Some(edge) if edge.contains("://") => edge.clone(),
        Some(edge) => format!("https://{edge}"),
        None => format!("https://edge.{host}"),
    };
    let is_below =
        |path: &&str| format!("http.request.uri.path eq \"{path}\" or starts_with(http.request.uri.path, \"{path}/\")");
    let edge_expression = PATHS.iter().map(is_below).collect::<Vec<_>>().join(" or ");
    let for_host = quote::Host::of(recipe);
    let quoted = |pairs: &[(String, String)]| -> Result<Vec<(String, String)>, RecipeError> {
        pairs.iter().map(|(name, value)| Ok((name.clone(), for_host.text(value)?))).collect()
    };
    let caching = subject.target.map_or_else(Caching::default, |target| target.caching.clone());
    let caching = Caching {
        immutable: for_host.text(&caching.immutable)?,
        page: for_host.text(&caching.page)?,
        feed: for_host.text(&caching.feed)?,
    };
    let edges: Vec<&str> = options.edges.iter().map(String::as_str).collect();
    let usual_folder = match subject.target.map(|target| &target.place) {
        Some(Place::Folder { parent, name }) => whole(parent).join(name).display().to_string(),
        _ => format!("/var/www/{}", shop.id),
    };
    Ok(Facts {
        id: &shop.id,
        word: shop.id.replace('-', "_"),
        name: &shop.name,
        base_url: &shop.base_url,
        host: host.clone(),
        is_https,
        port: uri.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
        edge_paths: &PATHS,
        page_words: PATHS
            .iter()
            .filter_map(|path| path.strip_prefix('/').filter(|word| *word != "api"))
            .collect::<Vec<_>>()
            .join("|"),
        operators: if edges.is_empty() { vec![USUAL_OPERATOR] } else { edges.clone() },
        watch: Watch::of(subject),
        edges: if edges.is_empty() { vec![USUAL_EDGE] } else { edges },
        options,
        folder: for_host.text(options.folder.as_deref().unwrap_or(&usual_folder))?,
        log: options.log.clone().unwrap_or_else(|| "/var/log/nginx".to_owned()),
        caching,
        headers: quoted(&built.headers()?)?,
        redirects: built.redirects.iter().map(|(from, to)| for_host.redirect(from, to)).collect::<Result<_, _>>()?,
        types: crate::site::media::types().map(|(endings, name)| (endings.join(" "), plain_type(name))).collect(),
        charset_types: crate::site::media::types()
            .filter(|(_, name)| name.contains(';'))
            .map(|(_, name)| plain_type(name))
            .collect(),
        text_types: crate::site::media::types().map(|(_, name)| plain_type(name)).filter(|name| is_text(name)).collect(),
        has_down_page: built.has_down_page,
        down_page: for_host.text(&subject.down.page())?,
        certificate: tls(&options.certificate, "fullchain.pem"),
        certificate_key: tls(&options.certificate_key, "privkey.pem"),
        is_folder_style: subject.url_style == UrlStyle::Folder,
        body_bytes: largest_body(),
        proxies: proxies.clone(),
        outer_proxies: proxies
            .into_iter()
            .filter(|text| text.parse::<Network>().is_ok_and(|network| !network.is_own()))
            .collect(),
        address_header,
        address_variable: address_header.to_ascii_lowercase().replace('-', "_"),
        is_list: address_header.eq_ignore_ascii_case(USUAL_HEADER),
        has_port: address_header.eq_ignore_ascii_case(WITH_PORT),
        secret_header: front.origin_secret_header.as_deref(),
        secret_header_text: json(front.origin_secret_header.as_deref().unwrap_or_default()),
        address_header_text: json(address_header),
        is_rewritten_by_cloudflare: recipe != Recipe::Netlify
            && ["cf-connecting-ip", "x-forwarded-for"].iter().any(|name| address_header.eq_ignore_ascii_case(name)),
        recipe: clap::ValueEnum::to_possible_value(&recipe).expect("each has a name").get_name().to_owned(),
        edge_patterns: json(&PATHS.iter().flat_map(|path| [(*path).to_owned(), format!("{path}/*")]).collect::<Vec<_>>()),
        edge_origin: json(&edge_origin),
        edge_expression: json(&edge_expression),
        private_expression: json(&format!(
            "({edge_expression}) and not starts_with(http.request.uri.path, \"/api/v1/availability/\")"
        )),
        page_expression: json(&format!("not ({edge_expression})")),
        bundle: if target.pointer.is_empty() { "/var/lib/vitrine/shop.bundle".to_owned() } else { target.pointer.clone() },
        target,
        secrets: secrets(subject),
        version: env!("CARGO_PKG_VERSION"),
    })
}

// A folder from the root, without detours where it is there already.
fn whole(folder: &Path) -> PathBuf {
    folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned())
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts are JSON")
}

fn plain_type(name: &'static str) -> &'static str {
    name.split(';').next().unwrap_or(name)
}

// What shrinks when it is packed.
fn is_text(name: &str) -> bool {
    name.starts_with("text/") || name.ends_with("json") || name.ends_with("xml")
}

impl TargetFacts {
    fn of(target: &Target) -> Self {
        let within = |scheme: &str, bucket: &str| {
            let parts = [bucket, &target.private, &target.prefix].into_iter().filter(|part| !part.is_empty());
            format!("{scheme}://{}", parts.collect::<Vec<_>>().join("/"))
        };
        let (pointer, credentials) = match &target.place {
            Place::S3 { bucket, .. } => (within("s3", bucket), vec!["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]),
            Place::Gcs { bucket, .. } => (within("gs", bucket), vec!["GOOGLE_SERVICE_ACCOUNT_KEY"]),
            Place::Azure { container, .. } => {
                (within("az", container), vec!["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"])
            }
            Place::Folder { parent, .. } => {
                let folder = whole(parent).display().to_string();
                (within("file", &format!("/{}", folder.trim_matches('/'))), Vec::new())
            }
        };
        Self { name: target.name.clone(), pointer, credentials }
    }
}

// Of the edge's environment, what it does not start without, and mail.
fn secrets(subject: &Subject<'_>) -> Vec<(String, &'static str)> {
    let mut secrets = vec![
        ("VITRINE_BUNDLE_PUBLIC_KEYS".to_owned(), "second line of `vitrine keygen`"),
        ("VITRINE_TOKEN_KEYS".to_owned(), "third line of `vitrine keygen`"),
        ("VITRINE_SMTP_URL".to_owned(), "smtps://user:password@host"),
    ];
    if subject.options.replicas.is_some() {
        secrets.push(("VITRINE_DATABASE_URL".to_owned(), "postgresql://user:password@host/database?sslmode=require"));
    }
    if subject.front.origin_secret_header.is_some() {
        secrets.push(("VITRINE_ORIGIN_SECRETS".to_owned(), "last line of `vitrine keygen`; the host has it too"));
    }
    if subject.payment.gateway == "stripe" {
        secrets.push(("VITRINE_STRIPE_SECRET_KEY".to_owned(), "of Stripe's dashboard"));
        if subject.payment.element {
            secrets.push(("VITRINE_STRIPE_PUBLISHABLE_KEY".to_owned(), "of Stripe's dashboard"));
        }
        secrets.push(("VITRINE_STRIPE_WEBHOOK_SECRETS".to_owned(), "of the webhook's page at Stripe"));
    }
    if subject.pricing.is_some() {
        secrets.push(("VITRINE_PRICING_TOKEN".to_owned(), "of the pricing service"));
    }
    if subject.inventory.is_some() {
        secrets.push(("VITRINE_INVENTORY_TOKEN".to_owned(), "of the inventory service"));
    }
    for webhook in subject.webhooks {
        let name = webhook.name.to_ascii_uppercase().replace('-', "_");
        secrets.push((format!("VITRINE_WEBHOOK_SECRET_{name}"), "of `vitrine webhooks secret`"));
    }
    secrets
}

#[cfg(test)]
mod tests;
