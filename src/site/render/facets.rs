//! Facets: the values of shelves that are cut by a facet, and of the search page.

use super::cards::Cards;
use super::{Printer, structured};
use crate::commerce::catalog::Category;
use crate::site::facets::FacetShelf;
use crate::site::plan::{Addresses, Page};
use crate::theme::view::{Card, CategoryView, ChosenFacet, FacetValueView, FacetView, Link, SearchView};

impl Printer<'_> {
    /// What a category can be cut by in a market; `chosen`: the value whose page it is.
    pub(super) fn facet_links(&self, market: usize, category: usize, chosen: Option<usize>) -> Vec<FacetView> {
        let path = &self.loaded.catalog.categories()[category].path;
        let mut facets: Vec<FacetView> = Vec::new();
        for (place, shelf) in self.plan.facet_shelves.of(category, market) {
            let facet = &self.settings.facets[shelf.facet];
            if facets.last().is_none_or(|last| last.name != facet.name) {
                facets.push(FacetView {
                    name: facet.name.clone(),
                    label: self.word(market, &facet.label).to_owned(),
                    values: Vec::new(),
                });
            }
            let value = FacetValueView {
                label: self.word(market, &shelf.value.label).to_owned(),
                url: self.with_addresses(market, |addresses| addresses.facet(path, &facet.name, &shelf.value.slug, 1)),
                total: shelf.products.len(),
                is_chosen: chosen == Some(place),
            };
            facets.last_mut().expect("one was pushed").values.push(value);
        }
        facets
    }

    /// A part of a shelf that is cut by a facet.
    pub(super) fn facet(&self, page: &Page, place: usize, number: usize, count: usize, cards: &mut Cards) -> CategoryView {
        let shelf: &FacetShelf = &self.plan.facet_shelves.all[place];
        let category: &Category = &self.loaded.catalog.categories()[shelf.category];
        let facet = &self.settings.facets[shelf.facet];
        let cards: Vec<Card> =
            self.shelf_part(&shelf.products, number).map(|product| self.card(page.market, *product, cards)).collect();
        let value = self.word(page.market, &shelf.value.label);
        let title = format!("{} – {value}", category.title_in(self.language(page.market)));
        let total = shelf.products.len();
        let description = format!("{title} – {}: {total}{}", self.shop.name, self.part(page.market, number));
        let image = cards.first().and_then(|card| card.image.clone());
        let mut head = self.head(page, &format!("{title}{}", self.part(page.market, number)), description, image.as_ref());
        if shelf.market.is_some() {
            // Bands are cut in each market's own currency: this page has no other versions.
            head.alternates.clear();
            head.editions.clear();
        }
        let prefix = self.addresses(page.market);
        let addresses = Addresses { prefix: &prefix };
        let url = |number| addresses.facet(&category.path, &facet.name, &shelf.value.slug, number);
        let mut breadcrumbs = self.ways[page.market].trail(shelf.category).to_vec();
        breadcrumbs.push(Link { title: value.to_owned(), url: url(1) });
        let base_url = &self.shop.base_url;
        let documents = [structured::item_list(&cards, base_url), structured::breadcrumbs(&breadcrumbs, base_url)];
        head.json_ld = documents.into_iter().flatten().collect();
        CategoryView {
            head,
            breadcrumbs,
            title,
            url: url(1),
            description_html: String::new(),
            path: category.path.to_string(),
            children: Vec::new(),
            facets: self.facet_links(page.market, shelf.category, Some(place)),
            facet: Some(ChosenFacet {
                name: facet.name.clone(),
                label: self.word(page.market, &facet.label).to_owned(),
                slug: shelf.value.slug.clone(),
                value: value.to_owned(),
                category_url: addresses.category(&category.path, 1),
            }),
            cards,
            total,
            number,
            count,
            previous_url: (number > 1).then(|| url(number - 1)),
            next_url: (number < count).then(|| url(number + 1)),
        }
    }

    pub(super) fn search(&self, page: &Page) -> SearchView {
        let title = self.sites[page.market].texts.plain("search.title").to_owned();
        let mut head = self.head(page, &title, String::new(), None);
        // A list that is different for everybody is nothing to index.
        head.index = false;
        head.canonical = None;
        SearchView { head, url: page.url.clone(), title }
    }
}
