//! Stripe's API description: every request of the adapter is one it describes, and what the adapter reads is what Stripe shows.
//!
//! The description and the examples are read where they are at hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use vitrine::commerce::money::{Currency, Money};

use crate::faulty::Call;
use crate::support::counter::{GOOD, Shopper, redirect_url};
use crate::support::data;
use crate::support::stripe::{StripeShop, session_of, stripe, stripe_element};

fn description(folder: &Path) -> Value {
    let file = folder.join("spec3-payments-2023-08-16.json.gz");
    let output = Command::new("gzip").arg("-dc").arg(file).output().expect("gzip runs");
    serde_json::from_slice(&output.stdout).expect("the description is JSON")
}

/// A form's fields as the tree that their brackets spell: a list is an object whose names are numbers.
fn tree(form: &str) -> Value {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let mut root = json!({});
    for (name, value) in form.split('&').filter_map(|pair| pair.split_once('=')) {
        let name = decode(name);
        let parts = name.split('[').map(|part| part.trim_end_matches(']'));
        let place = parts.fold(&mut root, |place, part| &mut place[part]);
        assert!(place.is_null(), "{name} comes twice");
        *place = json!(decode(value));
    }
    root
}

/// What is wrong with a value by a schema of the description.
fn breaches(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(choices) = schema["anyOf"].as_array() {
        let all: Vec<Vec<String>> = choices.iter().map(|choice| breaches(choice, value, place)).collect();
        return if all.iter().any(Vec::is_empty) { Vec::new() } else { all.concat() };
    }
    let mut found = Vec::new();
    match (schema["type"].as_str(), value) {
        (Some("string"), Value::String(text)) => {
            if schema["maxLength"].as_u64().is_some_and(|most| text.chars().count() as u64 > most) {
                found.push(format!("{place}: {text} is too long"));
            }
            if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
                found.push(format!("{place}: {text} is none of {}", schema["enum"]));
            }
        }
        (Some("integer"), Value::String(text)) if text.parse::<i64>().is_ok() => {}
        (Some("boolean"), Value::String(text)) if text == "true" || text == "false" => {}
        (Some("array"), Value::Object(items)) => {
            for (number, (index, item)) in items.iter().enumerate() {
                if *index != number.to_string() {
                    found.push(format!("{place}: {index} is not the next place"));
                }
                found.extend(breaches(&schema["items"], item, &format!("{place}/{index}")));
            }
        }
        (Some("object"), Value::Object(fields)) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !fields.contains_key(name) {
                    found.push(format!("{place}: {name} is missing"));
                }
            }
            for (name, inner) in fields {
                let inside = format!("{place}/{name}");
                match (schema["properties"].get(name), &schema["additionalProperties"]) {
                    (Some(schema), _) => found.extend(breaches(schema, inner, &inside)),
                    (None, free) if free.is_object() => found.extend(breaches(free, inner, &inside)),
                    (None, _) => found.push(format!("{inside}: is not described")),
                }
            }
        }
        (kind, _) => found.push(format!("{place}: {value} is no {kind:?}")),
    }
    found
}

/// The described operation of a call: its pattern and what it says.
fn operation<'a>(description: &'a Value, call: &Call) -> (&'a str, &'a Value) {
    let (method, path) = call.line.split_once(' ').expect("a method and a path");
    let fits = |pattern: &str| {
        let (ours, theirs): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(part, of)| part == of || of.starts_with('{'))
    };
    let paths = description["paths"].as_object().expect("paths");
    // What is spelled out goes before what is a name.
    let found = paths.iter().filter(|(pattern, _)| fits(pattern)).min_by_key(|(pattern, _)| pattern.matches('{').count());
    let (pattern, item) = found.unwrap_or_else(|| panic!("{} is not described", call.line));
    (pattern, &item[method.to_lowercase()])
}

