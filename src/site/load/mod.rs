//! Load: files → what the shop sells and says, with everything that is wrong told at its place.
//!
//! Owns    `Loaded` and the reading of content/ and of bulk sources.
//! Always  all problems of a run, sorted by file and line; one broken product does not hide the next.

mod bulk;
mod categories;
pub mod data;
pub mod details;
mod front_matter;
pub mod html;
pub mod marks;
mod pages;
mod parsed;
mod prices;
mod products;
mod promotions;
mod references;
pub mod sources;
pub mod texts;
pub mod written;

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use walkdir::WalkDir;

use self::data::DataFiles;
use self::details::{Details, Part, Place, pack};
use self::marks::Marks;
use super::problem::{Problem, Problems, SourceFile};
use super::render::TextFaults;
use super::render::shortcode::Fault;
use crate::commerce::catalog::{Catalog, Category, Image, Product};
use crate::commerce::ids::{CategoryPath, Sku, Slug, Timestamp};
use crate::commerce::problems::RulesProblem;
use crate::commerce::promotion::Promotion;
use crate::commerce::rules::Rules;

/// What the shop sells and says.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What is sold.
    pub catalog: Arc<Catalog>,
    /// What is held of each product beside; same order as `catalog.products()`.
    pub products: Vec<ProductNotes>,
    /// What only a product's page shows: see `Loaded::details`.
    pub details: Details,
    /// What only a category's page shows; same order as `catalog.categories()`.
    pub categories: Vec<CategoryDetails>,
    /// Content pages, sorted by slug.
    pub pages: Vec<PageSource>,
    /// Coupons, sorted by id.
    pub promotions: Vec<Promotion>,
    /// SKUs that the source did not give.
    pub derived_skus: Vec<Sku>,
    /// Files of content/data.
    pub data: Arc<DataFiles>,
}

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Source {
    /// Path below the shop's folder.
    pub file: String,
    /// From 1.
    pub line: usize,
}

/// A text that becomes HTML.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Body {
    /// The merchant's own.
    Markdown(String),
    /// From outside, sanitised and balanced.
    Html(String),
}

/// What only a product's page shows.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct ProductDetails {
    /// Where it was written.
    pub source: Source,
    /// Its text.
    pub body: Body,
    /// All pictures; `url` is the path below static/ or an absolute URL.
    pub images: Vec<Image>,
    /// Words.
    pub tags: Vec<String>,
    /// Rows of facts.
    pub attributes: Vec<(String, String)>,
    /// Products that go with it.
    pub related: Vec<Slug>,
    /// Old addresses, each with a leading slash.
    pub redirects: Vec<String>,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
    /// When its text last changed, where the source says so.
    pub updated_at: Option<Timestamp>,
}

/// What only a category's page shows.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct CategoryDetails {
    /// Where it was written.
    pub source: Source,
    /// Its text.
    pub body_markdown: String,
    /// A picture of it; `url` as in `ProductDetails`.
    pub image: Option<Image>,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
}

/// What is held of a product beside the catalogue's facts: enough to plan pages and to tell which are stale.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProductNotes {
    /// Where it was written.
    pub source: Source,
    /// Old addresses, each with a leading slash.
    pub redirects: Vec<String>,
    /// Whether the home page shows it.
    pub is_featured: bool,
    /// When its text last changed, where the source says so.
    pub updated_at: Option<Timestamp>,
    /// Places in the catalogue of products that the merchant named as going with it.
    pub related: Vec<usize>,
    /// Tags and attributes.
    pub marks: Marks,
    /// Hash of all that was read of it.
    pub hash: [u8; 16],
    place: Place,
}

/// A product while it is joined with the others. Boxed, since lists of a hundred thousand are made of it, and sorted.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Held {
    product: Product,
    notes: ProductNotes,
    derived_skus: Vec<Sku>,
    variant_lines: Vec<usize>,
    related: Vec<Slug>,
    /// Pictures that have to lie in static/.
    pictures: Vec<String>,
}

