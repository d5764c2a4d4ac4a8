//! Webhook: what a gateway says, taken at its word only to look.
//!
//! Always  the signature is over the raw bytes; what is proven is on disk before the gateway hears 204, and nothing is done before that.
//! Source  CHECKOUT.md 5.4.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;

use crate::edge::app::App;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::edge::perform::inbox::HookError;
use crate::gateway::event::NotHeard;
use crate::theme::texts::Say;

/// Most bytes of an event.
pub const HOOK_LIMIT: usize = 256 * 1024;

/// `POST webhooks/{gateway}`.
pub async fn hear(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let unavailable = |code, detail: &str| Failure::Unavailable { code, detail: Say::to_programs(detail), retry_after_s: 60 };
    let till = app.till.clone().ok_or_else(|| unavailable("checkout_closed", "this shop takes no payments right now"))?;
    // Whoever sends it may not wait for the answer; what was proven is kept all the same.
    let metrics = app.clone();
    let heard = tokio::spawn(async move { till.hear(&app, call.param("gateway"), &call.headers, &call.body).await });
    match heard.await {
        Ok(Ok(())) => Ok(Reply { status: StatusCode::NO_CONTENT, headers: http::HeaderMap::new(), body: Bytes::new() }),
        Ok(Err(HookError::OtherGateway | HookError::NotHeard(NotHeard::NoWebhooks))) => {
            Err(Failure::not_found(Say::to_programs("this shop has no such gateway")))
        }
        Ok(Err(HookError::NotHeard(NotHeard::NoSecret))) => {
            tracing::error!("a webhook came, and no secret is set to prove it by");
            Err(unavailable("webhooks_closed", "no webhook secret is set"))
        }
        Ok(Err(HookError::NotHeard(error @ NotHeard::NotNow))) => {
            metrics.metrics.record_hook_not_of_now();
            tracing::warn!(%error, "a webhook was not believed; where many are not, this machine's clock is wrong");
            Err(Failure::malformed("bad_signature", error.to_string()))
        }
        Ok(Err(HookError::NotHeard(error))) => {
            tracing::warn!(%error, "a webhook was not believed");
            Err(Failure::malformed("bad_signature", error.to_string()))
        }
        Ok(Err(HookError::Store(error))) => {
            tracing::error!(%error, "a webhook could not be kept; the gateway sends it again");
            Err(unavailable("checkout_unavailable", "the event could not be kept; send it again"))
        }
        Err(error) => {
            tracing::error!(%error, "a webhook broke off");
            Err(Failure::Bug)
        }
    }
}
