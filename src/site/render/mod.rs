//! Render: page → bytes.
//!
//! Owns    the views of every page kind, Markdown, structured data, feeds and sitemaps.
//! Always  a page knows nothing global: no build time, no build id. Prices come from `Price::at`, as the cart's do.

pub mod cards;
mod expand;
mod facets;
pub mod feeds;
pub mod functions;
pub mod key;
mod markdown;
mod organization;
pub mod policy;
pub mod reads;
pub mod shortcode;
mod structured;
mod views;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tera::Value;

use self::cards::{Cards, Offer};
pub use self::expand::TextFaults;
use self::structured::absolute;
use super::assets::AssetSet;
use super::images::PREVIEW;
use super::load::translations::said;
use super::load::{Body, Loaded, ProductDetails};
use super::plan::{Addresses, Page, PageKind, Plan, prefix};
use super::related::Traits;
use super::{BuildSettings, Shop};
use crate::commerce::catalog::Catalog;
use crate::commerce::ids::{Sku, Timestamp};
use crate::commerce::rules::Rules;
use crate::theme::engine::{Engine, TemplateError, Values};
use crate::theme::filters::html_safe;
use crate::theme::texts::fill;
use crate::theme::view::{HeadView, Link, PictureView, SiteView};

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
    /// What each product is offered at, per market; same order as the catalogue's products.
    pub offers: Arc<Vec<Vec<Offer>>>,
    /// What products share; made when a first product has not enough others named.
    pub traits: OnceLock<Traits>,
}

/// Why a page could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// A template uses a value that is not there.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A text calls shortcodes wrongly.
    #[error("the shortcodes of {} cannot be printed", .0.source.file)]
    Text(Box<TextFaults>),
    /// What the page shows cannot be read back from where the build keeps it.
    #[error(transparent)]
    Read(#[from] std::io::Error),
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
    /// Titles of a category and those above it, the top one first.
    fn titles(&self, index: usize) -> impl Iterator<Item = &str> {
        // The first step is home.
        self.trails[index].iter().skip(1).map(|link| link.title.as_str())
    }

    /// Of one market.
    pub fn new(catalog: &Catalog, site: &SiteView) -> Self {
        let addresses = Addresses { prefix: &site.prefix };
        let categories = catalog.categories();
        let home = Link { title: site.texts.plain("frame.home").to_owned(), url: addresses.home() };
        let link = |index: usize| Link {
            title: categories[index].title_in(&site.language).to_owned(),
            url: addresses.category(&categories[index].path, 1),
        };
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
            indices.sort_by_key(|index| (categories[*index].order, categories[*index].title_in(&site.language)));
            indices.into_iter().map(link).collect()
        };
        Self { trails, children: below.into_iter().map(in_order).collect(), home }
    }

    /// The way to a category: home first.
    fn trail(&self, category: usize) -> &[Link] {
        &self.trails[category]
    }
}

