//! Pricing: the one place where totals are made.
//!
//! Owns    lines → discounts → shipping → tax → totals. It composes; the arithmetic of each step lives with its noun.
//! Knows   the unit price only through `Variant::current_price`, which pages and feeds ask too, and what is told beside it from outside.
//! Always  integer minor units, largest-remainder splitting, the market's named rounding; parts add up to the total to the last
//!         minor unit; nothing is ever negative.

use serde::{Deserialize, Serialize};

use super::cart::{Cart, LineId, LineItem, MAX_LINES, MAX_QUANTITY};
use super::catalog::{Catalog, CurrentPrice, Product, Variant};
use super::ids::{ShippingRateId, Sku, Slug, TaxClass, Timestamp};
use super::language::Words;
use super::money::{Currency, Money};
use super::outside::OutsidePrices;
use super::promotion::{Customer, Promoted, Promotion, PromotionFacts};
use super::rules::{Market, Rules};
use super::shipping::zone_of;
use super::tax::{TaxMode, TaxPart};
use deal::{Deal, Trade};
pub use hints::Hint;
use levy::levy;
use offers::Offers;
pub use offers::{AutomaticDiscount, CouponOutcome};

mod deal;
mod hints;
mod levy;
mod offers;
#[cfg(test)]
mod promotions;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

/// What a cart is priced by.
#[derive(Clone, Copy, Debug)]
pub struct PricingFacts<'a> {
    /// What is sold.
    pub catalog: &'a Catalog,
    /// Markets, tax, shipping, promotions.
    pub rules: &'a Rules,
    /// The instant whose prices hold.
    pub at: Timestamp,
    /// The rate chosen so far; the cheapest offered one is used where it is missing or not offered.
    pub shipping_choice: Option<&'a ShippingRateId>,
    /// What is told beside the catalogue's prices, for the cart's market.
    pub outside: &'a OutsidePrices,
    /// Ids of promotions known to be used up (from the store's snapshot).
    pub used_up: &'a [String],
    /// Whoever buys, once that is known.
    pub customer: Option<&'a Customer>,
}

/// A cart with its prices. All amounts in `currency`, minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedCart {
    /// The market's currency.
    pub currency: Currency,
    /// Whether the amounts of lines and shipping contain the tax.
    pub tax_mode: TaxMode,
    /// One per line that is still sold, same order as the cart.
    pub lines: Vec<PricedLine>,
    /// Lines that can no longer be bought (unknown, archived, no price here), by id; they are in no sum.
    pub unavailable: Vec<LineId>,
    /// Lines, priced all the same, whose quantity the product's rule allows no longer; they have to be changed before paying.
    pub wrong_quantity: Vec<LineId>,
    /// What each typed code did.
    pub coupons: Vec<CouponOutcome>,
    /// What automatic promotions took off.
    #[serde(default)]
    pub automatic: Vec<AutomaticDiscount>,
    /// What little more would bring, and what counts on condition; of the moment, so never frozen.
    #[serde(skip)]
    pub hints: Vec<Hint>,
    /// Rates for the destination with prices; empty without destination or where nothing needs a parcel.
    pub shipping_options: Vec<ShippingOption>,
    /// The rate the totals count; `None`: not known yet, or nothing to ship.
    pub shipping: Option<ShippingOption>,
    /// Whether any line needs a parcel.
    pub needs_shipping: bool,
    /// A destination is given, but the market does not list its country or no rate takes the parcel there. Not payable.
    pub destination_unserved: bool,
    /// Country whose rates were used; `None`: tax is not known yet, and not in `totals`.
    pub tax_country: Option<String>,
    /// Tax per rate, lowest rate first.
    pub taxes: Vec<TaxPart>,
    /// The share of `totals.tax` that falls on shipping.
    pub shipping_tax: Money,
    /// The sums.
    pub totals: Totals,
}

impl PricedCart {
    /// Whether its totals may be frozen as a quote: something is sold, in quantities that are allowed, tax is known, and a rate takes
    /// what needs a parcel. Stock is not judged here, nor whether lines were left out: the shopper is told of those.
    pub fn is_payable(&self) -> bool {
        let is_sent = self.shipping.is_some() || !self.needs_shipping;
        let tax_is_known = self.tax_country.is_some() && !self.destination_unserved;
        !self.lines.is_empty() && self.wrong_quantity.is_empty() && tax_is_known && is_sent
    }

    /// Whether a use of that promotion is held by whoever pays this.
    pub fn uses(&self, promotion: &Promotion) -> bool {
        let is_typed = |coupon: &CouponOutcome| promotion.code().is_some_and(|own| own.names(&coupon.code));
        self.automatic.iter().any(|given| given.promotion == promotion.id)
            || self.coupons.iter().any(|coupon| coupon.takes_off() && is_typed(coupon))
    }
}

