//! Theme: what both wings print with.
//!
//! Owns    the Tera set-up with its filters, texts and locales, the values pages are printed from (`view`), and the bundle's format and
//!         signature.
//! Knows   `commerce` only, and no file system save the files embedded at compile time.

pub mod bundle;
pub mod countries;
pub mod engine;
pub mod filters;
pub mod locale;
pub mod look;
pub mod policy;
mod scan;
pub mod texts;
pub mod view;