impl Held {
    /// Packs a product's details at the end of `records`.
    fn new(loaded: LoadedProduct, records: &mut Vec<u8>) -> Box<Self> {
        let LoadedProduct { product, details, derived_skus, variant_lines } = loaded;
        let (place, packed) = pack(&details, std::mem::take(records));
        // The product lies behind its details only to be hashed with them in one piece, which is faster.
        *records = postcard::to_extend(&product, packed).expect("plain data always serialises");
        let hash = blake3::hash(&records[place.offset as usize..]);
        records.truncate(place.offset as usize + place.length as usize);
        let own = product.variants.iter().filter_map(|variant| variant.image.as_ref());
        let pictures = details.images.iter().chain(own).map(|image| &image.url).filter(|url| !is_remote(url));
        let notes = ProductNotes {
            marks: Marks::new(&details.tags, &details.attributes),
            redirects: details.redirects,
            is_featured: details.tags.iter().any(|tag| tag == "featured"),
            updated_at: details.updated_at,
            related: Vec::new(),
            hash: hash.as_bytes()[..16].try_into().expect("a hash is longer"),
            place,
            source: details.source,
        };
        let pictures = pictures.cloned().collect();
        Box::new(Self { notes, derived_skus, variant_lines, related: details.related, pictures, product })
    }
}

impl Held {
    /// Hashes anew what was settled after it was packed.
    fn rehash(&mut self) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.notes.hash);
        let changed = (&self.product, &self.related);
        hasher.update(&postcard::to_extend(&changed, Vec::with_capacity(1024)).expect("plain data always serialises"));
        self.notes.hash = hasher.finalize().as_bytes()[..16].try_into().expect("a hash is longer");
    }
}

impl Loaded {
    /// Of products and categories that were read, in any order, with what is wrong with them as a whole but their pictures.
    pub fn of(products: Vec<LoadedProduct>, categories: Vec<LoadedCategory>, problems: &mut Problems) -> Self {
        let mut details = Details::default();
        let products = hold(products, &mut details);
        join(None, products, details, categories, problems)
    }

    /// What only the page of a product shows; `index` is that of `catalog.products()`.
    ///
    /// Errors: it cannot be read back from where the build keeps it.
    pub fn details(&self, index: usize) -> std::io::Result<ProductDetails> {
        self.details.read(self.products[index].place)
    }
}

// Products of one source, packed in memory.
fn hold(products: Vec<LoadedProduct>, details: &mut Details) -> Vec<Box<Held>> {
    let mut records = Vec::new();
    let mut held: Vec<Box<Held>> = products.into_iter().map(|product| Held::new(product, &mut records)).collect();
    let part = details.add(Part::Held(records));
    held.iter_mut().for_each(|held| held.notes.place.part = part);
    held
}

/// A content page.
#[derive(Clone, Debug)]
pub struct PageSource {
    /// Where it was written.
    pub source: Source,
    /// Its address; `index` fills the home page.
    pub slug: Slug,
    /// Plain text.
    pub title: String,
    /// Its text.
    pub body_markdown: String,
    /// Among the links at the foot: lower first.
    pub order: i64,
    /// Whether it is linked at the foot of every page.
    pub footer: bool,
    /// Free values for templates.
    pub extra: serde_json::Value,
    /// Instead of its title.
    pub seo_title: Option<String>,
    /// Instead of its first words.
    pub seo_description: Option<String>,
}

/// Addresses the shop itself needs.
pub const RESERVED: [&str; 9] = ["api", "cart", "checkout", "orders", "search", "products", "categories", "a", "404"];
/// Largest bulk file that is held at once: a catalogue of 100,000 rows has about 100 MiB.
const MAX_BULK_BYTES: u64 = 512 * 1024 * 1024;
/// Largest file of content/: one product or page with all its texts.
const MAX_CONTENT_BYTES: u64 = 8 * 1024 * 1024;
/// Longest part of an address: a file's name has 255 bytes, and a mark and an ending belong to it.
pub const MAX_SLUG_BYTES: usize = 200;
/// Longest address of a category: buckets take keys of 1,024 bytes, and the names of facets and pages come after it.
const MAX_PATH_BYTES: usize = 700;
/// Categories above one another: what shoppers find through has less than ten, and each page names all above it.
const MAX_DEPTH: usize = 16;
/// Letters of a name that is shown in one line.
const MAX_TITLE_LETTERS: usize = 1000;

/// One product with what only its page shows, before slugs are known to be unique.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LoadedProduct {
    /// What is sold.
    pub product: Product,
    /// What is shown.
    pub details: ProductDetails,
    /// Whether SKUs were derived.
    pub derived_skus: Vec<Sku>,
    /// The line of each variant, where each has its own; else empty.
    pub variant_lines: Vec<usize>,
}

/// One category with what only its page shows.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LoadedCategory {
    /// The shelf.
    pub category: Category,
    /// What is shown.
    pub details: CategoryDetails,
}

