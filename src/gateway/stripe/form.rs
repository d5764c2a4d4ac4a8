//! Form: bodies and queries as Stripe reads them, form-encoded with brackets.
//!
//! Always  the same wish gives the same bytes; they are stored before they are sent.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::amounts;
use crate::gateway::CreatePayment;

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longest name of a purchase on the hosted page.
const MAX_NAME_CHARS: usize = 250;

/// Fields of a body or a query, in the order they were given.
#[derive(Debug, Default)]
pub(super) struct Form(String);

impl Form {
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend(utf8_percent_encode(name, ENCODED));
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, ENCODED));
        self
    }

    pub(super) fn text(self) -> String {
        self.0
    }
}

/// A way of paying that a session may offer: its name, and whether the money can be held first.
const METHODS: [(&str, bool); 18] = [
    ("card", true),
    ("link", true),
    ("affirm", true),
    ("afterpay_clearpay", true),
    ("amazon_pay", true),
    ("cashapp", true),
    ("klarna", true),
    ("mobilepay", true),
    ("paypal", true),
    ("revolut_pay", true),
    ("bancontact", false),
    ("blik", false),
    ("eps", false),
    ("ideal", false),
    ("p24", false),
    ("sepa_debit", false),
    ("twint", false),
    ("us_bank_account", false),
];

/// The shortest time for which any of the methods that hold money holds it; each charge tells its own as `capture_before`.
const HOLD_SECONDS: i64 = 7 * 24 * 60 * 60;

/// For how long a method holds money; `None`: it takes it at once.
pub(super) fn auth_window_seconds(method: &str) -> Option<i64> {
    METHODS.iter().find(|(name, _)| *name == method).filter(|(_, holds)| *holds).map(|_| HOLD_SECONDS)
}

/// Whether money is held first by a method.
pub fn holds(method: &str) -> bool {
    auth_window_seconds(method).is_some()
}

/// Whether a method can be confirmed by the server with what was typed into the form, and leads by a page where it has a second step.
pub fn fits_element(method: &str) -> bool {
    !matches!(method, "blik" | "us_bank_account")
}

/// Every method that can be named in site.toml.
pub fn methods() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(name, _)| *name)
}

/// The body that opens a hosted page.
///
/// The purchase is one line with the whole total: what it is made of was agreed on the shop's own page, and nothing is added up twice.
/// An amount that cannot be charged is left out, and the call is refused by name; the checkout asks `check_amount` long before.
pub(super) fn open_session(create: &CreatePayment, methods: &[String]) -> String {
    let holds = |method: &String| auth_window_seconds(method).is_some();
    let mut name: String = create.description.chars().take(MAX_NAME_CHARS).collect();
    if name.trim().is_empty() {
        name = "Order".to_owned();
    }
    let mut form = Form::default()
        .with("mode", "payment")
        .with("client_reference_id", &create.key)
        .with("success_url", &create.return_url)
        .with("cancel_url", &create.leave_url)
        .with("expires_at", &create.expires_at.0.to_string())
        .with("line_items[0][quantity]", "1")
        .with("line_items[0][price_data][currency]", &create.amount.currency.code().to_lowercase())
        .with("line_items[0][price_data][product_data][name]", &name);
    if let Some(units) = amounts::to_wire(create.amount) {
        form = form.with("line_items[0][price_data][unit_amount]", &units.to_string());
    }
    if !create.email.is_empty() {
        form = form.with("customer_email", &create.email);
    }
    for (index, method) in methods.iter().enumerate() {
        form = form.with(&format!("payment_method_types[{index}]"), method);
    }
    // One word for all of them where all of them can; else a word for each that can.
    if methods.iter().all(holds) {
        form = form.with("payment_intent_data[capture_method]", "manual");
    } else {
        for method in methods.iter().filter(|method| holds(method)) {
            form = form.with(&format!("payment_method_options[{method}][capture_method]"), "manual");
        }
    }
    form = form.with("payment_intent_data[description]", &name);
    for place in ["metadata", "payment_intent_data[metadata]"] {
        for (key, value) in &create.metadata {
            form = form.with(&format!("{place}[{key}]"), value);
        }
    }
    form.text()
}

/// How a body begins that opens a payment and confirms it: what was stored is sent to where such bytes belong.
pub(super) const CONFIRMS: &str = "confirm=true&";

