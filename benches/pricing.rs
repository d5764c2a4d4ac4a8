//! Pricing: how many carts a second one core prices, and how long the price history is asked for what was lowest before a reduction.
//!
//! Run     cargo bench --bench pricing
//! Prints  carts priced per second and microseconds per cart, for carts of 1, 5 and 100 lines, with and without a coupon, and with as many
//!         automatic promotions as are weighed, all of which join;
//!         nanoseconds per look-up in a history of a hundred thousand variants.

use std::hint::black_box;
use std::time::{Duration, Instant};

use vitrine::commerce::cart::{Cart, Destination, LineItem};
use vitrine::commerce::catalog::{Catalog, Product};
use vitrine::commerce::history::{PriceHistory, PriceStep};
use vitrine::commerce::ids::{CartId, CouponCode, MarketId, Sku, SkuHash, Timestamp};
use vitrine::commerce::money::Currency;
use vitrine::commerce::outside::OutsidePrices;
use vitrine::commerce::pricing::{PricingFacts, price_cart};
use vitrine::commerce::promotion::{MAX_WEIGHED, Trigger};
use vitrine::commerce::rules::Rules;

/// Long enough to be steady, short enough to be run often.
const MEASURED: Duration = Duration::from_millis(500);
/// Products in the catalogue; a cart looks its lines up among them.
const PRODUCTS: usize = 10_000;
/// Variants in the price history.
const VARIANTS: usize = 100_000;

fn main() {
    let products: Vec<Product> = (0..PRODUCTS).map(product).collect();
    let catalog = Catalog::new(products, Vec::new()).expect("names are unique");
    let (plain, joined) = (rules(vec![ten()]), rules((0..MAX_WEIGHED).map(joins_all).collect()));
    println!("pricing with {PRODUCTS} products, one thread");
    let cases = [(1, &[][..], &plain), (5, &[], &plain), (5, &["TEN"], &plain), (100, &[], &plain), (100, &["TEN"], &plain)];
    for (lines, codes, rules) in cases.into_iter().chain([(5, &[][..], &joined), (100, &[], &joined)]) {
        let cart = cart(lines, codes);
        let automatic = rules.promotions.iter().filter(|promotion| promotion.trigger == Trigger::Automatic).count();
        let (outside, at) = (&OutsidePrices::NONE, Timestamp(0));
        let facts = PricingFacts { catalog: &catalog, rules, at, shipping_choice: None, outside, used_up: &[], customer: None };
        let (mut count, begin) = (0u32, Instant::now());
        while begin.elapsed() < MEASURED {
            black_box(price_cart(black_box(&cart), &facts)).expect("the cart can be priced");
            count += 1;
        }
        let each = begin.elapsed() / count;
        let each_us = each.as_nanos() as f64 / 1e3;
        let codes = codes.len();
        println!(
            "{lines:>4} lines, {codes} codes, {automatic} automatic: {:>9.0} carts/s, {each_us:>8.2} µs each",
            1e6 / each_us
        );
    }
    look_back();
}

// Four prices of each variant, the last two a reduction that grew; asked for in an order in which no two are neighbours.
fn look_back() {
    const DAY: i64 = 86_400;
    let (market, euro) = (MarketId::from("eu"), Currency::from_code("EUR").expect("a currency"));
    let sku = |number: usize| Sku::from(format!("SKU-{number}"));
    let step = |number: usize, (day, minor, is_reduced): (i64, i64, bool)| PriceStep {
        sku: sku(number),
        market: market.clone(),
        currency: euro,
        minor,
        is_reduced,
        from: Timestamp(day * DAY),
    };
    let steps = [(0, 2_000, false), (40, 1_900, false), (60, 1_700, true), (70, 1_500, true)];
    let written = (0..VARIANTS).flat_map(|number| steps.map(|one| step(number, one))).collect();
    let history = PriceHistory::new(written);
    let asked: Vec<SkuHash> = (0..VARIANTS).map(|number| sku(number * 7_919 % VARIANTS).hash()).collect();
    let begin = Instant::now();
    for hash in &asked {
        assert_eq!(black_box(history.lowest_before(*hash, &market, euro, Timestamp(90 * DAY))), Some(1_900));
    }
    println!(
        "lowest price before a reduction, {VARIANTS} variants: {} ns each",
        begin.elapsed().as_nanos() / asked.len() as u128
    );
}

