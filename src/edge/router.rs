//! Router: every route in one table.
//!
//! Owns    `ROUTES`: method, pattern, body limit, cache class, guard and function of each route; 404 and 405 with `Allow`.
//! Always  HEAD is answered as GET without a body; a path is one route's only.

use http::Method;

use super::http::Handler;
use super::limits::shed::Weight;
use super::routes::{availability, beacon, cart, cart_pages, checkout, checkout_pages, orders, webhook, withdraw};
use crate::telemetry::slo::Area;

/// How an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// API answers.
    NoStore,
    /// Pages: the back button works, a proxy keeps nothing.
    PrivateNoCache,
    /// Pages that show an address.
    PrivateNoStore,
    /// By a CDN, for so many seconds, and by no browser.
    Shared {
        /// How long.
        seconds: u32,
    },
}

/// Who may send an unsafe request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Our own pages and programs; foreign pages are refused (CSRF).
    SameSite,
    /// Anyone: the route proves the request by a signature of its own (return from a gateway).
    SignedByCaller,
    /// A gateway, which may ask the edge itself instead of the shop's host: its signature is its proof.
    SignedByGateway,
}

/// A route.
#[derive(Debug)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path with `{names}`.
    pub pattern: &'static str,
    /// Most bytes of a body; 0: a body is read and must be empty.
    pub body_limit: usize,
    /// How its answers may be kept.
    pub cache: Cache,
    /// Who may send it.
    pub guard: Guard,
    /// When it is refused under load.
    pub weight: Weight,
    /// Its function.
    pub handler: Handler,
}

/// A JSON body of a cart or checkout command is far smaller.
pub const JSON_LIMIT: usize = 16 * 1024;
/// A form holds at most a few texts.
pub const FORM_LIMIT: usize = 16 * 1024;

impl Route {
    const fn get(pattern: &'static str, handler: Handler) -> Self {
        Self {
            method: Method::GET,
            pattern,
            body_limit: 0,
            cache: Cache::NoStore,
            guard: Guard::SameSite,
            weight: Weight::Vital,
            handler,
        }
    }

    const fn send(method: Method, pattern: &'static str, handler: Handler) -> Self {
        Self {
            method,
            pattern,
            body_limit: JSON_LIMIT,
            cache: Cache::NoStore,
            guard: Guard::SameSite,
            weight: Weight::Vital,
            handler,
        }
    }

    const fn page(pattern: &'static str, handler: Handler) -> Self {
        Self::get(pattern, handler).kept(Cache::PrivateNoCache)
    }

    const fn form(pattern: &'static str, handler: Handler) -> Self {
        let body_limit = FORM_LIMIT;
        Self {
            method: Method::POST,
            pattern,
            body_limit,
            cache: Cache::PrivateNoCache,
            guard: Guard::SameSite,
            weight: Weight::Vital,
            handler,
        }
    }

    const fn returning(method: Method, pattern: &'static str, handler: Handler) -> Self {
        let (body_limit, guard) = (FORM_LIMIT, Guard::SignedByCaller);
        Self { method, pattern, body_limit, cache: Cache::PrivateNoStore, guard, weight: Weight::Vital, handler }
    }

    const fn hook(pattern: &'static str, handler: Handler) -> Self {
        let (body_limit, guard) = (webhook::HOOK_LIMIT, Guard::SignedByGateway);
        Self { method: Method::POST, pattern, body_limit, cache: Cache::NoStore, guard, weight: Weight::Vital, handler }
    }

    const fn beacon(pattern: &'static str, handler: Handler) -> Self {
        let (body_limit, guard) = (beacon::BODY_LIMIT, Guard::SameSite);
        Self { method: Method::POST, pattern, body_limit, cache: Cache::NoStore, guard, weight: Weight::Beacon, handler }
    }

