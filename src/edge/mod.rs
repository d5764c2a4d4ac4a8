//! Edge: request → response, for carts, checkouts and orders.
//!
//! Owns    the server and its limits, the routes, the cart token, and the doing of committed effects (`perform`).
//! Always  a route has no rules and no SQL: it parses, asks `app`, prints.

pub mod app;
pub mod bundle_file;
pub mod cart_reply;
pub mod cart_token;
pub mod carts;
pub mod checkout_reply;
pub mod checkouts;
pub mod counted;
pub mod desk;
pub mod drafts;
pub mod error;
pub mod front;
pub mod http;
pub mod idempotency;
pub mod input;
pub mod key_ring;
pub mod limits;
pub mod live;
pub mod middleware;
pub mod openapi;
pub mod operator;
pub mod outcomes;
pub mod pages;
pub mod payable;
pub mod perform;
pub mod pointed;
pub mod pulse;
pub mod reply;
pub mod router;
pub mod routes;
pub mod server;
pub mod session;
pub mod words;
