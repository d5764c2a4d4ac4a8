//! View: the values a static page is printed from. Templates get `site` and one of these as `page`.
//!
//! Always  plain data, ready to print: money as `{amount, currency}` (the `money` filter prints it), addresses ready for `href`.
//! The edge's pages are printed from the same objects as its JSON answers: see `edge::reply`.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use smol_str::SmolStr;
use tera::Value;

use super::locale;
use super::look::Look;
use super::texts::{Say, Texts};
use crate::commerce::catalog::{ProductOption, PropertyRule, QuantityRule, StockPolicy};
use crate::commerce::ids::Sku;
use crate::commerce::measure::{Content, Measure, PerMeasure};
use crate::commerce::money::Money;
use crate::commerce::tax::TaxMode;

/// What every page knows of the shop in one market: `site` in templates. Nothing in it changes with a build's time or id.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct SiteView {
    /// The shop's name.
    pub name: String,
    /// One line about it.
    pub tagline: String,
    /// Origin without a trailing slash.
    pub base_url: String,
    /// Address of people who answer.
    pub email: String,
    /// The market's name in forms.
    pub market: String,
    /// The market's path prefix with a leading slash; empty at the root.
    pub prefix: String,
    /// BCP 47.
    pub language: String,
    /// `ltr` or `rtl`: which way the language is written.
    pub direction: String,
    /// Every market of the shop, this one among them, in the order of site.toml; empty with one.
    #[serde(default)]
    pub editions: Vec<Edition>,
    /// The language with its country, as Open Graph writes it: `de_AT`.
    pub locale: String,
    /// ISO 4217.
    pub currency: String,
    /// Whether prices contain tax.
    pub tax_mode: TaxMode,
    /// Countries of the market: code and name, in the order to show.
    pub countries: Vec<Country>,
    /// Top categories with their children.
    pub navigation: Vec<NavigationNode>,
    /// Content pages for the foot of the page, in their order.
    pub footer: Vec<Link>,
    /// The pages that the law wants near the pay button.
    pub legal: Vec<Link>,
    /// Whether the consumer law of the European Economic Area holds here.
    #[serde(default)]
    pub eu_law: bool,
    /// Days within which a customer may withdraw; 0: no law gives that right here.
    #[serde(default)]
    pub withdrawal_days: u16,
    /// Whether there is a search page, at `PREFIX/search`.
    #[serde(default)]
    pub search: bool,
    /// How many pages in a hundred tell how they were, as a decimal; empty: none does.
    #[serde(default)]
    pub beacon: String,
    /// What the theme says in the market's language, by group and key.
    pub texts: Texts,
    /// How pages look: `[theme]` of site.toml.
    pub theme: Look,
}

/// A market as somebody chooses it.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Edition {
    /// The market's name.
    pub name: String,
    /// BCP 47.
    pub language: String,
    /// What speakers call the language.
    pub language_name: String,
    /// Path of its home page.
    pub home: String,
    /// Whether this is the market that is looked at.
    pub is_here: bool,
}

/// A country in a list.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: String,
    /// Its name in the market's language.
    pub name: String,
    /// Whether its addresses name a state, province or prefecture.
    pub uses_region: bool,
    /// Whether its addresses have a postal code.
    pub uses_postal_code: bool,
}

/// A word with an address.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
pub struct Link {
    /// What people read.
    pub title: String,
    /// Path from the root, market prefix included.
    pub url: String,
}

/// A category in the navigation.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct NavigationNode {
    /// What people read.
    pub title: String,
    /// Path from the root.
    pub url: String,
    /// Categories one level below.
    pub children: Vec<NavigationNode>,
}

/// What the head of a page says to machines.
#[derive(Clone, Debug, Serialize)]
pub struct HeadView {
    /// Title element, shop name included.
    pub title: String,
    /// Meta description, plain text.
    pub description: String,
    /// Absolute; `None` on pages that are not to be indexed.
    pub canonical: Option<String>,
    /// `website`, `product` or `article`.
    pub og_type: &'static str,
    /// Absolute address of the preview picture.
    pub image: Option<String>,
    /// Its pixels, where they are known.
    pub image_size: Option<(u32, u32)>,
    /// Text for those who do not see it.
    pub image_alt: String,
    /// JSON-LD documents, already escaped for a script element.
    pub json_ld: Vec<String>,
    /// (language tag, absolute URL) of this page in every market, itself included; empty with one market.
    pub alternates: Vec<(String, String)>,
    /// Path of this page in every market, in the order of `site.editions`; empty where it stands in one alone.
    pub editions: Vec<String>,
    /// Whether robots may index it.
    pub index: bool,
}

