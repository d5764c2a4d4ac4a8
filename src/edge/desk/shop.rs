//! Shop: what wants a person first, what is stuck, what is switched off, how everything is, what coupons have given, and who did what.

use serde_json::{Value, json};

use super::stock::{LOW, level};
use super::told::{LATE_SECONDS, advice, is_for_a_person};
use super::{ActError, At, ROWS, Trouble, address, below, instant, line};
use crate::commerce::ids::Timestamp;
use crate::edge::http::Reply;
use crate::store::Refusal;
use crate::store::desk::{Act, StockWanted};
use crate::store::fact::Present;
use crate::store::history::Stuck;
use crate::store::operators::Audited;

/// A note or a reason is a sentence.
const LINE_BYTES: usize = 500;
/// SKUs that are low and shown on the first page.
const LOW_ROWS: u32 = 10;
/// What is stuck and shown on the first page.
const STUCK_FIRST: u32 = 10;
/// What is stuck and shown on its own page, the oldest of it: after an outage of hours there may be thousands, which go by themselves.
const STUCK_ROWS: u32 = 200;
/// Seconds of a day.
const DAY_SECONDS: i64 = 24 * 3600;

pub(super) async fn overview(at: &At<'_>) -> Result<Reply, Trouble> {
    let now = at.now();
    let midnight = Timestamp(now.0 - now.0.rem_euclid(DAY_SECONDS));
    let stuck = at.store.stuck(now.plus_seconds(-LATE_SECONDS), STUCK_FIRST).await?;
    let today = at.store.sold_since(midnight).await?;
    let wanted = StockWanted { at_most: Some(LOW), limit: LOW_ROWS, ..StockWanted::default() };
    let low = at.store.stock_page(wanted).await?;
    let subscribers = at.store.subscribers(Present::Named).await?;
    let behind: Vec<Value> = subscribers
        .iter()
        .filter(|one| one.waiting > 0)
        .map(|one| {
            json!({"name": one.name, "address": below("/desk/webhooks", &one.name), "waiting": one.waiting,
                   "since": one.waiting_since.map(instant), "error": one.last_error})
        })
        .collect();
    let shown = json!({
        "stuck": stuck.rows.iter().map(stuck_row).collect::<Vec<_>>(),
        "stuck_count": stuck.count,
        "today": today.iter().map(|one| json!({"orders": one.orders, "total": one.total.to_string()})).collect::<Vec<_>>(),
        "low": low.iter().map(level).collect::<Vec<_>>(),
        "low_at": LOW,
        "behind": behind,
        "state": dependencies(at),
    });
    at.page("desk/overview.html", "Overview", shown)
}

pub(super) fn stuck_row(row: &Stuck) -> Value {
    json!({
        "kind": row.kind, "subject": row.subject, "since": instant(row.since), "reason": row.reason, "advice": advice(&row.kind),
        "order": row.order, "address": row.order.as_ref().map(|order| below("/desk/orders", order)),
        "can_resolve": is_for_a_person(&row.kind),
    })
}

pub(super) async fn stuck(at: &At<'_>, fault: Option<String>) -> Result<Reply, Trouble> {
    let stuck = at.store.stuck(at.now().plus_seconds(-LATE_SECONDS), STUCK_ROWS).await?;
    let is_refused = fault.is_some();
    let shown = json!({
        "rows": stuck.rows.iter().map(stuck_row).collect::<Vec<_>>(), "fault": fault, "more": stuck.count - stuck.rows.len() as u64,
        "told": (at.asked.query.get("done") == "1").then_some("It is off the list."),
    });
    if is_refused { at.refused("desk/stuck.html", "Stuck", shown) } else { at.page("desk/stuck.html", "Stuck", shown) }
}

pub(super) async fn resolve(at: &At<'_>) -> Result<Reply, Trouble> {
    let form = &at.asked.form;
    let Some(note) = line(form.get("note"), LINE_BYTES).filter(|note| !note.is_empty()) else {
        return stuck(at, Some(format!("Say what was done, in one line of at most {LINE_BYTES} bytes."))).await;
    };
    match at.act(Act::Resolve { order: None, subject: form.get("subject").to_owned(), note }).await {
        Ok(_) => Ok(Reply::see_other("/desk/stuck?done=1")),
        Err(ActError::Trouble(trouble)) => Err(trouble),
        Err(ActError::Refused(Refusal::NotFound)) => {
            stuck(at, Some("Nothing of that name waits for a person any more.".to_owned())).await
        }
        Err(ActError::Refused(refusal)) => stuck(at, Some(format!("That was not done: {refusal}."))).await,
    }
}

