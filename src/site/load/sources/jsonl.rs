//! Jsonl: JSON Lines in our own shape → drafts. One product per line; the names are those of the front matter, with `slug` and `body`.
//!
//! Limits  a line holds `MAX_LINE_BYTES`.
//! Always  lines are read on all cores, and told of in the file's order.

use std::collections::BTreeMap;
use std::io::Read;

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::draft::{Draft, Kept, blank_variant};
use super::intake::{BodyFormat, Intake, Note, Notes, PriceCells, Text, amount, day_or_instant, markdown};
use super::json::{Node, Scalar};
use super::pieces::{MAX_LINE_BYTES, Piece, Pieces};
use super::table::{At, Cell};
use super::terms::Terms;
use super::{Shelf, no_text};
use crate::commerce::cart::{MAX_PROPERTY_BYTES, MAX_QUANTITY};
use crate::commerce::catalog::{Image, Price, ProductStatus, PropertyRule, QuantityRule, SaleWindow, StockPolicy, Variant};
use crate::commerce::ids::{CategoryPath, Sku, Slug, Timestamp};
use crate::commerce::money::Currency;
use crate::site::load::html::sanitized;
use crate::site::load::products::{WrittenImage, WrittenProperty, WrittenQuantity, WrittenSeo, is_old_address, plain_key};
use crate::site::load::written::{offset_minutes, unknown_key};
use crate::site::load::{Body, one_line};
use crate::site::makers::Assurance;
use crate::site::problem::{Problem, Problems};

pub(super) type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    title: Raw<'a>,
    #[serde(borrow, default)]
    slug: Raw<'a>,
    body: Option<String>,
    body_format: Option<BodyFormat>,
    brand: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    images: Vec<WrittenImage>,
    #[serde(default)]
    options: Vec<String>,
    #[serde(borrow, default)]
    variants: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    price: Raw<'a>,
    #[serde(borrow, default)]
    compare_at: Raw<'a>,
    #[serde(borrow, default)]
    prices: BTreeMap<String, &'a RawValue>,
    #[serde(borrow, default)]
    sales: Vec<Sale<'a>>,
    weight_g: Option<u32>,
    stock_policy: Option<StockPolicy>,
    requires_shipping: Option<bool>,
    #[serde(borrow, default)]
    content: Raw<'a>,
    sku: Option<String>,
    gtin: Option<String>,
    stock: Option<u32>,
    #[serde(borrow, default)]
    tax_class: Raw<'a>,
    #[serde(borrow, default)]
    quantity: Raw<'a>,
    #[serde(borrow, default)]
    properties: Vec<&'a RawValue>,
    #[serde(default)]
    status: ProductStatus,
    #[serde(borrow, default)]
    publish_at: Raw<'a>,
    #[serde(borrow, default)]
    expires_at: Raw<'a>,
    #[serde(borrow, default)]
    updated_at: Raw<'a>,
    #[serde(default)]
    related: Vec<String>,
    #[serde(borrow, default)]
    redirects: Vec<&'a RawValue>,
    maker: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default, deserialize_with = "crate::site::makers::years")]
    guarantee_years: Option<u8>,
    #[serde(borrow, default)]
    attributes: BTreeMap<String, &'a RawValue>,
    #[serde(default)]
    seo: WrittenSeo,
    #[serde(borrow, default)]
    translations: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineVariant<'a> {
    #[serde(default)]
    options: Vec<String>,
    sku: Option<String>,
    gtin: Option<String>,
    stock: Option<u32>,
    image: Option<String>,
    #[serde(borrow, default)]
    price: Raw<'a>,
    #[serde(borrow, default)]
    compare_at: Raw<'a>,
    #[serde(borrow, default)]
    prices: BTreeMap<String, &'a RawValue>,
    #[serde(borrow, default)]
    sales: Vec<Sale<'a>>,
    weight_g: Option<u32>,
    stock_policy: Option<StockPolicy>,
    requires_shipping: Option<bool>,
    #[serde(borrow, default)]
    content: Raw<'a>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sale<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow, default)]
    from: Raw<'a>,
    #[serde(borrow, default)]
    until: Raw<'a>,
}

