//! Services: `[pricing]` and `[inventory]` of site.toml, systems of the merchant's own that the edge asks while a shopper waits.

use serde::Deserialize;
use toml::Spanned;

use crate::commerce::ids::CategoryPath;
use crate::edge::perform::services::SUBSCRIBER;
use crate::edge::perform::subscribers::message::check_url;
use crate::site::load::written::Place;
use crate::site::problem::{Problem, Problems};
use crate::theme::bundle::SubscriberTerms;
use crate::theme::bundle::services::{
    InventoryClass, InventoryTerms, Oversell, PriceClass, PricingTerms, WhenSilent, WhenUnknown,
};

/// Where the token is.
pub(super) const TOKEN: &str = "a token is never in a file: those that are shown to services are in the edge's environment, as VITRINE_PRICING_TOKEN and VITRINE_INVENTORY_TOKEN";

/// A shopper waits meanwhile: CHECKOUT.md 5.6 gives a read of a gateway no more.
const TIMEOUT_MS: std::ops::RangeInclusive<i64> = 50..=5_000;
/// An hour without asking is a price list, which belongs into the catalogue.
const FRESH_SECONDS: std::ops::RangeInclusive<i64> = 0..=3_600;
/// Thirty days: whoever is silent for longer is not there.
const MAX_AGE_MINUTES: std::ops::RangeInclusive<i64> = 0..=30 * 24 * 60;
/// One would be the catalogue's price itself; more than a hundred is not believed of anybody.
const MAX_FACTOR: std::ops::RangeInclusive<i64> = 2..=100;
/// More are a price list of their own.
const MAX_CLASSES: usize = 64;

/// Where prices come from.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum PriceSource {
    /// The catalogue alone.
    #[default]
    Catalogue,
    /// A service.
    Http,
}

/// `[pricing]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenPricing {
    source: Option<Spanned<PriceSource>>,
    url: Option<Spanned<String>>,
    timeout_ms: Option<Spanned<i64>>,
    fresh_seconds: Option<Spanned<i64>>,
    max_age_minutes: Option<Spanned<i64>>,
    when_unknown: Option<Spanned<WhenUnknown>>,
    max_factor: Option<Spanned<i64>>,
    classes: Vec<WrittenPriceClass>,
}

/// `[[pricing.classes]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPriceClass {
    categories: Spanned<Vec<Spanned<String>>>,
    max_age_minutes: Option<Spanned<i64>>,
    when_unknown: Option<WhenUnknown>,
    max_factor: Option<Spanned<i64>>,
}

/// Where units are counted.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum StockSource {
    /// The store's own ledger alone.
    #[default]
    Ledger,
    /// A service beside it.
    Http,
}

/// `[inventory]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenInventory {
    source: Option<Spanned<StockSource>>,
    url: Option<Spanned<String>>,
    timeout_ms: Option<Spanned<i64>>,
    oversell: Option<Spanned<Oversell>>,
    when_silent: Option<Spanned<WhenSilent>>,
    classes: Vec<WrittenStockClass>,
}

/// `[[inventory.classes]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStockClass {
    categories: Spanned<Vec<Spanned<String>>>,
    oversell: Option<Oversell>,
    when_silent: Option<WhenSilent>,
}

impl WrittenInventory {
    /// `None`: units are the store's own. `webhooks`: names that are taken in the queue of what happened.
    pub(super) fn checked(
        self,
        named: &mut Vec<NamedCategory>,
        webhooks: &[SubscriberTerms],
        place: Place<'_>,
        problems: &mut Problems,
    ) -> Option<InventoryTerms> {
        let Some(source) = self.source.as_ref().filter(|source| *source.get_ref() == StockSource::Http) else {
            let idle = [
                self.url.as_ref().map(|url| place.problem(url, IDLE_STOCK)),
                self.timeout_ms.as_ref().map(|number| place.problem(number, IDLE_STOCK)),
                self.oversell.as_ref().map(|oversell| place.problem(oversell, IDLE_STOCK)),
                self.when_silent.as_ref().map(|silent| place.problem(silent, IDLE_STOCK)),
                self.classes.first().map(|class| place.problem(&class.categories, IDLE_STOCK)),
            ];
            if let Some(problem) = idle.into_iter().flatten().next() {
                problems.push(problem.hint("write source = \"http\" under [inventory], or take this out"));
            }
            return None;
        };
        if webhooks.iter().any(|webhook| webhook.name == SUBSCRIBER) {
            let problem = place.problem(source, format!("a webhook has the name `{SUBSCRIBER}`, by which this service is told"));
            problems.push(problem.hint("give the webhook another name"));
        }
        let url = address(self.url.as_ref(), source, "https://stock.shop.example/v1", place, problems);
        let usual = InventoryClass {
            categories: Vec::new(),
            oversell: self.oversell.map(Spanned::into_inner).unwrap_or_default(),
            when_silent: self.when_silent.map(Spanned::into_inner).unwrap_or_default(),
        };
        if let Some(one_more) = self.classes.get(MAX_CLASSES) {
            problems.push(place.problem(&one_more.categories, format!("at most {MAX_CLASSES} classes are told apart")));
        }
        let class = |written: WrittenStockClass| InventoryClass {
            categories: categories(written.categories, named, place, problems),
            oversell: written.oversell.unwrap_or(usual.oversell),
            when_silent: written.when_silent.unwrap_or(usual.when_silent),
        };
        let classes = self.classes.into_iter().map(class).collect();
        let timeout_ms = number(self.timeout_ms.as_ref(), TIMEOUT_MS, 1_000, place, problems);
        Some(InventoryTerms { url: url?, timeout_ms, usual, classes })
    }
}