/// What `/readyz` says, in rows.
fn dependencies(at: &At<'_>) -> Value {
    let (is_ready, told) = at.till.told(at.app);
    let mut all = told["dependencies"].clone();
    for (name, state) in at.app.services.told(at.app) {
        all[name] = state;
    }
    let rows: Vec<Value> = all.as_object().map_or_else(Vec::new, |all| {
        let row = |(name, state): (&String, &Value)| {
            let rest = state.as_object().map_or_else(Vec::new, |state| {
                let shown = state.iter().filter(|(key, value)| *key != "state" && !value.is_null());
                shown.map(|(key, value)| json!({"name": key.replace('_', " "), "value": plain(value)})).collect()
            });
            json!({"name": name, "state": state["state"], "rest": rest})
        };
        all.iter().map(row).collect()
    });
    json!({"is_ready": is_ready, "payments": told["payments"], "rows": rows})
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) async fn state(at: &At<'_>, fault: Option<String>) -> Result<Reply, Trouble> {
    let watch = at.store.watch().await?;
    let queued = at.store.queued();
    let waiting =
        |name: &str, count: u64, oldest: Option<Timestamp>| json!({"name": name, "count": count, "oldest": oldest.map(instant)});
    let mut queues = vec![
        waiting("steps of payments that wait for the store", queued.urgent as u64, None),
        waiting("other steps that wait for the store", queued.fresh as u64, None),
        waiting("messages of the gateway", watch.inbox.count, watch.inbox.oldest),
    ];
    queues.extend(
        watch.outbox.iter().map(|(kind, one)| waiting(&format!("promised: {}", kind.replace('_', " ")), one.count, one.oldest)),
    );
    let live = at.app.live.load();
    let (last, orphans) = at.till.reconciled();
    let is_refused = fault.is_some();
    let shown = json!({
        "state": dependencies(at),
        "pause": watch.pause.as_ref().map(|pause| json!({"reason": pause.reason, "since": instant(pause.since)})),
        "queues": queues,
        "bundle": {"hash": live.hash, "sequence": live.sequence, "refused": at.app.refused.load().as_ref()},
        "reconciled": last.map(|last| json!({"at": instant(last.at), "compared": last.compared, "different": last.different})),
        "orphans": {"under_way": orphans.under_way, "in_review": orphans.in_review},
        "is_short_of_room": at.store.is_short_of_room(),
        "fault": fault,
        "told": match at.asked.query.get("done") {
            "pause" => Some("New payments are paused. Carts, payments under way and captures go on."),
            "resume" => Some("New payments begin again."),
            _ => None,
        },
    });
    if is_refused { at.refused("desk/state.html", "State", shown) } else { at.page("desk/state.html", "State", shown) }
}

pub(super) async fn switch(at: &At<'_>) -> Result<Reply, Trouble> {
    let form = &at.asked.form;
    let (act, done) = match form.get("payments") {
        "pause" => {
            let Some(reason) = line(form.get("reason"), LINE_BYTES) else {
                return state(at, Some(format!("The reason is one line of at most {LINE_BYTES} bytes."))).await;
            };
            (Act::Pause { reason }, "pause")
        }
        "resume" => (Act::Resume, "resume"),
        _ => return Err(Trouble::Malformed("There is no such switch.")),
    };
    match at.act(act).await {
        Ok(_) => {
            at.till.look_around().await;
            Ok(Reply::see_other(&address("/desk/state", &[("done", done)])))
        }
        Err(ActError::Trouble(trouble)) => Err(trouble),
        Err(ActError::Refused(refusal)) => state(at, Some(format!("That was not done: {refusal}."))).await,
    }
}

pub(super) async fn coupons(at: &At<'_>) -> Result<Reply, Trouble> {
    let uses = at.store.stock_snapshot().await?.coupon_uses;
    let live = at.app.live.load();
    let known = &live.bundle.rules.promotions;
    let used = |code: &crate::commerce::ids::CouponCode| uses.iter().find(|(one, _)| one == code).map_or(0, |(_, count)| *count);
    let mut rows: Vec<Value> = known
        .iter()
        .map(|one| {
            let code = one.code().map_or("by itself", |code| code.as_str());
            json!({"code": code, "title": one.title, "used": used(&one.use_key()), "limit": one.usage_limit})
        })
        .collect();
    let gone = uses.iter().filter(|(code, _)| known.iter().all(|one| one.use_key() != *code));
    rows.extend(
        gone.take(ROWS).map(
            |(code, count)| json!({"code": code.as_str(), "title": "not in the shop any more", "used": count, "limit": null}),
        ),
    );
    at.page("desk/coupons.html", "Coupons", json!({ "rows": rows }))
}

/// An entry of the log.
pub(super) fn entry(one: &Audited) -> Value {
    json!({
        "at": instant(one.at), "operator": one.operator, "action": one.action, "subject": one.subject, "detail": one.detail,
        "before": one.before, "after": one.after,
        "order": one.order.as_ref().map(|order| below("/desk/orders", order.as_str())),
    })
}

pub(super) async fn audit(at: &At<'_>) -> Result<Reply, Trouble> {
    let before = at.asked.query.filled("before").and_then(|text| text.parse().ok());
    let mut log = at.store.audit(before, None, ROWS as u32 + 1).await?;
    let has_more = log.len() > ROWS;
    log.truncate(ROWS);
    let next = log.last().filter(|_| has_more).map(|last| format!("/desk/audit?before={}", last.id));
    at.page("desk/audit.html", "Log", json!({"rows": log.iter().map(entry).collect::<Vec<_>>(), "next": next}))
}
