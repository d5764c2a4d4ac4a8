//! Pages: the edge's HTML, printed from the same values as its JSON.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::error::Failure;
use super::http::Reply;
use super::live::Live;
use super::reply::CartReply;
use crate::commerce::ids::MarketId;
use crate::theme::engine::Values;
use crate::theme::filters::html_safe;
use crate::theme::policy::{self, Hashes, Kind, Sources, content_security_policy};

/// Whether a failure is answered as a page: where the client asks for HTML, and outside /api where it asks for nothing.
pub fn wanted(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    accept.contains("text/html") || !path.starts_with("/api/") && !accept.contains("json")
}

/// edge/cart.html.
pub fn cart(live: &Live, cart: &CartReply, status: StatusCode) -> Reply {
    page(live, "edge/cart.html", &MarketId::from(cart.market.as_str()), ("cart", cart), status)
}

/// edge/problem.html.
pub fn problem(live: &Live, market: &MarketId, failure: &Failure, request_id: &str) -> Reply {
    let problem = failure.problem(request_id, live.market(market).1);
    failure.headed(page(live, "edge/problem.html", market, ("problem", &problem), failure.status()))
}

/// A page of the edge in a market's language, with `site` and one named value.
pub fn page<V: Serialize>(
    live: &Live,
    template: &str,
    market: &MarketId,
    value: (&'static str, &V),
    status: StatusCode,
) -> Reply {
    page_with(live, template, market, Values::new().with(value.0, value.1), status)
}

/// A page of the edge with `site` and whatever else it prints.
///
/// Where the shop's own template fails, the built-in one it shadows is printed: a theme's mistake must not stop a sale.
pub fn page_with(live: &Live, template: &str, market: &MarketId, values: Values, status: StatusCode) -> Reply {
    let values = values.with_value("site", live.site_value(market));
    let shadowed = format!("theme/{template}");
    let names = [template, &shadowed].into_iter().filter(|name| live.engine.has(name));
    for name in names {
        match live.engine.render(name, values.context()) {
            Ok(text) => return Reply::html(status, text),
            Err(error) => tracing::error!(template = error.template, line = error.line, error = error.message, "a page failed"),
        }
    }
    let (_, site) = live.market(market);
    let (name, told) = (html_safe(&site.name), html_safe(site.texts.plain("problem.cannot_print")));
    let text = format!("<!doctype html><html lang=\"{}\"><title>{name}</title><h1>{name}</h1><p>{told}</p>", site.language);
    Reply::html(status, text)
}

/// Stripe's form. Source: "Content Security Policy" of Stripe's integration security guide.
const STRIPE: Sources = Sources {
    script: " https://js.stripe.com https://*.js.stripe.com",
    connect: " https://api.stripe.com",
    frame: " frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com;",
};

/// Gives a page that has none its Content Security Policy: our own files, pictures over https, and the style blocks it holds, by their hashes. Forms may
/// lead to a gateway over https; no script that stands in the page itself is run.
pub fn add_policy(reply: &mut Reply) {
    add(reply, Sources::default());
}

/// Gives the page that Stripe's form stands on its policy: that, and nothing else of others.
pub fn add_element_policy(reply: &mut Reply) {
    add(reply, STRIPE);
}

fn add(reply: &mut Reply, sources: Sources) {
    let is_page = reply.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !is_page || reply.headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        return;
    }
    let mut hashes = Hashes::default();
    // A script that is run never stands in a page of the edge: were one there, it would not be ours.
    policy::blocks(&reply.body).filter(|block| block.kind != Kind::Script).for_each(|block| hashes.allow(block));
    let policy = content_security_policy(sources, &hashes);
    let value = HeaderValue::from_str(&policy).expect("the policy is ASCII");
    reply.headers.insert(header::CONTENT_SECURITY_POLICY, value);
}
