//! Till: store, gateway and mail of an edge, as its bundle and environment say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::StatusCode;

use super::CommandError;
use crate::edge::app::App;
use crate::edge::http::{Call, Mount, Reply};
use crate::edge::input::Form;
use crate::edge::live::Live;
use crate::edge::perform::mail::Mailer;
use crate::edge::perform::{Till, rounds};
use crate::gateway::Gateway;
use crate::gateway::sandbox::{self, PageReply, PageRequest, Sandbox};
use crate::store::Store;

/// `smtp://user:password@host:port`: a secret, so from the environment only.
const SMTP_URL: &str = "VITRINE_SMTP_URL";

/// Where a till keeps its files.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Checkouts, orders, stock.
    pub(super) store: PathBuf,
    /// The sandbox's ledger and mails of development lie in here.
    pub(super) state: PathBuf,
}

/// Opens store, gateway and mail for a bundle, and hangs them into the app.
pub(super) fn open(app: &mut App, places: &Places) -> Result<(), CommandError> {
    let live = app.live.load_full();
    places.store.parent().map_or(Ok(()), super::state_folder)?;
    super::state_folder(&places.state)?;
    let store = Store::open_sqlite(&places.store).map_err(|error| {
        let shown = places.store.display();
        CommandError::World(format!("{shown}: {error}; give the file of this shop's orders, a new name, or a backup"))
    })?;
    let (gateway, mounts) = gateway(&live, &places.state)?;
    let mailer = match std::env::var(SMTP_URL) {
        Ok(url) => Mailer::smtp(&url)
            .map_err(|error| CommandError::Usage(format!("{SMTP_URL}: {error}; write smtps://user:password@host:465")))?,
        Err(_) => Mailer::Folder(places.state.join("mail")),
    };
    app.till = Some(Arc::new(Till::new(store, gateway, mailer)));
    app.mounts.extend(mounts);
    Ok(())
}

/// Finishes what a crash has left behind, then goes the rounds in the background.
pub(super) async fn start(app: &Arc<App>) -> Result<(), CommandError> {
    let Some(till) = app.till.clone() else { return Ok(()) };
    let recovered = rounds::recover(app, &till).await;
    recovered.map_err(|error| CommandError::World(format!("what an earlier run left behind cannot be finished: {error}")))?;
    rounds::go(app, &till);
    Ok(())
}

fn gateway(live: &Live, state: &Path) -> Result<(Gateway, Vec<Mount>), CommandError> {
    let terms = &live.bundle.payment;
    if terms.gateway != sandbox::CAPABILITIES.name {
        return Err(CommandError::World(format!("this vitrine knows no gateway `{}`; use the newer program", terms.gateway)));
    }
    let base_url = &live.sites[0].base_url;
    let opened = Sandbox::open(&state.join("sandbox.db"), base_url, terms.allow_sandbox_on_public_host);
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
