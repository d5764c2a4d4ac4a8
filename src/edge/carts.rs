//! Carts: load → decide → answer, the same for programs and for pages.
//!
//! Always  reading and changing a cart asks no database; a refused wish changes nothing.

use std::sync::Arc;

use super::app::App;
use super::cart_reply::{self, ReplyFacts};
use super::counted;
use super::error::Failure;
use super::http::{Call, Reply};
use super::live::Live;
use super::reply::CartReply;
use super::session::Session;
use super::words::{self, Note, Severity};
use crate::commerce::cart::{Cart, CartCommand, CartFacts, CartRejection, Destination};
use crate::commerce::catalog::StockPolicy;
use crate::commerce::ids::{CouponCode, MarketId, Sku, SkuHash, Timestamp};
use crate::commerce::order::Order;
use crate::commerce::outside::OutsidePrices;
use crate::commerce::pricing::PricingRejection;
use crate::commerce::rules::Market;
use crate::telemetry::tally::Problem;
use crate::theme::texts::Say;

/// One request's view of the shop and of its cart.
#[derive(Debug)]
pub struct Desk {
    /// Handles.
    pub app: Arc<App>,
    /// The bundle, the same from the first line to the answer.
    pub live: Arc<Live>,
    /// The cart as it came.
    pub session: Session,
    /// The instant.
    pub now: Timestamp,
}

/// A market as a form or body names it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// Market name; the cart's own or the root market where missing.
    pub market: Option<&'a str>,
    /// BCP 47; the cart's own where missing, or the market's where the cart is in another.
    pub language: Option<&'a str>,
}

impl Desk {
    /// Reads the session of a request.
    pub fn of(app: Arc<App>, call: &Call) -> Self {
        let live = app.live.load_full();
        let now = app.clock.now();
        let session = Session::of(&app, &live, &call.headers, now);
        Self { app, live, session, now }
    }

    /// What is told beside the catalogue's prices of what is in the cart, and of one SKU more, in the market it is in or goes to.
    pub async fn outside(&self, market: Option<&MarketId>, one_more: Option<SkuHash>) -> OutsidePrices {
        if self.live.bundle.pricing.is_none() {
            return OutsidePrices::NONE;
        }
        let cart = self.session.cart.as_ref();
        let skus = cart.into_iter().flat_map(|cart| cart.lines.iter().map(|line| line.sku)).chain(one_more);
        let root = &self.live.bundle.rules.root_market().id;
        let (market, _) = self.live.market(market.or(cart.map(|cart| &cart.market)).unwrap_or(root));
        self.app.services.prices(&self.live, market, skus.collect(), &self.app.clock).await
    }

    /// The cart as it is.
    pub async fn show(&self) -> Result<CartReply, Failure> {
        let mut reply = match &self.session.cart {
            Some(cart) => self.described(cart, &self.outside(None, None).await)?,
            None => cart_reply::empty(&self.live, &self.live.bundle.rules.root_market().id),
        };
        self.tell_loss(&mut reply);
        Ok(reply)
    }

    /// The market that a new line is meant for.
    ///
    /// Errors: an unknown market, or a language the shop has no texts in.
    pub fn place(&self, wanted: Place<'_>) -> Result<(MarketId, String), Failure> {
        let rules = &self.live.bundle.rules;
        let current = self.session.cart.as_ref();
        let market = match wanted.market {
            Some(name) => rules.market(&MarketId::from(name)),
            None => current.and_then(|cart| rules.market(&cart.market)).or_else(|| rules.markets.first()),
        };
        let market = market.ok_or_else(|| Failure::refused("unknown_market", Say::of("says.no_market")))?;
        let is_spoken = |language: &str| rules.markets.iter().any(|market| market.language == language);
        let spoken =
            current.filter(|cart| cart.market == market.id && is_spoken(&cart.language)).map(|cart| cart.language.as_str());
        let language = wanted.language.or(spoken).unwrap_or(&market.language);
        if !is_spoken(language) {
            return Err(Failure::refused("unknown_language", Say::of("says.no_language")));
        }
        Ok((market.id.clone(), language.to_owned()))
    }

