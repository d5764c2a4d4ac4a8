//! Spree: its product CSV → drafts.
//!
//! Owns    which row is a product's master and which a variant, prices of several currencies in rows of their own, custom fields.
//! Source  Spree 5's product export: one row per variant and currency, further currencies in a block at the end.

use std::collections::{BTreeMap, HashMap};

use super::draft::{Draft, label, name};
use super::intake::{Intake, Note, PriceCells, WeightUnit, gtin};
use super::table::{Cell, Column, Row, Table};
use crate::commerce::catalog::{Price, ProductStatus, StockPolicy, Variant};
use crate::commerce::ids::Sku;
use crate::commerce::money::Currency;
use crate::site::load::html::decoded_name;

/// Options, categories and pictures are numbered columns.
const OPTIONS: usize = 3;
const CATEGORIES: usize = 3;
const PICTURES: usize = 3;

struct Columns {
    slug: Column,
    sku: Column,
    name: Column,
    price: Column,
    compare_at: Column,
    currency: Column,
    status: Column,
    description: Column,
    meta_title: Column,
    meta_description: Column,
    tags: Column,
    tax_category: Column,
    vendor: Column,
    barcode: Column,
    categories: [Column; CATEGORIES],
    option_names: [Column; OPTIONS],
    option_values: [Column; OPTIONS],
    pictures: [Column; PICTURES],
    weight: Column,
    weight_unit: Column,
    available_on: Column,
    discontinue_on: Column,
    stock: Column,
    backorderable: Column,
    track: Column,
    digital: Column,
    custom: Vec<(String, Column)>,
}

impl Columns {
    fn of(table: &mut Table) -> Self {
        let custom: Vec<String> = table
            .header()
            .filter(|header| header.starts_with("custom_field.") || header.starts_with("metafield."))
            .map(str::to_owned)
            .collect();
        let custom = custom.into_iter().map(|header| {
            let key = header.rsplit('.').next().unwrap_or("");
            (label(key), table.column_where(|other| other == header))
        });
        let custom = custom.collect();
        let mut column = |name: &str| table.column(&[name]);
        let numbered = |column: &mut dyn FnMut(&str) -> Column, start: &str, end: &str| {
            [1, 2, 3].map(|number| column(&format!("{start}{number}{end}")))
        };
        Self {
            categories: numbered(&mut column, "category", ""),
            option_names: numbered(&mut column, "option", "name"),
            option_values: numbered(&mut column, "option", "value"),
            pictures: numbered(&mut column, "image", "src"),
            slug: column("slug"),
            sku: column("sku"),
            name: column("name"),
            price: column("price"),
            compare_at: column("compareatprice"),
            currency: column("currency"),
            status: column("status"),
            description: column("description"),
            meta_title: column("metatitle"),
            meta_description: column("metadescription"),
            tags: column("tags"),
            tax_category: column("taxcategory"),
            vendor: column("vendorname"),
            barcode: column("barcode"),
            weight: column("weight"),
            weight_unit: column("weightunit"),
            available_on: column("availableon"),
            discontinue_on: column("discontinueon"),
            stock: column("inventorycount"),
            backorderable: column("inventorybackorderable"),
            track: column("trackinventory"),
            digital: column("digital"),
            custom,
        }
    }
}

/// A product's rows, wherever they stand.
#[derive(Default)]
struct Group<'a> {
    master: Option<Row<'a>>,
    /// A variant's first row, then those of its further currencies.
    variants: Vec<Vec<Row<'a>>>,
}

/// The products of a table.
pub(super) fn read(table: &mut Table, intake: &mut Intake<'_>) -> Vec<Draft> {
    let columns = Columns::of(table);
    let needed = [(columns.slug, "slug"), (columns.sku, "sku"), (columns.price, "price")];
    let is_translation = table.column(&["locale"]).is_there() && !columns.price.is_there();
    let hint = if is_translation {
        "this file holds translations only: name the export of the products, and write texts in other languages in content/"
    } else {
        "export the products from Spree as CSV"
    };
    if !table.has(&needed, &intake.terms.source.name, hint, &mut intake.problems) {
        return Vec::new();
    }
    let mut order: Vec<&str> = Vec::new();
    let mut groups: HashMap<&str, Group<'_>> = HashMap::new();
    for row in table.rows() {
        let slug = row.cell(columns.slug);
        if slug.is_empty() {
            intake.leave_out(slug, "this row has no slug; it is left out");
            continue;
        }
        let group = groups.entry(slug.text).or_insert_with(|| {
            order.push(slug.text);
            Group::default()
        });
        sort(intake, &columns, group, row);
    }
    told_masters(intake, &columns, &order, &groups);
    order.iter().filter_map(|slug| draft(intake, &columns, &groups[slug])).collect()
}