fn product(number: usize) -> Product {
    let written = serde_json::json!({
        "slug": format!("product-{number}"), "title": "A lamp", "brand": null, "categories": ["home/lamps"], "image": null,
        "options": [], "tax_class": "standard", "quantity": { "min": 1, "max": 99, "step": 1 }, "properties": [], "translations": [],
        "status": "active", "publish_at": null, "expires_at": null,
        "variants": [{
            "sku": format!("SKU-{number}"), "option_values": [], "weight_g": 100, "requires_shipping": true,
            "prices": [{ "currency": "EUR", "unit_minor": 1990 + number, "compare_at_minor": null, "sales": [], "prior": [] }],
            "opening_stock": 5, "stock_policy": "deny", "image": null, "gtin": null,
        }],
    });
    serde_json::from_value(written).expect("a product")
}

fn ten() -> serde_json::Value {
    serde_json::json!({
        "id": "ten", "title": "Ten percent", "trigger": { "Code": "TEN" }, "benefit": { "Percentage": "10" }, "minimum_minor": [], "minimum_quantity": 0,
        "markets": [], "products": [], "categories": ["home"], "starts_at": null, "ends_at": null, "usage_limit": null, "per_customer": null, "first_order": false,
        "stacking_class": "order", "combines_with": [],
    })
}

/// Some percent off, beside every other one.
fn joins_all(number: usize) -> serde_json::Value {
    let class = |number: usize| format!("class-{number}");
    let others: Vec<String> = (0..MAX_WEIGHED).filter(|other| *other != number).map(class).collect();
    let mut promotion = ten();
    promotion["id"] = format!("promotion-{number}").into();
    promotion["trigger"] = "Automatic".into();
    promotion["benefit"]["Percentage"] = (number + 1).to_string().into();
    promotion["stacking_class"] = class(number).into();
    promotion["combines_with"] = others.into();
    promotion
}

fn rules(promotions: Vec<serde_json::Value>) -> Rules {
    let written = serde_json::json!({
        "markets": [{
            "id": "eu", "name": "Europe", "prefix": "", "countries": ["DE"], "currency": "EUR", "language": "en",
            "tax_mode": "inclusive", "rounding": "half_up", "rounding_scope": "line", "consumer_law": "none",
        }],
        "tax": {
            "classes": ["standard"], "shipping_class": "standard",
            "rates": [{ "country": "DE", "region": null, "name": "VAT", "percent": [["standard", "19"]] }],
        },
        "shipping": [{
            "id": "home", "name": "Germany", "market": "eu", "countries": ["DE"],
            "rates": [{
                "id": "parcel", "name": "Parcel", "delivery": null, "free_over_minor": 6000, "transit_days": null, "price": { "Flat": { "minor": 490 } },
            }],
        }],
        "words": {}, "promotions": promotions,
        "quote_seconds": 900, "reservation_seconds": 900,
    });
    serde_json::from_value(written).expect("rules")
}

fn cart(lines: usize, codes: &[&str]) -> Cart {
    let mut cart = Cart::new(CartId([1; 16]), "eu".into(), "en".into(), Timestamp(0));
    cart.destination = Some(Destination { country: "DE".into(), region: None, postal_code: None });
    cart.coupons = codes.iter().map(|code| CouponCode::normal(code)).collect();
    let line = |number: usize| LineItem {
        sku: Sku::from(format!("SKU-{}", number * 97)).hash(),
        quantity: 2,
        properties: Vec::new(),
        seen_price_minor: 1990,
    };
    cart.lines = (0..lines).map(line).collect();
    cart
}
