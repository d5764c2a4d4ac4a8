//! Checkouts: load → decide → commit → answer, the same for programs and for pages.
//!
//! Always  a checkout is shown to whoever holds its cart or its signed token, and to nobody else. Prices are frozen by a quote; while
//!         it holds they do not change. After it a lower total is passed on, a higher one is asked about.
//! Source  CHECKOUT.md 5.1 (policy P1), DESIGN.md section 5.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::app::App;
use super::cart_token::{self, TokenError};
use super::carts::Desk;
use super::checkout_reply::{self, CHECKING};
use super::counted;
use super::drafts::Shown;
use super::error::Failure;
use super::http::{Call, Reply};
use super::idempotency::unwell;
use super::input::{Form, check_lengths};
use super::key_ring::Purpose;
use super::payable;
use super::perform::{self, Begun, MoveOn, NoPayment, Purchase, Till, Turned};
use super::reply::{ChangedTotal, OrderReply};
use super::words::{self, Note, Severity};
use crate::commerce::address::{Address, Contact};
use crate::commerce::cart::Cart;
use crate::commerce::checkout::{Checkout, CheckoutState, Command, Facts, Rejection, decide};
use crate::commerce::ids::{CheckoutId, OrderId, ShippingRateId, Sku};
use crate::commerce::order::{Order, OrderState};
use crate::commerce::payment::AttemptState;
use crate::commerce::quote::Quote;
use crate::store::{OpenCheckout, Refusal, SaveDetails, StoreError};
use crate::theme::texts::Say;

/// Longest name of a confirmation token, as of all of Stripe's names.
const MAX_TOKEN_BYTES: usize = 255;

/// One request's view of the shop, its cart and the till.
#[derive(Debug)]
pub struct Counter {
    /// The cart's side.
    pub desk: Desk,
    /// Store, gateway and mail.
    pub till: Arc<Till>,
    /// Whether the query holds the token of the path's checkout: on the way back from a gateway.
    pub is_proven: bool,
    /// Whether money may move by this request: from then on nobody is told that nothing was charged.
    is_paying: AtomicBool,
    /// Who asks, where that is known.
    pub(super) client: Option<IpAddr>,
    /// Until when the shopper waits for an answer; what is not known by then is told as such, and goes on.
    until: tokio::time::Instant,
}

/// What a shopper has told; `None`: as before.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Who to write to.
    pub contact: Option<Contact>,
    /// Where to.
    pub address: Option<Address>,
    /// The chosen rate.
    pub shipping: Option<ShippingRateId>,
}

/// What is to be paid, and how.
#[derive(Clone, Copy, Debug)]
pub struct PayWish<'a> {
    /// Hash of the quote on the shopper's screen.
    pub quote_hash: &'a str,
    /// A method's id.
    pub method: &'a str,
    /// The gateway's name for what was typed into its form on our page; `None`: it is typed on the gateway's own.
    pub confirmation: Option<&'a str>,
}

/// What opening a checkout led to.
#[derive(Debug)]
pub enum Opening {
    /// A fresh one of which nothing is told yet.
    New(Box<Checkout>),
    /// A fresh one with what the shopper told.
    Told(Box<Shown>),
    /// One of the same cart that is not finished.
    Present(Box<Checkout>),
    /// The cart is an order already.
    Spent(Box<Order>),
}

impl Counter {
    /// Reads the session of a request.
    ///
    /// Errors: an edge without a till.
    pub fn of(app: Arc<App>, call: &Call) -> Result<Self, Failure> {
        let till = app.till.clone().ok_or_else(|| Failure::Unavailable {
            code: "checkout_closed",
            detail: Say::of("says.closed"),
            retry_after_s: 60,
        })?;
        let query = Form::parse(call.uri.query().unwrap_or("")).unwrap_or_default();
        let is_proven = app.keys.accepts(Purpose::Checkout, call.param("checkout"), query.get("token"));
        let desk = Desk::of(app, call);
        let is_marked = desk.session.cart.as_ref().is_some_and(|cart| cart.payment_mark);
        let until = tokio::time::Instant::now() + desk.app.settings.patience;
        Ok(Self { desk, till, is_proven, is_paying: AtomicBool::new(is_marked || is_proven), client: call.client, until })
    }

