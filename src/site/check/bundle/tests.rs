//! What the two readers of a bundle make of the same bytes.

use proptest::prelude::*;

use super::super::Findings;
use super::super::price::Till;
use super::*;
use crate::commerce::catalog::{
    self, Catalog, Category, Image, PriorPrice, ProductOption, PropertyRule, SaleWindow, StockPolicy,
};
use crate::commerce::fixture::{Shop, coupon, euro, percent_off, price, variant};
use crate::commerce::ids::Timestamp;
use crate::commerce::language::Translation;
use crate::commerce::money::Currency;
use crate::commerce::promotion::{Benefit, BuyGet, Promotion, Tier, TierFrom, TierOff, Trigger};
use crate::commerce::rules::Market as RulesMarket;
use crate::commerce::shipping::{RatePrice, ShippingRate};
use crate::site::plan::Plan;
use crate::theme::bundle::services::{InventoryClass, InventoryTerms, PriceClass, PricingTerms};
use crate::theme::bundle::{Bundle, FrontTerms, Keeper, MailTerms, PaymentTerms, SigningKey, SubscriberTerms};

const NOW: i64 = 1_000_000;

fn dollar() -> Currency {
    Currency::from_code("USD").expect("USD is a currency")
}

/// A bundle in which every field that may be empty is not, and every choice is taken.
fn full() -> Bundle {
    let amounts = || vec![(euro(), 500), (dollar(), -600)];
    let buy_get = BuyGet {
        buy: 2.try_into().expect("above zero"),
        get: 1.try_into().expect("above zero"),
        off: "50".parse().expect("a percentage"),
        products: vec!["p0".into()],
        categories: vec!["light/lamps".into()],
        times: Some(3.try_into().expect("above zero")),
    };
    let tiers = vec![
        Tier { from: TierFrom::Quantity(300), off: TierOff::Percentage("12.5".parse().expect("a percentage")) },
        Tier { from: TierFrom::Value(amounts()), off: TierOff::Fixed(amounts()) },
    ];
    let benefits =
        [percent_off("10"), Benefit::Fixed(amounts()), Benefit::FreeShipping, Benefit::BuyGet(buy_get), Benefit::Tiers(tiers)];
    let rate = |id: &str, price: RatePrice| ShippingRate {
        id: id.into(),
        name: "Post".into(),
        delivery: Some("soon".into()),
        transit_days: Some([200, 255]),
        price,
        free_over_minor: Some(5000),
    };
    let mut shop = Shop::of(&[1990, 0, 250])
        .sends_by(rate("flat", RatePrice::Flat { minor: 490 }))
        .sends_by(rate("weight", RatePrice::Weight { tiers: vec![(5000, 490), (u32::MAX, 990)] }))
        .sends_by(rate("value", RatePrice::Value { tiers: vec![(0, 490), (10_000, 0)] }));
    for (index, benefit) in benefits.into_iter().enumerate() {
        let code = coupon(&format!("C{index}"), benefit);
        shop = shop.with(Promotion {
            trigger: if index == 0 { Trigger::Automatic } else { code.trigger.clone() },
            minimum_minor: amounts(),
            minimum_quantity: 129,
            markets: vec!["eu".into()],
            products: vec!["p1".into()],
            categories: vec!["light".into()],
            starts_at: Some(Timestamp(-5)),
            ends_at: Some(Timestamp(i64::MAX)),
            usage_limit: Some(u32::MAX),
            per_customer: Some(1),
            first_order: true,
            combines_with: vec!["other".into()],
            ..code
        });
    }
    let root = shop.market().clone();
    shop.rules.markets.push(RulesMarket { id: "us".into(), prefix: "us".into(), currency: dollar(), ..root });
    let word = || ("Red".to_owned(), "Rot".to_owned());
    let translations = vec![Translation { language: "de".into(), title: Some("Lampe".into()), words: vec![word()] }];
    let image = Image { url: "/i/ä.png".into(), alt: "\u{2028}".into(), width: Some(40_000), height: None };
    let category = Category { path: "light".into(), title: "Light".into(), translations: translations.clone(), order: i64::MIN };
    let lamp = &mut shop.products[0];
    lamp.translations = translations;
    lamp.brand = Some("Maker".into());
    lamp.categories = vec!["light".into()];
    lamp.image = Some(image.clone());
    lamp.options = vec![ProductOption { name: "Size".into(), values: vec!["S".into(), "M".into()] }];
    lamp.properties = vec![PropertyRule { key: "k".into(), label: "Name".into(), required: true, max_bytes: 300 }];
    lamp.publish_at = Some(Timestamp(NOW - 10));
    lamp.expires_at = Some(Timestamp(NOW + 10));
    let mut second = variant("P0-M", 2990);
    second.option_values = vec!["M".into()];
    second.stock_policy = StockPolicy::Untracked;
    second.image = Some(Box::new(image));
    second.gtin = Some("4006381333931".into());
    second.prices = vec![reduced(), catalog::Price { currency: dollar(), unit_minor: i64::MAX, ..price(0) }];
    lamp.variants.push(second);
    shop.products[2].status = catalog::ProductStatus::Archived;
    Bundle {
        shop_id: "lamp".into(),
        sites_json: vec!["{}".into(), "{\"a\":1}".into()],
        catalog: Catalog::new(shop.products, vec![category]).expect("names of their own"),
        rules: shop.rules,
        templates: vec![("edge/cart.html".into(), "text".repeat(100))],
        assets: vec![("theme.js".into(), "/a/theme.1.js".into(), "sha384-x".into())],
        origins: vec!["http://127.0.0.1:8080".into()],
        order_prefix: "L-".into(),
        payment: PaymentTerms {
            gateway: "stripe".into(),
            allow_sandbox_on_public_host: true,
            methods: vec!["card".into()],
            account: Some("acct".into()),
            element: true,
        },
        mail: MailTerms { from: "Lamp <a@lamp.example>".into(), reply_to: Some("b@lamp.example".into()) },
        webhooks: vec![SubscriberTerms {
            name: "erp".into(),
            url: "https://e.example".into(),
            events: vec!["order.paid".into()],
        }],
        front: FrontTerms {
            trusted_proxies: Some(vec!["10.0.0.0/8".into()]),
            client_address_header: Some("X".into()),
            origin_secret_header: Some("Y".into()),
        },
        pricing: Some(PricingTerms {
            url: "https://p.example".into(),
            timeout_ms: 300,
            fresh_seconds: 5,
            usual: price_class(),
            classes: vec![price_class()],
        }),
        inventory: Some(InventoryTerms {
            url: "https://i.example".into(),
            timeout_ms: 300,
            usual: inventory_class(),
            classes: vec![inventory_class()],
        }),
        keeper: Some(Keeper::Database),
    }
}

