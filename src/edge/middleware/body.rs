//! Body: read whole, within its route's bytes and the server's time.
//!
//! Limits  a body that is too long is thrown away up to `DISCARD_BYTES`, so that the client hears its 413 instead of a reset.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::edge::error::Failure;

/// What is read of a body that is refused anyway: enough for a client that sends a photo by mistake.
pub const DISCARD_BYTES: usize = 16 * 1024 * 1024;

/// The whole body.
///
/// Errors: 413 above `limit_bytes`, 408 after `timeout`, 400 where the connection or its framing breaks.
pub async fn read<B>(mut body: B, limit_bytes: usize, timeout: Duration) -> Result<Bytes, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let reading = collect(&mut body, limit_bytes);
    tokio::time::timeout(timeout, reading).await.unwrap_or(Err(Failure::SlowRequest))
}

async fn collect<B>(body: &mut B, limit_bytes: usize) -> Result<Bytes, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut kept = BytesMut::new();
    let mut seen = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::malformed("broken_body", "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > DISCARD_BYTES {
            break;
        }
        if seen <= limit_bytes {
            kept.extend_from_slice(&data);
        }
    }
    if seen > limit_bytes { Err(Failure::BodyTooLarge { limit_bytes }) } else { Ok(kept.freeze()) }
}