/// Reads content/ and bulk sources of the shop in `root`. `cache`: a folder that remembers what did not change since the last time.
pub fn load(
    root: &Path,
    rules: &Rules,
    sources: &[sources::BulkSource],
    cache: Option<&Path>,
    problems: &mut Problems,
) -> Loaded {
    let mut details = Details::default();
    let mut products = products::read(root, rules, cache, &mut details, problems);
    let mut categories = categories::read(root, problems);
    // Where there is no file, site.toml was told of it; and what is no file, such as a pipe, cannot be read at every build.
    let sources: Vec<sources::BulkSource> = sources.iter().filter(|source| source.path.is_file()).cloned().collect();
    let found = bulk::read(&sources, rules, cache, &mut details, problems);
    let known: BTreeSet<CategoryPath> = categories.iter().map(|loaded| loaded.category.path.clone()).collect();
    categories.extend(found.categories.into_iter().filter(|loaded| !known.contains(&loaded.category.path)));
    products.extend(found.products);
    let promotions = promotions::read(root, rules, problems);
    let pages = pages::read(root, rules, problems);
    let mut loaded = join(Some(root), products, details, categories, problems);
    (loaded.pages, loaded.promotions) = (pages, promotions);
    loaded.data = Arc::new(data::read(root, problems));
    check_as_a_whole(&loaded, rules, problems);
    problems.sort();
    loaded
}

/// Text of a file's bytes: a byte order mark is dropped; a byte that is not UTF-8 is a problem with its line.
pub fn text(name: &str, mut bytes: Vec<u8>, problems: &mut Problems) -> Option<String> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    match String::from_utf8(bytes) {
        Ok(text) => match text.bytes().position(|byte| byte == 0) {
            None => Some(text),
            Some(at) => {
                problems.push(no_text(name, text.as_bytes(), at, 1));
                None
            }
        },
        Err(error) => {
            problems.push(no_text(name, error.as_bytes(), error.utf8_error().valid_up_to(), 1));
            None
        }
    }
}

// The byte `at` of bytes whose first line has that number is no text.
fn no_text(name: &str, bytes: &[u8], at: usize, first_line: usize) -> Problem {
    let line_start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
    let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + first_line;
    let before = String::from_utf8_lossy(&bytes[line_start..at]);
    let message = match bytes[at] {
        0 => "the byte 0x00 is no text".to_owned(),
        byte => format!("the byte 0x{byte:02X} is not UTF-8"),
    };
    Problem::about(name, message).on_line(line, before.chars().count() + 1, &before).hint("save the file as UTF-8")
}

/// A name that is shown in one line: without controls and marks that turn the direction of what follows.
fn one_line(text: &str) -> String {
    let is_odd = |sign: char| sign.is_control() || matches!(sign, '\u{200b}' | '\u{202a}'..='\u{202e}');
    let text = text.trim();
    if !text.contains(is_odd) {
        return text.to_owned();
    }
    let plain = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).filter(|sign| !is_odd(*sign));
    plain.collect::<String>().trim().to_owned()
}

/// What is wrong with the path of a category, if anything.
fn wrong_path(path: &str) -> Option<String> {
    if path.split('/').count() > MAX_DEPTH {
        Some(format!("more than {MAX_DEPTH} categories above one another"))
    } else if path.len() > MAX_PATH_BYTES {
        Some(format!("the address of this category has more than {MAX_PATH_BYTES} bytes"))
    } else {
        None
    }
}

/// Files below a folder of the shop with that ending, sorted, as texts. A folder that does not exist has none.
fn files(root: &Path, folder: &str, ending: &str, problems: &mut Problems) -> Vec<SourceFile> {
    let paths = paths(root, folder, ending, problems);
    let mut texts = Vec::new();
    for (file, found) in paths.into_par_iter().map(|path| source_file(&shown_path(root, &path), &path)).collect::<Vec<_>>() {
        texts.extend(file);
        problems.extend(found);
    }
    texts
}