fn price_class() -> PriceClass {
    PriceClass { categories: vec!["light".into()], max_age_seconds: 900, when_unknown: Default::default(), max_factor: 10 }
}

fn inventory_class() -> InventoryClass {
    InventoryClass { categories: vec!["light".into()], oversell: Default::default(), when_silent: Default::default() }
}

fn reduced() -> catalog::Price {
    let sale = |price_minor, from: Option<i64>, until: Option<i64>| SaleWindow {
        price_minor,
        from: from.map(Timestamp),
        until: until.map(Timestamp),
        until_offset_minutes: -330,
    };
    catalog::Price {
        compare_at_minor: Some(3990),
        sales: vec![sale(1490, Some(NOW - 5), Some(NOW)), sale(1290, Some(NOW), None)],
        prior: vec![PriorPrice { from: None, minor: 2490 }, PriorPrice { from: Some(Timestamp(NOW)), minor: 1000 }].into(),
        ..price(2990)
    }
}

fn seal(bundle: &Bundle) -> Vec<u8> {
    bundle.seal(&SigningKey::from_seed(&[1; 32]))
}

/// The bytes under a head that fits them.
fn headed(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    [b"vitrine\0", &FORMAT.to_le_bytes()[..], &length, &[0; 8], blake3::hash(payload).as_bytes(), &[0; 64], payload].concat()
}

/// What a SKU is asked for by the shop's own code.
fn by_cart(product: &catalog::Product, sku: &str, currency: Currency, at: i64) -> Option<(i64, Option<i64>)> {
    let variant = product.variants.iter().find(|variant| variant.sku.as_str() == sku)?;
    let current = variant.current_price(currency, Timestamp(at)).filter(|_| product.is_active(Timestamp(at)))?;
    Some((current.unit.minor, current.compare_at.map(|struck| struck.minor)))
}

#[test]
fn both_readers_say_the_same_of_a_bundle_with_everything() {
    let bundle = full();
    let bytes = seal(&bundle);
    let sealed = Sealed::read(&bytes).expect("read");
    let markets: Vec<(&str, &str)> = sealed.markets.iter().map(|market| (market.id, market.currency)).collect();
    assert_eq!(markets, [("eu", "EUR"), ("us", "USD")]);
    let mut asked = Vec::new();
    for (product, opened) in sealed.products.iter().zip(bundle.catalog.products()) {
        assert_eq!(product.slug, opened.slug.as_str());
        for (variant, currency) in product.variants.iter().flat_map(|variant| [(variant, euro()), (variant, dollar())]) {
            for at in [NOW - 11, NOW - 10, NOW - 6, NOW - 5, NOW - 1, NOW, NOW + 9, NOW + 10] {
                let price = variant.asked(currency.code(), at).filter(|_| product.is_sold(at));
                assert_eq!(price, by_cart(opened, variant.sku, currency, at), "{} {currency} {at}", variant.sku);
                asked.extend(price.filter(|_| variant.sku == "P0-M" && currency == euro()));
            }
        }
    }
    // What was lowest before is struck out only above the price.
    let [before, early, late] = [(2990, None), (1490, Some(2490)), (1290, None)];
    assert_eq!(asked, [before, before, early, early, late, late]);
}

