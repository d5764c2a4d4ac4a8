//! Shopify: its product CSV → drafts.
//!
//! Owns    headers by any spelling, which row is a variant and which only a picture, what is inherited.
//! Source  Shopify's product CSV, in the shapes its exports and its imitators have had.

use std::collections::BTreeSet;

use super::draft::{Draft, name, prices};
use super::intake::{Intake, PriceCells, WeightUnit, gtin};
use super::table::{Cell, Column, Row, Table};
use crate::commerce::catalog::{ProductStatus, Variant};
use crate::commerce::ids::Sku;
use crate::site::load::html::decoded_name;

/// Options a product can have there.
const OPTIONS: usize = 3;

struct Columns {
    handle: Column,
    title: Column,
    body: Column,
    vendor: Column,
    kind: Column,
    tags: Column,
    published: Column,
    status: Column,
    option_names: [Column; OPTIONS],
    option_values: [Column; OPTIONS],
    sku: Column,
    grams: Column,
    quantity: Column,
    policy: Column,
    price: Column,
    compare_at: Column,
    requires_shipping: Column,
    barcode: Column,
    image: Column,
    image_alt: Column,
    gift_card: Column,
    seo_title: Column,
    seo_description: Column,
    variant_image: Column,
}

impl Columns {
    // Some exports shorten or misspell a name.
    fn of(table: &mut Table) -> Self {
        let mut column = |names: &[&str]| table.column(names);
        Self {
            handle: column(&["handle", "urlhandle"]),
            title: column(&["title"]),
            body: column(&["bodyhtml", "body", "description"]),
            vendor: column(&["vendor"]),
            kind: column(&["type", "customproducttype"]),
            tags: column(&["tags"]),
            published: column(&["published", "publishedononlinestore"]),
            status: column(&["status"]),
            option_names: [column(&["option1name"]), column(&["option2name"]), column(&["option3name"])],
            option_values: [column(&["option1value"]), column(&["option2value"]), column(&["option3value"])],
            sku: column(&["variantsku", "sku"]),
            grams: column(&["variantgrams", "weightvaluegrams"]),
            quantity: column(&["variantinventoryqty", "variantinventoryquantity", "inventoryquantity"]),
            policy: column(&["variantinventorypolicy", "continuesellingwhenoutofstock"]),
            price: column(&["variantprice", "price"]),
            compare_at: column(&["variantcompareatprice", "compareatprice"]),
            requires_shipping: column(&["variantrequiresshipping", "requiresshipping"]),
            barcode: column(&["variantbarcode", "barcode"]),
            image: column(&["imagesrc", "productimageurl"]),
            image_alt: column(&["imagealttext"]),
            gift_card: column(&["giftcard"]),
            seo_title: column(&["seotitle"]),
            seo_description: column(&["seodescription"]),
            variant_image: column(&["variantimage", "variantimageurl"]),
        }
    }
}

/// The products of a table.
pub(super) fn read(table: &mut Table, intake: &mut Intake<'_>) -> Vec<Draft> {
    let columns = Columns::of(table);
    let needed = [(columns.handle, "Handle"), (columns.price, "Variant Price")];
    let hint = "export the products from Shopify as CSV, or give the columns Shopify's names";
    if !table.has(&needed, &intake.terms.source.name, hint, &mut intake.problems) {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for row in table.rows() {
        if row.cell(columns.handle).is_empty() {
            intake.leave_out(row.cell(columns.handle), "this row has no handle; it is left out");
        } else {
            rows.push(row);
        }
    }
    // Rows of one product stand together. The same handle again, further down, is another product that claims the same address.
    let blocks = rows.chunk_by(|one, other| one.cell(columns.handle).text == other.cell(columns.handle).text);
    blocks.filter_map(|block| Block { rows: block, columns: &columns }.draft(intake)).collect()
}

struct Block<'a> {
    rows: &'a [Row<'a>],
    columns: &'a Columns,
}

