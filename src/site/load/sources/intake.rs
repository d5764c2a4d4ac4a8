//! Intake: values as other shops write them → values of ours, each checked by the same rules.
//!
//! Owns    prices, stock, weights, pictures, instants and tax classes of all sources; what is said once for a whole file.
//! Always  amounts are read from decimal text, never through a float; what is not understood is told at its place.

use std::collections::BTreeMap;

use super::table::{At, Cell, trimmed};
use super::terms::Terms;
use crate::commerce::catalog::{Image, Price, SaleWindow, StockPolicy};
use crate::commerce::ids::{TaxClass, Timestamp};
use crate::commerce::measure::Content;
use crate::commerce::money::{Currency, Money};
use crate::site::load::html::{decoded, is_html, paragraphs, sanitized};
use crate::site::load::written::{self, utc};
use crate::site::load::{Body, is_remote};
use crate::site::problem::{Problem, Problems};

/// A text and the lines it is made of, to name the place of a byte.
#[derive(Debug, Default)]
pub(super) struct Text<'a> {
    text: &'a str,
    first_line: usize,
    starts: std::sync::OnceLock<Vec<usize>>,
}

impl<'a> Text<'a> {
    /// A text whose first line has that number.
    pub(super) fn new(text: &'a str, first_line: usize) -> Self {
        Self { text, first_line, starts: std::sync::OnceLock::new() }
    }

    /// Line and column (in characters) of a byte, both from 1.
    pub(super) fn place(&self, byte: usize) -> (usize, usize) {
        let starts = self.starts.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(index, _)| index + 1)).collect()
        });
        let byte = self.text.floor_char_boundary(byte);
        let line = starts.partition_point(|start| *start <= byte) - 1;
        (self.first_line + line, self.text[starts[line]..byte].chars().count() + 1)
    }
}

/// What is true of many rows and told once, with the first of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    /// No price at all.
    Unpriced,
    /// A price of zero without leave.
    Free,
    /// A picture by a path that leads nowhere.
    RelativePicture,
    /// A weight in an unknown unit.
    Weight,
    /// A price in a currency that no market has.
    Currency(Currency),
    /// A struck-out price or sale in a currency that is not the root market's.
    OtherReduction(Currency),
    /// A tax class the shop does not have.
    TaxClass(String),
    /// Texts in another language than the shop's.
    Language(String),
    /// A title that other products have too.
    SharedTitle,
}

/// How often each note was made, and where first.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<Note, (usize, (usize, usize), String)>);

impl Notes {
    fn add(&mut self, note: Note, place: (usize, usize), text: &str) {
        let entry = self.0.entry(note).or_insert_with(|| (0, place, text.to_owned()));
        entry.0 += 1;
        if place < entry.1 {
            (entry.1, entry.2) = (place, text.to_owned());
        }
    }

    /// All of another collection.
    pub(super) fn extend(&mut self, others: Self) {
        for (note, (count, place, text)) in others.0 {
            let entry = self.0.entry(note).or_insert_with(|| (0, place, text.clone()));
            entry.0 += count;
            if place < entry.1 {
                (entry.1, entry.2) = (place, text);
            }
        }
    }

