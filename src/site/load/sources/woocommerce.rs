//! WooCommerce: its product CSV → drafts.
//!
//! Owns    the kinds of row (simple, variable, variation, grouped, external, virtual, downloadable), how variations find their parent,
//!         and what a variation for "any" value becomes.
//! Source  the product exporter of WooCommerce; headers in English, as it writes them by default.

use std::collections::{BTreeMap, HashMap};

use super::draft::{Draft, blank_variant, name, prices};
use super::intake::{Intake, PriceCells, WeightUnit, gtin};
use super::surcharge::Surcharge;
use super::table::{Cell, Column, Row, Table};
use crate::commerce::catalog::{ProductStatus, QuantityRule, Variant};
use crate::commerce::ids::Sku;
use crate::site::load::Body;
use crate::site::load::html::{decoded_name, is_html, paragraphs, sanitized};
use crate::theme::filters::html_safe;

/// Attributes that are looked for: the exporter numbers them.
const MAX_ATTRIBUTES: usize = 50;
/// Variants that one variation for "any" values may become.
const MAX_EXPANSION: usize = 200;

struct Columns {
    id: Column,
    kind: Column,
    sku: Column,
    gtin: Column,
    name: Column,
    published: Column,
    visibility: Column,
    short: Column,
    body: Column,
    sale_from: Column,
    sale_until: Column,
    tax_status: Column,
    tax_class: Column,
    in_stock: Column,
    stock: Column,
    backorders: Column,
    sold_individually: Column,
    weight: Column,
    weight_unit: Option<WeightUnit>,
    sale: Column,
    price: Column,
    categories: Column,
    tags: Column,
    images: Column,
    parent: Column,
    grouped: Column,
    upsells: Column,
    cross_sells: Column,
    external: Column,
    button: Column,
    brands: Column,
    add_ons: Column,
    attributes: Vec<[Column; 3]>,
}

impl Columns {
    fn of(table: &mut Table) -> Self {
        let weight_unit = table.header().find_map(|header| header.to_lowercase().strip_prefix("weight (").map(str::to_owned));
        let attributes = (1..=MAX_ATTRIBUTES)
            .map(|number| {
                let name = |part: &str| format!("attribute{number}{part}");
                [
                    table.column(&[&name("name")]),
                    table.column(&[&name("values"), &name("value")]),
                    table.column(&[&name("visible")]),
                ]
            })
            .filter(|[name, ..]| name.is_there())
            .collect();
        let weight = table.column_where(|header| header.to_lowercase().starts_with("weight"));
        let mut column = |names: &[&str]| table.column(names);
        Self {
            id: column(&["id"]),
            kind: column(&["type"]),
            sku: column(&["sku"]),
            gtin: column(&["gtinupceanorisbn", "gtin"]),
            name: column(&["name"]),
            published: column(&["published"]),
            visibility: column(&["visibilityincatalog"]),
            short: column(&["shortdescription"]),
            body: column(&["description"]),
            sale_from: column(&["datesalepricestarts"]),
            sale_until: column(&["datesalepriceends"]),
            tax_status: column(&["taxstatus"]),
            tax_class: column(&["taxclass"]),
            in_stock: column(&["instock"]),
            stock: column(&["stock"]),
            backorders: column(&["backordersallowed"]),
            sold_individually: column(&["soldindividually"]),
            weight,
            weight_unit: weight_unit.and_then(|unit| WeightUnit::named(unit.trim_end_matches(')'))),
            sale: column(&["saleprice"]),
            price: column(&["regularprice"]),
            categories: column(&["categories"]),
            tags: column(&["tags"]),
            images: column(&["images"]),
            parent: column(&["parent"]),
            grouped: column(&["groupedproducts"]),
            upsells: column(&["upsells"]),
            cross_sells: column(&["crosssells"]),
            external: column(&["externalurl"]),
            button: column(&["buttontext"]),
            brands: column(&["brands"]),
            add_ons: column(&["metaproductaddons"]),
            attributes,
        }
    }
}

/// What a row is; the cell is a set of words such as `simple, downloadable, virtual`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Simple,
    Variable,
    Variation,
    Grouped,
    External,
}

fn kind(cell: Cell<'_>) -> Option<Kind> {
    let words: Vec<String> = cell.split(",").map(|word| word.text.to_ascii_lowercase()).collect();
    let is = |word: &str| words.iter().any(|other| other == word);
    let known = [
        ("variation", Kind::Variation),
        ("variable", Kind::Variable),
        ("grouped", Kind::Grouped),
        ("external", Kind::External),
        ("simple", Kind::Simple),
    ];
    known.into_iter().find(|(word, _)| is(word)).map(|(_, kind)| kind)
}

