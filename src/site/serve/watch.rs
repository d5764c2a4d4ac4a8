//! Watch: says when something that a build reads has changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};
use tokio::sync::mpsc;

/// Editors write a file in several steps; changes that follow each other this closely are one.
const SETTLE: Duration = Duration::from_millis(15);
/// How often is looked whether they have settled.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    changes: mpsc::Receiver<()>,
    _debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
}

/// The system's file watching does not work here.
#[derive(Debug, thiserror::Error)]
#[error("files cannot be watched: {0}")]
pub struct WatchError(#[from] notify::Error);

impl Watcher {
    /// Watches `paths`: folders with all below them, and files (by their folder, since editors replace a file instead of writing into it).
    /// A path that does not exist is a file that may still be written.
    ///
    /// Errors: the system's limit of watches is reached.
    pub fn start(paths: &[PathBuf]) -> Result<Self, WatchError> {
        // One waiting change is enough: a build reads everything anew.
        let (sender, changes) = mpsc::channel(1);
        let meant = paths.to_vec();
        let mut debouncer = new_debouncer(SETTLE, Some(LOOK_EVERY), move |result: DebounceEventResult| {
            let is_meant = |path: &PathBuf| meant.iter().any(|watched| path.starts_with(watched));
            let changed = match result {
                Ok(events) => {
                    events.iter().any(|event| !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(is_meant))
                }
                Err(_) => true,
            };
            if changed {
                let _ = sender.try_send(());
            }
        })?;
        let mut folders: Vec<&Path> = Vec::new();
        for path in paths {
            if path.is_dir() {
                debouncer.watch(path, RecursiveMode::Recursive)?;
            } else if let Some(folder) = path.parent().filter(|folder| folder.is_dir()) {
                folders.push(folder);
            }
        }
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            debouncer.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { changes, _debouncer: debouncer })
    }

    /// Waits for the next change.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watching thread is gone: there will be no news, and that is no reason to build in a loop.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_written_and_a_replaced_file_are_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let content = folder.path().join("content");
        std::fs::create_dir(&content).expect("created");
        let settings = folder.path().join("site.toml");
        let mut watcher = Watcher::start(&[content.clone(), settings.clone()]).expect("watching works");
        std::fs::write(content.join("lamp.md"), "x").expect("written");
        watcher.changed().await;
        for text in ["one", "two"] {
            let fresh = folder.path().join("fresh");
            std::fs::write(&fresh, text).expect("written");
            std::fs::rename(&fresh, &settings).expect("renamed");
            watcher.changed().await;
        }
    }
}
