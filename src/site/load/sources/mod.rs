//! Sources: exports of other shops and bulk files of our own → products and categories.
//!
//! Owns    one reader per format (`shopify`, `woocommerce`, `magento`, `vendure`, `spree`, `jsonl`, `mapped`) and what they share:
//!         `records` and `table` cut CSV of any dialect into cells, `json` finds values in a document, `intake` turns values into ours,
//!         `draft` puts a product together, `settle` gives it an address.
//! Always  everything that is left out is told with file, line and column; no address depends on the order of rows.

mod draft;
mod intake;
mod json;
mod jsonl;
mod magento;
mod mapped;
mod records;
mod settle;
mod shopify;
mod spree;
mod table;
mod terms;
mod vendure;
mod woocommerce;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use rayon::prelude::*;

pub use self::intake::{BodyFormat, WeightUnit};
pub use self::mapped::Mapping;
pub use self::terms::{BulkFormat, BulkSource};

use self::draft::Draft;
use self::intake::Intake;
use self::settle::Drafts;
use self::table::Table;
use self::terms::Terms;
use super::{LoadedCategory, LoadedProduct, MAX_BULK_BYTES, too_large};
use crate::commerce::rules::Rules;
use crate::site::problem::{Problem, Problems};

/// What sources hold.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Products, in the order of files and rows.
    pub products: Vec<LoadedProduct>,
    /// The categories that they name, sorted by path.
    pub categories: Vec<LoadedCategory>,
    /// Columns that mean nothing here, by file.
    pub columns_left_out: BTreeMap<String, Vec<String>>,
}

/// Reads sources by the shop's rules.
pub fn read(sources: &[BulkSource], rules: &Rules, problems: &mut Problems) -> Found {
    let open = |source: &BulkSource| {
        let file = File::open(&source.path)?;
        if file.metadata()?.len() > MAX_BULK_BYTES { Err(too_large(MAX_BULK_BYTES)) } else { Ok(file) }
    };
    let inputs = sources.par_iter().map(|source| (source, open(source))).collect();
    settled(inputs, rules, problems)
}

/// Reads the bytes of one source.
pub fn parse(bytes: &[u8], source: &BulkSource, rules: &Rules, problems: &mut Problems) -> Found {
    settled(vec![(source, Ok(bytes))], rules, problems)
}

fn settled<R: Read + Send>(inputs: Vec<(&BulkSource, std::io::Result<R>)>, rules: &Rules, problems: &mut Problems) -> Found {
    let inputs: Vec<_> = inputs.into_iter().filter_map(|(source, input)| Some((Terms::new(source, rules)?, input))).collect();
    let (terms, inputs): (Vec<Terms<'_>>, Vec<std::io::Result<R>>) = inputs.into_iter().unzip();
    let read: Vec<(Drafts<'_>, Vec<String>, Problems)> =
        terms.par_iter().zip(inputs).map(|(terms, input)| read_one(terms, input)).collect();
    let mut files = Vec::new();
    let mut columns_left_out = BTreeMap::new();
    for (drafts, columns, found) in read {
        if !columns.is_empty() {
            columns_left_out.insert(drafts.terms.source.name.clone(), columns);
        }
        files.push(drafts);
        problems.extend(found);
    }
    Found { columns_left_out, ..settle::settle(files, problems) }
}

fn read_one<'a>(terms: &'a Terms<'a>, input: std::io::Result<impl Read>) -> (Drafts<'a>, Vec<String>, Problems) {
    let name = &terms.source.name;
    let mut intake = Intake::new(terms);
    let mut columns = Vec::new();
    let drafts = match (input, terms.source.format) {
        (Err(error), _) => {
            intake.problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
            Vec::new()
        }
        (Ok(input), BulkFormat::Jsonl | BulkFormat::Json) => {
            let read = if terms.source.format == BulkFormat::Jsonl { jsonl::read } else { mapped::read };
            let text = whole_text(input, name, &mut intake.problems);
            text.map_or_else(Vec::new, |text| read(&text, terms, &mut intake.notes, &mut intake.problems))
        }
        (Ok(input), format) => {
            let reader: fn(&mut Table, &mut Intake<'_>) -> Vec<Draft> = match format {
                BulkFormat::Shopify => shopify::read,
                BulkFormat::Woocommerce => woocommerce::read,
                BulkFormat::Magento => magento::read,
                BulkFormat::Vendure => vendure::read,
                BulkFormat::Spree => spree::read,
                BulkFormat::Jsonl | BulkFormat::Json => unreachable!("these are no tables"),
            };
            let table = Table::read(input, name, &mut intake.problems);
            table.map_or_else(Vec::new, |mut table| {
                let drafts = reader(&mut table, &mut intake);
                if !drafts.is_empty() {
                    columns = table.left_out();
                }
                drafts
            })
        }
    };
    (Drafts { terms, drafts, notes: intake.notes }, columns, intake.problems)
}

fn whole_text(mut input: impl Read, name: &str, problems: &mut Problems) -> Option<String> {
    let mut bytes = Vec::new();
    match input.read_to_end(&mut bytes) {
        Ok(_) => super::text(name, bytes, problems),
        Err(error) => {
            problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
            None
        }
    }
}
