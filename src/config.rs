//! Config: site.toml → one typed section per room.
//!
//! Owns    the file's keys, their defaults and what is said when one is wrong. No room reads the file itself; `cli` hands each its section.
//! Always  all problems of the file, each at its place.

mod beacon;
mod edge;
mod facets;
mod images;
mod makers;
mod payment;
mod publish;
mod purge;
mod services;
mod shipping;
mod slo;
mod sources;
mod store;
mod theme;
mod webhooks;

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::commerce::ids::{MarketId, TaxClass};
use crate::commerce::language::Words;
use crate::commerce::money::{Percent, Rounding};
use crate::commerce::problems::RulesProblem;
use crate::commerce::rules::{ConsumerLaw, Market, RoundingScope, Rules};
use crate::commerce::tax::{TaxMode, TaxRates, TaxTable};
use crate::edge::perform::mail::check_mailbox;
use crate::publish::target::Target;
use crate::recipe::limits::Host;
use crate::site::load::sources::BulkSource;
use crate::site::load::written::{Place, parse_known};
use crate::site::problem::{Kind, Problem, Problems, SourceFile};
use crate::site::{BuildSettings, Returns, Shop, UrlStyle, load};
use crate::telemetry::slo::Objectives;
use crate::theme::bundle::services::{InventoryTerms, PricingTerms};
use crate::theme::bundle::{FrontTerms, Keeper, MailTerms, PaymentTerms, SubscriberTerms};
use crate::theme::countries;
use crate::theme::look::Look;

pub use self::services::NamedCategory;

/// The settings file's name.
pub const FILE: &str = "site.toml";

/// A whole site.toml.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the shop says of itself.
    pub shop: Shop,
    /// Markets, tax and shipping; promotions come from content.
    pub rules: Rules,
    /// How it is paid.
    pub payment: PaymentTerms,
    /// Who writes mails.
    pub mail: MailTerms,
    /// Systems of the merchant's own that are told what happens to orders.
    pub webhooks: Vec<SubscriberTerms>,
    /// What stands before the edge.
    pub front: FrontTerms,
    /// Who tells prices beside the catalogue.
    pub pricing: Option<PricingTerms>,
    /// Who holds units beside the store's own ledger.
    pub inventory: Option<InventoryTerms>,
    /// Where orders are kept.
    pub keeper: Option<Keeper>,
    /// Categories that sections name; the catalogue, which is read later, has to have them.
    pub named_categories: Vec<NamedCategory>,
    /// The host whose limits a check counts (`[build] host`).
    pub host: Option<Host>,
    /// How pages become files.
    pub build: BuildSettings,
    /// Bulk files.
    pub sources: Vec<BulkSource>,
    /// How pages look.
    pub look: Look,
    /// By how much a price may move from one publication to the next before somebody has to look (`[diff]`).
    pub max_price_change: Percent,
    /// Where it is published.
    pub targets: Vec<Target>,
    /// What it promises itself of its edge.
    pub objectives: Objectives,
}

/// `[mail]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenMail {
    from: Option<Spanned<String>>,
    reply_to: Option<Spanned<String>>,
}

impl WrittenMail {
    fn checked(self, place: Place<'_>, problems: &mut Problems) -> MailTerms {
        for written in [&self.from, &self.reply_to].into_iter().flatten() {
            if let Err(error) = check_mailbox(written.get_ref()) {
                problems.push(place.problem(written, error.to_string()).hint("write `Name <orders@shop.example>`"));
            }
        }
        MailTerms {
            from: self.from.map(Spanned::into_inner).unwrap_or_default(),
            reply_to: self.reply_to.map(Spanned::into_inner),
        }
    }
}