/// A category that site.toml names, and what is said where the catalogue has none of that name.
#[derive(Clone, Debug)]
pub struct NamedCategory {
    /// As it is written.
    pub path: CategoryPath,
    /// The problem, at its place.
    pub problem: Problem,
}

impl WrittenPricing {
    /// `None`: prices are the catalogue's.
    pub(super) fn checked(
        self,
        named: &mut Vec<NamedCategory>,
        place: Place<'_>,
        problems: &mut Problems,
    ) -> Option<PricingTerms> {
        let Some(source) = self.source.as_ref().filter(|source| *source.get_ref() == PriceSource::Http) else {
            // A setting that does nothing is one that somebody believes in.
            let idle = [self.url.as_ref().map(|url| place.problem(url, IDLE))];
            let numbers = [&self.timeout_ms, &self.fresh_seconds, &self.max_age_minutes, &self.max_factor];
            let numbers = numbers.into_iter().map(|number| number.as_ref().map(|number| place.problem(number, IDLE)));
            let unknown = self.when_unknown.as_ref().map(|when| place.problem(when, IDLE));
            let classes = self.classes.first().map(|class| place.problem(&class.categories, IDLE));
            let first = idle.into_iter().chain(numbers).chain([unknown, classes]).flatten().next();
            if let Some(problem) = first {
                problems.push(problem.hint("write source = \"http\" under [pricing], or take this out"));
            }
            return None;
        };
        let url = address(self.url.as_ref(), source, "https://prices.shop.example/v1", place, problems);
        let usual = PriceClass {
            categories: Vec::new(),
            max_age_seconds: minutes(self.max_age_minutes.as_ref(), 24 * 60, place, problems),
            when_unknown: self.when_unknown.map(Spanned::into_inner).unwrap_or_default(),
            max_factor: number(self.max_factor.as_ref(), MAX_FACTOR, 4, place, problems),
        };
        if let Some(one_more) = self.classes.get(MAX_CLASSES) {
            problems.push(place.problem(&one_more.categories, format!("at most {MAX_CLASSES} classes are told apart")));
        }
        let class = |written: WrittenPriceClass| PriceClass {
            categories: categories(written.categories, named, place, problems),
            max_age_seconds: match &written.max_age_minutes {
                None => usual.max_age_seconds,
                written => minutes(written.as_ref(), 0, place, problems),
            },
            when_unknown: written.when_unknown.unwrap_or(usual.when_unknown),
            max_factor: match &written.max_factor {
                None => usual.max_factor,
                written => number(written.as_ref(), MAX_FACTOR, 0, place, problems),
            },
        };
        let classes = self.classes.into_iter().map(class).collect();
        Some(PricingTerms {
            timeout_ms: number(self.timeout_ms.as_ref(), TIMEOUT_MS, 800, place, problems),
            fresh_seconds: number(self.fresh_seconds.as_ref(), FRESH_SECONDS, 30, place, problems),
            url: url?,
            usual,
            classes,
        })
    }
}

const IDLE_STOCK: &str = "this does nothing: units are counted by the store alone";
const IDLE: &str = "this does nothing: prices are the catalogue's";

/// The service's address without a closing slash.
fn address<T>(
    written: Option<&Spanned<String>>,
    source: &Spanned<T>,
    example: &str,
    place: Place<'_>,
    problems: &mut Problems,
) -> Option<String> {
    let Some(written) = written else {
        let problem = place.problem(source, "nobody says where this service is");
        problems.push(problem.hint(format!("write url = \"{example}\" beside it")));
        return None;
    };
    let url = written.get_ref();
    let checked = match url.contains('?') {
        true => Err(format!("`{url}` has a question mark: what is asked for comes after the address")),
        false => check_url(url),
    };
    if let Err(reason) = checked {
        problems.push(place.problem(written, reason).hint(format!("write an address such as \"{example}\"")));
        return None;
    }
    Some(url.trim_end_matches('/').to_owned())
}

fn categories(
    written: Spanned<Vec<Spanned<String>>>,
    named: &mut Vec<NamedCategory>,
    place: Place<'_>,
    problems: &mut Problems,
) -> Vec<CategoryPath> {
    if written.get_ref().is_empty() {
        let problem = place.problem(&written, "a class of no category holds nothing");
        problems.push(problem.hint("write categories = [\"jewellery\"], or take the class out"));
    }
    let one = |category: Spanned<String>| {
        let path = CategoryPath::from(category.get_ref().trim_matches('/'));
        let problem = place.problem(&category, format!("there is no category `{path}`"));
        named.push(NamedCategory {
            path: path.clone(),
            problem: problem.hint("write the path of its folder in content/categories"),
        });
        path
    };
    written.into_inner().into_iter().map(one).collect()
}

fn minutes(written: Option<&Spanned<i64>>, default: u32, place: Place<'_>, problems: &mut Problems) -> u32 {
    number(written, MAX_AGE_MINUTES, default, place, problems) * 60
}

fn number(
    written: Option<&Spanned<i64>>,
    range: std::ops::RangeInclusive<i64>,
    default: u32,
    place: Place<'_>,
    problems: &mut Problems,
) -> u32 {
    let Some(written) = written else { return default };
    match u32::try_from(*written.get_ref()) {
        Ok(number) if range.contains(&number.into()) => number,
        _ => {
            problems.push(place.problem(written, format!("write a number from {} to {}", range.start(), range.end())));
            default
        }
    }
}