    /// Says each once.
    pub(super) fn tell(self, terms: &Terms<'_>, problems: &mut Problems) {
        for (note, (count, (line, column), text)) in self.0 {
            let many = |one: &str, many: &str| if count == 1 { one.to_owned() } else { format!("{count} {many}") };
            let (message, hint) = match note {
                Note::Unpriced => (many("this variant has no price and cannot be bought", "variants have no price and cannot be bought"), terms.names_no_price()),
                Note::Free => (
                    many("the price is 0: this variant cannot be bought", "variants have a price of 0 and cannot be bought"),
                    Some("write `allow_free = true` under this [[sources]] (`--allow-free` for an import) if they are given away".to_owned()),
                ),
                Note::RelativePicture => (
                    many("this picture is a path, not an address; it is left out", "pictures are paths, not addresses; they are left out"),
                    Some("write `images = \"https://…\"` or a folder of static/ under this [[sources]] (`--images` for an import): what stands before the paths".to_owned()),
                ),
                Note::Weight => (
                    many("this weight has no unit; it is left out", "weights have no unit; they are left out"),
                    Some("write `weight_unit = \"kg\"` (or g, lb, oz) under this [[sources]] (`--weight-unit` for an import)".to_owned()),
                ),
                Note::Currency(currency) => (
                    many(&format!("a price in {currency} is left out: no market sells in it"), &format!("prices in {currency} are left out: no market sells in it")),
                    Some(format!("a market with `currency = \"{currency}\"` takes them")),
                ),
                Note::OtherReduction(currency) => (
                    many(
                        &format!("a reduced price in {currency} is taken without what it is compared with"),
                        &format!("reduced prices in {currency} are taken without what they are compared with"),
                    ),
                    Some(format!("reductions are kept in {}, the currency of the first market", terms.currency)),
                ),
                Note::TaxClass(name) => (
                    format!("{} the tax class `{name}`, which site.toml does not have; `{}` is taken", many("a product has", "products have"), terms.tax_class),
                    Some(format!("give a class of [tax] that name, or leave it so; classes: {}", terms.tax_classes.iter().map(TaxClass::as_str).collect::<Vec<_>>().join(", "))),
                ),
                Note::Language(language) => (
                    many(&format!("a text in `{language}` is left out"), &format!("texts in `{language}` are left out")),
                    Some(format!("the shop is read in `{}`; `language = \"{language}\"` under this [[sources]] reads it in that", terms.language)),
                ),
                Note::SharedTitle => (
                    many("this product shares its title with another", "products share their title with another") + "; their addresses end in a mark of their own",
                    Some("give them addresses (`slug`) to choose them yourself".to_owned()),
                ),
            };
            let problem = Problem::about(&terms.source.name, message).on_line(line, column, &text).warning();
            problems.push(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
        }
    }
}

/// A price with what it is reduced from or to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PriceCells<'a> {
    /// The regular price.
    pub(super) price: Cell<'a>,
    /// A struck-out price.
    pub(super) compare_at: Cell<'a>,
    /// A lower price, from and until these days; for good where there are none.
    pub(super) sale: Cell<'a>,
    pub(super) from: Cell<'a>,
    pub(super) until: Cell<'a>,
}

/// Takes the values of one source.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    pub(super) terms: &'a Terms<'a>,
    /// What `At::Byte` counts in.
    pub(super) text: Option<&'a Text<'a>>,
    pub(super) problems: Problems,
    pub(super) notes: Notes,
}

impl<'a> Intake<'a> {
    pub(super) fn new(terms: &'a Terms<'a>) -> Self {
        Self { terms, text: None, problems: Problems::new(), notes: Notes::default() }
    }

    /// For values that stand in a text.
    pub(super) fn of_text(terms: &'a Terms<'a>, text: &'a Text<'a>) -> Self {
        Self { text: Some(text), ..Self::new(terms) }
    }

    /// Line and column.
    pub(super) fn place(&self, at: At) -> (usize, usize) {
        match at {
            At::Cell { line, column } => (line, column),
            At::Byte(byte) => self.text.map_or((0, 0), |text| text.place(byte)),
        }
    }

    /// A problem at a value; an error unless it is made something else.
    pub(super) fn problem(&self, cell: Cell<'_>, message: impl Into<String>) -> Problem {
        let (line, column) = self.place(cell.at);
        Problem::about(&self.terms.source.name, message).on_line(line, column, cell.text)
    }

    pub(super) fn refuse(&mut self, cell: Cell<'_>, message: impl Into<String>) {
        let problem = self.problem(cell, message);
        self.problems.push(problem);
    }