/// Whether something can be bought, as a page says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// There is some.
    InStock,
    /// There is little (at most `LOW_STOCK` units).
    LowStock,
    /// None there, but orders are taken.
    Backorder,
    /// None.
    SoldOut,
    /// It has no price in this market.
    NotForSale,
}

impl Availability {
    /// What a variant that has a price is, with so many units to be had.
    pub fn of(policy: StockPolicy, available: u32) -> Self {
        match (policy, available) {
            (StockPolicy::Untracked, _) => Self::InStock,
            (StockPolicy::Deny, 0) => Self::SoldOut,
            (StockPolicy::Backorder, 0) => Self::Backorder,
            (_, ..=LOW_STOCK) => Self::LowStock,
            _ => Self::InStock,
        }
    }

    /// Lower is better: the best of a product's variants is what its card says.
    pub fn rank(self) -> u8 {
        match self {
            Self::InStock => 0,
            Self::LowStock => 1,
            Self::Backorder => 2,
            Self::SoldOut => 3,
            Self::NotForSale => 4,
        }
    }
}

/// At most this many units are told as "only a few left".
pub const LOW_STOCK: u32 = 5;

/// A picture as a page offers it. A browser takes of its set the file that fits; one that knows of no sets takes `url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PictureView {
    /// Path from the root or absolute URL.
    pub url: String,
    /// Text for those who do not see it.
    pub alt: String,
    /// Pixels of the file at `url`, where known: only their ratio counts for the page.
    pub width: Option<u32>,
    /// The same.
    pub height: Option<u32>,
    /// `srcset` of its files in WebP; empty where it has no set.
    pub webp: String,
    /// `srcset` of its files in JPEG or PNG; empty where it has no set.
    pub srcset: String,
    /// `#rrggbb`, to be shown until it is there; `None`: it has no set, or can be seen through.
    pub color: Option<String>,
    /// Path of its file for where a link is shared, 1200 × 630; `None`: it has none.
    #[serde(skip)]
    pub preview: Option<String>,
}

/// A product on a grid.
#[derive(Clone, Debug, Serialize)]
pub struct CardView {
    /// Path from the root.
    pub url: String,
    /// Product title.
    pub title: String,
    /// Maker.
    pub brand: Option<SmolStr>,
    /// First picture.
    pub image: Option<PictureView>,
    /// Lowest price of its variants; `None`: not for sale here.
    pub price: Option<Money>,
    /// Whether variants differ in price (print "from").
    pub price_varies: bool,
    /// Struck-out price of the variant whose price is shown.
    pub compare_at: Option<Money>,
    /// Whether it is the lowest of the thirty days before the reduction.
    pub is_lowest: bool,
    /// What one measure costs at the price that is shown; `None`: its content is not known.
    pub per_measure: Option<PerMeasureView>,
    /// The sale that makes the price that is shown; `None`: it makes none, or does not end.
    pub sale: Option<CardSaleView>,
    /// Best of its variants.
    pub availability: Availability,
    /// How many variants it has.
    pub variant_count: usize,
}

/// The end of the sale that a card shows, and what the card shows from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CardSaleView {
    /// Last day (RFC 3339 date, by the clock that the merchant wrote the end by) of the price that is shown.
    pub until: String,
    /// Instant (RFC 3339) from which the fields below hold instead.
    pub ends_at: String,
    /// Lowest price after the sale.
    pub price_after: Money,
    /// Whether variants differ in price then.
    pub price_after_varies: bool,
    /// Struck-out price after the sale.
    pub compare_at_after: Option<Money>,
    /// Whether that is the lowest of the thirty days before its reduction.
    pub is_lowest_after: bool,
    /// What one measure costs after the sale.
    pub per_measure_after: Option<PerMeasureView>,
}

/// A card that many pages show: its value for templates is made once and shared.
#[derive(Clone, Debug)]
pub struct Card(Arc<(CardView, Value)>);

impl Card {
    /// Of a view.
    pub fn new(view: CardView) -> Self {
        let value = Value::from_serializable(&view);
        Self(Arc::new((view, value)))
    }
}

impl Deref for Card {
    type Target = CardView;

    fn deref(&self) -> &CardView {
        &self.0.0
    }
}

impl Serialize for Card {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.1.serialize(serializer)
    }
}

