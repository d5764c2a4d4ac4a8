//! Mapped: any JSON → drafts, by a map in site.toml that says where the values are.
//!
//! Owns    the keys of the map. A path is names joined by points (`meta.barcode`), a number is a place in a list (`images.0`).
//! Always  an amount is the text that stands in the document; null is no value, neither zero nor an empty text.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Deserialize;

use super::Shelf;
use super::draft::{Draft, Kept, blank_variant, name, prices};
use super::intake::{Intake, Notes, PriceCells, Text, gtin};
use super::json::{Node, Scalar};
use super::table::Cell;
use super::terms::Terms;
use crate::commerce::catalog::{ProductStatus, Variant};
use crate::commerce::ids::Sku;
use crate::site::load::html::decoded_name;
use crate::site::makers::Assurance;
use crate::site::problem::{Problem, Problems, nearest};

/// Items whose details are held at once.
const BATCH: usize = 4096;
/// Items that are asked whether they have what a path of the map names.
const ASKED: usize = 1000;

/// Where the values of a product are; every path but `items` begins at a product.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Path of the list of products; default: the document itself, or its values one after the other.
    pub items: Option<String>,
    /// Only products with these texts at these paths.
    #[serde(default, rename = "where")]
    pub only: BTreeMap<String, String>,
    /// Path of the title.
    pub title: String,
    /// Path of the address; default: made of the title.
    pub slug: Option<String>,
    /// Path of the text.
    pub body: Option<String>,
    /// Path of the brand.
    pub brand: Option<String>,
    /// Path of the maker, where it is not the brand.
    pub maker: Option<String>,
    /// Path of a warning, or of a list of them.
    pub warnings: Option<String>,
    /// Path of a category, or of a list of them.
    pub categories: Option<String>,
    /// Path of a list that is one category's way from the root.
    pub category_path: Option<String>,
    /// What stands between the titles of a category's way; default: ` > `.
    pub category_separator: Option<String>,
    /// Path of a list of words.
    pub tags: Option<String>,
    /// Path of a picture, or of a list of them.
    pub images: Option<String>,
    /// Facts: what they are called, and their paths.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Path of the tax class.
    pub tax_class: Option<String>,
    /// Path of `active`, `draft` or `archived`.
    pub status: Option<String>,
    /// Path of the SEO title.
    pub seo_title: Option<String>,
    /// Path of the SEO description.
    pub seo_description: Option<String>,
    /// Path of the instant of the last change.
    pub updated_at: Option<String>,
    /// Path of the list of variants; default: the product is the only one.
    pub variants: Option<String>,
    /// Options of the variants: what they are called, and their paths in a variant.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Path of the SKU; this and all below begin at a variant where there are variants.
    pub sku: Option<String>,
    /// Path of the GTIN.
    pub gtin: Option<String>,
    /// Path of the price.
    pub price: Option<String>,
    /// Path of the struck-out price.
    pub compare_at: Option<String>,
    /// Path of the units in stock.
    pub stock: Option<String>,
    /// Path of the weight, in `weight_unit`.
    pub weight: Option<String>,
    /// Path of what is in it, such as `250 g`.
    pub content: Option<String>,
    /// Path of a variant's picture.
    pub variant_image: Option<String>,
}

/// A key of the map with its path.
type KeyAndPath<'a> = (String, &'a str);

impl Mapping {
    // The paths that begin at a product, and those that begin at a variant.
    fn paths(&self) -> [Vec<KeyAndPath<'_>>; 2] {
        fn named<'m>((key, path): (&str, Option<&'m String>)) -> Option<(String, &'m str)> {
            Some((key.to_owned(), path?.as_str()))
        }
        let own = [
            ("title", Some(&self.title)),
            ("slug", self.slug.as_ref()),
            ("body", self.body.as_ref()),
            ("brand", self.brand.as_ref()),
            ("maker", self.maker.as_ref()),
            ("warnings", self.warnings.as_ref()),
            ("categories", self.categories.as_ref()),
            ("category_path", self.category_path.as_ref()),
            ("tags", self.tags.as_ref()),
            ("images", self.images.as_ref()),
            ("tax_class", self.tax_class.as_ref()),
            ("status", self.status.as_ref()),
            ("seo_title", self.seo_title.as_ref()),
            ("seo_description", self.seo_description.as_ref()),
            ("updated_at", self.updated_at.as_ref()),
            ("variants", self.variants.as_ref()),
        ];
        let of_variant = [
            ("sku", self.sku.as_ref()),
            ("gtin", self.gtin.as_ref()),
            ("price", self.price.as_ref()),
            ("compare_at", self.compare_at.as_ref()),
            ("stock", self.stock.as_ref()),
            ("weight", self.weight.as_ref()),
            ("content", self.content.as_ref()),
            ("variant_image", self.variant_image.as_ref()),
        ];
        let facts = self.attributes.iter().map(|(name, path)| (format!("attributes.{name}"), path.as_str()));
        let options = self.options.iter().map(|(name, path)| (format!("options.{name}"), path.as_str()));
        [
            own.into_iter().filter_map(named).chain(facts).collect(),
            of_variant.into_iter().filter_map(named).chain(options).collect(),
        ]
    }
}

