//! Lease: one job at a time works on a target.
//!
//! Owns    the lease object, its renewal and its taking over; on a folder of this machine, a file's lock.
//! Knows   no wall clock: whether a lease is dead is told by the target's own clock alone, and whether ours still holds by a clock that
//!         nobody sets. A job whose renewals fail stops well before another may take over.
//! Always  an answer that was lost is looked up, never guessed: a lease that names us is ours.

use std::fs::{self, File};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::PublishError;
use super::host::{Host, Over, Version};
use super::record::LEASE;

/// Pause between two tries to take it.
const TRY_EVERY: Duration = Duration::from_millis(500);

/// The right to write to a target, until it is given back or lost.
#[derive(Debug)]
pub struct Lease {
    /// This job's name, which no other has.
    pub holder: String,
    /// When it was taken, by the target's clock, in seconds since 1970; `None`: that is this machine's.
    pub taken_at: Option<i64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The folder's lock: the system takes it back when the process ends.
    Lock(#[expect(dead_code, reason = "it is held, not read")] File),
    Object {
        state: Arc<Mutex<State>>,
        life: Duration,
        renewal: Renewal,
    },
}

/// Ends with the lease.
#[derive(Debug)]
struct Renewal(JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct State {
    version: Version,
    renewed_at: Instant,
    is_lost: bool,
}

#[derive(Serialize, Deserialize)]
struct Written {
    holder: String,
    /// Counts renewals, so that every state has another name.
    renewal: u64,
}

impl Written {
    fn bytes(holder: &str, renewal: u64) -> Bytes {
        let written = Self { holder: holder.to_owned(), renewal };
        serde_json::to_vec(&written).expect("a lease is plain data").into()
    }
}

impl Lease {
    /// Takes the lease, and waits for at most `patience` where another job holds it.
    pub async fn take(host: &Host, holder: &str, life: Duration, patience: Duration) -> Result<Self, PublishError> {
        let until = Instant::now() + patience;
        loop {
            let taken = match host.lock_file() {
                Some(path) => Self::lock(&path)?.map(Kind::Lock).ok_or_else(|| "on this machine".to_owned()),
                None => Self::try_take(host, holder, life).await?,
            };
            match taken {
                Ok(kind) => {
                    let taken_at = if matches!(kind, Kind::Object { .. }) { host.written_at(LEASE).await? } else { None };
                    return Ok(Self { holder: holder.to_owned(), taken_at, kind });
                }
                Err(holder) if Instant::now() >= until => return Err(PublishError::Busy { holder }),
                Err(_) => tokio::time::sleep(TRY_EVERY).await,
            }
        }
    }

    /// Whether the target may still be written to.
    pub fn check(&self) -> Result<(), PublishError> {
        let Kind::Object { state, life, .. } = &self.kind else { return Ok(()) };
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_lost || state.renewed_at.elapsed() > *life * 2 / 3 { Err(PublishError::LeaseLost) } else { Ok(()) }
    }

    /// Gives it back.
    pub async fn release(self, host: &Host) -> Result<(), PublishError> {
        let Kind::Object { state, mut renewal, .. } = self.kind else { return Ok(()) };
        renewal.0.abort();
        // A renewal that was under way has ended by then, one way or the other.
        let _ = (&mut renewal.0).await;
        if state.lock().unwrap_or_else(PoisonError::into_inner).is_lost {
            return Ok(());
        }
        match read(host).await? {
            Some((written, _)) if written.holder == self.holder => host.delete_private(LEASE).await,
            _ => Ok(()),
        }
    }

    fn lock(path: &std::path::Path) -> Result<Option<File>, PublishError> {
        let failed = |error: std::io::Error| PublishError::File { path: path.display().to_string(), reason: error.to_string() };
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    // The lease, or who holds it.
    async fn try_take(host: &Host, holder: &str, life: Duration) -> Result<Result<Kind, String>, PublishError> {
        let asked_at = Instant::now();
        let mut version = host.write_private(LEASE, Written::bytes(holder, 0), Over::Nothing).await?;
        if version.is_none() {
            let Some((written, found)) = read(host).await? else { return Ok(Err("it has just ended".to_owned())) };
            if written.holder == holder {
                version = Some(found);
            } else if is_dead(host, holder, life).await? {
                version = host.write_private(LEASE, Written::bytes(holder, 0), Over::Version(found)).await?;
            }
            if version.is_none() {
                return Ok(Err(written.holder));
            }
        }
        let version = version.expect("it was taken above");
        let state = Arc::new(Mutex::new(State { version, renewed_at: asked_at, is_lost: false }));
        let renewal = Renewal(tokio::spawn(renew(host.clone(), holder.to_owned(), life, state.clone())));
        Ok(Ok(Kind::Object { state, life, renewal }))
    }
}

async fn read(host: &Host) -> Result<Option<(Written, Version)>, PublishError> {
    let Some((bytes, version)) = host.read_private(LEASE).await? else { return Ok(None) };
    // Whatever stands there instead of a lease is nobody's, and is taken over once it is old enough.
    let written = serde_json::from_slice(&bytes).unwrap_or(Written { holder: "nobody we know".to_owned(), renewal: 0 });
    Ok(Some((written, version)))
}

// By the target's clock: the instant of a thing that was written just now, less that of the last renewal.
async fn is_dead(host: &Host, holder: &str, life: Duration) -> Result<bool, PublishError> {
    let name = format!("{LEASE}.{holder}");
    host.write_private(&name, Bytes::from_static(b"what time is it?"), Over::Anything).await?;
    let (now, renewed) = (host.written_at(&name).await?, host.written_at(LEASE).await?);
    host.delete_private(&name).await?;
    let (Some(now), Some(renewed)) = (now, renewed) else { return Ok(false) };
    // Some services tell whole seconds.
    Ok(now - renewed > i64::try_from(life.as_secs()).unwrap_or(i64::MAX))
}

async fn renew(host: Host, holder: String, life: Duration, state: Arc<Mutex<State>>) {
    for renewal in 1.. {
        tokio::time::sleep(life / 4).await;
        let version = state.lock().unwrap_or_else(PoisonError::into_inner).version.clone();
        let asked_at = Instant::now();
        let written = host.write_private(LEASE, Written::bytes(&holder, renewal), Over::Version(version)).await;
        let renewed = match written {
            Ok(Some(version)) => Some(version),
            // Another's, or ours by an answer that was lost.
            Ok(None) => match read(&host).await {
                Ok(Some((written, version))) if written.holder == holder => Some(version),
                Ok(_) => {
                    state.lock().unwrap_or_else(PoisonError::into_inner).is_lost = true;
                    return;
                }
                Err(_) => None,
            },
            // `check` tells when too many of them failed.
            Err(_) => None,
        };
        if let Some(version) = renewed {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.version, state.renewed_at) = (version, asked_at);
        }
    }
}