impl Printer<'_> {
    /// Prints a page into an empty `bytes`; `cards` are those that were made for pages before. Gives the template it was printed with.
    pub fn print(&self, page: &Page, cards: &mut Cards, bytes: &mut Vec<u8>) -> Result<&'static str, PrintError> {
        let values = Values::new().with_value("site", self.site_values[page.market].clone());
        let (template, values) = match &page.kind {
            PageKind::Home => ("home.html", values.with("page", &self.home(page, cards)?)),
            PageKind::Product(index) => {
                let details = self.loaded.details(*index)?;
                ("product.html", values.with("page", &self.product(page, *index, details, cards)?))
            }
            PageKind::Category { index, number, count } => {
                ("category.html", values.with("page", &self.category(page, *index, *number, *count, cards)?))
            }
            PageKind::Facet { shelf, number, count } => {
                ("category.html", values.with("page", &self.facet(page, *shelf, *number, *count, cards)))
            }
            PageKind::Search => ("search.html", values.with("page", &self.search(page))),
            PageKind::Content(index) => ("page.html", values.with("page", &self.content(page, *index)?)),
            PageKind::NotFound => ("404.html", values.with("page", &self.not_found())),
            PageKind::Redirect { to } => {
                bytes.extend_from_slice(redirect_page(&absolute(&self.shop.base_url, to), &self.sites[page.market]).as_bytes());
                return Ok(REDIRECT);
            }
        };
        self.engine.render_into(template, values.context(), bytes)?;
        Ok(template)
    }

    fn addresses(&self, market: usize) -> String {
        prefix(self.rules, market)
    }

    fn language(&self, market: usize) -> &str {
        &self.rules.markets[market].language
    }

    /// A product's title in a market's language.
    fn title(&self, market: usize, index: usize) -> &str {
        self.loaded.catalog.products()[index].title_in(self.language(market))
    }

    /// A short text in a market's language.
    fn word<'w>(&'w self, market: usize, text: &'w str) -> &'w str {
        self.rules.words.say(self.language(market), text)
    }

    fn head(&self, page: &Page, title: &str, description: String, image: Option<&PictureView>) -> HeadView {
        let title = if title == self.shop.name { title.to_owned() } else { format!("{title} – {}", self.shop.name) };
        HeadView {
            title,
            description,
            canonical: Some(absolute(&self.shop.base_url, &page.url)),
            og_type: "website",
            image: image.map(|image| absolute(&self.shop.base_url, image.preview.as_ref().unwrap_or(&image.url))),
            image_size: image.and_then(|image| match image.preview {
                Some(_) => Some(PREVIEW),
                None => image.width.zip(image.height),
            }),
            image_alt: image.map_or_else(String::new, |image| image.alt.clone()),
            json_ld: Vec::new(),
            alternates: self.alternates(page),
            editions: self.editions(page),
            index: !self.settings.is_hidden,
        }
    }

    // Every market's version names itself and all others.
    fn alternates(&self, page: &Page) -> Vec<(String, String)> {
        let paths = self.editions(page);
        let address = |market: usize| absolute(&self.shop.base_url, &paths[market]);
        let mut alternates = Vec::new();
        for market in 0..paths.len() {
            alternates.extend(language_tags(self.rules, market).into_iter().map(|tag| (tag, address(market))));
        }
        if !paths.is_empty() {
            alternates.push(("x-default".to_owned(), address(0)));
        }
        alternates
    }

    fn editions(&self, page: &Page) -> Vec<String> {
        let markets = self.rules.markets.len();
        if markets < 2 {
            return Vec::new();
        }
        let rest = page.url.strip_prefix(self.addresses(page.market).as_str()).unwrap_or(&page.url);
        let path = |market: usize| match (self.addresses(market), rest) {
            (prefix, "" | "/") if !prefix.is_empty() => prefix,
            (_, "") => "/".to_owned(),
            (prefix, rest) => prefix + rest,
        };
        (0..markets).map(path).collect()
    }

    /// A product's text in a language without its shortcodes, as HTML: for descriptions.
    fn plain_body_in(&self, language: &str, details: &ProductDetails) -> String {
        let own = said(&details.translations, language, |one| one.body.as_deref());
        match (own, &details.body) {
            (Some(text), _) => expand::without_shortcodes(text),
            (None, Body::Markdown(text)) => expand::without_shortcodes(text),
            (None, Body::Html(html)) => html.clone(),
        }
    }

    fn with_addresses<T>(&self, market: usize, give: impl FnOnce(Addresses<'_>) -> T) -> T {
        let prefix = self.addresses(market);
        give(Addresses { prefix: &prefix })
    }
}

/// What stands for the template of pages that have none.
const REDIRECT: &str = "(redirect)";

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
fn redirect_page(to: &str, site: &SiteView) -> String {
    let to = html_safe(to);
    let (language, moved) = (&site.language, html_safe(site.texts.plain("frame.moved")));
    let mut told = String::new();
    let address = format!("<a href=\"{to}\">{to}</a>");
    fill(&html_safe(site.texts.plain("frame.moved_to")), &mut told, |_| Some(address.as_str().into()));
    format!(
        "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\"><title>{moved}</title><link rel=\"canonical\" href=\"{to}\">\
         <meta name=\"robots\" content=\"noindex\"><meta http-equiv=\"refresh\" content=\"0; url={to}\"></head>\
         <body><p>{told}</p></body></html>\n"
    )
}