/// Reads site.toml of a shop's folder. `None` where too little of it can be understood to go on; the problems say why.
pub fn read(root: &Path, problems: &mut Problems) -> Option<Config> {
    let text = match std::fs::read(root.join(FILE)) {
        Ok(bytes) => load::text(FILE, bytes, problems)?,
        Err(error) => {
            let hint = "run this in a shop's folder, name one with --source, or start one with `vitrine init`";
            problems.push(Problem::about(FILE, format!("there is no shop here: {error}")).hint(hint));
            return None;
        }
    };
    let file = SourceFile::new(FILE, &text);
    let mut found = Vec::new();
    let written: Option<Written> = parse_known(&file, &text, 0, &mut found);
    if !found.is_empty() {
        tell(&file, &text, found, problems);
    }
    written?.checked(Place { file: &file, offset: 0 }, root, problems)
}

// A secret is told whatever else is wrong: it has to come out of the file, and of its history.
fn tell(file: &SourceFile, text: &str, found: Vec<Problem>, problems: &mut Problems) {
    let secrets = publish::secrets(file, text);
    for problem in found {
        let is_secret = secrets.iter().any(|secret| (secret.line, &secret.message) == (problem.line, &problem.message));
        let is_origin_secret = problem.message.starts_with("unknown key `") && problem.message.contains("origin_secret");
        if is_origin_secret {
            problems.push(problem.hint(edge::SECRET).unshown());
        } else if problem.message == "unknown key `token`" && !is_secret {
            problems.push(problem.hint(services::TOKEN).unshown());
        } else if !is_secret {
            problems.push(problem);
        }
    }
    secrets.into_iter().for_each(|secret| problems.push(secret));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    shop: WrittenShop,
    markets: Spanned<Vec<WrittenMarket>>,
    tax: WrittenTax,
    #[serde(default)]
    shipping: Vec<shipping::WrittenZone>,
    #[serde(default)]
    payment: payment::WrittenPayment,
    #[serde(default)]
    mail: WrittenMail,
    #[serde(default)]
    webhooks: Vec<webhooks::WrittenSubscriber>,
    #[serde(default)]
    edge: edge::WrittenEdge,
    #[serde(default)]
    pricing: services::WrittenPricing,
    #[serde(default)]
    inventory: services::WrittenInventory,
    #[serde(default)]
    store: store::WrittenStore,
    #[serde(default)]
    beacon: beacon::WrittenBeacon,
    #[serde(default)]
    build: WrittenBuild,
    #[serde(default)]
    facets: Vec<facets::WrittenFacet>,
    #[serde(default)]
    feeds: WrittenFeeds,
    #[serde(default)]
    images: images::WrittenImages,
    #[serde(default)]
    makers: Vec<makers::WrittenMaker>,
    #[serde(default)]
    diff: WrittenDiff,
    #[serde(default)]
    publish: Vec<publish::WrittenTarget>,
    #[serde(default)]
    slo: slo::WrittenSlo,
    #[serde(default)]
    sources: Vec<sources::WrittenSource>,
    #[serde(default)]
    checkout: WrittenCheckout,
    returns: Option<WrittenReturns>,
    #[serde(default)]
    theme: theme::WrittenTheme,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenShop {
    id: Option<Spanned<String>>,
    name: String,
    #[serde(default)]
    tagline: String,
    base_url: Spanned<String>,
    #[serde(default)]
    email: String,
    #[serde(default)]
    order_prefix: String,
    #[serde(default)]
    address: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMarket {
    id: String,
    name: Option<String>,
    #[serde(default)]
    prefix: Option<Spanned<String>>,
    countries: Vec<Spanned<String>>,
    currency: Spanned<String>,
    #[serde(default = "english")]
    language: String,
    #[serde(default)]
    tax_mode: TaxMode,
    #[serde(default)]
    rounding: Rounding,
    #[serde(default)]
    rounding_scope: RoundingScope,
    consumer_law: Option<ConsumerLaw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTax {
    classes: Vec<String>,
    shipping_class: Option<String>,
    rates: Vec<Spanned<toml::Table>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenBuild {
    page_size: Option<Spanned<usize>>,
    url_style: UrlStyle,
    feed_size: Option<usize>,
    reduced_on_home: Option<usize>,
    max_facet_pages: Option<usize>,
    search: Option<bool>,
    host: Option<Host>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenFeeds {
    google: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenDiff {
    max_price_change: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenCheckout {
    quote_minutes: Option<Spanned<i64>>,
    reservation_minutes: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenReturns {
    days: Spanned<i64>,
    #[serde(default)]
    free: bool,
}

fn english() -> String {
    "en".to_owned()
}

/// Percent by which a price may move: more is seldom meant.
const MAX_PRICE_CHANGE: &str = "30";
/// Ten years: longer is a guarantee, not a return.
const MAX_RETURN_DAYS: u16 = 3650;
/// Largest page of a category: more is slow on a phone.
const MAX_PAGE_SIZE: usize = 200;
/// A quote or reservation of a day and more is a stock lock, not a checkout.
const MAX_HOLD_MINUTES: i64 = 24 * 60;

impl Written {
    fn checked(self, place: Place<'_>, root: &Path, problems: &mut Problems) -> Option<Config> {
        let returns = self.returns.and_then(|returns| returns.checked(place, problems));
        let shop = self.shop.checked(place, problems).map(|shop| Shop { returns, ..shop });
        if self.markets.get_ref().is_empty() {
            problems.push(place.problem(&self.markets, "the shop has no market").hint("add one under [[markets]]"));
        }
        let named: Vec<(String, Vec<Spanned<String>>)> =
            self.markets.get_ref().iter().map(|market| (market.id.clone(), market.countries.clone())).collect();
        let markets: Vec<Option<Market>> =
            self.markets.into_inner().into_iter().map(|market| market.checked(place, problems)).collect();
        let markets: Option<Vec<Market>> = markets.into_iter().collect();
        let tax = self.tax.checked(place, problems);
        let seconds = |minutes: Option<Spanned<i64>>, default: i64, problems: &mut Problems| match minutes {
            Some(minutes) if !(1..=MAX_HOLD_MINUTES).contains(minutes.get_ref()) => {
                problems.push(place.problem(&minutes, format!("write a number of minutes from 1 to {MAX_HOLD_MINUTES}")));
                default * 60
            }
            minutes => minutes.map_or(default, Spanned::into_inner) * 60,
        };
        let quote_seconds = seconds(self.checkout.quote_minutes, 15, problems);
        let reservation_seconds = seconds(self.checkout.reservation_minutes, 30, problems);
        let mail = self.mail.checked(place, problems);
        let webhooks = webhooks::checked(self.webhooks, place, problems);
        let front = self.edge.checked(place, problems);
        let mut named_categories = Vec::new();
        let pricing = self.pricing.checked(&mut named_categories, place, problems);
        let inventory = self.inventory.checked(&mut named_categories, &webhooks, place, problems);
        let targets = publish::checked(self.publish, place, root, problems);
        let objectives = self.slo.checked(place, problems);
        let look = self.theme.checked(place, root, problems);
        let host = self.build.host;
        let mut build = self.build.checked(place, problems);
        build.beacon = self.beacon.checked(place, problems);
        build.images = self.images.checked(place, root, problems);
        build.makers = makers::checked(self.makers, place, problems);
        build.google_feed = self.feeds.google.unwrap_or(build.google_feed);
        let max_price_change = self.diff.max_price_change.and_then(|text| place.percent(&text, problems));
        let max_price_change = max_price_change.unwrap_or_else(|| MAX_PRICE_CHANGE.parse().expect("it is a percentage"));
        // What follows needs the markets: all that does not was told by now.
        let markets = markets.filter(|markets| !markets.is_empty())?;
        build.facets = facets::checked(self.facets, &markets, place, problems);
        let payment = self.payment.checked(&markets, place, problems);
        let zones = self.shipping.into_iter().map(|zone| zone.checked(&markets, place, problems)).collect();
        let rules = Rules {
            markets,
            tax,
            shipping: zones,
            promotions: Vec::new(),
            words: Words::default(),
            quote_seconds,
            reservation_seconds,
        };
        tell_uncovered(&rules, &named, place, problems);
        let sources = self.sources.into_iter().map(|source| source.checked(&rules, place, root, problems)).collect();
        let shop = shop?;
        let checked = Config {
            shop,
            rules,
            payment,
            mail,
            webhooks,
            front,
            pricing,
            inventory,
            keeper: self.store.keeper(),
            named_categories,
            host,
            build,
            sources,
            look,
            max_price_change,
            targets,
            objectives,
        };
        Some(checked)
    }
}

// Countries without tax or shipping, each where its market names it.
fn tell_uncovered(rules: &Rules, named: &[(String, Vec<Spanned<String>>)], place: Place<'_>, problems: &mut Problems) {
    for found in rules.problems() {
        let (RulesProblem::NoTaxRate { market, country } | RulesProblem::NoShippingZone { market, country }) = &found else {
            continue;
        };
        let countries = named.iter().find(|(id, _)| id == market.as_str()).map(|(_, countries)| countries);
        if let Some(written) = countries.and_then(|countries| countries.iter().find(|written| written.get_ref() == country)) {
            let problem = place.problem(written, found.to_string()).of(Kind::Coverage);
            problems.push(if found.is_warning() { problem.warning() } else { problem });
        }
    }
}

impl WrittenReturns {
    fn checked(self, place: Place<'_>, problems: &mut Problems) -> Option<Returns> {
        match u16::try_from(*self.days.get_ref()) {
            Ok(days) if days <= MAX_RETURN_DAYS => Some(Returns { days, is_free: self.free }),
            _ => {
                let problem = place.problem(&self.days, format!("write a number of days from 0 to {MAX_RETURN_DAYS}"));
                problems.push(problem.hint("count them from the parcel's arrival; 0: nothing comes back"));
                None
            }
        }
    }
}

impl WrittenShop {
    fn checked(self, place: Place<'_>, problems: &mut Problems) -> Option<Shop> {
        let id = match &self.id {
            Some(id) if !is_word(id.get_ref()) => {
                problems.push(place.problem(id, "an id is made of a–z, 0–9 and hyphens"));
                None
            }
            Some(id) => Some(id.get_ref().clone()),
            None => Some(slug::slugify(&self.name)),
        };
        let base_url = self.base_url.get_ref();
        if let Err(reason) = check_origin(base_url) {
            problems.push(place.problem(&self.base_url, reason).hint("write an origin such as \"https://shop.example\""));
            return None;
        }
        Some(Shop {
            id: id?,
            name: self.name,
            tagline: self.tagline,
            base_url: base_url.clone(),
            email: self.email,
            order_prefix: self.order_prefix,
            address: self.address,
            returns: None,
        })
    }
}

/// Whether a base URL is an origin: scheme, host, perhaps a port, and nothing after it.
///
/// Errors: what is wrong, for people.
pub fn check_origin(base_url: &str) -> Result<(), String> {
    let uri: http::Uri = base_url.parse().map_err(|_| format!("`{base_url}` is not an address"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(format!("`{base_url}` does not begin with http:// or https://")),
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(format!("`{base_url}` names no host"));
    }
    if base_url.ends_with('/') || uri.path() != "/" || uri.query().is_some() {
        return Err(format!("`{base_url}` goes on after the host; pages have their own paths"));
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn checked_countries(countries: Vec<Spanned<String>>, place: Place<'_>, problems: &mut Problems) -> Vec<String> {
    for country in countries.iter().filter(|country| countries::name(country.get_ref()).is_none()) {
        let message = format!("`{}` is not a country of ISO 3166-1", country.get_ref());
        problems.push(place.problem(country, message).hint("write two capital letters, such as \"DE\""));
    }
    countries.into_iter().map(Spanned::into_inner).collect()
}

impl WrittenMarket {
    fn checked(self, place: Place<'_>, problems: &mut Problems) -> Option<Market> {
        let currency = place.currency(&self.currency, problems);
        let countries = checked_countries(self.countries, place, problems);
        if let Some(prefix) = self.prefix.as_ref().filter(|prefix| !prefix.get_ref().is_empty() && !is_word(prefix.get_ref())) {
            problems.push(place.problem(prefix, "a prefix is made of a–z, 0–9 and hyphens, without slashes"));
        }
        if let Some(prefix) = self.prefix.as_ref().filter(|prefix| load::RESERVED.contains(&prefix.get_ref().as_str())) {
            problems.push(place.problem(prefix, format!("`{}` is an address of the shop itself", prefix.get_ref())));
        }
        Some(Market {
            name: self.name.unwrap_or_else(|| self.id.clone()),
            id: MarketId(self.id),
            prefix: self.prefix.map(Spanned::into_inner).unwrap_or_default(),
            consumer_law: self.consumer_law.unwrap_or_else(|| ConsumerLaw::of(&countries)),
            countries,
            currency: currency?,
            language: self.language,
            tax_mode: self.tax_mode,
            rounding: self.rounding,
            rounding_scope: self.rounding_scope,
        })
    }
}

impl WrittenTax {
    fn checked(self, place: Place<'_>, problems: &mut Problems) -> TaxTable {
        let mut classes = self.classes.clone();
        classes.sort();
        let mut rates = Vec::new();
        for row in &self.rates {
            let text = |key: &str| row.get_ref().get(key).and_then(toml::Value::as_str);
            let Some(country) = text("country") else {
                problems.push(place.problem(row, "this row names no country").hint("write country = \"DE\""));
                continue;
            };
            if countries::name(country).is_none() {
                problems.push(place.problem(row, format!("`{country}` is not a country of ISO 3166-1")));
            }
            let known = |key: &str| matches!(key, "country" | "region" | "name") || classes.iter().any(|class| class == key);
            for key in row.get_ref().keys().filter(|key| !known(key)) {
                let message = format!("`{key}` is neither a key of a row nor a tax class");
                problems.push(place.problem(row, message).hint(format!("classes: {}", self.classes.join(", "))));
            }
            let mut percent = Vec::new();
            for class in &classes {
                match text(class).map(str::parse) {
                    Some(Ok(share)) => percent.push((TaxClass::from(class.clone()), share)),
                    Some(Err(error)) => problems.push(place.problem(row, format!("{class}: {error}"))),
                    None => {
                        let message = format!("this row has no rate for the tax class `{class}`");
                        let hint = format!("write {class} = \"19\", in quotes; where no tax is due, {class} = \"0\"");
                        problems.push(place.problem(row, message).hint(hint));
                    }
                }
            }
            rates.push(TaxRates {
                country: country.to_owned(),
                region: text("region").map(str::to_owned),
                name: text("name").unwrap_or("Tax").to_owned(),
                percent,
            });
        }
        TaxTable {
            classes: self.classes.into_iter().map(TaxClass::from).collect(),
            shipping_class: self.shipping_class.map(TaxClass::from),
            rates,
        }
    }
}

impl WrittenBuild {
    fn checked(self, place: Place<'_>, problems: &mut Problems) -> BuildSettings {
        let default = BuildSettings::default();
        let page_size = match self.page_size {
            Some(size) if !(1..=MAX_PAGE_SIZE).contains(size.get_ref()) => {
                problems.push(place.problem(&size, format!("a page holds 1 to {MAX_PAGE_SIZE} products")));
                default.page_size
            }
            size => size.map_or(default.page_size, Spanned::into_inner),
        };
        BuildSettings {
            page_size,
            url_style: self.url_style,
            feed_size: self.feed_size.unwrap_or(default.feed_size),
            reduced_on_home: self.reduced_on_home.unwrap_or(default.reduced_on_home),
            max_facet_pages: self.max_facet_pages.unwrap_or(default.max_facet_pages),
            search: self.search.unwrap_or(default.search),
            ..default
        }
    }
}
