//! Pointed: the bundle that a published pointer names, taken again whenever a higher one stands there.
//!
//! Owns    looking at the pointer, fetching and judging its bundle, and the copy of the last one that was taken.
//! Knows   a store of objects and a prefix in it; what lies there is proven by its signature, never by where it lies.
//! Limits  a look each LOOK_EVERY, which costs a conditional read; bundles of MAX_BUNDLE_BYTES.
//! Always  only a higher sequence is taken, over restarts too. What is refused, or cannot be had, is told by `/readyz` while the old
//!         bundle serves on; an edge that starts while the store is down serves its copy.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};

use super::app::App;
use super::bundle_file::{BundleFileError, MAX_BUNDLE_BYTES};
use super::live::Live;
use crate::theme::bundle::pointer::{MAX_POINTER_BYTES, Pointer};
use crate::theme::bundle::{Bundle, VerifyingKey};

/// Pause between two looks at the pointer.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What was taken last: `SEQUENCE HASH`, and the bundle itself.
const TAKEN: &str = "pointed.sequence";
const COPY: &str = "pointed.bundle";

/// Where the pointer is and by what it is judged.
#[derive(Clone, Debug)]
pub struct Pointed {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Before the pointer's name in it.
    pub prefix: String,
    /// Folder of what was taken last (`.vitrine`).
    pub state: PathBuf,
    /// Keys whose bundles and pointers are taken.
    pub keys: Vec<VerifyingKey>,
    /// Whether they are development keys, good for loopback only.
    pub development_keys: bool,
    /// The shop that is expected, where one is named.
    pub shop: Option<String>,
}

/// A pointer that was seen, by the store's name for its state.
type Seen = Option<String>;

