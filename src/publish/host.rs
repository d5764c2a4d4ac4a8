//! Host: a target, opened. What is asked of it in our words, whatever service it is.
//!
//! Owns    names of objects, headers and conditional writes.
//! Knows   `LocalFileSystem` takes neither headers nor a condition on an earlier state: a folder's lock (`lease`) stands for the latter.
//! Limits  what `object_store` does not repeat when a connection breaks is tried TRIES times more.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use tokio::sync::Semaphore;

use super::PublishError;
use super::body::HELD_KIB;
use super::plan::Seen;
use super::service::{store, told};
use super::target::{Caching, Place, Target};
use crate::site::check::page_address;
use crate::site::manifest::Entry;

/// Tries of what `object_store` itself does not repeat when a connection breaks: conditional writes and removals.
const TRIES: u32 = 4;
/// Under which name an object carries the hash of its bytes.
const HASH: &str = "blake3";

/// A target, opened.
#[derive(Clone, Debug)]
pub struct Host {
    pub(super) store: Arc<dyn ObjectStore>,
    /// KiB of bodies that may be held yet.
    pub(super) held: Arc<Semaphore>,
    public: String,
    private: String,
    has_addresses: bool,
    caching: Caching,
    /// Where everything is, if it is on this machine.
    folder: Option<PathBuf>,
}

/// A state of an object, for a write over that state alone.
pub type Version = UpdateVersion;

/// On what a write depends.
#[derive(Clone, Debug)]
pub enum Over {
    /// On nothing.
    Anything,
    /// On there being nothing.
    Nothing,
    /// On this state.
    Version(Version),
}

/// An object as a listing tells it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name below the prefix that was listed.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What the target calls its state.
    pub e_tag: Option<String>,
}

impl Host {
    /// Opens a target; nothing is asked of it yet.
    pub fn open(target: &Target) -> Result<Self, PublishError> {
        let store = store(&target.place)
            .map_err(|error| PublishError::Host { what: format!("target `{}`", target.name), reason: told(&error) })?;
        let folder = match &target.place {
            Place::Folder { parent, .. } => Some(parent.clone()),
            _ => None,
        };
        Ok(Self { folder, ..Self::over(store, target) })
    }

    /// A target that is any store.
    pub fn over(store: Arc<dyn ObjectStore>, target: &Target) -> Self {
        Self {
            store,
            held: Arc::new(Semaphore::new(HELD_KIB as usize)),
            public: join(target.place.folder_name(), &target.prefix),
            private: join(&target.private, &target.prefix),
            has_addresses: target.place.has_addresses(),
            caching: target.caching.clone(),
            folder: None,
        }
    }

    /// The store and the private prefix in it, for whoever follows the pointer.
    pub fn private(&self) -> (Arc<dyn ObjectStore>, String) {
        (self.store.clone(), self.private.clone())
    }

    pub(super) fn private_key(&self, name: &str) -> String {
        join(&self.private, name)
    }

