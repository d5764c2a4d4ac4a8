//! Remove: a preview goes, whole, and nothing beside it.
//!
//! Always  pages go before what they are made of, and the record last: what a killed job leaves is still listed, and goes by the next.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::PublishError;
use super::host::{Host, Listed};
use super::lease::Lease;
use super::record::{LEASE, RECORD};
use super::target::Target;
use super::upload::{AT_ONCE, Progress};
use crate::site::manifest::CacheClass;

/// What is in a preview: its public objects in the order in which they go.
pub async fn public(host: &Host, preview: &Target) -> Result<Vec<Listed>, PublishError> {
    assert!(!preview.prefix.is_empty(), "a preview lies below a prefix: a whole target is never removed");
    let mut listed = host.list_public().await?;
    let below = format!("{}/", host.key("").trim_end_matches('/'));
    let is_asset =
        |listed: &Listed| CacheClass::of(listed.name.strip_prefix(&below).unwrap_or_default()) == CacheClass::Immutable;
    listed.sort_by_cached_key(|listed| (is_asset(listed), listed.name.clone()));
    Ok(listed)
}

/// Removes public objects, in their order.
pub async fn remove_public(host: &Host, lease: &Lease, all: &[Listed], progress: Progress<'_>) -> Result<(), PublishError> {
    progress("objects to remove", 0, all.len());
    let mut removals = stream::iter(all)
        .map(|listed| async move {
            lease.check()?;
            host.delete_listed(listed).await
        })
        .buffered(AT_ONCE);
    let mut done = 0;
    while removals.try_next().await?.is_some() {
        done += 1;
        progress("objects to remove", done, all.len());
    }
    Ok(())
}

/// Removes what edges and jobs read, the record last and the lease not: it is given back.
pub async fn remove_private(host: &Host, lease: &Lease) -> Result<(), PublishError> {
    for listed in host.list_private("").await? {
        if ![RECORD, LEASE, "lock"].contains(&listed.name.as_str()) {
            lease.check()?;
            host.delete_private(&listed.name).await?;
        }
    }
    lease.check()?;
    host.delete_private(RECORD).await
}
