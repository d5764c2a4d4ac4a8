//! Wire: what each call does to the ledger and answers, in Stripe's form.

use serde_json::{Value, json};

use super::ledger::Tx;

/// Status and body.
pub(super) type Said = (u16, Value);
/// Fields of a form, in order.
pub(super) type Form = Vec<(String, String)>;

/// Stripe's shortest and longest life of a page, in seconds.
const PAGE_LIFE: (i64, i64) = (30 * 60, 24 * 60 * 60);
/// How long a hold stands.
const HOLD_SECONDS: i64 = 7 * 24 * 60 * 60;

/// How a session is made other than it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) amount: bool,
    pub(super) currency: bool,
    pub(super) mode: bool,
}

pub(super) fn field<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

pub(super) fn below(form: &Form, prefix: &str) -> Value {
    let of = |key: &str| Some(key.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    form.iter().filter_map(|(key, value)| Some((of(key)?, json!(value)))).collect::<serde_json::Map<_, _>>().into()
}

pub(super) fn error(status: u16, kind: &str, code: &str) -> Said {
    (status, json!({"error": {"type": kind, "code": code, "message": format!("{code}, says the faulty gateway")}}))
}

pub(super) fn invalid(code: &str) -> Said {
    error(400, "invalid_request_error", code)
}

pub(super) fn missing() -> Said {
    error(404, "invalid_request_error", "resource_missing")
}

/// Something happened; whoever subscribed hears of it.
pub(super) fn tell(tx: &Tx<'_>, kind: &str, object: &Value, now: i64) {
    let id = tx.id("evt");
    let event = json!({
        "id": id, "object": "event", "type": kind, "api_version": super::VERSION, "created": now,
        "livemode": object["livemode"], "data": {"object": shown(object)}, "pending_webhooks": 1,
    });
    tx.put(&event);
    tx.hook(&id);
}

/// Without what only the gateway knows.
pub(super) fn shown(object: &Value) -> Value {
    let fields = object.as_object().expect("an object").iter().filter(|(key, _)| !key.starts_with('_'));
    fields.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

/// With what `expand` asks for, as it is now or as it was.
pub(super) fn expanded(tx: &Tx<'_>, object: &Value, form: &Form, is_stale: bool) -> Value {
    let mut shown = shown(object);
    let paths = form.iter().filter(|(key, _)| key.starts_with("expand[")).map(|(_, path)| path.as_str());
    let read = |id: &Value| {
        let id = id.as_str()?;
        if is_stale { tx.previous(id) } else { tx.get(id) }
    };
    for path in paths {
        let mut place = &mut shown;
        for name in path.split('.') {
            // What is not there has nothing below it.
            let Some(below) = place.get_mut(name) else { break };
            place = below;
            if let Some(object) = read(place) {
                *place = self::shown(&object);
            }
        }
    }
    shown
}

pub(super) fn create_session(tx: &Tx<'_>, form: &Form, wrong: Wrong, base: &str, now: i64) -> Said {
    let get = |name: &str| field(form, name);
    let number = |name: &str| get(name).and_then(|text| text.parse::<i64>().ok());
    let price = "line_items[0][price_data]";
    let amount =
        number(&format!("{price}[unit_amount]")).zip(number("line_items[0][quantity]")).map(|(unit, count)| unit * count);
    let (Some("payment"), Some(success), Some(amount), Some(currency), Some(_)) = (
        get("mode"),
        get("success_url"),
        amount,
        get(&format!("{price}[currency]")),
        get(&format!("{price}[product_data][name]")),
    ) else {
        return invalid("parameter_missing");
    };
    let expires_at = number("expires_at").unwrap_or(now + PAGE_LIFE.1);
    if !(now + PAGE_LIFE.0..=now + PAGE_LIFE.1).contains(&expires_at) {
        return invalid("expires_at_out_of_range");
    }
    if amount < 50 {
        return invalid("amount_too_small");
    }
    let holds = get("payment_intent_data[capture_method]") == Some("manual")
        || get("payment_method_options[card][capture_method]") == Some("manual");
    let id = tx.id("cs_test");
    let session = json!({
        "id": id, "object": "checkout.session", "mode": "payment", "status": "open", "payment_status": "unpaid",
        "amount_subtotal": amount + i64::from(wrong.amount), "amount_total": amount + i64::from(wrong.amount),
        "currency": if wrong.currency { "sek" } else { currency },
        "client_reference_id": get("client_reference_id"), "customer_email": get("customer_email"),
        "success_url": success, "cancel_url": get("cancel_url"), "url": format!("{base}/pay/{id}"),
        "created": now, "expires_at": expires_at, "livemode": wrong.mode, "payment_intent": null,
        "payment_method_types": ["card"], "metadata": below(form, "metadata"),
        "_intent_metadata": below(form, "payment_intent_data[metadata]"), "_capture": if holds { "manual" } else { "automatic" },
    });
    tx.put(&session);
    (200, session)
}

/// Pages whose time is over are closed.
pub(super) fn pass_time(tx: &Tx<'_>, now: i64) {
    for mut session in tx.all("checkout.session") {
        if session["status"] == "open" && session["expires_at"].as_i64().is_some_and(|at| at <= now) {
            close(tx, &mut session, now);
        }
    }
}

fn close(tx: &Tx<'_>, session: &mut Value, now: i64) {
    session["status"] = json!("expired");
    session["url"] = Value::Null;
    if let Some(mut intent) = session["payment_intent"].as_str().and_then(|id| tx.get(id)) {
        intent["status"] = json!("canceled");
        tx.put(&intent);
        tell(tx, "payment_intent.canceled", &intent, now);
    }
    tx.put(session);
    tell(tx, "checkout.session.expired", session, now);
}

pub(super) fn expire(tx: &Tx<'_>, id: &str, now: i64) -> Said {
    let Some(mut session) = tx.get(id) else { return missing() };
    if session["status"] != "open" {
        return invalid("checkout_session_not_open");
    }
    close(tx, &mut session, now);
    (200, session)
}

/// What a card does to a session: the intent is made with the first one.
pub(super) fn pay(tx: &Tx<'_>, id: &str, verdict: Verdict, now: i64) {
    let Some(mut session) = tx.get(id).filter(|session| session["status"] == "open") else { return };
    let mut intent = session["payment_intent"].as_str().and_then(|id| tx.get(id)).unwrap_or_else(|| {
        json!({
            "id": tx.id("pi"), "object": "payment_intent", "amount": session["amount_total"], "currency": session["currency"],
            "amount_capturable": 0, "amount_received": 0, "capture_method": session["_capture"], "created": now,
            "livemode": session["livemode"], "metadata": session["_intent_metadata"], "latest_charge": null,
            "last_payment_error": null, "status": "requires_payment_method",
        })
    });
    tx.put(&intent);
    session["payment_intent"] = intent["id"].clone();
    tx.put(&session);
    match verdict {
        Verdict::Declined(code) => {
            intent["status"] = json!("requires_payment_method");
            intent["last_payment_error"] = json!({"type": "card_error", "code": "card_declined", "decline_code": code});
            tx.put(&intent);
            tell(tx, "payment_intent.payment_failed", &intent, now);
        }
        Verdict::SecondStep => {
            intent["status"] = json!("requires_action");
            tx.put(&intent);
            tell(tx, "payment_intent.requires_action", &intent, now);
        }
        Verdict::Slow => {
            intent["status"] = json!("processing");
            tx.put(&intent);
            complete(tx, &mut session, now);
            tell(tx, "payment_intent.processing", &intent, now);
        }
        Verdict::Approved => {
            let holds = session["_capture"] == "manual";
            charge(tx, &mut intent, holds, now);
            let kind = if holds { "payment_intent.amount_capturable_updated" } else { "payment_intent.succeeded" };
            session["payment_status"] = json!(if holds { "unpaid" } else { "paid" });
            complete(tx, &mut session, now);
            tell(tx, kind, &intent, now);
        }
    }
}

fn complete(tx: &Tx<'_>, session: &mut Value, now: i64) {
    session["status"] = json!("complete");
    session["url"] = Value::Null;
    tx.put(session);
    tell(tx, "checkout.session.completed", session, now);
}

pub(super) fn charge(tx: &Tx<'_>, intent: &mut Value, holds: bool, now: i64) {
    let amount = intent["amount"].clone();
    let charge = json!({
        "id": tx.id("ch"), "object": "charge", "amount": amount, "amount_refunded": 0, "currency": intent["currency"],
        "captured": !holds, "livemode": intent["livemode"], "metadata": intent["metadata"], "payment_intent": intent["id"],
        "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242", "capture_before": now + HOLD_SECONDS}},
    });
    tx.put(&charge);
    intent["latest_charge"] = charge["id"].clone();
    intent["last_payment_error"] = Value::Null;
    intent["status"] = json!(if holds { "requires_capture" } else { "succeeded" });
    intent[if holds { "amount_capturable" } else { "amount_received" }] = amount;
    tx.put(intent);
}

