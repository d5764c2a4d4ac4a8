//! Drafts: a checkout priced, and what of it is shown.
//!
//! Owns    when a checkout is priced anew, when a quote is frozen, and what keeps one from being made.
//! Limits  NAMES_AT_ONCE customers of one network, then NAMES_A_SECOND, where promotions ask who buys.
//! Always  a quote that holds is shown as it was frozen, whoever fails: neither the catalogue nor a pricing service is asked about it.
//! Source  CHECKOUT.md 5.1, the quote.

use super::app::StockSnapshot;
use super::cart_reply::{self, ReplyFacts};
use super::checkout_reply::{CheckoutFacts, checkout_reply};
use super::checkouts::{Counter, Details};
use super::error::Failure;
use super::key_ring::Purpose;
use super::limits::seconds;
use super::perform;
use super::reply::CheckoutReply;
use crate::commerce::address::{Contact, FieldProblem};
use crate::commerce::cart::Cart;
use crate::commerce::checkout::{Checkout, CheckoutState};
use crate::commerce::order::OrderState;
use crate::commerce::outside::OutsidePrices;
use crate::commerce::pricing::PricedCart;
use crate::commerce::promotion::{Customer, Promotion};
use crate::commerce::quote::{Quote, QuoteParts, quote_problems};

/// Customers that one network may name at once by whom promotions are judged: a crowd of a mobile network behind one address.
pub const NAMES_AT_ONCE: u32 = 120;
/// Customers a second from then on: what is given tells whether an address is of somebody who has ordered, so a list of addresses is not
/// tried as fast as checkouts may be opened.
pub const NAMES_A_SECOND: u32 = 1;

/// A checkout with what it is shown by.
#[derive(Debug)]
pub struct Shown {
    /// As stored.
    pub checkout: Checkout,
    pub(super) cart: Cart,
    pub(super) priced: PricedCart,
    pub(super) problems: Vec<FieldProblem>,
    is_fresh: bool,
    /// What it was priced by beside the catalogue; nothing where its prices are frozen.
    outside: OutsidePrices,
}

impl Shown {
    /// The same after its quote was committed, where it has one.
    pub(super) fn frozen(self) -> Self {
        failpoint!("K2", self.checkout.quote.is_some());
        self
    }
}

impl Counter {
    /// Prices a checkout, with a quote that is to be frozen where all is known and nothing stands against it.
    pub(super) async fn drafted(&self, checkout: Checkout) -> Result<Shown, Failure> {
        let mut shown = self.priced(checkout).await?;
        let checkout = &shown.checkout;
        let judged = self.is_stock_judged(checkout);
        let stock = self.desk.app.stock.load();
        let is_blocked = cart_reply::build(
            &shown.cart,
            &shown.priced,
            &ReplyFacts { stock: judged.then_some(&stock), ..self.reply_facts(checkout, &shown.outside) },
        )
        .messages
        .iter()
        .any(|message| message.severity == "error");
        if !shown.problems.is_empty() || is_blocked {
            return Ok(shown);
        }
        let quote = Quote::freeze(QuoteParts {
            id: perform::new_quote_id(),
            checkout: checkout.id.clone(),
            cart_id: checkout.cart_id,
            cart_revision: checkout.cart_revision,
            market: checkout.market.clone(),
            language: checkout.language.clone(),
            contact: checkout.contact.clone(),
            address: checkout.address.clone(),
            priced: shown.priced.clone(),
            created_at: self.desk.now,
            expires_at: self.desk.now.plus_seconds(self.desk.live.bundle.rules.quote_seconds),
        });
        failpoint!("K1");
        shown.checkout.quote = Some(quote);
        Ok(shown)
    }

    /// A checkout as it stands: by its quote while that holds, else priced now. `is_fresh`: see `Turned`.
    pub async fn shown(&self, checkout: Checkout, is_fresh: bool) -> Result<Shown, Failure> {
        let holds = !matches!(checkout.state(self.desk.now), CheckoutState::Incomplete | CheckoutState::Canceled);
        match checkout.quote.clone().filter(|_| holds) {
            Some(quote) => {
                let cart = self.cart_of(&checkout)?;
                let (priced, outside) = (quote.priced, OutsidePrices::NONE);
                Ok(Shown { checkout, cart, priced, problems: Vec::new(), is_fresh, outside })
            }
            None => self.priced(checkout).await,
        }
    }

