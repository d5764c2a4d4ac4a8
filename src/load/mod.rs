//! Load: shoppers who come at a stated rate, whatever the shop answers, and what that was like for them.
//!
//! Owns    scenarios, arrivals, the client, what is measured, thresholds and the report; what capacity follows from it.
//! Knows   the shop from outside alone, by its sitemap and its HTTP contract; of the other rooms only how a problem is told.
//! Always  an answer's time counts from when its shopper meant to ask, so what a stalled shop holds up is seen; every shopper who was to
//!         come is in the report exactly once, also who was not let in because too many were inside.
//! Limits  hosts that were named, and this machine; shoppers inside, connections, bytes of an answer, what is remembered.

pub mod arrivals;
pub mod capacity;
mod charts;
pub mod client;
pub mod cost;
mod draw;
pub mod measure;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod shop;
pub mod shopper;
pub mod target;
pub mod threshold;
pub mod written;
