//! Commerce: the rules of selling. Values in, values out.
//!
//! Owns    money, ids, the catalogue, carts, prices, tax, shipping, promotions, stock sums and the checkout's states.
//! Knows   no clock, file, network, environment, thread or chance; whatever varies is an argument.
//! Always  integers in minor units; sorted, stable order; a total is the sum of its parts.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, clippy::float_arithmetic)]

pub mod address;
pub mod cart;
pub mod catalog;
pub mod checkout;
pub mod dispute;
#[cfg(test)]
pub(crate) mod fixture;
pub mod fulfillment;
pub mod history;
pub mod ids;
pub mod inventory;
pub mod language;
pub mod measure;
pub mod money;
pub mod order;
pub mod outside;
pub mod payment;
pub mod pricing;
pub mod problems;
pub mod promotion;
pub mod quote;
pub mod refund;
pub mod rules;
pub mod shipping;
pub mod tax;
pub mod withdrawal;
