//! Shopify: its product CSV → products, each with the rows it came from.
//!
//! Owns    headers by any spelling, which row is a variant and which only a picture, what is inherited, what is left out and why.
//! Always  a wrong row stops that row, not the run; equal values in another form give equal products.
//! Source  Shopify's product CSV, in the shapes its exports and its imitators have had.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::html::{decoded_name, is_html, paragraphs, sanitized};
use super::products::{derived_sku, options};
use super::{Body, CategoryDetails, LoadedCategory, LoadedProduct, ProductDetails, Source, bytes, text};
use crate::commerce::catalog::{Category, Image, Price, Product, ProductStatus, QuantityRule, StockPolicy, Variant};
use crate::commerce::ids::{CategoryPath, Sku, Slug, TaxClass};
use crate::commerce::money::{Currency, Money};
use crate::site::problem::{Problem, Problems};

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Products, in the file's order.
    pub products: Vec<LoadedProduct>,
    /// Their types as categories.
    pub categories: Vec<LoadedCategory>,
}

/// Reads a file. `name` is what problems call it.
pub fn read(path: &Path, name: &str, currency: Currency, tax_class: Option<TaxClass>, problems: &mut Problems) -> Found {
    let Some(text) = bytes(path, name, problems).and_then(|bytes| text(name, bytes, problems)) else { return Found::default() };
    let Some(tax_class) = tax_class else { return Found::default() };
    parse(&text, name, currency, &tax_class, problems)
}

/// Reads the text of a file.
pub fn parse(text: &str, name: &str, currency: Currency, tax_class: &TaxClass, problems: &mut Problems) -> Found {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let columns = match reader.headers() {
        Ok(header) => Columns::find(header),
        Err(error) => {
            problems.push(Problem::about(name, format!("this is no CSV: {error}")));
            return Found::default();
        }
    };
    let missing: Vec<&str> = [Column::Handle, Column::Price]
        .into_iter()
        .filter(|column| columns.index(*column).is_none())
        .map(Column::title)
        .collect();
    if !missing.is_empty() {
        let problem = Problem::about(name, format!("the header has no column {}", missing.join(" and "))).on_line(1, 0, "");
        let first = text.lines().next().unwrap_or("");
        let is_apart = |sign| first.matches(sign).count() > first.matches(',').count();
        problems.push(match [(';', "semicolons"), ('\t', "tabs")].into_iter().find(|(sign, _)| is_apart(*sign)) {
            Some((_, name)) => {
                problem.hint(format!("the columns are separated by {name}; save the file with commas between them"))
            }
            None => problem.hint("export the products from Shopify as CSV, or give the columns Shopify's names"),
        });
        return Found::default();
    }
    let rows = rows(text, &mut reader, &columns, name, problems);
    let mut found = Found::default();
    let mut slugs: BTreeMap<String, u64> = BTreeMap::new();
    for block in blocks(&rows, &columns) {
        let mut reader = BlockReader { name, columns: &columns, currency, tax_class, problems };
        if let Some(product) = reader.product(block, &mut slugs) {
            found.products.push(product);
        }
    }
    found.categories = categories(&rows, &columns, &found.products, name);
    found
}