    pub(super) fn warn(&mut self, cell: Cell<'_>, message: impl Into<String>) {
        let problem = self.problem(cell, message).warning();
        self.problems.push(problem);
    }

    pub(super) fn leave_out(&mut self, cell: Cell<'_>, message: impl Into<String>) {
        let problem = self.problem(cell, message).left_out();
        self.problems.push(problem);
    }

    pub(super) fn note(&mut self, note: Note, cell: Cell<'_>) {
        let place = self.place(cell.at);
        self.notes.add(note, place, cell.text);
    }

    /// The price in a currency. None: it is shown and cannot be bought. A compare-at price that is 0 or not above the price says nothing.
    pub(super) fn price(&mut self, cells: PriceCells<'_>, currency: Currency) -> Option<Price> {
        if cells.price.is_empty() {
            self.note(Note::Unpriced, cells.price);
            return None;
        }
        let unit_minor = match amount(cells.price.text, currency) {
            Ok(minor) => minor,
            Err(message) => {
                self.refuse(cells.price, message);
                return None;
            }
        };
        if unit_minor == 0 && !self.terms.source.allow_free {
            self.note(Note::Free, cells.price);
            return None;
        }
        let compare_at_minor = self.struck(cells.compare_at, unit_minor, currency);
        let price = Price { currency, unit_minor, compare_at_minor, sales: Vec::new(), prior: Box::default() };
        Some(self.reduced(price, cells))
    }

    fn struck(&mut self, cell: Cell<'_>, unit_minor: i64, currency: Currency) -> Option<i64> {
        if cell.is_empty() {
            return None;
        }
        match amount(cell.text, currency) {
            Ok(minor) if minor > unit_minor => return Some(minor),
            Ok(0) => {}
            Ok(_) => self.warn(cell, "the struck-out price is not above the price; it is left out"),
            Err(message) => self.warn(cell, format!("{message}; it is left out")),
        }
        None
    }

    fn reduced(&mut self, price: Price, cells: PriceCells<'_>) -> Price {
        if cells.sale.is_empty() {
            return price;
        }
        let price_minor = match amount(cells.sale.text, price.currency) {
            Ok(minor) if minor < price.unit_minor && (minor > 0 || self.terms.source.allow_free) => minor,
            Ok(_) => {
                self.warn(cells.sale, "the sale's price is not above 0 and below the price; it is left out");
                return price;
            }
            Err(message) => {
                self.warn(cells.sale, format!("{message}; the sale is left out"));
                return price;
            }
        };
        if cells.from.is_empty() && cells.until.is_empty() {
            return Price { unit_minor: price_minor, compare_at_minor: Some(price.unit_minor), ..price };
        }
        let mut ends = [None, None];
        for (end, (cell, is_last)) in ends.iter_mut().zip([(cells.from, false), (cells.until, true)]) {
            if !cell.is_empty() {
                *end = day_or_instant(cell.text, is_last);
                if end.is_none() {
                    self.warn(cell, "this is not a time; the sale is left out");
                    return price;
                }
            }
        }
        let [from, until] = ends;
        if matches!((from, until), (Some(from), Some(until)) if until <= from) {
            self.warn(cells.until, "this sale ends before it starts; it is left out");
            return price;
        }
        let until_offset_minutes = written::offset_minutes(cells.until.text);
        Price { sales: vec![SaleWindow { price_minor, from, until, until_offset_minutes }], ..price }
    }

    /// Units in stock and what happens without any. Nothing said at all: not counted.
    pub(super) fn stock(&mut self, cell: Cell<'_>, goes_on: bool) -> (u32, StockPolicy) {
        let counted = whole(cell.text);
        if !cell.is_empty() && counted.is_none() && !cell.text.starts_with('-') {
            self.warn(cell, "this is no number of units; 0 is taken");
        }
        let policy = match (goes_on, cell.is_empty()) {
            (true, _) => StockPolicy::Backorder,
            (false, true) => StockPolicy::Untracked,
            (false, false) => StockPolicy::Deny,
        };
        (counted.unwrap_or(0), policy)
    }

