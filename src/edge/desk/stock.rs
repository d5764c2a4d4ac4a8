//! Stock: what is there, how it came to be so, and counting it anew.

use serde_json::{Value, json};

use super::{AGAIN, ActError, At, ROWS, Trouble, address, below, instant, line};
use crate::commerce::ids::Sku;
use crate::commerce::inventory::StockLevel;
use crate::edge::http::Reply;
use crate::edge::input::Whole;
use crate::store::Refusal;
use crate::store::desk::{Act, StockWanted};

/// Units at which a SKU is called low where nobody says otherwise.
pub(super) const LOW: u32 = 5;
/// Longest SKU that is looked for.
const SKU_BYTES: usize = 200;
/// A reason is a sentence.
const REASON_BYTES: usize = 500;

pub(super) fn level(level: &StockLevel) -> Value {
    json!({
        "sku": level.sku.as_str(), "address": below("/desk/stock", level.sku.as_str()), "on_hand": level.on_hand,
        "reserved": level.reserved, "available": level.available(), "sold": level.sold,
    })
}

pub(super) async fn list(at: &At<'_>) -> Result<Reply, Trouble> {
    let query = &at.asked.query;
    let at_most = query.filled("at_most").map(|text| Whole::parse(text).and_then(Whole::as_u32));
    let prefix = query.get("q").trim();
    let fault = match at_most {
        Some(None) => Some("Write a whole number, such as 5."),
        _ if prefix.len() > SKU_BYTES || query.get("after").len() > SKU_BYTES => Some("That is too long to look for."),
        _ => None,
    };
    let wanted = StockWanted {
        prefix: prefix.to_owned(),
        at_most: at_most.flatten(),
        after: query.get("after").to_owned(),
        limit: ROWS as u32 + 1,
    };
    let mut levels = if fault.is_none() { at.store.stock_page(wanted).await? } else { Vec::new() };
    let has_more = levels.len() > ROWS;
    levels.truncate(ROWS);
    let next = levels
        .last()
        .filter(|_| has_more)
        .map(|last| address("/desk/stock", &[("q", prefix), ("at_most", query.get("at_most")), ("after", last.sku.as_str())]));
    let shown = json!({
        "levels": levels.iter().map(level).collect::<Vec<_>>(), "next": next, "fault": fault, "q": prefix,
        "at_most": query.get("at_most"), "low": LOW,
    });
    if fault.is_none() { at.page("desk/stock.html", "Stock", shown) } else { at.refused("desk/stock.html", "Stock", shown) }
}

/// One SKU with its movements; `faults`: why the form that came was not done.
pub(super) async fn show(at: &At<'_>, sku: &str, faults: Vec<String>) -> Result<Reply, Trouble> {
    let known = at.store.stock_page(StockWanted { prefix: sku.to_owned(), limit: 1, ..StockWanted::default() }).await?;
    let known = known.into_iter().find(|level| level.sku.as_str() == sku);
    let live = at.app.live.load();
    let sold = live.bundle.catalog.variant_by_sku(&Sku::from(sku));
    if known.is_none() && sold.is_none() {
        return Err(Trouble::NotFound);
    }
    let before = at.asked.query.filled("before").and_then(|text| text.parse().ok());
    let mut movements = at.store.movements(&Sku::from(sku), before, ROWS as u32 + 1).await?;
    let has_more = movements.len() > ROWS;
    movements.truncate(ROWS);
    let here = below("/desk/stock", sku);
    let next = movements.last().filter(|_| has_more).map(|last| format!("{here}?before={}", last.id));
    let rows = movements.iter().map(|one| {
        json!({
            "at": instant(one.at), "change": format!("{:+}", one.change), "kind": one.kind, "reason": one.reason,
            "order": one.order.as_ref().map(|order| below("/desk/orders", order.as_str())),
        })
    });
    let shown = json!({
        "sku": sku, "address": here, "level": known.as_ref().map(level), "rows": rows.collect::<Vec<_>>(), "next": next, "faults": faults,
        "title": sold.map(|(product, _)| product.title.clone()),
        "opening": sold.map(|(_, variant)| variant.opening_stock),
        "told": match at.asked.query.get("done") {
            "1" => Some("It is written down."),
            "again" => Some(AGAIN),
            _ => None,
        },
        "given": {"number": at.asked.form.get("number"), "reason": at.asked.form.get("reason"), "how": at.asked.form.get("how")},
    });
    let title = format!("Stock of {sku}");
    if faults.is_empty() { at.page("desk/sku.html", &title, shown) } else { at.refused("desk/sku.html", &title, shown) }
}

pub(super) async fn change(at: &At<'_>, sku: &str) -> Result<Reply, Trouble> {
    let form = &at.asked.form;
    let number = Whole::parse(form.get("number")).and_then(Whole::as_i64);
    let reason = line(form.get("reason"), REASON_BYTES).filter(|reason| !reason.is_empty());
    let mut faults = Vec::new();
    if reason.is_none() {
        faults.push(format!("Say why, in one line of at most {REASON_BYTES} bytes."));
    }
    let name = Sku::from(sku);
    let reason = reason.unwrap_or_default();
    let act = match (form.get("how"), number) {
        ("set", Some(number)) if u32::try_from(number).is_ok() => {
            Act::SetStock { sku: name, on_hand: u32::try_from(number).unwrap_or_default(), reason }
        }
        ("adjust", Some(change)) if change != 0 && i32::try_from(change).is_ok() => {
            Act::AdjustStock { sku: name, change, reason }
        }
        ("set", _) => {
            faults.push("Write how many there are: a whole number from 0 on.".to_owned());
            Act::Resume
        }
        _ => {
            faults.push("Write how many came or went: a whole number such as 5 or -2.".to_owned());
            Act::Resume
        }
    };
    if !faults.is_empty() {
        return show(at, sku, faults).await;
    }
    // Whatever there is no page of cannot be counted either.
    let live = at.app.live.load_full();
    let is_known = live.bundle.catalog.variant_by_sku(&Sku::from(sku)).is_some();
    if !is_known
        && !at
            .store
            .stock_page(StockWanted { prefix: sku.to_owned(), limit: 1, ..StockWanted::default() })
            .await?
            .iter()
            .any(|level| level.sku.as_str() == sku)
    {
        return Err(Trouble::NotFound);
    }
    match at.act(act).await {
        Ok(done) => {
            let done = if done.is_changed { "1" } else { "again" };
            Ok(Reply::see_other(&address(&below("/desk/stock", sku), &[("done", done)])))
        }
        Err(ActError::Trouble(trouble)) => Err(trouble),
        Err(ActError::Refused(Refusal::NotFound)) => {
            show(at, sku, vec!["It was never counted: set what there is first.".to_owned()]).await
        }
        Err(ActError::Refused(refusal)) => show(at, sku, vec![format!("That was not done: {refusal}.")]).await,
    }
}