/// The columns that mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Column {
    Handle,
    Title,
    Body,
    Vendor,
    Type,
    Tags,
    Published,
    Status,
    OptionName(usize),
    OptionValue(usize),
    Sku,
    Grams,
    Tracker,
    Quantity,
    Policy,
    Price,
    CompareAt,
    RequiresShipping,
    Barcode,
    ImageSource,
    ImageAlt,
    GiftCard,
    SeoTitle,
    SeoDescription,
    VariantImage,
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Handle => "Handle",
            Self::Price => "Variant Price",
            Self::CompareAt => "Variant Compare At Price",
            Self::Title => "Title",
            _ => "of this name",
        }
    }

    // Case, blanks and signs do not count; some exports shorten or misspell a name.
    fn of(header: &str) -> Option<Self> {
        let plain: String = header.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        Some(match plain.as_str() {
            "handle" | "urlhandle" => Self::Handle,
            "title" => Self::Title,
            "body" | "bodyhtml" | "description" => Self::Body,
            "vendor" => Self::Vendor,
            "type" | "customproducttype" => Self::Type,
            "tags" => Self::Tags,
            "published" | "publishedononlinestore" => Self::Published,
            "status" => Self::Status,
            "option1name" => Self::OptionName(0),
            "option2name" => Self::OptionName(1),
            "option3name" => Self::OptionName(2),
            "option1value" => Self::OptionValue(0),
            "option2value" => Self::OptionValue(1),
            "option3value" => Self::OptionValue(2),
            "variantsku" | "sku" => Self::Sku,
            "variantgrams" | "weightvaluegrams" => Self::Grams,
            "variantinventorytracker" | "inventorytracker" => Self::Tracker,
            "variantinventoryqty" | "variantinventoryquantity" | "inventoryquantity" => Self::Quantity,
            "variantinventorypolicy" | "continuesellingwhenoutofstock" => Self::Policy,
            "variantprice" | "price" => Self::Price,
            "variantcompareatprice" | "compareatprice" => Self::CompareAt,
            "variantrequiresshipping" | "requiresshipping" => Self::RequiresShipping,
            "variantbarcode" | "barcode" => Self::Barcode,
            "imagesrc" | "productimageurl" => Self::ImageSource,
            "imagealttext" => Self::ImageAlt,
            "giftcard" => Self::GiftCard,
            "seotitle" => Self::SeoTitle,
            "seodescription" => Self::SeoDescription,
            "variantimage" | "variantimageurl" => Self::VariantImage,
            _ => return None,
        })
    }
}

struct Columns {
    by_meaning: BTreeMap<Column, usize>,
    count: usize,
}

impl Columns {
    fn find(header: &csv::StringRecord) -> Self {
        let mut by_meaning = BTreeMap::new();
        for (index, title) in header.iter().enumerate() {
            if let Some(column) = Column::of(title) {
                by_meaning.entry(column).or_insert(index);
            }
        }
        Self { by_meaning, count: header.len() }
    }

    fn index(&self, column: Column) -> Option<usize> {
        self.by_meaning.get(&column).copied()
    }

    fn cell<'a>(&self, row: &'a Row, column: Column) -> &'a str {
        let text = self.index(column).and_then(|index| row.record.get(index)).unwrap_or("");
        text.trim_matches(|sign: char| sign.is_whitespace() || sign == '\u{200b}')
    }
}

struct Row {
    record: csv::StringRecord,
    line: u64,
}

/// Counts lines of a text up to a byte, forwards only. (The CSV reader's own count lags where lines end in CR LF.)
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let byte = position.map_or(self.at, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
        let mut byte = byte.clamp(self.at, self.text.len());
        // A record is said to begin between the CR and the LF of the one before it.
        while matches!(self.text.get(byte), Some(b'\r' | b'\n')) {
            byte += 1;
        }
        self.line += self.text[self.at..byte].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = byte;
        self.line
    }
}

fn rows(text: &str, reader: &mut csv::Reader<&[u8]>, columns: &Columns, name: &str, problems: &mut Problems) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = lines.at(record.position());
                if record.len() != columns.count {
                    let message =
                        format!("this row has {} columns, the header has {}; it is left out", record.len(), columns.count);
                    let problem = Problem::about(name, message).on_line(line as usize, 0, record.get(0).unwrap_or("")).warning();
                    problems.push(problem.hint("look for a comma or a quote that is not inside quotes"));
                } else if record.iter().any(|cell| !cell.trim().is_empty()) {
                    rows.push(Row { record, line });
                }
            }
            Err(error) => {
                let line = lines.at(error.position());
                problems.push(Problem::about(name, format!("this row cannot be read: {error}")).on_line(line as usize, 0, ""));
            }
        }
    }
    let handle = columns.index(Column::Handle).unwrap_or(0);
    rows.retain(|row| {
        let has_handle = row.record.get(handle).is_some_and(|handle| !handle.trim().is_empty());
        if !has_handle {
            let problem =
                Problem::about(name, "this row has no handle; it is left out").on_line(row.line as usize, handle + 1, "");
            problems.push(problem.warning());
        }
        has_handle
    });
    rows
}