    /// The lock file of a target that is a folder of this machine.
    pub(super) fn lock_file(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(&self.private).join("lock"))
    }

    /// Name of the object of a build's file: a page stands under its address, save where a server looks for files.
    pub fn key(&self, path: &str) -> String {
        let address = page_address(path).filter(|_| self.has_addresses && path != "404.html");
        let name = match address.as_deref() {
            Some("/") | None => path,
            Some(address) => address.trim_start_matches('/'),
        };
        join(&self.public, name)
    }

    /// What lies at a path of the build.
    pub async fn look(&self, path: &str) -> Result<Option<Seen>, PublishError> {
        let key = self.key(path);
        if self.folder.is_some() {
            return self.look_into_file(&key).await;
        }
        match self.store.get_opts(&location(&key)?, GetOptions { head: true, ..GetOptions::default() }).await {
            Ok(found) => {
                let hash = found.attributes.get(&Attribute::Metadata(HASH.into()));
                let hash = hash.and_then(|text| blake3::Hash::from_hex(text.as_bytes()).ok());
                Ok(Some(Seen { hash, e_tag: found.meta.e_tag }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look at", &key, &error)),
        }
    }

    // A folder keeps no hashes beside its files.
    async fn look_into_file(&self, key: &str) -> Result<Option<Seen>, PublishError> {
        match self.store.get(&location(key)?).await {
            Ok(found) => {
                let e_tag = found.meta.e_tag.clone();
                let mut hasher = blake3::Hasher::new();
                let mut parts = found.into_stream();
                while let Some(part) = parts.next().await {
                    hasher.update(&part.map_err(|error| self.failed("read", key, &error))?);
                }
                Ok(Some(Seen { hash: Some(hasher.finalize()), e_tag }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", key, &error)),
        }
    }

    /// Copies a file of the build to a private name; `false`: there is none.
    pub async fn keep(&self, path: &str, name: &str) -> Result<bool, PublishError> {
        self.copy(&self.key(path), &join(&self.private, name)).await
    }

    /// Copies a private object to another name; `false`: there is none.
    pub async fn copy_private(&self, from: &str, to: &str) -> Result<bool, PublishError> {
        self.copy(&join(&self.private, from), &join(&self.private, to)).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool, PublishError> {
        match self.store.copy(&location(from)?, &location(to)?).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed("copy", from, &error)),
        }
    }

    /// Removes a file of the build.
    pub async fn delete(&self, path: &str) -> Result<(), PublishError> {
        self.remove(&self.key(path)).await
    }

    /// Removes a private object.
    pub async fn delete_private(&self, name: &str) -> Result<(), PublishError> {
        self.remove(&join(&self.private, name)).await
    }

    async fn remove(&self, key: &str) -> Result<(), PublishError> {
        let location = location(key)?;
        for attempt in 0.. {
            match self.store.delete(&location).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => break,
                Err(object_store::Error::Generic { .. }) if attempt < TRIES => pause(attempt).await,
                Err(error) => return Err(self.failed("remove", key, &error)),
            }
        }
        Ok(())
    }

    /// Reads a private object with its state; `None`: there is none.
    pub async fn read_private(&self, name: &str) -> Result<Option<(Bytes, Version)>, PublishError> {
        let key = join(&self.private, name);
        match self.store.get(&location(&key)?).await {
            Ok(found) => {
                let version = Version { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                let bytes = found.bytes().await.map_err(|error| self.failed("read", &key, &error))?;
                Ok(Some((bytes, version)))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", &key, &error)),
        }
    }

    /// Reads a file of the build; `None`: there is none.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>, PublishError> {
        let key = self.key(path);
        match self.store.get(&location(&key)?).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(|error| self.failed("read", &key, &error))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", &key, &error)),
        }
    }

    /// Writes a private object; `None`: it is not in the state that this depends on. An answer that was lost is looked up.
    pub async fn write_private(&self, name: &str, bytes: Bytes, over: Over) -> Result<Option<Version>, PublishError> {
        let key = join(&self.private, name);
        let location = location(&key)?;
        let mode = match over {
            Over::Anything => PutMode::Overwrite,
            Over::Nothing => PutMode::Create,
            // One job at a time holds a folder's lock.
            Over::Version(version) if self.folder.is_some() => match self.store.head(&location).await {
                Ok(meta) if meta.e_tag == version.e_tag => PutMode::Overwrite,
                Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(self.failed("look at", &key, &error)),
            },
            Over::Version(version) => PutMode::Update(version),
        };
        let mut attributes = Attributes::new();
        if self.folder.is_none() {
            attributes.insert(Attribute::CacheControl, "private, no-store".into());
        }
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        for attempt in 0..=TRIES {
            match self.store.put_opts(&location, bytes.clone().into(), options.clone()).await {
                Ok(put) => return Ok(Some(Version { e_tag: put.e_tag, version: put.version })),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) if attempt == 0 => {
                    break;
                }
                // Ours, where the answer to an earlier try was lost.
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    let found = self.read_private(name).await?.filter(|(found, _)| *found == bytes);
                    return Ok(found.map(|(_, version)| version));
                }
                Err(object_store::Error::Generic { .. }) if attempt < TRIES => pause(attempt).await,
                Err(error) => return Err(self.failed("write", &key, &error)),
            }
        }
        Ok(None)
    }

    /// When an object was written, by the target's own clock, in seconds since 1970; `None`: there is none.
    pub async fn written_at(&self, name: &str) -> Result<Option<i64>, PublishError> {
        let key = join(&self.private, name);
        match self.store.head(&location(&key)?).await {
            Ok(meta) => Ok(Some(meta.last_modified.timestamp())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("look at", &key, &error)),
        }
    }

    /// All private objects below a folder.
    pub async fn list_private(&self, folder: &str) -> Result<Vec<Listed>, PublishError> {
        self.list(&join(&self.private, folder)).await
    }

    /// All public objects, by their keys.
    pub async fn list_public(&self) -> Result<Vec<Listed>, PublishError> {
        let private = format!("{}/", self.private);
        let mut found = self.list(&self.public).await?;
        found.iter_mut().for_each(|listed| listed.name = join(&self.public, &listed.name));
        found.retain(|listed| !listed.name.starts_with(&private));
        Ok(found)
    }

    /// Whether there is anything below the private prefix.
    pub async fn has_private(&self) -> Result<bool, PublishError> {
        let below = location(&self.private)?;
        let first = self.store.list(Some(&below)).try_next().await;
        Ok(first.map_err(|error| self.failed("list", &self.private, &error))?.is_some())
    }

    /// Folders right below the private prefix.
    pub async fn private_folders(&self) -> Result<Vec<String>, PublishError> {
        let below = location(&self.private)?;
        let found = self.store.list_with_delimiter(Some(&below)).await;
        let found = found.map_err(|error| self.failed("list", &self.private, &error))?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        Ok(found.common_prefixes.iter().filter_map(name).collect())
    }

    /// Removes a public object that was listed.
    pub async fn delete_listed(&self, listed: &Listed) -> Result<(), PublishError> {
        self.remove(&listed.name).await
    }

    /// Removes lock and empty folders of a target that is a folder of this machine, once all that was in them is gone.
    pub fn delete_folders(&self) {
        let Some(folder) = &self.folder else { return };
        let _ = self.lock_file().map(std::fs::remove_file);
        for name in [&self.public, &self.private] {
            let folders = walkdir::WalkDir::new(folder.join(name)).contents_first(true).into_iter().filter_map(Result::ok);
            for entry in folders.filter(|entry| entry.file_type().is_dir()) {
                // Whatever others have put there keeps its folder.
                let _ = std::fs::remove_dir(entry.path());
            }
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, PublishError> {
        let below = location(prefix)?;
        let listing = self.store.list(Some(&below)).map_ok(|meta| {
            let name = meta.location.as_ref().strip_prefix(prefix).unwrap_or(meta.location.as_ref()).trim_start_matches('/');
            Listed { name: name.to_owned(), size: meta.size, e_tag: meta.e_tag }
        });
        listing.try_collect().await.map_err(|error| self.failed("list", prefix, &error))
    }

    pub(super) fn headers(&self, path: &str, entry: &Entry) -> Attributes {
        let mut headers = Attributes::new();
        if self.folder.is_some() {
            return headers;
        }
        let kind = if entry.content_type.is_empty() { crate::site::media::content_type(path) } else { entry.content_type };
        headers.insert(Attribute::ContentType, kind.into());
        headers.insert(Attribute::CacheControl, self.caching.of(entry.cache).to_owned().into());
        headers.insert(Attribute::Metadata(HASH.into()), entry.hash.to_string().into());
        headers
    }

    pub(super) fn failed(&self, what: &str, key: &str, error: &object_store::Error) -> PublishError {
        PublishError::Host { what: format!("{what} {key}"), reason: told(error) }
    }
}

async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
}

fn join(prefix: &str, name: &str) -> String {
    match (prefix, name) {
        ("", name) => name.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}/{name}"),
    }
}

// As it is written: `Path::from` would escape signs, and the object would lie under another address.
pub(super) fn location(key: &str) -> Result<Path, PublishError> {
    Path::parse(key)
        .map_err(|error| PublishError::File { path: key.to_owned(), reason: format!("no object can be called so: {error}") })
}

/// Whether a file has the bytes that a build's entry tells.
pub fn is_as_built(file: &FilePath, entry: &Entry) -> Result<(), String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size != entry.size {
        return Err(format!("{size} bytes, not {}", entry.size));
    }
    let mut hasher = blake3::Hasher::new();
    let mut reader = std::fs::File::open(file).map_err(|error| error.to_string())?;
    std::io::copy(&mut reader, &mut hasher).map_err(|error| error.to_string())?;
    if hasher.finalize() == entry.hash { Ok(()) } else { Err("other bytes".to_owned()) }
}
