//! Vendure: its product CSV → drafts.
//!
//! Owns    which rows follow a product's first one, columns in several languages (`name:en`), and what facets mean.
//! Source  Vendure's guide "Importing data"; cells may be padded with blanks.

use super::draft::{Draft, blank_variant, label, name, prices};
use super::intake::{Intake, Note, PriceCells};
use super::table::{Cell, Column, Row, Table};
use crate::commerce::catalog::{StockPolicy, Variant};
use crate::commerce::ids::Sku;
use crate::site::load::html::decoded_name;

struct Columns {
    name: Column,
    slug: Column,
    description: Column,
    assets: Column,
    facets: Column,
    option_groups: Column,
    option_values: Column,
    sku: Column,
    price: Column,
    tax_category: Column,
    stock: Column,
    track: Column,
    variant_assets: Column,
    variant_facets: Column,
    /// The same in other languages.
    translated: Vec<(String, Column)>,
}

/// Which of the header's languages is read: the shop's, else English, else the first.
fn language(table: &Table, wanted: &str) -> Option<String> {
    let plain = |language: &str| language.to_ascii_lowercase().replace('_', "-");
    let languages: Vec<&str> = table.header().filter_map(|header| Some(header.strip_prefix("name:")?.trim())).collect();
    let base = |language: &str| plain(language).split('-').next().unwrap_or("").to_owned();
    let exact = languages.iter().find(|language| plain(language) == plain(wanted));
    let near = || languages.iter().find(|language| base(language) == base(wanted));
    let english = || languages.iter().find(|language| base(language) == "en");
    exact.or_else(near).or_else(english).or(languages.first()).map(|language| (*language).to_owned())
}

impl Columns {
    fn of(table: &mut Table, wanted: &str) -> Self {
        let language = language(table, wanted);
        let mut column = |name: &str| {
            let spoken = language.as_ref().map(|language| format!("{name}:{language}"));
            let found = spoken.map_or(Column::default(), |spoken| table.column_where(|header| header == spoken));
            let found = if found.is_there() { found } else { table.column(&[&name.to_ascii_lowercase()]) };
            // What is not translated is taken as it is.
            let any = format!("{name}:");
            if found.is_there() { found } else { table.column_where(|header| header.starts_with(&any)) }
        };
        let mut columns = Self {
            name: column("name"),
            slug: column("slug"),
            description: column("description"),
            assets: column("assets"),
            facets: column("facets"),
            option_groups: column("optionGroups"),
            option_values: column("optionValues"),
            sku: column("sku"),
            price: column("price"),
            tax_category: column("taxCategory"),
            stock: column("stockOnHand"),
            track: column("trackInventory"),
            variant_assets: column("variantAssets"),
            variant_facets: column("variantFacets"),
            translated: Vec::new(),
        };
        let texts = ["name", "slug", "description", "facets", "optionGroups", "optionValues", "variantFacets"];
        let other = |header: &str| {
            let (text, other) = header.split_once(':')?;
            texts.contains(&text.trim()).then(|| (other.trim().to_owned(), header.to_owned()))
        };
        let others: Vec<(String, String)> = table.not_taken().filter_map(other).collect();
        columns.translated =
            others.into_iter().map(|(language, header)| (language, table.column_where(|other| other == header))).collect();
        columns
    }
}

/// The products of a table.
pub(super) fn read(table: &mut Table, intake: &mut Intake<'_>) -> Vec<Draft> {
    let columns = Columns::of(table, intake.terms.language);
    let needed = [(columns.name, "name"), (columns.sku, "sku"), (columns.price, "price")];
    let hint = "give the columns the names of Vendure's product import";
    if !table.has(&needed, &intake.terms.source.name, hint, &mut intake.problems) {
        return Vec::new();
    }
    let mut blocks: Vec<Vec<Row<'_>>> = Vec::new();
    for row in table.rows() {
        for (language, column) in &columns.translated {
            let cell = row.cell(*column);
            if !cell.is_empty() {
                intake.note(Note::Language(language.clone()), cell);
            }
        }
        // A product is named on its first row only.
        match blocks.last_mut() {
            _ if !row.cell(columns.name).is_empty() => blocks.push(vec![row]),
            Some(block) => block.push(row),
            None => {
                intake.leave_out(row.cell(columns.name), "this row belongs to no product: none is named above it; it is left out")
            }
        }
    }
    blocks.iter().filter_map(|block| draft(intake, &columns, block)).collect()
}

fn draft(intake: &mut Intake<'_>, columns: &Columns, rows: &[Row<'_>]) -> Option<Draft> {
    let first = rows[0];
    let mut draft = Draft::new(intake, first.cell(columns.name), first.cell(columns.slug))?;
    let alt = draft.loaded.product.title.clone();
    for asset in first.cell(columns.assets).split("|") {
        draft.picture(intake.picture(asset, &alt));
    }
    for facet in first.cell(columns.facets).split("|") {
        take_facet(&mut draft, facet);
    }
    draft.loaded.details.body = intake.body(first.cell(columns.description).text);
    draft.loaded.product.tax_class = intake.tax_class(first.cell(columns.tax_category));
    let names: Vec<String> = first.cell(columns.option_groups).split("|").map(|group| label(group.text)).collect();
    for row in rows {
        let variant = variant(intake, columns, *row);
        if variant.option_values.len() > names.len() {
            let cell = row.cell(columns.option_values);
            intake.leave_out(
                cell,
                format!("this variant has {} values for {} options; it is left out", variant.option_values.len(), names.len()),
            );
            continue;
        }
        for facet in row.cell(columns.variant_facets).split("|") {
            take_facet(&mut draft, facet);
        }
        if let Some(image) = &variant.image {
            let image = crate::commerce::catalog::Image { alt: alt.clone(), ..(**image).clone() };
            draft.picture(Some(image));
        }
        draft.add(intake, row.cell(columns.option_values).or(row.cell(columns.sku)), &names, variant);
    }
    let draft = draft.finish(&names);
    if draft.is_none() {
        intake.leave_out(first.cell(columns.name), "no row of this product can be sold; it is left out");
    }
    draft
}

// `category` and `brand` are what the shop itself knows; the rest are facts.
fn take_facet(draft: &mut Draft, facet: Cell<'_>) {
    let Some((key, value)) = facet.text.split_once(':') else { return };
    match key.trim().to_ascii_lowercase().as_str() {
        "category" => draft.category([value]),
        "brand" if draft.loaded.product.brand.is_none() => draft.loaded.product.brand = name(facet.part(value)).map(Into::into),
        _ => draft.attribute(&label(key), value),
    }
}

fn variant(intake: &mut Intake<'_>, columns: &Columns, row: Row<'_>) -> Variant {
    let (mut opening_stock, mut stock_policy) = intake.stock(row.cell(columns.stock), false);
    if row.cell(columns.track).is_no() {
        (opening_stock, stock_policy) = (0, StockPolicy::Untracked);
    }
    let cells = PriceCells { price: row.cell(columns.price), ..PriceCells::default() };
    Variant {
        sku: Sku::from(row.cell(columns.sku).text.to_owned()),
        option_values: row.cell(columns.option_values).split("|").map(|value| decoded_name(value.text).into()).collect(),
        prices: prices(intake.price(cells, intake.terms.currency)),
        opening_stock,
        stock_policy,
        image: row.cell(columns.variant_assets).split("|").next().and_then(|asset| intake.picture(asset, "")).map(Box::new),
        ..blank_variant()
    }
}