// What a product says for all its variants, and each variant may say for itself.
#[derive(Clone)]
struct Shared<'a> {
    price: Raw<'a>,
    compare_at: Raw<'a>,
    prices: BTreeMap<String, &'a RawValue>,
    sales: Vec<Sale<'a>>,
    weight_g: Option<u32>,
    stock_policy: Option<StockPolicy>,
    requires_shipping: Option<bool>,
    content: Raw<'a>,
    stock: Option<u32>,
}

impl<'a> Line<'a> {
    fn shared(&self) -> Shared<'a> {
        Shared {
            price: self.price,
            compare_at: self.compare_at,
            prices: self.prices.clone(),
            sales: self.sales.clone(),
            weight_g: self.weight_g,
            stock_policy: self.stock_policy,
            requires_shipping: self.requires_shipping,
            content: self.content,
            stock: self.stock,
        }
    }
}

impl<'a> LineVariant<'a> {
    fn has_price(&self, root: &str) -> bool {
        self.price.is_some() || self.prices.contains_key(root)
    }

    // As in the front matter: a price of its own is neither struck nor reduced by another's.
    fn over(&self, shared: &Shared<'a>, root: &str) -> Shared<'a> {
        let own_price = self.has_price(root);
        let mut prices = if self.prices.is_empty() { shared.prices.clone() } else { self.prices.clone() };
        if self.price.is_some() && self.prices.is_empty() {
            prices.remove(root);
        }
        Shared {
            price: self.price.or(shared.price.filter(|_| !own_price)),
            compare_at: self.compare_at.or(shared.compare_at.filter(|_| !own_price)),
            prices,
            sales: if self.sales.is_empty() && !own_price { shared.sales.clone() } else { self.sales.clone() },
            weight_g: self.weight_g.or(shared.weight_g),
            stock_policy: self.stock_policy.or(shared.stock_policy),
            requires_shipping: self.requires_shipping.or(shared.requires_shipping),
            content: self.content.or(shared.content),
            stock: self.stock.or(shared.stock),
        }
    }
}

/// The products of a file, piece by piece.
pub(super) fn read(input: impl Read, terms: &Terms<'_>, shelf: &Shelf, notes: &mut Notes, problems: &mut Problems) -> Vec<Kept> {
    let mut drafts = Vec::new();
    let mut pieces = Pieces::new(input);
    loop {
        match pieces.next() {
            Ok(Some(Piece::Lines { text, first_line })) => drafts.extend(lines(text, first_line, terms, shelf, notes, problems)),
            Ok(Some(Piece::TooLong { line })) => {
                let message = format!("this line has more than {MAX_LINE_BYTES} bytes");
                problems.push(Problem::about(&terms.source.name, message).on_line(line, 1, ""));
            }
            Ok(Some(Piece::NoText { bytes, at, first_line })) => {
                problems.push(no_text(terms.source, bytes, at, first_line));
                return drafts;
            }
            Ok(None) => return drafts,
            Err(error) => {
                problems.push(Problem::about(&terms.source.name, format!("this file cannot be read: {error}")));
                return drafts;
            }
        }
    }
}

fn lines(
    text: &str,
    first_line: usize,
    terms: &Terms<'_>,
    shelf: &Shelf,
    notes: &mut Notes,
    problems: &mut Problems,
) -> Vec<Kept> {
    let lines: Vec<(usize, &str)> = (first_line..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty()).collect();
    let read = |(number, line): (usize, &str)| {
        let text = Text::new(line, number);
        let mut intake = Intake::of_text(terms, &text);
        let draft = LineReader { line, intake: &mut intake }.draft();
        // A line that holds an error is not half taken.
        (draft.filter(|_| !intake.problems.has_errors()).map(Draft::pack), intake.notes, intake.problems)
    };
    let read: Vec<_> = lines.into_par_iter().map(read).collect();
    let kept = read.into_iter().filter_map(|(draft, noted, found)| {
        notes.extend(noted);
        problems.extend(found);
        draft
    });
    shelf.keep(kept)
}

pub(super) struct LineReader<'a, 'i, 't> {
    line: &'a str,
    pub(super) intake: &'i mut Intake<'t>,
}

