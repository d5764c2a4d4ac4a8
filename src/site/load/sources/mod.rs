//! Sources: exports of other shops and bulk files of our own → products and categories.
//!
//! Owns    one reader per format (`shopify`, `woocommerce`, `magento`, `vendure`, `spree`, `jsonl`, `mapped`) and what they share:
//!         `encoding` makes UTF-8 of other encodings, `records` and `table` cut CSV of any dialect into cells, `pieces` cuts lines, `json` finds values in a document, `intake` turns values into ours,
//!         `draft` puts a product together, `settle` gives it an address.
//! Limits  what only pages show is put away as it is read; JSON Lines are read piece by piece, other files are held while they are read.
//! Always  everything that is left out is told with file, line and column; no address depends on the order of rows.

mod draft;
mod encoding;
mod intake;
mod json;
mod jsonl;
mod magento;
mod mapped;
mod pieces;
mod records;
mod settle;
mod shopify;
mod spree;
mod surcharge;
mod table;
mod terms;
mod translated;
mod vendure;
mod woocommerce;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

pub use self::encoding::Encoding;
pub use self::intake::{BodyFormat, WeightUnit};
pub use self::mapped::Mapping;
pub use self::terms::{BulkFormat, BulkSource, delimiter};

use self::draft::{Draft, Kept};
use self::encoding::{Decoded, refusal};
use self::intake::Intake;
use self::settle::Drafts;
use self::table::Table;
use self::terms::Terms;
use super::bulk::Bulk;
use super::details::{Details, Heap};
use super::references::SlugHash;
use super::{Held, LoadedCategory, LoadedProduct, MAX_BULK_BYTES, ProductDetails, too_large};
use crate::commerce::ids::Slug;
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
    let inputs = sources.iter().map(|source| (source, open(source))).collect();
    unpacked(inputs, rules, problems)
}

/// Reads the bytes of one source.
pub fn parse(bytes: &[u8], source: &BulkSource, rules: &Rules, problems: &mut Problems) -> Found {
    unpacked(vec![(source, Ok(bytes))], rules, problems)
}

/// Reads sources, what only pages show into `heap`.
pub(super) fn pack(sources: &[BulkSource], rules: &Rules, heap: Heap, problems: &mut Problems) -> (Bulk, Heap) {
    let inputs = sources.iter().map(|source| (source, open(source))).collect();
    let (bulk, _, heap) = settled(inputs, rules, heap, problems);
    (bulk, heap)
}

fn open(source: &BulkSource) -> std::io::Result<File> {
    let file = File::open(&source.path)?;
    // JSON Lines are not held at once.
    let is_held = source.format != BulkFormat::Jsonl;
    if is_held && file.metadata()?.len() > MAX_BULK_BYTES { Err(too_large(MAX_BULK_BYTES)) } else { Ok(file) }
}

fn unpacked<R: Read + Send>(inputs: Inputs<'_, R>, rules: &Rules, problems: &mut Problems) -> Found {
    let (bulk, columns_left_out, heap) = settled(inputs, rules, Heap::default(), problems);
    let mut details = Details::default();
    let parts = heap.settle(&mut details);
    let slugs: HashMap<SlugHash, Slug> =
        bulk.products.iter().map(|held| (SlugHash::of(&held.product.slug), held.product.slug.clone())).collect();
    let product = |held: Box<Held>| {
        let Held { product, notes, derived_skus, variant_lines, related, .. } = *held;
        let place = notes.place.in_part(parts[1]);
        let details = details.read(place).expect("what is held in memory reads back");
        // One that is not among them stands as it was written.
        let written = |hash: &SlugHash| details.related.iter().find(|slug| SlugHash::of(slug) == *hash);
        let related = related.iter().filter_map(|hash| slugs.get(hash).or_else(|| written(hash)).cloned()).collect();
        LoadedProduct { product, details: ProductDetails { related, ..details }, derived_skus, variant_lines }
    };
    let products = bulk.products.into_iter().map(product).collect();
    Found { products, categories: bulk.categories, columns_left_out }
}

/// Sources, each with what it is read from.
type Inputs<'a, R> = Vec<(&'a BulkSource, std::io::Result<R>)>;