// The first row of a product is its master; a row with a known SKU, no option and another currency is one more price.
fn sort<'a>(intake: &mut Intake<'_>, columns: &Columns, group: &mut Group<'a>, row: Row<'a>) {
    let sku = row.cell(columns.sku);
    let has_value = columns.option_values.iter().any(|column| !row.cell(*column).is_empty());
    if !row.cell(columns.name).is_empty() && !has_value {
        match group.master {
            None => group.master = Some(row),
            Some(first) => {
                let message = format!("the address `{}` is already that of line {}", row.cell(columns.slug).text, first.line());
                intake.refuse(row.cell(columns.slug), message);
            }
        }
        return;
    }
    // Values are repeated on further rows, or left empty.
    let is_same = |first: Row<'_>| {
        let fits = |column: &Column| row.cell(*column).is_empty() || row.cell(*column).text == first.cell(*column).text;
        !sku.is_empty() && first.cell(columns.sku).text == sku.text && columns.option_values.iter().all(fits)
    };
    match group.variants.iter_mut().find(|rows| is_same(rows[0])) {
        Some(rows) => rows.push(row),
        None if !has_value && group.master.is_some_and(|master| master.cell(columns.sku).text == sku.text) => {
            group.variants.push(vec![row]);
        }
        None if !has_value => {
            intake.leave_out(sku, format!("the SKU `{}` belongs to no variant above this row; it is left out", sku.text))
        }
        _ => group.variants.push(vec![row]),
    }
}

// A SKU on two masters sells nothing twice, since masters with variants are not sold; but someone should know.
fn told_masters(intake: &mut Intake<'_>, columns: &Columns, order: &[&str], groups: &HashMap<&str, Group<'_>>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for master in order.iter().filter_map(|slug| groups[slug].master.filter(|_| !groups[slug].variants.is_empty())) {
        let sku = master.cell(columns.sku);
        if let Some(first) = seen.get(sku.text).filter(|_| !sku.is_empty()) {
            intake.warn(
                sku,
                format!("the SKU `{}` stands on line {first} too; both products are sold by their variants' SKUs", sku.text),
            );
        }
        seen.entry(sku.text).or_insert(master.line());
    }
}

fn draft(intake: &mut Intake<'_>, columns: &Columns, group: &Group<'_>) -> Option<Draft> {
    let first = group.master.or_else(|| group.variants.first().map(|rows| rows[0]))?;
    let mut draft = Draft::new(intake, first.cell(columns.name), first.cell(columns.slug))?;
    draft.loaded.details.source.line = first.line();
    let alt = draft.loaded.product.title.clone();
    let rows = || group.master.into_iter().chain(group.variants.iter().map(|rows| rows[0]));
    for cell in rows().flat_map(|row| columns.pictures.map(|column| row.cell(column))) {
        draft.picture(intake.picture(cell, &alt));
    }
    for cell in columns.categories.map(|column| first.cell(column)) {
        draft.category(cell.text.split(" -> "));
    }
    for (label, column) in &columns.custom {
        draft.attribute(label, first.cell(*column).text);
    }
    let product = &mut draft.loaded.product;
    product.brand = name(first.cell(columns.vendor)).map(Into::into);
    product.tax_class = intake.tax_class(first.cell(columns.tax_category));
    product.publish_at = intake.instant(first.cell(columns.available_on));
    product.expires_at = intake.instant(first.cell(columns.discontinue_on));
    product.status = match first.cell(columns.status).text.to_ascii_lowercase().as_str() {
        "" | "active" => ProductStatus::Active,
        "archived" => ProductStatus::Archived,
        _ => ProductStatus::Draft,
    };
    let details = &mut draft.loaded.details;
    details.body = intake.body(first.cell(columns.description).text);
    details.tags = first.cell(columns.tags).split(",").filter_map(name).collect();
    details.seo_title = name(first.cell(columns.meta_title));
    details.seo_description = name(first.cell(columns.meta_description));
    let names = option_names(columns, group);
    // Without options the master itself is sold; rows beside it are its further prices.
    let sold: Vec<Vec<Row<'_>>> = match (names.is_empty(), group.master) {
        (true, Some(master)) => vec![[vec![master], group.variants.concat()].concat()],
        _ => group.variants.clone(),
    };
    for rows in &sold {
        let variant = variant(intake, columns, rows, &names);
        let cell = rows[0].cell(columns.sku);
        draft.add(intake, cell, &names, variant);
    }
    let draft = draft.finish(&names);
    if draft.is_none() {
        intake.leave_out(first.cell(columns.slug), "no row of this product can be sold; it is left out");
    }
    draft
}