/// What the bank says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Approved,
    Declined(&'static str),
    SecondStep,
    Slow,
}

pub(super) fn pay_slowly(tx: &Tx<'_>, session: &str, now: i64) {
    pay(tx, session, Verdict::Slow, now);
}

pub(super) fn end_slow(tx: &Tx<'_>, session: &str, succeeds: bool, now: i64) {
    let mut session = tx.get(session).expect("a session");
    let mut intent = session["payment_intent"].as_str().and_then(|id| tx.get(id)).expect("an intent");
    if succeeds {
        charge(tx, &mut intent, false, now);
        session["payment_status"] = json!("paid");
        tx.put(&session);
        tell(tx, "checkout.session.async_payment_succeeded", &session, now);
    } else {
        intent["status"] = json!("requires_payment_method");
        tx.put(&intent);
        tell(tx, "checkout.session.async_payment_failed", &session, now);
    }
}

pub(super) fn capture(tx: &Tx<'_>, id: &str, now: i64) -> Said {
    let Some(mut intent) = tx.get(id) else { return missing() };
    if intent["status"] != "requires_capture" {
        return unexpected(&intent);
    }
    intent["status"] = json!("succeeded");
    intent["amount_received"] = intent["amount_capturable"].clone();
    intent["amount_capturable"] = json!(0);
    tx.put(&intent);
    tell(tx, "payment_intent.succeeded", &intent, now);
    (200, intent)
}

