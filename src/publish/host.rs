//! Host: a target, opened. What is asked of it in our words, whatever service it is.
//!
//! Owns    names of objects, headers, conditional writes, and what is said when a service refuses.
//! Knows   `LocalFileSystem` takes neither headers nor a condition on an earlier state: a folder's lock (`lease`) stands for the latter.
//! Limits  a request is tried again for RETRY at most (5xx, throttling, broken connections), with growing pauses; files of PART bytes
//!         and more are sent in parts, and one of them is held at a time.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    RetryConfig, UpdateVersion, WriteMultipart,
};
use tokio::io::AsyncReadExt;

use super::PublishError;
use super::connect::Connector;
use super::plan::Seen;
use super::target::{Caching, Place, Target};
use crate::site::check::page_address;
use crate::site::manifest::Entry;

/// How long a request is tried again.
const RETRY: Duration = Duration::from_secs(90);
/// Bytes of a part; S3 takes none below 5 MiB.
const PART: usize = 8 << 20;
/// Tries of what `object_store` itself does not repeat when a connection breaks: conditional writes and removals.
const TRIES: u32 = 4;
/// Under which name an object carries the hash of its bytes.
const HASH: &str = "blake3";

/// A target, opened.
#[derive(Clone, Debug)]
pub struct Host {
    store: Arc<dyn ObjectStore>,
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

/// Bytes to put.
#[derive(Clone, Debug)]
pub enum Body {
    /// At hand.
    Bytes(Bytes),
    /// In a file.
    File(PathBuf),
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

    /// Puts a file of the build; gives what the target calls its state.
    pub async fn put(&self, path: &str, entry: &Entry, body: Body) -> Result<Option<String>, PublishError> {
        let key = self.key(path);
        let failed = |error: &object_store::Error| self.failed("put", &key, error);
        let location = location(&key)?;
        let headers = self.headers(path, entry);
        let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
        let bytes = match body {
            Body::File(file) if size >= PART => {
                let options = PutMultipartOptions { attributes: headers, ..PutMultipartOptions::default() };
                let upload = self.store.put_multipart_opts(&location, options).await.map_err(|error| failed(&error))?;
                let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
                let unreadable = |error: std::io::Error| PublishError::File { path: path.to_owned(), reason: error.to_string() };
                let mut file = tokio::fs::File::open(&file).await.map_err(unreadable)?;
                let mut part = vec![0; PART];
                loop {
                    let read = file.read(&mut part).await.map_err(unreadable)?;
                    if read == 0 {
                        break;
                    }
                    parts.wait_for_capacity(1).await.map_err(|error| failed(&error))?;
                    parts.write(&part[..read]);
                }
                return Ok(parts.finish().await.map_err(|error| failed(&error))?.e_tag);
            }
            Body::File(file) => {
                let read = tokio::fs::read(&file).await;
                read.map_err(|error| PublishError::File { path: path.to_owned(), reason: error.to_string() })?.into()
            }
            Body::Bytes(bytes) => bytes,
        };
        let options = PutOptions { attributes: headers, ..PutOptions::default() };
        let put = self.store.put_opts(&location, PutPayload::from_bytes(bytes), options).await;
        Ok(put.map_err(|error| failed(&error))?.e_tag)
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

    fn headers(&self, path: &str, entry: &Entry) -> Attributes {
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

    fn failed(&self, what: &str, key: &str, error: &object_store::Error) -> PublishError {
        PublishError::Host { what: format!("{what} {key}"), reason: told(error) }
    }
}

/// The store and the prefix in it that an address names: `s3://BUCKET/PREFIX`, `gs://…`, `az://CONTAINER/PREFIX`, `file:///FOLDER`.
pub fn follow(address: &str) -> Result<(Arc<dyn ObjectStore>, String), PublishError> {
    let failed = |reason: String| PublishError::Host { what: address.to_owned(), reason };
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (first, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let (first, prefix) = (first.to_owned(), prefix.trim_matches('/').to_owned());
    let place = match scheme {
        "s3" => Place::S3 { bucket: first, region: None, endpoint: None },
        "gs" => Place::Gcs { bucket: first },
        "az" => Place::Azure { account: None, container: first, endpoint: None },
        "file" if first.is_empty() => Place::Folder { parent: PathBuf::from("/"), name: prefix.clone() },
        _ => {
            return Err(failed(
                "write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER".to_owned(),
            ));
        }
    };
    Ok((store(&place).map_err(|error| failed(told(&error)))?, prefix))
}

fn store(place: &Place) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig { retry_timeout: RETRY, ..RetryConfig::default() };
    // Plain HTTP carries credentials in the clear: for this machine alone.
    let is_near =
        |endpoint: &Option<String>| endpoint.as_ref().is_some_and(|origin| origin.starts_with("http://") && is_loopback(origin));
    Ok(match place {
        Place::S3 { bucket, region, endpoint } => {
            let mut builder =
                AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_http_connector(Connector);
            if let Some(region) = region {
                builder = builder.with_region(region);
            }
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint).with_allow_http(is_near(&Some(endpoint.clone())));
            }
            Arc::new(builder.build()?)
        }
        Place::Gcs { bucket } => {
            let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retry);
            Arc::new(builder.with_http_connector(Connector).build()?)
        }
        Place::Azure { account, container, endpoint } => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(container).with_retry(retry);
            if let Some(account) = account {
                builder = builder.with_account(account);
            }
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint.clone()).with_allow_http(is_near(&Some(endpoint.clone())));
            }
            Arc::new(builder.with_http_connector(Connector).build()?)
        }
        Place::Folder { parent, name } => {
            let folder = parent.join(name);
            let unusable = |error| {
                let reason =
                    format!("{}: {error}; name another `path` in site.toml, or let this user write there", folder.display());
                object_store::Error::Generic { store: "folder", source: reason.into() }
            };
            std::fs::create_dir_all(&folder).map_err(unusable)?;
            Arc::new(LocalFileSystem::new_with_prefix(parent)?)
        }
    })
}

async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
}

fn is_loopback(origin: &str) -> bool {
    let host = origin.parse::<http::Uri>().ok().and_then(|uri| Some(uri.host()?.trim_matches(['[', ']']).to_owned()));
    host.is_some_and(|host| host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()))
}

fn join(prefix: &str, name: &str) -> String {
    match (prefix, name) {
        ("", name) => name.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}/{name}"),
    }
}

// As it is written: `Path::from` would escape signs, and the object would lie under another address.
fn location(key: &str) -> Result<Path, PublishError> {
    Path::parse(key)
        .map_err(|error| PublishError::File { path: key.to_owned(), reason: format!("no object can be called so: {error}") })
}

// What a service said, and what to do about it.
pub(super) fn told(error: &object_store::Error) -> String {
    use object_store::Error;
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    let hint = match error {
        Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => {
            "; these credentials may not do that: check the keys in the environment and what they are allowed"
        }
        Error::NotFound { .. } => "; there is no such bucket or container, or it is in another region",
        _ if text.contains("NoSuchBucket") => "; there is no such bucket, or it is in another region",
        _ if text.contains("169.254.169.254") || text.contains("metadata") => {
            "; no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the like, in the environment"
        }
        _ => "",
    };
    format!("{}{hint}", text.replace('\n', " "))
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