// Rows of one product stand together. The same handle again, further down, is another product that claims the same address.
fn blocks<'a>(rows: &'a [Row], columns: &Columns) -> Vec<&'a [Row]> {
    rows.chunk_by(|one, other| columns.cell(one, Column::Handle) == columns.cell(other, Column::Handle)).collect()
}

struct BlockReader<'a> {
    name: &'a str,
    columns: &'a Columns,
    currency: Currency,
    tax_class: &'a TaxClass,
    problems: &'a mut Problems,
}

impl BlockReader<'_> {
    fn product(&mut self, block: &[Row], slugs: &mut BTreeMap<String, u64>) -> Option<LoadedProduct> {
        let first = &block[0];
        let line = first.line;
        if self.first(block, Column::GiftCard).eq_ignore_ascii_case("true") {
            self.warn(line, Column::GiftCard, "true", "gift cards cannot be sold yet; this product is left out");
            return None;
        }
        let title = decoded_name(self.first(block, Column::Title));
        let slug = self.slug(first, &title, slugs)?;
        let title = if title.is_empty() { slug.clone() } else { title };
        let names = self.option_names(block);
        let (variants, derived_skus) = self.variants(block, &slug, &names);
        if variants.is_empty() {
            self.warn(line, Column::Price, "", "no row of this product can be sold; it is left out");
            return None;
        }
        let images = self.images(block, &title);
        let mut variants = variants;
        for picture in variants.iter_mut().filter_map(|variant| variant.image.as_mut()) {
            let known = images.iter().find(|image| image.url == picture.url);
            picture.alt = known.map_or_else(String::new, |image| image.alt.clone());
        }
        let category = category_path(self.first(block, Column::Type));
        let tags = self.first(block, Column::Tags).split(',').map(decoded_name).filter(|tag| !tag.is_empty()).collect();
        let some = |text: &str| Some(decoded_name(text)).filter(|text| !text.is_empty());
        let product = Product {
            slug: Slug(slug),
            title,
            brand: some(self.first(block, Column::Vendor)),
            categories: category.into_iter().map(|(path, _)| path).collect(),
            image: images.first().cloned(),
            options: options(&names, &variants),
            variants,
            tax_class: self.tax_class.clone(),
            quantity: QuantityRule::default(),
            properties: Vec::new(),
            status: self.status(block),
            publish_at: None,
            expires_at: None,
        };
        let details = ProductDetails {
            source: Source { file: self.name.to_owned(), line: line as usize },
            body: Body::Html(body(self.first(block, Column::Body))),
            images,
            tags,
            attributes: Vec::new(),
            related: Vec::new(),
            redirects: Vec::new(),
            seo_title: some(self.first(block, Column::SeoTitle)),
            seo_description: some(self.first(block, Column::SeoDescription)),
            updated_at: None,
        };
        Some(LoadedProduct { product, details, derived_skus })
    }

    // The first cell of a block that says anything: rows below the first leave what they share empty.
    fn first<'b>(&self, block: &'b [Row], column: Column) -> &'b str {
        block.iter().map(|row| self.columns.cell(row, column)).find(|cell| !cell.is_empty()).unwrap_or("")
    }

    fn slug(&mut self, first: &Row, title: &str, slugs: &mut BTreeMap<String, u64>) -> Option<String> {
        let handle = self.columns.cell(first, Column::Handle);
        let base = Some(slug::slugify(handle)).filter(|slug| !slug.is_empty()).unwrap_or_else(|| slug::slugify(title));
        if base.is_empty() {
            self.warn(first.line, Column::Handle, handle, "this handle gives no address; the product is left out");
            return None;
        }
        let mut slug = base.clone();
        let mut number = 2;
        while let Some(earlier) = slugs.get(&slug) {
            if number == 2 {
                let message = format!(
                    "the handle `{handle}` was already used on line {earlier}; this product gets an address of its own, `{base}-2`"
                );
                self.warn(first.line, Column::Handle, handle, &message);
            }
            slug = format!("{base}-{number}");
            number += 1;
        }
        slugs.insert(slug.clone(), first.line);
        Some(slug)
    }

    // `Title = Default Title` is how Shopify says "no options".
    fn option_names(&self, block: &[Row]) -> Vec<String> {
        let mut names = Vec::new();
        for index in 0..3 {
            let name = decoded_name(self.first(block, Column::OptionName(index)));
            let values: BTreeSet<&str> = block
                .iter()
                .map(|row| self.columns.cell(row, Column::OptionValue(index)))
                .filter(|value| !value.is_empty())
                .collect();
            let is_dummy =
                name.eq_ignore_ascii_case("title") && values.iter().all(|value| value.eq_ignore_ascii_case("default title"));
            if values.is_empty() || is_dummy {
                break;
            }
            names.push(if name.is_empty() { format!("Option {}", index + 1) } else { name });
        }
        names
    }

    // A row is a variant if it has a price or an option value; else it is one more picture.
    fn variants(&mut self, block: &[Row], slug: &str, names: &[String]) -> (Vec<Variant>, Vec<Sku>) {
        let mut variants: Vec<Variant> = Vec::new();
        let mut derived = Vec::new();
        for row in block {
            let cell = |column| self.columns.cell(row, column);
            let has_value = (0..3).any(|index| !cell(Column::OptionValue(index)).is_empty());
            if cell(Column::Price).is_empty() && !has_value {
                continue;
            }
            let values: Vec<String> = (0..names.len()).map(|index| decoded_name(cell(Column::OptionValue(index)))).collect();
            if let Some(index) = values.iter().position(String::is_empty) {
                let message = format!("this variant has no value for `{}`; it is left out", names[index]);
                self.warn(row.line, Column::OptionValue(index), "", &message);
                continue;
            }
            if variants.iter().any(|other| other.option_values == values) {
                let message = format!("the variant `{}` is there already; this row is left out", values.join(" / "));
                self.warn(row.line, Column::OptionValue(0), &values.join(" / "), &message);
                continue;
            }
            let given = cell(Column::Sku).trim_start_matches('\'').to_owned();
            let sku = if given.is_empty() { derived_sku(slug, &values) } else { Sku(given.clone()) };
            if given.is_empty() {
                derived.push(sku.clone());
            }
            let prices = self.prices(row);
            let variant = self.variant(row, sku, values, prices);
            variants.push(variant);
        }
        (variants, derived)
    }

    fn variant(&mut self, row: &Row, sku: Sku, option_values: Vec<String>, prices: Vec<Price>) -> Variant {
        let columns = self.columns;
        let cell = |column| columns.cell(row, column);
        let quantity = cell(Column::Quantity);
        let counted = whole(quantity);
        if !quantity.is_empty() && counted.is_none() && !quantity.starts_with('-') {
            self.warn(row.line, Column::Quantity, quantity, "this is no number of units; 0 is taken");
        }
        let goes_on = matches!(cell(Column::Policy).to_ascii_lowercase().as_str(), "continue" | "true" | "yes");
        let stock_policy = match (goes_on, quantity.is_empty()) {
            (true, _) => StockPolicy::Backorder,
            (false, true) => StockPolicy::Untracked,
            (false, false) => StockPolicy::Deny,
        };
        let picture = cell(Column::VariantImage);
        Variant {
            sku,
            option_values,
            prices,
            weight_g: whole(cell(Column::Grams)).unwrap_or(0),
            requires_shipping: !cell(Column::RequiresShipping).eq_ignore_ascii_case("false"),
            opening_stock: counted.unwrap_or(0),
            stock_policy,
            image: is_address(picture).then(|| Image { url: picture.to_owned(), alt: String::new(), width: None, height: None }),
            gtin: Some(cell(Column::Barcode).trim_start_matches('\'')).filter(|code| is_gtin(code)).map(str::to_owned),
        }
    }

    // No price: it is shown and cannot be bought. A compare-at price that is 0 or not above the price says nothing.
    fn prices(&mut self, row: &Row) -> Vec<Price> {
        let written = self.columns.cell(row, Column::Price);
        if written.is_empty() {
            self.warn(row.line, Column::Price, "", "this variant has no price and cannot be bought");
            return Vec::new();
        }
        let unit = match Money::parse(written, self.currency) {
            Ok(money) => money.minor,
            Err(error) => {
                let column = self.columns.index(Column::Price).map_or(0, |index| index + 1);
                self.problems.push(Problem::about(self.name, error.to_string()).on_line(row.line as usize, column, written));
                return Vec::new();
            }
        };
        let struck = self.columns.cell(row, Column::CompareAt);
        let compare_at_minor = match Money::parse(struck, self.currency) {
            _ if struck.is_empty() => None,
            Ok(money) if money.minor > unit => Some(money.minor),
            Ok(money) if money.minor == 0 => None,
            Ok(_) => {
                self.warn(row.line, Column::CompareAt, struck, "the struck-out price is not above the price; it is left out");
                None
            }
            Err(error) => {
                self.warn(row.line, Column::CompareAt, struck, &format!("{error}; it is left out"));
                None
            }
        };
        vec![Price { currency: self.currency, unit_minor: unit, compare_at_minor, sales: Vec::new() }]
    }

    fn images(&mut self, block: &[Row], title: &str) -> Vec<Image> {
        let mut images: Vec<Image> = Vec::new();
        for row in block {
            let url = self.columns.cell(row, Column::ImageSource);
            if url.is_empty() || images.iter().any(|image| image.url == url) {
                continue;
            }
            if !is_address(url) {
                self.warn(row.line, Column::ImageSource, url, "this is no address of a picture; it is left out");
                continue;
            }
            let alt = decoded_name(self.columns.cell(row, Column::ImageAlt));
            let alt = if alt.is_empty() { title.to_owned() } else { alt };
            images.push(Image { url: url.to_owned(), alt, width: None, height: None });
        }
        images
    }

    fn status(&self, block: &[Row]) -> ProductStatus {
        match self.first(block, Column::Status).to_ascii_lowercase().as_str() {
            "draft" => ProductStatus::Draft,
            "archived" => ProductStatus::Archived,
            _ if self.first(block, Column::Published).eq_ignore_ascii_case("false") => ProductStatus::Draft,
            _ => ProductStatus::Active,
        }
    }

    fn warn(&mut self, line: u64, column: Column, text: &str, message: &str) {
        let column = self.columns.index(column).map_or(0, |index| index + 1);
        self.problems.push(Problem::about(self.name, message).on_line(line as usize, column, text).warning());
    }
}