/// Fields that are younger than the description: one is an object of the newest examples, the other bounds a list in every official
/// library of the version that is spoken.
const YOUNGER: [(&str, &str); 2] = [("POST /v1/payment_intents", "confirmation_token"), ("GET /v1/checkout/sessions", "created")];

fn breaches_of(description: &Value, call: &Call) -> Vec<String> {
    let (_, operation) = operation(description, call);
    if call.line.starts_with("POST ") {
        let schema = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"];
        let mut said = tree(&call.body);
        for (_, field) in YOUNGER.iter().filter(|(line, _)| *line == call.line) {
            assert!(said[*field].is_string(), "{field} in {call:?}");
            said.as_object_mut().expect("fields").remove(*field);
        }
        return breaches(schema, &said, &call.line);
    }
    let parameters = operation["parameters"].as_array().expect("parameters").iter();
    let properties: BTreeMap<&str, &Value> =
        parameters.filter(|one| one["in"] == "query").filter_map(|one| Some((one["name"].as_str()?, &one["schema"]))).collect();
    let mut said = tree(&call.query);
    for (_, field) in YOUNGER.iter().filter(|(line, _)| *line == call.line) {
        // The same as wherever the description has it.
        let payments = description["paths"]["/v1/payment_intents"]["get"]["parameters"].as_array().expect("parameters");
        let schema = &payments.iter().find(|one| one["name"] == *field).expect("it bounds other lists")["schema"];
        if let Some(value) = said.as_object_mut().and_then(|fields| fields.remove(*field)) {
            assert_eq!(breaches(schema, &value, &call.line), [""; 0], "{call:?}");
        }
    }
    breaches(&json!({"type": "object", "properties": properties}), &said, &call.line)
}

/// Everything that the adapter ever asks, for either page.
fn all_calls() -> (StripeShop, Vec<Call>) {
    let (shop, mut calls) = calls_of(StripeShop::with_element(), stripe_element);
    let (hosted, more) = calls_of(StripeShop::open(), stripe);
    drop(hosted);
    calls.extend(more);
    (shop, calls)
}

fn calls_of(shop: StripeShop, gateway: fn(&str) -> vitrine::gateway::Gateway) -> (StripeShop, Vec<Call>) {
    let pay = |shopper: &mut Shopper| {
        let ready = shopper.check_out();
        redirect_url(&shopper.pay(&ready).expect(200).json()).to_owned()
    };
    let mut buyer = Shopper::with(&shop.counter, "LAMP-S", 2);
    let url = pay(&mut buyer);
    let back = shop.faulty.give_card(session_of(&url), GOOD);
    buyer.come_back(&back).expect(303);
    let mut leaver = Shopper::with(&shop.counter, "LAMP-S", 1);
    pay(&mut leaver);
    leaver.caller.json("DELETE", &format!("{}/payment", leaver.checkout), Value::Null).expect(200);
    let mut holder = Shopper::with(&shop.counter, "LAMP-S", 1);
    let held = pay(&mut holder);
    shop.faulty.give_card(session_of(&held), GOOD);
    let gateway = gateway(&shop.faulty.base);
    let euro = Currency::from_code("EUR").expect("a currency");
    shop.counter.run(async {
        let _ = gateway.cancel("tiny:c:cancel:1", session_of(&held)).await;
        let _ = gateway.refunds(session_of(&url)).await;
        let _ = gateway.disputes(session_of(&url)).await;
        let _ = gateway.refund("tiny:refund:1", session_of(&url), Money::new(100, euro)).await;
        let _ = gateway.payments(vitrine::commerce::ids::Timestamp(0), Some(session_of(&held))).await;
        let _ = gateway.disputed(vitrine::commerce::ids::Timestamp(0), None).await;
        let bounded = vitrine::gateway::Span {
            until: Some(shop.counter.app.clock.now()),
            ..vitrine::gateway::Span::from(vitrine::commerce::ids::Timestamp(0))
        };
        let _ = gateway.opened(bounded, Some("pi_")).await;
        let _ = gateway.lookup("tiny:c:create:1", vitrine::gateway::Span::from(vitrine::commerce::ids::Timestamp(0))).await;
    });
    let intent = shop.faulty.objects("payment_intent")[0]["id"].as_str().expect("a name").to_owned();
    shop.faulty.dispute(&intent, "needs_response");
    shop.catch_up();
    let calls = shop.faulty.calls();
    (shop, calls)
}

