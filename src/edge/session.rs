//! Session: how a cart comes with a request and goes with its answer.
//!
//! Owns    the names of cookies and headers. Browsers carry the token in a cookie that no script reads, other clients in `Cart-Token`.
//! Always  an unreadable token is no cart and a message; only an answer that changes the cart sets a token, so that a page read while
//!         a change is under way cannot undo it.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::app::App;
use super::cart_token::{self, LIFE_SECONDS, TokenError};
use super::http::Reply;
use super::live::Live;
use crate::commerce::cart::{Cart, CartFacts, CartRejection};
use crate::commerce::ids::{MarketId, Timestamp};
use crate::commerce::outside::OutsidePrices;
use crate::theme::view::SiteView;

/// Header by which clients without cookies carry the token.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("cart-token");

/// Cookie by which a script learns the number of units, and nothing else.
const COUNT_COOKIE: &str = "cart-count";

/// What a request knows of its cart.
#[derive(Clone, Debug)]
pub struct Session {
    /// The cart, if a readable token came along.
    pub cart: Option<Cart>,
    /// Why the token that came along is not a cart.
    pub lost: Option<TokenError>,
    carrier: Carrier,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// Answered in the header alone.
    Header,
    /// Answered in the cookie alone: the token is kept from scripts.
    Cookie,
    /// Nothing came and it may be no browser: answered in both.
    Unknown,
}

impl Session {
    /// Reads the session of a request. A cart whose market the shop has closed goes on in the root market.
    pub fn of(app: &App, live: &Live, headers: &HeaderMap, now: Timestamp) -> Self {
        let from_header = headers.get(TOKEN_HEADER).map(|value| value.to_str().unwrap_or("?"));
        let from_cookie = || cookie(headers, cookie_name(live.secure));
        let is_browser = headers.contains_key("sec-fetch-site");
        let (token, carrier) = match (from_header, from_cookie()) {
            (Some(token), _) => (Some(token), Carrier::Header),
            (None, Some(token)) => (Some(token), Carrier::Cookie),
            (None, None) if is_browser => (None, Carrier::Cookie),
            (None, None) => (None, Carrier::Unknown),
        };
        match token.filter(|token| !token.is_empty()).map(|token| cart_token::decode(token, &app.keys, now)) {
            Some(Ok(cart)) => Self { cart: Some(in_open_market(cart, live, now)), lost: None, carrier },
            Some(Err(error)) => Self { cart: None, lost: Some(error), carrier },
            None => Self { cart: None, lost: None, carrier },
        }
    }

    /// The headers that a session is read from, without the others: cheap to keep while the request is answered.
    pub fn sender(headers: &HeaderMap) -> HeaderMap {
        let mut kept = HeaderMap::new();
        for name in [TOKEN_HEADER, header::COOKIE] {
            for value in headers.get_all(&name) {
                kept.append(&name, value.clone());
            }
        }
        kept
    }

    /// Whether a cart seems to come along: cheap, and nothing that is proven.
    pub fn comes_along(headers: &HeaderMap) -> bool {
        let carries = |name: &str| cookie(headers, name).is_some_and(|token| !token.is_empty());
        headers.get(TOKEN_HEADER).is_some_and(|token| !token.is_empty()) || carries("cart") || carries("__Host-cart")
    }

    /// The market and the `site` in whose words this shopper is spoken to.
    pub fn speaks<'a>(&'a self, live: &'a Live) -> (&'a MarketId, &'a SiteView) {
        let root = &live.bundle.rules.root_market().id;
        match &self.cart {
            Some(cart) => (&cart.market, live.speaking(&cart.language, &cart.market)),
            None => (root, live.market(root).1),
        }
    }

    /// The cart, or a new empty one in that market.
    pub fn cart_or_new(&self, app: &App, live: &Live, market: &MarketId, now: Timestamp) -> Cart {
        self.cart.clone().unwrap_or_else(|| {
            let (market, _) = live.market(market);
            Cart::new(app.cart_id(), market.id.clone(), market.language.clone(), now)
        })
    }

    /// Gives the changed cart along with the answer. It is stamped with the instant and the bundle it was priced with.
    ///
    /// Errors: `TooLarge`; then the reply must not be sent.
    pub fn keep(&self, reply: &mut Reply, cart: &mut Cart, app: &App, live: &Live, now: Timestamp) -> Result<(), CartRejection> {
        cart.issued_at = now;
        cart.sequence_seen = live.sequence;
        let token = cart_token::encode(cart, &app.keys)?;
        let value = HeaderValue::from_str(&token).expect("base64url is ASCII");
        if self.carrier != Carrier::Cookie {
            reply.headers.insert(TOKEN_HEADER, value);
        }
        if self.carrier != Carrier::Header {
            set_cookies(reply, live.secure, &token, cart.units(), LIFE_SECONDS);
        }
        Ok(())
    }

    /// Takes the cart away: its order is placed.
    pub fn forget(&self, reply: &mut Reply, live: &Live) {
        if self.carrier != Carrier::Cookie {
            reply.headers.insert(TOKEN_HEADER, HeaderValue::from_static(""));
        }
        if self.carrier != Carrier::Header {
            set_cookies(reply, live.secure, "", 0, 0);
        }
    }
}

/// `__Host-` binds the cookie to this host and to https; browsers refuse it on http, which only development uses.
fn cookie_name(secure: bool) -> &'static str {
    if secure { "__Host-cart" } else { "cart" }
}

fn set_cookies(reply: &mut Reply, secure: bool, token: &str, units: u64, seconds: i64) {
    let secure_word = if secure { "; Secure" } else { "" };
    let name = cookie_name(secure);
    for text in [
        format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure_word}"),
        format!("{COUNT_COOKIE}={units}; Path=/; Max-Age={seconds}; SameSite=Lax{secure_word}"),
    ] {
        reply.headers.append(header::SET_COOKIE, HeaderValue::from_str(&text).expect("names, digits and base64url are ASCII"));
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

fn in_open_market(mut cart: Cart, live: &Live, now: Timestamp) -> Cart {
    let (market, _) = live.market(&cart.market);
    if market.id != cart.market {
        cart.language = market.language.clone();
        let (catalog, outside) = (&live.bundle.catalog, &OutsidePrices::NONE);
        cart.move_to(market, &CartFacts { catalog, currency: market.currency, at: now, outside });
    }
    cart
}