/// So much of something, as people write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct MeasureView {
    /// Such as `0.75`, with the language's decimal sign.
    pub number: String,
    /// Whole units, for the plural of what is counted.
    pub count: u64,
    /// Such as `kg`; `piece` is said in words.
    pub sign: String,
}

impl MeasureView {
    /// As a language writes it.
    pub fn new(measure: Measure, language: &str) -> Self {
        let number = locale::decimal(&measure.number(), language);
        Self { number, count: measure.thousandths / 1_000, sign: measure.unit.sign().to_owned() }
    }

    // As the part `measure` of the theme prints it.
    fn said(&self) -> Say {
        match (self.sign.as_str(), self.number.as_str()) {
            ("piece", "1") => Say::of("measure.piece"),
            ("piece", _) => Say::of("measure.pieces").counting(self.count),
            (sign, "1") => Say::to_programs(sign),
            (sign, number) => Say::to_programs(format!("{number} {sign}")),
        }
    }
}

/// What one measure of something costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct PerMeasureView {
    /// The price of it.
    pub price: Money,
    /// The measure.
    pub base: MeasureView,
}

impl PerMeasureView {
    /// As a language writes it.
    pub fn new(per: PerMeasure, language: &str) -> Self {
        Self { price: per.price, base: MeasureView::new(per.base, language) }
    }

    /// Such as `€26.53 / l`: what the part `per_measure` of the theme prints, for scripts.
    pub fn text(&self, site: &SiteView) -> String {
        Say::of("measure.per").with_money("price", self.price).with_text("measure", self.base.said()).text(site)
    }
}

/// Somebody who can be written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Party {
    /// What people read.
    pub name: String,
    /// Postal address, one line each.
    pub address: Vec<String>,
    /// An e-mail address, or the address of a page.
    pub contact: String,
}

/// Who makes products (`[[makers]]` of site.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Maker {
    /// Products with this brand, or with `maker` of this name, are theirs.
    #[serde(flatten)]
    pub party: Party,
    /// Who answers for them in the European Union, where they are not in it.
    pub responsible: Option<Party>,
}

/// `page` in product.html.
#[derive(Clone, Debug, Serialize)]
pub struct ProductView {
    /// The head.
    pub head: HeadView,
    /// Home first, the product last.
    pub breadcrumbs: Vec<Link>,
    /// Last part of the address.
    pub slug: String,
    /// Path from the root.
    pub url: String,
    /// Plain text.
    pub title: String,
    /// Maker.
    pub brand: Option<SmolStr>,
    /// The body as safe HTML.
    pub description_html: String,
    /// All pictures.
    pub images: Vec<PictureView>,
    /// Axes of choice.
    pub options: Vec<ProductOption>,
    /// All variants, in their order.
    pub variants: Vec<VariantView>,
    /// Lowest price; `None`: not for sale here.
    pub price: Option<Money>,
    /// Whether variants differ in price.
    pub price_varies: bool,
    /// Whether some variant is reduced, and each struck-out price is the lowest of the thirty days before.
    pub is_lowest: bool,
    /// Whether variants differ in what one measure costs.
    pub per_measure_varies: bool,
    /// Best of its variants.
    pub availability: Availability,
    /// Quantities a line may hold.
    pub quantity: QuantityRule,
    /// Texts the shopper writes.
    pub properties: Vec<PropertyRule>,
    /// (name, value) rows.
    pub attributes: Vec<(String, String)>,
    /// Who made it; `None`: it is not said.
    pub maker: Option<Maker>,
    /// What to take care of.
    pub warnings: Vec<String>,
    /// Years that its maker promises it to last.
    pub guarantee_years: Option<u8>,
    /// Words.
    pub tags: Vec<String>,
    /// Products that go with it.
    pub related: Vec<Card>,
    /// Percent-free tax hint: the name of the tax at the market's first country, such as `VAT`.
    pub tax_name: String,
}