#[test]
fn every_request_is_one_that_stripe_describes() {
    let Some(folder) = data("every_request_is_one_that_stripe_describes", "stripe") else { return };
    let description = description(&folder);
    let (_shop, calls) = all_calls();
    let mut asked: Vec<&str> = calls.iter().map(|call| operation(&description, call).0).collect();
    asked.sort_unstable();
    asked.dedup();
    let expected = [
        "/v1/checkout/sessions",
        "/v1/checkout/sessions/{session}",
        "/v1/checkout/sessions/{session}/expire",
        "/v1/disputes",
        "/v1/events",
        "/v1/payment_intents",
        "/v1/payment_intents/{intent}",
        "/v1/payment_intents/{intent}/cancel",
        "/v1/payment_intents/{intent}/capture",
        "/v1/refunds",
    ];
    assert_eq!(asked, expected, "each of its calls was made");
    for call in &calls {
        let found = breaches_of(&description, call);
        assert!(found.is_empty(), "{found:#?} in {call:?}");
    }
    // The judge itself: it tells what is not described.
    let mut wrong = calls.iter().find(|call| call.line == "POST /v1/checkout/sessions").expect("one was opened").clone();
    for (added, expected) in
        [("&colour=red", "is not described"), ("&mode=gift", "comes twice"), ("&expand%5B1%5D=x", "not the next place")]
    {
        let before = wrong.body.clone();
        wrong.body.push_str(added);
        let told = std::panic::catch_unwind(|| breaches_of(&description, &wrong).join("\n"));
        let told = told.unwrap_or_else(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default());
        assert!(told.contains(expected), "{added}: {told}");
        wrong.body = before;
    }
}

#[test]
fn what_is_read_is_what_stripe_shows() {
    let Some(folder) = data("what_is_read_is_what_stripe_shows", "stripe") else { return };
    let examples = std::fs::read_to_string(folder.join("fixtures3.json")).expect("the newest examples");
    let examples: Value = serde_json::from_str(&examples).expect("JSON");
    let known = |kind: &str| examples["resources"][kind].as_object().unwrap_or_else(|| panic!("no example of {kind}")).clone();
    let (hosted, _) = calls_of(StripeShop::open(), stripe);
    let (element, _) = calls_of(StripeShop::with_element(), stripe_element);
    let of_bodies = YOUNGER.iter().filter(|(line, _)| line.starts_with("POST "));
    assert!(of_bodies.into_iter().all(|(_, field)| examples["resources"][*field].is_object()));
    // The faulty gateway shows nothing that Stripe does not: what the adapter reads from one it can read from the other.
    for (shop, kind) in [
        (&hosted, "checkout.session"),
        (&hosted, "payment_intent"),
        (&hosted, "charge"),
        (&hosted, "refund"),
        (&hosted, "dispute"),
        (&hosted, "event"),
        (&element, "payment_intent"),
        (&element, "charge"),
        (&element, "confirmation_token"),
    ] {
        let objects = shop.faulty.objects(kind);
        assert!(!objects.is_empty(), "{kind}");
        let known = known(kind);
        for name in objects[0].as_object().expect("an object").keys().filter(|name| !name.starts_with('_')) {
            // A refund's own mode is shown by no example.
            assert!(known.contains_key(name) || (kind, name.as_str()) == ("refund", "livemode"), "{kind} has no {name}");
        }
    }
}
