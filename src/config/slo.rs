//! Slo: `[slo]` of site.toml, what the shop promises itself of its edge.

use serde::Deserialize;
use toml::Spanned;

use crate::commerce::money::Percent;
use crate::site::load::written::Place;
use crate::site::problem::Problems;
use crate::telemetry::slo::{Area, Millionths, Objectives, Promise, counted_ms};

/// Shorter windows forget a bad day, longer ones are kept by few databases of metrics.
const DAYS: std::ops::RangeInclusive<i64> = 7..=90;
/// A confirmation that has not left after a day is lost to the shopper.
const CONFIRMATION_MINUTES: std::ops::RangeInclusive<i64> = 1..=24 * 60;
/// Less than half of all requests is no promise.
const LEAST: Millionths = 500_000;
/// Everything is no promise either: one failure would break it for the whole window.
const MOST: Millionths = 999_999;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenSlo {
    days: Option<Spanned<i64>>,
    confirmation_minutes: Option<Spanned<i64>>,
    availability: WrittenPromise,
    cart: WrittenPromise,
    checkout: WrittenPromise,
    payment: WrittenPromise,
    orders: WrittenPromise,
    webhooks: WrittenPromise,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenPromise {
    availability: Option<Spanned<String>>,
    latency: Option<Spanned<String>>,
    within_ms: Option<Spanned<u32>>,
}

impl WrittenSlo {
    pub(super) fn checked(self, place: Place<'_>, problems: &mut Problems) -> Objectives {
        let usual = Objectives::default();
        let mut number = |written: Option<Spanned<i64>>, range: std::ops::RangeInclusive<i64>, unit: &str, usual: u16| {
            let Some(written) = written else { return usual };
            let chosen = u16::try_from(*written.get_ref()).ok().filter(|_| range.contains(written.get_ref()));
            chosen.unwrap_or_else(|| {
                let (least, most) = (range.start(), range.end());
                problems.push(place.problem(&written, format!("write a number of {unit} from {least} to {most}")));
                usual
            })
        };
        let days = number(self.days, DAYS, "days", usual.days);
        let minutes = number(self.confirmation_minutes, CONFIRMATION_MINUTES, "minutes", usual.confirmation_minutes);
        let written = [
            (Area::Availability, self.availability),
            (Area::Cart, self.cart),
            (Area::Checkout, self.checkout),
            (Area::Payment, self.payment),
            (Area::Orders, self.orders),
            (Area::Webhooks, self.webhooks),
        ];
        let promises = written.map(|(area, promise)| (area, promise.checked(area, place, problems))).to_vec();
        Objectives { days, promises, confirmation_minutes: minutes }
    }
}

impl WrittenPromise {
    fn checked(self, area: Area, place: Place<'_>, problems: &mut Problems) -> Promise {
        let usual = area.usual();
        let availability = share(self.availability, usual.availability, place, problems);
        let latency = share(self.latency, usual.latency, place, problems);
        let within_ms = self.within_ms.map_or(usual.within_ms, |written| {
            if counted_ms().all(|ms| ms != *written.get_ref()) {
                let known = counted_ms().map(|ms| ms.to_string()).collect::<Vec<_>>().join(", ");
                let problem = place.problem(&written, format!("answers are not counted by {} ms", written.get_ref()));
                problems.push(problem.hint(format!("write one of {known}")));
            }
            written.into_inner()
        });
        Promise { availability, latency, within_ms }
    }
}

fn share(written: Option<Spanned<String>>, usual: Millionths, place: Place<'_>, problems: &mut Problems) -> Millionths {
    let Some(written) = written else { return usual };
    let Some(share) = place.percent(&written, problems).map(Percent::millionths) else { return usual };
    if !(LEAST..=MOST).contains(&share) {
        let message = format!("{} % of all requests cannot be promised", written.get_ref());
        problems
            .push(place.problem(&written, message).hint("write a share from \"50\" to \"99.9999\" percent, such as \"99.9\""));
    }
    share
}