    /// How much is in a variant. What cannot be read is told, and the variant has no price per measure.
    pub(super) fn content(&mut self, cell: Cell<'_>) -> Option<Box<Content>> {
        match cell.text.parse::<Content>() {
            _ if cell.is_empty() => None,
            Ok(content) => Some(Box::new(content)),
            Err(error) => {
                let problem = self.problem(cell, error.to_string());
                self.problems.push(problem.hint(error.hint()));
                None
            }
        }
    }

    /// Grams of a weight in a unit (`None`: that of the source). 0 where there is none.
    pub(super) fn grams(&mut self, cell: Cell<'_>, unit: Option<WeightUnit>) -> u32 {
        if cell.is_empty() {
            return 0;
        }
        let Some(unit) = unit.or(self.terms.source.weight_unit) else {
            if grams(cell.text, WeightUnit::Gram) != Some(0) {
                self.note(Note::Weight, cell);
            }
            return 0;
        };
        grams(cell.text, unit).unwrap_or_else(|| {
            self.warn(cell, "this is no weight; it is left out");
            0
        })
    }

    /// A picture by its address, or by its path below what the source says.
    pub(super) fn picture(&mut self, cell: Cell<'_>, alt: &str) -> Option<Image> {
        let image = |url: String| Image { url, alt: alt.to_owned(), width: None, height: None };
        let path = cell.text;
        if is_remote(path) && !path.contains(char::is_whitespace) {
            return Some(image(path.to_owned()));
        }
        if path.is_empty() {
            return None;
        }
        if is_remote(path) || path.contains("://") || path.split('/').any(|part| part == "..") {
            self.leave_out(cell, "this is no address of a picture; it is left out");
            return None;
        }
        let Some(base) = &self.terms.source.images else {
            self.note(Note::RelativePicture, cell);
            return None;
        };
        let path = if is_remote(base) { path.replace(' ', "%20") } else { path.to_owned() };
        Some(image(format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))))
    }

    /// The shop's class of that name; where it has none, the source's own.
    pub(super) fn tax_class(&mut self, cell: Cell<'_>) -> TaxClass {
        let word = slug::slugify(cell.text);
        // What shop systems call the class of everything that is not special.
        if matches!(word.as_str(), "" | "default" | "standard" | "taxable-goods" | "parent") {
            return self.terms.tax_class.clone();
        }
        let found = self.terms.tax_classes.iter().find(|class| slug::slugify(class.as_str()) == word);
        found.cloned().unwrap_or_else(|| {
            self.note(Note::TaxClass(cell.text.to_owned()), cell);
            self.terms.tax_class.clone()
        })
    }

    /// An instant; a warning and `None` where it is none.
    pub(super) fn instant(&mut self, cell: Cell<'_>) -> Option<Timestamp> {
        if cell.is_empty() {
            return None;
        }
        let found = day_or_instant(cell.text, false);
        if found.is_none() {
            self.warn(cell, "this is not a time; it is left out");
        }
        found
    }

    /// A product's text.
    pub(super) fn body(&self, written: &str) -> Body {
        // Both ways the same serialiser writes it, so that an import reads back as the same bytes.
        match self.terms.source.body_format {
            Some(BodyFormat::Markdown) => markdown(written),
            Some(BodyFormat::Html) => Body::Html(sanitized(written)),
            None if is_html(written) => Body::Html(sanitized(written)),
            // Some write no tags and yet `&#8482;`.
            None => Body::Html(sanitized(&paragraphs(&decoded(written)))),
            Some(BodyFormat::Text) => Body::Html(sanitized(&paragraphs(written))),
        }
    }
}