impl<'a> LineReader<'a, '_, '_> {
    fn draft(&mut self) -> Option<Draft> {
        let line: Line<'a> = self.parse(self.line)?;
        let title = self.scalar(line.title);
        let Some(title) = title.filter(|title| !title.cell().is_empty()) else {
            self.intake.refuse(self.at(0, ""), "a product needs a title");
            return None;
        };
        let slug = self.scalar(line.slug);
        if let Some(slug) =
            slug.as_ref().filter(|slug| slug.cell().text != slug::slugify(slug.cell().text) || slug.cell().is_empty())
        {
            let problem = self.intake.problem(slug.cell(), format!("`{}` cannot be an address", slug.cell().text));
            let near = slug::slugify(slug.cell().text);
            let hint = if near.is_empty() { "write a–z, 0–9 and hyphens".to_owned() } else { format!("write `{near}`") };
            self.intake.problems.push(problem.hint(hint));
            return None;
        }
        let handle = slug.as_ref().map_or(Cell::default(), Scalar::cell);
        let mut draft = Draft::new(self.intake, title.cell(), handle)?;
        // Our own texts are what they are: nothing in them stands for another sign.
        draft.loaded.product.title = one_line(title.cell().text);
        if slug.is_none() {
            draft.loaded.product.slug = Slug::from(super::draft::slug_of(title.cell().text, "product"));
        }
        self.product(&mut draft, &line);
        self.variants(&mut draft, &line);
        let product = &mut draft.loaded.product;
        product.categories = line.categories.into_iter().map(CategoryPath::from).collect();
        product.brand = line.brand.map(Into::into);
        product.status = line.status;
        let details = &mut draft.loaded.details;
        details.images = line.images.into_iter().map(Image::from).collect();
        details.tags = line.tags;
        details.related = line.related.into_iter().map(Slug::from).collect();
        let (maker, warnings, guarantee_years) = (line.maker, line.warnings, line.guarantee_years);
        details.assurance = Assurance { maker, warnings, guarantee_years }.boxed();
        details.seo_title = line.seo.title;
        details.seo_description = line.seo.description;
        let body = line.body.map(|body| body.replace('\0', "")).unwrap_or_default();
        details.body = match line.body_format.or(self.intake.terms.source.body_format) {
            Some(BodyFormat::Markdown) | None => markdown(&body),
            Some(BodyFormat::Html) => Body::Html(sanitized(&body)),
            Some(BodyFormat::Text) => Body::Html(sanitized(&crate::site::load::html::paragraphs(&body))),
        };
        let mut draft = draft.finish(&line.options)?;
        for (language, written) in &line.translations {
            if let Some((translation, details)) = self.translation(&draft.loaded, language, written) {
                draft.loaded.product.translations.push(translation);
                draft.loaded.details.translations.push(details);
            }
        }
        Some(draft)
    }

