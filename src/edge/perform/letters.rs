//! Letters: what customers were promised to be written is written, tried again later and later, and crossed off when it is done.
//!
//! Limits  CLAIM_ROWS at a time, each for CLAIM_SECONDS.

use std::sync::Arc;

use super::Till;
use super::mail::customer::Desk;
use super::mail::{Letter as Mail, MailError};
use crate::edge::app::App;
use crate::store::StoreError;
use crate::store::letters::{Letter, LetterKind};

/// Letters taken at once.
const CLAIM_ROWS: u32 = 16;
/// Seconds after which a letter whose worker died is due again; longer than a mail server is waited for.
const CLAIM_SECONDS: i64 = 120;

/// Sends the letters that are due; gives how many were taken.
///
/// Errors: the store cannot be used.
pub(super) async fn deliver(app: &Arc<App>, till: &Arc<Till>) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let letters = till.store.claim_letters(&till.owner, CLAIM_ROWS, now, now.plus_seconds(CLAIM_SECONDS)).await?;
    let count = letters.len();
    let mut work = tokio::task::JoinSet::new();
    for letter in letters {
        let (app, till) = (app.clone(), till.clone());
        work.spawn(async move { one(&app, &till, &letter).await });
    }
    while let Some(ended) = work.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a letter panicked; it is due again later");
        }
    }
    Ok(count)
}

async fn one(app: &App, till: &Till, letter: &Letter) {
    let sent = match written(app, till, letter).await {
        Ok(Some(Ok(mail))) => till.send(&mail).await.map_err(|error| error.to_string()),
        Ok(Some(Err(error))) => Err(error.to_string()),
        // What it told of is not so any more.
        Ok(None) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    let now = app.clock.now();
    let crossed_off = match sent {
        Ok(()) => till.store.finish_letter(letter.id, now).await,
        Err(error) => {
            let (kind, tries) = (letter.kind.name(), letter.tries + 1);
            tracing::warn!(error, kind, subject = letter.subject, tries, "a letter is put off");
            till.store.retry_letter(letter.id, &error, now).await
        }
    };
    if let Err(error) = crossed_off {
        tracing::error!(%error, subject = letter.subject, "a letter was not crossed off; it is sent again");
    }
}

async fn written(app: &App, till: &Till, letter: &Letter) -> Result<Option<Result<Mail, MailError>>, StoreError> {
    let order = till.store.order(&letter.order).await?;
    // Nobody is left to write to where whoever bought was erased.
    let Some(order) = order.filter(|order| order.erased_at.is_none()) else { return Ok(None) };
    let live = app.live.load_full();
    let desk = Desk { live: &live, keys: &app.keys, order: &order };
    let id = format!("{}-{}", letter.kind.name(), letter.subject);
    Ok(match letter.kind {
        LetterKind::Sent => {
            let sent = till.store.fulfillment(&letter.subject).await?.filter(|sent| sent.undone_at.is_none());
            sent.map(|sent| desk.sent(&sent).and_then(|page| desk.letter(&page, &id, sent.created_at)))
        }
        LetterKind::Withdrawal => {
            let declared = till.store.withdrawal(&letter.subject).await?;
            declared.map(|one| desk.withdrawal(&one).and_then(|page| desk.letter(&page, &id, one.created_at)))
        }
    })
}
