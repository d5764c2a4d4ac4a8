//! Session: one connection, on the thread that uses it, and how a step's statements reach the server.
//!
//! Owns    the statements that the server has prepared for it, the transaction's words, and what became of the last statement.
//! Always  BEGIN and locks travel with the statement that follows them, so that they cost no round trip of their own; what the server
//!         says is waited for in the order it was asked.
//! Limits  a statement runs for `STATEMENT_MS`, waits for a lock for `LOCK_MS`, and is answered within `ANSWER_WITHIN` or the connection
//!         is given up; a transaction that is left alone is undone after `IDLE_MS`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::runtime::Runtime;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::trouble::{Trouble, told, trouble};
use crate::store::StoreError;
use crate::store::tx::Param;

/// Longer than any step of a healthy shop; a request has 10 s in all.
const STATEMENT_MS: u32 = 5_000;
/// Who waits longer for another's step is told to come again.
const LOCK_MS: u32 = 3_000;
/// Of an edge that hangs in the middle of a step: others wait for its locks.
const IDLE_MS: u32 = 10_000;
/// After that long nobody is at the other end.
const ANSWER_WITHIN: Duration = Duration::from_millis(STATEMENT_MS as u64 + 2_000);
/// A server that is there answers sooner.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// How a transaction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A step: every statement sees what was committed before it; what has to stay as it is is locked.
    Step,
    /// One consistent look.
    Look,
}

impl Mode {
    fn begin(self) -> &'static str {
        match self {
            Self::Step => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Look => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// What became of COMMIT.
#[derive(Debug)]
pub(super) enum Commit {
    /// It stands.
    Done,
    /// Nothing of it was kept.
    Undone(StoreError),
    /// It was sent, and the connection broke before the answer: it may stand or not.
    Unknown(StoreError),
}

/// What is sent with the next statement.
enum Early {
    Words(&'static str),
    Lock(Statement, Vec<Kept>),
}

/// A lock's parameter, kept until it is sent.
#[derive(Debug)]
enum Kept {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Bool(bool),
}

impl Kept {
    fn of(value: &Param<'_>) -> Self {
        match value {
            Param::Int(number) => Self::Int(*number),
            Param::Text(text) => Self::Text(text.map(str::to_owned)),
            Param::Bytes(bytes) => Self::Bytes(bytes.map(<[u8]>::to_vec)),
            Param::Bool(truth) => Self::Bool(*truth),
        }
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Int(number) => number,
            Self::Text(text) => text,
            Self::Bytes(bytes) => bytes,
            Self::Bool(truth) => truth,
        }
    }
}

/// An open connection.
pub(in crate::store) struct Session {
    runtime: Runtime,
    client: Client,
    /// By the place of their text, which is known while compiling: two texts never share place and length.
    statements: RefCell<HashMap<(usize, usize), Statement>>,
    mode: Cell<Mode>,
    early: RefCell<Vec<Early>>,
    is_begun: Cell<bool>,
    trouble: Cell<Option<Trouble>>,
    /// How long an answer is waited for.
    patience: Cell<Duration>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// Connects.
    pub(super) fn open(config: &Config, tls: &MakeRustlsConnect) -> Result<Self, StoreError> {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = built.map_err(|error| StoreError::Engine(error.to_string()))?;
        let client = runtime.block_on(async {
            let connecting = tokio::time::timeout(CONNECT_WITHIN, config.connect(tls.clone()));
            let connected = connecting.await.map_err(|_| StoreError::Engine(format!("no answer within {CONNECT_WITHIN:?}")))?;
            let (client, connection) = connected.map_err(|error| told(&error))?;
            // It runs whenever this thread waits for the server; how it ends is told by the statement that misses it.
            tokio::spawn(async move { drop(connection.await) });
            let settings = format!(
                "SET statement_timeout = {STATEMENT_MS}; SET lock_timeout = {LOCK_MS};
                 SET idle_in_transaction_session_timeout = {IDLE_MS};
                 SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
            );
            let set = tokio::time::timeout(CONNECT_WITHIN, client.batch_execute(&settings)).await;
            let set = set.map_err(|_| StoreError::Engine(format!("no answer within {CONNECT_WITHIN:?}")))?;
            set.map_err(|error| told(&error))?;
            Ok::<_, StoreError>(client)
        })?;
        Ok(Self {
            runtime,
            client,
            statements: RefCell::default(),
            mode: Cell::new(Mode::Step),
            early: RefCell::default(),
            is_begun: Cell::new(false),
            trouble: Cell::new(None),
            patience: Cell::new(ANSWER_WITHIN),
        })
    }

    /// Whether the connection is over.
    pub(super) fn is_over(&self) -> bool {
        self.client.is_closed() || matches!(self.trouble.get(), Some(Trouble::Lost | Trouble::ReadOnly))
    }

    /// What the first statement that failed since `begin` failed of.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.get()
    }

    /// Waits for answers for as long as that.
    pub(super) fn be_patient(&self, patience: Duration) {
        self.patience.set(patience);
    }

    /// From here on statements belong to one transaction. Nothing is sent yet.
    pub(super) fn begin(&self, mode: Mode) {
        self.mode.set(mode);
        self.early.borrow_mut().clear();
        self.is_begun.set(false);
        self.trouble.set(None);
    }

    /// Keeps what was done.
    pub(super) fn commit(&self) -> Commit {
        if !self.early.borrow().is_empty() {
            // A lock that nothing followed: it has to be had all the same.
            if let Err(error) = self.words("SELECT 1") {
                return Commit::Undone(error);
            }
        }
        if !self.is_begun.get() {
            return Commit::Done;
        }
        if self.mode.get() == Mode::Look {
            // There is nothing to keep, and nobody to wait for it: the next transaction is answered after this one's end.
            self.leave();
            return Commit::Done;
        }
        if self.trouble.get().is_some() {
            // COMMIT would roll back and call it done.
            return Commit::Undone(StoreError::Engine("the transaction was undone".to_owned()));
        }
        match self.wait(self.client.batch_execute("COMMIT")) {
            Ok(Ok(())) => {
                self.is_begun.set(false);
                Commit::Done
            }
            Ok(Err(error)) => match self.note(&error) {
                (Trouble::Lost, error) => Commit::Unknown(error),
                (_, error) => Commit::Undone(error),
            },
            Err(_) => {
                self.trouble.set(Some(Trouble::Lost));
                Commit::Unknown(StoreError::Engine("the database does not answer".to_owned()))
            }
        }
    }

    /// Undoes what was done.
    pub(super) fn roll_back(&self) {
        self.early.borrow_mut().clear();
        if self.is_begun.get() && !self.is_over() {
            let undone = self.wait(self.client.batch_execute("ROLLBACK"));
            if !matches!(undone, Ok(Ok(()))) {
                self.trouble.set(Some(Trouble::Lost));
            }
        }
        self.is_begun.set(false);
    }

    /// Ends a look without waiting for the answer.
    fn leave(&self) {
        self.runtime.block_on(async {
            use futures_util::FutureExt;
            // Sent by its first poll; the answer is thrown away when it comes.
            let _ = self.client.batch_execute("ROLLBACK").now_or_never();
            tokio::task::yield_now().await;
        });
        self.is_begun.set(false);
    }

    /// Has rows locked before the next statement runs; both are sent at once.
    pub(in crate::store) fn lock(&self, sql: &'static str, values: &[Param<'_>]) -> Result<(), StoreError> {
        let statement = self.statement(sql, values)?;
        self.open_early();
        self.early.borrow_mut().push(Early::Lock(statement, values.iter().map(Kept::of).collect()));
        Ok(())
    }