fn is_virtual(cell: Cell<'_>) -> bool {
    cell.split(",").any(|word| word.is("virtual") || word.is("downloadable"))
}

/// The products of a table.
pub(super) fn read(table: &mut Table, intake: &mut Intake<'_>) -> Vec<Draft> {
    let columns = Columns::of(table);
    let needed = [(columns.kind, "Type"), (columns.name, "Name"), (columns.price, "Regular price")];
    let hint = "export the products from WooCommerce (Products → Export) in English, with all columns";
    if !table.has(&needed, &intake.terms.source.name, hint, &mut intake.problems) {
        return Vec::new();
    }
    let mut parents: Vec<(Kind, Row<'_>)> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut variations: Vec<Row<'_>> = Vec::new();
    for row in table.rows() {
        let cell = row.cell(columns.kind);
        match kind(cell) {
            Some(Kind::Variation) => variations.push(row),
            Some(kind) => {
                for name in own_names(row, &columns) {
                    by_name.entry(name).or_insert(parents.len());
                }
                parents.push((kind, row));
            }
            None => {
                intake.leave_out(cell, format!("products of the type `{}` cannot be sold yet; this row is left out", cell.text))
            }
        }
    }
    let mut children: BTreeMap<usize, Vec<Row<'_>>> = BTreeMap::new();
    for row in variations {
        let parent = row.cell(columns.parent);
        match by_name.get(&reference(parent.text)).filter(|index| parents[**index].0 == Kind::Variable) {
            Some(index) => children.entry(*index).or_default().push(row),
            None => {
                let message =
                    format!("this variation belongs to `{}`, which is no variable product here; it is left out", parent.text);
                intake.leave_out(parent, message);
            }
        }
    }
    let draft = |(index, (kind, row)): (usize, &(Kind, Row<'_>))| {
        let children = children.get(&index).map_or(&[][..], Vec::as_slice);
        draft(intake, &columns, *kind, *row, children)
    };
    parents.iter().enumerate().filter_map(draft).collect()
}

// A product is called by its SKU or by its number.
fn own_names(row: Row<'_>, columns: &Columns) -> Vec<String> {
    let sku = row.cell(columns.sku).text;
    let id = row.cell(columns.id).text;
    [reference(sku), format!("id:{id}")].into_iter().filter(|name| !name.is_empty() && name != "id:").collect()
}

fn reference(text: &str) -> String {
    let text = text.trim();
    text.strip_prefix("id:").map_or_else(|| text.to_owned(), |id| format!("id:{}", id.trim()))
}

fn draft(intake: &mut Intake<'_>, columns: &Columns, kind: Kind, row: Row<'_>, children: &[Row<'_>]) -> Option<Draft> {
    let add_ons = row.cell(columns.add_ons);
    if let Some(surcharge) = surcharge(add_ons.text) {
        surcharge.leave_out(intake, add_ons);
        return None;
    }
    let title = row.cell(columns.name);
    // The export holds no address; SKUs are codes, not words for an address.
    let mut draft = Draft::new(intake, title, Cell::default())?;
    draft.names = own_names(row, columns);
    let alt = draft.loaded.product.title.clone();
    for picture in listed(row.cell(columns.images)) {
        draft.picture(intake.picture(picture, &alt));
    }
    for path in listed(row.cell(columns.categories)) {
        draft.category(path.text.split(" > "));
    }
    let related = [columns.grouped, columns.upsells, columns.cross_sells].map(|column| row.cell(column));
    draft.related = related.into_iter().flat_map(listed).map(|name| reference(name.text)).collect();
    draft.loaded.product.brand = listed(row.cell(columns.brands)).find_map(name).map(Into::into);
    draft.loaded.product.tax_class = tax_class(intake, columns, row);
    draft.loaded.product.status = status(intake, columns, row);
    if row.cell(columns.sold_individually).is_yes() {
        draft.loaded.product.quantity = QuantityRule { min: 1, max: 1, step: 1 };
    }
    draft.loaded.details.body = body(intake, columns, kind, row);
    draft.loaded.details.tags = listed(row.cell(columns.tags)).filter_map(name).collect();
    let names = variants(intake, columns, &mut draft, kind, row, children);
    let draft = draft.finish(&names);
    if draft.is_none() {
        intake.leave_out(title, "no variation of this product can be sold; it is left out");
    }
    draft
}

// What an add-on of the plugin Product Add-Ons adds to the price: PHP's `"price";s:2:"10"`, or JSON's `"price":"10"`.
fn surcharge(add_ons: &str) -> Option<Surcharge<'_>> {
    add_ons.split("\"price\"").skip(1).find_map(|rest| {
        let value = rest.trim_start_matches([';', ':', ' ']).split([';', ',', '}']).next()?;
        let amount = value.rsplit(':').next()?.trim_matches('"');
        Surcharge::of("an add-on".to_owned(), amount)
    })
}

// A list by comma, in which a comma of a name is written `\,`.
fn listed(cell: Cell<'_>) -> impl Iterator<Item = Cell<'_>> {
    let mut start = 0;
    let text = cell.text;
    let is_end = move |(index, _): &(usize, &str)| *index == 0 || !text[..*index].ends_with('\\');
    let ends: Vec<usize> = text.match_indices(',').filter(is_end).map(|(index, _)| index).chain([text.len()]).collect();
    let parts = ends.into_iter().map(move |end| {
        let part = &text[start..end];
        start = (end + 1).min(text.len());
        cell.part(part)
    });
    parts.filter(|part| !part.is_empty())
}

fn unescaped(text: &str) -> String {
    decoded_name(&text.replace("\\,", ","))
}

fn tax_class(intake: &mut Intake<'_>, columns: &Columns, row: Row<'_>) -> crate::commerce::ids::TaxClass {
    let status = row.cell(columns.tax_status);
    if status.is("none") || status.is("shipping") {
        intake.warn(status, format!("this product is not taxed there; here it has the tax class `{}`", intake.terms.tax_class));
    }
    intake.tax_class(row.cell(columns.tax_class))
}

fn status(intake: &mut Intake<'_>, columns: &Columns, row: Row<'_>) -> ProductStatus {
    let (published, visibility) = (row.cell(columns.published), row.cell(columns.visibility));
    if visibility.is("hidden") {
        intake.warn(visibility, "this product is hidden there; here it is a draft");
    }
    let is_shown = published.is_empty() || published.is_yes();
    if is_shown && !visibility.is("hidden") { ProductStatus::Active } else { ProductStatus::Draft }
}

// The short text, then the long one; where something is bought elsewhere, the way there.
fn body(intake: &Intake<'_>, columns: &Columns, kind: Kind, row: Row<'_>) -> Body {
    // The exporter writes line ends as two characters.
    let text = |column: Column| row.cell(column).text.replace("\\n", "\n");
    let (short, long) = (text(columns.short), text(columns.body));
    let mut parts = vec![long.clone()];
    if !short.is_empty() && !long.contains(&short) {
        parts.insert(0, short);
    }
    let external = row.cell(columns.external).text;
    if kind == Kind::External && external.starts_with("http") {
        let button = Some(row.cell(columns.button).text).filter(|text| !text.is_empty()).unwrap_or(external);
        parts.push(format!("<p><a href=\"{}\">{}</a></p>", html_safe(external), html_safe(&decoded_name(button))));
    }
    let parts: Vec<String> = parts.iter().map(|part| if is_html(part) { part.clone() } else { paragraphs(part) }).collect();
    match intake.terms.source.body_format {
        Some(_) => intake.body(&parts.join("\n")),
        None => Body::Html(sanitized(&parts.join("\n"))),
    }
}

/// The attributes of a row: name, values, whether they are shown.
fn attributes<'a>(row: Row<'a>, columns: &Columns) -> Vec<(String, Cell<'a>, bool)> {
    let attribute =
        |[name, values, visible]: &[Column; 3]| (unescaped(row.cell(*name).text), row.cell(*values), !row.cell(*visible).is_no());
    columns.attributes.iter().map(attribute).filter(|(name, ..)| !name.is_empty()).collect()
}

// Adds the variants and the attributes that are not chosen; gives the names of the options.
fn variants(
    intake: &mut Intake<'_>,
    columns: &Columns,
    draft: &mut Draft,
    kind: Kind,
    row: Row<'_>,
    children: &[Row<'_>],
) -> Vec<String> {
    let own = attributes(row, columns);
    let is_chosen = |name: &str| children.iter().any(|child| attributes(*child, columns).iter().any(|(other, ..)| other == name));
    let (chosen, told): (Vec<_>, Vec<_>) = own.into_iter().partition(|(name, ..)| is_chosen(name));
    for (name, values, is_visible) in told {
        if is_visible {
            let values: Vec<String> = listed(values).map(|value| unescaped(value.text)).collect();
            draft.attribute(&name, &values.join(", "));
        }
    }
    let whole = row.cell(columns.name);
    match kind {
        Kind::Simple => {
            let variant = variant(intake, columns, row, row, true);
            draft.add(intake, whole, &[], variant);
        }
        Kind::Grouped | Kind::External => {
            let word = if kind == Kind::Grouped {
                "a grouped product is shown with its parts"
            } else {
                "an external product is shown with a link"
            };
            intake.warn(row.cell(columns.kind), format!("{word} and cannot be bought itself"));
            let variant = variant(intake, columns, row, row, false);
            draft.add(intake, whole, &[], variant);
        }
        Kind::Variable | Kind::Variation => {
            let names: Vec<String> = chosen.iter().map(|(name, ..)| name.clone()).collect();
            let choices: Vec<Vec<String>> =
                chosen.iter().map(|(_, values, _)| listed(*values).map(|value| unescaped(value.text)).collect()).collect();
            for child in children {
                expand(intake, columns, draft, (row, *child), &names, &choices);
            }
            return names;
        }
    }
    Vec::new()
}

// A variation that leaves a value open stands for each of them; what it has in stock is shared out, so that nothing is sold twice.
fn expand(
    intake: &mut Intake<'_>,
    columns: &Columns,
    draft: &mut Draft,
    (parent, row): (Row<'_>, Row<'_>),
    names: &[String],
    choices: &[Vec<String>],
) {
    let cell = row.cell(columns.name);
    let own = attributes(row, columns);
    let written =
        |name: &String| own.iter().find(|(other, ..)| other == name).map_or(String::new(), |(_, value, _)| unescaped(value.text));
    let mut combinations: Vec<(Vec<String>, Vec<String>)> = vec![(Vec::new(), Vec::new())];
    for (name, choices) in names.iter().zip(choices) {
        let value = written(name);
        if !value.is_empty() {
            combinations.iter_mut().for_each(|(values, _)| values.push(value.clone()));
            continue;
        }
        let with = |(values, open): &(Vec<String>, Vec<String>), choice: &String| {
            let more = |list: &[String]| list.iter().chain([choice]).cloned().collect::<Vec<_>>();
            (more(values), more(open))
        };
        combinations =
            combinations.iter().flat_map(|one| choices.iter().map(|choice| with(one, choice)).collect::<Vec<_>>()).collect();
        if combinations.len() > MAX_EXPANSION {
            let message = format!("this variation stands for more than {MAX_EXPANSION} combinations; it is left out");
            return intake.leave_out(cell, message);
        }
    }
    let published = row.cell(columns.published);
    if !published.is_empty() && !published.is_yes() {
        return intake.leave_out(published, "this variation is not published; it is left out");
    }
    let count = u32::try_from(combinations.len()).unwrap_or(u32::MAX);
    if count > 1 {
        let open: Vec<&str> = names.iter().filter(|name| written(name).is_empty()).map(String::as_str).collect();
        intake.warn(cell, format!("this variation stands for any {}: it becomes {count} variants", open.join(" and ")));
    }
    let whole = variant(intake, columns, row, parent, true);
    for ((values, open), index) in combinations.into_iter().zip(0u32..) {
        let mut one = whole.clone();
        one.option_values = values.into_iter().map(Into::into).collect();
        one.opening_stock = whole.opening_stock / count + u32::from(index < whole.opening_stock % count);
        if !one.sku.as_str().is_empty() {
            for value in &open {
                one.sku = format!("{}-{}", one.sku, super::draft::slug_of(value, "any")).into();
            }
        }
        draft.add(intake, cell, names, one);
    }
}

fn variant(intake: &mut Intake<'_>, columns: &Columns, row: Row<'_>, parent: Row<'_>, is_sold: bool) -> Variant {
    let cells = PriceCells {
        price: row.cell(columns.price),
        sale: row.cell(columns.sale),
        from: row.cell(columns.sale_from),
        until: row.cell(columns.sale_until),
        ..PriceCells::default()
    };
    let price = if is_sold { intake.price(cells, intake.terms.currency) } else { None };
    // `parent`: the parent counts for all.
    let stock = row.cell(columns.stock);
    let stock = if stock.is("parent") { parent.cell(columns.stock) } else { stock };
    let backorders = row.cell(columns.backorders);
    let (mut opening_stock, mut stock_policy) = intake.stock(stock, backorders.is_yes() || backorders.is("notify"));
    if row.cell(columns.in_stock).is_no() && stock.is_empty() {
        (opening_stock, stock_policy) = (0, crate::commerce::catalog::StockPolicy::Deny);
    }
    Variant {
        sku: Sku::from(row.cell(columns.sku).text.to_owned()),
        prices: prices(price),
        weight_g: intake.grams(row.cell(columns.weight).or(parent.cell(columns.weight)), columns.weight_unit),
        requires_shipping: !is_virtual(row.cell(columns.kind)),
        opening_stock,
        stock_policy,
        image: (row.line() != parent.line())
            .then(|| listed(row.cell(columns.images)).next().and_then(|picture| intake.picture(picture, "")))
            .flatten()
            .map(Box::new),
        gtin: gtin(row.cell(columns.gtin).text),
        ..blank_variant()
    }
}
