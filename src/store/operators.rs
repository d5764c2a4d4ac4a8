//! Operators: who may run the shop's pages, their sessions, and how often somebody tries to be one.
//!
//! Always  a try is counted before its password is looked at, so that many at once are no more than one after the other; a name that does not
//!         exist is counted as one that does. A network that an operator signed in from lately waits by itself alone: whoever tries names
//!         elsewhere keeps nobody out there. One who has to wait writes nothing. A session ends by itself; what is kept of it opens nothing.
//!         The audit log is only added to.
//! Limits  see the constants. Instants are seconds; a session is looked up by the hash of its token.

use serde::Serialize;

use super::steps::operators;
use super::{Lane, Store, StoreError};
use crate::commerce::ids::{OrderId, Timestamp};

/// Seconds without a request after which a session is over. Source: OWASP, "Session Management": 15 to 30 min where much is at stake.
pub const IDLE_SECONDS: i64 = 30 * 60;
/// Seconds after which a session is over in any case: a working day.
pub const SESSION_SECONDS: i64 = 12 * 3600;
/// Sessions of one operator at once, the newest: a few machines.
pub const SESSIONS_MAX: u32 = 10;
/// Tries in vain that a name has before it waits: slips of somebody who knows the password.
pub const NAME_TRIES: u32 = 5;
/// Tries in vain that a client's network has before it waits: several people in one house.
pub const NETWORK_TRIES: u32 = 20;
/// The longest wait, which the growing ones end at: a name can be kept waiting by strangers.
pub const WAIT_MAX_SECONDS: i64 = 900;
/// Seconds without a try after which those before are forgotten.
pub const TRIES_SECONDS: i64 = 24 * 3600;
/// Seconds for which a network is known after somebody signed in from it: a month's holiday is no reason to be kept out.
pub const KNOWN_SECONDS: i64 = 30 * 24 * 3600;
/// Who is named in the audit log where nobody had signed in. No operator's name has a space.
pub const STRANGER: &str = "no operator";
/// Who is named in the audit log where a command of this machine did it.
pub const COMMAND: &str = "command line";

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// The name to sign in with.
    pub name: String,
    /// Since when there is one.
    pub created_at: Timestamp,
    /// Since when the password is what it is.
    pub changed_at: Timestamp,
    /// Since when nobody can sign in by it.
    pub disabled_at: Option<Timestamp>,
    /// When a session of it was last used; `None`: there is none.
    pub seen_at: Option<Timestamp>,
}

/// A session to open.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Whose.
    pub operator: String,
    /// The network it is opened from.
    pub network: String,
    /// The hash of its token.
    pub token_hash: String,
    /// That of the session which the browser had until now; it ends.
    pub former: Option<String>,
}

/// What comes of beginning to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Try {
    /// Too many were in vain. Nothing is looked at before then.
    Wait {
        /// Until when.
        until: Timestamp,
    },
    /// The password may be looked at; `None`: there is no such operator, or none who may sign in.
    Look {
        /// The operator's hash, a PHC string.
        hash: Option<String>,
    },
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Its place in the log.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub operator: String,
    /// What, such as `refund`.
    pub action: String,
    /// To what; may be empty.
    pub subject: String,
    /// On which order.
    pub order: Option<OrderId>,
    /// In words.
    pub detail: String,
    /// How it stood before; may be empty.
    pub before: String,
    /// How it stood afterwards; may be empty.
    pub after: String,
}

impl Store {
    /// Makes an operator.
    ///
    /// Errors: `WrongState` where there is one of that name.
    pub async fn add_operator(&self, name: &str, hash: &str, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let (name, hash, by) = (name.to_owned(), hash.to_owned(), by.to_owned());
        step!(self, Fresh, move |tx| operators::add(tx, &name, &hash, &by, now))
    }

    /// Gives an operator another password, and lets one in again who was kept out. Ends its sessions.
    ///
    /// Errors: `NotFound`.
    pub async fn set_password(&self, name: &str, hash: &str, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let (name, hash, by) = (name.to_owned(), hash.to_owned(), by.to_owned());
        step!(self, Fresh, move |tx| operators::set_password(tx, &name, &hash, &by, now))
    }

    /// Keeps an operator out, and ends its sessions. What it did stays in the log.
    ///
    /// Errors: `NotFound`.
    pub async fn disable_operator(&self, name: &str, by: &str, now: Timestamp) -> Result<(), StoreError> {
        let (name, by) = (name.to_owned(), by.to_owned());
        step!(self, Fresh, move |tx| operators::disable(tx, &name, &by, now))
    }

    /// Operators by name.
    pub async fn operators(&self) -> Result<Vec<Operator>, StoreError> {
        look!(self, operators::list)
    }

    /// Whether anybody can sign in.
    pub async fn has_operators(&self) -> Result<bool, StoreError> {
        look!(self, operators::are_any)
    }

    /// Counts a try to sign in under that name from that network, and says whether its password may be looked at.
    pub async fn begin_sign_in(&self, name: &str, network: &str, now: Timestamp) -> Result<Try, StoreError> {
        let (name, network) = (name.to_owned(), network.to_owned());
        let (whose, whence) = (name.clone(), network.clone());
        // However often somebody comes who has to wait: payments do not wait for that.
        if let Some(until) = look!(self, move |tx| operators::has_to_wait(tx, &whose, &whence, now))? {
            return Ok(Try::Wait { until });
        }
        step!(self, Fresh, move |tx| operators::begin(tx, &name, &network, now))
    }

    /// The password was right: the try was none in vain, and there is a session.
    ///
    /// Errors: `NotFound` where the operator was disabled meanwhile.
    pub async fn open_session(&self, session: NewSession, now: Timestamp) -> Result<(), StoreError> {
        step!(self, Fresh, move |tx| operators::open_session(tx, &session, now))
    }

    /// Who has a session; it goes on with this request. `None`: nobody has it, or it is over.
    pub async fn session(&self, token_hash: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        let hash = token_hash.to_owned();
        let found = look!(self, move |tx| operators::session(tx, &hash, now))?;
        let Some((operator, is_old)) = found else { return Ok(None) };
        if is_old {
            let hash = token_hash.to_owned();
            step!(self, Fresh, move |tx| operators::touch(tx, &hash, now))?;
        }
        Ok(Some(operator))
    }

    /// Ends a session.
    pub async fn close_session(&self, token_hash: &str, now: Timestamp) -> Result<(), StoreError> {
        let hash = token_hash.to_owned();
        step!(self, Fresh, move |tx| operators::close(tx, &hash, now))
    }

    /// Ends every session of an operator. Gives how many there were.
    pub async fn close_sessions(&self, name: &str, now: Timestamp) -> Result<usize, StoreError> {
        let name = name.to_owned();
        step!(self, Fresh, move |tx| operators::close_all(tx, &name, now))
    }

    /// What was done, the newest first: before that place (`None`: from the newest), on that order only, at most `limit`.
    pub async fn audit(&self, before: Option<i64>, order: Option<&OrderId>, limit: u32) -> Result<Vec<Audited>, StoreError> {
        let order = order.map(|order| order.0.clone());
        look!(self, move |tx| operators::audit(tx, before, order.as_deref(), limit))
    }
}
