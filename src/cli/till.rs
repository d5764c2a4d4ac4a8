//! Till: store, gateway and mail of an edge, as its bundle and environment say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::StatusCode;

use super::shelf::Shelf;
use super::{CommandError, webhooks};
use crate::edge::app::App;
use crate::edge::counted;
use crate::edge::http::{Call, Mount, Reply};
use crate::edge::input::Form;
use crate::edge::live::{Live, is_loopback};
use crate::edge::perform::mail::Mailer;
use crate::edge::perform::services::{Services, Way, Wire};
use crate::edge::perform::subscribers::{PATIENCE, Subscribers};
use crate::edge::perform::{Till, rounds};
use crate::gateway::Gateway;
use crate::gateway::sandbox::{self, PageReply, PageRequest, Sandbox};
use crate::gateway::stripe::{self, Secret, Stripe, StripeError};
use crate::gateway::transport::Transport;
use crate::store::aggregates::Aggregates;

/// `smtp://user:password@host:port`: a secret, so from the environment only.
const SMTP_URL: &str = "VITRINE_SMTP_URL";
/// Stripe's secret or restricted key.
const STRIPE_KEY: &str = "VITRINE_STRIPE_SECRET_KEY";
/// Secrets of Stripe's webhook endpoint, separated by commas: two while one is rolled.
const STRIPE_WEBHOOK_SECRETS: &str = "VITRINE_STRIPE_WEBHOOK_SECRETS";
/// Stripe's publishable key, for its form on the shop's own page.
const STRIPE_PUBLISHABLE_KEY: &str = "VITRINE_STRIPE_PUBLISHABLE_KEY";
/// Where Stripe's API is, for tests: https, or this machine.
const STRIPE_API_BASE: &str = "VITRINE_STRIPE_API_BASE";

/// What is shown to the pricing service.
const PRICING_TOKEN: &str = "VITRINE_PRICING_TOKEN";

/// What is shown to the inventory service.
const INVENTORY_TOKEN: &str = "VITRINE_INVENTORY_TOKEN";

/// Where a till keeps its files.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Checkouts, orders, stock.
    pub(super) shelf: Shelf,
    /// The sandbox's ledger and mails of development lie in here.
    pub(super) state: PathBuf,
    /// What of the store's disk is kept for payments under way.
    pub(super) reserve_bytes: u64,
}

/// Opens store, gateway and mail for a bundle, and hangs them into the app.
pub(super) fn open(app: &mut App, places: &Places) -> Result<(), CommandError> {
    let live = app.live.load_full();
    if let Shelf::File(path) = &places.shelf {
        path.parent().map_or(Ok(()), super::state_folder)?;
    }
    super::state_folder(&places.state)?;
    let store = places.shelf.open().map_err(|error| match &places.shelf {
        Shelf::File(path) => {
            let shown = path.display();
            CommandError::World(format!("{shown}: {error}; give the file of this shop's orders, a new name, or a backup"))
        }
        Shelf::Database { .. } => CommandError::World(error.to_string()),
    })?;
    store.keep_room(places.reserve_bytes);
    // What cannot be counted keeps nobody from buying.
    app.aggregates = Aggregates::beside(&store).unwrap_or_else(|error| {
        let place = beside(&places.shelf);
        eprintln!("warning: {place}: {error}; how the shop does is not written down until it can be opened at a start");
        None
    });
    let (gateway, mounts) = gateway(&live, &places.state)?;
    let mailer = match std::env::var(SMTP_URL) {
        Ok(url) => Mailer::smtp(&url)
            .map_err(|error| CommandError::Usage(format!("{SMTP_URL}: {error}; write smtps://user:password@host:465")))?,
        Err(_) => Mailer::Folder(places.state.join("mail")),
    };
    app.services = services(&live)?;
    let subscribers = Subscribers::new(webhooks::secrets()?, PATIENCE).map_err(CommandError::World)?;
    subscribers.metrics.register(app.metrics.registry());
    let till = Till::new(store, gateway, mailer).at_most(app.settings.payments_per_second).telling(subscribers);
    app.till = Some(Arc::new(till));
    app.mounts.extend(mounts);
    Ok(())
}

/// The ways to the shop's own services.
///
/// Errors: a service on another machine without a token, or one that is no token.
fn services(live: &Live) -> Result<Services, CommandError> {
    let bundle = &live.bundle;
    let pricing = way(bundle.pricing.as_ref().map(|terms| terms.url.as_str()), PRICING_TOKEN)?;
    let inventory = way(bundle.inventory.as_ref().map(|terms| terms.url.as_str()), INVENTORY_TOKEN)?;
    let wrong = |variable: &'static str| move |error| CommandError::Usage(format!("{variable}: {error}"));
    let services = Services::default().with_pricing(pricing).map_err(wrong(PRICING_TOKEN))?;
    services.with_inventory(inventory).map_err(wrong(INVENTORY_TOKEN))
}

/// Where the aggregates beside a store are.
fn beside(shelf: &Shelf) -> String {
    match shelf {
        Shelf::File(path) => Aggregates::file_beside(path).display().to_string(),
        Shelf::Database { .. } => shelf.to_string(),
    }
}

/// The way to a service, of which a later bundle may be the first to name the address.
fn way(url: Option<&str>, variable: &str) -> Result<Way, CommandError> {
    let token = std::env::var(variable).ok();
    if let Some(url) = url.filter(|url| token.is_none() && !is_loopback(url)) {
        return Err(CommandError::Usage(format!(
            "the shop asks the service at {url}: set {variable} to the token that is shown there"
        )));
    }
    Ok(Way { wire: Some(Wire::Http(Transport::new().map_err(CommandError::World)?)), token })
}

