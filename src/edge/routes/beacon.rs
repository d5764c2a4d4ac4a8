//! Beacon route: a page tells how it was.
//!
//! Limits  BODY_LIMIT bytes; BURST at once and RATE a second from one network, where the shop says what stands before the edge; BURST_OF_ALL and
//!         RATE_OF_ALL from all together, whoever they are.
//! Always  204 for whatever is well-formed enough to be read, so that nobody learns what is counted; what no page of ours sends is dropped
//!         and counted as such. Address, browser and cookies are not looked at: no header reaches the counting.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::edge::app::App;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};
use crate::telemetry::beacons::Lost;
use crate::telemetry::vitals::Beacon;

/// What a page says takes under 250 bytes.
pub const BODY_LIMIT: usize = 1024;
/// Pages of one network at once: a crowd behind one address of a mobile network opens a sale.
pub const BURST: u32 = 2_000;
/// Pages a second from then on: some thousand people who look around.
pub const RATE: u32 = 50;

/// Pages of everybody at once.
pub const BURST_OF_ALL: u32 = 10_000;
/// Pages a second from then on: more than a shop's peak has, and a few percent of a processor. Of more than that a sample is as good.
pub const RATE_OF_ALL: u32 = 1_000;

/// `POST beacon`.
pub async fn hear(app: Arc<App>, call: Call) -> Result<Reply, Failure> {
    let live = app.live.load();
    let markets = &live.bundle.rules.markets;
    let beacon = Beacon::parse(&call.body).filter(|beacon| markets.iter().any(|market| market.id.as_str() == beacon.market));
    match beacon {
        Some(beacon) => app.tally.see(&beacon, app.clock.now().0),
        None => app.tally.metrics.lose(Lost::Forged),
    }
    Ok(Reply { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Bytes::new() })
}
