//! Steps: what is done in one transaction, the same on every engine.
//!
//! Owns    the statements. They are written once, in words that every engine understands.
//! Always  what a step decides by is locked before it is looked at (`locks` says what, step by step).
//!         A step begins and ends no transaction, and may be run again where the one that held it was undone.

pub(super) mod aggregates;
pub(super) mod checkouts;
pub(super) mod comparisons;
pub(super) mod customers;
pub(super) mod desk;
pub(super) mod differences;
pub(super) mod disowned;
pub(super) mod disputes;
pub(super) mod erasures;
pub(super) mod facts;
pub(super) mod fulfillments;
pub(super) mod history;
pub(super) mod inbox;
pub(super) mod keys;
pub(super) mod letters;
pub(super) mod life;
mod locks;
pub(super) mod operators;
pub(super) mod orders;
pub(super) mod orphans;
pub(super) mod outbox;
pub(super) mod payments;
pub(super) mod people;
pub(super) mod promises;
pub(super) mod refunds;
pub(super) mod search;
pub(super) mod stock;
pub(super) mod subscribers;
pub(super) mod switches;
pub(super) mod withdrawals;
