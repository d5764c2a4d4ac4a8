//! The OpenAPI document says what the server does: same routes, and its examples get the answers it promises.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vitrine::edge::app::Settings;
use vitrine::edge::openapi::DOCUMENT;
use vitrine::edge::router::ROUTES;
use vitrine::store::fact::FactKind;

use crate::support::edge::{Caller, Got, app};

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("the document is JSON")
}

/// Follows `$ref`s.
fn resolved<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("references stay inside the document");
        value = document.pointer(pointer).unwrap_or_else(|| panic!("nothing at {reference}"));
    }
    value
}

/// Every operation: (method, path, operation).
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let one = |(path, item): (&String, &Value)| -> Vec<(String, String, Value)> {
        let verbs = item.as_object().expect("operations").iter();
        verbs.map(|(verb, operation)| (verb.to_uppercase(), path.clone(), operation.clone())).collect()
    };
    paths.iter().flat_map(one).collect()
}

/// What is wrong with a value by a schema, as far as the document uses JSON Schema.
fn breaches(document: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let schema = resolved(document, schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|choice| breaches(document, choice, value, place).is_empty()).count();
        return if fits == 1 { Vec::new() } else { vec![format!("{place}: fits {fits} of oneOf")] };
    }
    let mut found = Vec::new();
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    if !kinds.is_empty() && !kinds.contains(&kind_of(value)) {
        found.push(format!("{place}: {value} is no {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        found.push(format!("{place}: {value} is not in the enum"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            found.push(format!("{place}: `{name}` is missing"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(schema) => found.extend(breaches(document, schema, inner, &format!("{place}/{name}"))),
            None if schema["additionalProperties"].is_object() => {}
            None => found.push(format!("{place}: `{name}` is not described")),
        }
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(breaches(document, &schema["items"], inner, &format!("{place}/{index}")));
    }
    found
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Sends an operation's example. The caller has a lamp in the cart.
fn send_example(document: &Value, caller: &mut Caller, method: &str, path: &str, operation: &Value) -> Got {
    let mut address = path.to_owned();
    for parameter in operation["parameters"].as_array().into_iter().flatten().map(|entry| resolved(document, entry)) {
        let Some(example) = parameter["example"].as_str() else { continue };
        let name = parameter["name"].as_str().expect("a name");
        match parameter["in"].as_str() {
            Some("path") => address = address.replace(&format!("{{{name}}}"), example),
            _ => address.push_str(&format!("?{name}={example}")),
        }
    }
    let content = &operation["requestBody"]["content"];
    if let Some(example) = content.pointer("/application~1x-www-form-urlencoded/example") {
        let pairs = example.as_object().expect("fields").iter();
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", value.as_str().expect("text"))).collect();
        return caller.form(&address, &pairs.join("&"));
    }
    let body = content.pointer("/application~1json/example").cloned().unwrap_or(Value::Null);
    let accept = if path.starts_with("/api/") { "application/json" } else { "text/html" };
    match body {
        Value::Null => caller.send(method, &address, None, Vec::new(), accept),
        body => caller.json(method, &address, body),
    }
}

/// Holds a value against a schema of the services' document.
pub(crate) fn check_service(schema: &str, value: &Value) {
    let document: Value = serde_json::from_str(vitrine::edge::openapi::SERVICES).expect("the document is JSON");
    let schema = &document["components"]["schemas"][schema];
    assert!(schema.is_object(), "{value} is not described");
    let found = breaches(&document, schema, value, "");
    assert!(found.is_empty(), "{found:#?} in {value}");
}

/// Holds an answer of a route against the document.
pub(crate) fn check(method: &str, path: &str, got: &Got) {
    let document = document();
    let operation = document["paths"][path][method.to_lowercase()].clone();
    assert!(operation.is_object(), "{method} {path} is not described");
    check_answer(&document, &operation, got);
}

/// Holds an answer against the document.
fn check_answer(document: &Value, operation: &Value, got: &Got) {
    let described = resolved(document, &operation["responses"][got.status.to_string()]);
    assert!(described.is_object(), "status {} is not described: {got:?}", got.status);
    if got.body.is_empty() {
        return;
    }
    let kind = got.header("content-type").split(';').next().unwrap_or("").to_owned();
    let content = described["content"].get(&kind).unwrap_or_else(|| panic!("{kind} is not described: {got:?}"));
    if kind.ends_with("json") {
        let found = breaches(document, &content["schema"], &got.json(), "");
        assert!(found.is_empty(), "{found:#?} in {got:?}");
    }
}

/// Holds what the merchant's own systems are sent against the document.
pub(crate) fn check_event(event: &Value) {
    let document = document();
    let kind = event["type"].as_str().expect("a type");
    let described = &document["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert!(described.is_object(), "{kind} is not described");
    let found = breaches(&document, described, event, "");
    assert!(found.is_empty(), "{found:#?} in {event}");
}

#[test]
fn every_kind_of_fact_is_described() {
    let document = document();
    let described: Vec<&String> = document["webhooks"].as_object().expect("webhooks").keys().collect();
    assert_eq!(described, FactKind::ALL.map(FactKind::name));
    assert_eq!(document["components"]["schemas"]["OrderEvent"]["properties"]["type"]["enum"], json!(described));
}

#[test]
fn the_document_and_the_table_of_routes_are_the_same() {
    let document = document();
    let described: BTreeSet<String> = operations(&document).iter().map(|(verb, path, _)| format!("{verb} {path}")).collect();
    let served: BTreeSet<String> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.pattern)).collect();
    assert_eq!(described, served);
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let document = document();
    let mut names = BTreeSet::new();
    for (verb, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{verb} {path} has no name")).to_owned();
        assert!(names.insert(name), "{verb} {path}");
    }
    fn walk(document: &Value, value: &Value) {
        resolved(document, value);
        value.as_object().into_iter().flatten().for_each(|(_, inner)| walk(document, inner));
        value.as_array().into_iter().flatten().for_each(|inner| walk(document, inner));
    }
    walk(&document, &document);
}