/// The products of a text.
pub(super) fn read(text: &str, terms: &Terms<'_>, shelf: &Shelf, notes: &mut Notes, problems: &mut Problems) -> Vec<Kept> {
    let name = &terms.source.name;
    let Some(map) = &terms.source.map else {
        let problem = Problem::about(name, "nobody says where the values of this document are");
        problems.push(
            problem.hint("write `map = { title = \"…\", price = \"…\" }` under this [[sources]] (`--map FILE` for an import)"),
        );
        return Vec::new();
    };
    let lines = Text::new(text, 1);
    let items = match items(text, map) {
        Ok(items) => items,
        Err((byte, message)) => {
            let (line, column) = lines.place(byte);
            let shown = text.get(text.floor_char_boundary(byte)..).unwrap_or("").lines().next().unwrap_or("");
            let shown: String = shown.chars().take(40).collect();
            problems.push(Problem::about(name, message).on_line(line, column, &shown));
            return Vec::new();
        }
    };
    if !are_paths_right(map, &items, name, problems) {
        return Vec::new();
    }
    let read = |item: Node<'_>| {
        let mut intake = Intake::of_text(terms, &lines);
        let draft = draft(&mut intake, map, item);
        (draft.map(Draft::pack), intake.notes, intake.problems)
    };
    let mut drafts = Vec::with_capacity(items.len());
    for batch in items.chunks(BATCH) {
        let read: Vec<_> = batch.par_iter().map(|item| read(*item)).collect();
        let kept = read.into_iter().filter_map(|(draft, noted, found)| {
            notes.extend(noted);
            problems.extend(found);
            draft
        });
        drafts.extend(shelf.keep(kept));
    }
    drafts
}

fn items<'a>(text: &'a str, map: &Mapping) -> Result<Vec<Node<'a>>, (usize, String)> {
    let values = Node::stream(text).map_err(|error| {
        let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned();
        (before + error.column().saturating_sub(1), format!("this is no JSON: {message}"))
    })?;
    let listed: Vec<Node<'a>> = match &map.items {
        Some(path) => {
            let lists = values.iter().filter_map(|value| value.find(path)?.list());
            let listed: Vec<_> = lists.flatten().collect();
            if listed.is_empty() {
                return Err((0, format!("there is no list of products at `{path}`")));
            }
            listed
        }
        None => values.into_iter().flat_map(|value| value.list().unwrap_or_else(|| vec![value])).collect(),
    };
    let is_meant = |item: &Node<'_>| {
        let has = |(path, text): (&String, &String)| {
            item.find(path).and_then(Node::scalar).is_some_and(|found| found.cell().text == text)
        };
        map.only.iter().all(has)
    };
    Ok(listed.into_iter().filter(is_meant).collect())
}

// A path that leads nowhere in any product is a slip of the pen; without titles nothing can be read.
fn are_paths_right(map: &Mapping, items: &[Node<'_>], name: &str, problems: &mut Problems) -> bool {
    let asked = &items[..items.len().min(ASKED)];
    if asked.is_empty() {
        problems.push(Problem::about(name, "there is no product in this document").warning());
        return false;
    }
    let mut has_titles = true;
    let [own, of_variant] = map.paths();
    let variants: Vec<Node<'_>> = match &map.variants {
        Some(path) => asked.iter().filter_map(|item| item.find(path)?.list()).flatten().collect(),
        None => asked.to_vec(),
    };
    for (paths, nodes) in [(own, asked), (of_variant, &variants[..])] {
        for (key, path) in paths.into_iter().filter(|(_, path)| nodes.iter().all(|node| node.find(path).is_none())) {
            let known = nodes.first().map(|node| node.keys()).unwrap_or_default();
            let problem = Problem::about(name, format!("no product has a value at `{path}`, which `map` names for `{key}`"));
            let is_title = key == "title";
            has_titles &= !is_title;
            let problem = if is_title { problem } else { problem.warning() };
            problems.push(match nearest(path, known.iter().map(String::as_str)) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("names in the first one: {}", known.join(", "))),
            });
        }
    }
    has_titles
}

fn scalar<'a>(node: Node<'a>, path: Option<&String>) -> Option<Scalar<'a>> {
    node.find(path?)?.scalar()
}

