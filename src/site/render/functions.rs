//! Functions: what templates and shortcodes can ask for beside their own page: `data`, `image`, `product`, `products`,
//! `category`.
//!
//! Owns    what each gives, and its mistakes.
//! Always  whatever is given is noted with the page (`reads`), so that the page is stale when it changes.
//! Limits  `products()` gives LISTED_MAX cards at most: a page with more is no page.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use tera::{Error, Kwargs, TeraResult, Value};

use super::cards::{Offer, card_view};
use super::reads::{self, Read};
use crate::commerce::catalog::{Catalog, Category, Image};
use crate::commerce::ids::CategoryPath;
use crate::site::assets::{AssetSet, NOTHING};
use crate::site::load::data::DataFiles;
use crate::site::load::is_remote;
use crate::site::plan::{Addresses, Plan};
use crate::site::problem::nearest;
use crate::site::{Shown, final_image};
use crate::theme::engine::Engine;
use crate::theme::view::{CardView, Link, PictureView};

/// Cards that one call gives: their values take some 20 MiB, and a page that shows them all is already of several megabytes.
pub const LISTED_MAX: usize = 10_000;

/// What functions answer from. Shared with the templates, which live as long as they like.
#[derive(Debug)]
pub struct Desk {
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// What is shown, and where.
    pub plan: Arc<Plan>,
    /// Files and picture sizes.
    pub assets: Arc<AssetSet>,
    /// What each product is offered at, per market.
    pub offers: Arc<Vec<Vec<Offer>>>,
    /// Path prefix of each market.
    pub prefixes: Vec<String>,
    /// Language of each market.
    pub languages: Vec<String>,
    /// Files of content/data.
    pub data: Arc<DataFiles>,
    /// All cards of each market, made when they are first asked for.
    pub whole: Vec<OnceLock<Value>>,
}

/// `category(path=…)` in templates.
#[derive(Serialize)]
struct CategoryValue {
    title: String,
    path: String,
    url: String,
    total: usize,
    children: Vec<Link>,
}

/// Makes the functions known. What they answer from is put there once it is known, before the first page.
pub fn register(engine: &mut Engine, desk: &Arc<OnceLock<Desk>>) {
    let mut add = |name, call: fn(&Desk, usize, &Kwargs) -> TeraResult<Value>| {
        let desk = Arc::clone(desk);
        engine.register(name, move |kwargs| match (desk.get(), reads::market()) {
            (Some(desk), Some(market)) => call(desk, market, kwargs),
            _ => Err(Error::message(format!("`{name}()` can be called while a page is printed only"))),
        });
    };
    add("data", |desk, _, kwargs| desk.data(kwargs.must_get("path")?));
    add("image", |desk, _, kwargs| desk.image(kwargs.must_get("path")?));
    add("product", |desk, market, kwargs| desk.product(market, kwargs.must_get("slug")?));
    add("products", |desk, market, kwargs| desk.products(market, kwargs.get("category")?, kwargs.get("limit")?));
    add("category", |desk, market, kwargs| desk.category(market, kwargs.must_get("path")?));
}

impl Desk {
    fn data(&self, path: &str) -> TeraResult<Value> {
        let value = self.data.get(path).map_err(Error::message)?;
        reads::note(Read::Data(path.to_owned()), value.as_array().map_or(1, <[Value]>::len));
        Ok(value.clone())
    }

    // A picture of static/ with its final address and its size, which every page's key begins with anyway.
    fn image(&self, path: &str) -> TeraResult<Value> {
        let image = Image { url: path.to_owned(), alt: String::new(), width: None, height: None };
        if !is_remote(path) && self.assets.find(path.trim_start_matches('/')).is_none() {
            let known = self.assets.files.iter().map(|file| file.name.as_str());
            return Err(missing("file in static/ called", path, nearest(path, known)));
        }
        // What cannot be read stands there as its text: the text names it, and the page is wanted all the same.
        let nothing = || PictureView { url: NOTHING.to_owned(), ..PictureView::default() };
        Ok(Value::from_serializable(&final_image(&self.assets, &image, Shown::Page).unwrap_or_else(nothing)))
    }