pub(super) fn cancel(tx: &Tx<'_>, id: &str, now: i64) -> Said {
    let Some(mut intent) = tx.get(id) else { return missing() };
    if matches!(intent["status"].as_str(), Some("succeeded" | "canceled" | "processing")) {
        return unexpected(&intent);
    }
    let is_of_a_page =
        tx.all("checkout.session").iter().any(|one| one["payment_intent"] == intent["id"] && one["status"] == "open");
    if is_of_a_page {
        return invalid("payment_intent_belongs_to_a_session");
    }
    intent["status"] = json!("canceled");
    intent["amount_capturable"] = json!(0);
    tx.put(&intent);
    tell(tx, "payment_intent.canceled", &intent, now);
    (200, intent)
}

fn unexpected(intent: &Value) -> Said {
    let (status, mut said) = invalid("payment_intent_unexpected_state");
    said["error"]["payment_intent"] = shown(intent);
    (status, said)
}

pub(super) fn refund(tx: &Tx<'_>, form: &Form, pends: bool, now: i64) -> Said {
    let (Some(intent), Some(amount)) = (
        field(form, "payment_intent").and_then(|id| tx.get(id)),
        field(form, "amount").and_then(|text| text.parse::<i64>().ok()),
    ) else {
        return invalid("parameter_missing");
    };
    let Some(mut charge) = intent["latest_charge"].as_str().and_then(|id| tx.get(id)).filter(|_| intent["status"] == "succeeded")
    else {
        return invalid("charge_not_captured");
    };
    let refunded = charge["amount_refunded"].as_i64().unwrap_or(0) + amount;
    if amount <= 0 || charge["amount"].as_i64().is_none_or(|all| refunded > all) {
        return invalid("amount_too_large");
    }
    charge["amount_refunded"] = json!(refunded);
    tx.put(&charge);
    let refund = json!({
        "id": tx.id("re"), "object": "refund", "amount": amount, "currency": intent["currency"], "payment_intent": intent["id"],
        "charge": charge["id"], "metadata": below(form, "metadata"), "status": if pends { "pending" } else { "succeeded" },
        "livemode": intent["livemode"], "created": now,
    });
    tx.put(&refund);
    tell(tx, "refund.created", &refund, now);
    tell(tx, "charge.refunded", &charge, now);
    (200, refund)
}

