//! Previews: what a change would look like, each under a host of its own; compared, listed and removed.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::report::Bar;
use super::wanted::Wanted;
use super::{Args, CommandError, Desk, pick};
use crate::publish::host::Host;
use crate::publish::job::{State, read_record};
use crate::publish::purge::settle::{owe, settle};
use crate::publish::purge::urls;
use crate::publish::remove;
use crate::site::diff::Diff;

/// Previews that are looked at at a time.
const AT_ONCE: usize = 16;

/// What a preview changes beside the shop.
pub(super) struct Beside {
    /// The target that holds the shop.
    pub(super) target: String,
    /// What changes; an error: why it cannot be told.
    pub(super) diff: Result<Diff, String>,
}

/// One preview, for machines.
#[derive(serde::Serialize)]
struct Listed {
    prefix: String,
    url: String,
    /// Not there where its job has not finished.
    published_at: Option<String>,
    files: usize,
}

impl Desk {
    /// Where the preview is; `None`: it is the shop.
    pub(super) fn preview_url(&self) -> Option<String> {
        Some(self.target.previews.as_ref()?.url_of(self.preview.as_ref()?))
    }

    /// What a preview changes beside what the shop's own target says; `None`: it is compared with nothing.
    pub(super) async fn beside(&self, wanted: &Wanted) -> Option<Beside> {
        let target = self.target.previews.as_ref()?.compare_with.clone()?;
        let build = wanted.build.as_ref()?;
        let compared = async {
            let other = pick(&self.config.targets, Some(&target)).map_err(|error| error.to_string())?;
            let host = Host::open(other).map_err(|error| error.to_string())?;
            let state = State::read(&host, &self.config.shop.id, &self.known).await.map_err(|error| error.to_string())?;
            let record = state.record.as_ref().ok_or_else(|| "nothing was published there yet".to_owned())?;
            self.diff(&host, &state, record, build).await
        };
        Some(Beside { diff: compared.await, target })
    }

    pub(super) async fn list_previews(&self) -> Result<(), CommandError> {
        let Some(previews) = &self.target.previews else {
            return Err(CommandError::Usage(format!("the target `{}` holds the shop, not previews", self.target.name)));
        };
        let shop = &self.config.shop.id;
        let mut names = self.host.private_folders().await?;
        names.sort();
        let read = stream::iter(names).map(|prefix| async move {
            let host = Host::open(&self.target.preview(&prefix))?;
            let record = read_record(&host, shop).await;
            Ok::<_, CommandError>((prefix, record))
        });
        let read: Vec<_> = read.buffered(AT_ONCE).try_collect().await?;
        let mut all = Vec::new();
        for (prefix, record) in read {
            match record {
                Ok(record) => all.push(Listed {
                    url: previews.url_of(&prefix),
                    files: record.as_ref().map_or(0, |record| record.files.len()),
                    published_at: record.map(|record| record.published_at),
                    prefix,
                }),
                Err(error) => eprintln!("warning: {prefix}: {error}"),
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&all).expect("a list is plain data"));
            return Ok(());
        }
        for one in &all {
            let at = one.published_at.as_deref().unwrap_or("not finished");
            println!("{:20}  {at}  {} files  {}", one.prefix, one.files, one.url);
        }
        if all.is_empty() {
            eprintln!("there are no previews on `{}`", self.target.name);
        }
        Ok(())
    }

    /// Removes a preview, its pages first.
    pub(super) async fn remove(&self, args: &Args, dry_run: bool) -> Result<(), CommandError> {
        let Some(preview) = &self.preview else {
            let message = format!("the target `{}` holds the shop: only a preview is ever removed", self.target.name);
            return Err(CommandError::Usage(message));
        };
        // A lease is an object too: none is made where nothing is.
        let nothing = || CommandError::Usage(format!("there is no preview `{preview}` on `{}`", self.target.name));
        if !self.host.has_private().await? {
            return Err(nothing());
        }
        if dry_run {
            let all = remove::public(&self.host, &self.target).await?;
            self.state().await?;
            all.iter().for_each(|listed| println!("{}", listed.name));
            eprintln!("preview {preview} of `{}` would go: {} objects", self.target.name, all.len());
            return Ok(());
        }
        let caller = self.caller()?;
        let lease = self.lease(args).await?;
        let bar = Bar::new();
        let progress = |phase: &'static str, done: usize, total: usize| bar.tell(phase, done, total);
        let removed = async {
            // Another shop's is refused here.
            let state = self.state().await?;
            if state.record.is_none() && state.intents.is_empty() {
                return Err(nothing());
            }
            let all = remove::public(&self.host, &self.target).await?;
            if let (Some(record), Some(_)) = (&state.record, &caller) {
                owe(&self.host, &self.config.shop.id, urls(&record.base_url, record.files.keys())).await?;
            }
            remove::remove_public(&self.host, &lease, &all, &progress).await?;
            if let Some(caller) = &caller {
                let id = state.record.as_ref().map_or(0, |record| record.id);
                let settled = settle(caller, (&self.host, &lease), (&self.config.shop.id, id), &progress).await?;
                self.tell_owed(&settled)?;
            }
            remove::remove_private(&self.host, &lease).await?;
            Ok(all.len())
        }
        .await;
        bar.end();
        let released = lease.release(&self.host).await;
        let removed = removed?;
        released?;
        self.host.delete_folders();
        if self.json {
            println!("{}", serde_json::json!({ "prefix": preview, "removed": removed }));
        }
        eprintln!("preview {preview} of `{}` is gone: {removed} objects", self.target.name);
        Ok(())
    }
}
