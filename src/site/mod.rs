//! Site: content → public/ and shop.bundle.
//!
//! Owns    the way of a page: `load` → `plan` → `render` → `write`; each phase is a value handed to the next.
//! Always  same input, same bytes, whatever the machine, thread count, folder order or clock; memory grows with the catalogue, not with
//!         the output: a printed page is written and dropped.

pub mod accessibility;
pub mod assets;
pub mod check;
pub mod diff;
pub mod facets;
#[cfg(feature = "faults")]
mod faults;
pub mod images;
pub mod import;
pub mod keys;
pub mod load;
pub mod makers;
pub mod manifest;
pub mod media;
pub mod plan;
pub mod precompress;
pub mod problem;
pub mod related;
pub mod render;
pub mod search;
pub mod serve;
pub mod translations;
pub mod write;

mod build;
mod costs;
mod disk;
mod draft;
mod lock;
mod navigation;
mod schedule;
mod sealed;
mod shown;
mod stopwatch;

pub use self::build::{BuildError, Built, Order, PageFaults, Step, build};
pub use self::costs::TemplateCost;
pub use self::lock::Busy;
pub use self::shown::{CARD_WIDTH, Shown, final_image};
pub use self::stopwatch::Phase;

/// How pages become files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlStyle {
    /// `products/SLUG.html`: half the cost, and what most hosts serve without its ending.
    #[default]
    Flat,
    /// `products/SLUG/index.html`, for hosts that need it.
    Folder,
}

/// `[build]` of site.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// Products on a category's page. Default 24.
    pub page_size: usize,
    /// How pages become files. Default flat.
    pub url_style: UrlStyle,
    /// Products in the Atom feed. Default 50.
    pub feed_size: usize,
    /// Reduced products on the home page. Default 8.
    pub reduced_on_home: usize,
    /// What shelves are cut by, in the order to show. Default none.
    pub facets: Vec<facets::Facet>,
    /// Pages that facets may make in all markets. Default 5,000: more are more than crawlers care for.
    pub max_facet_pages: usize,
    /// Whether there is a search page with its index. Default yes.
    pub search: bool,
    /// How many pages in a hundred tell how they were, as a decimal; empty: none does. Default 100.
    pub beacon: String,
    /// How pictures are made (`[images]` of site.toml).
    pub images: images::ImageSettings,
    /// Who makes what is sold (`[[makers]]` of site.toml).
    pub makers: Vec<crate::theme::view::Maker>,
    /// Whether each market has a product feed for Google Merchant Center (`[feeds]` of site.toml). Default no.
    pub google_feed: bool,
    /// Whether crawlers are asked to keep away (`vitrine build --noindex`). Default no.
    pub is_hidden: bool,
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self {
            page_size: 24,
            url_style: UrlStyle::Flat,
            feed_size: 50,
            reduced_on_home: 8,
            facets: Vec::new(),
            max_facet_pages: 5000,
            search: true,
            beacon: "100".to_owned(),
            images: images::ImageSettings::default(),
            makers: Vec::new(),
            google_feed: false,
            is_hidden: false,
        }
    }
}

/// What the shop says of itself (`[shop]` of site.toml).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shop {
    /// Key of bundles and tokens.
    pub id: String,
    /// What people read.
    pub name: String,
    /// One line.
    pub tagline: String,
    /// Origin without a trailing slash.
    pub base_url: String,
    /// Address of people who answer.
    pub email: String,
    /// Before every order number.
    pub order_prefix: String,
    /// Postal address, one line each.
    pub address: Vec<String>,
    /// What may come back; `None`: it is not said to machines.
    pub returns: Option<Returns>,
}

/// `[returns]` of site.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returns {
    /// Days from the parcel's arrival; 0: nothing comes back.
    pub days: u16,
    /// Whether the shop pays the parcel back.
    pub is_free: bool,
}