impl<'a> Block<'a> {
    fn draft(&self, intake: &mut Intake<'_>) -> Option<Draft> {
        let columns = self.columns;
        let first = self.rows[0];
        let gift_card = self.first(columns.gift_card);
        if gift_card.is("true") {
            intake.leave_out(gift_card, "gift cards cannot be sold yet; this product is left out");
            return None;
        }
        let title = self.first(columns.title).or(first.cell(columns.title));
        let mut draft = Draft::new(intake, title, first.cell(columns.handle))?;
        draft.loaded.details.source.line = first.line();
        let names = self.option_names();
        for row in self.rows {
            let cell = row.cell(columns.image);
            let alt = name(row.cell(columns.image_alt)).unwrap_or_else(|| draft.loaded.product.title.clone());
            draft.picture(intake.picture(cell, &alt));
        }
        for row in self.rows {
            // A row is a variant if it has a price or an option value; else it is one more picture.
            let has_value = columns.option_values.iter().any(|column| !row.cell(*column).is_empty());
            if has_value || !row.cell(columns.price).is_empty() || self.rows.len() == 1 {
                let variant = self.variant(*row, &names, intake);
                draft.add(intake, row.cell(columns.price).or(row.cell(columns.handle)), &names, variant);
            }
        }
        draft.category([self.first(columns.kind).text]);
        let product = &mut draft.loaded.product;
        product.brand = name(self.first(columns.vendor)).map(Into::into);
        product.status = self.status();
        let details = &mut draft.loaded.details;
        details.body = intake.body(self.first(columns.body).text);
        details.tags = self.first(columns.tags).split(",").filter_map(name).collect();
        details.seo_title = name(self.first(columns.seo_title));
        details.seo_description = name(self.first(columns.seo_description));
        let draft = draft.finish(&names);
        if draft.is_none() {
            intake.leave_out(first.cell(columns.price), "no row of this product can be sold; it is left out");
        }
        draft
    }

    // The first cell of a block that says anything: rows below the first leave what they share empty.
    fn first(&self, column: Column) -> Cell<'a> {
        self.rows.iter().map(|row| row.cell(column)).find(|cell| !cell.is_empty()).unwrap_or_default()
    }

    // `Title = Default Title` is how Shopify says "no options".
    fn option_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for index in 0..OPTIONS {
            let name = decoded_name(self.first(self.columns.option_names[index]).text);
            let cells = self.rows.iter().map(|row| row.cell(self.columns.option_values[index]));
            let values: BTreeSet<&str> = cells.map(|cell| cell.text).filter(|value| !value.is_empty()).collect();
            let is_dummy =
                name.eq_ignore_ascii_case("title") && values.iter().all(|value| value.eq_ignore_ascii_case("default title"));
            if values.is_empty() || is_dummy {
                break;
            }
            names.push(if name.is_empty() { format!("Option {}", index + 1) } else { name });
        }
        names
    }

    fn variant(&self, row: Row<'_>, names: &[String], intake: &mut Intake<'_>) -> Variant {
        let columns = self.columns;
        let policy = row.cell(columns.policy);
        let (opening_stock, stock_policy) = intake.stock(row.cell(columns.quantity), policy.is("continue") || policy.is_yes());
        let cells =
            PriceCells { price: row.cell(columns.price), compare_at: row.cell(columns.compare_at), ..PriceCells::default() };
        Variant {
            sku: Sku::from(row.cell(columns.sku).text.trim_start_matches('\'').to_owned()),
            option_values: columns.option_values[..names.len()]
                .iter()
                .map(|column| decoded_name(row.cell(*column).text).into())
                .collect(),
            prices: prices(intake.price(cells, intake.terms.currency)),
            weight_g: intake.grams(row.cell(columns.grams), Some(WeightUnit::Gram)),
            requires_shipping: !row.cell(columns.requires_shipping).is("false"),
            opening_stock,
            stock_policy,
            image: intake.picture(row.cell(columns.variant_image), "").map(Box::new),
            gtin: gtin(row.cell(columns.barcode).text),
            content: None,
        }
    }

    fn status(&self) -> ProductStatus {
        let status = self.first(self.columns.status);
        match status.text.to_ascii_lowercase().as_str() {
            "draft" => ProductStatus::Draft,
            "archived" => ProductStatus::Archived,
            _ if self.first(self.columns.published).is("false") => ProductStatus::Draft,
            _ => ProductStatus::Active,
        }
    }
}
