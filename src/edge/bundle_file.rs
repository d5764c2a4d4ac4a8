//! Bundle file: a local bundle that is taken whenever its hash changes.
//!
//! Owns    the first load, the look for a newer one, and the sequence counted beside it (`live.sequence` in the state folder).
//! Always  what is damaged, foreign or of another shop is refused and told by `/readyz`; the old one serves on. Requests in flight keep
//!         the bundle they began with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use super::app::App;
use super::live::{Live, LiveError};
use crate::theme::bundle::{Bundle, BundleError, Opened, VerifyingKey};

/// Pause between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Largest bundle that is read: several times that of 100,000 products.
pub(super) const MAX_BUNDLE_BYTES: u64 = 1024 * 1024 * 1024;
const SEQUENCE_FILE: &str = "live.sequence";

/// Where the bundle comes from and by what it is judged.
#[derive(Clone, Debug)]
pub struct BundleFile {
    /// The file.
    pub path: PathBuf,
    /// Folder of the counted sequence (`.vitrine`).
    pub state: PathBuf,
    /// Keys whose bundles are taken.
    pub keys: Vec<VerifyingKey>,
    /// Whether they are development keys, good for loopback only.
    pub development_keys: bool,
    /// The shop that is expected, where one is named.
    pub shop: Option<String>,
}

/// Why the file is not served.
#[derive(Debug, thiserror::Error)]
pub enum BundleFileError {
    /// It cannot be read, or the sequence cannot be written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Its bytes are refused.
    #[error("{path}: {source}")]
    Refused {
        /// Which file.
        path: String,
        /// Why.
        source: BundleError,
    },
    /// It cannot be served here.
    #[error("{path}: {source}")]
    Unfit {
        /// Which file.
        path: String,
        /// Why.
        source: LiveError,
    },
}

/// What tells one state of a file from another without reading it.
type Stamp = Option<(SystemTime, u64)>;

impl BundleFile {
    /// Reads and proves the file, and counts it.
    pub fn load(&self) -> Result<Live, BundleFileError> {
        let opened = self.open(self.shop.as_deref())?;
        self.count(opened)
    }

    /// Takes the file if it is another bundle than the live one; what is wrong with it is kept for `/readyz`.
    ///
    /// Answers whether the live bundle was swapped.
    pub fn refresh(&self, app: &App) -> Result<bool, BundleFileError> {
        let live = app.live.load_full();
        let shop = self.shop.as_deref().unwrap_or(&live.bundle.shop_id);
        let taken = self.open(Some(shop)).and_then(|opened| {
            if opened.hash == live.hash {
                return Ok(false);
            }
            app.live.store(Arc::new(self.count(opened)?));
            Ok(true)
        });
        let told = taken.as_ref().err().map(ToString::to_string);
        app.refused.store(Arc::new(told));
        taken
    }

    /// Looks at the file for ever, and takes it when it has changed.
    pub async fn watch(self, app: Arc<App>) {
        let mut seen = self.stamp();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let stamp = self.stamp();
            if stamp == seen {
                continue;
            }
            seen = stamp;
            let (file, app) = (self.clone(), app.clone());
            let refreshed = tokio::task::spawn_blocking(move || {
                let taken = file.refresh(&app);
                (taken, app.live.load_full())
            });
            match refreshed.await {
                Ok((Ok(true), live)) => tracing::info!(hash = live.hash, sequence = live.sequence, "a newer bundle is live"),
                Ok((Ok(false), _)) => {}
                Ok((Err(error), _)) => tracing::warn!(%error, "a newer bundle was refused; the old one serves on"),
                Err(error) => tracing::error!(%error, "the bundle could not be looked at"),
            }
        }
    }

    fn open(&self, shop: Option<&str>) -> Result<Opened, BundleFileError> {
        let path = || self.path.display().to_string();
        let file = |source| BundleFileError::File { path: path(), source };
        if fs::metadata(&self.path).map_err(file)?.len() > MAX_BUNDLE_BYTES {
            return Err(file(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any bundle")));
        }
        let bytes = fs::read(&self.path).map_err(file)?;
        Bundle::open(&bytes, &self.keys, shop).map_err(|source| BundleFileError::Refused { path: path(), source })
    }

    /// Gives the bundle its place in the row: the same bundle keeps its number over restarts, another gets the next one.
    fn count(&self, opened: Opened) -> Result<Live, BundleFileError> {
        let path = self.state.join(SEQUENCE_FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let (last, last_hash) = text.trim().split_once(' ').unwrap_or(("0", ""));
        let last: u64 = last.parse().unwrap_or(0);
        let is_same = last_hash == opened.hash;
        let sequence = if is_same { last } else { last.saturating_add(1) };
        let line = format!("{sequence} {}\n", opened.hash);
        let live = Live::new(opened, sequence, self.development_keys)
            .map_err(|source| BundleFileError::Unfit { path: self.path.display().to_string(), source })?;
        if !is_same {
            let draft = path.with_extension("sequence.new");
            let written =
                fs::create_dir_all(&self.state).and_then(|()| fs::write(&draft, line)).and_then(|()| fs::rename(&draft, &path));
            written.map_err(|source| BundleFileError::File { path: path.display().to_string(), source })?;
        }
        Ok(live)
    }

    fn stamp(&self) -> Stamp {
        let metadata = fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }
}
