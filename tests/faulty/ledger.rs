//! Ledger: what the gateway remembers, on disk before it answers.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde_json::Value;

use super::Call;

pub(super) struct Ledger {
    connection: Connection,
}

/// An open transaction.
pub(super) struct Tx<'a>(&'a Connection);

/// The answer kept under a key.
pub(super) struct Kept {
    pub(super) is_same: bool,
    pub(super) status: u16,
    pub(super) answer: String,
}

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS objects (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, document TEXT NOT NULL, previous TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS keys (
        key TEXT PRIMARY KEY, line TEXT NOT NULL, body TEXT NOT NULL, status INTEGER NOT NULL, answer TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS calls (
        seq INTEGER PRIMARY KEY, line TEXT NOT NULL, query TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, status INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS late (seq INTEGER PRIMARY KEY, line TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS hooks (
        seq INTEGER PRIMARY KEY, event TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0
    ) STRICT;";

impl Ledger {
    pub(super) fn open(path: &Path) -> Self {
        let connection = Connection::open(path).expect("a ledger");
        connection.execute_batch(SCHEMA).expect("its tables");
        Self { connection }
    }

    pub(super) fn transact<T>(&mut self, work: impl FnOnce(&Tx<'_>) -> T) -> T {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("a transaction");
        let done = work(&Tx(&transaction));
        transaction.commit().expect("the disk has room");
        done
    }

    pub(super) fn forget_keys(&self) {
        self.connection.execute("DELETE FROM keys", []).expect("deleted");
    }

    pub(super) fn log(&self, call: &Call) {
        let sql = "INSERT INTO calls (line, query, key, body, status) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.connection.execute(sql, params![call.line, call.query, call.key, call.body, call.status]).expect("kept");
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        let mut select = self.connection.prepare("SELECT line, query, key, body, status FROM calls ORDER BY seq").expect("SQL");
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Call { line: row.get(0)?, query: row.get(1)?, key: row.get(2)?, body: row.get(3)?, status: row.get(4)? })
        };
        select.query_map([], read).expect("rows").collect::<Result<_, _>>().expect("calls")
    }

    pub(super) fn objects(&self, kind: &str) -> Vec<Value> {
        Tx(&self.connection).all(kind)
    }
}

impl Tx<'_> {
    /// A fresh name, in the order they are made.
    pub(super) fn id(&self, prefix: &str) -> String {
        let count: i64 = self.0.query_row("SELECT count(*) FROM objects", [], |row| row.get(0)).expect("a count");
        format!("{prefix}_{:08}", count + 1)
    }

    pub(super) fn get(&self, id: &str) -> Option<Value> {
        self.read(id, "document")
    }

    /// As it was before its last change.
    pub(super) fn previous(&self, id: &str) -> Option<Value> {
        self.read(id, "previous")
    }

    fn read(&self, id: &str, column: &str) -> Option<Value> {
        let sql = format!("SELECT {column} FROM objects WHERE id = ?1");
        let text: Option<String> = self.0.query_row(&sql, [id], |row| row.get(0)).optional().expect("a look");
        text.map(|text| serde_json::from_str(&text).expect("our own JSON"))
    }

    pub(super) fn put(&self, document: &Value) {
        let (id, kind) = (document["id"].as_str().expect("an id"), document["object"].as_str().expect("a kind"));
        let sql = "INSERT INTO objects (id, kind, document, previous) VALUES (?1, ?2, ?3, ?3)
                   ON CONFLICT (id) DO UPDATE SET previous = document, document = ?3";
        self.0.execute(sql, params![id, kind, document.to_string()]).expect("kept");
    }

    pub(super) fn remove(&self, id: &str) {
        self.0.execute("DELETE FROM objects WHERE id = ?1", params![id]).expect("removed");
    }

    pub(super) fn all(&self, kind: &str) -> Vec<Value> {
        let mut select = self.0.prepare("SELECT document FROM objects WHERE kind = ?1 ORDER BY seq").expect("SQL");
        let rows = select.query_map([kind], |row| row.get::<_, String>(0)).expect("rows");
        rows.map(|text| serde_json::from_str(&text.expect("a row")).expect("our own JSON")).collect()
    }

    pub(super) fn kept(&self, key: &str, line: &str, body: &str) -> Option<Kept> {
        let sql = "SELECT line = ?2 AND body = ?3, status, answer FROM keys WHERE key = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok(Kept { is_same: row.get(0)?, status: row.get(1)?, answer: row.get(2)? });
        self.0.query_row(sql, params![key, line, body], read).optional().expect("a look")
    }

    pub(super) fn keep(&self, key: &str, line: &str, body: &str, status: u16, answer: &str) {
        let sql = "INSERT INTO keys (key, line, body, status, answer) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING";
        self.0.execute(sql, params![key, line, body, status, answer]).expect("kept");
    }

    pub(super) fn forget_key(&self, key: &str) {
        self.0.execute("DELETE FROM keys WHERE key = ?1", [key]).expect("deleted");
    }

    pub(super) fn put_off(&self, line: &str, key: &str, body: &str) {
        self.0.execute("INSERT INTO late (line, key, body) VALUES (?1, ?2, ?3)", params![line, key, body]).expect("kept");
    }

    pub(super) fn take_late(&self) -> Vec<(String, String, String)> {
        let mut select = self.0.prepare("SELECT line, key, body FROM late ORDER BY seq").expect("SQL");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
        let late = rows.collect::<Result<_, _>>().expect("late calls");
        self.0.execute("DELETE FROM late", []).expect("deleted");
        late
    }

    pub(super) fn hook(&self, event: &str) {
        self.0.execute("INSERT INTO hooks (event) VALUES (?1)", [event]).expect("kept");
    }

    /// Webhooks that wait: their place and the event's name.
    pub(super) fn hooks(&self) -> Vec<(i64, String)> {
        let mut select = self.0.prepare("SELECT seq, event FROM hooks WHERE done = 0 ORDER BY seq").expect("SQL");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("hooks")
    }

    pub(super) fn hooked(&self, seq: i64, is_done: bool) {
        self.0.execute("UPDATE hooks SET tries = tries + 1, done = ?2 WHERE seq = ?1", params![seq, is_done]).expect("kept");
    }
}