    /// The cart after a granted wish. `place`: the market it shall be in from now on, where the wish says so.
    pub fn decide(
        &self,
        command: CartCommand,
        place: Option<(MarketId, String)>,
        outside: &OutsidePrices,
    ) -> Result<Cart, CartRejection> {
        let root = &self.live.bundle.rules.root_market().id;
        let market = place.as_ref().map_or(root, |(market, _)| market);
        let mut cart = self.session.cart_or_new(&self.app, &self.live, market, self.now);
        if let Some((market, language)) = place {
            if cart.market != market {
                let (market, _) = self.live.market(&market);
                cart.move_to(market, &self.cart_facts(market, outside));
            }
            cart.language = language;
        }
        let (market, _) = self.live.market(&cart.market);
        cart.apply(command, &self.cart_facts(market, outside))
    }

    /// The cart with an order's lines put in once more, at today's prices, and what does not go in with why.
    pub async fn again(&self, order: &Order) -> (Cart, Vec<(String, CartRejection)>) {
        let (market, _) = self.live.market(&order.quote.market);
        let mut cart = self.session.cart_or_new(&self.app, &self.live, &market.id, self.now);
        let lines = &order.quote.priced.lines;
        let outside = match self.live.bundle.pricing {
            Some(_) => {
                let skus = cart.lines.iter().map(|line| line.sku).chain(lines.iter().map(|line| line.sku.hash()));
                self.app.services.prices(&self.live, market, skus.collect(), &self.app.clock).await
            }
            None => OutsidePrices::NONE,
        };
        let facts = self.cart_facts(market, &outside);
        if cart.market != market.id {
            cart.move_to(market, &facts);
        }
        cart.language.clone_from(&order.quote.language);
        let mut left = Vec::new();
        for line in lines {
            let (sku, quantity, properties) = (line.sku.hash(), line.quantity, line.properties.clone());
            match cart.apply(CartCommand::AddLine { sku, quantity, properties, seen_price_minor: None }, &facts) {
                Ok(next) => cart = next,
                Err(rejection) => left.push((line.title.clone(), rejection)),
            }
        }
        (cart, left)
    }

    fn cart_facts<'a>(&'a self, market: &Market, outside: &'a OutsidePrices) -> CartFacts<'a> {
        CartFacts { catalog: &self.live.bundle.catalog, currency: market.currency, at: self.now, outside }
    }

    /// Prices and describes a cart.
    pub fn described(&self, cart: &Cart, outside: &OutsidePrices) -> Result<CartReply, Failure> {
        let stock = self.app.stock.load();
        let facts = ReplyFacts { live: &self.live, stock: Some(&stock), outside, at: self.now, shipping_choice: None };
        let priced = cart_reply::price(cart, &facts, None).map_err(|rejection| unpriced(&rejection))?;
        let reply = cart_reply::build(cart, &priced, &facts);
        if !reply.changed.is_empty() {
            self.app.tally.meet(Problem::PriceChanged);
        }
        Ok(reply)
    }

    /// Puts the changed cart into the answer, and counts it where this request has begun it. `vitals`: how the page was that asks.
    pub fn keep(&self, reply: &mut Reply, cart: &mut Cart, vitals: Option<u8>) -> Result<(), CartRejection> {
        let is_new = cart.is_begun && !self.session.cart.as_ref().is_some_and(|before| before.is_begun);
        if is_new {
            // The page it is begun on counts, here and later: a faster one does not take its order.
            cart.vitals_bucket = vitals.unwrap_or(0);
        }
        self.session.keep(reply, cart, &self.app, &self.live, self.now)?;
        if is_new {
            counted::cart(&self.app, &self.live, cart);
        }
        Ok(())
    }

    /// Says that the cart which came along could not be read.
    pub fn tell_loss(&self, reply: &mut CartReply) {
        if let Some(error) = self.session.lost {
            let note = Note::new(Severity::Warning, error.code(), words::of_token(error));
            reply.messages.push(note.told(self.session.speaks(&self.live).1));
            cart_reply::sort(&mut reply.messages);
        }
    }

