//! Session: a checkout session with its payment intent → where the payment stands.
//!
//! Source  Stripe's reference: `status` and `payment_status` of a session, `status` of an intent. The intent is the truth about money,
//!         the session about whether more can be paid.

use serde_json::Value;

use super::amounts;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money};
use crate::gateway::{Listed, Page, RemotePayment, RemoteState};

/// What is shown of a session; `None` where it cannot be understood, and then nobody knows.
pub(super) fn read(session: &Value) -> Option<RemotePayment> {
    let reference = session["id"].as_str()?.to_owned();
    let intent = Some(&session["payment_intent"]).filter(|intent| intent.is_object());
    let state = state(session, intent)?;
    let (units, code) = match (state, intent) {
        (RemoteState::Authorized, Some(intent)) => (&intent["amount_capturable"], &intent["currency"]),
        (RemoteState::Captured, Some(intent)) => (&intent["amount_received"], &intent["currency"]),
        _ => (&session["amount_total"], &session["currency"]),
    };
    let currency = Currency::from_code(&code.as_str()?.to_uppercase())?;
    let amount = amounts::from_wire(units.as_i64()?, currency)?;
    let charge = intent.map_or(&Value::Null, |intent| &intent["latest_charge"]);
    let refunded = charge["amount_refunded"].as_i64().and_then(|units| amounts::from_wire(units, currency));
    let metadata = session["metadata"].as_object().into_iter().flatten();
    let error = intent.map_or(&Value::Null, |intent| &intent["last_payment_error"]);
    let decline_code = error["decline_code"].as_str().or(error["code"].as_str());
    Some(RemotePayment {
        reference,
        state,
        amount,
        refunded_minor: refunded.map_or(0, |money: Money| money.minor),
        live: session["livemode"].as_bool()?,
        metadata: metadata.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        redirect_url: session["url"].as_str().filter(|_| state == RemoteState::Open).map(str::to_owned),
        decline_code: decline_code.filter(|_| state != RemoteState::Captured).map(str::to_owned),
        card: card(&charge["payment_method_details"]["card"]),
    })
}

/// A page of sessions with their intents, or of intents, as far as they are of `since` or later; `None` where it is no list. What another
/// program has on the same account is left out where it is not understood.
pub(super) fn page(list: &Value, since: Timestamp, read: fn(&Value) -> Option<RemotePayment>) -> Option<Page<Listed>> {
    let sessions = list["data"].as_array()?;
    let made_at = |session: &Value| session["created"].as_i64().map(Timestamp);
    // An intent of a session is told of with its session.
    let is_whole = |one: &Value| one["object"] != "payment_intent" || one["metadata"]["key"].is_string();
    let mut listed = Vec::new();
    let young = |session: &&Value| made_at(session).is_none_or(|at| at >= since) && is_whole(session);
    for session in sessions.iter().filter(young) {
        match read(session).zip(made_at(session)) {
            Some((payment, made_at)) => listed.push(Listed { payment, made_at }),
            None if session["metadata"]["shop"].is_string() => {
                tracing::error!(session = session["id"].as_str(), "a payment of a shop is not understood and is not compared");
            }
            None => {}
        }
    }
    let is_older = sessions.iter().any(|session| made_at(session).is_some_and(|at| at < since));
    let last = sessions.last().and_then(|session| session["id"].as_str()).map(str::to_owned);
    Some((listed, last.filter(|_| list["has_more"] == true && !is_older)))
}

fn state(session: &Value, intent: Option<&Value>) -> Option<RemoteState> {
    let status = session["status"].as_str()?;
    match intent.map(|intent| intent["status"].as_str()) {
        Some(Some("requires_capture")) => return Some(RemoteState::Authorized),
        Some(Some("succeeded")) => return Some(RemoteState::Captured),
        Some(Some("processing")) => return Some(RemoteState::Processing),
        Some(Some("canceled")) if status != "open" => return Some(RemoteState::Canceled),
        // Another card may be tried for as long as the page is open; a delayed method that failed ends it.
        Some(Some("canceled" | "requires_payment_method" | "requires_confirmation" | "requires_action")) | None => {}
        Some(_) => return None,
    }
    match (status, intent.is_some()) {
        ("open", _) => Some(RemoteState::Open),
        ("expired", _) => Some(RemoteState::Canceled),
        ("complete", true) => Some(RemoteState::Declined),
        _ => None,
    }
}

/// Brand and last four digits.
pub(super) fn card(card: &Value) -> Option<String> {
    let brand = match card["brand"].as_str()? {
        "visa" => "Visa",
        "mastercard" => "Mastercard",
        "amex" => "American Express",
        _ => "Card",
    };
    let last4 = card["last4"].as_str().filter(|digits| digits.len() == 4)?;
    Some(format!("{brand} {last4}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(status: &str, intent: Option<&str>, expected: Option<RemoteState>) {
        let intent = intent.map_or(
            json!(null),
            |status| json!({"status": status, "currency": "eur", "amount_capturable": 1990, "amount_received": 1990}),
        );
        let session = json!({
            "id": "cs_1", "status": status, "livemode": false, "amount_total": 1990, "currency": "eur", "payment_intent": intent,
        });
        assert_eq!(read(&session).map(|payment| payment.state), expected, "{session}");
    }

    #[test]
    fn the_intent_tells_of_money_and_the_session_of_what_can_still_come() {
        check("open", None, Some(RemoteState::Open));
        for waiting in ["requires_payment_method", "requires_confirmation", "requires_action", "canceled"] {
            check("open", Some(waiting), Some(RemoteState::Open));
        }
        check("open", Some("requires_capture"), Some(RemoteState::Authorized));
        check("complete", Some("requires_capture"), Some(RemoteState::Authorized));
        check("expired", Some("requires_capture"), Some(RemoteState::Authorized));
        check("complete", Some("succeeded"), Some(RemoteState::Captured));
        check("complete", Some("processing"), Some(RemoteState::Processing));
        check("complete", Some("requires_payment_method"), Some(RemoteState::Declined));
        check("complete", Some("canceled"), Some(RemoteState::Canceled));
        check("expired", None, Some(RemoteState::Canceled));
        check("expired", Some("requires_action"), Some(RemoteState::Canceled));
        check("complete", None, None);
        check("open", Some("something_new"), None);
        check("something_new", None, None);
    }

    #[test]
    fn the_amount_is_that_of_the_money_itself() {
        let session = json!({
            "id": "cs_1", "status": "complete", "livemode": true, "amount_total": 1990, "currency": "eur", "metadata": {"quote_hash": "ab"},
            "payment_intent": {
                "status": "requires_capture", "currency": "usd", "amount_capturable": 199,
                "latest_charge": {"amount_refunded": 0, "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}}},
            },
        });
        let payment = read(&session).expect("a payment");
        assert_eq!((payment.amount.minor, payment.amount.currency.code(), payment.live), (199, "USD", true));
        assert_eq!((payment.card.as_deref(), payment.redirect_url), (Some("Visa 4242"), None));
    }
}
