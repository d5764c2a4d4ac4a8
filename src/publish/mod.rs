//! Publish: a finished build → a bucket or folder, in an order in which no shopper ever meets a page whose files are missing.
//!
//! Owns    the way of an upload: `state` (what the target holds) → `plan` (pure) → `guard` (what stops it) → `upload` (in order) → the
//!         record, which is the commit. Each is a value handed to the next.
//! Knows   one job at a time writes a target (`lease`); whoever comes after a killed one takes nothing that it named for published.
//! Always  an object is put only when all that it may refer to is there, and removed only when nothing refers to it any more, kept
//!         copies of older pages included; what an older record needs is kept until that record goes.

pub mod body;
pub mod guard;
pub mod host;
pub mod job;
pub mod lease;
pub mod plan;
pub mod purge;
pub mod record;
pub mod remove;
pub mod service;
pub mod target;
pub mod upload;
pub mod verify;

mod connect;
#[cfg(test)]
mod tests;

/// Why a publication ended early. Nothing is half live then: the record is as it was, and another job goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The target answers with an error, or not at all.
    #[error("{what}: {reason}")]
    Host {
        /// What was asked of which object.
        what: String,
        /// What it said, and what to do about it where that is known.
        reason: String,
    },
    /// Another job works on the target.
    #[error("another job publishes to this target ({holder}); wait for it, or give it more time with --wait")]
    Busy {
        /// What it says of itself.
        holder: String,
    },
    /// Another job has taken the target over.
    #[error("this job could not renew its lease on the target, so it stopped; publish again")]
    LeaseLost,
    /// Another job has published since this one planned.
    #[error("another job has published since this one read the target; publish again")]
    Overtaken,
    /// What the target says of itself cannot be read.
    #[error("{name} on the target {reason}")]
    Unreadable {
        /// Which object.
        name: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// The build is not what its manifest says.
    #[error("{path} is not what manifest.json says ({reason}); run `vitrine build` again, and change nothing in its output")]
    NotAsBuilt {
        /// Which file.
        path: String,
        /// How.
        reason: String,
    },
    /// A file of the build that cannot be published.
    #[error("{path}: {reason}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        reason: String,
    },
}
