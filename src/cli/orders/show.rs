//! One order: its lines and totals, all that happened to it, and what happens next.

use serde_json::json;

use super::super::CommandError;
use super::super::stock::{failed, instant, wait_for};
use super::{fulfil, print_json, printable, summary};
use crate::commerce::fulfillment::FulfillmentState;
use crate::commerce::order::Order;
use crate::commerce::withdrawal::Withdrawal;
use crate::edge::desk::told::Standing;
use crate::store::Store;
use crate::store::refunds::Refund;

pub(super) fn run(store: &Store, order: &Order, is_json: bool) -> Result<(), CommandError> {
    let history = wait_for(store.history(&order.id))?.map_err(failed)?;
    let refunds = wait_for(store.refunds(&order.id))?.map_err(failed)?;
    let sent = wait_for(store.fulfillments(&order.id))?.map_err(failed)?;
    let withdrawals = wait_for(store.withdrawals(&order.id))?.map_err(failed)?;
    let fulfillment = FulfillmentState::of(order, &sent);
    let checkout = wait_for(store.checkout(&order.checkout))?.map_err(failed)?;
    let disputes = wait_for(store.disputes(&order.id))?.map_err(failed)?;
    let attempt = checkout.and_then(|checkout| checkout.attempt);
    let next = Standing { order, attempt: attempt.as_ref(), refunds: &refunds, disputes: &disputes, fulfillment }.next();
    if is_json {
        let refund = |one: &Refund| {
            json!({
                "id": one.id, "amount": one.amount, "state": one.state, "reason": one.reason, "note": one.note, "key": one.key,
                "reference": one.reference, "sent": one.sent, "failure": one.failure, "restocked": one.restocked,
                "created_at": one.created_at, "changed_at": one.changed_at,
            })
        };
        let refunds: Vec<_> = refunds.iter().map(refund).collect();
        return print_json(&json!({
            "order": order, "refunds": refunds, "disputes": disputes, "fulfillment": fulfillment, "fulfillments": sent, "withdrawals": withdrawals,
            "history": history, "next": next,
        }));
    }
    show(order, fulfillment);
    for one in sent.iter().filter(|one| one.undone_at.is_none()) {
        println!("sent      {}  {}", instant(one.created_at), fulfil::summary(one));
    }
    for one in &withdrawals {
        println!("withdrawn {}  {}", instant(one.created_at), withdrawn(one));
    }
    println!("history");
    for one in &history {
        println!("  {}  {:<10} {}", instant(one.at), one.what, printable(&one.detail));
    }
    println!("next      {next}");
    Ok(())
}

/// What a customer declared, in one line.
fn withdrawn(one: &Withdrawal) -> String {
    let lines: Vec<String> = one.lines.iter().map(|line| format!("{} × {}", line.quantity, line.sku)).collect();
    let what = match (one.is_whole(), one.wanted.as_str()) {
        (true, _) => "the whole order".to_owned(),
        (false, "") => lines.join(", "),
        (false, wanted) => printable(wanted),
    };
    let mut words = vec![what];
    words.extend(Some(printable(&one.reason)).filter(|reason| !reason.is_empty()));
    words.extend(one.is_late.then(|| "after the period".to_owned()));
    words.push(match &one.note {
        Some(note) => format!("dealt with: {}", printable(note)),
        None => format!("waits: `vitrine orders resolve {} --note …`", one.id),
    });
    words.join("; ")
}

fn show(order: &Order, fulfillment: FulfillmentState) {
    println!("{}", summary(order, fulfillment));
    println!("id        {}", order.id);
    let address = &order.quote.address;
    let parts =
        [&address.name, &address.line1, &address.line2, &address.postal_code, &address.city, &address.region, &address.country];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).map(|part| printable(part)).collect();
    println!("to        {}", parts.join(", "));
    for line in &order.quote.priced.lines {
        println!("{:>5} × {:<24} {} {}  {}", line.quantity, line.sku, line.title, line.variant_title, line.total);
        for (key, value) in &line.properties {
            println!("          {}: {}", printable(key), printable(value));
        }
    }
    let totals = &order.quote.priced.totals;
    println!("subtotal  {}\ndiscount  {}\nshipping  {}", totals.subtotal, totals.discount, totals.shipping);
    println!("tax       {}\ntotal     {}", totals.tax, totals.total);
}