fn scalars<'a>(node: Node<'a>, path: Option<&String>) -> Vec<Scalar<'a>> {
    path.and_then(|path| node.find(path)).map(Node::scalars).unwrap_or_default()
}

fn cell<'a>(scalar: Option<&'a Scalar<'_>>) -> Cell<'a> {
    scalar.map_or(Cell::default(), Scalar::cell)
}

fn draft(intake: &mut Intake<'_>, map: &Mapping, item: Node<'_>) -> Option<Draft> {
    let (title, slug) = (scalar(item, Some(&map.title)), scalar(item, map.slug.as_ref()));
    let title = title.as_ref().map_or(Cell { text: "", ..item.cell() }, Scalar::cell);
    let mut draft = Draft::new(intake, title, cell(slug.as_ref()))?;
    draft.loaded.details.source.line = intake.place(item.cell().at).0;
    let alt = draft.loaded.product.title.clone();
    for picture in scalars(item, map.images.as_ref()) {
        draft.picture(intake.picture(picture.cell(), &alt));
    }
    let separator = map.category_separator.as_deref().unwrap_or(" > ");
    for category in scalars(item, map.categories.as_ref()) {
        draft.category(category.cell().text.split(separator));
    }
    let way = scalars(item, map.category_path.as_ref());
    draft.category(way.iter().flat_map(|part| part.cell().text.split(separator)));
    for (label, path) in &map.attributes {
        if let Some(value) = scalar(item, Some(path)) {
            draft.attribute(label, value.cell().text);
        }
    }
    let text = |path: &Option<String>| scalar(item, path.as_ref()).and_then(|text| name(text.cell()));
    let product = &mut draft.loaded.product;
    product.brand = text(&map.brand).map(Into::into);
    product.tax_class = intake.tax_class(cell(scalar(item, map.tax_class.as_ref()).as_ref()));
    product.status = match text(&map.status).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "active" | "published" => ProductStatus::Active,
        "archived" => ProductStatus::Archived,
        _ => ProductStatus::Draft,
    };
    let warnings = scalars(item, map.warnings.as_ref()).iter().filter_map(|text| name(text.cell())).collect();
    let assurance = Assurance { maker: text(&map.maker), warnings, guarantee_years: None };
    let details = &mut draft.loaded.details;
    details.assurance = assurance.boxed();
    details.body = intake.body(cell(scalar(item, map.body.as_ref()).as_ref()).text);
    details.tags = scalars(item, map.tags.as_ref()).iter().filter_map(|tag| name(tag.cell())).collect();
    details.seo_title = text(&map.seo_title);
    details.seo_description = text(&map.seo_description);
    details.updated_at = intake.instant(cell(scalar(item, map.updated_at.as_ref()).as_ref()));
    let variants = map.variants.as_ref().and_then(|path| item.find(path)?.list());
    let (nodes, names) = match variants {
        Some(nodes) if !nodes.is_empty() => (nodes, map.options.keys().cloned().collect()),
        _ => (vec![item], Vec::new()),
    };
    for node in nodes {
        let mut variant = variant(intake, map, node);
        if !names.is_empty() {
            let value =
                |path| scalar(node, Some(path)).map_or_else(Default::default, |value| decoded_name(value.cell().text).into());
            variant.option_values = map.options.values().map(value).collect();
        }
        draft.add(intake, node.cell(), &names, variant);
    }
    draft.finish(&names)
}

fn variant(intake: &mut Intake<'_>, map: &Mapping, node: Node<'_>) -> Variant {
    let find = |path: &Option<String>| scalar(node, path.as_ref());
    let (price, compare_at, stock) = (find(&map.price), find(&map.compare_at), find(&map.stock));
    // What is not there is told at the product.
    let price = price.as_ref().map_or(Cell { text: "", ..node.cell() }, Scalar::cell);
    let cells = PriceCells { price, compare_at: cell(compare_at.as_ref()), ..PriceCells::default() };
    let (opening_stock, stock_policy) = intake.stock(cell(stock.as_ref()), false);
    Variant {
        sku: Sku::from(cell(find(&map.sku).as_ref()).text.to_owned()),
        prices: prices(intake.price(cells, intake.terms.currency)),
        weight_g: intake.grams(cell(find(&map.weight).as_ref()), None),
        opening_stock,
        stock_policy,
        image: find(&map.variant_image).and_then(|picture| intake.picture(picture.cell(), "")).map(Box::new),
        gtin: gtin(cell(find(&map.gtin).as_ref()).text),
        content: find(&map.content).and_then(|text| intake.content(text.cell())),
        ..blank_variant()
    }
}