    /// Runs words that have no parameters and give nothing.
    pub(in crate::store) fn words(&self, sql: &'static str) -> Result<(), StoreError> {
        self.send(async { self.client.batch_execute(sql).await })
    }

    /// Changes rows. Gives how many.
    pub(in crate::store) fn execute(&self, sql: &'static str, values: &[Param<'_>]) -> Result<usize, StoreError> {
        let statement = self.statement(sql, values)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let count = self.send(async { self.client.execute(&statement, &values).await })?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Every row.
    pub(in crate::store) fn rows(&self, sql: &'static str, values: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql, values)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        self.send(async { self.client.query(&statement, &values).await })
    }

    fn open_early(&self) {
        if !self.is_begun.replace(true) {
            self.early.borrow_mut().push(Early::Words(self.mode.get().begin()));
        }
    }

    /// Sends what waits and a statement at once, and waits for all.
    fn send<T>(&self, statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, StoreError> {
        self.open_early();
        let early = std::mem::take(&mut *self.early.borrow_mut());
        let first = join_all(early.iter().map(|early| self.send_early(early)));
        let Ok((first, answer)) = self.wait(join(first, statement)) else {
            self.trouble.set(Some(Trouble::Lost));
            return Err(StoreError::Engine("the database does not answer".to_owned()));
        };
        // What failed first is why all after it failed.
        first.into_iter().collect::<Result<Vec<()>, _>>().and(answer).map_err(|error| self.note(&error).1)
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, tokio::time::error::Elapsed> {
        self.runtime.block_on(async { tokio::time::timeout(self.patience.get(), work).await })
    }

    async fn send_early(&self, early: &Early) -> Result<(), tokio_postgres::Error> {
        match early {
            Early::Words(words) => self.client.batch_execute(words).await,
            Early::Lock(statement, values) => {
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(Kept::value).collect();
                self.client.execute(statement, &values).await.map(drop)
            }
        }
    }

    /// The statement as the server has prepared it for this connection.
    fn statement(&self, sql: &'static str, values: &[Param<'_>]) -> Result<Statement, StoreError> {
        let place = (sql.as_ptr() as usize, sql.len());
        if let Some(known) = self.statements.borrow().get(&place) {
            return Ok(known.clone());
        }
        let types: Vec<Type> = values.iter().map(Param::kind).collect();
        let text = in_its_words(sql);
        let statement = self.send(async { self.client.prepare_typed(&text, &types).await })?;
        self.statements.borrow_mut().insert(place, statement.clone());
        Ok(statement)
    }

    fn note(&self, error: &tokio_postgres::Error) -> (Trouble, StoreError) {
        let kind = trouble(error);
        if self.trouble.get().is_none() {
            self.trouble.set(Some(kind));
        }
        (kind, told(error))
    }
}

/// `?1` as PostgreSQL writes it.
fn in_its_words(sql: &str) -> String {
    let (mut text, mut is_quoted) = (String::with_capacity(sql.len()), false);
    for letter in sql.chars() {
        is_quoted ^= letter == '\'';
        text.push(if letter == '?' && !is_quoted { '$' } else { letter });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_as_the_server_reads_them() {
        assert_eq!(in_its_words("SELECT '?1' || ?1, ?12"), "SELECT '?1' || $1, $12");
        assert_eq!(in_its_words("SELECT 'it''s ?' WHERE a = ?2"), "SELECT 'it''s ?' WHERE a = $2");
    }
}
