//! Openapi: the HTTP contract as a document, kept by hand in openapi.json beside this file.
//!
//! Always  tests/it/openapi.rs holds it against the table of routes, and drives the server from its examples.

/// The document, OpenAPI 3.1 in JSON.
pub const DOCUMENT: &str = include_str!("openapi.json");