/// A Markdown text as a file of content/ holds it.
pub(super) fn markdown(text: &str) -> Body {
    let text = text.trim();
    Body::Markdown(if text.is_empty() { String::new() } else { format!("{text}\n") })
}

/// How a source writes its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// Plain text; an empty line parts paragraphs.
    Text,
    /// HTML, which is sanitised.
    Html,
    /// Markdown, as content/ has it.
    Markdown,
}

/// What weights are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum WeightUnit {
    /// Grams.
    #[serde(rename = "g")]
    Gram,
    /// Kilograms.
    #[serde(rename = "kg")]
    Kilogram,
    /// Avoirdupois pounds.
    #[serde(rename = "lb")]
    Pound,
    /// Avoirdupois ounces.
    #[serde(rename = "oz")]
    Ounce,
}

impl WeightUnit {
    /// The unit by the words shop systems have for it.
    pub fn named(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "g" | "gram" | "grams" => Some(Self::Gram),
            "kg" | "kgs" | "kilogram" | "kilograms" => Some(Self::Kilogram),
            "lb" | "lbs" | "pound" | "pounds" => Some(Self::Pound),
            "oz" | "ounce" | "ounces" => Some(Self::Ounce),
            _ => None,
        }
    }

    // Exact by the international avoirdupois pound of 1959.
    fn nanograms(self) -> i128 {
        match self {
            Self::Gram => 1_000_000_000,
            Self::Kilogram => 1_000_000_000_000,
            Self::Pound => 453_592_370_000,
            Self::Ounce => 28_349_523_125,
        }
    }
}

/// Minor units of an amount. One or two digits after a comma are decimals; after three, nobody could tell them from thousands.
pub(super) fn amount(text: &str, currency: Currency) -> Result<i64, String> {
    let point = text.split_once(',').filter(|(whole, decimals)| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits(whole) && digits(decimals) && decimals.len() <= 2
    });
    let with_point = point.map(|(whole, decimals)| format!("{whole}.{decimals}"));
    // `.5` is how some write half of one.
    let with_zero = text.strip_prefix('.').map(|decimals| format!("0.{decimals}"));
    let text = with_point.as_deref().or(with_zero.as_deref()).unwrap_or(text);
    Money::parse(text, currency).map(|money| money.minor).map_err(|error| error.to_string())
}

/// Units of a count: 25, 25.0 and 25.0000 are the same; of a broken unit nothing can be sold.
pub(super) fn whole(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_number = decimals.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { whole.parse().ok() } else { None }
}

// Rounded up to the gram: parcels are never lighter than what is in them.
fn grams(text: &str, unit: WeightUnit) -> Option<u32> {
    let text = text.replace(',', ".");
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = decimals.trim_end_matches('0');
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && decimals.is_empty()) || !is_number(whole) || !is_number(decimals) || decimals.len() > 9 {
        return if text.trim_matches(['0', '.']).is_empty() && !text.is_empty() { Some(0) } else { None };
    }
    let digits: i128 = format!("0{whole}{decimals}").parse().ok()?;
    let divisor = 1_000_000_000 * 10i128.pow(u32::try_from(decimals.len()).ok()?);
    let grams = (digits.checked_mul(unit.nanograms())? + divisor - 1) / divisor;
    u32::try_from(grams).ok()
}

/// An instant as exports write it. A day begins at midnight UTC; as a last day it counts whole.
pub(super) fn day_or_instant(text: &str, is_last: bool) -> Option<Timestamp> {
    let text = trimmed(text);
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp(instant.as_second()));
    }
    let day = text.parse::<jiff::civil::Date>().or_else(|_| jiff::civil::Date::strptime("%m/%d/%y", text));
    // `parse` reads a day out of a longer text too.
    if let Some(day) = day.ok().filter(|_| !text.contains([':', 'T'])) {
        // The day after the last one that can be told is never.
        let day = if is_last { day.tomorrow().unwrap_or(day) } else { day };
        return Some(utc(day.to_datetime(jiff::civil::Time::midnight())));
    }
    let moment = text.parse::<jiff::civil::DateTime>().or_else(|_| jiff::civil::DateTime::strptime("%m/%d/%y, %I:%M %p", text));
    // An hour of UTC, which the last days of the year 9999 have too.
    moment.ok().map(utc).or_else(|| written::instant(text))
}

