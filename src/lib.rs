//! Vitrine: a shop whose catalogue is static and whose cart is not.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the lists in .clippy.toml fence `commerce` alone; it denies them itself"
)]

pub mod cli;
pub mod commerce;
pub mod edge;
pub mod gateway;
pub mod site;
pub mod telemetry;
pub mod theme;
