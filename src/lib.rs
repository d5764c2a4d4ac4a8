//! Vitrine: a shop whose catalogue is static and whose cart is not.
//!
//! `vitrine build` turns content into two things: `public/`, plain files for a CDN, and `shop.bundle`, one signed file for the edge.
//! `vitrine edge` is a small server that prices carts and takes orders out of that bundle. The two never talk to each other. They
//! share the core and the theme, so the price on a page and the price in a cart are one function's answer, printed by one filter.
//!
//! # The house
//!
//! One package, a library and a binary. A room is a folder under `src/`; the header of its `mod.rs` says what it owns.
//!
//! | room | owns | may import |
//! |---|---|---|
//! | `commerce` | the rules of selling: money, catalogue, cart, pricing, tax, shipping, promotions, checkout. Pure | nothing of ours |
//! | `theme` | what both wings print with: templates, filters, texts, the bundle's format and signature | `commerce` |
//! | `site` | content → `public/`: load, plan, render, write; the developer's server | `commerce`, `theme`, `telemetry` |
//! | `publish` | a finished build → a bucket or folder: plan, order, rollback | `commerce`, `theme`, `site` |
//! | `recipe` | what stands around a shop, written for it: hosts, CI, machines | `theme`, `site`, `publish`, `edge` |
//! | `store` | what must survive a crash; the same methods for every engine | `commerce` |
//! | `gateway` | who moves money; the same shape for every provider | `commerce` |
//! | `edge` | request → response: server, routes, cart token, the doing of committed effects | `commerce`, `theme`, `store`, `telemetry` |
//! | `load` | shoppers who come at a stated rate, and what that was like for them; knows the shop from outside | `site` (how problems are told) |
//! | `telemetry` | counters, histograms, reports | nothing of ours |
//! | `config` | `site.toml` → one typed section per room; read by `cli` and tests alone | section types of every room |
//! | `cli` | one thin file per subcommand; wires rooms and prints | everything |
//!
//! `faults` is no room: macros that every room may use, failpoints, planted bugs and shuffled folders, which are nothing in a release.
//!
//! `edge` meets `gateway` in two places only: `edge/perform`, which does what was committed, and `edge/routes/webhook.rs`, which hears
//! what the gateway says. `tests/tidy.rs` reads every path and fails on a breach of this table.
//!
//! # The data's three ways
//!
//! 1. **Page.** load (content and `site.toml` → [`commerce::catalog::Catalog`], problems) → plan (→ pages) → which are stale? →
//!    render (→ bytes, in parallel) → write (→ `public/`). Each phase takes a value and gives the next; nothing is fetched backwards.
//! 2. **Request.** A route parses → a command → `edge::app` loads state and facts → `commerce` decides → the store commits → a reply →
//!    the route renders it as JSON or HTML. A route has no rules and no SQL. A cart is not a row: it is a signed token the shopper
//!    keeps ([`edge::cart_token`]), changed by [`commerce::cart::Cart::apply`], priced anew each time.
//! 3. **Checkout.** decide → commit → perform. One transaction writes the order, the reservation of stock and the effect to do; only
//!    a committed effect lets `edge/perform` call the gateway, under a key made from stored rows; the answer comes back as the next
//!    command. A crash anywhere leaves a row to redo. A card is never charged without an order.
//!
//! # Where to start reading
//!
//! - What does it cost? [`commerce::pricing::price_cart`], and [`commerce::catalog::Price::at`] for a single unit.
//! - What may a shopper do to a cart? [`commerce::cart::CartCommand`].
//! - What crosses from build to edge? [`theme::bundle`]; what does a template see? [`theme::view`].
//! - What does the edge answer? `edge/router.rs` holds every route in one table, [`edge::reply`] every answer's shape.
//! - What is answered while something is down, slow or wrong? [`edge::outcomes`].
//! - Which commands are there? [`cli`].
//!
//! # What always holds
//!
//! - Money is an integer in its currency's minor unit; totals are made by `pricing` alone, and their parts add up exactly.
//! - The core is given the instant and every fresh id; it reads no clock and draws no lots. The same input builds the same bytes.
//! - A refusal (`…Rejection`) is expected and shown to the shopper; an error is the world's fault and says whether to try again; a
//!   panic is our own fault.
//! - What comes from outside has a limit, which is a named constant with its reason.

#[macro_use]
pub mod faults;

pub mod cli;
pub mod commerce;
pub mod config;
pub mod edge;
pub mod gateway;
pub mod load;
pub mod publish;
pub mod recipe;
pub mod site;
pub mod store;
pub mod telemetry;
pub mod theme;
