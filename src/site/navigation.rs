//! Navigation: where every page of a market leads to, its shelves and the other markets.

use super::plan::{Addresses, Plan, prefix};
use crate::commerce::catalog::{Catalog, Category};
use crate::commerce::rules::{Market, Rules};
use crate::theme::locale;
use crate::theme::view::{Edition, NavigationNode};

/// Every market as somebody chooses it, in the order of site.toml; none where there is but one.
pub(super) fn editions(rules: &Rules, here: usize) -> Vec<Edition> {
    let edition = |(index, market): (usize, &Market)| Edition {
        name: market.name.clone(),
        language: market.language.clone(),
        language_name: locale::own_name(&market.language).to_owned(),
        home: Addresses { prefix: &prefix(rules, index) }.home(),
        is_here: index == here,
    };
    match rules.markets.len() {
        0 | 1 => Vec::new(),
        _ => rules.markets.iter().enumerate().map(edition).collect(),
    }
}

/// The top shelves with those below. Shelves with nothing on them are not shown; their pages stand, since somebody may have
/// linked them.
pub(super) fn navigation(catalog: &Catalog, plan: &Plan, addresses: Addresses<'_>, language: &str) -> Vec<NavigationNode> {
    let categories = catalog.categories();
    let mut top = Vec::new();
    let mut below = vec![Vec::new(); categories.len()];
    for (index, category) in categories.iter().enumerate().filter(|(index, _)| !plan.shelves[*index].is_empty()) {
        match category.path.parent() {
            None => top.push(index),
            Some(parent) => below[catalog.category_index(&parent).expect("`load` has looked for every parent")].push(index),
        }
    }
    nodes(&Shelves { categories, below: &below, addresses, language }, top)
}

struct Shelves<'a> {
    categories: &'a [Category],
    below: &'a [Vec<usize>],
    addresses: Addresses<'a>,
    language: &'a str,
}

fn nodes(shelves: &Shelves<'_>, mut level: Vec<usize>) -> Vec<NavigationNode> {
    let Shelves { categories, below, addresses, language } = shelves;
    level.sort_by_key(|index| (categories[*index].order, categories[*index].title_in(language)));
    let node = |index: usize| NavigationNode {
        title: categories[index].title_in(language).to_owned(),
        url: addresses.category(&categories[index].path, 1),
        children: nodes(shelves, below[index].clone()),
    };
    level.into_iter().map(node).collect()
}