    /// The same for a page: the lines are those of the cart as it is now, and a quote that ran out is made anew, since its total is
    /// shown before it is paid. What is still missing is not complained about before anything was told.
    pub async fn looked_at(&self, checkout: Checkout) -> Result<Shown, Failure> {
        let is_open = matches!(checkout.state(self.desk.now), CheckoutState::Incomplete | CheckoutState::ReadyForComplete);
        let cart = self.cart_of(&checkout)?;
        let is_stale = checkout.state(self.desk.now) == CheckoutState::Incomplete && checkout.quote.is_some();
        if is_open && (is_stale || cart.revision != checkout.cart_revision) {
            return self.save(&checkout, Details::default()).await;
        }
        let mut shown = self.shown(checkout, true).await?;
        if shown.checkout.contact == Contact::default() {
            shown.problems.clear();
        }
        Ok(shown)
    }

    /// Priced now, with what still keeps a quote from being made.
    async fn priced(&self, checkout: Checkout) -> Result<Shown, Failure> {
        let cart = self.cart_of(&checkout)?;
        let (market, _) = self.desk.live.market(&cart.market);
        let skus = cart.lines.iter().map(|line| line.sku).collect();
        let outside = self.desk.app.services.prices(&self.desk.live, market, skus, &self.desk.app.clock).await;
        let customer = self.customer_of(&checkout).await?;
        let stock = self.desk.app.stock.load();
        // A use of a promotion that is held for this very checkout does not count against it.
        let held = checkout.order.as_ref().filter(|order| order.state == OrderState::PendingPayment);
        let promotions = &self.desk.live.bundle.rules.promotions;
        let named = |id: &str| promotions.iter().find(|promotion| promotion.id == id);
        let is_own = |id: &str| held.zip(named(id)).is_some_and(|(order, promotion)| order.quote.priced.uses(promotion));
        let used_up = stock.used_up.iter().filter(|id| !is_own(id)).cloned().collect();
        let stock = StockSnapshot { available: Default::default(), used_up };
        let facts = ReplyFacts { stock: Some(&stock), ..self.reply_facts(&checkout, &outside) };
        let priced =
            cart_reply::price(&cart, &facts, customer.as_ref()).map_err(|rejection| super::carts::unpriced(&rejection))?;
        let (market, _) = self.desk.live.market(&checkout.market);
        let chosen = checkout.shipping_rate.as_ref();
        let problems = quote_problems(&checkout.contact, &checkout.address, market, &priced, chosen);
        Ok(Shown { checkout, cart, priced, problems, is_fresh: true, outside })
    }

    /// Lets a checkout name another customer by whom promotions are judged.
    ///
    /// Errors: 429 for a network that names more than shoppers who stand behind one address do. Nothing is kept then.
    pub(super) fn may_name(&self, before: &Contact, told: &Contact) -> Result<(), Failure> {
        let is_another = told.customer().is_some_and(|name| before.customer() != Some(name));
        let Some(client) = self.client.filter(|_| is_another && self.asks_who_buys()) else { return Ok(()) };
        let app = &self.desk.app;
        app.naming.take(client, app.clock.ticks()).map_err(|ms| Failure::TooMany { retry_after_s: seconds(ms) })
    }

    fn asks_who_buys(&self) -> bool {
        self.desk.live.bundle.rules.promotions.iter().any(Promotion::asks_who_buys)
    }

    /// What is known of whoever buys, where a promotion asks and the address is told.
    async fn customer_of(&self, checkout: &Checkout) -> Result<Option<Customer>, Failure> {
        let Some(name) = checkout.contact.customer().filter(|_| self.asks_who_buys()) else { return Ok(None) };
        let names = self.desk.app.keys.names(Purpose::Customer, &name);
        let known = self.till.store.customer(names, checkout.cart_id).await;
        known.map(Some).map_err(|error| self.unsure(&error))
    }

    fn reply_facts<'a>(&'a self, checkout: &'a Checkout, outside: &'a OutsidePrices) -> ReplyFacts<'a> {
        let shipping_choice = checkout.shipping_rate.as_ref();
        ReplyFacts { live: &self.desk.live, stock: None, outside, at: self.desk.now, shipping_choice }
    }

    /// Whether stock is judged: not where units are held for this very checkout.
    fn is_stock_judged(&self, checkout: &Checkout) -> bool {
        checkout.order.as_ref().is_none_or(|order| order.state == OrderState::Canceled)
    }

    /// The answer about a checkout.
    pub fn reply(&self, shown: &Shown) -> CheckoutReply {
        let stock = self.desk.app.stock.load();
        let judged = self.is_stock_judged(&shown.checkout);
        let methods = self.till.methods();
        let facts = CheckoutFacts {
            reply: ReplyFacts { stock: judged.then_some(&stock), ..self.reply_facts(&shown.checkout, &shown.outside) },
            keys: &self.desk.app.keys,
            methods: &methods,
            element: shown.checkout.quote.as_ref().and_then(|quote| self.till.element(quote.total())),
            is_fresh: shown.is_fresh,
        };
        checkout_reply(&shown.checkout, &shown.cart, &shown.priced, &shown.problems, &facts)
    }
}