    /// Its name in metrics: `METHOD pattern`.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.pattern)
    }

    /// What it is a part of; `None`: of nothing that is promised.
    pub fn area(&self) -> Option<Area> {
        let path = self.pattern.strip_prefix("/api/v1").unwrap_or(self.pattern);
        let has = |word: &str| path.split('/').any(|part| part == word);
        Some(match path.split('/').nth(1) {
            Some("beacon") => return None,
            Some("availability") => Area::Availability,
            Some("cart") => Area::Cart,
            Some("orders") => Area::Orders,
            Some("webhooks") => Area::Webhooks,
            _ if has("payment") || has("return") => Area::Payment,
            _ => Area::Checkout,
        })
    }

    const fn weighs(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    const fn kept(mut self, cache: Cache) -> Self {
        self.cache = cache;
        self
    }
}

/// What the edge answers, each with all below it: a host leads these to it, and nothing else.
pub const PATHS: [&str; 4] = ["/api", "/cart", "/checkout", "/orders"];

/// The largest body that any route reads.
pub fn largest_body() -> usize {
    ROUTES.iter().map(|route| route.body_limit).max().unwrap_or(FORM_LIMIT)
}

/// Every route of the edge.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route::get("/api/v1/availability/{product}", |app, call| Box::pin(availability::show(app, call))).kept(Cache::Shared { seconds: availability::KEPT_SECONDS }).weighs(Weight::Availability),
    Route::get("/api/v1/cart", |app, call| Box::pin(cart::show(app, call))),
    Route::send(Method::POST, "/api/v1/cart/lines", |app, call| Box::pin(cart::add_line(app, call))).weighs(Weight::CartWrite),
    Route::send(Method::PATCH, "/api/v1/cart/lines/{line}", |app, call| Box::pin(cart::change_line(app, call))).weighs(Weight::CartWrite),
    Route::send(Method::DELETE, "/api/v1/cart/lines/{line}", |app, call| Box::pin(cart::remove_line(app, call))).weighs(Weight::CartWrite),
    Route::send(Method::PUT, "/api/v1/cart/coupons/{code}", |app, call| Box::pin(cart::add_coupon(app, call))).weighs(Weight::CartWrite),
    Route::send(Method::DELETE, "/api/v1/cart/coupons/{code}", |app, call| Box::pin(cart::remove_coupon(app, call))).weighs(Weight::CartWrite),
    Route::send(Method::PUT, "/api/v1/cart/destination", |app, call| Box::pin(cart::set_destination(app, call))).weighs(Weight::CartWrite),
    Route::get("/api/v1/cart/shipping-options", |app, call| Box::pin(cart::shipping_options(app, call))),

    Route::send(Method::POST, "/api/v1/checkouts", |app, call| Box::pin(checkout::open(app, call))).weighs(Weight::Opening),
    Route::get("/api/v1/checkouts/{checkout}", |app, call| Box::pin(checkout::show(app, call))),
    Route::send(Method::PATCH, "/api/v1/checkouts/{checkout}", |app, call| Box::pin(checkout::change(app, call))).weighs(Weight::Quote),
    Route::send(Method::POST, "/api/v1/checkouts/{checkout}/payment", |app, call| Box::pin(checkout::pay(app, call))).weighs(Weight::Payment),
    Route::send(Method::DELETE, "/api/v1/checkouts/{checkout}/payment", |app, call| Box::pin(checkout::call_off(app, call))),
    Route::get("/api/v1/orders/{order}", |app, call| Box::pin(orders::show(app, call))),
    Route::beacon("/api/v1/beacon", |app, call| Box::pin(beacon::hear(app, call))),
    Route::hook("/api/v1/webhooks/{gateway}", |app, call| Box::pin(webhook::hear(app, call))),

    Route::page("/cart", |app, call| Box::pin(cart_pages::show(app, call))),
    Route::form("/cart/lines", |app, call| Box::pin(cart_pages::add_line(app, call))).weighs(Weight::CartWrite),
    Route::form("/cart/lines/{line}", |app, call| Box::pin(cart_pages::change_line(app, call))).weighs(Weight::CartWrite),
    Route::form("/cart/coupons", |app, call| Box::pin(cart_pages::add_coupon(app, call))).weighs(Weight::CartWrite),
    Route::form("/cart/coupons/{code}/remove", |app, call| Box::pin(cart_pages::remove_coupon(app, call))).weighs(Weight::CartWrite),
    Route::form("/cart/destination", |app, call| Box::pin(cart_pages::set_destination(app, call))).weighs(Weight::CartWrite),
    Route::page("/checkout", |app, call| Box::pin(checkout_pages::begin(app, call))),
    Route::form("/checkout", |app, call| Box::pin(checkout_pages::open(app, call))).weighs(Weight::Opening),
    Route::page("/checkout/{checkout}", |app, call| Box::pin(checkout_pages::show(app, call))).kept(Cache::PrivateNoStore),
    Route::form("/checkout/{checkout}", |app, call| Box::pin(checkout_pages::change(app, call))).kept(Cache::PrivateNoStore).weighs(Weight::Quote),
    Route::form("/checkout/{checkout}/payment", |app, call| Box::pin(checkout_pages::pay(app, call))).kept(Cache::PrivateNoStore).weighs(Weight::Payment),
    Route::form("/checkout/{checkout}/payment/cancel", |app, call| Box::pin(checkout_pages::call_off(app, call))).kept(Cache::PrivateNoStore),
    Route::returning(Method::GET, "/checkout/{checkout}/return", |app, call| Box::pin(checkout_pages::come_back(app, call))),
    Route::returning(Method::POST, "/checkout/{checkout}/return", |app, call| Box::pin(checkout_pages::come_back(app, call))),
    Route::page("/orders/withdraw", |app, call| Box::pin(withdraw::begin(app, call))).kept(Cache::PrivateNoStore),
    Route::form("/orders/withdraw", |app, call| Box::pin(withdraw::send(app, call))).kept(Cache::PrivateNoStore).weighs(Weight::Quote),
    Route::page("/orders/{order}", |app, call| Box::pin(orders::page(app, call))).kept(Cache::PrivateNoStore),
    Route::form("/orders/{order}/again", |app, call| Box::pin(orders::again(app, call))).kept(Cache::PrivateNoStore).weighs(Weight::CartWrite),
    Route::page("/orders/{order}/mail", |app, call| Box::pin(orders::confirmation(app, call))).kept(Cache::PrivateNoStore),
];

