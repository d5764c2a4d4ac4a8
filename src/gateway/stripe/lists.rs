//! Lists: whatever is found at Stripe by turning pages, the newest first.
//!
//! Owns    the payments that are compared, those that were opened in a span of time, what there is about one payment, events and disputes.
//! Always  a page goes on after the last object of the one before, be that understood or not: else what is not understood would end the
//!         list. What is not understood and may be ours is told.
//! Limits  `MAX_PAGES` pages about one payment; whoever turns the pages of all payments decides how many.
//! Source  Stripe's "Pagination"; `created` of sessions as in the official libraries of that version.

use serde_json::Value;

use super::client::Said;
use super::form::Form;
use super::{DISPUTES, INTENTS, KINDS, SESSIONS, Stripe, disputes, events, intent, is_intent, refunds, rejected, session};
use crate::commerce::dispute::Dispute;
use crate::commerce::ids::Timestamp;
use crate::commerce::refund::RefundReport;
use crate::gateway::event::Event;
use crate::gateway::{Listed, Opened, Outcome, Page, RemotePayment, Span};

/// Goes on after the last session in a list of payments: the intents that have none.
const INTENTS_NEXT: &str = "pi_";
/// Items of one page of a list.
const PAGE: usize = 100;
/// The same where each comes with its intent and its charge.
const LIST_PAGE: usize = 50;
/// Pages that a look-up for one payment turns, and pages of what there is about one.
const MAX_PAGES: usize = 100;
/// Seconds by which Stripe's clock and ours may differ.
const CLOCK_SLACK_SECONDS: i64 = 300;

/// The name to go on after, where there is more.
fn next(list: &Value) -> Option<String> {
    let last = list["data"].as_array()?.last()?;
    last["id"].as_str().filter(|_| list["has_more"] == true).map(str::to_owned)
}

fn of_page(size: usize, after: Option<&str>) -> Form {
    let query = Form::default().with("limit", &size.to_string());
    match after {
        Some(after) => query.with("starting_after", after),
        None => query,
    }
}