/// Files below a folder of the shop with that ending, sorted.
fn paths(root: &Path, folder: &str, ending: &str, problems: &mut Problems) -> Vec<PathBuf> {
    let start = root.join(folder);
    let mut paths = Vec::new();
    if !is_folder(root, folder, problems) {
        return paths;
    }
    for entry in WalkDir::new(&start).follow_links(true) {
        let entry = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry,
            Err(error) => {
                let name = error.path().map_or_else(|| folder.to_owned(), |path| shown_path(root, path));
                let reason = error.io_error().map_or_else(|| error.to_string(), |error| format!("this cannot be read: {error}"));
                problems.push(Problem::about(&name, reason));
                continue;
            }
        };
        let found = entry.path().extension().map(|found| found.to_string_lossy().into_owned()).unwrap_or_default();
        let name = || shown_path(root, entry.path());
        if found == ending && entry.file_type().is_file() {
            paths.push(entry.into_path());
        } else if found == ending {
            problems.push(Problem::about(&name(), "this is no file that can be read"));
        } else if found.eq_ignore_ascii_case(ending) || (ending == "md" && found == "markdown") {
            let problem = Problem::about(&name(), "this file is not read, because of its ending").warning();
            problems.push(problem.hint(format!("let its name end in `.{ending}`")));
        }
    }
    // By bytes: paths compare part by part, which is dear.
    paths.par_sort_unstable_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    paths
}

/// Whether a folder of the shop is there; a problem where something else stands in its place.
pub fn is_folder(root: &Path, folder: &str, problems: &mut Problems) -> bool {
    let parts = folder.split('/').scan(PathBuf::new(), |path, part| {
        path.push(part);
        Some(path.clone())
    });
    for part in parts {
        match std::fs::metadata(root.join(&part)) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let problem = Problem::about(&part.to_string_lossy(), "a folder belongs here, not a file");
                problems.push(problem.hint("move the file away, or delete it"));
                return false;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !root.join(&part).is_symlink() => return false,
            Err(error) => {
                problems.push(Problem::about(&part.to_string_lossy(), format!("this folder cannot be read: {error}")));
                return false;
            }
        }
    }
    true
}

/// The path of a file as problems name it.
fn shown_path(root: &Path, path: &Path) -> String {
    let below = match (path.to_str(), root.to_str()) {
        (Some(path), Some(root)) => path.strip_prefix(root).and_then(|below| below.strip_prefix('/')),
        _ => None,
    };
    below.map_or_else(|| path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/"), str::to_owned)
}

/// A file's text, or why it has none; `name` is how problems call it.
fn source_file(name: &str, path: &Path) -> (Option<SourceFile>, Problems) {
    let mut found = Problems::new();
    let text = bytes(path, name, &mut found).and_then(|bytes| text(name, bytes, &mut found));
    (text.map(|text| SourceFile::new(name, &text)), found)
}

fn limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    if length > MAX_CONTENT_BYTES {
        return Err(too_large(MAX_CONTENT_BYTES));
    }
    // One more than there should be: the end is seen in the same call.
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(limit: u64) -> std::io::Error {
    let reason = format!("it has more than {} MiB", limit / (1024 * 1024));
    std::io::Error::new(std::io::ErrorKind::FileTooLarge, reason)
}

fn bytes(path: &Path, name: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    match limited(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            problems.push(Problem::about(name, format!("this file cannot be read: {error}")));
            None
        }
    }
}

// Puts everything in order, gives each problem between two files both places, and checks what only the whole can tell.
fn join(
    root: Option<&Path>,
    mut products: Vec<Box<Held>>,
    details: Details,
    mut categories: Vec<LoadedCategory>,
    problems: &mut Problems,
) -> Loaded {
    products.par_sort_by(|one, other| (&one.product.slug, place(&one.notes)).cmp(&(&other.product.slug, place(&other.notes))));
    categories.sort_by(|one, other| one.category.path.cmp(&other.category.path));
    check_slugs(&mut products, problems);
    // A product that could not be read is not missing.
    let all_were_read = !problems.has_errors();
    let named = || products.iter().map(|found| (&found.product, &found.notes.source, &found.variant_lines[..]));
    let ((repeated, told), (related, others)) =
        rayon::join(|| repeated_skus(named()), || references::check(root, &products, &categories, all_were_read));
    problems.extend(told);
    problems.extend(others);
    for (index, variant) in repeated.into_iter().rev() {
        products[index].product.variants.remove(variant);
    }
    let mut loaded = Loaded { details, ..Loaded::default() };
    let mut sold = Vec::with_capacity(products.len());
    for (found, related) in products.into_iter().zip(related) {
        let Held { product, notes, derived_skus, .. } = *found;
        sold.push(product);
        loaded.products.push(ProductNotes { related, ..notes });
        loaded.derived_skus.extend(derived_skus);
    }
    let mut shelves = Vec::new();
    for found in categories {
        shelves.push(found.category);
        loaded.categories.push(found.details);
    }
    match Catalog::new(sold, shelves) {
        Ok(catalog) => loaded.catalog = Arc::new(catalog),
        Err(errors) => errors.iter().for_each(|error| problems.push(Problem::about("", error.to_string()))),
    }
    loaded
}