impl Pointed {
    /// What is pointed to; where that cannot be had, what was taken last.
    pub async fn load(&self) -> Result<Live, BundleFileError> {
        let copy = self.copy();
        let found = match self.pointer(None).await {
            Ok(Some((pointer, _))) => match &copy {
                Some(copy) if copy.sequence >= pointer.sequence => return copy.open(self),
                _ => self.take(&pointer).await,
            },
            Ok(None) => Err(self.fault("live.pointer", io::Error::from(io::ErrorKind::NotFound))),
            Err(error) => Err(error),
        };
        match (found, copy) {
            (Ok(live), _) => Ok(live),
            (Err(error), Some(copy)) => {
                tracing::warn!(%error, sequence = copy.sequence, "the bundle that was taken last is served");
                copy.open(self)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Takes what is pointed to if its sequence is higher than the live one's. Answers whether the live bundle was swapped.
    pub async fn refresh(&self, app: &App, seen: &mut Seen) -> Result<bool, BundleFileError> {
        let taken = self.look(app, seen).await;
        let told = match &taken {
            Ok(None) => return Ok(false),
            Ok(Some(_)) => None,
            Err(error) => Some(error.to_string()),
        };
        app.refused.store(Arc::new(told));
        taken.map(|taken| taken == Some(true))
    }

    /// Looks at the pointer for ever.
    pub async fn watch(self, app: Arc<App>) {
        let (mut seen, mut told) = (None, None);
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.refresh(&app, &mut seen).await {
                Ok(true) => {
                    let live = app.live.load();
                    tracing::info!(hash = live.hash, sequence = live.sequence, "a newer bundle is live");
                    told = None;
                }
                Ok(false) => {}
                // Once, not each time that it is looked for.
                Err(error) if told.as_ref() != Some(&error.to_string()) => {
                    tracing::warn!(%error, "the bundle that is pointed to is not taken; the old one serves on");
                    told = Some(error.to_string());
                }
                Err(_) => {}
            }
        }
    }

    // `None`: the same pointer as before stands there. What the store would not give is looked for again.
    async fn look(&self, app: &App, seen: &mut Seen) -> Result<Option<bool>, BundleFileError> {
        let live = app.live.load_full();
        let Some((pointer, state)) = self.pointer(seen.as_deref()).await? else { return Ok(None) };
        let expected = self.shop.as_deref().unwrap_or(&live.bundle.shop_id);
        if pointer.shop_id != expected {
            *seen = state;
            let source = crate::theme::bundle::BundleError::OtherShop { found: pointer.shop_id, expected: expected.to_owned() };
            return Err(BundleFileError::Refused { path: "live.pointer".to_owned(), source });
        }
        if pointer.sequence <= live.sequence {
            *seen = state;
            return Ok(Some(false));
        }
        let taken = self.take(&pointer).await;
        if !matches!(taken, Err(BundleFileError::File { .. })) {
            *seen = state;
        }
        app.live.store(Arc::new(taken?));
        Ok(Some(true))
    }

    async fn pointer(&self, seen: Option<&str>) -> Result<Option<(Pointer, Seen)>, BundleFileError> {
        let name = "live.pointer";
        let options = GetOptions { if_none_match: seen.map(str::to_owned), ..GetOptions::default() };
        let found = match self.store.get_opts(&self.at(name), options).await {
            Err(object_store::Error::NotModified { .. }) => return Ok(None),
            found => found.map_err(|error| self.fault(name, io::Error::other(error)))?,
        };
        if found.meta.size > MAX_POINTER_BYTES as u64 {
            return Err(self.fault(name, io::Error::new(io::ErrorKind::FileTooLarge, "larger than any pointer")));
        }
        let state = found.meta.e_tag.clone();
        let bytes = found.bytes().await.map_err(|error| self.fault(name, io::Error::other(error)))?;
        let pointer = Pointer::open(&bytes, &self.keys, self.shop.as_deref());
        let pointer = pointer.map_err(|source| BundleFileError::Refused { path: self.at(name).to_string(), source })?;
        Ok(Some((pointer, state)))
    }

    // Fetches and proves what a pointer names, and keeps a copy of it.
    async fn take(&self, pointer: &Pointer) -> Result<Live, BundleFileError> {
        let name = format!("bundles/{}.bundle", pointer.bundle);
        let failed = |error: object_store::Error| self.fault(&name, io::Error::other(error));
        let found = self.store.get(&self.at(&name)).await.map_err(failed)?;
        if found.meta.size > MAX_BUNDLE_BYTES {
            return Err(self.fault(&name, io::Error::new(io::ErrorKind::FileTooLarge, "larger than any bundle")));
        }
        let bytes = found.bytes().await.map_err(failed)?;
        let live = self.live(&name, &bytes, pointer.sequence, &pointer.shop_id, &pointer.bundle)?;
        self.write(COPY, &bytes)?;
        self.write(TAKEN, format!("{} {}\n", live.sequence, live.hash).as_bytes())?;
        Ok(live)
    }

    fn live(&self, name: &str, bytes: &Bytes, sequence: u64, shop: &str, hash: &str) -> Result<Live, BundleFileError> {
        let path = || self.at(name).to_string();
        let opened =
            Bundle::open(bytes, &self.keys, Some(shop)).map_err(|source| BundleFileError::Refused { path: path(), source })?;
        if opened.hash != hash {
            return Err(BundleFileError::Refused { path: path(), source: crate::theme::bundle::BundleError::Damaged });
        }
        Live::new(opened, sequence, self.development_keys).map_err(|source| BundleFileError::Unfit { path: path(), source })
    }

    fn copy(&self) -> Option<Taken> {
        let text = fs::read_to_string(self.state.join(TAKEN)).ok()?;
        let (sequence, hash) = text.trim().split_once(' ')?;
        Some(Taken { sequence: sequence.parse().ok()?, hash: hash.to_owned() })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), BundleFileError> {
        let (path, draft) = (self.state.join(name), self.state.join(format!("{name}.new")));
        let written =
            fs::create_dir_all(&self.state).and_then(|()| fs::write(&draft, bytes)).and_then(|()| fs::rename(&draft, &path));
        written.map_err(|source| BundleFileError::File { path: path.display().to_string(), source })
    }

    fn at(&self, name: &str) -> Path {
        self.prefix.split('/').chain(name.split('/')).filter(|part| !part.is_empty()).collect()
    }

    fn fault(&self, name: &str, source: io::Error) -> BundleFileError {
        BundleFileError::File { path: self.at(name).to_string(), source }
    }
}

/// What was taken last.
struct Taken {
    sequence: u64,
    hash: String,
}

impl Taken {
    fn open(&self, pointed: &Pointed) -> Result<Live, BundleFileError> {
        let path = pointed.state.join(COPY);
        let shown = || path.display().to_string();
        let bytes = fs::read(&path).map_err(|source| BundleFileError::File { path: shown(), source })?;
        let opened = Bundle::open(&bytes, &pointed.keys, pointed.shop.as_deref());
        let opened = opened.map_err(|source| BundleFileError::Refused { path: shown(), source })?;
        if opened.hash != self.hash {
            return Err(BundleFileError::Refused { path: shown(), source: crate::theme::bundle::BundleError::Damaged });
        }
        let live = Live::new(opened, self.sequence, pointed.development_keys);
        live.map_err(|source| BundleFileError::Unfit { path: shown(), source })
    }
}