    /// Opens a checkout for the cart that came along, with what the shopper told so far, or goes on with the one that holds units for it.
    /// Nothing new is held yet.
    pub async fn open(&self, details: Option<Details>) -> Result<Opening, Failure> {
        let Some(cart) = self.desk.session.cart.as_ref().filter(|cart| !cart.lines.is_empty()) else {
            return Err(Failure::refused("empty_cart", Say::of("says.empty_cart")));
        };
        let tells = details.is_some();
        let fresh = self.fresh(cart, details.unwrap_or_default())?;
        self.may_name(&Contact::default(), &fresh.contact)?;
        let drafted = if tells { Some(self.drafted(fresh.clone()).await) } else { None };
        let quote = drafted.as_ref().and_then(|drafted| drafted.as_ref().ok()?.checkout.quote.clone());
        let known = match self.till.store.open_checkout(OpenCheckout::of(&fresh), quote).await {
            Ok(known) => known,
            // A store that can write nothing may still tell what this cart has become.
            Err(error) => match self.till.store.order_by_cart(cart.id).await.map_err(|error| self.unsure(&error))? {
                Some(order) => Some(order),
                None => return Err(self.unwell(&error)),
            },
        };
        match (known, drafted) {
            (Some(order), _) if order.state == OrderState::Placed => Ok(Opening::Spent(Box::new(order))),
            (Some(order), _) => self.stored(&order.checkout).await.map(|checkout| Opening::Present(Box::new(checkout))),
            (None, drafted) => {
                counted::checkout(&self.desk.app, &self.desk.live, cart);
                match drafted {
                    Some(drafted) => drafted.map(|shown| Opening::Told(Box::new(shown.frozen()))),
                    None => Ok(Opening::New(Box::new(fresh))),
                }
            }
        }
    }

    fn fresh(&self, cart: &Cart, details: Details) -> Result<Checkout, Failure> {
        let contact = details.contact.unwrap_or_default().tidied();
        let address = details.address.unwrap_or_default().tidied();
        check_lengths(&contact, &address)?;
        Ok(Checkout {
            id: CheckoutId(perform::new_id()),
            cart_id: cart.id,
            cart_revision: cart.revision,
            cart_token: self.token_of(cart)?,
            vitals_bucket: cart.vitals_bucket,
            market: self.desk.live.market(&cart.market).0.id.clone(),
            language: cart.language.clone(),
            contact,
            address,
            shipping_rate: details.shipping,
            quote: None,
            attempt: None,
            order: None,
            canceled: false,
            created_at: self.desk.now,
        })
    }

    /// The checkout of a path, for whoever holds its cart or, in the query, its token.
    ///
    /// Errors: 404 for anyone else.
    pub async fn find(&self, call: &Call) -> Result<Checkout, Failure> {
        let id = CheckoutId::from(call.param("checkout"));
        if self.desk.session.cart.is_none() && !self.is_proven {
            return Err(no_such_checkout());
        }
        let checkout = self.stored(&id).await?;
        if !self.is_held(&checkout) && !self.is_proven {
            return Err(no_such_checkout());
        }
        self.leading(checkout).await
    }

    /// The checkout that speaks for its cart: one whose own payment is over says nothing of money while another of the same cart is paid,
    /// or has become the order (I13, I22).
    async fn leading(&self, checkout: Checkout) -> Result<Checkout, Failure> {
        if checkout.attempt.as_ref().is_none_or(|attempt| attempt.state.is_live() || attempt.state == AttemptState::Paid) {
            return Ok(checkout);
        }
        let order = self.till.store.order_by_cart(checkout.cart_id).await.map_err(|error| self.unsure(&error))?;
        let Some(order) = order.filter(|order| order.checkout != checkout.id) else { return Ok(checkout) };
        let other = self.stored(&order.checkout).await?;
        let speaks = order.state == OrderState::Placed || other.attempt.as_ref().is_some_and(|attempt| attempt.state.is_live());
        Ok(if speaks { other } else { checkout })
    }

    /// Whether the checkout's own cart came along.
    fn is_held(&self, checkout: &Checkout) -> bool {
        self.desk.session.cart.as_ref().is_some_and(|cart| cart.id == checkout.cart_id)
    }

