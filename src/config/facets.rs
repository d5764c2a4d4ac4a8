//! Facets: `[[facets]]` of site.toml.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::is_word;
use crate::commerce::money::Currency;
use crate::commerce::rules::Market;
use crate::site::facets::{Facet, FacetSource, MAX_BANDS, MAX_FACETS, TAKEN_NAMES};
use crate::site::load::written::{Amount, Place};
use crate::site::problem::{Problem, Problems};

/// Products a value needs for a page of its own, where site.toml does not say.
const MIN_PRODUCTS: usize = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenFacet {
    name: Spanned<String>,
    label: Option<String>,
    source: SourceName,
    attribute: Option<Spanned<String>>,
    #[serde(default)]
    bands: Vec<Spanned<Amount>>,
    #[serde(default)]
    other_bands: BTreeMap<Spanned<String>, Vec<Spanned<Amount>>>,
    min_products: Option<Spanned<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceName {
    Brand,
    Price,
    Attribute,
}

/// All facets, as far as they can be understood; the rest are problems.
pub(super) fn checked(written: Vec<WrittenFacet>, markets: &[Market], place: Place<'_>, problems: &mut Problems) -> Vec<Facet> {
    if let Some(one_more) = written.get(MAX_FACETS) {
        problems.push(place.problem(&one_more.name, format!("a shop has at most {MAX_FACETS} facets")));
    }
    let mut facets: Vec<Facet> = Vec::new();
    for facet in written {
        let name = &facet.name;
        if facets.iter().any(|other| other.name == *name.get_ref()) {
            problems.push(place.problem(name, format!("there are two facets `{}`", name.get_ref())));
        }
        facets.extend(facet.checked(markets, place, problems));
    }
    facets
}

impl WrittenFacet {
    fn checked(self, markets: &[Market], place: Place<'_>, problems: &mut Problems) -> Option<Facet> {
        let before = problems.errors();
        let name = self.name.get_ref();
        if !is_word(name) || name.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("`{name}` cannot stand in addresses");
            problems.push(
                place.problem(&self.name, message).hint("write a–z, 0–9 and hyphens, such as \"brand\"; `label` is for people"),
            );
        } else if TAKEN_NAMES.contains(&name.as_str()) {
            let message = format!("`{name}` is a field of the search page");
            problems.push(place.problem(&self.name, message).hint("give the facet another name; `label` is for people"));
        }
        let min_products = match &self.min_products {
            Some(least) if *least.get_ref() == 0 => {
                problems.push(place.problem(least, "a page needs at least one product").hint("write min_products = 1 or more"));
                None
            }
            least => Some(least.as_ref().map_or(MIN_PRODUCTS, |least| *least.get_ref())),
        };
        let source = self.source(markets, place, problems);
        if problems.errors() > before {
            return None;
        }
        let label = self.label.unwrap_or_else(|| spelled_out(self.name.get_ref()));
        Some(Facet { name: self.name.into_inner(), label, source: source?, min_products: min_products? })
    }

    fn source(&self, markets: &[Market], place: Place<'_>, problems: &mut Problems) -> Option<FacetSource> {
        if let Some(attribute) = self.attribute.as_ref().filter(|_| self.source != SourceName::Attribute) {
            problems.push(place.problem(attribute, "`attribute` belongs to facets with source = \"attribute\""));
        }
        let has_bands = !self.bands.is_empty() || !self.other_bands.is_empty();
        if has_bands && self.source != SourceName::Price {
            problems.push(place.problem(&self.name, "`bands` belong to facets with source = \"price\""));
        }
        match self.source {
            SourceName::Brand => Some(FacetSource::Brand),
            SourceName::Attribute => {
                let fallback = || self.label.clone().unwrap_or_else(|| self.name.get_ref().replace('-', " "));
                Some(FacetSource::Attribute {
                    name: self.attribute.as_ref().map_or_else(fallback, |name| name.get_ref().clone()),
                })
            }
            SourceName::Price => Some(FacetSource::Price { bands: self.bands(markets, place, problems) }),
        }
    }

    fn bands(&self, markets: &[Market], place: Place<'_>, problems: &mut Problems) -> BTreeMap<Currency, Vec<i64>> {
        let mut bands = BTreeMap::new();
        if self.bands.is_empty() {
            let problem = place.problem(&self.name, "a price facet needs its bands");
            problems.push(problem.hint("write the amounts at which a next band begins: bands = [\"25\", \"50\", \"100\"]"));
        }
        let mut read = |amounts: &[Spanned<Amount>], currency: Currency, problems: &mut Problems| {
            let limits: Vec<i64> = amounts.iter().filter_map(|amount| place.minor(amount, currency, problems)).collect();
            if let Some(at) = (0..limits.len()).find(|at| limits[*at] <= at.checked_sub(1).map_or(0, |before| limits[before])) {
                let problem = place.problem(&amounts[at.min(amounts.len() - 1)], "the amounts of bands rise, from above zero");
                problems.push(problem.hint("write the lowest first"));
            }
            if let Some(one_more) = amounts.get(MAX_BANDS) {
                problems.push(place.problem(one_more, format!("a price facet has at most {MAX_BANDS} bands")));
            }
            bands.insert(currency, limits);
        };
        if let Some(root) = markets.first().filter(|_| !self.bands.is_empty()) {
            read(&self.bands, root.currency, problems);
        }
        for (code, amounts) in &self.other_bands {
            if let Some(currency) = place.currency(code, problems) {
                if !markets.iter().any(|market| market.currency == currency) {
                    problems.push(place.problem(code, format!("no market sells in {}", currency.code())).warning());
                }
                read(amounts, currency, problems);
            }
        }
        let without: Vec<&Market> = markets.iter().filter(|market| !bands.contains_key(&market.currency)).collect();
        if let Some(market) = without.first().filter(|_| !bands.is_empty()) {
            let code = market.currency.code();
            let message = format!("the market `{}` sells in {code}, for which this facet has no bands", market.id);
            let problem: Problem = place.problem(&self.name, message).warning();
            problems.push(problem.hint(format!("write other_bands = {{ {code} = [\"25\", \"50\", \"100\"] }}")));
        }
        bands
    }
}

// `seat-height` → `Seat height`.
fn spelled_out(name: &str) -> String {
    let words = name.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
