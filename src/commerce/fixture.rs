//! Fixture: a tiny shop for the core's own tests.
//!
//! Owns    `Shop`, whose fields a test bends to its case. One market, `eu`: EUR, prices with tax, Germany and Austria; tax classes
//!         `standard` (19, 20) and `reduced` (7, 10); no shipping zones and no coupons.

use super::cart::{Cart, Destination, LineItem};
use super::catalog::{Catalog, Price, Product, ProductStatus, QuantityRule, StockPolicy, Variant};
use super::ids::{CartId, CategoryPath, CouponCode, MarketId, ShippingRateId, Sku, Slug, TaxClass, Timestamp};
use super::money::{Currency, Rounding};
use super::outside::OutsidePrices;
use super::pricing::{PricedCart, PricingFacts, PricingRejection, price_cart};
use super::promotion::{Benefit, Customer, Promotion, Trigger};
use super::rules::{Market, RoundingScope, Rules};
use super::shipping::{RatePrice, ShippingRate, ShippingZone};
use super::tax::{TaxMode, TaxRates, TaxTable};

/// The instant at which everything is priced.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

/// Products `p0`, `p1` … (SKUs alike) and the rules they are sold by.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub products: Vec<Product>,
    pub rules: Rules,
    pub used_up: Vec<String>,
    pub customer: Option<Customer>,
    pub shipping_choice: Option<ShippingRateId>,
}

impl Shop {
    /// One product per price, in `standard`, 100 g each.
    pub(crate) fn of(prices_minor: &[i64]) -> Self {
        let products = prices_minor.iter().enumerate().map(|(index, minor)| product(&format!("p{index}"), *minor)).collect();
        Self { products, rules: rules(), used_up: Vec::new(), customer: None, shipping_choice: None }
    }

    /// The shop's only market.
    pub(crate) fn market(&mut self) -> &mut Market {
        &mut self.rules.markets[0]
    }

    /// Adds a zone that sends to Germany and Austria by one rate.
    pub(crate) fn sends_by(mut self, rate: ShippingRate) -> Self {
        match self.rules.shipping.first_mut() {
            Some(zone) => zone.rates.push(rate),
            None => self.rules.shipping.push(ShippingZone {
                id: "home".into(),
                name: "Home".into(),
                market: "eu".into(),
                countries: vec!["DE".into(), "AT".into()],
                rates: vec![rate],
            }),
        }
        self
    }

    /// Adds a promotion.
    pub(crate) fn with(mut self, promotion: Promotion) -> Self {
        self.rules.promotions.push(promotion);
        self
    }

    /// The catalogue of its products.
    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::new(self.products.clone(), Vec::new()).expect("fixture products have names of their own")
    }

    /// Prices a cart at `NOW`.
    pub(crate) fn price(&self, cart: &Cart) -> Result<PricedCart, PricingRejection> {
        let catalog = self.catalog();
        let choice = self.shipping_choice.as_ref();
        let (outside, used_up, customer) = (&OutsidePrices::NONE, &self.used_up, self.customer.as_ref());
        let facts =
            PricingFacts { catalog: &catalog, rules: &self.rules, at: NOW, shipping_choice: choice, outside, used_up, customer };
        price_cart(cart, &facts)
    }
}

/// A product with one variant of the same name in upper case.
pub(crate) fn product(slug: &str, unit_minor: i64) -> Product {
    Product {
        slug: Slug::from(slug),
        title: slug.to_uppercase(),
        translations: Vec::new(),
        brand: None,
        categories: Vec::new(),
        image: None,
        options: Vec::new(),
        variants: vec![variant(&slug.to_uppercase(), unit_minor)],
        tax_class: "standard".into(),
        quantity: QuantityRule::default(),
        properties: Vec::new(),
        status: ProductStatus::Active,
        publish_at: None,
        expires_at: None,
    }
}

/// A variant with a price in euros.
pub(crate) fn variant(sku: &str, unit_minor: i64) -> Variant {
    Variant {
        sku: Sku::from(sku),
        option_values: Vec::new(),
        prices: vec![price(unit_minor)],
        weight_g: 100,
        requires_shipping: true,
        opening_stock: 10,
        stock_policy: StockPolicy::Deny,
        image: None,
        gtin: None,
        content: None,
    }
}

