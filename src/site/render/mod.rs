//! Render: page → bytes.
//!
//! Owns    the views of every page kind, Markdown, structured data, feeds and sitemaps.
//! Always  a page knows nothing global: no build time, no build id. Prices come from `Price::at`, as the cart's do.

pub mod feeds;
mod markdown;
mod structured;
mod views;

use std::collections::{BTreeMap, HashMap};

use tera::Value;

use self::structured::absolute;
use super::assets::AssetSet;
use super::keys::{Key, Keys};
use super::load::{Body, Loaded};
use super::plan::{Addresses, Page, PageKind, Plan, prefix};
use super::{BuildSettings, Shop};
use crate::commerce::catalog::{Catalog, Image};
use crate::commerce::ids::{Sku, Timestamp};
use crate::commerce::rules::Rules;
use crate::theme::engine::{Engine, TemplateError, Values};
use crate::theme::filters::html_safe;
use crate::theme::view::{CategoryView, HeadView, Link, ProductView, SiteView};

/// What all pages are printed from. Shared by all threads.
#[derive(Debug)]
pub struct Printer<'a> {
    /// The shop's own facts.
    pub shop: &'a Shop,
    /// Markets and taxes.
    pub rules: &'a Rules,
    /// Catalogue and texts.
    pub loaded: &'a Loaded,
    /// Which pages there are.
    pub plan: &'a Plan,
    /// Page sizes and the like.
    pub settings: &'a BuildSettings,
    /// Files and picture sizes.
    pub assets: &'a AssetSet,
    /// Templates.
    pub engine: &'a Engine,
    /// `site` of each market.
    pub sites: &'a [SiteView],
    /// The same, ready for templates.
    pub site_values: &'a [Value],
    /// Units in stock by a snapshot; a SKU it does not name has its opening stock.
    pub stock: &'a BTreeMap<Sku, u32>,
    /// Decides which sale prices hold; never printed.
    pub at: Timestamp,
    /// Links between categories, per market.
    pub ways: Vec<Ways>,
    /// Places of products in the catalogue by slug: every page looks up the products that go with it.
    pub slugs: HashMap<&'a str, usize>,
}

/// A page's view without its texts and structured data.
#[derive(Debug)]
pub enum Facts {
    /// Of a product.
    Product(Box<ProductView>),
    /// Of a part of a category.
    Category(Box<CategoryView>),
    /// Of a page that is always printed.
    Other,
}

/// How the categories of a market lead to each other: made once, read by every page. Same order as the catalogue's categories.
#[derive(Debug)]
pub struct Ways {
    /// Home first, the category last.
    trails: Vec<Vec<Link>>,
    /// Categories one level below, in the order to show.
    children: Vec<Vec<Link>>,
    /// The way home.
    home: Link,
}

impl Ways {
    /// Of one market.
    pub fn new(catalog: &Catalog, addresses: Addresses<'_>) -> Self {
        let categories = catalog.categories();
        let home = Link { title: "Home".to_owned(), url: addresses.home() };
        let link =
            |index: usize| Link { title: categories[index].title.clone(), url: addresses.category(&categories[index].path, 1) };
        let mut trails: Vec<Vec<Link>> = Vec::with_capacity(categories.len());
        let mut below: Vec<Vec<usize>> = vec![Vec::new(); categories.len()];
        for (index, category) in categories.iter().enumerate() {
            // Sorted by path, so that a parent comes before what lies in it.
            let parent = category.path.parent().and_then(|path| catalog.category_index(&path));
            let mut trail = parent.map_or_else(|| vec![home.clone()], |parent| trails[parent].clone());
            trail.push(link(index));
            trails.push(trail);
            if let Some(parent) = parent {
                below[parent].push(index);
            }
        }
        let in_order = |mut indices: Vec<usize>| -> Vec<Link> {
            indices.sort_by_key(|index| (categories[*index].order, &categories[*index].title));
            indices.into_iter().map(link).collect()
        };
        Self { trails, children: below.into_iter().map(in_order).collect(), home }
    }
}

