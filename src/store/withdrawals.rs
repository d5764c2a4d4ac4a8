//! Withdrawals: what customers declare, kept for the house.
//!
//! Always  the same declaration again is the one that is there; it is written with its acknowledgement and with what the merchant's own
//!         systems are told.

use super::steps::withdrawals;
use super::{Lane, Store, StoreError};
use crate::commerce::ids::{OrderId, Timestamp};
use crate::commerce::withdrawal::{Proof, Withdrawal};

impl Store {
    /// Keeps a declaration, and promises its acknowledgement. Gives it as it is kept; `None`: there are as many as an order may have.
    pub async fn withdraw(&self, declared: Withdrawal, proof: Proof) -> Result<Option<Withdrawal>, StoreError> {
        step!(self, Fresh, move |tx| withdrawals::keep(tx, &declared, proof))
    }

    /// Declarations about an order, the oldest first.
    pub async fn withdrawals(&self, order: &OrderId) -> Result<Vec<Withdrawal>, StoreError> {
        let order = order.clone();
        look!(self, move |tx| withdrawals::of_order(tx, &order))
    }

    /// One of them.
    pub async fn withdrawal(&self, id: &str) -> Result<Option<Withdrawal>, StoreError> {
        let id = id.to_owned();
        look!(self, move |tx| withdrawals::by_id(tx, &id))
    }

    /// Those that nobody has dealt with, the oldest first, at most `limit`.
    pub async fn open_withdrawals(&self, limit: u32) -> Result<Vec<Withdrawal>, StoreError> {
        look!(self, move |tx| withdrawals::open(tx, limit))
    }

    /// The house has dealt with a declaration. Gives whether there was one of that name that waited.
    pub async fn handle_withdrawal(&self, id: &str, note: &str, now: Timestamp) -> Result<bool, StoreError> {
        let (id, note) = (id.to_owned(), note.to_owned());
        step!(self, Fresh, move |tx| withdrawals::handle(tx, &id, &note, now))
    }
}