/// The digits of a GTIN, where it is one.
pub(super) fn gtin(code: &str) -> Option<String> {
    let code = code.trim_start_matches('\'');
    let is_gtin = matches!(code.len(), 8 | 12 | 13 | 14) && code.bytes().all(|byte| byte.is_ascii_digit());
    is_gtin.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_every_form_are_exact() {
        let eur = Currency::from_code("EUR").expect("a currency");
        for (text, expected) in [
            ("30", Ok(3000)),
            ("9.99", Ok(999)),
            ("25.00", Ok(2500)),
            ("40.000", Ok(4000)),
            (".5", Ok(50)),
            ("12,5", Ok(1250)),
            ("12,50", Ok(1250)),
            ("9999999.00", Ok(999_999_900)),
        ] {
            assert_eq!(amount(text, eur), expected, "{text}");
        }
        for text in ["1,500", "1.234,50", "9.999", "1e3", "free", "-1", "0x10", "1 000", "."] {
            assert!(amount(text, eur).is_err(), "{text}");
        }
        let jpy = Currency::from_code("JPY").expect("a currency");
        assert_eq!((amount("110000", jpy), amount("110000.00", jpy)), (Ok(110_000), Ok(110_000)));
        assert!(amount("110000.5", jpy).is_err());
    }

    #[test]
    fn weights_are_whole_grams() {
        use WeightUnit::{Gram, Kilogram, Ounce, Pound};
        for (text, unit, expected) in [
            ("0.0", Gram, Some(0)),
            ("1800.0", Gram, Some(1800)),
            ("1,5", Kilogram, Some(1500)),
            (".5", Pound, Some(227)),
            ("19.8", Pound, Some(8982)),
            ("1", Ounce, Some(29)),
            ("0.0001", Gram, Some(1)),
            ("heavy", Gram, None),
            ("-1", Gram, None),
            ("", Gram, None),
            ("99999999999999999999999999999", Kilogram, None),
        ] {
            assert_eq!(grams(text, unit), expected, "{text}");
        }
    }

    #[test]
    fn days_and_instants_of_every_export_are_read() {
        let day = 86_400;
        for (text, first, last) in [
            ("1970-01-02", day, 2 * day),
            ("1/2/70", day, 2 * day),
            ("1970-01-02 00:00:10", day + 10, day + 10),
            ("1970-01-02T00:00:10", day + 10, day + 10),
            ("1970-01-02T01:00:10+01:00", day + 10, day + 10),
            ("1/2/70, 1:00 AM", day + 3600, day + 3600),
        ] {
            assert_eq!(day_or_instant(text, false), Some(Timestamp(first)), "{text}");
            assert_eq!(day_or_instant(text, true), Some(Timestamp(last)), "{text}");
        }
        for text in ["", "soon", "2026-02-30", "13/40/26"] {
            assert_eq!(day_or_instant(text, false), None, "{text}");
        }
    }

    #[test]
    fn counts_are_the_same_in_any_form() {
        for (text, expected) in
            [("25", Some(25)), ("25.0", Some(25)), ("25.0000", Some(25)), ("2.5", Some(2)), ("x", None), ("-3", None)]
        {
            assert_eq!(whole(text), expected, "{text}");
        }
    }

    #[test]
    fn a_byte_is_named_by_line_and_letter() {
        let text = Text::new("äb\ncö\n", 3);
        assert_eq!([0, 2, 4, 5, 7].map(|byte| text.place(byte)), [(3, 1), (3, 2), (4, 1), (4, 2), (4, 3)]);
    }
}