/// Finds routes by path.
#[derive(Debug)]
pub struct Router {
    paths: matchit::Router<Vec<usize>>,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Index into `ROUTES` and the parameters, still percent-encoded.
    Route(usize, Vec<(String, String)>),
    /// The path exists, for other methods: the value of `Allow`.
    OtherMethods(String),
    /// No such path.
    Nothing,
}

impl Default for Router {
    fn default() -> Self {
        Self::new()
    }
}

impl Router {
    /// Indexes `ROUTES`.
    pub fn new() -> Self {
        let mut paths = matchit::Router::new();
        for (index, route) in ROUTES.iter().enumerate() {
            if ROUTES[..index].iter().any(|other| other.pattern == route.pattern) {
                continue;
            }
            let same = (index..ROUTES.len()).filter(|other| ROUTES[*other].pattern == route.pattern).collect();
            paths.insert(route.pattern, same).expect("patterns of the table do not overlap; a test builds it");
        }
        Self { paths }
    }

    /// The route of a method and path.
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let Ok(matched) = self.paths.at(path) else { return Found::Nothing };
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        match matched.value.iter().find(|index| ROUTES[**index].method == *wanted) {
            Some(index) => {
                let params = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                Found::Route(*index, params.collect())
            }
            None => Found::OtherMethods(allowed(matched.value)),
        }
    }

    /// `METHOD pattern` of every route, in the table's order: names for metrics.
    pub fn names(&self) -> Vec<String> {
        ROUTES.iter().map(Route::name).collect()
    }
}

fn allowed(routes: &[usize]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|index| ROUTES[*index].method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.join(", ")
}
