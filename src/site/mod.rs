//! Site: content → public/.
pub mod serve;
