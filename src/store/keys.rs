//! Keys: what became of requests that came with an `Idempotency-Key`.

use super::steps::keys;
use super::{Lane, Store, StoreError};
use crate::commerce::ids::Timestamp;

/// Hours that answers to idempotency keys are kept (CHECKOUT.md 5.2).
pub const KEY_SECONDS: i64 = 72 * 3600;

/// What became of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// It is new: do the work and finish it.
    Fresh,
    /// The same request is under way.
    InFlight,
    /// It was used for another request.
    OtherRequest,
    /// It was done: answer this.
    Done {
        /// HTTP status.
        status: u16,
        /// The body.
        response: Vec<u8>,
    },
}

impl Store {
    /// Begins a request under a key, or tells what became of it.
    pub async fn begin_key(&self, scope: &str, key: &str, request_hash: &str, now: Timestamp) -> Result<KeyUse, StoreError> {
        let (scope, key, request_hash) = (scope.to_owned(), key.to_owned(), request_hash.to_owned());
        step!(self, Fresh, move |tx| keys::begin(tx, &scope, &key, &request_hash, now))
    }

    /// Keeps the answer of a request, to be given again.
    pub async fn finish_key(&self, scope: &str, key: &str, status: u16, response: Vec<u8>) -> Result<(), StoreError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        step!(self, Urgent, move |tx| keys::finish(tx, &scope, &key, status, &response))
    }

    /// Forgets a key whose request was not done, so that it may be tried again.
    pub async fn forget_key(&self, scope: &str, key: &str) -> Result<(), StoreError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        step!(self, Urgent, move |tx| keys::forget(tx, &scope, &key))
    }
}