    // `none` where the product is not shown now: what names it stands longer than it is sold.
    fn product(&self, market: usize, slug: &str) -> TeraResult<Value> {
        let products = self.catalog.products();
        let Some(index) = product_index(&self.catalog, slug) else {
            let near = nearest(slug, products.iter().map(|product| product.slug.as_str()));
            return Err(missing("product", slug, near));
        };
        reads::note(Read::Product(slug.to_owned()), 1);
        Ok(if self.plan.shown[index] { Value::from_serializable(&self.card(market, index)) } else { Value::none() })
    }

    fn products(&self, market: usize, category: Option<&str>, limit: Option<usize>) -> TeraResult<Value> {
        let value = match (category, limit) {
            (None, None) => self.whole(market)?,
            (None, Some(_)) => {
                let count = listed(shown(&self.plan).count(), limit)?;
                self.cards(market, shown(&self.plan).take(count))
            }
            (Some(path), _) => {
                let shelf = &self.plan.shelves[self.category_index(path)?];
                self.cards(market, shelf.iter().copied().take(listed(shelf.len(), limit)?))
            }
        };
        reads::note(Read::Products { category: category.map(str::to_owned), limit }, value.len().unwrap_or(0));
        Ok(value)
    }

    fn category(&self, market: usize, path: &str) -> TeraResult<Value> {
        let index = self.category_index(path)?;
        let categories = self.catalog.categories();
        let addresses = Addresses { prefix: &self.prefixes[market] };
        let is_below = |below: &&Category| below.path.parent().as_ref() == Some(&categories[index].path);
        let mut below: Vec<_> = categories.iter().filter(is_below).collect();
        let language = &self.languages[market];
        below.sort_by_key(|category| (category.order, category.title_in(language)));
        let link = |category: &Category| Link {
            title: category.title_in(language).to_owned(),
            url: addresses.category(&category.path, 1),
        };
        let value = CategoryValue {
            title: categories[index].title_in(language).to_owned(),
            path: path.to_owned(),
            url: addresses.category(&categories[index].path, 1),
            total: self.plan.shelves[index].len(),
            children: below.into_iter().map(link).collect(),
        };
        reads::note(Read::Category(path.to_owned()), 1);
        Ok(Value::from_serializable(&value))
    }

    fn whole(&self, market: usize) -> TeraResult<Value> {
        if let Some(value) = self.whole[market].get() {
            return Ok(value.clone());
        }
        listed(shown(&self.plan).count(), None)?;
        Ok(self.whole[market].get_or_init(|| self.cards(market, shown(&self.plan))).clone())
    }

    fn cards(&self, market: usize, products: impl Iterator<Item = usize>) -> Value {
        Value::from(products.map(|index| Value::from_serializable(&self.card(market, index))).collect::<Vec<Value>>())
    }

    fn card(&self, market: usize, index: usize) -> CardView {
        let addresses = Addresses { prefix: &self.prefixes[market] };
        card_view(&self.catalog.products()[index], &self.offers[market][index], &self.assets, addresses, &self.languages[market])
    }

    fn category_index(&self, path: &str) -> TeraResult<usize> {
        self.catalog.category_index(&CategoryPath::from(path.to_owned())).ok_or_else(|| {
            let near = nearest(path, self.catalog.categories().iter().map(|category| category.path.as_str()));
            missing("category", path, near)
        })
    }
}

/// The place of a product in a catalogue, whose products are sorted by their slugs.
pub(super) fn product_index(catalog: &Catalog, slug: &str) -> Option<usize> {
    catalog.products().binary_search_by(|product| product.slug.as_str().cmp(slug)).ok()
}

/// The products that are shown, in the order of the catalogue.
pub(super) fn shown(plan: &Plan) -> impl Iterator<Item = usize> {
    plan.shown.iter().enumerate().filter(|(_, is_shown)| **is_shown).map(|(index, _)| index)
}

fn missing(what: &str, name: &str, near: Option<&str>) -> Error {
    let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    Error::message(format!("there is no {what} `{name}`{near}"))
}

// How many of `count` products are given.
fn listed(count: usize, limit: Option<usize>) -> TeraResult<usize> {
    let wanted = limit.map_or(count, |limit| limit.min(count));
    if wanted > LISTED_MAX {
        return Err(Error::message(format!(
            "`products()` gives {LISTED_MAX} products at most, and these are {count}: say `category=\"…\"` or `limit=24`"
        )));
    }
    Ok(wanted)
}
