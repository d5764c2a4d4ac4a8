//! Routes: parse → command, reply → bytes. No rules and no SQL in here.

pub mod cart;