/// Finishes what a crash has left behind, then goes the rounds in the background.
pub(super) async fn start(app: &Arc<App>) -> Result<(), CommandError> {
    let Some(till) = app.till.clone() else { return Ok(()) };
    let recovered = rounds::recover(app, &till).await;
    recovered.map_err(|error| CommandError::World(format!("what an earlier run left behind cannot be finished: {error}")))?;
    rounds::go(app, &till);
    counted::go(app);
    Ok(())
}

/// Writes that the edge stops as asked.
pub(super) async fn stop(app: &App) {
    counted::finish(app).await;
    let Some(till) = &app.till else { return };
    if till.is_in_doubt() {
        return;
    }
    if let Err(error) = till.store.beat(true, app.clock.now()).await {
        tracing::warn!(%error, "that the edge stops could not be written; the next start compares once more");
    }
}

fn gateway(live: &Live, state: &Path) -> Result<(Gateway, Vec<Mount>), CommandError> {
    match live.bundle.payment.gateway.as_str() {
        "sandbox" => sandbox(live, state),
        stripe::NAME => Ok((Gateway::Stripe(stripe(live)?), Vec::new())),
        other => Err(CommandError::World(format!("this vitrine knows no gateway `{other}`; use the newer program"))),
    }
}

fn stripe(live: &Live) -> Result<Stripe, CommandError> {
    let terms = &live.bundle.payment;
    let key = std::env::var(STRIPE_KEY)
        .map_err(|_| CommandError::Usage(format!("the shop takes money by Stripe: set {STRIPE_KEY} to its secret key")))?;
    let secrets = std::env::var(STRIPE_WEBHOOK_SECRETS).unwrap_or_default();
    let secrets = secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty());
    let settings = stripe::Settings {
        secret_key: Secret::new(key.trim().to_owned()),
        webhook_secrets: secrets.map(|secret| Secret::new(secret.to_owned())).collect(),
        api_base: std::env::var(STRIPE_API_BASE).unwrap_or_else(|_| stripe::API_BASE.to_owned()),
        methods: terms.methods.clone(),
        account: terms.account.clone(),
        publishable_key: if terms.element { Some(publishable_key()?) } else { None },
    };
    let told = |error: StripeError| match error {
        StripeError::NotASecretKey => CommandError::Usage(format!("{STRIPE_KEY}: {error}")),
        StripeError::NotAWebhookSecret => CommandError::Usage(format!("{STRIPE_WEBHOOK_SECRETS}: {error}")),
        StripeError::NotAPublishableKey | StripeError::OtherMode => {
            CommandError::Usage(format!("{STRIPE_PUBLISHABLE_KEY}: {error}"))
        }
        StripeError::PlainApiBase(_) => CommandError::Usage(format!("{STRIPE_API_BASE}: {error}")),
        StripeError::NoMethods | StripeError::Client(_) => CommandError::World(error.to_string()),
    };
    let stripe = Stripe::new(&settings).map_err(told)?;
    let base_url = &live.sites[0].base_url;
    if !sandbox::is_loopback(base_url) {
        if !stripe.is_live() && !terms.allow_sandbox_on_public_host {
            return Err(CommandError::Usage(format!(
                "{STRIPE_KEY} is a test key, which takes play money, and {base_url} is not a loopback address; set the live key, or \
                 `allow_sandbox_on_public_host = true` under [payment] for a demonstration"
            )));
        }
        if settings.webhook_secrets.is_empty() {
            return Err(CommandError::Usage(format!(
                "set {STRIPE_WEBHOOK_SECRETS} to the secret of the webhook endpoint {base_url}/api/v1/webhooks/stripe, which is made in \
                 Stripe's dashboard"
            )));
        }
    }
    Ok(stripe)
}

fn publishable_key() -> Result<String, CommandError> {
    let told =
        || format!("Stripe's form stands on the shop's page: set {STRIPE_PUBLISHABLE_KEY} to the key that begins with pk_");
    std::env::var(STRIPE_PUBLISHABLE_KEY).map(|key| key.trim().to_owned()).map_err(|_| CommandError::Usage(told()))
}

fn sandbox(live: &Live, state: &Path) -> Result<(Gateway, Vec<Mount>), CommandError> {
    let base_url = &live.sites[0].base_url;
    let opened = Sandbox::open(&state.join("sandbox.db"), base_url, live.bundle.payment.allow_sandbox_on_public_host);
    let sandbox = opened.map_err(|error| CommandError::World(error.to_string()))?;
    let pages = sandbox.clone();
    let handler = move |call: Call| -> std::pin::Pin<Box<dyn Future<Output = Reply> + Send>> {
        let pages = pages.clone();
        Box::pin(async move { sandbox_page(&pages, call).await })
    };
    let mount = Mount { prefix: sandbox::PAGES, handler: Box::new(handler) };
    Ok((Gateway::Sandbox(sandbox), vec![mount]))
}

async fn sandbox_page(pages: &Sandbox, call: Call) -> Reply {
    let text = std::str::from_utf8(&call.body).unwrap_or("");
    let form = Form::parse(text).unwrap_or_default();
    let request = PageRequest { path: call.uri.path(), post: call.method == http::Method::POST, form: form.fields() };
    match pages.respond(request).await {
        Ok(PageReply::Html { status, body }) => Reply::html(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), body),
        Ok(PageReply::Redirect(url)) => Reply::see_other(&url),
        Err(error) => {
            tracing::error!(%error, "the sandbox's ledger failed");
            Reply::html(
                StatusCode::SERVICE_UNAVAILABLE,
                "<!doctype html><title>Sandbox</title><p>Please try again.</p>".to_owned(),
            )
        }
    }
}
