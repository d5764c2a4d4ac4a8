//! Place: where a test's store is: in its folder, or on the PostgreSQL server that `VITRINE_POSTGRES` names. The same suites run on both.

use std::num::NonZeroUsize;
use std::path::Path;

use tokio_postgres::NoTls;
use vitrine::store::Store;
use vitrine::store::postgres::Address;

/// The tests' server.
const SERVER: &str = "VITRINE_POSTGRES";

/// Connections of a test's shop.
const FEW: NonZeroUsize = NonZeroUsize::new(4).expect("it is not 0");

/// Opens the store of a shop in that folder, anew or once more.
pub fn open(folder: &Path) -> Store {
    let Some(address) = address(folder) else {
        return Store::open_sqlite(&folder.join("shop.db")).expect("a store");
    };
    Store::open_postgres(&Address::parse(&address).expect("an address"), FEW).expect("a store")
}

/// The database of a shop in that folder: a schema of its own, made where it is missing; `None`: there is no server.
pub fn address(folder: &Path) -> Option<String> {
    let server = std::env::var(SERVER).ok()?;
    let name = folder.file_name().expect("a folder has a name").to_string_lossy().to_lowercase();
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let joint = if server.contains('?') { '&' } else { '?' };
    let address = format!("{server}{joint}options=-csearch_path%3Dit_{name}");
    // On a thread of its own, since some tests are asynchronous.
    let made = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&server, NoTls).await.expect("a connection");
            let connection = tokio::spawn(connection);
            client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS it_{name}")).await.expect("a schema");
            drop(client);
            connection.await.expect("it ends").expect("it ends well");
        });
    });
    made.join().expect("a schema");
    Some(address)
}