fn body(written: &str) -> String {
    // Both ways the same serialiser writes it, so that an import reads back as the same bytes.
    if is_html(written) { sanitized(written) } else { sanitized(&paragraphs(written)) }
}

// 25, 25.0 and 25.00 are the same number of units or grams.
fn whole(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = decimals.bytes().all(|byte| byte == b'0');
    if is_whole { whole.parse().ok() } else { whole.parse::<u32>().ok().map(|whole| whole + 1) }
}

fn is_gtin(code: &str) -> bool {
    matches!(code.len(), 8 | 12 | 13 | 14) && code.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_address(url: &str) -> bool {
    (url.starts_with("https://") || url.starts_with("http://")) && !url.contains(char::is_whitespace)
}

fn category_path(kind: &str) -> Option<(CategoryPath, String)> {
    let title = decoded_name(kind);
    if title.is_empty() {
        return None;
    }
    let slug = slug::slugify(&title);
    // A number alone is the address of a second page; signs alone give none at all.
    let slug = match slug.as_str() {
        "" => format!("type-{}", &blake3::hash(title.as_bytes()).to_hex()[..8]),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => format!("type-{digits}"),
        _ => slug,
    };
    Some((CategoryPath(slug), title))
}

fn categories(rows: &[Row], columns: &Columns, products: &[LoadedProduct], name: &str) -> Vec<LoadedCategory> {
    let used: BTreeSet<&CategoryPath> = products.iter().flat_map(|found| &found.product.categories).collect();
    let mut categories: BTreeMap<CategoryPath, LoadedCategory> = BTreeMap::new();
    for row in rows {
        if let Some((path, title)) = category_path(columns.cell(row, Column::Type)).filter(|(path, _)| used.contains(path)) {
            let source = Source { file: name.to_owned(), line: row.line as usize };
            let details = CategoryDetails { source, ..CategoryDetails::default() };
            let category = Category { path: path.clone(), title, order: 0 };
            categories.entry(path).or_insert(LoadedCategory { category, details });
        }
    }
    categories.into_values().collect()
}