/// A variant on its product's page.
#[derive(Clone, Debug, Serialize)]
pub struct VariantView {
    /// Its code: value of the form field `sku`.
    pub sku: Sku,
    /// `Large / Blue`; empty for an only variant.
    pub title: String,
    /// One per option.
    pub option_values: Vec<String>,
    /// Price now; `None`: not for sale here.
    pub price: Option<Money>,
    /// Struck-out price.
    pub compare_at: Option<Money>,
    /// Last day (RFC 3339 date, by the clock that the merchant wrote the end by) of a sale price.
    pub sale_until: Option<String>,
    /// Instant (RFC 3339) from which `price_after` holds instead of a sale price.
    pub sale_ends_at: Option<String>,
    /// Price after the sale.
    pub price_after: Option<Money>,
    /// Struck-out price after the sale.
    pub compare_at_after: Option<Money>,
    /// Whether it can be bought.
    pub availability: Availability,
    /// Its own picture.
    pub image: Option<PictureView>,
    /// GTIN / EAN / UPC digits.
    pub gtin: Option<String>,
    /// How much is in it.
    pub content: Option<MeasureView>,
    /// What one measure of it costs.
    pub per_measure: Option<PerMeasureView>,
    /// The same after the sale.
    pub per_measure_after: Option<PerMeasureView>,
    /// The same for machines.
    #[serde(skip)]
    pub measured: Option<Content>,
}

/// `page` in category.html: a category, or a category cut by a facet.
#[derive(Clone, Debug, Serialize)]
pub struct CategoryView {
    /// The head.
    pub head: HeadView,
    /// Home first, the category last.
    pub breadcrumbs: Vec<Link>,
    /// Plain text.
    pub title: String,
    /// Path of its first page.
    pub url: String,
    /// Body as safe HTML; only on page 1.
    pub description_html: String,
    /// Its path without address and prefix, such as `light/lamps`.
    pub path: String,
    /// Categories below.
    pub children: Vec<Link>,
    /// What the shelf can be cut by; each value is a page.
    pub facets: Vec<FacetView>,
    /// What this page's products have in common; `None`: it is the category itself.
    pub facet: Option<ChosenFacet>,
    /// Products of this page.
    pub cards: Vec<Card>,
    /// Products in all.
    pub total: usize,
    /// This page, from 1.
    pub number: usize,
    /// How many pages there are.
    pub count: usize,
    /// The page before.
    pub previous_url: Option<String>,
    /// The page after.
    pub next_url: Option<String>,
}

/// A facet on a category's page.
#[derive(Clone, Debug, Serialize)]
pub struct FacetView {
    /// Its word in addresses.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Values that have a page.
    pub values: Vec<FacetValueView>,
}

/// A value of a facet with its page.
#[derive(Clone, Debug, Serialize)]
pub struct FacetValueView {
    /// What people read.
    pub label: String,
    /// Path from the root.
    pub url: String,
    /// Products that bear it.
    pub total: usize,
    /// Whether it is the page's own.
    pub is_chosen: bool,
}

/// The facet that a page's shelf is cut by.
#[derive(Clone, Debug, Serialize)]
pub struct ChosenFacet {
    /// The facet's word in addresses.
    pub name: String,
    /// The facet's name for people.
    pub label: String,
    /// The value's word in addresses.
    pub slug: String,
    /// The value for people.
    pub value: String,
    /// The whole category.
    pub category_url: String,
}

/// `page` in search.html.
#[derive(Clone, Debug, Serialize)]
pub struct SearchView {
    /// The head.
    pub head: HeadView,
    /// Path from the root.
    pub url: String,
    /// Plain text.
    pub title: String,
}

/// `page` in home.html.
#[derive(Clone, Debug, Serialize)]
pub struct HomeView {
    /// The head.
    pub head: HeadView,
    /// Path from the root.
    pub url: String,
    /// content/pages/index.md's body as safe HTML, or empty.
    pub body_html: String,
    /// content/pages/index.md's front matter `extra` table, for the hero's texts and pictures.
    pub extra: serde_json::Value,
    /// Products tagged `featured`, else the first ones.
    pub featured: Vec<Card>,
    /// Products at a reduced price.
    pub reduced: Vec<Card>,
    /// Top categories with a picture each (the first product's).
    pub categories: Vec<CategoryCard>,
}

/// A category on the home page.
#[derive(Clone, Debug, Serialize)]
pub struct CategoryCard {
    /// What people read.
    pub title: String,
    /// Path from the root.
    pub url: String,
    /// A picture of it.
    pub image: Option<PictureView>,
    /// Products in it and below.
    pub total: usize,
}

/// `page` in page.html and 404.html.
#[derive(Clone, Debug, Serialize)]
pub struct ContentView {
    /// The head.
    pub head: HeadView,
    /// Path from the root.
    pub url: String,
    /// Home first.
    pub breadcrumbs: Vec<Link>,
    /// Plain text.
    pub title: String,
    /// Body as safe HTML.
    pub body_html: String,
    /// Front matter `extra` table.
    pub extra: serde_json::Value,
}
