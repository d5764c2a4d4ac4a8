//! Body: where the bytes of an object come from, and how they are sent.
//!
//! Limits  a file of PART bytes and more goes in parts; HELD_KIB of all bodies together are held, however many are under way and
//!         however large they are. A file has at most MAX_FILE bytes.
//! Always  bytes are proven while they are sent: what was changed since it was looked at does not become an object.

use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{Attributes, ObjectStoreExt, PutMultipartOptions, PutOptions, WriteMultipart};
use tokio::io::AsyncReadExt;

use super::PublishError;
use super::host::Host;
use crate::site::manifest::Entry;

/// Bytes of a part; S3 takes none below 5 MiB.
pub(super) const PART: usize = 8 << 20;
/// Parts of one file that are held: one is read, one is filled, up to two are on their way.
const PARTS_HELD: u64 = 4;
/// KiB that are held of all bodies together: two large files, or what 32 requests have of pages and pictures.
pub(super) const HELD_KIB: u32 = 64 << 10;
/// Largest file: S3 copies no larger object in one request, and the way back needs a copy.
const MAX_FILE: u64 = 5 << 30;

/// Where bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In a file of this machine.
    File(PathBuf),
    /// In a private object of the target.
    Kept(String),
}

/// Bytes on their way from where they are.
enum Reading {
    File { file: tokio::fs::File, part: Vec<u8> },
    Kept(BoxStream<'static, object_store::Result<Bytes>>),
}

impl Body {
    // What is told of bytes that are other ones.
    fn other(&self, path: &str, reason: &str) -> PublishError {
        match self {
            Self::File(_) => PublishError::NotAsBuilt { path: path.to_owned(), reason: reason.to_owned() },
            Self::Kept(name) => PublishError::File {
                path: path.to_owned(),
                reason: format!("{name} on the target is not what it was ({reason})"),
            },
        }
    }
}

/// Errors: the file is larger than any that can be published.
pub(super) fn check_size(path: &str, entry: &Entry) -> Result<(), PublishError> {
    if entry.size <= MAX_FILE {
        return Ok(());
    }
    let reason = format!(
        "it has {} bytes, and a published file at most {MAX_FILE}: put it where films are kept, and link to it there",
        entry.size
    );
    Err(PublishError::File { path: path.to_owned(), reason })
}

impl Host {
    /// Puts a file of the build; gives what the target calls its state.
    ///
    /// Errors: its bytes are not those that the entry tells; nothing is put then.
    pub async fn put(&self, path: &str, entry: &Entry, body: &Body) -> Result<Option<String>, PublishError> {
        let key = self.key(path);
        let location = super::host::location(&key)?;
        let headers = self.headers(path, entry);
        let kib = u32::try_from(entry.size.min(PARTS_HELD * PART as u64).div_ceil(1024)).unwrap_or(HELD_KIB);
        let _held = self.held.acquire_many(kib.min(HELD_KIB)).await.expect("it is never closed");
        if entry.size >= PART as u64 {
            return self.put_parts(path, entry, body, (&key, &location, headers)).await;
        }
        let bytes = match body {
            Body::File(file) => read_file(file.clone(), entry.size).await.map_err(|reason| unreadable(path, &reason))?,
            Body::Kept(name) => self.whole(path, entry, body, name).await?,
        };
        if blake3::hash(&bytes) != entry.hash {
            return Err(body.other(path, "other bytes"));
        }
        let options = PutOptions { attributes: headers, ..PutOptions::default() };
        let put = self.store.put_opts(&location, bytes.into(), options).await;
        Ok(put.map_err(|error| self.failed("put", &key, &error))?.e_tag)
    }

    async fn put_parts(
        &self,
        path: &str,
        entry: &Entry,
        body: &Body,
        (key, location, attributes): (&str, &Path, Attributes),
    ) -> Result<Option<String>, PublishError> {
        let failed = |error: object_store::Error| self.failed("put", key, &error);
        let mut reading = self.read_body(path, body).await?;
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let upload = self.store.put_multipart_opts(location, options).await.map_err(failed)?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
        let sent = async {
            let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
            while let Some(bytes) = self.next(&mut reading, path).await? {
                hasher.update(&bytes);
                size += bytes.len() as u64;
                // A file that grows for ever ends here too.
                if size > entry.size {
                    break;
                }
                parts.wait_for_capacity(1).await.map_err(failed)?;
                parts.write(&bytes);
            }
            if size == entry.size && hasher.finalize() == entry.hash { Ok(()) } else { Err(body.other(path, "other bytes")) }
        }
        .await;
        match sent {
            Ok(()) => Ok(parts.finish().await.map_err(failed)?.e_tag),
            Err(error) => {
                // Parts of an upload that nobody ends would be stored, and paid for, for ever.
                let _ = parts.abort().await;
                Err(error)
            }
        }
    }

    /// Proves a private object.
    ///
    /// Errors: its bytes are not those that the entry tells.
    pub(super) async fn prove_kept(&self, path: &str, entry: &Entry, name: &str) -> Result<(), PublishError> {
        let body = Body::Kept(name.to_owned());
        let mut reading = self.read_body(path, &body).await?;
        let mut hasher = blake3::Hasher::new();
        while let Some(bytes) = self.next(&mut reading, path).await? {
            hasher.update(&bytes);
        }
        if hasher.finalize() == entry.hash { Ok(()) } else { Err(body.other(path, "other bytes")) }
    }

    async fn whole(&self, path: &str, entry: &Entry, body: &Body, name: &str) -> Result<Bytes, PublishError> {
        let read = self.read_private(name).await?.map(|(bytes, _)| bytes);
        read.filter(|bytes| bytes.len() as u64 == entry.size).ok_or_else(|| body.other(path, "another size"))
    }

    async fn read_body(&self, path: &str, body: &Body) -> Result<Reading, PublishError> {
        match body {
            Body::File(file) => {
                let opened = tokio::fs::File::open(file).await;
                let mut file = opened.map_err(|error| unreadable(path, &error))?;
                file.set_max_buf_size(PART);
                Ok(Reading::File { file, part: vec![0; PART] })
            }
            Body::Kept(name) => {
                let key = self.private_key(name);
                let found = self.store.get(&super::host::location(&key)?).await;
                match found {
                    Ok(found) => Ok(Reading::Kept(found.into_stream())),
                    Err(object_store::Error::NotFound { .. }) => Err(body.other(path, "it is gone")),
                    Err(error) => Err(self.failed("read", &key, &error)),
                }
            }
        }
    }

    async fn next(&self, reading: &mut Reading, path: &str) -> Result<Option<Bytes>, PublishError> {
        match reading {
            Reading::File { file, part } => {
                let read = file.read(part).await.map_err(|error| unreadable(path, &error))?;
                Ok((read > 0).then(|| Bytes::copy_from_slice(&part[..read])))
            }
            Reading::Kept(stream) => {
                stream.next().await.transpose().map_err(|error| self.failed("read", &self.key(path), &error))
            }
        }
    }
}

// At most one byte more than it should have: it is other bytes then.
async fn read_file(file: PathBuf, size: u64) -> Result<Bytes, std::io::Error> {
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
        std::fs::File::open(file)?.take(size + 1).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    });
    read.await.expect("nothing in it panics")
}

fn unreadable(path: &str, error: &std::io::Error) -> PublishError {
    PublishError::File { path: path.to_owned(), reason: error.to_string() }
}
