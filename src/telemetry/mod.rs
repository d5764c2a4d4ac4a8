//! Telemetry: what is counted and timed.
//!
//! Owns    counters and histograms of requests, of what limits them and of what the process takes, and how far subscribers are behind, in
//!         Prometheus' text format; what is promised of them; what pages tell of themselves, and what became of carts, by the hour.
//! Knows   nothing of shops, and no customer data.

pub mod beacons;
pub mod cells;
pub mod limits;
pub mod process;
pub mod report;
pub mod requests;
pub mod services;
pub mod slo;
pub mod subscribers;
pub mod tally;
pub mod vitals;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

/// Several registries as one page in Prometheus' text format. No two of them name the same series.
pub fn page(registries: &[&Registry]) -> String {
    let mut text = String::new();
    for registry in registries {
        encode_registry(&mut text, registry).expect("a String takes every write");
    }
    encode_eof(&mut text).expect("a String takes every write");
    text
}
