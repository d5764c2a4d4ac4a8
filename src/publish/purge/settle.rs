//! Settle: what caches still hold, remembered on the target until they were told.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use super::Caller;
use crate::publish::PublishError;
use crate::publish::host::{Host, Over};
use crate::publish::job::read_json;
use crate::publish::lease::Lease;
use crate::publish::record::{FORMAT, OWED};
use crate::publish::upload::Progress;

/// Addresses that caches may hold older bytes of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Owed {
    format: u32,
    shop_id: String,
    urls: BTreeSet<String>,
}

/// How telling the caches ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settled {
    /// Addresses that were purged.
    pub purged: usize,
    /// Addresses that still have to be.
    pub owed: BTreeSet<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What is owed by now.
pub async fn owed(host: &Host, shop_id: &str) -> Result<BTreeSet<String>, PublishError> {
    let read = read_json::<Owed>(host, OWED, |owed| (owed.format, &owed.shop_id), shop_id).await?;
    Ok(read.map(|(owed, _)| owed.urls).unwrap_or_default())
}

/// Owes more.
pub async fn owe(host: &Host, shop_id: &str, urls: BTreeSet<String>) -> Result<(), PublishError> {
    let before = owed(host, shop_id).await?;
    let all: BTreeSet<String> = before.union(&urls).cloned().collect();
    if all == before { Ok(()) } else { write(host, shop_id, &all).await }
}

async fn write(host: &Host, shop_id: &str, urls: &BTreeSet<String>) -> Result<(), PublishError> {
    if urls.is_empty() {
        return host.delete_private(OWED).await;
    }
    let owed = Owed { format: FORMAT, shop_id: shop_id.to_owned(), urls: urls.clone() };
    let bytes = serde_json::to_vec(&owed).expect("a list is plain data");
    host.write_private(OWED, bytes.into(), Over::Anything).await.map(drop)
}

/// Tells the caches what is owed, and strikes off what they took. It ends at the first refusal: the rest stays owed.
///
/// Errors: the target cannot be read or written, or belongs to another job by now.
pub async fn settle(
    caller: &Caller,
    (host, lease): (&Host, &Lease),
    (shop_id, publication): (&str, u64),
    progress: Progress<'_>,
) -> Result<Settled, PublishError> {
    let mut settled = Settled { owed: owed(host, shop_id).await?, ..Settled::default() };
    let total = settled.owed.len();
    if total == 0 {
        return Ok(settled);
    }
    progress("addresses to purge", 0, total);
    let calls = caller.cdn.groups(&settled.owed).into_iter().map(|group| async move {
        lease.check()?;
        let answer = caller.call(&group, publication).await;
        Ok::<_, PublishError>((group, answer))
    });
    let mut calls = Box::pin(stream::iter(calls).buffered(caller.cdn.at_once()));
    while let Some(called) = calls.next().await {
        let (group, answer) = called?;
        if let Err(reason) = answer {
            settled.refused = Some(reason);
            break;
        }
        for url in &group {
            settled.owed.remove(url);
        }
        settled.purged = total - settled.owed.len();
        progress("addresses to purge", settled.purged, total);
    }
    drop(calls);
    failpoint!("PURGED");
    write(host, shop_id, &settled.owed).await?;
    Ok(settled)
}
