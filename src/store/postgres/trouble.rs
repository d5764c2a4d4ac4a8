//! Trouble: what a failure of the server means for the step that met it.
//!
//! Source  PostgreSQL's table of error codes (appendix A of its manual).

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// What can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Another step was at the same rows: the same step sees them when it runs again.
    Conflict,
    /// The connection is over, or the server is on its way down or up: on another one the step may run again.
    Lost,
    /// The server takes no writes: a standby, or a primary that was made one.
    ReadOnly,
    /// All else.
    Other,
}

/// What an error is.
pub(super) fn trouble(error: &Error) -> Trouble {
    let Some(code) = error.code() else { return Trouble::Lost };
    // What a constraint says to one writer alone is a slip of ours; of several, the other one was first, and whoever runs again sees it.
    let conflicts = [
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::T_R_DEADLOCK_DETECTED,
        &SqlState::UNIQUE_VIOLATION,
        &SqlState::FOREIGN_KEY_VIOLATION,
    ];
    let losses = [
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    match code {
        code if conflicts.contains(&code) => Trouble::Conflict,
        code if losses.contains(&code) || code.code().starts_with("08") => Trouble::Lost,
        // Another edge has changed the tables: a session that knows them as they were is of no more use.
        code if *code == SqlState::FEATURE_NOT_SUPPORTED && is_outdated(error) => Trouble::Lost,
        code if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Trouble::ReadOnly,
        _ => Trouble::Other,
    }
}

/// Whether a prepared statement is of tables as they were before.
fn is_outdated(error: &Error) -> bool {
    error.as_db_error().is_some_and(|server| server.routine() == Some("RevalidateCachedQuery"))
}

/// What is said of it. No secret is in it: a server names none, and what the client says of itself names no setting's value.
pub(super) fn told(error: &Error) -> StoreError {
    let Some(server) = error.as_db_error() else {
        return StoreError::Engine(format!("the connection to the database failed: {}", with_causes(error)));
    };
    let code = server.code();
    let busy = [
        &SqlState::LOCK_NOT_AVAILABLE,
        &SqlState::QUERY_CANCELED,
        &SqlState::TOO_MANY_CONNECTIONS,
        &SqlState::T_R_DEADLOCK_DETECTED,
    ];
    match code {
        code if busy.contains(&code) || *code == SqlState::T_R_SERIALIZATION_FAILURE => StoreError::Busy,
        code if *code == SqlState::DISK_FULL => StoreError::DiskFull,
        code if *code == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::Engine(
            "the database takes no writes now: it is a standby, or is being moved; name the primary, or all its hosts with \
             `target_session_attrs=read-write`"
                .to_owned(),
        ),
        code if *code == SqlState::ADMIN_SHUTDOWN
            || *code == SqlState::CRASH_SHUTDOWN
            || *code == SqlState::CANNOT_CONNECT_NOW =>
        {
            StoreError::Engine("the database is starting or shutting down".to_owned())
        }
        code if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            StoreError::Engine("the database does not let this user in; look at its name and password".to_owned())
        }
        code => StoreError::Engine(format!("{} ({})", server.message(), code.code())),
    }
}

/// An error and why, as far down as it goes: the first line alone says `error communicating with the server`.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}