    /// The query of the checkout's addresses: its token where nothing else proves that it is this shopper's.
    pub fn query(&self, checkout: &Checkout) -> String {
        if self.is_held(checkout) || !self.is_proven {
            return String::new();
        }
        format!("?token={}", self.desk.app.keys.token(Purpose::Checkout, checkout.id.as_str()))
    }

    /// The checkout's page.
    pub fn path(&self, checkout: &Checkout) -> String {
        format!("/checkout/{}{}", checkout.id, self.query(checkout))
    }

    /// A checkout as it is stored. From then on it is known whether its payment may be under way, whatever the cart's mark says.
    pub async fn stored(&self, id: &CheckoutId) -> Result<Checkout, Failure> {
        let found = self.till.store.checkout(id).await.map_err(|error| self.unsure(&error))?;
        let checkout = found.ok_or_else(no_such_checkout)?;
        if matches!(checkout.state(self.desk.now), CheckoutState::CompleteInProgress | CheckoutState::Completed) {
            self.is_paying.store(true, Ordering::Relaxed);
        }
        Ok(checkout)
    }

    /// Keeps what the shopper told, takes the lines anew from the cart that came along, and freezes a quote where all is known.
    pub async fn save(&self, checkout: &Checkout, details: Details) -> Result<Shown, Failure> {
        let contact = details.contact.map_or_else(|| checkout.contact.clone(), Contact::tidied);
        let address = details.address.map_or_else(|| checkout.address.clone(), Address::tidied);
        check_lengths(&contact, &address)?;
        let cart = self.cart_of(checkout)?;
        let told = Checkout {
            cart_revision: cart.revision,
            cart_token: self.token_of(&cart)?,
            vitals_bucket: cart.vitals_bucket,
            contact,
            address,
            shipping_rate: details.shipping.or_else(|| checkout.shipping_rate.clone()),
            quote: None,
            ..checkout.clone()
        };
        self.may_name(&checkout.contact, &told.contact)?;
        let save = SaveDetails::of(&told);
        // What was told is kept, even where it cannot be priced now.
        let drafted = self.drafted(told).await;
        let quote = drafted.as_ref().ok().and_then(|shown| shown.checkout.quote.clone());
        let kept = self.till.store.save_details(save, quote).await.map_err(|error| self.refused(&error, checkout))?;
        drafted.map(|mut shown| {
            shown.checkout = kept;
            shown.frozen()
        })
    }

    /// The cart that came along where it is the checkout's, else the one that was kept with it; it goes where the address says.
    pub(super) fn cart_of(&self, checkout: &Checkout) -> Result<Cart, Failure> {
        let carried = self.desk.session.cart.as_ref().filter(|cart| cart.id == checkout.cart_id);
        let mut cart = match carried {
            Some(cart) => cart.clone(),
            None => self.kept(checkout).map_err(|error| Failure::Conflict {
                code: "cart_lost",
                detail: words::of_token(error),
                messages: Vec::new(),
                total: None,
            })?,
        };
        if let Some(destination) = checkout.address.destination() {
            cart.destination = Some(destination);
        }
        Ok(cart)
    }

    /// The cart that was kept with a checkout.
    fn kept(&self, checkout: &Checkout) -> Result<Cart, TokenError> {
        let cart = cart_token::decode(&checkout.cart_token, &self.desk.app.keys, self.desk.now)?;
        Ok(Cart { vitals_bucket: checkout.vitals_bucket, ..cart })
    }

    /// The token that is kept with a checkout: how its page was is kept apart from it, and no longer than until it is counted.
    fn token_of(&self, cart: &Cart) -> Result<String, Failure> {
        let kept = Cart { vitals_bucket: 0, ..cart.clone() };
        cart_token::encode(&kept, &self.desk.app.keys).map_err(|rejection| super::carts::rejected(&rejection))
    }

