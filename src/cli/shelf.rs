//! Shelf: where checkouts, orders and stock are kept: a file next to the edge, or a database that several edges share.
//!
//! Always  every command that opens the store asks here; the address of a database, which holds its password, comes from the environment
//!         alone and is never printed whole.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::stock::failed;
use super::{CommandError, STATE, STATE_FOLDER};
use crate::store::postgres::{Address, CONNECTIONS, CONNECTIONS_MAX};
use crate::store::{Store, StoreError};
use crate::theme::bundle::Keeper;

/// `postgresql://USER:PASSWORD@HOST/DATABASE`: a secret, so from the environment only.
const DATABASE_URL: &str = "VITRINE_DATABASE_URL";
/// How many connections an edge holds.
const DATABASE_CONNECTIONS: &str = "VITRINE_DATABASE_CONNECTIONS";

/// Where the store of an edge is that a command works beside.
#[derive(Debug, clap::Args)]
pub(super) struct BesideEdge {
    /// The edge's file of checkouts, orders and stock [default: shop.db in the state folder, which VITRINE_STATE names]; with
    /// VITRINE_DATABASE_URL they are in a PostgreSQL database instead
    #[arg(long, global = true, env = "VITRINE_STORE", value_name = "FILE")]
    store: Option<PathBuf>,
}

impl BesideEdge {
    /// Where it is.
    pub(super) fn shelf(&self) -> Result<Shelf, CommandError> {
        self.shelf_in(Path::new(&std::env::var_os(STATE).unwrap_or_else(|| STATE_FOLDER.into())))
    }

    /// The same, for an edge with that state folder.
    pub(super) fn shelf_in(&self, state: &Path) -> Result<Shelf, CommandError> {
        let Ok(url) = std::env::var(DATABASE_URL) else {
            return Ok(Shelf::File(self.store.clone().unwrap_or_else(|| state.join("shop.db"))));
        };
        if let Some(file) = &self.store {
            return Err(CommandError::Usage(format!(
                "both {DATABASE_URL} and the file {} (--store or VITRINE_STORE) are given; orders are in one of them: take the other away",
                file.display()
            )));
        }
        let address = Address::parse(&url).map_err(|error| CommandError::Usage(format!("{DATABASE_URL}: {error}")))?;
        Ok(Shelf::Database { address: Box::new(address), connections: connections()? })
    }
}

fn connections() -> Result<NonZeroUsize, CommandError> {
    let written = std::env::var(DATABASE_CONNECTIONS).unwrap_or_else(|_| CONNECTIONS.to_string());
    written.parse().ok().filter(|count: &NonZeroUsize| (2..=CONNECTIONS_MAX).contains(&count.get())).ok_or_else(|| {
        CommandError::Usage(format!("{DATABASE_CONNECTIONS}: write a number of connections from 2 to {CONNECTIONS_MAX}"))
    })
}

/// Where a store is.
#[derive(Clone, Debug)]
pub(super) enum Shelf {
    /// In a file.
    File(PathBuf),
    /// In a database.
    Database {
        /// Where it is.
        address: Box<Address>,
        /// How many connections are held.
        connections: NonZeroUsize,
    },
}

impl std::fmt::Display for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Database { address, .. } => write!(f, "the database of {address}"),
        }
    }
}

impl Shelf {
    /// Whether it is where the shop says that its orders are. An edge beside the others that looked elsewhere would sell the same units
    /// once more, and nobody would miss its orders for long.
    ///
    /// Errors: it is not, with what to set.
    pub(super) fn check(&self, keeper: Option<Keeper>) -> Result<(), CommandError> {
        let told = match (keeper, self) {
            (Some(Keeper::Database), Self::File(path)) => format!(
                "the shop keeps its orders in a database ([store] of site.toml), and this edge would keep them in {}: set {DATABASE_URL} to \
                 the database's address",
                path.display()
            ),
            (Some(Keeper::File), Self::Database { .. }) => format!(
                "the shop keeps its orders in the file of its one edge ([store] of site.toml), and {DATABASE_URL} names a database: take it \
                 away, or write engine = \"postgres\" under [store] and build again"
            ),
            _ => return Ok(()),
        };
        Err(CommandError::Usage(told))
    }

    /// Opens it, making it where there is none.
    pub(super) fn open(&self) -> Result<Store, StoreError> {
        match self {
            Self::File(path) => Store::open_sqlite(path),
            Self::Database { address, connections } => Store::open_postgres(address, *connections),
        }
    }

    /// The same for a command that says why it cannot.
    pub(super) fn open_or_tell(&self) -> Result<Store, CommandError> {
        self.open().map_err(failed)
    }

    /// The store of an edge that ran before. Reading makes no file.
    pub(super) fn open_existing(&self) -> Result<Store, CommandError> {
        match self {
            Self::File(path) if !path.exists() => {
                Err(CommandError::World(format!("there is no store at {}; the edge makes it", path.display())))
            }
            _ => self.open_or_tell(),
        }
    }
}
