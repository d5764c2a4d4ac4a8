//! Integration tests: one binary, so that the house is linked once. A module per capability.

mod accounts;
mod beacon;
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
mod desk;
mod desk_cli;
mod desk_forms;
mod determinism;
mod dialects;
mod diff;
mod disputes;
mod edge_bundle;
mod edge_cart;
mod edge_cli;
mod edge_front;
mod edge_http;
mod edge_pause;
mod exports;
mod facets;
#[path = "../faulty/mod.rs"]
#[expect(unreachable_pub, reason = "`pub` tells what the gateway offers to tests from what it keeps")]
mod faulty;
mod feeds;
mod fulfilment;
mod hostile;
mod images;
mod incremental;
#[cfg(feature = "faults")]
mod killed;
mod languages;
mod late_money;
mod law;
mod letters;
mod limits;
mod load;
mod locales;
mod look;
#[cfg(feature = "faults")]
#[path = "../sim/luck.rs"]
#[expect(dead_code, unreachable_pub, reason = "the simulation draws more than builds do")]
mod luck;
mod makers;
mod matrix;
mod measures;
mod one_price;
mod openapi;
mod orders;
mod orders_cli;
mod person;
mod policy;
mod precompress;
mod previews;
mod prices;
mod promotions;
mod publish;
mod publish_trouble;
mod purge;
mod readme;
mod recipe;
mod reconcile;
mod refunds;
mod report;
mod restore;
mod restore_long;
mod schedule;
mod search;
mod second_thoughts;
mod serve;
mod services;
mod shelf;
mod shops;
mod shortcodes;
mod signatures;
mod sources;
mod statements;
mod stock;
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
mod withdrawal;