    /// Pays: holds units, writes order and attempt (T1), then opens the payment. A payment that is under way is shown instead.
    ///
    /// Errors: 409 where something else is true by now; with both totals where the price is higher than the one on the screen.
    pub async fn pay(&self, checkout: Checkout, wish: &PayWish<'_>) -> Result<Turned, Failure> {
        let PayWish { quote_hash, method, confirmation } = *wish;
        if !self.till.methods().iter().any(|known| known.id == method) {
            return Err(Failure::refused("unknown_method", Say::of("says.no_method")));
        }
        if confirmation.is_some_and(|token| !is_confirmation(token)) {
            let detail =
                "confirmation_token is the name of one, such as ctoken_1A2b3C; leave it out to pay on the gateway's own page";
            return Err(Failure::malformed("not_a_confirmation_token", detail));
        }
        let cart_revision = self.cart_of(&checkout)?.revision;
        let facts = Facts { now: self.desk.now, live: false };
        let pay = Command::Pay { quote_hash: quote_hash.to_owned(), cart_revision };
        let quote = match decide(&checkout, &pay, &facts) {
            Ok(_) => checkout.quote.clone().ok_or(Failure::Bug)?,
            Err(Rejection::AlreadyPlaced | Rejection::PaymentInProgress) => return self.moved(&checkout.id, MoveOn::GoOn).await,
            Err(rejection) => self.consented(&checkout, quote_hash, &rejection).await?,
        };
        if let Err(reason) = self.till.check_amount(quote.total()) {
            return Err(Failure::refused("amount_not_payable", reason));
        }
        // The database may be an older copy: what was paid before comes first.
        if self.till.is_in_doubt() {
            return Err(Failure::Unavailable { code: "checkout_closed", detail: Say::of("says.closed"), retry_after_s: 10 });
        }
        if confirmation.is_some() && quote.total().minor > 0 && self.till.element(quote.total()).is_none() {
            return Err(Failure::refused("unknown_method", Say::of("says.no_method")));
        }
        let pass = payable::admitted(self, &checkout, quote.total()).await?;
        payable::held(self, &checkout, &quote).await?;
        failpoint!("HELD");
        let (live, keys, now) = (&self.desk.live, &self.desk.app.keys, self.desk.now);
        match self.till.begin(&Purchase { live, keys, checkout: &checkout, quote: &quote, confirmation, now }).await {
            Ok(taken) => {
                self.is_paying.store(true, Ordering::Relaxed);
                let turned = self.moved(&checkout.id, MoveOn::Begin(Box::new(Begun { taken, pass }))).await?;
                payable::begun(&turned.checkout)?;
                return Ok(turned);
            }
            // Of two at once the other was first, and is over by now: both hear the same.
            Err(StoreError::Refused(Refusal::AttemptTaken)) => drop(pass),
            Err(StoreError::Refused(Refusal::Paused)) => {
                self.till.refuse_paused();
                return Err(payable::refused(self, &checkout, NoPayment::Paused).await);
            }
            Err(StoreError::Refused(Refusal::AttemptLive)) => {
                drop(pass);
                let own = self.stored(&checkout.id).await?.attempt;
                if !own.is_some_and(|attempt| attempt.state.is_live()) {
                    let detail = Say::of("payment.under_way_elsewhere");
                    return Err(Failure::Conflict { code: "payment_in_progress", detail, messages: Vec::new(), total: None });
                }
            }
            Err(StoreError::Refused(refusal @ (Refusal::CouponUsedUp { .. } | Refusal::NotForCustomer { .. }))) => {
                self.till.refresh_stock(&self.desk.app).await.map_err(|error| self.unsure(&error))?;
                let code = match refusal {
                    Refusal::NotForCustomer { .. } => ("coupon_not_for_customer", Say::of("coupon.not_for_customer")),
                    _ => ("coupon_used_up", Say::of("coupon.used_up_now")),
                };
                return Err(self.changed(&checkout, &quote, code).await?);
            }
            Err(error) => {
                self.till.refresh_stock(&self.desk.app).await.map_err(|error| self.unsure(&error))?;
                return Err(self.refused(&error, &checkout));
            }
        }
        self.moved(&checkout.id, MoveOn::GoOn).await
    }

