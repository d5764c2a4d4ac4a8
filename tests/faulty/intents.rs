//! Intents: payments that are opened and confirmed in one call, with what was typed into the gateway's form.
//!
//! A confirmation token's name tells its card: `ctoken_4242424242424242_x`.

use serde_json::{Value, json};

use super::ledger::Tx;
use super::page::{Shown, judged};
use super::wire::{Form, Said, Verdict, Wrong, charge, error, field, invalid, missing, shown, tell};
use super::{Shared, wire};

pub(super) fn create(tx: &Tx<'_>, form: &Form, wrong: Wrong, base: &str, now: i64) -> Said {
    let get = |name: &str| field(form, name);
    let amount = get("amount").and_then(|text| text.parse::<i64>().ok());
    let (Some("true"), Some("false"), Some(token), Some(amount), Some(currency), Some(back)) =
        (get("confirm"), get("use_stripe_sdk"), get("confirmation_token"), amount, get("currency"), get("return_url"))
    else {
        return invalid("parameter_missing");
    };
    if amount < 50 {
        return invalid("amount_too_small");
    }
    let Some(number) = token.strip_prefix("ctoken_").and_then(|rest| rest.split('_').next()) else { return missing() };
    if tx.get(token).is_some() {
        return invalid("confirmation_token_already_used");
    }
    let id = tx.id("pi");
    let mut intent = json!({
        "id": id, "object": "payment_intent", "amount": amount + i64::from(wrong.amount),
        "currency": if wrong.currency { "sek" } else { currency }, "amount_capturable": 0, "amount_received": 0,
        "capture_method": get("capture_method").unwrap_or("automatic"), "created": now, "livemode": wrong.mode,
        "metadata": wire::below(form, "metadata"), "latest_charge": null, "last_payment_error": null, "next_action": null,
        "client_secret": format!("{id}_secret_faulty"), "status": "requires_payment_method",
        "_return_url": back, "_page": format!("{base}/pay/{id}"),
    });
    tx.put(&intent);
    tx.put(&json!({"id": token, "object": "confirmation_token", "created": now, "livemode": wrong.mode, "payment_intent": id}));
    confirm(tx, &mut intent, judged(number), now)
}

/// What the bank says to it.
pub(super) fn confirm(tx: &Tx<'_>, intent: &mut Value, verdict: Verdict, now: i64) -> Said {
    intent["next_action"] = Value::Null;
    match verdict {
        Verdict::Declined(code) => {
            intent["status"] = json!("requires_payment_method");
            intent["last_payment_error"] = json!({"type": "card_error", "code": "card_declined", "decline_code": code});
            tx.put(intent);
            tell(tx, "payment_intent.payment_failed", intent, now);
            let (status, mut said) = error(402, "card_error", "card_declined");
            said["error"]["decline_code"] = json!(code);
            said["error"]["payment_intent"] = shown(intent);
            return (status, said);
        }
        Verdict::SecondStep => {
            intent["status"] = json!("requires_action");
            let step = json!({"url": intent["_page"], "return_url": intent["_return_url"]});
            intent["next_action"] = json!({"type": "redirect_to_url", "redirect_to_url": step});
            tx.put(intent);
            tell(tx, "payment_intent.requires_action", intent, now);
        }
        Verdict::Slow => {
            intent["status"] = json!("processing");
            tx.put(intent);
            tell(tx, "payment_intent.processing", intent, now);
        }
        Verdict::Approved => {
            let holds = intent["capture_method"] == "manual";
            charge(tx, intent, holds, now);
            tell(tx, if holds { "payment_intent.amount_capturable_updated" } else { "payment_intent.succeeded" }, intent, now);
        }
    }
    (200, intent.clone())
}

/// The shopper's bank says so in the second step, where that is still awaited.
pub(super) fn step(tx: &Tx<'_>, id: &str, verdict: Verdict, now: i64) {
    if let Some(mut intent) = tx.get(id).filter(|intent| intent["status"] == "requires_action") {
        confirm(tx, &mut intent, verdict, now);
    }
}

/// The page of the second step, which leads back to the shop however it ends.
pub(super) fn respond(shared: &Shared, intent: &Value, form: Option<&Form>) -> Shown {
    let id = intent["id"].as_str().expect("a name");
    if intent["status"] == "canceled" {
        return (410, None, "<h1>This page has run out</h1>".to_owned());
    }
    let choice = form.map(|form| (field(form, "step"), field(form, "number")));
    let verdict = match choice {
        None if intent["status"] == "requires_action" => {
            let buttons = "<button name=step value=authenticate>Yes</button><button name=step value=refuse>No</button>";
            return (200, None, format!("<h1>Is it you?</h1><form method=post>{buttons}</form>"));
        }
        Some((Some("authenticate"), _)) => Some(Verdict::Approved),
        Some((Some("refuse"), _)) => Some(Verdict::Declined("authentication_failed")),
        Some((None, Some(number))) => Some(judged(number)),
        None | Some(_) => None,
    };
    if let Some(verdict) = verdict {
        shared.ledger().transact(|tx| step(tx, id, verdict, shared.now()));
    }
    let back = intent["_return_url"].as_str().expect("it has one");
    let secret = intent["client_secret"].as_str().expect("it has one");
    (
        303,
        Some(format!("{back}&payment_intent={id}&payment_intent_client_secret={secret}&redirect_status=unknown")),
        String::new(),
    )
}