#[test]
fn a_payload_that_ends_early_is_told_with_its_place() {
    let bytes = seal(&full());
    let payload = &bytes[HEAD_BYTES..];
    for end in 0..payload.len() {
        let told = Sealed::read(&headed(&payload[..end])).expect_err("it is cut short");
        assert!(told.starts_with("byte ") && (told.contains("ends here") || told.contains("are left")), "{end}: {told}");
    }
    let told = |bytes: &[u8]| Sealed::read(bytes).expect_err("refused");
    let sku = payload.windows(5).position(|bytes| bytes == b"\x04P0-M").expect("the SKU stands in it");
    let expected =
        format!("byte {sku} of its payload, in catalog.products[0].variants[1]: a text of 4 bytes begins, and 2 are left");
    assert_eq!(told(&headed(&payload[..sku + 3])), expected);
    assert!(told(&headed(&[payload, &[0]].concat())).ends_with("1 bytes are left over"));
    assert!(told(&bytes[..bytes.len() - 1]).contains("its head promises a payload of"));
    assert!(told(&bytes[..HEAD_BYTES - 1]).contains("do not begin as a bundle does"));
    let mut damaged = bytes.clone();
    damaged[8] = 12;
    assert_eq!(told(&damaged), "it has the format 12, and this check reads 11");
    damaged[8] = 11;
    *damaged.last_mut().expect("it is long") ^= 1;
    assert_eq!(told(&damaged), "its payload is not the one that its head names");
}

#[test]
fn a_price_that_the_two_readers_take_for_different_ones_is_told() {
    let (bundle, bytes) = (full(), seal(&full()));
    let plan = Plan::default();
    let till = Till::open(&bundle, &plan, |_| "", Timestamp(NOW));
    let told = |bytes: &[u8]| {
        let mut found = Findings::default();
        let compared = till.sealed("shop.bundle", &Sealed::read(bytes).expect("read"), &mut found);
        (compared, found.messages().map(str::to_owned).collect::<Vec<_>>())
    };
    assert_eq!(told(&bytes), (8, vec![]));
    // Behind the SKU: no values, two prices, the first in EUR, 29.90, instead of 39.90, two sales, 14.90 the first, then 12.90.
    let payload = &bytes[HEAD_BYTES..];
    let changed = |behind: &[u8], from: &[u8], to: &[u8]| {
        let find = |start: usize, part: &[u8]| {
            start + payload[start..].windows(part.len()).position(|bytes| bytes == part).expect("it stands there")
        };
        let place = find(find(0, behind), from);
        told(&headed(&[&payload[..place], to, &payload[place + from.len()..]].concat())).1
    };
    let sale = changed(b"P0-M", &[0x94, 0x14], &[0x96, 0x14]);
    assert_eq!(sale, ["shop.bundle asks 12.91 EUR for `P0-M`, a cart would charge 12.90 EUR"]);
    let other_sku = changed(b"\x04P0-M", b"P0-M", b"P0-N");
    assert_eq!(other_sku, ["shop.bundle holds `p0` with other variants than carts know"]);
    let market = changed(b"\x02us", b"us", b"uk");
    assert_eq!(market, ["shop.bundle names other markets than those that carts know"]);
}

proptest! {
    #[test]
    fn the_price_at_an_instant_is_that_of_carts(
        unit_minor in 0..50i64,
        compare_at_minor in proptest::option::of(0..50i64),
        windows in proptest::collection::vec((0..50i64, proptest::option::of(0..9i64), proptest::option::of(0..9i64)), 0..4),
        prior in proptest::collection::vec((proptest::option::of(0..9i64), 0..50i64), 0..3),
        at in 0..9i64,
    ) {
        let sale = |(price_minor, from, until): &(i64, Option<i64>, Option<i64>)| SaleWindow {
            price_minor: *price_minor,
            from: from.map(Timestamp),
            until: until.map(Timestamp),
            until_offset_minutes: 0,
        };
        let written = catalog::Price {
            compare_at_minor,
            sales: windows.iter().map(sale).collect(),
            prior: prior.iter().map(|(from, minor)| PriorPrice { from: from.map(Timestamp), minor: *minor }).collect(),
            ..price(unit_minor)
        };
        let sales = windows.into_iter().map(|(price_minor, from, until)| Sale { price_minor, from, until }).collect();
        let read = Price { currency: "EUR", unit_minor, compare_at_minor, sales, prior };
        let current = written.at(Timestamp(at));
        prop_assert_eq!(read.asked(at), (current.unit.minor, current.compare_at.map(|struck| struck.minor)));
    }
}