    /// What to pay where the quote on the screen does not hold any more: a fresh one that costs no more is as good.
    async fn consented(&self, checkout: &Checkout, quote_hash: &str, rejection: &Rejection) -> Result<Quote, Failure> {
        let conflict = |code, detail: Say| Failure::Conflict { code, detail, messages: Vec::new(), total: None };
        match rejection {
            Rejection::QuoteExpired | Rejection::QuoteChanged | Rejection::CartChanged => {}
            Rejection::NotReady => return Err(conflict("not_ready", words::of_checkout(rejection))),
            _ => return Err(conflict(rejection.code(), words::of_checkout(rejection))),
        }
        let Some(before) = checkout.quote.clone() else {
            return Err(conflict("not_ready", words::of_checkout(&Rejection::NotReady)));
        };
        if *rejection == Rejection::QuoteExpired && before.hash == quote_hash {
            let shown = self.save(checkout, Details::default()).await?;
            let fresh = shown.checkout.quote.filter(|fresh| fresh.id != before.id && fresh.total().minor <= before.total().minor);
            if let Some(fresh) = fresh {
                return Ok(fresh);
            }
        }
        // Another tab shows an older quote: the newest one stands, and is shown.
        if *rejection == Rejection::QuoteChanged && before.expires_at > self.desk.now {
            return Err(conflict("quote_changed", words::of_checkout(rejection)));
        }
        let code = if *rejection == Rejection::CartChanged { "cart_changed" } else { "quote_changed" };
        Err(self.changed(checkout, &before, (code, words::of_checkout(rejection))).await?)
    }