pub(super) fn fail_refunds(tx: &Tx<'_>, now: i64) {
    for mut refund in tx.all("refund").into_iter().filter(|refund| refund["status"] == "pending") {
        refund["status"] = json!("failed");
        refund["failure_reason"] = json!("lost_or_stolen_card");
        tx.put(&refund);
        if let Some(mut charge) = refund["charge"].as_str().and_then(|id| tx.get(id)) {
            let left = charge["amount_refunded"].as_i64().unwrap_or(0) - refund["amount"].as_i64().unwrap_or(0);
            charge["amount_refunded"] = json!(left);
            tx.put(&charge);
        }
        tell(tx, "charge.refund.updated", &refund, now);
        tell(tx, "refund.failed", &refund, now);
    }
}

/// The customer's bank asks about a payment, or decides.
pub(super) fn dispute(tx: &Tx<'_>, intent: &str, status: &str, now: i64) {
    let intent = tx.get(intent).expect("an intent");
    let known = tx.all("dispute").into_iter().find(|dispute| dispute["payment_intent"] == intent["id"]);
    let kind = match (&known, status) {
        (None, _) => "charge.dispute.created",
        (_, "won" | "lost" | "warning_closed") => "charge.dispute.closed",
        _ => "charge.dispute.updated",
    };
    let mut dispute = known.unwrap_or_else(|| {
        json!({
            "id": tx.id("du"), "object": "dispute", "amount": intent["amount"], "currency": intent["currency"],
            "charge": intent["latest_charge"], "payment_intent": intent["id"], "reason": "product_not_received", "metadata": {},
            "evidence_details": {"due_by": now + 7 * 24 * 3600, "has_evidence": false, "past_due": false, "submission_count": 0},
            "is_charge_refundable": false, "livemode": intent["livemode"], "created": now,
        })
    });
    dispute["status"] = json!(status);
    tx.put(&dispute);
    tell(tx, kind, &dispute, now);
}

pub(super) fn expire_holds(tx: &Tx<'_>, now: i64) {
    for mut intent in tx.all("payment_intent").into_iter().filter(|intent| intent["status"] == "requires_capture") {
        intent["status"] = json!("canceled");
        intent["amount_capturable"] = json!(0);
        tx.put(&intent);
        tell(tx, "payment_intent.canceled", &intent, now);
    }
}

/// A page of a list, the newest first.
pub(super) fn list(tx: &Tx<'_>, kind: &str, form: &Form, is_stale: bool) -> Said {
    let limit: usize = field(form, "limit").and_then(|text| text.parse().ok()).unwrap_or(10).clamp(1, 100);
    let bound = |name| field(form, name).and_then(|text| text.parse::<i64>().ok());
    let (since, until) = (bound("created[gte]").unwrap_or(0), bound("created[lte]").unwrap_or(i64::MAX));
    let kinds: Vec<&str> = form.iter().filter(|(key, _)| key.starts_with("types[")).map(|(_, value)| value.as_str()).collect();
    let mut all = tx.all(kind);
    all.reverse();
    all.retain(|one| one["created"].as_i64().is_some_and(|at| (since..=until).contains(&at)));
    all.retain(|one| kinds.is_empty() || one["type"].as_str().is_some_and(|of| kinds.contains(&of)));
    if let Some(intent) = field(form, "payment_intent") {
        all.retain(|one| one["payment_intent"] == intent);
    }
    if let Some(after) = field(form, "starting_after") {
        let Some(at) = all.iter().position(|one| one["id"] == after) else { return missing() };
        all.drain(..=at);
    }
    let has_more = all.len() > limit;
    all.truncate(limit);
    // A list's paths begin with the list.
    let below: Form = form.iter().map(|(key, path)| (key.clone(), path.trim_start_matches("data.").to_owned())).collect();
    let before = |one: &Value| one["id"].as_str().and_then(|id| tx.previous(id)).filter(|_| is_stale);
    let data: Vec<Value> = all.iter().map(|one| expanded(tx, before(one).as_ref().unwrap_or(one), &below, is_stale)).collect();
    (200, json!({"object": "list", "has_more": has_more, "data": data}))
}
