//! Aggregates: what was counted by the hour: pages, carts on their way, requests. Nothing of it is a person's.
//!
//! Owns    the file beside the store, or the table in the database, and how it is read bit by bit.
//! Knows   nothing of what a body means: whoever counts writes it and reads it.
//! Always  a file of its own with `synchronous=NORMAL`: a power cut may cost the last minutes' counts, and no payment ever waits for them.
//!         A row is the whole of what one process counted of one thing in one hour.
//! Limits  HOURS_AT_ONCE are read at a time, so that a report over years takes the memory of a day.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};

use super::postgres::Postgres;
use super::queue::Lane;
use super::steps::aggregates;
use super::tx::Tx;
use super::{Store, StoreError, sqlite};

/// Hours that are read at once.
const HOURS_AT_ONCE: i64 = 24;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// Hours since 1970.
    pub hour: i64,
    /// What kind of thing is counted.
    pub kind: String,
    /// Which one.
    pub cell: String,
    /// The counts.
    pub body: Vec<u8>,
}

/// The hours of which there is anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The first.
    pub first: i64,
    /// The last.
    pub last: i64,
}

/// Where they are.
#[derive(Clone, Debug)]
pub enum Aggregates {
    /// In a file.
    File(Arc<Mutex<Connection>>),
    /// In the database that holds the orders, too.
    Database(Postgres),
}

impl Aggregates {
    /// The name of the file beside a store's: `shop.db` has `shop.metrics.db`.
    pub fn file_beside(store: &Path) -> PathBuf {
        store.with_extension("metrics.db")
    }

    /// Opens a file, making or migrating it as needed.
    pub fn open_file(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::File(Arc::new(Mutex::new(sqlite::open_metrics(path)?))))
    }

    /// Those beside a store: a file next to its own, or a table of its database. `None`: a store in memory has none.
    pub fn beside(store: &Store) -> Result<Option<Self>, StoreError> {
        match store {
            Store::Sqlite(engine) => Self::open_file(&Self::file_beside(engine.path())).map(Some),
            Store::Postgres(engine) => Ok(Some(Self::Database(engine.clone()))),
            #[cfg(feature = "faults")]
            Store::Inline(_) => Ok(None),
        }
    }

    /// Writes rows of a process, each in the place of what it wrote before of the same hour and thing.
    pub async fn put(&self, writer: &str, rows: Vec<Aggregate>) -> Result<(), StoreError> {
        let writer = writer.to_owned();
        self.write(move |tx| aggregates::put(tx, &writer, &rows)).await
    }

    /// The hours of which there is anything; `None`: there is nothing.
    pub async fn counted(&self) -> Result<Option<Counted>, StoreError> {
        self.read(aggregates::counted).await
    }

    /// Gives each row of the hours from `from` until before `until`, hour by hour.
    pub async fn each(&self, from: i64, until: i64, mut each: impl FnMut(Aggregate)) -> Result<(), StoreError> {
        let Some(Counted { first, last }) = self.counted().await? else { return Ok(()) };
        let (mut at, until) = (from.max(first), until.min(last + 1));
        while at < until {
            let next = (at + HOURS_AT_ONCE).min(until);
            self.read(move |tx| aggregates::between(tx, at, next)).await?.into_iter().for_each(&mut each);
            at = next;
        }
        Ok(())
    }

    /// Forgets what is of before an hour. Gives how many rows.
    pub async fn forget(&self, before: i64) -> Result<usize, StoreError> {
        self.write(move |tx| aggregates::forget(tx, before)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(connection) => in_file(connection, TransactionBehavior::Immediate, step).await,
            Self::Database(engine) => engine.write(Lane::Fresh, step).await,
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::File(connection) => in_file(connection, TransactionBehavior::Deferred, look).await,
            Self::Database(engine) => engine.read(look).await,
        }
    }
}

async fn in_file<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    behavior: TransactionBehavior,
    mut step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let connection = Arc::clone(connection);
    let done = tokio::task::spawn_blocking(move || {
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(behavior)?;
        let done = step(&Tx::Sqlite(&transaction))?;
        transaction.commit()?;
        Ok(done)
    });
    done.await.map_err(|_| StoreError::Panicked)?
}