    /// A conflict with both totals, after the checkout was quoted anew.
    async fn changed(&self, checkout: &Checkout, before: &Quote, told: (&'static str, Say)) -> Result<Failure, Failure> {
        let shown = self.save(checkout, Details::default()).await?;
        let now = shown.priced.totals.total;
        let seen = before.total();
        let mut messages: Vec<Note> = shown.problems.iter().map(words::of_field).collect();
        if now != seen {
            let say = Say::of("payment.total_changed").with_money("seen", seen).with_money("now", now);
            messages.push(Note::new(Severity::Warning, "total_changed", say));
        }
        Ok(Failure::Conflict { code: told.0, detail: told.1, messages, total: Some(ChangedTotal { seen, now }) })
    }

    /// Calls the payment off that the path names, and no other of its cart.
    pub async fn called_off(&self, call: &Call, checkout: Checkout) -> Result<Turned, Failure> {
        match checkout.id.as_str() == call.param("checkout") {
            true => self.moved(&checkout.id, MoveOn::CallOff).await,
            false => self.present(checkout).await,
        }
    }

    /// Moves the payment on and gives the checkout as it then is.
    pub async fn moved(&self, id: &CheckoutId, move_on: MoveOn) -> Result<Turned, Failure> {
        let moved = perform::patiently(&self.desk.app, &self.till, id, move_on, self.until).await;
        match moved {
            Ok(Some(turned)) => Ok(turned),
            Ok(None) => Ok(Turned { checkout: self.stored(id).await?, is_fresh: false, is_foreign: false, is_payable: false }),
            Err(error) => {
                // What was to be moved is a payment, whatever the cart's mark says: an older answer may have cleared it.
                self.is_paying.store(true, Ordering::Relaxed);
                Err(self.unwell(&error))
            }
        }
    }

    /// The checkout as it is now: a payment that is under way is asked about.
    pub async fn present(&self, checkout: Checkout) -> Result<Turned, Failure> {
        match checkout.state(self.desk.now) {
            CheckoutState::CompleteInProgress => self.moved(&checkout.id, MoveOn::GoOn).await,
            _ => Ok(Turned { checkout, is_fresh: true, is_foreign: false, is_payable: false }),
        }
    }

    /// An order, for whoever holds its token.
    pub async fn order(&self, call: &Call) -> Result<Order, Failure> {
        let id = OrderId::from(call.param("order"));
        let query = Form::parse(call.uri.query().unwrap_or(""))?;
        let none = || Failure::not_found(Say::of("says.no_order"));
        if !self.desk.app.keys.accepts(Purpose::Order, id.as_str(), query.get("token")) {
            return Err(none());
        }
        // Whoever holds its token has paid: a store that fails says nothing of money.
        let order = self.till.store.order(&id).await.map_err(|error| self.unsure(&error))?;
        order.ok_or_else(none)
    }

    /// The answer about an order, with what was sent of it.
    pub async fn order_reply(&self, order: &Order) -> Result<OrderReply, Failure> {
        let sent = self.till.store.fulfillments(&order.id).await.map_err(|error| self.unsure(&error))?;
        let shows_mail = self.till.mailer.holds(order);
        Ok(checkout_reply::order_reply(&self.desk.live, &self.desk.app.keys, order, &sent, shows_mail))
    }

    /// Takes the cart away with the answer, where it is the one that became this order.
    pub fn forget_spent(&self, reply: &mut Reply, checkout: &Checkout) {
        if self.desk.session.cart.as_ref().is_some_and(|cart| cart.id == checkout.cart_id) {
            self.desk.session.forget(reply, &self.desk.live);
        }
    }

    /// Marks the cart in the answer as being paid, or as not any more: then a store that fails is not told as "nothing was charged".
    /// A shopper who came back without the cart gets it again.
    pub fn mark(&self, reply: &mut Reply, checkout: &Checkout) {
        let is_live = checkout.attempt.as_ref().is_some_and(|attempt| attempt.state.is_live());
        // Another checkout of this cart may be paid: a checkout without a payment of its own says nothing about it.
        if checkout.attempt.is_none() && self.desk.session.cart.is_some() {
            return;
        }
        let Some(mut cart) = self.carried_or_kept(checkout) else { return };
        let is_kept = self.desk.session.cart.is_some();
        if cart.payment_mark == is_live && is_kept {
            return;
        }
        cart.payment_mark = is_live;
        if let Err(rejection) = self.desk.session.keep(reply, &mut cart, &self.desk.app, &self.desk.live, self.desk.now) {
            tracing::warn!(%rejection, "a cart could not be marked as being paid");
        }
    }

    fn carried_or_kept(&self, checkout: &Checkout) -> Option<Cart> {
        match &self.desk.session.cart {
            Some(cart) if cart.id == checkout.cart_id => Some(cart.clone()),
            Some(_) => None,
            None => self.kept(checkout).ok(),
        }
    }

    /// A store's refusal in the shopper's words.
    fn refused(&self, error: &StoreError, checkout: &Checkout) -> Failure {
        let conflict = |code, key, messages| Failure::Conflict { code, detail: Say::of(key), messages, total: None };
        match error {
            StoreError::Refused(Refusal::SoldOut { skus }) => {
                conflict("sold_out", "payment.sold_out", self.sold_out(skus, checkout))
            }
            StoreError::Refused(Refusal::CartSpent { .. }) => conflict("cart_spent", "payment.cart_spent", Vec::new()),
            StoreError::Refused(Refusal::AttemptLive) => {
                conflict("payment_in_progress", "payment.under_way_call_off", Vec::new())
            }
            StoreError::Refused(Refusal::WrongState | Refusal::LeaseLost) => conflict("changed", "payment.changed", Vec::new()),
            StoreError::Refused(Refusal::NotFound) => no_such_checkout(),
            // Another click on the same button may be at work.
            error => self.unsure(error),
        }
    }

    /// One message per line that is short, by the lines of the checkout's cart.
    pub(super) fn sold_out(&self, skus: &[Sku], checkout: &Checkout) -> Vec<Note> {
        let lines = checkout.quote.as_ref().map_or(&[][..], |quote| &quote.priced.lines);
        let short = lines.iter().enumerate().filter(|(_, line)| skus.contains(&line.sku));
        let told = |(index, line): (usize, &crate::commerce::pricing::PricedLine)| {
            let say = Say::of("line.sold_out").with("name", &line.title);
            Note::new(Severity::Error, "sold_out", say).about(format!("/cart/lines/{index}"))
        };
        short.map(told).collect()
    }

    /// A store that fails before it told how far a checkout is: nothing is said about money, unless it may be moving.
    pub fn unsure(&self, error: &StoreError) -> Failure {
        match self.unwell(error) {
            Failure::Unavailable { code, retry_after_s, .. } if !self.is_paying.load(Ordering::Relaxed) => {
                let detail = Say::of("says.back_soon");
                Failure::Unavailable { code, retry_after_s, detail }
            }
            failure => failure,
        }
    }

    /// A failing store. Whoever may have paid is never told that nothing was charged.
    pub fn unwell(&self, error: &StoreError) -> Failure {
        match unwell(error) {
            Failure::Unavailable { code, retry_after_s, .. } if self.is_paying.load(Ordering::Relaxed) => {
                Failure::Unavailable { code, retry_after_s, detail: Say::of(CHECKING) }
            }
            failure => failure,
        }
    }
}

/// Whether a text can be the name of a confirmation token.
fn is_confirmation(text: &str) -> bool {
    let rest = text.strip_prefix("ctoken_").unwrap_or("");
    (1..=MAX_TOKEN_BYTES).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn no_such_checkout() -> Failure {
    Failure::not_found(Say::of("says.no_checkout"))
}