fn option_names(columns: &Columns, group: &Group<'_>) -> Vec<String> {
    let rows = || group.variants.iter().map(|rows| rows[0]);
    let names = (0..OPTIONS).map_while(|index| {
        let is_used = rows().any(|row| !row.cell(columns.option_values[index]).is_empty());
        let written = rows().map(|row| row.cell(columns.option_names[index])).find(|cell| !cell.is_empty());
        is_used.then(|| written.map_or_else(|| format!("Option {}", index + 1), |cell| decoded_name(cell.text)))
    });
    names.collect()
}

fn variant(intake: &mut Intake<'_>, columns: &Columns, rows: &[Row<'_>], names: &[String]) -> Variant {
    let row = rows[0];
    let (mut opening_stock, mut stock_policy) = intake.stock(row.cell(columns.stock), row.cell(columns.backorderable).is_yes());
    if row.cell(columns.track).is_no() {
        (opening_stock, stock_policy) = (0, StockPolicy::Untracked);
    }
    let unit = row.cell(columns.weight_unit);
    Variant {
        sku: Sku::from(row.cell(columns.sku).text.to_owned()),
        option_values: columns.option_values[..names.len()]
            .iter()
            .map(|column| decoded_name(row.cell(*column).text).into())
            .collect(),
        prices: prices(intake, columns, rows),
        weight_g: intake.grams(row.cell(columns.weight), WeightUnit::named(unit.text)),
        requires_shipping: !row.cell(columns.digital).is_yes(),
        opening_stock,
        stock_policy,
        image: columns
            .pictures
            .map(|column| row.cell(column))
            .into_iter()
            .find_map(|cell| intake.picture(cell, ""))
            .map(Box::new),
        gtin: gtin(row.cell(columns.barcode).text),
        content: None,
    }
}

// One price per currency: those of the shop's markets.
fn prices(intake: &mut Intake<'_>, columns: &Columns, rows: &[Row<'_>]) -> Vec<Price> {
    let mut prices: Vec<Price> = Vec::new();
    let mut seen: Vec<(Currency, usize)> = Vec::new();
    for row in rows {
        let cell = row.cell(columns.currency);
        let Some(currency) = currency(intake, cell) else { continue };
        if !intake.terms.currencies.contains(&currency) {
            intake.note(Note::Currency(currency), cell);
            continue;
        }
        let mut cells =
            PriceCells { price: row.cell(columns.price), compare_at: row.cell(columns.compare_at), ..PriceCells::default() };
        let is_struck =
            !cells.compare_at.is_empty() && cells.compare_at.text.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0');
        if currency != intake.terms.currency && is_struck {
            intake.note(Note::OtherReduction(currency), cells.compare_at);
            cells.compare_at = Cell::default();
        }
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == currency) {
            let message = format!("this variant has a price in {currency} already, on line {first}; this row is left out");
            intake.leave_out(row.cell(columns.price), message);
            continue;
        }
        seen.push((currency, row.line()));
        if !cells.price.is_empty() || currency == intake.terms.currency {
            prices.extend(intake.price(cells, currency));
        }
    }
    if seen.iter().all(|(currency, _)| *currency != intake.terms.currency) {
        intake.note(Note::Unpriced, rows[0].cell(columns.price).part(""));
    }
    prices.sort_by_key(|price| price.currency);
    prices
}

fn currency(intake: &mut Intake<'_>, cell: Cell<'_>) -> Option<Currency> {
    if cell.is_empty() {
        return Some(intake.terms.currency);
    }
    let found = Currency::from_code(&cell.text.to_ascii_uppercase());
    if found.is_none() {
        intake.leave_out(cell, format!("`{}` is not a currency of ISO 4217; this price is left out", cell.text));
    }
    found
}
