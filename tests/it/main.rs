//! Integration tests: one binary, so that the house is linked once. A module per capability.

mod build;
mod catalogues;
mod check;
mod checkout;
mod checkout_restart;
#[expect(unreachable_pub, reason = "`pub` tells what a module of the suite offers from what it keeps")]
mod conformance;
mod content;
mod costs;
mod data;
mod diff;
mod edge_bundle;
mod edge_cart;
mod edge_cli;
mod edge_front;
mod edge_http;
mod edge_pause;
mod facets;
#[path = "../faulty/mod.rs"]
#[expect(unreachable_pub, reason = "`pub` tells what the gateway offers to tests from what it keeps")]
mod faulty;
mod feeds;
mod hostile;
mod images;
mod incremental;
mod languages;
mod law;
mod limits;
mod look;
mod makers;
mod matrix;
mod measures;
mod openapi;
mod orders;
mod orders_cli;
mod policy;
mod precompress;
mod previews;
mod prices;
mod publish;
mod purge;
mod readme;
mod recipe;
mod reconcile;
mod refunds;
mod restore;
mod schedule;
mod search;
mod serve;
mod shops;
mod shortcodes;
mod signatures;
mod sources;
mod statements;
mod store;
mod stripe;
mod stripe_api;
mod stripe_element;
mod subscribers;
mod subscribers_cli;
#[expect(unreachable_pub, reason = "`pub` tells what a support module offers from what it keeps")]
mod support;
mod texts;
mod theme;
mod trouble;
mod webhooks;
