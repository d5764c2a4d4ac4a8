//! Routes: parse → command, reply → bytes. No rules and no SQL in here.

pub mod availability;
pub mod beacon;
pub mod cart;
pub mod cart_pages;
pub mod checkout;
pub mod checkout_pages;
pub mod orders;
pub mod webhook;
pub mod withdraw;
