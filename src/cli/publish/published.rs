//! Published: what a target says of itself: list, fetch, verify.

use std::path::Path;

use super::{CommandError, Desk};
use crate::commerce::ids::Timestamp;
use crate::publish::job::State;
use crate::publish::purge::settle::owed;
use crate::publish::record::Record;
use crate::publish::verify::verify;
use crate::site::load::history;
use crate::site::manifest;

impl Desk {
    pub(super) async fn verify(&self) -> Result<(), CommandError> {
        let state = self.state().await?;
        let findings = verify(&self.host, &self.target, &state, self.record(&state)?).await?;
        self.tell_findings(&findings);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&findings).expect("findings are plain data"));
        }
        if findings.is_well() { Ok(()) } else { Err(CommandError::Content) }
    }

    pub(super) fn record<'a>(&self, state: &'a State) -> Result<&'a Record, CommandError> {
        let nothing = || CommandError::World(format!("nothing was published to `{}` yet", self.target.name));
        state.record.as_ref().ok_or_else(nothing)
    }

    pub(super) async fn list(&self) -> Result<(), CommandError> {
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

    // For a job that starts every few minutes and ends at once where nothing is to be done.
    pub(super) async fn due(&self, at: Timestamp) -> Result<(), CommandError> {
        let state = self.state().await?;
        let next = state.record.as_ref().and_then(|record| record.next_change_at.as_deref());
        let has_come = |text: &str| text.parse::<jiff::Timestamp>().map_or(true, |next| next.as_second() <= at.0);
        let is_owed = self.target.purge.is_some() && !owed(&self.host, &self.config.shop.id).await?.is_empty();
        let reason = match next {
            _ if state.record.is_none() => Some("nothing was published yet".to_owned()),
            _ if !state.intents.is_empty() => Some("a publication did not end".to_owned()),
            _ if is_owed => Some("caches were not told of all that was published".to_owned()),
            Some(next) if has_come(next) => Some(format!("pages change of themselves from {next} on")),
            _ => None,
        };
        if self.json {
            let told = serde_json::json!({ "due": reason.is_some(), "next_change_at": next });
            println!("{told:#}");
        }
        match (&reason, next) {
            (Some(reason), _) => eprintln!("`{}` is due: {reason}", self.target.name),
            (None, Some(next)) => eprintln!("`{}` is not due before {next}", self.target.name),
            (None, None) => eprintln!("`{}` is due when its content changes, no page changes of itself", self.target.name),
        }
        reason.map(drop).ok_or(CommandError::NotDue)
    }

    pub(super) async fn fetch(&self, to: &Path) -> Result<(), CommandError> {
        let state = self.state().await?;
        let Some(record) = &state.record else {
            eprintln!("nothing was published to `{}` yet", self.target.name);
            return Ok(());
        };
        let failed = |error: std::io::Error| {
            let shown = to.display();
            CommandError::World(format!("{shown}: {error}; what was fetched there before is no whole publication any more"))
        };
        std::fs::create_dir_all(to).map_err(failed)?;
        let mut text = Vec::new();
        record.manifest().write(&mut text).map_err(failed)?;
        let mut files = vec![("shop.bundle", Some(state.bundle(&self.host, &record.bundle).await?))];
        files.push(("_redirects", self.host.read("_redirects").await?));
        files.push((history::FILE, self.host.read_private(history::FILE).await?.map(|(bytes, _)| bytes)));
        // First away and last in its place: a folder with a manifest in it is whole, though the disk was full meanwhile.
        files.push((manifest::FILE, Some(text.into())));
        let remove = |name: &str| match std::fs::remove_file(to.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
        remove(manifest::FILE)?;
        for (name, bytes) in files {
            let draft = to.join(format!("{name}.new"));
            match bytes {
                Some(bytes) => {
                    let written = std::fs::write(&draft, bytes).and_then(|()| std::fs::rename(&draft, to.join(name)));
                    // A draft that was cut would take the room that is missing.
                    written.inspect_err(|_| drop(std::fs::remove_file(&draft))).map_err(failed)?;
                }
                None => remove(name)?,
            }
        }
        eprintln!("publication {} of `{}` is in {}", record.id, self.target.name, to.display());
        Ok(())
    }
}
