//! Magento: its product CSV (Magento 2, Adobe Commerce) → drafts.
//!
//! Owns    how children become variants of a configurable product (`configurable_variations`), packed attributes and custom options, store
//!         views, visibility.
//! Always  price and stock are the children's; a child that is listed by a product has no page of its own.
//! Source  Magento 2's import and export format of products.

use std::collections::{HashMap, HashSet};

use super::draft::{Draft, blank_variant, label, name, prices};
use super::intake::{Intake, PriceCells, whole};
use super::surcharge::Surcharge;
use super::table::{Cell, Column, Row, Table};
use crate::commerce::cart::MAX_QUANTITY;
use crate::commerce::catalog::{ProductStatus, QuantityRule, StockPolicy, Variant};
use crate::commerce::ids::Sku;
use crate::site::load::html::decoded_name;
use crate::site::load::{Body, html};

/// Attributes by which the system speaks to itself.
const INNER_ATTRIBUTES: [&str; 5] = ["has_options", "required_options", "gift_message_available", "swatch_image", "msrp_enabled"];

struct Columns {
    sku: Column,
    store_view: Column,
    kind: Column,
    categories: Column,
    older_category: Column,
    name: Column,
    description: Column,
    short_description: Column,
    weight: Column,
    online: Column,
    tax_class: Column,
    visibility: Column,
    price: Column,
    special_price: Column,
    special_from: Column,
    special_until: Column,
    url_key: Column,
    meta_title: Column,
    meta_description: Column,
    base_image: Column,
    base_image_label: Column,
    additional_images: Column,
    attributes: Column,
    quantity: Column,
    use_config_backorders: Column,
    backorders: Column,
    min_cart: Column,
    use_config_min: Column,
    max_cart: Column,
    use_config_max: Column,
    in_stock: Column,
    manage_stock: Column,
    use_config_manage: Column,
    variations: Column,
    variation_labels: Column,
    related: Column,
    upsells: Column,
    cross_sells: Column,
    associated: Column,
    updated_at: Column,
    custom_options: Column,
    variation_prices: Column,
}

impl Columns {
    fn of(table: &mut Table) -> Self {
        let mut column = |name: &str| table.column(&[name]);
        Self {
            sku: column("sku"),
            store_view: column("storeviewcode"),
            kind: column("producttype"),
            categories: column("categories"),
            older_category: column("category"),
            name: column("name"),
            description: column("description"),
            short_description: column("shortdescription"),
            weight: column("weight"),
            online: column("productonline"),
            tax_class: column("taxclassname"),
            visibility: column("visibility"),
            price: column("price"),
            special_price: column("specialprice"),
            special_from: column("specialpricefromdate"),
            special_until: column("specialpricetodate"),
            url_key: column("urlkey"),
            meta_title: column("metatitle"),
            meta_description: column("metadescription"),
            base_image: column("baseimage"),
            base_image_label: column("baseimagelabel"),
            additional_images: column("additionalimages"),
            attributes: column("additionalattributes"),
            quantity: column("qty"),
            use_config_backorders: column("useconfigbackorders"),
            backorders: column("allowbackorders"),
            min_cart: column("mincartqty"),
            use_config_min: column("useconfigminsaleqty"),
            max_cart: column("maxcartqty"),
            use_config_max: column("useconfigmaxsaleqty"),
            in_stock: column("isinstock"),
            manage_stock: column("managestock"),
            use_config_manage: column("useconfigmanagestock"),
            variations: column("configurablevariations"),
            variation_labels: column("configurablevariationlabels"),
            related: column("relatedskus"),
            upsells: column("upsellskus"),
            cross_sells: column("crosssellskus"),
            associated: column("associatedskus"),
            updated_at: column("updatedat"),
            custom_options: column("customoptions"),
            variation_prices: column("configurablevariationprices"),
        }
    }
}