fn settled<R: Read + Send>(
    inputs: Inputs<'_, R>,
    rules: &Rules,
    heap: Heap,
    problems: &mut Problems,
) -> (Bulk, BTreeMap<String, Vec<String>>, Heap) {
    let inputs: Vec<_> = inputs.into_iter().filter_map(|(source, input)| Some((Terms::new(source, rules)?, input))).collect();
    let (terms, inputs): (Vec<Terms<'_>>, Vec<std::io::Result<R>>) = inputs.into_iter().unzip();
    let shelf = Shelf(Mutex::new(heap));
    let read: Vec<(Drafts<'_>, Vec<String>, Problems)> =
        terms.par_iter().zip(inputs).map(|(terms, input)| read_one(terms, input, &shelf)).collect();
    let mut files = Vec::new();
    let mut columns_left_out = BTreeMap::new();
    for (drafts, columns, found) in read {
        if !columns.is_empty() {
            columns_left_out.insert(drafts.terms.source.name.clone(), columns);
        }
        files.push(drafts);
        problems.extend(found);
    }
    let bulk = settle::settle(files, problems);
    (bulk, columns_left_out, shelf.0.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Where drafts of all sources put what only pages show.
struct Shelf(Mutex<Heap>);

impl Shelf {
    /// Puts the details of a batch away.
    fn keep(&self, batch: impl IntoIterator<Item = (Kept, Vec<u8>)>) -> Vec<Kept> {
        let (mut kept, mut records) = (Vec::new(), Vec::new());
        for (mut draft, record) in batch {
            draft.held.notes.place.offset = records.len() as u64;
            records.extend_from_slice(&record);
            kept.push(draft);
        }
        let start = self.0.lock().unwrap_or_else(PoisonError::into_inner).take(&records);
        kept.iter_mut().for_each(|draft| draft.held.notes.place = draft.held.notes.place.after(start));
        kept
    }
}

fn read_one<'a>(terms: &'a Terms<'a>, input: std::io::Result<impl Read>, shelf: &Shelf) -> (Drafts<'a>, Vec<String>, Problems) {
    let name = &terms.source.name;
    let mut intake = Intake::new(terms);
    let mut columns = Vec::new();
    let input = input.map(|input| Decoded::new(input, terms.source.encoding));
    let drafts = match (input, terms.source.format) {
        (Err(error), _) => {
            intake.problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
            Vec::new()
        }
        (Ok(input), BulkFormat::Jsonl) => jsonl::read(input, terms, shelf, &mut intake.notes, &mut intake.problems),
        (Ok(input), BulkFormat::Json) => {
            let text = whole_text(input, terms.source, &mut intake.problems);
            text.map_or_else(Vec::new, |text| mapped::read(&text, terms, shelf, &mut intake.notes, &mut intake.problems))
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
            let table = Table::read(input, terms.source, &mut intake.problems);
            table.map_or_else(Vec::new, |mut table| {
                let drafts = reader(&mut table, &mut intake);
                if !drafts.is_empty() {
                    columns = table.left_out();
                }
                drop(table);
                shelf.keep(drafts.into_iter().map(Draft::pack))
            })
        }
    };
    (Drafts { terms, drafts, notes: intake.notes }, columns, intake.problems)
}

fn whole_text(input: impl Read, source: &BulkSource, problems: &mut Problems) -> Option<String> {
    let name = &source.name;
    let mut bytes = Vec::new();
    // Of a pipe nobody knows the length before.
    match input.take(MAX_BULK_BYTES + 1).read_to_end(&mut bytes).and_then(|read| match read as u64 > MAX_BULK_BYTES {
        true => Err(too_large(MAX_BULK_BYTES)),
        false => Ok(()),
    }) {
        Ok(()) => {
            if bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            let wrong = std::str::from_utf8(&bytes).map_err(|error| error.valid_up_to()).err();
            if let Some(at) = wrong.or_else(|| bytes.iter().position(|byte| *byte == 0)) {
                problems.push(no_text(source, &bytes, at, 1));
                return None;
            }
            Some(String::from_utf8(bytes).expect("it was looked at"))
        }
        Err(error) => {
            problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
            None
        }
    }
}

// The byte `at` of bytes whose first line has that number is no text.
fn no_text(source: &BulkSource, bytes: &[u8], at: usize, first_line: usize) -> Problem {
    let (message, hint) = refusal(bytes[at], source.encoding);
    let mut problem = super::no_text(&source.name, bytes, at, first_line);
    problem.message = message;
    problem.hint(hint)
}
