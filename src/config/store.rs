//! Store: `[store]` of site.toml, where orders are kept.

use serde::Deserialize;

use crate::theme::bundle::Keeper;

/// `[store]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenStore {
    engine: Option<Engine>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Engine {
    Sqlite,
    Postgres,
}

impl WrittenStore {
    /// `None`: the environment of an edge decides.
    pub(super) fn keeper(&self) -> Option<Keeper> {
        self.engine.map(|engine| match engine {
            Engine::Sqlite => Keeper::File,
            Engine::Postgres => Keeper::Database,
        })
    }
}
