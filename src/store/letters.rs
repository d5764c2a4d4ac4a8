//! Letters: what customers are written, promised with what it tells of and sent by the edge.
//!
//! Always  a letter is promised once for each thing; it is claimed for a while, so that two edges do not send it at once, and due again
//!         where its worker dies or the mail server does not take it.

use super::steps::letters;
use super::{Lane, Store, StoreError};
use crate::commerce::ids::{OrderId, Timestamp};

/// Kinds of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterKind {
    /// Units of an order are on their way; subject: fulfillment.
    Sent,
    /// A declaration of withdrawal was received; subject: withdrawal.
    Withdrawal,
}

impl LetterKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sent, Self::Withdrawal];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// A letter to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its place.
    pub id: i64,
    /// What it tells of.
    pub kind: LetterKind,
    /// Which one of these.
    pub subject: String,
    /// Whose customer it goes to.
    pub order: OrderId,
    /// How often it was tried before.
    pub tries: u32,
}

impl Store {
    /// Takes letters that are due for a while, the oldest first.
    pub async fn claim_letters(
        &self,
        owner: &str,
        limit: u32,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Letter>, StoreError> {
        let owner = owner.to_owned();
        step!(self, Urgent, move |tx| letters::claim(tx, &owner, limit, now, until))
    }

    /// A letter was taken by the mail server, or has nothing to tell any more.
    pub async fn finish_letter(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        step!(self, Urgent, move |tx| letters::finish(tx, id, now))
    }

    /// Puts a letter back, to be due later and later: 1 s doubled up to 15 min.
    pub async fn retry_letter(&self, id: i64, error: &str, now: Timestamp) -> Result<(), StoreError> {
        let error = error.to_owned();
        step!(self, Urgent, move |tx| letters::retry(tx, id, &error, now))
    }

    /// When a letter was sent; `None`: it waits, or was never promised.
    pub async fn letter_sent_at(&self, kind: LetterKind, subject: &str) -> Result<Option<Timestamp>, StoreError> {
        let subject = subject.to_owned();
        look!(self, move |tx| letters::sent_at(tx, kind, &subject))
    }

    /// Has a letter written once more, with the same `Message-ID`.
    ///
    /// Errors: `WrongState` where none was promised.
    pub async fn write_again(&self, kind: LetterKind, subject: &str, now: Timestamp) -> Result<(), StoreError> {
        let subject = subject.to_owned();
        step!(self, Fresh, move |tx| letters::again(tx, kind, &subject, now))
    }
}
