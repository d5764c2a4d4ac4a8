//! Integration tests: one binary, so that the house is linked once. A module per capability.

mod edge_bundle;
mod edge_cart;
mod edge_cli;
mod edge_http;
mod openapi;
mod support;
mod theme;
