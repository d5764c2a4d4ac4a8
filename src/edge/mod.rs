//! Edge: request → response, for carts, checkouts and orders.
//!
//! Owns    the server and its limits, the routes, the cart token, and the doing of committed effects (`perform`).
//! Always  a route has no rules and no SQL: it parses, asks `app`, prints.

pub mod app;
pub mod cart_token;
pub mod error;
pub mod http;
pub mod key_ring;
pub mod live;
pub mod middleware;
pub mod pages;
pub mod reply;
pub mod router;
pub mod routes;
pub mod server;
