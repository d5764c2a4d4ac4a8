//! Telemetry: what is counted and timed.
//!
//! Owns    counters and histograms of requests, in Prometheus' text format.
//! Knows   nothing of shops, and no customer data.

pub mod requests;
