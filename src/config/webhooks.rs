//! Webhooks: `[[webhooks]]` of site.toml, the merchant's own systems that are told what happens to orders.

use serde::Deserialize;
use toml::Spanned;

use super::is_word;
use crate::edge::perform::subscribers::MAX_SUBSCRIBERS;
use crate::edge::perform::subscribers::message::check_url;
use crate::site::load::written::Place;
use crate::site::problem::{Problems, nearest};
use crate::store::fact::FactKind;
use crate::theme::bundle::SubscriberTerms;

/// Its name is part of a variable's name.
const MAX_NAME_BYTES: usize = 40;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenSubscriber {
    name: Spanned<String>,
    url: Spanned<String>,
    events: Option<Spanned<Vec<Spanned<String>>>>,
}

/// All subscribers, as far as they can be understood; the rest are problems.
pub(super) fn checked(written: Vec<WrittenSubscriber>, place: Place<'_>, problems: &mut Problems) -> Vec<SubscriberTerms> {
    if let Some(one_more) = written.get(MAX_SUBSCRIBERS) {
        problems.push(place.problem(&one_more.name, format!("a shop tells at most {MAX_SUBSCRIBERS} systems")));
    }
    let mut subscribers: Vec<SubscriberTerms> = Vec::new();
    for subscriber in written {
        if subscribers.iter().any(|other| other.name == *subscriber.name.get_ref()) {
            let message = format!("there are two webhooks `{}`", subscriber.name.get_ref());
            problems.push(place.problem(&subscriber.name, message));
            continue;
        }
        subscribers.push(subscriber.checked(place, problems));
    }
    subscribers
}

impl WrittenSubscriber {
    fn checked(self, place: Place<'_>, problems: &mut Problems) -> SubscriberTerms {
        let name = self.name.get_ref();
        if !is_word(name) || name.len() > MAX_NAME_BYTES {
            let message = format!("a webhook's name is made of a–z, 0–9 and hyphens, {MAX_NAME_BYTES} at most");
            problems.push(place.problem(&self.name, message).hint("write name = \"erp\""));
        }
        if let Err(reason) = check_url(self.url.get_ref()) {
            problems.push(place.problem(&self.url, reason).hint("write an address such as \"https://erp.example/hooks\""));
        }
        let all = || FactKind::ALL.iter().map(|kind| kind.name());
        if let Some(events) = self.events.as_ref().filter(|events| events.get_ref().is_empty()) {
            problems.push(place.problem(events, "this webhook is told nothing").hint("leave `events` out to be told everything"));
        }
        let written = self.events.map_or_else(Vec::new, Spanned::into_inner);
        for event in written.iter().filter(|event| all().all(|known| known != event.get_ref())) {
            let hint = nearest(event.get_ref(), all()).map(|near| format!("did you mean \"{near}\"?"));
            let hint = hint.unwrap_or_else(|| format!("events: {}", all().collect::<Vec<_>>().join(", ")));
            problems.push(place.problem(event, format!("there is no event `{}`", event.get_ref())).hint(hint));
        }
        // In one order, each once: the same settings are the same bundle.
        let is_written = |known: &&str| written.is_empty() || written.iter().any(|event| event.get_ref() == known);
        SubscriberTerms {
            events: all().filter(is_written).map(str::to_owned).collect(),
            name: self.name.into_inner(),
            url: self.url.into_inner(),
        }
    }
}
