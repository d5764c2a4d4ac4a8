//! Place: a schema of its own for a test, on the server that `VITRINE_POSTGRES` names.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

use super::Address;

/// The tests' server, as `postgresql://…`; where it is not set, what needs one is passed over.
const SERVER: &str = "VITRINE_POSTGRES";

/// A schema that nobody else has.
#[derive(Debug)]
pub(in crate::store) struct Place {
    /// Of the server.
    pub(in crate::store) server: String,
    /// Of the schema.
    pub(in crate::store) address: Address,
}

impl Place {
    /// A fresh one; `None`: there is no server.
    pub(in crate::store) fn fresh() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(server) = std::env::var(SERVER) else {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not by a macro: what those print is kept back of tests that pass.
            let _ = writeln!(
                std::io::stderr(),
                "skipped: {test} ({SERVER} names no PostgreSQL server; `tests/cluster start` makes one)"
            );
            return None;
        };
        let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        say(&server, &format!("CREATE SCHEMA {name}"));
        let joint = if server.contains('?') { '&' } else { '?' };
        let address = Address::parse(&format!("{server}{joint}options=-csearch_path%3D{name}")).expect("an address");
        Some(Self { server, address })
    }

    /// Says something to the server on a connection of its own.
    pub(in crate::store) fn say(&self, words: &str) {
        say(&self.server, words);
    }

    /// Looks at the schema by a client of its own.
    pub(in crate::store) fn ask(&self, sql: &str) -> Vec<Vec<String>> {
        let mut config = self.address.config.clone();
        config.ssl_mode(tokio_postgres::config::SslMode::Disable);
        on_its_own(async move {
            let (client, connection) = config.connect(NoTls).await.expect("a connection");
            let connection = tokio::spawn(connection);
            let messages = client.simple_query(sql).await.expect("an answer");
            drop(client);
            connection.await.expect("it ends").expect("it ends well");
            let mut rows = Vec::new();
            for message in messages {
                if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                    rows.push((0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned()).collect());
                }
            }
            rows
        })
    }
}

fn say(server: &str, words: &str) {
    on_its_own(async {
        let (client, connection) = tokio_postgres::connect(server, NoTls).await.expect("a connection");
        let connection = tokio::spawn(connection);
        client.batch_execute(words).await.expect("the server does it");
        drop(client);
        connection.await.expect("it ends").expect("it ends well");
    });
}

/// Waits on a thread of its own, since tests are asynchronous and not.
fn on_its_own<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(work)
        });
        waiting.join().expect("it is done")
    })
}
