//! Intent: a payment intent that stands by itself, opened and confirmed in one call → where the payment stands.
//!
//! Always  it has one card. After a refusal it could be confirmed anew by whoever learns its client secret from the address of a second step:
//!         it is open until it is called off, and only then was it declined. So no two payments of a checkout can be paid at once.
//! Source  Stripe's reference: `status`, `next_action` and `last_payment_error` of an intent.

use serde_json::Value;

use super::{amounts, session};
use crate::commerce::money::{Currency, Money};
use crate::gateway::{RemotePayment, RemoteState};

/// What is shown of an intent; `None` where it cannot be understood, and then nobody knows.
pub(super) fn read(intent: &Value) -> Option<RemotePayment> {
    let error = &intent["last_payment_error"];
    let decline_code = error["decline_code"].as_str().or(error["code"].as_str());
    let (state, units) = match intent["status"].as_str()? {
        "requires_capture" => (RemoteState::Authorized, &intent["amount_capturable"]),
        "succeeded" => (RemoteState::Captured, &intent["amount_received"]),
        "processing" => (RemoteState::Processing, &intent["amount"]),
        "canceled" if decline_code.is_some() => (RemoteState::Declined, &intent["amount"]),
        "canceled" => (RemoteState::Canceled, &intent["amount"]),
        "requires_payment_method" | "requires_confirmation" | "requires_action" => (RemoteState::Open, &intent["amount"]),
        _ => return None,
    };
    let currency = Currency::from_code(&intent["currency"].as_str()?.to_uppercase())?;
    let charge = &intent["latest_charge"];
    let refunded = charge["amount_refunded"].as_i64().and_then(|units| amounts::from_wire(units, currency));
    let metadata = intent["metadata"].as_object().into_iter().flatten();
    let next = &intent["next_action"]["redirect_to_url"]["url"];
    Some(RemotePayment {
        reference: intent["id"].as_str()?.to_owned(),
        state,
        amount: amounts::from_wire(units.as_i64()?, currency)?,
        refunded_minor: refunded.map_or(0, |money: Money| money.minor),
        live: intent["livemode"].as_bool()?,
        metadata: metadata.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        redirect_url: next.as_str().filter(|_| intent["status"] == "requires_action").map(str::to_owned),
        decline_code: decline_code.filter(|_| state != RemoteState::Captured).map(str::to_owned),
        card: session::card(&charge["payment_method_details"]["card"]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(status: &str, more: Value, expected: Option<(RemoteState, Option<&str>, Option<&str>)>) {
        let mut intent = json!({
            "id": "pi_1", "status": status, "livemode": false, "amount": 1990, "amount_capturable": 1990, "amount_received": 1990,
            "currency": "eur",
        });
        intent.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let read = read(&intent);
        let seen = read.as_ref().map(|one| (one.state, one.redirect_url.as_deref(), one.decline_code.as_deref()));
        assert_eq!(seen, expected, "{intent}");
    }

    #[test]
    fn a_refusal_is_open_until_it_is_called_off() {
        let refused = json!({"last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds"}});
        let step = json!({"next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/x"}}});
        let none = || json!({});
        check("requires_capture", none(), Some((RemoteState::Authorized, None, None)));
        check("succeeded", none(), Some((RemoteState::Captured, None, None)));
        check("processing", none(), Some((RemoteState::Processing, None, None)));
        check("requires_action", step.clone(), Some((RemoteState::Open, Some("https://hooks.stripe.com/x"), None)));
        check("requires_payment_method", step, Some((RemoteState::Open, None, None)));
        check("requires_payment_method", refused.clone(), Some((RemoteState::Open, None, Some("insufficient_funds"))));
        check("canceled", refused, Some((RemoteState::Declined, None, Some("insufficient_funds"))));
        check("canceled", none(), Some((RemoteState::Canceled, None, None)));
        check("something_new", none(), None);
    }
}