/// A price in euros without sales.
pub(crate) fn price(unit_minor: i64) -> Price {
    Price { currency: euro(), unit_minor, compare_at_minor: None, sales: Vec::new(), prior: Box::default() }
}

/// EUR.
pub(crate) fn euro() -> Currency {
    Currency::from_code("EUR").expect("EUR is a currency")
}

fn rules() -> Rules {
    Rules {
        words: Default::default(),
        markets: vec![Market {
            id: MarketId::from("eu"),
            name: "Europe".into(),
            prefix: String::new(),
            countries: vec!["DE".into(), "AT".into()],
            currency: euro(),
            language: "en".into(),
            tax_mode: TaxMode::Inclusive,
            rounding: Rounding::HalfUp,
            rounding_scope: RoundingScope::Line,
            consumer_law: Default::default(),
        }],
        tax: TaxTable {
            classes: vec!["standard".into(), "reduced".into()],
            shipping_class: Some("standard".into()),
            rates: vec![tax_row("DE", None, "19", "7"), tax_row("AT", None, "20", "10")],
        },
        shipping: Vec::new(),
        promotions: Vec::new(),
        quote_seconds: 900,
        reservation_seconds: 900,
    }
}

/// A row of the tax table.
pub(crate) fn tax_row(country: &str, region: Option<&str>, standard: &str, reduced: &str) -> TaxRates {
    let percent = |class: &str, written: &str| (TaxClass::from(class), written.parse().expect("a percentage"));
    TaxRates {
        country: country.into(),
        region: region.map(str::to_owned),
        name: "VAT".into(),
        percent: vec![percent("reduced", reduced), percent("standard", standard)],
    }
}

/// A rate that always costs the same.
pub(crate) fn flat(id: &str, minor: i64) -> ShippingRate {
    ShippingRate {
        id: id.into(),
        name: id.to_uppercase(),
        delivery: None,
        price: RatePrice::Flat { minor },
        free_over_minor: None,
        transit_days: None,
    }
}

/// A coupon without conditions, its code the id in upper case, in a class of its own that joins nothing.
pub(crate) fn coupon(id: &str, benefit: Benefit) -> Promotion {
    Promotion {
        id: id.into(),
        title: id.into(),
        trigger: Trigger::Code(CouponCode::normal(id)),
        benefit,
        minimum_minor: Vec::new(),
        minimum_quantity: 0,
        markets: Vec::new(),
        products: Vec::new(),
        categories: Vec::<CategoryPath>::new(),
        starts_at: None,
        ends_at: None,
        usage_limit: None,
        per_customer: None,
        first_order: false,
        stacking_class: id.into(),
        combines_with: Vec::new(),
    }
}

/// Percent off.
pub(crate) fn percent_off(written: &str) -> Benefit {
    Benefit::Percentage(written.parse().expect("a percentage"))
}

/// Euro cents off.
pub(crate) fn euros_off(minor: i64) -> Benefit {
    Benefit::Fixed(vec![(euro(), minor)])
}

/// A cart of (product number, quantity) with codes.
pub(crate) fn cart(lines: &[(usize, u32)], codes: &[&str]) -> Cart {
    let mut cart = Cart::new(CartId([7; 16]), "eu".into(), "en".into(), NOW);
    let line = |(number, quantity): &(usize, u32)| LineItem {
        sku: Sku::from(format!("P{number}")).hash(),
        quantity: *quantity,
        properties: Vec::new(),
        seen_price_minor: 0,
    };
    cart.lines = lines.iter().map(line).collect();
    cart.coupons = codes.iter().map(|code| CouponCode::normal(code)).collect();
    cart
}

/// The cart with a country to go to.
pub(crate) fn sent_to(mut cart: Cart, country: &str) -> Cart {
    cart.destination = Some(Destination { country: country.into(), region: None, postal_code: None });
    cart
}
