//! Organization: what the shop itself says to machines, once, on the home page: who sells, how parcels go and what may come back.
//!
//! Always  the rates that a cart is charged, by the same rules; what site.toml does not say is not said here.
//! Source  schema.org OnlineStore, ShippingService, ShippingConditions, MerchantReturnPolicy, WebSite; WEB.md 1.5.

use serde_json::{Value, json};

use super::Printer;
use super::structured::{CONTEXT, absolute, ready};
use crate::commerce::money::{Currency, Money};
use crate::commerce::shipping::{RatePrice, ShippingRate, ShippingZone};

/// The documents of a market's home page.
pub(super) fn documents(printer: &Printer<'_>, market: usize) -> Vec<String> {
    let (shop, site) = (printer.shop, &printer.sites[market]);
    let home = absolute(&shop.base_url, if site.prefix.is_empty() { "/" } else { &site.prefix });
    let mut store = json!({
        "@context": CONTEXT, "@type": "OnlineStore", "name": shop.name, "url": home,
    });
    let mut say = |key: &str, value: Value| store[key] = value;
    if !shop.email.is_empty() {
        say("email", json!(shop.email));
    }
    if !shop.address.is_empty() {
        say("address", json!(shop.address.join(", ")));
    }
    if let Some(file) = site.theme.logo.as_ref().and_then(|logo| printer.assets.find(&logo.path)) {
        say("logo", json!(absolute(&shop.base_url, &file.url())));
    }
    let rules = &printer.rules.markets[market];
    if let Some(returns) = &shop.returns {
        let link = site.legal.iter().find(|link| ["/returns", "/withdrawal"].iter().any(|end| link.url.ends_with(end)));
        let mut policy = json!({ "@type": "MerchantReturnPolicy", "applicableCountry": rules.countries });
        if returns.days == 0 {
            policy["returnPolicyCategory"] = json!("https://schema.org/MerchantReturnNotPermitted");
        } else {
            policy["returnPolicyCategory"] = json!("https://schema.org/MerchantReturnFiniteReturnWindow");
            policy["merchantReturnDays"] = json!(returns.days);
            policy["returnMethod"] = json!("https://schema.org/ReturnByMail");
            let fees = if returns.is_free { "FreeReturn" } else { "ReturnFeesCustomerResponsibility" };
            policy["returnFees"] = json!(format!("https://schema.org/{fees}"));
        }
        if let Some(link) = link {
            policy["merchantReturnLink"] = json!(absolute(&shop.base_url, &link.url));
        }
        say("hasMerchantReturnPolicy", policy);
    }
    let zones = printer.rules.shipping.iter().filter(|zone| zone.market == rules.id);
    let services: Vec<Value> = zones
        .flat_map(|zone| zone.rates.iter().map(|rate| service(printer.word(market, &rate.name), zone, rate, rules.currency)))
        .collect();
    if !services.is_empty() {
        say("hasShippingService", Value::Array(services));
    }
    let mut website =
        json!({ "@context": CONTEXT, "@type": "WebSite", "name": shop.name, "url": home, "inLanguage": site.language });
    if site.search {
        website["potentialAction"] = json!({
            "@type": "SearchAction",
            "target": { "@type": "EntryPoint", "urlTemplate": format!("{}{}/search?q={{search_term_string}}", shop.base_url, site.prefix) },
            "query-input": "required name=search_term_string",
        });
    }
    vec![ready(&store), ready(&website)]
}

fn service(name: &str, zone: &ShippingZone, rate: &ShippingRate, currency: Currency) -> Value {
    let amount = |minor: i64| Money::new(minor, currency).to_decimal_string();
    let money = |minor: i64| json!({ "@type": "MonetaryAmount", "value": amount(minor), "currency": currency.code() });
    let range = |kind: &str, low: Option<Value>, high: Option<Value>, unit: (&str, Value)| {
        let mut range = json!({ "@type": kind, unit.0: unit.1 });
        low.into_iter().for_each(|low| range["minValue"] = low);
        high.into_iter().for_each(|high| range["maxValue"] = high);
        range
    };
    let of_value = |low: Option<i64>, high: Option<i64>| {
        let unit = ("currency", json!(currency.code()));
        range("MonetaryAmount", low.map(|low| json!(amount(low))), high.map(|high| json!(amount(high))), unit)
    };
    let condition = |minor: i64| {
        let mut condition = json!({
            "@type": "ShippingConditions",
            "shippingDestination": { "@type": "DefinedRegion", "addressCountry": zone.countries },
            "shippingRate": money(minor),
        });
        if let Some([least, most]) = rate.transit_days {
            let days = range("QuantitativeValue", Some(json!(least)), Some(json!(most)), ("unitCode", json!("DAY")));
            condition["transitTime"] = json!({ "@type": "ServicePeriod", "duration": days });
        }
        condition
    };
    let mut conditions: Vec<Value> = match &rate.price {
        RatePrice::Flat { minor } => vec![condition(*minor)],
        RatePrice::Weight { tiers } => {
            let lows = std::iter::once(0).chain(tiers.iter().map(|tier| tier.0));
            let of_tier = |(low, (high, minor)): (u32, &(u32, i64))| {
                let mut condition = condition(*minor);
                let unit = ("unitCode", json!("GRM"));
                condition["weight"] = range("QuantitativeValue", Some(json!(low)), Some(json!(high)), unit);
                condition
            };
            lows.zip(tiers).map(of_tier).collect()
        }
        RatePrice::Value { tiers } => {
            let lows = std::iter::once(0).chain(tiers.iter().map(|tier| tier.0));
            let last = tiers.len() - 1;
            let of_tier = |(index, (low, (high, minor))): (usize, (i64, &(i64, i64)))| {
                let mut condition = condition(*minor);
                // Dearer than the last tier is the last one's price.
                condition["orderValue"] = of_value(Some(low), (index < last).then_some(*high));
                condition
            };
            lows.zip(tiers).enumerate().map(of_tier).collect()
        }
    };
    if let Some(least) = rate.free_over_minor {
        let mut free = condition(0);
        free["orderValue"] = of_value(Some(least), None);
        conditions.push(free);
    }
    json!({
        "@type": "ShippingService",
        "name": name,
        "fulfillmentType": "https://schema.org/FulfillmentTypeDelivery",
        "shippingConditions": conditions,
    })
}