/// A line with its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedLine {
    /// The line's id.
    pub id: LineId,
    /// Which variant.
    pub sku: Sku,
    /// Its product.
    pub product: Slug,
    /// The product's title when it was priced.
    pub title: String,
    /// The variant's title; empty for an only variant.
    pub variant_title: String,
    /// What the shopper wrote.
    pub properties: Vec<(String, String)>,
    /// Units.
    pub quantity: u32,
    /// Price per unit now.
    pub unit_price: Money,
    /// Struck-out price per unit.
    pub compare_at: Option<Money>,
    /// Price per unit the shopper last saw, where it differs.
    pub seen_price: Option<Money>,
    /// quantity × unit price.
    pub subtotal: Money,
    /// What promotions take off this line.
    pub discount: Money,
    /// subtotal − discount (without tax in an exclusive market).
    pub total: Money,
    /// The class it is taxed by.
    pub tax_class: TaxClass,
    /// Tax in (inclusive) or on top of (exclusive) `total`.
    pub tax: Money,
    /// Whether it goes into the parcel.
    pub requires_shipping: bool,
    /// Grams of the whole line; 0 where no parcel is needed.
    pub weight_g: u64,
}

/// A rate with its price for this cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingOption {
    /// The rate.
    pub id: ShippingRateId,
    /// What people read.
    pub name: String,
    /// Such as `2–3 working days`.
    pub delivery: Option<String>,
    /// Before a promotion makes it free.
    pub price: Money,
}

/// The sums. `total = subtotal − discount + shipping − shipping_discount + (tax, in an exclusive market)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Σ line subtotals.
    pub subtotal: Money,
    /// Σ line discounts.
    pub discount: Money,
    /// The chosen rate's price; 0 while unknown.
    pub shipping: Money,
    /// What promotions take off shipping.
    pub shipping_discount: Money,
    /// Σ taxes; inside the total in an inclusive market.
    pub tax: Money,
    /// What is paid.
    pub total: Money,
}

/// Why a cart cannot be priced. The second is a fault of the shop's rules, which `Rules::problems` tells at build time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricingRejection {
    /// The cart names a market that is gone.
    #[error("this market is closed")]
    UnknownMarket,
    /// A country the market sells to has no rate for what is in the cart. Tax is never left out in silence.
    #[error("prices for this country cannot be worked out right now")]
    NoTaxRate {
        /// ISO 3166-1 alpha-2.
        country: String,
    },
}

/// Prices a cart.
///
/// Tax: by the destination's rates; while there is none (or one the market does not list), by the rates of the market's first
/// country where prices contain tax, and not at all (`tax_country: None`) where it comes on top.
/// Errors: an unknown market and a missing tax rate; all else (unknown SKU, refused coupon, no rate) is said in the result.
pub fn price_cart(cart: &Cart, facts: &PricingFacts<'_>) -> Result<PricedCart, PricingRejection> {
    let market = facts.rules.market(&cart.market).ok_or(PricingRejection::UnknownMarket)?;
    let (goods, unavailable) = collect_goods(cart, facts, market);
    let destination = cart.destination.as_ref().filter(|place| market.countries.contains(&place.country));
    let zone = destination.and_then(|place| zone_of(&facts.rules.shipping, &market.id, &place.country));

    let lines: Vec<Promoted<'_>> = goods.iter().map(Good::promoted).collect();
    let judged_by = PromotionFacts {
        market: &market.id,
        currency: market.currency,
        at: facts.at,
        goods_minor: goods.iter().map(|good| good.subtotal_minor).sum(),
        lines: &lines,
        used_up: facts.used_up,
        customer: facts.customer,
    };
    let offers = Offers::of(cart, facts.rules, &judged_by);
    let trade = Trade { market, zone, goods: &goods, lines: &lines, choice: facts.shipping_choice };
    let deal = offers.best(&trade);
    let levied = levy(&goods, &deal, destination, market, facts.rules)?;

    let needs_shipping = goods.iter().any(|good| good.variant.requires_shipping);
    let said = Said { words: &facts.rules.words, language: &cart.language };
    let parts = goods.iter().zip(&deal.discounts).zip(&levied.line_taxes);
    let priced: Vec<PricedLine> = parts.map(|((good, discount), tax)| good.priced(*discount, *tax, &said)).collect();
    Ok(PricedCart {
        currency: market.currency,
        tax_mode: market.tax_mode,
        unavailable,
        wrong_quantity: goods
            .iter()
            .filter(|good| !good.product.quantity.allows(good.line.quantity))
            .map(|good| good.line.id())
            .collect(),
        coupons: offers.outcomes(&deal, market.currency, &said),
        automatic: offers.discounts(&deal, market.currency, &said),
        hints: hints::hints(&offers, &deal, &trade, &judged_by, &said),
        needs_shipping,
        destination_unserved: cart.destination.is_some() && (destination.is_none() || needs_shipping && deal.has_no_rate()),
        tax_country: levied.country,
        taxes: levied.parts.into_iter().map(|part| TaxPart { name: said.word(&part.name), ..part }).collect(),
        shipping_tax: Money::new(levied.shipping_tax, market.currency),
        totals: totals(&priced, &deal, levied.shipping_tax, market),
        shipping: deal.shipping(&trade).map(|option| said.option(option)),
        shipping_options: deal.options(&trade).into_iter().map(|option| said.option(option)).collect(),
        lines: priced,
    })
}

