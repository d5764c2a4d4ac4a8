//! Comparisons: how far the gateway's lists were read, so that whoever is interrupted goes on there.
//!
//! Always  what a page led to and the place after it are one commit; whoever finds that another process got on meanwhile keeps no place.

use super::event::NewEvent;
use super::orphans::{Orphan, Reconciliation};
use super::steps::comparisons;
use super::{Lane, Store, StoreError};
use crate::commerce::ids::{AttemptId, Timestamp};
use crate::commerce::payment::Attempt;

/// A comparison of the gateway's payments with ours that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Since when payments are listed.
    pub since: Timestamp,
    /// When it began.
    pub begun_at: Timestamp,
    /// Whether nobody pays before it is whole.
    pub is_in_doubt: bool,
    /// The gateway's name to go on after; empty: at the newest.
    pub place: String,
    /// Whether the list was read to its end.
    pub is_listed: bool,
    /// When it last got on.
    pub seen_at: Timestamp,
    /// How many payments were compared so far.
    pub compared: u32,
    /// How many of them nobody knew here.
    pub orphans: u32,
    /// How many both know and are not the same.
    pub different: u32,
    /// How many are further than our rows can have brought them.
    pub ahead: u32,
}

/// What came of a page.
#[derive(Clone, Debug, Default)]
pub struct Leaf {
    /// The name to go on after; `None`: the list ends here.
    pub next: Option<String>,
    /// How many payments.
    pub compared: u32,
    /// How many both know and are not the same.
    pub different: u32,
    /// How many are further than our rows can have brought them.
    pub ahead: u32,
    /// Payments that no attempt is of.
    pub found: Vec<Orphan>,
    /// Attempts of which it is known now whether both sides are the same.
    pub looked_at: Vec<AttemptId>,
    /// Attempts that it is about, and whether their money moved.
    pub seen: Vec<(AttemptId, bool)>,
}

/// How far the gateway's events were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// What happened before was read.
    pub since: Timestamp,
    /// When the reading under way began; `None`: none is.
    pub begun_at: Option<Timestamp>,
    /// The name it goes on after; empty: at the newest.
    pub place: String,
}

impl Store {
    /// The comparison that is under way.
    pub async fn comparison(&self, gateway: &str) -> Result<Option<Comparison>, StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| comparisons::under_way(tx, &gateway))
    }

    /// Begins one anew, in the place of whatever was under way.
    pub async fn begin_comparison(
        &self,
        gateway: &str,
        since: Timestamp,
        is_in_doubt: bool,
        now: Timestamp,
    ) -> Result<Comparison, StoreError> {
        let gateway = gateway.to_owned();
        step!(self, Urgent, move |tx| comparisons::begin(tx, &gateway, since, is_in_doubt, now))
    }

    /// Keeps what came of a page, and the place after it; gives how it stands then. `None`: another process got on meanwhile. What was
    /// found is kept even so.
    pub async fn keep_leaf(
        &self,
        gateway: &str,
        from: &Comparison,
        leaf: Leaf,
        now: Timestamp,
    ) -> Result<Option<Comparison>, StoreError> {
        let (gateway, from) = (gateway.to_owned(), from.clone());
        step!(self, Urgent, move |tx| comparisons::keep(tx, &gateway, &from, &leaf, now))
    }

    /// Attempts that our ledger says were taken by then and that the comparison did not come across, at most so many.
    pub async fn not_compared(
        &self,
        gateway: &str,
        since: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Attempt>, StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| comparisons::not_compared(tx, &gateway, since, until, limit))
    }

    /// It is whole: what came of it is kept. Attempts whose money moved are still to have their turn.
    pub async fn end_comparison(&self, gateway: &str, done: Reconciliation) -> Result<(), StoreError> {
        let gateway = gateway.to_owned();
        step!(self, Urgent, move |tx| comparisons::end(tx, &gateway, &done))
    }

    /// It is begun anew next time.
    pub async fn drop_comparison(&self, gateway: &str) -> Result<(), StoreError> {
        let gateway = gateway.to_owned();
        step!(self, Urgent, move |tx| comparisons::forget(tx, &gateway))
    }

    /// Attempts whose money moved, by what the last comparison came across, at most so many.
    pub async fn moved_attempts(&self, limit: u32) -> Result<Vec<Attempt>, StoreError> {
        look!(self, move |tx| comparisons::moved(tx, limit))
    }

    /// They had their turn.
    pub async fn attempts_moved_on(&self, attempts: Vec<AttemptId>) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| comparisons::moved_on(tx, &attempts))
    }

    /// How far the gateway's events were read; `None`: they never were.
    pub async fn catch_up(&self, gateway: &str) -> Result<Option<CatchUp>, StoreError> {
        let gateway = gateway.to_owned();
        look!(self, move |tx| comparisons::caught_up(tx, &gateway))
    }

    /// Keeps events of a page, each once, and how far they were read. Gives how many are new, and whether nobody else got on meanwhile.
    pub async fn keep_missed_events(
        &self,
        gateway: &str,
        events: Vec<NewEvent>,
        from: String,
        read: CatchUp,
        now: Timestamp,
    ) -> Result<(usize, bool), StoreError> {
        let gateway = gateway.to_owned();
        step!(self, Urgent, move |tx| comparisons::keep_missed(tx, &gateway, &events, &from, &read, now))
    }
}