    fn at<'t>(&self, byte: usize, text: &'t str) -> Cell<'t> {
        Cell { text, at: At::Byte(byte) }
    }

    pub(super) fn node(&self, raw: &'a RawValue) -> Node<'a> {
        Node::within(self.line, raw)
    }

    pub(super) fn scalar(&self, raw: Raw<'a>) -> Option<Scalar<'a>> {
        raw.and_then(|raw| self.node(raw).scalar())
    }

    // Typed values of a part of the line; a problem at its place where it does not fit.
    pub(super) fn parse<T: Deserialize<'a>>(&mut self, part: &'a str) -> Option<T> {
        let error = match serde_json::from_str(part) {
            Ok(values) => return Some(values),
            Err(error) => error,
        };
        let base = super::json::offset(self.line, part);
        let end = (base + error.column().saturating_sub(1)).min(self.line.len());
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let (message, hint, key) = unknown_key(message);
        let start = match &key {
            Some(key) => self.line[..self.line.ceil_char_boundary(end + 1)].rfind(&format!("\"{key}\"")),
            None => {
                let end = self.line.floor_char_boundary(end);
                self.line[..end].rfind([',', ':', '{', '[']).map(|index| index + 1).filter(|start| *start < end)
            }
        };
        let start = start.unwrap_or(end).max(base);
        let text = self.line.get(start..self.line.ceil_char_boundary(end + 1).max(start)).unwrap_or("");
        let indent = text.len() - text.trim_start().len();
        let problem = self.intake.problem(self.at(start + indent, text.trim()), message);
        self.intake.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
        None
    }

    fn product(&mut self, draft: &mut Draft, line: &Line<'a>) {
        let product = &mut draft.loaded.product;
        if let Some(class) = self.scalar(line.tax_class) {
            let classes = self.intake.terms.tax_classes;
            match classes.iter().find(|known| known.as_str() == class.cell().text) {
                Some(known) => product.tax_class = known.clone(),
                None => {
                    let names: Vec<&str> = classes.iter().map(|class| class.as_str()).collect();
                    let problem = self.intake.problem(class.cell(), format!("there is no tax class `{}`", class.cell().text));
                    self.intake.problems.push(problem.hint(format!("classes in site.toml: {}", names.join(", "))));
                }
            }
        }
        if let Some(written) = line.quantity
            && let Some(quantity) = self.parse::<WrittenQuantity>(written.get())
        {
            match quantity.rule() {
                Some(rule) => product.quantity = rule,
                None => {
                    let problem = self.intake.problem(self.node(written).cell(), "nobody could buy that many");
                    self.intake
                        .problems
                        .push(problem.hint(format!("write 1 ≤ min ≤ max ≤ {MAX_QUANTITY} and a step of 1 or more")));
                    product.quantity = QuantityRule::default();
                }
            }
        }
        for written in &line.properties {
            let Some(property) = self.parse::<WrittenProperty>(written.get()) else { continue };
            let rule = PropertyRule::from(property);
            let cell = self.node(written).cell();
            if !plain_key(&rule.key) {
                let problem = self.intake.problem(cell, format!("`{}` cannot be a field's name", rule.key));
                self.intake.problems.push(problem.hint("write a–z, 0–9 and `_`"));
            }
            if !(1..=MAX_PROPERTY_BYTES as u32).contains(&rule.max_bytes) {
                self.intake.refuse(cell, format!("a text holds 1 to {MAX_PROPERTY_BYTES} bytes"));
            }
            product.properties.push(rule);
        }
        product.publish_at = self.instant(line.publish_at);
        product.expires_at = self.instant(line.expires_at);
        draft.loaded.details.updated_at = self.instant(line.updated_at);
        for written in &line.redirects {
            let Some(address) = self.scalar(Some(written)) else { continue };
            let text = address.cell().text;
            if is_old_address(text) {
                draft.loaded.details.redirects.push(text.to_owned());
            } else {
                let problem = self.intake.problem(address.cell(), format!("`{text}` is not an old address"));
                self.intake
                    .problems
                    .push(problem.hint("write a path such as \"/collections/lamps\", without query and closing slash"));
            }
        }
        for (name, value) in &line.attributes {
            let value = self.scalar(Some(value)).map(|value| value.cell().text.to_owned());
            draft.loaded.details.attributes.extend(value.map(|value| (name.clone(), value)));
        }
    }

    fn instant(&mut self, raw: Raw<'a>) -> Option<Timestamp> {
        let written = self.scalar(raw)?;
        let found = day_or_instant(written.cell().text, false);
        if found.is_none() {
            let problem = self.intake.problem(written.cell(), format!("`{}` is not a time", written.cell().text));
            let hint = "write an instant such as \"2026-12-24T18:00:00Z\" or a day such as \"2026-12-24\"";
            self.intake.problems.push(problem.hint(hint));
        }
        found
    }

    fn variants(&mut self, draft: &mut Draft, line: &Line<'a>) {
        let shared = line.shared();
        let image = |src: &String| {
            let known = line.images.iter().find(|image| image.src() == src);
            Image {
                url: src.clone(),
                alt: known.map_or_else(String::new, |image| image.alt().to_owned()),
                width: None,
                height: None,
            }
        };
        if line.variants.is_empty() {
            if !line.options.is_empty() {
                self.intake.refuse(self.at(0, ""), "this product has options and no variants");
            }
            let variant = Variant { gtin: line.gtin.clone(), ..self.variant(&shared, line.sku.as_ref()) };
            draft.add(self.intake, self.at(0, ""), &[], variant);
            return;
        }
        let root = self.intake.terms.currency;
        let mut takes_shared = false;
        for written in &line.variants {
            let cell = self.node(written).cell();
            let Some(own) = self.parse::<LineVariant<'a>>(written.get()) else { continue };
            if own.options.len() != line.options.len() {
                let message = format!("this variant has {} values for {} options", own.options.len(), line.options.len());
                let problem = self.intake.problem(cell, message);
                self.intake.problems.push(problem.hint(format!("write one value for each of: {}", line.options.join(", "))));
                continue;
            }
            if draft.loaded.product.variants.iter().any(|other| other.option_values == own.options) {
                self.intake.refuse(cell, "another variant of this product has the same values");
                continue;
            }
            let variant = Variant {
                gtin: own.gtin.clone(),
                image: own.image.as_ref().map(image).map(Box::new),
                option_values: own.options.iter().map(Into::into).collect(),
                ..self.variant(&own.over(&shared, root.code()), own.sku.as_ref())
            };
            takes_shared |= !own.has_price(root.code());
            draft.add(self.intake, cell, &line.options, variant);
        }
        if !takes_shared {
            self.refuse_reductions(&shared, "every variant has a price of its own, which this does not reduce");
        }
    }

    fn refuse_reductions(&mut self, shared: &Shared<'a>, message: &str) {
        let sale = shared.sales.first().map(|sale| sale.price);
        for reduced in shared.compare_at.into_iter().chain(sale) {
            let cell = self.node(reduced).cell();
            self.intake.refuse(cell, message);
        }
    }

    fn variant(&mut self, shared: &Shared<'a>, sku: Option<&String>) -> Variant {
        let policy = if shared.stock.is_some() { StockPolicy::Deny } else { StockPolicy::Untracked };
        Variant {
            sku: Sku::from(sku.map_or_else(String::new, |sku| sku.trim().to_owned())),
            prices: self.prices(shared),
            weight_g: shared.weight_g.unwrap_or(0),
            requires_shipping: shared.requires_shipping.unwrap_or(true),
            opening_stock: shared.stock.unwrap_or(0),
            stock_policy: shared.stock_policy.unwrap_or(policy),
            content: self.scalar(shared.content).and_then(|text| self.intake.content(text.cell())),
            ..blank_variant()
        }
    }

    fn prices(&mut self, shared: &Shared<'a>) -> Vec<Price> {
        let mut prices = Vec::new();
        let root = self.intake.terms.currency;
        let price = self.scalar(shared.price);
        // Sales and struck-out prices are in the root market's currency, whichever key gives the price in it.
        match price.clone().or_else(|| self.scalar(shared.prices.get(root.code()).copied())) {
            Some(price) => {
                let compare_at = self.scalar(shared.compare_at);
                let compare_at = compare_at.as_ref().map_or(Cell::default(), Scalar::cell);
                let cells = PriceCells { price: price.cell(), compare_at, ..PriceCells::default() };
                if let Some(price) = self.intake.price(cells, root) {
                    let sales = self.sales(&shared.sales, price.unit_minor, root);
                    prices.push(Price { sales, ..price });
                }
            }
            None => {
                self.refuse_reductions(shared, &format!("there is no price in {root} which this reduces"));
                if shared.prices.is_empty() {
                    self.intake.note(Note::Unpriced, self.at(0, ""));
                }
            }
        }
        for (code, written) in &shared.prices {
            let Some(amount) = self.scalar(Some(written)) else { continue };
            match Currency::from_code(code) {
                Some(currency) if currency == root && price.is_none() => {}
                Some(currency) if currency != root => {
                    let cells = PriceCells { price: amount.cell(), ..PriceCells::default() };
                    prices.extend(self.intake.price(cells, currency));
                }
                Some(_) => self.intake.refuse(amount.cell(), format!("`price` is the price in {code} already")),
                None => self.intake.refuse(amount.cell(), format!("`{code}` is not a currency of ISO 4217")),
            }
        }
        prices.sort_by_key(|price| price.currency);
        prices
    }

    fn sales(&mut self, written: &[Sale<'a>], unit_minor: i64, currency: Currency) -> Vec<SaleWindow> {
        let mut sales = Vec::new();
        for sale in written {
            let Some(price) = self.scalar(Some(sale.price)) else { continue };
            match amount(price.cell().text, currency) {
                Ok(price_minor) if price_minor < unit_minor => {
                    let (from, until) = (self.instant(sale.from), self.instant(sale.until));
                    let until_offset_minutes = self.scalar(sale.until).map_or(0, |written| offset_minutes(written.cell().text));
                    sales.push(SaleWindow { price_minor, from, until, until_offset_minutes });
                }
                Ok(_) => {
                    let problem = self.intake.problem(price.cell(), "the sale's price is not below the price");
                    self.intake.problems.push(problem.hint("write the lower price, or take the sale out"));
                }
                Err(message) => self.intake.refuse(price.cell(), message),
            }
        }
        sales.sort_by_key(|sale| (sale.from, sale.until));
        sales
    }
}