/// A line that is still sold, with what is sold.
struct Good<'a> {
    line: &'a LineItem,
    product: &'a Product,
    variant: &'a Variant,
    price: CurrentPrice,
    subtotal_minor: i64,
}

fn collect_goods<'a>(cart: &'a Cart, facts: &PricingFacts<'a>, market: &Market) -> (Vec<Good<'a>>, Vec<LineId>) {
    let mut goods = Vec::with_capacity(cart.lines.len());
    let mut unavailable = Vec::new();
    for line in &cart.lines {
        let countable = goods.len() < MAX_LINES && (1..=MAX_QUANTITY).contains(&line.quantity);
        let sold = facts.catalog.variant(line.sku).filter(|(product, _)| countable && product.is_active(facts.at));
        let priced = sold.and_then(|(product, variant)| {
            Some((product, variant, facts.outside.current_price(variant, market.currency, facts.at)?))
        });
        match priced {
            Some((product, variant, price)) => {
                goods.push(Good { line, product, variant, price, subtotal_minor: (price.unit * line.quantity).minor });
            }
            None => unavailable.push(line.id()),
        }
    }
    (goods, unavailable)
}

/// What short texts are called in the cart's language.
struct Said<'a> {
    words: &'a Words,
    language: &'a str,
}

impl Said<'_> {
    fn word(&self, text: &str) -> String {
        self.words.say(self.language, text).to_owned()
    }

    fn option(&self, option: ShippingOption) -> ShippingOption {
        let delivery = option.delivery.as_deref().map(|text| self.word(text));
        ShippingOption { name: self.word(&option.name), delivery, ..option }
    }
}

impl Good<'_> {
    fn promoted(&self) -> Promoted<'_> {
        let (quantity, in_parcel) = (self.line.quantity, self.variant.requires_shipping);
        Promoted { product: self.product, quantity, unit_minor: self.price.unit.minor, in_parcel }
    }

    fn weight_g(&self) -> u64 {
        let unit_g = if self.variant.requires_shipping { self.variant.weight_g } else { 0 };
        u64::from(unit_g) * u64::from(self.line.quantity)
    }

    fn priced(&self, discount_minor: i64, tax_minor: i64, said: &Said<'_>) -> PricedLine {
        let money = |minor| Money::new(minor, self.price.unit.currency);
        let seen = money(self.line.seen_price_minor);
        PricedLine {
            id: self.line.id(),
            sku: self.variant.sku.clone(),
            product: self.product.slug.clone(),
            title: self.product.title_in(said.language).to_owned(),
            variant_title: self.product.variant_title_in(self.variant, said.words, said.language),
            properties: self.line.properties.clone(),
            quantity: self.line.quantity,
            unit_price: self.price.unit,
            compare_at: self.price.compare_at,
            seen_price: (seen != self.price.unit).then_some(seen),
            subtotal: money(self.subtotal_minor),
            discount: money(discount_minor),
            total: money(self.subtotal_minor - discount_minor),
            tax_class: self.product.tax_class.clone(),
            tax: money(tax_minor),
            requires_shipping: self.variant.requires_shipping,
            weight_g: self.weight_g(),
        }
    }
}

fn totals(lines: &[PricedLine], deal: &Deal<'_>, shipping_tax: i64, market: &Market) -> Totals {
    let money = |minor| Money::new(minor, market.currency);
    let sum = |part: fn(&PricedLine) -> Money| lines.iter().map(part).fold(Money::zero(market.currency), |sum, part| sum + part);
    let subtotal = sum(|line| line.subtotal);
    let discount = sum(|line| line.discount);
    let tax = sum(|line| line.tax) + money(shipping_tax);
    let shipping = money(deal.shipping_minor());
    let shipping_discount = money(deal.shipping_discount);
    let before_tax = subtotal - discount + shipping - shipping_discount;
    let total = match market.tax_mode {
        TaxMode::Inclusive => before_tax,
        TaxMode::Exclusive => before_tax + tax,
    };
    assert!(total.minor >= 0, "a total is never negative");
    Totals { subtotal, discount, shipping, shipping_discount, tax, total }
}