impl Stripe {
    /// Whichever way the shopper paid, by today's setting or by yesterday's.
    pub(in crate::gateway) async fn lookup(&self, key: &str, span: Span) -> Outcome<Option<RemotePayment>> {
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let (opened, next) = match self.opened(span, after.as_deref()).await.done() {
                Ok(page) => page,
                Err(outcome) => return outcome,
            };
            if let Some(found) = opened.iter().find(|one| one.key == key) {
                return match self.fetch(&found.reference).await {
                    Outcome::Done(payment) => Outcome::Done(Some(payment)),
                    Outcome::Accepted => Outcome::Accepted,
                    // It is on the list: whoever does not find it is late.
                    Outcome::Rejected(reason) | Outcome::Unknown(reason) => Outcome::Unknown(reason),
                };
            }
            if next.is_none() {
                return Outcome::Done(None);
            }
            after = next;
        }
        Outcome::Unknown("too many payments were opened at that time".to_owned())
    }

    /// Sessions that were opened in a span of time, by what each carries of ours; then intents that have none.
    pub(in crate::gateway) async fn opened(&self, span: Span, after: Option<&str>) -> Outcome<Page<Opened>> {
        let is_of_intents = after.is_some_and(is_intent);
        let path = if is_of_intents { INTENTS } else { SESSIONS };
        let since = span.since.0.saturating_sub(CLOCK_SLACK_SECONDS).max(0);
        let mut query = of_page(PAGE, after.filter(|after| *after != INTENTS_NEXT)).with("created[gte]", &since.to_string());
        if let Some(until) = span.until {
            query = query.with("created[lte]", &until.0.saturating_add(CLOCK_SLACK_SECONDS).to_string());
        }
        let list = match self.client.get(&format!("{path}?{}", query.text())).await {
            Said::Yes(list) => list,
            Said::No(refusal) => return Outcome::Unknown(refusal.code),
            Said::Unsure(reason) => return Outcome::Unknown(reason),
        };
        let Some(listed) = list["data"].as_array() else { return Outcome::Unknown("a list without data".to_owned()) };
        let of = |one: &Value| {
            let key = if is_of_intents { &one["metadata"]["key"] } else { &one["client_reference_id"] };
            Some(Opened { key: key.as_str()?.to_owned(), reference: one["id"].as_str()?.to_owned() })
        };
        let next = next(&list).or_else(|| (!is_of_intents).then(|| INTENTS_NEXT.to_owned()));
        Outcome::Done((listed.iter().filter_map(of).collect(), next))
    }

    /// Sessions with their intents, newest first, down to those of before `since`; then intents that have none.
    pub(in crate::gateway) async fn payments(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Listed>> {
        let is_of_intents = after.is_some_and(is_intent);
        let (path, expand, read): (_, _, fn(&Value) -> _) = match is_of_intents {
            true => (INTENTS, "data.latest_charge", intent::read),
            false => (SESSIONS, "data.payment_intent.latest_charge", session::read),
        };
        let query = of_page(LIST_PAGE, after.filter(|after| *after != INTENTS_NEXT)).with("expand[0]", expand);
        match self.client.get(&format!("{path}?{}", query.text())).await {
            Said::Yes(list) => match session::page(&list, since, read) {
                Some((listed, None)) if !is_of_intents => Outcome::Done((listed, Some(INTENTS_NEXT.to_owned()))),
                Some(page) => Outcome::Done(page),
                None => Outcome::Unknown("a list that is not understood".to_owned()),
            },
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    pub(in crate::gateway) async fn refunds(&self, reference: &str) -> Outcome<Vec<RefundReport>> {
        self.of_intent("/v1/refunds", reference, refunds::read).await
    }

    pub(in crate::gateway) async fn disputes(&self, reference: &str) -> Outcome<Vec<Dispute>> {
        self.of_intent(DISPUTES, reference, disputes::read).await
    }

    /// Turns the pages of a list of what there is about the payment's intent. One that is not understood makes the whole unsure: a sum
    /// without it would be wrong.
    async fn of_intent<T>(&self, path: &str, reference: &str, read: fn(&Value) -> Option<T>) -> Outcome<Vec<T>> {
        let (session, _) = match self.standing(reference).await.done() {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        let Some(intent) = session["payment_intent"]["id"].as_str() else { return Outcome::Done(Vec::new()) };
        let (mut all, mut after) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let query = of_page(PAGE, after.as_deref()).with("payment_intent", intent);
            let list = match self.client.get(&format!("{path}?{}", query.text())).await {
                Said::Yes(list) => list,
                // A restricted key that may do all else may lack this right: that is for the shop to know, and no outage.
                Said::No(refusal) if path == DISPUTES && matches!(refusal.status, 401 | 403) => {
                    return Outcome::Rejected(refusal.code);
                }
                Said::No(refusal) => return rejected(refusal),
                Said::Unsure(reason) => return Outcome::Unknown(reason),
            };
            let Some(shown) = list["data"].as_array() else { return Outcome::Unknown("a list that is none".to_owned()) };
            for one in shown {
                let Some(one) = read(one) else { return Outcome::Unknown("a list that is not understood".to_owned()) };
                all.push(one);
            }
            after = next(&list);
            if after.is_none() {
                return Outcome::Done(all);
            }
        }
        Outcome::Unknown("too many entries about one payment".to_owned())
    }

    pub(in crate::gateway) async fn events(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Event>> {
        let mut query = of_page(PAGE, after).with("created[gte]", &since.0.to_string());
        for (index, kind) in KINDS.iter().enumerate() {
            query = query.with(&format!("types[{index}]"), kind);
        }
        match self.client.get(&format!("/v1/events?{}", query.text())).await {
            Said::Yes(list) => self.understood(&list, |event| events::read(event, self.is_live, self.account.as_deref())),
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    /// Disputes that were begun since, each as the event that tells of where it stands now.
    pub(in crate::gateway) async fn disputed(&self, since: Timestamp, after: Option<&str>) -> Outcome<Page<Event>> {
        let query = of_page(PAGE, after).with("created[gte]", &since.0.to_string());
        match self.client.get(&format!("{DISPUTES}?{}", query.text())).await {
            Said::Yes(list) => self.understood(&list, |dispute| disputes::told(dispute, self.is_live)),
            Said::No(refusal) => rejected(refusal),
            Said::Unsure(reason) => Outcome::Unknown(reason),
        }
    }

    fn understood(&self, list: &Value, read: impl Fn(&Value) -> Option<Event>) -> Outcome<Page<Event>> {
        let Some(shown) = list["data"].as_array() else { return Outcome::Unknown("a list without data".to_owned()) };
        let mut told = Vec::new();
        for one in shown {
            match read(one) {
                Some(event) => told.push(event),
                None => tracing::error!(id = one["id"].as_str(), "an entry of a list is not understood and is passed over"),
            }
        }
        Outcome::Done((told, next(list)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_of_which_nothing_is_understood_does_not_end_the_list() {
        let page =
            json!({"data": [{"id": "evt_2", "object": "event"}, {"id": "evt_1", "object": "something_new"}], "has_more": true});
        assert_eq!(next(&page).as_deref(), Some("evt_1"));
        let last = json!({"data": [{"id": "evt_0"}], "has_more": false});
        assert_eq!((next(&last), next(&json!({"data": [], "has_more": true}))), (None, None));
    }
}