    /// Refuses to add what is known to be sold out: the snapshot is a hint, but a kind one.
    pub fn check_stock(&self, sku: &Sku) -> Result<(), Failure> {
        let Some((_, variant)) = self.live.bundle.catalog.variant_by_sku(sku) else { return Ok(()) };
        let gone = variant.stock_policy == StockPolicy::Deny && self.app.stock.load().available(variant) == 0;
        if gone { Err(Failure::refused("sold_out", Say::of("line.this_sold_out"))) } else { Ok(()) }
    }

    /// The code as it is kept. A code nobody has declared is refused here, so that it takes no place in the cart.
    pub fn coupon(&self, typed: &str) -> Result<CouponCode, Failure> {
        let code = CouponCode::normal(typed);
        let is_known =
            self.live.bundle.rules.promotions.iter().any(|promotion| promotion.code().is_some_and(|own| own.names(&code)));
        if is_known { Ok(code) } else { Err(field_refused("coupon_unknown", "/code", Say::of("coupon.unknown"))) }
    }

    /// A destination in the cart's market.
    pub fn destination(&self, country: &str, region: Option<&str>, postal_code: Option<&str>) -> Result<Destination, Failure> {
        let (region, postal_code) = (region.map(str::to_owned), postal_code.map(str::to_owned));
        let written = Destination { country: country.to_owned(), region, postal_code };
        let destination = written.checked().map_err(|rejection| rejected(&rejection))?;
        let root = &self.live.bundle.rules.root_market().id;
        let (market, _) = self.live.market(self.session.cart.as_ref().map_or(root, |cart| &cart.market));
        if !market.countries.contains(&destination.country) {
            return Err(field_refused("country_unserved", "/country", Say::of("line.country_undeliverable")));
        }
        Ok(destination)
    }
}

/// A refused wish as a failure.
pub fn rejected(rejection: &CartRejection) -> Failure {
    let path = match rejection {
        CartRejection::UnknownLine => return Failure::not_found(words::of_cart(rejection)),
        CartRejection::UnknownSku | CartRejection::NotForSale => Some("/sku".to_owned()),
        CartRejection::Quantity { .. } => Some("/quantity".to_owned()),
        CartRejection::NotACode => Some("/code".to_owned()),
        CartRejection::NotAPlace { field } => Some(format!("/{field}")),
        CartRejection::UnknownProperty { key }
        | CartRejection::PropertyMissing { key, .. }
        | CartRejection::PropertyTooLong { key, .. } => {
            Some(format!("/properties/{}", key.replace('~', "~0").replace('/', "~1")))
        }
        CartRejection::TooManyLines | CartRejection::TooLarge | CartRejection::TooManyCoupons => None,
    };
    let code = code_of(rejection);
    let note = Note { path, ..Note::new(Severity::Error, code, words::of_cart(rejection)) };
    Failure::Refused { code, detail: note.say.clone(), messages: vec![note] }
}

/// A quantity that is no whole number, as if the product's rule had refused it.
pub fn quantity_refused() -> Failure {
    field_refused("quantity", "/quantity", Say::of("line.quantity_whole"))
}

fn field_refused(code: &'static str, path: &str, detail: Say) -> Failure {
    let note = Note::new(Severity::Error, code, detail.clone()).about(path);
    Failure::Refused { code, detail, messages: vec![note] }
}

fn code_of(rejection: &CartRejection) -> &'static str {
    match rejection {
        CartRejection::UnknownSku => "unknown_sku",
        CartRejection::UnknownLine => "unknown_line",
        CartRejection::NotForSale => "not_for_sale",
        CartRejection::Quantity { .. } => "quantity",
        CartRejection::TooManyLines => "too_many_lines",
        CartRejection::TooLarge => "cart_full",
        CartRejection::TooManyCoupons => "too_many_coupons",
        CartRejection::NotACode => "not_a_code",
        CartRejection::NotAPlace { .. } => "not_a_place",
        CartRejection::UnknownProperty { .. } => "unknown_property",
        CartRejection::PropertyMissing { .. } => "property_missing",
        CartRejection::PropertyTooLong { .. } => "property_too_long",
    }
}

/// A cart that cannot be priced as a failure.
pub fn unpriced(rejection: &PricingRejection) -> Failure {
    Failure::Unavailable { code: "pricing", detail: words::of_pricing(rejection), retry_after_s: 60 }
}