/// The products of a table.
pub(super) fn read(table: &mut Table, intake: &mut Intake<'_>) -> Vec<Draft> {
    let columns = Columns::of(table);
    let needed = [(columns.sku, "sku"), (columns.name, "name"), (columns.price, "price")];
    let hint = "export the products from Magento (System → Export → Products)";
    if !table.has(&needed, &intake.terms.source.name, hint, &mut intake.problems) {
        return Vec::new();
    }
    let mut rows: Vec<Row<'_>> = table.rows().filter(|row| is_default_view(intake, &columns, *row)).collect();
    let mut by_sku: HashMap<&str, Row<'_>> = HashMap::new();
    rows.retain(|row| {
        let sku = row.cell(columns.sku);
        if let Some(first) = by_sku.get(sku.text).filter(|_| !sku.is_empty()) {
            let problem = intake.problem(sku, format!("the SKU `{}` is already used on line {}", sku.text, first.line()));
            intake.problems.push(problem.hint("give every product its own SKU"));
            return false;
        }
        by_sku.insert(sku.text, *row);
        true
    });
    let listed = rows.iter().flat_map(|row| packed(row.cell(columns.variations), '|'));
    let children: HashSet<&str> = listed.filter_map(|part| value(part, "sku")).collect();
    let draft = |row: &Row<'_>| -> Option<Draft> {
        let (sku, visibility) = (row.cell(columns.sku), row.cell(columns.visibility));
        let is_hidden = visibility.is("Not Visible Individually") || visibility.text == "1";
        match (children.contains(sku.text), is_hidden) {
            // A variant of another product; it is looked up from there.
            (true, true) => None,
            (true, false) => {
                intake.leave_out(visibility, format!("`{}` is a variant of another product; its own page is left out", sku.text));
                None
            }
            (false, true) => {
                intake.leave_out(visibility, format!("`{}` is not visible, and no product lists it; it is left out", sku.text));
                None
            }
            (false, false) => draft(intake, &columns, *row, &by_sku),
        }
    };
    rows.iter().filter_map(draft).collect()
}

// Further store views repeat a product with texts of another language.
fn is_default_view(intake: &mut Intake<'_>, columns: &Columns, row: Row<'_>) -> bool {
    let view = row.cell(columns.store_view);
    let is_default = view.is_empty() || view.is("default") || view.is("admin");
    if !is_default {
        intake.leave_out(view, format!("this row holds texts of the store view `{}`; it is left out", view.text));
    }
    is_default
}

// The parts of `a=b,c=d`. A comma in a value is told by the part after it, which has no `=`.
fn packed<'a>(cell: Cell<'a>, separator: char) -> impl Iterator<Item = &'a str> {
    let text = cell.text;
    let mut start = 0;
    let mut ends: Vec<usize> = Vec::new();
    for (index, _) in text.match_indices(separator) {
        let after = &text[index + 1..];
        let part = &after[..after.find(separator).unwrap_or(after.len())];
        if part.contains('=') {
            ends.push(index);
        }
    }
    ends.push(text.len());
    ends.into_iter()
        .map(move |end| {
            let part = &text[start..end];
            start = (end + 1).min(text.len());
            part.trim()
        })
        .filter(|part| !part.is_empty())
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    packed(Cell { text, ..Cell::default() }, ',')
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
}

fn value<'a>(variation: &'a str, key: &str) -> Option<&'a str> {
    pairs(variation).find(|(other, _)| *other == key).map(|(_, value)| value)
}

// What a choice of a custom option, or a value of an option, adds to the price.
fn surcharge(part: &str) -> Option<Surcharge<'_>> {
    let choice = [value(part, "name"), value(part, "option_title").or(value(part, "value"))];
    let choice: Vec<&str> = choice.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    Surcharge::of(decoded_name(&choice.join(": ")), value(part, "price")?)
}

