//! Inline: the engine's tables and steps on one connection in memory, on the thread of whoever asks. Only with the feature `faults`.
//!
//! Owns    the order of things for a test: nothing runs beside it, and it is asked before each look, before and after each commit. So
//!         one seed is one run, and a step that is never answered is a crash at exactly that place.
//! Always  a step is committed by the writer's own code; there is no second way of writing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::writer::commit;
use super::{MIGRATIONS, keep_plans, migrate};
use crate::store::StoreError;
use crate::store::queue::{Lane, job};
use crate::store::tx::Tx;

/// Where a test stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before a look.
    Look,
    /// Before a step is done.
    Step,
    /// After its commit, before whoever asked hears of it.
    Committed,
}

/// A test's word at each moment: it may wait, never answer, or refuse.
#[derive(Clone)]
pub struct Seam(pub Arc<Asked>);

type Asked = dyn Fn(Moment) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> + Send + Sync;

impl std::fmt::Debug for Seam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seam")
    }
}

/// An open database in memory. It lives for as long as any connection of its name does.
#[derive(Clone, Debug)]
pub struct Inline {
    connection: Arc<Mutex<Connection>>,
    seam: Seam,
}

impl Inline {
    /// Opens or joins the database of that name.
    pub(in crate::store) fn open(name: &str, seam: Seam) -> Result<Self, StoreError> {
        let mut connection = Connection::open_with_flags(
            format!("file:/{name}?vfs=memdb"),
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_URI
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.pragma_update(None, "foreign_keys", true)?;
        keep_plans(&connection)?;
        migrate(&mut connection, MIGRATIONS)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), seam })
    }

    pub(in crate::store) async fn write<T: Send + 'static>(
        &self,
        step: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        (self.seam.0)(Moment::Step).await?;
        let (job, told) = job(Lane::Fresh, step);
        commit(&self.connection.lock().unwrap_or_else(PoisonError::into_inner), vec![job], None);
        let done = told.await.map_err(|_| StoreError::Engine("the step was not answered".to_owned()))?;
        if done.is_ok() {
            (self.seam.0)(Moment::Committed).await?;
        }
        done
    }

    pub(in crate::store) async fn read<T: Send + 'static>(
        &self,
        mut look: impl FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        (self.seam.0)(Moment::Look).await?;
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        look(&Tx::Sqlite(&transaction))
    }
}