impl Printer<'_> {
    /// What a page is printed from, before its texts are made: enough for its key.
    pub fn facts(&self, page: &Page) -> Facts {
        match &page.kind {
            PageKind::Product(index) => Facts::Product(Box::new(self.product_facts(page, *index))),
            PageKind::Category { index, number, count } => {
                Facts::Category(Box::new(self.category_facts(page, *index, *number, *count)))
            }
            _ => Facts::Other,
        }
    }

    /// The key of a page; `None` for the few that are always printed.
    pub fn key(&self, page: &Page, facts: &Facts, keys: &Keys) -> Option<Key> {
        match (&page.kind, facts) {
            (PageKind::Product(index), Facts::Product(view)) => {
                let text = match &self.loaded.products[*index].body {
                    Body::Markdown(text) | Body::Html(text) => text,
                };
                Some(keys.of("product.html", view, text))
            }
            (PageKind::Category { index, .. }, Facts::Category(view)) => {
                Some(keys.of("category.html", view, &self.loaded.categories[*index].body_markdown))
            }
            _ => None,
        }
    }

    /// Prints a page.
    ///
    /// Errors: a template uses a value that is not there.
    pub fn print(&self, page: &Page, facts: Facts) -> Result<String, TemplateError> {
        let values = Values::new().with_value("site", self.site_values[page.market].clone());
        let (template, values) = match (&page.kind, facts) {
            (PageKind::Home, _) => ("home.html", values.with("page", &self.home(page))),
            (PageKind::Product(index), Facts::Product(view)) => {
                ("product.html", values.with("page", &self.product(*index, *view)))
            }
            (PageKind::Category { index, .. }, Facts::Category(view)) => {
                ("category.html", values.with("page", &self.category(*index, *view)))
            }
            (PageKind::Content(index), _) => ("page.html", values.with("page", &self.content(page, *index))),
            (PageKind::NotFound, _) => ("404.html", values.with("page", &self.not_found())),
            (PageKind::Redirect { to }, _) => return Ok(redirect_page(&absolute(&self.shop.base_url, to))),
            (PageKind::Product(_) | PageKind::Category { .. }, _) => {
                let facts = self.facts(page);
                return self.print(page, facts);
            }
        };
        self.engine.render(template, values.context())
    }

    fn addresses(&self, market: usize) -> String {
        prefix(self.rules, market)
    }

    fn head(&self, page: &Page, title: &str, description: String, image: Option<&Image>) -> HeadView {
        let title = if title == self.shop.name { title.to_owned() } else { format!("{title} – {}", self.shop.name) };
        HeadView {
            title,
            description,
            canonical: Some(absolute(&self.shop.base_url, &page.url)),
            og_type: "website",
            image: image.map(|image| absolute(&self.shop.base_url, &image.url)),
            json_ld: Vec::new(),
            alternates: self.alternates(page),
            index: true,
        }
    }

    // Every market's version names itself and all others.
    fn alternates(&self, page: &Page) -> Vec<(String, String)> {
        if self.rules.markets.len() < 2 {
            return Vec::new();
        }
        let own = self.addresses(page.market);
        let rest = page.url.strip_prefix(own.as_str()).unwrap_or(&page.url);
        let address = |market: usize| {
            let prefix = self.addresses(market);
            let path = if rest == "/" && !prefix.is_empty() { prefix } else { format!("{prefix}{rest}") };
            absolute(&self.shop.base_url, if path.is_empty() { "/" } else { &path })
        };
        let mut alternates = Vec::new();
        for market in 0..self.rules.markets.len() {
            alternates.extend(language_tags(self.rules, market).into_iter().map(|tag| (tag, address(market))));
        }
        alternates.push(("x-default".to_owned(), address(0)));
        alternates
    }

    fn body(&self, body: &Body) -> String {
        match body {
            Body::Markdown(text) => markdown::to_html(text),
            Body::Html(html) => html.clone(),
        }
    }

    fn with_addresses<T>(&self, market: usize, give: impl FnOnce(Addresses<'_>) -> T) -> T {
        let prefix = self.addresses(market);
        give(Addresses { prefix: &prefix })
    }
}

// One tag twice is one that crawlers ignore: markets that share a language are told apart by each of their countries.
fn language_tags(rules: &Rules, market: usize) -> Vec<String> {
    let market = &rules.markets[market];
    if rules.markets.iter().filter(|other| other.language == market.language).count() < 2 {
        return vec![market.language.clone()];
    }
    let language = market.language.split('-').next().unwrap_or("");
    market.countries.iter().map(|country| format!("{language}-{country}")).collect()
}

// For hosts that know no 301: browsers and crawlers follow this, people can click.
fn redirect_page(to: &str) -> String {
    let to = html_safe(to);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Moved</title><link rel=\"canonical\" href=\"{to}\">\
         <meta name=\"robots\" content=\"noindex\"><meta http-equiv=\"refresh\" content=\"0; url={to}\"></head>\
         <body><p>This page has moved: <a href=\"{to}\">{to}</a></p></body></html>\n"
    )
}