#[test]
fn the_examples_of_the_cart_are_granted_as_described() {
    let document = document();
    let app = app(Settings::default());
    for (method, path, operation) in operations(&document).into_iter().filter(|(_, path, _)| is_cart(path)) {
        let mut caller = Caller::new(&app);
        caller.json("POST", "/api/v1/cart/lines", json!({"sku": "LAMP-S", "quantity": 1})).expect(200);
        let got = send_example(&document, &mut caller, &method, &path, &operation);
        assert!(got.status < 400, "{method} {path}: {got:?}");
        check_answer(&document, &operation, &got);
    }
}

#[test]
fn what_is_wrong_is_refused_as_described() {
    let document = document();
    let app = app(Settings::default());
    for (method, path, operation) in operations(&document).into_iter().filter(|(_, path, _)| is_cart(path)) {
        let address = path.replace(['{', '}'], "~");
        let form = path.starts_with("/cart");
        let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        let bodies: [&[u8]; 4] = [b"", b"{\"a\":1}", b"%ff=&&", b"sku=x&quantity=-1&country=zz"];
        for body in bodies.iter().filter(|_| method != "GET") {
            for (kind, site) in [(kind, "same-origin"), ("text/plain", "same-origin"), (kind, "cross-site")] {
                let mut caller = Caller::new(&app).with("sec-fetch-site", site);
                let accept = if form { "text/html" } else { "application/json" };
                let got = caller.send(&method, &address, Some(kind), body.to_vec(), accept);
                check_answer(&document, &operation, &got);
            }
        }
    }
}

fn is_cart(path: &str) -> bool {
    path.contains("/cart") || path.contains("/availability") || path.contains("/beacon")
}

#[test]
fn a_breach_of_a_schema_is_seen() {
    let document = document();
    let schema = json!({"$ref": "#/components/schemas/Money"});
    let check = |value: Value| breaches(&document, &schema, &value, "");
    assert_eq!(check(json!({"amount": 1, "currency": "EUR"})), Vec::<String>::new());
    assert_eq!(check(json!({"amount": 1})), ["`currency` is missing"].map(|text| format!(": {text}")));
    assert_eq!(check(json!({"amount": 1.5, "currency": "EUR"})).len(), 1);
    assert_eq!(check(json!({"amount": 1, "currency": "EUR", "more": 1})).len(), 1);
}
