//! Openapi: the HTTP contracts as documents, kept by hand beside this file: what the edge answers, and what a shop's own services do.
//!
//! Always  tests/it/openapi.rs holds it against the table of routes, and drives the server from its examples; tests/it/services.rs holds a service
//!         against the other.

/// The document, OpenAPI 3.1 in JSON.
pub const DOCUMENT: &str = include_str!("openapi.json");
/// What a pricing service has to answer, OpenAPI 3.1 in JSON.
pub const SERVICES: &str = include_str!("services.json");
