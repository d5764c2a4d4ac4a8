//! Middleware: what is done for every request before and after its route.

pub mod body;
pub mod csrf;
pub mod headers;