fn draft(intake: &mut Intake<'_>, columns: &Columns, row: Row<'_>, by_sku: &HashMap<&str, Row<'_>>) -> Option<Draft> {
    let kind = row.cell(columns.kind);
    let is_configurable = kind.is("configurable");
    let is_grouped = kind.is("grouped");
    if !(is_configurable || is_grouped || ["", "simple", "virtual", "downloadable"].iter().any(|word| kind.is(word))) {
        intake.leave_out(kind, format!("products of the type `{}` cannot be sold yet; this row is left out", kind.text));
        return None;
    }
    let options = row.cell(columns.custom_options);
    for cell in [options, row.cell(columns.variation_prices)] {
        if let Some(surcharge) = packed(cell, '|').find_map(surcharge) {
            surcharge.leave_out(intake, cell);
            return None;
        }
    }
    if !options.is_empty() {
        intake.warn(options, "what is asked of the buyer here is left out: write it as `properties` into the product's file");
    }
    let mut draft = Draft::new(intake, row.cell(columns.name), row.cell(columns.url_key))?;
    draft.names = vec![row.cell(columns.sku).text.to_owned()];
    pictures(intake, columns, &mut draft, row);
    categories(columns, &mut draft, row);
    for (key, value) in pairs(row.cell(columns.attributes).text).filter(|(key, _)| !INNER_ATTRIBUTES.contains(key)) {
        draft.attribute(&label(key), &value.replace('|', ", "));
    }
    let lists = [columns.related, columns.upsells, columns.cross_sells].map(|column| row.cell(column));
    let associated =
        row.cell(columns.associated).split(",").filter_map(|part| Some(part.text.split('=').next()?.trim().to_owned()));
    draft.related = lists.into_iter().flat_map(|cell| cell.split(",")).map(|sku| sku.text.to_owned()).chain(associated).collect();
    let product = &mut draft.loaded.product;
    product.tax_class = intake.tax_class(row.cell(columns.tax_class));
    product.quantity = quantity(columns, row);
    // 2 is how Magento says "disabled".
    let online = row.cell(columns.online);
    product.status = if online.is_empty() || online.text == "1" { ProductStatus::Active } else { ProductStatus::Draft };
    let details = &mut draft.loaded.details;
    details.body = body(intake, columns, row);
    details.seo_title = name(row.cell(columns.meta_title));
    details.seo_description = name(row.cell(columns.meta_description));
    details.updated_at = intake.instant(row.cell(columns.updated_at));
    let names = if is_configurable {
        configured(intake, columns, &mut draft, row, by_sku)
    } else {
        if is_grouped {
            intake.warn(kind, "a grouped product is shown with its parts and cannot be bought itself");
        }
        let variant = variant(intake, columns, row, !is_grouped);
        draft.add(intake, row.cell(columns.sku), &[], Variant { image: None, ..variant });
        Vec::new()
    };
    let draft = draft.finish(&names);
    if draft.is_none() {
        intake.leave_out(row.cell(columns.sku), "no variation of this product can be sold; it is left out");
    }
    draft
}

fn pictures(intake: &mut Intake<'_>, columns: &Columns, draft: &mut Draft, row: Row<'_>) {
    let title = draft.loaded.product.title.clone();
    let alt = name(row.cell(columns.base_image_label)).unwrap_or_else(|| title.clone());
    draft.picture(intake.picture(row.cell(columns.base_image), &alt));
    for cell in row.cell(columns.additional_images).split(",") {
        draft.picture(intake.picture(cell, &title));
    }
}

// Paths by `/`, a comma between them; each begins with the root of a store, which is no category. The first is the one with the
// longest way: `Default Category/Men` stands before or after `Default Category/Men/Tops`, and the deeper one says more.
fn categories(columns: &Columns, draft: &mut Draft, row: Row<'_>) {
    let listed = row.cell(columns.categories);
    let mut paths: Vec<Vec<String>> = Vec::new();
    for part in listed.text.split(',') {
        // A name that holds a comma goes on in the next part, which does not begin with a root.
        let root = listed.text.split(['/', ',']).next().unwrap_or("");
        let titles = || part.split('/').map(decoded_name);
        match paths.last_mut() {
            Some(last) if part.split('/').next() != Some(root) && !part.contains('/') => {
                if let Some(title) = last.last_mut() {
                    *title = format!("{title},{}", part.trim_end());
                }
            }
            _ => paths.push(titles().collect()),
        }
    }
    let ancestors: Vec<Vec<String>> = paths.clone();
    for path in &paths {
        let is_way = ancestors.iter().any(|other| other.len() > path.len() && other.starts_with(path));
        if !is_way {
            draft.category(path.iter().skip(1).map(String::as_str));
        }
    }
    // The layout of the sample data: one name per line, from the root.
    draft.category(row.cell(columns.older_category).text.split('\n'));
}

