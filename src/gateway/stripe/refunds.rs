//! Refunds: the form of a refund's call, and what Stripe shows of one.
//!
//! Always  a refund carries the key it is asked for under and the names of its payment: by them it is found again, and its events are ours.

use serde_json::Value;

use super::amounts;
use super::form::Form;
use crate::commerce::ids::Timestamp;
use crate::commerce::money::{Currency, Money};
use crate::commerce::refund::{RefundReport, RefundStanding};
use crate::gateway::RemotePayment;

/// Names of a payment that its refunds carry as well.
const NAMES: [&str; 3] = ["shop", "checkout", "attempt"];

/// `None`: nothing of it was paid, or the amount is none of its currency.
pub(super) fn body(session: &Value, payment: &RemotePayment, key: &str, amount: Money) -> Option<Form> {
    let units = amounts::to_wire(amount).filter(|_| amount.currency == payment.amount.currency)?;
    let intent = session["payment_intent"]["id"].as_str()?;
    let form = Form::default().with("payment_intent", intent).with("amount", &units.to_string()).with("metadata[key]", key);
    let names = NAMES.iter().filter_map(|name| Some((name, payment.metadata.get(*name)?)));
    Some(names.fold(form, |form, (name, value)| form.with(&format!("metadata[{name}]"), value)))
}

/// `None` where it is not understood.
pub(super) fn read(refund: &Value) -> Option<RefundReport> {
    let currency = Currency::from_code(&refund["currency"].as_str()?.to_uppercase())?;
    let standing = match refund["status"].as_str()? {
        "succeeded" => RefundStanding::Done,
        "pending" | "requires_action" => RefundStanding::UnderWay,
        "failed" | "canceled" => RefundStanding::Failed,
        _ => return None,
    };
    Some(RefundReport {
        reference: refund["id"].as_str()?.to_owned(),
        key: refund["metadata"]["key"].as_str().map(str::to_owned),
        amount: amounts::from_wire(refund["amount"].as_i64()?, currency)?,
        standing,
        failure: refund["failure_reason"].as_str().map(str::to_owned),
        made_at: Timestamp(refund["created"].as_i64()?),
    })
}