fn place(notes: &ProductNotes) -> (&str, usize) {
    (&notes.source.file, notes.source.line)
}

fn check_slugs(products: &mut Vec<Box<Held>>, problems: &mut Problems) {
    for pair in products.windows(2).filter(|pair| pair[0].product.slug == pair[1].product.slug) {
        let (first, second) = (&pair[0].notes.source, &pair[1].notes.source);
        let message = format!("the address `{}` is already that of {}:{}", pair[1].product.slug, first.file, first.line);
        problems.push(Problem::about(&second.file, message).on_line(second.line, 0, "").hint("rename one of the two"));
    }
    products.dedup_by(|second, first| second.product.slug == first.product.slug);
}

/// Whether every variant of what a source holds has its own SKU.
pub fn check_skus_of(products: &[LoadedProduct], problems: &mut Problems) {
    let named = products.iter().map(|found| (&found.product, &found.details.source, &found.variant_lines[..]));
    problems.extend(repeated_skus(named).1);
}

// The variants whose SKU another has too, as (product, variant), each told with both places.
fn repeated_skus<'a>(products: impl Iterator<Item = (&'a Product, &'a Source, &'a [usize])>) -> (Vec<(usize, usize)>, Problems) {
    let mut problems = Problems::new();
    let mut seen: HashMap<&Sku, (&Source, usize)> = HashMap::with_capacity(products.size_hint().0);
    let mut repeated = Vec::new();
    for (index, (product, source, lines)) in products.enumerate() {
        for (number, variant) in product.variants.iter().enumerate() {
            let line = lines.get(number).copied().unwrap_or(source.line);
            let Some((first, first_line)) = seen.get(&variant.sku) else {
                seen.insert(&variant.sku, (source, line));
                continue;
            };
            let message = format!("the SKU `{}` is already used at {}:{first_line}", variant.sku, first.file);
            let problem = Problem::about(&source.file, message).on_line(line, 0, variant.sku.as_str());
            problems.push(problem.hint("give every variant of the shop its own SKU"));
            repeated.push((index, number));
        }
    }
    (repeated, problems)
}

/// Mistakes in a text that was read before, as problems at their place in the file; on the line of the source where the text stands in
/// a bulk file, or where its file is another by now.
pub fn problems_of_text(root: &Path, found: TextFaults) -> Vec<Problem> {
    let TextFaults { source, text, faults } = found;
    let (file, _) = source_file(&source.file, &root.join(&source.file));
    let place = |fault: Fault| {
        let in_file =
            file.as_ref().and_then(|file| front_matter::in_body(file, &text, |offset| fault.clone().in_file(file, offset)));
        in_file.unwrap_or_else(|| fault.on_line(&source.file, source.line, &text))
    };
    faults.into_iter().map(place).collect()
}

/// Whether a picture lies elsewhere.
pub fn is_remote(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn check_as_a_whole(loaded: &Loaded, rules: &Rules, problems: &mut Problems) {
    let rules = Rules { promotions: loaded.promotions.clone(), ..rules.clone() };
    // Told already, with their places.
    let told: BTreeSet<String> = problems.all().iter().map(|problem| problem.message.clone()).collect();
    let is_shipped = |product: &Product| product.variants.iter().any(|variant| variant.requires_shipping);
    let products = loaded.catalog.products();
    let nothing_is_shipped = !problems.has_errors() && !products.is_empty() && !products.iter().any(is_shipped);
    for found in rules.problems() {
        let problem = Problem::about("site.toml", found.to_string());
        if nothing_is_shipped && matches!(found, RulesProblem::NoShippingZone { .. }) {
            // Whoever sells nothing that needs a parcel needs no zone.
            problems.take_back(&problem.message);
            continue;
        }
        if !told.contains(&problem.message) {
            problems.push(if found.is_warning() { problem.warning() } else { problem });
        }
    }
    if problems.has_errors() {
        return;
    }
    for found in loaded.catalog.problems(&rules) {
        let problem = Problem::about("content", found.to_string());
        problems.push(if found.is_warning() { problem.warning() } else { problem });
    }
}
