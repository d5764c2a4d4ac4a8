//! Upkeep: what the file says of itself, how it is copied and how it is held against its own promises.
//!
//! Owns    the sign of life, by which an older copy is known; backups beside a running edge; the findings of `vitrine store verify`; what is
//!         forgotten with time.
//! Always  a copy is whole, on disk and checked before it has its name; looking changes nothing.

use std::path::Path;

use super::sqlite;
use super::steps::{checkouts, inbox, life, promises};
use super::tx::{Tx, params};
use super::{Lane, Store, StoreError};
use crate::commerce::ids::Timestamp;

pub use super::steps::promises::{Finding, Report};

/// Rows that are forgotten at once, so that the writer is never held for long.
pub(super) const REAP_ROWS: u32 = 500;

/// What the file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Since when this shop keeps this file, or what it was copied from.
    pub born_at: Timestamp,
    /// When an edge last wrote that it lives.
    pub seen_at: Timestamp,
    /// Whether that edge stopped as asked.
    pub is_stopped: bool,
    /// When it was copied, where it is a copy whose loss was not made good yet.
    pub copied_at: Option<Timestamp>,
}

impl Life {
    /// Whether it can be so: nothing in it is of later than now.
    pub fn is_plausible(&self, now: Timestamp) -> bool {
        self.born_at <= now && self.seen_at <= now && self.copied_at.is_none_or(|copied_at| copied_at <= now)
    }
}

/// A backup that lies where it was asked for.
#[derive(Clone, Debug)]
pub struct Copied {
    /// How large it is.
    pub size_bytes: u64,
    /// What was found in it: as good or as bad as what it was copied from.
    pub report: Report,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It would take the place of the store itself.
    #[error("{0} is the store itself; give the backup another name")]
    SameFile(String),
    /// There is something already.
    #[error("{0} is there already; give another name, or --force to put the backup in its place")]
    Exists(String),
    /// The copy is damaged, and was thrown away.
    #[error("the copy is damaged and was not kept ({0}); look at the disk, then try again")]
    Damaged(String),
    /// The file system.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The store could not be read, or the copy not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies a store, beside a running edge or without one.
///
/// Errors: nothing was left behind, and what was there before is untouched.
pub fn back_up(from: &Path, to: &Path, replaces: bool, now: Timestamp) -> Result<Copied, CopyError> {
    sqlite::copy::copy(from, to, replaces, now)
}

/// Holds a file against its promises, without changing it.
///
/// Errors: it is no store, or cannot be read.
pub fn verify(path: &Path) -> Result<Report, StoreError> {
    sqlite::verify::file(path)
}

/// Whether a step could be committed: a server may be there and take no writes.
pub(super) fn writes(tx: &Tx<'_>) -> Result<(), StoreError> {
    let is_closed = tx.is_shared()
        && tx.query_one("SELECT current_setting('transaction_read_only')", params![], |row| row.get::<_, String>(0))? == "on";
    if is_closed { Err(StoreError::Engine("the database takes no writes now".to_owned())) } else { Ok(()) }
}

impl Store {
    /// Holds it against its promises, without changing it and beside whoever writes.
    pub async fn verify(&self) -> Result<Report, StoreError> {
        match self {
            Self::Sqlite(engine) => {
                let path = engine.path().to_owned();
                tokio::task::spawn_blocking(move || verify(&path)).await.map_err(|_| StoreError::Panicked)?
            }
            Self::Postgres(engine) => engine.read(|tx| promises::look(tx, super::postgres::migrate::version(tx)?, false)).await,
            #[cfg(feature = "faults")]
            Self::Inline(engine) => engine.read(|tx| promises::look(tx, 0, false)).await,
        }
    }

    /// What the file says of itself; `None`: no edge ever lived on it.
    pub async fn life(&self) -> Result<Option<Life>, StoreError> {
        look!(self, life::read)
    }

    /// Since when this shop keeps this file; where no edge ever lived on it, since its first checkout.
    pub async fn born_at(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        look!(self, move |tx| life::born(tx, now))
    }

    /// When the newest payment was begun, be it over or not.
    pub async fn newest_attempt_at(&self) -> Result<Option<Timestamp>, StoreError> {
        look!(self, life::newest_attempt)
    }

    /// Writes that an edge lives on it, or that it stops as asked.
    pub async fn beat(&self, is_stopped: bool, now: Timestamp) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| life::beat(tx, is_stopped, now))
    }

    /// What came after the copy was made good: it is a copy no longer, and order numbers go on after a gap of so many.
    pub async fn settle_copy(&self, gap: i64, now: Timestamp) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| life::settle(tx, gap, now))
    }

    /// Forgets checkouts of before `older_than` that nobody tried to pay, at most 500. Gives how many; orders are never forgotten.
    pub async fn reap_checkouts(&self, older_than: Timestamp) -> Result<usize, StoreError> {
        step!(self, Urgent, move |tx| checkouts::reap(tx, older_than, REAP_ROWS))
    }

    /// Forgets events of before `older_than`, at most 500. Gives how many.
    pub async fn reap_events(&self, older_than: Timestamp) -> Result<usize, StoreError> {
        step!(self, Urgent, move |tx| inbox::reap(tx, older_than, REAP_ROWS))
    }
}