/// The body that opens an intent and confirms it in the same call, with what the shopper typed into Stripe's form on the shop's page.
///
/// A second step is a page to be led to, so that it works without more script. The intent carries the key it was opened with, as a list of
/// intents tells nothing else of it.
pub(super) fn confirm_intent(create: &CreatePayment, confirmation: &str, methods: &[String]) -> String {
    let mut form = Form::default()
        .with("confirm", "true")
        .with("confirmation_token", confirmation)
        .with("use_stripe_sdk", "false")
        .with("return_url", &create.return_url)
        .with("currency", &create.amount.currency.code().to_lowercase());
    if let Some(units) = amounts::to_wire(create.amount) {
        form = form.with("amount", &units.to_string());
    }
    for (index, method) in methods.iter().enumerate() {
        form = form.with(&format!("payment_method_types[{index}]"), method);
    }
    if methods.iter().all(|method| auth_window_seconds(method).is_some()) {
        form = form.with("capture_method", "manual");
    }
    form = form.with("description", &create.description).with("expand[0]", "latest_charge").with("metadata[key]", &create.key);
    for (key, value) in &create.metadata {
        form = form.with(&format!("metadata[{key}]"), value);
    }
    form.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commerce::ids::Timestamp;
    use crate::commerce::money::{Currency, Money};

    fn create() -> CreatePayment {
        CreatePayment {
            amount: Money::new(1990, Currency::from_code("EUR").expect("a currency")),
            return_url: "https://shop.example/checkout/c1/return?token=a_b".to_owned(),
            leave_url: "https://shop.example/checkout/c1?token=a_b".to_owned(),
            description: "Opal & Söhne".to_owned(),
            email: "ada+1@example.com".to_owned(),
            confirmation: None,
            key: "shop:c1:create:1".to_owned(),
            expires_at: Timestamp(1_790_002_100),
            metadata: [("shop", "shop"), ("attempt", "1")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        }
    }

    #[test]
    fn the_bytes_of_a_wish_are_these() {
        let expected = "mode=payment&client_reference_id=shop%3Ac1%3Acreate%3A1\
            &success_url=https%3A%2F%2Fshop.example%2Fcheckout%2Fc1%2Freturn%3Ftoken%3Da_b\
            &cancel_url=https%3A%2F%2Fshop.example%2Fcheckout%2Fc1%3Ftoken%3Da_b&expires_at=1790002100\
            &line_items%5B0%5D%5Bquantity%5D=1&line_items%5B0%5D%5Bprice_data%5D%5Bcurrency%5D=eur\
            &line_items%5B0%5D%5Bprice_data%5D%5Bproduct_data%5D%5Bname%5D=Opal%20%26%20S%C3%B6hne\
            &line_items%5B0%5D%5Bprice_data%5D%5Bunit_amount%5D=1990&customer_email=ada%2B1%40example.com\
            &payment_method_types%5B0%5D=card&payment_intent_data%5Bcapture_method%5D=manual\
            &payment_intent_data%5Bdescription%5D=Opal%20%26%20S%C3%B6hne\
            &metadata%5Battempt%5D=1&metadata%5Bshop%5D=shop\
            &payment_intent_data%5Bmetadata%5D%5Battempt%5D=1&payment_intent_data%5Bmetadata%5D%5Bshop%5D=shop";
        assert_eq!(open_session(&create(), &["card".to_owned()]), expected);
    }

    #[test]
    fn the_bytes_of_a_wish_that_is_confirmed_are_these() {
        let expected = "confirm=true&confirmation_token=ctoken_1&use_stripe_sdk=false\
            &return_url=https%3A%2F%2Fshop.example%2Fcheckout%2Fc1%2Freturn%3Ftoken%3Da_b&currency=eur&amount=1990\
            &payment_method_types%5B0%5D=card&capture_method=manual&description=Opal%20%26%20S%C3%B6hne&expand%5B0%5D=latest_charge\
            &metadata%5Bkey%5D=shop%3Ac1%3Acreate%3A1&metadata%5Battempt%5D=1&metadata%5Bshop%5D=shop";
        let body = confirm_intent(&create(), "ctoken_1", &["card".to_owned()]);
        assert_eq!(body, expected);
        assert!(body.starts_with(CONFIRMS));
        assert!(!confirm_intent(&create(), "ctoken_1", &["ideal".to_owned()]).contains("capture_method"));
    }

    #[test]
    fn money_is_held_first_by_every_method_that_can() {
        let body = |methods: &[&str]| open_session(&create(), &methods.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let mixed = body(&["card", "ideal"]);
        assert!(mixed.contains("payment_method_options%5Bcard%5D%5Bcapture_method%5D=manual"), "{mixed}");
        assert!(!mixed.contains("payment_intent_data%5Bcapture_method%5D"), "{mixed}");
        assert!(!body(&["ideal"]).contains("capture_method"));
    }
}