fn quantity(columns: &Columns, row: Row<'_>) -> QuantityRule {
    let limit = |column: Column, use_config: Column| {
        let own = !row.cell(use_config).is_yes();
        whole(row.cell(column).text).filter(|limit| own && (1..=MAX_QUANTITY).contains(limit))
    };
    let min = limit(columns.min_cart, columns.use_config_min).unwrap_or(1);
    let max = limit(columns.max_cart, columns.use_config_max).unwrap_or(MAX_QUANTITY);
    QuantityRule { min, max: max.max(min), step: 1 }
}

fn body(intake: &Intake<'_>, columns: &Columns, row: Row<'_>) -> Body {
    let (short, long) = (row.cell(columns.short_description).text, row.cell(columns.description).text);
    if short.is_empty() || long.contains(short) || long.is_empty() {
        return intake.body(if long.is_empty() { short } else { long });
    }
    let part = |text: &str| if html::is_html(text) { text.to_owned() } else { html::paragraphs(text) };
    match intake.terms.source.body_format {
        Some(_) => intake.body(&format!("{short}\n\n{long}")),
        None => Body::Html(html::sanitized(&format!("{}\n{}", part(short), part(long)))),
    }
}

// Adds a variant for each child that is listed; gives the names of the options.
fn configured(
    intake: &mut Intake<'_>,
    columns: &Columns,
    draft: &mut Draft,
    row: Row<'_>,
    by_sku: &HashMap<&str, Row<'_>>,
) -> Vec<String> {
    let cell = row.cell(columns.variations);
    let labels: HashMap<&str, &str> = pairs(row.cell(columns.variation_labels).text).collect();
    let mut keys: Vec<&str> = Vec::new();
    for variation in packed(cell, '|') {
        for (key, _) in pairs(variation).filter(|(key, _)| *key != "sku") {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    let names: Vec<String> =
        keys.iter().map(|key| labels.get(key).map_or_else(|| label(key), |label| decoded_name(label))).collect();
    for variation in packed(cell, '|') {
        let sku = value(variation, "sku").unwrap_or("");
        let Some(child) = by_sku.get(sku) else {
            intake.leave_out(cell.part(variation), format!("there is no row with the SKU `{sku}`; this variation is left out"));
            continue;
        };
        let online = child.cell(columns.online);
        if !online.is_empty() && online.text != "1" {
            intake.leave_out(online, format!("the variation `{sku}` is disabled; it is left out"));
            continue;
        }
        let mut variant = variant(intake, columns, *child, true);
        variant.option_values = keys.iter().map(|key| decoded_name(value(variation, key).unwrap_or("")).into()).collect();
        draft.add(intake, child.cell(columns.sku), &names, variant);
    }
    names
}

fn variant(intake: &mut Intake<'_>, columns: &Columns, row: Row<'_>, is_sold: bool) -> Variant {
    let cells = PriceCells {
        price: row.cell(columns.price),
        sale: row.cell(columns.special_price),
        from: row.cell(columns.special_from),
        until: row.cell(columns.special_until),
        ..PriceCells::default()
    };
    let price = if is_sold { intake.price(cells, intake.terms.currency) } else { None };
    let own_backorders =
        !row.cell(columns.use_config_backorders).is_yes() && !matches!(row.cell(columns.backorders).text, "" | "0");
    let (mut opening_stock, mut stock_policy) = intake.stock(row.cell(columns.quantity), own_backorders);
    let is_counted = row.cell(columns.use_config_manage).is_yes() || !row.cell(columns.manage_stock).is_no();
    if !is_counted {
        (opening_stock, stock_policy) = (0, StockPolicy::Untracked);
    } else if row.cell(columns.in_stock).is_no() {
        (opening_stock, stock_policy) = (0, StockPolicy::Deny);
    }
    Variant {
        sku: Sku::from(row.cell(columns.sku).text.to_owned()),
        prices: prices(price),
        weight_g: intake.grams(row.cell(columns.weight), None),
        requires_shipping: !(row.cell(columns.kind).is("virtual") || row.cell(columns.kind).is("downloadable")),
        opening_stock,
        stock_policy,
        image: intake.picture(row.cell(columns.base_image), "").map(Box::new),
        ..blank_variant()
    }
}
